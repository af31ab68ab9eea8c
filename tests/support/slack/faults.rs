//! What can go wrong, when a test orders it.

use std::time::Duration;

use super::super::chance::chance;
use super::loopback::faults::{self, Mishap};

pub(crate) use super::loopback::faults::{ANY, Astray, Greeting, Harm, Often};

/// A way for a link of Socket Mode to be lost or to go bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// `warning`, and after a while `refresh_requested` and the end.
    Warning,
    /// `refresh_requested`, and the end.
    Refresh,
    /// `too_many_websockets`, and the end.
    TooMany,
    /// `refresh_requested` that says nothing about the host.
    Bare,
    /// The line is torn: RST.
    Torn,
    /// The line ends without a close frame: FIN.
    Ended,
    /// A close frame with this code, and nothing said before.
    Closed(u16),
    /// What the app says is heard, and nothing is said any more.
    Zombie,
    /// Nothing is heard, nothing is said, and the line stays open.
    BlackHole,
    /// Something that nobody understands is said.
    Babble(Babble),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Babble {
    /// A text that is no JSON.
    NotJson,
    /// Bytes where there should be a text.
    Bytes,
    /// An envelope of a kind that nobody knows.
    UnknownKind,
    /// Half a frame, then the line ends.
    HalfFrame,
}

/// A way for a request to go wrong.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fault {
    /// It goes wrong before the request has had an effect.
    Before(Harm),
    /// The request has its effect, and the answer is lost.
    After(Harm),
    /// 429, to come again after so long.
    Limited(Duration),
    /// 429, to come again after one to so many seconds, by chance from this seed.
    LimitedUpTo(u64, u64),
    /// `ok: false` with this error.
    Refused(&'static str),
    /// The answer takes this long.
    Slow(Duration),
    /// It is answered with a redirect to there.
    Redirected(String),
}

pub(crate) const OPEN: &str = "apps.connections.open";
pub(crate) const POST: &str = "chat.postMessage";
pub(crate) const EDIT: &str = "chat.update";
pub(crate) const START: &str = "chat.startStream";
pub(crate) const APPEND: &str = "chat.appendStream";
pub(crate) const STOP: &str = "chat.stopStream";
pub(crate) const EPHEMERAL: &str = "chat.postEphemeral";
pub(crate) const REPLIES: &str = "conversations.replies";
pub(crate) const HISTORY: &str = "conversations.history";
/// A file is fetched.
pub(crate) const FILE: &str = "file";
/// Something is posted to a `response_url`.
pub(crate) const HOOK: &str = "response_url";

/// What was ordered to go wrong; an event is the number of its delivery.
pub(crate) type Faults = faults::Faults<Fault, usize>;

impl Mishap for Fault {
    fn now(&mut self) -> Self {
        match self {
            Self::LimitedUpTo(most, seed) => {
                Self::Limited(Duration::from_secs(1 + chance(seed) % *most))
            },
            Self::Before(_)
            | Self::After(_)
            | Self::Limited(_)
            | Self::Refused(_)
            | Self::Slow(_)
            | Self::Redirected(_) => self.clone(),
        }
    }
}
