//! The words by which a sentence limits, turns round or takes back what stands beside it.
//!
//! They are taken widely: a sentence that carries another one in vain is only longer, but one
//! that stands without its "However" says the opposite of its page.

use crate::domain::expectation::{has_any, negates};

/// What holds no longer is called so, wherever that is said.
const GONE: [&str; 10] = [
    "deprecated",
    "obsolete",
    "outdated",
    "archived",
    "superseded",
    "no longer",
    "withdrawn",
    "폐지",
    "폐기",
    "더 이상",
];

/// Whether something is called so that holds no longer. Who retired is a person as often.
pub(super) fn is_outdated(said: &str) -> bool {
    has_any(said, &GONE) || has_any(said, &["discontinued", "예전", "구버전"])
}

/// How a sentence limits what stands before it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    /// It limits that: "However, only after 22:00."
    Narrows,
    /// It says nothing without that: "This is false."
    PointsBack,
}

pub(super) fn limits(text: &str) -> Option<Limit> {
    /// Particles stand directly after these.
    const PREFIXES: [&str; 4] = ["예외적", "예외로", "예외는", "예외가"];
    let said = bare(text);
    if said.ends_with(['?', '？']) {
        return None;
    }
    let narrows = LIMITING.iter().any(|opener| opens(&said, opener))
        || PREFIXES.iter().any(|opener| said.starts_with(opener))
        || excepts(&said);
    if points_back(&said) {
        Some(Limit::PointsBack)
    } else {
        narrows.then_some(Limit::Narrows)
    }
}

/// "금요일에는 열지 않습니다.", "On Fridays it is not open.", "Service accounts are exempt."
fn excepts(said: &str) -> bool {
    const EXEMPT: [&str; 11] = [
        "exempt",
        "excluded",
        "waived",
        "is closed",
        "are closed",
        "not apply",
        "not included",
        "제외됩니다",
        "제외된다",
        "제외합니다",
        "면제",
    ];
    const PLACES: [&str; 5] = ["on ", "in ", "during ", "for ", "at "];
    const PLACED: [&str; 6] = ["에는", "엔", "에서는", "에게는", "중에는", "때는"];
    /// A longer one speaks of something of its own.
    const MOST_WORDS: usize = 9;
    let words: Vec<&str> = said.split_whitespace().collect();
    let is_placed = |word: &&str| PLACED.iter().any(|ending| word.ends_with(ending));
    let is_elsewhere = PLACES.iter().any(|place| said.starts_with(place))
        || words.iter().take(3).any(is_placed);
    words.len() <= MOST_WORDS && (has_any(said, &EXEMPT) || (is_elsewhere && negates(said)))
}

/// A sentence that begins like this limits the one before it.
const LIMITING: [&str; 54] = [
    "however",
    "but",
    "except",
    "exception",
    "exceptions",
    "the exception",
    "the only exception",
    "with the exception",
    "unless",
    "only if",
    "only when",
    "only after",
    "only before",
    "only with",
    "only for",
    "only in",
    "only on",
    "only during",
    "only between",
    "only until",
    "not",
    "nevertheless",
    "nonetheless",
    "still,",
    "yet,",
    "although",
    "though",
    "that said",
    "on the contrary",
    "actually",
    "in fact",
    "in reality",
    "instead",
    "provided that",
    "as long as",
    "no longer",
    "it no longer",
    "it is no longer",
    "it's no longer",
    "they no longer",
    "they are no longer",
    "단",
    "다만",
    "하지만",
    "그러나",
    "그렇지만",
    "그런데",
    "그럼에도",
    "그렇더라도",
    "반면",
    "오히려",
    "실제로는",
    "사실은",
    "예외",
];

/// "This is false.", "That does not apply to guests.", "이는 사실이 아닙니다."
fn points_back(said: &str) -> bool {
    /// Said of what stands before, they need no word that points at it.
    const VERDICTS: [&str; 11] = [
        "false",
        "wrong",
        "incorrect",
        "untrue",
        "not true",
        "a myth",
        "사실이 아닙니다",
        "사실이 아니다",
        "틀렸습니다",
        "틀린 말입니다",
        "거짓입니다",
    ];
    let verdict = said.trim_end_matches(|c: char| !c.is_alphanumeric());
    if VERDICTS.contains(&verdict) {
        return true;
    }
    let shortened = ["this isn't", "that isn't", "this doesn't", "this isn’t"];
    (POINTING_BACK.iter().chain(&shortened)).any(|pointer| opens(said, pointer))
        && (negates(said) || has_any(said, &TAKING_BACK) || is_outdated(said))
}

