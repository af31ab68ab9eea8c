//! Cuts a document into chunks.
//!
//! Chunks follow headings and stand in the text exactly as their span says: a citation must
//! point at words that are there. A heading is kept as the chunk's path rather than in its
//! text, so that each part of a long section still says what it is about, and says it once.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use serde::{Deserialize, Serialize};
use text_splitter::{ChunkCapacity, ChunkConfig, ChunkSizer, MarkdownSplitter};

/// Where something stands in a document's text, in bytes; both ends on character boundaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

/// A contiguous part of a document with its heading path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// The headings above it, outermost first, without the document's title.
    pub heading: Vec<String>,
    /// Exactly `document.text[span]`.
    pub text: String,
    pub span: Span,
}

impl Chunk {
    /// What is embedded and indexed for this chunk: a passage that says "it holds 1 MiB" is
    /// found only with the title that says what "it" is.
    pub fn indexed_text(&self, title: &str) -> String {
        let mut parts = vec![title];
        parts.extend(
            self.heading
                .iter()
                .map(String::as_str)
                .filter(|part| *part != title),
        );
        format!("{}\n{}", parts.join(" > "), self.text)
    }
}

/// How long chunks are, in the embedder's tokens. Title and heading path count, because they
/// are embedded with the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkRules {
    /// A section longer than `longest` is cut into parts of about this length.
    pub target: usize,
    /// No chunk is longer. A paragraph, table or code block up to here stays in one piece.
    pub longest: usize,
    /// Neighbouring sections of one parent that are no longer than this share a chunk.
    pub tiny: usize,
}

impl Default for ChunkRules {
    /// Short passages make small prompts, and a small prompt is most of the speed on a CPU:
    /// four passages of 192 tokens are read in the time of one of 768, and name their heading
    /// four times as exactly. 256 leaves room for a whole table or listing. Below 32 tokens a
    /// section (a glossary entry, a "see also") says too little to be found by its meaning.
    fn default() -> Self {
        Self {
            target: 192,
            longest: 256,
            tiny: 32,
        }
    }
}

impl ChunkRules {
    /// These rules for an embedder that reads no more than `window` tokens.
    #[must_use]
    pub fn within(self, window: usize) -> Self {
        Self {
            target: self.target.min(window),
            longest: self.longest.min(window),
            tiny: self.tiny.min(window),
        }
    }
}

/// Longer headings are text that somebody set large; they open no section.
const LONGEST_HEADING: usize = 200;

/// A text with more bytes per token than this is over-long without being counted: it keeps
/// the cost of cutting in proportion to the text, whatever the text is.
const BYTES_PER_TOKEN: usize = 32;

/// Cuts `text` into chunks, in order and without overlap, by `rules`, in `tokens`.
///
/// A chunk lies within one section. Only neighbours that are all [tiny](ChunkRules::tiny)
/// share one, which then carries the heading path they have in common, and their own heading
/// lines in its text: the path is true for every word of it. A heading with nothing under it
/// lives on in the paths below it.
pub fn cut(
    text: &str,
    title: &str,
    rules: ChunkRules,
    tokens: &dyn Fn(&str) -> usize,
) -> Vec<Chunk> {
    let page = Page {
        text,
        title,
        rules,
        tokens,
    };
    let sections = sections(text, title);
    let chunks: Vec<Chunk> = groups(&page, &sections)
        .into_iter()
        .flat_map(|group| parts(&page, group))
        .collect();
    if chunks.is_empty() {
        // Nothing but headings: then they are what the document says.
        return parts(&page, Group::whole(text));
    }
    chunks
}

/// What stays the same while one document is cut.
struct Page<'a> {
    text: &'a str,
    title: &'a str,
    rules: ChunkRules,
    tokens: &'a dyn Fn(&str) -> usize,
}

