//! Messages: what is refused, what is split, whom they call, what is streamed.

use std::time::Duration;

use serde_json::{Value, json};

use super::api::{Answer, Api};
use super::town;
use crate::support::slack::Slack;
use crate::support::slack::people::Said;
use crate::support::slack::places::Channel;
use crate::support::slack::seen::Shown;
use crate::support::slack::world::{Rule, Streaming, Switch};

async fn posts(api: &Api, channel: &Channel, more: Value) -> Answer {
    let mut post = more;
    post["channel"] = json!(channel.id);
    api.calls("chat.postMessage", &post).await
}

#[tokio::test]
async fn a_text_that_is_too_long_for_one_message_is_split() {
    let (town, library, general, _) = town().await;
    town.unlimited();
    let api = Api::of(&town, &library);
    assert!(
        posts(&api, &general, json!({ "text": "가".repeat(4_040) }))
            .await
            .ok()
    );
    assert_eq!(general.shows().len(), 1);
    assert!(
        posts(&api, &general, json!({ "text": "가".repeat(4_041) }))
            .await
            .ok()
    );
    let lengths: Vec<usize> = general
        .shows()
        .iter()
        .map(|seen| seen.text.chars().count())
        .collect();
    assert_eq!(lengths, [4_040, 4_000, 41]);
    let long = posts(&api, &general, json!({ "text": "가".repeat(40_001) })).await;
    assert_eq!(long.error(), "msg_too_long");
    let ts = general.shows()[0].ts.clone();
    let edit = json!({ "channel": general.id, "ts": ts, "text": "가".repeat(4_001) });
    assert_eq!(
        api.calls("chat.update", &edit).await.error(),
        "msg_too_long"
    );
}

#[tokio::test]
async fn a_message_that_says_nothing_or_says_it_twice_is_refused() {
    let (town, library, general, _) = town().await;
    town.unlimited();
    let api = Api::of(&town, &library);
    for (wrong, error) in [
        (json!({}), "no_text"),
        (json!({ "text": " \n" }), "no_text"),
        (
            json!({ "text": "x", "markdown_text": "y" }),
            "markdown_text_conflict",
        ),
        (
            json!({ "markdown_text": "y".repeat(12_001) }),
            "msg_too_long",
        ),
        (
            json!({ "text": "x", "blocks": "{" }),
            "invalid_blocks_format",
        ),
        (
            json!({ "text": "x", "blocks": { "type": "section" } }),
            "invalid_blocks_format",
        ),
        (
            json!({ "text": "x", "metadata": { "event_type": "x" } }),
            "invalid_metadata_format",
        ),
        (
            json!({ "text": "x", "thread_ts": "soon" }),
            "invalid_thread_ts",
        ),
        (
            json!({ "text": "x", "thread_ts": "1700000000.000001" }),
            "cannot_reply_to_message",
        ),
    ] {
        let refused = posts(&api, &general, wrong.clone()).await;
        assert_eq!((refused.status, refused.error()), (200, error), "{wrong}");
    }
}

#[tokio::test]
async fn metadata_is_small() {
    let (town, library, general, _) = town().await;
    let api = Api::of(&town, &library);
    let large = json!({ "event_type": "x", "event_payload": { "text": "y".repeat(9_000) } });
    let refused = posts(&api, &general, json!({ "text": "x", "metadata": large })).await;
    assert_eq!(refused.error(), "metadata_too_large");
}

#[tokio::test]
async fn blocks_with_a_slip_are_refused_in_slacks_words() {
    let (town, library, general, _) = town().await;
    town.unlimited();
    let api = Api::of(&town, &library);
    let long = json!([{ "type": "section", "text": { "type": "mrkdwn", "text": "가".repeat(3_001) } }]);
    let refused = posts(&api, &general, json!({ "blocks": long })).await;
    assert_eq!(refused.error(), "invalid_blocks");
    assert_eq!(
        refused.messages(),
        [
            "[ERROR] failed to match all allowed schemas [json-pointer:/blocks/0/text]",
            "[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text/text]",
        ]
    );
}

