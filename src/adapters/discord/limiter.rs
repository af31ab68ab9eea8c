//! Discord's rate limits, kept before Discord has to enforce them.
//!
//! Nothing of a limit is written down here but the global one: each answer's headers say which
//! bucket it was counted in and what is left there. Where a header and our own count differ,
//! the smaller number holds until the window is over, because a request too many costs
//! everybody more than a request too late.
//!
//! [`Limits`] is the whole reckoning. It never waits and is told the time; [`Limiter`] does the
//! waiting. No task is started: whoever waits longest keeps time for the others.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;
use serenity::http::{LightMethod, RatelimitingBucket, Route};
use tokio::sync::oneshot::{self, Receiver, Sender};
use tokio::sync::{Mutex as Turns, Notify};
use tokio::time::{Instant, timeout_at};

use crate::domain::document::Digest;

/// How urgent a request is; the order of the variants is the order of leaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// First posts, final edits, answers to interactions: waits, but before all others.
    Must,
    /// Waits.
    Should,
    /// Progress, typing: leaves at once, and only while another could leave after it; else
    /// never.
    May,
}

/// Where a request queues: its route, method and major parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lane {
    route: RatelimitingBucket,
    method: LightMethod,
    major: Digest,
    scope: Scope,
}

/// Whether the global limit counts a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Scope {
    Global,
    /// Routes that carry an interaction's or a webhook's own token.
    OwnToken,
}

impl Lane {
    /// The lane of `method` on `route`.
    pub fn of(route: &Route<'_>, method: LightMethod) -> Self {
        let own_token = own_token(route);
        let major = major(&route.path(), own_token.unwrap_or_default());
        Self {
            route: route.ratelimiting_bucket(),
            method,
            major: Digest::of(major.as_bytes()),
            scope: own_token.map_or(Scope::Global, |_| Scope::OwnToken),
        }
    }

    /// Whether the token in the address, and not the bot's, says who asks.
    pub fn has_own_token(&self) -> bool {
        self.scope == Scope::OwnToken
    }
}

fn own_token<'a>(route: &Route<'a>) -> Option<&'a str> {
    if let Route::InteractionResponse { token, .. }
    | Route::WebhookWithToken { token, .. }
    | Route::WebhookMessage { token, .. }
    | Route::WebhookOriginalInteractionResponse { token, .. }
    | Route::WebhookFollowupMessage { token, .. }
    | Route::WebhookFollowupMessages { token, .. } = route
    {
        return Some(token);
    }
    None
}

/// Discord counts a bucket anew for each channel, guild and webhook (id and token).
fn major(path: &str, token: &str) -> String {
    let mut parts = path.split('/').skip_while(|part| *part != "api").skip(2);
    let kind = parts.next().unwrap_or_default();
    match kind {
        "channels" | "guilds" | "webhooks" | "interactions" => {
            format!("{kind}/{}/{token}", parts.next().unwrap_or_default())
        },
        _ => String::new(),
    }
}

/// What an answer says of the limits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heard {
    bucket: Option<String>,
    window: Option<Window>,
    told: Told,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Window {
    limit: u32,
    remaining: u32,
    reset_after: Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Told {
    #[default]
    Fine,
    /// 401 and 403: too many of them and Discord bans the address.
    Invalid,
    Wait {
        pause: Duration,
        reach: Reach,
        /// A limit that we share with others is not held against us.
        shared: bool,
    },
}

/// Whom a 429 concerns.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Reach {
    Bucket,
    Global,
    /// Said by what stands before Discord: the machine's address is limited.
    Address,
}

#[derive(Debug, Default, Deserialize)]
struct TooMany {
    retry_after: Option<f64>,
    #[serde(default)]
    global: bool,
}

impl Heard {
    /// What a 429 that names no time is taken to mean.
    const PAUSE: Duration = Duration::from_secs(5);
    /// Longer than any limit Discord has, short enough to reckon with.
    const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

    /// Reads status, headers and, of a 429, the body.
    pub fn of(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let told = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Told::Invalid,
            StatusCode::TOO_MANY_REQUESTS => wait(headers, body),
            _ => Told::Fine,
        };
        Self {
            bucket: text(headers, "x-ratelimit-bucket").map(str::to_owned),
            window: window(headers),
            told,
        }
    }

    /// How long a 429 asks to wait.
    pub fn pause(&self) -> Option<Duration> {
        match self.told {
            Told::Fine | Told::Invalid => None,
            Told::Wait { pause, .. } => Some(pause),
        }
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn seconds(number: f64) -> Option<Duration> {
    let duration = Duration::try_from_secs_f64(number).ok()?;
    Some(duration.min(Heard::LONGEST))
}

fn window(headers: &HeaderMap) -> Option<Window> {
    let count = |name| text(headers, name)?.parse::<u32>().ok();
    Some(Window {
        limit: count("x-ratelimit-limit")?.max(1),
        remaining: count("x-ratelimit-remaining")?,
        reset_after: seconds(text(headers, "x-ratelimit-reset-after")?.parse().ok()?)?,
    })
}

fn wait(headers: &HeaderMap, body: &[u8]) -> Told {
    let body: Option<TooMany> = serde_json::from_slice(body).ok();
    let scope = text(headers, "x-ratelimit-scope");
    let global = body.as_ref().is_some_and(|body| body.global)
        || scope == Some("global")
        || headers.contains_key("x-ratelimit-global");
    let reach = match &body {
        _ if global => Reach::Global,
        None if scope.is_none() => Reach::Address,
        Some(_) | None => Reach::Bucket,
    };
    let header = text(headers, RETRY_AFTER.as_str()).and_then(|pause| pause.parse().ok());
    let body = body.and_then(|body| body.retry_after);
    let pause = [header, body].into_iter().flatten().filter_map(seconds);
    Told::Wait {
        pause: pause.max().unwrap_or(Heard::PAUSE),
        reach,
        shared: scope == Some("shared"),
    }
}

/// Why a request may not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It could wait, and there is no room for what can.
    NotNow,
    /// Its turn did not come in time.
    Late {
        /// How much longer it would have been, at least, where that is known.
        pause: Option<Duration>,
    },
    /// Too many are waiting already.
    Crowded,
}

