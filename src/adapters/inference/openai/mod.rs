//! A chat model and an embedder behind an OpenAI-compatible endpoint: the way out when one
//! machine is not enough (a mistral.rs server, vLLM, a vendor).
//!
//! Weights and tokenizer are out of sight, so two answers are approximations: the digest is of
//! the address and the model's name, and tokens are estimated from the script (see
//! [`estimated_tokens`]) on the high side, so that a prompt which fits by it does fit.
//!
//! `line` is the way there; `chat` and `embedder` are what is asked of it; `tokens` estimates.

mod line;
mod chat;
mod embedder;
mod tokens;

pub use chat::OpenAiChat;
pub use embedder::{OpenAiEmbedder, OpenAiEmbedderSettings};
pub use tokens::estimated_tokens;

use reqwest::StatusCode;
use secrecy::SecretString;
use url::Url;

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

impl Unserved {
    fn means_too_long(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "context_length_exceeded")
    }
}
