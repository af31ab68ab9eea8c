//! Threads that answers open: what they are called.

use crate::domain::event::{Event, Wish};

/// Of a name, as Discord counts it.
const LONGEST: usize = 100;
/// Where a question has no words for it.
const NAMELESS: &str = "saseo";

/// After the first words of a question, so that a list of threads tells them apart.
pub(super) fn name(event: &Event) -> String {
    let Wish::Ask { question, .. } = &event.wish else {
        return NAMELESS.to_owned();
    };
    let words: Vec<&str> = question.split_whitespace().filter_map(bare).collect();
    let mut name = String::new();
    for word in &words {
        let longer = if name.is_empty() {
            (*word).to_owned()
        } else {
            format!("{name} {word}")
        };
        if long(&longer) > LONGEST - 1 {
            break;
        }
        name = longer;
    }
    match words.first() {
        None => NAMELESS.to_owned(),
        // One that is too long alone.
        Some(first) if name.is_empty() => format!("{}…", beginning(first)),
        Some(_) if name == words.join(" ") => name,
        Some(_) => format!("{name}…"),
    }
}

/// `word` without what Discord would make of it; `None` if nothing is left.
fn bare(word: &str) -> Option<&str> {
    let notation = word.starts_with('<') && word.contains('>');
    let marks = |c: char| "*_~`|#@>\\".contains(c) || c.is_control();
    let bare = word.trim_matches(marks);
    (!notation && bare.chars().any(char::is_alphanumeric)).then_some(bare)
}

fn beginning(word: &str) -> String {
    let mut left = LONGEST - 1;
    let fits = |c: &char| {
        let room = left.checked_sub(c.len_utf16());
        left = room.unwrap_or_default();
        room.is_some()
    };
    word.chars().take_while(fits).collect()
}

fn long(text: &str) -> usize {
    text.encode_utf16().count()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::domain::event::{EventKey, Person, Place, PlaceKind, Platform};
    use crate::domain::language::Language;

    #[track_caller]
    fn check(question: &str, expected: &str) {
        check_wish(
            Wish::Ask {
                question: question.to_owned(),
                unread: Vec::new(),
            },
            expected,
        );
    }

    #[track_caller]
    fn check_wish(wish: Wish, expected: &str) {
        let event = Event {
            key: EventKey::new(Platform::Discord, "1"),
            place: Place {
                platform: Platform::Discord,
                server: None,
                channel: "7".into(),
                kind: PlaceKind::Channel,
            },
            person: Person {
                id: "3".into(),
                roles: Vec::new(),
                administers: false,
            },
            at: DateTime::UNIX_EPOCH,
            language: Language::English,
            replies_to: None,
            wish,
            address: String::new(),
        };
        assert_eq!(name(&event), expected);
    }

    #[test]
    fn a_thread_is_called_after_the_first_words_of_its_question() {
        check("How long is leave?", "How long is leave?");
        check("연차는\n 며칠이야?", "연차는 며칠이야?");
        let long = "word ".repeat(30);
        check(&long, &format!("{}word…", "word ".repeat(19)));
        check(&"길".repeat(101), &format!("{}…", "길".repeat(99)));
        check(&"😀a".repeat(40), &format!("{}…", "😀a".repeat(33)));
    }

    #[test]
    fn nothing_in_the_name_of_a_thread_calls_anybody_or_is_laid_out() {
        check("**Who** is <@4>, @everyone?", "Who is everyone?");
        check("`ship_it` ||x|| ## > why", "ship_it x why");
    }

    #[test]
    fn a_thread_without_words_is_called_after_the_librarian() {
        check("", "saseo");
        check("<@4> **", "saseo");
        check_wish(Wish::Status, "saseo");
    }
}
