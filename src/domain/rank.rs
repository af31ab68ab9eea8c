//! One order of passages out of two lists: by meaning and by words.
//!
//! Scores of the two cannot be compared, so each list is stretched to 0..1 first. Ranks alone
//! would throw away how far apart the passages are; they are the way out when the scores say
//! nothing.
//!
//! nDCG@10, multilingual-e5-small and BM25 over [`super::analysis::terms`], with the weights of
//! [`Weights`], in libraries of one language, where [`Closeness`] changes no order.
//! The weights were chosen on these sets:
//!
//! | | meaning | words | both |
//! |---|---|---|---|
//! | English, `SQuAD` 2 (1,000 questions) | .876 | .917 | .934 |
//! | English, product docs (100) | .701 | .778 | .807 |
//! | Korean, Kubernetes wiki (26) | .863 | .914 | .912 |
//! | English asked of the Korean wiki (26) | .865 | .688 | .852 |
//! | Korean asked of `SQuAD` (25) | .578 | .557 | .589 |
//! | Korean asked of product docs (26) | .499 | .285 | .498 |
//! | Korean and English sentence pairs (1,000) | .843 | – | .843 |

use std::collections::BTreeMap;

use super::language::Language;
use super::passage::Background;

/// What each list counts for a passage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    pub meaning: f32,
    pub words: f32,
}

impl Weights {
    const WITHIN: Self = Self {
        meaning: 0.4,
        words: 0.6,
    };
    /// Words find nothing across languages but names and chance, so there they only break ties.
    /// The sum is below 1: where two pages say the same, the one in the asker's language wins.
    const ACROSS: Self = Self {
        meaning: 0.65,
        words: 0.1,
    };

    /// Those for a passage in `passage`, when the question is in `asked`.
    pub fn between(asked: Language, passage: Language) -> Self {
        if asked == passage {
            Self::WITHIN
        } else {
            Self::ACROSS
        }
    }
}

/// Joins two lists of (passage, score), best first; `weights` says for a passage what each
/// list counts. A passage that a list does not have gets nothing from it; equal sums stand in
/// the order of their keys.
///
/// ```
/// use saseo::domain::rank::{Weights, fuse};
///
/// let even = |_| Weights { meaning: 0.5, words: 0.5 };
/// let fused = fuse(&[(1, 0.9), (2, 0.8), (3, 0.7)], &[(2, 7.0), (3, 1.0)], &even);
/// assert_eq!(fused.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [2, 1, 3]);
/// ```
pub fn fuse<K: Copy + Ord>(
    dense: &[(K, f32)],
    lexical: &[(K, f32)],
    weights: &dyn Fn(K) -> Weights,
) -> Vec<(K, f32)> {
    // A list that is all there is counts in full.
    let alone = dense.is_empty() || lexical.is_empty();
    let weigh = |key: K| {
        if alone {
            Weights {
                meaning: 1.0,
                words: 1.0,
            }
        } else {
            weights(key)
        }
    };
    let mut sums: BTreeMap<K, f32> = BTreeMap::new();
    for (key, score) in stretched(dense) {
        *sums.entry(key).or_default() += weigh(key).meaning * score;
    }
    for (key, score) in stretched(lexical) {
        *sums.entry(key).or_default() += weigh(key).words * score;
    }
    let mut fused: Vec<_> = sums.into_iter().collect();
    fused.sort_by(|a, b| b.1.total_cmp(&a.1));
    fused
}

/// How close a question is to the library at large, language by language.
///
/// An embedder holds texts of the question's own language for closer, whatever they say. So a
/// passage is judged by how far it stands out among those of its language.
#[derive(Clone, Debug, Default)]
pub struct Closeness {
    sums: BTreeMap<Language, Sum>,
}

/// In whole numbers, so that the order in which passages are noted cannot be seen in a score.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    count: u32,
    total: i64,
    squares: i128,
}

