//! Puts documents on the shelf: cut and embedded few at a time, committed as one revision.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::chunk::{self, Chunk, ChunkRules};
use crate::domain::document::{Card, Document, Shelfmark};
use crate::domain::embedding::{Embedding, Purpose};
use crate::domain::passage::Scope;
use crate::domain::revision::Revision;
use crate::ports::{Accession, Embedder, Library, Prepared, Uncommitted, Unembedded, Unread};

/// What documents are shelved with.
#[derive(Clone)]
pub struct Shelving {
    pub library: Arc<dyn Library>,
    pub embedder: Arc<dyn Embedder>,
    pub chunks: ChunkRules,
}

/// What became of the documents that were handed in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shelved {
    pub revision: Revision,
    pub added: Vec<Card>,
    pub changed: Vec<Card>,
    pub unchanged: Vec<Card>,
    /// What of the unchanged had lost its text, which was written anew.
    pub mended: Vec<Card>,
    /// What went because something else came in its place.
    pub retired: Vec<Card>,
    /// What would have pushed out a document from elsewhere.
    pub refused: Vec<Refused>,
    /// Chunks of what was added, changed or mended.
    pub chunks: usize,
    /// How many of them had to be embedded; the others were known.
    pub embedded: usize,
}

/// A document that was left out because its place is taken by one from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("another document stands there, from {held_for}")]
pub struct Refused {
    pub shelfmark: Shelfmark,
    /// Where the document that stands there came from.
    pub held_for: String,
}

/// What becomes of a document whose place is taken by one from elsewhere: two folders of one
/// name, or one folder that has moved. Only a person can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Elsewhere {
    /// It is left out.
    #[default]
    Refuse,
    /// It takes the place, and its origin is the one that counts from here on.
    Replace,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Chunks done, of those that were cut so far.
    Embedding { done: usize, all: usize },
    /// All is embedded; the revision is being written.
    Committing,
}

/// Why nothing was shelved. The library is as it was.
#[derive(Debug, thiserror::Error)]
pub enum Unshelved {
    #[error(transparent)]
    Unread(#[from] Unread),
    #[error(transparent)]
    Unembedded(#[from] Unembedded),
    #[error(transparent)]
    Uncommitted(#[from] Uncommitted),
}

/// Documents being shelved as one revision, which readers see when it is committed. Only a few
/// are in memory at a time. When it is dropped, nothing has happened.
pub struct Acquisition<'a> {
    shelving: &'a Shelving,
    progress: &'a (dyn Fn(Progress) + Sync),
    elsewhere: Elsewhere,
    accession: Box<dyn Accession>,
    /// What stood there at the beginning.
    standing: BTreeMap<Shelfmark, Card>,
    /// What was handed in so far, and what becomes of it.
    taken: BTreeMap<Shelfmark, (Card, Lot)>,
    retired: Vec<Card>,
    refused: Vec<Refused>,
    /// Documents that wait until there is enough to embed at once.
    waiting: Vec<(Document, Vec<Chunk>)>,
    count: Count,
}

/// What becomes of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lot {
    Added,
    Changed,
    Unchanged,
    /// It stands there, but its text was lost.
    Mended,
    Refused,
}

/// Chunks.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    cut: usize,
    done: usize,
    /// Those that were not known.
    embedded: usize,
}

