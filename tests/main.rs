//! One test binary: each one would link the engine anew.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should say where and stop"
)]

mod support;

mod ask;
mod damage;
mod inbox;
#[cfg(feature = "discord")]
mod discord;
#[cfg(feature = "discord")]
mod discord_fake;
#[cfg(feature = "discord")]
mod doctor;
mod inference;
mod ingest;
mod kill;
#[cfg(feature = "mistralrs")]
mod librarian;
mod models;
mod parse;
mod program;
mod reception;
#[cfg(feature = "discord")]
mod serve;
#[cfg(feature = "slack")]
mod slack;
mod slack_fake;
mod store;
#[cfg(any(feature = "discord", feature = "slack"))]
mod talks;
mod tidy;
