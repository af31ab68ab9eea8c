//! Where documents come from: files, folders, URLs.
//!
//! A source delivers bytes and what was said about them, and judges no text: that is the
//! parser's, in its child process. Every failure is the failure of one document, in a sentence.

mod address;
mod folder;
mod web;

use std::time::Duration;

use chrono::{DateTime, Utc};

pub use address::{Blocked, Network, NotANetwork, Policy, Ports};
pub use folder::{Listing, Place, Skipped, Skipping, list};
pub use web::Fetcher;

use crate::domain::document::Digest;
use crate::domain::figures::Bytes;
use crate::ports::Cause;

/// A document as its source gave it: nothing in it is believed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Its place on the shelf: the same document has the same one the next time.
    pub uri: String,
    /// Where exactly it lies, whatever place it is given: the URL or the whole path.
    pub origin: String,
    /// A name whose end tells the format.
    pub name: String,
    /// As a server declared it.
    pub content_type: Option<String>,
    /// When the source says it was changed; what the document says itself counts more.
    pub modified: Option<DateTime<Utc>>,
    pub bytes: Vec<u8>,
}

impl Fetched {
    /// What came through a pipe. Without a name its place is named after its bytes, so that
    /// the same text is not put up twice and another does not push it out.
    pub fn piped(bytes: Vec<u8>, name: Option<&str>) -> Self {
        let digest: String = Digest::of(&bytes).to_string().chars().take(12).collect();
        Self {
            uri: name.map_or_else(|| format!("stdin:{digest}"), str::to_owned),
            origin: "stdin".to_owned(),
            name: name.unwrap_or_default().to_owned(),
            content_type: None,
            modified: None,
            bytes,
        }
    }
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum Unfetched {
    /// Nothing is there (any more): what stood on the shelf for it is out of date.
    #[error("there is nothing at this place")]
    Gone,
    /// It is there, but not for us.
    #[error("it is not open to saseo; it wants a login or other rights")]
    Denied,
    /// Our own rules forbid it; trying again is no use.
    #[error("saseo does not go there: {0}")]
    Blocked(#[from] Blocked),
    /// The server has trouble or wants us to slow down; a later try may succeed.
    #[error("the server answered {status}; try again later")]
    Busy {
        /// Its status code.
        status: u16,
    },
    /// The server's answer leads nowhere.
    #[error("the server gave no document, but answered {status}")]
    Refused {
        /// Its status code.
        status: u16,
    },
    /// No connection, or it broke; a later try may succeed.
    #[error("it could not be reached")]
    Unreachable(#[source] Cause),
    /// It took too long; a later try may succeed.
    #[error("it did not come within {} seconds", patience.as_secs())]
    Late {
        /// How long we waited.
        patience: Duration,
    },
    /// It is larger than we read.
    #[error("it is larger than {}", Bytes(*longest))]
    TooLarge {
        /// The most we read.
        longest: usize,
    },
    /// It is of a kind that holds no text.
    #[error("it is {kind}, not text; text, Markdown and HTML can be read")]
    NotText {
        /// The declared type, or what else it is.
        kind: String,
    },
    /// The file system failed.
    #[error("it could not be read")]
    Unreadable(#[source] std::io::Error),
}

impl Unfetched {
    /// The same in Korean. The English is what it displays.
    pub fn korean(&self) -> String {
        match self {
            Self::Gone => "그 주소에 아무것도 없습니다".to_owned(),
            Self::Denied => {
                "saseo에 열려 있지 않습니다. 로그인이나 다른 권한이 필요합니다".to_owned()
            },
            Self::Blocked(blocked) => {
                format!("saseo가 가지 않는 곳입니다. {}", blocked.korean())
            },
            Self::Busy { status } => {
                format!("서버가 {status}(으)로 응답했습니다. 나중에 다시 시도해 주세요")
            },
            Self::Refused { status } => {
                format!("서버가 문서를 주지 않고 {status}(으)로 응답했습니다")
            },
            Self::Unreachable(_) => "연결할 수 없습니다".to_owned(),
            Self::Late { patience } => format!("{}초 안에 오지 않았습니다", patience.as_secs()),
            Self::TooLarge { longest } => format!("{}보다 큽니다", Bytes(*longest)),
            Self::NotText { kind } => {
                format!(
                    "글이 아닌 형식입니다({kind}). 텍스트, 마크다운, HTML을 읽을 수 있습니다"
                )
            },
            Self::Unreadable(_) => "읽을 수 없습니다".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_in_korean_too() {
        let failures = [
            Unfetched::Gone,
            Unfetched::Blocked(Blocked::Port(22)),
            Unfetched::Busy { status: 503 },
            Unfetched::NotText {
                kind: "application/pdf".to_owned(),
            },
        ];
        for failure in failures {
            let korean = failure.korean();
            assert!(
                korean.ends_with("니다") || korean.ends_with("주세요"),
                "{korean}"
            );
        }
        let port = Unfetched::Blocked(Blocked::Port(22));
        assert!(port.korean().contains("22"), "{}", port.korean());
    }

    #[test]
    fn what_comes_through_a_pipe_keeps_its_place_as_long_as_it_is_the_same() {
        let place = |text: &str, name| Fetched::piped(text.into(), name).uri;
        assert_eq!(place("a", None), place("a", None));
        assert_ne!(place("a", None), place("b", None));
        assert_eq!(place("a", Some("note.md")), "note.md");
    }
}
