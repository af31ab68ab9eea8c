//! Conversations: what people say, press and run, and what they read.

use saseo::ports::Inbox as _;

use crate::support::script::Script;
use crate::support::slack::Slack;
use crate::support::slack::manifest::Manifest;
use crate::support::slack::people::Person;
use crate::support::slack::places::{Channel, Workspace};
use crate::support::slack::seen::Seen;
use crate::support::town::Town;

use super::bot::{Bot, settings};

pub(super) use crate::support::town::{ANSWER, LEAVE, QUESTION};

/// A workspace with one channel and one person in it.
pub(super) async fn team() -> (Slack, Workspace, Channel, Person) {
    let slack = Slack::start().await;
    let team = slack.workspace("Library");
    let manifest = Manifest::read(include_str!("../../deploy/slack-manifest.yaml"));
    slack.takes(&manifest);
    let general = team.channel("general");
    let mina = team.member("Mina");
    (slack, team, general, mina)
}

/// Another workspace, whose bot has another name, so that a name calls only one of them.
pub(super) fn another(slack: &Slack, name: &str) -> Workspace {
    let workspace = slack.workspace(name);
    let bot = workspace.bot();
    slack.world().users.get_mut(&bot).unwrap().name = format!("saseo of {name}");
    workspace
}

pub(super) async fn town(script: Script) -> Town {
    let town = Town::with(script);
    town.add("Leave", LEAVE).await;
    town
}

/// The reply with this in it, once it is there.
pub(super) fn with(text: &'static str) -> impl Fn(&[Seen]) -> Option<Seen> {
    move |seen| {
        seen.iter()
            .rev()
            .find(|one| one.by == "saseo" && one.text.contains(text))
            .cloned()
    }
}

#[tokio::test]
async fn a_thread_goes_on_without_a_mention_where_the_librarian_is_part_of_it() {
    let (slack, team, general, mina) = team().await;
    let bot = Bot::start(&slack, &team, town(Script::saying(ANSWER)).await).await;
    let elsewhere = mina.says(&general, "Lunch?");
    mina.replies_to(&elsewhere, "Yes, at noon.");

    let said = mina.mentions_bot(&general, QUESTION);
    mina.wait_for(&general, with("receipt")).await;
    bot.settled().await;
    mina.replies_to(&said, "And which of them carry over?");
    let answers = |seen: &[Seen]| seen.iter().filter(|one| one.by == "saseo").count();
    mina.wait_for(&general, |seen| (answers(seen) == 2).then_some(()))
        .await;
    bot.settled().await;
    assert_eq!(general.thread(&said.ts).len(), 4);

    // What calls somebody else is for them.
    mina.replies_to(&said, "@Mina what do you say?");
    slack.settled().await;
    bot.settled().await;
    assert_eq!(answers(&mina.sees(&general)), 2);
}

#[tokio::test]
async fn a_thread_goes_on_after_a_restart_and_one_of_long_ago_is_forgotten() {
    const OLD: &str = "slack/thread/T1/C1/1600000000.000100";
    let (slack, team, general, mina) = team().await;
    let town = town(Script::saying(ANSWER)).await;
    town.inbox.mark(OLD, "1600000000").await.unwrap();
    // From before threads were put down with a time.
    town.inbox.mark("slack/thread/T1/C1/1.1", "").await.unwrap();
    let bot = Bot::start(&slack, &team, town).await;
    let said = mina.mentions_bot(&general, QUESTION);
    mina.wait_for(&general, with("receipt")).await;
    bot.settled().await;
    let folder = bot.dies().await;

    let town = Town::within(folder, Script::saying(ANSWER));
    let kept = town.inbox.marks("slack/thread/").await.unwrap();
    assert!(
        kept.iter().all(|(name, at)| name != OLD && !at.is_empty()),
        "{kept:?}"
    );
    assert_eq!(kept.len(), 2, "{kept:?}");
    let bot = Bot::start(&slack, &team, town).await;
    mina.replies_to(&said, "And which of them carry over?");
    let answers = |seen: &[Seen]| seen.iter().filter(|one| one.by == "saseo").count();
    mina.wait_for(&general, |seen| (answers(seen) == 2).then_some(()))
        .await;
    bot.settled().await;
}

