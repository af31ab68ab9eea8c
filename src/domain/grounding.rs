//! Checks what a model wrote against what it was given to read.
//!
//! The program decides, not the model's obedience. A claim stands only if it is the whole of
//! one statement of the evidence, sign for sign but for articles and the marks that end a
//! sentence. Whatever is less than that can be turned round by one small word or sign: "unless"
//! and "if", "from" and "to", `<=` and `>=`, a "part-time" or a "used to" left out; in Korean by
//! one particle. A true sentence that is dropped costs little, since the line can be quoted
//! instead; a false one that passes costs trust.

use serde::{Deserialize, Serialize};

use super::line::{Kind, Line};

/// What became of one claim.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The position of the line that carries it.
    Supported { line: usize },
    /// No place carries it.
    Unsupported(Doubt),
}

/// Why a claim does not stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doubt {
    /// It says nothing that could be checked.
    Empty,
    /// No statement says just that. Older receipts told how near it came.
    #[serde(
        alias = "words",
        alias = "token",
        alias = "turn",
        alias = "order",
        alias = "part",
        alias = "meaning"
    )]
    Unsaid,
    /// It bears too little on the question, true or not.
    Beside,
}

/// Checks `claim` against `lines`. Of several that carry it, the one of the highest `relevance`
/// counts: near-identical pages share sentences.
pub fn check(claim: &str, lines: &[Line], relevance: &[f32]) -> Verdict {
    // Whoever answers with the question says nothing.
    let asks = claim.trim_end().ends_with(['?', '？']);
    let said = words(claim);
    if said.is_empty() || asks {
        return Verdict::Unsupported(Doubt::Empty);
    }
    let carries = |line: &Line| line.kind != Kind::Lead && words(&line.text) == said;
    let best = lines
        .iter()
        .zip(relevance)
        .enumerate()
        .filter(|(_, (line, _))| carries(line))
        .max_by(|a, b| a.1.1.total_cmp(b.1.1).then(b.0.cmp(&a.0)));
    best.map_or(Verdict::Unsupported(Doubt::Unsaid), |(line, _)| {
        Verdict::Supported { line }
    })
}

/// The words of a text as they stand there, but for articles, the capital that begins it, and
/// the marks of sentences around them. Signs are words too.
fn words(text: &str) -> Vec<String> {
    const OPENING: [char; 8] = ['"', '\'', '“', '‘', '(', '[', '「', '『'];
    const CLOSING: [char; 17] = [
        '"', '\'', '”', '’', ')', ']', '」', '』', '.', ',', ';', ':', '!', '?', '…', '。',
        '，',
    ];
    let bare = |word: &str| {
        let word = word.trim_start_matches(OPENING);
        word.trim_end_matches(CLOSING).to_owned()
    };
    let mut words: Vec<String> = text.split_whitespace().map(bare).collect();
    if let Some(first) = words.first_mut() {
        *first = uncapitalised(first);
    }
    // A capital A within a sentence is a name: "vitamin A".
    words.retain(|word| !word.is_empty() && !["a", "an", "the"].contains(&word.as_str()));
    if let Some(first) = words.first_mut() {
        *first = uncapitalised(first);
    }
    words
}

