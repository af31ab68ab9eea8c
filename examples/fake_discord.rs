//! A Discord on this machine to try a bot in, without a token of anybody's.
//!
//! `cargo run --no-default-features --example fake_discord` opens a server with two channels, at
//! port 8765 or the one that is named. What is typed here is said there; what the bot answers
//! appears here, edits too. The tests run against the same fake.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "it is a test's support at a prompt"
)]

#[path = "../tests/support/chance.rs"]
mod chance;
#[expect(dead_code, reason = "the tests use what is not used here")]
#[path = "../tests/support/discord/mod.rs"]
mod discord;
mod keyboard;
#[path = "../tests/support/line.rs"]
mod line;
#[expect(dead_code, reason = "the tests use what is not used here")]
#[path = "../tests/support/loopback/mod.rs"]
mod loopback;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use discord::Discord;
use discord::commands::{CHAT_INPUT, Command, MESSAGE, SUB_COMMAND, SUB_COMMAND_GROUP};
use discord::guilds::{Channel, Guild};
use discord::people::{Given, Person, Run};
use discord::seen::{Seen, Shown};
use discord::world::World;
use keyboard::Printed;
use loopback::people;
use serde_json::Value;

const PORT: u16 = 8_765;

/// Who may do this may add and remove documents.
const MANAGE_GUILD: u64 = 1 << 5;

const HELP: &str = "\
  words               said in the channel; @saseo calls the bot, @Noah a colleague
  /ask question: why  runs a command; a file is given as file:@rules.md
  !commands           which commands the bot has
  !reply words        replies to the bot's last message here
  !attach FILE words  says it with a file
  !press N            presses the button with that number
  !menu NAME          runs a command of the menu of the last message; !commands names them
  !fill key=text; …   fills in the form that was opened
  !channel NAME       goes to another channel
  !thread             goes into the thread of the last message that has one
  !dm                 goes to the direct messages with the bot
  !help, !quit";

#[tokio::main]
async fn main() {
    let port = std::env::args().nth(1);
    let port = port.map_or(PORT, |port| port.parse().expect("a port"));
    let town = Discord::start_at(port).await;
    let guild = town.guild("Library");
    let general = guild.channel("general");
    guild.channel("help");
    guild.member("Noah", &[]);
    let keeper = guild.role("keeper", MANAGE_GUILD);
    let mina = guild.member("Mina", &[keeper]);
    println!("In another terminal:");
    println!("  export SASEO__DISCORD__API_URL={}", town.api());
    println!("  export SASEO_DISCORD_TOKEN={}", town.token());
    println!("  saseo serve");
    println!("You are Mina, who manages the server Library, in #general; there is #help too.");
    println!("!help says what can be typed here.");
    let mut desk = Desk {
        town,
        guild,
        mina,
        place: general,
        printed: Printed::nothing(),
        last: None,
        here: false,
    };
    keyboard::sit(&mut desk).await;
}

/// Mina at the keyboard.
struct Desk {
    town: Discord,
    guild: Guild,
    mina: Person,
    place: Channel,
    /// The messages and the forms, and the buttons: message and custom id.
    printed: Printed<u64, (u64, String)>,
    last: Option<Run>,
    /// Whether the bot is connected.
    here: bool,
}

impl keyboard::Desk for Desk {
    fn says(&self, words: &str) {
        self.mina.says(&self.place, words);
    }

    fn runs(&mut self, command: &str) -> Result<(), String> {
        let (name, given) = {
            let world = self.town.world();
            understood(&world, self.guild.id, command)?
        };
        let given: Vec<(&str, Given)> = given
            .iter()
            .map(|(name, given)| (&**name, given.clone()))
            .collect();
        self.last = Some(self.mina.runs(&self.place, &name, &given));
        Ok(())
    }

    async fn obeys(&mut self, order: &str, rest: &str) -> Result<(), String> {
        match order {
            "help" => println!("{HELP}"),
            "commands" => self.lists(),
            "reply" => {
                let said = self.latest(|seen| seen.by == "saseo" && !seen.private)?;
                self.mina.replies_to(&said, rest);
            },
            "attach" => self.attaches(rest)?,
            "press" => self.presses(rest)?,
            "menu" => {
                let there = {
                    let world = self.town.world();
                    world
                        .commands
                        .find(Some(self.guild.id), rest, MESSAGE)
                        .is_some()
                };
                if !there {
                    return Err(format!("the menu has no {rest}"));
                }
                let said = self.latest(|seen| seen.shown != Shown::Failed)?;
                self.last = Some(self.mina.runs_on(&said, rest));
            },
            "fill" => self.fills_in(rest).await?,
            "channel" => self.goes(rest)?,
            "thread" => {
                let id = self.latest(|seen| seen.thread.is_some())?.thread;
                self.place.id = id.ok_or("no thread")?;
                println!("— you are in the thread {}", self.place.name());
            },
            "dm" => {
                self.place = self.mina.direct_channel();
                println!("— you are alone with saseo");
            },
            _ => return Err("!help says what can be typed here".to_owned()),
        }
        Ok(())
    }

