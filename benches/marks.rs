//! How fast saseo is on this machine: a table, with what is compared side by side.
//!
//! Uses the starter models from `SASEO_TEST_MODELS` or the usual models folder. Put nothing
//! else on the machine meanwhile: a busy core slows inference several times over.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a measurement stops where it cannot go on, reads clocks and prints"
)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use saseo::adapters::clock::SystemClock;
use saseo::adapters::store::Stacks;
use saseo::domain::chunk::{Chunk, Span};
use saseo::domain::document::{CollectionName, Document, Shelfmark};
use saseo::domain::embedding::{Embedding, Fingerprint, Purpose};
use saseo::domain::language::Language;
use saseo::domain::passage::Scope;
use saseo::ports::{Library as _, Order, Prepared, Query};
use saseo::settings::{Settings, environment};
use saseo::wiring;
use serde_json::Value;

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    println!("| what | value |\n|---|---|");
    runtime.block_on(embedding());
    for (chunks, name) in [(10_000, "10k"), (100_000, "100k")] {
        runtime.block_on(search(chunks, name));
    }
    let dense = asking("starter", None);
    let q8 = asking("starter as Q8_0", Some("deploy/models/starter-q8.toml"));
    if let (Some(dense), Some(q8)) = (dense, q8) {
        row(
            "final answer, Q8_0 against dense",
            &format!("{:.2} times the time", q8 / dense),
        );
    }
}

fn row(what: &str, value: &str) {
    println!("| {what} | {value} |");
}

fn models() -> PathBuf {
    let settings = Settings::read(None, &environment()).unwrap();
    std::env::var_os("SASEO_TEST_MODELS").map_or(settings.folders.models, PathBuf::from)
}

fn settings(data_folder: &Path) -> Settings {
    let mut settings = Settings::read(None, &environment()).unwrap();
    settings.folders.data = data_folder.to_owned();
    settings.folders.models = models();
    settings
}

/// Tokens embedded and chunks shelved in a second, on saseo's own manual.
async fn embedding() {
    let folder = tempfile::tempdir().unwrap();
    let stocked = wiring::stocked(&settings(folder.path())).await.unwrap();
    let manual = wiring::manual(&CollectionName::default()).unwrap();
    let cut = wiring::cutter(&stocked.shelving);
    let texts: Vec<String> = manual
        .iter()
        .flat_map(|page| {
            cut(page)
                .into_iter()
                .map(|chunk| chunk.indexed_text(&page.title))
        })
        .collect();
    let tokens: usize = texts.iter().map(|text| stocked.embedder.tokens(text)).sum();
    let started = Instant::now();
    stocked
        .embedder
        .embed(Purpose::Passage, &texts)
        .await
        .unwrap();
    row(
        "tokens embedded a second",
        &format!("{:.0}", per_second(tokens, started.elapsed())),
    );
    let started = Instant::now();
    let shelved = saseo::app::ingest::shelve(
        &stocked.shelving,
        manual,
        ("bench", saseo::app::ingest::Elsewhere::Refuse),
        &|_| {},
    )
    .await
    .unwrap();
    let rate = per_second(shelved.chunks, started.elapsed());
    row("chunks added a second, all told", &format!("{rate:.1}"));
}

fn per_second(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// Chance that is the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// Between 0 and 1.
    fn share(&mut self) -> f64 {
        self.roll() as f64 / f64::from(1_u32 << 31)
    }

    /// Few words are frequent and most are rare, as in any language.
    fn words(&mut self, count: usize) -> String {
        let words = (0..count).map(|_| format!("word{:.0}", 20_000_f64.powf(self.share())));
        words.collect::<Vec<_>>().join(" ")
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "a vector needs no more digits"
    )]
    fn embedding(&mut self) -> Embedding {
        Embedding::normalised((0..384).map(|_| (self.share() - 0.5) as f32).collect())
    }
}

fn made_up(dice: &mut Dice, number: usize) -> Order {
    const CHUNKS: usize = 100;
    let texts: Vec<String> = (0..CHUNKS).map(|_| dice.words(100)).collect();
    let (mut chunks, mut start) = (Vec::new(), 0);
    for text in &texts {
        let span = Span {
            start,
            end: start + text.len(),
        };
        chunks.push(Chunk {
            heading: Vec::new(),
            text: text.clone(),
            span,
        });
        start = span.end + 1;
    }
    let uri = format!("{number}.md");
    let document = Document {
        shelfmark: Shelfmark {
            collection: CollectionName::default(),
            uri,
        },
        title: format!("Page {number}"),
        language: Language::English,
        modified: None,
        carried: None,
        origin: None,
        text: texts.join("\n"),
    };
    let embeddings = chunks.iter().map(|_| dice.embedding()).collect();
    Order::Put(Box::new(Prepared {
        document,
        chunks,
        embeddings,
    }))
}

fn open(folder: &Path) -> Stacks {
    let fingerprint = Fingerprint("made-up".to_owned());
    let clock = Arc::new(SystemClock::start());
    Stacks::open(folder, Some(fingerprint), clock)
        .unwrap()
        .library
}

/// A library of made-up chunks, and their vectors.
async fn stock(folder: &Path, chunks: usize, dice: &mut Dice) -> Vec<Embedding> {
    let library = open(folder);
    let mut vectors = Vec::new();
    for batch in 0..chunks / 1_000 {
        let orders: Vec<Order> = (0..10)
            .map(|number| made_up(dice, batch * 10 + number))
            .collect();
        for order in &orders {
            let Order::Put(prepared) = order else {
                continue;
            };
            vectors.extend(prepared.embeddings.iter().cloned());
        }
        library.commit(orders, "bench").await.unwrap();
    }
    vectors
}

