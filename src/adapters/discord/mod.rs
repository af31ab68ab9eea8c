//! Discord: its REST and the limits it sets.

pub mod limiter;
pub mod rest;
