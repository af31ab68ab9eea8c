//! Loads a model into mistral.rs and starts engines on it.
//!
//! An engine is a thread with a queue and a prefix cache; the weights are loaded once and an
//! engine can be started on them anew in a millisecond. That is how the prefix cache is kept
//! small: in 0.8.1 it never evicts anything that lies in main memory.

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::FutureExt as _;
use mistralrs::core::{AddModelConfig, Pipeline, SchedulerConfig};
use mistralrs::model_builder_trait::{
    build_embedding_pipeline, build_gguf_pipeline, build_model_from_pipeline,
    build_text_pipeline,
};
use mistralrs::{
    EmbeddingModelBuilder, GgufModelBuilder, Model, ModelDType, PagedAttentionMetaBuilder,
    TextModelBuilder, best_device, parse_isq_value,
};
use tokenizers::Tokenizer;
use tokio::sync::Mutex;

use crate::ports::Cause;

/// Where the weights of a model lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Weights {
    /// A GGUF file; tokenizer and chat template are inside.
    Gguf(PathBuf),
    /// A Hugging Face folder: `config.json`, `tokenizer.json`, `*.safetensors`.
    Folder {
        path: PathBuf,
        /// In-situ quantisation, as mistral.rs names it: `4`, `q8_0`, `afq4`.
        quantised: Option<String>,
    },
    /// A Hugging Face repository, which the engine fetches into its own cache.
    Repository {
        name: String,
        revision: Option<String>,
        quantised: Option<String>,
    },
}

/// Why a model could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum Unloaded {
    /// A file is not where it should be.
    #[error("{} is missing: run `saseo models pull`", .0.display())]
    Missing(PathBuf),
    /// A setting that the engine does not know.
    #[error("{0:?} is no quantisation that the engine knows: try `4`, `8`, `q4k` or `q8_0`")]
    Quantisation(String),
    /// The engine could not load it.
    #[error("the model could not be loaded")]
    Failed(#[source] Cause),
}

/// What an engine is loaded for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Chat { prefix_cache: PrefixCache },
    Embedding,
}

/// Whether an engine remembers the prompts it has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrefixCache {
    Off,
    On,
}

/// Weights in memory, with what they need to run.
pub(super) struct Loaded {
    pipeline: Arc<Mutex<dyn Pipeline>>,
    scheduler: SchedulerConfig,
    config: AddModelConfig,
    pub(super) facts: Facts,
}

/// What a model says of itself.
#[derive(Clone)]
pub(super) struct Facts {
    pub(super) tokenizer: Arc<Tokenizer>,
    /// The token that ends an answer.
    pub(super) end: Option<u32>,
    /// Longest text it reads.
    pub(super) window: usize,
}

impl Loaded {
    /// Reads the weights. Blocks for as long as that takes; call it on a thread of its own.
    pub(super) async fn read(weights: &Weights, role: Role) -> Result<Self, Unloaded> {
        check(weights)?;
        // The engine unwraps what it finds in files.
        let built = AssertUnwindSafe(build(weights, role)).catch_unwind().await;
        let (pipeline, scheduler, config) =
            built.map_err(|_| Unloaded::Failed("the engine panicked".into()))??;
        let facts = {
            let pipeline = pipeline.lock().await;
            let metadata = pipeline.get_metadata();
            Facts {
                tokenizer: pipeline
                    .tokenizer()
                    .ok_or_else(|| Unloaded::Failed("the model has no tokenizer".into()))?,
                end: metadata.eos_tok.first().copied(),
                window: metadata.max_seq_len,
            }
        };
        Ok(Self {
            pipeline,
            scheduler,
            config,
            facts,
        })
    }

    /// A new engine on these weights. The one before must have ended.
    pub(super) async fn start(&self) -> Result<Arc<Model>, Unloaded> {
        let started = build_model_from_pipeline(
            Arc::clone(&self.pipeline),
            self.scheduler.clone(),
            self.config.clone(),
        );
        let started = AssertUnwindSafe(started).catch_unwind().await;
        let model = started.map_err(|_| Unloaded::Failed("the engine panicked".into()))?;
        Ok(Arc::new(model))
    }
}

/// The engine would ask the network for what it does not find.
fn check(weights: &Weights) -> Result<(), Unloaded> {
    match weights {
        Weights::Gguf(file) => there(file),
        Weights::Folder { path, quantised: _ } => {
            there(&path.join("config.json"))?;
            there(&path.join("tokenizer.json"))
        },
        Weights::Repository { .. } => Ok(()),
    }
}

