//! People: they write, press, ask and read.
//!
//! A person can do only what their client lets them: run a command that is registered, with the
//! options it has; press a button that is there. Else the test is wrong, and stops.

use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::Town;
use super::clock::Id;
use super::commands::{self, CHAT_INPUT, Command, MESSAGE, SUB_COMMAND};
use super::components;
use super::events;
use super::files::Upload;
use super::guilds::Channel;
use super::interactions::{self, Asked, Kind};
use super::loopback::people::{looks, media_type, named};
use super::loopback::seen::transcript;
use super::loopback::{PATIENCE, give_up};
use super::mentions::Allowed;
use super::objects::{self, Content};
use super::permissions::{self, SEND_MESSAGES, SEND_MESSAGES_IN_THREADS, VIEW_CHANNEL};
use super::posts::{self, Post};
use super::seen::{self, Seen};
use super::threads;
use super::world::{Door, MessageKind, ThreadState, World};

#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) town: Town,
    pub(crate) id: Id,
}

/// Something that was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) channel: Id,
    pub(crate) id: Id,
}

impl From<&Self> for Said {
    fn from(said: &Self) -> Self {
        *said
    }
}

impl From<&Seen> for Said {
    fn from(seen: &Seen) -> Self {
        Self {
            channel: seen.channel,
            id: seen.id,
        }
    }
}

/// A command that was run, a button that was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) id: Id,
}

/// What is given for an option of a command.
#[derive(Clone, Debug)]
pub(crate) enum Given {
    Text(String),
    Integer(i64),
    Number(f64),
    Flag(bool),
    /// A name and what is in the file.
    File(String, Vec<u8>),
    Channel(Id),
    User(Id),
    Role(Id),
}

impl From<&str> for Given {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// Writing.
impl Person {
    /// Says `text`; `@Name` calls whoever has that name, `@saseo` the bot.
    pub(crate) fn says(&self, channel: &Channel, text: &str) -> Said {
        let content = addressed(&self.town.world(), text);
        self.puts(channel.id, content, Vec::new(), None)
    }

    /// Says `text` to the bot.
    pub(crate) fn mentions_bot(&self, channel: &Channel, text: &str) -> Said {
        self.says(channel, &format!("@saseo {text}"))
    }

    /// Replies to a message, and calls its author, as a client does unless told otherwise.
    pub(crate) fn replies_to(&self, said: impl Into<Said>, text: &str) -> Said {
        let said = said.into();
        let content = addressed(&self.town.world(), text);
        self.puts(said.channel, content, Vec::new(), Some(said.id))
    }

    /// Writes to the bot alone.
    pub(crate) fn direct_message(&self, text: &str) -> Said {
        let channel = self.direct_channel();
        let content = addressed(&self.town.world(), text);
        self.puts(channel.id, content, Vec::new(), None)
    }

    pub(crate) fn direct_channel(&self) -> Channel {
        Channel {
            town: Arc::clone(&self.town),
            id: self.town.world().direct(self.id),
        }
    }

    /// Says `text` with files: their names and what is in them.
    pub(crate) fn attaches(
        &self,
        channel: &Channel,
        text: &str,
        files: &[(&str, &[u8])],
    ) -> Said {
        let content = addressed(&self.town.world(), text);
        let files = (0..)
            .zip(files)
            .map(|(number, (name, bytes))| upload(number, name, bytes));
        self.puts(channel.id, content, files.collect(), None)
    }

    fn puts(
        &self,
        channel: Id,
        content: String,
        files: Vec<Upload>,
        reply: Option<Id>,
    ) -> Said {
        let mut world = self.town.world();
        self.may(&world, channel, SEND_MESSAGES | SEND_MESSAGES_IN_THREADS);
        let thread = world.channels[&channel].thread.as_ref();
        if thread.is_some_and(|thread| thread.state == ThreadState::Archived) {
            threads::set(&mut world, channel, ThreadState::Open);
        }
        let post = Post {
            content,
            files,
            reply,
            allowed: Allowed::all(),
            ..Post::default()
        };
        let said = posts::Said {
            by: self.id,
            kind: MessageKind::Default,
            interaction: None,
            only_for: None,
        };
        let id = posts::put(&mut world, channel, post, said);
        drop(world);
        self.town.changed();
        Said { channel, id }
    }

