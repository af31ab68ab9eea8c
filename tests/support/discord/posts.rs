//! Messages: what may be posted, edited and removed by whom, and what then stands there.

use chrono::TimeDelta;
use serde_json::Value;

use super::clock::Id;
use super::components;
use super::embeds;
use super::events;
use super::files::{LARGEST_FILE, Upload};
use super::mentions::{self, Allowed, Mentions, Replied};
use super::permissions::{
    self, ATTACH_FILES, EMBED_LINKS, MANAGE_MESSAGES, MANAGE_THREADS, READ_MESSAGE_HISTORY,
    SEND_MESSAGES, SEND_MESSAGES_IN_THREADS,
};
use super::record::Ping;
use super::refusal::{Form, Refusal, empty_message, missing_access, missing_permissions};
use super::world::{
    Attachment, ChannelKind, Door, EPHEMERAL, LOADING, Message, MessageKind, SUPPRESS_EMBEDS,
    ThreadState, World,
};

/// Characters in a message of a bot.
pub(crate) const LONGEST: usize = 2_000;

/// A message that was read and found in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Post {
    pub(crate) content: String,
    pub(crate) embeds: Vec<Value>,
    pub(crate) components: Vec<Value>,
    pub(crate) files: Vec<Upload>,
    pub(crate) nonce: Option<Value>,
    pub(crate) once: Once,
    pub(crate) reply: Option<Id>,
    pub(crate) allowed: Allowed,
    pub(crate) flags: u64,
}

/// `enforce_nonce`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Once {
    #[default]
    No,
    Enforced,
}

/// Reads the body of a new message.
pub(crate) fn read(body: &Value, files: &[Upload], default: Allowed) -> Result<Post, Refusal> {
    let mut form = Form::default();
    let content = form.text((body, "content"), "", (0, LONGEST)).unwrap_or("");
    let embeds = embeds::checked(body, &mut form);
    let components = components::checked(body, &mut form);
    let allowed = Allowed::read(body, default, &mut form);
    let (nonce, once) = nonce(body, &mut form);
    let flags = body.get("flags").and_then(Value::as_u64).unwrap_or(0);
    if flags & (1 << 15) != 0 {
        form.slip(
            "flags",
            "UNSUPPORTED",
            "this Discord knows no components V2",
        );
    }
    if files.iter().any(|file| file.bytes.len() > LARGEST_FILE) {
        return Err(Refusal::new(413, 40005, "Request entity too large"));
    }
    let reply = referenced(body, &mut form);
    form.done()?;
    Ok(Post {
        content: content.trim().to_owned(),
        embeds,
        components,
        files: files.to_vec(),
        nonce,
        once,
        reply,
        allowed,
        flags,
    })
}

fn nonce(body: &Value, form: &mut Form) -> (Option<Value>, Once) {
    let nonce = body.get("nonce").filter(|nonce| !nonce.is_null()).cloned();
    if let Some(nonce) = nonce.as_ref().and_then(Value::as_str) {
        form.length("nonce", nonce, (0, 25));
    }
    if body.get("enforce_nonce").and_then(Value::as_bool) != Some(true) {
        return (nonce, Once::No);
    }
    if nonce.is_none() {
        form.required("nonce");
    }
    (nonce, Once::Enforced)
}

fn referenced(body: &Value, form: &mut Form) -> Option<Id> {
    let reference = body.get("message_reference").filter(|it| !it.is_null())?;
    let id = reference.get("message_id").and_then(snowflake);
    if id.is_none() {
        form.required("message_reference.message_id");
    }
    id
}

/// A snowflake, which may come as a number.
pub(crate) fn snowflake(value: &Value) -> Option<Id> {
    value
        .as_u64()
        .or_else(|| value.as_str().and_then(|id| id.parse().ok()))
}

/// The bot posts to `channel`.
pub(crate) fn create(
    world: &mut World,
    channel: Id,
    body: &Value,
    mut post: Post,
) -> Result<Id, Refusal> {
    world.channel(channel)?;
    may_post(world, channel, &post)?;
    // The flag belongs to answers to interactions.
    post.flags &= !EPHEMERAL;
    if let Some(first) = already_posted(world, channel, &post) {
        return Ok(first);
    }
    post.reply = reply(world, channel, body, post.reply)?;
    let said = Said {
        by: world.bot,
        kind: MessageKind::Default,
        interaction: None,
        only_for: None,
    };
    Ok(put(world, channel, post, said))
}

