//! Reads the evidence line by line: which sentences bear on the question, and which of them
//! a model with little room gets to see.

use std::collections::BTreeSet;

use super::analysis;
use super::expectation::{Expectation, has_any};
use super::language::Language;
use super::line::{Kind, Line};
use super::numbered::Numbered;
use super::passage::TermWeight;
use super::sentence;

/// How much `line` bears on the question, 0 to 1.
///
/// `cosine` is the line's to the question, `terms` are the question's with their weights, and
/// `passage` is the fused score of the passage it stands in: a good line of a good passage.
/// Across languages words cannot match, so meaning alone decides, and counts less: of two
/// lines that say the same, the one in the asker's language is the better answer. The shares
/// were chosen by how often the best line holds the known answer, on four sets.
pub fn relevance(
    question: Language,
    line: &Line,
    cosine: f32,
    terms: &[TermWeight],
    passage: f32,
) -> f32 {
    /// E5's cosines between a question and a sentence lie in this band.
    const BAND: (f32, f32) = (0.74, 0.92);
    /// What holds is the better answer than what held.
    const OUTDATED: f32 = 0.85;
    let meaning = ((cosine - BAND.0) / (BAND.1 - BAND.0)).clamp(0.0, 1.0);
    let line_score = if Language::of(&line.text) == question {
        0.4 * meaning + 0.25 * coverage(terms, &line.text)
    } else {
        0.5 * meaning
    };
    let whole = line_score + 0.35 * passage;
    if line.is_outdated() {
        whole * OUTDATED
    } else {
        whole
    }
}

/// The share of the question's weight whose terms stand in `text`.
pub fn coverage(terms: &[TermWeight], text: &str) -> f32 {
    let there: BTreeSet<String> = analysis::terms(text).into_iter().collect();
    let total: f32 = terms.iter().map(|term| term.idf).sum();
    let found: f32 = terms
        .iter()
        .filter(|term| there.contains(&term.term))
        .map(|term| term.idf)
        .sum();
    if total > 0.0 { found / total } else { 0.0 }
}

/// As `relevance`, but a statement that cannot be what `question` expects has none; and nothing
/// has any if those that can be are well behind one that cannot: they are about something else.
/// `subject` is the question with what it follows up.
pub fn narrowed(
    (question, subject): (&str, &str),
    lines: &[Line],
    relevance: &[f32],
) -> Vec<f32> {
    let expected = Expectation::of(question);
    let row = Row::asked_for(subject);
    let numbered = Numbered::of(subject);
    let bears = |(line, score): (&Line, &f32)| {
        let mut near = vec![line.text.as_str()];
        near.extend(line.under.iter().rev().map(String::as_str));
        let can_be =
            expected.fits(&line.text) && row.can_be(line) && numbered.may_be_said_in(&near);
        if line.kind != Kind::Statement || can_be {
            *score
        } else {
            0.0
        }
    };
    let narrowed: Vec<f32> = lines.iter().zip(relevance).map(bears).collect();
    if best(lines, &narrowed) < best(lines, relevance) * NEAR {
        return vec![0.0; lines.len()];
    }
    narrowed
}

/// The row of a table that a question is about: one that has something of it in its cells. What
/// the columns are called, all rows have.
struct Row {
    language: Language,
    wanted: Wanted,
}

enum Wanted {
    /// "Which room has …?" asks for what the row is of.
    Any,
    /// "The cheapest": one row alone does not show that it is.
    Extreme,
    About(BTreeSet<String>),
}

