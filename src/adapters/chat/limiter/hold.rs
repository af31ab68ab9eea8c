//! The waits that a platform asked for.

use std::time::Duration;

use tokio::time::Instant;

use super::When;

/// A wait that the platform asked for. After it one leaves at a time until one was let
/// through, and whoever is sent back again waits longer each time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hold {
    until: Option<Instant>,
    struck: Option<Instant>,
    strikes: u32,
}

impl Hold {
    const SHORTEST: Duration = Duration::from_millis(50);
    const LONGEST_GROWN: Duration = Duration::from_secs(60);

    pub(super) fn strike(&mut self, left_at: Instant, now: Instant, pause: Duration) {
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

    pub(super) fn clear(&mut self, left_at: Instant) {
        if self.struck.is_some_and(|struck| left_at > struck) {
            *self = Self::default();
        }
    }

    pub(super) fn until(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| *until > now)
    }

    /// Whether nobody was let through since.
    pub(super) fn is_fresh(&self) -> bool {
        self.struck.is_some()
    }
}

/// A hold that reaches across buckets.
#[derive(Debug, Default)]
pub(super) struct Gate {
    pub(super) hold: Hold,
    pub(super) in_flight: u32,
}

impl Gate {
    pub(super) fn when(&self, now: Instant) -> When {
        match self.hold.until(now) {
            Some(until) => When::At(until),
            None if self.hold.is_fresh() && self.in_flight > 0 => When::Later,
            None => When::Now,
        }
    }

    pub(super) fn is_calm(&self) -> bool {
        !self.hold.is_fresh()
    }
}
