//! `saseo serve` and `saseo doctor` as programs, where a Slack is set up.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

use crate::support::program::{Program, Ran};
use crate::support::slack::Slack;
use crate::support::slack::places::Workspace;

use super::talk::{ANSWER, LEAVE, QUESTION, team, with};

/// A program that has this Slack in its settings, and a library.
pub(super) async fn program(slack: &Slack) -> Program {
    let program = Program::new([]).await;
    program.endpoint.known().usual = vec![ANSWER];
    program.settings(&format!("[slack]\napi-url = {:?}\n", slack.api()));
    let page = program.write("leave.md", LEAVE);
    let added = program
        .run(&["library", "add", &page.display().to_string()])
        .await;
    assert_eq!(added.code, Some(0), "{added:?}");
    program
}

pub(super) fn with_tokens(mut command: Command, slack: &Slack, team: &Workspace) -> Command {
    command
        .env("SASEO_SLACK_BOT_TOKEN", team.token())
        .env("SASEO_SLACK_APP_TOKEN", slack.app_token());
    command
}

/// What came of a run, in which no token is printed.
async fn ran(mut command: Command, slack: &Slack, team: &Workspace) -> Ran {
    let ran = Ran::from(command.output().await.unwrap());
    for secret in [team.token(), slack.app_token()] {
        assert!(
            !ran.stdout.contains(&secret) && !ran.stderr.contains(&secret),
            "{ran:?}"
        );
    }
    ran
}

#[tokio::test]
async fn the_program_answers_in_slack_until_it_is_told_to_end_and_logs_nothing_private() {
    let (slack, team, general, mina) = team().await;
    let program = program(&slack).await;
    let log = std::fs::File::create(program.path("log")).unwrap();
    let mut command = with_tokens(program.command(&["serve"]), &slack, &team);
    command.env("SASEO_LOG", "trace").stderr(Stdio::from(log));
    let mut bot = command.spawn().unwrap();
    slack.connected().await;

    mina.mentions_bot(&general, QUESTION);
    mina.wait_within(Duration::from_secs(60), &general, with("receipt"))
        .await;
    let id = bot.id().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .await
            .unwrap()
            .success()
    );
    let status = tokio::time::timeout(Duration::from_secs(30), bot.wait()).await;
    assert_eq!(status.unwrap().unwrap().code(), Some(0));

    let log = std::fs::read_to_string(program.path("log")).unwrap();
    assert!(log.contains("Slack: listening"), "{log}");
    let private = [
        team.token(),
        slack.app_token(),
        "ticket=".to_owned(),
        QUESTION.to_owned(),
        ANSWER.to_owned(),
    ];
    for secret in private {
        let line = log.lines().find(|line| line.contains(&secret));
        assert_eq!(line, None, "{secret} is logged");
    }
}

#[tokio::test]
async fn where_slack_does_not_let_it_in_it_says_why_and_ends() {
    let (slack, team, _, _) = team().await;
    let program = program(&slack).await;
    slack.refuses_app_token("invalid_auth");
    let refused = with_tokens(program.command(&["serve"]), &slack, &team);
    let refused = ran(refused, &slack, &team).await;
    assert_eq!(refused.code, Some(78), "{refused:?}");
    assert!(
        refused
            .stderr
            .contains("SASEO_SLACK_APP_TOKEN (invalid_auth)"),
        "{refused:?}"
    );

    let mut half = program.command(&["serve"]);
    half.env("SASEO_SLACK_BOT_TOKEN", team.token());
    let half = ran(half, &slack, &team).await;
    assert_eq!(half.code, Some(78), "{half:?}");
    assert!(
        half.stderr.contains("SASEO_SLACK_APP_TOKEN is not"),
        "{half:?}"
    );

    let mut mistaken = program.command(&["serve"]);
    mistaken
        .env("SASEO_SLACK_BOT_TOKEN", slack.app_token())
        .env("SASEO_SLACK_APP_TOKEN", team.token());
    let mistaken = ran(mistaken, &slack, &team).await;
    assert_eq!(mistaken.code, Some(78), "{mistaken:?}");
    assert!(
        mistaken.stderr.contains("begins with xoxb-"),
        "{mistaken:?}"
    );

    let none = ran(program.command(&["serve"]), &slack, &team).await;
    assert_eq!(none.code, Some(78), "{none:?}");
    assert!(none.stderr.contains("SASEO_SLACK_BOT_TOKEN"), "{none:?}");
}

/// What the doctor says of Slack.
async fn findings(program: &Program, slack: &Slack, team: &Workspace) -> Vec<(String, bool)> {
    let command = with_tokens(program.command(&["doctor", "--json"]), slack, team);
    let object = ran(command, slack, team).await.object();
    let rows = object["findings"].as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    rows.iter()
        .filter(|row| text(&row["what"]).starts_with("slack"))
        .map(|row| {
            (
                format!("{}: {}", text(&row["what"]), text(&row["said"])),
                row["ok"] == true,
            )
        })
        .collect()
}

#[tokio::test]
async fn the_doctor_asks_slack_itself() {
    let (slack, team, _, _) = team().await;
    let program = program(&slack).await;
    let found = findings(&program, &slack, &team).await;
    let said: Vec<_> = found.iter().map(|(said, _)| said.as_str()).collect();
    assert_eq!(
        said[0], "slack token: it is that of saseo in Library",
        "{found:?}"
    );
    assert_eq!(
        said.last(),
        Some(&"slack socket: links can be made"),
        "{found:?}"
    );

    slack.refuses_app_token("invalid_auth");
    team.refuses_tokens("account_inactive");
    let found = findings(&program, &slack, &team).await;
    assert!(found.iter().all(|(_, ok)| !ok), "{found:?}");
    assert!(
        found[0]
            .0
            .contains("SASEO_SLACK_BOT_TOKEN (account_inactive)"),
        "{found:?}"
    );
}

