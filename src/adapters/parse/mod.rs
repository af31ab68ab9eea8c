//! Bytes to Markdown, in a child process.
