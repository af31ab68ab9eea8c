//! Replies: posts, edits, and what to do where nobody can tell whether a post was made.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use serenity::http::Route;
use serenity::model::id::{ChannelId, MessageId, UserId};
use tokio::sync::OnceCell;

use super::dialect;
use super::interaction::{Interactions, Ticket};
use super::rest::{Call, Fault, Rest};
use super::thread;
use super::wire::{self, Address, Deferred};
use crate::adapters::chat::limiter::Urgency;
use crate::adapters::chat::once::{self, Board, Look};
use crate::domain::event::{self, Event, Place, PlaceKind, Press};
use crate::domain::language::Language;
use crate::domain::notice::Notice;
use crate::domain::page::{self, Page};
use crate::ports::{Cause, Messenger, Pace, Unsent};

/// Shows replies in Discord.
pub(super) struct Desk {
    pub(super) rest: Arc<Rest>,
    /// Our own user, once it was asked for.
    pub(super) me: OnceCell<UserId>,
    /// What was asked before may have been answered by an earlier run of ours.
    pub(super) since: DateTime<Utc>,
    /// Whether an answer in a channel opens a thread.
    pub(super) threads: bool,
    pub(super) interactions: Arc<Interactions>,
}

/// A message, as far as we want to know it.
#[derive(Debug, Deserialize)]
struct Seen {
    id: MessageId,
    author: Author,
    #[serde(default)]
    nonce: Option<Value>,
    #[serde(default)]
    message_reference: Option<Reference>,
    #[serde(default)]
    content: String,
    #[serde(default)]
    components: Value,
    /// What answers a command or a button has one.
    #[serde(default)]
    webhook_id: Option<Value>,
}

impl Seen {
    fn replies_to(&self) -> Option<MessageId> {
        self.message_reference.as_ref()?.message_id
    }

    /// Whether it reads like `body`, and the same buttons stand below it.
    fn is_like(&self, body: &Value) -> bool {
        let content = body.get("content").and_then(Value::as_str);
        content.map(str::trim) == Some(self.content.trim())
            && codes(body.get("components").unwrap_or(&Value::Null)) == codes(&self.components)
    }
}

/// What the buttons in `rows` mean.
fn codes(rows: &Value) -> Vec<&str> {
    let rows = rows.as_array().into_iter().flatten();
    let buttons = rows.filter_map(|row| row.get("components")?.as_array());
    let codes = buttons
        .flatten()
        .filter_map(|button| button.get("custom_id")?.as_str());
    codes.collect()
}

#[derive(Debug, Deserialize)]
struct Author {
    id: UserId,
}

#[derive(Debug, Deserialize)]
struct Reference {
    #[serde(default)]
    message_id: Option<MessageId>,
}

/// What was made, by its id.
#[derive(Debug, Deserialize)]
pub(super) struct Made {
    pub(super) id: MessageId,
}

#[derive(Debug, Deserialize)]
struct Room {
    id: ChannelId,
}

/// A post to be made in a channel.
struct Post<'a> {
    channel: ChannelId,
    /// The message that it replies to, if that stands in the same channel.
    below: Option<MessageId>,
    /// What is older was not made for the event.
    after: u64,
    event: &'a Event,
    part: usize,
    page: &'a Page,
}

impl Post<'_> {
    /// Whether `seen`, which replies to nothing, is this one: by its words, or as the
    /// placeholder of its event.
    fn is(&self, seen: &Seen) -> bool {
        let stop = Press::Stop(self.event.key.short()).code();
        seen.is_like(&self.body())
            || (self.part == 0 && codes(&seen.components).contains(&stop.as_str()))
    }

    fn body(&self) -> Value {
        wire::message(
            self.page,
            self.below.map(|below| (self.channel, below)),
            &wire::nonce(&self.event.key, self.part),
        )
    }
}

impl Desk {
    /// Our own user.
    pub(super) async fn me(&self) -> Result<UserId, Fault> {
        let ask = async || {
            let me: Author = self.rest.call(Call::get(Route::UserMe)).await?;
            Ok(me.id)
        };
        self.me.get_or_try_init(ask).await.copied()
    }

    /// Makes a post once, whatever happens to the requests.
    async fn post_once(&self, post: &Post<'_>, look: Look) -> Result<String, Fault> {
        let made = once::made(&Making { desk: self, post }, look).await?;
        self.brought_up_to_date(post, &made).await
    }

