//! Sessions: begun, lost, taken up again.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use serenity::all::{Event, GatewayEvent, GatewayIntents};

use super::bot::{Bot, Happened, intents};
use super::town;
use crate::support::discord::faults::{Astray, Cut, Greeting};
use crate::support::discord::line::Welcome;
use crate::support::discord::people::Given;
use crate::support::discord::permissions::ORDINARY;
use crate::support::discord::seen::{Seen, Shown};
use crate::support::discord::world::ThreadState;

fn edited(seen: &[Seen]) -> Option<Seen> {
    seen.iter().find(|one| one.shown == Shown::Edited).cloned()
}

#[tokio::test]
async fn a_mention_is_answered_and_the_answer_edited() {
    let (town, _, general, mina) = town().await;
    let bot = Bot::starts(&town).await;
    town.connected().await;

    let said = mina.mentions_bot(&general, "repeat how many days?");

    let answer = mina.wait_for(&general, edited).await;
    assert_eq!(answer.text, "you said: repeat how many days?");
    assert_eq!(answer.reply_to, Some(said.id));
    assert_eq!(town.posts_in(&general).len(), 1);
    assert_eq!(town.edits_of(&answer).len(), 1);
    assert!(town.pings().is_empty());
    assert_eq!(town.identifies(), 1);
    // Guilds come packed.
    let arrived = Happened::Arrived("saseo".to_owned());
    until(&bot, |bot| bot.count(&arrived) == 1).await;
    assert!(town.lost_requests().is_empty());
}

#[tokio::test]
async fn what_is_not_said_to_the_bot_comes_without_its_words() {
    let (town, _, general, mina) = town().await;
    let bot = Bot::starts(&town).await;
    town.connected().await;

    mina.says(&general, "a secret");
    mina.mentions_bot(&general, "hello");
    mina.direct_message("psst");

    until(&bot, |bot| bot.heard().len() == 3).await;
    let mention = format!("<@{}> hello", town.world().bot);
    let mut heard = bot.heard();
    heard.sort();
    assert_eq!(heard, ["", &*mention, "psst"]);
}

#[tokio::test]
async fn what_happened_during_a_cut_is_told_after_it() {
    let (town, _, general, mina) = town().await;
    let bot = Bot::starts(&town).await;
    until(&bot, |bot| bot.count(&Happened::Ready) == 1).await;
    for (round, cut) in (0..).zip([
        Cut::Torn,
        Cut::Closed(4000),
        Cut::Closed(4008),
        Cut::Reconnect,
        Cut::InvalidResumable,
        Cut::HalfFrame,
    ]) {
        assert_eq!(town.cuts(cut), 1, "{cut:?}");
        mina.mentions_bot(&general, &format!("round {round}"));
        until(&bot, |bot| {
            bot.heard().len() == round + 1 && bot.count(&Happened::Resumed) == round + 1
        })
        .await;
        assert!(
            bot.heard()[round].ends_with(&format!("round {round}")),
            "{cut:?}"
        );
    }
    assert_eq!(town.identifies(), 1);
    assert_eq!(town.resumes(), 6);
}

#[tokio::test]
async fn a_session_that_is_gone_is_begun_anew_and_what_was_missed_is_in_the_history_only() {
    let (town, _, general, mina) = town().await;
    // After a resume that could not connect, serenity spins until a beat is due.
    town.set(|settings| settings.heartbeat = Duration::from_millis(500));
    let bot = Bot::starts(&town).await;
    until(&bot, |bot| bot.count(&Happened::Ready) == 1).await;
    town.gateway_is(Welcome::Refused);
    town.cuts(Cut::Torn);
    town.disconnected().await;
    mina.mentions_bot(&general, "while you were away");
    town.passes(Duration::from_secs(600));
    town.gateway_is(Welcome::Open);

    until(&bot, |bot| bot.count(&Happened::Ready) == 2).await;
    assert_eq!(town.identifies(), 2);
    assert!(bot.heard().is_empty());
    let api = super::api::Api::of(&town);
    let history = api
        .gets(&format!("/channels/{}/messages", general.id))
        .await;
    let last = history.body[0]["content"].as_str().unwrap();
    assert!(last.ends_with("while you were away"));
}

