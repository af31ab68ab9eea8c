//! Revisions of the library: what the register says, line by line.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::document::{Card, Digest, Shelfmark};

/// A position in the register; it only grows. Revision 0 is the empty library.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Revision(pub u64);

impl Revision {
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

/// One thing that happened to the shelves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum Change {
    /// A document now stands where none stood.
    Added(Card),
    /// Another text, title or date at the same place.
    Replaced(Card),
    /// The place is empty again.
    Removed(Shelfmark),
}

impl Change {
    pub fn shelfmark(&self) -> &Shelfmark {
        match self {
            Self::Added(card) | Self::Replaced(card) => &card.shelfmark,
            Self::Removed(shelfmark) => shelfmark,
        }
    }
}

/// One line of the register: everything one command changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub revision: Revision,
    pub at: DateTime<Utc>,
    /// Who asked for it: `terminal`, a person's id, the name of a source.
    pub by: String,
    pub changes: Vec<Change>,
    /// The digest of the line before, zeros for the first: a line cannot be altered unseen.
    pub previous: Digest,
}

/// How the register differs from what was seen of it before. Who goes on from such a register
/// forgets what the lost lines put on the shelf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It ends at `ends`, and was seen up to `seen`.
    LinesLost { ends: Revision, seen: Revision },
    /// The line of this revision is another one than was seen.
    LineChanged(Revision),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_an_old_register_is_read_and_written_as_it_was() {
        let text = Digest::of(b"a");
        let old = format!(
            r#"{{"revision":1,"at":"2026-01-01T00:00:00Z","by":"terminal","changes":[{{"change":"added","collection":"library","uri":"docs/a.md","title":"A","language":"en","text":"{text}","bytes":1}}],"previous":"{text}"}}"#
        );
        let entry: Entry = serde_json::from_str(&old).unwrap();
        assert_eq!(serde_json::to_string(&entry).unwrap(), old);
    }
}
