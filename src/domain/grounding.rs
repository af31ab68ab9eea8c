//! Checks what a model wrote against what it was given to read.
//!
//! The program decides, not the model's obedience. A claim stands only if one place in one
//! passage carries all of it: every number with what it counts, every name and command,
//! nearly all other words in nearly their order, and the same yes or no. This is stricter
//! than entailment on purpose: a true sentence that is dropped costs little, since the
//! passage can be quoted instead; a false one that passes costs trust.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::analysis;
use super::language::Language;
use super::reading::Line;

/// What became of one claim.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The lines that carry it: positions from `first` up to and including `last`.
    Supported { first: usize, last: usize },
    /// No place carries it; the reason of the place that came closest.
    Unsupported(Doubt),
}

/// Why a claim does not stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doubt {
    /// It says nothing that could be checked.
    Empty,
    /// Too few of its words stand there.
    Words,
    /// A number, name, command or identifier does not stand there.
    Token,
    /// A word that turns the meaning (not, only, never, before …) differs.
    Turn,
    /// The words stand there in another order.
    Order,
    /// The words stand there but the meaning is far.
    Meaning,
    /// It bears too little on the question, true or not.
    Beside,
}

/// This share of a claim's terms must stand in the lines that carry it.
const LEAST_COVERED: f32 = 0.8;
/// This share of the covered terms must come in the same order.
const LEAST_IN_ORDER: f32 = 0.75;
/// E5's cosine between a sentence and its restatement; unrelated ones lie near 0.78.
const LEAST_CLOSE: f32 = 0.86;
/// The same between a sentence and its translation, where words cannot help to judge.
const LEAST_CLOSE_ACROSS: f32 = 0.9;
/// A claim may draw on this many neighbouring lines.
const WIDEST: usize = 2;

/// Checks `claim` against `lines`. `closeness` has the cosine of the claim to each line.
pub fn check(claim: &str, lines: &[Line], closeness: &[f32]) -> Verdict {
    let claim = Claim::read(claim);
    if claim.terms.is_empty() {
        return Verdict::Unsupported(Doubt::Empty);
    }
    let mut nearest = Doubt::Empty;
    for width in 1..=WIDEST {
        for (first, window) in lines.windows(width).enumerate() {
            let one_passage = window.iter().all(|line| {
                window
                    .first()
                    .is_some_and(|leader| leader.passage == line.passage)
            });
            if !one_passage {
                continue;
            }
            let close = closeness
                .iter()
                .skip(first)
                .take(width)
                .copied()
                .fold(0.0, f32::max);
            match claim.doubt(window, close) {
                None => {
                    return Verdict::Supported {
                        first,
                        last: first + width - 1,
                    };
                },
                Some(doubt) => nearest = nearest.max(doubt),
            }
        }
    }
    Verdict::Unsupported(nearest)
}

/// A sentence taken apart into what has to be found again.
struct Claim {
    language: Language,
    folded: String,
    terms: Vec<String>,
    tokens: Vec<String>,
    counts: Vec<(String, String)>,
    turns: BTreeSet<Turn>,
}

impl Claim {
    fn read(text: &str) -> Self {
        Self {
            language: Language::of(text),
            folded: folded(text),
            terms: analysis::content_terms(text),
            tokens: hard_tokens(text),
            counts: counts(text),
            turns: turns(text),
        }
    }

