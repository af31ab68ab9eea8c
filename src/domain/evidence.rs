//! Whether the library has it: what was found for a question, weighed.
//!
//! Cosines cannot be judged by themselves: E5's lie between 0.7 and 0.9, and where in there
//! depends on the two languages and on what the library is about. How far the best passage
//! stands out from the whole library can: a question from another world stands as close to
//! everything. Words are the second witness, but only within a language.
//!
//! The third is what the passages say when they are read: how much the best line bears on the
//! question. In a library of a few dozen pages about one thing, where no passage stands out, it
//! tells most.
//!
//! The weights below are logistic fits, rounded, made with multilingual-e5-small on chunks of
//! about 200 tokens. What was declined on the sets that they were made on, at a floor of 0.3,
//! together with rare names (below) and what kind of answer is expected
//! ([`super::expectation`]):
//!
//! | library | answerable / from elsewhere | wrongly declined | rightly declined |
//! |---|---|---|---|
//! | English, product docs | 100 / 80 | .11 | .88 |
//! | English, `SQuAD` 2 | 60 / 80 | .10 | .99 |
//! | Korean, Kubernetes wiki | 26 / 80 | .00 | .89 |
//! | English pages, Korean questions (Kubernetes titles) | 60 / 40 | .15 | .93 |
//! | saseo's manual, questions worded unlike its pages | 40 / 80 | .30 | .96 |
//!
//! What it can hardly do is tell near misses: of sixty unanswerable questions of `SQuAD`, written
//! to resemble answerable ones, it declines .30; of forty to the manual .80.

use std::collections::BTreeSet;

use super::analysis::{content_terms, terms};
use super::language::Language;
use super::line::Line;
use super::numbered::Numbered;
use super::passage::{Background, Found, Passage};
use super::revision::Revision;
use super::sentence::sentences;

/// Passages that are worth reading. Only [`Evidence::gather`] makes one, so whoever takes it
/// cannot be called with nothing in hand.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    revision: Revision,
    passages: Vec<Passage>,
}

impl Evidence {
    /// Passages this far below the best are not read, as a share of its score.
    const WORTH: f32 = 0.5;

    /// The passages of `found` that are worth reading, best first; nothing when each lacks a
    /// rare name that is asked about: what holds for another product, version or error code is
    /// no answer.
    pub fn gather(question: &str, found: &Found) -> Option<Self> {
        let rare = rare_names(question, found);
        let numbered = Numbered::of(question);
        let mut passages: Vec<Passage> = found
            .passages
            .iter()
            .filter(|passage| {
                let page = page(passage, found);
                missing(&rare, &page) == 0.0
                    && numbered.may_stand_in(&text(&page))
                    && numbered.may_stand_in(&text(&[passage]))
            })
            .cloned()
            .collect();
        let least = passages.first()?.scores.fused * Self::WORTH;
        passages.retain(|passage| passage.scores.fused >= least);
        Some(Self {
            revision: found.revision,
            passages,
        })
    }

    /// The revision that all passages are of.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// At least one, best first.
    pub fn passages(&self) -> &[Passage] {
        &self.passages
    }
}

/// How likely `found` holds an answer to `question`, before anything is read: 0 to 1.
pub fn confidence(question: &str, found: &Found) -> f32 {
    weigh(question, found, None)
}

/// As [`confidence`], once the passages were read: `best` is the line that bears most on the
/// question, with how much it does ([`super::reading::relevance`]).
pub fn confidence_read(question: &str, found: &Found, best: (&Line, f32)) -> f32 {
    weigh(question, found, Some(best))
}

fn weigh(question: &str, found: &Found, best: Option<(&Line, f32)>) -> f32 {
    if found.passages.is_empty() {
        return 0.0;
    }
    let signs = Signs::of(question, found);
    let best = best.filter(|_| signs.background.is_some_and(|cosine| cosine > BAND_OF_E5));
    let answered = best.map_or(signs.answered, |(line, _)| Language::of(&line.text));
    let is_across = signs.asked != answered;
    let weights = match (signs.outstanding, best) {
        (None, _) => Weights::WORDS_ALONE,
        (_, None) if is_across => Weights::ACROSS,
        (_, None) => Weights::WITHIN,
        (_, Some(_)) if is_across => Weights::READ_ACROSS,
        (_, Some(_)) => Weights::READ_WITHIN,
    };
    weights.weigh(&signs, best.map_or(0.0, |(_, relevance)| relevance))
}

