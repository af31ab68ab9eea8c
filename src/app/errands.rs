//! What people ask of the librarian that is no question: to look at the library, to put
//! something into it, to press a button.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::desk::Desk;
use super::replay;
use crate::domain::document::{Card, CollectionName};
use crate::domain::embedding::Purpose;
use crate::domain::event::{Curators, Event, Press, Wish};
use crate::domain::language::Language;
use crate::domain::notice::Notice;
use crate::domain::page::{Block, Page};
use crate::domain::passage::Scope;
use crate::domain::render;
use crate::domain::reply;
use crate::ports::{Acquirer, Cause, Inbox, Messenger, Offered, Order, Query, Unread};

/// The desk, with what it takes to put documents on the shelf.
#[derive(Clone)]
pub struct Counter {
    pub desk: Desk,
    pub acquirer: Arc<dyn Acquirer>,
    /// Where documents go when no collection is named.
    pub collection: CollectionName,
    /// The largest file that is taken, in bytes.
    pub longest: usize,
    pub curators: Curators,
}

/// What an errand came to.
pub(super) struct Done {
    pub(super) page: Page,
    /// Whether a button under the page wants the event once more.
    pub(super) wanted: bool,
    pub(super) place: Stands,
}

/// Where a reply stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stands {
    /// Where replies to such an event stand.
    There,
    /// Beside it, for the person alone.
    Aside,
}

impl From<Page> for Done {
    fn from(page: Page) -> Self {
        Self {
            page,
            wanted: false,
            place: Stands::There,
        }
    }
}

/// An errand with everything that it needs.
pub(super) struct Errand<'a> {
    pub(super) counter: &'a Counter,
    pub(super) messenger: &'a dyn Messenger,
    pub(super) inbox: &'a dyn Inbox,
    pub(super) event: &'a Event,
    /// What else a person wants to know under `status`: how many questions wait.
    pub(super) waiting: usize,
}

