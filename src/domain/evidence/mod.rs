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
//! `weights` is what each of these counts for, `subject` how much of what is asked about stands
//! together, `name` what a page must have to be one about the same thing.

mod weights;
mod subject;
mod name;

use super::language::Language;
use super::line::Line;
use super::numbered::Numbered;
use super::passage::{Background, Found, Passage};
use super::revision::Revision;
use name::{missing, names, rare_names};
use subject::Subject;
use weights::{BAND_OF_E5, Weights};

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

/// Title and headings.
fn above(passage: &Passage) -> String {
    format!("{}\n{}", passage.title, passage.heading.join("\n"))
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

#[cfg(test)]
mod tests {
    use super::super::analysis::content_terms;
    use super::super::chunk::Span;
    use super::super::document::{CollectionName, Digest};
    use super::super::line::Kind;
    use super::super::passage::{Scores, TermWeight};
    use super::name::rarity;
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
}
