//! A chat model and an embedder behind an OpenAI-compatible endpoint: the way out when one
//! machine is not enough (a mistral.rs server, vLLM, a vendor).
//!
//! Weights and tokenizer are out of sight, so two answers are approximations: the digest is of
//! the address and the model's name, and tokens are estimated from the script (see
//! [`estimated_tokens`]) on the high side, so that a prompt which fits by it does fit.

use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Response, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};
use url::Url;

use super::deadlines::{Deadlines, Watch};
use super::event_stream::EventStream;
use super::manuscript::{Lengths, Manuscript, Progress};
use super::{Prefixes, fingerprint};
use crate::domain::document::Digest;
use crate::domain::embedding::{Embedding, Fingerprint, Purpose};
use crate::domain::language::is_hangul;
use crate::ports::{
    Cause, ChatModel, Embedder, Ended, Message, ModelIdentity, Role, Sampling, Unembedded,
    Unwritten, Written,
};

/// Where a model is served.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Up to and with the version: `https://models.example.com/v1`.
    pub url: Url,
    /// As the endpoint names it.
    pub model: String,
    /// Sent as a bearer token.
    pub key: Option<SecretString>,
}

/// Why an endpoint gave no answer; said in the log, behind the port's own error.
#[derive(Debug, thiserror::Error)]
pub enum Unserved {
    /// It could not be reached, or the connection broke.
    #[error("the endpoint could not be reached, or the connection broke")]
    Unreachable(#[source] reqwest::Error),
    /// It does not know us.
    #[error("the endpoint refused the key ({0}): check the key and what it may use")]
    Forbidden(StatusCode),
    /// It limits us, and did so again after the pause it asked for.
    #[error("the endpoint is busy and asked for a longer pause")]
    Busy,
    /// It answered with an error.
    #[error("the endpoint answered {status} ({code})")]
    Refused {
        /// HTTP status.
        status: StatusCode,
        /// The error's code or type, where it names one.
        code: String,
    },
    /// It said something that is no answer.
    #[error("the endpoint's answer could not be read: {0}")]
    Unreadable(&'static str),
    /// The stream ended before the answer did.
    #[error("the endpoint's answer broke off")]
    BrokenOff,
}

impl Unserved {
    /// Whether the same request may succeed later, without anybody changing the settings.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Busy | Self::BrokenOff => true,
            Self::Refused { status, .. } => status.is_server_error(),
            Self::Forbidden(_) | Self::Unreadable(_) => false,
        }
    }
}

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

/// An embedder at an endpoint.
#[derive(Debug)]
pub struct OpenAiEmbedder {
    line: Line,
    settings: OpenAiEmbedderSettings,
    dimensions: usize,
}

/// What the endpoint cannot tell about an embedder.
#[derive(Clone, Debug)]
pub struct OpenAiEmbedderSettings {
    /// Longest text in tokens.
    pub window: usize,
    /// What the model wants before a text.
    pub prefixes: Prefixes,
    /// For one batch of texts.
    pub deadline: Duration,
}

impl OpenAiEmbedder {
    /// Small enough for every server's limit on one request.
    const BATCH: usize = 32;

    /// Asks for one vector, to learn its length.
    pub async fn open(
        endpoint: Endpoint,
        settings: OpenAiEmbedderSettings,
    ) -> Result<Self, Unserved> {
        let mut embedder = Self {
            line: Line::new(endpoint)?,
            settings,
            dimensions: 0,
        };
        let probe = embedder.batch(&["saseo".to_owned()]).await?;
        embedder.dimensions = probe.first().map_or(0, |e| e.as_slice().len());
        Ok(embedder)
    }

    async fn batch(&self, texts: &[String]) -> Result<Vec<Embedding>, Unserved> {
        let body = json!({
            "model": self.line.endpoint.model,
            "input": texts,
            "encoding_format": "float",
        });
        let deadline = Instant::now() + self.settings.deadline;
        let answer = timeout_at(deadline, async {
            let response = self.line.ask("embeddings", &body).await?;
            let listed: Listed = response.json().await.map_err(unreachable)?;
            Ok::<_, Unserved>(listed)
        });
        let listed = answer.await.map_err(|_| Unserved::BrokenOff)??;
        in_order(listed.data, texts.len())
    }
}

