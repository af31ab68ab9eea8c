//! The clerk: the one thread that speaks to the chat engine, one request at a time.
//!
//! Generations do not help each other on a processor, so requests wait in a queue and keep their
//! place in it, whatever happens to the engine. Each request belongs to a task that reads the
//! engine's stream to its end, because the engine's channel holds one item and its thread may
//! panic when a receiver goes away: a request that nobody waits for is *told* to end (see
//! [`super::picker`]), and its end is awaited before the next one begins. Only a prompt being
//! read cannot be interrupted.
//!
//! An engine that died, or does not come to an end when told to, is left behind; the weights
//! are read anew, the request is tried once more if nobody has read any of it, and the queue
//! goes on.

use std::sync::Arc;
use std::time::Duration;

use mistralrs::{
    ChatCompletionChunkResponse, Model, RequestBuilder, Response, TextMessageRole,
};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::deadlines::Deadlines;
use super::engine::{Facts, Loaded, PrefixCache, Role, Unloaded, Weights};
use super::manuscript::{Lengths, Manuscript, Progress};
use super::picker::{Picker, Stop};
use super::thread;
use crate::ports::{self, Cause, Ended, Message, Sampling, Unwritten, Written};

/// What the clerk works with.
#[derive(Clone, Debug)]
pub(super) struct Orders {
    pub(super) weights: Weights,
    pub(super) deadlines: Deadlines,
    /// After how many answers the prefix cache is emptied; 0 for no cache.
    pub(super) answers_remembered: usize,
    /// How many requests may wait.
    pub(super) queue: usize,
}

/// One request, and where its answer goes. Dropping the other end of `reply` withdraws it.
pub(super) struct Job {
    pub(super) prompt: Vec<Message>,
    pub(super) sampling: Sampling,
    pub(super) pieces: mpsc::UnboundedSender<String>,
    pub(super) reply: oneshot::Sender<Result<Written, Unwritten>>,
}

/// Starts the clerk's thread; it ends when the returned queue is dropped.
pub(super) async fn hire(orders: Orders) -> Result<(mpsc::Sender<Job>, Facts), Unloaded> {
    let (queue, jobs) = mpsc::channel(orders.queue.max(1));
    let facts = thread::hire("saseo-chat", move |ready| work(orders, jobs, ready)).await?;
    Ok((queue, facts))
}

async fn work(
    orders: Orders,
    jobs: mpsc::Receiver<Job>,
    ready: oneshot::Sender<Result<Facts, Unloaded>>,
) {
    match Clerk::new(orders).await {
        Ok(clerk) => {
            let facts = clerk.loaded.facts.clone();
            if ready.send(Ok(facts)).is_ok() {
                clerk.serve(jobs).await;
            }
        },
        Err(error) => drop(ready.send(Err(error))),
    }
}

struct Clerk {
    orders: Orders,
    loaded: Loaded,
    /// `None` after the engine failed: weights and engine are then made anew.
    model: Option<Arc<Model>>,
    answers: usize,
    owners: JoinSet<()>,
}

/// How a request went.
enum Outcome {
    Written(Written),
    /// Nobody waits for it any more.
    Withdrawn,
    Late,
    /// The engine does not take such a request.
    Refused(Cause),
    Broken {
        cause: Cause,
        /// Somebody may have read a part: it cannot be begun anew.
        begun: bool,
    },
}

/// A request that the engine may still be working on.
struct UnderWay {
    events: mpsc::UnboundedReceiver<Event>,
    stop: Stop,
}

/// What the owner of a request tells.
enum Event {
    Token(String),
    Ended(Ended, Lengths),
    Refused(Cause),
    Broken(Cause),
}

impl Clerk {
    async fn new(orders: Orders) -> Result<Self, Unloaded> {
        let loaded = Loaded::read(&orders.weights, orders.role()).await?;
        let model = Some(loaded.start().await?);
        Ok(Self {
            orders,
            loaded,
            model,
            answers: 0,
            owners: JoinSet::new(),
        })
    }

    async fn serve(mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(job) = jobs.recv().await {
            if job.reply.is_closed() {
                continue;
            }
            let fixed = fixed_part(&job.prompt);
            self.attend(job).await;
            if self.remembers_too_much() && self.forget().await && jobs.is_empty() {
                self.learn(fixed).await;
            }
        }
        self.model = None;
        let ending = async { while self.owners.join_next().await.is_some() {} };
        drop(timeout(self.orders.deadlines.between_tokens, ending).await);
    }

