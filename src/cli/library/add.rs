//! `saseo library add`.

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use indicatif::{MultiProgress, ProgressBar};
use serde_json::{Value, json};

use super::super::{FAILURE, Form, FormArgs, because, collection};
use super::{BY, console};
use crate::adapters::parse::{ParseChild, Raw, Unparsable, reads};
use crate::adapters::sources::{Fetched, Fetcher, Place, Skipped, Unfetched, list};
use crate::app::ingest::{self, Acquisition, Elsewhere, Progress, Refused, Shelved, Shelving};
use crate::domain::document::{Card, CollectionName, Document, Shelfmark};
use crate::domain::figures::count;
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
    /// The title, instead of the document's own; for a single document. It names no place: two
    /// texts from standard input with one title are two documents.
    #[arg(long)]
    title: Option<String>,
    /// The URI, instead of the path or URL; for a folder, what stands in the place of its name;
    /// for standard input, the name under which the next text replaces this one.
    #[arg(long)]
    uri: Option<String>,
    /// Also replace documents that came from elsewhere: say this when a folder has moved.
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    form: FormArgs,
}

/// What was handed in and did not become a document, with the reasons.
#[derive(Default)]
struct Left {
    failed: Vec<(String, String)>,
    /// What stands in a folder and was not meant, or has no words.
    skipped: Vec<(String, String)>,
}

impl Add {
    pub(super) async fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        // The models are wanted in any case: what is wrong with them is said before the work.
        let stocked = wiring::stocked(settings).await?;
        let gauges = Gauges::new();
        let gathered = self.gather(settings, &stocked.shelving, &gauges).await;
        gauges.clear();
        let (shelved, mut left) = gathered?;
        left.failed.extend(shelved.refused.iter().map(turned_away));
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

    /// Reads and shelves one document after another.
    async fn gather(
        &self,
        settings: &Settings,
        shelving: &Shelving,
        gauges: &Gauges,
    ) -> anyhow::Result<(Shelved, Left)> {
        let reader = self.reader(settings)?;
        let elsewhere = if self.replace {
            Elsewhere::Replace
        } else {
            Elsewhere::Refuse
        };
        let progress = |progress| gauges.show(progress);
        let mut into = Handover {
            acquisition: Acquisition::begin(shelving, elsewhere, &progress).await?,
            title: self.title.as_deref(),
            taken: 0,
            left: Left::default(),
        };
        for what in &self.what {
            let fetched = if what == "-" {
                self.piped(reader.longest)
            } else if what.contains("://") {
                self.page(settings, what).await
            } else {
                self.folder(what, (&reader, gauges), &mut into).await?;
                continue;
            };
            let document = match fetched {
                Ok(fetched) => reader.read(fetched).await.map_err(anyhow::Error::from),
                Err(error) => Err(error),
            };
            match document {
                Ok(document) => into.take(document).await?,
                Err(error) => into.left.failed.push((what.clone(), because(&error))),
            }
        }
        Ok((into.acquisition.commit(BY).await?, into.left))
    }

    fn reader<'a>(&'a self, settings: &'a Settings) -> anyhow::Result<Reader<'a>> {
        Ok(Reader {
            child: ParseChild::new(&std::env::current_exe()?),
            longest: usize::try_from(settings.library.largest_file << 20).unwrap_or(usize::MAX),
            collection: self
                .collection
                .as_ref()
                .unwrap_or(&settings.library.collection),
        })
    }

    fn piped(&self, longest: usize) -> anyhow::Result<Fetched> {
        let mut bytes = Vec::new();
        std::io::stdin()
            .lock()
            .take(longest as u64 + 1)
            .read_to_end(&mut bytes)
            .context("standard input could not be read")?;
        Ok(Fetched::piped(bytes, self.uri.as_deref()))
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
        (reader, gauges): (&Reader<'_>, &Gauges),
        into: &mut Handover<'_>,
    ) -> anyhow::Result<()> {
        let listing = match list(Path::new(path), self.uri.as_deref(), &reads) {
            Ok(listing) => listing,
            Err(error) => {
                into.left
                    .failed
                    .push((path.to_owned(), because(&error.into())));
                return Ok(());
            },
        };
        let whole_folder = Path::new(path).is_dir();
        into.left.skipped.extend(
            listing
                .skipped
                .into_iter()
                .map(|Skipped { uri, why }| (uri, why.to_string())),
        );
        gauges.reading.inc_length(listing.files.len() as u64);
        for mut place in listing.files {
            if let (false, Some(uri)) = (whole_folder, &self.uri) {
                place.uri.clone_from(uri);
            }
            match reader.open(&place).await {
                Ok(document) => into.take(document).await?,
                // Nobody meant the empty files of a folder.
                Err(Unread::Unparsable(why @ (Unparsable::Empty | Unparsable::NoText)))
                    if whole_folder =>
                {
                    into.left.skipped.push((place.uri, why.to_string()));
                },
                Err(error) => into.left.failed.push((place.uri, because(&error.into()))),
            }
            gauges.reading.inc(1);
        }
        Ok(())
    }
}

/// Where documents go as soon as they are read.
struct Handover<'a> {
    acquisition: Acquisition<'a>,
    /// The title of the only document.
    title: Option<&'a str>,
    taken: usize,
    left: Left,
}

