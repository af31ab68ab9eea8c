//! Checks model files against the lock and the manifest, before anything loads them.
//!
//! This is part of every start, so it must be quick: two threads, the longest file first, one
//! pass over the bytes. What passes is [`Verified`], the only thing the loaders accept.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::lock::{Lock, LockedFile, Unlocked};
use super::manifest::{Manifest, ModelFile, Role};
use super::shelf::{self, Shelf};
use crate::domain::document::Digest;

/// Model files that are, byte for byte, what was pulled. Only [`verify`] makes one.
#[derive(Clone, Debug)]
pub struct Verified {
    manifest: Manifest,
    shelf: Shelf,
    files: Vec<VerifiedFile>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedFile {
    role: Role,
    name: String,
    path: PathBuf,
    digest: Digest,
    bytes: u64,
}

/// Why model files cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum Unverified {
    /// Files are missing or not what they were; pulling again mends it.
    #[error("{}", sentence(.0))]
    Files(Vec<Problem>),
    /// The lock itself cannot be read.
    #[error(transparent)]
    Lock(#[from] Unlocked),
}

/// What is wrong with one file.
#[derive(Debug)]
pub struct Problem {
    pub role: Role,
    /// `MODEL/NAME`.
    pub file: String,
    pub what: Fault,
}

/// How a file differs from what it should be.
#[derive(Debug)]
pub enum Fault {
    /// Not there.
    Missing,
    /// There, but no pull put it there.
    Unknown,
    /// Other bytes than were pulled.
    Changed { expected: Digest, found: Digest },
    /// Pulled, but the manifest names other bytes.
    Superseded { expected: Digest, found: Digest },
    /// It could not be read.
    Unreadable(io::Error),
}

/// What `list` says of a file.
#[derive(Debug)]
pub struct Listed {
    pub role: Role,
    pub model: String,
    pub licence: Option<String>,
    /// The file, or the address of a model that has none here.
    pub file: String,
    /// Length in place, or as the manifest says; unknown before the first pull of some.
    pub bytes: Option<u64>,
    pub state: State,
}

/// How a file stands.
#[derive(Debug)]
pub enum State {
    /// As it was pulled.
    Present(Digest),
    /// Not so.
    Faulty(Fault),
    /// The engine fetches it, or an endpoint has it: there is nothing to check.
    Elsewhere,
}

/// Reads every file the manifest names and compares it with the lock and the manifest.
pub fn verify(manifest: &Manifest, root: &Path) -> Result<Verified, Unverified> {
    let shelf = Shelf::new(root);
    let lock = Lock::read(root)?;
    let mut files = Vec::new();
    let mut problems = Vec::new();
    for (task, result) in examine_all(manifest, &shelf, &lock) {
        match result {
            Ok((digest, bytes)) => files.push(VerifiedFile {
                role: task.role,
                name: task.file.name.clone(),
                path: task.path,
                digest,
                bytes,
            }),
            Err(what) => problems.push(Problem {
                role: task.role,
                file: format!("{}/{}", task.model, task.file.name),
                what,
            }),
        }
    }
    if problems.is_empty() {
        Ok(Verified {
            manifest: manifest.clone(),
            shelf,
            files,
        })
    } else {
        Err(Unverified::Files(problems))
    }
}

/// Says of every file how it stands. Reads them all, as [`verify`] does.
pub fn list(manifest: &Manifest, root: &Path) -> Result<Vec<Listed>, Unlocked> {
    let shelf = Shelf::new(root);
    let lock = Lock::read(root)?;
    let row = |role: Role, file: String, bytes, state| Listed {
        role,
        model: manifest.model(role).to_owned(),
        licence: manifest.licence(role).map(str::to_owned),
        file,
        bytes,
        state,
    };
    let mut rows: Vec<_> = examine_all(manifest, &shelf, &lock)
        .into_iter()
        .map(|(task, result)| {
            let file = task.file.name.clone();
            match result {
                Ok((digest, bytes)) => {
                    row(task.role, file, Some(bytes), State::Present(digest))
                },
                Err(fault) => row(task.role, file, task.file.bytes, State::Faulty(fault)),
            }
        })
        .collect();
    rows.extend(Role::ALL.into_iter().filter_map(|role| {
        let address = manifest.address(role)?;
        Some(row(role, address, None, State::Elsewhere))
    }));
    rows.sort_by_key(|listed| listed.role);
    Ok(rows)
}

impl Verified {
    /// The manifest that names these files.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The folder of the model in `role`.
    pub fn folder(&self, role: Role) -> PathBuf {
        self.shelf.folder(self.manifest.model(role))
    }

