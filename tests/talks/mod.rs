//! Conversations with the librarian that go the same way in every messenger: written once, held
//! in each.
//!
//! What a messenger does in its own way stands in what implements [`Team`] for it, and what only
//! one of them has in that one's own tests.

#[cfg(feature = "discord")]
mod discord;
#[cfg(feature = "mistralrs")]
mod librarian;
#[cfg(feature = "slack")]
mod slack;
mod words;

use std::ops::Deref;
use std::time::Duration;

use crate::support::bot::Shift;
use crate::support::loopback::PATIENCE;
use crate::support::town::Town;

/// Runs each conversation in each messenger, as a test of its own name.
macro_rules! in_every_messenger {
    ($($name:ident),+ $(,)?) => {
        #[cfg(feature = "discord")]
        mod in_discord {
            $(#[tokio::test]
            async fn $name() {
                super::$name::<crate::talks::discord::Team>().await;
            })+
        }
        #[cfg(feature = "slack")]
        mod in_slack {
            $(#[tokio::test]
            async fn $name() {
                super::$name::<crate::talks::slack::Team>().await;
            })+
        }
    };
}
pub(crate) use in_every_messenger;

/// Who is in the team.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// She may add documents.
    Mina,
    /// He may not.
    Joon,
}

/// Where in the messenger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    /// The channel in which all of them are.
    Channel,
    /// Where somebody is alone with the librarian.
    Alone,
}

/// A post before somebody's eyes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Post {
    /// Its name in its room.
    id: String,
    by: String,
    text: String,
    /// Seen by this person only.
    private: bool,
    /// What it stands below.
    below: Option<String>,
    /// What stands on its buttons.
    buttons: Vec<String>,
}

/// Two people, a channel and the librarian in one messenger.
trait Team {
    type Bot: Deref<Target = Shift>;

    async fn meets() -> Self;
    /// The librarian comes to work in this process.
    async fn served(&self, town: Town) -> Self::Bot;
    /// What `saseo serve` has in its environment to come to work here.
    #[cfg(feature = "mistralrs")]
    fn environment(&self) -> Vec<(&'static str, String)>;
    #[cfg(feature = "mistralrs")]
    async fn connected(&self);

    /// Says something in the channel, to nobody; its name there.
    fn says(&self, who: Who, text: &str) -> String;
    /// Writes to the librarian alone.
    fn writes(&self, who: Who, text: &str) -> String;
    /// Goes on with what was answered, as one does here.
    fn follows_up(&self, who: Who, answer: &Post, text: &str) -> String;
    /// Says something in the channel with a file.
    fn attaches(&self, who: Who, text: &str, file: (&str, &[u8])) -> String;
    /// Runs `/ask`; the name of what was run.
    fn asks(&self, who: Who, question: &str) -> String;
    /// Runs a command of the library, such as `list`, with what it is given.
    fn asks_library(&self, who: Who, command: &str, words: &str);
    /// Hands a file in for the library.
    fn hands_in(&self, who: Who, file: (&str, &[u8]));
    /// Chooses from the menu of something that was said in the channel.
    fn chooses(&self, who: Who, said: &str, entry: &str);
    /// Presses a button below a post in the channel.
    fn presses(&self, who: Who, post: &Post, button: &str);

    fn sees(&self, who: Who, room: Room) -> Vec<Post>;
    /// Looks until it is there.
    fn looks<T>(
        &self,
        place: (Who, Room),
        patience: Duration,
        wanted: impl Fn(&[Post]) -> Option<T>,
    ) -> impl Future<Output = T>;

    /// Whether a post is the answer, for everybody, to a command that was run.
    fn answers(&self, run: &str, post: &Post) -> bool;
    /// Whether an answer to who is alone with the librarian stands where one looks for it.
    fn answers_alone(&self, said: &str, post: &Post) -> bool;
    /// Whether the librarian has called nobody with a post, nor done anything that the messenger
    /// would frown at.
    fn is_well_behaved(&self, post: &Post) -> bool;
    /// How a heading, a small line and the mark of a source are written here.
    fn heading(&self, words: &str) -> String;
    fn small(&self, words: &str) -> String;
    fn source(&self, number: usize) -> String;

    fn mentions(&self, who: Who, text: &str) -> String {
        self.says(who, &format!("@saseo {text}"))
    }

    /// The last post of the librarian with this in it, once it is there.
    fn told(&self, who: Who, text: &str) -> impl Future<Output = Post> {
        self.looks((who, Room::Channel), PATIENCE, move |seen| {
            let mut seen = seen.iter().rev();
            seen.find(|one| one.by == "saseo" && one.text.contains(text))
                .cloned()
        })
    }
}
