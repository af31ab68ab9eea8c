//! Opens sled, which does not always open.
//!
//! A kill can leave an empty `snap.*` file, and sled then reports corruption of what is whole;
//! without these files it reads its log from the start and finds everything. What cannot be
//! read even so is set aside, never deleted, and the caller begins anew.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use sled::Db;

use super::disk;
use super::failure::Trouble;

/// Between the name of a folder that was set aside and its number.
const DAMAGED: &str = ".damaged-";
const CACHE: u64 = 64 * 1024 * 1024;
/// sled gives its lock up a little after it was dropped.
const PATIENCE: u32 = 100;
const PAUSE: Duration = Duration::from_millis(100);

/// Opens the sled folder and loads from it. `None` when it could not be read and was set aside:
/// then there is no folder any more. What happened is said in `notes`.
pub(super) fn open<T>(
    folder: &Path,
    load: impl Fn(&Db) -> Result<T, Trouble>,
    notes: &mut Vec<String>,
) -> Result<Option<T>, Trouble> {
    match attempt(folder, &load) {
        Ok(loaded) => return Ok(Some(loaded)),
        Err(Fault::Other(trouble)) => return Err(trouble),
        Err(Fault::Damaged) => {},
    }
    let aside = set_aside(folder)?;
    remove_snapshots(folder)?;
    match attempt(folder, &load) {
        Ok(loaded) => {
            fs::remove_dir_all(&aside).map_err(Trouble::file("remove", &aside))?;
            notes.push(format!(
                "{} had not been closed properly; it was read from its log, and all of it is there",
                name(folder)
            ));
            Ok(Some(loaded))
        },
        Err(Fault::Other(trouble)) => {
            // The folder itself is still there; on a full disk every start would leave a copy.
            remove(&aside)?;
            Err(trouble)
        },
        Err(Fault::Damaged) => {
            fs::remove_dir_all(folder).map_err(Trouble::file("remove", folder))?;
            notes.push(format!(
                "{} could not be read; what there was is kept in {}",
                name(folder),
                aside.display()
            ));
            Ok(None)
        },
    }
}

/// Copies what `folder` holds into a new one that takes its place. sled marks what was removed
/// as free and leaves the bytes; a copy has only what is alive.
pub(super) fn rewrite(folder: &Path) -> Result<(), Trouble> {
    let (fresh, old) = (beside(folder, "new"), beside(folder, "old"));
    remove(&fresh)?;
    let copied = attempt(folder, &|from| {
        let to = open_plain(&fresh)?;
        to.import(from.export());
        to.flush()?;
        Ok(())
    });
    copied.map_err(|fault| match fault {
        Fault::Damaged => Trouble::Inconsistent("it cannot be copied"),
        Fault::Other(trouble) => trouble,
    })?;
    move_to(folder, &old)?;
    move_to(&fresh, folder)?;
    remove(&old)
}

/// Ends a rewriting that a crash cut short.
pub(super) fn settle(folder: &Path) -> Result<(), Trouble> {
    let (fresh, old) = (beside(folder, "new"), beside(folder, "old"));
    if old.exists() && !folder.exists() {
        // The copy is whole: the old folder is moved only after that.
        let whole = if fresh.exists() { &fresh } else { &old };
        move_to(whole, folder)?;
    }
    remove(&fresh)?;
    remove(&old)
}

fn beside(folder: &Path, ending: &str) -> PathBuf {
    folder.with_file_name(format!("{}.{ending}", name(folder)))
}

fn move_to(from: &Path, to: &Path) -> Result<(), Trouble> {
    fs::rename(from, to).map_err(Trouble::file("rename", from))?;
    disk::sync_folder(to.parent().unwrap_or(Path::new(".")))
}

fn remove(folder: &Path) -> Result<(), Trouble> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(Trouble::file("remove", folder))?;
    }
    Ok(())
}

/// Opens a sled folder that is known to be new, or just written.
pub(super) fn open_plain(folder: &Path) -> Result<Db, Trouble> {
    disk::make_folder(folder)?;
    Ok(config(folder).open()?)
}

fn config(folder: &Path) -> sled::Config {
    sled::Config::new().path(folder).cache_capacity(CACHE)
}

enum Fault {
    /// Trying without the snapshot files, or anew, may help.
    Damaged,
    Other(Trouble),
}

fn attempt<T>(folder: &Path, load: &impl Fn(&Db) -> Result<T, Trouble>) -> Result<T, Fault> {
    for _ in 0..PATIENCE {
        let opened = catch_unwind(AssertUnwindSafe(|| {
            let db = open_plain(folder)?;
            load(&db)
        }));
        match opened {
            Err(_panic) => return Err(Fault::Damaged),
            Ok(Ok(loaded)) => return Ok(loaded),
            Ok(Err(trouble)) if is_held(&trouble) => thread::sleep(PAUSE),
            Ok(Err(trouble)) if is_damage(&trouble) => return Err(Fault::Damaged),
            Ok(Err(trouble)) => return Err(Fault::Other(trouble.at_the_opening_of(folder))),
        }
    }
    Err(Fault::Other(Trouble::Held {
        folder: folder.to_owned(),
    }))
}

