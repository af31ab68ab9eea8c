//! Bytes to Markdown, in a child process.
//!
//! Documents come from anybody, and parsers of foreign formats are where programs break. So
//! [`parse`] runs in a child with little memory and no network (see [`child`]); what comes
//! back is text, and a crash there is the failure of one file.

mod characters;
mod child;
mod encoding;
mod front;
mod html;
mod markdown;
mod plain;
mod shortcode;

use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use child::{ChildLimits, ParseChild, child_main};

use crate::domain::figures::Bytes;
use crate::domain::language::Language;

/// A file as it came: nothing in it is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raw<'a> {
    pub bytes: &'a [u8],
    /// As the server declared it, `text/html; charset=euc-kr`.
    pub content_type: Option<&'a str>,
    /// A file name, a path or the path of a URL: its end tells the format, and is the title of
    /// last resort.
    pub name: &'a str,
    /// More bytes than this are refused.
    pub longest: usize,
}

impl Raw<'_> {
    /// 10 MiB: ten times the longest manual seen, and little enough for the child's memory.
    pub const LONGEST: usize = 10 << 20;
}

/// A document's text, ready to be put on the shelf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Markup {
    /// As the document says it, else its first heading, else its name.
    pub title: Option<String>,
    /// Markdown in Unicode's composed form, with `\n` line ends and no invisible characters.
    pub text: String,
    /// When the document says it was last changed.
    pub modified: Option<DateTime<Utc>>,
    pub language: Language,
}

/// Why a file could not be read; it is that file's failure alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Unparsable {
    #[error("it is empty")]
    Empty,
    #[error("there is no text in it")]
    NoText,
    #[error("it is {kind}, not text; text, Markdown and HTML can be read")]
    Binary { kind: String },
    #[error("it is larger than {}", Bytes(*longest))]
    TooLarge { longest: usize },
    #[error("its characters make no sense in any encoding; save it as UTF-8")]
    Garbled,
    #[error("its HTML is nested or tangled as no page for people is")]
    Tangled,
    #[error("reading it took longer than {seconds} seconds")]
    Late { seconds: u64 },
    #[error("reading it crashed the reader or took more memory than it may")]
    Crashed,
    #[error("the reader could not be started: {0}")]
    NoReader(String),
}

impl Unparsable {
    /// The same in Korean. The English is what it displays.
    pub fn korean(&self) -> String {
        match self {
            Self::Empty => "비어 있습니다".to_owned(),
            Self::NoText => "글이 들어 있지 않습니다".to_owned(),
            Self::Binary { kind } => {
                let kind = encoding::korean(kind);
                format!(
                    "글이 아닌 형식입니다({kind}). 텍스트, 마크다운, HTML 파일을 읽을 수 있습니다"
                )
            },
            Self::TooLarge { longest } => format!("{}보다 큽니다", Bytes(*longest)),
            Self::Garbled => {
                "어떤 인코딩으로도 글자를 읽을 수 없습니다. UTF-8로 저장해 주세요".to_owned()
            },
            Self::Tangled => {
                "HTML이 사람이 읽는 페이지로 보기 어려울 만큼 얽혀 있습니다".to_owned()
            },
            Self::Late { seconds } => format!("읽는 데 {seconds}초가 넘게 걸렸습니다"),
            Self::Crashed => {
                "읽는 도중에 멈췄거나 정해진 것보다 많은 메모리를 썼습니다".to_owned()
            },
            Self::NoReader(_) => {
                "읽는 프로그램을 시작하지 못했습니다. saseo를 운영하는 사람에게 알려 주세요"
                    .to_owned()
            },
        }
    }
}

