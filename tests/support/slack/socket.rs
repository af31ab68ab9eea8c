//! Socket Mode, from the world's side: tickets, links, and which of them is told something.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

use super::faults::Cut;
use super::methods::Call;
use super::refusal::Refusal;
use super::world::World;

#[derive(Default)]
pub(crate) struct Links {
    /// Tickets that were not used yet.
    tickets: BTreeSet<String>,
    pub(crate) open: BTreeMap<u64, Link>,
    pub(crate) opened: u64,
    /// Whose turn it is.
    turn: usize,
}

/// An open link.
pub(crate) struct Link {
    pub(crate) orders: UnboundedSender<Order>,
    pub(crate) since: DateTime<Utc>,
    pub(crate) state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nobody has said hello yet.
    New,
    Ready,
    /// It is told nothing more.
    Closing,
}

/// What a link is told to do.
#[derive(Clone, Debug)]
pub(crate) enum Order {
    Tell(String),
    Cut(Cut),
    /// A link that was silent goes on.
    Heal,
    /// Socket Mode was switched off.
    Disable,
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "it stands in the table of methods"
)]
pub(crate) fn open(world: &mut World, _: &Call<'_>) -> Result<Value, Refusal> {
    let ticket = world.clock.uuid();
    world.links.tickets.insert(ticket.clone());
    let (socket, app) = (&world.settings.socket, &world.app.id);
    let url = format!("{socket}/link/?ticket={ticket}&app_id={app}");
    Ok(json!({ "url": url }))
}

impl Links {
    /// Whether the ticket is good; it is so once.
    pub(crate) fn admits(&mut self, ticket: &str) -> bool {
        self.tickets.remove(ticket)
    }

    /// A new link; its number.
    pub(crate) fn enter(&mut self, orders: UnboundedSender<Order>, now: DateTime<Utc>) -> u64 {
        self.opened += 1;
        let link = Link {
            orders,
            since: now,
            state: State::New,
        };
        self.open.insert(self.opened, link);
        self.opened
    }

    pub(crate) fn ready(&self) -> usize {
        let links = self.open.values();
        links.filter(|link| link.state == State::Ready).count()
    }

    pub(crate) fn set(&mut self, link: u64, state: State) {
        if let Some(link) = self.open.get_mut(&link) {
            link.state = state;
        }
    }
}

/// Gives a text to one of the links, each in its turn; to which, if there was any.
pub(crate) fn deliver(world: &mut World, text: String) -> Option<u64> {
    let links = &mut world.links;
    let ready: Vec<u64> = links
        .open
        .iter()
        .filter(|(_, link)| link.state == State::Ready)
        .map(|(number, _)| *number)
        .collect();
    links.turn += 1;
    let number = *ready.get(links.turn.checked_rem(ready.len())?)?;
    let sent = links.open[&number].orders.send(Order::Tell(text));
    sent.is_ok().then_some(number)
}
