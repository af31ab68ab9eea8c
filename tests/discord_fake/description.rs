//! The fake's answers, held against Discord's own description of its API.
//!
//! The fixture says which routes there are, what each answers, and what fields the answers
//! must and may have.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::api::Api;
use super::town;
use crate::support::discord::Discord;
use crate::support::discord::commands::{CHAT_INPUT, MESSAGE};
use crate::support::discord::faults::{Fault, Often, POST};
use crate::support::discord::gateway::GUILD_MEMBERS;
use crate::support::discord::guilds::{Channel, Guild};
use crate::support::discord::limits::Scope;
use crate::support::discord::people::Person;
use crate::support::discord::record::Request;
use crate::support::discord::routes::ROUTES;

#[tokio::test]
async fn every_answer_is_as_the_description_says() {
    let (town, guild, general, mina) = town().await;
    town.unlimited();
    town.set(|settings| settings.privileged = GUILD_MEMBERS);
    guild.role("staff", 0);
    let api = Api::of(&town);
    looks(&api, &guild, &mina).await;
    talks(&api, &general, &mina).await;
    let application = format!("/applications/{}", town.world().bot);
    registers(&api, &application).await;
    registers(&api, &format!("{application}/guilds/{}", guild.id)).await;
    let webhook = format!("/webhooks/{}", town.world().bot);
    answers(&api, &webhook, &general, &mina).await;
    errs(&town, &api, &general).await;

    let description = Description::read();
    let requests = town.requests();
    let slips: Vec<String> = requests
        .iter()
        .flat_map(|one| description.slips(one))
        .collect();
    assert!(slips.is_empty(), "{}", slips.join("\n"));
    let tried: BTreeSet<String> = requests
        .iter()
        .filter(|one| one.status.is_some_and(|status| status < 300))
        .map(|one| format!("{} {}", one.method, one.route))
        .collect();
    let served = ROUTES
        .iter()
        .map(|one| format!("{} {}", one.method, one.path));
    assert_eq!(tried, served.collect());
}

/// Everything that can be looked up.
async fn looks(api: &Api, guild: &Guild, mina: &Person) {
    let own = ["users/@me", "users/@me/guilds", "applications/@me"];
    let others = ["gateway", "gateway/bot", "oauth2/applications/@me"];
    for path in own.iter().chain(&others) {
        api.gets(&format!("/{path}")).await;
    }
    api.gets(&format!("/users/{}", mina.id)).await;
    for path in [
        "",
        "/channels",
        "/roles",
        "/threads/active",
        "/members?limit=9",
    ] {
        api.gets(&format!("/guilds/{}{path}", guild.id)).await;
    }
    let member = format!("/guilds/{}/members/{}", guild.id, mina.id);
    api.gets(&member).await;
    let recipient = json!({ "recipient_id": mina.id.to_string() });
    api.posts("/users/@me/channels", &recipient).await;
}

/// Requests that are refused.
async fn errs(town: &Discord, api: &Api, general: &Channel) {
    let messages = format!("/channels/{}/messages", general.id);
    api.gets("/channels/1").await;
    api.posts(&messages, &json!({ "content": [] })).await;
    let fault = Fault::Limited(Duration::from_secs(1), Scope::User);
    town.goes_wrong(POST, fault, Often::Next(1));
    api.posts(&messages, &json!({})).await;
}