#[tokio::test]
async fn blocks_that_slack_does_not_know_so_are_refused() {
    let (town, library, general, _) = town().await;
    town.unlimited();
    let api = Api::of(&town, &library);
    let plain = |text: &str| json!({ "type": "plain_text", "text": text });
    let button = |id: &str| json!({ "type": "button", "text": plain("Yes"), "action_id": id });
    let actions = |parts: Vec<Value>| json!({ "type": "actions", "elements": parts });
    for wrong in [
        json!([{ "type": "sections" }]),
        json!([{ "type": "section" }]),
        json!([{ "type": "section", "text": plain("") }]),
        json!([{ "type": "section", "text": plain("x"), "color": "red" }]),
        json!([{ "type": "header", "text": plain(&"x".repeat(151)) }]),
        json!([{ "type": "header", "text": { "type": "mrkdwn", "text": "x" } }]),
        json!([{ "type": "markdown", "text": "x".repeat(12_001) }]),
        json!([{ "type": "context", "elements": vec![plain("x"); 11] }]),
        json!([{ "type": "divider", "block_id": "a" }, { "type": "divider", "block_id": "a" }]),
        json!([actions(vec![button("a"), button("a")])]),
        json!([actions(vec![button(&"a".repeat(256))])]),
        json!([actions(Vec::new())]),
        json!([actions(
            (0..26).map(|number| button(&number.to_string())).collect()
        )]),
        json!(vec![json!({ "type": "divider" }); 51]),
    ] {
        let refused = posts(&api, &general, json!({ "text": "x", "blocks": wrong })).await;
        assert_eq!(refused.error(), "invalid_blocks", "{wrong}");
    }
}

#[tokio::test]
async fn blocks_may_come_to_less_than_each_of_them_may() {
    let (town, library, general, _) = town().await;
    town.unlimited();
    let api = Api::of(&town, &library);
    let text = json!({ "type": "plain_text", "text": "x".repeat(2_700) });
    let section = json!({ "type": "section", "text": text });
    let refused = posts(&api, &general, json!({ "blocks": vec![section; 5] })).await;
    assert_eq!(refused.error(), "msg_blocks_too_long");
    let fits =
        json!([{ "type": "markdown", "text": "x".repeat(12_000) }, { "type": "divider" }]);
    let form = [("channel", &*general.id), ("blocks", &*fits.to_string())];
    assert!(api.forms("chat.postMessage", &form).await.ok());
}

#[tokio::test]
async fn the_bot_writes_only_where_it_is_and_may() {
    let (town, library, general, mina) = town().await;
    town.unlimited();
    let secret = library.private_channel("secret", &[&mina]);
    let elsewhere = town.workspace("Second").channel("second");
    let api = Api::of(&town, &library);
    secret.dismisses_bot();
    let hello = || json!({ "text": "hello" });
    assert_eq!(
        posts(&api, &secret, hello()).await.error(),
        "channel_not_found"
    );
    assert_eq!(
        posts(&api, &elsewhere, hello()).await.error(),
        "channel_not_found"
    );
    general.dismisses_bot();
    let refused = posts(&api, &general, hello()).await;
    assert_eq!(refused.error(), "not_in_channel");
}

#[tokio::test]
async fn a_channel_has_rules_for_posts_and_replies() {
    let (town, library, general, mina) = town().await;
    town.unlimited();
    let api = Api::of(&town, &library);
    let hello = || json!({ "text": "hello" });
    let said = mina.says(&general, "hello");
    let under = json!({ "text": "hello", "thread_ts": said.ts });
    let reply = posts(&api, &general, under.clone()).await;
    let deeper = json!({ "text": "hello", "thread_ts": reply.text("ts") });
    assert_eq!(
        posts(&api, &general, deeper).await.error(),
        "cannot_reply_to_message"
    );
    general.locks(&said);
    let refused = posts(&api, &general, under.clone()).await;
    assert_eq!(refused.error(), "restricted_action_thread_locked");
    for (rule, post, error) in [
        (
            Rule::ThreadOnly,
            hello(),
            "restricted_action_thread_only_channel",
        ),
        (
            Rule::NoThreads,
            under,
            "restricted_action_non_threadable_channel",
        ),
        (
            Rule::ReadOnly,
            hello(),
            "restricted_action_read_only_channel",
        ),
        (Rule::Archived, hello(), "is_archived"),
    ] {
        general.sets(rule);
        assert_eq!(posts(&api, &general, post).await.error(), error);
    }
}

