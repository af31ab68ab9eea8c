//! What can be set: `deploy/saseo.toml` has every key with its default.
//!
//! A settings file says only what differs from it, the environment wins over the file, and a
//! key that does not exist is an error with the nearest that does: a slip must not be
//! silently the default.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::{Table, Value};

use crate::adapters::sources::Network;
use crate::domain::document::CollectionName;

/// The shipped file: the defaults.
pub const DEFAULTS: &str = include_str!("../deploy/saseo.toml");

/// Everything that can be set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    pub folders: Folders,
    pub librarian: Librarian,
    pub library: Library,
    pub answer: Answer,
    pub reception: Reception,
    pub discord: Discord,
    pub slack: Slack,
}

/// Where things lie; empty paths are filled in by [`Settings::read`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Folders {
    pub data: PathBuf,
    pub models: PathBuf,
    pub prompts: PathBuf,
}

/// Which models, and how the chat model writes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Librarian {
    pub manifest: PathBuf,
    pub temperature: f64,
    pub seed: u64,
    #[serde(rename = "longest-draft-tokens")]
    pub longest_draft: NonZeroUsize,
    #[serde(rename = "first-token-seconds")]
    pub first_token: u64,
    #[serde(rename = "between-tokens-seconds")]
    pub between_tokens: u64,
    #[serde(rename = "total-seconds")]
    pub total: u64,
}

/// How documents are taken in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Library {
    pub collection: CollectionName,
    #[serde(rename = "largest-file-mib")]
    pub largest_file: u64,
    #[serde(rename = "chunk-tokens")]
    pub chunk: NonZeroUsize,
    #[serde(rename = "longest-chunk-tokens")]
    pub longest_chunk: NonZeroUsize,
    /// Written like `10.0.0.0/8`.
    pub fetch_networks: Vec<Network>,
    pub fetch_any_port: bool,
}

/// How messengers are answered.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Reception {
    pub queue: NonZeroUsize,
    pub generations: NonZeroUsize,
    #[serde(rename = "longest-wait-seconds")]
    longest_wait: u64,
    /// Names or ids of roles.
    pub curators: Vec<String>,
}

impl Reception {
    pub fn longest_wait(&self) -> Duration {
        Duration::from_secs(self.longest_wait)
    }
}

/// The bot in Discord. Its token is a secret and comes from the environment.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Discord {
    pub api_url: String,
    pub answer_in_threads: bool,
}

/// The app in Slack. Its tokens are secrets and come from the environment.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Slack {
    pub api_url: String,
    pub mode: SlackMode,
    pub listen: SocketAddr,
    pub streaming: SlackStreaming,
}

/// Where answers in Slack are streamed, if the workspace allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SlackStreaming {
    Nowhere,
    Direct,
    Everywhere,
}

/// How what is said in Slack comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SlackMode {
    Socket,
    Http,
}

