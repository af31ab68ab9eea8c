//! Replies as posts: the placeholder, the answer, the receipt, and what commands give back.

use std::collections::BTreeMap;

use super::answer::{Answer, Citation, Declined, Outcome};
use super::document::{Card, Shelfmark};
use super::event::Press;
use super::language::Language;
use super::notice::Notice;
use super::page::{Block, Button, Page, Run, Weight};
use super::passage::Passage;
use super::receipt::Receipt;
use super::render::{self, Words};
use super::revision::{Change, Entry};
use super::sentence;

/// The labels of buttons, in one language.
struct Labels {
    useful: &'static str,
    not_useful: &'static str,
    sources: &'static str,
    share: &'static str,
    stop: &'static str,
}

fn labels(language: Language) -> Labels {
    match language {
        Language::Korean => Labels {
            useful: "도움이 됐어요",
            not_useful: "도움이 안 됐어요",
            sources: "출처 보기",
            share: "모두에게 보이기",
            stop: "멈추기",
        },
        Language::English | Language::Other => Labels {
            useful: "Useful",
            not_useful: "Not useful",
            sources: "Sources",
            share: "Share with everyone",
            stop: "Stop",
        },
    }
}

/// The event with this short key waits, with a button to stop it.
pub fn waiting(notice: &Notice<'_>, language: Language, short: &str) -> Page {
    let mut page = Page::notice(notice.text(language));
    page.buttons.push(stop(language, short));
    page
}

/// What was found, and what stands of the answer so far.
pub fn so_far(
    titles: &[String],
    sentences: &[String],
    language: Language,
    short: &str,
) -> Page {
    let words = render::words(language);
    let mut blocks = Vec::new();
    if !titles.is_empty() {
        let found = format!("{} {}", words.found, titles.join(", "));
        blocks.push(Block::Small(vec![Run::Text(found)]));
    }
    blocks.push(match sentences {
        [] => Block::text(MORE),
        sentences => Block::text(format!("{} {MORE}", sentences.join(" "))),
    });
    Page {
        blocks,
        buttons: vec![stop(language, short)],
    }
}

/// Stands where an answer goes on.
const MORE: &str = "…";

/// What a page of [`so_far`] says already: pages of one answer begin with what those before it
/// said, for messengers that only add to what stands. `None` for every other page.
pub fn growing(page: &Page) -> Option<Vec<Block>> {
    let (last, before) = page.blocks.split_last()?;
    let [
        Button {
            press: Press::Stop(_),
            ..
        },
    ] = page.buttons.as_slice()
    else {
        return None;
    };
    let Block::Paragraph(runs) = last else {
        return None;
    };
    let [Run::Text(text)] = runs.as_slice() else {
        return None;
    };
    let said = text.strip_suffix(MORE)?.trim_end();
    let said = (!said.is_empty()).then(|| Block::text(said));
    Some(before.iter().cloned().chain(said).collect())
}

/// The titles of the passages, each once, at most three.
pub fn titles(passages: &[Passage]) -> Vec<String> {
    const SHOWN: usize = 3;
    let mut titles: Vec<String> = Vec::new();
    for passage in passages {
        if titles.len() < SHOWN && !titles.contains(&passage.title) {
            titles.push(passage.title.clone());
        }
    }
    titles
}

/// The final form of an answer, or that there is none.
pub fn answer(receipt: &Receipt) -> Page {
    let mut blocks = outcome(&receipt.outcome);
    blocks.push(small(&render::footer(receipt)));
    Page {
        blocks,
        buttons: verdicts(render::language(&receipt.outcome), &receipt.id),
    }
}

/// The answer whose receipt could not be kept: nobody can ask for it, or judge by it.
pub fn answer_without_receipt(receipt: &Receipt) -> Page {
    let mut blocks = outcome(&receipt.outcome);
    let words = render::words(render::language(&receipt.outcome));
    blocks.push(small(words.receipt_lost));
    blocks.push(small(&render::makers(receipt)));
    Page {
        blocks,
        buttons: Vec::new(),
    }
}

/// Says above the footer of an answer that files which came with the question were not read.
pub fn beside(mut page: Page, unread: &[String], language: Language) -> Page {
    if !unread.is_empty() {
        let names = unread.join(", ");
        let footer = page.blocks.len().saturating_sub(1);
        let said = small(&Notice::Unread(&names).text(language));
        page.blocks.insert(footer, said);
    }
    page
}

