//! saseo's reception and its line to Discord, in this process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use saseo::adapters::clock::SystemClock;
use saseo::adapters::discord::{Deaf, Discord as Line, DiscordSettings};
use saseo::app::errands::Counter;
use saseo::app::reception::{Reception, ReceptionRules};
use saseo::domain::document::{CollectionName, Document, Shelfmark};
use saseo::domain::event::{Curators, Platform};
use saseo::domain::language::Language;
use saseo::ports::{Acquirer, Handed, Inbox, Unacquired};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::discord::Discord;
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

/// How a test wants it.
#[derive(Clone, Copy)]
pub(super) struct Manner {
    pub(super) rules: ReceptionRules,
    pub(super) threads: bool,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            rules: ReceptionRules {
                pace: Duration::from_millis(50),
                ..ReceptionRules::default()
            },
            threads: false,
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
        let inbox: Arc<dyn Inbox> = Arc::new(town.inbox.clone());
        let settings = DiscordSettings {
            api,
            token: token.into(),
            answer_in_threads: manner.threads,
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
            reception,
            open,
            close,
            working,
            listening,
        }
    }

    pub(super) fn open(&self) {
        self.open.send_replace(Some(Counter {
            desk: self.town.desk.clone(),
            acquirer: Arc::new(Texts),
            collection: CollectionName::default(),
            longest: 1 << 20,
            curators: Curators {
                roles: vec!["librarian".into()],
            },
        }));
    }

    /// Until every event has its answer.
    pub(super) async fn settled(&self) {
        for _ in 0..3_000 {
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
        let ended = tokio::time::timeout(Duration::from_secs(30), &mut self.listening).await;
        ended.unwrap().unwrap()
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

/// Takes texts as they are: parsing is shown elsewhere.
struct Texts;

#[async_trait]
impl Acquirer for Texts {
    async fn page(&self, _: &str, _: &CollectionName) -> Result<Document, Unacquired> {
        Err(Unacquired("it could not be reached".into()))
    }

    async fn file(
        &self,
        file: Handed<'_>,
        uri: &str,
        collection: &CollectionName,
    ) -> Result<Document, Unacquired> {
        let text = String::from_utf8(file.bytes.to_vec())
            .map_err(|_| Unacquired("it is not text".into()))?;
        Ok(Document {
            shelfmark: Shelfmark {
                collection: collection.clone(),
                uri: uri.to_owned(),
            },
            title: if file.name.is_empty() {
                uri.to_owned()
            } else {
                file.name.to_owned()
            },
            language: Language::of(&text),
            modified: None,
            carried: None,
            origin: Some(uri.to_owned()),
            text,
        })
    }
}
