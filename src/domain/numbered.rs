//! Names that a number tells apart: Zephyr 15, error 809, step 3.
//!
//! To an embedding the Zephyr 15 is the Zephyr 16, and by its words too: both stand on the page
//! of the other, and 15 stands there for something else.

use super::analysis;
use super::language::Language;

/// The numbered names of a question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbered(Vec<(String, String)>);

impl Numbered {
    /// ```
    /// use saseo::domain::numbered::Numbered;
    ///
    /// let asked = Numbered::of("How heavy is the Zephyr 15?");
    /// assert!(asked.may_stand_in("The Zephyr 15 weighs 1 kg."));
    /// assert!(asked.may_stand_in("They weigh less than 15 kg."));
    /// assert!(!asked.may_stand_in("The Zephyr 16 weighs 1 kg."));
    /// ```
    pub fn of(question: &str) -> Self {
        let words: Vec<&str> = words(question).collect();
        // In English the first word has a capital letter anyway.
        let opening = usize::from(Language::of(question) != Language::Korean);
        let pairs = words.windows(2).skip(opening);
        let numbered = pairs.filter_map(|pair| match pair {
            [name, number] if is_counted(name) => Some((name.to_lowercase(), digits(number)?)),
            _ => None,
        });
        Self(numbered.filter(|(_, number)| !is_year(number)).collect())
    }

    /// Whether `text` does not only have such names with other numbers.
    pub fn may_stand_in(&self, text: &str) -> bool {
        self.0.iter().all(|(name, number)| {
            let there = numbers(name, text);
            there.is_empty() || there.iter().any(|other| is_same(number, other))
        })
    }

    /// As [`Numbered::may_stand_in`], for what stands nearest to what is said: `texts` are a
    /// line and the headings above it, the nearest first.
    pub fn may_be_said_in(&self, texts: &[&str]) -> bool {
        self.0.iter().all(|(name, number)| {
            let mut near = texts.iter().map(|text| numbers(name, text));
            near.find(|there| !there.is_empty())
                .is_none_or(|there| there.iter().any(|other| is_same(number, other)))
        })
    }
}

/// The numbers that `name` has in `text`.
fn numbers(name: &str, text: &str) -> Vec<String> {
    let words: Vec<&str> = words(text).collect();
    let pairs = words.windows(2);
    pairs
        .filter_map(|pair| match pair {
            [first, second] if first.to_lowercase() == *name => digits(second),
            _ => None,
        })
        .collect()
}

/// Heron 4 may be Heron 4.2, but 4.3 is not 4.2.
fn is_same(asked: &str, other: &str) -> bool {
    let goes_on = |long: &str, short: &str| {
        long.strip_prefix(short)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    goes_on(asked, other) || goes_on(other, asked)
}

/// The words of `text`; dots between figures belong to them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '.')
        .map(|word| word.trim_matches('.'))
        .filter(|word| !word.is_empty())
}

/// Whether a number after this word belongs to it.
fn is_counted(word: &str) -> bool {
    const COUNTED: [&str; 20] = [
        "code", "error", "step", "level", "version", "port", "room", "floor", "section",
        "chapter", "phase", "tier", "building", "gate", "rule", "plan", "코드", "오류", "단계",
        "버전",
    ];
    let is_name = word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.len() > 1
        && !analysis::content_terms(word).is_empty();
    is_name || COUNTED.contains(&word.to_lowercase().as_str())
}

/// The number or version in a word; in Korean a particle may follow it.
fn digits(word: &str) -> Option<String> {
    const MOST: usize = 9;
    let after = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number = word.strip_suffix(after)?.trim_matches('.');
    let stands_alone = !after.starts_with(|c: char| c.is_ascii_alphanumeric());
    (stands_alone && (1..=MOST).contains(&number.len())).then(|| number.to_owned())
}

fn is_year(number: &str) -> bool {
    number.len() == 4 && (number.starts_with("19") || number.starts_with("20"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(page: &str, may: &[&str], may_not: &[&str]) {
        for question in may {
            assert!(Numbered::of(question).may_stand_in(page), "{question}");
        }
        for question in may_not {
            assert!(!Numbered::of(question).may_stand_in(page), "{question}");
        }
    }

    #[test]
    fn a_page_about_another_number_is_another_page() {
        check(
            "Exit code 2 means wrong use; 7 files are read. 종료 코드 2는 잘못된 사용.",
            &["What does exit code 2 mean?", "종료 코드 2는 무슨 뜻이야?"],
            &["What does exit code 7 mean?", "종료 코드 7은 무슨 뜻이야?"],
        );
        check(
            "Kestrel 300: TN-310, floor 5. Kestrel 500 (new): TN-510.",
            &[
                "Kestrel 500의 토너는?",
                "What toner does the Kestrel 500 need?",
            ],
            &["What toner does the Kestrel 400 need?"],
        );
    }

    #[test]
    fn a_version_is_not_another_one() {
        check(
            "Heron 4.2 is supported until 2027.",
            &[
                "Until when is Heron 4.2 supported?",
                "Is Heron 4 supported?",
            ],
            &[
                "Until when is Heron 4.3 supported?",
                "Heron 5.0은 언제 출시됐어?",
            ],
        );
        let asked = Numbered::of("Which PostgreSQL does Heron 3 need?");
        let under = |heading| asked.may_be_said_in(&["It needs 15.", heading]);
        assert!(!under("Heron 4.2"));
        assert!(under("Heron 3"));
        assert!(under("Heron"));
    }

    #[test]
    fn a_number_that_belongs_to_no_name_tells_nothing() {
        check(
            "Employees have 15 days. After 5 years, Leave 8 weeks. March 2024.",
            &[
                "How long is my leave after 3 years?",
                "After 3 years, what do I get?",
                "Is it true in March 2026?",
            ],
            &[],
        );
    }
}