impl Row {
    fn asked_for(question: &str) -> Self {
        const OPEN: [&str; 5] = ["which", "what", "list", "who", "where"];
        const OPEN_KOREAN: [&str; 9] = [
            "어느", "어떤", "무슨", "무엇", "뭐", "뭘", "어디", "누가", "누구",
        ];
        const EXTREMES: [&str; 14] = [
            "cheapest", "largest", "biggest", "smallest", "highest", "lowest", "longest",
            "shortest", "fastest", "slowest", "newest", "oldest", "가장", "제일",
        ];
        let lower = question.to_lowercase();
        let mut words = lower.split(|c: char| !c.is_alphanumeric());
        let is_open = words.any(|word| OPEN.contains(&word));
        let wanted = if has_any(&lower, &EXTREMES) {
            Wanted::Extreme
        } else if is_open || has_any(&lower, &OPEN_KOREAN) {
            Wanted::Any
        } else {
            let about = analysis::content_terms(question).into_iter();
            // One syllable of Korean counts: "2층", "6명".
            Wanted::About(about.filter(|term| term.chars().nth(1).is_some()).collect())
        };
        Self {
            language: Language::of(question),
            wanted,
        }
    }

    fn can_be(&self, line: &Line) -> bool {
        if !line.raw.starts_with('|') {
            return true;
        }
        match &self.wanted {
            Wanted::Any => true,
            Wanted::Extreme => false,
            // Across languages no word need be the same.
            Wanted::About(_) if Language::of(&line.text) != self.language => true,
            Wanted::About(about) => {
                let cells = sentence::cells(&line.raw).join(" ");
                let terms = analysis::terms(&cells);
                terms.iter().any(|term| about.contains(term))
            },
        }
    }
}

/// A line that is less relevant than this share of the best is beside the point.
pub const NEAR: f32 = 0.8;

/// How relevant the most relevant statement is.
pub fn best(lines: &[Line], relevance: &[f32]) -> f32 {
    best_line(lines, relevance).map_or(0.0, |(_, score)| score)
}

/// The most relevant statement, if any bears on the question, with how much it does.
pub fn best_line<'a>(lines: &'a [Line], relevance: &[f32]) -> Option<(&'a Line, f32)> {
    let statements = lines.iter().zip(relevance.iter().copied());
    statements
        .filter(|(line, score)| line.kind == Kind::Statement && *score > 0.0)
        .max_by(|a, b| a.1.total_cmp(&b.1))
}

/// A run of neighbouring lines of one passage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excerpt {
    pub passage: usize,
    /// Positions among all lines; `end` is not part of it.
    pub start: usize,
    pub end: usize,
}

/// The most relevant run of each passage that fits `longest` tokens, for the `most` best
/// passages, in the order of the passages: the same evidence makes the same prompt.
///
/// A run grows from the passage's best line, the line after it first: what explains a
/// sentence mostly follows it.
pub fn excerpts(
    lines: &[Line],
    relevance: &[f32],
    limits: Limits,
    tokens: &dyn Fn(&str) -> usize,
) -> Vec<Excerpt> {
    let mut best: Vec<(usize, f32)> = Vec::new();
    for (at, (line, score)) in lines.iter().zip(relevance).enumerate() {
        let score = if line.kind == Kind::Statement {
            *score
        } else {
            *score * 0.8
        };
        match best
            .iter_mut()
            .find(|(other, _)| passage_of(lines, *other) == Some(line.passage))
        {
            Some(slot) if score > slot.1 => *slot = (at, score),
            Some(_) => {},
            None => best.push((at, score)),
        }
    }
    best.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    best.truncate(limits.most);
    let mut runs: Vec<_> = best
        .into_iter()
        .map(|(at, _)| grow(lines, at, limits.longest, tokens))
        .collect();
    runs.sort_by_key(|run| run.start);
    runs
}

/// How much a model gets to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many excerpts.
    pub most: usize,
    /// Tokens in one of them.
    pub longest: usize,
}

fn passage_of(lines: &[Line], at: usize) -> Option<usize> {
    lines.get(at).map(|line| line.passage)
}