impl Errand<'_> {
    /// Does what the event wishes. Questions, and what stops them, are not errands.
    pub(super) async fn run(&self) -> Result<Done, Cause> {
        match &self.event.wish {
            Wish::Add { .. } => self.show().await,
            Wish::Remove { uri } => self.remove(uri).await,
            Wish::List { collection } => self.list(collection.as_deref()).await,
            Wish::Search { words } => self.search(words).await,
            Wish::Status => {
                let status = status(&self.counter.desk, self.waiting, self.language());
                Ok(status.await?.into())
            },
            Wish::Log => Ok(log(&self.counter.desk, self.language()).await?.into()),
            Wish::Sync { .. } if self.curates() => Ok(self.say(&Notice::NoSources)),
            Wish::Sync { .. } => Ok(self.not_a_curator()),
            Wish::Press(press) => self.press(press).await,
            Wish::Ask { .. } | Wish::Stop => Ok(self.say(&Notice::NothingToStop)),
        }
    }

    pub(super) fn language(&self) -> Language {
        self.event.speaks()
    }

    pub(super) fn say(&self, notice: &Notice<'_>) -> Done {
        Page::notice(notice.text(self.language())).into()
    }

    /// Says so to the person alone: what stands there stays.
    pub(super) fn aside(&self, notice: &Notice<'_>) -> Done {
        Done {
            place: Stands::Aside,
            ..self.say(notice)
        }
    }

    /// Tells a person who is no curator, with the id to look up.
    pub(super) fn not_a_curator(&self) -> Done {
        let short = self.event.key.short();
        tracing::warn!(event = short, "refused: whoever asked is no curator");
        let mut done = self.aside(&Notice::NotACurator);
        let look_up = Notice::LookUp(&short).text(self.language());
        done.page.blocks.push(Block::small(look_up));
        done
    }

    pub(super) fn curates(&self) -> bool {
        self.counter.curators.include(&self.event.person)
    }

    async fn press(&self, press: &Press) -> Result<Done, Cause> {
        match press {
            Press::Useful(receipt) | Press::NotUseful(receipt) => {
                let name = format!("vote/{receipt}/{}", self.event.person.id);
                let useful = matches!(press, Press::Useful(_));
                self.inbox
                    .mark(&name, if useful { "useful" } else { "not useful" })
                    .await?;
                Ok(self.say(&Notice::Thanks))
            },
            Press::Sources(id) => match replay::receipt(&*self.counter.desk.ledger, id).await {
                Ok(receipt) => Ok(reply::receipt(&receipt).into()),
                Err(replay::Unreplayed::NoSuchReceipt(_)) => Ok(self.say(&Notice::NoReceipt)),
                Err(error) => Err(error.into()),
            },
            Press::Share(id) => match replay::receipt(&*self.counter.desk.ledger, id).await {
                Ok(receipt) => Ok(reply::answer(&receipt).into()),
                Err(replay::Unreplayed::NoSuchReceipt(_)) => Ok(self.aside(&Notice::NoReceipt)),
                Err(error) => Err(error.into()),
            },
            Press::Add(short) => self.add(short).await,
            Press::Leave(short) => {
                if !self.curates() {
                    return Ok(self.not_a_curator());
                }
                Ok(match self.settle(short).await? {
                    Some(_) => self.say(&Notice::Left),
                    None => self.aside(&Notice::Settled),
                })
            },
            Press::Stop(_) => Ok(self.say(&Notice::NothingToStop)),
        }
    }

    /// The event that a button speaks of, which no other button can speak of after this.
    async fn settle(&self, short: &str) -> Result<Option<Event>, Cause> {
        let shown = self.inbox.shown(short).await?;
        if let Some(event) = &shown {
            self.inbox.settled(&event.key).await?;
        }
        Ok(shown)
    }

    async fn list(&self, collection: Option<&str>) -> Result<Done, Cause> {
        let mut cards = self.counter.desk.library.cards(&Scope::default()).await?;
        if let Some(name) = collection {
            let name = match self.collection(Some(name)) {
                Ok(name) => name,
                Err(done) => return Ok(done),
            };
            let of = |card: &Card| card.shelfmark.collection.clone();
            let there: BTreeSet<_> = cards.iter().map(of).collect();
            if !cards.is_empty() && !there.contains(&name) {
                let there: Vec<_> = there.iter().map(CollectionName::as_str).collect();
                let there = there.join(", ");
                return Ok(self.say(&Notice::NoSuchCollection(name.as_str(), &there)));
            }
            cards.retain(|card| card.shelfmark.collection == name);
        }
        Ok(reply::list(&cards, self.language()).into())
    }

    pub(super) fn collection(&self, name: Option<&str>) -> Result<CollectionName, Done> {
        let Some(name) = name else {
            return Ok(self.counter.collection.clone());
        };
        CollectionName::new(name).map_err(|slip| {
            let why = match self.language() {
                Language::Korean => slip.korean(),
                Language::English | Language::Other => slip.to_string(),
            };
            self.say(&Notice::BadCollection(&why))
        })
    }

    async fn search(&self, words: &str) -> Result<Done, Cause> {
        let desk = &self.counter.desk;
        let embedding = super::answer::embed_one(desk, Purpose::Question, words).await?;
        let query = Query {
            text: words.to_owned(),
            embedding,
            passages: desk.rules.passages,
        };
        let found = desk.library.search(&query, &Scope::default()).await?;
        Ok(reply::found(&found.passages, self.language()).into())
    }

    async fn remove(&self, uri: &str) -> Result<Done, Cause> {
        if !self.curates() {
            return Ok(self.not_a_curator());
        }
        let library = &self.counter.desk.library;
        let cards = library.cards(&Scope::default()).await?;
        let there = match named(cards, uri) {
            Named::These(there) => there,
            Named::None => return Ok(self.say(&Notice::NoSuchDocument(uri))),
            Named::Several(uris) => {
                return Ok(self.say(&Notice::SeveralSo(uri.trim(), &uris.join(", "))));
            },
        };
        let orders = there
            .iter()
            .map(|card| Order::Remove(card.shelfmark.clone()));
        let revision = library.commit(orders.collect(), &self.by()).await?;
        let titles: Vec<_> = there.iter().map(|card| card.title.as_str()).collect();
        let titles = titles.join(", ");
        Ok(Page::notice(match self.language() {
            Language::Korean => format!("뺐습니다: {titles} · 서가 {revision}"),
            Language::English | Language::Other => {
                format!("Removed: {titles} · library {revision}")
            },
        })
        .into())
    }

    /// Who the register names.
    pub(super) fn by(&self) -> String {
        let Event { place, person, .. } = self.event;
        format!("{}:{}", place.platform.as_str(), person.id)
    }
}

