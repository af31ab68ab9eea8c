//! A team in a Slack.

use std::time::Duration;

use super::{Post, Room, Who};
use crate::slack::bot::Bot;
use crate::support::slack::Slack;
use crate::support::slack::manifest::Manifest;
use crate::support::slack::people::{Person, Said};
use crate::support::slack::places::{Channel, Workspace};
use crate::support::slack::seen::Seen;
use crate::support::town::Town;

pub(super) struct Team {
    slack: Slack,
    workspace: Workspace,
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
            channel: self.general.id.clone(),
            ts: id.to_owned(),
        }
    }
}

impl super::Team for Team {
    type Bot = Bot;

    async fn meets() -> Self {
        let slack = Slack::start().await;
        let workspace = slack.workspace("Library");
        slack.takes(&Manifest::read(include_str!(
            "../../deploy/slack-manifest.yaml"
        )));
        Self {
            general: workspace.channel("general"),
            mina: workspace.admin("Mina"),
            joon: workspace.member("Joon"),
            slack,
            workspace,
        }
    }

    async fn served(&self, town: Town) -> Bot {
        Bot::start(&self.slack, &self.workspace, town).await
    }

    #[cfg(feature = "mistralrs")]
    fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("SASEO_SLACK_BOT_TOKEN", self.workspace.token()),
            ("SASEO_SLACK_APP_TOKEN", self.slack.app_token()),
            ("SASEO__SLACK__API_URL", self.slack.api()),
        ]
    }

    #[cfg(feature = "mistralrs")]
    async fn connected(&self) {
        self.slack.connected().await;
    }

    fn says(&self, who: Who, text: &str) -> String {
        let said = self.person(who).says(&self.general, text);
        said.ts
    }

    fn writes(&self, who: Who, text: &str) -> String {
        self.person(who).direct_message(text).ts
    }

    /// In its thread, with no mention.
    fn follows_up(&self, who: Who, answer: &Post, text: &str) -> String {
        let said = self.person(who).replies_to(self.said(&answer.id), text);
        said.ts
    }

    fn attaches(&self, who: Who, text: &str, file: (&str, &[u8])) -> String {
        let said = self.person(who).attaches(&self.general, text, &[file]);
        said.ts
    }

    fn asks(&self, who: Who, question: &str) -> String {
        self.person(who).runs(&self.general, "/ask", question).id
    }

    fn asks_library(&self, who: Who, command: &str, words: &str) {
        let line = format!("{command} {words}");
        self.person(who)
            .runs(&self.general, "/library", line.trim());
    }

    /// With a mention.
    fn hands_in(&self, who: Who, file: (&str, &[u8])) {
        let said = self.attaches(who, "@saseo for the shelf", file);
        assert!(!said.is_empty());
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

    /// It stands in the channel: Slack shows nothing of a command there.
    fn answers(&self, _run: &str, post: &Post) -> bool {
        let shown = self.general.shows();
        shown
            .iter()
            .any(|one| one.ts == post.id && one.reply_to.is_none())
    }

    /// Beside it: a thread would hide it.
    fn answers_alone(&self, _said: &str, post: &Post) -> bool {
        post.below.is_none()
    }

    fn is_well_behaved(&self, _post: &Post) -> bool {
        let slack = &self.slack;
        slack.pings().is_empty()
            && slack.previewed().is_empty()
            && slack.odd().is_empty()
            && (slack.retries(), slack.hasty()) == (0, 0)
    }

    /// A style of rich text, which is no mark in it.
    fn heading(&self, words: &str) -> String {
        words.to_owned()
    }

    fn small(&self, words: &str) -> String {
        words.to_owned()
    }

    fn source(&self, number: usize) -> String {
        format!("[{number}]")
    }
}

fn posts(seen: &[Seen]) -> Vec<Post> {
    let label = |seen: &Seen| seen.buttons.iter().map(|one| one.label.clone()).collect();
    let posts = seen.iter().map(|seen| Post {
        id: seen.ts.clone(),
        by: seen.by.clone(),
        text: seen.text.clone(),
        private: seen.private,
        below: seen.reply_to.clone(),
        buttons: label(seen),
    });
    posts.collect()
}