/// How questions are answered.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Answer {
    pub passages: NonZeroUsize,
    pub confidence_floor: f32,
    pub passages_read: NonZeroUsize,
    pub lines_read: NonZeroUsize,
    pub excerpts: NonZeroUsize,
    pub excerpt_tokens: NonZeroUsize,
    pub sentences: NonZeroUsize,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unset {
    #[error("the settings file {path} cannot be read: {source}")]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{place} has a slip: {slip}")]
    Slip { place: String, slip: String },
    #[error("{place}: there is no key `{key}`{hint}; deploy/saseo.toml shows every key")]
    UnknownKey {
        place: String,
        key: String,
        hint: String,
    },
    #[error("{place} has a slip: {rule}")]
    Senseless { place: String, rule: &'static str },
    #[error("no home folder is known, so name the folders with --data and --models")]
    NoHome,
}

/// The environment, as far as settings come from it.
pub type Environment = BTreeMap<String, String>;

/// The environment of this process.
pub fn environment() -> Environment {
    std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

impl Settings {
    /// Reads the file, if one is named, over the defaults, and `environment` over both.
    pub fn read(file: Option<&Path>, environment: &Environment) -> Result<Self, Unset> {
        let mut table = defaults()?;
        if let Some(path) = file {
            let unreadable = |source| Unset::Unreadable {
                path: path.to_owned(),
                source,
            };
            let text = std::fs::read_to_string(path).map_err(unreadable)?;
            let place = path.display().to_string();
            let ours: Table = text.parse().map_err(|slip: toml::de::Error| Unset::Slip {
                place: place.clone(),
                slip: slip.to_string(),
            })?;
            lay_over(
                &mut table,
                ours,
                &mut Overlay {
                    place,
                    text: &text,
                    path: Vec::new(),
                },
            )?;
        }
        let place = file.map_or("deploy/saseo.toml".to_owned(), |path| {
            path.display().to_string()
        });
        let mut settings = Self::of(&table, &place)?;
        // One by one, so that a slip is looked for where it was made.
        for (key, value) in environment {
            if let Some(path) = key.strip_prefix("SASEO__") {
                set_from_environment(&mut table, path, value)?;
                settings = Self::of(&table, &format!("the environment variable {key}"))?;
            }
        }
        settings.folders.fill(environment)?;
        match settings.broken() {
            Some(rule) => Err(Unset::Senseless {
                place: blamed(rule, environment).unwrap_or(place),
                rule,
            }),
            None => Ok(settings),
        }
    }

    fn of(table: &Table, place: &str) -> Result<Self, Unset> {
        let read = table.clone().try_into();
        read.map_err(|slip: toml::de::Error| Unset::Slip {
            place: place.to_owned(),
            slip: slip.to_string().trim().replace('\n', " "),
        })
    }
}

impl Settings {
    /// The rule that a value breaks which can be read but makes no sense.
    fn broken(&self) -> Option<&'static str> {
        let (answer, librarian, library) = (&self.answer, &self.librarian, &self.library);
        let wrong = [
            (
                !(0.0..=1.0).contains(&answer.confidence_floor),
                "answer.confidence-floor lies between 0 and 1",
            ),
            (
                !(0.0..=2.0).contains(&librarian.temperature),
                "librarian.temperature lies between 0 and 2",
            ),
            (
                librarian.first_token == 0,
                "librarian.first-token-seconds is at least 1",
            ),
            (
                librarian.between_tokens == 0,
                "librarian.between-tokens-seconds is at least 1",
            ),
            (
                librarian.total == 0,
                "librarian.total-seconds is at least 1",
            ),
            (
                library.largest_file == 0,
                "library.largest-file-mib is at least 1",
            ),
            (
                library.chunk > library.longest_chunk,
                "library.chunk-tokens is at most library.longest-chunk-tokens",
            ),
        ];
        let broken = wrong.into_iter().find(|(wrong, _)| *wrong);
        broken.map(|(_, rule)| rule)
    }
}

/// The variable that sets a key of `rule`, if there is one.
fn blamed(rule: &str, environment: &Environment) -> Option<String> {
    rule.split(' ')
        .filter(|word| word.contains('.'))
        .map(|key| key.replace('.', "__").replace('-', "_"))
        .find_map(|key| {
            let variable = format!("SASEO__{}", key.to_uppercase());
            let set = environment
                .keys()
                .any(|name| name.eq_ignore_ascii_case(&variable));
            set.then(|| format!("the environment variable {variable}"))
        })
}

fn defaults() -> Result<Table, Unset> {
    DEFAULTS
        .parse()
        .map_err(|slip: toml::de::Error| Unset::Slip {
            place: "deploy/saseo.toml".to_owned(),
            slip: slip.to_string(),
        })
}

impl Folders {
    fn fill(&mut self, environment: &Environment) -> Result<(), Unset> {
        let home = || {
            environment
                .get("HOME")
                .filter(|home| !home.is_empty())
                .map(PathBuf::from)
        };
        let base = |variable: &str, below: &str| {
            environment
                .get(variable)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
                .or_else(|| home().map(|home| home.join(below)))
                .ok_or(Unset::NoHome)
        };
        if self.data.as_os_str().is_empty() {
            self.data = base("XDG_DATA_HOME", ".local/share")?.join("saseo");
        }
        if self.models.as_os_str().is_empty() {
            self.models = base("XDG_CACHE_HOME", ".cache")?
                .join("saseo")
                .join("models");
        }
        Ok(())
    }
}

/// Where the keys that are laid over come from.
struct Overlay<'a> {
    place: String,
    text: &'a str,
    path: Vec<String>,
}

