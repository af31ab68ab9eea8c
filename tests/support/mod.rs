//! What the tests share: services on loopback that keep state, and a town to ask in.

#[cfg(any(feature = "discord", feature = "slack"))]
pub(crate) mod answers;
pub(crate) mod board;
#[cfg(any(feature = "discord", feature = "slack"))]
#[cfg_attr(
    not(feature = "discord"),
    expect(dead_code, reason = "it fails for Discord's tests only")
)]
pub(crate) mod bot;
#[cfg(any(feature = "discord", feature = "slack"))]
pub(crate) mod burning;
pub(crate) mod chance;
#[cfg(feature = "discord")]
#[expect(dead_code, reason = "the fake offers more than each test asks of it")]
pub(crate) mod discord;
pub(crate) mod disk;
pub(crate) mod embedder;
pub(crate) mod line;
#[cfg_attr(
    not(all(feature = "discord", feature = "slack")),
    expect(dead_code, reason = "each messenger's tests order other things")
)]
pub(crate) mod loopback;
pub(crate) mod openai;
pub(crate) mod plain;
pub(crate) mod program;
pub(crate) mod registry;
pub(crate) mod script;
pub(crate) mod site;
#[expect(dead_code, reason = "the fake offers more than each test asks of it")]
pub(crate) mod slack;
#[cfg(any(feature = "discord", feature = "slack"))]
pub(crate) mod seeded;
#[cfg(feature = "mistralrs")]
pub(crate) mod starter;
pub(crate) mod town;
