//! The sections of a document, and which of them share a chunk.

use super::heading::{Heading, headings};
use super::{BYTES_PER_TOKEN, Page, Span};

/// A heading and the text up to the next one.
pub(super) struct Section {
    /// The headings above the text, its own included.
    pub(super) path: Vec<String>,
    /// Where the heading begins.
    pub(super) start: usize,
    /// Where the text under it begins.
    body: usize,
    pub(super) end: usize,
}

impl Section {
    fn is_bare(&self, text: &str) -> bool {
        text.get(self.body..self.end)
            .is_none_or(|body| body.trim().is_empty())
    }

    fn is_above(&self, other: &Self) -> bool {
        other.path.len() > self.path.len() && other.path.starts_with(&self.path)
    }
}

pub(super) fn sections(text: &str, title: &str) -> Vec<Section> {
    let mut sections = vec![Section {
        path: Vec::new(),
        start: 0,
        body: 0,
        end: text.len(),
    }];
    let mut above: Vec<Heading> = Vec::new();
    for heading in headings(text) {
        if let Some(before) = sections.last_mut() {
            before.end = heading.span.start;
        }
        above.retain(|upper| upper.level < heading.level);
        let span = heading.span;
        above.push(heading);
        let mut path: Vec<String> = above.iter().map(|upper| upper.words.clone()).collect();
        if path.first().is_some_and(|first| first == title) {
            path.remove(0);
        }
        sections.push(Section {
            path,
            start: span.start,
            body: span.end,
            end: text.len(),
        });
    }
    sections
}

/// One or more neighbouring sections that are cut together.
pub(super) struct Group {
    pub(super) heading: Vec<String>,
    pub(super) span: Span,
}

impl Group {
    pub(super) fn whole(text: &str) -> Self {
        Self {
            heading: Vec::new(),
            span: Span {
                start: 0,
                end: text.len(),
            },
        }
    }

    fn of(members: &[Section]) -> Option<Self> {
        let (first, last) = (members.first()?, members.last()?);
        let heading = common_path(members);
        // When the path says the first heading, the text need not say it again.
        let start = if heading.len() == first.path.len() {
            first.body
        } else {
            first.start
        };
        Some(Self {
            heading,
            span: Span {
                start,
                end: last.end,
            },
        })
    }
}

fn common_path(members: &[Section]) -> Vec<String> {
    let Some((first, others)) = members.split_first() else {
        return Vec::new();
    };
    let shared = |other: &Section| {
        let pairs = first.path.iter().zip(&other.path);
        pairs.take_while(|(mine, its)| mine == its).count()
    };
    let length = others.iter().map(shared).min().unwrap_or(first.path.len());
    first.path.iter().take(length).cloned().collect()
}

pub(super) fn groups(page: &Page<'_>, sections: &[Section]) -> Vec<Group> {
    let mut groups = Vec::new();
    let mut rest = sections;
    while let Some(first) = rest.first() {
        let together = tiny_neighbours(page, rest).max(1);
        let (members, after) = rest.split_at(together);
        rest = after;
        if together > 1 || !first.is_bare(page.text) {
            groups.extend(Group::of(members));
        }
    }
    groups
}

/// How many sections at the head of `sections` are tiny and belong together.
fn tiny_neighbours(page: &Page<'_>, sections: &[Section]) -> usize {
    let Some((first, others)) = sections.split_first() else {
        return 0;
    };
    let leads_nowhere = |at: usize| {
        let (section, next) = (sections.get(at), sections.get(at + 1));
        matches!((section, next), (Some(section), Some(next))
            if section.is_bare(page.text) && section.is_above(next))
    };
    let Some(mut length) = tiny_length(page, first).filter(|_| !leads_nowhere(0)) else {
        return 1;
    };
    let parent = first.path.len().saturating_sub(1);
    let mut together = 1;
    for other in others {
        let related = other.path.len() > parent
            && other
                .path
                .iter()
                .take(parent)
                .eq(first.path.iter().take(parent));
        let Some(more) = tiny_length(page, other).filter(|_| related) else {
            break;
        };
        length += more;
        if length > page.rules.target {
            break;
        }
        together += 1;
    }
    // A heading whose text did not come along stays with its text.
    while together > 1 && leads_nowhere(together - 1) {
        together -= 1;
    }
    together
}

/// The length of a section that is tiny.
fn tiny_length(page: &Page<'_>, section: &Section) -> Option<usize> {
    let whole = page.text.get(section.start..section.end)?;
    if whole.len() > page.rules.tiny.saturating_mul(BYTES_PER_TOKEN) {
        return None;
    }
    Some((page.tokens)(whole)).filter(|length| *length <= page.rules.tiny)
}