    /// The id of a post, once it shows the page of this call: it may have been made by an
    /// earlier one, for a page of then.
    async fn brought_up_to_date(
        &self,
        post: &Post<'_>,
        stands: &Seen,
    ) -> Result<String, Fault> {
        let body = wire::edit(post.page);
        if !stands.is_like(&body) {
            let route = Route::ChannelMessage {
                channel_id: post.channel,
                message_id: stands.id,
            };
            let call = Call::patch(route).body(bytes(&body));
            self.rest.tell(call.urgency(Urgency::Must)).await?;
        }
        Ok(stands.id.to_string())
    }

    async fn send(&self, post: &Post<'_>) -> Result<Seen, Fault> {
        let body = post.body();
        let route = Route::ChannelMessages {
            channel_id: post.channel,
        };
        self.rest
            .call(Call::post(route).body(bytes(&body)).urgency(Urgency::Must))
            .await
    }

    /// What we have said in the channel of `post` since its event, but to commands: where much more was said
    /// since, the oldest of it and the newest.
    async fn said_since(&self, post: &Post<'_>) -> Result<Vec<Seen>, Fault> {
        const PAGE: usize = 100;
        const MOST_PAGES: usize = 10;
        let route = Route::ChannelMessages {
            channel_id: post.channel,
        };
        let me = self.me().await?;
        let (mut said, mut after) = (Vec::new(), Some(post.after));
        for page in 0..=MOST_PAGES {
            let call = Call::get(route).param("limit", PAGE).urgency(Urgency::Must);
            let call = match after {
                Some(after) => call.param("after", after),
                None => call,
            };
            let mut seen: Vec<Seen> = self.rest.call(call).await?;
            seen.sort_by_key(|message| message.id);
            let (count, last) = (seen.len(), seen.last().map(|message| message.id.get()));
            seen.retain(|message| message.author.id == me && message.webhook_id.is_none());
            seen.retain(|message| said.iter().all(|known: &Seen| known.id != message.id));
            said.append(&mut seen);
            if count < PAGE || after.is_none() {
                break;
            }
            after = last.filter(|_| page + 1 < MOST_PAGES);
        }
        Ok(said)
    }

    /// Our post in its channel after the event. Discord does not tell the nonces of what it has
    /// kept: it is known by what it replies to, else by what it says.
    async fn find(&self, post: &Post<'_>) -> Result<Option<Seen>, Fault> {
        let mut seen = self.said_since(post).await?;
        let nonce = wire::nonce(&post.event.key, post.part);
        let same_nonce = |message: &Seen| {
            message.nonce.as_ref().and_then(Value::as_str) == Some(nonce.as_str())
        };
        // Our replies to a message are its parts, in order.
        let mut replies = (0..)
            .zip(&seen)
            .filter(|(_, message)| post.below.is_some() && message.replies_to() == post.below);
        let found = seen
            .iter()
            .position(same_nonce)
            .or_else(|| replies.nth(post.part).map(|(at, _)| at));
        let alone = |message: &Seen| message.replies_to().is_none() && post.is(message);
        let found = found.or_else(|| seen.iter().position(alone));
        Ok(found.map(|at| seen.swap_remove(at)))
    }

    /// Opens the thread of an answer.
    async fn open_thread(
        &self,
        event: &Event,
        (channel, message): (ChannelId, MessageId),
    ) -> Result<(), Fault> {
        let name = json!({ "name": thread::name(event), "auto_archive_duration": 1440 });
        let route = Route::ChannelMessageThreads {
            channel_id: channel,
            message_id: message,
        };
        let call = Call::post(route).body(bytes(&name)).urgency(Urgency::Must);
        match self.rest.tell(call.harmless_twice()).await {
            Err(fault) if fault.code() == Some(THREAD_EXISTS) => Ok(()),
            done => done,
        }
    }

    /// Where the first post of an event shall stand.
    fn spot(&self, event: &Event) -> Result<Spot, Fault> {
        match Address::parse(&event.address) {
            Some(Address::Message {
                channel,
                message,
                guild,
                ..
            }) => {
                let opens =
                    self.threads && guild.is_some() && event.place.kind == PlaceKind::Channel;
                Ok(if opens {
                    Spot::Thread(channel, message)
                } else {
                    Spot::Below(channel, message)
                })
            },
            Some(Address::Interaction { channel, .. }) => Ok(Spot::Channel(channel)),
            None => Err(Fault::Unsendable("the address cannot be read")),
        }
    }