/// Lets requests leave in their turn.
#[derive(Debug, Default)]
pub struct Limiter {
    limits: Mutex<Limits>,
    /// Held by the one who keeps time.
    keeper: Turns<()>,
    /// Wakes the timekeeper.
    news: Notify,
}

impl Limiter {
    /// Returns when a request may leave on `lane`, or why it may not.
    pub async fn pass(
        &self,
        lane: Lane,
        urgency: Urgency,
        deadline: Instant,
    ) -> Result<Pass<'_>, Held> {
        let now = Instant::now();
        let (ticket, granted) = self.limits().arrive(lane, urgency, now)?;
        self.news.notify_one();
        let mut place = Place {
            limiter: self,
            ticket,
            granted,
        };
        let turn = async {
            tokio::select! {
                biased;
                grant = &mut place.granted => grant.ok(),
                () = self.keep_time() => None,
            }
        };
        if let Ok(Some(grant)) = timeout_at(deadline, turn).await {
            return Ok(Pass {
                limiter: self,
                grant: Some(grant),
            });
        }
        drop(place);
        let pause = self.limits().pause(lane, Instant::now());
        Err(Held::Late { pause })
    }

    /// Answers of the last ten minutes that count towards Discord's ban.
    pub fn invalid(&self) -> usize {
        self.limits().breaker.count(Instant::now())
    }

    async fn keep_time(&self) {
        let _keeper = self.keeper.lock().await;
        loop {
            let next = self.limits().settle(Instant::now());
            let news = self.news.notified();
            match next {
                Some(next) => drop(timeout_at(next, news).await),
                None => news.await,
            }
        }
    }

    fn limits(&self) -> MutexGuard<'_, Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn back(&self, grant: Grant, fate: &Fate<'_>) {
        self.limits().back(grant, fate, Instant::now());
        self.news.notify_one();
    }
}

/// A place in the queue; given up when dropped.
struct Place<'l> {
    limiter: &'l Limiter,
    ticket: Ticket,
    granted: Receiver<Grant>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let waited = self.limiter.limits().waiting.remove(&self.ticket);
        // A grant that nobody came for.
        if waited.is_none()
            && let Ok(grant) = self.granted.try_recv()
        {
            self.limiter.back(grant, &Fate::NeverLeft);
        }
    }
}

/// Leave for one request. Dropping it says that the request left and nothing was heard.
#[derive(Debug)]
#[must_use]
pub struct Pass<'l> {
    limiter: &'l Limiter,
    grant: Option<Grant>,
}

impl Pass<'_> {
    /// Discord answered.
    pub fn answered(mut self, heard: &Heard) {
        self.hand_back(&Fate::Answered(heard));
    }

    /// The request did not reach Discord.
    pub fn never_left(mut self) {
        self.hand_back(&Fate::NeverLeft);
    }

    fn hand_back(&mut self, fate: &Fate<'_>) {
        if let Some(grant) = self.grant.take() {
            self.limiter.back(grant, fate);
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.hand_back(&Fate::Unheard);
    }
}

/// What became of a request that was let go.
#[derive(Debug)]
enum Fate<'h> {
    Answered(&'h Heard),
    Unheard,
    NeverLeft,
}

/// Urgency, then order of arrival.
type Ticket = (Urgency, u64);

#[derive(Debug)]
struct Waiter {
    lane: Lane,
    granted: Sender<Grant>,
}

#[derive(Clone, Copy, Debug)]
struct Grant {
    lane: Lane,
    bucket: u64,
    left_at: Instant,
}

/// When a request may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Now,
    At(Instant),
    /// When another one is answered.
    Later,
}

/// All that is known of the limits, and who waits.
#[derive(Debug, Default)]
struct Limits {
    lanes: HashMap<Lane, u64>,
    /// By Discord's name of the bucket and the major parameter.
    learned: HashMap<(String, Digest), u64>,
    buckets: HashMap<u64, Bucket>,
    waiting: BTreeMap<Ticket, Waiter>,
    /// What the global limit counts.
    global: Gate,
    /// Everything.
    address: Gate,
    pace: Pace,
    breaker: Breaker,
    numbers: u64,
    /// How many buckets there may be before the idle ones are forgotten.
    roomy: usize,
}

impl Limits {
    /// Whoever comes when so many wait is sent away.
    const QUEUE: usize = 1_000;
    const FEW_BUCKETS: usize = 256;

    fn arrive(
        &mut self,
        lane: Lane,
        urgency: Urgency,
        now: Instant,
    ) -> Result<(Ticket, Receiver<Grant>), Held> {
        if self.waiting.len() >= Self::QUEUE {
            return Err(Held::Crowded);
        }
        if urgency == Urgency::May && !self.has_room(lane, now) {
            return Err(Held::NotNow);
        }
        self.numbers += 1;
        let ticket = (urgency, self.numbers);
        let (granted, grant) = oneshot::channel();
        self.waiting.insert(ticket, Waiter { lane, granted });
        self.settle(now);
        Ok((ticket, grant))
    }

    /// Whether one may leave now and another one right after it.
    fn has_room(&mut self, lane: Lane, now: Instant) -> bool {
        self.settle(now);
        let bucket = self.bucket_of(lane, now);
        let waited_for = |waiter: &Waiter| self.lanes.get(&waiter.lane) == Some(&bucket);
        if self.waiting.values().any(waited_for) || self.when(lane, now) != When::Now {
            return false;
        }
        self.buckets.get(&bucket).is_none_or(Bucket::has_room)
            && self.address.is_calm()
            && (lane.has_own_token() || self.global.is_calm() && self.pace.has_room(now))
    }

