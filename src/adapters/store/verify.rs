//! Looks at everything there is, and says what is wrong in sentences.
//!
//! It believes nothing that is in memory: register, texts and rows are read again from disk.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::catalogue::Holding;
use super::failure::Trouble;
use super::index::Index;
use super::quantised::Quantised;
use super::rows::{self, ChunkKey, ScanRow};
use super::snapshot::Snapshot;
use super::{Core, Stacks, blocking, register};
use crate::domain::language::Language;
use crate::domain::render;

impl Stacks {
    /// What is wrong with the library; nothing when it is sound.
    pub async fn verify(&self) -> Result<Vec<String>, Trouble> {
        let writer = std::sync::Arc::clone(&self.writer).lock_owned().await;
        let core = std::sync::Arc::clone(&self.core);
        blocking(move || {
            let findings = findings(&core);
            drop(writer);
            Ok(findings)
        })
        .await
    }
}

fn findings(core: &Core) -> Vec<String> {
    let now = core.now();
    let mut findings = Vec::new();
    chain(core, &now, &mut findings);
    for (number, holding) in now.kept() {
        document(core, &now, (number, holding), &mut findings);
    }
    let pages = catch_unwind(AssertUnwindSafe(|| now.index.check_pages()));
    match pages {
        Ok(Ok(())) => {},
        Ok(Err(trouble)) => findings.push(told(&trouble)),
        Err(_panic) => findings
            .push("the index cannot be read through; run `saseo library rebuild`".to_owned()),
    }
    findings
}

/// The sentence with its cause, which for an index is half the news.
fn told(trouble: &Trouble) -> String {
    match std::error::Error::source(trouble) {
        Some(cause) => format!("{trouble} ({cause})"),
        None => trouble.to_string(),
    }
}

fn chain(core: &Core, now: &Snapshot, findings: &mut Vec<String>) {
    let lines = match register::read(&core.folder, now.revision) {
        Ok(lines) => lines,
        Err(trouble) => return findings.push(told(&trouble)),
    };
    if lines.head().revision != now.revision {
        findings.push(format!(
            "the register on disk ends at {}, the library stands at {}; put a copy of \
             register.jsonl from a backup in its place",
            lines.head().revision,
            now.revision
        ));
    }
    match super::damage(&now.index, &lines) {
        Ok(damage) => {
            findings.extend(damage.map(|damage| render::damaged(damage, Language::English)));
        },
        Err(trouble) => findings.push(told(&trouble)),
    }
}

fn document(
    core: &Core,
    now: &Snapshot,
    (number, holding): (u32, &Holding),
    findings: &mut Vec<String>,
) {
    let uri = &holding.card.shelfmark.uri;
    let text = match core.documents.read(holding.card.text) {
        Ok(text) => text,
        Err(trouble) => return findings.push(lost(holding, &trouble)),
    };
    let looked = catch_unwind(AssertUnwindSafe(|| {
        indexed(&now.index, (number, holding), &text)
    }));
    match looked {
        Ok(Ok(())) => {},
        Ok(Err(trouble)) => findings.push(format!("{uri}: {}", told(&trouble))),
        Err(_panic) => findings.push(format!(
            "{uri}: its rows cannot be read; run `saseo library rebuild`"
        )),
    }
}

/// That the text of `holding` cannot be read, and how it comes back.
pub(super) fn lost(holding: &Holding, trouble: &Trouble) -> String {
    let Holding {
        card,
        added,
        removed,
    } = holding;
    let uri = &card.shelfmark.uri;
    let Trouble::Text { path, .. } = trouble else {
        return format!("{uri}: {trouble}");
    };
    let (path, from) = (path.display(), card.origin.as_deref().unwrap_or(uri));
    match removed {
        None => format!(
            "{uri}: its text is missing or damaged in {path}; add it again from {from}, or \
             restore the file from a backup"
        ),
        Some(removed) => format!(
            "{uri}: its text as it stood from {added} until {removed} is missing or damaged in \
             {path}; restore the file from a backup, or forget it with `saseo library compact`"
        ),
    }
}

fn indexed(
    index: &Index,
    (number, holding): (u32, &Holding),
    text: &str,
) -> Result<(), Trouble> {
    let row = index.document(number)?;
    let row = row.ok_or(Trouble::Inconsistent("the document is not indexed"))?;
    if row.card != rows::card_digest(&holding.card)? {
        return Err(Trouble::Inconsistent("its rows are another document's"));
    }
    for ordinal in 0..row.chunks {
        chunk(
            index,
            ChunkKey {
                document: number,
                ordinal,
            },
            text,
        )?;
    }
    Ok(())
}

fn chunk(index: &Index, key: ChunkKey, text: &str) -> Result<(), Trouble> {
    let row = index.chunk(key)?;
    let place = row.span();
    if text.get(place.start..place.end) != Some(row.text.as_str()) {
        return Err(Trouble::Inconsistent(
            "a chunk is not what stands at its place",
        ));
    }
    let scan = index.scan_row(key)?;
    let scan = scan.ok_or(Trouble::Inconsistent("a chunk has no terms"))?;
    let scan: ScanRow<'_> = postcard::from_bytes(&scan)?;
    let same = scan.text == rows::short_hash(&row.text)
        && scan.start as usize == place.start
        && scan.end as usize == place.end;
    if !same {
        return Err(Trouble::Inconsistent("a chunk's terms are another's"));
    }
    let vector = index.sound_vector(&scan.key)?;
    let vector = vector.ok_or(Trouble::Inconsistent("a vector is missing or damaged"))?;
    let quantised = Quantised::of(&vector);
    let bytes = quantised.bytes.iter().map(|byte| byte.cast_unsigned());
    if !bytes.eq(scan.vector.iter().copied()) {
        return Err(Trouble::Inconsistent("a vector in bytes is another's"));
    }
    Ok(())
}
