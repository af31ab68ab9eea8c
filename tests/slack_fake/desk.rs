//! What people do to the app: commands, buttons, shortcuts, forms, its home.

use std::time::Duration;

use serde_json::{Value, json};

use super::api::{Answer, Api};
use super::town;
use super::wire::Wire;
use crate::support::slack::Slack;
use crate::support::slack::interactions::State;
use crate::support::slack::people::Person;
use crate::support::slack::places::{Channel, Workspace};
use crate::support::slack::seen::Shown;
use crate::support::slack::world::Switch;

#[tokio::test]
async fn a_command_is_answered_where_it_was_run_and_seen_by_whoever_ran_it() {
    let (town, library, general, mina) = town().await;
    let noah = library.member("Noah");
    let mut wire = Wire::greeted(&town, &library).await;
    let run = mina.runs(&general, "/ask", "why?");
    let envelope = wire.text().await;
    assert_eq!(envelope["type"], "slash_commands");
    assert_eq!(envelope["accepts_response_payload"], true);
    let payload = &envelope["payload"];
    assert_eq!(
        (&payload["command"], &payload["text"]),
        (&json!("/ask"), &json!("why?"))
    );
    assert_eq!(payload["channel_name"], "general");
    let answer =
        json!({ "envelope_id": envelope["envelope_id"], "payload": { "text": "wait" } });
    wire.says(&answer).await;
    let seen = mina.wait_for(&general, |seen| seen.first().cloned()).await;
    assert_eq!(
        (&*seen.text, seen.private, seen.answers),
        ("wait", true, Some(run.id.clone()))
    );
    assert_eq!(mina.state(&run), State::Acknowledged);
    assert_eq!(noah.sees(&general).len(), 0);
    assert!(!mina.can_run("/other"));
}

#[tokio::test]
async fn whoever_is_not_answered_in_three_seconds_is_told_so() {
    let (town, library, general, mina) = town().await;
    let mut wire = Wire::greeted(&town, &library).await;
    let run = mina.runs(&general, "/ask", "why?");
    let envelope = wire.text().await;
    town.passes(Duration::from_secs(4));
    let seen = mina.wait_for(&general, |seen| seen.first().cloned()).await;
    assert_eq!(
        (seen.shown, mina.state(&run)),
        (Shown::Failed, State::Failed)
    );
    wire.acknowledges(&envelope).await;
    town.eventually("it is too late", || town.odd().pop()).await;
    // Nobody sends it again.
    assert_eq!(town.retries(), 0);
}

/// Runs a command and gives its `response_url` and its trigger.
async fn runs(wire: &mut Wire, mina: &Person, channel: &Channel) -> (String, String) {
    mina.runs(channel, "/ask", "why?");
    let envelope = wire.text().await;
    wire.acknowledges(&envelope).await;
    let text = |key: &str| envelope["payload"][key].as_str().unwrap().to_owned();
    (text("response_url"), text("trigger_id"))
}

#[tokio::test]
async fn an_address_for_answers_is_good_five_times_in_half_an_hour() {
    let (town, library, general, mina) = town().await;
    let mut wire = Wire::greeted(&town, &library).await;
    let (url, _) = runs(&mut wire, &mina, &general).await;
    let api = Api::of(&town, &library);
    general.dismisses_bot();
    let first = api.posts(&url, &json!({ "text": "only you" })).await;
    assert!(first.ok());
    let all = json!({ "text": "all of you", "response_type": "in_channel" });
    assert!(api.posts(&url, &all).await.ok());
    let shown: Vec<(String, bool)> = mina
        .sees(&general)
        .into_iter()
        .map(|seen| (seen.text, seen.private))
        .collect();
    assert_eq!(
        shown,
        [
            ("only you".to_owned(), true),
            ("all of you".to_owned(), false)
        ]
    );
    let nothing = api.posts(&url, &json!({})).await;
    assert_eq!((nothing.status, nothing.error()), (200, "no_text"));
    let replaced = json!({ "text": "again", "replace_original": true });
    assert!(api.posts(&url, &replaced).await.ok());
    assert!(
        api.posts(&url, &json!({ "delete_original": true }))
            .await
            .ok()
    );
    let sixth = api.posts(&url, &json!({ "text": "more" })).await;
    assert_eq!((sixth.status, sixth.error()), (404, "used_url"));
    let (url, _) = runs(&mut wire, &mina, &general).await;
    town.passes(Duration::from_secs(30 * 60));
    let late = api.posts(&url, &json!({ "text": "late" })).await;
    assert_eq!((late.status, late.error()), (404, "expired_url"));
    assert_eq!(town.requests_to("response_url").len(), 7);
}

