//! Who may call what, how often, and in which form.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::api::Api;
use super::town;
use crate::support::slack::faults::{EDIT, Fault, Harm, Often, POST};
use crate::support::slack::limits::{Rate, Tier};
use crate::support::slack::manifest::Manifest;

#[tokio::test]
async fn whoever_has_no_good_token_is_refused() {
    let (town, library, general, _) = town().await;
    let hello = json!({ "channel": general.id, "text": "hello" });
    for (token, error) in [
        ("", "not_authed"),
        ("xoxb-made-up", "invalid_auth"),
        ("xapp-made-up", "invalid_auth"),
    ] {
        let api = Api::of(&town, &library).with_token(token);
        assert_eq!(api.calls("chat.postMessage", &hello).await.error(), error);
    }
    let app = Api::of(&town, &library).with_token(&town.app_token());
    let refused = app.calls("chat.postMessage", &hello).await;
    assert_eq!(refused.error(), "not_allowed_token_type");
    let bot = Api::of(&town, &library);
    let refused = bot.calls("apps.connections.open", &json!({})).await;
    assert_eq!(refused.error(), "not_allowed_token_type");
    assert!(app.calls("apps.connections.open", &json!({})).await.ok());
    library.refuses_tokens("token_revoked");
    assert_eq!(
        bot.calls("auth.test", &json!({})).await.error(),
        "token_revoked"
    );
}

#[tokio::test]
async fn a_token_in_json_or_in_the_address_does_not_count() {
    let (town, library, _, _) = town().await;
    let api = Api::of(&town, &library).with_token("");
    let token = library.token();
    let json = api.calls("auth.test", &json!({ "token": token })).await;
    assert_eq!(json.error(), "not_authed");
    let address = api.forms(&format!("auth.test?token={token}"), &[]).await;
    assert_eq!(address.error(), "not_authed");
    assert!(api.forms("auth.test", &[("token", &*token)]).await.ok());
}

#[tokio::test]
async fn what_the_app_has_no_scope_for_is_refused_with_what_it_needs() {
    let (town, library, general, _) = town().await;
    library.scopes(&["chat:write", "channels:read"]);
    let api = Api::of(&town, &library);
    let channel = [("channel", &*general.id)];
    let refused = api.forms("conversations.history", &channel).await;
    assert_eq!(refused.error(), "missing_scope");
    assert_eq!(refused.body["needed"], "channels:history");
    assert_eq!(refused.body["provided"], "channels:read,chat:write");
    assert!(api.forms("conversations.info", &channel).await.ok());
    let refused = api.forms("users.info", &[("user", "U1")]).await;
    assert_eq!(refused.body["needed"], "users:read");
}

#[tokio::test]
async fn a_method_that_slack_does_not_have_is_unknown() {
    let (town, library, _, _) = town().await;
    let api = Api::of(&town, &library);
    let refused = api.calls("chat.postMesage", &json!({})).await;
    assert_eq!((refused.status, refused.error()), (200, "unknown_method"));
    assert_eq!(town.lost_requests(), ["chat.postMesage"]);
    town.forgives_lost_requests();
}

#[tokio::test]
async fn a_body_of_the_wrong_form_is_refused() {
    let (town, library, general, _) = town().await;
    let api = Api::of(&town, &library);
    for (kind, body, error) in [
        ("application/json", "{", "invalid_json"),
        ("application/json", "[]", "json_not_object"),
        ("text/plain", "channel=C1", "invalid_post_type"),
        ("", "channel=C1", "missing_post_type"),
    ] {
        let refused = api
            .sends("chat.postMessage", kind, body.to_owned())
            .await
            .unwrap();
        assert_eq!(refused.error(), error, "{kind} {body}");
    }
    let none = api
        .calls("chat.postMessage", &json!({ "text": "hello" }))
        .await;
    assert_eq!(none.error(), "invalid_arguments");
    assert_eq!(none.messages(), ["[ERROR] missing required field: channel"]);
    let number = json!({ "channel": general.id, "text": "x", "thread_ts": 1_700_000_000.1 });
    assert_eq!(
        api.calls("chat.postMessage", &number).await.error(),
        "invalid_arguments"
    );
}

