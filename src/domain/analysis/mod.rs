//! The terms of a text, for lexical search.
//!
//! No dictionary: a team's words (its products, its commands) stand in none. Korean is cut by
//! its particles and endings, which are few and closed; English by Snowball. What looks like an
//! identifier is kept whole and in parts, so that `kube-apiserver` is found by either.
//!
//! The same text must always give the same terms: they lie in the index.
//!
//! Pieces of long Korean words cost two fifths more postings and are worth it: nDCG@10 on 26
//! questions over a Korean wiki, in chunks, .75 without and .79 with them, .84 with the stop
//! words left out too. Taken from the word before it is cut they cost twice that for .01.
//!
//! `script` tells the scripts apart; `letters`, `hangul` and `ideographic` each know how one is
//! cut, `stop_words` which words tell nothing.

mod script;
mod letters;
mod hangul;
mod ideographic;
mod stop_words;

use std::borrow::Cow;
use std::collections::BTreeSet;

use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfkc_quick};

use hangul::hangul;
use ideographic::ideographic;
use letters::letters;
use script::{Runs, Script};

/// The index terms of `text`, in order, with repetitions.
///
/// ```
/// use saseo::domain::analysis::terms;
///
/// assert_eq!(terms("파드를 삭제하려면"), ["파드", "삭제"]);
/// assert_eq!(terms("Deleting the pods"), ["delet", "pod"]);
/// assert_eq!(terms("file.yaml"), ["file.yaml", "file", "yaml"]);
/// ```
pub fn terms(text: &str) -> Vec<String> {
    let mut found = Vec::with_capacity(text.len() / 6);
    analyse(text, &mut |term, _| found.push(term));
    found
}

/// What `text` is about: its distinct terms in order of appearance, without question words and
/// other words that stand in any text. All of them are [`terms`] of the text too.
///
/// ```
/// use saseo::domain::analysis::content_terms;
///
/// assert_eq!(content_terms("파드를 어떻게 삭제해?"), ["파드", "삭제"]);
/// assert_eq!(content_terms("How do I delete pods?"), ["delet", "pod"]);
/// ```
pub fn content_terms(text: &str) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    analyse(text, &mut |term, kind| {
        if kind == Kind::Content && seen.insert(term.clone()) {
            found.push(term);
        }
    });
    found
}

/// What a term tells.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Content,
    /// A question word, or one that stands in any text.
    Filler,
    /// A piece of a word, for words that are written together here and apart there.
    Piece,
}

/// Takes the terms as they come.
type Take<'a> = dyn FnMut(String, Kind) + 'a;

fn analyse(text: &str, take: &mut Take<'_>) {
    let normal = normalised(text);
    let stemmer = Stemmer::create(Algorithm::English);
    for run in Runs::of(&normal) {
        match run.script {
            Script::Hangul => hangul(&run, take),
            Script::Ideographic => ideographic(run.text, take),
            Script::Letters => letters(run.text, &stemmer, take),
        }
    }
}

fn normalised(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfkc_quick(text.chars()) == IsNormalized::Yes {
        text.into()
    } else {
        text.nfkc().collect::<String>().into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(terms(text).join(" "), expected, "{text}");
    }

    #[track_caller]
    fn check_content(text: &str, expected: &str) {
        assert_eq!(content_terms(text).join(" "), expected, "{text}");
    }

    #[test]
    fn korean_words_lose_particles_and_endings() {
        check(
            "파드를 파드는 파드의 파드에서는 파드와",
            "파드 파드 파드 파드 파드",
        );
        check(
            "설치하려면 설치한다 설치했습니다 설치됩니다 설치",
            "설치 설치 설치 설치 설치",
        );
        check("잡을 앱은 키를", "잡 앱 키");
    }

    #[test]
    fn a_word_that_only_looks_inflected_stays_whole() {
        check(
            "경고 회의 결과 길이 경로 휴가 가을",
            "경고 회의 결과 길이 경로 휴가 가을",
        );
    }

    #[test]
    fn long_korean_words_are_found_by_their_pieces_too() {
        check("데몬셋을", "데몬셋 데몬 몬셋");
    }

    #[test]
    fn a_particle_after_a_latin_name_is_no_word() {
        check(
            "kubectl로 파드(Pod)는 API서버는",
            "kubectl 파드 pod api 서버",
        );
    }

    #[test]
    fn english_words_are_stemmed_and_stop_words_left_out() {
        check("What are the running services?", "run servic");
        check("The user's Beyoncé", "user beyonc");
    }

    #[test]
    fn identifiers_are_found_whole_and_in_parts() {
        check("kube-apiserver", "kube-apiserver kube apiserv");
        check("snake_case", "snake_case snake case");
        check(
            "ttlSecondsAfterFinished",
            "ttl second after finish ttlsecondsafterfinish",
        );
        check("APIServer iPhone", "api server apiserv iphon");
        check("--ignore-daemonsets", "ignore-daemonsets ignor daemonset");
        check("admin.conf.", "admin.conf admin conf");
    }

    #[test]
    fn numbers_are_found_with_and_without_what_is_written_around_them() {
        check("5,000 5000", "5000 5000");
        check("52자", "52 자");
        check("1MiB 15s", "1 mib 1mib 15 s 15s");
        check("PDFs, PDF and APIs", "pdf pdf api");
        check("v1.28 1.28", "v1.28 1.28 1.28");
        check("10.0.0.1:8080", "10.0.0.1 8080");
        check("30000-32767", "30000-32767 30000 32767");
        check("1,2 10,2000", "1 2 10 2000");
        check("k8s ipv4", "k8s ipv4");
    }

    #[test]
    fn the_same_letters_in_another_code_are_the_same_word() {
        check(
            "\u{1111}\u{1161}\u{1103}\u{1173} ＰＯＤ １２",
            "파드 pod 12",
        );
    }

    #[test]
    fn scripts_without_spaces_are_cut_in_pairs() {
        check("日本語 水", "日本 本語 水");
    }

    #[test]
    fn encoded_bytes_are_not_indexed() {
        check(&"a1".repeat(40), "");
        check("\u{b8} !?", "");
    }

    #[test]
    fn a_question_is_about_its_content() {
        check_content(
            "컨피그맵 하나에 데이터를 얼마나 넣을 수 있어?",
            "컨피그맵 데이터 넣",
        );
        check_content(
            "HPA는 기본으로 몇 초마다 메트릭을 확인해?",
            "hpa 기본 초 메트릭 확인",
        );
        check_content("연차는 며칠인지 알려주세요", "연차 며칠");
        check_content("How can you tell what the pod does?", "pod");
        check_content("뭐야?", "");
    }

    proptest! {
        #[test]
        fn content_is_indexed(text in "\\PC{0,60}") {
            let indexed = terms(&text);
            prop_assert!(content_terms(&text).iter().all(|term| indexed.contains(term)));
        }

        #[test]
        fn terms_do_not_depend_on_what_stands_around_the_text(
            text in "[가-힣a-zA-Z0-9 ._,-]{0,40}",
        ) {
            prop_assert_eq!(terms(&format!("\n{text}\n")), terms(&text));
        }

        #[test]
        fn no_term_is_empty_or_has_a_blank(text in "\\PC{0,60}") {
            for term in terms(&text) {
                prop_assert!(!term.is_empty());
                prop_assert!(!term.contains(char::is_whitespace));
            }
        }
    }
}
