//! The library on disk: register, documents, and a sled index that can be rebuilt.
