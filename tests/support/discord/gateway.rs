//! The gateway's sessions: who identified, what each was told, what can be resumed.
//!
//! A session numbers what it tells and keeps it, so that a client that lost its connection can
//! have the rest. What happens while no session is there is in the history of channels only.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

use super::faults::Cut;
use super::objects;
use super::world::World;

pub(crate) const GUILDS: u64 = 1;
pub(crate) const GUILD_MEMBERS: u64 = 1 << 1;
pub(crate) const GUILD_PRESENCES: u64 = 1 << 8;
pub(crate) const GUILD_MESSAGES: u64 = 1 << 9;
pub(crate) const GUILD_MESSAGE_TYPING: u64 = 1 << 11;
pub(crate) const DIRECT_MESSAGES: u64 = 1 << 12;
pub(crate) const DIRECT_MESSAGE_TYPING: u64 = 1 << 14;
pub(crate) const MESSAGE_CONTENT: u64 = 1 << 15;
const PRIVILEGED: u64 = GUILD_MEMBERS | GUILD_PRESENCES | MESSAGE_CONTENT;
/// Bits 0 to 16, 20, 21, 24 and 25.
const KNOWN: u64 = 0x1_FFFF | 1 << 20 | 1 << 21 | 1 << 24 | 1 << 25;

#[derive(Default)]
pub(crate) struct Gateway {
    pub(crate) sessions: Vec<Session>,
    /// The open connections.
    pub(crate) links: BTreeMap<u64, Link>,
    pub(crate) opened: u64,
    starts: Vec<DateTime<Utc>>,
}

/// An open connection, from the world's side.
pub(crate) struct Link {
    pub(crate) orders: UnboundedSender<Order>,
    pub(crate) session: Option<usize>,
}

/// What a connection is told to do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    /// Its session has something new.
    Look,
    Cut(Cut),
}

pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) intents: u64,
    /// Which share of the guilds it is told of.
    pub(crate) shard: u64,
    /// What it was told; the first has number 1.
    pub(crate) told: Vec<Arc<str>>,
    /// When it lost its connection; nothing while it has one.
    pub(crate) left: Option<DateTime<Utc>>,
    pub(crate) link: Option<u64>,
    pub(crate) over: bool,
}

/// Something to tell.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) name: &'static str,
    /// An intent of which a session must have one; 0 goes to all.
    pub(crate) needs: u64,
    pub(crate) body: Value,
    /// What is told without the `MESSAGE_CONTENT` intent.
    pub(crate) withheld: Option<Value>,
}

impl Event {
    pub(crate) fn new(name: &'static str, needs: u64, body: Value) -> Self {
        Self {
            name,
            needs,
            body,
            withheld: None,
        }
    }
}

/// Tells `event` to every session that wants it, unless a test has ordered it to go astray.
pub(crate) fn tell(world: &mut World, event: Event) {
    let now = world.clock.now();
    for event in world.faults.astray(event, now) {
        tell_at_once(world, &event);
    }
}

pub(crate) fn tell_at_once(world: &mut World, event: &Event) {
    let now = world.clock.now();
    let resumable = world.settings.resumable;
    let shard = shard_told(event, world.settings.shards);
    let Gateway {
        sessions, links, ..
    } = &mut world.gateway;
    for session in sessions.iter_mut() {
        session.grow_old(now, resumable);
        let other = session.shard != shard;
        if session.over || other || (event.needs != 0 && session.intents & event.needs == 0) {
            continue;
        }
        session.add(event);
        if let Some(link) = session.link.and_then(|link| links.get(&link)) {
            // A connection that is closing has no use for it.
            let _ = link.orders.send(Order::Look);
        }
    }
}

/// The shard that hears of a guild.
pub(crate) fn shard_of(guild: u64, shards: u64) -> u64 {
    (guild >> 22) % shards
}

