//! The one way to Slack's Web API.
//!
//! The requests are those of slack-morphism, and we send them ourselves: its client has no
//! timeouts, gives every 429 back as an error, reads answers of any length, does not say whether
//! a request that failed had left, and takes an answer that its models do not know for a call
//! that was not done — after which a post would be made twice.
//!
//! Bodies hold what people wrote and headers the tokens, so neither is in an error, a log line or
//! a `Debug`.

use std::fmt::{self, Debug, Formatter};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use super::rotation::Rota;
use super::tiers::{Lane, Limiter, Pass, Rates, heard};
use crate::adapters::chat::calls::{self, Twice};
use crate::adapters::chat::http::{self, Cut, is_loopback, read, unread};
use crate::adapters::chat::limiter::{Held, Urgency};
use crate::domain::document::Digest;
use crate::ports::Cause;

pub use crate::adapters::chat::http::Timeouts;

/// Where Slack is, unless the settings say otherwise.
pub const SLACK: &str = "https://slack.com/api";

/// Why there is no way to Slack with these settings.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// Not an address the tokens may be sent to.
    #[error(
        "slack.api-url must be https://host/api, or http://host:port/api on this machine's \
         loopback: the tokens are sent to it"
    )]
    Address,
    /// Nothing that could be a token of this kind.
    #[error("{variable} must hold {kind}, which begins with {prefix}: copy it again")]
    Token {
        variable: &'static str,
        kind: &'static str,
        prefix: &'static str,
    },
    /// A token that ends, and nothing to get the next one with.
    #[error(
        "{variable} holds a token that ends after twelve hours: take it out, and set its refresh \
         token in {instead}, as deploy/slack.md shows"
    )]
    Ends {
        variable: &'static str,
        instead: &'static str,
    },
    /// The tokens that were got last cannot be read.
    #[error(
        "the tokens in {} cannot be read: remove the file, and set a new refresh token",
        file.display()
    )]
    Pair {
        file: PathBuf,
        #[source]
        cause: Cause,
    },
    /// The client could not be made.
    #[error("no connection can be made from this machine: check its certificates")]
    Client(#[source] Cause),
}

/// What came of a call that did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Left out: it was only worth sending at once.
    #[error("there is no room for it now; leave it out")]
    NotNow,
    /// It never left.
    #[error("Slack's limits did not let it leave in time; try again later")]
    Busy,
    /// It never left.
    #[error("Slack could not be reached; check the network, then try again")]
    Unreachable(#[source] Cause),
    /// Nothing is harmed by trying again.
    #[error("Slack did not answer as it should ({why}); try again later")]
    Unavailable {
        why: String,
        #[source]
        source: Option<Cause>,
    },
    /// It may have been done, and doing it twice would show.
    #[error("it may or may not have been done ({why}); look before doing it again")]
    Unclear {
        why: String,
        #[source]
        source: Option<Cause>,
    },
    /// It was not done, and will not be if asked again.
    #[error("Slack refused {method}: {code}")]
    Refused {
        method: &'static str,
        /// Slack's own word for it, and what scope is missing.
        code: String,
    },
    /// Nothing else will be answered either.
    #[error(
        "Slack does not accept the {0}; look at the app's page on api.slack.com, set the token \
         anew and start again"
    )]
    Unauthorised(Token),
    /// Our own slip.
    #[error("the request could not be made: {0}; report it")]
    Unsendable(&'static str),
    /// Not a file of Slack's.
    #[error("the file is not on Slack's servers; share it in a message")]
    Elsewhere,
    /// Larger than asked for.
    #[error("the file has more than {longest} bytes; make it smaller")]
    TooLong { longest: usize },
}

/// A token that Slack does not accept, in Slack's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The environment variable that it stands in, and which it is where there are several.
    pub name: String,
    pub code: String,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "token in {} ({})", self.name, self.code)
    }
}

impl Fault {
    /// Slack's word for a refusal, if it is one.
    pub fn code(&self) -> Option<&str> {
        if let Self::Refused { code, .. } = self {
            return Some(code);
        }
        None
    }

