//! The assistant's side of a thread: what it is doing, what it suggests, what it is called.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::chat;
use super::clock::{Id, Ts};
use super::methods::Call;
use super::refusal::{Refusal, refuse};
use super::world::World;

/// After so long without a message a status goes away.
const LASTS: TimeDelta = TimeDelta::minutes(2);

/// What the app says it is doing.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    pub(crate) text: String,
    pub(crate) at: DateTime<Utc>,
}

impl Status {
    pub(crate) fn holds(&self, now: DateTime<Utc>) -> bool {
        !self.text.is_empty() && now - self.at < LASTS
    }
}

/// The channel and the message that are named.
fn place(world: &World, call: &Call<'_>) -> Result<(Id, Ts), Refusal> {
    let channel = call.arguments.needed("channel_id")?;
    let channel = chat::reachable(world, &call.team, channel)
        .map_err(|_| Refusal::new("channel_not_found"))?;
    let ts = call.arguments.text("thread_ts").unwrap_or("");
    if channel
        .messages
        .get(ts)
        .is_none_or(|one| one.only_for.is_some())
    {
        return refuse("invalid_thread_ts");
    }
    Ok((channel.id.clone(), ts.to_owned()))
}

pub(crate) fn set_status(world: &mut World, call: &Call<'_>) -> Result<Value, Refusal> {
    let place = place(world, call)?;
    let Some(text) = call.arguments.text("status") else {
        return Err(super::arguments::missing("status"));
    };
    let loading = call.arguments.json("loading_messages");
    let loading = loading.map_err(|()| Refusal::new("invalid_arguments"))?;
    let many = loading
        .as_ref()
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    if many > 10 {
        return refuse("invalid_arguments");
    }
    let at = world.clock.now();
    let text = text.to_owned();
    world.statuses.insert(place, Status { text, at });
    Ok(json!({}))
}

/// The assistant's thread that is named.
fn thread(world: &World, call: &Call<'_>) -> Result<(Id, Ts), Refusal> {
    let place = place(world, call)?;
    if world.threads.contains_key(&place) {
        Ok(place)
    } else {
        refuse("invalid_thread_ts")
    }
}

pub(crate) fn set_prompts(world: &mut World, call: &Call<'_>) -> Result<Value, Refusal> {
    let place = thread(world, call)?;
    let wrong = || Refusal::new("invalid_arguments");
    let given = call.arguments.json("prompts").map_err(|()| wrong())?;
    let list = given.as_ref().and_then(Value::as_array).ok_or_else(wrong)?;
    if list.is_empty() || list.len() > 4 {
        return Err(wrong());
    }
    let mut prompts = Vec::new();
    for prompt in list {
        let (Some(title), Some(message)) =
            (prompt["title"].as_str(), prompt["message"].as_str())
        else {
            return Err(wrong());
        };
        prompts.push((title.to_owned(), message.to_owned()));
    }
    if let Some(thread) = world.threads.get_mut(&place) {
        thread.prompts = prompts;
    }
    Ok(json!({}))
}

pub(crate) fn set_title(world: &mut World, call: &Call<'_>) -> Result<Value, Refusal> {
    let place = thread(world, call)?;
    let title = call.arguments.needed("title")?.to_owned();
    if let Some(thread) = world.threads.get_mut(&place) {
        thread.title = Some(title);
    }
    Ok(json!({}))
}
