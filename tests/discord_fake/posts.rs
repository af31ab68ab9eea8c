//! Messages: what is refused, what is limited, what goes wrong on the way.

use std::time::Duration;

use serde_json::{Value, json};
use serenity::all::{CreateMessage, Nonce};

use super::api::Api;
use super::town;
use crate::support::discord::faults::{Fault, Harm, Often, POST};
use crate::support::discord::limits::Scope;
use crate::support::discord::permissions::{
    MENTION_EVERYONE, SEND_MESSAGES, SEND_MESSAGES_IN_THREADS, VIEW_CHANNEL,
};
use crate::support::discord::world::ThreadState;

#[tokio::test]
async fn what_is_too_long_is_refused_in_discords_words() {
    let (town, _, general, _) = town().await;
    town.unlimited();
    let api = Api::of(&town);
    let messages = format!("/channels/{}/messages", general.id);
    let fits = api
        .posts(&messages, &json!({ "content": "가".repeat(2_000) }))
        .await;
    assert_eq!(fits.status, 200);
    let long = api
        .posts(&messages, &json!({ "content": "가".repeat(2_001) }))
        .await;
    assert_eq!(
        (long.status, long.body),
        (
            400,
            json!({
                "message": "Invalid Form Body",
                "code": 50035,
                "errors": { "content": { "_errors": [{
                    "code": "BASE_TYPE_MAX_LENGTH",
                    "message": "Must be 2000 or fewer in length.",
                }] } },
            })
        )
    );
}

#[tokio::test]
async fn a_form_with_a_slip_is_refused() {
    let (town, _, general, _) = town().await;
    town.unlimited();
    let api = Api::of(&town);
    let messages = format!("/channels/{}/messages", general.id);
    let button = |id: &str| json!({ "type": 2, "style": 1, "label": "More", "custom_id": id });
    let row = |parts: Vec<Value>| json!({ "type": 1, "components": parts });
    for wrong in [
        json!({ "content": "x", "nonce": "n".repeat(26) }),
        json!({ "content": "x", "enforce_nonce": true }),
        json!({ "content": "x", "components": [row(vec![button("a"), button("a")])] }),
        json!({ "content": "x", "components": [row(vec![button(&"a".repeat(101))])] }),
        json!({ "content": "x", "components": [row((0..6).map(|n| button(&n.to_string())).collect())] }),
        json!({ "content": "x", "components": vec![row(vec![]); 6] }),
        json!({ "content": "x", "embeds": [{ "title": "t".repeat(257) }] }),
        json!({ "embeds": vec![json!({ "description": "d".repeat(4_000) }); 2] }),
        json!({ "content": "x", "message_reference": { "message_id": "1" } }),
        json!({ "content": "x", "allowed_mentions": { "parse": ["users"], "users": ["1"] } }),
    ] {
        let refused = api.posts(&messages, &wrong).await;
        assert_eq!((refused.status, refused.code()), (400, 50035), "{wrong}");
    }
    let empty = api.posts(&messages, &json!({ "content": "  \n " })).await;
    assert_eq!((empty.status, empty.code()), (400, 50006));
    let nowhere = json!({ "content": "x", "message_reference": { "message_id": "1", "fail_if_not_exists": false } });
    assert_eq!(api.posts(&messages, &nowhere).await.status, 200);
}

#[tokio::test]
async fn what_the_bot_may_not_see_or_do_is_refused() {
    let (town, guild, general, mina) = town().await;
    town.unlimited();
    let api = Api::of(&town);
    let hello = json!({ "content": "hello" });
    let staff = guild.role("staff", 0);
    let hidden = guild.private_channel("hidden", &[staff]);
    let said = mina.says(&general, "mine");
    let lost = api.gets("/channels/1").await;
    assert_eq!((lost.status, lost.code()), (404, 10003));
    let unseen = api
        .posts(&format!("/channels/{}/messages", hidden.id), &hello)
        .await;
    assert_eq!((unseen.status, unseen.code()), (403, 50001));
    let another = format!("/channels/{}/messages/{}", general.id, said.id);
    let foreign = api.patches(&another, &hello).await;
    assert_eq!((foreign.status, foreign.code()), (403, 50005));
    let kept = api.asks("DELETE", &another, &Value::Null).await;
    assert_eq!((kept.status, kept.code()), (403, 50013));
    general.for_the_bot(0, SEND_MESSAGES);
    let mute = api
        .posts(&format!("/channels/{}/messages", general.id), &hello)
        .await;
    assert_eq!((mute.status, mute.code()), (403, 50013));
    general.for_the_bot(0, VIEW_CHANNEL);
    let blind = api.gets(&another).await;
    assert_eq!((blind.status, blind.code()), (403, 50001));
    mina.shuts_the_door();
    let direct = mina.direct_channel();
    let shut = api
        .posts(&format!("/channels/{}/messages", direct.id), &hello)
        .await;
    assert_eq!((shut.status, shut.code()), (403, 50007));
    let stranger = Api::of(&town)
        .with_token("another")
        .gets("/users/@me")
        .await;
    assert_eq!(stranger.status, 401);
    assert_eq!(town.invalid_requests(), 7);
}