    fn may(&self, world: &World, channel: Id, one_of: u64) {
        let may = permissions::within(world, self.id, &world.channels[&channel]);
        assert!(
            may & one_of != 0,
            "{} may not do that in #{}",
            world.users[&self.id].name,
            world.channels[&channel].name
        );
    }

    pub(crate) fn edits(&self, said: impl Into<Said>, text: &str) {
        let said = said.into();
        let mut world = self.town.world();
        let body = json!({ "content": addressed(&world, text) });
        let place = (said.channel, said.id);
        posts::change(&mut world, place, &body, (&[], Allowed::all())).unwrap();
        drop(world);
        self.town.changed();
    }

    pub(crate) fn deletes(&self, said: impl Into<Said>) {
        let said = said.into();
        posts::remove(&mut self.town.world(), said.channel, said.id);
        self.town.changed();
    }

    /// Types for a while.
    pub(crate) fn types(&self, channel: &Channel) {
        events::typing(&mut self.town.world(), channel.id, self.id);
    }

    pub(crate) fn begins_thread(&self, said: impl Into<Said>, name: &str) -> Channel {
        let said = said.into();
        let place = (said.channel, said.id);
        threads::begin(&mut self.town.world(), place, name, (self.id, 1_440));
        self.town.changed();
        Channel {
            town: Arc::clone(&self.town),
            id: said.id,
        }
    }

    /// Takes no more direct messages from the bot.
    pub(crate) fn shuts_the_door(&self) {
        self.town.world().users.get_mut(&self.id).unwrap().door = Door::Shut;
    }
}

/// Asking.
impl Person {
    /// Runs a command; a subcommand is named with the command before it (`library list`).
    pub(crate) fn runs(&self, channel: &Channel, name: &str, options: &[(&str, Given)]) -> Run {
        self.asks(channel, (name, options), None)
    }

    /// Types into the option `focused` of a command and waits for what is offered; nothing if
    /// the bot is too late.
    pub(crate) async fn completes(
        &self,
        channel: &Channel,
        (name, focused): (&str, &str),
        options: &[(&str, Given)],
    ) -> Option<Vec<(String, Value)>> {
        let run = self.asks(channel, (name, options), Some(focused));
        let patience = Duration::from_secs(3);
        let choices = self.town.wait(patience, || {
            self.town.world().interactions[&run.id].choices.clone()
        });
        let name = |choice: &Value| choice["name"].as_str().unwrap_or("").to_owned();
        let choices = choices.await?.into_iter();
        Some(
            choices
                .map(|one| (name(&one), one["value"].clone()))
                .collect(),
        )
    }

    fn asks(
        &self,
        channel: &Channel,
        (name, options): (&str, &[(&str, Given)]),
        focused: Option<&str>,
    ) -> Run {
        let mut world = self.town.world();
        self.may(&world, channel.id, permissions::USE_APPLICATION_COMMANDS);
        let first = name.split(' ').next().unwrap_or("");
        self.may_run(&world, channel.id, (first, CHAT_INPUT));
        let body = run(&mut world, channel.id, (name, options), focused);
        let asked = Asked {
            by: self.id,
            channel: channel.id,
            kind: if focused.is_some() {
                Kind::Autocomplete
            } else {
                Kind::Command
            },
            body,
            command: Some(name.to_owned()),
            message: None,
        };
        let id = interactions::ask(&mut world, asked);
        drop(world);
        self.town.changed();
        Run { id }
    }

    /// Whether a client would offer this person the command here.
    pub(crate) fn can_run(&self, channel: &Channel, name: &str) -> bool {
        let world = self.town.world();
        let guild = world.channels[&channel.id].guild;
        let found = world.commands.find(guild, name, CHAT_INPUT);
        let found = found.or_else(|| world.commands.find(guild, name, MESSAGE));
        found.is_some_and(|command| self.is_offered(&world, channel.id, command))
    }

    fn is_offered(&self, world: &World, channel: Id, command: &Command) -> bool {
        let channel = &world.channels[&channel];
        let Some(guild) = channel.guild else {
            return command.body["dm_permission"] != false
                && command.body["contexts"]
                    .as_array()
                    .is_none_or(|contexts| contexts.contains(&json!(1)));
        };
        let guild = &world.guilds[&guild];
        let needed = command.body["default_member_permissions"].as_str();
        let needed = needed.and_then(|needed| needed.parse::<u64>().ok());
        let has = permissions::across(guild, self.id);
        // "0" keeps a command for those who may do everything.
        match needed {
            None => true,
            Some(0) => has & permissions::ADMINISTRATOR != 0,
            Some(needed) => has & needed == needed,
        }
    }

