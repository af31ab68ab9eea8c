//! Pages as Slack's blocks, and as the text that stands where blocks cannot.
//!
//! Text is data. What people and documents say goes into rich text and plain text, which Slack
//! shows letter by letter: nothing in it is a mark, a mention or a link. The text beside the
//! blocks is for notifications; Slack reads it, so the three characters that it reads are
//! escaped. Only a [`Run::Link`] becomes a link: other addresses are broken up, as some of Slack's
//! clients make links of what looks like one.

use slack_morphism::prelude::{
    SlackActionBlockElement, SlackActionsBlock, SlackBlock, SlackBlockButtonElement,
    SlackBlockButtonStyle, SlackBlockPlainText, SlackBlockPlainTextOnly, SlackContextBlock,
    SlackContextBlockElement, SlackMessageContent, SlackRelaxedUrl, SlackRichTextBlock,
    SlackRichTextElement, SlackRichTextInlineElement, SlackRichTextLink,
    SlackRichTextPreformatted, SlackRichTextSection, SlackRichTextText,
};

use crate::adapters::chat::text::{address, named, visible};
use crate::domain::page::{Block, Button, Page, Run, Weight};

/// What fits into one message, as [`measure`] counts: what `chat.update` takes as a text, which
/// is less than what it takes as blocks.
pub const LONGEST: usize = 3_900;
/// The most that one context block takes.
const LONGEST_SMALL: usize = 3_000;
/// Blocks in one message, the buttons among them, and with something to spare.
const MOST_BLOCKS: usize = 45;

/// `page` as Slack is sent it.
pub fn content(page: &Page) -> SlackMessageContent {
    let blocks = blocks(page);
    let content = SlackMessageContent::new().with_text(text(page));
    if blocks.is_empty() {
        return content;
    }
    content.with_blocks(blocks)
}

/// `page` as blocks alone, for where there is no text beside them.
pub fn blocks(page: &Page) -> Vec<SlackBlock> {
    let mut blocks = Vec::new();
    let mut rich: Vec<SlackRichTextElement> = Vec::new();
    for block in &page.blocks {
        match block {
            Block::Small(runs) if is_plain(runs) => {
                flush(&mut rich, &mut blocks);
                blocks.extend(small(&plain(runs)));
            },
            Block::Paragraph(runs) | Block::Small(runs) => add_line(&mut rich, elements(runs)),
            Block::Code(code) => rich.extend(preformatted(code)),
        }
    }
    flush(&mut rich, &mut blocks);
    blocks.extend(actions(&page.buttons));
    blocks
}

/// How much of a message `block` takes at most, its line end included.
pub fn measure(block: &Block) -> usize {
    // A code line is marked as such, and many small blocks are more than a message may have.
    let least = match block {
        Block::Small(_) => LONGEST / (MOST_BLOCKS / 2),
        Block::Paragraph(_) | Block::Code(_) => 0,
    };
    (units(&line(block)) + 1).max(least)
}

/// The length of `text` in UTF-16, which is never less than what Slack counts.
pub fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// The words of `page` alone.
pub fn text(page: &Page) -> String {
    let lines: Vec<_> = page.blocks.iter().map(line).collect();
    let text = lines.join("\n");
    if text.trim().is_empty() {
        return "…".to_owned();
    }
    text
}

/// `blocks` in the Markdown that a stream is written in. What follows them changes nothing in
/// it: it can be added to. It stands only until the final form takes its place, so all that
/// would be read as a mark is broken up, and there are no links.
pub fn streamed(blocks: &[Block]) -> String {
    let lines = blocks.iter().map(|block| match block {
        Block::Paragraph(runs) | Block::Small(runs) => literal(&plain(runs)),
        Block::Code(code) => literal(visible(code).trim_matches('\n')),
    });
    lines.collect::<Vec<_>>().join("\n\n")
}

