//! What the fake knows: guilds, channels, roles, people and what was said.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::clock::{Clock, Id};
use super::commands::Commands;
use super::faults::Faults;
use super::gateway::Gateway;
use super::interactions::Interaction;
use super::limits::Limits;
use super::mentions::Mentions;
use super::permissions;
use super::record::Record;
use super::refusal::{Refusal, missing_access, unknown};

pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) settings: Settings,
    /// The bot's user; its application has the same id, as with every newer bot.
    pub(crate) bot: Id,
    pub(crate) users: BTreeMap<Id, User>,
    pub(crate) guilds: BTreeMap<Id, Guild>,
    pub(crate) channels: BTreeMap<Id, Channel>,
    pub(crate) commands: Commands,
    pub(crate) interactions: BTreeMap<Id, Interaction>,
    pub(crate) gateway: Gateway,
    pub(crate) limits: Limits,
    pub(crate) faults: Faults,
    pub(crate) record: Record,
}

/// What a test may set before or while the bot runs.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) token: String,
    /// Where the API listens, and where the gateway does.
    pub(crate) api: String,
    pub(crate) gateway: String,
    /// Said in HELLO.
    pub(crate) heartbeat: Duration,
    /// How long a session outlives its connection.
    pub(crate) resumable: Duration,
    /// How soon after one IDENTIFY the next may come. Discord says five seconds; by default it
    /// is not waited for, since tests start bots again and again.
    pub(crate) identify_pause: Duration,
    /// Over how many connections a bot is told to spread its guilds.
    pub(crate) shards: u64,
    /// IDENTIFYs in a day, after which the token is void.
    pub(crate) session_starts: usize,
    /// The code with which whoever identifies is turned away.
    pub(crate) turns_away: Option<u16>,
    /// The privileged intents that are switched on in the developer portal.
    pub(crate) privileged: u64,
    /// How long `enforce_nonce` remembers; nothing if it is to be ignored.
    pub(crate) nonces: Option<Duration>,
    /// Edits that a message takes once it is an hour old.
    pub(crate) late_edits: usize,
    /// How long a link to an attachment holds.
    pub(crate) links: Duration,
}

pub(crate) struct User {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) bot: bool,
    pub(crate) door: Door,
}

/// Whether somebody takes direct messages from the bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Open,
    Shut,
}

pub(crate) struct Guild {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) owner: Id,
    pub(crate) roles: BTreeMap<Id, Role>,
    pub(crate) members: BTreeMap<Id, Member>,
}

pub(crate) struct Role {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) permissions: u64,
    pub(crate) mentionable: bool,
}

pub(crate) struct Member {
    pub(crate) roles: Vec<Id>,
    pub(crate) joined: DateTime<Utc>,
}

#[derive(Clone, Debug)]
pub(crate) struct Overwrite {
    /// A role or a member.
    pub(crate) of: Id,
    pub(crate) allow: u64,
    pub(crate) deny: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChannelKind {
    Text = 0,
    Direct = 1,
    PublicThread = 11,
    PrivateThread = 12,
}

pub(crate) struct Channel {
    pub(crate) id: Id,
    pub(crate) kind: ChannelKind,
    pub(crate) name: String,
    pub(crate) guild: Option<Id>,
    pub(crate) overwrites: Vec<Overwrite>,
    /// Who shares a direct channel.
    pub(crate) recipients: Vec<Id>,
    pub(crate) thread: Option<Thread>,
    pub(crate) messages: BTreeMap<Id, Message>,
}

pub(crate) struct Thread {
    pub(crate) parent: Id,
    pub(crate) owner: Id,
    pub(crate) members: BTreeSet<Id>,
    pub(crate) archive_minutes: u64,
    pub(crate) state: ThreadState,
    pub(crate) since: DateTime<Utc>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ThreadState {
    Open,
    Archived,
    /// Locked and not archived.
    Locked,
    LockedAndArchived,
}

impl ThreadState {
    pub(crate) fn archived(self) -> bool {
        matches!(self, Self::Archived | Self::LockedAndArchived)
    }

