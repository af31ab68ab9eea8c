//! What goes wrong in masses, and what is counted where it arrives.
//!
//! Each runs at a small size; with `SASEO_STORMS=full` at the size that is promised.

use std::time::Duration;

use saseo::adapters::slack::SlackSettings;
use saseo::adapters::slack::tiers::Rates;
use saseo::ports::Inbox as _;

use crate::support::burning::Burning;
use crate::support::script::Script;
use crate::support::slack::Slack;
use crate::support::slack::faults::{Astray, EDIT, Fault, Harm, Often, POST};
use crate::support::slack::people::{Person, Said};
use crate::support::slack::places::{Channel, Workspace};
use crate::support::slack::post::{Delivery, Outcome};
use crate::support::slack::seen::Seen;

use super::bot::{Bot, settings};
use super::talk::{ANSWER, QUESTION, team, town};

/// How much of it: a little each time, all of it when it is asked for.
pub(super) fn size<T>(little: T, full: T) -> T {
    #[expect(clippy::disallowed_methods, reason = "a test has no settings file")]
    let asked = std::env::var("SASEO_STORMS");
    if asked.is_ok_and(|asked| asked == "full") {
        full
    } else {
        little
    }
}

#[expect(
    clippy::print_stdout,
    reason = "what was counted is for whoever runs it"
)]
pub(super) fn tell(what: &str) {
    println!("{what}");
}

/// Settings for a Slack that has no limits but those that it tells.
pub(super) fn hurried(slack: &Slack, team: &Workspace) -> SlackSettings {
    slack.unlimited();
    SlackSettings {
        rates: Rates::OnlyAsTold,
        ..settings(slack, &[team])
    }
}

async fn start(slack: &Slack, team: &Workspace, script: Script) -> Bot {
    let bot = Bot::start_with(hurried(slack, team), town(script).await).await;
    bot.open();
    slack
        .until("two links", |world| {
            (world.links.ready() == 2).then_some(())
        })
        .await;
    bot
}

/// Every question has one whole answer in its thread, and nobody was told anything else. A
/// notice that too many wait is an answer as well.
#[track_caller]
pub(super) fn is_answered_once(general: &Channel, asked: &[Said]) {
    let shown = general.shows();
    let ours: Vec<&Seen> = shown.iter().filter(|one| one.by == "saseo").collect();
    for said in asked {
        let below = ours
            .iter()
            .filter(|one| one.reply_to.as_ref() == Some(&said.ts));
        let below: Vec<_> = below.collect();
        assert_eq!(below.len(), 1, "{said:?}: {below:#?}");
        let text = &below[0].text;
        assert!(
            text.contains("receipt") || text.contains("are waiting"),
            "{text}"
        );
    }
    assert_eq!(ours.len(), asked.len());
}