impl Closeness {
    /// A language with few passages has no mean to speak of: it is held to be like all the
    /// others, with the weight of this many passages.
    const PRIOR: f64 = 20.0;
    /// E5's cosines never scatter less than this; a smaller figure is chance.
    const LEAST_SCATTER: f64 = 0.01;

    /// Takes note of a passage's cosine.
    #[expect(clippy::cast_possible_truncation, reason = "a cosine is at most 1")]
    pub fn note(&mut self, language: Language, cosine: f32) {
        let parts = (f64::from(cosine) * Sum::ONE).round() as i64;
        let sum = self.sums.entry(language).or_default();
        sum.count += 1;
        sum.total += parts;
        sum.squares += i128::from(parts) * i128::from(parts);
    }

    /// How far a passage with this cosine stands out, in standard deviations.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a score needs no more digits"
    )]
    pub fn standing(&self, language: Language, cosine: f32) -> f32 {
        let all = self.all();
        let own = self.sums.get(&language).copied().unwrap_or_default();
        let count = f64::from(own.count);
        let mean = (count * own.mean() + Self::PRIOR * all.mean()) / (count + Self::PRIOR);
        ((f64::from(cosine) - mean) / self.scatter(&all)) as f32
    }

    /// The mean cosine of each language.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a score needs no more digits"
    )]
    pub fn backgrounds(&self) -> Vec<Background> {
        let background = |(language, sum): (&Language, &Sum)| Background {
            language: *language,
            cosine: sum.mean() as f32,
            chunks: sum.count as usize,
        };
        self.sums.iter().map(background).collect()
    }

    fn all(&self) -> Sum {
        self.sums.values().fold(Sum::default(), |all, sum| Sum {
            count: all.count + sum.count,
            total: all.total + sum.total,
            squares: all.squares + sum.squares,
        })
    }

    /// The scatter around each language's own mean.
    fn scatter(&self, all: &Sum) -> f64 {
        let within: f64 = self.sums.values().map(Sum::spread).sum();
        (within / f64::from(all.count.max(1)))
            .sqrt()
            .max(Self::LEAST_SCATTER)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the sums of a million cosines have 44 bits"
)]
impl Sum {
    /// What a cosine of 1 counts.
    const ONE: f64 = 16_777_216.0;

    fn mean(&self) -> f64 {
        self.total as f64 / Self::ONE / f64::from(self.count.max(1))
    }

    /// The sum of the squared distances from the mean.
    fn spread(&self) -> f64 {
        let squares = self.squares as f64 / (Self::ONE * Self::ONE);
        (squares - self.mean().powi(2) * f64::from(self.count)).max(0.0)
    }
}

/// The list with its best score at 1 and its worst at 0.
fn stretched<K: Copy>(list: &[(K, f32)]) -> Vec<(K, f32)> {
    let scores = || list.iter().map(|entry| entry.1);
    let best = scores().fold(f32::NEG_INFINITY, f32::max);
    let worst = scores().fold(f32::INFINITY, f32::min);
    let width = best - worst;
    if width.is_finite() && width > f32::EPSILON && scores().all(f32::is_finite) {
        list.iter()
            .map(|&(key, score)| (key, (score - worst) / width))
            .collect()
    } else {
        by_rank(list)
    }
}

