//! The `saseo` program.

fn main() {}
