//! Puts documents of the register into an index: the few it lacks, or all of them into a new
//! one.
//!
//! How to cut and how to embed comes from outside. A vector that is already here is not
//! computed again, so a rebuild with the same embedder needs no model at all. A document that
//! cannot be read is said and passed over: one damaged book does not close the library.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::catalogue::Holding;
use super::failure::Trouble;
use super::index::{Entrant, Index, Rows};
use super::register::Head;
use super::segment::Fillings;
use super::snapshot::{Snapshot, Standing};
use super::{Core, Stacks, Writer, blocking, disk, rows, verify};
use crate::domain::chunk::Chunk;
use crate::domain::document::{Card, Document};
use crate::domain::embedding::{Embedding, Purpose};
use crate::domain::revision::Damage;
use crate::ports::{Embedder, Unembedded};

/// Cuts a document into chunks.
pub type Cut<'a> = dyn Fn(&Document) -> Vec<Chunk> + Send + Sync + 'a;

/// Hears how many documents are done, of how many.
pub type Progress<'a> = dyn Fn(usize, usize) + Send + Sync + 'a;

/// Texts that are embedded at a time.
const BATCH: usize = 64;

/// What indexing needs from outside.
#[derive(Clone, Copy)]
pub struct Tools<'a> {
    pub embedder: &'a dyn Embedder,
    pub cut: &'a Cut<'a>,
    pub progress: &'a Progress<'a>,
}

impl Stacks {
    /// Indexes the documents that the index lacks; does nothing when there are none. Gives back
    /// what a person should know, in sentences.
    pub async fn catch_up(&self, tools: Tools<'_>) -> Result<Vec<String>, Trouble> {
        let writer = Arc::clone(&self.writer).lock_owned().await;
        let now = self.core.now();
        let missing = match &now.standing {
            Standing::Ready => return Ok(Vec::new()),
            Standing::Behind(missing) => missing.clone(),
            Standing::OtherEmbedder(_) => {
                now.ready(self.core.fingerprint.as_ref())?;
                return Ok(Vec::new());
            },
        };
        disk::Room::of(&self.core.folder)?.gate()?;
        let index = Arc::clone(&now.index);
        let indexed = index_all(&self.core, &index, &missing, tools).await?;
        let mut next = Snapshot::clone(&now);
        next.grow(indexed.fillings.seal());
        next.standing = Standing::Ready;
        // The head of a damaged register would hide the damage from here on.
        let head = now.damage.is_none().then(|| writer.register.head());
        finish(index, head).await?;
        self.core.swap(next);
        Ok(indexed.notes)
    }

    /// Makes the index anew, beside the one in use, which it then replaces. Searches go on
    /// meanwhile. Gives back the documents that are not in it, because their texts could not
    /// be read, each in a sentence with what to do; the register keeps them.
    pub async fn rebuild(&self, tools: Tools<'_>) -> Result<Vec<String>, Trouble> {
        let writer = Arc::clone(&self.writer).lock_owned().await;
        let now = self.core.now();
        now.intact()?;
        disk::Room::of(&self.core.folder)?.gate()?;
        let (root, old) = (self.core.index_root(), Arc::clone(&now.index));
        let index = blocking(move || fresh(&root, &old)).await?;
        let made = self.remade(&now, &index, (&writer, tools)).await;
        let (next, notes) = match made {
            Ok(made) => made,
            Err(trouble) => {
                blocking(move || Arc::into_inner(index).map_or(Ok(()), Index::discard)).await?;
                return Err(trouble);
            },
        };
        drop((now, index));
        let before = self.core.swap(next);
        blocking(move || retire(before)).await?;
        Ok(notes)
    }

    /// Takes the register as it stands, so that the library can be changed again: what its
    /// lost lines put on the shelf is given up. Gives back what there was of damage.
    pub async fn accept_loss(&self) -> Result<Option<Damage>, Trouble> {
        let writer = Arc::clone(&self.writer).lock_owned().await;
        let core = Arc::clone(&self.core);
        blocking(move || {
            let now = core.now();
            if now.damage.is_some() {
                now.index.set_head(writer.register.head())?;
                now.index.flush()?;
                let mut next = Snapshot::clone(&now);
                next.damage = None;
                core.swap(next);
            }
            Ok(now.damage)
        })
        .await
    }

