//! A town with a library to ask in: the real store in a folder of its own, a scripted model,
//! and a person who writes down what they were shown.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use saseo::adapters::clock::SystemClock;
use saseo::adapters::store::{Mailbox, Stacks};
use saseo::app::answer::{Asked, Unanswered, answer};
use saseo::app::desk::{Desk, Prompts, Rules};
use saseo::app::errands::Counter;
use saseo::app::ingest::{Elsewhere, Shelved, shelve};
use saseo::domain::chunk::ChunkRules;
use saseo::domain::document::{CollectionName, Document, Shelfmark};
use saseo::domain::event::Curators;
use saseo::domain::language::Language;
use saseo::domain::passage::{Passage, Scope};
use saseo::domain::prompt::Template;
use saseo::domain::question::{QuestionText, Turn};
use saseo::domain::reading::Limits;
use saseo::domain::receipt::{Receipt, Sampling};
use saseo::ports::{Acquirer, Audience, Embedder, Handed, Unacquired};

use super::embedder::WordHashes;
use super::script::Script;

/// What most libraries here have, and what is asked of them.
pub(crate) const LEAVE: &str = "# Leave\n\nEvery employee has 15 days of leave a year. \
    Unused leave days do not carry over to the next year.\n";
pub(crate) const QUESTION: &str = "How many days of leave does an employee have?";
/// How a prompt goes on from that question.
pub(crate) const BEFORE: &str = "Before this, the person asked: How many days of leave";
pub(crate) const ANSWER: &str = "Every employee has 15 days of leave a year.";

/// The library, who sits in it, and the folder it lies in.
pub(crate) struct Town {
    pub(crate) desk: Desk,
    pub(crate) script: Arc<Script>,
    pub(crate) inbox: Mailbox,
    pub(crate) folder: Arc<tempfile::TempDir>,
}

impl Town {
    pub(crate) fn with(script: Script) -> Self {
        Self::within(Arc::new(tempfile::tempdir().unwrap()), script)
    }

    /// In a data folder that may have been lived in.
    pub(crate) fn within(folder: Arc<tempfile::TempDir>, script: Script) -> Self {
        let embedder: Arc<dyn Embedder> = Arc::new(WordHashes::new(64));
        let clock = Arc::new(SystemClock::start());
        let opened =
            Stacks::open(folder.path(), Some(embedder.fingerprint()), clock.clone()).unwrap();
        let script = Arc::new(script);
        let desk = Desk {
            library: Arc::new(opened.library),
            embedder,
            chat: script.clone(),
            writes: vec![Language::English, Language::Korean],
            ledger: Arc::new(opened.ledger),
            clock,
            prompts: prompts(),
            rules: rules(),
            chunks: ChunkRules::default(),
        };
        Self {
            desk,
            script,
            inbox: opened.inbox,
            folder,
        }
    }

    /// With one page, about leave.
    #[cfg(any(feature = "discord", feature = "slack"))]
    pub(crate) async fn about_leave(script: Script) -> Self {
        let town = Self::with(script);
        town.add("Leave", LEAVE).await;
        town
    }

    /// Puts a page on the shelf.
    pub(crate) async fn add(&self, title: &str, text: &str) -> Shelved {
        let shelfmark = Shelfmark {
            collection: CollectionName::default(),
            uri: format!("{title}.md"),
        };
        let document = document(shelfmark, title, text);
        shelve(
            &self.desk.shelving(),
            vec![document],
            ("test", Elsewhere::Refuse),
            &|_| {},
        )
        .await
        .unwrap()
    }

    /// What it takes to answer messengers here: curators have the role `librarian`.
    pub(crate) fn counter(&self) -> Counter {
        Counter {
            desk: self.desk.clone(),
            acquirer: Arc::new(Texts),
            collection: CollectionName::default(),
            longest: 1 << 20,
            curators: Curators {
                roles: vec!["librarian".into()],
            },
        }
    }

    pub(crate) async fn ask(&self, question: &str) -> (Receipt, Seen) {
        self.ask_after(question, &[]).await.unwrap()
    }

    pub(crate) async fn ask_after(
        &self,
        question: &str,
        said: &[Turn],
    ) -> Result<(Receipt, Seen), Unanswered> {
        let asked = Asked {
            question: QuestionText::new(question).unwrap(),
            said: said.to_vec(),
            scope: Scope::default(),
        };
        let notebook = Notebook::default();
        let receipt = answer(&self.desk, &asked, &notebook).await?;
        Ok((receipt, notebook.seen.into_inner().unwrap()))
    }
}

/// What a person was shown before the final form.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) titles: Vec<String>,
    pub(crate) sentences: Vec<String>,
}

#[derive(Default)]
struct Notebook {
    seen: Mutex<Seen>,
}

impl Audience for Notebook {
    fn sources(&self, passages: &[Passage]) {
        self.seen.lock().unwrap().titles = passages
            .iter()
            .map(|passage| passage.title.clone())
            .collect();
    }

    fn sentence(&self, text: &str) {
        self.seen.lock().unwrap().sentences.push(text.to_owned());
    }
}

fn prompts() -> Prompts {
    let read = |text: &str| Template::parse(text).unwrap();
    Prompts {
        english: read(include_str!("../../prompts/answer.md")),
        korean: read(include_str!("../../prompts/answer.ko.md")),
    }
}

fn rules() -> Rules {
    Rules {
        passages: 8,
        // The hashed embedder has no meaning to be confident of; words decide here.
        floor: 0.0,
        passages_read: 4,
        lines_read: 20,
        excerpts: Limits {
            most: 2,
            longest: 70,
        },
        sentences: 2,
        sampling: Sampling {
            temperature: 0.0,
            seed: 1,
            longest: 72,
        },
    }
}

/// A document that is too much for whoever reads it.
pub(crate) const PANICS: &str = "This one panics.";

/// Takes texts as they are: parsing is shown elsewhere.
struct Texts;

#[async_trait]
impl Acquirer for Texts {
    async fn page(&self, _: &str, _: &CollectionName) -> Result<Document, Unacquired> {
        Err(unacquired("it could not be reached", "연결할 수 없습니다"))
    }

    async fn file(
        &self,
        file: Handed<'_>,
        uri: &str,
        collection: &CollectionName,
    ) -> Result<Document, Unacquired> {
        assert_ne!(file.bytes, PANICS.as_bytes(), "as it was asked to");
        let text = String::from_utf8(file.bytes.to_vec())
            .map_err(|_| unacquired("it is not text", "글이 아닙니다"))?;
        let shelfmark = Shelfmark {
            collection: collection.clone(),
            uri: uri.to_owned(),
        };
        let title = if file.name.is_empty() { uri } else { file.name };
        Ok(Document {
            origin: Some(uri.to_owned()),
            ..document(shelfmark, title, &text)
        })
    }
}

fn unacquired(english: &str, korean: &str) -> Unacquired {
    Unacquired {
        english: english.to_owned(),
        korean: korean.to_owned(),
    }
}

fn document(shelfmark: Shelfmark, title: &str, text: &str) -> Document {
    Document {
        shelfmark,
        title: title.to_owned(),
        language: Language::of(text),
        modified: None,
        carried: None,
        origin: None,
        text: text.to_owned(),
    }
}