/// Everything that can be done with messages and threads.
async fn talks(api: &Api, general: &Channel, mina: &Person) {
    let said = mina.attaches(general, "@saseo hello", &[("rules.md", b"# Rules")]);
    let here = format!("/channels/{}", general.id);
    let messages = format!("{here}/messages");
    let said = format!("{messages}/{}", said.id);
    let button = json!({ "type": 2, "style": 1, "label": "More", "custom_id": "more" });
    let post = json!({
        "content": "hello",
        "nonce": "n",
        "message_reference": { "message_id": said.rsplit('/').next() },
        "embeds": [{ "title": "t", "fields": [{ "name": "n", "value": "v" }] }],
        "components": [{ "type": 1, "components": [button] }],
    });
    let posted = api.posts(&messages, &post).await;
    let posted = format!("{messages}/{}", posted.body["id"].as_str().unwrap());
    api.patches(&posted, &json!({ "content": "hello again" }))
        .await;
    let eyes = format!("{posted}/reactions/%F0%9F%91%80/@me");
    api.asks("PUT", &eyes, &Value::Null).await;
    api.gets(&said).await;
    api.gets(&posted).await;
    api.gets(&messages).await;
    api.asks("DELETE", &eyes, &Value::Null).await;
    api.asks("DELETE", &posted, &Value::Null).await;
    let thread = api
        .posts(&format!("{said}/threads"), &json!({ "name": "talk" }))
        .await;
    let thread = format!("/channels/{}", thread.body["id"].as_str().unwrap());
    api.asks("PUT", &format!("{thread}/thread-members/@me"), &Value::Null)
        .await;
    api.gets(&thread).await;
    api.gets(&format!("{thread}/messages")).await;
    api.patches(&thread, &json!({ "archived": true })).await;
    api.gets(&here).await;
    api.posts(&format!("{here}/typing"), &Value::Null).await;
}

/// Registers commands below `owner`.
async fn registers(api: &Api, owner: &str) {
    let commands = format!("{owner}/commands");
    let choice = json!({ "name": "one", "value": "1" });
    let option =
        json!({ "type": 3, "name": "word", "description": "a word", "choices": [choice] });
    let list =
        json!({ "type": 1, "name": "list", "description": "all of it", "options": [option] });
    let library = json!({ "name": "library", "description": "books", "options": [list] });
    let menu = json!({ "type": MESSAGE, "name": "Ask about this" });
    api.asks("PUT", &commands, &json!([library, menu])).await;
    let ask = json!({ "type": CHAT_INPUT, "name": "ask", "description": "asks", "options": [option] });
    let made = api.posts(&commands, &ask).await;
    let one = format!("{commands}/{}", made.body["id"].as_str().unwrap());
    api.patches(&one, &json!({ "description": "asks more" }))
        .await;
    api.gets(&one).await;
    api.gets(&commands).await;
    api.asks("DELETE", &one, &Value::Null).await;
    api.posts(&commands, &ask).await;
}

/// Answers a command in all ways.
async fn answers(api: &Api, application: &str, general: &Channel, mina: &Person) {
    let callback = |id: u64| {
        let world = mina.town.world();
        let token = world.interactions[&id].token.clone();
        let callback = format!("/interactions/{id}/{token}/callback?with_response=true");
        (callback, format!("{application}/{token}"))
    };
    let run = mina.runs(general, "ask", &[("word", "1".into())]);
    let (path, webhook) = callback(run.id);
    api.posts(&path, &json!({ "type": 5 })).await;
    let original = format!("{webhook}/messages/@original");
    api.gets(&original).await;
    let button = json!({ "type": 2, "style": 1, "label": "More", "custom_id": "more" });
    let row = json!({ "type": 1, "components": [button] });
    let edited = json!({ "content": "here", "components": [row] });
    let edited = api.patches(&original, &edited).await.body;
    let more = api
        .posts(&webhook, &json!({ "content": "more", "flags": 64 }))
        .await;
    let follow_up = format!("{webhook}/messages/{}", more.body["id"].as_str().unwrap());
    api.patches(&follow_up, &json!({ "content": "most" })).await;
    api.gets(&follow_up).await;
    api.asks("DELETE", &follow_up, &Value::Null).await;
    let seen = mina.sees(general);
    let answer = seen
        .iter()
        .find(|one| edited["id"].as_str() == Some(&one.id.to_string()))
        .unwrap();
    let (path, _) = callback(mina.presses(answer, "More").id);
    api.posts(
        &path,
        &json!({ "type": 7, "data": { "content": "pressed" } }),
    )
    .await;
    api.asks("DELETE", &original, &Value::Null).await;
}

