//! What a curator is shown of what was handed in, before it is added: what it is, how it
//! begins, and what it would push out.

use chrono::{DateTime, Utc};

use super::document::CollectionName;
use super::event::Press;
use super::figures::Bytes;
use super::language::Language;
use super::page::{Block, Button, Page, Run, Weight};

/// Something that would be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    pub title: String,
    pub uri: String,
    pub bytes: usize,
    /// Its first words.
    pub opening: String,
    pub fate: Fate,
}

/// What adding it would do to the shelf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    New,
    /// It stands there as it is.
    Known,
    /// It takes the place of an older state of itself.
    Renews(Replaced),
    /// It takes the place of files of the same name.
    Replaces(Vec<Replaced>),
}

/// A document that would go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    pub title: String,
    /// When it was put where it stands, as far as the register goes back.
    pub since: Option<DateTime<Utc>>,
}

/// The longest title that is made of first words, and the longest first words that are shown,
/// in characters.
pub const TITLE: usize = 60;
pub const OPENING: usize = 120;

/// What would be added, with the question whether it shall be.
pub fn confirm(
    offers: &[Offer],
    collection: &CollectionName,
    language: Language,
    short: &str,
) -> Page {
    let (question, add, leave) = match language {
        Language::Korean => (
            format!("`{collection}` 컬렉션에 추가할까요?"),
            "추가",
            "추가하지 않기",
        ),
        Language::English | Language::Other => (
            format!("Shall I add this to the collection `{collection}`?"),
            "Add",
            "Leave it",
        ),
    };
    let button = |label, press, weight| Button {
        label,
        press,
        weight,
    };
    let mut blocks = vec![Block::text(question)];
    blocks.extend(offers.iter().flat_map(|offer| shown(offer, language)));
    Page {
        blocks,
        buttons: vec![
            button(add, Press::Add(short.to_owned()), Weight::Main),
            button(leave, Press::Leave(short.to_owned()), Weight::Plain),
        ],
    }
}

fn shown(offer: &Offer, language: Language) -> Vec<Block> {
    // Less than this is more than nothing.
    let size = Bytes(offer.bytes.max(1 << 10).next_multiple_of(1 << 10));
    let mut line = vec![Run::Text(format!("{} · {size} · ", offer.title))];
    line.push(if super::reply::is_link(&offer.uri) {
        Run::Link {
            title: match language {
                Language::Korean => "원문".to_owned(),
                Language::English | Language::Other => "original".to_owned(),
            },
            url: offer.uri.clone(),
        }
    } else {
        Run::Text(offer.uri.clone())
    });
    let mut blocks = vec![Block::Paragraph(line)];
    if !offer.opening.is_empty() && offer.opening != offer.title {
        blocks.push(Block::small(format!("“{}”", offer.opening)));
    }
    blocks.extend(fate(&offer.fate, language).map(Block::text));
    blocks
}

fn fate(fate: &Fate, language: Language) -> Option<String> {
    let korean = language == Language::Korean;
    match fate {
        Fate::New => None,
        Fate::Known if korean => Some("이미 서가에 같은 내용으로 있습니다.".to_owned()),
        Fate::Known => Some("It is in the library already, just as it is.".to_owned()),
        Fate::Renews(older) if korean => Some(format!(
            "추가하면 지금 서가에 있는 {} 대신 놓습니다.",
            named(older, language)
        )),
        Fate::Renews(older) => Some(format!(
            "It replaces what the library has of it: {}.",
            named(older, language)
        )),
        Fate::Replaces(others) => {
            let others: Vec<_> = others.iter().map(|other| named(other, language)).collect();
            let others = others.join(", ");
            Some(if korean {
                format!(
                    "추가하면 같은 이름의 파일 {others} 문서를 빼고 대신 놓습니다. 둘 다 두려면 \
                     파일 이름을 바꾸거나 다른 컬렉션을 골라 주세요."
                )
            } else {
                format!(
                    "It replaces the file of the same name, {others}. To keep both, hand it in \
                     under another file name or in another collection."
                )
            })
        },
    }
}

fn named(replaced: &Replaced, language: Language) -> String {
    let Replaced { title, since } = replaced;
    let Some(since) = since else {
        return format!("“{title}”");
    };
    let day = since.format("%Y-%m-%d");
    match language {
        Language::Korean => format!("“{title}”({day} 추가)"),
        Language::English | Language::Other => format!("“{title}” (added {day})"),
    }
}

/// The first words of `text`, at most `longest` characters, by which it can be told from
/// others.
pub fn opening(text: &str, longest: usize) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    let line = line.unwrap_or_default();
    if line.chars().count() <= longest {
        return line.to_owned();
    }
    let cut: String = line.chars().take(longest).collect();
    let whole = cut.rsplit_once(' ').map_or(&*cut, |(whole, _)| whole);
    format!("{whole}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_called_by_its_first_words() {
        for (text, title) in [
            (
                "\n  The canteen opens at noon.\nBring cash.",
                "The canteen opens at noon.",
            ),
            (
                "On the first Monday of each month the whole archive is closed for cleaning.",
                "On the first Monday of each month the whole archive is…",
            ),
            (&"가".repeat(61), &format!("{}…", "가".repeat(60))),
            ("", ""),
        ] {
            assert_eq!(opening(text, TITLE), title);
        }
    }

    #[test]
    fn what_would_go_is_named_with_its_date_in_both_languages() {
        let older = || Replaced {
            title: "Kitchen rules".to_owned(),
            since: DateTime::from_timestamp(1_780_000_000, 0),
        };
        for language in [Language::Korean, Language::English] {
            for fate in [Fate::Renews(older()), Fate::Replaces(vec![older()])] {
                let told = super::fate(&fate, language).unwrap();
                assert!(told.contains("“Kitchen rules”"), "{told}");
                assert!(told.contains("2026-05-28"), "{told}");
            }
        }
    }
}
