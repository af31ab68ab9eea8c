//! What can go wrong in the store, in sentences that say what to do.
//!
//! The ports' errors are shaped by what a caller can do; these say what a person can do, and
//! travel below them as the cause.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::domain::document::Digest;
use crate::domain::embedding::Fingerprint;
use crate::domain::figures::count;
use crate::domain::language::Language;
use crate::domain::render;
use crate::domain::revision::Damage;
use crate::ports::{Cause, Uncommitted, Unread};

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error("could not {doing} {}: {}", path.display(), advice(error))]
    File {
        doing: &'static str,
        path: PathBuf,
        error: io::Error,
    },
    #[error(
        "the data folder {} is in use by process {holder}; stop that process first, or name another folder with --data",
        folder.display()
    )]
    InUse { folder: PathBuf, holder: String },
    #[error(
        "line {line} of {} is damaged: {why}; nothing was changed, put a copy of the file from a backup in its place",
        path.display()
    )]
    Register {
        path: PathBuf,
        line: u64,
        why: &'static str,
    },
    #[error("{}; until then nothing is changed and nothing removed", render::damaged(*.0, Language::English))]
    Damaged(Damage),
    #[error(
        "the register could not be brought back to its last whole line; stop saseo, see to the disk, and start it again"
    )]
    RegisterStuck,
    #[error(
        "the text {digest} is missing or damaged in {}; add the document again, or restore the file from a backup",
        path.display()
    )]
    Text { digest: Digest, path: PathBuf },
    #[error("the index failed; run `saseo library rebuild`")]
    Index(#[source] sled::Error),
    /// sled refuses everything after one failed write, also when there is room again.
    #[error(
        "the disk failed under the index: {}; then start saseo again: nothing that was added is lost",
        advice(.0)
    )]
    IndexDisk(io::Error),
    /// sled has no opening that only reads: it clears the end of its log and notes where it got.
    #[error(
        "could not open {}, which takes a few MiB of room even where it is only read: {}; nothing that was added is lost",
        folder.display(),
        advice(error)
    )]
    Unopened { folder: PathBuf, error: io::Error },
    #[error("the disk failed under the receipts: {}; then start saseo again", advice(.0))]
    ReceiptsDisk(io::Error),
    #[error(
        "the receipts cannot be read or written; start saseo again, and what cannot be read is set aside"
    )]
    Receipts(#[source] sled::Error),
    /// The disk refused what reached the bot.
    #[error(
        "the disk failed, and nothing that reaches the bot can be kept until the next start; see that the disk has room and can be written to, then start saseo again: what was acknowledged is kept, and what was said meanwhile is read then"
    )]
    InboxLost,
    #[error("a row of the index cannot be read; run `saseo library rebuild`")]
    Row(#[source] postcard::Error),
    #[error("the index does not hold together ({0}); run `saseo library rebuild`")]
    Inconsistent(&'static str),
    #[error(
        "the index lacks {} of the register; the next search or addition mends it, or says why not",
        count(*.0, "document")
    )]
    Behind(usize),
    #[error(
        "the index was made with the embedder {index}, and {asked} cannot read it; run `saseo library rebuild` to embed the library anew"
    )]
    OtherEmbedder {
        index: Fingerprint,
        asked: Fingerprint,
    },
    #[error(
        "another process holds {} for too long; stop it and try again",
        folder.display()
    )]
    Held { folder: PathBuf },
    #[error("the embeddings do not fit the index: {0}; run `saseo library rebuild`")]
    Misfit(&'static str),
    #[error(
        "a chunk is too large for one row of the index; cut the document into smaller ones"
    )]
    Oversized,
    #[error("the embedding model failed while the index was made; try again")]
    Embedding(#[source] crate::ports::Unembedded),
    #[error(
        "this library already has {}; import into an empty data folder, named with --data",
        count(*.0, "revision")
    )]
    NotEmpty(u64),
    #[error("{} is not a library that saseo exported: {why}; export it again", path.display())]
    NotAnExport { path: PathBuf, why: String },
    #[error(
        "the disk has {free} MiB left, saseo wants {wanted} MiB before it writes; make room"
    )]
    DiskFull { free: u64, wanted: u64 },
    #[error(
        "the library did not answer within {} seconds; see what else this machine is doing, or its disk",
        patience.as_secs()
    )]
    Late { patience: Duration },
    #[error("the store was stopped in the middle of its work; start saseo again")]
    Stopped,
}

