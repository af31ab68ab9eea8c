//! What is said in the end: an answer with its citations, or that the library has none.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::document::{CollectionName, Digest};
use super::expectation::negates;
use super::language::Language;
use super::line::{Kind, Line};
use super::passage::Passage;

/// How an answer came to its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manner {
    /// The model wrote it, and each sentence was found to stand in a source.
    Written,
    /// The best sentences of the library, word for word.
    Quoted,
}

/// What is ready to be said. Only [`Answer::settle`] and [`Answer::quote`] make one, and both
/// take lines of the evidence for every sentence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    pub manner: Manner,
    pub language: Language,
    pub sentences: Vec<Sentence>,
    pub citations: Vec<Citation>,
}

/// A sentence of an answer and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sentence {
    pub text: String,
    /// Position among the citations.
    pub citation: usize,
    /// Whether it is a block of code, to be shown letter by letter.
    #[serde(default, skip_serializing_if = "is_false")]
    pub code: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// A place in the library that an answer rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Citation {
    pub title: String,
    pub uri: String,
    pub collection: CollectionName,
    /// The heading path, outermost first.
    pub heading: Vec<String>,
    /// The words of the source that carry the answer.
    pub quote: String,
    /// When the source was last changed, where it tells.
    pub modified: Option<DateTime<Utc>>,
    /// The digest of the document's text.
    pub document: Digest,
}

/// A claim with the position of the line that carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grounded {
    pub text: String,
    pub line: usize,
}

impl Answer {
    /// The answer that a model wrote, as far as it was found to stand; `None` if nothing was.
    pub fn settle(
        claims: &[Grounded],
        lines: &[Line],
        passages: &[Passage],
        language: Language,
    ) -> Option<Self> {
        Self::assemble(Manner::Written, claims, (lines, passages), language)
    }

    /// The best lines themselves, at most `most` of them, of one passage and in its order;
    /// `None` if no line that bears on the question says anything by itself.
    pub fn quote(
        relevance: &[f32],
        lines: &[Line],
        passages: &[Passage],
        language: Language,
        most: usize,
    ) -> Option<Self> {
        let chosen = best_lines(relevance, lines, most);
        let claims: Vec<_> = chosen
            .into_iter()
            .filter_map(|at| {
                let text = lines.get(at)?.text.clone();
                Some(Grounded { text, line: at })
            })
            .collect();
        Self::assemble(Manner::Quoted, &claims, (lines, passages), language)
    }

    fn assemble(
        manner: Manner,
        claims: &[Grounded],
        (lines, passages): (&[Line], &[Passage]),
        language: Language,
    ) -> Option<Self> {
        let (mut sentences, mut citations) = (Vec::<Sentence>::new(), Vec::<Citation>::new());
        for claim in unrepeated(claims, lines) {
            let line = lines.get(claim.line)?;
            let passage = passages.get(line.passage)?;
            let citation = cite(
                &mut citations,
                (passage, heading(passage, line)),
                &line.text,
            );
            if sentences.iter().all(|said| said.text != claim.text) {
                sentences.push(Sentence {
                    text: claim.text.clone(),
                    citation,
                    code: line.kind == Kind::Code,
                });
            }
        }
        (!sentences.is_empty()).then_some(Self {
            manner,
            language,
            sentences,
            citations,
        })
    }

    /// The sentences with the numbers of their citations, as one text.
    ///
    /// A number follows the last of the neighbouring sentences that share it.
    pub fn text(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        for (at, sentence) in self.sentences.iter().enumerate() {
            let next = self.sentences.get(at + 1);
            parts.push(sentence.text.clone());
            if next.is_none_or(|next| next.citation != sentence.citation) {
                parts.push(format!("[{}]", sentence.citation + 1));
            }
        }
        joined(&parts)
    }
}

/// The claims without those that another one says too, word for word. Code is shown letter by
/// letter, so only the same code repeats it.
fn unrepeated<'a>(claims: &'a [Grounded], lines: &[Line]) -> Vec<&'a Grounded> {
    let is_code = |claim: &Grounded| {
        let line = lines.get(claim.line);
        line.is_some_and(|line| line.kind == Kind::Code)
    };
    let words: Vec<String> = claims.iter().map(|claim| words(&claim.text)).collect();
    let repeats = |at: usize, claim: &Grounded, own: &str| {
        claims
            .iter()
            .zip(&words)
            .enumerate()
            .any(|(other, (by, said))| {
                let first = other < at && said.len() == own.len();
                let holds = said.contains(own) && (first || said.len() > own.len());
                other != at
                    && !own.trim().is_empty()
                    && (holds && !is_code(claim) || other < at && by.text == claim.text)
            })
    };
    let kept = claims.iter().zip(&words).enumerate();
    kept.filter(|(at, (claim, own))| !repeats(*at, claim, own))
        .map(|(_, (claim, _))| claim)
        .collect()
}

