//! What the app is told of: by its subscriptions, its scopes and where it is.

use serde_json::{Value, json};

use super::clock::Id;
use super::objects::{self, Metadata};
use super::post;
use super::world::{Channel, Kind, Message, Subtype, Switch, World};

/// All events of the Events API that the fake sends, with a scope of which one is needed.
pub(crate) const EVENTS: &[(&str, &str)] = &[
    ("app_mention", "app_mentions:read"),
    ("message.channels", "channels:history"),
    ("message.groups", "groups:history"),
    ("message.im", "im:history"),
    ("message.mpim", "mpim:history"),
    ("assistant_thread_started", "assistant:write"),
    ("assistant_thread_context_changed", "assistant:write"),
    ("app_home_opened", ""),
    ("file_shared", "files:read"),
    ("member_joined_channel", "channels:read"),
    ("channel_id_changed", "channels:read"),
    ("app_uninstalled", ""),
    ("tokens_revoked", ""),
];

/// The workspace whose bot hears what happens in `channel`.
pub(crate) fn hearer(world: &World, channel: &Channel) -> Option<Id> {
    let teams = std::iter::once(&channel.team).chain(&channel.shared);
    let mut teams = teams.filter_map(|team| world.teams.get(team));
    teams
        .find(|team| channel.members.contains(&team.bot.user))
        .map(|team| team.id.clone())
}

/// Sends `event` to the app in `team`, if it is subscribed and may know.
pub(crate) fn tell(world: &mut World, team: &str, name: &str, event: &Value) {
    let needed = EVENTS
        .iter()
        .find(|(one, _)| *one == name)
        .map_or("", |(_, scope)| *scope);
    let bot = &world.teams[team].bot;
    let may = needed.is_empty() || bot.scopes.contains(needed);
    if !may || !world.app.events.contains(name) {
        return;
    }
    let payload = callback(world, team, event);
    post::send_event(world, payload);
}

/// The event in its envelope.
fn callback(world: &mut World, team: &str, event: &Value) -> Value {
    let id = world.clock.id("Ev");
    let at = world.clock.now().timestamp();
    let home = &world.teams[team];
    let place = event["channel"]
        .as_str()
        .and_then(|id| world.channels.get(id));
    let shared = place.is_some_and(|channel| !channel.shared.is_empty());
    let mut payload = json!({
        "token": world.app.verification,
        "team_id": team,
        "context_team_id": team,
        "context_enterprise_id": home.enterprise,
        "api_app_id": world.app.id,
        "event": event,
        "type": "event_callback",
        "event_id": id,
        "event_time": at,
        "authorizations": [{
            "enterprise_id": home.enterprise,
            "team_id": team,
            "user_id": home.bot.user,
            "is_bot": true,
            "is_enterprise_install": false,
        }],
        "is_ext_shared_channel": shared,
        "event_context": format!("4-{id}"),
    });
    if let Some(enterprise) = &home.enterprise {
        payload["enterprise_id"] = json!(enterprise);
    }
    payload
}

fn subscription(kind: Kind) -> &'static str {
    match kind {
        Kind::Public => "message.channels",
        Kind::Private => "message.groups",
        Kind::Direct => "message.im",
        Kind::Group => "message.mpim",
    }
}

/// Somebody said something.
pub(crate) fn said(world: &mut World, channel: &str, ts: &str) {
    let here = &world.channels[channel];
    let message = here.messages[ts].clone();
    let Some(team) = hearer(world, here) else {
        return;
    };
    let kind = here.kind;
    let own = message.author == world.teams[&team].bot.user;
    if own && world.settings.echoes == Switch::Off {
        return;
    }
    let called = !own && calls(world, &team, &message.text);
    let event = described(world, &team, &message);
    let doubled = world.settings.doubles == Switch::On || !called || kind == Kind::Direct;
    // Which of the two comes first is chance.
    let late = message.ts.ends_with(['1', '3', '5', '7', '9']);
    if doubled && !late {
        tell(world, &team, subscription(kind), &event);
    }
    if called && kind != Kind::Direct {
        mentioned(world, &team, &event);
    }
    if doubled && late {
        tell(world, &team, subscription(kind), &event);
    }
    for file in &message.files {
        let shared = json!({
            "type": "file_shared",
            "file_id": file,
            "user_id": message.author,
            "file": { "id": file },
            "channel_id": channel,
            "event_ts": message.ts,
        });
        tell(world, &team, "file_shared", &shared);
    }
}

fn calls(world: &World, team: &str, text: &str) -> bool {
    text.contains(&format!("<@{}>", world.teams[team].bot.user))
}

/// The event of a message.
fn described(world: &World, team: &str, message: &Message) -> Value {
    let channel = &world.channels[&message.channel];
    let mut event = objects::message(world, message, team, Metadata::Shown);
    event["channel"] = json!(message.channel);
    event["channel_type"] = json!(channel.kind_name());
    event["event_ts"] = json!(message.ts);
    if !channel.shared.is_empty() {
        event["user_team"] = event["team"].clone();
        event["source_team"] = event["team"].clone();
    }
    event
}

