//! Commands: how the bot registers them, and what a registration must be like.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::clock::Id;
use super::refusal::{Form, Refusal, unknown};
use super::rest::{Call, Reply};
use super::routes::{listed, own};
use super::world::World;

const CREATES_A_DAY: usize = 200;
const LONGEST: usize = 8_000;

/// Types of options.
pub(crate) const SUB_COMMAND: u64 = 1;
pub(crate) const SUB_COMMAND_GROUP: u64 = 2;
pub(crate) const STRING: u64 = 3;
pub(crate) const INTEGER: u64 = 4;
pub(crate) const NUMBER: u64 = 10;

/// Types of commands.
pub(crate) const CHAT_INPUT: u64 = 1;
pub(crate) const MESSAGE: u64 = 3;

#[derive(Default)]
pub(crate) struct Commands {
    all: BTreeMap<Id, Command>,
    /// When new ones were made, and in which guild.
    created: Vec<(Option<Id>, DateTime<Utc>)>,
}

#[derive(Clone)]
pub(crate) struct Command {
    pub(crate) id: Id,
    pub(crate) guild: Option<Id>,
    version: Id,
    pub(crate) body: Value,
}

impl Command {
    pub(crate) fn name(&self) -> &str {
        self.body["name"].as_str().unwrap_or("")
    }

    pub(crate) fn kind(&self) -> u64 {
        self.body["type"].as_u64().unwrap_or(CHAT_INPUT)
    }

    fn written(&self, application: Id) -> Value {
        let said = |key: &str, default: Value| match self.body.get(key) {
            Some(value) if !value.is_null() => value.clone(),
            _ => default,
        };
        let mut body = json!({
            "id": self.id.to_string(),
            "application_id": application.to_string(),
            "version": self.version.to_string(),
            "default_member_permissions": said("default_member_permissions", Value::Null),
            "type": self.kind(),
            "name": self.name(),
            "name_localizations": said("name_localizations", Value::Null),
            "description": said("description", json!("")),
            "description_localizations": said("description_localizations", Value::Null),
            "dm_permission": said("dm_permission", json!(true)),
            "contexts": said("contexts", Value::Null),
            "integration_types": said("integration_types", json!([0])),
            "nsfw": said("nsfw", json!(false)),
        });
        if let Some(options) = self.body.get("options").filter(|it| !it.is_null()) {
            body["options"] = options.clone();
        }
        if let Some(guild) = self.guild {
            body["guild_id"] = json!(guild.to_string());
        }
        body
    }
}

