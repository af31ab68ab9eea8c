//! Replies: posts, edits, what only one person sees, and what to do where nobody can tell
//! whether a post was made.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use slack_morphism::prelude::{
    SlackApiChatDeleteRequest, SlackApiChatPostEphemeralRequest,
    SlackApiChatPostMessageRequest, SlackApiChatUpdateRequest, SlackMessageContent,
    SlackMessageMetadata,
};

use super::api::{Call, Fault};
use super::dialect;
use super::streams::{self, Streams};
use super::wire::{Address, To, timestamp};
use super::workspaces::{Workspace, Workspaces};
use crate::adapters::chat::limiter::Urgency;
use crate::adapters::chat::once::{self, Board, Look};
use crate::domain::command::Standing;
use crate::domain::document::Digest;
use crate::domain::event::{self, Event, Place, PlaceKind, Press, Wish};
use crate::domain::language::Language;
use crate::domain::notice::Notice;
use crate::domain::page::{self, Page};
use crate::domain::reply;
use crate::ports::{Cause, Clock, Messenger, Pace, Unsent};

/// Shows replies in Slack.
pub(super) struct Desk {
    pub(super) workspaces: Arc<Workspaces>,
    pub(super) clock: Arc<dyn Clock>,
    /// What was asked before may have been answered by an earlier run of ours.
    pub(super) since: DateTime<Utc>,
    /// Conversations with the assistant that have a title.
    pub(super) entitled: Mutex<BTreeSet<String>>,
    pub(super) streams: Streams,
}

/// Slack's clock and ours may differ by so much.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::seconds(60);

/// The name of a post that stands where only the person sees it.
const WHISPERED: &str = "whispered/";

/// A message, as far as we want to know it.
#[derive(Debug, Deserialize)]
struct Seen {
    ts: String,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    bot_id: Option<String>,
    #[serde(default)]
    text: String,
    #[serde(default)]
    blocks: Value,
    #[serde(default)]
    metadata: Option<Metadata>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    #[serde(default)]
    event_payload: Value,
}

/// A page of what was said.
#[derive(Debug, Deserialize)]
struct History {
    #[serde(default)]
    messages: Vec<Seen>,
    #[serde(default)]
    response_metadata: Option<Cursor>,
}

#[derive(Debug, Deserialize)]
struct Cursor {
    #[serde(default)]
    next_cursor: String,
}

/// What was made, by its timestamp: the only thing that is wanted of the answer, so that
/// whatever else is in it makes no post unknown.
#[derive(Debug, Deserialize)]
pub(super) struct Made {
    pub(super) ts: String,
}

/// A post that stands.
pub(super) struct Stood {
    ts: String,
    by: By,
}

/// Which call made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    This,
    /// For a page of then.
    Earlier,
}

/// A post to be made in a channel or thread.
pub(super) struct Post<'a> {
    pub(super) asked: &'a Asked,
    streams: &'a Streams,
    pub(super) event: &'a Event,
    pub(super) part: usize,
    pub(super) page: &'a Page,
}

impl Post<'_> {
    /// What tells this post from all others, also to us after a crash.
    fn mark(&self) -> String {
        let digest =
            Digest::of(format!("{}/{}", self.event.key.as_str(), self.part).as_bytes());
        digest.to_string().chars().take(32).collect()
    }

    pub(super) fn metadata(&self) -> SlackMessageMetadata {
        let payload = HashMap::from([("post".to_owned(), self.mark())]);
        SlackMessageMetadata::new("saseo_post".to_owned()).with_event_payload(payload)
    }

    /// The mark of a post that is being streamed.
    pub(super) fn seal(&self) -> String {
        streams::seal(&self.mark())
    }

    fn content(&self) -> SlackMessageContent {
        dialect::content(self.page).with_metadata(self.metadata())
    }

    fn request(&self) -> SlackApiChatPostMessageRequest {
        let address = &self.asked.address;
        SlackApiChatPostMessageRequest {
            thread_ts: address.thread.clone().map(Into::into),
            ..posted(&address.channel, self.content())
        }
    }

    /// Whether `seen` is this one: by its mark, or where Slack does not tell that, by its words,
    /// or as the placeholder of its event.
    fn is(&self, seen: &Seen) -> bool {
        let marked = seen.metadata.as_ref().map(|it| &it.event_payload);
        if let Some(mark) = marked.and_then(|payload| payload.get("post")?.as_str()) {
            return mark == self.mark();
        }
        let stop = Press::Stop(self.event.key.short()).code();
        let seal = self.seal();
        let sealed = seen.text.contains(&seal) || seen.blocks.to_string().contains(&seal);
        seen.text == dialect::text(self.page)
            || sealed
            || (self.part == 0 && codes(&seen.blocks).contains(&stop.as_str()))
    }

    fn is_ours(&self, seen: &Seen) -> bool {
        let workspace = &self.asked.workspace;
        seen.user.as_deref() == Some(&workspace.here.me)
            || (seen.bot_id.is_some() && seen.bot_id == workspace.bot)
    }
}

