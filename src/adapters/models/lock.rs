//! `models.lock`: what was pulled, from where, and what it must still be.
//!
//! The manifest says what is wanted, the lock what is there. It lies beside the files, is
//! shared by every manifest that pulls into the folder, and only a pull writes it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::manifest::{Conversion, Role};
use super::shelf::{Unshelved, failed, write_atomically};
use crate::domain::document::Digest;

/// The lock of one models folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lock {
    /// By model and name.
    files: BTreeMap<(String, String), LockedFile>,
}

/// What the lock says of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct LockedFile {
    pub(super) role: Role,
    pub(super) model: String,
    pub(super) name: String,
    /// The source it came from.
    pub(super) source: String,
    /// Of what the source gave.
    pub(super) source_sha256: Digest,
    /// Of the file in place.
    pub(super) sha256: Digest,
    pub(super) bytes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) convert: Option<Conversion>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OnDisk {
    version: u32,
    #[serde(default, rename = "file")]
    files: Vec<LockedFile>,
}

/// Why a lock cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unlocked {
    #[error(transparent)]
    Folder(#[from] Unshelved),
    #[error(
        "{} is not a lock that this version of saseo reads; move it away and pull again",
        path.display()
    )]
    Unreadable {
        path: PathBuf,
        #[source]
        cause: Option<toml::de::Error>,
    },
}

impl Lock {
    const VERSION: u32 = 1;
    const NAME: &str = "models.lock";

    /// Reads the lock of a models folder; an empty one where nothing was pulled yet.
    pub(super) fn read(root: &Path) -> Result<Self, Unlocked> {
        let path = root.join(Self::NAME);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(cause) => return Err(failed(&path, "read")(cause).into()),
        };
        match toml::from_str::<OnDisk>(&text) {
            Ok(OnDisk { version, files }) if version == Self::VERSION => {
                let mut lock = Self::default();
                for file in files {
                    lock.put(file);
                }
                Ok(lock)
            },
            Ok(OnDisk { .. }) => Err(Unlocked::Unreadable { path, cause: None }),
            Err(cause) => Err(Unlocked::Unreadable {
                path,
                cause: Some(cause),
            }),
        }
    }

    /// Replaces the lock of a models folder.
    pub(super) fn write(&self, root: &Path) -> Result<(), Unlocked> {
        let path = root.join(Self::NAME);
        let on_disk = OnDisk {
            version: Self::VERSION,
            files: self.files.values().cloned().collect(),
        };
        let table = toml::to_string(&on_disk)
            .map_err(|cause| failed(&path, "written")(io::Error::other(cause)))?;
        let text = format!("# Written by `saseo models pull`. Not to be edited.\n\n{table}");
        Ok(write_atomically(&path, &text)?)
    }

    pub(super) fn get(&self, model: &str, name: &str) -> Option<&LockedFile> {
        self.files.get(&(model.to_owned(), name.to_owned()))
    }

    pub(super) fn put(&mut self, file: LockedFile) {
        let place = (file.model.clone(), file.name.clone());
        self.files.insert(place, file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locked(model: &str, convert: Option<Conversion>) -> LockedFile {
        LockedFile {
            role: Role::Chat,
            model: model.to_owned(),
            name: "w.gguf".to_owned(),
            source: "file:/w".to_owned(),
            source_sha256: Digest::of(b"source"),
            sha256: Digest::of(b"result"),
            bytes: 6,
            convert,
        }
    }

    #[test]
    fn a_lock_reads_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let mut lock = Lock::default();
        lock.put(locked("b", Some(Conversion::GgufQ8_0)));
        lock.put(locked("a", None));
        lock.write(folder.path()).unwrap();

        assert_eq!(Lock::read(folder.path()).unwrap(), lock);
        let text = std::fs::read_to_string(folder.path().join("models.lock")).unwrap();
        assert!(text.contains("convert = \"gguf-q8-0\""), "{text}");
    }

    #[test]
    fn no_lock_is_an_empty_one_and_a_broken_one_is_none() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Lock::read(folder.path()).unwrap(), Lock::default());
        for text in ["version = 2\n", "version = 1\nfiles = []\n", "\u{0}"] {
            std::fs::write(folder.path().join("models.lock"), text).unwrap();
            let read = Lock::read(folder.path());
            assert!(matches!(read, Err(Unlocked::Unreadable { .. })), "{text}");
        }
    }
}
