//! The commands that Discord offers people on our behalf, in English and Korean.
//!
//! Their names and options are those that [`super::wire`] understands. Whoever may not use one
//! is told so when they do: who is a curator is settled here, not by Discord.

use serde::Serialize;
use serde_json::{Map, Value};
use serenity::builder::{CreateCommand, CreateCommandOption};
use serenity::model::application::{
    Command, CommandOptionType, CommandType, InstallationContext, InteractionContext,
};

use crate::domain::question::QuestionText;

/// A name or a description in English and in Korean.
type Said = (&'static str, &'static str);

/// All our commands.
pub fn wanted() -> Vec<CreateCommand> {
    vec![
        ask(),
        library(),
        slash(
            ("sync", "동기화"),
            (
                "Read the sources of the library again",
                "서가의 출처를 다시 읽습니다",
            ),
        )
        .add_option(text(
            ("source", "출처"),
            (
                "Only this source; all of them if left out",
                "이 출처만 읽습니다. 비워 두면 모두 읽습니다",
            ),
        )),
        slash(
            ("stop", "중단"),
            (
                "Stop the answer that is being written for you here",
                "여기에서 나에게 쓰고 있는 답을 멈춥니다",
            ),
        ),
        of_messages(("Add to library", "서가에 추가")),
        of_messages(("Ask the librarian about this", "사서에게 이 메시지 묻기")),
    ]
}

/// Whether `registered`, as Discord gives it with all languages, is anything else than
/// `wanted`. Only what we set is compared; ids and versions are Discord's own affair.
pub fn differ(registered: &[Command], wanted: &[CreateCommand]) -> bool {
    fn essences(commands: &[impl Serialize]) -> Vec<Value> {
        let mut essences: Vec<_> = commands.iter().filter_map(essence).collect();
        essences.sort_unstable_by_key(|command| {
            let field = |name| command.get(name).map(Value::to_string);
            (field("type"), field("name"))
        });
        essences
    }
    essences(registered) != essences(wanted)
}

fn ask() -> CreateCommand {
    let longest = u16::try_from(QuestionText::LONGEST).unwrap_or(u16::MAX);
    slash(
        ("ask", "질문"),
        ("Ask the librarian a question", "사서에게 질문합니다"),
    )
    .add_option(
        text(
            ("question", "질문"),
            ("What you want to know", "알고 싶은 것"),
        )
        .required(true)
        .max_length(longest),
    )
}

fn library() -> CreateCommand {
    slash(
        ("library", "서가"),
        (
            "Look after the documents of the library",
            "서가의 문서를 돌봅니다",
        ),
    )
    .set_options(vec![
        add(),
        remove(),
        list(),
        search(),
        part(
            ("status", "상태"),
            ("See how the librarian is", "사서의 상태를 봅니다"),
        ),
        part(
            ("log", "기록"),
            (
                "See what was added and removed last",
                "최근에 더하고 뺀 것을 봅니다",
            ),
        ),
    ])
}

fn add() -> CreateCommandOption {
    part(
        ("add", "추가"),
        (
            "Add a web page, a file or a text to the library",
            "웹 문서, 파일 또는 글을 서가에 추가합니다",
        ),
    )
    .set_sub_options([
        text(
            ("url", "주소"),
            ("The address of a web page", "웹 문서의 주소"),
        ),
        localised(
            CommandOptionType::Attachment,
            ("file", "파일"),
            (
                "A file with text in it: Markdown, HTML or plain text",
                "글이 담긴 파일: 마크다운, HTML, 텍스트",
            ),
        ),
        text(("text", "글"), ("The text itself", "추가할 글")),
        text(
            ("title", "제목"),
            (
                "What to call it; by its own title if left out",
                "붙일 제목. 비워 두면 문서의 제목을 씁니다",
            ),
        ),
        collection(("The collection to add it to", "추가할 컬렉션")),
    ])
}

fn remove() -> CreateCommandOption {
    part(
        ("remove", "삭제"),
        (
            "Remove a document from the library",
            "서가에서 문서를 뺍니다",
        ),
    )
    .add_sub_option(
        text(
            ("document", "문서"),
            ("The document to remove", "서가에서 뺄 문서"),
        )
        .required(true)
        .set_autocomplete(true),
    )
}

