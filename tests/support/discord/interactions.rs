//! Interactions: a person presses or asks, the bot has three seconds to say something and
//! fifteen minutes to say the rest.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::clock::Id;
use super::components;
use super::events;
use super::files::LARGEST_FILE;
use super::mentions::Allowed;
use super::objects::{self, Content};
use super::permissions;
use super::posts::{self, Post, Said};
use super::refusal::{Form, Refusal, unknown};
use super::rest::{Call, Reply};
use super::world::{EPHEMERAL, LOADING, MessageKind, SUPPRESS_EMBEDS, World};

const FIRST_ANSWER: TimeDelta = TimeDelta::seconds(3);
const LAST_ANSWER: TimeDelta = TimeDelta::minutes(15);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Command = 2,
    Component = 3,
    Autocomplete = 4,
    Modal = 5,
}

pub(crate) struct Interaction {
    pub(crate) id: Id,
    pub(crate) token: String,
    pub(crate) kind: Kind,
    pub(crate) by: Id,
    pub(crate) channel: Id,
    pub(crate) at: DateTime<Utc>,
    /// The name of a command, if it is one.
    pub(crate) command: Option<String>,
    /// The message whose button was pressed.
    pub(crate) message: Option<Id>,
    pub(crate) state: State,
    /// The first answer.
    pub(crate) original: Option<Id>,
    pub(crate) follow_ups: Vec<Id>,
    pub(crate) choices: Option<Vec<Value>>,
    pub(crate) modal: Option<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Waiting,
    /// Somebody is told that the bot is thinking.
    Deferred,
    Answered,
}

/// What a person does.
pub(crate) struct Asked {
    pub(crate) by: Id,
    pub(crate) channel: Id,
    pub(crate) kind: Kind,
    pub(crate) body: Value,
    pub(crate) command: Option<String>,
    pub(crate) message: Option<Id>,
}

/// A person asks; the bot is told.
pub(crate) fn ask(world: &mut World, asked: Asked) -> Id {
    let id = world.clock.snowflake();
    let token = hex::encode(Sha256::digest(id.to_le_bytes()));
    let body = written(world, (id, &token), &asked);
    world.interactions.insert(
        id,
        Interaction {
            id,
            token,
            kind: asked.kind,
            by: asked.by,
            channel: asked.channel,
            at: world.clock.now(),
            command: asked.command,
            message: asked.message,
            state: State::Waiting,
            original: None,
            follow_ups: Vec::new(),
            choices: None,
            modal: None,
        },
    );
    events::interaction_created(world, body);
    id
}

fn written(world: &World, (id, token): (Id, &str), asked: &Asked) -> Value {
    let channel = &world.channels[&asked.channel];
    let may = |user| permissions::within(world, user, channel).to_string();
    let mut place = objects::channel(world, channel);
    place["permissions"] = json!(may(asked.by));
    let mut body = json!({
        "id": id.to_string(),
        "application_id": world.bot.to_string(),
        "type": asked.kind as u8,
        "data": asked.body,
        "channel": place,
        "channel_id": channel.id.to_string(),
        "token": token,
        "version": 1,
        "app_permissions": may(world.bot),
        "locale": "en-US",
        "entitlements": [],
        "authorizing_integration_owners": {},
        "context": u8::from(channel.guild.is_none()),
        "attachment_size_limit": LARGEST_FILE,
    });
    let user = objects::user(&world.users[&asked.by]);
    if let Some(guild) = channel.guild {
        body["guild_id"] = json!(guild.to_string());
        body["guild"] = json!({ "id": guild.to_string(), "locale": "en-US", "features": [] });
        body["guild_locale"] = json!("en-US");
        body["authorizing_integration_owners"] = json!({ "0": guild.to_string() });
        let mut member = objects::partial_member(&world.guilds[&guild].members[&asked.by]);
        member["user"] = user;
        member["permissions"] = json!(may(asked.by));
        body["member"] = member;
    } else {
        body["authorizing_integration_owners"] = json!({ "0": "0" });
        body["user"] = user;
    }
    if let Some(message) = asked.message {
        let message = &channel.messages[&message];
        body["message"] = objects::message(world, message, Content::Open);
    }
    body
}

