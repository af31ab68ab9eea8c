//! saseo's reception and its line to a messenger, in this process.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use saseo::adapters::clock::SystemClock;
use saseo::adapters::store::{Mailbox, State};
use saseo::app::errands::Counter;
use saseo::app::reception::{Reception, ReceptionRules};
use saseo::domain::event::{Event, EventKey, Platform, Post};
use saseo::ports::{Accepted, Closed, Inbox, Intake, Messenger, Unrecorded};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::town::Town;

/// What tests want of a reception where they say nothing else.
pub(crate) fn rules() -> ReceptionRules {
    ReceptionRules {
        pace: Duration::from_millis(50),
        ..ReceptionRules::default()
    }
}

/// What a line needs before there is a reception: the time, and where events are kept.
pub(crate) struct Before {
    town: Town,
    disk: Arc<Disk>,
    clock: Arc<SystemClock>,
}

impl Before {
    pub(crate) fn with(town: Town) -> Self {
        let disk = Arc::new(Disk {
            inbox: town.inbox.clone(),
            fails: Mutex::default(),
            refuses: Mutex::default(),
        });
        Self {
            town,
            disk,
            clock: Arc::new(SystemClock::start()),
        }
    }

    pub(crate) fn inbox(&self) -> Arc<dyn Inbox> {
        self.disk.clone()
    }

    pub(crate) fn clock(&self) -> Arc<SystemClock> {
        self.clock.clone()
    }

    /// The reception for these messengers; its library is still being opened.
    #[expect(clippy::disallowed_methods, reason = "the shift holds the handle")]
    pub(crate) async fn begins(
        self,
        messengers: BTreeMap<Platform, Arc<dyn Messenger>>,
        rules: ReceptionRules,
    ) -> Shift {
        let (open, counter) = watch::channel(None);
        let inbox = self.inbox();
        let reception = Reception::open(inbox, messengers, counter, self.clock, rules);
        let reception = reception.await.unwrap();
        let ours = Arc::clone(&reception);
        Shift {
            town: self.town,
            disk: self.disk,
            reception,
            open,
            close: watch::channel(false).0,
            told: Arc::default(),
            working: tokio::spawn(async move { ours.run().await }),
        }
    }
}

/// A reception at work; it ends when dropped, as if it were killed.
pub(crate) struct Shift {
    pub(crate) town: Town,
    pub(crate) disk: Arc<Disk>,
    reception: Arc<Reception>,
    open: watch::Sender<Option<Counter>>,
    close: watch::Sender<bool>,
    told: Arc<Mutex<Vec<String>>>,
    working: JoinHandle<()>,
}

impl Shift {
    /// Where a line tells whoever watches how it stands.
    pub(crate) fn tell(&self) -> impl Fn(&str) + Send + Sync + use<> {
        let told = Arc::clone(&self.told);
        move |said| told.lock().unwrap().push(said.to_owned())
    }

    /// What whoever watches was told.
    #[cfg_attr(
        not(feature = "slack"),
        expect(dead_code, reason = "only Slack's tests read it")
    )]
    pub(crate) fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }

    /// To whom a line hands over what it hears.
    pub(crate) fn intake(&self) -> Arc<dyn Intake> {
        Arc::new(Arc::clone(&self.reception))
    }

    /// What tells a line to end.
    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.close.subscribe()
    }

    /// The library is open from now on.
    pub(crate) fn open(&self) {
        self.open.send_replace(Some(self.town.counter()));
    }

    /// Until every event has its answer.
    pub(crate) async fn settled(&self) {
        for _ in 0..6_000 {
            if self.town.inbox.unfinished().await.unwrap().is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let unfinished = self.town.inbox.unfinished().await.unwrap();
        assert!(unfinished.is_empty(), "{unfinished:?}");
    }
}

impl Drop for Shift {
    fn drop(&mut self) {
        self.working.abort();
    }
}

/// A reception with a line to one messenger; it ends when dropped, as if it were killed.
pub(crate) struct Bot<Deaf> {
    shift: Shift,
    listening: JoinHandle<Result<(), Deaf>>,
}

