//! `saseo ask` and `saseo chat`.

use std::io::{BufRead, ErrorKind, Read as _};
use std::process::ExitCode;

use clap::Args;
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;
use serde_json::{Value, json};

use super::{FAILURE, Form, FormArgs, ScopeArgs, because, code, console, vacancy};
use crate::app::answer::{Asked, Unanswered, answer};
use crate::app::desk::Desk;
use crate::app::replay::Silent;
use crate::domain::answer::Outcome;
use crate::domain::courtesy::Courtesy;
use crate::domain::language::Language;
use crate::domain::notice::Notice;
use crate::domain::question::{QuestionText, REMEMBERED, Turn, Unaskable};
use crate::domain::receipt::{Millis, Receipt};
use crate::domain::render;
use crate::ports::Audience;
use crate::settings::Settings;
use crate::wiring;

const NOT_UTF_8: &str = "the line is not UTF-8";

#[derive(Debug, Args)]
pub(super) struct Ask {
    /// The question.
    #[arg(required_unless_present = "stdin", value_name = "TEXT")]
    question: Vec<String>,
    #[command(flatten)]
    form: FormArgs,
    /// Read questions from standard input, one per line; one JSON object per line comes out.
    #[arg(long, requires = "json", conflicts_with = "question")]
    stdin: bool,
    #[command(flatten)]
    scope: ScopeArgs,
}

impl Ask {
    pub(super) async fn run(self, settings: Settings) -> anyhow::Result<ExitCode> {
        if self.stdin {
            return self.answer_lines(settings).await;
        }
        let question = match QuestionText::new(&self.question.join(" ")) {
            Ok(question) => question,
            Err(unaskable) => return Ok(wrong_use(&unaskable.to_string(), self.form.form())),
        };
        let asked = Asked {
            question,
            said: Vec::new(),
            scope: self.scope.scope(),
        };
        if self.form.form() == Form::Json {
            return Ok(print_json(self.json_of(&settings, &asked).await));
        }
        let desk = self.desk(&settings).await?;
        reply(&desk, &asked).await?;
        Ok(ExitCode::SUCCESS)
    }

    async fn desk(&self, settings: &Settings) -> anyhow::Result<Desk> {
        let desk = wiring::desk(settings).await?;
        self.scope.check(&*desk.library).await?;
        Ok(desk)
    }

    async fn json_of(&self, settings: &Settings, asked: &Asked) -> anyhow::Result<Value> {
        let desk = self.desk(settings).await?;
        Ok(object(&settled(&desk, asked, &Silent).await?))
    }

    async fn answer_lines(self, settings: Settings) -> anyhow::Result<ExitCode> {
        let desk = match self.desk(&settings).await {
            Ok(desk) => desk,
            Err(error) => return Ok(print_json(Err(error))),
        };
        let mut code = ExitCode::SUCCESS;
        let mut waiting = standard_input();
        while let Some(line) = waiting.recv().await {
            let object = match line {
                Ok(line) => self.answer_line(&desk, &line).await,
                Err(unread) => failure(&unread),
            };
            if object.get("status") == Some(&json!("failed")) {
                code = FAILURE.into();
            }
            console::json(&object);
        }
        Ok(code)
    }

    async fn answer_line(&self, desk: &Desk, line: &str) -> Value {
        let asked = match QuestionText::new(line) {
            Ok(question) => Asked {
                question,
                said: Vec::new(),
                scope: self.scope.scope(),
            },
            Err(unaskable) => return failure(&unaskable.to_string()),
        };
        match settled(desk, &asked, &Silent).await {
            Ok(reply) => object(&reply),
            Err(error) => failure(&because(&error)),
        }
    }
}

/// How a question ended, with what a person should know beside it.
struct Reply {
    receipt: Receipt,
    keeping: Keeping,
    warnings: Vec<String>,
}

/// What became of a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeping {
    Kept,
    /// It could not be stored, and nobody can ask for it.
    Lost,
}

async fn settled(desk: &Desk, asked: &Asked, audience: &dyn Audience) -> anyhow::Result<Reply> {
    let mut warnings = Vec::new();
    let (receipt, keeping) = match answer(desk, asked, audience).await {
        Ok(receipt) => (receipt, Keeping::Kept),
        Err(Unanswered::Unkept { receipt, why }) => {
            let words = render::words(render::language(&receipt.outcome));
            let why = because(&why.into());
            warnings.push(format!("{}: {why}", words.receipt_lost));
            (*receipt, Keeping::Lost)
        },
        Err(error) => return Err(error.into()),
    };
    if receipt.passages.is_empty() || desk.library.damage().is_some() {
        let language = render::language(&receipt.outcome);
        let empty = vacancy(&*desk.library, &asked.scope, language).await?;
        warnings.extend(empty);
    }
    Ok(Reply {
        receipt,
        keeping,
        warnings,
    })
}