/// The first answer.
pub(crate) fn respond(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let id = call.id(0)?;
    let now = world.clock.now();
    let asked = world
        .interactions
        .get(&id)
        .filter(|asked| asked.token == call.names[1] && now - asked.at <= FIRST_ANSWER)
        .ok_or_else(|| unknown(10062))?;
    if asked.state != State::Waiting {
        let message = "Interaction has already been acknowledged.";
        return Err(Refusal::new(400, 40060, message));
    }
    let callback = fitting(asked, &call.body)?;
    match callback {
        4 => answer(world, id, call)?,
        5 => defer(world, id, &call.body["data"]),
        7 => update(world, id, call)?,
        8 => choose(world, id, &call.body["data"])?,
        9 => show_modal(world, id, &call.body["data"])?,
        _ => {},
    }
    let asked = world.interactions.get_mut(&id).unwrap();
    asked.state = if callback == 5 {
        State::Deferred
    } else {
        State::Answered
    };
    if [6, 7].contains(&callback) {
        asked.original = asked.message;
    }
    if call.query.get("with_response").map(String::as_str) != Some("true") {
        return Ok(Reply::nothing());
    }
    Ok(Reply::with(responded(world, id, callback)))
}

/// The type of an answer, if it fits what was asked.
fn fitting(asked: &Interaction, body: &Value) -> Result<u64, Refusal> {
    let callback = body["type"].as_u64().unwrap_or(0);
    let fits = match asked.kind {
        Kind::Command => matches!(callback, 4 | 5 | 9),
        Kind::Component => matches!(callback, 4..=7 | 9),
        Kind::Autocomplete => callback == 8,
        Kind::Modal => matches!(callback, 4 | 5) || (asked.message.is_some() && callback <= 7),
    };
    if fits && callback != 0 {
        return Ok(callback);
    }
    let mut form = Form::default();
    let message = "Value is not a valid answer to this interaction.";
    form.slip("type", "BASE_TYPE_CHOICES", message);
    Err(form.done().unwrap_err())
}

fn responded(world: &World, id: Id, callback: u64) -> Value {
    let asked = &world.interactions[&id];
    let mut body = json!({
        "interaction": {
            "id": id.to_string(),
            "type": asked.kind as u8,
            "channel_id": asked.channel.to_string(),
            "response_message_loading": asked.state == State::Deferred,
            "response_message_ephemeral": false,
        },
    });
    let original = asked
        .original
        .and_then(|it| world.channels[&asked.channel].messages.get(&it));
    if let Some(message) = original {
        body["interaction"]["response_message_id"] = json!(message.id.to_string());
        body["interaction"]["response_message_ephemeral"] = json!(message.only_for.is_some());
        body["resource"] = json!({
            "type": callback,
            "message": objects::message(world, message, Content::Open),
        });
    }
    body
}

fn answer(world: &mut World, id: Id, call: &Call) -> Result<(), Refusal> {
    let said = &call.body["data"];
    let read = posts::read(said, &call.files, Allowed::only_users());
    let post = read.map_err(|refusal| within("data", refusal))?;
    posts::shows_something(&post)?;
    let message = put(world, id, post);
    world.interactions.get_mut(&id).unwrap().original = Some(message);
    Ok(())
}

/// A refusal whose slips stand inside `field`.
fn within(field: &str, mut refusal: Refusal) -> Refusal {
    refusal.errors = refusal.errors.map(|errors| json!({ field: errors }));
    refusal
}

/// Puts an answer into the channel, or before the eyes of the one who asked.
fn put(world: &mut World, id: Id, mut post: Post) -> Id {
    let asked = &world.interactions[&id];
    let private = post.flags & EPHEMERAL != 0;
    post.flags &= EPHEMERAL | SUPPRESS_EMBEDS | LOADING;
    let first = asked.state == State::Waiting;
    let kind = match asked.kind {
        Kind::Command if first && asked.message.is_none() => MessageKind::ChatInputCommand,
        Kind::Command if first => MessageKind::ContextMenuCommand,
        Kind::Command | Kind::Component | Kind::Autocomplete | Kind::Modal => {
            MessageKind::Default
        },
    };
    let channel = asked.channel;
    let said = Said {
        by: world.bot,
        kind,
        interaction: Some(id),
        only_for: private.then_some(asked.by),
    };
    posts::put(world, channel, post, said)
}

fn defer(world: &mut World, id: Id, said: &Value) {
    let flags = said["flags"].as_u64().unwrap_or(0) & EPHEMERAL;
    let post = Post {
        flags: flags | LOADING,
        ..Post::default()
    };
    let message = put(world, id, post);
    world.interactions.get_mut(&id).unwrap().original = Some(message);
}

fn update(world: &mut World, id: Id, call: &Call) -> Result<(), Refusal> {
    let asked = &world.interactions[&id];
    let Some(message) = asked.message else {
        return Err(unknown(10008));
    };
    let place = (asked.channel, message);
    let how = (&*call.files, Allowed::only_users());
    posts::change(world, place, &call.body["data"], how)
        .map_err(|refusal| within("data", refusal))
}