    pub(crate) fn locked(self) -> bool {
        matches!(self, Self::Locked | Self::LockedAndArchived)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageKind {
    Default = 0,
    Reply = 19,
    ChatInputCommand = 20,
    ThreadStarter = 21,
    ContextMenuCommand = 23,
}

/// Its flag says that something is being thought about.
pub(crate) const LOADING: u64 = 1 << 7;
pub(crate) const EPHEMERAL: u64 = 1 << 6;
pub(crate) const HAS_THREAD: u64 = 1 << 5;
pub(crate) const SUPPRESS_EMBEDS: u64 = 1 << 2;

#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) id: Id,
    pub(crate) channel: Id,
    pub(crate) author: Id,
    pub(crate) kind: MessageKind,
    pub(crate) content: String,
    pub(crate) at: DateTime<Utc>,
    pub(crate) edited: Option<DateTime<Utc>>,
    pub(crate) mentions: Mentions,
    pub(crate) attachments: Vec<Attachment>,
    pub(crate) embeds: Vec<Value>,
    pub(crate) components: Vec<Value>,
    pub(crate) nonce: Option<Value>,
    pub(crate) flags: u64,
    pub(crate) reference: Option<Id>,
    /// The interaction it answers.
    pub(crate) interaction: Option<Id>,
    /// How often it was edited when it was an hour old already.
    pub(crate) late_edits: usize,
    /// The only one who sees it, if it is ephemeral.
    pub(crate) only_for: Option<Id>,
    /// Emoji, and who put it there.
    pub(crate) reactions: Vec<(String, Vec<Id>)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Attachment {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) content_type: String,
    pub(crate) bytes: std::sync::Arc<Vec<u8>>,
}

impl World {
    pub(crate) fn new(settings: Settings) -> Self {
        let mut clock = Clock::new();
        let bot = clock.snowflake();
        let mut users = BTreeMap::new();
        users.insert(
            bot,
            User {
                id: bot,
                name: "saseo".to_owned(),
                bot: true,
                door: Door::Open,
            },
        );
        Self {
            clock,
            settings,
            bot,
            users,
            guilds: BTreeMap::new(),
            channels: BTreeMap::new(),
            commands: Commands::default(),
            interactions: BTreeMap::new(),
            gateway: Gateway::default(),
            limits: Limits::default(),
            faults: Faults::default(),
            record: Record::default(),
        }
    }

    /// The channel, if the bot knows that it is there.
    pub(crate) fn channel(&self, id: Id) -> Result<&Channel, Refusal> {
        let channel = self.channels.get(&id).ok_or_else(|| unknown(10003))?;
        let known = channel
            .guild
            .is_none_or(|guild| self.guilds[&guild].members.contains_key(&self.bot));
        if !known
            || permissions::within(self, self.bot, channel) & permissions::VIEW_CHANNEL == 0
        {
            return Err(missing_access());
        }
        Ok(channel)
    }

    /// A message that the bot can look up.
    pub(crate) fn message(&self, channel: Id, id: Id) -> Result<&Message, Refusal> {
        self.channel(channel)?
            .messages
            .get(&id)
            .filter(|message| message.only_for.is_none())
            .ok_or_else(|| unknown(10008))
    }

    /// The guild, if the bot is in it.
    pub(crate) fn guild(&self, id: Id) -> Result<&Guild, Refusal> {
        let guild = self.guilds.get(&id).ok_or_else(|| unknown(10004))?;
        if guild.members.contains_key(&self.bot) {
            Ok(guild)
        } else {
            Err(missing_access())
        }
    }

    pub(crate) fn guilds_of_the_bot(&self) -> Vec<Id> {
        let guilds = self.guilds.values();
        guilds
            .filter(|guild| guild.members.contains_key(&self.bot))
            .map(|guild| guild.id)
            .collect()
    }

    /// The channel of the bot and `user`; made when it is first needed.
    pub(crate) fn direct(&mut self, user: Id) -> Id {
        let found = self.channels.values().find(|channel| {
            channel.kind == ChannelKind::Direct && channel.recipients.contains(&user)
        });
        if let Some(channel) = found {
            return channel.id;
        }
        let id = self.clock.snowflake();
        self.channels.insert(
            id,
            Channel {
                id,
                kind: ChannelKind::Direct,
                name: String::new(),
                guild: None,
                overwrites: Vec::new(),
                recipients: vec![user, self.bot],
                thread: None,
                messages: BTreeMap::new(),
            },
        );
        id
    }

    /// Whether what `message` says is the bot's to read without the `MESSAGE_CONTENT` intent.
    pub(crate) fn is_the_bots_to_read(&self, message: &Message) -> bool {
        message.author == self.bot
            || message.interaction.is_some()
            || message.mentions.users.contains(&self.bot)
            || self.channels[&message.channel].guild.is_none()
    }
}