    /// What speaks against `window` carrying this claim.
    fn doubt(&self, window: &[Line], close: f32) -> Option<Doubt> {
        let text = window
            .iter()
            .map(|line| line.text.as_str())
            .collect::<Vec<_>>()
            .join(" ");
        let place = folded(&text);
        if window.len() == 1 && place.contains(&self.folded) {
            // Word for word, but a part of a sentence may leave out its "not".
            return (self.turns != turns(&text)).then_some(Doubt::Turn);
        }
        if self.language != Language::of(&text) {
            return self.doubt_across(&text, close);
        }
        let there = analysis::terms(&text);
        if !self.tokens_stand_in(&text) {
            return Some(Doubt::Token);
        }
        if coverage(&self.terms, &there) < LEAST_COVERED {
            return Some(Doubt::Words);
        }
        if self.turns != turns(&text) {
            return Some(Doubt::Turn);
        }
        if in_order(&self.terms, &there) < LEAST_IN_ORDER {
            return Some(Doubt::Order);
        }
        (close < LEAST_CLOSE).then_some(Doubt::Meaning)
    }

    /// As [`Self::doubt`], for a window in another language: its words cannot be found again,
    /// its numbers, names and turns can, and the meaning must be nearer still.
    fn doubt_across(&self, text: &str, close: f32) -> Option<Doubt> {
        if !self.tokens_stand_in(text) {
            Some(Doubt::Token)
        } else if self.turns != turns(text) {
            Some(Doubt::Turn)
        } else {
            (close < LEAST_CLOSE_ACROSS).then_some(Doubt::Meaning)
        }
    }

    fn tokens_stand_in(&self, text: &str) -> bool {
        let there: BTreeSet<String> = runs(text).map(str::to_lowercase).collect();
        let pairs: BTreeSet<(String, String)> = counts(text).into_iter().collect();
        self.tokens.iter().all(|token| there.contains(token))
            && self.counts.iter().all(|pair| pairs.contains(pair))
    }
}

/// Lower case, one space between words, no end mark: for comparing word for word.
fn folded(text: &str) -> String {
    let words = text
        .split_whitespace()
        .map(str::to_lowercase)
        .collect::<Vec<_>>();
    words
        .join(" ")
        .trim_end_matches(['.', '!', '。'])
        .to_owned()
}

fn coverage(terms: &[String], there: &[String]) -> f32 {
    let there: BTreeSet<&String> = there.iter().collect();
    let found = terms.iter().filter(|term| there.contains(term)).count();
    share(found, terms.len())
}

/// The longest common subsequence of the two, as a share of the terms that both have.
fn in_order(terms: &[String], there: &[String]) -> f32 {
    let known: BTreeSet<&String> = there.iter().collect();
    let common: Vec<&String> = terms.iter().filter(|term| known.contains(term)).collect();
    let mut lengths = vec![0; there.len()];
    for term in &common {
        lengths = next_row(term, there, &lengths);
    }
    share(lengths.last().copied().unwrap_or(0), common.len())
}

/// One row of the table of common subsequences' lengths, from the row above it.
fn next_row(term: &str, there: &[String], above: &[usize]) -> Vec<usize> {
    let (mut left, mut diagonal) = (0, 0);
    let cell = |(other, up): (&String, &usize)| {
        left = if term == other {
            diagonal + 1
        } else {
            left.max(*up)
        };
        diagonal = *up;
        left
    };
    there.iter().zip(above).map(cell).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a sentence has few words")]
fn share(part: usize, whole: usize) -> f32 {
    if whole == 0 {
        1.0
    } else {
        part as f32 / whole as f32
    }
}

/// Runs of Latin letters, digits and the marks that hold identifiers together.
fn runs(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || "-_./:@=+*#$%".contains(c)))
        .map(|run| run.trim_end_matches(['.', ':', '-', '/', '=', '*']))
        .map(|run| run.trim_start_matches(['.', ':', '*', '/', '=']))
        .filter(|run| run.chars().any(|c| c.is_ascii_alphanumeric()))
}

/// Numbers, names, commands, flags, paths: what must stand in the source letter by letter.
/// The first word of a sentence has its capital from the grammar, so it counts only when it
/// has more than that.
fn hard_tokens(text: &str) -> Vec<String> {
    let first = text.trim_start_matches(|c: char| !c.is_alphanumeric());
    let is_first = |run: &str| first.starts_with(run);
    runs(text)
        .filter(|run| {
            let capitals = run.chars().filter(char::is_ascii_uppercase).count();
            run.chars().any(|c| !c.is_ascii_alphabetic())
                || capitals > usize::from(is_first(run))
        })
        .map(str::to_lowercase)
        .collect()
}

