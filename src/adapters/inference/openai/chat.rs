//! A chat model at an endpoint: its answer is read piece by piece, as it is written.

use async_trait::async_trait;
use futures::StreamExt as _;
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::line::{Details, Line, unreachable};
use super::{Endpoint, Unserved, estimated_tokens};
use crate::adapters::inference::deadlines::{Deadlines, Watch};
use crate::adapters::inference::event_stream::EventStream;
use crate::adapters::inference::manuscript::{Lengths, Manuscript, Progress};
use crate::ports::{
    Cause, ChatModel, Ended, Message, ModelIdentity, Role, Sampling, Unwritten, Written,
};

/// A chat model at an endpoint.
#[derive(Debug)]
pub struct OpenAiChat {
    line: Line,
    window: usize,
    deadlines: Deadlines,
}

impl OpenAiChat {
    /// `window` is the model's context in tokens: only the operator knows it.
    pub fn new(
        endpoint: Endpoint,
        window: usize,
        deadlines: Deadlines,
    ) -> Result<Self, Unserved> {
        Ok(Self {
            line: Line::new(endpoint)?,
            window,
            deadlines,
        })
    }

    fn fits(&self, prompt: &[Message], sampling: Sampling) -> Result<(), Unwritten> {
        let tokens = prompt_tokens(prompt);
        let window = self.window.saturating_sub(sampling.longest);
        if tokens > window {
            return Err(Unwritten::TooLong { tokens, window });
        }
        Ok(())
    }
}

fn prompt_tokens(prompt: &[Message]) -> usize {
    // A template puts some tokens around each message.
    prompt
        .iter()
        .map(|message| estimated_tokens(&message.text) + 6)
        .sum()
}

#[async_trait]
impl ChatModel for OpenAiChat {
    fn identity(&self) -> ModelIdentity {
        ModelIdentity {
            name: self.line.endpoint.model.clone(),
            digest: self.line.digest(),
        }
    }

    async fn write(
        &self,
        prompt: &[Message],
        sampling: Sampling,
        pieces: mpsc::UnboundedSender<String>,
    ) -> Result<Written, Unwritten> {
        self.fits(prompt, sampling)?;
        let mut watch = self.deadlines.watch(Instant::now());
        let body = chat_request(&self.line.endpoint.model, prompt, sampling);
        let asked = self.line.ask("chat/completions", &body);
        let response = match timeout_at(watch.next(), asked).await {
            Err(_) => return Err(Unwritten::Late),
            Ok(Err(refused)) if refused.means_too_long() => {
                return Err(Unwritten::TooLong {
                    tokens: prompt_tokens(prompt),
                    window: self.window.saturating_sub(sampling.longest),
                });
            },
            Ok(answer) => answer.map_err(failed)?,
        };
        read(response, &mut watch, Manuscript::new(pieces)).await
    }
}

fn failed(error: impl Into<Cause>) -> Unwritten {
    Unwritten::Failed(error.into())
}

fn chat_request(model: &str, prompt: &[Message], sampling: Sampling) -> Value {
    let Sampling {
        temperature,
        seed,
        longest,
    } = sampling;
    let messages: Vec<Value> = prompt
        .iter()
        .map(|Message { role, text }| json!({ "role": called(*role), "content": text }))
        .collect();
    json!({
        "model": model,
        "messages": messages,
        "temperature": temperature,
        "seed": seed,
        "max_tokens": longest,
        "stream": true,
        "stream_options": { "include_usage": true },
    })
}

fn called(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}

/// Reads a streamed answer to its end. Leaving early closes the connection, which is how an
/// endpoint is told to stop.
async fn read(
    response: Response,
    watch: &mut Watch,
    manuscript: Manuscript,
) -> Result<Written, Unwritten> {
    let mut portions = response.bytes_stream();
    let mut stream = EventStream::default();
    let mut reading = Reading::new(manuscript);
    loop {
        let portion = timeout_at(watch.next(), portions.next())
            .await
            .map_err(|_| Unwritten::Late)?;
        let Some(portion) = portion else { break };
        let portion = portion.map_err(|e| failed(unreachable(e)))?;
        for event in stream.feed(&portion).map_err(failed)? {
            match reading.take(&event).map_err(failed)? {
                Heard::Nothing => (),
                Heard::Text => watch.heard(Instant::now()),
                Heard::TheEnd => return reading.written().map_err(failed),
            }
        }
    }
    if let Some(event) = stream.rest() {
        reading.take(&event).map_err(failed)?;
    }
    reading.written().map_err(failed)
}

/// An answer being read.
#[derive(Debug)]
struct Reading {
    manuscript: Manuscript,
    ended: Option<Ended>,
    lengths: Lengths,
}

enum Heard {
    Nothing,
    Text,
    TheEnd,
}

impl Reading {
    fn new(manuscript: Manuscript) -> Self {
        Self {
            manuscript,
            ended: None,
            lengths: Lengths::default(),
        }
    }

    fn take(&mut self, event: &str) -> Result<Heard, Unserved> {
        if event.trim() == "[DONE]" {
            self.ended = self.ended.or(Some(Ended::Finished));
            return Ok(Heard::TheEnd);
        }
        let chunk: Chunk = serde_json::from_str(event)
            .map_err(|_| Unserved::Unreadable("an event is not the JSON that was asked for"))?;
        if let Some(error) = chunk.error {
            let status = StatusCode::OK;
            let code = error.code();
            return Err(Unserved::Refused { status, code });
        }
        if let Some(usage) = chunk.usage {
            self.lengths = Lengths {
                prompt: usage.prompt_tokens,
                written: usage.completion_tokens,
            };
        }
        let choice = chunk.choices.unwrap_or_default().into_iter().next();
        Ok(choice.map_or(Heard::Nothing, |choice| self.choose(choice)))
    }

    fn choose(&mut self, choice: Choice) -> Heard {
        match choice.finish_reason.as_deref() {
            None => (),
            Some("length") => self.ended = Some(Ended::Length),
            Some(_) => self.ended = Some(Ended::Finished),
        }
        let piece = choice.delta.and_then(|d| d.content).unwrap_or_default();
        if piece.is_empty() {
            return Heard::Nothing;
        }
        match self.manuscript.take(piece) {
            Progress::GoesOn => Heard::Text,
            Progress::Repeats => {
                self.ended = Some(Ended::Repetition);
                Heard::TheEnd
            },
        }
    }

    fn written(self) -> Result<Written, Unserved> {
        let ended = self.ended.ok_or(Unserved::BrokenOff)?;
        Ok(self.manuscript.written(ended, self.lengths))
    }
}

#[derive(Debug, Deserialize)]
struct Chunk {
    choices: Option<Vec<Choice>>,
    usage: Option<Usage>,
    error: Option<Details>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Delta {
    content: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Usage {
    #[serde(default)]
    prompt_tokens: usize,
    #[serde(default)]
    completion_tokens: usize,
}