struct Description(Value);

impl Description {
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/discord.json");
        Self(serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
    }

    /// Where an answer is not as described.
    fn slips(&self, request: &Request) -> Vec<String> {
        let name = format!("{} {}", request.method, request.route);
        let status = request.status.unwrap();
        let wanted = match status {
            429 => &self.0["errors"]["429"],
            400.. => &self.0["errors"]["4XX"],
            _ => &self.0["routes"][&name][status.to_string()],
        };
        let (Some(wanted), Some(answer)) = (wanted.as_str(), &request.answer) else {
            let described = self.0["routes"][&name].get(status.to_string()).is_some();
            let empty = wanted.is_null() && request.answer.is_none();
            return if described && empty {
                Vec::new()
            } else {
                vec![format!("{name}: {status} is not described so")]
            };
        };
        let mut slips = Vec::new();
        self.check(wanted, answer, &format!("{name} {status}"), &mut slips);
        slips
    }

    /// Holds `value` against a choice of kinds; if none fits, says why the nearest does not.
    fn check(&self, wanted: &str, value: &Value, at: &str, slips: &mut Vec<String>) {
        let mut nearest: Option<Vec<String>> = None;
        for kind in wanted.split('|') {
            // Whatever is there was not meant to be nothing.
            if kind == "null" && wanted != kind && !value.is_null() {
                continue;
            }
            let mut found = Vec::new();
            self.check_one(kind, value, at, &mut found);
            if found.is_empty() {
                return;
            }
            if nearest.as_ref().is_none_or(|near| found.len() < near.len()) {
                nearest = Some(found);
            }
        }
        slips.extend(nearest.into_iter().flatten());
    }

    fn check_one(&self, kind: &str, value: &Value, at: &str, slips: &mut Vec<String>) {
        if let Some(name) = kind.strip_prefix('$') {
            let Some(object) = value.as_object() else {
                slips.push(format!("{at}: {value} is no {name}"));
                return;
            };
            if let Some(shape) = self.0["shapes"][name].as_object() {
                self.check_fields(shape, object, at, slips);
            }
        } else if let Some(inner) = kind.strip_prefix('[') {
            let inner = inner.trim_end_matches(']').replace('/', "|");
            let Some(list) = value.as_array() else {
                slips.push(format!("{at}: {value} is no list"));
                return;
            };
            for (place, one) in list.iter().enumerate() {
                self.check(&inner, one, &format!("{at}.{place}"), slips);
            }
        } else if !fits(kind, value) {
            slips.push(format!("{at}: {value} is no {kind}"));
        }
    }

    fn check_fields(
        &self,
        shape: &Map<String, Value>,
        object: &Map<String, Value>,
        at: &str,
        slips: &mut Vec<String>,
    ) {
        for (field, kind) in shape {
            let name = field.trim_end_matches('!');
            match object.get(name) {
                Some(value) => {
                    self.check(
                        kind.as_str().unwrap(),
                        value,
                        &format!("{at}.{name}"),
                        slips,
                    );
                },
                None if field.ends_with('!') => slips.push(format!("{at}.{name} is missing")),
                None => {},
            }
        }
        for name in object.keys() {
            if !shape.contains_key(name) && !shape.contains_key(&format!("{name}!")) {
                slips.push(format!("{at}.{name} is not described"));
            }
        }
    }
}

fn fits(kind: &str, value: &Value) -> bool {
    let text = value.as_str();
    match kind {
        "string" => text.is_some(),
        "snowflake" => text.is_some_and(|text| text.parse::<u64>().is_ok()),
        "date-time" => {
            text.is_some_and(|text| chrono::DateTime::parse_from_rfc3339(text).is_ok())
        },
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => true,
    }
}
