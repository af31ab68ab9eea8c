//! What people say, press and run, and what they read.

use std::time::Duration;

use super::{Post, Room, Team, Who, in_every_messenger};
use crate::support::loopback::PATIENCE;
use crate::support::script::Script;
use crate::support::town::{ANSWER, BEFORE, QUESTION, Town};

use Who::{Joon, Mina};

in_every_messenger!(
    a_mention_is_answered_below_it_with_its_source_and_buttons,
    korean_is_answered_in_korean,
    a_command_is_answered_in_its_place_for_everybody,
    who_writes_alone_needs_no_mention_and_goes_on_as_in_a_conversation,
    a_file_that_is_handed_in_answers_once_it_was_added,
    what_somebody_said_is_added_under_its_first_words,
    who_asks_with_a_picture_is_told_that_it_was_not_looked_at,
    the_library_is_shown_to_whom_asks_alone,
    buttons_show_the_receipt_and_take_a_vote,
    where_nothing_was_found_the_receipt_names_no_sources,
    a_stop_button_ends_the_answer_of_who_asked,
    what_is_said_to_an_answer_is_a_follow_up,
);

async fn a_mention_is_answered_below_it_with_its_source_and_buttons<T: Team>() {
    let team = T::meets().await;
    let bot = team
        .served(Town::about_leave(Script::saying(ANSWER)).await)
        .await;

    let said = team.mentions(Mina, QUESTION);
    team.told(Mina, "receipt").await;
    bot.settled().await;

    let seen = team.sees(Mina, Room::Channel);
    assert_eq!(seen.len(), 2, "{seen:#?}");
    let answer = &seen[1];
    assert_eq!(answer.below, Some(said));
    let claim = format!("15 days of leave a year. {}", team.source(1));
    for part in [&*claim, &team.heading("Sources"), "Leave", "receipt"] {
        assert!(answer.text.contains(part), "{part}: {}", answer.text);
    }
    assert_eq!(answer.buttons, ["Useful", "Not useful", "Sources"]);
    assert!(
        !answer.private && team.is_well_behaved(answer),
        "{answer:#?}"
    );
}

async fn korean_is_answered_in_korean<T: Team>() {
    let team = T::meets().await;
    let town = Town::with(Script::saying("연차는 15일입니다."));
    let leave = "# 휴가\n\n직원의 연차는 15일입니다. 남은 연차는 넘기지 않습니다.\n";
    town.add("휴가", leave).await;
    let bot = team.served(town).await;

    team.mentions(Mina, "연차는 며칠이야?");
    let answer = team.told(Mina, "영수증").await;
    bot.settled().await;
    assert!(answer.text.contains("15일"), "{}", answer.text);
    assert!(
        answer.text.contains(&team.heading("출처")),
        "{}",
        answer.text
    );
    assert_eq!(answer.buttons[2], "출처 보기");
}

async fn a_command_is_answered_in_its_place_for_everybody<T: Team>() {
    let team = T::meets().await;
    let bot = team
        .served(Town::about_leave(Script::saying(ANSWER)).await)
        .await;

    let run = team.asks(Mina, QUESTION);
    team.told(Mina, "receipt").await;
    bot.settled().await;
    let seen = team.sees(Mina, Room::Channel);
    assert_eq!(seen.len(), 1, "{seen:#?}");
    let text = &seen[0].text;
    assert!(
        text.contains("15 days") && text.contains(&team.heading("Sources")),
        "{text}"
    );
    assert!(team.answers(&run, &seen[0]), "{run}: {seen:#?}");
    assert_eq!(team.sees(Joon, Room::Channel), seen);
}

async fn who_writes_alone_needs_no_mention_and_goes_on_as_in_a_conversation<T: Team>() {
    let team = T::meets().await;
    let bot = team
        .served(Town::about_leave(Script::saying(ANSWER)).await)
        .await;

    let said = team.writes(Mina, QUESTION);
    looks_for(&team, 2).await;
    bot.settled().await;
    let alone = team.sees(Mina, Room::Alone);
    assert!(alone[1].text.contains("15 days"), "{alone:#?}");
    assert!(team.answers_alone(&said, &alone[1]), "{alone:#?}");
    team.writes(Mina, "And which of them carry over?");
    looks_for(&team, 4).await;
    bot.settled().await;
    let prompt = bot.town.script.prompts().pop().unwrap();
    assert!(prompt.contains(BEFORE), "{prompt}");
    assert_eq!(team.sees(Mina, Room::Channel), []);
}

/// Waits until so many posts are where Mina is alone with the librarian.
async fn looks_for<T: Team>(team: &T, posts: usize) {
    team.looks((Mina, Room::Alone), PATIENCE, |seen| {
        (seen.len() == posts).then_some(())
    })
    .await;
}

async fn a_file_that_is_handed_in_answers_once_it_was_added<T: Team>() {
    let team = T::meets().await;
    let script = Script::saying("The door code is kept in Busan.");
    let bot = team.served(Town::about_leave(script).await).await;
    let question = "Where is the door code kept?";

    team.mentions(Mina, question);
    let before = team.told(Mina, "receipt").await;
    assert!(!before.text.contains("Busan"), "{}", before.text);
    bot.settled().await;

    team.hands_in(Mina, ("doors.md", b"The door code is kept in Busan."));
    let shown = team.told(Mina, "Shall I add this").await;
    assert!(shown.text.contains("doors"), "{}", shown.text);
    team.presses(Joon, &shown, "Add");
    let refused = team.told(Joon, "for those who manage the").await;
    assert!(refused.private, "{refused:#?}");
    bot.settled().await;

    team.presses(Mina, &shown, "Add");
    let added = team.told(Mina, "Added: ").await;
    assert_eq!(added.id, shown.id);
    assert_eq!(added.buttons, [""; 0]);
    bot.settled().await;

    team.mentions(Mina, question);
    let claim = format!("kept in Busan. {}", team.source(1));
    team.told(Mina, &claim).await;
    bot.settled().await;
}

