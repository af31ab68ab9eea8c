//! Splits a text into sentences, and shows a sentence without its marks.
//!
//! Sentences are what is checked against the passages and what is quoted, so each must stand
//! in the text exactly as its span says. A heading, a table row and a block of code say
//! something only as a whole; everything else ends where its writer ended it.

use super::chunk::Span;
use super::language::is_hangul;

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

// ---- Blocks ----

#[derive(Clone, Copy, PartialEq, Eq)]
enum BlockKind {
    /// Never split.
    Whole,
    Prose,
}

struct Block {
    span: Span,
    kind: BlockKind,
}

/// What a line does to the blocks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Blank,
    /// Opens or closes a block of code.
    Fence(char),
    /// Stands alone: heading, table row, rule, shortcode, comment.
    Alone,
    /// Begins a new piece of prose: list item.
    Item,
    Prose,
}

fn blocks(markdown: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut fence = None;
    let mut open = false; // Whether the next line of prose goes on with the last block.
    let mut at = 0;
    for line in markdown.split_inclusive('\n') {
        let span = Span {
            start: at,
            end: at + line.len(),
        };
        at = span.end;
        let what = line_kind(line, fence);
        let in_code = fence.is_some();
        let kind = match what {
            Line::Prose | Line::Item if !in_code => BlockKind::Prose,
            Line::Prose | Line::Item | Line::Blank | Line::Fence(_) | Line::Alone => {
                BlockKind::Whole
            },
        };
        match found.last_mut() {
            Some(last) if in_code || (open && what == Line::Prose) => last.span.end = span.end,
            _ if what == Line::Blank => {},
            _ => found.push(Block { span, kind }),
        }
        if let Line::Fence(mark) = what {
            fence = if in_code { None } else { Some(mark) };
        }
        open = matches!(what, Line::Prose | Line::Item);
    }
    found
}

/// In a block of code, only the fence that ends it counts.
fn line_kind(line: &str, fence: Option<char>) -> Line {
    let bare = line.trim();
    for mark in ['`', '~'] {
        if bare.chars().take_while(|c| *c == mark).count() >= 3 {
            let closes = bare.chars().all(|c| c == mark);
            match fence {
                None if mark == '~' || !bare.trim_start_matches('`').contains('`') => {
                    return Line::Fence(mark);
                },
                Some(open) if open == mark && closes => return Line::Fence(mark),
                None | Some(_) => {},
            }
        }
    }
    if fence.is_some() {
        Line::Prose
    } else if bare.is_empty() {
        Line::Blank
    } else if stands_alone(bare) {
        Line::Alone
    } else if list_mark(bare) > 0 {
        Line::Item
    } else {
        Line::Prose
    }
}

fn stands_alone(bare: &str) -> bool {
    let heading = bare.trim_start_matches('#');
    let is_heading = heading.len() < bare.len() && heading.starts_with([' ', '\t']);
    let is_rule = bare.len() >= 3
        && ["-", "=", "*", "_"]
            .iter()
            .any(|mark| bare.replace(*mark, "").trim().is_empty());
    let is_shortcode = is_wrapped(bare, "{{", "}}") || is_wrapped(bare, "<!--", "-->");
    is_heading || is_rule || is_shortcode || bare.starts_with('|')
}

/// Whether `bare` is one piece between `open` and `close`.
fn is_wrapped(bare: &str, open: &str, close: &str) -> bool {
    bare.strip_prefix(open)
        .and_then(|inner| inner.strip_suffix(close))
        .is_some_and(|inner| !inner.contains(close))
}

/// Whether a sentence begins an item of a list.
pub fn is_item(raw: &str) -> bool {
    list_mark(raw) > 0
}

/// Length of the list mark that `bare` starts with: "- ", "12. ".
fn list_mark(bare: &str) -> usize {
    let digits = bare.bytes().take_while(u8::is_ascii_digit).count();
    let marks: &[char] = if digits == 0 {
        &['-', '*', '+', '•']
    } else {
        &['.', ')']
    };
    let Some(rest) = bare.get(digits..).filter(|_| digits <= 3) else {
        return 0;
    };
    match rest.strip_prefix(marks) {
        Some(body) if body.starts_with([' ', '\t']) => bare.len() - body.len() + 1,
        _ => 0,
    }
}

