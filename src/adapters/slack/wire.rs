//! What Slack says, put into the librarian's words.
//!
//! Translation only: nothing here waits, keeps or decides. What a person may do is decided
//! behind it; here is only told who they are.
//!
//! slack-morphism's models take all of a message or nothing: one block, file or profile of a
//! kind that they do not know, and a question would be lost. Those are left out before they are
//! asked, and files are read by themselves.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use slack_morphism::prelude::{
    SlackAppMentionEvent, SlackCommandEvent, SlackEventCallbackBody,
    SlackInteractionActionContainer, SlackInteractionBlockActionsEvent, SlackInteractionEvent,
    SlackInteractionMessageActionEvent, SlackMessageContent, SlackMessageEvent,
    SlackMessageEventType, SlackMessageOrigin, SlackPushEventCallback, SlackTs,
};

use crate::adapters::chat::text::joined;
use crate::domain::command::{self, Menu, Slip, Standing};
use crate::domain::event::{
    Event, EventKey, Material, Person, Place, PlaceKind, Platform, Press, Wish,
};
use crate::domain::language::Language;

/// What the adapter knows of the workspace where something was said.
#[derive(Clone, Debug)]
pub struct Here {
    pub team: String,
    /// Our own user there.
    pub me: String,
    /// Where the workspace is on the web, with a slash at the end.
    pub home: String,
}

/// Where a reply goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    pub team: String,
    pub channel: String,
    /// The thread that the reply stands in; none if it stands in the channel itself.
    #[serde(default)]
    pub thread: Option<String>,
    pub user: String,
    pub to: To,
    /// What was said or done is not older than this: what answers it is newer.
    pub since: String,
}

/// What is replied to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum To {
    Message,
    /// A command or an entry in a menu. The address opens some replies for half an hour.
    Command {
        response_url: String,
    },
    /// A button under a post of ours that all see.
    Button {
        post: String,
        response_url: Option<String>,
    },
    /// A button under a post of ours that only the person sees.
    PrivateButton {
        response_url: Option<String>,
    },
}

impl Address {
    /// Reads what [`Event::address`] holds; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Where the reply to `wish` stands.
    pub fn standing(&self, wish: &Wish) -> Standing {
        match self.to {
            To::Message => Standing::Open,
            To::Command { .. } | To::Button { .. } | To::PrivateButton { .. } => {
                Standing::of(wish)
            },
        }
    }

    /// Where commands and buttons are answered, while that is open.
    pub fn response_url(&self) -> Option<&str> {
        match &self.to {
            To::Message => None,
            To::Command { response_url } => Some(response_url),
            To::Button { response_url, .. } | To::PrivateButton { response_url } => {
                response_url.as_deref()
            },
        }
    }

    /// The thread, if something stands in it already: what only one person is to see is not shown
    /// in one that does not exist yet.
    pub fn living_thread(&self) -> Option<&str> {
        let lives = match &self.to {
            To::Message => self.thread.as_ref() != Some(&self.since),
            To::Command { .. } => false,
            To::Button { .. } | To::PrivateButton { .. } => true,
        };
        self.thread.as_deref().filter(|_| lives)
    }

    /// How Slack's addresses of answers live: half an hour, a little less to be certain.
    pub const OPEN: TimeDelta = TimeDelta::minutes(28);
}

/// What something comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    Event(Box<Event>),
    /// Nothing can be made of it; a sentence for the person tells why.
    Slip(Box<Address>, Slip, Language),
    /// People of other organisations read along.
    Shared(Box<Address>, Language),
}

/// What was said, as far as it matters.
struct Said<'a> {
    user: &'a str,
    origin: &'a SlackMessageOrigin,
    text: &'a str,
    files: Vec<Shared>,
    /// A thread or a direct message.
    kind: PlaceKind,
    /// Whether it is known to call us.
    calls: bool,
}

/// Who reads along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    Ours,
    /// Of other organisations, too.
    Others,
}

/// A file that was shared, as far as it matters.
#[derive(Debug, Deserialize)]
struct Shared {
    id: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    mimetype: Option<String>,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    url_private_download: Option<String>,
    #[serde(default)]
    url_private: Option<String>,
    #[serde(default)]
    permalink: Option<String>,
}

