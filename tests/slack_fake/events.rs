//! What the app is told of: in which words, and when not.

use serde_json::{Value, json};

use super::town;
use super::wire::{Came, Wire};
use crate::support::slack::world::Switch;

#[tokio::test]
async fn a_mention_in_a_channel_is_told_twice_with_one_timestamp() {
    let (town, library, general, mina) = town().await;
    let mut wire = Wire::greeted(&town, &library).await;
    let said = mina.mentions_bot(&general, "why <b>?");
    let (one, two) = (wire.text().await, wire.text().await);
    let (one, two) = (&one["payload"], &two["payload"]);
    let kinds: Vec<&Value> = [one, two].iter().map(|it| &it["event"]["type"]).collect();
    assert!(kinds.contains(&&json!("app_mention")) && kinds.contains(&&json!("message")));
    assert_ne!(one["event_id"], two["event_id"]);
    assert_eq!(one["event"]["ts"], two["event"]["ts"]);
    assert_eq!(one["event"]["ts"], said.ts);
    assert_eq!(
        one["event"]["text"],
        format!("<@{}> why &lt;b&gt;?", library.bot())
    );
    assert_eq!(one["team_id"], library.id);
    assert_eq!(one["authorizations"][0]["user_id"], library.bot());
    assert_eq!(one["is_ext_shared_channel"], false);
}

#[tokio::test]
async fn some_workspaces_tell_of_a_mention_once() {
    let (town, library, general, mina) = town().await;
    town.set(|settings| settings.doubles = Switch::Off);
    let mut wire = Wire::greeted(&town, &library).await;
    mina.mentions_bot(&general, "why?");
    wire.event("app_mention").await;
    assert_eq!(wire.hears().await, Came::Nothing);
}

#[tokio::test]
async fn a_direct_message_is_never_a_mention() {
    let (town, library, _, mina) = town().await;
    let mut wire = Wire::greeted(&town, &library).await;
    mina.direct_message("@saseo why?");
    assert_eq!(wire.event("message").await["channel_type"], "im");
    assert_eq!(wire.hears().await, Came::Nothing);
}

#[tokio::test]
async fn events_follow_scopes_subscriptions_and_membership() {
    let (town, library, general, mina) = town().await;
    let mut wire = Wire::greeted(&town, &library).await;
    library.scopes(&["app_mentions:read"]);
    mina.direct_message("not heard");
    mina.mentions_bot(&general, "heard");
    wire.event("app_mention").await;
    town.subscribes(&["message.im"]);
    mina.mentions_bot(&general, "not heard");
    library.scopes(&["im:history"]);
    mina.direct_message("heard");
    assert_eq!(wire.event("message").await["text"], "heard");
    general.dismisses_bot();
    town.subscribes(&["app_mention", "message.channels"]);
    library.scopes(&["app_mentions:read", "channels:history"]);
    mina.mentions_bot(&general, "not heard");
    assert_eq!(wire.hears().await, Came::Nothing);
}

#[tokio::test]
async fn a_reply_names_its_thread_and_an_edit_what_it_was() {
    let (town, library, general, mina) = town().await;
    let mut wire = Wire::greeted(&town, &library).await;
    let said = mina.says(&general, "hello");
    wire.event("message").await;
    let reply = mina.replies_to(&said, "more");
    let heard = wire.event("message").await;
    assert_eq!(
        (&heard["thread_ts"], &heard["ts"]),
        (&json!(said.ts), &json!(reply.ts))
    );
    assert_eq!(heard["parent_user_id"], mina.id);
    // A reply to a reply stands in the same thread.
    mina.replies_to(&reply, "most");
    assert_eq!(wire.event("message").await["thread_ts"], said.ts);
    mina.edits(&reply, "@saseo more");
    let changed = wire.event("message").await;
    assert_eq!(changed["subtype"], "message_changed");
    assert_eq!(
        (&changed["hidden"], &changed["previous_message"]["text"]),
        (&json!(true), &json!("more"))
    );
    let mention = wire.event("app_mention").await;
    assert!(mention["edited"].is_object());
    mina.deletes(&reply);
    assert_eq!(wire.event("message").await["deleted_ts"], reply.ts);
}

#[tokio::test]
async fn files_come_with_the_message_and_by_themselves() {
    let (town, library, general, mina) = town().await;
    let mut wire = Wire::greeted(&town, &library).await;
    mina.attaches(&general, "@saseo add this", &[("rules.md", b"# Rules")]);
    let mention = wire.event("app_mention").await;
    assert_eq!(mention["files"][0]["name"], "rules.md");
    let shared = wire.event("file_shared").await;
    assert_eq!(shared["file_id"], mention["files"][0]["id"]);
}

