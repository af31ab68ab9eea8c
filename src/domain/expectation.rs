//! What kind of answer a question expects, and whether a line can be one.
//!
//! Who asks how many is not helped by a true sentence without a number, and who asks what not
//! to do is harmed by one about what to do. Meaning does not tell these apart: to an embedding
//! they are as near as can be. Words do, as long as they are only held against a line and
//! never make one.

use std::collections::BTreeSet;

use super::language::Language;

/// What the question asks for beyond its subject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectation {
    kind: Kind,
    polarity: Polarity,
    /// The words of the question, in small letters: who is named there is not the answer.
    asked: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Anything,
    /// How many, how much, how long.
    Amount,
    /// How much it costs.
    Money,
    /// When, since when, in what year.
    Time,
    /// Who, whom, whose.
    Person,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Polarity {
    #[default]
    Any,
    /// What is not so, or must not be done.
    Negative,
}

impl Expectation {
    /// ```
    /// use saseo::domain::expectation::Expectation;
    ///
    /// let expects = Expectation::of("How many days of leave are there?");
    /// assert!(expects.fits("There are 15 days of leave."));
    /// assert!(!expects.fits("Leave is booked in the calendar."));
    /// ```
    pub fn of(question: &str) -> Self {
        let lower = question.to_lowercase();
        let words = words(&lower);
        let (kind, polarity) = match Language::of(question) {
            Language::Korean => (korean_kind(&lower), korean_polarity(&lower)),
            Language::English | Language::Other => {
                (english_kind(&words), english_polarity(&words))
            },
        };
        Self {
            kind,
            polarity,
            asked: words.into_iter().map(str::to_owned).collect(),
        }
    }

    /// Whether `line` can be what is expected.
    pub fn fits(&self, line: &str) -> bool {
        let of_kind = match self.kind {
            Kind::Anything => true,
            Kind::Amount => tells_amount(line),
            Kind::Money => tells_money(line),
            Kind::Time => tells_time(line),
            Kind::Person => tells_person(line, &self.asked),
        };
        of_kind && (self.polarity == Polarity::Any || negates(line))
    }
}

/// Whether a line says what is not so or must not be done.
pub fn negates(line: &str) -> bool {
    const WORDS: [&str; 11] = [
        "never", "not", "no", "none", "nothing", "cannot", "without", "except", "neither",
        "nor", "안",
    ];
    const PARTS: [&str; 12] = [
        "n't", "n’t", "금지", "않", "없", "아니", "못하", "지 말", "지 마", "지말", "지마",
        "제외",
    ];
    let lower = line.to_lowercase();
    words(&lower).iter().any(|word| WORDS.contains(word)) || has_any(&lower, &PARTS)
}

fn words(lower: &str) -> Vec<&str> {
    lower
        .split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’')
        .filter(|word| !word.is_empty())
        .collect()
}

pub(super) fn has_any(text: &str, parts: &[&str]) -> bool {
    parts.iter().any(|part| text.contains(part))
}

// ---- Questions ----

fn english_kind(words: &[&str]) -> Kind {
    const MEASURED: &str =
        "many much long large big often old far fast heavy tall high wide deep";
    const MEASURES: &str = "weight number amount percentage speed height width length capacity";
    const PRICES: &str = "price prices cost costs fee fees salary budget";
    const PRICED: &str = "cost costs price priced pay charge charged fee fees";
    const DOING: &str = "do does did is are was were must should will would can could may";
    const TIMES: &str = "year date day month";
    let asks = |first: &str, second: &str| {
        let mut pairs = words.windows(2);
        pairs.any(|pair| matches!(pair, [a, b] if is_in(first, a) && is_in(second, b)))
    };
    // "What is the weight …", but not "What changes the weight …".
    let asked_of = match words {
        ["what", "is" | "are", "the", which, ..] => which,
        _ => "",
    };
    let is_priced = words.iter().any(|word| is_in(PRICED, word));
    // "How much time do I have to pay?" asks for no sum.
    let asks_how_much = asks("how", "much") && asks("much", DOING);
    if is_in(PRICES, asked_of) || (asks_how_much && is_priced) {
        return Kind::Money;
    }
    if let ["who" | "whom" | "whose", ..] = words {
        return Kind::Person;
    }
    let measures = is_in(MEASURES, asked_of);
    if measures || asks("how", MEASURED) {
        return Kind::Amount;
    }
    // "What happens when …" asks for no time.
    let asks_when = matches!(
        words,
        ["when", ..] | ["until" | "since" | "from" | "by", "when", ..]
    );
    if asks_when || asks("what which", TIMES) {
        return Kind::Time;
    }
    Kind::Anything
}

