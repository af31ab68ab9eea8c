//! One connection to the gateway: what it hears and says, until it ends or is cut.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, Query, State};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::Instant;

use super::Shared;
use super::faults::{Cut, Greeting};
use super::gateway::{self, Afterwards, Order, Unbegun};
use super::line::Line;
use super::record::Payload;
use super::zlib::{self, Place};

/// Payloads that a client may send in a minute, and bytes in one of them.
const PAYLOADS_A_MINUTE: usize = 120;
const LARGEST_PAYLOAD: usize = 4_096;
/// Smaller payloads are not worth packing.
const WORTH_PACKING: usize = 1_024;

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
    let (sender, orders) = unbounded_channel();
    let number = shared.world().gateway.open(sender);
    let packing = match query.get("compress").map(String::as_str) {
        Some("zlib-stream") => Packing::Stream,
        _ => Packing::None,
    };
    upgrade.on_upgrade(move |socket| async move {
        let connection = Connection {
            shared,
            socket,
            line,
            number,
            session: None,
            told: 0,
            manner: Manner::Well,
            packing,
            place: Place::First,
            beaten: Instant::now(),
            heard: Vec::new(),
        };
        connection.attend(greeting, query, orders).await;
    })
}

/// How a connection behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Well,
    Zombie,
    BlackHole,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    None,
    /// Every larger payload by itself.
    Payload,
    /// One stream over all of them.
    Stream,
}

struct Connection {
    shared: Arc<Shared>,
    socket: WebSocket,
    line: Line,
    number: u64,
    session: Option<usize>,
    /// How much of its session was told.
    told: usize,
    manner: Manner,
    packing: Packing,
    place: Place,
    beaten: Instant,
    /// When it heard something in the last minute.
    heard: Vec<Instant>,
}

/// How a connection ended.
struct End {
    code: Option<u16>,
    then: Afterwards,
}

type Flow = ControlFlow<End>;

impl Connection {
    async fn attend(
        mut self,
        greeting: Greeting,
        query: BTreeMap<String, String>,
        mut orders: UnboundedReceiver<Order>,
    ) {
        let end = match self.begin(greeting, &query).await {
            ControlFlow::Break(end) => end,
            ControlFlow::Continue(()) => self.go_on(&mut orders).await,
        };
        let mut world = self.shared.world();
        world.record.ended.push((self.number, end.code));
        gateway::leave(&mut world, self.number, end.then);
        drop(world);
        self.shared.changed();
    }

    async fn begin(&mut self, greeting: Greeting, query: &BTreeMap<String, String>) -> Flow {
        let says = |key: &str, value: &str| query.get(key).is_none_or(|said| said == value);
        if !says("v", "10") {
            return self.close(4012).await;
        }
        if !says("encoding", "json") {
            return self.close(4002).await;
        }
        if greeting == Greeting::Silence {
            return ControlFlow::Continue(());
        }
        let beat = self.shared.world().settings.heartbeat.as_millis();
        self.say(&json!({
            "op": 10,
            "d": { "heartbeat_interval": u64::try_from(beat).unwrap(), "_trace": [] },
        }))
        .await
    }

    async fn go_on(&mut self, orders: &mut UnboundedReceiver<Order>) -> End {
        loop {
            let too_late = self.too_late();
            let flow = tokio::select! {
                order = orders.recv() => match order {
                    Some(Order::Look) => self.tell().await,
                    Some(Order::Cut(cut)) => self.cut(cut).await,
                    None => self.close(1001).await,
                },
                frame = self.socket.recv(), if self.manner != Manner::BlackHole => {
                    self.hear(frame).await
                },
                () = tokio::time::sleep_until(too_late), if self.manner == Manner::Well => {
                    self.close(4009).await
                },
            };
            if let ControlFlow::Break(end) = flow {
                return end;
            }
        }
    }

    /// When a client that does not beat is given up.
    fn too_late(&self) -> Instant {
        let beat = self.shared.world().settings.heartbeat;
        self.beaten + beat * 2 + Duration::from_secs(5)
    }