/// A heading and the text up to the next one.
struct Section {
    /// The headings above the text, its own included.
    path: Vec<String>,
    /// Where the heading begins.
    start: usize,
    /// Where the text under it begins.
    body: usize,
    end: usize,
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

fn sections(text: &str, title: &str) -> Vec<Section> {
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
    for window in windows(text)
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

/// A piece of a text that is read at once. Markdown parsers take many times the memory of
/// what they read, and what they read comes from anybody; a handbook has a hundredth of this.
const WINDOW: usize = 256 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    span: Span,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Markdown,
    /// The inside of a fence that is longer than a window: no headings there.
    Code,
}

/// The windows of `text`, without gaps. They end at blank lines where there are some.
fn windows(text: &str) -> Vec<Window> {
    let mut cutter = Cutter::default();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        cutter.line(text, at, line);
        at += line.len();
    }
    cutter.end(text.len(), Kind::Markdown);
    cutter.windows
}

#[derive(Default)]
struct Cutter {
    windows: Vec<Window>,
    start: usize,
    kind: Option<Kind>,
    /// Behind the last blank line in this window that is in no fence.
    pause: Option<usize>,
    /// The mark of the fence that is open, and how often it stands there.
    fence: Option<(char, usize)>,
}

impl Cutter {
    fn line(&mut self, text: &str, at: usize, line: &str) {
        if at + line.len() - self.start > WINDOW {
            match (self.fence, self.pause) {
                (Some(_), _) => self.end(at, Kind::Code),
                (None, Some(pause)) => self.end(pause, Kind::Markdown),
                (None, None) => self.end(at, Kind::Markdown),
            }
        }
        while at + line.len() - self.start > WINDOW {
            let kind = self.kind.unwrap_or(Kind::Markdown);
            self.end(place_within_line(text, self.start), kind);
        }
        let was_open = self.fence.is_some();
        self.fence = after(self.fence, line);
        if self.fence.is_some() {
            return;
        }
        if was_open && self.kind == Some(Kind::Code) {
            self.end(at + line.len(), Kind::Markdown);
        } else if line.trim().is_empty() {
            self.pause = Some(at + line.len());
        }
    }

    /// Ends the window at `end`; the next one is of `kind`.
    fn end(&mut self, end: usize, kind: Kind) {
        let span = Span {
            start: self.start,
            end,
        };
        if span.start < span.end {
            let kind = self.kind.unwrap_or(Kind::Markdown);
            self.windows.push(Window { span, kind });
        }
        self.start = end;
        self.kind = Some(kind);
        self.pause = None;
    }
}

/// Between two words near the end of a window that begins at `start`, or between two letters.
fn place_within_line(text: &str, start: usize) -> usize {
    let boundary = |at: usize| (start..=at).rev().find(|at| text.is_char_boundary(*at));
    let furthest = boundary(start + WINDOW).unwrap_or(text.len());
    let nearest = boundary(start + WINDOW - WINDOW / 64).unwrap_or(furthest);
    let tail = text.get(nearest..furthest).unwrap_or_default();
    tail.rfind(char::is_whitespace)
        .map_or(furthest, |space| nearest + space)
}

/// The fence that is open after `line`.
fn after(open: Option<(char, usize)>, line: &str) -> Option<(char, usize)> {
    let indented = line.trim_start_matches(' ');
    let mark = indented
        .chars()
        .next()
        .filter(|mark| matches!(mark, '`' | '~'));
    let (Some(mark), true) = (mark, line.len() - indented.len() < 4) else {
        return open;
    };
    let rest = indented.trim_start_matches(mark);
    let length = indented.len() - rest.len();
    match open {
        None if length >= 3 && !(mark == '`' && rest.contains('`')) => Some((mark, length)),
        Some((opened, least))
            if mark == opened && length >= least && rest.trim().is_empty() =>
        {
            None
        },
        open => open,
    }
}

/// One or more neighbouring sections that are cut together.
struct Group {
    heading: Vec<String>,
    span: Span,
}

