//! A Slack on this machine to try a bot in, without a token of anybody's.
//!
//! `cargo run --no-default-features --example fake_slack` opens a workspace with two channels, at
//! port 8766 or the one that is named. What is typed here is said there; what the bot answers
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
mod keyboard;
#[path = "../tests/support/line.rs"]
mod line;
#[expect(dead_code, reason = "the tests use what is not used here")]
#[path = "../tests/support/loopback/mod.rs"]
mod loopback;
#[expect(dead_code, reason = "the tests use what is not used here")]
#[path = "../tests/support/slack/mod.rs"]
mod slack;

use std::collections::BTreeMap;
use std::sync::Arc;

use keyboard::Printed;
use loopback::people;
use slack::Slack;
use slack::clock::{Id, Ts};
use slack::people::{Person, Run, Said};
use slack::places::{Channel, Workspace};
use slack::seen::{Seen, Shown};
use slack::world::{Kind, World};

const PORT: u16 = 8_766;

const HELP: &str = "\
  words               said in the channel; @saseo calls the bot, @Noah a colleague
  /ask why            runs a command
  !reply words        says it in the thread of the last message here
  !attach FILE words  says it with a file
  !press N            presses the button with that number
  !menu NAME          runs a shortcut of the last message's menu, such as Add to library
  !fill key=text; …   fills in the form that was opened; keys are action ids
  !home               opens the app's home; !press-home NAME presses a button there
  !assistant          begins a thread with the assistant, beside this channel
  !channel NAME       goes to another channel
  !dm                 goes to the direct messages with the bot
  !refresh, !cut      ends the bot's links, with a word or without
  !help, !quit";

#[tokio::main]
async fn main() {
    let port = std::env::args().nth(1);
    let port = port.map_or(PORT, |port| port.parse().expect("a port"));
    let town = Slack::start_at(port).await;
    let library = town.workspace("Library");
    let mina = library.admin("Mina");
    library.member("Noah");
    let general = library.channel("general");
    library.channel("help");
    println!("In another terminal:");
    println!("  export SASEO__SLACK__API_URL={}", town.api());
    println!("  export SASEO_SLACK_BOT_TOKEN={}", library.token());
    println!("  export SASEO_SLACK_APP_TOKEN={}", town.app_token());
    println!("  saseo serve");
    println!(
        "You are Mina, an admin of the workspace Library, in #general; there is #help too."
    );
    println!("!help says what can be typed here.");
    let mut desk = Desk {
        town,
        library,
        mina,
        place: general,
        printed: Printed::nothing(),
        statuses: BTreeMap::new(),
        last: None,
        forms: Vec::new(),
        home: None,
        links: 0,
    };
    keyboard::sit(&mut desk).await;
}

/// Mina at the keyboard.
struct Desk {
    town: Slack,
    library: Workspace,
    mina: Person,
    place: Channel,
    /// The messages, and the buttons: message and action id.
    printed: Printed<(Id, Ts), (Said, String)>,
    /// What was printed of what the app says it is doing.
    statuses: BTreeMap<(Id, Ts), String>,
    last: Option<Run>,
    /// The forms that were printed.
    forms: Vec<Id>,
    /// What was printed of the app's home.
    home: Option<String>,
    links: usize,
}

impl keyboard::Desk for Desk {
    fn says(&self, words: &str) {
        self.mina.says(&self.place, words);
    }

    fn runs(&mut self, command: &str) -> Result<(), String> {
        let (name, text) = command.split_once(' ').unwrap_or((command, ""));
        let name = format!("/{name}");
        if !self.mina.can_run(&name) {
            return Err(format!("the app has no {name}"));
        }
        self.last = Some(self.mina.runs(&self.place, &name, text));
        Ok(())
    }

    async fn obeys(&mut self, order: &str, rest: &str) -> Result<(), String> {
        match order {
            "help" => println!("{HELP}"),
            "reply" => {
                let said = self.latest(|seen| !seen.private)?;
                self.mina.replies_to(&said, rest);
            },
            "attach" => self.attaches(rest)?,
            "press" => self.presses(rest)?,
            "menu" => self.chooses(rest)?,
            "fill" => self.fills_in(rest).await?,
            "home" => self.mina.opens_home(),
            "press-home" => self.last = Some(self.mina.presses_at_home(rest)),
            "assistant" => {
                let looking_at = Some(&self.place).filter(|place| !place.name().is_empty());
                self.mina.turns_to_assistant(looking_at);
                self.place = self.mina.direct_channel();
                println!("— you are in a thread with the assistant: !reply writes there");
            },
            "channel" => self.goes(rest)?,
            "dm" => {
                self.place = self.mina.direct_channel();
                println!("— you are alone with saseo");
            },
            "refresh" => println!("— {} links", self.town.cuts(slack::faults::Cut::Refresh)),
            "cut" => println!("— {} links", self.town.cuts(slack::faults::Cut::Torn)),
            _ => return Err("!help says what can be typed here".to_owned()),
        }
        Ok(())
    }

