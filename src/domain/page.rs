//! A post as every messenger can show it, before it is put into one's dialect; and how a long
//! one is cut into several.

use super::event::Press;

/// One post.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub blocks: Vec<Block>,
    pub buttons: Vec<Button>,
}

/// A part of a post that stands on lines of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    Paragraph(Vec<Run>),
    Code(String),
    /// Set smaller where the platform can: footers, notes.
    Small(Vec<Run>),
}

/// A part of a line. Text is data: a dialect shows it letter by letter, whatever is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Run {
    Text(String),
    Strong(String),
    /// The only thing that becomes a link.
    Link {
        title: String,
        url: String,
    },
}

/// A button under a post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    pub label: &'static str,
    pub press: Press,
    pub weight: Weight,
}

/// How much a button asks to be pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    Plain,
    Main,
    Danger,
}

impl Page {
    /// A post of one sentence.
    pub fn notice(text: impl Into<String>) -> Self {
        Self {
            blocks: vec![Block::Paragraph(vec![Run::Text(text.into())])],
            buttons: Vec::new(),
        }
    }
}

impl Block {
    /// A paragraph of plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Paragraph(vec![Run::Text(text.into())])
    }

    /// A line of small text.
    pub fn small(text: impl Into<String>) -> Self {
        Self::Small(vec![Run::Text(text.into())])
    }
}

/// Cuts `page` so that no part is longer than `longest`, as `measure` puts a block into the
/// platform's dialect and counts, the line end after it included. Text is cut where it hurts
/// least: between blocks, lines, sentences, words. The buttons stay with the last part.
pub fn parts(page: Page, longest: usize, measure: &dyn Fn(&Block) -> usize) -> Vec<Page> {
    let Page { blocks, buttons } = page;
    let (mut parts, mut part, mut room) = (Vec::new(), Page::default(), longest);
    for block in blocks {
        for piece in pieces(block, longest, measure) {
            let long = measure(&piece);
            if long > room && !part.blocks.is_empty() {
                parts.push(std::mem::take(&mut part));
                room = longest;
            }
            room = room.saturating_sub(long);
            part.blocks.push(piece);
        }
    }
    part.buttons = buttons;
    parts.push(part);
    parts
}

/// `block`, in as many pieces as it takes that each fits by itself.
fn pieces(block: Block, longest: usize, measure: &dyn Fn(&Block) -> usize) -> Vec<Block> {
    if measure(&block) <= longest {
        return vec![block];
    }
    match block {
        Block::Code(text) => cut(&text, &|part| {
            measure(&Block::Code(part.to_owned())) <= longest
        })
        .map(Block::Code)
        .collect(),
        Block::Paragraph(runs) => {
            spread(runs, longest, &|runs| Block::Paragraph(runs), measure)
        },
        Block::Small(runs) => spread(runs, longest, &|runs| Block::Small(runs), measure),
    }
}

/// Runs over as many blocks as it takes; a run that fits no block by itself is cut.
fn spread(
    runs: Vec<Run>,
    longest: usize,
    block: &dyn Fn(Vec<Run>) -> Block,
    measure: &dyn Fn(&Block) -> usize,
) -> Vec<Block> {
    let fits = |runs: &[Run]| measure(&block(runs.to_vec())) <= longest;
    let (mut blocks, mut line) = (Vec::new(), Vec::new());
    for run in runs {
        for piece in run_pieces(run, &fits) {
            line.push(piece);
            if !fits(&line) && line.len() > 1 {
                let last = line.split_off(line.len() - 1);
                blocks.push(block(std::mem::replace(&mut line, last)));
            }
        }
    }
    if !line.is_empty() {
        blocks.push(block(line));
    }
    blocks
}

fn run_pieces(run: Run, fits: &dyn Fn(&[Run]) -> bool) -> Vec<Run> {
    if fits(std::slice::from_ref(&run)) {
        return vec![run];
    }
    match run {
        Run::Text(text) => cut(&text, &|part| fits(&[Run::Text(part.to_owned())]))
            .map(Run::Text)
            .collect(),
        Run::Strong(text) => cut(&text, &|part| fits(&[Run::Strong(part.to_owned())]))
            .map(Run::Strong)
            .collect(),
        // A link that is longer than a post is no link a person could use.
        Run::Link { title, url: _ } => run_pieces(Run::Text(title), fits),
    }
}

/// `text` in pieces that fit; together they are `text` again, letter by letter.
fn cut<'a>(text: &'a str, fits: &'a dyn Fn(&str) -> bool) -> impl Iterator<Item = String> + 'a {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let most = longest_prefix(rest, fits);
        let at = if most == rest.len() {
            most
        } else {
            best_end(rest.get(..most).unwrap_or_default())
        };
        let (piece, after) = rest.split_at_checked(at).unwrap_or((rest, ""));
        rest = after;
        Some(piece.to_owned())
    })
}

