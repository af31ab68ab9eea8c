//! The index on disk: chunks, terms and vectors in sled, all of it derived.
//!
//! A document's rows are written in one transaction, before the register speaks of it; rows of
//! which the register does not speak are not believed. So the index can lack documents, which
//! are then indexed again, and can never show one that is not in the library.
//!
//! Each index has a folder of its own and a file names the one in use: a new one is made beside
//! it and takes over by one rename.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sled::transaction::{ConflictableTransactionError, TransactionError, Transactional as _};
use sled::{Db, Tree};

use super::catalogue::Catalogue;
use super::disk;
use super::failure::Trouble;
use super::quantised::Quantised;
use super::register::Head;
use super::rows::{self, ChunkKey, ChunkRow, DocumentRow, HeadRow, ScanRow};
use super::segment::{self, Fillings, Segment};
use super::vault;
use crate::domain::analysis;
use crate::domain::chunk::Chunk;
use crate::domain::document::{Card, Digest};
use crate::domain::embedding::{Embedding, Fingerprint};

/// Names the folder in use.
const CURRENT: &str = "current";
const PREFIX: &str = "g";

const FORMAT: &str = "format";
const FINGERPRINT: &str = "fingerprint";
const HEAD: &str = "head";
const ANALYSIS: &str = "analysis";

/// When the analyser takes this apart in another way, all terms are made anew. It holds
/// something of each kind that the analyser tells apart.
const SPECIMEN: &str = "The pods were deleted 3 times: 파드를 삭제하려면 kubectl로, \
    file.yaml kube-apiserver PodDisruptionBudget snake_case PDFs v1.29.0 연차휴가는 며칠이에요? \
    ポッドを削除 删除 Größe café ＡＢＣ";

/// An open index.
#[derive(Debug)]
pub(super) struct Index {
    folder: PathBuf,
    db: Db,
    documents: Tree,
    chunks: Tree,
    scan: Tree,
    vectors: Tree,
    meta: Tree,
}

/// What an index holds of a catalogue.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) index: Index,
    pub(super) segments: Vec<Segment>,
    /// The documents that are not in the index, by number.
    pub(super) missing: BTreeSet<u32>,
}

/// A document's rows, ready to be written.
#[derive(Debug)]
pub(super) struct Rows {
    number: u32,
    document: Vec<u8>,
    chunks: Vec<([u8; 8], Vec<u8>)>,
    scan: Vec<([u8; 8], Vec<u8>)>,
    vectors: BTreeMap<[u8; 32], Vec<u8>>,
}

/// A document as it goes into the index.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entrant<'a> {
    pub(super) number: u32,
    pub(super) card: &'a Card,
    pub(super) chunks: &'a [Chunk],
    pub(super) embeddings: &'a [Embedding],
}

impl Index {
    /// Opens the index in use and loads what it holds of `catalogue`. Where there is none, or
    /// none that can be read, an empty one takes its place. Where nothing names the one in use
    /// it is the newest: rows that are not the register's are not believed in any.
    pub(super) fn open(
        root: &Path,
        catalogue: &Catalogue,
        notes: &mut Vec<String>,
    ) -> Result<Loaded, Trouble> {
        disk::make_folder(root)?;
        if let Some(folder) = in_use(root, notes)? {
            sweep(root, &folder)?;
            let loaded = vault::open(&folder, |db| load(db, &folder, catalogue), notes)?;
            if let Some(Some(loaded)) = loaded {
                return Ok(loaded);
            }
        }
        let index = Self::create(root)?;
        index.take_over(root)?;
        Loaded::of(&index, catalogue)
    }

    /// A new, empty index beside the one in use.
    pub(super) fn create(root: &Path) -> Result<Self, Trouble> {
        let taken = generations(root)?.last().copied().unwrap_or(0);
        let folder = root.join(format!("{PREFIX}{}", taken + 1));
        let index = Self::of(&vault::open_plain(&folder)?, &folder)?;
        let format = postcard::to_stdvec(&rows::FORMAT)?;
        index.meta.insert(FORMAT, format)?;
        index.meta.insert(ANALYSIS, &analysis_today())?;
        index.flush()?;
        Ok(index)
    }

