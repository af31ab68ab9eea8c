//! Discord: serenity listens, and what is said goes out over a REST client that keeps Discord's
//! limits itself.
//!
//! `wire` and `dialect` translate and do nothing else; `gateway` listens, `messenger` replies,
//! `limiter` and `rest` are the way out, `commands` is what people can type, `health` looks
//! whether all of it will work.

pub mod commands;
pub mod dialect;
mod gateway;
pub mod health;
pub mod limiter;
mod messenger;
pub mod rest;
pub mod wire;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serenity::Client;
use serenity::all::{ClientBuilder, GatewayIntents, HttpBuilder};
use serenity::gateway::{ConnectionStage, GatewayError, ShardManager};
use serenity::http::Route;
use serenity::model::application::Command;
use serenity::model::id::ApplicationId;
use tokio::sync::{OnceCell, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use gateway::Ears;
use messenger::Desk;
use rest::{Call, Fault, Rest, Timeouts, Unfit};

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

/// Without a session for so long, the connection is made anew.
const SILENCE: Duration = Duration::from_secs(30);
/// Between two looks at the connection, and at what was heard.
const TICK: Duration = Duration::from_secs(2);
/// More sessions in a day than this, and something is wrong: at a thousand Discord takes the
/// token away.
const MOST_SESSIONS: usize = 300;

/// What `GET /gateway/bot` says.
#[derive(Debug, Deserialize)]
struct GatewayFacts {
    url: String,
    shards: u32,
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
        let ways = (Arc::clone(&self.rest), Arc::clone(&self.desk));
        let ears = Ears::new(
            ways,
            intake,
            Arc::clone(&self.inbox),
            Arc::clone(&self.clock),
        );
        let ears = Arc::new(ears.await);
        let listening = async {
            self.let_in().await?;
            self.register(tell).await?;
            let mut fruitless = 0;
            loop {
                let (facts, before) = (self.let_in().await?, ears.sessions());
                self.hold(&facts, &ears, tell).await?;
                let began = ears.sessions() > before;
                fruitless = (fruitless + 1) * u32::from(!began);
                again(fruitless, ears.sessions())?;
                sleep(back_off(fruitless)).await;
            }
        };
        tokio::select! {
            deaf = listening => deaf,
            _ = closing.wait_for(|closing| *closing) => Ok(()),
        }
    }

    /// Asks for the gateway, as long as it takes.
    async fn let_in(&self) -> Result<GatewayFacts, Deaf> {
        for tries in 0_u32.. {
            let call = Call::get(Route::GatewayBot).patience(Duration::from_secs(20));
            match self.rest.call::<GatewayFacts>(call).await {
                Ok(facts) => return Ok(facts),
                Err(fault) => {
                    lasting(&fault)?;
                    tracing::warn!("{fault}");
                    sleep(back_off(tries)).await;
                },
            }
        }
        Err(Deaf::Failed("Discord's gateway cannot be found".to_owned()))
    }

    /// Makes our commands known, where they are not.
    async fn register(&self, tell: &(dyn Fn(&str) + Sync)) -> Result<(), Deaf> {
        let registered = async {
            let us: Us = self
                .rest
                .call(Call::get(Route::Oauth2ApplicationCurrent))
                .await?;
            let there = registered(&self.rest, us.id).await?;
            let wanted = commands::wanted();
            if commands::differ(&there, &wanted) {
                let body = serde_json::to_vec(&wanted)
                    .map_err(|_| Fault::Unsendable("the commands cannot be written"))?;
                let route = Route::Commands {
                    application_id: us.id,
                };
                self.rest.tell(Call::put(route).body(body)).await?;
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
        ears: &Arc<Ears>,
        tell: &(dyn Fn(&str) + Sync),
    ) -> Result<(), Deaf> {
        let mut client = self.client(ears).await?;
        // serenity has asked by itself, and takes Discord's own address where that fails.
        *client.ws_url.lock().await = facts.url.clone();
        let shards = Arc::clone(&client.shard_manager);
        let watched = watch_over(&shards, ears, facts.shards, tell);
        let ended = tokio::select! {
            ended = client.start_shards(facts.shards.max(1)) => ended.map_err(deaf),
            () = watched => Ok(()),
        };
        // A connection that hangs would not end for being asked.
        drop(timeout(Duration::from_secs(2), shards.shutdown_all()).await);
        match ended {
            Err(deaf @ Deaf::Refused(_)) => Err(deaf),
            Err(Deaf::Failed(why)) => {
                tracing::warn!("the connection to Discord ended: {why}");
                Ok(())
            },
            Ok(()) => Ok(()),
        }
    }

    async fn client(&self, ears: &Arc<Ears>) -> Result<Client, Deaf> {
        // What serenity itself asks is the gateway's address; everything else goes over `Rest`.
        // Its own limiter must be off: with it on, it does not ask where we say.
        let http = HttpBuilder::new(self.settings.token.expose_secret())
            .proxy(self.settings.api.trim_end_matches('/'))
            .ratelimiter_disabled(true)
            .build();
        let intents = GatewayIntents::GUILDS
            | GatewayIntents::GUILD_MESSAGES
            | GatewayIntents::DIRECT_MESSAGES;
        let client = ClientBuilder::new_with_http(http, intents)
            .event_handler_arc(Arc::clone(ears))
            .await;
        client.map_err(deaf)
    }
}

/// The commands that Discord has of ours, in all languages.
async fn registered(rest: &Rest, application_id: ApplicationId) -> Result<Vec<Command>, Fault> {
    let call = Call::get(Route::Commands { application_id })
        .param("with_localizations", true)
        .patience(Duration::from_secs(20));
    rest.call(call).await
}

/// Whether to try once more, after so many connections without a session.
fn again(fruitless: u32, sessions: usize) -> Result<(), Deaf> {
    const MOST_FRUITLESS: u32 = 5;
    if sessions > MOST_SESSIONS {
        return Err(Deaf::Failed(format!(
            "{sessions} sessions were begun, which is more than a healthy line needs"
        )));
    }
    if fruitless >= MOST_FRUITLESS {
        return Err(Deaf::Failed(
            "Discord answers, but no session comes about".to_owned(),
        ));
    }
    Ok(())
}

fn back_off(tries: u32) -> Duration {
    Duration::from_secs(1_u64 << tries.min(5))
}

/// Returns when there was no session for too long.
async fn watch_over(
    shards: &ShardManager,
    ears: &Ears,
    count: u32,
    tell: &(dyn Fn(&str) + Sync),
) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut connected, mut told) = (Instant::now(), false);
    loop {
        ticks.tick().await;
        ears.tick().await;
        if up(shards, count).await {
            connected = Instant::now();
            if !told {
                tell("Discord: listening");
                told = true;
            }
        } else if connected.elapsed() > SILENCE {
            tracing::warn!("no session with Discord for {SILENCE:?}; connecting anew");
            return;
        }
    }
}

async fn up(shards: &ShardManager, count: u32) -> bool {
    // serenity holds the lock while it connects.
    let Ok(runners) = timeout(TICK, shards.runners.lock()).await else {
        return false;
    };
    let up = runners
        .values()
        .filter(|runner| runner.stage == ConnectionStage::Connected);
    up.count() >= count as usize
}

/// Whether trying again is no use.
fn lasting(fault: &Fault) -> Result<(), Deaf> {
    if matches!(fault, Fault::Unauthorised) {
        return Err(Deaf::Refused(fault.to_string()));
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