fn list() -> CreateCommandOption {
    part(
        ("list", "목록"),
        (
            "See which documents the library has",
            "서가에 있는 문서를 봅니다",
        ),
    )
    .add_sub_option(collection((
        "Only this collection; all of them if left out",
        "이 컬렉션만 봅니다. 비워 두면 모두 봅니다",
    )))
}

fn search() -> CreateCommandOption {
    part(
        ("search", "검색"),
        (
            "See the passages for some words, without an answer",
            "답 없이 자료의 대목만 찾아봅니다",
        ),
    )
    .add_sub_option(text(("words", "검색어"), ("What to search for", "찾을 말")).required(true))
}

fn collection(description: Said) -> CreateCommandOption {
    text(("collection", "컬렉션"), description).set_autocomplete(true)
}

fn slash(name: Said, (english, korean): Said) -> CreateCommand {
    command(name)
        .kind(CommandType::ChatInput)
        .description(english)
        .description_localized("ko", korean)
}

/// A command in the menu of a message.
fn of_messages(name: Said) -> CreateCommand {
    command(name).kind(CommandType::Message)
}

fn command((english, korean): Said) -> CreateCommand {
    CreateCommand::new(english)
        .name_localized("ko", korean)
        .integration_types(vec![InstallationContext::Guild])
        .contexts(vec![InteractionContext::Guild, InteractionContext::BotDm])
}

/// A command below a command.
fn part(name: Said, description: Said) -> CreateCommandOption {
    localised(CommandOptionType::SubCommand, name, description)
}

fn text(name: Said, description: Said) -> CreateCommandOption {
    localised(CommandOptionType::String, name, description)
}

fn localised(kind: CommandOptionType, name: Said, description: Said) -> CreateCommandOption {
    CreateCommandOption::new(kind, name.0, description.0)
        .name_localized("ko", name.1)
        .description_localized("ko", description.1)
}

/// What of a command is ours, in a form that can be compared.
fn essence(command: &impl Serialize) -> Option<Value> {
    const OURS: [&str; 9] = [
        "type",
        "name",
        "name_localizations",
        "description",
        "description_localizations",
        "options",
        "contexts",
        "integration_types",
        "default_member_permissions",
    ];
    let Value::Object(mut command) = plain(serde_json::to_value(command).ok()?)? else {
        return None;
    };
    command.retain(|name, _| OURS.contains(&name.as_str()));
    for unordered in ["contexts", "integration_types"] {
        if let Some(Value::Array(numbers)) = command.get_mut(unordered) {
            numbers.sort_unstable_by_key(Value::as_u64);
        }
    }
    Some(Value::Object(command))
}