/// The workspace that an event was sent for: in a shared channel, that of whoever installed us.
pub fn team(payload: &Value) -> Option<&str> {
    let installed = payload.pointer("/authorizations/0/team_id");
    let sent = payload
        .get("team_id")
        .or_else(|| payload.pointer("/team/id"));
    installed.or(sent)?.as_str()
}

/// Who said or did it, to keep their order.
pub fn author(payload: &Value) -> Option<&str> {
    let user = payload.pointer("/event/user");
    let user = user.or_else(|| payload.get("user_id"));
    user.or_else(|| payload.pointer("/user/id"))?.as_str()
}

/// What an event of the Events API asks of us. `None` for what is not meant for us: no mention,
/// not in private, and in no thread that we are part of; and for what no person said.
pub fn heard(payload: &Value, here: &Here, in_thread: &dyn Fn(&str) -> bool) -> Option<Heard> {
    let readers = match payload.get("is_ext_shared_channel") {
        Some(Value::Bool(true)) => Readers::Others,
        _ => Readers::Ours,
    };
    let files = files(payload.pointer("/event/files"));
    let robot = payload.pointer("/event/bot_id").is_some();
    if robot {
        return None;
    }
    let payload = bare(payload.clone());
    let callback: SlackPushEventCallback = serde_json::from_value(payload).ok()?;
    if let SlackEventCallbackBody::AppMention(mention) = &callback.event {
        return mentioned(mention, files, here, readers);
    }
    if let SlackEventCallbackBody::Message(message) = &callback.event {
        return said(message, files, (here, in_thread), readers);
    }
    // What we did not ask for, or do not know.
    None
}

/// Where somebody has begun to talk with the assistant: the channel and the thread.
pub fn begun(payload: &Value) -> Option<(&str, &str)> {
    let text = |at| payload.pointer(at)?.as_str();
    if text("/event/type")? != "assistant_thread_started" {
        return None;
    }
    let channel = text("/event/assistant_thread/channel_id")?;
    Some((channel, text("/event/assistant_thread/thread_ts")?))
}

/// Whoever looks at our home; nobody if it is another tab of ours.
pub fn at_home(payload: &Value) -> Option<&str> {
    let text = |at| payload.pointer(at)?.as_str();
    let home = text("/event/type")? == "app_home_opened" && text("/event/tab")? == "home";
    text("/event/user").filter(|_| home)
}

/// What somebody could ask of the first documents on the shelf, by their titles.
pub fn prompts(documents: &[(String, String)]) -> Vec<Value> {
    const SHOWN: usize = 3;
    const LONGEST: usize = 60;
    let titles = documents.iter().map(|(_, title)| title.trim());
    let titles = titles.filter(|title| !title.is_empty() && title.chars().count() <= LONGEST);
    let prompt = |title: &str| match Language::of(title) {
        Language::Korean => format!("{title}에 대해 서가에는 뭐라고 적혀 있어?"),
        Language::English | Language::Other => {
            format!("What does the library say about {title}?")
        },
    };
    titles
        .take(SHOWN)
        .map(|title| json!({ "title": title, "message": prompt(title) }))
        .collect()
}

/// Without what we do not look at and the models may not know.
fn bare(mut payload: Value) -> Value {
    const LEFT: [&str; 8] = [
        "blocks",
        "attachments",
        "files",
        "user_profile",
        "bot_profile",
        "reactions",
        "metadata",
        "edited",
    ];
    for at in [
        "/event",
        "/message",
        "/event/message",
        "/event/previous_message",
    ] {
        if let Some(Value::Object(fields)) = payload.pointer_mut(at) {
            fields.retain(|name, _| !LEFT.contains(&name.as_str()));
        }
    }
    payload
}

fn files(given: Option<&Value>) -> Vec<Shared> {
    let given = given.and_then(Value::as_array).into_iter().flatten();
    given
        .filter_map(|file| serde_json::from_value(file.clone()).ok())
        .collect()
}