fn korean_kind(lower: &str) -> Kind {
    const AMOUNTS: [&str; 6] = ["얼마야", "얼마인", "얼마예", "얼마나 걸", "며칠", "몇"];
    const MEASURED: [&str; 5] = [
        "얼마나 많",
        "얼마나 넣",
        "얼마나 오래",
        "얼마나 필요",
        "얼마까지",
    ];
    const PRICES: [&str; 8] = [
        "비용",
        "가격",
        "요금",
        "월급",
        "연봉",
        "예산",
        "수수료",
        "주차비",
    ];
    if lower.contains("얼마") && has_any(lower, &PRICES) {
        Kind::Money
    } else if has_any(&lower.replace("누구나", ""), &["누가", "누구", "누군"]) {
        Kind::Person
    } else if has_any(lower, &AMOUNTS) || has_any(lower, &MEASURED) {
        Kind::Amount
    } else if lower.contains("언제") {
        Kind::Time
    } else {
        Kind::Anything
    }
}

/// "Which files are not committed?", but neither "Why is it not there?" nor "What if it does
/// not start?", which tell of a trouble and look for help.
fn english_polarity(words: &[&str]) -> Polarity {
    const ASKING: [&str; 6] = ["what", "which", "who", "whose", "where", "how"];
    const TURNS: [&str; 9] = [
        "if", "when", "because", "while", "unless", "that", "who", "which", "but",
    ];
    let Some((first, rest)) = words.split_first() else {
        return Polarity::Any;
    };
    let own = rest.iter().take_while(|word| !TURNS.contains(word));
    // "How do I not …" is a way, "How many are not …" an amount: both of what is not.
    let mut denied = own.into_iter().filter(|word| {
        ["not", "never"].contains(word) || word.ends_with("n't") || word.ends_with("n’t")
    });
    if ASKING.contains(first) && denied.next().is_some() {
        Polarity::Negative
    } else {
        Polarity::Any
    }
}

fn korean_polarity(lower: &str) -> Polarity {
    if has_any(lower, &KOREAN_ASKED_NOT) {
        Polarity::Negative
    } else {
        Polarity::Any
    }
}

/// Before a noun, so that it tells which are meant: "하면 안 되는 것".
const KOREAN_ASKED_NOT: [&str; 7] = [
    "안 되는",
    "안되는",
    "않는",
    "않은",
    "말아야",
    "못하는",
    "금지된",
];

// ---- Lines ----

fn tells_amount(line: &str) -> bool {
    const ENGLISH: &str = "one two three four five six seven eight nine ten eleven twelve twenty \
        thirty forty fifty hundred thousand million half once twice none unlimited free \
        forever daily weekly monthly";
    const PHRASES: [&str; 4] = ["no limit", "any number", "as many", "as much"];
    const KOREAN: &str =
        "하나씩 둘 셋 다섯 여섯 일곱 여덟 아홉 스무 절반 무제한 무료 매일 매주 매월";
    const KOREAN_PHRASES: [&str; 4] = ["제한이 없", "제한 없", "한도가 없", "제한은 없"];
    const BEFORE_COUNTERS: &str = "한 두 세 네 열";
    let lower = line.to_lowercase();
    let is_listed = |word: &&str| is_in(ENGLISH, word) || is_in(BEFORE_COUNTERS, word);
    line.contains(char::is_numeric)
        || words(&lower).iter().any(is_listed)
        || KOREAN.split(' ').any(|part| lower.contains(part))
        || has_any(&lower, &PHRASES)
        || has_any(&lower, &KOREAN_PHRASES)
}

