//! Events on their way, in the state folder: kept before they are acknowledged, and until every
//! one has its answer.
//!
//! A closed event keeps what is needed to know it again and to follow a conversation; its words
//! go, unless a button under its answer may want them.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sled::{Db, Tree};
use tokio::sync::watch;
use tokio::time::timeout;

use super::blocking;
use super::disk::Room;
use super::failure::Trouble;
use super::lock::FolderLock;
use crate::domain::event::{Event, EventKey, Place, PlaceKind, Post};
use crate::ports::{Accepted, Closed, Inbox, Unrecorded};

/// The inbox of a data folder. Clones are the same inbox.
#[derive(Clone)]
pub struct Mailbox {
    shelf: Arc<Shelf>,
}

struct Shelf {
    db: Db,
    /// [`Row`]s by event key.
    events: Tree,
    /// Event keys by their short form.
    shorts: Tree,
    /// Event keys by place and post.
    posts: Tree,
    /// Receipts by place and time, where a place is one conversation.
    said: Tree,
    /// Words of the adapters' own.
    marks: Tree,
    /// On the disk that is asked for room.
    folder: PathBuf,
    /// Whether sled has met a failing disk: it keeps nothing after that.
    lost: watch::Sender<bool>,
    written: AtomicU64,
    flushed: Mutex<u64>,
    // Last, so that sled is closed before another process may come in.
    _lock: Arc<FolderLock>,
}

/// An event as it lies in sled.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    /// Gone once it is closed and nobody will want it again.
    event: Option<Event>,
    place: Place,
    replies_to: Option<String>,
    accepted: u64,
    posts: Vec<Kept>,
    closed: Option<DateTime<Utc>>,
    receipt: Option<String>,
    failure: Option<String>,
}

/// A post as it lies in a row.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Kept {
    Post(Post),
    /// As it was kept once: it stands where the event was.
    Id(String),
}

impl Row {
    fn posts(&self) -> Vec<Post> {
        let post = |kept: &Kept| match kept {
            Kept::Post(post) => post.clone(),
            Kept::Id(id) => Post {
                place: self.place.clone(),
                id: id.clone(),
            },
        };
        self.posts.iter().map(post).collect()
    }

    /// Under what its turn of the conversation is filed: where the reply stands. `None` where
    /// many conversations go on at once.
    fn turn(&self) -> Option<Vec<u8>> {
        let first = self.posts().into_iter().next();
        let place = first.map_or_else(|| self.place.clone(), |post| post.place);
        if place.kind == PlaceKind::Channel {
            return None;
        }
        let mut key = of_place(&place);
        key.extend(self.accepted.to_be_bytes());
        Some(key)
    }
}

impl Mailbox {
    pub(super) fn open(db: &Db, folder: &Path, lock: Arc<FolderLock>) -> Result<Self, Trouble> {
        let shelf = Shelf {
            events: db.open_tree("inbox")?,
            shorts: db.open_tree("inbox-shorts")?,
            posts: db.open_tree("inbox-posts")?,
            said: db.open_tree("inbox-said")?,
            marks: db.open_tree("inbox-marks")?,
            folder: folder.to_owned(),
            lost: watch::Sender::new(false),
            written: AtomicU64::new(0),
            flushed: Mutex::new(0),
            db: db.clone(),
            _lock: lock,
        };
        Ok(Self {
            shelf: Arc::new(shelf),
        })
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shelf) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, Unrecorded> {
        let ours = Arc::clone(&self.shelf);
        let done = within(LONGEST, blocking(move || work(&ours))).await;
        // sled panics where it does not know how to go on, and may do so for ever after.
        if let Err(
            Trouble::Index(_) | Trouble::IndexDisk(_) | Trouble::InboxLost | Trouble::Stopped,
        ) = done
        {
            self.shelf.lost.send_replace(true);
        }
        done.map_err(|trouble| Unrecorded(trouble.into()))
    }
}

/// No disk that is merely busy takes so long.
const LONGEST: Duration = Duration::from_secs(30);

/// What comes of `work`. Where a disk fails, what waits for it may wait for ever.
async fn within<T>(
    longest: Duration,
    work: impl Future<Output = Result<T, Trouble>>,
) -> Result<T, Trouble> {
    let done = timeout(longest, work).await;
    done.unwrap_or(Err(Trouble::InboxLost))
}

impl Shelf {
    /// Makes durable what was written before the call. Many at once share one flush: a flood
    /// of events would otherwise wait for the disk one by one.
    fn flush(&self) -> Result<(), Trouble> {
        let mine = self.written.fetch_add(1, Ordering::SeqCst) + 1;
        let mut flushed = self.flushed.lock().unwrap_or_else(PoisonError::into_inner);
        if *flushed < mine {
            let all = self.written.load(Ordering::SeqCst);
            self.db.flush()?;
            *flushed = all;
        }
        Ok(())
    }

