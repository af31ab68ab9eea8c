//! The library on disk survives what happens to disks and processes.
#![expect(
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on should say where and stop"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use saseo::adapters::store::{Opened, Receipts, Stacks, Standing, Tools};
use saseo::domain::chunk::{Chunk, Span};
use saseo::domain::document::{CollectionName, Digest, Document, Shelfmark};
use saseo::domain::language::Language;
use saseo::domain::passage::{Found, Scope};
use saseo::domain::revision::{Change, Damage, Revision};
use saseo::ports::{
    Accession, Clock, Embedder as _, Ledger as _, Library as _, Order, Prepared, Query,
    Uncommitted, Unread,
};

use crate::support::embedder::WordHashes;

/// A clock that stands still.
struct Noon;

impl Clock for Noon {
    fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

/// A data folder, its open library and an embedder.
struct Room {
    folder: Arc<tempfile::TempDir>,
    library: Stacks,
    ledger: Receipts,
    embedder: WordHashes,
    /// What opening and catching up said.
    notes: Vec<String>,
}

impl Room {
    async fn new() -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        Self::within(folder, WordHashes::new(64)).await
    }

    async fn within(folder: Arc<tempfile::TempDir>, embedder: WordHashes) -> Self {
        let opened = open(folder.path(), &embedder).unwrap();
        let Opened {
            library,
            ledger,
            mut notes,
            inbox: _,
        } = opened;
        if let Standing::Behind(_) = library.standing() {
            notes.extend(library.catch_up(tools(&embedder)).await.unwrap());
        }
        Self {
            folder,
            library,
            ledger,
            embedder,
            notes,
        }
    }

    /// Closes the library, does something to the folder, and opens it again.
    async fn reopened(self, meanwhile: impl FnOnce(&Path)) -> Self {
        let folder = self.closed();
        meanwhile(folder.path());
        Self::within(folder, WordHashes::new(64)).await
    }

    fn closed(self) -> Arc<tempfile::TempDir> {
        let Self {
            folder,
            library,
            ledger,
            embedder: _,
            notes: _,
        } = self;
        drop(library);
        drop(ledger);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put(&self, uri: &str, text: &str) -> Order {
        self.put_in("library", uri, text)
    }

    fn put_in(&self, collection: &str, uri: &str, text: &str) -> Order {
        put(&self.embedder, (collection, uri), text)
    }

    async fn add(&self, uri: &str, text: &str) -> Revision {
        let order = self.put(uri, text);
        self.library.commit(vec![order], "test").await.unwrap()
    }

    /// A revision in the making, with these documents put down.
    async fn accession(&self, documents: &[(&str, &str)]) -> Box<dyn Accession> {
        let mut accession = self.library.accession().await.unwrap();
        for (uri, text) in documents {
            let Order::Put(prepared) = self.put(uri, text) else {
                unreachable!()
            };
            accession.put(*prepared).await.unwrap();
        }
        accession
    }

    async fn remove(&self, uri: &str) -> Revision {
        let order = Order::Remove(shelfmark("library", uri));
        self.library.commit(vec![order], "test").await.unwrap()
    }

    async fn found(&self, question: &str, scope: &Scope) -> Result<Found, Unread> {
        let query = Query {
            text: question.to_owned(),
            embedding: self.embedder.one(question),
            passages: 50,
        };
        self.library.search(&query, scope).await
    }

    /// Where the passages for `question` stand, best first.
    async fn ask(&self, question: &str) -> Vec<String> {
        self.ask_within(question, &Scope::default()).await
    }

    async fn ask_at(&self, question: &str, revision: u64) -> Vec<String> {
        self.ask_within(question, &as_of(revision)).await
    }

    async fn ask_within(&self, question: &str, scope: &Scope) -> Vec<String> {
        let found = self.found(question, scope).await.unwrap();
        found
            .passages
            .into_iter()
            .map(|passage| passage.uri)
            .collect()
    }

    async fn findings(&self) -> Vec<String> {
        self.library.verify().await.unwrap()
    }
}

fn open(
    folder: &Path,
    embedder: &WordHashes,
) -> Result<Opened, saseo::adapters::store::Trouble> {
    Stacks::open(folder, Some(embedder.fingerprint()), Arc::new(Noon))
}

fn tools(embedder: &WordHashes) -> Tools<'_> {
    Tools {
        embedder,
        cut: &cut,
        progress: &|_, _| {},
    }
}

fn put(embedder: &WordHashes, (collection, uri): (&str, &str), text: &str) -> Order {
    let document = Document {
        shelfmark: shelfmark(collection, uri),
        title: format!("Title of {uri}"),
        language: Language::of(text),
        modified: None,
        carried: None,
        origin: None,
        text: text.to_owned(),
    };
    let chunks = cut(&document);
    let embeddings = chunks
        .iter()
        .map(|chunk| embedder.one(&chunk.indexed_text(&document.title)))
        .collect();
    Order::Put(Box::new(Prepared {
        document,
        chunks,
        embeddings,
    }))
}

fn shelfmark(collection: &str, uri: &str) -> Shelfmark {
    Shelfmark {
        collection: CollectionName::new(collection).unwrap(),
        uri: uri.to_owned(),
    }
}

/// One chunk per line.
fn cut(document: &Document) -> Vec<Chunk> {
    let mut start = 0;
    let mut chunks = Vec::new();
    for line in document.text.split_inclusive('\n') {
        let text = line.trim_end_matches('\n');
        if !text.is_empty() {
            let end = start + text.len();
            chunks.push(Chunk {
                heading: Vec::new(),
                text: text.to_owned(),
                span: Span { start, end },
            });
        }
        start += line.len();
    }
    chunks
}

fn as_of(revision: u64) -> Scope {
    Scope {
        as_of: Some(Revision(revision)),
        collections: Vec::new(),
    }
}

fn within(collection: &str) -> Scope {
    Scope {
        as_of: None,
        collections: vec![CollectionName::new(collection).unwrap()],
    }
}

#[tokio::test]
async fn an_empty_library_finds_nothing() {
    let room = Room::new().await;
    assert_eq!(room.library.revision(), Revision(0));
    assert!(room.ask("anything at all").await.is_empty());
    assert!(room.findings().await.is_empty());
}

#[tokio::test]
async fn what_was_added_is_found_and_is_there_after_closing() {
    let room = Room::new().await;
    room.add(
        "leave.md",
        "Annual leave is 15 days.\nSick leave needs a note.",
    )
    .await;
    room.add("vpn.md", "VPN access is asked for by mail.").await;
    assert_eq!(
        room.ask("how many days of annual leave").await[0],
        "leave.md"
    );
    let before = room.found("VPN access", &Scope::default()).await.unwrap();

    let room = room.reopened(|_| ()).await;
    assert_eq!(room.notes, Vec::<String>::new());
    assert_eq!(room.library.revision(), Revision(2));
    assert_eq!(
        room.found("VPN access", &Scope::default()).await.unwrap(),
        before
    );
    assert_eq!(before.passages[0].text, "VPN access is asked for by mail.");
    let text = room
        .library
        .text(before.passages[0].document)
        .await
        .unwrap();
    assert_eq!(text, "VPN access is asked for by mail.");
    assert_eq!(room.embedder.embedded(), 0);
    assert!(room.findings().await.is_empty());
}

