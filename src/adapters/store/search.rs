//! Finds passages: one scan by meaning, one by words, fused.
//!
//! Collections and revision are looked at inside both scans, and all statistics are taken over
//! what the asker may see: nothing hidden can be felt through a score, and an old revision
//! scores as it did on its day. Ties are broken by where a chunk stands, never by when it was
//! indexed, so that a rebuilt index gives the same passages.

use std::collections::{BTreeMap, BTreeSet};

use super::failure::Trouble;
use super::quantised::Quantised;
use super::rows;
use super::segment::{Scanned, Segment};
use super::snapshot::Snapshot;
use crate::domain::analysis;
use crate::domain::chunk::Span;
use crate::domain::document::Shelfmark;
use crate::domain::embedding::Embedding;
use crate::domain::language::Language;
use crate::domain::passage::{Found, Passage, Scope, Scores, TermWeight};
use crate::domain::rank::{self, Closeness, Weights};
use crate::ports::{Query, Unread};

/// How many the scan in bytes hands on to be scored again from the full vectors.
const RESCORED: usize = 200;
/// How many each list hands on to be fused.
const LISTED: usize = 100;
/// BM25's usual two.
const K1: f64 = 1.2;
const B: f64 = 0.75;

/// Passages for `query` in `snapshot`, within `scope`, best first.
pub(super) fn search(
    snapshot: &Snapshot,
    query: &Query,
    scope: &Scope,
) -> Result<Found, Unread> {
    let revision = snapshot.reading(scope)?;
    let shelf = Shelf {
        snapshot,
        visible: snapshot.catalogue.visible(revision, scope),
    };
    let (dense, closeness) = shelf.by_meaning(&query.embedding)?;
    let (terms, lexical) = shelf.by_words(&query.text);
    let fused = shelf.fused(Language::of(&query.text), &dense, &lexical);
    let passages = fused
        .into_iter()
        .take(query.passages)
        .map(|candidate| shelf.passage(candidate))
        .collect::<Result<_, Trouble>>()?;
    Ok(Found {
        revision,
        passages,
        terms,
        background: closeness.backgrounds(),
    })
}

/// A snapshot as one asker sees it.
struct Shelf<'a> {
    snapshot: &'a Snapshot,
    /// For each document, whether it may be seen.
    visible: Vec<bool>,
}

/// A chunk with a score of one list.
#[derive(Clone, Copy)]
struct Candidate<'a> {
    chunk: &'a Scanned,
    score: f32,
}

/// A chunk that stands out in meaning, with its cosine.
struct Near<'a> {
    candidate: Candidate<'a>,
    cosine: f32,
}

/// A chunk with all its scores.
#[derive(Clone, Copy)]
struct Scored<'a> {
    chunk: &'a Scanned,
    scores: Scores,
}

impl<'a> Shelf<'a> {
    fn sees(&self, chunk: &Scanned) -> bool {
        self.visible
            .get(chunk.key.document as usize)
            .copied()
            .unwrap_or(false)
    }

    /// Where a chunk stands: the last word on order.
    fn place(&self, chunk: &Scanned) -> Option<(&'a Shelfmark, Span)> {
        let holding = self.snapshot.catalogue.get(chunk.key.document)?;
        Some((&holding.card.shelfmark, chunk.span()))
    }

    /// The chunks that stand out in meaning, with their cosines, and how close the question is
    /// to what may be seen at large.
    fn by_meaning(&self, question: &Embedding) -> Result<(Vec<Near<'a>>, Closeness), Trouble> {
        let question = question.as_slice();
        let dimensions = self.snapshot.dimensions();
        if dimensions.is_some_and(|length| length != question.len()) {
            return Err(Trouble::Misfit(
                "the question's embedding has another length",
            ));
        }
        let quantised = Quantised::of(question);
        let mut closeness = Closeness::default();
        for (language, _, cosine) in self.near(&quantised) {
            closeness.note(language, cosine);
        }
        let near = self.best(RESCORED, |best| {
            for (language, chunk, cosine) in self.near(&quantised) {
                best.offer(chunk, closeness.standing(language, cosine));
            }
        });
        Ok((self.rescored(near, question, &closeness)?, closeness))
    }

