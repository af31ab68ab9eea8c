//! What lies in sled: types of their own, which may only grow.
//!
//! A document is named by its number: how many documents the register had put on the shelves
//! before it. The number follows from the register alone, so that every rebuild gives the same.

use serde::{Deserialize, Serialize};

use super::failure::Trouble;
use crate::domain::chunk::{Chunk, Span};
use crate::domain::document::{Card, Digest};
use crate::domain::embedding::{Embedding, Fingerprint};

/// Raised when old rows can no longer be read; an index of another format is made anew.
pub(super) const FORMAT: u32 = 1;
/// sled takes more, but not gladly.
pub(super) const LONGEST: usize = 1_000_000;

/// Which chunk of which document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ChunkKey {
    pub(super) document: u32,
    pub(super) ordinal: u32,
}

impl ChunkKey {
    /// Big-endian, so that sled's order is reading order.
    pub(super) fn bytes(self) -> [u8; 8] {
        let number = u64::from(self.document) << 32 | u64::from(self.ordinal);
        number.to_be_bytes()
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, Trouble> {
        let number = bytes
            .try_into()
            .map(u64::from_be_bytes)
            .map_err(|_| Trouble::Inconsistent("a chunk's key has another length"))?;
        Ok(Self {
            document: half(number >> 32),
            ordinal: half(number & u64::from(u32::MAX)),
        })
    }
}

fn half(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

pub(super) fn document_number(bytes: &[u8]) -> Result<u32, Trouble> {
    bytes
        .try_into()
        .map(u32::from_be_bytes)
        .map_err(|_| Trouble::Inconsistent("a document's key has another length"))
}

/// Says that a document's chunks are all there.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DocumentRow {
    /// The digest of its card: the rows of a commit that failed are not those of the next.
    pub(super) card: [u8; 32],
    pub(super) chunks: u32,
}

/// The digest by which a row says whose it is: of the card as the register writes it.
pub(super) fn card_digest(card: &Card) -> Result<[u8; 32], Trouble> {
    let written = serde_json::to_vec(card)
        .map_err(|_| Trouble::Inconsistent("a card cannot be written down"))?;
    Ok(*Digest::of(&written).as_bytes())
}

/// A chunk, for showing it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ChunkRow {
    pub(super) heading: Vec<String>,
    pub(super) text: String,
    start: u64,
    end: u64,
}

impl ChunkRow {
    pub(super) fn new(chunk: &Chunk) -> Self {
        let Chunk {
            heading,
            text,
            span,
        } = chunk;
        Self {
            heading: heading.clone(),
            text: text.clone(),
            start: span.start as u64,
            end: span.end as u64,
        }
    }

    pub(super) fn span(&self) -> Span {
        Span {
            start: usize::try_from(self.start).unwrap_or(usize::MAX),
            end: usize::try_from(self.end).unwrap_or(usize::MAX),
        }
    }
}

/// A chunk, for scanning: what the index in memory is made of, and nothing else.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ScanRow<'a> {
    pub(super) start: u32,
    pub(super) end: u32,
    /// The beginning of the digest of the text: equal texts are one passage.
    pub(super) text: u64,
    /// How many terms it has, repetitions counted.
    pub(super) length: u32,
    /// The key of its full vector.
    pub(super) key: [u8; 32],
    pub(super) scale: f32,
    /// One signed byte per dimension.
    pub(super) vector: &'a [u8],
    /// Ten bytes per distinct term: its hash and how often it stands there.
    pub(super) terms: &'a [u8],
}

/// The last line of the register that the index has seen.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HeadRow {
    pub(super) revision: u64,
    pub(super) digest: [u8; 32],
}

/// The key of the vector that the embedder of `fingerprint` makes of `text`.
pub(super) fn vector_key(fingerprint: &Fingerprint, text: &str) -> [u8; 32] {
    let parts = [fingerprint.0.as_bytes(), &[0], text.as_bytes()].concat();
    *Digest::of(&parts).as_bytes()
}

const CHECK: usize = 8;

/// A vector as stored: the beginning of the digest of what follows, then 32-bit floats.
pub(super) fn vector_row(embedding: &Embedding) -> Vec<u8> {
    let floats: Vec<u8> = embedding
        .as_slice()
        .iter()
        .flat_map(|x| x.to_le_bytes())
        .collect();
    let digest = Digest::of(&floats);
    let mut row: Vec<u8> = digest.as_bytes().iter().copied().take(CHECK).collect();
    row.extend(floats);
    row
}

/// The vector of a row, unless the row is damaged.
pub(super) fn read_vector(row: &[u8]) -> Option<Vec<f32>> {
    let (check, floats) = row.split_at_checked(CHECK)?;
    let sound = Digest::of(floats).as_bytes().starts_with(check) && floats.len() % 4 == 0;
    if !sound {
        return None;
    }
    Some(floats_of(floats).collect())
}

/// The cosine of a stored vector to `question`; damage is for `verify` to find, a search does
/// not digest two hundred vectors.
pub(super) fn stored_cosine(row: &[u8], question: &[f32]) -> Option<f32> {
    let (_, floats) = row.split_at_checked(CHECK)?;
    if floats.len() != question.len() * 4 {
        return None;
    }
    Some(floats_of(floats).zip(question).map(|(a, b)| a * b).sum())
}

fn floats_of(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|four| f32::from_le_bytes(*four))
}

/// A number for a text or a term: the same on every machine and in every version.
pub(super) fn short_hash(text: &str) -> u64 {
    let digest = Digest::of(text.as_bytes());
    digest
        .as_bytes()
        .iter()
        .take(8)
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_chunks_are_read() {
        let key = |document, ordinal| ChunkKey { document, ordinal };
        let keys = [
            key(0, 0),
            key(0, 255),
            key(0, 256),
            key(1, 0),
            key(70_000, 3),
        ];
        assert!(keys.map(ChunkKey::bytes).is_sorted());
        for key in keys {
            assert_eq!(ChunkKey::read(&key.bytes()).unwrap(), key);
        }
    }

    #[test]
    fn a_vector_comes_back_and_a_damaged_one_does_not() {
        let embedding = Embedding::normalised(vec![3.0, -4.0]);
        let mut row = vector_row(&embedding);
        assert_eq!(read_vector(&row).unwrap(), embedding.as_slice());
        row[9] ^= 1;
        assert_eq!(read_vector(&row), None);
        assert_eq!(read_vector(&row[..5]), None);
    }

    #[test]
    fn rows_come_back_as_they_went() {
        let row = ScanRow {
            start: 3,
            end: 9,
            text: short_hash("연차"),
            length: 12,
            key: [9; 32],
            scale: 0.5,
            vector: &[1, 255],
            terms: &[7; 10],
        };
        let bytes = postcard::to_stdvec(&row).unwrap();
        assert_eq!(postcard::from_bytes::<ScanRow<'_>>(&bytes).unwrap(), row);
    }
}