#[tokio::test]
async fn an_earlier_revision_reads_as_it_did_on_its_day() {
    let room = Room::new().await;
    room.add("a.md", "The printer is on the second floor.")
        .await;
    let first = room
        .found("printer floor", &Scope::default())
        .await
        .unwrap();
    room.add("a.md", "The printer is on the third floor.").await;
    room.add("b.md", "Another printer stands in the cellar.")
        .await;
    room.remove("a.md").await;

    assert_eq!(room.ask("printer").await, ["b.md"]);
    assert_eq!(room.found("printer floor", &as_of(1)).await.unwrap(), first);
    let second = room.found("printer floor", &as_of(2)).await.unwrap();
    assert_eq!(
        second.passages[0].text,
        "The printer is on the third floor."
    );
    assert!(room.ask_at("printer", 0).await.is_empty());
    let refusal = room
        .found("printer", &as_of(9))
        .await
        .unwrap_err()
        .to_string();
    assert_eq!(refusal, "the library has no revision r9; it stands at r4");
    let cards = room.library.cards(&as_of(3)).await.unwrap();
    let uris: Vec<_> = cards
        .iter()
        .map(|card| card.shelfmark.uri.as_str())
        .collect();
    assert_eq!(uris, ["a.md", "b.md"]);
}

#[tokio::test]
async fn orders_that_change_nothing_make_no_revision() {
    let room = Room::new().await;
    assert_eq!(room.add("a.md", "One.").await, Revision(1));
    assert_eq!(room.add("a.md", "One.").await, Revision(1));
    assert_eq!(room.remove("nowhere.md").await, Revision(1));
    let orders = vec![room.put("a.md", "One."), room.put("b.md", "Two.")];
    assert_eq!(
        room.library.commit(orders, "test").await.unwrap(),
        Revision(2)
    );
    let log = room.library.log().await.unwrap();
    assert_eq!(log.len(), 2);
    assert!(matches!(log[1].changes.as_slice(), [Change::Added(card)]
        if card.shelfmark.uri == "b.md"));
    assert_eq!(log[1].by, "test");
}

#[tokio::test]
async fn an_accession_is_seen_when_it_is_committed_and_then_whole() {
    let room = Room::new().await;
    let mut accession = room.accession(&[("a.md", A), ("b.md", B)]).await;
    assert_eq!(room.library.revision(), Revision(0));
    assert!(room.ask("printer").await.is_empty());
    assert!(room.findings().await.is_empty());

    // What others commit meanwhile takes the numbers that these would have had.
    room.add("c.md", "The printer has no paper.").await;
    accession.remove(shelfmark("library", "c.md"));
    assert_eq!(accession.commit("test").await.unwrap(), Revision(2));

    assert_eq!(room.library.log().await.unwrap()[1].changes.len(), 3);
    let room = room.reopened(|_| ()).await;
    assert_eq!(room.notes, Vec::<String>::new());
    let mut found = room.ask("printer").await;
    found.sort();
    assert_eq!(found, ["a.md", "b.md"]);
    assert_eq!(room.ask_at("printer", 1).await, ["c.md"]);
    assert!(room.findings().await.is_empty());
}

#[tokio::test]
async fn of_several_orders_for_one_place_the_last_counts() {
    let room = Room::new().await;
    room.add("a.md", A).await;
    let mut accession = room
        .accession(&[
            ("a.md", B),
            ("a.md", A),
            ("b.md", A),
            ("b.md", B),
            ("c.md", B),
        ])
        .await;
    accession.remove(shelfmark("library", "c.md"));
    assert_eq!(accession.commit("test").await.unwrap(), Revision(2));
    let log = room.library.log().await.unwrap();
    assert!(matches!(log[1].changes.as_slice(), [Change::Added(card)]
        if card.shelfmark.uri == "b.md" && card.text == Digest::of(B.as_bytes())));
    assert!(room.findings().await.is_empty());
}

#[tokio::test]
async fn an_accession_that_is_dropped_has_not_happened() {
    let room = Room::new().await;
    let accession = room.accession(&[("a.md", A), ("b.md", B)]).await;
    let aside = room.path("documents/writing");
    let put = fs::read_dir(&aside).unwrap().next().unwrap().unwrap();
    assert!(fs::read_dir(put.path()).unwrap().count() >= 2);
    drop(accession);
    assert_eq!(fs::read_dir(&aside).unwrap().count(), 0);
    assert_eq!(room.library.revision(), Revision(0));
    assert!(room.findings().await.is_empty());
    assert_eq!(room.add("a.md", A).await, Revision(1));
}

#[tokio::test]
async fn what_a_killed_accession_leaves_is_cleared_and_its_embeddings_are_used() {
    let room = Room::new().await;
    room.add("a.md", A).await;
    let accession = room.accession(&[("b.md", B)]).await;
    // What lies on the disk now is what a kill would leave there.
    let copy = Arc::new(tempfile::tempdir().unwrap());
    copy_folder(room.folder.path(), copy.path());
    drop(accession);

    let room = Room::within(copy, WordHashes::new(64)).await;
    assert_eq!(room.notes, Vec::<String>::new());
    assert_eq!(room.library.revision(), Revision(1));
    assert_eq!(room.ask("printer").await, ["a.md"]);
    assert_eq!(
        fs::read_dir(room.path("documents/writing"))
            .unwrap()
            .count(),
        0
    );
    let order = room.put("b.md", B);
    let Order::Put(prepared) = &order else {
        unreachable!()
    };
    let text = prepared.chunks[0].indexed_text(&prepared.document.title);
    assert!(
        room.library
            .known(std::slice::from_ref(&text))
            .await
            .unwrap()[0]
            .is_some()
    );
    assert!(room.findings().await.is_empty());
    room.library.rebuild(tools(&room.embedder)).await.unwrap();
    assert!(room.findings().await.is_empty());
    let receipts = &room.ledger;
    room.library.compact(receipts, None).await.unwrap();
    assert!(room.findings().await.is_empty());
    assert!(room.library.known(&[text]).await.unwrap()[0].is_none());
    room.library.commit(vec![order], "test").await.unwrap();
    assert_eq!(room.ask("printer").await.len(), 2);
}

#[tokio::test]
async fn an_accession_goes_on_over_a_rebuild_and_is_refused_whole_after_a_compaction() {
    let room = Room::new().await;
    room.add("a.md", A).await;
    let accession = room.accession(&[("b.md", B)]).await;
    room.library.rebuild(tools(&room.embedder)).await.unwrap();
    assert_eq!(accession.commit("test").await.unwrap(), Revision(2));
    assert!(room.findings().await.is_empty());

    let accession = room.accession(&[("c.md", "The printer hums.")]).await;
    room.library.compact(&room.ledger, None).await.unwrap();
    let refusal = accession.commit("test").await;
    assert!(
        matches!(refusal, Err(Uncommitted::Failed(_))),
        "{refusal:?}"
    );
    assert_eq!(room.library.revision(), Revision(2));
    assert_eq!(room.add("c.md", "The printer hums.").await, Revision(3));
    assert!(room.findings().await.is_empty());
}

