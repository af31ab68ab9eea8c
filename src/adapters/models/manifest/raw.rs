//! The manifest as it is written: every key of every kind, checked against its kind.
//!
//! One flat table per role instead of an enum tagged by `kind`: serde loses the line of a slip
//! inside a tagged enum, and here it is kept.

use std::num::NonZeroUsize;

use serde::Deserialize;
use url::Url;

use super::{
    BadManifest, ChatEngine, EmbeddingEngine, Endpoint, ModelFile, Role, check_files, is_word,
    slip,
};
use crate::adapters::models::source::HubRepo;
use crate::domain::language::Language;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) chat: Chat,
    pub(super) embedding: Embedding,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ChatKind {
    Gguf,
    Folder,
    Hf,
    Openai,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum EmbeddingKind {
    E5,
    Mistralrs,
    Openai,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Chat {
    name: String,
    kind: ChatKind,
    licence: Option<String>,
    context_window: NonZeroUsize,
    languages: Vec<Language>,
    isq: Option<String>,
    repo: Option<String>,
    revision: Option<String>,
    url: Option<Url>,
    model: Option<String>,
    key_env: Option<String>,
    #[serde(default)]
    files: Vec<ModelFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Embedding {
    name: String,
    kind: EmbeddingKind,
    licence: Option<String>,
    dimensions: NonZeroUsize,
    window: NonZeroUsize,
    #[serde(default)]
    question_prefix: String,
    #[serde(default)]
    passage_prefix: String,
    repo: Option<String>,
    revision: Option<String>,
    url: Option<Url>,
    model: Option<String>,
    key_env: Option<String>,
    #[serde(default)]
    files: Vec<ModelFile>,
}

impl Chat {
    pub(super) fn checked(self) -> Result<super::ChatSpec, BadManifest> {
        check_name(Role::Chat, &self.name)?;
        self.check_keys()?;
        if let Some(isq) = &self.isq {
            check_isq(isq)?;
        }
        check_files(Role::Chat, &self.files)?;
        let engine = match self.kind {
            ChatKind::Gguf => {
                if !has_ending(&self.files, ".gguf") {
                    return Err(slip("chat.files", "needs a `.gguf` file"));
                }
                ChatEngine::Gguf(self.files)
            },
            ChatKind::Folder => {
                check_folder(Role::Chat, &self.files)?;
                ChatEngine::Folder {
                    files: self.files,
                    isq: self.isq,
                }
            },
            ChatKind::Hf => ChatEngine::Hub {
                repo: hub_repo(Role::Chat, self.repo.as_deref(), self.revision.as_deref())?,
                isq: self.isq,
            },
            ChatKind::Openai => {
                ChatEngine::Endpoint(endpoint(Role::Chat, self.url, self.model, self.key_env)?)
            },
        };
        Ok(super::ChatSpec {
            name: self.name,
            licence: self.licence,
            context_window: self.context_window.get(),
            languages: self.languages,
            engine,
        })
    }

    /// Refuses keys of another kind: they would be settings that do nothing.
    fn check_keys(&self) -> Result<(), BadManifest> {
        let (allowed, why): (&[&str], _) = match self.kind {
            ChatKind::Gguf => (&["files"], "does not go with kind `gguf`"),
            ChatKind::Folder => (&["files", "isq"], "does not go with kind `folder`"),
            ChatKind::Hf => (&["repo", "revision", "isq"], "does not go with kind `hf`"),
            ChatKind::Openai => (
                &["url", "model", "key-env"],
                "does not go with kind `openai`",
            ),
        };
        let written = [
            ("isq", self.isq.is_some()),
            ("repo", self.repo.is_some()),
            ("revision", self.revision.is_some()),
            ("url", self.url.is_some()),
            ("model", self.model.is_some()),
            ("key-env", self.key_env.is_some()),
            ("files", !self.files.is_empty()),
        ];
        only(Role::Chat, &written, allowed, why)
    }
}

impl Embedding {
    pub(super) fn checked(self) -> Result<super::EmbeddingSpec, BadManifest> {
        check_name(Role::Embedding, &self.name)?;
        self.check_keys()?;
        check_files(Role::Embedding, &self.files)?;
        let engine = match self.kind {
            EmbeddingKind::E5 => {
                check_e5(&self.files)?;
                EmbeddingEngine::E5(self.files)
            },
            EmbeddingKind::Mistralrs if self.files.is_empty() => {
                EmbeddingEngine::Hub(hub_repo(
                    Role::Embedding,
                    self.repo.as_deref(),
                    self.revision.as_deref(),
                )?)
            },
            EmbeddingKind::Mistralrs => {
                check_folder(Role::Embedding, &self.files)?;
                EmbeddingEngine::Folder(self.files)
            },
            EmbeddingKind::Openai => EmbeddingEngine::Endpoint(endpoint(
                Role::Embedding,
                self.url,
                self.model,
                self.key_env,
            )?),
        };
        Ok(super::EmbeddingSpec {
            name: self.name,
            licence: self.licence,
            dimensions: self.dimensions.get(),
            window: self.window.get(),
            question_prefix: self.question_prefix,
            passage_prefix: self.passage_prefix,
            engine,
        })
    }

    fn check_keys(&self) -> Result<(), BadManifest> {
        let (allowed, why): (&[&str], _) = match self.kind {
            EmbeddingKind::E5 => (&["files"], "does not go with kind `e5`"),
            EmbeddingKind::Mistralrs if self.files.is_empty() => (
                &["repo", "revision"],
                "does not go with kind `mistralrs` and a repository",
            ),
            EmbeddingKind::Mistralrs => {
                (&["files"], "does not go with kind `mistralrs` and files")
            },
            EmbeddingKind::Openai => (
                &["url", "model", "key-env"],
                "does not go with kind `openai`",
            ),
        };
        let written = [
            ("repo", self.repo.is_some()),
            ("revision", self.revision.is_some()),
            ("url", self.url.is_some()),
            ("model", self.model.is_some()),
            ("key-env", self.key_env.is_some()),
            ("files", !self.files.is_empty()),
        ];
        only(Role::Embedding, &written, allowed, why)
    }
}

fn only(
    role: Role,
    written: &[(&str, bool)],
    allowed: &[&str],
    why: &'static str,
) -> Result<(), BadManifest> {
    let stray = written
        .iter()
        .find(|(key, is_there)| *is_there && !allowed.contains(key));
    match stray {
        Some((key, _)) => Err(slip(format!("{role}.{key}"), why)),
        None => Ok(()),
    }
}

fn check_name(role: Role, name: &str) -> Result<(), BadManifest> {
    // The models folder has files of its own.
    if is_word(name) && !["models.lock", "pull.lock"].contains(&name) {
        Ok(())
    } else {
        Err(slip(
            format!("{role}.name"),
            "names a folder: letters, digits, `-`, `_`, `.` and `+`, a letter or digit first",
        ))
    }
}

/// What the engine quantises to while it loads.
const ISQ: [&str; 25] = [
    "2", "3", "4", "5", "6", "8", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q8_1", "q2k", "q3k",
    "q4k", "q5k", "q6k", "q8k", "hqq4", "hqq8", "fp8", "afq2", "afq4", "afq6", "afq8",
];

fn check_isq(isq: &str) -> Result<(), BadManifest> {
    if ISQ.contains(&isq) {
        Ok(())
    } else {
        Err(slip(
            "chat.isq",
            "is none of 2, 3, 4, 5, 6, 8, q4_0, q4_1, q5_0, q5_1, q8_0, q8_1, q2k, q3k, q4k, \
             q5k, q6k, q8k, hqq4, hqq8, fp8, afq2, afq4, afq6, afq8",
        ))
    }
}

fn has_ending(files: &[ModelFile], ending: &str) -> bool {
    files.iter().any(|file| file.name.ends_with(ending))
}

fn check_folder(role: Role, files: &[ModelFile]) -> Result<(), BadManifest> {
    let key = || format!("{role}.files");
    let has = |name: &str| files.iter().any(|file| file.name == name);
    if !has("config.json") {
        return Err(slip(key(), "needs a `config.json`"));
    }
    if !has("tokenizer.json") {
        return Err(slip(key(), "needs a `tokenizer.json`"));
    }
    if !has_ending(files, ".safetensors") {
        return Err(slip(key(), "needs a `.safetensors` file"));
    }
    Ok(())
}

fn check_e5(files: &[ModelFile]) -> Result<(), BadManifest> {
    let mut names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
    names.sort_unstable();
    if names == ["model.safetensors", "tokenizer.json"] {
        Ok(())
    } else {
        Err(slip(
            "embedding.files",
            "must be `model.safetensors` and `tokenizer.json` for kind `e5`",
        ))
    }
}

fn hub_repo(
    role: Role,
    repo: Option<&str>,
    revision: Option<&str>,
) -> Result<HubRepo, BadManifest> {
    let Some(repo) = repo else {
        return Err(slip(format!("{role}.repo"), "is missing"));
    };
    let read = HubRepo::new(repo, revision.unwrap_or_default());
    match read {
        Some(repo) if repo.is_commit() => Ok(repo),
        Some(_) | None => Err(slip(
            format!("{role}.revision"),
            "must be a whole commit id of an OWNER/REPO: a branch can move, a model may not",
        )),
    }
}

fn endpoint(
    role: Role,
    url: Option<Url>,
    model: Option<String>,
    key_env: Option<String>,
) -> Result<Endpoint, BadManifest> {
    let url = url.ok_or_else(|| slip(format!("{role}.url"), "is missing"))?;
    let model = model.ok_or_else(|| slip(format!("{role}.model"), "is missing"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(slip(format!("{role}.url"), "must begin with http or https"));
    }
    Ok(Endpoint {
        url,
        model,
        key_env,
    })
}
