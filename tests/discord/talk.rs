//! Conversations: what people say, press and run, and what they read.

use std::time::Duration;

use saseo::adapters::discord::Deaf;

use crate::support::discord::guilds::{Channel, Guild};
use crate::support::discord::people::{Given, Person};
use crate::support::discord::seen::Seen;
use crate::support::discord::{Discord, permissions};
use crate::support::script::Script;
use crate::support::town::Town;

use super::bot::{Bot, Manner};

const LEAVE: &str = "# Leave\n\nEvery employee has 15 days of leave a year. \
    Unused leave days do not carry over to the next year.\n";
const QUESTION: &str = "How many days of leave does an employee have?";
const ANSWER: &str = "Every employee has 15 days of leave a year.";

/// A server with one channel and one person in it.
async fn team() -> (Discord, Guild, Channel, Person) {
    let discord = Discord::start().await;
    let guild = discord.guild("team");
    let general = guild.channel("general");
    let mina = guild.member("Mina", &[]);
    (discord, guild, general, mina)
}

async fn town(script: Script) -> Town {
    let town = Town::with(script);
    town.add("Leave", LEAVE).await;
    town
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
async fn a_mention_is_answered_below_it_with_its_source_and_buttons() {
    let (discord, _, general, mina) = team().await;
    let bot = Bot::start(&discord, town(Script::saying(ANSWER)).await).await;

    let said = mina.mentions_bot(&general, QUESTION);
    let answer = mina.wait_for(&general, with("15 days")).await;
    bot.settled().await;

    assert_eq!(answer.reply_to, Some(said.id));
    let seen = mina.sees(&general);
    assert_eq!(seen.len(), 2, "{seen:#?}");
    let text = &seen[1].text;
    assert!(text.contains("**Sources**"), "{text}");
    assert!(text.contains("Leave"), "{text}");
    assert!(text.contains("receipt"), "{text}");
    let labels: Vec<_> = seen[1].buttons.iter().map(|b| b.label.as_str()).collect();
    assert_eq!(labels, ["Useful", "Not useful", "Sources"]);
    assert!(discord.pings().iter().all(|ping| ping.message != answer.id));
}

#[tokio::test]
async fn korean_is_answered_in_korean() {
    let (discord, _, general, mina) = team().await;
    let town = Town::with(Script::saying("연차는 15일입니다."));
    town.add(
        "휴가",
        "# 휴가\n\n직원의 연차는 15일입니다. 남은 연차는 넘기지 않습니다.\n",
    )
    .await;
    let bot = Bot::start(&discord, town).await;

    mina.mentions_bot(&general, "연차는 며칠이야?");
    let answer = mina.wait_for(&general, with("15일")).await;
    bot.settled().await;
    let text = &mina.sees(&general).pop().unwrap().text;
    assert!(text.contains("**출처**"), "{text} after {}", answer.text);
}

#[tokio::test]
async fn a_command_is_acknowledged_and_answered_in_its_place() {
    let (discord, _, general, mina) = team().await;
    let bot = Bot::start(&discord, town(Script::saying(ANSWER)).await).await;

    let run = mina.runs(&general, "ask", &[("question", QUESTION.into())]);
    mina.wait_for(&general, with("15 days")).await;
    bot.settled().await;
    let seen = mina.sees(&general);
    assert_eq!(seen.len(), 1, "{seen:#?}");
    assert_eq!(seen[0].answers, Some(run.id));
    assert!(seen[0].text.contains("**Sources**"), "{}", seen[0].text);
}

#[tokio::test]
async fn a_direct_message_needs_no_mention_and_goes_on_as_a_conversation() {
    let discord = Discord::start().await;
    let mina = discord.guild("team").member("Mina", &[]);
    let bot = Bot::start(&discord, town(Script::saying(ANSWER)).await).await;

    mina.direct_message(QUESTION);
    let alone = mina.direct_channel();
    mina.wait_for(&alone, with("15 days")).await;
    bot.settled().await;
    mina.direct_message("And which of them carry over?");
    mina.wait_for(&alone, |seen| (seen.len() == 4).then_some(()))
        .await;
    bot.settled().await;
    let prompt = bot.town.script.prompts().pop().unwrap();
    assert!(prompt.contains("carry over to the next year"), "{prompt}");
}

#[tokio::test]
async fn a_file_that_is_handed_in_answers_once_it_was_added() {
    let discord = Discord::start().await;
    let guild = discord.guild("team");
    let general = guild.channel("general");
    let librarian = guild.role("librarian", 0);
    let (mina, joon) = (
        guild.member("Mina", &[librarian]),
        guild.member("Joon", &[]),
    );
    let script = Script::saying("The door code is kept in Busan.");
    let bot = Bot::start(&discord, town(script).await).await;
    let question = "Where is the door code kept?";

    mina.mentions_bot(&general, question);
    let before = mina.wait_for(&general, with("receipt")).await;
    assert!(!before.text.contains("Busan"), "{}", before.text);
    bot.settled().await;

    let file = Given::File(
        "doors.md".into(),
        b"The door code is kept in Busan.".to_vec(),
    );
    mina.runs(&general, "library add", &[("file", file)]);
    let shown = mina.wait_for(&general, with("Shall I add this")).await;
    assert!(shown.text.contains("doors"), "{}", shown.text);
    joon.presses(&shown, "Add");
    let refused = joon
        .wait_for(&general, with("for those who manage the server"))
        .await;
    assert!(refused.private);
    bot.settled().await;

    mina.presses(&shown, "Add");
    let added = mina.wait_for(&general, with("Added: ")).await;
    assert_eq!(added.id, shown.id);
    assert_eq!(added.buttons, []);
    bot.settled().await;

    mina.mentions_bot(&general, question);
    mina.wait_for(&general, with("kept in Busan. \\[1\\]"))
        .await;
}

#[tokio::test]
async fn what_somebody_said_is_added_under_its_first_words() {
    let discord = Discord::start().await;
    let guild = discord.guild("team");
    let general = guild.channel("general");
    let librarian = guild.role("librarian", 0);
    let (mina, joon) = (
        guild.member("Mina", &[librarian]),
        guild.member("Joon", &[]),
    );
    let bot = Bot::start(&discord, town(Script::saying(ANSWER)).await).await;
    joon.says(&general, "The canteen opens at noon.");
    let said = mina.sees(&general).pop().unwrap();

    mina.runs_on(&said, "Add to library");
    let shown = mina.wait_for(&general, with("Shall I add this")).await;
    assert!(
        shown.text.contains("\nThe canteen opens at noon. · 1 KiB"),
        "{}",
        shown.text
    );
    mina.presses(&shown, "Add");
    mina.wait_for(&general, with("Added: The canteen opens at noon. ·"))
        .await;
    bot.settled().await;
}

#[tokio::test]
async fn who_asks_with_a_picture_is_told_that_it_was_not_looked_at() {
    let (discord, _, general, mina) = team().await;
    let bot = Bot::start(&discord, town(Script::saying(ANSWER)).await).await;

    let question = format!("@saseo {QUESTION}");
    mina.attaches(&general, &question, &[("desk.png", b"\x89PNG")]);
    let told = mina.wait_for(&general, with("I did not look at desk.png."));
    let told = told.await.text;
    assert!(told.contains("15 days of leave a year."), "{told}");
    bot.settled().await;
}

#[tokio::test]
async fn what_somebody_asked_others_is_answered_from_its_menu() {
    let (discord, guild, general, mina) = team().await;
    let joon = guild.member("Joon", &[]);
    let bot = Bot::start(&discord, town(Script::saying(ANSWER)).await).await;
    joon.says(&general, QUESTION);
    let said = mina.sees(&general).pop().unwrap();

    mina.runs_on(&said, "Ask the librarian about this");
    let answer = mina.wait_for(&general, with("15 days of leave a year. \\[1\\]"));
    assert!(!answer.await.private);
    bot.settled().await;
}

#[tokio::test]
async fn the_library_is_shown_to_whom_asks_alone() {
    let discord = Discord::start().await;
    let guild = discord.guild("team");
    let general = guild.channel("general");
    let (mina, joon) = (guild.member("Mina", &[]), guild.member("Joon", &[]));
    let bot = Bot::start(&discord, town(Script::saying(ANSWER)).await).await;

    for (command, options, said) in [
        ("library list", vec![], "Leave.md"),
        ("library status", vec![], "documents: 1"),
        ("library log", vec![], "r1"),
        (
            "library search",
            vec![("words", Given::from("leave"))],
            "15 days",
        ),
        ("stop", vec![], "nothing of yours"),
    ] {
        mina.runs(&general, command, &options);
        let seen = mina.wait_for(&general, with(said)).await;
        assert!(seen.private, "{command}");
    }
    bot.settled().await;
    assert_eq!(joon.sees(&general).len(), 0);
}

#[tokio::test]
async fn buttons_show_the_receipt_and_take_a_vote() {
    let discord = Discord::start().await;
    let guild = discord.guild("team");
    let general = guild.channel("general");
    let (mina, joon) = (guild.member("Mina", &[]), guild.member("Joon", &[]));
    let bot = Bot::start(&discord, town(Script::saying(ANSWER)).await).await;
    mina.mentions_bot(&general, QUESTION);
    let answer = mina.wait_for(&general, with("**Sources**")).await;
    bot.settled().await;

    joon.presses(&answer, "Sources");
    let receipt = joon.wait_for(&general, with("receipt")).await;
    assert!(receipt.text.contains("15 days"), "{}", receipt.text);
    joon.presses(&answer, "Useful");
    joon.wait_for(&general, with("Thank you")).await;
    bot.settled().await;
    assert_eq!(mina.sees(&general).len(), 2);
}

#[tokio::test]
async fn where_nothing_was_found_the_receipt_names_no_sources() {
    let (discord, _, general, mina) = team().await;
    let bot = Bot::start(&discord, Town::with(Script::saying(ANSWER))).await;
    mina.mentions_bot(&general, QUESTION);
    let declined = mina.wait_for(&general, with("receipt")).await;
    assert!(
        declined.text.contains("no answer to this"),
        "{}",
        declined.text
    );
    bot.settled().await;

    mina.presses(&declined, "Sources");
    // On a busy machine "saseo is thinking…" is seen first.
    let private = |seen: &[Seen]| {
        let there = |one: &&Seen| one.private && !one.text.is_empty();
        seen.iter().find(there).cloned()
    };
    let receipt = mina.wait_for(&general, private).await.text;
    assert!(receipt.starts_with("-# library r0"), "{receipt}");
    bot.settled().await;
}

#[tokio::test]
async fn a_stop_button_ends_the_answer() {
    let discord = Discord::start().await;
    let guild = discord.guild("team");
    let general = guild.channel("general");
    let (mina, joon) = (guild.member("Mina", &[]), guild.member("Joon", &[]));
    let slow = Script::saying(ANSWER).slowly(Duration::from_secs(60));
    let bot = Bot::start(&discord, town(slow).await).await;
    mina.mentions_bot(&general, QUESTION);
    let placeholder = mina.wait_for(&general, with("Found in the library")).await;
    joon.presses(&placeholder, "Stop");
    joon.wait_for(&general, with("nothing of yours")).await;
    mina.presses(&placeholder, "Stop");
    mina.wait_for(&general, with("Stopped.")).await;
    bot.settled().await;
    let private = |seen: &Seen| seen.private;
    assert_eq!(
        joon.sees(&general)
            .iter()
            .filter(|one| !private(one))
            .count(),
        2
    );
}

#[tokio::test]
async fn a_reply_to_an_answer_is_a_follow_up() {
    let (discord, _, general, mina) = team().await;
    let bot = Bot::start(&discord, town(Script::saying(ANSWER)).await).await;
    mina.mentions_bot(&general, QUESTION);
    let answer = mina.wait_for(&general, with("**Sources**")).await;
    bot.settled().await;
    mina.replies_to(&answer, "And which of them carry over?");
    mina.wait_for(&general, |seen| (seen.len() == 4).then_some(()))
        .await;
    bot.settled().await;
    let prompt = bot.town.script.prompts().pop().unwrap();
    assert!(prompt.contains("carry over to the next year"), "{prompt}");
}

#[tokio::test]
async fn an_answer_may_open_a_thread_and_go_on_there_without_replies() {
    let (discord, _, general, mina) = team().await;
    let manner = Manner {
        threads: true,
        ..Manner::default()
    };
    let town = town(Script::saying(ANSWER)).await;
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
    let bot = Bot::start(&discord, town(Script::saying(ANSWER)).await).await;
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
    let town = town(Script::saying(ANSWER)).await;
    let bot = Bot::start_as(&discord, "no.such.token", town).await;
    let ended = bot.ends().await.unwrap_err();
    assert!(matches!(ended, Deaf::Refused(_)), "{ended}");
    assert!(discord.requests().len() <= 3);
}

#[tokio::test]
async fn while_one_types_the_documents_are_offered() {
    let (discord, _, general, mina) = team().await;
    let _bot = Bot::start(&discord, town(Script::saying(ANSWER)).await).await;
    let options = [("document", Given::from("lea"))];
    let offers = mina
        .completes(&general, ("library remove", "document"), &options)
        .await
        .unwrap();
    assert_eq!(offers, [("Leave".to_owned(), "Leave.md".into())]);
}
