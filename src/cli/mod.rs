//! The command line: one file per subcommand, each a thin call into `app` or an adapter.

pub mod console;
mod ask;
mod demo;
mod doctor;
mod library;
mod models;
mod receipt;
#[cfg(any(feature = "discord", feature = "slack"))]
mod serve;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tokio::runtime::{Builder, Runtime};
#[cfg(unix)]
use tokio::signal::unix;
use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::adapters::parse::child_main;
use crate::domain::document::CollectionName;
use crate::domain::language::Language;
use crate::domain::passage::Scope;
use crate::domain::render;
use crate::domain::revision::Revision;
use crate::ports::{Library, Unread};
use crate::settings::{Environment, Settings, environment};

/// Right use that went wrong.
const FAILURE: u8 = 1;
/// Wrong use: the words of the command are off.
const WRONG_USE: u8 = 2;

/// saseo answers questions from your own documents, with a frozen local model.
#[derive(Debug, Parser)]
#[command(name = "saseo", version, about, max_term_width = 100)]
struct Command {
    /// The settings file (or `SASEO_SETTINGS`); deploy/saseo.toml shows every key.
    #[arg(long, global = true, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// The data folder (or `SASEO_DATA`): documents, register, index, receipts.
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The models folder (or `SASEO_MODELS`), shared by all data folders.
    #[arg(long, global = true, value_name = "DIR")]
    models: Option<PathBuf>,
    /// Say more of what is going on; twice, still more.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Ask one question.
    Ask(ask::Ask),
    /// Hold a conversation; follow-up questions see what was said.
    Chat(ask::Chat),
    /// Open saseo's own manual and ask it five questions.
    Demo,
    /// Check the machine, the settings, the models and the library.
    Doctor(doctor::Doctor),
    /// Add, remove, list, search and look after documents.
    Library {
        #[command(subcommand)]
        task: library::Task,
    },
    /// Pull, verify and list the models.
    Models {
        #[command(subcommand)]
        task: models::Task,
    },
    /// Answer in the messengers that are set up.
    #[cfg(any(feature = "discord", feature = "slack"))]
    Serve(serve::Serve),
    /// Show what made an answer.
    Receipt(receipt::Show),
    /// Ask the question of a receipt again and compare byte for byte.
    Replay(receipt::Replay),
    /// Parse files sent over standard input; saseo starts this by itself.
    #[command(hide = true)]
    ParseChild,
}

/// How a result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// For a person.
    Plain,
    /// For a program.
    Json,
}

#[derive(Clone, Copy, Debug, Args)]
struct FormArgs {
    /// Print JSON, one object a line.
    #[arg(long)]
    json: bool,
}

impl FormArgs {
    fn form(self) -> Form {
        if self.json { Form::Json } else { Form::Plain }
    }
}

/// Which part of the library to look at.
#[derive(Clone, Debug, Args)]
struct ScopeArgs {
    /// Only this collection; may be given several times.
    #[arg(long, value_name = "NAME", value_parser = collection)]
    collection: Vec<CollectionName>,
    /// As the library stood at this revision.
    #[arg(long, value_name = "REV", value_parser = revision)]
    as_of: Option<Revision>,
}

impl ScopeArgs {
    /// Whether the revision and the collections exist: a slip must not look like an empty
    /// library.
    async fn check(&self, library: &dyn Library) -> anyhow::Result<()> {
        if let Some(asked) = self.as_of {
            legible(asked, library).await?;
        }
        known(&self.collection, self.as_of, library).await
    }

    fn scope(&self) -> Scope {
        Scope {
            as_of: self.as_of,
            collections: self.collection.clone(),
        }
    }
}

/// Something is read from that is not there: wrong use, whatever the command.
#[derive(Debug, thiserror::Error)]
enum NotThere {
    #[error("there is no collection {name}{at}; {there}")]
    Collection {
        name: CollectionName,
        /// At which revision, where one was named.
        at: String,
        /// Which ones there are.
        there: String,
    },
    #[error("there is no revision {asked}; {there}")]
    Revision {
        asked: Revision,
        /// Which is the newest.
        there: String,
    },
}

/// Refuses a revision that cannot be read. Nothing was ever on the shelf at revision 0.
async fn legible(asked: Revision, library: &dyn Library) -> anyhow::Result<()> {
    let newest = library.revision();
    if asked == Revision::default() || asked > newest {
        let there = (newest > Revision::default()).then(|| format!("the newest is {newest}"));
        let there = there_is(there, library);
        return Err(NotThere::Revision { asked, there }.into());
    }
    let all = Scope {
        as_of: Some(asked),
        collections: Vec::new(),
    };
    library.cards(&all).await?;
    Ok(())
}