fn mentioned(
    mention: &SlackAppMentionEvent,
    files: Vec<Shared>,
    here: &Here,
    readers: Readers,
) -> Option<Heard> {
    let said = Said {
        user: &mention.user.0,
        origin: &mention.origin,
        text: mention.content.text.as_deref().unwrap_or_default(),
        files,
        kind: PlaceKind::Thread,
        calls: true,
    };
    said.heard(&mention.channel.0, here, readers)
}

fn said(
    message: &SlackMessageEvent,
    files: Vec<Shared>,
    (here, in_thread): (&Here, &dyn Fn(&str) -> bool),
    readers: Readers,
) -> Option<Heard> {
    let told = matches!(
        message.subtype,
        None | Some(SlackMessageEventType::FileShare | SlackMessageEventType::ThreadBroadcast)
    );
    let user = message.sender.user.as_ref()?;
    if !told || message.hidden == Some(true) || user.0 == here.me {
        return None;
    }
    let content = message.content.as_ref();
    let text = content.and_then(|content| content.text.as_deref());
    let text = text.unwrap_or_default();
    let origin = &message.origin;
    let channel = origin.channel.as_ref()?;
    let kind = match &origin.channel_type {
        Some(kind) if kind.0 == "im" => PlaceKind::Direct,
        Some(_) | None => PlaceKind::Thread,
    };
    let calls = text.contains(&format!("<@{}", here.me));
    // Words in a thread that call somebody else are for them.
    let follows = || {
        let thread = origin.thread_ts.as_ref().map(|thread| thread.0.as_str());
        let ours =
            thread.is_some_and(|thread| in_thread(&place_name(&channel.0, Some(thread))));
        ours && !text.contains("<@") && !text.contains("<!")
    };
    if kind != PlaceKind::Direct && !calls && !follows() {
        return None;
    }
    let said = Said {
        user: &user.0,
        origin,
        text,
        files,
        kind,
        calls,
    };
    said.heard(&channel.0, here, readers)
}

impl Said<'_> {
    fn heard(self, channel: &str, here: &Here, readers: Readers) -> Option<Heard> {
        let text = plain(self.text, here);
        if text.is_empty() && self.files.is_empty() && !self.calls {
            return None;
        }
        let ts = &self.origin.ts.0;
        let thread = self.thread();
        let address = Address {
            team: here.team.clone(),
            channel: channel.to_owned(),
            thread: thread.clone(),
            user: self.user.to_owned(),
            to: To::Message,
            since: ts.clone(),
        };
        let language = language(&text);
        if readers == Readers::Others {
            return Some(Heard::Shared(Box::new(address), language));
        }
        let link = link(here, channel, ts);
        let files = self.files.into_iter().map(|file| material(file, &link));
        let name = format!("team/{}/channel/{channel}/message/{ts}", here.team);
        Some(Heard::Event(Box::new(Event {
            key: EventKey::new(Platform::Slack, &name),
            place: place(here, channel, thread.as_deref(), self.kind),
            person: person(self.user),
            at: when(&self.origin.ts),
            language,
            replies_to: None,
            wish: command::said(text, files.collect()),
            address: serde_json::to_string(&address).ok()?,
        })))
    }
}

impl Said<'_> {
    /// A direct message is answered beside it, anything else below it.
    fn thread(&self) -> Option<String> {
        let SlackMessageOrigin { ts, thread_ts, .. } = self.origin;
        let below = (self.kind != PlaceKind::Direct).then_some(ts);
        thread_ts.as_ref().or(below).map(|ts| ts.0.clone())
    }
}

/// What a command asks of us.
pub fn commanded(payload: &Value, here: &Here, now: DateTime<Utc>) -> Option<Heard> {
    let command: SlackCommandEvent = serde_json::from_value(payload.clone()).ok()?;
    let text = unescaped(command.text.as_deref().unwrap_or_default());
    let channel = command.channel_id.0.as_str();
    let since = timestamp(now);
    let name = command.command.0.trim_start_matches('/');
    let doing = Doing {
        here,
        channel,
        thread: None,
        direct: command.channel_name.as_deref() == Some("directmessage"),
        user: &command.user_id.0,
        trigger: &command.trigger_id.0,
        to: To::Command {
            response_url: command.response_url.0.to_string(),
        },
        language: language(&text),
        now,
    };
    let link = link(here, channel, &since);
    doing.heard(command::typed(name, &text, link))
}

