//! What each sign adds to the confidence.
//!
//! The weights are logistic fits, rounded, made with multilingual-e5-small on chunks of
//! about 200 tokens. What was declined on the sets that they were made on, at a floor of 0.3,
//! together with rare names (`name`) and what kind of answer is expected
//! ([`crate::domain::expectation`]):
//!
//! | library | answerable / from elsewhere | wrongly declined | rightly declined |
//! |---|---|---|---|
//! | English, product docs | 100 / 80 | .11 | .88 |
//! | English, `SQuAD` 2 | 60 / 80 | .10 | .99 |
//! | Korean, Kubernetes wiki | 26 / 80 | .00 | .89 |
//! | English pages, Korean questions (Kubernetes titles) | 60 / 40 | .15 | .93 |
//! | saseo's manual, questions worded unlike its pages | 40 / 80 | .30 | .96 |
//!
//! What it can hardly do is tell near misses: of sixty unanswerable questions of `SQuAD`, written
//! to resemble answerable ones, it declines .30; of forty to the manual .80.

use super::Signs;

/// What a line adds was measured with cosines that lie close together and high. Where texts of
/// a library stand further apart than this, the embedder is another, and passages alone decide.
pub(super) const BAND_OF_E5: f32 = 0.65;

/// What each sign adds to the log-odds.
pub(super) struct Weights {
    start: f32,
    outstanding: f32,
    coverage: f32,
    missing: f32,
    relevance: f32,
}

impl Weights {
    pub(super) const WITHIN: Self = Self {
        start: -6.4,
        outstanding: 15.5,
        coverage: 4.2,
        missing: -2.2,
        relevance: 0.0,
    };
    /// Across languages words are seldom found, so that their absence says little; a name is
    /// the same word in both.
    pub(super) const ACROSS: Self = Self {
        start: -9.0,
        outstanding: 31.0,
        coverage: 2.0,
        missing: -3.5,
        relevance: 0.0,
    };
    pub(super) const READ_WITHIN: Self = Self {
        start: -9.8,
        outstanding: 5.8,
        coverage: 1.1,
        missing: 0.0,
        relevance: 11.5,
    };
    pub(super) const READ_ACROSS: Self = Self {
        start: -12.7,
        outstanding: 19.0,
        coverage: 9.0,
        missing: -2.4,
        relevance: 12.0,
    };
    /// Where there are no cosines.
    pub(super) const WORDS_ALONE: Self = Self {
        start: -3.7,
        outstanding: 0.0,
        coverage: 9.0,
        missing: -1.6,
        relevance: 0.0,
    };

    pub(super) fn weigh(&self, signs: &Signs, relevance: f32) -> f32 {
        let odds = self.start
            + self.outstanding * signs.outstanding.unwrap_or_default()
            + self.coverage * signs.coverage
            + self.missing * signs.missing
            + self.relevance * relevance;
        1.0 / (1.0 + (-odds).exp())
    }
}
