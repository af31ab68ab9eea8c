//! Answers that are written before a person's eyes: begun, added to, ended.
//!
//! What was streamed cannot be taken back, so the final form takes its place by an edit after
//! the end. Slack gives a stream up after some five minutes, even one that is added to, and
//! leaves it as if more were coming: it is ended before, and the post grows by edits from there
//! on. So it goes on after whatever else befalls a stream, and where Slack allows none the post
//! is an ordinary one from the beginning.
//!
//! In a channel only the person who asked sees a stream grow, and it has no room for the button
//! that stops it: unless the settings say otherwise, only who talks with us alone is streamed to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;
use slack_morphism::prelude::SlackMessageMetadata;
use tokio::sync::Mutex as Turn;
use tokio::time::{Instant, sleep};

use super::api::{Call, Fault};
use super::dialect;
use super::messenger::{Asked, Made, Post};
use crate::adapters::chat::limiter::Urgency;
use crate::domain::event::PlaceKind;
use crate::domain::page::Page;
use crate::domain::reply;

/// Where answers are streamed, if Slack allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streamed {
    Nowhere,
    /// To who talks with us alone.
    Direct,
    /// In the threads of channels, too.
    Everywhere,
}

/// How answers are streamed.
#[derive(Clone, Copy, Debug)]
pub struct Streaming {
    pub places: Streamed,
    /// A stream that is older is ended.
    pub longest: Duration,
}

impl Default for Streaming {
    fn default() -> Self {
        Self {
            places: Streamed::Direct,
            // A minute before Slack gives it up.
            longest: Duration::from_secs(240),
        }
    }
}

/// The answers that are being streamed.
pub(super) struct Streams {
    settings: Streaming,
    open: Mutex<BTreeMap<String, Arc<Turn<Stream>>>>,
    /// The workspaces and kinds of places where Slack has refused to stream, and when.
    refused: Mutex<BTreeMap<String, Instant>>,
}

/// One of them.
struct Stream {
    asked: Asked,
    ts: String,
    mark: SlackMessageMetadata,
    began: Instant,
    /// What was sent.
    text: String,
    /// What was last to be shown.
    page: Page,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Over,
}

impl Streams {
    pub(super) fn new(settings: Streaming) -> Self {
        Self {
            settings,
            open: Mutex::default(),
            refused: Mutex::default(),
        }
    }

    /// Begins a stream for `post`, and gives back its timestamp; `None` where there is to be an
    /// ordinary post instead.
    pub(super) async fn begin(&self, post: &Post<'_>) -> Result<Option<String>, Fault> {
        let Some((thread, text)) = self.streamed(post) else {
            return Ok(None);
        };
        let address = &post.asked.address;
        let text = format!("{}{text}", post.seal());
        let request = json!({
            "channel": address.channel, "thread_ts": thread, "markdown_text": text,
            "recipient_user_id": address.user, "recipient_team_id": address.team,
        });
        let call = Call::post("chat.startStream", &address.channel, &request);
        let call = call.urgency(Urgency::May);
        let ts = match post.asked.workspace.api.call(call).await {
            Ok(Made { ts }) => ts,
            Err(fault @ (Fault::Unclear { .. } | Fault::Unauthorised(_))) => return Err(fault),
            Err(fault) => {
                tracing::debug!("an answer is not streamed: {fault}");
                self.remember(post, &fault);
                return Ok(None);
            },
        };
        let stream = Stream {
            asked: post.asked.clone(),
            ts: ts.clone(),
            mark: post.metadata(),
            began: Instant::now(),
            text,
            page: post.page.clone(),
            state: State::Open,
        };
        held(&self.open).insert(stream.name(), Arc::new(Turn::new(stream)));
        Ok(Some(ts))
    }