/// The message that a reply names, if it is there.
fn reply(
    world: &World,
    channel: Id,
    body: &Value,
    wanted: Option<Id>,
) -> Result<Option<Id>, Refusal> {
    let Some(wanted) = wanted else {
        return Ok(None);
    };
    let here = &world.channels[&channel];
    if permissions::within(world, world.bot, here) & READ_MESSAGE_HISTORY == 0 {
        let message = "Cannot reply without permission to read message history";
        return Err(Refusal::new(400, 160_002, message));
    }
    let reference = &body["message_reference"];
    let elsewhere = reference
        .get("channel_id")
        .and_then(snowflake)
        .is_some_and(|named| named != channel);
    let known = here
        .messages
        .get(&wanted)
        .is_some_and(|message| message.only_for.is_none());
    if known && !elsewhere {
        return Ok(Some(wanted));
    }
    if reference.get("fail_if_not_exists").and_then(Value::as_bool) == Some(false) {
        return Ok(None);
    }
    let mut form = Form::default();
    form.slip(
        "message_reference",
        "REPLIES_UNKNOWN_MESSAGE",
        "Unknown message",
    );
    form.done()?;
    Ok(None)
}

/// The message that was posted with the same enforced nonce a few minutes ago.
fn already_posted(world: &World, channel: Id, post: &Post) -> Option<Id> {
    let memory = world.settings.nonces?;
    let nonce = post.nonce.as_ref()?;
    if post.once == Once::No {
        return None;
    }
    let since = world.clock.now() - TimeDelta::from_std(memory).unwrap();
    world.channels[&channel]
        .messages
        .values()
        .rev()
        .take_while(|message| message.at >= since)
        .filter(|message| message.author == world.bot && message.nonce.as_ref() == Some(nonce))
        .map(|message| message.id)
        .last()
}

/// Whether the bot may post this here.
fn may_post(world: &mut World, channel: Id, post: &Post) -> Result<(), Refusal> {
    let here = &world.channels[&channel];
    let may = permissions::within(world, world.bot, here);
    if here.kind == ChannelKind::Direct {
        let shut = |id: &Id| world.users[id].door == Door::Shut;
        if here.recipients.iter().any(shut) {
            return Err(Refusal::new(
                403,
                50007,
                "Cannot send messages to this user",
            ));
        }
    }
    let needed = if here.thread.is_some() {
        SEND_MESSAGES_IN_THREADS
    } else {
        SEND_MESSAGES
    };
    if may & needed == 0 || (!post.files.is_empty() && may & ATTACH_FILES == 0) {
        return Err(missing_permissions());
    }
    if here.thread.is_some() {
        return may_post_in_thread(world, channel, may);
    }
    Ok(())
}

fn may_post_in_thread(world: &mut World, channel: Id, may: u64) -> Result<(), Refusal> {
    let now = world.clock.now();
    let thread = world.channels.get_mut(&channel).unwrap().thread.as_mut();
    let thread = thread.expect("a thread");
    if thread.state.locked() && may & MANAGE_THREADS == 0 {
        return Err(if thread.state.archived() {
            Refusal::new(400, 50083, "Thread is archived")
        } else {
            Refusal::new(400, 160_005, "Thread is locked")
        });
    }
    // Writing opens an archived thread again.
    if thread.state == ThreadState::Archived {
        thread.state = ThreadState::Open;
        thread.since = now;
        events::thread_changed(world, channel);
    }
    Ok(())
}

/// Of whom and of what a message is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said {
    pub(crate) by: Id,
    pub(crate) kind: MessageKind,
    pub(crate) interaction: Option<Id>,
    pub(crate) only_for: Option<Id>,
}

/// Puts a message that is in order into `channel` and tells everyone who may know.
pub(crate) fn put(world: &mut World, channel: Id, post: Post, said: Said) -> Id {
    let id = world.clock.snowflake();
    let mentions = who_is_called(world, (said.by, channel), &post);
    let attachments = kept(world, &post.files);
    let kind = if post.reply.is_some() && said.kind == MessageKind::Default {
        MessageKind::Reply
    } else {
        said.kind
    };
    let message = Message {
        id,
        channel,
        author: said.by,
        kind,
        content: post.content,
        at: world.clock.now(),
        edited: None,
        mentions,
        attachments,
        embeds: post.embeds,
        components: post.components,
        nonce: post.nonce,
        flags: post.flags,
        reference: post.reply,
        interaction: said.interaction,
        late_edits: 0,
        only_for: said.only_for,
        reactions: Vec::new(),
    };
    note(world, &message);
    let here = world.channels.get_mut(&channel).unwrap();
    here.messages.insert(id, message);
    if let Some(thread) = &mut here.thread {
        thread.members.insert(said.by);
    }
    events::message_created(world, channel, id);
    id
}