/// What a failure of a file means to a person, and what to do about it.
const ADVICE: [(ErrorKind, &str); 10] = [
    (
        ErrorKind::PermissionDenied,
        "the user that runs saseo has no right to do so; give it the right, or name another place",
    ),
    (
        ErrorKind::ReadOnlyFilesystem,
        "the disk can only be read; mount it for writing, or name another place",
    ),
    (
        ErrorKind::StorageFull,
        "the disk is full; make room and try again",
    ),
    (
        ErrorKind::FileTooLarge,
        "a file may not grow any further; raise the limit on files and try again",
    ),
    (
        ErrorKind::QuotaExceeded,
        "the user that runs saseo may store no more; make room and try again",
    ),
    (
        ErrorKind::NotFound,
        "there is no such place; see that the path is right",
    ),
    (
        ErrorKind::AlreadyExists,
        "a file stands in the way; name another place",
    ),
    (
        ErrorKind::NotADirectory,
        "a file stands in the way; name another place",
    ),
    (ErrorKind::IsADirectory, "it is a folder; name a file"),
    (
        ErrorKind::InvalidData,
        "it is damaged; put a copy from a backup in its place",
    ),
];

fn advice(error: &io::Error) -> String {
    let known = ADVICE.iter().find(|(kind, _)| *kind == error.kind());
    known.map_or_else(
        || format!("{error}; see to the disk and try again"),
        |(_, advice)| (*advice).to_owned(),
    )
}

impl Trouble {
    /// For `map_err`: what was being done to which file.
    pub(super) fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::File { doing, path, error }
    }

    /// The same of the folder with the receipts: sled does not say which one it was.
    pub(super) fn of_receipts(self) -> Self {
        if let Self::IndexDisk(error) = self {
            Self::ReceiptsDisk(error)
        } else if let Self::Index(error) = self {
            Self::Receipts(error)
        } else {
            self
        }
    }

    /// The same of `folder` while it was being opened, where there was no room for that.
    pub(super) fn at_the_opening_of(self, folder: &Path) -> Self {
        use ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        let (Self::IndexDisk(error) | Self::File { error, .. }) = &self else {
            return self;
        };
        if !matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge) {
            return self;
        }
        if let Self::IndexDisk(error) | Self::File { error, .. } = self {
            let folder = folder.to_owned();
            Self::Unopened { folder, error }
        } else {
            self
        }
    }

    /// Whether the disk is full.
    pub(super) fn no_room(&self) -> bool {
        let (Self::File { error, .. } | Self::IndexDisk(error) | Self::Unopened { error, .. }) =
            self
        else {
            return matches!(self, Self::DiskFull { .. });
        };
        error.kind() == ErrorKind::StorageFull
    }
}

impl From<sled::Error> for Trouble {
    fn from(error: sled::Error) -> Self {
        if let sled::Error::Io(source) = error {
            Self::IndexDisk(source)
        } else {
            Self::Index(error)
        }
    }
}

impl From<postcard::Error> for Trouble {
    fn from(error: postcard::Error) -> Self {
        Self::Row(error)
    }
}

impl From<Trouble> for Unread {
    fn from(trouble: Trouble) -> Self {
        Self::Failed(Cause::from(trouble))
    }
}

impl From<Trouble> for Uncommitted {
    fn from(trouble: Trouble) -> Self {
        if let Trouble::DiskFull { free, wanted } = trouble {
            Self::DiskFull { free, wanted }
        } else {
            Self::Failed(Cause::from(trouble))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_with_a_file_is_told_in_one_sentence_with_what_to_do() {
        let told =
            |error| Trouble::file("open", Path::new("data/saseo.lock"))(error).to_string();
        assert_eq!(
            told(ErrorKind::PermissionDenied.into()),
            "could not open data/saseo.lock: the user that runs saseo has no right to do so; \
             give it the right, or name another place"
        );
        let other = told(io::Error::other("the cable is out"));
        assert!(other.ends_with(": the cable is out; see to the disk and try again"));
    }

    #[test]
    fn one_is_not_told_as_many() {
        assert!(Trouble::Behind(1).to_string().contains("1 document of"));
        assert!(Trouble::NotEmpty(2).to_string().contains("2 revisions;"));
    }
}
