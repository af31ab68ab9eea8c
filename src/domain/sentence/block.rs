//! Takes a Markdown text apart into blocks: code, headings and rows, which stand as a whole, and
//! prose.

use crate::domain::chunk::Span;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum BlockKind {
    /// Never split.
    Whole,
    Prose,
}

pub(super) struct Block {
    pub(super) span: Span,
    pub(super) kind: BlockKind,
}

/// What a line does to the blocks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    Blank,
    /// Opens or closes a block of code.
    Fence(char),
    /// Stands alone: heading, table row, rule, shortcode, comment.
    Alone,
    /// Begins a new piece of prose: list item.
    Item,
    Prose,
}

pub(super) fn blocks(markdown: &str) -> Vec<Block> {
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
pub(super) fn line_kind(line: &str, fence: Option<char>) -> Line {
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
pub(super) fn list_mark(bare: &str) -> usize {
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