#[tokio::test]
async fn a_look_up_takes_no_json() {
    let (town, library, general, mina) = town().await;
    let said = mina.says(&general, "hello");
    let api = Api::of(&town, &library);
    let json = json!({ "channel": general.id, "ts": said.ts });
    let refused = api.calls("conversations.replies", &json).await;
    assert_eq!(refused.error(), "invalid_arguments");
    let form = [("channel", &*general.id), ("ts", &*said.ts)];
    assert!(api.forms("conversations.replies", &form).await.ok());
}

#[tokio::test]
async fn json_without_a_charset_is_warned_of() {
    let (town, library, _, _) = town().await;
    let api = Api::of(&town, &library);
    let kind = "application/json";
    let warned = api.sends("auth.test", kind, "{}".to_owned()).await.unwrap();
    assert_eq!(warned.body["warning"], "missing_charset");
    assert!(warned.ok());
}

#[tokio::test]
async fn one_post_a_second_is_taken_in_a_channel() {
    let (town, library, general, _) = town().await;
    let other = library.channel("other");
    let api = Api::of(&town, &library);
    let post = |channel: &str| json!({ "channel": channel, "text": "hello" });
    assert!(api.calls("chat.postMessage", &post(&general.id)).await.ok());
    let refused = api.calls("chat.postMessage", &post(&general.id)).await;
    assert_eq!((refused.status, refused.error()), (429, "ratelimited"));
    assert_eq!(refused.retry_after(), Some(1));
    assert!(api.calls("chat.postMessage", &post(&other.id)).await.ok());
    town.passes(Duration::from_secs(1));
    assert!(api.calls("chat.postMessage", &post(&general.id)).await.ok());
    assert_eq!(town.hasty(), 0);
}

#[tokio::test]
async fn a_tier_is_counted_by_method_and_workspace() {
    let (town, library, general, mina) = town().await;
    let rate = Rate {
        calls: 2,
        per: Duration::from_secs(60),
    };
    town.limit(Tier::Three, Some(rate));
    let second = town.workspace("Second");
    let api = Api::of(&town, &library);
    let channel = [("channel", &*general.id)];
    for _ in 0..2 {
        assert!(api.forms("conversations.history", &channel).await.ok());
    }
    let refused = api.forms("conversations.history", &channel).await;
    assert_eq!(refused.status, 429);
    assert!(refused.retry_after().unwrap() > 50);
    // Others go on.
    assert!(api.forms("conversations.info", &channel).await.ok());
    assert!(api.forms("users.info", &[("user", &*mina.id)]).await.ok());
    let elsewhere = Api::of(&town, &second)
        .forms("conversations.history", &channel)
        .await;
    assert_eq!(elsewhere.error(), "channel_not_found");
    town.passes(Duration::from_secs(61));
    assert!(api.forms("conversations.history", &channel).await.ok());
}

#[tokio::test]
async fn whoever_comes_before_the_time_is_counted_as_hasty() {
    let (town, library, general, _) = town().await;
    town.unlimited();
    let wait = Fault::Limited(Duration::from_secs(30));
    town.goes_wrong(POST, wait, Often::Next(1));
    let api = Api::of(&town, &library);
    let post = json!({ "channel": general.id, "text": "hello" });
    let refused = api.calls("chat.postMessage", &post).await;
    assert_eq!((refused.status, refused.retry_after()), (429, Some(30)));
    town.passes(Duration::from_secs(29));
    assert_eq!(api.calls("chat.postMessage", &post).await.status, 429);
    assert_eq!(town.hasty(), 1);
    town.passes(Duration::from_secs(2));
    assert!(api.calls("chat.postMessage", &post).await.ok());
    assert_eq!(town.posts_in(&general).len(), 3);
}

#[tokio::test]
async fn a_storm_limits_some_of_all_calls() {
    let (town, library, general, _) = town().await;
    town.unlimited();
    town.goes_wrong(POST, Fault::LimitedUpTo(60, 7), Often::Share(40, 7));
    let api = Api::of(&town, &library);
    let post = json!({ "channel": general.id, "text": "hello" });
    let mut waits = Vec::new();
    for _ in 0..50 {
        let answer = api.calls("chat.postMessage", &post).await;
        waits.extend(answer.retry_after());
        town.passes(Duration::from_secs(answer.retry_after().unwrap_or(0)));
    }
    assert!((10..30).contains(&waits.len()), "{waits:?}");
    assert!(
        waits.iter().all(|wait| (1..=60).contains(wait)),
        "{waits:?}"
    );
    assert_eq!(town.hasty(), 0);
}

