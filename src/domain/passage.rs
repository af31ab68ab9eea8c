//! A passage: a chunk as found for one question.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::chunk::Span;
use super::document::{CollectionName, Digest};
use super::language::Language;
use super::revision::Revision;

/// A chunk as found for one question, with its scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Passage {
    pub title: String,
    pub uri: String,
    pub collection: CollectionName,
    pub language: Language,
    pub modified: Option<DateTime<Utc>>,
    /// The headings above the chunk, outermost first, without the title.
    pub heading: Vec<String>,
    pub text: String,
    /// The digest of the document's text, and where in it the chunk stands.
    pub document: Digest,
    pub span: Span,
    pub scores: Scores,
}

/// What the lists said of a passage. A list that did not find it says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// What passages are ordered by: 0 to 1.
    pub fused: f32,
    /// Cosine to the question.
    pub dense: Option<f32>,
    /// BM25.
    pub lexical: Option<f32>,
}

/// Which part of the library may be looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The revision to read; the newest where none is named.
    pub as_of: Option<Revision>,
    /// Only these collections; all of them where none is named.
    pub collections: Vec<CollectionName>,
}

/// Passages, best first, all of one revision.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub revision: Revision,
    pub passages: Vec<Passage>,
    /// What the question's terms weigh here: for [`super::evidence`].
    pub terms: Vec<TermWeight>,
    /// How close the question is to the scope at large, for each language in it: for
    /// [`super::evidence`].
    pub background: Vec<Background>,
}

impl Found {
    pub fn background_of(&self, language: Language) -> Option<&Background> {
        self.background
            .iter()
            .find(|background| background.language == language)
    }
}

/// The mean cosine between the question and all chunks of one language within the scope.
/// A passage stands out only against it: what is a high cosine depends on the two languages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Background {
    pub language: Language,
    pub cosine: f32,
    pub chunks: usize,
}

/// A term of the question and its inverse document frequency within the scope.
#[derive(Clone, Debug, PartialEq)]
pub struct TermWeight {
    pub term: String,
    pub idf: f32,
}