fn there(file: &Path) -> Result<(), Unloaded> {
    if file.is_file() {
        Ok(())
    } else {
        Err(Unloaded::Missing(file.to_owned()))
    }
}

type Built = (Arc<Mutex<dyn Pipeline>>, SchedulerConfig, AddModelConfig);

async fn build(weights: &Weights, role: Role) -> Result<Built, Unloaded> {
    match (weights, role) {
        (Weights::Gguf(file), Role::Chat { prefix_cache }) => gguf(file, prefix_cache).await,
        (Weights::Gguf(file), Role::Embedding) => Err(Unloaded::Failed(
            format!("{} cannot embed: the engine wants a folder", file.display()).into(),
        )),
        (Weights::Folder { path, quantised }, role) => {
            let at = Address {
                name: path.display().to_string(),
                revision: None,
                quantised: quantised.as_deref(),
            };
            at.build(role).await
        },
        (
            Weights::Repository {
                name,
                revision,
                quantised,
            },
            role,
        ) => {
            let at = Address {
                name: name.clone(),
                revision: revision.as_deref(),
                quantised: quantised.as_deref(),
            };
            at.build(role).await
        },
    }
}

async fn gguf(file: &Path, prefix_cache: PrefixCache) -> Result<Built, Unloaded> {
    let (Some(folder), Some(name)) = (file.parent(), file.file_name()) else {
        return Err(Unloaded::Missing(file.to_owned()));
    };
    let mut builder = GgufModelBuilder::new(folder.display(), vec![name.display()])
        .with_max_num_seqs(1)
        .with_prefix_cache_n(remembered(prefix_cache));
    if on_accelerator()? {
        let paged = PagedAttentionMetaBuilder::default().build();
        builder = builder.with_paged_attn(paged.map_err(failed)?);
    }
    build_gguf_pipeline(builder).await.map_err(failed)
}

/// A folder or a repository: the engine tells them apart itself.
struct Address<'a> {
    name: String,
    revision: Option<&'a str>,
    quantised: Option<&'a str>,
}

impl Address<'_> {
    async fn build(self, role: Role) -> Result<Built, Unloaded> {
        match role {
            Role::Chat { prefix_cache } => self.chat(prefix_cache).await,
            Role::Embedding => self.embedding().await,
        }
    }

    async fn chat(self, prefix_cache: PrefixCache) -> Result<Built, Unloaded> {
        let mut builder = TextModelBuilder::new(self.name)
            .with_max_num_seqs(1)
            .with_prefix_cache_n(remembered(prefix_cache));
        if on_accelerator()? {
            let paged = PagedAttentionMetaBuilder::default().build();
            builder = builder.with_paged_attn(paged.map_err(failed)?);
        } else {
            // Half precision has no fast kernels on a processor.
            builder = builder.with_dtype(ModelDType::F32);
        }
        if let Some(revision) = self.revision {
            builder = builder.with_hf_revision(revision);
        }
        if let Some(quantised) = self.quantised {
            builder = builder.with_isq(quantisation(quantised)?);
        }
        build_text_pipeline(builder).await.map_err(failed)
    }

    async fn embedding(self) -> Result<Built, Unloaded> {
        let mut builder = EmbeddingModelBuilder::new(self.name).with_max_num_seqs(8);
        if !on_accelerator()? {
            builder = builder.with_dtype(ModelDType::F32);
        }
        if let Some(revision) = self.revision {
            builder = builder.with_hf_revision(revision);
        }
        if let Some(quantised) = self.quantised {
            builder = builder.with_isq(quantisation(quantised)?);
        }
        build_embedding_pipeline(builder).await.map_err(failed)
    }
}

/// How many sequences the cache may hold on a GPU; in main memory the number only says that
/// there is a cache.
fn remembered(prefix_cache: PrefixCache) -> Option<usize> {
    match prefix_cache {
        PrefixCache::Off => None,
        PrefixCache::On => Some(16),
    }
}

fn on_accelerator() -> Result<bool, Unloaded> {
    let device = best_device(false).map_err(failed)?;
    Ok(!device.is_cpu())
}

fn quantisation(name: &str) -> Result<mistralrs::IsqType, Unloaded> {
    let device = best_device(false).map_err(failed)?;
    parse_isq_value(name, Some(&device)).map_err(|_| Unloaded::Quantisation(name.to_owned()))
}

fn failed(error: impl Into<Cause>) -> Unloaded {
    Unloaded::Failed(error.into())
}
