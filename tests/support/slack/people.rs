//! People: they write, press, ask and read.
//!
//! A person can do only what their client lets them: run a command that is registered, press a
//! button that is there, write where they are. Else the test is wrong, and stops.

use std::collections::BTreeSet;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::Town;
use super::blocks::{self, Surface};
use super::chat::{self, Draft, New};
use super::clock::{self, Id, Ts};
use super::events;
use super::interactions::{self, Asked, State, What};
use super::loopback::people::{looks, media_type, named};
use super::loopback::seen::transcript;
use super::loopback::{PATIENCE, give_up};
use super::objects::{self, Metadata};
use super::places::Channel;
use super::seen::{self, Seen};
use super::views;
use super::world::{self, AssistantThread, File, Rank, Rule, Subtype, Switch, User, World};

#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) town: Town,
    pub(crate) id: Id,
}

/// Something that was said.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Said {
    pub(crate) channel: Id,
    pub(crate) ts: Ts,
}

impl From<&Self> for Said {
    fn from(said: &Self) -> Self {
        said.clone()
    }
}

impl From<&Seen> for Said {
    fn from(seen: &Seen) -> Self {
        Self {
            channel: seen.channel.clone(),
            ts: seen.ts.clone(),
        }
    }
}

/// A command that was run, a button that was pressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) id: Id,
}

/// Writing.
impl Person {
    /// Says `text`; `@Name` calls whoever has that name, `@saseo` the bot.
    pub(crate) fn says(&self, channel: &Channel, text: &str) -> Said {
        self.puts(&channel.id, text, &[], None)
    }

    /// Says `text` to the bot.
    pub(crate) fn mentions_bot(&self, channel: &Channel, text: &str) -> Said {
        self.says(channel, &format!("@saseo {text}"))
    }

    /// Writes in the thread of a message.
    pub(crate) fn replies_to(&self, said: impl Into<Said>, text: &str) -> Said {
        let said = said.into();
        let root = self.root(&said);
        self.puts(&said.channel, text, &[], Some(root))
    }

    /// The first message of the thread in which something was said.
    fn root(&self, said: &Said) -> Ts {
        let world = self.town.world();
        let message = world.channels[&said.channel].messages.get(&said.ts);
        let root = message.and_then(|message| message.thread.clone());
        root.unwrap_or_else(|| said.ts.clone())
    }

    /// Writes to the bot alone.
    pub(crate) fn direct_message(&self, text: &str) -> Said {
        let channel = self.direct_channel();
        self.puts(&channel.id, text, &[], None)
    }

    pub(crate) fn direct_channel(&self) -> Channel {
        let mut world = self.town.world();
        let team = world.users[&self.id].team.clone();
        let id = world.direct(&team, &self.id);
        drop(world);
        self.here(&id)
    }

    fn here(&self, id: &str) -> Channel {
        Channel {
            town: Arc::clone(&self.town),
            id: id.to_owned(),
        }
    }

    /// Says `text` with files: their names and what is in them.
    pub(crate) fn attaches(
        &self,
        channel: &Channel,
        text: &str,
        files: &[(&str, &[u8])],
    ) -> Said {
        self.puts(&channel.id, text, files, None)
    }

    fn puts(
        &self,
        channel: &str,
        text: &str,
        files: &[(&str, &[u8])],
        thread: Option<Ts>,
    ) -> Said {
        let mut world = self.town.world();
        self.may_write(&world, channel, thread.as_ref());
        let files: Vec<Id> = files
            .iter()
            .map(|(name, bytes)| keep(&mut world, (&self.id, channel), name, bytes))
            .collect();
        let draft = written(&mut world, channel, text);
        let new = New {
            channel: channel.to_owned(),
            author: self.id.clone(),
            subtype: (!files.is_empty()).then_some(Subtype::FileShare),
            draft,
            thread,
            files,
            ..New::default()
        };
        let ts = chat::put(&mut world, new);
        drop(world);
        self.town.changed();
        Said {
            channel: channel.to_owned(),
            ts,
        }
    }

