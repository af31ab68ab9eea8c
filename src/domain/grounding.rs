//! Checks what a model wrote against what it was given to read.
//!
//! The program decides, not the model's obedience. A claim stands only if it is the whole of
//! one statement of the evidence, word for word but for articles. Whatever is less than that
//! can be turned round by one small word: "unless" and "if", "from" and "to", "over" and "up
//! to", a "part-time" or a "used to" left out; in Korean by one particle. A true sentence that
//! is dropped costs little, since the line can be quoted instead; a false one that passes costs
//! trust. For a claim that does not stand, the doubt tells how near it came.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::analysis;
use super::line::{Kind, Line};

/// What became of one claim.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The position of the line that carries it.
    Supported { line: usize },
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
    /// It is a part of what stands there, or nearly so.
    Part,
    /// The words stand there but the meaning is far.
    Meaning,
    /// It bears too little on the question, true or not.
    Beside,
}

/// E5's cosine between a sentence and its restatement; unrelated ones lie near 0.78.
const LEAST_CLOSE: f32 = 0.86;
/// So many words of the line may be left out between two that are said.
const LEFT_OUT: usize = 1;

/// Checks `claim` against `lines`. `closeness` has the cosine of the claim to each line.
pub fn check(claim: &str, lines: &[Line], closeness: &[f32]) -> Verdict {
    // Whoever answers with the question says nothing.
    let asks = claim.trim_end().ends_with(['?', '？']);
    let claim = Claim::read(claim);
    if claim.terms.is_empty() || asks {
        return Verdict::Unsupported(Doubt::Empty);
    }
    let mut nearest = Doubt::Empty;
    for (at, line) in lines.iter().enumerate() {
        if line.kind == Kind::Lead {
            continue;
        }
        match claim.doubt(&line.text, closeness.get(at).copied().unwrap_or(0.0)) {
            None => return Verdict::Supported { line: at },
            Some(doubt) => nearest = nearest.max(doubt),
        }
    }
    Verdict::Unsupported(nearest)
}

/// A sentence taken apart into what has to be found again.
struct Claim {
    words: Vec<String>,
    terms: Vec<String>,
    tokens: Vec<String>,
    turns: BTreeSet<Turn>,
}

impl Claim {
    fn read(text: &str) -> Self {
        Self {
            words: words(text),
            terms: sayings(text),
            tokens: hard_tokens(text),
            turns: turns(text),
        }
    }

    /// What speaks against `line` carrying this claim.
    fn doubt(&self, line: &str, close: f32) -> Option<Doubt> {
        let said = words(line);
        if self.words == said {
            return None;
        }
        let there: BTreeSet<String> = runs(line).map(str::to_lowercase).collect();
        if !self.tokens.iter().all(|token| there.contains(token)) {
            return Some(Doubt::Token);
        }
        let terms = sayings(line);
        if !self.terms.iter().all(|term| terms.contains(term)) {
            return Some(Doubt::Words);
        }
        if self.turns != turns(line) {
            return Some(Doubt::Turn);
        }
        if !follows(&self.terms, &terms) {
            return Some(Doubt::Order);
        }
        if close < LEAST_CLOSE {
            return Some(Doubt::Meaning);
        }
        Some(Doubt::Part)
    }
}

/// The terms that say something, in order and with repetitions: the turns are looked at apart.
fn sayings(text: &str) -> Vec<String> {
    let content: BTreeSet<String> = analysis::content_terms(text).into_iter().collect();
    analysis::terms(text)
        .into_iter()
        .filter(|term| content.contains(term))
        .collect()
}

/// The words of a text in lower case, without the marks around them and without articles.
fn words(text: &str) -> Vec<String> {
    const ARTICLES: [&str; 3] = ["a", "an", "the"];
    text.split_whitespace()
        .map(|word| {
            word.trim_matches(|c: char| !c.is_alphanumeric())
                .to_lowercase()
        })
        .filter(|word| !word.is_empty() && !ARTICLES.contains(&word.as_str()))
        .collect()
}

