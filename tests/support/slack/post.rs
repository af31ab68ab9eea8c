//! The post office: what is sent to the app, how often, and when it was acknowledged.
//!
//! An event that is not acknowledged in time is sent again, at once, after a minute and after
//! five more; something that a person did is sent once, and the person is told that it failed.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

use super::clock::Id;
use super::interactions;
use super::sender::Parcel;
use super::socket;
use super::world::{Envelopes, Switch, World};

#[derive(Default)]
pub(crate) struct Office {
    pub(crate) deliveries: Vec<Delivery>,
    /// Which attempts went out under an envelope's id.
    envelopes: BTreeMap<String, (usize, usize)>,
    due: BTreeSet<(DateTime<Utc>, usize, Due)>,
    /// Takes what is to be posted to the app's address.
    pub(crate) outbox: Option<UnboundedSender<Parcel>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// An acknowledgement.
    Answer,
    /// The next attempt.
    Attempt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Event,
    Interactive,
    Command,
}

/// Something that is sent to the app.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) kind: Kind,
    pub(crate) payload: Value,
    /// What a person did, if it is about that.
    pub(crate) about: Option<Id>,
    pub(crate) at: DateTime<Utc>,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) outcome: Outcome,
    /// How often it was sent again.
    pub(crate) again: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) at: DateTime<Utc>,
    /// Over which link; nothing if there was none, or it was posted.
    pub(crate) link: Option<u64>,
    pub(crate) envelope: String,
    pub(crate) acknowledged: Option<DateTime<Utc>>,
    /// Why it failed.
    pub(crate) failed: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Open,
    Acknowledged,
    GivenUp,
}

/// Sends an event, unless a test has ordered it to go astray.
pub(crate) fn send_event(world: &mut World, payload: Value) {
    let number = add(world, Kind::Event, payload, None);
    let now = world.clock.now();
    for number in world.faults.astray(number, now) {
        attempt(world, number);
    }
}

/// Sends what somebody did.
pub(crate) fn send(world: &mut World, kind: Kind, payload: Value, about: Id) {
    let number = add(world, kind, payload, Some(about));
    attempt(world, number);
}

fn add(world: &mut World, kind: Kind, payload: Value, about: Option<Id>) -> usize {
    world.office.deliveries.push(Delivery {
        kind,
        payload,
        about,
        at: world.clock.now(),
        attempts: Vec::new(),
        outcome: Outcome::Open,
        again: 0,
    });
    world.office.deliveries.len() - 1
}

/// Sends a delivery, for the first time or again.
pub(crate) fn attempt(world: &mut World, number: usize) {
    let now = world.clock.now();
    let posted = world.settings.request_url.is_some();
    let delivery = &world.office.deliveries[number];
    let again = delivery.again;
    let before = delivery
        .attempts
        .first()
        .map(|first| first.envelope.clone());
    let before = before.filter(|_| world.settings.envelopes == Envelopes::Same && again > 0);
    let envelope = before.unwrap_or_else(|| world.clock.uuid());
    let link = if posted {
        None
    } else {
        let text = enveloped(world, number, &envelope);
        socket::deliver(world, text)
    };
    let place = world.office.deliveries[number].attempts.len();
    world.office.deliveries[number].attempts.push(Attempt {
        at: now,
        link,
        envelope: envelope.clone(),
        acknowledged: None,
        failed: None,
    });
    world.office.envelopes.insert(envelope, (number, place));
    if posted {
        super::sender::enqueue(world, number, place);
    } else if link.is_none() {
        fail(world, (number, place), "no connection");
    } else {
        let patience = TimeDelta::from_std(world.settings.patience).unwrap();
        world
            .office
            .due
            .insert((now + patience, number, Due::Answer));
    }
}

fn enveloped(world: &World, number: usize, envelope: &str) -> String {
    let delivery = &world.office.deliveries[number];
    let (kind, answered) = match delivery.kind {
        Kind::Event => ("events_api", false),
        Kind::Interactive => ("interactive", true),
        Kind::Command => ("slash_commands", true),
    };
    let mut object = json!({
        "envelope_id": envelope,
        "payload": delivery.payload,
        "type": kind,
        "accepts_response_payload": answered,
    });
    if delivery.kind == Kind::Event {
        let counted = world.settings.envelopes == Envelopes::Fresh && delivery.again > 0;
        let again = if counted { delivery.again } else { 0 };
        object["retry_attempt"] = json!(again);
        object["retry_reason"] = json!(if counted { "timeout" } else { "" });
    }
    object.to_string()
}