    /// We may not write there, or do not see the place.
    pub fn is_missing_access(&self) -> bool {
        let code = self.code().unwrap_or_default();
        ["not_in_channel", "channel_not_found", "is_archived"].contains(&code)
            || code.starts_with("restricted_action")
    }

    /// The message cannot be changed any more; another can be made.
    pub fn is_gone(&self) -> bool {
        let gone = [
            "message_not_found",
            "cant_update_message",
            "edit_window_closed",
        ];
        gone.contains(&self.code().unwrap_or_default())
    }
}

/// Slack will not let us in with this token, however often we try.
const TURNED_AWAY: [&str; 12] = [
    "not_authed",
    "invalid_auth",
    "account_inactive",
    "user_removed_from_team",
    "team_disabled",
    "token_revoked",
    "token_expired",
    "not_allowed_token_type",
    "no_permission",
    "org_login_required",
    "ekm_access_denied",
    "team_access_not_granted",
];

/// Of these, what can be said of one method alone.
const OF_A_METHOD: [&str; 3] = [
    "not_allowed_token_type",
    "no_permission",
    "team_access_not_granted",
];

/// The methods that not every workspace allows, and that there is another way without.
const STREAMS: [&str; 3] = ["chat.startStream", "chat.appendStream", "chat.stopStream"];

/// Slack is in trouble itself; the call may have been done.
const IN_TROUBLE: [&str; 5] = [
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
    "external_service_migration_in_progress",
];

/// One thing asked of Slack.
#[must_use]
pub struct Call {
    method: &'static str,
    body: Result<Body, Fault>,
    channel: String,
    urgency: Urgency,
    twice: Twice,
    patience: Duration,
}

enum Body {
    Json(Vec<u8>),
    /// Of those that only read, most take no JSON.
    Form(Vec<(&'static str, String)>),
}

impl Call {
    /// How long a call waits for its turn and tries again, unless it says otherwise.
    pub const PATIENCE: Duration = Duration::from_secs(5 * 60);

    fn new(method: &'static str, body: Result<Body, Fault>) -> Self {
        Self {
            method,
            body,
            channel: String::new(),
            urgency: Urgency::Should,
            twice: Twice::Harmless,
            patience: Self::PATIENCE,
        }
    }

    /// Changes something.
    pub fn write(method: &'static str, request: &impl Serialize) -> Self {
        let body = serde_json::to_vec(request)
            .map(Body::Json)
            .map_err(|_| Fault::Unsendable("it cannot be written"));
        Self::new(method, body)
    }

    /// Reads something.
    pub fn read(method: &'static str, form: Vec<(&'static str, String)>) -> Self {
        Self::new(method, Ok(Body::Form(form)))
    }

    /// Makes something new in `channel`: done twice, it would show.
    pub fn post(method: &'static str, channel: &str, request: &impl Serialize) -> Self {
        Self {
            channel: channel.to_owned(),
            urgency: Urgency::Must,
            twice: Twice::Shows,
            ..Self::write(method, request)
        }
    }

    pub fn urgency(mut self, urgency: Urgency) -> Self {
        self.urgency = urgency;
        self
    }

    /// Gives up after `patience`, without counting what is under way by then.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// What an answer that is none means for this call.
    fn setback(&self, why: String, source: Option<Cause>) -> Setback {
        match self.twice {
            Twice::Harmless => Setback::Passing(Fault::Unavailable { why, source }),
            Twice::Shows => Setback::Final(Fault::Unclear { why, source }),
        }
    }
}

impl Debug for Call {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("urgency", &self.urgency)
            .field("twice", &self.twice)
            .finish_non_exhaustive()
    }
}

type Setback = calls::Setback<Fault>;

/// What all of Slack's answers have.
#[derive(Debug, Deserialize)]
struct Answer {
    ok: bool,
    #[serde(default)]
    error: String,
    #[serde(default)]
    needed: Option<String>,
}

/// The connection that all tokens share.
#[derive(Debug)]
pub struct Lines {
    client: Client,
    base: Url,
    timeouts: Timeouts,
    limiter: Limiter,
    rates: Rates,
}

