//! Puts documents on the shelf: cut, embedded, committed as one revision.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::chunk::{self, ChunkRules};
use crate::domain::document::{Card, Document, Shelfmark};
use crate::domain::embedding::{Embedding, Purpose};
use crate::domain::passage::Scope;
use crate::domain::revision::Revision;
use crate::ports::{Embedder, Library, Order, Prepared, Uncommitted, Unembedded, Unread};

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
    /// What would have pushed out a document from elsewhere.
    pub refused: Vec<Refused>,
    /// Chunks of what was added or changed.
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
    /// Chunks done and chunks in all.
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

/// Shelves `documents` as one revision. Where two of one origin share a shelfmark the last one
/// counts; one that stands there already, and says the same of itself, costs nothing.
pub async fn shelve(
    shelving: &Shelving,
    documents: Vec<Document>,
    (by, elsewhere): (&str, Elsewhere),
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Shelved, Unshelved> {
    let standing: BTreeMap<Shelfmark, Card> = shelving
        .library
        .cards(&Scope::default())
        .await?
        .into_iter()
        .map(|card| (card.shelfmark.clone(), card))
        .collect();
    let (mut shelved, fresh) = sort(documents, &standing, elsewhere);
    let cut: Vec<_> = fresh
        .into_iter()
        .map(|document| cut(shelving, document))
        .collect();
    shelved.chunks = cut.iter().map(|(_, chunks)| chunks.len()).sum();
    let texts: Vec<String> = cut
        .iter()
        .flat_map(|(document, chunks)| {
            chunks
                .iter()
                .map(|chunk| chunk.indexed_text(&document.title))
        })
        .collect();
    let (embeddings, embedded) = embed(shelving, &texts, progress).await?;
    shelved.embedded = embedded;
    progress(Progress::Committing);
    let mut embeddings = embeddings.into_iter();
    let orders = cut
        .into_iter()
        .map(|(document, chunks)| {
            let embeddings = embeddings.by_ref().take(chunks.len()).collect();
            Order::Put(Box::new(Prepared {
                document,
                chunks,
                embeddings,
            }))
        })
        .collect();
    shelved.revision = shelving.library.commit(orders, by).await?;
    Ok(shelved)
}

/// Tells what is new, what takes another's place, what stands there already, and what must not
/// take the place it asks for.
fn sort(
    documents: Vec<Document>,
    standing: &BTreeMap<Shelfmark, Card>,
    elsewhere: Elsewhere,
) -> (Shelved, Vec<Document>) {
    let (documents, refused_here) = one_per_place(documents);
    let (mut shelved, mut fresh) = (Shelved::default(), Vec::new());
    shelved.refused = refused_here;
    for document in documents {
        let card = document.card();
        let Some(there) = standing.get(&card.shelfmark) else {
            shelved.added.push(card);
            fresh.push(document);
            continue;
        };
        let moved = is_from_elsewhere(there.origin.as_ref(), card.origin.as_ref());
        if is_same(there, &document) && (!moved || elsewhere == Elsewhere::Refuse) {
            shelved.unchanged.push(card);
        } else if moved && elsewhere == Elsewhere::Refuse {
            shelved
                .refused
                .push(refused(card.shelfmark, there.origin.as_ref()));
        } else {
            shelved.changed.push(card);
            fresh.push(document);
        }
    }
    (shelved, fresh)
}

/// The documents by place. Of several from one origin the last counts; from several origins the
/// first does, for nobody can mean that one command undoes itself.
fn one_per_place(documents: Vec<Document>) -> (Vec<Document>, Vec<Refused>) {
    let mut places = BTreeMap::<Shelfmark, Document>::new();
    let mut turned_away = Vec::new();
    for document in documents {
        let first = places
            .get(&document.shelfmark)
            .filter(|first| is_from_elsewhere(first.origin.as_ref(), document.origin.as_ref()));
        let Some(first) = first else {
            places.insert(document.shelfmark.clone(), document);
            continue;
        };
        if !is_same(&first.card(), &document) {
            turned_away.push(refused(document.shelfmark, first.origin.as_ref()));
        }
    }
    (places.into_values().collect(), turned_away)
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

fn refused(shelfmark: Shelfmark, held_for: Option<&String>) -> Refused {
    Refused {
        shelfmark,
        held_for: held_for.cloned().unwrap_or_default(),
    }
}

fn cut(shelving: &Shelving, document: Document) -> (Document, Vec<chunk::Chunk>) {
    let tokens = |text: &str| shelving.embedder.tokens(text);
    let chunks = chunk::cut(&document.text, &document.title, shelving.chunks, &tokens);
    (document, chunks)
}

/// One embedding per text, in order, and how many had to be computed.
async fn embed(
    shelving: &Shelving,
    texts: &[String],
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(Vec<Embedding>, usize), Unshelved> {
    /// Chunks between two moments from which a killed run can go on.
    const BATCH: usize = 32;
    let (mut embeddings, mut computed) = (Vec::with_capacity(texts.len()), 0);
    for batch in texts.chunks(BATCH) {
        let mut known = shelving.library.known(batch).await?;
        let wanted: Vec<String> = batch
            .iter()
            .zip(&known)
            .filter(|(_, known)| known.is_none())
            .map(|(text, _)| text.clone())
            .collect();
        if !wanted.is_empty() {
            let fresh = shelving.embedder.embed(Purpose::Passage, &wanted).await?;
            shelving.library.keep(&wanted, &fresh).await?;
            computed += fresh.len();
            let gaps = known.iter_mut().filter(|known| known.is_none());
            gaps.zip(fresh)
                .for_each(|(gap, embedding)| *gap = Some(embedding));
        }
        embeddings.extend(known.into_iter().flatten());
        progress(Progress::Embedding {
            done: embeddings.len(),
            all: texts.len(),
        });
    }
    Ok((embeddings, computed))
}
