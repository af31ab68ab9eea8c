//! What a person reads, in the language of the question.

use super::answer::{Citation, Declined, Manner, Outcome};
use super::language::Language;
use super::receipt::Receipt;
use super::revision::Damage;

/// The fixed words around an answer, in one language.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    pub not_in_library: &'static str,
    pub empty_library: &'static str,
    pub nearest: &'static str,
    pub sources: &'static str,
    pub quoted: &'static str,
    pub changed: &'static str,
    pub library: &'static str,
    pub seconds: &'static str,
    pub receipt: &'static str,
    pub receipt_lost: &'static str,
    pub found: &'static str,
}

const ENGLISH: Words = Words {
    not_in_library: "The library has no answer to this.",
    empty_library: "the library is empty; `saseo library add PATH|URL` fills it",
    nearest: "Nearest pages:",
    sources: "Sources",
    quoted: "Quoted word for word from the source.",
    changed: "changed",
    library: "library",
    seconds: "s",
    receipt: "receipt",
    receipt_lost: "the receipt of this answer could not be kept",
    found: "Found in the library:",
};

const KOREAN: Words = Words {
    not_in_library: "서가에서 이 질문의 답을 찾지 못했습니다.",
    empty_library: "서가가 비어 있습니다. `saseo library add PATH|URL`로 문서를 추가하세요",
    nearest: "가장 가까운 문서:",
    sources: "출처",
    quoted: "자료의 문장을 그대로 옮겼습니다.",
    changed: "수정",
    library: "서가",
    seconds: "초",
    receipt: "영수증",
    receipt_lost: "이 답변의 영수증을 남기지 못했습니다",
    found: "서가에서 찾은 자료:",
};

/// The words for a reply in `language`.
pub fn words(language: Language) -> &'static Words {
    match language {
        Language::Korean => &KOREAN,
        Language::English | Language::Other => &ENGLISH,
    }
}

/// What happened to the register, and what to do.
pub fn damaged(damage: Damage, language: Language) -> String {
    let what = match (language, damage) {
        (Language::Korean, Damage::LinesLost { ends, seen }) => format!(
            "등록대장에서 줄이 없어졌습니다. 등록대장은 {ends}에서 끝나지만 색인은 {seen}까지 \
             알고 있습니다"
        ),
        (Language::Korean, Damage::LineChanged(line)) => {
            format!("등록대장의 {line} 줄이 색인이 아는 줄과 다릅니다")
        },
        (Language::English | Language::Other, Damage::LinesLost { ends, seen }) => format!(
            "the register has lost lines: it ends at {ends}, and the index knows {seen}"
        ),
        (Language::English | Language::Other, Damage::LineChanged(line)) => {
            format!("the register was changed: its line {line} is not the one the index knows")
        },
    };
    match language {
        Language::Korean => format!(
            "{what}. 백업에서 register.jsonl을 복원하거나, 내보낸 파일을 새 데이터 폴더로 \
             가져오세요"
        ),
        Language::English | Language::Other => format!(
            "{what}; restore register.jsonl from a backup, or import an export into a new data \
             folder"
        ),
    }
}

/// The reply itself, without sources and footer.
pub fn text(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Answered(answer) => answer.text(),
        Outcome::Declined(Declined { language, nearest }) => {
            let words = words(*language);
            if nearest.is_empty() {
                return words.not_in_library.to_owned();
            }
            let titles: Vec<_> = nearest.iter().map(|page| page.title.as_str()).collect();
            format!(
                "{} {} {}",
                words.not_in_library,
                words.nearest,
                titles.join(", ")
            )
        },
    }
}

/// The language of the reply.
pub fn language(outcome: &Outcome) -> Language {
    match outcome {
        Outcome::Answered(answer) => answer.language,
        Outcome::Declined(declined) => declined.language,
    }
}

/// The heading path as one text.
pub fn heading(path: &[String]) -> String {
    path.join(" > ")
}

/// Title, heading and date of a source: `Guide > Install (changed 2026-11-24)`.
pub fn source(citation: &Citation, language: Language) -> String {
    let mut path = vec![citation.title.clone()];
    path.extend(
        citation
            .heading
            .iter()
            .filter(|part| **part != citation.title)
            .cloned(),
    );
    let path = heading(&path);
    let Some(modified) = citation.modified else {
        return path;
    };
    let (words, day) = (words(language), modified.format("%Y-%m-%d"));
    match language {
        Language::Korean => format!("{path} ({day} {})", words.changed),
        Language::English | Language::Other => format!("{path} ({} {day})", words.changed),
    }
}

/// The note on how the answer came to its words, where a person should know.
pub fn note(outcome: &Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Answered(answer) if answer.manner == Manner::Quoted => {
            Some(words(answer.language).quoted)
        },
        Outcome::Answered(_) | Outcome::Declined(_) => None,
    }
}

/// One line on what made the answer: `library r42 · SmolLM2-135M · 2.1 s · receipt 3f…`.
pub fn footer(receipt: &Receipt) -> String {
    let words = words(language(&receipt.outcome));
    format!("{} · {} {}", makers(receipt), words.receipt, receipt.id)
}

/// The same without the receipt, for when it is not kept.
#[expect(clippy::cast_precision_loss, reason = "seconds for a person to read")]
pub fn makers(receipt: &Receipt) -> String {
    let language = language(&receipt.outcome);
    let words = words(language);
    let seconds = receipt.millis.total as f64 / 1000.0;
    let space = if language == Language::Korean {
        ""
    } else {
        " "
    };
    let mut parts = vec![format!("{} {}", words.library, receipt.revision)];
    parts.extend(model(receipt, language));
    parts.push(format!("{seconds:.1}{space}{}", words.seconds));
    parts.join(" · ")
}

/// The model, and where it was not asked, that it was not: it must not seem to have written.
fn model(receipt: &Receipt, language: Language) -> Option<String> {
    if let Some(draft) = &receipt.draft {
        return Some(draft.model.name.clone());
    }
    let name = &receipt.ready.as_ref()?.model.name;
    Some(match language {
        Language::Korean => format!("{name}(쓰지 않음)"),
        Language::English | Language::Other => format!("{name} (not used)"),
    })
}
