//! Use cases: asynchronous, over ports only.
