//! A sealed part of the index in memory: arrays that never change again.
//!
//! Snapshots share segments, so that a commit of ten documents does not copy a hundred
//! thousand chunks. Whether a chunk may be seen is its document's matter and is asked from
//! outside: removal touches no segment.

use super::failure::Trouble;
use super::quantised::Quantised;
use super::rows::{ChunkKey, ScanRow};
use crate::domain::chunk::Span;

/// Bytes of a term in [`ScanRow::terms`].
pub(super) const TERM: usize = 10;

/// Chunks in the order they came, with their vectors and their terms turned inside out.
#[derive(Debug, Default)]
pub(super) struct Segment {
    chunks: Vec<Scanned>,
    dimensions: usize,
    matrix: Vec<i8>,
    /// Sorted hashes of the terms, each with the end of its postings.
    terms: Vec<u64>,
    ends: Vec<usize>,
    /// Which chunks have the term, and how often.
    holders: Vec<u32>,
    counts: Vec<u16>,
}

/// What a scan has to know of a chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scanned {
    pub(super) key: ChunkKey,
    start: u32,
    end: u32,
    pub(super) text: u64,
    pub(super) length: u32,
    /// The key of its full vector.
    pub(super) vector: [u8; 32],
    scale: f32,
}

impl Scanned {
    /// About the cosine of `vector`, which is its own, to `question`.
    pub(super) fn cosine(&self, question: &Quantised, vector: &[i8]) -> f32 {
        question.cosine(vector, self.scale)
    }

    pub(super) fn span(&self) -> Span {
        Span {
            start: self.start as usize,
            end: self.end as usize,
        }
    }
}

impl Segment {
    pub(super) fn len(&self) -> usize {
        self.chunks.len()
    }

    /// Length of its vectors; 0 when it has none.
    pub(super) fn dimensions(&self) -> usize {
        self.dimensions
    }

    pub(super) fn chunks(&self) -> &[Scanned] {
        &self.chunks
    }

    /// Every chunk with its vector.
    pub(super) fn scan(&self) -> impl Iterator<Item = (&Scanned, &[i8])> {
        self.chunks
            .iter()
            .zip(self.matrix.chunks_exact(self.dimensions.max(1)))
    }

    /// The chunks that have `term`, and how often, by position.
    pub(super) fn postings(&self, term: u64) -> impl Iterator<Item = (u32, u16)> {
        let range = self
            .terms
            .binary_search(&term)
            .map_or(0..0, |at| self.postings_at(at));
        let holders = self.holders.get(range.clone()).unwrap_or_default();
        let counts = self.counts.get(range).unwrap_or_default();
        holders.iter().copied().zip(counts.iter().copied())
    }

    fn postings_at(&self, at: usize) -> std::ops::Range<usize> {
        let begin = at
            .checked_sub(1)
            .and_then(|before| self.ends.get(before))
            .copied()
            .unwrap_or(0);
        begin..self.ends.get(at).copied().unwrap_or(begin)
    }

    /// One segment with the chunks of both, `self`'s first.
    pub(super) fn joined(&self, later: &Self) -> Self {
        let shift = u32::try_from(self.len()).unwrap_or(u32::MAX);
        let mut joined = Self {
            chunks: [self.chunks.as_slice(), &later.chunks].concat(),
            dimensions: self.dimensions.max(later.dimensions),
            matrix: [self.matrix.as_slice(), &later.matrix].concat(),
            ..Self::default()
        };
        joined
            .holders
            .reserve_exact(self.holders.len() + later.holders.len());
        joined
            .counts
            .reserve_exact(self.counts.len() + later.counts.len());
        let (mut mine, mut theirs) = (0, 0);
        loop {
            let next = match (self.terms.get(mine), later.terms.get(theirs)) {
                (Some(a), Some(b)) => *a.min(b),
                (Some(only), None) | (None, Some(only)) => *only,
                (None, None) => break,
            };
            if self.terms.get(mine) == Some(&next) {
                joined.take(self, mine, 0);
                mine += 1;
            }
            if later.terms.get(theirs) == Some(&next) {
                joined.take(later, theirs, shift);
                theirs += 1;
            }
            joined.terms.push(next);
            joined.ends.push(joined.holders.len());
        }
        joined
    }