/// The words of `text` in small letters, each between blanks. Marks between figures belong to
/// them: 1.5 does not say 5.
fn words(text: &str) -> String {
    let lower = text.to_lowercase();
    let words = lower.split_whitespace().map(|word| {
        word.trim_matches(|c: char| c.is_ascii_punctuation() && !"-+$%#@".contains(c))
    });
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    format!(" {} ", words.join(" "))
}

/// Blocks of several lines stand on lines of their own, all else in one paragraph.
fn joined(parts: &[String]) -> String {
    let mut text = String::new();
    for (at, part) in parts.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| parts.get(before));
        let apart = part.contains('\n') || before.is_some_and(|before| before.contains('\n'));
        text.push_str(match before {
            None => "",
            Some(_) if apart => "\n",
            Some(_) => " ",
        });
        text.push_str(part);
    }
    text
}

/// The headings that `line` stands under, outermost first, without the title.
fn heading(passage: &Passage, line: &Line) -> Vec<String> {
    let mut path = passage.heading.clone();
    for heading in &line.under {
        if *heading != passage.title && !path.contains(heading) {
            path.push(heading.clone());
        }
    }
    path
}

/// The position of the citation for a place, made if there is none; quotes add up.
fn cite(
    citations: &mut Vec<Citation>,
    (passage, heading): (&Passage, Vec<String>),
    quote: &str,
) -> usize {
    let same = |citation: &Citation| {
        citation.uri == passage.uri
            && citation.collection == passage.collection
            && citation.heading == heading
    };
    if let Some(at) = citations.iter().position(same) {
        if let Some(citation) = citations.get_mut(at)
            && !citation.quote.contains(quote)
        {
            citation.quote = format!("{} … {quote}", citation.quote);
        }
        return at;
    }
    citations.push(Citation {
        title: passage.title.clone(),
        uri: passage.uri.clone(),
        collection: passage.collection.clone(),
        heading,
        quote: quote.to_owned(),
        modified: passage.modified,
        document: passage.document,
    });
    citations.len() - 1
}

/// The most relevant statement, with what belongs to it: other statements under its heading that
/// are nearly as relevant, and the code that shows what it says.
fn best_lines(relevance: &[f32], lines: &[Line], most: usize) -> Vec<usize> {
    /// A further line must be at least this share as relevant as the best.
    const NEARLY: f32 = 0.9;
    let statements = || {
        lines
            .iter()
            .zip(relevance)
            .enumerate()
            .filter(|(_, (line, score))| line.kind == Kind::Statement && **score > 0.0)
    };
    let Some((best, (line, score))) =
        statements().max_by(|a, b| a.1.1.total_cmp(b.1.1).then(b.0.cmp(&a.0)))
    else {
        return Vec::new();
    };
    let mut others: Vec<_> = statements()
        .filter(|(at, (other, near))| {
            *at != best
                && (other.passage, &other.under) == (line.passage, &line.under)
                && **near >= score * NEARLY
        })
        .map(|(at, (_, near))| (at, *near))
        .collect();
    others.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut chosen: Vec<usize> = std::iter::once(best)
        .chain(others.into_iter().map(|(at, _)| at))
        .take(most)
        .collect();
    let shown_by = best + 1;
    if lines
        .get(shown_by)
        .is_some_and(|next| next.kind == Kind::Code && next.passage == line.passage)
        // It may be just what not to do.
        && !negates(&line.text)
    {
        chosen.push(shown_by);
    }
    chosen.sort_unstable();
    chosen
}

/// That the library has no answer, with what stands nearest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declined {
    pub language: Language,
    pub nearest: Vec<Nearest>,
}

/// A page that is near the question but does not answer it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nearest {
    pub title: String,
    pub uri: String,
}

impl Declined {
    /// With at most three titles, each once.
    pub fn near(passages: &[Passage], language: Language) -> Self {
        const MOST: usize = 3;
        let mut nearest: Vec<Nearest> = Vec::new();
        for passage in passages {
            let page = Nearest {
                title: passage.title.clone(),
                uri: passage.uri.clone(),
            };
            if nearest.len() < MOST && !nearest.contains(&page) {
                nearest.push(page);
            }
        }
        Self { language, nearest }
    }
}

/// How a question ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum Outcome {
    Answered(Answer),
    Declined(Declined),
}

#[cfg(test)]
mod tests {
    use super::super::chunk::Span;
    use super::super::passage::Scores;
    use super::*;

    fn passage(title: &str) -> Passage {
        Passage {
            title: title.into(),
            uri: format!("{title}.md"),
            collection: CollectionName::default(),
            language: Language::English,
            modified: None,
            heading: vec![],
            text: String::new(),
            document: Digest::of(b""),
            span: Span { start: 0, end: 0 },
            scores: Scores::default(),
        }
    }

