//! Messages: posted, changed, deleted, shown to one person, reacted to.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::arguments::Arguments;
use super::blocks::{self, Surface};
use super::clock::{self, Id, Ts};
use super::events;
use super::mentions::{self, Mentions, Names};
use super::methods::Call;
use super::objects::{self, Metadata};
use super::record::Ping;
use super::refusal::{Refusal, refuse};
use super::streams;
use super::world::{Channel, Kind, Message, Rule, Stream, StreamState, Subtype, World};

/// A longer text is made into several messages.
const LONGEST_IN_ONE: usize = 4_040;
const PIECE: usize = 4_000;
const LONGEST_POST: usize = 40_000;
const LONGEST_EDIT: usize = 4_000;
pub(crate) const LONGEST_MARKDOWN: usize = 12_000;
const LARGEST_METADATA: usize = 8 << 10;

/// What a message is to say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    pub(crate) text: Option<String>,
    pub(crate) blocks: Option<Vec<Value>>,
    pub(crate) metadata: Option<Value>,
    /// Old-fashioned parts: they are not kept, and whom they call is noted.
    pub(crate) attachments: Option<Value>,
    pub(crate) names: Option<Names>,
    /// Whether its links are fetched.
    pub(crate) unfurls: bool,
}

impl Draft {
    pub(crate) fn read(
        world: &mut World,
        arguments: &Arguments,
        longest: usize,
    ) -> Result<Self, Refusal> {
        let text = arguments.text("text").filter(|text| !text.is_empty());
        let markdown = arguments
            .text("markdown_text")
            .filter(|text| !text.is_empty());
        let given = arguments
            .json("blocks")
            .map_err(|()| Refusal::new("invalid_blocks_format"))?;
        if markdown.is_some() && (text.is_some() || given.is_some()) {
            return refuse("markdown_text_conflict");
        }
        let length = |text: Option<&str>| text.map_or(0, |text| text.chars().count());
        if length(text) > longest || length(markdown) > LONGEST_MARKDOWN {
            return refuse("msg_too_long");
        }
        let blocks = given
            .map(|given| blocks::check(&given, Surface::Message))
            .transpose()?
            .map(|blocks| completed(world, blocks));
        let linked = arguments.flag("link_names") == Some(true)
            || arguments.text("parse") == Some("full");
        let quiet = ["unfurl_links", "unfurl_media"]
            .iter()
            .all(|key| arguments.flag(key) == Some(false));
        Ok(Self {
            text: text.or(markdown).map(str::to_owned),
            blocks,
            metadata: metadata(arguments)?,
            attachments: attachments(arguments)?,
            names: Some(if linked { Names::Linked } else { Names::Plain }),
            unfurls: !quiet,
        })
    }

    pub(crate) fn says_something(&self) -> bool {
        let text = self.text.as_deref().unwrap_or("");
        !text.trim().is_empty() || self.blocks.as_ref().is_some_and(|list| !list.is_empty())
    }
}

fn attachments(arguments: &Arguments) -> Result<Option<Value>, Refusal> {
    let wrong = || Refusal::new("invalid_attachments");
    let given = arguments.json("attachments").map_err(|()| wrong())?;
    match &given {
        Some(Value::Array(list)) if list.len() > 100 => refuse("too_many_attachments"),
        Some(given) if !given.is_array() => Err(wrong()),
        _ => Ok(given),
    }
}

pub(crate) fn metadata(arguments: &Arguments) -> Result<Option<Value>, Refusal> {
    let format = || Refusal::new("invalid_metadata_format");
    let Some(given) = arguments.json("metadata").map_err(|()| format())? else {
        return Ok(None);
    };
    let fields = given.as_object().ok_or_else(format)?;
    if fields.is_empty() {
        return Ok(Some(given));
    }
    let kind = given["event_type"].as_str().filter(|kind| !kind.is_empty());
    if kind.is_none() || !given["event_payload"].is_object() {
        return Err(format());
    }
    if given.to_string().len() > LARGEST_METADATA {
        return refuse("metadata_too_large");
    }
    Ok(Some(given))
}

