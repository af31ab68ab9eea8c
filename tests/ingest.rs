//! Documents go to the shelf as they come: hardly any of them waits in memory.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use saseo::adapters::clock::SystemClock;
use saseo::adapters::store::Stacks;
use saseo::app::ingest::{Acquisition, Elsewhere, Shelving};
use saseo::domain::chunk::ChunkRules;
use saseo::domain::document::{Card, CollectionName, Digest, Document, Shelfmark};
use saseo::domain::embedding::Embedding;
use saseo::domain::language::Language;
use saseo::domain::passage::{Found, Scope};
use saseo::domain::revision::{Damage, Entry, Revision};
use saseo::ports::{Accession, Embedder as _, Library, Prepared, Query, Uncommitted, Unread};

use crate::support::embedder::WordHashes;

/// The real library, with a count of the documents that were put down in it.
struct Counted {
    library: Stacks,
    put: Arc<AtomicUsize>,
}

#[async_trait]
impl Library for Counted {
    fn revision(&self) -> Revision {
        self.library.revision()
    }

    fn damage(&self) -> Option<Damage> {
        self.library.damage()
    }

    async fn search(&self, query: &Query, scope: &Scope) -> Result<Found, Unread> {
        self.library.search(query, scope).await
    }

    async fn cards(&self, scope: &Scope) -> Result<Vec<Card>, Unread> {
        self.library.cards(scope).await
    }

    async fn text(&self, digest: Digest) -> Result<String, Unread> {
        self.library.text(digest).await
    }

    async fn lost(&self, texts: &[Digest]) -> Result<BTreeSet<Digest>, Unread> {
        self.library.lost(texts).await
    }

    async fn log(&self) -> Result<Vec<Entry>, Unread> {
        self.library.log().await
    }

    async fn known(&self, texts: &[String]) -> Result<Vec<Option<Embedding>>, Unread> {
        self.library.known(texts).await
    }

    async fn keep(
        &self,
        texts: &[String],
        embeddings: &[Embedding],
    ) -> Result<(), Uncommitted> {
        self.library.keep(texts, embeddings).await
    }

    async fn accession(&self) -> Result<Box<dyn Accession>, Uncommitted> {
        Ok(Box::new(CountedAccession {
            accession: self.library.accession().await?,
            put: Arc::clone(&self.put),
        }))
    }
}

struct CountedAccession {
    accession: Box<dyn Accession>,
    put: Arc<AtomicUsize>,
}

#[async_trait]
impl Accession for CountedAccession {
    async fn put(&mut self, prepared: Prepared) -> Result<(), Uncommitted> {
        self.accession.put(prepared).await?;
        self.put.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn remove(&mut self, shelfmark: Shelfmark) {
        self.accession.remove(shelfmark);
    }

    async fn commit(self: Box<Self>, by: &str) -> Result<Revision, Uncommitted> {
        self.accession.commit(by).await
    }
}

/// An empty library, and what counts the documents put down in it.
struct Room {
    shelving: Shelving,
    put: Arc<AtomicUsize>,
    _folder: tempfile::TempDir,
}

impl Room {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let embedder = Arc::new(WordHashes::new(64));
        let clock = Arc::new(SystemClock::start());
        let opened = Stacks::open(folder.path(), Some(embedder.fingerprint()), clock).unwrap();
        let put = Arc::new(AtomicUsize::new(0));
        Self {
            shelving: Shelving {
                library: Arc::new(Counted {
                    library: opened.library,
                    put: Arc::clone(&put),
                }),
                embedder,
                chunks: ChunkRules::default(),
            },
            put,
            _folder: folder,
        }
    }

    async fn begin(&self) -> Acquisition<'_> {
        Acquisition::begin(&self.shelving, Elsewhere::Refuse, &|_| {})
            .await
            .unwrap()
    }

    async fn listed(&self) -> usize {
        let cards = self.shelving.library.cards(&Scope::default()).await;
        cards.unwrap().len()
    }
}

/// A page of so many paragraphs, each long enough for a chunk of its own.
fn page(number: usize, paragraphs: usize) -> Document {
    let paragraph = |part| {
        format!(
            "Page {number} part {part}. {}\n",
            "words and more ".repeat(50)
        )
    };
    Document {
        shelfmark: Shelfmark {
            collection: CollectionName::default(),
            uri: format!("page{number:04}.md"),
        },
        title: format!("Page {number}"),
        language: Language::English,
        modified: None,
        carried: None,
        origin: None,
        text: (0..paragraphs)
            .map(paragraph)
            .collect::<Vec<_>>()
            .join("\n"),
    }
}

