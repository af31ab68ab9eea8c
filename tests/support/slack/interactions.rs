//! What people do to the app: run its commands, press its buttons, send its forms.
//!
//! The app has three seconds to acknowledge; then the person is told that it failed.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::arguments::Arguments;
use super::clock::{Id, Ts};
use super::hooks;
use super::objects::{self, Metadata};
use super::post::{self, Kind};
use super::refusal::{Refusal, refuse};
use super::views;
use super::world::{self, World};

/// How long a trigger can be exchanged for a view.
const TRIGGER: TimeDelta = TimeDelta::seconds(3);

pub(crate) struct Interaction {
    pub(crate) id: Id,
    pub(crate) by: Id,
    pub(crate) team: Id,
    pub(crate) at: DateTime<Utc>,
    pub(crate) what: What,
    pub(crate) channel: Option<Id>,
    pub(crate) message: Option<Ts>,
    /// The view in which it was done.
    pub(crate) view: Option<Id>,
    pub(crate) state: State,
    pub(crate) trigger: String,
    pub(crate) exchanged: bool,
    /// The path of its `response_url`.
    pub(crate) hook: Option<String>,
    /// What the app acknowledged it with.
    pub(crate) answer: Option<Value>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The command, with its slash, and the words after it.
    Command(String, String),
    Press,
    Shortcut,
    Submission,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Open,
    Acknowledged,
    Failed,
}

/// Something that somebody does.
pub(crate) struct Asked {
    pub(crate) by: Id,
    pub(crate) team: Id,
    pub(crate) what: What,
    pub(crate) channel: Option<Id>,
    pub(crate) message: Option<Ts>,
    pub(crate) view: Option<Id>,
    /// What is said of it beside what is said of all.
    pub(crate) more: Value,
}

/// Sends what somebody did; its id.
pub(crate) fn ask(world: &mut World, asked: Asked) -> Id {
    let id = world.clock.id("I");
    let now = world.clock.now();
    let secret = world.clock.letters(16).to_lowercase();
    let millis = now.timestamp_millis();
    let trigger = format!("{millis}.{}.{secret}", world.interactions.len() + 1);
    let hook = asked
        .channel
        .as_ref()
        .filter(|_| asked.what != What::Submission);
    let hook = hook.map(|channel| {
        let place = (&*asked.team, &**channel, &*asked.by);
        hooks::make(world, &id, place, asked.message.clone())
    });
    let payload = payload(world, &asked, (&trigger, hook.as_deref()));
    let kind = match asked.what {
        What::Command(..) => Kind::Command,
        What::Press | What::Shortcut | What::Submission => Kind::Interactive,
    };
    let interaction = Interaction {
        id: id.clone(),
        by: asked.by,
        team: asked.team,
        at: now,
        what: asked.what,
        channel: asked.channel,
        message: asked.message,
        view: asked.view,
        state: State::Open,
        trigger,
        exchanged: false,
        hook,
        answer: None,
    };
    world.interactions.insert(id.clone(), interaction);
    post::send(world, kind, payload, id.clone());
    id
}

fn payload(world: &World, asked: &Asked, (trigger, hook): (&str, Option<&str>)) -> Value {
    let mut object = asked.more.clone();
    let common = match &asked.what {
        What::Command(command, text) => of_command(world, asked, (command, text)),
        What::Press | What::Shortcut | What::Submission => of_others(world, asked),
    };
    let all = json!({
        "token": world.app.verification,
        "api_app_id": world.app.id,
        "trigger_id": trigger,
        "response_url": hook.map(|hook| hooks::url(world, hook)),
    });
    for (key, value) in [common, all].iter().filter_map(Value::as_object).flatten() {
        // Slack says that there is no enterprise, and of the rest nothing.
        if !value.is_null() || key == "enterprise" {
            object[key] = value.clone();
        }
    }
    object
}

