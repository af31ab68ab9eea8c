//! The fake's answers, held against Discord's own description of its API.
