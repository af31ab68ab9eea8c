//! What Discord's limits are counted by, and what its answers say of them.
//!
//! Nothing of a limit is written down here but the global one: each answer's headers say which
//! bucket it was counted in and what is left there. The reckoning itself is shared by all
//! messengers.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;
use serenity::http::{LightMethod, RatelimitingBucket, Route};

use crate::adapters::chat::limiter::{self, Heard, Rate, Reach, Told, Window};
use crate::domain::document::Digest;

pub(super) type Limiter = limiter::Limiter<Lane>;
pub(super) type Pass<'l> = limiter::Pass<'l, Lane>;

/// Where a request queues: its route, method and major parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lane {
    route: RatelimitingBucket,
    method: LightMethod,
    major: Digest,
    scope: Scope,
}

/// Whether the global limit counts a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Scope {
    Global,
    /// Routes that carry an interaction's or a webhook's own token.
    OwnToken,
}

impl limiter::Lane for Lane {
    fn major(&self) -> Digest {
        self.major
    }

    fn has_own_token(&self) -> bool {
        self.scope == Scope::OwnToken
    }

    /// The global limit: 50 in a second as Discord counts, at most 40 as we do. Ten may leave at
    /// once and the others evenly, so that requests which bunch up, on the way or because an
    /// answer that is being written keeps the machine busy, stay below 50.
    fn rates(&self) -> Vec<(Digest, Rate)> {
        const GLOBAL: Rate = Rate {
            at_once: 10,
            apart: Duration::from_nanos(1_000_000_000 / 30 + 1),
        };
        match self.scope {
            Scope::Global => vec![(Digest::of(b"global"), GLOBAL)],
            Scope::OwnToken => Vec::new(),
        }
    }
}

impl Lane {
    /// The lane of `method` on `route`.
    pub fn of(route: &Route<'_>, method: LightMethod) -> Self {
        let own_token = own_token(route);
        let major = major(&route.path(), own_token.unwrap_or_default());
        Self {
            route: route.ratelimiting_bucket(),
            method,
            major: Digest::of(major.as_bytes()),
            scope: own_token.map_or(Scope::Global, |_| Scope::OwnToken),
        }
    }
}

fn own_token<'a>(route: &Route<'a>) -> Option<&'a str> {
    if let Route::InteractionResponse { token, .. }
    | Route::WebhookWithToken { token, .. }
    | Route::WebhookMessage { token, .. }
    | Route::WebhookOriginalInteractionResponse { token, .. }
    | Route::WebhookFollowupMessage { token, .. }
    | Route::WebhookFollowupMessages { token, .. } = route
    {
        return Some(token);
    }
    None
}

/// Discord counts a bucket anew for each channel, guild and webhook (id and token).
fn major(path: &str, token: &str) -> String {
    let mut parts = path.split('/').skip_while(|part| *part != "api").skip(2);
    let kind = parts.next().unwrap_or_default();
    match kind {
        "channels" | "guilds" | "webhooks" | "interactions" => {
            format!("{kind}/{}/{token}", parts.next().unwrap_or_default())
        },
        _ => String::new(),
    }
}

#[derive(Debug, Default, Deserialize)]
struct TooMany {
    retry_after: Option<f64>,
    #[serde(default)]
    global: bool,
}

