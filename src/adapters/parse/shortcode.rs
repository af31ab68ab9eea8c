//! Shortcodes, the calls that Hugo sites put into Markdown.
//!
//! Readers of the site never see them but what they stand for, and that is mostly in their
//! arguments: `{{< tooltip text="cluster" id="c1" >}}` reads "cluster".

use pulldown_cmark::{Event, Parser, Tag};

use crate::domain::chunk::syntax;

/// `text` with what its shortcodes say instead of them. In blocks of code they stay.
pub(super) fn resolved(text: &str) -> String {
    if !text.contains("{{<") && !text.contains("{{%") {
        return text.to_owned();
    }
    let mut kept = String::with_capacity(text.len());
    let mut at = 0;
    for (event, range) in Parser::new_ext(text, syntax()).into_offset_iter() {
        if matches!(event, Event::Start(Tag::CodeBlock(_))) && range.start >= at {
            kept.push_str(&said(text.get(at..range.start).unwrap_or_default()));
            kept.push_str(text.get(range.clone()).unwrap_or_default());
            at = range.end;
        }
    }
    kept.push_str(&said(text.get(at..).unwrap_or_default()));
    kept
}

fn said(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, call)) = rest.split_once("{{") {
        kept.push_str(before);
        rest = if let Some((words, after)) = resolve(call) {
            kept.push_str(&words);
            after
        } else {
            kept.push_str("{{");
            call
        };
    }
    kept.push_str(rest);
    kept
}

/// What the call behind `{{` says, and the text after it.
fn resolve(call: &str) -> Option<(String, &str)> {
    const LONGEST: usize = 2000;
    let close = match call.chars().next()? {
        '<' => ">}}",
        '%' => "%}}",
        _ => return None,
    };
    let head_end = (0..=LONGEST.min(call.len()))
        .rev()
        .find(|at| call.is_char_boundary(*at))?;
    let end = call.get(..head_end)?.find(close)?;
    let inner = call.get(1..end)?;
    Some((words(inner), call.get(end + close.len()..)?))
}

/// The argument that is made to be read, else all that are quoted.
fn words(inner: &str) -> String {
    let arguments = arguments(inner);
    let named = ["text", "title", "summary", "caption", "alt"]
        .iter()
        .find_map(|name| {
            let found = arguments.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| (*value).to_owned())
        });
    named.unwrap_or_else(|| {
        arguments
            .iter()
            .map(|(_, value)| *value)
            .collect::<Vec<_>>()
            .join(" ")
    })
}

/// The quoted arguments with their names, if they have some.
fn arguments(inner: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut rest = inner;
    while let Some((before, quoted)) = rest.split_once('"') {
        let Some((value, after)) = quoted.split_once('"') else {
            break;
        };
        let name = before.trim_end().strip_suffix('=').unwrap_or_default();
        found.push((name.split_whitespace().last().unwrap_or_default(), value));
        rest = after;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(resolved(text), expected);
    }

    #[test]
    fn a_call_reads_as_what_it_says() {
        check(
            "The {{< glossary_tooltip text=\"파드\" term_id=\"pod\" >}}s run.",
            "The 파드s run.",
        );
        check("## {{% heading \"whatsnext\" %}}\n", "## whatsnext\n");
        check("{{< state for=\"v1.23\" level=\"beta\" >}}", "v1.23 beta");
        check("{{< note >}}\nCareful.\n{{< /note >}}\n", "\nCareful.\n\n");
        check("{{< figure src=\"/a.svg\" alt=\"A plan\" >}}", "A plan");
    }

    #[test]
    fn what_only_looks_like_a_call_stays() {
        check("{{ .Values.name }} {{< open", "{{ .Values.name }} {{< open");
        check("```\n{{< note >}}\n```\n", "```\n{{< note >}}\n```\n");
    }
}
