//! `saseo doctor` where a Discord is set up: what it says, and that it says what to do.

use serde_json::Value;

use crate::support::discord::{Discord, permissions};
use crate::support::program::{Program, Ran};

/// What the doctor says of the Discord at `api` to a bot with `token`.
async fn examined(api: &str, token: &str, args: &[&str]) -> Ran {
    let program = Program::new([]).await;
    let mut command = program.command(args);
    let ran = command
        .env("SASEO_DISCORD_TOKEN", token)
        .env("SASEO__DISCORD__API_URL", api)
        .output();
    let ran = Ran::from(ran.await.unwrap());
    let secret = |text: &str| !token.trim().is_empty() && text.contains(token);
    assert!(!secret(&ran.stdout) && !secret(&ran.stderr), "{ran:?}");
    ran
}

/// The findings about Discord: what was looked at, whether it is in order, what is said.
async fn findings(discord: &Discord, token: &str) -> Vec<(String, bool, String)> {
    let ran = examined(&discord.api(), token, &["doctor", "--json"]).await;
    let object = ran.object();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rows = object["findings"].as_array().unwrap().iter();
    let rows: Vec<_> = rows
        .map(|row| (text(&row["what"]), row["ok"] == true, text(&row["said"])))
        .collect();
    let healthy = rows.iter().all(|(_, ok, _)| *ok);
    assert_eq!(
        (object["ok"] == true, ran.code),
        (healthy, Some(i32::from(!healthy)))
    );
    rows.into_iter()
        .filter(|(what, ..)| what.starts_with("discord"))
        .collect()
}

#[tokio::test]
async fn what_the_bot_stands_on_is_told_line_by_line() {
    let discord = Discord::start().await;
    discord.guild("Team");
    let found = findings(&discord, &discord.token()).await;
    let whats: Vec<_> = found.iter().map(|(what, ..)| &**what).collect();
    assert_eq!(
        whats,
        [
            "discord token",
            "discord portal",
            "discord servers",
            "discord gateway",
            "discord commands"
        ]
    );
    assert!(found.iter().all(|(_, ok, _)| *ok), "{found:?}");
    for (at, said) in [
        (0, "of saseo"),
        (1, "none is needed"),
        (2, "in 1 server with the permissions it needs: Team"),
        (3, "1000 of 1000 session starts"),
        (4, "`saseo serve` registers them"),
    ] {
        assert!(found[at].2.contains(said), "{:?}", found[at]);
    }
    assert_eq!(
        discord.identifies(),
        0,
        "to look does not use up a session start"
    );
}

#[tokio::test]
async fn a_server_that_withholds_a_permission_is_named_with_what_to_do() {
    let discord = Discord::start().await;
    discord
        .guild("Kitchen")
        .everyone_may(permissions::VIEW_CHANNEL);
    let found = findings(&discord, &discord.token()).await;
    let (_, ok, said) = &found[2];
    assert!(!ok);
    let lacks = "in Kitchen the bot lacks Send Messages, Send Messages in Threads, Read Message \
        History: allow";
    assert!(said.contains(lacks), "{said}");
    assert!(said.contains("&permissions=274877975552"), "{said}");
}

#[tokio::test]
async fn a_bot_in_no_server_gets_its_link() {
    let discord = Discord::start().await;
    let found = findings(&discord, &discord.token()).await;
    let id = discord.world().bot;
    let (_, ok, said) = &found[2];
    assert!(
        !ok && said.contains(&format!("authorize?client_id={id}&scope=bot+")),
        "{said}"
    );
}

#[tokio::test]
async fn a_wrong_token_is_told_once() {
    let discord = Discord::start().await;
    let found = findings(&discord, "no.such.token").await;
    assert_eq!(found.len(), 1, "{found:?}");
    let (what, ok, said) = &found[0];
    assert_eq!((&**what, *ok), ("discord token", false));
    assert!(
        said.contains("developer portal, set SASEO_DISCORD_TOKEN"),
        "{said}"
    );
}

#[tokio::test]
async fn without_a_token_it_says_how_to_set_one_up() {
    let discord = Discord::start().await;
    let ran = examined(&discord.api(), " ", &["doctor"]).await;
    let mut lines = ran.stdout.lines();
    let line = lines.find(|line| line.starts_with("ok  discord ")).unwrap();
    assert!(line.contains("deploy/discord.md"), "{line}");
    assert_eq!(discord.requests().len(), 0);
}
