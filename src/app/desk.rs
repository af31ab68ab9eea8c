//! The desk at which the librarian sits: everything a use case needs, by its port.

use std::sync::Arc;

use super::ingest::Shelving;
use crate::domain::chunk::ChunkRules;
use crate::domain::document::Digest;
use crate::domain::language::Language;
use crate::domain::prompt::Template;
use crate::domain::reading::Limits;
use crate::domain::receipt::{PromptIdentity, Ready, Sampling};
use crate::ports::{ChatModel, Clock, Embedder, Ledger, Library};

/// Who and what is at the desk.
#[derive(Clone)]
pub struct Desk {
    pub library: Arc<dyn Library>,
    pub embedder: Arc<dyn Embedder>,
    pub chat: Arc<dyn ChatModel>,
    /// The languages that the chat model writes well enough to be asked.
    pub writes: Vec<Language>,
    pub ledger: Arc<dyn Ledger>,
    pub clock: Arc<dyn Clock>,
    pub prompts: Prompts,
    pub rules: Rules,
    /// How new documents are cut.
    pub chunks: ChunkRules,
}

impl Desk {
    /// What documents are shelved with at this desk.
    pub fn shelving(&self) -> Shelving {
        Shelving {
            library: Arc::clone(&self.library),
            embedder: Arc::clone(&self.embedder),
            chunks: self.chunks,
        }
    }

    /// Who would write in `language`, and by which work order.
    pub fn ready(&self, language: Language) -> Ready {
        let template = self.prompts.for_language(language);
        Ready {
            model: self.chat.identity(),
            prompt: PromptIdentity {
                name: template.name().to_owned(),
                version: template.version(),
                digest: template.digest(),
            },
        }
    }
}

/// The work orders for an answer, by the language of the question.
#[derive(Clone, Debug)]
pub struct Prompts {
    pub english: Template,
    pub korean: Template,
}

impl Prompts {
    pub fn for_language(&self, language: Language) -> &Template {
        match language {
            Language::Korean => &self.korean,
            Language::English | Language::Other => &self.english,
        }
    }
}

/// How questions are answered at this desk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// How many passages a search gives back.
    pub passages: usize,
    /// Below this confidence the library does not have it.
    pub floor: f32,
    /// How many passages are read line by line.
    pub passages_read: usize,
    /// How many of their lines are compared by meaning.
    pub lines_read: usize,
    /// What goes into a prompt.
    pub excerpts: Limits,
    /// The longest answer in sentences, written or quoted.
    pub sentences: usize,
    pub sampling: Sampling,
}

impl Rules {
    /// Other rules have another digest.
    pub fn digest(&self) -> Digest {
        Digest::of(format!("{self:?}").as_bytes())
    }
}
