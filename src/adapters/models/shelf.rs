//! The models folder: what lies where, who may change it, how a file gets in.
//!
//! A file is put together under `.partial/` in the same folder and renamed into place when it
//! is whole, checked and on the disk: under a final name there is never half a file, and
//! nothing under a final name is ever opened for writing.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::domain::document::Digest;

/// The models folder.
#[derive(Clone, Debug)]
pub(super) struct Shelf {
    root: PathBuf,
}

/// Held while a pull is at work; another pull is refused until it is dropped.
pub(super) struct Turn {
    lock: File,
}

impl Drop for Turn {
    /// By hand, because a child process that is being started has the file too, until it becomes
    /// its program, and would hold the turn till then.
    fn drop(&mut self) {
        // What cannot be unlocked here ends with the process.
        drop(self.lock.unlock());
    }
}

/// What went wrong with the models folder itself.
#[derive(Debug, thiserror::Error)]
pub enum Unshelved {
    /// Somebody else is pulling; wait for them.
    #[error("another pull is at work in {}; wait until it is done", .0.display())]
    Busy(PathBuf),
    /// Too little room.
    #[error(
        "the disk of the models folder has {free} MiB left and the pull needs {wanted} MiB; \
         make room or name another folder with --models"
    )]
    DiskFull { free: u64, wanted: u64 },
    /// The file system refused.
    #[error("{} could not be {did}", path.display())]
    Io {
        path: PathBuf,
        did: &'static str,
        #[source]
        cause: io::Error,
    },
}

impl Shelf {
    /// Left free on the disk whatever is pulled.
    const MARGIN: u64 = 64 * MIB;

    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// Makes the folder and takes the turn to change it.
    pub(super) fn take_turn(&self) -> Result<Turn, Unshelved> {
        make_folder(&self.root)?;
        let path = self.root.join("pull.lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(failed(&path, "opened"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Turn { lock }),
            Err(TryLockError::WouldBlock) => Err(Unshelved::Busy(self.root.clone())),
            Err(TryLockError::Error(cause)) => Err(failed(&path, "locked")(cause)),
        }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn folder(&self, model: &str) -> PathBuf {
        self.root.join(model)
    }

    pub(super) fn path(&self, model: &str, name: &str) -> PathBuf {
        self.folder(model).join(name)
    }

    /// Where files are put together; made on first use.
    pub(super) fn partial(&self, _turn: &Turn) -> Result<PathBuf, Unshelved> {
        let folder = self.root.join(".partial");
        make_folder(&folder)?;
        Ok(folder)
    }

    /// Removes what was put together and not used.
    pub(super) fn sweep(&self, _turn: &Turn) -> Result<(), Unshelved> {
        let folder = self.root.join(".partial");
        match std::fs::remove_dir_all(&folder) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                Err(failed(&folder, "removed")(cause))
            },
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Refuses unless `bytes` more fit on the disk.
    pub(super) fn need_room(&self, bytes: u64) -> Result<(), Unshelved> {
        let disk = rustix::fs::statvfs(&self.root)
            .map_err(|errno| failed(&self.root, "asked for its free space")(errno.into()))?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        let wanted = bytes.saturating_add(Self::MARGIN);
        if free < wanted {
            return Err(Unshelved::DiskFull {
                free: free / MIB,
                wanted: wanted.div_ceil(MIB),
            });
        }
        Ok(())
    }

    /// Puts a finished file in its place, read-only, over whatever stands there.
    pub(super) fn install(
        &self,
        finished: &Path,
        model: &str,
        name: &str,
    ) -> Result<(), Unshelved> {
        let place = self.path(model, name);
        let folder = place.parent().unwrap_or(&self.root);
        make_folder(folder)?;
        let read_only = Permissions::from_mode(0o444);
        std::fs::set_permissions(finished, read_only)
            .map_err(failed(finished, "made read-only"))?;
        sync(finished)?;
        std::fs::rename(finished, &place).map_err(failed(&place, "put in place"))?;
        sync(folder)
    }
}

const MIB: u64 = 1024 * 1024;

/// Writes a small file of our own whole or not at all.
pub(super) fn write_atomically(path: &Path, text: &str) -> Result<(), Unshelved> {
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, text).map_err(failed(&fresh, "written"))?;
    sync(&fresh)?;
    std::fs::rename(&fresh, path).map_err(failed(path, "put in place"))?;
    path.parent().map_or(Ok(()), sync)
}

/// Brings a file or a folder's entries to the disk.
fn sync(path: &Path) -> Result<(), Unshelved> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(failed(path, "brought to the disk"))
}

fn make_folder(path: &Path) -> Result<(), Unshelved> {
    std::fs::create_dir_all(path).map_err(failed(path, "made"))
}

pub(super) fn failed(path: &Path, did: &'static str) -> impl FnOnce(io::Error) -> Unshelved {
    let path = path.to_owned();
    move |cause| Unshelved::Io { path, did, cause }
}

/// Digest and length of a file. `advances` hears how many bytes are read so far.
pub(super) fn digest(path: &Path, mut advances: impl FnMut(u64)) -> io::Result<(Digest, u64)> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    // As large as the processor's nearer caches: larger buffers were slower.
    let mut buffer = vec![0; 256 * 1024];
    let mut length = 0;
    loop {
        let read = file.read(&mut buffer)?;
        let Some(piece) = buffer.get(..read).filter(|piece| !piece.is_empty()) else {
            break;
        };
        hasher.update(piece);
        length += piece.len() as u64;
        advances(length);
    }
    let bytes: [u8; 32] = hasher.finalize().into();
    Ok((Digest::from(bytes), length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_pulls_do_not_work_in_one_folder() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(folder.path());
        let turn = shelf.take_turn().unwrap();
        assert!(matches!(shelf.take_turn(), Err(Unshelved::Busy(_))));
        drop(turn);
        assert!(shelf.take_turn().is_ok());
    }

    #[test]
    fn a_child_that_is_being_started_does_not_keep_the_turn() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(folder.path());
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let starting = std::thread::spawn(move || {
            let still = std::sync::mpsc::TryRecvError::Empty;
            while ended.try_recv() == Err(still) {
                std::process::Command::new("true").status().unwrap();
            }
        });
        let refusal = (0..4_000).find_map(|_| shelf.take_turn().err());
        drop(end);
        starting.join().unwrap();
        assert!(refusal.is_none(), "{refusal:?}");
    }

    #[test]
    fn a_file_in_place_is_read_only_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(folder.path());
        let turn = shelf.take_turn().unwrap();
        let finished = shelf.partial(&turn).unwrap().join("x");
        std::fs::write(&finished, "weights").unwrap();
        shelf.install(&finished, "m", "sub/w.bin").unwrap();
        shelf.sweep(&turn).unwrap();

        let place = shelf.path("m", "sub/w.bin");
        let mode = std::fs::metadata(&place).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o444);
        assert_eq!(digest(&place, |_| ()).unwrap().0, Digest::of(b"weights"));
        assert!(!folder.path().join(".partial").exists());
    }

    #[test]
    fn a_pull_larger_than_the_disk_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(folder.path());
        assert!(shelf.need_room(1).is_ok());
        let refused = shelf.need_room(u64::MAX / 2);
        assert!(matches!(refused, Err(Unshelved::DiskFull { .. })));
    }
}
