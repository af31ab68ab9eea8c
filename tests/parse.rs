//! Files and pages become Markdown, whatever is in them.
