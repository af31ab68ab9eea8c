//! Carries out orders as one revision.
//!
//! Everything that can fail comes before the line of the register. What a failed commit leaves
//! behind, texts without a line and rows without a document, nobody believes, and the next one
//! writes over it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::catalogue::Places;
use super::disk::Room;
use super::failure::Trouble;
use super::index::{Entrant, Index};
use super::segment::{Filling, Segment};
use super::snapshot::Snapshot;
use super::{Core, Writer};
use crate::domain::document::{Card, Shelfmark};
use crate::domain::revision::{Change, Entry, Revision};
use crate::ports::{Order, Prepared};

/// One change, with what it puts on the shelf.
struct Step {
    change: Change,
    put: Option<Put>,
}

/// A document on its way in, with its card.
struct Put {
    card: Card,
    prepared: Box<Prepared>,
}

/// Carries out `orders`; see [`crate::ports::Library::commit`].
pub(super) fn commit(
    core: &Core,
    writer: &mut Writer,
    orders: Vec<Order>,
    by: &str,
) -> Result<Revision, Trouble> {
    let now = core.now();
    if writer.register.head().revision != now.revision {
        // A commit died between its line and its snapshot; a new start sorts that out.
        return Err(Trouble::RegisterStuck);
    }
    let steps = plan(orders, &writer.places, &now);
    if steps.is_empty() {
        return Ok(now.revision);
    }
    Room::of(&core.folder)?.gate()?;
    let puts: Vec<&Put> = steps.iter().filter_map(|step| step.put.as_ref()).collect();
    let segment = shelve(core, &now, &puts)?;
    let entry = Entry {
        revision: now.revision.next(),
        at: core.clock.now(),
        by: by.to_owned(),
        changes: steps.iter().map(|step| step.change.clone()).collect(),
        previous: writer.register.head().digest,
    };
    writer.register.append(&entry)?;
    let mut next = Snapshot::clone(&now);
    next.revision = entry.revision;
    next.catalogue.follow(&entry, &mut writer.places);
    next.grow(segment);
    let index = Arc::clone(&next.index);
    core.swap(next);
    note_head(&index, writer);
    Ok(entry.revision)
}

/// What `orders` would change, by place. Of several orders for one place the last counts.
fn plan(orders: Vec<Order>, places: &Places, now: &Snapshot) -> Vec<Step> {
    let mut wanted = BTreeMap::<Shelfmark, Option<Box<Prepared>>>::new();
    for order in orders {
        match order {
            Order::Put(prepared) => {
                wanted.insert(prepared.document.shelfmark.clone(), Some(prepared));
            },
            Order::Remove(shelfmark) => {
                wanted.insert(shelfmark, None);
            },
        }
    }
    wanted
        .into_iter()
        .filter_map(|(shelfmark, wanted)| {
            let number = places.get(&shelfmark);
            let held = number.and_then(|number| now.catalogue.get(*number));
            step(shelfmark, wanted, held.map(|holding| &holding.card))
        })
        .collect()
}

fn step(
    shelfmark: Shelfmark,
    wanted: Option<Box<Prepared>>,
    held: Option<&Card>,
) -> Option<Step> {
    let Some(prepared) = wanted else {
        return held.map(|_| Step {
            change: Change::Removed(shelfmark),
            put: None,
        });
    };
    let card = prepared.document.card();
    let change = match held {
        Some(held) if *held == card => return None,
        Some(_) => Change::Replaced(card.clone()),
        None => Change::Added(card.clone()),
    };
    Some(Step {
        change,
        put: Some(Put { card, prepared }),
    })
}

/// Puts texts, rows and vectors on the disk, durable and not yet to be seen.
fn shelve(core: &Core, now: &Snapshot, puts: &[&Put]) -> Result<Segment, Trouble> {
    if puts.is_empty() {
        return Ok(Segment::default());
    }
    now.ready(core.fingerprint.as_ref())?;
    let fingerprint = core.embedder()?;
    fits(puts, now.dimensions())?;
    let texts: Vec<&str> = puts
        .iter()
        .map(|put| put.prepared.document.text.as_str())
        .collect();
    core.documents.put(&texts)?;
    if now.index.fingerprint()?.is_none() {
        now.index.set_fingerprint(fingerprint)?;
    }
    let mut filling = Filling::default();
    for (number, put) in (now.catalogue.next_number()..).zip(puts) {
        let rows = now.index.rows(
            fingerprint,
            Entrant {
                number,
                card: &put.card,
                chunks: &put.prepared.chunks,
                embeddings: &put.prepared.embeddings,
            },
        )?;
        now.index.write(&rows)?;
        rows.fill(&mut filling)?;
    }
    now.index.flush()?;
    Ok(filling.seal())
}

/// Refuses vectors of another length before anything is written.
fn fits(puts: &[&Put], dimensions: Option<usize>) -> Result<(), Trouble> {
    let mut lengths = puts
        .iter()
        .flat_map(|put| &put.prepared.embeddings)
        .map(|embedding| embedding.as_slice().len());
    let expected = dimensions.or_else(|| lengths.clone().next());
    if lengths.all(|length| Some(length) == expected) {
        return Ok(());
    }
    Err(Trouble::Misfit("they differ in length"))
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