/// Whether `terms` come in this order in `line`, with at most [`LEFT_OUT`] of its terms left
/// out between two of them, and no number among those.
fn follows(terms: &[String], line: &[String]) -> bool {
    let mut ends: Vec<usize> = Vec::new();
    for (count, term) in terms.iter().enumerate() {
        let stands = |at: &usize| line.get(*at) == Some(term);
        ends = if count == 0 {
            (0..line.len()).filter(stands).collect()
        } else {
            let next = |end: usize| (end + 1..=end + 1 + LEFT_OUT).filter(stands);
            let mut next: Vec<usize> = ends
                .iter()
                .flat_map(|end| next(*end).filter(|at| no_number(line, *end + 1, *at)))
                .collect();
            next.dedup();
            next
        };
    }
    !ends.is_empty()
}

fn no_number(line: &[String], from: usize, to: usize) -> bool {
    let left_out = line.get(from..to).unwrap_or_default();
    !left_out
        .iter()
        .any(|term| term.contains(|c: char| c.is_ascii_digit()))
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
    Condition,
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

const ENGLISH_TURNS: [(Turn, &[&str]); 13] = [
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
    (
        Turn::Condition,
        &[
            "if",
            "unless",
            "except",
            "when",
            "whenever",
            "provided",
            "while",
            "otherwise",
            "but",
        ],
    ),
];

const KOREAN_TURNS: [(Turn, &[&str]); 10] = [
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
    (
        Turn::Condition,
        &[
            "경우",
            "하면",
            "으면",
            "제외",
            "다만",
            "단,",
            "아니면",
            "때만",
            "때에",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::super::line::Kind;
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
        let expected = expected.map_or(Verdict::Supported { line: 0 }, Verdict::Unsupported);
        assert_eq!(
            check(claim, &[place(source)], &[0.95]),
            expected,
            "{claim:?} from {source:?}"
        );
    }

    #[test]
    fn the_whole_of_a_sentence_stands_and_nothing_less() {
        let source = "A ConfigMap cannot hold more than 1 MiB of data.";
        check_one(source, source, None);
        check_one(
            "the configmap cannot hold more than 1 MiB of data",
            source,
            None,
        );
        check_one(
            "A ConfigMap cannot hold more than 1 MiB.",
            source,
            Some(Doubt::Part),
        );
        let source = "컨피그맵에 저장된 데이터는 1MiB를 초과할 수 없다.";
        check_one(
            "컨피그맵에 저장된 데이터는 1MiB를 초과할 수 없다",
            source,
            None,
        );
        check_one("데이터는 1MiB를 초과할 수 없다.", source, Some(Doubt::Part));
        check_one(
            "10.",
            "Part-time employees get 10 days of annual leave.",
            Some(Doubt::Part),
        );
    }

    #[test]
    fn a_question_is_no_answer_and_a_heading_carries_none() {
        let asked = "When can passwords be reset?";
        check_one(asked, asked, Some(Doubt::Empty));
        let heading = Line {
            kind: Kind::Lead,
            ..place("Backups and how long they are kept")
        };
        let verdict = check("Backups and how long they are kept.", &[heading], &[0.99]);
        assert_eq!(verdict, Verdict::Unsupported(Doubt::Empty));
    }

    /// One small word turns each of these round.
    const TURNED: [(&str, &str); 15] = [
        (
            "Passwords can be reset unless the account is locked.",
            "Passwords can be reset if the account is locked.",
        ),
        (
            "Logs are kept for three weeks.",
            "Logs are kept for two weeks.",
        ),
        (
            "Requests over 1 MB are refused.",
            "Requests up to 1 MB are refused.",
        ),
        (
            "The replica moved from Dublin to Frankfurt.",
            "The replica moved to Dublin from Frankfurt.",
        ),
        (
            "It is false that everyone can order a standing desk.",
            "Everyone can order a standing desk.",
        ),
        ("We used to deploy with Jenkins.", "We deploy with Jenkins."),
        (
            "The meeting takes place in Busan, not in Seoul.",
            "The meeting does not take place in Busan.",
        ),
        (
            "The archive holds at least 30 files.",
            "The archive holds more than 30 files.",
        ),
        (
            "Alice thinks that the migration will be finished in June.",
            "The migration will be finished in June.",
        ),
        ("Part-time employees get 10 days.", "Employees get 10 days."),
        (
            "The old portal will be shut down.",
            "The portal was shut down.",
        ),
        ("Avoid restarting the database.", "Restarting the database."),
        (
            "신청은 출발 10일 전까지 합니다.",
            "신청은 출발 10일 후까지 합니다.",
        ),
        (
            "백업은 두 주 동안 보관합니다.",
            "백업은 한 주 동안 보관합니다.",
        ),
        (
            "결제 서버가 정산 서버를 호출합니다.",
            "결제 서버를 정산 서버가 호출합니다.",
        ),
    ];

    #[test]
    fn nothing_that_is_nearly_the_sentence_stands() {
        for (source, claim) in TURNED {
            let verdict = check(claim, &[place(source)], &[0.99]);
            assert!(
                matches!(verdict, Verdict::Unsupported(_)),
                "{claim:?} from {source:?}"
            );
        }
    }

    #[test]
    fn numbers_and_what_they_count_must_stand_there() {
        let source = "The controller checks the metrics every 15 seconds by default.";
        check_one(source, source, None);
        check_one(
            "The controller checks the metrics every 30 seconds.",
            source,
            Some(Doubt::Token),
        );
        check_one(
            "The controller checks the metrics every 15 minutes.",
            source,
            Some(Doubt::Words),
        );
        check_one(
            "The session timeout is 30.",
            "The session timeout is 300 seconds.",
            Some(Doubt::Token),
        );
    }

    /// Small models take the number of a neighbour; each row was once printed as an answer.
    #[test]
    fn a_number_stays_with_its_own() {
        let servers = "Server alpha has 4 GB of memory and server beta has 8 GB of memory.";
        check_one(
            "Server alpha has 8 GB of memory.",
            servers,
            Some(Doubt::Order),
        );
        check_one(
            "Server beta has 8 GB of memory.",
            servers,
            Some(Doubt::Part),
        );
        let limits = "The upload limit is 10 MB for guests and 50 MB for members.";
        check_one(
            "The upload limit is 50 MB for guests.",
            limits,
            Some(Doubt::Order),
        );
        check_one(
            "The upload limit is 50 MB for members.",
            limits,
            Some(Doubt::Order),
        );
        let files = "방문자는 파일을 10개까지, 회원은 50개까지 올릴 수 있다.";
        check_one(
            "방문자는 파일을 50개까지 올릴 수 있다.",
            files,
            Some(Doubt::Order),
        );
        let two = [
            place("Server alpha has 4 GB."),
            place("Server beta has 8 GB."),
        ];
        let verdict = check("Server alpha has 8 GB.", &two, &[0.95, 0.95]);
        assert!(matches!(verdict, Verdict::Unsupported(_)), "{verdict:?}");
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
        check_one(
            "We pay a weekly internet stipend.",
            "We pay a monthly internet stipend.",
            Some(Doubt::Words),
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
        let source = "Passwords can be reset by the help desk unless the account is locked.";
        check_one(
            "Passwords can be reset by the help desk.",
            source,
            Some(Doubt::Turn),
        );
    }

    #[test]
    fn a_swapped_order_does_not_stand() {
        let source = "The replica is copied from Frankfurt to Dublin each night.";
        check_one(
            "The replica is copied from Dublin to Frankfurt each night.",
            source,
            Some(Doubt::Order),
        );
    }

    #[test]
    fn an_invention_does_not_stand() {
        let source = "Ask the office manager for the wifi password.";
        check_one("The password is 12345678.", source, Some(Doubt::Token));
        check_one(
            "The office manager keeps bees on the roof.",
            source,
            Some(Doubt::Words),
        );
        check_one("", "Anything.", Some(Doubt::Empty));
    }

    #[test]
    fn another_language_is_quoted_and_not_translated() {
        let source = "A ConfigMap cannot hold more than 1 MiB of data.";
        check_one(
            "ConfigMap은 1 MiB를 넘는 데이터를 담을 수 없다.",
            source,
            Some(Doubt::Words),
        );
    }

    #[test]
    fn words_without_the_meaning_do_not_stand() {
        let line = [place(
            "The logs of the old pod are kept by the node for days.",
        )];
        let claim = "Logs of the pod are kept by the node for days.";
        assert_eq!(
            check(claim, &line, &[0.80]),
            Verdict::Unsupported(Doubt::Meaning)
        );
        assert_eq!(
            check(claim, &line, &[0.90]),
            Verdict::Unsupported(Doubt::Part)
        );
    }
}