/// What a line adds was measured with cosines that lie close together and high. Where texts of
/// a library stand further apart than this, the embedder is another, and passages alone decide.
const BAND_OF_E5: f32 = 0.65;

/// What each sign adds to the log-odds.
struct Weights {
    start: f32,
    outstanding: f32,
    coverage: f32,
    missing: f32,
    relevance: f32,
}

impl Weights {
    const WITHIN: Self = Self {
        start: -6.4,
        outstanding: 15.5,
        coverage: 4.2,
        missing: -2.2,
        relevance: 0.0,
    };
    /// Across languages words are seldom found, so that their absence says little; a name is
    /// the same word in both.
    const ACROSS: Self = Self {
        start: -9.0,
        outstanding: 31.0,
        coverage: 2.0,
        missing: -3.5,
        relevance: 0.0,
    };
    const READ_WITHIN: Self = Self {
        start: -9.8,
        outstanding: 5.8,
        coverage: 1.1,
        missing: 0.0,
        relevance: 11.5,
    };
    const READ_ACROSS: Self = Self {
        start: -12.7,
        outstanding: 19.0,
        coverage: 9.0,
        missing: -2.4,
        relevance: 12.0,
    };
    /// Where there are no cosines.
    const WORDS_ALONE: Self = Self {
        start: -3.7,
        outstanding: 0.0,
        coverage: 9.0,
        missing: -1.6,
        relevance: 0.0,
    };

    fn weigh(&self, signs: &Signs, relevance: f32) -> f32 {
        let odds = self.start
            + self.outstanding * signs.outstanding.unwrap_or_default()
            + self.coverage * signs.coverage
            + self.missing * signs.missing
            + self.relevance * relevance;
        1.0 / (1.0 + (-odds).exp())
    }
}

/// What speaks for and against an answer.
struct Signs {
    asked: Language,
    /// The language of the passage that is closest in meaning.
    answered: Language,
    /// How far the best cosine stands out from the library at large: 0 is not at all, 1 is
    /// all the way to the same text.
    outstanding: Option<f32>,
    /// The cosine at which the library at large stands to the question.
    background: Option<f32>,
    /// How much of what the question is about stands together in one place.
    coverage: f32,
    /// The share of the question's names and numbers that stand in no passage.
    missing: f32,
}

impl Signs {
    /// Passages further down only add chance hits.
    const READ: usize = 5;

    fn of(question: &str, found: &Found) -> Self {
        let asked = Language::of(question);
        let best = closest(&found.passages);
        let read: Vec<&Passage> = found.passages.iter().take(Self::READ).collect();
        let background = best.and_then(|(passage, _)| found.background_of(passage.language));
        Self {
            asked,
            answered: best.map_or(asked, |(passage, _)| passage.language),
            outstanding: best.and_then(|(_, cosine)| outstanding(cosine, background?)),
            background: background.map(|background| background.cosine),
            coverage: Subject::of(question, found).coverage(&read),
            missing: missing(&names(question, asked), &read),
        }
    }
}

/// The passage with the highest cosine.
fn closest(passages: &[Passage]) -> Option<(&Passage, f32)> {
    passages
        .iter()
        .filter_map(|passage| Some((passage, passage.scores.dense?)))
        .max_by(|a, b| a.1.total_cmp(&b.1))
}

/// Part of the way from the mean cosine to 1 that `best` goes. The way is shorter where all
/// texts are alike, in a library about one thing.
fn outstanding(best: f32, background: &Background) -> Option<f32> {
    // Beyond so many, one chunk makes no difference; among few, the best would hide itself.
    let all = f32::from(u16::try_from(background.chunks).unwrap_or(u16::MAX));
    let others = (background.cosine * all - best) / (all - 1.0);
    (all > 1.0 && others < 1.0).then(|| (best - others) / (1.0 - others))
}

// ---- Coverage ----

/// What a question is about: its content terms and what they weigh.
struct Subject {
    terms: Vec<(String, f32)>,
}

/// Which terms of a subject a text has: one bit each.
type Mask = u64;

impl Subject {
    /// Sentences that are read together: an answer and what leads to it.
    const WINDOW: usize = 3;