    fn may_run(&self, world: &World, channel: Id, (name, kind): (&str, u64)) {
        let guild = world.channels[&channel].guild;
        let found = world.commands.find(guild, name, kind);
        let offered = found.is_some_and(|command| self.is_offered(world, channel, command));
        assert!(
            offered,
            "no command {name} for {}",
            world.users[&self.id].name
        );
    }

    /// Chooses a command from the menu of a message.
    pub(crate) fn runs_on(&self, said: impl Into<Said>, name: &str) -> Run {
        let said = said.into();
        let mut world = self.town.world();
        self.may(&world, said.channel, VIEW_CHANNEL);
        self.may_run(&world, said.channel, (name, MESSAGE));
        let guild = world.channels[&said.channel].guild;
        let found = world.commands.find(guild, name, MESSAGE);
        let command = found.unwrap_or_else(|| give_up(&format!("no menu command {name}")));
        let target = said.id.to_string();
        let message = &world.channels[&said.channel].messages[&said.id];
        // The target can be read without the intent.
        let shown = objects::message(&world, message, Content::Open);
        let body = json!({
            "id": command.id.to_string(),
            "name": name,
            "type": MESSAGE,
            "target_id": target,
            "resolved": { "messages": { target: shown } },
        });
        let asked = Asked {
            by: self.id,
            channel: said.channel,
            kind: Kind::Command,
            body,
            command: Some(name.to_owned()),
            message: None,
        };
        let id = interactions::ask(&mut world, asked);
        drop(world);
        self.town.changed();
        Run { id }
    }

    /// Presses a button, named by what stands on it or by its custom id.
    pub(crate) fn presses(&self, said: impl Into<Said>, button: &str) -> Run {
        let said = said.into();
        let found = |part: &Value| part["label"] == button || part["custom_id"] == button;
        self.uses(said, found, &[])
    }

    /// Chooses from a menu.
    pub(crate) fn chooses(&self, said: impl Into<Said>, menu: &str, values: &[&str]) -> Run {
        self.uses(
            said.into(),
            |part: &Value| part["custom_id"] == menu,
            values,
        )
    }

    fn uses(&self, said: Said, wanted: impl Fn(&Value) -> bool, values: &[&str]) -> Run {
        let mut world = self.town.world();
        let seen = seen::by(&world, self.id, said.channel);
        let message = world.channels[&said.channel].messages.get(&said.id);
        let visible = message.filter(|_| seen.iter().any(|one| one.id == said.id));
        let part = visible
            .and_then(|message| {
                components::parts(&message.components).find(|part| wanted(part))
            })
            .filter(|part| part["disabled"] != true && part["custom_id"].is_string())
            .unwrap_or_else(|| give_up(&format!("not there to use:\n{}", transcript(&seen))));
        let mut body = json!({
            "custom_id": part["custom_id"],
            "component_type": part["type"],
        });
        if part["type"] != components::BUTTON {
            body["values"] = json!(values);
        }
        let asked = Asked {
            by: self.id,
            channel: said.channel,
            kind: Kind::Component,
            body,
            command: None,
            message: Some(said.id),
        };
        let id = interactions::ask(&mut world, asked);
        drop(world);
        self.town.changed();
        Run { id }
    }

    /// Waits for the modal that a command or a button opens, fills it in and sends it.
    #[track_caller]
    pub(crate) fn fills_in(
        &self,
        run: Run,
        texts: &[(&str, &str)],
    ) -> impl Future<Output = Run> {
        let caller = Location::caller();
        async move {
            let modal = || self.town.world().interactions[&run.id].modal.clone();
            let modal = self.town.wait(PATIENCE, modal).await;
            let modal = modal.unwrap_or_else(|| give_up(&format!("{caller}: no modal")));
            self.sends(run, &modal, texts)
        }
    }

