//! The one way to Discord's REST.
//!
//! serenity makes the requests and we send them: each answer's headers have to be seen, an
//! answer that does not parse must not be taken for a post that was not made, and a request
//! whose fate is unknown must not be sent again behind the caller's back.
//!
//! Addresses hold the tokens of interactions and bodies hold what people wrote, so neither is
//! in an error, a log line or a `Debug`.

use std::fmt::{self, Debug, Formatter};
use std::time::Duration;

use reqwest::header::AUTHORIZATION;
use reqwest::{Client, StatusCode, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serenity::constants::USER_AGENT;
use serenity::http::{LightMethod, Request, Route};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tracing::dispatcher::{self, Dispatch};
use url::{Url, form_urlencoded};

use super::limiter::{Lane, Limiter, Pass, heard};
use crate::adapters::chat::calls::{self, back_off};
use crate::adapters::chat::http::{self, Cut, is_loopback, read, unread};
use crate::adapters::chat::limiter::{Held, Lane as _, Urgency};
use crate::ports::Cause;

/// Where Discord is, unless the settings say otherwise.
pub const DISCORD: &str = "https://discord.com";

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Until the connection stands.
    pub connect: Duration,
    /// From sending a request to the end of its answer.
    pub request: Duration,
    /// For a file, however often it is tried.
    pub download: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            request: Duration::from_secs(15),
            download: Duration::from_secs(30),
        }
    }
}

/// Why there is no way to Discord with these settings.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// Not an address the token may be sent to.
    #[error(
        "Discord's address must be https://host, or http://host:port on this machine's \
         loopback: the bot's token is sent to it"
    )]
    Address,
    /// Nothing that could be a token.
    #[error("the bot's token is empty or has characters that no token has: copy it again")]
    Token,
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
        matches!(self.code(), Some(50_001 | 50_007 | 50_013))
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

/// Whether it does harm to send a request twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twice {
    /// Reads, edits, deletions, and posts that Discord itself keeps from happening twice.
    /// A deletion that succeeded unheard is refused as unknown the second time.
    Harmless,
    /// Posts.
    Shows,
}

/// One thing asked of Discord.
#[derive(Clone)]
#[must_use]
pub struct Call<'a> {
    route: Route<'a>,
    method: LightMethod,
    body: Option<Vec<u8>>,
    params: Vec<(&'static str, String)>,
    urgency: Urgency,
    twice: Twice,
    patience: Duration,
}

impl<'a> Call<'a> {
    /// How long a call waits for its turn and tries again, unless it says otherwise.
    pub const PATIENCE: Duration = Duration::from_secs(5 * 60);

    /// A call that waits, and may be repeated unless it posts.
    pub fn new(route: Route<'a>, method: LightMethod) -> Self {
        let twice = match method {
            LightMethod::Post => Twice::Shows,
            LightMethod::Delete | LightMethod::Get | LightMethod::Patch | LightMethod::Put => {
                Twice::Harmless
            },
        };
        Self {
            route,
            method,
            body: None,
            params: Vec::new(),
            urgency: Urgency::Should,
            twice,
            patience: Self::PATIENCE,
        }
    }

    /// Reads.
    pub fn get(route: Route<'a>) -> Self {
        Self::new(route, LightMethod::Get)
    }

    /// Makes something new.
    pub fn post(route: Route<'a>) -> Self {
        Self::new(route, LightMethod::Post)
    }

    /// Changes something.
    pub fn patch(route: Route<'a>) -> Self {
        Self::new(route, LightMethod::Patch)
    }

    /// Sets something.
    pub fn put(route: Route<'a>) -> Self {
        Self::new(route, LightMethod::Put)
    }

    /// Removes something.
    pub fn delete(route: Route<'a>) -> Self {
        Self::new(route, LightMethod::Delete)
    }

    /// Sends `body`, which is JSON.
    pub fn body(mut self, body: Vec<u8>) -> Self {
        self.body = Some(body);
        self
    }

    /// Adds to the query.
    pub fn param(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.params.push((name, value.to_string()));
        self
    }

    /// Says how urgent it is.
    pub fn urgency(mut self, urgency: Urgency) -> Self {
        self.urgency = urgency;
        self
    }

    /// Says that Discord or the caller sees to it that it happens once.
    pub fn harmless_twice(mut self) -> Self {
        self.twice = Twice::Harmless;
        self
    }