    fn accept(&self, event: Event) -> Result<Accepted, Trouble> {
        Room::of(&self.folder)?.gate_for_little()?;
        let key = event.key.clone();
        let row = Row {
            place: event.place.clone(),
            replies_to: event.replies_to.clone(),
            accepted: self.db.generate_id()?,
            posts: Vec::new(),
            closed: None,
            receipt: None,
            failure: None,
            event: Some(event),
        };
        self.shorts.insert(key.short(), key.as_str())?;
        let kept =
            self.events
                .compare_and_swap(key.as_str(), None::<&[u8]>, Some(bytes(&row)?))?;
        // Also when it is known: whoever delivered it twice may acknowledge the second alone.
        self.flush()?;
        Ok(match kept {
            Ok(()) => Accepted::New,
            Err(_) => Accepted::Known,
        })
    }

    fn row(&self, key: &[u8]) -> Result<Option<Row>, Trouble> {
        let found = self.events.get(key)?;
        found.map(|bytes| read(&bytes)).transpose()
    }

    /// The row as it is after the change; `None` if there is no such event.
    fn change(
        &self,
        key: &EventKey,
        change: impl FnOnce(&mut Row),
    ) -> Result<Option<Row>, Trouble> {
        let Some(mut row) = self.row(key.as_str().as_bytes())? else {
            return Ok(None);
        };
        change(&mut row);
        self.events.insert(key.as_str(), bytes(&row)?)?;
        Ok(Some(row))
    }

    fn posted(&self, key: &EventKey, posts: Vec<Post>) -> Result<(), Trouble> {
        let posts = posts.into_iter().map(Kept::Post).collect();
        if let Some(row) = self.change(key, |row| row.posts = posts)? {
            for post in row.posts() {
                self.posts
                    .insert(at_post(&post.place, &post.id), key.as_str())?;
            }
        }
        self.flush()
    }

    fn close(&self, key: &EventKey, closed: Closed) -> Result<(), Trouble> {
        let row = self.change(key, |row| {
            row.closed = Some(closed.at);
            row.receipt = closed.receipt;
            row.failure = closed.failure;
            if !closed.wanted {
                row.event = None;
            }
        })?;
        if let Some(row) = row
            && let Some(receipt) = &row.receipt
            && let Some(turn) = row.turn()
        {
            self.said.insert(turn, receipt.as_str())?;
        }
        self.flush()
    }

    fn unfinished(&self) -> Result<Vec<(Event, Vec<Post>)>, Trouble> {
        let mut open = Vec::new();
        for row in &self.events {
            let row: Row = read(&row?.1)?;
            let posts = row.posts();
            if let (None, Some(event)) = (row.closed, row.event) {
                open.push((row.accepted, event, posts));
            }
        }
        open.sort_by_key(|(accepted, ..)| *accepted);
        Ok(open
            .into_iter()
            .map(|(_, event, posts)| (event, posts))
            .collect())
    }

    fn shown(&self, short: &str) -> Result<Option<Event>, Trouble> {
        let Some(key) = self.shorts.get(short)? else {
            return Ok(None);
        };
        Ok(self.row(&key)?.and_then(|row| row.event))
    }

    fn conversation(&self, event: &Event, most: usize) -> Result<Vec<String>, Trouble> {
        let mut receipts = Vec::new();
        let (mut post, mut place) = (event.replies_to.clone(), event.place.clone());
        while let (Some(id), true) = (&post, receipts.len() < most) {
            let Some(key) = self.posts.get(at_post(&place, id))? else {
                break;
            };
            let Some(row) = self.row(&key)? else { break };
            receipts.extend(row.receipt);
            (post, place) = (row.replies_to, row.place);
        }
        if receipts.is_empty() && event.place.kind != PlaceKind::Channel {
            for row in self
                .said
                .scan_prefix(of_place(&event.place))
                .rev()
                .take(most)
            {
                receipts.push(String::from_utf8_lossy(&row?.1).into_owned());
            }
        }
        receipts.reverse();
        Ok(receipts)
    }

    fn forget(&self, before: DateTime<Utc>) -> Result<usize, Trouble> {
        let mut gone = 0;
        for found in &self.events {
            let (key, row) = found?;
            let row: Row = read(&row)?;
            if row.closed.is_none_or(|closed| closed >= before) {
                continue;
            }
            for post in row.posts() {
                self.posts.remove(at_post(&post.place, &post.id))?;
            }
            if let Some(turn) = row.turn() {
                self.said.remove(turn)?;
            }
            let short = EventKey::short_of(&String::from_utf8_lossy(&key));
            self.shorts.remove(short)?;
            self.events.remove(key)?;
            gone += 1;
        }
        self.flush()?;
        Ok(gone)
    }
}

fn bytes(row: &Row) -> Result<Vec<u8>, Trouble> {
    serde_json::to_vec(row).map_err(|_| UNREADABLE)
}

fn read(bytes: &[u8]) -> Result<Row, Trouble> {
    serde_json::from_slice(bytes).map_err(|_| UNREADABLE)
}

const UNREADABLE: Trouble = Trouble::Inconsistent("an event in the inbox cannot be read");

