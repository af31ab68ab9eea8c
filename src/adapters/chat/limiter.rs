//! A messenger's rate limits, kept before it has to enforce them.
//!
//! Each [`Lane`] knows which rates count it beforehand; the rest is learned from the answers,
//! which may say which bucket they were counted in and what is left there. Where an answer and
//! our own count differ, the smaller number holds until the window is over, because a request
//! too many costs everybody more than a request too late.
//!
//! [`Limits`] is the whole reckoning. It never waits and is told the time; [`Limiter`] does the
//! waiting. No task is started: whoever waits longest keeps time for the others.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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

/// Where a request queues, and what counts it besides.
pub trait Lane: Copy + Debug + Eq + Hash {
    /// What the platform counts anew for, such as a channel or a workspace.
    fn major(&self) -> Digest;

    /// Whether it goes by a token of its own, and no limit that spans everything counts it.
    fn has_own_token(&self) -> bool {
        false
    }

    /// The rates that are known before anything was answered, each with its name: all lanes
    /// that name it are counted together.
    fn rates(&self) -> Vec<(Digest, Rate)>;

    /// How many may be under way while nothing is known of the limit.
    fn together(&self) -> u32 {
        1
    }
}

/// How often something may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// So many may leave at once after a rest.
    pub at_once: u32,
    /// Then one leaves each time that this has passed.
    pub apart: Duration,
}

/// What an answer says of the limits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heard {
    /// As the platform calls it.
    pub bucket: Option<String>,
    pub window: Option<Window>,
    pub told: Told,
}

/// What is left of a limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    pub limit: u32,
    pub remaining: u32,
    pub reset_after: Duration,
}

/// How a request was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Told {
    #[default]
    Fine,
    /// Turned away: too many of them and the platform bans the address.
    Invalid,
    Wait {
        pause: Duration,
        reach: Reach,
        /// A limit that we share with others is not held against us.
        shared: bool,
    },
}

/// Whom a limit concerns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reach {
    Bucket,
    Global,
    /// Said by what stands before the platform: the machine's address is limited.
    Address,
}

impl Heard {
    /// What a limit that names no time is taken to mean.
    pub const PAUSE: Duration = Duration::from_secs(5);
    /// Longer than any limit there is, short enough to reckon with.
    pub const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

    /// How long we are asked to wait.
    pub fn pause(&self) -> Option<Duration> {
        match self.told {
            Told::Fine | Told::Invalid => None,
            Told::Wait { pause, .. } => Some(pause),
        }
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
#[derive(Debug)]
pub struct Limiter<L> {
    limits: Mutex<Limits<L>>,
    /// Held by the one who keeps time.
    keeper: Turns<()>,
    /// Wakes the timekeeper.
    news: Notify,
}

impl<L: Lane> Limiter<L> {
    /// A limiter for the platform of this name.
    pub fn new(platform: &'static str) -> Self {
        Self {
            limits: Mutex::new(Limits::new(platform)),
            keeper: Turns::default(),
            news: Notify::new(),
        }
    }

    /// Returns when a request may leave on `lane`, or why it may not.
    pub async fn pass(
        &self,
        lane: L,
        urgency: Urgency,
        deadline: Instant,
    ) -> Result<Pass<'_, L>, Held> {
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

    /// Answers of the last ten minutes that count towards a ban.
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

    fn limits(&self) -> MutexGuard<'_, Limits<L>> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn back(&self, grant: Grant<L>, fate: &Fate<'_>) {
        self.limits().back(grant, fate, Instant::now());
        self.news.notify_one();
    }
}

/// A place in the queue; given up when dropped.
struct Place<'l, L: Lane> {
    limiter: &'l Limiter<L>,
    ticket: Ticket,
    granted: Receiver<Grant<L>>,
}

impl<L: Lane> Drop for Place<'_, L> {
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
pub struct Pass<'l, L: Lane> {
    limiter: &'l Limiter<L>,
    grant: Option<Grant<L>>,
}