/// What a button or an entry in a menu asks of us.
pub fn pressed(payload: &Value, here: &Here, now: DateTime<Utc>) -> Option<Heard> {
    let thread = payload.pointer("/container/thread_ts");
    let thread = thread.or_else(|| payload.pointer("/message/thread_ts"));
    let thread = thread.and_then(Value::as_str).map(str::to_owned);
    let files = files(payload.pointer("/message/files"));
    match serde_json::from_value(bare(payload.clone())).ok()? {
        SlackInteractionEvent::BlockActions(actions) => button(&actions, thread, here, now),
        SlackInteractionEvent::MessageAction(action) => {
            menu(&action, (thread, files), here, now)
        },
        SlackInteractionEvent::BlockSuggestion(_)
        | SlackInteractionEvent::DialogSubmission(_)
        | SlackInteractionEvent::Shortcut(_)
        | SlackInteractionEvent::ViewSubmission(_)
        | SlackInteractionEvent::ViewClosed(_) => None,
    }
}

fn button(
    actions: &SlackInteractionBlockActionsEvent,
    thread: Option<String>,
    here: &Here,
    now: DateTime<Utc>,
) -> Option<Heard> {
    let SlackInteractionActionContainer::Message(container) = &actions.container else {
        return None;
    };
    let action = actions.actions.as_ref()?.first()?;
    let code = action.value.as_deref().unwrap_or(&action.action_id.0);
    let channel = actions.channel.as_ref()?;
    let post = &container.message_ts.0;
    let response_url = actions.response_url.as_ref().map(|url| url.0.to_string());
    let to = if container.is_ephemeral == Some(true) {
        To::PrivateButton { response_url }
    } else {
        To::Button {
            post: post.clone(),
            response_url,
        }
    };
    let doing = Doing {
        here,
        channel: &channel.id.0,
        // The first post of a thread names itself.
        thread: thread.filter(|thread| thread != post),
        direct: channel.name.as_deref() == Some("directmessage"),
        user: &actions.user.as_ref()?.id.0,
        trigger: &actions.trigger_id.0,
        to,
        language: language_of_label(action.text.as_ref()),
        now,
    };
    doing.heard(Press::parse(code).map(Wish::Press).ok_or(Slip::Unknown))
}

/// A button is labelled in the language of what stands above it.
fn language_of_label(label: Option<&slack_morphism::prelude::SlackBlockText>) -> Language {
    use slack_morphism::prelude::SlackBlockText;
    match label {
        Some(SlackBlockText::Plain(label)) => language(&label.text),
        Some(SlackBlockText::MarkDown(label)) => language(&label.text),
        None => Language::English,
    }
}

fn menu(
    action: &SlackInteractionMessageActionEvent,
    (thread, files): (Option<String>, Vec<Shared>),
    here: &Here,
    now: DateTime<Utc>,
) -> Option<Heard> {
    let (channel, message) = (action.channel.as_ref()?, action.message.as_ref()?);
    let ours = message.sender.user.as_ref();
    let ours = ours.is_some_and(|user| user.0 == here.me);
    let chosen = match action.callback_id.0.as_str() {
        "add_to_library" if ours => Err(Slip::OurOwn),
        "add_to_library" => Ok(Menu::Add),
        "ask_about_this" => Ok(Menu::Ask),
        _ => Err(Slip::Unknown),
    };
    let SlackMessageContent { text, .. } = &message.content;
    let text = plain(text.as_deref().unwrap_or_default(), here);
    let link = link(here, &channel.id.0, &message.origin.ts.0);
    let files = files
        .into_iter()
        .map(|file| material(file, &link))
        .collect();
    let doing = Doing {
        here,
        channel: &channel.id.0,
        thread: Some(thread.unwrap_or_else(|| message.origin.ts.0.clone())),
        direct: channel.name.as_deref() == Some("directmessage"),
        user: &action.user.id.0,
        trigger: &action.trigger_id.0,
        to: To::Command {
            response_url: action.response_url.0.to_string(),
        },
        language: language(&text),
        now,
    };
    doing.heard(chosen.and_then(|menu| command::of_message(menu, text, files, link)))
}

