//! The fake's time, the timestamps by which Slack names messages, and the ids.
//!
//! A test may let time pass at once: triggers and streams grow old, windows end and retries come
//! without anybody waiting.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::super::chance::chance;
use super::loopback::clock::Hands;

/// An id as Slack writes it: a letter for the kind, then letters and digits.
pub(crate) type Id = String;

/// A message's timestamp, which is its name in its channel.
pub(crate) type Ts = String;

pub(crate) struct Clock {
    hands: Hands,
    last: i64,
    seed: u64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            hands: Hands::new(),
            last: 0,
            seed: 1,
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.hands.now()
    }

    pub(crate) fn skip(&mut self, time: Duration) {
        self.hands.skip(time);
    }

    /// A new timestamp; later ones are greater, also as text.
    pub(crate) fn ts(&mut self) -> Ts {
        self.last = (self.last + 1).max(self.now().timestamp_micros());
        format!("{}.{:06}", self.last / 1_000_000, self.last % 1_000_000)
    }

    /// A new id of the kind `letter`.
    pub(crate) fn id(&mut self, letter: &str) -> Id {
        format!("{letter}0{}", self.letters(9))
    }

    /// So many capitals and digits that nobody can guess.
    pub(crate) fn letters(&mut self, many: usize) -> String {
        const LETTERS: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        let letter = |_| {
            let at = usize::try_from(chance(&mut self.seed) % 36).unwrap();
            char::from(LETTERS[at])
        };
        (0..many).map(letter).collect()
    }

    /// A UUID.
    pub(crate) fn uuid(&mut self) -> String {
        let mut part = || chance(&mut self.seed);
        let (one, two) = (part(), part());
        format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            one >> 32,
            one >> 16 & 0xFFFF,
            one & 0xFFF,
            two >> 52,
            two & 0xFFFF_FFFF_FFFF
        )
    }
}

/// When something with this timestamp was said; nothing if it is none.
pub(crate) fn said(ts: &str) -> Option<DateTime<Utc>> {
    let (seconds, micros) = ts.split_once('.')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if seconds.len() < 9 || micros.len() != 6 || !digits(seconds) || !digits(micros) {
        return None;
    }
    let micros: i64 = micros.parse().ok()?;
    DateTime::from_timestamp_micros(seconds.parse::<i64>().ok()? * 1_000_000 + micros)
}