/// Reads a file of any format that saseo knows. Pure: it looks at `raw` and nothing else.
pub fn parse(raw: &Raw<'_>) -> Result<Markup, Unparsable> {
    if raw.bytes.is_empty() {
        return Err(Unparsable::Empty);
    }
    if raw.bytes.len() > raw.longest {
        return Err(Unparsable::TooLarge {
            longest: raw.longest,
        });
    }
    let text = encoding::decode(raw.bytes, raw.content_type)?;
    let page = match Format::of(raw, &text) {
        Format::Html => html::read(&text)?,
        Format::Markdown => markdown::read(&text),
        Format::Prose => plain::prose(&text),
        Format::Code(language) => plain::code(&text, language),
    };
    if page.text.trim().is_empty() {
        return Err(Unparsable::NoText);
    }
    let title = page.title.and_then(|title| title_of(&title));
    let title = title.or_else(|| title_of(&name_as_title(raw.name)));
    Ok(Markup {
        title: match page.outdated {
            Some(word) => title_of(&format!("[{word}] {}", title.unwrap_or_default())),
            None => title,
        },
        language: Language::of(&page.text),
        modified: page.modified,
        text: page.text,
    })
}

/// Whether a file of this name is of a format that saseo knows: when a folder is added, the
/// others are left out. A file without an extension is known by what it is always called. The
/// scripts and styles that lie beside web pages are read only when they are named outright.
pub fn reads(name: &str) -> bool {
    const NAMES: [&str; 6] = [
        "readme",
        "license",
        "changelog",
        "contributing",
        "notice",
        "faq",
    ];
    let lower = name.to_ascii_lowercase();
    match Format::by_name(name) {
        Some(Format::Code("javascript" | "css")) => false,
        Some(Format::Html | Format::Markdown | Format::Prose | Format::Code(_)) => true,
        None => NAMES.contains(&lower.as_str()),
    }
}

/// What a format's reader found.
#[derive(Debug, Default)]
struct Page {
    title: Option<String>,
    text: String,
    modified: Option<DateTime<Utc>>,
    /// The word by which it says that it holds no longer; its title tells readers then.
    outdated: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Html,
    Markdown,
    Prose,
    /// With the word that names the language in a fence.
    Code(&'static str),
}

impl Format {
    /// A declared HTML or Markdown type is believed; `text/plain` is what servers say of
    /// everything, so the name decides there, and last the first characters.
    fn of(raw: &Raw<'_>, text: &str) -> Self {
        let declared = raw.content_type.unwrap_or_default().to_ascii_lowercase();
        let declared = declared.split(';').next().unwrap_or_default().trim();
        match declared {
            "text/html" | "application/xhtml+xml" => return Self::Html,
            "text/markdown" | "text/x-markdown" => return Self::Markdown,
            "application/json" => return Self::Code("json"),
            _ => {},
        }
        Self::by_name(raw.name).unwrap_or_else(|| {
            let head: String = text.trim_start().chars().take(15).collect();
            let head = head.to_ascii_lowercase();
            if head.starts_with("<!doctype html") || head.starts_with("<html") {
                Self::Html
            } else {
                Self::Prose
            }
        })
    }

    fn by_name(name: &str) -> Option<Self> {
        let extension = Path::new(name).extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "html" | "htm" | "xhtml" => Some(Self::Html),
            "md" | "markdown" | "mdx" | "mkd" | "mdown" => Some(Self::Markdown),
            "txt" | "text" | "rst" | "adoc" | "asciidoc" | "org" => Some(Self::Prose),
            other => plain::code_language(other).map(Self::Code),
        }
    }
}

/// A title on one line, of bearable length: it is embedded with every chunk.
fn title_of(raw: &str) -> Option<String> {
    const LONGEST: usize = 200;
    let clean = characters::clean(raw);
    let words = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    let title: String = words.chars().take(LONGEST).collect();
    (!title.is_empty()).then_some(title)
}