const A: &str = "The printer is on the second floor.";
const B: &str = "The other printer stands in the cellar.";

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_folder(&path, &copy);
        } else {
            fs::copy(path, copy).unwrap();
        }
    }
}

#[tokio::test]
async fn an_equal_text_at_two_places_is_one_passage() {
    let room = Room::new().await;
    let text = "Lunch is at noon.";
    room.add("b.md", text).await;
    room.add("a.md", text).await;
    room.add("c.md", "Lunch is at one on Fridays.").await;
    assert_eq!(room.ask("lunch").await.len(), 2);
    assert_eq!(
        room.library.cards(&Scope::default()).await.unwrap().len(),
        3
    );
    room.remove("a.md").await;
    assert_eq!(room.ask("when is lunch noon").await[0], "b.md");
    room.remove("b.md").await;
    assert_eq!(room.ask("when is lunch noon").await, ["c.md"]);
}

#[tokio::test]
async fn a_text_that_stands_everywhere_does_not_crowd_out_the_others() {
    let room = Room::new().await;
    let mut orders: Vec<_> = (0..1_500)
        .map(|n| {
            room.put(
                &format!("copy-{n:04}.md"),
                "Printer printer printer notice.",
            )
        })
        .collect();
    orders.push(room.put("real.md", "The printer notice of the house rules."));
    room.library.commit(orders, "test").await.unwrap();
    let found = room.ask("printer notice").await;
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.contains(&"real.md".to_owned()));
}

#[tokio::test]
async fn a_collection_that_may_not_be_read_is_not_felt_either() {
    let room = Room::new().await;
    room.library
        .commit(
            vec![room.put_in("open", "a.md", "Salary day is the 25th.")],
            "test",
        )
        .await
        .unwrap();
    let alone = room.found("salary secret", &within("open")).await.unwrap();
    let secret: Vec<_> = (0..30)
        .map(|n| room.put_in("closed", &format!("{n}.md"), &format!("Secret salary {n}.")))
        .collect();
    room.library.commit(secret, "test").await.unwrap();
    let after = room.found("salary secret", &within("open")).await.unwrap();
    assert_eq!(after.passages, alone.passages);
    assert_eq!(after.terms, alone.terms);
    assert_eq!(
        room.ask_within("salary secret", &within("nothing"))
            .await
            .len(),
        0
    );
}

#[tokio::test]
async fn a_torn_line_is_set_aside_and_the_library_goes_on() {
    let room = Room::new().await;
    room.add("a.md", "Kept.").await;
    let room = room
        .reopened(|folder| append(&folder.join("register.jsonl"), b"{\"revision\":2,\"at\""))
        .await;
    assert!(room.notes[0].contains("never finished"), "{:?}", room.notes);
    assert_eq!(room.library.revision(), Revision(1));
    assert_eq!(room.add("b.md", "Also kept.").await, Revision(2));
    let room = room.reopened(|_| ()).await;
    assert_eq!(room.notes, Vec::<String>::new());
    assert!(room.findings().await.is_empty());
}

fn append(path: &Path, bytes: &[u8]) {
    let mut whole = fs::read(path).unwrap();
    whole.extend_from_slice(bytes);
    fs::write(path, whole).unwrap();
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x04;
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_changed_byte_in_the_register_is_found() {
    let room = Room::new().await;
    room.add("aaaa.md", "One.").await;
    room.add("bbbb.md", "Two.").await;
    let register = room.path("register.jsonl");
    let sound = fs::read(&register).unwrap();
    for uri in ["aaaa.md", "bbbb.md"] {
        let at = find(&sound, uri.as_bytes());
        flip(&register, at);
        let findings = room.findings().await;
        assert!(!findings.is_empty(), "{uri}");
        assert!(findings[0].contains("register"), "{findings:?}");
        fs::write(&register, &sound).unwrap();
    }
    assert!(room.findings().await.is_empty());
    flip(&register, find(&sound, b"aaaa.md"));
    let embedder = WordHashes::new(64);
    let folder = room.closed();
    let refusal = open(folder.path(), &embedder).err().unwrap().to_string();
    assert!(refusal.contains("line 2 of"), "{refusal}");
}

fn find(bytes: &[u8], part: &[u8]) -> usize {
    bytes
        .windows(part.len())
        .position(|window| window == part)
        .unwrap()
}

#[tokio::test]
async fn a_lost_line_of_the_register_is_told() {
    let room = Room::new().await;
    room.add("a.md", "One.").await;
    room.add("b.md", "Two.").await;
    let room = room
        .reopened(|folder| {
            let register = folder.join("register.jsonl");
            let bytes = fs::read(&register).unwrap();
            let first = find(&bytes, b"\n") + 1;
            fs::write(&register, &bytes[..first]).unwrap();
        })
        .await;
    assert_eq!(room.notes, [lost_after(1, 2)]);
    assert_eq!(room.findings().await, [lost_after(1, 2)]);
    assert_eq!(room.ask("one two").await, ["a.md"]);
}

/// What is said of a register that ends early.
fn lost_after(ends: u64, seen: u64) -> String {
    format!(
        "the register has lost lines: it ends at r{ends}, and the index knows r{seen}; restore \
         register.jsonl from a backup, or import an export into a new data folder"
    )
}

/// The sentence of an error with those below it.
fn whole(error: &dyn std::error::Error) -> String {
    let below = std::iter::successors(Some(error), |error| error.source());
    let told: Vec<_> = below.map(ToString::to_string).collect();
    told.join(": ")
}

/// Checks that everything that would make the loss final is refused, and removes nothing.
async fn check_refused(room: &Room, export: &Path, said: &str) {
    let shelved = texts(room);
    let library = &room.library;
    let added = vec![room.put("c.md", "A rule that is new.")];
    let removed = vec![Order::Remove(shelfmark("library", "b.md"))];
    for orders in [added, removed] {
        let refusal = library.commit(orders, "test").await.unwrap_err();
        assert!(whole(&refusal).contains(said), "{}", whole(&refusal));
    }
    let refusals = [
        library.compact(&room.ledger, None).await.err(),
        library.rebuild(tools(&room.embedder)).await.err(),
        library.import(export).await.err(),
        library.export(export).await.err(),
    ];
    for refusal in refusals {
        let refusal = refusal.unwrap().to_string();
        assert!(refusal.contains(said), "{refusal}");
        assert!(refusal.contains("nothing is changed"), "{refusal}");
    }
    assert!(library.accession().await.is_err());
    assert_eq!(texts(room), shelved);
    assert_eq!(room.ledger.recent(9).await.unwrap().len(), 2);
}

/// The names of all texts on the shelf.
fn texts(room: &Room) -> BTreeSet<PathBuf> {
    let folders = fs::read_dir(room.path("documents")).unwrap();
    let texts = folders.flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap());
    let texts = texts.map(|text| text.unwrap().path());
    texts.filter(|text| text.is_file()).collect()
}

