//! All that is known of the limits, and who waits: who may leave when.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use tokio::sync::oneshot::{self, Receiver, Sender};
use tokio::time::Instant;

use super::breaker::Breaker;
use super::bucket::{Bucket, Name};
use super::hold::Gate;
use super::pace::Pace;
use super::{Heard, Held, Lane, Reach, Told, Urgency, When};
use crate::domain::document::Digest;

/// What became of a request that was let go.
#[derive(Debug)]
pub(super) enum Fate<'h> {
    Answered(&'h Heard),
    Unheard,
    NeverLeft,
}

/// Urgency, then order of arrival.
pub(super) type Ticket = (Urgency, u64);

#[derive(Debug)]
pub(super) struct Waiter<L> {
    lane: L,
    granted: Sender<Grant<L>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Grant<L> {
    pub(super) lane: L,
    bucket: u64,
    pub(super) left_at: Instant,
}

/// All that is known of the limits, and who waits.
#[derive(Debug)]
pub(super) struct Limits<L> {
    lanes: HashMap<L, u64>,
    /// By the platform's name of the bucket and the major parameter.
    learned: HashMap<(String, Digest), u64>,
    buckets: HashMap<u64, Bucket>,
    pub(super) waiting: BTreeMap<Ticket, Waiter<L>>,
    /// What the global limit counts.
    pub(super) global: Gate,
    /// Everything.
    pub(super) address: Gate,
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

    pub(super) fn new(platform: &'static str) -> Self {
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

    pub(super) fn arrive(
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
    pub(super) fn settle(&mut self, now: Instant) -> Option<Instant> {
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

    pub(super) fn pause(&mut self, lane: L, now: Instant) -> Option<Duration> {
        match self.when(lane, now) {
            When::Now | When::Later => None,
            When::At(then) => Some(then.duration_since(now)),
        }
    }

    /// How many answers of the last ten minutes count towards a ban.
    pub(super) fn invalid(&mut self, now: Instant) -> usize {
        self.breaker.count(now)
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
        let bucket = Bucket::new(lane.together());
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

    pub(super) fn back(&mut self, grant: Grant<L>, fate: &Fate<'_>, now: Instant) {
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

#[cfg(test)]
mod tests {
    use super::super::trial::{
        Desk, SECOND, Spot, callback, edits, left, ms, posts, steady, told_to_wait,
    };
    use super::*;

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
}