impl Group {
    fn whole(text: &str) -> Self {
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

fn groups(page: &Page<'_>, sections: &[Section]) -> Vec<Group> {
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

fn parts(page: &Page<'_>, group: Group) -> Vec<Chunk> {
    let Span { start, end } = group.span;
    let text = page.text.get(start..end).unwrap_or_default();
    if text.trim().is_empty() {
        return Vec::new();
    }
    let (heading, taken) = fitting_path(page, group.heading);
    windows(text)
        .into_iter()
        .flat_map(|window| {
            let span = Span {
                start: start + window.span.start,
                end: start + window.span.end,
            };
            spans(page, span, taken)
        })
        .map(|span| Chunk {
            heading: heading.clone(),
            text: page
                .text
                .get(span.start..span.end)
                .unwrap_or_default()
                .to_owned(),
            span,
        })
        .collect()
}

/// Cuts what is within `span`, when title and heading path have `taken` their tokens.
fn spans(page: &Page<'_>, span: Span, taken: usize) -> Vec<Span> {
    let Some((start, text)) = trimmed(page.text, span) else {
        return Vec::new();
    };
    let at = |(offset, part): (usize, &str)| Span {
        start: start + offset,
        end: start + offset + part.len(),
    };
    let longest = page.rules.longest;
    let sizer = Sizer {
        room: longest.saturating_sub(taken).max(longest / 4).max(1),
        tokens: page.tokens,
    };
    if sizer.size(text) <= sizer.room {
        return vec![at((0, text))];
    }
    let target = page.rules.target.saturating_sub(taken).clamp(1, sizer.room);
    let capacity = ChunkCapacity::new(target)
        .with_max(sizer.room)
        .unwrap_or_else(|_| ChunkCapacity::new(target));
    MarkdownSplitter::new(ChunkConfig::new(capacity).with_sizer(sizer))
        .chunk_indices(text)
        .filter(|(_, part)| !part.trim().is_empty())
        .map(at)
        .collect()
}

/// Where the text within `span` begins and what it is, without blank lines around it. The
/// first line keeps its indentation, which can be what makes it code.
fn trimmed(text: &str, span: Span) -> Option<(usize, &str)> {
    let inner = text.get(span.start..span.end)?.trim_end();
    let margin = inner.len() - inner.trim_start().len();
    let blank = inner.get(..margin)?.rfind('\n').map_or(0, |end| end + 1);
    let kept = inner.get(blank..)?;
    (!kept.is_empty()).then_some((span.start + blank, kept))
}

/// `path` with as many of its inner headings as leave half a chunk to the text, and the tokens
/// that they and the title take.
fn fitting_path(page: &Page<'_>, path: Vec<String>) -> (Vec<String>, usize) {
    let mut bare = Chunk {
        heading: path,
        text: String::new(),
        span: Span { start: 0, end: 0 },
    };
    loop {
        let taken = (page.tokens)(&bare.indexed_text(page.title));
        if bare.heading.is_empty() || taken <= page.rules.longest / 2 {
            return (bare.heading, taken);
        }
        bare.heading.remove(0);
    }
}

struct Sizer<'a> {
    room: usize,
    tokens: &'a dyn Fn(&str) -> usize,
}

impl ChunkSizer for Sizer<'_> {
    fn size(&self, chunk: &str) -> usize {
        if chunk.len() > self.room.saturating_mul(BYTES_PER_TOKEN) {
            return usize::MAX;
        }
        (self.tokens)(chunk)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> usize {
        text.split_whitespace().count()
    }

    const RULES: ChunkRules = ChunkRules {
        target: 12,
        longest: 20,
        tiny: 4,
    };

    /// Cuts and writes each chunk as `path: text`, the path joined with ` > `.
    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let chunks = cut(text, "Title", RULES, &words);
        let seen: Vec<String> = chunks
            .iter()
            .map(|chunk| format!("{}: {}", chunk.heading.join(" > "), chunk.text))
            .collect();
        assert_eq!(seen, expected);
        for chunk in &chunks {
            assert_eq!(
                text.get(chunk.span.start..chunk.span.end),
                Some(&*chunk.text)
            );
        }
    }

    #[test]
    fn a_chunk_carries_the_headings_above_it_without_marks_and_without_the_title() {
        check(
            "# Title\n\nwelcome to all of you here\n\n## The *first* `part` {#first}\n\n\
             one two three four five\n\n### Inner\n\nsix seven eight nine ten\n\n\
             Second\n------\n\neleven twelve thirteen fourteen fifteen\n",
            &[
                ": welcome to all of you here",
                "The first part: one two three four five",
                "The first part > Inner: six seven eight nine ten",
                "Second: eleven twelve thirteen fourteen fifteen",
            ],
        );
    }

    #[test]
    fn tiny_neighbours_share_a_chunk_that_keeps_their_heading_lines() {
        check(
            "## Words\n\n### Pod\n\nsmall\n\n### Node\n\nlarge\n\n## Far away\n\n\
             this one is long enough to stand alone\n",
            &[
                "Words: ### Pod\n\nsmall\n\n### Node\n\nlarge",
                "Far away: this one is long enough to stand alone",
            ],
        );
    }

    #[test]
    fn a_tiny_section_takes_its_tiny_subsection_along_but_not_its_large_neighbour() {
        check(
            "## A\n\nin short\n\n### B\n\nless\n\n## C\n\none two three four five six\n",
            &[
                "A: in short\n\n### B\n\nless",
                "C: one two three four five six",
            ],
        );
    }

    #[test]
    fn a_heading_with_nothing_under_it_makes_no_chunk_of_its_own() {
        check(
            "## Empty\n\n## Full\n\none two three four five six\n\n## Above\n\n### Below\n\n\
             seven eight nine ten eleven twelve\n",
            &[
                "Full: one two three four five six",
                "Above > Below: seven eight nine ten eleven twelve",
            ],
        );
    }

    #[test]
    fn a_document_of_headings_only_is_still_on_the_shelf() {
        check("# Office hours: 9 to 18\n", &[": # Office hours: 9 to 18"]);
        check(
            "# Open 9 to 18\n\n# Closed on Sundays\n",
            &[": # Open 9 to 18\n\n# Closed on Sundays"],
        );
        check("", &[]);
        check(" \n\t\n", &[]);
    }

    #[test]
    fn a_long_section_is_cut_between_its_blocks_and_code_stays_whole() {
        let code =
            "```sh\nkubectl get pods --all\n# not a heading\nkubectl delete pod web-0\n```";
        let text = format!("## Use\n\n{}\n\n{code}\n", "word ".repeat(12).trim_end());
        let chunks = cut(&text, "Title", RULES, &words);
        let texts: Vec<&str> = chunks.iter().map(|chunk| chunk.text.as_str()).collect();
        assert_eq!(texts, ["word ".repeat(12).trim_end(), code]);
        assert!(chunks.iter().all(|chunk| chunk.heading == ["Use"]));
    }

    #[test]
    fn a_long_table_is_cut_between_its_rows() {
        let rows = "| one | two |\n".repeat(30);
        let text = format!("| a | b |\n|---|---|\n{rows}");
        let chunks = cut(&text, "Title", RULES, &words);
        assert!(chunks.len() > 5);
        for chunk in &chunks {
            assert!(
                chunk.text.starts_with('|') && chunk.text.ends_with('|'),
                "{chunk:?}"
            );
        }
    }

    #[test]
    fn headings_in_quotes_lists_and_code_open_no_section() {
        check(
            "> # Quoted\n> said someone\n\n- # listed\n\n```\n# comment\n```\n",
            &[": > # Quoted\n> said someone\n\n- # listed\n\n```\n# comment\n```"],
        );
    }

    #[test]
    fn a_path_that_would_leave_no_room_loses_its_outer_headings() {
        let text = "# one two three four five six\n\n## seven eight nine ten eleven\n\na b c\n";
        let chunks = cut(text, "Title", RULES, &words);
        assert_eq!(chunks[0].heading, ["seven eight nine ten eleven"]);
    }

    #[test]
    fn an_indented_first_line_stays_indented() {
        check(
            "## A\n\n\n    code here\n    and here\n\nmore text\n",
            &["A:     code here\n    and here\n\nmore text"],
        );
    }

    #[test]
    fn a_long_text_is_read_in_windows_that_join_up() {
        let prose = "one two three\n\n".repeat(WINDOW / 15 * 3);
        let code = format!("```\n{}```\n", "# no heading\n".repeat(WINDOW / 13 * 2));
        let line = "가나다 라마바 ".repeat(WINDOW / 20 * 2);
        for text in [
            &prose,
            &code,
            &line,
            &format!("{prose}# One\n\n{code}\n# Two\n\n{line}"),
        ] {
            let windows = windows(text);
            let mut end = 0;
            for window in &windows {
                assert_eq!(window.span.start, end);
                assert!(window.span.end - end <= WINDOW);
                end = window.span.end;
            }
            assert_eq!(end, text.len());
            assert!(windows.len() > 1);
        }
        let whole = format!("{prose}# One\n\n{code}\n# Two\n\n{line}");
        let words: Vec<String> = headings(&whole)
            .into_iter()
            .map(|found| found.words)
            .collect();
        assert_eq!(words, ["One", "Two"]);
    }

    /// Lines of Markdown, likely and unlikely.
    fn pages() -> impl Strategy<Value = String> {
        let line = prop_oneof![
            3 => "[a-z가-힣]{1,8}( [a-z가-힣]{1,8}){0,20}",
            2 => "#{1,6} [a-z가-힣*`]{0,8}( [a-z]{1,6}){0,3}",
            1 => Just("```".to_owned()),
            1 => Just("---".to_owned()),
            1 => "> [a-z]{1,9}",
            1 => "- [a-z]{1,9}",
            1 => "\\| [a-z]{1,9} \\| [a-z]{1,9} \\|",
            1 => "    [a-z]{1,9}",
            2 => Just(String::new()),
            1 => "\\PC{0,20}",
        ];
        prop::collection::vec(line, 0..60).prop_map(|lines| lines.join("\n"))
    }

    fn rules() -> impl Strategy<Value = ChunkRules> {
        (4_usize..40, 0_usize..30, 0_usize..12).prop_map(|(target, slack, tiny)| ChunkRules {
            target,
            longest: target + slack,
            tiny,
        })
    }

    proptest! {
        #[test]
        fn chunks_stand_in_the_text_in_order_and_apart(text in pages(), rules in rules()) {
            let mut end = 0;
            for chunk in cut(&text, "t", rules, &words) {
                prop_assert!(chunk.span.start >= end);
                prop_assert_eq!(text.get(chunk.span.start..chunk.span.end), Some(&*chunk.text));
                prop_assert!(!chunk.text.trim().is_empty());
                end = chunk.span.end;
            }
        }

        #[test]
        fn every_word_that_is_no_heading_is_in_some_chunk(text in pages(), rules in rules()) {
            let chunks = cut(&text, "t", rules, &words);
            let headings = headings(&text);
            for (at, letter) in text.char_indices().filter(|(_, c)| !c.is_whitespace()) {
                let within = |span: &Span| (span.start..span.end).contains(&at);
                prop_assert!(
                    chunks.iter().any(|chunk| within(&chunk.span))
                        || headings.iter().any(|heading| within(&heading.span)),
                    "{letter:?} at {at} of {text:?} is lost"
                );
            }
        }

        #[test]
        fn no_chunk_is_longer_than_the_longest(text in pages(), rules in rules()) {
            for chunk in cut(&text, "t", rules, &words) {
                let length = words(&chunk.indexed_text("t"));
                prop_assert!(length <= rules.longest || words(&chunk.text) == 1, "{chunk:?}");
            }
        }

        #[test]
        fn the_path_of_a_chunk_is_true_for_all_of_it(text in pages(), rules in rules()) {
            let sections = sections(&text, "t");
            for chunk in cut(&text, "t", rules, &words).iter().filter(|c| !c.heading.is_empty()) {
                let touched = sections.iter().filter(|section| {
                    section.start < chunk.span.end && chunk.span.start < section.end
                });
                for section in touched {
                    // Outer headings may be left out of a path, inner ones may not.
                    let tells = section.path.windows(chunk.heading.len())
                        .any(|part| part == chunk.heading);
                    prop_assert!(tells, "{:?} holds {:?}", chunk, section.path);
                }
            }
        }

        #[test]
        fn no_text_is_too_odd_to_be_cut(text in "\\PC{0,40}([\r\n\t #`|*_\\[\\]<>~-]{0,6}\\PC{0,30}){0,12}",
                                        longest in 0_usize..30) {
            let rules = ChunkRules { target: longest / 2, longest, tiny: longest / 4 };
            let _chunks = cut(&text, &text, rules, &|text| text.len());
        }
    }
}