/// Blocks with the ids that Slack gives to those that have none.
pub(crate) fn completed(world: &mut World, mut blocks: Vec<Value>) -> Vec<Value> {
    for block in &mut blocks {
        if block["block_id"].is_null() {
            block["block_id"] = json!(world.clock.letters(5));
        }
        let block = block.as_object_mut().unwrap();
        let mut parts: Vec<&mut Value> = Vec::new();
        for (key, part) in block {
            if ["accessory", "element"].contains(&&**key) {
                parts.push(part);
            } else if key == "elements" {
                parts.extend(part.as_array_mut().into_iter().flatten());
            }
        }
        for part in parts {
            let acts = part["type"] == "button" && part["action_id"].is_null();
            if acts {
                part["action_id"] = json!(world.clock.letters(5));
            }
        }
    }
    blocks
}

/// A message that is being put into a channel.
#[derive(Default)]
pub(crate) struct New {
    pub(crate) channel: Id,
    pub(crate) author: Id,
    pub(crate) subtype: Option<Subtype>,
    pub(crate) draft: Draft,
    pub(crate) thread: Option<Ts>,
    pub(crate) files: Vec<Id>,
    pub(crate) only_for: Option<Id>,
    pub(crate) stream: Option<Stream>,
    pub(crate) answers: Option<Id>,
}

/// Puts a message into its channel and tells whoever is to hear of it.
pub(crate) fn put(world: &mut World, new: New) -> Ts {
    let ts = world.clock.ts();
    let New { draft, .. } = new;
    let message = Message {
        ts: ts.clone(),
        channel: new.channel.clone(),
        author: new.author,
        subtype: new.subtype.unwrap_or(Subtype::Plain),
        text: draft.text.clone().unwrap_or_default(),
        blocks: draft.blocks.clone().unwrap_or_default(),
        metadata: draft.metadata.clone().filter(|given| *given != json!({})),
        thread: new.thread,
        edited: None,
        files: new.files,
        only_for: new.only_for,
        stream: new.stream,
        reactions: Vec::new(),
        answers: new.answers,
    };
    let quiet = message.only_for.is_some();
    if world.is_ours(&message.author) {
        heard(world, &message, &draft);
        if let Some(thread) = &message.thread {
            world
                .statuses
                .remove(&(new.channel.clone(), thread.clone()));
        }
    }
    let channel = world.channels.get_mut(&new.channel).unwrap();
    channel.messages.insert(ts.clone(), message);
    if !quiet {
        events::said(world, &new.channel, &ts);
    }
    ts
}

/// Notes whom a message of the bot calls, and what is fetched for it.
pub(crate) fn heard(world: &mut World, message: &Message, draft: &Draft) {
    let names = draft.names.unwrap_or(Names::Plain);
    let mut called = Mentions::of(&message.text, &message.blocks, names);
    if let Some(attachments) = &draft.attachments {
        called.read_all(attachments, names);
    }
    if !called.is_empty() {
        let ping = Ping {
            channel: message.channel.clone(),
            ts: message.ts.clone(),
            at: world.clock.now(),
            mentions: called,
        };
        world.record.pings.push(ping);
    }
    if draft.unfurls {
        let links = mentions::links(&message.text, &message.blocks);
        world.record.previewed.extend(links);
    }
}

/// The channel that is named, if the bot of `team` may write there.
pub(crate) fn writable(world: &mut World, team: &str, named: &str) -> Result<Id, Refusal> {
    if world.users.contains_key(named) {
        return Ok(world.direct(team, named));
    }
    let channel = reachable(world, team, named)?;
    if channel.rules.contains(&Rule::Archived) {
        return refuse("is_archived");
    }
    if channel.rules.contains(&Rule::ReadOnly) {
        return refuse("restricted_action_read_only_channel");
    }
    Ok(channel.id.clone())
}

