//! Names that a number tells apart: Zephyr 15, error 809, step 3.
//!
//! To an embedding the Zephyr 15 is the Zephyr 16, and by its words too: both stand on the page
//! of the other, and 15 stands there for something else.

use std::collections::BTreeSet;

use super::analysis;

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
        // The first word has a capital letter anyway.
        let pairs = words.windows(2).enumerate().skip(1);
        let numbered = pairs.filter_map(|(_, pair)| match pair {
            [name, number] if is_counted(name) => Some((name.to_lowercase(), digits(number)?)),
            _ => None,
        });
        Self(numbered.filter(|(_, number)| !is_year(number)).collect())
    }

    /// Whether `page` does not only have such names with other numbers.
    pub fn may_stand_in(&self, page: &str) -> bool {
        let words: Vec<&str> = words(page).collect();
        self.0.iter().all(|(name, number)| {
            let pairs = words.windows(2);
            let numbers: BTreeSet<String> = pairs
                .filter_map(|pair| match pair {
                    [first, second] if first.to_lowercase() == *name => digits(second),
                    _ => None,
                })
                .collect();
            numbers.is_empty() || numbers.contains(number)
        })
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric())
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

/// The number in a word; in Korean a particle may follow it.
fn digits(word: &str) -> Option<String> {
    const MOST: usize = 5;
    let after = word.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = word.strip_suffix(after)?;
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
