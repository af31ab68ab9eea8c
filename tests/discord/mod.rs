//! saseo in a Discord: people act, and read what they see.

pub(crate) mod bot;
mod crowds;
mod disks;
mod flood;
mod killed;
mod lost;
mod posts;
mod process;
mod scene;
mod serving;
mod storms;
mod talk;
mod words;
