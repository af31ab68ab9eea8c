//! Words of letters and digits: stemmed as English; identifiers, numbers and measures whole and
//! in parts.

use rust_stemmers::Stemmer;
use unicode_normalization::UnicodeNormalization as _;

use super::script::is_accent;
use super::stop_words::{ENGLISH_FILLERS, ENGLISH_STOP_WORDS, has};
use super::{Kind, Take};

/// Longer words are encoded bytes, and nobody asks for them.
const LONGEST_WORD: usize = 64;

pub(super) fn letters(run: &str, stemmer: &Stemmer, take: &mut Take<'_>) {
    let lower = lowered(run);
    let parts: Vec<&str> = run.split(['-', '_', '.', ',']).collect();
    if is_number(&lower) {
        take(lower.replace(',', ""), Kind::Content);
    } else if let [_] = parts.as_slice() {
        simple(run, lower, stemmer, take);
    } else {
        if lower.len() <= LONGEST_WORD {
            let unmarked = version(&lower).map(str::to_owned);
            take(lower, Kind::Content);
            if let Some(number) = unmarked {
                return take(number, Kind::Content);
            }
        }
        for part in parts.into_iter().filter(|part| !part.is_empty()) {
            simple(part, lowered(part), stemmer, take);
        }
    }
}

/// Lower case, accents taken off: whoever asks for "Beyonce" means "Beyoncé".
fn lowered(word: &str) -> String {
    if word.is_ascii() {
        return word.to_ascii_lowercase();
    }
    word.to_lowercase()
        .nfd()
        .filter(|c| !is_accent(*c))
        .nfc()
        .collect()
}

/// Numbers and addresses: their parts tell nothing.
fn is_number(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
        && word
            .bytes()
            .all(|b| b.is_ascii_digit() || b == b'.' || b == b',')
}

/// The number of a version: 1.28 of v1.28.
fn version(word: &str) -> Option<&str> {
    word.strip_prefix('v').filter(|number| is_number(number))
}

/// A word without joints: stemmed, with its humps and its unit.
fn simple(word: &str, lower: String, stemmer: &Stemmer, take: &mut Take<'_>) {
    if let Some(one) = one_of_many(word) {
        take(one.to_ascii_lowercase(), Kind::Content);
        return;
    }
    if lower.is_empty() || lower.len() > LONGEST_WORD {
        return;
    }
    if has(&ENGLISH_STOP_WORDS, &lower) {
        return;
    }
    for hump in humps(word) {
        let hump = hump.to_ascii_lowercase();
        if !has(&ENGLISH_STOP_WORDS, &hump) {
            take(stemmer.stem(&hump).into_owned(), Kind::Piece);
        }
    }
    if let Some((number, unit)) = measure(&lower) {
        take(number.to_owned(), Kind::Content);
        take(unit.to_owned(), Kind::Piece);
    } else if let Some(number) = version(&lower) {
        take(number.to_owned(), Kind::Piece);
    }
    let kind = if has(&ENGLISH_FILLERS, &lower) {
        Kind::Filler
    } else {
        Kind::Content
    };
    if lower.bytes().all(|b| b.is_ascii_lowercase()) {
        take(stemmer.stem(&lower).into_owned(), kind);
    } else {
        take(lower, kind);
    }
}

/// PDF of PDFs: the stemmer takes it for a word without a vowel.
fn one_of_many(word: &str) -> Option<&str> {
    let one = word.strip_suffix('s')?;
    (one.len() > 1 && one.bytes().all(|b| b.is_ascii_uppercase())).then_some(one)
}

/// The parts of `ttlSecondsAfterFinished` and `APIServer`; none for a plain word. Humps of one
/// letter are no words: "iPhone", "MiB".
fn humps(word: &str) -> Vec<&str> {
    let bytes = word.as_bytes();
    if !word.is_ascii() || !bytes.iter().skip(1).any(u8::is_ascii_uppercase) {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut start = 0;
    for (at, window) in bytes.windows(2).enumerate() {
        let after_next = bytes.get(at + 2).is_some_and(u8::is_ascii_lowercase);
        let rises = window.last().is_some_and(u8::is_ascii_uppercase);
        let from_low = window.first().is_some_and(u8::is_ascii_lowercase);
        if rises && (from_low || after_next) {
            found.extend(word.get(start..=at));
            start = at + 1;
        }
    }
    found.extend(word.get(start..));
    if found.len() < 2 || found.iter().any(|hump| hump.len() < 2) {
        return Vec::new();
    }
    found
}

/// The number and the unit of a measure: 1 and "mib" of "1mib". "3d" is none.
fn measure(word: &str) -> Option<(&str, &str)> {
    let unit = word
        .find(|c: char| !c.is_ascii_digit())
        .filter(|at| *at > 0)?;
    let (number, unit) = word.split_at_checked(unit)?;
    unit.bytes()
        .all(|b| b.is_ascii_lowercase())
        .then_some((number, unit))
}