/// The channel, if the bot of `team` is in it.
pub(crate) fn reachable<'a>(
    world: &'a World,
    team: &str,
    named: &str,
) -> Result<&'a Channel, Refusal> {
    let channel = world
        .channels
        .get(named)
        .filter(|channel| channel.team == team || channel.shared.contains(team))
        .ok_or_else(|| Refusal::new("channel_not_found"))?;
    if channel.members.contains(&world.teams[team].bot.user) {
        return Ok(channel);
    }
    // Of a private channel nobody outside hears.
    let known = channel.kind == Kind::Public;
    refuse(if known {
        "not_in_channel"
    } else {
        "channel_not_found"
    })
}

/// The thread that a message goes into, if it may.
pub(crate) fn thread(
    world: &World,
    channel: &str,
    arguments: &Arguments,
) -> Result<Option<Ts>, Refusal> {
    let channel = &world.channels[channel];
    let Some(ts) = arguments.text("thread_ts").filter(|ts| !ts.is_empty()) else {
        let replies_only = channel.rules.contains(&Rule::ThreadOnly);
        return if replies_only {
            refuse("restricted_action_thread_only_channel")
        } else {
            Ok(None)
        };
    };
    if clock::said(ts).is_none() {
        return refuse("invalid_thread_ts");
    }
    if channel.rules.contains(&Rule::NoThreads) {
        return refuse("restricted_action_non_threadable_channel");
    }
    let parent = channel.messages.get(ts);
    let parent = parent.filter(|parent| parent.only_for.is_none() && parent.thread.is_none());
    if parent.is_none() {
        return refuse("cannot_reply_to_message");
    }
    if channel.locked.contains(ts) {
        return refuse("restricted_action_thread_locked");
    }
    Ok(Some(ts.to_owned()))
}

pub(crate) fn post(world: &mut World, call: &Call<'_>) -> Result<Value, Refusal> {
    let channel = writable(world, &call.team, call.arguments.needed("channel")?)?;
    let thread = thread(world, &channel, call.arguments)?;
    let draft = Draft::read(world, call.arguments, LONGEST_POST)?;
    if !draft.says_something() {
        return refuse("no_text");
    }
    let broadcast = thread.is_some() && call.arguments.flag("reply_broadcast") == Some(true);
    let author = world.teams[&call.team].bot.user.clone();
    let mut first = None;
    let pieces = pieces(&draft);
    let many = pieces.len() > 1;
    for draft in pieces {
        let ts = put(
            world,
            New {
                channel: channel.clone(),
                author: author.clone(),
                subtype: broadcast.then_some(Subtype::Broadcast),
                draft,
                thread: thread.clone(),
                ..New::default()
            },
        );
        if many {
            world.record.split.push((channel.clone(), ts.clone()));
        }
        first.get_or_insert(ts);
    }
    let ts = first.unwrap_or_default();
    let message = &world.channels[&channel].messages[&ts];
    let message = objects::message(world, message, &call.team, Metadata::Shown);
    Ok(json!({ "channel": channel, "ts": ts, "message": message }))
}

/// A text that is too long for one message, in several.
fn pieces(draft: &Draft) -> Vec<Draft> {
    let text: Vec<char> = draft.text.as_deref().unwrap_or("").chars().collect();
    if draft.blocks.is_some() || text.len() <= LONGEST_IN_ONE {
        return vec![draft.clone()];
    }
    let pieces = text.chunks(PIECE).map(|piece| Draft {
        text: Some(piece.iter().collect()),
        ..draft.clone()
    });
    pieces.collect()
}

pub(crate) fn post_ephemeral(world: &mut World, call: &Call<'_>) -> Result<Value, Refusal> {
    let channel = writable(world, &call.team, call.arguments.needed("channel")?)?;
    let reader = call.arguments.needed("user")?.to_owned();
    if !world.channels[&channel].members.contains(&reader) {
        return refuse("user_not_in_channel");
    }
    let thread = thread(world, &channel, call.arguments)?;
    let draft = Draft::read(world, call.arguments, LONGEST_POST)?;
    if !draft.says_something() {
        return refuse("no_text");
    }
    let author = world.teams[&call.team].bot.user.clone();
    let new = New {
        channel,
        author,
        draft,
        thread,
        only_for: Some(reader),
        ..New::default()
    };
    Ok(json!({ "message_ts": put(world, new) }))
}

