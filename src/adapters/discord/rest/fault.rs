//! What came of a call that did not do what was asked, shaped by what the caller does next.

use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use crate::ports::Cause;

/// What came of a call that did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Left out: it was only worth sending at once.
    #[error("there is no room for it now; leave it out")]
    NotNow,
    /// It never left.
    #[error("Discord's limits did not let it leave in time; try again later")]
    Busy {
        /// How much longer it takes at least, where that is known.
        pause: Option<Duration>,
    },
    /// It never left.
    #[error("Discord could not be reached; check the network, then try again")]
    Unreachable(#[source] Cause),
    /// Nothing is harmed by trying again.
    #[error("Discord did not answer as it should ({why}); try again later")]
    Unavailable {
        /// What happened instead.
        why: String,
        #[source]
        /// What the connection said of it.
        source: Option<Cause>,
    },
    /// It may have been done, and doing it twice would show.
    #[error("it may or may not have been done ({why}); look before doing it again")]
    Unclear {
        /// What happened instead of a good answer.
        why: String,
        #[source]
        /// What the connection said of it.
        source: Option<Cause>,
    },
    /// It was not done, and will not be if asked again.
    #[error("Discord refused it ({status}, code {code}): {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Discord's own code; 0 if it gave none.
        code: i64,
        /// Discord's words, and where in the request the slip is.
        message: String,
    },
    /// Nothing else will be answered either.
    #[error(
        "Discord does not know the bot's token; make a new one in the developer portal, set \
         SASEO_DISCORD_TOKEN to it and start again"
    )]
    Unauthorised,
    /// Our own slip.
    #[error("the request could not be made: {0}; report it")]
    Unsendable(&'static str),
    /// Not a file of Discord's.
    #[error("the file is not on Discord's servers; attach it to a message")]
    Elsewhere,
    /// Larger than asked for.
    #[error("the file has more than {longest} bytes; make it smaller")]
    TooLong {
        /// The limit.
        longest: usize,
    },
}

impl Fault {
    /// Discord's code, if it gave one.
    pub fn code(&self) -> Option<i64> {
        if let Self::Refused { code, .. } = self {
            return Some(*code);
        }
        None
    }

    /// Channel, message, user or interaction: it is not there (any more).
    pub fn is_unknown(&self) -> bool {
        matches!(self.code(), Some(10_001..=10_999))
    }

    /// We may not do this here.
    pub fn is_missing_access(&self) -> bool {
        matches!(self.code(), Some(50_001 | 50_007 | 50_013 | 160_002))
    }

    /// The interaction has had its first answer already.
    pub fn is_answered_already(&self) -> bool {
        self.code() == Some(40_060)
    }

    /// The interaction can no longer be answered; a plain message still can.
    pub fn is_expired(&self) -> bool {
        matches!(self.code(), Some(10_015 | 10_062 | 50_027))
    }

    /// A message older than an hour was edited too often.
    pub fn is_too_old_to_edit(&self) -> bool {
        self.code() == Some(30_046)
    }

    /// It was not done, or it does no harm twice: the same call may succeed later.
    pub fn may_be_tried_again(&self) -> bool {
        match self {
            Self::NotNow
            | Self::Busy { .. }
            | Self::Unreachable(_)
            | Self::Unavailable { .. } => true,
            Self::Unclear { .. }
            | Self::Refused { .. }
            | Self::Unauthorised
            | Self::Unsendable(_)
            | Self::Elsewhere
            | Self::TooLong { .. } => false,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    code: i64,
    message: String,
    errors: Value,
}

/// The places of slips, not what Discord says of them: that may quote the request.
pub(super) fn refused(status: StatusCode, body: &[u8]) -> Fault {
    const LONGEST: usize = 200;
    let Problem {
        code,
        message,
        errors,
    } = serde_json::from_slice(body).unwrap_or_default();
    let mut message: String = message.chars().take(LONGEST).collect();
    if message.is_empty() {
        status
            .canonical_reason()
            .unwrap_or("no reason given")
            .clone_into(&mut message);
    }
    let mut slips = Vec::new();
    find_slips(&errors, "", &mut slips);
    slips.truncate(5);
    if !slips.is_empty() {
        message = format!("{message} ({})", slips.join(", "));
    }
    Fault::Refused {
        status: status.as_u16(),
        code,
        message,
    }
}

fn find_slips(errors: &Value, place: &str, found: &mut Vec<String>) {
    for (key, inner) in errors.as_object().into_iter().flatten() {
        if key != "_errors" {
            find_slips(inner, &format!("{place}/{key}"), found);
            continue;
        }
        let codes = inner.as_array().into_iter().flatten();
        let codes = codes.filter_map(|slip| slip.get("code")?.as_str());
        found.extend(codes.map(|code| format!("{place}: {code}")));
    }
}

#[cfg(test)]
mod tests {
    use super::super::server::Turn::Says;
    use super::super::server::{Server, check_keeps_secrets, edit};

    #[tokio::test]
    async fn a_refusal_says_why() {
        let slip = r#"{"code": 50035, "message": "Invalid Form Body", "errors": {"embeds":
            {"0": {"title": {"_errors": [{"code": "BASE_TYPE_MAX_LENGTH", "message": "pr1vate"}]}}}}}"#;
        let server = Server::new([
            Says(400, "", slip),
            Says(
                404,
                "",
                r#"{"code": 10062, "message": "Unknown interaction"}"#,
            ),
            Says(403, "", r#"{"code": 50013, "message": "Missing"}"#),
            Says(403, "", "<html>"),
            Says(302, "location: https://example.com/\r\n", ""),
        ])
        .await;
        let mut faults = Vec::new();
        for _ in 0..5 {
            faults.push(server.rest.tell(edit()).await.unwrap_err());
        }
        assert_eq!(
            faults[0].to_string(),
            "Discord refused it (400, code 50035): Invalid Form Body \
             (/embeds/0/title: BASE_TYPE_MAX_LENGTH)"
        );
        check_keeps_secrets(&faults[0]);
        assert!(faults[1].is_unknown() && faults[1].is_expired());
        assert!(faults[2].is_missing_access() && !faults[2].is_unknown());
        assert_eq!(faults[3].code(), Some(0));
        assert!(faults[4].to_string().contains("302"));
        assert_eq!(server.rest.invalid(), 2);
    }
}
