//! A reader of Discord's Markdown, for the tests of this room.

use super::APART;

/// What a reader of Discord's Markdown makes of a message. Written after the rules of its
/// clients, not after the code above, and more eager than they are to see something.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Seen {
    pub(super) mentions: Vec<String>,
    pub(super) links: Vec<String>,
    pub(super) marks: Vec<String>,
    pub(super) text: String,
    /// What was sent, without code and without the addresses of links.
    pub(super) bare: String,
    pub(super) fences: usize,
}

pub(super) fn see(message: &str) -> Seen {
    let mut seen = Seen::default();
    walk(message, &mut seen);
    seen.text = seen.text.replace(APART, "");
    seen
}

fn walk(message: &str, seen: &mut Seen) {
    let (mut rest, mut start) = (message, true);
    while let Some(c) = rest.chars().next() {
        let taken = [escape, fence, tick, mention, link_or_address, emphasis]
            .iter()
            .find_map(|rule| rule(rest, seen))
            .or_else(|| if start { block_mark(rest, seen) } else { None })
            .unwrap_or_else(|| {
                seen.text.push(c);
                seen.bare.push(c);
                c.len_utf8()
            });
        let read = &rest[..taken];
        start = read.rfind('\n').map_or_else(
            || start && read.trim().is_empty(),
            |at| read[at..].trim().is_empty(),
        );
        rest = &rest[taken..];
    }
}

/// What stands on both sides of a mark does not stand side by side.
fn walk_inside(message: &str, seen: &mut Seen) {
    seen.bare.push(' ');
    walk(message, seen);
    seen.bare.push(' ');
}

fn escape(rest: &str, seen: &mut Seen) -> Option<usize> {
    let c = rest.strip_prefix('\\')?.chars().next()?;
    if c.is_ascii_alphanumeric() || c.is_whitespace() {
        return None;
    }
    seen.text.push(c);
    seen.bare.push_str(&rest[..=c.len_utf8()]);
    Some(1 + c.len_utf8())
}

fn fence(rest: &str, seen: &mut Seen) -> Option<usize> {
    let inside = rest.strip_prefix("```")?;
    let first = inside.find(|c| c != '\n')?;
    let first = first + inside[first..].chars().next()?.len_utf8();
    let end = first + inside[first..].find("```")?;
    seen.fences += 1;
    seen.bare.push(' ');
    seen.text.push_str(inside[..end].trim_matches('\n'));
    Some(3 + end + 3)
}

fn tick(rest: &str, seen: &mut Seen) -> Option<usize> {
    let run = rest.len() - rest.trim_start_matches('`').len();
    for ticks in (1..=run).rev() {
        let fence = "`".repeat(ticks);
        let closed = rest.match_indices(&fence).find(|(at, _)| {
            *at > ticks && !rest[..*at].ends_with('`') && !rest[at + ticks..].starts_with('`')
        });
        if let Some((at, _)) = closed {
            seen.text.push_str(&rest[..at + ticks]);
            seen.bare.push(' ');
            return Some(at + ticks);
        }
    }
    None
}

fn mention(rest: &str, seen: &mut Seen) -> Option<usize> {
    let everyone = ["@everyone", "@here"];
    let found = everyone.iter().find(|word| rest.starts_with(**word));
    if let Some(word) = found {
        seen.mentions.push((*word).to_owned());
        return Some(word.len());
    }
    let (tag, _) = rest.strip_prefix('<')?.split_once('>')?;
    let id = tag.rsplit([':', '@', '#', '!', '&']).next()?;
    let numbered = !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
    let kinds = ["@", "#", ":", "a:", "/"];
    let live = (numbered && kinds.iter().any(|kind| tag.starts_with(kind)))
        || tag.starts_with("t:")
        || tag.starts_with("id:");
    live.then(|| seen.mentions.push(tag.to_owned()))?;
    Some(tag.len() + 2)
}