    /// The thread in which `post` can be streamed, and its text so far.
    fn streamed<'p>(&self, post: &Post<'p>) -> Option<(&'p str, String)> {
        let direct = post.event.place.kind == PlaceKind::Direct;
        let here = match self.settings.places {
            Streamed::Nowhere => false,
            Streamed::Direct => direct,
            Streamed::Everywhere => true,
        };
        let thread = post.asked.address.thread.as_deref()?;
        let text = dialect::streamed(&reply::growing(post.page)?);
        let fits = !text.is_empty() && text.chars().count() <= LONGEST;
        (here && post.part == 0 && fits && self.may(post)).then_some((thread, text))
    }

    fn may(&self, post: &Post<'_>) -> bool {
        /// Workspaces change their minds.
        const BELIEVED: Duration = Duration::from_secs(3_600);
        let refused = held(&self.refused);
        refused
            .get(&kind(post))
            .is_none_or(|at| at.elapsed() > BELIEVED)
    }

    /// Remembers a refusal that is not only meant for this thread.
    fn remember(&self, post: &Post<'_>, fault: &Fault) {
        const HERE: [&str; 4] = [
            "cannot_reply_to_message",
            "invalid_thread_ts",
            "user_not_found",
            "message_limit_exceeded",
        ];
        let Some(code) = fault.code() else { return };
        if !fault.is_missing_access() && !HERE.contains(&code) {
            held(&self.refused).insert(kind(post), Instant::now());
        }
    }

    /// Shows `page` in the post `ts`, which may be a stream.
    pub(super) async fn show(
        &self,
        asked: &Asked,
        ts: &str,
        page: &Page,
        urgency: Urgency,
    ) -> Result<(), Fault> {
        let stream = held(&self.open).get(&name(asked, ts)).cloned();
        let Some(stream) = stream else {
            return asked.update(ts, page, urgency).await;
        };
        let mut stream = stream.lock().await;
        if urgency == Urgency::May && stream.began.elapsed() < self.settings.longest {
            match stream.grow(page).await {
                Ok(()) => return Ok(()),
                Err(Fault::NotNow) => return Err(Fault::NotNow),
                Err(fault) => tracing::debug!("a stream goes on by edits: {fault}"),
            }
        }
        self.replace(&mut stream, page, urgency).await
    }

    /// Ends a stream, and puts `page` in its place.
    async fn replace(
        &self,
        stream: &mut Stream,
        page: &Page,
        urgency: Urgency,
    ) -> Result<(), Fault> {
        stream.end().await;
        held(&self.open).remove(&stream.name());
        stream.asked.update(&stream.ts, page, urgency).await
    }

    /// Ends streams before Slack gives them up, also while nothing is added to them; never ends
    /// itself.
    pub(super) async fn tend(&self) {
        const LOOK: Duration = Duration::from_secs(1);
        loop {
            sleep(LOOK.min(self.settings.longest / 4)).await;
            let open: Vec<_> = held(&self.open).values().cloned().collect();
            for stream in open {
                self.tend_to(&stream).await;
            }
        }
    }

    async fn tend_to(&self, stream: &Turn<Stream>) {
        // Who is at it sees to it.
        let Ok(mut stream) = stream.try_lock() else {
            return;
        };
        let young = stream.began.elapsed() < self.settings.longest;
        if stream.state == State::Over || young {
            return;
        }
        let page = stream.page.clone();
        if let Err(fault) = self.replace(&mut stream, &page, Urgency::Should).await {
            tracing::debug!("a stream that was ended is not shown whole yet: {fault}");
        }
    }
}

/// What a stream may come to, with something to spare below what Slack takes.
const LONGEST: usize = 11_500;

impl Stream {
    fn name(&self) -> String {
        name(&self.asked, &self.ts)
    }

    /// Adds what `page` says beyond what stands.
    async fn grow(&mut self, page: &Page) -> Result<(), Fault> {
        const TURNED: Fault = Fault::Unsendable("it does not go on where it was");
        const FULL: Fault = Fault::Unsendable("it is too long for a stream");
        page.clone_into(&mut self.page);
        let said = reply::growing(page).map(|said| dialect::streamed(&said));
        let said = said.ok_or(TURNED)?;
        let sealed = self.text.trim_start_matches(SEAL);
        let more = said.strip_prefix(sealed).ok_or(TURNED)?;
        if more.is_empty() {
            return Ok(());
        }
        if said.chars().count() > LONGEST {
            return Err(FULL);
        }
        let request = json!({
            "channel": self.asked.address.channel, "ts": self.ts, "markdown_text": more,
        });
        // Added twice, it would be read twice: where that is not known the whole is put there.
        let call = Call::post("chat.appendStream", &self.asked.address.channel, &request);
        let call = call.urgency(Urgency::May);
        self.asked.workspace.api.tell(call).await?;
        self.text.push_str(more);
        Ok(())
    }

    async fn end(&mut self) {
        if self.state == State::Over {
            return;
        }
        self.state = State::Over;
        let ended = self.asked.end_stream(&self.ts, Some(&self.mark)).await;
        if let Err(fault) = ended {
            tracing::debug!("a stream could not be ended: {fault}");
        }
    }
}

/// Letters without a width, of which a seal is made.
const SEAL: [char; 4] = ['\u{200B}', '\u{200C}', '\u{200D}', '\u{2060}'];

/// The first digits of `mark` in letters that nobody sees: a stream takes no metadata until its
/// end, and must be known again after a crash.
pub(super) fn seal(mark: &str) -> String {
    const DIGITS: usize = 8;
    let digits = mark.chars().take(DIGITS).filter_map(|c| c.to_digit(16));
    let letters = digits.flat_map(|digit| [digit / 4, digit % 4]);
    let letters = letters.filter_map(|at| SEAL.get(usize::try_from(at).ok()?));
    letters.collect()
}

fn name(asked: &Asked, ts: &str) -> String {
    let address = &asked.address;
    format!("{}/{}/{ts}", address.team, address.channel)
}

/// What a refusal to stream is meant for.
fn kind(post: &Post<'_>) -> String {
    format!("{}/{:?}", post.asked.address.team, post.event.place.kind)
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_seen_by_nobody_and_tells_one_mark_from_another() {
        let seal = seal("0123cdef99");
        assert_eq!(seal.chars().count(), 16);
        assert!(seal.chars().all(|c| SEAL.contains(&c)), "{seal:?}");
        assert_eq!(seal, super::seal("0123cdef00"));
        assert_ne!(seal, super::seal("0123cdee99"));
    }
}
