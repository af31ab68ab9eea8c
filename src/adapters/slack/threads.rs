//! The threads that we are part of: what is said there may be meant for us.
//!
//! A thread in which we have said nothing for a month is forgotten, and of very many the
//! quietest: who goes on there has to mention us once, and it is known again.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

/// How long a thread is remembered after we spoke in it last.
const LASTS: TimeDelta = TimeDelta::days(30);
/// It is not put down anew each time that we speak.
const EXACT: TimeDelta = TimeDelta::days(1);
/// Threads that are remembered at most.
const MOST: usize = 50_000;

/// By name, and when we spoke there last.
#[derive(Debug, Default)]
pub(super) struct Threads(BTreeMap<String, DateTime<Utc>>);

/// Whether something is to be put down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noted {
    /// It is new, or was last put down long ago.
    Anew,
    Already,
}

impl Threads {
    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Takes in what was put down before: names, and what was noted of each. What was put down
    /// without a time counts from now; its names are given back.
    pub(super) fn recall(
        &mut self,
        kept: impl IntoIterator<Item = (String, String)>,
        now: DateTime<Utc>,
    ) -> Vec<String> {
        let mut timeless = Vec::new();
        for (name, said) in kept {
            let at = read(&said);
            if at.is_none() {
                timeless.push(name.clone());
            }
            self.0.insert(name, at.unwrap_or(now));
        }
        timeless
    }

    /// We spoke there.
    pub(super) fn note(&mut self, name: &str, now: DateTime<Utc>) -> Noted {
        let before = self.0.get(name);
        if before.is_some_and(|before| now - *before < EXACT) {
            return Noted::Already;
        }
        self.0.insert(name.to_owned(), now);
        Noted::Anew
    }

    /// Forgets what is old, and the oldest of what is too much; which ones.
    pub(super) fn forget(&mut self, now: DateTime<Utc>) -> Vec<String> {
        self.forget_beyond(MOST, now)
    }

    fn forget_beyond(&mut self, most: usize, now: DateTime<Utc>) -> Vec<String> {
        let mut quiet: Vec<_> = self
            .0
            .iter()
            .map(|(name, at)| (*at, name.clone()))
            .collect();
        quiet.sort_unstable();
        let many = quiet.len().saturating_sub(most);
        let old = quiet
            .iter()
            .take_while(|(at, _)| now - *at >= LASTS)
            .count();
        let gone = quiet.into_iter().take(many.max(old)).map(|(_, name)| name);
        let gone: Vec<_> = gone.collect();
        for name in &gone {
            self.0.remove(name);
        }
        gone
    }
}

/// How a time is put down.
pub(super) fn written(at: DateTime<Utc>) -> String {
    at.timestamp().to_string()
}

fn read(said: &str) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(said.parse().ok()?, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(number)
    }

    #[test]
    fn a_thread_is_forgotten_a_month_after_the_librarian_last_spoke_in_it() {
        let mut threads = Threads::default();
        assert_eq!(threads.note("T1/C1/1.1", day(0)), Noted::Anew);
        assert_eq!(threads.note("T1/C1/2.2", day(0)), Noted::Anew);
        assert_eq!(
            threads.note("T1/C1/1.1", day(0) + TimeDelta::hours(3)),
            Noted::Already
        );
        assert_eq!(threads.note("T1/C1/1.1", day(20)), Noted::Anew);
        assert_eq!(threads.forget(day(29)), [""; 0]);
        assert_eq!(threads.forget(day(30)), ["T1/C1/2.2"]);
        assert!(threads.contains("T1/C1/1.1") && !threads.contains("T1/C1/2.2"));
        assert_eq!(threads.forget(day(50)), ["T1/C1/1.1"]);
    }

    #[test]
    fn of_too_many_threads_the_quietest_are_forgotten() {
        let mut threads = Threads::default();
        for number in 0..10 {
            threads.note(&format!("T1/C1/{number}"), day(10 - number));
        }
        assert_eq!(threads.forget_beyond(8, day(11)), ["T1/C1/9", "T1/C1/8"]);
        assert_eq!(threads.forget_beyond(8, day(11)), [""; 0]);
    }

    #[test]
    fn what_was_put_down_comes_back_and_what_has_no_time_counts_from_now() {
        let kept = [
            ("T1/C1/1".to_owned(), written(day(3))),
            ("T1/C1/2".to_owned(), String::new()),
        ];
        let mut threads = Threads::default();
        assert_eq!(threads.recall(kept, day(20)), ["T1/C1/2"]);
        assert_eq!(threads.forget(day(33)), ["T1/C1/1"]);
        assert_eq!(threads.forget(day(50)), ["T1/C1/2"]);
    }
}
