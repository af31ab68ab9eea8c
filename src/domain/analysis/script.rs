//! Takes a text apart where its script changes: each is cut in its own way.

use crate::domain::language::is_hangul;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Script {
    Hangul,
    /// Written without spaces: kana and Han.
    Ideographic,
    /// Any other letters, and digits.
    Letters,
}

impl Script {
    fn of(c: char) -> Option<Self> {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' => Some(Self::Letters),
            _ if c.is_ascii() => None,
            _ if is_hangul(c) => Some(Self::Hangul),
            '\u{3040}'..='\u{30FF}'
            | '\u{3400}'..='\u{4DBF}'
            | '\u{4E00}'..='\u{9FFF}'
            | '\u{F900}'..='\u{FAFF}'
            | '\u{20000}'..='\u{3FFFF}' => Some(Self::Ideographic),
            _ => is_word_character(c).then_some(Self::Letters),
        }
    }
}

/// Letters, digits, and the accents that are written after their letter.
fn is_word_character(c: char) -> bool {
    c.is_alphanumeric() || is_accent(c)
}

pub(super) fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}')
}

/// A stretch of one script.
pub(super) struct Run<'a> {
    pub(super) text: &'a str,
    pub(super) script: Script,
    /// Whether it is written right after something else: "kubectl로".
    pub(super) joint: bool,
}

pub(super) struct Runs<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Runs<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }
}

impl<'a> Iterator for Runs<'a> {
    type Item = Run<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (skipped, script) = self
            .rest()
            .char_indices()
            .find_map(|(at, c)| Script::of(c).map(|script| (at, script)))?;
        let start = self.at + skipped;
        let joint = self
            .text
            .get(..start)
            .and_then(|before| before.chars().next_back())
            .is_some_and(|c| !c.is_whitespace());
        let text = self
            .text
            .get(start..)
            .map(|rest| run_at_start(rest, script))?;
        self.at = start + text.len();
        Some(Run {
            text,
            script,
            joint,
        })
    }
}

/// The run of `script` that `text` starts with.
fn run_at_start(text: &str, script: Script) -> &str {
    let end = text
        .char_indices()
        .find(|&(at, c)| {
            Script::of(c) != Some(script)
                && !(script == Script::Letters && joins(c, text.get(at + c.len_utf8()..)))
        })
        .map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or(text)
}

/// Whether `c` holds an identifier or a number together, as in `snake_case` and `5,000`.
fn joins(c: char, after: Option<&str>) -> bool {
    let after = after.unwrap_or_default().as_bytes();
    match c {
        '-' | '_' | '.' => after.first().is_some_and(u8::is_ascii_alphanumeric),
        ',' => {
            let digits = after.iter().take_while(|b| b.is_ascii_digit()).count();
            digits == 3
        },
        _ => false,
    }
}
