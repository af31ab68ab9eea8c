//! saseo's reception and its line to Slack, in this process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use saseo::adapters::clock::SystemClock;
use saseo::adapters::slack::api::Timeouts;
use saseo::adapters::slack::socket::Pulse;
use saseo::adapters::slack::tiers::Rates;
use saseo::adapters::slack::{Deaf, Slack as Line, SlackSettings, Way};
use saseo::adapters::store::State;
use saseo::app::errands::Counter;
use saseo::app::reception::{Reception, ReceptionRules};
use saseo::domain::event::Platform;
use saseo::ports::Inbox;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::slack::Slack;
use crate::support::slack::places::Workspace;
use crate::support::town::Town;

/// The bot; it ends when dropped, as if it were killed.
pub(super) struct Bot {
    pub(super) town: Town,
    reception: Arc<Reception>,
    open: watch::Sender<Option<Counter>>,
    close: watch::Sender<bool>,
    working: JoinHandle<()>,
    listening: JoinHandle<Result<(), Deaf>>,
}

/// What the bot is started with where a test says nothing else.
pub(super) fn settings(slack: &Slack, workspaces: &[&Workspace]) -> SlackSettings {
    SlackSettings {
        api: slack.api(),
        tokens: workspaces.iter().map(|one| one.token().into()).collect(),
        way: Way::Socket {
            token: slack.app_token().into(),
        },
        groups: Vec::new(),
        pulse: Pulse {
            apart: Duration::from_millis(50),
            crowded: Duration::from_secs(1),
            ..Pulse::default()
        },
        rates: Rates::Published,
        timeouts: Timeouts::default(),
    }
}

impl Bot {
    /// A bot at work, with its library open.
    pub(super) async fn start(slack: &Slack, workspace: &Workspace, town: Town) -> Self {
        let bot = Self::start_with(settings(slack, &[workspace]), town).await;
        bot.open();
        slack.connected().await;
        bot
    }

    /// A bot that listens while its library is being opened; see [`Bot::open`].
    #[expect(clippy::disallowed_methods, reason = "the test holds the handles")]
    pub(super) async fn start_with(settings: SlackSettings, town: Town) -> Self {
        let clock = Arc::new(SystemClock::start());
        let inbox: Arc<dyn Inbox> = Arc::new(town.inbox.clone());
        let line = Line::new(settings, Arc::clone(&inbox), clock.clone()).unwrap();
        let messengers: BTreeMap<_, _> = [(Platform::Slack, line.messenger())].into();
        let (open, counter) = watch::channel(None);
        let rules = ReceptionRules {
            pace: Duration::from_millis(50),
            ..ReceptionRules::default()
        };
        let reception = Reception::open(inbox, messengers, counter, clock, rules);
        let reception = reception.await.unwrap();
        let (close, closing) = watch::channel(false);
        let (ours, intake) = (Arc::clone(&reception), Arc::new(Arc::clone(&reception)));
        let working = tokio::spawn(async move { ours.run().await });
        let listening =
            tokio::spawn(async move { line.listen(intake, closing, &|_: &str| {}).await });
        Self {
            town,
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