/// A post that calls nobody and whose links are fetched by nobody.
fn posted(channel: &str, content: SlackMessageContent) -> SlackApiChatPostMessageRequest {
    SlackApiChatPostMessageRequest::new(channel.into(), content)
        .with_parse("none".to_owned())
        .with_link_names(false)
        .with_unfurl_links(false)
        .with_unfurl_media(false)
}

/// What the buttons in `blocks` mean.
fn codes(blocks: &Value) -> Vec<&str> {
    let blocks = blocks.as_array().into_iter().flatten();
    let elements = blocks.filter_map(|block| block.get("elements")?.as_array());
    let codes = elements
        .flatten()
        .filter_map(|button| button.get("action_id")?.as_str());
    codes.collect()
}

#[async_trait]
impl Board for Post<'_> {
    type Made = Stood;
    type Fault = Fault;

    async fn find(&self) -> Result<Option<Stood>, Fault> {
        const MOST_PAGES: usize = 10;
        let mut cursor = String::new();
        for _ in 0..MOST_PAGES {
            let said = match self.said_since(&cursor).await {
                Ok(said) => said,
                // Whoever may not read there can only hope.
                Err(fault @ Fault::Refused { .. }) => {
                    tracing::warn!("a post could not be looked for: {fault}");
                    return Ok(None);
                },
                Err(fault) => return Err(fault),
            };
            let found = said
                .messages
                .into_iter()
                .find(|seen| self.is_ours(seen) && seen.ts > self.since() && self.is(seen));
            if let Some(Seen { ts, .. }) = found {
                let by = By::Earlier;
                return Ok(Some(Stood { ts, by }));
            }
            cursor = said
                .response_metadata
                .map(|it| it.next_cursor)
                .unwrap_or_default();
            if cursor.is_empty() {
                break;
            }
        }
        Ok(None)
    }

    async fn make(&self) -> Result<Stood, Fault> {
        let by = By::This;
        if let Some(ts) = self.streams.begin(self).await? {
            return Ok(Stood { ts, by });
        }
        let channel = &self.asked.address.channel;
        let call = Call::post("chat.postMessage", channel, &self.request());
        let Made { ts } = self.asked.workspace.api.call(call).await?;
        Ok(Stood { ts, by })
    }

    fn unclear(fault: &Fault) -> Option<&str> {
        if let Fault::Unclear { why, source: _ } = fault {
            return Some(why);
        }
        None
    }
}

impl Post<'_> {
    /// What is older was not made for the event.
    fn since(&self) -> String {
        let address = &self.asked.address;
        match address.to {
            To::Message => address.since.clone(),
            // That is by our clock.
            To::Command { .. } | To::Button { .. } | To::PrivateButton { .. } => {
                timestamp(self.event.at - CLOCKS_DIFFER)
            },
        }
    }

    async fn said_since(&self, cursor: &str) -> Result<History, Fault> {
        let address = &self.asked.address;
        let mut form = vec![
            ("channel", address.channel.clone()),
            ("oldest", self.since()),
            ("limit", "200".to_owned()),
            ("include_all_metadata", "true".to_owned()),
        ];
        if !cursor.is_empty() {
            form.push(("cursor", cursor.to_owned()));
        }
        let method = match &address.thread {
            Some(thread) => {
                form.push(("ts", thread.clone()));
                "conversations.replies"
            },
            None => "conversations.history",
        };
        let call = Call::read(method, form).urgency(Urgency::Must);
        self.asked.workspace.api.call(call).await
    }
}

