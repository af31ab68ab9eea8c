//! A team in a Discord.

use std::time::Duration;

use super::{Post, Room, Who};
use crate::discord::bot::Bot;
use crate::support::discord::Discord;
use crate::support::discord::guilds::Channel;
use crate::support::discord::people::{Given, Person, Said};
use crate::support::discord::seen::Seen;
use crate::support::town::Town;

pub(super) struct Team {
    discord: Discord,
    general: Channel,
    mina: Person,
    joon: Person,
}

impl Team {
    fn person(&self, who: Who) -> &Person {
        match who {
            Who::Mina => &self.mina,
            Who::Joon => &self.joon,
        }
    }

    fn room(&self, who: Who, room: Room) -> Channel {
        match room {
            Room::Channel => self.general.clone(),
            Room::Alone => self.person(who).direct_channel(),
        }
    }

    /// What a name of a post stands for.
    fn said(&self, id: &str) -> Said {
        Said {
            channel: self.general.id,
            id: id.parse().unwrap(),
        }
    }
}

impl super::Team for Team {
    type Bot = Bot;

    async fn meets() -> Self {
        let discord = Discord::start().await;
        let guild = discord.guild("team");
        let librarian = guild.role("librarian", 0);
        Self {
            general: guild.channel("general"),
            mina: guild.member("Mina", &[librarian]),
            joon: guild.member("Joon", &[]),
            discord,
        }
    }

    async fn served(&self, town: Town) -> Bot {
        Bot::start(&self.discord, town).await
    }

    #[cfg(feature = "mistralrs")]
    fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("SASEO_DISCORD_TOKEN", self.discord.token()),
            ("SASEO__DISCORD__API_URL", self.discord.api()),
            ("SASEO__RECEPTION__CURATORS", "[\"librarian\"]".into()),
        ]
    }

    #[cfg(feature = "mistralrs")]
    async fn connected(&self) {
        self.discord.connected().await;
    }

    fn says(&self, who: Who, text: &str) -> String {
        let said = self.person(who).says(&self.general, text);
        said.id.to_string()
    }

    fn writes(&self, who: Who, text: &str) -> String {
        self.person(who).direct_message(text).id.to_string()
    }

    /// With a reply.
    fn follows_up(&self, who: Who, answer: &Post, text: &str) -> String {
        let said = self.person(who).replies_to(self.said(&answer.id), text);
        said.id.to_string()
    }

    fn attaches(&self, who: Who, text: &str, file: (&str, &[u8])) -> String {
        let said = self.person(who).attaches(&self.general, text, &[file]);
        said.id.to_string()
    }

    fn asks(&self, who: Who, question: &str) -> String {
        let given = [("question", question.into())];
        let run = self.person(who).runs(&self.general, "ask", &given);
        run.id.to_string()
    }

    fn asks_library(&self, who: Who, command: &str, words: &str) {
        let mut given = Vec::new();
        if !words.is_empty() {
            given.push(("words", words.into()));
        }
        let command = format!("library {command}");
        self.person(who).runs(&self.general, &command, &given);
    }

    /// With the command.
    fn hands_in(&self, who: Who, (name, bytes): (&str, &[u8])) {
        let file = Given::File(name.to_owned(), bytes.to_vec());
        let given = [("file", file)];
        self.person(who).runs(&self.general, "library add", &given);
    }

    fn chooses(&self, who: Who, said: &str, entry: &str) {
        self.person(who).runs_on(self.said(said), entry);
    }

    fn presses(&self, who: Who, post: &Post, button: &str) {
        self.person(who).presses(self.said(&post.id), button);
    }

    fn sees(&self, who: Who, room: Room) -> Vec<Post> {
        posts(&self.person(who).sees(&self.room(who, room)))
    }

    fn looks<T>(
        &self,
        (who, room): (Who, Room),
        patience: Duration,
        wanted: impl Fn(&[Post]) -> Option<T>,
    ) -> impl Future<Output = T> {
        let (person, room) = (self.person(who), self.room(who, room));
        async move {
            let wanted = |seen: &[Seen]| wanted(&posts(seen));
            person.wait_within(patience, &room, wanted).await
        }
    }

    fn answers(&self, run: &str, post: &Post) -> bool {
        let seen = self.mina.sees(&self.general);
        let found = seen.iter().find(|one| one.id.to_string() == post.id);
        let answers = found.and_then(|one| one.answers);
        !post.private && answers.is_some_and(|answers| answers.to_string() == run)
    }

    fn answers_alone(&self, said: &str, post: &Post) -> bool {
        post.below.as_deref() == Some(said)
    }

    fn is_well_behaved(&self, post: &Post) -> bool {
        let pings = self.discord.pings();
        let calls = pings.iter().any(|ping| ping.message.to_string() == post.id);
        !calls && self.discord.previewed().is_empty() && self.discord.invalid_requests() == 0
    }

    fn heading(&self, words: &str) -> String {
        format!("**{words}**")
    }

    fn small(&self, words: &str) -> String {
        format!("-# {words}")
    }

    fn source(&self, number: usize) -> String {
        format!("\\[{number}\\]")
    }
}

fn posts(seen: &[Seen]) -> Vec<Post> {
    let label = |seen: &Seen| seen.buttons.iter().map(|one| one.label.clone()).collect();
    let posts = seen.iter().map(|seen| Post {
        id: seen.id.to_string(),
        by: seen.by.clone(),
        text: seen.text.clone(),
        private: seen.private,
        below: seen.reply_to.map(|id| id.to_string()),
        buttons: label(seen),
    });
    posts.collect()
}
