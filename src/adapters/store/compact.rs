//! Forgets on purpose: texts that no kept revision shows, their chunks and their vectors.
//!
//! The register stays whole, for what happened cannot be undone; only what it speaks of can be
//! gone. sled never gives space back in place, so what is kept moves into a new index.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::catalogue::Catalogue;
use super::failure::Trouble;
use super::index::{Index, Loaded};
use super::snapshot::{Snapshot, Standing, is_forgotten};
use super::{Core, Stacks, Writer, blocking, disk, indexing};
use crate::domain::document::Digest;
use crate::domain::revision::Revision;

/// Beside the register, because it too cannot be derived.
const NAME: &str = "compacted.json";

/// The oldest revision that can be read, as stored.
#[derive(Debug, Serialize, Deserialize)]
struct Horizon {
    oldest: u64,
}

/// What compaction did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// The texts that are gone for good.
    pub forgotten: BTreeSet<Digest>,
    /// The oldest revision that can be read from now on.
    pub oldest: Revision,
    /// Bytes that were on disk before and are not now.
    pub freed: u64,
}

impl Stacks {
    /// Forgets for good what no revision from `keep_since` on shows; from the newest on when
    /// none is named. Earlier revisions cannot be read any more.
    pub async fn compact(&self, keep_since: Option<Revision>) -> Result<Compacted, Trouble> {
        let writer = Arc::clone(&self.writer).lock_owned().await;
        let core = Arc::clone(&self.core);
        blocking(move || compact(&core, &writer, keep_since)).await
    }
}

/// The oldest revision that can be read in `folder`.
pub(super) fn oldest(folder: &Path) -> Result<Revision, Trouble> {
    let path = horizon_path(folder);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Revision(0)),
        Err(error) => return Err(Trouble::file("read", &path)(error)),
    };
    let horizon: Horizon = serde_json::from_slice(&bytes)
        .map_err(std::io::Error::from)
        .map_err(Trouble::file("read", &path))?;
    Ok(Revision(horizon.oldest))
}

pub(super) fn set_oldest(folder: &Path, oldest: Revision) -> Result<(), Trouble> {
    let path = horizon_path(folder);
    let bytes = serde_json::to_vec(&Horizon { oldest: oldest.0 })
        .map_err(std::io::Error::from)
        .map_err(Trouble::file("write", &path))?;
    disk::write_durably(&path, &bytes)
}

fn horizon_path(folder: &Path) -> PathBuf {
    folder.join(NAME)
}

fn compact(
    core: &Core,
    writer: &Writer,
    keep_since: Option<Revision>,
) -> Result<Compacted, Trouble> {
    let before = disk::size(&core.folder);
    let now = core.now();
    now.ready(core.fingerprint.as_ref())?;
    let oldest = keep_since
        .unwrap_or(now.revision)
        .clamp(now.oldest, now.revision.max(now.oldest));
    let index = moved(core, &now, oldest)?;
    index.complete(writer.register.head())?;
    // From here on what is forgotten is not read, whatever happens.
    set_oldest(&core.folder, oldest)?;
    index.take_over(&core.index_root())?;
    let loaded = Loaded::of(&index, &now.catalogue)?;
    let next = Snapshot::new(now.revision, oldest, now.catalogue.clone(), loaded);
    let whole = next.standing == Standing::Ready;
    drop((now, index));
    let replaced = core.swap(next);
    indexing::retire(replaced)?;
    if !whole {
        return Err(Trouble::Inconsistent(
            "rows were lost while it was compacted",
        ));
    }
    let forgotten = forget_texts(core, oldest)?;
    Ok(Compacted {
        forgotten,
        oldest,
        freed: before.saturating_sub(disk::size(&core.folder)),
    })
}

/// A new index with the rows of what `oldest` keeps, and no others.
fn moved(core: &Core, now: &Snapshot, oldest: Revision) -> Result<Index, Trouble> {
    let index = Index::create(&core.index_root())?;
    match move_into(&index, now, oldest) {
        Ok(()) => Ok(index),
        Err(trouble) => {
            index.discard()?;
            Err(trouble)
        },
    }
}

fn move_into(index: &Index, now: &Snapshot, oldest: Revision) -> Result<(), Trouble> {
    if let Some(fingerprint) = now.index.fingerprint()? {
        index.set_fingerprint(&fingerprint)?;
    }
    for (number, holding) in now.catalogue.numbered() {
        if !is_forgotten(holding, oldest) {
            index.adopt_document(&now.index, number)?;
        }
    }
    Ok(())
}

/// Removes the files of all texts that nothing readable refers to.
fn forget_texts(core: &Core, oldest: Revision) -> Result<BTreeSet<Digest>, Trouble> {
    let needed = needed(&core.now().catalogue, oldest);
    let mut forgotten = BTreeSet::new();
    for digest in core.documents.all()? {
        if !needed.contains(&digest) {
            core.documents.forget(digest)?;
            forgotten.insert(digest);
        }
    }
    Ok(forgotten)
}

/// The texts that a revision from `oldest` on shows.
pub(super) fn needed(catalogue: &Catalogue, oldest: Revision) -> BTreeSet<Digest> {
    catalogue
        .numbered()
        .filter(|(_, holding)| !is_forgotten(holding, oldest))
        .map(|(_, holding)| holding.card.text)
        .collect()
}
