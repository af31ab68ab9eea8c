//! How far the rates that are known beforehand are used up.

use tokio::time::Instant;

use super::{Rate, When};

/// How far a rate is used up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// When as many as may leave at once could do so again.
    full: Option<Instant>,
}

impl Pace {
    pub(super) fn when(self, rate: Rate, now: Instant) -> When {
        self.behind(now, rate)
    }

    pub(super) fn has_room(self, rate: Rate, now: Instant) -> bool {
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

    pub(super) fn take(&mut self, rate: Rate, now: Instant) {
        self.full = Some(self.full.map_or(now, |full| full.max(now)) + rate.apart);
    }

    pub(super) fn is_rested(&self, now: Instant) -> bool {
        self.full.is_none_or(|full| full <= now)
    }
}
