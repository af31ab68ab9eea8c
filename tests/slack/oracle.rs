//! Slack's own library for Python as an oracle: it signs what our door lets in, and reads the
//! blocks that we post.
//!
//! `make oracle` installs it and runs these; without it they do not run, and say so.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::support::script::Script;
use crate::support::slack::people::{Person, Said};
use crate::support::slack::places::Channel;
use crate::support::slack::record::Request;
use crate::support::slack::seen::Seen;
use crate::support::slack::sender::{FORM, JSON, Signed};
use crate::support::town::Town;

use super::bot::Bot;
use super::door::behind_a_door;
use super::talk::{ANSWER, QUESTION, team, with};

/// Asks the oracle about each of these.
async fn asks(what: &str, of: &[Value]) -> Vec<Value> {
    #[expect(clippy::disallowed_methods, reason = "a test has no settings file")]
    let python = std::env::var("SASEO_ORACLE")
        .expect("SASEO_ORACLE names a Python that has slack_sdk; `make oracle` installs one");
    let mut oracle = Command::new(python)
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/oracle/oracle.py"
        ))
        .arg(what)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = oracle.stdin.take().unwrap();
    let question = serde_json::to_vec(of).unwrap();
    stdin.write_all(&question).await.unwrap();
    drop(stdin);
    let told = oracle.wait_with_output().await.unwrap();
    assert!(told.status.success(), "the oracle failed");
    let answers: Vec<Value> = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(answers.len(), of.len());
    answers
}

/// A request that the oracle has signed, and what was done to it afterwards.
struct Case {
    what: &'static str,
    kind: &'static str,
    body: String,
    /// How many seconds ago it was signed; less than none for the time to come.
    age: i64,
    secret: String,
    /// Whether Slack's library would let it in.
    expected: Expected,
    spoiled: fn(&mut Signed),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Good,
    Bad,
}

#[tokio::test]
#[ignore = "it needs Python's slack_sdk: make oracle"]
#[expect(
    clippy::print_stdout,
    reason = "what was counted is for whoever runs it"
)]
async fn the_door_lets_in_what_slacks_own_library_lets_in_and_nothing_else() {
    let (slack, workspace, general, mina) = team().await;
    let bot = behind_a_door(&slack, &workspace).await;
    let (mut let_in, mut turned_away) = (0, 0);
    // What a mention is answered below has to stand in the channel.
    let said = (0..13).map(|_| mina.says(&general, "Lunch?").ts);
    let place = Place {
        secret: slack.signing_secret(),
        team: workspace.id.clone(),
        bot: workspace.bot(),
        channel: general.id.clone(),
        user: mina.id.clone(),
        said: said.collect(),
        hook: format!("{}/commands/x", slack.api().trim_end_matches("/api")),
    };
    slack.settled().await;
    for case in whole(&place).into_iter().chain(spoiled(&place)) {
        let request = signed(&case, &slack.signs(case.kind, &case.body)).await;
        let verdict = judged(&request, &slack.signing_secret()).await;
        assert_eq!(verdict, case.expected, "the oracle on {}", case.what);
        let answer = slack.posts(&request).await.unwrap();
        let ours = match answer.status {
            200 => Expected::Good,
            401 => Expected::Bad,
            other => panic!("{}: {other} {}", case.what, answer.body),
        };
        assert_eq!(ours, verdict, "{}", case.what);
        match ours {
            Expected::Good => let_in += 1,
            Expected::Bad => turned_away += 1,
        }
    }
    println!("oracle: {let_in} requests let in, {turned_away} turned away, as slack_sdk says");
    // Each that was let in is a question, and no other one is.
    bot.settled().await;
    let mut answers = mina.sees(&general);
    answers.retain(|one| one.by == "saseo");
    assert_eq!(answers.len(), let_in, "{answers:#?}");
    assert!(answers.iter().all(is_whole), "{answers:#?}");
}

/// Where what is signed is said, and by whom.
struct Place {
    secret: String,
    team: String,
    bot: String,
    channel: String,
    user: String,
    /// What mentions are answered below, one for each.
    said: Vec<String>,
    hook: String,
}

impl Place {
    fn event(&self, number: usize, words: &str) -> String {
        json!({
            "type": "event_callback", "team_id": self.team, "api_app_id": "A1",
            "event_id": format!("Ev{number}"), "event_time": 1,
            "event": {
                "type": "app_mention", "user": self.user,
                "text": format!("<@{}> {words}", self.bot),
                "ts": self.said[number], "channel": self.channel,
            },
        })
        .to_string()
    }

    fn command(&self) -> String {
        let Self {
            team,
            channel,
            user,
            hook,
            ..
        } = self;
        let hook: String = url::form_urlencoded::byte_serialize(hook.as_bytes()).collect();
        format!(
            "team_id={team}&channel_id={channel}&channel_name=general&user_id={user}\
             &command=%2Fask&text=%ED%9C%B4%EA%B0%80%EB%8A%94+%EB%A9%B0%EC%B9%A0%3F\
             &response_url={hook}&trigger_id=1.2.a"
        )
    }

