//! Whatever stands in a page, nothing in it is read as a mark, a mention or a link.

use proptest::prelude::*;

use super::reader::see;
use super::{APART, LONGEST, content, measure, units};
use crate::adapters::chat::text::{address, named, visible};
use crate::domain::page::{self, Block, Page, Run};

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
