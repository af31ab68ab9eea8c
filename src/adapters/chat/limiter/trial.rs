//! Limits with a clock of their own, and lanes like those that platforms have: for the tests of
//! this room.

use std::time::Duration;

use tokio::sync::oneshot::Receiver;
use tokio::time::Instant;

use super::limits::{Fate, Grant, Limits};
use super::{Heard, Held, Lane, Rate, Reach, Told, Urgency, Window};
use crate::domain::document::Digest;

pub(super) const SECOND: Duration = Duration::from_secs(1);

pub(super) fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A lane like those that platforms have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Spot {
    what: u8,
    pub(super) of: u64,
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

pub(super) fn posts(of: u64) -> Spot {
    Spot { what: POSTS, of }
}

pub(super) fn edits(of: u64) -> Spot {
    Spot { what: EDITS, of }
}

pub(super) fn callback(of: u64) -> Spot {
    Spot {
        what: CALLBACKS,
        of,
    }
}

pub(super) fn steady(of: u64) -> Spot {
    Spot { what: STEADY, of }
}

pub(super) fn left(limit: u32, remaining: u32, reset_after: Duration) -> Heard {
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

pub(super) fn told_to_wait(pause: Duration, reach: Reach) -> Heard {
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
pub(super) struct Desk {
    pub(super) limits: Limits<Spot>,
    pub(super) now: Instant,
}

impl Desk {
    pub(super) fn new() -> Self {
        Self {
            limits: Limits::new("Discord"),
            now: Instant::now(),
        }
    }

    pub(super) fn comes(&mut self, lane: Spot, urgency: Urgency) -> Receiver<Grant<Spot>> {
        self.limits.arrive(lane, urgency, self.now).unwrap().1
    }

    /// Comes and leaves at once.
    pub(super) fn goes(&mut self, lane: Spot) -> Grant<Spot> {
        let mut grant = self.comes(lane, Urgency::Must);
        grant.try_recv().expect("may leave at once")
    }

    pub(super) fn may_go(&mut self, lane: Spot) -> bool {
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

    pub(super) fn answered(&mut self, grant: Grant<Spot>, heard: &Heard) {
        self.limits.back(grant, &Fate::Answered(heard), self.now);
    }

    /// Gives `grant` if it may leave now, else lets time pass.
    pub(super) fn look(&mut self, grant: &mut Receiver<Grant<Spot>>) -> Option<Grant<Spot>> {
        let next = self.limits.settle(self.now);
        let given = grant.try_recv().ok();
        if given.is_none() {
            self.now = next.expect("somebody knows when to look again");
        }
        given
    }

    /// Lets time pass; returns how long it was until `grant` was given.
    pub(super) fn until(
        &mut self,
        grant: &mut Receiver<Grant<Spot>>,
    ) -> (Duration, Grant<Spot>) {
        let began = self.now;
        let given = (0..10_000).find_map(|_| self.look(grant));
        (self.now.duration_since(began), given.expect("leaves"))
    }
}
