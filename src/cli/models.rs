//! `saseo models`: pull, verify, list.

use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use clap::Subcommand;
use indicatif::{HumanBytes, ProgressBar};
use serde_json::json;

use super::{FAILURE, Form, FormArgs, console};
use crate::adapters::models::manifest::{Manifest, Role};
use crate::adapters::models::progress::{Outcome, Progress, Step};
use crate::adapters::models::pull::pull;
use crate::adapters::models::verify::{self, Listed, State};
use crate::settings::{Settings, environment};
use crate::wiring;

#[derive(Debug, Subcommand)]
pub(super) enum Task {
    /// Get the models that the manifest names; what is there already stays.
    Pull,
    /// Compare every model file with its digest.
    Verify,
    /// List the models and their files.
    List {
        #[command(flatten)]
        form: FormArgs,
    },
}

impl Task {
    pub(super) async fn run(self, settings: Settings) -> anyhow::Result<ExitCode> {
        let manifest = wiring::manifest(&settings)?;
        let root = &settings.folders.models;
        match self {
            Self::Pull => get(&manifest, root).await,
            Self::Verify => check(&manifest, root),
            Self::List { form } => list(&manifest, root, form.form()),
        }
    }
}

async fn get(manifest: &Manifest, root: &Path) -> anyhow::Result<ExitCode> {
    let origins = wiring::origins(&environment())?;
    let pulled = pull(manifest, root, &origins, Arc::new(Bars::default())).await?;
    let bytes = HumanBytes(pulled.iter().map(|file| file.bytes).sum());
    let (count, place) = (pulled.len(), root.display());
    let done = console::green("models are in place:");
    console::tell(&format!("{done} {count} files, {bytes}, in {place}"));
    Ok(ExitCode::SUCCESS)
}

fn check(manifest: &Manifest, root: &Path) -> anyhow::Result<ExitCode> {
    let verified = verify::verify(manifest, root)?;
    for file in Role::ALL.into_iter().flat_map(|role| verified.files(role)) {
        let (digest, path) = (file.digest(), file.path().display());
        console::say(&format!("{}  {digest}  {path}", console::green("ok")));
    }
    Ok(ExitCode::SUCCESS)
}

fn list(manifest: &Manifest, root: &Path, form: Form) -> anyhow::Result<ExitCode> {
    let rows = verify::list(manifest, root)?;
    match form {
        Form::Json => {
            let rows: Vec<_> = rows.iter().map(object).collect();
            console::json(&json!({ "models": rows }));
        },
        Form::Plain => rows.iter().for_each(show),
    }
    let faulty = rows.iter().any(|row| matches!(row.state, State::Faulty(_)));
    Ok(if faulty {
        FAILURE.into()
    } else {
        ExitCode::SUCCESS
    })
}

fn show(row: &Listed) {
    let state = match &row.state {
        State::Present(_) => console::green("present"),
        State::Faulty(fault) => console::red(&fault.to_string()),
        State::Elsewhere => "elsewhere".to_owned(),
    };
    let size = row
        .bytes
        .map_or_else(String::new, |bytes| HumanBytes(bytes).to_string());
    let licence = row.licence.as_deref().unwrap_or("licence unknown");
    console::say(&format!(
        "{:<10} {}  {}  {size}  {licence}  {state}",
        row.role.to_string(),
        row.model,
        row.file,
    ));
}

fn object(row: &Listed) -> serde_json::Value {
    let (state, sha256) = match &row.state {
        State::Present(digest) => ("present".to_owned(), Some(*digest)),
        State::Faulty(fault) => (fault.to_string(), None),
        State::Elsewhere => ("elsewhere".to_owned(), None),
    };
    json!({
        "role": row.role,
        "model": row.model,
        "file": row.file,
        "bytes": row.bytes,
        "licence": row.licence,
        "state": state,
        "sha256": sha256,
    })
}

/// Shows a pull: a bar on a terminal, a line per step elsewhere.
#[derive(Default)]
struct Bars {
    gauge: Mutex<Option<ProgressBar>>,
}

impl Progress for Bars {
    fn begins(&self, file: &str, step: Step) {
        let what = match step {
            Step::Checking => "checking",
            Step::Downloading => "downloading",
            Step::Extracting => "extracting",
            Step::Converting => "converting",
        };
        let what = format!("{file}: {what}");
        if console::watched() {
            self.replace(Some(console::byte_bar(&what, 0)));
        } else {
            console::tell(&what);
        }
    }

    fn advances(&self, done: u64, total: Option<u64>) {
        if let Ok(gauge) = self.gauge.lock()
            && let Some(gauge) = gauge.as_ref()
        {
            gauge.set_length(total.unwrap_or(done));
            gauge.set_position(done);
        }
    }

    fn is_done(&self, file: &str, outcome: Outcome) {
        self.replace(None);
        let outcome = match outcome {
            Outcome::Present => "present",
            Outcome::Pulled => "pulled",
        };
        console::tell(&format!("{file}: {}", console::green(outcome)));
    }
}

impl Bars {
    fn replace(&self, next: Option<ProgressBar>) {
        if let Ok(mut gauge) = self.gauge.lock() {
            if let Some(old) = gauge.take() {
                old.finish_and_clear();
            }
            *gauge = next;
        }
    }
}