/// Search over made-up chunks, against reading every vector in full.
async fn search(chunks: usize, name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let mut dice = Dice(7);
    let vectors = stock(folder.path(), chunks, &mut dice).await;
    let started = Instant::now();
    let library = open(folder.path());
    row(
        &format!("library of {name} chunks opened"),
        &seconds(started.elapsed()),
    );
    let (ours, exact) = compare(&library, &vectors, &mut dice).await;
    row(
        &format!("search in {name} chunks, median"),
        &format!("{ours:.1} ms"),
    );
    row(
        &format!("{name}: the whole search against an exact scan of the vectors alone"),
        &format!("{:.2} times the time", ours / exact),
    );
    let more = vec![made_up(&mut dice, chunks)];
    let started = Instant::now();
    library.commit(more, "bench").await.unwrap();
    row(
        &format!("a hundred chunks added to {name}"),
        &seconds(started.elapsed()),
    );
}

/// Median milliseconds of our search, and of taking every cosine in full.
async fn compare(library: &Stacks, vectors: &[Embedding], dice: &mut Dice) -> (f64, f64) {
    let (mut ours, mut exact) = (Vec::new(), Vec::new());
    for _ in 0..50 {
        let query = Query {
            text: dice.words(6),
            embedding: dice.embedding(),
            passages: 8,
        };
        let started = Instant::now();
        library.search(&query, &Scope::default()).await.unwrap();
        ours.push(started.elapsed().as_secs_f64() * 1000.0);
        let started = Instant::now();
        let mut cosines: Vec<f32> = vectors
            .iter()
            .map(|vector| vector.cosine(&query.embedding))
            .collect();
        cosines.select_nth_unstable_by(100, |a, b| b.total_cmp(a));
        exact.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    (median(ours), median(exact))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn seconds(took: Duration) -> String {
    format!("{:.2} s", took.as_secs_f64())
}

/// The program as people meet it: from its start to its answers, over its own manual.
fn asking(name: &str, manifest: Option<&str>) -> Option<f64> {
    let folder = tempfile::tempdir().unwrap();
    let program = Program {
        data_folder: folder.path().to_owned(),
        manifest,
    };
    let knowledge = Path::new(env!("CARGO_MANIFEST_DIR")).join("knowledge");
    let added = program
        .command(&["library", "add"])
        .arg(knowledge)
        .output()
        .unwrap();
    if !added.status.success() {
        let why = String::from_utf8_lossy(&added.stderr);
        row(name, &format!("not measured: {}", why.trim()));
        return None;
    }
    // Of the empty library nothing is asked of the model that writes: this is how long it takes
    // until sources can be found.
    let started = Instant::now();
    Conversation::begin(&program, &["--as-of", "0"]).ask("zzz");
    row(
        &format!("{name}: from start to ready to find sources"),
        &seconds(started.elapsed()),
    );
    let started = Instant::now();
    let mut conversation = Conversation::begin(&program, &[]);
    conversation.ask("zzz");
    row(
        &format!("{name}: from start to the first whole answer"),
        &seconds(started.elapsed()),
    );
    let mut millis: [Vec<f64>; 3] = Default::default();
    for question in questions() {
        let answer = conversation.ask(&question);
        for (list, key) in millis.iter_mut().zip(["sources", "first_token", "total"]) {
            list.extend(answer["millis"][key].as_f64());
        }
    }
    let [sources, first, total] = millis.map(median);
    row(
        &format!("{name}: question to sources, median"),
        &format!("{sources:.0} ms"),
    );
    row(
        &format!("{name}: question to first words, median"),
        &format!("{first:.0} ms"),
    );
    row(
        &format!("{name}: question to final answer, median"),
        &format!("{total:.0} ms"),
    );
    row(&format!("{name}: peak memory"), &conversation.peak_memory());
    Some(total)
}

/// English questions that the manual answers: those that the starter model writes about.
fn questions() -> Vec<String> {
    include_str!("../tests/fixtures/questions.jsonl")
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|question| question["lang"] == "en" && question["answerable"] == true)
        .map(|question| question["text"].as_str().unwrap().to_owned())
        .collect()
}

struct Program<'a> {
    data_folder: PathBuf,
    manifest: Option<&'a str>,
}

impl Program<'_> {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_saseo"));
        command
            .arg("--data")
            .arg(&self.data_folder)
            .arg("--models")
            .arg(models())
            .args(args);
        if let Some(manifest) = self.manifest {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(manifest);
            command.env("SASEO__LIBRARIAN__MANIFEST", path);
        }
        // What is measured is the whole way, so nothing that was found is declined.
        command.env("SASEO__ANSWER__CONFIDENCE_FLOOR", "0.0");
        command
    }
}

/// A program that answers one line after another.
struct Conversation {
    child: Child,
    replies: BufReader<std::process::ChildStdout>,
}

impl Conversation {
    fn begin(program: &Program<'_>, further: &[&str]) -> Self {
        let mut child = program
            .command(&["ask", "--stdin", "--json"])
            .args(further)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let replies = BufReader::new(child.stdout.take().unwrap());
        Self { child, replies }
    }

    fn ask(&mut self, question: &str) -> Value {
        writeln!(self.child.stdin.as_mut().unwrap(), "{question}").unwrap();
        let mut reply = String::new();
        self.replies.read_line(&mut reply).unwrap();
        serde_json::from_str(&reply).unwrap()
    }

    fn peak_memory(&self) -> String {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak.map_or_else(
            || "not known here".to_owned(),
            |peak| peak.trim().to_owned(),
        )
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}