impl Lines {
    /// A way to the Slack at `base` (see [`SLACK`]).
    pub fn new(base: &str, rates: Rates, timeouts: Timeouts) -> Result<Self, Unfit> {
        let root = base.trim_end_matches('/').strip_suffix("/api");
        let base = root.and_then(http::address).ok_or(Unfit::Address)?;
        let client = http::client(&base, "saseo", timeouts, Duration::from_secs(30))
            .map_err(|error| Unfit::Client(error.into()))?;
        Ok(Self {
            client,
            base,
            timeouts,
            limiter: Limiter::new("Slack"),
            rates,
        })
    }

    /// Whether the Slack is one on this machine, as in tests.
    pub fn is_here(&self) -> bool {
        is_loopback(&self.base)
    }
}

/// What a call shows of us.
enum Key {
    /// A token that lasts until it is revoked.
    Lasting(SecretString),
    Rotated(Arc<Rota>),
    /// Nothing: the call itself says who we are.
    None,
}

impl Key {
    async fn token(&self, lines: &Arc<Lines>) -> Result<Option<SecretString>, Fault> {
        match self {
            Self::Lasting(token) => Ok(Some(token.clone())),
            // It calls Slack by this very way, without a token.
            Self::Rotated(rota) => Box::pin(rota.token(lines)).await.map(Some),
            Self::None => Ok(None),
        }
    }
}

/// Slack's Web API, with one token.
pub struct Api {
    lines: Arc<Lines>,
    key: Key,
    /// The environment variable that it comes from, for whoever has to look after it.
    name: String,
    /// Names the token without giving it away: Slack counts by workspace, and each has one.
    workspace: Digest,
    /// What Slack said when it turned us away: nothing is asked after that.
    away: watch::Sender<Option<Token>>,
}

impl Debug for Api {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Api {
    /// Longer answers are not read to their end.
    const LONGEST: usize = 8 << 20;

    pub fn new(lines: Arc<Lines>, token: &SecretString, name: impl Into<String>) -> Self {
        let bare = token.expose_secret().trim();
        let workspace = Digest::of(bare.as_bytes());
        let key = Key::Lasting(bare.to_owned().into());
        Self::with(key, lines, (name.into(), workspace))
    }

    /// With a token that is exchanged for others from time to time.
    pub(super) fn rotated(
        lines: Arc<Lines>,
        rota: Arc<Rota>,
        first: &SecretString,
        name: String,
    ) -> Self {
        let workspace = Digest::of(first.expose_secret().trim().as_bytes());
        Self::with(Key::Rotated(rota), lines, (name, workspace))
    }

    pub(super) fn without_token(lines: Arc<Lines>, name: &str) -> Self {
        Self::with(Key::None, lines, (name.to_owned(), Digest::of(b"")))
    }

    fn with(key: Key, lines: Arc<Lines>, (name, workspace): (String, Digest)) -> Self {
        Self {
            lines,
            key,
            name,
            workspace,
            away: watch::Sender::new(None),
        }
    }

    /// Exchanges tokens that end, for as long as there are others; see [`Rota::keep_up`]. Never
    /// returns where they last.
    pub(super) async fn keep_up_tokens(&self) -> (Fault, Option<DateTime<Utc>>) {
        match &self.key {
            Key::Rotated(rota) => rota.keep_up(&self.lines).await,
            Key::Lasting(_) | Key::None => std::future::pending().await,
        }
    }

    /// What Slack said when it turned us away, if it did.
    pub fn is_turned_away(&self) -> Option<Token> {
        self.away.borrow().clone()
    }

    /// Returns when Slack does not accept the token: nothing more is answered with it.
    pub async fn turned_away(&self) -> Token {
        let mut away = self.away.subscribe();
        let away = away.wait_for(Option::is_some).await;
        match away.ok().and_then(|token| token.clone()) {
            Some(token) => token,
            // The sender lives as long as we do.
            None => std::future::pending().await,
        }
    }