/// Text whose marks are shown instead of read.
fn literal(text: &str) -> String {
    const APART: char = '\u{200B}';
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // No address, and none in brackets after a title.
            ':' | '@' => out.extend([c, APART]),
            '(' => out.extend([APART, c]),
            '\\' | '`' | '*' | '_' | '~' | '[' | ']' | '#' | '|' | '!' => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
    out
}

/// Text in which no address is taken for a link: what is no source must not become one.
fn unlinked(text: &str) -> String {
    const APART: &str = "\u{200B}";
    text.replace("://", &format!(":{APART}//"))
}

/// The characters that Slack reads, as it wants them written.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn line(block: &Block) -> String {
    escaped(&unlinked(&match block {
        Block::Paragraph(runs) | Block::Small(runs) => plain(runs),
        Block::Code(code) => visible(code).trim_matches('\n').to_owned(),
    }))
}

fn is_plain(runs: &[Run]) -> bool {
    let text = plain(runs);
    let fits = units(&text) <= LONGEST_SMALL;
    fits && runs
        .iter()
        .all(|run| !matches!(run, Run::Link { url, .. } if address(url).is_some()))
}

/// The letters of a line.
fn plain(runs: &[Run]) -> String {
    let words = runs.iter().map(|run| match run {
        Run::Text(text) | Run::Strong(text) => visible(text),
        Run::Link { title, url } => match address(url) {
            Some(url) => named(title, &url),
            None => visible(title),
        },
    });
    words.collect()
}

fn small(text: &str) -> Option<SlackBlock> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let plain = SlackBlockPlainText::new(unlinked(text)).with_emoji(false);
    let element = SlackContextBlockElement::Plain(plain);
    Some(SlackContextBlock::new(vec![element]).into())
}

fn flush(rich: &mut Vec<SlackRichTextElement>, blocks: &mut Vec<SlackBlock>) {
    if !rich.is_empty() {
        blocks.push(SlackRichTextBlock::new(std::mem::take(rich)).into());
    }
}

/// Puts a line below the others: sections that follow each other have no line end between them.
fn add_line(rich: &mut Vec<SlackRichTextElement>, line: Vec<SlackRichTextInlineElement>) {
    if line.is_empty() {
        return;
    }
    if let Some(SlackRichTextElement::Section(section)) = rich.last_mut() {
        section.elements.push("\n".into());
        section.elements.extend(line);
    } else {
        rich.push(SlackRichTextSection::new(line).into());
    }
}

fn elements(runs: &[Run]) -> Vec<SlackRichTextInlineElement> {
    let mut elements: Vec<SlackRichTextInlineElement> = Vec::new();
    for run in runs {
        match run {
            Run::Text(text) => elements.extend(spans(&visible(text))),
            Run::Strong(text) => {
                elements.extend(letters(&visible(text)).map(|it| it.bold().into()));
            },
            Run::Link { title, url } => match address(url) {
                Some(url) => {
                    let title = unlinked(&named(title, &url));
                    let link = SlackRichTextLink::new(SlackRelaxedUrl(url));
                    elements.push(link.with_text(title).into());
                },
                None => elements.extend(letters(&visible(title)).map(Into::into)),
            },
        }
    }
    elements
}

fn letters(text: &str) -> Option<SlackRichTextText> {
    (!text.is_empty()).then(|| SlackRichTextText::new(unlinked(text)))
}

/// What stands between two backticks on one line is shown as code.
fn spans(text: &str) -> Vec<SlackRichTextInlineElement> {
    let mut elements = Vec::new();
    let mut rest = text;
    while let Some((before, from)) = rest.split_once('`') {
        let Some((code, after)) = from.split_once('`') else {
            break;
        };
        let whole = !code.trim().is_empty() && !code.contains('\n') && !after.starts_with('`');
        if !whole {
            break;
        }
        elements.extend(letters(before).map(Into::into));
        elements.extend(letters(code).map(|code| code.code().into()));
        rest = after;
    }
    elements.extend(letters(rest).map(Into::into));
    elements
}

fn preformatted(code: &str) -> Option<SlackRichTextElement> {
    let code = visible(code);
    // It is there to be copied, and nothing in it is read.
    let code = code.trim_matches('\n');
    (!code.is_empty()).then(|| SlackRichTextPreformatted::new(vec![code.into()]).into())
}

