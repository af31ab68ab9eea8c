//! What reaches the librarian from a messenger, in words that all messengers share.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::document::Digest;
use super::language::Language;

/// A messenger that teams talk in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Platform {
    Discord,
    Slack,
}

impl Platform {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Discord => "discord",
            Self::Slack => "slack",
        }
    }
}

/// Names an event for good: the same words heard twice have the same key, however often and in
/// whatever form the platform delivers them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventKey(String);

impl EventKey {
    /// From the platform's own name for what happened, such as a message's place and id.
    pub fn new(platform: Platform, name: &str) -> Self {
        Self(format!("{}:{name}", platform.as_str()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A short name without anything private in it: for logs, and for a person who reports a
    /// failure.
    pub fn short(&self) -> String {
        Self::short_of(&self.0)
    }

    /// The short name of the key that is written like this.
    pub fn short_of(key: &str) -> String {
        let digest = Digest::of(key.as_bytes()).to_string();
        digest.chars().take(Self::SHORT).collect()
    }

    /// Hexadecimal digits of [`EventKey::short`].
    pub const SHORT: usize = 12;
}

impl fmt::Display for EventKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

/// Where something was said.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    pub platform: Platform,
    /// The server or workspace; none for a direct message on Discord.
    pub server: Option<String>,
    /// The channel, thread or direct message.
    pub channel: String,
    pub kind: PlaceKind,
}

/// What one may take for granted of those who read along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlaceKind {
    /// Many conversations at once; what belongs together is told by replies.
    Channel,
    /// One conversation.
    Thread,
    /// One conversation, with one person.
    Direct,
}

/// One of our posts, by where it stands: that need not be where the event was that it answers,
/// and tomorrow's settings would put it elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    pub place: Place,
    /// As the platform numbers it.
    pub id: String,
}

/// Who said it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// As the platform numbers people.
    pub id: String,
    /// Names and ids of the roles they have where they said it.
    pub roles: Vec<String>,
    /// Whether the platform lets them administer the place.
    pub administers: bool,
}

/// What a person wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wish {
    /// To have a question answered.
    Ask {
        question: String,
        /// The names of files that came with it, which nobody looks at.
        #[serde(default)]
        unread: Vec<String>,
    },
    /// To put something on the shelf. It is shown first, and added when they say yes.
    Add {
        what: Vec<Material>,
        title: Option<String>,
        collection: Option<String>,
        /// Words that came with files: they are neither added nor asked.
        #[serde(default)]
        beside: Option<String>,
    },
    /// To take a document off the shelf.
    Remove { uri: String },
    /// To see which documents there are.
    List { collection: Option<String> },
    /// To see the passages for some words.
    Search { words: String },
    /// To see how the librarian is.
    Status,
    /// To see what was added and removed last.
    Log,
    /// To have the sources read again.
    Sync { source: Option<String> },
    /// To have the answer that is being written stopped: their own, in this place.
    Stop,
    /// A button under one of our posts.
    Press(Press),
}

/// Something that may become a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Material {
    /// A page on the web.
    Page { url: String },
    /// Words that were typed or said; `link` is where they were said.
    Text { text: String, link: String },
    /// A file that was handed in on the platform.
    File {
        name: String,
        content_type: Option<String>,
        bytes: u64,
        /// Where the platform keeps it; it may expire.
        url: String,
        /// Its lasting name, where it was handed in.
        link: String,
    },
}

/// What a button does. [`Press::code`] travels through the platform and comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Press {
    /// The answer with this receipt was useful.
    Useful(String),
    /// The answer with this receipt was not useful.
    NotUseful(String),
    /// Show the receipt, to whoever asks.
    Sources(String),
    /// Show the answer with this receipt to everybody; so far only one person sees it.
    Share(String),
    /// Stop answering the event with this short key.
    Stop(String),
    /// Yes, add what the event with this short key showed.
    Add(String),
    /// No, leave it.
    Leave(String),
}