/// Waits until Slack has nothing more to send: in masses that takes longer than a test usually
/// waits.
pub(super) async fn all_acknowledged(slack: &Slack) {
    for _ in 0..600 {
        let open = |it: &Delivery| !it.attempts.is_empty() && it.outcome == Outcome::Open;
        if !slack.deliveries().iter().any(open) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    slack.settled().await;
}

pub(super) fn asks(mina: &Person, general: &Channel, number: usize) -> Said {
    mina.mentions_bot(general, &format!("{QUESTION} ({number})"))
}

#[tokio::test]
async fn thousands_of_doubled_and_shuffled_events_are_answered_once_each() {
    let (slack, team, general, mina) = team().await;
    let bot = start(&slack, &team, Script::saying(ANSWER)).await;
    let mut asked = Vec::new();
    for round in 0..size(4, 200) {
        slack.leads_astray(Astray::Storm(25, round));
        // Each is a message and a mention.
        asked.extend((0..25).map(|number| asks(&mina, &general, number)));
        slack.leads_astray(Astray::Not);
        bot.settled().await;
    }
    all_acknowledged(&slack).await;
    bot.settled().await;
    is_answered_once(&general, &asked);
    assert_eq!(slack.odd(), [""; 0]);
    let sent = slack.deliveries();
    let attempts: usize = sent.iter().map(|it| it.attempts.len()).sum();
    tell(&format!(
        "doubled and shuffled: {} events, sent {attempts} times, {} questions, each answered once",
        sent.len(),
        asked.len()
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_heard_is_acknowledged_at_once_while_the_machine_is_busy() {
    let (slack, team, general, _) = team().await;
    let people: Vec<_> = (0..40)
        .map(|number| team.member(&format!("P{number}")))
        .collect();
    let bot = start(&slack, &team, Script::saying(ANSWER)).await;
    let burning = Burning::new();
    let mut asked = Vec::new();
    for number in 0..size(150, 1_000) {
        asked.push(asks(&people[number % people.len()], &general, number));
        if number % 10 == 9 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    all_acknowledged(&slack).await;
    drop(burning);
    let mut took = slack.acknowledgements();
    took.sort();
    tell(&format!(
        "{} mentions while both cores are busy: {} acknowledged, half within {:?}, p99 {:?}, all \
         within {:?}, {} sent again",
        asked.len(),
        took.len(),
        took[took.len() / 2],
        took[took.len() * 99 / 100],
        took[took.len() - 1],
        slack.retries()
    ));
    assert_eq!(slack.retries(), 0);
    bot.settled().await;
    is_answered_once(&general, &asked);
}

#[tokio::test]
async fn posts_whose_answers_are_lost_are_never_doubled() {
    let (slack, team, general, mina) = team().await;
    let bot = start(&slack, &team, Script::saying(ANSWER)).await;
    slack.goes_wrong(POST, Fault::After(Harm::Torn), Often::Always);
    let mut asked = Vec::new();
    for number in 0..size(30, 1_000) {
        asked.push(asks(&mina, &general, number));
        if number % 10 == 9 {
            all_acknowledged(&slack).await;
            bot.settled().await;
        }
    }
    all_acknowledged(&slack).await;
    bot.settled().await;
    slack.calms_down();
    is_answered_once(&general, &asked);
    let stored = slack
        .posts_in(&general)
        .iter()
        .filter(|one| one.done())
        .count();
    tell(&format!(
        "posts whose answer is lost after they were stored: {} asked, {stored} stored, {} doubles",
        asked.len(),
        stored - asked.len()
    ));
    assert_eq!(stored, asked.len());
}

#[tokio::test]
async fn a_storm_of_429s_is_waited_out() {
    let (slack, team, general, mina) = team().await;
    let bot = start(&slack, &team, Script::saying(ANSWER)).await;
    for on in [POST, EDIT] {
        slack.goes_wrong(on, Fault::LimitedUpTo(size(2, 30), 7), Often::Share(40, 11));
    }
    let asked: Vec<_> = (0..size(10, 60))
        .map(|number| asks(&mina, &general, number))
        .collect();
    all_acknowledged(&slack).await;
    for _ in 0..size(60, 3_600) {
        if bot.town.inbox.unfinished().await.unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    bot.settled().await;
    is_answered_once(&general, &asked);
    let requests = slack.requests();
    let limited = requests
        .iter()
        .filter(|one| one.status == Some(429))
        .count();
    tell(&format!(
        "429s: {limited} of {} requests, {} questions, each answered once, {} hasty",
        requests.len(),
        asked.len(),
        slack.hasty()
    ));
    let late = slack
        .world()
        .record
        .hasty
        .iter()
        .map(|one| one.at - one.since)
        .max();
    assert_eq!(
        slack.hasty(),
        0,
        "the latest {late:?} after it was told to wait"
    );
}

#[tokio::test]
async fn crash_after_crash_every_question_is_answered_once() {
    let (slack, team, general, mina) = team().await;
    // However many crashes hit the same event, Slack does not give it up.
    slack.set(|settings| settings.retries = vec![Duration::from_secs(60); 1_000]);
    let slowly = || Script::saying(ANSWER).slowly(Duration::from_millis(5));
    let mut bot = start(&slack, &team, slowly()).await;
    let mut asked = Vec::new();
    for round in 0..size(4, 100) {
        let each = size(5, 20);
        asked.extend((0..each).map(|number| asks(&mina, &general, number)));
        tokio::time::sleep(Duration::from_millis(40 * (round % 9))).await;
        let folder = bot.dies().await;
        let town = crate::support::town::Town::within(folder, slowly());
        bot = Bot::start_with(hurried(&slack, &team), town).await;
        bot.open();
        slack
            .until("a link", |world| (world.links.ready() >= 1).then_some(()))
            .await;
        // What went to the links that are gone is sent again.
        slack.passes(Duration::from_secs(61));
    }
    all_acknowledged(&slack).await;
    bot.settled().await;
    is_answered_once(&general, &asked);
    tell(&format!(
        "crashes: {} under {} questions, each answered once",
        size(4, 100),
        asked.len()
    ));
}
