//! Plays whole days of one bucket against a platform that counts: whoever comes in whatever
//! order, nobody leaves too early.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use tokio::sync::oneshot::Receiver;
use tokio::time::Instant;

use super::limits::Grant;
use super::trial::{Desk, Spot, edits, left, ms, told_to_wait};
use super::{Heard, Reach, Urgency};

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