/// The lines of standard input, as they come; reading them must not hold up anything else. A
/// line that cannot be read is the failure of that line alone.
fn standard_input() -> tokio::sync::mpsc::Receiver<Result<String, String>> {
    let (lines, waiting) = tokio::sync::mpsc::channel(1);
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        while let Some(line) = next_line(&mut input) {
            if lines.blocking_send(line).is_err() {
                break;
            }
        }
    });
    waiting
}

/// The next line, or why it cannot be read; `None` at the end.
fn next_line(input: &mut impl BufRead) -> Option<Result<String, String>> {
    /// Far longer than any question; the rest of the line is passed over.
    const LONGEST: u64 = 64 << 10;
    let mut bytes = Vec::new();
    match input.by_ref().take(LONGEST).read_until(b'\n', &mut bytes) {
        Ok(0) => return None,
        Ok(_) => {},
        Err(error) => return Some(Err(format!("standard input could not be read: {error}"))),
    }
    if !bytes.ends_with(b"\n") && bytes.len() as u64 == LONGEST {
        drop(input.skip_until(b'\n'));
        return Some(Err(format!(
            "the line is longer than {} KiB",
            LONGEST >> 10
        )));
    }
    let line = String::from_utf8(bytes).map_err(|_| NOT_UTF_8.to_owned());
    Some(line.map(|line| line.trim_end_matches(['\n', '\r']).to_owned()))
}

fn wrong_use(why: &str, form: Form) -> ExitCode {
    if form == Form::Json {
        console::json(&failure(why));
    } else {
        console::tell(&format!("{} {why}", console::red("error:")));
    }
    super::WRONG_USE.into()
}

fn print_json(made: anyhow::Result<Value>) -> ExitCode {
    match made {
        Ok(object) => {
            console::json(&object);
            ExitCode::SUCCESS
        },
        Err(error) => {
            console::json(&failure(&because(&error)));
            code(&error).into()
        },
    }
}

/// The same keys as an answer, so that a script need not look twice.
fn failure(why: &str) -> Value {
    json!({
        "status": "failed",
        "text": "",
        "error": why,
        "language": null,
        "manner": null,
        "citations": [],
        "nearest": null,
        "confidence": null,
        "revision": null,
        "model": null,
        "prompt": null,
        "receipt": null,
        "warnings": [],
        "millis": null,
    })
}

/// The object that scripts read; its fields may grow and never change.
fn object(reply: &Reply) -> Value {
    let Reply {
        receipt,
        keeping,
        warnings,
    } = reply;
    let kept = *keeping == Keeping::Kept;
    let ready = receipt.ready.as_ref();
    let mut citations = Vec::new();
    let (mut manner, mut nearest) = (None, None);
    match &receipt.outcome {
        Outcome::Answered(answer) => {
            manner = Some(answer.manner);
            citations = answer.citations.iter().map(citation).collect();
        },
        Outcome::Declined(declined) => nearest = Some(&declined.nearest),
    }
    json!({
        "status": status(&receipt.outcome),
        "text": render::text(&receipt.outcome),
        "error": null,
        "language": render::language(&receipt.outcome),
        "manner": manner,
        "citations": citations,
        "nearest": nearest,
        "confidence": receipt.confidence,
        "revision": receipt.revision,
        "model": ready.map(|ready| ready.model.digest),
        "prompt": ready.map(|ready| ready.prompt.digest),
        "receipt": kept.then_some(&receipt.id),
        "warnings": warnings,
        "millis": millis(receipt),
    })
}

fn millis(receipt: &Receipt) -> Value {
    let Millis {
        sources,
        first_token,
        total,
    } = receipt.millis;
    json!({ "sources": sources, "first_token": first_token, "total": total })
}

fn status(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Answered(_) => "answered",
        Outcome::Declined(_) => "declined",
    }
}

fn citation(citation: &crate::domain::answer::Citation) -> Value {
    json!({
        "title": citation.title,
        "uri": citation.uri,
        "heading": render::heading(&citation.heading),
        "quote": citation.quote,
        "collection": citation.collection,
        "modified": citation.modified,
        "document": citation.document,
    })
}

/// Asks and prints for a person.
pub(super) async fn reply(desk: &Desk, asked: &Asked) -> anyhow::Result<Receipt> {
    let words = render::words(Language::of(asked.question.as_str()));
    let preview = console::Preview::new(words);
    let reply = settled(desk, asked, &preview).await;
    preview.clear();
    let Reply {
        receipt,
        keeping,
        warnings,
    } = reply?;
    print_outcome(&receipt.outcome);
    console::say(&console::dim(&match keeping {
        Keeping::Kept => render::footer(&receipt),
        Keeping::Lost => render::makers(&receipt),
    }));
    for warning in &warnings {
        console::tell(warning);
    }
    Ok(receipt)
}

