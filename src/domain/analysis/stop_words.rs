//! Words that stand in any text, and words that say nothing of what a question is about.

use std::sync::LazyLock;

/// Left out of the index: they stand in any Korean text. Sorted.
pub(super) static KOREAN_STOP_WORDS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
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
pub(super) static KOREAN_FILLERS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    sorted(
        "가능 가르쳐 가르쳐줘 각 경우 관련 관해 궁금 내 너무 다른 때문 많이 만약 말 말해줘 매우 모두 방법 보 \
         보여 보여줘 본 부탁 부탁드립니다 볼 봐 설명 설명해줘 쓰 써 아니 안 알 알고 알려 알아 알아보 어느 없 없나 \
         없나요 없어 없는 없다 없습니까 여기 여러 왔 우리 잘 저희 저는 점 정도 제 제가 주 줄 중 지 지금 질문 찾아 \
         찾아줘 통해 하나 후",
    )
});

/// Left out of the index: they stand in any English text. Sorted.
pub(super) static ENGLISH_STOP_WORDS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    sorted(
        "a about an and are as at be been being but by can could d did didn do does doesn don for from had \
         has have he her hers him his how i if in into is isn it its ll m me my of on or our re s she should so such \
         t than that the their them then there these they this those to us ve was wasn we were weren what when where \
         which who whom whose why will with would you your",
    )
});

/// Indexed, but no content of an English question. Sorted.
pub(super) static ENGLISH_FILLERS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    sorted(
        "after all also any before between both called during each find get give given just know known let like \
         list made main make many mean may might more most much must name need no not often one only other out over \
         own please say said same show some tell thing too two type under up use used using very want way whether \
         while without",
    )
});

pub(super) fn has(list: &[&str], word: &str) -> bool {
    list.binary_search(&word).is_ok()
}

fn sorted(list: &'static str) -> Vec<&'static str> {
    let mut words: Vec<_> = list.split_whitespace().collect();
    words.sort_unstable();
    words
}
