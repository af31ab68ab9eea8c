//! An embedder for processors: multilingual-e5-small on candle, in this process.
//!
//! Texts go one by one, never padded, each on one thread, as many at once as there are cores:
//! that beats a batch (padding is work) and two threads on one text (they wait for each other
//! between products). Only a single text, a question, gets all threads.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rayon::{ThreadPool, ThreadPoolBuilder};
use tokenizers::Tokenizer;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::chat::Unloaded;
use super::encoder::Encoder;
use super::{Prefixes, fingerprint};
use crate::domain::document::Digest;
use crate::domain::embedding::{Embedding, Fingerprint, Purpose};
use crate::ports::{Cause, Embedder, Unembedded};

/// Which files, and how many threads.
#[derive(Clone, Debug)]
pub struct BertSettings {
    /// As the manifest names it.
    pub name: String,
    /// Of the weights.
    pub digest: Digest,
    /// The converted weights.
    pub weights: PathBuf,
    /// `tokenizer.json`.
    pub tokenizer: PathBuf,
    pub prefixes: Prefixes,
    /// At most so many; 0 for as many as there are cores.
    pub threads: usize,
    /// For one batch, its wait for the batches before it included.
    pub deadline: Duration,
}

/// The embedder. Clones of its insides are shared with the threads that work.
pub struct Bert {
    fingerprint: Fingerprint,
    model: Arc<Model>,
    deadline: Duration,
    /// One batch at a time: a second one would only slow the first.
    turn: Arc<Semaphore>,
}

impl Bert {
    /// Says how a vector is made; part of the fingerprint. The number is ours: it grows when
    /// this file changes what comes out.
    const RECIPE: &str = "mean,l2,1";

    /// Reads weights and tokenizer, on threads of their own.
    pub async fn open(settings: BertSettings) -> Result<Self, Unloaded> {
        let fingerprint = fingerprint(
            &settings.name,
            settings.digest,
            Self::RECIPE,
            &settings.prefixes,
        );
        let deadline = settings.deadline;
        let read = tokio::task::spawn_blocking(move || Model::read(settings));
        let model = read
            .await
            .map_err(|error| Unloaded::Failed(error.into()))??;
        Ok(Self {
            fingerprint,
            model: Arc::new(model),
            deadline,
            turn: Arc::new(Semaphore::new(1)),
        })
    }
}

#[async_trait]
impl Embedder for Bert {
    fn fingerprint(&self) -> Fingerprint {
        self.fingerprint.clone()
    }

    fn dimensions(&self) -> usize {
        self.model.encoder.width()
    }

    fn window(&self) -> usize {
        self.model.window
    }

    fn tokens(&self, text: &str) -> usize {
        let encoded = self.model.tokenizer.encode_fast(text, false);
        encoded.map_or(text.len(), |encoding| encoding.len())
    }

    async fn embed(
        &self,
        purpose: Purpose,
        texts: &[String],
    ) -> Result<Vec<Embedding>, Unembedded> {
        // Giving up drops the work, and with it what says that it is wanted.
        timeout(self.deadline, self.embed_in_turn(purpose, texts))
            .await
            .unwrap_or(Err(Unembedded::Late))
    }
}

impl Bert {
    async fn embed_in_turn(
        &self,
        purpose: Purpose,
        texts: &[String],
    ) -> Result<Vec<Embedding>, Unembedded> {
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        let turn = turn.map_err(|error| Unembedded::Failed(error.into()))?;
        let model = Arc::clone(&self.model);
        let texts = texts.to_vec();
        let wanted = Wanted::default();
        let still = Arc::clone(&wanted.0);
        let work = tokio::task::spawn_blocking(move || {
            let embeddings = model.embed(purpose, &texts, &still);
            drop(turn);
            embeddings
        });
        let embeddings = work
            .await
            .map_err(|error| Unembedded::Failed(error.into()))?;
        drop(wanted);
        embeddings.map_err(Unembedded::Failed)
    }
}

/// Says, when dropped, that nobody waits any more.
struct Wanted(Arc<AtomicBool>);

impl Default for Wanted {
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

struct Model {
    encoder: Encoder,
    tokenizer: Tokenizer,
    prefixes: Prefixes,
    window: usize,
    /// Each of one thread. A product that is called from within keeps to that thread.
    workers: Vec<ThreadPool>,
    /// Of all threads, for a single text.
    together: ThreadPool,
}

impl Model {
    fn read(settings: BertSettings) -> Result<Self, Unloaded> {
        for file in [&settings.weights, &settings.tokenizer] {
            if !file.is_file() {
                return Err(Unloaded::Missing(file.clone()));
            }
        }
        let (encoder, tokenizer) = std::thread::scope(|scope| {
            let tokenizer = scope.spawn(|| tokenizer(&settings));
            (Encoder::read(&settings.weights), tokenizer.join())
        });
        let encoder = encoder.map_err(|error| Unloaded::Failed(error.into()))?;
        let tokenizer =
            tokenizer.map_err(|_| Unloaded::Failed("the tokenizer panicked".into()))??;
        let window = window(&encoder, &tokenizer, &settings.prefixes);
        let threads = threads(settings.threads);
        Ok(Self {
            encoder,
            tokenizer,
            prefixes: settings.prefixes,
            window,
            workers: (0..threads).map(|_| pool(1)).collect::<Result<_, _>>()?,
            together: pool(threads)?,
        })
    }