/// What stands before is called so.
const POINTING_BACK: [&str; 20] = [
    "this is",
    "that is",
    "this was",
    "that was",
    "these are",
    "those are",
    "it is false",
    "it is not true",
    "this does",
    "this applies",
    "this only",
    "this rule",
    "this no longer",
    "이는",
    "이것은",
    "그것은",
    "이 말은",
    "이 내용은",
    "이 규정은",
    "이 설명은",
];

/// What is said of it.
const TAKING_BACK: [&str; 18] = [
    "아닙",
    "아님",
    "아닌",
    "못합",
    "false",
    "untrue",
    "wrong",
    "incorrect",
    "myth",
    "mistake",
    "only",
    "forbidden",
    "prohibited",
    "틀린",
    "틀렸",
    "거짓",
    "잘못",
    "에만",
];

/// Whether a sentence says of what follows that it is wrong, forbidden, or no example to follow.
pub(super) fn condemns(text: &str) -> bool {
    const WRONG: [&str; 28] = [
        "wrong",
        "incorrect",
        "false",
        "untrue",
        "bad",
        "invalid",
        "mistake",
        "mistakes",
        "myth",
        "myths",
        "forbidden",
        "prohibited",
        "avoid",
        "unacceptable",
        "rumour",
        "rumor",
        "don’t",
        "mustn't",
        "잘못",
        "틀린",
        "나쁜",
        "거짓",
        "오해",
        "소문",
        "불가",
        "허용되지",
        "하면 안",
        "안 되는",
    ];
    let said = bare(text);
    (forward(&said) || leads_on(&said))
        && (negates(&said) || has_any(&said, &WRONG) || is_outdated(&said))
}

/// Whether a sentence says when what follows holds.
pub(super) fn conditions(text: &str) -> bool {
    const CONDITIONS: [&str; 9] = [
        "only", "if ", "unless", "except", "when ", "경우", "때", "만 ", "제외",
    ];
    let said = bare(text);
    leads_on(&said) && has_any(&said, &CONDITIONS)
}

/// Whether a sentence introduces something else, so that what was said of the text before it
/// no longer holds of what follows.
pub(super) fn turns_away(text: &str) -> bool {
    const OPENERS: [&str; 6] = [
        "instead",
        "rather",
        "the correct",
        "the right",
        "the proper",
        "대신",
    ];
    // "Good passwords may be sent by mail": only a label says that it is the good way.
    const LABELS: [&str; 13] = [
        "good",
        "right",
        "correct",
        "better",
        "do:",
        "do this",
        "allowed",
        "올바른",
        "좋은",
        "맞는",
        "바른",
        "옳은",
        "허용",
    ];
    let said = bare(text);
    let label = said.split([':', '：', '.']).next().unwrap_or_default();
    let is_label = label.split_whitespace().count() <= 3;
    forward(&said)
        || leads_on(&said)
        || OPENERS.iter().any(|opener| opens(&said, opener))
        || (is_label && LABELS.iter().any(|opener| opens(&said, opener)))
}

/// Whether it speaks of what stands below.
fn forward(said: &str) -> bool {
    const POINTERS: [&str; 15] = [
        "the following",
        "below",
        "what follows",
        "here is",
        "here are",
        "these are",
        "this is a bad",
        "this is a wrong",
        "this is how not",
        "this is an example",
        "다음",
        "아래",
        "이하",
        "이렇게",
        "이런",
    ];
    POINTERS.iter().any(|pointer| said.starts_with(pointer))
}

fn leads_on(said: &str) -> bool {
    said.ends_with([':', '：'])
}

/// The mark that a block begins with, if it begins with one, and what stands after it:
/// "Deprecated. …", "폐지됨: …".
pub(super) fn mark(text: &str) -> Option<(&str, &str)> {
    const MOST_WORDS: usize = 4;
    let text = unlabelled(text);
    let end = text.find([':', '：', '.', '。', '!', '—', '–', ']']);
    let (head, rest) = text.split_at_checked(end.unwrap_or(text.len()))?;
    let head = head.trim_end_matches(|c: char| !c.is_alphanumeric() && c != ')');
    let said = head.to_lowercase();
    let words = said.split_whitespace().count();
    let says = (words < MOST_WORDS && is_taken_back(&said)) || is_label(&said);
    says.then_some((head, rest))
}

/// A mark says it at its beginning.
fn is_taken_back(said: &str) -> bool {
    let mut starts = GONE.iter().chain(&["discontinued", "retired"]);
    starts.any(|start| said.starts_with(start))
}

