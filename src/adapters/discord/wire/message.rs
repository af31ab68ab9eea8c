//! What a message asks of us, and how its notation is read aloud.

use std::borrow::Cow;

use serenity::model::channel::{Message, MessageType};
use serenity::model::id::{MessageId, RoleId, UserId};
use serenity::model::user::User;

use super::{Address, Here, attached, link, person, place, when};
use crate::adapters::chat::text::joined;
use crate::domain::command;
use crate::domain::event::{Event, EventKey, PlaceKind, Platform};
use crate::domain::language::Language;

/// What a message asks of us. `None` for what is not meant for us: no mention of us, no reply
/// to us and not in private; and for what no person said.
pub fn heard(message: &Message, here: &Here) -> Option<Event> {
    if !said_by_a_person(message, here) {
        return None;
    }
    let replies_to = replied_to(message, here);
    let mentioned = mentions(message, here.me);
    if !mentioned && replies_to.is_none() && here.kind != PlaceKind::Direct {
        return None;
    }
    let guild = message.guild_id.or(here.server);
    let text = whole(message, here);
    let files = attached(message, &link(guild, message.channel_id, message.id.get()));
    if text.is_empty() && files.is_empty() && !mentioned && !shows(message) {
        return None;
    }
    let roles = message.member.as_ref().map(|member| &*member.roles);
    let address = Address::Message {
        channel: message.channel_id,
        message: message.id,
        author: message.author.id,
        guild,
    };
    Some(Event {
        key: EventKey::new(
            Platform::Discord,
            &format!("channel/{}/message/{}", message.channel_id, message.id),
        ),
        place: place(guild, message.channel_id, here.kind),
        person: person(message.author.id, roles.unwrap_or_default(), None, here),
        at: when(message.id.created_at()),
        language: language(&text, here),
        replies_to: replies_to.map(|id| id.to_string()),
        wish: command::said(text, files),
        address: serde_json::to_string(&address).ok()?,
    })
}

fn language(text: &str, here: &Here) -> Language {
    if text.contains(char::is_alphabetic) {
        Language::of(text)
    } else {
        here.language
    }
}

fn said_by_a_person(message: &Message, here: &Here) -> bool {
    let author = &message.author;
    matches!(
        message.kind,
        MessageType::Regular | MessageType::InlineReply
    ) && message.webhook_id.is_none()
        && !author.bot
        && !author.system
        && author.id != here.me
}

/// Our own message that `message` replies to.
fn replied_to(message: &Message, here: &Here) -> Option<MessageId> {
    let before = message.referenced_message.as_ref()?;
    (before.author.id == here.me).then_some(before.id)
}

/// Whether `message` calls us by name: a reply mentions without a word, and a name in code is
/// an example. Discord's list of those mentioned would tell the latter as well; other servers
/// leave it empty.
fn mentions(message: &Message, me: UserId) -> bool {
    let listed = message.mentions.iter().any(|user| user.id == me);
    let content = message.content.as_str();
    let named =
        |text: &str| text.contains(&format!("<@{me}>")) || text.contains(&format!("<@!{me}>"));
    if listed {
        return named(content);
    }
    let between_marks = content.split('`').step_by(2);
    between_marks.into_iter().any(named)
}

/// Whether there is something to see in `message`, though nothing to read. Where there is
/// nothing at all, its words are withheld from us.
fn shows(message: &Message) -> bool {
    !message.sticker_items.is_empty()
        || !message.message_snapshots.is_empty()
        || message.poll.is_some()
}

/// The words of a message, with those that it forwards.
pub(super) fn whole(message: &Message, here: &Here) -> String {
    let forwarded = message.message_snapshots.iter();
    std::iter::once(&message.content)
        .chain(forwarded.map(|snapshot| &snapshot.content))
        .map(|content| plain(content, message, here))
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join("\n\n")
}

