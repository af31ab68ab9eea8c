//! What the librarian needs of the world, in its own words.

#![warn(missing_docs)]

use std::collections::BTreeSet;
use std::error::Error;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::mpsc;

use crate::domain::chunk::Chunk;
use crate::domain::document::{Card, CollectionName, Digest, Document, Shelfmark};
use crate::domain::embedding::{Embedding, Fingerprint, Purpose};
use crate::domain::event::{Event, EventKey, Place, Post};
use crate::domain::language::Language;
use crate::domain::page::Page;
use crate::domain::passage::{Found, Passage, Scope};
use crate::domain::revision::{Damage, Entry, Revision};

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
pub trait Audience: Send + Sync {
    /// The passages that were found, best first, before anything is written.
    fn sources(&self, passages: &[Passage]);
    /// The next sentence that stands. The final form, which may leave it out, follows.
    fn sentence(&self, text: &str);
}

/// Takes events in. A messenger's adapter hands over what it heard and may acknowledge it when
/// this returns.
#[async_trait]
pub trait Intake: Send + Sync {
    /// Keeps `event`, durably, and sees to it that it is answered once.
    async fn hand_over(&self, event: Event) -> Result<Accepted, Unrecorded>;
    /// What there is to choose from that fits what a person has `typed` so far: what is chosen,
    /// and what is shown for it. Nothing while the library is being opened.
    async fn offers(&self, of: Offered, typed: &str) -> Vec<(String, String)>;
    /// The library at a glance, and how to ask, for a place where nobody asked anything.
    async fn overview(&self, language: Language) -> Page;
}

/// What a person may choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// Documents, by URI.
    Documents,
    /// Collections, by name.
    Collections,
}

/// Whether an event was new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is kept, and will be answered.
    New,
    /// It was heard before; nothing more needs to be done.
    Known,
}

/// Events on their way from heard to answered. Durable when a method returns.
#[async_trait]
pub trait Inbox: Send + Sync {
    /// Keeps a new event.
    async fn accept(&self, event: &Event) -> Result<Accepted, Unrecorded>;
    /// Keeps the posts that answer the event so far, in order.
    async fn posted(&self, key: &EventKey, posts: &[Post]) -> Result<(), Unrecorded>;
    /// The event is done: it has its one visible answer.
    async fn close(&self, key: &EventKey, closed: &Closed) -> Result<(), Unrecorded>;
    /// Events that are not done, oldest first, with the posts they have so far.
    async fn unfinished(&self) -> Result<Vec<(Event, Vec<Post>)>, Unrecorded>;
    /// What was kept of the event with this short key for whoever presses a button under its
    /// answer.
    async fn shown(&self, short: &str) -> Result<Option<Event>, Unrecorded>;
    /// No button will want the event any more.
    async fn settled(&self, key: &EventKey) -> Result<(), Unrecorded>;
    /// Receipts of the conversation that `event` goes on with, oldest first, at most `most`.
    async fn conversation(&self, event: &Event, most: usize)
    -> Result<Vec<String>, Unrecorded>;
    /// Forgets events that were closed before `before`: by then no platform repeats them.
    async fn forget(&self, before: DateTime<Utc>) -> Result<usize, Unrecorded>;
    /// Keeps a word of an adapter's own, such as how far it has listened.
    async fn mark(&self, name: &str, value: &str) -> Result<(), Unrecorded>;
    /// The words that were kept under names that begin with `prefix`.
    async fn marks(&self, prefix: &str) -> Result<Vec<(String, String)>, Unrecorded>;
    /// Forgets the words that were kept under `names`.
    async fn unmark(&self, names: &[String]) -> Result<(), Unrecorded>;
    /// Returns when nothing can be kept any more until the next start, and says why.
    async fn lost(&self) -> Unrecorded;
}

/// How an event ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// When.
    pub at: DateTime<Utc>,
    /// The receipt of the answer, if it was a question and was answered or declined.
    pub receipt: Option<String>,
    /// Why there is no answer, in a few words without anything private.
    pub failure: Option<String>,
    /// Whether a button under the answer wants the event once more.
    pub wanted: bool,
}

/// Shows replies on a platform.
#[async_trait]
pub trait Messenger: Send + Sync {
    /// `page` in as many posts as the platform's limits ask for.
    fn parts(&self, page: Page) -> Vec<Page>;
    /// Makes the post of the reply to `event` that comes after those `before` it. The same event
    /// and place in the order make one post, however often this is called, also after a crash;
    /// it shows the `page` of the last call.
    async fn post(&self, event: &Event, before: &[Post], page: &Page) -> Result<Post, Unsent>;
    /// Puts `page` in the place of a post.
    async fn edit(
        &self,
        event: &Event,
        post: &Post,
        page: &Page,
        pace: Pace,
    ) -> Result<(), Unsent>;
    /// Shows `page` to whom the event is from alone, beside what stands there: a button that
    /// somebody may not press leaves its post as it is. Once may be twice after a crash.
    async fn aside(&self, event: &Event, page: &Page) -> Result<(), Unsent>;
    /// Takes a post of ours away; one that is gone already is no failure.
    async fn withdraw(&self, event: &Event, post: &Post) -> Result<(), Unsent>;
    /// Shows for some seconds that somebody is at work where the reply stands, or, while there is
    /// no post yet, where it will.
    async fn typing(&self, event: &Event, stands: Option<&Place>);
    /// The bytes of a file that was handed in, at most `longest`.
    async fn download(
        &self,
        event: &Event,
        url: &str,
        longest: usize,
    ) -> Result<Vec<u8>, Unsent>;
}

