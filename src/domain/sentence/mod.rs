//! Splits a text into sentences, and shows a sentence without its marks.
//!
//! Sentences are what is checked against the passages and what is quoted, so each must stand
//! in the text exactly as its span says. A heading, a table row and a block of code say
//! something only as a whole; everything else ends where its writer ended it.
//!
//! `block` takes a text apart into what ends only as a whole and what is prose; `plain` shows
//! it without its marks.

mod block;
mod plain;

pub use block::is_item;
pub use plain::{cells, plain};

use super::chunk::Span;
use super::language::is_hangul;
use block::{BlockKind, blocks, list_mark};

/// The sentences of a Markdown text, in order. They do not overlap, and only blanks lie
/// between them.
///
/// ```
/// use saseo::domain::sentence::sentences;
///
/// let text = "# Pods\nA pod runs e.g. one container. 파드는 작다. 끝";
/// let found: Vec<_> =
///     sentences(text).iter().filter_map(|span| text.get(span.start..span.end)).collect();
/// assert_eq!(found, ["# Pods", "A pod runs e.g. one container.", "파드는 작다.", "끝"]);
/// ```
pub fn sentences(markdown: &str) -> Vec<Span> {
    let mut found = Vec::new();
    for block in blocks(markdown) {
        match block.kind {
            BlockKind::Whole => found.extend(trimmed(markdown, block.span)),
            BlockKind::Prose => split(markdown, block.span, &mut found),
        }
    }
    found
}

fn split(text: &str, block: Span, found: &mut Vec<Span>) {
    let mut start = block.start;
    let Some(prose) = text.get(block.start..block.end) else {
        return;
    };
    let mut at = first_word(prose);
    while let Some(next) = next_end(prose, at) {
        let end = block.start + next;
        found.extend(trimmed(text, Span { start, end }));
        (start, at) = (end, next);
    }
    found.extend(trimmed(
        text,
        Span {
            start,
            end: block.end,
        },
    ));
}

/// Where the words of a list item begin: the point of its number ends nothing.
fn first_word(prose: &str) -> usize {
    let bare = prose.trim_start();
    prose.len() - bare.len() + list_mark(bare)
}

/// The end of the sentence that goes on at `from`, if one ends before the block does.
fn next_end(prose: &str, from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let rest = prose.get(at..)?;
        let c = rest.chars().next()?;
        if let Some(skipped) = closed_piece(rest) {
            at += skipped;
        } else if TERMINATORS.contains(&c) {
            let end = at + terminator_length(rest);
            if ends(prose.get(from..at)?, prose.get(at..end)?, prose.get(end..)?) {
                return Some(end);
            }
            at = end;
        } else {
            at += c.len_utf8();
        }
    }
}

const TERMINATORS: [char; 7] = ['.', '!', '?', '…', '。', '！', '？'];
const FULL_WIDTH: [char; 3] = ['。', '！', '？'];
const CLOSERS: [char; 16] = [
    '"', '\'', '”', '’', ')', ']', '】', '」', '』', '》', '〉', '）', '*', '_', '~', '`',
];

/// Length of what is read as one at the start of `rest`: inline code, a shortcode.
fn closed_piece(rest: &str) -> Option<usize> {
    if rest.starts_with('`') {
        let ticks = rest.len() - rest.trim_start_matches('`').len();
        let (mark, body) = rest.split_at_checked(ticks)?;
        return body.find(mark).map(|at| ticks + at + ticks);
    }
    let inner = rest.strip_prefix("{{")?;
    inner.find("}}").map(|at| at + 4)
}

/// Length of the terminators at the start of `rest`, with the quotes and brackets they close.
fn terminator_length(rest: &str) -> usize {
    let after = rest.trim_start_matches(TERMINATORS);
    rest.len() - after.trim_start_matches(CLOSERS).len()
}

/// Whether a sentence ends with `end`, which stands after `before` and before `after`.
fn ends(before: &str, end: &str, after: &str) -> bool {
    let Some(next) = after.chars().next() else {
        return true;
    };
    let is_closed = !end.ends_with(TERMINATORS);
    if !next.is_whitespace() {
        return end.contains(FULL_WIDTH) && !is_closed || korean_end(before, end, next);
    }
    let words = after.trim_start();
    if is_closed && goes_on(words) {
        return false;
    }
    let starts_low = words.starts_with(|c: char| c.is_ascii_lowercase());
    match end.trim_end_matches(CLOSERS) {
        "." => !is_abbreviation(last_word(before), words),
        "…" | "..." | ".." => !starts_low,
        _ => true,
    }
}

/// "…한다.그리고": the blank is often forgotten, and no Korean word has a point inside.
fn korean_end(before: &str, end: &str, next: char) -> bool {
    end == "." && is_hangul(next) && before.ends_with(['다', '요', '음', '함', '됨', '임'])
}

/// Whether a sentence goes on after a quote or bracket: `"그렇다." 라고`, `(see it.) and`.
fn goes_on(words: &str) -> bool {
    words.starts_with(|c: char| c.is_ascii_lowercase())
        || [
            "라고",
            "라는",
            "라며",
            "라면",
            "고 ",
            "는 ",
            "이라고",
            "하고",
        ]
        .iter()
        .any(|particle| words.starts_with(particle))
}

fn last_word(before: &str) -> &str {
    before
        .rsplit(|c: char| c.is_whitespace() || "([{\"'“‘/".contains(c))
        .next()
        .unwrap_or_default()
}

