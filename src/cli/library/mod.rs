//! `saseo library`: documents in, out, found and looked after.

mod add;
mod care;
mod search;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::json;

pub(super) use add::shelve;

use super::{Form, FormArgs, ScopeArgs, collection, console, known, revision, vacancy};
use crate::domain::document::{Card, CollectionName, Digest, Shelfmark};
use crate::domain::figures::{count, moment};
use crate::domain::language::Language;
use crate::domain::passage::Scope;
use crate::domain::revision::{Change, Entry, Revision};
use crate::ports::{Library as _, Order};
use crate::settings::Settings;
use crate::wiring::{self, Reading, Shelves};

/// Who the register names for what is done here.
const BY: &str = "terminal";

#[derive(Debug, Subcommand)]
pub(super) enum Task {
    /// Add files, folders or URLs, or `-` for standard input. One command is one revision.
    Add(add::Add),
    /// Take documents off the shelf, by their URI.
    Remove(Remove),
    /// List the documents.
    List {
        #[command(flatten)]
        scope: ScopeArgs,
        #[command(flatten)]
        form: FormArgs,
    },
    /// Print the text of a document.
    Show {
        /// The document's URI, or the digest of its text.
        document: String,
        #[command(flatten)]
        scope: ScopeArgs,
    },
    /// Search without asking: the passages, best first.
    Search(search::Search),
    /// The register: every addition, replacement and removal.
    Log {
        /// Only the newest this many revisions.
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: usize,
        #[command(flatten)]
        form: FormArgs,
    },
    /// How much there is, and how it stands.
    Status {
        #[command(flatten)]
        form: FormArgs,
    },
    /// Check the register, every text and the index.
    Verify,
    /// Make the index anew from the register and the texts.
    Rebuild {
        /// Where lines of the register are lost and no backup has them: go on without what they
        /// put on the shelf.
        #[arg(long)]
        accept_loss: bool,
    },
    /// Forget removed documents for good: texts, chunks, vectors and their receipts.
    Compact {
        /// Keep what stood on the shelf at this revision or later; only the newest otherwise.
        #[arg(long, value_name = "REV", value_parser = revision)]
        keep_since: Option<Revision>,
    },
    /// Write register, texts and embeddings into one file.
    Export { file: PathBuf },
    /// Read such a file into an empty data folder.
    Import { file: PathBuf },
}

impl Task {
    pub(super) async fn run(self, settings: Settings) -> anyhow::Result<ExitCode> {
        if self.fills() {
            return self.carry_out(&settings).await;
        }
        let reading = Reading::of(settings)?;
        self.carry_out(&reading.settings).await
    }

    /// Whether it puts something into the library; the others make none.
    fn fills(&self) -> bool {
        matches!(self, Self::Add(_) | Self::Import { .. })
    }

    async fn carry_out(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        match self {
            Self::Add(add) => add.run(settings).await,
            Self::Remove(remove) => remove.run(settings).await,
            Self::List { scope, form } => {
                let shelves = open(settings).await?;
                scope.check(&*shelves.library).await?;
                list(&shelves, &scope.scope(), form.form()).await
            },
            Self::Show { document, scope } => {
                let shelves = open(settings).await?;
                scope.check(&*shelves.library).await?;
                show(&shelves, &document, &scope.scope()).await
            },
            Self::Search(search) => search.run(settings).await,
            Self::Log { limit, form } => log(&open(settings).await?, limit, form.form()).await,
            Self::Status { form } => care::status(&open(settings).await?, form.form()).await,
            Self::Verify => care::verify(&open(settings).await?).await,
            Self::Rebuild { accept_loss } => {
                let stocked = wiring::stocked(settings).await?;
                if accept_loss {
                    care::accept_loss(&stocked.shelves).await?;
                }
                care::rebuild(&stocked).await
            },
            Self::Compact { keep_since } => {
                care::compact(&open(settings).await?, keep_since).await
            },
            Self::Export { file } => care::export(&open(settings).await?, &file).await,
            Self::Import { file } => care::import(settings, &file).await,
        }
    }
}

/// Opens the shelves and says what a person should know of it.
async fn open(settings: &Settings) -> anyhow::Result<Shelves> {
    let shelves = wiring::shelves(settings).await?;
    for note in &shelves.notes {
        console::tell(note);
    }
    Ok(shelves)
}