#[tokio::test]
async fn a_zombie_is_left() {
    let (town, _, general, mina) = town().await;
    town.set(|settings| settings.heartbeat = Duration::from_millis(200));
    let bot = Bot::starts(&town).await;
    until(&bot, |bot| bot.count(&Happened::Ready) == 1).await;
    town.cuts(Cut::Zombie);
    mina.mentions_bot(&general, "repeat for the zombie");

    until(&bot, |bot| bot.count(&Happened::Ready) == 2).await;
    mina.mentions_bot(&general, "repeat again");
    mina.wait_for(&general, edited).await;
    assert_eq!(bot.heard().len(), 1);
}

#[tokio::test]
async fn a_wrong_token_and_intents_that_are_not_given_end_the_client() {
    let (town, ..) = town().await;
    let content = intents() | GatewayIntents::MESSAGE_CONTENT;
    let refused = Bot::starts_with(&town, &town.token(), content).await;
    until(&refused, ended).await;
    assert_eq!(town.world().record.ended[0].1, Some(4014));

    let unknown = GatewayIntents::from_bits_retain(1 << 40);
    let refused = Bot::starts_with(&town, &town.token(), unknown).await;
    until(&refused, ended).await;
    assert_eq!(town.world().record.ended[1].1, Some(4013));

    // Without the address of this gateway the client would go to the real one.
    let token = town.token();
    town.lets_content_be_read();
    let welcome = Bot::starts_with(&town, &token, content).await;
    until(&welcome, |bot| bot.count(&Happened::Ready) == 1).await;
    town.set(|settings| settings.token.push('x'));
    town.forgets_sessions();
    town.cuts(Cut::Torn);
    until(&welcome, ended).await;
}

fn ended(bot: &Bot) -> bool {
    let diary = bot.diary();
    diary.iter().any(|one| matches!(one, Happened::Ended(_)))
}

#[tokio::test]
async fn events_may_come_twice_late_and_in_another_order() {
    let (town, _, general, mina) = town().await;
    let bot = Bot::starts(&town).await;
    until(&bot, |bot| bot.count(&Happened::Ready) == 1).await;
    town.leads_astray(Astray::Twice);
    mina.mentions_bot(&general, "one");
    until(&bot, |bot| bot.heard().len() == 2).await;
    town.leads_astray(Astray::Shuffled(5, 7));
    for number in 0..5 {
        mina.mentions_bot(&general, &format!("number {number}"));
    }
    until(&bot, |bot| bot.heard().len() == 7).await;
    town.leads_astray(Astray::Late(Duration::from_millis(50)));
    mina.mentions_bot(&general, "late");
    assert_eq!(bot.heard().len(), 7);
    until(&bot, |bot| bot.heard().len() == 8).await;
}

#[tokio::test]
async fn a_gateway_that_greets_badly_is_tried_again() {
    let (town, ..) = town().await;
    // After a resume that could not connect, serenity spins until a beat is due.
    town.set(|settings| settings.heartbeat = Duration::from_millis(500));
    let bot = Bot::starts(&town).await;
    until(&bot, |bot| bot.count(&Happened::Ready) == 1).await;
    town.greets([Greeting::Status(503), Greeting::Torn]);
    town.cuts(Cut::Torn);
    until(&bot, |bot| {
        bot.count(&Happened::Ready) + bot.count(&Happened::Resumed) >= 2
    })
    .await;
}

#[tokio::test]
async fn a_gateway_that_says_nothing_is_left_when_it_is_over() {
    let (town, ..) = town().await;
    town.set(|settings| settings.heartbeat = Duration::from_millis(200));
    let bot = Bot::starts(&town).await;
    until(&bot, |bot| bot.count(&Happened::Ready) == 1).await;
    town.falls_silent();
    let api = super::api::Api::of(&town);
    let asked = Duration::from_millis(300);
    let answer = tokio::time::timeout(asked, api.gets("/users/@me")).await;
    assert!(answer.is_err());
    assert_eq!(town.world().gateway.links.len(), 1);
    assert_eq!(town.world().gateway.opened, 1);
    town.calms_down();
    until(&bot, |bot| bot.count(&Happened::Ready) == 2).await;
}

