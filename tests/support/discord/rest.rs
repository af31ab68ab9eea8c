//! The API over HTTP: a request is known by its route, let in or not, answered and recorded.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Shared;
use super::clock::Id;
use super::faults::{Fault, Harm};
use super::files::{self, LARGEST_REQUEST, Upload};
use super::limits::{Bucket, Passage, Scope, Standing};
use super::line::Line;
use super::record;
use super::refusal::{Refusal, not_found, unauthorized};
use super::routes::{self, Entrance, Route};
use super::world::World;

/// After so many invalid requests in ten minutes Discord shuts an address out.
const INVALID_REQUESTS: usize = 10_000;

/// A request that was read.
pub(crate) struct Call {
    pub(crate) names: Vec<String>,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) body: Value,
    pub(crate) files: Vec<Upload>,
}

/// What is answered to a request that was in order.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Option<Value>,
}

impl Reply {
    pub(crate) fn with(body: Value) -> Self {
        Self {
            status: 200,
            body: Some(body),
        }
    }

    pub(crate) fn created(body: Value) -> Self {
        Self {
            status: 201,
            body: Some(body),
        }
    }

    pub(crate) fn nothing() -> Self {
        Self {
            status: 204,
            body: None,
        }
    }
}

struct Asked {
    method: String,
    path: String,
    headers: HeaderMap,
    query: BTreeMap<String, String>,
    bytes: Vec<u8>,
}

pub(crate) async fn serve(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, LARGEST_REQUEST).await else {
        return answer(&Refusal::new(413, 40005, "Request entity too large"));
    };
    let asked = Asked {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        headers: parts.headers,
        query: pairs(parts.uri.query().unwrap_or("")),
        bytes: bytes.to_vec(),
    };
    if asked.path.starts_with("/attachments/") {
        return file(&shared.world(), &asked);
    }
    let found = asked
        .path
        .strip_prefix("/api/v10/")
        .and_then(|path| routes::find(&asked.method, path));
    let number = record(&mut shared.world(), &asked, found.as_ref());
    let fault = {
        let route = found.as_ref().map_or("", |(route, _)| route.path);
        let name = format!("{} {route}", asked.method);
        shared.world().faults.fault(&name)
    };
    if let Some(response) = before(&shared, &line, fault, number).await {
        return response;
    }
    let mut response = {
        let mut world = shared.world();
        let (status, answer, headers) = attend(&mut world, &asked, found);
        finish(&mut world, number, status, answer.as_ref());
        written(status, answer, headers)
    };
    shared.changed();
    if let Some(Fault::After(harm)) = fault {
        response = harm.done_to(&line).await;
    }
    response
}

fn pairs(query: &str) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect()
}

fn file(world: &World, asked: &Asked) -> Response {
    match files::fetched(world, &asked.path, &asked.query) {
        Err(_) => (
            StatusCode::NOT_FOUND,
            "This content is no longer available.",
        )
            .into_response(),
        Ok(file) => {
            let kind = [(header::CONTENT_TYPE, file.content_type.clone())];
            (kind, file.bytes.to_vec()).into_response()
        },
    }
}