    fn of(question: &str, found: &Found) -> Self {
        // A term that the index knows nothing of is as rare as any.
        let rarest = found
            .terms
            .iter()
            .map(|known| known.idf)
            .fold(1.0, f32::max);
        let weigh = |term: &String| {
            found
                .terms
                .iter()
                .find(|known| known.term == *term)
                .map_or(rarest, |known| known.idf)
        };
        let terms = content_terms(question)
            .into_iter()
            .take(Mask::BITS as usize)
            .map(|term| {
                let weight = weigh(&term);
                (term, weight)
            })
            .collect();
        Self { terms }
    }

    /// The largest share of the subject that stands together, title and headings included.
    fn coverage(&self, passages: &[&Passage]) -> f32 {
        let whole: f32 = self.terms.iter().map(|term| term.1).sum();
        if whole <= 0.0 {
            return 0.0;
        }
        let best = passages
            .iter()
            .flat_map(|passage| self.windows(passage))
            .map(|mask| self.weight(mask))
            .fold(0.0, f32::max);
        best / whole
    }

    /// What each few neighbouring sentences of a passage cover.
    fn windows(&self, passage: &Passage) -> Vec<Mask> {
        let above = self.mask(&above(passage));
        let masks: Vec<Mask> = sentences(&passage.text)
            .into_iter()
            .filter_map(|span| passage.text.get(span.start..span.end))
            .map(|sentence| self.mask(sentence))
            .collect();
        let join = |window: &[Mask]| window.iter().fold(above, |joined, mask| joined | mask);
        if masks.len() < Self::WINDOW {
            return vec![join(&masks)];
        }
        masks.windows(Self::WINDOW).map(join).collect()
    }

    fn mask(&self, text: &str) -> Mask {
        let mut mask = 0;
        for term in terms(text) {
            if let Some(at) = self.terms.iter().position(|own| own.0 == term) {
                mask |= 1 << at;
            }
        }
        mask
    }

    fn weight(&self, mask: Mask) -> f32 {
        let has = |at: usize| mask & (1 << at) != 0;
        self.terms
            .iter()
            .enumerate()
            .filter(|(at, _)| has(*at))
            .map(|(_, term)| term.1)
            .sum()
    }
}

/// Title and headings.
fn above(passage: &Passage) -> String {
    format!("{}\n{}", passage.title, passage.heading.join("\n"))
}

// ---- Names ----

/// A name, a number or an identifier: an answer about another product is none.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Name {
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

fn names(question: &str, asked: Language) -> Vec<Name> {
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
fn rare_names(question: &str, found: &Found) -> Vec<Name> {
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
fn rarity(chunks: f32, holders: f32) -> f32 {
    (1.0 + (chunks - holders + 0.5) / (holders + 0.5)).ln()
}

/// The page of a passage, as far as it was found.
fn page<'a>(passage: &Passage, found: &'a Found) -> Vec<&'a Passage> {
    let passages = found.passages.iter();
    passages
        .filter(|other| other.document == passage.document)
        .collect()
}

/// What stands in these passages and above them.
fn text(passages: &[&Passage]) -> String {
    let texts = passages
        .iter()
        .map(|passage| format!("{}\n{}\n", above(passage), passage.text));
    texts.collect()
}

fn is_year(term: &str) -> bool {
    term.len() == 4
        && ["19", "20"].iter().any(|century| term.starts_with(century))
        && term.bytes().all(|b| b.is_ascii_digit())
}

