//! What was said before: the history of a channel, and a thread.

use serde_json::{Value, json};

use super::api::missing_scope;
use super::arguments::Arguments;
use super::chat;
use super::clock;
use super::methods::Call;
use super::objects::{self, Metadata};
use super::refusal::{Refusal, refuse};
use super::world::{Channel, Message, Subtype, Switch, World};

/// Which messages are wanted, and how many.
struct Window {
    oldest: Option<String>,
    latest: Option<String>,
    inclusive: bool,
    limit: usize,
    /// How many were given before.
    skip: usize,
}

impl Window {
    fn read(arguments: &Arguments, usual: usize) -> Result<Self, Refusal> {
        let limit = arguments.number("limit").unwrap_or(usual).clamp(1, 999);
        let skip = match arguments.text("cursor").filter(|cursor| !cursor.is_empty()) {
            None => 0,
            Some(cursor) => cursor
                .strip_prefix("next_ts:")
                .and_then(|skip| skip.parse().ok())
                .ok_or_else(|| Refusal::new("invalid_cursor"))?,
        };
        Ok(Self {
            oldest: bound(arguments, "oldest", "invalid_ts_oldest")?,
            latest: bound(arguments, "latest", "invalid_ts_latest")?,
            inclusive: arguments.flag("inclusive") == Some(true),
            limit,
            skip,
        })
    }

    fn holds(&self, ts: &str) -> bool {
        let within = |bound: &str, order: std::cmp::Ordering| {
            ts.cmp(bound) == order || (self.inclusive && ts == bound)
        };
        let oldest = self.oldest.as_deref();
        let latest = self.latest.as_deref();
        oldest.is_none_or(|bound| within(bound, std::cmp::Ordering::Greater))
            && latest.is_none_or(|bound| within(bound, std::cmp::Ordering::Less))
    }

    /// One page of `all`, and the rest of the answer.
    fn page(&self, all: &[&Message], world: &World, call: &Call<'_>) -> Value {
        let asked = call.arguments.flag("include_all_metadata") == Some(true);
        let metadata = if asked && world.settings.metadata == Switch::On {
            Metadata::Shown
        } else {
            Metadata::Left
        };
        let page = all.iter().skip(self.skip).take(self.limit);
        let messages: Vec<Value> = page
            .map(|message| objects::message(world, message, &call.team, metadata))
            .collect();
        let more = all.len() > self.skip + messages.len();
        let mut body = json!({ "messages": messages, "has_more": more });
        if more {
            let next = format!("next_ts:{}", self.skip + self.limit);
            body["response_metadata"] = json!({ "next_cursor": next });
        }
        body
    }
}

/// A bound: a timestamp, or seconds alone; nothing if it is 0 or `now`.
fn bound(arguments: &Arguments, key: &str, wrong: &str) -> Result<Option<String>, Refusal> {
    let Some(given) = arguments.text(key) else {
        return Ok(None);
    };
    if ["", "0", "now"].contains(&given) {
        return Ok(None);
    }
    let seconds = given.len() == 10 && given.bytes().all(|byte| byte.is_ascii_digit());
    if seconds {
        return Ok(Some(format!("{given}.000000")));
    }
    if clock::said(given).is_none() {
        return refuse(wrong);
    }
    Ok(Some(given.to_owned()))
}

/// The channel, if the bot is in it and may read what was said there.
fn readable<'a>(world: &'a World, call: &Call<'_>) -> Result<&'a Channel, Refusal> {
    let named = call.arguments.needed("channel")?;
    let channel = world.channels.get(named);
    let channel = channel.ok_or_else(|| Refusal::new("channel_not_found"))?;
    let needed = format!("{}:history", channel.scope());
    let scopes = &world.teams[&call.team].bot.scopes;
    if !scopes.contains(&needed) {
        return Err(missing_scope(&needed, scopes));
    }
    chat::reachable(world, &call.team, named)
}

/// What is there for all to see.
fn public(message: &Message) -> bool {
    message.only_for.is_none()
}

pub(crate) fn history(world: &mut World, call: &Call<'_>) -> Result<Value, Refusal> {
    let window = Window::read(call.arguments, 100)?;
    let channel = readable(world, call)?;
    let messages = channel.messages.values().rev();
    let all: Vec<&Message> = messages
        .filter(|one| public(one) && window.holds(&one.ts))
        .filter(|one| one.thread.is_none() || one.subtype == Subtype::Broadcast)
        .collect();
    let mut body = window.page(&all, world, call);
    body["pin_count"] = json!(0);
    Ok(body)
}

pub(crate) fn replies(world: &mut World, call: &Call<'_>) -> Result<Value, Refusal> {
    let window = Window::read(call.arguments, 999)?;
    let channel = readable(world, call)?;
    let ts = call.arguments.needed("ts")?;
    let named = channel.messages.get(ts).filter(|one| public(one));
    let named = named.ok_or_else(|| Refusal::new("thread_not_found"))?;
    let root = named.thread.clone().unwrap_or_else(|| named.ts.clone());
    let parent = channel.messages.get(&root);
    let replies = channel.replies(&root).filter(|one| window.holds(&one.ts));
    // The parent comes first, whatever window is asked for.
    let all: Vec<&Message> = parent.into_iter().chain(replies).collect();
    Ok(window.page(&all, world, call))
}