    fn take(&mut self, from: &Self, at: usize, shift: u32) {
        let range = from.postings_at(at);
        let holders = from.holders.get(range.clone()).unwrap_or_default();
        self.holders
            .extend(holders.iter().map(|holder| holder + shift));
        self.counts
            .extend_from_slice(from.counts.get(range).unwrap_or_default());
    }
}

/// A segment being filled.
#[derive(Debug, Default)]
struct Filling {
    segment: Segment,
    terms: Vec<(u64, u32, u16)>,
}

impl Filling {
    /// Adds a chunk; all of a segment's vectors have one length.
    fn push(&mut self, key: ChunkKey, row: &ScanRow<'_>) -> Result<(), Trouble> {
        let segment = &mut self.segment;
        if segment.chunks.is_empty() {
            segment.dimensions = row.vector.len();
        } else if segment.dimensions != row.vector.len() {
            return Err(Trouble::Inconsistent("its vectors differ in length"));
        }
        let at = u32::try_from(segment.chunks.len())
            .map_err(|_| Trouble::Inconsistent("it has more chunks than can be counted"))?;
        segment.chunks.push(Scanned {
            key,
            start: row.start,
            end: row.end,
            text: row.text,
            length: row.length,
            vector: row.key,
            scale: row.scale,
        });
        segment
            .matrix
            .extend(row.vector.iter().map(|byte| byte.cast_signed()));
        let terms = row.terms.as_chunks::<TERM>().0;
        self.terms.extend(terms.iter().map(|term| {
            let (hash, count) = unpack(term);
            (hash, at, count)
        }));
        Ok(())
    }

    fn seal(mut self) -> Segment {
        self.terms.sort_unstable();
        let mut segment = self.segment;
        segment.matrix.shrink_to_fit();
        segment.chunks.shrink_to_fit();
        segment.holders.reserve_exact(self.terms.len());
        segment.counts.reserve_exact(self.terms.len());
        for (hash, holder, count) in self.terms {
            if segment.terms.last() != Some(&hash) {
                segment.terms.push(hash);
                segment.ends.push(segment.holders.len());
            }
            segment.holders.push(holder);
            segment.counts.push(count);
            if let Some(end) = segment.ends.last_mut() {
                *end = segment.holders.len();
            }
        }
        segment
    }
}

/// Segments being filled one after another: what is sorted when one is sealed takes several
/// times the room of what comes out.
#[derive(Debug, Default)]
pub(super) struct Fillings {
    sealed: Vec<Segment>,
    filling: Filling,
}

impl Fillings {
    /// Chunks of a segment.
    const BLOCK: usize = 16_384;

    /// Adds a chunk.
    pub(super) fn push(&mut self, key: ChunkKey, row: &ScanRow<'_>) -> Result<(), Trouble> {
        self.filling.push(key, row)?;
        if self.filling.segment.len() == Self::BLOCK {
            self.sealed.push(std::mem::take(&mut self.filling).seal());
        }
        Ok(())
    }

    /// The segments; the last one may be empty.
    pub(super) fn seal(mut self) -> Vec<Segment> {
        self.sealed.push(self.filling.seal());
        self.sealed
    }
}

/// A term and its count as [`ScanRow::terms`] holds them.
pub(super) fn pack(hash: u64, count: u16) -> impl Iterator<Item = u8> {
    hash.to_le_bytes().into_iter().chain(count.to_le_bytes())
}

