//! Embeds, and the pages that Discord fetches to show a preview of.

use serde_json::Value;

use super::refusal::Form;

const LONGEST_TOGETHER: usize = 6_000;

/// The embeds of a message; what is wrong with them goes into `form`.
pub(crate) fn checked(body: &Value, form: &mut Form) -> Vec<Value> {
    let embeds = form.list((body, "embeds"), "", 10).to_vec();
    let mut together = 0;
    for (place, embed) in embeds.iter().enumerate() {
        let at = format!("embeds.{place}");
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
            let at = format!("{at}.fields.{number}");
            for (key, most) in [("name", 256), ("value", 1_024)] {
                let length = form
                    .text((field, key), &at, (1, most))
                    .map(|text| text.chars().count());
                if length.is_none() {
                    form.required(&format!("{at}.{key}"));
                }
                together += length.unwrap_or(0);
            }
        }
    }
    if together > LONGEST_TOGETHER {
        let message = "Embed size exceeds maximum size of 6000";
        form.slip("embeds", "MAX_EMBED_SIZE_EXCEEDED", message);
    }
    embeds
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

/// The pages in `content` that Discord fetches by itself: links that do not stand in `<…>`.
pub(crate) fn previewed(content: &str) -> Vec<String> {
    let mut links = Vec::new();
    for scheme in ["http://", "https://"] {
        for (at, _) in content.match_indices(scheme) {
            let rest = &content[at..];
            let end = rest
                .find(|letter: char| letter.is_whitespace() || ")>\"`".contains(letter))
                .unwrap_or(rest.len());
            if !content[..at].ends_with('<') {
                links.push(rest[..end].to_owned());
            }
        }
    }
    links
}
