//! Who is called by a message: what its text names, less what `allowed_mentions` and the
//! author's permissions leave out.
//!
//! Code and backslashes do not keep a mention quiet here: nobody should rely on them.

use serde_json::Value;

use super::clock::Id;
use super::permissions::{self, MENTION_EVERYONE};
use super::refusal::Form;
use super::world::{Channel, World};

/// Who a message calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mentions {
    pub(crate) users: Vec<Id>,
    pub(crate) roles: Vec<Id>,
    pub(crate) everyone: bool,
}

impl Mentions {
    pub(crate) fn nobody(&self) -> bool {
        self.users.is_empty() && self.roles.is_empty() && !self.everyone
    }
}

/// What a sender lets a message call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allowed {
    users: Which,
    roles: Which,
    everyone: bool,
    pub(crate) replied: Replied,
}

#[derive(Clone, Debug, Default)]
enum Which {
    #[default]
    None,
    All,
    These(Vec<Id>),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Replied {
    #[default]
    Quiet,
    Called,
}

impl Allowed {
    /// What a message without `allowed_mentions` calls.
    pub(crate) fn all() -> Self {
        Self {
            users: Which::All,
            roles: Which::All,
            everyone: true,
            replied: Replied::Called,
        }
    }

    /// What an answer to an interaction calls without `allowed_mentions`.
    pub(crate) fn only_users() -> Self {
        Self {
            users: Which::All,
            ..Self::default()
        }
    }

    /// What `body` allows; `default` if it does not say.
    pub(crate) fn read(body: &Value, default: Self, form: &mut Form) -> Self {
        let Some(said) = body.get("allowed_mentions").filter(|said| !said.is_null()) else {
            return default;
        };
        let parse = parsed(said, form);
        let mut which = |kind: &str| {
            let listed = form.list((said, kind), "allowed_mentions", 100);
            if !parse.contains(&kind) {
                return Which::These(listed.iter().filter_map(id).collect());
            }
            if !listed.is_empty() {
                let code = "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE";
                let message =
                    format!("parse:[\"{kind}\"] and {kind}: [ids...] are mutually exclusive.");
                form.slip("allowed_mentions", code, &message);
            }
            Which::All
        };
        let called = said.get("replied_user").and_then(Value::as_bool) == Some(true);
        Self {
            users: which("users"),
            roles: which("roles"),
            everyone: parse.contains(&"everyone"),
            replied: if called {
                Replied::Called
            } else {
                Replied::Quiet
            },
        }
    }
}

/// What `parse` names.
fn parsed<'a>(said: &'a Value, form: &mut Form) -> Vec<&'a str> {
    let listed = form.list((said, "parse"), "allowed_mentions", 3).iter();
    let words: Vec<&str> = listed.filter_map(Value::as_str).collect();
    for (place, word) in words.iter().enumerate() {
        if !["users", "roles", "everyone"].contains(word) {
            let path = format!("allowed_mentions.parse.{place}");
            let message = "Value must be one of ('users', 'roles', 'everyone').";
            form.slip(&path, "BASE_TYPE_CHOICES", message);
        }
    }
    words
}

fn id(value: &Value) -> Option<Id> {
    value
        .as_u64()
        .or_else(|| value.as_str().and_then(|id| id.parse().ok()))
}

impl Which {
    fn lets(&self, id: Id) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::These(these) => these.contains(&id),
        }
    }
}

/// Who `content` calls when `author` says it in `channel` and allows `allowed`.
pub(crate) fn called(
    world: &World,
    (author, channel): (Id, &Channel),
    content: &str,
    allowed: &Allowed,
) -> Mentions {
    let mut mentions = Mentions::default();
    let may_call_all = permissions::within(world, author, channel) & MENTION_EVERYONE != 0
        && channel.guild.is_some();
    let guild = channel.guild.map(|guild| &world.guilds[&guild]);
    for user in named(content, &["<@!", "<@"]) {
        let known = world.users.contains_key(&user);
        if known && allowed.users.lets(user) && !mentions.users.contains(&user) {
            mentions.users.push(user);
        }
    }
    for role in named(content, &["<@&"]) {
        let open = guild
            .and_then(|guild| guild.roles.get(&role))
            .is_some_and(|role| role.mentionable || may_call_all);
        if open && allowed.roles.lets(role) && !mentions.roles.contains(&role) {
            mentions.roles.push(role);
        }
    }
    let all = content.contains("@everyone") || content.contains("@here");
    mentions.everyone = all && may_call_all && allowed.everyone;
    mentions
}

/// The ids that stand in `content` between one of `openings` and `>`.
fn named(content: &str, openings: &[&str]) -> Vec<Id> {
    let mut ids = Vec::new();
    for (at, _) in content.match_indices('<') {
        let rest = &content.as_bytes()[at..];
        let Some(opening) = openings
            .iter()
            .find(|opening| rest.starts_with(opening.as_bytes()))
        else {
            continue;
        };
        let rest = &rest[opening.len()..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let closed = rest.get(digits) == Some(&b'>');
        let number = std::str::from_utf8(&rest[..digits]).unwrap().parse();
        let number: Option<Id> = number.ok();
        ids.extend(number.filter(|_| closed));
    }
    ids
}
