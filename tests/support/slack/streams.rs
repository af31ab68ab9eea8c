//! Messages that are written before everybody's eyes: begun, added to, ended.
//!
//! Slack gives a stream up after some minutes, even while it is being written; the message stays
//! as if it were still coming until it is edited.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::arguments::{Arguments, missing};
use super::blocks::{self, Surface};
use super::chat::{self, Draft, LONGEST_MARKDOWN, New};
use super::events;
use super::mentions::Names;
use super::methods::Call;
use super::objects::{self, Metadata};
use super::refusal::{Refusal, refuse};
use super::world::{Kind, Message, Stream, StreamState, Streaming, World};

/// What a stream may come to.
const LONGEST: usize = 13_200;

/// Whether `message` is being streamed and Slack has not given it up.
pub(crate) fn is_open(world: &World, message: &Message) -> bool {
    let limit = TimeDelta::from_std(world.settings.stream).unwrap();
    let now = world.clock.now();
    message
        .stream
        .is_some_and(|it| it.state == StreamState::Open && now - it.began < limit)
}

fn allowed(world: &World, kind: Kind) -> Result<(), Refusal> {
    match world.settings.streaming {
        Streaming::Everywhere => Ok(()),
        Streaming::DirectOnly if kind == Kind::Direct => Ok(()),
        Streaming::DirectOnly => refuse("channel_type_not_supported"),
        Streaming::Nowhere => refuse("unknown_method"),
    }
}

pub(crate) fn start(world: &mut World, call: &Call<'_>) -> Result<Value, Refusal> {
    let channel = chat::writable(world, &call.team, call.arguments.needed("channel")?)?;
    let kind = world.channels[&channel].kind;
    allowed(world, kind)?;
    let thread = chat::thread(world, &channel, call.arguments)?;
    let thread = thread.ok_or_else(|| missing("thread_ts"))?;
    if kind != Kind::Direct {
        recipient(world, &channel, call.arguments)?;
    }
    let text = text(call.arguments)?.unwrap_or_default();
    let stream = Stream {
        began: world.clock.now(),
        state: StreamState::Open,
    };
    let new = New {
        channel: channel.clone(),
        author: world.teams[&call.team].bot.user.clone(),
        // Nothing is fetched for what is streamed.
        draft: Draft {
            text: Some(text),
            ..Draft::default()
        },
        thread: Some(thread),
        stream: Some(stream),
        ..New::default()
    };
    let ts = chat::put(world, new);
    Ok(json!({ "channel": channel, "ts": ts }))
}

fn recipient(world: &World, channel: &str, arguments: &Arguments) -> Result<(), Refusal> {
    let Some(team) = arguments.text("recipient_team_id") else {
        return refuse("missing_recipient_team_id");
    };
    let Some(user) = arguments.text("recipient_user_id") else {
        return refuse("missing_recipient_user_id");
    };
    let known = world.users.get(user).is_some_and(|user| user.team == team);
    if known && world.channels[channel].members.contains(user) {
        Ok(())
    } else {
        refuse("user_not_found")
    }
}

/// The text that is given, in one piece or in chunks.
fn text(arguments: &Arguments) -> Result<Option<String>, Refusal> {
    let plain = arguments
        .text("markdown_text")
        .filter(|text| !text.is_empty());
    let chunks = arguments
        .json("chunks")
        .map_err(|()| Refusal::new("invalid_chunks"))?;
    let mut text = plain.map(str::to_owned);
    if let Some(chunks) = chunks {
        let chunks = chunks
            .as_array()
            .ok_or_else(|| Refusal::new("invalid_chunks"))?;
        for chunk in chunks {
            match chunk["type"].as_str() {
                Some("markdown_text") => {
                    let more = chunk["text"].as_str();
                    let more = more.ok_or_else(|| Refusal::new("invalid_chunks"))?;
                    text.get_or_insert_default().push_str(more);
                },
                Some("task_update") if chunk["id"].is_string() => {},
                Some("plan_update") if chunk["title"].is_string() => {},
                _ => return refuse("invalid_chunks"),
            }
        }
        text.get_or_insert_default();
    }
    let length = text.as_deref().map_or(0, |text| text.chars().count());
    if length > LONGEST_MARKDOWN {
        return refuse("msg_too_long");
    }
    Ok(text)
}

/// The stream that is added to.
fn streaming(world: &World, call: &Call<'_>) -> Result<(), Refusal> {
    let (channel, ts) = (
        call.arguments.needed("channel")?,
        call.arguments.needed("ts")?,
    );
    let kind = chat::reachable(world, &call.team, channel)?.kind;
    allowed(world, kind)?;
    let message = chat::own(world, (&call.team, channel), ts, "message_not_owned_by_app")?;
    if is_open(world, message) {
        Ok(())
    } else {
        refuse("message_not_in_streaming_state")
    }
}

fn add(world: &mut World, call: &Call<'_>, more: &str) -> Result<(), Refusal> {
    let (channel, ts) = (
        call.arguments.needed("channel")?,
        call.arguments.needed("ts")?,
    );
    let mut after = world.channels[channel].messages[ts].clone();
    after.text.push_str(more);
    if after.text.chars().count() > LONGEST {
        return refuse("msg_blocks_too_long");
    }
    let draft = Draft {
        names: Some(Names::Plain),
        ..Draft::default()
    };
    chat::heard(world, &after, &draft);
    let messages = &mut world.channels.get_mut(channel).unwrap().messages;
    messages.insert(ts.to_owned(), after);
    Ok(())
}

pub(crate) fn append(world: &mut World, call: &Call<'_>) -> Result<Value, Refusal> {
    let more = text(call.arguments)?;
    streaming(world, call)?;
    let Some(more) = more else {
        return refuse("no_text");
    };
    add(world, call, &more)?;
    Ok(json!({ "channel": call.arguments.text("channel"), "ts": call.arguments.text("ts") }))
}

pub(crate) fn stop(world: &mut World, call: &Call<'_>) -> Result<Value, Refusal> {
    let (channel, ts) = (
        call.arguments.needed("channel")?,
        call.arguments.needed("ts")?,
    );
    let more = text(call.arguments)?;
    let given = call.arguments.json("blocks");
    let given = given.map_err(|()| Refusal::new("invalid_blocks_format"))?;
    let blocks = given
        .map(|given| blocks::check(&given, Surface::Message))
        .transpose()?
        .map(|blocks| chat::completed(world, blocks));
    streaming(world, call)?;
    add(world, call, &more.unwrap_or_default())?;
    let before = world.channels[channel].messages[ts].clone();
    if before.text.trim().is_empty() && blocks.is_none() {
        return refuse("no_text");
    }
    let metadata = chat::metadata(call.arguments)?;
    let messages = &mut world.channels.get_mut(channel).unwrap().messages;
    let message = messages.get_mut(ts).unwrap();
    message.blocks = blocks.unwrap_or_default();
    message.metadata = metadata.or_else(|| message.metadata.take());
    if let Some(stream) = &mut message.stream {
        stream.state = StreamState::Stopped;
    }
    let message = message.clone();
    chat::heard(world, &message, &Draft::default());
    events::changed(world, channel, &before);
    let object = objects::message(world, &message, &call.team, Metadata::Shown);
    Ok(json!({ "channel": channel, "ts": ts, "message": object }))
}
