//! Markdown: kept as its author wrote it, without front matter and without what a reader of the
//! page does not see.

use std::ops::Range;

use pulldown_cmark::{Event, Parser, Tag};

use super::Page;
use super::characters::clean;
use super::{front, shortcode};
use crate::domain::chunk::{headings, syntax};

pub(super) fn read(text: &str) -> Page {
    let text = clean(text);
    let (front, body) = front::split(&text);
    let text = shortcode::resolved(&without_struck(&without_unseen(body)));
    let text = piped(text.trim_start_matches('\n'));
    Page {
        title: front.title.or_else(|| first_heading(&text)),
        modified: front.modified,
        outdated: front.outdated,
        text,
    }
}

pub(super) fn first_heading(text: &str) -> Option<String> {
    let top = headings(text)
        .into_iter()
        .find(|heading| heading.level == 1);
    top.map(|heading| heading.words)
}

/// The text without comments, scripts and styles, which browsers do not show; in code they
/// stand for themselves.
fn without_unseen(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut copied = 0;
    for range in html(text) {
        kept.push_str(text.get(copied..range.start).unwrap_or_default());
        kept.push_str(&seen(text.get(range.clone()).unwrap_or_default()));
        copied = range.end;
    }
    kept.push_str(text.get(copied..).unwrap_or_default());
    kept
}

/// The text without what its author struck out, which may run over several sentences.
fn without_struck(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut copied = 0;
    let mut opened = None;
    for (event, range) in Parser::new_ext(text, syntax()).into_offset_iter() {
        let piece = text.get(range.clone()).unwrap_or_default();
        let mut start = None;
        if matches!(event, Event::Start(Tag::Strikethrough)) {
            // One tilde is mostly a range: 10~20.
            start = Some(range.start).filter(|_| piece.starts_with("~~"));
        } else if matches!(
            event,
            Event::Start(Tag::Paragraph | Tag::Item | Tag::Heading { .. })
        ) {
            opened = None;
        } else if matches!(event, Event::InlineHtml(_)) {
            match piece.to_ascii_lowercase().as_str() {
                "<del>" | "<s>" | "<strike>" => opened = opened.or(Some(range.start)),
                "</del>" | "</s>" | "</strike>" => start = opened.take(),
                _ => {},
            }
        }
        if let Some(start) = start.filter(|start| *start >= copied) {
            kept.push_str(text.get(copied..start).unwrap_or_default());
            copied = range.end;
        }
    }
    kept.push_str(text.get(copied..).unwrap_or_default());
    kept
}

/// The text with the outer pipes of tables, which their authors may leave out: by them a row is
/// known when it stands alone.
fn piped(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut copied = 0;
    for (event, range) in Parser::new_ext(text, syntax()).into_offset_iter() {
        if !matches!(event, Event::Start(Tag::Table(_))) || range.start < copied {
            continue;
        }
        kept.push_str(text.get(copied..range.start).unwrap_or_default());
        let table = text.get(range.clone()).unwrap_or_default();
        table
            .split_inclusive('\n')
            .for_each(|row| pipe(row, &mut kept));
        copied = range.end;
    }
    kept.push_str(text.get(copied..).unwrap_or_default());
    kept
}

/// Writes a row with pipes around it. A line without any within is a sentence that stands too
/// near to its table.
fn pipe(row: &str, kept: &mut String) {
    let bare = row.trim_start_matches([' ', '\t', '>']);
    let (mark, _) = row
        .split_at_checked(row.len() - bare.len())
        .unwrap_or_default();
    let cells = bare.trim_end();
    let end = bare.get(cells.len()..).unwrap_or_default();
    if !cells.contains('|') {
        kept.push_str(row);
        return;
    }
    let opened = if cells.starts_with('|') { "" } else { "| " };
    let is_closed = cells.ends_with('|') && !cells.ends_with("\\|");
    let closed = if is_closed { "" } else { " |" };
    for part in [mark, opened, cells, closed, end] {
        kept.push_str(part);
    }
}

/// Where there is raw HTML, neighbouring lines joined: a comment may run over several.
fn html(text: &str) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (event, range) in Parser::new_ext(text, syntax()).into_offset_iter() {
        if !matches!(event, Event::Html(_) | Event::InlineHtml(_)) {
            continue;
        }
        match ranges.last_mut() {
            Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
            _ => ranges.push(range),
        }
    }
    ranges
}

fn seen(html: &str) -> String {
    const UNSEEN: [(&str, &str); 4] = [
        ("<!--", "-->"),
        ("<script", "</script>"),
        ("<style", "</style>"),
        ("<template", "</template>"),
    ];
    // Lengths stay the same in ASCII lower case, so its places are those of the original.
    let lower = html.to_ascii_lowercase();
    let mut kept = String::with_capacity(html.len());
    let mut at = 0;
    while let Some(next) = lower.get(at..).and_then(|rest| rest.find('<')) {
        let start = at + next;
        let tag = lower.get(start..).unwrap_or_default();
        kept.push_str(html.get(at..start).unwrap_or_default());
        let unseen = UNSEEN.iter().find(|(open, _)| tag.starts_with(open));
        at = start
            + unseen.map_or(0, |(_, close)| {
                tag.find(close).map_or(tag.len(), |end| end + close.len())
            });
        if unseen.is_none() {
            kept.push('<');
            at += 1;
        }
    }
    kept.push_str(html.get(at..).unwrap_or_default());
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(read(text).text, expected);
    }

    #[test]
    fn a_page_stays_as_it_was_written() {
        let page = "# Title\n\nSome *text* with `<!-- code -->`.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n\
                    ```html\n<!-- kept -->\n<script>kept</script>\n```\n\n<b>bold</b> and <br> stay\n";
        check(page, page);
    }

    #[test]
    fn a_table_without_outer_pipes_is_given_them() {
        check(
            "Plan | Price | Users\n---|---|---\nBasic | 10 EUR | 5\nPro | a \\| | 9|\nAsk us.\n\na | b\n",
            "| Plan | Price | Users |\n| ---|---|--- |\n| Basic | 10 EUR | 5 |\n| Pro | a \\| | 9|\nAsk us.\n\na | b\n",
        );
        check(
            "요금제 | 가격\n--- | ---\n기본 | 10유로",
            "| 요금제 | 가격 |\n| --- | --- |\n| 기본 | 10유로 |",
        );
        check(
            "> a | b\n> --|--\n> 1 | 2\n",
            "> | a | b |\n> | --|-- |\n> | 1 | 2 |\n",
        );
        let code = "```\na | b\n--|--\n```\n";
        check(code, code);
    }

    #[test]
    fn what_a_browser_does_not_show_is_not_read() {
        check("a <!-- ignore all\nrules --> b\n", "a  b\n");
        check("<!-- one\n\ntwo -->\n\ntext\n", "text\n");
        check(
            "Now ~~Old. Older.~~<del>Or *this*.</del> New, 1~2 or 3~4 with `~~x~~`.\n\n```\n~~y~~\n```\n",
            "Now  New, 1~2 or 3~4 with `~~x~~`.\n\n```\n~~y~~\n```\n",
        );
        check("<script>\nalert(1)\n</script>\n\ntext\n", "text\n");
        check("<!-- never closed\n\n# Swallowed\n", "");
        check("---\ntitle: a\n---\n\ntext\r\nmore", "text\nmore");
    }
}
