//! The headings of a Markdown text, as a reader sees them.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::Span;
use super::window::{Kind, WINDOW, windows};

/// Longer headings are text that somebody set large; they open no section.
const LONGEST_HEADING: usize = 200;

/// A heading as a reader sees it.
pub(crate) struct Heading {
    pub(crate) level: usize,
    /// Its words, without marks.
    pub(crate) words: String,
    pub(crate) span: Span,
}

/// The headings of a Markdown text. Those inside quotes and lists belong to the quote or list.
pub(crate) fn headings(text: &str) -> Vec<Heading> {
    let mut found = Vec::new();
    for window in windows(text, WINDOW)
        .into_iter()
        .filter(|window| window.kind == Kind::Markdown)
    {
        let Span { start, end } = window.span;
        for mut heading in headings_within(text.get(start..end).unwrap_or_default()) {
            heading.span.start += start;
            heading.span.end += start;
            found.push(heading);
        }
    }
    found
}

fn headings_within(text: &str) -> Vec<Heading> {
    let mut found = Vec::new();
    let mut depth = 0_usize;
    let mut open: Option<Heading> = None;
    for (event, range) in Parser::new_ext(text, syntax()).into_offset_iter() {
        match (&event, open.as_mut()) {
            (Event::Start(Tag::Heading { level, .. }), None) if depth == 0 => {
                open = Some(Heading {
                    level: *level as usize,
                    words: String::new(),
                    span: Span {
                        start: range.start,
                        end: range.end,
                    },
                });
            },
            (Event::End(TagEnd::Heading(_)), Some(_)) if depth == 1 => {
                found.extend(open.take().and_then(Heading::tidied));
            },
            (Event::Text(words) | Event::Code(words), Some(heading)) => {
                heading.words.push_str(words);
            },
            (Event::SoftBreak | Event::HardBreak, Some(heading)) => heading.words.push(' '),
            _ => {},
        }
        if matches!(event, Event::Start(_)) {
            depth += 1;
        } else if matches!(event, Event::End(_)) {
            depth = depth.saturating_sub(1);
        }
    }
    found
}

impl Heading {
    fn tidied(mut self) -> Option<Self> {
        self.words = self.words.split_whitespace().collect::<Vec<_>>().join(" ");
        let length = self.words.chars().count();
        (1..=LONGEST_HEADING).contains(&length).then_some(self)
    }
}

/// The Markdown that documents are read as: GitHub's, with heading attributes.
pub(crate) fn syntax() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_HEADING_ATTRIBUTES
}
