//! Inference: chat models and embedders behind the ports.
//!
//! Two run in this process, on mistral.rs and on candle (feature `mistralrs`), one speaks to an
//! OpenAI-compatible endpoint. What they must not disagree about stands here once: deadlines,
//! the end of a repetition, and how a text is announced to an embedder.

mod deadlines;
mod repetition;
mod manuscript;
mod event_stream;
pub mod openai;

#[cfg(feature = "mistralrs")]
mod engine;
#[cfg(feature = "mistralrs")]
mod thread;
#[cfg(feature = "mistralrs")]
mod picker;
#[cfg(feature = "mistralrs")]
mod clerk;
#[cfg(feature = "mistralrs")]
pub mod chat;
#[cfg(feature = "mistralrs")]
mod encoder;
#[cfg(feature = "mistralrs")]
pub mod bert;
#[cfg(feature = "mistralrs")]
pub mod embedding;

use crate::domain::document::Digest;
use crate::domain::embedding::{Fingerprint, Purpose};

pub use deadlines::Deadlines;

/// What is written before a text, so that the embedder knows what it is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefixes {
    pub question: String,
    pub passage: String,
}

impl Prefixes {
    /// Those the E5 family was trained with.
    pub fn e5() -> Self {
        Self {
            question: "query: ".to_owned(),
            passage: "passage: ".to_owned(),
        }
    }

    fn of(&self, purpose: Purpose) -> &str {
        match purpose {
            Purpose::Question => &self.question,
            Purpose::Passage => &self.passage,
        }
    }

    fn applied(&self, purpose: Purpose, text: &str) -> String {
        format!("{}{text}", self.of(purpose))
    }
}

/// The fingerprint of an embedder: the name for people, and a digest of all that makes a vector
/// what it is.
fn fingerprint(name: &str, weights: Digest, recipe: &str, prefixes: &Prefixes) -> Fingerprint {
    let Prefixes { question, passage } = prefixes;
    let made_of = format!("{weights}\n{recipe}\n{question}\n{passage}");
    Fingerprint(format!("{name}:{}", Digest::of(made_of.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_prefix_or_recipe_or_weight_is_another_fingerprint() {
        let of = |weights: &[u8], recipe, prefixes: &Prefixes| {
            fingerprint("e5", Digest::of(weights), recipe, prefixes)
        };
        let usual = of(b"w", "mean,l2,1", &Prefixes::e5());

        assert_eq!(usual, of(b"w", "mean,l2,1", &Prefixes::e5()));
        assert_ne!(usual, of(b"v", "mean,l2,1", &Prefixes::e5()));
        assert_ne!(usual, of(b"w", "cls,l2,1", &Prefixes::e5()));
        assert_ne!(usual, of(b"w", "mean,l2,1", &Prefixes::default()));
    }
}