    fn line(passage: usize, text: &str, kind: Kind) -> Line {
        Line {
            passage,
            text: text.into(),
            raw: text.into(),
            under: Vec::new(),
            kind,
        }
    }

    #[test]
    fn a_number_follows_the_sentences_that_share_a_source() {
        let lines = [
            line(0, "A.", Kind::Statement),
            line(0, "B.", Kind::Statement),
            line(1, "C.", Kind::Statement),
        ];
        let passages = [passage("one"), passage("two")];
        let claim = |at: usize, text: &str| Grounded {
            text: text.into(),
            line: at,
        };
        let claims = [
            claim(0, "A."),
            claim(1, "B."),
            claim(2, "C."),
            claim(0, "A."),
        ];
        let answer = Answer::settle(&claims, &lines, &passages, Language::English).unwrap();
        assert_eq!(answer.text(), "A. B. [1] C. [2]");
        assert_eq!(answer.citations.first().unwrap().quote, "A. … B.");
    }

    #[test]
    fn nothing_is_said_twice_in_one_answer() {
        let said = |texts: &[&str]| {
            let lines: Vec<_> = texts
                .iter()
                .map(|text| line(0, text, Kind::Statement))
                .collect();
            let claims: Vec<_> = texts
                .iter()
                .enumerate()
                .map(|(line, text)| Grounded {
                    text: (*text).into(),
                    line,
                })
                .collect();
            let passages = [passage("one")];
            Answer::settle(&claims, &lines, &passages, Language::English)
                .unwrap()
                .text()
        };
        let whole = "The error 809: The firewall blocks the connection.";
        let part = "Error 809: The firewall blocks the connection.";
        assert_eq!(said(&[whole, part]), format!("{whole} [1]"));
        assert_eq!(said(&[part, whole]), format!("{whole} [1]"));
        assert_eq!(
            said(&[
                "금지: 메일로 보냅니다.",
                "메일로 보냅니다.",
                "금지: 메일로 보냅니다."
            ]),
            "금지: 메일로 보냅니다. [1]"
        );
        let texts = [
            "It takes 1.5 days.",
            "It takes 5 days.",
            "It takes 5 days more.",
        ];
        assert_eq!(said(&texts), "It takes 1.5 days. It takes 5 days more. [1]");
        assert_eq!(said(&["Press -5.", "Press 5."]), "Press -5. Press 5. [1]");
    }

    #[test]
    fn a_quote_keeps_to_one_passage_and_takes_the_code_that_shows_it() {
        let lines = [
            line(0, "Something else.", Kind::Statement),
            line(1, "Is it so?", Kind::Lead),
            line(1, "Delete it with this.", Kind::Statement),
            line(1, "rm it", Kind::Code),
            line(1, "It is gone.", Kind::Statement),
        ];
        let passages = [passage("one"), passage("two")];
        let answer = Answer::quote(
            &[0.79, 0.99, 0.80, 0.1, 0.75],
            &lines,
            &passages,
            Language::English,
            2,
        )
        .unwrap();
        assert_eq!(answer.text(), "Delete it with this. rm it It is gone. [1]");
    }

    #[test]
    fn a_quote_keeps_to_one_heading() {
        let under = |text: &str, heading: &str| Line {
            under: vec![heading.into()],
            ..line(0, text, Kind::Statement)
        };
        let lines = [under("One.", "a"), under("Two.", "b"), under("Three.", "b")];
        let quote = |relevance: &[f32]| {
            let passages = [passage("one")];
            Answer::quote(relevance, &lines, &passages, Language::English, 3).unwrap()
        };
        assert_eq!(quote(&[0.8, 0.79, 0.79]).text(), "One. [1]");
        assert_eq!(quote(&[0.79, 0.79, 0.8]).text(), "Two. Three. [1]");
    }

    #[test]
    fn the_code_after_a_ban_is_not_quoted() {
        for (said, code) in [
            ("Never deploy on Fridays:", false),
            ("Don't deploy on Fridays.", false),
            ("금요일에는 배포하지 마세요.", false),
            ("금요일 배포를 금지합니다.", false),
            ("Deploy notes on Fridays.", true),
            ("정말 빠르게 배포합니다.", true),
        ] {
            let lines = [
                line(0, said, Kind::Statement),
                line(0, "make release", Kind::Code),
            ];
            let answer =
                Answer::quote(&[0.8, 0.1], &lines, &[passage("one")], Language::English, 2);
            assert_eq!(
                answer.unwrap().sentences.len(),
                1 + usize::from(code),
                "{said}"
            );
        }
    }

    #[test]
    fn nothing_that_stands_is_no_answer() {
        assert_eq!(Answer::settle(&[], &[], &[], Language::English), None);
        assert_eq!(Answer::quote(&[], &[], &[], Language::Korean, 2), None);
    }
}