impl Overlay<'_> {
    fn unknown(&self, key: &str, known: &Table) -> Unset {
        let line = self.text.lines().position(|line| {
            line.trim_start()
                .trim_start_matches('[')
                .trim_start()
                .starts_with(key)
        });
        let place = match line {
            Some(at) => format!("{} line {}", self.place, at + 1),
            None => self.place.clone(),
        };
        let mut path = self.path.clone();
        path.push(key.to_owned());
        Unset::UnknownKey {
            place,
            key: path.join("."),
            hint: hint(key, known),
        }
    }
}

fn lay_over(base: &mut Table, over: Table, from: &mut Overlay<'_>) -> Result<(), Unset> {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (None, _) => return Err(from.unknown(&key, base)),
            (Some(Value::Table(inner)), Value::Table(value)) => {
                from.path.push(key);
                lay_over(inner, value, from)?;
                from.path.pop();
            },
            (Some(slot), value) => *slot = value,
        }
    }
    Ok(())
}

fn set_from_environment(table: &mut Table, path: &str, raw: &str) -> Result<(), Unset> {
    let place = || format!("the environment variable SASEO__{path}");
    let keys: Vec<String> = path
        .split("__")
        .map(|part| part.to_lowercase().replace('_', "-"))
        .collect();
    let unknown = |hint| Unset::UnknownKey {
        place: place(),
        key: keys.join("."),
        hint,
    };
    let Some((last, tables)) = keys.split_last() else {
        return Ok(());
    };
    let mut at = table;
    for key in tables {
        let hint = hint(key, at);
        at = match at.get_mut(key) {
            Some(Value::Table(inner)) => inner,
            _ => return Err(unknown(hint)),
        };
    }
    let hint = hint(last, at);
    match at.get_mut(last) {
        None | Some(Value::Table(_)) => Err(unknown(hint)),
        Some(Value::String(text)) => {
            raw.clone_into(text);
            Ok(())
        },
        Some(other) => {
            let slip = || Unset::Slip {
                place: place(),
                slip: format!("{raw:?} is not a value"),
            };
            let parsed: Table = format!("value = {raw}").parse().map_err(|_| slip())?;
            *other = parsed.get("value").ok_or_else(slip)?.clone();
            Ok(())
        },
    }
}

