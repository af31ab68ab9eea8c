//! How the world is written on the wire. Only forms here: no state, no choice.
#![expect(
    clippy::too_many_lines,
    reason = "a form is as long as Discord made it"
)]

use serde_json::{Value, json};

use super::clock::{self, Id, written};
use super::permissions;
use super::world::{
    Attachment, Channel, ChannelKind, Guild, LOADING, Member, Message, MessageKind, Role, User,
    World,
};

pub(crate) fn user(user: &User) -> Value {
    let mut object = json!({
        "id": user.id.to_string(),
        "username": user.name.to_lowercase(),
        "global_name": user.name,
        "discriminator": if user.bot { "4242" } else { "0" },
        "avatar": null,
        "banner": null,
        "accent_color": null,
        "avatar_decoration_data": null,
        "collectibles": null,
        "primary_guild": null,
        "public_flags": 0,
        "flags": 0,
    });
    if user.bot {
        object["bot"] = json!(true);
        object["global_name"] = Value::Null;
        object["username"] = json!(user.name);
    }
    object
}

/// The bot as it sees itself.
pub(crate) fn current_user(world: &World) -> Value {
    let mut object = user(&world.users[&world.bot]);
    object["mfa_enabled"] = json!(false);
    object["verified"] = json!(true);
    object["email"] = Value::Null;
    object["locale"] = json!("en-US");
    object
}

/// A member without the user, as it stands beside an author.
pub(crate) fn partial_member(member: &Member) -> Value {
    json!({
        "nick": null,
        "avatar": null,
        "banner": null,
        "avatar_decoration_data": null,
        "collectibles": null,
        "roles": ids(&member.roles),
        "joined_at": written(member.joined),
        "premium_since": null,
        "communication_disabled_until": null,
        "deaf": false,
        "mute": false,
        "pending": false,
        "flags": 0,
    })
}

pub(crate) fn member(world: &World, guild: &Guild, id: Id) -> Value {
    let mut object = partial_member(&guild.members[&id]);
    object["user"] = user(&world.users[&id]);
    object
}

pub(crate) fn ids(ids: &[Id]) -> Value {
    ids.iter().map(Id::to_string).collect()
}

pub(crate) fn role(guild: &Guild, role: &Role) -> Value {
    let position = guild.roles.keys().position(|id| *id == role.id);
    json!({
        "id": role.id.to_string(),
        "name": role.name,
        "permissions": role.permissions.to_string(),
        "position": position,
        "color": 0,
        "colors": { "primary_color": 0, "secondary_color": null, "tertiary_color": null },
        "hoist": false,
        "managed": false,
        "mentionable": role.mentionable,
        "icon": null,
        "unicode_emoji": null,
        "flags": 0,
    })
}

pub(crate) fn roles(guild: &Guild) -> Value {
    guild.roles.values().map(|one| role(guild, one)).collect()
}

pub(crate) fn channel(world: &World, channel: &Channel) -> Value {
    let last = channel.messages.keys().next_back().map(Id::to_string);
    let mut object = json!({
        "id": channel.id.to_string(),
        "type": channel.kind as u8,
        "flags": 0,
        "last_message_id": last,
        "last_pin_timestamp": null,
    });
    if channel.kind == ChannelKind::Direct {
        let others = channel.recipients.iter().filter(|id| **id != world.bot);
        object["recipients"] = others.map(|id| user(&world.users[id])).collect();
        return object;
    }
    object["guild_id"] = json!(channel.guild.unwrap().to_string());
    object["name"] = json!(channel.name);
    object["rate_limit_per_user"] = json!(0);
    if let Some(thread) = &channel.thread {
        object["parent_id"] = json!(thread.parent.to_string());
        object["owner_id"] = json!(thread.owner.to_string());
        object["message_count"] = json!(channel.messages.len());
        object["member_count"] = json!(thread.members.len());
        object["total_message_sent"] = json!(channel.messages.len());
        object["thread_metadata"] = json!({
            "archived": thread.state.archived(),
            "locked": thread.state.locked(),
            "auto_archive_duration": thread.archive_minutes,
            "archive_timestamp": written(thread.since),
            "create_timestamp": written(clock::made(channel.id)),
        });
        return object;
    }
    let overwrites = channel.overwrites.iter().map(|overwrite| {
        let of_member = world.users.contains_key(&overwrite.of);
        json!({
            "id": overwrite.of.to_string(),
            "type": u8::from(of_member),
            "allow": overwrite.allow.to_string(),
            "deny": overwrite.deny.to_string(),
        })
    });
    object["permission_overwrites"] = overwrites.collect();
    object["parent_id"] = Value::Null;
    object["topic"] = Value::Null;
    object["position"] = json!(0);
    object["nsfw"] = json!(false);
    object
}

pub(crate) fn guild(world: &World, guild: &Guild) -> Value {
    json!({
        "id": guild.id.to_string(),
        "name": guild.name,
        "icon": null,
        "description": null,
        "home_header": null,
        "splash": null,
        "discovery_splash": null,
        "features": [],
        "banner": null,
        "owner_id": guild.owner.to_string(),
        "application_id": null,
        "region": "deprecated",
        "afk_channel_id": null,
        "afk_timeout": 300,
        "system_channel_id": null,
        "system_channel_flags": 0,
        "widget_enabled": false,
        "widget_channel_id": null,
        "verification_level": 0,
        "roles": roles(guild),
        "default_message_notifications": 1,
        "mfa_level": 0,
        "explicit_content_filter": 0,
        "max_presences": null,
        "max_members": 500_000,
        "max_stage_video_channel_users": 50,
        "max_video_channel_users": 25,
        "vanity_url_code": null,
        "premium_tier": 0,
        "premium_subscription_count": 0,
        "preferred_locale": "en-US",
        "rules_channel_id": null,
        "safety_alerts_channel_id": null,
        "public_updates_channel_id": null,
        "premium_progress_bar_enabled": false,
        "nsfw": false,
        "nsfw_level": 0,
        "emojis": [],
        "stickers": [],
        "incidents_data": null,
        "approximate_member_count": world.guilds[&guild.id].members.len(),
    })
}

