//! Stops everything long before a platform bans the address.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::When;

/// Stops everything long before the platform bans the address.
#[derive(Debug)]
pub(super) struct Breaker {
    platform: &'static str,
    struck: VecDeque<Instant>,
    until: Option<Instant>,
}

impl Breaker {
    pub(super) const WINDOW: Duration = Duration::from_secs(10 * 60);
    /// Discord, the strictest, bans at 10,000.
    const MOST: usize = 1_000;

    pub(super) fn of(platform: &'static str) -> Self {
        Self {
            platform,
            struck: VecDeque::new(),
            until: None,
        }
    }

    pub(super) fn strike(&mut self, now: Instant) {
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

    pub(super) fn count(&mut self, now: Instant) -> usize {
        while let Some(first) = self.struck.front()
            && now.duration_since(*first) >= Self::WINDOW
        {
            self.struck.pop_front();
        }
        self.struck.len()
    }

    pub(super) fn when(&self, now: Instant) -> When {
        match self.until {
            Some(until) if until > now => When::At(until),
            Some(_) | None => When::Now,
        }
    }
}