    async fn hear(&mut self, frame: Option<Result<Message, axum::Error>>) -> Flow {
        let text = match frame {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Binary(_))) => return self.close(4002).await,
            Some(Ok(Message::Close(frame))) => return left(frame.map(|frame| frame.code)),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return ControlFlow::Continue(()),
            Some(Err(_)) | None => return left(None),
        };
        let minute_ago = Instant::now().checked_sub(Duration::from_secs(60));
        self.heard
            .retain(|at| minute_ago.is_none_or(|ago| *at > ago));
        self.heard.push(Instant::now());
        if self.heard.len() > PAYLOADS_A_MINUTE {
            return self.close(4008).await;
        }
        let payload: Option<Value> = serde_json::from_str(&text).ok();
        let payload = payload.filter(|_| text.len() <= LARGEST_PAYLOAD);
        let Some((op, payload)) = payload.and_then(|it| Some((it["op"].as_u64()?, it))) else {
            return self.close(4002).await;
        };
        self.record(op, &payload["d"]);
        self.answer(op, &payload["d"]).await
    }

    fn record(&self, op: u64, body: &Value) {
        let mut world = self.shared.world();
        let payload = Payload {
            at: world.clock.now(),
            link: self.number,
            op,
            body: body.clone(),
        };
        world.record.payloads.push(payload);
        drop(world);
        self.shared.changed();
    }

    async fn answer(&mut self, op: u64, body: &Value) -> Flow {
        match op {
            1 => {
                self.beaten = Instant::now();
                if self.manner != Manner::Well {
                    return ControlFlow::Continue(());
                }
                self.say(&json!({ "op": 11 })).await
            },
            2 | 6 if self.session.is_some() => self.close(4005).await,
            2 => self.identify(body).await,
            6 => self.resume(body).await,
            3 | 4 | 8 | 14 | 31 if self.session.is_some() => ControlFlow::Continue(()),
            3 | 4 | 8 | 14 | 31 => self.close(4003).await,
            _ => self.close(4001).await,
        }
    }

    async fn identify(&mut self, body: &Value) -> Flow {
        let begun = gateway::identify(&mut self.shared.world(), self.number, body);
        match begun {
            Err(Unbegun::Closed(code)) => self.close(code).await,
            Err(Unbegun::Gone) => self.say(&json!({ "op": 9, "d": false })).await,
            Ok(session) => {
                self.session = Some(session);
                if body["compress"] == json!(true) && self.packing == Packing::None {
                    self.packing = Packing::Payload;
                }
                self.tell().await
            },
        }
    }

    async fn resume(&mut self, body: &Value) -> Flow {
        let resumed = gateway::resume(&mut self.shared.world(), self.number, body);
        match resumed {
            Err(Unbegun::Closed(code)) => self.close(code).await,
            Err(Unbegun::Gone) => self.say(&json!({ "op": 9, "d": false })).await,
            Ok((session, has)) => {
                self.session = Some(session);
                self.told = has;
                self.tell().await
            },
        }
    }

    /// Tells what its session has and it was not told.
    async fn tell(&mut self) -> Flow {
        while self.manner == Manner::Well {
            let next = {
                let world = self.shared.world();
                let session = self.session.map(|number| &world.gateway.sessions[number]);
                // Another connection may have taken the session over.
                session
                    .filter(|session| session.link == Some(self.number))
                    .and_then(|session| session.told.get(self.told).cloned())
            };
            let Some(next) = next else {
                break;
            };
            self.told += 1;
            self.send(&next).await?;
        }
        ControlFlow::Continue(())
    }

    async fn say(&mut self, payload: &Value) -> Flow {
        self.send(&payload.to_string()).await
    }

    async fn send(&mut self, text: &str) -> Flow {
        let message = match self.packing {
            Packing::Stream => {
                let place = std::mem::replace(&mut self.place, Place::Later);
                Message::Binary(zlib::part(text.as_bytes(), place).into())
            },
            Packing::Payload if text.len() > WORTH_PACKING => {
                Message::Binary(zlib::whole(text.as_bytes()).into())
            },
            Packing::Payload | Packing::None => Message::Text(text.into()),
        };
        self.put(message).await
    }

    async fn put(&mut self, message: Message) -> Flow {
        if self.socket.send(message).await.is_err() {
            return left(None);
        }
        ControlFlow::Continue(())
    }

    async fn close(&mut self, code: u16) -> Flow {
        let frame = CloseFrame {
            code,
            reason: reason(code).into(),
        };
        let sent = self.socket.send(Message::Close(Some(frame))).await;
        if sent.is_ok() {
            // The other side closes in its turn; it is not waited for long.
            let patience = Duration::from_millis(500);
            drop(tokio::time::timeout(patience, self.hear_out()).await);
        }
        let over = matches!(code, 1000 | 1001 | 4004 | 4007 | 4009..=4014);
        ControlFlow::Break(End {
            code: Some(code),
            then: if over {
                Afterwards::Over
            } else {
                Afterwards::Resumable
            },
        })
    }

    async fn hear_out(&mut self) {
        while let Some(Ok(_)) = self.socket.recv().await {}
    }

    async fn cut(&mut self, cut: Cut) -> Flow {
        match cut {
            Cut::Torn => self.line.tear(),
            Cut::Ended => self.line.end(),
            Cut::Closed(code) => return self.close(code).await,
            Cut::Reconnect => return self.say(&json!({ "op": 7, "d": null })).await,
            Cut::InvalidResumable => return self.say(&json!({ "op": 9, "d": true })).await,
            Cut::Invalid => {
                self.end_session();
                return self.say(&json!({ "op": 9, "d": false })).await;
            },
            Cut::Zombie => {
                self.manner = Manner::Zombie;
                return ControlFlow::Continue(());
            },
            Cut::BlackHole => {
                self.manner = Manner::BlackHole;
                return ControlFlow::Continue(());
            },
            Cut::NotJson => return self.put(Message::Text("{\"op\": 0, \"d\"".into())).await,
            Cut::NotZlib => return self.put(Message::Binary(vec![1, 2, 3].into())).await,
            Cut::HalfFrame => {
                // The head of a text of 126 bytes, and three of them.
                self.line
                    .garble(vec![0x81, 0x7E, 0x00, 0x7E, b'{', b'"', b'o']);
                return self.put(Message::Text("lost".into())).await;
            },
        }
        left(None)
    }

    fn end_session(&mut self) {
        if let Some(session) = self.session.take() {
            self.shared.world().gateway.sessions[session].end();
        }
    }
}

/// The other side is gone; with 1000 and 1001 it says that it will not come back.
fn left(code: Option<u16>) -> Flow {
    let over = matches!(code, Some(1000 | 1001));
    ControlFlow::Break(End {
        code,
        then: if over {
            Afterwards::Over
        } else {
            Afterwards::Resumable
        },
    })
}

fn reason(code: u16) -> &'static str {
    match code {
        4000 => "Unknown error.",
        4001 => "Unknown opcode.",
        4002 => "Error while decoding payload.",
        4003 => "Not authenticated.",
        4004 => "Authentication failed.",
        4005 => "Already authenticated.",
        4007 => "Invalid seq.",
        4008 => "Rate limited.",
        4009 => "Session timed out.",
        4010 => "Invalid shard.",
        4011 => "Sharding required.",
        4012 => "Invalid API version.",
        4013 => "Invalid intent(s).",
        4014 => "Disallowed intent(s).",
        _ => "",
    }
}