fn who_is_called(world: &World, (by, channel): (Id, Id), post: &Post) -> Mentions {
    let here = &world.channels[&channel];
    let mut mentions = mentions::called(world, (by, here), &post.content, &post.allowed);
    let replied_to = post
        .reply
        .and_then(|id| here.messages.get(&id))
        .map(|message| message.author);
    if let Some(author) = replied_to
        && post.allowed.replied == Replied::Called
        && author != by
        && !mentions.users.contains(&author)
    {
        mentions.users.push(author);
    }
    mentions
}

/// The files of a message, findable by their links from now on.
pub(crate) fn kept(world: &mut World, files: &[Upload]) -> Vec<Attachment> {
    let mut attachments = Vec::new();
    for file in files {
        let attachment = Attachment {
            id: world.clock.snowflake(),
            name: file.name.clone(),
            content_type: file.content_type.clone(),
            bytes: std::sync::Arc::clone(&file.bytes),
        };
        world.record.files.insert(attachment.id, attachment.clone());
        attachments.push(attachment);
    }
    attachments
}

/// Records whom a message of the bot calls, and what pages Discord fetches for it.
fn note(world: &mut World, message: &Message) {
    if message.author != world.bot {
        return;
    }
    if !message.mentions.nobody() {
        world.record.pings.push(Ping {
            channel: message.channel,
            message: message.id,
            at: world.clock.now(),
            mentions: message.mentions.clone(),
        });
    }
    let channel = &world.channels[&message.channel];
    let embeds = message.interaction.is_some()
        || permissions::within(world, world.bot, channel) & EMBED_LINKS != 0;
    if embeds && message.flags & SUPPRESS_EMBEDS == 0 {
        let links = embeds::previewed(&message.content);
        world.record.previewed.extend(links);
    }
}

/// The bot edits a message of its own.
pub(crate) fn edit(
    world: &mut World,
    (channel, id): (Id, Id),
    body: &Value,
    files: &[Upload],
) -> Result<(), Refusal> {
    let message = world.message(channel, id)?;
    if message.author != world.bot {
        let message = "Cannot edit a message authored by another user";
        return Err(Refusal::new(403, 50005, message));
    }
    let thread = world.channels[&channel].thread.as_ref();
    if thread.is_some_and(|thread| thread.state.archived()) {
        return Err(Refusal::new(400, 50083, "Thread is archived"));
    }
    let age = world.clock.now() - message.at;
    let late = age > TimeDelta::hours(1);
    if late && message.late_edits >= world.settings.late_edits {
        let message =
            "Maximum number of edits to messages older than 1 hour reached. Try again later.";
        return Err(Refusal::new(429, 30046, message));
    }
    change(world, (channel, id), body, (files, Allowed::all()))?;
    let here = world.channels.get_mut(&channel).unwrap();
    here.messages.get_mut(&id).unwrap().late_edits += usize::from(late);
    Ok(())
}

/// Changes what `body` names of a message and leaves the rest.
pub(crate) fn change(
    world: &mut World,
    (channel, id): (Id, Id),
    body: &Value,
    (files, default): (&[Upload], Allowed),
) -> Result<(), Refusal> {
    let post = read(body, files, default)?;
    let said = |field: &str| body.get(field).is_some();
    let mut message = world.channels[&channel].messages[&id].clone();
    overlay(&mut message, body, &post);
    let nothing = message.content.is_empty()
        && message.embeds.is_empty()
        && message.attachments.is_empty()
        && post.files.is_empty();
    if nothing {
        return Err(empty_message());
    }
    message.attachments.extend(kept(world, &post.files));
    if said("content") || said("allowed_mentions") {
        let whole = Post {
            content: message.content.clone(),
            reply: message.reference,
            ..post
        };
        message.mentions = who_is_called(world, (message.author, channel), &whole);
    }
    // What was only being thought about is not edited when it is said.
    if message.flags & LOADING == 0 {
        message.edited = Some(world.clock.now());
    }
    message.flags &= !LOADING;
    note(world, &message);
    let here = world.channels.get_mut(&channel).unwrap();
    here.messages.insert(id, message);
    events::message_changed(world, channel, id);
    Ok(())
}

