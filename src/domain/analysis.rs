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

use std::collections::BTreeSet;
use std::sync::LazyLock;

use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfkc_quick};

use super::language::is_hangul;

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

fn normalised(text: &str) -> std::borrow::Cow<'_, str> {
    if text.is_ascii() || is_nfkc_quick(text.chars()) == IsNormalized::Yes {
        text.into()
    } else {
        text.nfkc().collect::<String>().into()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Script {
    Hangul,
    /// Written without spaces: kana and Han.
    Ideographic,
    /// Any other letters, and digits.
    Letters,
}

impl Script {
    fn of(c: char) -> Option<Self> {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' => Some(Self::Letters),
            _ if c.is_ascii() => None,
            _ if is_hangul(c) => Some(Self::Hangul),
            '\u{3040}'..='\u{30FF}'
            | '\u{3400}'..='\u{4DBF}'
            | '\u{4E00}'..='\u{9FFF}'
            | '\u{F900}'..='\u{FAFF}'
            | '\u{20000}'..='\u{3FFFF}' => Some(Self::Ideographic),
            _ => is_word_character(c).then_some(Self::Letters),
        }
    }
}

/// Letters, digits, and the accents that are written after their letter.
fn is_word_character(c: char) -> bool {
    c.is_alphanumeric() || is_accent(c)
}

fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}')
}

/// A stretch of one script.
struct Run<'a> {
    text: &'a str,
    script: Script,
    /// Whether it is written right after something else: "kubectl로".
    joint: bool,
}

struct Runs<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Runs<'a> {
    fn of(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }
}

impl<'a> Iterator for Runs<'a> {
    type Item = Run<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (skipped, script) = self
            .rest()
            .char_indices()
            .find_map(|(at, c)| Script::of(c).map(|script| (at, script)))?;
        let start = self.at + skipped;
        let joint = self
            .text
            .get(..start)
            .and_then(|before| before.chars().next_back())
            .is_some_and(|c| !c.is_whitespace());
        let text = self
            .text
            .get(start..)
            .map(|rest| run_at_start(rest, script))?;
        self.at = start + text.len();
        Some(Run {
            text,
            script,
            joint,
        })
    }
}

/// The run of `script` that `text` starts with.
fn run_at_start(text: &str, script: Script) -> &str {
    let end = text
        .char_indices()
        .find(|&(at, c)| {
            Script::of(c) != Some(script)
                && !(script == Script::Letters && joins(c, text.get(at + c.len_utf8()..)))
        })
        .map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or(text)
}

/// Whether `c` holds an identifier or a number together, as in `snake_case` and `5,000`.
fn joins(c: char, after: Option<&str>) -> bool {
    let after = after.unwrap_or_default().as_bytes();
    match c {
        '-' | '_' | '.' => after.first().is_some_and(u8::is_ascii_alphanumeric),
        ',' => {
            let digits = after.iter().take_while(|b| b.is_ascii_digit()).count();
            digits == 3
        },
        _ => false,
    }
}

// ---- Letters and digits ----

/// Longer words are encoded bytes, and nobody asks for them.
const LONGEST_WORD: usize = 64;

fn letters(run: &str, stemmer: &Stemmer, take: &mut Take<'_>) {
    let lower = lowered(run);
    let parts: Vec<&str> = run.split(['-', '_', '.', ',']).collect();
    if is_number(&lower) {
        take(lower.replace(',', ""), Kind::Content);
    } else if let [_] = parts.as_slice() {
        simple(run, lower, stemmer, take);
    } else {
        if lower.len() <= LONGEST_WORD {
            let unmarked = version(&lower).map(str::to_owned);
            take(lower, Kind::Content);
            if let Some(number) = unmarked {
                return take(number, Kind::Content);
            }
        }
        for part in parts.into_iter().filter(|part| !part.is_empty()) {
            simple(part, lowered(part), stemmer, take);
        }
    }
}

/// Lower case, accents taken off: whoever asks for "Beyonce" means "Beyoncé".
fn lowered(word: &str) -> String {
    if word.is_ascii() {
        return word.to_ascii_lowercase();
    }
    word.to_lowercase()
        .nfd()
        .filter(|c| !is_accent(*c))
        .nfc()
        .collect()
}

/// Numbers and addresses: their parts tell nothing.
fn is_number(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
        && word
            .bytes()
            .all(|b| b.is_ascii_digit() || b == b'.' || b == b',')
}