    async fn first(&self, event: &Event, page: &Page) -> Result<event::Post, Fault> {
        let Some(ticket) = Ticket::of(event) else {
            return self.first_in_channel(event, page).await;
        };
        match self.interactions.original(&ticket, page).await? {
            Some(made) => Ok(event.posted(made.to_string())),
            None if ticket.deferred == Deferred::Fresh => {
                self.first_in_channel(event, page).await
            },
            // What only one person was to see is not for the channel.
            None => Err(Fault::Unsendable("the command can no longer be answered")),
        }
    }

    async fn further(
        &self,
        event: &Event,
        before: &[event::Post],
        page: &Page,
    ) -> Result<event::Post, Fault> {
        if let Some(ticket) = Ticket::of(event)
            && ticket.deferred != Deferred::Fresh
        {
            let made = self.interactions.whisper(&ticket, page).await?;
            return Ok(event.posted(made.to_string()));
        }
        let spot = self.spot(event)?.as_stands(before)?;
        self.in_channel(event, (spot, before.len()), page).await
    }

    /// In a thread, if that is wanted and can be opened.
    async fn first_in_channel(&self, event: &Event, page: &Page) -> Result<event::Post, Fault> {
        let spot = self.spot(event)?;
        let Spot::Thread(channel, message) = spot else {
            return self.in_channel(event, (spot, 0), page).await;
        };
        let opened = self.open_thread(event, (channel, message)).await;
        let made = match opened {
            Ok(()) => self.in_channel(event, (spot, 0), page).await,
            Err(fault) => Err(fault),
        };
        match made {
            Err(fault @ Fault::Refused { .. }) => {
                let short = event.key.short();
                tracing::warn!(event = short, "no thread, so it is answered below: {fault}");
                let below = Spot::Below(channel, message);
                self.in_channel(event, (below, 0), page).await
            },
            done => done,
        }
    }

    async fn in_channel(
        &self,
        event: &Event,
        (spot, part): (Spot, usize),
        page: &Page,
    ) -> Result<event::Post, Fault> {
        let look = if event.at < self.since + CLOCKS_DIFFER {
            Look::First
        } else {
            Look::Later
        };
        let below = match spot {
            Spot::Below(_, message) => Some(message),
            Spot::Thread(..) | Spot::Channel(_) => None,
        };
        let post = Post {
            channel: spot.room(),
            below,
            after: after(event),
            event,
            part,
            page,
        };
        let id = self.post_once(&post, look).await?;
        let place = spot.place(event);
        Ok(event::Post { place, id })
    }

    /// Tells the person in private that there was no way to answer where they asked.
    async fn tell_apart(&self, event: &Event, kind: PlaceKind, why: &Fault) {
        let Ok(recipient) = event.person.id.parse::<u64>() else {
            return;
        };
        let body = bytes(&json!({ "recipient_id": recipient.to_string() }));
        let call = Call::post(Route::UserMeDmChannels)
            .body(body)
            .harmless_twice();
        let short = event.key.short();
        tracing::warn!(event = short, "no answer where it was asked: {why}");
        let notice = Notice::NoAccess {
            id: &short,
            lacks: Some(lacking(why, kind, event.speaks())),
        };
        let page = Page::notice(notice.text(event.speaks()));
        let told = async {
            let room: Room = self.rest.call(call).await?;
            let post = Post {
                channel: room.id,
                below: None,
                after: after(event),
                event,
                part: 0,
                page: &page,
            };
            self.post_once(&post, Look::Later).await
        };
        if let Err(fault) = told.await {
            tracing::warn!(event = short, "and the person could not be told: {fault}");
        }
    }
}

/// What we are not allowed, as Discord calls it.
fn lacking(why: &Fault, kind: PlaceKind, language: Language) -> &'static str {
    let (english, korean) = match (why.code(), kind) {
        (Some(NO_ACCESS), _) => ("View Channel", "채널 보기"),
        (Some(NO_HISTORY), _) => ("Read Message History", "메시지 기록 보기"),
        (_, PlaceKind::Thread) => ("Send Messages in Threads", "스레드에서 메시지 보내기"),
        (_, PlaceKind::Channel | PlaceKind::Direct) => ("Send Messages", "메시지 보내기"),
    };
    match language {
        Language::Korean => korean,
        Language::English | Language::Other => english,
    }
}