/// Whether an edit may be left out when the platform is busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// The next one will say as much.
    May,
    /// It is the last one.
    Must,
}

/// Why something was not shown.
#[derive(Debug, thiserror::Error)]
pub enum Unsent {
    /// The platform does not allow it, and will not: a permission is missing, the channel is
    /// gone.
    #[error("the platform refused it: {0}")]
    Refused(String),
    /// Somebody took the post away; another can be made.
    #[error("the post is gone")]
    Gone,
    /// The platform could not be reached, or was busy, for as long as we waited.
    #[error("the platform could not be reached in time")]
    Unreachable(#[source] Cause),
    /// Left out, as it was not urgent.
    #[error("left out for now")]
    Paced,
}

/// Turns what people hand in into documents.
#[async_trait]
pub trait Acquirer: Send + Sync {
    /// The page at `url`.
    async fn page(
        &self,
        url: &str,
        collection: &CollectionName,
    ) -> Result<Document, Unacquired>;
    /// The document in `bytes`, whose name and declared type tell the format. `uri` is where it
    /// will stand.
    async fn file(
        &self,
        file: Handed<'_>,
        uri: &str,
        collection: &CollectionName,
    ) -> Result<Document, Unacquired>;
}

/// A file as it was handed in.
#[derive(Clone, Copy, Debug)]
pub struct Handed<'a> {
    /// Its end tells the format.
    pub name: &'a str,
    /// As the platform declared it.
    pub content_type: Option<&'a str>,
    /// What is in it.
    pub bytes: &'a [u8],
}

/// Why something did not become a document, in words for whoever handed it in.
#[derive(Debug, thiserror::Error)]
#[error("{english}")]
pub struct Unacquired {
    /// For the log too.
    pub english: String,
    /// The same in Korean.
    pub korean: String,
}

impl Unacquired {
    /// The words for somebody who speaks `language`.
    pub fn text(&self, language: Language) -> &str {
        match language {
            Language::Korean => &self.korean,
            Language::English | Language::Other => &self.english,
        }
    }
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
    /// What the register has lost, as far as it is known. Then the library may lack documents,
    /// and takes no changes.
    fn damage(&self) -> Option<Damage>;
    /// Passages for `query` within `scope`, best first.
    async fn search(&self, query: &Query, scope: &Scope) -> Result<Found, Unread>;
    /// The cards of all documents within `scope`, by collection and URI.
    async fn cards(&self, scope: &Scope) -> Result<Vec<Card>, Unread>;
    /// The text of a document.
    async fn text(&self, digest: Digest) -> Result<String, Unread>;
    /// Those of `texts` that cannot be read, because what holds them is missing or damaged.
    async fn lost(&self, texts: &[Digest]) -> Result<BTreeSet<Digest>, Unread>;
    /// The register, oldest first.
    async fn log(&self) -> Result<Vec<Entry>, Unread>;
    /// Embeddings that are already on the shelf, by text as given to the embedder.
    async fn known(&self, texts: &[String]) -> Result<Vec<Option<Embedding>>, Unread>;
    /// Keeps embeddings before their document is committed, so that a killed run is not
    /// computed again. `texts` and `embeddings` go in pairs.
    async fn keep(&self, texts: &[String], embeddings: &[Embedding])
    -> Result<(), Uncommitted>;
    /// Begins a revision that takes its documents one by one.
    async fn accession(&self) -> Result<Box<dyn Accession>, Uncommitted>;
    /// Carries out `orders`, which are few, as one revision; see [`Accession::commit`].
    async fn commit(&self, orders: Vec<Order>, by: &str) -> Result<Revision, Uncommitted> {
        let mut accession = self.accession().await?;
        for order in orders {
            match order {
                Order::Put(prepared) => accession.put(*prepared).await?,
                Order::Remove(shelfmark) => accession.remove(shelfmark),
            }
        }
        accession.commit(by).await
    }
}

/// A revision in the making. What was handed to it lies on the disk, where no reader sees it;
/// of several orders for one place the last counts. When it is dropped, nothing has happened.
#[async_trait]
pub trait Accession: Send {
    /// Puts this document at its place, instead of what stands there. When this returns, it is
    /// held in memory no longer.
    async fn put(&mut self, prepared: Prepared) -> Result<(), Uncommitted>;
    /// Empties this place.
    fn remove(&mut self, shelfmark: Shelfmark);
    /// Lets readers see all of it as one revision, durable when this returns. Orders that would
    /// change nothing are left out; when none is left there is no new revision. A document that
    /// is put where it stands already, and whose text is lost, gets its text back.
    async fn commit(self: Box<Self>, by: &str) -> Result<Revision, Uncommitted>;
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
