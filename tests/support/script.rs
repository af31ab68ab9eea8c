//! A chat model that writes what a test tells it to: real models lie too rarely on demand.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use saseo::domain::document::Digest;
use saseo::ports::{ChatModel, Ended, Message, ModelIdentity, Sampling, Unwritten, Written};
use tokio::sync::mpsc;

/// What it writes.
enum Words {
    These(String),
    /// What it was asked.
    #[cfg(feature = "discord")]
    Echo,
    /// Nothing: it fails.
    None,
}

/// Writes its script, word by word, and remembers what it was asked.
pub(crate) struct Script {
    text: Words,
    /// Before each word.
    pace: Duration,
    asked: Mutex<Vec<Vec<Message>>>,
    panics: AtomicBool,
}

impl Script {
    pub(crate) fn saying(text: &str) -> Self {
        Self {
            text: Words::These(text.to_owned()),
            pace: Duration::ZERO,
            asked: Mutex::default(),
            panics: AtomicBool::default(),
        }
    }

    /// A model that writes whatever it reads.
    #[cfg(feature = "discord")]
    pub(crate) fn echoing() -> Self {
        Self {
            text: Words::Echo,
            ..Self::broken()
        }
    }

    /// A model that thinks before each word.
    pub(crate) fn slowly(self, pace: Duration) -> Self {
        Self { pace, ..self }
    }

    /// An engine that fails each time.
    pub(crate) fn broken() -> Self {
        Self {
            text: Words::None,
            pace: Duration::ZERO,
            asked: Mutex::default(),
            panics: AtomicBool::default(),
        }
    }

    /// Panics when it is asked next.
    pub(crate) fn panics_next(&self) {
        self.panics.store(true, Ordering::SeqCst);
    }

    /// The prompts so far, as one text each.
    pub(crate) fn prompts(&self) -> Vec<String> {
        let whole = |prompt: &Vec<Message>| {
            prompt
                .iter()
                .map(|message| message.text.as_str())
                .collect::<Vec<_>>()
                .join("\n")
        };
        self.asked.lock().unwrap().iter().map(whole).collect()
    }
}

#[async_trait]
impl ChatModel for Script {
    fn identity(&self) -> ModelIdentity {
        ModelIdentity {
            name: "script".into(),
            digest: Digest::of(b"script"),
        }
    }

    async fn write(
        &self,
        prompt: &[Message],
        _sampling: Sampling,
        pieces: mpsc::UnboundedSender<String>,
    ) -> Result<Written, Unwritten> {
        self.asked.lock().unwrap().push(prompt.to_vec());
        let panics = self.panics.swap(false, Ordering::SeqCst);
        assert!(!panics, "as it was asked to");
        let text = &match &self.text {
            Words::These(text) => text.clone(),
            #[cfg(feature = "discord")]
            Words::Echo => prompt.iter().map(|message| message.text.as_str()).collect(),
            Words::None => return Err(Unwritten::Failed("the script has no text".into())),
        };
        for word in text.split_inclusive(' ') {
            pieces.send(word.to_owned()).ok();
            tokio::time::sleep(self.pace).await;
        }
        Ok(Written {
            text: text.clone(),
            ended: Ended::Finished,
            prompt_tokens: prompt.iter().map(|message| words(&message.text)).sum(),
            written_tokens: words(text),
        })
    }
}

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}
