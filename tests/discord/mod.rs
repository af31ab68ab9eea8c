//! saseo in a Discord: people act, and read what they see.

mod bot;
#[cfg(feature = "mistralrs")]
mod librarian;
mod crowds;
mod lost;
mod posts;
mod storms;
mod talk;
mod words;
