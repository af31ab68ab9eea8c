//! The routes that are served, written as the description of the API writes them.

#![expect(
    clippy::unnecessary_wraps,
    reason = "all routes are served by functions of one type"
)]

use serde_json::{Value, json};

use super::application;
use super::clock::Id;
use super::commands;
use super::events;
use super::gateway::GUILD_MEMBERS;
use super::interactions;
use super::limits::Bucket;
use super::mentions::Allowed;
use super::objects::{self, Content};
use super::permissions::{self, ADD_REACTIONS};
use super::posts::{self, snowflake};
use super::refusal::{
    Form, Refusal, missing_access, missing_permissions, unauthorized, unknown,
};
use super::rest::{Call, Reply};
use super::threads;
use super::world::World;

pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) bucket: Bucket,
    pub(crate) entrance: Entrance,
    pub(crate) serve: Serve,
}

type Serve = fn(&mut World, &Call) -> Result<Reply, Refusal>;

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entrance {
    /// The bot, by its token.
    Bot,
    /// Whoever knows the path: it holds a token of its own.
    Anyone,
}

/// The route of a request and the names in its path.
pub(crate) fn find(method: &str, path: &str) -> Option<(&'static Route, Vec<String>)> {
    let parts: Vec<&str> = path.split('/').collect();
    ROUTES
        .iter()
        .filter(|route| route.method == method)
        .find_map(|route| Some((route, names(route.path, &parts)?)))
}

fn names(template: &str, parts: &[&str]) -> Option<Vec<String>> {
    let wanted: Vec<&str> = template.split('/').skip(1).collect();
    if wanted.len() != parts.len() {
        return None;
    }
    let mut names = Vec::new();
    for (wanted, part) in wanted.iter().zip(parts) {
        if wanted.starts_with('{') {
            names.push((*part).to_owned());
        } else if wanted != part {
            return None;
        }
    }
    Some(names)
}

const fn bot(method: &'static str, path: &'static str, bucket: Bucket, serve: Serve) -> Route {
    Route {
        method,
        path,
        bucket,
        entrance: Entrance::Bot,
        serve,
    }
}

const fn anyone(
    method: &'static str,
    path: &'static str,
    bucket: Bucket,
    serve: Serve,
) -> Route {
    Route {
        method,
        path,
        bucket,
        entrance: Entrance::Anyone,
        serve,
    }
}

const COMMANDS: &str = "/applications/{application_id}/commands";
const COMMAND: &str = "/applications/{application_id}/commands/{command_id}";
const GUILD_COMMANDS: &str = "/applications/{application_id}/guilds/{guild_id}/commands";
const GUILD_COMMAND: &str =
    "/applications/{application_id}/guilds/{guild_id}/commands/{command_id}";
const MESSAGES: &str = "/channels/{channel_id}/messages";
const MESSAGE: &str = "/channels/{channel_id}/messages/{message_id}";
const REACTION: &str =
    "/channels/{channel_id}/messages/{message_id}/reactions/{emoji_name}/@me";
const ORIGINAL: &str = "/webhooks/{webhook_id}/{webhook_token}/messages/@original";
const FOLLOW_UP: &str = "/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}";