#[tokio::test]
async fn whoever_is_named_is_written_to_alone() {
    let (town, library, _, mina) = town().await;
    let api = Api::of(&town, &library);
    let direct = json!({ "channel": mina.id, "text": "hello" });
    let direct = api.calls("chat.postMessage", &direct).await;
    assert_eq!(direct.text("channel"), mina.direct_channel().id);
}

#[tokio::test]
async fn whom_a_message_calls_is_counted() {
    let (town, library, general, mina) = town().await;
    town.unlimited();
    let group = library.group("librarians", &[&mina]);
    let api = Api::of(&town, &library);
    let quiet = [
        "&lt;!channel&gt; &lt;@U1&gt; @here @channel".to_owned(),
        "a < b > c, <https://example.org|here>".to_owned(),
    ];
    for text in quiet {
        assert!(posts(&api, &general, json!({ "text": text })).await.ok());
    }
    assert_eq!(town.pings().len(), 0);
    let mrkdwn = |text: &str| json!({ "type": "mrkdwn", "text": text });
    let loud = [
        json!({ "text": "`<!channel>`" }),
        json!({ "text": "<<!here|here>" }),
        json!({ "text": format!("<@{}|mina>", mina.id) }),
        json!({ "text": format!("<!subteam^{group}>") }),
        json!({ "text": "@everyone", "link_names": true }),
        json!({ "blocks": [{ "type": "section", "text": mrkdwn("<!everyone>") }] }),
        json!({ "blocks": [{ "type": "context", "elements": [mrkdwn("<!channel>")] }] }),
        json!({ "blocks": [{ "type": "markdown", "text": "**<!channel>**" }] }),
        json!({ "text": "x", "attachments": [{ "text": "<!here>" }] }),
    ];
    let many = loud.len();
    for post in loud {
        assert!(posts(&api, &general, post.clone()).await.ok());
    }
    assert_eq!(town.pings().len(), many);
    let harmless =
        json!([{ "type": "section", "text": { "type": "plain_text", "text": "<!channel>" } }]);
    assert!(
        posts(&api, &general, json!({ "text": "x", "blocks": harmless }))
            .await
            .ok()
    );
    assert_eq!(town.pings().len(), many);
    assert!(town.pings()[3].mentions.groups.contains(&group));
}

#[tokio::test]
async fn links_are_fetched_unless_the_post_forbids_it() {
    let (town, library, general, _) = town().await;
    town.unlimited();
    let api = Api::of(&town, &library);
    let text = "see <https://example.org/a?b=1|here>";
    let half = json!({ "text": text, "unfurl_links": false });
    assert!(posts(&api, &general, half).await.ok());
    assert_eq!(town.previewed(), ["https://example.org/a?b=1"]);
    let none = json!({ "text": text, "unfurl_links": false, "unfurl_media": false });
    assert!(posts(&api, &general, none).await.ok());
    assert_eq!(town.previewed().len(), 1);
    assert_eq!(general.shows()[1].links, ["https://example.org/a?b=1"]);
}

#[tokio::test]
async fn only_its_own_messages_are_the_bots_to_change() {
    let (town, library, general, mina) = town().await;
    town.unlimited();
    let said = mina.says(&general, "hello");
    let api = Api::of(&town, &library);
    let place = |ts: &str| json!({ "channel": general.id, "ts": ts, "text": "changed" });
    let update = api.calls("chat.update", &place(&said.ts)).await;
    assert_eq!(update.error(), "cant_update_message");
    let delete = api.calls("chat.delete", &place(&said.ts)).await;
    assert_eq!(delete.error(), "cant_delete_message");
    let nothing = api.calls("chat.update", &place("1700000000.000001")).await;
    assert_eq!(nothing.error(), "message_not_found");
    let own = posts(&api, &general, json!({ "text": "mine" }))
        .await
        .text("ts");
    let changed = api.calls("chat.update", &place(&own)).await;
    assert_eq!(
        (changed.text("text"), changed.text("ts")),
        ("changed".to_owned(), own.clone())
    );
    assert_eq!(general.shows()[1].shown, Shown::Edited);
    town.set(|settings| settings.edits = Some(Duration::from_secs(60)));
    town.passes(Duration::from_secs(61));
    let late = api.calls("chat.update", &place(&own)).await;
    assert_eq!(late.error(), "edit_window_closed");
    assert!(api.calls("chat.delete", &place(&own)).await.ok());
    assert_eq!(general.shows().len(), 1);
}

