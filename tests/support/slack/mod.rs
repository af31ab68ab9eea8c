//! A Slack on loopback: the Web API, Socket Mode, the sender of events, and people.
//!
//! It keeps state and is strict: what Slack refuses is refused here, in Slack's words. A test
//! acts as people in a workspace do and reads what they see; it may also order what goes wrong,
//! and look up what arrived. Where Slack's behaviour is not documented, the fake takes the side
//! that is harder for a bot.
//!
//! A bot on slack-morphism comes here with `with_slack_api_url(town.api())`, a connector that
//! takes plain http, and the tokens `workspace.token()` and `town.app_token()`. A test reads so:
//!
//! ```ignore
//! let town = Slack::start().await;
//! let library = town.workspace("Library");
//! let general = library.channel("general");
//! let mina = library.member("Mina");
//! // … start the bot with town.api(), library.token() and town.app_token() …
//! town.connected().await;
//! let said = mina.mentions_bot(&general, "How much leave do I have?");
//! let reply = mina.reply_to(&said).await;
//! mina.presses(&reply, "Useful");
//! assert_eq!((town.pings().len(), town.previewed().len(), town.hasty()), (0, 0, 0));
//! ```

mod api;
mod arguments;
mod assistant;
pub(crate) mod blocks;
mod chat;
pub(crate) mod clock;
mod conversations;
mod directory;
pub(crate) mod events;
pub(crate) mod faults;
mod files;
mod hooks;
pub(crate) mod interactions;
pub(crate) mod limits;
mod link;
pub(crate) mod manifest;
mod members;
pub(crate) mod mentions;
pub(crate) mod methods;
mod oauth;
mod objects;
pub(crate) mod people;
pub(crate) mod places;
pub(crate) mod post;
pub(crate) mod record;
mod refusal;
pub(crate) mod seen;
pub(crate) mod sender;
pub(crate) mod socket;
mod streams;
pub(crate) mod town;
mod views;
pub(crate) mod world;

use std::sync::Arc;

use world::World;

pub(crate) use super::loopback;
pub(crate) use town::Slack;

/// What the servers, the people and the tests share.
pub(crate) type Shared = loopback::Shared<World>;

/// A hold on the town that its workspaces, channels and people have.
pub(crate) type Town = Arc<Shared>;
