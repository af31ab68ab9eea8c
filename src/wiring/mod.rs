//! Builds the adapters and hands them over as ports: the only place that knows both sides.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use include_dir::{Dir, include_dir};
use tempfile::TempDir;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::adapters::clock::SystemClock;
use crate::adapters::inference::Deadlines;
use crate::adapters::inference::openai::Unserved;
use crate::adapters::models::manifest::{self, Manifest};
use crate::adapters::models::origin::Origins;
use crate::adapters::models::verify::{Verified, verify};
use crate::adapters::parse::{Markup, Raw, parse};
use crate::adapters::sources::{Policy, Ports};
use crate::adapters::store::{Receipts, Stacks, Standing, State, Tools};
use crate::app::desk::{Desk, Prompts, Rules};
use crate::app::ingest::Shelving;
use crate::domain::chunk::{self, ChunkRules};
use crate::domain::document::{CollectionName, Document, Shelfmark};
use crate::domain::prompt::Template;
use crate::domain::reading::Limits;
use crate::domain::receipt::Sampling;
use crate::ports::{Clock, Embedder};
use crate::settings::{Environment, Settings, environment};

#[cfg(any(feature = "discord", feature = "slack"))]
mod acquire;
mod engines;
#[cfg(any(feature = "discord", feature = "slack"))]
pub mod serve;

/// saseo's own manual: the library that a fresh install opens with.
static MANUAL: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/knowledge");

/// The manifest that the settings name, or the built-in one.
pub fn manifest(settings: &Settings) -> anyhow::Result<Manifest> {
    let path = &settings.librarian.manifest;
    if path.as_os_str().is_empty() {
        return Ok(Manifest::parse(manifest::STARTER)?);
    }
    let text = fs::read_to_string(path)
        .with_context(|| format!("the manifest {} cannot be read", path.display()))?;
    Manifest::parse(&text).with_context(|| format!("the manifest {}", path.display()))
}

/// How model files are reached from this machine. `HF_ENDPOINT` and `HF_TOKEN` are the
/// variables that Hugging Face's own tools read.
pub fn origins(environment: &Environment) -> anyhow::Result<Origins> {
    let hub = environment
        .get("HF_ENDPOINT")
        .map_or(Origins::HUB, String::as_str);
    let mut origins = Origins::new(hub.parse().context("HF_ENDPOINT is not an address")?);
    origins.hub_token = environment
        .get("HF_TOKEN")
        .map(|token| token.clone().into());
    Ok(origins)
}

/// An open data folder without any model: to list, to show, to read the register.
pub struct Shelves {
    pub library: Arc<Stacks>,
    pub ledger: Arc<Receipts>,
    /// What a person should know of the opening.
    pub notes: Vec<String>,
}

/// Settings for a command that only reads. Where there is no library it reads an empty one, in
/// a folder that goes with this: to look for something must not leave a library behind.
pub struct Reading {
    pub settings: Settings,
    _passing: Option<TempDir>,
}

impl Reading {
    pub fn of(mut settings: Settings) -> anyhow::Result<Self> {
        let passing = if is_absent(&settings.folders.data) {
            Some(tempfile::tempdir().context("no folder could be made to read in")?)
        } else {
            None
        };
        if let Some(passing) = &passing {
            passing.path().clone_into(&mut settings.folders.data);
        }
        Ok(Self {
            settings,
            _passing: passing,
        })
    }
}

/// Whether there is nothing at the data folder's place, or nothing in it.
pub fn is_absent(folder: &Path) -> bool {
    match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}

/// Opens the data folder without any model.
pub async fn shelves(settings: &Settings) -> anyhow::Result<Shelves> {
    open(state(settings).await?, None, clock()).await
}

/// Takes the data folder.
async fn state(settings: &Settings) -> anyhow::Result<State> {
    let folder = settings.folders.data.clone();
    Ok(spawn_blocking(move || State::open(&folder)).await??)
}