fn answer_with_buttons() -> Value {
    let button = |label: &str, id: &str| {
        let text = json!({ "type": "plain_text", "text": label });
        json!({ "type": "button", "text": text, "action_id": id, "value": format!("{id}:1") })
    };
    json!([
        { "type": "section", "text": { "type": "mrkdwn", "text": "15 days" } },
        { "type": "actions", "elements": [button("Useful", "useful"), button("Share", "share")] },
    ])
}

#[tokio::test]
async fn a_button_says_what_it_stands_on() {
    let (town, library, general, mina) = town().await;
    town.unlimited();
    let said = mina.mentions_bot(&general, "why?");
    let api = Api::of(&town, &library);
    let post = json!({
        "channel": general.id, "thread_ts": said.ts, "text": "15", "blocks": answer_with_buttons(),
    });
    let answer = api.calls("chat.postMessage", &post).await;
    let mut wire = Wire::greeted(&town, &library).await;
    town.set(|settings| settings.retries.clear());
    let seen = mina.reply_to(&said).await;
    assert_eq!(seen.text, "15 days");
    mina.presses(&seen, "Useful");
    let payload = interactive(&mut wire).await;
    assert_eq!(payload["type"], "block_actions");
    assert_eq!(payload["actions"][0]["value"], "useful:1");
    assert_eq!(payload["container"]["thread_ts"], said.ts);
    assert_eq!(payload["message"]["ts"], answer.text("ts"));
    assert_eq!(payload["user"]["id"], mina.id);
}

/// The next thing that somebody did, acknowledged.
async fn interactive(wire: &mut Wire) -> Value {
    loop {
        let envelope = wire.text().await;
        wire.acknowledges(&envelope).await;
        if envelope["type"] == "interactive" {
            return envelope["payload"].clone();
        }
    }
}

#[tokio::test]
async fn of_a_message_for_one_person_a_button_tells_only_where_it_was() {
    let (town, library, general, mina) = town().await;
    town.unlimited();
    let api = Api::of(&town, &library);
    let whisper = json!({
        "channel": general.id, "user": mina.id, "text": "15", "blocks": answer_with_buttons(),
    });
    assert!(api.calls("chat.postEphemeral", &whisper).await.ok());
    let mut wire = Wire::greeted(&town, &library).await;
    mina.presses(&mina.sees(&general)[0], "share");
    let payload = interactive(&mut wire).await;
    assert_eq!(payload["container"]["is_ephemeral"], true);
    assert_eq!(payload["message"], Value::Null);
    let url = payload["response_url"].as_str().unwrap().to_owned();
    assert!(
        api.posts(&url, &json!({ "delete_original": true }))
            .await
            .ok()
    );
    assert_eq!(mina.sees(&general).len(), 0);
    let shared = json!({ "text": "15 days", "response_type": "in_channel" });
    assert!(api.posts(&url, &shared).await.ok());
    assert!(!mina.sees(&general)[0].private);
}

fn form() -> Value {
    let plain = |text: &str| json!({ "type": "plain_text", "text": text });
    json!({
        "type": "modal",
        "callback_id": "add",
        "title": plain("Add to library"),
        "submit": plain("Add"),
        "blocks": [{
            "type": "input",
            "block_id": "name",
            "label": plain("Name"),
            "element": { "type": "plain_text_input", "action_id": "text" },
        }],
    })
}

async fn opens(town: &Slack, library: &Workspace, trigger: &str, view: &Value) -> Answer {
    let api = Api::of(town, library);
    let open = json!({ "trigger_id": trigger, "view": view });
    api.calls("views.open", &open).await
}

