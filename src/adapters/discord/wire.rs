//! What Discord says, put into the librarian's words, and the librarian's pages, put into
//! Discord's requests.
//!
//! Translation only: nothing here waits, keeps or decides. What a person may do is decided
//! behind it; here is only told who they are.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use serenity::model::application::{
    CommandData, CommandInteraction, CommandType, Interaction, InteractionContext,
    ResolvedOption, ResolvedTarget, ResolvedValue,
};
use serenity::model::channel::{Attachment, ChannelType, Message, MessageType, PartialChannel};
use serenity::model::guild::{Member, Role};
use serenity::model::id::{
    ApplicationId, ChannelId, GuildId, InteractionId, MessageId, RoleId, UserId,
};
use serenity::model::user::User;
use serenity::model::{Permissions, Timestamp};

use super::dialect::{self, units};
use crate::adapters::chat::text::joined;
use crate::domain::command::{self, Given, Menu, Slip, Standing};
use crate::domain::document::Digest;
use crate::domain::event::{
    Event, EventKey, Material, Person, Place, PlaceKind, Platform, Press, Wish,
};
use crate::domain::language::Language;
use crate::domain::page::{Button, Page, Weight};

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
    /// Reads what [`Event::address`] holds; `None` for anything else.
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

/// What an interaction comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    Event(Box<Event>),
    /// Somebody is still typing, and wants to be shown what there is.
    Completing(Completing),
    /// Nothing can be made of it; a sentence for the person tells why.
    Slip(&'static str),
}

/// An option that is being typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completing {
    pub choice: Choice,
    /// What was typed so far.
    pub typed: String,
    pub place: Place,
    pub person: Person,
}

/// What there is to choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    Document,
    Collection,
}

/// What a message asks of us. `None` for what is not meant for us: no mention of us, no reply
/// to us and not in private; and for what no person said.
pub fn heard(message: &Message, here: &Here) -> Option<Event> {
    if !said_by_a_person(message, here) {
        return None;
    }
    let replies_to = replied_to(message, here);
    let mentioned = mentions(message, here.me);
    if !mentioned && replies_to.is_none() && here.kind != PlaceKind::Direct {
        return None;
    }
    let guild = message.guild_id.or(here.server);
    let text = plain(&message.content, message, here);
    if text.is_empty() && message.attachments.is_empty() && !mentioned {
        return None;
    }
    let files = files(
        &message.attachments,
        &link(guild, message.channel_id, message.id.get()),
    );
    let roles = message.member.as_ref().map(|member| &*member.roles);
    let address = Address::Message {
        channel: message.channel_id,
        message: message.id,
        author: message.author.id,
        guild,
    };
    Some(Event {
        key: EventKey::new(
            Platform::Discord,
            &format!("channel/{}/message/{}", message.channel_id, message.id),
        ),
        place: place(guild, message.channel_id, here.kind),
        person: person(message.author.id, roles.unwrap_or_default(), None, here),
        at: when(message.id.created_at()),
        language: language(&text, here),
        replies_to: replies_to.map(|id| id.to_string()),
        wish: command::said(text, files),
        address: serde_json::to_string(&address).ok()?,
    })
}

fn language(text: &str, here: &Here) -> Language {
    if text.contains(char::is_alphabetic) {
        Language::of(text)
    } else {
        here.language
    }
}

fn said_by_a_person(message: &Message, here: &Here) -> bool {
    let author = &message.author;
    matches!(
        message.kind,
        MessageType::Regular | MessageType::InlineReply
    ) && message.webhook_id.is_none()
        && !author.bot
        && !author.system
        && author.id != here.me
}

/// Our own message that `message` replies to.
fn replied_to(message: &Message, here: &Here) -> Option<MessageId> {
    let before = message.referenced_message.as_ref()?;
    (before.author.id == here.me).then_some(before.id)
}

/// Whether `message` calls us by name: a reply mentions without a word, and a name in code is
/// an example. Discord's list of those mentioned would tell the latter as well; other servers
/// leave it empty.
fn mentions(message: &Message, me: UserId) -> bool {
    let listed = message.mentions.iter().any(|user| user.id == me);
    let content = message.content.as_str();
    let named =
        |text: &str| text.contains(&format!("<@{me}>")) || text.contains(&format!("<@!{me}>"));
    if listed {
        return named(content);
    }
    let between_marks = content.split('`').step_by(2);
    between_marks.into_iter().any(named)
}

/// What an interaction asks of us. `None` if it is not for us.
pub fn asked(interaction: &Interaction, here: &Here) -> Option<Heard> {
    let asker = Asker::of(interaction)?;
    if interaction.application_id() != here.application {
        return None;
    }
    let wish = match interaction {
        Interaction::Command(command) => asked_for(&command.data, &asker, here),
        Interaction::Autocomplete(command) => return completing(command, &asker, here),
        Interaction::Component(component) => Press::parse(&component.data.custom_id)
            .map(Wish::Press)
            .ok_or(Slip::Unknown),
        // We open no form.
        Interaction::Modal(_) => Err(Slip::Unknown),
        Interaction::Ping(_) | _ => return None,
    };
    match wish {
        Ok(wish) => Some(Heard::Event(Box::new(asker.event(wish, here)?))),
        Err(slip) => Some(Heard::Slip(slip.words(asker.language()))),
    }
}

/// What all interactions have in common.
struct Asker<'a> {
    application: ApplicationId,
    id: InteractionId,
    token: &'a str,
    guild: Option<GuildId>,
    channel: ChannelId,
    /// What is said of the channel.
    about: Option<&'a PartialChannel>,
    context: Option<InteractionContext>,
    member: Option<&'a Member>,
    user: &'a User,
    locale: &'a str,
    /// The post of ours whose button was pressed.
    post: Option<MessageId>,
}

impl<'a> Asker<'a> {
    fn of(interaction: &'a Interaction) -> Option<Self> {
        macro_rules! asker {
            ($of:expr, $member:expr, $context:expr, $post:expr) => {
                Some(Self {
                    application: $of.application_id,
                    id: $of.id,
                    token: &$of.token,
                    guild: $of.guild_id,
                    channel: $of.channel_id,
                    about: $of.channel.as_ref(),
                    context: $context,
                    member: $member,
                    user: &$of.user,
                    locale: &$of.locale,
                    post: $post,
                })
            };
        }
        match interaction {
            Interaction::Command(of) | Interaction::Autocomplete(of) => {
                asker!(of, of.member.as_deref(), of.context, None)
            },
            Interaction::Component(of) => {
                asker!(of, of.member.as_ref(), of.context, Some(of.message.id))
            },
            Interaction::Modal(of) => asker!(of, of.member.as_ref(), None, None),
            Interaction::Ping(_) | _ => None,
        }
    }

