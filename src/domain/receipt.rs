//! What made an answer: enough to make it again and compare.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::answer::Outcome;
use super::document::{CollectionName, Digest};
use super::embedding::Fingerprint;
use super::grounding::Doubt;
use super::passage::Scores;
use super::question::{QuestionText, Turn};
use super::revision::Revision;

/// How the model picks its words.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Sampling {
    /// 0 always takes the likeliest token; above it draws are seeded.
    pub temperature: f64,
    /// Makes a draw repeatable when the temperature is above 0.
    pub seed: u64,
    /// Longest draft, in tokens.
    pub longest: usize,
}

/// Which model it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelIdentity {
    /// As the manifest names it.
    pub name: String,
    /// Digest of the weights; of the name and address for an endpoint, whose weights nobody sees.
    pub digest: Digest,
}

/// Why a model stopped writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// It was done.
    Finished,
    /// It reached the longest length.
    Length,
    /// It began to repeat itself; the repetition is cut off.
    Repetition,
}

/// Everything that went into an outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Receipt {
    pub id: String,
    pub at: DateTime<Utc>,
    pub question: QuestionText,
    /// What was said before it in the conversation, as far as it counted.
    pub said: Vec<Turn>,
    pub revision: Revision,
    pub collections: Vec<CollectionName>,
    pub embedder: Fingerprint,
    /// The digest of the settings that decide how a question is answered.
    pub rules: Digest,
    pub confidence: f32,
    pub passages: Vec<Consulted>,
    /// The model and the work order that stood ready, whether or not they were used. Receipts
    /// of before do not say.
    #[serde(default)]
    pub ready: Option<Ready>,
    /// What the model did; nothing if it was not asked.
    pub draft: Option<DraftRecord>,
    pub outcome: Outcome,
    /// Why there is no answer, where there is none. Receipts of before do not say.
    #[serde(default)]
    pub reason: Option<Reason>,
    pub millis: Millis,
}

/// Who would write, and by which work order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ready {
    pub model: ModelIdentity,
    pub prompt: PromptIdentity,
}

/// Why a question was declined.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "because")]
pub enum Reason {
    /// The search gave no passage.
    NothingFound,
    /// The confidence that the library has it lies below the floor that held then.
    BelowFloor { floor: f32 },
    /// Each passage lacks a rare name that the question has.
    OtherNames,
    /// The passages were read, and no line of them could be said.
    NothingStands,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingFound => f.write_str("no passage was found"),
            Self::BelowFloor { floor } => {
                write!(f, "the confidence is below the floor of {floor:.2}")
            },
            Self::OtherNames => f.write_str("no passage has the name that was asked about"),
            Self::NothingStands => f.write_str("no line of the passages could be said"),
        }
    }
}

/// A passage that was weighed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Consulted {
    pub uri: String,
    pub heading: Vec<String>,
    pub document: Digest,
    pub scores: Scores,
}

/// What the model was given and what became of what it wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DraftRecord {
    pub model: ModelIdentity,
    /// Name, version and digest of the work order.
    pub prompt: PromptIdentity,
    pub sampling: Sampling,
    pub prompt_tokens: usize,
    pub written_tokens: usize,
    pub ended: Ended,
    pub kept: usize,
    /// Why each dropped sentence was dropped. The sentences themselves are not kept.
    pub dropped: Vec<Doubt>,
}

/// Which work order it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptIdentity {
    pub name: String,
    pub version: u32,
    pub digest: Digest,
}

/// Milliseconds from the question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Millis {
    /// Until the sources were shown.
    pub sources: u64,
    /// Until the first words that stand were shown.
    pub first_token: u64,
    /// Until the final form.
    pub total: u64,
}
