//! Kana and Han.

use super::{Kind, Take};

/// Pairs of characters: these scripts do not show where a word ends.
pub(super) fn ideographic(run: &str, take: &mut Take<'_>) {
    let pairs = pairs(run);
    if pairs.is_empty() {
        take(run.to_owned(), Kind::Content);
    }
    for pair in pairs {
        take(pair.to_owned(), Kind::Content);
    }
}

/// Each two neighbouring characters of `word`.
pub(super) fn pairs(word: &str) -> Vec<&str> {
    let ends: Vec<usize> = word
        .char_indices()
        .map(|(at, _)| at)
        .chain([word.len()])
        .collect();
    ends.windows(3)
        .filter_map(|window| word.get(*window.first()?..*window.last()?))
        .collect()
}
