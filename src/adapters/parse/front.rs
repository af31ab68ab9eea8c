//! Front matter: the lines before a Markdown text that say what it is.
//!
//! Only the title, the dates and whether the page still holds are wanted, and real pages hold template marks that no YAML
//! parser takes, so the lines are read for these keys and nothing else is judged.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};

/// What front matter says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Front {
    pub(super) title: Option<String>,
    pub(super) modified: Option<DateTime<Utc>>,
    /// The word by which it says that the page holds no longer.
    pub(super) outdated: Option<&'static str>,
}

/// Longer front matter is none; a text may begin with a rule.
const MOST_LINES: usize = 400;

/// Splits `text` into what its front matter says and the text itself.
pub(super) fn split(text: &str) -> (Front, &str) {
    let found = match text.lines().next().map(str::trim_end) {
        Some("---") => block(text, &["---", "..."])
            .and_then(|(inner, rest)| is_yaml_like(inner).then(|| (fields(inner, ':'), rest))),
        Some("+++") => block(text, &["+++"]).map(|(inner, rest)| (fields(inner, '='), rest)),
        _ => None,
    };
    found.map_or((Front::default(), text), |(fields, rest)| {
        (front(&fields), rest)
    })
}

/// The lines between the first and the closing one, and what follows.
fn block<'a>(text: &'a str, closing: &[&str]) -> Option<(&'a str, &'a str)> {
    let (_, after) = text.split_once('\n')?;
    let mut length = 0;
    for line in after.split_inclusive('\n').take(MOST_LINES) {
        if closing.contains(&line.trim_end()) {
            return Some((after.get(..length)?, after.get(length + line.len()..)?));
        }
        length += line.len();
    }
    None
}

/// Whether every unindented line is a key, a comment, a list item or nothing.
fn is_yaml_like(inner: &str) -> bool {
    inner.lines().all(|line| {
        line.trim().is_empty()
            || line.starts_with([' ', '\t', '#', '-', ']', '}'])
            || key(line, ':').is_some()
    })
}

fn key(line: &str, mark: char) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(mark)?;
    let key = key.trim().trim_matches('"');
    let plain = |c: char| c.is_alphanumeric() || "_-. ".contains(c);
    (!key.is_empty() && key.chars().all(plain)).then_some((key, value.trim()))
}

/// The fields of the outermost level, with folded and literal blocks on one line.
fn fields(inner: &str, mark: char) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    let mut table = false;
    for line in inner.lines() {
        if line.starts_with([' ', '\t']) && mark == ':' {
            if let Some((_, value)) = fields.last_mut().filter(|(_, value)| is_block(value)) {
                value.push(' ');
                value.push_str(line.trim());
            }
            continue;
        }
        table |= mark == '=' && line.starts_with('[');
        if let Some((key, value)) = key(line, mark).filter(|_| !table) {
            fields.push((key.to_lowercase(), value.to_owned()));
        }
    }
    fields
}

fn is_block(value: &str) -> bool {
    value.starts_with(['>', '|'])
}

fn front(fields: &[(String, String)]) -> Front {
    // What says "changed" is believed before what only says when.
    const DATES: [&str; 9] = [
        "lastmod",
        "last_modified",
        "last-modified",
        "last_updated",
        "updated",
        "modified",
        "last_update",
        "date",
        "created",
    ];
    let of = |wanted: &str| {
        let found = fields.iter().find(|(key, _)| key == wanted);
        found
            .map(|(_, value)| scalar(value))
            .filter(|value| !value.is_empty())
    };
    Front {
        title: of("title"),
        modified: DATES
            .iter()
            .filter_map(|name| of(name))
            .find_map(|raw| date(&raw)),
        outdated: outdated(fields),
    }
}

/// `status: deprecated`, `deprecated: true`, and what else pages that were given up say.
fn outdated(fields: &[(String, String)]) -> Option<&'static str> {
    const KEYS: [&str; 4] = ["status", "state", "lifecycle", "상태"];
    const WORDS: [(&str, &str); 13] = [
        ("deprecated", "deprecated"),
        ("obsolete", "obsolete"),
        ("outdated", "outdated"),
        ("archived", "archived"),
        ("superseded", "superseded"),
        ("retired", "withdrawn"),
        ("withdrawn", "withdrawn"),
        ("discontinued", "discontinued"),
        ("no longer", "no longer valid"),
        ("폐지", "폐지"),
        ("폐기", "폐기"),
        ("만료", "폐지"),
        ("구버전", "구버전"),
    ];
    let says = |(key, value): &(String, String)| {
        let value = scalar(value).to_lowercase();
        let is_no = ["", "false", "no", "off", "0", "null", "~"].contains(&value.as_str());
        WORDS
            .iter()
            .find(|(word, _)| {
                KEYS.contains(&key.as_str()) && value.starts_with(word)
                    || !is_no && (key == word || key.strip_prefix("is_") == Some(word))
            })
            .map(|(_, name)| *name)
    };
    fields.iter().find_map(says)
}

