//! What every messenger on loopback is made of: a world behind two doors, time that a test may
//! let pass, and what goes wrong when a test orders it.
//!
//! Only what is the same in all of them stands here. What a messenger refuses, and in which
//! words, is its own.

pub(crate) mod clock;
pub(crate) mod faults;
pub(crate) mod people;
pub(crate) mod seen;

use std::io;
use std::net::SocketAddr;
use std::panic::Location;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use tokio::sync::watch;

use super::line::{Door, Line, Welcome};

/// How long a test waits for something before it gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// What the servers, the people and the tests share.
pub(crate) struct Shared<W> {
    world: Mutex<W>,
    changes: watch::Sender<u64>,
    /// How the doors of the API and of the sockets are.
    api: watch::Sender<Welcome>,
    socket: watch::Sender<Welcome>,
}

/// The two doors of a messenger that is about to be opened.
pub(crate) struct Doors {
    pub(crate) api: Door,
    pub(crate) socket: Door,
    welcomes: [watch::Sender<Welcome>; 2],
}

impl Doors {
    /// With the API at `port`; at any, if that is 0.
    pub(crate) fn new(port: u16) -> io::Result<Self> {
        let (api, api_welcome) = watch::channel(Welcome::Open);
        let (socket, socket_welcome) = watch::channel(Welcome::Open);
        Ok(Self {
            api: Door::new(port, api_welcome)?,
            socket: Door::new(0, socket_welcome)?,
            welcomes: [api, socket],
        })
    }

    pub(crate) fn addresses(&self) -> (SocketAddr, SocketAddr) {
        (self.api.address(), self.socket.address())
    }

    /// Puts `world` behind them: what is shared, and the doors to be served.
    pub(crate) fn before<W>(self, world: W) -> (Shared<W>, Door, Door) {
        let [api, socket] = self.welcomes;
        let shared = Shared {
            world: Mutex::new(world),
            changes: watch::channel(0).0,
            api,
            socket,
        };
        (shared, self.api, self.socket)
    }
}

/// Serves whoever comes to a door.
pub(crate) async fn serve(door: Door, routes: Router) {
    let routes = routes.into_make_service_with_connect_info::<Line>();
    axum::serve(door, routes).await.unwrap();
}

impl<W> Shared<W> {
    pub(crate) fn world(&self) -> MutexGuard<'_, W> {
        self.world.lock().unwrap()
    }

    /// Wakes whoever waits for something to happen.
    pub(crate) fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// How the API's door is from now on.
    pub(crate) fn api_is(&self, welcome: Welcome) {
        self.api.send_replace(welcome);
    }

    /// How the door of the sockets is from now on.
    pub(crate) fn socket_is(&self, welcome: Welcome) {
        self.socket.send_replace(welcome);
    }

    /// Waits until `wanted` is there, looking whenever something has changed.
    pub(crate) async fn wait<T>(
        &self,
        patience: Duration,
        wanted: impl Fn() -> Option<T>,
    ) -> Option<T> {
        tokio::time::timeout(patience, looking(self.changes.subscribe(), wanted))
            .await
            .ok()
    }

    /// Waits until `wanted` is there; fails with what was waited for and what happened lately.
    pub(crate) async fn eventually<T>(
        &self,
        (caller, what): (&'static Location<'static>, &str),
        lately: impl Fn(&W) -> String,
        wanted: impl Fn() -> Option<T>,
    ) -> T {
        let found = self.wait(PATIENCE, wanted).await;
        found.unwrap_or_else(|| {
            let last = lately(&self.world());
            give_up(&format!("{caller}: not so in time: {what}\n{last}"))
        })
    }
}

async fn looking<T>(mut changes: watch::Receiver<u64>, wanted: impl Fn() -> Option<T>) -> T {
    loop {
        changes.borrow_and_update();
        if let Some(found) = wanted() {
            return found;
        }
        // Time passes too: things end without anybody doing anything.
        drop(tokio::time::timeout(Duration::from_millis(100), changes.changed()).await);
        // Many changes are looked at together.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[expect(
    clippy::panic,
    reason = "a test that waits in vain must say so and stop"
)]
pub(crate) fn give_up(why: &str) -> ! {
    panic!("{why}")
}