/// Who sees what is put where a command or a button is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Readers {
    /// The person; what stood there stays.
    Person,
    /// The person; it takes the place of what stood there.
    PersonInstead,
    All,
}

/// What is put where a command or a button is answered.
fn response(page: &Page, readers: Readers) -> Value {
    let mut body = json!({
        "response_type": if readers == Readers::All { "in_channel" } else { "ephemeral" },
        "replace_original": readers == Readers::PersonInstead,
        "unfurl_links": false,
        "unfurl_media": false,
    });
    let content = serde_json::to_value(dialect::content(page));
    if let (Value::Object(body), Ok(Value::Object(content))) = (&mut body, content) {
        body.extend(content);
    }
    body
}

/// What was asked at `at`, and where its reply goes.
#[derive(Clone)]
pub(super) struct Asked {
    at: DateTime<Utc>,
    pub(super) address: Address,
    pub(super) workspace: Arc<Workspace>,
}

/// A post that is being streamed takes no edit.
const STREAMING: &str = "streaming_state_conflict";

impl Asked {
    /// Where the command or button is answered, while that is open at `now`.
    fn response_url(&self, now: DateTime<Utc>) -> Option<&str> {
        let open = now - self.at < Address::OPEN;
        self.address.response_url().filter(|_| open)
    }

    pub(super) async fn update(
        &self,
        post: &str,
        page: &Page,
        urgency: Urgency,
    ) -> Result<(), Fault> {
        self.put(post, dialect::content(page), urgency).await
    }

    /// Puts `content` in the place of `post`, whatever became of a stream that it was.
    async fn put(
        &self,
        post: &str,
        content: SlackMessageContent,
        urgency: Urgency,
    ) -> Result<(), Fault> {
        match self.put_once(post, content.clone(), urgency).await {
            // An earlier run began it, or Slack did not hear of its end.
            Err(fault) if fault.code() == Some(STREAMING) => {
                match self.end_stream(post, None).await {
                    Ok(()) | Err(Fault::Refused { .. }) => {},
                    Err(fault) => return Err(fault),
                }
                self.put_once(post, content, urgency).await
            },
            done => done,
        }
    }

    /// Ends the stream that `post` is.
    pub(super) async fn end_stream(
        &self,
        post: &str,
        mark: Option<&SlackMessageMetadata>,
    ) -> Result<(), Fault> {
        let mut request = json!({ "channel": self.address.channel, "ts": post });
        if let (Some(mark), Some(fields)) = (mark, request.as_object_mut()) {
            fields.insert("metadata".to_owned(), json!(mark));
        }
        let call = Call::write("chat.stopStream", &request).urgency(Urgency::Must);
        self.workspace.api.tell(call).await
    }

    async fn put_once(
        &self,
        post: &str,
        content: SlackMessageContent,
        urgency: Urgency,
    ) -> Result<(), Fault> {
        let content = if content.blocks.is_some() {
            content
        } else {
            content.with_blocks(Vec::new())
        };
        let channel = self.address.channel.as_str();
        let request = SlackApiChatUpdateRequest::new(channel.into(), content, post.into())
            .with_parse("none".to_owned())
            .with_link_names(false);
        let call = Call::write("chat.update", &request).urgency(urgency);
        self.workspace.api.tell(call).await
    }

    /// Shows `page` to the person alone. Where that was done nobody can tell later: twice is
    /// better than never where only one person sees it.
    async fn whisper(&self, page: &Page, now: DateTime<Utc>) -> Result<(), Fault> {
        let url = self.response_url(now);
        // An answer over the address stands in the channel, also where a thread was meant.
        let first = match (url, self.address.living_thread()) {
            (Some(url), None) => {
                return self.respond(url, &response(page, Readers::Person)).await;
            },
            (_, Some(_)) | (None, None) => self.post_ephemeral(page).await,
        };
        match (first, url) {
            (Err(Fault::Refused { .. }), Some(url)) => {
                self.respond(url, &response(page, Readers::Person)).await
            },
            (done, _) => done,
        }
    }