fn mentioned(world: &mut World, team: &str, message: &Value) {
    let mut event = message.clone();
    event["type"] = json!("app_mention");
    let fields = event.as_object_mut().unwrap();
    // It says less of where it was said than a message does.
    for key in ["channel_type", "subtype", "parent_user_id"] {
        fields.remove(key);
    }
    tell(world, team, "app_mention", &event);
}

/// A message was changed, from what it was `before`.
pub(crate) fn changed(world: &mut World, channel: &str, before: &Message) {
    let here = &world.channels[channel];
    let Some(team) = hearer(world, here) else {
        return;
    };
    let own = before.author == world.teams[&team].bot.user;
    if own && world.settings.echoes == Switch::Off {
        return;
    }
    let (kind, kind_name) = (here.kind, here.kind_name());
    let after = here.messages[&before.ts].clone();
    let object = objects::message(world, &after, &team, Metadata::Shown);
    let was = objects::message(world, before, &team, Metadata::Shown);
    let at = world.clock.ts();
    let event = json!({
        "type": "message",
        "subtype": "message_changed",
        "hidden": true,
        "channel": channel,
        "channel_type": kind_name,
        "ts": at,
        "event_ts": at,
        "message": object,
        "previous_message": was,
    });
    tell(world, &team, subscription(kind), &event);
    let newly = calls(world, &team, &after.text) && !calls(world, &team, &before.text);
    if newly && !own && kind != Kind::Direct {
        let mut event = described(world, &team, &after);
        event["event_ts"] = json!(at);
        mentioned(world, &team, &event);
    }
}

pub(crate) fn deleted(world: &mut World, channel: &str, before: &Message) {
    let here = &world.channels[channel];
    let Some(team) = hearer(world, here) else {
        return;
    };
    let own = before.author == world.teams[&team].bot.user;
    if own && world.settings.echoes == Switch::Off || before.subtype == Subtype::Tombstone {
        return;
    }
    let (kind, kind_name) = (here.kind, here.kind_name());
    let was = objects::message(world, before, &team, Metadata::Shown);
    let at = world.clock.ts();
    let event = json!({
        "type": "message",
        "subtype": "message_deleted",
        "hidden": true,
        "channel": channel,
        "channel_type": kind_name,
        "ts": at,
        "event_ts": at,
        "deleted_ts": before.ts,
        "previous_message": was,
    });
    tell(world, &team, subscription(kind), &event);
}

/// Somebody came into a channel; it may be the bot.
pub(crate) fn joined(world: &mut World, channel: &str, user: &str) {
    let here = &world.channels[channel];
    let Some(team) = hearer(world, here) else {
        return;
    };
    let kind = if here.kind == Kind::Public { "C" } else { "G" };
    let at = world.clock.ts();
    let event = json!({
        "type": "member_joined_channel",
        "user": user,
        "channel": channel,
        "channel_type": kind,
        "team": team,
        "event_ts": at,
    });
    tell(world, &team, "member_joined_channel", &event);
}

/// Somebody began to talk with the assistant, or looks at another channel while doing so.
pub(crate) fn assistant(world: &mut World, name: &str, (channel, thread): (&str, &str)) {
    let key = (channel.to_owned(), thread.to_owned());
    let begun = &world.threads[&key];
    let (user, looked_at) = (begun.user.clone(), begun.context.clone());
    let Some(team) = hearer(world, &world.channels[channel]) else {
        return;
    };
    let mut context = json!({});
    if let Some(looked_at) = looked_at {
        context = json!({
            "channel_id": looked_at,
            "team_id": team,
            "enterprise_id": world.teams[&team].enterprise,
        });
    }
    let event = json!({
        "type": name,
        "assistant_thread": {
            "user_id": user,
            "context": context,
            "channel_id": channel,
            "thread_ts": thread,
        },
        "event_ts": world.clock.ts(),
    });
    tell(world, &team, name, &event);
}

/// A channel has another id from now on, as it may when it is shared.
pub(crate) fn renamed(world: &mut World, old: &str, new: &str) {
    let Some(team) = hearer(world, &world.channels[new]) else {
        return;
    };
    let event = json!({
        "type": "channel_id_changed",
        "old_channel_id": old,
        "new_channel_id": new,
        "event_ts": world.clock.ts(),
    });
    tell(world, &team, "channel_id_changed", &event);
}

/// The app was taken out of a workspace.
pub(crate) fn uninstalled(world: &mut World, team: &str) {
    let bot = world.teams[team].bot.user.clone();
    let revoked = json!({
        "type": "tokens_revoked",
        "tokens": { "oauth": [], "bot": [bot] },
        "event_ts": world.clock.ts(),
    });
    tell(world, team, "tokens_revoked", &revoked);
    let gone = json!({ "type": "app_uninstalled", "event_ts": world.clock.ts() });
    tell(world, team, "app_uninstalled", &gone);
}