/// The final form.
pub(super) fn print(receipt: &Receipt) {
    print_outcome(&receipt.outcome);
    console::say(&console::dim(&render::footer(receipt)));
}

fn print_outcome(outcome: &Outcome) {
    let words = render::words(render::language(outcome));
    match outcome {
        Outcome::Answered(answer) => {
            console::say(&answer.text());
            if let Some(note) = render::note(outcome) {
                console::say(&console::dim(note));
            }
            console::say("");
            console::say(&console::bold(words.sources));
            for (number, citation) in (1..).zip(&answer.citations) {
                let place = render::source(citation, answer.language);
                console::say(&format!("[{number}] {place}"));
                console::say(&console::dim(&format!("    {}", citation.uri)));
            }
        },
        Outcome::Declined(declined) => {
            console::say(words.not_in_library);
            if !declined.nearest.is_empty() {
                console::say(&console::dim(words.nearest));
            }
            for page in &declined.nearest {
                console::say(&console::dim(&format!("  {} ({})", page.title, page.uri)));
            }
        },
    }
}

#[derive(Debug, Args)]
pub(super) struct Chat {
    #[command(flatten)]
    scope: ScopeArgs,
}

impl Chat {
    pub(super) async fn run(self, settings: Settings) -> anyhow::Result<ExitCode> {
        let desk = wiring::desk(&settings).await?;
        self.scope.check(&*desk.library).await?;
        welcome();
        let mut editor = DefaultEditor::new()?;
        let mut said: Vec<Turn> = Vec::new();
        while let Some(line) = next_said(&mut editor)? {
            let question = match hear(&line) {
                Heard::Question(question) => question,
                Heard::Nothing => continue,
                Heard::Farewell => break,
            };
            let asked = Asked {
                question,
                said: said.clone(),
                scope: self.scope.scope(),
            };
            match reply(&desk, &asked).await {
                Ok(receipt) => remember(&mut said, &receipt),
                Err(error) => {
                    console::tell(&format!("{} {}", console::red("error:"), because(&error)));
                },
            }
            console::say("");
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Nobody has said yet in which language they will ask.
fn welcome() {
    console::tell(&console::dim("Ask away; /quit or Ctrl-D ends."));
    console::tell(&console::dim(
        "무엇이든 물어보세요. /quit이나 Ctrl-D로 끝냅니다.",
    ));
}

/// The next line of the conversation; `None` at its end.
fn next_said(editor: &mut DefaultEditor) -> anyhow::Result<Option<String>> {
    loop {
        match editor.readline("> ") {
            Ok(line) => {
                drop(editor.add_history_entry(line.as_str()));
                return Ok(Some(line));
            },
            Err(ReadlineError::Eof | ReadlineError::Interrupted) => return Ok(None),
            Err(ReadlineError::Io(error)) if error.kind() == ErrorKind::InvalidData => {
                console::tell(NOT_UTF_8);
            },
            Err(error) => return Err(error.into()),
        }
    }
}

/// What a line of a conversation is.
enum Heard {
    Question(QuestionText),
    /// No question, and answered as far as it wants an answer.
    Nothing,
    Farewell,
}

/// Takes up a line, and answers what asks nothing of the library.
fn hear(line: &str) -> Heard {
    let language = Language::of(line);
    if let Some(order) = line.trim().strip_prefix('/')
        && order.chars().all(|c| c.is_ascii_alphabetic())
    {
        if ["quit", "exit", "q"].contains(&order) {
            return Heard::Farewell;
        }
        welcome();
        return Heard::Nothing;
    }
    if let Some(courtesy) = Courtesy::of(line) {
        console::say(&format!("{}\n", courtesy.reply(language)));
        return match courtesy {
            Courtesy::Greeting | Courtesy::Thanks => Heard::Nothing,
            Courtesy::Farewell => Heard::Farewell,
        };
    }
    match QuestionText::new(line) {
        Ok(question) => Heard::Question(question),
        Err(Unaskable::Empty) => Heard::Nothing,
        Err(Unaskable::TooLong(long)) => {
            console::tell(&Notice::TooLong(long).text(language));
            Heard::Nothing
        },
    }
}

/// Keeps a turn, and lets the oldest go.
pub(super) fn remember(said: &mut Vec<Turn>, receipt: &Receipt) {
    said.push(Turn {
        question: receipt.question.as_str().to_owned(),
    });
    let over = said.len().saturating_sub(REMEMBERED);
    said.drain(..over);
}
