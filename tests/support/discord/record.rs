//! What arrived: every request, every payload, whom the bot called, what Discord fetched.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::clock::Id;
use super::mentions::Mentions;
use super::world::Attachment;

#[derive(Default)]
pub(crate) struct Record {
    pub(crate) requests: Vec<Request>,
    pub(crate) payloads: Vec<Payload>,
    pub(crate) pings: Vec<Ping>,
    /// Pages that Discord would have fetched for a preview.
    pub(crate) previewed: Vec<String>,
    /// Who was told that the bot is typing: channel and time.
    pub(crate) typing: Vec<(Id, DateTime<Utc>)>,
    /// Every file there ever was; a link of it holds for a while.
    pub(crate) files: BTreeMap<Id, Attachment>,
    /// When requests were answered with 401, 403 or 429.
    pub(crate) invalid: Vec<DateTime<Utc>>,
    /// How connections to the gateway ended, with the code if there was one.
    pub(crate) ended: Vec<(u64, Option<u16>)>,
}

/// A request to the API.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) at: DateTime<Utc>,
    pub(crate) method: String,
    /// The route as the description of the API writes it; empty if there is none such.
    pub(crate) route: &'static str,
    pub(crate) path: String,
    pub(crate) body: Value,
    /// Nothing if it was never answered.
    pub(crate) status: Option<u16>,
    pub(crate) answer: Option<Value>,
}

/// A payload that came over the gateway.
#[derive(Clone, Debug)]
pub(crate) struct Payload {
    pub(crate) at: DateTime<Utc>,
    pub(crate) link: u64,
    pub(crate) op: u64,
    pub(crate) body: Value,
}

/// Somebody was called by a message of the bot.
#[derive(Clone, Debug)]
pub(crate) struct Ping {
    pub(crate) channel: Id,
    pub(crate) message: Id,
    pub(crate) at: DateTime<Utc>,
    pub(crate) mentions: Mentions,
}

impl Record {
    /// Requests answered with 401, 403 or 429 in the ten minutes before `now`.
    pub(crate) fn invalid_lately(&self, now: DateTime<Utc>) -> usize {
        let lately = |at: &&DateTime<Utc>| now - **at < TimeDelta::minutes(10);
        self.invalid.iter().rev().take_while(lately).count()
    }
}
