//! Answers one question.

use std::collections::BTreeSet;
use std::time::Duration;

use super::desk::Desk;
use super::draft::{self, Hearing};
use crate::domain::analysis;
use crate::domain::answer::{Declined, Outcome};
use crate::domain::document::Digest;
use crate::domain::embedding::{Embedding, Purpose};
use crate::domain::evidence::{self, Evidence};
use crate::domain::language::Language;
use crate::domain::line::{self, Kind, Line};
use crate::domain::passage::{Found, Passage, Scope, TermWeight};
use crate::domain::prompt::Misprint;
use crate::domain::question::{QuestionText, Turn, standalone};
use crate::domain::reading;
use crate::domain::receipt::{Consulted, Millis, Reason, Receipt};
use crate::ports::{Audience, Query, Unembedded, Unread, Unrecorded, Unwritten};

/// A question with where it was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub question: QuestionText,
    /// What was said before it in the same conversation, oldest first.
    pub said: Vec<Turn>,
    pub scope: Scope,
}

/// Why a question has no outcome.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    #[error(transparent)]
    Unread(#[from] Unread),
    #[error(transparent)]
    Unembedded(#[from] Unembedded),
    #[error(transparent)]
    Unwritten(#[from] Unwritten),
    #[error("the work order could not be filled")]
    Misprint(#[from] Misprint),
    /// The question is answered, and whoever can do without the receipt may say so.
    #[error("the receipt could not be kept")]
    Unkept {
        receipt: Box<Receipt>,
        #[source]
        why: Unrecorded,
    },
}

/// Searches, weighs, lets the model write, checks what it wrote, and keeps the receipt.
pub async fn answer(
    desk: &Desk,
    asked: &Asked,
    audience: &dyn Audience,
) -> Result<Receipt, Unanswered> {
    let receipt = compose(desk, asked, audience).await?;
    match keep(desk, &receipt).await {
        Ok(()) => Ok(receipt),
        Err(why) => Err(Unanswered::Unkept {
            receipt: Box::new(receipt),
            why,
        }),
    }
}

async fn keep(desk: &Desk, receipt: &Receipt) -> Result<(), Unrecorded> {
    let bytes = serde_json::to_vec(receipt).map_err(|e| Unrecorded(e.into()))?;
    desk.ledger.record(&receipt.id, &bytes).await
}

/// As [`answer`], but nothing is kept: for asking again.
pub async fn compose(
    desk: &Desk,
    asked: &Asked,
    audience: &dyn Audience,
) -> Result<Receipt, Unanswered> {
    let watch = Watch::start(desk);
    let search = standalone(asked.question.as_str(), &asked.said);
    let (meaning, found) = look_up(desk, &search, &asked.scope).await?;
    audience.sources(&found.passages);
    let mut receipt = open_receipt(desk, asked, &found, evidence::confidence(&search, &found));
    receipt.millis.sources = watch.millis();
    if let Some(evidence) = Evidence::gather(&search, &found) {
        let reading =
            read_for(desk, asked, (&search, &meaning), (&evidence, &found.terms)).await?;
        receipt.reason = Some(Reason::NothingStands);
        if let Some(best) = reading::best_line(&reading.lines, &reading.relevance) {
            receipt.confidence = evidence::confidence_read(&search, &found, best);
            receipt.reason = below(desk.rules.floor, receipt.confidence);
        }
        if receipt.reason.is_none() {
            let hearing = Hearing::new(&reading, audience, &watch);
            let (answer, draft) = draft::settle(desk, asked, &hearing).await?;
            receipt.draft = draft;
            receipt.millis.first_token = hearing.first_words();
            match answer {
                Some(answer) => receipt.outcome = Outcome::Answered(answer),
                None => receipt.reason = Some(Reason::NothingStands),
            }
        }
    }
    receipt.millis.total = watch.millis();
    if receipt.millis.first_token == 0 {
        receipt.millis.first_token = receipt.millis.total;
    }
    Ok(receipt)
}

fn below(floor: f32, confidence: f32) -> Option<Reason> {
    (confidence < floor).then_some(Reason::BelowFloor { floor })
}

async fn look_up(
    desk: &Desk,
    search: &str,
    scope: &Scope,
) -> Result<(Embedding, Found), Unanswered> {
    let meaning = embed_one(desk, Purpose::Question, search).await?;
    let query = Query {
        text: search.to_owned(),
        embedding: meaning.clone(),
        passages: desk.rules.passages,
    };
    let found = desk.library.search(&query, scope).await?;
    Ok((meaning, found))
}

pub(super) async fn embed_one(
    desk: &Desk,
    purpose: Purpose,
    text: &str,
) -> Result<Embedding, Unembedded> {
    let embeddings = desk.embedder.embed(purpose, &[text.to_owned()]).await?;
    let none = || Unembedded::Failed("the embedder gave nothing back".into());
    embeddings.into_iter().next().ok_or_else(none)
}

/// The receipt of a question that is declined until it is answered.
fn open_receipt(desk: &Desk, asked: &Asked, found: &Found, confidence: f32) -> Receipt {
    let at = desk.clock.now();
    let question = asked.question.as_str();
    let language = Language::of(question);
    let reason = if found.passages.is_empty() {
        Reason::NothingFound
    } else {
        Reason::OtherNames
    };
    let key = format!("{} {} {question}", at.to_rfc3339(), found.revision);
    Receipt {
        id: Digest::of(key.as_bytes())
            .to_string()
            .chars()
            .take(RECEIPT_ID)
            .collect(),
        at,
        question: asked.question.clone(),
        said: asked.said.clone(),
        revision: found.revision,
        collections: asked.scope.collections.clone(),
        embedder: desk.embedder.fingerprint(),
        rules: desk.rules.digest(),
        confidence,
        passages: found.passages.iter().map(consulted).collect(),
        ready: Some(desk.ready(language)),
        draft: None,
        outcome: Outcome::Declined(Declined::near(&found.passages, language)),
        reason: Some(reason),
        millis: Millis::default(),
    }
}

/// Characters of a receipt's id: short enough to type, long enough never to meet again.
const RECEIPT_ID: usize = 12;

fn consulted(passage: &Passage) -> Consulted {
    Consulted {
        uri: passage.uri.clone(),
        heading: passage.heading.clone(),
        document: passage.document,
        scores: passage.scores,
    }
}

/// The evidence, read line by line.
pub(super) struct Reading {
    pub(super) passages: Vec<Passage>,
    pub(super) lines: Vec<Line>,
    /// How much each line bears on the question.
    pub(super) relevance: Vec<f32>,
}

/// Reads for what is asked now: what was said before it helps to find the passages.
async fn read_for(
    desk: &Desk,
    asked: &Asked,
    (search, meaning): (&str, &Embedding),
    evidence: (&Evidence, &[TermWeight]),
) -> Result<Reading, Unembedded> {
    let own = asked.question.as_str();
    if own == search || analysis::content_terms(own).is_empty() {
        return read(desk, (search, search), meaning, evidence).await;
    }
    let meaning = embed_one(desk, Purpose::Question, own).await?;
    read(desk, (own, search), &meaning, evidence).await
}

/// `own` is what is asked now, and `search` with what it follows up.
async fn read(
    desk: &Desk,
    (own, search): (&str, &str),
    question: &Embedding,
    (evidence, terms): (&Evidence, &[TermWeight]),
) -> Result<Reading, Unembedded> {
    let passages: Vec<_> = evidence
        .passages()
        .iter()
        .take(desk.rules.passages_read)
        .cloned()
        .collect();
    let lines = line::lines(&passages);
    let terms = content(own, terms);
    let chosen = promising(own, &lines, &terms, desk.rules.lines_read);
    let meanings = meanings(desk, &lines, &chosen).await?;
    let language = Language::of(own);
    let relevance: Vec<f32> = lines
        .iter()
        .zip(&meanings)
        .map(|(line, meaning)| {
            let cosine = meaning
                .as_ref()
                .map_or(0.0, |meaning| meaning.cosine(question));
            let passage = passages
                .get(line.passage)
                .map_or(0.0, |passage| passage.scores.fused);
            reading::relevance(language, line, cosine, &terms, passage)
        })
        .collect();
    let relevance = reading::narrowed((own, search), &lines, &relevance);
    Ok(Reading {
        passages,
        lines,
        relevance,
    })
}

/// One embedding per line that is `chosen`.
async fn meanings(
    desk: &Desk,
    lines: &[Line],
    chosen: &[usize],
) -> Result<Vec<Option<Embedding>>, Unembedded> {
    let texts: Vec<_> = chosen
        .iter()
        .filter_map(|at| lines.get(*at))
        .map(|line| line.text.clone())
        .collect();
    let embeddings = desk.embedder.embed(Purpose::Passage, &texts).await?;
    let mut meanings = vec![None; lines.len()];
    for (at, embedding) in chosen.iter().zip(embeddings) {
        if let Some(slot) = meanings.get_mut(*at) {
            *slot = Some(embedding);
        }
    }
    Ok(meanings)
}

/// What the question is about: its terms without question words, with what they weigh.
fn content(search: &str, terms: &[TermWeight]) -> Vec<TermWeight> {
    let about: BTreeSet<String> = analysis::content_terms(search).into_iter().collect();
    terms
        .iter()
        .filter(|weight| about.contains(&weight.term))
        .cloned()
        .collect()
}

/// The lines worth comparing by meaning, which costs time: those that share words with the
/// question, then those of the better passages.
fn promising(search: &str, lines: &[Line], terms: &[TermWeight], most: usize) -> Vec<usize> {
    let language = Language::of(search);
    let mut ranked: Vec<(usize, f32)> = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| line.kind == Kind::Statement)
        .map(|(at, line)| {
            let shared = Language::of(&line.text) == language;
            (
                at,
                if shared {
                    reading::coverage(terms, &line.text)
                } else {
                    0.0
                },
            )
        })
        .collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut chosen: Vec<_> = ranked.into_iter().take(most).map(|(at, _)| at).collect();
    chosen.sort_unstable();
    chosen
}

/// Measures from the question on.
pub(super) struct Watch<'a> {
    desk: &'a Desk,
    started: Duration,
}

impl<'a> Watch<'a> {
    fn start(desk: &'a Desk) -> Self {
        Self {
            desk,
            started: desk.clock.monotonic(),
        }
    }

    pub(super) fn millis(&self) -> u64 {
        let passed = self.desk.clock.monotonic().saturating_sub(self.started);
        u64::try_from(passed.as_millis()).unwrap_or(u64::MAX)
    }
}
