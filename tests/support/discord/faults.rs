//! What can go wrong, when a test orders it.

use std::time::Duration;

use super::gateway::Event;
use super::limits::Scope;
use super::loopback::faults::{self, Mishap};

pub(crate) use super::loopback::faults::{ANY, Astray, Greeting, Harm, Often};

/// A way for a connection to the gateway to be lost or to go bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The line is torn: RST.
    Torn,
    /// The line ends without a close frame: FIN.
    Ended,
    /// A close frame with this code.
    Closed(u16),
    /// `RECONNECT`.
    Reconnect,
    /// `INVALID_SESSION` that says to resume.
    InvalidResumable,
    /// `INVALID_SESSION` that says to start anew.
    Invalid,
    /// Beats are heard and not acknowledged, and nothing is told.
    Zombie,
    /// Nothing is heard, nothing is told, and the line stays open.
    BlackHole,
    /// A text that is no JSON.
    NotJson,
    /// Bytes that are no zlib.
    NotZlib,
    /// Half a frame, then the line ends.
    HalfFrame,
}

/// A way for a request to go wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// It goes wrong before the request has had an effect.
    Before(Harm),
    /// The request has its effect, and the answer is lost.
    After(Harm),
    /// 429, to come again after a while.
    Limited(Duration, Scope),
    /// The answer takes this long.
    Slow(Duration),
}

pub(crate) const POST: &str = "POST /channels/{channel_id}/messages";
pub(crate) const EDIT: &str = "PATCH /channels/{channel_id}/messages/{message_id}";
pub(crate) const HISTORY: &str = "GET /channels/{channel_id}/messages";
pub(crate) const CALLBACK: &str =
    "POST /interactions/{interaction_id}/{interaction_token}/callback";
pub(crate) const EDIT_ORIGINAL: &str =
    "PATCH /webhooks/{webhook_id}/{webhook_token}/messages/@original";
pub(crate) const FOLLOW_UP: &str = "POST /webhooks/{webhook_id}/{webhook_token}";

/// What was ordered to go wrong.
pub(crate) type Faults = faults::Faults<Fault, Event>;

impl Mishap for Fault {}
