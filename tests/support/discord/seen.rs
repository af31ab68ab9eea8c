//! What a person sees of a channel.

use std::fmt;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::clock::Id;
use super::components::{self, BUTTON};
use super::embeds;
use super::loopback::seen::below;
use super::permissions::{self, READ_MESSAGE_HISTORY};
use super::world::{LOADING, Message, World};

/// A message before somebody's eyes.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) id: Id,
    pub(crate) channel: Id,
    pub(crate) by: String,
    /// As it was sent: mentions and marks stand in it.
    pub(crate) text: String,
    pub(crate) at: DateTime<Utc>,
    pub(crate) shown: Shown,
    /// Seen by this person only.
    pub(crate) private: bool,
    pub(crate) reply_to: Option<Id>,
    /// The interaction it answers.
    pub(crate) answers: Option<Id>,
    pub(crate) buttons: Vec<Button>,
    pub(crate) embeds: Vec<Value>,
    pub(crate) files: Vec<String>,
    pub(crate) reactions: Vec<String>,
    pub(crate) thread: Option<Id>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    AsPosted,
    Edited,
    /// "saseo is thinking…"
    Thinking,
    /// "The application did not respond", which Discord says in place of the bot.
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Button {
    pub(crate) label: String,
    pub(crate) custom_id: Option<String>,
    pub(crate) url: Option<String>,
    pub(crate) disabled: bool,
}

impl Seen {
    /// The links in the text, in order.
    pub(crate) fn links(&self) -> Vec<String> {
        let links = embeds::links(&self.text).into_iter();
        links.map(|(_, link)| link.to_owned()).collect()
    }

    pub(crate) fn button(&self, name: &str) -> Option<&Button> {
        self.buttons
            .iter()
            .find(|button| button.label == name || button.custom_id.as_deref() == Some(name))
    }
}

/// What `person` sees of `channel`, oldest first.
pub(crate) fn by(world: &World, person: Id, channel: Id) -> Vec<Seen> {
    let here = &world.channels[&channel];
    if permissions::within(world, person, here) & READ_MESSAGE_HISTORY == 0 {
        return Vec::new();
    }
    let visible = |message: &&Message| message.only_for.is_none_or(|only| only == person);
    let messages = here.messages.values().filter(visible);
    let mut seen: Vec<Seen> = messages.map(|message| read(world, message)).collect();
    let now = world.clock.now();
    let failed = world
        .interactions
        .values()
        .filter(|asked| asked.by == person && asked.channel == channel && asked.failed(now));
    seen.extend(failed.map(|asked| Seen {
        id: asked.id,
        channel,
        by: "Discord".to_owned(),
        text: "The application did not respond".to_owned(),
        at: asked.at,
        shown: Shown::Failed,
        private: true,
        reply_to: None,
        answers: Some(asked.id),
        buttons: Vec::new(),
        embeds: Vec::new(),
        files: Vec::new(),
        reactions: Vec::new(),
        thread: None,
    }));
    seen.sort_by_key(|one| one.id);
    seen
}

pub(crate) fn read(world: &World, message: &Message) -> Seen {
    let shown = if message.flags & LOADING != 0 {
        Shown::Thinking
    } else if message.edited.is_some() {
        Shown::Edited
    } else {
        Shown::AsPosted
    };
    let names = message.attachments.iter().map(|file| file.name.clone());
    Seen {
        id: message.id,
        channel: message.channel,
        by: world.users[&message.author].name.clone(),
        text: message.content.clone(),
        at: message.at,
        shown,
        private: message.only_for.is_some(),
        reply_to: message.reference,
        answers: message.interaction,
        buttons: buttons(&message.components),
        embeds: message.embeds.clone(),
        files: names.collect(),
        reactions: message
            .reactions
            .iter()
            .map(|(emoji, _)| emoji.clone())
            .collect(),
        thread: world.channels.get(&message.id).map(|thread| thread.id),
    }
}

fn buttons(rows: &[Value]) -> Vec<Button> {
    let text = |part: &Value, key: &str| part[key].as_str().map(str::to_owned);
    components::parts(rows)
        .filter(|part| part["type"].as_u64() == Some(BUTTON))
        .map(|part| Button {
            label: text(part, "label").unwrap_or_default(),
            custom_id: text(part, "custom_id"),
            url: text(part, "url"),
            disabled: part["disabled"].as_bool() == Some(true),
        })
        .collect()
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.at.format("%H:%M:%S%.3f"), self.by)?;
        if self.private {
            write!(f, " (only you see this)")?;
        }
        match self.shown {
            Shown::AsPosted | Shown::Failed => write!(f, ": {}", self.text)?,
            Shown::Edited => write!(f, ": {} (edited)", self.text)?,
            Shown::Thinking => write!(f, " is thinking…")?,
        }
        for embed in &self.embeds {
            write!(f, "\n    embed {embed}")?;
        }
        let buttons = self.buttons.iter();
        let buttons = buttons.map(|button| (&*button.label, button.url.as_deref()));
        below(f, &self.files, buttons)?;
        if !self.reactions.is_empty() {
            write!(f, "\n    {}", self.reactions.join(" "))?;
        }
        Ok(())
    }
}