async fn what_somebody_said_is_added_under_its_first_words<T: Team>() {
    let team = T::meets().await;
    let bot = team
        .served(Town::about_leave(Script::saying(ANSWER)).await)
        .await;
    let said = team.says(Joon, "The canteen opens at noon.");

    team.chooses(Mina, &said, "Add to library");
    let shown = team.told(Mina, "Shall I add this").await;
    assert!(
        shown.text.contains("\nThe canteen opens at noon. · 1 KiB"),
        "{}",
        shown.text
    );
    team.presses(Mina, &shown, "Add");
    team.told(Mina, "Added: The canteen opens at noon. ·").await;
    bot.settled().await;
}

async fn who_asks_with_a_picture_is_told_that_it_was_not_looked_at<T: Team>() {
    let team = T::meets().await;
    let bot = team
        .served(Town::about_leave(Script::saying(ANSWER)).await)
        .await;

    let question = format!("@saseo {QUESTION}");
    team.attaches(Joon, &question, ("desk.png", b"\x89PNG"));
    let told = team.told(Joon, "I did not look at desk.png.").await.text;
    assert!(told.contains("15 days of leave a year."), "{told}");
    bot.settled().await;
}

async fn the_library_is_shown_to_whom_asks_alone<T: Team>() {
    let team = T::meets().await;
    let bot = team
        .served(Town::about_leave(Script::saying(ANSWER)).await)
        .await;

    for (command, words, said) in [
        ("list", "", "Leave.md"),
        ("status", "", "documents: 1"),
        ("log", "", "r1"),
        ("search", "leave", "15 days"),
    ] {
        team.asks_library(Mina, command, words);
        let seen = team.told(Mina, said).await;
        assert!(seen.private, "{command}: {seen:#?}");
    }
    bot.settled().await;
    assert_eq!(team.sees(Joon, Room::Channel), []);
}

async fn buttons_show_the_receipt_and_take_a_vote<T: Team>() {
    let team = T::meets().await;
    let bot = team
        .served(Town::about_leave(Script::saying(ANSWER)).await)
        .await;
    team.mentions(Mina, QUESTION);
    let answer = team.told(Mina, "receipt").await;
    bot.settled().await;

    team.presses(Joon, &answer, "Sources");
    let receipt = team.looks((Joon, Room::Channel), PATIENCE, private).await;
    assert!(receipt.text.contains("receipt"), "{}", receipt.text);
    assert!(receipt.text.contains("15 days"), "{}", receipt.text);
    team.presses(Joon, &answer, "Useful");
    let thanks = team.told(Joon, "Thank you").await;
    assert!(thanks.private, "{thanks:#?}");
    bot.settled().await;
    let seen = team.sees(Mina, Room::Channel);
    assert_eq!(seen.len(), 2, "{seen:#?}");
}

/// The first post that only this person sees.
fn private(seen: &[Post]) -> Option<Post> {
    // While the bot thinks, a post without words stands there.
    let there = |one: &&Post| one.private && !one.text.is_empty();
    seen.iter().find(there).cloned()
}

async fn where_nothing_was_found_the_receipt_names_no_sources<T: Team>() {
    let team = T::meets().await;
    let bot = team.served(Town::with(Script::saying(ANSWER))).await;
    team.mentions(Mina, QUESTION);
    let declined = team.told(Mina, "receipt").await;
    assert!(
        declined.text.contains("no answer to this"),
        "{}",
        declined.text
    );
    bot.settled().await;

    team.presses(Mina, &declined, "Sources");
    let receipt = team.looks((Mina, Room::Channel), PATIENCE, private).await;
    let receipt = receipt.text;
    assert!(receipt.starts_with(&team.small("library r0")), "{receipt}");
    bot.settled().await;
}

async fn a_stop_button_ends_the_answer_of_who_asked<T: Team>() {
    let team = T::meets().await;
    let slow = Script::saying(ANSWER).slowly(Duration::from_secs(60));
    let bot = team.served(Town::about_leave(slow).await).await;
    team.mentions(Mina, QUESTION);
    let shown = team.looks((Mina, Room::Channel), PATIENCE, |seen| {
        let stops = |one: &&Post| one.buttons.iter().any(|label| label == "Stop");
        seen.iter().find(stops).cloned()
    });
    let shown = shown.await;
    team.presses(Joon, &shown, "Stop");
    let refused = team.told(Joon, "nothing of yours").await;
    assert!(refused.private, "{refused:#?}");
    team.presses(Mina, &shown, "Stop");
    team.told(Mina, "Stopped.").await;
    bot.settled().await;
    let mut seen = team.sees(Joon, Room::Channel);
    seen.retain(|one| !one.private);
    assert_eq!(seen.len(), 2, "{seen:#?}");
}

async fn what_is_said_to_an_answer_is_a_follow_up<T: Team>() {
    let team = T::meets().await;
    let bot = team
        .served(Town::about_leave(Script::saying(ANSWER)).await)
        .await;
    team.mentions(Mina, QUESTION);
    let answer = team.told(Mina, "receipt").await;
    bot.settled().await;
    team.follows_up(Mina, &answer, "And which of them carry over?");
    team.looks((Mina, Room::Channel), PATIENCE, |seen| {
        (seen.len() == 4).then_some(())
    })
    .await;
    bot.settled().await;
    let prompt = bot.town.script.prompts().pop().unwrap();
    assert!(prompt.contains(BEFORE), "{prompt}");
}
