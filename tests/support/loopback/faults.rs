//! What can go wrong with any messenger, when a test orders it.

use std::collections::VecDeque;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, TimeDelta, Utc};

use super::super::chance::{chance, shuffle};
use super::super::line::Line;

/// How a WebSocket is received.
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

impl Greeting {
    /// What whoever is not let in is answered.
    pub(crate) async fn turns_away(self, line: &Line) -> Option<Response> {
        match self {
            Self::Hello | Self::Silence => None,
            Self::Status(status) => Some(StatusCode::from_u16(status).unwrap().into_response()),
            Self::Unanswered => std::future::pending().await,
            Self::Torn => {
                line.tear();
                Some(StatusCode::OK.into_response())
            },
        }
    }
}

/// What becomes of the answer to a request.
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

impl Harm {
    /// What is answered instead.
    pub(crate) async fn done_to(self, line: &Line) -> Response {
        match self {
            Self::Torn => line.tear(),
            Self::Ended => line.end(),
            Self::Status(status) => {
                let status = StatusCode::from_u16(status).unwrap();
                return (status, "upstream connect error").into_response();
            },
            Self::Silence => return std::future::pending().await,
        }
        StatusCode::OK.into_response()
    }
}

/// All requests.
pub(crate) const ANY: &str = "";

/// How often an ordered fault happens.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Often {
    Always,
    Next(usize),
    /// This many of a hundred, by chance from this seed.
    Share(u64, u64),
}

/// What becomes of events on their way.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Astray {
    #[default]
    Not,
    /// Each is sent twice.
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

/// A way for a request to go wrong, as one messenger knows it.
pub(crate) trait Mishap: Clone {
    /// As it happens this time, with chance turned into a number.
    fn now(&mut self) -> Self {
        self.clone()
    }
}

/// What was ordered: faults of requests, greetings, and what becomes of events.
pub(crate) struct Faults<Fault, Event> {
    orders: Vec<Ordered<Fault>>,
    greetings: VecDeque<Greeting>,
    events: Astray,
    held: Vec<(DateTime<Utc>, Event)>,
    apart: Vec<Event>,
}

struct Ordered<Fault> {
    on: &'static str,
    fault: Fault,
    often: Often,
}

impl<Fault, Event> Default for Faults<Fault, Event> {
    fn default() -> Self {
        Self {
            orders: Vec::new(),
            greetings: VecDeque::new(),
            events: Astray::Not,
            held: Vec::new(),
            apart: Vec::new(),
        }
    }
}

impl<Fault: Mishap, Event: Clone> Faults<Fault, Event> {
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

    /// Gives back the events that still waited to be sent in another order.
    pub(crate) fn lead_astray(&mut self, astray: Astray) -> Vec<Event> {
        self.events = astray;
        std::mem::take(&mut self.apart)
    }

    /// What goes wrong with a request for `name`.
    pub(crate) fn fault(&mut self, name: &str) -> Option<Fault> {
        let found = self
            .orders
            .iter_mut()
            .filter(|order| order.on == ANY || order.on == name)
            .find_map(|order| order.often.now().then(|| order.fault.now()));
        self.orders
            .retain(|order| !matches!(order.often, Often::Next(0)));
        found
    }

    /// The events that are sent in place of `event`.
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
                let mut sent = std::mem::take(&mut self.apart);
                shuffle(&mut sent, seed);
                sent
            },
        }
    }

    /// The events whose time has come.
    pub(crate) fn due(&mut self, now: DateTime<Utc>) -> Vec<Event> {
        let held = std::mem::take(&mut self.held);
        let (due, held): (Vec<_>, Vec<_>) = held.into_iter().partition(|(at, _)| *at <= now);
        self.held = held;
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
