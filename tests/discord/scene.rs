//! What proofs of the program have in common: a Discord, a library, and what is counted.
//!
//! What is counted is counted where it arrives, in the Discord.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::{Instant, sleep};

use super::process::Process;
use super::storms::{ANSWER, LEAVE, QUESTION};
use crate::support::discord::Discord;
use crate::support::discord::faults::{EDIT, Fault, Often, POST};
use crate::support::discord::guilds::Channel;
use crate::support::discord::people::{Given, Person, Said};
use crate::support::discord::seen::{Seen, Shown};
use crate::support::program::Program;

const KOREAN: &str = "# 휴가\n\n직원의 연차는 15일입니다. 남은 연차는 넘기지 않습니다.\n";

/// A Discord, and a program that has its token and a library with something in it.
pub(super) struct Scene {
    pub(super) discord: Discord,
    pub(super) program: Program,
    pub(super) people: Vec<Person>,
    pub(super) channels: Vec<Channel>,
}

impl Scene {
    pub(super) async fn new(people: usize, channels: usize, settings: &str) -> Self {
        let discord = Discord::start().await;
        let guild = discord.guild("team");
        let librarian = guild.role("librarian", 0);
        let roles = |number| {
            if number == 0 {
                vec![librarian]
            } else {
                Vec::new()
            }
        };
        let people =
            (0..people).map(|number| guild.member(&format!("P{number}"), &roles(number)));
        let people = people.collect();
        let channels = (0..channels)
            .map(|number| guild.channel(&format!("c{number}")))
            .collect();
        let program = Program::new([]).await;
        program.endpoint.known().usual = vec![ANSWER];
        program.settings(&format!(
            "first-token-seconds = 600\nbetween-tokens-seconds = 600\ntotal-seconds = 600\n\
             [discord]\napi-url = {:?}\n[reception]\ncurators = [\"librarian\"]\n{settings}",
            discord.api()
        ));
        program.write("wiki/leave.md", LEAVE);
        program.write("wiki/holiday.md", KOREAN);
        let wiki = program.path("wiki").display().to_string();
        let added = program.run(&["library", "add", &wiki]).await;
        assert_eq!(added.code, Some(0), "{added:?}");
        Self {
            discord,
            program,
            people,
            channels,
        }
    }

    pub(super) fn starts(&self) -> Process {
        Process::start(&self.program, &self.discord)
    }

    /// The first person adds a file in the first channel, by the command and its button.
    pub(super) async fn adds(&self, file: Given) {
        let (person, channel) = (&self.people[0], &self.channels[0]);
        person.runs(channel, "library add", &[("file", file)]);
        let shown = person.wait_within(PATIENCE, channel, with("Shall I add this"));
        person.presses(&shown.await, "Add");
        person.wait_within(PATIENCE, channel, with("Added: ")).await;
    }

    /// A question of the person and in the channel whose turn it is.
    pub(super) fn asks(&self, number: usize) -> Said {
        let person = &self.people[number % self.people.len()];
        let channel = &self.channels[number % self.channels.len()];
        person.mentions_bot(channel, &format!("{QUESTION} ({number})"))
    }

    /// The public replies to each of these, whole or not.
    pub(super) fn replies(&self, asked: &[Said]) -> BTreeMap<u64, Vec<Seen>> {
        let mut replies: BTreeMap<_, Vec<_>> =
            asked.iter().map(|said| (said.id, Vec::new())).collect();
        for one in self.seen().filter(|one| one.by == "saseo") {
            if let Some(to) = one.reply_to.and_then(|to| replies.get_mut(&to)) {
                to.push(one);
            }
        }
        replies
    }

    /// Everything that everybody sees, and the first person alone.
    pub(super) fn seen(&self) -> impl Iterator<Item = Seen> {
        let channels = self.channels.iter();
        channels.flat_map(|channel| self.people[0].sees(channel))
    }

