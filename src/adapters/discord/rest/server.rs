//! A server that does one thing after the other, and calls to make to it: for the tests of this
//! room.

use std::collections::VecDeque;
use std::error::Error as _;
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use secrecy::SecretString;
use serenity::http::Route;
use serenity::model::id::{ApplicationId, ChannelId, InteractionId, MessageId};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Call, Fault, Rest};
use crate::adapters::chat::http::Timeouts;
use crate::adapters::chat::limiter::Urgency;

pub(super) const BOT: &str = "b0t-t0ken";
pub(super) const INTERACTION: &str = "1nteraction-t0ken";

/// What the other side does with one request.
pub(super) enum Turn {
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
pub(super) struct Script {
    turns: VecDeque<Turn>,
    pub(super) heard: Vec<(Instant, String)>,
}

/// A server that does one thing after the other.
pub(super) struct Server {
    pub(super) rest: Rest,
    pub(super) base: String,
    pub(super) script: Arc<Mutex<Script>>,
    _serving: JoinSet<()>,
}

impl Server {
    pub(super) async fn new(turns: impl IntoIterator<Item = Turn>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::at(listener, turns)
    }

    pub(super) fn at(listener: TcpListener, turns: impl IntoIterator<Item = Turn>) -> Self {
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

    pub(super) fn heard(&self) -> Vec<String> {
        let heard = std::mem::take(&mut self.script.lock().unwrap().heard);
        heard.into_iter().map(|(_, request)| request).collect()
    }

    /// How long after the first request the second one came.
    pub(super) fn apart(&self) -> Duration {
        let heard = &self.script.lock().unwrap().heard;
        heard[1].0.duration_since(heard[0].0)
    }
}

pub(super) fn rest(base: &str) -> Rest {
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

pub(super) fn read_channel<'a>() -> Call<'a> {
    let channel_id = ChannelId::new(1);
    Call::get(Route::Channel { channel_id })
}

pub(super) fn post<'a>() -> Call<'a> {
    let channel_id = ChannelId::new(1);
    Call::post(Route::ChannelMessages { channel_id })
        .body(br#"{"content":"pr1vate"}"#.to_vec())
        .urgency(Urgency::Must)
}

pub(super) fn edit<'a>() -> Call<'a> {
    let route = Route::ChannelMessage {
        channel_id: ChannelId::new(1),
        message_id: MessageId::new(2),
    };
    Call::patch(route).body(b"{}".to_vec())
}

pub(super) fn callback<'a>() -> Call<'a> {
    let route = Route::InteractionResponse {
        interaction_id: InteractionId::new(3),
        token: INTERACTION,
    };
    Call::post(route).body(b"{}".to_vec())
}

pub(super) fn edit_original<'a>() -> Call<'a> {
    let route = Route::WebhookOriginalInteractionResponse {
        application_id: ApplicationId::new(4),
        token: INTERACTION,
    };
    Call::patch(route).body(b"{}".to_vec())
}

/// Everything an error says, to people and to programmers.
pub(super) fn told(fault: &Fault) -> String {
    let mut told = format!("{fault} {fault:?}");
    let mut source = fault.source();
    while let Some(cause) = source {
        write!(told, " {cause} {cause:?}").unwrap();
        source = cause.source();
    }
    told
}

#[track_caller]
pub(super) fn check_keeps_secrets(fault: &Fault) {
    let told = told(fault);
    for secret in [BOT, INTERACTION, "pr1vate", "/api/"] {
        assert!(!told.contains(secret), "{told}");
    }
}
