//! Commands, buttons and forms.

use std::time::Duration;

use serde_json::{Value, json};

use super::api::Api;
use super::bot::{Bot, Happened};
use super::town;
use crate::support::discord::Discord;
use crate::support::discord::faults::CALLBACK;
use crate::support::discord::people::Given;
use crate::support::discord::permissions::MANAGE_MESSAGES;
use crate::support::discord::seen::{Seen, Shown};

async fn ready(town: &Discord) -> Bot {
    let bot = Bot::starts(town).await;
    town.until("commands are there", |world| {
        (world.commands.all().count() > 0).then_some(())
    })
    .await;
    assert_eq!(bot.count(&Happened::Resumed), 0);
    bot
}

#[tokio::test]
async fn a_command_is_deferred_and_answered() {
    let (town, guild, general, mina) = town().await;
    let noah = guild.member("Noah", &[]);
    let _bot = ready(&town).await;
    let file = Given::File("rules.md".to_owned(), b"# Rules".to_vec());
    let options = [("question", "holidays".into()), ("file", file)];

    let run = mina.runs(&general, "ask", &options);

    let seen = mina
        .wait_for(&general, |seen| (seen.len() == 2).then(|| seen.to_vec()))
        .await;
    assert_eq!(seen[0].text, "about holidays rules.md 7");
    assert_eq!(seen[0].answers, Some(run.id));
    assert_eq!(seen[0].shown, Shown::AsPosted);
    assert_eq!(seen[1].text, "and more");
    assert!(seen[1].private);
    assert_eq!(noah.sees(&general).len(), 1);
    assert_eq!(town.edits_of(&seen[0]).len(), 1);
}

#[tokio::test]
async fn a_subcommand_a_menu_and_what_is_typed_are_answered() {
    let (town, _, general, mina) = town().await;
    let _bot = ready(&town).await;
    mina.runs(&general, "library list", &[]);
    mina.wait_for(&general, with("nothing yet")).await;

    let said = mina.says(&general, "a word to be asked about");
    mina.runs_on(said, "Ask about this");
    let told = mina.wait_for(&general, |seen| {
        seen.iter()
            .find(|one| one.private && one.id > said.id)
            .cloned()
    });
    assert_eq!(told.await.text, "a word to be asked about");

    let typed = [("question", "hol".into())];
    let offered = mina.completes(&general, ("ask", "question"), &typed).await;
    assert_eq!(offered, Some(vec![("hol…".to_owned(), json!("hol…"))]));
}

#[tokio::test]
async fn a_button_changes_the_message_and_a_form_is_answered() {
    let (town, _, general, mina) = town().await;
    let _bot = ready(&town).await;
    let said = mina.mentions_bot(&general, "repeat it");
    let answer = mina.wait_for(&general, |seen| {
        let mut seen = seen.iter();
        seen.find(|one| one.button("More").is_some()).cloned()
    });
    let answer = answer.await;
    assert_eq!(answer.reply_to, Some(said.id));

    mina.presses(&answer, "More");

    let changed = mina.wait_for(&general, with("mina pressed more")).await;
    assert!(changed.buttons.is_empty());
    assert_eq!(changed.id, answer.id);

    let run = mina.runs(&general, "form", &[]);
    mina.fills_in(run, &[("name", "Mina")]).await;
    mina.wait_for(&general, with("thank you, Mina")).await;
}

#[tokio::test]
async fn who_does_not_answer_in_three_seconds_is_too_late() {
    let (town, _, general, mina) = town().await;
    let _bot = ready(&town).await;
    let run = mina.runs(&general, "quiet", &[]);
    town.passes(Duration::from_secs(4));
    let failed = mina.sees(&general);
    assert_eq!(failed[0].shown, Shown::Failed);

    let api = Api::of(&town);
    let late = api
        .posts(&callback(&town, run.id), &json!({ "type": 5 }))
        .await;
    assert_eq!((late.status, late.code()), (404, 10062));
}

#[tokio::test]
async fn a_first_answer_must_fit_and_comes_once() {
    let (town, _, general, mina) = town().await;
    let _bot = ready(&town).await;
    let api = Api::of(&town);
    let run = mina.runs(&general, "quiet", &[]);
    let (callback, original) = (callback(&town, run.id), webhook(&town, run.id) + ORIGINAL);

    let early = api.patches(&original, &json!({ "content": "early" })).await;
    assert_eq!((early.status, early.code()), (404, 10015));
    let wrong = api.posts(&callback, &json!({ "type": 7 })).await;
    assert_eq!((wrong.status, wrong.code()), (400, 50035));
    let long = json!({ "type": 4, "data": { "content": "x".repeat(2_001) } });
    let slip = &api.posts(&callback, &long).await.body["errors"]["data"]["content"];
    assert_eq!(slip["_errors"][0]["code"], "BASE_TYPE_MAX_LENGTH");

    let first = api.posts(&callback, &json!({ "type": 5 })).await;
    assert_eq!(first.status, 204);
    let second = api.posts(&callback, &json!({ "type": 5 })).await;
    assert_eq!((second.status, second.code()), (400, 40060));
}

