//! `saseo doctor`: checks what saseo stands on, and says what to do.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::{FAILURE, Form, FormArgs, because, console};
use crate::adapters::models::manifest::{ChatEngine, EmbeddingEngine};
use crate::adapters::models::verify;
use crate::adapters::store::{Standing, Trouble};
use crate::domain::figures::count;
use crate::domain::language::Language;
use crate::domain::render;
use crate::ports::Library as _;
use crate::settings::Settings;
#[cfg(any(feature = "discord", feature = "slack"))]
use crate::settings::environment;
use crate::wiring;

#[derive(Debug, Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    form: FormArgs,
}

/// One thing that was looked at.
struct Finding {
    what: &'static str,
    /// What is there, or what is wrong and what to do.
    said: Result<String, String>,
}

impl Doctor {
    pub(super) async fn run(self, settings: Settings) -> anyhow::Result<ExitCode> {
        #[cfg_attr(
            not(any(feature = "discord", feature = "slack")),
            expect(unused_mut, reason = "only messengers add to them")
        )]
        let mut findings = machine(&settings).await;
        #[cfg(feature = "discord")]
        findings.extend(discord(&settings).await);
        #[cfg(feature = "slack")]
        findings.extend(slack(&settings).await);
        let sick = findings.iter().any(|finding| finding.said.is_err());
        match self.form.form() {
            Form::Json => {
                let rows: Vec<_> = findings.iter().map(object).collect();
                console::json(&json!({ "ok": !sick, "findings": rows }));
            },
            Form::Plain => findings.iter().for_each(show),
        }
        Ok(if sick {
            FAILURE.into()
        } else {
            ExitCode::SUCCESS
        })
    }
}

async fn machine(settings: &Settings) -> Vec<Finding> {
    let found = |what, said| Finding { what, said };
    vec![
        found("processor", processor()),
        found("settings", settings_hold(settings)),
        found("models", models(settings).await),
        found("disk", disk(settings)),
        found("library", library(settings).await),
    ]
}

fn object(finding: &Finding) -> Value {
    let said = finding.said.as_ref().unwrap_or_else(|wrong| wrong);
    json!({ "what": finding.what, "ok": finding.said.is_ok(), "said": said })
}

fn show(finding: &Finding) {
    let (mark, said) = match &finding.said {
        Ok(said) => (console::green("ok"), said),
        Err(said) => (console::red("!!"), said),
    };
    console::say(&format!("{mark}  {:<16} {said}", finding.what));
}

fn processor() -> Result<String, String> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    match crate::processor::lacking() {
        None => Ok(format!(
            "{threads} threads, with the instructions that the engine needs"
        )),
        Some(words) => Err(words.trim().to_owned()),
    }
}

fn settings_hold(settings: &Settings) -> Result<String, String> {
    wiring::manifest(settings).map_err(|error| because(&error))?;
    wiring::policy(settings).map_err(|error| because(&error))?;
    wiring::prompts(&settings.folders.prompts).map_err(|error| because(&error))?;
    Ok("settings, manifest and prompts can be read".to_owned())
}

async fn models(settings: &Settings) -> Result<String, String> {
    let manifest = wiring::manifest(settings).map_err(|error| because(&error))?;
    let root = settings.folders.models.clone();
    let verified = tokio::task::spawn_blocking(move || verify::verify(&manifest, &root)).await;
    let verified = verified
        .map_err(|e| e.to_string())?
        .map_err(|e| because(&e.into()))?;
    let manifest = verified.manifest();
    let (chat, embedding) = (&manifest.chat, &manifest.embedding);
    let elsewhere = [
        matches!(chat.engine, ChatEngine::Endpoint(_)).then_some(&chat.name),
        matches!(embedding.engine, EmbeddingEngine::Endpoint(_)).then_some(&embedding.name),
    ];
    let elsewhere: Vec<_> = elsewhere
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    let names = format!("{} and {}", chat.name, embedding.name);
    Ok(match elsewhere.as_slice() {
        [] => format!("{names}, every byte as pulled"),
        [one] => format!("{names}; {one} is at an endpoint, and nobody can check it from here"),
        _ => format!("{names}; both are at endpoints, and nobody can check them from here"),
    })
}