/// Takes into `message` what `body` names.
fn overlay(message: &mut Message, body: &Value, post: &Post) {
    let said = |field: &str| body.get(field).is_some();
    if said("content") {
        message.content.clone_from(&post.content);
    }
    if said("embeds") {
        message.embeds.clone_from(&post.embeds);
    }
    if said("components") {
        message.components.clone_from(&post.components);
    }
    if said("flags") {
        message.flags = (message.flags & !SUPPRESS_EMBEDS) | (post.flags & SUPPRESS_EMBEDS);
    }
    if let Some(list) = body.get("attachments").and_then(Value::as_array) {
        let left: Vec<Id> = list
            .iter()
            .filter_map(|one| snowflake(&one["id"]))
            .collect();
        message.attachments.retain(|one| left.contains(&one.id));
    }
}

/// The bot removes a message.
pub(crate) fn delete(world: &mut World, channel: Id, id: Id) -> Result<(), Refusal> {
    let message = world.message(channel, id)?;
    let here = &world.channels[&channel];
    let may = permissions::within(world, world.bot, here);
    if message.author != world.bot && may & MANAGE_MESSAGES == 0 {
        return Err(missing_permissions());
    }
    remove(world, channel, id);
    Ok(())
}

/// Takes a message away and tells so.
pub(crate) fn remove(world: &mut World, channel: Id, id: Id) {
    events::message_deleted(world, channel, id);
    world
        .channels
        .get_mut(&channel)
        .unwrap()
        .messages
        .remove(&id);
}

/// The newest `limit` messages of `channel` that a query asks for, newest first.
pub(crate) fn history(
    world: &World,
    channel: Id,
    query: &std::collections::BTreeMap<String, String>,
) -> Result<Vec<Id>, Refusal> {
    let here = world.channel(channel)?;
    let limit = limit(query)?;
    if permissions::within(world, world.bot, here) & READ_MESSAGE_HISTORY == 0 {
        return Ok(Vec::new());
    }
    let at = |key: &str| query.get(key).and_then(|id| id.parse::<Id>().ok());
    let seen = |ids: &mut dyn Iterator<Item = &Message>, most: usize| {
        ids.filter(|message| message.only_for.is_none())
            .take(most)
            .map(|message| message.id)
            .collect::<Vec<Id>>()
    };
    let messages = &here.messages;
    let newest_first = |mut ids: Vec<Id>| {
        ids.sort_unstable_by(|one, other| other.cmp(one));
        ids
    };
    Ok(if let Some(after) = at("after") {
        newest_first(seen(
            &mut messages.range(after + 1..).map(|(_, one)| one),
            limit,
        ))
    } else if let Some(around) = at("around") {
        let mut ids = seen(
            &mut messages.range(..around).rev().map(|(_, one)| one),
            limit / 2,
        );
        let rest = limit - ids.len();
        ids.extend(seen(
            &mut messages.range(around..).map(|(_, one)| one),
            rest,
        ));
        newest_first(ids)
    } else {
        let before = at("before").unwrap_or(Id::MAX);
        seen(
            &mut messages.range(..before).rev().map(|(_, one)| one),
            limit,
        )
    })
}

fn limit(query: &std::collections::BTreeMap<String, String>) -> Result<usize, Refusal> {
    let Some(limit) = query.get("limit") else {
        return Ok(50);
    };
    if let Ok(limit @ 1..=100) = limit.parse() {
        return Ok(limit);
    }
    let mut form = Form::default();
    let message = "int value should be between 1 and 100.";
    form.slip("limit", "NUMBER_TYPE_MAX", message);
    Err(form.done().unwrap_err())
}

/// Whether a new message has anything to show.
pub(crate) fn shows_something(post: &Post) -> Result<(), Refusal> {
    if post.content.is_empty() && post.embeds.is_empty() && post.files.is_empty() {
        return Err(empty_message());
    }
    Ok(())
}

/// Whether the bot may see `channel`; interactions answer without.
pub(crate) fn may_read(world: &World, channel: Id) -> Result<(), Refusal> {
    let here = world.channel(channel)?;
    if permissions::within(world, world.bot, here) & READ_MESSAGE_HISTORY == 0 {
        return Err(missing_access());
    }
    Ok(())
}