#[tokio::test]
async fn a_thread_has_its_own_permission_and_may_be_shut() {
    let (town, guild, general, mina) = town().await;
    town.unlimited();
    let api = Api::of(&town);
    let hello = json!({ "content": "hello" });
    let said = mina.mentions_bot(&general, "let us talk");
    let threads = format!("/channels/{}/messages/{}/threads", general.id, said.id);
    let begun = api.posts(&threads, &json!({ "name": "talk" })).await;
    assert_eq!(
        (begun.status, &begun.body["id"]),
        (201, &json!(said.id.to_string()))
    );
    let twice = api.posts(&threads, &json!({ "name": "talk" })).await;
    assert_eq!((twice.status, twice.code()), (400, 160_004));

    let messages = format!("/channels/{}/messages", said.id);
    general.for_the_bot(0, SEND_MESSAGES);
    assert_eq!(api.posts(&messages, &hello).await.status, 200);
    general.for_the_bot(0, SEND_MESSAGES_IN_THREADS);
    assert_eq!(api.posts(&messages, &hello).await.code(), 50013);
    general.for_the_bot(0, 0);

    let thread = crate::support::discord::guilds::Channel {
        id: said.id,
        ..general.clone()
    };
    thread.becomes(ThreadState::Archived);
    assert_eq!(api.posts(&messages, &hello).await.status, 200);
    let open = api.gets(&format!("/channels/{}", said.id)).await;
    assert_eq!(open.body["thread_metadata"]["archived"], false);
    thread.becomes(ThreadState::Locked);
    assert_eq!(api.posts(&messages, &hello).await.code(), 160_005);
    thread.becomes(ThreadState::LockedAndArchived);
    assert_eq!(api.posts(&messages, &hello).await.code(), 50083);
    drop(guild);
}

#[tokio::test]
async fn an_enforced_nonce_gives_the_first_message_again_and_a_plain_one_does_not() {
    let (town, _, general, mina) = town().await;
    town.unlimited();
    let api = Api::of(&town);
    let messages = format!("/channels/{}/messages", general.id);
    let plain = json!({ "content": "plain", "nonce": "one" });
    let enforced = json!({ "content": "once", "nonce": "two", "enforce_nonce": true });
    for _ in 0..2 {
        let posted = api.posts(&messages, &plain).await;
        assert_eq!(posted.body["nonce"], "one");
    }
    // Who fetches a message finds no nonce in it.
    let history = api.gets(&messages).await;
    assert_eq!(history.body[0].get("nonce"), None);
    let first = api.posts(&messages, &enforced).await.body;
    let again = api.posts(&messages, &enforced).await.body;
    assert_eq!(first["id"], again["id"]);
    assert_eq!(mina.sees(&general).len(), 3);
    town.passes(Duration::from_secs(600));
    let later = api.posts(&messages, &enforced).await.body;
    assert_ne!(first["id"], later["id"]);
    town.set(|settings| settings.nonces = None);
    api.posts(&messages, &enforced).await;
    assert_eq!(mina.sees(&general).len(), 5);
}

#[tokio::test]
async fn a_post_whose_answer_is_lost_is_there() {
    let (town, _, general, mina) = town().await;
    let api = Api::of(&town);
    let messages = format!("/channels/{}/messages", general.id);
    let hello = json!({ "content": "hello", "nonce": "n", "enforce_nonce": true });
    for harm in [Harm::Torn, Harm::Ended, Harm::Status(502)] {
        town.goes_wrong(POST, Fault::After(harm), Often::Next(1));
        let answer = api.tries("POST", &messages, &hello).await;
        assert!(answer.is_none_or(|answer| answer.status == 502), "{harm:?}");
        assert_eq!(mina.sees(&general).len(), 1, "{harm:?}");
    }
    let again = api.posts(&messages, &hello).await;
    assert_eq!(again.status, 200);
    assert_eq!(mina.sees(&general).len(), 1);
    town.goes_wrong(POST, Fault::Before(Harm::Torn), Often::Next(1));
    let other = json!({ "content": "other" });
    assert!(api.tries("POST", &messages, &other).await.is_none());
    assert_eq!(mina.sees(&general).len(), 1);
    assert_eq!(town.requests_to(POST).len(), 5);
}