/// Each number with the word that it counts: "15 seconds" is not "15 minutes".
fn counts(text: &str) -> Vec<(String, String)> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_number = |word: &str| {
        word.chars().any(|c| c.is_ascii_digit())
            && word.chars().all(|c| c.is_ascii_digit() || ",.".contains(c))
    };
    words
        .windows(2)
        .filter_map(|pair| match pair {
            [number, unit] if is_number(number.trim_end_matches(',')) => {
                let unit = analysis::terms(unit).into_iter().next()?;
                Some((number.replace(',', ""), unit))
            },
            _ => None,
        })
        .collect()
}

/// Words that turn a sentence's meaning around or narrow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Not,
    Only,
    Never,
    Always,
    More,
    Less,
    Before,
    After,
    Enable,
    Disable,
    Optional,
    Required,
}

fn turns(text: &str) -> BTreeSet<Turn> {
    let lower = text.to_lowercase().replace('’', "'");
    let words: BTreeSet<&str> = lower
        .split(|c: char| !(c.is_alphanumeric() || c == '\''))
        .collect();
    let mut found: BTreeSet<Turn> = ENGLISH_TURNS
        .iter()
        .filter(|(_, forms)| forms.iter().any(|form| words.contains(form)))
        .map(|(turn, _)| *turn)
        .collect();
    if words.iter().any(|word| word.ends_with("n't")) {
        found.insert(Turn::Not);
    }
    found.extend(
        KOREAN_TURNS
            .iter()
            .filter(|(_, forms)| forms.iter().any(|form| lower.contains(form)))
            .map(|(turn, _)| *turn),
    );
    found
}

const ENGLISH_TURNS: [(Turn, &[&str]); 12] = [
    (
        Turn::Not,
        &[
            "not", "no", "cannot", "without", "neither", "nor", "none", "nothing", "fails",
        ],
    ),
    (Turn::Only, &["only", "solely", "exclusively"]),
    (Turn::Never, &["never"]),
    (Turn::Always, &["always", "every", "all"]),
    (
        Turn::More,
        &[
            "more", "greater", "above", "exceed", "exceeds", "least", "minimum",
        ],
    ),
    (
        Turn::Less,
        &["less", "fewer", "below", "most", "maximum", "under"],
    ),
    (Turn::Before, &["before", "until"]),
    (Turn::After, &["after", "since"]),
    (
        Turn::Enable,
        &[
            "enable", "enables", "enabled", "allow", "allows", "allowed", "on",
        ],
    ),
    (
        Turn::Disable,
        &[
            "disable",
            "disables",
            "disabled",
            "deny",
            "denied",
            "forbidden",
            "off",
        ],
    ),
    (Turn::Optional, &["optional", "may", "might", "could"]),
    (Turn::Required, &["must", "required", "requires", "shall"]),
];

const KOREAN_TURNS: [(Turn, &[&str]); 9] = [
    (
        Turn::Not,
        &[
            "않",
            "없",
            "아니",
            "못하",
            "못한",
            "못합",
            "불가",
            " 안 ",
            "말아",
            "마세요",
        ],
    ),
    (Turn::Only, &["만 ", "오직", "에만", "뿐"]),
    (Turn::Never, &["절대", "결코"]),
    (Turn::Always, &["항상", "언제나", "모든", "모두"]),
    (Turn::More, &["이상", "초과", "최소"]),
    (Turn::Less, &["이하", "미만", "최대"]),
    (Turn::Before, &["이전", "하기 전", "까지"]),
    (Turn::After, &["이후", "다음에", "한 뒤", "한 후"]),
    (Turn::Required, &["해야", "필수", "반드시"]),
];

