//! The fake's answers and events, read by the models of the client that the bot uses.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use slack_morphism::api::{
    SlackApiAuthTestResponse, SlackApiBotsInfoResponse, SlackApiChatAppendStreamResponse,
    SlackApiChatDeleteResponse, SlackApiChatPostMessageResponse,
    SlackApiChatStartStreamResponse, SlackApiChatStopStreamResponse,
    SlackApiChatUpdateResponse, SlackApiConversationsHistoryResponse,
    SlackApiConversationsInfoResponse, SlackApiConversationsListResponse,
    SlackApiConversationsRepliesResponse, SlackApiFilesInfoResponse, SlackApiUsersInfoResponse,
    SlackApiViewsOpenResponse, SlackApiViewsPublishResponse,
};
use slack_morphism::events::{
    SlackCommandEvent, SlackEventCallbackBody, SlackInteractionEvent, SlackPushEventCallback,
};

use super::api::Api;
use super::town;
use crate::support::slack::Slack;
use crate::support::slack::people::{Person, Said};
use crate::support::slack::post::{Delivery, Kind};
use crate::support::slack::record::Request;

/// Reads an answer as the client does; what is wrong with it.
fn slip(method: &str, answer: &Value) -> Option<String> {
    fn read<T: DeserializeOwned>(answer: &Value) -> Option<String> {
        let read = serde_json::from_value::<T>(answer.clone());
        read.err().map(|why| why.to_string())
    }
    let why = match method {
        "auth.test" => read::<SlackApiAuthTestResponse>(answer),
        "bots.info" => read::<SlackApiBotsInfoResponse>(answer),
        "users.info" => read::<SlackApiUsersInfoResponse>(answer),
        "chat.postMessage" => read::<SlackApiChatPostMessageResponse>(answer),
        "chat.update" => read::<SlackApiChatUpdateResponse>(answer),
        "chat.delete" => read::<SlackApiChatDeleteResponse>(answer),
        "chat.startStream" => read::<SlackApiChatStartStreamResponse>(answer),
        "chat.appendStream" => read::<SlackApiChatAppendStreamResponse>(answer),
        "chat.stopStream" => read::<SlackApiChatStopStreamResponse>(answer),
        "conversations.history" => read::<SlackApiConversationsHistoryResponse>(answer),
        "conversations.replies" => read::<SlackApiConversationsRepliesResponse>(answer),
        "conversations.info" => read::<SlackApiConversationsInfoResponse>(answer),
        "conversations.list" => read::<SlackApiConversationsListResponse>(answer),
        "files.info" => read::<SlackApiFilesInfoResponse>(answer),
        "views.open" => read::<SlackApiViewsOpenResponse>(answer),
        "views.publish" => read::<SlackApiViewsPublishResponse>(answer),
        _ => None,
    };
    why.map(|why| format!("{method}: {why}\n{answer}"))
}

/// Reads what was sent as the client does; what is wrong with it.
fn misread(delivery: &Delivery) -> Option<String> {
    let payload = delivery.payload.clone();
    let why = match delivery.kind {
        Kind::Event => match serde_json::from_value::<SlackPushEventCallback>(payload) {
            Ok(event) => matches!(event.event, SlackEventCallbackBody::Unknown(_))
                .then(|| "it is unknown".to_owned()),
            Err(why) => Some(why.to_string()),
        },
        Kind::Interactive => serde_json::from_value::<SlackInteractionEvent>(payload)
            .err()
            .map(|why| why.to_string()),
        Kind::Command => serde_json::from_value::<SlackCommandEvent>(payload)
            .err()
            .map(|why| why.to_string()),
    };
    why.map(|why| format!("{why}: {}", delivery.payload))
}

fn section() -> Value {
    let button = json!({
        "type": "button",
        "text": { "type": "plain_text", "text": "Useful" },
        "action_id": "useful",
        "value": "1",
    });
    json!([
        { "type": "section", "text": { "type": "mrkdwn", "text": "*15 days*" } },
        { "type": "actions", "elements": [button] },
    ])
}

#[tokio::test]
async fn the_bots_client_understands_every_answer() {
    let (town, library, general, mina) = town().await;
    town.unlimited();
    let api = Api::of(&town, &library);
    let said = mina.attaches(&general, "@saseo look", &[("rules.md", b"# Rules")]);
    mina.replies_to(&said, "well?");
    writes(&api, &said).await;
    let whom = json!({ "recipient_user_id": mina.id, "recipient_team_id": library.id });
    streams(&api, &said, whom).await;
    looks(&api, &said).await;
    api.forms("users.info", &[("user", &*mina.id)]).await;
    let file = town.world().files.keys().next().cloned().unwrap();
    api.forms("files.info", &[("file", &*file)]).await;
    publishes(&api, &mina).await;
    let requests = town.requests();
    assert!(requests.iter().all(Request::done), "{requests:#?}");
    let slips: Vec<String> = requests
        .iter()
        .filter_map(|request| slip(&request.method, request.answer.as_ref()?))
        .collect();
    assert!(slips.is_empty(), "{}", slips.join("\n"));
}