    async fn attend(&mut self, mut job: Job) {
        let (mut outcome, mut under_way) = self.attempt(&mut job).await;
        if let Outcome::Broken { cause, begun } = &outcome {
            tracing::warn!(cause, "the inference engine failed and is renewed: {cause}");
            self.model = None;
            if !begun {
                self.settle(under_way).await;
                (outcome, under_way) = self.attempt(&mut job).await;
            }
        }
        let Job { reply, .. } = job;
        let answer = match outcome {
            Outcome::Written(written) => Ok(written),
            Outcome::Withdrawn | Outcome::Late => Err(Unwritten::Late),
            Outcome::Refused(cause) | Outcome::Broken { cause, begun: _ } => {
                Err(Unwritten::Failed(cause))
            },
        };
        drop(reply.send(answer));
        self.settle(under_way).await;
    }

    async fn attempt(&mut self, job: &mut Job) -> (Outcome, Option<UnderWay>) {
        let model = match self.model().await {
            Ok(model) => model,
            Err(error) => {
                let cause = error.into();
                return (Outcome::Broken { cause, begun: true }, None);
            },
        };
        let mut under_way = self.begin(model, &job.prompt, job.sampling);
        let watch = self.orders.deadlines;
        let outcome = follow(job, &mut under_way, watch).await;
        (outcome, Some(under_way))
    }

    /// The engine; weights and all are read anew if the last one failed.
    async fn model(&mut self) -> Result<Arc<Model>, Unloaded> {
        if let Some(model) = &self.model {
            return Ok(Arc::clone(model));
        }
        self.loaded = Loaded::read(&self.orders.weights, self.orders.role()).await?;
        self.start().await
    }

    async fn start(&mut self) -> Result<Arc<Model>, Unloaded> {
        let model = self.loaded.start().await?;
        self.answers = 0;
        self.model = Some(Arc::clone(&model));
        Ok(model)
    }

    fn begin(&mut self, model: Arc<Model>, prompt: &[Message], sampling: Sampling) -> UnderWay {
        while self.owners.try_join_next().is_some() {}
        let stop = Stop::default();
        let picker = Picker {
            stop: stop.clone(),
            end: self.loaded.facts.end,
            sampling,
        };
        let (tell, events) = mpsc::unbounded_channel();
        self.owners.spawn(own(model, request(prompt, picker), tell));
        UnderWay { events, stop }
    }

    /// Tells the engine to end what it is doing and waits for that, as long as a whole answer
    /// may take: a prompt that is being read cannot be interrupted, and an engine left behind
    /// while it reads takes the processor from the new one.
    async fn settle(&mut self, under_way: Option<UnderWay>) {
        let Some(UnderWay { mut events, stop }) = under_way else {
            return;
        };
        stop.now();
        let ending = async { while events.recv().await.is_some() {} };
        let patience = self.orders.deadlines.total;
        if timeout(patience, ending).await.is_err() {
            tracing::warn!("the inference engine hangs and is left behind");
            self.model = None;
        }
        self.answers += 1;
    }

    fn remembers_too_much(&self) -> bool {
        let limit = self.orders.answers_remembered;
        limit > 0 && self.answers >= limit
    }

    /// Puts a new engine, whose prefix cache is empty, on the same weights.
    async fn forget(&mut self) -> bool {
        if self.model.take().is_none() {
            return false;
        }
        let started = self.start().await;
        if let Err(error) = &started {
            tracing::warn!("no new engine could be started on the weights: {error}");
        }
        started.is_ok()
    }

    /// Reads the fixed part of the last prompt while nobody waits, so that the next one finds
    /// it in the cache.
    async fn learn(&mut self, fixed: Vec<Message>) {
        let (false, Some(model)) = (fixed.is_empty(), self.model.clone()) else {
            return;
        };
        let sampling = Sampling {
            temperature: 0.0,
            seed: 0,
            longest: 1,
        };
        let under_way = self.begin(model, &fixed, sampling);
        self.settle(Some(under_way)).await;
        self.answers = 0;
    }
}

impl Orders {
    fn role(&self) -> Role {
        let prefix_cache = if self.answers_remembered > 0 {
            PrefixCache::On
        } else {
            PrefixCache::Off
        };
        Role::Chat { prefix_cache }
    }
}

/// What comes first in every prompt of one kind: the work order. A template wants a person to
/// speak last.
fn fixed_part(prompt: &[Message]) -> Vec<Message> {
    match prompt.first() {
        Some(first) if first.role == ports::Role::System => {
            let last = Message {
                role: ports::Role::User,
                text: String::new(),
            };
            vec![first.clone(), last]
        },
        Some(_) | None => Vec::new(),
    }
}