/// Without what says no more than its absence would; `None` if nothing is left.
fn plain(value: Value) -> Option<Value> {
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::String(text) if text.is_empty() => None,
        Value::Array(values) if values.is_empty() => None,
        Value::Array(values) => Some(values.into_iter().filter_map(plain).collect()),
        Value::Object(fields) => {
            let fields: Map<_, _> = fields
                .into_iter()
                .filter_map(|(name, value)| Some((name, plain(value)?)))
                .collect();
            (!fields.is_empty()).then_some(Value::Object(fields))
        },
        Value::Bool(true) | Value::Number(_) | Value::String(_) => Some(value),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;
    use serenity::model::application::Interaction;
    use serenity::model::id::{ApplicationId, UserId};

    use super::super::wire::{self, Heard, Here};
    use super::*;
    use crate::domain::event::{PlaceKind, Wish};
    use crate::domain::language::Language;

    /// The commands as Discord gives them back.
    fn registered() -> Vec<Value> {
        (1..).zip(wanted()).map(given_back).collect()
    }

    fn given_back((id, command): (u64, CreateCommand)) -> Value {
        let mut command = serde_json::to_value(command).unwrap();
        let fields = command.as_object_mut().unwrap();
        let own = json!({
            "id": id.to_string(), "application_id": "901", "version": "5",
            "default_member_permissions": null, "dm_permission": true, "nsfw": false,
        });
        fields.extend(own.as_object().unwrap().clone());
        fields.entry("description").or_insert("".into());
        if fields["options"] == json!([]) {
            fields.remove("options");
        }
        if fields["description_localizations"] == json!({}) {
            fields["description_localizations"] = Value::Null;
        }
        command
    }

    fn parsed(commands: Vec<Value>) -> Vec<Command> {
        serde_json::from_value(Value::Array(commands)).unwrap()
    }

    #[test]
    fn what_is_registered_is_not_registered_again() {
        let mut commands = registered();
        assert!(!differ(&parsed(commands.clone()), &wanted()));
        commands.reverse();
        commands[0]["contexts"] = json!([1, 0]);
        commands[0]["id"] = "99".into();
        commands[0]["version"] = "99".into();
        assert!(!differ(&parsed(commands), &wanted()));
    }

    #[track_caller]
    fn check_change(change: impl FnOnce(&mut Vec<Value>)) {
        let mut commands = registered();
        change(&mut commands);
        assert!(differ(&parsed(commands), &wanted()));
    }

    #[test]
    fn a_command_more_or_less_is_registered() {
        check_change(Vec::clear);
        check_change(|commands| drop(commands.pop()));
        check_change(|commands| {
            let mut more = commands[3].clone();
            more["name"] = "more".into();
            commands.push(more);
        });
    }

    #[test]
    fn whatever_changes_in_a_command_is_registered() {
        for (field, value) in [
            ("name", json!("question")),
            ("description", json!("Ask")),
            ("name_localizations", json!({ "ko": "묻기" })),
            ("name_localizations", json!({ "ko": "질문", "ja": "質問" })),
            ("description_localizations", Value::Null),
            ("contexts", json!([0])),
            ("integration_types", json!([0, 1])),
            ("default_member_permissions", json!("8")),
            ("options", json!([])),
        ] {
            check_change(|commands| commands[0][field] = value);
        }
    }

    #[test]
    fn whatever_changes_in_an_option_is_registered() {
        for (field, value) in [
            ("description", json!("What")),
            ("name_localizations", json!({ "ko": "묻기" })),
            ("required", json!(false)),
            ("max_length", json!(9)),
            ("autocomplete", json!(true)),
            ("type", json!(4)),
        ] {
            check_change(|commands| commands[0]["options"][0][field] = value);
        }
        check_change(|commands| {
            commands[1]["options"].as_array_mut().unwrap().swap(0, 1);
        });
    }

    /// All names and descriptions below `value`, in every language.
    fn words(value: &Value, of: &str) -> Vec<String> {
        match value {
            Value::Array(values) => values.iter().flat_map(|value| words(value, of)).collect(),
            Value::Object(fields) => {
                let own = fields.get(of).and_then(Value::as_str).map(str::to_owned);
                let localised = fields.get(&format!("{of}_localizations"));
                let localised = localised.and_then(Value::as_object).into_iter().flatten();
                own.into_iter()
                    .chain(localised.filter_map(|(_, word)| Some(word.as_str()?.to_owned())))
                    .chain(fields.get("options").into_iter().flat_map(|o| words(o, of)))
                    .collect()
            },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
        }
    }

    #[test]
    fn discords_limits_are_kept() {
        let lower = |c: char| (c.is_alphanumeric() || c == '_') && !c.is_uppercase();
        let long = |text: &String| text.chars().count();
        for command in wanted() {
            let command = serde_json::to_value(command).unwrap();
            let (names, told) = (words(&command, "name"), words(&command, "description"));
            assert!(names.iter().all(|name| (1..=32).contains(&long(name))));
            assert!(told.iter().all(|text| (1..=100).contains(&long(text))));
            if command["type"] == 1 {
                assert_eq!(names.len(), told.len(), "not every name is described");
                assert!(names.iter().all(|name| name.chars().all(lower)));
            }
            assert!(names.iter().chain(&told).map(long).sum::<usize>() <= 8_000);
            assert!(command["options"].as_array().unwrap().len() <= 25);
        }
    }

    #[test]
    fn what_is_required_comes_first() {
        fn check(options: &Value) {
            let options = options.as_array().unwrap();
            let required = options.iter().map(|option| option["required"] == true);
            assert!(required.is_sorted_by(|before, after| before >= after));
            for option in options {
                check(&option["options"]);
            }
        }
        for command in wanted() {
            check(&serde_json::to_value(command).unwrap()["options"]);
        }
    }

    #[test]
    fn everything_is_said_in_korean_too() {
        let hangul = |text: &&String| text.contains(crate::domain::language::is_hangul);
        for command in wanted() {
            let command = serde_json::to_value(command).unwrap();
            for of in ["name", "description"] {
                let words = words(&command, of);
                assert_eq!(
                    words.iter().filter(hangul).count() * 2,
                    words.len(),
                    "{words:?}"
                );
            }
        }
    }

    /// What comes of a command that is given every option it has.
    fn used(command: &Value, options: &Value) -> Option<Heard> {
        let here = Here {
            me: UserId::new(900),
            application: ApplicationId::new(901),
            server: None,
            kind: PlaceKind::Channel,
            roles: BTreeMap::new(),
            owner: None,
            language: Language::English,
        };
        let user =
            json!({ "id": "1", "username": "ada", "discriminator": "0", "avatar": null });
        let message = json!({
            "id": "7", "channel_id": "60", "author": user, "content": "Leave is 15 days.",
            "type": 0, "timestamp": "2016-04-30T11:00:00+00:00", "edited_timestamp": null,
            "tts": false, "mention_everyone": false, "mentions": [], "mention_roles": [],
            "attachments": [], "embeds": [], "pinned": false, "components": [],
        });
        let attachment = json!({
            "id": "11", "filename": "a.md", "size": 1, "url": "https://c.example/a",
            "proxy_url": "https://c.example/a",
        });
        let interaction: Interaction = serde_json::from_value(json!({
            "id": "175928847299117063", "application_id": "901", "type": 2, "version": 1,
            "channel_id": "60", "user": user, "token": "secret", "locale": "en-US",
            "entitlements": [], "attachment_size_limit": 1, "context": 1,
            "data": {
                "id": "30", "name": command["name"], "type": command["type"],
                "options": options, "target_id": "7",
                "resolved": {
                    "messages": { "7": message }, "attachments": { "11": attachment },
                },
            },
        }))
        .unwrap();
        wire::asked(&interaction, &here)
    }

    fn filled(options: &Value) -> Value {
        let fill = |option: &Value| {
            let value = match option["type"].as_u64() {
                Some(11) => "11",
                _ => "https://a.example",
            };
            json!({ "name": option["name"], "type": option["type"], "value": value })
        };
        options.as_array().unwrap().iter().map(fill).collect()
    }

    #[test]
    fn every_command_is_understood() {
        let mut wishes = Vec::new();
        for command in wanted() {
            let command = serde_json::to_value(command).unwrap();
            let options = command["options"].as_array().unwrap();
            let parts: Vec<_> = options
                .iter()
                .filter(|option| option["type"] == 1)
                .collect();
            let mut uses: Vec<_> = parts
                .iter()
                .map(|part| {
                    let given = filled(&part["options"]);
                    json!([{ "name": part["name"], "type": 1, "options": given }])
                })
                .collect();
            if uses.is_empty() {
                uses.push(filled(&command["options"]));
            }
            for options in uses {
                match used(&command, &options) {
                    Some(Heard::Event(event)) => wishes.push(event.wish),
                    other => panic!("{command}: {other:?}"),
                }
            }
        }
        assert_eq!(wishes.len(), 11);
        let whole = wishes.iter().any(|wish| {
            matches!(wish, Wish::Add { what, title: Some(_), collection: Some(_), beside: None } if what.len() == 3)
        });
        assert!(whole, "every option of adding is understood: {wishes:?}");
        assert!(!wishes.contains(&Wish::List { collection: None }));
        assert!(!wishes.contains(&Wish::Sync { source: None }));
    }
}
