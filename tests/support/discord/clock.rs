//! The fake's time and the ids that grow with it.
//!
//! A test may let time pass at once: tokens grow old and windows end without anybody waiting.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

use super::loopback::clock::Hands;

/// A snowflake.
pub(crate) type Id = u64;

/// Milliseconds between the Unix epoch and the first second of 2015, where snowflakes begin.
const EPOCH: i64 = 1_420_070_400_000;

pub(crate) struct Clock {
    hands: Hands,
    last: Id,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            hands: Hands::new(),
            last: 0,
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.hands.now()
    }

    pub(crate) fn skip(&mut self, time: Duration) {
        self.hands.skip(time);
    }

    /// A new snowflake; later ones are greater.
    pub(crate) fn snowflake(&mut self) -> Id {
        let millis = u64::try_from(self.now().timestamp_millis() - EPOCH).unwrap();
        self.last = (self.last + 1).max(millis << 22);
        self.last
    }
}

/// How Discord writes a time.
pub(crate) fn written(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, false)
}

/// When a snowflake was made.
pub(crate) fn made(id: Id) -> DateTime<Utc> {
    let millis = i64::try_from(id >> 22).unwrap() + EPOCH;
    DateTime::from_timestamp_millis(millis).unwrap()
}
