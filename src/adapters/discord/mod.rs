//! Discord: its REST and the limits it sets, and what is said there.

pub mod dialect;
pub mod limiter;
pub mod rest;
pub mod wire;
