//! The HTTP door: Slack's requests, let in by their signature.
//!
//! The headers are looked at before anything else of a request is, then a body of a sensible
//! size is read within a short time, and only what carries Slack's signature, made within the
//! last five minutes, is looked into. A request that is repeated word for word is answered and
//! not done again. slack-morphism's own listener reads a body of any length first.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};
use slack_morphism::signature_verifier::SlackEventSignatureVerifier;
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::Deaf;
use super::ears::{Ears, Kept};
use super::socket::Envelope;
use crate::ports::Clock;

/// Where Slack sends everything to, below the address that it is given.
const PATH: &str = "/slack/events";
/// The largest body that is read.
const LARGEST: usize = 1 << 20;
/// In which it has to come.
const LONGEST: Duration = Duration::from_secs(5);
/// How old a request may be, in seconds.
const OLDEST: i64 = 300;

struct Door {
    ears: Arc<Ears>,
    verifier: SlackEventSignatureVerifier,
    clock: Arc<dyn Clock>,
    /// The signatures of what was done, by when they were made.
    done: Mutex<BTreeMap<i64, Vec<String>>>,
}

/// Listens at `at`; returns where that does not work.
pub(super) async fn open(
    at: SocketAddr,
    secret: &SecretString,
    (ears, clock): (Arc<Ears>, Arc<dyn Clock>),
    tell: &(dyn Fn(&str) + Sync),
) -> Deaf {
    let listener = match TcpListener::bind(at).await {
        Ok(listener) => listener,
        Err(error) => {
            return Deaf::Refused(format!(
                "slack.listen is {at}, and nothing can listen there ({error}); name another \
                 address"
            ));
        },
    };
    let door = Door {
        ears,
        verifier: SlackEventSignatureVerifier::new(&secret.expose_secret().to_owned().into()),
        clock,
        done: Mutex::default(),
    };
    tell(&format!("Slack: listening at http://{at}{PATH}"));
    let rooms = Router::new()
        .route(PATH, post(knocked))
        .with_state(Arc::new(door));
    match axum::serve(listener, rooms).await {
        Ok(()) => Deaf::Failed("the door was closed".to_owned()),
        Err(error) => Deaf::Failed(error.to_string()),
    }
}

async fn knocked(State(door): State<Arc<Door>>, request: Request) -> Response {
    door.let_in(request)
        .await
        .unwrap_or_else(StatusCode::into_response)
}

/// What the headers of a request say of it.
#[derive(Debug, PartialEq, Eq)]
struct Seal {
    signature: String,
    at: i64,
    said_at: String,
}

impl Seal {
    /// `None` for what Slack has not made within the last five minutes.
    fn of(headers: &HeaderMap, now: i64) -> Option<Self> {
        let text = |name| headers.get(name)?.to_str().ok();
        let said_at = text(SlackEventSignatureVerifier::SLACK_SIGNED_TIMESTAMP)?;
        let signature = text(SlackEventSignatureVerifier::SLACK_SIGNED_HASH_HEADER)?;
        let at: i64 = said_at.parse().ok()?;
        let fits = signature.starts_with("v0=") && signature.len() == 67;
        let recent = now.checked_sub(at)?.unsigned_abs() <= OLDEST.unsigned_abs();
        (fits && recent).then(|| Self {
            signature: signature.to_owned(),
            at,
            said_at: said_at.to_owned(),
        })
    }
}

impl Door {
    async fn let_in(&self, request: Request) -> Result<Response, StatusCode> {
        let now = self.clock.now().timestamp();
        let seal = Seal::of(request.headers(), now).ok_or(StatusCode::UNAUTHORIZED)?;
        let form = request
            .headers()
            .get("content-type")
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form"));
        let body = read(request).await?;
        let body = std::str::from_utf8(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
        let verified = self.verifier.verify(&seal.signature, body, &seal.said_at);
        verified.map_err(|_| StatusCode::UNAUTHORIZED)?;
        if self.is_done(&seal) {
            return Ok(StatusCode::OK.into_response());
        }
        let envelope = if form { filled_in(body) } else { told(body) };
        let envelope = envelope.ok_or(StatusCode::BAD_REQUEST)?;
        if let Some(Value::String(challenge)) = envelope.payload.get("challenge")
            && envelope.payload.get("type") == Some(&Value::from("url_verification"))
        {
            return Ok(challenge.clone().into_response());
        }
        match self.ears.take_in_turn(&envelope).await {
            Kept::Yes => {
                self.remember(seal, now);
                Ok(StatusCode::OK.into_response())
            },
            // Slack sends it again.
            Kept::No => Err(StatusCode::SERVICE_UNAVAILABLE),
        }
    }

    fn is_done(&self, seal: &Seal) -> bool {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let then = done.get(&seal.at);
        then.is_some_and(|then| then.contains(&seal.signature))
    }

    fn remember(&self, seal: Seal, now: i64) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        // What is older is not let in at all.
        *done = done.split_off(&(now - OLDEST));
        done.entry(seal.at).or_default().push(seal.signature);
    }
}