    /// Lets go whoever may go; returns when it is worth looking again.
    fn settle(&mut self, now: Instant) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        let tickets: Vec<Ticket> = self.waiting.keys().copied().collect();
        for ticket in tickets {
            let Some(lane) = self.waiting.get(&ticket).map(|waiter| waiter.lane) else {
                continue;
            };
            match self.when(lane, now) {
                When::Later => (),
                When::At(then) => next = Some(next.map_or(then, |next| next.min(then))),
                When::Now => self.let_go(ticket, now),
            }
        }
        next
    }

    fn let_go(&mut self, ticket: Ticket, now: Instant) {
        let Some(Waiter { lane, granted }) = self.waiting.remove(&ticket) else {
            return;
        };
        let bucket = self.bucket_of(lane, now);
        let grant = Grant {
            lane,
            bucket,
            left_at: now,
        };
        if granted.send(grant).is_err() {
            return;
        }
        if let Some(bucket) = self.buckets.get_mut(&bucket) {
            bucket.leave();
        }
        self.address.in_flight += 1;
        if !lane.has_own_token() {
            self.global.in_flight += 1;
            self.pace.take(now);
        }
    }

    fn when(&mut self, lane: Lane, now: Instant) -> When {
        let number = self.bucket_of(lane, now);
        let Some(bucket) = self.buckets.get_mut(&number) else {
            return When::Later;
        };
        let mut all = vec![
            self.breaker.when(now),
            self.address.when(now),
            bucket.when(now),
        ];
        if !lane.has_own_token() {
            all.extend([self.global.when(now), self.pace.when(now)]);
        }
        all.into_iter().fold(When::Now, When::both)
    }

    fn pause(&mut self, lane: Lane, now: Instant) -> Option<Duration> {
        match self.when(lane, now) {
            When::Now | When::Later => None,
            When::At(then) => Some(then.duration_since(now)),
        }
    }

    fn bucket_of(&mut self, lane: Lane, now: Instant) -> u64 {
        if let Some(bucket) = self.lanes.get(&lane) {
            return *bucket;
        }
        self.forget(now);
        let bucket = self.new_bucket();
        self.lanes.insert(lane, bucket);
        bucket
    }

    fn new_bucket(&mut self) -> u64 {
        self.numbers += 1;
        self.buckets.insert(self.numbers, Bucket::default());
        self.numbers
    }

    /// Forgets buckets that nobody uses and whose window is over, when there are many.
    fn forget(&mut self, now: Instant) {
        if self.buckets.len() < self.roomy.max(Self::FEW_BUCKETS) {
            return;
        }
        let lanes = self
            .waiting
            .values()
            .filter_map(|w| self.lanes.get(&w.lane));
        let awaited: BTreeSet<u64> = lanes.copied().collect();
        self.buckets.retain(|number, bucket| {
            bucket.renew(now);
            awaited.contains(number) || !bucket.is_idle(now)
        });
        let buckets = &self.buckets;
        self.lanes.retain(|_, bucket| buckets.contains_key(bucket));
        self.learned
            .retain(|_, bucket| buckets.contains_key(bucket));
        self.roomy = self.buckets.len() * 2;
    }

    fn back(&mut self, grant: Grant, fate: &Fate<'_>, now: Instant) {
        self.address.in_flight = self.address.in_flight.saturating_sub(1);
        if !grant.lane.has_own_token() {
            self.global.in_flight = self.global.in_flight.saturating_sub(1);
        }
        if let Some(bucket) = self.buckets.get_mut(&grant.bucket) {
            bucket.back(fate, now);
        }
        if let Fate::Answered(heard) = fate {
            self.hear(grant, heard, now);
        }
        self.settle(now);
    }

    fn hear(&mut self, grant: Grant, heard: &Heard, now: Instant) {
        let number = self.named_bucket(grant.lane, heard.bucket.as_deref(), now);
        let Some(bucket) = self.buckets.get_mut(&number) else {
            return;
        };
        match heard.told {
            Told::Fine | Told::Invalid => {
                bucket.hold.clear(grant.left_at);
                self.address.hold.clear(grant.left_at);
                if !grant.lane.has_own_token() {
                    self.global.hold.clear(grant.left_at);
                }
                if let Some(window) = heard.window {
                    bucket.learn(window, grant.left_at, now);
                }
                if heard.told == Told::Invalid {
                    self.breaker.strike(now);
                }
            },
            Told::Wait {
                pause,
                reach,
                shared,
            } => {
                let hold = match reach {
                    Reach::Bucket => &mut bucket.hold,
                    // Routes with their own token are outside the global limit.
                    Reach::Global if grant.lane.has_own_token() => &mut self.address.hold,
                    Reach::Global => &mut self.global.hold,
                    Reach::Address => &mut self.address.hold,
                };
                hold.strike(grant.left_at, now, pause);
                if !shared {
                    self.breaker.strike(now);
                }
            },
        }
    }

    /// The bucket that Discord calls `name`, which `lane` is in from now on.
    fn named_bucket(&mut self, lane: Lane, name: Option<&str>, now: Instant) -> u64 {
        let own = self.bucket_of(lane, now);
        let Some(name) = name else { return own };
        let name = (name.to_owned(), lane.major);
        if let Some(known) = self.learned.get(&name) {
            self.lanes.insert(lane, *known);
            return *known;
        }
        let unnamed = self
            .buckets
            .get_mut(&own)
            .filter(|bucket| bucket.name == Name::Unknown);
        let number = if let Some(bucket) = unnamed {
            bucket.name = Name::Known;
            own
        } else {
            let number = self.new_bucket();
            if let Some(bucket) = self.buckets.get_mut(&number) {
                bucket.name = Name::Known;
            }
            number
        };
        self.lanes.insert(lane, number);
        self.learned.insert(name, number);
        number
    }
}

impl When {
    fn both(self, other: Self) -> Self {
        match (self, other) {
            (Self::Later, _) | (_, Self::Later) => Self::Later,
            (Self::Now, then) | (then, Self::Now) => then,
            (Self::At(one), Self::At(other)) => Self::At(one.max(other)),
        }
    }
}

