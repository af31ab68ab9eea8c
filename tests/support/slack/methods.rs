//! The methods of the Web API that the fake has: who may call them, how often, with what.

use serde_json::Value;

use super::arguments::Arguments;
use super::clock::Id;
use super::limits::Tier;
use super::refusal::Refusal;
use super::world::World;
use super::{
    assistant, chat, conversations, directory, files, members, oauth, socket, streams, views,
};

/// Which token a method wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    /// One of a bot.
    Bot,
    /// The app-level one.
    App,
    /// Either.
    Any,
    /// None: it knows the caller otherwise.
    Nothing,
}

/// A call that was let in.
pub(crate) struct Call<'a> {
    /// The workspace of the token; empty without one.
    pub(crate) team: Id,
    pub(crate) arguments: &'a Arguments,
    /// What the `Authorization` header says.
    pub(crate) authorization: &'a str,
}

type Serve = fn(&mut World, &Call<'_>) -> Result<Value, Refusal>;

pub(crate) struct Method {
    pub(crate) name: &'static str,
    pub(crate) tier: Tier,
    pub(crate) wants: Wants,
    /// Any of these is enough; with none of them named, none is needed. Where it depends on
    /// the kind of conversation, the method itself looks.
    pub(crate) scopes: &'static [&'static str],
    /// Whether it takes JSON.
    pub(crate) json: bool,
    pub(crate) required: &'static [&'static str],
    pub(crate) serve: Serve,
}

/// A method of a bot that takes JSON.
const fn bot(
    name: &'static str,
    tier: Tier,
    scopes: &'static [&'static str],
    required: &'static [&'static str],
    serve: Serve,
) -> Method {
    Method {
        name,
        tier,
        wants: Wants::Bot,
        scopes,
        json: true,
        required,
        serve,
    }
}

impl Method {
    const fn form_only(mut self) -> Self {
        self.json = false;
        self
    }

    const fn wants(mut self, wants: Wants) -> Self {
        self.wants = wants;
        self
    }
}

const WRITE: &[&str] = &["chat:write"];
const ASSIST: &[&str] = &["assistant:write"];
const REACT: &[&str] = &["reactions:write"];
const USERS: &[&str] = &["users:read"];
const GROUPS: &[&str] = &["usergroups:read"];
const FILES: &[&str] = &["files:read"];

pub(crate) const METHODS: &[Method] = &[
    bot("auth.test", Tier::Special, &[], &[], directory::auth_test).wants(Wants::Any),
    bot(
        "apps.connections.open",
        Tier::Three,
        &["connections:write"],
        &[],
        socket::open,
    )
    .wants(Wants::App),
    bot(
        "chat.postMessage",
        Tier::Posting,
        WRITE,
        &["channel"],
        chat::post,
    ),
    bot(
        "chat.update",
        Tier::Three,
        WRITE,
        &["channel", "ts"],
        chat::update,
    ),
    bot(
        "chat.delete",
        Tier::Three,
        WRITE,
        &["channel", "ts"],
        chat::delete,
    ),
    bot(
        "chat.postEphemeral",
        Tier::Four,
        WRITE,
        &["channel", "user"],
        chat::post_ephemeral,
    ),
    bot(
        "chat.getPermalink",
        Tier::Special,
        &[],
        &["channel", "message_ts"],
        chat::permalink,
    )
    .form_only(),
    bot(
        "chat.startStream",
        Tier::Two,
        WRITE,
        &["channel", "thread_ts"],
        streams::start,
    ),
    bot(
        "chat.appendStream",
        Tier::Four,
        WRITE,
        &["channel", "ts"],
        streams::append,
    ),
    bot(
        "chat.stopStream",
        Tier::Two,
        WRITE,
        &["channel", "ts"],
        streams::stop,
    ),
    bot(
        "conversations.history",
        Tier::Three,
        &[],
        &["channel"],
        conversations::history,
    ),
    bot(
        "conversations.replies",
        Tier::Three,
        &[],
        &["channel", "ts"],
        conversations::replies,
    )
    .form_only(),
    bot(
        "conversations.info",
        Tier::Three,
        &[],
        &["channel"],
        members::info,
    )
    .form_only(),
    bot(
        "conversations.members",
        Tier::Four,
        &[],
        &["channel"],
        members::members,
    )
    .form_only(),
    bot("conversations.list", Tier::Two, &[], &[], members::list).form_only(),
    bot(
        "users.conversations",
        Tier::Three,
        &[],
        &[],
        members::of_the_bot,
    )
    .form_only(),
    bot("conversations.open", Tier::Three, &[], &[], members::open),
    bot(
        "users.info",
        Tier::Four,
        USERS,
        &["user"],
        directory::users_info,
    )
    .form_only(),
    bot("bots.info", Tier::Three, USERS, &[], directory::bots_info).form_only(),
    bot(
        "usergroups.users.list",
        Tier::Two,
        GROUPS,
        &["usergroup"],
        directory::group,
    )
    .form_only(),
    bot("files.info", Tier::Four, FILES, &["file"], files::info).form_only(),
    bot("views.open", Tier::Four, &[], &["view"], views::open),
    bot("views.push", Tier::Four, &[], &["view"], views::push),
    bot("views.update", Tier::Four, &[], &["view"], views::update),
    bot(
        "views.publish",
        Tier::Four,
        &[],
        &["user_id", "view"],
        views::publish,
    ),
    bot(
        "assistant.threads.setStatus",
        Tier::Special,
        WRITE,
        &["channel_id", "thread_ts"],
        assistant::set_status,
    ),
    bot(
        "assistant.threads.setSuggestedPrompts",
        Tier::Four,
        ASSIST,
        &["channel_id", "prompts"],
        assistant::set_prompts,
    ),
    bot(
        "assistant.threads.setTitle",
        Tier::Four,
        ASSIST,
        &["channel_id", "thread_ts", "title"],
        assistant::set_title,
    ),
    bot(
        "reactions.add",
        Tier::Three,
        REACT,
        &["name", "timestamp", "channel"],
        chat::react,
    ),
    bot(
        "reactions.remove",
        Tier::Two,
        REACT,
        &["name"],
        chat::unreact,
    ),
    bot("oauth.v2.access", Tier::Special, &[], &[], oauth::access)
        .wants(Wants::Nothing)
        .form_only(),
];

pub(crate) fn find(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.name == name)
}