impl<L: Lane> Pass<'_, L> {
    /// The platform answered.
    pub fn answered(mut self, heard: &Heard) {
        self.hand_back(&Fate::Answered(heard));
    }

    /// The request did not reach the platform.
    pub fn never_left(mut self) {
        self.hand_back(&Fate::NeverLeft);
    }

    fn hand_back(&mut self, fate: &Fate<'_>) {
        if let Some(grant) = self.grant.take() {
            self.limiter.back(grant, fate);
        }
    }
}

impl<L: Lane> Drop for Pass<'_, L> {
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
struct Waiter<L> {
    lane: L,
    granted: Sender<Grant<L>>,
}

#[derive(Clone, Copy, Debug)]
struct Grant<L> {
    lane: L,
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
#[derive(Debug)]
struct Limits<L> {
    lanes: HashMap<L, u64>,
    /// By the platform's name of the bucket and the major parameter.
    learned: HashMap<(String, Digest), u64>,
    buckets: HashMap<u64, Bucket>,
    waiting: BTreeMap<Ticket, Waiter<L>>,
    /// What the global limit counts.
    global: Gate,
    /// Everything.
    address: Gate,
    /// By the names of their rates.
    paces: HashMap<Digest, Pace>,
    breaker: Breaker,
    numbers: u64,
    /// How many buckets there may be before the idle ones are forgotten.
    roomy: usize,
}

impl<L: Lane> Limits<L> {
    /// Whoever comes when so many wait is sent away.
    const QUEUE: usize = 1_000;
    const FEW_BUCKETS: usize = 256;

    fn new(platform: &'static str) -> Self {
        Self {
            lanes: HashMap::new(),
            learned: HashMap::new(),
            buckets: HashMap::new(),
            waiting: BTreeMap::new(),
            global: Gate::default(),
            address: Gate::default(),
            paces: HashMap::new(),
            breaker: Breaker::of(platform),
            numbers: 0,
            roomy: 0,
        }
    }

    fn arrive(
        &mut self,
        lane: L,
        urgency: Urgency,
        now: Instant,
    ) -> Result<(Ticket, Receiver<Grant<L>>), Held> {
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
    fn has_room(&mut self, lane: L, now: Instant) -> bool {
        self.settle(now);
        let bucket = self.bucket_of(lane, now);
        let waited_for = |waiter: &Waiter<L>| self.lanes.get(&waiter.lane) == Some(&bucket);
        if self.waiting.values().any(waited_for) || self.when(lane, now) != When::Now {
            return false;
        }
        self.buckets.get(&bucket).is_none_or(Bucket::has_room)
            && self.address.is_calm()
            && (lane.has_own_token() || self.global.is_calm())
            && lane
                .rates()
                .iter()
                .all(|(name, rate)| self.pace(name).has_room(*rate, now))
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
        }
        for (name, rate) in lane.rates() {
            self.paces.entry(name).or_default().take(rate, now);
        }
    }

    fn when(&mut self, lane: L, now: Instant) -> When {
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
            all.push(self.global.when(now));
        }
        let rates = lane.rates();
        all.extend(
            rates
                .iter()
                .map(|(name, rate)| self.pace(name).when(*rate, now)),
        );
        all.into_iter().fold(When::Now, When::both)
    }

    /// How far the rate of this name is used up.
    fn pace(&self, name: &Digest) -> Pace {
        self.paces.get(name).copied().unwrap_or_default()
    }

    fn pause(&mut self, lane: L, now: Instant) -> Option<Duration> {
        match self.when(lane, now) {
            When::Now | When::Later => None,
            When::At(then) => Some(then.duration_since(now)),
        }
    }

    fn bucket_of(&mut self, lane: L, now: Instant) -> u64 {
        if let Some(bucket) = self.lanes.get(&lane) {
            return *bucket;
        }
        self.forget(now);
        let bucket = self.new_bucket(lane);
        self.lanes.insert(lane, bucket);
        bucket
    }

    fn new_bucket(&mut self, lane: L) -> u64 {
        self.numbers += 1;
        let bucket = Bucket {
            together: lane.together(),
            ..Bucket::default()
        };
        self.buckets.insert(self.numbers, bucket);
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
        self.paces.retain(|_, pace| !pace.is_rested(now));
        self.roomy = self.buckets.len() * 2;
    }