    /// Gives up after `patience`, without counting what is under way by then.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    fn lane(&self) -> Lane {
        Lane::of(&self.route, self.method)
    }

    fn request(&self) -> Request<'a> {
        let encoded = |value: &str| form_urlencoded::byte_serialize(value.as_bytes()).collect();
        let params = self.params.iter();
        let params: Vec<_> = params
            .map(|(name, value)| (*name, encoded(value)))
            .collect();
        Request::new(self.route, self.method)
            .body(self.body.clone())
            .params((!params.is_empty()).then_some(params))
    }

    /// What an answer that is none means for this call.
    fn setback(&self, why: String, source: Option<Cause>) -> Setback {
        match self.twice {
            Twice::Harmless => Setback::Passing(Fault::Unavailable { why, source }),
            Twice::Shows => Setback::Final(Fault::Unclear { why, source }),
        }
    }
}

impl Debug for Call<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("urgency", &self.urgency)
            .field("twice", &self.twice)
            .finish_non_exhaustive()
    }
}

/// The way to Discord's REST.
#[derive(Debug)]
pub struct Rest {
    client: Client,
    base: Url,
    /// With the word before it that says that it is a bot's.
    token: SecretString,
    timeouts: Timeouts,
    limiter: Limiter,
    /// Whether Discord has said that it does not know the token.
    turned_away: watch::Sender<bool>,
}

type Setback = calls::Setback<Fault>;

