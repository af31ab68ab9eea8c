//! Model files: what the manifest names, pulled, converted, locked and verified.