/// The shard that hears of `event`; direct messages are for the first.
fn shard_told(event: &Event, shards: u64) -> u64 {
    let about_guild = ["GUILD_CREATE", "GUILD_DELETE"].contains(&event.name);
    let guild = &event.body[if about_guild { "id" } else { "guild_id" }];
    let guild = guild.as_str().and_then(|id| id.parse().ok());
    guild.map_or(0, |guild| shard_of(guild, shards))
}

impl Session {
    fn add(&mut self, event: &Event) {
        let open = self.intents & MESSAGE_CONTENT != 0;
        let body = match &event.withheld {
            Some(withheld) if !open => withheld,
            _ => &event.body,
        };
        let number = self.told.len() + 1;
        let payload = json!({ "op": 0, "s": number, "t": event.name, "d": body });
        self.told.push(payload.to_string().into());
    }

    fn grow_old(&mut self, now: DateTime<Utc>, resumable: Duration) {
        let limit = TimeDelta::from_std(resumable).unwrap();
        if self.left.is_some_and(|left| now - left > limit) {
            self.end();
        }
    }

    pub(crate) fn end(&mut self) {
        self.over = true;
        self.told = Vec::new();
    }
}

/// Starts a session as IDENTIFY asks.
pub(crate) fn identify(world: &mut World, link: u64, asked: &Value) -> Result<usize, Unbegun> {
    let now = world.clock.now();
    let (intents, shard) = admitted(world, asked).map_err(Unbegun::Closed)?;
    let pause = TimeDelta::from_std(world.settings.identify_pause).unwrap();
    let last = world.gateway.starts.last();
    if last.is_some_and(|last| now - *last < pause) {
        return Err(Unbegun::Gone);
    }
    let starts = world.settings.session_starts;
    if world.gateway.starts_left(now, starts) == 0 {
        // Discord voids the token of a bot that starts too many sessions.
        world.settings.token.push_str("-void");
        return Err(Unbegun::Closed(4004));
    }
    world.gateway.starts.push(now);
    if let Some(code) = world.settings.turns_away {
        return Err(Unbegun::Closed(code));
    }
    let number = world.gateway.sessions.len();
    world.gateway.sessions.push(Session {
        id: format!("{:032x}", u128::from(world.clock.snowflake()) << 32),
        intents,
        shard,
        told: Vec::new(),
        left: None,
        link: Some(link),
        over: false,
    });
    world.gateway.links.get_mut(&link).unwrap().session = Some(number);
    greet(world, number);
    Ok(number)
}

/// The intents of an IDENTIFY that is in order, and its shard.
fn admitted(world: &World, asked: &Value) -> Result<(u64, u64), u16> {
    if !knows_token(world, asked) {
        return Err(4004);
    }
    let properties = &asked["properties"];
    let mut wanted = ["os", "browser", "device"].iter();
    let named = wanted.all(|name| properties[name].is_string());
    let Some(intents) = asked["intents"].as_u64().filter(|_| named) else {
        return Err(4002);
    };
    let shards = world.settings.shards;
    let named = |number: &u64| asked["shard"] == json!([number, shards]);
    let shard = match (0..shards).find(named) {
        Some(shard) => shard,
        None if !asked["shard"].is_null() => return Err(4010),
        None if shards > 1 => return Err(4011),
        None => 0,
    };
    if intents & !KNOWN != 0 {
        return Err(4013);
    }
    if intents & PRIVILEGED & !world.settings.privileged != 0 {
        return Err(4014);
    }
    Ok((intents, shard))
}

pub(crate) fn knows_token(world: &World, asked: &Value) -> bool {
    asked["token"].as_str().is_some_and(|token| {
        token.strip_prefix("Bot ").unwrap_or(token) == world.settings.token
    })
}

impl Gateway {
    /// A new connection; its number.
    pub(crate) fn open(&mut self, orders: UnboundedSender<Order>) -> u64 {
        self.opened += 1;
        let link = Link {
            orders,
            session: None,
        };
        self.links.insert(self.opened, link);
        self.opened
    }

