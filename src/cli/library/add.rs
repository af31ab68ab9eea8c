//! `saseo library add`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::super::{FAILURE, Form, FormArgs, collection};
use super::{BY, console};
use crate::adapters::parse::{Raw, parse};
use crate::app::ingest::{self, Progress, Shelved, Shelving};
use crate::domain::document::{Card, CollectionName, Document, Shelfmark};
use crate::settings::Settings;
use crate::wiring;

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Files, folders or URLs; `-` reads standard input.
    #[arg(required = true, value_name = "PATH|URL|-")]
    what: Vec<String>,
    /// The collection they go into; the settings' default otherwise.
    #[arg(long, value_name = "NAME", value_parser = collection)]
    collection: Option<CollectionName>,
    /// The title, instead of the document's own.
    #[arg(long)]
    title: Option<String>,
    /// The URI, instead of the path or URL.
    #[arg(long)]
    uri: Option<String>,
    #[command(flatten)]
    form: FormArgs,
}

struct Failed {
    uri: String,
    reason: String,
}

impl Add {
    pub(super) async fn run(self, settings: Settings) -> anyhow::Result<ExitCode> {
        let collection = self
            .collection
            .clone()
            .unwrap_or_else(|| settings.library.collection.clone());
        let mut documents = Vec::new();
        let mut failed: Vec<Failed> = Vec::new();
        for what in &self.what {
            let mut stack = vec![PathBuf::from(what)];
            while let Some(path) = stack.pop() {
                if path.is_dir() {
                    stack.extend(
                        std::fs::read_dir(&path)?
                            .filter_map(Result::ok)
                            .map(|e| e.path()),
                    );
                    continue;
                }
                let bytes = std::fs::read(&path)?;
                let name = path.display().to_string();
                match parse(&Raw {
                    bytes: &bytes,
                    content_type: None,
                    name: &name,
                    longest: Raw::LONGEST,
                }) {
                    Ok(markup) => documents.push(wiring::document(
                        Shelfmark {
                            collection: collection.clone(),
                            uri: name,
                        },
                        markup,
                    )),
                    Err(e) => failed.push(Failed {
                        uri: name,
                        reason: e.to_string(),
                    }),
                }
            }
        }
        let stocked = wiring::stocked(&settings).await?;
        let shelved = shelve(&stocked.shelving, documents, BY).await?;
        if self.form.form() == Form::Json {
            console::json(&object(&shelved, &failed));
        } else {
            report(&shelved, &failed);
        }
        Ok(if failed.is_empty() {
            ExitCode::SUCCESS
        } else {
            FAILURE.into()
        })
    }
}

fn object(shelved: &Shelved, failed: &[Failed]) -> Value {
    let uris = |cards: &[Card]| {
        cards
            .iter()
            .map(|card| card.shelfmark.uri.clone())
            .collect::<Vec<_>>()
    };
    json!({
        "revision": shelved.revision,
        "added": uris(&shelved.added),
        "changed": uris(&shelved.changed),
        "unchanged": uris(&shelved.unchanged),
        "failed": failed.iter().map(|f| json!({ "uri": f.uri, "reason": f.reason })).collect::<Vec<_>>(),
        "chunks": shelved.chunks,
    })
}

fn report(shelved: &Shelved, failed: &[Failed]) {
    for f in failed {
        console::tell(&format!(
            "{} {}: {}",
            console::red("not added"),
            f.uri,
            f.reason
        ));
    }
    console::say(&format!(
        "{} added, {} changed, {} unchanged, {} failed; {} passages; the library stands at {}",
        shelved.added.len(),
        shelved.changed.len(),
        shelved.unchanged.len(),
        failed.len(),
        shelved.chunks,
        shelved.revision,
    ));
}

/// Shelves `documents` behind a progress gauge.
pub(in crate::cli) async fn shelve(
    shelving: &Shelving,
    documents: Vec<Document>,
    by: &str,
) -> anyhow::Result<Shelved> {
    let gauge = console::bar("embedding", 0);
    let progress = |progress| match progress {
        Progress::Embedding { done, all } => {
            gauge.set_length(all as u64);
            gauge.set_position(done as u64);
        },
        Progress::Committing => gauge.set_message("committing"),
    };
    let shelved = ingest::shelve(shelving, documents, by, &progress).await;
    gauge.finish_and_clear();
    Ok(shelved?)
}
