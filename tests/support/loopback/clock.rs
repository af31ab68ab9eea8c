//! The time of a messenger on loopback: it goes on as ours does, and a test may let it pass at
//! once.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

pub(crate) struct Hands {
    began: Instant,
    at: DateTime<Utc>,
    skipped: Duration,
}

impl Hands {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            at: Utc::now(),
            skipped: Duration::ZERO,
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.at + TimeDelta::from_std(self.began.elapsed() + self.skipped).unwrap()
    }

    pub(crate) fn skip(&mut self, time: Duration) {
        self.skipped += time;
    }
}
