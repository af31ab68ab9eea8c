//! Korean words: cut by their particles and endings, long ones in pieces too.

use std::sync::LazyLock;

use super::ideographic::pairs;
use super::script::Run;
use super::stop_words::{KOREAN_FILLERS, KOREAN_STOP_WORDS, has};
use super::{Kind, Take};

pub(super) fn hangul(run: &Run<'_>, take: &mut Take<'_>) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suffix_can_be_found() {
        assert!(SUFFIXES.iter().all(|entry| suffix(entry.0).is_some()));
        assert!(
            SUFFIXES
                .iter()
                .all(|entry| entry.0.chars().count() <= LONGEST_SUFFIX)
        );
    }
}
