//! Socket Mode: two links, so that one of them hears while the other is made anew.
//!
//! slack-morphism's listener takes one envelope after the other and acknowledges it when its
//! callback returns, loses the acknowledgements that wait when a link is refreshed, connects
//! without a time limit and goes on for ever where Slack does not let it in. So the links are our
//! own; the envelopes are read with its models.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use serde_json::{Value, json};
use slack_morphism::prelude::SlackApiAppsConnectionOpenResponse;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use url::Url;

use super::Deaf;
use super::api::{Api, Call, Fault};
use crate::adapters::chat::calls::back_off;
use crate::adapters::chat::http::is_loopback;
use crate::adapters::chat::limiter::Urgency;

/// How soon it is noticed that a link is none.
#[derive(Clone, Copy, Debug)]
pub struct Pulse {
    /// Between two pings of ours; an answer is due within one more.
    pub tick: Duration,
    /// Slack pings and speaks more often than this.
    pub silence: Duration,
    /// Until a link stands and has said hello.
    pub connect: Duration,
    /// Before a link is made where there were too many.
    pub crowded: Duration,
    /// Between the first link and the second.
    pub apart: Duration,
}

impl Default for Pulse {
    fn default() -> Self {
        Self {
            tick: Duration::from_secs(10),
            silence: Duration::from_secs(45),
            connect: Duration::from_secs(10),
            crowded: Duration::from_secs(60),
            apart: Duration::from_secs(5),
        }
    }
}

/// What Slack hands over: what kind it is of, and what is in it.
#[derive(Debug)]
pub(super) struct Envelope {
    pub(super) kind: String,
    pub(super) payload: Value,
}

/// Takes envelopes in.
#[async_trait]
pub(super) trait Hearer: Send + Sync {
    /// Sees to it that `envelope` is heard, and calls `acknowledge` when it is kept. Returns at
    /// once, unless too much is under way.
    async fn hear(self: Arc<Self>, envelope: Envelope, acknowledge: Acknowledge);
}

/// Acknowledges one envelope, on the link that it came by.
pub(super) type Acknowledge = Box<dyn FnOnce() + Send>;

/// Links that are up at once, with those that are being left.
const MOST_LINKS: usize = 3;
const LINKS: u32 = 2;
/// After so many tries the pauses between them grow no more: eight seconds at most, so that a
/// line that heals is used within half a minute.
const MOST_PATIENT: u32 = 4;
/// A link that is about to end is listened to for so long.
const LEAVING: Duration = Duration::from_secs(30);

/// The links to Slack.
pub(super) struct Links<'a> {
    pub(super) app: &'a Api,
    pub(super) pulse: Pulse,
    pub(super) hearer: Arc<dyn Hearer>,
    pub(super) tell: &'a (dyn Fn(&str) + Sync),
    pub(super) room: Arc<Semaphore>,
}

impl<'a> Links<'a> {
    pub(super) fn new(
        app: &'a Api,
        pulse: Pulse,
        hearer: Arc<dyn Hearer>,
        tell: &'a (dyn Fn(&str) + Sync),
    ) -> Self {
        Self {
            app,
            pulse,
            hearer,
            tell,
            room: Arc::new(Semaphore::new(MOST_LINKS)),
        }
    }

    /// Keeps the links up; returns where that is no use.
    pub(super) async fn keep_up(&self) -> Deaf {
        let links = (0..LINKS).map(|number| Box::pin(self.keep_one_up(number)));
        futures::future::select_all(links).await.0
    }

    async fn keep_one_up(&self, number: u32) -> Deaf {
        sleep(self.pulse.apart * number).await;
        let (mut tries, mut leaving) = (0, JoinSet::new());
        loop {
            while leaving.try_join_next().is_some() {}
            let mut link = match self.connect().await {
                Ok(link) => link,
                Err(Unlinked::Deaf(deaf)) => return deaf,
                Err(Unlinked::Crowded) => {
                    sleep(self.pulse.crowded).await;
                    continue;
                },
                Err(Unlinked::Failed(why)) => {
                    tracing::warn!("no link to Slack: {why}");
                    sleep(back_off(tries.min(MOST_PATIENT))).await;
                    tries += 1;
                    continue;
                },
            };
            if tries > 0 || number == 0 {
                (self.tell)("Slack: listening");
            }
            tries = 0;
            match link.go_on().await {
                Lost::Leaving => {
                    leaving.spawn(link.leave());
                },
                Lost::Ended => {},
                Lost::Crowded => sleep(self.pulse.crowded).await,
                Lost::SwitchedOff => return switched_off(),
                Lost::Broken(why) => {
                    tracing::warn!("a link to Slack is lost: {why}; linking anew");
                    sleep(back_off(0)).await;
                },
            }
        }
    }

