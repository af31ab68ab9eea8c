//! What people can ask for by a command, a menu or a file that they hand in: the same words on
//! every messenger, whatever shape each of them gives a command.

use std::collections::BTreeMap;

use url::Url;

use super::courtesy::Courtesy;
use super::event::{Material, Press, Wish};
use super::language::Language;

/// The options that came with a command. No messenger vouches for them: one may be missing, or
/// hold what was never offered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// What was written, by the option's name.
    pub texts: BTreeMap<String, String>,
    /// The file that was handed in with it.
    pub file: Option<Material>,
    /// Where the words of the command were said.
    pub link: String,
}

impl Given {
    /// What was written there, unless it is blank.
    fn text(&self, name: &str) -> Option<String> {
        let text = self.texts.get(name)?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }
}

/// What is wrong with what a person gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slip {
    NoQuestion,
    NothingToAdd,
    NotAnAddress,
    NoDocument,
    NoWords,
    EmptyMessage,
    /// A message of our own was to be added.
    OurOwn,
    /// A command that has several parts came without one of them.
    NoPart,
    Unknown,
}

impl Slip {
    pub fn words(self, language: Language) -> &'static str {
        let (english, korean) = match self {
            Self::NoQuestion => ("Please write a question.", "질문을 적어 주세요."),
            Self::NothingToAdd => (
                "Please give a web address, a file or a text to add.",
                "추가할 웹 주소, 파일 또는 글을 넣어 주세요.",
            ),
            Self::NotAnAddress => (
                "A web address begins with https:// or http://.",
                "웹 주소는 https:// 또는 http://로 시작해야 합니다.",
            ),
            Self::NoDocument => (
                "Please choose a document to remove.",
                "서가에서 뺄 문서를 골라 주세요.",
            ),
            Self::NoWords => (
                "Please write the words to search for.",
                "찾을 말을 적어 주세요.",
            ),
            Self::EmptyMessage => (
                "There is neither text nor a file in that message.",
                "그 메시지에는 글도 파일도 없습니다.",
            ),
            Self::OurOwn => (
                "I said that myself. Add the document that it comes from instead.",
                "제가 한 말은 서가에 추가하지 않습니다. 그 말이 나온 문서를 추가해 주세요.",
            ),
            Self::NoPart => (
                "Please write what to do: add, remove, list, search, status or log.",
                "무엇을 할지 적어 주세요: 추가, 삭제, 목록, 검색, 상태, 기록.",
            ),
            Self::Unknown => (
                "This is not known here any more. Please try again in a minute.",
                "더는 쓰이지 않는 기능입니다. 잠시 뒤 다시 시도해 주세요.",
            ),
        };
        match language {
            Language::Korean => korean,
            Language::English | Language::Other => english,
        }
    }
}

/// What the command `name`, with its `part` where it has several, asks for.
pub fn wish(name: &str, part: Option<&str>, given: &Given) -> Result<Wish, Slip> {
    let text = |name: &str, slip| given.text(name).ok_or(slip);
    match (name, part) {
        ("ask", None) => Ok(Wish::Ask {
            question: text("question", Slip::NoQuestion)?,
            unread: Vec::new(),
        }),
        ("sync", None) => Ok(Wish::Sync {
            source: given.text("source"),
        }),
        ("stop", None) => Ok(Wish::Stop),
        ("library", Some("add")) => add(given),
        ("library", Some("remove")) => Ok(Wish::Remove {
            uri: text("document", Slip::NoDocument)?,
        }),
        ("library", Some("list")) => Ok(Wish::List {
            collection: given.text("collection"),
        }),
        ("library", Some("search")) => Ok(Wish::Search {
            words: text("words", Slip::NoWords)?,
        }),
        ("library", Some("status")) => Ok(Wish::Status),
        ("library", Some("log")) => Ok(Wish::Log),
        _ => Err(Slip::Unknown),
    }
}

fn add(given: &Given) -> Result<Wish, Slip> {
    let mut what = Vec::new();
    if let Some(url) = given.text("url") {
        let url = Url::parse(&url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some());
        what.push(Material::Page {
            url: url.ok_or(Slip::NotAnAddress)?.to_string(),
        });
    }
    what.extend(given.file.clone());
    if let Some(text) = given.text("text") {
        what.push(Material::Text {
            text,
            link: given.link.clone(),
        });
    }
    if what.is_empty() {
        return Err(Slip::NothingToAdd);
    }
    Ok(Wish::Add {
        what,
        title: given.text("title"),
        collection: given.text("collection"),
        beside: None,
    })
}