    /// Makes this the index in use.
    pub(super) fn take_over(&self, root: &Path) -> Result<(), Trouble> {
        disk::sync_folder(root)?;
        put_in_use(root, &self.folder)
    }

    /// Removes the folder of an index that is no longer in use.
    pub(super) fn discard(self) -> Result<(), Trouble> {
        let folder = self.folder.clone();
        drop(self);
        fs::remove_dir_all(&folder).map_err(Trouble::file("remove", &folder))
    }

    fn of(db: &Db, folder: &Path) -> Result<Self, Trouble> {
        Ok(Self {
            folder: folder.to_owned(),
            documents: db.open_tree("documents")?,
            chunks: db.open_tree("chunks")?,
            scan: db.open_tree("scan")?,
            vectors: db.open_tree("vectors")?,
            meta: db.open_tree("meta")?,
            db: db.clone(),
        })
    }

    /// Which embedder made its vectors; none has yet when it is new.
    pub(super) fn fingerprint(&self) -> Result<Option<Fingerprint>, Trouble> {
        let row = self.meta.get(FINGERPRINT)?;
        Ok(row.map(|bytes| Fingerprint(String::from_utf8_lossy(&bytes).into_owned())))
    }

    pub(super) fn set_fingerprint(&self, fingerprint: &Fingerprint) -> Result<(), Trouble> {
        self.meta.insert(FINGERPRINT, fingerprint.0.as_bytes())?;
        self.flush()
    }

    /// The last line of the register that was written into this index.
    pub(super) fn head(&self) -> Result<Option<HeadRow>, Trouble> {
        let row = self.meta.get(HEAD)?;
        Ok(row.map(|bytes| postcard::from_bytes(&bytes)).transpose()?)
    }

    pub(super) fn set_head(&self, head: Head) -> Result<(), Trouble> {
        let row = HeadRow {
            revision: head.revision.0,
            digest: *head.digest.as_bytes(),
        };
        self.meta.insert(HEAD, postcard::to_stdvec(&row)?)?;
        Ok(())
    }

    /// Says that all documents up to `head` are in it, durable when this returns. Without a
    /// head it goes on knowing the one it has seen.
    pub(super) fn complete(&self, head: Option<Head>) -> Result<(), Trouble> {
        if let Some(head) = head.filter(|head| head.revision.0 > 0) {
            self.set_head(head)?;
        }
        self.meta.insert(ANALYSIS, &analysis_today())?;
        self.flush()
    }

    /// Whether its terms are those that the analyser gives today.
    fn is_analysed_as_today(&self) -> Result<bool, Trouble> {
        let row = self.meta.get(ANALYSIS)?;
        Ok(row.is_some_and(|row| *row == analysis_today()))
    }

    /// Makes everything written so far durable.
    pub(super) fn flush(&self) -> Result<(), Trouble> {
        self.db.flush()?;
        Ok(())
    }

    /// The rows of a document. A vector that is already here is the one that counts, so that
    /// a document indexed twice gets the same rows to the last bit.
    pub(super) fn rows(
        &self,
        fingerprint: &Fingerprint,
        entrant: Entrant<'_>,
    ) -> Result<Rows, Trouble> {
        let Entrant {
            number,
            card,
            chunks,
            embeddings,
        } = entrant;
        if chunks.len() != embeddings.len() {
            return Err(Trouble::Misfit("a chunk has no embedding of its own"));
        }
        let document = DocumentRow {
            card: rows::card_digest(card)?,
            chunks: u32::try_from(chunks.len()).map_err(|_| Trouble::Oversized)?,
        };
        let mut rows = Rows {
            number,
            document: postcard::to_stdvec(&document)?,
            chunks: Vec::new(),
            scan: Vec::new(),
            vectors: BTreeMap::new(),
        };
        for (ordinal, (chunk, embedding)) in (0..).zip(chunks.iter().zip(embeddings)) {
            let key = ChunkKey {
                document: number,
                ordinal,
            };
            let indexed = chunk.indexed_text(&card.title);
            let vector = rows::vector_key(fingerprint, &indexed);
            let stored = self.sound_vector(&vector)?;
            if stored.is_none() {
                rows.vectors.insert(vector, rows::vector_row(embedding));
            }
            let floats = stored.unwrap_or_else(|| embedding.as_slice().to_vec());
            let scan = scan_row(chunk, &indexed, (vector, &floats))?;
            rows.add(key, chunk, scan)?;
        }
        Ok(rows)
    }

