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
use crate::support::slack::post::{Delivery, Kind};

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
    let place = |more: Value| {
        let mut place = more;
        place["channel"] = json!(general.id);
        place
    };
    let metadata = json!({ "event_type": "answer", "event_payload": { "key": "k" } });
    let post = place(json!({
        "thread_ts": said.ts, "text": "15", "blocks": section(), "metadata": metadata,
    }));
    let ts = api.calls("chat.postMessage", &post).await.text("ts");
    for text in ["16", "17"] {
        api.calls("chat.update", &place(json!({ "ts": ts, "text": text })))
            .await;
    }
    let react = place(json!({ "timestamp": ts, "name": "eyes" }));
    api.calls("reactions.add", &react).await;
    let start = place(json!({
        "thread_ts": said.ts, "recipient_user_id": mina.id, "recipient_team_id": library.id,
    }));
    let stream = api.calls("chat.startStream", &start).await.text("ts");
    let more = place(json!({ "ts": stream, "markdown_text": "so" }));
    api.calls("chat.appendStream", &more).await;
    api.calls("chat.stopStream", &more).await;
    let channel = ("channel", &*general.id);
    api.forms("conversations.replies", &[channel, ("ts", &*said.ts)])
        .await;
    api.forms("conversations.history", &[channel]).await;
    api.forms("conversations.info", &[channel]).await;
    api.forms("conversations.list", &[("types", "public_channel,im")])
        .await;
    api.forms("users.info", &[("user", &*mina.id)]).await;
    api.forms("bots.info", &[]).await;
    api.calls("auth.test", &json!({})).await;
    let file = town.world().files.keys().next().cloned().unwrap();
    api.forms("files.info", &[("file", &*file)]).await;
    let home = json!({ "type": "home", "blocks": section() });
    let publish = json!({ "user_id": mina.id, "view": home });
    api.calls("views.publish", &publish).await;
    api.calls("chat.delete", &place(json!({ "ts": ts }))).await;
    let requests = town.requests();
    assert!(
        requests.iter().all(|request| request.done()),
        "{requests:#?}"
    );
    let slips: Vec<String> = requests
        .iter()
        .filter_map(|request| slip(&request.method, request.answer.as_ref()?))
        .collect();
    assert!(slips.is_empty(), "{}", slips.join("\n"));
}

#[tokio::test]
async fn the_bots_client_understands_every_event() {
    let (town, library, general, mina) = town().await;
    town.unlimited();
    let noah = library.member("Noah");
    let partner = town.workspace("Partner");
    let pat = partner.member("Pat");
    let api = Api::of(&town, &library);
    let said = mina.attaches(&general, "@saseo look @here", &[("rules.md", b"# Rules")]);
    let reply = noah.replies_to(&said, "well?");
    noah.edits(&reply, "@saseo well?");
    noah.deletes(&reply);
    let direct = mina.direct_message("hello");
    let post = json!({ "channel": direct.channel, "text": "15", "blocks": section() });
    assert!(api.calls("chat.postMessage", &post).await.ok());
    let whisper = json!({
        "channel": general.id, "user": mina.id, "text": "15", "blocks": section(),
    });
    assert!(api.calls("chat.postEphemeral", &whisper).await.ok());
    general.is_shared_with(&partner, &[&pat]);
    pat.attaches(&general, "look", &[("plan.md", b"# Plan")]);
    let thread = mina.turns_to_assistant(None);
    mina.looks_at(&thread, &general);
    mina.opens_home();
    let publish =
        json!({ "user_id": mina.id, "view": { "type": "home", "blocks": section() } });
    assert!(api.calls("views.publish", &publish).await.ok());
    mina.opens_home();
    mina.presses_at_home("Useful");
    let shown = mina.sees(&mina.direct_channel());
    mina.presses(
        shown
            .iter()
            .find(|seen| seen.button("Useful").is_some())
            .unwrap(),
        "Useful",
    );
    let shown = mina.sees(&general);
    mina.presses(shown.iter().find(|seen| seen.private).unwrap(), "Useful");
    mina.runs(&general, "/ask", "why?");
    mina.runs_on(&said, "Add to library");
    let deliveries = town.deliveries();
    assert!(deliveries.len() > 15);
    let slips: Vec<String> = deliveries.iter().filter_map(misread).collect();
    assert!(slips.is_empty(), "{}", slips.join("\n"));
}