    /// Prints what is new or has changed, wherever Mina can see it.
    fn prints(&mut self) {
        let channels: Vec<(Id, String)> = {
            let world = self.town.world();
            let channels = world.channels.values();
            let named = channels.map(|one| (one.id.clone(), place(one.kind, &one.name)));
            named.collect()
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
        self.prints_statuses();
        self.prints_views();
        for method in self.town.lost_requests() {
            println!("! saseo called {method}, which is not here");
        }
        self.town.forgives_lost_requests();
        let links = self.town.links();
        if links != self.links {
            self.links = links;
            println!("— saseo has {links} links");
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
        let (said, button) = self.printed.button(number)?;
        let channel = Channel {
            town: Arc::clone(&self.mina.town),
            id: said.channel.clone(),
        };
        let seen = self.mina.sees(&channel);
        let there = seen
            .iter()
            .any(|seen| seen.ts == said.ts && seen.button(&button).is_some());
        if !there {
            return Err("that button is gone".to_owned());
        }
        self.last = Some(self.mina.presses(said, &button));
        Ok(())
    }

    fn chooses(&mut self, name: &str) -> Result<(), String> {
        let there = self.town.world().app.shortcuts.contains_key(name);
        if !there {
            return Err(format!("the menu has no {name}"));
        }
        let said = self.latest(|seen| seen.shown != Shown::Failed)?;
        self.last = Some(self.mina.runs_on(&said, name));
        Ok(())
    }

    async fn fills_in(&mut self, rest: &str) -> Result<(), String> {
        let run = self.last.clone().ok_or("no form is open")?;
        self.mina.form(&run).ok_or("no form is open")?;
        self.mina.fills_in(&run, &keyboard::filled(rest)).await;
        Ok(())
    }

    fn goes(&mut self, name: &str) -> Result<(), String> {
        let name = name.trim_start_matches('#');
        let found = {
            let world = self.town.world();
            let mut channels = world.channels.values();
            channels
                .find(|channel| channel.name == name && channel.team == self.library.id)
                .map(|channel| channel.id.clone())
        };
        let id = found.ok_or_else(|| format!("there is no #{name}"))?;
        self.place = Channel {
            town: Arc::clone(&self.mina.town),
            id,
        };
        println!("— you are in #{name}");
        Ok(())
    }
}

/// Printing.
impl Desk {
    fn prints_one(&mut self, channel: &str, seen: &Seen) {
        let text = named(&self.town.world(), &seen.to_string());
        let key = (seen.channel.clone(), seen.ts.clone());
        let Some(mark) = self.printed.mark(key, &text) else {
            return;
        };
        println!("{mark} {channel} {text}");
        for button in &seen.buttons {
            let entry = (Said::from(seen), button.action.clone());
            self.printed.numbers(entry, &button.label);
        }
    }

    fn prints_statuses(&mut self) {
        let world = self.town.world();
        let now = world.clock.now();
        for (place, status) in &world.statuses {
            let said = if status.holds(now) { &*status.text } else { "" };
            let before = self.statuses.insert(place.clone(), said.to_owned());
            if before.as_deref() != Some(said) && !said.is_empty() {
                println!("  saseo {said}");
            }
        }
    }

    /// Says that a form was opened, once, and what is at home when that changes.
    fn prints_views(&mut self) {
        if let Some(run) = self.last.clone()
            && let Some(form) = self.mina.form(&run)
            && !self.forms.contains(&form)
            && let Some((text, _)) = self.mina.reads_form(&run)
        {
            self.forms.push(form);
            println!("  a form was opened: {text}");
        }
        let home = self.mina.home();
        if home != self.home {
            println!("  at home: {}", home.as_deref().unwrap_or("nothing"));
            self.home = home;
        }
    }
}

fn place(kind: Kind, name: &str) -> String {
    match kind {
        Kind::Public | Kind::Private | Kind::Group => format!("#{name}"),
        Kind::Direct => "direct".to_owned(),
    }
}

/// `text` with people's names in place of their ids.
fn named(world: &World, text: &str) -> String {
    let users = world.users.values();
    let names = users.map(|user| (format!("<@{}>", user.id), format!("@{}", user.name)));
    people::named(text, names.collect())
}
