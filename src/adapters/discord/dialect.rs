//! Pages in Discord's Markdown.
//!
//! Text is data. Discord reads marks, mentions and links in whatever is sent, so all of them are
//! broken up here, by a backslash where its Markdown honours one and by a space without width
//! where something reads the words before the Markdown does. What is shown is the text, letter
//! by letter; only a [`Run::Link`] becomes a link.

use crate::adapters::chat::text::{address, named, visible};
use crate::domain::page::{Block, Page, Run};

/// What fits into one message, as [`measure`] counts.
pub const LONGEST: usize = 2_000;

/// Breaks up what would be read as one word.
const APART: char = '\u{200B}';

/// `page` as Discord is sent it.
pub fn content(page: &Page) -> String {
    let blocks: Vec<_> = page
        .blocks
        .iter()
        .map(|block| written(block, Spans::Kept))
        .collect();
    blocks.join("\n")
}

/// How much of a message `block` takes at most, its line end included, in UTF-16 units.
///
/// A backtick at the end of a piece of text may or may not open a code span, depending on what
/// comes after it. So that a shorter piece never counts for more than a longer one, no span is
/// taken for one here; the marks inside it count as if they had to be escaped.
pub fn measure(block: &Block) -> usize {
    units(&written(block, Spans::Broken)) + 1
}

/// The length of `text` as Discord counts it.
pub fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// What becomes of code spans in text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spans {
    Kept,
    Broken,
}

fn written(block: &Block, spans: Spans) -> String {
    match block {
        Block::Paragraph(runs) => lines(runs, spans),
        Block::Code(code) => fenced(&visible(code)),
        Block::Small(runs) => lines(runs, spans)
            .split('\n')
            .map(|line| {
                if line.trim().is_empty() {
                    line.to_owned()
                } else {
                    format!("-# {line}")
                }
            })
            .collect::<Vec<_>>()
            .join("\n"),
    }
}

/// Code between fences that nothing in it closes.
fn fenced(code: &str) -> String {
    let code = code.trim_end_matches('\n');
    if code.trim_start_matches('\n').is_empty() {
        return String::new();
    }
    let (mut out, mut ticks, mut bracket) = (String::from("```\n"), 0, None);
    for c in code.chars() {
        // A link before the code would take `](` in it for its own end, were it not that an
        // opening bracket stands between them.
        if ticks == 2 && c == '`' || (bracket == Some(']') && c == '(' && out.ends_with(']')) {
            out.push(APART);
            ticks = 0;
        }
        ticks = if c == '`' { ticks + 1 } else { 0 };
        if matches!(c, '[' | ']') && bracket != Some('[') {
            bracket = Some(c);
        }
        out.push(c);
    }
    out.push_str("\n```");
    out
}

fn lines(runs: &[Run], spans: Spans) -> String {
    let mut out = String::new();
    for run in merged(runs) {
        match run {
            Run::Text(text) => {
                let start = if out.is_empty() || out.ends_with('\n') {
                    Line::Start
                } else {
                    Line::Words
                };
                out.push_str(&escaped(&text, start, spans));
            },
            Run::Strong(text) => out.push_str(&strong(&text)),
            Run::Link { title, url } => out.push_str(&link(&title, &url)),
        }
    }
    out
}

/// Runs as they follow each other: text that only meets here is read together, as Discord
/// will, and a link that is none is text.
fn merged(runs: &[Run]) -> Vec<Run> {
    let mut merged: Vec<Run> = Vec::new();
    for run in runs {
        let run = match run {
            Run::Link { title, url } => match address(url) {
                Some(url) => Run::Link {
                    title: named(title, &url),
                    url,
                },
                None => Run::Text(visible(title)),
            },
            Run::Text(text) => Run::Text(visible(text)),
            Run::Strong(text) => Run::Strong(visible(text)),
        };
        match (merged.last_mut(), run) {
            (_, Run::Text(more) | Run::Strong(more)) if more.is_empty() => {},
            (Some(Run::Text(text)), Run::Text(more))
            | (Some(Run::Strong(text)), Run::Strong(more)) => text.push_str(&more),
            (_, run) => merged.push(run),
        }
    }
    merged
}

