//! The links of Socket Mode: events that come twice, links that end, and tokens that are refused.

use std::time::Duration;

use saseo::adapters::slack::Deaf;
use saseo::adapters::slack::socket::Pulse;

use crate::support::script::Script;
use crate::support::slack::faults::{Astray, Babble, Cut, Greeting};
use crate::support::slack::seen::Seen;

use super::bot::{Bot, settings};
use super::talk::{ANSWER, QUESTION, team, town, with};

fn answers(seen: &[Seen]) -> usize {
    seen.iter().filter(|one| one.by == "saseo").count()
}

#[tokio::test]
async fn what_slack_sends_twice_and_in_another_order_is_answered_once() {
    let (slack, team, general, mina) = team().await;
    slack.unlimited();
    let bot = Bot::start(&slack, &team, town(Script::saying(ANSWER)).await).await;
    slack
        .until("links", |world| (world.links.ready() == 2).then_some(()))
        .await;
    slack.leads_astray(Astray::Storm(8, 3));
    for number in 0..8 {
        mina.mentions_bot(&general, &format!("{QUESTION} ({number})"));
    }
    slack.leads_astray(Astray::Not);
    slack.settled().await;
    bot.settled().await;
    assert_eq!(answers(&mina.sees(&general)), 8);
    assert_eq!(slack.odd(), [""; 0]);
}

#[tokio::test]
async fn both_ends_of_a_link_come_and_go_and_nothing_is_lost() {
    let (slack, team, general, mina) = team().await;
    let bot = Bot::start(&slack, &team, town(Script::saying(ANSWER)).await).await;
    slack
        .until("links", |world| (world.links.ready() == 2).then_some(()))
        .await;
    let cuts = [
        Cut::Refresh,
        Cut::Warning,
        Cut::Bare,
        Cut::Torn,
        Cut::Ended,
        Cut::Closed(1006),
        Cut::Babble(Babble::NotJson),
        Cut::Babble(Babble::Bytes),
        Cut::Babble(Babble::UnknownKind),
        Cut::Babble(Babble::HalfFrame),
        Cut::TooMany,
    ];
    for (number, cut) in cuts.into_iter().enumerate() {
        slack.cuts_one(cut);
        mina.mentions_bot(&general, &format!("{QUESTION} ({number})"));
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    slack
        .eventually("whole answers", || {
            let whole = mina
                .sees(&general)
                .into_iter()
                .filter(|one| one.text.contains("receipt"));
            (whole.count() == cuts.len()).then_some(())
        })
        .await;
    bot.settled().await;
    assert_eq!(answers(&mina.sees(&general)), cuts.len());
}

#[tokio::test]
async fn a_link_that_says_nothing_any_more_is_made_anew() {
    let (slack, team, general, mina) = team().await;
    let mut settings = settings(&slack, &[&team]);
    settings.pulse = Pulse {
        tick: Duration::from_millis(500),
        silence: Duration::from_secs(60),
        connect: Duration::from_secs(1),
        ..settings.pulse
    };
    let bot = Bot::start_with(settings, town(Script::saying(ANSWER)).await).await;
    bot.open();
    slack
        .until("links", |world| (world.links.ready() == 2).then_some(()))
        .await;
    slack.greets([
        Greeting::Silence,
        Greeting::Unanswered,
        Greeting::Status(500),
    ]);
    assert_eq!(slack.cuts(Cut::BlackHole), 2);
    slack
        .until("links", |world| (world.links.opened >= 4).then_some(()))
        .await;
    mina.mentions_bot(&general, QUESTION);
    mina.wait_for(&general, with("receipt")).await;
    bot.settled().await;
}

#[tokio::test]
async fn the_line_ends_where_slack_does_not_let_us_in() {
    for error in ["invalid_auth", "account_inactive", "team_disabled"] {
        let (slack, team, _, _) = team().await;
        slack.refuses_app_token(error);
        let bot = Bot::start_with(
            settings(&slack, &[&team]),
            town(Script::saying(ANSWER)).await,
        )
        .await;
        let ended = bot.ends().await;
        let Err(Deaf::Refused(why)) = ended else {
            panic!("{error}: {ended:?}");
        };
        assert!(
            why.contains(error) && why.contains("SASEO_SLACK_APP_TOKEN"),
            "{why}"
        );
        assert!(slack.requests_to("apps.connections.open").len() <= 3);
    }
}

#[tokio::test]
async fn the_line_ends_when_the_bots_token_is_taken_away() {
    let (slack, team, general, mina) = team().await;
    let bot = Bot::start(&slack, &team, town(Script::saying(ANSWER)).await).await;
    team.refuses_tokens("token_revoked");
    mina.mentions_bot(&general, QUESTION);
    let ended = bot.ends().await;
    let Err(Deaf::Refused(why)) = ended else {
        panic!("{ended:?}");
    };
    assert!(
        why.contains("SASEO_SLACK_BOT_TOKEN (token_revoked)"),
        "{why}"
    );
}

#[tokio::test]
async fn the_line_ends_when_socket_mode_is_switched_off() {
    let (slack, team, _, _) = team().await;
    let bot = Bot::start(&slack, &team, town(Script::saying(ANSWER)).await).await;
    slack.disables_socket_mode();
    let ended = bot.ends().await;
    let Err(Deaf::Refused(why)) = ended else {
        panic!("{ended:?}");
    };
    assert!(why.contains("Socket Mode is switched off"), "{why}");
}

#[tokio::test]
async fn closing_time_ends_the_line() {
    let (slack, team, general, mina) = team().await;
    let bot = Bot::start(&slack, &team, town(Script::saying(ANSWER)).await).await;
    mina.mentions_bot(&general, QUESTION);
    mina.wait_for(&general, with("receipt")).await;
    bot.closes().await;
    slack.disconnected().await;
}