    async fn respond(&self, url: &str, body: &Value) -> Result<(), Fault> {
        match self.workspace.api.respond(url, body).await {
            Err(Fault::Unclear { .. }) => Ok(()),
            done => done,
        }
    }

    async fn post_ephemeral(&self, page: &Page) -> Result<(), Fault> {
        let (channel, user) = (self.address.channel.as_str(), self.address.user.as_str());
        let content = dialect::content(page);
        let request =
            SlackApiChatPostEphemeralRequest::new(channel.into(), user.into(), content)
                .with_parse("none".to_owned())
                .with_link_names(false);
        let request = match self.address.living_thread() {
            Some(thread) => request.with_thread_ts(thread.into()),
            None => request,
        };
        let call = Call::post("chat.postEphemeral", channel, &request);
        match self.workspace.api.tell(call).await {
            Err(Fault::Unclear { .. }) => Ok(()),
            done => done,
        }
    }
}

impl Desk {
    async fn asked(&self, event: &Event) -> Result<Asked, Fault> {
        let address = Address::parse(&event.address);
        let address = address.ok_or(Fault::Unsendable("its address is not known"))?;
        self.asked_at(address, event.at).await
    }

    async fn asked_at(&self, address: Address, at: DateTime<Utc>) -> Result<Asked, Fault> {
        let workspace = self.workspaces.of(&address.team).await?;
        Ok(Asked {
            at,
            address,
            workspace,
        })
    }

    /// Says something to the person alone of which nothing is kept.
    pub(super) async fn whisper(&self, address: Address, page: &Page) -> Result<(), Fault> {
        let now = self.clock.now();
        self.asked_at(address, now).await?.whisper(page, now).await
    }

    async fn made(&self, event: &Event, part: usize, page: &Page) -> Result<String, Fault> {
        let asked = self.asked(event).await?;
        match asked.address.standing(&event.wish) {
            Standing::Private => self.whispered(&asked, part, page).await,
            Standing::InPlace if part == 0 => self.in_place(&asked, event, page).await,
            Standing::InPlace | Standing::Open => self.open(&asked, event, part, page).await,
        }
    }

    async fn whispered(
        &self,
        asked: &Asked,
        part: usize,
        page: &Page,
    ) -> Result<String, Fault> {
        asked.whisper(page, self.clock.now()).await?;
        Ok(format!("{WHISPERED}{part}"))
    }

    /// Where we may not write: to the person, who can show it to everybody.
    async fn shown_alone(
        &self,
        asked: &Asked,
        event: &Event,
        part: usize,
        page: &Page,
    ) -> Result<String, Fault> {
        if matches!(event.wish, Wish::Press(Press::Share(_)))
            && let Some(url) = asked.response_url(self.clock.now())
        {
            asked.respond(url, &response(page, Readers::All)).await?;
            return Ok(format!("{WHISPERED}{part}"));
        }
        let page = reply::alone(page, event.speaks());
        self.whispered(asked, part, &page).await
    }

    /// In the post whose button was pressed.
    async fn in_place(
        &self,
        asked: &Asked,
        event: &Event,
        page: &Page,
    ) -> Result<String, Fault> {
        match &asked.address.to {
            To::Button { post, .. } => {
                asked.update(post, page, Urgency::Must).await?;
                Ok(post.clone())
            },
            To::PrivateButton { .. } => {
                if let Some(url) = asked.response_url(self.clock.now()) {
                    asked
                        .respond(url, &response(page, Readers::PersonInstead))
                        .await?;
                } else {
                    asked.post_ephemeral(page).await?;
                }
                Ok(format!("{WHISPERED}0"))
            },
            To::Message | To::Command { .. } => self.open(asked, event, 0, page).await,
        }
    }

