//! What the tests share: services on loopback that keep state, and a town to ask in.

pub(crate) mod board;
pub(crate) mod chance;
#[cfg(feature = "discord")]
#[expect(dead_code, reason = "the fake offers more than each test asks of it")]
pub(crate) mod discord;
pub(crate) mod disk;
pub(crate) mod embedder;
pub(crate) mod line;
pub(crate) mod loopback;
pub(crate) mod openai;
pub(crate) mod program;
pub(crate) mod registry;
pub(crate) mod script;
pub(crate) mod site;
#[expect(dead_code, reason = "the fake offers more than each test asks of it")]
pub(crate) mod slack;
#[cfg(feature = "mistralrs")]
pub(crate) mod starter;
pub(crate) mod town;
