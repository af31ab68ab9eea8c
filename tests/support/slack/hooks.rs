//! Addresses to which the app may answer what somebody did: five times within half an hour.

use axum::http::HeaderMap;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::api::{Answer, Asked};
use super::arguments::{self, Arguments};
use super::chat::{self, Draft, New};
use super::clock::{Id, Ts};
use super::refusal::{Refusal, refuse};
use super::world::World;

const USES: usize = 5;
const LASTS: TimeDelta = TimeDelta::minutes(30);
const LONGEST: usize = 40_000;

pub(crate) struct Hook {
    /// What somebody did.
    pub(crate) about: Id,
    channel: Id,
    by: Id,
    author: Id,
    /// The message on which a button was pressed, or what was said here last.
    source: Option<Ts>,
    pub(crate) left: usize,
    until: DateTime<Utc>,
}

/// Makes an address; its path.
pub(crate) fn make(
    world: &mut World,
    about: &str,
    (team, channel, by): (&str, &str, &str),
    source: Option<Ts>,
) -> String {
    let kind = if source.is_some() {
        "actions"
    } else {
        "commands"
    };
    let secret = world.clock.letters(24);
    let path = format!("/{kind}/{team}/{}/{secret}", world.clock.letters(12));
    let hook = Hook {
        about: about.to_owned(),
        channel: channel.to_owned(),
        by: by.to_owned(),
        author: world.teams[team].bot.user.clone(),
        source,
        left: USES,
        until: world.clock.now() + LASTS,
    };
    world.hooks.insert(path.clone(), hook);
    path
}

/// Something was posted to an address.
pub(crate) fn posted(world: &mut World, asked: &Asked) -> Answer {
    let (status, body) = match used(world, asked) {
        Ok(()) => (200, json!({ "ok": true })),
        Err(refusal) => {
            let gone = ["used_url", "expired_url", "invalid_url"];
            let status = if gone.contains(&&*refusal.error) {
                404
            } else {
                200
            };
            (status, refusal.body())
        },
    };
    (status, body, HeaderMap::new())
}

fn used(world: &mut World, asked: &Asked) -> Result<(), Refusal> {
    let now = world.clock.now();
    let query = std::collections::BTreeMap::new();
    let read = arguments::read(None, &asked.headers, &query, &asked.bytes)?;
    let hook = world.hooks.get_mut(&asked.path);
    let hook = hook.ok_or_else(|| Refusal::new("invalid_url"))?;
    if now >= hook.until {
        return refuse("expired_url");
    }
    if hook.left == 0 {
        return refuse("used_url");
    }
    hook.left -= 1;
    say(world, &asked.path, &read.arguments)
}

/// Says what the app answers, to one person or to all.
pub(crate) fn say(world: &mut World, path: &str, arguments: &Arguments) -> Result<(), Refusal> {
    let hook = &world.hooks[path];
    let (channel, by, author) = (hook.channel.clone(), hook.by.clone(), hook.author.clone());
    let (source, about) = (hook.source.clone(), hook.about.clone());
    let there = |ts: &Ts| world.channels[&channel].messages.contains_key(ts);
    let source = source.filter(there);
    if arguments.flag("delete_original") == Some(true) {
        let source = source.ok_or_else(|| Refusal::new("message_not_found"))?;
        chat::remove(world, &channel, &source);
        return Ok(());
    }
    let draft = Draft::read(world, arguments, LONGEST)?;
    if !draft.says_something() {
        return refuse("no_text");
    }
    if arguments.flag("replace_original") == Some(true)
        && let Some(source) = source
    {
        chat::change(world, (&channel, &source), draft);
        return Ok(());
    }
    let all = arguments.text("response_type") == Some("in_channel");
    let thread = chat::thread(world, &channel, arguments)?;
    let new = New {
        channel,
        author,
        draft,
        thread,
        only_for: (!all).then_some(by),
        answers: Some(about),
        ..New::default()
    };
    let ts = chat::put(world, new);
    let hook = world.hooks.get_mut(path).unwrap();
    if path.starts_with("/commands/") {
        hook.source = Some(ts);
    }
    Ok(())
}

/// The address for the answers to `about`, as a whole.
pub(crate) fn url(world: &World, path: &str) -> Value {
    json!(format!("{}{path}", world.settings.server))
}