impl Commands {
    /// The command of this name and type that people in `guild` can use.
    pub(crate) fn find(&self, guild: Option<Id>, name: &str, kind: u64) -> Option<&Command> {
        let named = |command: &&Command| command.name() == name && command.kind() == kind;
        let of = |guild: Option<Id>| {
            self.all
                .values()
                .filter(named)
                .find(move |command| command.guild == guild)
        };
        guild.and_then(|guild| of(Some(guild))).or_else(|| of(None))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Command> {
        self.all.values()
    }

    fn created_today(&self, guild: Option<Id>, now: DateTime<Utc>) -> usize {
        self.created
            .iter()
            .filter(|(of, at)| *of == guild && now - *at < TimeDelta::hours(24))
            .count()
    }
}

pub(crate) fn list(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    listed_of(world, call, None)
}

pub(crate) fn list_in_guild(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let guild = in_guild(world, call)?;
    listed_of(world, call, Some(guild))
}

fn listed_of(world: &World, call: &Call, guild: Option<Id>) -> Result<Reply, Refusal> {
    own(world, call)?;
    let commands = world.commands.all.values();
    let here = commands.filter(|command| command.guild == guild);
    Ok(listed(here.map(|command| command.written(world.bot))))
}

fn in_guild(world: &World, call: &Call) -> Result<Id, Refusal> {
    Ok(world.guild(call.id(1)?)?.id)
}

pub(crate) fn overwrite(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    overwritten(world, call, None)
}

pub(crate) fn overwrite_in_guild(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let guild = in_guild(world, call)?;
    overwritten(world, call, Some(guild))
}

fn overwritten(world: &mut World, call: &Call, guild: Option<Id>) -> Result<Reply, Refusal> {
    own(world, call)?;
    let mut form = Form::default();
    let Some(wanted) = call.body.as_array() else {
        form.slip(
            "",
            "LIST_TYPE_CONVERT",
            "Only iterables may be used in a ListType",
        );
        return Err(form.done().unwrap_err());
    };
    let mut names = BTreeSet::new();
    for (place, body) in wanted.iter().enumerate() {
        check(body, &place.to_string(), &mut form);
        let kind = body["type"].as_u64().unwrap_or(CHAT_INPUT);
        if !names.insert((kind, body["name"].to_string())) {
            let code = "APPLICATION_COMMANDS_DUPLICATE_NAME";
            let message = "Application command names must be unique";
            form.slip(&place.to_string(), code, message);
        }
    }
    form.done()?;
    let kinds = wanted.iter().map(|body| body["type"].as_u64());
    few_enough(kinds)?;
    let mut kept = Vec::new();
    for body in wanted {
        kept.push(save(world, guild, body)?.0);
    }
    world
        .commands
        .all
        .retain(|id, command| command.guild != guild || kept.contains(id));
    let commands = kept
        .iter()
        .map(|id| world.commands.all[id].written(world.bot));
    Ok(listed(commands))
}

fn few_enough(kinds: impl Iterator<Item = Option<u64>>) -> Result<(), Refusal> {
    let mut count = BTreeMap::new();
    for kind in kinds {
        *count.entry(kind.unwrap_or(CHAT_INPUT)).or_insert(0) += 1;
    }
    for (kind, many) in count {
        let most = if kind == CHAT_INPUT { 100 } else { 15 };
        if many > most {
            let message = format!("Maximum number of application commands reached ({most}).");
            return Err(Refusal::new(400, 30032, &message));
        }
    }
    Ok(())
}

/// Whether something was made or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Saved {
    Created,
    Changed,
}

/// Makes a command, or changes the one of the same name and type.
fn save(world: &mut World, guild: Option<Id>, body: &Value) -> Result<(Id, Saved), Refusal> {
    let kind = body["type"].as_u64().unwrap_or(CHAT_INPUT);
    let now = world.clock.now();
    let version = world.clock.snowflake();
    let mut of_the_name = world.commands.all.values_mut().filter(|command| {
        command.guild == guild && command.kind() == kind && command.body["name"] == body["name"]
    });
    if let Some(command) = of_the_name.next() {
        if command.body != *body {
            command.body = body.clone();
            command.version = version;
        }
        return Ok((command.id, Saved::Changed));
    }
    if world.commands.created_today(guild, now) >= CREATES_A_DAY {
        let message = "Max number of daily application command creates has been reached (200)";
        return Err(Refusal::new(429, 30034, message));
    }
    world.commands.created.push((guild, now));
    let command = Command {
        id: version,
        guild,
        version,
        body: body.clone(),
    };
    world.commands.all.insert(version, command);
    Ok((version, Saved::Created))
}

pub(crate) fn create(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    created(world, call, None)
}

pub(crate) fn create_in_guild(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let guild = in_guild(world, call)?;
    created(world, call, Some(guild))
}

fn created(world: &mut World, call: &Call, guild: Option<Id>) -> Result<Reply, Refusal> {
    own(world, call)?;
    let mut form = Form::default();
    check(&call.body, "", &mut form);
    form.done()?;
    let kind = |command: &Command| Some(command.kind());
    let here = world.commands.all.values();
    let here = here
        .filter(|command| command.guild == guild && command.body["name"] != call.body["name"]);
    let new = call.body["type"].as_u64();
    few_enough(here.map(kind).chain([new]).collect::<Vec<_>>().into_iter())?;
    let (id, saved) = save(world, guild, &call.body)?;
    let body = world.commands.all[&id].written(world.bot);
    Ok(if saved == Saved::Created {
        Reply::created(body)
    } else {
        Reply::with(body)
    })
}

pub(crate) fn get(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let id = found(world, call, (None, 1))?;
    Ok(Reply::with(world.commands.all[&id].written(world.bot)))
}