impl Handover<'_> {
    async fn take(&mut self, mut document: Document) -> anyhow::Result<()> {
        self.taken += 1;
        if let Some(title) = self.title {
            anyhow::ensure!(
                self.taken == 1,
                "--title names one document, and there are more; nothing was added"
            );
            title.clone_into(&mut document.title);
        }
        Ok(self.acquisition.take(document).await?)
    }
}

/// Turns bytes into documents, in a child process.
struct Reader<'a> {
    child: ParseChild,
    longest: usize,
    collection: &'a CollectionName,
}

/// Why something did not become a document.
#[derive(Debug, thiserror::Error)]
enum Unread {
    #[error(transparent)]
    Unfetched(#[from] Unfetched),
    #[error(transparent)]
    Unparsable(#[from] Unparsable),
}

impl Reader<'_> {
    async fn open(&self, place: &Place) -> Result<Document, Unread> {
        self.read(place.read(self.longest)?).await
    }

    async fn read(&self, fetched: Fetched) -> Result<Document, Unread> {
        let raw = Raw {
            bytes: &fetched.bytes,
            content_type: fetched.content_type.as_deref(),
            name: &fetched.name,
            longest: self.longest,
        };
        let markup = self.child.parse(&raw).await?;
        let shelfmark = Shelfmark {
            collection: self.collection.clone(),
            uri: fetched.uri,
        };
        let mut document = wiring::document(shelfmark, Some(fetched.origin), markup);
        document.carried = fetched.modified;
        Ok(document)
    }
}

/// A document that was turned away, and what to do about it.
fn turned_away(refused: &Refused) -> (String, String) {
    let why = format!(
        "{refused}; give this one another place with --collection or --uri, or say --replace if \
         it has moved"
    );
    (refused.shelfmark.uri.clone(), why)
}

fn object(shelved: &Shelved, left: &Left) -> Value {
    let uris = |cards: &[Card]| {
        cards
            .iter()
            .map(|card| card.shelfmark.uri.clone())
            .collect::<Vec<_>>()
    };
    let reasons = |left: &[(String, String)]| {
        let reason = |(uri, reason): &(String, String)| json!({ "uri": uri, "reason": reason });
        left.iter().map(reason).collect::<Vec<_>>()
    };
    json!({
        "revision": shelved.revision,
        "added": uris(&shelved.added),
        "changed": uris(&shelved.changed),
        "unchanged": uris(&shelved.unchanged),
        "mended": uris(&shelved.mended),
        "failed": reasons(&left.failed),
        "skipped": reasons(&left.skipped),
        "passages": shelved.chunks,
        "embedded": shelved.embedded,
    })
}

fn report(shelved: &Shelved, left: &Left) {
    for (uri, reason) in &left.skipped {
        console::tell(&console::dim(&format!("left out {uri}: {reason}")));
    }
    for (uri, reason) in &left.failed {
        console::tell(&format!("{} {uri}: {reason}", console::red("not added")));
    }
    for card in &shelved.mended {
        let uri = &card.shelfmark.uri;
        console::tell(&format!(
            "{} {uri}: its stored text was missing or damaged, and is written anew",
            console::green("mended")
        ));
    }
    let counts = [
        (shelved.added.len(), "added"),
        (shelved.changed.len(), "changed"),
        (shelved.unchanged.len(), "unchanged"),
        (left.failed.len(), "failed"),
    ];
    let mended = (shelved.mended.len(), "mended");
    let counts: Vec<_> = counts
        .into_iter()
        .chain((mended.0 > 0).then_some(mended))
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    console::say(&format!(
        "{}; {}, library {}",
        counts.join(", "),
        count(shelved.chunks, "passage"),
        shelved.revision
    ));
}

/// How far it is: files read, and passages embedded of those that were cut.
struct Gauges {
    reading: ProgressBar,
    embedding: ProgressBar,
}

impl Gauges {
    fn new() -> Self {
        let both = MultiProgress::new();
        Self {
            reading: both.add(console::bar("reading", 0)),
            embedding: both.add(console::bar("embedding", 0)),
        }
    }

    fn show(&self, progress: Progress) {
        match progress {
            Progress::Embedding { done, all } => {
                self.embedding.set_length(all as u64);
                self.embedding.set_position(done as u64);
            },
            Progress::Committing => self.embedding.set_message("committing"),
        }
    }

    fn clear(&self) {
        self.reading.finish_and_clear();
        self.embedding.finish_and_clear();
    }
}

/// Shelves `documents`, which are few, behind a progress bar.
pub(in crate::cli) async fn shelve(
    shelving: &Shelving,
    documents: Vec<Document>,
    handed: (&str, Elsewhere),
) -> anyhow::Result<Shelved> {
    let gauges = Gauges::new();
    let progress = |progress| gauges.show(progress);
    let shelved = ingest::shelve(shelving, documents, handed, &progress).await;
    gauges.clear();
    Ok(shelved?)
}
