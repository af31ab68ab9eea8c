//! `saseo library status`, `verify`, `rebuild`, `compact`, `export`, `import`.

use std::path::Path;
use std::process::ExitCode;

use indicatif::HumanBytes;
use serde_json::json;

use super::super::{FAILURE, Form};
use super::console;
use crate::adapters::store::{Sizes, Standing, Tools};
use crate::domain::figures::count;
use crate::domain::revision::{Damage, Revision};
use crate::ports::Library as _;
use crate::settings::Settings;
use crate::wiring::{self, Shelves, Stocked};

pub(super) async fn status(shelves: &Shelves, form: Form) -> anyhow::Result<ExitCode> {
    let sizes = shelves.library.sizes().await?;
    let revision = shelves.library.revision();
    let standing = match shelves.library.standing() {
        Standing::Ready => "ready".to_owned(),
        Standing::Behind(missing) => format!("lacks {}", count(missing.len(), "document")),
        Standing::OtherEmbedder(other) => format!("made with another embedder, {other}"),
    };
    if form == Form::Json {
        console::json(&json!({
            "revision": revision,
            "index": standing,
            "documents": sizes.documents,
            "chunks": sizes.chunks,
            "vectors": sizes.vectors,
            "bytes": {
                "documents": sizes.documents_bytes,
                "register": sizes.register_bytes,
                "index": sizes.index_bytes,
                "state": sizes.state_bytes,
            },
        }));
        return Ok(ExitCode::SUCCESS);
    }
    print(&sizes, revision, &standing);
    Ok(ExitCode::SUCCESS)
}

fn print(sizes: &Sizes, revision: Revision, standing: &str) {
    let row = |name: &str, value: &str| console::say(&format!("{name:<10} {value}"));
    let documents = HumanBytes(sizes.documents_bytes);
    let (index, state) = (HumanBytes(sizes.index_bytes), HumanBytes(sizes.state_bytes));
    row("revision", &revision.to_string());
    row("index", standing);
    row("documents", &format!("{}, {documents}", sizes.documents));
    row("chunks", &sizes.chunks.to_string());
    row("register", &HumanBytes(sizes.register_bytes).to_string());
    row("on disk", &format!("index {index}, state {state}"));
}

pub(super) async fn verify(shelves: &Shelves) -> anyhow::Result<ExitCode> {
    let findings = shelves.library.verify().await?;
    if findings.is_empty() {
        let revision = shelves.library.revision();
        let sound = console::green("sound");
        console::say(&format!(
            "{sound}: register, texts and index agree at {revision}"
        ));
        return Ok(ExitCode::SUCCESS);
    }
    for finding in &findings {
        console::say(&format!("{} {finding}", console::red("!")));
    }
    Ok(FAILURE.into())
}

/// Goes on without the lost lines of the register, and says what that gives up.
pub(super) async fn accept_loss(shelves: &Shelves) -> anyhow::Result<()> {
    let given_up = match shelves.library.accept_loss().await? {
        None => return Ok(()),
        Some(Damage::LinesLost { ends, seen }) => {
            let first = ends.next();
            let span = if first == seen {
                format!("{seen} is")
            } else {
                format!("{first} to {seen} are")
            };
            format!("{span} given up, and the register ends at {ends}")
        },
        Some(Damage::LineChanged(line)) => {
            format!("line {line} of the register counts as it stands now")
        },
    };
    console::say(&format!(
        "{given_up}; texts that only lost lines speak of stay in the data folder until \
         `saseo library compact`"
    ));
    Ok(())
}

pub(super) async fn rebuild(stocked: &Stocked) -> anyhow::Result<ExitCode> {
    let cut = wiring::cutter(&stocked.shelving);
    let gauge = console::bar("indexing", 0);
    let progress = |done: usize, all: usize| {
        gauge.set_length(all as u64);
        gauge.set_position(done as u64);
    };
    let tools = Tools {
        embedder: &*stocked.embedder,
        cut: &cut,
        progress: &progress,
    };
    let lost = stocked.shelves.library.rebuild(tools).await?;
    gauge.finish_and_clear();
    for text in &lost {
        console::say(&format!("{} {text}", console::red("!")));
    }
    let revision = stocked.shelves.library.revision();
    if lost.is_empty() {
        console::say(&format!("the index is made anew, at {revision}"));
        return Ok(ExitCode::SUCCESS);
    }
    console::say(&format!(
        "the index is made anew, at {revision}, without {} that could not be read; the register \
         keeps what is lacking",
        count(lost.len(), "document")
    ));
    Ok(FAILURE.into())
}

pub(super) async fn compact(
    shelves: &Shelves,
    keep_since: Option<Revision>,
) -> anyhow::Result<ExitCode> {
    let compacted = shelves.library.compact(&shelves.ledger, keep_since).await?;
    for folder in &compacted.left {
        console::tell(&format!(
            "{} holds damaged receipts, which may quote what was forgotten; remove it when you \
             do not need it",
            folder.display()
        ));
    }
    console::say(&format!(
        "{} and {} forgotten, {} freed; the oldest revision is now {}",
        count(compacted.forgotten.len(), "text"),
        count(compacted.receipts, "receipt"),
        HumanBytes(compacted.freed),
        compacted.oldest,
    ));
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn export(shelves: &Shelves, file: &Path) -> anyhow::Result<ExitCode> {
    shelves.library.export(file).await?;
    let revision = shelves.library.revision();
    console::say(&format!(
        "the library at {revision} is in {}",
        file.display()
    ));
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn import(settings: &Settings, file: &Path) -> anyhow::Result<ExitCode> {
    let stocked = wiring::stocked(settings).await?;
    let library = &stocked.shelves.library;
    let mut notes = library.import(file).await?;
    let cut = wiring::cutter(&stocked.shelving);
    let tools = Tools {
        embedder: &*stocked.embedder,
        cut: &cut,
        progress: &|_, _| {},
    };
    notes.extend(library.catch_up(tools).await?);
    for note in &notes {
        console::say(note);
    }
    console::say(&format!("the library stands at {}", library.revision()));
    Ok(ExitCode::SUCCESS)
}
