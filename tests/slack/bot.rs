//! saseo's reception and its line to Slack, in this process.

use std::time::Duration;

use saseo::adapters::slack::api::Timeouts;
use saseo::adapters::slack::socket::Pulse;
use saseo::adapters::slack::streams::Streaming;
use saseo::adapters::slack::tiers::Rates;
use saseo::adapters::slack::wire::{Address, To};
use saseo::adapters::slack::{Deaf, Slack as Line, SlackSettings, Way};
use saseo::domain::event::{
    Event, EventKey, Person as Author, Place, PlaceKind, Platform, Wish,
};
use saseo::domain::language::Language;

use crate::support::bot::{self, Before, rules};
use crate::support::slack::Slack;
use crate::support::slack::clock;
use crate::support::slack::people::{Person, Said};
use crate::support::slack::places::Workspace;
use crate::support::town::Town;

/// The bot; it ends when dropped, as if it were killed.
pub(crate) type Bot = bot::Bot<Deaf>;

/// What the bot is started with where a test says nothing else.
pub(crate) fn settings(slack: &Slack, workspaces: &[&Workspace]) -> SlackSettings {
    SlackSettings {
        api: slack.api(),
        tokens: workspaces.iter().map(|one| one.token().into()).collect(),
        way: Way::Socket {
            token: slack.app_token().into(),
        },
        rotation: None,
        groups: Vec::new(),
        pulse: Pulse {
            apart: Duration::from_millis(50),
            crowded: Duration::from_secs(1),
            ..Pulse::default()
        },
        rates: Rates::Published,
        timeouts: Timeouts::default(),
        streaming: Streaming::default(),
    }
}

impl Bot {
    /// A bot at work, with its library open.
    pub(crate) async fn start(slack: &Slack, workspace: &Workspace, town: Town) -> Self {
        let bot = Self::start_with(settings(slack, &[workspace]), town).await;
        bot.open();
        slack.connected().await;
        bot
    }

    /// A bot that listens while its library is being opened.
    #[expect(clippy::disallowed_methods, reason = "the bot holds the handle")]
    pub(crate) async fn start_with(settings: SlackSettings, town: Town) -> Self {
        let before = Before::with(town);
        let line = Line::new(settings, before.inbox(), before.clock()).unwrap();
        let messengers = [(Platform::Slack, line.messenger())].into();
        let shift = before.begins(messengers, rules()).await;
        let (intake, closing, tell) = (shift.intake(), shift.closing(), shift.tell());
        let listening = tokio::spawn(async move { line.listen(intake, closing, &tell).await });
        Self::new(shift, listening)
    }
}

/// What the bot hears of `said`, in a thread.
pub(super) fn heard(team: &Workspace, mina: &Person, said: &Said) -> Event {
    let address = Address {
        team: team.id.clone(),
        channel: said.channel.clone(),
        thread: Some(said.ts.clone()),
        user: mina.id.clone(),
        to: To::Message,
        since: said.ts.clone(),
    };
    Event {
        key: EventKey::new(Platform::Slack, &said.ts),
        place: Place {
            platform: Platform::Slack,
            server: Some(team.id.clone()),
            channel: said.channel.clone(),
            kind: PlaceKind::Thread,
        },
        person: Author {
            id: mina.id.clone(),
            roles: Vec::new(),
            administers: false,
        },
        at: clock::said(&said.ts).unwrap(),
        language: Language::English,
        replies_to: None,
        wish: Wish::Status,
        address: serde_json::to_string(&address).unwrap(),
    }
}
