//! Which language a text is in, as far as the librarian has to know.
//!
//! Korean and English are told apart by their letters alone: it is exact for these two, needs
//! no model, and a short question gives a statistical guesser too little to go by.

use serde::{Deserialize, Serialize};

/// The language of a question, a document or a sentence.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Language {
    #[serde(rename = "ko")]
    Korean,
    #[default]
    #[serde(rename = "en")]
    English,
    /// Anything else; spoken to in English.
    #[serde(rename = "und")]
    Other,
}

impl Language {
    /// Hangul decides if it is in this share of the words: Korean technical prose is full of
    /// Latin names, English prose has next to no Hangul.
    const HANGUL_WORDS: f64 = 0.25;
    /// Below this share of Latin letters a text is not English either.
    const LATIN_LETTERS: f64 = 0.5;

    /// Judges `text` by the scripts of its letters.
    ///
    /// ```
    /// use saseo::domain::language::Language;
    ///
    /// assert_eq!(Language::of("kubectl로 파드를 어떻게 지워?"), Language::Korean);
    /// assert_eq!(Language::of("How do I delete a pod?"), Language::English);
    /// assert_eq!(Language::of("ポッドを削除するには"), Language::Other);
    /// ```
    pub fn of(text: &str) -> Self {
        let words = || {
            text.split_whitespace()
                .filter(|word| word.contains(char::is_alphabetic))
        };
        let letters = || text.chars().filter(|c| c.is_alphabetic());
        let hangul = share(
            words().filter(|word| word.contains(is_hangul)).count(),
            words().count(),
        );
        let latin = share(
            letters().filter(char::is_ascii_alphabetic).count(),
            letters().count(),
        );
        if letters().next().is_none() {
            Self::default()
        } else if hangul >= Self::HANGUL_WORDS {
            Self::Korean
        } else if latin >= Self::LATIN_LETTERS {
            Self::English
        } else {
            Self::Other
        }
    }

    /// The ISO 639 code: `ko`, `en`, `und`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Korean => "ko",
            Self::English => "en",
            Self::Other => "und",
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "no text has 2^52 letters")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// Whether `c` is a Hangul syllable or jamo.
pub fn is_hangul(c: char) -> bool {
    matches!(c, '\u{AC00}'..='\u{D7A3}' | '\u{1100}'..='\u{11FF}' | '\u{3130}'..='\u{318F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Language) {
        assert_eq!(Language::of(text), expected, "{text}");
    }

    #[test]
    fn letters_decide_and_a_few_latin_names_do_not_make_english() {
        check(
            "HPA는 기본으로 몇 초마다 메트릭을 확인해?",
            Language::Korean,
        );
        check("ConfigMap immutable 필드?", Language::Korean);
        check(
            "What does 사서 mean in the name of this project?",
            Language::English,
        );
        check("", Language::English);
        check("42", Language::English);
        check("Как удалить под?", Language::Other);
    }
}