fn outcome(outcome: &Outcome) -> Vec<Block> {
    let words = render::words(render::language(outcome));
    let mut blocks = match outcome {
        Outcome::Answered(answer) => answered(answer, words),
        Outcome::Declined(declined) => declined_blocks(declined, words),
    };
    blocks.extend(render::note(outcome).map(small));
    blocks
}

fn small(text: &str) -> Block {
    Block::small(text)
}

fn answered(answer: &Answer, words: &Words) -> Vec<Block> {
    let (mut blocks, mut line) = (Vec::new(), String::new());
    let flush = |line: &mut String, blocks: &mut Vec<Block>| {
        if !line.is_empty() {
            blocks.push(Block::text(std::mem::take(line)));
        }
    };
    for (at, sentence) in answer.sentences.iter().enumerate() {
        let next = answer.sentences.get(at + 1);
        let ends = next.is_none_or(|next| next.citation != sentence.citation);
        let number = if ends {
            format!(" [{}]", sentence.citation + 1)
        } else {
            String::new()
        };
        if sentence.code {
            flush(&mut line, &mut blocks);
            blocks.push(Block::Code(sentence.text.clone()));
            line.push_str(number.trim_start());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&sentence.text);
            line.push_str(&number);
        }
    }
    flush(&mut line, &mut blocks);
    blocks.push(Block::Paragraph(vec![Run::Strong(
        words.sources.to_owned(),
    )]));
    for (number, citation) in (1..).zip(&answer.citations) {
        blocks.push(source((number, citation), answer.language));
    }
    blocks
}

/// A source with its number.
fn source((number, citation): (usize, &Citation), language: Language) -> Block {
    let title = render::source(citation, language);
    let number = Run::Text(format!("[{number}] "));
    Block::Paragraph(vec![number, linked(title, &citation.uri)])
}

/// `title` as a link, where `uri` is one.
fn linked(title: String, uri: &str) -> Run {
    if is_link(uri) {
        let url = uri.to_owned();
        return Run::Link { title, url };
    }
    Run::Text(format!("{title} · {uri}"))
}

/// Whether `uri` can be followed.
pub fn is_link(uri: &str) -> bool {
    uri.starts_with("https://") || uri.starts_with("http://")
}

fn declined_blocks(declined: &Declined, words: &Words) -> Vec<Block> {
    let mut blocks = vec![Block::text(words.not_in_library)];
    if !declined.nearest.is_empty() {
        let pages = declined.nearest.iter().map(|page| page.title.as_str());
        let nearest = pages.collect::<Vec<_>>().join(", ");
        blocks.push(Block::text(format!("{} {nearest}", words.nearest)));
    }
    blocks
}

fn stop(language: Language, short: &str) -> Button {
    Button {
        label: labels(language).stop,
        press: Press::Stop(short.to_owned()),
        weight: Weight::Plain,
    }
}

fn verdicts(language: Language, receipt: &str) -> Vec<Button> {
    let labels = labels(language);
    let plain = |label, press: fn(String) -> Press| Button {
        label,
        press: press(receipt.to_owned()),
        weight: Weight::Plain,
    };
    vec![
        plain(labels.useful, Press::Useful),
        plain(labels.not_useful, Press::NotUseful),
        plain(labels.sources, Press::Sources),
    ]
}

/// `page` as it is shown to one person alone: if it is an answer, with a button to show it to
/// everybody.
pub fn alone(page: &Page, language: Language) -> Page {
    let mut page = page.clone();
    let receipt = page.buttons.iter().find_map(|button| match &button.press {
        Press::Sources(receipt) => Some(receipt.clone()),
        Press::Useful(_)
        | Press::NotUseful(_)
        | Press::Share(_)
        | Press::Stop(_)
        | Press::Add(_)
        | Press::Leave(_) => None,
    });
    page.buttons.extend(receipt.map(|receipt| Button {
        label: labels(language).share,
        press: Press::Share(receipt),
        weight: Weight::Plain,
    }));
    page
}

