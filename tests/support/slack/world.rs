//! What the fake knows: workspaces, the app in them, channels, people and what was said.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::assistant::Status;
use super::clock::{Clock, Id, Ts};
use super::faults::Faults;
use super::hooks::Hook;
use super::interactions::Interaction;
use super::limits::Limits;
use super::post::Office;
use super::record::Record;
use super::socket::Links;
use super::views::View;

pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) settings: Settings,
    pub(crate) app: App,
    pub(crate) teams: BTreeMap<Id, Team>,
    pub(crate) users: BTreeMap<Id, User>,
    pub(crate) groups: BTreeMap<Id, Group>,
    pub(crate) channels: BTreeMap<Id, Channel>,
    pub(crate) files: BTreeMap<Id, File>,
    pub(crate) views: BTreeMap<Id, View>,
    pub(crate) interactions: BTreeMap<Id, Interaction>,
    pub(crate) hooks: BTreeMap<String, Hook>,
    /// What the app says it is doing, by channel and thread.
    pub(crate) statuses: BTreeMap<(Id, Ts), Status>,
    pub(crate) threads: BTreeMap<(Id, Ts), AssistantThread>,
    /// Codes of an installation that were not yet exchanged, and for which workspace each is.
    pub(crate) codes: BTreeMap<String, Id>,
    pub(crate) office: Office,
    pub(crate) links: Links,
    pub(crate) limits: Limits,
    pub(crate) faults: Faults,
    pub(crate) record: Record,
}

