//! A revision in the making: each document is on the disk before the next one comes.
//!
//! Its text and its chunks lie on a cart, a folder beside the shelves, its vectors among the
//! others in the index, where the next run of a killed one finds them. Nobody waits meanwhile:
//! the writer is held for one document at a time, and for the commit. The cart goes when it is
//! dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use tempfile::TempDir;

use super::disk::Room;
use super::failure::Trouble;
use super::{Core, Stacks, blocking, commit, rows, said_of_disk};
use crate::domain::chunk::Chunk;
use crate::domain::document::{Card, Shelfmark};
use crate::domain::revision::Revision;
use crate::ports::{Accession, Prepared, Uncommitted};

/// What shall change, by place, with the folder that holds what comes in.
pub(super) struct Cart {
    library: Stacks,
    folder: Arc<TempDir>,
    wanted: Wanted,
    /// How many documents were written down.
    written: usize,
    /// Length of the vectors so far.
    dimensions: Option<usize>,
}

/// What shall stand at each place; `None` for nothing.
pub(super) type Wanted = BTreeMap<Shelfmark, Option<Laid>>;

/// A document that lies ready on the disk.
#[derive(Clone, Debug)]
pub(super) struct Laid {
    pub(super) card: Card,
    /// Where its chunks are. No other process reads them.
    chunks: PathBuf,
}

impl Laid {
    pub(super) fn chunks(&self) -> Result<Vec<Chunk>, Trouble> {
        let packed =
            fs::File::open(&self.chunks).map_err(Trouble::file("read", &self.chunks))?;
        let bytes = zstd::decode_all(packed).map_err(Trouble::file("read", &self.chunks))?;
        Ok(postcard::from_bytes(&bytes)?)
    }
}

impl Cart {
    pub(super) fn new(library: Stacks, folder: TempDir) -> Self {
        Self {
            library,
            folder: Arc::new(folder),
            wanted: Wanted::new(),
            written: 0,
            dimensions: None,
        }
    }
}

#[async_trait]
impl Accession for Cart {
    async fn put(&mut self, prepared: Prepared) -> Result<(), Uncommitted> {
        let core = Arc::clone(&self.library.core);
        let dimensions = self.dimensions.or_else(|| core.now().dimensions());
        self.dimensions = fits(&prepared, dimensions)?;
        let chunks = self.folder.path().join(format!("{}.chunks", self.written));
        self.written += 1;
        let folder = Arc::clone(&self.folder);
        // A rebuild that ends meanwhile would leave the vectors behind in the old index.
        let writer = Arc::clone(&self.library.writer).lock_owned().await;
        let laying = blocking(move || {
            let laid = lay(&core, &folder, chunks, &prepared);
            drop(writer);
            laid.map_err(|trouble| said_of_disk(trouble, &core.folder))
        });
        let laid = laying.await?;
        self.wanted.insert(laid.card.shelfmark.clone(), Some(laid));
        Ok(())
    }

    fn remove(&mut self, shelfmark: Shelfmark) {
        self.wanted.insert(shelfmark, None);
    }

    async fn commit(self: Box<Self>, by: &str) -> Result<Revision, Uncommitted> {
        let Self {
            library,
            folder,
            wanted,
            written: _,
            dimensions: _,
        } = *self;
        let by = by.to_owned();
        // The guard goes with the work: a caller that is gone must not let a second writer in.
        let mut writer = library.writer.lock_owned().await;
        let core = library.core;
        let committing = blocking(move || {
            let done = commit::commit(&core, &mut writer, (wanted, folder.path()), &by);
            done.map_err(|trouble| said_of_disk(trouble, &core.folder))
        });
        Ok(committing.await?)
    }
}

/// Puts a document on the disk, not yet to be seen.
fn lay(
    core: &Core,
    folder: &TempDir,
    chunks: PathBuf,
    prepared: &Prepared,
) -> Result<Laid, Trouble> {
    let Prepared {
        document,
        chunks: cut,
        embeddings,
    } = prepared;
    Room::of(&core.folder)?.gate()?;
    let now = core.now();
    now.ready(core.fingerprint.as_ref())?;
    let fingerprint = core.embedder()?;
    core.documents.write_down(folder.path(), &document.text)?;
    let packed = zstd::encode_all(postcard::to_stdvec(cut)?.as_slice(), 0)
        .map_err(Trouble::file("compress", &chunks))?;
    fs::write(&chunks, packed).map_err(Trouble::file("write", &chunks))?;
    let vectors: Vec<_> = cut
        .iter()
        .zip(embeddings)
        .map(|(chunk, embedding)| {
            let key = rows::vector_key(fingerprint, &chunk.indexed_text(&document.title));
            (key, rows::vector_row(embedding))
        })
        .collect();
    now.index.keep(&vectors)?;
    Ok(Laid {
        card: document.card(),
        chunks,
    })
}

/// Refuses too few vectors, or such of another length, before anything is written. Gives back
/// the length.
fn fits(prepared: &Prepared, dimensions: Option<usize>) -> Result<Option<usize>, Trouble> {
    if prepared.chunks.len() != prepared.embeddings.len() {
        return Err(Trouble::Misfit("a chunk has no embedding of its own"));
    }
    let lengths = prepared
        .embeddings
        .iter()
        .map(|embedding| embedding.as_slice().len());
    let lengths: BTreeSet<usize> = lengths.chain(dimensions).collect();
    if lengths.len() > 1 {
        return Err(Trouble::Misfit("they differ in length"));
    }
    Ok(lengths.into_iter().next())
}