/// The share of `names` of which no passage has anything. Where no year stands at all, the year
/// of the question says only when it is asked.
fn missing(names: &[Name], passages: &[&Passage]) -> f32 {
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
    use super::super::chunk::Span;
    use super::super::document::{CollectionName, Digest};
    use super::super::line::Kind;
    use super::super::passage::{Scores, TermWeight};
    use super::*;

    fn passage(text: &str, fused: f32, dense: Option<f32>) -> Passage {
        Passage {
            title: "컨피그맵".to_owned(),
            uri: "configmap.md".to_owned(),
            collection: CollectionName::default(),
            language: Language::of(text),
            modified: None,
            heading: Vec::new(),
            text: text.to_owned(),
            document: Digest::of(text.as_bytes()),
            span: Span {
                start: 0,
                end: text.len(),
            },
            scores: Scores {
                fused,
                dense,
                lexical: None,
            },
        }
    }

    /// A library whose chunks stand at a cosine of 0.78 to any question.
    fn found(question: &str, passages: Vec<Passage>) -> Found {
        let terms = content_terms(question)
            .into_iter()
            .map(|term| TermWeight { term, idf: 3.0 })
            .collect();
        let background = [Language::Korean, Language::English]
            .map(|language| Background {
                language,
                cosine: 0.78,
                chunks: 2_000,
            })
            .to_vec();
        Found {
            revision: Revision(1),
            passages,
            terms,
            background,
        }
    }

    /// The confidence in one passage, in percent.
    #[track_caller]
    fn check(question: &str, text: &str, cosine: f32, expected: std::ops::RangeInclusive<u8>) {
        let found = found(question, vec![passage(text, 1.0, Some(cosine))]);
        let confidence = confidence(question, &found) * 100.0;
        let range = f32::from(*expected.start())..=f32::from(*expected.end());
        assert!(range.contains(&confidence), "{confidence}");
    }

    const HOLDS: &str =
        "컨피그맵은 많은 양의 데이터를 보유하지 않는다. 저장된 데이터는 1MiB를 초과할 수 없다.";

    #[test]
    fn a_passage_that_stands_out_and_has_the_words_is_trusted() {
        check("컨피그맵에 데이터를 얼마나 넣어?", HOLDS, 0.88, 95..=100);
    }

    #[test]
    fn a_question_from_another_world_is_not() {
        check("사무실 와이파이 비밀번호가 뭐야?", HOLDS, 0.83, 0..=10);
        check("What is the wifi password?", HOLDS, 0.82, 0..=15);
    }

    #[test]
    fn across_languages_meaning_is_enough() {
        check("How much can it hold?", HOLDS, 0.87, 80..=100);
    }

    #[test]
    fn an_answer_about_another_product_is_trusted_less() {
        let about = |product: &str| {
            let question = format!("{product}에 데이터를 넣는 방법은?");
            confidence(
                &question,
                &found(&question, vec![passage(HOLDS, 1.0, Some(0.85))]),
            )
        };
        assert!(about("ArgoCD") < about("컨피그맵") - 0.2);
    }

    #[test]
    fn words_that_stand_far_apart_count_less_than_words_that_stand_together() {
        let question = "컨피그맵 데이터 초과 저장";
        let scattered = "초과. 가나. 다라. 마바. 저장. 사아. 자차. 카타. 데이터.";
        let in_one =
            |text| confidence(question, &found(question, vec![passage(text, 1.0, None)]));
        assert!(in_one(scattered) < in_one(HOLDS) - 0.2);
    }

    #[test]
    fn in_a_small_library_the_best_passage_does_not_hide_itself() {
        let question = "컨피그맵에 데이터를 얼마나 넣어?";
        let mut found = found(question, vec![passage(HOLDS, 1.0, Some(0.88))]);
        // Three chunks: 0.88 and two of 0.78.
        found.background = vec![Background {
            language: Language::Korean,
            cosine: 0.8133,
            chunks: 3,
        }];
        assert!(confidence(question, &found) > 0.95);
    }

    #[test]
    fn nothing_found_is_no_evidence() {
        let question = "컨피그맵?";
        assert_eq!(
            Evidence::gather(question, &found(question, Vec::new())),
            None
        );
    }

    /// The confidence once the passage was read, and `text` was its best line.
    fn read(question: &str, text: &str, (cosine, relevance): (f32, f32)) -> f32 {
        let line = Line {
            passage: 0,
            text: text.to_owned(),
            raw: text.to_owned(),
            kind: Kind::Statement,
            under: Vec::new(),
        };
        let found = found(question, vec![passage(text, 1.0, Some(cosine))]);
        confidence_read(question, &found, (&line, relevance))
    }

    #[test]
    fn a_line_that_bears_on_the_question_is_trusted_though_its_passage_does_not_stand_out() {
        let question = "채팅을 그만하려면?";
        let line = "대화에서 나가려면 /quit을 입력합니다.";
        assert!(read(question, line, (0.82, 0.8)) > 0.3);
        assert!(read(question, line, (0.82, 0.5)) < 0.1);
        let across = "Type /quit to leave a conversation.";
        assert!(read(question, across, (0.85, 0.6)) > 0.3);
        assert!(read(question, across, (0.85, 0.4)) < 0.3);
    }

    #[test]
    fn only_passages_near_the_best_are_read() {
        let question = "컨피그맵에 데이터를 얼마나 넣어?";
        let passages = [(HOLDS, 0.9), ("가나다", 0.5), ("라마바", 0.2)]
            .map(|(text, fused)| passage(text, fused, Some(0.88)))
            .to_vec();
        let found = found(question, passages);
        let evidence = Evidence::gather(question, &found).unwrap();
        let read: Vec<_> = evidence
            .passages()
            .iter()
            .map(|passage| passage.scores.fused)
            .collect();
        assert_eq!(read, [0.9, 0.5]);
        assert_eq!(evidence.revision(), Revision(1));
    }

    /// What is read of a page about something like it.
    #[track_caller]
    fn reads(question: &str, text: &str) -> usize {
        let mut found = found(question, vec![passage(text, 1.0, Some(0.9))]);
        // Of these, half of the library speaks.
        let common = |term: &TermWeight| ["saseo", "code"].contains(&term.term.as_str());
        for term in &mut found.terms {
            term.idf = if common(term) { 0.7 } else { 6.0 };
        }
        Evidence::gather(question, &found).map_or(0, |evidence| evidence.passages().len())
    }

    #[test]
    fn a_passage_that_lacks_the_rare_name_that_is_asked_about_is_not_read() {
        let codes = "Exit code 2 of saseo means wrong use.";
        for (question, expected) in [
            ("What does exit code 2 mean?", 1),
            ("What does exit code 7 mean?", 0),
            ("What does exit code 2 mean on Windows?", 0),
            ("종료 코드 7은 무슨 뜻이야?", 0),
            ("종료 코드 2는 무슨 뜻이야?", 1),
        ] {
            assert_eq!(reads(question, codes), expected, "{question}");
        }
        let keys = "Set SAVE_DELAY to 5. The limit of retries is SAVE_LIMIT.";
        for (question, expected) in [
            ("What does SAVE_DELAY do?", 1),
            ("What does SAVE_RETRIES do?", 0),
            ("What does RETRIES_LIMIT do?", 0),
        ] {
            assert_eq!(reads(question, keys), expected, "{question}");
        }
        // What everybody here speaks of need not be named.
        assert_eq!(reads("What does Saseo exit with?", "It exits with 2."), 1);
    }

    #[test]
    fn a_year_is_held_only_against_a_page_that_tells_years() {
        let question = "How long is the leave in 2026?";
        assert_eq!(reads(question, "The leave is 15 days long."), 1);
        assert_eq!(reads(question, "In 2026 the leave is 15 days long."), 1);
        assert_eq!(reads(question, "In 2025 the leave was 12 days long."), 0);
    }

    #[test]
    fn in_a_small_library_a_name_on_two_pages_is_rare() {
        let question = "What toner does the Kestrel 500 need?";
        let mut found = found(
            question,
            vec![
                passage("The Kestrel 300 needs toner 12.", 1.0, Some(0.9)),
                passage("The Kestrel 500 needs toner 17.", 0.9, Some(0.9)),
            ],
        );
        found.background = vec![Background {
            language: Language::English,
            cosine: 0.78,
            chunks: 35,
        }];
        for term in &mut found.terms {
            term.idf = rarity(35.0, 2.0);
        }
        let evidence = Evidence::gather(question, &found).unwrap();
        assert_eq!(evidence.passages().len(), 1);
        assert!(evidence.passages()[0].text.contains("500"));
    }

    #[test]
    fn a_name_may_stand_elsewhere_on_the_page() {
        let question = "Which flag is for AMD cards?";
        let mut found = found(
            question,
            vec![
                passage("Set the flag metal.", 1.0, Some(0.9)),
                passage("This page is about AMD cards.", 0.8, Some(0.9)),
                passage("Set the flag cuda.", 0.9, Some(0.9)),
            ],
        );
        for term in &mut found.terms {
            term.idf = 6.0;
        }
        let [first, second, _] = found.passages.as_mut_slice() else {
            unreachable!()
        };
        first.document = second.document;
        let evidence = Evidence::gather(question, &found).unwrap();
        let read = evidence.passages().iter().map(|p| p.text.as_str());
        assert_eq!(
            read.collect::<Vec<_>>(),
            ["Set the flag metal.", "This page is about AMD cards."]
        );
    }

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