    fn embed(
        &self,
        purpose: Purpose,
        texts: &[String],
        wanted: &AtomicBool,
    ) -> Result<Vec<Embedding>, Cause> {
        let tokens = texts
            .iter()
            .map(|text| self.tokens(purpose, text))
            .collect::<Result<Vec<_>, _>>()?;
        if let [alone] = tokens.as_slice() {
            return Ok(vec![self.together.install(|| self.one(alone))?]);
        }
        self.side_by_side(&tokens, wanted)
    }

    /// The longest first, so that no thread begins a long text when the others are done.
    fn side_by_side(
        &self,
        texts: &[Vec<u32>],
        wanted: &AtomicBool,
    ) -> Result<Vec<Embedding>, Cause> {
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|place| std::cmp::Reverse(texts.get(*place).map_or(0, Vec::len)));
        let next = AtomicUsize::new(0);
        let ask = || {
            let place = order.get(next.fetch_add(1, Ordering::Relaxed))?;
            Some((*place, texts.get(*place)?.as_slice()))
        };
        let mut made = Vec::with_capacity(texts.len());
        std::thread::scope(|scope| {
            let working: Vec<_> = self
                .workers
                .iter()
                .map(|pool| scope.spawn(|| pool.install(|| self.work(ask, wanted))))
                .collect();
            for worker in working {
                made.extend(
                    worker
                        .join()
                        .map_err(|_| "an embedding thread panicked")??,
                );
            }
            Ok::<_, Cause>(())
        })?;
        made.sort_by_key(|(place, _)| *place);
        Ok(made.into_iter().map(|(_, embedding)| embedding).collect())
    }

    /// One worker: takes text after text until there is none left.
    fn work<'a>(
        &self,
        ask: impl Fn() -> Option<(usize, &'a [u32])>,
        wanted: &AtomicBool,
    ) -> Result<Vec<(usize, Embedding)>, Cause> {
        let mut made = Vec::new();
        while let Some((place, text)) = ask() {
            if !wanted.load(Ordering::Relaxed) {
                return Err("nobody waits for it any more".into());
            }
            made.push((place, self.one(text)?));
        }
        Ok(made)
    }

    fn one(&self, tokens: &[u32]) -> Result<Embedding, Cause> {
        Ok(Embedding::normalised(self.encoder.encode(tokens)?))
    }

    /// Tokens of `text` with prefix and special tokens; what is over the window is cut off
    /// before the last special token.
    fn tokens(&self, purpose: Purpose, text: &str) -> Result<Vec<u32>, Cause> {
        let text = self.prefixes.applied(purpose, text);
        let encoding = self.tokenizer.encode_fast(text, true)?;
        let mut ids = encoding.get_ids().to_vec();
        let longest = self.encoder.positions();
        if ids.len() > longest {
            let end = ids.last().copied();
            ids.truncate(longest - 1);
            ids.extend(end);
        }
        Ok(ids)
    }
}

fn tokenizer(settings: &BertSettings) -> Result<Tokenizer, Unloaded> {
    let failed = |error| Unloaded::Failed(error);
    let mut tokenizer = Tokenizer::from_file(&settings.tokenizer).map_err(failed)?;
    tokenizer.with_padding(None);
    tokenizer.with_truncation(None).map_err(failed)?;
    Ok(tokenizer)
}

/// Tokens that are left for a text beside the longer prefix and the special tokens.
fn window(encoder: &Encoder, tokenizer: &Tokenizer, prefixes: &Prefixes) -> usize {
    let spent = |prefix: &str| {
        let tokens = tokenizer.encode_fast(prefix, true);
        tokens.map_or(prefix.len(), |tokens| tokens.len())
    };
    let Prefixes { question, passage } = prefixes;
    let spent = spent(question).max(spent(passage));
    encoder.positions().saturating_sub(spent)
}

fn threads(most: usize) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if most == 0 { cores } else { most.min(cores) }
}

fn pool(threads: usize) -> Result<ThreadPool, Unloaded> {
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|n| format!("saseo-embed-{n}"))
        .build()
        .map_err(|error| Unloaded::Failed(error.into()))
}
