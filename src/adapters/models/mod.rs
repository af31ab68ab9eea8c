//! Model files: what the manifest names, pulled, converted, locked and verified.
//!
//! Weights are frozen, like print in a book: they are pinned by digest, put in place once and
//! read-only from then on. The loaders take [`verify::Verified`], which only
//! [`verify::verify`] can make, so weights that nobody checked cannot be loaded.

pub mod source;
pub mod manifest;
pub mod progress;
pub mod shelf;
pub mod lock;
pub mod origin;
pub mod convert;
mod pypi;
mod hub;
pub mod pull;
pub mod verify;