    fn event(&self, wish: Wish, here: &Here) -> Option<Event> {
        let at = when(self.id.created_at());
        let address = Address::Interaction {
            application: self.application,
            id: self.id,
            token: self.token.to_owned(),
            channel: self.channel,
            guild: self.guild,
            user: self.user.id,
            deferred: Deferred::of(&wish),
            at,
        };
        Some(Event {
            key: EventKey::new(Platform::Discord, &format!("interaction/{}", self.id)),
            place: self.place(here),
            person: self.person(here),
            at,
            language: self.language(),
            replies_to: self.post.map(|id| id.to_string()),
            wish,
            address: serde_json::to_string(&address).ok()?,
        })
    }

    fn place(&self, here: &Here) -> Place {
        let thread = self.about.is_some_and(|channel| {
            matches!(
                channel.kind,
                ChannelType::NewsThread
                    | ChannelType::PublicThread
                    | ChannelType::PrivateThread
            )
        });
        let kind = match self.guild {
            // Several people can be in a private channel that is not with us.
            None if self.context == Some(InteractionContext::PrivateChannel) => {
                PlaceKind::Channel
            },
            None => PlaceKind::Direct,
            Some(_) if thread => PlaceKind::Thread,
            Some(_) => here.kind,
        };
        place(self.guild, self.channel, kind)
    }

    fn person(&self, here: &Here) -> Person {
        let roles = self.member.map(|member| &*member.roles).unwrap_or_default();
        let permissions = self.member.and_then(|member| member.permissions);
        person(self.user.id, roles, permissions, here)
    }

    fn language(&self) -> Language {
        if self.locale == "ko" {
            Language::Korean
        } else {
            Language::English
        }
    }

    /// Where the words of the command were said. Discord opens a channel near such a place even
    /// though no message stands there.
    fn link(&self) -> String {
        link(self.guild, self.channel, self.id.get())
    }
}

fn asked_for(chosen: &CommandData, asker: &Asker<'_>, here: &Here) -> Result<Wish, Slip> {
    if chosen.kind == CommandType::Message {
        return menu(chosen, asker, here);
    }
    let options = chosen.options();
    let part = options.iter().find_map(|option| {
        let ResolvedValue::SubCommand(options) = &option.value else {
            return None;
        };
        Some((option.name, options))
    });
    match part {
        Some((name, options)) => {
            command::wish(&chosen.name, Some(name), &given(options, asker))
        },
        None => command::wish(&chosen.name, None, &given(&options, asker)),
    }
}

fn given(options: &[ResolvedOption<'_>], asker: &Asker<'_>) -> Given {
    let mut given = Given {
        link: asker.link(),
        ..Given::default()
    };
    for option in options {
        if let ResolvedValue::String(text) = &option.value {
            given
                .texts
                .insert(option.name.to_owned(), (*text).to_owned());
        }
        if let ResolvedValue::Attachment(attachment) = &option.value
            && option.name == "file"
        {
            given.file = Some(file(attachment, &given.link));
        }
    }
    given
}

/// A command in a message's own menu.
fn menu(chosen: &CommandData, asker: &Asker<'_>, here: &Here) -> Result<Wish, Slip> {
    let Some(ResolvedTarget::Message(message)) = chosen.target() else {
        return Err(Slip::Unknown);
    };
    let menu = match chosen.name.as_str() {
        "Add to library" => Menu::Add,
        "Ask the librarian about this" => Menu::Ask,
        _ => return Err(Slip::Unknown),
    };
    let link = link(asker.guild, message.channel_id, message.id.get());
    let files = attached(message, &link);
    command::of_message(menu, whole(message, here), files, link)
}

/// The files of a message, with those that it forwards.
fn attached(message: &Message, link: &str) -> Vec<Material> {
    let forwarded = message.message_snapshots.iter();
    let forwarded = forwarded.flat_map(|snapshot| &snapshot.attachments);
    let all = message.attachments.iter().chain(forwarded);
    all.map(|attachment| file(attachment, link)).collect()
}

/// The words of a message, with those that it forwards.
fn whole(message: &Message, here: &Here) -> String {
    let forwarded = message.message_snapshots.iter();
    std::iter::once(&message.content)
        .chain(forwarded.map(|snapshot| &snapshot.content))
        .map(|content| plain(content, message, here))
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join("\n\n")
}

fn completing(command: &CommandInteraction, asker: &Asker<'_>, here: &Here) -> Option<Heard> {
    let option = command.data.autocomplete()?;
    let choice = match option.name {
        "document" => Choice::Document,
        "collection" => Choice::Collection,
        _ => return None,
    };
    Some(Heard::Completing(Completing {
        choice,
        typed: option.value.trim().to_owned(),
        place: asker.place(here),
        person: asker.person(here),
    }))
}

fn files(attachments: &[Attachment], link: &str) -> Vec<Material> {
    attachments
        .iter()
        .map(|attachment| file(attachment, link))
        .collect()
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

/// `content` as it is read aloud: without our name, and with names instead of numbers.
fn plain(content: &str, message: &Message, here: &Here) -> String {
    let (mut text, mut rest) = (String::new(), content);
    while let Some((before, from)) = rest.split_once('<') {
        text.push_str(before);
        let read = from
            .split_once('>')
            .and_then(|(tag, after)| Some((spoken(tag, message, here)?, after)));
        match read {
            Some((name, after)) if name.is_empty() => rest = joined(&text, after),
            Some((name, after)) => {
                text.push_str(&name);
                rest = after;
            },
            None => {
                text.push('<');
                rest = from;
            },
        }
    }
    text.push_str(rest);
    text.trim().to_owned()
}

/// How the notation between `<` and `>` is read aloud: nothing for our own name and for a
/// channel whose name is not known; `None` for what is no notation.
fn spoken<'a>(tag: &'a str, message: &'a Message, here: &'a Here) -> Option<Cow<'a, str>> {
    if let Some(id) = tag.strip_prefix("@&").and_then(number) {
        let rank = here.roles.get(&RoleId::new(id))?;
        return Some(Cow::Borrowed(&rank.name));
    }
    if let Some(id) = tag.strip_prefix('@') {
        let id = UserId::new(number(id.strip_prefix('!').unwrap_or(id))?);
        if id == here.me {
            return Some(Cow::Borrowed(""));
        }
        let user = message.mentions.iter().find(|user| user.id == id)?;
        return Some(Cow::Borrowed(display_name(user)));
    }
    if let Some(id) = tag.strip_prefix('#').and_then(number) {
        let channel = message
            .mention_channels
            .iter()
            .find(|channel| channel.id.get() == id);
        return Some(channel.map_or(Cow::Borrowed(""), |channel| {
            Cow::Owned(format!("#{}", channel.name))
        }));
    }
    let (name, id) = tag.rsplit_once(':')?;
    number(id)?;
    if name.starts_with('/') {
        return Some(Cow::Borrowed(name));
    }
    let name = name.strip_prefix(':').or_else(|| name.strip_prefix("a:"))?;
    let named = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    named.then_some(Cow::Borrowed(name))
}