    /// Where all can read it.
    async fn open(
        &self,
        asked: &Asked,
        event: &Event,
        part: usize,
        page: &Page,
    ) -> Result<String, Fault> {
        let post = Post {
            asked,
            streams: &self.streams,
            event,
            part,
            page,
        };
        let look = if event.at < self.since + CLOCKS_DIFFER {
            Look::First
        } else {
            Look::Later
        };
        let stood = match once::made(&post, look).await {
            Ok(stood) => stood,
            // A command can be run where we are not.
            Err(fault)
                if fault.is_missing_access()
                    && asked.response_url(self.clock.now()).is_some() =>
            {
                return self.shown_alone(asked, event, part, page).await;
            },
            Err(fault) => {
                if fault.is_missing_access() {
                    self.tell_apart(asked, event, &fault).await;
                }
                return Err(fault);
            },
        };
        if stood.by == By::Earlier {
            asked.put(&stood.ts, post.content(), Urgency::Must).await?;
        }
        if event.place.kind != PlaceKind::Direct {
            self.workspaces.speaks_in(&asked.address, &stood.ts).await;
        }
        Ok(stood.ts)
    }

    /// Tells the person in private that there was no way to answer where they asked.
    async fn tell_apart(&self, asked: &Asked, event: &Event, why: &Fault) {
        let page = Page::notice(
            Notice::NoAccess {
                id: &event.key.short(),
                lacks: None,
            }
            .text(event.speaks()),
        );
        let user = &asked.address.user;
        // Posted to a person, it stands where they talk with us alone.
        let request = posted(user, dialect::content(&page));
        let call = Call::post("chat.postMessage", user, &request);
        if let Err(fault) = asked.workspace.api.tell(call).await {
            tracing::warn!(event = %event.key, "{why}; and the person could not be told: {fault}");
        }
    }