/// What all commands and buttons have in common.
struct Doing<'a> {
    here: &'a Here,
    channel: &'a str,
    thread: Option<String>,
    direct: bool,
    user: &'a str,
    trigger: &'a str,
    to: To,
    language: Language,
    now: DateTime<Utc>,
}

impl Doing<'_> {
    fn heard(self, wish: Result<Wish, Slip>) -> Option<Heard> {
        let replies_to = match &self.to {
            To::Button { post, .. } => Some(post.clone()),
            To::Message | To::Command { .. } | To::PrivateButton { .. } => None,
        };
        let address = Address {
            team: self.here.team.clone(),
            channel: self.channel.to_owned(),
            thread: self.thread.clone(),
            user: self.user.to_owned(),
            to: self.to,
            since: timestamp(self.now),
        };
        let wish = match wish {
            Ok(wish) => wish,
            Err(slip) => return Some(Heard::Slip(Box::new(address), slip, self.language)),
        };
        let kind = match &self.thread {
            _ if self.direct => PlaceKind::Direct,
            Some(_) => PlaceKind::Thread,
            None => PlaceKind::Channel,
        };
        Some(Heard::Event(Box::new(Event {
            key: EventKey::new(
                Platform::Slack,
                &format!("team/{}/trigger/{}", self.here.team, self.trigger),
            ),
            place: place(self.here, self.channel, self.thread.as_deref(), kind),
            person: person(self.user),
            at: self.now,
            language: self.language,
            replies_to,
            wish,
            address: serde_json::to_string(&address).ok()?,
        })))
    }
}

/// Who somebody is, before anything was asked about them: curators may be named by their ids.
fn person(id: &str) -> Person {
    Person {
        id: id.to_owned(),
        roles: vec![id.to_owned()],
        administers: false,
    }
}

fn place(here: &Here, channel: &str, thread: Option<&str>, kind: PlaceKind) -> Place {
    Place {
        platform: Platform::Slack,
        server: Some(here.team.clone()),
        channel: place_name(channel, thread),
        kind,
    }
}

/// A channel, or a thread in it.
pub fn place_name(channel: &str, thread: Option<&str>) -> String {
    match thread {
        Some(thread) => format!("{channel}/{thread}"),
        None => channel.to_owned(),
    }
}

fn material(file: Shared, link: &str) -> Material {
    let Shared {
        id,
        name,
        mimetype,
        size,
        url_private_download,
        url_private,
        permalink,
    } = file;
    Material::File {
        name: name.unwrap_or_else(|| id.clone()),
        content_type: mimetype,
        bytes: size,
        // One that lies in another organisation has no address until it is asked for.
        url: url_private_download
            .or(url_private)
            .unwrap_or_else(|| format!("slack:{id}")),
        link: permalink.unwrap_or_else(|| format!("{link}#{id}")),
    }
}

fn link(here: &Here, channel: &str, ts: &str) -> String {
    format!("{}archives/{channel}/p{}", here.home, ts.replace('.', ""))
}

fn language(text: &str) -> Language {
    if text.contains(char::is_alphabetic) {
        Language::of(text)
    } else {
        Language::English
    }
}

fn when(ts: &SlackTs) -> DateTime<Utc> {
    let (seconds, micros) = ts.0.split_once('.').unwrap_or((&ts.0, "0"));
    let seconds: i64 = seconds.parse().unwrap_or(0);
    let micros: i64 = micros.parse().unwrap_or(0);
    DateTime::from_timestamp_micros(seconds.saturating_mul(1_000_000).saturating_add(micros))
        .unwrap_or_default()
}

