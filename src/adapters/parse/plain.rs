//! Plain text, and code and tables of data as text.

use super::Page;
use super::characters::clean;

/// Text for people without markup of ours: it is Markdown enough.
pub(super) fn prose(text: &str) -> Page {
    Page {
        text: clean(text),
        ..Page::default()
    }
}

/// Code stands in a fence: a `# comment` is not a heading there.
pub(super) fn code(text: &str, language: &str) -> Page {
    let text = clean(text);
    let text = text.trim_matches('\n').trim_end();
    if text.is_empty() {
        return Page::default();
    }
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(3.max(longest + 1));
    Page {
        text: format!("{fence}{language}\n{text}\n{fence}\n"),
        ..Page::default()
    }
}

/// The word for a fence, and the extensions of files that people put into libraries.
const LANGUAGES: [(&str, &[&str]); 32] = [
    ("bash", &["bash"]),
    ("c", &["c", "h"]),
    ("cpp", &["cc", "cpp", "hpp"]),
    ("csharp", &["cs"]),
    ("css", &["css"]),
    ("csv", &["csv"]),
    ("go", &["go"]),
    ("groovy", &["gradle"]),
    ("hcl", &["hcl", "tf"]),
    ("ini", &["cfg", "conf", "ini", "properties"]),
    ("java", &["java"]),
    ("javascript", &["js"]),
    ("json", &["json", "jsonl"]),
    ("jsx", &["jsx"]),
    ("kotlin", &["kt"]),
    ("lua", &["lua"]),
    ("php", &["php"]),
    ("proto", &["proto"]),
    ("python", &["py"]),
    ("ruby", &["rb"]),
    ("rust", &["rs"]),
    ("scala", &["scala"]),
    ("sh", &["sh", "zsh"]),
    ("sql", &["sql"]),
    ("swift", &["swift"]),
    ("text", &["log", "srt", "vtt"]),
    ("toml", &["toml"]),
    ("tsv", &["tsv"]),
    ("tsx", &["tsx"]),
    ("typescript", &["ts"]),
    ("xml", &["xml"]),
    ("yaml", &["yaml", "yml"]),
];

pub(super) fn code_language(extension: &str) -> Option<&'static str> {
    let found = LANGUAGES
        .iter()
        .find(|(_, names)| names.contains(&extension));
    found.map(|(language, _)| *language)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::chunk::headings;

    #[test]
    fn a_comment_in_a_settings_file_is_no_heading() {
        let page = code("# limits\nmemory: 1Gi\n", "yaml");
        assert_eq!(page.text, "```yaml\n# limits\nmemory: 1Gi\n```\n");
        assert!(headings(&page.text).is_empty());
    }

    #[test]
    fn a_fence_is_longer_than_any_in_the_code() {
        let page = code("````\n# a\n````", "text");
        assert!(page.text.starts_with("`````text\n"));
        assert!(headings(&page.text).is_empty());
    }
}