fn actions(buttons: &[Button]) -> Option<SlackBlock> {
    let element = |button: &Button| {
        let label = SlackBlockPlainText::new(button.label.to_owned()).with_emoji(false);
        let code = button.press.code();
        let pressed = SlackBlockButtonElement::new(SlackBlockPlainTextOnly::from(label))
            .with_action_id(code.clone().into())
            .with_value(code);
        let styled = match button.weight {
            Weight::Plain => pressed,
            Weight::Main => pressed.with_style(SlackBlockButtonStyle::Primary),
            Weight::Danger => pressed.with_style(SlackBlockButtonStyle::Danger),
        };
        SlackActionBlockElement::Button(styled)
    };
    if buttons.is_empty() {
        return None;
    }
    Some(SlackActionsBlock::new(buttons.iter().map(element).collect()).into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::event::Press;
    use crate::domain::page;

    fn sent(page: &Page) -> Value {
        serde_json::to_value(content(page)).unwrap()
    }

    /// An answer with one source.
    fn answer() -> Page {
        Page {
            blocks: vec![
                Block::text("15 days, see `leave.md` [1]."),
                Block::Paragraph(vec![Run::Strong("Sources".into())]),
                Block::Paragraph(vec![
                    Run::Text("[1] ".into()),
                    Run::Link {
                        title: "Leave".into(),
                        url: "https://wiki.example/leave".into(),
                    },
                ]),
                Block::Small(vec![Run::Text("library r42".into())]),
            ],
            buttons: vec![Button {
                label: "Sources",
                press: Press::Sources("3fa9".into()),
                weight: Weight::Main,
            }],
        }
    }

    #[test]
    fn an_answer_is_rich_text_with_its_footer_in_small_and_its_buttons_below() {
        let text = |text: &str| json!({ "type": "text", "text": text });
        assert_eq!(
            sent(&answer()),
            json!({
                "text": "15 days, see `leave.md` [1].\nSources\n[1] Leave\nlibrary r42",
                "blocks": [
                    { "type": "rich_text", "elements": [{
                        "type": "rich_text_section",
                        "elements": [
                            text("15 days, see "),
                            { "type": "text", "text": "leave.md", "style": { "code": true } },
                            text(" [1]."), text("\n"),
                            { "type": "text", "text": "Sources", "style": { "bold": true } },
                            text("\n"), text("[1] "),
                            { "type": "link", "url": "https://wiki.example/leave", "text": "Leave" },
                        ],
                    }] },
                    { "type": "context", "elements": [
                        { "type": "plain_text", "text": "library r42", "emoji": false },
                    ] },
                    { "type": "actions", "elements": [{
                        "type": "button", "action_id": "saseo:sources:3fa9",
                        "value": "saseo:sources:3fa9", "style": "primary",
                        "text": { "type": "plain_text", "text": "Sources", "emoji": false },
                    }] },
                ],
            })
        );
    }

    #[test]
    fn what_slack_would_read_in_a_text_is_escaped() {
        let page = Page::notice("<!channel> a & b <@U1> <https://e.example|x>");
        assert_eq!(
            sent(&page)["text"],
            "&lt;!channel&gt; a &amp; b &lt;@U1&gt; &lt;https:\u{200B}//e.example|x&gt;"
        );
    }

    #[test]
    fn a_link_that_is_none_is_only_its_title() {
        for url in [
            "javascript:alert(1)",
            "https://a:b@c.example/",
            "slack://open",
        ] {
            let link = Run::Link {
                title: "here".into(),
                url: url.into(),
            };
            let page = Page {
                blocks: vec![Block::Paragraph(vec![link])],
                buttons: Vec::new(),
            };
            let sent = sent(&page).to_string();
            assert!(
                sent.contains("here") && !sent.contains(r#""link""#),
                "{sent}"
            );
        }
    }

    #[test]
    fn an_empty_page_says_at_least_something() {
        assert_eq!(sent(&Page::default()), json!({ "text": "…" }));
    }

    fn text_of(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            3 => proptest::sample::select(pieces).prop_map(str::to_owned),
            1 => "\\PC{0,40}",
            1 => "[a-z가-힣\u{200B}😀 ]{0,30}",
        ];
        proptest::collection::vec(piece, 0..9).prop_map(|pieces| pieces.concat())
    }

    fn hostile() -> impl Strategy<Value = String> {
        text_of(&[
            "<!channel>",
            "<!here|here>",
            "<!subteam^S1>",
            "<@U1>",
            "&lt;@U1&gt;",
            "<",
            ">",
            "&",
            "@everyone",
            "<https://e.example|x>",
            "https://e.example",
            "`",
            "*",
            "\n",
            "```",
            "<!date^1^{date}|x>",
            "\u{0}",
            "\r",
            "[x](https://e.example)",
        ])
    }

    fn block() -> impl Strategy<Value = Block> {
        let run = || {
            prop_oneof![
                hostile().prop_map(Run::Text),
                hostile().prop_map(Run::Strong),
                hostile().prop_map(|title| Run::Link {
                    title,
                    url: "https://wiki.example/a".into(),
                }),
                (hostile(), hostile()).prop_map(|(title, url)| Run::Link { title, url }),
            ]
        };
        let runs = move || proptest::collection::vec(run(), 0..4);
        prop_oneof![
            runs().prop_map(Block::Paragraph),
            runs().prop_map(Block::Small),
            hostile().prop_map(Block::Code),
        ]
    }

    /// What Slack reads in what was sent: every text that is mrkdwn, and every element that
    /// calls or leads somewhere.
    fn read(part: &Value, calls: &mut Vec<String>) {
        if let Some(kind) = part["type"].as_str()
            && [
                "user",
                "usergroup",
                "broadcast",
                "channel",
                "mrkdwn",
                "markdown",
            ]
            .contains(&kind)
        {
            calls.push(part.to_string());
        }
        let inside = match part {
            Value::Object(fields) => fields.values().collect(),
            Value::Array(list) => list.iter().collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
        };
        for part in inside {
            read(part, calls);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn no_text_calls_or_leads_anywhere(blocks in proptest::collection::vec(block(), 0..6)) {
            let page = Page { blocks, buttons: Vec::new() };
            let sent = sent(&page);
            let text = sent["text"].as_str().unwrap();
            prop_assert!(!text.contains('<') && !text.contains('>'), "{text}");
            prop_assert!(!text.contains("://"), "{text}");
            let mut calls = Vec::new();
            read(&sent, &mut calls);
            prop_assert!(calls.is_empty(), "{calls:?}");
        }

        #[test]
        fn what_is_streamed_calls_nobody_and_leads_nowhere(
            blocks in proptest::collection::vec(block(), 0..6),
        ) {
            let text = streamed(&blocks);
            prop_assert!(!text.contains('<') && !text.contains('>'), "{text}");
            prop_assert!(!text.contains("://") && !text.contains("]("), "{text}");
            // Each mark has a backslash before it, which has none.
            let bare = text.replace("\\\\", "");
            let mut before = ' ';
            for c in bare.chars() {
                prop_assert!(!"`*_[]#".contains(c) || before == '\\', "{text}");
                before = c;
            }
        }

        #[test]
        fn every_part_of_a_long_answer_fits_and_no_letter_is_lost(
            blocks in proptest::collection::vec(block(), 0..80),
        ) {
            let page = Page { blocks, buttons: Vec::new() };
            let parts = page::parts(page, LONGEST, &measure);
            for part in &parts {
                let sent = sent(part);
                prop_assert!(sent["text"].as_str().unwrap().chars().count() <= 4_000);
                let blocks = sent["blocks"].as_array().map_or(0, Vec::len);
                prop_assert!(blocks <= 50, "{blocks} blocks");
                let empty = sent.to_string().contains(r#""text":"""#);
                prop_assert!(!empty);
            }
        }
    }
}
