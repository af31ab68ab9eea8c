//! Messages as Discord sends them, and a place for them: for the tests of this room.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use serenity::model::channel::Message;
use serenity::model::id::{ApplicationId, RoleId, UserId};

use super::{Here, Rank};
use crate::domain::event::{PlaceKind, Wish};
use crate::domain::language::Language;

pub(super) const ME: u64 = 900;
pub(super) const APPLICATION: u64 = 901;
pub(super) const GUILD: u64 = 50;
pub(super) const CHANNEL: u64 = 60;
/// The id of Discord's own example: 2016-04-30T11:18:25.796Z.
pub(super) const ID: &str = "175928847299117063";

pub(super) fn here() -> Here {
    let rank = |name: &str, administers| Rank {
        name: name.to_owned(),
        administers,
    };
    Here {
        me: UserId::new(ME),
        application: ApplicationId::new(APPLICATION),
        server: None,
        kind: PlaceKind::Channel,
        roles: BTreeMap::from([
            (RoleId::new(70), rank("사서", false)),
            (RoleId::new(71), rank("staff", true)),
        ]),
        owner: Some(UserId::new(800)),
        language: Language::Korean,
    }
}

pub(super) fn user(id: u64, name: &str) -> Value {
    json!({
        "id": id.to_string(), "username": name.to_lowercase(), "discriminator": "0",
        "global_name": name, "avatar": null, "public_flags": 0,
    })
}

pub(super) fn me() -> Value {
    let mut me = user(ME, "saseo");
    me["bot"] = true.into();
    me
}

pub(super) fn with(mut base: Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else {
        panic!("changes are an object");
    };
    base.as_object_mut().unwrap().extend(changes);
    base
}

/// A `MESSAGE_CREATE` that mentions us.
pub(super) fn said(content: &str, changes: Value) -> Message {
    let base = json!({
        "id": ID, "channel_id": CHANNEL.to_string(), "guild_id": GUILD.to_string(),
        "author": user(1, "Ada"), "content": content, "type": 0,
        "member": {
            "roles": ["70"], "joined_at": "2020-01-01T00:00:00+00:00", "deaf": false,
            "mute": false, "flags": 0, "nick": null,
        },
        "timestamp": "2016-04-30T11:18:25.796000+00:00", "edited_timestamp": null,
        "tts": false, "mention_everyone": false, "mentions": [me()], "mention_roles": [],
        "attachments": [], "embeds": [], "pinned": false, "flags": 0, "components": [],
        "nonce": "1", "channel_type": 0,
    });
    serde_json::from_value(with(base, changes)).unwrap()
}

pub(super) fn attachment(id: u64, name: &str, kind: Option<&str>) -> Value {
    let mut attachment = json!({
        "id": id.to_string(), "filename": name, "size": 12, "proxy_url": "https://p.example",
        "url": format!("https://cdn.example/{name}?ex=1"), "content_type_": null,
    });
    if let Some(kind) = kind {
        attachment["content_type"] = kind.into();
    }
    attachment
}

pub(super) fn asking(question: &str, unread: &[&str]) -> Wish {
    Wish::Ask {
        question: question.to_owned(),
        unread: unread.iter().map(|name| (*name).to_owned()).collect(),
    }
}
