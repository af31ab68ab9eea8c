//! The line to Slack, as settings and environment name it.

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
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
    let given = |name: &str| environment.get(name).map_or("", |text| text.trim());
    let (tokens, refresh) = (several(given(BOT_TOKEN)), several(given(REFRESH_TOKEN)));
    let first = match (tokens.is_empty(), refresh.is_empty()) {
        (true, true) => return Ok(None),
        (false, _) => BOT_TOKEN,
        (true, false) => REFRESH_TOKEN,
    };
    let needed = |name: &str, what: &str| match given(name) {
        "" => Err(anyhow::anyhow!(
            "{first} is set, and {name} is not: set it to {what}, as deploy/slack.md shows"
        )),
        secret => Ok(SecretString::from(secret.to_owned())),
    };
    let rotation = if refresh.is_empty() {
        None
    } else {
        Some(Rotation {
            client: needed(CLIENT_ID, "the app's client id")?
                .expose_secret()
                .to_owned(),
            secret: needed(CLIENT_SECRET, "the app's client secret")?,
            refresh,
            folder: settings.folders.data.join("slack"),
        })
    };
    let way = match settings.slack.mode {
        SlackMode::Socket => Way::Socket {
            token: needed(APP_TOKEN, "the app-level token")?,
        },
        SlackMode::Http => Way::Http {
            at: settings.slack.listen,
            secret: needed(SIGNING_SECRET, "the app's signing secret")?,
        },
    };
    Ok(Some(SlackSettings {
        api: settings.slack.api_url.clone(),
        tokens,
        rotation,
        way,
        groups: groups(&settings.reception.curators),
        pulse: Pulse::default(),
        rates: Rates::default(),
        timeouts: Timeouts::default(),
        streaming: streaming(settings.slack.streaming),
    }))
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
