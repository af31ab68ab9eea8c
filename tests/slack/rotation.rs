//! Tokens that end, and the ones that come after them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use saseo::adapters::slack::rotation::Rotation;
use saseo::adapters::slack::{Deaf, SlackSettings};
use serde_json::Value;

use crate::support::script::Script;
use crate::support::slack::Slack;
use crate::support::slack::faults::{Fault, Harm, Often};
use crate::support::slack::people::Person;
use crate::support::slack::places::Channel;
use crate::support::town::Town;

use super::bot::{Bot, settings};
use super::talk::{ANSWER, QUESTION, team, town, with};

const EXCHANGE: &str = "oauth.v2.access";

/// Settings with a refresh token in the place of one that lasts.
fn rotating(slack: &Slack, refresh: &str, folder: &Path) -> SlackSettings {
    let (client, secret) = slack.client();
    SlackSettings {
        rotation: Some(Rotation {
            client: client.into(),
            secret: secret.into(),
            refresh: vec![refresh.to_owned().into()],
            folder: folder.join("slack"),
        }),
        ..settings(slack, &[])
    }
}

/// The one file with tokens in `folder`, and what stands in it.
fn kept(folder: &Path) -> Option<(PathBuf, Value)> {
    let mut files = std::fs::read_dir(folder.join("slack")).ok()?;
    let file = files.next()?.unwrap().path();
    assert!(files.next().is_none(), "more than one file");
    let pair = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    Some((file, pair))
}

async fn started(slack: &Slack, refresh: &str, town: Town) -> Bot {
    let settings = rotating(slack, refresh, town.folder.path());
    let bot = Bot::start_with(settings, town).await;
    bot.open();
    slack.connected().await;
    bot
}

async fn asks(mina: &Person, general: &Channel, bot: &Bot) {
    let said = mina.mentions_bot(general, QUESTION);
    mina.wait_for(general, |seen| {
        let below = seen
            .iter()
            .filter(|one| one.reply_to.as_ref() == Some(&said.ts));
        let mut whole = below.filter(|one| one.text.contains("receipt"));
        whole.next().map(drop)
    })
    .await;
    bot.settled().await;
}

/// Each answer that says that a token is not accepted.
fn refusals(slack: &Slack) -> Vec<String> {
    let errors = slack.requests().into_iter();
    let errors = errors.filter_map(|one| one.error().map(str::to_owned));
    errors
        .filter(|error| error.contains("token") || error.contains("auth"))
        .collect()
}