/// What is known of one bucket.
#[derive(Debug, Default)]
struct Bucket {
    name: Name,
    /// Unknown until an answer said so; till then one leaves at a time.
    limit: Option<u32>,
    /// How many may still leave in this window.
    left: u32,
    /// When the window is over, if one is known to have begun.
    ends: Option<Instant>,
    in_flight: u32,
    hold: Hold,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Name {
    #[default]
    Unknown,
    Known,
}

impl Bucket {
    /// Headers count in milliseconds, rounded.
    const ROUNDED: Duration = Duration::from_millis(10);

    fn when(&mut self, now: Instant) -> When {
        self.renew(now);
        if let Some(until) = self.hold.until(now) {
            return When::At(until);
        }
        let free = match self.limit {
            Some(_) if !self.hold.is_fresh() => self.left > 0,
            Some(_) | None => self.in_flight == 0,
        };
        match self.ends {
            _ if free => When::Now,
            Some(ends) if !self.hold.is_fresh() && self.limit.is_some() => When::At(ends),
            Some(_) | None => When::Later,
        }
    }

    /// Whether a second one might follow at once. Of an unknown limit it is hoped: it
    /// becomes known only by going.
    fn has_room(&self) -> bool {
        self.limit.is_none_or(|_| self.left > 1) && !self.hold.is_fresh()
    }

    fn renew(&mut self, now: Instant) {
        if self.ends.is_some_and(|ends| ends <= now) {
            self.ends = None;
            // Those under way may be counted in the new window.
            self.left = self.limit.unwrap_or(0).saturating_sub(self.in_flight);
        }
    }

    fn is_idle(&self, now: Instant) -> bool {
        self.in_flight == 0 && self.ends.is_none() && self.hold.until(now).is_none()
    }

    fn leave(&mut self) {
        self.in_flight += 1;
        self.left = self.left.saturating_sub(1);
    }

    fn back(&mut self, fate: &Fate<'_>, now: Instant) {
        // While it still counts as under way: it may be counted in the new window.
        self.renew(now);
        self.in_flight = self.in_flight.saturating_sub(1);
        if matches!(fate, Fate::NeverLeft) {
            self.left += 1;
            self.left = self.left.min(self.limit.unwrap_or(0));
        }
        if self.in_flight == 0 && self.left == 0 && self.ends.is_none() {
            // Nobody is left to say when the window ends: ask again with one.
            self.limit = None;
        }
    }

    fn learn(&mut self, window: Window, left_at: Instant, now: Instant) {
        self.renew(now);
        let Window {
            limit,
            remaining,
            reset_after,
        } = window;
        let (earliest, latest) = (left_at + reset_after, now + reset_after);
        let known = self.limit.replace(limit);
        let began = self
            .ends
            .is_some_and(|ends| earliest > ends + Self::ROUNDED);
        // Below our own count: somebody else uses the bucket, or the limit was lowered.
        if known.is_none() || began || remaining < self.left {
            self.left = remaining.saturating_sub(self.in_flight);
        }
        self.ends = match self.ends {
            Some(ends) if !began => Some(ends.max(latest)),
            Some(_) | None => Some(latest),
        };
    }
}

/// A wait that Discord asked for. After it one leaves at a time until one was let through, and
/// whoever is sent back again waits longer each time.
#[derive(Clone, Copy, Debug, Default)]
struct Hold {
    until: Option<Instant>,
    struck: Option<Instant>,
    strikes: u32,
}

impl Hold {
    const SHORTEST: Duration = Duration::from_millis(50);
    const LONGEST_GROWN: Duration = Duration::from_secs(60);

    fn strike(&mut self, left_at: Instant, now: Instant, pause: Duration) {
        // Those that left together are sent back together, once.
        if self.struck.is_none_or(|struck| left_at > struck) {
            self.strikes += 1;
        }
        self.struck = Some(now);
        let grown = Duration::from_millis(250) * (1 << self.strikes.min(8));
        let grown = match self.strikes {
            0 | 1 => Duration::ZERO,
            _ => grown.min(Self::LONGEST_GROWN),
        };
        let then = now + pause.max(grown).max(Self::SHORTEST);
        self.until = self.until.max(Some(then));
    }

    fn clear(&mut self, left_at: Instant) {
        if self.struck.is_some_and(|struck| left_at > struck) {
            *self = Self::default();
        }
    }

    fn until(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| *until > now)
    }

    /// Whether nobody was let through since.
    fn is_fresh(&self) -> bool {
        self.struck.is_some()
    }
}

/// A hold that reaches across buckets.
#[derive(Debug, Default)]
struct Gate {
    hold: Hold,
    in_flight: u32,
}

impl Gate {
    fn when(&self, now: Instant) -> When {
        match self.hold.until(now) {
            Some(until) => When::At(until),
            None if self.hold.is_fresh() && self.in_flight > 0 => When::Later,
            None => When::Now,
        }
    }

    fn is_calm(&self) -> bool {
        !self.hold.is_fresh()
    }
}

/// The global limit: 50 in a second as Discord counts, at most 40 as we do. Ten may leave at
/// once and the others evenly, so that requests which bunch up, on the way or because an answer
/// that is being written keeps the machine busy, stay below 50.
#[derive(Debug, Default)]
struct Pace {
    /// When all ten could leave at once again.
    full: Option<Instant>,
}

impl Pace {
    const AT_ONCE: u32 = 10;
    const APART: Duration = Duration::from_nanos(1_000_000_000 / 30 + 1);

    fn when(&self, now: Instant) -> When {
        self.behind(now, Self::AT_ONCE)
    }

    fn has_room(&self, now: Instant) -> bool {
        self.behind(now, Self::AT_ONCE - 1) == When::Now
    }