/// What a test may set before or while the bot runs.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Where the server listens, and where Socket Mode does.
    pub(crate) server: String,
    pub(crate) socket: String,
    /// Where events are posted; nothing if they go over Socket Mode.
    pub(crate) request_url: Option<String>,
    /// Where the rest is posted, if not there.
    pub(crate) interactivity_url: Option<String>,
    pub(crate) commands_url: Option<String>,
    /// Whether commands are given people, channels and links as a message has them.
    pub(crate) escapes: Switch,
    /// Whether the app has a home.
    pub(crate) home: Switch,
    pub(crate) socket_mode: Switch,
    /// How long an acknowledgement may take.
    pub(crate) patience: Duration,
    /// How long after each failure an event is sent again.
    pub(crate) retries: Vec<Duration>,
    /// Under which id an envelope comes again.
    pub(crate) envelopes: Envelopes,
    /// How often Slack pings a link.
    pub(crate) pings: Duration,
    /// The links that there may be at once.
    pub(crate) links: usize,
    /// How long after `warning` a link is closed.
    pub(crate) notice: Duration,
    /// How long a link is said to last, and with `debug_reconnects` does.
    pub(crate) lifetime: Duration,
    pub(crate) debug_lifetime: Duration,
    /// How long a message may be streamed.
    pub(crate) stream: Duration,
    pub(crate) streaming: Streaming,
    /// How long after it was posted a message can be edited.
    pub(crate) edits: Option<Duration>,
    /// Whether the app hears what it says itself, as it does when it is subscribed.
    pub(crate) echoes: Switch,
    /// Whether a look-up gives metadata back.
    pub(crate) metadata: Switch,
    /// Whether an app that is called in a channel hears of it once more as a message there.
    pub(crate) doubles: Switch,
    /// How long a rotated token is good for.
    pub(crate) tokens: Duration,
    /// How long a refresh token that was used is taken once more. Slack says that it is a short
    /// while.
    pub(crate) grace: Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Switch {
    On,
    #[default]
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Envelopes {
    Fresh,
    /// The same id, and no count of attempts.
    Same,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Streaming {
    Everywhere,
    DirectOnly,
    /// Slack does not know the methods.
    Nowhere,
}

/// The app, as it is set up with Slack.
pub(crate) struct App {
    pub(crate) id: Id,
    /// The app-level token.
    pub(crate) token: String,
    pub(crate) token_standing: Standing,
    /// What the app-level token may do.
    pub(crate) token_scopes: BTreeSet<String>,
    pub(crate) signing_secret: String,
    /// Stands in every payload; nobody should rely on it.
    pub(crate) verification: String,
    pub(crate) client: (String, String),
    /// The events to which the app is subscribed.
    pub(crate) events: BTreeSet<String>,
    pub(crate) commands: BTreeSet<String>,
    /// The shortcuts of a message's menu: the name, and the callback id.
    pub(crate) shortcuts: BTreeMap<String, String>,
}

pub(crate) struct Team {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) domain: String,
    pub(crate) enterprise: Option<Id>,
    pub(crate) bot: Installation,
}

/// The app in a workspace.
pub(crate) struct Installation {
    pub(crate) user: Id,
    pub(crate) bot: Id,
    pub(crate) scopes: BTreeSet<String>,
    /// The newest last.
    pub(crate) tokens: Vec<Token>,
    /// Good for one refresh; nothing if tokens are not rotated.
    pub(crate) refresh: Option<String>,
    /// The one before, and when it was used.
    pub(crate) spent: Option<(String, DateTime<Utc>)>,
}

pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) standing: Standing,
    pub(crate) until: Option<DateTime<Utc>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Good,
    /// Refused with this error.
    Refused(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rank {
    Member,
    Admin,
    /// A guest in several channels.
    Guest,
    /// A guest in one.
    ChannelGuest,
    Bot,
}

pub(crate) struct User {
    pub(crate) id: Id,
    pub(crate) team: Id,
    pub(crate) name: String,
    /// In which language somebody uses Slack.
    pub(crate) locale: &'static str,
    pub(crate) rank: Rank,
    pub(crate) gone: bool,
}

/// A group of people that can be called.
pub(crate) struct Group {
    pub(crate) id: Id,
    pub(crate) team: Id,
    pub(crate) handle: String,
    pub(crate) users: BTreeSet<Id>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Public,
    Private,
    Direct,
    /// A direct conversation of several.
    Group,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    Archived,
    ReadOnly,
    /// Replies only.
    ThreadOnly,
    /// No replies.
    NoThreads,
}

pub(crate) struct Channel {
    pub(crate) id: Id,
    pub(crate) team: Id,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) members: BTreeSet<Id>,
    /// The other workspaces that it is shared with.
    pub(crate) shared: BTreeSet<Id>,
    pub(crate) rules: BTreeSet<Rule>,
    /// The threads that an administrator locked.
    pub(crate) locked: BTreeSet<Ts>,
    pub(crate) created: DateTime<Utc>,
    pub(crate) messages: BTreeMap<Ts, Message>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subtype {
    Plain,
    FileShare,
    /// Also shown in the channel.
    Broadcast,
    /// It was deleted, and has replies.
    Tombstone,
}

#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) ts: Ts,
    pub(crate) channel: Id,
    pub(crate) author: Id,
    pub(crate) subtype: Subtype,
    pub(crate) text: String,
    pub(crate) blocks: Vec<Value>,
    pub(crate) metadata: Option<Value>,
    /// The message that it replies to.
    pub(crate) thread: Option<Ts>,
    pub(crate) edited: Option<DateTime<Utc>>,
    pub(crate) files: Vec<Id>,
    /// The only one who sees it, if it is ephemeral.
    pub(crate) only_for: Option<Id>,
    /// When its streaming began and whether it was ended.
    pub(crate) stream: Option<Stream>,
    /// Emoji, and who put it there.
    pub(crate) reactions: Vec<(String, Vec<Id>)>,
    /// The interaction it answers.
    pub(crate) answers: Option<Id>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream {
    pub(crate) began: DateTime<Utc>,
    pub(crate) state: StreamState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamState {
    Open,
    Stopped,
    /// An edit has taken the place of what was streamed, whether it was stopped or not.
    Mended,
}

#[derive(Clone)]
pub(crate) struct File {
    pub(crate) id: Id,
    pub(crate) team: Id,
    pub(crate) owner: Id,
    pub(crate) name: String,
    pub(crate) mime: String,
    pub(crate) bytes: Arc<Vec<u8>>,
    pub(crate) channels: BTreeSet<Id>,
    pub(crate) created: DateTime<Utc>,
    pub(crate) gone: bool,
}

/// A conversation with the assistant beside what somebody is looking at.
pub(crate) struct AssistantThread {
    pub(crate) user: Id,
    /// The channel that was looked at.
    pub(crate) context: Option<Id>,
    pub(crate) title: Option<String>,
    pub(crate) prompts: Vec<(String, String)>,
}

impl World {
    /// The installation to which `channel` belongs.
    pub(crate) fn bot_in(&self, channel: &Channel) -> &Installation {
        &self.teams[&channel.team].bot
    }

    /// Whether somebody is the app itself, in one of the workspaces.
    pub(crate) fn is_ours(&self, user: &str) -> bool {
        self.teams.values().any(|team| team.bot.user == user)
    }

    /// The conversation of the bot of `team` and `user`; made when it is first needed.
    pub(crate) fn direct(&mut self, team: &str, user: &str) -> Id {
        let found = self.channels.values().find(|channel| {
            channel.kind == Kind::Direct
                && channel.team == team
                && channel.members.contains(user)
        });
        if let Some(channel) = found {
            return channel.id.clone();
        }
        let id = self.clock.id("D");
        let bot = self.teams[team].bot.user.clone();
        let channel = Channel {
            id: id.clone(),
            team: team.to_owned(),
            name: String::new(),
            kind: Kind::Direct,
            members: BTreeSet::from([bot, user.to_owned()]),
            shared: BTreeSet::new(),
            rules: BTreeSet::new(),
            locked: BTreeSet::new(),
            created: self.clock.now(),
            messages: BTreeMap::new(),
        };
        self.channels.insert(id.clone(), channel);
        id
    }
}

impl Channel {
    /// How many replies a message has that all can see.
    pub(crate) fn replies(&self, ts: &str) -> impl Iterator<Item = &Message> {
        let ts = ts.to_owned();
        self.messages
            .values()
            .filter(move |one| one.thread.as_deref() == Some(&*ts) && one.only_for.is_none())
    }

    pub(crate) fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Public => "channel",
            Kind::Private => "group",
            Kind::Direct => "im",
            Kind::Group => "mpim",
        }
    }

    /// The beginning of the scopes for such a conversation.
    pub(crate) fn scope(&self) -> &'static str {
        match self.kind {
            Kind::Public => "channels",
            Kind::Private => "groups",
            Kind::Direct => "im",
            Kind::Group => "mpim",
        }
    }
}