/// The bot's own message, by channel and timestamp.
pub(crate) fn own<'a>(
    world: &'a World,
    (team, channel): (&str, &str),
    ts: &str,
    foreign: &str,
) -> Result<&'a Message, Refusal> {
    let channel = reachable(world, team, channel)?;
    let message = channel.messages.get(ts);
    let message = message
        .filter(|one| one.only_for.is_none() && one.subtype != Subtype::Tombstone)
        .ok_or_else(|| Refusal::new("message_not_found"))?;
    if message.author == world.teams[team].bot.user {
        Ok(message)
    } else {
        refuse(foreign)
    }
}

pub(crate) fn update(world: &mut World, call: &Call<'_>) -> Result<Value, Refusal> {
    let (channel, ts) = (
        call.arguments.needed("channel")?,
        call.arguments.needed("ts")?,
    );
    let now = world.clock.now();
    let message = own(world, (&call.team, channel), ts, "cant_update_message")?;
    if streams::is_open(world, message) {
        return refuse("streaming_state_conflict");
    }
    if world.channels[channel].rules.contains(&Rule::Archived) {
        return refuse("is_inactive");
    }
    let limit = world
        .settings
        .edits
        .map(|limit| TimeDelta::from_std(limit).unwrap());
    let age = clock::said(ts).map_or(TimeDelta::zero(), |said| now - said);
    if limit.is_some_and(|limit| age > limit) {
        return refuse("edit_window_closed");
    }
    let draft = Draft::read(world, call.arguments, LONGEST_EDIT)?;
    let nothing = draft.text.is_none() && draft.blocks.is_none();
    if nothing || (draft.text.is_some() && !draft.says_something()) {
        return refuse("no_text");
    }
    change(world, (channel, ts), draft);
    let message = &world.channels[channel].messages[ts];
    let text = message.text.clone();
    let message = objects::message(world, message, &call.team, Metadata::Shown);
    Ok(json!({ "channel": channel, "ts": ts, "text": text, "message": message }))
}

/// Gives a message other words; blocks stay only if no text is given.
pub(crate) fn change(world: &mut World, (channel, ts): (&str, &str), draft: Draft) {
    let now = world.clock.now();
    let before = world.channels[channel].messages[ts].clone();
    let mut after = before.clone();
    match (draft.text.clone(), draft.blocks.clone()) {
        (text, Some(blocks)) => {
            after.blocks = blocks;
            after.text = text.unwrap_or_default();
        },
        (Some(text), None) => {
            after.text = text;
            after.blocks = Vec::new();
        },
        (None, None) => {},
    }
    // Slack does not mark a message as edited whose blocks are changed.
    if draft.blocks.is_none() {
        after.edited = Some(now);
    }
    if let Some(metadata) = draft.metadata.clone() {
        after.metadata = (metadata != json!({})).then_some(metadata);
    }
    // An edit takes the place of all that was streamed, also where that was ended.
    if let Some(stream) = &mut after.stream {
        stream.state = StreamState::Mended;
    }
    if world.is_ours(&after.author) {
        // What is edited is not fetched anew.
        let draft = Draft {
            unfurls: false,
            ..draft
        };
        heard(world, &after, &draft);
    }
    let quiet = after.only_for.is_some();
    let messages = &mut world.channels.get_mut(channel).unwrap().messages;
    messages.insert(ts.to_owned(), after);
    if !quiet {
        events::changed(world, channel, &before);
    }
}

pub(crate) fn delete(world: &mut World, call: &Call<'_>) -> Result<Value, Refusal> {
    let (channel, ts) = (
        call.arguments.needed("channel")?,
        call.arguments.needed("ts")?,
    );
    own(world, (&call.team, channel), ts, "cant_delete_message")?;
    remove(world, channel, ts);
    Ok(json!({ "channel": channel, "ts": ts }))
}

