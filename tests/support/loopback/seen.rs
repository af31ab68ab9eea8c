//! How what a person sees is written down, for whoever looks for a failure.

use std::fmt;

/// What stands below the words of a message: its files, and its buttons with where they lead.
pub(crate) fn below<'a>(
    f: &mut fmt::Formatter<'_>,
    files: &[String],
    buttons: impl Iterator<Item = (&'a str, Option<&'a str>)>,
) -> fmt::Result {
    for file in files {
        write!(f, "\n    file {file}")?;
    }
    for (place, (label, url)) in buttons.enumerate() {
        if place == 0 {
            write!(f, "\n   ")?;
        }
        match url {
            Some(url) => write!(f, " [{label} → {url}]")?,
            None => write!(f, " [{label}]")?,
        }
    }
    Ok(())
}

/// What was seen, a message after the other.
pub(crate) fn transcript(seen: &[impl fmt::Display]) -> String {
    if seen.is_empty() {
        return "  (nothing)".to_owned();
    }
    let lines = seen.iter().map(|one| format!("  {one}"));
    lines.collect::<Vec<_>>().join("\n")
}