#[derive(Debug, Args)]
pub(super) struct Remove {
    /// The documents' URIs, as `saseo library list` shows them.
    #[arg(required = true)]
    uris: Vec<String>,
    /// The collection they stand in, where several have the URI.
    #[arg(long, value_name = "NAME", value_parser = collection)]
    collection: Option<CollectionName>,
    #[command(flatten)]
    form: FormArgs,
}

impl Remove {
    async fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let shelves = wiring::stocked(settings).await?.shelves;
        let collections: Vec<_> = self.collection.iter().cloned().collect();
        known(&collections, None, &*shelves.library).await?;
        let scope = Scope {
            as_of: None,
            collections,
        };
        let cards = shelves.library.cards(&scope).await?;
        let mut places = Vec::new();
        for uri in &self.uris {
            places.push(place(&cards, uri)?);
        }
        let orders = places.iter().cloned().map(Order::Remove).collect();
        let revision = shelves.library.commit(orders, BY).await?;
        if self.form.form() == Form::Json {
            console::json(&json!({ "revision": revision, "removed": places }));
        } else {
            console::say(&format!(
                "{} removed; the library stands at {revision}",
                places.len()
            ));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The one place with this URI.
fn place(cards: &[Card], uri: &str) -> anyhow::Result<Shelfmark> {
    let mut places = cards
        .iter()
        .map(|card| &card.shelfmark)
        .filter(|mark| mark.uri == uri);
    let place = places.next().with_context(|| {
        format!("no document has the URI {uri}; `saseo library list` shows them, nothing was removed")
    })?;
    anyhow::ensure!(
        places.next().is_none(),
        "several collections have {uri}; say which with --collection, nothing was removed"
    );
    Ok(place.clone())
}

async fn list(shelves: &Shelves, scope: &Scope, form: Form) -> anyhow::Result<ExitCode> {
    let cards = shelves.library.cards(scope).await?;
    let revision = scope.as_of.unwrap_or(shelves.library.revision());
    if form == Form::Json {
        console::json(&json!({ "revision": revision, "documents": cards }));
        return Ok(ExitCode::SUCCESS);
    }
    for card in &cards {
        let Shelfmark { collection, uri } = &card.shelfmark;
        let language = card.language.code();
        console::say(&format!(
            "{collection}  {language}  {}  {}",
            card.title,
            console::dim(uri)
        ));
    }
    console::tell(&console::dim(&format!(
        "{} at {revision}",
        count(cards.len(), "document")
    )));
    let empty = vacancy(&*shelves.library, scope, Language::English).await?;
    // What the opening said is not said again.
    if let Some(empty) = empty.filter(|empty| !shelves.notes.contains(empty)) {
        console::tell(&empty);
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(shelves: &Shelves, document: &str, scope: &Scope) -> anyhow::Result<ExitCode> {
    let cards = shelves.library.cards(scope).await?;
    let digest =
        match Digest::parse(document) {
            Ok(digest) => digest,
            Err(_) => cards
                .iter()
                .find(|card| card.shelfmark.uri == document)
                .with_context(|| {
                    format!(
                        "no document has the URI {document}; `saseo library list` shows them"
                    )
                })?
                .text,
        };
    console::say(&shelves.library.text(digest).await?);
    Ok(ExitCode::SUCCESS)
}

async fn log(shelves: &Shelves, limit: usize, form: Form) -> anyhow::Result<ExitCode> {
    let entries = shelves.library.log().await?;
    let newest = entries.len().saturating_sub(limit);
    for entry in entries.iter().skip(newest) {
        if form == Form::Json {
            console::json(&serde_json::to_value(entry)?);
        } else {
            print(entry);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print(entry: &Entry) {
    let at = moment(entry.at);
    let changes = count(entry.changes.len(), "change");
    let head = format!("{} {at} by {}, {changes}", entry.revision, entry.by);
    console::say(&console::bold(&head));
    for change in &entry.changes {
        let sign = match change {
            Change::Added(_) => console::green("+"),
            Change::Replaced(_) => "~".to_owned(),
            Change::Removed(_) => console::red("-"),
        };
        let Shelfmark { collection, uri } = change.shelfmark();
        console::say(&format!("  {sign} {collection}  {uri}"));
    }
}
