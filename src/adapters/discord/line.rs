//! One client of serenity's, on a thread of its own.
//!
//! After some losses of a connection serenity goes round without ever waiting, until its next
//! heartbeat is due; and what it has started cannot all be told to end. On a runtime by itself
//! it holds up nobody else, it can be seen that it no longer comes round, and all of it goes
//! when the runtime goes.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serenity::Client;
use serenity::all::{ClientBuilder, GatewayIntents, HttpBuilder, OnlineStatus};
use serenity::gateway::{ConnectionStage, ShardManager};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot::{self, Receiver, Sender};
use tokio::time::timeout;

use super::DiscordSettings;
use super::gateway::Ear;

/// The client. What it has started ends when this is dropped.
pub(super) struct Line {
    shards: Arc<ShardManager>,
    count: u32,
    thread: Handle,
    _stop: Sender<()>,
}

/// What the thread is given, and what it gives back.
struct Task {
    api: String,
    token: SecretString,
    /// The address of the gateway, and how many connections there are to be.
    at: (String, u32),
    ear: Ear,
    up: Sender<serenity::Result<(Arc<ShardManager>, Handle)>>,
    ended: Sender<serenity::Result<()>>,
    stop: Receiver<()>,
}

impl Line {
    pub(super) async fn open(
        settings: &DiscordSettings,
        at: (String, u32),
        ear: Ear,
    ) -> serenity::Result<(Self, Ended)> {
        /// serenity asks for the gateway's address before it begins, for as long as that takes.
        const LONGEST: Duration = Duration::from_secs(10);
        let (up, began) = oneshot::channel();
        let (over, ended) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let count = at.1;
        let task = Task {
            api: settings.api.clone(),
            token: settings.token.clone(),
            at,
            ear,
            up,
            ended: over,
            stop: stopped,
        };
        std::thread::Builder::new()
            .name("discord".to_owned())
            .spawn(|| task.run())
            .map_err(serenity::Error::from)?;
        let began = timeout(LONGEST, began).await;
        let (shards, thread) = began
            .map_err(|_| serenity::Error::Other("Discord does not answer"))?
            .map_err(|_| serenity::Error::Other("serenity could not begin"))??;
        let line = Self {
            shards,
            count,
            thread,
            _stop: stop,
        };
        Ok((line, Ended(ended)))
    }

    /// Whether its thread takes up something new within `patience`.
    pub(super) async fn comes_round(&self, patience: Duration) -> bool {
        timeout(patience, self.thread.spawn(async {})).await.is_ok()
    }

    /// How many connections there are to be.
    pub(super) fn wanted(&self) -> usize {
        self.count as usize
    }

    /// How many connections have a session.
    pub(super) async fn up(&self, patience: Duration) -> usize {
        let Ok(runners) = timeout(patience, self.shards.runners.lock()).await else {
            return 0;
        };
        let up = runners
            .values()
            .filter(|runner| runner.stage == ConnectionStage::Connected);
        up.count()
    }
}

/// The end of a client.
pub(super) struct Ended(Receiver<serenity::Result<()>>);

impl Ended {
    /// How it ended, if it does so by itself.
    pub(super) async fn wait(self) -> serenity::Result<()> {
        let ended = self.0.await;
        ended.unwrap_or(Err(serenity::Error::Other("serenity broke off")))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let Ok(runners) = self.shards.runners.try_lock() else {
            return;
        };
        for runner in runners.values() {
            // One that goes round ends at a payload that it cannot send. To be told to shut
            // down would set it going round for ever.
            runner.runner_tx.set_status(OnlineStatus::Online);
        }
    }
}

impl Task {
    fn run(self) {
        let runtime = match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(self.up.send(Err(error.into()))),
        };
        let thread = runtime.handle().clone();
        runtime.block_on(self.go_on(thread));
        // Without waiting for names that are being looked up.
        runtime.shutdown_background();
    }

    async fn go_on(mut self, thread: Handle) {
        let began = tokio::select! {
            began = client(&self.api, &self.token, self.ear) => began,
            _ = &mut self.stop => return,
        };
        let mut client = match began {
            Ok(client) => client,
            Err(error) => return drop(self.up.send(Err(error))),
        };
        let (url, count) = self.at;
        // serenity has asked by itself, and takes Discord's own address where that fails.
        *client.ws_url.lock().await = url;
        if self
            .up
            .send(Ok((Arc::clone(&client.shard_manager), thread)))
            .is_err()
        {
            return;
        }
        tokio::select! {
            ended = client.start_shards(count) => drop(self.ended.send(ended)),
            _ = &mut self.stop => {},
        }
    }
}

async fn client(api: &str, token: &SecretString, ear: Ear) -> serenity::Result<Client> {
    // What serenity itself asks is the gateway's address; everything else goes over `Rest`.
    // Its own limiter must be off: with it on, it does not ask where we say.
    let http = HttpBuilder::new(token.expose_secret())
        .proxy(api.trim_end_matches('/'))
        .ratelimiter_disabled(true)
        .build();
    ClientBuilder::new_with_http(http, intents())
        .event_handler(ear)
        .await
}

/// What Discord is to tell us of.
pub(super) fn intents() -> GatewayIntents {
    GatewayIntents::GUILDS | GatewayIntents::GUILD_MESSAGES | GatewayIntents::DIRECT_MESSAGES
}
