//! Tokens that end after twelve hours, and how the next ones are got.
//!
//! A refresh token is good for one exchange: the pair that comes of it is on the disk, whole,
//! before anything is asked with it. Until then the token before it goes on; Slack lets that one
//! live to its own end, and takes the used refresh token again for a short while, so whoever
//! crashes in between still holds a pair that works.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::api::{Api, Call, Fault, Lines, Token, Unfit};
use super::{CLIENT_ID, REFRESH_TOKEN};
use crate::adapters::chat::calls::back_off;
use crate::adapters::chat::limiter::Urgency;
use crate::domain::document::Digest;
use crate::ports::{Cause, Clock};

/// What it takes to exchange tokens, as the environment gives it.
#[derive(Clone, Debug)]
pub struct Rotation {
    pub client: SecretString,
    pub secret: SecretString,
    /// One for each workspace, as it was when the app was installed there.
    pub refresh: Vec<SecretString>,
    /// Where the pairs are kept.
    pub folder: PathBuf,
}

/// The token of one workspace, and its successors.
pub(super) struct Rota {
    client: SecretString,
    secret: SecretString,
    /// The refresh token that the line of pairs began with.
    first: SecretString,
    file: PathBuf,
    /// How the refresh token is called where somebody has to look after it.
    name: String,
    clock: Arc<dyn Clock>,
    /// What is on the disk.
    pair: Mutex<Option<Pair>>,
    turn: tokio::sync::Mutex<Turn>,
}

/// What came of exchanges so far.
#[derive(Default)]
struct Turn {
    /// Slack's word for it that there will be no more.
    spent: Option<String>,
    /// A pair that the disk did not take yet.
    unkept: Option<Pair>,
    /// Nobody asks before.
    rests: Option<Instant>,
}

/// A token and what it is exchanged with.
#[derive(Clone)]
struct Pair {
    access: SecretString,
    refresh: SecretString,
    /// When the next one is due, and when this one ends.
    due: DateTime<Utc>,
    ends: DateTime<Utc>,
}

/// A pair as it lies on the disk.
#[derive(Deserialize, Serialize)]
struct Stored {
    access: String,
    refresh: String,
    due: DateTime<Utc>,
    ends: DateTime<Utc>,
}

/// What `oauth.v2.access` says, as far as it matters.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    refresh_token: String,
    expires_in: u32,
}

/// The token that is kept for a refresh token, if there is one, for whoever only looks.
pub(super) fn kept(rotation: &Rotation, first: &SecretString) -> Option<SecretString> {
    let file = place(&rotation.folder, first);
    read(&file).ok().flatten().map(|pair| pair.access)
}