    fn good(&self, what: &'static str, body: String) -> Case {
        Case {
            what,
            kind: JSON,
            body,
            age: 0,
            secret: self.secret.clone(),
            expected: Expected::Good,
            spoiled: |_| {},
        }
    }

    fn bad(&self, what: &'static str, number: usize, spoiled: fn(&mut Signed)) -> Case {
        Case {
            expected: Expected::Bad,
            spoiled,
            ..self.good(what, self.event(number, QUESTION))
        }
    }
}

/// What is whole, and what is signed too early, too late or by somebody else.
fn whole(place: &Place) -> [Case; 7] {
    let korean = place.event(2, "휴가는 며칠이야? “따옴표” & <끝>");
    [
        place.good("an event", place.event(1, QUESTION)),
        place.good("an event in Korean", korean),
        Case {
            age: 240,
            ..place.good("an event of four minutes ago", place.event(3, QUESTION))
        },
        Case {
            kind: FORM,
            ..place.good("a command", place.command())
        },
        Case {
            age: 360,
            ..place.bad("an event of six minutes ago", 4, |_| {})
        },
        Case {
            age: -360,
            ..place.bad("an event of the time to come", 5, |_| {})
        },
        Case {
            secret: "0123456789abcdef0123456789abcdef".into(),
            ..place.bad("an event of another app", 6, |_| {})
        },
    ]
}

/// What was signed well and changed on its way.
fn spoiled(place: &Place) -> [Case; 6] {
    const AT: &str = "x-slack-request-timestamp";
    const SIGNATURE: &str = "x-slack-signature";
    [
        place.bad("other words", 7, |request| {
            request.body = request.body.replace("How many", "How few");
        }),
        place.bad("another time", 8, |request| {
            let at = header(request, AT);
            *at = (at.parse::<i64>().unwrap() + 1).to_string();
        }),
        place.bad("another version", 9, |request| {
            let signature = header(request, SIGNATURE);
            *signature = signature.replacen("v0=", "v1=", 1);
        }),
        place.bad("a signature cut short", 10, |request| {
            header(request, SIGNATURE).pop();
        }),
        place.bad("no signature", 11, |request| {
            request.headers.retain(|(name, _)| *name != SIGNATURE);
        }),
        place.bad("no time", 12, |request| {
            request.headers.retain(|(name, _)| *name != AT);
        }),
    ]
}

fn header<'a>(request: &'a mut Signed, wanted: &str) -> &'a mut String {
    let mut headers = request.headers.iter_mut();
    let found = headers.find(|(name, _)| *name == wanted);
    &mut found.unwrap().1
}

/// The request with the oracle's signature in place of the fake's, then spoiled.
async fn signed(case: &Case, request: &Signed) -> Signed {
    let asked = json!({ "secret": case.secret, "age": case.age, "body": case.body });
    let told = asks("sign", &[asked]).await.remove(0);
    let mut request = request.clone();
    for (name, place) in [("x-slack-request-timestamp", 0), ("x-slack-signature", 1)] {
        told[place]
            .as_str()
            .unwrap()
            .clone_into(header(&mut request, name));
    }
    (case.spoiled)(&mut request);
    request
}

async fn judged(request: &Signed, secret: &str) -> Expected {
    let headers: serde_json::Map<String, Value> = request
        .headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    let asked = json!({ "secret": secret, "body": request.body, "headers": headers });
    if asks("judge", &[asked]).await == [json!(true)] {
        Expected::Good
    } else {
        Expected::Bad
    }
}

/// A title so long that a list of such is longer than a post of Slack may be.
fn long(number: usize) -> String {
    format!("{} {number}", "Canteen & <kitchen> ".repeat(12).trim())
}

#[tokio::test]
#[ignore = "it needs Python's slack_sdk: make oracle"]
#[expect(
    clippy::print_stdout,
    reason = "what was counted is for whoever runs it"
)]
async fn slacks_own_library_finds_nothing_wrong_with_any_block() {
    let posted = all_that_is_posted().await;
    let blocks = posted.iter().map(blocks_of).collect::<Vec<_>>();
    let told = asks("blocks", &blocks).await;
    for (request, complaints) in posted.iter().zip(&told) {
        let none = complaints.as_array().is_some_and(Vec::is_empty);
        assert!(none, "{}: {complaints:#}", request.method);
    }
    let of = |key: &str| -> usize {
        let lists = blocks.iter().filter_map(|one| one[key].as_array());
        lists.map(Vec::len).sum()
    };
    println!(
        "oracle: {} requests with {} blocks, {} chunks and {} views: no complaint",
        posted.len(),
        of("blocks"),
        of("chunks"),
        blocks.iter().filter(|one| one["view"].is_object()).count()
    );
    let whole = blocks.iter().map(Value::to_string).collect::<String>();
    for part in [
        "Useful",
        "Sources",
        "출처",
        "Stop",
        "Shall I add this",
        "Share with everyone",
        "no answer to this",
        "<kitchen> 9 ·",
    ] {
        assert!(whole.contains(part), "{part} was never posted");
    }
}