#[tokio::test]
async fn a_trigger_opens_one_form_within_three_seconds() {
    let (town, library, general, mina) = town().await;
    let mut wire = Wire::greeted(&town, &library).await;
    let (_, trigger) = runs(&mut wire, &mina, &general).await;
    let mut wrong = form();
    wrong["submit"] = Value::Null;
    let refused = opens(&town, &library, &trigger, &wrong).await;
    assert_eq!(refused.error(), "invalid_arguments");
    let mut wrong = form();
    wrong["title"]["text"] = json!("x".repeat(25));
    let refused = opens(&town, &library, &trigger, &wrong).await;
    assert_eq!(refused.error(), "invalid_arguments");
    assert!(opens(&town, &library, &trigger, &form()).await.ok());
    let again = opens(&town, &library, &trigger, &form()).await;
    assert_eq!(again.error(), "exchanged_trigger_id");
    let (_, trigger) = runs(&mut wire, &mina, &general).await;
    town.passes(Duration::from_secs(4));
    let late = opens(&town, &library, &trigger, &form()).await;
    assert_eq!(late.error(), "expired_trigger_id");
    let none = opens(&town, &library, "1.2.x", &form()).await;
    assert_eq!(none.error(), "invalid_trigger_id");
}

#[tokio::test]
async fn a_shortcut_names_its_message_and_a_form_is_filled_in() {
    let (town, library, general, mina) = town().await;
    let said = mina.says(&general, "all about leave");
    let mut wire = Wire::greeted(&town, &library).await;
    let run = mina.runs_on(&said, "Add to library");
    let payload = interactive(&mut wire).await;
    assert_eq!(payload["type"], "message_action");
    assert_eq!(payload["callback_id"], "add_to_library");
    assert_eq!(payload["message"]["text"], "all about leave");
    let trigger = payload["trigger_id"].as_str().unwrap();
    assert!(opens(&town, &library, trigger, &form()).await.ok());
    mina.fills_in(&run, &[("text", "")]).await;
    let envelope = wire.text().await;
    let errors =
        json!({ "response_action": "errors", "errors": { "name": "a name is needed" } });
    wire.says(&json!({ "envelope_id": envelope["envelope_id"], "payload": errors }))
        .await;
    let wrong = town.eventually("an error", || mina.reads_form(&run)?.1.first().cloned());
    assert_eq!(wrong.await.1, "a name is needed");
    mina.fills_in(&run, &[("text", "Leave")]).await;
    let payload = interactive(&mut wire).await;
    assert_eq!(payload["type"], "view_submission");
    assert_eq!(
        payload["view"]["state"]["values"]["name"]["text"]["value"],
        "Leave"
    );
    town.eventually("the form is gone", || {
        mina.form(&run).is_none().then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_home_is_published_for_one_person_and_guarded_by_a_hash() {
    let (town, library, _, mina) = town().await;
    town.unlimited();
    let noah = library.member("Noah");
    let api = Api::of(&town, &library);
    let text = |text: &str| json!({ "type": "mrkdwn", "text": text });
    let home = |text: Value| json!({ "type": "home", "blocks": [{ "type": "section", "text": text }] });
    let publish =
        |view: Value, hash: Value| json!({ "user_id": mina.id, "view": view, "hash": hash });
    let first = publish(home(text("12 documents")), Value::Null);
    let first = api.calls("views.publish", &first).await;
    assert_eq!(mina.home().as_deref(), Some("12 documents"));
    assert_eq!(noah.home(), None);
    let hash = first.body["view"]["hash"].clone();
    let second = publish(home(text("13 documents")), hash.clone());
    assert!(api.calls("views.publish", &second).await.ok());
    let third = api
        .calls("views.publish", &publish(home(text("14")), hash))
        .await;
    assert_eq!(third.error(), "hash_conflict");
    for wrong in [
        form(),
        json!({ "type": "home", "blocks": [{ "type": "markdown", "text": "x" }] }),
        json!({ "type": "home", "blocks": vec![json!({ "type": "divider" }); 101] }),
        json!({ "type": "home" }),
    ] {
        let refused = api
            .calls("views.publish", &publish(wrong, Value::Null))
            .await;
        assert_eq!(refused.error(), "invalid_arguments");
    }
    let large = publish(home(text("x")), Value::Null);
    let mut large = large;
    large["view"]["private_metadata"] = json!("x".repeat(256_001));
    assert_eq!(
        api.calls("views.publish", &large).await.error(),
        "view_too_large"
    );
    assert_eq!(mina.home().as_deref(), Some("13 documents"));
}

#[tokio::test]
async fn an_app_whose_manifest_has_no_home_publishes_none() {
    let (town, library, _, mina) = town().await;
    town.set(|settings| settings.home = Switch::Off);
    let home = json!({ "type": "home", "blocks": [{ "type": "divider" }] });
    let publish = json!({ "user_id": mina.id, "view": home });
    let api = Api::of(&town, &library);
    let refused = api.calls("views.publish", &publish).await;
    assert_eq!(refused.error(), "not_enabled");
    assert_eq!(mina.home(), None);
}

#[tokio::test]
async fn the_assistant_says_what_it_does_and_what_it_suggests() {
    let (town, library, general, mina) = town().await;
    town.unlimited();
    let api = Api::of(&town, &library);
    let thread = mina.turns_to_assistant(None);
    let place = |more: Value| {
        let mut place = more;
        place["channel_id"] = json!(thread.channel);
        place["thread_ts"] = json!(thread.ts);
        place
    };
    let status = place(json!({ "status": "is reading…" }));
    assert!(api.calls("assistant.threads.setStatus", &status).await.ok());
    assert_eq!(mina.sees_status(&thread).as_deref(), Some("is reading…"));
    town.passes(Duration::from_secs(121));
    assert_eq!(mina.sees_status(&thread), None);
    assert!(api.calls("assistant.threads.setStatus", &status).await.ok());
    let post = json!({ "channel": thread.channel, "thread_ts": thread.ts, "text": "so" });
    assert!(api.calls("chat.postMessage", &post).await.ok());
    assert_eq!(mina.sees_status(&thread), None);
    let prompt = json!({ "title": "Leave", "message": "How much leave?" });
    let prompts = place(json!({ "prompts": [prompt] }));
    assert!(
        api.calls("assistant.threads.setSuggestedPrompts", &prompts)
            .await
            .ok()
    );
    assert_eq!(mina.prompts(&thread).len(), 1);
    let many = place(json!({ "prompts": vec![prompt; 5] }));
    let many = api
        .calls("assistant.threads.setSuggestedPrompts", &many)
        .await;
    assert_eq!(many.error(), "invalid_arguments");
    let title = place(json!({ "title": "About leave" }));
    assert!(api.calls("assistant.threads.setTitle", &title).await.ok());
    assert_eq!(mina.title(&thread).as_deref(), Some("About leave"));
    let said = mina.says(&general, "hello");
    let other = json!({ "channel_id": general.id, "thread_ts": said.ts, "title": "x" });
    let refused = api.calls("assistant.threads.setTitle", &other).await;
    assert_eq!(refused.error(), "invalid_thread_ts");
}

#[tokio::test]
async fn a_reaction_is_put_once() {
    let (town, library, general, mina) = town().await;
    town.unlimited();
    let said = mina.says(&general, "hello");
    let api = Api::of(&town, &library);
    let react =
        |name: &str| json!({ "channel": said.channel, "timestamp": said.ts, "name": name });
    assert!(api.calls("reactions.add", &react("eyes")).await.ok());
    let again = api.calls("reactions.add", &react("eyes")).await;
    assert_eq!(again.error(), "already_reacted");
    assert_eq!(
        api.calls("reactions.add", &react(":eyes:")).await.error(),
        "invalid_name"
    );
    assert_eq!(general.shows()[0].reactions, ["eyes"]);
    assert!(api.calls("reactions.remove", &react("eyes")).await.ok());
    let again = api.calls("reactions.remove", &react("eyes")).await;
    assert_eq!(again.error(), "no_reaction");
}
