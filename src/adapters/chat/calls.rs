//! How a call to a platform is tried again.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use tokio::time::Instant;

use super::limiter::Urgency;

/// Whether it does harm to send a request twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twice {
    /// Reads, edits, deletions, and posts that the platform itself keeps from happening twice.
    /// A deletion that succeeded unheard is refused as unknown the second time.
    Harmless,
    /// Posts.
    Shows,
}

/// What one try came to that did not succeed.
#[derive(Debug)]
pub enum Setback<F> {
    /// The limiter knows how long to wait.
    Limited,
    /// It may go better the next time.
    Passing(F),
    Final(F),
}

impl<F: std::fmt::Display> Setback<F> {
    /// How long to wait before the next try, if there is to be one after so many, before the
    /// deadline. `not_now` is what is said of a call that may be left out.
    pub fn pause(
        self,
        (tries, urgency, deadline): (u32, Urgency, Instant),
        not_now: impl FnOnce() -> F,
    ) -> Result<Duration, F> {
        let fault = match self {
            Self::Limited if urgency == Urgency::May => return Err(not_now()),
            Self::Limited => return Ok(Duration::ZERO),
            Self::Final(fault) => return Err(fault),
            Self::Passing(fault) => fault,
        };
        let pause = back_off(tries);
        if urgency == Urgency::May || Instant::now() + pause >= deadline {
            return Err(fault);
        }
        tracing::debug!(tries, ?pause, "{fault}: trying again");
        Ok(pause)
    }
}

/// Half a second at first, then twice as long each time up to half a minute; up to half of it
/// is left to chance, so that those who failed together do not come back together.
pub fn back_off(tries: u32) -> Duration {
    let longest: u64 = 500 << tries.min(6);
    let half = longest.min(30_000) / 2;
    let chance = RandomState::new().hash_one(tries) % (half + 1);
    Duration::from_millis(half + chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_back_off_grows_and_ends() {
        for (tries, most) in [(0, 500), (1, 1_000), (5, 16_000), (6, 30_000), (99, 30_000)] {
            let pause = back_off(tries);
            assert!(pause <= Duration::from_millis(most));
            assert!(pause >= Duration::from_millis(most / 2));
        }
    }
}