pub(crate) fn get_in_guild(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let guild = in_guild(world, call)?;
    let id = found(world, call, (Some(guild), 2))?;
    Ok(Reply::with(world.commands.all[&id].written(world.bot)))
}

fn found(
    world: &World,
    call: &Call,
    (guild, place): (Option<Id>, usize),
) -> Result<Id, Refusal> {
    own(world, call)?;
    let id = call.id(place)?;
    let command = world.commands.all.get(&id);
    command
        .filter(|command| command.guild == guild)
        .map(|command| command.id)
        .ok_or_else(|| unknown(10063))
}

pub(crate) fn edit(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let id = found(world, call, (None, 1))?;
    edited(world, id, &call.body)
}

pub(crate) fn edit_in_guild(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let guild = in_guild(world, call)?;
    let id = found(world, call, (Some(guild), 2))?;
    edited(world, id, &call.body)
}

fn edited(world: &mut World, id: Id, change: &Value) -> Result<Reply, Refusal> {
    let mut body = world.commands.all[&id].body.clone();
    for (key, value) in change.as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    let mut form = Form::default();
    check(&body, "", &mut form);
    form.done()?;
    let version = world.clock.snowflake();
    let command = world.commands.all.get_mut(&id).unwrap();
    command.body = body;
    command.version = version;
    Ok(Reply::with(command.written(world.bot)))
}

pub(crate) fn delete(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let id = found(world, call, (None, 1))?;
    world.commands.all.remove(&id);
    Ok(Reply::nothing())
}

pub(crate) fn delete_in_guild(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let guild = in_guild(world, call)?;
    let id = found(world, call, (Some(guild), 2))?;
    world.commands.all.remove(&id);
    Ok(Reply::nothing())
}

/// Checks a command; what is wrong goes into `form`.
fn check(body: &Value, at: &str, form: &mut Form) {
    let kind = body["type"].as_u64().unwrap_or(CHAT_INPUT);
    if !(CHAT_INPUT..=MESSAGE).contains(&kind) {
        form.slip(
            &format!("{at}.type"),
            "BASE_TYPE_CHOICES",
            "Value must be one of (1, 2, 3).",
        );
    }
    if kind != CHAT_INPUT {
        if form.text((body, "name"), at, (1, 32)).is_none() {
            form.required(&format!("{at}.name"));
        }
        let described = body["description"]
            .as_str()
            .is_some_and(|text| !text.is_empty());
        if described
            || body["options"]
                .as_array()
                .is_some_and(|list| !list.is_empty())
        {
            let code = "APPLICATION_COMMAND_CONTEXT_MENU_DESCRIPTION";
            form.slip(
                at,
                code,
                "Context menu commands cannot have description or options",
            );
        }
        return;
    }
    described(body, at, form);
    options(body, at, 0, form);
    if letters(body) > LONGEST {
        let message = "Command exceeds maximum size (8000)";
        form.slip(at, "APPLICATION_COMMAND_TOO_LARGE", message);
    }
}

/// The name and the description of a command or an option.
fn described(body: &Value, at: &str, form: &mut Form) {
    let fits = |letter: char| letter.is_alphanumeric() || "-_'".contains(letter);
    match form.text((body, "name"), at, (1, 32)) {
        None => form.required(&format!("{at}.name")),
        Some(name) if !name.chars().all(fits) || name.to_lowercase() != name => {
            let message = "Command name is invalid";
            form.slip(
                &format!("{at}.name"),
                "APPLICATION_COMMAND_INVALID_NAME",
                message,
            );
        },
        Some(_) => {},
    }
    if form.text((body, "description"), at, (1, 100)).is_none() {
        form.required(&format!("{at}.description"));
    }
    let localized = [
        ("name_localizations", 32),
        ("description_localizations", 100),
    ];
    for (key, most) in localized {
        for (locale, text) in body[key].as_object().into_iter().flatten() {
            let at = format!("{at}.{key}.{locale}");
            if !LOCALES.contains(&&**locale) {
                form.slip(
                    &at,
                    "BASE_TYPE_CHOICES",
                    "Value is not a locale of Discord.",
                );
            }
            if let Some(text) = text.as_str() {
                form.length(&at, text, (1, most));
            }
        }
    }
}

