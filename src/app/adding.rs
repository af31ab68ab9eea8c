//! Adding to the library on a messenger: what is handed in is shown first, together with what
//! it would push out, and shelved when a curator says yes.
//!
//! A file stands under the link to where it was sent, so that a citation leads there. Its name
//! is kept as its origin: by that a new version finds the one before it, and nothing is pushed
//! out that was not named before the yes.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::errands::{Done, Errand, Stands};
use super::ingest::{self, Refused, Shelved};
use crate::domain::document::{Card, CollectionName, Document, Shelfmark};
use crate::domain::event::{Event, Material, Wish};
use crate::domain::figures::Bytes;
use crate::domain::language::Language;
use crate::domain::notice::Notice;
use crate::domain::offer::{self, Fate, Offer, Replaced};
use crate::domain::page::{Block, Page};
use crate::domain::passage::Scope;
use crate::domain::revision::Revision;
use crate::ports::{Cause, Handed, Library, Unacquired, Unread, Unsent};

/// What an event hands in.
struct Bundle<'a> {
    from: &'a Event,
    what: &'a [Material],
    title: Option<&'a str>,
    collection: CollectionName,
    /// Words that came with it, which are neither added nor asked.
    beside: Option<&'a str>,
}

/// What became of each thing that was handed in.
type Read<'a> = Vec<(&'a Material, Result<Document, Unacquired>)>;

impl Errand<'_> {
    /// Shows what would be added, and asks.
    pub(super) async fn show(&self) -> Result<Done, Cause> {
        let bundle = match self.bundle(self.event) {
            Ok(bundle) => bundle,
            Err(done) => return Ok(done),
        };
        let left_out = left_out(&bundle, self.language());
        if !self.curates() {
            let mut done = self.not_a_curator();
            done.page.blocks.extend(left_out);
            return Ok(done);
        }
        let (documents, failed) = parted(self.read(&bundle).await);
        let failed = self.failures(&failed);
        if documents.is_empty() {
            return Ok(Page {
                blocks: failed.into_iter().chain(left_out).collect(),
                buttons: Vec::new(),
            }
            .into());
        }
        let standing = Standing::before(&*self.counter.desk.library, self.event.at).await?;
        let offers = standing.offers(&documents);
        let short = self.event.key.short();
        let mut page = offer::confirm(&offers, &bundle.collection, self.language(), &short);
        page.blocks.extend(failed.into_iter().chain(left_out));
        Ok(Done {
            page,
            wanted: true,
            place: Stands::There,
        })
    }

    /// Adds what another event showed.
    pub(super) async fn add(&self, short: &str) -> Result<Done, Cause> {
        if !self.curates() {
            return Ok(self.not_a_curator());
        }
        let Some(shown) = self.inbox.shown(short).await? else {
            return Ok(self.aside(&Notice::Settled));
        };
        let bundle = match self.bundle(&shown) {
            Ok(bundle) => bundle,
            Err(done) => return Ok(done),
        };
        let (documents, failed) = parted(self.read(&bundle).await);
        let standing = Standing::before(&*self.counter.desk.library, shown.at).await?;
        let retired = standing.retired(&documents);
        let shelving = self.counter.desk.shelving();
        let shelved = ingest::exchange(&shelving, documents, &retired, &self.by()).await?;
        self.inbox.settled(&shown.key).await?;
        let failed = failed.into_iter();
        let failed = failed.chain(shelved.refused.iter().map(refused));
        let failed = self.failures(&failed.collect::<Vec<_>>());
        let said = Block::text(added(&shelved, self.language()));
        Ok(Page {
            blocks: std::iter::once(said).chain(failed).collect(),
            buttons: Vec::new(),
        }
        .into())
    }

    fn bundle<'e>(&self, from: &'e Event) -> Result<Bundle<'e>, Done> {
        let Wish::Add {
            what,
            title,
            collection,
            beside,
        } = &from.wish
        else {
            return Err(self.aside(&Notice::Settled));
        };
        Ok(Bundle {
            from,
            what,
            title: title.as_deref(),
            collection: self.collection(collection.as_deref())?,
            beside: beside.as_deref(),
        })
    }

    /// Says what cannot be added and why, with the id to look up.
    fn failures(&self, failed: &[(String, Unacquired)]) -> Vec<Block> {
        let short = self.event.key.short();
        let line = |(name, why): &(String, Unacquired)| {
            let reason = &why.english;
            tracing::warn!(
                event = short,
                reason,
                "something that was handed in was not added"
            );
            Block::text(format!("{name}: {}", why.text(self.language())))
        };
        let mut blocks: Vec<_> = failed.iter().map(line).collect();
        if !blocks.is_empty() {
            let look_up = Notice::LookUp(&short).text(self.language());
            blocks.push(Block::small(look_up));
        }
        blocks
    }

    async fn read<'m>(&self, bundle: &Bundle<'m>) -> Read<'m> {
        let mut read = Vec::new();
        for material in bundle.what {
            let mut document = self.acquire(bundle, material).await;
            if let (Ok(document), Some(title), 1) =
                (&mut document, bundle.title, bundle.what.len())
            {
                title.clone_into(&mut document.title);
            }
            read.push((material, document));
        }
        read
    }

    async fn acquire(
        &self,
        bundle: &Bundle<'_>,
        material: &Material,
    ) -> Result<Document, Unacquired> {
        let (acquirer, collection) = (&self.counter.acquirer, &bundle.collection);
        match material {
            Material::Page { url } => acquirer.page(url, collection).await,
            Material::Text { text, link } => self.said(text, link, collection).await,
            Material::File {
                name,
                content_type,
                bytes,
                url,
                link,
            } => {
                let longest = self.counter.longest;
                if *bytes > longest as u64 {
                    return Err(too_large(longest));
                }
                let bytes = self.messenger.download(bundle.from, url, longest).await;
                let bytes = bytes.map_err(|error| undelivered(&error))?;
                let handed = Handed {
                    name,
                    content_type: content_type.as_deref(),
                    bytes: &bytes,
                };
                let mut document = acquirer.file(handed, link, collection).await?;
                let platform = bundle.from.place.platform.as_str();
                document.origin = Some(format!("{platform}:{name}"));
                Ok(document)
            },
        }
    }

    /// A text that was typed or said at `link`.
    async fn said(
        &self,
        text: &str,
        link: &str,
        collection: &CollectionName,
    ) -> Result<Document, Unacquired> {
        let handed = Handed {
            name: "",
            content_type: Some("text/markdown"),
            bytes: text.as_bytes(),
        };
        let acquirer = &self.counter.acquirer;
        let mut document = acquirer.file(handed, link, collection).await?;
        // It has no title of its own, and a link tells nobody what it is about.
        if document.title == link {
            document.title = offer::opening(text, offer::TITLE);
        }
        Ok(document)
    }
}

