//! The requests that carry the librarian's pages: posts, edits, acknowledgements, choices.

use serde_json::{Map, Value, json};
use serenity::model::id::{ChannelId, MessageId};

use super::Deferred;
use crate::adapters::discord::dialect::{self, units};
use crate::domain::document::Digest;
use crate::domain::event::EventKey;
use crate::domain::page::{Button, Page, Weight};

/// A new message in a channel, below `reply_to` where that still stands. Discord makes one
/// message of however many with the same `nonce` it is sent within some minutes.
pub fn message(page: &Page, reply_to: Option<(ChannelId, MessageId)>, nonce: &str) -> Value {
    let mut request = post(page, SUPPRESS_EMBEDS);
    request.insert("nonce".into(), nonce.into());
    request.insert("enforce_nonce".into(), true.into());
    if let Some((channel, id)) = reply_to {
        // A server that gives it back as it was sent would else tell of a message that serenity
        // cannot read: a button under it would be heard by nobody.
        let reference = json!({
            "channel_id": channel,
            "message_id": id,
            "fail_if_not_exists": false,
        });
        request.insert("message_reference".into(), reference);
    }
    Value::Object(request)
}

/// What takes the place of a message of ours, whichever way it was posted: buttons that are not
/// on `page` go.
pub fn edit(page: &Page) -> Value {
    Value::Object(post(page, SUPPRESS_EMBEDS))
}

/// A further message below the reply to an interaction that was `deferred`.
pub fn follow_up(page: &Page, deferred: Deferred) -> Value {
    let flags = match deferred {
        Deferred::Private => SUPPRESS_EMBEDS | EPHEMERAL,
        Deferred::Fresh | Deferred::InPlace => SUPPRESS_EMBEDS,
    };
    Value::Object(post(page, flags))
}

/// Acknowledges an interaction; its reply takes the place of this.
pub fn defer(deferred: Deferred) -> Value {
    match deferred {
        Deferred::Fresh => json!({ "type": DEFERRED_MESSAGE }),
        Deferred::Private => {
            json!({ "type": DEFERRED_MESSAGE, "data": { "flags": EPHEMERAL } })
        },
        Deferred::InPlace => json!({ "type": DEFERRED_UPDATE }),
    }
}

/// Replies to an interaction at once, so that only the person sees it.
pub fn whisper(page: &Page) -> Value {
    json!({ "type": MESSAGE, "data": post(page, SUPPRESS_EMBEDS | EPHEMERAL) })
}

/// Something that can be chosen: as it is shown, and as it comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    pub name: String,
    pub value: String,
}

/// Offers what can be chosen for an option that is being typed, as far as it fits. A value that
/// is too long is left out: cut, it would be another one.
pub fn choices(offers: &[Offer]) -> Value {
    const MOST: usize = 25;
    const LONGEST: usize = 100;
    let choices: Vec<_> = offers
        .iter()
        .filter(|offer| !offer.name.trim().is_empty() && units(&offer.value) <= LONGEST)
        .take(MOST)
        .map(|offer| json!({ "name": shortened(&offer.name, LONGEST), "value": offer.value }))
        .collect();
    json!({ "type": CHOICES, "data": { "choices": choices } })
}

/// The name by which Discord tells that part number `part` of the reply to an event was posted
/// before.
pub fn nonce(key: &EventKey, part: usize) -> String {
    const LONGEST: usize = 25;
    let digest = Digest::of(format!("{}/{part}", key.as_str()).as_bytes()).to_string();
    digest.chars().take(LONGEST).collect()
}

const SUPPRESS_EMBEDS: u64 = 1 << 2;
const EPHEMERAL: u64 = 1 << 6;

// Kinds of replies to an interaction.
const MESSAGE: u8 = 4;
const DEFERRED_MESSAGE: u8 = 5;
const DEFERRED_UPDATE: u8 = 6;
const CHOICES: u8 = 8;

/// What posts and edits have in common. Nobody is ever called: Discord reads mentions anew with
/// every edit.
fn post(page: &Page, flags: u64) -> Map<String, Value> {
    let mut request = Map::new();
    request.insert("content".into(), dialect::content(page).into());
    request.insert(
        "allowed_mentions".into(),
        json!({ "parse": [], "replied_user": false }),
    );
    request.insert("flags".into(), flags.into());
    request.insert("components".into(), rows(&page.buttons).into());
    request
}

fn rows(buttons: &[Button]) -> Vec<Value> {
    const A_ROW: usize = 5;
    const ROWS: usize = 5;
    let row = |buttons: &[Button]| {
        let buttons: Vec<_> = buttons.iter().map(button).collect();
        json!({ "type": 1, "components": buttons })
    };
    buttons.chunks(A_ROW).take(ROWS).map(row).collect()
}

fn button(button: &Button) -> Value {
    const LONGEST: usize = 80;
    let style = match button.weight {
        Weight::Main => 1,
        Weight::Plain => 2,
        Weight::Danger => 4,
    };
    json!({
        "type": 2,
        "style": style,
        "label": shortened(button.label, LONGEST),
        "custom_id": button.press.code(),
    })
}