/// The list with 1, 1/2, 1/3 … as scores; equal scores share the better rank.
fn by_rank<K: Copy>(list: &[(K, f32)]) -> Vec<(K, f32)> {
    let mut sorted = list.to_vec();
    sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut before: Option<(f32, f32)> = None;
    (1_u16..)
        .zip(sorted)
        .map(|(rank, (key, score))| {
            let given = match before {
                Some((same, given)) if same.total_cmp(&score).is_eq() => given,
                _ => 1.0 / f32::from(rank),
            };
            before = Some((score, given));
            (key, given)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(
        dense: &[(u64, f32)],
        lexical: &[(u64, f32)],
        weight: f32,
        expected: &[(u64, f32)],
    ) {
        assert_eq!(
            fuse(dense, lexical, &|_| Weights {
                meaning: weight,
                words: 1.0 - weight
            }),
            expected
        );
    }

    #[test]
    fn a_passage_on_both_lists_comes_before_one_on_top_of_one() {
        check(
            &[(1, 0.84), (2, 0.82), (3, 0.80)],
            &[(2, 9.0), (4, 1.0)],
            0.5,
            &[(2, 0.75), (1, 0.5), (3, 0.0), (4, 0.0)],
        );
    }

    #[test]
    fn an_empty_list_leaves_the_order_to_the_other() {
        check(&[(7, 0.9), (8, 0.7)], &[], 0.5, &[(7, 1.0), (8, 0.0)]);
        check(&[], &[(7, 3.0), (8, 1.0)], 0.5, &[(7, 1.0), (8, 0.0)]);
        check(&[], &[], 0.5, &[]);
    }

    #[test]
    fn a_single_find_counts_in_full() {
        check(
            &[(1, 0.8), (2, 0.7)],
            &[(2, 4.0)],
            0.25,
            &[(2, 0.75), (1, 0.25)],
        );
    }

    #[test]
    fn scores_that_say_nothing_are_replaced_by_ranks() {
        check(
            &[(1, f32::INFINITY), (2, 1.0), (3, 0.5), (4, 0.5)],
            &[],
            0.5,
            &[(1, 1.0), (2, 0.5), (3, 1.0 / 3.0), (4, 1.0 / 3.0)],
        );
        check(&[(1, 0.5), (2, 0.5)], &[], 0.5, &[(1, 1.0), (2, 1.0)]);
    }

    #[test]
    fn words_weigh_little_across_languages() {
        use Language::{English, Korean};
        let (within, across) = (
            Weights::between(Korean, Korean),
            Weights::between(Korean, English),
        );
        assert!(across.words < within.words && across.meaning > within.meaning);
        assert_eq!(across, Weights::between(English, Korean));
    }

    #[test]
    fn a_passage_stands_out_among_those_of_its_own_language() {
        use Language::{English, Korean};
        let mut closeness = Closeness::default();
        for step in 0_u8..50 {
            let spread = f32::from(step) / 1000.0;
            closeness.note(Korean, 0.80 + spread);
            closeness.note(English, 0.70 + spread);
        }
        let english = closeness.standing(English, 0.80);
        assert!(english > closeness.standing(Korean, 0.84), "{english}");
        assert!(closeness.standing(English, 0.81) > english);
    }

    #[test]
    fn the_order_of_noting_cannot_be_seen() {
        let cosines: Vec<f32> = (0_u8..200).map(|n| (f32::from(n) * 0.37).sin()).collect();
        let noted = |cosines: &mut dyn Iterator<Item = &f32>| {
            let mut closeness = Closeness::default();
            cosines.for_each(|cosine| closeness.note(Language::Korean, *cosine));
            closeness.standing(Language::Korean, 0.5).to_bits()
        };
        assert_eq!(noted(&mut cosines.iter()), noted(&mut cosines.iter().rev()));
    }

    proptest! {
        #[test]
        fn every_find_is_ranked_once_between_nought_and_one(
            dense in proptest::collection::btree_map(0_u64..40, -1.0_f32..1.0, 0..20),
            lexical in proptest::collection::btree_map(0_u64..40, 0.0_f32..30.0, 0..20),
            weight in 0.0_f32..1.0,
        ) {
            let lists: [Vec<_>; 2] = [dense, lexical].map(|list| list.into_iter().collect());
            let fused = fuse(&lists[0], &lists[1], &|_| Weights { meaning: weight, words: 1.0 - weight });
            let mut keys: Vec<_> = lists.concat().iter().map(|entry| entry.0).collect();
            keys.sort_unstable();
            keys.dedup();
            let mut ranked: Vec<_> = fused.iter().map(|entry| entry.0).collect();
            ranked.sort_unstable();
            prop_assert_eq!(ranked, keys);
            prop_assert!(fused.iter().all(|entry| (-0.001..=1.001).contains(&entry.1)));
            prop_assert!(fused.is_sorted_by(|a, b| a.1 >= b.1));
        }
    }
}