/// Where posts are made.
#[derive(Clone, Copy)]
enum Spot {
    /// Below the message that they reply to.
    Below(ChannelId, MessageId),
    /// In the thread that hangs on a message of a channel.
    Thread(ChannelId, MessageId),
    /// In the channel where a command was run.
    Channel(ChannelId),
}

impl Spot {
    /// The spot beside what stands `before`: settings may have changed since.
    fn as_stands(self, before: &[event::Post]) -> Result<Self, Fault> {
        let (Some(first), Self::Below(channel, message) | Self::Thread(channel, message)) =
            (before.first(), self)
        else {
            return Ok(self);
        };
        Ok(if room(&first.place)? == channel {
            Self::Below(channel, message)
        } else {
            Self::Thread(channel, message)
        })
    }

    /// For the inbox.
    fn place(self, event: &Event) -> Place {
        let mut place = event.place.clone();
        if let Self::Thread(..) = self {
            (place.channel, place.kind) = (self.room().to_string(), PlaceKind::Thread);
        }
        place
    }

    /// The channel or thread. A thread has the id of the message that it hangs on.
    fn room(self) -> ChannelId {
        match self {
            Self::Below(channel, _) | Self::Channel(channel) => channel,
            Self::Thread(_, message) => ChannelId::new(message.get()),
        }
    }
}

/// The channel or thread that is called `place` in the inbox.
fn room(place: &Place) -> Result<ChannelId, Fault> {
    let id = place.channel.parse::<u64>().ok().filter(|id| *id > 0);
    id.map(ChannelId::new)
        .ok_or(Fault::Unsendable("the place of a post cannot be read"))
}

/// Discord's code for a channel that is not shown to us.
const NO_ACCESS: i64 = 50_001;
/// Discord's code for a reply where the message may not be read again.
const NO_HISTORY: i64 = 160_002;
/// Discord's code for a thread that is there already.
const THREAD_EXISTS: i64 = 160_004;
/// Discord's code for a message that somebody took away.
const NO_SUCH_MESSAGE: i64 = 10_008;

/// The id of what was said or done: what answers it has a greater one.
fn after(event: &Event) -> u64 {
    match Address::parse(&event.address) {
        Some(Address::Message { message, .. }) => message.get(),
        Some(Address::Interaction { id, .. }) => id.get(),
        None => 0,
    }
}

/// Discord's clock and ours may differ by so much.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::seconds(60);

/// A post that is being made. Discord gives back what an earlier call made with the same nonce.
struct Making<'a> {
    desk: &'a Desk,
    post: &'a Post<'a>,
}