    async fn connect(&self) -> Result<Link, Unlinked> {
        let permit = Arc::clone(&self.room).acquire_owned().await;
        let permit = permit.map_err(|_| Unlinked::Failed("closing".to_owned()))?;
        let url = self.address().await?;
        let connected = timeout(self.pulse.connect, async {
            let config = WebSocketConfig::default()
                .max_message_size(Some(LARGEST))
                .max_frame_size(Some(LARGEST));
            // What fails here may quote the address, and the address lets in whoever has it.
            let made = connect_async_with_config(url.as_str(), Some(config), true).await;
            let (socket, _) =
                made.map_err(|_| Unlinked::Failed("it did not open".to_owned()))?;
            let mut link = Link::new(socket, permit, self);
            link.greeted().await?;
            Ok(link)
        });
        connected
            .await
            .unwrap_or_else(|_| Err(Unlinked::Failed("nobody said hello in time".to_owned())))
    }

    /// Where a link may be made, once.
    async fn address(&self) -> Result<Url, Unlinked> {
        let call = Call::write("apps.connections.open", &json!({}))
            .urgency(Urgency::Must)
            .patience(self.pulse.connect);
        let opened = self.app.call::<SlackApiAppsConnectionOpenResponse>(call);
        let url = match opened.await {
            Ok(opened) => opened.url.0,
            Err(fault @ (Fault::Unauthorised(_) | Fault::Refused { .. })) => {
                return Err(Unlinked::Deaf(Deaf::Refused(fault.to_string())));
            },
            Err(fault) => return Err(Unlinked::Failed(fault.to_string())),
        };
        let here = url.scheme() == "ws" && is_loopback(&url);
        if url.scheme() == "wss" || here {
            return Ok(url);
        }
        Err(Unlinked::Failed(
            "the address of the link is not a safe one".to_owned(),
        ))
    }
}

fn switched_off() -> Deaf {
    Deaf::Refused(
        "Socket Mode is switched off for the app; switch it on at api.slack.com under Socket \
         Mode, or set slack.mode to \"http\""
            .to_owned(),
    )
}

/// Why there is no link.
enum Unlinked {
    Deaf(Deaf),
    Crowded,
    Failed(String),
}

/// Why a link has ended, or will.
#[derive(Debug, PartialEq, Eq)]
enum Lost {
    /// It ends soon, and says nothing more that is new. What was heard over it can still be
    /// acknowledged.
    Leaving,
    Ended,
    Crowded,
    SwitchedOff,
    Broken(&'static str),
}

/// The largest message that is taken.
const LARGEST: usize = 16 << 20;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// One link.
struct Link {
    sink: SplitSink<Socket, Message>,
    stream: SplitStream<Socket>,
    acknowledged: UnboundedReceiver<String>,
    acknowledge: UnboundedSender<String>,
    hearer: Arc<dyn Hearer>,
    pulse: Pulse,
    /// When anything came last, and when Slack spoke or pinged by itself.
    alive: Instant,
    spoke: Instant,
    _room: OwnedSemaphorePermit,
}

/// What Slack says over a link.
#[derive(Debug, Deserialize)]
struct Frame {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    envelope_id: Option<String>,
    #[serde(default)]
    payload: Value,
    #[serde(default)]
    reason: Option<String>,
}

impl Link {
    fn new(socket: Socket, room: OwnedSemaphorePermit, links: &Links<'_>) -> Self {
        let (sink, stream) = socket.split();
        let (acknowledge, acknowledged) = unbounded_channel();
        let now = Instant::now();
        Self {
            sink,
            stream,
            acknowledged,
            acknowledge,
            hearer: Arc::clone(&links.hearer),
            pulse: links.pulse,
            alive: now,
            spoke: now,
            _room: room,
        }
    }

    /// Waits for the hello.
    async fn greeted(&mut self) -> Result<(), Unlinked> {
        loop {
            let frame = match self.stream.next().await {
                Some(Ok(Message::Text(text))) => serde_json::from_str::<Frame>(&text).ok(),
                Some(Ok(_)) => None,
                Some(Err(_)) | None => {
                    return Err(Unlinked::Failed("it ended before a hello".to_owned()));
                },
            };
            let Some(frame) = frame else { continue };
            if frame.kind == "hello" {
                return Ok(());
            }
            match lost(&frame) {
                Some(Lost::Crowded) => return Err(Unlinked::Crowded),
                Some(Lost::SwitchedOff) => return Err(Unlinked::Deaf(switched_off())),
                Some(_) => return Err(Unlinked::Failed("it ended at once".to_owned())),
                None => {},
            }
        }
    }

