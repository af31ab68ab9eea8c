//! Conversations: what they are, who is in them, which the bot is in.

use serde_json::{Value, json};

use super::api::missing_scope;
use super::arguments::missing;
use super::chat;
use super::methods::Call;
use super::objects;
use super::refusal::{Refusal, refuse};
use super::world::{Channel, Kind, Rule, World};

/// The channel, if the bot may know that it is there: its own, and public ones.
fn known<'a>(world: &'a World, call: &Call<'_>) -> Result<&'a Channel, Refusal> {
    let named = call.arguments.needed("channel")?;
    let channel = world.channels.get(named);
    let channel = channel.ok_or_else(|| Refusal::new("channel_not_found"))?;
    let needed = format!("{}:read", channel.scope());
    let scopes = &world.teams[&call.team].bot.scopes;
    if !scopes.contains(&needed) {
        return Err(missing_scope(&needed, scopes));
    }
    match chat::reachable(world, &call.team, named) {
        Err(refusal) if refusal.error == "not_in_channel" => Ok(channel),
        other => other,
    }
}

pub(crate) fn info(world: &mut World, call: &Call<'_>) -> Result<Value, Refusal> {
    let channel = known(world, call)?;
    let mut object = objects::channel(world, channel, &call.team);
    if call.arguments.flag("include_num_members") == Some(true) {
        object["num_members"] = json!(channel.members.len());
    }
    Ok(json!({ "channel": object }))
}

/// One page of a list, under its name.
fn page(call: &Call<'_>, name: &str, all: Vec<Value>) -> Result<Value, Refusal> {
    let limit = call.arguments.number("limit").unwrap_or(100);
    if limit == 0 || limit > 1_000 {
        return refuse("invalid_limit");
    }
    let skip: usize = match call.arguments.text("cursor") {
        None | Some("") => 0,
        Some(cursor) => {
            let skip = cursor
                .strip_prefix("skip:")
                .and_then(|skip| skip.parse().ok());
            skip.ok_or_else(|| Refusal::new("invalid_cursor"))?
        },
    };
    let more = all.len() > skip + limit;
    let next = if more {
        format!("skip:{}", skip + limit)
    } else {
        String::new()
    };
    let page: Vec<Value> = all.into_iter().skip(skip).take(limit).collect();
    Ok(json!({ name: page, "response_metadata": { "next_cursor": next } }))
}

pub(crate) fn members(world: &mut World, call: &Call<'_>) -> Result<Value, Refusal> {
    let channel = known(world, call)?;
    let all = channel.members.iter().map(|member| json!(member)).collect();
    page(call, "members", all)
}

pub(crate) fn list(world: &mut World, call: &Call<'_>) -> Result<Value, Refusal> {
    listed(world, call, |channel, bot| {
        channel.kind == Kind::Public || channel.members.contains(bot)
    })
}

pub(crate) fn of_the_bot(world: &mut World, call: &Call<'_>) -> Result<Value, Refusal> {
    listed(world, call, |channel, bot| channel.members.contains(bot))
}

fn listed(
    world: &World,
    call: &Call<'_>,
    wanted: impl Fn(&Channel, &str) -> bool,
) -> Result<Value, Refusal> {
    let types = call.arguments.text("types").unwrap_or("public_channel");
    let mut kinds = Vec::new();
    let team = &world.teams[&call.team];
    for name in types.split(',') {
        let (kind, scope) = match name.trim() {
            "public_channel" => (Kind::Public, "channels:read"),
            "private_channel" => (Kind::Private, "groups:read"),
            "im" => (Kind::Direct, "im:read"),
            "mpim" => (Kind::Group, "mpim:read"),
            _ => return refuse("invalid_types"),
        };
        if !team.bot.scopes.contains(scope) {
            return Err(missing_scope(scope, &team.bot.scopes));
        }
        kinds.push(kind);
    }
    let archived = call.arguments.flag("exclude_archived") != Some(true);
    let all = world.channels.values().filter(|channel| {
        let ours = channel.team == team.id || channel.shared.contains(&team.id);
        ours && kinds.contains(&channel.kind)
            && wanted(channel, &team.bot.user)
            && (archived || !channel.rules.contains(&Rule::Archived))
    });
    let all = all.map(|channel| objects::channel(world, channel, &call.team));
    page(call, "channels", all.collect())
}

pub(crate) fn open(world: &mut World, call: &Call<'_>) -> Result<Value, Refusal> {
    let scopes = &world.teams[&call.team].bot.scopes;
    if !scopes.contains("im:write") {
        return Err(missing_scope("im:write", scopes));
    }
    let whole = call.arguments.flag("return_im") == Some(true);
    let id = if let Some(channel) = call.arguments.text("channel") {
        chat::reachable(world, &call.team, channel)?.id.clone()
    } else {
        let users = call
            .arguments
            .text("users")
            .ok_or_else(|| missing("users"))?;
        let users: Vec<&str> = users.split(',').filter(|user| !user.is_empty()).collect();
        match users[..] {
            [] => return refuse("users_list_not_supplied"),
            [user] if world.users.contains_key(user) => world.direct(&call.team, user),
            [_] => return refuse("user_not_found"),
            _ => return refuse("missing_scope"),
        }
    };
    let channel = &world.channels[&id];
    let object = if whole {
        objects::channel(world, channel, &call.team)
    } else {
        json!({ "id": id })
    };
    Ok(json!({ "channel": object }))
}
