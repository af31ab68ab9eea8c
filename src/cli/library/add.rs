//! `saseo library add`.

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use super::super::{FAILURE, Form, FormArgs, because, collection};
use super::{BY, console};
use crate::adapters::parse::{ParseChild, Raw, reads};
use crate::adapters::sources::{Fetched, Fetcher, Place, Skipped, list};
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
    /// The title, instead of the document's own; for a single document.
    #[arg(long)]
    title: Option<String>,
    /// The URI, instead of the path or URL; for a folder, what stands in the place of its name.
    #[arg(long)]
    uri: Option<String>,
    #[command(flatten)]
    form: FormArgs,
}

/// What was handed in and did not become a document.
#[derive(Default)]
struct Left {
    failed: Vec<(String, String)>,
    skipped: Vec<Skipped>,
}

impl Add {
    pub(super) async fn run(self, settings: Settings) -> anyhow::Result<ExitCode> {
        // The models are wanted in any case: what is wrong with them is said before the work.
        let stocked = wiring::stocked(&settings).await?;
        let mut left = Left::default();
        let documents = self.gather(&settings, &mut left).await?;
        let shelved = shelve(&stocked.shelving, documents, BY).await?;
        match self.form.form() {
            Form::Json => console::json(&object(&shelved, &left)),
            Form::Plain => report(&shelved, &left),
        }
        Ok(if left.failed.is_empty() {
            ExitCode::SUCCESS
        } else {
            FAILURE.into()
        })
    }

    async fn gather(
        &self,
        settings: &Settings,
        left: &mut Left,
    ) -> anyhow::Result<Vec<Document>> {
        let reader = Reader {
            child: ParseChild::new(&std::env::current_exe()?),
            longest: usize::try_from(settings.library.largest_file << 20).unwrap_or(usize::MAX),
            collection: self
                .collection
                .as_ref()
                .unwrap_or(&settings.library.collection),
        };
        let mut documents = Vec::new();
        for what in &self.what {
            let fetched = if what == "-" {
                self.piped(reader.longest)
            } else if what.contains("://") {
                self.page(settings, what).await
            } else {
                self.folder(what, &reader, &mut documents, left).await;
                continue;
            };
            match fetched {
                Ok(fetched) => reader.read(fetched, &mut documents, left).await,
                Err(error) => left.failed.push((what.clone(), because(&error))),
            }
        }
        self.retitle(&mut documents)?;
        Ok(documents)
    }

    fn retitle(&self, documents: &mut [Document]) -> anyhow::Result<()> {
        let Some(title) = &self.title else {
            return Ok(());
        };
        match documents {
            [only] => {
                only.title.clone_from(title);
                Ok(())
            },
            [] => Ok(()),
            _ => anyhow::bail!(
                "--title names one document, and there are {}; nothing was added",
                documents.len()
            ),
        }
    }

    fn piped(&self, longest: usize) -> anyhow::Result<Fetched> {
        let mut bytes = Vec::new();
        std::io::stdin()
            .lock()
            .take(longest as u64 + 1)
            .read_to_end(&mut bytes)
            .context("standard input could not be read")?;
        Ok(Fetched::piped(
            bytes,
            self.uri.as_deref().or(self.title.as_deref()),
        ))
    }

    async fn page(&self, settings: &Settings, url: &str) -> anyhow::Result<Fetched> {
        let mut fetched = Fetcher::new(wiring::policy(settings)?)?.fetch(url).await?;
        if let Some(uri) = &self.uri {
            fetched.uri.clone_from(uri);
        }
        Ok(fetched)
    }

    async fn folder(
        &self,
        path: &str,
        reader: &Reader<'_>,
        documents: &mut Vec<Document>,
        left: &mut Left,
    ) {
        let listing = match list(Path::new(path), self.uri.as_deref(), &reads) {
            Ok(listing) => listing,
            Err(error) => {
                left.failed.push((path.to_owned(), because(&error.into())));
                return;
            },
        };
        left.skipped.extend(listing.skipped);
        let gauge = console::bar("reading", listing.files.len() as u64);
        for place in listing.files {
            reader.open(&place, documents, left).await;
            gauge.inc(1);
        }
        gauge.finish_and_clear();
    }
}

/// Turns bytes into documents, in a child process.
struct Reader<'a> {
    child: ParseChild,
    longest: usize,
    collection: &'a CollectionName,
}

impl Reader<'_> {
    async fn open(&self, place: &Place, documents: &mut Vec<Document>, left: &mut Left) {
        match place.read(self.longest) {
            Ok(fetched) => self.read(fetched, documents, left).await,
            Err(error) => left
                .failed
                .push((place.uri.clone(), because(&error.into()))),
        }
    }

    async fn read(&self, fetched: Fetched, documents: &mut Vec<Document>, left: &mut Left) {
        let raw = Raw {
            bytes: &fetched.bytes,
            content_type: fetched.content_type.as_deref(),
            name: &fetched.name,
            longest: self.longest,
        };
        match self.child.parse(&raw).await {
            Ok(mut markup) => {
                markup.modified = markup.modified.or(fetched.modified);
                let shelfmark = Shelfmark {
                    collection: self.collection.clone(),
                    uri: fetched.uri,
                };
                documents.push(wiring::document(shelfmark, markup));
            },
            Err(unparsable) => left.failed.push((fetched.uri, unparsable.to_string())),
        }
    }
}

fn object(shelved: &Shelved, left: &Left) -> Value {
    let uris = |cards: &[Card]| {
        cards
            .iter()
            .map(|card| card.shelfmark.uri.clone())
            .collect::<Vec<_>>()
    };
    let failed: Vec<_> = left
        .failed
        .iter()
        .map(|(uri, reason)| json!({ "uri": uri, "reason": reason }))
        .collect();
    let skipped: Vec<_> = left
        .skipped
        .iter()
        .map(|skipped| json!({ "uri": skipped.uri, "reason": skipped.why.to_string() }))
        .collect();
    json!({
        "revision": shelved.revision,
        "added": uris(&shelved.added),
        "changed": uris(&shelved.changed),
        "unchanged": uris(&shelved.unchanged),
        "failed": failed,
        "skipped": skipped,
        "passages": shelved.chunks,
        "embedded": shelved.embedded,
    })
}

fn report(shelved: &Shelved, left: &Left) {
    for Skipped { uri, why } in &left.skipped {
        console::tell(&console::dim(&format!("left out {uri}: {why}")));
    }
    for (uri, reason) in &left.failed {
        console::tell(&format!("{} {uri}: {reason}", console::red("not added")));
    }
    let counts = [
        (shelved.added.len(), "added"),
        (shelved.changed.len(), "changed"),
        (shelved.unchanged.len(), "unchanged"),
        (left.failed.len(), "failed"),
    ];
    let counts: Vec<_> = counts
        .iter()
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    console::say(&format!(
        "{}; {} passages, library {}",
        counts.join(", "),
        shelved.chunks,
        shelved.revision
    ));
}

/// Shelves `documents` behind a progress bar.
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