/// What the command `name` asks for, whose options were typed as one line, as in
/// `add https://wiki.example/leave title: Leave`. Names of options and parts may be English or
/// Korean.
pub fn typed(name: &str, said: &str, link: String) -> Result<Wish, Slip> {
    let said = said.trim();
    let whole = |option: &str, text: &str| Given {
        texts: BTreeMap::from([(option.to_owned(), text.to_owned())]),
        ..Given::default()
    };
    match name {
        "ask" => return wish(name, None, &whole("question", said)),
        "sync" => return wish(name, None, &whole("source", said)),
        "library" => {},
        _ => return wish(name, None, &Given::default()),
    }
    let (part, rest) = said.split_once(char::is_whitespace).unwrap_or((said, ""));
    let (part, first) = match part.to_lowercase().as_str() {
        "add" | "추가" => ("add", None),
        "remove" | "삭제" => ("remove", Some("document")),
        "list" | "목록" => ("list", Some("collection")),
        "search" | "검색" => ("search", Some("words")),
        "status" | "상태" => ("status", Some("")),
        "log" | "기록" => ("log", Some("")),
        _ => return Err(Slip::NoPart),
    };
    let given = match first {
        Some(option) => whole(option, rest),
        None => Given {
            texts: options(rest),
            file: None,
            link,
        },
    };
    wish(name, Some(part), &given)
}

/// What was written for each option: after its name and a colon, or before all of them.
fn options(line: &str) -> BTreeMap<String, String> {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    let (mut option, mut rest) = ("text", line.trim_start());
    if rest.starts_with("https://") || rest.starts_with("http://") {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (url, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        texts.insert("url".to_owned(), url.to_owned());
        rest = after;
    }
    for word in rest.split_inclusive(char::is_whitespace) {
        let bare = word.trim_end();
        let named = bare.split_once(':').and_then(|(name, after)| {
            let start = bare.len() - after.len();
            Some((option_named(name)?, word.get(start..)?))
        });
        let more = if let Some((name, after)) = named {
            option = name;
            after
        } else {
            word
        };
        texts.entry(option.to_owned()).or_default().push_str(more);
    }
    texts
}

fn option_named(name: &str) -> Option<&'static str> {
    match name.to_lowercase().as_str() {
        "url" | "주소" => Some("url"),
        "text" | "글" => Some("text"),
        "title" | "제목" => Some("title"),
        "collection" | "컬렉션" | "모음" => Some("collection"),
        _ => None,
    }
}

/// A command in a message's own menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Menu {
    Add,
    Ask,
}

/// What is asked for with a message that holds `text` and `files`, and stands at `link`.
pub fn of_message(
    menu: Menu,
    text: String,
    files: Vec<Material>,
    link: String,
) -> Result<Wish, Slip> {
    match menu {
        Menu::Ask if text.is_empty() => Err(Slip::EmptyMessage),
        Menu::Ask => Ok(Wish::Ask {
            question: text,
            unread: names(files),
        }),
        Menu::Add => {
            let mut what = files;
            if !text.is_empty() {
                what.insert(0, Material::Text { text, link });
            }
            if what.is_empty() {
                return Err(Slip::EmptyMessage);
            }
            Ok(Wish::Add {
                what,
                title: None,
                collection: None,
                beside: None,
            })
        },
    }
}

/// What somebody wants who says `text` to us and hands in `files`. Files are to be added; words
/// that came with them mostly introduce them, and are left out; whoever said them is told so, as
/// they may have been a question. Pictures, sounds and films have no text to add: words beside nothing but those
/// are a question.
pub fn said(text: String, files: Vec<Material>) -> Wish {
    let readable = files.iter().any(|file| !only_for_eyes_and_ears(file));
    if readable || (text.is_empty() && !files.is_empty()) {
        return Wish::Add {
            what: files,
            title: None,
            collection: None,
            beside: (!text.is_empty() && Courtesy::of(&text).is_none()).then_some(text),
        };
    }
    Wish::Ask {
        question: text,
        unread: names(files),
    }
}