/// The number of a version: 1.28 of v1.28.
fn version(word: &str) -> Option<&str> {
    word.strip_prefix('v').filter(|number| is_number(number))
}

/// A word without joints: stemmed, with its humps and its unit.
fn simple(word: &str, lower: String, stemmer: &Stemmer, take: &mut Take<'_>) {
    if let Some(one) = one_of_many(word) {
        take(one.to_ascii_lowercase(), Kind::Content);
        return;
    }
    if lower.is_empty() || lower.len() > LONGEST_WORD {
        return;
    }
    if has(&ENGLISH_STOP_WORDS, &lower) {
        return;
    }
    for hump in humps(word) {
        let hump = hump.to_ascii_lowercase();
        if !has(&ENGLISH_STOP_WORDS, &hump) {
            take(stemmer.stem(&hump).into_owned(), Kind::Piece);
        }
    }
    if let Some((number, unit)) = measure(&lower) {
        take(number.to_owned(), Kind::Content);
        take(unit.to_owned(), Kind::Piece);
    } else if let Some(number) = version(&lower) {
        take(number.to_owned(), Kind::Piece);
    }
    let kind = if has(&ENGLISH_FILLERS, &lower) {
        Kind::Filler
    } else {
        Kind::Content
    };
    if lower.bytes().all(|b| b.is_ascii_lowercase()) {
        take(stemmer.stem(&lower).into_owned(), kind);
    } else {
        take(lower, kind);
    }
}

/// PDF of PDFs: the stemmer takes it for a word without a vowel.
fn one_of_many(word: &str) -> Option<&str> {
    let one = word.strip_suffix('s')?;
    (one.len() > 1 && one.bytes().all(|b| b.is_ascii_uppercase())).then_some(one)
}