/// The name without folders and extension; for `index.md` and its kin the folder's name.
fn name_as_title(name: &str) -> String {
    let path = Path::new(name);
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    let stem = stem.unwrap_or_default();
    let folder = path
        .parent()
        .and_then(Path::file_name)
        .and_then(|name| name.to_str());
    let lower = stem.to_ascii_lowercase();
    match folder {
        Some(folder) if ["index", "_index", "readme"].contains(&lower.as_str()) => {
            folder.to_owned()
        },
        _ => stem.trim_start_matches('-').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, bytes: &[u8]) -> Result<Markup, Unparsable> {
        parse(&Raw {
            bytes,
            content_type: None,
            name,
            longest: Raw::LONGEST,
        })
    }

    #[track_caller]
    fn check_title(name: &str, text: &str, expected: Option<&str>) {
        let title = read(name, text.as_bytes()).expect("text").title;
        assert_eq!(title.as_deref(), expected, "{name}");
    }

    #[test]
    fn a_title_is_what_the_document_says_else_its_heading_else_its_name() {
        check_title(
            "a.md",
            "---\ntitle: Own\n---\n# Heading\n\ntext",
            Some("Own"),
        );
        check_title(
            "a.md",
            "## Lower\n\n# The `Heading`\n\ntext",
            Some("The Heading"),
        );
        check_title("guides/vacation.md", "## Lower\n\ntext", Some("vacation"));
        check_title("guides/setup/_index.md", "text", Some("setup"));
        check_title("README.md", "text", Some("README"));
        check_title("src/limits.toml", "a = 1", Some("limits"));
        check_title("-", "text", None);
        check_title("휴가.txt", "연차는 15일", Some("휴가"));
    }

    #[test]
    fn the_title_of_a_page_that_was_given_up_says_so() {
        check_title(
            "a.md",
            "---\ntitle: Limousines\nstatus: deprecated\n---\ntext",
            Some("[deprecated] Limousines"),
        );
        check_title(
            "휴가.md",
            "---\narchived: true\n---\n\n연차는 15일",
            Some("[archived] 휴가"),
        );
        check_title(
            "a.md",
            "---\nstatus: active\n---\n# Taxis\n\ntext",
            Some("Taxis"),
        );
    }

    #[test]
    fn a_declared_type_beats_the_name_and_plain_text_does_not() {
        let read = |content_type, name| {
            let bytes = b"<p>one</p>\n\n# two";
            let raw = Raw {
                bytes,
                content_type: Some(content_type),
                name,
                longest: 99,
            };
            parse(&raw).expect("text").text
        };
        assert!(!read("text/html; charset=utf-8", "page.md").contains("<p>"));
        assert!(read("text/plain", "page.md").contains("<p>"));
        assert!(!read("text/plain", "page.html").contains("<p>"));
        assert!(read("text/plain", "page.yaml").starts_with("```yaml\n"));
    }

    #[test]
    fn a_file_that_holds_no_text_is_refused_in_words() {
        assert_eq!(read("a.md", b""), Err(Unparsable::Empty));
        assert_eq!(read("a.md", b" \n\n"), Err(Unparsable::NoText));
        assert_eq!(
            read("a.md", b"---\ntitle: a\n---\n"),
            Err(Unparsable::NoText)
        );
        let large = vec![b'a'; Raw::LONGEST + 1];
        assert_eq!(
            read("a.md", &large).expect_err("large").to_string(),
            "it is larger than 10 MiB"
        );
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told_in_korean_with_what_can_be_read() {
        let refused = read("a.pdf", b"%PDF-1.7").expect_err("a PDF");
        assert_eq!(
            refused.korean(),
            "글이 아닌 형식입니다(PDF). 텍스트, 마크다운, HTML 파일을 읽을 수 있습니다"
        );
        assert!(
            refused
                .to_string()
                .ends_with("text, Markdown and HTML can be read")
        );
        let late = Unparsable::Late { seconds: 15 };
        assert!(late.korean().contains("15초"));
    }

    #[test]
    fn a_folder_is_read_without_what_only_browsers_read() {
        for name in ["a.md", "A.HTML", "b.csv", "c.rs", "README", "휴가.txt"] {
            assert!(reads(name), "{name}");
        }
        for name in [
            "a.css",
            "search.min.js",
            "photo.png",
            "a.pdf",
            "Makefile",
            "",
        ] {
            assert!(!reads(name), "{name}");
        }
    }

    #[test]
    fn the_language_is_that_of_the_text() {
        let korean = read("a.md", "# API\n\n연차는 1년에 15일이다.".as_bytes()).expect("text");
        assert_eq!(korean.language, Language::Korean);
    }
}
