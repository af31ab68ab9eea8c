//! Greetings, thanks and good-byes: what is said to a librarian without asking anything.
//!
//! It is answered with courtesy. The library is not searched for it: a search would find whatever
//! has a "hi" in it, and "the library has no answer to this" is no answer to thanks. Only what is
//! nothing else counts: "Hi, where is the door code?" is a question.

use super::language::Language;

/// What somebody said who asked nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Courtesy {
    Greeting,
    Thanks,
    Farewell,
}

impl Courtesy {
    /// `None` where `text` is anything more.
    ///
    /// ```
    /// use saseo::domain::courtesy::Courtesy;
    ///
    /// assert_eq!(Courtesy::of("고마워요!"), Some(Courtesy::Thanks));
    /// assert_eq!(Courtesy::of("Hi, where is the door code?"), None);
    /// ```
    pub fn of(text: &str) -> Option<Self> {
        let lower = text.to_lowercase();
        let words: Vec<&str> = lower
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .collect();
        if words.is_empty() {
            return None;
        }
        let said: Vec<&str> = words
            .into_iter()
            .filter(|word| !NODS.contains(word) && !BESIDE.contains(word))
            .collect();
        let said = said.join(" ");
        if said.is_empty() {
            // "Great, ok."
            return lower.split_whitespace().any(is_nod).then_some(Self::Thanks);
        }
        let kinds = [
            (Self::Greeting, &GREETINGS[..]),
            (Self::Thanks, &THANKS),
            (Self::Farewell, &FAREWELLS),
        ];
        let kind = kinds.iter().find(|(_, words)| words.contains(&&*said));
        kind.map(|(kind, _)| *kind)
    }

    /// What the librarian says to it.
    pub fn reply(self, language: Language) -> &'static str {
        match (self, language) {
            (Self::Greeting, Language::Korean) => {
                "안녕하세요. 팀의 문서에 답이 있을 만한 것을 물어보세요."
            },
            (Self::Greeting, Language::English | Language::Other) => {
                "Hello. Ask me anything that the documents of your team may answer."
            },
            (Self::Thanks, Language::Korean) => "천만에요. 더 궁금한 것이 있으면 물어보세요.",
            (Self::Thanks, Language::English | Language::Other) => {
                "You are welcome. Ask on whenever you like."
            },
            (Self::Farewell, Language::Korean) => "안녕히 가세요.",
            (Self::Farewell, Language::English | Language::Other) => "Good-bye.",
        }
    }
}

/// Whether somebody wonders what a librarian is for, in words that ask for nothing else: "help",
/// or a mere "?".
///
/// ```
/// use saseo::domain::courtesy::wonders;
///
/// assert!(wonders("What can you do?") && wonders("?"));
/// assert!(!wonders("Who can help with the printer?"));
/// ```
pub fn wonders(text: &str) -> bool {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty() && !CALLS.contains(word))
        .collect();
    let nameless = lower
        .split(|c: char| !c.is_alphanumeric())
        .all(str::is_empty);
    let visible = !lower.trim().is_empty();
    (nameless && visible) || WONDERINGS.contains(&&*words.join(" "))
}

fn is_nod(word: &str) -> bool {
    NODS.contains(&word.trim_matches(|c: char| !c.is_alphanumeric()))
}

/// By themselves they say that all is well.
const NODS: [&str; 14] = [
    "ok",
    "okay",
    "great",
    "nice",
    "cool",
    "perfect",
    "good",
    "네",
    "넵",
    "예",
    "응",
    "좋아요",
    "좋아",
    "알겠습니다",
];

/// Names and manners beside a wondering.
const CALLS: [&str; 4] = ["saseo", "please", "사서", "사서님"];

const WONDERINGS: [&str; 34] = [
    "help",
    "help me",
    "what can you do",
    "what do you do",
    "what can i ask",
    "what can i ask you",
    "what can i do",
    "what are you",
    "who are you",
    "how do you work",
    "how does this work",
    "how do i use this",
    "how do i use you",
    "how can you help",
    "how can you help me",
    "commands",
    "도움",
    "도움말",
    "도와줘",
    "도와주세요",
    "명령어",
    "사용법",
    "사용 방법",
    "뭐 할 수 있어",
    "뭘 할 수 있어",
    "무엇을 할 수 있어",
    "뭐 할 수 있어요",
    "뭘 할 수 있어요",
    "무엇을 할 수 있나요",
    "뭐 할 수 있나요",
    "뭘 할 수 있나요",
    "넌 누구야",
    "누구세요",
    "어떻게 써",
];

