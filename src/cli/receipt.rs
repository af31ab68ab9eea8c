//! `saseo receipt` and `saseo replay`.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::{FAILURE, Form, FormArgs, ask, because, console};
use crate::app::desk::Desk;
use crate::app::replay::{self, Replayed};
use crate::domain::figures::{Lapse, moment};
use crate::domain::receipt::{
    DraftRecord, Millis, ModelIdentity, PromptIdentity, Ready, Receipt,
};
use crate::domain::render;
use crate::settings::Settings;
use crate::wiring::{self, Reading};

#[derive(Debug, Args)]
pub(super) struct Show {
    /// The receipt's id, as printed below an answer.
    id: String,
    #[command(flatten)]
    form: FormArgs,
}

impl Show {
    pub(super) async fn run(self, settings: Settings) -> anyhow::Result<ExitCode> {
        let reading = Reading::of(settings)?;
        let shelves = wiring::shelves(&reading.settings).await?;
        let receipt = replay::receipt(&*shelves.ledger, &self.id).await?;
        if self.form.form() == Form::Json {
            console::json(&serde_json::to_value(&receipt)?);
        } else {
            show(&receipt);
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn show(receipt: &Receipt) {
    row("receipt", &receipt.id);
    row("at", &moment(receipt.at).to_string());
    row("question", receipt.question.as_str());
    row("library", &receipt.revision.to_string());
    row("embedder", &receipt.embedder.to_string());
    row("confidence", &format!("{:.2}", receipt.confidence));
    for (number, passage) in (1..).zip(&receipt.passages) {
        let place = render::heading(&passage.heading);
        row(
            &format!("passage {number}"),
            &format!("{:.3}  {}  {place}", passage.scores.fused, passage.uri),
        );
    }
    match (&receipt.draft, &receipt.ready) {
        (Some(draft), _) => show_draft(draft),
        (None, Some(Ready { model, prompt })) => {
            show_ready(model, prompt);
            row("draft", "none; the model was not asked, or wrote nothing");
        },
        (None, None) => {},
    }
    if let Some(reason) = &receipt.reason {
        row("declined", &reason.to_string());
    }
    row("took", &took(receipt.millis));
    console::say("");
    ask::print(receipt);
}

fn took(millis: Millis) -> String {
    let Millis {
        sources,
        first_token,
        total,
    } = millis;
    let [sources, first_token, total] = [sources, first_token, total].map(Lapse);
    format!("{sources} to the sources, {first_token} to the first words, {total} in all")
}

fn show_ready(model: &ModelIdentity, prompt: &PromptIdentity) {
    row("model", &format!("{} {}", model.name, model.digest));
    row(
        "prompt",
        &format!("{} {} {}", prompt.name, prompt.version, prompt.digest),
    );
}

fn show_draft(draft: &DraftRecord) {
    let sampling = draft.sampling;
    show_ready(&draft.model, &draft.prompt);
    row(
        "sampling",
        &format!(
            "temperature {} seed {}",
            sampling.temperature, sampling.seed
        ),
    );
    row(
        "tokens",
        &format!(
            "{} read, {} written",
            draft.prompt_tokens, draft.written_tokens
        ),
    );
    row(
        "sentences",
        &format!("{} kept, {} dropped", draft.kept, draft.dropped.len()),
    );
}

fn row(name: &str, value: &str) {
    console::say(&format!("{name:<12} {value}"));
}

#[derive(Debug, Args)]
pub(super) struct Replay {
    /// The receipts' ids.
    #[arg(required = true)]
    ids: Vec<String>,
    #[command(flatten)]
    form: FormArgs,
}

impl Replay {
    pub(super) async fn run(self, settings: Settings) -> anyhow::Result<ExitCode> {
        let reading = Reading::of(settings)?;
        let desk = wiring::desk(&reading.settings).await?;
        let mut code = ExitCode::SUCCESS;
        for id in &self.ids {
            let replayed = replay(&desk, id).await;
            if !matches!(replayed, Ok(Replayed::Same)) {
                code = FAILURE.into();
            }
            match self.form.form() {
                Form::Json => console::json(&object(id, replayed)),
                Form::Plain => console::say(&format!("{id}  {}", words(replayed))),
            }
        }
        Ok(code)
    }
}

async fn replay(desk: &Desk, id: &str) -> anyhow::Result<Replayed> {
    let kept = replay::receipt(&*desk.ledger, id).await?;
    Ok(replay::replay(desk, &kept).await?)
}

fn object(id: &str, replayed: anyhow::Result<Replayed>) -> Value {
    let (identical, error) = match &replayed {
        Ok(replayed) => (Some(*replayed == Replayed::Same), None),
        Err(error) => (None, Some(because(error))),
    };
    let text = replayed.map_or_else(|_| String::new(), |replayed| words(Ok(replayed)));
    json!({ "receipt": id, "identical": identical, "text": text, "error": error })
}

fn words(replayed: anyhow::Result<Replayed>) -> String {
    match replayed {
        Ok(Replayed::Same) => "identical, byte for byte".to_owned(),
        Ok(Replayed::Changed(what)) => format!("{what} has changed since"),
        Ok(Replayed::Different(now)) => format!("now answered: {}", render::text(&now)),
        Err(error) => because(&error),
    }
}