/// `text`, or as much of its beginning as fits with a sign that it goes on.
fn shortened(text: &str, longest: usize) -> String {
    if units(text) <= longest {
        return text.to_owned();
    }
    let mut room = longest - 1;
    let start = text.chars().take_while(|c| {
        let fits = c.len_utf16() <= room;
        room = room.saturating_sub(c.len_utf16());
        fits
    });
    start.chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{Platform, Press};

    fn page(buttons: Vec<Button>) -> Page {
        Page {
            buttons,
            ..Page::notice("So *it* is.")
        }
    }

    fn sources(label: &'static str, weight: Weight) -> Button {
        Button {
            label,
            press: Press::Sources("3fa9".into()),
            weight,
        }
    }

    #[test]
    fn a_post_calls_nobody_shows_no_previews_and_is_made_once() {
        assert_eq!(
            message(
                &page(vec![]),
                Some((ChannelId::new(5), MessageId::new(77))),
                "n1"
            ),
            json!({
                "content": "So \\*it\\* is.",
                "allowed_mentions": { "parse": [], "replied_user": false },
                "flags": 4,
                "components": [],
                "message_reference": {
                    "channel_id": "5", "message_id": "77", "fail_if_not_exists": false,
                },
                "nonce": "n1",
                "enforce_nonce": true,
            })
        );
        let alone = message(&page(vec![]), None, "n1");
        assert_eq!(alone.get("message_reference"), None);
    }

    #[test]
    fn an_edit_takes_away_the_buttons_that_are_not_on_it() {
        assert_eq!(
            edit(&page(vec![])),
            json!({
                "content": "So \\*it\\* is.",
                "allowed_mentions": { "parse": [], "replied_user": false },
                "flags": 4,
                "components": [],
            })
        );
        let follow_up = |deferred| follow_up(&page(vec![]), deferred)["flags"].clone();
        assert_eq!(follow_up(Deferred::Fresh), 4);
        assert_eq!(follow_up(Deferred::Private), 68);
        assert_eq!(follow_up(Deferred::InPlace), 4);
    }

    #[test]
    fn buttons_stand_in_rows_and_tell_what_they_do() {
        let mut buttons = vec![
            sources("Sources", Weight::Plain),
            sources("Add", Weight::Main),
            sources("Stop", Weight::Danger),
        ];
        let components = edit(&page(buttons.clone()))["components"].clone();
        let shown = |style: u8, label: &str| {
            json!({
                "type": 2, "style": style, "label": label, "custom_id": "saseo:sources:3fa9",
            })
        };
        let row = [shown(2, "Sources"), shown(1, "Add"), shown(4, "Stop")];
        assert_eq!(components, json!([{ "type": 1, "components": row }]));

        buttons.resize(40, sources("Sources", Weight::Plain));
        let components = edit(&page(buttons))["components"].clone();
        let rows = components.as_array().unwrap();
        assert_eq!(rows.len(), 5);
        assert!(
            rows.iter()
                .all(|row| row["components"].as_array().unwrap().len() == 5)
        );
    }

    #[test]
    fn a_label_is_no_longer_than_it_may_be() {
        let long = "서가에서 출처를 모두 보여 주세요, 부탁드립니다! 😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀";
        let shown = button(&sources(long, Weight::Plain));
        let label = shown["label"].as_str().unwrap();
        assert!(units(label) <= 80 && units(label) > 77, "{label}");
        assert!(label.ends_with('…'));
        assert_eq!(shortened("fits", 4), "fits");
        assert_eq!(shortened("a😀b", 3), "a…");
    }

    #[test]
    fn interactions_are_acknowledged_as_their_reply_will_stand() {
        assert_eq!(defer(Deferred::Fresh), json!({ "type": 5 }));
        assert_eq!(
            defer(Deferred::Private),
            json!({ "type": 5, "data": { "flags": 64 } })
        );
        assert_eq!(defer(Deferred::InPlace), json!({ "type": 6 }));
        assert_eq!(
            whisper(&Page::notice("Why?")),
            json!({ "type": 4, "data": {
                "content": "Why?",
                "allowed_mentions": { "parse": [], "replied_user": false },
                "flags": 68,
                "components": [],
            }})
        );
    }

    #[test]
    fn choices_are_offered_as_far_as_they_fit() {
        let offer = |name: &str, value: &str| Offer {
            name: name.into(),
            value: value.into(),
        };
        let long = "길".repeat(101);
        let mut offers = vec![
            offer(&long, "a"),
            offer("too long a value", &long),
            offer(" ", "b"),
            offer("휴가", "hr/leave.md"),
        ];
        let shown = choices(&offers);
        assert_eq!(shown["type"], 8);
        let name = format!("{}…", "길".repeat(99));
        assert_eq!(
            shown["data"]["choices"],
            json!([
                { "name": name, "value": "a" },
                { "name": "휴가", "value": "hr/leave.md" },
            ])
        );
        offers.resize(60, offer("c", "c"));
        assert_eq!(
            choices(&offers)["data"]["choices"]
                .as_array()
                .unwrap()
                .len(),
            25
        );
    }

    #[test]
    fn a_nonce_is_the_same_for_the_same_part_only() {
        let key = |name: &str| EventKey::new(Platform::Discord, name);
        assert_eq!(nonce(&key("a"), 0), nonce(&key("a"), 0));
        assert_ne!(nonce(&key("a"), 0), nonce(&key("a"), 1));
        assert_ne!(nonce(&key("a"), 0), nonce(&key("b"), 0));
        assert_eq!(nonce(&key("a"), 0).len(), 25);
    }
}
