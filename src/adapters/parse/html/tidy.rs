//! Takes out of a page what a reader does not see or did not come for, and straightens code
//! and tables for the converter.

use dom_query::{Document, NodeRef};

pub(super) fn tidy(page: &Document) {
    unwrap_tabs(page);
    page.select(NEVER_TEXT).remove();
    hidden(page).iter().for_each(NodeRef::remove_from_parent);
    comments(page);
    page.select(FURNITURE).remove();
    anchors(page);
    for pre in page.select("pre").nodes() {
        code(pre);
    }
    for table in page.select("table").nodes() {
        rows(table);
    }
}

const NEVER_TEXT: &str = "script, style, noscript, template, iframe, object, embed, svg, canvas, \
                          audio, video, button, input, select, textarea, dialog, link, map, \
                          del, s, strike";

/// Navigation, and marks of common wikis and site builders that are not the author's words.
const FURNITURE: &str = "nav, [role=navigation], [role=search], [role=contentinfo], \
                         body > footer, .mw-editsection, .toc, #toc, .skip-link, .breadcrumb, .breadcrumbs, \
                         .edit-this-page, .pagination-nav, .lineno, .linenos, .line-numbers, \
                         td.gutter";

/// The panels of tabs are hidden until somebody chooses them, but they are there to be read.
fn unwrap_tabs(page: &Document) {
    if page.select("[role=tab]").is_empty() {
        return;
    }
    for panel in page.select("[role=tabpanel]").nodes() {
        panel.remove_attrs(&["hidden", "aria-hidden", "style"]);
    }
}

fn hidden(page: &Document) -> Vec<NodeRef<'_>> {
    let by_style = page.select("[style]");
    let by_style = by_style
        .nodes()
        .iter()
        .copied()
        .filter(|node| node.attr("style").is_some_and(|style| is_hiding(&style)));
    let mut found: Vec<_> = by_style.collect();
    found.extend_from_slice(page.select("[hidden], [aria-hidden=true]").nodes());
    found.retain(|node| !node.has_name("body") && !node.has_name("html"));
    found
}

fn is_hiding(style: &str) -> bool {
    let style: String = style.chars().filter(|c| !c.is_whitespace()).collect();
    let style = style.to_ascii_lowercase();
    style.split(';').any(|rule| {
        let (name, value) = rule.split_once(':').unwrap_or_default();
        let value = value.trim_end_matches("!important");
        match name {
            "display" => value == "none",
            "visibility" => matches!(value, "hidden" | "collapse"),
            "opacity" | "font-size" | "max-height" | "max-width" => is_nothing(value),
            "text-indent" | "left" | "top" | "margin-left" => is_far_off(value),
            "clip" => value.starts_with("rect(0"),
            _ => false,
        }
    })
}

fn is_nothing(value: &str) -> bool {
    let number = value.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%');
    number.parse::<f32>().is_ok_and(|size| size <= 0.01)
}

fn is_far_off(value: &str) -> bool {
    let number = value.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%');
    number.parse::<f32>().is_ok_and(|place| place <= -900.0)
}

fn comments(page: &Document) {
    let root = page.root();
    let found: Vec<_> = root.descendants_it().filter(NodeRef::is_comment).collect();
    found.iter().for_each(NodeRef::remove_from_parent);
}

/// The little signs that link a heading to itself.
fn anchors(page: &Document) {
    for link in page.select("h1 a, h2 a, h3 a, h4 a, h5 a, h6 a").nodes() {
        if matches!(
            link.text().trim(),
            "" | "#" | "¶" | "§" | "🔗" | "link" | "Link"
        ) {
            link.remove_from_parent();
        }
    }
}

/// One `code` with nothing but text in it: highlighters put every word into an element.
fn code(pre: &NodeRef<'_>) {
    for line_break in pre.descendants().iter().filter(|node| node.has_name("br")) {
        line_break.replace_with_html("\n");
    }
    let inner = pre
        .descendants()
        .into_iter()
        .find(|node| node.has_name("code"));
    let around = [inner, Some(*pre), pre.parent()];
    let language = around.iter().flatten().find_map(language);
    let text = pre.text();
    pre.set_html("<code></code>");
    if let Some(code) = pre.first_element_child() {
        code.set_text(text);
        if let Some(language) = language {
            code.set_attr("class", &format!("language-{language}"));
        }
    }
    pre.remove_attr("class");
}

fn language(node: &NodeRef<'_>) -> Option<String> {
    let class = node.class()?;
    let marked = class.split_whitespace().find_map(|class| {
        [
            "language-",
            "lang-",
            "highlight-source-",
            "brush:",
            "sourceCode-",
        ]
        .iter()
        .find_map(|mark| class.strip_prefix(mark))
    })?;
    let word: String = marked.chars().filter(char::is_ascii_alphanumeric).collect();
    (!word.is_empty()).then_some(word)
}

/// The converter takes heads from the first row and loses them in any other; so the first row
/// of a table is its head and the others have none. Tables that hold tables are for layout.
fn rows(table: &NodeRef<'_>) {
    let inner = table.descendants();
    if inner.iter().any(|node| node.has_name("table")) {
        return;
    }
    let rows = inner.iter().filter(|node| node.has_name("tr"));
    for (at, row) in rows.enumerate() {
        let name = if at == 0 { "th" } else { "td" };
        let cells = row.element_children().into_iter();
        for cell in cells.filter(|cell| cell.has_name("td") || cell.has_name("th")) {
            cell.rename(name);
        }
    }
    table.strip_elements(&["thead", "tbody", "tfoot"]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_struck_out_is_not_there() {
        let page = Document::from(
            "<p>It costs <del>$10</del> <s>$11</s> <strike>$12</strike> <b>$13</b>.</p>",
        );
        tidy(&page);
        let text = page.select("p").text();
        assert_eq!(
            text.split_whitespace().collect::<Vec<_>>(),
            ["It", "costs", "$13."]
        );
    }

    #[test]
    fn styles_that_hide_are_known() {
        for style in [
            "display:none",
            "color:red; Display : NONE !important",
            "visibility: hidden",
            "font-size:0px",
            "opacity: 0",
            "position:absolute;left:-9999px",
        ] {
            assert!(is_hiding(style), "{style}");
        }
        for style in [
            "",
            "display:block",
            "opacity:0.9",
            "left:-5px",
            "font-size:0.8em",
            "margin-left:10px",
        ] {
            assert!(!is_hiding(style), "{style}");
        }
    }
}