    /// Writes a document's rows as one; durable after the next flush.
    pub(super) fn write(&self, rows: &Rows) -> Result<(), Trouble> {
        self.purge(rows.number)?;
        (&self.documents, &self.chunks, &self.scan, &self.vectors)
            .transaction(|(documents, chunks, scan, vectors)| {
                for (key, row) in &rows.vectors {
                    vectors.insert(key, row.as_slice())?;
                }
                for (key, row) in &rows.chunks {
                    chunks.insert(key, row.as_slice())?;
                }
                for (key, row) in &rows.scan {
                    scan.insert(key, row.as_slice())?;
                }
                documents.insert(&rows.number.to_be_bytes(), rows.document.as_slice())?;
                Ok::<_, ConflictableTransactionError<()>>(())
            })
            .map_err(|error| match error {
                TransactionError::Storage(error) => Trouble::from(error),
                TransactionError::Abort(()) => Trouble::Stopped,
            })
    }

    /// Removes what there is of a document, but not its vectors.
    pub(super) fn purge(&self, number: u32) -> Result<(), Trouble> {
        let key = number.to_be_bytes();
        self.documents.remove(key)?;
        for tree in [&self.chunks, &self.scan] {
            let keys: Vec<_> = tree.scan_prefix(key).keys().collect::<Result<_, _>>()?;
            for key in keys {
                tree.remove(key)?;
            }
        }
        Ok(())
    }

    /// Keeps vectors of texts, durable when this returns.
    pub(super) fn keep(&self, vectors: &[([u8; 32], Vec<u8>)]) -> Result<(), Trouble> {
        for (key, row) in vectors {
            if self.sound_vector(key)?.is_none() {
                self.vectors.insert(key, row.as_slice())?;
            }
        }
        self.flush()
    }

    /// The vector under `key`, unless there is none or it is damaged.
    pub(super) fn sound_vector(&self, key: &[u8; 32]) -> Result<Option<Vec<f32>>, Trouble> {
        let row = self.vectors.get(key)?;
        Ok(row.and_then(|row| rows::read_vector(&row)))
    }

    /// The cosine of the full vector under `key` to `question`.
    pub(super) fn cosine(&self, key: &[u8; 32], question: &[f32]) -> Result<f32, Trouble> {
        let row = self.vectors.get(key)?;
        row.and_then(|row| rows::stored_cosine(&row, question))
            .ok_or(Trouble::Inconsistent("a vector is missing"))
    }

    /// The chunk under `key`.
    pub(super) fn chunk(&self, key: ChunkKey) -> Result<ChunkRow, Trouble> {
        let row = self.chunks.get(key.bytes())?;
        let row = row.ok_or(Trouble::Inconsistent("a chunk is missing"))?;
        Ok(postcard::from_bytes(&row)?)
    }

    /// The bytes of the scan row under `key`.
    pub(super) fn scan_row(&self, key: ChunkKey) -> Result<Option<sled::IVec>, Trouble> {
        Ok(self.scan.get(key.bytes())?)
    }

    /// How many chunks it holds of a document, if it holds it.
    pub(super) fn document(&self, number: u32) -> Result<Option<DocumentRow>, Trouble> {
        let row = self.documents.get(number.to_be_bytes())?;
        Ok(row.map(|row| postcard::from_bytes(&row)).transpose()?)
    }

    /// All vectors, sound or not.
    pub(super) fn vectors(
        &self,
    ) -> impl Iterator<Item = Result<(sled::IVec, sled::IVec), Trouble>> {
        self.vectors.iter().map(|row| row.map_err(Trouble::from))
    }

    /// Takes a vector row over from another index.
    pub(super) fn adopt(&self, key: &[u8], row: &[u8]) -> Result<(), Trouble> {
        self.vectors.insert(key, row)?;
        Ok(())
    }