const LOCALES: &[&str] = &[
    "id", "da", "de", "en-GB", "en-US", "es-ES", "es-419", "fr", "hr", "it", "lt", "hu", "nl",
    "no", "pl", "pt-BR", "ro", "fi", "sv-SE", "vi", "tr", "cs", "el", "bg", "ru", "uk", "hi",
    "th", "zh-CN", "ja", "zh-TW", "ko",
];

fn options(body: &Value, at: &str, depth: usize, form: &mut Form) {
    let list = form.list((body, "options"), at, 25);
    let mut names = BTreeSet::new();
    let mut optional = false;
    let nested = list
        .iter()
        .filter(|option| [Some(1), Some(2)].contains(&option["type"].as_u64()))
        .count();
    if nested > 0 && nested < list.len() {
        let message = "Sub-command and sub-command group option types are mutually exclusive to all other types";
        form.slip(
            &format!("{at}.options"),
            "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID",
            message,
        );
    }
    for (place, option) in list.iter().enumerate() {
        let at = format!("{at}.options.{place}");
        described(option, &at, form);
        if !names.insert(option["name"].to_string()) {
            let code = "APPLICATION_COMMAND_OPTIONS_NAME_INVALID";
            form.slip(&format!("{at}.name"), code, "Option names must be unique");
        }
        let required = option["required"].as_bool() == Some(true);
        if required && optional {
            let code = "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID";
            let message = "Required options must be placed before non-required options";
            form.slip(&at, code, message);
        }
        optional = optional || !required;
        option_of_type(option, &at, depth, form);
    }
}

fn option_of_type(option: &Value, at: &str, depth: usize, form: &mut Form) {
    let kind = option["type"].as_u64().unwrap_or(0);
    let deepest = match kind {
        SUB_COMMAND => 1,
        SUB_COMMAND_GROUP => 0,
        _ => 2,
    };
    if !(SUB_COMMAND..=11).contains(&kind) || depth > deepest {
        let message = "Value must be one of (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11).";
        form.slip(&format!("{at}.type"), "BASE_TYPE_CHOICES", message);
    }
    if kind <= SUB_COMMAND_GROUP {
        options(option, at, depth + 1, form);
        return;
    }
    let choices = choices(option, at, form);
    let completes = option["autocomplete"].as_bool() == Some(true);
    if completes && (choices > 0 || ![STRING, INTEGER, NUMBER].contains(&kind)) {
        let code = "APPLICATION_COMMAND_AUTOCOMPLETE_INVALID";
        let message = "Autocomplete cannot be used with choices or this type";
        form.slip(at, code, message);
    }
    for (key, least) in [("min_length", 0), ("max_length", 1)] {
        let length = option.get(key).filter(|it| !it.is_null());
        let fits = |it: &Value| it.as_u64().is_some_and(|it| (least..=6_000).contains(&it));
        if length.is_some_and(|it| kind != STRING || !fits(it)) {
            let message = "int value should be between 0 and 6000.";
            form.slip(&format!("{at}.{key}"), "NUMBER_TYPE_MAX", message);
        }
    }
}

/// How many choices an option offers.
fn choices(option: &Value, at: &str, form: &mut Form) -> usize {
    let choices = form.list((option, "choices"), at, 25);
    for (number, choice) in choices.iter().enumerate() {
        let at = format!("{at}.choices.{number}");
        if form.text((choice, "name"), &at, (1, 100)).is_none() {
            form.required(&format!("{at}.name"));
        }
        match choice["value"].as_str() {
            Some(value) => form.length(&format!("{at}.value"), value, (0, 100)),
            None if !choice["value"].is_number() => form.required(&format!("{at}.value")),
            None => {},
        }
    }
    choices.len()
}

/// Characters of names, descriptions and values.
fn letters(body: &Value) -> usize {
    let own: usize = ["name", "description", "value"]
        .iter()
        .filter_map(|key| body[key].as_str())
        .map(|text| text.chars().count())
        .sum();
    let below = ["options", "choices"].iter();
    let below = below.filter_map(|key| body[key].as_array()).flatten();
    own + below.map(letters).sum::<usize>()
}