#[tokio::test]
async fn a_library_that_lost_lines_of_its_register_changes_nothing_until_they_are_back() {
    let (mut room, _) = with_a_secret().await;
    let export = tempfile::tempdir().unwrap();
    let export = export.path().join("export");
    room.library.export(&export).await.unwrap();
    let whole = fs::read(room.path("register.jsonl")).unwrap();
    let first = find(&whole, b"\n") + 1;
    for (left, ends) in [(0, 0), (first, 1), (first - 9, 0), (whole.len() - 1, 2)] {
        room = room
            .reopened(|folder| {
                fs::write(folder.join("register.jsonl"), &whole[..left]).unwrap();
                fs::write(folder.join("compacted.json"), UNFINISHED).unwrap();
            })
            .await;
        assert_eq!(room.notes[0], lost_after(ends, 3));
        let waits = "a compaction was cut short; it is ended when the register is whole";
        let last = room.notes.last().unwrap();
        assert!(last.starts_with(waits), "{:?}", room.notes);
        check_refused(&room, &export, &lost_after(ends, 3)).await;
        // The next opening knows it too, and has not forgotten it by catching up.
        room = room.reopened(another_analyser).await;
        assert!(
            room.notes.contains(&lost_after(ends, 3)),
            "{:?}",
            room.notes
        );
        room = room.reopened(|_| ()).await;
        check_refused(&room, &export, &lost_after(ends, 3)).await;
        room = room
            .reopened(|folder| {
                fs::write(folder.join("register.jsonl"), &whole).unwrap();
                fs::remove_file(folder.join("compacted.json")).unwrap();
            })
            .await;
        assert_eq!(room.findings().await, Vec::<String>::new());
        assert_eq!(room.ask_at("secret go", 1).await, ["a.md"]);
    }
    assert_eq!(room.add("c.md", "A rule that is new.").await, Revision(4));
}

#[tokio::test]
async fn a_compaction_is_not_ended_without_the_register_even_where_the_index_is_gone() {
    let (room, _) = with_a_secret().await;
    let shelved = texts(&room);
    let room = room
        .reopened(|folder| {
            fs::write(folder.join("register.jsonl"), "").unwrap();
            fs::write(folder.join("compacted.json"), UNFINISHED).unwrap();
            fs::remove_dir_all(folder.join("index")).unwrap();
        })
        .await;
    assert_eq!(room.notes.len(), 1, "{:?}", room.notes);
    assert!(
        room.notes[0].contains("nothing was removed"),
        "{:?}",
        room.notes
    );
    assert_eq!(texts(&room), shelved);
}

/// What a compaction up to r3 leaves that was cut short.
const UNFINISHED: &str = r#"{"oldest":3,"unfinished":true}"#;

#[tokio::test]
async fn a_line_that_the_index_knows_is_not_told_as_one_that_was_never_finished() {
    let room = Room::new().await;
    room.add("a.md", "One.").await;
    let room = room
        .reopened(|folder| {
            let register = folder.join("register.jsonl");
            let bytes = fs::read(&register).unwrap();
            fs::write(&register, &bytes[..40]).unwrap();
        })
        .await;
    assert_eq!(room.notes[0], lost_after(0, 1));
    let torn =
        "the register was damaged: what is left of its last line (40 bytes) was moved to";
    assert!(room.notes[1].starts_with(torn), "{:?}", room.notes);
    assert_eq!(room.notes.len(), 2);
}

#[tokio::test]
async fn a_register_that_went_another_way_than_the_index_knows_changes_nothing() {
    let other = Room::new().await;
    other.add("a.md", "A rule of another library.").await;
    other.add("b.md", "Another rule of it.").await;
    let (room, _) = with_a_secret().await;
    let export = tempfile::tempdir().unwrap();
    let export = export.path().join("export");
    room.library.export(&export).await.unwrap();
    other.add("c.md", "The third rule of it.").await;
    let foreign = fs::read(other.path("register.jsonl")).unwrap();
    let folder = room.closed();
    fs::write(folder.path().join("register.jsonl"), foreign).unwrap();
    let embedder = WordHashes::new(64);
    let Opened {
        library,
        ledger,
        notes,
        inbox: _,
    } = open(folder.path(), &embedder).unwrap();
    let room = Room {
        folder,
        library,
        ledger,
        embedder,
        notes,
    };
    let said = "its line r3 is not the one the index knows";
    assert!(room.notes[0].contains(said), "{:?}", room.notes);
    check_refused(&room, &export, said).await;
}

#[tokio::test]
async fn who_accepts_that_lines_are_lost_goes_on_without_them() {
    let (room, secret) = with_a_secret().await;
    let room = room
        .reopened(|folder| fs::write(folder.join("register.jsonl"), "").unwrap())
        .await;
    let lost = Damage::LinesLost {
        ends: Revision(0),
        seen: Revision(3),
    };
    assert_eq!(room.library.damage(), Some(lost));

    assert_eq!(room.library.accept_loss().await.unwrap(), Some(lost));

    assert_eq!(room.library.damage(), None);
    assert_eq!(room.library.accept_loss().await.unwrap(), None);
    let room = room.reopened(|_| ()).await;
    assert_eq!(room.notes, Vec::<String>::new());
    room.library.rebuild(tools(&room.embedder)).await.unwrap();
    assert_eq!(room.findings().await, Vec::<String>::new());
    assert_eq!(texts(&room).len(), 3);
    assert_eq!(room.add("c.md", "A rule that is new.").await, Revision(1));
    assert_eq!(room.ask("rule").await, ["c.md"]);
    let compacted = room.library.compact(&room.ledger, None).await.unwrap();
    assert!(compacted.forgotten.contains(&secret));
    assert_eq!(texts(&room).len(), 1);
}

#[tokio::test]
async fn a_changed_byte_in_a_document_is_found_and_mended_by_adding_it_again() {
    let room = Room::new().await;
    let text = "The very same words, again and again and again.";
    room.add("a.md", text).await;
    let name = Digest::of(text.as_bytes()).to_string();
    let file = room
        .path("documents")
        .join(&name[..2])
        .join(format!("{name}.zst"));
    flip(&file, 12);
    let findings = room.findings().await;
    assert!(findings[0].starts_with("a.md: its text"), "{findings:?}");
    room.add("b.md", text).await;
    assert!(room.findings().await.is_empty());
}

#[tokio::test]
async fn a_missing_index_is_made_again_and_finds_the_same() {
    let room = library_of(40).await;
    let before = answers(&room).await;
    let room = room
        .reopened(|folder| fs::remove_dir_all(folder.join("index")).unwrap())
        .await;
    assert!(
        room.notes[0].contains("lacks 43 documents"),
        "{:?}",
        room.notes
    );
    assert_eq!(answers(&room).await, before);
    assert!(room.findings().await.is_empty());
    let room = room.reopened(|_| ()).await;
    assert_eq!(room.notes, Vec::<String>::new());
    assert_eq!(answers(&room).await, before);
}

