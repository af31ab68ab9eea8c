//! Answers that are written before a person's eyes, and what becomes of them when Slack does not
//! let them be.

use std::sync::Arc;
use std::time::Duration;

use saseo::adapters::clock::SystemClock;
use saseo::adapters::slack::streams::{Streamed, Streaming};
use saseo::adapters::slack::tiers::Rates;
use saseo::adapters::slack::{Slack as Line, SlackSettings};
use saseo::domain::event::{Event, EventKey, Platform};
use saseo::domain::language::Language;
use saseo::domain::notice::Notice;
use saseo::domain::page::Page;
use saseo::domain::reply;

use crate::support::chance::chance;
use crate::support::script::Script;
use crate::support::slack::Slack;
use crate::support::slack::faults::{APPEND, EDIT, Fault, Harm, Often, POST, START, STOP};
use crate::support::slack::people::{Person, Said};
use crate::support::slack::places::{Channel, Workspace};
use crate::support::slack::seen::{Seen, Shown};
use crate::support::slack::world::Streaming as Allowed;
use crate::support::town::Town;

use super::bot::{Bot, heard, settings};
use super::storms::{size, tell};
use super::talk::{ANSWER, QUESTION, team, with};

const SECOND: &str = "After ten years an employee has 20 days of leave a year.";

/// A library from which two sentences answer the question.
async fn town(script: Script) -> Town {
    let town = Town::with(script);
    town.add("Leave", &format!("# Leave\n\n{ANSWER} {SECOND}\n"))
        .await;
    town
}

/// A model that writes two sentences, and thinks before each word.
fn two(pace: u64) -> Script {
    let text = format!("{ANSWER} {SECOND}");
    Script::saying(&text).slowly(Duration::from_millis(pace))
}

/// Settings with which answers are streamed in all threads, as fast as Slack allows.
fn streaming(slack: &Slack, team: &Workspace, longest: Duration) -> SlackSettings {
    slack.unlimited();
    SlackSettings {
        rates: Rates::OnlyAsTold,
        streaming: Streaming {
            places: Streamed::Everywhere,
            longest,
        },
        ..settings(slack, &[team])
    }
}

async fn start(slack: &Slack, team: &Workspace, town: Town) -> Bot {
    let bot = Bot::start_with(streaming(slack, team, Duration::from_secs(240)), town).await;
    bot.open();
    slack.connected().await;
    bot
}

/// What saseo says below `said`.
fn below(general: &Channel, said: &Said) -> Vec<Seen> {
    let thread = general.thread(&said.ts).into_iter();
    let ours = |one: &Seen| one.by == "saseo" && one.reply_to.as_ref() == Some(&said.ts);
    thread.filter(ours).collect()
}

/// One post stands there, finished, with the whole of a final form and nothing twice.
#[track_caller]
fn is_whole(general: &Channel, said: &Said) {
    let ours = below(general, said);
    assert_eq!(ours.len(), 1, "{ours:#?}");
    let answer = &ours[0];
    assert!(
        matches!(answer.shown, Shown::AsPosted | Shown::Edited),
        "{answer:#?}"
    );
    for part in [ANSWER, SECOND, "[1] Leave", "receipt"] {
        assert_eq!(answer.text.matches(part).count(), 1, "{part}: {answer}");
    }
    assert!(
        !answer.text.contains(['…', '\u{200B}', '\u{2060}']),
        "{answer}"
    );
    let labels: Vec<_> = answer
        .buttons
        .iter()
        .map(|one| one.label.as_str())
        .collect();
    assert_eq!(labels, ["Useful", "Not useful", "Sources"]);
}

/// Waits for a post that is being streamed and says this already.
async fn grows(mina: &Person, channel: &Channel, text: &'static str) -> Seen {
    mina.wait_for(channel, |seen| {
        let said = |one: &&Seen| one.shown == Shown::Streaming && one.text.contains(text);
        seen.iter().find(said).cloned()
    })
    .await
}

#[tokio::test]
async fn an_answer_is_written_before_the_eyes_of_who_talks_with_the_assistant() {
    let (slack, team, _, mina) = team().await;
    let bot = Bot::start(&slack, &team, town(two(60)).await).await;
    let thread = mina.turns_to_assistant(None);
    let alone = mina.direct_channel();
    mina.replies_to(&thread, QUESTION);

    let first = grows(&mina, &alone, "Leave").await;
    assert!(!first.text.contains(SECOND), "{first}");
    assert_eq!(first.reply_to.as_ref(), Some(&thread.ts));
    grows(&mina, &alone, ANSWER).await;
    mina.wait_for(&alone, with("receipt")).await;
    bot.settled().await;
    is_whole(&alone, &thread);
    let times = |method| slack.requests_to(method).len();
    assert_eq!((times(START), times(STOP), times(POST)), (1, 1, 0));
    assert!(times(APPEND) >= 1);
    assert_eq!(times(EDIT), 1, "the final form");
}

