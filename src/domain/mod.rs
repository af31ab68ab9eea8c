//! Values and pure rules: what a librarian knows without looking anything up.
//!
//! Nothing here waits, reads, writes or asks the time; what a rule needs is its argument.

pub mod language;
pub mod document;
pub mod revision;
pub mod embedding;
pub mod chunk;
pub mod passage;
pub mod analysis;
pub mod rank;
pub mod sentence;
pub mod evidence;
