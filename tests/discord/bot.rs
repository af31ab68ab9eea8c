//! saseo's reception and its line to Discord, in this process.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use saseo::adapters::clock::SystemClock;
use saseo::adapters::discord::{Deaf, Discord as Line, DiscordSettings, Pulse};
use saseo::adapters::store::{Mailbox, State};
use saseo::app::errands::Counter;
use saseo::app::reception::{Reception, ReceptionRules};
use saseo::domain::event::{Event, EventKey, Platform};
use saseo::ports::{Accepted, Closed, Inbox, Unrecorded};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::discord::Discord;
use crate::support::discord::clock::Id;
use crate::support::discord::people::Person;
use crate::support::town::Town;

/// The bot; it ends when dropped, as if it were killed.
pub(super) struct Bot {
    pub(super) town: Town,
    pub(super) disk: Arc<Disk>,
    reception: Arc<Reception>,
    open: watch::Sender<Option<Counter>>,
    close: watch::Sender<bool>,
    working: JoinHandle<()>,
    listening: JoinHandle<Result<(), Deaf>>,
}

/// How a test wants it.
#[derive(Clone, Copy)]
pub(super) struct Manner {
    pub(super) rules: ReceptionRules,
    pub(super) threads: bool,
    pub(super) pulse: Pulse,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            rules: ReceptionRules {
                pace: Duration::from_millis(50),
                ..ReceptionRules::default()
            },
            threads: false,
            pulse: Pulse::default(),
        }
    }
}

impl Bot {
    /// A bot at work, with its library open.
    pub(super) async fn start(discord: &Discord, town: Town) -> Self {
        let bot = Self::start_closed(discord, town, Manner::default()).await;
        bot.open();
        discord.connected().await;
        bot
    }

    /// A bot with this token.
    pub(super) async fn start_as(discord: &Discord, token: &str, town: Town) -> Self {
        Self::began((discord.api(), token.into()), town, Manner::default()).await
    }

    /// A bot that listens while its library is being opened; see [`Bot::open`].
    pub(super) async fn start_closed(discord: &Discord, town: Town, manner: Manner) -> Self {
        Self::began((discord.api(), discord.token()), town, manner).await
    }

    #[expect(clippy::disallowed_methods, reason = "the test holds the handles")]
    async fn began((api, token): (String, String), town: Town, manner: Manner) -> Self {
        let clock = Arc::new(SystemClock::start());
        let disk = Arc::new(Disk {
            inbox: town.inbox.clone(),
            fails: Mutex::default(),
            refuses: Mutex::default(),
        });
        let inbox: Arc<dyn Inbox> = disk.clone();
        let settings = DiscordSettings {
            api,
            token: token.into(),
            answer_in_threads: manner.threads,
            pulse: manner.pulse,
        };
        let line = Line::new(settings, Arc::clone(&inbox), clock.clone()).unwrap();
        let messengers: BTreeMap<_, _> = [(Platform::Discord, line.messenger())].into();
        let (open, counter) = watch::channel(None);
        let reception = Reception::open(inbox, messengers, counter, clock, manner.rules);
        let reception = reception.await.unwrap();
        let (close, closing) = watch::channel(false);
        let (ours, intake) = (Arc::clone(&reception), Arc::new(Arc::clone(&reception)));
        let working = tokio::spawn(async move { ours.run().await });
        let listening =
            tokio::spawn(async move { line.listen(intake, closing, &|_: &str| {}).await });
        Self {
            town,
            disk,
            reception,
            open,
            close,
            working,
            listening,
        }
    }

    pub(super) fn open(&self) {
        self.open.send_replace(Some(self.town.counter()));
    }

    /// Until every event has its answer.
    pub(super) async fn settled(&self) {
        for _ in 0..6_000 {
            if self.town.inbox.unfinished().await.unwrap().is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let unfinished = self.town.inbox.unfinished().await.unwrap();
        assert!(unfinished.is_empty(), "{unfinished:?}");
    }

    /// How the line ended.
    pub(super) async fn ends(mut self) -> Result<(), Deaf> {
        let ended = tokio::time::timeout(Duration::from_secs(120), &mut self.listening).await;
        ended.unwrap().unwrap()
    }

    /// Ends as if it were killed; what it leaves behind.
    pub(super) async fn dies(self) -> Arc<TempDir> {
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
    pub(super) async fn closes(mut self) {
        self.close.send_replace(true);
        self.reception.close();
        (&mut self.listening).await.unwrap().unwrap();
        (&mut self.working).await.unwrap();
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        self.working.abort();
        self.listening.abort();
    }
}

/// Where the inbox lies; it may fail.
pub(super) struct Disk {
    inbox: Mailbox,
    fails: Mutex<VecDeque<Failure>>,
    refuses: Mutex<Option<Id>>,
}

/// How the keeping of an event fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Nothing is kept.
    Whole,
    /// It is kept, and nobody is told so.
    Half,
}

impl Disk {
    pub(super) fn fails(&self, next: &[Failure]) {
        self.fails.lock().unwrap().extend(next);
    }

    /// Nothing of what this person says is kept from now on.
    pub(super) fn refuses(&self, person: &Person) {
        *self.refuses.lock().unwrap() = Some(person.id);
    }
}

#[async_trait]
impl Inbox for Disk {
    async fn accept(&self, event: &Event) -> Result<Accepted, Unrecorded> {
        let mut fails = self.fails.lock().unwrap().pop_front();
        let refused = self.refuses.lock().unwrap().map(|id| id.to_string());
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

    async fn posted(&self, key: &EventKey, posts: &[String]) -> Result<(), Unrecorded> {
        self.inbox.posted(key, posts).await
    }

    async fn close(&self, key: &EventKey, closed: &Closed) -> Result<(), Unrecorded> {
        self.inbox.close(key, closed).await
    }

    async fn unfinished(&self) -> Result<Vec<(Event, Vec<String>)>, Unrecorded> {
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

    async fn lost(&self) -> Unrecorded {
        self.inbox.lost().await
    }
}