/// A receipt for a person: what was consulted, and what made the answer.
pub fn receipt(receipt: &Receipt) -> Page {
    let language = render::language(&receipt.outcome);
    let words = render::words(language);
    let mut blocks = Vec::new();
    if let Outcome::Answered(answer) = &receipt.outcome {
        blocks.push(Block::Paragraph(vec![Run::Strong(
            words.sources.to_owned(),
        )]));
        for (number, citation) in (1..).zip(&answer.citations) {
            blocks.push(source((number, citation), language));
            blocks.push(Block::text(format!("“{}”", citation.quote)));
        }
    }
    if !receipt.passages.is_empty() {
        blocks.push(Block::Small(vec![Run::Text(words.found.to_owned())]));
    }
    for passage in &receipt.passages {
        let place = [
            std::slice::from_ref(&passage.uri),
            passage.heading.as_slice(),
        ]
        .concat();
        let score = format!("{:.2}", passage.scores.fused);
        let line = format!("{score} · {}", render::heading(&place));
        blocks.push(Block::Small(vec![Run::Text(line)]));
    }
    blocks.push(Block::Small(vec![Run::Text(render::footer(receipt))]));
    Page {
        blocks,
        buttons: Vec::new(),
    }
}

/// Documents, one a line; how many more there are.
pub fn list(cards: &[Card], language: Language) -> Page {
    const SHOWN: usize = 40;
    if cards.is_empty() {
        return Page::notice(Notice::EmptyLibrary.text(language));
    }
    let mut blocks: Vec<Block> = cards
        .iter()
        .take(SHOWN)
        .map(|card| {
            let Shelfmark { collection, uri } = &card.shelfmark;
            let before = Run::Text(format!("{collection} · "));
            Block::Paragraph(vec![before, linked(card.title.clone(), uri)])
        })
        .collect();
    if let Some(more) = cards.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        blocks.push(Block::text(match language {
            Language::Korean => format!(
                "그 밖에 {more}개가 더 있습니다. `/서가 목록`(Slack: `/library 목록`)에 컬렉션을 적어 \
                 줄이거나 `/서가 검색`(Slack: `/library 검색`)으로 찾아보세요."
            ),
            Language::English | Language::Other => format!(
                "and {more} more. `/library list` with a collection shows fewer, and `/library \
                 search` finds by words."
            ),
        }));
    }
    Page {
        blocks,
        buttons: Vec::new(),
    }
}

/// Passages for some words, each with a link to where it stands.
pub fn found(passages: &[Passage], language: Language) -> Page {
    const SHOWN: usize = 5;
    if passages.is_empty() {
        return Page::notice(render::words(language).not_in_library);
    }
    let mut blocks = Vec::new();
    for passage in passages.iter().take(SHOWN) {
        let mut path = vec![passage.title.clone()];
        path.extend(
            passage
                .heading
                .iter()
                .filter(|part| **part != passage.title)
                .cloned(),
        );
        let (title, url) = (render::heading(&path), passage.uri.clone());
        blocks.push(Block::Paragraph(if is_link(&url) {
            vec![Run::Link { title, url }]
        } else {
            vec![Run::Strong(title), Run::Text(format!(" · {url}"))]
        }));
        blocks.push(Block::text(glimpse(&passage.text)));
    }
    Page {
        blocks,
        buttons: Vec::new(),
    }
}

/// The beginning of a passage as a person reads it. A table is no more than its cells there.
fn glimpse(markdown: &str) -> String {
    const LONGEST: usize = 240;
    let is_row = |line: &&str| line.trim_start().starts_with('|');
    let is_rule = |cell: &String| cell.chars().all(|c| "-: ".contains(c));
    let prose: Vec<&str> = markdown.lines().filter(|line| !is_row(line)).collect();
    let mut text = sentence::plain(&prose.join("\n"));
    if text.is_empty() {
        let rows = markdown.lines().filter(is_row).map(sentence::cells);
        let rows = rows.filter(|cells| !cells.iter().all(is_rule));
        let rows: Vec<String> = rows.map(|cells| cells.join(" · ")).collect();
        text = rows.join("\n");
    }
    if text.chars().count() > LONGEST {
        text = text.chars().take(LONGEST).collect();
        text.push('…');
    }
    text
}

/// The last entries of the register, newest first.
pub fn log(entries: &[Entry], language: Language) -> Page {
    const SHOWN: usize = 10;
    if entries.is_empty() {
        return Page::notice(Notice::EmptyLibrary.text(language));
    }
    let mut titles: BTreeMap<&Shelfmark, &str> = BTreeMap::new();
    let mut lines: Vec<Block> = entries
        .iter()
        .map(|entry| {
            // What is removed is known by what was said when it came.
            let changed = changed(&entry.changes, &mut titles, language);
            let moment = entry.at.format("%Y-%m-%d %H:%M UTC");
            let Entry { revision, by, .. } = entry;
            Block::text(format!("{revision} · {moment} · {changed} · {by}"))
        })
        .collect();
    let older = lines.len().saturating_sub(SHOWN);
    let mut blocks = lines.split_off(older);
    blocks.reverse();
    Page {
        blocks,
        buttons: Vec::new(),
    }
}