    fn may_write(&self, world: &World, channel: &str, thread: Option<&Ts>) {
        let here = &world.channels[channel];
        let name = &world.users[&self.id].name;
        assert!(
            here.members.contains(&self.id),
            "{name} is not in #{}",
            here.name
        );
        let shut = [Rule::Archived, Rule::ReadOnly]
            .iter()
            .any(|rule| here.rules.contains(rule))
            || (thread.is_none() && here.rules.contains(&Rule::ThreadOnly))
            || thread.is_some_and(|thread| here.locked.contains(thread));
        assert!(!shut, "{name} may not write there in #{}", here.name);
    }

    pub(crate) fn edits(&self, said: impl Into<Said>, text: &str) {
        let said = said.into();
        let mut world = self.town.world();
        let written = written(&mut world, &said.channel, text);
        // A person's words and blocks say the same.
        let draft = Draft {
            blocks: None,
            ..written
        };
        chat::change(&mut world, (&said.channel, &said.ts), draft);
        drop(world);
        self.town.changed();
    }

    pub(crate) fn deletes(&self, said: impl Into<Said>) {
        let said = said.into();
        chat::remove(&mut self.town.world(), &said.channel, &said.ts);
        self.town.changed();
    }

    pub(crate) fn joins(&self, channel: &Channel) {
        let mut world = self.town.world();
        let here = world.channels.get_mut(&channel.id).unwrap();
        here.members.insert(self.id.clone());
        events::joined(&mut world, &channel.id, &self.id);
        drop(world);
        self.town.changed();
    }

    pub(crate) fn leaves(&self, channel: &Channel) {
        let mut world = self.town.world();
        let here = world.channels.get_mut(&channel.id).unwrap();
        here.members.remove(&self.id);
    }

    /// The account is closed.
    /// Uses Slack in this language.
    pub(crate) fn reads(&self, locale: &'static str) {
        let mut world = self.town.world();
        world.users.get_mut(&self.id).unwrap().locale = locale;
    }

    pub(crate) fn is_deactivated(&self) {
        self.town.world().users.get_mut(&self.id).unwrap().gone = true;
    }
}

/// `text` as a client sends it: escaped, with names and links as Slack writes them.
fn written(world: &mut World, channel: &str, text: &str) -> Draft {
    let escaped = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let mut names: Vec<(String, String)> = Vec::new();
    for user in people_near(world, channel) {
        names.push((format!("@{}", user.name), format!("<@{}>", user.id)));
    }
    for group in world.groups.values() {
        names.push((
            format!("@{}", group.handle),
            format!("<!subteam^{}>", group.id),
        ));
    }
    for channel in channels_near(world, channel) {
        names.push((format!("#{}", channel.name), format!("<#{}|>", channel.id)));
    }
    for all in ["channel", "here", "everyone"] {
        names.push((format!("@{all}"), format!("<!{all}>")));
    }
    let sent = named(&linked(&escaped), names);
    let block = json!({
        "type": "rich_text",
        "block_id": world.clock.letters(5),
        "elements": [{ "type": "rich_text_section", "elements": elements(&sent) }],
    });
    Draft {
        text: Some(sent),
        blocks: Some(vec![block]),
        ..Draft::default()
    }
}

/// Everybody, those in `channel` first: two workspaces may have people of one name.
fn people_near<'a>(world: &'a World, channel: &str) -> Vec<&'a User> {
    let members = &world.channels[channel].members;
    let mut people: Vec<&User> = world.users.values().collect();
    people.sort_by_key(|user| !members.contains(&user.id));
    people
}

/// Every channel that has a name, those of the same workspace first.
fn channels_near<'a>(world: &'a World, channel: &str) -> Vec<&'a world::Channel> {
    let team = &world.channels[channel].team;
    let channels = world.channels.values();
    let mut channels: Vec<_> = channels.filter(|one| !one.name.is_empty()).collect();
    channels.sort_by_key(|one| one.team != *team);
    channels
}

