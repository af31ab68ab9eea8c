//! A Discord on loopback: the API, the gateway, and people to be answered.
//!
//! It keeps state and is strict: what Discord refuses is refused here, with the same codes. A
//! test acts as people in a server do and reads what they see; it may also order what goes
//! wrong, and look up what arrived. Where Discord's behaviour is not documented, the fake takes
//! the side that is harder for a bot.
//!
//! A bot on serenity comes here with `HttpBuilder::new(town.token()).proxy(town.api())` and
//! `ratelimiter_disabled(true)`; with serenity's own limiter the proxy is not used.

mod application;
pub(crate) mod clock;
pub(crate) mod commands;
mod components;
mod connection;
mod embeds;
mod events;
pub(crate) mod faults;
mod files;
pub(crate) mod gateway;
pub(crate) mod guilds;
mod interactions;
pub(crate) mod limits;
pub(crate) mod mentions;
mod objects;
pub(crate) mod people;
pub(crate) mod permissions;
pub(crate) mod posts;
pub(crate) mod record;
mod refusal;
mod rest;
pub(crate) mod routes;
pub(crate) mod seen;
mod threads;
mod town;
pub(crate) mod world;
mod zlib;

use std::sync::Arc;

use world::World;

pub(crate) use super::line;
pub(crate) use super::loopback;
pub(crate) use town::Discord;

/// What the servers, the people and the tests share.
pub(crate) type Shared = loopback::Shared<World>;

/// A hold on the town that its guilds, channels and people have.
pub(crate) type Town = Arc<Shared>;
