//! saseo in a Discord: people act, and read what they see.

mod bot;
#[cfg(feature = "mistralrs")]
mod librarian;
mod talk;
