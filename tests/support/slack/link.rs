//! One link of Socket Mode: what it hears and says, until it ends or is cut.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::Instant;

use super::super::line::Line;
use super::Shared;
use super::faults::{Babble, Cut, Greeting};
use super::post;
use super::record::Frame;
use super::socket::{self, Order};
use super::world::Switch;

/// Takes a WebSocket in, as the test has ordered.
pub(crate) async fn open(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(line): ConnectInfo<Line>,
    Query(query): Query<BTreeMap<String, String>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let greeting = shared.world().faults.greeting();
    if let Some(response) = greeting.turns_away(&line).await {
        return response;
    }
    let ticket = query.get("ticket").map_or("", String::as_str);
    if !shared.world().links.admits(ticket) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let (sender, orders) = unbounded_channel();
    let number = {
        let mut world = shared.world();
        let now = world.clock.now();
        world.links.enter(sender, now)
    };
    upgrade.on_upgrade(move |socket| async move {
        let now = Instant::now();
        let lifetime = lifetime(&shared, &query);
        let entered = Link {
            shared,
            socket,
            line,
            number,
            manner: Manner::Well,
            pinged: now,
            ends: now + lifetime,
        };
        entered.attend(greeting, orders).await;
    })
}

/// How long a link may last.
fn lifetime(shared: &Shared, query: &BTreeMap<String, String>) -> Duration {
    let settings = &shared.world().settings;
    let debug = query.get("debug_reconnects").map(String::as_str) == Some("true");
    if debug {
        settings.debug_lifetime
    } else {
        settings.lifetime
    }
}

/// What is answered to a handshake that is not welcome.
/// How a link behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Well,
    /// It was told that the end is near.
    Warned,
    Zombie,
    BlackHole,
}

struct Link {
    shared: Arc<Shared>,
    socket: WebSocket,
    line: Line,
    number: u64,
    manner: Manner,
    pinged: Instant,
    ends: Instant,
}

/// How a link ended: the code, if there was one.
type Flow = ControlFlow<Option<u16>>;

impl Link {
    async fn attend(mut self, greeting: Greeting, mut orders: UnboundedReceiver<Order>) {
        let code = match self.begin(greeting).await {
            ControlFlow::Break(code) => code,
            ControlFlow::Continue(()) => self.go_on(&mut orders).await,
        };
        let mut world = self.shared.world();
        world.record.ended.push((self.number, code));
        world.links.open.remove(&self.number);
        drop(world);
        self.shared.changed();
    }

    async fn begin(&mut self, greeting: Greeting) -> Flow {
        if greeting == Greeting::Silence {
            return ControlFlow::Continue(());
        }
        let (links, most, off) = {
            let world = self.shared.world();
            let off = world.settings.socket_mode == Switch::Off;
            (world.links.open.len(), world.settings.links, off)
        };
        if off {
            return self.dismissed("link_disabled").await;
        }
        if links > most {
            return self.dismissed("too_many_websockets").await;
        }
        let hello = {
            let world = self.shared.world();
            json!({
                "type": "hello",
                "num_connections": links,
                "debug_info": {
                    "host": format!("applink-{}", self.number),
                    "build_number": 122,
                    "approximate_connection_time": world.settings.lifetime.as_secs(),
                },
                "connection_info": { "app_id": world.app.id },
            })
        };
        self.say(&hello).await?;
        self.shared
            .world()
            .links
            .set(self.number, socket::State::Ready);
        self.shared.changed();
        ControlFlow::Continue(())
    }

    async fn go_on(&mut self, orders: &mut UnboundedReceiver<Order>) -> Option<u16> {
        let pings = self.shared.world().settings.pings;
        loop {
            let silent = matches!(self.manner, Manner::Zombie | Manner::BlackHole);
            let flow = tokio::select! {
                order = orders.recv() => match order {
                    Some(Order::Tell(_)) if silent => ControlFlow::Continue(()),
                    Some(Order::Tell(text)) => self.put(Message::Text(text.into())).await,
                    Some(Order::Cut(cut)) => self.cut(cut).await,
                    Some(Order::Heal) => {
                        self.heals();
                        ControlFlow::Continue(())
                    },
                    Some(Order::Disable) => self.dismissed("link_disabled").await,
                    None => self.close(1001).await,
                },
                frame = self.socket.recv(), if self.manner != Manner::BlackHole => {
                    self.hear(frame)
                },
                () = tokio::time::sleep_until(self.pinged + pings), if !silent => {
                    self.ping().await
                },
                () = tokio::time::sleep_until(self.ends), if !silent => self.grows_old().await,
            };
            if let ControlFlow::Break(code) = flow {
                return code;
            }
        }
    }

    fn heals(&mut self) {
        if matches!(self.manner, Manner::Zombie | Manner::BlackHole) {
            self.manner = Manner::Well;
        }
    }

