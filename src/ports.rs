//! What the librarian needs of the world, in its own words.

#![warn(missing_docs)]

use std::error::Error;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::mpsc;

use crate::domain::chunk::Chunk;
use crate::domain::document::{Card, Digest, Document, Shelfmark};
use crate::domain::embedding::{Embedding, Fingerprint, Purpose};
use crate::domain::passage::{Found, Passage, Scope};
use crate::domain::revision::{Entry, Revision};

pub use crate::domain::prompt::{Message, Role};
pub use crate::domain::receipt::{Ended, ModelIdentity, Sampling};

/// What lies behind an error, for the log.
pub type Cause = Box<dyn Error + Send + Sync>;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Wall-clock time.
    fn now(&self) -> DateTime<Utc>;
    /// Time since some fixed moment; never runs backwards.
    fn monotonic(&self) -> std::time::Duration;
}

/// Turns texts into embeddings.
#[async_trait]
pub trait Embedder: Send + Sync {
    /// Changes whenever the same text would get another vector: model digest, pooling, prefixes.
    fn fingerprint(&self) -> Fingerprint;
    /// Length of its vectors.
    fn dimensions(&self) -> usize;
    /// Longest text it reads, in its own tokens, special tokens and prefixes already taken off.
    fn window(&self) -> usize;
    /// Length of `text` in its own tokens, without special tokens.
    fn tokens(&self, text: &str) -> usize;
    /// One unit vector per text, in order. A text over the window is cut.
    async fn embed(
        &self,
        purpose: Purpose,
        texts: &[String],
    ) -> Result<Vec<Embedding>, Unembedded>;
}

