//! What people's clients do in every messenger: names become mentions, files have a kind, and
//! somebody looks until something is there.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use super::seen::transcript;
use super::{Shared, give_up};

/// `text` with names in place of what stands for them; the longest name counts.
pub(crate) fn named(text: &str, mut names: Vec<(String, String)>) -> String {
    names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    let mut text = text.to_owned();
    for (name, mention) in names {
        text = text.replace(&name, &mention);
    }
    text
}

/// The kind of a file by its name, as a client tells it.
pub(crate) fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or("") {
        "md" => "text/markdown",
        "txt" => "text/plain",
        "html" => "text/html",
        "pdf" => "application/pdf",
        "png" => "image/png",
        _ => "application/octet-stream",
    }
}

/// Looks until `wanted` is before somebody's eyes; fails with what is there instead.
pub(crate) async fn looks<W, Seen: fmt::Display, T>(
    town: &Shared<W>,
    (caller, what): (&'static Location<'static>, impl Fn() -> String),
    patience: Duration,
    sees: impl Fn() -> Vec<Seen>,
    wanted: impl Fn(&[Seen]) -> Option<T>,
) -> T {
    let found = town.wait(patience, || wanted(&sees())).await;
    found.unwrap_or_else(|| {
        let (what, there) = (what(), transcript(&sees()));
        give_up(&format!("{caller}: {what} within {patience:?}:\n{there}"))
    })
}
