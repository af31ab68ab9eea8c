//! Rate limits: a bucket per route and channel, and one for all.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::clock::Id;

/// Requests that share a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Bucket {
    /// New messages and edits of a channel, together.
    Write,
    Delete,
    Read,
    Typing,
    Reaction,
    Thread,
    Command,
    Direct,
    /// Follow-ups and edits of one interaction.
    Webhook,
    /// The first answer to an interaction.
    Callback,
}

/// How many requests in how much time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) requests: usize,
    pub(crate) per: Duration,
}

pub(crate) struct Limits {
    rules: BTreeMap<Bucket, Rule>,
    global: Option<Rule>,
    windows: BTreeMap<(Bucket, Id), Window>,
    all: Window,
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    until: DateTime<Utc>,
    used: usize,
}

/// Whether a request may pass.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Passage {
    Free,
    Counted(Standing),
    Limited(Standing, Scope),
}

/// How a bucket stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub(crate) limit: usize,
    pub(crate) remaining: usize,
    pub(crate) reset: DateTime<Utc>,
    pub(crate) after: Duration,
}

/// Whom a limit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    User,
    Global,
    Shared,
}

impl Default for Limits {
    fn default() -> Self {
        let rule = |requests, seconds| Rule {
            requests,
            per: Duration::from_secs(seconds),
        };
        Self {
            rules: BTreeMap::from([
                (Bucket::Write, rule(5, 5)),
                (Bucket::Delete, rule(5, 1)),
                (Bucket::Read, rule(50, 1)),
                (Bucket::Typing, rule(5, 5)),
                (Bucket::Reaction, rule(4, 1)),
                (Bucket::Thread, rule(10, 10)),
                (Bucket::Command, rule(5, 4)),
                (Bucket::Direct, rule(10, 10)),
                (Bucket::Webhook, rule(5, 2)),
            ]),
            global: Some(rule(50, 1)),
            windows: BTreeMap::new(),
            all: Window::default(),
        }
    }
}

impl Limits {
    pub(crate) fn set(&mut self, bucket: Bucket, rule: Option<Rule>) {
        match rule {
            Some(rule) => drop(self.rules.insert(bucket, rule)),
            None => drop(self.rules.remove(&bucket)),
        }
    }

    pub(crate) fn set_global(&mut self, rule: Option<Rule>) {
        self.global = rule;
    }

    pub(crate) fn none(&mut self) {
        self.rules.clear();
        self.global = None;
    }

    /// Counts a request; interactions are answered outside the limit for all.
    pub(crate) fn pass(&mut self, bucket: Bucket, major: Id, now: DateTime<Utc>) -> Passage {
        let counted = !matches!(bucket, Bucket::Webhook | Bucket::Callback);
        if let Some(rule) = self.global.filter(|_| counted) {
            let standing = self.all.count(rule, now);
            if let Err(standing) = standing {
                return Passage::Limited(standing, Scope::Global);
            }
        }
        let Some(rule) = self.rules.get(&bucket) else {
            return Passage::Free;
        };
        let window = self.windows.entry((bucket, major)).or_default();
        match window.count(*rule, now) {
            Ok(standing) => Passage::Counted(standing),
            Err(standing) => Passage::Limited(standing, Scope::User),
        }
    }
}

impl Window {
    fn count(&mut self, rule: Rule, now: DateTime<Utc>) -> Result<Standing, Standing> {
        if now >= self.until {
            self.until = now + TimeDelta::from_std(rule.per).unwrap();
            self.used = 0;
        }
        let standing = |used: usize| Standing {
            limit: rule.requests,
            remaining: rule.requests.saturating_sub(used),
            reset: self.until,
            after: (self.until - now).to_std().unwrap_or_default(),
        };
        if self.used >= rule.requests {
            return Err(standing(self.used));
        }
        self.used += 1;
        Ok(standing(self.used))
    }
}