    /// Prints what is new or has changed, wherever Mina can see it.
    fn prints(&mut self) {
        let channels: Vec<(u64, String)> = {
            let world = self.town.world();
            let channels = world.channels.values();
            channels.map(|one| (one.id, one.name.clone())).collect()
        };
        for (id, name) in channels {
            let channel = Channel {
                town: Arc::clone(&self.mina.town),
                id,
            };
            for seen in self.mina.sees(&channel) {
                self.prints_one(&name, &seen);
            }
        }
        self.opens();
        let here = {
            let world = self.town.world();
            let mut sessions = world.gateway.sessions.iter();
            sessions.any(|session| session.link.is_some())
        };
        if here != self.here {
            self.here = here;
            println!("— saseo {}", if here { "is here" } else { "has gone" });
        }
    }
}

impl Desk {
    fn latest(&self, wanted: impl Fn(&Seen) -> bool) -> Result<Seen, String> {
        let seen = self.mina.sees(&self.place);
        let found = seen.into_iter().rev().find(wanted);
        found.ok_or_else(|| "there is no such message".to_owned())
    }

    fn attaches(&self, rest: &str) -> Result<(), String> {
        let (path, words) = rest.split_once(' ').unwrap_or((rest, ""));
        let (name, bytes) = keyboard::read(path)?;
        self.mina.attaches(&self.place, words, &[(&*name, &*bytes)]);
        Ok(())
    }

    fn presses(&mut self, number: &str) -> Result<(), String> {
        let (message, button) = self.printed.button(number)?;
        let seen = self.latest(|seen| seen.id == message)?;
        let works = seen.button(&button).is_some_and(|button| !button.disabled);
        if !works {
            return Err("that button is gone".to_owned());
        }
        self.last = Some(self.mina.presses(&seen, &button));
        Ok(())
    }

    async fn fills_in(&mut self, rest: &str) -> Result<(), String> {
        let run = self.last.ok_or("no form is open")?;
        let open = self.town.world().interactions[&run.id].modal.is_some();
        if !open {
            return Err("no form is open".to_owned());
        }
        self.last = Some(self.mina.fills_in(run, &keyboard::filled(rest)).await);
        Ok(())
    }

    fn goes(&mut self, name: &str) -> Result<(), String> {
        let name = name.trim_start_matches('#');
        let found = {
            let world = self.town.world();
            let mut channels = world.channels.values();
            channels
                .find(|channel| channel.name == name && channel.guild == Some(self.guild.id))
                .map(|channel| channel.id)
        };
        let id = found.ok_or_else(|| format!("there is no #{name}"))?;
        self.place = Channel {
            town: Arc::clone(&self.mina.town),
            id,
        };
        println!("— you are in #{name}");
        Ok(())
    }

    fn lists(&self) {
        let world = self.town.world();
        for command in world.commands.all() {
            let mark = if command.kind() == CHAT_INPUT {
                "/"
            } else {
                "menu "
            };
            let about = command.body["description"].as_str().unwrap_or("");
            println!("  {mark}{} {about}", command.name());
            for option in options(&command.body) {
                let about = option["description"].as_str().unwrap_or("");
                println!("      {} {about}", text(option, "name"));
            }
        }
    }
}

/// The command in `line`, and what is given for its options.
fn understood(
    world: &World,
    guild: u64,
    line: &str,
) -> Result<(String, Vec<(String, Given)>), String> {
    let (first, mut rest) = line.split_once(' ').unwrap_or((line, ""));
    let found = world.commands.find(Some(guild), first, CHAT_INPUT);
    let command: &Command = found.ok_or_else(|| format!("the bot has no /{first}"))?;
    let mut name = first.to_owned();
    let mut form = &command.body;
    loop {
        let (next, beyond) = rest.split_once(' ').unwrap_or((rest, ""));
        let inner = options(form).find(|option| nests(option) && option["name"] == next);
        let Some(inner) = inner else {
            break;
        };
        name = format!("{name} {next}");
        (form, rest) = (inner, beyond);
    }
    if options(form).any(nests) {
        let names: Vec<&str> = options(form).map(|option| text(option, "name")).collect();
        return Err(format!("/{name} needs one of: {}", names.join(", ")));
    }
    Ok((name, filled(form, rest.trim())?))
}