#[tokio::test]
async fn an_empty_snapshot_file_of_sled_is_survived() {
    let room = library_of(20).await;
    let before = answers(&room).await;
    let room = room
        .reopened(|folder| {
            fs::write(folder.join("index/g1/snap.00000000DEADBEEF"), b"").unwrap();
        })
        .await;
    assert!(
        room.notes[0].contains("not been closed properly"),
        "{:?}",
        room.notes
    );
    assert_eq!(room.embedder.embedded(), 0);
    assert_eq!(answers(&room).await, before);
    assert!(room.findings().await.is_empty());
}

#[tokio::test]
async fn changed_bytes_in_the_index_are_noticed_and_nothing_is_lost() {
    let room = library_of(20).await;
    let before = answers(&room).await;
    let mut room = room;
    let mut noticed = 0;
    for at in 1..8 {
        room = room
            .reopened(|folder| {
                let generation = fs::read_to_string(folder.join("index/current")).unwrap();
                let path = folder.join("index").join(generation).join("db");
                let length = fs::read(&path).unwrap().len().min(120_000);
                (0..40).for_each(|n| flip(&path, length * at / 8 + n * 97));
            })
            .await;
        let findings = room.findings().await;
        // Bytes that sled does not use any more may change unseen.
        noticed += usize::from(!room.notes.is_empty() || !findings.is_empty());
        if !findings.is_empty() {
            room.library.rebuild(tools(&room.embedder)).await.unwrap();
        }
        assert_eq!(room.findings().await, Vec::<String>::new());
        assert_eq!(answers(&room).await, before);
    }
    assert!(noticed > 0);
}

#[tokio::test]
async fn a_rebuilt_library_gives_the_same_passages_and_embeds_nothing_again() {
    let room = library_of(30).await;
    let before = answers(&room).await;
    room.library.rebuild(tools(&room.embedder)).await.unwrap();
    assert_eq!(room.embedder.embedded(), 0);
    assert_eq!(answers(&room).await, before);
    assert!(!room.path("index/g1").exists());
    let room = room.reopened(|_| ()).await;
    assert_eq!(room.notes, Vec::<String>::new());
    assert_eq!(answers(&room).await, before);
    assert!(room.findings().await.is_empty());
}

#[tokio::test]
async fn an_index_with_the_terms_of_another_analyser_is_made_anew_without_the_model() {
    let room = library_of(5).await;
    let before = answers(&room).await;
    let room = room.reopened(another_analyser).await;
    assert!(
        room.notes[0].contains("lacks 8 documents"),
        "{:?}",
        room.notes
    );
    assert_eq!(room.embedder.embedded(), 0);
    assert_eq!(answers(&room).await, before);
    let room = room.reopened(|_| ()).await;
    assert_eq!(room.notes, Vec::<String>::new());
}

/// Makes the terms of the index in `folder` look like another analyser's.
fn another_analyser(folder: &Path) {
    let db = sled::open(folder.join("index/g1")).unwrap();
    let meta = db.open_tree("meta").unwrap();
    meta.insert("analysis", "another's").unwrap();
    db.flush().unwrap();
}

#[tokio::test]
async fn another_embedder_is_told_and_a_rebuild_brings_it_in() {
    let room = library_of(5).await;
    let folder = room.closed();
    let room = Room::within(folder, WordHashes::named("newer", 32)).await;
    assert!(
        room.notes[0].contains("made with the embedder word-hashes-64"),
        "{:?}",
        room.notes
    );
    let refusal = room.found("shelf", &Scope::default()).await.unwrap_err();
    assert!(matches!(refusal, Unread::Failed(_)));
    assert_eq!(
        room.library.cards(&Scope::default()).await.unwrap().len(),
        5
    );
    room.library.rebuild(tools(&room.embedder)).await.unwrap();
    assert!(room.embedder.embedded() > 0);
    assert!(!room.ask("shelf number").await.is_empty());
    assert!(room.findings().await.is_empty());
}

/// Some documents, some of them replaced or removed again.
async fn library_of(count: usize) -> Room {
    let room = Room::new().await;
    let orders = (0..count).map(|n| {
        let text = format!(
            "Shelf number {n} holds books about {}.\nAsk {} for the key.\n",
            SUBJECTS[n % SUBJECTS.len()],
            SUBJECTS[(n / 3) % SUBJECTS.len()],
        );
        room.put(&format!("{n:03}.md"), &text)
    });
    room.library.commit(orders.collect(), "test").await.unwrap();
    room.add("000.md", "The first shelf was emptied and painted.")
        .await;
    room.remove("001.md").await;
    room.add("001.md", "Back again, with maps.").await;
    room.remove("002.md").await;
    room.add("002.md", "Nothing but dictionaries.").await;
    room
}

const SUBJECTS: [&str; 6] = ["whales", "bridges", "bread", "연차 휴가", "glass", "rivers"];

/// What a few questions give, now and in earlier revisions.
async fn answers(room: &Room) -> Vec<Found> {
    let mut all = Vec::new();
    for question in SUBJECTS
        .iter()
        .chain(&["shelf number 7", "key", "maps", "painted"])
    {
        for revision in 1..=room.library.revision().0 {
            all.push(room.found(question, &as_of(revision)).await.unwrap());
        }
    }
    all
}

#[tokio::test]
async fn compaction_forgets_for_good_and_keeps_the_rest() {
    let room = Room::new().await;
    room.add("a.md", "A secret that has to go.").await;
    room.add("b.md", "A rule that stays.").await;
    room.add("a.md", "No secret here.").await;
    let secret = Digest::of(b"A secret that has to go.");
    let quoted = format!("{{\"document\":\"{secret}\"}}");
    room.ledger
        .record("quoting", quoted.as_bytes())
        .await
        .unwrap();
    room.ledger.record("other", b"{}").await.unwrap();
    let before = room.found("secret rule", &Scope::default()).await.unwrap();

    let compacted = room.library.compact(&room.ledger, None).await.unwrap();
    assert_eq!(
        compacted.forgotten.iter().copied().collect::<Vec<_>>(),
        [secret]
    );
    let gone = compacted.receipts;
    assert_eq!((gone, room.ledger.recent(9).await.unwrap().len()), (1, 1));
    let room = room.reopened(|_| ()).await;
    assert_eq!(room.notes, Vec::<String>::new());
    assert_eq!(
        room.found("secret rule", &Scope::default()).await.unwrap(),
        before
    );
    check_gone(&room, secret).await;
    room.library.rebuild(tools(&room.embedder)).await.unwrap();
    assert_eq!(
        room.found("secret rule", &Scope::default()).await.unwrap(),
        before
    );
}

async fn check_gone(room: &Room, secret: Digest) {
    let refusal = room
        .found("secret", &as_of(2))
        .await
        .unwrap_err()
        .to_string();
    assert!(refusal.contains("compacted away; the oldest that can be read is r3"));
    let text = room.library.text(secret).await;
    assert!(matches!(text, Err(Unread::NoSuchDocument(_))));
    assert_eq!(room.library.log().await.unwrap().len(), 3);
    assert_eq!(room.library.sizes().await.unwrap().vectors, 2);
    assert!(room.findings().await.is_empty());
    for folder in ["documents", "index", "state"] {
        assert!(!holds_bytes(&room.path(folder), b"has to go"), "{folder}");
        let name = secret.to_string();
        assert!(
            !holds_bytes(&room.path(folder), name.as_bytes()),
            "{folder}"
        );
    }
}

