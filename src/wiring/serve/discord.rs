//! The line to Discord, as settings and environment name it.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use super::{Line, Refused, Tell};
use crate::adapters::discord::{Deaf, Discord, DiscordSettings, Pulse};
use crate::domain::event::Platform;
use crate::ports::{Clock, Inbox, Intake, Messenger};
use crate::settings::{Environment, Settings};

/// The environment variable with Discord's token.
pub const TOKEN: &str = "SASEO_DISCORD_TOKEN";

pub(super) const HOW: &str =
    "set SASEO_DISCORD_TOKEN to the bot's token, as deploy/discord.md shows";

/// Which Discord, as whom; `None` without a token.
pub fn discord(settings: &Settings, environment: &Environment) -> Option<DiscordSettings> {
    let token = environment.get(TOKEN).map(|token| token.trim());
    let token = token.filter(|token| !token.is_empty())?;
    Some(DiscordSettings {
        api: settings.discord.api_url.clone(),
        token: token.to_owned().into(),
        answer_in_threads: settings.discord.answer_in_threads,
        pulse: Pulse::default(),
    })
}

pub(super) fn line(
    settings: &Settings,
    environment: &Environment,
    (inbox, clock): (&Arc<dyn Inbox>, &Arc<dyn Clock>),
) -> anyhow::Result<Option<Box<dyn Line>>> {
    let Some(discord) = discord(settings, environment) else {
        return Ok(None);
    };
    let discord = Discord::new(discord, Arc::clone(inbox), Arc::clone(clock))?;
    Ok(Some(Box::new(discord)))
}

#[async_trait]
impl Line for Discord {
    fn name(&self) -> &'static str {
        "Discord"
    }

    fn platform(&self) -> Platform {
        Platform::Discord
    }

    fn replies(&self) -> Arc<dyn Messenger> {
        self.messenger()
    }

    async fn hear(
        &self,
        intake: Arc<dyn Intake>,
        closing: watch::Receiver<bool>,
        tell: Tell<'_>,
    ) -> anyhow::Result<()> {
        match self.listen(intake, closing, tell).await {
            Ok(()) => Ok(()),
            Err(deaf @ Deaf::Refused(_)) => Err(Refused(deaf.to_string()).into()),
            Err(deaf) => Err(deaf.into()),
        }
    }
}
