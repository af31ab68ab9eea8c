//! What a command, a button or an option that is being typed asks of us.

use serenity::model::application::{
    CommandData, CommandInteraction, CommandType, Interaction, InteractionContext,
    ResolvedOption, ResolvedTarget, ResolvedValue,
};
use serenity::model::channel::{ChannelType, PartialChannel};
use serenity::model::guild::Member;
use serenity::model::id::{
    ApplicationId, ChannelId, GuildId, InteractionId, MessageId, UserId,
};
use serenity::model::user::User;

use super::message::whole;
use super::{Address, Deferred, Here, attached, file, link, person, place, when};
use crate::domain::command::{self, Given, Menu, Slip};
use crate::domain::event::{Event, EventKey, Person, Place, PlaceKind, Platform, Press, Wish};
use crate::domain::language::Language;

/// What an interaction comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    Event(Box<Event>),
    /// Somebody is still typing, and wants to be shown what there is.
    Completing(Completing),
    /// Nothing can be made of it; a sentence for the person tells why.
    Slip(&'static str),
}

/// An option that is being typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completing {
    pub choice: Choice,
    /// What was typed so far.
    pub typed: String,
    pub place: Place,
    pub person: Person,
}

/// What there is to choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    Document,
    Collection,
}

/// What an interaction asks of us. `None` if it is not for us.
pub fn asked(interaction: &Interaction, here: &Here) -> Option<Heard> {
    let asker = Asker::of(interaction)?;
    if interaction.application_id() != here.application {
        return None;
    }
    let wish = match interaction {
        Interaction::Command(command) => asked_for(&command.data, &asker, here),
        Interaction::Autocomplete(command) => return completing(command, &asker, here),
        Interaction::Component(component) => Press::parse(&component.data.custom_id)
            .map(Wish::Press)
            .ok_or(Slip::Unknown),
        // We open no form.
        Interaction::Modal(_) => Err(Slip::Unknown),
        Interaction::Ping(_) | _ => return None,
    };
    match wish {
        Ok(wish) => Some(Heard::Event(Box::new(asker.event(wish, here)?))),
        Err(slip) => Some(Heard::Slip(slip.words(asker.language()))),
    }
}

/// What all interactions have in common.
struct Asker<'a> {
    application: ApplicationId,
    id: InteractionId,
    token: &'a str,
    guild: Option<GuildId>,
    channel: ChannelId,
    /// What is said of the channel.
    about: Option<&'a PartialChannel>,
    context: Option<InteractionContext>,
    member: Option<&'a Member>,
    user: &'a User,
    locale: &'a str,
    /// The post of ours whose button was pressed.
    post: Option<MessageId>,
}

impl<'a> Asker<'a> {
    fn of(interaction: &'a Interaction) -> Option<Self> {
        macro_rules! asker {
            ($of:expr, $member:expr, $context:expr, $post:expr) => {
                Some(Self {
                    application: $of.application_id,
                    id: $of.id,
                    token: &$of.token,
                    guild: $of.guild_id,
                    channel: $of.channel_id,
                    about: $of.channel.as_ref(),
                    context: $context,
                    member: $member,
                    user: &$of.user,
                    locale: &$of.locale,
                    post: $post,
                })
            };
        }
        match interaction {
            Interaction::Command(of) | Interaction::Autocomplete(of) => {
                asker!(of, of.member.as_deref(), of.context, None)
            },
            Interaction::Component(of) => {
                asker!(of, of.member.as_ref(), of.context, Some(of.message.id))
            },
            Interaction::Modal(of) => asker!(of, of.member.as_ref(), None, None),
            Interaction::Ping(_) | _ => None,
        }
    }

    fn event(&self, wish: Wish, here: &Here) -> Option<Event> {
        let at = when(self.id.created_at());
        let address = Address::Interaction {
            application: self.application,
            id: self.id,
            token: self.token.to_owned(),
            channel: self.channel,
            guild: self.guild,
            user: self.user.id,
            deferred: Deferred::of(&wish),
            at,
        };
        Some(Event {
            key: EventKey::new(Platform::Discord, &format!("interaction/{}", self.id)),
            place: self.place(here),
            person: self.person(here),
            at,
            language: self.language(),
            replies_to: self.post.map(|id| id.to_string()),
            wish,
            address: serde_json::to_string(&address).ok()?,
        })
    }

