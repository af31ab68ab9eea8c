//! Posts that are made once, whatever becomes of the requests for them.

use std::time::Duration;

use saseo::adapters::slack::tiers::Rates;

use crate::support::script::Script;
use crate::support::slack::faults::{EDIT, Fault, Harm, Often, POST};
use crate::support::slack::seen::Seen;
use crate::support::town::Town;

use super::bot::{Bot, settings};
use super::talk::{ANSWER, QUESTION, team, town, with};

fn answers(seen: &[Seen]) -> usize {
    seen.iter().filter(|one| one.by == "saseo").count()
}

#[tokio::test]
async fn a_post_whose_answer_was_lost_is_not_made_twice() {
    for harm in [Harm::Torn, Harm::Ended, Harm::Status(502)] {
        let (slack, team, general, mina) = team().await;
        let bot = Bot::start(&slack, &team, town(Script::saying(ANSWER)).await).await;
        slack.goes_wrong(POST, Fault::After(harm), Often::Next(1));

        mina.mentions_bot(&general, QUESTION);
        mina.wait_for(&general, with("receipt")).await;
        bot.settled().await;
        assert_eq!(answers(&mina.sees(&general)), 1, "{harm:?}");
    }
}

#[tokio::test]
async fn a_post_that_may_have_been_made_is_found_by_its_words_where_slack_tells_no_mark() {
    let (slack, team, general, mina) = team().await;
    slack.set(|settings| settings.metadata = crate::support::slack::world::Switch::Off);
    let bot = Bot::start(&slack, &team, town(Script::saying(ANSWER)).await).await;
    slack.goes_wrong(POST, Fault::After(Harm::Torn), Often::Next(1));

    mina.mentions_bot(&general, QUESTION);
    mina.wait_for(&general, with("receipt")).await;
    bot.settled().await;
    assert_eq!(answers(&mina.sees(&general)), 1);
}

#[tokio::test]
async fn a_post_that_was_not_made_is_made() {
    for harm in [Harm::Torn, Harm::Status(503)] {
        let (slack, team, general, mina) = team().await;
        let bot = Bot::start(&slack, &team, town(Script::saying(ANSWER)).await).await;
        slack.goes_wrong(POST, Fault::Before(harm), Often::Next(2));

        mina.mentions_bot(&general, QUESTION);
        mina.wait_for(&general, with("receipt")).await;
        bot.settled().await;
        assert_eq!(answers(&mina.sees(&general)), 1, "{harm:?}");
    }
}

#[tokio::test]
async fn what_was_asked_before_a_crash_is_answered_once_after_it() {
    let (slack, team, general, mina) = team().await;
    let town_before = town(Script::saying(ANSWER).slowly(Duration::from_secs(5))).await;
    let bot = Bot::start(&slack, &team, town_before).await;
    mina.mentions_bot(&general, QUESTION);
    mina.wait_for(&general, |seen| (answers(seen) == 1).then_some(()))
        .await;
    let folder = bot.dies().await;

    let bot = Bot::start(&slack, &team, Town::within(folder, Script::saying(ANSWER))).await;
    mina.wait_for(&general, with("receipt")).await;
    bot.settled().await;
    assert_eq!(answers(&mina.sees(&general)), 1);
}

#[tokio::test]
async fn nobody_hurries_slack_when_it_says_wait() {
    let (slack, team, general, mina) = team().await;
    let mut settings = settings(&slack, &[&team]);
    settings.rates = Rates::OnlyAsTold;
    let bot = Bot::start_with(settings, town(Script::saying(ANSWER)).await).await;
    bot.open();
    slack.connected().await;
    slack.unlimited();
    for on in [POST, EDIT] {
        slack.goes_wrong(on, Fault::LimitedUpTo(2, 7), Often::Share(40, 11));
    }
    let asked: Vec<_> = (0..12)
        .map(|number| mina.mentions_bot(&general, &format!("{QUESTION} ({number})")))
        .collect();
    bot_is_done(&slack, &bot).await;
    let whole = mina.sees(&general).into_iter();
    let whole = whole.filter(|one| one.text.contains("receipt"));
    assert_eq!(whole.count(), asked.len());
    assert_eq!(answers(&mina.sees(&general)), asked.len());
    assert_eq!(slack.hasty(), 0);
}

#[tokio::test]
async fn one_channel_is_posted_to_once_in_a_second() {
    let (slack, team, general, mina) = team().await;
    let bot = Bot::start(&slack, &team, town(Script::saying(ANSWER)).await).await;
    for number in 0..5 {
        mina.mentions_bot(&general, &format!("{QUESTION} ({number})"));
    }
    bot_is_done(&slack, &bot).await;
    assert_eq!(answers(&mina.sees(&general)), 5);
    let limited = slack
        .requests()
        .into_iter()
        .filter(|one| one.status == Some(429));
    assert_eq!(limited.count(), 0);
}

async fn bot_is_done(slack: &crate::support::slack::Slack, bot: &Bot) {
    slack.settled().await;
    bot.settled().await;
}

#[tokio::test]
async fn who_may_not_be_answered_where_they_asked_is_told_in_private() {
    let (slack, team, general, mina) = team().await;
    let bot = Bot::start(&slack, &team, town(Script::saying(ANSWER)).await).await;
    slack.goes_wrong(
        POST,
        Fault::Refused("restricted_action_read_only_channel"),
        Often::Next(1),
    );
    mina.mentions_bot(&general, QUESTION);
    let alone = mina.direct_channel();
    mina.wait_for(&alone, with("I may not write in the channel"))
        .await;
    bot.settled().await;
}