    fn sends(&self, run: Run, modal: &Value, texts: &[(&str, &str)]) -> Run {
        let mut world = self.town.world();
        let rows: Vec<Value> = components::parts(modal["components"].as_array().unwrap())
            .map(|part| {
                let text = texts.iter().find(|(id, _)| part["custom_id"] == *id);
                let text = text.map_or("", |(_, text)| text);
                let input = json!({ "type": 4, "id": 2, "custom_id": part["custom_id"], "value": text });
                json!({ "type": 1, "id": 1, "components": [input] })
            })
            .collect();
        let before = &world.interactions[&run.id];
        let asked = Asked {
            by: self.id,
            channel: before.channel,
            kind: Kind::Modal,
            body: json!({ "custom_id": modal["custom_id"], "components": rows }),
            command: None,
            message: before.message,
        };
        let id = interactions::ask(&mut world, asked);
        drop(world);
        self.town.changed();
        Run { id }
    }
}

/// Reading.
impl Person {
    pub(crate) fn sees(&self, channel: &Channel) -> Vec<Seen> {
        seen::by(&self.town.world(), self.id, channel.id)
    }

    /// Whether it says that the bot is typing: for ten seconds, or until it has said something.
    pub(crate) fn sees_typing(&self, channel: &Channel) -> bool {
        let world = self.town.world();
        let mut typing = world.record.typing.iter().rev();
        let Some((_, at)) = typing.find(|(place, _)| *place == channel.id) else {
            return false;
        };
        let mut messages = world.channels[&channel.id].messages.values().rev();
        let said = messages.find(|message| message.author == world.bot);
        let lasts = world.clock.now() - *at < TimeDelta::seconds(10);
        lasts && said.is_none_or(|message| message.at < *at)
    }

    /// Waits until `wanted` is before this person's eyes; fails with what is there instead.
    #[track_caller]
    pub(crate) fn wait_for<T>(
        &self,
        channel: &Channel,
        wanted: impl Fn(&[Seen]) -> Option<T>,
    ) -> impl Future<Output = T> {
        self.wait_within(PATIENCE, channel, wanted)
    }

    #[track_caller]
    pub(crate) fn wait_within<T>(
        &self,
        patience: Duration,
        channel: &Channel,
        wanted: impl Fn(&[Seen]) -> Option<T>,
    ) -> impl Future<Output = T> {
        let said = (Location::caller(), || {
            format!("not seen in #{}", channel.name())
        });
        looks(&self.town, said, patience, || self.sees(channel), wanted)
    }

