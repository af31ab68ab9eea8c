//! An embedder that needs no model: a vector made of a text's words and their letters.
//!
//! It is a real function of the text. Texts that share words are near each other, others are
//! not, which is all that a test of the library wants of meaning.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use saseo::domain::embedding::{Embedding, Fingerprint, Purpose};
use saseo::ports::{Embedder, Unembedded};

/// Hashes words and pairs of letters into a vector.
pub(crate) struct WordHashes {
    dimensions: usize,
    name: String,
    embedded: AtomicUsize,
}

impl WordHashes {
    pub(crate) fn new(dimensions: usize) -> Self {
        Self::named("word-hashes", dimensions)
    }

    pub(crate) fn named(name: &str, dimensions: usize) -> Self {
        Self {
            dimensions,
            name: format!("{name}-{dimensions}"),
            embedded: AtomicUsize::new(0),
        }
    }

    /// How many texts it has embedded so far.
    pub(crate) fn embedded(&self) -> usize {
        self.embedded.load(Ordering::Relaxed)
    }

    pub(crate) fn one(&self, text: &str) -> Embedding {
        let mut vector = vec![0.0_f32; self.dimensions];
        for word in words(text) {
            let letters: Vec<char> = word.chars().collect();
            self.add(&mut vector, &word, 1.0);
            for pair in letters.windows(2) {
                self.add(&mut vector, &pair.iter().collect::<String>(), 0.3);
            }
        }
        Embedding::normalised(vector)
    }

    fn add(&self, vector: &mut [f32], feature: &str, weight: f32) {
        let mut hash = fnv(feature);
        for _ in 0..8 {
            hash = hash.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = usize::try_from(hash >> 33).unwrap() % self.dimensions;
            let sign = if hash & (1 << 32) == 0 { 1.0 } else { -1.0 };
            *vector.get_mut(at).unwrap() += sign * weight;
        }
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[async_trait]
impl Embedder for WordHashes {
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint(self.name.clone())
    }

    fn dimensions(&self) -> usize {
        self.dimensions
    }

    fn window(&self) -> usize {
        512
    }

    fn tokens(&self, text: &str) -> usize {
        words(text).len()
    }

    async fn embed(
        &self,
        _purpose: Purpose,
        texts: &[String],
    ) -> Result<Vec<Embedding>, Unembedded> {
        self.embedded.fetch_add(texts.len(), Ordering::Relaxed);
        Ok(texts.iter().map(|text| self.one(text)).collect())
    }
}