impl<Deaf: std::fmt::Debug> Bot<Deaf> {
    pub(crate) fn new(shift: Shift, listening: JoinHandle<Result<(), Deaf>>) -> Self {
        Self { shift, listening }
    }

    /// How the line ended.
    pub(crate) async fn ends(mut self) -> Result<(), Deaf> {
        let ended = tokio::time::timeout(Duration::from_secs(120), &mut self.listening).await;
        ended.unwrap().unwrap()
    }

    /// Ends as if it were killed; what it leaves behind.
    pub(crate) async fn dies(self) -> Arc<TempDir> {
        let folder = Arc::clone(&self.town.folder);
        drop(self);
        // What it had begun to write ends in threads of its own, and holds the folder till then.
        for _ in 0..1_000 {
            if State::open(folder.path()).is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        folder
    }

    /// Ends as SIGTERM ends it.
    pub(crate) async fn closes(mut self) {
        self.shift.close.send_replace(true);
        self.shift.reception.close();
        (&mut self.listening).await.unwrap().unwrap();
        (&mut self.shift.working).await.unwrap();
    }
}

impl<Deaf> Deref for Bot<Deaf> {
    type Target = Shift;

    fn deref(&self) -> &Shift {
        &self.shift
    }
}

impl<Deaf> Drop for Bot<Deaf> {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// Where the inbox lies; it may fail.
pub(crate) struct Disk {
    inbox: Mailbox,
    fails: Mutex<VecDeque<Failure>>,
    refuses: Mutex<Option<String>>,
}

/// How the keeping of an event fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nothing is kept.
    Whole,
    /// It is kept, and nobody is told so.
    Half,
}

impl Disk {
    pub(crate) fn fails(&self, next: &[Failure]) {
        self.fails.lock().unwrap().extend(next);
    }

    /// Nothing of what the person with this id says is kept from now on.
    pub(crate) fn refuses(&self, person: &impl ToString) {
        *self.refuses.lock().unwrap() = Some(person.to_string());
    }
}

#[async_trait]
impl Inbox for Disk {
    async fn accept(&self, event: &Event) -> Result<Accepted, Unrecorded> {
        let mut fails = self.fails.lock().unwrap().pop_front();
        let refused = self.refuses.lock().unwrap().clone();
        if refused.as_deref() == Some(event.person.id.as_str()) {
            fails = Some(Failure::Whole);
        }
        if fails != Some(Failure::Whole) {
            let accepted = self.inbox.accept(event).await?;
            if fails.is_none() {
                return Ok(accepted);
            }
        }
        Err(Unrecorded("the disk is full".into()))
    }

    async fn posted(&self, key: &EventKey, posts: &[Post]) -> Result<(), Unrecorded> {
        self.inbox.posted(key, posts).await
    }

    async fn close(&self, key: &EventKey, closed: &Closed) -> Result<(), Unrecorded> {
        self.inbox.close(key, closed).await
    }

    async fn unfinished(&self) -> Result<Vec<(Event, Vec<Post>)>, Unrecorded> {
        self.inbox.unfinished().await
    }

    async fn shown(&self, short: &str) -> Result<Option<Event>, Unrecorded> {
        self.inbox.shown(short).await
    }

    async fn settled(&self, key: &EventKey) -> Result<(), Unrecorded> {
        self.inbox.settled(key).await
    }

    async fn conversation(
        &self,
        event: &Event,
        most: usize,
    ) -> Result<Vec<String>, Unrecorded> {
        self.inbox.conversation(event, most).await
    }

    async fn forget(&self, before: DateTime<Utc>) -> Result<usize, Unrecorded> {
        self.inbox.forget(before).await
    }

    async fn mark(&self, name: &str, value: &str) -> Result<(), Unrecorded> {
        self.inbox.mark(name, value).await
    }

    async fn marks(&self, prefix: &str) -> Result<Vec<(String, String)>, Unrecorded> {
        self.inbox.marks(prefix).await
    }

    async fn unmark(&self, names: &[String]) -> Result<(), Unrecorded> {
        self.inbox.unmark(names).await
    }

    async fn lost(&self) -> Unrecorded {
        self.inbox.lost().await
    }
}
