//! The world's side of the ports, one folder per SDK or protocol.
//!
//! An adapter names ports, domain and its own SDK; never another adapter and never `app`. What
//! the messengers have in common lies in `chat`, which names none of them.

pub mod clock;
pub mod models;
pub mod inference;
pub mod store;
pub mod parse;
pub mod sources;
#[cfg(any(feature = "discord", feature = "slack"))]
pub mod chat;
#[cfg(feature = "discord")]
pub mod discord;
#[cfg(feature = "slack")]
pub mod slack;