/// The app has acknowledged an envelope over a link; what is wrong with that, if something is.
pub(crate) fn acknowledged(
    world: &mut World,
    link: u64,
    envelope: &str,
    payload: Option<Value>,
) -> Result<(), String> {
    let now = world.clock.now();
    let Some((number, place)) = world.office.envelopes.get(envelope).copied() else {
        return Err(format!("there was no envelope {envelope}"));
    };
    let patience = TimeDelta::from_std(world.settings.patience).unwrap();
    let delivery = &mut world.office.deliveries[number];
    // An id that comes again is acknowledged for the last time that it went out.
    let place = if world.settings.envelopes == Envelopes::Same {
        delivery.attempts.len() - 1
    } else {
        place
    };
    let attempt = &mut delivery.attempts[place];
    if attempt.link != Some(link) {
        return Err(format!("link {link} was not sent the envelope {envelope}"));
    }
    if attempt.acknowledged.is_some() {
        return Err(format!("the envelope {envelope} was acknowledged before"));
    }
    if now - attempt.at > patience {
        return Err(format!("the envelope {envelope} was acknowledged too late"));
    }
    attempt.acknowledged = Some(now);
    if payload.is_some() && delivery.kind == Kind::Event {
        return Err("an event takes no answer".to_owned());
    }
    settle(world, number, payload);
    Ok(())
}

/// A delivery has arrived.
pub(crate) fn settle(world: &mut World, number: usize, answer: Option<Value>) {
    let delivery = &mut world.office.deliveries[number];
    if delivery.outcome == Outcome::Acknowledged {
        return;
    }
    delivery.outcome = Outcome::Acknowledged;
    if let Some(about) = delivery.about.clone() {
        interactions::acknowledged(world, &about, answer);
    }
}

/// An attempt has failed.
pub(crate) fn fail(world: &mut World, (number, place): (usize, usize), why: &'static str) {
    let now = world.clock.now();
    let retries = world.settings.retries.clone();
    let delivery = &mut world.office.deliveries[number];
    delivery.attempts[place].failed = Some(why);
    // The other of two that went out together is waited for.
    let last = place + 1 == delivery.attempts.len();
    if delivery.outcome != Outcome::Open || !last {
        return;
    }
    let wait = retries
        .get(delivery.again)
        .filter(|_| delivery.kind == Kind::Event);
    let Some(wait) = wait else {
        give_up(world, number);
        return;
    };
    delivery.again += 1;
    let at = now + TimeDelta::from_std(*wait).unwrap();
    world.office.due.insert((at, number, Due::Attempt));
}

pub(crate) fn give_up(world: &mut World, number: usize) {
    let delivery = &mut world.office.deliveries[number];
    delivery.outcome = Outcome::GivenUp;
    if let Some(about) = delivery.about.clone() {
        interactions::failed(world, &about);
    }
}

/// Does what is due. Says whether something was.
pub(crate) fn tick(world: &mut World) -> Switch {
    let now = world.clock.now();
    let mut done = Switch::Off;
    for number in world.faults.due(now) {
        attempt(world, number);
        done = Switch::On;
    }
    while let Some((at, number, due)) = world.office.due.first().copied() {
        if at > now {
            break;
        }
        world.office.due.pop_first();
        done = Switch::On;
        let delivery = &world.office.deliveries[number];
        if delivery.outcome != Outcome::Open {
            continue;
        }
        match due {
            Due::Attempt => attempt(world, number),
            Due::Answer => {
                let place = delivery.attempts.len() - 1;
                let last = &delivery.attempts[place];
                let patience = TimeDelta::from_std(world.settings.patience).unwrap();
                // Of two that went out together the later one counts.
                if last.failed.is_none() && now - last.at >= patience {
                    fail(world, (number, place), "timeout");
                }
            },
        }
    }
    done
}
