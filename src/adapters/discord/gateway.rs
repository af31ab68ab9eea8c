//! What is heard: events of the gateway, and what was said while nobody listened.
//!
//! A handler only keeps the event and, for a command, acknowledges it. serenity starts a new
//! session where Discord would let it go on with the old one, and what happened between is
//! lost to it: after every new session the channels are read from where we stopped.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};
use serenity::client::{Context, EventHandler};
use serenity::http::Route;
use serenity::model::application::Interaction;
use serenity::model::channel::{ChannelType, GuildChannel, Message};
use serenity::model::event::ResumedEvent;
use serenity::model::gateway::Ready;
use serenity::model::guild::{Guild, Role};
use serenity::model::id::{
    ApplicationId, ChannelId, GuildId, InteractionId, MessageId, RoleId, UserId,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::interaction::{Interactions, Ticket};
use super::rest::{Call, Rest};
use super::wire::{self, Choice, Heard, Here, Offer, Rank};
use crate::adapters::chat::hearing::{self, Turn, Turns};
use crate::adapters::chat::limiter::Urgency;
use crate::domain::event::{Event, PlaceKind};
use crate::domain::language::Language;
use crate::domain::page::Page;
use crate::ports::{Accepted, Cause, Clock, Inbox, Intake, Offered, Unrecorded};

/// Listens.
pub(super) struct Ears {
    rest: Arc<Rest>,
    interactions: Arc<Interactions>,
    intake: Arc<dyn Intake>,
    inbox: Arc<dyn Inbox>,
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
    /// The newest message that was seen anywhere: ids grow with time.
    seen: AtomicU64,
    /// What it was a tick ago, and two ticks ago. Handlers run side by side: when a session
    /// begins, its first messages may have been seen already.
    ticked: [AtomicU64; 2],
    /// Reads of what was missed that are not done, and messages that could not be kept yet.
    /// Until it is none, what was seen does not count as heard.
    catching_up: AtomicUsize,
    /// Sessions that were begun.
    sessions: watch::Sender<usize>,
    /// Channels that are read at once.
    reading: Semaphore,
    /// Where what is said counts from, if nothing was heard by an earlier run: the id of a
    /// message that would have been said when we were started.
    first: u64,
}

/// What Discord told us of places and people.
#[derive(Default)]
struct Known {
    us: Option<(UserId, ApplicationId)>,
    guilds: BTreeMap<GuildId, GuildFacts>,
    kinds: BTreeMap<ChannelId, PlaceKind>,
    /// Messages up to this one were heard before the present session.
    since: u64,
}

/// A message of a channel's history. Discord invents new things to put into messages, and one
/// that cannot be read must not hide the others.
#[derive(Deserialize)]
struct Old {
    id: MessageId,
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl Old {
    fn whole(&self) -> Value {
        let mut whole = self.others.clone();
        whole.insert("id".to_owned(), self.id.to_string().into());
        Value::Object(whole)
    }
}

struct GuildFacts {
    owner: UserId,
    language: Language,
    roles: BTreeMap<RoleId, Rank>,
}

/// Where in the inbox it stands how far we have heard, and which private channels there are.
const HEARD: &str = "discord/heard";
const PRIVATE: &str = "discord/private/";

/// Messages of three minutes, in ids: handlers run side by side, and a newer message may be kept
/// before an older one. Of several connections one may be dead for half of that, unnoticed,
/// while newer messages come over the others.
const MARGIN: u64 = 180_000 << 22;
/// Nobody waits for an answer to what they said longer ago.
const OLDEST: TimeDelta = TimeDelta::hours(24);

/// The least id that a message of `at` has.
fn id_at(at: DateTime<Utc>) -> u64 {
    /// Discord's ids count milliseconds from here.
    const EPOCH: i64 = 1_420_070_400_000;
    let since = at.timestamp_millis().saturating_sub(EPOCH);
    u64::try_from(since).unwrap_or(0) << 22
}

impl Ears {
    pub(super) async fn new(
        (rest, interactions): (Arc<Rest>, Arc<Interactions>),
        intake: Arc<dyn Intake>,
        inbox: Arc<dyn Inbox>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        /// Channels that are read for what was missed, side by side.
        const READING: usize = 8;
        let marks = inbox.marks(HEARD).await.unwrap_or_default();
        let heard = marks.first().and_then(|(_, id)| id.parse().ok());
        let heard = heard.unwrap_or(0);
        let first = id_at(clock.now());
        Self {
            rest,
            interactions,
            intake,
            inbox,
            clock,
            known: Mutex::default(),
            seen: AtomicU64::new(heard),
            ticked: [AtomicU64::new(heard), AtomicU64::new(heard)],
            catching_up: AtomicUsize::new(0),
            sessions: watch::Sender::new(0),
            reading: Semaphore::new(READING),
            first,
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sessions that were begun so far.
    pub(super) fn sessions(&self) -> usize {
        *self.sessions.borrow()
    }

    /// Every few seconds: keeps, for the next session and the next run, up to where everything
    /// was heard.
    pub(super) async fn tick(&self) {
        let [last, before] = &self.ticked;
        let seen = self.seen.load(Ordering::SeqCst);
        let earlier = last.swap(seen, Ordering::SeqCst);
        before.store(earlier, Ordering::SeqCst);
        if self.catching_up.load(Ordering::SeqCst) == 0 && earlier > 0 && seen != earlier {
            noted(self.inbox.mark(HEARD, &earlier.to_string()).await);
        }
    }

    /// Nothing that is heard makes sense before we know who we are.
    async fn begun(&self) {
        let mut sessions = self.sessions.subscribe();
        // The sender lives as long as we do.
        drop(sessions.wait_for(|sessions| *sessions > 0).await);
    }

    async fn here(&self, guild: Option<GuildId>, channel: ChannelId) -> Option<Here> {
        let kind = match guild {
            None => PlaceKind::Direct,
            Some(_) => self.kind(channel).await,
        };
        let known = self.known();
        let (me, application) = known.us?;
        let facts = guild.and_then(|guild| known.guilds.get(&guild));
        Some(Here {
            me,
            application,
            server: guild,
            kind,
            roles: facts.map(|facts| facts.roles.clone()).unwrap_or_default(),
            owner: facts.map(|facts| facts.owner),
            language: facts.map(|facts| facts.language).unwrap_or_default(),
        })
    }

    async fn kind(&self, channel_id: ChannelId) -> PlaceKind {
        #[derive(Deserialize)]
        struct Kind {
            #[serde(rename = "type")]
            kind: ChannelType,
        }
        if let Some(kind) = self.known().kinds.get(&channel_id) {
            return *kind;
        }
        let call = Call::get(Route::Channel { channel_id })
            .urgency(Urgency::Must)
            .patience(Duration::from_secs(2));
        let Ok(Kind { kind }) = self.rest.call(call).await else {
            return PlaceKind::Channel;
        };
        let kind = place_kind(kind);
        self.known().kinds.insert(channel_id, kind);
        kind
    }

    async fn hear(&self, message: &Message, guild: Option<GuildId>) {
        let Some(here) = self.here(guild, message.channel_id).await else {
            return;
        };
        if let Some(event) = wire::heard(message, &here) {
            if event.place.kind == PlaceKind::Direct {
                let name = format!("{PRIVATE}{}", message.channel_id);
                noted(self.inbox.mark(&name, "").await);
            }
            self.keep_at_last(event).await;
        }
        self.seen.fetch_max(message.id.get(), Ordering::SeqCst);
    }

    /// Hands over what was said, however long that takes: nobody is told that it failed. What
    /// was seen does not count as heard meanwhile, so that another run would read it again.
    async fn keep_at_last(&self, event: Event) {
        const PAUSE: Duration = Duration::from_secs(5);
        if hearing::keep(&*self.intake, &event).await.is_some() {
            return;
        }
        self.catching_up.fetch_add(1, Ordering::SeqCst);
        while self.intake.hand_over(event.clone()).await.is_err() {
            tokio::time::sleep(PAUSE).await;
        }
        self.catching_up.fetch_sub(1, Ordering::SeqCst);
    }

    async fn attend(&self, interaction: &Interaction) {
        let (guild, channel) = match interaction {
            Interaction::Command(it) | Interaction::Autocomplete(it) => {
                (it.guild_id, it.channel_id)
            },
            Interaction::Component(it) => (it.guild_id, it.channel_id),
            Interaction::Modal(it) => (it.guild_id, it.channel_id),
            Interaction::Ping(_) | _ => return,
        };
        let Some(here) = self.here(guild, channel).await else {
            return;
        };
        let body = match wire::asked(interaction, &here) {
            Some(Heard::Event(event)) => return self.take_on(&event, interaction.id()).await,
            Some(Heard::Completing(completing)) => {
                let of = match completing.choice {
                    Choice::Document => Offered::Documents,
                    Choice::Collection => Offered::Collections,
                };
                let offers = self.intake.offers(of, &completing.typed).await;
                wire::choices(&offers.into_iter().map(offer).collect::<Vec<_>>())
            },
            Some(Heard::Slip(sentence)) => wire::whisper(&Page::notice(sentence)),
            None => return,
        };
        let (id, token) = (interaction.id(), interaction.token());
        if let Err(fault) = self.interactions.respond(id, token, &body).await {
            tracing::debug!("an interaction could not be answered: {fault}");
        }
    }

    /// Keeps what a command or a button asks for, and acknowledges it.
    async fn take_on(&self, event: &Event, id: InteractionId) {
        let _deferring = self.interactions.is_deferring(id);
        if hearing::keep(&*self.intake, event).await == Some(Accepted::New)
            && let Some(ticket) = Ticket::of(event)
            && let Err(fault) = self.interactions.acknowledge(&ticket).await
        {
            // The reply itself will find another way.
            tracing::warn!(event = %event.key, "not acknowledged: {fault}");
        }
    }

    /// Reads `channel` from where we stopped.
    async fn catch_up(&self, channel_id: ChannelId, guild: Option<GuildId>, since: u64) {
        const PAGE: usize = 100;
        const MOST_PAGES: usize = 20;
        const PAUSE: Duration = Duration::from_secs(5);
        let Ok(_turn) = self.reading.acquire().await else {
            return;
        };
        let mut after = since;
        for _ in 0..MOST_PAGES {
            let call = Call::get(Route::ChannelMessages { channel_id });
            let call = call.param("after", after).param("limit", PAGE);
            let mut page: Vec<Old> = match self.rest.call(call).await {
                Ok(page) => page,
                // A channel that we may not read has nothing for us.
                Err(fault) if fault.is_missing_access() || fault.is_unknown() => return,
                Err(fault) if fault.may_be_tried_again() => {
                    tracing::warn!("what was said in a channel meanwhile waits: {fault}");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                },
                Err(fault) => {
                    tracing::warn!("what was said in a channel meanwhile is lost: {fault}");
                    return;
                },
            };
            page.sort_by_key(|old| old.id);
            for old in &page {
                self.read(old, guild).await;
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = last.id.get(),
                _ => return,
            }
        }
        tracing::warn!("so much was said in a channel meanwhile that only the oldest was read");
    }

    async fn read(&self, old: &Old, guild: Option<GuildId>) {
        let Ok(message) = serde_json::from_value::<Message>(old.whole()) else {
            // What is said of the slip may quote the message.
            tracing::warn!(id = %old.id, "a message cannot be read");
            return;
        };
        self.hear(&message, guild).await;
    }

    async fn catch_up_all(&self, channels: Vec<(ChannelId, Option<GuildId>)>, since: u64) {
        let reads = channels
            .into_iter()
            .map(|(channel, guild)| self.catch_up(channel, guild, since));
        futures::future::join_all(reads).await;
        self.catching_up.fetch_sub(1, Ordering::SeqCst);
    }

    /// Where to read from after a new session.
    fn since(&self) -> u64 {
        let oldest = id_at(self.clock.now() - OLDEST);
        self.known().since.saturating_sub(MARGIN).max(oldest)
    }

    /// Puts down who we are and where the session begins. Of what was said before the very
    /// first start nobody waits for an answer; of what is said from then on somebody does, also
    /// while the first session is still being begun, or is lost before anything was heard in it.
    async fn begin(&self, ready: &Ready) {
        let [last, before] = &self.ticked;
        let mut heard = before.load(Ordering::SeqCst);
        if heard == 0 {
            heard = self.first + MARGIN;
            last.store(heard, Ordering::SeqCst);
            before.store(heard, Ordering::SeqCst);
            noted(self.inbox.mark(HEARD, &heard.to_string()).await);
        }
        let mut known = self.known();
        known.us = Some((ready.user.id, ready.application.id));
        known.since = heard;
        self.seen.fetch_max(heard, Ordering::SeqCst);
    }

    /// Keeps what a guild consists of; the channels that have something newer than `since`.
    fn learn(&self, guild: &Guild, since: u64) -> Vec<(ChannelId, Option<GuildId>)> {
        let mut known = self.known();
        known.guilds.insert(guild.id, facts(guild));
        let mut newer = Vec::new();
        for channel in guild.channels.values().chain(&guild.threads) {
            known.kinds.insert(channel.id, place_kind(channel.kind));
            if channel
                .last_message_id
                .is_some_and(|last| last.get() > since)
            {
                newer.push((channel.id, Some(guild.id)));
            }
        }
        newer
    }

    fn learn_role(&self, role: &Role) {
        if let Some(guild) = self.known().guilds.get_mut(&role.guild_id) {
            guild.roles.insert(role.id, Rank::from(role));
        }
    }

    fn learn_channel(&self, channel: &GuildChannel) {
        let kind = place_kind(channel.kind);
        self.known().kinds.insert(channel.id, kind);
    }
}

fn offer((value, name): (String, String)) -> Offer {
    Offer { name, value }
}

fn noted(done: Result<(), Unrecorded>) {
    if let Err(error) = done {
        let error: Cause = error.into();
        tracing::warn!(error = &*error, "the inbox did not take a mark");
    }
}

fn place_kind(kind: ChannelType) -> PlaceKind {
    let threads = [
        ChannelType::PublicThread,
        ChannelType::PrivateThread,
        ChannelType::NewsThread,
    ];
    if threads.contains(&kind) {
        PlaceKind::Thread
    } else if [ChannelType::Private, ChannelType::GroupDm].contains(&kind) {
        PlaceKind::Direct
    } else {
        PlaceKind::Channel
    }
}

fn facts(guild: &Guild) -> GuildFacts {
    let roles = guild.roles.values();
    GuildFacts {
        owner: guild.owner_id,
        language: if guild.preferred_locale == "ko" {
            Language::Korean
        } else {
            Language::English
        },
        roles: roles.map(|role| (role.id, Rank::from(role))).collect(),
    }
}

/// What serenity tells. Its handlers only pass it on: they run on its thread, and that may end
/// at any moment.
pub(super) enum Told {
    Ready(Box<Ready>),
    Resumed,
    Guild(Box<Guild>),
    Role(Box<Role>),
    Channel(Box<GuildChannel>),
    Message(Box<Message>),
    Interaction(Box<Interaction>),
}

/// Serenity's way to us.
pub(super) struct Ear(pub(super) UnboundedSender<Told>);

impl Ear {
    fn tell(&self, told: Told) {
        // When nobody listens any more, we are closing.
        drop(self.0.send(told));
    }
}

#[async_trait]
impl EventHandler for Ear {
    async fn ready(&self, _: Context, ready: Ready) {
        self.tell(Told::Ready(Box::new(ready)));
    }

    async fn resume(&self, _: Context, _: ResumedEvent) {
        self.tell(Told::Resumed);
    }

    async fn guild_create(&self, _: Context, guild: Guild, _: Option<bool>) {
        self.tell(Told::Guild(Box::new(guild)));
    }

    async fn guild_role_create(&self, _: Context, new: Role) {
        self.tell(Told::Role(Box::new(new)));
    }

    async fn guild_role_update(&self, _: Context, _: Option<Role>, new: Role) {
        self.tell(Told::Role(Box::new(new)));
    }

    async fn channel_create(&self, _: Context, channel: GuildChannel) {
        self.tell(Told::Channel(Box::new(channel)));
    }

    async fn thread_create(&self, _: Context, thread: GuildChannel) {
        self.tell(Told::Channel(Box::new(thread)));
    }

    async fn message(&self, _: Context, message: Message) {
        self.tell(Told::Message(Box::new(message)));
    }

    async fn interaction_create(&self, _: Context, interaction: Interaction) {
        self.tell(Told::Interaction(Box::new(interaction)));
    }
}

impl Ears {
    /// Attends to what serenity tells, side by side, until nobody can tell anything any more.
    pub(super) async fn attend_to(self: &Arc<Self>, mut told: UnboundedReceiver<Told>) {
        let (mut under_way, mut turns) = (JoinSet::new(), Turns::default());
        while let Some(told) = told.recv().await {
            while under_way.try_join_next().is_some() {}
            let turn = if let Told::Message(message) = &told {
                Some(turns.take(message.author.id))
            } else {
                None
            };
            let ours = Arc::clone(self);
            under_way.spawn(async move { ours.take_turn(told, turn).await });
        }
    }

    async fn take_turn(&self, told: Told, turn: Option<Turn>) {
        let Some(turn) = turn else {
            return self.take_in(told).await;
        };
        let done = turn.comes().await;
        self.take_in(told).await;
        drop(done);
    }

    async fn take_in(&self, told: Told) {
        match told {
            Told::Ready(ready) => self.begins(&ready).await,
            Told::Resumed => self.sessions.send_modify(|sessions| *sessions += 1),
            Told::Guild(guild) => self.enters(&guild).await,
            Told::Role(role) => self.learn_role(&role),
            Told::Channel(channel) => self.learn_channel(&channel),
            Told::Message(message) => {
                self.begun().await;
                self.hear(&message, message.guild_id).await;
            },
            Told::Interaction(interaction) => {
                self.begun().await;
                self.attend(&interaction).await;
            },
        }
    }

    async fn begins(&self, ready: &Ready) {
        self.catching_up.fetch_add(1, Ordering::SeqCst);
        self.begin(ready).await;
        self.sessions.send_modify(|sessions| *sessions += 1);
        let private = self.inbox.marks(PRIVATE).await.unwrap_or_default();
        let channels = private.iter().filter_map(|(name, _)| {
            let id: u64 = name.strip_prefix(PRIVATE)?.parse().ok()?;
            (id > 0).then(|| (ChannelId::new(id), None))
        });
        self.catch_up_all(channels.collect(), self.since()).await;
    }

    async fn enters(&self, guild: &Guild) {
        self.catching_up.fetch_add(1, Ordering::SeqCst);
        self.begun().await;
        let since = self.since();
        let newer = self.learn(guild, since);
        self.catch_up_all(newer, since).await;
    }
}
