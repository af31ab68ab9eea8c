//! A question, and what was said before it.

use serde::{Deserialize, Serialize};

use super::analysis;

/// The words of a question: trimmed, never empty, at most [`QuestionText::LONGEST`] characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct QuestionText(String);

/// Why words are not a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unaskable {
    #[error("the question is empty")]
    Empty,
    #[error("the question has {0} characters, more than 2000; please ask it shorter")]
    TooLong(usize),
}

impl QuestionText {
    /// Longer questions are refused rather than cut: half a question has another answer.
    pub const LONGEST: usize = 2_000;

    /// Accepts `raw` if something is left after trimming and it is not over-long. Runs of
    /// white space become one space, control characters go.
    ///
    /// ```
    /// use saseo::domain::question::{QuestionText, Unaskable};
    ///
    /// assert_eq!(QuestionText::new("  휴가는\n며칠? ")?.as_str(), "휴가는 며칠?");
    /// assert_eq!(QuestionText::new("   "), Err(Unaskable::Empty));
    /// # Ok::<(), Unaskable>(())
    /// ```
    pub fn new(raw: &str) -> Result<Self, Unaskable> {
        let visible = raw.replace(|c: char| c.is_control() && !c.is_whitespace(), "");
        let text = visible.split_whitespace().collect::<Vec<_>>().join(" ");
        match text.chars().count() {
            0 => Err(Unaskable::Empty),
            long if long > Self::LONGEST => Err(Unaskable::TooLong(long)),
            _ => Ok(Self(text)),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for QuestionText {
    type Error = Unaskable;

    fn try_from(raw: String) -> Result<Self, Unaskable> {
        Self::new(&raw)
    }
}

impl From<QuestionText> for String {
    fn from(text: QuestionText) -> Self {
        text.0
    }
}

/// A question that was asked earlier in the conversation. Not what was answered: a receipt
/// would keep the words of a document that is forgotten since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    pub question: String,
}

/// How many earlier questions of a conversation are kept in mind.
pub const REMEMBERED: usize = 6;

/// The words to search for: a follow-up that does not stand alone gets the questions before it,
/// back to one that does. No others: they would drown what is asked now.
///
/// Deterministic on purpose. The starter model cannot rewrite a question, and a rewriting that
/// goes wrong searches for something nobody asked.
///
/// ```
/// use saseo::domain::question::{Turn, standalone};
///
/// let said = [Turn { question: "How do I add a folder?".into() }];
/// assert_eq!(standalone("And remove it?", &said), "How do I add a folder? And remove it?");
/// assert_eq!(standalone("Where are models stored on disk?", &said), "Where are models stored on disk?");
/// ```
pub fn standalone(question: &str, said: &[Turn]) -> String {
    let mut words = vec![question];
    for turn in said.iter().rev().take(REMEMBERED) {
        if !words.last().is_some_and(|earliest| leans(earliest)) {
            break;
        }
        words.push(&turn.question);
    }
    words.reverse();
    words.join(" ")
}

/// Words that point at something said before.
const POINTERS: [&str; 11] = [
    "it", "its", "they", "them", "their", "those", "these", "he", "she", "instead", "else",
];
/// These point where they stand alone, at either end: "Is that safe?", but not "the file that
/// is read".
const POINTERS_ALONE: [&str; 3] = ["that", "this", "there"];
/// "Which one?", but not "one of the files".
const BEFORE_ONE: [&str; 8] = [
    "which", "that", "this", "the", "other", "another", "first", "second",
];
/// Beginnings that carry a conversation on.
const CARRIERS: [&str; 22] = [
    "and ",
    "but ",
    "or ",
    "then ",
    "same ",
    "what about",
    "how about",
    "what if",
    "그럼",
    "그러면",
    "그리고",
    "그런데",
    "근데",
    "그래서",
    "그건",
    "그거",
    "그것",
    "그게",
    "이건",
    "이거",
    "거기",
    "반대로",
];
const KOREAN_POINTERS: [&str; 8] = [
    "그것", "그거", "그건", "그걸", "그게", "거기", "그때", "그중",
];

/// Whether `question` leans on what was said before it.
fn leans(question: &str) -> bool {
    let lower = question.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .filter(|word| !word.is_empty())
        .collect();
    words.iter().any(|word| POINTERS.contains(word))
        || words.iter().any(|word| is_korean_pointer(word))
        || points_alone(&words)
        || CARRIERS.iter().any(|start| lower.starts_with(start))
        || says_little(question, &words)
}

fn is_korean_pointer(word: &str) -> bool {
    word == "그" || KOREAN_POINTERS.iter().any(|start| word.starts_with(start))
}

fn points_alone(words: &[&str]) -> bool {
    let is = |at: usize, list: &[&str]| words.get(at).is_some_and(|word| list.contains(word));
    let last = words.len().saturating_sub(1);
    // "Is there a limit?" asks of something new.
    let opens = is(1, &["that", "this"]) || is(0, &["that", "this"]);
    let which = words
        .iter()
        .skip(1)
        .enumerate()
        .any(|(before, word)| ["one", "ones"].contains(word) && is(before, &BEFORE_ONE));
    opens || is(last, &POINTERS_ALONE) || which
}

/// Whether it asks too little by itself; who asks why mostly asks it of what was said. Thanks
/// ask nothing.
fn says_little(question: &str, words: &[&str]) -> bool {
    const ASKING: [&str; 16] = [
        "why",
        "how",
        "what",
        "which",
        "who",
        "where",
        "when",
        "왜",
        "어떻게",
        "어디",
        "언제",
        "누가",
        "누구",
        "뭐",
        "몇",
        "얼마",
    ];
    let fewest = match words.first() {
        Some(&("why" | "왜")) => 2,
        _ => 1,
    };
    let asks = question.ends_with(['?', '？'])
        || words
            .iter()
            .any(|word| ASKING.iter().any(|asking| word.starts_with(asking)));
    asks && analysis::content_terms(question).len() <= fewest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follow_up_is_told_from_a_question_of_its_own() {
        for question in [
            "그럼 삭제는 어떻게 해?",
            "그건 어디에 저장돼?",
            "And on Windows?",
            "What about Korean files?",
            "How long does it take?",
            "Is that safe?",
            "What is the limit there?",
            "Which one is faster to load?",
            "Why is the answer short?",
            "그 파일은 어디에 저장돼?",
            "왜 답이 짧아?",
        ] {
            assert!(leans(question), "{question}");
        }
        for question in [
            "등록대장은 어떤 파일에 저장되나요?",
            "Which file holds the register of the library?",
            "Is there a limit on the size of a file?",
            "What is the name of the file that holds the register?",
            "Does one command add several folders?",
            "Why does a reply sometimes contain less than the model wrote?",
            "로그 파일은 어디에 저장되나요?",
            "thanks!",
            "ok",
            "고마워!",
            "왜 모델이 쓴 문장보다 답변이 짧아지나요?",
        ] {
            assert!(!leans(question), "{question}");
        }
    }

    #[test]
    fn a_follow_up_of_a_follow_up_reaches_back_to_what_both_are_about() {
        let said = [
            "Where are models stored?",
            "How do I add a folder?",
            "And remove it?",
        ]
        .map(|question| Turn {
            question: question.into(),
        });
        assert_eq!(
            standalone("How long does it take?", &said),
            "How do I add a folder? And remove it? How long does it take?"
        );
        assert_eq!(standalone("And it?", &[]), "And it?");
    }

    #[test]
    fn an_over_long_question_is_refused_whole() {
        let long = "가".repeat(QuestionText::LONGEST + 1);
        assert_eq!(QuestionText::new(&long), Err(Unaskable::TooLong(2_001)));
    }
}
