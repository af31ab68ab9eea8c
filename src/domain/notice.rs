//! What the librarian says around its answers, in both languages.

use super::language::Language;
use super::question::QuestionText;

/// A sentence for a person, without anything of theirs or of a document in it but what its
/// fields hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice<'a> {
    /// The models are still being loaded.
    Opening,
    /// So many questions come first.
    InLine(usize),
    /// Too many wait already.
    Busy,
    /// It waited too long, or took too long.
    TooLate,
    Stopped,
    NothingToStop,
    Stopping,
    /// With the id to look up.
    Failed(&'a str),
    /// A mention with nothing in it.
    Hint,
    /// A question of so many characters.
    TooLong(usize),
    NotACurator,
    Thanks,
    NoReceipt,
    /// The button was pressed before, or long ago.
    Settled,
    Left,
    Adding,
    NoSuchDocument(&'a str),
    /// A title that several documents have, and their addresses.
    SeveralSo(&'a str, &'a str),
    /// A collection, and those that there are.
    NoSuchCollection(&'a str, &'a str),
    NoSources,
    BadCollection(&'a str),
    EmptyLibrary,
    /// In private, to whom could not be answered where they asked.
    NoAccess {
        /// To look up.
        id: &'a str,
        /// The permission, as the platform calls it, where it is known.
        lacks: Option<&'a str>,
    },
    /// Files that came with a question.
    Unread(&'a str),
    /// A title that came with several things to add.
    TitleLeftOut(&'a str),
    /// Words that came with files to add.
    WordsBeside,
    /// The id to look up, beside what was said already.
    LookUp(&'a str),
    /// People of other organisations read along.
    SharedChannel,
}

impl Notice<'_> {
    pub fn text(&self, language: Language) -> String {
        match language {
            Language::Korean => self.korean(),
            Language::English | Language::Other => self.english(),
        }
    }

    fn english(&self) -> String {
        match self {
            Self::Opening => "One moment, I am opening the library.".into(),
            Self::InLine(1) => "One question comes before yours. One moment.".into(),
            Self::InLine(before) => format!("{before} questions come before yours. I will answer here."),
            Self::Busy => "So many questions are waiting that I cannot take yours now. Please ask again in a few minutes.".into(),
            Self::TooLate => "I could not get to this in time. Please ask again.".into(),
            Self::Stopped => "Stopped.".into(),
            Self::NothingToStop => "There is nothing of yours to stop here.".into(),
            Self::Stopping => "I am stopping.".into(),
            Self::Failed(id) => format!("Something failed on my side, and there is no answer. Whoever runs me can look it up as `{id}`."),
            Self::Hint => "Ask me something: mention me together with a question, or use `/ask`. `/library` shows which documents I answer from, and adds to them.".into(),
            Self::TooLong(long) => format!("Your question has {long} characters, more than {}. Please ask it shorter.", QuestionText::LONGEST),
            Self::NotACurator => "Adding and removing is for those who manage the server, or have a role that was named for it; and it is done in the server, not in direct messages.".into(),
            Self::Thanks => "Thank you, I have noted it.".into(),
            Self::NoReceipt => "The receipt of that answer is no longer kept.".into(),
            Self::Settled => "That was settled before.".into(),
            Self::Left => "Not added.".into(),
            Self::Adding => "Adding it to the library…".into(),
            Self::NoSuchDocument(uri) => format!("The library has no document `{uri}`. `/library list` shows addresses and titles."),
            Self::SeveralSo(title, uris) => format!("Several documents are called “{title}”. Name one of them by its address: {uris}"),
            Self::NoSuchCollection(name, there) => format!("There is no collection `{name}`. There are: {there}."),
            Self::NoSources => "No sources are set up that could be synced.".into(),
            Self::BadCollection(why) => format!("That cannot be a collection: {why}."),
            Self::EmptyLibrary => "There is no document here yet. `/library add` puts one on the shelf.".into(),
            Self::NoAccess { id, lacks: Some(lacks) } => format!("I may not write in the channel where you asked me: I lack the permission “{lacks}” there. Somebody who manages it can give it to me. Whoever runs me can look it up as `{id}`."),
            Self::NoAccess { id, lacks: None } => format!("I may not write in the channel where you asked me. Somebody who manages it can allow me to send messages there. Whoever runs me can look it up as `{id}`."),
            Self::Unread(names) => format!("I answer from the library alone; I did not look at {names}."),
            Self::TitleLeftOut(title) => format!("“{title}” can name one document only; these keep their own titles. To give a title, add one at a time."),
            Self::WordsBeside => "I did not ask the library what you wrote beside the file. Add the file first and then ask, or ask without a file.".into(),
            Self::LookUp(id) => format!("Whoever runs me can look it up as `{id}`."),
            Self::SharedChannel => "People of other organisations read this channel, so I do not answer here. Ask me in a channel of your own, or in a direct message.".into(),
        }
    }

    fn korean(&self) -> String {
        match self {
            Self::Opening => "잠시만요, 서가를 여는 중입니다.".into(),
            Self::InLine(before) => {
                format!("앞에 질문이 {before}개 있습니다. 차례가 되면 여기에 답하겠습니다.")
            },
            Self::Busy => "기다리는 질문이 많아 지금은 받을 수 없습니다. 몇 분 뒤에 다시 물어봐 주세요.".into(),
            Self::TooLate => "제때 답하지 못했습니다. 다시 물어봐 주세요.".into(),
            Self::Stopped => "멈췄습니다.".into(),
            Self::NothingToStop => "여기에는 멈출 답변이 없습니다.".into(),
            Self::Stopping => "멈추는 중입니다.".into(),
            Self::Failed(id) => format!("제 쪽에서 문제가 생겨 답하지 못했습니다. 운영자가 `{id}`(으)로 찾아볼 수 있습니다."),
            Self::Hint => "질문과 함께 저를 멘션하거나 `/질문`(Slack: `/ask`) 명령을 사용해 주세요. `/서가`(Slack: `/library`)로 제가 답하는 데 쓰는 문서를 보고 추가할 수 있습니다.".into(),
            Self::TooLong(long) => format!("질문이 {long}자로, 받을 수 있는 {}자를 넘습니다. 더 짧게 물어봐 주세요.", QuestionText::LONGEST),
            Self::NotACurator => {
                "문서를 추가하고 빼는 일은 서버를 관리하는 사람과 지정된 역할을 가진 사람만 할 수 있습니다. 다이렉트 메시지가 아니라 서버에서 해 주세요.".into()
            },
            Self::Thanks => "고맙습니다. 기록해 두었습니다.".into(),
            Self::NoReceipt => "그 답변의 영수증은 더 이상 보관되어 있지 않습니다.".into(),
            Self::Settled => "이미 처리된 일입니다.".into(),
            Self::Left => "추가하지 않았습니다.".into(),
            Self::Adding => "서가에 추가하는 중입니다…".into(),
            Self::NoSuchDocument(uri) => format!("서가에 `{uri}` 문서가 없습니다. `/서가 목록`(Slack: `/library 목록`)에서 주소와 제목을 볼 수 있습니다."),
            Self::SeveralSo(title, uris) => format!("제목이 “{title}”인 문서가 여럿입니다. 뺄 문서의 주소를 적어 주세요: {uris}"),
            Self::NoSuchCollection(name, there) => format!("`{name}` 컬렉션이 없습니다. 있는 컬렉션: {there}"),
            Self::NoSources => "동기화할 출처가 설정되어 있지 않습니다.".into(),
            Self::BadCollection(why) => format!("컬렉션 이름으로 쓸 수 없습니다: {why}."),
            Self::EmptyLibrary => {
                "아직 문서가 없습니다. `/서가 추가`(Slack: `/library 추가`)로 추가할 수 있습니다.".into()
            },
            Self::NoAccess { id, lacks: Some(lacks) } => format!("물어보신 채널에 글을 쓸 수 없습니다. 채널 관리자가 저에게 ‘{lacks}’ 권한을 주면 답할 수 있습니다. 운영자가 `{id}`(으)로 찾아볼 수 있습니다."),
            Self::NoAccess { id, lacks: None } => format!("물어보신 채널에 글을 쓸 권한이 없습니다. 채널 관리자가 메시지 보내기를 허용하면 답할 수 있습니다. 운영자가 `{id}`(으)로 찾아볼 수 있습니다."),
            Self::Unread(names) => format!("서가의 자료로만 답합니다. 함께 보내신 파일은 보지 않았습니다: {names}"),
            Self::TitleLeftOut(title) => format!("제목 “{title}”은(는) 문서 하나에만 붙일 수 있어 쓰지 않았습니다. 제목을 붙이려면 하나씩 추가해 주세요."),
            Self::WordsBeside => "파일과 함께 쓰신 말은 서가에 묻지 않았습니다. 파일을 먼저 추가한 뒤에 묻거나, 파일 없이 물어봐 주세요.".into(),
            Self::LookUp(id) => format!("운영자가 `{id}`(으)로 찾아볼 수 있습니다."),
            Self::SharedChannel => "다른 조직 사람들도 이 채널을 보기 때문에 여기서는 답하지 않습니다. 우리 조직만 쓰는 채널이나 다이렉트 메시지에서 물어봐 주세요.".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_speaks_korean_is_told_of_commands_by_their_korean_names() {
        for (notice, command) in [
            (Notice::Hint, "/질문"),
            (Notice::EmptyLibrary, "/서가 추가"),
            (Notice::NoSuchDocument("a.md"), "/서가 목록"),
        ] {
            let said = notice.text(Language::Korean);
            assert!(said.contains(command), "{said}");
        }
    }
}