/// An id, which is never 0.
fn number(digits: &str) -> Option<u64> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|id| plain && *id != 0)
}

fn display_name(user: &User) -> &str {
    let nick = user
        .member
        .as_ref()
        .and_then(|member| member.nick.as_deref());
    nick.unwrap_or_else(|| user.display_name())
}

/// A new message in a channel, below `reply_to` where that still stands. Discord makes one
/// message of however many with the same `nonce` it is sent within some minutes.
pub fn message(page: &Page, reply_to: Option<(ChannelId, MessageId)>, nonce: &str) -> Value {
    let mut request = post(page, SUPPRESS_EMBEDS);
    request.insert("nonce".into(), nonce.into());
    request.insert("enforce_nonce".into(), true.into());
    if let Some((channel, id)) = reply_to {
        // A server that gives it back as it was sent would else tell of a message that serenity
        // cannot read: a button under it would be heard by nobody.
        let reference = json!({
            "channel_id": channel,
            "message_id": id,
            "fail_if_not_exists": false,
        });
        request.insert("message_reference".into(), reference);
    }
    Value::Object(request)
}

/// What takes the place of a message of ours, whichever way it was posted: buttons that are not
/// on `page` go.
pub fn edit(page: &Page) -> Value {
    Value::Object(post(page, SUPPRESS_EMBEDS))
}

/// A further message below the reply to an interaction that was `deferred`.
pub fn follow_up(page: &Page, deferred: Deferred) -> Value {
    let flags = match deferred {
        Deferred::Private => SUPPRESS_EMBEDS | EPHEMERAL,
        Deferred::Fresh | Deferred::InPlace => SUPPRESS_EMBEDS,
    };
    Value::Object(post(page, flags))
}

/// Acknowledges an interaction; its reply takes the place of this.
pub fn defer(deferred: Deferred) -> Value {
    match deferred {
        Deferred::Fresh => json!({ "type": DEFERRED_MESSAGE }),
        Deferred::Private => {
            json!({ "type": DEFERRED_MESSAGE, "data": { "flags": EPHEMERAL } })
        },
        Deferred::InPlace => json!({ "type": DEFERRED_UPDATE }),
    }
}

/// Replies to an interaction at once, so that only the person sees it.
pub fn whisper(page: &Page) -> Value {
    json!({ "type": MESSAGE, "data": post(page, SUPPRESS_EMBEDS | EPHEMERAL) })
}

/// Something that can be chosen: as it is shown, and as it comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    pub name: String,
    pub value: String,
}

/// Offers what can be chosen for an option that is being typed, as far as it fits. A value that
/// is too long is left out: cut, it would be another one.
pub fn choices(offers: &[Offer]) -> Value {
    const MOST: usize = 25;
    const LONGEST: usize = 100;
    let choices: Vec<_> = offers
        .iter()
        .filter(|offer| !offer.name.trim().is_empty() && units(&offer.value) <= LONGEST)
        .take(MOST)
        .map(|offer| json!({ "name": shortened(&offer.name, LONGEST), "value": offer.value }))
        .collect();
    json!({ "type": CHOICES, "data": { "choices": choices } })
}

/// The name by which Discord tells that part number `part` of the reply to an event was posted
/// before.
pub fn nonce(key: &EventKey, part: usize) -> String {
    const LONGEST: usize = 25;
    let digest = Digest::of(format!("{}/{part}", key.as_str()).as_bytes()).to_string();
    digest.chars().take(LONGEST).collect()
}

const SUPPRESS_EMBEDS: u64 = 1 << 2;
const EPHEMERAL: u64 = 1 << 6;

// Kinds of replies to an interaction.
const MESSAGE: u8 = 4;
const DEFERRED_MESSAGE: u8 = 5;
const DEFERRED_UPDATE: u8 = 6;
const CHOICES: u8 = 8;

/// What posts and edits have in common. Nobody is ever called: Discord reads mentions anew with
/// every edit.
fn post(page: &Page, flags: u64) -> Map<String, Value> {
    let mut request = Map::new();
    request.insert("content".into(), dialect::content(page).into());
    request.insert(
        "allowed_mentions".into(),
        json!({ "parse": [], "replied_user": false }),
    );
    request.insert("flags".into(), flags.into());
    request.insert("components".into(), rows(&page.buttons).into());
    request
}

fn rows(buttons: &[Button]) -> Vec<Value> {
    const A_ROW: usize = 5;
    const ROWS: usize = 5;
    let row = |buttons: &[Button]| {
        let buttons: Vec<_> = buttons.iter().map(button).collect();
        json!({ "type": 1, "components": buttons })
    };
    buttons.chunks(A_ROW).take(ROWS).map(row).collect()
}

fn button(button: &Button) -> Value {
    const LONGEST: usize = 80;
    let style = match button.weight {
        Weight::Main => 1,
        Weight::Plain => 2,
        Weight::Danger => 4,
    };
    json!({
        "type": 2,
        "style": style,
        "label": shortened(button.label, LONGEST),
        "custom_id": button.press.code(),
    })
}

