//! A chat model in this process, on mistral.rs.
//!
//! What stands here is the desk: it measures a prompt and puts it into the queue. The work is
//! done behind it (`clerk.rs`).

use std::sync::Arc;

use async_trait::async_trait;
use tokenizers::Tokenizer;
use tokio::sync::{mpsc, oneshot};

use super::clerk::{self, Job, Orders};
use super::deadlines::Deadlines;
pub use super::engine::{Unloaded, Weights};
use crate::domain::document::Digest;
use crate::ports::{ChatModel, Message, ModelIdentity, Sampling, Unwritten, Written};

/// Which model, and how it is run.
#[derive(Clone, Debug)]
pub struct ChatSettings {
    /// As the manifest names it.
    pub name: String,
    /// Of the weights, for the receipt.
    pub digest: Digest,
    pub weights: Weights,
    /// Longest prompt and answer together, in tokens; the model's own limit where that is less.
    pub window: usize,
    pub deadlines: Deadlines,
    /// For how many answers the engine remembers what it has read, before it forgets all of it
    /// at once; 0 remembers nothing. See [`ChatSettings::ANSWERS_REMEMBERED`].
    pub answers_remembered: usize,
    /// How many requests may wait.
    pub queue: usize,
}

impl ChatSettings {
    /// A prompt that begins like an earlier one is read only from where it differs, so the cache
    /// is worth having; but nothing leaves it, so it is emptied in time.
    pub const ANSWERS_REMEMBERED: usize = 12;
}

/// A model in this process. Its thread and its memory go when it is dropped.
#[derive(Debug)]
pub struct LocalChat {
    identity: ModelIdentity,
    tokenizer: Arc<Tokenizer>,
    window: usize,
    queue: mpsc::Sender<Job>,
}

impl LocalChat {
    /// A chat template writes a few tokens around each message, and some around them all.
    const AROUND_EACH: usize = 8;
    const AROUND_ALL: usize = 24;

    /// Loads the weights and starts the engine.
    pub async fn open(settings: ChatSettings) -> Result<Self, Unloaded> {
        let ChatSettings {
            name,
            digest,
            weights,
            window,
            deadlines,
            answers_remembered,
            queue,
        } = settings;
        let orders = Orders {
            weights,
            deadlines,
            answers_remembered,
            queue,
        };
        let (queue, facts) = clerk::hire(orders).await?;
        Ok(Self {
            identity: ModelIdentity { name, digest },
            tokenizer: facts.tokenizer,
            window: window.min(facts.window),
            queue,
        })
    }

    /// Length of `text` in the model's tokens.
    pub fn tokens(&self, text: &str) -> usize {
        // A text that cannot be encoded does not exist for byte-level tokenizers; should another
        // kind say so, its bytes are the safe side.
        let encoded = self.tokenizer.encode_fast(text, false);
        encoded.map_or(text.len(), |encoding| encoding.len())
    }

    fn fits(&self, prompt: &[Message], sampling: Sampling) -> Result<(), Unwritten> {
        let texts = prompt.iter().map(|m| self.tokens(&m.text));
        let tokens = texts.map(|n| n + Self::AROUND_EACH).sum::<usize>() + Self::AROUND_ALL;
        let window = self.window.saturating_sub(sampling.longest);
        if tokens > window {
            return Err(Unwritten::TooLong { tokens, window });
        }
        Ok(())
    }
}

#[async_trait]
impl ChatModel for LocalChat {
    fn identity(&self) -> ModelIdentity {
        self.identity.clone()
    }

    async fn write(
        &self,
        prompt: &[Message],
        sampling: Sampling,
        pieces: mpsc::UnboundedSender<String>,
    ) -> Result<Written, Unwritten> {
        self.fits(prompt, sampling)?;
        let gone = || Unwritten::Failed("the engine's thread ended".into());
        let (reply, answer) = oneshot::channel();
        let job = Job {
            prompt: prompt.to_vec(),
            sampling,
            pieces,
            reply,
        };
        self.queue.send(job).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}
