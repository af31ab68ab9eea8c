//! The app as its manifest sets it up, so that a test can hold the one that is shipped against
//! what the bot needs.
//!
//! It reads as much of YAML as manifests are written in: mappings, lists, plain and quoted
//! words, comments.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::world::Switch;

/// What a manifest says of the app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) scopes: BTreeSet<String>,
    pub(crate) events: BTreeSet<String>,
    pub(crate) commands: BTreeSet<String>,
    /// Names and callback ids of the shortcuts in a message's menu.
    pub(crate) shortcuts: BTreeMap<String, String>,
    /// Whether all commands are given names and links as messages have them.
    pub(crate) escapes: bool,
    /// Whether the app has a home.
    pub(crate) home: Switch,
}

impl Manifest {
    pub(crate) fn read(yaml: &str) -> Self {
        let manifest = parsed(yaml);
        let features = &manifest["features"];
        let commands = list(&features["slash_commands"]);
        let shortcuts = list(&features["shortcuts"]);
        let of_messages = shortcuts.iter().filter(|one| one["type"] == "message");
        Self {
            scopes: texts(&manifest["oauth_config"]["scopes"]["bot"]),
            events: texts(&manifest["settings"]["event_subscriptions"]["bot_events"]),
            commands: commands.iter().map(|one| text(&one["command"])).collect(),
            shortcuts: of_messages
                .map(|one| (text(&one["name"]), text(&one["callback_id"])))
                .collect(),
            home: if features["app_home"]["home_tab_enabled"] == "true" {
                Switch::On
            } else {
                Switch::Off
            },
            escapes: commands.iter().all(|one| one["should_escape"] == "true"),
        }
    }
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn texts(value: &Value) -> BTreeSet<String> {
    list(value).iter().map(text).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or("").to_owned()
}

/// A line that says something: how far it is set in, and what it says.
type Line<'a> = (usize, &'a str);

fn parsed(yaml: &str) -> Value {
    let lines = yaml.lines().filter_map(|line| {
        let said = line.trim();
        let says = !said.is_empty() && !said.starts_with('#') && said != "---";
        says.then(|| (line.len() - line.trim_start().len(), said))
    });
    let lines: Vec<Line<'_>> = lines.collect();
    block(&lines)
}

/// What lines that belong together say.
fn block(lines: &[Line<'_>]) -> Value {
    let Some((depth, first)) = lines.first().copied() else {
        return Value::Null;
    };
    let entries = lines.chunk_by(|_, (next, said)| {
        // A list may stand as far out as the key above it.
        *next > depth || (!first.starts_with("- ") && said.starts_with("- "))
    });
    if first.starts_with("- ") {
        return Value::Array(entries.map(|lines| entry(depth, lines)).collect());
    }
    let mut map = Map::new();
    for lines in entries {
        let Some((head, rest)) = lines.split_first() else {
            continue;
        };
        let (key, value) = head.1.split_once(':').unwrap_or((head.1, ""));
        let value = if rest.is_empty() {
            scalar(value)
        } else {
            block(rest)
        };
        map.insert(unquoted(key.trim()), value);
    }
    Value::Object(map)
}

/// One entry of a list.
fn entry(depth: usize, lines: &[Line<'_>]) -> Value {
    let Some((head, rest)) = lines.split_first() else {
        return Value::Null;
    };
    let said = head.1.strip_prefix("- ").unwrap_or("").trim_start();
    let mapping = said.contains(": ") || said.ends_with(':');
    if !mapping {
        return scalar(said);
    }
    let mut inner = vec![(depth + 2, said)];
    inner.extend(rest);
    block(&inner)
}

fn scalar(said: &str) -> Value {
    let said = said.trim();
    if said.is_empty() {
        return Value::Null;
    }
    json!(unquoted(said))
}

fn unquoted(said: &str) -> String {
    for quote in ['"', '\''] {
        let inner = said
            .strip_prefix(quote)
            .and_then(|rest| rest.split_once(quote));
        if let Some((inner, _)) = inner {
            return inner.to_owned();
        }
    }
    // A comment may follow.
    said.split(" #").next().unwrap_or("").trim_end().to_owned()
}
