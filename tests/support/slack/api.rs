//! The server over HTTP: a call is known by its method, let in or not, answered and recorded.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::super::line::Line;
use super::Shared;
use super::arguments::{self, Read};
use super::clock::Id;
use super::faults::{FILE, Fault, HOOK, Harm};
use super::limits::{Key, Limited, Tier};
use super::methods::{self, Call, Method, Wants};
use super::record::{self, Hasty};
use super::refusal::{Refusal, refuse};
use super::world::{Standing, World};
use super::{files, hooks};

const LARGEST_REQUEST: usize = 4 << 20;

/// A request before it is understood.
pub(crate) struct Asked {
    verb: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    query: BTreeMap<String, String>,
    pub(crate) bytes: Vec<u8>,
}

impl Asked {
    pub(crate) fn says(&self, name: header::HeaderName) -> &str {
        let value = self.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    pub(crate) fn bearer(&self) -> Option<&str> {
        self.says(header::AUTHORIZATION).strip_prefix("Bearer ")
    }

    /// What the request is for, as faults are ordered on it.
    fn method(&self) -> String {
        let path = &self.path;
        if path.starts_with("/files-pri/") {
            FILE.to_owned()
        } else if path.starts_with("/commands/") || path.starts_with("/actions/") {
            HOOK.to_owned()
        } else {
            path.strip_prefix("/api/").unwrap_or(path).to_owned()
        }
    }
}

/// Status, body and headers.
pub(crate) type Answer = (u16, Value, HeaderMap);

pub(crate) async fn serve(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, LARGEST_REQUEST).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let query = parts.uri.query().unwrap_or("");
    let asked = Asked {
        verb: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        headers: parts.headers,
        query: url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect(),
        bytes: bytes.to_vec(),
    };
    let number = record(&mut shared.world(), &asked);
    let fault = shared.world().faults.fault(&asked.method());
    if let Some(response) = before(&shared, &line, fault.as_ref(), number).await {
        return response;
    }
    let mut response = answered(&shared, &asked, fault.as_ref(), number);
    shared.changed();
    if let Some(Fault::After(harm)) = fault {
        response = harm.done_to(&line).await;
    }
    response
}

fn record(world: &mut World, asked: &Asked) -> usize {
    let method = methods::find(&asked.method());
    let read = arguments::read(method, &asked.headers, &asked.query, &asked.bytes);
    let arguments = read.map_or(Value::Null, |read| Value::Object(read.arguments.0));
    let request = record::Request {
        at: world.clock.now(),
        method: asked.method(),
        path: asked.path.clone(),
        token: asked.bearer().unwrap_or("").to_owned(),
        team: Id::new(),
        arguments,
        status: None,
        answer: None,
    };
    world.record.requests.push(request);
    world.record.requests.len() - 1
}

fn answered(shared: &Shared, asked: &Asked, fault: Option<&Fault>, number: usize) -> Response {
    let mut world = shared.world();
    let method = asked.method();
    let apart = method == FILE || method == HOOK;
    if let Some(Fault::Limited(wait)) = fault.filter(|_| apart) {
        let headers = retry_after(wait.as_secs());
        world.record.requests[number].status = Some(429);
        return written(429, &Refusal::new("ratelimited").body(), headers);
    }
    if method == FILE {
        return files::fetched(&mut world, asked, number);
    }
    let (status, answer, headers) = if method == HOOK {
        hooks::posted(&mut world, asked)
    } else {
        attend(&mut world, asked, fault, number)
    };
    let request = &mut world.record.requests[number];
    request.status = Some(status);
    request.answer = Some(answer.clone());
    written(status, &answer, headers)
}

/// Lets a call in and answers it.
fn attend(world: &mut World, asked: &Asked, fault: Option<&Fault>, number: usize) -> Answer {
    let name = asked.method();
    let Some(method) = methods::find(&name) else {
        let refusal = Refusal::new("unknown_method").with("req_method", json!(name));
        return said(&refusal.body());
    };
    let read = match arguments::read(Some(method), &asked.headers, &asked.query, &asked.bytes) {
        Ok(read) => read,
        Err(refusal) => return said(&refusal.body()),
    };
    let team = match admitted(world, asked, method, &read) {
        Ok(team) => team,
        Err(refusal) => return said(&refusal.body()),
    };
    world.record.requests[number].team.clone_from(&team);
    if let Err(limited) = paced(world, method, (&team, &read), fault) {
        return told_to_wait(world, method, limited);
    }
    let call = Call {
        team,
        arguments: &read.arguments,
        authorization: asked.says(header::AUTHORIZATION),
    };
    let mut body = served(world, method, &call, fault);
    if let Some(warning) = read.warning {
        body["warning"] = json!(warning);
        body["response_metadata"]["warnings"] = json!([warning]);
    }
    said(&body)
}

