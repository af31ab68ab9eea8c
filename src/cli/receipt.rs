//! `saseo receipt` and `saseo replay`.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{FAILURE, ask, console};
use crate::app::replay::{self, Replayed};
use crate::domain::receipt::Receipt;
use crate::domain::render;
use crate::settings::Settings;
use crate::wiring;

#[derive(Debug, Args)]
pub(super) struct Show {
    /// The receipt's id, as printed below an answer.
    id: String,
    /// Print the whole receipt as one JSON object.
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) async fn run(self, settings: Settings) -> anyhow::Result<ExitCode> {
        let store = wiring::store(&settings).await?;
        let receipt = replay::receipt(&*store.ledger, &self.id).await?;
        if self.json {
            console::json(&serde_json::to_value(&receipt)?);
        } else {
            show(&receipt);
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn show(receipt: &Receipt) {
    let row = |name: &str, value: &str| console::say(&format!("{name:<12} {value}"));
    row("receipt", &receipt.id);
    row("at", &receipt.at.to_rfc3339());
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
    if let Some(draft) = &receipt.draft {
        row("model", &format!("{} {}", draft.model.name, draft.model.digest));
        let prompt = &draft.prompt;
        row("prompt", &format!("{} {} {}", prompt.name, prompt.version, prompt.digest));
        let sampling = draft.sampling;
        row("sampling", &format!("temperature {} seed {}", sampling.temperature, sampling.seed));
        row("tokens", &format!("{} read, {} written", draft.prompt_tokens, draft.written_tokens));
        row("sentences", &format!("{} kept, {} dropped", draft.kept, draft.dropped.len()));
    }
    let millis = receipt.millis;
    let times = [millis.sources, millis.first_token, millis.total];
    row("millis", &format!("{times:?} to sources, first words, end"));
    console::say("");
    ask::print(receipt);
}

#[derive(Debug, Args)]
pub(super) struct Replay {
    /// The receipts' ids.
    #[arg(required = true)]
    ids: Vec<String>,
    /// Print one JSON object per receipt.
    #[arg(long)]
    json: bool,
}

impl Replay {
    pub(super) async fn run(self, settings: Settings) -> anyhow::Result<ExitCode> {
        let desk = wiring::desk(&settings).await?;
        let mut code = ExitCode::SUCCESS;
        for id in &self.ids {
            let kept = replay::receipt(&*desk.ledger, id).await?;
            let (same, words) = match replay::replay(&desk, &kept).await? {
                Replayed::Same => (true, "identical, byte for byte".to_owned()),
                Replayed::Changed(what) => (false, format!("{what} has changed since")),
                Replayed::Different(now) => (false, format!("now answered: {}", render::text(&now))),
            };
            if !same {
                code = FAILURE.into();
            }
            if self.json {
                console::json(&json!({ "receipt": id, "identical": same, "text": words }));
            } else {
                console::say(&format!("{id}  {words}"));
            }
        }
        Ok(code)
    }
}