// ---- Sentences within prose ----

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

// ---- Plain text ----

/// `markdown` as a person reads it: links as their text, code as it stands, no marks.
/// Empty when it holds nothing to read.
///
/// ```
/// use saseo::domain::sentence::plain;
///
/// let text = "- **Pods** are [small](https://k8s.io), see `kubectl get *`.";
/// assert_eq!(plain(text), "Pods are small, see kubectl get *.");
/// ```
pub fn plain(markdown: &str) -> String {
    let mut shown: Vec<String> = Vec::new();
    for block in blocks(markdown) {
        let Some(text) = markdown.get(block.span.start..block.span.end) else {
            continue;
        };
        let shown_block = match line_kind(text.lines().next().unwrap_or_default(), None) {
            Line::Fence(_) => code(text),
            Line::Blank | Line::Alone | Line::Item | Line::Prose => prose(text),
        };
        if !shown_block.is_empty() {
            shown.push(shown_block);
        }
    }
    shown.join("\n")
}

/// The cells of a table's row as a person reads them, empty ones too.
pub fn cells(row: &str) -> Vec<String> {
    let row = row.trim();
    let row = row.strip_prefix('|').unwrap_or(row);
    let mut cells = vec![String::new()];
    let mut rest = row.chars().peekable();
    while let Some(c) = rest.next() {
        if c == '|' {
            // The last pipe opens nothing.
            if rest.peek().is_some() {
                cells.push(String::new());
            }
        } else if let Some(cell) = cells.last_mut() {
            let escaped = if c == '\\' {
                rest.next_if_eq(&'|')
            } else {
                None
            };
            cell.push(escaped.unwrap_or(c));
        }
    }
    let shown = |cell: &String| {
        let mut shown = String::new();
        inline(cell, &mut shown);
        shown.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    cells.iter().map(shown).collect()
}

/// The lines between the fences.
fn code(block: &str) -> String {
    let mut lines: Vec<&str> = block.trim_end().lines().skip(1).collect();
    if lines
        .last()
        .is_some_and(|line| matches!(line_kind(line, None), Line::Fence(_)))
    {
        lines.pop();
    }
    lines.join("\n").trim().to_owned()
}

fn prose(block: &str) -> String {
    let mut lines = Vec::new();
    for line in block.lines() {
        let bare = without_line_marks(line.trim());
        if !bare.is_empty() {
            lines.push(bare.to_owned());
        }
    }
    let mut shown = String::new();
    inline(&lines.join(" "), &mut shown);
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Takes off what only says which kind of line it is.
fn without_line_marks(line: &str) -> &str {
    let is_rule = !line.is_empty() && line.chars().all(|c| "|-:=*_ +".contains(c));
    if is_rule && line.len() >= 3 {
        return "";
    }
    let mut bare = line;
    while let Some(quoted) = bare.strip_prefix('>') {
        bare = quoted.trim_start();
    }
    let heading = bare.trim_start_matches('#');
    if heading.starts_with([' ', '\t']) {
        bare = heading.trim().trim_end_matches('#').trim_end();
        // An anchor: "## Usage {#usage}".
        bare = bare
            .rsplit_once("{#")
            .map_or(bare, |(title, _)| title.trim_end());
    }
    bare = bare.get(list_mark(bare)..).unwrap_or(bare).trim_start();
    for task in ["[ ] ", "[x] ", "[X] "] {
        bare = bare.strip_prefix(task).unwrap_or(bare);
    }
    bare.strip_prefix('|')
        .map_or(bare, |row| row.strip_suffix('|').unwrap_or(row).trim())
}

/// Writes `text` without inline marks.
fn inline(text: &str, shown: &mut String) {
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let before = shown.chars().next_back();
        let taken = match c {
            '`' => tick(rest, shown),
            '{' => shortcode(rest, shown),
            '<' => tag(rest, shown),
            '[' | '!' => link(rest, shown),
            '*' | '_' | '~' => emphasis(rest, before, shown),
            '&' => entity(rest, shown),
            '\\' => escape(rest, shown),
            _ => None,
        };
        let length = taken.unwrap_or_else(|| {
            shown.push(c);
            c.len_utf8()
        });
        rest = rest.get(length..).unwrap_or_default();
    }
}

/// Inline code: shown as it stands. A tick without its fellow is not shown.
fn tick(rest: &str, shown: &mut String) -> Option<usize> {
    let ticks = rest.len() - rest.trim_start_matches('`').len();
    let (mark, body) = rest.split_at_checked(ticks)?;
    let Some((code, _)) = body.split_once(mark) else {
        return Some(ticks);
    };
    shown.push_str(code);
    Some(ticks + code.len() + ticks)
}

/// A Hugo shortcode: shown is the text it was given, if any.
fn shortcode(rest: &str, shown: &mut String) -> Option<usize> {
    let inner = rest
        .strip_prefix("{{<")
        .or_else(|| rest.strip_prefix("{{%"))?;
    let (inside, _) = inner.split_once("}}")?;
    let given = inside
        .split_once("text=\"")
        .or_else(|| inside.split_once("title=\""))
        .and_then(|(_, given)| given.split_once('"'));
    if let Some((given, _)) = given {
        shown.push_str(given);
    }
    Some(inside.len() + 5)
}

const TAGS: [&str; 36] = [
    "a",
    "b",
    "blockquote",
    "br",
    "code",
    "dd",
    "del",
    "details",
    "div",
    "dl",
    "dt",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "hr",
    "i",
    "img",
    "kbd",
    "li",
    "ol",
    "p",
    "pre",
    "s",
    "span",
    "strong",
    "sub",
    "summary",
    "sup",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
];

/// A comment, a tag of HTML or a bare address. `<name>` is none of them: it is what to fill in.
fn tag(rest: &str, shown: &mut String) -> Option<usize> {
    if let Some(comment) = rest.strip_prefix("<!--") {
        return Some(comment.find("-->").map_or(rest.len(), |end| end + 7));
    }
    let (inside, _) = rest.strip_prefix('<')?.split_once('>')?;
    if inside.starts_with("http") {
        shown.push_str(inside);
        return Some(inside.len() + 2);
    }
    let name = inside.trim_start_matches('/');
    let name = name.split(|c: char| !c.is_ascii_alphanumeric()).next()?;
    if !TAGS.contains(&name.to_ascii_lowercase().as_str()) {
        return None;
    }
    if ["br", "td", "th", "p", "li"].contains(&name) {
        shown.push(' ');
    }
    Some(inside.len() + 2)
}

/// A link or a picture: shown is its text. A footnote's mark is not shown.
fn link(rest: &str, shown: &mut String) -> Option<usize> {
    let opened = rest.strip_prefix('!').unwrap_or(rest);
    let label = closed(opened, '[', ']')?;
    let after = opened.get(label.len() + 2..)?;
    let mark = rest.len() - opened.len() + label.len() + 2;
    if label.starts_with('^') {
        return Some(mark);
    }
    let target = closed(after, '(', ')').or_else(|| closed(after, '[', ']'))?;
    inline(label, shown);
    Some(mark + target.len() + 2)
}

/// What stands between `open`, which `text` starts with, and its fellow.
fn closed(text: &str, open: char, close: char) -> Option<&str> {
    let inner = text.strip_prefix(open)?;
    let mut depth = 0_usize;
    for (at, c) in inner.char_indices() {
        if c == open {
            depth += 1;
        } else if c == close && depth == 0 {
            return inner.get(..at);
        } else if c == close {
            depth -= 1;
        }
    }
    None
}

/// Emphasis: the marks are dropped where they come in pairs, and where they are double.
/// `0 0 * * 0` and `snake_case` have none.
fn emphasis(rest: &str, before: Option<char>, shown: &mut String) -> Option<usize> {
    let mark = rest.chars().next()?;
    let body = rest.trim_start_matches(mark);
    let length = rest.len() - body.len();
    let marks = rest.get(..length)?;
    let in_word = mark == '_' && before.is_some_and(|c| c.is_ascii_alphanumeric());
    let opens = body.starts_with(|c: char| !c.is_whitespace()) && !in_word;
    if length > 3 || (mark == '~' && length != 2) {
        return None;
    }
    let close = body.match_indices(marks).map(|(at, _)| at).find(|at| {
        let inside = body.get(..*at).unwrap_or_default();
        let after = body.get(at + length..).unwrap_or_default();
        let is_longer = after.starts_with(mark) || inside.ends_with(mark);
        let in_word = mark == '_' && after.starts_with(|c: char| c.is_ascii_alphanumeric());
        !inside.is_empty() && !inside.ends_with(char::is_whitespace) && !is_longer && !in_word
    });
    if let Some(inside) = close.filter(|_| opens).and_then(|at| body.get(..at)) {
        // What is struck out is no longer said.
        if mark != '~' {
            inline(inside, shown);
        }
        return Some(length + inside.len() + length);
    }
    let dangles = length >= 2 && mark == '*' && (opens || before.is_some_and(|c| c != ' '));
    dangles.then_some(length)
}

fn entity(rest: &str, shown: &mut String) -> Option<usize> {
    const ENTITIES: [(&str, char); 6] = [
        ("&lt;", '<'),
        ("&gt;", '>'),
        ("&amp;", '&'),
        ("&quot;", '"'),
        ("&#39;", '\''),
        ("&nbsp;", ' '),
    ];
    let (name, c) = ENTITIES.iter().find(|entry| rest.starts_with(entry.0))?;
    shown.push(*c);
    Some(name.len())
}

/// A mark that is meant as a character.
fn escape(rest: &str, shown: &mut String) -> Option<usize> {
    let c = rest.chars().nth(1).filter(char::is_ascii_punctuation)?;
    shown.push(c);
    Some(2)
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

    #[track_caller]
    fn check_plain(markdown: &str, expected: &str) {
        assert_eq!(plain(markdown), expected);
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

    #[test]
    fn a_quote_is_shown_without_marks() {
        check_plain("## Usage {#usage}", "Usage");
        check_plain("> 1. **파드**는 [작다](/docs/pod_(x)).", "파드는 작다.");
        check_plain("| a | `b` |", "a | b");
        check_plain("|---|:-:|", "");
        check_plain(
            "- [x] *done* and __sure__, ~~not~~ ***this*** `~~a~~`",
            "done and sure, this ~~a~~",
        );
        check_plain("![a picture](x.png) of it[^1]", "a picture of it");
        check_plain(
            "see [the page][ref] &lt;now&gt;<br/>or \\*never\\*",
            "see the page <now> or *never*",
        );
    }

    #[test]
    fn shortcodes_show_the_text_they_were_given() {
        check_plain(
            "{{< glossary_tooltip text=\"서비스\" term_id=\"service\" >}}를 참조한다. {{% heading \"x\" %}}",
            "서비스를 참조한다.",
        );
        check_plain("{{< note >}}", "");
        check_plain("<!-- body -->", "");
    }

    #[test]
    fn what_only_looks_like_a_mark_is_kept() {
        check_plain(
            "0 0 * * 0 and snake_case_name, 2*3 = 6",
            "0 0 * * 0 and snake_case_name, 2*3 = 6",
        );
        check_plain(
            "`kubectl get **` of <name>, memory.available<100Mi",
            "kubectl get ** of <name>, memory.available<100Mi",
        );
        check_plain("half of **a bold sentence.", "half of a bold sentence.");
        check_plain("list[0] and f(x) #1", "list[0] and f(x) #1");
    }

    #[test]
    fn code_is_shown_line_by_line() {
        check_plain("```sh\nkubectl get *\n  -n x\n```", "kubectl get *\n  -n x");
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

        #[test]
        fn any_text_can_be_shown(text in "[-a-z가나 .*_~`\\[\\]()!<>{}|&\\\\#\n\"=]{0,60}") {
            let shown = plain(&text);
            prop_assert!(shown.len() <= text.len());
        }
    }
}
