//! Every event gets exactly one visible answer: across crashes, floods, and a platform that is
//! away.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::DateTime;
use saseo::adapters::clock::SystemClock;
use saseo::adapters::store::State;
use saseo::app::errands::Counter;
use saseo::app::reception::{Reception, ReceptionRules};
use saseo::domain::event::{
    Event, EventKey, Material, Person, Place, PlaceKind, Platform, Press, Wish,
};
use saseo::domain::language::Language;
use saseo::ports::{Accepted, Inbox as _, Intake as _, Ledger, Messenger, Offered, Unrecorded};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::board::{Board, Weather};
use crate::support::script::Script;
use crate::support::town::{ANSWER, BEFORE, LEAVE, PANICS, QUESTION, Town};

/// A reception at work, with a board that everybody sees.
struct Hall {
    reception: Arc<Reception>,
    board: Arc<Board>,
    town: Town,
    open: watch::Sender<Option<Counter>>,
    running: JoinHandle<()>,
}

impl Hall {
    async fn closed(town: Town, board: Arc<Board>, rules: ReceptionRules) -> Self {
        let messengers: BTreeMap<_, _> =
            [(Platform::Discord, Arc::clone(&board) as Arc<dyn Messenger>)].into();
        let (open, counter) = watch::channel(None);
        let reception = Reception::open(
            Arc::new(town.inbox.clone()),
            messengers,
            counter,
            Arc::new(SystemClock::start()),
            rules,
        );
        let reception = reception.await.unwrap();
        let ours = Arc::clone(&reception);
        #[expect(clippy::disallowed_methods, reason = "the test holds its handle")]
        let running = tokio::spawn(async move { ours.run().await });
        Self {
            reception,
            board,
            town,
            open,
            running,
        }
    }

    async fn with(script: Script) -> Self {
        let town = Town::with(script);
        town.add("Leave", LEAVE).await;
        let hall = Self::closed(town, Arc::default(), quick()).await;
        hall.open();
        hall
    }

    fn open(&self) {
        self.open.send_replace(Some(self.town.counter()));
    }

    async fn hears(&self, event: &Event) -> Accepted {
        self.reception.hand_over(event.clone()).await.unwrap()
    }

    /// Hears `event`, and gives back what the newest post says in the end.
    async fn replies_to(&self, event: &Event) -> String {
        self.hears(event).await;
        self.settled().await;
        self.board.reads().pop().unwrap()
    }