#[tokio::test]
async fn the_next_long_document_comes_when_the_one_before_is_on_the_disk() {
    let room = Room::new();
    let mut acquisition = room.begin().await;
    for number in 0..5 {
        acquisition.take(page(number, 40)).await.unwrap();
        assert_eq!(room.put.load(Ordering::Relaxed), number + 1);
        assert_eq!(room.listed().await, 0);
    }
    let shelved = acquisition.commit("test").await.unwrap();
    assert_eq!((shelved.revision, shelved.added.len()), (Revision(1), 5));
    assert_eq!(shelved.chunks, shelved.embedded);
    assert_eq!(room.listed().await, 5);
}

#[tokio::test]
async fn of_many_short_documents_only_a_batch_waits() {
    let room = Room::new();
    let mut acquisition = room.begin().await;
    let mut most = 0;
    for number in 0..100 {
        acquisition.take(page(number, 1)).await.unwrap();
        most = most.max(number + 1 - room.put.load(Ordering::Relaxed));
    }
    assert!((1..Acquisition::BATCH).contains(&most), "{most} waited");
    assert_eq!(room.listed().await, 0);
    let shelved = acquisition.commit("test").await.unwrap();
    assert_eq!((shelved.revision, shelved.added.len()), (Revision(1), 100));
    assert_eq!(room.listed().await, 100);
}

#[tokio::test]
async fn what_was_not_committed_is_not_embedded_again() {
    let room = Room::new();
    let mut acquisition = room.begin().await;
    for number in 0..3 {
        acquisition.take(page(number, 40)).await.unwrap();
    }
    drop(acquisition);
    assert_eq!(room.listed().await, 0);

    let mut acquisition = room.begin().await;
    for number in 0..4 {
        acquisition.take(page(number, 40)).await.unwrap();
    }
    let shelved = acquisition.commit("test").await.unwrap();
    assert_eq!(shelved.added.len(), 4);
    assert_eq!(shelved.embedded * 4, shelved.chunks, "{shelved:?}");
}

#[tokio::test]
async fn a_page_that_comes_twice_is_there_as_it_came_last() {
    let room = Room::new();
    let mut acquisition = room.begin().await;
    acquisition.take(page(0, 40)).await.unwrap();
    acquisition.take(page(0, 40)).await.unwrap();
    let later = Document {
        text: "The later one.".to_owned(),
        ..page(0, 1)
    };
    acquisition.take(later.clone()).await.unwrap();
    let elsewhere = Document {
        origin: Some("elsewhere".to_owned()),
        ..page(1, 1)
    };
    acquisition.take(elsewhere.clone()).await.unwrap();
    let other = Document {
        origin: Some("another".to_owned()),
        ..page(1, 2)
    };
    acquisition.take(other).await.unwrap();
    let shelved = acquisition.commit("test").await.unwrap();
    assert_eq!(shelved.added, [later.card(), elsewhere.card()]);
    assert_eq!(shelved.refused.len(), 1);
    let cards = room.shelving.library.cards(&Scope::default()).await;
    assert_eq!(cards.unwrap(), shelved.added);
}

#[tokio::test]
async fn one_that_is_turned_away_does_not_hold_the_place_of_its_owner() {
    let room = Room::new();
    let from = |origin: &str, text: &str| Document {
        origin: Some(origin.to_owned()),
        text: text.to_owned(),
        ..page(0, 1)
    };
    let mut acquisition = room.begin().await;
    acquisition.take(from("a", "Ours.")).await.unwrap();
    acquisition.commit("test").await.unwrap();

    for theirs in ["Theirs.", "Ours."] {
        let mut acquisition = room.begin().await;
        acquisition.take(from("b", theirs)).await.unwrap();
        let ours = from("a", &format!("Ours, after {theirs}"));
        acquisition.take(ours.clone()).await.unwrap();
        let shelved = acquisition.commit("test").await.unwrap();
        assert_eq!(shelved.changed, [ours.card()]);
        // Put back for the next round.
        let mut acquisition = room.begin().await;
        acquisition.take(from("a", "Ours.")).await.unwrap();
        acquisition.commit("test").await.unwrap();
    }
}