/// `text`, or as much of its beginning as fits with a sign that it goes on.
fn shortened(text: &str, longest: usize) -> String {
    if units(text) <= longest {
        return text.to_owned();
    }
    let mut room = longest - 1;
    let start = text.chars().take_while(|c| {
        let fits = c.len_utf16() <= room;
        room = room.saturating_sub(c.len_utf16());
        fits
    });
    start.chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: u64 = 900;
    const APPLICATION: u64 = 901;
    const GUILD: u64 = 50;
    const CHANNEL: u64 = 60;
    /// The id of Discord's own example: 2016-04-30T11:18:25.796Z.
    const ID: &str = "175928847299117063";

    fn here() -> Here {
        let rank = |name: &str, administers| Rank {
            name: name.to_owned(),
            administers,
        };
        Here {
            me: UserId::new(ME),
            application: ApplicationId::new(APPLICATION),
            server: None,
            kind: PlaceKind::Channel,
            roles: BTreeMap::from([
                (RoleId::new(70), rank("사서", false)),
                (RoleId::new(71), rank("staff", true)),
            ]),
            owner: Some(UserId::new(800)),
            language: Language::Korean,
        }
    }

    fn direct() -> Here {
        Here {
            kind: PlaceKind::Direct,
            roles: BTreeMap::new(),
            owner: None,
            ..here()
        }
    }

    fn user(id: u64, name: &str) -> Value {
        json!({
            "id": id.to_string(), "username": name.to_lowercase(), "discriminator": "0",
            "global_name": name, "avatar": null, "public_flags": 0,
        })
    }

    fn me() -> Value {
        let mut me = user(ME, "saseo");
        me["bot"] = true.into();
        me
    }

    fn with(mut base: Value, changes: Value) -> Value {
        let Value::Object(changes) = changes else {
            panic!("changes are an object");
        };
        base.as_object_mut().unwrap().extend(changes);
        base
    }

    /// A `MESSAGE_CREATE` that mentions us.
    fn said(content: &str, changes: Value) -> Message {
        let base = json!({
            "id": ID, "channel_id": CHANNEL.to_string(), "guild_id": GUILD.to_string(),
            "author": user(1, "Ada"), "content": content, "type": 0,
            "member": {
                "roles": ["70"], "joined_at": "2020-01-01T00:00:00+00:00", "deaf": false,
                "mute": false, "flags": 0, "nick": null,
            },
            "timestamp": "2016-04-30T11:18:25.796000+00:00", "edited_timestamp": null,
            "tts": false, "mention_everyone": false, "mentions": [me()], "mention_roles": [],
            "attachments": [], "embeds": [], "pinned": false, "flags": 0, "components": [],
            "nonce": "1", "channel_type": 0,
        });
        serde_json::from_value(with(base, changes)).unwrap()
    }

    /// A direct message.
    fn whispered(content: &str, changes: Value) -> Message {
        let mut message = said(content, with(json!({ "mentions": [] }), changes));
        message.guild_id = None;
        message.member = None;
        message
    }

    fn attachment(id: u64, name: &str, kind: Option<&str>) -> Value {
        let mut attachment = json!({
            "id": id.to_string(), "filename": name, "size": 12, "proxy_url": "https://p.example",
            "url": format!("https://cdn.example/{name}?ex=1"), "content_type_": null,
        });
        if let Some(kind) = kind {
            attachment["content_type"] = kind.into();
        }
        attachment
    }

    fn replying(content: &str, from: &Value, changes: Value) -> Message {
        let before = json!({
            "id": "77", "channel_id": CHANNEL.to_string(), "author": from, "content": "So it is.",
            "type": 0, "timestamp": "2016-04-30T11:00:00+00:00", "edited_timestamp": null,
            "tts": false, "mention_everyone": false, "mentions": [], "mention_roles": [],
            "attachments": [], "embeds": [], "pinned": false, "components": [],
        });
        let reply = json!({
            "type": 19, "referenced_message": before, "mentions": [],
            "message_reference": { "message_id": "77", "channel_id": CHANNEL.to_string() },
        });
        said(content, with(reply, changes))
    }

    fn asking(question: &str, unread: &[&str]) -> Wish {
        Wish::Ask {
            question: question.to_owned(),
            unread: unread.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[track_caller]
    fn check_question(message: &Message, here: &Here, expected: &str) {
        let event = heard(message, here).expect("it is meant for us");
        let question = expected.to_owned();
        let Wish::Ask { question: read, .. } = event.wish else {
            panic!("no question");
        };
        assert_eq!(read, question);
    }

    #[test]
    fn a_mention_is_a_question_and_everything_about_it_is_told() {
        let event = heard(&said("<@900> how long is leave?", json!({})), &here()).unwrap();
        assert_eq!(
            event.key.as_str(),
            format!("discord:channel/60/message/{ID}")
        );
        assert_eq!(
            event.place,
            place(
                Some(GuildId::new(50)),
                ChannelId::new(60),
                PlaceKind::Channel
            )
        );
        assert_eq!(event.person.id, "1");
        assert_eq!(event.person.roles, ["사서", "70"]);
        assert!(!event.person.administers);
        assert_eq!(event.at.to_rfc3339(), "2016-04-30T11:18:25.796+00:00");
        assert_eq!(event.language, Language::English);
        assert_eq!(event.replies_to, None);
        assert_eq!(
            event.address,
            format!(
                r#"{{"to":"message","channel":"60","message":"{ID}","author":"1","guild":"50"}}"#
            )
        );
        assert_eq!(
            Address::parse(&event.address),
            Some(Address::Message {
                channel: ChannelId::new(60),
                message: MessageId::new(ID.parse().unwrap()),
                author: UserId::new(1),
                guild: Some(GuildId::new(50)),
            })
        );
        assert_eq!(Address::parse("elsewhere"), None);
    }

    #[test]
    fn our_name_is_taken_out_of_what_is_said() {
        for (content, question) in [
            ("<@900> when?", "when?"),
            ("<@!900>, when?", "when?"),
            ("so <@900> when?", "so when?"),
            ("when, <@900>?", "when, ?"),
            ("when?\n<@900>", "when?"),
            ("<@900> <@900>", ""),
            (
                "<@900> /library add url:https://a.example",
                "/library add url:https://a.example",
            ),
            ("<@900>\n/ask why", "/ask why"),
            ("<@900> is 1 < 2 > 0 <b>?", "is 1 < 2 > 0 <b>?"),
        ] {
            check_question(&said(content, json!({})), &here(), question);
        }
    }

    #[test]
    fn other_notation_is_read_aloud() {
        let mut kim = user(2, "Kim");
        kim["member"] = json!({ "roles": [], "nick": "김 팀장", "flags": 0 });
        let changes = json!({
            "mentions": [me(), kim, user(3, "Lee")],
            "mention_channels": [{
                "id": "61", "guild_id": "50", "type": 0, "name": "rules",
            }],
        });
        for (content, question) in [
            ("<@900> ask <@2> or <@!3>", "ask 김 팀장 or Lee"),
            ("<@900> who is <@4>?", "who is <@4>?"),
            ("<@900> may <@&70> and <@&79>?", "may 사서 and <@&79>?"),
            ("<@900> see <#61> <#62>!", "see #rules !"),
            ("<@900> <:ship_it:5> <a:party:6>", "ship_it party"),
            ("<@900> what is </library add:7>?", "what is /library add?"),
            ("<@900> at <t:1700000000:R>", "at <t:1700000000:R>"),
        ] {
            check_question(&said(content, changes.clone()), &here(), question);
        }
    }

    #[test]
    fn who_does_not_call_us_is_not_heard() {
        for message in [
            said("no name", json!({})),
            said("`<@900>` in code", json!({ "mentions": [] })),
            said(
                "<@&70> all",
                json!({ "mentions": [], "mention_roles": ["70"] }),
            ),
            said(
                "@everyone",
                json!({ "mentions": [], "mention_everyone": true }),
            ),
            said("<@2>?", json!({ "mentions": [user(2, "Kim")] })),
        ] {
            assert_eq!(heard(&message, &here()), None, "{}", message.content);
        }
    }

    #[test]
    fn only_people_are_heard() {
        let mut bot = user(2, "Bot");
        bot["bot"] = true.into();
        let mut system = user(3, "Discord");
        system["system"] = true.into();
        for changes in [
            json!({ "author": bot }),
            json!({ "author": system }),
            json!({ "author": user(ME, "saseo") }),
            json!({ "webhook_id": "5" }),
            json!({ "type": 7 }),
            json!({ "type": 20 }),
            json!({ "type": 21 }),
        ] {
            let message = said("<@900> when?", changes.clone());
            assert_eq!(heard(&message, &here()), None, "{changes}");
        }
    }

    #[test]
    fn a_reply_to_us_goes_on_without_our_name() {
        let message = replying("and after that?", &me(), json!({}));
        let event = heard(&message, &here()).unwrap();
        assert_eq!(event.replies_to.as_deref(), Some("77"));
        check_question(&message, &here(), "and after that?");

        let to_another = replying("and after that?", &user(2, "Kim"), json!({}));
        assert_eq!(heard(&to_another, &here()), None);
        let mentioning = replying(
            "<@900> is that so?",
            &user(2, "Kim"),
            json!({ "mentions": [me()] }),
        );
        assert_eq!(heard(&mentioning, &here()).unwrap().replies_to, None);
        let thread_starter = replying("and?", &me(), json!({ "type": 21 }));
        assert_eq!(heard(&thread_starter, &here()), None);
    }

    #[test]
    fn a_reply_whose_words_are_withheld_is_not_heard() {
        assert_eq!(heard(&replying("", &me(), json!({})), &here()), None);
        let pinged = replying("", &me(), json!({ "mentions": [me()] }));
        assert_eq!(heard(&pinged, &here()), None);
    }

    #[test]
    fn a_name_and_nothing_else_is_an_empty_question() {
        check_question(&said(" <@900> ", json!({})), &here(), "");
        check_question(
            &replying("<@!900>", &me(), json!({ "mentions": [me()] })),
            &here(),
            "",
        );
    }

    #[test]
    fn in_private_everything_is_for_us() {
        let event = heard(&whispered("휴가는?", json!({})), &direct()).unwrap();
        assert_eq!(event.place.server, None);
        assert_eq!(event.place.kind, PlaceKind::Direct);
        assert_eq!(event.language, Language::Korean);
        assert!(event.person.roles.is_empty());
        check_question(&whispered("휴가는?", json!({})), &direct(), "휴가는?");
        assert_eq!(heard(&whispered("", json!({})), &direct()), None);
        assert_eq!(heard(&whispered("  ", json!({})), &direct()), None);
    }

    #[test]
    fn a_fetched_message_belongs_to_the_server_it_was_fetched_from() {
        let message = whispered("<@900> when?", json!({ "mentions": [me()] }));
        let here = Here {
            server: Some(GuildId::new(50)),
            kind: PlaceKind::Thread,
            ..here()
        };
        let event = heard(&message, &here).unwrap();
        assert_eq!(event.place.server.as_deref(), Some("50"));
        assert_eq!(event.place.kind, PlaceKind::Thread);
        assert!(event.address.contains(r#""guild":"50""#));
    }

    #[test]
    fn words_without_letters_are_spoken_to_in_the_language_of_the_place() {
        let language =
            |content: &str| heard(&said(content, json!({})), &here()).unwrap().language;
        assert_eq!(language("<@900>"), Language::Korean);
        assert_eq!(language("<@900> 404?"), Language::Korean);
        assert_eq!(language("<@900> why 404?"), Language::English);
        assert_eq!(language("<@900> なぜ?"), Language::Other);
    }

    #[test]
    fn owners_and_administering_roles_administer() {
        let administers = |changes: Value| {
            let message = said("<@900> when?", changes);
            heard(&message, &here()).unwrap().person.administers
        };
        let member = |role: &str| json!({ "roles": [role], "flags": 0 });
        assert!(administers(json!({ "author": user(800, "Owner") })));
        assert!(administers(json!({ "member": member("71") })));
        assert!(!administers(json!({ "member": member("70") })));
        assert!(!administers(json!({ "member": member("5") })));

        let role: Role = serde_json::from_value(json!({
            "id": "9", "name": "mods", "permissions": "32", "position": 1, "color": 0,
            "colors": { "primary_color": 0, "secondary_color": null, "tertiary_color": null },
            "hoist": false, "managed": false, "mentionable": false, "flags": 0,
        }))
        .unwrap();
        let expected = Rank {
            name: "mods".into(),
            administers: true,
        };
        assert_eq!(Rank::from(&role), expected);
    }

    fn added(message: &Message, here: &Here) -> Vec<Material> {
        let event = heard(message, here).unwrap();
        let Wish::Add {
            what,
            title: None,
            collection: None,
        } = event.wish
        else {
            panic!("{:?}", event.wish);
        };
        what
    }

    #[test]
    fn files_are_to_be_added_and_the_words_beside_them_are_left_out() {
        let files = json!({ "attachments": [
            attachment(11, "guide.md", None),
            attachment(12, "plan.png", Some("image/png")),
        ]});
        let what = added(&said("<@900> please keep these", files), &here());
        assert_eq!(
            what.first(),
            Some(&Material::File {
                name: "guide.md".into(),
                content_type: None,
                bytes: 12,
                url: "https://cdn.example/guide.md?ex=1".into(),
                link: format!("https://discord.com/channels/50/60/{ID}#11"),
            })
        );
        assert_eq!(what.len(), 2);
    }

    #[test]
    fn words_beside_a_picture_are_a_question() {
        let pictures = json!({ "attachments": [
            attachment(11, "error.png", Some("image/png")),
            attachment(12, "error.webm", Some("video/webm")),
        ]});
        let message = said("<@900> why is this?", pictures.clone());
        let asked = asking("why is this?", &["error.png", "error.webm"]);
        assert_eq!(heard(&message, &here()).unwrap().wish, asked);
        assert_eq!(added(&said("<@900>", pictures.clone()), &here()).len(), 2);
        let sent = whispered("", pictures);
        assert_eq!(added(&sent, &direct()).len(), 2);
        let Some(Material::File { link, .. }) = added(&sent, &direct()).into_iter().next()
        else {
            panic!("no file");
        };
        assert_eq!(link, format!("https://discord.com/channels/@me/60/{ID}#11"));
    }

    /// An `INTERACTION_CREATE` of the given type.
    fn interaction(kind: u8, data: &Value, changes: Value) -> Interaction {
        let base = json!({
            "id": ID, "application_id": APPLICATION.to_string(), "type": kind, "data": data,
            "guild_id": GUILD.to_string(), "channel_id": CHANNEL.to_string(),
            "channel": { "id": CHANNEL.to_string(), "type": 0, "name": "general" },
            "member": {
                "user": user(1, "Ada"), "roles": ["70"], "nick": null, "avatar": null,
                "joined_at": "2020-01-01T00:00:00+00:00", "premium_since": null, "deaf": false,
                "mute": false, "flags": 0, "pending": false, "permissions": "0",
            },
            "token": "secret", "version": 1, "app_permissions": "2048", "locale": "en-US",
            "guild_locale": "en-US", "entitlements": [], "context": 0,
            "authorizing_integration_owners": { "0": GUILD.to_string() },
            "attachment_size_limit": 10_485_760,
        });
        serde_json::from_value(with(base, changes)).unwrap()
    }

    fn slash(name: &str, options: Value) -> Value {
        let mut command = json!({ "id": "30", "name": name, "type": 1 });
        command["options"] = options;
        command
    }

    fn text(name: &str, value: &str) -> Value {
        json!({ "name": name, "type": 3, "value": value })
    }

    fn of_library(name: &str, options: Value) -> Value {
        let mut subcommand = json!({ "name": name, "type": 1 });
        subcommand["options"] = options;
        slash("library", vec![subcommand].into())
    }

    #[track_caller]
    fn event(interaction: &Interaction) -> Event {
        match asked(interaction, &here()) {
            Some(Heard::Event(event)) => *event,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn deferred(event: &Event) -> Deferred {
        match Address::parse(&event.address) {
            Some(Address::Interaction { deferred, .. }) => deferred,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn check_command(data: &Value, wish: &Wish, expected: Deferred) {
        let event = event(&interaction(2, data, json!({})));
        assert_eq!(&event.wish, wish);
        assert_eq!(deferred(&event), expected);
    }

    #[track_caller]
    fn check_slip(kind: u8, data: &Value, expected: Slip) {
        for (locale, language) in [("ko", Language::Korean), ("fr", Language::English)] {
            let interaction = interaction(kind, data, json!({ "locale": locale }));
            assert_eq!(
                asked(&interaction, &here()),
                Some(Heard::Slip(expected.words(language)))
            );
        }
    }

    #[test]
    fn a_command_is_told_with_everything_about_it() {
        let data = slash("ask", json!([text("question", " when? ")]));
        let event = event(&interaction(2, &data, json!({ "locale": "ko" })));
        assert_eq!(event.key.as_str(), format!("discord:interaction/{ID}"));
        assert_eq!(event.person.roles, ["사서", "70"]);
        assert!(!event.person.administers);
        assert_eq!(event.at.to_rfc3339(), "2016-04-30T11:18:25.796+00:00");
        assert_eq!(event.language, Language::Korean);
        assert_eq!(event.place.kind, PlaceKind::Channel);
        assert_eq!(event.replies_to, None);
        assert_eq!(
            event.address,
            format!(
                r#"{{"to":"interaction","application":"901","id":"{ID}","token":"secret","channel":"60","guild":"50","user":"1","deferred":"fresh","at":"2016-04-30T11:18:25.796Z"}}"#
            )
        );
    }

    #[test]
    fn each_command_is_a_wish_and_private_ones_are_answered_in_private() {
        let question = "when?".to_owned();
        check_command(
            &slash("ask", json!([text("question", " when? ")])),
            &asking(&question, &[]),
            Deferred::Fresh,
        );
        check_command(
            &of_library("remove", json!([text("document", "a.md")])),
            &Wish::Remove { uri: "a.md".into() },
            Deferred::Fresh,
        );
        check_command(
            &of_library("list", json!([])),
            &Wish::List { collection: None },
            Deferred::Private,
        );
        let collection = Some("hr".to_owned());
        check_command(
            &of_library("list", json!([text("collection", "hr")])),
            &Wish::List { collection },
            Deferred::Private,
        );
        let words = "leave days".to_owned();
        check_command(
            &of_library("search", json!([text("words", "leave days")])),
            &Wish::Search { words },
            Deferred::Private,
        );
    }

    #[test]
    fn commands_without_options_are_wishes_too() {
        let private = Deferred::Private;
        check_command(&of_library("status", json!([])), &Wish::Status, private);
        check_command(&of_library("log", json!([])), &Wish::Log, private);
        check_command(&slash("stop", json!([])), &Wish::Stop, private);
        let fresh = Deferred::Fresh;
        let source = None;
        check_command(&slash("sync", json!([])), &Wish::Sync { source }, fresh);
        let source = Some("wiki".to_owned());
        check_command(
            &slash("sync", json!([text("source", "wiki")])),
            &Wish::Sync { source },
            fresh,
        );
    }

    #[test]
    fn an_address_a_file_and_a_text_can_be_added_at_once() {
        let mut data = of_library(
            "add",
            json!([
                text("url", "https://a.example/휴가"),
                { "name": "file", "type": 11, "value": "11" },
                text("text", "Leave is 15 days."),
                text("title", "Leave"),
                text("collection", "hr"),
            ]),
        );
        data["resolved"] = json!({
            "attachments": { "11": attachment(11, "guide.md", Some("text/markdown")) },
        });
        let link = format!("https://discord.com/channels/50/60/{ID}");
        let what = vec![
            Material::Page {
                url: "https://a.example/%ED%9C%B4%EA%B0%80".into(),
            },
            Material::File {
                name: "guide.md".into(),
                content_type: Some("text/markdown".into()),
                bytes: 12,
                url: "https://cdn.example/guide.md?ex=1".into(),
                link: format!("{link}#11"),
            },
            Material::Text {
                text: "Leave is 15 days.".into(),
                link,
            },
        ];
        let wish = Wish::Add {
            what,
            title: Some("Leave".into()),
            collection: Some("hr".into()),
        };
        check_command(&data, &wish, Deferred::Fresh);
    }

    #[test]
    fn what_is_missing_or_odd_is_told_in_the_persons_language() {
        let odd = json!([{ "name": "question", "type": 4, "value": 7 }]);
        for (data, slip) in [
            (slash("ask", json!([])), Slip::NoQuestion),
            (
                slash("ask", json!([text("question", "  ")])),
                Slip::NoQuestion,
            ),
            (slash("ask", odd), Slip::NoQuestion),
            (of_library("add", json!([])), Slip::NothingToAdd),
            (
                of_library("add", json!([text("title", "Only a title")])),
                Slip::NothingToAdd,
            ),
            (
                of_library(
                    "add",
                    json!([{ "name": "file", "type": 11, "value": "404" }]),
                ),
                Slip::NothingToAdd,
            ),
            (
                of_library("add", json!([text("url", "the wiki")])),
                Slip::NotAnAddress,
            ),
            (
                of_library("add", json!([text("url", "file:///etc/passwd")])),
                Slip::NotAnAddress,
            ),
            (
                of_library("add", json!([text("url", "javascript:alert(1)")])),
                Slip::NotAnAddress,
            ),
        ] {
            check_slip(2, &data, slip);
        }
    }

    #[test]
    fn what_was_never_offered_is_told_in_the_persons_language() {
        for (data, slip) in [
            (of_library("remove", json!([])), Slip::NoDocument),
            (
                of_library("search", json!([text("words", "")])),
                Slip::NoWords,
            ),
            (of_library("burn", json!([])), Slip::Unknown),
            (slash("library", json!([])), Slip::Unknown),
            (slash("library", json!([text("add", "x")])), Slip::Unknown),
            (slash("dance", json!([])), Slip::Unknown),
        ] {
            check_slip(2, &data, slip);
        }
    }

    /// A command in the menu of a message by somebody else.
    fn menu_of(name: &str, content: &str, changes: Value) -> Value {
        let message = said(content, json!({ "author": user(2, "Kim"), "mentions": [] }));
        let message = with(serde_json::to_value(message).unwrap(), changes);
        json!({
            "id": "31", "name": name, "type": 3, "target_id": ID,
            "resolved": { "messages": { ID: message } },
        })
    }

    #[test]
    fn a_message_can_be_added_from_its_menu() {
        let link = format!("https://discord.com/channels/50/60/{ID}");
        let files = json!({ "attachments": [attachment(11, "a.md", None)] });
        let data = menu_of("Add to library", "Leave is\n15 days.", files);
        let text = Material::Text {
            text: "Leave is\n15 days.".into(),
            link: link.clone(),
        };
        let file = Material::File {
            name: "a.md".into(),
            content_type: None,
            bytes: 12,
            url: "https://cdn.example/a.md?ex=1".into(),
            link: format!("{link}#11"),
        };
        let wish = Wish::Add {
            what: vec![text, file],
            title: None,
            collection: None,
        };
        check_command(&data, &wish, Deferred::Fresh);
        check_slip(
            2,
            &menu_of("Add to library", "", json!({})),
            Slip::EmptyMessage,
        );
    }

    #[test]
    fn a_forwarded_message_is_read_where_it_was_forwarded_to() {
        let forwarded = json!({ "message_snapshots": [{ "message": {
            "content": "Leave is 15 days.", "timestamp": "2016-04-30T11:00:00+00:00",
            "edited_timestamp": null, "mentions": [], "mention_roles": [], "type": 0,
            "attachments": [attachment(12, "b.md", None)], "embeds": [], "flags": 0,
        }}]});
        let ask = menu_of("Ask the librarian about this", "", forwarded.clone());
        let question = "Leave is 15 days.".to_owned();
        check_command(&ask, &asking(&question, &["b.md"]), Deferred::Fresh);
        let add = menu_of("Add to library", "", forwarded);
        let Wish::Add { what, .. } = event(&interaction(2, &add, json!({}))).wish else {
            panic!("not added");
        };
        assert_eq!(what.len(), 2);
    }

    #[test]
    fn a_message_can_be_asked_about_from_its_menu() {
        let data = menu_of("Ask the librarian about this", "<@900> why?", json!({}));
        let question = "why?".to_owned();
        check_command(&data, &asking(&question, &[]), Deferred::Fresh);
        let empty = menu_of("Ask the librarian about this", "", json!({}));
        check_slip(2, &empty, Slip::EmptyMessage);
        check_slip(2, &menu_of("Dance", "why?", json!({})), Slip::Unknown);
        let lost = json!({ "id": "31", "name": "Add to library", "type": 3, "target_id": "9" });
        check_slip(2, &lost, Slip::Unknown);
    }

    fn pressed(code: &str, changes: Value) -> Interaction {
        let post = serde_json::to_value(said("Here.", json!({ "author": me() }))).unwrap();
        let post = with(post, json!({ "id": "78" }));
        let data = json!({ "custom_id": code, "component_type": 2 });
        interaction(3, &data, with(json!({ "message": post }), changes))
    }

    #[test]
    fn a_button_knows_its_post_and_where_its_reply_goes() {
        for (press, expected) in [
            (Press::Useful("1".into()), Deferred::Private),
            (Press::NotUseful("1".into()), Deferred::Private),
            (Press::Sources("1".into()), Deferred::Private),
            (Press::Stop("1".into()), Deferred::InPlace),
            (Press::Add("1".into()), Deferred::InPlace),
            (Press::Leave("1".into()), Deferred::InPlace),
        ] {
            let event = event(&pressed(&press.code(), json!({})));
            assert_eq!(event.wish, Wish::Press(press));
            assert_eq!(event.replies_to.as_deref(), Some("78"));
            assert_eq!(deferred(&event), expected);
        }
    }

    #[test]
    fn a_button_or_a_form_that_is_not_ours_is_a_slip() {
        let slip = Heard::Slip(Slip::Unknown.words(Language::English));
        let button = pressed("other:1", json!({}));
        assert_eq!(asked(&button, &here()), Some(slip));
        let form = json!({ "custom_id": "saseo:add:1", "components": [] });
        check_slip(5, &form, Slip::Unknown);
    }

    #[test]
    fn who_manages_the_server_administers() {
        let administers = |permissions: &str| {
            let member = json!({
                "user": user(1, "Ada"), "roles": [], "deaf": false, "mute": false, "flags": 0,
                "joined_at": null, "permissions": permissions,
            });
            let data = slash("stop", json!([]));
            let interaction = interaction(2, &data, json!({ "member": member }));
            event(&interaction).person.administers
        };
        assert!(administers("8"));
        assert!(administers("32"));
        assert!(!administers("2048"));
    }

    #[test]
    fn threads_and_private_talks_are_told_from_channels() {
        let kind = |changes: Value| {
            let interaction = interaction(2, &slash("stop", json!([])), changes);
            event(&interaction).place.kind
        };
        let channel = |kind: u8| json!({ "channel": { "id": "60", "type": kind } });
        assert_eq!(kind(channel(0)), PlaceKind::Channel);
        for thread in [10, 11, 12] {
            assert_eq!(kind(channel(thread)), PlaceKind::Thread);
        }
        let private = |context: u8| {
            json!({
                "guild_id": null, "member": null, "user": user(1, "Ada"), "context": context,
            })
        };
        assert_eq!(kind(private(1)), PlaceKind::Direct);
        assert_eq!(kind(private(2)), PlaceKind::Channel);
    }

    #[test]
    fn what_is_being_typed_is_completed() {
        let typing = |name: &str, command: &str| {
            let option = json!({ "name": name, "type": 3, "value": " lea", "focused": true });
            let interaction = interaction(4, &of_library(command, json!([option])), json!({}));
            asked(&interaction, &here())
        };
        let Some(Heard::Completing(completing)) = typing("document", "remove") else {
            panic!("not completed");
        };
        assert_eq!(completing.choice, Choice::Document);
        assert_eq!(completing.typed, "lea");
        assert_eq!(completing.place.channel, "60");
        assert_eq!(completing.person.id, "1");
        assert!(matches!(
            typing("collection", "list"),
            Some(Heard::Completing(Completing {
                choice: Choice::Collection,
                ..
            }))
        ));
        assert_eq!(typing("words", "search"), None);
        let nothing = interaction(4, &of_library("list", json!([])), json!({}));
        assert_eq!(asked(&nothing, &here()), None);
    }

    #[test]
    fn what_is_for_another_application_or_nobody_is_left_alone() {
        let data = slash("stop", json!([]));
        let other = interaction(2, &data, json!({ "application_id": "1" }));
        assert_eq!(asked(&other, &here()), None);
        let ping: Interaction = serde_json::from_value(json!({
            "id": ID, "application_id": APPLICATION.to_string(), "type": 1, "token": "secret",
            "version": 1,
        }))
        .unwrap();
        assert_eq!(asked(&ping, &here()), None);
    }

    fn page(buttons: Vec<Button>) -> Page {
        Page {
            buttons,
            ..Page::notice("So *it* is.")
        }
    }

    fn sources(label: &'static str, weight: Weight) -> Button {
        Button {
            label,
            press: Press::Sources("3fa9".into()),
            weight,
        }
    }

    #[test]
    fn a_post_calls_nobody_shows_no_previews_and_is_made_once() {
        assert_eq!(
            message(
                &page(vec![]),
                Some((ChannelId::new(5), MessageId::new(77))),
                "n1"
            ),
            json!({
                "content": "So \\*it\\* is.",
                "allowed_mentions": { "parse": [], "replied_user": false },
                "flags": 4,
                "components": [],
                "message_reference": {
                    "channel_id": "5", "message_id": "77", "fail_if_not_exists": false,
                },
                "nonce": "n1",
                "enforce_nonce": true,
            })
        );
        let alone = message(&page(vec![]), None, "n1");
        assert_eq!(alone.get("message_reference"), None);
    }

    #[test]
    fn an_edit_takes_away_the_buttons_that_are_not_on_it() {
        assert_eq!(
            edit(&page(vec![])),
            json!({
                "content": "So \\*it\\* is.",
                "allowed_mentions": { "parse": [], "replied_user": false },
                "flags": 4,
                "components": [],
            })
        );
        let follow_up = |deferred| follow_up(&page(vec![]), deferred)["flags"].clone();
        assert_eq!(follow_up(Deferred::Fresh), 4);
        assert_eq!(follow_up(Deferred::Private), 68);
        assert_eq!(follow_up(Deferred::InPlace), 4);
    }

    #[test]
    fn buttons_stand_in_rows_and_tell_what_they_do() {
        let mut buttons = vec![
            sources("Sources", Weight::Plain),
            sources("Add", Weight::Main),
            sources("Stop", Weight::Danger),
        ];
        let components = edit(&page(buttons.clone()))["components"].clone();
        let shown = |style: u8, label: &str| {
            json!({
                "type": 2, "style": style, "label": label, "custom_id": "saseo:sources:3fa9",
            })
        };
        let row = [shown(2, "Sources"), shown(1, "Add"), shown(4, "Stop")];
        assert_eq!(components, json!([{ "type": 1, "components": row }]));

        buttons.resize(40, sources("Sources", Weight::Plain));
        let components = edit(&page(buttons))["components"].clone();
        let rows = components.as_array().unwrap();
        assert_eq!(rows.len(), 5);
        assert!(
            rows.iter()
                .all(|row| row["components"].as_array().unwrap().len() == 5)
        );
    }

    #[test]
    fn a_label_is_no_longer_than_it_may_be() {
        let long = "서가에서 출처를 모두 보여 주세요, 부탁드립니다! 😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀";
        let shown = button(&sources(long, Weight::Plain));
        let label = shown["label"].as_str().unwrap();
        assert!(units(label) <= 80 && units(label) > 77, "{label}");
        assert!(label.ends_with('…'));
        assert_eq!(shortened("fits", 4), "fits");
        assert_eq!(shortened("a😀b", 3), "a…");
    }

    #[test]
    fn interactions_are_acknowledged_as_their_reply_will_stand() {
        assert_eq!(defer(Deferred::Fresh), json!({ "type": 5 }));
        assert_eq!(
            defer(Deferred::Private),
            json!({ "type": 5, "data": { "flags": 64 } })
        );
        assert_eq!(defer(Deferred::InPlace), json!({ "type": 6 }));
        assert_eq!(
            whisper(&Page::notice("Why?")),
            json!({ "type": 4, "data": {
                "content": "Why?",
                "allowed_mentions": { "parse": [], "replied_user": false },
                "flags": 68,
                "components": [],
            }})
        );
    }

    #[test]
    fn choices_are_offered_as_far_as_they_fit() {
        let offer = |name: &str, value: &str| Offer {
            name: name.into(),
            value: value.into(),
        };
        let long = "길".repeat(101);
        let mut offers = vec![
            offer(&long, "a"),
            offer("too long a value", &long),
            offer(" ", "b"),
            offer("휴가", "hr/leave.md"),
        ];
        let shown = choices(&offers);
        assert_eq!(shown["type"], 8);
        let name = format!("{}…", "길".repeat(99));
        assert_eq!(
            shown["data"]["choices"],
            json!([
                { "name": name, "value": "a" },
                { "name": "휴가", "value": "hr/leave.md" },
            ])
        );
        offers.resize(60, offer("c", "c"));
        assert_eq!(
            choices(&offers)["data"]["choices"]
                .as_array()
                .unwrap()
                .len(),
            25
        );
    }

    #[test]
    fn a_nonce_is_the_same_for_the_same_part_only() {
        let key = |name: &str| EventKey::new(Platform::Discord, name);
        assert_eq!(nonce(&key("a"), 0), nonce(&key("a"), 0));
        assert_ne!(nonce(&key("a"), 0), nonce(&key("a"), 1));
        assert_ne!(nonce(&key("a"), 0), nonce(&key("b"), 0));
        assert_eq!(nonce(&key("a"), 0).len(), 25);
    }
}