/// Refuses names of collections that the library does not have, `as_of` a revision.
async fn known(
    collections: &[CollectionName],
    as_of: Option<Revision>,
    library: &dyn Library,
) -> anyhow::Result<()> {
    if collections.is_empty() {
        return Ok(());
    }
    let all = Scope {
        as_of,
        collections: Vec::new(),
    };
    let cards = library.cards(&all).await?;
    let there: BTreeSet<_> = cards
        .iter()
        .map(|card| &card.shelfmark.collection)
        .collect();
    let Some(odd) = collections.iter().find(|name| !there.contains(name)) else {
        return Ok(());
    };
    let names: Vec<_> = there.iter().map(|name| name.as_str()).collect();
    let listed = (!names.is_empty()).then(|| format!("there are: {}", names.join(", ")));
    let refused = NotThere::Collection {
        name: odd.clone(),
        at: as_of.map_or_else(String::new, |revision| format!(" at {revision}")),
        there: there_is(listed, library),
    };
    Err(refused.into())
}

/// What there is, or why there is nothing.
fn there_is(listed: Option<String>, library: &dyn Library) -> String {
    let damage = library.damage();
    damage
        .map(|damage| render::damaged(damage, Language::English))
        .or(listed)
        .unwrap_or_else(|| render::words(Language::English).empty_library.to_owned())
}

/// What to say where the library lacks documents that it had, or has nothing at all at the
/// revision of `scope`.
async fn vacancy(
    library: &dyn Library,
    scope: &Scope,
    language: Language,
) -> anyhow::Result<Option<String>> {
    if let Some(damage) = library.damage() {
        return Ok(Some(render::damaged(damage, language)));
    }
    let all = Scope {
        as_of: scope.as_of,
        collections: Vec::new(),
    };
    let cards = library.cards(&all).await?;
    Ok(cards
        .is_empty()
        .then(|| render::words(language).empty_library.to_owned()))
}

fn collection(raw: &str) -> Result<CollectionName, String> {
    CollectionName::new(raw).map_err(|e| e.to_string())
}

fn revision(raw: &str) -> Result<Revision, String> {
    let digits = raw.trim_start_matches('r');
    digits
        .parse()
        .map(Revision)
        .map_err(|_| "a revision is a number such as 42 or r42".to_owned())
}

/// Reads the arguments and does what they say.
#[inline(never)]
pub fn run() -> ExitCode {
    let command = match Command::try_parse() {
        Ok(command) => command,
        Err(error) => {
            let wrong = error.use_stderr();
            drop(error.print());
            return if wrong {
                WRONG_USE.into()
            } else {
                ExitCode::SUCCESS
            };
        },
    };
    if matches!(command.task, Task::ParseChild) {
        return child_main(std::io::stdin().lock(), std::io::stdout().lock());
    }
    // The first to install wins; reqwest finds none by itself.
    drop(rustls::crypto::ring::default_provider().install_default());
    let environment = environment();
    listen_in(command.verbose, &environment);
    match settings(&command, &environment) {
        Ok(settings) => start(command.task, settings),
        Err(error) => {
            console::tell(&format!("{} {error}", console::red("error:")));
            WRONG_USE.into()
        },
    }
}

fn settings(
    command: &Command,
    environment: &Environment,
) -> Result<Settings, crate::settings::Unset> {
    let named = |option: &Option<PathBuf>, variable: &str| {
        option
            .clone()
            .or_else(|| environment.get(variable).map(PathBuf::from))
    };
    let file = named(&command.settings, "SASEO_SETTINGS");
    let mut settings = Settings::read(file.as_deref(), environment)?;
    if let Some(folder) = named(&command.data, "SASEO_DATA") {
        settings.folders.data = folder;
    }
    if let Some(folder) = named(&command.models, "SASEO_MODELS") {
        settings.folders.models = folder;
    }
    Ok(settings)
}

fn start(task: Task, settings: Settings) -> ExitCode {
    let runtime = match Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::Error::new(error)),
    };
    #[cfg(unix)]
    outlive_the_limit_on_files(&runtime);
    let done = runtime.block_on(carry_out(task, settings));
    // A model that still loads or writes must not keep the program from ending.
    runtime.shutdown_background();
    match done {
        Ok(code) => code,
        Err(error) => failed(&error),
    }
}

