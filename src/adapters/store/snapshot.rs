//! What readers see: one revision, whole, for as long as they look.
//!
//! A commit makes a new snapshot and swaps it in; it shares with the old one everything that
//! did not change.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::catalogue::{Catalogue, Holding};
use super::failure::Trouble;
use super::index::{Index, Loaded};
use super::segment::Segment;
use crate::domain::embedding::Fingerprint;
use crate::domain::passage::Scope;
use crate::domain::revision::{Damage, Revision};
use crate::ports::Unread;

/// One state of the library.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    pub(super) revision: Revision,
    /// Revisions before this one were compacted away.
    pub(super) oldest: Revision,
    pub(super) catalogue: Catalogue,
    pub(super) segments: Vec<Arc<Segment>>,
    pub(super) index: Arc<Index>,
    pub(super) standing: Standing,
    /// What the register has lost.
    pub(super) damage: Option<Damage>,
}

/// How the index stands to the register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has every document.
    Ready,
    /// It lacks these documents, by number; `catch_up` puts them in.
    Behind(BTreeSet<u32>),
    /// Another embedder made it; `rebuild` makes it anew.
    OtherEmbedder(Fingerprint),
}

impl Snapshot {
    /// What readers see of `loaded`.
    pub(super) fn new(
        revision: Revision,
        oldest: Revision,
        catalogue: Catalogue,
        loaded: Loaded,
    ) -> Self {
        let Loaded {
            index,
            segments,
            missing,
        } = loaded;
        let mut snapshot = Self {
            revision,
            oldest,
            catalogue,
            segments: Vec::new(),
            index: Arc::new(index),
            standing: Standing::Ready,
            damage: None,
        };
        snapshot.grow(segments);
        snapshot.miss(&missing);
        snapshot
    }

    /// Says that the index lacks `numbers`, as far as they can still be read.
    fn miss(&mut self, numbers: &BTreeSet<u32>) {
        let missing: BTreeSet<u32> = self
            .kept()
            .map(|(number, _)| number)
            .filter(|number| numbers.contains(number))
            .collect();
        if !missing.is_empty() {
            self.standing = Standing::Behind(missing);
        }
    }

    /// Says that the index lacks everything.
    pub(super) fn miss_all(&mut self) {
        let all = self.kept().map(|(number, _)| number).collect();
        self.miss(&all);
    }

    /// The same, looked at with the eyes of an embedder.
    pub(super) fn standing_to(mut self, asked: Option<&Fingerprint>) -> Result<Self, Trouble> {
        let made_by = self.index.fingerprint()?;
        if let (Some(index), Some(asked)) = (made_by, asked)
            && index != *asked
        {
            self.standing = Standing::OtherEmbedder(index);
        }
        Ok(self)
    }

    /// What a person should know of the standing.
    pub(super) fn complaint(&self, asked: Option<&Fingerprint>) -> Option<String> {
        self.ready(asked).err().map(|trouble| trouble.to_string())
    }

    /// The revision to read for `scope`.
    pub(super) fn reading(&self, scope: &Scope) -> Result<Revision, Unread> {
        let asked = scope.as_of.unwrap_or(self.revision);
        if asked > self.revision {
            return Err(Unread::NoSuchRevision {
                asked,
                newest: self.revision,
            });
        }
        if asked < self.oldest {
            return Err(Unread::Forgotten {
                asked,
                oldest: self.oldest,
            });
        }
        Ok(asked)
    }

    /// Whether compaction has taken this document's text.
    pub(super) fn is_forgotten(&self, holding: &Holding) -> bool {
        is_forgotten(holding, self.oldest)
    }

    /// The documents that can be read, by number.
    pub(super) fn kept(&self) -> impl Iterator<Item = (u32, &Holding)> {
        self.catalogue
            .numbered()
            .filter(|(_, holding)| !self.is_forgotten(holding))
    }

    /// Refuses what would make the loss of lines of the register final.
    pub(super) fn intact(&self) -> Result<(), Trouble> {
        self.damage
            .map_or(Ok(()), |damage| Err(Trouble::Damaged(damage)))
    }

    /// Refuses what needs a whole index while it is not.
    pub(super) fn ready(&self, asked: Option<&Fingerprint>) -> Result<(), Trouble> {
        match &self.standing {
            Standing::Ready => Ok(()),
            Standing::Behind(missing) => Err(Trouble::Behind(missing.len())),
            Standing::OtherEmbedder(index) => Err(Trouble::OtherEmbedder {
                index: index.clone(),
                asked: asked.cloned().unwrap_or_else(|| Fingerprint(String::new())),
            }),
        }
    }

    /// Length of the vectors; `None` while there are none.
    pub(super) fn dimensions(&self) -> Option<usize> {
        self.segments.first().map(|segment| segment.dimensions())
    }

    /// Adds chunks. Small segments are joined as they gather, so that there are few, and each
    /// chunk is copied a few times in its life.
    pub(super) fn grow(&mut self, segments: Vec<Segment>) {
        for segment in segments.into_iter().filter(|segment| segment.len() > 0) {
            let mut newest = Arc::new(segment);
            while let Some(before) = self
                .segments
                .pop_if(|before| before.len() < newest.len().saturating_mul(2))
            {
                newest = Arc::new(before.joined(&newest));
            }
            self.segments.push(newest);
        }
    }
}

/// Whether no revision from `oldest` on shows this document.
pub(super) fn is_forgotten(holding: &Holding, oldest: Revision) -> bool {
    holding.removed.is_some_and(|removed| removed <= oldest)
}
