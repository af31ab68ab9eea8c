//! How long one answer may take.
//!
//! Three limits, because they fail differently: nothing at all (dead, or a prompt too long for
//! this machine), a stream that stopped (hung), and a stream that never ends.

use std::time::Duration;

use tokio::time::Instant;

/// The longest waits while one answer is written. They count from the moment its turn comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// From the start to the first token: reading the prompt falls in here.
    pub first_token: Duration,
    /// From one token to the next.
    pub between_tokens: Duration,
    /// From the start to the last token.
    pub total: Duration,
}

impl Default for Deadlines {
    /// Two slow cores read some 60 tokens a second: 4,000 of them in the first wait.
    fn default() -> Self {
        Self {
            first_token: Duration::from_secs(70),
            between_tokens: Duration::from_secs(15),
            total: Duration::from_secs(180),
        }
    }
}

impl Deadlines {
    pub(super) fn watch(self, started: Instant) -> Watch {
        Watch {
            next: started + self.first_token.min(self.total),
            last: started + self.total,
            gap: self.between_tokens,
        }
    }
}

/// The deadlines of one answer under way.
#[derive(Debug)]
pub(super) struct Watch {
    next: Instant,
    last: Instant,
    gap: Duration,
}

impl Watch {
    /// When to give up, if nothing is heard before.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// Something was heard.
    pub(super) fn heard(&mut self, now: Instant) {
        self.next = (now + self.gap).min(self.last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_moves_the_deadline_but_never_past_the_total() {
        let limits = Deadlines {
            first_token: Duration::from_secs(10),
            between_tokens: Duration::from_secs(4),
            total: Duration::from_secs(12),
        };
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut watch = limits.watch(start);

        assert_eq!(watch.next(), after(10));
        watch.heard(after(3));
        assert_eq!(watch.next(), after(7));
        watch.heard(after(11));
        assert_eq!(watch.next(), after(12));
    }
}
