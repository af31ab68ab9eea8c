//! Receipts, in a sled folder of their own.
//!
//! They cannot be derived from anything, so when this folder cannot be opened it is kept aside
//! and said; answering goes on with an empty ledger.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use sled::transaction::{ConflictableTransactionError, TransactionError, Transactional as _};
use sled::{Db, Tree};

use super::failure::Trouble;
use super::inbox::Mailbox;
use super::lock::FolderLock;
use super::{STATE, blocking, disk, rows, vault};
use crate::domain::document::Digest;
use crate::ports::{Cause, Ledger, Unrecorded};

/// The ledger of a data folder. Clones are the same ledger.
#[derive(Clone)]
pub struct Receipts {
    shelf: Arc<Shelf>,
}

struct Shelf {
    folder: PathBuf,
    db: Db,
    /// Receipts by id.
    receipts: Tree,
    /// Ids in the order they were recorded.
    order: Tree,
    recording: Mutex<()>,
    // Last, so that sled is closed before another process may come in.
    _lock: Arc<FolderLock>,
}

impl Receipts {
    /// Removes every receipt that names one of `texts`. They cannot be read from here on, and
    /// their bytes leave the disk at the next opening. Gives back how many they were.
    pub(super) fn forget(&self, texts: &BTreeSet<Digest>) -> Result<usize, Trouble> {
        self.shelf.forget(texts)
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shelf) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, Trouble> {
        let ours = Arc::clone(&self.shelf);
        blocking(move || work(&ours)).await
    }
}

impl Shelf {
    fn record(&self, id: &str, receipt: &[u8]) -> Result<(), Trouble> {
        if receipt.len() > rows::LONGEST {
            return Err(Trouble::Oversized);
        }
        let recording = self
            .recording
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let again = self.receipts.contains_key(id)?;
        let place = self.next_place()?;
        (&self.receipts, &self.order)
            .transaction(|(receipts, order)| {
                receipts.insert(id, receipt)?;
                if !again {
                    order.insert(&place.to_be_bytes(), id)?;
                }
                Ok::<_, ConflictableTransactionError<()>>(())
            })
            .map_err(|error| match error {
                TransactionError::Storage(error) => Trouble::from(error),
                TransactionError::Abort(()) => Trouble::Stopped,
            })?;
        drop(recording);
        self.db.flush()?;
        Ok(())
    }

    fn next_place(&self) -> Result<u64, Trouble> {
        let last = self.order.last()?;
        let last = last.and_then(|(key, _)| key.as_ref().try_into().ok());
        Ok(last.map_or(0, |key| u64::from_be_bytes(key).saturating_add(1)))
    }

    fn recent(&self, count: usize) -> Result<Vec<(String, Vec<u8>)>, Trouble> {
        let mut found = Vec::new();
        for row in self.order.iter().rev() {
            if found.len() == count {
                break;
            }
            let (_, id) = row?;
            if let Some(receipt) = self.receipts.get(&id)? {
                found.push((String::from_utf8_lossy(&id).into_owned(), receipt.to_vec()));
            }
        }
        Ok(found)
    }

    fn forget(&self, texts: &BTreeSet<Digest>) -> Result<usize, Trouble> {
        let mut leaving = Vec::new();
        for row in &self.order {
            let (place, id) = row?;
            let receipt = self.receipts.get(&id)?.unwrap_or_default();
            if digests(&receipt).any(|digest| texts.contains(&digest)) {
                leaving.push((place, id));
            }
        }
        if !leaving.is_empty() {
            // Asked for first: once they are removed nobody knows that their bytes are here.
            disk::write_durably(&rewriting(&self.folder), b"")?;
        }
        for (place, id) in &leaving {
            self.receipts.remove(id)?;
            self.order.remove(place)?;
        }
        self.db.flush()?;
        Ok(leaving.len())
    }
}

/// Opens the state folder with all that lies in it.
pub(super) fn open(
    folder: &Path,
    lock: &Arc<FolderLock>,
    notes: &mut Vec<String>,
) -> Result<(Receipts, Mailbox), Trouble> {
    vault::settle(folder)?;
    let mut db = opened(folder, notes)?;
    if rewriting(folder).exists() {
        drop(db);
        notes.extend(rewritten(folder).err().map(|trouble| {
            format!("receipts that were forgotten are still in {STATE}: {trouble}")
        }));
        vault::settle(folder)?;
        db = opened(folder, notes)?;
    }
    let inbox = Mailbox::open(&db, folder, Arc::clone(lock))?;
    let shelf = Shelf {
        receipts: db.open_tree("receipts")?,
        order: db.open_tree("receipt-order")?,
        recording: Mutex::new(()),
        folder: folder.to_owned(),
        db,
        _lock: Arc::clone(lock),
    };
    let receipts = Receipts {
        shelf: Arc::new(shelf),
    };
    Ok((receipts, inbox))
}

/// The digests that a receipt names, whatever form it has.
fn digests(receipt: &[u8]) -> impl Iterator<Item = Digest> {
    receipt
        .split(|byte| !byte.is_ascii_hexdigit())
        .filter_map(|word| Digest::parse(std::str::from_utf8(word).ok()?).ok())
}

fn opened(folder: &Path, notes: &mut Vec<String>) -> Result<Db, Trouble> {
    match vault::open(folder, |db| Ok(db.clone()), notes)? {
        Some(db) => Ok(db),
        None => vault::open_plain(folder),
    }
}

fn rewritten(folder: &Path) -> Result<(), Trouble> {
    vault::rewrite(folder)?;
    let asked = rewriting(folder);
    fs::remove_file(&asked).map_err(Trouble::file("remove", &asked))
}

/// The file that asks the next opening to rewrite the folder.
fn rewriting(folder: &Path) -> PathBuf {
    folder.with_extension("rewrite")
}

#[async_trait]
impl Ledger for Receipts {
    async fn record(&self, id: &str, receipt: &[u8]) -> Result<(), Unrecorded> {
        let (id, receipt) = (id.to_owned(), receipt.to_vec());
        let recorded = self.with(move |shelf| shelf.record(&id, &receipt)).await;
        recorded.map_err(unrecorded)
    }

    async fn load(&self, id: &str) -> Result<Option<Vec<u8>>, Unrecorded> {
        let id = id.to_owned();
        let found = self
            .with(move |shelf| Ok(shelf.receipts.get(id)?.map(|row| row.to_vec())))
            .await;
        found.map_err(unrecorded)
    }

    async fn recent(&self, count: usize) -> Result<Vec<(String, Vec<u8>)>, Unrecorded> {
        let found = self.with(move |shelf| shelf.recent(count)).await;
        found.map_err(unrecorded)
    }
}

/// What failed under sled failed here under the receipts, not under the index.
fn unrecorded(trouble: Trouble) -> Unrecorded {
    Unrecorded(Cause::from(trouble.of_receipts()))
}