    async fn edited(
        &self,
        event: &Event,
        post: &str,
        page: &Page,
        urgency: Pace,
    ) -> Result<(), Fault> {
        let asked = self.asked(event).await?;
        let urgency = match urgency {
            Pace::May => Urgency::May,
            Pace::Must => Urgency::Must,
        };
        if !post.starts_with(WHISPERED) {
            return self.streams.show(&asked, post, page, urgency).await;
        }
        // The address takes five answers: they are kept for what is final.
        if urgency == Urgency::May {
            return Err(Fault::NotNow);
        }
        let page = reply::alone(page, event.speaks());
        match asked.response_url(self.clock.now()) {
            Some(url) => {
                let body = response(&page, Readers::PersonInstead);
                asked.respond(url, &body).await
            },
            None => asked.post_ephemeral(&page).await,
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn unsent(fault: Fault) -> Unsent {
    match &fault {
        Fault::NotNow => Unsent::Paced,
        Fault::Refused { .. } if fault.is_gone() => Unsent::Gone,
        // Slack ends it by itself in the end.
        Fault::Refused { code, .. } if code == STREAMING => {
            Unsent::Unreachable(Cause::from(fault.to_string()))
        },
        Fault::Refused { .. }
        | Fault::Unsendable(_)
        | Fault::Elsewhere
        | Fault::TooLong { .. } => Unsent::Refused(fault.to_string()),
        // Without a good token we end, and the next run goes on.
        Fault::Unauthorised(_)
        | Fault::Busy
        | Fault::Unreachable(_)
        | Fault::Unavailable { .. }
        | Fault::Unclear { .. } => Unsent::Unreachable(Cause::from(fault.to_string())),
    }
}

#[async_trait]
impl Messenger for Desk {
    fn parts(&self, page: Page) -> Vec<Page> {
        page::parts(page, dialect::LONGEST, &dialect::measure)
    }

    async fn post(
        &self,
        event: &Event,
        before: &[event::Post],
        page: &Page,
    ) -> Result<event::Post, Unsent> {
        let made = self.made(event, before.len(), page).await;
        made.map(|id| event.posted(id)).map_err(unsent)
    }

    async fn edit(
        &self,
        event: &Event,
        post: &event::Post,
        page: &Page,
        urgency: Pace,
    ) -> Result<(), Unsent> {
        self.edited(event, &post.id, page, urgency)
            .await
            .map_err(unsent)
    }

    async fn aside(&self, event: &Event, page: &Page) -> Result<(), Unsent> {
        let asked = self.asked(event).await.map_err(unsent)?;
        asked.whisper(page, self.clock.now()).await.map_err(unsent)
    }

    async fn withdraw(&self, event: &Event, post: &event::Post) -> Result<(), Unsent> {
        let post = post.id.as_str();
        if post.starts_with(WHISPERED) {
            return Ok(());
        }
        let asked = self.asked(event).await.map_err(unsent)?;
        let channel = asked.address.channel.as_str();
        let request = SlackApiChatDeleteRequest::new(channel.into(), post.into());
        let call = Call::write("chat.delete", &request);
        match asked.workspace.api.tell(call).await {
            Err(fault) if fault.is_gone() => Ok(()),
            done => done.map_err(unsent),
        }
    }

    async fn typing(&self, event: &Event, stands: Option<&Place>) {
        if stands.is_some() {
            // The placeholder says it, and Slack would show this until the next post.
            return;
        }
        let Ok(asked) = self.asked(event).await else {
            return;
        };
        // Only beside what somebody is looking at is there a place for it.
        let Some(thread) = asked
            .address
            .thread
            .as_ref()
            .filter(|_| event.place.kind == PlaceKind::Direct)
        else {
            return;
        };
        let status = match event.speaks() {
            Language::Korean => "서가를 찾아보는 중입니다…",
            Language::English | Language::Other => "is looking in the library…",
        };
        let request = json!({
            "channel_id": asked.address.channel, "thread_ts": thread, "status": status,
        });
        let call = Call::write("assistant.threads.setStatus", &request).urgency(Urgency::May);
        // Only an ornament.
        drop(asked.workspace.api.tell(call).await);
        if let Wish::Ask { question, .. } = &event.wish {
            self.entitle(&asked, thread, question).await;
        }
    }

    async fn download(
        &self,
        event: &Event,
        url: &str,
        longest: usize,
    ) -> Result<Vec<u8>, Unsent> {
        let asked = self.asked(event).await.map_err(unsent)?;
        let api = &asked.workspace.api;
        let fetched = match url.strip_prefix("slack:") {
            Some(id) => match asked.file(id).await {
                Ok(url) => api.download(&url, longest).await,
                Err(fault) => Err(fault),
            },
            None => api.download(url, longest).await,
        };
        fetched.map_err(unsent)
    }
}

impl Desk {
    /// Calls a conversation with the assistant after its first question.
    async fn entitle(&self, asked: &Asked, thread: &str, question: &str) {
        const LONGEST: usize = 60;
        const MANY: usize = 10_000;
        let name = format!("{}/{}/{thread}", asked.address.team, asked.address.channel);
        {
            let mut entitled = self.entitled.lock().unwrap_or_else(PoisonError::into_inner);
            if entitled.len() >= MANY {
                entitled.clear();
            }
            if !entitled.insert(name) {
                return;
            }
        }
        let title: String = question.chars().take(LONGEST).collect();
        let request = json!({
            "channel_id": asked.address.channel, "thread_ts": thread, "title": title,
        });
        let call = Call::write("assistant.threads.setTitle", &request).urgency(Urgency::May);
        // Where the thread is not the assistant's, it has no title.
        drop(asked.workspace.api.tell(call).await);
    }
}

/// What `files.info` says.
#[derive(Debug, Deserialize)]
struct Looked {
    file: File,
}

#[derive(Debug, Deserialize)]
struct File {
    #[serde(default)]
    url_private_download: Option<String>,
    #[serde(default)]
    url_private: Option<String>,
}

impl Asked {
    /// Where a file lies that was shared without saying so.
    async fn file(&self, id: &str) -> Result<String, Fault> {
        let call = Call::read("files.info", vec![("file", id.to_owned())]);
        let Looked { file } = self.workspace.api.call(call).await?;
        let url = file.url_private_download.or(file.url_private);
        url.ok_or(Fault::Elsewhere)
    }
}
