//! What the register amounts to: every document that ever stood here, and from when to when.
//!
//! It is made from the register alone. Listing, reading and numbering documents therefore never
//! depend on the index, and removal changes one field here and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::document::{Card, CollectionName, Shelfmark};
use crate::domain::passage::Scope;
use crate::domain::revision::{Change, Entry, Revision};

/// A document and the revisions in which it stands on the shelf.
#[derive(Clone, Debug)]
pub(super) struct Holding {
    pub(super) card: Card,
    pub(super) added: Revision,
    /// The first revision without it.
    pub(super) removed: Option<Revision>,
}

impl Holding {
    /// Whether a reader of `revision` sees it.
    pub(super) fn stands_at(&self, revision: Revision) -> bool {
        self.added <= revision && self.removed.is_none_or(|removed| revision < removed)
    }

    fn is_within(&self, revision: Revision, collections: &[CollectionName]) -> bool {
        self.stands_at(revision)
            && (collections.is_empty() || collections.contains(&self.card.shelfmark.collection))
    }
}

/// All holdings, by number. Cloning it copies pointers.
#[derive(Clone, Debug, Default)]
pub(super) struct Catalogue {
    holdings: Vec<Arc<Holding>>,
}

/// What stands where now, by number; only the writer needs it.
pub(super) type Places = BTreeMap<Shelfmark, u32>;

impl Catalogue {
    /// The catalogue and the places after `entries`.
    pub(super) fn of(entries: &[Entry]) -> (Self, Places) {
        let mut catalogue = Self::default();
        let mut places = Places::new();
        for entry in entries {
            catalogue.follow(entry, &mut places);
        }
        (catalogue, places)
    }

    /// Carries out what `entry` says.
    pub(super) fn follow(&mut self, entry: &Entry, places: &mut Places) {
        for change in &entry.changes {
            if let Some(number) = places.remove(change.shelfmark()) {
                self.take_away(number, entry.revision);
            }
            match change {
                Change::Added(card) | Change::Replaced(card) => {
                    places.insert(card.shelfmark.clone(), self.next_number());
                    self.holdings.push(Arc::new(Holding {
                        card: card.clone(),
                        added: entry.revision,
                        removed: None,
                    }));
                },
                Change::Removed(_) => {},
            }
        }
    }

    fn take_away(&mut self, number: u32, revision: Revision) {
        if let Some(holding) = self.holdings.get_mut(number as usize) {
            Arc::make_mut(holding).removed = Some(revision);
        }
    }

    /// The number that the next document gets.
    pub(super) fn next_number(&self) -> u32 {
        u32::try_from(self.holdings.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn get(&self, number: u32) -> Option<&Holding> {
        self.holdings.get(number as usize).map(AsRef::as_ref)
    }

    pub(super) fn numbered(&self) -> impl Iterator<Item = (u32, &Holding)> {
        (0..).zip(self.holdings.iter().map(AsRef::as_ref))
    }

    /// For each number, whether `scope` at `revision` may see it.
    pub(super) fn visible(&self, revision: Revision, scope: &Scope) -> Vec<bool> {
        self.holdings
            .iter()
            .map(|holding| holding.is_within(revision, &scope.collections))
            .collect()
    }

    /// The cards within `scope` at `revision`, by collection and URI.
    pub(super) fn cards(&self, revision: Revision, scope: &Scope) -> Vec<Card> {
        let mut cards: Vec<Card> = self
            .holdings
            .iter()
            .filter(|holding| holding.is_within(revision, &scope.collections))
            .map(|holding| holding.card.clone())
            .collect();
        cards.sort_by(|a, b| a.shelfmark.cmp(&b.shelfmark));
        cards
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::document::Digest;
    use crate::domain::language::Language;

    fn card(uri: &str, text: &str) -> Card {
        Card {
            shelfmark: Shelfmark {
                collection: CollectionName::default(),
                uri: uri.to_owned(),
            },
            title: uri.to_owned(),
            language: Language::English,
            modified: None,
            origin: None,
            text: Digest::of(text.as_bytes()),
            bytes: text.len() as u64,
        }
    }

    fn entry(revision: u64, changes: Vec<Change>) -> Entry {
        Entry {
            revision: Revision(revision),
            at: chrono::DateTime::UNIX_EPOCH,
            by: "test".to_owned(),
            changes,
            previous: Digest::of(b""),
        }
    }

    #[test]
    fn every_revision_has_its_own_shelves() {
        let (catalogue, places) = Catalogue::of(&[
            entry(
                1,
                vec![Change::Added(card("b", "1")), Change::Added(card("a", "1"))],
            ),
            entry(2, vec![Change::Replaced(card("b", "2"))]),
            entry(3, vec![Change::Removed(card("a", "").shelfmark)]),
        ]);
        let uris = |revision| -> Vec<(String, Digest)> {
            let cards = catalogue.cards(Revision(revision), &Scope::default());
            cards
                .into_iter()
                .map(|card| (card.shelfmark.uri, card.text))
                .collect()
        };
        let digest = |text: &str| Digest::of(text.as_bytes());
        assert_eq!(uris(0), []);
        assert_eq!(
            uris(1),
            [("a".to_owned(), digest("1")), ("b".to_owned(), digest("1"))]
        );
        assert_eq!(
            uris(2),
            [("a".to_owned(), digest("1")), ("b".to_owned(), digest("2"))]
        );
        assert_eq!(uris(3), [("b".to_owned(), digest("2"))]);
        assert_eq!(places.into_values().collect::<Vec<_>>(), [2]);
    }
}