    /// Waits until each of these has a whole reply.
    pub(super) async fn all_answered(&self, asked: &[Said], patience: Duration) {
        let until = Instant::now() + patience;
        loop {
            let mut open = self.replies(asked);
            open.retain(|_, all| !all.iter().any(is_final));
            if open.is_empty() {
                return;
            }
            let (still, last) = (open.len(), open.into_iter().take(3).collect::<Vec<_>>());
            assert!(
                Instant::now() < until,
                "{still} of {} are open: {last:#?}",
                asked.len()
            );
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Every question has one whole reply, and nobody was told anything else.
    #[track_caller]
    pub(super) fn is_answered_once(&self, asked: &[Said]) -> Counts {
        let mut counts = Counts::default();
        for (question, replies) in self.replies(asked) {
            assert_eq!(replies.len(), 1, "question {question}: {replies:#?}");
            let reply = &replies[0];
            assert!(is_final(reply), "question {question}: {reply}");
            counts.count(reply);
        }
        let ours = self
            .seen()
            .filter(|one| one.by == "saseo" && one.reply_to.is_some());
        assert_eq!(
            ours.count(),
            asked.len(),
            "replies to questions that nobody asked"
        );
        counts
    }
}

impl Scene {
    /// Answers take a while, and so does Discord, so that kills hit what is under way.
    pub(super) fn writes_slowly(&self) {
        self.discord.unlimited();
        let slow = Fault::Slow(Duration::from_millis(30));
        self.discord.goes_wrong(POST, slow, Often::Always);
        self.discord.goes_wrong(EDIT, slow, Often::Always);
        let mut known = self.program.endpoint.known();
        known.usual = vec![
            "Every ",
            "employee ",
            "has ",
            "15 days ",
            "of leave ",
            "a year.",
        ];
        known.pace = Duration::from_millis(20);
    }

    /// Replies that were made whole more than once.
    pub(super) fn closed_twice(&self, asked: &[Said]) -> usize {
        let replies = self.replies(asked);
        let last = |reply: &Seen| {
            let edits = self.discord.edits_of(reply).into_iter();
            edits
                .filter(|edit| edit.body.to_string().contains(" receipt "))
                .count()
        };
        replies
            .values()
            .flatten()
            .filter(|reply| last(reply) > 1)
            .count()
    }
}

impl Scene {
    /// Waits until each of these has some reply.
    pub(super) async fn all_told(&self, asked: &[Said], patience: Duration) {
        let until = Instant::now() + patience;
        while self.replies(asked).values().any(Vec::is_empty) {
            assert!(Instant::now() < until, "somebody was told nothing");
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// How long after its command each deferral arrived, the shortest first.
    pub(super) fn deferred_after(&self, runs: &[u64]) -> Vec<TimeDelta> {
        let world = self.discord.world();
        let mut latencies = Vec::new();
        for id in runs {
            let path = format!("/api/v10/interactions/{id}/");
            let mut requests = world.record.requests.iter();
            let deferral = requests
                .find(|request| request.path.starts_with(&path) && request.status == Some(204));
            latencies.extend(deferral.map(|one| one.at - world.interactions[id].at));
        }
        latencies.sort();
        latencies
    }

    /// What the people who ran these commands see in their place.
    pub(super) fn answers_to(&self, runs: &[u64]) -> BTreeMap<u64, Vec<Seen>> {
        let mut answers: BTreeMap<u64, Vec<Seen>> =
            runs.iter().map(|id| (*id, Vec::new())).collect();
        for one in self.seen() {
            if let Some(to) = one.answers.and_then(|id| answers.get_mut(&id)) {
                to.push(one);
            }
        }
        answers
    }

    pub(super) async fn runs_are_answered(&self, runs: &[u64], patience: Duration) {
        let until = Instant::now() + patience;
        while self
            .answers_to(runs)
            .values()
            .any(|all| !all.iter().any(is_final))
        {
            assert!(Instant::now() < until, "{:#?}", self.answers_to(runs));
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// How commands ended, each with one answer.
    #[track_caller]
    pub(super) fn answers_of(&self, runs: &[u64]) -> Counts {
        let mut counts = Counts::default();
        for (run, answers) in self.answers_to(runs) {
            assert_eq!(answers.len(), 1, "command {run}: {answers:#?}");
            counts.count(&answers[0]);
        }
        counts
    }
}

/// How questions ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) answered: usize,
    pub(super) busy: usize,
    pub(super) failed: usize,
}

impl Counts {
    pub(super) fn count(&mut self, reply: &Seen) {
        let kind = if reply.text.contains("15 days of leave a year. \\[1\\]") {
            &mut self.answered
        } else if reply.text.starts_with("So many questions") {
            &mut self.busy
        } else {
            &mut self.failed
        };
        *kind += 1;
    }
}

/// Whether nothing more will come: an answer with its footer, or a sentence that says why not.
pub(super) fn is_final(reply: &Seen) -> bool {
    let last = [
        " receipt ",
        "영수증",
        "So many questions",
        "Something failed",
        "in time.",
        "Stopped.",
    ];
    let waits = |id: &String| id.starts_with("saseo:stop:");
    reply.shown != Shown::Thinking
        && !reply
            .buttons
            .iter()
            .any(|button| button.custom_id.as_ref().is_some_and(waits))
        && last.iter().any(|last| reply.text.contains(last))
}

/// The last post of the bot with this in it, once it is there.
pub(super) fn with(text: &'static str) -> impl Fn(&[Seen]) -> Option<Seen> {
    move |seen| {
        let mut seen = seen.iter().rev();
        seen.find(|one| one.by == "saseo" && one.text.contains(text))
            .cloned()
    }
}

/// Longer than anything here takes on a machine that others use too.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