fn of_command(world: &World, asked: &Asked, (command, text): (&str, &str)) -> Value {
    let (team, user) = (&world.teams[&asked.team], &world.users[&asked.by]);
    let channel = asked.channel.as_ref().map(|id| &world.channels[id]);
    json!({
        "team_id": team.id,
        "team_domain": team.domain,
        "channel_id": asked.channel,
        "channel_name": channel.map(named),
        "user_id": user.id,
        "user_name": user.name.to_lowercase(),
        "command": command,
        "text": text,
        "is_enterprise_install": "false",
        "enterprise_id": team.enterprise,
    })
}

fn of_others(world: &World, asked: &Asked) -> Value {
    let (team, user) = (&world.teams[&asked.team], &world.users[&asked.by]);
    let name = user.name.to_lowercase();
    let channel = asked.channel.as_ref().map(|id| &world.channels[id]);
    json!({
        "team": { "id": team.id, "domain": team.domain },
        "user": { "id": user.id, "username": name, "name": name, "team_id": user.team },
        "channel": channel.map(|channel| json!({ "id": channel.id, "name": named(channel) })),
        "enterprise": team.enterprise.as_ref().map(|id| json!({ "id": id })),
        "is_enterprise_install": false,
    })
}

/// What the app is told a channel is called.
fn named(channel: &world::Channel) -> String {
    match channel.kind {
        world::Kind::Public => channel.name.clone(),
        world::Kind::Private => "privategroup".to_owned(),
        world::Kind::Direct => "directmessage".to_owned(),
        world::Kind::Group => format!("mpdm-{}", channel.name),
    }
}

/// What is said of a button that was pressed on a message.
pub(crate) fn on_message(
    world: &World,
    team: &str,
    message: &world::Message,
    action: &Value,
) -> Value {
    let quiet = message.only_for.is_some();
    let mut object = json!({
        "type": "block_actions",
        "container": {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": message.channel,
            "is_ephemeral": quiet,
        },
        "state": { "values": {} },
        "actions": [action],
    });
    if let Some(thread) = &message.thread {
        object["container"]["thread_ts"] = json!(thread);
    }
    // Of what one person sees the app is told only where it was.
    if !quiet {
        object["message"] = objects::message(world, message, team, Metadata::Shown);
    }
    object
}

/// The id of what a trigger came with; it is exchanged once, and soon.
pub(crate) fn exchange(world: &mut World, trigger: &str) -> Result<Id, Refusal> {
    let now = world.clock.now();
    let mut all = world.interactions.values_mut();
    let Some(found) = all.find(|one| one.trigger == trigger) else {
        return refuse("invalid_trigger_id");
    };
    if found.exchanged {
        return refuse("exchanged_trigger_id");
    }
    if now - found.at > TRIGGER {
        return refuse("expired_trigger_id");
    }
    found.exchanged = true;
    Ok(found.id.clone())
}

/// The app has acknowledged what somebody did.
pub(crate) fn acknowledged(world: &mut World, id: &str, answer: Option<Value>) {
    let interaction = world.interactions.get_mut(id).unwrap();
    interaction.state = State::Acknowledged;
    interaction.answer.clone_from(&answer);
    let (what, view) = (interaction.what.clone(), interaction.view.clone());
    let hook = interaction.hook.clone();
    match (what, view) {
        (What::Submission, Some(view)) => views::answered(world, &view, answer.as_ref()),
        (What::Command(..), _) => {
            let said = answer.and_then(|answer| answer.as_object().cloned());
            let said = said.filter(|said: &Map<String, Value>| !said.is_empty());
            if let (Some(hook), Some(said)) = (hook, said)
                && let Err(refusal) = hooks::say(world, &hook, &Arguments(said))
            {
                let why = format!("the answer to a command: {}", refusal.error);
                world.record.odd.push(why);
            }
        },
        (What::Press | What::Shortcut | What::Submission, _) => {},
    }
}

pub(crate) fn failed(world: &mut World, id: &str) {
    world.interactions.get_mut(id).unwrap().state = State::Failed;
}