/// What stands in the library, and since when. What came after a certain moment nobody was
/// shown: it is not pushed out.
struct Standing {
    cards: Vec<Card>,
    since: BTreeMap<Shelfmark, DateTime<Utc>>,
}

impl Standing {
    async fn before(library: &dyn Library, moment: DateTime<Utc>) -> Result<Self, Unread> {
        let mut since = BTreeMap::new();
        for entry in library.log().await? {
            for change in &entry.changes {
                since.insert(change.shelfmark().clone(), entry.at);
            }
        }
        let mut cards = library.cards(&Scope::default()).await?;
        cards.retain(|card| since.get(&card.shelfmark).is_none_or(|at| *at <= moment));
        Ok(Self { cards, since })
    }

    fn offers(&self, documents: &[Document]) -> Vec<Offer> {
        let taken = places(documents);
        let offer = |document: &Document| Offer {
            title: document.title.clone(),
            uri: document.shelfmark.uri.clone(),
            bytes: document.text.len(),
            opening: offer::opening(&document.text, offer::OPENING),
            fate: self.fate(document, &taken),
        };
        documents.iter().map(offer).collect()
    }

    fn fate(&self, document: &Document, taken: &BTreeSet<&Shelfmark>) -> Fate {
        let versions: Vec<_> = self.versions(document, taken).collect();
        if !versions.is_empty() {
            return Fate::Replaces(versions.into_iter().map(|card| self.told(card)).collect());
        }
        let here = |card: &&Card| card.shelfmark == document.shelfmark;
        let card = document.card();
        match self.cards.iter().find(here) {
            None => Fate::New,
            Some(there) if there.text == card.text && there.title == card.title => Fate::Known,
            Some(there) => Fate::Renews(self.told(there)),
        }
    }

    fn told(&self, card: &Card) -> Replaced {
        Replaced {
            title: card.title.clone(),
            since: self.since.get(&card.shelfmark).copied(),
        }
    }

