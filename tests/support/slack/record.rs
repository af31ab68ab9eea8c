//! What arrived: every request, every frame, whom the bot called, what Slack fetched.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::clock::{Id, Ts};
use super::mentions::Mentions;

#[derive(Default)]
pub(crate) struct Record {
    pub(crate) requests: Vec<Request>,
    pub(crate) frames: Vec<Frame>,
    pub(crate) pings: Vec<Ping>,
    /// Pages that Slack would have fetched for a preview.
    pub(crate) previewed: Vec<String>,
    /// Requests that came before the time a 429 had named.
    pub(crate) hasty: Vec<Hasty>,
    /// Posts that were so long that Slack made several of them.
    pub(crate) split: Vec<(Id, Ts)>,
    /// What came over Socket Mode and means nothing: why it does.
    pub(crate) odd: Vec<String>,
    /// How links ended, with the code if there was one.
    pub(crate) ended: Vec<(u64, Option<u16>)>,
    /// The links over which a pong came.
    pub(crate) pongs: Vec<(u64, DateTime<Utc>)>,
    /// What was posted to the app's address.
    pub(crate) posted: Vec<Posted>,
}

/// A request to the server.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) at: DateTime<Utc>,
    /// The method of the API; for the rest of the server [`FILE`] or [`HOOK`].
    ///
    /// [`FILE`]: super::faults::FILE
    /// [`HOOK`]: super::faults::HOOK
    pub(crate) method: String,
    pub(crate) path: String,
    /// What the header shows; empty without one.
    pub(crate) token: String,
    /// The workspace of the token; empty if it was refused.
    pub(crate) team: Id,
    pub(crate) arguments: Value,
    /// Nothing if it was never answered.
    pub(crate) status: Option<u16>,
    pub(crate) answer: Option<Value>,
}

impl Request {
    /// Whether Slack did what was asked, whether the bot heard so or not.
    pub(crate) fn done(&self) -> bool {
        self.answer
            .as_ref()
            .is_some_and(|answer| answer["ok"] == true)
    }

    pub(crate) fn error(&self) -> Option<&str> {
        self.answer.as_ref()?["error"].as_str()
    }

    pub(crate) fn text(&self, key: &str) -> &str {
        self.arguments[key].as_str().unwrap_or("")
    }
}

/// A text that came over Socket Mode.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) at: DateTime<Utc>,
    pub(crate) link: u64,
    pub(crate) body: Value,
}

/// Somebody was called by a message of the bot.
#[derive(Clone, Debug)]
pub(crate) struct Ping {
    pub(crate) channel: Id,
    pub(crate) ts: Ts,
    pub(crate) at: DateTime<Utc>,
    pub(crate) mentions: Mentions,
}

#[derive(Clone, Debug)]
pub(crate) struct Hasty {
    pub(crate) method: String,
    pub(crate) at: DateTime<Utc>,
    /// When that was said.
    pub(crate) since: DateTime<Utc>,
    /// When it would have been welcome.
    pub(crate) until: DateTime<Utc>,
}

/// Something that was posted to the app's address.
#[derive(Clone, Debug)]
pub(crate) struct Posted {
    pub(crate) at: DateTime<Utc>,
    /// Which delivery, and the how manieth attempt, from 0.
    pub(crate) delivery: usize,
    pub(crate) attempt: usize,
    /// Nothing if there was no answer.
    pub(crate) status: Option<u16>,
    pub(crate) answer: String,
}
