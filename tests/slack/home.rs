//! The app's home: how the library stands, for whoever looks at it.

use saseo::adapters::slack::dialect;
use serde_json::Value;

use crate::support::script::Script;
use crate::support::slack::Slack;
use crate::support::slack::blocks;
use crate::support::slack::people::Person;
use crate::support::slack::record::Request;

use super::bot::{Bot, settings};
use super::talk::{ANSWER, LEAVE, team, town};

/// What stands at home once it says this.
async fn reads(slack: &Slack, whom: &Person, text: &str) -> String {
    let says = || whom.home().filter(|home| home.contains(text));
    slack.eventually(text, says).await
}

#[tokio::test]
async fn the_home_tells_how_the_library_stands_in_the_language_of_who_looks() {
    let (slack, team, _, mina) = team().await;
    let joon = team.member("Joon");
    joon.reads("ko-KR");
    let bot = Bot::start(&slack, &team, town(Script::saying(ANSWER)).await).await;

    mina.opens_home();
    let home = reads(&slack, &mina, "How to ask").await;
    for part in [
        "library r1 · documents: 1",
        "model script",
        "added Leave",
        "`/ask`",
    ] {
        assert!(home.contains(part.trim_matches('`')), "{part}: {home}");
    }
    joon.opens_home();
    let home = reads(&slack, &joon, "물어보는 방법").await;
    for part in ["서가 r1 · 문서 1개", "모델 script", "추가 Leave"] {
        assert!(home.contains(part), "{part}: {home}");
    }

    bot.town.add("Holidays", LEAVE).await;
    assert!(!mina.home().unwrap().contains("r2"), "it is not pushed");
    mina.opens_home();
    reads(&slack, &mina, "library r2 · documents: 2").await;
    slack.settled().await;
    assert_eq!(slack.retries(), 0);
    assert_eq!(slack.requests_to("chat.postMessage").len(), 0);
}

#[tokio::test]
async fn the_home_is_there_while_the_library_is_being_opened_and_fits_however_much_changed() {
    let (slack, team, _, mina) = team().await;
    let town = town(Script::saying(ANSWER)).await;
    for number in 0..40 {
        let title = format!("{}{number}", "문서".repeat(60));
        town.add(&title, LEAVE).await;
    }
    let bot = Bot::start_with(settings(&slack, &[&team]), town).await;
    slack.connected().await;
    mina.opens_home();
    reads(&slack, &mina, "I am opening the library").await;

    bot.open();
    mina.opens_home();
    reads(&slack, &mina, "library r41").await;
    let published = slack.requests_to("views.publish");
    assert!(published.iter().all(Request::done), "{published:#?}");
}

#[tokio::test]
async fn what_stands_at_home_calls_nobody_and_leads_nowhere() {
    let page = saseo::domain::page::Page::notice("<!channel> <@U1> https://e.example");
    let shown = serde_json::to_value(dialect::blocks(&page)).unwrap();
    let Value::Array(shown) = shown else {
        panic!("{shown}");
    };
    let kinds: Vec<_> = blocks::parts(&shown)
        .into_iter()
        .map(|(_, part)| part["type"].as_str().unwrap_or("").to_owned())
        .collect();
    let calls = ["mrkdwn", "user", "broadcast", "link", "usergroup"];
    assert!(
        !kinds.iter().any(|kind| calls.contains(&kind.as_str())),
        "{kinds:?}"
    );
}
