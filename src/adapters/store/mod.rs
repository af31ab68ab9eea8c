//! The library on disk: register, documents, and a sled index that can be rebuilt.
//!
//! The register is the truth and the documents are the books; both are plain files, written
//! whole and synced. The index is derived. So whatever happens to sled, nobody loses a book.
//!
//! Documents of a revision to come lie aside, where a killed process leaves them for the next
//! opening to clear. A commit goes: rows and vectors in sled, then texts, moved to their places,
//! then the line of the register, which is the moment of truth, then the snapshot that readers
//! see. What fails before the line leaves the library as it was; what dies after it is found by
//! the next opening.

mod failure;
mod disk;
mod lock;
mod documents;
mod register;
mod catalogue;
mod rows;
mod quantised;
mod segment;
mod vault;
mod inbox;
mod index;
mod snapshot;
mod search;
mod accession;
mod commit;
mod indexing;
mod verify;
mod compact;
mod carry;
mod ledger;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;
use tokio::task;
use tokio::time::timeout;

pub use compact::Compacted;
pub use failure::Trouble;
pub use inbox::Mailbox;
pub use indexing::{Cut, Progress, Tools};
pub use ledger::Receipts;
pub use snapshot::Standing;

use catalogue::{Catalogue, Places};
use documents::Documents;
use index::Index;
use lock::FolderLock;
use register::{Lines, Register};
use snapshot::Snapshot;

use crate::domain::document::{Card, Digest};
use crate::domain::embedding::{Embedding, Fingerprint};
use crate::domain::language::Language;
use crate::domain::passage::{Found, Scope};
use crate::domain::render;
use crate::domain::revision::{Damage, Entry, Revision};
use crate::ports::{Accession, Cause, Clock, Library, Query, Uncommitted, Unread};

const DOCUMENTS: &str = "documents";
const INDEX: &str = "index";
const STATE: &str = "state";

/// The longest that a search may take. A hundred thousand chunks take some twenty milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// The library in a data folder. Clones are the same library.
#[derive(Clone)]
pub struct Stacks {
    core: Arc<Core>,
    writer: Arc<Mutex<Writer>>,
}

/// A data folder that this process holds, with what needs no library and no model: the
/// messengers are listened to while those are still being opened.
pub struct State {
    pub ledger: Receipts,
    pub inbox: Mailbox,
    /// What happened on the way that a person should know, in sentences.
    pub notes: Vec<String>,
    folder: PathBuf,
    lock: Arc<FolderLock>,
}

impl State {
    /// Takes the data folder, and makes it where there is none.
    pub fn open(folder: &Path) -> Result<Self, Trouble> {
        disk::make_folder(folder)?;
        let lock = Arc::new(FolderLock::take(folder)?);
        let mut notes = Vec::new();
        let (ledger, inbox) = ledger::open(&folder.join(STATE), &lock, &mut notes)?;
        Ok(Self {
            ledger,
            inbox,
            notes,
            folder: folder.to_owned(),
            lock,
        })
    }
}

/// An open data folder.
pub struct Opened {
    pub library: Stacks,
    pub ledger: Receipts,
    pub inbox: Mailbox,
    /// What happened on the way that a person should know, in sentences.
    pub notes: Vec<String>,
}

/// How much there is of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Documents that stand on the shelves now.
    pub documents: u64,
    /// Chunks in the index, those of earlier revisions too.
    pub chunks: u64,
    /// Vectors in the index.
    pub vectors: u64,
    /// Bytes on disk.
    pub documents_bytes: u64,
    pub register_bytes: u64,
    pub index_bytes: u64,
    pub state_bytes: u64,
}

struct Core {
    folder: PathBuf,
    documents: Documents,
    fingerprint: Option<Fingerprint>,
    clock: Arc<dyn Clock>,
    now: RwLock<Arc<Snapshot>>,
    // Last, so that sled is closed before another process may come in.
    _lock: Arc<FolderLock>,
}

/// What only one at a time may hold.
struct Writer {
    register: Register,
    places: Places,
}

impl Stacks {
    /// Opens the data folder, and makes it where there is none. `fingerprint` is the embedder's
    /// that will be used; without one nothing can be added.
    ///
    /// When this returns, [`Stacks::standing`] says whether the index has every document.
    pub fn open(
        folder: &Path,
        fingerprint: Option<Fingerprint>,
        clock: Arc<dyn Clock>,
    ) -> Result<Opened, Trouble> {
        Self::open_within(State::open(folder)?, fingerprint, clock)
    }