fn tells_money(line: &str) -> bool {
    const CURRENCIES: &str = "usd eur gbp jpy krw cny chf dollar dollars euro euros pound pounds \
        won yen yuan franc francs cent cents free nothing 달러 유로 파운드 위안 무료 공짜";
    const PRICES: [&str; 9] = [
        "price", "cost", "fee", "salary", "budget", "가격", "비용", "요금", "금액",
    ];
    let lower = line.to_lowercase();
    let is_won = |pair: &[char]| matches!(pair, [before, '원'] if before.is_numeric() || "백천만억".contains(*before));
    let letters: Vec<char> = line.chars().filter(|c| !c.is_whitespace()).collect();
    line.contains(['$', '€', '£', '¥', '₩', '%'])
        || letters.windows(2).any(is_won)
        || words(&lower).iter().any(|word| {
            CURRENCIES
                .split(' ')
                .any(|listed| starts_hangul(word, listed))
        })
        || (has_any(&lower, &PRICES) && line.contains(char::is_numeric))
}

/// Whether a word is the listed one; in Korean particles follow it.
fn starts_hangul(word: &str, listed: &str) -> bool {
    word == listed || (!listed.is_ascii() && word.starts_with(listed))
}

/// Somebody by role, by name, or as a place to turn to. It is generous: names cannot be listed.
fn tells_person(line: &str, asked: &BTreeSet<String>) -> bool {
    const ENGLISH: &str = "you we they he she i anyone everyone nobody someone people person \
        team teams staff lead leads head president chief admin admins desk department office \
        group company board committee oncall secondary primary guest guests client clients \
        family student students hr it ceo cto cfo coo qa";
    const NO_ROLES: &str = "after other another never under over per whether either rather \
        however number order paper server computer folder letter summer winter later former \
        for or nor color minor error water power layer parameter container cluster router \
        monitor factor vector door floor october november december september";
    const ENDINGS: [&str; 8] = ["er", "ers", "or", "ors", "ist", "ists", "ants", "ees"];
    const KOREAN: &str = "팀 담당 책임 대표 이사 부장 과장 차장 대리 매니저 리드 직원 사원 사람 \
        그룹 위원 님 고객 센터 데스크 누구나 모두 본인 부서 회사 조직 역할 권한 관리자 사용자 \
        소유자 작성자 개발자 운영자 근로자 보호자";
    let lower = line.to_lowercase();
    let is_role = |word: &&str| {
        is_in(ENGLISH, word)
            || (ENDINGS.iter().any(|ending| word.ends_with(ending)) && !is_in(NO_ROLES, word))
    };
    let words = words(&lower);
    let mut roles = words.iter().filter(|word| !asked.contains(**word));
    line.contains(['@', '#'])
        || roles.any(is_role)
        || KOREAN
            .split(' ')
            .any(|part| lower.contains(part) && !asked.iter().any(|word| word.contains(part)))
        || has_name(line, asked)
        || line
            .split_whitespace()
            .any(|word| is_korean_name(word, asked))
}

/// "김민수가": a common family name, two more syllables, and a particle. Other words look like
/// that too.
fn is_korean_name(word: &str, asked: &BTreeSet<String>) -> bool {
    const FAMILIES: &str =
        "김이박최정강조윤장임한오서신권황안송류홍전고문손양배백허남심노하곽성차주우구민유나";
    const PARTICLES: [&str; 12] = [
        "에게", "이", "가", "은", "는", "님", "씨", "의", "을", "를", "과", "와",
    ];
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    let stems = PARTICLES.iter().filter_map(|end| bare.strip_suffix(end));
    std::iter::once(bare).chain(stems).any(|stem| {
        let is_hangul = |c: char| ('가'..='힣').contains(&c);
        stem.chars().count() == 3
            && stem.chars().all(is_hangul)
            && stem.starts_with(|c| FAMILIES.contains(c))
            && !asked.iter().any(|word| word.starts_with(stem))
    })
}