/// The length in bytes of the longest prefix that fits, and at least one character.
fn longest_prefix(text: &str, fits: &dyn Fn(&str) -> bool) -> usize {
    let ends: Vec<usize> = text
        .char_indices()
        .map(|(at, c)| at + c.len_utf8())
        .collect();
    let fitting = ends.partition_point(|end| fits(text.get(..*end).unwrap_or_default()));
    let last = ends.get(fitting.saturating_sub(1));
    last.copied().unwrap_or(text.len())
}

/// Where to end a piece that must not be longer than `text`: after a paragraph, a line, a
/// sentence or a word, unless that leaves it less than a third full.
fn best_end(text: &str) -> usize {
    let enough = text.len() / 3;
    let after = |pattern: &str| text.rfind(pattern).map(|at| at + pattern.len());
    ["\n\n", "\n", ". ", "。", "? ", "! ", " "]
        .into_iter()
        .filter_map(after)
        .find(|at| *at >= enough)
        .unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marked(block: &Block) -> String {
        let words = |runs: &[Run]| -> String {
            runs.iter()
                .map(|run| match run {
                    Run::Text(text) => text.clone(),
                    Run::Strong(text) => format!("**{text}**"),
                    Run::Link { title, url } => format!("[{title}]({url})"),
                })
                .collect()
        };
        match block {
            Block::Paragraph(runs) => format!("{}\n", words(runs)),
            Block::Small(runs) => format!("-# {}\n", words(runs)),
            Block::Code(text) => format!("```\n{text}\n```\n"),
        }
    }

    fn letters(pages: &[Page]) -> String {
        let text = |run: &Run| match run {
            Run::Text(text) | Run::Strong(text) | Run::Link { title: text, .. } => text.clone(),
        };
        pages
            .iter()
            .flat_map(|page| &page.blocks)
            .map(|block| match block {
                Block::Paragraph(runs) | Block::Small(runs) => {
                    runs.iter().map(text).collect::<String>()
                },
                Block::Code(code) => code.clone(),
            })
            .collect()
    }

    fn cut_up(page: Page, longest: usize) -> Vec<Page> {
        parts(page, longest, &|block| marked(block).chars().count())
    }

    #[test]
    fn what_fits_stays_one_post() {
        let page = Page::notice("short");
        assert_eq!(cut_up(page.clone(), 50), [page]);
    }

    #[test]
    fn a_long_text_is_cut_between_sentences() {
        let text = "One is here. Two is here. Three is here.";
        let cut = cut_up(Page::notice(text), 30);
        let shown: Vec<_> = cut
            .iter()
            .map(|page| letters(std::slice::from_ref(page)))
            .collect();
        assert_eq!(shown, ["One is here. Two is here. ", "Three is here."]);
    }

    #[test]
    fn code_keeps_its_fences_on_every_page_and_buttons_stay_on_the_last() {
        let button = Button {
            label: "Sources",
            press: Press::Sources("1".into()),
            weight: Weight::Plain,
        };
        let page = Page {
            blocks: vec![Block::Code("first line\nsecond line\nthird line\n".into())],
            buttons: vec![button.clone()],
        };
        let cut = cut_up(page, 32);
        assert!(cut.len() > 1);
        for page in &cut {
            assert!(
                page.blocks
                    .iter()
                    .all(|block| marked(block).matches("```").count() == 2)
            );
        }
        let (last, before) = cut.split_last().unwrap();
        assert_eq!(last.buttons, [button]);
        assert!(before.iter().all(|page| page.buttons.is_empty()));
    }

    fn run() -> impl Strategy<Value = Run> {
        let text = "[a-c가-다😀 .\n]{0,60}";
        prop_oneof![
            text.prop_map(Run::Text),
            text.prop_map(Run::Strong),
            (text, "h[a-z]{0,20}").prop_map(|(title, url)| Run::Link { title, url }),
        ]
    }

    fn block() -> impl Strategy<Value = Block> {
        let runs = || proptest::collection::vec(run(), 0..6);
        prop_oneof![
            runs().prop_map(Block::Paragraph),
            runs().prop_map(Block::Small),
            "[a-c가-다\n ]{0,200}".prop_map(Block::Code),
        ]
    }

    proptest! {
        #[test]
        fn no_part_is_too_long_and_no_letter_is_lost(
            blocks in proptest::collection::vec(block(), 0..8),
            longest in 20_usize..120,
        ) {
            let page = Page { blocks, buttons: Vec::new() };
            let cut = cut_up(page.clone(), longest);
            for part in &cut {
                let long: usize = part.blocks.iter().map(|block| marked(block).chars().count()).sum();
                prop_assert!(long <= longest, "{long} over {longest}");
            }
            prop_assert_eq!(letters(&cut), letters(&[page]));
        }
    }
}
