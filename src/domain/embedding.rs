//! Embeddings: the meaning of a text as a direction.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A unit vector, as an embedder makes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding(Vec<f32>);

impl Embedding {
    /// Scales `vector` to length one; a zero vector stays zero.
    pub fn normalised(mut vector: Vec<f32>) -> Self {
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        if length > 0.0 {
            for component in &mut vector {
                *component /= length;
            }
        }
        Self(vector)
    }

    pub fn as_slice(&self) -> &[f32] {
        &self.0
    }

    /// The cosine of the angle between two embeddings of one embedder.
    pub fn cosine(&self, other: &Self) -> f32 {
        self.0.iter().zip(&other.0).map(|(a, b)| a * b).sum()
    }
}

/// Which embedder made a vector: vectors of different fingerprints cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fingerprint(pub String);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a text is embedded for; embedders such as E5 treat the two differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Question,
    Passage,
}
