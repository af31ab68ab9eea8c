//! Threads: begun at a message, joined, archived, locked.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::clock::Id;
use super::events;
use super::objects;
use super::permissions::{self, CREATE_PUBLIC_THREADS, MANAGE_THREADS};
use super::posts::{self, Post, Said};
use super::refusal::{Form, Refusal, missing_permissions};
use super::rest::{Call, Reply};
use super::world::{Channel, ChannelKind, HAS_THREAD, MessageKind, Thread, ThreadState, World};

const ARCHIVE_AFTER: [u64; 4] = [60, 1_440, 4_320, 10_080];

pub(crate) fn from_message(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let (channel, message) = (call.id(0)?, call.id(1)?);
    world.message(channel, message)?;
    let mut form = Form::default();
    let name = form.text((&call.body, "name"), "", (1, 100));
    if name.is_none() {
        form.required("name");
    }
    let minutes = minutes(&call.body, &mut form);
    form.done()?;
    let here = &world.channels[&channel];
    if here.kind != ChannelKind::Text {
        let message = "Cannot execute action on this channel type";
        return Err(Refusal::new(400, 50024, message));
    }
    if permissions::within(world, world.bot, here) & CREATE_PUBLIC_THREADS == 0 {
        return Err(missing_permissions());
    }
    if world.channels.contains_key(&message) {
        let message = "A thread has already been created for this message";
        return Err(Refusal::new(400, 160_004, message));
    }
    let name = name.unwrap_or_default().to_owned();
    let bot = world.bot;
    begin(world, (channel, message), &name, (bot, minutes));
    let thread = objects::channel(world, &world.channels[&message]);
    Ok(Reply::created(thread))
}

fn minutes(body: &Value, form: &mut Form) -> u64 {
    let minutes = body["auto_archive_duration"].as_u64().unwrap_or(1_440);
    if !ARCHIVE_AFTER.contains(&minutes) {
        let message = "Value must be one of (60, 1440, 4320, 10080).";
        form.slip("auto_archive_duration", "BASE_TYPE_CHOICES", message);
    }
    minutes
}

/// Begins a thread at a message; it has the message's id.
pub(crate) fn begin(
    world: &mut World,
    (channel, message): (Id, Id),
    name: &str,
    (owner, archive_minutes): (Id, u64),
) {
    let thread = Thread {
        parent: channel,
        owner,
        members: BTreeSet::from([owner]),
        archive_minutes,
        state: ThreadState::Open,
        since: world.clock.now(),
    };
    let guild = world.channels[&channel].guild;
    world.channels.insert(
        message,
        Channel {
            id: message,
            kind: ChannelKind::PublicThread,
            name: name.to_owned(),
            guild,
            overwrites: Vec::new(),
            recipients: Vec::new(),
            thread: Some(thread),
            messages: BTreeMap::new(),
        },
    );
    let parent = world.channels.get_mut(&channel).unwrap();
    let starter = parent.messages.get_mut(&message).unwrap();
    starter.flags |= HAS_THREAD;
    let by = starter.author;
    events::thread_created(world, message);
    events::message_changed(world, channel, message);
    let first = Post {
        reply: Some(message),
        ..Post::default()
    };
    let said = Said {
        by,
        kind: MessageKind::ThreadStarter,
        interaction: None,
        only_for: None,
    };
    posts::put(world, message, first, said);
}

pub(crate) fn join(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let id = call.id(0)?;
    world.channel(id)?;
    let bot = world.bot;
    let channel = world.channels.get_mut(&id).unwrap();
    let Some(thread) = &mut channel.thread else {
        let message = "Cannot execute action on this channel type";
        return Err(Refusal::new(400, 50024, message));
    };
    if thread.state.archived() {
        return Err(Refusal::new(400, 50083, "Thread is archived"));
    }
    thread.members.insert(bot);
    Ok(Reply::nothing())
}

pub(crate) fn active(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let guild = world.guild(call.id(0)?)?.id;
    let open = |channel: &&Channel| {
        let thread = channel.thread.as_ref();
        channel.guild == Some(guild)
            && thread.is_some_and(|thread| !thread.state.archived())
            && permissions::within(world, world.bot, channel) != 0
    };
    let threads: Value = world
        .channels
        .values()
        .filter(open)
        .map(|channel| objects::channel(world, channel))
        .collect();
    Ok(Reply::with(
        json!({ "threads": threads, "members": [], "has_more": false }),
    ))
}

/// Archives, locks or renames a thread.
pub(crate) fn modify(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let id = call.id(0)?;
    let here = world.channel(id)?;
    let may = permissions::within(world, world.bot, here);
    let owns = |thread: &Thread| thread.owner == world.bot && !thread.state.locked();
    let Some(thread) = &here.thread else {
        return Err(missing_permissions());
    };
    if may & MANAGE_THREADS == 0 && !owns(thread) {
        return Err(missing_permissions());
    }
    let said = |key: &str, now: bool| call.body[key].as_bool().unwrap_or(now);
    let state = state(
        said("archived", thread.state.archived()),
        said("locked", thread.state.locked()),
    );
    let name = call.body["name"].as_str().map(str::to_owned);
    set(world, id, state);
    if let Some(name) = name {
        world.channels.get_mut(&id).unwrap().name = name;
    }
    Ok(Reply::with(objects::channel(world, &world.channels[&id])))
}

#[expect(
    clippy::fn_params_excessive_bools,
    reason = "the two flags of the wire"
)]
fn state(archived: bool, locked: bool) -> ThreadState {
    match (archived, locked) {
        (false, false) => ThreadState::Open,
        (true, false) => ThreadState::Archived,
        (false, true) => ThreadState::Locked,
        (true, true) => ThreadState::LockedAndArchived,
    }
}

pub(crate) fn set(world: &mut World, id: Id, state: ThreadState) {
    let now = world.clock.now();
    let channel = world.channels.get_mut(&id).unwrap();
    let thread = channel.thread.as_mut().expect("a thread");
    thread.state = state;
    thread.since = now;
    events::thread_changed(world, id);
}
