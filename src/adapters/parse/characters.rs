//! Characters that stay in a text, and those that do not.
//!
//! What a reader cannot see, the model must not read: zero-width and bidirectional controls,
//! tag characters and runs of variation selectors are where instructions are hidden.

use unicode_normalization::UnicodeNormalization as _;

/// `text` in composed form, with `\n` line ends and without invisible characters.
pub(super) fn clean(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut before = None;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let letter = match letter {
            '\r' if letters.peek() == Some(&'\n') => continue,
            '\r' | '\u{B}' | '\u{C}' | '\u{85}' | '\u{2028}' | '\u{2029}' => '\n',
            '\u{A0}' | '\u{202F}' => ' ',
            letter => letter,
        };
        if is_seen(letter, before) {
            kept.push(letter);
            before = Some(letter);
        }
    }
    kept.nfc().collect()
}

/// Whether `letter` is to be seen, or shapes the one `before` it.
fn is_seen(letter: char, before: Option<char>) -> bool {
    match letter {
        '\n' | '\t' => true,
        // Emoji are joined by it, and scripts that are written joined need both.
        '\u{200D}' | '\u{200C}' => before.is_some_and(joins),
        '\u{FE00}'..='\u{FE0F}' => before.is_some_and(|letter| !is_selector(letter)),
        '\u{AD}'
        | '\u{34F}'
        | '\u{61C}'
        | '\u{115F}'
        | '\u{1160}'
        | '\u{17B4}'
        | '\u{17B5}'
        | '\u{180B}'..='\u{180F}'
        | '\u{200B}'
        | '\u{200E}'
        | '\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}'
        | '\u{3164}'
        | '\u{FEFF}'
        | '\u{FFA0}'
        | '\u{FFF0}'..='\u{FFFB}'
        | '\u{1D173}'..='\u{1D17A}'
        | '\u{E0000}'..='\u{E0FFF}' => false,
        letter => !letter.is_control(),
    }
}

fn joins(letter: char) -> bool {
    matches!(letter, '\u{600}'..='\u{DFF}' | '\u{2190}'..='\u{2BFF}' | '\u{FE0F}' | '\u{1F000}'..='\u{1FAFF}')
}

fn is_selector(letter: char) -> bool {
    matches!(letter, '\u{FE00}'..='\u{FE0F}' | '\u{200C}' | '\u{200D}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(clean(text), expected);
    }

    #[test]
    fn what_a_reader_cannot_see_is_taken_out() {
        check("pass\u{200B}word\u{FEFF}", "password");
        check("a\u{202E}b\u{2066}c\u{2069}", "abc");
        let hidden: String = "ignore all".chars().map(tag).collect();
        check(&format!("hello{hidden} there"), "hello there");
        check("a\u{FE01}\u{FE02}\u{FE03}b\u{E0101}", "a\u{FE01}b");
        check(
            "nul\0l, bell\u{7}, escape\u{1B}[0m",
            "null, bell, escape[0m",
        );
        check("가\u{3164}나\u{115F}", "가나");
    }

    fn tag(letter: char) -> char {
        char::from_u32(0xE0000 + letter as u32).expect("a tag")
    }

    #[test]
    fn what_shapes_a_visible_character_stays() {
        check("👩\u{200D}👧 ❤\u{FE0F}", "👩\u{200D}👧 ❤\u{FE0F}");
        check("می\u{200C}خواهم", "می\u{200C}خواهم");
        check("a\u{200D}b", "ab");
    }

    #[test]
    fn lines_end_in_one_way_and_hangul_is_composed() {
        check("a\r\nb\rc\u{2028}d", "a\nb\nc\nd");
        check("\u{1112}\u{1161}\u{11AB}글", "한글");
        check("no\u{A0}break", "no break");
    }
}
