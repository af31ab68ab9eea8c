//! The real starter models over saseo's own manual: eighty questions, half of which it cannot
//! answer. What is printed is judged against the pages by a rule of the test's own.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::starter;

/// The manual on the shelf, and a way to ask.
struct Reading {
    folder: tempfile::TempDir,
    models: PathBuf,
}

impl Reading {
    async fn room() -> Self {
        Self::with("knowledge").await
    }

    /// With the pages of a folder of this project.
    async fn with(pages: &str) -> Self {
        let verified = starter::models().await;
        let models = verified.folder(saseo::adapters::models::manifest::Role::Chat);
        let models = models.parent().unwrap().to_owned();
        let room = Self {
            folder: tempfile::tempdir().unwrap(),
            models,
        };
        let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join(pages);
        let added = room
            .command(&["library", "add"])
            .arg(pages)
            .output()
            .unwrap();
        assert!(added.status.success(), "{added:?}");
        room
    }

    fn command(&self, args: &[&str]) -> Command {
        self.command_with(&self.models, args)
    }

    fn command_with(&self, models: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_saseo"));
        command.arg("--data").arg(self.folder.path().join("data"));
        command.arg("--models").arg(models).args(args);
        command
    }

    /// The answers to `questions`, by one process.
    fn ask(&self, questions: &[String]) -> Vec<Value> {
        let mut child = self
            .command(&["ask", "--stdin", "--json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let lines = questions.join("\n") + "\n";
        let writing = std::thread::spawn(move || stdin.write_all(lines.as_bytes()).unwrap());
        let output = child.wait_with_output().unwrap();
        writing.join().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

fn questions() -> Vec<Value> {
    include_str!("fixtures/questions.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Every page of the manual, without Markdown's marks and white space.
fn pages() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("knowledge");
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, bare(&std::fs::read_to_string(path).unwrap()))
        })
        .collect()
}

/// Letters, digits and what holds identifiers together.
fn bare(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_alphanumeric() || "-_/.".contains(*c))
        .collect()
}

/// What speaks against `sentence` by the words of `quote` or of the page: a number that does
/// not stand there, or more than a fifth of its words that do not even begin like one.
fn unsupported(sentence: &str, page: &str, quote: &str) -> Option<String> {
    if page.contains(&bare(sentence)) {
        return None;
    }
    let words = |text: &str| -> BTreeSet<String> {
        let word = |c: char| !c.is_alphanumeric();
        text.to_lowercase()
            .split(word)
            .filter(|w| !w.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let there = words(quote);
    let begins = |word: &str| {
        let stem: String = word.chars().take(4).collect();
        there.iter().any(|other| other.starts_with(&stem))
    };
    let claimed = words(sentence);
    let number = claimed
        .iter()
        .find(|w| w.contains(|c: char| c.is_ascii_digit()) && !there.contains(*w));
    if let Some(number) = number {
        return Some(format!("{number} stands nowhere"));
    }
    let long: Vec<_> = claimed.iter().filter(|w| w.chars().count() > 3).collect();
    let foreign = long.iter().filter(|w| !begins(w)).count();
    (foreign * 5 > long.len())
        .then(|| format!("{foreign} of {} words stand nowhere", long.len()))
}

/// The sentences of an answer with the citation of each.
fn sentences(answer: &Value) -> Vec<(String, usize)> {
    let text = answer["text"].as_str().unwrap();
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((sentence, after)) = rest.split_once(" [") {
        let Some((number, tail)) = after.split_once(']') else {
            break;
        };
        let Ok(number) = number.parse::<usize>() else {
            break;
        };
        found.push((sentence.trim().to_owned(), number - 1));
        rest = tail;
    }
    found
}

#[tokio::test]
#[expect(
    clippy::print_stdout,
    reason = "the counts are what this test is read for"
)]
async fn nothing_that_the_pages_do_not_say_is_printed() {
    let room = Reading::room().await;
    let (questions, pages) = (questions(), pages());
    let texts: Vec<_> = questions
        .iter()
        .map(|q| q["text"].as_str().unwrap().to_owned())
        .collect();

    let answers = room.ask(&texts);

    assert_eq!(answers.len(), questions.len());
    let (mut counts, mut wrong) = (BTreeMap::<String, usize>::new(), Vec::new());
    for (question, answer) in questions.iter().zip(&answers) {
        let answerable = if question["answerable"] == true {
            "answerable"
        } else {
            "unanswerable"
        };
        let status = answer["status"].as_str().unwrap();
        *counts.entry(format!("{answerable} {status}")).or_default() += 1;
        if status != "answered" {
            continue;
        }
        let manner = answer["manner"].as_str().unwrap();
        *counts.entry(format!("{answerable} {manner}")).or_default() += 1;
        let cited = answer["citations"].as_array().unwrap();
        let page = question["page"].as_str().unwrap_or_default();
        let right = |c: &Value| {
            c["uri"]
                .as_str()
                .is_some_and(|uri| uri.ends_with(&format!("/{page}")))
        };
        if question["answerable"] == true && cited.iter().any(right) {
            *counts.entry("rightly cited".to_owned()).or_default() += 1;
        }
        for (sentence, citation) in sentences(answer) {
            let citation = &cited[citation];
            let uri = citation["uri"].as_str().unwrap();
            let page = &pages[uri.rsplit('/').next().unwrap()];
            if let Some(why) = unsupported(&sentence, page, citation["quote"].as_str().unwrap())
            {
                wrong.push(format!("{}: {sentence} ({why})", question["id"]));
            }
        }
    }
    println!("{counts:?}");
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(
        counts["rightly cited"] >= 13 && counts["unanswerable declined"] >= 32,
        "{counts:?}"
    );
}

/// A handbook with everything that a sentence can be torn out of: lists of what is forbidden,
/// questions with their answers, what is struck out or holds no longer, tables with empty cells.
#[tokio::test]
async fn what_is_quoted_means_what_it_means_on_its_page() {
    let rows: Vec<Value> = include_str!("fixtures/handbook.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let room = Reading::with("tests/fixtures/handbook").await;
    let questions: Vec<String> = rows
        .iter()
        .map(|row| row["question"].as_str().unwrap().to_owned())
        .collect();

    let answers = room.ask(&questions);

    let mut wrong = Vec::new();
    for (row, answer) in rows.iter().zip(&answers) {
        let text = answer["text"].as_str().unwrap();
        let listed = |field: &str| row[field].as_array().unwrap().iter();
        let has = |part: &Value| text.contains(part.as_str().unwrap());
        let missed = listed("says").any(|part| !has(part));
        let alone = answer["status"] == "answered"
            && !row["only_with"]
                .as_str()
                .is_none_or(|lead| text.contains(lead));
        if missed || alone || listed("never").any(has) {
            wrong.push(format!("{}: {text}", row["question"]));
        }
    }
    assert_eq!(answers.len(), rows.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn twenty_answers_are_given_again_byte_for_byte() {
    let room = Reading::room().await;
    let answerable = questions().into_iter().filter(|q| q["answerable"] == true);
    let texts: Vec<_> = answerable
        .step_by(2)
        .map(|q| q["text"].as_str().unwrap().to_owned())
        .collect();
    let receipts: Vec<String> = room
        .ask(&texts)
        .iter()
        .map(|answer| answer["receipt"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(receipts.len(), 20);

    let replayed = room
        .command(&["replay", "--json"])
        .args(&receipts)
        .output()
        .unwrap();

    let text = String::from_utf8(replayed.stdout).unwrap();
    let same = text
        .lines()
        .filter(|line| line.contains("\"identical\":true"))
        .count();
    assert_eq!(same, 20, "{text}");
    assert!(replayed.status.success());
}

#[tokio::test]
async fn a_changed_byte_of_the_weights_is_refused_at_the_start() {
    let room = Reading::room().await;
    let copy = tempfile::tempdir().unwrap();
    for name in ["smollm2-135m-instruct-f16", "multilingual-e5-small"] {
        std::fs::create_dir(copy.path().join(name)).unwrap();
        for entry in std::fs::read_dir(room.models.join(name)).unwrap() {
            let from = entry.unwrap().path();
            std::fs::copy(
                &from,
                copy.path().join(name).join(from.file_name().unwrap()),
            )
            .unwrap();
        }
    }
    std::fs::copy(
        room.models.join("models.lock"),
        copy.path().join("models.lock"),
    )
    .unwrap();
    let weights = copy
        .path()
        .join("smollm2-135m-instruct-f16/model.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::remove_file(&weights).unwrap();
    std::fs::write(&weights, bytes).unwrap();

    let ran = room
        .command_with(copy.path(), &["ask", "Anything?"])
        .output()
        .unwrap();

    assert_eq!(ran.status.code(), Some(1));
    let told = String::from_utf8(ran.stderr).unwrap();
    assert!(
        told.contains("smollm2-135m-instruct-f16/model.safetensors"),
        "{told}"
    );
}

/// `make demo` ends in this; what it shows is what a new user gets to see first.
#[tokio::test]
async fn the_demo_shows_what_it_says_it_shows() {
    let room = Reading::room().await;
    let demo = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_saseo"))
        .arg("--data")
        .arg(demo.path())
        .arg("--models")
        .arg(&room.models)
        .arg("demo")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let shown = String::from_utf8(output.stdout).unwrap();
    let parts: Vec<&str> = shown.split("\n> ").skip(1).collect();
    assert_eq!(parts.len(), 5, "{shown}");
    for (part, words, place) in [
        (parts[0], "~/.local/share/saseo", "Default folders"),
        (parts[1], "~/.cache/saseo/models", "First steps"),
        (parts[2], "조사와 어미를 떼어 냅니다", "조사와 어미 처리"),
        (
            parts[3],
            "Exit code 2 means wrong use",
            "Scripting and exit codes > Exit codes",
        ),
    ] {
        assert!(
            part.contains(words) && part.contains(place),
            "{words}: {part}"
        );
    }
    assert!(
        parts[4].contains("The library has no answer to this."),
        "{}",
        parts[4]
    );
}
