//! What can be looked up: history, channels, people, files.

use serde_json::{Value, json};

use super::api::Api;
use super::town;
use crate::support::slack::faults::{FILE, Fault, Often};

fn texts(answer: &Value) -> Vec<&str> {
    let messages = answer["messages"].as_array().into_iter().flatten();
    messages.filter_map(|one| one["text"].as_str()).collect()
}

#[tokio::test]
async fn history_is_newest_first_and_leaves_replies_out() {
    let (town, library, general, mina) = town().await;
    town.unlimited();
    let said: Vec<_> = (0..5)
        .map(|n| mina.says(&general, &format!("m{n}")))
        .collect();
    mina.replies_to(&said[0], "r");
    let api = Api::of(&town, &library);
    let asks = async |more: &[(&str, &str)]| {
        let mut form = vec![("channel", &*general.id)];
        form.extend(more);
        api.forms("conversations.history", &form).await
    };
    let all = asks(&[]).await;
    assert_eq!(texts(&all.body), ["m4", "m3", "m2", "m1", "m0"]);
    assert_eq!(all.body["messages"][4]["reply_count"], 1);
    let first = asks(&[("limit", "2")]).await;
    assert_eq!(
        (texts(&first.body), &first.body["has_more"]),
        (vec!["m4", "m3"], &json!(true))
    );
    let next = first.body["response_metadata"]["next_cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    let second = asks(&[("limit", "2"), ("cursor", &*next)]).await;
    assert_eq!(texts(&second.body), ["m2", "m1"]);
    let since = asks(&[("oldest", &*said[2].ts)]).await;
    assert_eq!(texts(&since.body), ["m4", "m3"]);
    let since = asks(&[("oldest", &*said[2].ts), ("inclusive", "true")]).await;
    assert_eq!(texts(&since.body), ["m4", "m3", "m2"]);
    for (key, wrong, error) in [
        ("oldest", "soon", "invalid_ts_oldest"),
        ("latest", "1.2", "invalid_ts_latest"),
        ("cursor", "x", "invalid_cursor"),
    ] {
        assert_eq!(asks(&[(key, wrong)]).await.error(), error);
    }
}

#[tokio::test]
async fn a_thread_begins_with_its_first_message_whichever_is_named() {
    let (town, library, general, mina) = town().await;
    town.unlimited();
    let said = mina.says(&general, "root");
    let replies: Vec<_> = (0..3)
        .map(|n| mina.replies_to(&said, &format!("r{n}")))
        .collect();
    let api = Api::of(&town, &library);
    let asks = async |ts: &str, more: (&str, &str)| {
        let form = [("channel", &*general.id), ("ts", ts), more];
        api.forms("conversations.replies", &form).await
    };
    let all = asks(&said.ts, ("limit", "100")).await;
    assert_eq!(texts(&all.body), ["root", "r0", "r1", "r2"]);
    let all = asks(&replies[1].ts, ("limit", "100")).await;
    assert_eq!(texts(&all.body), ["root", "r0", "r1", "r2"]);
    let late = asks(&said.ts, ("oldest", &*replies[1].ts)).await;
    assert_eq!(texts(&late.body), ["root", "r2"]);
    assert_eq!(
        asks("1700000000.000001", ("limit", "1")).await.error(),
        "thread_not_found"
    );
}

#[tokio::test]
async fn what_the_bot_is_not_in_it_cannot_read() {
    let (town, library, general, mina) = town().await;
    town.unlimited();
    let secret = library.private_channel("secret", &[&mina]);
    let api = Api::of(&town, &library);
    let asks =
        async |method: &str, channel: &str| api.forms(method, &[("channel", channel)]).await;
    let seen = asks("conversations.info", &secret.id).await;
    assert_eq!(seen.body["channel"]["is_private"], true);
    // The letter does not say so.
    assert!(secret.id.starts_with('C'));
    general.dismisses_bot();
    secret.dismisses_bot();
    let history = "conversations.history";
    assert_eq!(asks(history, &general.id).await.error(), "not_in_channel");
    assert_eq!(asks(history, &secret.id).await.error(), "channel_not_found");
    let seen = asks("conversations.info", &general.id).await;
    assert_eq!(seen.body["channel"]["is_member"], false);
    assert_eq!(
        asks("conversations.info", &secret.id).await.error(),
        "channel_not_found"
    );
}

#[tokio::test]
async fn guests_strangers_and_shared_channels_are_known_by_their_flags() {
    let (town, library, general, mina) = town().await;
    town.unlimited();
    let partner = town.workspace("Partner");
    let (pat, pam) = (partner.member("Pat"), partner.member("Pam"));
    let guest = library.guest("Gu", &[&general]);
    general.is_shared_with(&partner, &[&pat]);
    let api = Api::of(&town, &library);
    let user = async |id: &str| api.forms("users.info", &[("user", id)]).await.body;
    let seen = user(&guest.id).await;
    assert_eq!(seen["user"]["is_restricted"], true);
    assert_eq!(seen["user"]["is_ultra_restricted"], true);
    assert_eq!(user(&mina.id).await["user"]["is_restricted"], false);
    let seen = user(&pat.id).await;
    assert_eq!(
        (&seen["user"]["is_stranger"], &seen["user"]["team_id"]),
        (&json!(true), &json!(partner.id))
    );
    assert_eq!(user(&pam.id).await["error"], "user_not_visible");
    assert_eq!(user("U0NOBODY").await["error"], "user_not_found");
    let channel = [("channel", &*general.id), ("include_num_members", "true")];
    let channel = api.forms("conversations.info", &channel).await.body;
    assert_eq!(channel["channel"]["is_ext_shared"], true);
    assert_eq!(channel["channel"]["num_members"], 4);
    mina.is_deactivated();
    assert_eq!(user(&mina.id).await["user"]["deleted"], true);
}

#[tokio::test]
async fn conversations_are_listed_by_kind() {
    let (town, library, _, mina) = town().await;
    town.unlimited();
    library.private_channel("secret", &[&mina]);
    mina.direct_message("hello");
    let api = Api::of(&town, &library);
    let lists = async |types: &str| {
        let answer = api.forms("users.conversations", &[("types", types)]).await;
        let all = answer.body["channels"].as_array().map_or(0, Vec::len);
        (answer.error().to_owned(), all)
    };
    assert_eq!(lists("public_channel").await, (String::new(), 1));
    assert_eq!(
        lists("public_channel,private_channel,im").await,
        (String::new(), 3)
    );
    assert_eq!(lists("secret_channel").await.0, "invalid_types");
    let channel = mina.direct_channel().id;
    let members = api
        .forms("conversations.members", &[("channel", &*channel)])
        .await;
    assert_eq!(members.body["members"].as_array().unwrap().len(), 2);
    let opened = api
        .calls("conversations.open", &json!({ "users": mina.id }))
        .await;
    assert_eq!(opened.body["channel"]["id"], channel);
}

#[tokio::test]
async fn a_file_is_given_to_whoever_has_the_token_and_may_see_it() {
    let (town, library, general, mina) = town().await;
    town.unlimited();
    let api = Api::of(&town, &library);
    mina.attaches(&general, "look", &[("규칙.md", "# 규칙".as_bytes())]);
    let history = api
        .forms("conversations.history", &[("channel", &*general.id)])
        .await;
    let file = history.body["messages"][0]["files"][0].clone();
    let url = file["url_private_download"].as_str().unwrap();
    assert_eq!(
        api.fetches(url).await,
        ("text/markdown".to_owned(), "# 규칙".to_owned())
    );
    let stranger = Api::of(&town, &library).with_token("xoxb-made-up");
    assert!(stranger.fetches(url).await.0.starts_with("text/html"));
    let nobody = Api::of(&town, &library).with_token("");
    assert!(nobody.fetches(url).await.0.starts_with("text/html"));
    let id = file["id"].as_str().unwrap();
    let known = api.forms("files.info", &[("file", id)]).await;
    assert_eq!(known.body["file"]["size"], 8);
    general.dismisses_bot();
    assert!(api.fetches(url).await.0.starts_with("text/html"));
    assert_eq!(
        api.forms("files.info", &[("file", id)]).await.error(),
        "file_not_found"
    );
    general.invites_bot();
    library.scopes(&["channels:history"]);
    assert!(api.fetches(url).await.0.starts_with("text/html"));
    library.scopes(&["files:read"]);
    assert_eq!(api.fetches(url).await.1, "# 규칙");
    let away = Fault::Redirected(format!("{}/nowhere", town.world().settings.server));
    town.goes_wrong(FILE, away, Often::Next(1));
    assert!(api.fetches(url).await.1.contains("unknown_method"));
    town.forgives_lost_requests();
}

#[tokio::test]
async fn who_is_asking_is_told_who_they_are() {
    let (town, library, _, _) = town().await;
    library.joins_enterprise("E0ENTER");
    let api = Api::of(&town, &library);
    let me = api.calls("auth.test", &json!({})).await.body;
    assert_eq!(
        (&me["user_id"], &me["team_id"]),
        (&json!(library.bot()), &json!(library.id))
    );
    assert_eq!(me["enterprise_id"], "E0ENTER");
    let bot = me["bot_id"].as_str().unwrap();
    let bot = api.forms("bots.info", &[("bot", bot)]).await.body;
    assert_eq!(bot["bot"]["user_id"], library.bot());
}
