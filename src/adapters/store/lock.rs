//! One process per data folder.
//!
//! The lock is the kernel's, on an open file: it ends with the process, however that ends, so
//! there is never a stale one to delete by hand.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use super::failure::Trouble;

/// Held for as long as the data folder is open.
#[derive(Debug)]
pub(super) struct FolderLock {
    file: File,
}

impl FolderLock {
    /// The file that is locked; it holds the process id of its holder.
    pub(super) const NAME: &str = "saseo.lock";

    /// Takes the lock of `folder`, or says who has it.
    pub(super) fn take(folder: &Path) -> Result<Self, Trouble> {
        let path = folder.join(Self::NAME);
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(Trouble::file("open", &path))?;
        match file.try_lock() {
            Ok(()) => {},
            Err(TryLockError::WouldBlock) => return Err(in_use(folder, &mut file)),
            Err(TryLockError::Error(source)) => {
                return Err(Trouble::file("lock", &path)(source));
            },
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(Trouble::file("write", &path))?;
        Ok(Self { file })
    }
}

impl Drop for FolderLock {
    /// Closing the file is not enough: a child process that another thread is just starting
    /// has the file too, until it becomes its program, and would hold the lock till then.
    fn drop(&mut self) {
        // What cannot be unlocked here ends with the process.
        drop(self.file.unlock());
    }
}

fn in_use(folder: &Path, file: &mut File) -> Trouble {
    let mut holder = String::new();
    let named = file.read_to_string(&mut holder).is_ok() && !holder.trim().is_empty();
    Trouble::InUse {
        folder: folder.to_owned(),
        holder: if named {
            holder.trim().to_owned()
        } else {
            "unknown".to_owned()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_told_who_the_first_is() {
        let folder = tempfile::tempdir().unwrap();
        let first = FolderLock::take(folder.path()).unwrap();
        let refusal = FolderLock::take(folder.path()).unwrap_err().to_string();
        assert!(
            refusal.contains(&format!("in use by process {}", std::process::id())),
            "{refusal}"
        );
        drop(first);
        FolderLock::take(folder.path()).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_child_that_is_being_started_does_not_keep_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let starting = std::thread::spawn(move || {
            let still = std::sync::mpsc::TryRecvError::Empty;
            while ended.try_recv() == Err(still) {
                std::process::Command::new("true").status().unwrap();
            }
        });
        let refusal = (0..4_000).find_map(|_| FolderLock::take(folder.path()).err());
        drop(end);
        starting.join().unwrap();
        assert!(refusal.is_none(), "{refusal:?}");
    }
}