    /// Sessions that may still be started today.
    pub(crate) fn starts_left(&self, now: DateTime<Utc>, of: usize) -> usize {
        let today = self
            .starts
            .iter()
            .filter(|at| now - **at < TimeDelta::hours(24));
        of.saturating_sub(today.count())
    }
}

/// READY, then the guilds one by one.
fn greet(world: &mut World, number: usize) {
    let (shards, own) = (world.settings.shards, world.gateway.sessions[number].shard);
    let mut bots = world.guilds_of_the_bot();
    bots.retain(|guild| shard_of(*guild, shards) == own);
    let body = ready(world, number, &bots);
    let mut events = vec![Event::new("READY", 0, body)];
    if world.gateway.sessions[number].intents & GUILDS != 0 {
        for guild in bots {
            let body = objects::arriving_guild(world, &world.guilds[&guild]);
            events.push(Event::new("GUILD_CREATE", GUILDS, body));
        }
    }
    for event in &events {
        world.gateway.sessions[number].add(event);
    }
}

fn ready(world: &World, number: usize, guilds: &[u64]) -> Value {
    let absent = guilds
        .iter()
        .map(|id| json!({ "id": id.to_string(), "unavailable": true }));
    json!({
        "v": 10,
        "user": objects::current_user(world),
        "user_settings": {},
        "session_id": world.gateway.sessions[number].id,
        "resume_gateway_url": world.settings.gateway,
        "session_type": "normal",
        "shard": [world.gateway.sessions[number].shard, world.settings.shards],
        "relationships": [],
        "private_channels": [],
        "presences": [],
        "guilds": absent.collect::<Value>(),
        "guild_join_requests": [],
        "geo_ordered_rtc_regions": [],
        "application": { "id": world.bot.to_string(), "flags": super::application::flags(world) },
        "_trace": [],
    })
}

/// Why a session is not begun or taken up again.
pub(crate) enum Unbegun {
    /// The connection is closed with this code.
    Closed(u16),
    /// `INVALID_SESSION`, not resumable.
    Gone,
}

/// Takes a session up again; gives it and how much of it the client already has.
pub(crate) fn resume(
    world: &mut World,
    link: u64,
    asked: &Value,
) -> Result<(usize, usize), Unbegun> {
    if !knows_token(world, asked) {
        return Err(Unbegun::Closed(4004));
    }
    let now = world.clock.now();
    let resumable = world.settings.resumable;
    let wanted = asked["session_id"].as_str().unwrap_or("");
    let found = world
        .gateway
        .sessions
        .iter()
        .position(|session| session.id == wanted);
    let Some(number) = found else {
        return Err(Unbegun::Gone);
    };
    let session = &mut world.gateway.sessions[number];
    session.grow_old(now, resumable);
    if session.over {
        return Err(Unbegun::Gone);
    }
    let seq = asked["seq"]
        .as_u64()
        .and_then(|seq| usize::try_from(seq).ok());
    let Some(has) = seq.filter(|seq| *seq <= session.told.len()) else {
        session.end();
        return Err(Unbegun::Closed(4007));
    };
    session.left = None;
    session.link = Some(link);
    session.add(&Event::new("RESUMED", 0, json!({ "_trace": [] })));
    world.gateway.links.get_mut(&link).unwrap().session = Some(number);
    Ok((number, has))
}

/// How a session stands after its connection went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Afterwards {
    Resumable,
    Over,
}

/// A connection is gone.
pub(crate) fn leave(world: &mut World, link: u64, then: Afterwards) {
    let now = world.clock.now();
    let session = world
        .gateway
        .links
        .remove(&link)
        .and_then(|link| link.session);
    let Some(session) = session.map(|number| &mut world.gateway.sessions[number]) else {
        return;
    };
    if then == Afterwards::Over {
        session.end();
    }
    // Another connection may have resumed it already.
    if session.link == Some(link) {
        session.link = None;
        session.left = Some(now);
    }
}
