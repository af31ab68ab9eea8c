//! `saseo library search`.

use std::io::BufRead as _;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::super::{Form, FormArgs, ScopeArgs, vacancy};
use super::console;
use crate::domain::embedding::Purpose;
use crate::domain::evidence;
use crate::domain::language::Language;
use crate::domain::passage::{Found, Passage, Scope};
use crate::domain::render;
use crate::ports::{Library as _, Query};
use crate::settings::Settings;
use crate::wiring::{self, Stocked};

#[derive(Debug, Args)]
pub(crate) struct Search {
    /// What to look for.
    #[arg(required_unless_present = "stdin", value_name = "TEXT")]
    text: Vec<String>,
    /// At most this many passages.
    #[arg(long, value_name = "N", default_value_t = 8)]
    limit: usize,
    #[command(flatten)]
    form: FormArgs,
    /// Read one search per line from standard input; one JSON object per line comes out.
    #[arg(long, requires = "json", conflicts_with = "text")]
    stdin: bool,
    #[command(flatten)]
    scope: ScopeArgs,
}

impl Search {
    pub(super) async fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let library = wiring::stocked(settings).await?;
        self.scope.check(&*library.shelves.library).await?;
        let scope = self.scope.scope();
        if self.stdin {
            for line in std::io::stdin().lock().lines() {
                let line = line?;
                let found = find(&library, &line, self.limit, &scope).await?;
                let empty = emptiness(&library, &found, &scope).await?;
                console::json(&object(&line, &found, empty.as_deref()));
            }
            return Ok(ExitCode::SUCCESS);
        }
        let text = self.text.join(" ");
        let found = find(&library, &text, self.limit, &scope).await?;
        let empty = emptiness(&library, &found, &scope).await?;
        if self.form.form() == Form::Json {
            console::json(&object(&text, &found, empty.as_deref()));
            return Ok(ExitCode::SUCCESS);
        }
        if found.passages.is_empty() {
            console::say(&format!("nothing found at {}", found.revision));
        }
        found.passages.iter().for_each(show);
        if let Some(empty) = empty {
            console::tell(&empty);
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn find(
    library: &Stocked,
    text: &str,
    limit: usize,
    scope: &Scope,
) -> anyhow::Result<Found> {
    let texts = [text.to_owned()];
    let embedding = library
        .embedder
        .embed(Purpose::Question, &texts)
        .await?
        .remove(0);
    let query = Query {
        text: text.to_owned(),
        embedding,
        passages: limit,
    };
    Ok(library.shelves.library.search(&query, scope).await?)
}

/// What to say where something cannot be found because it is not there.
async fn emptiness(
    library: &Stocked,
    found: &Found,
    scope: &Scope,
) -> anyhow::Result<Option<String>> {
    let shelves = &library.shelves;
    if found.passages.is_empty() || shelves.library.damage().is_some() {
        vacancy(&*shelves.library, scope, Language::English).await
    } else {
        Ok(None)
    }
}

fn object(text: &str, found: &Found, warning: Option<&str>) -> Value {
    json!({
        "warnings": warning.as_slice(),
        "revision": found.revision,
        "confidence": evidence::confidence(text, found),
        "passages": found.passages.iter().map(passage).collect::<Vec<_>>(),
    })
}

fn passage(passage: &Passage) -> Value {
    json!({
        "score": passage.scores.fused,
        "dense": passage.scores.dense,
        "lexical": passage.scores.lexical,
        "title": passage.title,
        "uri": passage.uri,
        "collection": passage.collection,
        "language": passage.language,
        "heading": render::heading(&passage.heading),
        "text": passage.text,
        "span": passage.span,
        "modified": passage.modified,
    })
}

fn show(passage: &Passage) {
    let heading = render::heading(&passage.heading);
    let score = passage.scores.fused;
    console::say(&console::bold(&format!(
        "{score:.2}  {}  {heading}",
        passage.title
    )));
    console::say(&console::dim(&passage.uri));
    console::say(&format!("{}\n", passage.text.trim()));
}