    /// Listens until the link ends, or is about to.
    async fn go_on(&mut self) -> Lost {
        let mut ticks = interval(self.pulse.tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let lost = tokio::select! {
                Some(id) = self.acknowledged.recv() => self.say(acknowledgement(&id)).await,
                message = self.stream.next() => match message {
                    Some(Ok(message)) => self.take(message).await,
                    Some(Err(_)) => Some(Lost::Broken("the line broke")),
                    None => Some(Lost::Broken("the line ended")),
                },
                _ = ticks.tick() => self.look().await,
            };
            if let Some(lost) = lost {
                self.say_what_waits().await;
                return lost;
            }
        }
    }

    /// Hears what is still said, until the end.
    async fn leave(mut self) {
        drop(timeout(LEAVING, self.go_on()).await);
    }

    async fn say(&mut self, message: Message) -> Option<Lost> {
        const LONGEST: Duration = Duration::from_secs(5);
        match timeout(LONGEST, self.sink.send(message)).await {
            Ok(Ok(())) => None,
            Ok(Err(_)) => Some(Lost::Broken("the line broke")),
            Err(_) => Some(Lost::Broken("nothing gets through any more")),
        }
    }

    /// Acknowledges what was kept, as far as it is still heard.
    async fn say_what_waits(&mut self) {
        while let Ok(id) = self.acknowledged.try_recv() {
            if self.say(acknowledgement(&id)).await.is_some() {
                return;
            }
        }
    }

    async fn look(&mut self) -> Option<Lost> {
        let now = Instant::now();
        if now.duration_since(self.alive) > 2 * self.pulse.tick {
            return Some(Lost::Broken("nobody answers"));
        }
        if now.duration_since(self.spoke) > self.pulse.silence {
            return Some(Lost::Broken("nothing was said for too long"));
        }
        self.say(Message::Ping(Bytes::from_static(b"saseo"))).await
    }

    async fn take(&mut self, message: Message) -> Option<Lost> {
        self.alive = Instant::now();
        match message {
            Message::Pong(_) => None,
            Message::Text(text) => {
                self.spoke = self.alive;
                if let Ok(frame) = serde_json::from_str::<Frame>(&text) {
                    return self.heard(frame).await;
                }
                tracing::warn!("Slack said something over its link that is no JSON");
                None
            },
            Message::Ping(_) | Message::Binary(_) | Message::Frame(_) => {
                self.spoke = self.alive;
                // An answer to a ping waits for the next time that something is sent.
                match timeout(Duration::from_secs(5), self.sink.flush()).await {
                    Ok(Ok(())) => None,
                    Ok(Err(_)) | Err(_) => Some(Lost::Broken("the line broke")),
                }
            },
            Message::Close(_) => Some(Lost::Ended),
        }
    }

    async fn heard(&mut self, frame: Frame) -> Option<Lost> {
        if let Some(lost) = lost(&frame) {
            return Some(lost);
        }
        let Frame {
            kind,
            envelope_id,
            payload,
            reason: _,
        } = frame;
        let id = envelope_id?;
        let acknowledge = self.acknowledge.clone();
        // When the link is gone Slack sends it again, and it is known.
        let acknowledge = Box::new(move || drop(acknowledge.send(id)));
        let hearer = Arc::clone(&self.hearer);
        hearer.hear(Envelope { kind, payload }, acknowledge).await;
        None
    }
}

fn acknowledgement(id: &str) -> Message {
    Message::text(json!({ "envelope_id": id }).to_string())
}

/// What a frame says of the end of its link. slack-morphism's model wants to know more of it
/// than Slack always says.
fn lost(frame: &Frame) -> Option<Lost> {
    if frame.kind != "disconnect" {
        return None;
    }
    Some(match frame.reason.as_deref() {
        Some("link_disabled") => Lost::SwitchedOff,
        Some("too_many_websockets") => Lost::Crowded,
        _ => Lost::Leaving,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(said: &Value, expected: Option<&Lost>) {
        let frame: Frame = serde_json::from_value(said.clone()).unwrap();
        assert_eq!(lost(&frame).as_ref(), expected);
    }

    #[test]
    fn the_end_of_a_link_is_understood_however_little_is_said() {
        check(&json!({ "type": "hello", "num_connections": 1 }), None);
        let end = |reason: &str| json!({ "type": "disconnect", "reason": reason });
        check(&end("warning"), Some(&Lost::Leaving));
        check(&end("refresh_requested"), Some(&Lost::Leaving));
        check(&end("link_disabled"), Some(&Lost::SwitchedOff));
        check(&end("too_many_websockets"), Some(&Lost::Crowded));
        check(&end("novelty"), Some(&Lost::Leaving));
        check(&json!({ "type": "disconnect" }), Some(&Lost::Leaving));
    }

    #[test]
    fn an_acknowledgement_names_its_envelope_and_nothing_else() {
        let said = acknowledgement("57d6a792").into_text().unwrap();
        assert_eq!(said.as_str(), r#"{"envelope_id":"57d6a792"}"#);
    }
}
