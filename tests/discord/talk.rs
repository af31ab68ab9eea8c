//! Conversations: what people say, press and run, and what they read.

use saseo::adapters::discord::Deaf;

use crate::support::discord::guilds::{Channel, Guild};
use crate::support::discord::people::{Given, Person};
use crate::support::discord::seen::Seen;
use crate::support::discord::{Discord, permissions};
use crate::support::script::Script;
use crate::support::town::{ANSWER, QUESTION, Town};

use super::bot::{Bot, Manner};

/// A server with one channel and one person in it.
async fn team() -> (Discord, Guild, Channel, Person) {
    let discord = Discord::start().await;
    let guild = discord.guild("team");
    let general = guild.channel("general");
    let mina = guild.member("Mina", &[]);
    (discord, guild, general, mina)
}

/// The reply with this in it, once it is there.
fn with(text: &'static str) -> impl Fn(&[Seen]) -> Option<Seen> {
    move |seen| {
        seen.iter()
            .rev()
            .find(|one| one.by == "saseo" && one.text.contains(text))
            .cloned()
    }
}

#[tokio::test]
async fn what_somebody_asked_others_is_answered_from_its_menu() {
    let (discord, guild, general, mina) = team().await;
    let joon = guild.member("Joon", &[]);
    let bot = Bot::start(&discord, Town::about_leave(Script::saying(ANSWER)).await).await;
    joon.says(&general, QUESTION);
    let said = mina.sees(&general).pop().unwrap();

    mina.runs_on(&said, "Ask the librarian about this");
    let answer = mina.wait_for(&general, with("15 days of leave a year. \\[1\\]"));
    assert!(!answer.await.private);
    bot.settled().await;
}

#[tokio::test]
async fn an_answer_may_open_a_thread_and_go_on_there_without_replies() {
    let (discord, _, general, mina) = team().await;
    let manner = Manner {
        threads: true,
        ..Manner::default()
    };
    let town = Town::about_leave(Script::saying(ANSWER)).await;
    let bot = Bot::start_closed(&discord, town, manner).await;
    bot.open();
    discord.connected().await;

    let said = mina.mentions_bot(&general, QUESTION);
    let thread = mina.wait_for(&general, |seen| {
        seen.iter().find(|one| one.id == said.id)?.thread
    });
    let thread = Channel {
        id: thread.await,
        ..general.clone()
    };
    mina.wait_for(&thread, with("**Sources**")).await;
    bot.settled().await;
    mina.mentions_bot(&thread, "And which of them carry over?");
    mina.wait_for(&thread, |seen| (seen.len() == 3).then_some(()))
        .await;
    bot.settled().await;
    let prompt = bot.town.script.prompts().pop().unwrap();
    assert!(prompt.contains("carry over to the next year"), "{prompt}");
    assert_eq!(mina.sees(&general).len(), 1);
    bot.closes().await;
}

#[tokio::test]
async fn where_the_bot_may_not_write_the_person_is_told_in_private() {
    let discord = Discord::start().await;
    let guild = discord.guild("team");
    let general = guild.channel("general");
    general.for_the_bot(0, permissions::SEND_MESSAGES);
    let mina = guild.member("Mina", &[]);
    let bot = Bot::start(&discord, Town::about_leave(Script::saying(ANSWER)).await).await;
    mina.mentions_bot(&general, QUESTION);
    let alone = mina.direct_channel();
    let told = mina.wait_for(&alone, with("may not write in the channel"));
    let told = told.await.text;
    assert!(told.contains("look it up as `"), "{told}");
    bot.settled().await;
    assert_eq!(mina.sees(&general).len(), 1);
}

#[tokio::test]
async fn a_wrong_token_ends_it_with_what_to_do() {
    let discord = Discord::start().await;
    let town = Town::about_leave(Script::saying(ANSWER)).await;
    let bot = Bot::start_as(&discord, "no.such.token", town).await;
    let ended = bot.ends().await.unwrap_err();
    assert!(matches!(ended, Deaf::Refused(_)), "{ended}");
    assert!(discord.requests().len() <= 3);
}

#[tokio::test]
async fn while_one_types_the_documents_are_offered() {
    let (discord, _, general, mina) = team().await;
    let _bot = Bot::start(&discord, Town::about_leave(Script::saying(ANSWER)).await).await;
    let options = [("document", Given::from("lea"))];
    let offers = mina
        .completes(&general, ("library remove", "document"), &options)
        .await
        .unwrap();
    assert_eq!(offers, [("Leave".to_owned(), "Leave.md".into())]);
}

#[tokio::test]
async fn who_stops_nothing_is_told_so_alone() {
    let (discord, guild, general, mina) = team().await;
    let joon = guild.member("Joon", &[]);
    let bot = Bot::start(&discord, Town::about_leave(Script::saying(ANSWER)).await).await;

    mina.runs(&general, "stop", &[]);
    let told = mina.wait_for(&general, with("nothing of yours")).await;
    assert!(told.private, "{told:#?}");
    bot.settled().await;
    assert_eq!(joon.sees(&general).len(), 0);
}
