//! What the tests share: services on loopback that keep state, and a town to ask in.

pub mod embedder;
pub mod openai;
pub mod script;
pub mod town;