impl Rota {
    pub(super) fn new(
        rotation: &Rotation,
        (first, name): (&SecretString, String),
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Unfit> {
        let file = place(&rotation.folder, first);
        let pair = read(&file).map_err(|cause| Unfit::Pair {
            file: file.clone(),
            cause,
        })?;
        Ok(Self {
            client: rotation.client.clone(),
            secret: rotation.secret.clone(),
            first: first.clone(),
            file,
            name,
            clock,
            pair: Mutex::new(pair),
            turn: tokio::sync::Mutex::default(),
        })
    }

    fn pair(&self) -> Option<Pair> {
        let pair = self.pair.lock();
        pair.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A token that should be accepted.
    pub(super) async fn token(&self, lines: &Arc<Lines>) -> Result<SecretString, Fault> {
        let pair = self.pair();
        let used = pair.as_ref().map(|pair| &pair.access);
        match &pair {
            Some(pair) if self.clock.now() < pair.ends => Ok(pair.access.clone()),
            Some(_) | None => self.after(used, lines).await,
        }
    }

    /// A token in place of `used`, if there is one: exchanged already, or by this call if Slack
    /// says that `used` has ended.
    pub(super) async fn instead(
        &self,
        used: &SecretString,
        (lines, code): (&Arc<Lines>, &str),
    ) -> Result<Option<SecretString>, Fault> {
        // An exchange that is under way may be why it is no longer accepted.
        drop(self.turn.lock().await);
        let now = self.pair().map(|pair| pair.access);
        let newer = now.filter(|now| now.expose_secret() != used.expose_secret());
        match newer {
            Some(newer) => Ok(Some(newer)),
            None if code == "token_expired" => self.after(Some(used), lines).await.map(Some),
            None => Ok(None),
        }
    }

    /// The token that comes after `used`; one exchange at a time.
    async fn after(
        &self,
        used: Option<&SecretString>,
        lines: &Arc<Lines>,
    ) -> Result<SecretString, Fault> {
        const REST: Duration = Duration::from_secs(2);
        let mut turn = self.turn.lock().await;
        let pair = self.pair();
        if let Some(pair) = &pair
            && used.is_none_or(|used| used.expose_secret() != pair.access.expose_secret())
        {
            return Ok(pair.access.clone());
        }
        if let Some(code) = &turn.spent {
            return Err(self.refused(code.clone()));
        }
        if turn.rests.is_some_and(|until| Instant::now() < until) {
            return Err(unavailable("an exchange of tokens has just failed", None));
        }
        let refresh = pair.map_or_else(|| self.first.clone(), |pair| pair.refresh);
        let next = self.next(&mut turn, &refresh, lines).await;
        if next.is_err() {
            turn.rests = Some(Instant::now() + REST);
        }
        next
    }

    async fn next(
        &self,
        turn: &mut Turn,
        refresh: &SecretString,
        lines: &Arc<Lines>,
    ) -> Result<SecretString, Fault> {
        let next = match turn.unkept.take() {
            Some(unkept) => unkept,
            None => match self.exchanged(refresh, lines).await {
                Err(Fault::Refused { method: _, code }) => {
                    turn.spent = Some(code.clone());
                    return Err(self.refused(code));
                },
                exchanged => exchanged?,
            },
        };
        if let Err(cause) = self.keep(&next).await {
            turn.unkept = Some(next);
            let why = "a new token could not be kept in the data folder";
            return Err(unavailable(why, Some(cause)));
        }
        let access = next.access.clone();
        *self.pair.lock().unwrap_or_else(PoisonError::into_inner) = Some(next);
        Ok(access)
    }

    async fn exchanged(
        &self,
        refresh: &SecretString,
        lines: &Arc<Lines>,
    ) -> Result<Pair, Fault> {
        let form = vec![
            ("client_id", self.client.expose_secret().trim().to_owned()),
            (
                "client_secret",
                self.secret.expose_secret().trim().to_owned(),
            ),
            ("grant_type", "refresh_token".to_owned()),
            ("refresh_token", refresh.expose_secret().trim().to_owned()),
        ];
        let call = Call::read("oauth.v2.access", form)
            .urgency(Urgency::Must)
            .patience(Duration::from_secs(30));
        let api = Api::without_token(Arc::clone(lines), CLIENT_ID);
        let granted: Granted = api.call(call).await?;
        let (now, lasts) = (self.clock.now(), i64::from(granted.expires_in) * 1_000);
        Ok(Pair {
            access: granted.access_token.into(),
            refresh: granted.refresh_token.into(),
            // A third of its life is left for whatever may go wrong with the next one.
            due: now + TimeDelta::milliseconds(lasts * 2 / 3),
            ends: now + TimeDelta::milliseconds(lasts),
        })
    }

    async fn keep(&self, pair: &Pair) -> Result<(), Cause> {
        let stored = Stored::from(pair);
        let file = self.file.clone();
        let kept = spawn_blocking(move || write(&file, &stored)).await;
        Ok(kept.map_err(Cause::from)??)
    }

    fn refused(&self, code: String) -> Fault {
        Fault::Unauthorised(Token {
            name: self.name.clone(),
            code,
        })
    }

    /// Exchanges each token before it ends. Returns when there will be no more, and says how
    /// long the last one lives.
    pub(super) async fn keep_up(&self, lines: &Arc<Lines>) -> (Fault, Option<DateTime<Utc>>) {
        /// A machine that slept knows only by looking.
        const LOOKS: Duration = Duration::from_secs(60);
        let mut tries = 0;
        loop {
            let pair = self.pair();
            let left = pair
                .as_ref()
                .map_or(TimeDelta::zero(), |it| it.due - self.clock.now());
            if let Ok(left) = left.to_std()
                && !left.is_zero()
            {
                sleep(left.min(LOOKS)).await;
                continue;
            }
            let used = pair.as_ref().map(|pair| &pair.access);
            match self.after(used, lines).await {
                Ok(_) => tries = 0,
                Err(fault @ Fault::Unauthorised(_)) => {
                    return (fault, pair.map(|pair| pair.ends));
                },
                Err(fault) => {
                    let cause: Cause = fault.into();
                    tracing::warn!(error = &*cause, "a token could not be exchanged yet");
                    // The exchange itself is tried again for longer.
                    sleep(back_off(tries.min(2))).await;
                    tries += 1;
                },
            }
        }
    }
}

fn unavailable(why: &str, source: Option<Cause>) -> Fault {
    Fault::Unavailable {
        why: why.to_owned(),
        source,
    }
}

/// Where the pairs that began with `first` lie. The name gives nothing away.
fn place(folder: &Path, first: &SecretString) -> PathBuf {
    let name = Digest::of(first.expose_secret().trim().as_bytes()).to_string();
    let name: String = name.chars().take(16).collect();
    folder.join(format!("{name}.json"))
}

fn read(file: &Path) -> Result<Option<Pair>, Cause> {
    let stored = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // What stands there is not for a message.
    let stored: Stored = serde_json::from_slice(&stored)
        .map_err(|_| Cause::from("it does not hold a pair of tokens"))?;
    let Stored {
        access,
        refresh,
        due,
        ends,
    } = stored;
    Ok(Some(Pair {
        access: access.into(),
        refresh: refresh.into(),
        due,
        ends,
    }))
}

impl From<&Pair> for Stored {
    fn from(pair: &Pair) -> Self {
        let Pair {
            access,
            refresh,
            due,
            ends,
        } = pair;
        Self {
            access: access.expose_secret().to_owned(),
            refresh: refresh.expose_secret().to_owned(),
            due: *due,
            ends: *ends,
        }
    }
}

/// Whoever finds the file finds all of it, also after the power was cut; and nobody but us
/// finds it.
fn write(file: &Path, stored: &Stored) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    // The file is made with the mode 0600.
    let mut writing = tempfile::Builder::new()
        .prefix(".writing-")
        .tempfile_in(folder)?;
    writing.write_all(&serde_json::to_vec(stored)?)?;
    writing.as_file().sync_all()?;
    writing.persist(file).map_err(|error| error.error)?;
    std::fs::File::open(folder)?.sync_all()
}

/// Takes a token of the kind that is exchanged for others.
pub(super) fn check(token: &SecretString) -> Result<(), Unfit> {
    let token = token.expose_secret().trim();
    let whole = token.bytes().all(|byte| byte.is_ascii_graphic());
    if whole && token.starts_with("xoxe-") {
        return Ok(());
    }
    Err(Unfit::Token {
        variable: REFRESH_TOKEN,
        kind: "the bot's refresh token",
        prefix: "xoxe-",
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn pair(access: &str) -> Pair {
        Pair {
            access: access.to_owned().into(),
            refresh: "xoxe-1-b".to_owned().into(),
            due: DateTime::UNIX_EPOCH,
            ends: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_pair_lies_in_a_file_that_only_we_can_read_and_takes_the_place_of_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("slack").join("pair.json");
        assert!(read(&file).unwrap().is_none());
        for access in ["xoxe.xoxb-1-a", "xoxe.xoxb-1-c"] {
            write(&file, &Stored::from(&pair(access))).unwrap();
            let found = read(&file).unwrap().unwrap();
            assert_eq!(found.access.expose_secret(), access);
            assert_eq!(found.refresh.expose_secret(), "xoxe-1-b");
        }
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let beside = std::fs::read_dir(folder.path().join("slack")).unwrap();
        assert_eq!(beside.count(), 1);
    }

    #[test]
    fn a_file_that_holds_no_pair_is_told_without_what_stands_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pair.json");
        std::fs::write(&file, "{\"access\": \"xoxe.xoxb-1-a\"}").unwrap();
        let Err(why) = read(&file) else {
            panic!("half a pair was taken");
        };
        assert!(!why.to_string().contains("xoxb"), "{why}");
    }

    #[test]
    fn the_name_of_the_file_does_not_tell_the_token() {
        let token: SecretString = "xoxe-1-secret".to_owned().into();
        let file = place(Path::new("/there"), &token);
        assert!(!file.display().to_string().contains("secret"));
        assert_ne!(
            file,
            place(Path::new("/there"), &"xoxe-1-other".to_owned().into())
        );
    }
}