/// Takes a message away; one with replies leaves a mark.
pub(crate) fn remove(world: &mut World, channel: &str, ts: &str) {
    let here = world.channels.get_mut(channel).unwrap();
    let replied = here.replies(ts).next().is_some();
    let Some(message) = here.messages.get_mut(ts) else {
        return;
    };
    let before = message.clone();
    if replied {
        message.subtype = Subtype::Tombstone;
        "This message was deleted.".clone_into(&mut message.text);
        message.blocks = Vec::new();
        message.files = Vec::new();
    } else {
        here.messages.remove(ts);
    }
    if before.only_for.is_none() {
        events::deleted(world, channel, &before);
    }
}

pub(crate) fn permalink(world: &mut World, call: &Call<'_>) -> Result<Value, Refusal> {
    let channel = reachable(world, &call.team, call.arguments.needed("channel")?)?;
    let ts = call.arguments.needed("message_ts")?;
    if !channel.messages.contains_key(ts) {
        return refuse("message_not_found");
    }
    let domain = &world.teams[&call.team].domain;
    let digits = ts.replace('.', "");
    let link = format!(
        "https://{domain}.slack.com/archives/{}/p{digits}",
        channel.id
    );
    Ok(json!({ "channel": channel.id, "permalink": link }))
}

pub(crate) fn react(world: &mut World, call: &Call<'_>) -> Result<Value, Refusal> {
    let name = emoji(call.arguments)?;
    let (channel, ts) = reacted(world, call)?;
    let bot = world.teams[&call.team].bot.user.clone();
    let message = world
        .channels
        .get_mut(&channel)
        .unwrap()
        .messages
        .get_mut(&ts)
        .unwrap();
    let there = message.reactions.iter().position(|(one, _)| *one == name);
    let at = there.unwrap_or_else(|| {
        message.reactions.push((name, Vec::new()));
        message.reactions.len() - 1
    });
    let users = &mut message.reactions[at].1;
    if users.contains(&bot) {
        return refuse("already_reacted");
    }
    users.push(bot);
    Ok(json!({}))
}

pub(crate) fn unreact(world: &mut World, call: &Call<'_>) -> Result<Value, Refusal> {
    let name = emoji(call.arguments)?;
    let (channel, ts) = reacted(world, call)?;
    let bot = world.teams[&call.team].bot.user.clone();
    let message = world
        .channels
        .get_mut(&channel)
        .unwrap()
        .messages
        .get_mut(&ts)
        .unwrap();
    let found = message.reactions.iter_mut().find(|(one, _)| *one == name);
    let Some((_, users)) = found.filter(|(_, users)| users.contains(&bot)) else {
        return refuse("no_reaction");
    };
    users.retain(|user| *user != bot);
    message.reactions.retain(|(_, users)| !users.is_empty());
    Ok(json!({}))
}

fn emoji(arguments: &Arguments) -> Result<String, Refusal> {
    let name = arguments.needed("name")?;
    let fits = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-+':".contains(&byte)
    };
    if name.starts_with(':') || !name.bytes().all(fits) {
        return refuse("invalid_name");
    }
    Ok(name.to_owned())
}

fn reacted(world: &World, call: &Call<'_>) -> Result<(Id, Ts), Refusal> {
    let place = (
        call.arguments.text("channel"),
        call.arguments.text("timestamp"),
    );
    let (Some(channel), Some(ts)) = place else {
        return refuse("no_item_specified");
    };
    if clock::said(ts).is_none() {
        return refuse("bad_timestamp");
    }
    let channel = reachable(world, &call.team, channel)?;
    if channel.rules.contains(&Rule::Archived) {
        return refuse("is_archived");
    }
    let message = channel
        .messages
        .get(ts)
        .filter(|one| one.only_for.is_none());
    let message = message.ok_or_else(|| Refusal::new("message_not_found"))?;
    if channel
        .locked
        .contains(message.thread.as_ref().unwrap_or(&message.ts))
    {
        return refuse("thread_locked");
    }
    Ok((channel.id.clone(), ts.to_owned()))
}