/// `question: why file:@rules.md`; words without a name go to the first option.
fn filled(form: &Value, rest: &str) -> Result<Vec<(String, Given)>, String> {
    let mut words: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut at = options(form)
        .next()
        .map_or("", |option| text(option, "name"));
    for word in rest.split_whitespace() {
        let named = word.split_once(':');
        let named = named.filter(|(name, _)| options(form).any(|it| it["name"] == *name));
        let word = named.map_or(word, |(_, word)| word);
        at = named.map_or(at, |(name, _)| name);
        words.entry(at).or_default().push(word);
    }
    let mut given = Vec::new();
    for option in options(form) {
        let name = text(option, "name");
        let Some(words) = words.get(name) else {
            if option["required"] == true {
                return Err(format!("{name} is needed"));
            }
            continue;
        };
        given.push((name.to_owned(), value(option, words.join(" ").trim())?));
    }
    Ok(given)
}

fn value(option: &Value, text: &str) -> Result<Given, String> {
    let wrong = || format!("{text} does not fit: {option}");
    let choices = option["choices"].as_array();
    let choice = choices.and_then(|choices| choices.iter().find(|one| one["name"] == text));
    let chosen = choice.and_then(|choice| choice["value"].as_str());
    let offered = choices.is_none_or(|choices| {
        choices.is_empty() || choice.is_some() || choices.iter().any(|one| one["value"] == text)
    });
    match option["type"].as_u64() {
        _ if !offered => Err(wrong()),
        Some(3) if !lengths(option).contains(&text.chars().count()) => Err(wrong()),
        Some(4) => text.parse().map(Given::Integer).map_err(|_| wrong()),
        Some(5) => text.parse().map(Given::Flag).map_err(|_| wrong()),
        Some(10) => text.parse().map(Given::Number).map_err(|_| wrong()),
        Some(11) => {
            let (name, bytes) = keyboard::read(text.trim_start_matches('@'))?;
            Ok(Given::File(name, bytes))
        },
        _ => Ok(Given::Text(chosen.unwrap_or(text).to_owned())),
    }
}

fn lengths(option: &Value) -> RangeInclusive<usize> {
    let limit = |key: &str| {
        option[key]
            .as_u64()
            .and_then(|limit| usize::try_from(limit).ok())
    };
    limit("min_length").unwrap_or(0)..=limit("max_length").unwrap_or(6_000)
}

fn options(form: &Value) -> impl Iterator<Item = &Value> {
    form["options"].as_array().into_iter().flatten()
}

fn nests(option: &Value) -> bool {
    [SUB_COMMAND, SUB_COMMAND_GROUP].contains(&option["type"].as_u64().unwrap_or(0))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or("")
}

/// Printing.
impl Desk {
    fn prints_one(&mut self, channel: &str, seen: &Seen) {
        let text = named(&self.town.world(), &seen.to_string());
        let Some(mark) = self.printed.mark(seen.id, &text) else {
            return;
        };
        let place = if channel.is_empty() {
            "direct".to_owned()
        } else {
            format!("#{channel}")
        };
        println!("{mark} {place} {text}");
        let usable = seen.buttons.iter().filter(|button| !button.disabled);
        for button in usable {
            if let Some(id) = &button.custom_id {
                let entry = (seen.id, id.clone());
                self.printed.numbers(entry, &button.label);
            }
        }
    }

    /// Says that a form was opened, once.
    fn opens(&mut self) {
        let Some(run) = self.last else {
            return;
        };
        let modal = self.town.world().interactions[&run.id].modal.clone();
        let new = |_: &Value| self.printed.mark(run.id, "a form").is_some();
        let Some(modal) = modal.filter(new) else {
            return;
        };
        println!("  a form: {}", text(&modal, "title"));
        let rows = modal["components"].as_array().into_iter().flatten();
        let parts = rows
            .filter_map(|row| row["components"].as_array())
            .flatten();
        for part in parts {
            println!("      {}: {}", text(part, "custom_id"), text(part, "label"));
        }
    }
}

/// `text` with people's names in place of their numbers.
fn named(world: &World, text: &str) -> String {
    let users = world.users.values();
    let names = users.map(|user| (format!("<@{}>", user.id), format!("@{}", user.name)));
    people::named(text, names.collect())
}