impl Rest {
    /// Longer answers are not read to their end.
    const LONGEST: usize = 8 << 20;
    /// Discord's files; both take any path.
    const FILES: [&'static str; 2] = ["cdn.discordapp.com", "media.discordapp.net"];

    /// A way to the Discord at `base` (see [`DISCORD`]) for the bot with `token`.
    pub fn new(base: &str, token: &SecretString, timeouts: Timeouts) -> Result<Self, Unfit> {
        let base = http::address(base).ok_or(Unfit::Address)?;
        let token = authorisation(token)?;
        // Whoever comes first installs it; it is the same one everywhere.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = Client::builder()
            .tls_backend_rustls()
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .referer(false)
            .connect_timeout(timeouts.connect)
            // A connection that the other side closed unseen makes a post's fate unclear.
            .pool_idle_timeout(Duration::from_secs(60));
        let client = if is_loopback(&base) {
            client.no_proxy()
        } else {
            client
        };
        let client = client
            .build()
            .map_err(|error| Unfit::Client(error.without_url().into()))?;
        Ok(Self {
            client,
            base,
            token,
            timeouts,
            limiter: Limiter::new("Discord"),
            turned_away: watch::Sender::new(false),
        })
    }

    /// Asks, and reads the answer.
    pub async fn call<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, Fault> {
        let body = self.send(&call).await?;
        serde_json::from_slice(&body).map_err(|error| Fault::Unclear {
            why: format!("Discord said yes, but {}", unread(&error)),
            source: None,
        })
    }

    /// Asks for something that has no answer but yes.
    pub async fn tell(&self, call: Call<'_>) -> Result<(), Fault> {
        self.send(&call).await.map(drop)
    }

    /// How often Discord turned us away within ten minutes, of what it counts towards a ban.
    pub fn invalid(&self) -> usize {
        self.limiter.invalid()
    }

    /// Returns when Discord does not know the token: nothing more is answered then.
    pub async fn turned_away(&self) {
        let mut turned_away = self.turned_away.subscribe();
        // The sender lives as long as we do.
        drop(turned_away.wait_for(|away| *away).await);
    }

    async fn send(&self, call: &Call<'_>) -> Result<Vec<u8>, Fault> {
        if *self.turned_away.borrow() {
            return Err(Fault::Unauthorised);
        }
        let deadline = Instant::now() + call.patience;
        for tries in 0.. {
            let pass = self.limiter.pass(call.lane(), call.urgency, deadline);
            let pass = pass.await.map_err(|held| kept(held, call.urgency))?;
            let setback = match self.once(call, pass, deadline).await {
                Ok(body) => return Ok(body),
                Err(setback) => setback,
            };
            let again = (tries, call.urgency, deadline);
            sleep(setback.pause(again, || Fault::NotNow)?).await;
        }
        Err(Fault::Busy { pause: None })
    }

    async fn once(
        &self,
        call: &Call<'_>,
        pass: Pass<'_>,
        deadline: Instant,
    ) -> Result<Vec<u8>, Setback> {
        let request = match self.request(call, deadline) {
            Ok(request) => request,
            Err(fault) => {
                pass.never_left();
                return Err(Setback::Final(fault));
            },
        };
        let response = match self.client.execute(request).await {
            Ok(response) => response,
            Err(error) if error.is_connect() => {
                pass.never_left();
                let fault = Fault::Unreachable(error.without_url().into());
                return Err(Setback::Passing(fault));
            },
            Err(error) => return Err(broken(call, error)),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let body = read(response, Self::LONGEST).await;
        let known = body.as_deref().unwrap_or_default();
        let heard = heard(status, &headers, known);
        pass.answered(&heard);
        match status {
            _ if status.is_success() => body.map_err(|cut| cut_short(cut, call)),
            StatusCode::TOO_MANY_REQUESTS => Err(Setback::Limited),
            StatusCode::UNAUTHORIZED if !call.lane().has_own_token() => {
                self.turned_away.send_replace(true);
                Err(Setback::Final(Fault::Unauthorised))
            },
            _ if status.is_server_error() => Err(call.setback(status.to_string(), None)),
            _ => Err(Setback::Final(refused(status, known))),
        }
    }

    fn request(&self, call: &Call<'_>, deadline: Instant) -> Result<reqwest::Request, Fault> {
        let base = self.base.as_str();
        let token = self.token.expose_secret();
        // serenity puts the whole request into a span.
        let built = dispatcher::with_default(&Dispatch::none(), || {
            let built = call.request().build(&self.client, token, Some(base));
            built.map_err(|_| Fault::Unsendable("its address is malformed"))
        })?;
        let mut request = built
            .timeout(self.time_for(call, deadline))
            .build()
            .map_err(|_| Fault::Unsendable("its parts do not fit together"))?;
        if request.url().origin() != self.base.origin() {
            return Err(Fault::Unsendable("it is not for Discord's API"));
        }
        if let Some(token) = request.headers_mut().get_mut(AUTHORIZATION) {
            token.set_sensitive(true);
        }
        Ok(request)
    }

    fn time_for(&self, call: &Call<'_>, deadline: Instant) -> Duration {
        if call.urgency == Urgency::May {
            return self.timeouts.request;
        }
        // Whose turn came late still gets the time that an answer usually takes.
        let left = deadline.saturating_duration_since(Instant::now());
        self.timeouts.request.min(left.max(Duration::from_secs(1)))
    }

    /// Fetches an attachment of at most `longest` bytes.
    pub async fn download(&self, url: &str, longest: usize) -> Result<Vec<u8>, Fault> {
        let url = self.file(url)?;
        let fetched = timeout(self.timeouts.download, self.fetch(&url, longest)).await;
        fetched.unwrap_or_else(|_| {
            Err(Fault::Unavailable {
                why: "the download took too long".to_owned(),
                source: None,
            })
        })
    }

    fn file(&self, url: &str) -> Result<Url, Fault> {
        let url = Url::parse(url).map_err(|_| Fault::Elsewhere)?;
        let discord = url.scheme() == "https"
            && url.port().is_none()
            && url
                .host_str()
                .is_some_and(|host| Self::FILES.contains(&host));
        let here = is_loopback(&self.base) && url.origin() == self.base.origin();
        let plain = url.username().is_empty() && url.password().is_none();
        if (discord || here) && plain {
            return Ok(url);
        }
        Err(Fault::Elsewhere)
    }

    async fn fetch(&self, url: &Url, longest: usize) -> Result<Vec<u8>, Fault> {
        for tries in 0..3 {
            match self.fetch_once(url, longest).await {
                Err(Fault::Unreachable(_) | Fault::Unavailable { .. }) => {
                    sleep(back_off(tries)).await;
                },
                fetched => return fetched,
            }
        }
        self.fetch_once(url, longest).await
    }

    async fn fetch_once(&self, url: &Url, longest: usize) -> Result<Vec<u8>, Fault> {
        let sent = self.client.get(url.clone()).send().await;
        let response = sent.map_err(|error| Fault::Unreachable(error.without_url().into()))?;
        let status = response.status();
        if status == StatusCode::TOO_MANY_REQUESTS {
            let pause = heard(status, response.headers(), &[]).pause();
            return Err(Fault::Busy { pause });
        }
        if status.is_server_error() {
            let why = status.to_string();
            return Err(Fault::Unavailable { why, source: None });
        }
        if status != StatusCode::OK {
            return Err(refused(status, &[]));
        }
        read(response, longest).await.map_err(|cut| match cut {
            Cut::TooLong => Fault::TooLong { longest },
            Cut::Broke(error) => Fault::Unavailable {
                why: "the download broke off".to_owned(),
                source: Some(error.into()),
            },
        })
    }
}

/// Whether the token may be sent to a gateway at `address`.
pub(super) fn is_safe(address: &str) -> bool {
    Url::parse(address).is_ok_and(|url| match url.scheme() {
        "wss" => true,
        "ws" => is_loopback(&url),
        _ => false,
    })
}

fn authorisation(token: &SecretString) -> Result<SecretString, Unfit> {
    let token = token.expose_secret().trim();
    let bare = token.strip_prefix("Bot");
    let bare = bare.filter(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace));
    let token = bare.unwrap_or(token).trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Unfit::Token);
    }
    Ok(format!("Bot {token}").into())
}