/// Where nobody listens to its signal, the limit on files (`ulimit -f`) ends a process at the
/// write that goes beyond it. Once it is listened to, that write fails, and the failure is told
/// like any other. The listener stays for good.
#[cfg(unix)]
fn outlive_the_limit_on_files(runtime: &Runtime) {
    let _within = runtime.enter();
    if let Err(error) = unix::signal(unix::SignalKind::from_raw(libc::SIGXFSZ)) {
        tracing::warn!(%error, "a limit on files will end saseo without a word");
    }
}

async fn carry_out(task: Task, settings: Settings) -> anyhow::Result<ExitCode> {
    match task {
        Task::Ask(ask) => ask.run(settings).await,
        Task::Chat(chat) => chat.run(settings).await,
        Task::Demo => demo::run(settings).await,
        Task::Doctor(doctor) => doctor.run(settings).await,
        Task::Library { task } => task.run(settings).await,
        Task::Models { task } => task.run(settings).await,
        #[cfg(any(feature = "discord", feature = "slack"))]
        Task::Serve(serve) => serve.run(settings).await,
        Task::Receipt(show) => show.run(settings).await,
        Task::Replay(replay) => replay.run(settings).await,
        Task::ParseChild => Ok(WRONG_USE.into()),
    }
}

/// Says what happened, with its causes, and that it failed.
fn failed(error: &anyhow::Error) -> ExitCode {
    console::tell(&format!("{} {}", console::red("error:"), because(error)));
    code(error).into()
}

/// Wrong use and failure are told apart.
fn code(error: &anyhow::Error) -> u8 {
    let forgotten = matches!(error.downcast_ref(), Some(Unread::Forgotten { .. }));
    if forgotten || error.is::<NotThere>() {
        WRONG_USE
    } else {
        FAILURE
    }
}

/// An error with its causes, in one line.
fn because(error: &anyhow::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain().map(ToString::to_string) {
        if parts.iter().all(|part| !part.contains(&cause)) {
            parts.push(cause);
        }
    }
    parts.join(": ")
}

/// Warnings of ours are for people; of the engine's talk only what went wrong.
fn listen_in(verbose: u8, environment: &Environment) {
    let default = match verbose {
        0 => "error,saseo=warn",
        1 => "warn,saseo=info",
        _ => "info,saseo=debug",
    };
    let filter = environment.get("SASEO_LOG").map_or(default, String::as_str);
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .with_ansi(console::watched())
        .without_time()
        .finish()
        .with(filter_fn(is_discreet));
    drop(tracing::subscriber::set_global_default(subscriber));
}

/// Whether it may be in a log, whatever was asked for: the finer lines and spans of what talks
/// to others hold tokens, and what people and documents say.
fn is_discreet(about: &Metadata<'_>) -> bool {
    /// They log whole messages where something surprises them.
    const MESSENGERS: [&str; 3] = ["serenity", "tungstenite", "tokio_tungstenite"];
    const TALKERS: [&str; 6] = ["h2", "hyper", "hyper_util", "reqwest", "rustls", "sled"];
    let room = about.target().split("::").next().unwrap_or_default();
    let most = if room == "saseo" {
        Level::TRACE
    } else if MESSENGERS.contains(&room) {
        Level::ERROR
    } else if TALKERS.contains(&room) {
        Level::WARN
    } else {
        Level::INFO
    };
    *about.level() <= most
}

#[cfg(test)]
mod tests {
    use tracing::metadata::Kind;

    use super::*;

    #[track_caller]
    fn check(target: &'static str, most: Level) {
        struct Nowhere;
        impl tracing::callsite::Callsite for Nowhere {
            fn set_interest(&self, _: tracing::subscriber::Interest) {}
            fn metadata(&self) -> &Metadata<'_> {
                unreachable!("nobody asks")
            }
        }
        static NOWHERE: Nowhere = Nowhere;
        for level in [
            Level::ERROR,
            Level::WARN,
            Level::INFO,
            Level::DEBUG,
            Level::TRACE,
        ] {
            let fields =
                tracing::field::FieldSet::new(&[], tracing::callsite::Identifier(&NOWHERE));
            let about = Metadata::new("", target, level, None, None, None, fields, Kind::EVENT);
            assert_eq!(is_discreet(&about), level <= most, "{target} at {level}");
        }
    }

    #[test]
    fn what_people_wrote_is_not_heard_of_a_messengers_client_however_much_is_asked_for() {
        check("saseo::adapters::discord::rest", Level::TRACE);
        check("serenity::gateway::ws", Level::ERROR);
        check("serenity::http::client", Level::ERROR);
        check("tungstenite::protocol", Level::ERROR);
        check("tokio_tungstenite", Level::ERROR);
        check("hyper_util::client::legacy::pool", Level::WARN);
        check("mistralrs_core::engine", Level::INFO);
        check("saseology", Level::INFO);
    }
}
