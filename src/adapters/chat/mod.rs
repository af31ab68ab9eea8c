//! What every messenger's adapter needs and none should have of its own: how limits are kept,
//! how calls are tried again, how a post is made once, how people's turns are kept.
//!
//! This room names no messenger.

pub mod limiter;
pub mod calls;
pub mod http;
pub mod once;
pub mod hearing;
pub mod text;
pub mod finding;