fn kept(held: Held, urgency: Urgency) -> Fault {
    match held {
        _ if urgency == Urgency::May => Fault::NotNow,
        Held::NotNow => Fault::NotNow,
        Held::Late { pause } => Fault::Busy { pause },
        Held::Crowded => Fault::Busy { pause: None },
    }
}

fn cut_short(cut: Cut, call: &Call<'_>) -> Setback {
    match cut {
        Cut::Broke(error) => broken(call, error),
        Cut::TooLong => Setback::Final(Fault::Unclear {
            why: "the answer is too long to be read".to_owned(),
            source: None,
        }),
    }
}

fn broken(call: &Call<'_>, error: reqwest::Error) -> Setback {
    let why = if error.is_timeout() {
        "no answer in time"
    } else {
        "the connection broke"
    };
    call.setback(why.to_owned(), Some(error.without_url().into()))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    code: i64,
    message: String,
    errors: Value,
}

/// The places of slips, not what Discord says of them: that may quote the request.
fn refused(status: StatusCode, body: &[u8]) -> Fault {
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
    use std::collections::VecDeque;
    use std::error::Error as _;
    use std::fmt::Write as _;
    use std::io;
    use std::sync::{Arc, Mutex};

    use serenity::model::id::{ApplicationId, ChannelId, InteractionId, MessageId};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::JoinSet;

    use super::*;

    const BOT: &str = "b0t-t0ken";
    const INTERACTION: &str = "1nteraction-t0ken";

    /// What the other side does with one request.
    enum Turn {
        Says(u16, &'static str, &'static str),
        /// Reads the request and hangs up.
        HangsUp,
        /// Promises more than it sends.
        BreaksOff,
        /// Never answers.
        Silent,
    }
    use Turn::{BreaksOff, HangsUp, Says, Silent};

    #[derive(Default)]
    struct Script {
        turns: VecDeque<Turn>,
        heard: Vec<(Instant, String)>,
    }

    /// A server that does one thing after the other.
    struct Server {
        rest: Rest,
        base: String,
        script: Arc<Mutex<Script>>,
        _serving: JoinSet<()>,
    }

    impl Server {
        async fn new(turns: impl IntoIterator<Item = Turn>) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            Self::at(listener, turns)
        }

        fn at(listener: TcpListener, turns: impl IntoIterator<Item = Turn>) -> Self {
            let base = format!("http://{}", listener.local_addr().unwrap());
            let script = Arc::new(Mutex::new(Script {
                turns: turns.into_iter().collect(),
                heard: Vec::new(),
            }));
            let mut serving = JoinSet::new();
            serving.spawn(serve(listener, Arc::clone(&script)));
            Self {
                rest: rest(&base),
                base,
                script,
                _serving: serving,
            }
        }

        fn heard(&self) -> Vec<String> {
            let heard = std::mem::take(&mut self.script.lock().unwrap().heard);
            heard.into_iter().map(|(_, request)| request).collect()
        }

        /// How long after the first request the second one came.
        fn apart(&self) -> Duration {
            let heard = &self.script.lock().unwrap().heard;
            heard[1].0.duration_since(heard[0].0)
        }
    }

    fn rest(base: &str) -> Rest {
        let timeouts = Timeouts {
            request: Duration::from_secs(2),
            download: Duration::from_secs(3),
            ..Timeouts::default()
        };
        Rest::new(base, &SecretString::from(BOT), timeouts).unwrap()
    }

    async fn serve(listener: TcpListener, script: Arc<Mutex<Script>>) {
        let mut lines = JoinSet::new();
        loop {
            let (line, _) = listener.accept().await.unwrap();
            lines.spawn(answer(line, Arc::clone(&script)));
        }
    }

    async fn answer(mut line: TcpStream, script: Arc<Mutex<Script>>) {
        let Ok(request) = hear(&mut line).await else {
            return;
        };
        let turn = {
            let mut script = script.lock().unwrap();
            script.heard.push((Instant::now(), request));
            script.turns.pop_front().expect("a turn for each request")
        };
        let said = match turn {
            HangsUp => return,
            Silent => return std::future::pending().await,
            BreaksOff => "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"id\"".to_owned(),
            Says(status, headers, body) => format!(
                "HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            ),
        };
        line.write_all(said.as_bytes()).await.unwrap();
    }

    async fn hear(line: &mut TcpStream) -> io::Result<String> {
        let mut request = Vec::new();
        loop {
            request.push(line.read_u8().await?);
            if request.ends_with(b"\r\n\r\n") {
                break;
            }
        }
        let head = String::from_utf8(request).unwrap();
        let length = head.to_lowercase();
        let length = length.split("content-length: ").nth(1);
        let length = length.map_or(0, |rest| rest.lines().next().unwrap().parse().unwrap());
        let mut body = vec![0; length];
        line.read_exact(&mut body).await?;
        Ok(head + &String::from_utf8(body).unwrap())
    }

    fn read_channel<'a>() -> Call<'a> {
        let channel_id = ChannelId::new(1);
        Call::get(Route::Channel { channel_id })
    }

    fn post<'a>() -> Call<'a> {
        let channel_id = ChannelId::new(1);
        Call::post(Route::ChannelMessages { channel_id })
            .body(br#"{"content":"pr1vate"}"#.to_vec())
            .urgency(Urgency::Must)
    }

    fn edit<'a>() -> Call<'a> {
        let route = Route::ChannelMessage {
            channel_id: ChannelId::new(1),
            message_id: MessageId::new(2),
        };
        Call::patch(route).body(b"{}".to_vec())
    }

    fn callback<'a>() -> Call<'a> {
        let route = Route::InteractionResponse {
            interaction_id: InteractionId::new(3),
            token: INTERACTION,
        };
        Call::post(route).body(b"{}".to_vec())
    }

    fn edit_original<'a>() -> Call<'a> {
        let route = Route::WebhookOriginalInteractionResponse {
            application_id: ApplicationId::new(4),
            token: INTERACTION,
        };
        Call::patch(route).body(b"{}".to_vec())
    }

    /// Everything an error says, to people and to programmers.
    fn told(fault: &Fault) -> String {
        let mut told = format!("{fault} {fault:?}");
        let mut source = fault.source();
        while let Some(cause) = source {
            write!(told, " {cause} {cause:?}").unwrap();
            source = cause.source();
        }
        told
    }

    #[track_caller]
    fn check_keeps_secrets(fault: &Fault) {
        let told = told(fault);
        for secret in [BOT, INTERACTION, "pr1vate", "/api/"] {
            assert!(!told.contains(secret), "{told}");
        }
    }

    #[tokio::test]
    async fn a_call_goes_where_and_as_it_should() {
        let server = Server::new([Says(200, "", r#"{"id": "1"}"#)]).await;
        let call = read_channel().param("limit", 50).param("q", "a&b c");
        let answer: Value = server.rest.call(call).await.unwrap();
        assert_eq!(answer["id"], "1");
        let heard = &server.heard()[0];
        assert!(heard.starts_with("GET /api/v10/channels/1?&limit=50&q=a%26b+c HTTP/1.1\r\n"));
        assert!(heard.contains(&format!("authorization: Bot {BOT}\r\n")));
        assert!(heard.contains("user-agent: DiscordBot (https://github.com/serenity-rs/"));
        assert_eq!(heard.matches("user-agent").count(), 1);
    }

    #[tokio::test]
    async fn a_body_is_sent_as_json_and_an_answer_need_not_have_one() {
        let server = Server::new([Says(204, "", "")]).await;
        server.rest.tell(callback()).await.unwrap();
        let heard = &server.heard()[0];
        assert!(heard.starts_with(&format!(
            "POST /api/v10/interactions/3/{INTERACTION}/callback HTTP/1.1\r\n"
        )));
        assert!(heard.contains("content-type: application/json\r\n"));
        assert!(heard.ends_with("\r\n\r\n{}"));
    }

    #[tokio::test]
    async fn the_limits_in_the_headers_are_kept() {
        let headers = "x-ratelimit-bucket: b\r\nx-ratelimit-limit: 1\r\n\
                       x-ratelimit-remaining: 0\r\nx-ratelimit-reset-after: 0.6\r\n";
        let server = Server::new([Says(200, headers, "{}"), Says(200, headers, "{}")]).await;
        server.rest.tell(post()).await.unwrap();
        let progress = post().urgency(Urgency::May);
        assert!(matches!(
            server.rest.tell(progress).await,
            Err(Fault::NotNow)
        ));
        let hurried = post().patience(Duration::from_millis(100));
        let fault = server.rest.tell(hurried).await.unwrap_err();
        assert!(matches!(fault, Fault::Busy { pause: Some(_) }), "{fault:?}");
        server.rest.tell(post()).await.unwrap();
        assert!(server.apart() >= Duration::from_millis(600));
        assert_eq!(server.rest.invalid(), 0);
    }

    async fn check_waits(headers: &'static str, body: &'static str, invalid: usize) {
        let server = Server::new([Says(429, headers, body), Says(200, "", "{}")]).await;
        server.rest.tell(post()).await.unwrap();
        assert!(server.apart() >= Duration::from_secs(1), "{headers}");
        assert_eq!(server.rest.invalid(), invalid, "{headers}");
    }

    #[tokio::test]
    async fn a_429_is_waited_for_whoever_it_concerns() {
        let body = r#"{"message": "slow", "retry_after": 0.7, "global": false}"#;
        let user = "retry-after: 1\r\nx-ratelimit-scope: user\r\n";
        let shared = "retry-after: 1\r\nx-ratelimit-scope: shared\r\n";
        let global = r#"{"message": "slow", "retry_after": 1.0, "global": true}"#;
        tokio::join!(
            check_waits(user, body, 1),
            check_waits(shared, body, 0),
            check_waits("", global, 1),
            check_waits("retry-after: 1\r\n", "<html>", 1),
        );
    }

    #[tokio::test]
    async fn a_global_429_holds_other_channels_too() {
        let body = r#"{"message": "slow", "retry_after": 0.8, "global": true}"#;
        let server = Server::new([
            Says(429, "", body),
            Says(200, "", "{}"),
            Says(200, "", "{}"),
        ])
        .await;
        let progress = edit().urgency(Urgency::May);
        let fault = server.rest.tell(progress).await.unwrap_err();
        assert!(matches!(fault, Fault::NotNow));
        server.rest.tell(callback()).await.unwrap();
        assert!(server.apart() < Duration::from_millis(700));
        server.script.lock().unwrap().heard.pop();
        server.rest.tell(read_channel()).await.unwrap();
        assert!(server.apart() >= Duration::from_millis(800));
    }

    #[tokio::test]
    async fn what_does_no_harm_twice_is_tried_again() {
        let server = Server::new([
            Says(500, "", "oops"),
            HangsUp,
            BreaksOff,
            Says(200, "", "{}"),
        ])
        .await;
        server.rest.tell(edit()).await.unwrap();
        assert_eq!(server.heard().len(), 4);
        let server = Server::new([HangsUp, Says(200, "", "{}")]).await;
        server.rest.tell(post().harmless_twice()).await.unwrap();
        assert_eq!(server.heard().len(), 2);
    }

    #[tokio::test]
    async fn a_post_whose_fate_is_unknown_is_not_sent_again() {
        for turn in [
            Says(502, "", ""),
            HangsUp,
            BreaksOff,
            Silent,
            Says(200, "", "<html>"),
            Says(200, "", r#"{"content": "pr1vate", "id": "pr1vate"}"#),
        ] {
            let server = Server::new([turn]).await;
            let answer = server.rest.call::<Vec<u64>>(post()).await;
            let fault = answer.unwrap_err();
            assert!(matches!(fault, Fault::Unclear { .. }), "{fault:?}");
            assert!(!fault.may_be_tried_again());
            check_keeps_secrets(&fault);
            assert_eq!(server.heard().len(), 1);
        }
    }

    #[tokio::test]
    async fn an_answer_that_lacks_something_says_what() {
        #[derive(Debug, Deserialize)]
        struct Posted {
            #[expect(dead_code, reason = "it is only missed")]
            id: String,
        }
        let server = Server::new([Says(200, "", r#"{"content": "pr1vate"}"#)]).await;
        let fault = server.rest.call::<Posted>(post()).await.unwrap_err();
        assert!(fault.to_string().contains("lacks `id`"), "{fault}");
        check_keeps_secrets(&fault);
    }

    #[tokio::test]
    async fn nothing_left_while_nobody_answers_the_door() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let early = rest(&format!("http://{address}"));
        let hurried = callback().patience(Duration::from_millis(100));
        let fault = early.tell(hurried).await.unwrap_err();
        assert!(matches!(fault, Fault::Unreachable(_)), "{fault:?}");
        check_keeps_secrets(&fault);
        let (sent, server) = tokio::join!(early.tell(post()), async {
            sleep(Duration::from_millis(300)).await;
            let listener = TcpListener::bind(address).await.unwrap();
            Server::at(listener, [Says(200, "", "{}")])
        });
        sent.unwrap();
        assert_eq!(server.heard().len(), 1);
    }

    #[tokio::test]
    async fn a_read_that_is_never_answered_ends() {
        let server = Server::new([Silent, Silent]).await;
        let call = read_channel().patience(Duration::from_millis(2_600));
        let began = Instant::now();
        let fault = server.rest.tell(call).await.unwrap_err();
        assert!(matches!(fault, Fault::Unavailable { .. }), "{fault:?}");
        assert!(fault.may_be_tried_again());
        assert!(began.elapsed() < Duration::from_secs(5));
        let call = read_channel().urgency(Urgency::May);
        let server = Server::new([Says(503, "", "")]).await;
        assert!(server.rest.tell(call).await.is_err());
        assert_eq!(server.heard().len(), 1);
    }

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

    #[tokio::test]
    async fn a_token_that_is_not_known_ends_it_unless_it_was_an_interactions() {
        let server = Server::new([
            Says(
                401,
                "",
                r#"{"code": 50027, "message": "Invalid Webhook Token"}"#,
            ),
            Says(401, "", r#"{"code": 0, "message": "401: Unauthorized"}"#),
        ])
        .await;
        let fault = server.rest.tell(edit_original()).await.unwrap_err();
        assert!(fault.is_expired(), "{fault:?}");
        check_keeps_secrets(&fault);
        // From here on nothing is asked any more.
        for call in [edit(), edit_original()] {
            let fault = server.rest.tell(call).await.unwrap_err();
            assert!(matches!(fault, Fault::Unauthorised), "{fault:?}");
            check_keeps_secrets(&fault);
        }
    }

    #[tokio::test]
    async fn an_endless_answer_is_not_read() {
        let long = "content-length: 99999999\r\nx-";
        let server = Server::new([Says(200, long, "")]).await;
        let fault = server.rest.tell(read_channel()).await.unwrap_err();
        assert!(!fault.may_be_tried_again(), "{fault:?}");
    }

    fn made(base: &str) -> Result<Rest, Unfit> {
        Rest::new(base, &SecretString::from(BOT), Timeouts::default())
    }

    #[test]
    fn the_token_leaves_the_machine_only_encrypted() {
        for base in [
            DISCORD,
            "https://discord.example.com:8443/",
            "http://127.0.0.1:80",
            "http://127.9.9.9:1",
            "http://[::1]:80",
            "http://localhost:80",
        ] {
            assert!(made(base).is_ok(), "{base}");
        }
        for base in [
            "http://discord.com",
            "http://10.0.0.1:80",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "http://0.0.0.0:80",
            "ftp://127.0.0.1",
            "https://user@discord.com",
            "https://discord.com/api",
            "https://discord.com?x",
            "discord.com",
            "",
        ] {
            assert!(matches!(made(base), Err(Unfit::Address)), "{base}");
        }
    }

    #[test]
    fn a_token_that_is_none_is_told_at_once() {
        let made = |token: &str| Rest::new(DISCORD, &token.into(), Timeouts::default());
        for token in ["", "  ", "Bot ", "two words", "t\u{f6}ken", "line\nbreak"] {
            assert!(matches!(made(token), Err(Unfit::Token)), "{token:?}");
        }
        let rest = made("  Bot abc\n").unwrap();
        assert_eq!(rest.token.expose_secret(), "Bot abc");
        assert!(!format!("{rest:?}").contains("abc"));
        assert!(!format!("{:?}", callback()).contains(INTERACTION));
    }

    #[test]
    fn a_post_can_be_awaited_anywhere() {
        fn is_send<T: Send>(future: T) {
            drop(future);
        }
        let rest = rest("http://127.0.0.1:1");
        is_send(rest.call::<Value>(post()));
        is_send(rest.download("x", 1));
    }

    #[tokio::test]
    async fn a_file_is_fetched_without_the_token_and_within_its_limit() {
        let server = Server::new([
            Says(200, "", "0123456789"),
            Says(200, "", "0123456789"),
            Says(
                200,
                "transfer-encoding: chunked\r\nx-",
                "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n",
            ),
            Says(302, "location: https://example.com/\r\n", ""),
            Says(404, "", "gone"),
            Says(503, "", ""),
            Says(200, "", "back"),
        ])
        .await;
        let url = format!("{}/attachments/1/2/a.txt?ex=1&hm=s1gned", server.base);
        let fetched = server.rest.download(&url, 10).await.unwrap();
        assert_eq!(fetched, b"0123456789");
        let heard = server.heard();
        assert!(heard[0].starts_with("GET /attachments/1/2/a.txt?ex=1&hm=s1gned "));
        assert!(!heard[0].contains(BOT));
        for _ in 0..2 {
            let fault = server.rest.download(&url, 9).await.unwrap_err();
            assert!(matches!(fault, Fault::TooLong { longest: 9 }), "{fault:?}");
        }
        for status in [302, 404] {
            let fault = server.rest.download(&url, 9).await.unwrap_err();
            assert!(fault.to_string().contains(&status.to_string()));
            assert!(!told(&fault).contains("s1gned"));
        }
        assert_eq!(server.rest.download(&url, 9).await.unwrap(), b"back");
    }

    #[tokio::test]
    async fn a_file_that_never_comes_is_given_up() {
        let server = Server::new([Silent]).await;
        let fault = server.rest.download(&server.base, 9).await.unwrap_err();
        assert!(fault.may_be_tried_again(), "{fault:?}");
    }

    #[test]
    fn files_come_from_discord_only() {
        let real = rest(DISCORD);
        let fake = rest("http://127.0.0.1:4000");
        for url in [
            "https://cdn.discordapp.com/attachments/1/2/a.txt?ex=1",
            "https://media.discordapp.net/attachments/1/2/a.png",
            "https://cdn.discordapp.com:443/a",
        ] {
            assert!(real.file(url).is_ok() && fake.file(url).is_ok(), "{url}");
        }
        assert!(fake.file("http://127.0.0.1:4000/a").is_ok());
        for url in [
            "http://cdn.discordapp.com/a",
            "https://cdn.discordapp.com:8443/a",
            "https://cdn.discordapp.com.example.com/a",
            "https://user@cdn.discordapp.com/a",
            "https://cdn.discordapp.com@example.com/a",
            "https://example.com/cdn.discordapp.com",
            "https://discord.com/a",
            "http://127.0.0.1:4001/a",
            "http://localhost:4000/a",
            "file:///etc/passwd",
            "a.txt",
        ] {
            assert!(real.file(url).is_err() && fake.file(url).is_err(), "{url}");
        }
        assert!(real.file("http://127.0.0.1:4000/a").is_err());
    }

    /// Keeps what is logged.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn no_log_holds_a_token_or_a_body() {
        use tracing_subscriber::fmt::format::FmtSpan;
        let log = Log::default();
        let writer = log.clone();
        let listening = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_span_events(FmtSpan::FULL)
            .with_writer(move || writer.clone())
            .finish();
        let _listening = tracing::subscriber::set_default(listening);
        let server = Server::new([
            Says(500, "", ""),
            Says(429, "retry-after: 1\r\n", "{}"),
            Says(200, "", "{}"),
            HangsUp,
        ])
        .await;
        let body = br#"{"content":"pr1vate"}"#.to_vec();
        server.rest.tell(edit_original().body(body)).await.unwrap();
        assert!(server.rest.tell(callback()).await.is_err());
        let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert!(log.contains("trying again"), "{log}");
        for secret in [BOT, INTERACTION, "pr1vate", "112, 114, 49, 118"] {
            assert!(!log.contains(secret), "{log}");
        }
    }
}
