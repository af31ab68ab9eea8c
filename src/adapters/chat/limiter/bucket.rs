//! What is known of one bucket: what is left in it, and when its window is over.

use std::time::Duration;

use tokio::time::Instant;

use super::hold::Hold;
use super::limits::Fate;
use super::{When, Window};

/// What is known of one bucket.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    pub(super) name: Name,
    /// Unknown until an answer said so.
    limit: Option<u32>,
    /// So many may be under way until then.
    together: u32,
    /// How many may still leave in this window.
    left: u32,
    /// When the window is over, if one is known to have begun.
    ends: Option<Instant>,
    in_flight: u32,
    pub(super) hold: Hold,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Name {
    #[default]
    Unknown,
    Known,
}

impl Bucket {
    /// Headers count in milliseconds, rounded.
    const ROUNDED: Duration = Duration::from_millis(10);

    /// One of which nothing is known yet; so many may be under way `together` until then.
    pub(super) fn new(together: u32) -> Self {
        Self {
            together,
            ..Self::default()
        }
    }

    pub(super) fn when(&mut self, now: Instant) -> When {
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
    pub(super) fn has_room(&self) -> bool {
        self.limit.is_none_or(|_| self.left > 1) && !self.hold.is_fresh()
    }

    pub(super) fn renew(&mut self, now: Instant) {
        if self.ends.is_some_and(|ends| ends <= now) {
            self.ends = None;
            // Those under way may be counted in the new window.
            self.left = self.limit.unwrap_or(0).saturating_sub(self.in_flight);
        }
    }

    pub(super) fn is_idle(&self, now: Instant) -> bool {
        self.in_flight == 0 && self.ends.is_none() && self.hold.until(now).is_none()
    }

    pub(super) fn leave(&mut self) {
        self.in_flight += 1;
        self.left = self.left.saturating_sub(1);
    }

    pub(super) fn back(&mut self, fate: &Fate<'_>, now: Instant) {
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

    pub(super) fn learn(&mut self, window: Window, left_at: Instant, now: Instant) {
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
