//! How much of what a question is about stands together in one place.

use super::above;
use crate::domain::analysis::{content_terms, terms};
use crate::domain::passage::{Found, Passage};
use crate::domain::sentence::sentences;

/// What a question is about: its content terms and what they weigh.
pub(super) struct Subject {
    terms: Vec<(String, f32)>,
}

/// Which terms of a subject a text has: one bit each.
type Mask = u64;

impl Subject {
    /// Sentences that are read together: an answer and what leads to it.
    const WINDOW: usize = 3;

    pub(super) fn of(question: &str, found: &Found) -> Self {
        // A term that the index knows nothing of is as rare as any.
        let rarest = found
            .terms
            .iter()
            .map(|known| known.idf)
            .fold(1.0, f32::max);
        let weigh = |term: &String| {
            found
                .terms
                .iter()
                .find(|known| known.term == *term)
                .map_or(rarest, |known| known.idf)
        };
        let terms = content_terms(question)
            .into_iter()
            .take(Mask::BITS as usize)
            .map(|term| {
                let weight = weigh(&term);
                (term, weight)
            })
            .collect();
        Self { terms }
    }

    /// The largest share of the subject that stands together, title and headings included.
    pub(super) fn coverage(&self, passages: &[&Passage]) -> f32 {
        let whole: f32 = self.terms.iter().map(|term| term.1).sum();
        if whole <= 0.0 {
            return 0.0;
        }
        let best = passages
            .iter()
            .flat_map(|passage| self.windows(passage))
            .map(|mask| self.weight(mask))
            .fold(0.0, f32::max);
        best / whole
    }

    /// What each few neighbouring sentences of a passage cover.
    fn windows(&self, passage: &Passage) -> Vec<Mask> {
        let above = self.mask(&above(passage));
        let masks: Vec<Mask> = sentences(&passage.text)
            .into_iter()
            .filter_map(|span| passage.text.get(span.start..span.end))
            .map(|sentence| self.mask(sentence))
            .collect();
        let join = |window: &[Mask]| window.iter().fold(above, |joined, mask| joined | mask);
        if masks.len() < Self::WINDOW {
            return vec![join(&masks)];
        }
        masks.windows(Self::WINDOW).map(join).collect()
    }

    fn mask(&self, text: &str) -> Mask {
        let mut mask = 0;
        for term in terms(text) {
            if let Some(at) = self.terms.iter().position(|own| own.0 == term) {
                mask |= 1 << at;
            }
        }
        mask
    }

    fn weight(&self, mask: Mask) -> f32 {
        let has = |at: usize| mask & (1 << at) != 0;
        self.terms
            .iter()
            .enumerate()
            .filter(|(at, _)| has(*at))
            .map(|(_, term)| term.1)
            .sum()
    }
}