/// A text with its links in angle brackets.
fn linked(text: &str) -> String {
    let words = text.split_inclusive(char::is_whitespace);
    let words = words.map(|word| {
        let bare = word.trim_end();
        let link = bare.starts_with("http://") || bare.starts_with("https://");
        if link {
            word.replacen(bare, &format!("<{bare}>"), 1)
        } else {
            word.to_owned()
        }
    });
    words.collect()
}

/// A text with mentions in the parts of a rich text.
fn elements(sent: &str) -> Vec<Value> {
    let mut elements = Vec::new();
    let plain = |text: &str, elements: &mut Vec<Value>| {
        if !text.is_empty() {
            let text = text
                .replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&amp;", "&");
            elements.push(json!({ "type": "text", "text": text }));
        }
    };
    for (place, part) in sent.split('<').enumerate() {
        let mention = part.split_once('>').filter(|_| place > 0);
        let rest = mention.map_or(part, |(name, rest)| {
            elements.push(element(name));
            rest
        });
        plain(rest, &mut elements);
    }
    elements
}

/// What stands between angle brackets, as a part of a rich text.
fn element(name: &str) -> Value {
    if let Some(user) = name.strip_prefix('@') {
        json!({ "type": "user", "user_id": user })
    } else if let Some(channel) = name.strip_prefix('#') {
        json!({ "type": "channel", "channel_id": channel.trim_end_matches('|') })
    } else if let Some(group) = name.strip_prefix("!subteam^") {
        json!({ "type": "usergroup", "usergroup_id": group })
    } else if let Some(all) = name.strip_prefix('!') {
        json!({ "type": "broadcast", "range": all })
    } else {
        json!({ "type": "link", "url": name.replace("&amp;", "&") })
    }
}

/// Keeps a file that somebody shares in a channel.
fn keep(world: &mut World, (owner, channel): (&str, &str), name: &str, bytes: &[u8]) -> Id {
    let id = world.clock.id("F");
    let file = File {
        id: id.clone(),
        team: world.users[owner].team.clone(),
        owner: owner.to_owned(),
        name: name.to_owned(),
        mime: media_type(name).to_owned(),
        bytes: Arc::new(bytes.to_vec()),
        channels: BTreeSet::from([channel.to_owned()]),
        created: world.clock.now(),
        gone: false,
    };
    world.files.insert(id.clone(), file);
    id
}

/// Asking.
impl Person {
    /// Runs a command, such as `/ask`, with the words after it.
    pub(crate) fn runs(&self, channel: &Channel, command: &str, text: &str) -> Run {
        let known = self.can_run(command);
        assert!(known, "there is no command {command}");
        let what = What::Command(command.to_owned(), self.expanded(&channel.id, text));
        self.asks((Some(&channel.id), None), what, Value::Null)
    }

    /// What a command is given: names and links as in a message, unless that is off.
    fn expanded(&self, channel: &str, text: &str) -> String {
        let world = self.town.world();
        if world.settings.escapes == Switch::Off {
            return text.to_owned();
        }
        let mut names: Vec<(String, String)> = Vec::new();
        for user in people_near(&world, channel) {
            let mention = format!("<@{}|{}>", user.id, user.name.to_lowercase());
            names.push((format!("@{}", user.name), mention));
        }
        for channel in channels_near(&world, channel) {
            let mention = format!("<#{}|{}>", channel.id, channel.name);
            names.push((format!("#{}", channel.name), mention));
        }
        named(&linked(text), names)
    }

    pub(crate) fn can_run(&self, command: &str) -> bool {
        let world = self.town.world();
        let team = &world.users[&self.id].team;
        let may = world.teams[team].bot.scopes.contains("commands");
        may && world.app.commands.contains(command)
    }

    fn asks(&self, place: (Option<&Id>, Option<&Ts>), what: What, more: Value) -> Run {
        let mut world = self.town.world();
        if let Some(channel) = place.0 {
            let here = &world.channels[channel];
            let name = &world.users[&self.id].name;
            assert!(
                here.members.contains(&self.id),
                "{name} is not in #{}",
                here.name
            );
        }
        // In a shared channel it is the workspace whose app is there.
        let there = place
            .0
            .and_then(|id| events::hearer(&world, &world.channels[id]));
        let home = world.users[&self.id].team.clone();
        let stranger = matches!(what, What::Command(..)) && there.as_ref() != Some(&home);
        assert!(
            !stranger || there.is_none(),
            "commands are not shared with other workspaces"
        );
        let asked = Asked {
            by: self.id.clone(),
            team: there.unwrap_or(home),
            what,
            channel: place.0.cloned(),
            message: place.1.cloned(),
            view: None,
            more,
        };
        let id = interactions::ask(&mut world, asked);
        drop(world);
        self.town.changed();
        Run { id }
    }

