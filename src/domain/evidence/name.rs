//! The names, numbers and identifiers in a question: what a passage about another thing lacks.

use std::collections::BTreeSet;

use super::text;
use crate::domain::analysis::{content_terms, terms};
use crate::domain::language::Language;
use crate::domain::passage::{Found, Passage};

/// A name, a number or an identifier: an answer about another product is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    terms: Vec<String>,
    /// Of an identifier no part will do: `RETRY_LIMIT` is not `RETRY_DELAY`.
    whole: Option<String>,
}

impl Name {
    fn of(word: &str) -> Option<Self> {
        let terms = content_terms(word);
        let longest = terms.iter().max_by_key(|term| term.len()).cloned();
        let whole = longest.filter(|_| is_joined(word));
        (!terms.is_empty()).then_some(Self { terms, whole })
    }

    fn stands_in(&self, known: &BTreeSet<String>) -> bool {
        match &self.whole {
            Some(whole) => known.contains(whole),
            None => self.terms.iter().any(|term| known.contains(term)),
        }
    }

    fn is_rare(&self, is_rare: impl Fn(&String) -> bool) -> bool {
        match &self.whole {
            Some(whole) => is_rare(whole),
            None => self.terms.iter().all(is_rare),
        }
    }
}

pub(super) fn names(question: &str, asked: Language) -> Vec<Name> {
    let parts: Vec<&str> = without_greeting(question).split('`').collect();
    let mut place = Place::Opening;
    let mut found = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        // What stands between two of them is code.
        let is_code = at % 2 == 1 && at + 1 < parts.len();
        let words: Vec<&str> = part.split_whitespace().collect();
        for (at, word) in words.iter().enumerate() {
            found.extend(if is_code {
                Some((*word).to_owned())
            } else if counts_people(word, words.get(at + 1)) {
                None
            } else {
                name(word, place, asked)
            });
            place = Place::after(word);
        }
    }
    found.iter().filter_map(|name| Name::of(name)).collect()
}

/// "Hi, I'm Peter. How …": who asks is not what is asked about.
fn without_greeting(question: &str) -> &str {
    const OPENERS: [&str; 8] = [
        "hi", "hello", "hey", "dear", "i'm", "i am", "my name", "안녕",
    ];
    let Some((first, rest)) = question.split_once(['.', '!']) else {
        return question;
    };
    let lower = first.to_lowercase();
    let greets = OPENERS.iter().any(|opener| {
        let after = lower.strip_prefix(opener);
        after.is_some_and(|after| !after.starts_with(|c: char| c.is_ascii_alphanumeric()))
    });
    if greets && !rest.trim().is_empty() {
        rest.trim_start()
    } else {
        question
    }
}

/// `snake_case`, `file.yaml`, `Qwen3-8B`: one name, whatever its parts are.
fn is_joined(word: &str) -> bool {
    let is_between = |triple: &[char]| match triple {
        [before, joint, after] => {
            before.is_alphanumeric() && after.is_alphanumeric() && "_.-".contains(*joint)
        },
        _ => false,
    };
    let letters: Vec<char> = word.chars().collect();
    letters.windows(3).any(is_between)
        && (word.contains('_')
            || word.contains(|c: char| c.is_ascii_digit())
            || word.contains('.'))
        && word.contains(|c: char| c.is_ascii_alphabetic())
}

/// Where a word stands: the first of a sentence is a capital one anyway.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Opening,
    Within,
}

impl Place {
    fn after(word: &str) -> Self {
        if word.ends_with(['.', '?', '!', ':']) {
            Self::Opening
        } else {
            Self::Within
        }
    }
}

/// "In my team of 12 people …", "12명인 팀에서": who asks, not what is asked about.
fn counts_people(word: &str, next: Option<&&str>) -> bool {
    const PEOPLE: [&str; 5] = ["people", "persons", "employees", "members", "colleagues"];
    let counted = word.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_people =
        |next: &&str| PEOPLE.contains(&next.trim_matches(|c: char| !c.is_alphabetic()));
    counted.len() < word.len()
        && (counted.starts_with('명') || (counted.is_empty() && next.is_some_and(is_people)))
}

/// Whether a word only counts: "(3)", or "2." where a sentence begins.
fn is_numbering(word: &str, place: Place) -> bool {
    let number = word.trim_matches(|c: char| !c.is_alphanumeric());
    !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit())
        && (word.starts_with('(') || (place == Place::Opening && word.ends_with(['.', ')'])))
}

