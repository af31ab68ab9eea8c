//! Carries out orders as one revision.
//!
//! Everything that can fail comes before the line of the register. What a failed commit leaves
//! behind, texts without a line and rows without a document, nobody believes, and the next one
//! writes over it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::accession::{Laid, Wanted};
use super::catalogue::Places;
use super::disk::Room;
use super::failure::Trouble;
use super::index::{Entrant, Index, Rows};
use super::segment::{Fillings, Segment};
use super::snapshot::Snapshot;
use super::{Core, Writer, indexing, rows};
use crate::domain::document::{Card, Shelfmark};
use crate::domain::embedding::Fingerprint;
use crate::domain::revision::{Change, Entry, Revision};

/// One change, with what it puts on the shelf. A text that was lost comes back without a
/// change: the register says already that the document stands there.
struct Step {
    change: Option<Change>,
    put: Option<Put>,
}

/// A document on its way in.
struct Put {
    laid: Laid,
    /// Its number, where it stands there already.
    standing: Option<u32>,
}

/// Carries out what is wanted, which lies ready on `cart`; see
/// [`crate::ports::Accession::commit`].
pub(super) fn commit(
    core: &Core,
    writer: &mut Writer,
    (wanted, cart): (Wanted, &Path),
    by: &str,
) -> Result<Revision, Trouble> {
    let now = core.now();
    if writer.register.head().revision != now.revision {
        // A commit died between its line and its snapshot; a new start sorts that out.
        return Err(Trouble::RegisterStuck);
    }
    now.intact()?;
    let steps = plan(core, wanted, &writer.places, &now);
    if steps.is_empty() {
        return Ok(now.revision);
    }
    Room::of(&core.folder)?.gate()?;
    let puts: Vec<&Put> = steps.iter().filter_map(|step| step.put.as_ref()).collect();
    let mut next = Snapshot::clone(&now);
    next.grow(shelve(core, &now, &puts, cart)?);
    let changes: Vec<Change> = steps
        .iter()
        .filter_map(|step| step.change.clone())
        .collect();
    if changes.is_empty() {
        core.swap(next);
        return Ok(now.revision);
    }
    let entry = Entry {
        revision: now.revision.next(),
        at: core.clock.now(),
        by: by.to_owned(),
        changes,
        previous: writer.register.head().digest,
    };
    writer.register.append(&entry)?;
    next.revision = entry.revision;
    next.catalogue.follow(&entry, &mut writer.places);
    let index = Arc::clone(&next.index);
    core.swap(next);
    note_head(&index, writer);
    Ok(entry.revision)
}

/// What would change, by place.
fn plan(core: &Core, wanted: Wanted, places: &Places, now: &Snapshot) -> Vec<Step> {
    wanted
        .into_iter()
        .filter_map(|(shelfmark, wanted)| {
            let number = places.get(&shelfmark).copied();
            let held =
                number.and_then(|number| Some((number, &now.catalogue.get(number)?.card)));
            step(core, shelfmark, wanted, held)
        })
        .collect()
}

fn step(
    core: &Core,
    shelfmark: Shelfmark,
    wanted: Option<Laid>,
    held: Option<(u32, &Card)>,
) -> Option<Step> {
    let Some(laid) = wanted else {
        return held.map(|_| Step {
            change: Some(Change::Removed(shelfmark)),
            put: None,
        });
    };
    let card = laid.card.clone();
    let (change, standing) = match held {
        Some((number, held)) if *held == card => {
            (core.documents.is_lost(card.text)).then_some((None, Some(number)))?
        },
        Some(_) => (Some(Change::Replaced(card)), None),
        None => (Some(Change::Added(card)), None),
    };
    Some(Step {
        change,
        put: Some(Put { laid, standing }),
    })
}

/// Writes the rows, one document at a time, and gives the texts their places: durable, and not
/// yet to be seen.
fn shelve(
    core: &Core,
    now: &Snapshot,
    puts: &[&Put],
    cart: &Path,
) -> Result<Vec<Segment>, Trouble> {
    if puts.is_empty() {
        return Ok(Vec::new());
    }
    now.ready(core.fingerprint.as_ref())?;
    let fingerprint = core.embedder()?;
    if now.index.fingerprint()?.is_none() {
        now.index.set_fingerprint(fingerprint)?;
    }
    let mut fillings = Fillings::default();
    let mut fresh = now.catalogue.next_number()..;
    for put in puts {
        let number = match put.standing {
            Some(number) if is_indexed(now, number, &put.laid.card)? => continue,
            Some(number) => number,
            None => fresh.next().unwrap_or(u32::MAX),
        };
        let rows = rows_of(&now.index, fingerprint, (number, &put.laid))?;
        now.index.write(&rows)?;
        rows.fill(&mut fillings)?;
    }
    now.index.flush()?;
    let texts: BTreeSet<_> = puts.iter().map(|put| put.laid.card.text).collect();
    core.documents.shelve(cart, &texts)?;
    Ok(fillings.seal())
}

/// Whether the index has this document: one whose text could not be read was left out.
fn is_indexed(now: &Snapshot, number: u32, card: &Card) -> Result<bool, Trouble> {
    let row = now.index.document(number)?;
    let card = rows::card_digest(card)?;
    Ok(row.is_some_and(|row| row.card == card))
}

/// The rows of a document whose vectors are in the index already.
fn rows_of(
    index: &Index,
    fingerprint: &Fingerprint,
    (number, laid): (u32, &Laid),
) -> Result<Rows, Trouble> {
    let (card, chunks) = (&laid.card, laid.chunks()?);
    let keys: Vec<_> = chunks
        .iter()
        .map(|chunk| rows::vector_key(fingerprint, &chunk.indexed_text(&card.title)))
        .collect();
    let embeddings: Option<Vec<_>> = indexing::known(index, &keys)?.into_iter().collect();
    let embeddings = embeddings.ok_or(Trouble::Inconsistent("a vector is missing"))?;
    index.rows(
        fingerprint,
        Entrant {
            number,
            card,
            chunks: &chunks,
            embeddings: &embeddings,
        },
    )
}

/// The revision stands without this; it only helps to find a register that lost lines.
fn note_head(index: &Arc<Index>, writer: &Writer) {
    if let Err(error) = index.set_head(writer.register.head()) {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the index could not note the newest revision"
        );
    }
}
