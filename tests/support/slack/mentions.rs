//! Whom a message calls, and which pages it makes Slack fetch.
//!
//! Where Slack's rules are not known, somebody is called: in a text that only a notification
//! shows, in code, behind a backslash.

use std::collections::BTreeSet;

use serde_json::Value;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mentions {
    pub(crate) users: BTreeSet<String>,
    pub(crate) groups: BTreeSet<String>,
    /// `channel`, `here`, `everyone`.
    pub(crate) all: BTreeSet<String>,
}

/// How Slack is asked to read names in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    Plain,
    /// `link_names`, or `parse` that is `full`.
    Linked,
}

impl Mentions {
    /// Whom a message with this text and these blocks calls.
    pub(crate) fn of(text: &str, blocks: &[Value], names: Names) -> Self {
        let mut mentions = Self::default();
        mentions.read(text, names);
        for block in blocks {
            mentions.walk(block, names);
        }
        mentions
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.users.is_empty() && self.groups.is_empty() && self.all.is_empty()
    }

    fn read(&mut self, text: &str, names: Names) {
        for after in text.split('<').skip(1) {
            let Some((inner, _)) = after.split_once('>') else {
                continue;
            };
            let name = inner.split('|').next().unwrap_or("");
            if let Some(user) = name.strip_prefix('@') {
                self.users.insert(user.to_owned());
            } else if let Some(group) = name.strip_prefix("!subteam^") {
                self.groups.insert(group.to_owned());
            } else if let Some(all) = name.strip_prefix('!')
                && ["channel", "here", "everyone", "group"].contains(&all)
            {
                self.all.insert(all.to_owned());
            }
        }
        if names == Names::Linked {
            let all = ["channel", "here", "everyone"].into_iter();
            let called = all.filter(|all| text.contains(&format!("@{all}")));
            self.all.extend(called.map(str::to_owned));
        }
    }

    /// Reads every text there is in `part`.
    pub(crate) fn read_all(&mut self, part: &Value, names: Names) {
        match part {
            Value::String(text) => self.read(text, names),
            Value::Array(list) => list.iter().for_each(|part| self.read_all(part, names)),
            Value::Object(fields) => {
                fields.values().for_each(|part| self.read_all(part, names));
            },
            Value::Null | Value::Bool(_) | Value::Number(_) => {},
        }
    }

    fn walk(&mut self, part: &Value, names: Names) {
        let id_at = |key: &str| part[key].as_str().map(str::to_owned);
        match part["type"].as_str() {
            Some("mrkdwn" | "markdown") => {
                self.read(part["text"].as_str().unwrap_or(""), names);
            },
            Some("user") => self.users.extend(id_at("user_id")),
            Some("usergroup") => self.groups.extend(id_at("usergroup_id")),
            Some("broadcast") => self.all.extend(id_at("range")),
            _ => {},
        }
        let inner: Vec<&Value> = match part {
            Value::Object(fields) => fields.values().collect(),
            Value::Array(list) => list.iter().collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
        };
        for part in inner {
            self.walk(part, names);
        }
    }
}

/// The links of a message, in order, each once.
pub(crate) fn links(text: &str, blocks: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    read_links(text, &mut found);
    for block in blocks {
        walk_links(block, &mut found);
    }
    found
}

fn read_links(text: &str, found: &mut Vec<String>) {
    let starts = text.match_indices("http").map(|(at, _)| at);
    for at in starts {
        let Some(rest) = text.get(at..) else {
            continue;
        };
        if !rest.starts_with("http://") && !rest.starts_with("https://") {
            continue;
        }
        let ends = |letter: char| letter.is_whitespace() || ">|)]\"'`<".contains(letter);
        let link = rest.split(ends).next().unwrap_or("").to_owned();
        if !found.contains(&link) {
            found.push(link);
        }
    }
}

fn walk_links(part: &Value, found: &mut Vec<String>) {
    match part {
        Value::Object(fields) => {
            // Where a button leads is not fetched.
            if part["type"] == "button" {
                return;
            }
            for (key, part) in fields {
                match part.as_str() {
                    Some(text) if ["text", "url"].contains(&&**key) => read_links(text, found),
                    _ => walk_links(part, found),
                }
            }
        },
        Value::Array(list) => list.iter().for_each(|part| walk_links(part, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {},
    }
}