/// A word with a capital letter that the question does not have. The first word of a sentence
/// has one anyway: it counts where another follows ("Kim Minsu"), or what one does ("Mina
/// approves").
fn has_name(line: &str, asked: &BTreeSet<String>) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_name = |word: &str| {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let mut letters = bare.chars();
        letters.next().is_some_and(char::is_uppercase)
            && letters.next().is_some_and(char::is_lowercase)
            && !asked.contains(&bare.to_lowercase())
    };
    let opens = |at: usize| {
        at.checked_sub(1)
            .and_then(|before| words.get(before))
            .is_none_or(|before| before.ends_with(['.', '!', '?']))
    };
    let follows = |at: usize| {
        words.get(at + 1).is_some_and(|next| {
            is_name(next) || (next.len() > 2 && next.ends_with('s') && !next.ends_with("ss"))
        })
    };
    words
        .iter()
        .enumerate()
        .any(|(at, word)| is_name(word) && (!opens(at) || follows(at)))
}

fn tells_time(line: &str) -> bool {
    const ENGLISH: &str = "after before during until once when since every daily weekly monthly \
        quarterly never immediately today tomorrow morning noon evening night quarter spring \
        summer autumn winter jan feb mar apr jun jul aug sep sept oct nov dec";
    const BEGINNINGS: &str = "monday tuesday wednesday thursday friday saturday sunday weekday \
        weekend january february march april june july august september october november \
        december midnight";
    const KOREAN: &str =
        "요일 매일 매주 매월 매년 분기 오전 오후 자정 정오 때 후 전에 뒤 까지 부터 즉시";
    let lower = line.to_lowercase();
    let words = words(&lower);
    let is_listed = |word: &&str| {
        is_in(ENGLISH, word) || BEGINNINGS.split(' ').any(|start| word.starts_with(start))
    };
    words.iter().any(is_listed)
        || words
            .iter()
            .enumerate()
            .any(|(at, word)| is_time(word, words.get(at + 1)))
        || has_clock(line)
        || KOREAN.split(' ').any(|part| lower.contains(part))
}

/// A year, "15th", "9am", "3월", or a number before a unit of time.
fn is_time(word: &str, next: Option<&&str>) -> bool {
    const UNITS: &str = "day days week weeks month months year years hour hours minute minutes \
        second seconds am pm";
    const ENDINGS: &str = "st nd rd th am pm";
    const KOREAN: [char; 7] = ['년', '월', '일', '시', '분', '주', '초'];
    let after = word.trim_start_matches(|c: char| c.is_ascii_digit());
    if after.len() == word.len() {
        return false;
    }
    let is_year = after.is_empty() && word.len() == 4 && word.starts_with(['1', '2']);
    is_year
        || is_in(ENDINGS, after)
        || after.starts_with(KOREAN)
        || after.starts_with("개월")
        || (after.is_empty() && next.is_some_and(|next| is_in(UNITS, next)))
}

/// 9:30
fn has_clock(line: &str) -> bool {
    let bytes = line.as_bytes();
    bytes
        .windows(3)
        .any(|three| matches!(three, [a, b':', b] if a.is_ascii_digit() && b.is_ascii_digit()))
}

