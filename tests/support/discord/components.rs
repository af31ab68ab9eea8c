//! Buttons and menus: five rows, five buttons in each, every custom id once.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::refusal::Form;

const ROW: u64 = 1;
pub(crate) const BUTTON: u64 = 2;
pub(crate) const STRING_SELECT: u64 = 3;
pub(crate) const TEXT_INPUT: u64 = 4;
pub(crate) const LINK: u64 = 5;

/// The rows of a message; what is wrong with them goes into `form`.
pub(crate) fn checked(body: &Value, form: &mut Form) -> Vec<Value> {
    let rows = form.list((body, "components"), "", 5).to_vec();
    let mut ids = BTreeSet::new();
    for (place, row) in rows.iter().enumerate() {
        let at = format!("components.{place}");
        let parts = in_row(row, &at, form);
        for (number, part) in parts.iter().enumerate() {
            let at = format!("{at}.components.{number}");
            match part["type"].as_u64() {
                Some(BUTTON) => button(part, &at, form),
                Some(3 | 5..=8) if parts.len() == 1 => menu(part, &at, form),
                _ => choices(&format!("{at}.type"), "(2, 3, 5, 6, 7, 8)", form),
            }
            once(part, &at, &mut ids, form);
        }
    }
    numbered(rows)
}

/// The rows with the numbers that Discord gives to them and to their parts.
fn numbered(mut rows: Vec<Value>) -> Vec<Value> {
    let mut number = 0;
    let mut give = |part: &mut Value| {
        number += 1;
        if let Some(part) = part.as_object_mut() {
            part.insert("id".to_owned(), json!(number));
        }
    };
    for row in &mut rows {
        give(row);
        let parts = row.get_mut("components").and_then(Value::as_array_mut);
        parts.into_iter().flatten().for_each(&mut give);
    }
    rows
}

fn in_row(row: &Value, at: &str, form: &mut Form) -> Vec<Value> {
    if row["type"].as_u64() != Some(ROW) {
        choices(&format!("{at}.type"), "(1,)", form);
    }
    let parts = form.list((row, "components"), at, 5).to_vec();
    if parts.is_empty() {
        let message = "Must be between 1 and 5 in length.";
        form.slip(&format!("{at}.components"), "BASE_TYPE_BAD_LENGTH", message);
    }
    parts
}

fn choices(path: &str, which: &str, form: &mut Form) {
    let message = format!("Value must be one of {which}.");
    form.slip(path, "BASE_TYPE_CHOICES", &message);
}

fn once(part: &Value, at: &str, ids: &mut BTreeSet<String>, form: &mut Form) {
    let Some(id) = part["custom_id"].as_str() else {
        return;
    };
    if !ids.insert(id.to_owned()) {
        let message = "Component custom id cannot be duplicated";
        let code = "COMPONENT_CUSTOM_ID_DUPLICATED";
        form.slip(&format!("{at}.custom_id"), code, message);
    }
}

fn button(part: &Value, at: &str, form: &mut Form) {
    let style = part["style"].as_u64().unwrap_or(0);
    if !(1..=6).contains(&style) {
        choices(&format!("{at}.style"), "(1, 2, 3, 4, 5, 6)", form);
    }
    let label = form.text((part, "label"), at, (0, 80)).unwrap_or("");
    if label.is_empty() && part["emoji"].is_null() && style != 6 {
        form.required(&format!("{at}.label"));
    }
    let (has, lacks) = if style == LINK {
        ("url", "custom_id")
    } else {
        ("custom_id", "url")
    };
    let most = if has == "url" { 512 } else { 100 };
    let found = form.text((part, has), at, (1, most)).map(str::to_owned);
    match found {
        None if style != 6 => form.required(&format!("{at}.{has}")),
        Some(url)
            if has == "url" && !url.starts_with("http") && !url.starts_with("discord:") =>
        {
            let message = "Scheme must be one of ('http', 'https', 'discord').";
            form.slip(&format!("{at}.url"), "URL_TYPE_INVALID_SCHEME", message);
        },
        _ => {},
    }
    if part.get(lacks).is_some_and(|it| !it.is_null()) {
        let message = "A custom id and url cannot both be specified";
        form.slip(at, "BUTTON_COMPONENT_CUSTOM_ID_AND_URL", message);
    }
}

fn menu(part: &Value, at: &str, form: &mut Form) {
    if form.text((part, "custom_id"), at, (1, 100)).is_none() {
        form.required(&format!("{at}.custom_id"));
    }
    form.text((part, "placeholder"), at, (0, 150));
    if part["type"].as_u64() != Some(STRING_SELECT) {
        return;
    }
    let options = form.list((part, "options"), at, 25).to_vec();
    if options.is_empty() {
        form.required(&format!("{at}.options"));
    }
    let mut values = BTreeSet::new();
    for (number, option) in options.iter().enumerate() {
        let at = format!("{at}.options.{number}");
        for key in ["label", "value"] {
            if form.text((option, key), &at, (1, 100)).is_none() {
                form.required(&format!("{at}.{key}"));
            }
        }
        form.text((option, "description"), &at, (0, 100));
        if !values.insert(option["value"].to_string()) {
            let message = "The specified option value is already used";
            let code = "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED";
            form.slip(&format!("{at}.value"), code, message);
        }
    }
}

/// The parts of all rows, one after the other.
pub(crate) fn parts(rows: &[Value]) -> impl Iterator<Item = &Value> {
    rows.iter()
        .filter_map(|row| row["components"].as_array())
        .flatten()
}

/// Reads the rows of a modal: one text input in each.
pub(crate) fn checked_modal(modal: &Value, form: &mut Form) {
    for (key, most) in [("title", 45), ("custom_id", 100)] {
        if form.text((modal, key), "data", (1, most)).is_none() {
            form.required(&format!("data.{key}"));
        }
    }
    let rows = form.list((modal, "components"), "data", 5).to_vec();
    if rows.is_empty() {
        form.required("data.components");
    }
    let mut ids = BTreeSet::new();
    for (place, row) in rows.iter().enumerate() {
        let at = format!("data.components.{place}");
        for (number, part) in in_row(row, &at, form).iter().enumerate() {
            let at = format!("{at}.components.{number}");
            text_input(part, &at, form);
            once(part, &at, &mut ids, form);
        }
    }
}

fn text_input(part: &Value, at: &str, form: &mut Form) {
    if part["type"].as_u64() != Some(TEXT_INPUT) {
        choices(&format!("{at}.type"), "(4,)", form);
    }
    for (key, most) in [("label", 45), ("custom_id", 100)] {
        if form.text((part, key), at, (1, most)).is_none() {
            form.required(&format!("{at}.{key}"));
        }
    }
    form.text((part, "value"), at, (0, 4_000));
    form.text((part, "placeholder"), at, (0, 100));
}