    /// Asks nothing more.
    pub(super) fn gives_up(&self, token: Token) -> Fault {
        self.away.send_replace(Some(token.clone()));
        Fault::Unauthorised(token)
    }

    /// What is called by this name in the environment.
    pub(super) fn named(&self, code: String) -> Token {
        Token {
            name: self.name.clone(),
            code,
        }
    }

    /// Asks, and reads the answer.
    pub async fn call<T: DeserializeOwned>(&self, call: Call) -> Result<T, Fault> {
        let body = self.send(&call).await?;
        serde_json::from_slice(&body).map_err(|error| Fault::Unclear {
            why: format!("Slack said yes, but {}", unread(&error)),
            source: None,
        })
    }

    /// Asks for something that has no answer but yes.
    pub async fn tell(&self, call: Call) -> Result<(), Fault> {
        self.send(&call).await.map(drop)
    }

    async fn send(&self, call: &Call) -> Result<Vec<u8>, Fault> {
        let (lines, deadline) = (&self.lines, Instant::now() + call.patience);
        let lane = Lane::of(call.method, self.workspace, &call.channel, lines.rates);
        let mut exchanges = 0;
        for tries in 0.. {
            let token = self.token().await?;
            let pass = lines.limiter.pass(lane, call.urgency, deadline).await;
            let pass = pass.map_err(|held| kept(held, call.urgency))?;
            let setback = match self.once(call, (token.as_ref(), pass), deadline).await {
                Ok(body) => return Ok(body),
                Err(Setback::Final(Fault::Unauthorised(away))) => {
                    exchanges += 1;
                    self.reconsidered(token, away, exchanges).await?;
                    continue;
                },
                Err(setback) => setback,
            };
            let again = (tries, call.urgency, deadline);
            sleep(setback.pause(again, || Fault::NotNow)?).await;
        }
        Err(Fault::Busy)
    }

    async fn token(&self) -> Result<Option<SecretString>, Fault> {
        if let Some(away) = self.is_turned_away() {
            return Err(Fault::Unauthorised(away));
        }
        match self.key.token(&self.lines).await {
            Err(Fault::Unauthorised(away)) => Err(self.gives_up(away)),
            token => token,
        }
    }

    /// Whether another token may do what `used` did not: then it is asked again. Else nothing
    /// more is asked.
    async fn reconsidered(
        &self,
        used: Option<SecretString>,
        away: Token,
        exchanges: usize,
    ) -> Result<(), Fault> {
        /// Who is told of the third token in a row that it has ended is told nonsense.
        const MOST: usize = 2;
        if let (Key::Rotated(rota), Some(used)) = (&self.key, used)
            && exchanges <= MOST
        {
            let asked = rota.instead(&used, (&self.lines, &away.code));
            match Box::pin(asked).await {
                Ok(Some(_)) => return Ok(()),
                Ok(None) => {},
                Err(Fault::Unauthorised(away)) => return Err(self.gives_up(away)),
                Err(fault) => return Err(fault),
            }
        }
        Err(self.gives_up(away))
    }

