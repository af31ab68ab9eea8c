//! Splits a text into sentences.