fn uncapitalised(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().into_iter().flat_map(char::to_lowercase);
    first.chain(letters).collect()
}

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
            "the ConfigMap cannot hold more than 1 MiB of data",
            source,
            None,
        );
        check_one(
            "A ConfigMap cannot hold more than 1 MiB.",
            source,
            Some(Doubt::Unsaid),
        );
        let source = "컨피그맵에 저장된 데이터는 1MiB를 초과할 수 없다.";
        check_one(
            "컨피그맵에 저장된 데이터는 1MiB를 초과할 수 없다",
            source,
            None,
        );
        check_one(
            "데이터는 1MiB를 초과할 수 없다.",
            source,
            Some(Doubt::Unsaid),
        );
        check_one(
            "10.",
            "Part-time employees get 10 days of annual leave.",
            Some(Doubt::Unsaid),
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
        assert_eq!(verdict, Verdict::Unsupported(Doubt::Unsaid));
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
            Some(Doubt::Unsaid),
        );
        check_one(
            "The controller checks the metrics every 15 minutes.",
            source,
            Some(Doubt::Unsaid),
        );
        check_one(
            "The session timeout is 30.",
            "The session timeout is 300 seconds.",
            Some(Doubt::Unsaid),
        );
    }

    /// Small models take the number of a neighbour; each row was once printed as an answer.
    #[test]
    fn a_number_stays_with_its_own() {
        let servers = "Server alpha has 4 GB of memory and server beta has 8 GB of memory.";
        check_one(
            "Server alpha has 8 GB of memory.",
            servers,
            Some(Doubt::Unsaid),
        );
        check_one(
            "Server beta has 8 GB of memory.",
            servers,
            Some(Doubt::Unsaid),
        );
        let limits = "The upload limit is 10 MB for guests and 50 MB for members.";
        check_one(
            "The upload limit is 50 MB for guests.",
            limits,
            Some(Doubt::Unsaid),
        );
        check_one(
            "The upload limit is 50 MB for members.",
            limits,
            Some(Doubt::Unsaid),
        );
        let files = "방문자는 파일을 10개까지, 회원은 50개까지 올릴 수 있다.";
        check_one(
            "방문자는 파일을 50개까지 올릴 수 있다.",
            files,
            Some(Doubt::Unsaid),
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
            Some(Doubt::Unsaid),
        );
        check_one(
            "Run the sync command to see what the Notion source would change.",
            source,
            Some(Doubt::Unsaid),
        );
        check_one(
            "We pay a weekly internet stipend.",
            "We pay a monthly internet stipend.",
            Some(Doubt::Unsaid),
        );
    }

    #[test]
    fn a_turned_meaning_does_not_stand() {
        let source = "Secrets are not encrypted by default in the underlying data store.";
        check_one(
            "Secrets are encrypted by default in the underlying data store.",
            source,
            Some(Doubt::Unsaid),
        );
        check_one(
            "시크릿은 암호화되어 저장된다.",
            "시크릿은 암호화되지 않은 채 저장된다.",
            Some(Doubt::Unsaid),
        );
        let source = "The kubelet restarts the container after the probe fails.";
        check_one(
            "The kubelet restarts the container before the probe fails.",
            source,
            Some(Doubt::Unsaid),
        );
        let source = "Passwords can be reset by the help desk unless the account is locked.";
        check_one(
            "Passwords can be reset by the help desk.",
            source,
            Some(Doubt::Unsaid),
        );
    }

    #[test]
    fn a_swapped_order_does_not_stand() {
        let source = "The replica is copied from Frankfurt to Dublin each night.";
        check_one(
            "The replica is copied from Dublin to Frankfurt each night.",
            source,
            Some(Doubt::Unsaid),
        );
    }

    #[test]
    fn an_invention_does_not_stand() {
        let source = "Ask the office manager for the wifi password.";
        check_one("The password is 12345678.", source, Some(Doubt::Unsaid));
        check_one(
            "The office manager keeps bees on the roof.",
            source,
            Some(Doubt::Unsaid),
        );
        check_one("", "Anything.", Some(Doubt::Empty));
    }

    #[test]
    fn another_language_is_quoted_and_not_translated() {
        let source = "A ConfigMap cannot hold more than 1 MiB of data.";
        check_one(
            "ConfigMap은 1 MiB를 넘는 데이터를 담을 수 없다.",
            source,
            Some(Doubt::Unsaid),
        );
    }

    #[test]
    fn signs_are_part_of_what_is_said() {
        for (source, claim) in [
            (
                "Keep a load of <= 70 percent.",
                "Keep a load of 70 percent.",
            ),
            (
                "Keep a load of >= 70 percent.",
                "Keep a load of ≥ 70 percent.",
            ),
            ("It stores -18 degrees.", "It stores 18 degrees."),
            ("The fee is $25.", "The fee is €25."),
            ("Use C++ here.", "Use C here."),
            ("Push with --force.", "Push with force."),
            ("Ignore .env files.", "Ignore env files."),
            ("It has vitamin A in it.", "It has vitamin in it."),
            ("Ask IT for help.", "Ask it for help."),
        ] {
            check_one(source, source, None);
            check_one(claim, source, Some(Doubt::Unsaid));
        }
    }

    #[test]
    fn of_two_pages_that_say_it_the_one_that_is_asked_about_counts() {
        let two = [place("It weighs 2 kg."), place("It weighs 2 kg.")];
        let verdict = check("It weighs 2 kg.", &two, &[0.4, 0.9]);
        assert_eq!(verdict, Verdict::Supported { line: 1 });
    }

    #[test]
    fn doubts_of_older_receipts_are_still_read() {
        let old: Vec<Doubt> = serde_json::from_str(r#"["token","part","beside"]"#).unwrap();
        assert_eq!(old, [Doubt::Unsaid, Doubt::Unsaid, Doubt::Beside]);
    }
}
