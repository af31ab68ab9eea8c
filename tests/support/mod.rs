//! What the tests share: services on loopback that keep state, and a town to ask in.

pub(crate) mod embedder;
