//! What a platform's answer says of its limits.

use std::time::Duration;

/// What an answer says of the limits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heard {
    /// As the platform calls it.
    pub bucket: Option<String>,
    pub window: Option<Window>,
    pub told: Told,
}

/// What is left of a limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    pub limit: u32,
    pub remaining: u32,
    pub reset_after: Duration,
}

/// How a request was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Told {
    #[default]
    Fine,
    /// Turned away: too many of them and the platform bans the address.
    Invalid,
    Wait {
        pause: Duration,
        reach: Reach,
        /// A limit that we share with others is not held against us.
        shared: bool,
    },
}

/// Whom a limit concerns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reach {
    Bucket,
    Global,
    /// Said by what stands before the platform: the machine's address is limited.
    Address,
}

impl Heard {
    /// What a limit that names no time is taken to mean.
    pub const PAUSE: Duration = Duration::from_secs(5);
    /// Longer than any limit there is, short enough to reckon with.
    pub const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

    /// How long we are asked to wait.
    pub fn pause(&self) -> Option<Duration> {
        match self.told {
            Told::Fine | Told::Invalid => None,
            Told::Wait { pause, .. } => Some(pause),
        }
    }
}
