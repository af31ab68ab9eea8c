//! What the bot is told over the gateway when something happens that it may know of.

use serde_json::{Value, json};

use super::clock::Id;
use super::gateway::{
    self, DIRECT_MESSAGE_TYPING, DIRECT_MESSAGES, Event, GUILD_MEMBERS, GUILD_MESSAGE_TYPING,
    GUILD_MESSAGES, GUILDS,
};
use super::objects::{self, Content};
use super::permissions::{self, VIEW_CHANNEL};
use super::world::World;

pub(crate) fn message_created(world: &mut World, channel: Id, id: Id) {
    tell_of_message(world, "MESSAGE_CREATE", (channel, id));
}

pub(crate) fn message_changed(world: &mut World, channel: Id, id: Id) {
    tell_of_message(world, "MESSAGE_UPDATE", (channel, id));
}

fn tell_of_message(world: &mut World, name: &'static str, (channel, id): (Id, Id)) {
    let here = &world.channels[&channel];
    let message = &here.messages[&id];
    if message.only_for.is_some() || !is_seen(world, channel) {
        return;
    }
    let write = |content| {
        let mut body = if name == "MESSAGE_CREATE" {
            objects::new_message(world, message, content)
        } else {
            objects::message(world, message, content)
        };
        if let Some(guild) = here.guild {
            let guild = &world.guilds[&guild];
            body["guild_id"] = json!(guild.id.to_string());
            if let Some(member) = guild.members.get(&message.author) {
                body["member"] = objects::partial_member(member);
            }
        }
        body
    };
    let event = Event {
        name,
        needs: intent(here.guild, GUILD_MESSAGES, DIRECT_MESSAGES),
        body: write(Content::Open),
        withheld: Some(write(Content::Withheld)),
    };
    gateway::tell(world, event);
}

pub(crate) fn message_deleted(world: &mut World, channel: Id, id: Id) {
    let here = &world.channels[&channel];
    if here.messages[&id].only_for.is_some() || !is_seen(world, channel) {
        return;
    }
    let needs = intent(here.guild, GUILD_MESSAGES, DIRECT_MESSAGES);
    let mut body = json!({ "id": id.to_string(), "channel_id": channel.to_string() });
    if let Some(guild) = here.guild {
        body["guild_id"] = json!(guild.to_string());
    }
    gateway::tell(world, Event::new("MESSAGE_DELETE", needs, body));
}

pub(crate) fn thread_created(world: &mut World, thread: Id) {
    tell_of_channel(world, "THREAD_CREATE", thread);
}

pub(crate) fn thread_changed(world: &mut World, thread: Id) {
    tell_of_channel(world, "THREAD_UPDATE", thread);
}

pub(crate) fn channel_created(world: &mut World, channel: Id) {
    tell_of_channel(world, "CHANNEL_CREATE", channel);
}

pub(crate) fn channel_changed(world: &mut World, channel: Id) {
    tell_of_channel(world, "CHANNEL_UPDATE", channel);
}

fn tell_of_channel(world: &mut World, name: &'static str, id: Id) {
    if !is_seen(world, id) {
        return;
    }
    let mut body = objects::channel(world, &world.channels[&id]);
    if name == "THREAD_CREATE" {
        body["newly_created"] = json!(true);
    }
    gateway::tell(world, Event::new(name, GUILDS, body));
}

/// A guild that the bot was invited to while it runs.
pub(crate) fn guild_joined(world: &mut World, guild: Id) {
    let body = objects::arriving_guild(world, &world.guilds[&guild]);
    gateway::tell(world, Event::new("GUILD_CREATE", GUILDS, body));
}

pub(crate) fn guild_left(world: &mut World, guild: Id) {
    let body = json!({ "id": guild.to_string() });
    gateway::tell(world, Event::new("GUILD_DELETE", GUILDS, body));
}

/// A member came, was changed or left. Without the intent a bot hears of itself only.
pub(crate) fn member(world: &mut World, name: &'static str, (guild, user): (Id, Id)) {
    let here = &world.guilds[&guild];
    let mut body = if here.members.contains_key(&user) {
        objects::member(world, here, user)
    } else {
        json!({ "user": objects::user(&world.users[&user]) })
    };
    body["guild_id"] = json!(guild.to_string());
    let needs = if user == world.bot { 0 } else { GUILD_MEMBERS };
    gateway::tell(world, Event::new(name, needs, body));
}

/// A role was made or changed.
pub(crate) fn role(world: &mut World, name: &'static str, (guild, role): (Id, Id)) {
    let here = &world.guilds[&guild];
    let role = objects::role(here, &here.roles[&role]);
    let body = json!({ "guild_id": guild.to_string(), "role": role });
    gateway::tell(world, Event::new(name, GUILDS, body));
}

pub(crate) fn typing(world: &mut World, channel: Id, user: Id) {
    if !is_seen(world, channel) {
        return;
    }
    let guild = world.channels[&channel].guild;
    let mut body = json!({
        "channel_id": channel.to_string(),
        "user_id": user.to_string(),
        "timestamp": world.clock.now().timestamp(),
    });
    if let Some(guild) = guild {
        body["guild_id"] = json!(guild.to_string());
        body["member"] = objects::member(world, &world.guilds[&guild], user);
    }
    let needs = intent(guild, GUILD_MESSAGE_TYPING, DIRECT_MESSAGE_TYPING);
    gateway::tell(world, Event::new("TYPING_START", needs, body));
}

pub(crate) fn interaction_created(world: &mut World, body: Value) {
    gateway::tell(world, Event::new("INTERACTION_CREATE", 0, body));
}

fn intent(guild: Option<Id>, within: u64, direct: u64) -> u64 {
    if guild.is_some() { within } else { direct }
}

fn is_seen(world: &World, channel: Id) -> bool {
    let here = &world.channels[&channel];
    permissions::within(world, world.bot, here) & VIEW_CHANNEL != 0
}