    /// The files of the model in `role`, in the manifest's order.
    pub fn files(&self, role: Role) -> impl Iterator<Item = &VerifiedFile> {
        self.files.iter().filter(move |file| file.role == role)
    }

    /// The file of the model in `role` with this name.
    pub fn file(&self, role: Role, name: &str) -> Option<&VerifiedFile> {
        self.files(role).find(|file| file.name == name)
    }

    /// What stands for the whole model in a receipt: changes when any of its files does. For a
    /// model whose files are not ours it is the digest of its address.
    pub fn digest(&self, role: Role) -> Digest {
        if let Some(address) = self.manifest.address(role) {
            return Digest::of(address.as_bytes());
        }
        let mut lines: Vec<_> = self
            .files(role)
            .map(|file| format!("{}  {}\n", file.digest, file.name))
            .collect();
        lines.sort_unstable();
        Digest::of(lines.concat().as_bytes())
    }
}

impl VerifiedFile {
    pub fn role(&self) -> Role {
        self.role
    }

    /// Its path within the model's folder, as the manifest writes it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it lies; to be opened read-only.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn digest(&self) -> Digest {
        self.digest
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// One file to look at.
struct Task<'a> {
    role: Role,
    model: &'a str,
    file: &'a ModelFile,
    path: PathBuf,
    locked: Option<&'a LockedFile>,
}

type Examined = Result<(Digest, u64), Fault>;

/// Examines all files on two threads, in the manifest's order in the end.
fn examine_all<'a>(
    manifest: &'a Manifest,
    shelf: &Shelf,
    lock: &'a Lock,
) -> Vec<(Task<'a>, Examined)> {
    let mut tasks: Vec<_> = manifest
        .all_files()
        .map(|(role, file)| {
            let model = manifest.model(role);
            Task {
                role,
                model,
                file,
                path: shelf.path(model, &file.name),
                locked: lock.get(model, &file.name),
            }
        })
        .enumerate()
        .collect();
    // The queue is taken from the end: the longest file first, so that no thread is left with it.
    tasks.sort_by_key(|(_, task)| task.locked.map_or(0, |locked| locked.bytes));
    let queue = Mutex::new(tasks);
    let work = || {
        let mut examined = Vec::new();
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some((place, task)) = next else {
                return examined;
            };
            let result = examine(&task);
            examined.push((place, task, result));
        }
    };
    let mut examined = std::thread::scope(|scope| {
        let other = scope.spawn(work);
        let mut mine = work();
        mine.extend(other.join().unwrap_or_default());
        mine
    });
    examined.sort_by_key(|(place, ..)| *place);
    examined
        .into_iter()
        .map(|(_, task, result)| (task, result))
        .collect()
}

fn examine(task: &Task<'_>) -> Examined {
    let (found, bytes) = match shelf::digest(&task.path, |_| ()) {
        Ok(read) => read,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Err(Fault::Missing),
        Err(cause) => return Err(Fault::Unreadable(cause)),
    };
    let Some(locked) = task.locked else {
        return Err(Fault::Unknown);
    };
    if found != locked.sha256 {
        let expected = locked.sha256;
        return Err(Fault::Changed { expected, found });
    }
    match superseded(task.file, locked) {
        Some(fault) => Err(fault),
        None => Ok((found, bytes)),
    }
}

/// The lock can be older than the manifest, or belong to another one with the same names.
fn superseded(file: &ModelFile, locked: &LockedFile) -> Option<Fault> {
    let pairs = [
        (file.pinned(), locked.sha256),
        (file.sha256, locked.source_sha256),
    ];
    pairs.into_iter().find_map(|(wanted, found)| {
        let expected = wanted.filter(|wanted| *wanted != found)?;
        Some(Fault::Superseded { expected, found })
    })
}

fn sentence(problems: &[Problem]) -> String {
    let listed: Vec<_> = problems.iter().map(Problem::to_string).collect();
    let only_missing = problems
        .iter()
        .all(|problem| matches!(problem.what, Fault::Missing));
    let opening = if only_missing {
        "model files are not there yet"
    } else {
        "model files are not what they should be, so they are not loaded"
    };
    format!(
        "{opening}: {}; `saseo models pull` puts the right ones in place",
        listed.join("; ")
    )
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.role, self.file, self.what)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing"),
            Self::Unknown => f.write_str("was not put there by a pull"),
            Self::Changed { expected, found } => {
                write!(f, "was changed: expected sha256 {expected}, found {found}")
            },
            Self::Superseded { expected, found } => write!(
                f,
                "is not the one the manifest names: expected sha256 {expected}, found {found}"
            ),
            Self::Unreadable(cause) => write!(f, "cannot be read: {cause}"),
        }
    }
}
