//! Embeds, and the pages that Discord fetches to show a preview of.

use serde_json::{Value, json};

use super::refusal::Form;

const LONGEST_TOGETHER: usize = 6_000;

/// The embeds of a message; what is wrong with them goes into `form`.
pub(crate) fn checked(body: &Value, form: &mut Form) -> Vec<Value> {
    let embeds = form.list((body, "embeds"), "", 10);
    let mut together = 0;
    for (place, embed) in embeds.iter().enumerate() {
        let at = format!("embeds.{place}");
        if !embed.is_object() {
            form.slip(
                &at,
                "MODEL_TYPE_CONVERT",
                "Only dictionaries may be used in a ModelType",
            );
        }
        together += text(form, (embed, "title"), &at, 256);
        together += text(form, (embed, "description"), &at, 4_096);
        together += text(
            form,
            (&embed["footer"], "text"),
            &format!("{at}.footer"),
            2_048,
        );
        together += text(
            form,
            (&embed["author"], "name"),
            &format!("{at}.author"),
            256,
        );
        address(form, &embed["url"], &format!("{at}.url"));
        let fields = form.list((embed, "fields"), &at, 25).to_vec();
        for (number, field) in fields.iter().enumerate() {
            together += self::field(form, field, &format!("{at}.fields.{number}"));
        }
    }
    if together > LONGEST_TOGETHER {
        let message = "Embed size exceeds maximum size of 6000";
        form.slip("embeds", "MAX_EMBED_SIZE_EXCEEDED", message);
    }
    embeds.iter().map(completed).collect()
}

/// An embed with what Discord adds to it.
fn completed(embed: &Value) -> Value {
    let mut embed = embed.clone();
    if let Some(embed) = embed.as_object_mut() {
        embed.insert("type".to_owned(), json!("rich"));
    }
    let fields = embed.get_mut("fields").and_then(Value::as_array_mut);
    let fields = fields.into_iter().flatten();
    for field in fields.filter_map(Value::as_object_mut) {
        field.entry("inline").or_insert(json!(false));
    }
    embed
}

fn field(form: &mut Form, field: &Value, at: &str) -> usize {
    let mut together = 0;
    for (key, most) in [("name", 256), ("value", 1_024)] {
        let text = form.text((field, key), at, (1, most));
        if text.is_none() {
            form.required(&format!("{at}.{key}"));
        }
        together += text.map_or(0, |text| text.chars().count());
    }
    together
}

fn text(form: &mut Form, what: (&Value, &str), path: &str, most: usize) -> usize {
    form.text(what, path, (0, most))
        .map_or(0, |text| text.chars().count())
}

fn address(form: &mut Form, url: &Value, path: &str) {
    let Some(url) = url.as_str() else {
        return;
    };
    let known = ["http://", "https://", "attachment://"];
    if !known.iter().any(|scheme| url.starts_with(scheme)) {
        form.slip(path, "URL_TYPE_INVALID_URL", "Not a well formed URL.");
    }
}

/// The links in `content`, each with what stands before it.
pub(crate) fn links(content: &str) -> Vec<(&str, &str)> {
    let ends = |letter: char| letter.is_whitespace() || ")>\"`".contains(letter);
    let begun = content.match_indices("http");
    begun
        .filter_map(|(at, _)| {
            let (before, rest) = content.split_at(at);
            let link = rest.split(ends).next()?;
            let known = link.starts_with("http://") || link.starts_with("https://");
            known.then_some((before, link))
        })
        .collect()
}

/// The pages in `content` that Discord fetches by itself: links that do not stand in `<…>`.
pub(crate) fn previewed(content: &str) -> Vec<String> {
    let bare = links(content).into_iter();
    bare.filter(|(before, _)| !before.ends_with('<'))
        .map(|(_, link)| link.to_owned())
        .collect()
}