#[tokio::test]
async fn an_edit_with_text_alone_takes_the_blocks_away() {
    let (town, library, general, mina) = town().await;
    town.unlimited();
    let api = Api::of(&town, &library);
    let blocks = json!([{ "type": "section", "text": { "type": "mrkdwn", "text": "block" } }]);
    let metadata = json!({ "event_type": "answer", "event_payload": { "key": "k" } });
    let post = json!({ "text": "t", "blocks": blocks, "metadata": metadata });
    let ts = posts(&api, &general, post).await.text("ts");
    let edit = json!({ "channel": general.id, "ts": ts, "metadata": metadata });
    assert_eq!(api.calls("chat.update", &edit).await.error(), "no_text");
    assert_eq!(mina.sees(&general)[0].text, "block");
    let edit = json!({ "channel": general.id, "ts": ts, "text": "words" });
    let edited = api.calls("chat.update", &edit).await;
    assert_eq!(mina.sees(&general)[0].text, "words");
    // What it was posted with stays.
    assert_eq!(edited.body["message"]["metadata"], metadata);
}

#[tokio::test]
async fn what_is_for_one_person_is_seen_by_nobody_else() {
    let (town, library, general, mina) = town().await;
    town.unlimited();
    let noah = library.member("Noah");
    let guest = library.guest("Gu", &[]);
    let api = Api::of(&town, &library);
    let whisper = |user: &str| json!({ "channel": general.id, "user": user, "text": "psst" });
    let refused = api.calls("chat.postEphemeral", &whisper(&guest.id)).await;
    assert_eq!(refused.error(), "user_not_in_channel");
    let done = api.calls("chat.postEphemeral", &whisper(&mina.id)).await;
    assert!(mina.sees(&general)[0].private);
    assert_eq!(noah.sees(&general).len(), 0);
    let edit = json!({ "channel": general.id, "ts": done.text("message_ts"), "text": "x" });
    assert_eq!(
        api.calls("chat.update", &edit).await.error(),
        "message_not_found"
    );
    let history = api
        .forms("conversations.history", &[("channel", &*general.id)])
        .await;
    assert_eq!(history.body["messages"], json!([]));
    // In a thread it is shown once the thread has begun.
    let said = mina.says(&general, "hello");
    let mut whisper = whisper(&mina.id);
    whisper["thread_ts"] = json!(said.ts);
    assert!(api.calls("chat.postEphemeral", &whisper).await.ok());
    assert_eq!(mina.sees(&general).len(), 2);
    noah.replies_to(&said, "yes?");
    assert_eq!(mina.sees(&general).len(), 4);
}

/// Begins a stream under what was said.
async fn begins(api: &Api, said: &Said, more: Value) -> Answer {
    let mut start = more;
    start["channel"] = json!(said.channel);
    start["thread_ts"] = json!(said.ts);
    api.calls("chat.startStream", &start).await
}

#[tokio::test]
async fn a_stream_is_begun_added_to_and_ended() {
    let (town, library, general, mina) = town().await;
    town.unlimited();
    let said = mina.mentions_bot(&general, "why?");
    let api = Api::of(&town, &library);
    let refused = begins(&api, &said, json!({})).await;
    assert_eq!(refused.error(), "missing_recipient_team_id");
    let team = json!({ "recipient_team_id": library.id });
    assert_eq!(
        begins(&api, &said, team).await.error(),
        "missing_recipient_user_id"
    );
    let whom = json!({ "recipient_team_id": library.id, "recipient_user_id": mina.id });
    let ts = begins(&api, &said, whom).await.text("ts");
    let place = |more: Value| {
        let mut place = more;
        place["channel"] = json!(general.id);
        place["ts"] = json!(ts);
        place
    };
    let append = place(json!({ "markdown_text": "Because" }));
    assert!(api.calls("chat.appendStream", &append).await.ok());
    assert_eq!(mina.reply_to(&said).await.shown, Shown::Streaming);
    let edit = place(json!({ "text": "no" }));
    assert_eq!(
        api.calls("chat.update", &edit).await.error(),
        "streaming_state_conflict"
    );
    let stop = place(json!({ "markdown_text": " so.", "blocks": [{ "type": "divider" }] }));
    assert!(api.calls("chat.stopStream", &stop).await.ok());
    let seen = mina.reply_to(&said).await;
    assert_eq!(
        (seen.text.trim(), seen.shown),
        ("Because so.", Shown::AsPosted)
    );
    for method in ["chat.appendStream", "chat.stopStream"] {
        let late = api.calls(method, &append).await;
        assert_eq!(late.error(), "message_not_in_streaming_state");
    }
    assert!(api.calls("chat.update", &edit).await.ok());
}