/// Why there are no embeddings.
#[derive(Debug, thiserror::Error)]
pub enum Unembedded {
    /// The embedder failed; another try may succeed.
    #[error("the embedding model failed")]
    Failed(#[source] Cause),
    /// A deadline passed: the machine is overloaded, or the embedder hangs.
    #[error("the embedding model did not answer in time")]
    Late,
}

/// What a chat model wrote, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "the tokens that were written")]
pub struct Written {
    /// The text, without special tokens.
    pub text: String,
    /// Why it stopped.
    pub ended: Ended,
    /// Length of the prompt in tokens, where the model tells.
    pub prompt_tokens: usize,
    /// Length of the text in tokens, where the model tells.
    pub written_tokens: usize,
}

/// Writes drafts. A draft is never sent; see `domain::grounding`.
#[async_trait]
pub trait ChatModel: Send + Sync {
    /// Name and digest of the weights, for the receipt.
    fn identity(&self) -> ModelIdentity;
    /// Writes an answer to `prompt`. Each piece of text goes to `pieces` as it comes; a reader
    /// that is slow or gone delays nobody. Dropping the future cancels the request.
    async fn write(
        &self,
        prompt: &[Message],
        sampling: Sampling,
        pieces: mpsc::UnboundedSender<String>,
    ) -> Result<Written, Unwritten>;
}

/// Why there is no draft.
#[derive(Debug, thiserror::Error)]
pub enum Unwritten {
    /// The prompt does not fit the model's context.
    #[error("the prompt has {tokens} tokens, the model reads {window}")]
    TooLong {
        /// Length of the prompt.
        tokens: usize,
        /// Longest prompt with the longest answer.
        window: usize,
    },
    /// A deadline passed: nothing came, or not in time.
    #[error("the model did not answer in time")]
    Late,
    /// The engine failed; it has been renewed, another try may succeed.
    #[error("the inference engine failed")]
    Failed(#[source] Cause),
}

/// Shows a person how their answer comes along. What it shows is grounded: a draft never
/// gets here.
pub trait Messenger: Send + Sync {
    /// The passages that were found, best first, before anything is written.
    fn sources(&self, passages: &[Passage]);
    /// The next sentence that stands. The final form, which may leave it out, follows.
    fn sentence(&self, text: &str);
}

/// A document with its chunks and their embeddings, ready for the shelf.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The document.
    pub document: Document,
    /// Its chunks, in order.
    pub chunks: Vec<Chunk>,
    /// One embedding per chunk, in order.
    pub embeddings: Vec<Embedding>,
}

/// What shall change in the library.
#[derive(Clone, Debug)]
pub enum Order {
    /// Put this document at its place, instead of what stands there. Boxed: it is far larger.
    Put(Box<Prepared>),
    /// Empty this place.
    Remove(Shelfmark),
}

/// What to search for: the question in the three forms the lists need.
#[derive(Clone, Debug)]
pub struct Query {
    /// The words.
    pub text: String,
    /// The meaning.
    pub embedding: Embedding,
    /// How many passages to give back.
    pub passages: usize,
}

/// The documents, their register and their index.
///
/// Readers see one revision: a search or listing that has begun is not touched by a commit.
#[async_trait]
pub trait Library: Send + Sync {
    /// The newest revision.
    fn revision(&self) -> Revision;
    /// Passages for `query` within `scope`, best first.
    async fn search(&self, query: &Query, scope: &Scope) -> Result<Found, Unread>;
    /// The cards of all documents within `scope`, by collection and URI.
    async fn cards(&self, scope: &Scope) -> Result<Vec<Card>, Unread>;
    /// The text of a document.
    async fn text(&self, digest: Digest) -> Result<String, Unread>;
    /// The register, oldest first.
    async fn log(&self) -> Result<Vec<Entry>, Unread>;
    /// Embeddings that are already on the shelf, by text as given to the embedder.
    async fn known(&self, texts: &[String]) -> Result<Vec<Option<Embedding>>, Unread>;
    /// Keeps embeddings before their document is committed, so that a killed run is not
    /// computed again. `texts` and `embeddings` go in pairs.
    async fn keep(&self, texts: &[String], embeddings: &[Embedding])
    -> Result<(), Uncommitted>;
    /// Carries out `orders` as one revision, durable when this returns. Orders that would
    /// change nothing are left out; when none is left there is no new revision.
    async fn commit(&self, orders: Vec<Order>, by: &str) -> Result<Revision, Uncommitted>;
}

/// Why the library could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// There is no such revision (yet, or any more).
    #[error("the library has no revision {asked}; it stands at {newest}")]
    NoSuchRevision {
        /// What was asked for.
        asked: Revision,
        /// What there is.
        newest: Revision,
    },
    /// Compaction has forgotten that revision on purpose.
    #[error("revision {asked} was compacted away; the oldest that can be read is {oldest}")]
    Forgotten {
        /// What was asked for.
        asked: Revision,
        /// The oldest there is.
        oldest: Revision,
    },
    /// There is no such document.
    #[error("the library has no document {0}")]
    NoSuchDocument(Digest),
    /// The store failed.
    #[error("the library could not be read")]
    Failed(#[source] Cause),
}

/// Why nothing was committed. The library is as it was.
#[derive(Debug, thiserror::Error)]
pub enum Uncommitted {
    /// Too little room on the disk to begin.
    #[error("the disk has {free} MiB left, saseo wants {wanted} MiB before it writes")]
    DiskFull {
        /// MiB left.
        free: u64,
        /// MiB wanted.
        wanted: u64,
    },
    /// The store failed.
    #[error("the library could not be changed")]
    Failed(#[source] Cause),
}

/// Keeps the receipts of what was said. It does not look into them.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Keeps `receipt` under `id`, durable when this returns.
    async fn record(&self, id: &str, receipt: &[u8]) -> Result<(), Unrecorded>;
    /// The receipt under `id`.
    async fn load(&self, id: &str) -> Result<Option<Vec<u8>>, Unrecorded>;
    /// The last `count` receipts with their ids, newest first.
    async fn recent(&self, count: usize) -> Result<Vec<(String, Vec<u8>)>, Unrecorded>;
}

/// Why a receipt could not be kept or read.
#[derive(Debug, thiserror::Error)]
#[error("the ledger could not be read or written")]
pub struct Unrecorded(#[source] pub Cause);