#[async_trait]
impl Board for Making<'_> {
    type Made = Seen;
    type Fault = Fault;

    async fn find(&self) -> Result<Option<Seen>, Fault> {
        self.desk.find(self.post).await
    }

    async fn make(&self) -> Result<Seen, Fault> {
        self.desk.send(self.post).await
    }

    fn unclear(fault: &Fault) -> Option<&str> {
        if let Fault::Unclear { why, source: _ } = fault {
            return Some(why);
        }
        None
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn unsent(fault: Fault) -> Unsent {
    match &fault {
        Fault::NotNow => Unsent::Paced,
        Fault::Refused { .. }
        | Fault::Unsendable(_)
        | Fault::Elsewhere
        | Fault::TooLong { .. } => Unsent::Refused(fault.to_string()),
        // Without a good token we end, and the next run goes on.
        Fault::Unauthorised
        | Fault::Busy { .. }
        | Fault::Unreachable(_)
        | Fault::Unavailable { .. }
        | Fault::Unclear { .. } => Unsent::Unreachable(Cause::from(fault.to_string())),
    }
}

pub(super) fn bytes(body: &Value) -> Vec<u8> {
    body.to_string().into_bytes()
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
        let made = if before.is_empty() {
            self.first(event, page).await
        } else {
            self.further(event, before, page).await
        };
        if let Err(fault) = &made
            && fault.is_missing_access()
        {
            let stands = before.first().map_or(&event.place, |post| &post.place);
            self.tell_apart(event, stands.kind, fault).await;
        }
        made.map_err(unsent)
    }

    async fn edit(
        &self,
        event: &Event,
        post: &event::Post,
        page: &Page,
        urgency: Pace,
    ) -> Result<(), Unsent> {
        let id = post.id.parse::<u64>().ok().filter(|id| *id > 0);
        let message = id
            .map(MessageId::new)
            .ok_or_else(|| Unsent::Refused("the post has no id".to_owned()))?;
        let urgency = match urgency {
            Pace::May => Urgency::May,
            Pace::Must => Urgency::Must,
        };
        let body = bytes(&wire::edit(page));
        if let Some(ticket) = Ticket::of(event) {
            let edited = self
                .interactions
                .edit(&ticket, message, (page, urgency))
                .await;
            match edited {
                // After a quarter of an hour it is a message like any other.
                Err(fault) if fault.is_unknown() || fault.is_expired() => {},
                done => return done.map_err(unsent),
            }
        }
        let route = Route::ChannelMessage {
            channel_id: room(&post.place).map_err(unsent)?,
            message_id: message,
        };
        let call = Call::patch(route).body(body).urgency(urgency);
        match self.rest.tell(call).await {
            Err(fault) if fault.code() == Some(NO_SUCH_MESSAGE) => Err(Unsent::Gone),
            Err(fault) => {
                if urgency == Urgency::Must && fault.is_missing_access() {
                    self.tell_apart(event, post.place.kind, &fault).await;
                }
                Err(unsent(fault))
            },
            Ok(()) => Ok(()),
        }
    }

    async fn aside(&self, event: &Event, page: &Page) -> Result<(), Unsent> {
        let in_place = |ticket: &Ticket| ticket.deferred == Deferred::InPlace;
        let Some(ticket) = Ticket::of(event).filter(in_place) else {
            return self.post(event, &[], page).await.map(drop);
        };
        let acknowledged = self.interactions.acknowledge(&ticket).await;
        acknowledged.map_err(unsent)?;
        match self.interactions.whisper(&ticket, page).await {
            // Twice is better than never where only one person sees it, and never is better
            // than for ever.
            Ok(_) | Err(Fault::Unclear { .. }) => Ok(()),
            Err(fault) => Err(unsent(fault)),
        }
    }

    async fn withdraw(&self, _event: &Event, post: &event::Post) -> Result<(), Unsent> {
        let Some(id) = post.id.parse::<u64>().ok().filter(|id| *id > 0) else {
            return Ok(());
        };
        let route = Route::ChannelMessage {
            channel_id: room(&post.place).map_err(unsent)?,
            message_id: MessageId::new(id),
        };
        match self.rest.tell(Call::delete(route)).await {
            Err(fault) if fault.is_unknown() => Ok(()),
            done => done.map_err(unsent),
        }
    }

    async fn typing(&self, event: &Event, stands: Option<&Place>) {
        if Ticket::of(event).is_some() {
            // Discord says it itself.
            return;
        }
        let channel_id = match (stands, self.spot(event)) {
            (Some(place), _) => room(place),
            // There is no thread yet.
            (None, Ok(Spot::Thread(..))) => return,
            (None, spot) => spot.map(Spot::room),
        };
        let Ok(channel_id) = channel_id else { return };
        let call = Call::post(Route::ChannelTyping { channel_id }).urgency(Urgency::May);
        // Only an ornament.
        drop(self.rest.tell(call).await);
    }

    async fn download(
        &self,
        event: &Event,
        url: &str,
        longest: usize,
    ) -> Result<Vec<u8>, Unsent> {
        match self.rest.download(url, longest).await {
            // Its address has expired; the message has a fresh one.
            Err(Fault::Refused { .. }) => {
                let fresh = self.fresh_address(event, url).await.map_err(unsent)?;
                self.rest.download(&fresh, longest).await.map_err(unsent)
            },
            done => done.map_err(unsent),
        }
    }
}

/// The attachments of a message.
#[derive(Debug, Deserialize)]
struct Attached {
    #[serde(default)]
    attachments: Vec<Attachment>,
}

#[derive(Debug, Deserialize)]
struct Attachment {
    url: String,
}

impl Desk {
    async fn fresh_address(&self, event: &Event, url: &str) -> Result<String, Fault> {
        let expired = || Fault::Unsendable("the file is no longer kept");
        let Some(Address::Message {
            channel, message, ..
        }) = Address::parse(&event.address)
        else {
            return Err(expired());
        };
        let route = Route::ChannelMessage {
            channel_id: channel,
            message_id: message,
        };
        let attached: Attached = self.rest.call(Call::get(route)).await?;
        let bare = |url: &str| url.split('?').next().unwrap_or_default().to_owned();
        let found = attached
            .attachments
            .into_iter()
            .find(|attachment| bare(&attachment.url) == bare(url));
        found.map(|attachment| attachment.url).ok_or_else(expired)
    }
}
