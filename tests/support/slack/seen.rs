//! What a person sees of a channel.

use std::fmt;

use chrono::{DateTime, Utc};

use super::blocks;
use super::clock::{self, Id, Ts};
use super::interactions::{State, What};
use super::loopback::seen::below;
use super::mentions;
use super::streams;
use super::world::{Kind, Message, StreamState, Subtype, World};

/// A message before somebody's eyes.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) ts: Ts,
    pub(crate) channel: Id,
    pub(crate) by: String,
    /// What its blocks say, or else its text; mentions and marks stand in it.
    pub(crate) text: String,
    /// What a notification says.
    pub(crate) notification: String,
    pub(crate) at: DateTime<Utc>,
    pub(crate) shown: Shown,
    /// Seen by this person only.
    pub(crate) private: bool,
    /// The message under which it stands.
    pub(crate) reply_to: Option<Ts>,
    /// What somebody did that it answers.
    pub(crate) answers: Option<Id>,
    pub(crate) buttons: Vec<Button>,
    pub(crate) links: Vec<String>,
    pub(crate) files: Vec<String>,
    pub(crate) reactions: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    AsPosted,
    Edited,
    /// It is being written.
    Streaming,
    /// It looks as if it were being written, and nobody can go on.
    Stuck,
    Deleted,
    /// Slack says that the app failed.
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Button {
    pub(crate) label: String,
    pub(crate) action: String,
    pub(crate) value: Option<String>,
    pub(crate) url: Option<String>,
}

impl Seen {
    pub(crate) fn button(&self, name: &str) -> Option<&Button> {
        self.buttons
            .iter()
            .find(|button| button.label == name || button.action == name)
    }
}

/// What `person` sees of `channel`, oldest first.
pub(crate) fn by(world: &World, person: &str, channel: &str) -> Vec<Seen> {
    let here = &world.channels[channel];
    let user = &world.users[person];
    let open = here.kind == Kind::Public && here.team == user.team;
    if !open && !here.members.contains(person) {
        return Vec::new();
    }
    let visible = |message: &&Message| match &message.only_for {
        None => true,
        Some(only) => only == person && has_a_place(world, message),
    };
    let messages = here.messages.values().filter(visible);
    let mut seen: Vec<Seen> = messages.map(|message| read(world, message)).collect();
    let failed = world.interactions.values().filter(|asked| {
        let here = asked.channel.as_deref() == Some(channel);
        asked.by == person && here && asked.state == State::Failed
    });
    seen.extend(failed.map(|asked| {
        let text = match &asked.what {
            What::Command(command, _) => {
                format!("{command} failed with the error \"operation_timeout\"")
            },
            What::Press | What::Shortcut | What::Submission => {
                "Operation timed out. Apps need to respond within three seconds.".to_owned()
            },
        };
        let ts = format!(
            "{}.{:06}",
            asked.at.timestamp(),
            asked.at.timestamp_subsec_micros()
        );
        told_by_slack(ts, channel, text, asked.id.clone())
    }));
    seen.sort_by(|one, other| one.ts.cmp(&other.ts));
    seen
}

/// What one person sees in a thread is shown if the thread has begun.
fn has_a_place(world: &World, message: &Message) -> bool {
    let channel = &world.channels[&message.channel];
    let Some(thread) = &message.thread else {
        return true;
    };
    channel.kind == Kind::Direct || channel.replies(thread).next().is_some()
}

fn told_by_slack(ts: Ts, channel: &str, text: String, answers: Id) -> Seen {
    Seen {
        at: clock::said(&ts).unwrap_or_default(),
        ts,
        channel: channel.to_owned(),
        by: "Slackbot".to_owned(),
        notification: text.clone(),
        text,
        shown: Shown::Failed,
        private: true,
        reply_to: None,
        answers: Some(answers),
        buttons: Vec::new(),
        links: Vec::new(),
        files: Vec::new(),
        reactions: Vec::new(),
    }
}

pub(crate) fn read(world: &World, message: &Message) -> Seen {
    let names = message.files.iter().map(|id| world.files[id].name.clone());
    Seen {
        ts: message.ts.clone(),
        channel: message.channel.clone(),
        by: world.users[&message.author].name.clone(),
        text: words(world, message),
        notification: message.text.clone(),
        at: clock::said(&message.ts).unwrap_or_default(),
        shown: shown(world, message),
        private: message.only_for.is_some(),
        reply_to: message.thread.clone(),
        answers: message.answers.clone(),
        buttons: buttons(message),
        links: mentions::links(&message.text, &message.blocks),
        files: names.collect(),
        reactions: message
            .reactions
            .iter()
            .map(|(name, _)| name.clone())
            .collect(),
    }
}

fn shown(world: &World, message: &Message) -> Shown {
    let streamed = message.stream.map(|stream| stream.state);
    if message.subtype == Subtype::Tombstone {
        Shown::Deleted
    } else if streams::is_open(world, message) {
        Shown::Streaming
    } else if streamed == Some(StreamState::Open) {
        Shown::Stuck
    } else if message.edited.is_some() {
        Shown::Edited
    } else {
        Shown::AsPosted
    }
}

/// What is read: the blocks if there are some, and of a stream the text above them.
fn words(world: &World, message: &Message) -> String {
    let streamed = message
        .stream
        .is_some_and(|stream| stream.state != StreamState::Mended);
    if message.blocks.is_empty() || !world.is_ours(&message.author) {
        message.text.clone()
    } else if streamed {
        format!("{}\n{}", message.text, blocks::words(&message.blocks))
    } else {
        blocks::words(&message.blocks)
    }
}

fn buttons(message: &Message) -> Vec<Button> {
    let parts = blocks::parts(&message.blocks).into_iter();
    let buttons = parts
        .filter(|(_, part)| part["type"] == "button" || part["type"] == "feedback_buttons");
    let text = |part: &serde_json::Value, key: &str| part[key].as_str().map(str::to_owned);
    let buttons = buttons.map(|(_, part)| Button {
        label: text(&part["text"], "text").unwrap_or_default(),
        action: text(&part, "action_id").unwrap_or_default(),
        value: text(&part, "value"),
        url: text(&part, "url"),
    });
    buttons.collect()
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let under = if self.reply_to.is_some() { "↳ " } else { "" };
        write!(f, "{under}{} {}", self.at.format("%H:%M:%S%.3f"), self.by)?;
        if self.private {
            write!(f, " (only you see this)")?;
        }
        write!(f, ": {}", self.text)?;
        match self.shown {
            Shown::AsPosted | Shown::Failed => {},
            Shown::Edited => write!(f, " (edited)")?,
            Shown::Streaming => write!(f, " ▌")?,
            Shown::Stuck => write!(f, " ▌(stuck)")?,
            Shown::Deleted => write!(f, " (deleted)")?,
        }
        let buttons = self.buttons.iter();
        let buttons = buttons.map(|button| (&*button.label, button.url.as_deref()));
        below(f, &self.files, buttons)?;
        if !self.reactions.is_empty() {
            write!(f, "\n    :{}:", self.reactions.join(": :"))?;
        }
        Ok(())
    }
}
