//! saseo's reception and its line to Discord, in this process.

use saseo::adapters::discord::{Deaf, Discord as Line, DiscordSettings, Pulse};
use saseo::app::reception::ReceptionRules;
use saseo::domain::event::Platform;

use crate::support::bot::{self, Before, rules};
use crate::support::discord::Discord;
use crate::support::town::Town;

pub(crate) use crate::support::bot::Failure;

/// The bot; it ends when dropped, as if it were killed.
pub(crate) type Bot = bot::Bot<Deaf>;

/// How a test wants it.
#[derive(Clone, Copy)]
pub(crate) struct Manner {
    pub(crate) rules: ReceptionRules,
    pub(crate) threads: bool,
    pub(crate) pulse: Pulse,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            rules: rules(),
            threads: false,
            pulse: Pulse::default(),
        }
    }
}

impl Bot {
    /// A bot at work, with its library open.
    pub(crate) async fn start(discord: &Discord, town: Town) -> Self {
        let bot = Self::start_closed(discord, town, Manner::default()).await;
        bot.open();
        discord.connected().await;
        bot
    }

    /// A bot with this token.
    pub(crate) async fn start_as(discord: &Discord, token: &str, town: Town) -> Self {
        Self::began((discord.api(), token.into()), town, Manner::default()).await
    }

    /// A bot that listens while its library is being opened.
    pub(crate) async fn start_closed(discord: &Discord, town: Town, manner: Manner) -> Self {
        Self::began((discord.api(), discord.token()), town, manner).await
    }

    #[expect(clippy::disallowed_methods, reason = "the bot holds the handle")]
    async fn began((api, token): (String, String), town: Town, manner: Manner) -> Self {
        let before = Before::with(town);
        let settings = DiscordSettings {
            api,
            token: token.into(),
            answer_in_threads: manner.threads,
            pulse: manner.pulse,
        };
        let line = Line::new(settings, before.inbox(), before.clock()).unwrap();
        let messengers = [(Platform::Discord, line.messenger())].into();
        let shift = before.begins(messengers, manner.rules).await;
        let (intake, closing, tell) = (shift.intake(), shift.closing(), shift.tell());
        let listening = tokio::spawn(async move { line.listen(intake, closing, &tell).await });
        Self::new(shift, listening)
    }
}
