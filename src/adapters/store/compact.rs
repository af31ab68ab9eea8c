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
use super::ledger::Receipts;
use super::register::Head;
use super::snapshot::{Snapshot, Standing, is_forgotten};
use super::{Core, Stacks, blocking, disk, indexing, vault};
use crate::domain::document::Digest;
use crate::domain::revision::Revision;

/// Beside the register, because it too cannot be derived.
const NAME: &str = "compacted.json";

/// The oldest revision that can be read, as stored.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Horizon {
    oldest: u64,
    /// What lies before it is not all gone yet: whoever opens the folder next goes on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unfinished: bool,
}

/// What compaction did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// The texts that are gone for good.
    pub forgotten: BTreeSet<Digest>,
    /// How many receipts went with them.
    pub receipts: usize,
    /// The oldest revision that can be read from now on.
    pub oldest: Revision,
    /// Bytes that were on disk before and are not now.
    pub freed: u64,
    /// Damaged receipts that were set aside. They may quote what was forgotten, and nobody can
    /// tell, so a person has to remove them.
    pub left: Vec<PathBuf>,
}

impl Horizon {
    fn write(self, folder: &Path) -> Result<(), Trouble> {
        let path = horizon_path(folder);
        let bytes = serde_json::to_vec(&self)
            .map_err(std::io::Error::from)
            .map_err(Trouble::file("write", &path))?;
        disk::write_durably(&path, &bytes)
    }
}

impl Stacks {
    /// Forgets for good what no revision from `keep_since` on shows; from the newest on when
    /// none is named. Earlier revisions cannot be read any more, and the receipts of what was
    /// said from them are gone: what was quoted from a text is as private as the text.
    ///
    /// Once it has begun it is ended, by the next opening if this process dies.
    pub async fn compact(
        &self,
        receipts: &Receipts,
        keep_since: Option<Revision>,
    ) -> Result<Compacted, Trouble> {
        let writer = Arc::clone(&self.writer).lock_owned().await;
        let (core, receipts) = (Arc::clone(&self.core), receipts.clone());
        blocking(move || {
            let now = core.now();
            let oldest = keep_since
                .unwrap_or(now.revision)
                .clamp(now.oldest, now.revision.max(now.oldest));
            drop(now);
            compact(&core, writer.register.head(), &receipts, oldest)
        })
        .await
    }
}

/// Ends a compaction that a crash cut short. What cannot be done now is said, and tried again
/// at the next opening.
pub(super) fn go_on(
    core: &Core,
    head: Head,
    receipts: &Receipts,
    notes: &mut Vec<String>,
) -> Result<(), Trouble> {
    let begun = horizon(&core.folder)?;
    if !begun.unfinished {
        return Ok(());
    }
    let now = core.now();
    // No compaction goes beyond the end of the register, so this tells of lost lines too, also
    // where the index that knew them is gone.
    if now.damage.is_some() || begun.oldest > head.revision.0 {
        notes.push(
            "a compaction was cut short; it is ended when the register is whole again, and \
             nothing was removed"
                .to_owned(),
        );
        return Ok(());
    }
    let oldest = now.oldest;
    drop(now);
    notes.push(match compact(core, head, receipts, oldest) {
        Ok(_) => "a compaction was cut short; it is done now".to_owned(),
        Err(trouble) => format!(
            "a compaction was cut short and some of what it forgets is still on the disk: \
             {trouble}; the next opening tries again"
        ),
    });
    Ok(())
}

/// The oldest revision that can be read in `folder`, whose register ends at `newest`. It lies
/// behind the end where the register has lost lines.
pub(super) fn oldest(folder: &Path, newest: Revision) -> Result<Revision, Trouble> {
    Ok(Revision(horizon(folder)?.oldest).min(newest))
}

fn horizon(folder: &Path) -> Result<Horizon, Trouble> {
    let path = horizon_path(folder);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Horizon::default());
        },
        Err(error) => return Err(Trouble::file("read", &path)(error)),
    };
    serde_json::from_slice(&bytes)
        .map_err(std::io::Error::from)
        .map_err(Trouble::file("read", &path))
}

/// Says that nothing before `oldest` can be read, and that all of it is gone.
pub(super) fn set_oldest(folder: &Path, oldest: Revision) -> Result<(), Trouble> {
    let horizon = Horizon {
        oldest: oldest.0,
        unfinished: false,
    };
    horizon.write(folder)
}

fn horizon_path(folder: &Path) -> PathBuf {
    folder.join(NAME)
}

/// May be done again from the start, as often as it is cut short.
fn compact(
    core: &Core,
    head: Head,
    receipts: &Receipts,
    oldest: Revision,
) -> Result<Compacted, Trouble> {
    let before = disk::size(&core.folder);
    let now = core.now();
    now.intact()?;
    now.ready(core.fingerprint.as_ref())?;
    let index = moved(core, &now, oldest)?;
    index.complete(Some(head))?;
    // From here on what is forgotten is not read, whatever happens.
    let begun = Horizon {
        oldest: oldest.0,
        unfinished: true,
    };
    begun.write(&core.folder)?;
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
    let (forgotten, receipts) = forget(core, receipts, oldest)?;
    set_oldest(&core.folder, oldest)?;
    Ok(Compacted {
        forgotten,
        receipts,
        oldest,
        freed: before.saturating_sub(disk::size(&core.folder)),
        left: vault::damaged(&core.folder)?,
    })
}

/// Removes texts, receipts and copies of damaged indexes.
fn forget(
    core: &Core,
    receipts: &Receipts,
    oldest: Revision,
) -> Result<(BTreeSet<Digest>, usize), Trouble> {
    let gone = gone(&core.now().catalogue, oldest);
    let receipts = receipts.forget(&gone)?;
    for copy in vault::damaged(&core.index_root())? {
        fs::remove_dir_all(&copy).map_err(Trouble::file("remove", &copy))?;
    }
    Ok((forget_texts(core, oldest)?, receipts))
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

/// All texts that the register speaks of and no revision from `oldest` on shows, those of
/// earlier compactions too.
fn gone(catalogue: &Catalogue, oldest: Revision) -> BTreeSet<Digest> {
    let needed = needed(catalogue, oldest);
    catalogue
        .numbered()
        .map(|(_, holding)| holding.card.text)
        .filter(|digest| !needed.contains(digest))
        .collect()
}
