//! Fetching and parsing in one: how what people hand in on a messenger becomes a document.

use async_trait::async_trait;

use super::document;
use crate::adapters::parse::{ParseChild, Raw};
use crate::adapters::sources::{Fetched, Fetcher};
use crate::domain::document::{CollectionName, Document, Shelfmark};
use crate::ports::{Acquirer, Handed, Unacquired};

/// Fetches pages, and parses in a child process.
pub(super) struct Counter {
    pub(super) fetcher: Fetcher,
    pub(super) child: ParseChild,
    /// The largest page or file, in bytes.
    pub(super) longest: usize,
}

impl Counter {
    async fn parsed(
        &self,
        fetched: &Fetched,
        collection: &CollectionName,
    ) -> Result<Document, Unacquired> {
        let raw = Raw {
            bytes: &fetched.bytes,
            content_type: fetched.content_type.as_deref(),
            name: &fetched.name,
            longest: self.longest,
        };
        let parsed = self.child.parse(&raw).await;
        let markup = parsed.map_err(|error| Unacquired {
            english: error.to_string(),
            korean: error.korean(),
        })?;
        let shelfmark = Shelfmark {
            collection: collection.clone(),
            uri: fetched.uri.clone(),
        };
        let origin = Some(fetched.origin.clone());
        Ok(Document {
            carried: fetched.modified,
            ..document(shelfmark, origin, markup)
        })
    }
}

#[async_trait]
impl Acquirer for Counter {
    async fn page(
        &self,
        url: &str,
        collection: &CollectionName,
    ) -> Result<Document, Unacquired> {
        let fetched = self.fetcher.fetch(url).await;
        let fetched = fetched.map_err(|error| Unacquired {
            english: error.to_string(),
            korean: error.korean(),
        })?;
        self.parsed(&fetched, collection).await
    }

    async fn file(
        &self,
        file: Handed<'_>,
        uri: &str,
        collection: &CollectionName,
    ) -> Result<Document, Unacquired> {
        let fetched = Fetched {
            uri: uri.to_owned(),
            origin: uri.to_owned(),
            name: file.name.to_owned(),
            content_type: file.content_type.map(str::to_owned),
            modified: None,
            bytes: file.bytes.to_vec(),
        };
        self.parsed(&fetched, collection).await
    }
}
