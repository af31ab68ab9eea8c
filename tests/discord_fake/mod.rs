//! The fake Discord, held against a real client, and against the description of the API.

mod api;
mod bot;
mod description;
mod gateway;
mod interactions;
mod posts;

use crate::support::discord::Discord;
use crate::support::discord::guilds::{Channel, Guild};
use crate::support::discord::people::Person;

/// A town with a guild, a channel and Mina in it.
async fn town() -> (Discord, Guild, Channel, Person) {
    let town = Discord::start().await;
    let guild = town.guild("saseo");
    let general = guild.channel("general");
    let mina = guild.member("Mina", &[]);
    (town, guild, general, mina)
}
