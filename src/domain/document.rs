//! A document, and the words that name it.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::language::Language;

/// A named set of documents; the unit of rights.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CollectionName(String);

/// Why a text cannot name a collection.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unnameable {
    #[error("a collection needs a name")]
    Empty,
    #[error(
        "a collection's name has at most {} characters",
        CollectionName::LONGEST
    )]
    TooLong,
    #[error("a collection's name has only letters, digits, '-', '_' and '.', not {0:?}")]
    Character(char),
}

impl Unnameable {
    /// The same in Korean. The English is what it displays.
    pub fn korean(&self) -> String {
        match self {
            Self::Empty => "컬렉션에는 이름이 있어야 합니다".to_owned(),
            Self::TooLong => {
                format!(
                    "컬렉션 이름은 {}자를 넘을 수 없습니다",
                    CollectionName::LONGEST
                )
            },
            Self::Character(odd) => format!(
                "컬렉션 이름에는 글자, 숫자, '-', '_', '.'만 쓸 수 있고 {odd:?}는 쓸 수 없습니다"
            ),
        }
    }
}

impl CollectionName {
    pub const LONGEST: usize = 64;
    /// Where documents go when nobody says otherwise.
    pub const DEFAULT: &str = "library";

    /// Accepts letters of any script, digits, `-`, `_` and `.`; trims around them.
    ///
    /// ```
    /// use saseo::domain::document::{CollectionName, Unnameable};
    ///
    /// assert_eq!(CollectionName::new(" 인사-규정 ")?.as_str(), "인사-규정");
    /// assert_eq!(CollectionName::new("a/b"), Err(Unnameable::Character('/')));
    /// # Ok::<(), Unnameable>(())
    /// ```
    pub fn new(raw: &str) -> Result<Self, Unnameable> {
        let name = raw.trim();
        if name.is_empty() {
            return Err(Unnameable::Empty);
        }
        if name.chars().count() > Self::LONGEST {
            return Err(Unnameable::TooLong);
        }
        match name
            .chars()
            .find(|c| !(c.is_alphanumeric() || "-_.".contains(*c)))
        {
            Some(odd) => Err(Unnameable::Character(odd)),
            None => Ok(Self(name.to_owned())),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for CollectionName {
    fn default() -> Self {
        Self(Self::DEFAULT.to_owned())
    }
}

impl fmt::Display for CollectionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for CollectionName {
    type Error = Unnameable;

    fn try_from(raw: String) -> Result<Self, Unnameable> {
        Self::new(&raw)
    }
}

impl From<CollectionName> for String {
    fn from(name: CollectionName) -> Self {
        name.0
    }
}

/// A SHA-256 digest, written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

/// A text that is not 64 hexadecimal digits.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 digest has 64 hexadecimal digits")]
pub struct NotADigest;

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Reads 64 hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, NotADigest> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| NotADigest)?;
        Ok(Self(bytes))
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Digest {
    type Error = NotADigest;

    fn try_from(text: String) -> Result<Self, NotADigest> {
        Self::parse(&text)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// The place a document stands at: at most one document per place and revision.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Shelfmark {
    pub collection: CollectionName,
    /// Where the text came from: a URL, or the path it was added by.
    pub uri: String,
}

/// One source text, parsed, on its way into the library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    pub shelfmark: Shelfmark,
    pub title: String,
    pub language: Language,
    /// When its author last changed it, where the text itself tells.
    pub modified: Option<DateTime<Utc>>,
    /// When its file or its server says that it was changed. A new copy of a file has a new
    /// date and nothing new to say, so this alone makes no other document.
    pub carried: Option<DateTime<Utc>>,
    /// Where exactly it was taken from, where that is known: a URL, a file's whole path. Two
    /// folders of one name share URIs; origins they do not share.
    pub origin: Option<String>,
    /// Markdown, with `\n` line ends. Its digest is the document's identity.
    pub text: String,
}

impl Document {
    /// The card of this document: everything but its text.
    pub fn card(&self) -> Card {
        Card {
            shelfmark: self.shelfmark.clone(),
            title: self.title.clone(),
            language: self.language,
            modified: self.modified.or(self.carried),
            origin: self.origin.clone(),
            text: Digest::of(self.text.as_bytes()),
            bytes: self.text.len() as u64,
        }
    }
}

/// What the register says of a document: everything but its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    #[serde(flatten)]
    pub shelfmark: Shelfmark,
    pub title: String,
    pub language: Language,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<DateTime<Utc>>,
    /// Cards of old registers have none, and cards without one are written as they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The digest of the text: the name of its file.
    pub text: Digest,
    /// The length of the text in bytes.
    pub bytes: u64,
}