fn names(files: Vec<Material>) -> Vec<String> {
    let name = |file| match file {
        Material::File { name, .. } => Some(name),
        Material::Page { .. } | Material::Text { .. } => None,
    };
    files.into_iter().filter_map(name).collect()
}

fn only_for_eyes_and_ears(material: &Material) -> bool {
    match material {
        Material::File {
            content_type: Some(kind),
            ..
        } => ["image/", "audio/", "video/"]
            .iter()
            .any(|family| kind.starts_with(family)),
        Material::File { .. } | Material::Page { .. } | Material::Text { .. } => false,
    }
}

/// Where the reply to a command or a button stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// In a new post that everybody sees.
    Open,
    /// In a new post that only the person sees.
    Private,
    /// In the post whose button was pressed.
    InPlace,
}

impl Standing {
    pub fn of(wish: &Wish) -> Self {
        match wish {
            Wish::Ask { .. }
            | Wish::Add { .. }
            | Wish::Remove { .. }
            | Wish::Sync { .. }
            | Wish::Press(Press::Share(_)) => Self::Open,
            Wish::List { .. }
            | Wish::Search { .. }
            | Wish::Status
            | Wish::Log
            | Wish::Stop
            | Wish::Press(Press::Useful(_) | Press::NotUseful(_) | Press::Sources(_)) => {
                Self::Private
            },
            Wish::Press(Press::Add(_) | Press::Leave(_) | Press::Stop(_)) => Self::InPlace,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(url: &str) -> Material {
        Material::Page {
            url: url.to_owned(),
        }
    }

    fn text(text: &str) -> Material {
        Material::Text {
            text: text.to_owned(),
            link: "L".to_owned(),
        }
    }

    fn added(what: Vec<Material>, title: Option<&str>, collection: Option<&str>) -> Wish {
        Wish::Add {
            what,
            title: title.map(str::to_owned),
            collection: collection.map(str::to_owned),
            beside: None,
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "so the cases read better")]
    #[track_caller]
    fn check(name: &str, line: &str, expected: Result<Wish, Slip>) {
        assert_eq!(
            typed(name, line, "L".to_owned()),
            expected,
            "/{name} {line}"
        );
    }

    #[test]
    fn a_command_can_be_typed_as_one_line() {
        let ask = |question: &str| Wish::Ask {
            question: question.to_owned(),
            unread: Vec::new(),
        };
        check("ask", " how much leave? ", Ok(ask("how much leave?")));
        check("ask", "", Err(Slip::NoQuestion));
        check("stop", "", Ok(Wish::Stop));
        check("sync", " ", Ok(Wish::Sync { source: None }));
        check("library", "Status", Ok(Wish::Status));
        check("library", "기록", Ok(Wish::Log));
        let words = "title: leave".to_owned();
        check("library", "search title: leave", Ok(Wish::Search { words }));
        let uri = "https://wiki.example/a".to_owned();
        check("library", &format!("삭제 {uri}"), Ok(Wish::Remove { uri }));
        check("library", "list", Ok(Wish::List { collection: None }));
        check("library", "remove", Err(Slip::NoDocument));
        check("library", "", Err(Slip::NoPart));
        check("library", "burn it", Err(Slip::NoPart));
        check("dance", "", Err(Slip::Unknown));
    }

    #[test]
    fn what_is_added_is_an_address_or_a_text_with_a_title_and_a_collection() {
        let url = "https://wiki.example/leave";
        let add = |line: &str| format!("add {line}");
        check("library", &add(url), Ok(added(vec![page(url)], None, None)));
        check(
            "library",
            &add(&format!("{url} title: Paid leave collection: hr")),
            Ok(added(vec![page(url)], Some("Paid leave"), Some("hr"))),
        );
        check(
            "library",
            "추가 글: 연차는 15일이다.\n이월: 5일. 제목:연차",
            Ok(added(
                vec![text("연차는 15일이다.\n이월: 5일.")],
                Some("연차"),
                None,
            )),
        );
        let free = "Leave is 15 days.";
        check(
            "library",
            &add(free),
            Ok(added(vec![text(free)], None, None)),
        );
        check("library", "add", Err(Slip::NothingToAdd));
        check("library", "add url: wiki", Err(Slip::NotAnAddress));
    }
}