    fn behind(&self, now: Instant, at_once: u32) -> When {
        let ahead = now + Self::APART * (at_once - 1);
        match self.full {
            Some(full) if full > ahead => When::At(now + full.duration_since(ahead)),
            Some(_) | None => When::Now,
        }
    }

    fn take(&mut self, now: Instant) {
        self.full = Some(self.full.map_or(now, |full| full.max(now)) + Self::APART);
    }
}

/// Stops everything long before Discord bans the address.
#[derive(Debug, Default)]
struct Breaker {
    struck: VecDeque<Instant>,
    until: Option<Instant>,
}

impl Breaker {
    const WINDOW: Duration = Duration::from_secs(10 * 60);
    /// Discord bans at 10,000.
    const MOST: usize = 1_000;

    fn strike(&mut self, now: Instant) {
        self.struck.push_back(now);
        if self.count(now) < Self::MOST {
            return;
        }
        self.struck.clear();
        self.until = Some(now + Self::WINDOW);
        tracing::warn!(
            invalid = Self::MOST,
            minutes = Self::WINDOW.as_secs() / 60,
            "Discord turned away {} requests within ten minutes; nothing is sent for ten \
             minutes, so that it does not ban this address. Look for missing permissions or a \
             second bot with the same token.",
            Self::MOST,
        );
    }

    fn count(&mut self, now: Instant) -> usize {
        while let Some(first) = self.struck.front()
            && now.duration_since(*first) >= Self::WINDOW
        {
            self.struck.pop_front();
        }
        self.struck.len()
    }