/// What was posted in a day of a team.
async fn all_that_is_posted() -> Vec<Request> {
    let (slack, workspace, general, mina) = team().await;
    let dahee = workspace.admin("Dahee");
    let town = Town::about_leave(Script::saying(ANSWER)).await;
    for number in 1..=30 {
        town.add(&long(number), "# Canteen\n\nIt opens at noon.\n")
            .await;
    }
    town.add("휴가", "# 휴가\n\n직원의 연차는 15일입니다.\n")
        .await;
    let bot = Bot::start(&slack, &workspace, town).await;
    slack.unlimited();

    are_asked(&bot, &mina, &general).await;
    are_run(&bot, (&mina, &dahee), &general).await;
    mina.opens_home();
    mina.turns_to_assistant(Some(&general));
    mina.direct_message(QUESTION);
    slack.settled().await;
    bot.settled().await;
    general.dismisses_bot();
    mina.runs(&general, "/ask", QUESTION);
    let told = mina.wait_for(&general, |seen| {
        let shared = |one: &&Seen| one.button("Share with everyone").is_some();
        seen.iter().find(shared).cloned()
    });
    told.await;
    bot.settled().await;
    let mut requests = slack.requests();
    requests.retain(|request| blocks_of(request) != json!({}));
    requests
}

/// Questions, and the button below each that shows the sources.
async fn are_asked(bot: &Bot, mina: &Person, general: &Channel) {
    for (question, button) in [
        (QUESTION, "Sources"),
        ("When does the canteen open?", "Sources"),
        ("연차는 며칠이야?", "출처 보기"),
        ("Who was Ada Lovelace?", "Sources"),
    ] {
        let said = mina.mentions_bot(general, question);
        let answer = answered(mina, general, &said).await;
        mina.presses(&answer, button);
        bot.settled().await;
    }
}

/// Commands, wrong ones too, and a document that is added by its button.
async fn are_run(bot: &Bot, (mina, dahee): (&Person, &Person), general: &Channel) {
    mina.runs(general, "/ask", QUESTION);
    for line in ["list", "status", "log", "search leave", "burn", "add"] {
        mina.runs(general, "/library", line);
    }
    bot.settled().await;
    dahee.runs(general, "/library", "add The door is blue. title: Doors");
    let shown = dahee.wait_for(general, with("Shall I add this")).await;
    dahee.presses(&shown, "Add");
    dahee.wait_for(general, with("Added: ")).await;
    bot.settled().await;
}

async fn answered(mina: &Person, general: &Channel, said: &Said) -> Seen {
    let patience = Duration::from_secs(120);
    mina.wait_within(patience, general, |seen| {
        let mut below = seen
            .iter()
            .filter(|one| one.reply_to.as_ref() == Some(&said.ts));
        below.find(|one| is_whole(one)).cloned()
    })
    .await
}

fn is_whole(seen: &Seen) -> bool {
    seen.text.contains(" receipt ") || seen.text.contains("영수증")
}

/// The blocks, the chunks and the view of a request, as far as there are some.
fn blocks_of(request: &Request) -> Value {
    let mut found = json!({});
    for key in ["blocks", "chunks", "view"] {
        let given = &request.arguments[key];
        // In a form they are JSON in a text.
        let read = given
            .as_str()
            .and_then(|text| serde_json::from_str(text).ok());
        let given = read.unwrap_or_else(|| given.clone());
        if given.is_array() || given.is_object() {
            found[key] = given;
        }
    }
    found
}

#[tokio::test]
#[ignore = "it needs Python's slack_sdk: make oracle"]
async fn slacks_own_library_does_find_what_is_wrong() {
    let button = |text: &str, more: &str| {
        let mut button = json!({
            "type": "button", "action_id": "a",
            "text": { "type": "plain_text", "text": text },
        });
        if !more.is_empty() {
            button[more] = json!("x");
        }
        json!({ "blocks": [{ "type": "actions", "elements": [button] }] })
    };
    let wrong = [
        button(&"x".repeat(76), ""),
        button("Useful", "colour"),
        json!({ "blocks": [{ "type": "sections" }] }),
        json!({ "blocks": [{ "type": "section" }] }),
        json!({ "blocks": [{ "type": "divider", "block_id": "x".repeat(256) }] }),
        json!({ "view": { "type": "home", "blocks": [{ "type": "sections" }] } }),
    ];
    for (block, complaints) in wrong.iter().zip(asks("blocks", &wrong).await) {
        assert_ne!(complaints, json!([]), "{block}");
    }
    assert_eq!(asks("blocks", &[button("Useful", "")]).await, [json!([])]);
}