    fn place(&self, here: &Here) -> Place {
        let thread = self.about.is_some_and(|channel| {
            matches!(
                channel.kind,
                ChannelType::NewsThread
                    | ChannelType::PublicThread
                    | ChannelType::PrivateThread
            )
        });
        let kind = match self.guild {
            // Several people can be in a private channel that is not with us.
            None if self.context == Some(InteractionContext::PrivateChannel) => {
                PlaceKind::Channel
            },
            None => PlaceKind::Direct,
            Some(_) if thread => PlaceKind::Thread,
            Some(_) => here.kind,
        };
        place(self.guild, self.channel, kind)
    }

    fn person(&self, here: &Here) -> Person {
        let roles = self.member.map(|member| &*member.roles).unwrap_or_default();
        let permissions = self.member.and_then(|member| member.permissions);
        person(self.user.id, roles, permissions, here)
    }

    fn language(&self) -> Language {
        if self.locale == "ko" {
            Language::Korean
        } else {
            Language::English
        }
    }

    /// Where the words of the command were said. Discord opens a channel near such a place even
    /// though no message stands there.
    fn link(&self) -> String {
        link(self.guild, self.channel, self.id.get())
    }
}

fn asked_for(chosen: &CommandData, asker: &Asker<'_>, here: &Here) -> Result<Wish, Slip> {
    if chosen.kind == CommandType::Message {
        return menu(chosen, asker, here);
    }
    let options = chosen.options();
    let part = options.iter().find_map(|option| {
        let ResolvedValue::SubCommand(options) = &option.value else {
            return None;
        };
        Some((option.name, options))
    });
    match part {
        Some((name, options)) => {
            command::wish(&chosen.name, Some(name), &given(options, asker, here))
        },
        None => command::wish(&chosen.name, None, &given(&options, asker, here)),
    }
}