    /// What goes when each of `documents` comes in.
    fn retired(&self, documents: &[Document]) -> Vec<(Shelfmark, Card)> {
        let taken = places(documents);
        let pairs = documents.iter().flat_map(|document| {
            self.versions(document, &taken)
                .map(|card| (document.shelfmark.clone(), card.clone()))
        });
        pairs.collect()
    }

    /// Other versions of a file: of the same name, handed in elsewhere on the same platform.
    fn versions<'a>(
        &'a self,
        document: &'a Document,
        taken: &'a BTreeSet<&Shelfmark>,
    ) -> impl Iterator<Item = &'a Card> {
        self.cards.iter().filter(move |card| {
            card.shelfmark.collection == document.shelfmark.collection
                && card.origin.is_some()
                && card.origin == document.origin
                && !taken.contains(&card.shelfmark)
        })
    }
}

fn places(documents: &[Document]) -> BTreeSet<&Shelfmark> {
    documents
        .iter()
        .map(|document| &document.shelfmark)
        .collect()
}

/// What can be added, and what cannot, by its name.
fn parted(read: Read<'_>) -> (Vec<Document>, Vec<(String, Unacquired)>) {
    let (mut documents, mut failed) = (Vec::new(), Vec::new());
    for (material, document) in read {
        match document {
            Ok(document) => documents.push(document),
            Err(why) => failed.push((name(material).to_owned(), why)),
        }
    }
    (documents, failed)
}

/// What of it neither is added nor does anything else.
fn left_out(bundle: &Bundle<'_>, language: Language) -> Vec<Block> {
    let title = bundle.title.filter(|_| bundle.what.len() > 1);
    let title = title.map(Notice::TitleLeftOut);
    let beside = bundle.beside.map(|_| Notice::WordsBeside);
    let notices = title.into_iter().chain(beside);
    notices
        .map(|notice| Block::small(notice.text(language)))
        .collect()
}

fn added(shelved: &Shelved, language: Language) -> String {
    let heads = match language {
        Language::Korean => [
            "추가했습니다",
            "바꿨습니다",
            "대신 뺐습니다",
            "이미 있습니다",
        ],
        Language::English | Language::Other => {
            ["Added", "Changed", "Replaced and removed", "Already there"]
        },
    };
    let cards = [
        &shelved.added,
        &shelved.changed,
        &shelved.retired,
        &shelved.unchanged,
    ];
    let titles = |cards: &[Card]| {
        let titles: Vec<_> = cards.iter().map(|card| card.title.as_str()).collect();
        titles.join(", ")
    };
    let parts = heads
        .iter()
        .zip(cards)
        .filter(|(_, cards)| !cards.is_empty())
        .map(|(head, cards)| format!("{head}: {}", titles(cards)));
    let tail = tail(shelved.chunks, shelved.revision, language);
    parts.chain([tail]).collect::<Vec<_>>().join(" · ")
}

fn tail(chunks: usize, revision: Revision, language: Language) -> String {
    match language {
        Language::Korean => format!("구절 {chunks}개 · 서가 {revision}"),
        Language::English | Language::Other => {
            format!("passages: {chunks} · library {revision}")
        },
    }
}

/// Without where that other came from: a path on the server is not for a channel.
fn refused(refused: &Refused) -> (String, Unacquired) {
    let why = Unacquired {
        english: "a document from elsewhere stands there".to_owned(),
        korean: "그 자리에는 다른 곳에서 온 문서가 있습니다".to_owned(),
    };
    (refused.shelfmark.uri.clone(), why)
}

fn too_large(longest: usize) -> Unacquired {
    let most = Bytes(longest);
    Unacquired {
        english: format!("it is larger than {most}"),
        korean: format!("{most}보다 큽니다"),
    }
}

fn undelivered(error: &Unsent) -> Unacquired {
    let (english, korean) = match error {
        Unsent::Refused(why) => (
            format!("it could not be fetched: {why}"),
            "플랫폼이 파일을 내주지 않아 받지 못했습니다".to_owned(),
        ),
        Unsent::Gone => (
            "it is no longer kept".to_owned(),
            "파일이 더는 보관되어 있지 않습니다".to_owned(),
        ),
        Unsent::Unreachable(_) | Unsent::Paced => (
            "it could not be fetched in time; please try again".to_owned(),
            "제때 받지 못했습니다. 다시 시도해 주세요".to_owned(),
        ),
    };
    Unacquired { english, korean }
}

fn name(material: &Material) -> &str {
    match material {
        Material::Page { url } => url,
        Material::Text { link, .. } => link,
        Material::File { name, .. } => name,
    }
}
