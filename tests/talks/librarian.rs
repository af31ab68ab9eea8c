//! The whole bot as a team runs it: the program, the real starter models, saseo's own manual.

use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use saseo::adapters::models::manifest::Role;

use super::{Post, Room, Team, Who, in_every_messenger};
use crate::support::starter;

use Who::Mina;

in_every_messenger!(a_team_asks_adds_a_file_and_asks_again);

/// The program, which ends with the test.
struct Serving(Child);

impl Serving {
    async fn over_the_manual(team: &impl Team, folder: &Path) -> Self {
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
        let child = command(&["serve"]).envs(team.environment()).spawn();
        team.connected().await;
        Self(child.unwrap())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The answer below what Mina said, once it is there in its final form.
async fn answered(team: &impl Team, said: &str) -> Post {
    found(team, |one| {
        is_whole(one) && one.below.as_deref() == Some(said)
    })
    .await
}

/// A post of the librarian in the channel, once it is there.
async fn found(team: &impl Team, wanted: impl Fn(&Post) -> bool) -> Post {
    let place = (Mina, Room::Channel);
    let wanted = |seen: &[Post]| {
        let mut ours = seen.iter().filter(|one| one.by == "saseo");
        ours.find(|one| wanted(one)).cloned()
    };
    team.looks(place, Duration::from_secs(120), wanted).await
}

/// Whether it has its footer, and its buttons instead of the one that stops it.
fn is_whole(post: &Post) -> bool {
    let footer = post.text.contains(" receipt ") || post.text.contains("영수증");
    let sources = |label: &String| label == "Sources" || label == "출처 보기";
    footer && post.buttons.iter().any(sources)
}

async fn a_team_asks_adds_a_file_and_asks_again<T: Team>() {
    let team = T::meets().await;
    let folder = tempfile::tempdir().unwrap();
    let _serving = Serving::over_the_manual(&team, folder.path()).await;

    for (question, page, heading) in [
        (
            "Where is the data folder?",
            "Settings and environment variables",
            "Default folders",
        ),
        (
            "조사와 어미는 어떻게 처리해?",
            "한국어 검색이 동작하는 방식",
            "조사와 어미 처리",
        ),
    ] {
        let said = team.mentions(Mina, question);
        let seen = answered(&team, &said).await;
        assert!(seen.text.contains(page), "{}", seen.text);
        assert!(seen.text.contains(heading), "{}", seen.text);
    }

    let run = team.asks(Mina, "Where is the data folder?");
    let seen = found(&team, |one| is_whole(one) && team.answers(&run, one)).await;
    assert!(seen.text.contains("Default folders"), "{}", seen.text);

    let question = "How many days of parental leave does a parent at Hansol get?";
    let said = team.mentions(Mina, question);
    let seen = answered(&team, &said).await;
    assert!(seen.text.contains("no answer to this"), "{}", seen.text);

    adds(&team).await;
    let said = team.mentions(Mina, question);
    let seen = answered(&team, &said).await;
    assert!(seen.text.contains("40"), "{}", seen.text);
    assert!(seen.text.contains("Parental leave"), "{}", seen.text);
    let seen = team.sees(Mina, Room::Channel).into_iter();
    assert_eq!(seen.filter(|one| one.by == "saseo").count(), 6);
}

/// Mina adds a file, by handing it in and by the button below what is shown of it.
async fn adds<T: Team>(team: &T) {
    let leave = "# Parental leave\n\nA parent at Hansol gets 40 days of parental leave for each child. \
        The days are taken within two years of the birth.\n";
    team.hands_in(Mina, ("leave.md", leave.as_bytes()));
    let shown = found(team, |one| one.text.contains("Shall I add this")).await;
    team.presses(Mina, &shown, "Add");
    found(team, |one| one.text.contains("Added: ")).await;
}