/// `content` as it is read aloud: without our name, and with names instead of numbers.
fn plain(content: &str, message: &Message, here: &Here) -> String {
    let (mut text, mut rest) = (String::new(), content);
    while let Some((before, from)) = rest.split_once('<') {
        text.push_str(before);
        let read = from
            .split_once('>')
            .and_then(|(tag, after)| Some((spoken(tag, message, here)?, after)));
        match read {
            Some((name, after)) if name.is_empty() => rest = joined(&text, after),
            Some((name, after)) => {
                text.push_str(&name);
                rest = after;
            },
            None => {
                text.push('<');
                rest = from;
            },
        }
    }
    text.push_str(rest);
    text.trim().to_owned()
}

/// How the notation between `<` and `>` is read aloud: nothing for our own name and for a
/// channel whose name is not known; `None` for what is no notation.
fn spoken<'a>(tag: &'a str, message: &'a Message, here: &'a Here) -> Option<Cow<'a, str>> {
    if let Some(id) = tag.strip_prefix("@&").and_then(number) {
        let rank = here.roles.get(&RoleId::new(id))?;
        return Some(Cow::Borrowed(&rank.name));
    }
    if let Some(id) = tag.strip_prefix('@') {
        let id = UserId::new(number(id.strip_prefix('!').unwrap_or(id))?);
        if id == here.me {
            return Some(Cow::Borrowed(""));
        }
        let user = message.mentions.iter().find(|user| user.id == id)?;
        return Some(Cow::Borrowed(display_name(user)));
    }
    if let Some(id) = tag.strip_prefix('#').and_then(number) {
        let channel = message
            .mention_channels
            .iter()
            .find(|channel| channel.id.get() == id);
        return Some(channel.map_or(Cow::Borrowed(""), |channel| {
            Cow::Owned(format!("#{}", channel.name))
        }));
    }
    let (name, id) = tag.rsplit_once(':')?;
    number(id)?;
    if name.starts_with('/') {
        return Some(Cow::Borrowed(name));
    }
    let name = name.strip_prefix(':').or_else(|| name.strip_prefix("a:"))?;
    let named = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    named.then_some(Cow::Borrowed(name))
}

/// An id, which is never 0.
fn number(digits: &str) -> Option<u64> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|id| plain && *id != 0)
}