/// What `GUILD_CREATE` adds to a guild.
pub(crate) fn arriving_guild(world: &World, here: &Guild) -> Value {
    let mut object = guild(world, here);
    let seen = |threads: bool| {
        world
            .channels
            .values()
            .filter(|one| one.guild == Some(here.id) && one.thread.is_some() == threads)
            .filter(|one| permissions::within(world, world.bot, one) != 0)
            .filter(|one| one.thread.as_ref().is_none_or(|it| !it.state.archived()))
            .map(|one| channel(world, one))
            .collect::<Vec<_>>()
    };
    object["channels"] = json!(seen(false));
    object["threads"] = json!(seen(true));
    object["joined_at"] = json!(written(here.members[&world.bot].joined));
    object["large"] = json!(false);
    object["unavailable"] = json!(false);
    object["member_count"] = json!(here.members.len());
    object["members"] = json!([member(world, here, world.bot)]);
    object["voice_states"] = json!([]);
    object["presences"] = json!([]);
    object["stage_instances"] = json!([]);
    object["guild_scheduled_events"] = json!([]);
    object["soundboard_sounds"] = json!([]);
    object
}

/// Which fields of messages are blank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Everything can be read.
    Open,
    /// What is not the bot's to read is blank.
    Withheld,
}

/// A message as it is told once: when it is posted. Whoever fetches it later finds no nonce.
pub(crate) fn new_message(world: &World, message: &Message, content: Content) -> Value {
    let mut object = self::message(world, message, content);
    if let Some(nonce) = &message.nonce {
        object["nonce"] = nonce.clone();
    }
    object
}

pub(crate) fn message(world: &World, message: &Message, content: Content) -> Value {
    let mut object = bare_message(world, message, content);
    let channel = &world.channels[&message.channel];
    if let Some(reference) = message.reference {
        let thread = channel.thread.as_ref();
        let place = thread
            .filter(|_| message.kind == MessageKind::ThreadStarter)
            .map_or(message.channel, |thread| thread.parent);
        object["message_reference"] = json!({
            "type": 0,
            "message_id": reference.to_string(),
            "channel_id": place.to_string(),
        });
        if let Some(guild) = channel.guild {
            object["message_reference"]["guild_id"] = json!(guild.to_string());
        }
        let referenced = world.channels[&place].messages.get(&reference);
        object["referenced_message"] =
            referenced.map_or(Value::Null, |one| bare_message(world, one, content));
    }
    if let Some(thread) = world.channels.get(&message.id) {
        object["thread"] = self::channel(world, thread);
    }
    object
}

fn bare_message(world: &World, message: &Message, content: Content) -> Value {
    let mut object = json!({
        "id": message.id.to_string(),
        "channel_id": message.channel.to_string(),
        "type": message.kind as u8,
        "content": message.content,
        "author": user(&world.users[&message.author]),
        "timestamp": written(message.at),
        "edited_timestamp": message.edited.map(written),
        "tts": false,
        "pinned": false,
        "mention_everyone": message.mentions.everyone,
        "mentions": message.mentions.users.iter().map(|id| user(&world.users[id])).collect::<Value>(),
        "mention_roles": ids(&message.mentions.roles),
        "attachments": message.attachments.iter().map(|one| attachment(world, message.channel, one)).collect::<Value>(),
        "embeds": message.embeds,
        "components": message.components,
        "flags": message.flags,
    });
    if !message.reactions.is_empty() {
        let reactions = message.reactions.iter().map(|(emoji, by)| {
            json!({
                "count": by.len(),
                "count_details": { "burst": 0, "normal": by.len() },
                "me": by.contains(&world.bot),
                "me_burst": false,
                "burst_colors": [],
                "emoji": { "id": null, "name": emoji },
            })
        });
        object["reactions"] = reactions.collect();
    }
    if let Some(interaction) = message.interaction {
        answered(world, interaction, &mut object);
    }
    if content == Content::Withheld && !world.is_the_bots_to_read(message) {
        object["content"] = json!("");
        for field in ["embeds", "attachments", "components"] {
            object[field] = json!([]);
        }
    }
    object
}

/// What a message says of the interaction it answers.
fn answered(world: &World, interaction: Id, object: &mut Value) {
    let application = world.bot.to_string();
    let asked = &world.interactions[&interaction];
    object["application_id"] = json!(application);
    object["webhook_id"] = json!(application);
    object["interaction_metadata"] = json!({
        "id": interaction.to_string(),
        "type": asked.kind as u8,
        "user": user(&world.users[&asked.by]),
        "authorizing_integration_owners": {},
    });
    if let Some(name) = &asked.command {
        object["interaction"] = json!({
            "id": interaction.to_string(),
            "type": asked.kind as u8,
            "name": name,
            "user": user(&world.users[&asked.by]),
        });
    }
    if object["flags"]
        .as_u64()
        .is_some_and(|flags| flags & LOADING != 0)
    {
        object["content"] = json!("");
    }
}

pub(crate) fn attachment(world: &World, channel: Id, attachment: &Attachment) -> Value {
    let url = super::files::link(world, channel, attachment);
    json!({
        "id": attachment.id.to_string(),
        "filename": attachment.name,
        "size": attachment.bytes.len(),
        "url": url,
        "proxy_url": url,
        "content_type": attachment.content_type,
    })
}
