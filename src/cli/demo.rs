//! `saseo demo`: opens saseo's own manual and asks it five questions.

use std::process::ExitCode;

use super::{ask, console, library};
use crate::app::answer::Asked;
use crate::app::ingest::Elsewhere;
use crate::domain::document::CollectionName;
use crate::domain::passage::Scope;
use crate::domain::question::{QuestionText, Turn};
use crate::settings::Settings;
use crate::wiring;

/// The collection that the manual stands in.
const MANUAL: &str = "saseo";

/// What is asked, and what it shows. A follow-up sees the question before it.
const QUESTIONS: [(&str, &str, bool); 5] = [
    ("an English question", "Where is the data folder?", false),
    ("a follow-up to it", "And the models folder?", true),
    ("a Korean question", "조사와 어미는 어떻게 처리해?", false),
    (
        "a Korean question that only an English page answers",
        "exit code 2는 무슨 뜻이야?",
        false,
    ),
    (
        "a question that no page answers",
        "What is the wifi password in the office?",
        false,
    ),
];

pub(super) async fn run(settings: Settings) -> anyhow::Result<ExitCode> {
    let collection = CollectionName::new(MANUAL)?;
    let desk = wiring::desk(&settings).await?;
    console::tell(&console::bold("Opening the library: saseo's own manual"));
    let manual = wiring::manual(&collection)?;
    let handed = ("demo", Elsewhere::default());
    let shelved = library::shelve(&desk.shelving(), manual, handed).await?;
    console::tell(&format!(
        "{} pages added, {} changed, {} as they were; the library stands at {}.\n",
        shelved.added.len(),
        shelved.changed.len(),
        shelved.unchanged.len(),
        shelved.revision,
    ));
    let scope = Scope {
        as_of: None,
        collections: vec![collection],
    };
    let mut said: Vec<Turn> = Vec::new();
    for (what, question, follows) in QUESTIONS {
        if !follows {
            said.clear();
        }
        console::say(&console::dim(&format!("— {what}")));
        console::say(&console::bold(&format!("> {question}")));
        let asked = Asked {
            question: QuestionText::new(question)?,
            said: said.clone(),
            scope: scope.clone(),
        };
        let receipt = ask::reply(&desk, &asked).await?;
        ask::remember(&mut said, &receipt);
        console::say("");
    }
    console::say(&console::bold("How to go on"));
    for line in NEXT {
        console::say(&format!("  {line}"));
    }
    Ok(ExitCode::SUCCESS)
}

const NEXT: [&str; 6] = [
    "saseo library add PATH|URL   put your own documents on the shelf",
    "saseo ask \"…\"                ask them; --json for scripts",
    "saseo chat                   hold a conversation",
    "saseo receipt ID             see what made an answer",
    "saseo replay ID              ask again and compare byte for byte",
    "saseo doctor                 check the machine, the models and the library",
];
