//! Refuses HTML that is nested as no page for people is, before a parser sees it.
//!
//! Tree builders take time in the square of the depth, and converters recurse. The scan is
//! linear, knows which tags close each other, and otherwise counts too much rather than too
//! little; browsers give up at the same depth.

use std::collections::BTreeMap;

use super::super::Unparsable;

const DEEPEST: usize = 512;
/// Attributes of one tag are compared each with each.
const MOST_ATTRIBUTES: usize = 1000;

pub(super) fn check(html: &str) -> Result<(), Unparsable> {
    let mut open = Open::default();
    let mut rest = html;
    while let Some((_, tag)) = rest.split_once('<') {
        rest = match Markup::at(tag) {
            Markup::Skip(after) => after,
            Markup::End(name, after) => {
                open.close(&name);
                after
            },
            Markup::Start(start, after) => {
                if start.attributes > MOST_ATTRIBUTES {
                    return Err(Unparsable::Tangled);
                }
                open.open(&start);
                if open.depth() > DEEPEST {
                    return Err(Unparsable::Tangled);
                }
                if RAW.contains(&start.name.as_str()) {
                    after_end_of(after, &start.name)
                } else {
                    after
                }
            },
        };
    }
    Ok(())
}

/// Elements whose content is text, whatever it looks like.
const RAW: [&str; 8] = [
    "script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes",
];

const VOID: [&str; 20] = [
    "area", "base", "basefont", "bgsound", "br", "col", "embed", "frame", "hr", "img", "input",
    "keygen", "link", "meta", "param", "source", "track", "wbr", "html", "body",
];

/// Elements that a parser opens again after an outer end tag has closed them.
const FORMATTING: [&str; 13] = [
    "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u",
];

/// Which open elements, at the top of the stack, the start of an element closes.
const CLOSES: [(&str, &[&str]); 31] = [
    ("li", &["p", "li"]),
    ("dt", &["p", "dt", "dd"]),
    ("dd", &["p", "dt", "dd"]),
    ("p", &["p"]),
    ("a", &["a"]),
    ("option", &["option"]),
    ("optgroup", &["option", "optgroup"]),
    ("td", &["td", "th", "p"]),
    ("th", &["td", "th", "p"]),
    ("tr", &["td", "th", "tr", "p"]),
    (
        "tbody",
        &["td", "th", "tr", "tbody", "thead", "tfoot", "caption", "p"],
    ),
    (
        "thead",
        &["td", "th", "tr", "tbody", "thead", "tfoot", "caption", "p"],
    ),
    (
        "tfoot",
        &["td", "th", "tr", "tbody", "thead", "tfoot", "caption", "p"],
    ),
    ("rt", &["rt", "rp"]),
    ("rp", &["rt", "rp"]),
    ("h1", &["p", "h1", "h2", "h3", "h4", "h5", "h6"]),
    ("h2", &["p", "h1", "h2", "h3", "h4", "h5", "h6"]),
    ("h3", &["p", "h1", "h2", "h3", "h4", "h5", "h6"]),
    ("h4", &["p", "h1", "h2", "h3", "h4", "h5", "h6"]),
    ("h5", &["p", "h1", "h2", "h3", "h4", "h5", "h6"]),
    ("h6", &["p", "h1", "h2", "h3", "h4", "h5", "h6"]),
    ("div", &["p"]),
    ("ul", &["p"]),
    ("ol", &["p"]),
    ("dl", &["p"]),
    ("pre", &["p"]),
    ("table", &["p"]),
    ("section", &["p"]),
    ("article", &["p"]),
    ("blockquote", &["p"]),
    ("form", &["p"]),
];

/// The elements that are open.
#[derive(Default)]
struct Open {
    stack: Vec<String>,
    /// How many of each name are on the stack.
    names: BTreeMap<String, usize>,
    /// Open formatting elements: only their own end tags close them.
    formatting: BTreeMap<String, usize>,
    formatted: usize,
}

impl Open {
    fn depth(&self) -> usize {
        self.stack.len() + self.formatted
    }

    fn open(&mut self, tag: &StartTag) {
        let name = tag.name.as_str();
        if VOID.contains(&name) || (tag.ending == Ending::Closed && self.in_drawing()) {
            return;
        }
        if FORMATTING.contains(&name) {
            *self.formatting.entry(name.to_owned()).or_default() += 1;
            self.formatted += 1;
            return;
        }
        let closes = CLOSES.iter().find(|(opened, _)| *opened == name);
        let closes = closes.map_or(&[] as &[&str], |(_, closes)| closes);
        while self
            .stack
            .last()
            .is_some_and(|top| closes.contains(&top.as_str()))
        {
            self.pop();
        }
        self.stack.push(name.to_owned());
        *self.names.entry(name.to_owned()).or_default() += 1;
    }

    fn close(&mut self, name: &str) {
        if let Some(count) = self.formatting.get_mut(name).filter(|count| **count > 0) {
            *count -= 1;
            self.formatted -= 1;
        }
        while self.is_open(name) {
            if self.pop().as_deref() == Some(name) {
                break;
            }
        }
    }

