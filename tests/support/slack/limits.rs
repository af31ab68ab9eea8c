//! Rate limits: a tier per method and workspace, and one post a second per channel.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// How often a method may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tier {
    One,
    Two,
    Three,
    Four,
    /// One a second per channel, and some hundreds a minute.
    Posting,
    /// Some hundreds a minute.
    Special,
}

/// How many calls in how much time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) calls: usize,
    pub(crate) per: Duration,
}

/// What is counted together: method, workspace, and the channel where that counts.
pub(crate) type Key = (&'static str, String, String);

/// A request that is on its way when a 429 is said is not hasty.
const ON_ITS_WAY: TimeDelta = TimeDelta::milliseconds(100);

/// A second is a second as well if the line was a little slow before and quick now.
const LENIENCE: TimeDelta = TimeDelta::milliseconds(50);

pub(crate) struct Limits {
    rates: BTreeMap<Tier, Rate>,
    /// How far apart posts in one channel must be.
    apart: Option<Duration>,
    calls: BTreeMap<Key, Vec<DateTime<Utc>>>,
    posts: BTreeMap<Key, DateTime<Utc>>,
    blocks: BTreeMap<Key, Block>,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    since: DateTime<Utc>,
    until: DateTime<Utc>,
}

/// A request that may not pass.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limited {
    pub(crate) since: DateTime<Utc>,
    pub(crate) until: DateTime<Utc>,
    /// It had been told so before.
    pub(crate) hasty: bool,
}

impl Default for Limits {
    fn default() -> Self {
        let rate = |calls| Rate {
            calls,
            per: Duration::from_secs(60),
        };
        Self {
            rates: BTreeMap::from([
                (Tier::One, rate(1)),
                (Tier::Two, rate(20)),
                (Tier::Three, rate(50)),
                (Tier::Four, rate(100)),
                (Tier::Posting, rate(300)),
                (Tier::Special, rate(600)),
            ]),
            apart: Some(Duration::from_secs(1)),
            calls: BTreeMap::new(),
            posts: BTreeMap::new(),
            blocks: BTreeMap::new(),
        }
    }
}

impl Limits {
    pub(crate) fn set(&mut self, tier: Tier, rate: Option<Rate>) {
        match rate {
            Some(rate) => drop(self.rates.insert(tier, rate)),
            None => drop(self.rates.remove(&tier)),
        }
    }

    pub(crate) fn set_apart(&mut self, apart: Option<Duration>) {
        self.apart = apart;
    }

    pub(crate) fn none(&mut self) {
        self.rates.clear();
        self.apart = None;
    }

    /// Lets a request pass or not.
    pub(crate) fn pass(
        &mut self,
        tier: Tier,
        key: &Key,
        now: DateTime<Utc>,
    ) -> Result<(), Limited> {
        let team: Key = (key.0, key.1.clone(), String::new());
        for key in [&team, key] {
            if let Some(block) = self.blocks.get(key).filter(|block| now < block.until) {
                return Err(Limited {
                    since: block.since,
                    until: block.until,
                    hasty: now - block.since > ON_ITS_WAY,
                });
            }
        }
        self.spaced(tier, key, now)?;
        let Some(rate) = self.rates.get(&tier) else {
            return Ok(());
        };
        let per = TimeDelta::from_std(rate.per).unwrap();
        let calls = self.calls.entry(team.clone()).or_default();
        calls.retain(|at| now - *at < per);
        if calls.len() >= rate.calls {
            let until = calls.first().map_or(now, |first| *first + per);
            return Err(self.block(team, now, until));
        }
        calls.push(now);
        Ok(())
    }

    fn spaced(&mut self, tier: Tier, key: &Key, now: DateTime<Utc>) -> Result<(), Limited> {
        let Some(apart) = self.apart.filter(|_| tier == Tier::Posting) else {
            return Ok(());
        };
        let apart = TimeDelta::from_std(apart).unwrap();
        if let Some(last) = self.posts.get(key)
            && now - *last < apart - LENIENCE
        {
            let until = *last + apart;
            return Err(self.block(key.clone(), now, until));
        }
        self.posts.insert(key.clone(), now);
        Ok(())
    }

    /// Tells a method of a workspace to wait, as a test has ordered.
    pub(crate) fn storm(&mut self, key: &Key, now: DateTime<Utc>, wait: Duration) -> Limited {
        let key = (key.0, key.1.clone(), String::new());
        let until = now + TimeDelta::from_std(wait).unwrap();
        self.block(key, now, until)
    }

    fn block(&mut self, key: Key, now: DateTime<Utc>, until: DateTime<Utc>) -> Limited {
        // Whole seconds are said, and they are meant.
        let seconds = ((until - now).num_milliseconds() + 999).max(1_000) / 1_000;
        let until = now + TimeDelta::seconds(seconds);
        self.blocks.insert(key, Block { since: now, until });
        Limited {
            since: now,
            until,
            hasty: false,
        }
    }
}