fn is_label(said: &str) -> bool {
    const LABELS: [&str; 32] = [
        "expired",
        "wrong",
        "incorrect",
        "false",
        "not true",
        "myth",
        "bad",
        "bad example",
        "wrong example",
        "counterexample",
        "don't",
        "don’t",
        "do not",
        "never",
        "forbidden",
        "prohibited",
        "not allowed",
        "old",
        "old rule",
        "rumour",
        "잘못된 예",
        "잘못된 예시",
        "나쁜 예",
        "나쁜 예시",
        "틀린 예",
        "금지",
        "오답",
        "거짓",
        "오해",
        "사용 중단",
        "구버전",
        "만료",
    ];
    LABELS.contains(&said)
}

/// Whether a sentence says of its page that it holds no longer.
pub(super) fn takes_back_the_page(text: &str) -> Option<Reach> {
    let said = bare(text);
    if !holds_no_longer(&said) {
        return None;
    }
    let after = |opening: &str| said.strip_prefix(opening).map(str::trim_start);
    let named = |openings: &[&str], nouns: &[(&str, Reach)]| {
        let rest = openings.iter().find_map(|opening| after(opening))?;
        let named = nouns.iter().find(|(noun, _)| rest.starts_with(noun));
        named.map(|(_, reach)| *reach)
    };
    named(&["this ", "the "], &PAGES)
        .or_else(|| named(&["이 ", "본 ", "해당 "], &PAGES_IN_KOREAN))
}

/// What a page calls itself.
const PAGES: [(&str, Reach); 12] = [
    ("page", Reach::Passage),
    ("document", Reach::Passage),
    ("article", Reach::Passage),
    ("guide", Reach::Passage),
    ("manual", Reach::Passage),
    ("policy", Reach::Passage),
    ("handbook", Reach::Passage),
    ("information", Reach::Passage),
    ("procedure", Reach::Passage),
    ("process", Reach::Passage),
    ("section", Reach::Section),
    ("chapter", Reach::Section),
];

/// As a Korean page calls itself.
const PAGES_IN_KOREAN: [(&str, Reach); 16] = [
    ("절차", Reach::Passage),
    ("제도", Reach::Passage),
    ("규칙", Reach::Passage),
    ("문서", Reach::Passage),
    ("페이지", Reach::Passage),
    ("글", Reach::Passage),
    ("안내", Reach::Passage),
    ("가이드", Reach::Passage),
    ("규정", Reach::Passage),
    ("지침", Reach::Passage),
    ("정책", Reach::Passage),
    ("내용", Reach::Passage),
    ("절은", Reach::Section),
    ("장은", Reach::Section),
    ("섹션", Reach::Section),
    ("항목", Reach::Section),
];

/// A page that speaks of itself does so in more words; what is discontinued is mostly what it
/// is about.
fn holds_no_longer(said: &str) -> bool {
    const STATES: [&str; 16] = [
        "out of date",
        "out-of-date",
        "retired",
        "not valid",
        "invalid",
        "expired",
        "not maintained",
        "유효하지 않",
        "예전",
        "구버전",
        "만료",
        "대체되",
        "사용되지 않",
        "사용하지 않",
        "오래된",
        "낡은",
    ];
    // "If this page is outdated, tell us" stands at the foot of pages that hold.
    const UNSURE: [&str; 6] = [" if ", " may ", " might ", "경우", "다면", "수 있"];
    (has_any(said, &GONE) || has_any(said, &STATES)) && !has_any(said, &UNSURE)
}

/// How far a sentence bears that takes back what stands around it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Passage,
    /// What stands under the same heading.
    Section,
}

/// In small letters, without what only says which kind of remark it is.
fn bare(text: &str) -> String {
    unlabelled(text).to_lowercase()
}

/// From its first letter or figure on, without "Note:" and "[!WARNING]".
fn unlabelled(text: &str) -> &str {
    const LABELS: [&str; 9] = [
        "note",
        "warning",
        "important",
        "caution",
        "attention",
        "tip",
        "주의",
        "참고",
        "경고",
    ];
    let text = text.trim_start_matches(|c: char| !c.is_alphanumeric());
    match text.split_once([':', '：', ']']) {
        Some((label, rest)) if LABELS.contains(&label.trim().to_lowercase().as_str()) => {
            rest.trim_start_matches(|c: char| !c.is_alphanumeric())
        },
        _ => text,
    }
}

/// Whether `said` begins with `opener` as a word.
fn opens(said: &str, opener: &str) -> bool {
    said.strip_prefix(opener)
        .is_some_and(|rest| !opener.is_ascii() || !rest.starts_with(char::is_alphanumeric))
        && (opener != "단" || said.starts_with("단,") || said.starts_with("단 "))
}