/// The body, if it is of a sensible size; of one that says that it is not, nothing is read.
async fn read(request: Request) -> Result<Bytes, StatusCode> {
    let said = request.headers().get("content-length");
    let said = said.and_then(|said| said.to_str().ok()?.parse::<usize>().ok());
    if said.is_some_and(|said| said > LARGEST) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let body = timeout(LONGEST, to_bytes(request.into_body(), LARGEST)).await;
    body.map_err(|_| StatusCode::REQUEST_TIMEOUT)?
        .map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)
}

/// An event.
fn told(body: &str) -> Option<Envelope> {
    Some(Envelope {
        kind: "events_api".to_owned(),
        payload: serde_json::from_str(body).ok()?,
    })
}

/// A command, or something that was pressed.
fn filled_in(body: &str) -> Option<Envelope> {
    let fields = url::form_urlencoded::parse(body.as_bytes());
    let fields: Map<String, Value> = fields
        .map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())))
        .collect();
    if let Some(payload) = fields.get("payload") {
        return Some(Envelope {
            kind: "interactive".to_owned(),
            payload: serde_json::from_str(payload.as_str()?).ok()?,
        });
    }
    fields.contains_key("command").then(|| Envelope {
        kind: "slash_commands".to_owned(),
        payload: Value::Object(fields),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(at: &str, signature: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("X-Slack-Request-Timestamp", at.parse().unwrap());
        headers.insert("X-Slack-Signature", signature.parse().unwrap());
        headers
    }

    #[test]
    fn a_request_without_a_recent_seal_is_not_read() {
        let good = format!("v0={}", "a".repeat(64));
        let sealed = |at: &str, signature: &str| Seal::of(&headers(at, signature), 1_000);
        assert!(sealed("1000", &good).is_some());
        assert!(sealed("700", &good).is_some());
        assert!(sealed("1300", &good).is_some());
        for (at, signature) in [
            ("699", good.as_str()),
            ("1301", &good),
            ("", &good),
            ("soon", &good),
            ("-9223372036854775808", &good),
            ("1000", ""),
            ("1000", "v0="),
            ("1000", good.trim_start_matches('v')),
        ] {
            assert_eq!(sealed(at, signature), None, "{at} {signature}");
        }
        assert_eq!(Seal::of(&HeaderMap::new(), 1_000), None);
    }

    #[tokio::test]
    async fn of_a_body_that_is_too_large_no_more_than_the_largest_is_read() {
        use std::sync::atomic::{AtomicUsize, Ordering};

        const PIECE: usize = 64 << 10;
        let taken = Arc::new(AtomicUsize::new(0));
        let counts = Arc::clone(&taken);
        let endless = futures::stream::repeat_with(move || {
            counts.fetch_add(PIECE, Ordering::SeqCst);
            Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; PIECE]))
        });
        let request = Request::new(axum::body::Body::from_stream(endless));
        assert_eq!(
            read(request).await.unwrap_err(),
            StatusCode::PAYLOAD_TOO_LARGE
        );
        let most = LARGEST + 2 * PIECE;
        assert!(taken.load(Ordering::SeqCst) <= most, "{taken:?}");

        taken.store(0, Ordering::SeqCst);
        let counts = Arc::clone(&taken);
        let never = futures::stream::repeat_with(move || {
            counts.fetch_add(PIECE, Ordering::SeqCst);
            Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; PIECE]))
        });
        let mut request = Request::new(axum::body::Body::from_stream(never));
        let said = (LARGEST + 1).to_string().parse().unwrap();
        request.headers_mut().insert("content-length", said);
        assert_eq!(
            read(request).await.unwrap_err(),
            StatusCode::PAYLOAD_TOO_LARGE
        );
        assert_eq!(taken.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_form_is_a_command_or_something_that_was_pressed() {
        let command = filled_in("command=%2Fask&text=how+much%3F").unwrap();
        assert_eq!(command.kind, "slash_commands");
        assert_eq!(command.payload["text"], "how much?");
        let pressed = filled_in("payload=%7B%22type%22%3A%22block_actions%22%7D").unwrap();
        assert_eq!(pressed.kind, "interactive");
        assert_eq!(pressed.payload["type"], "block_actions");
        assert!(filled_in("text=x").is_none());
        assert!(filled_in("payload=x").is_none());
        assert!(told("{").is_none());
    }
}