/// sled says this in words only.
fn is_held(trouble: &Trouble) -> bool {
    matches!(trouble, Trouble::IndexDisk(error)
        if error.to_string().contains("could not acquire lock"))
}

fn is_damage(trouble: &Trouble) -> bool {
    use std::io::ErrorKind::{InvalidData, InvalidInput, NotFound, UnexpectedEof};
    if let Trouble::IndexDisk(error) = trouble {
        return matches!(
            error.kind(),
            InvalidData | InvalidInput | NotFound | UnexpectedEof
        );
    }
    matches!(
        trouble,
        Trouble::Index(_) | Trouble::Row(_) | Trouble::Inconsistent(_)
    )
}

fn set_aside(folder: &Path) -> Result<PathBuf, Trouble> {
    let parent = folder.parent().unwrap_or(Path::new("."));
    let aside = (1..=u16::MAX)
        .map(|n| parent.join(format!("{}{DAMAGED}{n}", name(folder))))
        .find(|path| !path.exists())
        .ok_or(Trouble::Inconsistent(
            "no name is left for a damaged folder",
        ))?;
    if let Err(trouble) = copy(folder, &aside) {
        remove(&aside)?;
        return Err(trouble.at_the_opening_of(folder));
    }
    Ok(aside)
}

/// The copies of damaged folders that were set aside in `parent`, in order.
pub(super) fn damaged(parent: &Path) -> Result<Vec<PathBuf>, Trouble> {
    let mut found = Vec::new();
    for entry in fs::read_dir(parent).map_err(Trouble::file("list", parent))? {
        let path = entry.map_err(Trouble::file("list", parent))?.path();
        if path.is_dir() && name(&path).contains(DAMAGED) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn name(folder: &Path) -> String {
    folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn copy(from: &Path, to: &Path) -> Result<(), Trouble> {
    disk::make_folder(to)?;
    for entry in fs::read_dir(from).map_err(Trouble::file("list", from))? {
        let path = entry.map_err(Trouble::file("list", from))?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            fs::copy(&path, &target).map_err(Trouble::file("copy", &path))?;
        }
    }
    Ok(())
}

fn remove_snapshots(folder: &Path) -> Result<(), Trouble> {
    for entry in fs::read_dir(folder).map_err(Trouble::file("list", folder))? {
        let path = entry.map_err(Trouble::file("list", folder))?.path();
        if name(&path).starts_with("snap.") {
            fs::remove_file(&path).map_err(Trouble::file("remove", &path))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(folder: &Path) {
        let db = open_plain(folder).unwrap();
        for n in 0..500_u32 {
            db.insert(n.to_be_bytes(), vec![7; 300]).unwrap();
        }
        db.flush().unwrap();
    }

    fn count(db: &Db) -> Result<usize, Trouble> {
        let mut found = 0;
        for row in db.iter() {
            row?;
            found += 1;
        }
        Ok(found)
    }

    #[test]
    fn an_empty_snapshot_file_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let vault = folder.path().join("index");
        written(&vault);
        fs::write(vault.join("snap.00000000DEADBEEF"), b"").unwrap();
        let mut notes = Vec::new();
        let found = open(&vault, count, &mut notes).unwrap();
        assert_eq!(found, Some(500));
        assert!(
            notes.iter().any(|note| note.contains("read from its log")),
            "{notes:?}"
        );
        assert!(!folder.path().join("index.damaged-1").exists());
    }

    #[test]
    fn what_was_removed_is_gone_from_a_rewritten_folder() {
        let folder = tempfile::tempdir().unwrap();
        let vault = folder.path().join("state");
        written(&vault);
        rewrite(&vault).unwrap();
        let mut notes = Vec::new();
        assert_eq!(open(&vault, count, &mut notes).unwrap(), Some(500));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_rewriting_that_was_cut_short_is_ended() {
        for (left, expected) in [(&["old", "new"][..], 500), (&["old"][..], 500)] {
            let folder = tempfile::tempdir().unwrap();
            let vault = folder.path().join("state");
            for ending in left {
                written(&beside(&vault, ending));
            }
            settle(&vault).unwrap();
            let mut notes = Vec::new();
            assert_eq!(open(&vault, count, &mut notes).unwrap(), Some(expected));
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn what_cannot_be_read_is_kept_aside() {
        let folder = tempfile::tempdir().unwrap();
        let vault = folder.path().join("index");
        written(&vault);
        let mut notes = Vec::new();
        let unreadable = |_: &Db| Err::<(), _>(Trouble::Inconsistent("a test says so"));
        assert!(open(&vault, unreadable, &mut notes).unwrap().is_none());
        assert!(
            notes.iter().any(|note| note.contains("index.damaged-1")),
            "{notes:?}"
        );
        let kept = open(&folder.path().join("index.damaged-1"), count, &mut notes);
        assert_eq!(kept.unwrap(), Some(500));
        assert!(!vault.exists());
    }
}