    /// Chooses a shortcut from the menu of a message, by its name.
    pub(crate) fn runs_on(&self, said: impl Into<Said>, shortcut: &str) -> Run {
        let said = said.into();
        let more = {
            let mut world = self.town.world();
            let callback = world.app.shortcuts.get(shortcut).cloned();
            let callback = callback
                .unwrap_or_else(|| give_up(&format!("there is no shortcut {shortcut}")));
            let at = world.clock.ts();
            let message = &world.channels[&said.channel].messages[&said.ts];
            let team = &world.users[&self.id].team;
            json!({
                "type": "message_action",
                "action_ts": at,
                "callback_id": callback,
                "message_ts": said.ts,
                "message": objects::message(&world, message, team, Metadata::Shown),
            })
        };
        self.asks((Some(&said.channel), Some(&said.ts)), What::Shortcut, more)
    }

    /// Presses a button, named by what stands on it or by its action id.
    pub(crate) fn presses(&self, said: impl Into<Said>, button: &str) -> Run {
        let said = said.into();
        let more = {
            let mut world = self.town.world();
            let at = world.clock.ts();
            let seen = seen::by(&world, &self.id, &said.channel);
            let visible = seen.iter().any(|one| one.ts == said.ts);
            let message = world.channels[&said.channel].messages.get(&said.ts);
            let found = message.filter(|_| visible).and_then(|message| {
                let action = pressed(&message.blocks, button, &at)?;
                let team = &world.users[&self.id].team;
                Some(interactions::on_message(&world, team, message, &action))
            });
            found.unwrap_or_else(|| {
                give_up(&format!("no {button} to press:\n{}", transcript(&seen)))
            })
        };
        self.asks((Some(&said.channel), Some(&said.ts)), What::Press, more)
    }

    /// Waits for the form that a command or a button opens, fills it in and sends it. What is
    /// filled in is named by its action id or its block id.
    #[track_caller]
    pub(crate) fn fills_in(
        &self,
        run: &Run,
        texts: &[(&str, &str)],
    ) -> impl Future<Output = Run> {
        let caller = Location::caller();
        async move {
            let view = self.town.wait(PATIENCE, || self.form(run)).await;
            let view =
                view.unwrap_or_else(|| give_up(&format!("{caller}: no form was opened")));
            self.sends(&view, texts)
        }
    }

    /// The topmost form that is open because of `run`; its id.
    pub(crate) fn form(&self, run: &Run) -> Option<Id> {
        let world = self.town.world();
        let mut views = world.views.values();
        let found = views.rfind(|view| view.open && view.by.as_ref() == Some(&run.id));
        let above = found.and_then(|found| {
            let mut views = world.views.values();
            views.find(|view| view.open && view.previous.as_ref() == Some(&found.id))
        });
        above.or(found).map(|view| view.id.clone())
    }

    fn sends(&self, view: &str, texts: &[(&str, &str)]) -> Run {
        let mut world = self.town.world();
        let mut object = views::object(&world, &world.views[view]);
        let shown = object["blocks"].as_array().cloned().unwrap_or_default();
        for (block, part) in blocks::parts(&shown) {
            let action = part["action_id"].as_str().unwrap_or("").to_owned();
            let given = texts
                .iter()
                .find(|(name, _)| *name == action || *name == block);
            let value = given.map(|(_, text)| *text);
            let state = filled(&part, value);
            object["state"]["values"][&block][&action] = state;
        }
        let asked = Asked {
            by: self.id.clone(),
            team: world.views[view].team.clone(),
            what: What::Submission,
            channel: None,
            message: None,
            view: Some(view.to_owned()),
            more: json!({ "type": "view_submission", "view": object, "response_urls": [] }),
        };
        let id = interactions::ask(&mut world, asked);
        drop(world);
        self.town.changed();
        Run { id }
    }