    async fn settled(&self) {
        for _ in 0..1_500 {
            if self.town.inbox.unfinished().await.unwrap().is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let unfinished = self.town.inbox.unfinished().await.unwrap();
        assert!(unfinished.is_empty(), "{unfinished:?}");
    }

    /// What is left when the process is gone.
    async fn crashed(self) -> (Arc<tempfile::TempDir>, Arc<Board>) {
        let Self {
            reception,
            board,
            town,
            open,
            running,
        } = self;
        running.abort();
        drop(running.await);
        drop(reception);
        drop(open);
        let folder = Arc::clone(&town.folder);
        drop(town);
        // What it had begun to write ends in threads of its own, and holds the folder till then.
        for _ in 0..1_000 {
            if State::open(folder.path()).is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        (folder, board)
    }
}

fn quick() -> ReceptionRules {
    ReceptionRules {
        pace: Duration::from_millis(20),
        ..ReceptionRules::default()
    }
}

fn person(id: &str) -> Person {
    Person {
        id: id.into(),
        roles: vec!["librarian".into()],
        administers: false,
    }
}

fn event(id: &str, by: &str, wish: Wish) -> Event {
    Event {
        key: EventKey::new(Platform::Discord, id),
        place: Place {
            platform: Platform::Discord,
            server: Some("1".into()),
            channel: "7".into(),
            kind: PlaceKind::Channel,
        },
        person: person(by),
        at: DateTime::UNIX_EPOCH,
        language: Language::English,
        replies_to: None,
        wish,
        address: String::new(),
    }
}

fn ask(id: &str, by: &str, question: &str) -> Event {
    let question = question.to_owned();
    let unread = Vec::new();
    event(id, by, Wish::Ask { question, unread })
}

fn answered(read: &str) -> bool {
    read.contains(ANSWER) && read.contains("Sources")
}

#[tokio::test]
async fn a_question_gets_one_post_that_ends_as_the_answer() {
    let hall = Hall::with(Script::saying(ANSWER)).await;
    assert_eq!(hall.hears(&ask("1", "a", QUESTION)).await, Accepted::New);
    hall.settled().await;

    let reads = hall.board.reads();
    assert_eq!(reads.len(), 1);
    assert!(answered(&reads[0]), "{reads:?}");
    let buttons = hall.board.pinned()[0].said.last().unwrap().buttons.len();
    assert_eq!(buttons, 3);
}

/// A ledger on a disk that takes nothing more.
struct Full;

#[async_trait]
impl Ledger for Full {
    async fn record(&self, _: &str, _: &[u8]) -> Result<(), Unrecorded> {
        Err(Unrecorded("no room".into()))
    }

    async fn load(&self, _: &str) -> Result<Option<Vec<u8>>, Unrecorded> {
        Ok(None)
    }

    async fn recent(&self, _: usize) -> Result<Vec<(String, Vec<u8>)>, Unrecorded> {
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn an_answer_is_shown_though_its_receipt_cannot_be_kept() {
    let mut town = Town::with(Script::saying(ANSWER));
    town.add("Leave", LEAVE).await;
    town.desk.ledger = Arc::new(Full);
    let hall = Hall::closed(town, Arc::default(), quick()).await;
    hall.open();
    hall.hears(&ask("1", "a", QUESTION)).await;
    hall.settled().await;

    let reads = hall.board.reads();
    assert!(answered(&reads[0]), "{reads:?}");
    assert!(reads[0].contains("could not be kept"), "{reads:?}");
    let buttons = hall.board.pinned()[0].said.last().unwrap().buttons.len();
    assert_eq!(buttons, 0);
}

#[tokio::test]
async fn a_draft_is_never_shown_only_what_stands() {
    let lie = "The password is 12345678. ";
    let hall = Hall::with(Script::saying(&format!("{lie}{ANSWER}"))).await;
    hall.hears(&ask("1", "a", QUESTION)).await;
    hall.settled().await;
    for page in &hall.board.pinned()[0].said {
        assert!(!crate::support::board::text(page).contains("12345678"));
    }
    assert!(answered(&hall.board.reads()[0]));
}

#[tokio::test]
async fn what_comes_twice_is_answered_once() {
    let hall = Hall::with(Script::saying(ANSWER)).await;
    let events: Vec<_> = (0..60)
        .map(|n| ask(&n.to_string(), &(n % 7).to_string(), QUESTION))
        .collect();
    for (at, event) in events.iter().enumerate() {
        hall.hears(event).await;
        hall.hears(&events[at / 2]).await;
    }
    hall.settled().await;
    let reads = hall.board.reads();
    assert_eq!(reads.len(), 60);
    assert!(reads.iter().all(|read| answered(read)));
}

#[tokio::test]
async fn a_full_queue_sends_people_away_politely() {
    let town = Town::with(Script::saying(ANSWER));
    town.add("Leave", LEAVE).await;
    let rules = ReceptionRules {
        queue: 3,
        ..quick()
    };
    let hall = Hall::closed(town, Arc::default(), rules).await;
    for n in 0..5 {
        hall.hears(&ask(&n.to_string(), "a", QUESTION)).await;
    }
    let busy = |read: &String| {
        read.contains("ask again in a few minutes") && read.contains("look it up as")
    };
    let reads = hall.board.until(|reads| reads.len() == 5).await;
    assert_eq!(
        reads.iter().filter(|read| busy(read)).count(),
        2,
        "{reads:?}"
    );
    hall.open();
    hall.settled().await;
    let reads = hall.board.reads();
    assert_eq!(
        reads.iter().filter(|read| answered(read)).count(),
        3,
        "{reads:?}"
    );
}

#[tokio::test]
async fn before_the_library_is_open_people_are_asked_to_wait() {
    let town = Town::with(Script::saying(ANSWER));
    town.add("Leave", LEAVE).await;
    let hall = Hall::closed(town, Arc::default(), quick()).await;
    hall.hears(&ask("1", "a", QUESTION)).await;
    hall.hears(&ask("2", "b", "휴가는 며칠이야?")).await;
    let reads = hall.board.until(|reads| reads.len() == 2).await;
    assert!(
        reads.contains(&"One moment, I am opening the library.".to_owned()),
        "{reads:?}"
    );
    assert!(
        reads.contains(&"잠시만요, 서가를 여는 중입니다.".to_owned()),
        "{reads:?}"
    );
    hall.open();
    hall.settled().await;
    assert_eq!(hall.board.reads().len(), 2);
}

#[tokio::test]
async fn who_waits_for_a_library_that_does_not_open_is_told_so() {
    let town = Town::with(Script::saying(ANSWER));
    let rules = ReceptionRules {
        longest_wait: Duration::from_millis(1_500),
        ..quick()
    };
    let hall = Hall::closed(town, Arc::default(), rules).await;
    hall.hears(&ask("1", "a", QUESTION)).await;
    hall.hears(&event("2", "b", Wish::List { collection: None }))
        .await;
    hall.settled().await;
    let reads = hall.board.reads();
    assert_eq!(reads.len(), 2, "{reads:?}");
    let late = |read: &String| {
        read.contains("I could not get to this in time") && read.contains("look it up as")
    };
    assert!(reads.iter().all(late), "{reads:?}");
}

#[tokio::test]
async fn who_had_a_place_in_the_line_keeps_it_across_a_crash() {
    let hall = Hall::closed(Town::with(Script::saying(ANSWER)), Arc::default(), quick());
    let hall = hall.await;
    hall.town.add("Leave", LEAVE).await;
    for n in 0..5 {
        hall.hears(&ask(&n.to_string(), &n.to_string(), QUESTION))
            .await;
    }
    hall.board.until(|reads| reads.len() == 5).await;
    let (folder, board) = hall.crashed().await;

    let town = Town::within(folder, Script::saying(ANSWER));
    let rules = ReceptionRules {
        queue: 2,
        ..quick()
    };
    let hall = Hall::closed(town, board, rules).await;
    hall.open();
    hall.settled().await;
    let reads = hall.board.reads();
    assert_eq!(reads.len(), 5, "{reads:?}");
    assert!(reads.iter().all(|read| answered(read)), "{reads:?}");
}

#[tokio::test]
async fn what_was_under_way_when_the_process_died_is_answered_by_the_next_in_the_same_post() {
    let slow = Script::saying(ANSWER).slowly(Duration::from_millis(40));
    let hall = Hall::with(slow).await;
    for n in 0..8 {
        hall.hears(&ask(&n.to_string(), &n.to_string(), QUESTION))
            .await;
    }
    hall.board
        .until(|reads| reads.iter().any(|read| answered(read)))
        .await;
    let (folder, board) = hall.crashed().await;
    let before = board.reads();
    assert!(before.iter().any(|read| !answered(read)), "{before:?}");

    let town = Town::within(folder, Script::saying(ANSWER));
    let hall = Hall::closed(town, board, quick()).await;
    hall.open();
    hall.settled().await;
    let reads = hall.board.reads();
    assert_eq!(reads.len(), 8, "{reads:?}");
    assert!(reads.iter().all(|read| answered(read)), "{reads:?}");
}

#[tokio::test]
async fn an_answer_waits_for_a_platform_that_is_away() {
    let hall = Hall::with(Script::saying(ANSWER)).await;
    hall.board.weather(Weather::Away);
    hall.hears(&ask("1", "a", QUESTION)).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(hall.board.reads(), Vec::<String>::new());
    hall.board.weather(Weather::Fine);
    hall.settled().await;
    assert!(answered(&hall.board.reads()[0]));
}

#[tokio::test]
async fn a_place_where_we_may_not_write_ends_the_event() {
    let hall = Hall::with(Script::saying(ANSWER)).await;
    hall.board.weather(Weather::Locked);
    hall.hears(&ask("1", "a", QUESTION)).await;
    hall.settled().await;
    hall.board.weather(Weather::Fine);
    hall.hears(&ask("2", "a", QUESTION)).await;
    hall.settled().await;
    assert_eq!(hall.board.reads().len(), 1);
}

#[tokio::test]
async fn a_stop_ends_the_answer_that_is_being_written_and_those_that_wait() {
    let slow = Script::saying(ANSWER).slowly(Duration::from_secs(60));
    let hall = Hall::with(slow).await;
    hall.hears(&ask("1", "a", QUESTION)).await;
    hall.hears(&ask("2", "a", QUESTION)).await;
    hall.board.until(|reads| reads.len() == 2).await;
    hall.hears(&event("3", "b", Wish::Stop)).await;
    hall.board
        .until(|reads| reads.iter().any(|read| read.contains("nothing of yours")))
        .await;
    hall.hears(&event("4", "a", Wish::Stop)).await;
    hall.settled().await;
    let reads = hall.board.reads();
    assert_eq!(reads[..2], ["Stopped.", "Stopped."], "{reads:?}");
}

#[tokio::test]
async fn an_engine_that_fails_still_leaves_the_library_to_be_quoted() {
    let hall = Hall::with(Script::broken()).await;
    hall.hears(&ask("1", "a", QUESTION)).await;
    hall.settled().await;
    assert!(answered(&hall.board.reads()[0]), "{:?}", hall.board.reads());
}

#[tokio::test]
async fn a_panic_is_told_and_the_next_is_answered() {
    let hall = Hall::with(Script::saying(ANSWER)).await;
    let add = |text: &str| Wish::Add {
        what: vec![Material::Text {
            text: text.to_owned(),
            link: "here".to_owned(),
        }],
        title: None,
        collection: None,
        beside: None,
    };
    let read = hall.replies_to(&event("1", "a", add(PANICS))).await;
    assert!(read.contains("Something failed"), "{read}");
    let read = hall.replies_to(&event("2", "a", add("Fine."))).await;
    assert!(read.contains("Shall I add this"), "{read}");
    hall.town.script.panics_next();
    let read = hall.replies_to(&ask("3", "a", QUESTION)).await;
    assert!(read.contains("Something failed"), "{read}");
    let read = hall.replies_to(&ask("4", "a", QUESTION)).await;
    assert!(answered(&read), "{read}");
}

#[tokio::test]
async fn a_mention_without_a_question_gets_a_hint_and_an_overlong_one_the_reason() {
    let hall = Hall::with(Script::saying(ANSWER)).await;
    hall.hears(&ask("1", "a", "  ")).await;
    hall.hears(&ask("2", "a", &"long ".repeat(1_000))).await;
    hall.settled().await;
    let mut reads = hall.board.reads();
    reads.sort();
    assert!(
        reads[0].contains("mention me together with a question"),
        "{reads:?}"
    );
    assert!(reads[1].contains("more than 2000"), "{reads:?}");
}

#[tokio::test]
async fn who_greets_or_thanks_is_answered_with_courtesy_and_no_search() {
    let hall = Hall::with(Script::saying(ANSWER)).await;
    let read = hall.replies_to(&ask("1", "a", "안녕하세요!")).await;
    assert!(read.contains("물어보세요"), "{read}");
    let read = hall.replies_to(&ask("2", "a", "Thanks a lot")).await;
    assert!(read.contains("You are welcome"), "{read}");
    assert_eq!(hall.town.script.prompts(), Vec::<String>::new());
    let read = hall
        .replies_to(&ask("3", "a", &format!("Hi! {QUESTION}")))
        .await;
    assert!(answered(&read), "{read}");
}

#[tokio::test]
async fn who_wonders_what_it_is_for_is_told_and_no_search() {
    let hall = Hall::with(Script::saying(ANSWER)).await;
    for (id, said) in [("1", "help"), ("2", "What can you do?"), ("3", "?")] {
        let read = hall.replies_to(&ask(id, "a", said)).await;
        assert!(
            read.contains("`/ask`") && read.contains("`/library`"),
            "{read}"
        );
    }
    let read = hall.replies_to(&ask("4", "a", "뭐 할 수 있어?")).await;
    assert!(read.contains("`/질문`(Slack: `/ask`)"), "{read}");
    assert_eq!(hall.town.script.prompts(), Vec::<String>::new());
}

#[tokio::test]
async fn a_thread_that_an_answer_opens_is_one_conversation() {
    let hall = Hall::with(Script::saying(ANSWER)).await;
    hall.board.opens("70");
    hall.replies_to(&ask("1", "a", QUESTION)).await;
    let mut on = ask("2", "b", "And which of them carry over?");
    (on.place.channel, on.place.kind) = ("70".into(), PlaceKind::Thread);
    let reply = Event {
        key: EventKey::new(Platform::Discord, "3"),
        replies_to: Some("0".into()),
        ..on.clone()
    };
    for said in [on, reply] {
        hall.replies_to(&said).await;
        let prompt = hall.town.script.prompts().pop().unwrap();
        assert!(prompt.contains(BEFORE), "{prompt}");
    }
}

#[tokio::test]
async fn an_answer_is_stopped_where_it_stands_and_is_seen_coming_there() {
    let slow = Script::saying(ANSWER).slowly(Duration::from_secs(60));
    let town = Town::with(slow);
    town.add("Leave", LEAVE).await;
    let rules = ReceptionRules {
        signs: Duration::from_millis(20),
        ..quick()
    };
    let hall = Hall::closed(town, Arc::default(), rules).await;
    hall.open();
    hall.board.opens("70");
    hall.hears(&ask("1", "a", QUESTION)).await;
    hall.board
        .until(|reads| reads.iter().any(|read| read.contains("Leave")))
        .await;
    let there = || {
        let typed = hall.board.typed();
        typed.iter().flatten().filter(|room| *room == "70").count()
    };
    for _ in 0..1_500 {
        if there() > 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(there() > 2);
    let mut stop = event("2", "a", Wish::Stop);
    (stop.place.channel, stop.place.kind) = ("70".into(), PlaceKind::Thread);
    hall.hears(&stop).await;
    hall.settled().await;
    let reads = hall.board.reads();
    assert!(reads.contains(&"Stopped.".to_owned()), "{reads:?}");
    let typed = hall.board.typed().len();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(hall.board.typed().len(), typed);
}

#[tokio::test]
async fn a_follow_up_sees_what_was_said_before_it() {
    let hall = Hall::with(Script::saying(ANSWER)).await;
    hall.hears(&ask("1", "a", QUESTION)).await;
    hall.settled().await;
    let follow_up = Event {
        replies_to: Some("0".into()),
        ..ask("2", "a", "And which of them carry over?")
    };
    hall.hears(&follow_up).await;
    hall.settled().await;
    let prompt = hall.town.script.prompts().pop().unwrap();
    assert!(prompt.contains(BEFORE), "{prompt}");
}

fn note() -> Wish {
    Wish::Add {
        what: vec![Material::Text {
            text: "The door code is kept in Busan.".into(),
            link: "https://discord.com/channels/1/7/2".into(),
        }],
        title: Some("Doors".into()),
        collection: None,
        beside: None,
    }
}

#[tokio::test]
async fn a_note_is_added_after_a_yes_and_answers_from_then_on() {
    let hall = Hall::with(Script::saying("The door code is kept in Busan.")).await;
    let question = "Where is the door code kept?";
    let before = hall.replies_to(&ask("1", "a", question)).await;
    assert!(!before.contains("Busan"), "{before}");

    let add = event("2", "a", note());
    let shown = hall.replies_to(&add).await;
    assert!(shown.contains("Shall I add this"), "{shown}");
    assert!(shown.contains("Doors"), "{shown}");

    let yes = Wish::Press(Press::Add(add.key.short()));
    let mut stranger = event("3", "z", yes.clone());
    stranger.person.roles.clear();
    for (event, said) in [
        (stranger, "for those who manage the server"),
        (event("4", "a", yes.clone()), "Added: Doors"),
        (event("5", "a", yes), "settled before"),
        (
            ask("6", "a", question),
            "The door code is kept in Busan. [1]",
        ),
        (
            ask("7", "a", question),
            "Doors <https://discord.com/channels/1/7/2>",
        ),
    ] {
        let read = hall.replies_to(&event).await;
        assert!(read.contains(said), "{read}");
    }
}

#[tokio::test]
async fn what_cannot_become_a_document_is_told_with_the_reason() {
    let hall = Hall::with(Script::saying(ANSWER)).await;
    let page = Wish::Add {
        what: vec![Material::Page {
            url: "https://wiki.example/leave".into(),
        }],
        title: None,
        collection: None,
        beside: None,
    };
    hall.hears(&event("1", "a", page)).await;
    hall.settled().await;
    let reads = hall.board.reads();
    let [read] = reads.as_slice() else {
        panic!("{reads:?}")
    };
    assert!(
        read.starts_with("https://wiki.example/leave: it could not be reached\n"),
        "{read}"
    );
    assert!(read.contains("look it up as"), "{read}");
}

/// The file `name` as it was handed in with message `message`, later than all before it.
fn handed_in(hall: &Hall, message: u32, name: &str, text: &str) -> Event {
    let url = format!("https://cdn.example/{message}/{name}");
    hall.board.keeps(&url, text);
    let wish = Wish::Add {
        what: vec![Material::File {
            name: name.into(),
            content_type: None,
            bytes: text.len() as u64,
            url,
            link: format!("https://discord.com/channels/1/7/{message}#1"),
        }],
        title: None,
        collection: None,
        beside: None,
    };
    let mut event = event(
        &format!("handed/{message}/{name}/{}", text.len()),
        "a",
        wish,
    );
    event.at = chrono::Utc::now();
    event
}

/// What is shown of `event`, and what is said when it is added.
async fn shown_and_added(hall: &Hall, event: &Event) -> (String, String) {
    let shown = hall.replies_to(event).await;
    let short = event.key.short();
    let wish = Wish::Press(Press::Add(short.clone()));
    let press = Event {
        language: event.language,
        ..self::event(&format!("press/{short}"), "a", wish)
    };
    (shown, hall.replies_to(&press).await)
}

async fn listed(hall: &Hall, id: &str) -> String {
    let list = event(id, "a", Wish::List { collection: None });
    hall.replies_to(&list).await
}

#[tokio::test]
async fn a_file_stands_where_it_was_sent_and_pushes_out_only_what_was_named() {
    let hall = Hall::with(Script::saying("The oven is off at six.")).await;
    let first = handed_in(&hall, 11, "rules.md", "The oven is off at six.");
    let (shown, added) = shown_and_added(&hall, &first).await;
    assert!(!shown.contains("replaces"), "{shown}");
    assert!(added.starts_with("Added: rules.md · passages"), "{added}");
    let list = listed(&hall, "l1").await;
    assert!(
        list.contains("https://discord.com/channels/1/7/11#1"),
        "{list}"
    );

    // The same message once more is the same document.
    let again = Event {
        key: EventKey::new(Platform::Discord, "again"),
        at: chrono::Utc::now(),
        ..first
    };
    let (shown, added) = shown_and_added(&hall, &again).await;
    assert!(shown.contains("in the library already"), "{shown}");
    assert!(added.starts_with("Already there: rules.md"), "{added}");

    // Shown, and not added yet: what comes meanwhile is not pushed out by it.
    let waits = handed_in(&hall, 12, "menu.md", "Soup on Monday.");
    hall.replies_to(&waits).await;
    shown_and_added(&hall, &handed_in(&hall, 13, "menu.md", "Fish on Friday.")).await;
    let press = Wish::Press(Press::Add(waits.key.short()));
    let added = hall.replies_to(&event("late", "a", press)).await;
    assert!(added.starts_with("Added: menu.md · passages"), "{added}");

    let newer = handed_in(&hall, 14, "rules.md", "The oven is off at seven.");
    let (shown, added) = shown_and_added(&hall, &newer).await;
    let today = chrono::Utc::now().format("%Y-%m-%d");
    let named = format!("the file of the same name, “rules.md” (added {today})");
    assert!(shown.contains(&named), "{shown}");
    assert!(shown.contains("To keep both"), "{shown}");
    assert!(added.contains("Replaced and removed: rules.md"), "{added}");
    let list = listed(&hall, "l2").await;
    assert!(
        list.contains("7/14#1") && !list.contains("7/11#1"),
        "{list}"
    );
    assert!(list.contains("7/12#1") && list.contains("7/13#1"), "{list}");
}

#[tokio::test]
async fn who_asks_with_a_file_to_add_is_told_that_nothing_was_asked() {
    let hall = Hall::with(Script::saying(ANSWER)).await;
    let mut event = handed_in(&hall, 21, "notes.md", "The oven is off at six.");
    let Wish::Add { beside, .. } = &mut event.wish else {
        panic!("a file")
    };
    *beside = Some("what does this say?".into());
    let shown = hall.replies_to(&event).await;
    assert!(shown.contains("Shall I add this"), "{shown}");
    assert!(shown.contains("“The oven is off at six.”"), "{shown}");
    assert!(
        shown.contains("I did not ask the library what you wrote"),
        "{shown}"
    );

    let mut stranger = event.clone();
    stranger.key = EventKey::new(Platform::Discord, "stranger");
    stranger.language = Language::Korean;
    stranger.person.roles.clear();
    let refused = hall.replies_to(&stranger).await;
    assert!(
        refused.contains("파일을 먼저 추가한 뒤에 묻거나"),
        "{refused}"
    );
    assert!(refused.contains(&stranger.key.short()), "{refused}");
}

#[tokio::test]
async fn what_fails_in_part_is_told_in_the_persons_language_with_an_id_to_look_up() {
    let hall = Hall::with(Script::saying(ANSWER)).await;
    let mut event = handed_in(&hall, 31, "notes.md", "The oven is off at six.");
    event.language = Language::Korean;
    let Wish::Add { what, title, .. } = &mut event.wish else {
        panic!("a file")
    };
    what.push(Material::Page {
        url: "https://wiki.example/leave".into(),
    });
    *title = Some("규칙".into());
    let (shown, added) = shown_and_added(&hall, &event).await;
    let said = "https://wiki.example/leave: 연결할 수 없습니다";
    assert!(shown.contains(said), "{shown}");
    assert!(shown.contains(&event.key.short()), "{shown}");
    assert!(shown.contains("제목 “규칙”은(는) 문서 하나에만"), "{shown}");
    assert!(added.starts_with("추가했습니다: notes.md"), "{added}");
    assert!(
        added.contains(said) && added.contains("찾아볼 수"),
        "{added}"
    );
}

#[tokio::test]
async fn the_library_can_be_looked_at() {
    let hall = Hall::with(Script::saying(ANSWER)).await;
    for (id, wish, said) in [
        ("1", Wish::List { collection: None }, "Leave.md"),
        ("2", Wish::Status, "documents: 1"),
        ("3", Wish::Log, "r1"),
        (
            "4",
            Wish::Search {
                words: "leave".into(),
            },
            ANSWER,
        ),
        (
            "5",
            Wish::Remove {
                uri: "Nothing.md".into(),
            },
            "no document",
        ),
        (
            "6",
            Wish::Remove {
                uri: "Leave.md".into(),
            },
            "Removed: Leave",
        ),
        ("7", Wish::List { collection: None }, "no document here yet"),
        ("8", Wish::Sync { source: None }, "No sources"),
    ] {
        hall.hears(&event(id, "a", wish)).await;
        hall.settled().await;
        let read = hall.board.reads().pop().unwrap();
        assert!(read.contains(said), "{id}: {read}");
    }
}

#[tokio::test]
async fn the_library_is_shown_by_titles_and_narrowed_by_collections() {
    let hall = Hall::with(Script::saying(ANSWER)).await;
    let list = |id: &str, name: &str| {
        let collection = Some(name.to_owned());
        event(id, "a", Wish::List { collection })
    };
    let read = hall.replies_to(&list("1", "nope")).await;
    assert_eq!(read, "There is no collection `nope`. There are: library.");
    let mut korean = list("2", "a/b");
    korean.language = Language::Korean;
    let read = hall.replies_to(&korean).await;
    assert!(read.contains("글자, 숫자"), "{read}");

    let table = "| Code | Means |\n|---|---|\n| 2 | wrong use of sprockets |";
    let sent = handed_in(&hall, 41, "codes.md", table);
    shown_and_added(&hall, &sent).await;
    let words = "sprockets".to_owned();
    let read = hall
        .replies_to(&event("3", "a", Wish::Search { words }))
        .await;
    let link = "codes.md <https://discord.com/channels/1/7/41#1>\nCode · Means\n2 · wrong use";
    assert!(read.contains(link), "{read}");
}

#[tokio::test]
async fn a_document_is_removed_by_its_title_where_only_one_has_it() {
    let hall = Hall::with(Script::saying(ANSWER)).await;
    let sent = handed_in(&hall, 41, "codes.md", "Codes of sprockets.");
    shown_and_added(&hall, &sent).await;
    let remove = |id: &str, uri: &str| event(id, "a", Wish::Remove { uri: uri.into() });
    let read = hall.replies_to(&remove("4", " Leave ")).await;
    assert!(read.starts_with("Removed: Leave"), "{read}");
    let other = handed_in(&hall, 42, "more.md", "Other codes.");
    let Wish::Add { title, what, .. } = &mut other.clone().wish else {
        panic!("a file")
    };
    *title = Some("codes.md".into());
    let wish = Wish::Add {
        what: what.clone(),
        title: title.clone(),
        collection: None,
        beside: None,
    };
    shown_and_added(&hall, &Event { wish, ..other }).await;
    let read = hall.replies_to(&remove("5", "codes.md")).await;
    assert!(
        read.contains("Several documents are called “codes.md”"),
        "{read}"
    );
    assert!(read.contains("7/41#1") && read.contains("7/42#1"), "{read}");

    let log = hall.replies_to(&event("6", "a", Wish::Log)).await;
    assert!(log.contains(" UTC · removed Leave · discord:a"), "{log}");
    assert!(log.contains(" UTC · added codes.md · discord:a"), "{log}");
}

#[tokio::test]
async fn a_long_list_says_how_to_see_less_of_it() {
    let hall = Hall::with(Script::saying(ANSWER)).await;
    for n in 0..40 {
        hall.town.add(&format!("Page {n:02}"), "Text.").await;
    }
    hall.hears(&event("1", "a", Wish::List { collection: None }))
        .await;
    hall.settled().await;
    let read = hall.board.reads().pop().unwrap();
    assert!(read.contains("and 1 more. `/library list` with"), "{read}");
}

#[tokio::test]
async fn a_model_that_was_not_asked_is_named_and_never_said_to_have_written() {
    let hall = Hall::with(Script::saying(ANSWER)).await;
    let model = hall.town.desk.chat.identity().name.clone();
    let read = hall.replies_to(&ask("1", "a", QUESTION)).await;
    assert!(read.contains(&format!(" · {model} · ")), "{read}");
    let hall = Hall::closed(Town::with(Script::saying(ANSWER)), Arc::default(), quick()).await;
    hall.open();
    for (question, said) in [
        (QUESTION, format!(" · {model} (not used) · ")),
        ("연차는 며칠인가요?", format!(" · {model}(쓰지 않음) · ")),
    ] {
        let read = hall.replies_to(&ask(question, "a", question)).await;
        assert!(read.contains(&said), "{read}");
    }
}

#[tokio::test]
async fn closing_lets_what_is_under_way_end_and_keeps_the_rest() {
    let slow = Script::saying(ANSWER).slowly(Duration::from_millis(30));
    let hall = Hall::with(slow).await;
    for n in 0..20 {
        hall.hears(&ask(&n.to_string(), &n.to_string(), QUESTION))
            .await;
    }
    hall.board
        .until(|reads| reads.iter().any(|read| answered(read)))
        .await;
    hall.reception.close();
    assert_eq!(hall.hears(&ask("late", "z", QUESTION)).await, Accepted::New);
    let Hall {
        town,
        running,
        board,
        ..
    } = hall;
    running.await.unwrap();
    let left = town.inbox.unfinished().await.unwrap().len();
    let done = board.reads().iter().filter(|read| answered(read)).count();
    assert_eq!(done + left, 21);
    assert!(done >= 1 && left >= 2, "{done} done, {left} left");
}

#[tokio::test]
async fn a_document_with_an_overlong_name_is_offered_and_removed_by_its_digest() {
    let hall = Hall::with(Script::saying(ANSWER)).await;
    let title = "휴가".repeat(60);
    hall.town
        .add(&title, "# 휴가\n\n연차는 15일입니다.\n")
        .await;
    let offers = hall.reception.offers(Offered::Documents, "휴가").await;
    let [(choice, shown)] = offers.as_slice() else {
        panic!("{offers:?}")
    };
    assert_eq!((choice.len(), shown), (16, &title));
    let uri = choice.clone();
    let removed = hall
        .replies_to(&event("1", "a", Wish::Remove { uri }))
        .await;
    assert!(removed.starts_with("Removed: 휴가"), "{removed}");
}