#[tokio::test]
async fn an_answer_can_be_lost_after_the_call_was_done() {
    let (town, library, general, _) = town().await;
    town.unlimited();
    town.goes_wrong(POST, Fault::After(Harm::Torn), Often::Next(1));
    town.goes_wrong(EDIT, Fault::Refused("internal_error"), Often::Next(1));
    let api = Api::of(&town, &library);
    let post = json!({ "channel": general.id, "text": "hello" });
    assert!(api.tries("chat.postMessage", &post).await.is_none());
    let shown = general.shows();
    assert_eq!(shown.len(), 1);
    assert!(town.posts_in(&general)[0].done());
    let edit = json!({ "channel": general.id, "ts": shown[0].ts, "text": "again" });
    assert_eq!(
        api.calls("chat.update", &edit).await.error(),
        "internal_error"
    );
    assert!(api.calls("chat.update", &edit).await.ok());
}

#[tokio::test]
async fn a_refresh_token_is_good_for_one_pair_of_tokens() {
    let (town, library, _, _) = town().await;
    let (id, secret) = town.client();
    let first = library.token();
    let refresh = library.rotates_tokens();
    let api = Api::of(&town, &library).with_token("");
    let form = |refresh: &str, secret: &str| {
        [
            ("grant_type", "refresh_token".to_owned()),
            ("refresh_token", refresh.to_owned()),
            ("client_id", id.clone()),
            ("client_secret", secret.to_owned()),
        ]
    };
    let asks = async |refresh: &str, secret: &str| {
        let form = form(refresh, secret);
        let form: Vec<(&str, &str)> = form.iter().map(|(key, text)| (*key, &**text)).collect();
        api.forms("oauth.v2.access", &form).await
    };
    assert_eq!(asks(&refresh, "wrong").await.error(), "bad_client_secret");
    let granted = asks(&refresh, &secret).await;
    assert!(granted.ok());
    assert_eq!(granted.body["expires_in"], 43_200);
    assert_eq!(
        asks(&refresh, &secret).await.error(),
        "invalid_refresh_token"
    );
    let newest = Api::of(&town, &library).with_token(&granted.text("access_token"));
    assert!(newest.calls("auth.test", &json!({})).await.ok());
    let oldest = Api::of(&town, &library).with_token(&first);
    assert_eq!(
        oldest.calls("auth.test", &json!({})).await.error(),
        "token_revoked"
    );
    town.passes(Duration::from_secs(43_200));
    assert_eq!(
        newest.calls("auth.test", &json!({})).await.error(),
        "token_expired"
    );
}

#[tokio::test]
async fn the_app_is_set_up_as_its_manifest_says() {
    let (town, library, general, mina) = town().await;
    let manifest = Manifest::read(
        "# the app\n\
         display_information:\n  name: \"saseo: librarian\"\n\
         features:\n\
         \x20 slash_commands:\n\
         \x20   - command: /ask\n      description: Ask\n      should_escape: true # names as ids\n\
         \x20   - command: '/library'\n      should_escape: false\n\
         \x20 shortcuts:\n\
         \x20   - name: Add to library\n      type: message\n      callback_id: add\n\
         \x20   - name: Everywhere\n      type: global\n      callback_id: all\n\
         oauth_config:\n  scopes:\n    bot:\n    - chat:write\n    - channels:history\n\
         settings:\n  event_subscriptions:\n    bot_events:\n      - message.channels\n\
         \x20 socket_mode_enabled: true\n",
    );
    let texts = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(texts(&manifest.scopes), "channels:history chat:write");
    assert_eq!(texts(&manifest.events), "message.channels");
    assert_eq!(texts(&manifest.commands), "/ask /library");
    assert_eq!(
        manifest.shortcuts.get("Add to library").map(String::as_str),
        Some("add")
    );
    assert_eq!((manifest.shortcuts.len(), manifest.escapes), (1, false));
    town.takes(&manifest);
    mina.mentions_bot(&general, "hello");
    assert_eq!(town.deliveries().len(), 1);
    assert!(!mina.can_run("/ask"));
    let api = Api::of(&town, &library);
    let refused = api.forms("users.info", &[("user", &*mina.id)]).await;
    assert_eq!(refused.error(), "missing_scope");
}
