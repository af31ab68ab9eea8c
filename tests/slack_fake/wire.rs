//! A client of Socket Mode that does nothing by itself, for what a client library would not do.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::api::Api;
use crate::support::loopback::give_up;
use crate::support::slack::Slack;
use crate::support::slack::places::Workspace;

pub(super) struct Wire {
    stream: TcpStream,
}

/// What came over a link.
#[derive(Debug, PartialEq)]
pub(super) enum Came {
    Text(Value),
    /// A text that is no JSON.
    Noise(String),
    Bytes(Vec<u8>),
    Ping(Vec<u8>),
    Closed(Option<u16>),
    /// The line ended with no word.
    Gone,
    Nothing,
}

/// How long nothing is waited for.
const SILENCE: Duration = Duration::from_millis(400);

impl Wire {
    /// A link as a bot opens it.
    pub(super) async fn opens(town: &Slack, workspace: &Workspace) -> Self {
        let api = Api::of(town, workspace).with_token(&town.app_token());
        let opened = api.calls("apps.connections.open", &json!({})).await;
        assert!(opened.ok(), "{opened:?}");
        let (status, wire) = Self::connects(&opened.text("url")).await;
        assert_eq!(status, "101");
        wire
    }

    /// A link that was said hello to.
    pub(super) async fn greeted(town: &Slack, workspace: &Workspace) -> Self {
        let mut wire = Self::opens(town, workspace).await;
        let hello = wire.text().await;
        assert_eq!(hello["type"], "hello");
        wire
    }

    /// Shakes hands at an address; the status of the answer.
    pub(super) async fn connects(url: &str) -> (String, Self) {
        let url = url::Url::parse(url).unwrap();
        let address = format!("127.0.0.1:{}", url.port().unwrap());
        let mut stream = TcpStream::connect(address).await.unwrap();
        let path = &url[url::Position::BeforePath..];
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => break,
            }
        }
        let head = String::from_utf8(head).unwrap();
        let status = head.split(' ').nth(1).unwrap_or("").to_owned();
        (status, Self { stream })
    }

    /// The next thing that comes; it must.
    pub(super) async fn next(&mut self) -> Came {
        let patience = Duration::from_secs(10);
        let frame = tokio::time::timeout(patience, self.frame()).await;
        frame.expect("something")
    }

    /// The next thing that comes, or nothing after a while.
    pub(super) async fn hears(&mut self) -> Came {
        let frame = tokio::time::timeout(SILENCE, self.frame()).await;
        frame.unwrap_or(Came::Nothing)
    }

    /// The next text, with pings left out.
    pub(super) async fn text(&mut self) -> Value {
        let patience = Duration::from_secs(10);
        let text = tokio::time::timeout(patience, self.next_text()).await;
        text.expect("a text")
    }

    async fn next_text(&mut self) -> Value {
        loop {
            let came = self.frame().await;
            if let Came::Text(text) = came {
                return text;
            }
            if !matches!(came, Came::Ping(_)) {
                give_up(&format!("no text came but {came:?}"));
            }
        }
    }

    async fn frame(&mut self) -> Came {
        match self.read().await {
            Ok(came) => came,
            Err(_) => Came::Gone,
        }
    }

    async fn read(&mut self) -> std::io::Result<Came> {
        let kind = self.stream.read_u8().await? & 0x0F;
        let length = match self.stream.read_u8().await? {
            126 => u64::from(self.stream.read_u16().await?),
            127 => self.stream.read_u64().await?,
            short => u64::from(short),
        };
        let mut bytes = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut bytes).await?;
        Ok(match kind {
            1 => {
                let text = String::from_utf8(bytes).unwrap();
                serde_json::from_str(&text).map_or(Came::Noise(text), Came::Text)
            },
            2 => Came::Bytes(bytes),
            8 => {
                let code = bytes.first_chunk().map(|code| u16::from_be_bytes(*code));
                Came::Closed(code)
            },
            _ => Came::Ping(bytes),
        })
    }

    pub(super) async fn says(&mut self, body: &Value) {
        self.sends(1, body.to_string().as_bytes()).await;
    }

    /// Sends a frame; the mask is nothing, which is one too.
    pub(super) async fn sends(&mut self, kind: u8, bytes: &[u8]) {
        let mut frame = vec![0x80 | kind];
        match u8::try_from(bytes.len()) {
            Ok(short) if short < 126 => frame.push(0x80 | short),
            _ => {
                frame.push(0xFE);
                frame.extend(u16::try_from(bytes.len()).unwrap().to_be_bytes());
            },
        }
        frame.extend([0; 4]);
        frame.extend(bytes);
        self.stream.write_all(&frame).await.unwrap();
    }

    /// Acknowledges an envelope.
    pub(super) async fn acknowledges(&mut self, envelope: &Value) {
        self.says(&json!({ "envelope_id": envelope["envelope_id"] }))
            .await;
    }

    /// The next event of the kind `wanted`; what comes before is acknowledged, and so is it.
    pub(super) async fn event(&mut self, wanted: &str) -> Value {
        loop {
            let envelope = self.text().await;
            self.acknowledges(&envelope).await;
            let event = &envelope["payload"]["event"];
            if event["type"] == wanted {
                return event.clone();
            }
        }
    }
}