    fn pop(&mut self) -> Option<String> {
        let top = self.stack.pop()?;
        if let Some(count) = self.names.get_mut(&top) {
            *count -= 1;
        }
        Some(top)
    }

    fn is_open(&self, name: &str) -> bool {
        self.names.get(name).is_some_and(|count| *count > 0)
    }

    /// Only within drawings and formulas does `/>` close an element.
    fn in_drawing(&self) -> bool {
        self.is_open("svg") || self.is_open("math")
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    Open,
    Closed,
}

struct StartTag {
    name: String,
    attributes: usize,
    ending: Ending,
}

/// What begins behind a `<`, and the text after it.
enum Markup<'a> {
    Start(StartTag, &'a str),
    End(String, &'a str),
    Skip(&'a str),
}

impl<'a> Markup<'a> {
    fn at(text: &'a str) -> Self {
        if let Some(comment) = text.strip_prefix("!--") {
            let (_, after) = comment.split_once("-->").unwrap_or_default();
            return Self::Skip(after);
        }
        if text.starts_with(['!', '?']) {
            let (_, after) = text.split_once('>').unwrap_or_default();
            return Self::Skip(after);
        }
        if let Some(end) = text.strip_prefix('/') {
            let (inner, after) = end.split_once('>').unwrap_or((end, ""));
            return Self::End(name(inner), after);
        }
        if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Self::Skip(text);
        }
        let length = tag_length(text);
        let (inner, after) = text.split_at_checked(length).unwrap_or((text, ""));
        let ending = if inner.ends_with('/') {
            Ending::Closed
        } else {
            Ending::Open
        };
        let start = StartTag {
            name: name(inner),
            attributes: attributes(inner),
            ending,
        };
        Self::Start(start, after)
    }
}

fn name(inner: &str) -> String {
    let end = |c: char| c.is_ascii_whitespace() || c == '/' || c == '>';
    inner
        .split(end)
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase()
}

/// Where the tag ends; a `>` within quotes does not end it.
fn tag_length(text: &str) -> usize {
    let mut quote = None;
    let mut before = b' ';
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return at,
            // A quote opens a value only behind an equals sign.
            (None, b'"' | b'\'') if before == b'=' => quote = Some(byte),
            (Some(open), close) if open == close => quote = None,
            _ => {},
        }
        if !byte.is_ascii_whitespace() {
            before = byte;
        }
    }
    text.len()
}

fn attributes(inner: &str) -> usize {
    inner
        .split(|c: char| c.is_ascii_whitespace() || c == '/')
        .filter(|part| !part.is_empty())
        .count()
}

/// The text behind the end tag of a raw element.
fn after_end_of<'a>(text: &'a str, name: &str) -> &'a str {
    let mut rest = text;
    while let Some((_, end)) = rest.split_once("</") {
        let found = end
            .get(..name.len())
            .is_some_and(|found| found.eq_ignore_ascii_case(name));
        if found {
            return end;
        }
        rest = end;
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(html: &str, expected: &Result<(), Unparsable>) {
        let head: String = html.chars().take(40).collect();
        assert_eq!(&check_depth(html), expected, "{head}");
    }

    use super::check as check_depth;

    #[test]
    fn pages_for_people_pass() {
        check("", &Ok(()));
        check(&"<p>one<br>".repeat(5000), &Ok(()));
        check(&format!("<ul>{}</ul>", "<li><p>one".repeat(5000)), &Ok(()));
        check(
            &format!("<table>{}</table>", "<tr><td>1<td>2".repeat(5000)),
            &Ok(()),
        );
        check(&format!("<dl>{}</dl>", "<dt>1<dd>2".repeat(5000)), &Ok(()));
        check(
            &format!("<svg>{}</svg>", "<path d=\"M0\"/>".repeat(5000)),
            &Ok(()),
        );
        check(
            &format!("<script>{}</script>", "'<div>'".repeat(5000)),
            &Ok(()),
        );
        check(&"<a title=\"a > b <div>\">x</a>".repeat(5000), &Ok(()));
        check(
            &"1 < 2 and <3, a<b ".repeat(5000),
            &Err(Unparsable::Tangled),
        );
        check(&"1 < 2 and <3 ".repeat(5000), &Ok(()));
        check(
            &format!("{}{}", "<div>".repeat(500), "</div>".repeat(500)),
            &Ok(()),
        );
    }

    #[test]
    fn towers_do_not_pass() {
        for tag in [
            "<div>",
            "<b>",
            "<i><b></i>",
            "<div/>",
            "<dd><li>",
            "<ul><li>",
            "<x-y>",
            "<p><span>",
            "<svg><div/>",
            "<font a=1><p></p>",
            "<DIV><!-- -->",
            "<table><tr><td>",
        ] {
            check(&tag.repeat(1000), &Err(Unparsable::Tangled));
        }
        let attributes = " a b c d".repeat(500);
        check(&format!("<p{attributes}>"), &Err(Unparsable::Tangled));
    }
}