async fn open(
    state: State,
    embedder: Option<&Arc<dyn Embedder>>,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Shelves> {
    let fingerprint = embedder.map(|embedder| embedder.fingerprint());
    let opened =
        spawn_blocking(move || Stacks::open_within(state, fingerprint, clock)).await??;
    Ok(Shelves {
        library: Arc::new(opened.library),
        ledger: Arc::new(opened.ledger),
        notes: opened.notes,
    })
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::start())
}

/// A library with the embedder that it is searched and filled with.
pub struct Stocked {
    pub shelves: Shelves,
    pub embedder: Arc<dyn Embedder>,
    pub shelving: Shelving,
    clock: Arc<dyn Clock>,
}

/// Opens the library with its embedder, and brings its index up to date where it lags behind.
pub async fn stocked(settings: &Settings) -> anyhow::Result<Stocked> {
    let verified = verified(settings).await?;
    let state = state(settings).await?;
    let embedder = engines::embedder(&verified).await?;
    stocked_within(state, settings, embedder).await
}

async fn verified(settings: &Settings) -> anyhow::Result<Verified> {
    let manifest = manifest(settings)?;
    let root = settings.folders.models.clone();
    Ok(spawn_blocking(move || verify(&manifest, &root)).await??)
}

async fn stocked_within(
    state: State,
    settings: &Settings,
    embedder: Arc<dyn Embedder>,
) -> anyhow::Result<Stocked> {
    let clock = clock();
    let mut shelves = open(state, Some(&embedder), Arc::clone(&clock)).await?;
    let rules = ChunkRules {
        target: settings.library.chunk.get(),
        longest: settings.library.longest_chunk.get(),
        ..ChunkRules::default()
    };
    let shelving = Shelving {
        library: Arc::clone(&shelves.library) as _,
        embedder: Arc::clone(&embedder),
        chunks: rules.within(embedder.window()),
    };
    if let Standing::Behind(_) = shelves.library.standing() {
        let cut = cutter(&shelving);
        let tools = Tools {
            embedder: &*embedder,
            cut: &cut,
            progress: &|_, _| {},
        };
        shelves.notes.extend(shelves.library.catch_up(tools).await?);
    }
    for note in &shelves.notes {
        tracing::warn!("{note}");
    }
    Ok(Stocked {
        shelves,
        embedder,
        shelving,
        clock,
    })
}

/// Cuts documents as `shelving` does.
pub fn cutter(shelving: &Shelving) -> impl Fn(&Document) -> Vec<chunk::Chunk> + Send + Sync {
    let (embedder, rules) = (Arc::clone(&shelving.embedder), shelving.chunks);
    move |document| {
        let tokens = |text: &str| embedder.tokens(text);
        chunk::cut(&document.text, &document.title, rules, &tokens)
    }
}

/// Everything that answers questions. The chat model goes on loading meanwhile: sources are
/// found without it.
pub async fn desk(settings: &Settings) -> anyhow::Result<Desk> {
    desk_within(state(settings).await?, settings, Away::Fails).await
}

/// What becomes of us where the embedding endpoint is away.
#[derive(Clone, Copy)]
enum Away<'a> {
    /// Whoever asked is told so.
    Fails,
    /// It is waited for, and whoever watches is told once.
    #[cfg_attr(
        not(any(feature = "discord", feature = "slack")),
        expect(dead_code, reason = "only the bot waits")
    )]
    IsWaitedFor(&'a (dyn Fn(&str) + Sync)),
}

/// As [`desk`], in a data folder that is held already.
async fn desk_within(
    state: State,
    settings: &Settings,
    away: Away<'_>,
) -> anyhow::Result<Desk> {
    let prompts = prompts(&settings.folders.prompts)?;
    let verified = verified(settings).await?;
    let chat = engines::chat(&verified, deadlines(settings), &environment())?;
    let Stocked {
        shelves,
        embedder,
        shelving,
        clock,
    } = stocked_within(state, settings, embedder(&verified, away).await?).await?;
    Ok(Desk {
        library: shelves.library,
        embedder,
        chat,
        writes: verified.manifest().chat.languages.clone(),
        ledger: shelves.ledger,
        clock,
        prompts,
        rules: rules(settings),
        chunks: shelving.chunks,
    })
}