#[cfg(test)]
mod tests {
    use super::super::reading::Kind;
    use super::*;

    fn place(text: &str) -> Line {
        Line {
            passage: 0,
            text: text.into(),
            raw: text.into(),
            under: Vec::new(),
            kind: Kind::Statement,
        }
    }

    #[track_caller]
    fn check_one(claim: &str, source: &str, expected: Option<Doubt>) {
        let expected = expected.map_or(
            Verdict::Supported { first: 0, last: 0 },
            Verdict::Unsupported,
        );
        assert_eq!(
            check(claim, &[place(source)], &[0.95]),
            expected,
            "{claim:?} from {source:?}"
        );
    }

    #[test]
    fn what_stands_in_the_source_stands() {
        let source =
            "A ConfigMap cannot hold more than 1 MiB of data, so use a volume instead.";
        check_one(
            "A ConfigMap cannot hold more than 1 MiB of data.",
            source,
            None,
        );
        check_one(
            "a configmap cannot hold more than 1 MiB of data",
            source,
            None,
        );
        let source = "컨피그맵에 저장된 데이터는 1MiB를 초과할 수 없다.";
        check_one(
            "컨피그맵에 저장된 데이터는 1MiB를 초과할 수 없습니다.",
            source,
            None,
        );
    }

    #[test]
    fn numbers_and_what_they_count_must_stand_there() {
        let source = "The controller checks the metrics every 15 seconds by default.";
        check_one(
            "The controller checks the metrics every 15 seconds.",
            source,
            None,
        );
        check_one(
            "The controller checks the metrics every 30 seconds.",
            source,
            Some(Doubt::Token),
        );
        check_one(
            "The controller checks the metrics every 15 minutes.",
            source,
            Some(Doubt::Token),
        );
    }

    #[test]
    fn names_and_flags_must_stand_there() {
        let source = "Run the sync command with --dry-run to see what the Confluence source would change.";
        check_one(
            "Run the sync command with --on-call to see what would change.",
            source,
            Some(Doubt::Token),
        );
        check_one(
            "Run the sync command to see what the Notion source would change.",
            source,
            Some(Doubt::Token),
        );
    }

    #[test]
    fn a_turned_meaning_does_not_stand() {
        let source = "Secrets are not encrypted by default in the underlying data store.";
        check_one(
            "Secrets are encrypted by default in the underlying data store.",
            source,
            Some(Doubt::Turn),
        );
        check_one(
            "시크릿은 암호화되어 저장된다.",
            "시크릿은 암호화되지 않은 채 저장된다.",
            Some(Doubt::Turn),
        );
        let source = "The kubelet restarts the container after the probe fails.";
        check_one(
            "The kubelet restarts the container before the probe fails.",
            source,
            Some(Doubt::Turn),
        );
    }

    #[test]
    fn a_swapped_order_does_not_stand() {
        let source = "The scheduler assigns pods to nodes that the autoscaler created.";
        check_one(
            "The autoscaler assigns nodes that pods created to the scheduler.",
            source,
            Some(Doubt::Order),
        );
    }

    #[test]
    fn an_invention_does_not_stand() {
        check_one(
            "The password is 12345678.",
            "Ask the office manager for the wifi password.",
            Some(Doubt::Token),
        );
        check_one(
            "The office manager keeps bees on the roof.",
            "Ask the office manager for the wifi password.",
            Some(Doubt::Words),
        );
        check_one("", "Anything.", Some(Doubt::Empty));
    }

    #[test]
    fn words_without_the_meaning_do_not_stand() {
        let lines = [place(
            "Logs of the pod are kept by the node for some days after it ended.",
        )];
        let claim = "Logs of the node are kept by the pod some days.";
        assert!(matches!(
            check(claim, &lines, &[0.80]),
            Verdict::Unsupported(_)
        ));
    }
}
