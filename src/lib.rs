//! saseo (사서, Korean for librarian): it hears a question, looks the answer up in the
//! documents it was given, and replies with where it read it.
//!
//! Read the modules in the order below; each may import only what stands above it, and an
//! adapter never imports another adapter or `app`. The last three may name everything; nobody names them.

pub mod domain;
pub mod ports;
pub mod app;
pub mod adapters;
pub mod processor;
pub mod settings;
pub mod wiring;
pub mod cli;