/// The library at a glance: how it stands, what changed, how to ask.
pub fn overview(status: Page, log: Page, language: Language) -> Page {
    let [library, lately, asking] = match language {
        Language::Korean => ["서가", "최근에 바뀐 것", "물어보는 방법"],
        Language::English | Language::Other => ["The library", "Latest changes", "How to ask"],
    };
    let hint = Page::notice(Notice::Hint.text(language));
    let parts = [(library, status), (lately, log), (asking, hint)];
    let blocks = parts.into_iter().flat_map(|(heading, page)| {
        let heading = Block::Paragraph(vec![Run::Strong(heading.to_owned())]);
        std::iter::once(heading).chain(page.blocks)
    });
    Page {
        blocks: blocks.collect(),
        buttons: Vec::new(),
    }
}

/// What changed, by title, a few of each kind: `added Leave, Doors and 3 more`.
fn changed<'e>(
    changes: &'e [Change],
    titles: &mut BTreeMap<&'e Shelfmark, &'e str>,
    language: Language,
) -> String {
    let heads = match language {
        Language::Korean => ["추가", "바꿈", "뺌"],
        Language::English | Language::Other => ["added", "changed", "removed"],
    };
    let [mut added, mut replaced, mut removed] = [const { Vec::new() }; 3];
    for change in changes {
        match change {
            Change::Added(card) => {
                titles.insert(&card.shelfmark, &card.title);
                added.push(card.title.as_str());
            },
            Change::Replaced(card) => {
                titles.insert(&card.shelfmark, &card.title);
                replaced.push(card.title.as_str());
            },
            Change::Removed(place) => {
                let title = titles.get(place).copied();
                removed.push(title.unwrap_or(&place.uri));
            },
        }
    }
    let kinds = heads.into_iter().zip([added, replaced, removed]);
    let told = kinds
        .filter(|(_, titles)| !titles.is_empty())
        .map(|(head, titles)| format!("{head} {}", a_few(&titles, language)));
    told.collect::<Vec<_>>().join("; ")
}

fn a_few(titles: &[&str], language: Language) -> String {
    const FEW: usize = 3;
    let named: Vec<&str> = titles.iter().take(FEW).copied().collect();
    let named = named.join(", ");
    match (titles.len().saturating_sub(FEW), language) {
        (0, _) => named,
        (more, Language::Korean) => format!("{named} 외 {more}개"),
        (more, Language::English | Language::Other) => format!("{named} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_a_growing_answer_begin_with_what_those_before_them_said() {
        let said = |titles: &[&str], sentences: &[&str]| {
            let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
            let (titles, sentences): (Vec<_>, Vec<_>) = (owned(titles), owned(sentences));
            let page = so_far(&titles, &sentences, Language::English, "3fa9");
            growing(&page).unwrap()
        };
        assert_eq!(said(&[], &[]), []);
        let [Block::Small(_)] = said(&["Leave"], &[])[..] else {
            panic!("{:?}", said(&["Leave"], &[]));
        };
        let whole = said(&["Leave"], &["15 days.", "And so on…"]);
        assert_eq!(whole[1..], [Block::text("15 days. And so on…")]);
    }

    #[test]
    fn what_is_no_growing_answer_is_not_taken_for_one() {
        let waiting = waiting(&Notice::InLine(3), Language::Korean, "3fa9");
        assert_eq!(growing(&waiting), None);
        assert_eq!(growing(&Page::notice("Wait …")), None);
        assert_eq!(growing(&Page::default()), None);
    }

    #[test]
    fn of_a_table_its_cells_are_shown_and_beside_prose_only_the_prose() {
        let table = "| Code | Means |\n|---|:-:|\n| 2 | wrong use |";
        assert_eq!(glimpse(table), "Code · Means\n2 · wrong use");
        let both = format!("Programs tell **how** they ended.\n\n{table}");
        assert_eq!(glimpse(&both), "Programs tell how they ended.");
        assert_eq!(glimpse(&"가".repeat(300)), format!("{}…", "가".repeat(240)));
    }

    #[test]
    fn more_than_a_few_titles_are_counted() {
        let titles = ["A", "B", "C", "D", "E"];
        assert_eq!(a_few(&titles, Language::English), "A, B, C and 2 more");
        assert_eq!(a_few(&["A"], Language::Korean), "A");
    }
}