#[tokio::test]
async fn in_a_channel_all_read_along_unless_the_settings_say_otherwise() {
    let (slack, team, general, mina) = team().await;
    let bot = Bot::start(&slack, &team, town(two(0)).await).await;
    mina.mentions_bot(&general, QUESTION);
    mina.wait_for(&general, with("receipt")).await;
    bot.settled().await;
    assert_eq!(slack.requests_to(START).len(), 0);
    drop(bot);

    let bot = start(&slack, &team, town(two(60)).await).await;
    let said = mina.mentions_bot(&general, QUESTION);
    grows(&mina, &general, ANSWER).await;
    bot.settled().await;
    is_whole(&general, &said);
}

#[tokio::test]
async fn where_slack_refuses_to_stream_the_answer_is_posted_and_it_is_not_asked_again() {
    for refusal in [
        "unknown_method",
        "not_allowed_token_type",
        "no_permission",
        "channel_type_not_supported",
        "missing_scope",
    ] {
        let (slack, team, general, mina) = team().await;
        let bot = start(&slack, &team, town(two(20)).await).await;
        slack.goes_wrong(START, Fault::Refused(refusal), Often::Always);
        for _ in 0..2 {
            let said = mina.mentions_bot(&general, QUESTION);
            slack.settled().await;
            bot.settled().await;
            is_whole(&general, &said);
        }
        assert_eq!(slack.requests_to(START).len(), 1, "{refusal}");
    }
    let (slack, team, general, mina) = team().await;
    slack.set(|settings| settings.streaming = Allowed::DirectOnly);
    let bot = start(&slack, &team, town(two(20)).await).await;
    let said = mina.mentions_bot(&general, QUESTION);
    slack.settled().await;
    bot.settled().await;
    let thread = mina.turns_to_assistant(None);
    mina.replies_to(&thread, QUESTION);
    grows(&mina, &mina.direct_channel(), ANSWER).await;
    bot.settled().await;
    is_whole(&general, &said);
    is_whole(&mina.direct_channel(), &thread);
}

#[tokio::test]
async fn a_stream_is_ended_before_slack_gives_it_up_and_the_answer_goes_on_by_edits() {
    let (slack, team, general, mina) = team().await;
    let longest = Duration::from_millis(400);
    slack.set(|settings| settings.stream = Duration::from_secs(3));
    // The second sentence takes longer than Slack would stream.
    let script = Script::saying(&format!("{ANSWER} {SECOND}"));
    let script = script.slowly(Duration::from_millis(350));
    let bot = Bot::start_with(streaming(&slack, &team, longest), town(script).await).await;
    bot.open();
    slack.connected().await;
    let said = mina.mentions_bot(&general, QUESTION);
    let edited = mina.wait_for(&general, |seen| {
        let stops = |one: &&Seen| one.button("Stop").is_some();
        seen.iter().find(stops).cloned()
    });
    let edited = edited.await;
    assert_ne!(edited.shown, Shown::Streaming);
    assert!(
        !edited.text.contains(SECOND),
        "nobody waits for the next word"
    );
    bot.settled().await;
    is_whole(&general, &said);
    let appended = slack.requests_to(APPEND);
    assert!(
        appended.iter().all(|one| one.error().is_none()),
        "{appended:?}"
    );
    let [stopped] = &slack.requests_to(STOP)[..] else {
        panic!("{:?}", slack.requests_to(STOP));
    };
    assert!(stopped.done());
}

#[tokio::test]
async fn whatever_befalls_a_stream_the_answer_is_read_once_and_whole() {
    let before = |harm| Fault::Before(harm);
    let after = |harm| Fault::After(harm);
    for (on, fault) in [
        (START, after(Harm::Torn)),
        (START, before(Harm::Torn)),
        (START, Fault::Limited(Duration::from_secs(1))),
        (APPEND, after(Harm::Torn)),
        (APPEND, before(Harm::Status(503))),
        (APPEND, Fault::Limited(Duration::from_secs(1))),
        (APPEND, Fault::Refused("message_not_in_streaming_state")),
        (APPEND, Fault::Refused("no_permission")),
        (STOP, after(Harm::Torn)),
        (STOP, before(Harm::Status(502))),
        (STOP, Fault::Refused("message_not_in_streaming_state")),
        (STOP, Fault::Limited(Duration::from_secs(1))),
        (EDIT, after(Harm::Torn)),
        (EDIT, Fault::Refused("internal_error")),
    ] {
        let (slack, team, general, mina) = team().await;
        let bot = start(&slack, &team, town(two(25)).await).await;
        slack.goes_wrong(on, fault.clone(), Often::Next(1));
        let said = mina.mentions_bot(&general, QUESTION);
        slack.settled().await;
        bot.settled().await;
        tell(&format!("{on}: {fault:?}"));
        is_whole(&general, &said);
    }
}

