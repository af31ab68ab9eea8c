//! The inbox: what was accepted is there after anything, and is known when it comes again.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use saseo::adapters::store::{Mailbox, State};
use saseo::domain::event::{Event, EventKey, Person, Place, PlaceKind, Platform, Post, Wish};
use saseo::domain::language::Language;
use saseo::ports::{Accepted, Closed, Inbox as _};
use tokio::task::JoinSet;

fn inbox(folder: &Path) -> Mailbox {
    State::open(folder).unwrap().inbox
}

fn event(kind: PlaceKind, message: &str, replies_to: Option<&str>) -> Event {
    Event {
        key: EventKey::new(Platform::Discord, &format!("channel/7/message/{message}")),
        place: Place {
            platform: Platform::Discord,
            server: Some("1".into()),
            channel: "7".into(),
            kind,
        },
        person: Person {
            id: "3".into(),
            roles: Vec::new(),
            administers: false,
        },
        at: DateTime::UNIX_EPOCH,
        language: Language::English,
        replies_to: replies_to.map(str::to_owned),
        wish: Wish::Ask {
            question: format!("question {message}"),
            unread: Vec::new(),
        },
        address: String::new(),
    }
}

/// The same, said in a thread.
fn in_a_thread(thread: &str, event: &Event) -> Event {
    let mut event = event.clone();
    (event.place.channel, event.place.kind) = (thread.into(), PlaceKind::Thread);
    event
}

fn closed(receipt: &str) -> Closed {
    Closed {
        at: DateTime::UNIX_EPOCH,
        receipt: Some(receipt.to_owned()),
        failure: None,
        wanted: false,
    }
}

fn later() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(1)
}

#[tokio::test]
async fn an_event_is_new_once_also_after_closing_and_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let asked = event(PlaceKind::Channel, "1", None);
    let inbox_before = inbox(folder.path());
    assert_eq!(inbox_before.accept(&asked).await.unwrap(), Accepted::New);
    assert_eq!(inbox_before.accept(&asked).await.unwrap(), Accepted::Known);
    drop(inbox_before);

    let inbox = inbox(folder.path());
    assert_eq!(inbox.accept(&asked).await.unwrap(), Accepted::Known);
    assert_eq!(inbox.unfinished().await.unwrap(), [(asked.clone(), vec![])]);

    let post = Post {
        place: in_a_thread("8", &asked).place,
        id: "91".into(),
    };
    let posts = [post.clone()];
    inbox.posted(&asked.key, &posts).await.unwrap();
    assert_eq!(
        inbox.unfinished().await.unwrap(),
        [(asked.clone(), vec![post])]
    );

    inbox.close(&asked.key, &closed("r1")).await.unwrap();
    assert_eq!(inbox.unfinished().await.unwrap(), []);
    assert_eq!(inbox.accept(&asked).await.unwrap(), Accepted::Known);
}

#[tokio::test]
async fn many_at_once_are_each_new_once_and_come_back_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let mailbox = inbox(folder.path());
    let mut accepting = JoinSet::new();
    for number in (0..200).chain(0..200) {
        let mailbox = mailbox.clone();
        accepting.spawn(async move {
            let heard = event(PlaceKind::Channel, &number.to_string(), None);
            mailbox.accept(&heard).await.unwrap()
        });
    }
    let accepted = accepting.join_all().await;
    let new = accepted
        .iter()
        .filter(|accepted| **accepted == Accepted::New);
    assert_eq!(new.count(), 200);
    let open = mailbox.unfinished().await.unwrap();
    let keys: BTreeSet<_> = open.iter().map(|(event, _)| event.key.clone()).collect();
    assert_eq!((open.len(), keys.len()), (200, 200));
}

#[tokio::test]
async fn a_chain_of_replies_is_one_conversation_and_so_is_a_thread() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = inbox(folder.path());
    for (message, replies_to, post) in [
        ("1", None, "91"),
        ("2", Some("91"), "92"),
        ("3", None, "93"),
    ] {
        let asked = event(PlaceKind::Channel, message, replies_to);
        inbox.accept(&asked).await.unwrap();
        let posts = [asked.posted(post.into())];
        inbox.posted(&asked.key, &posts).await.unwrap();
        inbox
            .close(&asked.key, &closed(&format!("r{message}")))
            .await
            .unwrap();
    }
    let said = async |asked| inbox.conversation(&asked, 6).await.unwrap();
    assert_eq!(
        said(event(PlaceKind::Channel, "4", Some("92"))).await,
        ["r1", "r2"]
    );
    assert_eq!(
        said(event(PlaceKind::Channel, "4", None)).await,
        Vec::<String>::new()
    );

    for message in ["11", "12"] {
        let asked = event(PlaceKind::Thread, message, None);
        inbox.accept(&asked).await.unwrap();
        inbox
            .close(&asked.key, &closed(&format!("r{message}")))
            .await
            .unwrap();
    }
    assert_eq!(
        said(event(PlaceKind::Thread, "13", None)).await,
        ["r11", "r12"]
    );
    let on = event(PlaceKind::Thread, "13", None);
    assert_eq!(inbox.conversation(&on, 1).await.unwrap(), ["r12"]);
}