#[tokio::test]
async fn a_shared_channel_says_so_and_tells_less_of_files() {
    let (town, library, general, _) = town().await;
    let partner = town.workspace("Partner");
    let pat = partner.member("Pat");
    general.is_shared_with(&partner, &[&pat]);
    let mut wire = Wire::greeted(&town, &library).await;
    pat.attaches(&general, "look", &[("plan.md", b"# Plan")]);
    let envelope = wire.text().await;
    assert_eq!(envelope["payload"]["is_ext_shared_channel"], true);
    let event = &envelope["payload"]["event"];
    assert_eq!(event["source_team"], partner.id);
    assert_eq!(event["files"][0]["file_access"], "check_file_info");
    assert_eq!(event["files"][0]["url_private"], Value::Null);
}

#[tokio::test]
async fn the_assistant_hears_who_turns_to_it_and_what_they_look_at() {
    let (town, library, general, mina) = town().await;
    let mut wire = Wire::greeted(&town, &library).await;
    let thread = mina.turns_to_assistant(None);
    let begun = wire.event("assistant_thread_started").await;
    assert_eq!(begun["assistant_thread"]["context"], json!({}));
    assert_eq!(begun["assistant_thread"]["thread_ts"], thread.ts);
    mina.looks_at(&thread, &general);
    let looked = wire.event("assistant_thread_context_changed").await;
    assert_eq!(
        looked["assistant_thread"]["context"]["channel_id"],
        general.id
    );
    mina.replies_to(&thread, "why?");
    let asked = wire.event("message").await;
    assert_eq!(
        (&asked["channel_type"], &asked["thread_ts"]),
        (&json!("im"), &json!(thread.ts))
    );
    mina.opens_home();
    assert_eq!(wire.event("app_home_opened").await["tab"], "home");
}

#[tokio::test]
async fn a_channel_may_get_another_id_and_an_app_may_be_taken_out() {
    let (town, library, mut general, mina) = town().await;
    library.joins_enterprise("E0ENTER");
    let mut wire = Wire::greeted(&town, &library).await;
    let old = general.id.clone();
    general.changes_id();
    let changed = wire.event("channel_id_changed").await;
    assert_eq!(
        (&changed["old_channel_id"], &changed["new_channel_id"]),
        (&json!(old), &json!(general.id))
    );
    mina.says(&general, "hello");
    let envelope = wire.text().await;
    assert_eq!(envelope["payload"]["event"]["channel"], general.id);
    assert_eq!(envelope["payload"]["enterprise_id"], "E0ENTER");
    library.uninstalls_app();
    let revoked = wire.event("tokens_revoked").await;
    assert_eq!(revoked["tokens"]["bot"][0], library.bot());
    wire.event("app_uninstalled").await;
}

#[tokio::test]
async fn names_and_links_are_written_as_slack_does() {
    let (town, library, general, mina) = town().await;
    let mut wire = Wire::greeted(&town, &library).await;
    let text = "@Mina see https://example.org/a?b=1&c=2 in #general <now>";
    mina.says(&general, text);
    let heard = wire.event("message").await;
    let (me, here) = (&mina.id, &general.id);
    assert_eq!(
        heard["text"],
        format!("<@{me}> see <https://example.org/a?b=1&amp;c=2> in <#{here}|> &lt;now&gt;")
    );
    let parts = heard["blocks"][0]["elements"][0]["elements"].clone();
    assert_eq!(
        parts[2],
        json!({ "type": "link", "url": "https://example.org/a?b=1&c=2" })
    );
    mina.runs(&general, "/ask", text);
    let given = wire.text().await["payload"]["text"].clone();
    assert_eq!(
        given,
        format!("<@{me}|mina> see <https://example.org/a?b=1&c=2> in <#{here}|general> <now>")
    );
    town.set(|settings| settings.escapes = Switch::Off);
    mina.runs(&general, "/ask", text);
    assert_eq!(wire.text().await["payload"]["text"], text);
}

#[tokio::test]
async fn another_apps_bot_is_known_by_its_id() {
    let (town, library, general, _) = town().await;
    let robot = library.robot("Robot");
    let mut wire = Wire::greeted(&town, &library).await;
    robot.mentions_bot(&general, "loop?");
    let heard = wire.event("app_mention").await;
    assert!(heard["bot_id"].as_str().unwrap().starts_with('B'));
    assert_ne!(heard["user"], library.bot());
    // Whom others call is not the bot's doing.
    robot.says(&general, "@channel");
    assert_eq!(town.pings().len(), 0);
}

#[tokio::test]
async fn whoever_calls_the_bot_calls_the_one_of_their_own_workspace() {
    let (town, library, general, mina) = town().await;
    let others: Vec<_> = ["A", "B", "C", "D"].map(|name| town.workspace(name)).into();
    for other in &others {
        let pat = other.member("Pat");
        let said = pat.mentions_bot(&other.channel("general"), "why? see #general");
        let text = town.world().channels[&said.channel].messages[&said.ts]
            .text
            .clone();
        assert_eq!(
            text,
            format!("<@{}> why? see <#{}|>", other.bot(), said.channel)
        );
    }
    let mut wire = Wire::greeted(&town, &library).await;
    mina.mentions_bot(&general, "why?");
    let heard = wire.event("app_mention").await;
    assert_eq!(heard["text"], format!("<@{}> why?", library.bot()));
}
