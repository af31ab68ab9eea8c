//! The one way to Discord's REST.
//!
//! serenity makes the requests and we send them: each answer's headers have to be seen, an
//! answer that does not parse must not be taken for a post that was not made, and a request
//! whose fate is unknown must not be sent again behind the caller's back.
//!
//! Addresses hold the tokens of interactions and bodies hold what people wrote, so neither is
//! in an error, a log line or a `Debug`.
//!
//! `call` is one thing that is asked, `fault` what may come of it instead, `file` fetches what
//! people attached.

mod call;
mod fault;
mod file;

pub use call::Call;
pub use fault::Fault;

use std::time::Duration;

use reqwest::header::AUTHORIZATION;
use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use serenity::constants::USER_AGENT;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tracing::dispatcher::{self, Dispatch};
use url::Url;

use super::limiter::{Limiter, Pass, heard};
use crate::adapters::chat::calls;
use crate::adapters::chat::http::{self, Cut, Timeouts, is_loopback, read, unread};
use crate::adapters::chat::limiter::{Held, Lane as _, Urgency};
use crate::ports::Cause;
use fault::refused;

/// Where Discord is, unless the settings say otherwise.
pub const DISCORD: &str = "https://discord.com";

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

    /// A way to the Discord at `base` (see [`DISCORD`]) for the bot with `token`.
    pub fn new(base: &str, token: &SecretString, timeouts: Timeouts) -> Result<Self, Unfit> {
        let base = http::address(base).ok_or(Unfit::Address)?;
        let token = authorisation(token)?;
        let client = http::client(&base, USER_AGENT, timeouts, Duration::from_secs(60))
            .map_err(|error| Unfit::Client(error.into()))?;
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

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use serde::Deserialize;
    use serde_json::Value;
    use tokio::net::TcpListener;

    use super::server::Turn::{BreaksOff, HangsUp, Says, Silent};
    use super::server::{
        BOT, INTERACTION, Server, callback, check_keeps_secrets, edit, edit_original, post,
        read_channel, rest,
    };
    use super::*;

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

#[cfg(test)]
mod server;