fn record(
    world: &mut World,
    asked: &Asked,
    found: Option<&(&'static Route, Vec<String>)>,
) -> usize {
    let request = record::Request {
        at: world.clock.now(),
        method: asked.method.clone(),
        route: found.map_or("", |(route, _)| route.path),
        path: asked.path.clone(),
        body: body(asked).map_or(Value::Null, |(body, _)| body),
        status: None,
        answer: None,
    };
    world.record.requests.push(request);
    world.record.requests.len() - 1
}

fn finish(world: &mut World, number: usize, status: u16, answer: Option<&Value>) {
    let request = &mut world.record.requests[number];
    request.status = Some(status);
    request.answer = answer.cloned();
}

/// The JSON of a request, and its files.
fn body(asked: &Asked) -> Result<(Value, Vec<Upload>), Refusal> {
    let invalid = || Refusal::new(400, 50109, "The request body contains invalid JSON.");
    let kind = asked.headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or("");
    if asked.bytes.is_empty() {
        return Ok((Value::Null, Vec::new()));
    }
    if kind.starts_with("multipart/form-data") {
        return files::parts(kind, &asked.bytes).ok_or_else(invalid);
    }
    if !kind.starts_with("application/json") {
        let message = "Expected \"Content-Type\" header to be one of {'application/json'}.";
        return Err(Refusal::new(400, 50035, message));
    }
    let body = serde_json::from_slice(&asked.bytes).map_err(|_| invalid())?;
    Ok((body, Vec::new()))
}

async fn before(
    shared: &Shared,
    line: &Line,
    fault: Option<Fault>,
    number: usize,
) -> Option<Response> {
    match fault? {
        Fault::Before(harm) => {
            if let Harm::Status(status) = harm {
                finish(&mut shared.world(), number, status, None);
            }
            Some(harm.done_to(line).await)
        },
        Fault::Limited(after, scope) => {
            let mut world = shared.world();
            let now = world.clock.now();
            let standing = Standing {
                limit: 5,
                remaining: 0,
                reset: now + chrono::TimeDelta::from_std(after).unwrap(),
                after,
            };
            let (status, answer, headers) = limited(&mut world, standing, scope);
            finish(&mut world, number, status, answer.as_ref());
            Some(written(status, answer, headers))
        },
        Fault::Slow(time) => {
            tokio::time::sleep(time).await;
            None
        },
        Fault::After(_) => None,
    }
}

/// What a limit is counted by: a channel, a guild, or a webhook with its token.
fn major(route: &Route, names: &[String]) -> Id {
    let part = |at: usize| names.get(at).map_or("", String::as_str);
    if route.bucket == Bucket::Webhook {
        let token = Sha256::digest(part(1));
        return token
            .iter()
            .take(8)
            .fold(0, |id, byte| id << 8 | Id::from(*byte));
    }
    part(0).parse().unwrap_or(0)
}

type Answer = (u16, Option<Value>, HeaderMap);

/// Lets a request in and answers it.
fn attend(
    world: &mut World,
    asked: &Asked,
    found: Option<(&'static Route, Vec<String>)>,
) -> Answer {
    let now = world.clock.now();
    if world.record.invalid_lately(now) >= INVALID_REQUESTS {
        return (429, None, HeaderMap::new());
    }
    let (route, names) = match admitted(world, asked, found) {
        Ok(admitted) => admitted,
        Err(refusal) => return refused(world, &refusal, HeaderMap::new()),
    };
    let major = major(route, &names);
    let headers = match world.limits.pass(route.bucket, major, now) {
        Passage::Limited(standing, scope) => return limited(world, standing, scope),
        Passage::Counted(standing) => standing_headers(standing, route),
        Passage::Free => HeaderMap::new(),
    };
    let served = body(asked).and_then(|(body, files)| {
        let call = Call {
            names,
            query: asked.query.clone(),
            body,
            files,
        };
        (route.serve)(world, &call)
    });
    match served {
        Ok(reply) => (reply.status, reply.body, headers),
        Err(refusal) => refused(world, &refusal, headers),
    }
}

fn admitted(
    world: &World,
    asked: &Asked,
    found: Option<(&'static Route, Vec<String>)>,
) -> Result<(&'static Route, Vec<String>), Refusal> {
    let said = |name| {
        let value = asked.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or("")
    };
    if !said(header::USER_AGENT).starts_with("DiscordBot (") {
        return Err(Refusal::new(403, 40333, "internal network error"));
    }
    if asked.path.starts_with("/api/v") && !asked.path.starts_with("/api/v10/") {
        return Err(Refusal::new(400, 50041, "Invalid API version provided"));
    }
    let (route, names) = found.ok_or_else(not_found)?;
    let token = said(header::AUTHORIZATION).strip_prefix("Bot ");
    if route.entrance == Entrance::Bot && token != Some(&*world.settings.token) {
        return Err(unauthorized());
    }
    Ok((route, names))
}

fn refused(world: &mut World, refusal: &Refusal, headers: HeaderMap) -> Answer {
    if [401, 403, 429].contains(&refusal.status) {
        let now = world.clock.now();
        world.record.invalid.push(now);
    }
    (refusal.status, Some(refusal.body()), headers)
}

fn limited(world: &mut World, standing: Standing, scope: Scope) -> Answer {
    if scope != Scope::Shared {
        let now = world.clock.now();
        world.record.invalid.push(now);
    }
    let mut headers = HeaderMap::new();
    let seconds = standing.after.as_secs_f64();
    // Whole seconds in the header, as it is; the body is exact.
    headers.insert("retry-after", number(seconds.ceil()));
    let named = match scope {
        Scope::User => "user",
        Scope::Global => "global",
        Scope::Shared => "shared",
    };
    headers.insert("x-ratelimit-scope", HeaderValue::from_static(named));
    if scope == Scope::Global {
        headers.insert("x-ratelimit-global", HeaderValue::from_static("true"));
    } else {
        stand(&mut headers, standing);
    }
    let message = if scope == Scope::Shared {
        "The resource is being rate limited."
    } else {
        "You are being rate limited."
    };
    let body = json!({
        "message": message,
        "retry_after": seconds,
        "global": scope == Scope::Global,
        "code": 0,
    });
    (429, Some(body), headers)
}

fn standing_headers(standing: Standing, route: &Route) -> HeaderMap {
    let mut headers = HeaderMap::new();
    stand(&mut headers, standing);
    let bucket = format!("{:?}", route.bucket).to_lowercase();
    headers.insert("x-ratelimit-bucket", bucket.parse().unwrap());
    headers
}

fn stand(headers: &mut HeaderMap, standing: Standing) {
    headers.insert("x-ratelimit-limit", standing.limit.into());
    headers.insert("x-ratelimit-remaining", standing.remaining.into());
    let millis = standing.reset.timestamp_millis();
    let reset = format!("{}.{:03}", millis / 1_000, millis % 1_000);
    headers.insert("x-ratelimit-reset", reset.parse().unwrap());
    headers.insert(
        "x-ratelimit-reset-after",
        number(standing.after.as_secs_f64()),
    );
}

fn number(seconds: f64) -> HeaderValue {
    format!("{seconds}").parse().unwrap()
}

fn answer(refusal: &Refusal) -> Response {
    written(refusal.status, Some(refusal.body()), HeaderMap::new())
}

fn written(status: u16, body: Option<Value>, mut headers: HeaderMap) -> Response {
    let body = match body {
        None => Body::empty(),
        Some(body) => {
            let json = HeaderValue::from_static("application/json");
            headers.insert(header::CONTENT_TYPE, json);
            Body::from(body.to_string())
        },
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    *response.headers_mut() = headers;
    response
}
