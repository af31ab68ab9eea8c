//! Notices that a model has begun to repeat itself.
//!
//! A small model, decoded greedily, falls into a loop and stays there until its length runs out.
//! Only exact repetition at the end of the text counts: a rule that guesses would cut tables,
//! lists and code, which rightly look alike from line to line.

/// Where to cut `text` when its end only repeats what stands before: one copy is kept.
///
/// A span of few characters must come often before it counts (`|---|---|` and indentation are no
/// loop), a long one twice.
///
/// ```text
/// "Pods run. Pods run. Pods run. Pods run."  ->  "Pods run."
/// ```
pub(super) fn begins(text: &str) -> Option<usize> {
    let backwards: Vec<char> = text.chars().rev().collect();
    let shortest = (1..=backwards.len() / 2).find_map(|period| {
        let same = backwards.iter().zip(backwards.iter().skip(period));
        let run = period + same.take_while(|(late, early)| late == early).count();
        (run >= enough(period)).then_some(Loop { period, run })
    })?;
    Some(shortest.cut(text, backwards.len()))
}

/// How many characters must be one loop of `period` before it counts.
fn enough(period: usize) -> usize {
    match period {
        0..=3 => 80,
        4..=15 => 64,
        16..=47 => 3 * period,
        48.. => 2 * period,
    }
}

/// The last `run` characters of a text are copies of `period` characters.
struct Loop {
    period: usize,
    run: usize,
}

impl Loop {
    /// The first copy may end in mid-sentence: then the sentence is kept whole.
    fn cut(&self, text: &str, length: usize) -> usize {
        let once = length - self.run + self.period;
        let offset = |place| {
            text.char_indices()
                .nth(place)
                .map_or(text.len(), |(at, _)| at)
        };
        let ends = |c: char| matches!(c, '.' | '!' | '?' | '。' | '\n');
        let first = text.get(..offset(once)).unwrap_or(text).trim_end();
        if first.ends_with(ends) {
            return first.len();
        }
        let mut second = text.chars().enumerate().skip(once).take(self.period);
        second
            .find(|(_, c)| ends(*c))
            .map_or(first.len(), |(place, _)| offset(place + 1))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, kept: &str) {
        let cut = begins(text).map_or(text, |offset| &text[..offset]);
        assert_eq!(cut, kept);
    }

    #[test]
    fn a_loop_is_cut_to_one_copy_that_ends_with_its_sentence() {
        let once = "Use kubectl to delete the pod.";
        check(&format!("{once} {once} {once}"), once);
        check(
            &format!("First. {once} {once} {once} {once} Use kub"),
            &format!("First. {once}"),
        );
        let long = "The team has fifteen days of leave a year, as the handbook says.";
        check(&format!("{long} {long} {long}"), long);
        check(
            &"연차는 1년에 15일입니다. ".repeat(5),
            "연차는 1년에 15일입니다.",
        );
        check(&"no ".repeat(40), "no");
        check(&"가".repeat(90), "가");
    }

    #[test]
    fn what_only_looks_alike_is_left_alone() {
        for text in [
            "",
            "a",
            "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n",
            "----------------------------------------",
            "1. Open the door.\n2. Open the window.\n3. Open the gate.\n",
            "Yes. Yes. Yes.",
            "        if a {\n            b();\n        }\n",
            "Use kubectl to delete the pod. Use kubectl to delete the pod.",
        ] {
            check(text, text);
        }
    }

    proptest! {
        #[test]
        fn a_repeated_span_is_found_and_one_copy_stays(
            before in "[a-z ]{0,40}[0-9]",
            span in "[가-힣a-z]{5,30}, [a-z]{3,30}",
            copies in 9_usize..14,
        ) {
            let text = format!("{before}{}", span.repeat(copies));
            let cut = begins(&text);
            prop_assert!(cut.is_some());
            let kept = &text[..cut.unwrap()];
            prop_assert!(kept.len() < before.len() + 2 * span.len());
            prop_assert!(kept.len() >= span.trim_end().len());
        }

        #[test]
        fn any_text_is_judged_and_cut_between_characters(text in "\\PC{0,300}") {
            if let Some(cut) = begins(&text) {
                prop_assert!(text.is_char_boundary(cut));
                prop_assert!(cut < text.len());
            }
        }

        #[test]
        fn numbered_lines_are_no_loop(count in 1_usize..60) {
            let text: String = (0..count).map(|n| format!("{n}. step\n")).collect();
            prop_assert_eq!(begins(&text), None);
        }
    }
}
