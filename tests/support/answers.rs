//! Long answers of everything that people and documents write, for every messenger alike.

use saseo::domain::page::{Block, Page, Run};

use super::seeded::Chance;

/// Pieces that long answers are made of.
const PIECES: [&str; 16] = [
    "연차는 일 년에 열닷새이며, 남은 연차는 다음 해로 넘기지 않습니다. ",
    "Every employee has fifteen days of leave a year; ask the team. ",
    "👩‍👩‍👧‍👦 🇰🇷 😀 ",
    "| 이름 | days |\n|---|---|\n| 연차 | 15 |\n",
    "`saseo add docs/` and ``two`` and ``` three ```",
    "\n\n# A heading\n\n",
    "- a list\n- of *things* and __others__ ~~gone~~ ||hidden||\n",
    "한글과영문mixed낱말이띄어쓰기없이길게이어집니다",
    "https://example.com/a_b_c?d=e#f ",
    "@everyone <@12> <@&34> ",
    "[text](https://example.com) ![image](https://example.com/a.png) ",
    "\\ \\\\ \\` < > & \" ' ",
    "漢字とかな。日本語の文です。",
    "word ",
    "```\nlet fenced = \"code\";\n```\n",
    "| 항목 | 값 |\n|:--|--:|\n| 가나다 | 1,234 |\n| ✅ | ❌ |\n",
];

fn some(chance: &mut Chance, most: usize) -> String {
    (0..=chance.below(most))
        .map(|_| PIECES[chance.below(PIECES.len())])
        .collect()
}

/// An answer of up to nine blocks, of so many pieces each.
pub(crate) fn long_answer(chance: &mut Chance, most: usize) -> Page {
    let blocks = (0..=chance.below(8)).map(|_| match chance.below(8) {
        0 | 1 => Block::Code(some(chance, most)),
        2 => Block::Small(vec![Run::Text(some(chance, most / 4))]),
        3 => Block::Paragraph(vec![
            Run::Text("[1] ".to_owned()),
            Run::Link {
                title: format!("Leave {}", some(chance, 3)),
                url: "https://wiki.example/휴가 규정?a=b".to_owned(),
            },
        ]),
        4 => Block::Paragraph(vec![
            Run::Strong(some(chance, 6)),
            Run::Text(some(chance, 6)),
        ]),
        _ => Block::text(some(chance, most)),
    });
    Page {
        blocks: blocks.collect(),
        buttons: Vec::new(),
    }
}