/// Reads along with a request until it is answered, withdrawn or late.
async fn follow(job: &mut Job, under_way: &mut UnderWay, deadlines: Deadlines) -> Outcome {
    let mut watch = deadlines.watch(Instant::now());
    let mut writing = Writing::new(job.pieces.clone());
    loop {
        let event = tokio::select! {
            biased;
            () = job.reply.closed() => return Outcome::Withdrawn,
            event = timeout_at(watch.next(), under_way.events.recv()) => event,
        };
        let Ok(event) = event else {
            return writing.late();
        };
        watch.heard(Instant::now());
        let lost = || Event::Broken("the engine's answer was lost".into());
        match event.unwrap_or_else(lost) {
            Event::Token(piece) => {
                if writing.take(piece) == Progress::Repeats {
                    under_way.stop.now();
                }
            },
            Event::Ended(ended, lengths) => return writing.ended(ended, lengths),
            Event::Refused(cause) => return Outcome::Refused(cause),
            Event::Broken(cause) => return writing.broken(cause),
        }
    }
}

/// A manuscript, and whether it was already cut.
struct Writing {
    manuscript: Manuscript,
    tokens: usize,
    repeats: bool,
}

impl Writing {
    fn new(pieces: mpsc::UnboundedSender<String>) -> Self {
        Self {
            manuscript: Manuscript::new(pieces),
            tokens: 0,
            repeats: false,
        }
    }

    fn take(&mut self, piece: String) -> Progress {
        self.tokens += 1;
        if self.repeats {
            return Progress::GoesOn;
        }
        let progress = self.manuscript.take(piece);
        self.repeats = progress == Progress::Repeats;
        progress
    }

    fn ended(self, ended: Ended, lengths: Lengths) -> Outcome {
        let ended = if self.repeats {
            Ended::Repetition
        } else {
            ended
        };
        Outcome::Written(self.manuscript.written(ended, lengths))
    }

    fn late(self) -> Outcome {
        if !self.repeats {
            return Outcome::Late;
        }
        let lengths = Lengths {
            prompt: 0,
            written: self.tokens,
        };
        self.ended(Ended::Repetition, lengths)
    }

    fn broken(self, cause: Cause) -> Outcome {
        let begun = self.manuscript.has_begun();
        Outcome::Broken { cause, begun }
    }
}

fn request(prompt: &[Message], picker: Picker) -> RequestBuilder {
    let longest = picker.sampling.longest.max(1);
    // The sampler must stay greedy, also for seeded drafts: the picker has drawn already. At a
    // temperature of none at all the engine would sort the vocabulary and draw from the best one.
    let empty = RequestBuilder::new()
        .set_deterministic_sampler()
        .set_sampler_temperature(0.0)
        .set_sampler_max_len(longest)
        .enable_thinking(false)
        .add_logits_processor(Arc::new(picker));
    prompt.iter().fold(empty, |request, message| {
        let role = match message.role {
            ports::Role::System => TextMessageRole::System,
            ports::Role::User => TextMessageRole::User,
            ports::Role::Assistant => TextMessageRole::Assistant,
        };
        request.add_message(role, &message.text)
    })
}

/// Owns one request: reads the engine's stream to its end, whoever listens.
async fn own(model: Arc<Model>, request: RequestBuilder, tell: mpsc::UnboundedSender<Event>) {
    let last = relay(&model, request, &tell).await;
    // Before the last word: who has heard it may want to be rid of the engine.
    drop(model);
    drop(tell.send(last));
}

async fn relay(
    model: &Model,
    request: RequestBuilder,
    tell: &mpsc::UnboundedSender<Event>,
) -> Event {
    let line = match model.inner().get_sender(None) {
        Ok(line) => line,
        Err(error) => return Event::Broken(error.into()),
    };
    let mut stream = match model.stream_chat_request(request).await {
        Ok(stream) => stream,
        Err(error) => return Event::Broken(error.into()),
    };
    let mut last = None;
    while let Some(response) = stream.next().await {
        match heard(response) {
            Heard::Chunk(piece, end) => {
                drop(tell.send(Event::Token(piece)));
                last = end.or(last);
            },
            Heard::Trouble(event) => last = Some(event),
        }
    }
    if let Some(last) = last {
        return last;
    }
    // A text that ends within a character has no last chunk; a dead engine has none either,
    // and then its end of the line goes away as well.
    match timeout(Duration::from_millis(500), line.closed()).await {
        Ok(()) => Event::Broken("the engine's thread died".into()),
        Err(_) => Event::Ended(Ended::Length, Lengths::default()),
    }
}

enum Heard {
    Chunk(String, Option<Event>),
    Trouble(Event),
}