/// Arguments with the channel of what was said.
fn there(said: &Said, mut more: Value) -> Value {
    more["channel"] = json!(said.channel);
    more
}

/// Posts a reply, changes it and takes it away.
async fn writes(api: &Api, said: &Said) {
    let metadata = json!({ "event_type": "answer", "event_payload": { "key": "k" } });
    let post = json!({
        "thread_ts": said.ts, "text": "15", "blocks": section(), "metadata": metadata,
    });
    let ts = api
        .calls("chat.postMessage", &there(said, post))
        .await
        .text("ts");
    for text in ["16", "17"] {
        let edit = json!({ "ts": ts, "text": text });
        api.calls("chat.update", &there(said, edit)).await;
    }
    let react = json!({ "timestamp": ts, "name": "eyes" });
    api.calls("reactions.add", &there(said, react)).await;
    looks(api, said).await;
    api.calls("chat.delete", &there(said, json!({ "ts": ts })))
        .await;
}

async fn streams(api: &Api, said: &Said, whom: Value) {
    let mut start = there(said, whom);
    start["thread_ts"] = json!(said.ts);
    let ts = api.calls("chat.startStream", &start).await.text("ts");
    let more = there(said, json!({ "ts": ts, "markdown_text": "so" }));
    api.calls("chat.appendStream", &more).await;
    api.calls("chat.stopStream", &more).await;
}

/// Looks up what can be looked up about a channel and about itself.
async fn looks(api: &Api, said: &Said) {
    let channel = ("channel", &*said.channel);
    api.forms("conversations.replies", &[channel, ("ts", &*said.ts)])
        .await;
    api.forms("conversations.history", &[channel]).await;
    api.forms("conversations.info", &[channel]).await;
    api.forms("conversations.list", &[("types", "public_channel,im")])
        .await;
    api.forms("bots.info", &[]).await;
    api.calls("auth.test", &json!({})).await;
}

async fn publishes(api: &Api, whom: &Person) {
    let home = json!({ "type": "home", "blocks": section() });
    let publish = json!({ "user_id": whom.id, "view": home });
    assert!(api.calls("views.publish", &publish).await.ok());
}

#[tokio::test]
async fn the_bots_client_understands_what_is_said() {
    let (town, library, general, mina) = town().await;
    let noah = library.member("Noah");
    let partner = town.workspace("Partner");
    let pat = partner.member("Pat");
    let said = mina.attaches(&general, "@saseo look @here", &[("rules.md", b"# Rules")]);
    let reply = noah.replies_to(&said, "well? https://example.org #general");
    noah.edits(&reply, "@saseo well?");
    noah.deletes(&reply);
    general.is_shared_with(&partner, &[&pat]);
    pat.attaches(&general, "look", &[("plan.md", b"# Plan")]);
    library.robot("Robot").says(&general, "beep");
    let thread = mina.turns_to_assistant(None);
    mina.looks_at(&thread, &general);
    mina.opens_home();
    publishes(&Api::of(&town, &library), &mina).await;
    mina.opens_home();
    understood(&town, 14);
}

#[tokio::test]
async fn the_bots_client_understands_what_is_done() {
    let (town, library, general, mina) = town().await;
    town.unlimited();
    let api = Api::of(&town, &library);
    let said = mina.direct_message("hello");
    let post = there(&said, json!({ "text": "15", "blocks": section() }));
    assert!(api.calls("chat.postMessage", &post).await.ok());
    let whisper = json!({
        "channel": general.id, "user": mina.id, "text": "15", "blocks": section(),
    });
    assert!(api.calls("chat.postEphemeral", &whisper).await.ok());
    publishes(&api, &mina).await;
    mina.presses_at_home("Useful");
    for channel in [&mina.direct_channel(), &general] {
        let shown = mina.sees(channel);
        let found = shown.iter().find(|seen| seen.button("Useful").is_some());
        mina.presses(found.unwrap(), "Useful");
    }
    mina.runs(&general, "/ask", "why?");
    mina.runs_on(&said, "Add to library");
    understood(&town, 7);
}

/// At least so much was sent, and all of it is understood.
#[track_caller]
fn understood(town: &Slack, least: usize) {
    let deliveries = town.deliveries();
    let kinds: Vec<String> = deliveries
        .iter()
        .map(|one| one.payload["event"]["type"].to_string())
        .collect();
    assert!(deliveries.len() >= least, "{kinds:?}");
    let slips: Vec<String> = deliveries.iter().filter_map(misread).collect();
    assert!(slips.is_empty(), "{}", slips.join("\n"));
}