#[async_trait]
impl Embedder for OpenAiEmbedder {
    fn fingerprint(&self) -> Fingerprint {
        let name = &self.line.endpoint.model;
        fingerprint(
            name,
            self.line.digest(),
            "openai,1",
            &self.settings.prefixes,
        )
    }

    fn dimensions(&self) -> usize {
        self.dimensions
    }

    fn window(&self) -> usize {
        let Prefixes { question, passage } = &self.settings.prefixes;
        let prefix = estimated_tokens(question).max(estimated_tokens(passage));
        self.settings.window.saturating_sub(prefix + 2)
    }

    fn tokens(&self, text: &str) -> usize {
        estimated_tokens(text)
    }

    async fn embed(
        &self,
        purpose: Purpose,
        texts: &[String],
    ) -> Result<Vec<Embedding>, Unembedded> {
        let mut embeddings = Vec::with_capacity(texts.len());
        for batch in texts.chunks(Self::BATCH) {
            let batch: Vec<String> = batch
                .iter()
                .map(|text| cut(text, self.window()))
                .map(|text| self.settings.prefixes.applied(purpose, text))
                .collect();
            let made = self.batch(&batch).await;
            embeddings.extend(made.map_err(|e| Unembedded::Failed(e.into()))?);
        }
        Ok(embeddings)
    }
}

/// Tokens of `text` by its script, rounded up: a token has some three Latin letters
/// or digits; a Hangul syllable, a Chinese character, an emoji or a sign counts as one each.
///
/// ```
/// use saseo::adapters::inference::openai::estimated_tokens;
///
/// assert_eq!(estimated_tokens("How do I delete a pod?"), 7);
/// assert_eq!(estimated_tokens("파드를 지워?"), 7);
/// ```
pub fn estimated_tokens(text: &str) -> usize {
    sevenths(text.chars()).div_ceil(7)
}

fn sevenths(text: impl Iterator<Item = char>) -> usize {
    text.map(|c| match c {
        c if c.is_whitespace() => 1,
        c if c.is_ascii_alphanumeric() => 2,
        c if c.is_ascii() || is_hangul(c) || !c.is_alphabetic() || c > '\u{2E7F}' => 7,
        _ => 4,
    })
    .sum()
}

/// The beginning of `text` that has at most `window` estimated tokens.
fn cut(text: &str, window: usize) -> &str {
    let mut spent = 0;
    let end = text.char_indices().find(|(_, c)| {
        spent += sevenths(std::iter::once(*c));
        spent > window * 7
    });
    end.and_then(|(offset, _)| text.get(..offset))
        .unwrap_or(text)
}

/// The way to an endpoint.
#[derive(Debug)]
struct Line {
    endpoint: Endpoint,
    http: Client,
}

impl Line {
    const CONNECT: Duration = Duration::from_secs(10);
    /// A pause when a busy endpoint names none, and the longest that is kept.
    const PAUSE: Duration = Duration::from_secs(1);
    const LONGEST_PAUSE: Duration = Duration::from_secs(30);

    fn new(endpoint: Endpoint) -> Result<Self, Unserved> {
        // Whoever comes first installs it; it is the same one everywhere.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = Client::builder()
            .tls_backend_rustls()
            .connect_timeout(Self::CONNECT)
            .build()
            .map_err(unreachable)?;
        Ok(Self { endpoint, http })
    }

    fn digest(&self) -> Digest {
        let Endpoint { url, model, key: _ } = &self.endpoint;
        Digest::of(format!("{url}\n{model}").as_bytes())
    }