fn heard(response: Response) -> Heard {
    match response {
        Response::ValidationError(cause) => Heard::Trouble(Event::Refused(cause)),
        Response::InternalError(cause) => Heard::Trouble(Event::Broken(cause)),
        // Only the message: the other part is the text so far.
        Response::ModelError(message, _) | Response::CompletionModelError(message, _) => {
            Heard::Trouble(Event::Broken(message.into()))
        },
        Response::Chunk(chunk) => read(chunk),
        Response::Done(_)
        | Response::CompletionDone(_)
        | Response::CompletionChunk(_)
        | Response::ImageGeneration(_)
        | Response::Speech { .. }
        | Response::Raw { .. }
        | Response::Embeddings { .. } => {
            Heard::Trouble(Event::Broken("the engine answered something else".into()))
        },
    }
}

fn read(chunk: ChatCompletionChunkResponse) -> Heard {
    let lengths = chunk.usage.map_or_else(Lengths::default, |usage| Lengths {
        prompt: usage.prompt_tokens,
        written: usage.completion_tokens,
    });
    let Some(choice) = chunk.choices.into_iter().next() else {
        return Heard::Chunk(String::new(), None);
    };
    let end = choice.finish_reason.map(|reason| {
        let ended = match reason.as_str() {
            "length" => Ended::Length,
            _ => Ended::Finished,
        };
        Event::Ended(ended, lengths)
    });
    Heard::Chunk(choice.delta.content.unwrap_or_default(), end)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use mistralrs::Request;

    use super::*;

    async fn clerk(deadlines: Deadlines) -> Clerk {
        #[expect(clippy::disallowed_methods, reason = "a test has no settings file")]
        let folder = std::env::var("SASEO_TEST_MODELS").expect(
            "SASEO_TEST_MODELS names the folder of the starter models: \
             `saseo --models DIR models pull` fills one, `make test` does both",
        );
        let file = PathBuf::from(folder).join("smollm2-135m-instruct-q8-0/model.gguf");
        let orders = Orders {
            weights: Weights::Gguf(file),
            deadlines,
            answers_remembered: 4,
            queue: 1,
        };
        Clerk::new(orders).await.unwrap()
    }

    type Answer = oneshot::Receiver<Result<Written, Unwritten>>;

    fn job(longest: usize) -> (Job, mpsc::UnboundedReceiver<String>, Answer) {
        let (pieces, heard) = mpsc::unbounded_channel();
        let (reply, answer) = oneshot::channel();
        let job = Job {
            prompt: vec![Message {
                role: ports::Role::User,
                text: "Tell me a long story.".to_owned(),
            }],
            sampling: Sampling {
                temperature: 0.0,
                seed: 0,
                longest,
            },
            pieces,
            reply,
        };
        (job, heard, answer)
    }

    async fn kill(model: &Model) {
        let line = model.inner().get_sender(None).unwrap();
        line.send(Request::Terminate).await.unwrap();
    }

    #[tokio::test]
    async fn an_engine_that_dies_before_the_first_word_is_renewed_and_the_answer_comes() {
        let mut clerk = clerk(Deadlines::default()).await;
        let (job, _heard, answer) = job(4);
        kill(&clerk.model().await.unwrap()).await;

        clerk.attend(job).await;

        assert!(answer.await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn an_engine_that_dies_in_the_middle_fails_one_answer_and_not_the_next() {
        let mut clerk = clerk(Deadlines::default()).await;
        let model = clerk.model().await.unwrap();
        let (long, mut heard, answer) = job(400);
        let killing = async {
            heard.recv().await;
            kill(&model).await;
            drop(model);
        };

        tokio::join!(clerk.attend(long), killing);

        let failed = answer.await.unwrap();
        assert!(matches!(failed, Err(Unwritten::Failed(_))), "{failed:?}");
        let (next, _heard, answer) = job(4);
        clerk.attend(next).await;
        assert!(answer.await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn an_engine_that_hangs_is_left_behind_and_the_next_answer_comes() {
        let limit = Duration::from_secs(8);
        let mut clerk = clerk(Deadlines {
            first_token: limit,
            between_tokens: limit,
            total: limit,
        })
        .await;
        let pipeline = Arc::clone(&clerk.loaded.pipeline);
        let hanging = pipeline.lock().await;
        let (stuck, _heard, answer) = job(4);

        clerk.attend(stuck).await;

        let late = answer.await.unwrap();
        assert!(matches!(late, Err(Unwritten::Late)), "{late:?}");
        assert!(clerk.model.is_none());
        drop(hanging);
        let (next, _heard, answer) = job(4);
        clerk.attend(next).await;
        assert!(answer.await.unwrap().is_ok());
    }
}