/// Reads status, headers and, of a 429, the body.
pub fn heard(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Heard {
    let told = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Told::Invalid,
        StatusCode::TOO_MANY_REQUESTS => wait(headers, body),
        _ => Told::Fine,
    };
    Heard {
        bucket: text(headers, "x-ratelimit-bucket").map(str::to_owned),
        window: window(headers),
        told,
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn seconds(number: f64) -> Option<Duration> {
    let duration = Duration::try_from_secs_f64(number).ok()?;
    Some(duration.min(Heard::LONGEST))
}

fn window(headers: &HeaderMap) -> Option<Window> {
    let count = |name| text(headers, name)?.parse::<u32>().ok();
    Some(Window {
        limit: count("x-ratelimit-limit")?.max(1),
        remaining: count("x-ratelimit-remaining")?,
        reset_after: seconds(text(headers, "x-ratelimit-reset-after")?.parse().ok()?)?,
    })
}

fn wait(headers: &HeaderMap, body: &[u8]) -> Told {
    let body: Option<TooMany> = serde_json::from_slice(body).ok();
    let scope = text(headers, "x-ratelimit-scope");
    let global = body.as_ref().is_some_and(|body| body.global)
        || scope == Some("global")
        || headers.contains_key("x-ratelimit-global");
    let reach = match &body {
        _ if global => Reach::Global,
        None if scope.is_none() => Reach::Address,
        Some(_) | None => Reach::Bucket,
    };
    let header = text(headers, RETRY_AFTER.as_str()).and_then(|pause| pause.parse().ok());
    let body = body.and_then(|body| body.retry_after);
    let pause = [header, body].into_iter().flatten().filter_map(seconds);
    Told::Wait {
        pause: pause.max().unwrap_or(Heard::PAUSE),
        reach,
        shared: scope == Some("shared"),
    }
}

#[cfg(test)]
mod tests {
    use serenity::model::id::{ApplicationId, ChannelId, MessageId};

    use super::*;
    use crate::adapters::chat::limiter::Lane as _;

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    fn posts(channel: u64) -> Lane {
        let channel_id = ChannelId::new(channel);
        Lane::of(&Route::ChannelMessages { channel_id }, LightMethod::Post)
    }

    fn edits(channel: u64) -> Lane {
        let route = Route::ChannelMessage {
            channel_id: ChannelId::new(channel),
            message_id: MessageId::new(7),
        };
        Lane::of(&route, LightMethod::Patch)
    }

    fn heard(status: u16, headers: &[(&'static str, &str)], body: &str) -> Heard {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        let status = StatusCode::from_u16(status).unwrap();
        super::heard(status, &headers, body.as_bytes())
    }

    #[test]
    fn headers_are_read_as_discord_writes_them() {
        let headers = [
            ("x-ratelimit-bucket", "abcd"),
            ("x-ratelimit-limit", "5"),
            ("x-ratelimit-remaining", "4"),
            ("x-ratelimit-reset-after", "1.25"),
        ];
        let expected = Heard {
            bucket: Some("abcd".to_owned()),
            window: Some(Window {
                limit: 5,
                remaining: 4,
                reset_after: ms(1_250),
            }),
            told: Told::Fine,
        };
        assert_eq!(heard(200, &headers, ""), expected);
        for nonsense in ["-1", "NaN", "inf", "1e300", ""] {
            let headers = [
                ("x-ratelimit-limit", "5"),
                ("x-ratelimit-remaining", "4"),
                ("x-ratelimit-reset-after", nonsense),
            ];
            assert_eq!(heard(200, &headers, "").window, None, "{nonsense}");
        }
    }

    #[track_caller]
    fn check_wait(headers: &[(&'static str, &str)], body: &str, expected: (u64, Reach)) {
        let Told::Wait { pause, reach, .. } = heard(429, headers, body).told else {
            panic!("a wait");
        };
        assert_eq!((pause, reach), (ms(expected.0), expected.1));
    }

    #[test]
    fn a_429_says_whom_it_concerns_and_for_how_long() {
        let user = ("x-ratelimit-scope", "user");
        check_wait(&[user, ("retry-after", "1")], "", (1_000, Reach::Bucket));
        let precise = r#"{"retry_after": 0.3, "global": false}"#;
        check_wait(&[user], precise, (300, Reach::Bucket));
        check_wait(&[("retry-after", "1")], precise, (1_000, Reach::Bucket));
        let global = r#"{"retry_after": 2.5, "global": true}"#;
        check_wait(&[("retry-after", "2")], global, (2_500, Reach::Global));
        check_wait(
            &[("x-ratelimit-global", "true")],
            "",
            (5_000, Reach::Global),
        );
        check_wait(&[("retry-after", "60")], "<html>", (60_000, Reach::Address));
    }

    #[test]
    fn a_token_in_an_address_is_part_of_the_major_parameter() {
        let original = |token| {
            let route = Route::WebhookOriginalInteractionResponse {
                application_id: ApplicationId::new(1),
                token,
            };
            Lane::of(&route, LightMethod::Patch)
        };
        assert_ne!(original("one"), original("two"));
        assert!(original("one").has_own_token());
        assert!(!posts(1).has_own_token());
        let shown = format!("{:?}", original("s3cr3t-token"));
        assert!(!shown.contains("s3cr3t"));
        assert_eq!(posts(1).major, edits(1).major);
    }
}