fn grow(lines: &[Line], at: usize, longest: usize, tokens: &dyn Fn(&str) -> usize) -> Excerpt {
    let size = |at: usize| {
        lines
            .get(at)
            .map_or(usize::MAX, |line| tokens(&line.text) + 1)
    };
    let passage = passage_of(lines, at);
    let (mut start, mut end, mut used) = (at, at + 1, size(at));
    loop {
        let after = (passage_of(lines, end) == passage).then(|| size(end));
        let before = start
            .checked_sub(1)
            .filter(|prior| passage_of(lines, *prior) == passage);
        if let Some(more) = after.filter(|more| used.saturating_add(*more) <= longest) {
            (end, used) = (end + 1, used + more);
        } else if let Some((prior, more)) = before
            .map(|prior| (prior, size(prior)))
            .filter(|(_, more)| used.saturating_add(*more) <= longest)
        {
            (start, used) = (prior, used + more);
        } else {
            return Excerpt {
                passage: passage.unwrap_or(0),
                start,
                end,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(passage: usize, text: &str) -> Line {
        Line {
            passage,
            text: text.to_owned(),
            raw: text.to_owned(),
            under: Vec::new(),
            kind: Kind::Statement,
        }
    }

    #[test]
    fn an_excerpt_grows_forward_first_and_stays_in_its_passage() {
        let lines = [
            said(0, "a a"),
            said(0, "b b"),
            said(0, "c c"),
            said(1, "d d"),
        ];
        let words = |text: &str| text.split(' ').count();
        let limits = Limits {
            most: 1,
            longest: 6,
        };
        assert_eq!(
            excerpts(&lines, &[0.1, 0.9, 0.2, 0.3], limits, &words),
            [Excerpt {
                passage: 0,
                start: 1,
                end: 3
            }]
        );
        let limits = Limits {
            most: 2,
            longest: 9,
        };
        assert_eq!(
            excerpts(&lines, &[0.1, 0.9, 0.2, 0.3], limits, &words),
            [
                Excerpt {
                    passage: 0,
                    start: 0,
                    end: 3
                },
                Excerpt {
                    passage: 1,
                    start: 3,
                    end: 4
                }
            ]
        );
    }

    #[test]
    fn what_cannot_be_the_answer_has_no_relevance() {
        let lines = [
            said(0, "It has a name."),
            said(0, "It holds 5."),
            said(0, "7."),
        ];
        let question = ("How many does it hold?", "How many does it hold?");
        assert_eq!(
            narrowed(question, &lines, &[0.9, 0.8, 0.1]),
            [0.0, 0.8, 0.1]
        );
        assert_eq!(narrowed(question, &lines, &[0.9, 0.7, 0.1]), [0.0; 3]);
        let any = ("What does it hold?", "What does it hold?");
        assert_eq!(narrowed(any, &lines, &[0.9, 0.7, 0.1]), [0.9, 0.7, 0.1]);
    }

    #[test]
    fn the_row_of_another_room_is_no_answer() {
        let row = |raw: &str, text: &str| Line {
            raw: raw.into(),
            ..said(0, text)
        };
        let lines = [row(
            "| 남산 | 5층 | 6명 |",
            "회의실: 남산; 층: 5층; 인원: 6명.",
        )];
        let relevance = |question| narrowed((question, question), &lines, &[0.9]);
        assert_eq!(relevance("남산 회의실은 몇 명이 들어가나요?"), [0.9]);
        assert_eq!(relevance("백두 회의실은 몇 명이 들어가나요?"), [0.0]);
        assert_eq!(relevance("백두 회의실은 몇 층이야?"), [0.0]);
        assert_eq!(relevance("어느 회의실에 6명이 들어가요?"), [0.9]);
        assert_eq!(relevance("어느 회의실이 가장 커요?"), [0.0]);
        let goes_on = (
            "몇 명이 들어가요?",
            "남산 회의실은 몇 층이야? 몇 명이 들어가요?",
        );
        assert_eq!(narrowed(goes_on, &lines, &[0.9]), [0.9]);
        assert_eq!(relevance("How many people fit into the room?"), [0.9]);
    }

    #[test]
    fn across_languages_only_meaning_counts() {
        let terms = [TermWeight {
            term: "pod".into(),
            idf: 1.0,
        }];
        let line = said(0, "A pod holds containers.");
        let english = relevance(Language::English, &line, 0.83, &terms, 1.0);
        let korean = relevance(Language::Korean, &line, 0.83, &terms, 1.0);
        assert!((english - 0.8).abs() < 0.01, "{english}");
        assert!((korean - 0.6).abs() < 0.01, "{korean}");
    }
}
