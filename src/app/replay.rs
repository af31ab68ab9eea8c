//! Asks again, and compares byte for byte: the proof that nothing was learnt meanwhile.

use super::answer::{Asked, Unanswered, compose};
use super::desk::Desk;
use crate::domain::answer::Outcome;
use crate::domain::passage::{Passage, Scope};
use crate::domain::receipt::Receipt;
use crate::ports::{Audience, Ledger, Unrecorded};

/// What a replay found.
#[derive(Clone, Debug, PartialEq)]
pub enum Replayed {
    /// The same bytes.
    Same,
    /// Something that made the answer is another now, so asking again proves nothing.
    Changed(&'static str),
    /// Everything that made it is the same, and the answer is not.
    Different(Box<Outcome>),
}

/// Why a receipt could not be replayed.
#[derive(Debug, thiserror::Error)]
pub enum Unreplayed {
    #[error("there is no receipt {0}")]
    NoSuchReceipt(String),
    #[error("the receipt cannot be read")]
    Unreadable(#[source] serde_json::Error),
    #[error("the receipts could not be read")]
    Unrecorded(#[from] Unrecorded),
    #[error(transparent)]
    Unanswered(#[from] Unanswered),
}

/// The receipt with this id.
pub async fn receipt(ledger: &dyn Ledger, id: &str) -> Result<Receipt, Unreplayed> {
    let bytes = ledger.load(id).await?;
    let bytes = bytes.ok_or_else(|| Unreplayed::NoSuchReceipt(id.to_owned()))?;
    serde_json::from_slice(&bytes).map_err(Unreplayed::Unreadable)
}

/// Asks the question of the receipt again, of the same revision.
pub async fn replay(desk: &Desk, kept: &Receipt) -> Result<Replayed, Unreplayed> {
    if let Some(changed) = changed(desk, kept) {
        return Ok(Replayed::Changed(changed));
    }
    let asked = Asked {
        question: kept.question.clone(),
        said: kept.said.clone(),
        scope: Scope {
            as_of: Some(kept.revision),
            collections: kept.collections.clone(),
        },
    };
    let again = compose(desk, &asked, &Silent).await?;
    let bytes = |outcome: &Outcome| serde_json::to_vec(outcome).map_err(Unreplayed::Unreadable);
    if bytes(&kept.outcome)? == bytes(&again.outcome)? {
        Ok(Replayed::Same)
    } else {
        Ok(Replayed::Different(Box::new(again.outcome)))
    }
}

/// The first thing that is no longer as it was.
fn changed(desk: &Desk, kept: &Receipt) -> Option<&'static str> {
    if desk.embedder.fingerprint() != kept.embedder {
        return Some("the embedding model");
    }
    if desk.rules.digest() != kept.rules {
        return Some("the settings under [answer] or the sampling");
    }
    let draft = kept.draft.as_ref()?;
    if desk.chat.identity() != draft.model {
        return Some("the chat model");
    }
    let language = crate::domain::language::Language::of(kept.question.as_str());
    (desk.prompts.for_language(language).digest() != draft.prompt.digest)
        .then_some("the prompt")
}

/// Shows nobody anything.
pub struct Silent;

impl Audience for Silent {
    fn sources(&self, _passages: &[Passage]) {}
    fn sentence(&self, _text: &str) {}
}