    /// As [`Stacks::open`], in a data folder that is held already.
    pub fn open_within(
        state: State,
        fingerprint: Option<Fingerprint>,
        clock: Arc<dyn Clock>,
    ) -> Result<Opened, Trouble> {
        let State {
            ledger,
            inbox,
            mut notes,
            folder,
            lock,
        } = state;
        let folder = folder.as_path();
        let (register, lines, torn) = Register::open(folder)?;
        let (snapshot, places) = snapshot_of(folder, &lines, fingerprint.as_ref(), &mut notes)?;
        notes.extend(torn.map(|torn| torn.told(snapshot.damage)));
        let core = Arc::new(Core {
            folder: folder.to_owned(),
            documents: Documents::open(folder.join(DOCUMENTS))?,
            fingerprint,
            clock,
            now: RwLock::new(Arc::new(snapshot)),
            _lock: lock,
        });
        compact::go_on(&core, register.head(), &ledger, &mut notes)?;
        Ok(Opened {
            library: Self {
                core,
                writer: Arc::new(Mutex::new(Writer { register, places })),
            },
            ledger,
            inbox,
            notes,
        })
    }

    /// How the index stands to the register.
    pub fn standing(&self) -> Standing {
        self.core.now().standing.clone()
    }

    /// How much there is of everything.
    pub async fn sizes(&self) -> Result<Sizes, Trouble> {
        let core = Arc::clone(&self.core);
        blocking(move || {
            let now = core.now();
            let standing = now.kept().filter(|(_, held)| held.stands_at(now.revision));
            Ok(Sizes {
                documents: standing.count() as u64,
                chunks: now.segments.iter().map(|part| part.len() as u64).sum(),
                vectors: now.index.vector_count(),
                documents_bytes: core.documents.size(),
                register_bytes: disk::size(&core.folder.join(Register::NAME)),
                index_bytes: disk::size(&core.folder.join(INDEX)),
                state_bytes: disk::size(&core.folder.join(STATE)),
            })
        })
        .await
    }
}

impl Core {
    fn now(&self) -> Arc<Snapshot> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets readers see `snapshot` from here on, and gives back what they saw before.
    fn swap(&self, snapshot: Snapshot) -> Arc<Snapshot> {
        let mut now = self.now.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *now, Arc::new(snapshot))
    }

    fn index_root(&self) -> PathBuf {
        self.folder.join(INDEX)
    }

    /// The embedder's fingerprint, for what cannot be done without.
    fn embedder(&self) -> Result<&Fingerprint, Trouble> {
        self.fingerprint
            .as_ref()
            .ok_or(Trouble::Misfit("no embedder was named at the opening"))
    }
}

/// The snapshot and the places that follow from the register and the index on disk.
fn snapshot_of(
    folder: &Path,
    lines: &Lines,
    fingerprint: Option<&Fingerprint>,
    notes: &mut Vec<String>,
) -> Result<(Snapshot, Places), Trouble> {
    let (catalogue, places) = Catalogue::of(&lines.entries);
    let oldest = compact::oldest(folder, lines.head().revision)?;
    let loaded = Index::open(&folder.join(INDEX), &catalogue, notes)?;
    let damage = damage(&loaded.index, lines)?;
    notes.extend(damage.map(|damage| render::damaged(damage, Language::English)));
    let mut snapshot = Snapshot::new(lines.head().revision, oldest, catalogue, loaded);
    snapshot.damage = damage;
    let snapshot = snapshot.standing_to(fingerprint)?;
    notes.extend(snapshot.complaint(fingerprint));
    Ok((snapshot, places))
}

/// How the register differs from what the index has seen of it.
fn damage(index: &Index, lines: &Lines) -> Result<Option<Damage>, Trouble> {
    let Some(seen) = index.head()? else {
        return Ok(None);
    };
    let Some(at) = seen.revision.checked_sub(1) else {
        return Ok(None);
    };
    let line = usize::try_from(at)
        .ok()
        .and_then(|at| lines.digests.get(at));
    let (ends, seen_at) = (lines.head().revision, Revision(seen.revision));
    Ok(match line {
        Some(digest) if *digest.as_bytes() == seen.digest => None,
        Some(_) => Some(Damage::LineChanged(seen_at)),
        None => Some(Damage::LinesLost {
            ends,
            seen: seen_at,
        }),
    })
}

