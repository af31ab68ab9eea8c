//! The whole bot as a team runs it: the program, the real starter models, saseo's own manual.

use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use saseo::adapters::models::manifest::Role;

use crate::support::discord::Discord;
use crate::support::discord::guilds::Channel;
use crate::support::discord::people::{Given, Person};
use crate::support::discord::seen::Seen;
use crate::support::starter;

/// The program, which ends with the test.
struct Serving(Child);

impl Serving {
    async fn over_the_manual(discord: &Discord, folder: &Path) -> Self {
        let verified = starter::models().await;
        let models = verified.folder(Role::Chat).parent().unwrap().to_owned();
        let command = |args: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_saseo"));
            command
                .arg("--data")
                .arg(folder)
                .arg("--models")
                .arg(&models);
            command.args(args);
            command
        };
        let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("knowledge");
        let added = command(&["library", "add"]).arg(manual).output().unwrap();
        assert!(added.status.success(), "{added:?}");
        let child = command(&["serve"])
            .env("SASEO_DISCORD_TOKEN", discord.token())
            .env("SASEO__DISCORD__API_URL", discord.api())
            .env("SASEO__RECEPTION__CURATORS", "[\"librarian\"]")
            .spawn();
        discord.connected().await;
        Self(child.unwrap())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The newest post of the bot, once it is an answer in its final form.
async fn answer(person: &Person, channel: &Channel, posts: usize) -> Seen {
    let finished = |seen: &[Seen]| {
        let mut by_bot = seen.iter().filter(|one| one.by == "saseo").skip(posts);
        by_bot.find(|one| one.text.contains("\n-# ")).cloned()
    };
    person
        .wait_within(Duration::from_secs(120), channel, finished)
        .await
}

#[tokio::test]
async fn a_team_asks_adds_a_file_and_asks_again() {
    let discord = Discord::start().await;
    let guild = discord.guild("team");
    let general = guild.channel("general");
    let librarian = guild.role("librarian", 0);
    let mina = guild.member("Mina", &[librarian]);
    let folder = tempfile::tempdir().unwrap();
    let _serving = Serving::over_the_manual(&discord, folder.path()).await;

    for (posts, question, page, heading) in [
        (
            0,
            "Where is the data folder?",
            "Settings and environment variables",
            "Default folders",
        ),
        (
            1,
            "조사와 어미는 어떻게 처리해?",
            "한국어 검색이 동작하는 방식",
            "조사와 어미 처리",
        ),
    ] {
        let said = mina.mentions_bot(&general, question);
        let seen = answer(&mina, &general, posts).await;
        assert_eq!(seen.reply_to, Some(said.id));
        assert!(seen.text.contains(page), "{}", seen.text);
        assert!(seen.text.contains(heading), "{}", seen.text);
    }

    mina.runs(
        &general,
        "ask",
        &[("question", "Where is the data folder?".into())],
    );
    let seen = answer(&mina, &general, 2).await;
    assert!(seen.text.contains("Default folders"), "{}", seen.text);

    let question = "How many days of parental leave does a parent at Hansol get?";
    mina.mentions_bot(&general, question);
    let seen = answer(&mina, &general, 3).await;
    assert!(seen.text.contains("no answer to this"), "{}", seen.text);

    let leave = "# Parental leave\n\nA parent at Hansol gets 40 days of parental leave for each child. \
        The days are taken within two years of the birth.\n";
    let file = Given::File("leave.md".into(), leave.into());
    mina.runs(&general, "library add", &[("file", file)]);
    let shown = mina.wait_within(Duration::from_secs(60), &general, |seen| {
        seen.iter()
            .find(|one| one.text.contains("Shall I add this"))
            .cloned()
    });
    mina.presses(&shown.await, "Add");
    mina.wait_within(Duration::from_secs(60), &general, |seen| {
        seen.iter()
            .any(|one| one.text.contains("Added: "))
            .then_some(())
    })
    .await;

    mina.mentions_bot(&general, question);
    let seen = answer(&mina, &general, 5).await;
    assert!(seen.text.contains("40"), "{}", seen.text);
    assert!(seen.text.contains("Parental leave"), "{}", seen.text);
}
