//! Cuts a document into chunks.
//!
//! Chunks follow headings and stand in the text exactly as their span says: a citation must
//! point at words that are there.

use serde::{Deserialize, Serialize};

/// Where something stands in a document's text, in bytes; both ends on character boundaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

/// A contiguous part of a document with its heading path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// The headings above it, outermost first, without the document's title.
    pub heading: Vec<String>,
    /// Exactly `document.text[span]`.
    pub text: String,
    pub span: Span,
}

impl Chunk {
    /// What is embedded and indexed for this chunk: a passage that says "it holds 1 MiB" is
    /// found only with the title that says what "it" is.
    pub fn indexed_text(&self, title: &str) -> String {
        let mut parts = vec![title];
        parts.extend(
            self.heading
                .iter()
                .map(String::as_str)
                .filter(|part| *part != title),
        );
        format!("{}\n{}", parts.join(" > "), self.text)
    }
}
