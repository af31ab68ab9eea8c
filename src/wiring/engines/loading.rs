//! A chat model that may still be loading: sources are found without it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use tokio::sync::mpsc;

use crate::ports::{ChatModel, Message, ModelIdentity, Sampling, Unwritten, Written};

type Loaded = Result<Arc<dyn ChatModel>, Arc<anyhow::Error>>;

/// Who asks it while it loads waits.
pub(super) struct Loading {
    identity: ModelIdentity,
    patience: Duration,
    loaded: Shared<BoxFuture<'static, Loaded>>,
}

impl Loading {
    /// Begins to load at once; who asks meanwhile waits no longer than `patience`.
    pub(super) fn begin(
        identity: ModelIdentity,
        patience: Duration,
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
            patience,
            loaded: loaded.boxed().shared(),
        }
    }
}

#[async_trait]
impl ChatModel for Loading {
    fn identity(&self) -> ModelIdentity {
        self.identity.clone()
    }

    async fn write(
        &self,
        prompt: &[Message],
        sampling: Sampling,
        pieces: mpsc::UnboundedSender<String>,
    ) -> Result<Written, Unwritten> {
        let loaded = tokio::time::timeout(self.patience, self.loaded.clone()).await;
        let model = loaded
            .map_err(|_| Unwritten::Late)?
            .map_err(|error| Unwritten::Failed(format!("{error:#}").into()))?;
        model.write(prompt, sampling, pieces).await
    }
}
