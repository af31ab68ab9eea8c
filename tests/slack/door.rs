//! The HTTP door: what Slack posts is heard, and what it did not make is not.

use std::net::SocketAddr;

use saseo::adapters::slack::Way;
use tokio::net::TcpListener;
use tokio::time::{Duration, sleep};

use crate::support::script::Script;
use crate::support::slack::Slack;
use crate::support::slack::places::Workspace;
use crate::support::slack::seen::Seen;
use crate::support::slack::sender::{FORM, JSON};

use super::bot::{Bot, settings};
use super::talk::{ANSWER, QUESTION, team, town, with};

/// A bot behind a door that Slack knows.
pub(super) async fn behind_a_door(slack: &Slack, team: &Workspace) -> Bot {
    let at = free().await;
    slack.posts_to(&format!("http://{at}/slack/events"));
    let mut settings = settings(slack, &[team]);
    settings.way = Way::Http {
        at,
        secret: slack.signing_secret().into(),
    };
    let bot = Bot::start_with(settings, town(Script::saying(ANSWER)).await).await;
    bot.open();
    for _ in 0..500 {
        if slack.verifies_address().await.is_ok() {
            return bot;
        }
        sleep(Duration::from_millis(10)).await;
    }
    slack.verifies_address().await.unwrap();
    bot
}

/// An address where nobody listens.
async fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

pub(super) fn answers(seen: &[Seen]) -> usize {
    seen.iter().filter(|one| one.by == "saseo").count()
}

#[tokio::test]
async fn what_is_said_comes_in_by_the_door() {
    let (slack, team, general, mina) = team().await;
    let bot = behind_a_door(&slack, &team).await;
    mina.mentions_bot(&general, QUESTION);
    let answer = mina.wait_for(&general, with("receipt")).await;
    mina.presses(&answer, "Useful");
    mina.wait_for(&general, with("Thank you")).await;
    mina.runs(&general, "/library", "list");
    mina.wait_for(&general, with("Leave.md")).await;
    slack.settled().await;
    bot.settled().await;
    assert_eq!(slack.retries(), 0);
}

#[tokio::test]
async fn what_slack_did_not_make_is_not_let_in() {
    let (slack, team, general, mina) = team().await;
    let bot = behind_a_door(&slack, &team).await;
    let event = format!(
        r#"{{"type":"event_callback","team_id":{:?},"api_app_id":"A1","event_id":"Ev1",
        "event_time":1,"event":{{"type":"app_mention","user":{:?},"text":"<@{}> why?",
        "ts":"1700000000.000100","channel":{:?}}}}}"#,
        team.id,
        mina.id,
        team.bot(),
        general.id
    );
    let good = slack.signs(JSON, &event);
    let statuses = |request| {
        let slack = &slack;
        async move { slack.posts(&request).await.map(|answer| answer.status) }
    };
    let mut forged = good.clone();
    forged.body = event.replace("why?", "when?");
    assert_eq!(statuses(forged).await, Ok(401));
    let mut bare = good.clone();
    bare.headers
        .retain(|(name, _)| *name != "x-slack-signature");
    assert_eq!(statuses(bare).await, Ok(401));
    let mut late = good.clone();
    for (name, value) in &mut late.headers {
        if *name == "x-slack-request-timestamp" {
            *value = "1700000000".to_owned();
        }
    }
    assert_eq!(statuses(late).await, Ok(401));
    let huge = slack.signs(JSON, &"x".repeat((1 << 20) + 1));
    assert!(matches!(statuses(huge).await, Ok(413) | Err(_)));
    assert_eq!(statuses(slack.signs(JSON, "{")).await, Ok(400));
    assert_eq!(statuses(slack.signs(FORM, "payload=x")).await, Ok(400));
    bot.settled().await;
    assert_eq!(answers(&mina.sees(&general)), 0);
}

#[tokio::test]
async fn what_is_repeated_word_for_word_is_answered_and_not_done_again() {
    let (slack, team, general, mina) = team().await;
    let bot = behind_a_door(&slack, &team).await;
    let user = &mina.id;
    let hook = format!("{}/commands/x", slack.api().trim_end_matches("/api"));
    let hook: String = url::form_urlencoded::byte_serialize(hook.as_bytes()).collect();
    let command = format!(
        "team_id={}&channel_id={}&channel_name=general&user_id={user}&command=%2Fask\
         &text=How+many+days+of+leave%3F&response_url={hook}&trigger_id=1.2.a",
        team.id, general.id
    );
    let request = slack.signs(FORM, &command);
    for _ in 0..3 {
        let answer = slack.posts(&request).await.unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    }
    mina.wait_for(&general, with("receipt")).await;
    bot.settled().await;
    assert_eq!(answers(&mina.sees(&general)), 1);
}
