//! Use cases: asynchronous, over ports only.

pub mod desk;
pub mod answer;
mod draft;
pub mod replay;
pub mod ingest;
pub mod errands;
mod adding;
pub mod reception;
