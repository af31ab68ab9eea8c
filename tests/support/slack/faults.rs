//! What can go wrong, when a test orders it.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::chance::{chance, shuffle};

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

/// How a link is received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Greeting {
    Hello,
    /// The WebSocket opens and nothing is said.
    Silence,
    /// The handshake is answered with a status instead.
    Status(u16),
    /// The handshake is never answered.
    Unanswered,
    /// The line is torn in the handshake.
    Torn,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Harm {
    /// The line is torn: RST.
    Torn,
    /// The line ends.
    Ended,
    /// An answer with this status, and no body that says anything.
    Status(u16),
    /// No answer.
    Silence,
}

/// All requests.
pub(crate) const ANY: &str = "";
pub(crate) const OPEN: &str = "apps.connections.open";
pub(crate) const POST: &str = "chat.postMessage";
pub(crate) const EDIT: &str = "chat.update";
pub(crate) const EPHEMERAL: &str = "chat.postEphemeral";
pub(crate) const REPLIES: &str = "conversations.replies";
pub(crate) const HISTORY: &str = "conversations.history";
/// A file is fetched.
pub(crate) const FILE: &str = "file";
/// Something is posted to a `response_url`.
pub(crate) const HOOK: &str = "response_url";

/// How often an ordered fault happens.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Often {
    Always,
    Next(usize),
    /// This many of a hundred, by chance from this seed.
    Share(u64, u64),
}

#[derive(Default)]
pub(crate) struct Faults {
    orders: Vec<Ordered>,
    greetings: VecDeque<Greeting>,
    events: Astray,
    held: Vec<(DateTime<Utc>, usize)>,
    apart: Vec<usize>,
}

struct Ordered {
    on: &'static str,
    fault: Fault,
    often: Often,
}

/// What becomes of events on their way.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Astray {
    #[default]
    Not,
    /// Each is sent twice, over two links if there are so many.
    Twice,
    /// Each is sent this much later.
    Late(Duration),
    /// They wait until so many are there, and are sent in another order, from this seed.
    Shuffled(usize, u64),
    /// As `Shuffled`, and every other one is sent twice.
    Storm(usize, u64),
    /// They are lost, and nobody sends them again.
    Lost,
}

impl Faults {
    pub(crate) fn order(&mut self, on: &'static str, fault: Fault, often: Often) {
        self.orders.push(Ordered { on, fault, often });
    }

    pub(crate) fn clear(&mut self) {
        self.orders.clear();
        self.greetings.clear();
        self.events = Astray::Not;
    }

    pub(crate) fn greet(&mut self, greetings: impl IntoIterator<Item = Greeting>) {
        self.greetings.extend(greetings);
    }

    pub(crate) fn greeting(&mut self) -> Greeting {
        self.greetings.pop_front().unwrap_or(Greeting::Hello)
    }

    /// Gives back the deliveries that still waited to be sent in another order.
    pub(crate) fn lead_astray(&mut self, astray: Astray) -> Vec<usize> {
        self.events = astray;
        std::mem::take(&mut self.apart)
    }

    /// What goes wrong with a request to `method`.
    pub(crate) fn fault(&mut self, method: &str) -> Option<Fault> {
        let found = self
            .orders
            .iter_mut()
            .filter(|order| order.on == ANY || order.on == method)
            .find_map(|order| order.often.now().then(|| order.fault.now()));
        self.orders
            .retain(|order| !matches!(order.often, Often::Next(0)));
        found
    }

    /// The deliveries that are sent in place of `event`.
    pub(crate) fn astray(&mut self, event: usize, now: DateTime<Utc>) -> Vec<usize> {
        match self.events {
            Astray::Not => vec![event],
            Astray::Lost => Vec::new(),
            Astray::Twice => vec![event, event],
            Astray::Late(by) => {
                self.held
                    .push((now + TimeDelta::from_std(by).unwrap(), event));
                Vec::new()
            },
            Astray::Shuffled(many, seed) | Astray::Storm(many, seed) => {
                if matches!(self.events, Astray::Storm(..)) && event.is_multiple_of(2) {
                    self.apart.push(event);
                }
                self.apart.push(event);
                if self.apart.len() < many {
                    return Vec::new();
                }
                let mut sent = std::mem::take(&mut self.apart);
                shuffle(&mut sent, seed);
                sent
            },
        }
    }

    /// The deliveries whose time has come.
    pub(crate) fn due(&mut self, now: DateTime<Utc>) -> Vec<usize> {
        let held = std::mem::take(&mut self.held);
        let (due, held): (Vec<_>, Vec<_>) = held.into_iter().partition(|(at, _)| *at <= now);
        self.held = held;
        due.into_iter().map(|(_, event)| event).collect()
    }
}

impl Fault {
    /// With chance turned into a number.
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

impl Often {
    fn now(&mut self) -> bool {
        match self {
            Self::Always => true,
            Self::Next(left) => {
                let now = *left > 0;
                *left = left.saturating_sub(1);
                now
            },
            Self::Share(percent, seed) => chance(seed) % 100 < *percent,
        }
    }
}