#[tokio::test]
async fn a_hello_that_never_comes_is_waited_for() {
    let (town, ..) = town().await;
    town.greets([Greeting::Silence]);
    let bot = Bot::starts(&town).await;
    town.until("a connection", |world| {
        (world.gateway.opened == 1).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(town.identifies(), 0);
    assert!(bot.diary().is_empty());
}

#[tokio::test]
async fn what_cannot_be_read_does_not_end_the_session() {
    let (town, _, general, mina) = town().await;
    let bot = Bot::starts(&town).await;
    until(&bot, |bot| bot.count(&Happened::Ready) == 1).await;
    town.cuts(Cut::NotJson);
    town.cuts(Cut::NotZlib);
    mina.mentions_bot(&general, "still there?");
    until(&bot, |bot| bot.heard().len() == 1).await;
    assert_eq!(town.world().gateway.opened, 1);
}

#[tokio::test]
async fn a_bot_that_starts_too_many_sessions_loses_its_token() {
    let (town, ..) = town().await;
    town.set(|settings| settings.session_starts = 1);
    let bot = Bot::starts(&town).await;
    until(&bot, |bot| bot.count(&Happened::Ready) == 1).await;
    town.forgets_sessions();
    town.cuts(Cut::Closed(4009));
    until(&bot, ended).await;
    let api = super::api::Api::of(&town).with_token("the old one");
    assert_eq!(api.gets("/users/@me").await.status, 401);
}

#[tokio::test]
async fn thousands_of_events_and_a_hundred_cuts_are_cheap() {
    let (town, _, general, mina) = town().await;
    let bot = Bot::starts(&town).await;
    until(&bot, |bot| bot.count(&Happened::Ready) == 1).await;
    for number in 0..2_000 {
        mina.mentions_bot(&general, &format!("number {number}"));
        if number % 20 == 0 {
            town.cuts(Cut::Torn);
            town.connected().await;
        }
    }
    until(&bot, |bot| bot.heard().len() == 2_000).await;
    assert_eq!(town.identifies(), 1);
}

#[tokio::test]
async fn all_that_is_told_can_be_read() {
    let (town, guild, general, mina) = town().await;
    town.set(|settings| settings.privileged = u64::MAX);
    let intents = GatewayIntents::all().difference(GatewayIntents::GUILD_PRESENCES);
    let bot = Bot::starts_with(&town, &town.token(), intents).await;
    until(&bot, |bot| bot.count(&Happened::Ready) == 1).await;
    let staff = guild.role("staff", 0);
    guild.member_has(&mina, &[staff]);
    guild.bot_has(&[staff]);
    guild.everyone_may(ORDINARY);
    let noah = guild.member("Noah", &[]);
    guild.loses(&noah);
    guild.channel("new").for_the_bot(0, 0);
    let said = mina.attaches(&general, "@saseo see this", &[("a.md", b"# A")]);
    mina.edits(said, "@saseo see that");
    mina.types(&general);
    let thread = mina.begins_thread(said, "talk");
    mina.replies_to(mina.says(&thread, "first"), "second");
    thread.becomes(ThreadState::Archived);
    mina.deletes(mina.direct_message("psst"));
    let file = Given::File("a.md".to_owned(), b"# A".to_vec());
    mina.runs(
        &general,
        "ask",
        &[("question", "why".into()), ("file", file)],
    );
    mina.runs_on(said, "Ask about this");
    guild.kicks_the_bot();

    let told = town.world().gateway.sessions[0].told.clone();
    let mut names = BTreeSet::new();
    for payload in told {
        let name = serde_json::from_str::<Value>(&payload).unwrap()["t"].to_string();
        let read: Result<GatewayEvent, _> = serde_json::from_str(&payload);
        let known = |event| !matches!(event, GatewayEvent::Dispatch(_, Event::Unknown(_)));
        assert!(read.is_ok_and(known), "{payload}");
        names.insert(name);
    }
    assert_eq!(names.len(), 17, "{names:?}");
}

/// Waits until it is so with the bot.
async fn until(bot: &Bot, so: impl Fn(&Bot) -> bool) {
    for _ in 0..2_000 {
        if so(bot) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(so(bot), "not so in time: {:?}", bot.diary());
}