/// The parts of `ttlSecondsAfterFinished` and `APIServer`; none for a plain word. Humps of one
/// letter are no words: "iPhone", "MiB".
fn humps(word: &str) -> Vec<&str> {
    let bytes = word.as_bytes();
    if !word.is_ascii() || !bytes.iter().skip(1).any(u8::is_ascii_uppercase) {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut start = 0;
    for (at, window) in bytes.windows(2).enumerate() {
        let after_next = bytes.get(at + 2).is_some_and(u8::is_ascii_lowercase);
        let rises = window.last().is_some_and(u8::is_ascii_uppercase);
        let from_low = window.first().is_some_and(u8::is_ascii_lowercase);
        if rises && (from_low || after_next) {
            found.extend(word.get(start..=at));
            start = at + 1;
        }
    }
    found.extend(word.get(start..));
    if found.len() < 2 || found.iter().any(|hump| hump.len() < 2) {
        return Vec::new();
    }
    found
}

/// The number and the unit of a measure: 1 and "mib" of "1mib". "3d" is none.
fn measure(word: &str) -> Option<(&str, &str)> {
    let unit = word
        .find(|c: char| !c.is_ascii_digit())
        .filter(|at| *at > 0)?;
    let (number, unit) = word.split_at_checked(unit)?;
    unit.bytes()
        .all(|b| b.is_ascii_lowercase())
        .then_some((number, unit))
}

// ---- Kana and Han ----

/// Pairs of characters: these scripts do not show where a word ends.
fn ideographic(run: &str, take: &mut Take<'_>) {
    let pairs = pairs(run);
    if pairs.is_empty() {
        take(run.to_owned(), Kind::Content);
    }
    for pair in pairs {
        take(pair.to_owned(), Kind::Content);
    }
}

/// Each two neighbouring characters of `word`.
fn pairs(word: &str) -> Vec<&str> {
    let ends: Vec<usize> = word
        .char_indices()
        .map(|(at, _)| at)
        .chain([word.len()])
        .collect();
    ends.windows(3)
        .filter_map(|window| word.get(*window.first()?..*window.last()?))
        .collect()
}

// ---- Hangul ----

fn hangul(run: &Run<'_>, take: &mut Take<'_>) {
    let (joint, run) = (run.joint, run.text);
    let stem = stem(run);
    if joint && (is_ending(run) || is_ending(stem)) {
        return; // Only a particle: "kubectl로는".
    }
    if has(&KOREAN_STOP_WORDS, stem) || has(&KOREAN_STOP_WORDS, run) {
        return;
    }
    let kind = if has(&KOREAN_FILLERS, stem) {
        Kind::Filler
    } else {
        Kind::Content
    };
    take(stem.to_owned(), kind);
    let pairs = pairs(stem);
    if pairs.len() > 1 {
        for pair in pairs {
            take(pair.to_owned(), Kind::Piece);
        }
    }
}

/// `word` without particles and endings.
fn stem(word: &str) -> &str {
    let mut stem = word;
    while let Some(shorter) = without_suffix(stem) {
        stem = shorter;
    }
    stem
}

/// Takes off the longest suffix that may stand here.
fn without_suffix(word: &str) -> Option<&str> {
    let length = word.chars().count();
    let mut starts = word
        .char_indices()
        .rev()
        .map(|(at, _)| at)
        .take(LONGEST_SUFFIX);
    let starts: Vec<usize> = starts.by_ref().collect();
    starts
        .into_iter()
        .enumerate()
        .rev()
        .find_map(|(shorter, at)| {
            let (rest, ending) = word.split_at_checked(at)?;
            let rule = suffix(ending)?;
            let left = length.checked_sub(shorter + 1)?;
            (left >= rule.least && rule.after.fits(rest)).then_some(rest)
        })
}

fn suffix(ending: &str) -> Option<Suffix> {
    let at = SUFFIXES
        .binary_search_by_key(&ending, |entry| entry.0)
        .ok()?;
    SUFFIXES.get(at).map(|entry| entry.1)
}

/// Whether `run` is no word of its own. What is only taken off long words may be one: 52자.
fn is_ending(run: &str) -> bool {
    suffix(run).is_some_and(|rule| rule.least <= 2)
}

/// Where a suffix may be taken off.
#[derive(Clone, Copy)]
struct Suffix {
    after: After,
    /// Syllables that must be left. A shorter word more often ends so by itself: 경고, 회의.
    least: usize,
}

/// What a suffix stands after: Korean has two forms of many, and so shows which ends are none.
#[derive(Clone, Copy)]
enum After {
    Any,
    Vowel,
    Consonant,
    /// A vowel or ㄹ.
    Open,
}

impl After {
    fn fits(self, stem: &str) -> bool {
        let Some(last @ '가'..='힣') = stem.chars().next_back() else {
            return false;
        };
        // Syllables are coded by first sound, vowel and one of 28 last sounds; 8 is ㄹ.
        let coda = (u32::from(last) - u32::from('가')) % 28;
        match self {
            Self::Any => true,
            Self::Vowel => coda == 0,
            Self::Consonant => coda != 0,
            Self::Open => coda == 0 || coda == 8,
        }
    }
}

const LONGEST_SUFFIX: usize = 5;

static SUFFIXES: LazyLock<Vec<(&'static str, Suffix)>> = LazyLock::new(|| {
    let mut table: Vec<_> = SUFFIX_LISTS
        .iter()
        .flat_map(|&(after, least, list)| {
            list.split_whitespace()
                .map(move |suffix| (suffix, Suffix { after, least }))
        })
        .collect();
    table.sort_by_key(|entry| entry.0);
    table
});

const SUFFIX_LISTS: &[(After, usize, &str)] = &[
    // Particles.
    (
        After::Any,
        1,
        "에 에는 에도 에서 에서는 에서도 에서의 에서만 에게 에게는 에게서 까지 부터 마다 입니다 입니까",
    ),
    (
        After::Any,
        2,
        "의 도 만 에만 한테 께서 까지는 까지의 까지도 부터는 보다 처럼 만큼 조차 밖에 들 씩 적 적인 적으로 \
         인지 인가 인가요 일까 일까요",
    ),
    (After::Any, 3, "별 자"),
    (
        After::Consonant,
        1,
        "은 을 으로 으로는 으로써 으로서 으로부터 이라는 이란 이나 이며 이고 이야 이에요 이다",
    ),
    (
        After::Consonant,
        2,
        "이 과 과의 으로도 으로의 이든 이라고 이었다 이면 이라면 이므로 이지만",
    ),
    (After::Vowel, 1, "는 를"),
    (
        After::Vowel,
        2,
        "가 와 와의 라는 라고 란 나 야 예요 였다 라면",
    ),
    (After::Open, 2, "로 로는 로도 로의 로써 로서 로부터"),
    // Endings of verbs.
    (
        After::Any,
        1,
        "었습니다 았습니다 었다 았다 는지 어서 아서 어야 아야 도록 나요 까요 어요 아요 네요 군요 지요 죠 는데",
    ),
    (After::Any, 2, "다 겠습니다 지만 거나 든지 게 고 던 기"),
    (
        After::Consonant,
        1,
        "습니다 습니까 는다 으려면 으려고 으면 으면서 은지 으니까 은데 으세요 으며",
    ),
    (After::Consonant, 2, "어 아 음"),
    (After::Vowel, 1, "려면 려고 면서 니까 세요"),
    (After::Vowel, 2, "면 며 니 냐"),
    // Verbs made of a noun.
    (
        After::Any,
        2,
        "하 한 할 함 해 하여 하고 하기 하지 하면 하며 하는 하나 하나요 하거나 하자 하려면 하려고 하도록 하세요 \
         해서 해야 해도 해줘 해라 해요 했다 했던 했는데 했나요 했어 했을 했습니다 한다 한다면 한지 합니다 \
         합니까 할까 할까요 할지",
    ),
    (
        After::Any,
        2,
        "되 된 될 됨 돼 돼요 되어 되고 되기 되지 되면 되며 되는 되나 되나요 되었다 되었습니다 된다 됐다 \
         됐습니다 됩니다 됩니까 되도록 시키 시킨 시킬 시켜 시킨다",
    ),
];

