//! Slack: what is said comes in over Socket Mode or an HTTP door, and replies go out over a
//! client that keeps Slack's limits itself.
//!
//! `wire` and `dialect` translate and do nothing else; `socket` and `door` are the two ways in,
//! `ears` keeps what came by them, `messenger` replies, `streams` has answers written before a
//! person's eyes, `api` and `tiers` are the way out, `home` is what stands on the app's own page,
//! `workspaces` knows where we are installed and `threads` where we have spoken, `rotation` gets
//! new tokens for those that end, `health` looks whether all of it will work.
//!
//! The types of events, requests and blocks are slack-morphism's. Its client and its listener are
//! not used: `api` and `socket` say why.

pub mod api;
pub mod dialect;
mod door;
mod ears;
pub mod health;
mod home;
mod messenger;
pub mod rotation;
pub mod socket;
pub mod streams;
mod threads;
pub mod tiers;
pub mod wire;
mod workspaces;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::watch;
use tokio::time::sleep;

use api::{Api, Fault, Lines, Timeouts, Token, Unfit};
use ears::Ears;
use messenger::Desk;
use rotation::{Rota, Rotation};
use socket::{Links, Pulse};
use streams::{Streaming, Streams};
use tiers::Rates;
use workspaces::Workspaces;

use crate::adapters::chat::calls::back_off;
use crate::ports::{Clock, Inbox, Intake, Messenger};

/// The environment variables with the tokens and the secret.
pub const BOT_TOKEN: &str = "SASEO_SLACK_BOT_TOKEN";
pub const APP_TOKEN: &str = "SASEO_SLACK_APP_TOKEN";
pub const SIGNING_SECRET: &str = "SASEO_SLACK_SIGNING_SECRET";
/// Those with what tokens that end are exchanged with.
pub const REFRESH_TOKEN: &str = "SASEO_SLACK_REFRESH_TOKEN";
pub const CLIENT_ID: &str = "SASEO_SLACK_CLIENT_ID";
pub const CLIENT_SECRET: &str = "SASEO_SLACK_CLIENT_SECRET";

/// Which Slack, as whom, and how it is listened to.
#[derive(Clone, Debug)]
pub struct SlackSettings {
    /// The address of the API.
    pub api: String,
    /// The bot's, one for each workspace where it lasts.
    pub tokens: Vec<SecretString>,
    /// Where tokens end and are exchanged for others.
    pub rotation: Option<Rotation>,
    pub way: Way,
    /// The user groups that curators may be in, by their ids.
    pub groups: Vec<String>,
    /// How the links are watched.
    pub pulse: Pulse,
    pub rates: Rates,
    pub timeouts: Timeouts,
    pub streaming: Streaming,
}

/// How what is said comes in.
#[derive(Clone, Debug)]
pub enum Way {
    /// Over links that we make, with the app's own token.
    Socket { token: SecretString },
    /// Over requests that Slack makes to `at`, signed with the app's secret.
    Http {
        at: SocketAddr,
        secret: SecretString,
    },
}

/// Why nothing is heard from Slack any more.
#[derive(Debug, thiserror::Error)]
pub enum Deaf {
    /// Slack does not let us in, and will not if we try again.
    #[error("{0}")]
    Refused(String),
    /// Another start may help.
    #[error("the line to Slack could not be kept: {0}")]
    Failed(String),
}

/// The line to Slack.
pub struct Slack {
    settings: SlackSettings,
    lines: Arc<Lines>,
    workspaces: Arc<Workspaces>,
    desk: Arc<Desk>,
    clock: Arc<dyn Clock>,
}

