//! Shows Markdown as a person reads it, without its marks.

use super::block::{Line, blocks, line_kind, list_mark};

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

    #[track_caller]
    fn check_plain(markdown: &str, expected: &str) {
        assert_eq!(plain(markdown), expected);
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
        fn any_text_can_be_shown(text in "[-a-z가나 .*_~`\\[\\]()!<>{}|&\\\\#\n\"=]{0,60}") {
            let shown = plain(&text);
            prop_assert!(shown.len() <= text.len());
        }
    }
}