/// `@original` stands before `{message_id}`, which would take it too.
pub(crate) static ROUTES: &[Route] = &[
    bot("GET", "/gateway", Bucket::Read, gateway),
    bot("GET", "/gateway/bot", Bucket::Read, gateway_for_bots),
    bot("GET", "/users/@me", Bucket::Read, current_user),
    bot("POST", "/users/@me/channels", Bucket::Direct, direct),
    bot("GET", "/users/@me/guilds", Bucket::Read, own_guilds),
    bot("GET", "/users/{user_id}", Bucket::Read, user),
    bot("GET", "/applications/@me", Bucket::Read, own_application),
    bot(
        "GET",
        "/oauth2/applications/@me",
        Bucket::Read,
        own_application,
    ),
    bot("GET", "/channels/{channel_id}", Bucket::Read, channel),
    bot("GET", MESSAGES, Bucket::Read, history),
    bot("POST", MESSAGES, Bucket::Write, post),
    bot("GET", MESSAGE, Bucket::Read, message),
    bot("PATCH", MESSAGE, Bucket::Write, edit),
    bot("DELETE", MESSAGE, Bucket::Delete, delete),
    bot("PUT", REACTION, Bucket::Reaction, react),
    bot("DELETE", REACTION, Bucket::Reaction, unreact),
    bot(
        "POST",
        "/channels/{channel_id}/typing",
        Bucket::Typing,
        typing,
    ),
    bot(
        "PATCH",
        "/channels/{channel_id}",
        Bucket::Thread,
        threads::modify,
    ),
    bot(
        "POST",
        "/channels/{channel_id}/messages/{message_id}/threads",
        Bucket::Thread,
        threads::from_message,
    ),
    bot(
        "PUT",
        "/channels/{channel_id}/thread-members/@me",
        Bucket::Thread,
        threads::join,
    ),
    bot(
        "GET",
        "/guilds/{guild_id}/threads/active",
        Bucket::Read,
        threads::active,
    ),
    bot("GET", "/guilds/{guild_id}", Bucket::Read, guild),
    bot("GET", "/guilds/{guild_id}/channels", Bucket::Read, channels),
    bot("GET", "/guilds/{guild_id}/roles", Bucket::Read, roles),
    bot(
        "GET",
        "/guilds/{guild_id}/members/{user_id}",
        Bucket::Read,
        member,
    ),
    bot("GET", "/guilds/{guild_id}/members", Bucket::Read, members),
    bot("GET", COMMANDS, Bucket::Command, commands::list),
    bot("PUT", COMMANDS, Bucket::Command, commands::overwrite),
    bot("POST", COMMANDS, Bucket::Command, commands::create),
    bot("GET", COMMAND, Bucket::Command, commands::get),
    bot("PATCH", COMMAND, Bucket::Command, commands::edit),
    bot("DELETE", COMMAND, Bucket::Command, commands::delete),
    bot(
        "GET",
        GUILD_COMMANDS,
        Bucket::Command,
        commands::list_in_guild,
    ),
    bot(
        "PUT",
        GUILD_COMMANDS,
        Bucket::Command,
        commands::overwrite_in_guild,
    ),
    bot(
        "POST",
        GUILD_COMMANDS,
        Bucket::Command,
        commands::create_in_guild,
    ),
    bot(
        "GET",
        GUILD_COMMAND,
        Bucket::Command,
        commands::get_in_guild,
    ),
    bot(
        "PATCH",
        GUILD_COMMAND,
        Bucket::Command,
        commands::edit_in_guild,
    ),
    bot(
        "DELETE",
        GUILD_COMMAND,
        Bucket::Command,
        commands::delete_in_guild,
    ),
    anyone(
        "POST",
        "/interactions/{interaction_id}/{interaction_token}/callback",
        Bucket::Callback,
        interactions::respond,
    ),
    anyone("GET", ORIGINAL, Bucket::Webhook, interactions::original),
    anyone(
        "PATCH",
        ORIGINAL,
        Bucket::Webhook,
        interactions::edit_original,
    ),
    anyone(
        "DELETE",
        ORIGINAL,
        Bucket::Webhook,
        interactions::delete_original,
    ),
    anyone(
        "POST",
        "/webhooks/{webhook_id}/{webhook_token}",
        Bucket::Webhook,
        interactions::follow_up,
    ),
    anyone("GET", FOLLOW_UP, Bucket::Webhook, interactions::followed_up),
    anyone(
        "PATCH",
        FOLLOW_UP,
        Bucket::Webhook,
        interactions::edit_follow_up,
    ),
    anyone(
        "DELETE",
        FOLLOW_UP,
        Bucket::Webhook,
        interactions::delete_follow_up,
    ),
];

impl Call {
    /// The snowflake at `place` in the path.
    pub(crate) fn id(&self, place: usize) -> Result<Id, Refusal> {
        let name = &self.names[place];
        let found = name.parse().ok();
        found.ok_or_else(|| {
            let mut form = Form::default();
            let message = format!("Value \"{name}\" is not snowflake.");
            form.slip("id", "NUMBER_TYPE_COERCE", &message);
            form.done().unwrap_err()
        })
    }
}