/// The nearest key that exists, if it is near.
fn hint(key: &str, known: &Table) -> String {
    let near = |name: &&String| strsim::jaro_winkler(key, name);
    known
        .keys()
        .max_by(|a, b| near(a).total_cmp(&near(b)))
        .filter(|name| near(name) > 0.75)
        .map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, environment: &[(&str, &str)]) -> Result<Settings, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let mut all: Environment = [("HOME".to_owned(), "/home/kim".to_owned())].into();
        all.extend(
            environment
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
        );
        Settings::read(Some(file.path()), &all).map_err(|slip| {
            slip.to_string()
                .replace(&file.path().display().to_string(), "FILE")
        })
    }

    #[test]
    fn the_shipped_file_has_every_key_and_its_defaults_hold() {
        let settings = read("", &[]).unwrap();
        assert_eq!(
            settings.folders.data,
            Path::new("/home/kim/.local/share/saseo")
        );
        assert_eq!(
            settings.folders.models,
            Path::new("/home/kim/.cache/saseo/models")
        );
        assert_eq!(settings.answer.passages.get(), 8);
    }

    #[test]
    fn the_file_wins_over_the_defaults_and_the_environment_over_both() {
        let file = "[answer]\nsentences = 3\n[library]\ncollection = \"사내\"\n";
        let settings = read(file, &[("SASEO__ANSWER__SENTENCES", "4")]).unwrap();
        assert_eq!(settings.answer.sentences.get(), 4);
        assert_eq!(settings.library.collection.as_str(), "사내");
        let settings = read("", &[("SASEO__FOLDERS__DATA", "/srv/library")]).unwrap();
        assert_eq!(settings.folders.data, Path::new("/srv/library"));
    }

    #[test]
    fn a_slip_in_a_key_is_named_with_its_line_and_the_nearest_key() {
        assert_eq!(
            read("\n[answer]\nsentnces = 3\n", &[]).unwrap_err(),
            "FILE line 3: there is no key `answer.sentnces`; did you mean `sentences`?; deploy/saseo.toml shows every key"
        );
        assert_eq!(
            read("", &[("SASEO__ANSWER__SENTENCE", "3")]).unwrap_err(),
            "the environment variable SASEO__ANSWER__SENTENCE: there is no key `answer.sentence`; did you mean `sentences`?; deploy/saseo.toml shows every key"
        );
    }

    #[test]
    fn a_value_that_makes_no_sense_is_an_error() {
        let wrong = |text: &str| read(text, &[]).unwrap_err();
        assert!(wrong("[answer]\nconfidence-floor = 7.0\n").contains("between 0 and 1"));
        assert!(wrong("[library]\nchunk-tokens = 500\n").contains("longest-chunk-tokens"));
    }

    #[test]
    fn a_network_that_is_none_is_found_when_the_settings_are_read() {
        let settings = read(
            "[library]\nfetch-networks = [\"10.0.0.0/8\", \"::1\"]\n",
            &[],
        );
        assert_eq!(settings.unwrap().library.fetch_networks.len(), 2);
        let file = "[library]\nfetch-networks = [\"10.0.0.0/8\", \"10.0.0/16\"]\n";
        let told = read(file, &[]).unwrap_err();
        assert!(
            told.starts_with("FILE has a slip: \"10.0.0/16\" is no network"),
            "{told}"
        );
        assert!(told.contains("library.fetch-networks"), "{told}");
        let variable = "SASEO__LIBRARY__FETCH_NETWORKS";
        let told = read("", &[(variable, "['10.0.0.0/33']")]).unwrap_err();
        let place =
            format!("the environment variable {variable} has a slip: \"10.0.0.0/33\" is");
        assert!(told.starts_with(&place), "{told}");
    }

    #[test]
    fn a_slip_in_a_variable_is_not_blamed_on_the_file() {
        let wrong = |name: &str, value: &str| read("", &[(name, value)]).unwrap_err();
        for (name, value) in [
            ("SASEO__ANSWER__SENTENCES", "0"),
            ("SASEO__ANSWER__CONFIDENCE_FLOOR", "7.0"),
            ("SASEO__LIBRARY__COLLECTION", "a/b"),
            ("SASEO__LIBRARY__LONGEST_CHUNK_TOKENS", "1"),
        ] {
            let told = wrong(name, value);
            let place = format!("the environment variable {name} has a slip: ");
            assert!(told.starts_with(&place), "{told}");
            assert!(!told.contains('\n'), "{told}");
        }
        assert!(
            read("[answer]\nconfidence-floor = 7.0\n", &[])
                .unwrap_err()
                .starts_with("FILE has a slip: answer.confidence-floor")
        );
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_an_error() {
        assert!(
            read("[answer]\nsentences = 0\n", &[])
                .unwrap_err()
                .contains("nonzero")
        );
        assert!(read("[answer]\nsentences = \"two\"\n", &[]).is_err());
        assert!(
            read("[answer\n", &[])
                .unwrap_err()
                .starts_with("FILE has a slip")
        );
    }
}
