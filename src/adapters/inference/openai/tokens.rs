//! Estimates tokens where no tokenizer is at hand.

use crate::domain::language::is_hangul;

/// Tokens of `text` by its script, rounded up: a token has some three Latin letters
/// or digits; a Hangul syllable, a Chinese character, an emoji or a sign counts as one each.
///
/// ```
/// use saseo::adapters::inference::openai::estimated_tokens;
///
/// assert_eq!(estimated_tokens("How do I delete a pod?"), 7);
/// assert_eq!(estimated_tokens("파드를 지워?"), 7);
/// ```
pub fn estimated_tokens(text: &str) -> usize {
    sevenths(text.chars()).div_ceil(7)
}

fn sevenths(text: impl Iterator<Item = char>) -> usize {
    text.map(|c| match c {
        c if c.is_whitespace() => 1,
        c if c.is_ascii_alphanumeric() => 2,
        c if c.is_ascii() || is_hangul(c) || !c.is_alphabetic() || c > '\u{2E7F}' => 7,
        _ => 4,
    })
    .sum()
}

/// The beginning of `text` that has at most `window` estimated tokens.
pub(super) fn cut(text: &str, window: usize) -> &str {
    let mut spent = 0;
    let end = text.char_indices().find(|(_, c)| {
        spent += sevenths(std::iter::once(*c));
        spent > window * 7
    });
    end.and_then(|(offset, _)| text.get(..offset))
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_text_has_the_tokens_of_the_window() {
        let text = "파드를 지우려면 kubectl delete pod 를 쓰세요";
        for window in 0..30 {
            let kept = cut(text, window);
            assert!(estimated_tokens(kept) <= window, "{window}: {kept}");
            assert!(text.starts_with(kept));
        }
        assert_eq!(cut(text, 100), text);
        assert_eq!(cut("", 3), "");
    }
}