/// Each line by itself, as other marks may begin on the next.
fn strong(text: &str) -> String {
    let line = |line: &str| {
        let core = line.trim();
        if core.is_empty() {
            return line.to_owned();
        }
        let (before, after) = line.split_once(core).unwrap_or_default();
        let core = escaped(core, Line::Start, Spans::Broken);
        format!("{before}**{core}**{after}")
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

fn link(title: &str, url: &str) -> String {
    // Whether a bracket in a title may be escaped is not the same everywhere.
    let title = title.replace('[', "［").replace(']', "］");
    let title = escaped(&title, Line::Start, Spans::Broken);
    format!("[{title}](<{url}>)")
}

/// Where in a line one is: some marks count only at its start.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Start,
    /// There were only digits so far.
    Number,
    Words,
}

impl Line {
    fn after(self, c: char) -> Self {
        match self {
            _ if c == '\n' => Self::Start,
            Self::Start if c.is_whitespace() => Self::Start,
            Self::Start | Self::Number if c.is_ascii_digit() => Self::Number,
            Self::Start | Self::Number | Self::Words => Self::Words,
        }
    }
}

fn escaped(text: &str, start: Line, spans: Spans) -> String {
    let (mut out, mut at, mut line) = (String::new(), 0, start);
    while let Some((before, rest)) = text.split_at_checked(at) {
        let Some(c) = rest.chars().next() else {
            break;
        };
        let kept = if spans == Spans::Kept {
            span(rest)
        } else {
            None
        };
        if let Some(span) = kept {
            out.push_str(span);
            at += span.len();
            line = Line::Words;
        } else if c == '`' {
            // All of them at once: what is left of a run would open another span.
            let run = rest.len() - rest.trim_start_matches('`').len();
            out.push_str(&r"\`".repeat(run));
            at += run;
            line = Line::Words;
        } else {
            at += c.len_utf8();
            let after = text.get(at..).unwrap_or_default();
            push(&mut out, c, (before, line, after));
            line = line.after(c);
        }
    }
    out
}

/// The code span that `rest` begins with, if everybody reads it as one and nothing in it could
/// be read as something else.
fn span(rest: &str) -> Option<&str> {
    let (code, after) = rest.strip_prefix('`')?.split_once('`')?;
    let whole = !code.trim().is_empty()
        && !code.contains('\n')
        && !code.ends_with('\\')
        && !after.starts_with('`');
    // Words with an address among them may stand between two spans rather than in one: whoever
    // pairs the backticks otherwise would read a link there.
    let between = code.contains(char::is_whitespace) && code.contains("://");
    let harmless = !between
        && !code.contains("](")
        && !code
            .match_indices('@')
            .any(|(at, _)| calls(code.get(at + 1..).unwrap_or_default()));
    if whole && harmless {
        rest.get(..code.len() + 2)
    } else {
        None
    }
}

/// Puts `c` behind `out` so that it is shown as it is.
fn push(out: &mut String, c: char, (before, line, after): (&str, Line, &str)) {
    let marks = match c {
        '\\' | '*' | '_' | '~' | '|' | '<' | '[' | ']' => true,
        '#' | '>' | '-' | '+' => line == Line::Start,
        '.' => line == Line::Number && !after.starts_with(|c: char| !c.is_whitespace()),
        ':' => names_emoji(after),
        '/' => (before.ends_with(':') && after.starts_with('/')) || invites(before),
        _ => false,
    };
    if marks {
        out.push('\\');
    }
    out.push(c);
    if (c == '@' && calls(after)) || (c == ']' && after.starts_with('(')) {
        out.push(APART);
    }
}

/// Whether an `@` before `after` calls somebody.
fn calls(after: &str) -> bool {
    let begins = |word: &str| {
        after
            .get(..word.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    let id = after.trim_start_matches(['!', '&']);
    begins("everyone") || begins("here") || id.starts_with(|c: char| c.is_ascii_digit())
}

/// Whether a `:` before `after` begins the name of an emoji.
fn names_emoji(after: &str) -> bool {
    let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '-');
    let rest = after.trim_start_matches(named);
    rest.len() < after.len() && rest.starts_with(':')
}

/// Whether a `/` after `before` may lead to an invitation or a gift: Discord shows those for
/// an address without a scheme.
fn invites(before: &str) -> bool {
    const HOSTS: [&str; 6] = [
        "discord.gg",
        "discord.com",
        "discordapp.com",
        "discord.new",
        "discord.gift",
        "dis.gd",
    ];
    HOSTS.iter().any(|host| {
        before
            .len()
            .checked_sub(host.len())
            .and_then(|at| before.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case(host))
    })
}

#[cfg(test)]
#[expect(clippy::string_slice, reason = "a slip in a test is a failed test")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::page;

    fn paragraph(text: &str) -> String {
        content(&Page::notice(text))
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(paragraph(text), expected);
    }

    #[test]
    fn ordinary_words_are_sent_as_they_are() {
        for text in [
            "연차는 1년에 15일입니다. [자료 1: 2쪽]"
                .split(" [")
                .next()
                .unwrap(),
            "Leave is 15 days (20 from the 3rd year) - see below; a > b, C#, a+b, #4.",
            "At 10:30, e.g. a/b and mail ada@corp.example: 3.5 % off!",
            "`saseo add docs/` reads a folder, `a_b*c` too.",
            "3.5 is a number, 2024년 is a year",
        ] {
            check(text, text);
        }
    }

    #[test]
    fn marks_are_shown_instead_of_read() {
        check(
            r"a*b **c** _d_ snake_case ~~e~~ ||f|| \",
            r"a\*b \*\*c\*\* \_d\_ snake\_case \~\~e\~\~ \|\|f\|\| \\",
        );
        check("# a\n## b\n#c", "\\# a\n\\## b\n\\#c");
        check("> a\n  > b\n>>> c", "\\> a\n  \\> b\n\\>>> c");
        check(
            "- a\n+ b\n* c\n-# d\n1. e\n 12. f",
            "\\- a\n\\+ b\n\\* c\n\\-# d\n1\\. e\n 12\\. f",
        );
        check(
            "so :smile: std::fmt::Display",
            r"so \:smile: std:\:fmt::Display",
        );
    }

    #[test]
    fn only_whole_code_spans_stay() {
        check("`a` `b", r"`a` \`b");
        check("``a`` ```b```", r"\`\`a\`\` \`\`\`b\`\`\`");
        check("`a``b`", r"\`a\`\`b\`");
        check("`a\nb` ` `", "\\`a\nb\\` \\` \\`");
        check(r"`a\` b", r"\`a\\\` b");
        check(
            "`<@1>` `a](b)`",
            "\\`\\<@\u{200B}1>\\` \\`a\\]\u{200B}(b)\\`",
        );
        check("`https://a.example`", "`https://a.example`");
        check(
            "`@here`, <https://a.example>, `@here`",
            "\\`@\u{200B}here\\`, \\<https:\\//a.example>, \\`@\u{200B}here\\`",
        );
    }

    #[test]
    fn nobody_is_called() {
        check("@everyone @here", "@\u{200B}everyone @\u{200B}here");
        check("@EVERYone", "@\u{200B}EVERYone");
        check(
            "<@12> <@!12> <@&12>",
            "\\<@\u{200B}12> \\<@\u{200B}!12> \\<@\u{200B}&12>",
        );
        check(
            "<#1> <:a:1> <t:1:R> </a:1> <id:home>",
            r"\<#1> \<\:a:1> \<t\:1:R> \</a:1> \<id:home>",
        );
        check("@\0everyone", "@\u{200B}everyone");
        let parts = vec![Run::Text("<@".into()), Run::Text("1>".into())];
        let split = Page {
            blocks: vec![Block::Paragraph(parts)],
            buttons: Vec::new(),
        };
        assert_eq!(content(&split), "\\<@\u{200B}1>");
    }

    #[test]
    fn addresses_in_text_are_no_links() {
        check("see https://a.example/b_c", r"see https:\//a.example/b\_c");
        check("HTTP://a steam://b", r"HTTP:\//a steam:\//b");
        check("<https://a.example>", r"\<https:\//a.example>");
        check("[a](https://b)", "\\[a\\]\u{200B}(https:\\//b)");
        check("[.](//b)", "\\[.\\]\u{200B}(//b)");
        check(
            "discord.gg/abc Discord.com/invite/abc",
            r"discord.gg\/abc Discord.com\/invite/abc",
        );
    }

    fn shown(title: &str, url: &str) -> String {
        let link = Run::Link {
            title: title.into(),
            url: url.into(),
        };
        content(&Page {
            blocks: vec![Block::Paragraph(vec![link])],
            buttons: Vec::new(),
        })
    }

    #[track_caller]
    fn check_link(title: &str, url: &str, expected: &str) {
        assert_eq!(shown(title, url), expected);
    }

    #[test]
    fn a_link_is_a_link() {
        let url = "https://a.example/g";
        check_link("Guide", url, "[Guide](<https://a.example/g>)");
        check_link(
            "[RFC] a_b*\nc",
            url,
            r"[［RFC］ a\_b\* c](<https://a.example/g>)",
        );
        check_link(
            "@everyone",
            url,
            "[@\u{200B}everyone](<https://a.example/g>)",
        );
        check_link(
            "https://b.example",
            url,
            r"[https:\//b.example](<https://a.example/g>)",
        );
    }

    #[test]
    fn a_link_can_be_seen() {
        for title in ["", ".", " \u{200B} ", "\n", "\u{2800}"] {
            check_link(
                title,
                "https://a.example/g",
                "[a.example](<https://a.example/g>)",
            );
        }
    }

    #[test]
    fn nothing_in_an_address_ends_it() {
        check_link(
            "휴가",
            "http://a.example/휴 가",
            "[휴가](<http://a.example/%ED%9C%B4%20%EA%B0%80>)",
        );
        check_link(
            "a",
            "https://a.example/(x)?<q>=@everyone|`",
            "[a](<https://a.example/%28x%29?%3Cq%3E=%40everyone%7C%60>)",
        );
    }

    #[test]
    fn what_is_no_web_address_is_text() {
        for url in [
            "javascript:alert(1)",
            "file:///etc/passwd",
            "discord://x",
            "guide.md",
            "https://",
            "https://ada:secret@a.example",
            "https://good.example@evil.example/",
            "http://[::1]/",
            "",
        ] {
            assert_eq!(shown("# *Guide*", url), r"\# \*Guide\*", "{url}");
        }
    }

    #[test]
    fn strong_words_stay_strong_on_every_line() {
        let page = |runs: Vec<Run>| {
            content(&Page {
                blocks: vec![Block::Paragraph(runs)],
                buttons: Vec::new(),
            })
        };
        let strong = |text: &str| Run::Strong(text.into());
        assert_eq!(page(vec![strong("a "), strong("b*")]), r"**a b\***");
        assert_eq!(page(vec![strong("a\n\n# b")]), "**a**\n\n**\\# b**");
        assert_eq!(page(vec![strong(""), strong(" \n")]), " \n");
        assert_eq!(page(vec![strong("`a`")]), r"**\`a\`**");
    }

    #[test]
    fn code_keeps_its_fences() {
        let code = |code: &str| {
            content(&Page {
                blocks: vec![Block::Code(code.into())],
                buttons: Vec::new(),
            })
        };
        assert_eq!(code("a * b\n"), "```\na * b\n```");
        assert_eq!(
            code("x```y`````"),
            "```\nx``\u{200B}`y``\u{200B}``\u{200B}`\n```"
        );
        assert_eq!(code("a[0](b) ](c"), "```\na[0](b) ](c\n```");
        assert_eq!(code("a](b) ] [](c)"), "```\na]\u{200B}(b) ] [](c)\n```");
        assert_eq!(code("\n\n"), "");
    }

    #[test]
    fn small_print_is_small_on_every_line() {
        let page = Page {
            blocks: vec![
                Block::text("Answer."),
                Block::Small(vec![Run::Text("# a\n\nb\n-# c".into())]),
            ],
            buttons: Vec::new(),
        };
        assert_eq!(content(&page), "Answer.\n-# \\# a\n\n-# b\n-# \\-# c");
    }

    #[test]
    fn length_is_counted_as_discord_counts() {
        assert_eq!(measure(&Block::text("가😀")), 4);
        assert_eq!(measure(&Block::Code("a".into())), 10);
    }

    #[test]
    fn a_code_span_that_is_cut_does_not_make_a_part_too_long() {
        let stars = format!("`{}. {}`", "*".repeat(900), "*".repeat(3_000));
        let parts = page::parts(Page::notice(stars), LONGEST, &measure);
        assert!(parts.len() > 1);
        assert!(parts.iter().all(|part| units(&content(part)) <= LONGEST));
    }

    /// What a reader of Discord's Markdown makes of a message. Written after the rules of its
    /// clients, not after the code above, and more eager than they are to see something.
    #[derive(Debug, Default, PartialEq)]
    struct Seen {
        mentions: Vec<String>,
        links: Vec<String>,
        marks: Vec<String>,
        text: String,
        /// What was sent, without code and without the addresses of links.
        bare: String,
        fences: usize,
    }

    fn see(message: &str) -> Seen {
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
                *at > ticks
                    && !rest[..*at].ends_with('`')
                    && !rest[at + ticks..].starts_with('`')
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

    const HOSTILE: [&str; 58] = [
        "@everyone",
        "@here",
        "@",
        "everyone",
        "<@",
        "<@1>",
        "<@!23>",
        "<@&4>",
        "<#5>",
        "<:a:6>",
        "<a:b:7>",
        "<t:8:R>",
        "</x y:9>",
        "<id:home>",
        "&",
        "!",
        "1",
        "<",
        ">",
        "https://",
        "http://",
        "https:",
        "//",
        "/",
        "steam://x",
        "evil.example/",
        "discord.gg/",
        "discord.gg",
        "[",
        "]",
        "](",
        "(",
        ")",
        "[.](https://e.example)",
        "<https://e.example>",
        "](<https://e.example>)",
        "\\",
        "`",
        "``",
        "```",
        "*",
        "**",
        "_",
        "__",
        "~~",
        "||",
        "\n",
        "\n# ",
        "\n> ",
        "\n- ",
        "\n-# ",
        "\n1. ",
        ":smile:",
        ":",
        "&lt;@1&gt;",
        "\u{0}",
        "\r",
        "<mailto:a@b.example>",
    ];

    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            6 => proptest::sample::select(&HOSTILE[..]).prop_map(str::to_owned),
            1 => "\\PC{0,6}",
            1 => "[a-z가-힣\u{200B}\u{200D}😀 ]{0,5}",
        ];
        proptest::collection::vec(piece, 0..9).prop_map(|pieces| pieces.concat())
    }

    fn url() -> impl Strategy<Value = String> {
        prop_oneof![
            3 => "[a-z_~*|`()<>@]{0,12}".prop_map(|path| format!("https://a.example/{path}")),
            1 => hostile().prop_map(|path| format!("http://a.example/?{path}")),
            1 => hostile(),
        ]
    }

    fn run() -> impl Strategy<Value = Run> {
        prop_oneof![
            4 => hostile().prop_map(Run::Text),
            1 => hostile().prop_map(Run::Strong),
            2 => (hostile(), url()).prop_map(|(title, url)| Run::Link { title, url }),
        ]
    }

    fn block() -> impl Strategy<Value = Block> {
        let runs = || proptest::collection::vec(run(), 0..5);
        prop_oneof![
            4 => runs().prop_map(Block::Paragraph),
            2 => runs().prop_map(Block::Small),
            2 => hostile().prop_map(Block::Code),
        ]
    }

    fn hostile_page() -> impl Strategy<Value = Page> {
        proptest::collection::vec(block(), 0..5).prop_map(|blocks| Page {
            blocks,
            buttons: Vec::new(),
        })
    }

    fn runs(page: &Page) -> impl Iterator<Item = &Run> {
        page.blocks.iter().flat_map(|block| match block {
            Block::Paragraph(runs) | Block::Small(runs) => runs.as_slice(),
            Block::Code(_) => &[],
        })
    }

    fn addresses(page: &Page) -> Vec<String> {
        runs(page)
            .filter_map(|run| match run {
                Run::Link { url, .. } => address(url),
                Run::Text(_) | Run::Strong(_) => None,
            })
            .collect()
    }

    /// The letters of a page, as they were handed in.
    fn letters(page: &Page) -> String {
        let run = |run: &Run| match run {
            Run::Text(text) | Run::Strong(text) => visible(text),
            Run::Link { title, url } => match address(url) {
                Some(url) => named(title, &url).replace('[', "［").replace(']', "］"),
                None => visible(title),
            },
        };
        let block = |block: &Block| match block {
            Block::Paragraph(runs) | Block::Small(runs) => runs.iter().map(run).collect(),
            Block::Code(code) => visible(code).trim_matches('\n').to_owned(),
        };
        let blocks: Vec<String> = page.blocks.iter().map(block).collect();
        blocks.join("\n").replace(APART, "")
    }

    fn check_harmless(page: &Page) -> Result<(), TestCaseError> {
        let sent = content(page);
        let seen = see(&sent);
        prop_assert!(seen.mentions.is_empty(), "{:?} in {}", seen.mentions, sent);
        prop_assert_eq!(&seen.links, &addresses(page), "{}", sent);
        let ours = |mark: &String| mark == "**" || mark == "-# ";
        prop_assert!(seen.marks.iter().all(ours), "{:?} in {}", seen.marks, sent);
        let code = page.blocks.iter().filter(
            |block| matches!(block, Block::Code(code) if !visible(code).trim_matches('\n').is_empty()),
        );
        prop_assert_eq!(seen.fences, code.count(), "{}", sent);
        prop_assert_eq!(&seen.text, &letters(page), "{}", sent);
        check_bare(&seen.bare)
    }

    /// What reads the words before the Markdown does finds nothing either.
    fn check_bare(bare: &str) -> Result<(), TestCaseError> {
        let lower = bare.to_lowercase();
        for word in ["@everyone", "@here", "://", "discord.gg/", "]("] {
            prop_assert!(!lower.contains(word), "{} in {}", word, bare);
        }
        for (at, _) in bare.match_indices("<@") {
            let id = bare[at + 2..].trim_start_matches(['!', '&']);
            prop_assert!(!id.starts_with(|c: char| c.is_ascii_digit()), "{}", bare);
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn no_text_calls_links_or_marks_anything(page in hostile_page()) {
            check_harmless(&page)?;
        }
    }

    proptest! {
        #[test]
        fn no_part_is_too_long_and_every_part_is_harmless(
            pages in proptest::collection::vec(hostile_page(), 1..60),
        ) {
            let blocks = pages.into_iter().flat_map(|page| page.blocks).collect();
            let page = Page { blocks, buttons: Vec::new() };
            for longest in [LONGEST, 150] {
                for part in page::parts(page.clone(), longest, &measure) {
                    let long = units(&content(&part));
                    prop_assert!(long <= longest, "{long}");
                    check_harmless(&part)?;
                }
            }
        }

        #[test]
        fn a_shorter_text_never_counts_for_more(text in hostile(), code in "[`\\]\\[(\na]{0,12}") {
            for text in [text, code] {
                let mut before = [0; 4];
                for end in text.char_indices().map(|(at, c)| at + c.len_utf8()) {
                    let piece = text[..end].to_owned();
                    let now = [
                        measure(&Block::text(piece.clone())),
                        measure(&Block::Code(piece.clone())),
                        measure(&Block::Small(vec![Run::Text(piece.clone())])),
                        measure(&Block::Paragraph(vec![Run::Strong(piece)])),
                    ];
                    prop_assert!(now.iter().zip(before).all(|(now, before)| *now >= before));
                    before = now;
                }
            }
        }
    }
}