#[tokio::test]
async fn an_answer_belongs_to_the_thread_in_which_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = inbox(folder.path());
    let first = event(PlaceKind::Channel, "1", None);
    let below = event(PlaceKind::Channel, "2", Some("91"));
    for (asked, thread, post) in [(&first, None, "91"), (&below, Some("8"), "92")] {
        let place = thread.map_or_else(
            || asked.place.clone(),
            |thread| in_a_thread(thread, asked).place,
        );
        let posts = [Post {
            place,
            id: post.into(),
        }];
        inbox.accept(asked).await.unwrap();
        inbox.posted(&asked.key, &posts).await.unwrap();
        let receipt = closed(&format!("r{post}"));
        inbox.close(&asked.key, &receipt).await.unwrap();
    }
    let said = async |asked: &Event| inbox.conversation(asked, 6).await.unwrap();
    let on = event(PlaceKind::Channel, "3", None);
    assert_eq!(said(&in_a_thread("8", &on)).await, ["r92"]);
    assert_eq!(said(&in_a_thread("9", &on)).await, Vec::<String>::new());
    // Its answer replies to one that stands in the channel.
    let reply = event(PlaceKind::Channel, "4", Some("92"));
    assert_eq!(said(&in_a_thread("8", &reply)).await, ["r91", "r92"]);
    assert_eq!(said(&reply).await, Vec::<String>::new());

    assert_eq!(inbox.forget(later()).await.unwrap(), 2);
    assert_eq!(said(&in_a_thread("8", &on)).await, Vec::<String>::new());
    let reply = in_a_thread("8", &reply);
    assert_eq!(said(&reply).await, Vec::<String>::new());
}

#[tokio::test]
async fn the_words_of_a_closed_event_go_unless_a_button_wants_them() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = inbox(folder.path());
    for (message, wanted) in [("1", true), ("2", false)] {
        let heard = event(PlaceKind::Channel, message, None);
        inbox.accept(&heard).await.unwrap();
        let closed = Closed {
            wanted,
            ..closed("r")
        };
        inbox.close(&heard.key, &closed).await.unwrap();
        let shown = inbox.shown(&heard.key.short()).await.unwrap();
        assert_eq!(shown, wanted.then_some(heard));
    }
    assert_eq!(inbox.shown("no such").await.unwrap(), None);
}

#[tokio::test]
async fn what_is_old_and_closed_is_forgotten_and_what_is_open_never() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = inbox(folder.path());
    let (done, open) = (
        event(PlaceKind::Thread, "1", None),
        event(PlaceKind::Thread, "2", None),
    );
    for heard in [&done, &open] {
        inbox.accept(heard).await.unwrap();
        let posts = [heard.posted("9".into())];
        inbox.posted(&heard.key, &posts).await.unwrap();
    }
    inbox.close(&done.key, &closed("r1")).await.unwrap();

    assert_eq!(inbox.forget(DateTime::UNIX_EPOCH).await.unwrap(), 0);
    assert_eq!(inbox.forget(later()).await.unwrap(), 1);
    assert_eq!(inbox.shown(&done.key.short()).await.unwrap(), None);
    assert_eq!(
        inbox.conversation(&open, 6).await.unwrap(),
        Vec::<String>::new()
    );
    assert_eq!(inbox.unfinished().await.unwrap().len(), 1);
    assert_eq!(inbox.accept(&done).await.unwrap(), Accepted::New);
}

#[tokio::test]
async fn marks_are_kept_under_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let before = inbox(folder.path());
    for (name, value) in [
        ("discord/heard", "5"),
        ("discord/dm/1", "2"),
        ("discord/heard", "6"),
        ("slack/heard", "1"),
    ] {
        before.mark(name, value).await.unwrap();
    }
    drop(before);
    let after = inbox(folder.path());
    let expected = [("discord/dm/1", "2"), ("discord/heard", "6")];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(after.marks("discord/").await.unwrap(), expected);

    let names: Vec<String> = expected.iter().map(|(name, _)| name.clone()).collect();
    after.unmark(&names[..1]).await.unwrap();
    drop(after);
    let later = inbox(folder.path());
    assert_eq!(later.marks("discord/").await.unwrap(), expected[1..]);
}
