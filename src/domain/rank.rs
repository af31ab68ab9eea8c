//! One order of passages out of two lists: by meaning and by words.
//!
//! Scores of the two cannot be compared, so each list is stretched to 0..1 first. Ranks alone
//! would throw away how far apart the passages are; they are the way out when the scores say
//! nothing.
//!
//! nDCG@10, multilingual-e5-small and BM25 over [`super::analysis::terms`], with the weights of
//! [`dense_weight`]:
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

/// Joins two lists of (passage, score), best first. A passage that a list does not have gets
/// nothing from it; equal sums stand in the order of their keys.
///
/// ```
/// use saseo::domain::rank::fuse;
///
/// let fused = fuse(&[(1, 0.9), (2, 0.8), (3, 0.7)], &[(2, 7.0), (3, 1.0)], 0.5);
/// assert_eq!(fused.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [2, 1, 3]);
/// ```
pub fn fuse<K: Copy + Ord>(
    dense: &[(K, f32)],
    lexical: &[(K, f32)],
    dense_weight: f32,
) -> Vec<(K, f32)> {
    let dense_weight = match (dense.is_empty(), lexical.is_empty()) {
        (_, true) => 1.0,
        (true, false) => 0.0,
        (false, false) => dense_weight.clamp(0.0, 1.0),
    };
    let mut sums: BTreeMap<K, f32> = BTreeMap::new();
    for (list, weight) in [(dense, dense_weight), (lexical, 1.0 - dense_weight)] {
        for (key, score) in stretched(list) {
            *sums.entry(key).or_default() += weight * score;
        }
    }
    let mut fused: Vec<_> = sums.into_iter().collect();
    fused.sort_by(|a, b| b.1.total_cmp(&a.1));
    fused
}

/// What meaning weighs against words for a question in `asked`, when the passages nearest in
/// meaning are in the languages `nearest` (the first ten are enough).
///
/// Words find nothing across languages but names and chance, so there they only break ties.
///
/// ```
/// use saseo::domain::language::Language::{English, Korean};
/// use saseo::domain::rank::dense_weight;
///
/// assert!(dense_weight(Korean, &[English, English]) > dense_weight(Korean, &[Korean, English]));
/// ```
pub fn dense_weight(asked: Language, nearest: &[Language]) -> f32 {
    const WITHIN: f32 = 0.4;
    const ACROSS: f32 = 0.85;
    let count = |languages: usize| u16::try_from(languages).map_or(f32::MAX, f32::from);
    let same = nearest
        .iter()
        .filter(|language| **language == asked)
        .count();
    let share = if nearest.is_empty() {
        1.0
    } else {
        count(same) / count(nearest.len())
    };
    ACROSS + share * (WITHIN - ACROSS)
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
        assert_eq!(fuse(dense, lexical, weight), expected);
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
        let weighs = |nearest: &[Language], expected: f32| {
            assert!((dense_weight(Korean, nearest) - expected).abs() < 0.001);
        };
        weighs(&[Korean, Korean], 0.4);
        weighs(&[English], 0.85);
        weighs(&[English, Korean], 0.625);
        weighs(&[], 0.4);
    }

    proptest! {
        #[test]
        fn every_find_is_ranked_once_between_nought_and_one(
            dense in proptest::collection::btree_map(0_u64..40, -1.0_f32..1.0, 0..20),
            lexical in proptest::collection::btree_map(0_u64..40, 0.0_f32..30.0, 0..20),
            weight in 0.0_f32..1.0,
        ) {
            let lists: [Vec<_>; 2] = [dense, lexical].map(|list| list.into_iter().collect());
            let fused = fuse(&lists[0], &lists[1], weight);
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