/// What REST shows of messages: a switch in the developer portal decides, not an intent.
pub(crate) fn content(world: &World) -> Content {
    if world.settings.privileged & super::gateway::MESSAGE_CONTENT == 0 {
        Content::Withheld
    } else {
        Content::Open
    }
}

fn gateway(world: &mut World, _: &Call) -> Result<Reply, Refusal> {
    Ok(Reply::with(json!({ "url": world.settings.gateway })))
}

fn gateway_for_bots(world: &mut World, _: &Call) -> Result<Reply, Refusal> {
    let total = world.settings.session_starts;
    let remaining = world.gateway.starts_left(world.clock.now(), total);
    Ok(Reply::with(json!({
        "url": world.settings.gateway,
        "shards": world.settings.shards,
        "session_start_limit": {
            "total": total,
            "remaining": remaining,
            "reset_after": 86_400_000,
            "max_concurrency": 1,
        },
    })))
}

fn current_user(world: &mut World, _: &Call) -> Result<Reply, Refusal> {
    Ok(Reply::with(objects::current_user(world)))
}

fn own_application(world: &mut World, _: &Call) -> Result<Reply, Refusal> {
    Ok(Reply::with(application::own(world)))
}

fn own_guilds(world: &mut World, _: &Call) -> Result<Reply, Refusal> {
    let guilds = world.guilds_of_the_bot().into_iter();
    Ok(listed(guilds.map(|id| {
        let guild = &world.guilds[&id];
        json!({
            "id": id.to_string(),
            "name": guild.name,
            "icon": null,
            "banner": null,
            "owner": false,
            "permissions": permissions::across(guild, world.bot).to_string(),
            "features": [],
        })
    })))
}

fn user(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let user = world
        .users
        .get(&call.id(0)?)
        .ok_or_else(|| unknown(10013))?;
    Ok(Reply::with(objects::user(user)))
}

fn direct(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let Some(user) = call.body.get("recipient_id").and_then(snowflake) else {
        let mut form = Form::default();
        form.required("recipient_id");
        return Err(form.done().unwrap_err());
    };
    let known = world.users.get(&user).is_some_and(|user| !user.bot);
    if !known {
        return Err(Refusal::new(400, 50033, "Invalid Recipient(s)"));
    }
    let channel = world.direct(user);
    Ok(Reply::with(objects::channel(
        world,
        &world.channels[&channel],
    )))
}

fn channel(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let channel = world.channel(call.id(0)?)?;
    Ok(Reply::with(objects::channel(world, channel)))
}

fn history(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let channel = call.id(0)?;
    let found = posts::history(world, channel, &call.query)?;
    let messages = &world.channels[&channel].messages;
    let content = content(world);
    let list = found
        .iter()
        .map(|id| objects::message(world, &messages[id], content));
    Ok(Reply::with(list.collect()))
}

fn post(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let channel = call.id(0)?;
    world.channel(channel)?;
    let post = posts::read(&call.body, &call.files, Allowed::all())?;
    posts::shows_something(&post)?;
    let id = posts::create(world, channel, &call.body, post)?;
    let message = &world.channels[&channel].messages[&id];
    let body = objects::new_message(world, message, content(world));
    Ok(Reply::with(body))
}

fn shown(world: &World, channel: Id, id: Id) -> Result<Reply, Refusal> {
    let message = &world.channels[&channel].messages[&id];
    Ok(Reply::with(objects::message(
        world,
        message,
        content(world),
    )))
}

fn message(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let (channel, id) = (call.id(0)?, call.id(1)?);
    posts::may_read(world, channel)?;
    world.message(channel, id)?;
    shown(world, channel, id)
}

fn edit(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let (channel, id) = (call.id(0)?, call.id(1)?);
    posts::edit(world, (channel, id), &call.body, &call.files)?;
    shown(world, channel, id)
}

fn delete(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    posts::delete(world, call.id(0)?, call.id(1)?)?;
    Ok(Reply::nothing())
}

