//! Conversations: what people say, press and run, and what they read.

use std::time::Duration;

use saseo::adapters::discord::Deaf;

use crate::support::discord::guilds::{Channel, Guild};
use crate::support::discord::people::{Given, Person, Said};
use crate::support::discord::seen::Seen;
use crate::support::discord::{Discord, permissions};
use crate::support::script::Script;
use crate::support::town::{ANSWER, BEFORE, QUESTION, Town};

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

/// A bot at work whose answers open threads.
async fn with_threads(discord: &Discord, script: Script) -> Bot {
    let manner = Manner {
        threads: true,
        ..Manner::default()
    };
    let bot = Bot::start_closed(discord, Town::about_leave(script).await, manner).await;
    bot.open();
    discord.connected().await;
    bot
}

/// The thread at what was `said` in a channel.
async fn thread_at(said: &Said, channel: &Channel, by: &Person) -> Channel {
    let thread = by.wait_for(channel, |seen| {
        seen.iter().find(|one| one.id == said.id)?.thread
    });
    Channel {
        id: thread.await,
        ..channel.clone()
    }
}

#[tokio::test]
async fn an_answer_may_open_a_thread_and_go_on_there_without_replies() {
    let (discord, _, general, mina) = team().await;
    let bot = with_threads(&discord, Script::saying(ANSWER)).await;

    let said = mina.mentions_bot(&general, QUESTION);
    let thread = thread_at(&said, &general, &mina).await;
    assert_eq!(thread.name(), QUESTION);
    let answer = mina.wait_for(&thread, with("**Sources**")).await;
    bot.settled().await;
    mina.mentions_bot(&thread, "And which of them carry over?");
    mina.wait_for(&thread, |seen| (seen.len() == 4).then_some(()))
        .await;
    bot.settled().await;
    let prompt = bot.town.script.prompts().pop().unwrap();
    assert!(prompt.contains(BEFORE), "{prompt}");
    mina.replies_to(&answer, "And which of those carry over?");
    mina.wait_for(&thread, |seen| (seen.len() == 6).then_some(()))
        .await;
    bot.settled().await;
    let prompt = bot.town.script.prompts().pop().unwrap();
    assert!(prompt.contains(BEFORE), "{prompt}");
    assert_eq!(mina.sees(&general).len(), 1);
    bot.closes().await;
}

#[tokio::test]
async fn in_its_thread_an_answer_is_seen_coming_and_can_be_stopped() {
    let (discord, _, general, mina) = team().await;
    let slow = Script::saying(ANSWER).slowly(Duration::from_secs(60));
    let bot = with_threads(&discord, slow).await;

    for by_button in [true, false] {
        let said = mina.mentions_bot(&general, QUESTION);
        let thread = thread_at(&said, &general, &mina).await;
        let placeholder = mina.wait_for(&thread, with("Found in the library")).await;
        mina.wait_for(&thread, |_| mina.sees_typing(&thread).then_some(()))
            .await;
        if by_button {
            mina.presses(&placeholder, "Stop");
        } else {
            mina.runs(&thread, "stop", &[]);
        }
        mina.wait_for(&thread, with("Stopped.")).await;
        bot.settled().await;
    }
    assert!(!mina.sees_typing(&general));
}

#[tokio::test]
async fn a_setting_that_changes_moves_no_answer() {
    for threads in [true, false] {
        let (discord, _, general, mina) = team().await;
        let manner = |threads| Manner {
            threads,
            ..Manner::default()
        };
        let slow = Script::saying(ANSWER).slowly(Duration::from_secs(60));
        let first =
            Bot::start_closed(&discord, Town::about_leave(slow).await, manner(threads)).await;
        first.open();
        discord.connected().await;
        let said = mina.mentions_bot(&general, QUESTION);
        let there = if threads {
            thread_at(&said, &general, &mina).await
        } else {
            general.clone()
        };
        let placeholder = mina.wait_for(&there, with("Found in the library")).await;

        let town = Town::within(first.dies().await, Script::saying(ANSWER));
        let second = Bot::start_closed(&discord, town, manner(!threads)).await;
        second.open();
        let answer = mina.wait_for(&there, with("**Sources**")).await;
        second.settled().await;
        assert_eq!(answer.id, placeholder.id);
        // The thread shows as well at what it hangs.
        let seen = mina.sees(&there);
        assert_eq!(seen.len(), 2, "{seen:#?}");
        assert_eq!(mina.sees(&general).len(), if threads { 1 } else { 2 });
    }
}

#[tokio::test]
async fn where_no_thread_can_be_had_it_is_answered_below() {
    let discord = Discord::start().await;
    let guild = discord.guild("team");
    let mina = guild.member("Mina", &[]);
    let bot = with_threads(&discord, Script::saying(ANSWER)).await;
    for lacking in [
        permissions::CREATE_PUBLIC_THREADS,
        permissions::SEND_MESSAGES_IN_THREADS,
    ] {
        let channel = guild.channel("narrow");
        channel.for_the_bot(0, lacking);
        let said = mina.mentions_bot(&channel, QUESTION);
        let answer = mina.wait_for(&channel, with("**Sources**")).await;
        assert_eq!(answer.reply_to, Some(said.id));
        bot.settled().await;
        assert_eq!(mina.sees(&channel).len(), 2);
    }
    assert_eq!(mina.sees(&mina.direct_channel()).len(), 0);
}

#[tokio::test]
async fn who_cannot_be_answered_is_told_which_permission_is_missing() {
    let discord = Discord::start().await;
    let guild = discord.guild("team");
    let mina = guild.member("Mina", &[]);
    let bot = with_threads(&discord, Script::saying(ANSWER)).await;
    let alone = mina.direct_channel();
    let neither = permissions::CREATE_PUBLIC_THREADS | permissions::SEND_MESSAGES;
    let unread = permissions::CREATE_PUBLIC_THREADS | permissions::READ_MESSAGE_HISTORY;
    for (lacking, named) in [
        (neither, "permission “Send Messages” there"),
        (unread, "permission “Read Message History” there"),
    ] {
        let channel = guild.channel("closed");
        channel.for_the_bot(0, lacking);
        mina.mentions_bot(&channel, QUESTION);
        mina.wait_for(&alone, with(named)).await;
        bot.settled().await;
    }
    let open = guild.channel("open");
    let thread = mina.begins_thread(mina.says(&open, "Leave"), "Leave");
    open.for_the_bot(0, permissions::SEND_MESSAGES_IN_THREADS);
    mina.mentions_bot(&thread, QUESTION);
    mina.wait_for(&alone, with("permission “Send Messages in Threads” there"))
        .await;
    bot.settled().await;
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
