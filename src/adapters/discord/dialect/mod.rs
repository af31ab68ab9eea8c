//! Pages in Discord's Markdown.
//!
//! Text is data. Discord reads marks, mentions and links in whatever is sent, so all of them are
//! broken up here, by a backslash where its Markdown honours one and by a space without width
//! where something reads the words before the Markdown does. What is shown is the text, letter
//! by letter; only a [`Run::Link`] becomes a link.
//!
//! `escape` breaks up what stands in text.

mod escape;

use crate::adapters::chat::text::{address, named, visible};
use crate::domain::page::{Block, Page, Run};
use escape::{Line, Spans, escaped};

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

#[cfg(test)]
mod tests {
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
}

#[cfg(test)]
#[expect(clippy::string_slice, reason = "a slip in a test is a failed test")]
mod reader;
#[cfg(test)]
#[expect(clippy::string_slice, reason = "a slip in a test is a failed test")]
mod hostile;