#[tokio::test]
async fn a_token_is_exchanged_before_it_ends_and_kept_before_it_is_used() {
    let (slack, team, general, mina) = team().await;
    slack.set(|settings| settings.tokens = Duration::from_secs(3));
    let refresh = team.rotates_tokens();
    let bot = started(&slack, &refresh, town(Script::saying(ANSWER)).await).await;
    for _ in 0..6 {
        asks(&mina, &general, &bot).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let exchanges = slack.requests_to(EXCHANGE).len();
    assert!((3..=8).contains(&exchanges), "{exchanges}");
    assert_eq!(refusals(&slack), [""; 0]);
    let (file, pair) = kept(bot.town.folder.path()).unwrap();
    assert_eq!(
        std::fs::metadata(file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(pair["access"], team.token().as_str());
}

#[tokio::test]
async fn what_slack_says_has_ended_is_exchanged_and_the_question_is_answered_once() {
    let (slack, team, general, mina) = team().await;
    let refresh = team.rotates_tokens();
    let bot = started(&slack, &refresh, town(Script::saying(ANSWER)).await).await;
    asks(&mina, &general, &bot).await;
    for _ in 0..2 {
        slack.passes(Duration::from_secs(43_201));
        asks(&mina, &general, &bot).await;
    }
    assert_eq!(slack.requests_to(EXCHANGE).len(), 3);
    let ours = mina
        .sees(&general)
        .into_iter()
        .filter(|one| one.by == "saseo");
    assert_eq!(ours.count(), 3);
}

#[tokio::test]
async fn nothing_is_asked_with_a_token_that_the_disk_did_not_take() {
    let (slack, team, general, mina) = team().await;
    slack.set(|settings| settings.tokens = Duration::from_secs(9));
    let refresh = team.rotates_tokens();
    let bot = started(&slack, &refresh, town(Script::saying(ANSWER)).await).await;
    // The next one lasts.
    slack.set(|settings| settings.tokens = Duration::from_secs(43_200));
    let before = team.token();
    // Where the folder was is a file, and nothing can be written below it.
    let folder = bot.town.folder.path().join("slack");
    std::fs::rename(&folder, folder.with_extension("before")).unwrap();
    std::fs::write(&folder, "").unwrap();
    slack
        .eventually("an exchange", || {
            (slack.requests_to(EXCHANGE).len() == 2).then_some(())
        })
        .await;
    asks(&mina, &general, &bot).await;
    let after = team.token();
    assert_ne!(before, after);
    let with = |token: &str| {
        slack
            .requests()
            .iter()
            .filter(|one| one.token == token)
            .count()
    };
    assert_eq!(with(&after), 0);
    // Now it can be kept, and is used without another exchange.
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(folder.with_extension("before"), &folder).unwrap();
    let taken = || {
        let (_, pair) = kept(bot.town.folder.path())?;
        (pair["access"] == after.as_str()).then_some(())
    };
    slack.eventually("it is kept", taken).await;
    asks(&mina, &general, &bot).await;
    assert!(with(&after) > 0);
    assert_eq!(slack.requests_to(EXCHANGE).len(), 2);
    assert!(refusals(&slack).is_empty(), "{:?}", refusals(&slack));
}

#[tokio::test]
async fn after_a_crash_it_goes_on_with_the_pair_that_it_had() {
    let (slack, team, general, mina) = team().await;
    let refresh = team.rotates_tokens();
    let bot = started(&slack, &refresh, town(Script::saying(ANSWER)).await).await;
    asks(&mina, &general, &bot).await;
    slack.passes(Duration::from_secs(43_201));
    asks(&mina, &general, &bot).await;
    let folder = bot.dies().await;

    // The environment still holds the refresh token of then, which was used up.
    let bot = started(
        &slack,
        &refresh,
        Town::within(folder, Script::saying(ANSWER)),
    )
    .await;
    asks(&mina, &general, &bot).await;
    slack.passes(Duration::from_secs(43_201));
    asks(&mina, &general, &bot).await;
    assert_eq!(slack.requests_to(EXCHANGE).len(), 3);
}

#[tokio::test]
async fn an_exchange_whose_answer_is_lost_is_asked_for_again() {
    let (slack, team, general, mina) = team().await;
    slack.set(|settings| settings.grace = Duration::from_secs(60));
    let refresh = team.rotates_tokens();
    slack.goes_wrong(EXCHANGE, Fault::After(Harm::Torn), Often::Next(1));
    let bot = started(&slack, &refresh, town(Script::saying(ANSWER)).await).await;
    asks(&mina, &general, &bot).await;
    slack.goes_wrong(EXCHANGE, Fault::After(Harm::Status(502)), Often::Next(1));
    slack.passes(Duration::from_secs(43_201));
    asks(&mina, &general, &bot).await;
    assert_eq!(slack.requests_to(EXCHANGE).len(), 4);
}

/// As if two thirds of the life of the token in `folder` were over.
fn is_due(folder: &Path) {
    let (file, mut pair) = kept(folder).unwrap();
    pair["due"] = Value::from("2020-01-01T00:00:00Z");
    std::fs::write(file, pair.to_string()).unwrap();
}

/// A crash between Slack's answer and the disk: what it leaves is a used refresh token, and an
/// access token that lives on.
#[tokio::test]
async fn where_no_new_token_can_be_had_the_last_one_is_used_to_its_end() {
    let (slack, team, general, mina) = team().await;
    let refresh = team.rotates_tokens();
    let bot = started(&slack, &refresh, town(Script::saying(ANSWER)).await).await;
    asks(&mina, &general, &bot).await;
    let mut folder = bot.dies().await;
    slack.goes_wrong(EXCHANGE, Fault::After(Harm::Torn), Often::Next(1));
    is_due(folder.path());
    for refused in 1..=2 {
        let town = Town::within(folder, Script::saying(ANSWER));
        let bot = started(&slack, &refresh, town).await;
        slack
            .eventually("the exchange is refused", || {
                (refusals(&slack) == vec!["invalid_refresh_token"; refused]).then_some(())
            })
            .await;
        asks(&mina, &general, &bot).await;
        folder = bot.dies().await;
    }

    let town = Town::within(folder, Script::saying(ANSWER));
    slack.passes(Duration::from_secs(43_201));
    let bot = Bot::start_with(rotating(&slack, &refresh, town.folder.path()), town).await;
    let Err(Deaf::Refused(why)) = bot.ends().await else {
        panic!("it went on without a token");
    };
    let named = "SASEO_SLACK_REFRESH_TOKEN (invalid_refresh_token)";
    assert!(why.contains(named), "{why}");
    // One in each run, and the one that was lost.
    assert_eq!(slack.requests_to(EXCHANGE).len(), 5);
}

#[tokio::test]
async fn a_refresh_token_that_is_refused_ends_the_line_at_once() {
    let (slack, team, _, _) = team().await;
    team.rotates_tokens();
    let town = town(Script::saying(ANSWER)).await;
    let settings = rotating(&slack, "xoxe-1-nonsense", town.folder.path());
    let bot = Bot::start_with(settings, town).await;
    let Err(Deaf::Refused(why)) = bot.ends().await else {
        panic!("it was let in");
    };
    assert!(
        why.contains("SASEO_SLACK_REFRESH_TOKEN (invalid_refresh_token)"),
        "{why}"
    );
    assert!(!why.contains("nonsense"), "{why}");
    assert_eq!(slack.requests_to(EXCHANGE).len(), 1);
}

#[tokio::test]
async fn a_workspace_whose_tokens_end_is_served_beside_one_whose_token_lasts() {
    let (slack, lasting, general, mina) = team().await;
    let office = super::talk::another(&slack, "Office");
    let hall = office.channel("hall");
    let joon = office.member("Joon");
    let refresh = office.rotates_tokens();
    let town = town(Script::saying(ANSWER)).await;
    let settings = SlackSettings {
        tokens: settings(&slack, &[&lasting]).tokens,
        ..rotating(&slack, &refresh, town.folder.path())
    };
    let bot = Bot::start_with(settings, town).await;
    bot.open();
    slack.connected().await;
    mina.mentions_bot(&general, QUESTION);
    joon.says(&hall, &format!("@saseo of Office {QUESTION}"));
    mina.wait_for(&general, with("receipt")).await;
    joon.wait_for(&hall, |seen| {
        seen.iter()
            .any(|one| one.text.contains("receipt"))
            .then_some(())
    })
    .await;
    bot.settled().await;
}