fn react(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let (channel, id) = (call.id(0)?, call.id(1)?);
    posts::may_read(world, channel)?;
    world.message(channel, id)?;
    let emoji = emoji(&call.names[2])?;
    let bot = world.bot;
    let may = permissions::within(world, bot, &world.channels[&channel]);
    let message = world.channels.get_mut(&channel).unwrap();
    let message = message.messages.get_mut(&id).unwrap();
    if let Some((_, by)) = message.reactions.iter_mut().find(|(it, _)| *it == emoji) {
        if !by.contains(&bot) {
            by.push(bot);
        }
    } else if may & ADD_REACTIONS == 0 {
        return Err(missing_permissions());
    } else {
        message.reactions.push((emoji, vec![bot]));
    }
    Ok(Reply::nothing())
}

fn unreact(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let (channel, id) = (call.id(0)?, call.id(1)?);
    world.message(channel, id)?;
    let emoji = emoji(&call.names[2])?;
    let bot = world.bot;
    let channel = world.channels.get_mut(&channel).unwrap();
    let reactions = &mut channel.messages.get_mut(&id).unwrap().reactions;
    for (_, by) in reactions.iter_mut().filter(|(it, _)| *it == emoji) {
        by.retain(|one| *one != bot);
    }
    reactions.retain(|(_, by)| !by.is_empty());
    Ok(Reply::nothing())
}

/// An emoji of Unicode; this guild has none of its own.
fn emoji(name: &str) -> Result<String, Refusal> {
    let query = format!("emoji={name}");
    let name = url::form_urlencoded::parse(query.as_bytes())
        .next()
        .map_or_else(String::new, |(_, name)| name.into_owned());
    if name.is_empty() || name.chars().any(|letter| letter.is_ascii_alphabetic()) {
        return Err(Refusal::new(400, 10014, "Unknown Emoji"));
    }
    Ok(name)
}

fn typing(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let channel = call.id(0)?;
    let here = world.channel(channel)?;
    let may = permissions::within(world, world.bot, here);
    let writes = permissions::SEND_MESSAGES | permissions::SEND_MESSAGES_IN_THREADS;
    if may & writes == 0 {
        return Err(missing_permissions());
    }
    let now = world.clock.now();
    world.record.typing.push((channel, now));
    events::typing(world, channel, world.bot);
    Ok(Reply::nothing())
}

fn guild(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let guild = world.guild(call.id(0)?)?;
    Ok(Reply::with(objects::guild(world, guild)))
}

/// All channels, also those that the bot may not see; no threads.
fn channels(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let guild = world.guild(call.id(0)?)?.id;
    let list = world
        .channels
        .values()
        .filter(|channel| channel.guild == Some(guild) && channel.thread.is_none())
        .map(|channel| objects::channel(world, channel));
    Ok(Reply::with(list.collect()))
}

fn roles(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    Ok(Reply::with(objects::roles(world.guild(call.id(0)?)?)))
}

fn member(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let user = call.id(1)?;
    let guild = world.guild(call.id(0)?)?;
    if !world.users.contains_key(&user) {
        return Err(unknown(10013));
    }
    if !guild.members.contains_key(&user) {
        return Err(unknown(10007));
    }
    Ok(Reply::with(objects::member(world, guild, user)))
}

/// Only for bots whose `GUILD_MEMBERS` intent is switched on.
fn members(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let guild = world.guild(call.id(0)?)?;
    if world.settings.privileged & GUILD_MEMBERS == 0 {
        return Err(missing_access());
    }
    let number = |key: &str| call.query.get(key).and_then(|number| number.parse().ok());
    let limit = number("limit").unwrap_or(1);
    if !(1..=1_000).contains(&limit) {
        let mut form = Form::default();
        let message = "int value should be between 1 and 1000.";
        form.slip("limit", "NUMBER_TYPE_MAX", message);
        return Err(form.done().unwrap_err());
    }
    let after = number("after").unwrap_or(0);
    let page = guild.members.range(after + 1..);
    let page = page.take(usize::try_from(limit).unwrap());
    Ok(listed(
        page.map(|(id, _)| objects::member(world, guild, *id)),
    ))
}

/// The application in the path must be the bot's own.
pub(crate) fn own(world: &World, call: &Call) -> Result<(), Refusal> {
    if call.id(0)? == world.bot {
        Ok(())
    } else {
        Err(unauthorized())
    }
}

pub(crate) fn listed(list: impl Iterator<Item = Value>) -> Reply {
    Reply::with(list.collect())
}