    /// How it stands with something that this person did.
    pub(crate) fn state(&self, run: &Run) -> State {
        self.town.world().interactions[&run.id].state
    }
}

/// What a client says of a part of a form that was filled in.
fn filled(part: &Value, value: Option<&str>) -> Value {
    if part["type"] == "plain_text_input" {
        return json!({ "type": part["type"], "value": value });
    }
    let options = part["options"].as_array();
    let chosen =
        options.and_then(|options| options.iter().find(|one| one["value"].as_str() == value));
    json!({ "type": part["type"], "selected_option": chosen })
}

/// What a client says of a button that was pressed.
fn pressed(shown: &[Value], button: &str, at: &Ts) -> Option<Value> {
    let parts = blocks::parts(shown);
    let (block, part) = parts
        .iter()
        .find(|(_, part)| part["text"]["text"] == button || part["action_id"] == button)?;
    Some(json!({
        "type": part["type"],
        "action_id": part["action_id"],
        "block_id": block,
        "text": part["text"],
        "value": part["value"],
        "action_ts": at,
    }))
}

/// The app's home, and the assistant.
impl Person {
    /// Looks at the app's home.
    pub(crate) fn opens_home(&self) {
        let channel = self.direct_channel();
        let mut world = self.town.world();
        let team = world.users[&self.id].team.clone();
        let home = views::home(&world, &team, &self.id);
        let shown = home.map(|view| views::object(&world, view));
        let mut event = json!({
            "type": "app_home_opened",
            "user": self.id,
            "channel": channel.id,
            "tab": "home",
            "event_ts": world.clock.ts(),
        });
        if let Some(shown) = shown {
            event["view"] = shown;
        }
        events::tell(&mut world, &team, "app_home_opened", &event);
        drop(world);
        self.town.changed();
    }

    /// What stands at the app's home; nothing if it is empty.
    pub(crate) fn home(&self) -> Option<String> {
        let world = self.town.world();
        let team = &world.users[&self.id].team;
        let home = views::home(&world, team, &self.id)?;
        let shown = home.given["blocks"].as_array().cloned().unwrap_or_default();
        Some(blocks::words(&shown))
    }

    /// Presses a button at the app's home.
    pub(crate) fn presses_at_home(&self, button: &str) -> Run {
        let mut world = self.town.world();
        let team = world.users[&self.id].team.clone();
        let at = world.clock.ts();
        let home = views::home(&world, &team, &self.id);
        let found = home.and_then(|view| {
            let shown = view.given["blocks"].as_array()?;
            Some((view, pressed(shown, button, &at)?))
        });
        let (view, action) = found.unwrap_or_else(|| give_up(&format!("no {button} at home")));
        let more = json!({
            "type": "block_actions",
            "container": { "type": "view", "view_id": view.id },
            "view": views::object(&world, view),
            "actions": [action],
        });
        let view = view.id.clone();
        let asked = Asked {
            by: self.id.clone(),
            team,
            what: What::Press,
            channel: None,
            message: None,
            view: Some(view),
            more,
        };
        let id = interactions::ask(&mut world, asked);
        drop(world);
        self.town.changed();
        Run { id }
    }

    /// Begins to talk with the assistant, while looking at a channel or at none; the thread.
    pub(crate) fn turns_to_assistant(&self, looking_at: Option<&Channel>) -> Said {
        let channel = self.direct_channel();
        let mut world = self.town.world();
        let ts = world.clock.ts();
        let team = world.users[&self.id].team.clone();
        let root = world::Message {
            ts: ts.clone(),
            channel: channel.id.clone(),
            author: world.teams[&team].bot.user.clone(),
            subtype: Subtype::Plain,
            text: "New Assistant Thread".to_owned(),
            blocks: Vec::new(),
            metadata: None,
            thread: None,
            edited: None,
            files: Vec::new(),
            only_for: None,
            stream: None,
            reactions: Vec::new(),
            answers: None,
        };
        let here = world.channels.get_mut(&channel.id).unwrap();
        here.messages.insert(ts.clone(), root);
        let thread = AssistantThread {
            user: self.id.clone(),
            context: looking_at.map(|channel| channel.id.clone()),
            title: None,
            prompts: Vec::new(),
        };
        world
            .threads
            .insert((channel.id.clone(), ts.clone()), thread);
        events::assistant(&mut world, "assistant_thread_started", (&channel.id, &ts));
        drop(world);
        self.town.changed();
        Said {
            channel: channel.id,
            ts,
        }
    }

