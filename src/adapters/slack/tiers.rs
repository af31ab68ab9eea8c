//! What Slack's Web API counts together, and how often each method may be called.
//!
//! Slack says how long to wait only when it is too late, and an app that hurries again and again
//! is switched off: so the rates that Slack publishes are kept before it has to.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::adapters::chat::limiter::{self, Heard, Rate, Reach, Told};
use crate::domain::document::Digest;

pub(super) type Limiter = limiter::Limiter<Lane>;
pub(super) type Pass<'l> = limiter::Pass<'l, Lane>;

/// Which rates are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rates {
    #[default]
    Published,
    /// None but those that Slack tells: where thousands are answered in a minute.
    OnlyAsTold,
}

/// A method, as far as its limits go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Tier {
    /// 20 in a minute.
    Two,
    /// 50 in a minute.
    Three,
    /// 100 in a minute.
    Four,
    /// One in a second and channel, and some hundreds in a minute.
    Posting,
    /// Some hundreds in a minute.
    Special,
}

impl Tier {
    fn of(method: &str) -> Self {
        match method {
            "chat.postMessage" => Self::Posting,
            "auth.test" | "assistant.threads.setStatus" => Self::Special,
            "chat.postEphemeral"
            | "chat.appendStream"
            | "users.info"
            | "files.info"
            | "views.publish"
            | "assistant.threads.setSuggestedPrompts"
            | "assistant.threads.setTitle" => Self::Four,
            "chat.startStream" | "chat.stopStream" | "usergroups.users.list" => Self::Two,
            // Of the methods that are used: chat.update and chat.delete, apps.connections.open,
            // conversations.*.
            _ => Self::Three,
        }
    }

    /// At most so many in a minute, and most of them evenly.
    fn rate(self) -> Rate {
        let (at_once, millis) = match self {
            Self::Two => (5, 4_100),
            Self::Three => (10, 1_550),
            Self::Four => (20, 780),
            Self::Posting | Self::Special => (20, 220),
        };
        Rate {
            at_once,
            apart: Duration::from_millis(millis),
        }
    }
}

/// Where a request queues: its method and workspace, and the channel that it posts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lane {
    method: Digest,
    workspace: Digest,
    tier: Tier,
    channel: Option<Digest>,
    rates: Kept,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kept {
    Yes,
    No,
}

impl Lane {
    /// The lane of `method` in `workspace`, to `channel` if it posts there.
    pub(super) fn of(method: &str, workspace: Digest, channel: &str, rates: Rates) -> Self {
        let tier = Tier::of(method);
        Self {
            method: Digest::of(method.as_bytes()),
            workspace,
            tier,
            channel: (tier == Tier::Posting).then(|| Digest::of(channel.as_bytes())),
            rates: match rates {
                Rates::Published => Kept::Yes,
                Rates::OnlyAsTold => Kept::No,
            },
        }
    }
}

impl limiter::Lane for Lane {
    fn major(&self) -> Digest {
        self.workspace
    }

    fn rates(&self) -> Vec<(Digest, Rate)> {
        /// A little more than a second, as the network may make it less.
        const A_SECOND: Rate = Rate {
            at_once: 1,
            apart: Duration::from_millis(1_050),
        };
        if self.rates == Kept::No {
            return Vec::new();
        }
        let whole = named(&[self.method, self.workspace]);
        let channel = self
            .channel
            .map(|channel| (named(&[self.workspace, channel]), A_SECOND));
        std::iter::once((whole, self.tier.rate()))
            .chain(channel)
            .collect()
    }

    fn together(&self) -> u32 {
        16
    }
}

fn named(parts: &[Digest]) -> Digest {
    let whole: Vec<String> = parts.iter().map(ToString::to_string).collect();
    Digest::of(whole.join("/").as_bytes())
}

/// Reads status and headers of an answer to `method`. A 429 is meant for the method in the whole
/// workspace, whichever channel it was called for.
pub(super) fn heard(method: &str, status: StatusCode, headers: &HeaderMap) -> Heard {
    let told = if status == StatusCode::TOO_MANY_REQUESTS {
        Told::Wait {
            pause: pause(headers),
            reach: Reach::Bucket,
            // Slack bans no address for it.
            shared: true,
        }
    } else {
        Told::Fine
    };
    Heard {
        bucket: Some(method.to_owned()),
        window: None,
        told,
    }
}

fn pause(headers: &HeaderMap) -> Duration {
    let said = headers.get(RETRY_AFTER);
    let said = said.and_then(|said| said.to_str().ok()?.trim().parse().ok());
    let seconds = said.map_or(Heard::PAUSE, Duration::from_secs);
    seconds.min(Heard::LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::chat::limiter::Lane as _;

    fn lane(method: &str, channel: &str) -> Lane {
        let workspace = Digest::of(b"T1");
        Lane::of(method, workspace, channel, Rates::Published)
    }

    #[test]
    fn only_posts_are_counted_by_channel() {
        assert_eq!(lane("chat.update", "C1"), lane("chat.update", "C2"));
        let (one, other) = (
            lane("chat.postMessage", "C1"),
            lane("chat.postMessage", "C2"),
        );
        assert_ne!(one, other);
        let (one, other) = (one.rates(), other.rates());
        assert_eq!(one[0].0, other[0].0, "the method in the workspace");
        assert_ne!(one[1].0, other[1].0, "the channel");
    }

    #[test]
    fn no_tier_lets_more_leave_in_a_minute_than_slack_allows() {
        for (method, most) in [
            ("chat.startStream", 20),
            ("chat.update", 50),
            ("chat.postEphemeral", 100),
            ("chat.postMessage", 300),
        ] {
            let (_, rate) = lane(method, "C1").rates()[0];
            let evenly = 60_000 / rate.apart.as_millis();
            assert!(u128::from(rate.at_once) + evenly <= most, "{method}");
        }
    }

    #[test]
    fn a_429_says_for_how_long() {
        let wait = |said: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(said) = said {
                headers.insert(RETRY_AFTER, said.parse().unwrap());
            }
            heard("chat.update", StatusCode::TOO_MANY_REQUESTS, &headers).pause()
        };
        assert_eq!(wait(Some("30")), Some(Duration::from_secs(30)));
        assert_eq!(wait(Some("soon")), Some(Heard::PAUSE));
        assert_eq!(wait(None), Some(Heard::PAUSE));
        let fine = heard("chat.update", StatusCode::OK, &HeaderMap::new());
        assert_eq!(fine.pause(), None);
    }
}
