//! From verified files to models that run.

use std::sync::Arc;
use std::time::Duration;

use crate::adapters::inference::openai::{
    Endpoint as Served, OpenAiChat, OpenAiEmbedder, OpenAiEmbedderSettings,
};
use crate::adapters::inference::{Deadlines, Prefixes};
use crate::adapters::models::manifest::{ChatEngine, EmbeddingEngine, EmbeddingSpec, Endpoint};
use crate::adapters::models::verify::Verified;
use crate::ports::{ChatModel, Embedder};
use crate::settings::{Environment, environment};
use anyhow::Context as _;

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

/// For one batch, here or at an endpoint: two slow cores that others keep busy need a minute.
const EMBEDDING_DEADLINE: Duration = Duration::from_secs(180);

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

#[cfg(feature = "mistralrs")]
mod loading;

#[cfg(feature = "mistralrs")]
mod local {
    //! Models that run in this process.

    use super::{
        Arc, ChatEngine, ChatModel, Deadlines, EMBEDDING_DEADLINE, Embedder, EmbeddingEngine,
        Verified, prefixes,
    };
    use anyhow::Context as _;

    use super::loading::Loading;
    use crate::adapters::inference::bert::{Bert, BertSettings};
    use crate::adapters::inference::chat::{ChatSettings, LocalChat, Weights};
    use crate::adapters::inference::embedding::{EmbeddingSettings, LocalEmbedder};
    use crate::adapters::models::manifest::Role;
    use crate::adapters::models::source::HubRepo;
    use crate::ports::ModelIdentity;

    pub(super) async fn embedder(verified: &Verified) -> anyhow::Result<Arc<dyn Embedder>> {
        let spec = &verified.manifest().embedding;
        let weights = match &spec.engine {
            EmbeddingEngine::E5(_) => return bert(verified).await,
            EmbeddingEngine::Hub(repo) => repository(repo, None),
            EmbeddingEngine::Folder(_) | EmbeddingEngine::Endpoint(_) => Weights::Folder {
                path: verified.folder(Role::Embedding),
                quantised: None,
            },
        };
        let settings = EmbeddingSettings {
            name: spec.name.clone(),
            digest: verified.digest(Role::Embedding),
            weights,
            prefixes: prefixes(spec),
            window: spec.window,
            deadline: EMBEDDING_DEADLINE,
        };
        Ok(Arc::new(LocalEmbedder::open(settings).await?))
    }

    async fn bert(verified: &Verified) -> anyhow::Result<Arc<dyn Embedder>> {
        let spec = &verified.manifest().embedding;
        let path = |name: &str| {
            let file = verified.file(Role::Embedding, name);
            file.map(|file| file.path().to_owned())
                .with_context(|| format!("the manifest names no {name}"))
        };
        let settings = BertSettings {
            name: spec.name.clone(),
            digest: verified.digest(Role::Embedding),
            weights: path("model.safetensors")?,
            tokenizer: path("tokenizer.json")?,
            prefixes: prefixes(spec),
            threads: 0,
            deadline: EMBEDDING_DEADLINE,
        };
        Ok(Arc::new(Bert::open(settings).await?))
    }

    pub(super) fn chat(
        verified: &Verified,
        deadlines: Deadlines,
    ) -> anyhow::Result<Arc<dyn ChatModel>> {
        let spec = &verified.manifest().chat;
        let settings = ChatSettings {
            name: spec.name.clone(),
            digest: verified.digest(Role::Chat),
            weights: weights(verified, &spec.engine)?,
            window: spec.context_window,
            deadlines,
            answers_remembered: ChatSettings::ANSWERS_REMEMBERED,
            queue: QUEUE,
        };
        let identity = ModelIdentity {
            name: settings.name.clone(),
            digest: settings.digest,
        };
        Ok(Arc::new(Loading::begin(
            identity,
            deadlines.total,
            async move { Ok(Arc::new(LocalChat::open(settings).await?) as Arc<dyn ChatModel>) },
        )))
    }

    /// Requests that may wait for the engine.
    const QUEUE: usize = 64;

    fn weights(verified: &Verified, engine: &ChatEngine) -> anyhow::Result<Weights> {
        match engine {
            ChatEngine::Gguf(_) => {
                let gguf = verified
                    .files(Role::Chat)
                    .find(|file| file.name().ends_with(".gguf"));
                let gguf = gguf.context("the manifest names no .gguf file")?;
                Ok(Weights::Gguf(gguf.path().to_owned()))
            },
            ChatEngine::Hub { repo, isq } => Ok(repository(repo, isq.clone())),
            ChatEngine::Folder { isq, .. } => Ok(Weights::Folder {
                path: verified.folder(Role::Chat),
                quantised: isq.clone(),
            }),
            ChatEngine::Endpoint(_) => anyhow::bail!("an endpoint has no weights here"),
        }
    }

    fn repository(repo: &HubRepo, quantised: Option<String>) -> Weights {
        Weights::Repository {
            name: repo.id.clone(),
            revision: Some(repo.revision.clone()),
            quantised,
        }
    }
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