/// A moment as Slack writes it.
pub fn timestamp(at: DateTime<Utc>) -> String {
    format!("{}.{:06}", at.timestamp(), at.timestamp_subsec_micros())
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

/// `text` as it is read aloud: without our name, and with names instead of numbers.
fn plain(text: &str, here: &Here) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, from)) = rest.split_once('<') {
        out.push_str(before);
        let Some((tag, after)) = from.split_once('>') else {
            out.push('<');
            rest = from;
            continue;
        };
        let name = spoken(tag, here);
        rest = if name.is_empty() {
            joined(&out, after)
        } else {
            after
        };
        out.push_str(&name);
    }
    out.push_str(rest);
    unescaped(out.trim())
}

/// How the notation between `<` and `>` is read aloud: nothing for a name that is ours or not
/// told.
fn spoken(tag: &str, here: &Here) -> String {
    let (what, label) = match tag.split_once('|') {
        Some((what, label)) => (what, Some(label)),
        None => (tag, None),
    };
    let named = |sign: &str| {
        let label = label.unwrap_or_default().trim_start_matches(sign);
        if label.is_empty() {
            String::new()
        } else {
            format!("{sign}{label}")
        }
    };
    if let Some(user) = what.strip_prefix('@') {
        return if user == here.me {
            String::new()
        } else {
            named("@")
        };
    }
    if what.starts_with('#') {
        return named("#");
    }
    if what.starts_with('!') {
        return label.unwrap_or_default().to_owned();
    }
    let address = what.strip_prefix("mailto:").unwrap_or(what);
    match label {
        Some(label) if !address.contains(label) => format!("{label} ({address})"),
        Some(_) | None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Here {
        Here {
            team: "T1".into(),
            me: "UBOT".into(),
            home: "https://library.slack.com/".into(),
        }
    }

    fn callback(event: &Value) -> Value {
        json!({
            "type": "event_callback", "team_id": "T1", "api_app_id": "A1", "event_id": "Ev1",
            "event_time": 1_700_000_000, "event": event,
            "authorizations": [{ "team_id": "T1", "user_id": "UBOT", "is_bot": true }],
        })
    }

    fn mention(text: &str) -> Value {
        json!({
            "type": "app_mention", "user": "U1", "text": text, "channel": "C1",
            "ts": "1700000000.000100", "event_ts": "1700000000.000100",
        })
    }

    fn message(text: &str, more: &Value) -> Value {
        let mut message = mention(text);
        message["type"] = "message".into();
        message["channel_type"] = "channel".into();
        for (key, value) in more.as_object().unwrap() {
            message[key] = value.clone();
        }
        message
    }

    fn hears(event: &Value) -> Option<Heard> {
        heard(&callback(event), &here(), &|thread| {
            thread == "C1/1600000000.000001"
        })
    }

    fn event(heard: Option<Heard>) -> Event {
        let Some(Heard::Event(event)) = heard else {
            panic!("{heard:?}");
        };
        *event
    }

    fn asked(event: &Event) -> &str {
        let Wish::Ask { question, .. } = &event.wish else {
            panic!("{:?}", event.wish);
        };
        question
    }

    fn goes_to(event: &Event) -> Address {
        Address::parse(&event.address).unwrap()
    }

    #[test]
    fn a_mention_and_the_message_that_it_is_are_one_event() {
        let one = event(hears(&mention("<@UBOT> how much leave?")));
        let other = event(hears(&message("<@UBOT> how much leave?", &json!({}))));
        assert_eq!(one, other);
        assert_eq!(
            one.key.as_str(),
            "slack:team/T1/channel/C1/message/1700000000.000100"
        );
        assert_eq!(asked(&one), "how much leave?");
        assert_eq!(one.place.kind, PlaceKind::Thread);
        assert_eq!(one.place.channel, "C1/1700000000.000100");
        assert_eq!(goes_to(&one).thread.as_deref(), Some("1700000000.000100"));
        assert_eq!(one.at.timestamp_micros(), 1_700_000_000_000_100);
    }

    #[test]
    fn a_reply_in_a_thread_is_answered_below_its_first_message() {
        let thread = json!({ "thread_ts": "1600000000.000001" });
        let heard = event(hears(&message("and that?", &thread)));
        assert_eq!(goes_to(&heard).thread.as_deref(), Some("1600000000.000001"));
        let elsewhere = json!({ "thread_ts": "1600000000.000002" });
        assert_eq!(hears(&message("and that?", &elsewhere)), None);
        assert_eq!(hears(&message("<@U2> and that?", &thread)), None);
        assert_eq!(hears(&message("<!here> and that?", &thread)), None);
    }

    #[test]
    fn what_no_person_said_to_us_is_not_heard() {
        for more in [
            json!({}),
            json!({ "subtype": "message_changed", "hidden": true }),
            json!({ "subtype": "bot_message" }),
            json!({ "subtype": "channel_join" }),
            json!({ "subtype": "novelty" }),
        ] {
            assert_eq!(hears(&message("how much leave?", &more)), None, "{more}");
        }
        let calls = "<@UBOT> how much leave?";
        for more in [
            json!({ "bot_id": "B2" }),
            json!({ "user": "UBOT" }),
            json!({ "user": null }),
            json!({ "hidden": true }),
            json!({ "subtype": "message_deleted" }),
        ] {
            assert_eq!(hears(&message(calls, &more)), None, "{more}");
        }
        assert_eq!(hears(&json!({ "type": "novelty" })), None);
        assert_eq!(hears(&json!({ "type": "app_mention" })), None);
    }

    #[test]
    fn a_direct_message_needs_no_mention_and_is_answered_beside_it() {
        let direct = json!({ "channel_type": "im", "channel": "D1" });
        let heard = event(hears(&message("how much leave?", &direct)));
        assert_eq!(heard.place.kind, PlaceKind::Direct);
        assert_eq!(heard.place.channel, "D1");
        assert_eq!(goes_to(&heard).thread, None);
        assert_eq!(hears(&message("", &direct)), None);
    }

    #[test]
    fn a_mention_is_heard_whatever_is_in_the_message_beside_it() {
        let odd = json!({
            "blocks": [{ "type": "novelty", "elements": 7 }],
            "attachments": "none", "reactions": 3,
            "files": [{ "id": "F1", "mimetype": "not a mime" , "filetype": 5 }],
            "bot_profile": [], "user_profile": "x", "metadata": 1, "edited": true,
            "subtype": "file_share",
        });
        let heard = event(hears(&message("<@UBOT>", &odd)));
        let Wish::Add { what, .. } = heard.wish else {
            panic!("{:?}", heard.wish);
        };
        assert_eq!(
            what,
            [Material::File {
                name: "F1".into(),
                content_type: Some("not a mime".into()),
                bytes: 0,
                url: "slack:F1".into(),
                link: "https://library.slack.com/archives/C1/p1700000000000100#F1".into(),
            }]
        );
    }

    #[test]
    fn people_of_other_organisations_are_recognised_by_the_flag() {
        let mut shared = callback(&mention("<@UBOT> how much leave?"));
        shared["is_ext_shared_channel"] = true.into();
        let heard = heard(&shared, &here(), &|_| false);
        assert!(matches!(heard, Some(Heard::Shared(..))), "{heard:?}");
    }

    #[track_caller]
    fn check_plain(text: &str, expected: &str) {
        assert_eq!(plain(text, &here()), expected);
    }

    #[test]
    fn names_and_addresses_are_read_aloud() {
        check_plain(
            "<@UBOT>: how &lt;much&gt; &amp; when?",
            "how <much> & when?",
        );
        check_plain("ask <@UBOT> now", "ask now");
        check_plain("is <@U2|ada> in <#C2|general>?", "is @ada in #general?");
        check_plain("<@U2> <!here> hi <!subteam^S1|@ops>", "hi @ops");
        check_plain("see <https://a.example/b>", "see https://a.example/b");
        check_plain(
            "see <https://a.example/|a.example>",
            "see https://a.example/",
        );
        check_plain(
            "see <https://a.example/|here>",
            "see here (https://a.example/)",
        );
        check_plain("<mailto:a@b.example|a@b.example>", "a@b.example");
        check_plain("1 < 2", "1 < 2");
    }

    fn command(name: &str, text: &str) -> Value {
        json!({
            "team_id": "T1", "team_domain": "library", "channel_id": "C1",
            "channel_name": "general", "user_id": "U1", "command": name, "text": text,
            "response_url": "https://hooks.slack.com/commands/1", "trigger_id": "1.2.a",
        })
    }

    fn runs(name: &str, text: &str) -> Option<Heard> {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        commanded(&command(name, text), &here(), now)
    }

    #[test]
    fn a_command_is_answered_where_it_was_run() {
        let ask = event(runs("/ask", "연차는 며칠?"));
        assert_eq!(asked(&ask), "연차는 며칠?");
        assert_eq!(ask.key.as_str(), "slack:team/T1/trigger/1.2.a");
        assert_eq!(ask.place.kind, PlaceKind::Channel);
        assert_eq!(ask.language, Language::Korean);
        let address = goes_to(&ask);
        assert_eq!(address.standing(&ask.wish), Standing::Open);
        assert_eq!(
            address.response_url(),
            Some("https://hooks.slack.com/commands/1")
        );
        let list = event(runs("/library", "list"));
        assert_eq!(goes_to(&list).standing(&list.wish), Standing::Private);
        let slip = runs("/library", "burn");
        assert!(
            matches!(slip, Some(Heard::Slip(_, Slip::NoPart, _))),
            "{slip:?}"
        );
    }

    fn press(more: &Value) -> Value {
        let mut press = json!({
            "type": "block_actions", "team": { "id": "T1" }, "user": { "id": "U1" },
            "api_app_id": "A1", "trigger_id": "1.2.b",
            "response_url": "https://hooks.slack.com/actions/1",
            "channel": { "id": "C1", "name": "general" },
            "container": {
                "type": "message", "message_ts": "1700000005.000000", "channel_id": "C1",
                "is_ephemeral": false, "thread_ts": "1700000000.000100",
            },
            "actions": [{
                "type": "button", "action_id": "saseo:stop:3fa9", "value": "saseo:stop:3fa9",
                "text": { "type": "plain_text", "text": "멈추기" },
            }],
        });
        for (key, value) in more.as_object().unwrap() {
            press[key] = value.clone();
        }
        press
    }

    #[test]
    fn a_button_is_pressed_in_the_place_of_what_it_stands_under() {
        let now = DateTime::from_timestamp(1_700_000_009, 0).unwrap();
        let pressed = |more: &Value| pressed(&press(more), &here(), now);
        let stop = event(pressed(&json!({})));
        let mentioned = event(hears(&mention("<@UBOT> how much leave?")));
        assert_eq!(stop.place, mentioned.place);
        assert_eq!(stop.wish, Wish::Press(Press::Stop("3fa9".into())));
        assert_eq!(stop.language, Language::Korean);
        assert_eq!(goes_to(&stop).standing(&stop.wish), Standing::InPlace);

        let ours = json!({ "message": { "ts": "1700000005.000000", "thread_ts":
            "1700000005.000000" , "blocks": [{ "type": "novelty" }] },
            "container": { "type": "message", "message_ts": "1700000005.000000" } });
        let stop = event(pressed(&ours));
        assert_eq!(stop.place, event(runs("/ask", "why?")).place);

        let private = json!({ "container": { "type": "message", "message_ts":
            "1700000005.000000", "is_ephemeral": true } });
        let address = goes_to(&event(pressed(&private)));
        assert!(
            matches!(address.to, To::PrivateButton { .. }),
            "{address:?}"
        );
        let foreign = json!({ "actions": [{ "type": "button", "action_id": "other" }] });
        assert!(matches!(
            pressed(&foreign),
            Some(Heard::Slip(_, Slip::Unknown, _))
        ));
        let home = json!({ "container": { "type": "view", "view_id": "V1" } });
        assert_eq!(pressed(&home), None);
    }

    #[test]
    fn a_moment_is_written_as_slack_writes_it() {
        let at = when(&SlackTs("1700000000.000100".into()));
        assert_eq!(timestamp(at), "1700000000.000100");
        assert_eq!(when(&SlackTs("soon".into())).timestamp(), 0);
    }
}