impl Slack {
    /// A line that is not up yet; see [`Slack::listen`].
    pub fn new(
        settings: SlackSettings,
        inbox: Arc<dyn Inbox>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Unfit> {
        let lines = Lines::new(&settings.api, settings.rates, settings.timeouts)?;
        let lines = Arc::new(lines);
        let mut apis = apis(&lines, &settings)?;
        apis.extend(rotated(&lines, &settings, &clock)?);
        if let Way::Socket { token } = &settings.way {
            check(token, APP_TOKEN)?;
        }
        let workspaces = Arc::new(Workspaces::new(apis, inbox, Arc::clone(&clock)));
        let desk = Desk {
            workspaces: Arc::clone(&workspaces),
            clock: Arc::clone(&clock),
            since: clock.now(),
            entitled: std::sync::Mutex::default(),
            streams: Streams::new(settings.streaming),
        };
        Ok(Self {
            settings,
            lines,
            workspaces,
            desk: Arc::new(desk),
            clock,
        })
    }

    /// How replies get there.
    pub fn messenger(&self) -> Arc<dyn Messenger> {
        Arc::clone(&self.desk) as _
    }

    /// Hands over what is heard, until `closing`, and keeps the line up meanwhile.
    pub async fn listen(
        &self,
        intake: Arc<dyn Intake>,
        mut closing: watch::Receiver<bool>,
        tell: &(dyn Fn(&str) + Sync),
    ) -> Result<(), Deaf> {
        let ways = (Arc::clone(&self.workspaces), Arc::clone(&self.desk));
        let groups = self.settings.groups.clone();
        let ears = Arc::new(Ears::new(ways, intake, Arc::clone(&self.clock), groups));
        let heard = async {
            self.workspaces.recall_threads().await;
            self.let_in().await;
            tokio::select! {
                deaf = self.hold(ears, tell) => deaf,
                () = self.look_now_and_then() => Deaf::Failed("nobody looks".to_owned()),
                () = self.desk.streams.tend() => Deaf::Failed("nobody tends streams".to_owned()),
            }
        };
        tokio::select! {
            deaf = heard => Err(deaf),
            away = self.workspaces.given_up(tell) => Err(refused(away)),
            () = self.workspaces.keep_up_tokens() => Ok(()),
            _ = closing.wait_for(|closing| *closing) => Ok(()),
        }
    }

    async fn hold(&self, ears: Arc<Ears>, tell: &(dyn Fn(&str) + Sync)) -> Deaf {
        match &self.settings.way {
            Way::Socket { token } => {
                let app = Api::new(Arc::clone(&self.lines), token, APP_TOKEN);
                let links = Links::new(&app, self.settings.pulse, ears, tell);
                links.keep_up().await
            },
            Way::Http { at, secret } => {
                let clock = Arc::clone(&self.clock);
                door::open(*at, secret, (ears, clock), tell).await
            },
        }
    }

    /// Asks whose the tokens are, until there is a workspace to listen to. The others are asked
    /// about meanwhile.
    async fn let_in(&self) {
        tokio::select! {
            () = self.workspaces.any() => {},
            () = self.ask_on() => {},
        }
    }

    /// Asks again and again about the workspaces that are not known.
    async fn ask_on(&self) {
        for tries in 0_u32.. {
            for fault in self.workspaces.ask().await {
                tracing::warn!("a workspace is not served yet: {fault}");
            }
            sleep(back_off(tries)).await;
        }
    }

    /// Asks about the workspaces that could not be asked about, and now and then about all.
    async fn look_now_and_then(&self) {
        const HOUR: Duration = Duration::from_secs(3_600);
        let mut tries = 0;
        loop {
            let left = self.workspaces.ask().await;
            if left.is_empty() {
                tries = 0;
                sleep(HOUR).await;
                self.workspaces.look().await;
                self.workspaces.forget_threads().await;
                continue;
            }
            for fault in left {
                tracing::warn!("a workspace is not served yet: {fault}");
            }
            sleep(back_off(tries)).await;
            tries += 1;
        }
    }
}

/// None of the workspaces is left.
fn refused(away: Vec<Token>) -> Deaf {
    let whys = away
        .into_iter()
        .map(|away| Fault::Unauthorised(away).to_string());
    Deaf::Refused(whys.collect::<Vec<_>>().join("; "))
}

fn apis(lines: &Arc<Lines>, settings: &SlackSettings) -> Result<Vec<Arc<Api>>, Unfit> {
    let made = settings.tokens.iter().enumerate().map(|(number, token)| {
        check(token, BOT_TOKEN)?;
        let name = named(BOT_TOKEN, (number, settings.tokens.len()));
        Ok(Arc::new(Api::new(Arc::clone(lines), token, name)))
    });
    made.collect()
}

fn rotated(
    lines: &Arc<Lines>,
    settings: &SlackSettings,
    clock: &Arc<dyn Clock>,
) -> Result<Vec<Arc<Api>>, Unfit> {
    let Some(rotation) = &settings.rotation else {
        return Ok(Vec::new());
    };
    let made = rotation.refresh.iter().enumerate().map(|(number, first)| {
        rotation::check(first)?;
        let name = named(REFRESH_TOKEN, (number, rotation.refresh.len()));
        let rota = Rota::new(rotation, (first, name.clone()), Arc::clone(clock))?;
        let api = Api::rotated(Arc::clone(lines), Arc::new(rota), first, name);
        Ok(Arc::new(api))
    });
    made.collect()
}

/// What somebody looks for: the variable, and where it holds several, which of them.
fn named(variable: &str, (number, all): (usize, usize)) -> String {
    if all == 1 {
        return variable.to_owned();
    }
    format!("{variable}, number {}", number + 1)
}

/// Whether it is a token of the kind that belongs there: the two are easily mistaken.
fn check(token: &SecretString, variable: &'static str) -> Result<(), Unfit> {
    let (kind, prefix) = match variable {
        APP_TOKEN => ("the app-level token", "xapp-"),
        _ => ("the bot's token", "xoxb-"),
    };
    let token = token.expose_secret().trim();
    if variable == BOT_TOKEN && token.starts_with("xoxe.") {
        return Err(Unfit::Ends {
            variable,
            instead: REFRESH_TOKEN,
        });
    }
    let whole = token.bytes().all(|byte| byte.is_ascii_graphic());
    if whole && token.starts_with(prefix) {
        return Ok(());
    }
    Err(Unfit::Token {
        variable,
        kind,
        prefix,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_that_were_mistaken_for_each_other_are_told() {
        let told = |token: &str, variable| {
            let token = token.to_owned().into();
            check(&token, variable).map_err(|unfit| unfit.to_string())
        };
        assert_eq!(told("xoxb-1-2-a", BOT_TOKEN), Ok(()));
        assert_eq!(told(" xapp-1-A-b\n", APP_TOKEN), Ok(()));
        let slip = told("xapp-1-A-b", BOT_TOKEN).unwrap_err();
        assert!(slip.contains(BOT_TOKEN) && slip.contains("xoxb-"), "{slip}");
        assert!(!slip.contains("xapp-1"), "{slip}");
        let slip = told("xoxb-1-2-a", APP_TOKEN).unwrap_err();
        assert!(
            slip.contains("app-level") && slip.contains("xapp-"),
            "{slip}"
        );
        assert!(told("", BOT_TOKEN).is_err());
        assert!(told("xoxb-1 2", BOT_TOKEN).is_err());
        let slip = told("xoxe.xoxb-1-2-a", BOT_TOKEN).unwrap_err();
        assert!(
            slip.contains(REFRESH_TOKEN) && !slip.contains("xoxb"),
            "{slip}"
        );
    }
}
