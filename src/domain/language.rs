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
    /// Hangul decides from this share of the letters on: Korean technical prose is full of
    /// Latin names, English prose has next to no Hangul.
    const HANGUL_SHARE: f64 = 0.15;
    /// Below this share of Latin letters a text is not English either.
    const LATIN_SHARE: f64 = 0.5;

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
        let (mut letters, mut hangul, mut latin) = (0_u32, 0_u32, 0_u32);
        for letter in text.chars().filter(|c| c.is_alphabetic()) {
            letters += 1;
            hangul += u32::from(is_hangul(letter));
            latin += u32::from(letter.is_ascii_alphabetic());
        }
        let share = |count: u32| f64::from(count) / f64::from(letters.max(1));
        if letters == 0 {
            Self::default()
        } else if share(hangul) >= Self::HANGUL_SHARE {
            Self::Korean
        } else if share(latin) >= Self::LATIN_SHARE {
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