    /// Waits for the bot's first reply to what was said, whole or not.
    #[track_caller]
    pub(crate) fn reply_to(&self, said: impl Into<Said>) -> impl Future<Output = Seen> {
        let said = said.into();
        let channel = Channel {
            town: Arc::clone(&self.town),
            id: said.channel,
        };
        let what = (Location::caller(), || "no reply".to_owned());
        async move {
            let reply = |seen: &[Seen]| {
                let mut seen = seen.iter();
                seen.find(|one| one.reply_to == Some(said.id)).cloned()
            };
            looks(&self.town, what, PATIENCE, || self.sees(&channel), reply).await
        }
    }
}

/// `text` with names turned into mentions; the longest name counts.
fn addressed(world: &World, text: &str) -> String {
    let users = world.users.values();
    let mut names: Vec<(String, String)> = users
        .map(|user| (format!("@{}", user.name), format!("<@{}>", user.id)))
        .collect();
    for guild in world.guilds.values() {
        let roles = guild.roles.values().filter(|role| role.id != guild.id);
        names.extend(roles.map(|role| (format!("@{}", role.name), format!("<@&{}>", role.id))));
    }
    named(text, names)
}

fn upload(number: u64, name: &str, bytes: &[u8]) -> Upload {
    let kind = media_type(name);
    let charset = if kind.starts_with("text/") {
        "; charset=utf-8"
    } else {
        ""
    };
    Upload {
        number,
        name: name.to_owned(),
        content_type: format!("{kind}{charset}"),
        bytes: Arc::new(bytes.to_vec()),
    }
}

/// What a client sends when somebody runs a command.
fn run(
    world: &mut World,
    channel: Id,
    (name, options): (&str, &[(&str, Given)]),
    focused: Option<&str>,
) -> Value {
    let guild = world.channels[&channel].guild;
    let mut words = name.split(' ');
    let first = words.next().unwrap_or("");
    let found = world.commands.find(guild, first, CHAT_INPUT);
    let command = found.unwrap_or_else(|| give_up(&format!("no command /{first}")));
    let (id, mut form) = (command.id, command.body.clone());
    let mut path = Vec::new();
    for word in words {
        let options = form["options"].as_array().cloned().unwrap_or_default();
        let inner = options.into_iter().find(|option| option["name"] == word);
        form = inner.unwrap_or_else(|| give_up(&format!("no subcommand {word} in /{name}")));
        path.push((form["name"].clone(), form["type"].clone()));
    }
    let mut resolved = json!({});
    let mut given = fill(world, channel, (&form, options), (focused, &mut resolved));
    for (name, kind) in path.into_iter().rev() {
        given = vec![json!({ "name": name, "type": kind, "options": given })];
    }
    let mut body = json!({ "id": id.to_string(), "name": first, "type": CHAT_INPUT });
    if !given.is_empty() {
        body["options"] = json!(given);
    }
    if resolved != json!({}) {
        body["resolved"] = resolved;
    }
    if let Some(guild) = guild.filter(|_| {
        world
            .commands
            .all()
            .any(|it| it.id == id && it.guild.is_some())
    }) {
        body["guild_id"] = json!(guild.to_string());
    }
    body
}

/// The options of a command with what was given for them; what a client would not let pass
/// stops the test.
fn fill(
    world: &mut World,
    channel: Id,
    (form, options): (&Value, &[(&str, Given)]),
    (focused, resolved): (Option<&str>, &mut Value),
) -> Vec<Value> {
    let declared = form["options"].as_array().cloned().unwrap_or_default();
    let mut filled = Vec::new();
    for (name, given) in options {
        let found = declared.iter().find(|option| option["name"] == *name);
        let option = found.unwrap_or_else(|| give_up(&format!("no option {name}: {form}")));
        let value = value(world, channel, given, resolved);
        if focused.is_none() {
            fits(option, &value);
        }
        let mut option = json!({ "name": name, "type": option["type"], "value": value });
        if focused == Some(name) {
            option["focused"] = json!(true);
        }
        filled.push(option);
    }
    for option in &declared {
        let nested = option["type"]
            .as_u64()
            .is_some_and(|kind| kind <= SUB_COMMAND + 1);
        let missing = !options.iter().any(|(name, _)| option["name"] == *name);
        let needed = option["required"] == true || nested;
        assert!(
            !(missing && needed) || focused.is_some(),
            "not given: {option}"
        );
    }
    filled
}

fn fits(option: &Value, value: &Value) {
    let kind = option["type"].as_u64().unwrap_or(0);
    if let Some(text) = value.as_str().filter(|_| kind == commands::STRING) {
        let length = u64::try_from(text.chars().count()).unwrap();
        let most = option["max_length"].as_u64().unwrap_or(6_000);
        let least = option["min_length"].as_u64().unwrap_or(0);
        assert!(
            (least..=most).contains(&length),
            "{length} characters: {option}"
        );
    }
    let choices = option["choices"]
        .as_array()
        .filter(|choices| !choices.is_empty());
    if let Some(choices) = choices {
        let offered = choices.iter().any(|choice| choice["value"] == *value);
        assert!(offered, "{value} is not offered: {option}");
    }
}

fn value(world: &mut World, channel: Id, given: &Given, resolved: &mut Value) -> Value {
    match given {
        Given::Text(text) => json!(text),
        Given::Integer(number) => json!(number),
        Given::Number(number) => json!(number),
        Given::Flag(flag) => json!(flag),
        Given::File(name, bytes) => {
            let kept = posts::kept(world, &[upload(0, name, bytes)]);
            let file = &kept[0];
            let id = file.id.to_string();
            resolved["attachments"][&id] = objects::attachment(world, channel, file);
            json!(id)
        },
        Given::Channel(id) => {
            let mut object = objects::channel(world, &world.channels[id]);
            let may = permissions::within(world, world.bot, &world.channels[id]);
            object["permissions"] = json!(may.to_string());
            resolved["channels"][id.to_string()] = object;
            json!(id.to_string())
        },
        Given::User(id) => {
            resolved["users"][id.to_string()] = objects::user(&world.users[id]);
            if let Some(guild) = world.channels[&channel].guild {
                let member = objects::partial_member(&world.guilds[&guild].members[id]);
                resolved["members"][id.to_string()] = member;
            }
            json!(id.to_string())
        },
        Given::Role(id) => {
            if let Some(guild) = world.channels[&channel].guild {
                let guild = &world.guilds[&guild];
                resolved["roles"][id.to_string()] = objects::role(guild, &guild.roles[id]);
            }
            json!(id.to_string())
        },
    }
}