/// Shelves `documents`, which are few, as one revision.
pub async fn shelve(
    shelving: &Shelving,
    documents: Vec<Document>,
    (by, elsewhere): (&str, Elsewhere),
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Shelved, Unshelved> {
    let mut acquisition = Acquisition::begin(shelving, elsewhere, progress).await?;
    for document in documents {
        acquisition.take(document).await?;
    }
    acquisition.commit(by).await
}

/// Shelves `documents`, which are few, as one revision with what goes for them: each of
/// `retired` beside the place of what comes instead. It stays where that is refused.
pub async fn exchange(
    shelving: &Shelving,
    documents: Vec<Document>,
    retired: &[(Shelfmark, Card)],
    by: &str,
) -> Result<Shelved, Unshelved> {
    let mut acquisition = Acquisition::begin(shelving, Elsewhere::Refuse, &|_| {}).await?;
    for document in documents {
        acquisition.take(document).await?;
    }
    for (instead, card) in retired {
        acquisition.retire(card, instead);
    }
    acquisition.commit(by).await
}

impl<'a> Acquisition<'a> {
    /// Chunks that are embedded at a time, between two moments from which a killed run can go
    /// on; and the most documents that wait for it.
    pub const BATCH: usize = 32;

    /// Begins a revision.
    pub async fn begin(
        shelving: &'a Shelving,
        elsewhere: Elsewhere,
        progress: &'a (dyn Fn(Progress) + Sync),
    ) -> Result<Self, Unshelved> {
        let cards = shelving.library.cards(&Scope::default()).await?;
        Ok(Self {
            shelving,
            progress,
            elsewhere,
            accession: shelving.library.accession().await?,
            standing: cards
                .into_iter()
                .map(|card| (card.shelfmark.clone(), card))
                .collect(),
            taken: BTreeMap::new(),
            retired: Vec::new(),
            refused: Vec::new(),
            waiting: Vec::new(),
            count: Count::default(),
        })
    }

    /// Takes one document in. Where two of one origin share a shelfmark the last one counts; one
    /// that stands there already, and says the same of itself, costs nothing, unless its text
    /// was lost: then it is written anew.
    pub async fn take(&mut self, document: Document) -> Result<(), Unshelved> {
        let card = document.card();
        let Some(lot) = self.lot(&document, &card) else {
            return Ok(());
        };
        let library = &*self.shelving.library;
        let (document, lot) = match self.standing.get(&card.shelfmark) {
            Some(there) if lot == Lot::Unchanged && is_lost(library, there).await? => {
                (as_it_stands(document, there), Lot::Mended)
            },
            _ => (document, lot),
        };
        self.taken.insert(card.shelfmark.clone(), (card, lot));
        if matches!(lot, Lot::Unchanged | Lot::Refused) {
            return Ok(());
        }
        let (document, chunks) = cut(self.shelving, document);
        self.count.cut += chunks.len();
        self.waiting.push((document, chunks));
        let waiting = self.count.cut - self.count.done;
        if waiting.max(self.waiting.len()) >= Self::BATCH {
            self.put().await?;
        }
        Ok(())
    }

    /// Takes `card` off the shelf, if something stands at `instead` now.
    fn retire(&mut self, card: &Card, instead: &Shelfmark) {
        let came = self.taken.get(instead);
        if came.is_some_and(|(_, lot)| *lot != Lot::Refused) && !self.retired.contains(card) {
            self.accession.remove(card.shelfmark.clone());
            self.retired.push(card.clone());
        }
    }

    /// Lets readers see what was taken in.
    pub async fn commit(mut self, by: &str) -> Result<Shelved, Unshelved> {
        self.put().await?;
        (self.progress)(Progress::Committing);
        let mut shelved = Shelved {
            revision: self.accession.commit(by).await?,
            retired: self.retired,
            refused: self.refused,
            chunks: self.count.cut,
            embedded: self.count.embedded,
            ..Shelved::default()
        };
        for (card, lot) in self.taken.into_values() {
            match lot {
                Lot::Added => shelved.added.push(card),
                Lot::Changed => shelved.changed.push(card),
                Lot::Unchanged => shelved.unchanged.push(card),
                Lot::Mended => {
                    shelved.mended.push(card.clone());
                    shelved.unchanged.push(card);
                },
                Lot::Refused => {},
            }
        }
        Ok(shelved)
    }

    /// Tells what is new, what takes another's place, what stands there already, and what must
    /// not take the place it asks for. `None` for what needs no more attention.
    fn lot(&mut self, document: &Document, card: &Card) -> Option<Lot> {
        // Only what came in holds the place against what comes later.
        let first = self.taken.get(&card.shelfmark);
        let first = first.filter(|(_, lot)| matches!(lot, Lot::Added | Lot::Changed));
        let first = first.map(|(first, _)| first);
        if let Some(first) = first {
            if is_same(first, document) {
                return None;
            }
            // Nobody can mean that one command undoes itself.
            if is_from_elsewhere(first.origin.as_ref(), card.origin.as_ref()) {
                let held_for = first.origin.clone();
                self.refused.push(refused(card, held_for));
                return None;
            }
        }
        let Some(there) = self.standing.get(&card.shelfmark) else {
            return Some(Lot::Added);
        };
        let moved = is_from_elsewhere(there.origin.as_ref(), card.origin.as_ref());
        let stays = !moved || self.elsewhere == Elsewhere::Refuse;
        if first.is_none() && stays && is_same(there, document) {
            return Some(Lot::Unchanged);
        }
        if moved && self.elsewhere == Elsewhere::Refuse {
            let held_for = there.origin.clone();
            self.refused.push(refused(card, held_for));
            return Some(Lot::Refused);
        }
        Some(Lot::Changed)
    }

    /// Embeds what waits, and puts it on the disk.
    async fn put(&mut self) -> Result<(), Unshelved> {
        let waiting = std::mem::take(&mut self.waiting);
        let texts: Vec<String> = waiting
            .iter()
            .flat_map(|(document, chunks)| {
                let text = |chunk: &Chunk| chunk.indexed_text(&document.title);
                chunks.iter().map(text)
            })
            .collect();
        let mut embeddings = self.embed(&texts).await?.into_iter();
        for (document, chunks) in waiting {
            let prepared = Prepared {
                embeddings: embeddings.by_ref().take(chunks.len()).collect(),
                document,
                chunks,
            };
            self.accession.put(prepared).await?;
        }
        Ok(())
    }

    /// One embedding per text, in order.
    async fn embed(&mut self, texts: &[String]) -> Result<Vec<Embedding>, Unshelved> {
        let Shelving {
            library, embedder, ..
        } = self.shelving;
        let mut embeddings = Vec::with_capacity(texts.len());
        for batch in texts.chunks(Self::BATCH) {
            let mut known = library.known(batch).await?;
            let wanted: Vec<String> = batch
                .iter()
                .zip(&known)
                .filter(|(_, known)| known.is_none())
                .map(|(text, _)| text.clone())
                .collect();
            if !wanted.is_empty() {
                let fresh = embedder.embed(Purpose::Passage, &wanted).await?;
                library.keep(&wanted, &fresh).await?;
                self.count.embedded += fresh.len();
                let gaps = known.iter_mut().filter(|known| known.is_none());
                gaps.zip(fresh)
                    .for_each(|(gap, embedding)| *gap = Some(embedding));
            }
            embeddings.extend(known.into_iter().flatten());
            self.count.done += batch.len();
            (self.progress)(Progress::Embedding {
                done: self.count.done,
                all: self.count.cut,
            });
        }
        Ok(embeddings)
    }
}

async fn is_lost(library: &dyn Library, there: &Card) -> Result<bool, Unread> {
    Ok(library.lost(&[there.text]).await?.contains(&there.text))
}

/// `document` with the card that stands there: what the register does not tell apart is no
/// change.
fn as_it_stands(document: Document, there: &Card) -> Document {
    Document {
        modified: there.modified,
        carried: None,
        origin: there.origin.clone(),
        ..document
    }
}

/// Whether `document` says what stands there already. The date of its file is not its own.
fn is_same(there: &Card, document: &Document) -> bool {
    let card = document.card();
    there.text == card.text
        && there.title == card.title
        && there.language == card.language
        && document
            .modified
            .is_none_or(|modified| there.modified == Some(modified))
}

/// Old cards have no origin, and nothing can be said against them.
fn is_from_elsewhere(there: Option<&String>, comes: Option<&String>) -> bool {
    there
        .zip(comes)
        .is_some_and(|(there, comes)| there != comes)
}

fn refused(card: &Card, held_for: Option<String>) -> Refused {
    Refused {
        shelfmark: card.shelfmark.clone(),
        held_for: held_for.unwrap_or_default(),
    }
}

fn cut(shelving: &Shelving, document: Document) -> (Document, Vec<Chunk>) {
    let tokens = |text: &str| shelving.embedder.tokens(text);
    let chunks = chunk::cut(&document.text, &document.title, shelving.chunks, &tokens);
    (document, chunks)
}