#[tokio::test]
async fn a_command_where_the_librarian_is_not_is_answered_to_the_person() {
    let (slack, team, general, mina) = team().await;
    general.dismisses_bot();
    let bot = Bot::start(&slack, &team, town(Script::saying(ANSWER)).await).await;

    mina.runs(&general, "/ask", QUESTION);
    let answer = mina.wait_for(&general, with("receipt")).await;
    bot.settled().await;
    assert!(answer.private, "{answer:#?}");
    assert!(general.shows().is_empty());

    mina.presses(&answer, "Share with everyone");
    slack
        .eventually("it is shared", || {
            let shown = general.shows();
            shown
                .iter()
                .any(|one| one.text.contains("15 days"))
                .then_some(())
        })
        .await;
    bot.settled().await;
}

#[tokio::test]
async fn what_only_one_person_asked_to_see_only_they_see() {
    let (slack, team, general, mina) = team().await;
    let joon = team.member("Joon");
    let bot = Bot::start(&slack, &team, town(Script::saying(ANSWER)).await).await;

    for (line, expected) in [
        ("list", "Leave.md"),
        ("search leave", "15 days of leave"),
        ("status", "r1"),
        ("log", "r1"),
        ("burn", "add, remove"),
        ("", "add, remove"),
    ] {
        mina.runs(&general, "/library", line);
        let answer = mina.wait_for(&general, with(expected)).await;
        assert!(answer.private, "{line}: {answer:#?}");
    }
    bot.settled().await;
    assert_eq!(joon.sees(&general).len(), 0);
}

#[tokio::test]
async fn only_who_administers_the_workspace_adds_and_what_is_added_answers() {
    let (slack, team, general, mina) = team().await;
    let dahee = team.admin("Dahee");
    let script = Script::saying("The door code is kept in Busan.");
    let bot = Bot::start(&slack, &team, town(script).await).await;

    let line = "add The door code is kept in Busan. title: Doors";
    mina.runs(&general, "/library", line);
    mina.wait_for(&general, with("for those who manage")).await;
    bot.settled().await;

    dahee.runs(&general, "/library", line);
    let shown = dahee.wait_for(&general, with("Shall I add this")).await;
    mina.presses(&shown, "Add");
    mina.wait_for(&general, |seen| {
        let refused = seen
            .iter()
            .filter(|one| one.text.contains("for those who manage"));
        (refused.count() == 2).then_some(())
    })
    .await;
    bot.settled().await;
    dahee.presses(&shown, "Add");
    dahee.wait_for(&general, with("r2")).await;
    bot.settled().await;
    mina.mentions_bot(&general, "Where is the door code kept?");
    mina.wait_for(&general, with("Busan")).await;
    bot.settled().await;
}

#[tokio::test]
async fn a_message_is_added_from_its_menu_and_a_file_by_handing_it_in() {
    let (slack, team, general, mina) = team().await;
    let dahee = team.admin("Dahee");
    let bot = Bot::start(&slack, &team, town(Script::saying(ANSWER)).await).await;

    let said = mina.says(&general, "The <key> is under the mat & nowhere else.");
    dahee.runs_on(&said, "Add to library");
    let shown = dahee.wait_for(&general, with("Shall I add this")).await;
    assert_eq!(shown.reply_to.as_ref(), Some(&said.ts));
    dahee.presses(&shown, "Add");
    dahee.wait_for(&general, with("r2")).await;

    let file = (
        "doors.md",
        b"# Doors\n\nThe door opens to the left.".as_slice(),
    );
    let handed = dahee.attaches(&general, "@saseo for the shelf", &[file]);
    let shown = dahee
        .wait_for(&general, |seen| {
            let below = |one: &&Seen| one.reply_to.as_ref() == Some(&handed.ts);
            let shown = seen.iter().filter(below).cloned().next_back();
            shown.filter(|one| one.text.contains("Shall I add this"))
        })
        .await;
    dahee.presses(&shown, "Add");
    dahee.wait_for(&general, with("r3")).await;
    bot.settled().await;
}