/// A value without quotes, block mark or trailing comment.
fn scalar(value: &str) -> String {
    let value = value.trim();
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote) {
            let end = inner.rfind(quote).unwrap_or(inner.len());
            let inner = inner.get(..end).unwrap_or(inner);
            return inner.replace("\\\"", "\"").replace("''", "'");
        }
    }
    if is_block(value) {
        let (_, folded) = value.split_once(' ').unwrap_or_default();
        return folded.trim().to_owned();
    }
    let end = value.find(" #").unwrap_or(value.len());
    value.get(..end).unwrap_or(value).trim().to_owned()
}

/// A moment as people and programs write it. A day without a time is its midnight, and one
/// without a zone is taken as UTC: it is shown as a day.
pub(super) fn date(raw: &str) -> Option<DateTime<Utc>> {
    let raw = raw.trim();
    if let Ok(exact) = DateTime::parse_from_rfc3339(raw) {
        return Some(exact.to_utc());
    }
    if let Ok(exact) = DateTime::parse_from_rfc2822(raw) {
        return Some(exact.to_utc());
    }
    for zoned in [
        "%Y-%m-%d %H:%M:%S %z",
        "%Y-%m-%dT%H:%M:%S%z",
        "%Y-%m-%d %H:%M %z",
    ] {
        if let Ok(exact) = DateTime::parse_from_str(raw, zoned) {
            return Some(exact.to_utc());
        }
    }
    for local in [
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M",
    ] {
        if let Ok(local) = NaiveDateTime::parse_from_str(raw, local) {
            return Some(local.and_utc());
        }
    }
    let day: String = raw.chars().take(10).collect();
    ["%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d"]
        .iter()
        .find_map(|form| NaiveDate::parse_from_str(&day, form).ok())
        .map(|day| day.and_time(NaiveTime::MIN).and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, title: Option<&str>, modified: Option<&str>, rest: &str) {
        let (front, left) = split(text);
        assert_eq!(front.title.as_deref(), title);
        let modified = modified.map(|raw| date(raw).expect("a date"));
        assert_eq!(front.modified, modified);
        assert_eq!(left, rest);
    }

    #[test]
    fn title_and_date_are_read_and_the_lines_are_gone() {
        check(
            "---\ntitle: \"Pods: an \\\"overview\\\"\" \ndate: 2024-01-02\nlastmod: 2025-03-04\nweight: 3\n---\nText\n",
            Some("Pods: an \"overview\""),
            Some("2025-03-04"),
            "Text\n",
        );
        check(
            "---\nreviewers:\n- someone\ntitle: 파드 # 주석\ncontent:\n  title: inner\n---\n본문",
            Some("파드"),
            None,
            "본문",
        );
        check(
            "---\ntitle: >-\n  a folded\n  title\n---\nx",
            Some("a folded title"),
            None,
            "x",
        );
        check(
            "+++\ntitle = 'From TOML'\ndate = 2024-05-06T07:08:09Z\n[params]\ntitle = \"no\"\n+++\nText",
            Some("From TOML"),
            Some("2024-05-06T07:08:09Z"),
            "Text",
        );
    }

    #[test]
    fn a_page_that_was_given_up_says_so() {
        let said = |field: &str| split(&format!("---\n{field}\n---\ntext")).0.outdated;
        for (field, expected) in [
            ("status: deprecated", Some("deprecated")),
            ("status: \"Superseded by v2\"", Some("superseded")),
            ("deprecated: true", Some("deprecated")),
            ("archived: 2024-01-02", Some("archived")),
            ("상태: 폐지됨", Some("폐지")),
            ("status: active", None),
            ("deprecated: false", None),
            ("archived:", None),
            ("title: deprecated", None),
        ] {
            assert_eq!(said(field), expected, "{field}");
        }
        let (front, _) = split("+++\narchived = true\n+++\ntext");
        assert_eq!(front.outdated, Some("archived"));
    }

    #[test]
    fn a_rule_at_the_top_is_no_front_matter() {
        for text in [
            "---\n\nJust a rule.\n\n---\nmore",
            "---\ntitle: never closed\n",
            "text\n---\n",
        ] {
            check(text, None, None, text);
        }
    }

    #[test]
    fn dates_are_read_as_people_write_them() {
        for raw in [
            "2024-01-02",
            "2024/01/02",
            "2024.01.02",
            "2024-01-02 00:00",
            "2024-01-02T00:00:00Z",
            "2024-01-02 09:00:00 +0900",
            "Tue, 02 Jan 2024 00:00:00 GMT",
        ] {
            assert_eq!(
                date(raw).expect(raw).to_rfc3339(),
                "2024-01-02T00:00:00+00:00",
                "{raw}"
            );
        }
        assert_eq!(date("soon"), None);
    }
}
