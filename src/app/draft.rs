//! Lets the model write, and keeps of its draft what the evidence carries.
//!
//! Each sentence is checked as soon as it is whole, and only then shown: what streams to a
//! person is grounded already.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;

use super::answer::{Asked, Reading, Unanswered, Watch};
use super::desk::Desk;
use crate::domain::answer::{Answer, Grounded};
use crate::domain::grounding::{self, Doubt, Verdict};
use crate::domain::language::Language;
use crate::domain::prompt::{Message, Misprint, Slots, SourceSlot, Template, defused};
use crate::domain::question::Turn;
use crate::domain::reading;
use crate::domain::receipt::{DraftRecord, Ended, Ready};
use crate::domain::sentence;
use crate::ports::{Audience, Written};

/// What a draft is heard with.
pub(super) struct Hearing<'a> {
    reading: &'a Reading,
    audience: &'a dyn Audience,
    watch: &'a Watch<'a>,
    /// Milliseconds until the first words that stand; 0 before them.
    first_words: AtomicU64,
}

impl<'a> Hearing<'a> {
    pub(super) fn new(
        reading: &'a Reading,
        audience: &'a dyn Audience,
        watch: &'a Watch<'a>,
    ) -> Self {
        Self {
            reading,
            audience,
            watch,
            first_words: AtomicU64::new(0),
        }
    }

    pub(super) fn first_words(&self) -> u64 {
        self.first_words.load(Ordering::Relaxed)
    }

    fn say(&self, sentence: &str) {
        let now = self.watch.millis();
        self.first_words
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |first| {
                (first == 0).then_some(now)
            })
            .ok();
        self.audience.sentence(sentence);
    }
}

/// The answer in the end: what the model wrote and the evidence carries, else the best lines
/// of the evidence, word for word. `None` if neither says anything.
pub(super) async fn settle(
    desk: &Desk,
    asked: &Asked,
    hearing: &Hearing<'_>,
) -> Result<(Option<Answer>, Option<DraftRecord>), Unanswered> {
    let language = Language::of(asked.question.as_str());
    let (mut answer, mut record) = (None, None);
    if desk.writes.contains(&language) {
        match write(desk, asked, hearing).await {
            Ok((claims, draft)) => {
                let Reading {
                    lines, passages, ..
                } = hearing.reading;
                answer = Answer::settle(&claims, lines, passages, language);
                record = Some(draft);
            },
            // The library can still be quoted when nobody writes.
            Err(Unanswered::Unwritten(error)) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "quoting, as the model wrote nothing"
                );
            },
            Err(other) => return Err(other),
        }
    }
    Ok((answer.or_else(|| quote(desk, hearing, language)), record))
}

fn quote(desk: &Desk, hearing: &Hearing<'_>, language: Language) -> Option<Answer> {
    let Reading {
        relevance,
        lines,
        passages,
    } = hearing.reading;
    Answer::quote(relevance, lines, passages, language, desk.rules.sentences)
}

async fn write(
    desk: &Desk,
    asked: &Asked,
    hearing: &Hearing<'_>,
) -> Result<(Vec<Grounded>, DraftRecord), Unanswered> {
    let language = Language::of(asked.question.as_str());
    let template = desk.prompts.for_language(language);
    let prompt = fill(desk, asked, hearing.reading, template)?;
    let (pieces, heard) = mpsc::unbounded_channel();
    let (written, checked) = tokio::join!(
        desk.chat.write(&prompt, desk.rules.sampling, pieces),
        listen(hearing, heard),
    );
    let written = written?;
    let (claims, dropped) = weigh(desk, hearing, &written, checked);
    let Ready { model, prompt } = desk.ready(language);
    let record = DraftRecord {
        model,
        prompt,
        sampling: desk.rules.sampling,
        prompt_tokens: written.prompt_tokens,
        written_tokens: written.written_tokens,
        ended: written.ended,
        kept: claims.len(),
        dropped,
    };
    Ok((claims, record))
}

fn fill(
    desk: &Desk,
    asked: &Asked,
    reading: &Reading,
    template: &Template,
) -> Result<Vec<Message>, Misprint> {
    let tokens = |text: &str| desk.embedder.tokens(text);
    let runs = reading::excerpts(
        &reading.lines,
        &reading.relevance,
        desk.rules.excerpts,
        &tokens,
    );
    let sources = runs
        .iter()
        .zip(1..)
        .filter_map(|(run, number)| {
            let passage = reading.passages.get(run.passage)?;
            let lines = reading.lines.get(run.start..run.end)?;
            let text = lines
                .iter()
                .map(|line| line.text.as_str())
                .collect::<Vec<_>>()
                .join(" ");
            let title = passage.heading.last().unwrap_or(&passage.title);
            Some(SourceSlot {
                number,
                title: defused(title),
                text: defused(&text),
            })
        })
        .collect();
    let question = defused(asked.question.as_str());
    let earlier = asked.said.last().map(|turn| Turn {
        question: defused(&turn.question),
    });
    template.compose(&Slots {
        sources,
        earlier: earlier.as_ref(),
        question: &question,
    })
}

