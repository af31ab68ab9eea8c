//! Model files: pulled, converted, locked, verified.