impl Press {
    /// At most 64 characters, letters, digits and `:`.
    pub fn code(&self) -> String {
        let (verb, of) = match self {
            Self::Useful(of) => ("useful", of),
            Self::NotUseful(of) => ("not-useful", of),
            Self::Sources(of) => ("sources", of),
            Self::Share(of) => ("share", of),
            Self::Stop(of) => ("stop", of),
            Self::Add(of) => ("add", of),
            Self::Leave(of) => ("leave", of),
        };
        format!("saseo:{verb}:{of}")
    }

    /// Reads a code; `None` for anything that is not one of ours.
    ///
    /// ```
    /// use saseo::domain::event::Press;
    ///
    /// let press = Press::Sources("3fa9".into());
    /// assert_eq!(Press::parse(&press.code()), Some(press));
    /// assert_eq!(Press::parse("saseo:burn:3fa9"), None);
    /// assert_eq!(Press::parse("saseo:add:../3f"), None);
    /// ```
    pub fn parse(code: &str) -> Option<Self> {
        let (verb, of) = code.strip_prefix("saseo:")?.split_once(':')?;
        if of.is_empty() || of.len() > 32 || !of.chars().all(|c| c.is_ascii_alphanumeric()) {
            return None;
        }
        let of = of.to_owned();
        match verb {
            "useful" => Some(Self::Useful(of)),
            "not-useful" => Some(Self::NotUseful(of)),
            "sources" => Some(Self::Sources(of)),
            "share" => Some(Self::Share(of)),
            "stop" => Some(Self::Stop(of)),
            "add" => Some(Self::Add(of)),
            "leave" => Some(Self::Leave(of)),
            _ => None,
        }
    }
}

/// Something that was said or done, and wants exactly one visible answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub key: EventKey,
    pub place: Place,
    pub person: Person,
    pub at: DateTime<Utc>,
    /// The language to speak in where the words themselves do not tell.
    pub language: Language,
    /// The post of ours that this replies to.
    pub replies_to: Option<String>,
    pub wish: Wish,
    /// Where the reply goes, in the notation of the platform's own adapter.
    pub address: String,
}

impl Event {
    /// The post with this id, where the event was.
    pub fn posted(&self, id: String) -> Post {
        Post {
            place: self.place.clone(),
            id,
        }
    }

    /// The language to reply in: of the question, else of the person.
    pub fn speaks(&self) -> Language {
        match &self.wish {
            Wish::Ask { question, .. } => Language::of(question),
            Wish::Search { words } => Language::of(words),
            Wish::Add { .. }
            | Wish::Remove { .. }
            | Wish::List { .. }
            | Wish::Status
            | Wish::Log
            | Wish::Sync { .. }
            | Wish::Stop
            | Wish::Press(_) => self.language,
        }
    }
}

/// Who may add, remove and sync.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Curators {
    /// Names or ids of roles.
    pub roles: Vec<String>,
}

impl Curators {
    /// Whether `person` is one: who administers the place always is.
    pub fn include(&self, person: &Person) -> bool {
        person.administers || person.roles.iter().any(|role| self.roles.contains(role))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_platforms_name_and_its_short_form_says_nothing() {
        let key = EventKey::new(Platform::Discord, "channel/81/message/9");
        assert_eq!(key.as_str(), "discord:channel/81/message/9");
        assert_eq!(key.short().len(), EventKey::SHORT);
        assert_eq!(key.to_string(), key.short());
    }

    #[test]
    fn curators_are_administrators_and_the_roles_that_are_named() {
        let person = |roles: &[&str], administers| Person {
            id: "1".into(),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            administers,
        };
        let curators = Curators {
            roles: vec!["사서".into()],
        };
        assert!(curators.include(&person(&["dev", "사서"], false)));
        assert!(curators.include(&person(&[], true)));
        assert!(!curators.include(&person(&["dev"], false)));
        assert!(!Curators::default().include(&person(&["dev"], false)));
    }
}
