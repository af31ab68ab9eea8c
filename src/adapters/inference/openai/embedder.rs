//! An embedder at an endpoint: texts go there in batches.

use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use super::line::{Line, unreachable};
use super::tokens::cut;
use super::{Endpoint, Unserved, estimated_tokens};
use crate::adapters::inference::{Prefixes, fingerprint};
use crate::domain::embedding::{Embedding, Fingerprint, Purpose};
use crate::ports::{Embedder, Unembedded};

/// An embedder at an endpoint.
#[derive(Debug)]
pub struct OpenAiEmbedder {
    line: Line,
    settings: OpenAiEmbedderSettings,
    dimensions: usize,
}

/// What the endpoint cannot tell about an embedder.
#[derive(Clone, Debug)]
pub struct OpenAiEmbedderSettings {
    /// Longest text in tokens.
    pub window: usize,
    /// What the model wants before a text.
    pub prefixes: Prefixes,
    /// For one batch of texts.
    pub deadline: Duration,
}

impl OpenAiEmbedder {
    /// Small enough for every server's limit on one request.
    const BATCH: usize = 32;

    /// Asks for one vector, to learn its length.
    pub async fn open(
        endpoint: Endpoint,
        settings: OpenAiEmbedderSettings,
    ) -> Result<Self, Unserved> {
        let mut embedder = Self {
            line: Line::new(endpoint)?,
            settings,
            dimensions: 0,
        };
        let probe = embedder.batch(&["saseo".to_owned()]).await?;
        embedder.dimensions = probe.first().map_or(0, |e| e.as_slice().len());
        Ok(embedder)
    }

    async fn batch(&self, texts: &[String]) -> Result<Vec<Embedding>, Unserved> {
        let body = json!({
            "model": self.line.endpoint.model,
            "input": texts,
            "encoding_format": "float",
        });
        let deadline = Instant::now() + self.settings.deadline;
        let answer = timeout_at(deadline, async {
            let response = self.line.ask("embeddings", &body).await?;
            let listed: Listed = response.json().await.map_err(unreachable)?;
            Ok::<_, Unserved>(listed)
        });
        let listed = answer.await.map_err(|_| Unserved::BrokenOff)??;
        in_order(listed.data, texts.len())
    }
}

#[async_trait]
impl Embedder for OpenAiEmbedder {
    fn fingerprint(&self) -> Fingerprint {
        let name = &self.line.endpoint.model;
        fingerprint(
            name,
            self.line.digest(),
            "openai,1",
            &self.settings.prefixes,
        )
    }

    fn dimensions(&self) -> usize {
        self.dimensions
    }

    fn window(&self) -> usize {
        let Prefixes { question, passage } = &self.settings.prefixes;
        let prefix = estimated_tokens(question).max(estimated_tokens(passage));
        self.settings.window.saturating_sub(prefix + 2)
    }

    fn tokens(&self, text: &str) -> usize {
        estimated_tokens(text)
    }

    async fn embed(
        &self,
        purpose: Purpose,
        texts: &[String],
    ) -> Result<Vec<Embedding>, Unembedded> {
        let mut embeddings = Vec::with_capacity(texts.len());
        for batch in texts.chunks(Self::BATCH) {
            let batch: Vec<String> = batch
                .iter()
                .map(|text| cut(text, self.window()))
                .map(|text| self.settings.prefixes.applied(purpose, text))
                .collect();
            let made = self.batch(&batch).await;
            embeddings.extend(made.map_err(|e| Unembedded::Failed(e.into()))?);
        }
        Ok(embeddings)
    }
}

#[derive(Debug, Deserialize)]
struct Listed {
    data: Vec<Vector>,
}

#[derive(Debug, Deserialize)]
struct Vector {
    index: usize,
    embedding: Vec<f32>,
}

/// Servers may answer in any order; each vector says whose it is.
fn in_order(mut vectors: Vec<Vector>, asked: usize) -> Result<Vec<Embedding>, Unserved> {
    vectors.sort_by_key(|vector| vector.index);
    let whole = vectors.len() == asked
        && vectors
            .iter()
            .enumerate()
            .all(|(place, vector)| vector.index == place && !vector.embedding.is_empty());
    if !whole {
        return Err(Unserved::Unreadable("not one vector per text"));
    }
    let vectors = vectors.into_iter().map(|vector| vector.embedding);
    Ok(vectors.map(Embedding::normalised).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_put_in_the_order_of_the_texts() {
        let vector = |index, x| Vector {
            index,
            embedding: vec![x, 0.0],
        };
        let ordered = in_order(vec![vector(1, -1.0), vector(0, 1.0)], 2).unwrap();
        let firsts: Vec<f32> = ordered.iter().map(|e| e.as_slice()[0]).collect();
        assert_eq!(firsts, [1.0, -1.0]);
        assert!(in_order(vec![vector(0, 1.0), vector(0, 1.0)], 2).is_err());
        assert!(in_order(vec![vector(0, 1.0)], 2).is_err());
    }
}