#[tokio::test]
async fn the_sixth_write_in_five_seconds_has_to_wait() {
    let (town, _, general, _) = town().await;
    let api = Api::of(&town);
    let messages = format!("/channels/{}/messages", general.id);
    let hello = json!({ "content": "hello" });
    for left in (0..5).rev() {
        let posted = api.posts(&messages, &hello).await;
        assert_eq!(posted.status, 200);
        assert_eq!(posted.says("x-ratelimit-remaining"), Some(f64::from(left)));
        assert_eq!(posted.says("x-ratelimit-limit"), Some(5.0));
    }
    let limited = api.posts(&messages, &hello).await;
    assert_eq!(limited.status, 429);
    assert_eq!(limited.headers["x-ratelimit-scope"], "user");
    assert!(
        limited.says("retry-after").unwrap() >= limited.body["retry_after"].as_f64().unwrap()
    );
    assert_eq!(limited.body["global"], false);
    assert_eq!(town.invalid_requests(), 1);
    town.passes(Duration::from_secs(5));
    assert_eq!(api.posts(&messages, &hello).await.status, 200);

    let second = Duration::from_secs(1);
    town.goes_wrong(POST, Fault::Limited(second, Scope::Shared), Often::Next(1));
    let shared = api.posts(&messages, &hello).await;
    assert_eq!(shared.headers["x-ratelimit-scope"], "shared");
    assert_eq!(town.invalid_requests(), 1);
    town.goes_wrong(POST, Fault::Limited(second, Scope::Global), Often::Next(1));
    let global = api.posts(&messages, &hello).await;
    assert_eq!(global.headers["x-ratelimit-global"], "true");
    assert_eq!(global.body["global"], true);
}

#[tokio::test]
async fn an_old_message_takes_only_a_few_edits() {
    let (town, _, general, _) = town().await;
    town.unlimited();
    let api = Api::of(&town);
    let messages = format!("/channels/{}/messages", general.id);
    let posted = api.posts(&messages, &json!({ "content": "hello" })).await;
    let path = format!("{messages}/{}", posted.body["id"].as_str().unwrap());
    town.passes(Duration::from_secs(2 * 60 * 60));
    let edit = json!({ "content": "again" });
    for _ in 0..5 {
        assert_eq!(api.patches(&path, &edit).await.status, 200);
    }
    let refused = api.patches(&path, &edit).await;
    assert_eq!((refused.status, refused.code()), (429, 30046));
}

#[tokio::test]
async fn more_than_fifty_requests_in_a_second_are_too_many_for_all() {
    let (town, ..) = town().await;
    town.limit(crate::support::discord::limits::Bucket::Read, None);
    let api = Api::of(&town);
    let mut limited = 0;
    for _ in 0..60 {
        let answer = api.gets("/users/@me").await;
        limited += usize::from(answer.headers.contains_key("x-ratelimit-global"));
    }
    assert!(limited > 0);
}

#[tokio::test]
async fn who_is_called_is_as_allowed_mentions_say() {
    let (town, guild, general, mina) = town().await;
    town.unlimited();
    let api = Api::of(&town);
    let staff = guild.role("staff", 0);
    let text = format!("@everyone <@{}> <@&{}>", mina.id, staff.id);
    let messages = format!("/channels/{}/messages", general.id);
    let quiet = json!({ "content": text, "allowed_mentions": { "parse": [] } });
    let posted = api.posts(&messages, &quiet).await.body;
    assert!(town.pings().is_empty());
    // An edit that does not say so calls after all.
    let path = format!("{messages}/{}", posted["id"].as_str().unwrap());
    api.patches(&path, &json!({ "content": text })).await;
    let pings = town.pings();
    assert_eq!(pings[0].mentions.users, [mina.id]);
    assert_eq!(pings[0].mentions.roles, [staff.id]);
    assert!(!pings[0].mentions.everyone);
    guild.bot_has(&[guild.role("loud", MENTION_EVERYONE)]);
    api.posts(&messages, &json!({ "content": text })).await;
    assert!(town.pings()[1].mentions.everyone);
    let said = mina.says(&general, "hello");
    let reply = json!({ "content": "hello", "message_reference": { "message_id": said.id.to_string() } });
    api.posts(&messages, &reply).await;
    assert_eq!(town.pings()[2].mentions.users, [mina.id]);
}