#[tokio::test]
async fn an_interaction_can_be_answered_for_a_quarter_of_an_hour() {
    let (town, _, general, mina) = town().await;
    let _bot = ready(&town).await;
    let api = Api::of(&town);
    let run = mina.runs(&general, "quiet", &[]);
    let webhook = webhook(&town, run.id);
    let path = format!("{}?with_response=true", callback(&town, run.id));
    let private = json!({ "type": 5, "data": { "flags": 64 } });
    let first = api.posts(&path, &private).await.body;
    assert_eq!(mina.sees(&general)[0].shown, Shown::Thinking);

    // The first follow-up takes the place of what is being thought about.
    let follow_up = api
        .posts(&webhook, &json!({ "content": "here" }))
        .await
        .body;
    assert_eq!(follow_up["id"], first["resource"]["message"]["id"]);
    let seen = mina.sees(&general);
    assert_eq!((seen.len(), &*seen[0].text), (1, "here"));
    assert!(seen[0].private);
    let more = api
        .posts(&webhook, &json!({ "content": "more" }))
        .await
        .body;
    let path = format!("{webhook}/messages/{}", more["id"].as_str().unwrap());
    api.patches(&path, &json!({ "content": "most" })).await;
    assert_eq!(mina.sees(&general)[1].text, "most");

    town.passes(Duration::from_secs(15 * 60));
    let late = json!({ "content": "late" });
    let late = api.patches(&(webhook + ORIGINAL), &late).await;
    assert_eq!((late.status, late.code()), (401, 50027));
}

#[tokio::test]
async fn commands_keep_to_the_rules() {
    let (town, ..) = town().await;
    town.unlimited();
    let api = Api::of(&town);
    let commands = format!("/applications/{}/commands", town.world().bot);
    let option = |name: &str| json!({ "type": 3, "name": name, "description": "what" });
    let command =
        |options: Value| json!({ "name": "ask", "description": "asks", "options": options });
    for wrong in [
        json!({ "name": "Ask", "description": "asks" }),
        json!({ "name": "ask me", "description": "asks" }),
        json!({ "name": "ask", "description": "" }),
        json!({ "name": "ask", "description": "d".repeat(101) }),
        json!({ "name": "ask", "type": 3, "description": "asks" }),
        command(json!(
            (0..26)
                .map(|n| option(&format!("o{n}")))
                .collect::<Vec<_>>()
        )),
        command(json!([option("a"), option("a")])),
        command(
            json!([option("a"), { "type": 3, "name": "b", "description": "what", "required": true }]),
        ),
        command(
            json!([{ "type": 3, "name": "a", "description": "what", "autocomplete": true,
            "choices": [{ "name": "one", "value": "1" }] }]),
        ),
    ] {
        let refused = api.posts(&commands, &wrong).await;
        assert_eq!((refused.status, refused.code()), (400, 50035), "{wrong}");
    }
}

#[tokio::test]
async fn hundreds_of_commands_at_once_are_answered_in_time() {
    let (town, _, general, mina) = town().await;
    town.unlimited();
    let _bot = ready(&town).await;
    for _ in 0..300 {
        mina.runs(&general, "library list", &[]);
    }
    let answered = |seen: &[Seen]| (seen.len() == 300).then(|| seen.to_vec());
    let seen = mina.wait_for(&general, answered).await;
    let late = seen.iter().filter(|one| one.shown == Shown::Failed);
    assert_eq!(late.count(), 0);
    assert_eq!(town.requests_to(CALLBACK).len(), 300);
}

#[tokio::test]
async fn a_command_is_offered_to_those_who_may_run_it() {
    let (town, guild, general, mina) = town().await;
    let api = Api::of(&town);
    let commands = format!("/applications/{}/commands", town.world().bot);
    let library = json!({ "name": "library", "description": "books",
        "default_member_permissions": MANAGE_MESSAGES.to_string(), "contexts": [0] });
    api.posts(&commands, &library).await;
    let librarian = guild.member("Noah", &[guild.role("librarian", MANAGE_MESSAGES)]);
    assert!(!mina.can_run(&general, "library"));
    assert!(librarian.can_run(&general, "library"));
    assert!(!librarian.can_run(&librarian.direct_channel(), "library"));
}

#[tokio::test]
async fn two_hundred_commands_can_be_made_in_a_day() {
    let (town, guild, ..) = town().await;
    town.unlimited();
    let api = Api::of(&town);
    let commands = format!("/applications/{}/commands", town.world().bot);
    let ask = json!({ "name": "질문", "description": "asks" });
    assert_eq!(api.posts(&commands, &ask).await.status, 201);
    assert_eq!(api.posts(&commands, &ask).await.status, 200);

    let bot = town.world().bot;
    let own = format!("/applications/{bot}/guilds/{}/commands", guild.id);
    for round in 0..4 {
        let batch: Vec<Value> = (0..50)
            .map(|n| json!({ "name": format!("c{round}-{n}"), "description": "one" }))
            .collect();
        // The same again changes nothing.
        for _ in 0..2 {
            assert_eq!(api.asks("PUT", &own, &json!(batch)).await.status, 200);
        }
    }
    let too_many = json!([{ "name": "one-more", "description": "one" }]);
    assert_eq!(api.asks("PUT", &own, &too_many).await.code(), 30034);
}

const ORIGINAL: &str = "/messages/@original";

fn webhook(town: &Discord, id: u64) -> String {
    let world = town.world();
    format!("/webhooks/{}/{}", world.bot, world.interactions[&id].token)
}

fn callback(town: &Discord, id: u64) -> String {
    let token = town.world().interactions[&id].token.clone();
    format!("/interactions/{id}/{token}/callback")
}

fn with(text: &str) -> impl Fn(&[Seen]) -> Option<Seen> + use<> {
    let text = text.to_owned();
    move |seen| seen.iter().find(|one| one.text == text).cloned()
}