/// Runs what reads and writes files where it holds up nobody.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Trouble> + Send + 'static,
) -> Result<T, Trouble> {
    task::spawn_blocking(work)
        .await
        .map_err(|_| Trouble::Stopped)?
}

#[async_trait]
impl Library for Stacks {
    fn revision(&self) -> Revision {
        self.core.now().revision
    }

    fn damage(&self) -> Option<Damage> {
        self.core.now().damage
    }

    async fn search(&self, query: &Query, scope: &Scope) -> Result<Found, Unread> {
        let now = self.core.now();
        now.ready(self.core.fingerprint.as_ref())?;
        let (query, scope) = (query.clone(), scope.clone());
        let work = task::spawn_blocking(move || search::search(&now, &query, &scope));
        match timeout(PATIENCE, work).await {
            Ok(done) => done.map_err(|error| Unread::Failed(Cause::from(error)))?,
            Err(_) => Err(Trouble::Late { patience: PATIENCE }.into()),
        }
    }

    async fn cards(&self, scope: &Scope) -> Result<Vec<Card>, Unread> {
        let now = self.core.now();
        let revision = now.reading(scope)?;
        Ok(now.catalogue.cards(revision, scope))
    }

    async fn text(&self, digest: Digest) -> Result<String, Unread> {
        let core = Arc::clone(&self.core);
        let known = core.now().kept().any(|(_, held)| held.card.text == digest);
        if !known {
            return Err(Unread::NoSuchDocument(digest));
        }
        Ok(blocking(move || core.documents.read(digest)).await?)
    }

    async fn lost(&self, texts: &[Digest]) -> Result<BTreeSet<Digest>, Unread> {
        let (core, texts) = (Arc::clone(&self.core), texts.to_vec());
        let lost = blocking(move || {
            let lost = texts
                .into_iter()
                .filter(|text| core.documents.is_lost(*text));
            Ok(lost.collect())
        });
        Ok(lost.await?)
    }

    async fn log(&self) -> Result<Vec<Entry>, Unread> {
        let core = Arc::clone(&self.core);
        let newest = core.now().revision;
        let lines = blocking(move || register::read(&core.folder, newest)).await?;
        Ok(lines.entries)
    }

    async fn known(&self, texts: &[String]) -> Result<Vec<Option<Embedding>>, Unread> {
        let Some(fingerprint) = &self.core.fingerprint else {
            return Ok(vec![None; texts.len()]);
        };
        let keys: Vec<_> = texts
            .iter()
            .map(|text| rows::vector_key(fingerprint, text))
            .collect();
        let index = Arc::clone(&self.core.now().index);
        Ok(blocking(move || indexing::known(&index, &keys)).await?)
    }

    async fn keep(
        &self,
        texts: &[String],
        embeddings: &[Embedding],
    ) -> Result<(), Uncommitted> {
        let fingerprint = self.core.embedder()?;
        let vectors: Vec<_> = texts
            .iter()
            .zip(embeddings)
            .map(|(text, embedding)| {
                let key = rows::vector_key(fingerprint, text);
                (key, rows::vector_row(embedding))
            })
            .collect();
        let core = Arc::clone(&self.core);
        // A rebuild that ends meanwhile would leave these behind in the old index.
        let writer = Arc::clone(&self.writer).lock_owned().await;
        let kept = blocking(move || {
            disk::Room::of(&core.folder)?.gate()?;
            core.now().index.keep(&vectors)?;
            drop(writer);
            Ok(())
        });
        Ok(kept.await?)
    }

    async fn accession(&self) -> Result<Box<dyn Accession>, Uncommitted> {
        let core = Arc::clone(&self.core);
        // Said before anything is read or embedded for it.
        core.now().intact()?;
        let cart = blocking(move || core.documents.cart()).await?;
        Ok(Box::new(accession::Cart::new(self.clone(), cart)))
    }
}

/// A disk that fills up in the middle is told as one that was full at the start.
fn said_of_disk(trouble: Trouble, folder: &Path) -> Trouble {
    if trouble.no_room()
        && let Ok(room) = disk::Room::of(folder)
    {
        return room.refusal();
    }
    trouble
}
