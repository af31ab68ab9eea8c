//! Discord: serenity listens, and what is said goes out over a REST client that keeps Discord's
//! limits itself.
//!
//! `wire` and `dialect` translate and do nothing else; `line` connects, `gateway` listens,
//! `messenger` replies, `interaction` replies to commands and buttons, `thread` names
//! what they open, `limiter` and `rest` are
//! the way out, `commands` is what people can type, `health` looks whether all of it will work.

pub mod commands;
pub mod dialect;
mod gateway;
pub mod health;
mod interaction;
mod line;
pub mod limiter;
mod messenger;
pub mod rest;
mod thread;
mod verdict;
pub mod wire;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::Deserialize;
use serenity::gateway::GatewayError;
use serenity::http::Route;
use serenity::model::application::Command;
use serenity::model::id::ApplicationId;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::sync::{OnceCell, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use gateway::{Ear, Ears, Told};
use interaction::Interactions;
use line::Line;
use messenger::Desk;
use rest::{Call, Fault, Rest, Unfit};
use verdict::Verdict;

use crate::adapters::chat::http::Timeouts;
use crate::ports::{Clock, Inbox, Intake, Messenger};

/// Which Discord, as whom, and how it is answered.
#[derive(Clone, Debug)]
pub struct DiscordSettings {
    /// The address of the API.
    pub api: String,
    /// The bot's.
    pub token: SecretString,
    /// Whether an answer in a channel opens a thread.
    pub answer_in_threads: bool,
    /// How the connection is watched.
    pub pulse: Pulse,
}

/// How soon it is noticed that a connection is none.
#[derive(Clone, Copy, Debug)]
pub struct Pulse {
    /// Between two looks at the connection, and at what was heard.
    pub tick: Duration,
    /// Without a session for so long, the connection is made anew.
    pub silence: Duration,
    /// serenity's thread that does not come round for so long is stuck.
    pub stuck: Duration,
}

impl Default for Pulse {
    fn default() -> Self {
        Self {
            tick: Duration::from_secs(2),
            silence: Duration::from_secs(20),
            stuck: Duration::from_secs(5),
        }
    }
}

/// Why nothing is heard from Discord any more.
#[derive(Debug, thiserror::Error)]
pub enum Deaf {
    /// Discord does not let us in, and will not if we try again.
    #[error("{0}")]
    Refused(String),
    /// Another start may help.
    #[error("the line to Discord could not be kept: {0}")]
    Failed(String),
}

/// The line to Discord.
pub struct Discord {
    settings: DiscordSettings,
    rest: Arc<Rest>,
    desk: Arc<Desk>,
    inbox: Arc<dyn Inbox>,
    clock: Arc<dyn Clock>,
}

/// What `GET /gateway/bot` says.
#[derive(Debug, Deserialize)]
struct GatewayFacts {
    url: String,
    shards: u32,
    session_start_limit: Budget,
}

/// The token is sent over it.
const UNSAFE: &str = "the address that was given for Discord's gateway is neither wss:// nor, on \
     this machine's loopback, ws://; see `[discord] api-url` in the settings";

/// How many sessions may be begun: whoever begins more has their token taken away.
#[derive(Debug, Deserialize)]
struct Budget {
    remaining: u32,
    /// In milliseconds.
    reset_after: u64,
}

impl Budget {
    fn spend(&self) -> Result<(), Deaf> {
        /// What is left to find out what is wrong.
        const RESERVE: u32 = 50;
        let Self {
            remaining,
            reset_after,
        } = self;
        if *remaining >= RESERVE {
            return Ok(());
        }
        let hours = reset_after.div_ceil(3_600_000);
        Err(Deaf::Refused(format!(
            "something begins sessions as this bot again and again: Discord allows only \
             {remaining} more, and takes the token away after that; see that it runs only once, \
             and start again in {hours} hours"
        )))
    }
}

#[derive(Debug, Deserialize)]
struct Us {
    id: ApplicationId,
}

impl Discord {
    /// A line that is not up yet; see [`Discord::listen`].
    pub fn new(
        settings: DiscordSettings,
        inbox: Arc<dyn Inbox>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Unfit> {
        let rest = Rest::new(&settings.api, &settings.token, Timeouts::default())?;
        let rest = Arc::new(rest);
        let since: DateTime<Utc> = clock.now();
        let desk = Desk {
            rest: Arc::clone(&rest),
            me: OnceCell::new(),
            since,
            threads: settings.answer_in_threads,
            interactions: Arc::new(Interactions::new(Arc::clone(&rest))),
        };
        Ok(Self {
            settings,
            rest,
            desk: Arc::new(desk),
            inbox,
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
        let ways = (Arc::clone(&self.rest), Arc::clone(&self.desk.interactions));
        let ears = Ears::new(
            ways,
            intake,
            Arc::clone(&self.inbox),
            Arc::clone(&self.clock),
        );
        let ears = Arc::new(ears.await);
        let (hearing, heard) = mpsc::unbounded_channel();
        tokio::select! {
            deaf = self.keep_up((&ears, &hearing), tell) => deaf,
            () = ears.attend_to(heard) => Ok(()),
            () = self.rest.turned_away() => lasting(&Fault::Unauthorised),
            _ = closing.wait_for(|closing| *closing) => Ok(()),
        }
    }

    /// Makes connections, one after the other.
    async fn keep_up(
        &self,
        (ears, hearing): (&Ears, &UnboundedSender<Told>),
        tell: &(dyn Fn(&str) + Sync),
    ) -> Result<(), Deaf> {
        let mut facts = self.let_in().await?;
        self.register(tell).await?;
        let (mut fruitless, mut turned_away) = (0, 0);
        loop {
            let before = ears.sessions();
            facts.session_start_limit.spend()?;
            let lost = self.hold(&facts, (ears, hearing), tell).await?;
            let remained = facts.session_start_limit.remaining;
            facts = self.let_in().await?;
            let begun = remained.saturating_sub(facts.session_start_limit.remaining);
            if ears.sessions() > before {
                (fruitless, turned_away) = (0, 0);
            } else {
                fruitless += 1;
                turned_away += begun.max(u32::from(lost == Lost::InACircle));
            }
            self.again(turned_away, &facts).await?;
            sleep(back_off(fruitless)).await;
        }
    }

    /// Whether to try once more, after Discord closed so many connections in a row before a
    /// session began.
    async fn again(&self, turned_away: u32, facts: &GatewayFacts) -> Result<(), Deaf> {
        const MOST: u32 = 3;
        if turned_away + 1 < MOST {
            return Ok(());
        }
        facts.session_start_limit.spend()?;
        let verdict = verdict::ask(&facts.url, &self.settings.token, facts.shards.max(1));
        if let Some(verdict) = verdict.await {
            return Err(Deaf::Refused(verdict.advice().to_owned()));
        }
        if turned_away < MOST {
            return Ok(());
        }
        Err(Deaf::Failed(format!(
            "Discord closed the connection {MOST} times before a session began; look at \
             discordstatus.com and for a newer saseo, then start again"
        )))
    }

    /// Asks for the gateway, as long as it takes.
    async fn let_in(&self) -> Result<GatewayFacts, Deaf> {
        for tries in 0_u32.. {
            let call = Call::get(Route::GatewayBot).patience(Duration::from_secs(20));
            match self.rest.call::<GatewayFacts>(call).await {
                Ok(facts) if rest::is_safe(&facts.url) => return Ok(facts),
                Ok(_) => return Err(Deaf::Refused(UNSAFE.to_owned())),
                Err(fault) => {
                    lasting(&fault)?;
                    tracing::warn!("{fault}");
                    sleep(back_off(tries.min(3))).await;
                },
            }
        }
        Err(Deaf::Failed("Discord's gateway cannot be found".to_owned()))
    }

    /// Makes our commands known, where they are not. It is not waited for long.
    async fn register(&self, tell: &(dyn Fn(&str) + Sync)) -> Result<(), Deaf> {
        let registered = async {
            let patience = Duration::from_secs(20);
            let ask = Call::get(Route::Oauth2ApplicationCurrent).patience(patience);
            let us: Us = self.rest.call(ask).await?;
            let there = registered(&self.rest, us.id).await?;
            let wanted = commands::wanted();
            if commands::differ(&there, &wanted) {
                let body = serde_json::to_vec(&wanted)
                    .map_err(|_| Fault::Unsendable("the commands cannot be written"))?;
                let route = Route::Commands {
                    application_id: us.id,
                };
                self.rest
                    .tell(Call::put(route).body(body).patience(patience))
                    .await?;
                tell("Discord: the commands are registered");
            }
            Ok(())
        };
        if let Err(fault) = registered.await {
            lasting(&fault)?;
            // Mentions work without them.
            tracing::warn!("the commands could not be registered: {fault}");
        }
        Ok(())
    }

    /// Holds one client's connections until they are lost for good.
    async fn hold(
        &self,
        facts: &GatewayFacts,
        (ears, hearing): (&Ears, &UnboundedSender<Told>),
        tell: &(dyn Fn(&str) + Sync),
    ) -> Result<Lost, Deaf> {
        let at = (facts.url.clone(), facts.shards.max(1));
        let ear = Ear(hearing.clone());
        let ended = match Line::open(&self.settings, at, ear).await {
            Ok((line, ended)) => tokio::select! {
                ended = ended.wait() => ended.map(|()| Lost::Silence).map_err(deaf),
                lost = watch_over(&line, ears, self.settings.pulse, tell) => Ok(lost),
            },
            Err(error) => Err(deaf(error)),
        };
        match ended {
            Err(Deaf::Failed(why)) => {
                tracing::warn!("the connection to Discord ended: {why}");
                Ok(Lost::Silence)
            },
            other => other,
        }
    }
}

/// The commands that Discord has of ours, in all languages.
async fn registered(rest: &Rest, application_id: ApplicationId) -> Result<Vec<Command>, Fault> {
    let call = Call::get(Route::Commands { application_id })
        .param("with_localizations", true)
        .patience(Duration::from_secs(20));
    rest.call(call).await
}

fn back_off(tries: u32) -> Duration {
    Duration::from_secs(1_u64 << tries.min(4))
}

/// Why a connection is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lost {
    /// There was no session for too long, or no connection.
    Silence,
    /// Discord closed it in a way that serenity does not take in, and goes round and round.
    InACircle,
}

/// Returns when there was no session for too long, or serenity is stuck.
async fn watch_over(
    line: &Line,
    ears: &Ears,
    pulse: Pulse,
    tell: &(dyn Fn(&str) + Sync),
) -> Lost {
    let mut ticks = interval(pulse.tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // serenity begins one session after the other, seconds apart: with each it comes nearer.
    let (mut came_nearer, mut most) = (Instant::now(), 0);
    let mut told = false;
    loop {
        ticks.tick().await;
        ears.tick().await;
        if !line.comes_round(pulse.stuck).await {
            tracing::warn!("the connection to Discord is lost in a circle; connecting anew");
            return Lost::InACircle;
        }
        let up = line.up(pulse.tick).await;
        let all = up >= line.wanted();
        if all && !told {
            tell("Discord: listening");
            told = true;
        }
        if all || up > most {
            most = up;
            came_nearer = Instant::now();
        } else if came_nearer.elapsed() > pulse.silence {
            let silence = pulse.silence;
            tracing::warn!("no session with Discord for {silence:?}; connecting anew");
            return Lost::Silence;
        }
    }
}

/// Whether trying again is no use.
fn lasting(fault: &Fault) -> Result<(), Deaf> {
    /// Discord's code for a version of its API that there is not.
    const NO_SUCH_VERSION: i64 = 50_041;
    if matches!(fault, Fault::Unauthorised) {
        return Err(Deaf::Refused(fault.to_string()));
    }
    if fault.code() == Some(NO_SUCH_VERSION) {
        return Err(Deaf::Refused(Verdict::Version.advice().to_owned()));
    }
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn deaf(error: serenity::Error) -> Deaf {
    let serenity::Error::Gateway(gateway) = &error else {
        return Deaf::Failed(error.to_string());
    };
    if matches!(gateway, GatewayError::InvalidAuthentication) {
        return Deaf::Refused(Fault::Unauthorised.to_string());
    }
    let intents = matches!(
        gateway,
        GatewayError::InvalidGatewayIntents | GatewayError::DisallowedGatewayIntents
    );
    if intents {
        return Deaf::Refused(
            "Discord does not let the bot listen to what it asks for; deploy/discord.md says \
             which boxes to tick in the developer portal"
                .to_owned(),
        );
    }
    Deaf::Failed(gateway.to_string())
}
