//! The word with which Discord's gateway turns a connection away.
//!
//! serenity keeps some close codes to itself and goes on, although after them no connection is
//! to be made again. Where it gets no session, we ask once ourselves and read the code.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use url::Url;

use super::line;

/// What Discord will say again, however often it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Not so, with these shards.
    Shards,
    /// Not in this version of its API.
    Version,
}

impl Verdict {
    /// Discord's close codes, as its documentation of the gateway lists them.
    const fn of(code: u16) -> Option<Self> {
        match code {
            4010 | 4011 => Some(Self::Shards),
            4012 => Some(Self::Version),
            _ => None,
        }
    }

    pub(super) const fn advice(self) -> &'static str {
        match self {
            Self::Shards => {
                "Discord does not take the connections (shards) that this saseo makes; install \
                 a newer one"
            },
            Self::Version => {
                "Discord no longer serves the version of its API that this saseo speaks; install \
                 a newer one"
            },
        }
    }
}

/// Identifies at `gateway` as the first of so many `shards`, once. `None` if Discord lets us in,
/// or says nothing that lasts. Costs one of the sessions that may be begun.
pub(super) async fn ask(gateway: &str, token: &SecretString, shards: u32) -> Option<Verdict> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let asked = timeout(PATIENCE, closed(gateway, token, shards)).await;
    asked.ok().flatten().and_then(Verdict::of)
}

/// The code with which the connection is closed, if it is before a session begins.
async fn closed(gateway: &str, token: &SecretString, shards: u32) -> Option<u16> {
    const HELLO: u64 = 10;
    let mut url = Url::parse(gateway).ok()?;
    url.set_query(Some("v=10&encoding=json"));
    let (mut socket, _) = connect_async(url.as_str()).await.ok()?;
    while let Some(Ok(message)) = socket.next().await {
        let said: Value = match &message {
            Message::Text(text) => serde_json::from_str(text).ok()?,
            Message::Close(frame) => return frame.as_ref().map(|frame| frame.code.into()),
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {
                continue;
            },
        };
        if said.get("op").and_then(Value::as_u64) != Some(HELLO) {
            return None;
        }
        let identify = Message::text(identify(token, shards).to_string());
        socket.send(identify).await.ok()?;
    }
    None
}

fn identify(token: &SecretString, shards: u32) -> Value {
    json!({
        "op": 2,
        "d": {
            "token": token.expose_secret(),
            "intents": line::intents().bits(),
            "shard": [0, shards],
            "properties": { "os": std::env::consts::OS, "browser": "saseo", "device": "saseo" },
        },
    })
}