#[tokio::test]
async fn an_edit_takes_the_place_of_all_that_was_streamed() {
    let (town, library, _, mina) = town().await;
    town.unlimited();
    let said = mina.direct_message("why?");
    let api = Api::of(&town, &library);
    let begun = begins(&api, &said, json!({ "markdown_text": "Because" })).await;
    let mut edit = json!({ "channel": said.channel, "ts": begun.text("ts") });
    assert!(api.calls("chat.stopStream", &edit).await.ok());
    assert_eq!(mina.reply_to(&said).await.text.trim(), "Because");
    let text = json!({ "type": "plain_text", "text": "Because of the rain." });
    edit["text"] = json!("Because …");
    edit["blocks"] = json!([{ "type": "section", "text": text }]);
    assert!(api.calls("chat.update", &edit).await.ok());
    assert_eq!(mina.reply_to(&said).await.text, "Because of the rain.");
}

#[tokio::test]
async fn a_stream_dies_after_five_minutes_and_an_edit_mends_it() {
    let (town, library, _, mina) = town().await;
    town.unlimited();
    let said = mina.direct_message("why?");
    let api = Api::of(&town, &library);
    let ts = begins(&api, &said, json!({ "markdown_text": "Be" }))
        .await
        .text("ts");
    let place = json!({ "channel": said.channel, "ts": ts, "markdown_text": "cause" });
    town.passes(Duration::from_secs(299));
    assert!(api.calls("chat.appendStream", &place).await.ok());
    town.passes(Duration::from_secs(1));
    let late = api.calls("chat.appendStream", &place).await;
    assert_eq!(late.error(), "message_not_in_streaming_state");
    assert_eq!(mina.reply_to(&said).await.shown, Shown::Stuck);
    let edit = json!({ "channel": said.channel, "ts": ts, "text": "Because." });
    assert!(api.calls("chat.update", &edit).await.ok());
    let seen = mina.reply_to(&said).await;
    assert_eq!((&*seen.text, seen.shown), ("Because.", Shown::Edited));
}

#[tokio::test]
async fn a_workspace_may_not_have_streams() {
    let (town, library, general, mina) = town().await;
    town.unlimited();
    let api = Api::of(&town, &library);
    let whom = json!({ "recipient_team_id": library.id, "recipient_user_id": mina.id });
    let said = mina.mentions_bot(&general, "why?");
    town.set(|settings| settings.streaming = Streaming::DirectOnly);
    let refused = begins(&api, &said, whom.clone()).await;
    assert_eq!(refused.error(), "channel_type_not_supported");
    town.set(|settings| settings.streaming = Streaming::Nowhere);
    assert_eq!(begins(&api, &said, whom).await.error(), "unknown_method");
}

#[tokio::test]
async fn a_post_can_be_found_again_by_its_metadata() {
    let (town, library, general, mina) = town().await;
    town.unlimited();
    let said = mina.mentions_bot(&general, "why?");
    let api = Api::of(&town, &library);
    let metadata = json!({ "event_type": "answer", "event_payload": { "key": "k1" } });
    let post = json!({ "text": "so", "thread_ts": said.ts, "metadata": metadata });
    assert!(posts(&api, &general, post).await.ok());
    let found = async |town: &Slack, asked: &str| {
        let form = [
            ("channel", &*general.id),
            ("ts", &*said.ts),
            ("include_all_metadata", asked),
        ];
        let replies = Api::of(town, &library)
            .forms("conversations.replies", &form)
            .await;
        replies.body["messages"][1]["metadata"].clone()
    };
    assert_eq!(found(&town, "true").await, metadata);
    assert_eq!(found(&town, "false").await, Value::Null);
    town.set(|settings| settings.metadata = Switch::Off);
    assert_eq!(found(&town, "true").await, Value::Null);
}
