//! What Discord says, put into the librarian's words, and the librarian's pages, put into
//! Discord's requests.
//!
//! Translation only: nothing here waits, keeps or decides. What a person may do is decided
//! behind it; here is only told who they are.
//!
//! Here stands what all of it needs: what is known of a place, where a reply goes, who somebody
//! is. `message` reads what is said, `interaction` reads commands and buttons, `request` writes
//! what is sent.

mod message;
mod interaction;
mod request;

pub use interaction::{Choice, Completing, Heard, asked};
pub use message::heard;
pub use request::{Offer, choices, defer, edit, follow_up, message, nonce, whisper};

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serenity::model::channel::{Attachment, Message};
use serenity::model::guild::Role;
use serenity::model::id::{
    ApplicationId, ChannelId, GuildId, InteractionId, MessageId, RoleId, UserId,
};
use serenity::model::{Permissions, Timestamp};

use crate::domain::command::Standing;
use crate::domain::event::{Material, Person, Place, PlaceKind, Platform, Wish};
use crate::domain::language::Language;

/// What the adapter knows of the place where something was said.
#[derive(Clone, Debug)]
pub struct Here {
    /// Our own user.
    pub me: UserId,
    /// Our application.
    pub application: ApplicationId,
    /// The server; none in a direct message. A message that was fetched does not say it itself.
    pub server: Option<GuildId>,
    pub kind: PlaceKind,
    /// The server's roles.
    pub roles: BTreeMap<RoleId, Rank>,
    /// Who owns the server.
    pub owner: Option<UserId>,
    /// What is spoken here, for words that do not tell.
    pub language: Language,
}

/// A role, as far as it matters who has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rank {
    pub name: String,
    /// Whether those who have it administer the server.
    pub administers: bool,
}

impl From<&Role> for Rank {
    fn from(role: &Role) -> Self {
        Self {
            name: role.name.clone(),
            administers: administers(role.permissions),
        }
    }
}

fn administers(permissions: Permissions) -> bool {
    permissions.intersects(Permissions::ADMINISTRATOR | Permissions::MANAGE_GUILD)
}

/// Where a reply goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "to", rename_all = "kebab-case")]
pub enum Address {
    /// Below a message.
    Message {
        channel: ChannelId,
        message: MessageId,
        author: UserId,
        guild: Option<GuildId>,
    },
    /// To a command or a button. The token opens this one reply for a quarter of an hour from
    /// `at`; after that there is only the channel.
    Interaction {
        application: ApplicationId,
        id: InteractionId,
        token: String,
        channel: ChannelId,
        guild: Option<GuildId>,
        user: UserId,
        deferred: Deferred,
        at: DateTime<Utc>,
    },
}

impl Address {
    /// Reads what the [`address`](crate::domain::event::Event::address) of an event holds;
    /// `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// How an interaction is acknowledged, and with that where its reply will stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deferred {
    /// In a new post that everybody sees.
    Fresh,
    /// In a new post that only the person sees.
    Private,
    /// In the post whose button was pressed.
    InPlace,
}

impl Deferred {
    fn of(wish: &Wish) -> Self {
        match Standing::of(wish) {
            Standing::Open => Self::Fresh,
            Standing::Private => Self::Private,
            Standing::InPlace => Self::InPlace,
        }
    }
}

/// The attachment of what stands at `link`; its number keeps it from others of the same name.
fn file(attachment: &Attachment, link: &str) -> Material {
    Material::File {
        name: attachment.filename.clone(),
        content_type: attachment.content_type.clone(),
        bytes: attachment.size.into(),
        url: attachment.url.clone(),
        link: format!("{link}#{}", attachment.id),
    }
}

/// The files of a message, with those that it forwards.
fn attached(message: &Message, link: &str) -> Vec<Material> {
    let forwarded = message.message_snapshots.iter();
    let forwarded = forwarded.flat_map(|snapshot| &snapshot.attachments);
    let all = message.attachments.iter().chain(forwarded);
    all.map(|attachment| file(attachment, link)).collect()
}

fn link(guild: Option<GuildId>, channel: ChannelId, message: u64) -> String {
    let guild = guild.map_or_else(|| "@me".to_owned(), |guild| guild.to_string());
    format!("https://discord.com/channels/{guild}/{channel}/{message}")
}

fn when(at: Timestamp) -> DateTime<Utc> {
    let nanos = i64::try_from(at.unix_timestamp_nanos());
    DateTime::from_timestamp_nanos(nanos.unwrap_or(i64::MAX))
}

fn place(guild: Option<GuildId>, channel: ChannelId, kind: PlaceKind) -> Place {
    Place {
        platform: Platform::Discord,
        server: guild.map(|guild| guild.to_string()),
        channel: channel.to_string(),
        kind,
    }
}

fn person(
    id: UserId,
    roles: &[RoleId],
    permissions: Option<Permissions>,
    here: &Here,
) -> Person {
    let ranks = || roles.iter().filter_map(|role| here.roles.get(role));
    Person {
        id: id.to_string(),
        roles: ranks()
            .map(|rank| rank.name.clone())
            .chain(roles.iter().map(ToString::to_string))
            .collect(),
        administers: here.owner == Some(id)
            || permissions.is_some_and(administers)
            || ranks().any(|rank| rank.administers),
    }
}

#[cfg(test)]
mod examples;