fn given(options: &[ResolvedOption<'_>], asker: &Asker<'_>, here: &Here) -> Given {
    let mut given = Given {
        link: asker.link(),
        ..Given::default()
    };
    for option in options {
        if let ResolvedValue::String(text) = &option.value {
            given.texts.insert(
                option.name.to_owned(),
                unaddressed(text, here.me).to_owned(),
            );
        }
        if let ResolvedValue::Attachment(attachment) = &option.value
            && option.name == "file"
        {
            given.file = Some(file(attachment, &given.link));
        }
    }
    given
}

/// `text` without our name before it: whoever writes it there is calling us.
fn unaddressed(text: &str, me: UserId) -> &str {
    let names = [format!("<@{me}>"), format!("<@!{me}>")];
    let mut rest = text.trim_start();
    while let Some(after) = names.iter().find_map(|name| rest.strip_prefix(name)) {
        rest = after.trim_start();
    }
    rest
}

/// A command in a message's own menu.
fn menu(chosen: &CommandData, asker: &Asker<'_>, here: &Here) -> Result<Wish, Slip> {
    let Some(ResolvedTarget::Message(message)) = chosen.target() else {
        return Err(Slip::Unknown);
    };
    let menu = match chosen.name.as_str() {
        "Add to library" => Menu::Add,
        "Ask the librarian about this" => Menu::Ask,
        _ => return Err(Slip::Unknown),
    };
    if menu == Menu::Add && message.author.id == here.me {
        return Err(Slip::OurOwn);
    }
    let link = link(asker.guild, message.channel_id, message.id.get());
    let files = attached(message, &link);
    command::of_message(menu, whole(message, here), files, link)
}

fn completing(command: &CommandInteraction, asker: &Asker<'_>, here: &Here) -> Option<Heard> {
    let option = command.data.autocomplete()?;
    let choice = match option.name {
        "document" => Choice::Document,
        "collection" => Choice::Collection,
        _ => return None,
    };
    Some(Heard::Completing(Completing {
        choice,
        typed: option.value.trim().to_owned(),
        place: asker.place(here),
        person: asker.person(here),
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::examples::{
        APPLICATION, CHANNEL, GUILD, ID, asking, attachment, here, me, said, user, with,
    };
    use super::*;
    use crate::domain::event::Material;

    /// An `INTERACTION_CREATE` of the given type.
    fn interaction(kind: u8, data: &Value, changes: Value) -> Interaction {
        let base = json!({
            "id": ID, "application_id": APPLICATION.to_string(), "type": kind, "data": data,
            "guild_id": GUILD.to_string(), "channel_id": CHANNEL.to_string(),
            "channel": { "id": CHANNEL.to_string(), "type": 0, "name": "general" },
            "member": {
                "user": user(1, "Ada"), "roles": ["70"], "nick": null, "avatar": null,
                "joined_at": "2020-01-01T00:00:00+00:00", "premium_since": null, "deaf": false,
                "mute": false, "flags": 0, "pending": false, "permissions": "0",
            },
            "token": "secret", "version": 1, "app_permissions": "2048", "locale": "en-US",
            "guild_locale": "en-US", "entitlements": [], "context": 0,
            "authorizing_integration_owners": { "0": GUILD.to_string() },
            "attachment_size_limit": 10_485_760,
        });
        serde_json::from_value(with(base, changes)).unwrap()
    }

    fn slash(name: &str, options: Value) -> Value {
        let mut command = json!({ "id": "30", "name": name, "type": 1 });
        command["options"] = options;
        command
    }

    fn text(name: &str, value: &str) -> Value {
        json!({ "name": name, "type": 3, "value": value })
    }

    fn of_library(name: &str, options: Value) -> Value {
        let mut subcommand = json!({ "name": name, "type": 1 });
        subcommand["options"] = options;
        slash("library", vec![subcommand].into())
    }

    #[track_caller]
    fn event(interaction: &Interaction) -> Event {
        match asked(interaction, &here()) {
            Some(Heard::Event(event)) => *event,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn deferred(event: &Event) -> Deferred {
        match Address::parse(&event.address) {
            Some(Address::Interaction { deferred, .. }) => deferred,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn check_command(data: &Value, wish: &Wish, expected: Deferred) {
        let event = event(&interaction(2, data, json!({})));
        assert_eq!(&event.wish, wish);
        assert_eq!(deferred(&event), expected);
    }

    #[track_caller]
    fn check_slip(kind: u8, data: &Value, expected: Slip) {
        for (locale, language) in [("ko", Language::Korean), ("fr", Language::English)] {
            let interaction = interaction(kind, data, json!({ "locale": locale }));
            assert_eq!(
                asked(&interaction, &here()),
                Some(Heard::Slip(expected.words(language)))
            );
        }
    }

    #[test]
    fn a_command_is_told_with_everything_about_it() {
        let data = slash("ask", json!([text("question", " when? ")]));
        let event = event(&interaction(2, &data, json!({ "locale": "ko" })));
        assert_eq!(event.key.as_str(), format!("discord:interaction/{ID}"));
        assert_eq!(event.person.roles, ["사서", "70"]);
        assert!(!event.person.administers);
        assert_eq!(event.at.to_rfc3339(), "2016-04-30T11:18:25.796+00:00");
        assert_eq!(event.language, Language::Korean);
        assert_eq!(event.place.kind, PlaceKind::Channel);
        assert_eq!(event.replies_to, None);
        assert_eq!(
            event.address,
            format!(
                r#"{{"to":"interaction","application":"901","id":"{ID}","token":"secret","channel":"60","guild":"50","user":"1","deferred":"fresh","at":"2016-04-30T11:18:25.796Z"}}"#
            )
        );
    }

    #[test]
    fn each_command_is_a_wish_and_private_ones_are_answered_in_private() {
        let question = "when?".to_owned();
        check_command(
            &slash("ask", json!([text("question", " when? ")])),
            &asking(&question, &[]),
            Deferred::Fresh,
        );
        check_command(
            &of_library("remove", json!([text("document", "a.md")])),
            &Wish::Remove { uri: "a.md".into() },
            Deferred::Fresh,
        );
        check_command(
            &of_library("list", json!([])),
            &Wish::List { collection: None },
            Deferred::Private,
        );
        let collection = Some("hr".to_owned());
        check_command(
            &of_library("list", json!([text("collection", "hr")])),
            &Wish::List { collection },
            Deferred::Private,
        );
        let words = "leave days".to_owned();
        check_command(
            &of_library("search", json!([text("words", "leave days")])),
            &Wish::Search { words },
            Deferred::Private,
        );
    }

    #[test]
    fn commands_without_options_are_wishes_too() {
        let private = Deferred::Private;
        check_command(&of_library("status", json!([])), &Wish::Status, private);
        check_command(&of_library("log", json!([])), &Wish::Log, private);
        check_command(&slash("stop", json!([])), &Wish::Stop, private);
        let fresh = Deferred::Fresh;
        let source = None;
        check_command(&slash("sync", json!([])), &Wish::Sync { source }, fresh);
        let source = Some("wiki".to_owned());
        check_command(
            &slash("sync", json!([text("source", "wiki")])),
            &Wish::Sync { source },
            fresh,
        );
    }

    #[test]
    fn an_address_a_file_and_a_text_can_be_added_at_once() {
        let mut data = of_library(
            "add",
            json!([
                text("url", "https://a.example/휴가"),
                { "name": "file", "type": 11, "value": "11" },
                text("text", "Leave is 15 days."),
                text("title", "Leave"),
                text("collection", "hr"),
            ]),
        );
        data["resolved"] = json!({
            "attachments": { "11": attachment(11, "guide.md", Some("text/markdown")) },
        });
        let link = format!("https://discord.com/channels/50/60/{ID}");
        let what = vec![
            Material::Page {
                url: "https://a.example/%ED%9C%B4%EA%B0%80".into(),
            },
            Material::File {
                name: "guide.md".into(),
                content_type: Some("text/markdown".into()),
                bytes: 12,
                url: "https://cdn.example/guide.md?ex=1".into(),
                link: format!("{link}#11"),
            },
            Material::Text {
                text: "Leave is 15 days.".into(),
                link,
            },
        ];
        let wish = Wish::Add {
            what,
            title: Some("Leave".into()),
            collection: Some("hr".into()),
            beside: None,
        };
        check_command(&data, &wish, Deferred::Fresh);
    }

    #[test]
    fn what_is_missing_or_odd_is_told_in_the_persons_language() {
        let odd = json!([{ "name": "question", "type": 4, "value": 7 }]);
        for (data, slip) in [
            (slash("ask", json!([])), Slip::NoQuestion),
            (
                slash("ask", json!([text("question", "  ")])),
                Slip::NoQuestion,
            ),
            (slash("ask", odd), Slip::NoQuestion),
            (of_library("add", json!([])), Slip::NothingToAdd),
            (
                of_library("add", json!([text("title", "Only a title")])),
                Slip::NothingToAdd,
            ),
            (
                of_library(
                    "add",
                    json!([{ "name": "file", "type": 11, "value": "404" }]),
                ),
                Slip::NothingToAdd,
            ),
            (
                of_library("add", json!([text("url", "the wiki")])),
                Slip::NotAnAddress,
            ),
            (
                of_library("add", json!([text("url", "file:///etc/passwd")])),
                Slip::NotAnAddress,
            ),
            (
                of_library("add", json!([text("url", "javascript:alert(1)")])),
                Slip::NotAnAddress,
            ),
        ] {
            check_slip(2, &data, slip);
        }
    }

    #[test]
    fn what_was_never_offered_is_told_in_the_persons_language() {
        for (data, slip) in [
            (of_library("remove", json!([])), Slip::NoDocument),
            (
                of_library("search", json!([text("words", "")])),
                Slip::NoWords,
            ),
            (of_library("burn", json!([])), Slip::Unknown),
            (slash("library", json!([])), Slip::Unknown),
            (slash("library", json!([text("add", "x")])), Slip::Unknown),
            (slash("dance", json!([])), Slip::Unknown),
        ] {
            check_slip(2, &data, slip);
        }
    }

    /// A command in the menu of a message by somebody else.
    fn menu_of(name: &str, content: &str, changes: Value) -> Value {
        let message = said(content, json!({ "author": user(2, "Kim"), "mentions": [] }));
        let message = with(serde_json::to_value(message).unwrap(), changes);
        json!({
            "id": "31", "name": name, "type": 3, "target_id": ID,
            "resolved": { "messages": { ID: message } },
        })
    }

    #[test]
    fn what_we_said_ourselves_is_not_added_but_may_be_asked_about() {
        let ours = json!({ "author": me() });
        let add = menu_of("Add to library", "Leave is 15 days.", ours.clone());
        check_slip(2, &add, Slip::OurOwn);
        let ask = menu_of("Ask the librarian about this", "why?", ours);
        check_command(&ask, &asking("why?", &[]), Deferred::Fresh);
    }

    #[test]
    fn our_name_before_a_text_is_no_part_of_it() {
        let search = |words: &str| of_library("search", json!([text("words", words)]));
        for said in ["<@900> leave of <@900>", "<@!900>leave of <@900>"] {
            let words = "leave of <@900>".to_owned();
            check_command(&search(said), &Wish::Search { words }, Deferred::Private);
        }
        let words = "<@2> leave".to_owned();
        check_command(
            &search("<@2> leave"),
            &Wish::Search { words },
            Deferred::Private,
        );
    }

    #[test]
    fn a_message_can_be_added_from_its_menu() {
        let link = format!("https://discord.com/channels/50/60/{ID}");
        let files = json!({ "attachments": [attachment(11, "a.md", None)] });
        let data = menu_of("Add to library", "Leave is\n15 days.", files);
        let text = Material::Text {
            text: "Leave is\n15 days.".into(),
            link: link.clone(),
        };
        let file = Material::File {
            name: "a.md".into(),
            content_type: None,
            bytes: 12,
            url: "https://cdn.example/a.md?ex=1".into(),
            link: format!("{link}#11"),
        };
        let wish = Wish::Add {
            what: vec![text, file],
            title: None,
            collection: None,
            beside: None,
        };
        check_command(&data, &wish, Deferred::Fresh);
        check_slip(
            2,
            &menu_of("Add to library", "", json!({})),
            Slip::EmptyMessage,
        );
    }

    #[test]
    fn a_forwarded_message_is_read_where_it_was_forwarded_to() {
        let forwarded = json!({ "message_snapshots": [{ "message": {
            "content": "Leave is 15 days.", "timestamp": "2016-04-30T11:00:00+00:00",
            "edited_timestamp": null, "mentions": [], "mention_roles": [], "type": 0,
            "attachments": [attachment(12, "b.md", None)], "embeds": [], "flags": 0,
        }}]});
        let ask = menu_of("Ask the librarian about this", "", forwarded.clone());
        let question = "Leave is 15 days.".to_owned();
        check_command(&ask, &asking(&question, &["b.md"]), Deferred::Fresh);
        let add = menu_of("Add to library", "", forwarded);
        let Wish::Add { what, .. } = event(&interaction(2, &add, json!({}))).wish else {
            panic!("not added");
        };
        assert_eq!(what.len(), 2);
    }

    #[test]
    fn a_message_can_be_asked_about_from_its_menu() {
        let data = menu_of("Ask the librarian about this", "<@900> why?", json!({}));
        let question = "why?".to_owned();
        check_command(&data, &asking(&question, &[]), Deferred::Fresh);
        let empty = menu_of("Ask the librarian about this", "", json!({}));
        check_slip(2, &empty, Slip::EmptyMessage);
        check_slip(2, &menu_of("Dance", "why?", json!({})), Slip::Unknown);
        let lost = json!({ "id": "31", "name": "Add to library", "type": 3, "target_id": "9" });
        check_slip(2, &lost, Slip::Unknown);
    }

    fn pressed(code: &str, changes: Value) -> Interaction {
        let post = serde_json::to_value(said("Here.", json!({ "author": me() }))).unwrap();
        let post = with(post, json!({ "id": "78" }));
        let data = json!({ "custom_id": code, "component_type": 2 });
        interaction(3, &data, with(json!({ "message": post }), changes))
    }

    #[test]
    fn a_button_knows_its_post_and_where_its_reply_goes() {
        for (press, expected) in [
            (Press::Useful("1".into()), Deferred::Private),
            (Press::NotUseful("1".into()), Deferred::Private),
            (Press::Sources("1".into()), Deferred::Private),
            (Press::Stop("1".into()), Deferred::InPlace),
            (Press::Add("1".into()), Deferred::InPlace),
            (Press::Leave("1".into()), Deferred::InPlace),
        ] {
            let event = event(&pressed(&press.code(), json!({})));
            assert_eq!(event.wish, Wish::Press(press));
            assert_eq!(event.replies_to.as_deref(), Some("78"));
            assert_eq!(deferred(&event), expected);
        }
    }

    #[test]
    fn a_button_or_a_form_that_is_not_ours_is_a_slip() {
        let slip = Heard::Slip(Slip::Unknown.words(Language::English));
        let button = pressed("other:1", json!({}));
        assert_eq!(asked(&button, &here()), Some(slip));
        let form = json!({ "custom_id": "saseo:add:1", "components": [] });
        check_slip(5, &form, Slip::Unknown);
    }

    #[test]
    fn who_manages_the_server_administers() {
        let administers = |permissions: &str| {
            let member = json!({
                "user": user(1, "Ada"), "roles": [], "deaf": false, "mute": false, "flags": 0,
                "joined_at": null, "permissions": permissions,
            });
            let data = slash("stop", json!([]));
            let interaction = interaction(2, &data, json!({ "member": member }));
            event(&interaction).person.administers
        };
        assert!(administers("8"));
        assert!(administers("32"));
        assert!(!administers("2048"));
    }

    #[test]
    fn threads_and_private_talks_are_told_from_channels() {
        let kind = |changes: Value| {
            let interaction = interaction(2, &slash("stop", json!([])), changes);
            event(&interaction).place.kind
        };
        let channel = |kind: u8| json!({ "channel": { "id": "60", "type": kind } });
        assert_eq!(kind(channel(0)), PlaceKind::Channel);
        for thread in [10, 11, 12] {
            assert_eq!(kind(channel(thread)), PlaceKind::Thread);
        }
        let private = |context: u8| {
            json!({
                "guild_id": null, "member": null, "user": user(1, "Ada"), "context": context,
            })
        };
        assert_eq!(kind(private(1)), PlaceKind::Direct);
        assert_eq!(kind(private(2)), PlaceKind::Channel);
    }

    #[test]
    fn what_is_being_typed_is_completed() {
        let typing = |name: &str, command: &str| {
            let option = json!({ "name": name, "type": 3, "value": " lea", "focused": true });
            let interaction = interaction(4, &of_library(command, json!([option])), json!({}));
            asked(&interaction, &here())
        };
        let Some(Heard::Completing(completing)) = typing("document", "remove") else {
            panic!("not completed");
        };
        assert_eq!(completing.choice, Choice::Document);
        assert_eq!(completing.typed, "lea");
        assert_eq!(completing.place.channel, "60");
        assert_eq!(completing.person.id, "1");
        assert!(matches!(
            typing("collection", "list"),
            Some(Heard::Completing(Completing {
                choice: Choice::Collection,
                ..
            }))
        ));
        assert_eq!(typing("words", "search"), None);
        let nothing = interaction(4, &of_library("list", json!([])), json!({}));
        assert_eq!(asked(&nothing, &here()), None);
    }

    #[test]
    fn what_is_for_another_application_or_nobody_is_left_alone() {
        let data = slash("stop", json!([]));
        let other = interaction(2, &data, json!({ "application_id": "1" }));
        assert_eq!(asked(&other, &here()), None);
        let ping: Interaction = serde_json::from_value(json!({
            "id": ID, "application_id": APPLICATION.to_string(), "type": 1, "token": "secret",
            "version": 1,
        }))
        .unwrap();
        assert_eq!(asked(&ping, &here()), None);
    }
}