/// Verdicts by sentence, so that none is worked out twice.
type Checked = BTreeMap<String, Verdict>;

/// Checks sentences while the model still writes.
async fn listen(hearing: &Hearing<'_>, mut heard: mpsc::UnboundedReceiver<String>) -> Checked {
    let (mut draft, mut checked) = (String::new(), Checked::new());
    while let Some(piece) = heard.recv().await {
        draft.push_str(&piece);
        let mut whole = claims(&draft);
        // The last one may still go on.
        whole.pop();
        for claim in whole {
            hear(hearing, claim, &mut checked);
        }
    }
    checked
}

/// Judges a claim that was not judged before, and shows it if it stands.
fn hear(hearing: &Hearing<'_>, claim: String, checked: &mut Checked) {
    if checked.contains_key(&claim) {
        return;
    }
    let verdict = judge(hearing, &claim);
    if let Verdict::Supported { line } = verdict
        && let Some(line) = hearing.reading.lines.get(line)
    {
        hearing.say(&line.text);
    }
    checked.insert(claim, verdict);
}

/// The sentences of a draft, without the marks by which the model cites.
fn claims(draft: &str) -> Vec<String> {
    sentence::sentences(draft)
        .into_iter()
        .filter_map(|span| draft.get(span.start..span.end))
        .map(|raw| without_marks(without_lead_in(&sentence::plain(raw))))
        .filter(|claim| !claim.is_empty())
        .collect()
}

/// What small models say before they answer.
fn without_lead_in(text: &str) -> &str {
    const LEAD_INS: [&str; 4] = [
        "The answer is:",
        "The answer to the question is:",
        "The answer to this question is:",
        "Answer:",
    ];
    LEAD_INS
        .iter()
        .find_map(|lead| text.strip_prefix(lead))
        .unwrap_or(text)
}

/// Takes out `[1]`, `[2, 3]`: citations are attached by the check, not by the model.
fn without_marks(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        kept.push_str(before);
        match after.split_once(']') {
            Some((mark, tail))
                if mark.chars().all(|c| c.is_ascii_digit() || ", ".contains(c)) =>
            {
                rest = tail;
            },
            _ => {
                kept.push('[');
                rest = after;
            },
        }
    }
    kept.push_str(rest);
    let words = kept.split_whitespace().collect::<Vec<_>>().join(" ");
    words.replace(" .", ".").replace(" ,", ",")
}

/// A claim whose line bears much less on the question than the best does is beside the point,
/// however true it is.
fn judge(hearing: &Hearing<'_>, claim: &str) -> Verdict {
    let Reading {
        lines, relevance, ..
    } = hearing.reading;
    let verdict = grounding::check(claim, lines, relevance);
    let best = reading::best(lines, relevance);
    if let Verdict::Supported { line } = verdict
        && relevance
            .get(line)
            .is_some_and(|own| *own <= 0.0 || *own < best * reading::NEAR)
    {
        return Verdict::Unsupported(Doubt::Beside);
    }
    verdict
}

/// What the whole draft says that stands, in the words of the source, and why the rest does not.
fn weigh(
    desk: &Desk,
    hearing: &Hearing<'_>,
    written: &Written,
    mut checked: Checked,
) -> (Vec<Grounded>, Vec<Doubt>) {
    let (mut kept, mut dropped) = (Vec::new(), Vec::new());
    let claims = claims(&written.text);
    let whole =
        claims.len() - usize::from(written.ended != Ended::Finished && !claims.is_empty());
    for claim in claims.into_iter().take(whole) {
        let verdict = match checked.remove(&claim) {
            Some(verdict) => verdict,
            None => judge(hearing, &claim),
        };
        match verdict {
            Verdict::Supported { line } if kept.len() < desk.rules.sentences => {
                let said = hearing.reading.lines.get(line);
                kept.extend(said.map(|said| Grounded {
                    text: said.text.clone(),
                    line,
                }));
            },
            Verdict::Supported { .. } => {},
            Verdict::Unsupported(doubt) => dropped.push(doubt),
        }
    }
    (kept, dropped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_the_model_are_not_citations() {
        assert_eq!(
            without_marks("It holds 1 MiB [1]. See [2, 3] and a[i]."),
            "It holds 1 MiB. See and a[i]."
        );
        assert_eq!(
            claims("The answer is: it holds 1 MiB."),
            ["it holds 1 MiB."]
        );
        assert_eq!(
            claims("One is here [1]. Two is there."),
            ["One is here.", "Two is there."]
        );
    }
}