fn link_or_address(rest: &str, seen: &mut Seen) -> Option<usize> {
    if let Some((title, target)) = rest
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("]("))
    {
        let (url, end) = match target.strip_prefix('<') {
            Some(inner) => (inner.split_once(">)")?.0, 3),
            None => (target.split_once(')')?.0, 1),
        };
        walk_inside(title, seen);
        seen.links.push(url.to_owned());
        return Some(1 + title.len() + 2 + url.len() + end);
    }
    let (open, from) = match rest.strip_prefix('<') {
        Some(from) => (1, from),
        None => (0, rest),
    };
    let lower = from.to_lowercase();
    let schemes = [
        "https://",
        "http://",
        "steam://",
        "discord://",
        "mailto:",
        "tel:",
    ];
    let bare = if open == 1 {
        &schemes[..]
    } else {
        &schemes[..4]
    };
    let scheme = bare.iter().find(|scheme| lower.starts_with(**scheme))?;
    let end = from.find([' ', '\n', '<', '>']).unwrap_or(from.len());
    (end > scheme.len()).then(|| seen.links.push(from[..end].to_owned()))?;
    Some(open + end)
}

fn emphasis(rest: &str, seen: &mut Seen) -> Option<usize> {
    for mark in ["**", "__", "~~", "||", "*", "_", ":"] {
        let Some(inside) = rest.strip_prefix(mark) else {
            continue;
        };
        let Some(end) = closing(inside, mark) else {
            continue;
        };
        seen.marks.push(mark.to_owned());
        walk_inside(&inside[..end], seen);
        return Some(end + 2 * mark.len());
    }
    None
}

/// Where `mark` stands again, not counting what is escaped.
fn closing(inside: &str, mark: &str) -> Option<usize> {
    let mut at = 0;
    while let Some(c) = inside[at..].chars().next() {
        if at > 0 && inside[at..].starts_with(mark) {
            return Some(at);
        }
        let named = c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '-');
        if mark == ":" && !named {
            return None;
        }
        at += c.len_utf8();
        if c == '\\' {
            at += inside[at..].chars().next()?.len_utf8();
        }
    }
    None
}

fn block_mark(rest: &str, seen: &mut Seen) -> Option<usize> {
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let numbered = format!("{}. ", &rest[..digits]);
    let marks = ["-# ", "# ", "## ", "### ", "> ", ">>> ", "- ", "+ ", "* "];
    let mark = marks.iter().find(|mark| rest.starts_with(**mark));
    let mark = match mark {
        Some(mark) => *mark,
        None if digits > 0 && rest.starts_with(&numbered) => &numbered,
        None => return None,
    };
    seen.marks.push(mark.to_owned());
    seen.bare.push(' ');
    Some(mark.len())
}

#[track_caller]
fn check_seen(text: &str, mentions: usize, links: usize, marks: usize) {
    let seen = see(text);
    let counts = (seen.mentions.len(), seen.links.len(), seen.marks.len());
    assert_eq!(counts, (mentions, links, marks), "{text}: {seen:?}");
}

#[test]
fn the_reader_of_these_tests_sees_what_discord_sees() {
    check_seen(
        "@everyone <@1> <@!2> <@&3> <#4> <a:b:5> </c d:6> <t:7:R>",
        8,
        0,
        0,
    );
    check_seen(
        "https://a <http://b> [c](https://d) [e](<https://f>) <tel:1>",
        0,
        5,
        0,
    );
    check_seen("**a** __b__ ~~c~~ ||d|| *e* _f_ :g:", 0, 0, 7);
    check_seen("# a\n> b\n- c\n1. d\n-# e", 0, 0, 5);
    check_seen("[a](<https://b>) ](https://c)", 0, 2, 0);
    check_seen("`@everyone` ```\n<@1>\n``` \\*a\\*", 0, 0, 0);
    check_seen("**a [b](<https://c>)**", 0, 1, 1);
}