#[tokio::test]
async fn history_goes_back_and_forth() {
    let (town, _, general, mina) = town().await;
    town.lets_content_be_read();
    let said: Vec<_> = (0..120)
        .map(|n| mina.says(&general, &n.to_string()))
        .collect();
    let api = Api::of(&town);
    let texts = async |query: String| {
        let page = api
            .gets(&format!("/channels/{}/messages?{query}", general.id))
            .await;
        let page = page.body.as_array().unwrap().clone();
        let texts = page
            .iter()
            .map(|one| one["content"].as_str().unwrap().to_owned());
        texts.collect::<Vec<_>>()
    };
    assert_eq!(texts(String::new()).await.len(), 50);
    assert_eq!(texts("limit=2".to_owned()).await, ["119", "118"]);
    let middle = said[60].id;
    assert_eq!(texts(format!("limit=2&after={middle}")).await, ["62", "61"]);
    assert_eq!(
        texts(format!("limit=2&before={middle}")).await,
        ["59", "58"]
    );
    assert_eq!(
        texts(format!("limit=3&around={middle}")).await,
        ["61", "60", "59"]
    );
    let many = api
        .gets(&format!("/channels/{}/messages?limit=101", general.id))
        .await;
    assert_eq!((many.status, many.code()), (400, 50035));
}

#[tokio::test]
async fn files_are_fetched_by_links_that_grow_old() {
    let (town, _, general, mina) = town().await;
    let said = mina.attaches(&general, "@saseo read this", &[("rules.md", b"# Rules")]);
    let api = Api::of(&town);
    let path = format!("/channels/{}/messages/{}", general.id, said.id);
    let file = api.gets(&path).await.body["attachments"][0].clone();
    assert_eq!(file["content_type"], "text/markdown; charset=utf-8");
    let url = file["url"].as_str().unwrap();
    let fetched = reqwest::get(url).await.unwrap();
    assert_eq!(fetched.text().await.unwrap(), "# Rules");
    let forged = reqwest::get(url.replace("ex=", "ex=f")).await.unwrap();
    assert_eq!(forged.status(), 404);
    town.passes(Duration::from_secs(2 * 24 * 60 * 60));
    assert_eq!(reqwest::get(url).await.unwrap().status(), 404);
    let fresh = api.gets(&path).await.body["attachments"][0]["url"].clone();
    let fetched = reqwest::get(fresh.as_str().unwrap()).await.unwrap();
    assert_eq!(fetched.status(), 200);
}

#[tokio::test]
async fn serenity_sends_nonces_files_and_flags() {
    let (town, _, general, mina) = town().await;
    let http = serenity::all::HttpBuilder::new(town.token())
        .proxy(town.api())
        .ratelimiter_disabled(true)
        .build();
    let file =
        serenity::all::CreateAttachment::bytes(b"a,b\r\n1,2\r\n".as_slice(), "table.csv");
    let message = CreateMessage::new()
        .content("see https://example.org and <https://example.com>")
        .nonce(Nonce::String("0123456789".to_owned()))
        .enforce_nonce(true)
        .flags(serenity::all::MessageFlags::SUPPRESS_EMBEDS)
        .add_file(file);
    let channel = serenity::all::ChannelId::new(general.id);
    let posted = channel.send_message(&http, message).await.unwrap();
    assert!(matches!(&posted.nonce, Some(Nonce::String(nonce)) if nonce == "0123456789"));
    assert_eq!(posted.attachments[0].size, 10);
    assert!(town.previewed().is_empty());
    let seen = mina.sees(&general);
    assert_eq!(seen[0].files, ["table.csv"]);
    assert_eq!(
        seen[0].links(),
        ["https://example.org", "https://example.com"]
    );
    channel.say(&http, "see https://example.org").await.unwrap();
    assert_eq!(town.previewed(), ["https://example.org"]);
    channel.broadcast_typing(&http).await.unwrap();
    assert!(mina.sees_typing(&general));
    town.passes(Duration::from_secs(10));
    assert!(!mina.sees_typing(&general));
    let reaction = serenity::all::ReactionType::Unicode("👀".to_owned());
    posted.react(&http, reaction).await.unwrap();
    assert_eq!(mina.sees(&general)[0].reactions, ["👀"]);
}