#[tokio::test]
async fn what_the_bot_said_is_not_added_from_its_menu() {
    let (slack, team, general, mina) = team().await;
    let dahee = team.admin("Dahee");
    let bot = Bot::start(
        &slack,
        &team,
        Town::about_leave(Script::saying(ANSWER)).await,
    )
    .await;
    mina.mentions_bot(&general, QUESTION);
    let answer = mina.wait_for(&general, with("receipt")).await;
    bot.settled().await;
    dahee.runs_on(&answer, "Add to library");
    dahee.wait_for(&general, with("I said that myself.")).await;
    bot.settled().await;
}

#[tokio::test]
async fn people_of_other_organisations_are_told_nothing() {
    let (slack, team, general, mina) = team().await;
    let others = another(&slack, "Others");
    let stranger = others.member("Sam");
    general.is_shared_with(&others, &[&stranger]);
    let bot = Bot::start(&slack, &team, town(Script::saying(ANSWER)).await).await;

    mina.mentions_bot(&general, QUESTION);
    let told = mina.wait_for(&general, with("other organisations")).await;
    bot.settled().await;
    assert!(told.private, "{told:#?}");
    slack.settled().await;
    let told = mina
        .sees(&general)
        .into_iter()
        .filter(|one| one.by == "saseo");
    assert_eq!(told.count(), 1);
    assert!(general.shows().iter().all(|one| one.by != "saseo"));
}

#[tokio::test]
async fn two_workspaces_are_served_side_by_side() {
    let (slack, team, general, mina) = team().await;
    let office = another(&slack, "Office");
    let hall = office.channel("hall");
    let joon = office.member("Joon");
    let town = town(Script::saying(ANSWER)).await;
    let bot = Bot::start_with(settings(&slack, &[&team, &office]), town).await;
    bot.open();
    slack.connected().await;

    mina.mentions_bot(&general, QUESTION);
    joon.says(&hall, &format!("@saseo of Office {QUESTION}"));
    mina.wait_for(&general, with("receipt")).await;
    joon.wait_for(&hall, |seen| {
        let whole = |one: &Seen| one.by == "saseo of Office" && one.text.contains("receipt");
        seen.iter().any(whole).then_some(())
    })
    .await;
    bot.settled().await;
}

#[tokio::test]
async fn what_documents_say_calls_nobody() {
    let (slack, team, general, mina) = team().await;
    let hostile = "Every employee has 15 days of leave, <!channel> <@U1> <https://e.example|x> \
        & *more* `code`.";
    let town = Town::with(Script::saying(hostile));
    town.add("Leave", &format!("# Leave\n\n{hostile}\n")).await;
    let bot = Bot::start(&slack, &team, town).await;

    mina.mentions_bot(&general, QUESTION);
    let answer = mina.wait_for(&general, with("receipt")).await;
    bot.settled().await;
    assert!(answer.text.contains("15 days"), "{}", answer.text);
    assert!(slack.pings().is_empty(), "{:?}", slack.pings());
    assert!(slack.previewed().is_empty(), "{:?}", slack.previewed());
    assert_eq!(answer.links, [""; 0]);
}

#[tokio::test]
async fn the_assistant_suggests_what_is_on_the_shelf_and_calls_a_conversation_by_its_question()
{
    let (slack, team, _, mina) = team().await;
    let bot = Bot::start(&slack, &team, town(Script::saying(ANSWER)).await).await;

    let thread = mina.turns_to_assistant(None);
    let prompts = slack.eventually("prompts", || {
        Some(mina.prompts(&thread)).filter(|prompts| !prompts.is_empty())
    });
    let (title, message) = prompts.await.remove(0);
    assert_eq!(title, "Leave");
    assert_eq!(message, "What does the library say about Leave?");

    mina.replies_to(&thread, QUESTION);
    let alone = mina.direct_channel();
    let answer = mina.wait_for(&alone, with("receipt")).await;
    assert_eq!(answer.reply_to.as_ref(), Some(&thread.ts));
    slack.eventually("a title", || mina.title(&thread)).await;
    assert_eq!(mina.title(&thread).as_deref(), Some(QUESTION));
    bot.settled().await;
}
