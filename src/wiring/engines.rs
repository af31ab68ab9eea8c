//! From verified files to models that run.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use tokio::sync::mpsc;

use crate::adapters::inference::openai::{
    Endpoint as Served, OpenAiChat, OpenAiEmbedder, OpenAiEmbedderSettings,
};
use crate::adapters::inference::{Deadlines, Prefixes};
use crate::adapters::models::manifest::{
    ChatEngine, EmbeddingEngine, EmbeddingSpec, Endpoint, Role,
};
use crate::adapters::models::verify::Verified;
use crate::ports::{ChatModel, Embedder, Message, ModelIdentity, Sampling, Unwritten, Written};
use crate::settings::{Environment, environment};

/// The embedder of the manifest, ready.
pub(super) async fn embedder(verified: &Verified) -> anyhow::Result<Arc<dyn Embedder>> {
    let spec = &verified.manifest().embedding;
    match &spec.engine {
        EmbeddingEngine::Endpoint(endpoint) => {
            let served = served(endpoint, &environment())?;
            let settings = OpenAiEmbedderSettings {
                window: spec.window,
                prefixes: prefixes(spec),
                deadline: EMBEDDING_DEADLINE,
            };
            let opened = OpenAiEmbedder::open(served, settings).await;
            Ok(Arc::new(opened.with_context(|| {
                format!("the embedding endpoint {}", endpoint.url)
            })?))
        },
        EmbeddingEngine::E5(_) | EmbeddingEngine::Folder(_) | EmbeddingEngine::Hub(_) => {
            local::embedder(verified).await
        },
    }
}

/// For one batch at an endpoint.
const EMBEDDING_DEADLINE: Duration = Duration::from_secs(60);

fn prefixes(spec: &EmbeddingSpec) -> Prefixes {
    Prefixes {
        question: spec.question_prefix.clone(),
        passage: spec.passage_prefix.clone(),
    }
}

fn served(endpoint: &Endpoint, environment: &Environment) -> anyhow::Result<Served> {
    let key = match &endpoint.key_env {
        None => None,
        Some(name) => Some(
            environment
                .get(name)
                .with_context(|| {
                    format!(
                        "the key for {} is read from {name}, which is not set",
                        endpoint.url
                    )
                })?
                .clone()
                .into(),
        ),
    };
    Ok(Served {
        url: endpoint.url.clone(),
        model: endpoint.model.clone(),
        key,
    })
}

/// The chat model of the manifest. It loads while this returns; who asks it waits.
pub(super) fn chat(
    verified: &Verified,
    deadlines: Deadlines,
    environment: &Environment,
) -> anyhow::Result<Arc<dyn ChatModel>> {
    let spec = &verified.manifest().chat;
    match &spec.engine {
        ChatEngine::Endpoint(endpoint) => {
            let served = served(endpoint, environment)?;
            Ok(Arc::new(OpenAiChat::new(
                served,
                spec.context_window,
                deadlines,
            )?))
        },
        ChatEngine::Gguf(_) | ChatEngine::Folder { .. } | ChatEngine::Hub { .. } => {
            local::chat(verified, deadlines)
        },
    }
}

type Loaded = Result<Arc<dyn ChatModel>, Arc<anyhow::Error>>;

/// A chat model that may still be loading.
struct Loading {
    identity: ModelIdentity,
    loaded: Shared<BoxFuture<'static, Loaded>>,
}

impl Loading {
    /// Begins to load at once.
    fn begin(
        identity: ModelIdentity,
        load: impl Future<Output = anyhow::Result<Arc<dyn ChatModel>>> + Send + 'static,
    ) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the task ends with the loading, and closing need not wait for it"
        )]
        let task = tokio::spawn(load);
        let loaded = async move {
            match task.await {
                Ok(loaded) => loaded.map_err(Arc::new),
                Err(broken) => Err(Arc::new(anyhow::Error::new(broken))),
            }
        };
        Self {
            identity,
            loaded: loaded.boxed().shared(),
        }
    }
}

#[async_trait]
impl ChatModel for Loading {
    fn identity(&self) -> ModelIdentity {
        self.identity.clone()
    }

    fn tokens(&self, text: &str) -> usize {
        text.len()
    }

    async fn write(
        &self,
        prompt: &[Message],
        sampling: Sampling,
        pieces: mpsc::UnboundedSender<String>,
    ) -> Result<Written, Unwritten> {
        let model = self
            .loaded
            .clone()
            .await
            .map_err(|error| Unwritten::Failed(format!("{error:#}").into()))?;
        model.write(prompt, sampling, pieces).await
    }
}

#[cfg(feature = "mistralrs")]
mod local {
    //! Models that run in this process.

    use super::{
        Arc, ChatEngine, ChatModel, Context as _, Deadlines, Embedder, EmbeddingEngine,
        Loading, ModelIdentity, Role, Verified, prefixes,
    };
    use crate::adapters::inference::bert::{BertEmbedder, BertSettings};
    use crate::adapters::inference::chat::{ChatSettings, LocalChat, Weights};
    use crate::adapters::inference::embedding::{LocalEmbedder, LocalEmbedderSettings};
}

#[cfg(not(feature = "mistralrs"))]
mod local {
    //! This build has no engine.

    use super::{Arc, ChatModel, Deadlines, Embedder, Verified};

    const NO_ENGINE: &str = "this build of saseo has no inference engine: build it with the feature `mistralrs`, or name an endpoint in the manifest";

    #[expect(clippy::unused_async, reason = "the same signature as with an engine")]
    pub(super) async fn embedder(_verified: &Verified) -> anyhow::Result<Arc<dyn Embedder>> {
        anyhow::bail!(NO_ENGINE)
    }

    pub(super) fn chat(
        _verified: &Verified,
        _deadlines: Deadlines,
    ) -> anyhow::Result<Arc<dyn ChatModel>> {
        anyhow::bail!(NO_ENGINE)
    }
}