fn is_in(list: &str, word: &str) -> bool {
    list.split(' ').any(|listed| listed == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(question: &str, fits: &[&str], does_not: &[&str]) {
        let expects = Expectation::of(question);
        for line in fits {
            assert!(expects.fits(line), "{question} / {line}");
        }
        for line in does_not {
            assert!(!expects.fits(line), "{question} / {line}");
        }
    }

    #[test]
    fn who_asks_how_many_is_told_a_number() {
        check(
            "How many documents can a collection hold?",
            &["It holds 5 of them.", "There is no limit.", "It holds two."],
            &[
                "A collection is a named set of documents.",
                "No, it works in China.",
                "All of it is on the shelf.",
            ],
        );
        check(
            "What is the weight of it?",
            &["It weighs 2 kg."],
            &["It has a case."],
        );
        check(
            "How long may the name be?",
            &["It may be 64 bytes long."],
            &["The name may have letters of any script."],
        );
        check(
            "컨피그맵에 데이터를 얼마나 넣을 수 있어?",
            &["1MiB를 초과할 수 없다."],
            &["컨피그맵은 볼륨으로 마운트한다."],
        );
        check(
            "연차는 며칠이야?",
            &["연차는 열다섯 날이고 한 번에 쓴다.", "15일이다."],
            &["연차는 달력에 적는다."],
        );
    }

    #[test]
    fn who_asks_when_is_told_a_time() {
        check(
            "When is the deployment?",
            &[
                "On Fridays.",
                "In 2024.",
                "After the meeting.",
                "Every week.",
            ],
            &["Deployments are done by the release team."],
        );
        check(
            "배포는 언제 해?",
            &["배포는 금요일에 한다.", "회의 후에 한다."],
            &["배포는 팀이 한다."],
        );
        check(
            "In what year was it founded?",
            &["It was founded in 1998."],
            &["It was founded by 3 people."],
        );
        check(
            "Until when is it supported?",
            &["It is supported until June."],
            &["It is supported by the team."],
        );
        check(
            "When does it start?",
            &["At 9:30.", "On the 15th.", "After 3 days."],
            &["It starts with 3 nodes."],
        );
        check(
            "언제 시작해?",
            &["3월 2일에 시작한다.", "9:30에 시작한다."],
            &["노드 3개로 시작한다."],
        );
        check("What happens when it fails?", &["It starts again."], &[]);
    }

    #[test]
    fn who_asks_what_it_costs_is_told_a_sum() {
        check(
            "How much does the Zephyr 16 cost?",
            &["It costs 900 USD.", "It is free.", "Price per month: 20."],
            &["Model: Zephyr 16; Memory: 32 GB; Battery: 14 hours."],
        );
        check(
            "방문객 주차 요금은 얼마인가요?",
            &["시간당 2,000원입니다.", "2시간까지 무료입니다."],
            &["주차장은 지하 2층에 있습니다."],
        );
    }

    #[test]
    fn who_asks_who_is_told_somebody() {
        check(
            "Who owns TunnelFox?",
            &[
                "TunnelFox belongs to the network team.",
                "Mina owns TunnelFox.",
                "Ask Kim Minsu about TunnelFox.",
                "Write to vpn@example.com.",
            ],
            &["Download TunnelFox from the software centre."],
        );
        check(
            "추천 서비스는 누가 담당해?",
            &[
                "추천 서비스는 개발 2팀이 맡습니다.",
                "추천 서비스는 Mina가 맡습니다.",
            ],
            &["추천 서비스는 돌고래라고 부릅니다."],
        );
        check(
            "출입 카드는 누가 발급해?",
            &["출입 카드는 김민수가 발급합니다."],
            &["출입 카드는 1층에서 발급합니다."],
        );
        check("Who is the director?", &["Director: Jane"], &[]);
        check(
            "How much time do I have to pay an invoice?",
            &["Invoices must be paid within 30 days."],
            &[],
        );
    }

    #[test]
    fn who_asks_what_not_to_do_is_not_told_what_to_do() {
        check(
            "Which files should not be committed?",
            &["Never commit keys.", "Do not commit .env files."],
            &["Commit the lock file."],
        );
        check(
            "커밋하면 안 되는 파일은?",
            &["키 파일은 커밋하지 마세요.", ".env는 금지입니다."],
            &["잠금 파일을 커밋하세요."],
        );
    }

    #[test]
    fn who_has_a_trouble_is_helped() {
        for question in [
            "Why can't I log in?",
            "What do I do if it does not start?",
            "What helps me when I cannot log in?",
            "와이파이가 안 되면 어떻게 해?",
            "왜 시작이 안 돼?",
        ] {
            check(
                question,
                &["Restart the router.", "공유기를 다시 켜세요."],
                &[],
            );
        }
    }
}