fn display_name(user: &User) -> &str {
    let nick = user
        .member
        .as_ref()
        .and_then(|member| member.nick.as_deref());
    nick.unwrap_or_else(|| user.display_name())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};
    use serenity::model::guild::Role;
    use serenity::model::id::{ChannelId, GuildId};

    use super::super::Rank;
    use super::super::examples::{
        CHANNEL, ID, ME, asking, attachment, here, me, said, user, with,
    };
    use super::*;
    use crate::domain::event::{Material, Wish};

    fn direct() -> Here {
        Here {
            kind: PlaceKind::Direct,
            roles: BTreeMap::new(),
            owner: None,
            ..here()
        }
    }

    /// A direct message.
    fn whispered(content: &str, changes: Value) -> Message {
        let mut message = said(content, with(json!({ "mentions": [] }), changes));
        message.guild_id = None;
        message.member = None;
        message
    }

    fn replying(content: &str, from: &Value, changes: Value) -> Message {
        let before = json!({
            "id": "77", "channel_id": CHANNEL.to_string(), "author": from, "content": "So it is.",
            "type": 0, "timestamp": "2016-04-30T11:00:00+00:00", "edited_timestamp": null,
            "tts": false, "mention_everyone": false, "mentions": [], "mention_roles": [],
            "attachments": [], "embeds": [], "pinned": false, "components": [],
        });
        let reply = json!({
            "type": 19, "referenced_message": before, "mentions": [],
            "message_reference": { "message_id": "77", "channel_id": CHANNEL.to_string() },
        });
        said(content, with(reply, changes))
    }

    #[track_caller]
    fn check_question(message: &Message, here: &Here, expected: &str) {
        let event = heard(message, here).expect("it is meant for us");
        let question = expected.to_owned();
        let Wish::Ask { question: read, .. } = event.wish else {
            panic!("no question");
        };
        assert_eq!(read, question);
    }

    #[test]
    fn a_mention_is_a_question_and_everything_about_it_is_told() {
        let event = heard(&said("<@900> how long is leave?", json!({})), &here()).unwrap();
        assert_eq!(
            event.key.as_str(),
            format!("discord:channel/60/message/{ID}")
        );
        assert_eq!(
            event.place,
            place(
                Some(GuildId::new(50)),
                ChannelId::new(60),
                PlaceKind::Channel
            )
        );
        assert_eq!(event.person.id, "1");
        assert_eq!(event.person.roles, ["사서", "70"]);
        assert!(!event.person.administers);
        assert_eq!(event.at.to_rfc3339(), "2016-04-30T11:18:25.796+00:00");
        assert_eq!(event.language, Language::English);
        assert_eq!(event.replies_to, None);
        assert_eq!(
            event.address,
            format!(
                r#"{{"to":"message","channel":"60","message":"{ID}","author":"1","guild":"50"}}"#
            )
        );
        assert_eq!(
            Address::parse(&event.address),
            Some(Address::Message {
                channel: ChannelId::new(60),
                message: MessageId::new(ID.parse().unwrap()),
                author: UserId::new(1),
                guild: Some(GuildId::new(50)),
            })
        );
        assert_eq!(Address::parse("elsewhere"), None);
    }

    #[test]
    fn our_name_is_taken_out_of_what_is_said() {
        for (content, question) in [
            ("<@900> when?", "when?"),
            ("<@!900>, when?", "when?"),
            ("so <@900> when?", "so when?"),
            ("when, <@900>?", "when, ?"),
            ("when?\n<@900>", "when?"),
            ("<@900> <@900>", ""),
            (
                "<@900> /library add url:https://a.example",
                "/library add url:https://a.example",
            ),
            ("<@900>\n/ask why", "/ask why"),
            ("<@900> is 1 < 2 > 0 <b>?", "is 1 < 2 > 0 <b>?"),
        ] {
            check_question(&said(content, json!({})), &here(), question);
        }
    }

    #[test]
    fn other_notation_is_read_aloud() {
        let mut kim = user(2, "Kim");
        kim["member"] = json!({ "roles": [], "nick": "김 팀장", "flags": 0 });
        let changes = json!({
            "mentions": [me(), kim, user(3, "Lee")],
            "mention_channels": [{
                "id": "61", "guild_id": "50", "type": 0, "name": "rules",
            }],
        });
        for (content, question) in [
            ("<@900> ask <@2> or <@!3>", "ask 김 팀장 or Lee"),
            ("<@900> who is <@4>?", "who is <@4>?"),
            ("<@900> may <@&70> and <@&79>?", "may 사서 and <@&79>?"),
            ("<@900> see <#61> <#62>!", "see #rules !"),
            ("<@900> <:ship_it:5> <a:party:6>", "ship_it party"),
            ("<@900> what is </library add:7>?", "what is /library add?"),
            ("<@900> at <t:1700000000:R>", "at <t:1700000000:R>"),
        ] {
            check_question(&said(content, changes.clone()), &here(), question);
        }
    }

    #[test]
    fn who_does_not_call_us_is_not_heard() {
        for message in [
            said("no name", json!({})),
            said("`<@900>` in code", json!({ "mentions": [] })),
            said(
                "<@&70> all",
                json!({ "mentions": [], "mention_roles": ["70"] }),
            ),
            said(
                "@everyone",
                json!({ "mentions": [], "mention_everyone": true }),
            ),
            said("<@2>?", json!({ "mentions": [user(2, "Kim")] })),
        ] {
            assert_eq!(heard(&message, &here()), None, "{}", message.content);
        }
    }

    #[test]
    fn only_people_are_heard() {
        let mut bot = user(2, "Bot");
        bot["bot"] = true.into();
        let mut system = user(3, "Discord");
        system["system"] = true.into();
        for changes in [
            json!({ "author": bot }),
            json!({ "author": system }),
            json!({ "author": user(ME, "saseo") }),
            json!({ "webhook_id": "5" }),
            json!({ "type": 7 }),
            json!({ "type": 20 }),
            json!({ "type": 21 }),
        ] {
            let message = said("<@900> when?", changes.clone());
            assert_eq!(heard(&message, &here()), None, "{changes}");
        }
    }

    #[test]
    fn a_reply_to_us_goes_on_without_our_name() {
        let message = replying("and after that?", &me(), json!({}));
        let event = heard(&message, &here()).unwrap();
        assert_eq!(event.replies_to.as_deref(), Some("77"));
        check_question(&message, &here(), "and after that?");

        let to_another = replying("and after that?", &user(2, "Kim"), json!({}));
        assert_eq!(heard(&to_another, &here()), None);
        let mentioning = replying(
            "<@900> is that so?",
            &user(2, "Kim"),
            json!({ "mentions": [me()] }),
        );
        assert_eq!(heard(&mentioning, &here()).unwrap().replies_to, None);
        let thread_starter = replying("and?", &me(), json!({ "type": 21 }));
        assert_eq!(heard(&thread_starter, &here()), None);
    }

    #[test]
    fn a_reply_whose_words_are_withheld_is_not_heard() {
        assert_eq!(heard(&replying("", &me(), json!({})), &here()), None);
        let pinged = replying("", &me(), json!({ "mentions": [me()] }));
        assert_eq!(heard(&pinged, &here()), None);
    }

    #[test]
    fn a_name_and_nothing_else_is_an_empty_question() {
        check_question(&said(" <@900> ", json!({})), &here(), "");
        check_question(
            &replying("<@!900>", &me(), json!({ "mentions": [me()] })),
            &here(),
            "",
        );
    }

    #[test]
    fn in_private_everything_is_for_us() {
        let event = heard(&whispered("휴가는?", json!({})), &direct()).unwrap();
        assert_eq!(event.place.server, None);
        assert_eq!(event.place.kind, PlaceKind::Direct);
        assert_eq!(event.language, Language::Korean);
        assert!(event.person.roles.is_empty());
        check_question(&whispered("휴가는?", json!({})), &direct(), "휴가는?");
        assert_eq!(heard(&whispered("", json!({})), &direct()), None);
        assert_eq!(heard(&whispered("  ", json!({})), &direct()), None);
    }

    #[test]
    fn what_is_forwarded_to_us_is_what_is_said() {
        let forwarding = |content: &str, attachments: Value| {
            json!({ "message_snapshots": [{ "message": {
                "type": 0, "content": content, "timestamp": "2026-01-01T00:00:00+00:00",
                "edited_timestamp": null, "mentions": [], "mention_roles": [],
                "attachments": attachments, "embeds": [], "flags": 0, "components": [],
            }}]})
        };
        let alone = forwarding("휴가는 며칠?", json!([]));
        check_question(&whispered("", alone.clone()), &direct(), "휴가는 며칠?");
        check_question(&replying("", &me(), alone.clone()), &here(), "휴가는 며칠?");
        let both = said("<@900> is this so?", forwarding("15 days.", json!([])));
        check_question(&both, &here(), "is this so?\n\n15 days.");
        let files = forwarding("", json!([attachment(11, "guide.md", None)]));
        assert_eq!(added(&whispered("", files), &direct()).len(), 1);
        // An embed, say: nothing that we read.
        let unread = forwarding("", json!([]));
        check_question(&whispered("", unread), &direct(), "");
        assert_eq!(
            heard(&said("", with(alone, json!({ "mentions": [] }))), &here()),
            None
        );
    }

    #[test]
    fn a_sticker_alone_is_an_empty_question() {
        let sticker = json!({ "sticker_items": [
            { "id": "5", "name": "Wave", "format_type": 1 },
        ]});
        check_question(&whispered("", sticker.clone()), &direct(), "");
        check_question(&replying("", &me(), sticker), &here(), "");
    }

    #[test]
    fn a_fetched_message_belongs_to_the_server_it_was_fetched_from() {
        let message = whispered("<@900> when?", json!({ "mentions": [me()] }));
        let here = Here {
            server: Some(GuildId::new(50)),
            kind: PlaceKind::Thread,
            ..here()
        };
        let event = heard(&message, &here).unwrap();
        assert_eq!(event.place.server.as_deref(), Some("50"));
        assert_eq!(event.place.kind, PlaceKind::Thread);
        assert!(event.address.contains(r#""guild":"50""#));
    }

    #[test]
    fn words_without_letters_are_spoken_to_in_the_language_of_the_place() {
        let language =
            |content: &str| heard(&said(content, json!({})), &here()).unwrap().language;
        assert_eq!(language("<@900>"), Language::Korean);
        assert_eq!(language("<@900> 404?"), Language::Korean);
        assert_eq!(language("<@900> why 404?"), Language::English);
        assert_eq!(language("<@900> なぜ?"), Language::Other);
    }

    #[test]
    fn owners_and_administering_roles_administer() {
        let administers = |changes: Value| {
            let message = said("<@900> when?", changes);
            heard(&message, &here()).unwrap().person.administers
        };
        let member = |role: &str| json!({ "roles": [role], "flags": 0 });
        assert!(administers(json!({ "author": user(800, "Owner") })));
        assert!(administers(json!({ "member": member("71") })));
        assert!(!administers(json!({ "member": member("70") })));
        assert!(!administers(json!({ "member": member("5") })));

        let role: Role = serde_json::from_value(json!({
            "id": "9", "name": "mods", "permissions": "32", "position": 1, "color": 0,
            "colors": { "primary_color": 0, "secondary_color": null, "tertiary_color": null },
            "hoist": false, "managed": false, "mentionable": false, "flags": 0,
        }))
        .unwrap();
        let expected = Rank {
            name: "mods".into(),
            administers: true,
        };
        assert_eq!(Rank::from(&role), expected);
    }

    fn added(message: &Message, here: &Here) -> Vec<Material> {
        let event = heard(message, here).unwrap();
        let Wish::Add {
            what,
            title: None,
            collection: None,
            ..
        } = event.wish
        else {
            panic!("{:?}", event.wish);
        };
        what
    }

    #[test]
    fn files_are_to_be_added_and_the_words_beside_them_are_left_out() {
        let files = json!({ "attachments": [
            attachment(11, "guide.md", None),
            attachment(12, "plan.png", Some("image/png")),
        ]});
        let message = said("<@900> please keep these", files);
        let what = added(&message, &here());
        let wish = heard(&message, &here()).unwrap().wish;
        assert!(
            matches!(&wish, Wish::Add { beside: Some(beside), .. } if beside == "please keep these"),
            "{wish:?}"
        );
        assert_eq!(
            what.first(),
            Some(&Material::File {
                name: "guide.md".into(),
                content_type: None,
                bytes: 12,
                url: "https://cdn.example/guide.md?ex=1".into(),
                link: format!("https://discord.com/channels/50/60/{ID}#11"),
            })
        );
        assert_eq!(what.len(), 2);
    }

    #[test]
    fn words_beside_a_picture_are_a_question() {
        let pictures = json!({ "attachments": [
            attachment(11, "error.png", Some("image/png")),
            attachment(12, "error.webm", Some("video/webm")),
        ]});
        let message = said("<@900> why is this?", pictures.clone());
        let asked = asking("why is this?", &["error.png", "error.webm"]);
        assert_eq!(heard(&message, &here()).unwrap().wish, asked);
        assert_eq!(added(&said("<@900>", pictures.clone()), &here()).len(), 2);
        let sent = whispered("", pictures);
        assert_eq!(added(&sent, &direct()).len(), 2);
        let Some(Material::File { link, .. }) = added(&sent, &direct()).into_iter().next()
        else {
            panic!("no file");
        };
        assert_eq!(link, format!("https://discord.com/channels/@me/60/{ID}#11"));
    }
}