    /// Posts `body`; when told to wait, waits and asks once more.
    async fn ask(&self, path: &str, body: &Value) -> Result<Response, Unserved> {
        let response = self.post(path, body).await?;
        if response.status() != StatusCode::TOO_MANY_REQUESTS {
            return accepted(response).await;
        }
        let pause = asked_pause(&response).unwrap_or(Self::PAUSE);
        if pause > Self::LONGEST_PAUSE {
            return Err(Unserved::Busy);
        }
        drop(response);
        sleep(pause).await;
        accepted(self.post(path, body).await?).await
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Response, Unserved> {
        let Endpoint { url, model: _, key } = &self.endpoint;
        let address = format!("{}/{path}", url.as_str().trim_end_matches('/'));
        let mut request = self.http.post(address).json(body);
        if let Some(key) = key {
            request = request.bearer_auth(key.expose_secret());
        }
        request.send().await.map_err(unreachable)
    }
}

/// Seconds only: no server we know of sends the other form, a date.
fn asked_pause(response: &Response) -> Option<Duration> {
    let pause = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    pause.trim().parse().ok().map(Duration::from_secs)
}

async fn accepted(response: Response) -> Result<Response, Unserved> {
    let status = response.status();
    match status {
        _ if status.is_success() => Ok(response),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Unserved::Forbidden(status)),
        StatusCode::TOO_MANY_REQUESTS => Err(Unserved::Busy),
        _ => {
            // Only the code: a message may quote the prompt.
            let problem: Problem = response.json().await.unwrap_or_default();
            let code = problem.code();
            Err(Unserved::Refused { status, code })
        },
    }
}

impl Unserved {
    fn means_too_long(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "context_length_exceeded")
    }
}

fn unreachable(error: reqwest::Error) -> Unserved {
    if error.is_decode() {
        return Unserved::Unreadable("not the JSON that was asked for");
    }
    Unserved::Unreachable(error.without_url())
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

#[derive(Debug, Default, Deserialize)]
struct Problem {
    error: Option<Details>,
}

#[derive(Debug, Default, Deserialize)]
struct Details {
    code: Option<Value>,
    r#type: Option<String>,
}

impl Problem {
    fn code(&self) -> String {
        self.error.as_ref().map_or_else(unnamed, Details::code)
    }
}

impl Details {
    fn code(&self) -> String {
        match &self.code {
            Some(Value::String(code)) => code.clone(),
            Some(Value::Number(code)) => code.to_string(),
            Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => {
                self.r#type.clone().unwrap_or_else(unnamed)
            },
        }
    }
}

fn unnamed() -> String {
    "no code".to_owned()
}

#[derive(Debug, Deserialize)]
struct Listed {
    data: Vec<Vector>,
}

#[derive(Debug, Deserialize)]
struct Vector {
    index: usize,
    embedding: Vec<f32>,
}

/// Servers may answer in any order; each vector says whose it is.
fn in_order(mut vectors: Vec<Vector>, asked: usize) -> Result<Vec<Embedding>, Unserved> {
    vectors.sort_by_key(|vector| vector.index);
    let whole = vectors.len() == asked
        && vectors
            .iter()
            .enumerate()
            .all(|(place, vector)| vector.index == place && !vector.embedding.is_empty());
    if !whole {
        return Err(Unserved::Unreadable("not one vector per text"));
    }
    let vectors = vectors.into_iter().map(|vector| vector.embedding);
    Ok(vectors.map(Embedding::normalised).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_text_has_the_tokens_of_the_window() {
        let text = "파드를 지우려면 kubectl delete pod 를 쓰세요";
        for window in 0..30 {
            let kept = cut(text, window);
            assert!(estimated_tokens(kept) <= window, "{window}: {kept}");
            assert!(text.starts_with(kept));
        }
        assert_eq!(cut(text, 100), text);
        assert_eq!(cut("", 3), "");
    }

    #[test]
    fn a_key_is_not_in_what_may_be_logged() {
        let line = Line::new(Endpoint {
            url: Url::parse("http://127.0.0.1:1/v1").unwrap(),
            model: "m".to_owned(),
            key: Some(SecretString::from("s3cr3t")),
        });
        assert!(!format!("{line:?}").contains("s3cr3t"));
    }

    #[test]
    fn vectors_are_put_in_the_order_of_the_texts() {
        let vector = |index, x| Vector {
            index,
            embedding: vec![x, 0.0],
        };
        let ordered = in_order(vec![vector(1, -1.0), vector(0, 1.0)], 2).unwrap();
        let firsts: Vec<f32> = ordered.iter().map(|e| e.as_slice()[0]).collect();
        assert_eq!(firsts, [1.0, -1.0]);
        assert!(in_order(vec![vector(0, 1.0), vector(0, 1.0)], 2).is_err());
        assert!(in_order(vec![vector(0, 1.0)], 2).is_err());
    }
}
