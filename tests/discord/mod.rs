//! saseo in a Discord: people act, and read what they see.

mod bot;
mod talk;