fn unpack(term: &[u8; TERM]) -> (u64, u16) {
    let hash = term
        .first_chunk()
        .map_or(0, |eight| u64::from_le_bytes(*eight));
    let count = term.last_chunk().map_or(0, |two| u16::from_le_bytes(*two));
    (hash, count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::embedding::Embedding;

    fn filled(first: u32, terms: &[&[(u64, u16)]]) -> Segment {
        let mut filling = Filling::default();
        for (document, terms) in (first..).zip(terms) {
            let packed: Vec<u8> = terms.iter().flat_map(|(hash, n)| pack(*hash, *n)).collect();
            let row = ScanRow {
                start: 0,
                end: 1,
                text: u64::from(document),
                length: 1,
                key: [0; 32],
                scale: 1.0,
                vector: &[u8::try_from(document).unwrap(); 3],
                terms: &packed,
            };
            let key = ChunkKey {
                document,
                ordinal: 0,
            };
            filling.push(key, &row).unwrap();
        }
        filling.seal()
    }

    fn postings(segment: &Segment, term: u64) -> Vec<(u32, u16)> {
        segment.postings(term).collect()
    }

    #[test]
    fn every_term_knows_its_chunks() {
        let segment = filled(0, &[&[(5, 1), (9, 2)], &[], &[(5, 7)]]);
        assert_eq!(postings(&segment, 5), [(0, 1), (2, 7)]);
        assert_eq!(postings(&segment, 9), [(0, 2)]);
        assert_eq!(postings(&segment, 6), []);
    }

    #[test]
    fn joined_segments_say_what_one_filled_at_once_says() {
        let parts: [&[(u64, u16)]; 4] =
            [&[(5, 1), (9, 2)], &[(1, 1)], &[(5, 7), (2, 3)], &[(9, 1)]];
        let whole = filled(0, &parts);
        let joined = filled(0, &parts[..2]).joined(&filled(2, &parts[2..]));
        assert_eq!(joined.matrix, whole.matrix);
        assert_eq!(joined.terms, whole.terms);
        for term in 0..10 {
            assert_eq!(
                postings(&joined, term),
                postings(&whole, term),
                "term {term}"
            );
        }
    }

    /// The nearest `count` of `scores`, best first.
    fn nearest(mut scores: Vec<(f32, usize)>, count: usize) -> Vec<usize> {
        scores.sort_by(|a, b| b.0.total_cmp(&a.0));
        scores.into_iter().map(|(_, at)| at).take(count).collect()
    }

    fn random_vectors(count: usize, dimensions: usize) -> Vec<Vec<f32>> {
        let mut state = 1_u64;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            f32::from(u16::try_from(state >> 48).unwrap()) / 32_768.0 - 1.0
        };
        let mut vector = || (0..dimensions).map(|_| next() + next() + next()).collect();
        let vectors = (0..count).map(|_| vector());
        vectors
            .map(|vector| Embedding::normalised(vector).as_slice().to_vec())
            .collect()
    }

    fn cosine(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(x, y)| x * y).sum()
    }

    /// Random directions are the hardest: the nearest are hardly nearer than the next.
    fn check_recall(count: usize) {
        let vectors = random_vectors(count + 20, 384);
        let (questions, vectors) = vectors.split_at(20);
        let mut filling = Filling::default();
        for vector in vectors {
            let quantised = Quantised::of(vector);
            let bytes: Vec<u8> = quantised.bytes.iter().map(|b| b.cast_unsigned()).collect();
            let row = ScanRow {
                start: 0,
                end: 0,
                text: 0,
                length: 0,
                key: [0; 32],
                scale: quantised.scale,
                vector: &bytes,
                terms: &[],
            };
            let (document, ordinal) = (0, 0);
            filling.push(ChunkKey { document, ordinal }, &row).unwrap();
        }
        let segment = filling.seal();
        let mut kept = 0;
        for question in questions {
            let exact = vectors.iter().map(|vector| cosine(vector, question));
            let exact = nearest(exact.zip(0..).collect(), 10);
            let quantised = Quantised::of(question);
            let about = segment
                .scan()
                .map(|(chunk, row)| chunk.cosine(&quantised, row));
            let about = nearest(about.zip(0..).collect(), 200);
            let again = about
                .iter()
                .map(|at| (cosine(&vectors[*at], question), *at));
            let found = nearest(again.collect(), 10);
            kept += exact.iter().filter(|at| found.contains(at)).count();
        }
        assert!(kept >= 198, "{kept} of 200");
    }

    #[test]
    fn bytes_and_a_second_look_find_the_ten_nearest_of_thousands() {
        check_recall(2_000);
    }

    #[test]
    #[cfg_attr(debug_assertions, ignore = "minutes when it is not optimised")]
    fn bytes_and_a_second_look_find_the_ten_nearest_of_a_hundred_thousand() {
        check_recall(100_000);
    }

    #[test]
    fn vectors_of_two_lengths_are_refused() {
        let mut filling = Filling::default();
        let key = ChunkKey {
            document: 0,
            ordinal: 0,
        };
        let row = |vector| ScanRow {
            start: 0,
            end: 1,
            text: 0,
            length: 0,
            key: [0; 32],
            scale: 1.0,
            vector,
            terms: &[],
        };
        filling.push(key, &row(&[1, 2])).unwrap();
        assert!(filling.push(key, &row(&[1, 2, 3])).is_err());
    }
}