/// The embedder, once it is there.
async fn embedder(verified: &Verified, away: Away<'_>) -> anyhow::Result<Arc<dyn Embedder>> {
    for tries in 0_u32.. {
        let error = match engines::embedder(verified).await {
            Ok(embedder) => return Ok(embedder),
            Err(error) => error,
        };
        let passing = error.downcast_ref().is_some_and(Unserved::is_passing);
        let Away::IsWaitedFor(tell) = away else {
            return Err(error);
        };
        if !passing {
            return Err(error);
        }
        if tries == 0 {
            tell(&format!("{error:#}; trying again until it answers"));
        }
        sleep(Duration::from_secs(1 << tries.min(2))).await;
    }
    anyhow::bail!("the embedding endpoint never answered")
}

fn deadlines(settings: &Settings) -> Deadlines {
    let librarian = &settings.librarian;
    Deadlines {
        first_token: Duration::from_secs(librarian.first_token),
        between_tokens: Duration::from_secs(librarian.between_tokens),
        total: Duration::from_secs(librarian.total),
    }
}

fn rules(settings: &Settings) -> Rules {
    let (answer, librarian) = (&settings.answer, &settings.librarian);
    Rules {
        passages: answer.passages.get(),
        floor: answer.confidence_floor,
        passages_read: answer.passages_read.get(),
        lines_read: answer.lines_read.get(),
        excerpts: Limits {
            most: answer.excerpts.get(),
            longest: answer.excerpt_tokens.get(),
        },
        sentences: answer.sentences.get(),
        sampling: Sampling {
            temperature: librarian.temperature,
            seed: librarian.seed,
            longest: librarian.longest_draft.get(),
        },
    }
}

/// The built-in work orders, or those in `folder`.
pub fn prompts(folder: &Path) -> anyhow::Result<Prompts> {
    let read = |name: &str, built_in: &str| {
        if folder.as_os_str().is_empty() {
            return Template::parse(built_in).with_context(|| format!("prompts/{name}"));
        }
        let path = folder.join(name);
        let text = fs::read_to_string(&path)
            .with_context(|| format!("the prompt {} cannot be read", path.display()))?;
        Template::parse(&text).with_context(|| format!("the prompt {}", path.display()))
    };
    Ok(Prompts {
        english: read("answer.md", include_str!("../../prompts/answer.md"))?,
        korean: read("answer.ko.md", include_str!("../../prompts/answer.ko.md"))?,
    })
}

/// Where documents may be fetched from.
pub fn policy(settings: &Settings) -> anyhow::Result<Policy> {
    let library = &settings.library;
    Ok(Policy {
        exceptions: library.fetch_networks.clone(),
        ports: if library.fetch_any_port {
            Ports::Any
        } else {
            Ports::Web
        },
        longest: usize::try_from(library.largest_file << 20)?,
        ..Policy::default()
    })
}

/// saseo's own manual, for `collection`.
pub fn manual(collection: &CollectionName) -> anyhow::Result<Vec<Document>> {
    let pages = MANUAL
        .files()
        .filter(|file| file.path().extension().is_some_and(|e| e == "md"));
    pages
        .map(|file| {
            let name = file.path().display().to_string();
            let raw = Raw {
                bytes: file.contents(),
                content_type: None,
                name: &name,
                longest: Raw::LONGEST,
            };
            let markup = parse(&raw).with_context(|| format!("knowledge/{name}"))?;
            let uri = format!("saseo:manual/{name}");
            let origin = Some(uri.clone());
            let shelfmark = Shelfmark {
                collection: collection.clone(),
                uri,
            };
            Ok(document(shelfmark, origin, markup))
        })
        .collect()
}

/// The document that `markup`, taken from `origin`, makes at `shelfmark`.
pub fn document(shelfmark: Shelfmark, origin: Option<String>, markup: Markup) -> Document {
    let Markup {
        title,
        text,
        modified,
        language,
    } = markup;
    let title = title.unwrap_or_else(|| shelfmark.uri.clone());
    Document {
        shelfmark,
        title,
        language,
        modified,
        carried: None,
        origin,
        text,
    }
}