    async fn once(
        &self,
        call: &Call,
        (token, pass): (Option<&SecretString>, Pass<'_>),
        deadline: Instant,
    ) -> Result<Vec<u8>, Setback> {
        let request = match self.request(call, token, deadline) {
            Ok(request) => request,
            Err(fault) => {
                pass.never_left();
                return Err(Setback::Final(fault));
            },
        };
        let response = match self.lines.client.execute(request).await {
            Ok(response) => response,
            Err(error) if error.is_connect() => {
                pass.never_left();
                let fault = Fault::Unreachable(error.without_url().into());
                return Err(Setback::Passing(fault));
            },
            Err(error) => return Err(broken(call, error)),
        };
        let status = response.status();
        let told = heard(call.method, status, response.headers());
        let body = read(response, Self::LONGEST).await;
        pass.answered(&told);
        match status {
            StatusCode::OK => {
                let body = body.map_err(|cut| cut_short(cut, call))?;
                self.judged(call, body)
            },
            StatusCode::TOO_MANY_REQUESTS => Err(Setback::Limited),
            _ if status.is_server_error() => Err(call.setback(status.to_string(), None)),
            _ => Err(Setback::Final(refused(call.method, status.to_string()))),
        }
    }

    /// Slack says 200 to everything, and in the answer what it means.
    fn judged(&self, call: &Call, body: Vec<u8>) -> Result<Vec<u8>, Setback> {
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(|error| call.setback(unread(&error), None))?;
        let Answer { ok, error, needed } = answer;
        if ok {
            return Ok(body);
        }
        if IN_TROUBLE.contains(&error.as_str()) {
            return Err(call.setback(error, None));
        }
        if error == "ratelimited" {
            // Without a 429 there is no word of how long.
            let fault = Fault::Unavailable {
                why: error,
                source: None,
            };
            return Err(Setback::Passing(fault));
        }
        let spared = STREAMS.contains(&call.method) && OF_A_METHOD.contains(&error.as_str());
        if TURNED_AWAY.contains(&error.as_str()) && !spared {
            let away = Fault::Unauthorised(self.named(error));
            return Err(Setback::Final(away));
        }
        let code = match needed {
            Some(scope) => format!("{error}, the app needs the scope {scope}"),
            None => error,
        };
        Err(Setback::Final(refused(call.method, code)))
    }

    fn request(
        &self,
        call: &Call,
        token: Option<&SecretString>,
        deadline: Instant,
    ) -> Result<reqwest::Request, Fault> {
        /// Without the character set Slack complains in every answer.
        const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
        const FORM: HeaderValue =
            HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8");
        let unsendable = |_| Fault::Unsendable("its address is malformed");
        let url = self.lines.base.join(&format!("api/{}", call.method));
        let url = url.map_err(unsendable)?;
        let (kind, body) = match &call.body {
            Ok(Body::Json(json)) => (JSON, json.clone()),
            Ok(Body::Form(form)) => (FORM, written(form)),
            Err(_) => return Err(Fault::Unsendable("it cannot be written")),
        };
        let built = self.lines.client.post(url);
        let built = match token {
            Some(token) => built.bearer_auth(token.expose_secret()),
            None => built,
        };
        let built = built
            .header(CONTENT_TYPE, kind)
            .body(body)
            .timeout(self.time_for(call, deadline));
        built
            .build()
            .map_err(|_| Fault::Unsendable("its parts do not fit together"))
    }

    fn time_for(&self, call: &Call, deadline: Instant) -> Duration {
        let longest = self.lines.timeouts.request;
        if call.urgency == Urgency::May {
            return longest;
        }
        // Whose turn came late still gets the time that an answer usually takes.
        let left = deadline.saturating_duration_since(Instant::now());
        longest.min(left.max(Duration::from_secs(1)))
    }

    /// What the token allows, as Slack says it in a header of every answer.
    pub async fn scopes(&self, patience: Duration) -> Result<Vec<String>, Fault> {
        let call = Call::write("auth.test", &serde_json::json!({}));
        let token = self.token().await?;
        let request = self.request(&call, token.as_ref(), Instant::now() + patience)?;
        let sent = self.lines.client.execute(request).await;
        let response = sent.map_err(|error| Fault::Unreachable(error.without_url().into()))?;
        let said = response.headers().get("x-oauth-scopes");
        let said = said.and_then(|said| said.to_str().ok()).unwrap_or_default();
        let scopes = said.split(',').map(|scope| scope.trim().to_owned());
        Ok(scopes.filter(|scope| !scope.is_empty()).collect())
    }

    /// Puts `body` where a command or a button is answered. The address opens this one reply and
    /// no token goes with it.
    pub async fn respond(&self, url: &str, body: &impl Serialize) -> Result<(), Fault> {
        let url = self.own(url, &["hooks.slack.com"])?;
        let body =
            serde_json::to_vec(body).map_err(|_| Fault::Unsendable("it cannot be written"))?;
        let sent = self.lines.client.post(url);
        let sent = sent
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .body(body)
            .timeout(self.lines.timeouts.request)
            .send()
            .await;
        let response = sent.map_err(|error| {
            if error.is_connect() {
                return Fault::Unreachable(error.without_url().into());
            }
            Fault::Unclear {
                why: "no answer".to_owned(),
                source: Some(error.without_url().into()),
            }
        })?;
        match response.status() {
            StatusCode::OK => Ok(()),
            status if status.is_server_error() => Err(Fault::Unclear {
                why: status.to_string(),
                source: None,
            }),
            status => Err(refused("response_url", status.to_string())),
        }
    }

    /// Fetches a shared file of at most `longest` bytes.
    pub async fn download(&self, url: &str, longest: usize) -> Result<Vec<u8>, Fault> {
        let url = self.own(url, &["files.slack.com"])?;
        let fetched = timeout(self.lines.timeouts.download, self.fetch(&url, longest)).await;
        fetched.unwrap_or_else(|_| Err(unavailable("the download took too long", None)))
    }

    /// An address of Slack's, or of the Slack on this machine; the token goes nowhere else.
    fn own(&self, url: &str, hosts: &[&str]) -> Result<Url, Fault> {
        http::own(url, hosts, &self.lines.base).ok_or(Fault::Elsewhere)
    }

    async fn fetch(&self, url: &Url, longest: usize) -> Result<Vec<u8>, Fault> {
        for tries in 0..3 {
            match self.fetch_once(url, longest).await {
                Err(Fault::Unreachable(_) | Fault::Unavailable { .. }) => {
                    sleep(calls::back_off(tries)).await;
                },
                fetched => return fetched,
            }
        }
        self.fetch_once(url, longest).await
    }

    async fn fetch_once(&self, url: &Url, longest: usize) -> Result<Vec<u8>, Fault> {
        let sent = self.lines.client.get(url.clone());
        let sent = match self.token().await? {
            Some(token) => sent.bearer_auth(token.expose_secret()),
            None => sent,
        };
        let sent = sent.send().await;
        let response = sent.map_err(|error| Fault::Unreachable(error.without_url().into()))?;
        let status = response.status();
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(unavailable(status.as_str(), None));
        }
        let kind = response.headers().get(CONTENT_TYPE);
        let page = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
        // Whoever may not read a file is shown where to sign in.
        if status != StatusCode::OK || (page && !named_html(url)) {
            return Err(refused("the download", "not_allowed_to_read_it".to_owned()));
        }
        read(response, longest).await.map_err(|cut| match cut {
            Cut::TooLong => Fault::TooLong { longest },
            Cut::Broke(error) => unavailable("the download broke off", Some(error.into())),
        })
    }
}

fn named_html(url: &Url) -> bool {
    let path = std::path::Path::new(url.path());
    let end = path.extension().and_then(std::ffi::OsStr::to_str);
    end.is_some_and(|end| ["html", "htm"].contains(&end.to_lowercase().as_str()))
}

fn unavailable(why: &str, source: Option<Cause>) -> Fault {
    Fault::Unavailable {
        why: why.to_owned(),
        source,
    }
}

fn refused(method: &'static str, code: String) -> Fault {
    Fault::Refused { method, code }
}

fn written(form: &[(&'static str, String)]) -> Vec<u8> {
    let mut out = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in form {
        out.append_pair(name, value);
    }
    out.finish().into_bytes()
}

fn kept(held: Held, urgency: Urgency) -> Fault {
    match held {
        _ if urgency == Urgency::May => Fault::NotNow,
        Held::NotNow => Fault::NotNow,
        Held::Late { .. } | Held::Crowded => Fault::Busy,
    }
}

fn cut_short(cut: Cut, call: &Call) -> Setback {
    match cut {
        Cut::Broke(error) => broken(call, error),
        Cut::TooLong => call.setback("the answer is too long to be read".to_owned(), None),
    }
}

fn broken(call: &Call, error: reqwest::Error) -> Setback {
    let why = if error.is_timeout() {
        "no answer in time"
    } else {
        "the connection broke"
    };
    call.setback(why.to_owned(), Some(error.without_url().into()))
}
