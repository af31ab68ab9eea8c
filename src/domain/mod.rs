//! Values and pure rules: what a librarian knows without looking anything up.
//!
//! Nothing here waits, reads, writes or asks the time; what a rule needs is its argument.

pub mod figures;
pub mod language;
pub mod document;
pub mod revision;
pub mod embedding;
pub mod chunk;
pub mod analysis;
pub mod sentence;
pub mod passage;
pub mod rank;
pub mod numbered;
pub mod evidence;
pub mod question;
pub mod prompt;
pub mod line;
pub mod expectation;
pub mod reading;
pub mod grounding;
pub mod answer;
pub mod receipt;
pub mod render;
pub mod event;
pub mod courtesy;
pub mod command;
pub mod queue;
pub mod page;
pub mod notice;
pub mod reply;
pub mod offer;
