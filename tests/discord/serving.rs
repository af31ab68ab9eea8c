//! The bot as a program: `saseo serve` in a Discord, with all that people do with it.

use std::time::Duration;

use tokio::time::sleep;

use super::process::Process;
use super::scene::{PATIENCE, Scene, is_final, with};
use super::storms::{QUESTION, tell};
use crate::support::discord::faults::{Cut, Fault, Harm, Often, POST};
use crate::support::discord::people::Given;
use crate::support::openai::Turn;

const KOREAN_QUESTION: &str = "직원의 연차는 며칠이야?";
const KOREAN_ANSWER: &str = "직원의 연차는 15일입니다.";

#[tokio::test]
async fn it_says_what_it_does_answers_and_ends_when_told() {
    let scene = Scene::new(1, 1, "").await;
    let (mina, general) = (&scene.people[0], &scene.channels[0]);
    let bot = scene.starts();
    bot.up().await;

    let said = mina.mentions_bot(general, QUESTION);
    let answer = mina.wait_within(PATIENCE, general, with("15 days of leave a year. \\[1\\]"));
    assert_eq!(answer.await.reply_to, Some(said.id));
    scene.program.endpoint.known().usual = vec![KOREAN_ANSWER];
    mina.mentions_bot(general, KOREAN_QUESTION);
    let answer = mina.wait_within(PATIENCE, general, with("**출처**")).await;
    assert!(answer.text.contains("15일"), "{}", answer.text);

    scene.program.endpoint.known().usual = vec!["The door code is kept in Busan."];
    let question = "Where is the door code kept?";
    let ask = mina.runs(general, "ask", &[("question", question.into())]);
    let before = mina.wait_within(PATIENCE, general, |seen| {
        seen.iter()
            .find(|one| one.answers == Some(ask.id) && is_final(one))
            .cloned()
    });
    let before = before.await;
    assert!(!before.text.contains("Busan"), "{}", before.text);
    let page = "<html><head><title>Doors</title></head><body><main><h1>Doors</h1>\
        <p>The door code is kept in Busan.</p></main></body></html>";
    let file = Given::File("doors.html".into(), page.into());
    scene.adds(file).await;
    mina.runs(general, "ask", &[("question", question.into())]);
    mina.wait_within(PATIENCE, general, with("kept in Busan. \\[1\\]"))
        .await;

    let ended = bot.terminate().await;
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    assert!(ended.took < Duration::from_secs(20), "{:?}", ended.took);
    assert!(!ended.said.contains("WARN"), "{}", ended.said);
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story, read from top to bottom")]
async fn it_listens_at_once_while_its_library_is_being_opened() {
    let scene = Scene::new(1, 1, "").await;
    let (mina, general) = (&scene.people[0], &scene.channels[0]);
    // The commands are registered by an earlier run.
    let bot = scene.starts();
    bot.up().await;
    assert_eq!(bot.terminate().await.code, Some(0));
    scene.program.endpoint.known().ponders = PATIENCE;
    let known = scene.discord.identifies();

    let bot = scene.starts();
    let identified = scene.discord.until("it identifies", |world| {
        let payloads = &world.record.payloads;
        (payloads.iter().filter(|one| one.op == 2).count() > known).then_some(())
    });
    identified.await;
    let after = bot.began.elapsed();
    let said = mina.mentions_bot(general, QUESTION);
    let run = mina
        .runs(general, "ask", &[("question", QUESTION.into())])
        .id;
    let opening = "One moment, I am opening the library.";
    let first = mina.reply_to(said).await;
    assert_eq!(first.text, opening);
    mina.wait_for(general, |seen| {
        seen.iter()
            .find(|one| one.answers == Some(run) && one.text == opening)
            .cloned()
    })
    .await;
    tell(&format!(
        "at start: identified after {after:?}; a command was deferred after {} ms",
        scene.deferred_after(&[run])[0].num_milliseconds()
    ));
    // Whoever ends it now does not wait for the library.
    let ended = bot.terminate().await;
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    assert!(ended.took < Duration::from_secs(10), "{:?}", ended.took);

    scene.program.endpoint.known().ponders = Duration::ZERO;
    let bot = scene.starts();
    scene.all_answered(&[said], PATIENCE).await;
    scene.runs_are_answered(&[run], PATIENCE).await;
    assert_eq!(scene.is_answered_once(&[said]).answered, 1);
    assert_eq!(scene.answers_of(&[run]).answered, 1);
    assert_eq!(bot.terminate().await.code, Some(0));
}

#[tokio::test]
async fn where_it_cannot_serve_it_says_why_and_ends() {
    let scene = Scene::new(1, 1, "").await;
    let program = &scene.program;

    let wrong = [("SASEO_DISCORD_TOKEN", "no.such.token")];
    let ended = Process::start_as(program, &wrong).ends().await;
    assert_eq!(ended.code, Some(78), "{}", ended.said);
    let errors = ended
        .said
        .lines()
        .filter(|line| line.contains("does not know the bot's token"));
    assert_eq!(errors.count(), 1, "{}", ended.said);
    assert!(!ended.said.contains("no.such.token"), "{}", ended.said);
    assert!(
        scene.discord.requests().len() <= 3,
        "{:?}",
        scene.discord.requests()
    );

    let bot = scene.starts();
    bot.says("Discord: listening").await;
    let ended = scene.starts().ends().await;
    assert_eq!(ended.code, Some(1), "{}", ended.said);
    let holder = format!("in use by process {}", bot.id());
    assert!(ended.said.contains(&holder), "{}", ended.said);
    assert_eq!(bot.terminate().await.code, Some(0));
}

#[tokio::test]
async fn while_its_models_are_away_it_listens_and_waits_for_them() {
    let mut scene = Scene::new(1, 1, "longest-wait-seconds = 8").await;
    scene.program.endpoint.leaves().await;
    let bot = scene.starts();
    bot.says("could not be reached").await;
    bot.says("Discord: listening").await;
    let (mina, general) = (&scene.people[0], &scene.channels[0]);

    let early = mina.mentions_bot(general, QUESTION);
    let run = mina.runs(general, "library list", &[]).id;
    let first = mina.reply_to(early).await;
    assert_eq!(first.text, "One moment, I am opening the library.");
    scene.all_answered(&[early], PATIENCE).await;
    scene.runs_are_answered(&[run], PATIENCE).await;
    let counts = scene.is_answered_once(&[early]);
    assert_eq!(counts.failed, 1, "it waited too long");

    let late = scene.asks(1);
    scene.program.endpoint.returns().await;
    bot.says("the library is open").await;
    scene.all_answered(&[early, late], PATIENCE).await;
    let told = bot.said();
    assert_eq!(told.matches("could not be reached").count(), 1, "{told}");
    assert_eq!(scene.is_answered_once(&[early, late]).answered, 1);
    // When they go away later, a question fails, and the next one is answered again.
    scene.program.endpoint.leaves().await;
    let failing = scene.asks(2);
    scene.all_answered(&[failing], PATIENCE).await;
    scene.program.endpoint.returns().await;
    let good = scene.asks(3);
    scene.all_answered(&[good], PATIENCE).await;
    let counts = scene.is_answered_once(&[early, late, failing, good]);
    assert_eq!((counts.answered, counts.failed), (2, 2));
    assert_eq!(bot.terminate().await.code, Some(0));
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story, read from top to bottom")]
async fn no_log_holds_a_secret_or_what_anybody_said() {
    let scene = Scene::new(1, 1, "").await;
    let (mina, general) = (&scene.people[0], &scene.channels[0]);
    let token = scene.discord.token();
    let bot = Process::start_as(
        &scene.program,
        &[("SASEO_DISCORD_TOKEN", &token), ("SASEO_LOG", "trace")],
    );
    bot.up().await;
    scene.program.endpoint.known().usual = vec!["The canarydoc is kept in Busan."];
    let file = Given::File(
        "doors.md".into(),
        b"The canarydoc is kept in Busan.".to_vec(),
    );
    scene.adds(file).await;
    let question = "Where is the canarydoc kept, asks canaryword?";
    mina.mentions_bot(general, question);
    mina.wait_within(PATIENCE, general, with("kept in Busan. \\[1\\]"))
        .await;
    mina.direct_message(question);
    mina.wait_within(PATIENCE, &mina.direct_channel(), with("kept in Busan"))
        .await;
    mina.runs(general, "library search", &[("words", "canaryword".into())]);
    mina.runs(general, "ask", &[("question", question.into())]);
    scene
        .discord
        .goes_wrong(POST, Fault::After(Harm::Torn), Often::Next(1));
    scene.discord.cuts(Cut::NotJson);
    mina.mentions_bot(general, question);
    scene
        .program
        .endpoint
        .known()
        .turns
        .push_back(Turn::Breaks(vec!["The canarydoc"]));
    sleep(Duration::from_secs(3)).await;

    let log = bot.terminate().await.said;
    assert!(log.contains("listening"), "{log}");
    let world = scene.discord.world();
    // serenity puts whole events into its spans.
    let mut secrets = vec![
        token.as_str(),
        "canary",
        "Busan",
        "15 days of leave",
        "s3cr3t",
        "Dispatch(",
    ];
    secrets.extend(
        world
            .interactions
            .values()
            .map(|asked| asked.token.as_str()),
    );
    let found = secrets
        .iter()
        .filter_map(|secret| log.lines().find(|line| line.contains(secret)));
    assert_eq!(found.collect::<Vec<_>>(), Vec::<&str>::new());
}
