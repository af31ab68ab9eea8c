//! An OpenAI-compatible endpoint on loopback that keeps state: what it was asked, what it is
//! still saying, who hung up. It says what a test has put on its list, then `Fine.`

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures::StreamExt as _;
use saseo::adapters::inference::openai::Endpoint;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::embedder::WordHashes;

/// How the endpoint behaves for one request.
#[derive(Clone, Debug)]
pub(crate) enum Turn {
    /// Streams these pieces and ends as it should.
    Says(Vec<&'static str>),
    /// Streams these pieces, then says nothing more and keeps the line open.
    Stalls(Vec<&'static str>),
    /// Streams these pieces, then closes the line.
    Breaks(Vec<&'static str>),
    /// Streams these bytes as they stand.
    Streams(Vec<&'static [u8]>),
    /// Answers with a status and a body.
    Refuses(u16, Value),
    /// 429, with this `Retry-After`.
    Busy(&'static str),
    /// Takes the request and never answers.
    Silent,
}

/// What the endpoint knows.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) turns: VecDeque<Turn>,
    pub(crate) asked: Vec<Value>,
    pub(crate) keys: Vec<String>,
    /// Streams that were still open when the other side left.
    pub(crate) hung_up: usize,
    /// Streams that are open.
    pub(crate) open: usize,
    /// Embeds by words, so that there is something to find; else see [`embeddings`].
    pub(crate) words: Option<WordHashes>,
    /// What it says when nothing is on the list; `Fine.` if that is empty.
    pub(crate) usual: Vec<&'static str>,
    /// Between two pieces of an answer.
    pub(crate) pace: Duration,
    /// Before embeddings are given.
    pub(crate) ponders: Duration,
}

/// The endpoint; it stops when dropped.
pub(crate) struct OpenAi {
    pub(crate) endpoint: Endpoint,
    known: Arc<Mutex<Known>>,
    #[cfg_attr(
        not(feature = "discord"),
        expect(dead_code, reason = "it stops when dropped")
    )]
    serving: JoinSet<()>,
}

impl OpenAi {
    pub(crate) async fn new(turns: impl IntoIterator<Item = Turn>) -> Self {
        let known = Arc::new(Mutex::new(Known {
            turns: turns.into_iter().collect(),
            pace: Duration::from_millis(2),
            ..Known::default()
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, Arc::clone(&known)));
        let endpoint = Endpoint {
            url: format!("http://{address}/v1").parse().unwrap(),
            model: "tiny".to_owned(),
            key: Some("s3cr3t".into()),
        };
        Self {
            endpoint,
            known,
            serving,
        }
    }

    /// An endpoint whose embeddings bring texts that share words together.
    pub(crate) async fn of_words(turns: impl IntoIterator<Item = Turn>) -> Self {
        let endpoint = Self::new(turns).await;
        endpoint.known().words = Some(WordHashes::new(64));
        endpoint
    }

    /// Goes away: whoever asks is refused the connection.
    #[cfg(feature = "discord")]
    pub(crate) async fn leaves(&mut self) {
        self.serving.shutdown().await;
    }

    /// Comes back to where it was.
    #[cfg(feature = "discord")]
    pub(crate) async fn returns(&mut self) {
        let url = &self.endpoint.url;
        let address = (url.host_str().unwrap(), url.port().unwrap());
        let listener = TcpListener::bind(address).await.unwrap();
        self.serving.spawn(serve(listener, Arc::clone(&self.known)));
    }

    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap()
    }

    /// Waits until `count` streams were left by the other side.
    pub(crate) async fn left(&self, count: usize) {
        for _ in 0..200 {
            if self.known().hung_up == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(self.known().hung_up, count, "streams left");
    }
}

impl Known {
    fn usual(&self) -> Vec<&'static str> {
        if self.usual.is_empty() {
            return vec!["Fine."];
        }
        self.usual.clone()
    }
}

type Shared = Arc<Mutex<Known>>;

fn next(known: &Shared, headers: &HeaderMap, asked: Value) -> Option<Turn> {
    let mut known = known.lock().unwrap();
    known.asked.push(asked);
    let key = headers.get(header::AUTHORIZATION);
    known
        .keys
        .extend(key.map(|key| key.to_str().unwrap().to_owned()));
    known.turns.pop_front()
}

async fn serve(listener: TcpListener, known: Shared) {
    let routes = Router::new()
        .route("/v1/chat/completions", post(chat))
        .route("/v1/embeddings", post(embeddings))
        .with_state(known);
    axum::serve(listener, routes).await.unwrap();
}

async fn chat(
    State(known): State<Shared>,
    headers: HeaderMap,
    Json(asked): Json<Value>,
) -> Response {
    let turn = next(&known, &headers, asked);
    let turn = turn.unwrap_or_else(|| Turn::Says(known.lock().unwrap().usual()));
    match turn {
        Turn::Says(pieces) => {
            let mut events = said(&pieces);
            events.push(event(&json!({
                "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }],
            })));
            events.push(event(&json!({
                "choices": [],
                "usage": { "prompt_tokens": 11, "completion_tokens": pieces.len() },
            })));
            events.push(Bytes::from_static(b"data: [DONE]\n\n"));
            stream(events, Then::Ends, known)
        },
        Turn::Stalls(pieces) => stream(said(&pieces), Then::Waits, known),
        Turn::Breaks(pieces) => stream(said(&pieces), Then::Ends, known),
        Turn::Streams(bytes) => {
            let bytes = bytes.into_iter().map(Bytes::from_static).collect();
            stream(bytes, Then::Ends, known)
        },
        Turn::Refuses(status, body) => {
            (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
        },
        Turn::Busy(pause) => (
            StatusCode::TOO_MANY_REQUESTS,
            [(header::RETRY_AFTER, pause)],
        )
            .into_response(),
        Turn::Silent => std::future::pending().await,
    }
}

/// One vector per text: its length and its first byte, so that a test can tell whose it is; in
/// reverse order, as a server may.
async fn embeddings(
    State(known): State<Shared>,
    headers: HeaderMap,
    Json(asked): Json<Value>,
) -> Response {
    let texts: Vec<String> =
        serde_json::from_value(asked.get("input").cloned().unwrap()).unwrap();
    let ponders = known.lock().unwrap().ponders;
    tokio::time::sleep(ponders).await;
    let turn = if known.lock().unwrap().words.is_some() {
        None
    } else {
        next(&known, &headers, asked)
    };
    match turn {
        Some(Turn::Busy(pause)) => (
            StatusCode::TOO_MANY_REQUESTS,
            [(header::RETRY_AFTER, pause)],
        )
            .into_response(),
        Some(Turn::Refuses(status, body)) => {
            (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
        },
        Some(Turn::Silent) => std::future::pending().await,
        _ => {
            let vectors: Vec<Value> = texts
                .iter()
                .enumerate()
                .rev()
                .map(|(index, text)| {
                    if let Some(words) = &known.lock().unwrap().words {
                        return json!({ "index": index, "embedding": words.one(text).as_slice() });
                    }
                    let first = text.as_bytes().first().copied().unwrap_or(0);
                    json!({ "index": index, "embedding": [text.len(), first, 1] })
                })
                .collect();
            Json(json!({ "data": vectors })).into_response()
        },
    }
}

fn said(pieces: &[&str]) -> Vec<Bytes> {
    let role = event(&json!({
        "choices": [{ "index": 0, "delta": { "role": "assistant" }, "finish_reason": null }],
    }));
    let pieces = pieces.iter().map(|piece| {
        event(&json!({
            "choices": [{ "index": 0, "delta": { "content": piece }, "finish_reason": null }],
        }))
    });
    std::iter::once(role).chain(pieces).collect()
}

fn event(said: &Value) -> Bytes {
    format!("data: {said}\n\n").into()
}

enum Then {
    Ends,
    Waits,
}

fn stream(events: Vec<Bytes>, then: Then, known: Shared) -> Response {
    let pace = {
        let mut known = known.lock().unwrap();
        known.open += 1;
        known.pace
    };
    let open = Open {
        known,
        whole: false,
    };
    let rest = async move {
        let mut open = open;
        if matches!(then, Then::Waits) {
            std::future::pending::<()>().await;
        }
        open.whole = true;
        Bytes::new()
    };
    // A pause between events: else they would all come in one portion.
    let events = futures::stream::iter(events).then(move |event| async move {
        tokio::time::sleep(pace).await;
        event
    });
    let body = events
        .chain(futures::stream::once(rest))
        .map(Ok::<_, Infallible>);
    (
        [(header::CONTENT_TYPE, "text/event-stream")],
        Body::from_stream(body),
    )
        .into_response()
}

/// Notices when a stream is dropped before its end.
struct Open {
    known: Shared,
    whole: bool,
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut known = self.known.lock().unwrap();
        known.open -= 1;
        known.hung_up += usize::from(!self.whole);
    }
}