/// Left out of the index: they stand in any Korean text. Sorted.
static KOREAN_STOP_WORDS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    sorted(
        "같 같은 거 것 건 걸 그 그것 그냥 그런 그럼 그리고 네 누가 누구 대하 대한 대해 대해서 되 된 될 됐 됐어 되었 \
         되나 되나요 된다 됩니까 됩니다 등 따라 때 또 또는 또한 몇 무슨 무엇 무엇인가요 무엇인지 뭐 뭐가 뭐고 \
         뭐니 뭐야 뭐예요 뭐지 뭔가 뭔가요 뭔지 및 수 싶 싶어 싶어요 싶다 싶습니다 알려달라 알려주 알려주세요 \
         알려줄래 알려줘 알려줘요 어디 어디서 어디에서 어디야 어때 어떠 어떤 어떻 어떻게 어떡해 언제 언제야 얼마 \
         얼마나 얼마야 얼마인가요 왜 위하 위한 위해 위해서 이 이거 이것 이게 이런 이렇게 있 있나 있나요 있는 \
         있는지 있니 있다 있어 있어요 있을 있습니까 있습니다 저 좀 주세요 줘 즉 하 하고 하나요 하는 하는지 하다 \
         하려면 하면 하지 한 한다 할 할까 할까요 함 합니까 합니다 해 해야 해요 했 했다",
    )
});

/// Indexed, but no content of a Korean question. Sorted.
static KOREAN_FILLERS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    sorted(
        "가능 가르쳐 가르쳐줘 각 경우 관련 관해 궁금 내 너무 다른 때문 많이 만약 말 말해줘 매우 모두 방법 보 \
         보여 보여줘 본 부탁 부탁드립니다 볼 봐 설명 설명해줘 쓰 써 아니 안 알 알고 알려 알아 알아보 어느 없 없나 \
         없나요 없어 없는 없다 없습니까 여기 여러 왔 우리 잘 저희 저는 점 정도 제 제가 주 줄 중 지 지금 질문 찾아 \
         찾아줘 통해 하나 후",
    )
});

/// Left out of the index: they stand in any English text. Sorted.
static ENGLISH_STOP_WORDS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    sorted(
        "a about an and are as at be been being but by can could d did didn do does doesn don for from had \
         has have he her hers him his how i if in into is isn it its ll m me my of on or our re s she should so such \
         t than that the their them then there these they this those to us ve was wasn we were weren what when where \
         which who whom whose why will with would you your",
    )
});

/// Indexed, but no content of an English question. Sorted.
static ENGLISH_FILLERS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    sorted(
        "after all also any before between both called during each find get give given just know known let like \
         list made main make many mean may might more most much must name need no not often one only other out over \
         own please say said same show some tell thing too two type under up use used using very want way whether \
         while without",
    )
});

fn has(list: &[&str], word: &str) -> bool {
    list.binary_search(&word).is_ok()
}

fn sorted(list: &'static str) -> Vec<&'static str> {
    let mut words: Vec<_> = list.split_whitespace().collect();
    words.sort_unstable();
    words
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

    #[test]
    fn every_suffix_can_be_found() {
        assert!(SUFFIXES.iter().all(|entry| suffix(entry.0).is_some()));
        assert!(
            SUFFIXES
                .iter()
                .all(|entry| entry.0.chars().count() <= LONGEST_SUFFIX)
        );
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