    fn when(&self, now: Instant) -> When {
        match self.until {
            Some(until) if until > now => When::At(until),
            Some(_) | None => When::Now,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serenity::model::id::{ApplicationId, ChannelId, InteractionId, MessageId};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    fn posts(channel: u64) -> Lane {
        let channel_id = ChannelId::new(channel);
        Lane::of(&Route::ChannelMessages { channel_id }, LightMethod::Post)
    }

    fn edits(channel: u64) -> Lane {
        let route = Route::ChannelMessage {
            channel_id: ChannelId::new(channel),
            message_id: MessageId::new(7),
        };
        Lane::of(&route, LightMethod::Patch)
    }

    fn callback(interaction: u64) -> Lane {
        let route = Route::InteractionResponse {
            interaction_id: InteractionId::new(interaction),
            token: "t",
        };
        Lane::of(&route, LightMethod::Post)
    }

    fn heard(status: u16, headers: &[(&'static str, &str)], body: &str) -> Heard {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        let status = StatusCode::from_u16(status).unwrap();
        Heard::of(status, &headers, body.as_bytes())
    }

    fn left(limit: u32, remaining: u32, reset_after: Duration) -> Heard {
        Heard {
            bucket: Some("b".to_owned()),
            window: Some(Window {
                limit,
                remaining,
                reset_after,
            }),
            told: Told::Fine,
        }
    }

    fn told_to_wait(pause: Duration, reach: Reach) -> Heard {
        Heard {
            told: Told::Wait {
                pause,
                reach,
                shared: false,
            },
            ..Heard::default()
        }
    }

    /// Limits with their own clock.
    struct Desk {
        limits: Limits,
        now: Instant,
    }

    impl Desk {
        fn new() -> Self {
            Self {
                limits: Limits::default(),
                now: Instant::now(),
            }
        }

        fn comes(&mut self, lane: Lane, urgency: Urgency) -> Receiver<Grant> {
            self.limits.arrive(lane, urgency, self.now).unwrap().1
        }

        /// Comes and leaves at once.
        fn goes(&mut self, lane: Lane) -> Grant {
            let mut grant = self.comes(lane, Urgency::Must);
            grant.try_recv().expect("may leave at once")
        }

        fn may_go(&mut self, lane: Lane) -> bool {
            match self.limits.arrive(lane, Urgency::May, self.now) {
                Ok((_, mut grant)) => {
                    grant.try_recv().expect("leaves at once or not at all");
                    true
                },
                Err(held) => {
                    assert_eq!(held, Held::NotNow);
                    false
                },
            }
        }

        fn answered(&mut self, grant: Grant, heard: &Heard) {
            self.limits.back(grant, &Fate::Answered(heard), self.now);
        }

        /// Gives `grant` if it may leave now, else lets time pass.
        fn look(&mut self, grant: &mut Receiver<Grant>) -> Option<Grant> {
            let next = self.limits.settle(self.now);
            let given = grant.try_recv().ok();
            if given.is_none() {
                self.now = next.expect("somebody knows when to look again");
            }
            given
        }

        /// Lets time pass; returns how long it was until `grant` was given.
        fn until(&mut self, grant: &mut Receiver<Grant>) -> (Duration, Grant) {
            let began = self.now;
            let given = (0..10_000).find_map(|_| self.look(grant));
            (self.now.duration_since(began), given.expect("leaves"))
        }
    }

    #[test]
    fn one_leaves_at_a_time_until_the_limit_is_known() {
        let mut desk = Desk::new();
        let first = desk.goes(posts(1));
        let mut second = desk.comes(posts(1), Urgency::Must);
        let mut third = desk.comes(posts(1), Urgency::Must);
        assert!(second.try_recv().is_err());
        desk.goes(posts(2));
        desk.answered(first, &left(5, 4, SECOND));
        assert!(second.try_recv().is_ok() && third.try_recv().is_ok());
    }

    #[test]
    fn a_spent_window_is_waited_for() {
        let mut desk = Desk::new();
        let grant = desk.goes(posts(1));
        desk.answered(grant, &left(3, 0, ms(1_200)));
        let mut waiting = desk.comes(posts(1), Urgency::Must);
        assert_eq!(desk.until(&mut waiting).0, ms(1_200));
        // The new window has two more.
        desk.goes(posts(1));
        desk.goes(posts(1));
        assert!(desk.comes(posts(1), Urgency::Must).try_recv().is_err());
    }

    #[test]
    fn what_is_under_way_when_a_window_ends_may_be_counted_in_the_next() {
        let mut desk = Desk::new();
        let grant = desk.goes(posts(1));
        desk.answered(grant, &left(4, 3, ms(800)));
        desk.now += ms(700);
        let early = desk.goes(posts(1));
        desk.goes(posts(1));
        desk.now += ms(100);
        desk.answered(early, &left(4, 3, ms(790)));
        desk.goes(posts(1));
        desk.goes(posts(1));
        assert!(desk.comes(posts(1), Urgency::Must).try_recv().is_err());
    }

    #[test]
    fn a_bucket_that_others_use_too_is_believed() {
        let mut desk = Desk::new();
        let grant = desk.goes(posts(1));
        desk.answered(grant, &left(5, 4, SECOND));
        let grant = desk.goes(posts(1));
        desk.answered(grant, &left(5, 0, SECOND));
        let mut waiting = desk.comes(posts(1), Urgency::Must);
        assert!(waiting.try_recv().is_err());
        assert_eq!(desk.until(&mut waiting).0, SECOND);
    }

    #[test]
    fn lanes_of_one_name_share_what_is_left_but_not_across_channels() {
        let mut desk = Desk::new();
        for lane in [posts(1), edits(1), posts(2)] {
            let grant = desk.goes(lane);
            desk.answered(grant, &left(5, 2, SECOND));
        }
        desk.goes(posts(1));
        desk.goes(edits(1));
        assert!(desk.comes(posts(1), Urgency::Must).try_recv().is_err());
        desk.goes(posts(2));
    }

    #[test]
    fn must_overtakes_should() {
        let mut desk = Desk::new();
        let grant = desk.goes(posts(1));
        desk.answered(grant, &left(1, 0, SECOND));
        let mut should = desk.comes(posts(1), Urgency::Should);
        let mut must = desk.comes(posts(1), Urgency::Must);
        let (waited, grant) = desk.until(&mut must);
        assert_eq!(waited, SECOND);
        assert!(should.try_recv().is_err());
        desk.answered(grant, &left(1, 0, SECOND));
        assert_eq!(desk.until(&mut should).0, SECOND);
    }

    #[test]
    fn what_may_wait_never_takes_the_last_slot() {
        let mut desk = Desk::new();
        let grant = desk.goes(edits(1));
        desk.answered(grant, &left(5, 4, SECOND));
        let went = (0..9).filter(|_| desk.may_go(edits(1))).count();
        assert_eq!(went, 3);
        desk.goes(edits(1));
        assert!(!desk.may_go(edits(1)));
    }

    #[test]
    fn what_may_wait_learns_a_limit_but_passes_nobody() {
        let mut desk = Desk::new();
        assert!(desk.may_go(edits(1)));
        assert!(!desk.may_go(edits(1)));
        let grant = desk.goes(edits(2));
        desk.answered(grant, &left(1, 1, SECOND));
        assert!(!desk.may_go(edits(2)));
    }

    #[test]
    fn nobody_leaves_before_a_limit_told_is_over() {
        let mut desk = Desk::new();
        let grant = desk.goes(posts(1));
        desk.answered(grant, &told_to_wait(ms(2_500), Reach::Bucket));
        assert!(!desk.may_go(posts(1)));
        desk.goes(posts(2));
        let mut first = desk.comes(posts(1), Urgency::Must);
        let mut second = desk.comes(posts(1), Urgency::Must);
        let (waited, grant) = desk.until(&mut first);
        assert_eq!(waited, ms(2_500));
        assert!(second.try_recv().is_err(), "one tries it");
        desk.now += ms(5);
        desk.answered(grant, &left(5, 4, SECOND));
        assert!(second.try_recv().is_ok());
    }

    #[test]
    fn a_global_limit_stops_all_but_interactions() {
        let mut desk = Desk::new();
        let grant = desk.goes(posts(1));
        desk.answered(grant, &told_to_wait(ms(900), Reach::Global));
        desk.goes(callback(1));
        let mut waiting = desk.comes(posts(2), Urgency::Must);
        assert_eq!(desk.until(&mut waiting).0, ms(900));

        let mut desk = Desk::new();
        let grant = desk.goes(posts(1));
        desk.answered(grant, &told_to_wait(ms(900), Reach::Address));
        let mut waiting = desk.comes(callback(1), Urgency::Must);
        assert_eq!(desk.until(&mut waiting).0, ms(900));
    }

    #[test]
    fn whoever_is_sent_back_again_and_again_waits_longer() {
        let mut desk = Desk::new();
        let mut sent = 0;
        let end = desk.now + Breaker::WINDOW;
        while desk.now < end {
            let mut grant = desk.comes(posts(1), Urgency::Must);
            let (_, grant) = desk.until(&mut grant);
            desk.now += ms(20);
            desk.answered(grant, &told_to_wait(ms(100), Reach::Bucket));
            sent += 1;
        }
        assert!(sent < 50, "{sent}");
    }

    #[test]
    fn a_shared_limit_is_waited_for_but_not_held_against_us() {
        let mut desk = Desk::new();
        let shared = [("x-ratelimit-scope", "shared"), ("retry-after", "2")];
        for _ in 0..3 {
            let mut grant = desk.comes(posts(1), Urgency::Must);
            let (_, grant) = desk.until(&mut grant);
            desk.answered(grant, &heard(429, &shared, r#"{"retry_after": 1.5}"#));
        }
        let mut grant = desk.comes(posts(1), Urgency::Must);
        assert!(desk.until(&mut grant).0 >= ms(2_000));
        assert_eq!(desk.limits.breaker.count(desk.now), 0);
    }

    #[test]
    fn a_thousand_turned_away_stop_everything_for_ten_minutes() {
        let mut desk = Desk::new();
        for interaction in 1..=1_000 {
            let grant = desk.goes(callback(interaction));
            desk.now += ms(100);
            desk.answered(grant, &heard(403, &[], "{}"));
        }
        let mut waiting = desk.comes(callback(5_000), Urgency::Must);
        assert_eq!(desk.until(&mut waiting).0, Breaker::WINDOW);
        assert_eq!(desk.limits.breaker.count(desk.now), 0);
    }

    #[test]
    fn at_most_forty_leave_in_any_second() {
        let mut desk = Desk::new();
        let mut waiting: Vec<_> = (1..=300)
            .map(|channel| desk.comes(posts(channel), Urgency::Should))
            .collect();
        let times: Vec<Instant> = waiting
            .iter_mut()
            .map(|grant| desk.until(grant).1.left_at)
            .collect();
        for pair in times.windows(41) {
            assert!(pair[40].duration_since(pair[0]) > SECOND);
        }
        assert!(times[299].duration_since(times[0]) < 10 * SECOND);
        // Answers to interactions do not count, and do not wait.
        for interaction in 1..=100 {
            desk.goes(callback(interaction));
        }
    }

    #[test]
    fn idle_buckets_are_forgotten() {
        let mut desk = Desk::new();
        for interaction in 1..=20_000 {
            let grant = desk.goes(callback(interaction));
            desk.answered(grant, &left(5, 4, SECOND));
            desk.now += ms(20);
        }
        let Limits {
            lanes,
            learned,
            buckets,
            ..
        } = &desk.limits;
        let most = lanes.len().max(learned.len()).max(buckets.len());
        assert!(most <= 2 * Limits::FEW_BUCKETS, "{most}");
    }

    #[test]
    fn a_request_that_is_never_answered_holds_nobody_for_good() {
        let mut desk = Desk::new();
        let grant = desk.goes(posts(1));
        desk.answered(grant, &left(1, 0, SECOND));
        let mut grant = desk.comes(posts(1), Urgency::Must);
        let (_, grant) = desk.until(&mut grant);
        let mut next = desk.comes(posts(1), Urgency::Must);
        desk.limits.back(grant, &Fate::Unheard, desk.now);
        let grant = next.try_recv().unwrap();
        let mut next = desk.comes(posts(1), Urgency::Must);
        desk.limits.back(grant, &Fate::NeverLeft, desk.now);
        assert!(next.try_recv().is_ok());
    }

    #[test]
    fn a_crowd_is_sent_away() {
        let mut desk = Desk::new();
        let kept: Vec<_> = (0..=Limits::QUEUE)
            .map(|_| desk.comes(posts(1), Urgency::Should))
            .collect();
        let held = desk.limits.arrive(posts(1), Urgency::Must, desk.now);
        assert_eq!(held.unwrap_err(), Held::Crowded);
        drop(kept);
    }

    #[test]
    fn headers_are_read_as_discord_writes_them() {
        let headers = [
            ("x-ratelimit-bucket", "abcd"),
            ("x-ratelimit-limit", "5"),
            ("x-ratelimit-remaining", "4"),
            ("x-ratelimit-reset-after", "1.25"),
        ];
        let expected = Heard {
            bucket: Some("abcd".to_owned()),
            ..left(5, 4, ms(1_250))
        };
        assert_eq!(heard(200, &headers, ""), expected);
        for nonsense in ["-1", "NaN", "inf", "1e300", ""] {
            let headers = [
                ("x-ratelimit-limit", "5"),
                ("x-ratelimit-remaining", "4"),
                ("x-ratelimit-reset-after", nonsense),
            ];
            assert_eq!(heard(200, &headers, "").window, None, "{nonsense}");
        }
    }

    #[track_caller]
    fn check_wait(headers: &[(&'static str, &str)], body: &str, expected: (u64, Reach)) {
        let Told::Wait { pause, reach, .. } = heard(429, headers, body).told else {
            panic!("a wait");
        };
        assert_eq!((pause, reach), (ms(expected.0), expected.1));
    }

    #[test]
    fn a_429_says_whom_it_concerns_and_for_how_long() {
        let user = ("x-ratelimit-scope", "user");
        check_wait(&[user, ("retry-after", "1")], "", (1_000, Reach::Bucket));
        let precise = r#"{"retry_after": 0.3, "global": false}"#;
        check_wait(&[user], precise, (300, Reach::Bucket));
        check_wait(&[("retry-after", "1")], precise, (1_000, Reach::Bucket));
        let global = r#"{"retry_after": 2.5, "global": true}"#;
        check_wait(&[("retry-after", "2")], global, (2_500, Reach::Global));
        check_wait(
            &[("x-ratelimit-global", "true")],
            "",
            (5_000, Reach::Global),
        );
        check_wait(&[("retry-after", "60")], "<html>", (60_000, Reach::Address));
    }

    #[test]
    fn a_token_in_an_address_is_part_of_the_major_parameter() {
        let original = |token| {
            let route = Route::WebhookOriginalInteractionResponse {
                application_id: ApplicationId::new(1),
                token,
            };
            Lane::of(&route, LightMethod::Patch)
        };
        assert_ne!(original("one"), original("two"));
        assert!(original("one").has_own_token());
        assert!(!posts(1).has_own_token());
        let shown = format!("{:?}", original("s3cr3t-token"));
        assert!(!shown.contains("s3cr3t"));
        assert_eq!(posts(1).major, edits(1).major);
    }

    /// Counts as Discord does: a window begins with the first request in it.
    struct Server {
        limit: u32,
        length: Duration,
        counted: u32,
        ends: Option<Instant>,
    }

    impl Server {
        fn take(&mut self, others: u32, now: Instant) -> Heard {
            if self.ends.is_none_or(|ends| ends <= now) {
                self.ends = Some(now + self.length);
                self.counted = 0;
            }
            self.counted += 1 + others;
            let reset_after = self.ends.unwrap().duration_since(now);
            match self.limit.checked_sub(self.counted) {
                Some(remaining) => left(self.limit, remaining, reset_after),
                None => told_to_wait(reset_after, Reach::Bucket),
            }
        }
    }

    #[derive(Clone, Debug)]
    struct Arrival {
        after: u64,
        urgency: Urgency,
        there: u64,
        back: u64,
        /// Requests of another bot that are counted with this one.
        others: u32,
    }

    fn arrival(others: u32) -> impl Strategy<Value = Arrival> {
        let urgencies = [Urgency::Must, Urgency::Should, Urgency::May];
        let urgency = proptest::sample::select(urgencies.to_vec());
        (0_u64..700, urgency, 0_u64..400, 0_u64..400, 0..=others).prop_map(
            |(after, urgency, there, back, others)| Arrival {
                after,
                urgency,
                there,
                back,
                others,
            },
        )
    }

    enum Event {
        Arrives(Arrival),
        Reaches(Arrival, Grant),
        Answered(Grant, Heard),
        Look,
    }

    /// Everything that happens to one bucket, in order.
    struct Play {
        desk: Desk,
        server: Server,
        events: BTreeMap<(Instant, usize), Event>,
        scheduled: usize,
        waiting: Vec<(Arrival, Receiver<Grant>)>,
        /// Until when Discord said to wait.
        told: Instant,
        too_many: usize,
        too_early: usize,
    }

    impl Play {
        fn new(server: Server, arrivals: Vec<Arrival>) -> Self {
            let desk = Desk::new();
            let mut play = Self {
                told: desk.now,
                desk,
                server,
                events: BTreeMap::new(),
                scheduled: 0,
                waiting: Vec::new(),
                too_many: 0,
                too_early: 0,
            };
            let mut at = play.desk.now;
            for arrival in arrivals {
                at += ms(arrival.after);
                play.at(at, Event::Arrives(arrival));
            }
            play
        }

        fn at(&mut self, then: Instant, event: Event) {
            self.scheduled += 1;
            self.events.insert((then, self.scheduled), event);
        }

        fn run(mut self) -> Self {
            while let Some(((now, _), event)) = self.events.pop_first() {
                self.desk.now = now;
                self.happens(event, now);
                self.look();
                self.leave(now);
            }
            self
        }

        fn look(&mut self) {
            if let Some(next) = self.desk.limits.settle(self.desk.now) {
                self.at(next, Event::Look);
            }
        }

        fn happens(&mut self, event: Event, now: Instant) {
            match event {
                Event::Look => (),
                Event::Arrives(arrival) => {
                    let come = self.desk.limits.arrive(edits(1), arrival.urgency, now);
                    let place = come.ok().map(|(_, grant)| (arrival, grant));
                    self.waiting.extend(place);
                },
                Event::Reaches(arrival, grant) => {
                    let heard = self.server.take(arrival.others, now);
                    self.too_many += usize::from(heard.pause().is_some());
                    self.at(now + ms(arrival.back), Event::Answered(grant, heard));
                },
                Event::Answered(grant, heard) => {
                    let told = heard.pause().map(|pause| now + pause);
                    self.told = self.told.max(told.unwrap_or(self.told));
                    self.desk.answered(grant, &heard);
                },
            }
        }

        fn leave(&mut self, now: Instant) {
            let waiting = std::mem::take(&mut self.waiting);
            for (arrival, mut grant) in waiting {
                match grant.try_recv() {
                    Err(_) => self.waiting.push((arrival, grant)),
                    Ok(grant) => self.go(arrival, grant, now),
                }
            }
        }

        fn go(&mut self, arrival: Arrival, grant: Grant, now: Instant) {
            self.too_early += usize::from(now < self.told);
            let there = now + ms(arrival.there);
            self.at(there, Event::Reaches(arrival, grant));
        }
    }

    proptest! {
        #[test]
        fn discord_never_counts_more_than_it_allows(
            limit in 1_u32..7,
            length in 200_u64..6_000,
            arrivals in proptest::collection::vec(arrival(0), 1..80),
        ) {
            let server = Server { limit, length: ms(length), counted: 0, ends: None };
            let play = Play::new(server, arrivals).run();
            prop_assert_eq!(play.too_many, 0);
            prop_assert_eq!(play.too_early, 0);
            prop_assert!(play.waiting.is_empty(), "somebody never left");
        }

        #[test]
        fn nobody_leaves_early_when_another_bot_uses_the_bucket_up(
            limit in 1_u32..7,
            length in 200_u64..6_000,
            arrivals in proptest::collection::vec(arrival(4), 1..80),
        ) {
            let server = Server { limit, length: ms(length), counted: 0, ends: None };
            let play = Play::new(server, arrivals).run();
            prop_assert_eq!(play.too_early, 0);
            prop_assert!(play.waiting.is_empty(), "somebody never left");
        }
    }

    #[tokio::test]
    async fn waiting_ends_with_an_answer_or_the_deadline() {
        let limiter = Limiter::default();
        let soon = || Instant::now() + ms(100);
        let pass = limiter.pass(posts(1), Urgency::Must, soon()).await.unwrap();
        let late = limiter.pass(posts(1), Urgency::Must, soon()).await;
        assert_eq!(late.unwrap_err(), Held::Late { pause: None });
        let (next, ()) = tokio::join!(
            limiter.pass(posts(1), Urgency::Must, Instant::now() + 5 * SECOND),
            async {
                tokio::time::sleep(ms(20)).await;
                pass.answered(&told_to_wait(ms(150), Reach::Bucket));
            }
        );
        let began = Instant::now();
        next.unwrap()
            .answered(&told_to_wait(ms(300), Reach::Bucket));
        let many = (0..20).map(|_| async {
            let pass = limiter.pass(posts(1), Urgency::Should, began + 20 * SECOND);
            let pass = pass.await.unwrap();
            assert!(began.elapsed() >= ms(300));
            pass.answered(&left(50, 40, SECOND));
        });
        futures::future::join_all(many).await;
        let limits = limiter.limits();
        assert!(limits.waiting.is_empty());
        assert_eq!(limits.address.in_flight + limits.global.in_flight, 0);
    }
}