fn served(world: &mut World, method: &Method, call: &Call<'_>, fault: Option<&Fault>) -> Value {
    let served = match fault {
        Some(Fault::Refused(error)) => refuse(error),
        _ => call
            .arguments
            .check(method)
            .and_then(|()| (method.serve)(world, call)),
    };
    match served {
        Ok(mut body) => {
            body["ok"] = json!(true);
            body
        },
        Err(refusal) => refusal.body(),
    }
}

fn said(body: &Value) -> Answer {
    (200, body.clone(), HeaderMap::new())
}

/// The workspace of whoever calls.
fn admitted(world: &World, asked: &Asked, method: &Method, read: &Read) -> Result<Id, Refusal> {
    if method.wants == Wants::App && asked.verb != "POST" {
        return refuse("insecure_request");
    }
    if method.wants == Wants::Nothing {
        return Ok(Id::new());
    }
    let token = match (asked.bearer(), &read.token) {
        (Some(token), _) => token,
        (None, Some(token)) if method.wants != Wants::App => token,
        (None, _) => return refuse("not_authed"),
    };
    let (team, scopes) = if token.starts_with("xapp-") {
        app(world, token, method)?
    } else {
        bot(world, token, method)?
    };
    let has = |scope: &&&str| scopes.iter().any(|one| one == **scope);
    if !method.scopes.is_empty() && method.scopes.iter().find(has).is_none() {
        return Err(missing_scope(method.scopes[0], scopes));
    }
    Ok(team)
}

type Admitted<'a> = (Id, &'a std::collections::BTreeSet<String>);

fn app<'a>(world: &'a World, token: &str, method: &Method) -> Result<Admitted<'a>, Refusal> {
    if token != world.app.token {
        return refuse("invalid_auth");
    }
    if let Standing::Refused(error) = world.app.token_standing {
        return refuse(error);
    }
    if method.wants == Wants::Bot {
        return refuse("not_allowed_token_type");
    }
    Ok((Id::new(), &world.app.token_scopes))
}

fn bot<'a>(world: &'a World, token: &str, method: &Method) -> Result<Admitted<'a>, Refusal> {
    let found = world.teams.values().find_map(|team| {
        let found = team.bot.tokens.iter().find(|one| one.text == token);
        Some((team, found?))
    });
    let Some((team, token)) = found else {
        return refuse("invalid_auth");
    };
    if let Standing::Refused(error) = token.standing {
        return refuse(error);
    }
    if token.until.is_some_and(|until| world.clock.now() >= until) {
        return refuse("token_expired");
    }
    if method.wants == Wants::App {
        return refuse("not_allowed_token_type");
    }
    Ok((team.id.clone(), &team.bot.scopes))
}

pub(crate) fn missing_scope(
    needed: &str,
    provided: &std::collections::BTreeSet<String>,
) -> Refusal {
    let provided: Vec<&str> = provided.iter().map(String::as_str).collect();
    Refusal::new("missing_scope")
        .with("needed", json!(needed))
        .with("provided", json!(provided.join(",")))
}

/// Whether the call comes slowly enough.
fn paced(
    world: &mut World,
    method: &Method,
    (team, read): (&Id, &Read),
    fault: Option<&Fault>,
) -> Result<(), Limited> {
    let channel = if method.tier == Tier::Posting {
        read.arguments.text("channel").unwrap_or("")
    } else {
        ""
    };
    let key: Key = (method.name, team.clone(), channel.to_owned());
    let now = world.clock.now();
    world.limits.pass(method.tier, &key, now)?;
    match fault {
        Some(Fault::Limited(wait)) => Err(world.limits.storm(&key, now, *wait)),
        _ => Ok(()),
    }
}

fn told_to_wait(world: &mut World, method: &Method, limited: Limited) -> Answer {
    let now = world.clock.now();
    if limited.hasty {
        world.record.hasty.push(Hasty {
            method: method.name.to_owned(),
            at: now,
            since: limited.since,
            until: limited.until,
        });
    }
    let left = (limited.until - now).num_milliseconds();
    let seconds = u64::try_from((left + 999).max(1_000) / 1_000).unwrap();
    (
        429,
        Refusal::new("ratelimited").body(),
        retry_after(seconds),
    )
}

fn retry_after(seconds: u64) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::RETRY_AFTER, seconds.into());
    headers
}

async fn before(
    shared: &Shared,
    line: &Line,
    fault: Option<&Fault>,
    number: usize,
) -> Option<Response> {
    match fault? {
        Fault::Before(harm) => {
            if let Harm::Status(status) = harm {
                shared.world().record.requests[number].status = Some(*status);
            }
            Some(harm.done_to(line).await)
        },
        Fault::Slow(time) => {
            tokio::time::sleep(*time).await;
            None
        },
        Fault::Redirected(to) => {
            let to = HeaderValue::from_str(to).unwrap();
            Some((StatusCode::FOUND, [(header::LOCATION, to)]).into_response())
        },
        Fault::After(_) | Fault::Limited(_) | Fault::LimitedUpTo(..) | Fault::Refused(_) => {
            None
        },
    }
}

fn written(status: u16, body: &Value, mut headers: HeaderMap) -> Response {
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, json);
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    *response.headers_mut() = headers;
    response
}
