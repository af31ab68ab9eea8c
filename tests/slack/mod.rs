//! saseo in a Slack: people act, and read what they see.

#[cfg(feature = "discord")]
mod both;
pub(crate) mod bot;
mod door;
mod flood;
mod home;
mod killed;
mod links;
mod lost;
mod oracle;
mod posts;
mod rotation;
mod serving;
mod storms;
mod streams;
mod talk;
mod workspaces;
mod words;