/// How large the library is, who answers from it, and how many wait for that.
async fn status(desk: &Desk, waiting: usize, language: Language) -> Result<Page, Unread> {
    let documents = desk.library.cards(&Scope::default()).await?.len();
    let (revision, model) = (desk.library.revision(), desk.chat.identity());
    let digest: String = model.digest.to_string().chars().take(12).collect();
    let lines = match language {
        Language::Korean => [
            format!("서가 {revision} · 문서 {documents}개"),
            format!("모델 {} · {digest}", model.name),
            format!("기다리는 질문 {waiting}개"),
        ],
        Language::English | Language::Other => [
            format!("library {revision} · documents: {documents}"),
            format!("model {} · {digest}", model.name),
            format!("questions waiting: {waiting}"),
        ],
    };
    let damage = desk.library.damage();
    let damage = damage.map(|damage| render::damaged(damage, language));
    Ok(Page {
        blocks: lines.into_iter().chain(damage).map(Block::text).collect(),
        buttons: Vec::new(),
    })
}

/// What came in and went out lately.
async fn log(desk: &Desk, language: Language) -> Result<Page, Unread> {
    let log = desk.library.log().await?;
    Ok(reply::log(&log, language))
}

/// Status, log and how to ask, as one page.
pub(super) async fn overview(
    counter: &Counter,
    waiting: usize,
    language: Language,
) -> Result<Page, Unread> {
    let status = status(&counter.desk, waiting, language).await?;
    let log = log(&counter.desk, language).await?;
    Ok(reply::overview(status, log, language))
}

/// Documents or collections whose name has `typed` in it, in the order of the shelves.
pub(super) async fn offers(
    counter: &Counter,
    of: Offered,
    typed: &str,
) -> Result<Vec<(String, String)>, Unread> {
    /// Platforms show no more.
    const MOST: usize = 25;
    let typed = typed.to_lowercase();
    let fits = |text: &str| text.to_lowercase().contains(&typed);
    let cards = counter.desk.library.cards(&Scope::default()).await?;
    let mut offers: Vec<(String, String)> = Vec::new();
    for card in cards {
        let (choice, shown) = match of {
            Offered::Documents => (handle(&card), card.title),
            Offered::Collections => {
                let name = card.shelfmark.collection.to_string();
                (name.clone(), name)
            },
        };
        let new = offers.last().is_none_or(|(last, _)| *last != choice);
        if offers.len() < MOST && new && (fits(&choice) || fits(&shown)) {
            offers.push((choice, shown));
        }
    }
    Ok(offers)
}

/// What names a document in a choice: its URI, or where that is longer than platforms take,
/// the digest of its text.
fn handle(card: &Card) -> String {
    const LONGEST: usize = 100;
    const DIGITS: usize = 16;
    let uri = &card.shelfmark.uri;
    if uri.encode_utf16().count() <= LONGEST {
        return uri.clone();
    }
    let digest = card.text.to_string();
    digest.chars().take(DIGITS).collect()
}

/// What somebody means who names a document.
enum Named {
    None,
    /// The same place in as many collections.
    These(Vec<Card>),
    /// Titles name no one document here; what does.
    Several(Vec<String>),
}

/// Addresses come first: a title can be anything.
fn named(cards: Vec<Card>, name: &str) -> Named {
    let name = name.trim();
    let (there, others): (Vec<_>, Vec<_>) = cards
        .into_iter()
        .partition(|card| card.shelfmark.uri == name || handle(card) == name);
    if !there.is_empty() {
        return Named::These(there);
    }
    let titled: Vec<_> = others
        .into_iter()
        .filter(|card| card.title == name)
        .collect();
    match titled.as_slice() {
        [] => Named::None,
        [_] => Named::These(titled),
        several => Named::Several(several.iter().map(handle).collect()),
    }
}