/// A room of which a secret was replaced at r3, quoted by one of two receipts.
async fn with_a_secret() -> (Room, Digest) {
    let room = Room::new().await;
    room.add("a.md", "A secret that has to go.").await;
    room.add("b.md", "A rule that stays.").await;
    room.add("a.md", "No secret here.").await;
    let secret = Digest::of(b"A secret that has to go.");
    let quoted = format!("{{\"document\":\"{secret}\"}}");
    let ledger = &room.ledger;
    ledger.record("quoting", quoted.as_bytes()).await.unwrap();
    ledger.record("other", b"{}").await.unwrap();
    (room, secret)
}

/// Whatever a killed compaction had already done, the next opening does the rest.
async fn check_ended(killed: impl FnOnce(&Path, Digest)) {
    let (room, secret) = with_a_secret().await;
    let room = room
        .reopened(|folder| {
            fs::write(folder.join("compacted.json"), UNFINISHED).unwrap();
            killed(folder, secret);
        })
        .await;
    assert_eq!(room.notes, ["a compaction was cut short; it is done now"]);
    assert_eq!(room.ledger.recent(9).await.unwrap().len(), 1);
    // The bytes of receipts leave at the opening after.
    let room = room.reopened(|_| ()).await;
    assert_eq!(room.notes, Vec::<String>::new());
    check_gone(&room, secret).await;
}

#[tokio::test]
async fn a_compaction_that_was_cut_short_is_ended_by_the_next_opening() {
    check_ended(|_, _| ()).await;
    check_ended(|folder, secret| {
        let name = secret.to_string();
        let text = folder.join("documents").join(&name[..2]);
        fs::remove_file(text.join(format!("{name}.zst"))).unwrap();
    })
    .await;
}

#[tokio::test]
async fn compaction_takes_copies_of_damaged_indexes_along_and_names_those_of_receipts() {
    let (room, secret) = with_a_secret().await;
    let room = room
        .reopened(|folder| {
            let index = folder.join("index");
            let copy = index.join("g1.damaged-1");
            fs::create_dir(&copy).unwrap();
            fs::write(copy.join("db"), "A secret that has to go.").unwrap();
            fs::create_dir(folder.join("state.damaged-1")).unwrap();
        })
        .await;
    let compacted = room.library.compact(&room.ledger, None).await.unwrap();
    assert_eq!(compacted.left, [room.path("state.damaged-1")]);
    let room = room.reopened(|_| ()).await;
    check_gone(&room, secret).await;
}

#[tokio::test]
async fn a_library_that_lost_its_newest_line_is_read_where_it_stands() {
    let (room, _) = with_a_secret().await;
    room.library.compact(&room.ledger, None).await.unwrap();
    let room = room
        .reopened(|folder| {
            let path = folder.join("register.jsonl");
            let whole = fs::read_to_string(&path).unwrap();
            let lines: Vec<&str> = whole.split_inclusive('\n').collect();
            fs::write(&path, lines[..2].concat()).unwrap();
        })
        .await;
    assert_eq!(room.library.revision(), Revision(2));
    assert_eq!(room.ask("rule").await, ["b.md"]);
    room.library.accept_loss().await.unwrap();
    room.add("c.md", "A rule that is new.").await;
    assert_eq!(room.ask_at("rule", 2).await, ["b.md"]);
}

fn holds_bytes(folder: &Path, part: &[u8]) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds_bytes(&path, part);
        }
        let bytes = fs::read(path).unwrap();
        bytes.windows(part.len()).any(|window| window == part)
    })
}

#[tokio::test]
async fn compaction_since_a_revision_keeps_that_revision() {
    let room = Room::new().await;
    for text in ["First edition.", "Second edition.", "Third edition."] {
        room.add("a.md", text).await;
    }
    let second = room.found("edition", &as_of(2)).await.unwrap();
    let compacted = room
        .library
        .compact(&room.ledger, Some(Revision(2)))
        .await
        .unwrap();
    assert_eq!(compacted.forgotten.len(), 1);
    assert_eq!(room.found("edition", &as_of(2)).await.unwrap(), second);
    assert!(room.found("edition", &as_of(1)).await.is_err());
}

#[tokio::test]
async fn an_exported_library_reads_the_same_elsewhere() {
    let room = library_of(12).await;
    let before = answers(&room).await;
    let parcel = room.path("library.zip");
    room.library.export(&parcel).await.unwrap();

    let other = Room::new().await;
    let notes = other.library.import(&parcel).await.unwrap();
    assert_eq!(notes, Vec::<String>::new());
    other
        .library
        .catch_up(tools(&other.embedder))
        .await
        .unwrap();
    assert_eq!(other.embedder.embedded(), 0);
    assert_eq!(answers(&other).await, before);
    assert!(other.findings().await.is_empty());
    let again = other.library.import(&parcel).await.unwrap_err().to_string();
    assert!(again.contains("already has 6 revisions"), "{again}");
    other.add("new.md", "It goes on from there.").await;
    let other = other.reopened(|_| ()).await;
    assert!(other.findings().await.is_empty());
    assert_eq!(other.library.revision(), Revision(7));
}

#[tokio::test]
async fn a_damaged_parcel_puts_nothing_in_place() {
    let room = library_of(3).await;
    let parcel = room.path("library.zip");
    room.library.export(&parcel).await.unwrap();
    let sound = fs::read(&parcel).unwrap();
    let other = Room::new().await;
    for (part, shifts) in [
        ("\"by\":\"test\"", [8, 90]),
        ("texts/", [100, 120]),
        ("saseo-library.json", [45, 60]),
    ] {
        let at = find(&sound, part.as_bytes());
        for shift in shifts {
            let mut damaged = sound.clone();
            damaged[at + shift] ^= 0x01;
            fs::write(&parcel, &damaged).unwrap();
            let outcome = other.library.import(&parcel).await;
            assert!(outcome.is_err(), "{part} {shift}");
            assert_eq!(other.library.revision(), Revision(0));
        }
    }
    fs::write(&parcel, b"not a parcel at all").unwrap();
    let refusal = other.library.import(&parcel).await.unwrap_err().to_string();
    assert!(
        refusal.contains("not a library that saseo exported"),
        "{refusal}"
    );
    let other = other.reopened(|_| ()).await;
    assert_eq!(other.library.revision(), Revision(0));
    fs::write(&parcel, &sound).unwrap();
    other.library.import(&parcel).await.unwrap();
    assert_eq!(other.library.revision(), Revision(6));
}