    /// Takes all rows of a document over from another index, its vectors too.
    pub(super) fn adopt_document(&self, from: &Self, number: u32) -> Result<(), Trouble> {
        let key = number.to_be_bytes();
        for row in from.chunks.scan_prefix(key) {
            let (key, row) = row?;
            self.chunks.insert(key, row)?;
        }
        for row in from.scan.scan_prefix(key) {
            let (key, row) = row?;
            let vector = postcard::from_bytes::<ScanRow<'_>>(&row)?.key;
            if let Some(found) = from.vectors.get(vector)? {
                self.adopt(&vector, &found)?;
            }
            self.scan.insert(key, row)?;
        }
        if let Some(row) = from.documents.get(key)? {
            self.documents.insert(key, row)?;
        }
        Ok(())
    }

    pub(super) fn vector_count(&self) -> u64 {
        self.vectors.len() as u64
    }

    /// Reads every page, so that damage shows.
    pub(super) fn check_pages(&self) -> Result<(), Trouble> {
        for tree in [
            &self.documents,
            &self.chunks,
            &self.scan,
            &self.vectors,
            &self.meta,
        ] {
            for row in tree {
                row?;
            }
        }
        Ok(())
    }
}

impl Loaded {
    /// What an index that was just made holds of `catalogue`.
    pub(super) fn of(index: &Index, catalogue: &Catalogue) -> Result<Self, Trouble> {
        load(&index.db, &index.folder, catalogue)?
            .ok_or(Trouble::Inconsistent("a new index has no format"))
    }
}

impl Rows {
    fn add(&mut self, key: ChunkKey, chunk: &Chunk, scan: Vec<u8>) -> Result<(), Trouble> {
        let row = postcard::to_stdvec(&ChunkRow::new(chunk))?;
        if row.len() > rows::LONGEST || scan.len() > rows::LONGEST {
            return Err(Trouble::Oversized);
        }
        self.chunks.push((key.bytes(), row));
        self.scan.push((key.bytes(), scan));
        Ok(())
    }

    /// Adds these chunks to the segments in memory.
    pub(super) fn fill(&self, fillings: &mut Fillings) -> Result<(), Trouble> {
        for (key, row) in &self.scan {
            fillings.push(ChunkKey::read(key)?, &postcard::from_bytes(row)?)?;
        }
        Ok(())
    }
}

fn scan_row(
    chunk: &Chunk,
    indexed: &str,
    (key, vector): ([u8; 32], &[f32]),
) -> Result<Vec<u8>, Trouble> {
    let quantised = Quantised::of(vector);
    let bytes: Vec<u8> = quantised
        .bytes
        .iter()
        .map(|byte| byte.cast_unsigned())
        .collect();
    let mut counts = BTreeMap::<u64, u16>::new();
    let mut length = 0_u32;
    for term in analysis::terms(indexed) {
        let count = counts.entry(rows::short_hash(&term)).or_default();
        *count = count.saturating_add(1);
        length = length.saturating_add(1);
    }
    let terms: Vec<u8> = counts
        .iter()
        .flat_map(|(hash, count)| segment::pack(*hash, *count))
        .collect();
    let row = ScanRow {
        start: u32::try_from(chunk.span.start).map_err(|_| Trouble::Oversized)?,
        end: u32::try_from(chunk.span.end).map_err(|_| Trouble::Oversized)?,
        text: rows::short_hash(&chunk.text),
        length,
        key,
        scale: quantised.scale,
        vector: &bytes,
        terms: &terms,
    };
    Ok(postcard::to_stdvec(&row)?)
}

fn analysis_today() -> [u8; 32] {
    *Digest::of(analysis::terms(SPECIMEN).join("\n").as_bytes()).as_bytes()
}

/// `None` when the index has another format.
fn load(db: &Db, folder: &Path, catalogue: &Catalogue) -> Result<Option<Loaded>, Trouble> {
    let index = Index::of(db, folder)?;
    let format = index.meta.get(FORMAT)?;
    let format: Option<u32> = format
        .map(|bytes| postcard::from_bytes(&bytes))
        .transpose()?;
    if format != Some(rows::FORMAT) {
        return Ok(None);
    }
    let expected = if index.is_analysed_as_today()? {
        expected(&index, catalogue)?
    } else {
        BTreeMap::new()
    };
    let (segments, found) = fill(&index, &expected)?;
    let missing = catalogue
        .numbered()
        .map(|(number, _)| number)
        .filter(|number| match (expected.get(number), found.get(number)) {
            (Some(0), None) => false,
            (Some(expected), Some(found)) => expected != found,
            _ => true,
        })
        .collect();
    Ok(Some(Loaded {
        index,
        segments,
        missing,
    }))
}

