//! `saseo serve` as whoever supervises it sees it: how it starts, and how it ends.

use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::Child;

use crate::support::discord::Discord;
use crate::support::openai::Turn;
use crate::support::program::{Program, Ran};

const LEAVE: &str = "# Leave\n\nEvery employee has 15 days of leave a year. \
    Unused leave days do not carry over to the next year.\n";

/// A running `saseo serve` for `discord`.
fn start(program: &Program, discord: &Discord) -> Child {
    let mut command = program.command(&["serve"]);
    command
        .env("SASEO_DISCORD_TOKEN", discord.token())
        .env("SASEO__DISCORD__API_URL", discord.api());
    command.spawn().unwrap()
}

/// Asks it to end, as systemd and Docker do.
async fn terminate(child: &Child) {
    let mut kill = tokio::process::Command::new("kill");
    let done = kill.arg(child.id().unwrap().to_string()).status();
    assert!(done.await.unwrap().success());
}

#[tokio::test]
async fn it_answers_and_ends_when_it_is_asked_to() {
    let discord = Discord::start().await;
    let guild = discord.guild("Team");
    let (general, mina) = (guild.channel("general"), guild.member("Mina", &[]));
    let says = Turn::Says(vec!["Every employee has ", "15 days of leave a year."]);
    let program = Program::new([says]).await;
    let page = program.write("leave.md", LEAVE).display().to_string();
    program.run(&["library", "add", &page]).await;

    let mut serving = start(&program, &discord);
    discord.connected().await;
    mina.mentions_bot(&general, "How many days of leave does an employee have?");
    mina.wait_for(&general, |seen| {
        let mut seen = seen.iter();
        seen.find(|one| one.text.contains("**Sources**")).cloned()
    })
    .await;

    terminate(&serving).await;
    let ended = tokio::time::timeout(Duration::from_secs(20), serving.wait()).await;
    let ended = ended.expect("it ends in time").unwrap();
    assert!(ended.success(), "{ended:?}");
    let mut told = String::new();
    let mut stderr = serving.stderr.take().unwrap();
    stderr.read_to_string(&mut told).await.unwrap();
    for line in [
        "Discord: the commands are registered",
        "the library is open at r1",
        "ending; what is under way gets a few seconds",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    assert!(
        !told.contains("leave"),
        "nothing that was said is logged: {told}"
    );
}

#[tokio::test]
async fn what_only_a_person_can_mend_ends_it_with_78() {
    let discord = Discord::start().await;
    let (api, token) = (discord.api(), discord.token());
    let program = Program::new([]).await;
    for (api, token, said) in [
        (&*api, "", "set SASEO_DISCORD_TOKEN to the bot's token"),
        (&*api, "two words", "copy it again"),
        (
            &*api,
            "no.such.token",
            "make a new one in the developer portal",
        ),
        ("http://192.0.2.1", &*token, "must be https://host"),
    ] {
        let mut command = program.command(&["serve"]);
        command
            .env("SASEO_DISCORD_TOKEN", token)
            .env("SASEO__DISCORD__API_URL", api);
        let ran = Ran::from(command.output().await.unwrap());
        assert_eq!(ran.code, Some(78), "{ran:?}");
        assert!(ran.stderr.contains(said), "{ran:?}");
    }
    assert_eq!(discord.identifies(), 0);
}
