//! A messenger's rate limits, kept before it has to enforce them.
//!
//! Each [`Lane`] knows which rates count it beforehand; the rest is learned from the answers,
//! which may say which bucket they were counted in and what is left there. Where an answer and
//! our own count differ, the smaller number holds until the window is over, because a request
//! too many costs everybody more than a request too late.
//!
//! `limits` is the whole reckoning: it never waits and is told the time; `turn` does the
//! waiting. What is reckoned with stands by itself: a `bucket`, a `hold` that the platform asked
//! for, a `pace` that is known beforehand, and the `breaker` that stops everything before a ban.
//! `heard` is what an answer may say of all that.

mod heard;
mod turn;
mod limits;
mod bucket;
mod hold;
mod pace;
mod breaker;

pub use heard::{Heard, Reach, Told, Window};
pub use turn::{Limiter, Pass};

use std::fmt::Debug;
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::document::Digest;

/// How urgent a request is; the order of the variants is the order of leaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// First posts, final edits, answers to interactions: waits, but before all others.
    Must,
    /// Waits.
    Should,
    /// Progress, typing: leaves at once, and only while another could leave after it; else
    /// never.
    May,
}

/// Where a request queues, and what counts it besides.
pub trait Lane: Copy + Debug + Eq + Hash {
    /// What the platform counts anew for, such as a channel or a workspace.
    fn major(&self) -> Digest;

    /// Whether it goes by a token of its own, and no limit that spans everything counts it.
    fn has_own_token(&self) -> bool {
        false
    }

    /// The rates that are known before anything was answered, each with its name: all lanes
    /// that name it are counted together.
    fn rates(&self) -> Vec<(Digest, Rate)>;

    /// How many may be under way while nothing is known of the limit.
    fn together(&self) -> u32 {
        1
    }
}

/// How often something may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// So many may leave at once after a rest.
    pub at_once: u32,
    /// Then one leaves each time that this has passed.
    pub apart: Duration,
}

/// Why a request may not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It could wait, and there is no room for what can.
    NotNow,
    /// Its turn did not come in time.
    Late {
        /// How much longer it would have been, at least, where that is known.
        pause: Option<Duration>,
    },
    /// Too many are waiting already.
    Crowded,
}

/// When a request may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Now,
    At(Instant),
    /// When another one is answered.
    Later,
}

impl When {
    fn both(self, other: Self) -> Self {
        match (self, other) {
            (Self::Later, _) | (_, Self::Later) => Self::Later,
            (Self::Now, then) | (then, Self::Now) => then,
            (Self::At(one), Self::At(other)) => Self::At(one.max(other)),
        }
    }
}

#[cfg(test)]
mod trial;
#[cfg(test)]
mod play;