/// Below this, saseo will soon refuse to write.
const LEAST_FREE: u64 = 2 << 30;

fn disk(settings: &Settings) -> Result<String, String> {
    let folder = &settings.folders.data;
    // What lies above a relative folder is seen only from the root.
    let whole =
        std::path::absolute(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let there = whole.ancestors().find(|above| above.exists());
    let Some(there) = there else {
        return Err(format!("{} is nowhere", folder.display()));
    };
    if !there.is_dir() {
        return Err(format!(
            "{} is a file and stands in the way of {}; name another folder with --data",
            there.display(),
            folder.display()
        ));
    }
    let room = rustix::fs::statvfs(there).map_err(|e| format!("{}: {e}", there.display()))?;
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    let said = format!(
        "{} free for {}",
        indicatif::HumanBytes(free),
        folder.display()
    );
    if free < LEAST_FREE {
        return Err(format!(
            "{said}; make room, saseo stops writing below 1 GiB"
        ));
    }
    Ok(said)
}

async fn library(settings: &Settings) -> Result<String, String> {
    if wiring::is_absent(&settings.folders.data) {
        return Ok("none yet; `saseo library add PATH` makes it".to_owned());
    }
    let shelves = match wiring::shelves(settings).await {
        Ok(shelves) => shelves,
        Err(error) => {
            return match error.downcast_ref() {
                Some(Trouble::InUse { holder, .. }) => Ok(format!(
                    "in use by process {holder}; while that is `saseo serve`, ask it with `/library status`"
                )),
                _ => Err(because(&error)),
            };
        },
    };
    let sizes = shelves
        .library
        .sizes()
        .await
        .map_err(|error| because(&error.into()))?;
    if let Some(damage) = shelves.library.damage() {
        return Err(render::damaged(damage, Language::English));
    }
    let revision = shelves.library.revision();
    match shelves.library.standing() {
        Standing::Ready => Ok(format!(
            "{}, {} at {revision}",
            count(sizes.documents, "document"),
            count(sizes.chunks, "passage")
        )),
        Standing::Behind(missing) => Err(format!(
            "the index lacks {}; the next question mends it, and `saseo library verify` says what it cannot mend",
            count(missing.len(), "document")
        )),
        Standing::OtherEmbedder(other) => Err(format!(
            "the index was made with {other}; run `saseo library rebuild`"
        )),
    }
}

#[cfg(feature = "discord")]
async fn discord(settings: &Settings) -> Vec<Finding> {
    use crate::adapters::discord::health;
    use crate::wiring::serve::discord::{TOKEN, discord};

    let Some(discord) = discord(settings, &environment()) else {
        return not_set_up("discord", TOKEN);
    };
    said(health::look(&discord).await)
}

#[cfg(feature = "slack")]
async fn slack(settings: &Settings) -> Vec<Finding> {
    use crate::adapters::slack::{BOT_TOKEN, health};
    use crate::wiring::serve::slack::slack;

    match slack(settings, &environment()) {
        Ok(Some(slack)) => said(health::look(&slack).await),
        Ok(None) => not_set_up("slack", BOT_TOKEN),
        Err(error) => vec![Finding {
            what: "slack settings",
            said: Err(because(&error)),
        }],
    }
}

#[cfg(any(feature = "discord", feature = "slack"))]
fn not_set_up(what: &'static str, token: &str) -> Vec<Finding> {
    vec![Finding {
        what,
        said: Ok(format!(
            "not set up; set {token} to the bot's token, as deploy/{what}.md shows"
        )),
    }]
}

#[cfg(any(feature = "discord", feature = "slack"))]
fn said(findings: Vec<crate::adapters::chat::finding::Finding>) -> Vec<Finding> {
    use crate::adapters::chat::finding;

    let findings = findings.into_iter();
    findings
        .map(|finding::Finding { what, said }| Finding { what, said })
        .collect()
}