fn choose(world: &mut World, id: Id, said: &Value) -> Result<(), Refusal> {
    let mut form = Form::default();
    let choices = form.list((said, "choices"), "data", 25);
    for (place, choice) in choices.iter().enumerate() {
        let at = format!("data.choices.{place}");
        if form.text((choice, "name"), &at, (1, 100)).is_none() {
            form.required(&format!("{at}.name"));
        }
        let value = &choice["value"];
        if let Some(value) = value.as_str() {
            form.length(&format!("{at}.value"), value, (1, 100));
        } else if !value.is_number() {
            form.required(&format!("{at}.value"));
        }
    }
    let choices = choices.to_vec();
    form.done()?;
    world.interactions.get_mut(&id).unwrap().choices = Some(choices);
    Ok(())
}

fn show_modal(world: &mut World, id: Id, said: &Value) -> Result<(), Refusal> {
    let mut form = Form::default();
    components::checked_modal(said, &mut form);
    form.done()?;
    world.interactions.get_mut(&id).unwrap().modal = Some(said.clone());
    Ok(())
}

/// The interaction that a webhook's path names, while its token holds.
fn by_token(world: &World, call: &Call) -> Result<Id, Refusal> {
    if call.id(0)? != world.bot {
        return Err(unknown(10015));
    }
    let now = world.clock.now();
    let token = &call.names[1];
    let found = world
        .interactions
        .values()
        .rev()
        .find(|asked| asked.token == *token && now - asked.at <= LAST_ANSWER)
        .ok_or_else(|| Refusal::new(401, 50027, "Invalid Webhook Token"))?;
    if found.state == State::Waiting {
        return Err(unknown(10015));
    }
    Ok(found.id)
}

/// Where the first answer stands.
fn place_of_original(world: &World, id: Id) -> Result<(Id, Id), Refusal> {
    let asked = &world.interactions[&id];
    let there = |message: &Id| {
        world.channels[&asked.channel]
            .messages
            .contains_key(message)
    };
    let message = asked.original.filter(there).ok_or_else(|| unknown(10008))?;
    Ok((asked.channel, message))
}

fn shown(world: &World, (channel, message): (Id, Id)) -> Reply {
    let message = &world.channels[&channel].messages[&message];
    Reply::with(objects::message(world, message, Content::Open))
}

pub(crate) fn original(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let id = by_token(world, call)?;
    let place = place_of_original(world, id)?;
    Ok(shown(world, place))
}

pub(crate) fn edit_original(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let id = by_token(world, call)?;
    let place = place_of_original(world, id)?;
    let how = (&*call.files, Allowed::only_users());
    posts::change(world, place, &call.body, how)?;
    world.interactions.get_mut(&id).unwrap().state = State::Answered;
    Ok(shown(world, place))
}

pub(crate) fn delete_original(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let id = by_token(world, call)?;
    let (channel, message) = place_of_original(world, id)?;
    posts::remove(world, channel, message);
    world.interactions.get_mut(&id).unwrap().state = State::Answered;
    Ok(Reply::nothing())
}

pub(crate) fn follow_up(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let id = by_token(world, call)?;
    // Straight after a deferral this edits the original, as it did of old.
    if world.interactions[&id].state == State::Deferred {
        return edit_original(world, call);
    }
    let post = posts::read(&call.body, &call.files, Allowed::only_users())?;
    posts::shows_something(&post)?;
    let message = put(world, id, post);
    let asked = world.interactions.get_mut(&id).unwrap();
    asked.follow_ups.push(message);
    let place = (asked.channel, message);
    Ok(shown(world, place))
}

fn place_of_follow_up(world: &World, call: &Call) -> Result<(Id, Id), Refusal> {
    let asked = &world.interactions[&by_token(world, call)?];
    let message = call.id(2)?;
    let own = asked.follow_ups.contains(&message) || asked.original == Some(message);
    let there = world.channels[&asked.channel]
        .messages
        .contains_key(&message);
    if own && there {
        Ok((asked.channel, message))
    } else {
        Err(unknown(10008))
    }
}

pub(crate) fn followed_up(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let place = place_of_follow_up(world, call)?;
    Ok(shown(world, place))
}

pub(crate) fn edit_follow_up(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let place = place_of_follow_up(world, call)?;
    let how = (&*call.files, Allowed::only_users());
    posts::change(world, place, &call.body, how)?;
    Ok(shown(world, place))
}

pub(crate) fn delete_follow_up(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let (channel, message) = place_of_follow_up(world, call)?;
    posts::remove(world, channel, message);
    Ok(Reply::nothing())
}

impl Interaction {
    /// Whether the one who asked is told that the bot did not answer.
    pub(crate) fn failed(&self, now: DateTime<Utc>) -> bool {
        self.state == State::Waiting && now - self.at > FIRST_ANSWER
    }
}