    /// The best of `near`, judged by their full vectors.
    fn rescored(
        &self,
        near: Vec<Candidate<'a>>,
        question: &[f32],
        closeness: &Closeness,
    ) -> Result<Vec<Near<'a>>, Trouble> {
        let mut cosines = BTreeMap::new();
        let mut standing = Vec::new();
        for Candidate { chunk, score: _ } in near {
            let cosine = self.snapshot.index.cosine(&chunk.vector, question)?;
            cosines.insert(chunk.text, cosine);
            let score = closeness.standing(self.language(chunk), cosine);
            standing.push(Candidate { chunk, score });
        }
        let near = self
            .distinct(standing, LISTED)
            .into_iter()
            .map(|candidate| Near {
                cosine: cosines
                    .get(&candidate.chunk.text)
                    .copied()
                    .unwrap_or_default(),
                candidate,
            });
        Ok(near.collect())
    }

    /// Every chunk that may be seen, with its language and about its cosine.
    fn near(&self, question: &Quantised) -> impl Iterator<Item = (Language, &'a Scanned, f32)> {
        self.snapshot
            .segments
            .iter()
            .flat_map(|segment| segment.scan())
            .filter(|(chunk, _)| self.sees(chunk))
            .map(|(chunk, vector)| {
                (self.language(chunk), chunk, chunk.cosine(question, vector))
            })
    }

    fn language(&self, chunk: &Scanned) -> Language {
        let holding = self.snapshot.catalogue.get(chunk.key.document);
        holding.map_or_else(Language::default, |holding| holding.card.language)
    }

    fn by_words(&self, question: &str) -> (Vec<TermWeight>, Vec<Candidate<'a>>) {
        let statistics = Statistics::of(self);
        let terms = self.weighed(question, &statistics);
        let listed = self.best(LISTED, |best| {
            for segment in &self.snapshot.segments {
                self.offer_worded(segment, (&terms, &statistics), best);
            }
        });
        (terms.into_iter().map(|(_, term)| term).collect(), listed)
    }

    fn offer_worded(
        &self,
        segment: &'a Segment,
        (terms, statistics): (&[(u64, TermWeight)], &Statistics),
        best: &mut Best<'a>,
    ) {
        let chunks = segment.chunks();
        let mut scores = vec![0.0_f32; chunks.len()];
        let postings = terms.iter().flat_map(|(hash, weight)| {
            let idf = weight.idf;
            segment.postings(*hash).map(move |holder| (idf, holder))
        });
        for (idf, (at, count)) in postings {
            let at = at as usize;
            if let (Some(chunk), Some(score)) = (chunks.get(at), scores.get_mut(at)) {
                *score += statistics.part(idf, count, chunk.length);
            }
        }
        for (chunk, score) in chunks.iter().zip(scores) {
            if score > 0.0 && self.sees(chunk) {
                best.offer(chunk, score);
            }
        }
    }

    /// The question's distinct terms in order of appearance, with what they weigh here.
    fn weighed(&self, question: &str, statistics: &Statistics) -> Vec<(u64, TermWeight)> {
        let mut seen = BTreeSet::new();
        analysis::terms(question)
            .into_iter()
            .filter(|term| seen.insert(term.clone()))
            .map(|term| {
                let hash = rows::short_hash(&term);
                let idf = statistics.idf(self.holders(hash));
                (hash, TermWeight { term, idf })
            })
            .collect()
    }

    /// How many visible chunks have the term.
    fn holders(&self, hash: u64) -> u32 {
        let mut holders = 0;
        for segment in &self.snapshot.segments {
            for (at, _) in segment.postings(hash) {
                let chunk = segment.chunks().get(at as usize);
                holders += u32::from(chunk.is_some_and(|chunk| self.sees(chunk)));
            }
        }
        holders
    }

    /// The `keep` best of what `scan` offers, equal texts once.
    fn best(&self, keep: usize, scan: impl Fn(&mut Best<'a>)) -> Vec<Candidate<'a>> {
        let mut width = keep;
        loop {
            let mut best = Best::new(width);
            scan(&mut best);
            let all_seen = !best.pruned;
            let distinct = self.distinct(best.found, keep);
            // A text that stands at a hundred places must not crowd out the others.
            if all_seen || distinct.len() == keep {
                return distinct;
            }
            width = width.saturating_mul(8);
        }
    }

    /// The first `keep` of the candidates in order, equal texts once.
    fn distinct(&self, mut candidates: Vec<Candidate<'a>>, keep: usize) -> Vec<Candidate<'a>> {
        candidates.sort_by(|a, b| {
            b.score
                .total_cmp(&a.score)
                .then_with(|| self.place(a.chunk).cmp(&self.place(b.chunk)))
        });
        let mut seen = BTreeSet::new();
        candidates.retain(|candidate| seen.insert(candidate.chunk.text));
        candidates.truncate(keep);
        candidates
    }

    fn fused(
        &self,
        asked: Language,
        dense: &[Near<'a>],
        lexical: &[Candidate<'a>],
    ) -> Vec<Scored<'a>> {
        let mut known = BTreeMap::<u64, Scored<'a>>::new();
        for Near { candidate, cosine } in dense {
            scored(&mut known, candidate.chunk).dense = Some(*cosine);
        }
        for Candidate { chunk, score } in lexical {
            scored(&mut known, chunk).lexical = Some(*score);
        }
        let standing: Vec<_> = dense.iter().map(|near| near.candidate).collect();
        let weight = |text: u64| {
            let language = known.get(&text).map(|scored| self.language(scored.chunk));
            Weights::between(asked, language.unwrap_or(asked))
        };
        let sums = rank::fuse(&listed(&standing), &listed(lexical), &weight);
        let mut fused: Vec<Scored<'a>> = sums
            .into_iter()
            .filter_map(|(text, fused)| {
                let mut scored = known.get(&text).copied()?;
                scored.scores.fused = fused;
                Some(scored)
            })
            .collect();
        fused.sort_by(|a, b| {
            b.scores
                .fused
                .total_cmp(&a.scores.fused)
                .then_with(|| self.place(a.chunk).cmp(&self.place(b.chunk)))
        });
        fused
    }

    fn passage(&self, Scored { chunk, scores }: Scored<'a>) -> Result<Passage, Trouble> {
        let holding = self.snapshot.catalogue.get(chunk.key.document);
        let holding = holding.ok_or(Trouble::Inconsistent("a chunk has no document"))?;
        let row = self.snapshot.index.chunk(chunk.key)?;
        let card = &holding.card;
        Ok(Passage {
            title: card.title.clone(),
            uri: card.shelfmark.uri.clone(),
            collection: card.shelfmark.collection.clone(),
            language: card.language,
            modified: card.modified,
            span: row.span(),
            heading: row.heading,
            text: row.text,
            document: card.text,
            scores,
        })
    }
}

fn scored<'m, 'a>(
    known: &'m mut BTreeMap<u64, Scored<'a>>,
    chunk: &'a Scanned,
) -> &'m mut Scores {
    let scored = known.entry(chunk.text).or_insert(Scored {
        chunk,
        scores: Scores::default(),
    });
    &mut scored.scores
}

fn listed(candidates: &[Candidate<'_>]) -> Vec<(u64, f32)> {
    candidates
        .iter()
        .map(|candidate| (candidate.chunk.text, candidate.score))
        .collect()
}

/// Collects the best of many without sorting them all. Everything as good as the last that is
/// kept is kept too: which of them comes first is decided later, by place.
struct Best<'a> {
    keep: usize,
    floor: f32,
    /// At this many it is time to prune.
    full: usize,
    found: Vec<Candidate<'a>>,
    pruned: bool,
}

impl<'a> Best<'a> {
    fn new(keep: usize) -> Self {
        Self {
            keep,
            floor: f32::NEG_INFINITY,
            full: keep.saturating_mul(4),
            found: Vec::new(),
            pruned: false,
        }
    }

    fn offer(&mut self, chunk: &'a Scanned, score: f32) {
        if score < self.floor {
            return;
        }
        self.found.push(Candidate { chunk, score });
        if self.found.len() >= self.full {
            self.prune();
        }
    }

    fn prune(&mut self) {
        let at = self.keep.saturating_sub(1);
        let (_, least, _) = self
            .found
            .select_nth_unstable_by(at, |a, b| b.score.total_cmp(&a.score));
        self.floor = least.score;
        let floor = self.floor;
        self.found.retain(|candidate| candidate.score >= floor);
        self.full = self.found.len().saturating_mul(2).max(self.keep * 4);
        self.pruned = true;
    }
}

/// What BM25 has to know of everything that can be seen.
struct Statistics {
    chunks: f64,
    average: f64,
}

impl Statistics {
    fn of(shelf: &Shelf<'_>) -> Self {
        let (mut chunks, mut terms) = (0_u64, 0_u64);
        let segments = shelf.snapshot.segments.iter();
        let all = segments.flat_map(|segment| segment.chunks());
        for chunk in all.filter(|chunk| shelf.sees(chunk)) {
            chunks += 1;
            terms += u64::from(chunk.length);
        }
        Self {
            chunks: wide(chunks),
            average: wide(terms) / wide(chunks.max(1)),
        }
    }

    fn idf(&self, holders: u32) -> f32 {
        let holders = f64::from(holders);
        narrow((1.0 + (self.chunks - holders + 0.5) / (holders + 0.5)).ln())
    }

    /// What a term adds to the score of a chunk in which it stands `count` times.
    fn part(&self, idf: f32, count: u16, length: u32) -> f32 {
        let count = f64::from(count);
        let relative = f64::from(length) / self.average.max(1.0);
        let norm = K1 * (1.0 - B + B * relative);
        narrow(f64::from(idf) * count * (K1 + 1.0) / (count + norm))
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn wide(count: u64) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "scores are single precision"
)]
fn narrow(score: f64) -> f32 {
    score as f32
}