/// The name in a word, if there is one.
fn name(word: &str, place: Place, asked: Language) -> Option<String> {
    if is_numbering(word, place) {
        return None;
    }
    let in_korean = asked == Language::Korean;
    let bare: String = match asked {
        Language::Korean => word
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || "_.-/".contains(*c))
            .collect(),
        Language::English | Language::Other => {
            word.trim_matches(|c: char| !c.is_alphanumeric()).to_owned()
        },
    };
    let has_digit = bare.bytes().any(|b| b.is_ascii_digit());
    let is_latin = bare.bytes().filter(u8::is_ascii_alphabetic).count() >= 2;
    let is_capital = place == Place::Within && bare.starts_with(char::is_uppercase);
    let is_option = word.starts_with("--");
    let is_name =
        has_digit || (in_korean && is_latin) || is_capital || is_option || is_identifier(&bare);
    is_name.then_some(bare)
}

/// `camelCase`, `snake_case`, `file.yaml`.
fn is_identifier(word: &str) -> bool {
    let is_hump = |pair: &[u8]| {
        pair.first().is_some_and(u8::is_ascii_lowercase)
            && pair.last().is_some_and(u8::is_ascii_uppercase)
    };
    let is_joint = |triple: &[u8]| {
        triple.first().is_some_and(u8::is_ascii_alphabetic)
            && triple.get(1).is_some_and(|b| b"_.".contains(b))
            && triple.last().is_some_and(u8::is_ascii_alphabetic)
    };
    word.as_bytes().windows(2).any(is_hump) || word.as_bytes().windows(3).any(is_joint)
}

/// The names in `question` that tell what it is about: they stand in few passages, or in none.
/// One that much of the library has, such as the team's own product, tells little.
pub(super) fn rare_names(question: &str, found: &Found) -> Vec<Name> {
    /// A name that so large a share of the chunks has is common, in a library of any size.
    const COMMON: f32 = 0.13;
    /// In a large library one is common sooner: above so many chunks, and one more in fifty.
    const MANY: f32 = 4.0;
    const IN_SO_MANY: f32 = 50.0;
    let languages = found.background.iter();
    let chunks: f32 = languages.map(|language| count(0..language.chunks)).sum();
    let most = (chunks * COMMON).min(MANY + chunks / IN_SO_MANY).max(1.0);
    let least = rarity(chunks, most);
    let is_rare = |term: &String| {
        let weight = found.terms.iter().find(|known| known.term == *term);
        weight.is_none_or(|weight| weight.idf >= least)
    };
    let mut names = names(question, Language::of(question));
    names.retain(|name| name.is_rare(is_rare));
    names
}

/// What BM25 lets a term weigh that `holders` of `chunks` have.
pub(super) fn rarity(chunks: f32, holders: f32) -> f32 {
    (1.0 + (chunks - holders + 0.5) / (holders + 0.5)).ln()
}

fn is_year(term: &str) -> bool {
    term.len() == 4
        && ["19", "20"].iter().any(|century| term.starts_with(century))
        && term.bytes().all(|b| b.is_ascii_digit())
}

/// The share of `names` of which no passage has anything. Where no year stands at all, the year
/// of the question says only when it is asked.
pub(super) fn missing(names: &[Name], passages: &[&Passage]) -> f32 {
    let known: BTreeSet<String> = terms(&text(passages)).into_iter().collect();
    let tells_years = known.iter().any(|term| is_year(term));
    let counts = |name: &&Name| tells_years || !name.terms.iter().all(|term| is_year(term));
    let asked: Vec<&Name> = names.iter().filter(counts).collect();
    if asked.is_empty() {
        return 0.0;
    }
    let lacks = |name: &&&Name| !name.stands_in(&known);
    count(asked.iter().filter(lacks)) / count(asked.iter())
}

fn count<T>(things: impl Iterator<Item = T>) -> f32 {
    things.map(|_| 1.0).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_words() {
        let found = |question: &str| {
            let names = names(question, Language::of(question));
            let terms: Vec<_> = names.into_iter().flat_map(|name| name.terms).collect();
            terms.join(" ")
        };
        assert_eq!(found("Hi, I'm Peter from Munich. How do I get it?"), "");
        assert_eq!(
            found("Istio에서 v1.28 설정하는 방법은?"),
            "istio v1.28 1.28"
        );
        assert_eq!(
            found("Where does Claude keep file.yaml?"),
            "claud file.yaml file yaml"
        );
        assert_eq!(found("What do I do?"), "");
        assert_eq!(found("It stopped. Restarting helps?"), "");
        assert_eq!(found("2. How many days are there? (3)"), "");
        assert_eq!(found("1) 휴가는 며칠이야?"), "");
        assert_eq!(found("In my team of 12 people, who approves it?"), "");
        assert_eq!(found("팀이 12명인데 누가 승인해?"), "");
        assert_eq!(found("What does code 2 mean in #31?"), "2 31");
        assert_eq!(
            found("What does `saseo merge` do with --dry-run?"),
            "saseo merg dry-run dri run"
        );
        assert_eq!(found("Is it a pre-made one or an o`clock?"), "");
    }
}
