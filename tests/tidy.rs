//! House rules that no compiler knows.

use std::fs;
use std::path::{Path, PathBuf};

fn files(below: &str) -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    let mut found = Vec::new();
    walk(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join(below),
        &mut found,
    );
    assert!(!found.is_empty(), "no files below {below}");
    found.sort();
    found
}

/// The part of a file that is shipped.
fn shipped(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

#[track_caller]
fn check_never(below: &str, why: &str, forbidden: impl Fn(&Path, &str) -> Option<String>) {
    let mut wrong = Vec::new();
    for (path, text) in files(below) {
        for (number, line) in (1..).zip(shipped(&text).lines()) {
            if line.trim_start().starts_with("//") {
                continue;
            }
            if let Some(what) = forbidden(&path, line) {
                wrong.push(format!("{}:{number}: {what}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{why}\n{}", wrong.join("\n"));
}

fn names(line: &str, words: &[&str]) -> Option<String> {
    words
        .iter()
        .find(|word| line.contains(**word))
        .map(|word| (*word).to_owned())
}

#[test]
fn the_domain_imports_nothing_of_ours_and_never_waits() {
    let forbidden = [
        "crate::ports",
        "crate::app",
        "crate::adapters",
        "crate::cli",
        "crate::wiring",
        "crate::settings",
        "tokio",
        "async ",
        ".await",
        "std::fs",
        "std::io",
        "std::net",
        "SystemTime",
        "Instant",
        "Utc::now",
        "reqwest",
        "sled::",
        "mistralrs",
    ];
    check_never(
        "src/domain",
        "domain is values and pure rules",
        |_, line| names(line, &forbidden),
    );
}

#[test]
fn ports_name_only_the_domain() {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ports.rs")).unwrap();
    let ours: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("crate::") && !line.contains("crate::domain"))
        .collect();
    assert!(ours.is_empty(), "{ours:?}");
}

#[test]
fn use_cases_name_only_ports_and_domain() {
    let forbidden = [
        "crate::adapters",
        "crate::cli",
        "crate::wiring",
        "crate::settings",
        "std::fs",
        "reqwest",
        "sled::",
    ];
    check_never("src/app", "app names ports and domain", |_, line| {
        names(line, &forbidden)
    });
}

#[test]
fn an_adapter_names_neither_another_adapter_nor_a_use_case() {
    check_never(
        "src/adapters",
        "adapters do not know each other",
        |path, line| {
            let room = path
                .components()
                .skip_while(|part| part.as_os_str() != "adapters")
                .nth(1)
                .map(|part| {
                    part.as_os_str()
                        .to_string_lossy()
                        .trim_end_matches(".rs")
                        .to_owned()
                })?;
            if let Some(found) = names(
                line,
                &[
                    "crate::app",
                    "crate::cli",
                    "crate::wiring",
                    "crate::settings",
                ],
            ) {
                return Some(found);
            }
            let other = line.split("crate::adapters::").nth(1)?;
            let shared = ["discord", "slack"].contains(&room.as_str());
            if shared && other.starts_with("chat::") {
                return None;
            }
            (!other.starts_with(&room)).then(|| format!("{room} names adapters::{other}"))
        },
    );
}

#[test]
fn every_file_says_what_it_is_for() {
    for below in ["src", "tests"] {
        for (path, text) in files(below) {
            assert!(
                text.starts_with("//! "),
                "{} does not begin with //!",
                path.display()
            );
        }
    }
}

#[test]
fn no_file_is_named_for_a_drawer() {
    let drawers = [
        "util", "utils", "helper", "helpers", "common", "types", "misc",
    ];
    for (path, _) in files("src") {
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(!drawers.contains(&stem.as_str()), "{}", path.display());
    }
}

#[test]
fn only_the_console_prints() {
    let printing = ["println!", "eprintln!", "print!(", "dbg!("];
    check_never(
        "src",
        "everything is said through cli/console.rs",
        |path, line| {
            (!path.ends_with("cli/console.rs"))
                .then(|| names(line, &printing))
                .flatten()
        },
    );
}

#[test]
fn nothing_is_left_to_do_later() {
    let later = ["todo!(", "unimplemented!(", "#[allow("];
    check_never(
        "src",
        "a gap is named in an issue, not left in the code",
        |_, line| names(line, &later),
    );
}