    /// Looks at another channel while talking with the assistant.
    pub(crate) fn looks_at(&self, thread: &Said, channel: &Channel) {
        let mut world = self.town.world();
        let key = (thread.channel.clone(), thread.ts.clone());
        let begun = world.threads.get_mut(&key);
        let begun = begun.unwrap_or_else(|| give_up("that is no thread with the assistant"));
        begun.context = Some(channel.id.clone());
        let place = (&*thread.channel, &*thread.ts);
        events::assistant(&mut world, "assistant_thread_context_changed", place);
        drop(world);
        self.town.changed();
    }

    /// What the assistant suggests in a thread.
    pub(crate) fn prompts(&self, thread: &Said) -> Vec<(String, String)> {
        let world = self.town.world();
        let key = (thread.channel.clone(), thread.ts.clone());
        world
            .threads
            .get(&key)
            .map_or_else(Vec::new, |thread| thread.prompts.clone())
    }

    /// What a thread with the assistant is called.
    pub(crate) fn title(&self, thread: &Said) -> Option<String> {
        let world = self.town.world();
        let key = (thread.channel.clone(), thread.ts.clone());
        world.threads.get(&key)?.title.clone()
    }

    /// What the app says it is doing about something that was said.
    pub(crate) fn sees_status(&self, said: impl Into<Said>) -> Option<String> {
        let said = said.into();
        let root = self.root(&said);
        let world = self.town.world();
        let status = world.statuses.get(&(said.channel, root))?;
        status.holds(world.clock.now()).then(|| status.text.clone())
    }
}

/// Reading.
impl Person {
    pub(crate) fn sees(&self, channel: &Channel) -> Vec<Seen> {
        seen::by(&self.town.world(), &self.id, &channel.id)
    }

    pub(crate) fn is_guest(&self) -> bool {
        let world = self.town.world();
        matches!(world.users[&self.id].rank, Rank::Guest | Rank::ChannelGuest)
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

    /// Waits for the bot's first reply to what was said, whole or not: the first that stands in
    /// its thread after it.
    #[track_caller]
    pub(crate) fn reply_to(&self, said: impl Into<Said>) -> impl Future<Output = Seen> {
        let said = said.into();
        let (root, channel) = (self.root(&said), self.here(&said.channel));
        let what = (Location::caller(), || "no reply".to_owned());
        async move {
            let reply = |seen: &[Seen]| {
                let mut seen = seen.iter();
                let under =
                    |one: &&Seen| one.reply_to.as_ref() == Some(&root) && one.ts > said.ts;
                seen.find(|one| under(one) && one.by == "saseo").cloned()
            };
            looks(&self.town, what, PATIENCE, || self.sees(&channel), reply).await
        }
    }

    /// How old something is that was said.
    pub(crate) fn age(&self, said: &Said) -> TimeDelta {
        let now = self.town.world().clock.now();
        clock::said(&said.ts).map_or(TimeDelta::zero(), |at| now - at)
    }

    /// The text of the form that is open because of `run`, and what is said to be wrong in it.
    pub(crate) fn reads_form(&self, run: &Run) -> Option<(String, Vec<(String, String)>)> {
        let id = self.form(run)?;
        let world = self.town.world();
        let view = world
            .views
            .get(&id)
            .filter(|view| view.surface == Surface::Modal)?;
        let shown = view.given["blocks"].as_array().cloned().unwrap_or_default();
        Some((blocks::words(&shown), view.errors.clone()))
    }
}