#[tokio::test]
async fn a_crash_in_the_middle_of_a_stream_leaves_nothing_stuck_and_nothing_twice() {
    let (slack, team, general, mina) = team().await;
    let bot = start(&slack, &team, town(two(200)).await).await;
    let said = mina.mentions_bot(&general, QUESTION);
    grows(&mina, &general, ANSWER).await;
    let folder = bot.dies().await;
    let bot = start(&slack, &team, Town::within(folder, two(20))).await;
    bot.settled().await;
    is_whole(&general, &said);
}

#[tokio::test]
async fn a_stream_that_was_begun_and_never_noted_is_found_again_after_a_crash() {
    let (slack, team, general, mina) = team().await;
    let said = mina.mentions_bot(&general, QUESTION);
    let event = heard(&team, &mina, &said);
    let other = Event {
        key: EventKey::new(Platform::Slack, "another"),
        ..event.clone()
    };
    let town = town(two(0)).await;
    let run = || {
        let settings = streaming(&slack, &team, Duration::from_secs(240));
        let clock = Arc::new(SystemClock::start());
        let line = Line::new(settings, Arc::new(town.inbox.clone()), clock).unwrap();
        line.messenger()
    };
    let found = |event: &Event| {
        let titles = ["Leave".to_owned()];
        reply::so_far(&titles, &[], Language::English, &event.key.short())
    };
    // Another answer is being written in the same thread.
    for event in [&other, &event] {
        run().post(event, &[], &found(event)).await.unwrap();
    }
    let waiting = reply::waiting(&Notice::Opening, Language::English, &event.key.short());
    for page in [&waiting, &found(&event), &Page::notice("Fifteen.")] {
        // Each run was killed before it kept what it had posted.
        run().post(&event, &[], page).await.unwrap();
    }
    let ours = below(&general, &said);
    let [first, second] = ours.as_slice() else {
        panic!("{ours:#?}");
    };
    assert_eq!(first.shown, Shown::Streaming, "{first}");
    assert_eq!(second.text, "Fifteen.");
    assert!(second.shown != Shown::Streaming && second.buttons.is_empty());
}

#[tokio::test]
async fn what_is_streamed_calls_nobody_and_leads_nowhere() {
    let (slack, team, general, mina) = team().await;
    let hostile = "Every employee has 15 days of leave, <!channel> <@U1> <https://e.example|x> \
        [y](https://f.example) & *more* `code`.";
    let script = Script::saying(hostile).slowly(Duration::from_millis(60));
    let town = Town::with(script);
    town.add("Leave", &format!("# Leave\n\n{hostile}\n")).await;
    let bot = start(&slack, &team, town).await;
    mina.mentions_bot(&general, QUESTION);
    let growing = grows(&mina, &general, "Leave").await;
    assert_eq!(growing.links, [""; 0]);
    bot.settled().await;
    let texts = [START, APPEND].map(|method| slack.requests_to(method));
    for request in texts.into_iter().flatten() {
        let text = request.text("markdown_text");
        assert!(
            !text.contains(['<', '>']) && !text.contains("://"),
            "{text}"
        );
    }
    assert!(slack.pings().is_empty(), "{:?}", slack.pings());
    assert!(slack.previewed().is_empty(), "{:?}", slack.previewed());
}

#[tokio::test]
async fn streams_that_slack_ends_at_any_moment_lose_no_letter_and_get_stuck_nowhere() {
    let (slack, team, general, mina) = team().await;
    let bot = start(&slack, &team, town(two(12)).await).await;
    let (runs, mut seed) = (size(10, 200), 17);
    let mut asked = Vec::new();
    for _ in 0..runs {
        // A thousandth of the time after which Slack is known to do it.
        let lasts = Duration::from_millis(60 + chance(&mut seed) % 241);
        slack.set(|settings| settings.stream = lasts);
        asked.push(mina.mentions_bot(&general, QUESTION));
        slack.settled().await;
        bot.settled().await;
    }
    let refused = |method: &str| {
        let requests = slack.requests_to(method).into_iter();
        let refused =
            requests.filter(|it| it.error() == Some("message_not_in_streaming_state"));
        refused.count()
    };
    let (appends, stops) = (refused(APPEND), refused(STOP));
    for said in &asked {
        is_whole(&general, said);
    }
    let all = general.shows();
    let ours: Vec<_> = all.iter().filter(|one| one.by == "saseo").collect();
    let stuck = ours.iter().filter(|one| one.shown == Shown::Stuck).count();
    let begun = slack
        .requests_to(START)
        .iter()
        .filter(|it| it.done())
        .count();
    tell(&format!(
        "streams: {begun} begun in {runs} runs, {appends} appends and {stops} ends refused, \
         {stuck} stuck, {} answers",
        ours.len()
    ));
    assert_eq!((begun, ours.len(), stuck), (runs, runs, 0));
    assert!(appends + stops > 0, "Slack ended none of them");
}
