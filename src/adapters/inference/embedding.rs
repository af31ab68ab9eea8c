//! An embedder in this process, on mistral.rs: larger models, and GPUs.
//!
//! The engine's thread may panic when somebody stops waiting for an embedding, so a thread of
//! our own waits for all of them; who asked may go. A batch that does not come in time means
//! that the engine hangs: it is left behind and the weights are read anew for the next one.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mistralrs::{EmbeddingRequest, Model};
use tokenizers::Tokenizer;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::engine::{Facts, Loaded, Role, Unloaded, Weights};
use super::{Prefixes, fingerprint, thread};
use crate::domain::document::Digest;
use crate::domain::embedding::{Embedding, Fingerprint, Purpose};
use crate::ports::{Cause, Embedder, Unembedded};

/// Which model, and how it is run.
#[derive(Clone, Debug)]
pub struct EmbeddingSettings {
    /// As the manifest names it.
    pub name: String,
    /// Of the weights.
    pub digest: Digest,
    pub weights: Weights,
    pub prefixes: Prefixes,
    /// Longest text in tokens; the model's own limit where that is less.
    pub window: usize,
    /// For one batch of [`LocalEmbedder::BATCH`] texts.
    pub deadline: Duration,
}

/// A model in this process.
#[derive(Debug)]
pub struct LocalEmbedder {
    fingerprint: Fingerprint,
    tokenizer: Arc<Tokenizer>,
    prefixes: Prefixes,
    window: usize,
    dimensions: usize,
    queue: mpsc::Sender<Batch>,
}

struct Batch {
    texts: Vec<String>,
    reply: oneshot::Sender<Result<Vec<Vec<f32>>, Cause>>,
}

impl LocalEmbedder {
    pub const BATCH: usize = 8;
    const RECIPE: &str = "mistralrs,1";

    /// Loads the weights, starts the engine, and embeds a word to learn the length of a vector.
    pub async fn open(settings: EmbeddingSettings) -> Result<Self, Unloaded> {
        let EmbeddingSettings {
            name,
            digest,
            weights,
            prefixes,
            window,
            deadline,
        } = settings;
        let (queue, facts) = hire(weights, deadline).await?;
        let mut embedder = Self {
            fingerprint: fingerprint(&name, digest, Self::RECIPE, &prefixes),
            tokenizer: facts.tokenizer,
            prefixes,
            window: window.min(facts.window),
            dimensions: 0,
            queue,
        };
        let probe = embedder.batch(vec!["saseo".to_owned()]).await;
        let probe = probe.map_err(Unloaded::Failed)?;
        embedder.dimensions = probe.first().map_or(0, Vec::len);
        Ok(embedder)
    }

    async fn batch(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Cause> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(Batch { texts, reply }).await?;
        answer.await?
    }

    fn spent(&self, text: &str) -> usize {
        let encoded = self.tokenizer.encode_fast(text, true);
        encoded.map_or(text.len(), |encoding| encoding.len())
    }

    /// The beginning of `text` that fits the window.
    fn cut<'a>(&self, text: &'a str) -> &'a str {
        let window = self.window();
        let Ok(encoding) = self.tokenizer.encode(text, false) else {
            return text;
        };
        let over = encoding.get_offsets().get(window);
        over.and_then(|(start, _)| text.get(..*start))
            .unwrap_or(text)
    }
}

#[async_trait]
impl Embedder for LocalEmbedder {
    fn fingerprint(&self) -> Fingerprint {
        self.fingerprint.clone()
    }

    fn dimensions(&self) -> usize {
        self.dimensions
    }

    fn window(&self) -> usize {
        let Prefixes { question, passage } = &self.prefixes;
        let spent = self.spent(question).max(self.spent(passage));
        self.window.saturating_sub(spent)
    }

    fn tokens(&self, text: &str) -> usize {
        let encoded = self.tokenizer.encode_fast(text, false);
        encoded.map_or(text.len(), |encoding| encoding.len())
    }

    async fn embed(
        &self,
        purpose: Purpose,
        texts: &[String],
    ) -> Result<Vec<Embedding>, Unembedded> {
        let mut embeddings = Vec::with_capacity(texts.len());
        for batch in texts.chunks(Self::BATCH) {
            let batch = batch.iter().map(|text| self.cut(text));
            let batch = batch.map(|text| self.prefixes.applied(purpose, text));
            let made = self.batch(batch.collect()).await;
            let made = made.map_err(Unembedded::Failed)?;
            embeddings.extend(made.into_iter().map(Embedding::normalised));
        }
        Ok(embeddings)
    }
}

async fn hire(
    weights: Weights,
    deadline: Duration,
) -> Result<(mpsc::Sender<Batch>, Facts), Unloaded> {
    let (queue, batches) = mpsc::channel(4);
    let work = move |ready| work(weights, deadline, batches, ready);
    let facts = thread::hire("saseo-embedding", work).await?;
    Ok((queue, facts))
}

async fn work(
    weights: Weights,
    deadline: Duration,
    mut batches: mpsc::Receiver<Batch>,
    ready: oneshot::Sender<Result<Facts, Unloaded>>,
) {
    let mut model = match load(&weights).await {
        Ok((model, facts)) => {
            drop(ready.send(Ok(facts)));
            Some(model)
        },
        Err(error) => return drop(ready.send(Err(error))),
    };
    while let Some(Batch { texts, reply }) = batches.recv().await {
        if reply.is_closed() {
            continue;
        }
        let made = match ensured(&mut model, &weights).await {
            Ok(model) => embedded(model, texts, deadline).await,
            Err(error) => Err(error.into()),
        };
        if let Err(cause) = &made {
            tracing::warn!("the embedding engine failed and is renewed: {cause}");
            model = None;
        }
        drop(reply.send(made));
    }
}

async fn load(weights: &Weights) -> Result<(Arc<Model>, Facts), Unloaded> {
    let loaded = Loaded::read(weights, Role::Embedding).await?;
    Ok((loaded.start().await?, loaded.facts))
}

async fn ensured(
    model: &mut Option<Arc<Model>>,
    weights: &Weights,
) -> Result<Arc<Model>, Unloaded> {
    let ready = match model.take() {
        Some(ready) => ready,
        None => load(weights).await?.0,
    };
    *model = Some(Arc::clone(&ready));
    Ok(ready)
}

async fn embedded(
    model: Arc<Model>,
    texts: Vec<String>,
    deadline: Duration,
) -> Result<Vec<Vec<f32>>, Cause> {
    let request = EmbeddingRequest::builder()
        .with_truncate_sequence(true)
        .add_prompts(texts);
    let made = timeout(deadline, model.generate_embeddings(request)).await;
    Ok(made.map_err(|_| "the embedding engine did not answer in time")??)
}