/// The documents of `catalogue` that the index says it has, with their numbers of chunks.
fn expected(index: &Index, catalogue: &Catalogue) -> Result<BTreeMap<u32, u32>, Trouble> {
    let mut expected = BTreeMap::new();
    for row in &index.documents {
        let (key, row) = row?;
        let number = rows::document_number(&key)?;
        let row: DocumentRow = postcard::from_bytes(&row)?;
        let Some(holding) = catalogue.get(number) else {
            continue;
        };
        if rows::card_digest(&holding.card)? == row.card {
            expected.insert(number, row.chunks);
        }
    }
    Ok(expected)
}

/// The chunks of the expected documents, and how many each has.
fn fill(
    index: &Index,
    expected: &BTreeMap<u32, u32>,
) -> Result<(Vec<Segment>, BTreeMap<u32, u32>), Trouble> {
    let mut fillings = Fillings::default();
    let mut found = BTreeMap::new();
    for row in &index.scan {
        let (key, row) = row?;
        let key = ChunkKey::read(&key)?;
        if !expected.contains_key(&key.document) {
            continue;
        }
        fillings.push(key, &postcard::from_bytes(&row)?)?;
        *found.entry(key.document).or_insert(0) += 1;
    }
    Ok((fillings.seal(), found))
}

/// The folder in use; where nothing names it, the newest, which is named from here on.
fn in_use(root: &Path, notes: &mut Vec<String>) -> Result<Option<PathBuf>, Trouble> {
    if let Some(named) = current(root, notes)? {
        return Ok(Some(named));
    }
    let newest = newest(root)?;
    if let Some(folder) = &newest {
        put_in_use(root, folder)?;
    }
    Ok(newest)
}

fn put_in_use(root: &Path, folder: &Path) -> Result<(), Trouble> {
    let name = folder.file_name().unwrap_or_default();
    disk::write_durably(&root.join(CURRENT), name.as_encoded_bytes())
}

/// The folder in use, if there is a sound name of it. That there is another is said in `notes`.
fn current(root: &Path, notes: &mut Vec<String>) -> Result<Option<PathBuf>, Trouble> {
    let path = root.join(CURRENT);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == ErrorKind::IsADirectory => {
            fs::remove_dir_all(&path).map_err(Trouble::file("remove", &path))?;
            Vec::new()
        },
        Err(error) => return Err(Trouble::file("read", &path)(error)),
    };
    let name = std::str::from_utf8(&bytes).unwrap_or_default().trim();
    let folder = root.join(name);
    if number(name).is_some() && folder.is_dir() {
        return Ok(Some(folder));
    }
    notes.push(format!(
        "{} was damaged, so the newest index there is was taken; nothing that was added is lost",
        path.display()
    ));
    Ok(None)
}

/// The folder that was made last.
fn newest(root: &Path) -> Result<Option<PathBuf>, Trouble> {
    let mut folders = generations(root)?
        .into_iter()
        .rev()
        .map(|number| root.join(format!("{PREFIX}{number}")));
    Ok(folders.find(|folder| folder.is_dir()))
}

fn number(name: &str) -> Option<u64> {
    name.strip_prefix(PREFIX)?.parse().ok()
}

/// The numbers of the index folders in `root`, in order.
fn generations(root: &Path) -> Result<BTreeSet<u64>, Trouble> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(root).map_err(Trouble::file("list", root))? {
        let entry = entry.map_err(Trouble::file("list", root))?;
        found.extend(entry.file_name().to_str().and_then(number));
    }
    Ok(found)
}

/// Removes index folders that never took over or were not in use any more.
fn sweep(root: &Path, used: &Path) -> Result<(), Trouble> {
    for generation in generations(root)? {
        let folder = root.join(format!("{PREFIX}{generation}"));
        if folder != used {
            fs::remove_dir_all(&folder).map_err(Trouble::file("remove", &folder))?;
        }
    }
    Ok(())
}