#[tokio::test]
async fn a_commit_that_fails_leaves_everything_as_it_was() {
    let room = Room::new().await;
    room.add("a.md", "The first rule.").await;
    let before = room.found("rule", &Scope::default()).await.unwrap();

    let text = "The second rule.";
    let shelf = &Digest::of(text.as_bytes()).to_string()[..2];
    fs::write(room.path("documents").join(shelf), b"in the way").unwrap();
    let refusal = room
        .library
        .commit(vec![room.put("b.md", text)], "test")
        .await;
    assert!(
        matches!(refusal, Err(Uncommitted::Failed(_))),
        "{refusal:?}"
    );
    assert_eq!(room.found("rule", &Scope::default()).await.unwrap(), before);
    fs::remove_file(room.path("documents").join(shelf)).unwrap();

    let (register, aside) = (room.path("register.jsonl"), room.path("aside"));
    fs::rename(&register, &aside).unwrap();
    std::os::unix::fs::symlink("/dev/full", &register).unwrap();
    let longer = "The second rule.\nAnd a third line.";
    let refusal = room
        .library
        .commit(vec![room.put("b.md", longer)], "test")
        .await;
    assert!(
        matches!(refusal, Err(Uncommitted::DiskFull { .. })),
        "{refusal:?}"
    );
    assert_eq!(room.found("rule", &Scope::default()).await.unwrap(), before);
    fs::remove_file(&register).unwrap();
    fs::rename(&aside, &register).unwrap();

    let room = room.reopened(|_| ()).await;
    assert_eq!(room.notes, Vec::<String>::new());
    assert_eq!(room.found("rule", &Scope::default()).await.unwrap(), before);
    assert_eq!(room.add("b.md", text).await, Revision(2));
    assert_eq!(room.ask("second").await.len(), 2);
    assert!(room.findings().await.is_empty());
}

#[tokio::test]
async fn embeddings_of_another_length_are_refused() {
    let room = Room::new().await;
    room.add("a.md", "One.").await;
    let odd = put(&WordHashes::new(16), ("library", "b.md"), "Two.");
    let refusal = room.library.commit(vec![odd], "test").await;
    assert!(matches!(refusal, Err(Uncommitted::Failed(_))));
    assert_eq!(room.library.revision(), Revision(1));
}

#[tokio::test]
async fn kept_embeddings_are_known_after_a_kill_before_the_commit() {
    let room = Room::new().await;
    let texts = ["one".to_owned(), "둘".to_owned(), "three".to_owned()];
    let embeddings: Vec<_> = texts[..2]
        .iter()
        .map(|text| room.embedder.one(text))
        .collect();
    room.library.keep(&texts[..2], &embeddings).await.unwrap();
    let room = room.reopened(|_| ()).await;
    let known = room.library.known(&texts).await.unwrap();
    assert!(known[0].as_ref().unwrap().cosine(&embeddings[0]) > 0.999);
    assert!(known[1].is_some() && known[2].is_none());
}

#[tokio::test]
async fn receipts_are_kept_and_come_back_newest_first() {
    let room = Room::new().await;
    for n in 0..12_u8 {
        room.ledger
            .record(&format!("r-{n}"), &[n; 4])
            .await
            .unwrap();
    }
    room.ledger.record("r-3", b"again").await.unwrap();
    let room = room.reopened(|_| ()).await;
    assert_eq!(room.ledger.load("r-3").await.unwrap().unwrap(), b"again");
    assert_eq!(room.ledger.load("nothing").await.unwrap(), None);
    let recent = room.ledger.recent(2).await.unwrap();
    assert_eq!(recent[0], ("r-11".to_owned(), vec![11; 4]));
    assert_eq!(recent[1].0, "r-10");
    assert_eq!(room.ledger.recent(99).await.unwrap().len(), 12);
}

#[tokio::test]
async fn readers_see_one_revision_while_others_are_committed() {
    let room = Arc::new(Room::new().await);
    room.add("0.md", "Pair number 0 left.\nPair number 0 right.")
        .await;
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..3 {
        readers.spawn(read_until(Arc::clone(&room), 25));
    }
    for n in 1..25 {
        let text = format!("Pair number {n} left.\nPair number {n} right.");
        room.add(&format!("{n}.md"), &text).await;
    }
    while let Some(reader) = readers.join_next().await {
        reader.unwrap();
    }
}

async fn read_until(room: Arc<Room>, last: u64) {
    let mut seen = 0;
    while seen < last {
        let found = room
            .found("pair number left right", &Scope::default())
            .await
            .unwrap();
        assert_eq!(found.passages.len() as u64, 2 * found.revision.0);
        assert!(found.revision.0 >= seen);
        seen = found.revision.0;
    }
}

const CHILD_FOLDER: &str = "SASEO_TEST_FOLDER";

fn child(folder: &Path) -> std::process::Child {
    adding(Command::new(std::env::current_exe().unwrap()), folder)
}

/// The same, on what is to it a disk where no file may grow beyond `kib`.
fn child_on_a_small_disk(folder: &Path, kib: u32) -> std::process::Child {
    let mut shell = Command::new("bash");
    shell
        .arg("-c")
        .arg(format!("trap '' XFSZ; ulimit -f {kib}; exec \"$@\""))
        .arg("bash")
        .arg(std::env::current_exe().unwrap());
    adding(shell, folder)
}

fn adding(mut command: Command, folder: &Path) -> std::process::Child {
    command
        .args([
            "--exact",
            "store::a_child_that_adds_until_it_is_killed",
            "--ignored",
        ])
        .arg("--nocapture")
        .env(CHILD_FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Not a test by itself: the others start it as a process of its own.
#[tokio::test]
#[ignore = "started by other tests as a child process"]
#[expect(
    clippy::print_stdout,
    reason = "its parent reads what was acknowledged"
)]
async fn a_child_that_adds_until_it_is_killed() {
    let Some(folder) = std::env::var_os(CHILD_FOLDER) else {
        return;
    };
    let embedder = WordHashes::new(64);
    let opened = open(Path::new(&folder), &embedder).unwrap();
    let library = opened.library;
    library.catch_up(tools(&embedder)).await.unwrap();
    println!("\nopened");
    for n in library.revision().0.. {
        let (kept, gone) = (format!("{n}.md"), format!("{}.tmp", n.saturating_sub(1)));
        let text = format!("Book {n} of the series.\nIt has {} pages.", n * 7);
        let orders = vec![
            put(&embedder, ("library", &kept), &text),
            put(&embedder, ("library", &format!("{n}.tmp")), &text),
            Order::Remove(shelfmark("library", &gone)),
        ];
        if let Err(refusal) = library.commit(orders, "child").await {
            println!("refused {refusal}");
            return;
        }
        println!("acknowledged {kept}");
    }
}

#[tokio::test]
async fn a_second_process_is_told_who_has_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = child(folder.path());
    let mut lines = BufReader::new(first.stdout.take().unwrap()).lines();
    lines
        .find(|line| line.as_ref().unwrap() == "opened")
        .unwrap()
        .unwrap();
    let refusal = open(folder.path(), &WordHashes::new(64))
        .err()
        .unwrap()
        .to_string();
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(
        refusal.contains(&format!("in use by process {}", first.id())),
        "{refusal}"
    );
    open(folder.path(), &WordHashes::new(64)).unwrap();
}

