//! The line to Slack, as settings and environment name it.

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::SecretString;
use tokio::sync::watch;

use super::{Line, Refused, Tell};
use crate::adapters::slack::api::Timeouts;
use crate::adapters::slack::rotation::Rotation;
use crate::adapters::slack::socket::Pulse;
use crate::adapters::slack::streams::{Streamed, Streaming};
use crate::adapters::slack::tiers::Rates;
use crate::adapters::slack::{
    APP_TOKEN, BOT_TOKEN, CLIENT_ID, CLIENT_SECRET, Deaf, REFRESH_TOKEN, SIGNING_SECRET, Slack,
    SlackSettings, Way,
};
use crate::domain::event::Platform;
use crate::ports::{Clock, Inbox, Intake, Messenger};
use crate::settings::{Environment, Settings, SlackMode, SlackStreaming};

pub(super) const HOW: &str =
    "set SASEO_SLACK_BOT_TOKEN to the bot's token, as deploy/slack.md shows";

/// Which Slack, as whom; `None` without a token.
pub fn slack(
    settings: &Settings,
    environment: &Environment,
) -> anyhow::Result<Option<SlackSettings>> {
    let (tokens, refresh) = (
        several(given(environment, BOT_TOKEN)),
        several(given(environment, REFRESH_TOKEN)),
    );
    let first = match (tokens.is_empty(), refresh.is_empty()) {
        (true, true) => return Ok(None),
        (false, _) => BOT_TOKEN,
        (true, false) => REFRESH_TOKEN,
    };
    let asks = Asks { environment, first };
    Ok(Some(SlackSettings {
        api: settings.slack.api_url.clone(),
        tokens,
        rotation: asks.rotation(refresh, settings)?,
        way: asks.way(settings)?,
        groups: groups(&settings.reception.curators),
        pulse: Pulse::default(),
        rates: Rates::default(),
        timeouts: Timeouts::default(),
        streaming: streaming(settings.slack.streaming),
    }))
}

/// What else has to stand in the environment, because `first` stands there.
struct Asks<'e> {
    environment: &'e Environment,
    first: &'static str,
}

impl Asks<'_> {
    fn needed(&self, name: &str, what: &str) -> anyhow::Result<SecretString> {
        match given(self.environment, name) {
            "" => anyhow::bail!(
                "{} is set, and {name} is not: set it to {what}, as deploy/slack.md shows",
                self.first
            ),
            secret => Ok(secret.to_owned().into()),
        }
    }

    fn way(&self, settings: &Settings) -> anyhow::Result<Way> {
        Ok(match settings.slack.mode {
            SlackMode::Socket => Way::Socket {
                token: self.needed(APP_TOKEN, "the app-level token")?,
            },
            SlackMode::Http => Way::Http {
                at: settings.slack.listen,
                secret: self.needed(SIGNING_SECRET, "the app's signing secret")?,
            },
        })
    }

    fn rotation(
        &self,
        refresh: Vec<SecretString>,
        settings: &Settings,
    ) -> anyhow::Result<Option<Rotation>> {
        if refresh.is_empty() {
            return Ok(None);
        }
        Ok(Some(Rotation {
            client: self.needed(CLIENT_ID, "the app's client id")?,
            secret: self.needed(CLIENT_SECRET, "the app's client secret")?,
            refresh,
            folder: settings.folders.data.join("slack"),
        }))
    }
}

fn given<'e>(environment: &'e Environment, name: &str) -> &'e str {
    environment.get(name).map_or("", |text| text.trim())
}

/// The secrets in a variable that may hold one for each workspace.
fn several(given: &str) -> Vec<SecretString> {
    let secrets = given.split([' ', ',', '\n']).map(str::trim);
    let secrets = secrets.filter(|secret| !secret.is_empty());
    secrets.map(|secret| secret.to_owned().into()).collect()
}

fn streaming(places: SlackStreaming) -> Streaming {
    Streaming {
        places: match places {
            SlackStreaming::Nowhere => Streamed::Nowhere,
            SlackStreaming::Direct => Streamed::Direct,
            SlackStreaming::Everywhere => Streamed::Everywhere,
        },
        ..Streaming::default()
    }
}

/// Those that are user groups of Slack's, by their ids.
fn groups(curators: &[String]) -> Vec<String> {
    let is_group = |name: &&String| {
        let upper = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
        name.len() >= 8 && name.starts_with('S') && name.chars().all(upper)
    };
    curators.iter().filter(is_group).cloned().collect()
}

pub(super) fn line(
    settings: &Settings,
    environment: &Environment,
    (inbox, clock): (&Arc<dyn Inbox>, &Arc<dyn Clock>),
) -> anyhow::Result<Option<Box<dyn Line>>> {
    let Some(slack) = slack(settings, environment)? else {
        return Ok(None);
    };
    let slack = Slack::new(slack, Arc::clone(inbox), Arc::clone(clock))?;
    Ok(Some(Box::new(slack)))
}

#[async_trait]
impl Line for Slack {
    fn name(&self) -> &'static str {
        "Slack"
    }

    fn platform(&self) -> Platform {
        Platform::Slack
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
