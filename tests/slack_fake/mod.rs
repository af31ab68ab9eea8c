//! The fake Slack, held against what Slack's pages say it refuses.

mod api;
mod calls;
mod desk;
mod events;
#[cfg(feature = "slack")]
mod models;
mod posts;
mod reads;
mod sender;
mod socket;
mod wire;

use crate::support::slack::Slack;
use crate::support::slack::people::Person;
use crate::support::slack::places::{Channel, Workspace};

/// A town with a workspace, a channel and Mina in it.
async fn town() -> (Slack, Workspace, Channel, Person) {
    let town = Slack::start().await;
    let library = town.workspace("Library");
    let general = library.channel("general");
    let mina = library.member("Mina");
    (town, library, general, mina)
}