/// They add nothing to what they stand beside.
const BESIDE: [&str; 16] = [
    "saseo",
    "there",
    "very",
    "so",
    "much",
    "a",
    "lot",
    "many",
    "again",
    "everyone",
    "사서",
    "사서님",
    "아",
    "정말",
    "너무",
    "진짜",
];

const GREETINGS: [&str; 20] = [
    "hi",
    "hello",
    "hey",
    "morning",
    "afternoon",
    "evening",
    "how are you",
    "hi how are you",
    "hello how are you",
    "안녕",
    "안녕하세요",
    "안녕하십니까",
    "반가워",
    "반가워요",
    "반갑습니다",
    "안녕하세요 반갑습니다",
    "안녕하세요 반가워요",
    "하이",
    "헬로",
    "ㅎㅇ",
];

const THANKS: [&str; 18] = [
    "thanks",
    "thank you",
    "thx",
    "ty",
    "cheers",
    "thanks for your help",
    "thank you for your help",
    "고마워",
    "고마워요",
    "고맙습니다",
    "감사",
    "감사해요",
    "감사합니다",
    "땡큐",
    "ㄱㅅ",
    "수고했어",
    "수고했어요",
    "수고하셨습니다",
];

const FAREWELLS: [&str; 25] = [
    "bye",
    "bye bye",
    "goodbye",
    "see you",
    "see you later",
    "see you soon",
    "night",
    "thanks bye",
    "thank you bye",
    "bye thanks",
    "안녕히 계세요",
    "안녕히 가세요",
    "감사합니다 안녕히 계세요",
    "고마워요 안녕히 계세요",
    "잘 가",
    "잘 가요",
    "잘가",
    "잘 있어",
    "잘 있어요",
    "또 봐",
    "또 봐요",
    "다음에 봐요",
    "나중에 봐요",
    "바이",
    "수고하세요",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: Option<Courtesy>, said: &[&str]) {
        for text in said {
            assert_eq!(Courtesy::of(text), kind, "{text}");
        }
    }

    #[test]
    fn who_asks_nothing_is_greeted_thanked_and_let_go() {
        let greetings = [
            "hi",
            "Hello!",
            "hey there",
            "Good morning, saseo",
            "안녕하세요",
        ];
        check(Some(Courtesy::Greeting), &greetings);
        check(
            Some(Courtesy::Greeting),
            &["안녕?", "사서님 안녕하세요~", "Hi :)"],
        );
        let thanks = [
            "thanks",
            "Thank you very much!",
            "ok, thanks a lot",
            "Great.",
        ];
        check(Some(Courtesy::Thanks), &thanks);
        check(
            Some(Courtesy::Thanks),
            &["고마워요", "네, 정말 감사합니다!", "네", "ok"],
        );
        check(
            Some(Courtesy::Farewell),
            &["bye", "Good bye.", "See you later!"],
        );
        check(Some(Courtesy::Farewell), &["안녕히 계세요", "수고하세요!"]);
    }

    #[test]
    fn who_wonders_what_a_librarian_is_for_is_told_from_who_asks() {
        for text in [
            "help",
            "Help!",
            "saseo, help please",
            "도움말",
            "what can you do?",
            "뭐 할 수 있어?",
            "?",
            "？！",
            "👍",
        ] {
            assert!(wonders(text), "{text}");
        }
        for text in [
            "",
            "  ",
            "saseo",
            "help desk",
            "what can you do with leave days?",
            "도움말은 어디에 있어?",
            "404?",
        ] {
            assert!(!wonders(text), "{text}");
        }
    }

    #[test]
    fn a_question_is_none_of_it_however_it_begins() {
        let questions = [
            "",
            "?",
            "a lot",
            "Hi, where is the door code?",
            "Thanks, and how do I remove it?",
            "What does hello mean?",
            "good practices",
            "감사 보고서는 어디에 있어?",
            "감사 규정",
            "안녕하세요, 연차는 며칠이에요?",
            "바이 인증 절차는?",
        ];
        check(None, &questions);
    }
}