/// Whether the point after `word` belongs to the word.
fn is_abbreviation(word: &str, next: &str) -> bool {
    let lower = word.to_lowercase();
    let starts_low = next.starts_with(|c: char| c.is_lowercase());
    let is_initial = word.chars().count() == 1 && word.chars().all(|c| c.is_ascii_uppercase());
    let is_initialism = word.len() >= 3
        && word.split('.').all(|part| part.len() == 1)
        && word.bytes().any(|b| b.is_ascii_uppercase());
    ALWAYS_SHORT.contains(&lower.as_str())
        || (BEFORE_NUMBERS.contains(&lower.as_str())
            && next.starts_with(|c: char| c.is_ascii_digit()))
        || (SOMETIMES_SHORT.contains(&lower.as_str()) && starts_low)
        || (is_initial && next.starts_with(|c: char| c.is_ascii_uppercase()))
        || is_initialism
}

/// A sentence does not end with these.
const ALWAYS_SHORT: [&str; 22] = [
    "e.g", "eg", "i.e", "ie", "vs", "cf", "dr", "mr", "mrs", "ms", "prof", "st", "gen", "col",
    "lt", "rev", "sen", "approx", "resp", "esp", "ca", "viz",
];
/// A number follows.
const BEFORE_NUMBERS: [&str; 14] = [
    "fig", "figs", "eq", "no", "nos", "sec", "ch", "vol", "p", "pp", "art", "ver", "v", "ref",
];
/// A sentence may end with these; it has not when the next word is small.
const SOMETIMES_SHORT: [&str; 20] = [
    "etc", "al", "a.m", "p.m", "inc", "ltd", "co", "corp", "jr", "sr", "max", "min", "jan",
    "feb", "aug", "sept", "oct", "nov", "dec", "dept",
];

/// `span` without the blanks at its ends; nothing when only blanks are in it.
fn trimmed(text: &str, span: Span) -> Option<Span> {
    let piece = text.get(span.start..span.end)?;
    let start = span.end - piece.trim_start().len();
    let end = span.start + piece.trim_end().len();
    (start < end).then_some(Span { start, end })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pieces(text: &str) -> Vec<&str> {
        sentences(text)
            .iter()
            .map(|span| text.get(span.start..span.end).unwrap())
            .collect()
    }

    /// `expected` is the text with a bar where a sentence ends.
    #[track_caller]
    fn check(expected: &str) {
        let text = expected.replace('¦', "");
        let expected: Vec<_> = expected.split('¦').map(str::trim).collect();
        assert_eq!(pieces(&text), expected);
    }

    #[test]
    fn sentences_end_where_their_writer_ended_them() {
        check("A pod is small. ¦It runs! ¦Does it? ¦Yes");
        check("파드는 작다. ¦정말 그런가요? ¦네, 그래요! ¦끝");
        check("ポッドは小さい。¦本当？¦はい");
        check("Wait... what? ¦Well... ¦Then go.");
        check("한다.¦그리고 된다");
    }

    #[test]
    fn a_point_inside_a_word_ends_nothing() {
        check("Use v1.28 with 3.5 GB, e.g. file.yaml, i.e. Mr. Kim vs. Dr. Lee. ¦Next");
        check(
            "See Fig. 3 and No. 5 at 10 a.m. on Monday, etc. and so on. ¦J. R. Smith of the U.S. Army.",
        );
        check("It was 1999. ¦The end came at 5 p.m. ¦Then nothing. ¦Is it no. ¦Yes");
        check("최대 1.5배이며 v1.28부터 된다. ¦`a. b` 와 {{< x text=\"가. 나\" >}} 이다. ¦끝");
    }

    #[test]
    fn closing_marks_belong_to_the_sentence_they_close() {
        check("He said \"Stop.\" ¦Then he left. ¦(It was late.) ¦**Bold.** ¦End");
        check("(See the docs. ¦They help.) ¦Next (so it is.) and on.");
        check("\"그렇다.\" 라고 말했다. ¦(자세한 내용은 문서를 본다.) ¦끝");
    }

    #[test]
    fn headings_rows_and_items_stand_alone() {
        check(
            "# One. Two.\n¦Text goes\non here. ¦And on.\n¦- item one\n¦- item two. ¦More\n¦1. first\n¦2) second",
        );
        check("| a. b | c |\n¦|---|---|\n¦| 1. x | 2 |\n\n¦Title\n¦=====\n¦text");
        check("{{< note >}}\n¦Text\n¦{{< /note >}}\n¦<!-- body -->\n¦More");
    }

    #[test]
    fn code_is_one_piece() {
        check("Run:\n¦```sh\na. b\n\n# c. d\n```\n¦Then. ¦Done");
        check("~~~\n```\na. b\n~~~\n¦x");
        check("```\nnever closed. at all\n\n- x");
    }

    #[test]
    fn blank_text_has_no_sentences() {
        assert!(sentences(" \n\n\t\n").is_empty());
        assert!(sentences("").is_empty());
    }

    proptest! {
        #[test]
        fn every_word_is_in_exactly_one_sentence(
            text in "(\\PC{0,30}|[-a-zA가다요.!?。 \n`|#*>\")]{0,40}|(\n```\n)?){0,4}",
        ) {
            let mut at = 0;
            for span in sentences(&text) {
                let (blank, sentence) = (text.get(at..span.start), text.get(span.start..span.end));
                prop_assert_eq!(blank.map(str::trim), Some(""));
                prop_assert!(sentence.is_some_and(|it| !it.is_empty() && it.trim() == it));
                at = span.end;
            }
            prop_assert_eq!(text.get(at..).map(str::trim), Some(""));
        }
    }
}