#[tokio::test]
async fn whatever_slack_says_for_good_ends_the_program_with_78() {
    let (slack, team, _, _) = team().await;
    let program = program(&slack).await;
    team.refuses_tokens("token_revoked");
    let revoked = with_tokens(program.command(&["serve"]), &slack, &team);
    let revoked = ran(revoked, &slack, &team).await;
    assert_eq!(revoked.code, Some(78), "{revoked:?}");
    let named = "SASEO_SLACK_BOT_TOKEN (token_revoked)";
    assert!(revoked.stderr.contains(named), "{revoked:?}");
    assert_eq!(slack.requests_to("auth.test").len(), 1);

    let office = slack.workspace("Office");
    slack.disables_socket_mode();
    let off = with_tokens(program.command(&["serve"]), &slack, &office);
    let off = ran(off, &slack, &office).await;
    assert_eq!(off.code, Some(78), "{off:?}");
    assert!(
        off.stderr.contains("Socket Mode is switched off"),
        "{off:?}"
    );
}

#[tokio::test]
async fn the_doctor_names_the_workspace_that_is_given_up() {
    let (slack, team, _, _) = team().await;
    let program = program(&slack).await;
    let office = super::talk::another(&slack, "Office");
    office.refuses_tokens("account_inactive");
    let mut command = program.command(&["doctor", "--json"]);
    command
        .env(
            "SASEO_SLACK_BOT_TOKEN",
            format!("{} {}", team.token(), office.token()),
        )
        .env("SASEO_SLACK_APP_TOKEN", slack.app_token());
    let said = ran(command, &slack, &team).await;
    let found = said.object()["findings"].as_array().unwrap().clone();
    let tokens: Vec<_> = found
        .iter()
        .filter(|row| row["what"] == "slack token")
        .collect();
    assert_eq!(tokens.len(), 2, "{tokens:?}");
    assert_eq!(tokens[0]["ok"], true);
    assert_eq!(tokens[1]["ok"], false);
    let red = tokens[1]["said"].as_str().unwrap();
    assert!(
        red.contains("SASEO_SLACK_BOT_TOKEN, number 2 (account_inactive)"),
        "{red}"
    );
}

/// A program whose bot's token ends: what it was started with, and the secrets in it.
struct Rotating {
    refresh: String,
    client: (String, String),
    app: String,
}

impl Rotating {
    fn with(&self, mut command: Command) -> Command {
        command
            .env("SASEO_SLACK_REFRESH_TOKEN", &self.refresh)
            .env("SASEO_SLACK_CLIENT_ID", &self.client.0)
            .env("SASEO_SLACK_CLIENT_SECRET", &self.client.1)
            .env("SASEO_SLACK_APP_TOKEN", &self.app)
            .env("SASEO_LOG", "trace");
        command
    }

    /// The doctor looks, and leaves the tokens to whoever serves with them.
    async fn is_looked_at(&self, program: &Program, slack: &Slack, team: &Workspace) -> Ran {
        let doctor = self.with(program.command(&["doctor", "--json"]));
        let doctor = ran(doctor, slack, team).await;
        let token = |row: &&Value| row["what"] == "slack token";
        let findings = doctor.object()["findings"].as_array().unwrap().clone();
        let token = findings.iter().find(token).unwrap();
        assert_eq!(token["ok"], true, "{token}");
        assert!(
            token["said"].as_str().unwrap().contains("has ended"),
            "{token}"
        );
        doctor
    }
}

#[tokio::test]
async fn tokens_that_end_are_exchanged_by_the_program_and_never_logged() {
    let (slack, team, general, mina) = team().await;
    let program = program(&slack).await;
    let rotating = Rotating {
        refresh: team.rotates_tokens(),
        client: slack.client(),
        app: slack.app_token(),
    };
    let mut secrets = vec![rotating.refresh.clone(), rotating.client.1.clone()];
    let log = std::fs::File::create(program.path("log")).unwrap();
    let mut command = rotating.with(program.command(&["serve"]));
    let mut bot = command.stderr(Stdio::from(log)).spawn().unwrap();
    slack.connected().await;
    for answers in 1..=2 {
        mina.mentions_bot(&general, QUESTION);
        let whole = |seen: &[crate::support::slack::seen::Seen]| {
            let whole = seen.iter().filter(|one| one.text.contains("receipt"));
            (whole.count() == answers).then_some(())
        };
        mina.wait_within(Duration::from_secs(60), &general, whole)
            .await;
        secrets.push(team.token());
        slack.passes(Duration::from_secs(43_201));
    }
    let doctor = rotating.is_looked_at(&program, &slack, &team).await;
    bot.kill().await.unwrap();

    assert_eq!(slack.requests_to("oauth.v2.access").len(), 2);
    let log = std::fs::read_to_string(program.path("log")).unwrap();
    for secret in secrets {
        let found = [&log, &doctor.stdout, &doctor.stderr].into_iter();
        let mut lines = found.flat_map(|text| text.lines());
        assert_eq!(lines.find(|line| line.contains(&secret)), None);
    }
}