    fn back(&mut self, grant: Grant<L>, fate: &Fate<'_>, now: Instant) {
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

    fn hear(&mut self, grant: Grant<L>, heard: &Heard, now: Instant) {
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

    /// The bucket that the platform calls `name`, which `lane` is in from now on.
    fn named_bucket(&mut self, lane: L, name: Option<&str>, now: Instant) -> u64 {
        let own = self.bucket_of(lane, now);
        let Some(name) = name else { return own };
        let name = (name.to_owned(), lane.major());
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
            let number = self.new_bucket(lane);
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
    /// Unknown until an answer said so.
    limit: Option<u32>,
    /// So many may be under way until then.
    together: u32,
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
            None if !self.hold.is_fresh() => self.in_flight < self.together,
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

/// A wait that the platform asked for. After it one leaves at a time until one was let through, and
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

/// How far a rate is used up.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    /// When as many as may leave at once could do so again.
    full: Option<Instant>,
}

impl Pace {
    fn when(self, rate: Rate, now: Instant) -> When {
        self.behind(now, rate)
    }

    fn has_room(self, rate: Rate, now: Instant) -> bool {
        let at_once = rate.at_once.saturating_sub(1);
        // Where one may leave at a time, it is hoped that nobody else wants to.
        let rate = Rate {
            at_once: at_once.max(1),
            ..rate
        };
        self.behind(now, rate) == When::Now
    }

    fn behind(self, now: Instant, rate: Rate) -> When {
        let ahead = now + rate.apart * rate.at_once.saturating_sub(1);
        match self.full {
            Some(full) if full > ahead => When::At(now + full.duration_since(ahead)),
            Some(_) | None => When::Now,
        }
    }

    fn take(&mut self, rate: Rate, now: Instant) {
        self.full = Some(self.full.map_or(now, |full| full.max(now)) + rate.apart);
    }

    fn is_rested(&self, now: Instant) -> bool {
        self.full.is_none_or(|full| full <= now)
    }
}

/// Stops everything long before the platform bans the address.
#[derive(Debug)]
struct Breaker {
    platform: &'static str,
    struck: VecDeque<Instant>,
    until: Option<Instant>,
}

impl Breaker {
    const WINDOW: Duration = Duration::from_secs(10 * 60);
    /// Discord, the strictest, bans at 10,000.
    const MOST: usize = 1_000;

    fn of(platform: &'static str) -> Self {
        Self {
            platform,
            struck: VecDeque::new(),
            until: None,
        }
    }

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
            "{} turned away {} requests within ten minutes; nothing is sent for ten minutes, so \
             that it does not ban this address. Look for missing permissions or a second bot \
             with the same token.",
            self.platform,
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

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    /// A lane like those that platforms have.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    struct Spot {
        what: u8,
        of: u64,
    }

    const POSTS: u8 = 0;
    const EDITS: u8 = 1;
    const CALLBACKS: u8 = 2;
    const STEADY: u8 = 3;

    impl Lane for Spot {
        fn major(&self) -> Digest {
            Digest::of(&self.of.to_le_bytes())
        }

        fn has_own_token(&self) -> bool {
            self.what == CALLBACKS
        }

        fn rates(&self) -> Vec<(Digest, Rate)> {
            let rate = |at_once, apart| Rate { at_once, apart };
            match self.what {
                CALLBACKS => Vec::new(),
                STEADY => vec![
                    (Digest::of(b"all"), rate(4, ms(500))),
                    (self.major(), rate(1, ms(1_000))),
                ],
                _ => vec![(
                    Digest::of(b"global"),
                    Rate {
                        at_once: 10,
                        apart: Duration::from_nanos(1_000_000_000 / 30 + 1),
                    },
                )],
            }
        }

        fn together(&self) -> u32 {
            if self.what == STEADY { 3 } else { 1 }
        }
    }

    fn posts(of: u64) -> Spot {
        Spot { what: POSTS, of }
    }

    fn edits(of: u64) -> Spot {
        Spot { what: EDITS, of }
    }

    fn callback(of: u64) -> Spot {
        Spot {
            what: CALLBACKS,
            of,
        }
    }

    fn steady(of: u64) -> Spot {
        Spot { what: STEADY, of }
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
        limits: Limits<Spot>,
        now: Instant,
    }

    impl Desk {
        fn new() -> Self {
            Self {
                limits: Limits::new("Discord"),
                now: Instant::now(),
            }
        }

        fn comes(&mut self, lane: Spot, urgency: Urgency) -> Receiver<Grant<Spot>> {
            self.limits.arrive(lane, urgency, self.now).unwrap().1
        }

        /// Comes and leaves at once.
        fn goes(&mut self, lane: Spot) -> Grant<Spot> {
            let mut grant = self.comes(lane, Urgency::Must);
            grant.try_recv().expect("may leave at once")
        }

        fn may_go(&mut self, lane: Spot) -> bool {
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

        fn answered(&mut self, grant: Grant<Spot>, heard: &Heard) {
            self.limits.back(grant, &Fate::Answered(heard), self.now);
        }

        /// Gives `grant` if it may leave now, else lets time pass.
        fn look(&mut self, grant: &mut Receiver<Grant<Spot>>) -> Option<Grant<Spot>> {
            let next = self.limits.settle(self.now);
            let given = grant.try_recv().ok();
            if given.is_none() {
                self.now = next.expect("somebody knows when to look again");
            }
            given
        }

        /// Lets time pass; returns how long it was until `grant` was given.
        fn until(&mut self, grant: &mut Receiver<Grant<Spot>>) -> (Duration, Grant<Spot>) {
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
        let shared = Heard {
            told: Told::Wait {
                pause: ms(2_000),
                reach: Reach::Bucket,
                shared: true,
            },
            ..Heard::default()
        };
        for _ in 0..3 {
            let mut grant = desk.comes(posts(1), Urgency::Must);
            let (_, grant) = desk.until(&mut grant);
            desk.answered(grant, &shared);
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
            let away = Heard {
                told: Told::Invalid,
                ..Heard::default()
            };
            desk.answered(grant, &away);
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
    fn what_is_known_of_a_platforms_rates_is_kept_before_it_says_anything() {
        let mut desk = Desk::new();
        let began = desk.now;
        let mut waiting: Vec<_> = (0..12)
            .map(|number| desk.comes(steady(number % 2), Urgency::Must))
            .collect();
        let mut left = Vec::new();
        for grant in &mut waiting {
            let (_, grant) = desk.until(grant);
            left.push((grant.lane.of, grant.left_at));
            desk.answered(grant, &Heard::default());
        }
        for of in 0..2 {
            let own: Vec<_> = left.iter().filter(|(lane, _)| *lane == of).collect();
            for pair in own.windows(2) {
                assert!(pair[1].1.duration_since(pair[0].1) >= SECOND);
            }
        }
        let last = left.iter().map(|(_, at)| *at).max().unwrap();
        assert_eq!(last.duration_since(began), 5 * SECOND);
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
        assert!(most <= 2 * Limits::<Spot>::FEW_BUCKETS, "{most}");
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
        let kept: Vec<_> = (0..=Limits::<Spot>::QUEUE)
            .map(|_| desk.comes(posts(1), Urgency::Should))
            .collect();
        let held = desk.limits.arrive(posts(1), Urgency::Must, desk.now);
        assert_eq!(held.unwrap_err(), Held::Crowded);
        drop(kept);
    }

    /// Counts as platforms do: a window begins with the first request in it.
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
        Reaches(Arrival, Grant<Spot>),
        Answered(Grant<Spot>, Heard),
        Look,
    }

    /// Everything that happens to one bucket, in order.
    struct Play {
        desk: Desk,
        server: Server,
        events: BTreeMap<(Instant, usize), Event>,
        scheduled: usize,
        waiting: Vec<(Arrival, Receiver<Grant<Spot>>)>,
        /// Until when it said to wait.
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

        fn go(&mut self, arrival: Arrival, grant: Grant<Spot>, now: Instant) {
            self.too_early += usize::from(now < self.told);
            let there = now + ms(arrival.there);
            self.at(there, Event::Reaches(arrival, grant));
        }
    }

    proptest! {
        #[test]
        fn the_platform_never_counts_more_than_it_allows(
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
        let limiter = Limiter::new("Discord");
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