#[tokio::test]
async fn killed_at_any_moment_no_acknowledged_document_is_lost() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let mut acknowledged = BTreeSet::new();
    for round in 0..8_u64 {
        let mut adding = child(folder.path());
        let mut lines = BufReader::new(adding.stdout.take().unwrap()).lines();
        lines
            .find(|line| line.as_ref().unwrap() == "opened")
            .unwrap()
            .unwrap();
        std::thread::sleep(Duration::from_millis(20 + round * 37));
        adding.kill().unwrap();
        adding.wait().unwrap();
        let told = lines.map_while(Result::ok);
        acknowledged.extend(
            told.filter_map(|line| line.strip_prefix("acknowledged ").map(str::to_owned)),
        );
    }
    assert!(!acknowledged.is_empty());
    let room = Room::within(folder, WordHashes::new(64)).await;
    let cards = room.library.cards(&Scope::default()).await.unwrap();
    let there: BTreeSet<_> = cards.into_iter().map(|card| card.shelfmark.uri).collect();
    assert!(
        acknowledged.is_subset(&there),
        "{:?}",
        acknowledged.difference(&there)
    );
    assert_eq!(room.findings().await, Vec::<String>::new());
    let before = room
        .found("pages of the series", &Scope::default())
        .await
        .unwrap();
    room.library.rebuild(tools(&room.embedder)).await.unwrap();
    assert_eq!(
        room.found("pages of the series", &Scope::default())
            .await
            .unwrap(),
        before
    );
}

#[tokio::test]
async fn a_disk_that_fills_up_loses_nothing_that_was_acknowledged() {
    for kib in [560, 1_100, 2_000] {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let mut adding = child_on_a_small_disk(folder.path(), kib);
        let lines: Vec<String> = BufReader::new(adding.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok)
            .collect();
        adding.wait().unwrap();
        assert!(
            lines.iter().any(|line| line.starts_with("refused ")),
            "{kib} KiB"
        );
        let acknowledged: BTreeSet<_> = lines
            .iter()
            .filter_map(|line| line.strip_prefix("acknowledged ").map(str::to_owned))
            .collect();
        let room = Room::within(folder, WordHashes::new(64)).await;
        let cards = room.library.cards(&Scope::default()).await.unwrap();
        let there: BTreeSet<_> = cards.into_iter().map(|card| card.shelfmark.uri).collect();
        assert!(acknowledged.is_subset(&there));
        assert_eq!(room.findings().await, Vec::<String>::new());
        room.add("later.md", "There is room again.").await;
    }
}

#[derive(Clone, Debug)]
enum Wish {
    Put(u8, u8, u8),
    Remove(u8, u8),
}

fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        3 => (0_u8..2, 0_u8..4, 0_u8..6).prop_map(|(c, uri, text)| Wish::Put(c, uri, text)),
        1 => (0_u8..2, 0_u8..4).prop_map(|(c, uri)| Wish::Remove(c, uri)),
    ]
}

const COLLECTIONS: [&str; 2] = ["left", "right"];
const WORDS: [&str; 6] = ["apple", "banana", "cherry", "사과", "damson", "elder"];

type Shelves = BTreeMap<(String, String), String>;

fn text_of(number: u8) -> String {
    let (a, b) = (usize::from(number), usize::from(number + 1) % WORDS.len());
    format!(
        "{} comes first.\nThen {} and {}.",
        WORDS[a], WORDS[b], WORDS[a]
    )
}

/// What the model says `wishes` make of `shelves`.
fn modelled(mut shelves: Shelves, wishes: &[Wish]) -> Shelves {
    for wish in wishes {
        match wish {
            Wish::Put(c, uri, text) => {
                let place = (COLLECTIONS[usize::from(*c)].to_owned(), format!("{uri}.md"));
                shelves.insert(place, text_of(*text));
            },
            Wish::Remove(c, uri) => {
                let place = (COLLECTIONS[usize::from(*c)].to_owned(), format!("{uri}.md"));
                shelves.remove(&place);
            },
        }
    }
    shelves
}

fn orders(room: &Room, wishes: &[Wish]) -> Vec<Order> {
    wishes
        .iter()
        .map(|wish| match wish {
            Wish::Put(c, uri, text) => {
                let collection = COLLECTIONS[usize::from(*c)];
                room.put_in(collection, &format!("{uri}.md"), &text_of(*text))
            },
            Wish::Remove(c, uri) => {
                let collection = COLLECTIONS[usize::from(*c)];
                Order::Remove(shelfmark(collection, &format!("{uri}.md")))
            },
        })
        .collect()
}

async fn shelves(room: &Room, revision: u64) -> Shelves {
    let mut shelves = Shelves::new();
    for card in room.library.cards(&as_of(revision)).await.unwrap() {
        let text = room.library.text(card.text).await.unwrap();
        let Shelfmark { collection, uri } = card.shelfmark;
        shelves.insert((collection.to_string(), uri), text);
    }
    shelves
}

/// Every line that has the word is found, once, and nothing that is not on the shelves.
async fn check_finds(room: &Room, revision: u64, shelves: &Shelves) {
    for word in WORDS {
        let found = room.found(word, &as_of(revision)).await.unwrap();
        let got: Vec<_> = found
            .passages
            .iter()
            .map(|passage| passage.text.as_str())
            .collect();
        let distinct: BTreeSet<_> = got.iter().copied().collect();
        assert_eq!(got.len(), distinct.len());
        let lines: BTreeSet<_> = shelves.values().flat_map(|text| text.lines()).collect();
        assert_eq!(distinct, lines, "{word} in r{revision}");
    }
}

async fn every_answer(room: &Room) -> Vec<Found> {
    let mut all = Vec::new();
    for word in WORDS {
        for revision in 0..=room.library.revision().0 {
            for collections in [vec![], vec![COLLECTIONS[1]]] {
                let scope = Scope {
                    as_of: Some(Revision(revision)),
                    collections: collections
                        .iter()
                        .map(|name| CollectionName::new(name).unwrap())
                        .collect(),
                };
                all.push(room.found(word, &scope).await.unwrap());
            }
        }
    }
    all
}

async fn check_model(commits: Vec<Vec<Wish>>) {
    let room = Room::new().await;
    let mut history = vec![Shelves::new()];
    for wishes in &commits {
        let before = history.last().unwrap().clone();
        let after = modelled(before.clone(), wishes);
        let changed = before != after;
        let orders = orders(&room, wishes);
        let revision = room.library.commit(orders, "test").await.unwrap();
        if changed {
            history.push(after);
        }
        assert_eq!(revision.0, history.len() as u64 - 1);
    }
    for (revision, expected) in history.iter().enumerate() {
        assert_eq!(&shelves(&room, revision as u64).await, expected);
        check_finds(&room, revision as u64, expected).await;
    }
    let answers = every_answer(&room).await;
    let room = room.reopened(|_| ()).await;
    assert_eq!(every_answer(&room).await, answers);
    room.library.rebuild(tools(&room.embedder)).await.unwrap();
    assert_eq!(every_answer(&room).await, answers);
    assert_eq!(room.findings().await, Vec::<String>::new());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_orders_leave_the_shelves_a_simple_model_predicts(
        commits in proptest::collection::vec(proptest::collection::vec(wish(), 1..5), 0..7),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(check_model(commits));
    }
}
