//! Long answers: they fit, whole and in order, as posts and as edits.

use std::sync::Arc;
use std::time::Duration;

use saseo::adapters::clock::SystemClock;
use saseo::adapters::slack::tiers::Rates;
use saseo::adapters::slack::{Slack as Line, SlackSettings, dialect};
use saseo::domain::page::{Block, Page, Run};
use saseo::ports::{Messenger, Pace};
use serde_json::Value;

use crate::support::answers::long_answer;
use crate::support::script::Script;
use crate::support::seeded::Chance;
use crate::support::slack::faults::{EDIT, POST};
use crate::support::slack::people::Said;
use crate::support::slack::{Slack, world};
use crate::support::town::Town;

use super::bot::{heard, settings};
use super::storms::{size, tell};
use super::talk::{ANSWER, team, town};

/// What is read, code and the rest apart, without what has no width and no ink: where one part
/// ends and the next begins there may be a space more or less. What marks code in a line is
/// not read.
#[derive(Debug, Default, PartialEq, Eq)]
struct Ink {
    words: String,
    code: String,
}

impl Ink {
    fn add(to: &mut String, text: &str) {
        let inked = |c: &char| !c.is_whitespace() && !c.is_control() && *c != '\u{200B}';
        to.extend(text.chars().filter(inked).filter(|c| *c != '`'));
    }

    /// As the author meant it.
    fn meant(page: &Page) -> Self {
        let mut ink = Self::default();
        for block in &page.blocks {
            match block {
                Block::Paragraph(runs) | Block::Small(runs) => {
                    let words: String = runs.iter().map(text).collect();
                    Self::add(&mut ink.words, &words);
                },
                Block::Code(code) => Self::add(&mut ink.code, code),
            }
        }
        ink
    }

    /// As it stands in blocks.
    fn read(&mut self, part: &Value) {
        for (kind, part) in texts(part, "") {
            let to = match kind {
                "rich_text_preformatted" => &mut self.code,
                _ => &mut self.words,
            };
            Self::add(to, part);
        }
    }
}

fn text(run: &Run) -> &str {
    let (Run::Text(text)
    | Run::Strong(text)
    | Run::Link {
        title: text,
        url: _,
    }) = run;
    text
}

/// The texts in a part of a block, each with the kind of what it stands in.
fn texts<'p>(part: &'p Value, within: &'p str) -> Vec<(&'p str, &'p str)> {
    let kind = part["type"].as_str().unwrap_or("");
    let own = part["text"].as_str().map(|text| (within, text));
    let inner = part["elements"].as_array().into_iter().flatten();
    let inner = inner.flat_map(|part| texts(part, kind));
    own.into_iter().chain(inner).collect()
}

/// The way to post, without anything behind it.
async fn desk(slack: &Slack, settings: SlackSettings) -> (Town, Arc<dyn Messenger>) {
    slack.unlimited();
    let settings = SlackSettings {
        rates: Rates::OnlyAsTold,
        ..settings
    };
    let town = town(Script::saying(ANSWER)).await;
    let clock = Arc::new(SystemClock::start());
    let line = Line::new(settings, Arc::new(town.inbox.clone()), clock).unwrap();
    // What was asked before it began may have been answered.
    slack.passes(Duration::from_secs(120));
    (town, line.messenger())
}

/// The posts in the thread of `said`, oldest first.
fn posts(slack: &Slack, said: &Said) -> Vec<world::Message> {
    let world = slack.world();
    let messages = world.channels[&said.channel].messages.values();
    let below = messages.filter(|one| one.thread.as_ref() == Some(&said.ts));
    below.cloned().collect()
}

#[tokio::test]
async fn long_answers_fit_whole_and_in_order() {
    let (slack, team, general, mina) = team().await;
    let (_town, desk) = desk(&slack, settings(&slack, &[&team])).await;
    let (answers, mut chance) = (size(60, 3_000), Chance::new("long answers in Slack"));
    let (mut posted, mut longest, mut largest) = (0, 0, 0);
    for number in 0..answers {
        let answer = long_answer(&mut chance, if number % 20 == 0 { 600 } else { 60 });
        let meant = Ink::meant(&answer);
        largest = largest.max(meant.words.len() + meant.code.len());
        let said = mina.mentions_bot(&general, "why?");
        let event = heard(&team, &mina, &said);
        let mut before = Vec::new();
        for page in &desk.parts(answer) {
            let post = desk.post(&event, &before, page).await.unwrap();
            // Each part may also be put in the place of a shorter one.
            desk.edit(&event, &post, page, Pace::Must).await.unwrap();
            before.push(post);
            longest = longest.max(dialect::text(page).chars().count());
        }
        let mut read = Ink::default();
        for post in posts(&slack, &said) {
            assert!(post.text.chars().count() <= dialect::LONGEST);
            post.blocks.iter().for_each(|block| read.read(block));
            posted += 1;
        }
        assert!(read == meant, "number {number}:\n{read:#?}\n{meant:#?}");
    }
    let done = |method| {
        slack
            .requests_to(method)
            .iter()
            .filter(|it| it.done())
            .count()
    };
    assert_eq!((done(POST), done(EDIT)), (posted, posted));
    let split = slack.world().record.split.len();
    assert_eq!(split, 0, "Slack has made several posts of one");
    tell(&format!(
        "long answers: {answers}, the largest of {largest} bytes of ink, in {posted} posts, the \
         longest of {longest} characters; none refused"
    ));
}
