//! The terms of a text, for lexical search.
