//! What can go wrong, when a test orders it.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::chance::{chance, shuffle};
use super::gateway::Event;
use super::limits::Scope;

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

/// How the gateway receives a connection.
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
pub(crate) const POST: &str = "POST /channels/{channel_id}/messages";
pub(crate) const EDIT: &str = "PATCH /channels/{channel_id}/messages/{message_id}";
pub(crate) const HISTORY: &str = "GET /channels/{channel_id}/messages";
pub(crate) const CALLBACK: &str =
    "POST /interactions/{interaction_id}/{interaction_token}/callback";
pub(crate) const EDIT_ORIGINAL: &str =
    "PATCH /webhooks/{webhook_id}/{webhook_token}/messages/@original";
pub(crate) const FOLLOW_UP: &str = "POST /webhooks/{webhook_id}/{webhook_token}";

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
    held: Vec<(DateTime<Utc>, Event)>,
    apart: Vec<Event>,
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
    /// Each is told twice.
    Twice,
    /// Each is told this much later.
    Late(Duration),
    /// They wait until so many are there, and are told in another order, from this seed.
    Shuffled(usize, u64),
    /// As `Shuffled`, and every other one is told twice.
    Storm(usize, u64),
    /// They are lost.
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

    /// Gives back the events that still waited to be told in another order.
    pub(crate) fn lead_astray(&mut self, astray: Astray) -> Vec<Event> {
        self.events = astray;
        std::mem::take(&mut self.apart)
    }

    /// What goes wrong with a request to `route`.
    pub(crate) fn fault(&mut self, method: &str, route: &str) -> Option<Fault> {
        let name = format!("{method} {route}");
        let found = self
            .orders
            .iter_mut()
            .filter(|order| order.on == ANY || order.on == name)
            .find_map(|order| order.often.now().then_some(order.fault));
        self.orders
            .retain(|order| !matches!(order.often, Often::Next(0)));
        found
    }

    /// The events that are told in place of `event`.
    pub(crate) fn astray(&mut self, event: Event, now: DateTime<Utc>) -> Vec<Event> {
        match self.events {
            Astray::Not => vec![event],
            Astray::Lost => Vec::new(),
            Astray::Twice => vec![event.clone(), event],
            Astray::Late(by) => {
                self.held
                    .push((now + TimeDelta::from_std(by).unwrap(), event));
                Vec::new()
            },
            Astray::Shuffled(many, seed) | Astray::Storm(many, seed) => {
                if matches!(self.events, Astray::Storm(..))
                    && self.apart.len().is_multiple_of(3)
                {
                    self.apart.push(event.clone());
                }
                self.apart.push(event);
                if self.apart.len() < many {
                    return Vec::new();
                }
                let mut told = std::mem::take(&mut self.apart);
                shuffle(&mut told, seed);
                told
            },
        }
    }

    /// The events whose time has come.
    pub(crate) fn due(&mut self, now: DateTime<Utc>) -> Vec<Event> {
        let held = std::mem::take(&mut self.held);
        let (due, held) = held.into_iter().partition(|(at, _)| *at <= now);
        self.held = held;
        let due: Vec<_> = due;
        due.into_iter().map(|(_, event)| event).collect()
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
