//! Cuts a document into chunks.
//!
//! Chunks follow headings and stand in the text exactly as their span says: a citation must
//! point at words that are there. A heading is kept as the chunk's path rather than in its
//! text, so that each part of a long section still says what it is about, and says it once.
//!
//! `heading` finds the headings, in a long text `window` by window, and `section` settles which
//! parts of the text are cut together.

mod heading;
mod window;
mod section;

pub(crate) use heading::{headings, syntax};

use serde::{Deserialize, Serialize};
use text_splitter::{ChunkCapacity, ChunkConfig, ChunkSizer, MarkdownSplitter};

use section::{Group, groups, sections};
use window::{WINDOW, windows};

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

fn parts(page: &Page<'_>, group: Group) -> Vec<Chunk> {
    let Span { start, end } = group.span;
    let text = page.text.get(start..end).unwrap_or_default();
    if text.trim().is_empty() {
        return Vec::new();
    }
    let (heading, taken) = fitting_path(page, group.heading);
    let longest = page
        .rules
        .longest
        .saturating_mul(BYTES_PER_TOKEN)
        .clamp(64, WINDOW);
    windows(text, longest)
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