    fn hear(&mut self, frame: Option<Result<Message, axum::Error>>) -> Flow {
        let mut world = self.shared.world();
        let now = world.clock.now();
        match frame {
            Some(Ok(Message::Text(text))) => {
                let body = serde_json::from_str(&text).unwrap_or(Value::Null);
                let frame = Frame {
                    at: now,
                    link: self.number,
                    body,
                };
                let odd = understood(&mut world, &frame);
                world.record.frames.push(frame);
                world.record.odd.extend(odd.err());
            },
            Some(Ok(Message::Binary(_))) => world.record.odd.push("bytes came".to_owned()),
            Some(Ok(Message::Close(frame))) => {
                return ControlFlow::Break(frame.map(|frame| frame.code));
            },
            Some(Ok(Message::Pong(_))) => world.record.pongs.push((self.number, now)),
            Some(Ok(Message::Ping(_))) => {},
            Some(Err(_)) | None => return ControlFlow::Break(None),
        }
        drop(world);
        self.shared.changed();
        ControlFlow::Continue(())
    }

    async fn ping(&mut self) -> Flow {
        self.pinged = Instant::now();
        self.put(Message::Ping(b"Ping from applink".to_vec().into()))
            .await
    }

    /// Warns, and in the end dismisses.
    async fn grows_old(&mut self) -> Flow {
        if self.manner == Manner::Warned {
            return self.dismissed("refresh_requested").await;
        }
        self.cut(Cut::Warning).await
    }

    async fn say(&mut self, payload: &Value) -> Flow {
        self.put(Message::Text(payload.to_string().into())).await
    }

    async fn put(&mut self, message: Message) -> Flow {
        if self.socket.send(message).await.is_err() {
            return ControlFlow::Break(None);
        }
        ControlFlow::Continue(())
    }

    async fn tells_reason(&mut self, reason: &str) -> Flow {
        let host = format!("applink-{}", self.number);
        let body =
            json!({ "type": "disconnect", "reason": reason, "debug_info": { "host": host } });
        self.say(&body).await
    }

    /// Says why, and closes.
    async fn dismissed(&mut self, reason: &str) -> Flow {
        self.shared
            .world()
            .links
            .set(self.number, socket::State::Closing);
        self.tells_reason(reason).await?;
        self.close(1000).await
    }

    async fn close(&mut self, code: u16) -> Flow {
        let frame = CloseFrame {
            code,
            reason: "".into(),
        };
        let sent = self.socket.send(Message::Close(Some(frame))).await;
        if sent.is_ok() {
            // What was said before the end counts; the end is not waited for long.
            let patience = Duration::from_millis(500);
            drop(tokio::time::timeout(patience, self.hear_out()).await);
        }
        ControlFlow::Break(Some(code))
    }

    async fn hear_out(&mut self) {
        loop {
            let frame = self.socket.recv().await;
            if self.hear(frame).is_break() {
                return;
            }
        }
    }

    async fn cut(&mut self, cut: Cut) -> Flow {
        match cut {
            Cut::Torn => self.line.tear(),
            Cut::Ended => self.line.end(),
            Cut::Closed(code) => return self.close(code).await,
            Cut::Warning => {
                self.manner = Manner::Warned;
                self.ends = Instant::now() + self.shared.world().settings.notice;
                return self.tells_reason("warning").await;
            },
            Cut::Refresh => return self.dismissed("refresh_requested").await,
            Cut::TooMany => return self.dismissed("too_many_websockets").await,
            Cut::Bare => {
                self.shared
                    .world()
                    .links
                    .set(self.number, socket::State::Closing);
                let body = json!({ "type": "disconnect", "reason": "refresh_requested" });
                self.say(&body).await?;
                return self.close(1000).await;
            },
            Cut::Zombie => {
                self.manner = Manner::Zombie;
                return ControlFlow::Continue(());
            },
            Cut::BlackHole => {
                self.manner = Manner::BlackHole;
                return ControlFlow::Continue(());
            },
            Cut::Babble(babble) => return self.babbles(babble).await,
        }
        ControlFlow::Break(None)
    }

    /// Says what nobody understands.
    async fn babbles(&mut self, babble: Babble) -> Flow {
        let message = match babble {
            Babble::NotJson => Message::Text("{\"type\": \"eve".into()),
            Babble::Bytes => Message::Binary(vec![1, 2, 3].into()),
            Babble::HalfFrame => {
                // The head of a text of 126 bytes, and three of them.
                self.line
                    .garble(vec![0x81, 0x7E, 0x00, 0x7E, b'{', b'"', b'o']);
                Message::Text("lost".into())
            },
            Babble::UnknownKind => {
                let id = self.shared.world().clock.uuid();
                let body = json!({ "type": "novelty", "envelope_id": id, "payload": {} });
                Message::Text(body.to_string().into())
            },
        };
        self.put(message).await
    }
}

/// Does what a frame asks; why it means nothing, if so.
fn understood(world: &mut super::world::World, frame: &Frame) -> Result<(), String> {
    let Some(envelope) = frame.body["envelope_id"].as_str() else {
        return Err(format!("not understood: {}", frame.body));
    };
    let payload = frame
        .body
        .get("payload")
        .filter(|payload| !payload.is_null());
    post::acknowledged(world, frame.link, envelope, payload.cloned())
}