/// Platform, server and channel: a channel's id is unique only within its server.
fn of_place(place: &Place) -> Vec<u8> {
    let server = place.server.as_deref().unwrap_or_default();
    format!("{}\0{server}\0{}\0", place.platform.as_str(), place.channel).into_bytes()
}

fn at_post(place: &Place, post: &str) -> Vec<u8> {
    let mut key = of_place(place);
    key.extend(post.as_bytes());
    key
}

#[async_trait]
impl Inbox for Mailbox {
    async fn accept(&self, event: &Event) -> Result<Accepted, Unrecorded> {
        let event = event.clone();
        self.with(move |shelf| shelf.accept(event)).await
    }

    async fn posted(&self, key: &EventKey, posts: &[Post]) -> Result<(), Unrecorded> {
        let (key, posts) = (key.clone(), posts.to_vec());
        self.with(move |shelf| shelf.posted(&key, posts)).await
    }

    async fn close(&self, key: &EventKey, closed: &Closed) -> Result<(), Unrecorded> {
        let (key, closed) = (key.clone(), closed.clone());
        self.with(move |shelf| shelf.close(&key, closed)).await
    }

    async fn settled(&self, key: &EventKey) -> Result<(), Unrecorded> {
        let key = key.clone();
        self.with(move |shelf| {
            shelf.change(&key, |row| row.event = None)?;
            shelf.flush()
        })
        .await
    }

    async fn unfinished(&self) -> Result<Vec<(Event, Vec<Post>)>, Unrecorded> {
        self.with(Shelf::unfinished).await
    }

    async fn shown(&self, short: &str) -> Result<Option<Event>, Unrecorded> {
        let short = short.to_owned();
        self.with(move |shelf| shelf.shown(&short)).await
    }

    async fn conversation(
        &self,
        event: &Event,
        most: usize,
    ) -> Result<Vec<String>, Unrecorded> {
        let event = event.clone();
        self.with(move |shelf| shelf.conversation(&event, most))
            .await
    }

    async fn forget(&self, before: DateTime<Utc>) -> Result<usize, Unrecorded> {
        self.with(move |shelf| shelf.forget(before)).await
    }

    async fn mark(&self, name: &str, value: &str) -> Result<(), Unrecorded> {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.with(move |shelf| {
            Room::of(&shelf.folder)?.gate_for_little()?;
            shelf.marks.insert(name, value.as_bytes())?;
            shelf.flush()
        })
        .await
    }

    async fn marks(&self, prefix: &str) -> Result<Vec<(String, String)>, Unrecorded> {
        let prefix = prefix.to_owned();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.with(move |shelf| {
            let rows = shelf.marks.scan_prefix(prefix);
            rows.map(|row| row.map(|(name, value)| (text(&name), text(&value))))
                .collect::<Result<_, _>>()
                .map_err(Trouble::from)
        })
        .await
    }

    async fn unmark(&self, names: &[String]) -> Result<(), Unrecorded> {
        let names = names.to_vec();
        self.with(move |shelf| {
            for name in names {
                shelf.marks.remove(name)?;
            }
            shelf.flush()
        })
        .await
    }

    async fn lost(&self) -> Unrecorded {
        let mut lost = self.shelf.lost.subscribe();
        // The sender lives as long as we do.
        drop(lost.wait_for(|lost| *lost).await);
        Unrecorded(Trouble::InboxLost.into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[tokio::test]
    async fn what_was_kept_before_posts_had_a_place_is_still_read() {
        let folder = tempfile::tempdir().unwrap();
        let inbox = State::open(folder.path()).unwrap().inbox;
        let event = r#"{"key": "discord:1", "place": {"platform": "discord", "server": "1",
            "channel": "7", "kind": "channel"}, "person": {"id": "3", "roles": [],
            "administers": false}, "at": "2026-01-01T00:00:00Z", "language": "en",
            "replies_to": null, "wish": "stop", "address": ""}"#;
        let event: Event = serde_json::from_str(event).unwrap();
        inbox.accept(&event).await.unwrap();
        let mut row: serde_json::Value =
            serde_json::from_slice(&inbox.shelf.events.get("discord:1").unwrap().unwrap())
                .unwrap();
        row["posts"] = serde_json::json!(["91"]);
        let row = serde_json::to_vec(&row).unwrap();
        inbox.shelf.events.insert("discord:1", row).unwrap();

        let post = event.posted("91".into());
        let left = inbox.unfinished().await.unwrap();
        assert_eq!(left, [(event, vec![post])]);
    }

    #[tokio::test]
    async fn where_sled_panics_the_inbox_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let inbox = State::open(folder.path()).unwrap().inbox;
        let done = inbox.with(|_| -> Result<(), Trouble> { panic!("as sled does") });
        assert!(done.await.is_err());
        let lost = timeout(Duration::from_secs(5), inbox.lost());
        assert!(lost.await.is_ok());
    }

    #[tokio::test]
    async fn a_disk_that_never_answers_is_lost() {
        let never = std::future::pending::<Result<(), Trouble>>();
        let done = within(Duration::from_millis(1), never).await;
        assert!(matches!(done, Err(Trouble::InboxLost)), "{done:?}");
    }
}