    /// The snapshot on a new index, which has taken over.
    async fn remade(
        &self,
        now: &Snapshot,
        index: &Arc<Index>,
        (writer, tools): (&Writer, Tools<'_>),
    ) -> Result<(Snapshot, Vec<String>), Trouble> {
        let numbers: BTreeSet<u32> = now.kept().map(|(number, _)| number).collect();
        let indexed = index_all(&self.core, index, &numbers, tools).await?;
        finish(Arc::clone(index), Some(writer.register.head())).await?;
        let (root, taking_over) = (self.core.index_root(), Arc::clone(index));
        blocking(move || taking_over.take_over(&root)).await?;
        let mut next = now.clone();
        next.index = Arc::clone(index);
        next.segments.clear();
        next.grow(indexed.fillings.seal());
        next.standing = Standing::Ready;
        Ok((next, indexed.notes))
    }
}

/// A new index with the sound vectors of the old one.
fn fresh(root: &std::path::Path, old: &Index) -> Result<Arc<Index>, Trouble> {
    let index = Index::create(root)?;
    for row in old.vectors() {
        // A damaged page ends the harvest; what is lacking is embedded again.
        let Ok((key, row)) = row else { break };
        if rows::read_vector(&row).is_some() {
            index.adopt(&key, &row)?;
        }
    }
    index.flush()?;
    Ok(Arc::new(index))
}

async fn finish(index: Arc<Index>, head: Option<Head>) -> Result<(), Trouble> {
    blocking(move || index.complete(head)).await
}

/// Closes and removes an index that is no longer in use, once its last reader is gone. A slow
/// reader leaves the folder to the next opening.
pub(super) fn retire(before: Arc<Snapshot>) -> Result<(), Trouble> {
    let mut before = before;
    for _ in 0..50 {
        match Arc::try_unwrap(before) {
            Ok(snapshot) => {
                let Ok(index) = Arc::try_unwrap(snapshot.index) else {
                    return Ok(());
                };
                return index.discard();
            },
            Err(still) => before = still,
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    Ok(())
}

struct Indexed {
    fillings: Fillings,
    notes: Vec<String>,
}

async fn index_all(
    core: &Arc<Core>,
    index: &Arc<Index>,
    numbers: &BTreeSet<u32>,
    tools: Tools<'_>,
) -> Result<Indexed, Trouble> {
    let now = core.now();
    let fingerprint = tools.embedder.fingerprint();
    if *core.embedder()? != fingerprint {
        return Err(Trouble::Misfit("another embedder was named at the opening"));
    }
    let (target, made_by) = (Arc::clone(index), fingerprint.clone());
    blocking(move || target.set_fingerprint(&made_by)).await?;
    let mut indexed = Indexed {
        fillings: Fillings::default(),
        notes: Vec::new(),
    };
    let held = numbers
        .iter()
        .filter_map(|number| Some((*number, now.catalogue.get(*number)?)));
    for (done, (number, holding)) in held.enumerate() {
        (tools.progress)(done, numbers.len());
        match index_one(core, index, (number, holding), tools).await {
            Ok(rows) => rows.fill(&mut indexed.fillings)?,
            Err(trouble @ Trouble::Text { .. }) => {
                indexed.notes.push(verify::lost(holding, &trouble));
            },
            Err(trouble) => return Err(trouble),
        }
    }
    (tools.progress)(numbers.len(), numbers.len());
    Ok(indexed)
}

async fn index_one(
    core: &Arc<Core>,
    index: &Arc<Index>,
    (number, holding): (u32, &Holding),
    tools: Tools<'_>,
) -> Result<Rows, Trouble> {
    let card = holding.card.clone();
    let (shelf, digest) = (Arc::clone(core), card.text);
    let text = blocking(move || shelf.documents.read(digest)).await?;
    let document = document(&card, text);
    let chunks = (tools.cut)(&document);
    let embeddings = embeddings(index, &card, &chunks, tools.embedder).await?;
    let fingerprint = tools.embedder.fingerprint();
    let index = Arc::clone(index);
    blocking(move || {
        let entrant = Entrant {
            number,
            card: &card,
            chunks: &chunks,
            embeddings: &embeddings,
        };
        let rows = index.rows(&fingerprint, entrant)?;
        index.write(&rows)?;
        Ok(rows)
    })
    .await
}

fn document(card: &Card, text: String) -> Document {
    let Card {
        shelfmark,
        title,
        language,
        modified,
        origin,
        text: _,
        bytes: _,
    } = card.clone();
    Document {
        shelfmark,
        title,
        language,
        modified,
        carried: None,
        origin,
        text,
    }
}

/// One embedding per chunk: from the index where it has it, else from the embedder.
async fn embeddings(
    index: &Arc<Index>,
    card: &Card,
    chunks: &[Chunk],
    embedder: &dyn Embedder,
) -> Result<Vec<Embedding>, Trouble> {
    let texts: Vec<String> = chunks
        .iter()
        .map(|chunk| chunk.indexed_text(&card.title))
        .collect();
    let fingerprint = embedder.fingerprint();
    let mut all = Vec::with_capacity(texts.len());
    for batch in texts.chunks(BATCH) {
        let keys: Vec<_> = batch
            .iter()
            .map(|text| rows::vector_key(&fingerprint, text))
            .collect();
        let index = Arc::clone(index);
        let known = blocking(move || known(&index, &keys)).await?;
        all.extend(completed(known, batch, embedder).await?);
    }
    Ok(all)
}

async fn completed(
    known: Vec<Option<Embedding>>,
    texts: &[String],
    embedder: &dyn Embedder,
) -> Result<Vec<Embedding>, Trouble> {
    let lacking: Vec<String> = texts
        .iter()
        .zip(&known)
        .filter(|(_, known)| known.is_none())
        .map(|(text, _)| text.clone())
        .collect();
    let made = if lacking.is_empty() {
        Vec::new()
    } else {
        let made = embedder.embed(Purpose::Passage, &lacking).await;
        made.map_err(Trouble::Embedding)?
    };
    let mut made = made.into_iter();
    known
        .into_iter()
        .map(|known| known.or_else(|| made.next()))
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| {
            let why = "the embedder gave fewer embeddings than texts";
            Trouble::Embedding(Unembedded::Failed(why.into()))
        })
}

/// The embeddings under `keys`, as far as they are here.
pub(super) fn known(
    index: &Index,
    keys: &[[u8; 32]],
) -> Result<Vec<Option<Embedding>>, Trouble> {
    keys.iter()
        .map(|key| {
            let vector = index.sound_vector(key)?;
            Ok(vector.map(Embedding::normalised))
        })
        .collect()
}
