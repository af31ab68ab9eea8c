//! Cuts a long text into windows that are read one after the other.

use super::Span;

/// The headings of a longer text are looked for piece by piece. Markdown parsers take many
/// times the memory of what they read, and what they read comes from anybody; a handbook has a
/// hundredth of this.
pub(super) const WINDOW: usize = 256 << 10;

/// A piece of a text that is read at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) span: Span,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Markdown,
    /// The inside of a fence that is longer than a window: no headings there.
    Code,
}

/// The windows of `text`, without gaps, each of at most `longest` bytes. They end before a
/// fence or at a blank line where they can.
pub(super) fn windows(text: &str, longest: usize) -> Vec<Window> {
    let mut cutter = Cutter {
        text,
        longest,
        windows: Vec::new(),
        start: 0,
        kind: Kind::Markdown,
        pause: None,
        fence: None,
    };
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        cutter.line(at, line);
        at += line.len();
    }
    cutter.end(text.len(), Kind::Markdown);
    cutter.windows
}

struct Cutter<'a> {
    text: &'a str,
    longest: usize,
    windows: Vec<Window>,
    start: usize,
    kind: Kind,
    /// Where this window may end without tearing anything: at a fence or behind a blank line.
    pause: Option<usize>,
    /// The mark of the fence that is open, and how often it stands there.
    fence: Option<(char, usize)>,
}

impl Cutter<'_> {
    fn line(&mut self, at: usize, line: &str) {
        let end = at + line.len();
        if end - self.start > self.longest {
            match (self.pause, self.fence) {
                (Some(pause), _) => self.end(pause, Kind::Markdown),
                (None, Some(_)) => self.end(at, Kind::Code),
                (None, None) => self.end(at, Kind::Markdown),
            }
        }
        // What followed the pause may be too long as well.
        if end - self.start > self.longest && self.start < at {
            let inside = if self.fence.is_some() {
                Kind::Code
            } else {
                Kind::Markdown
            };
            self.end(at, inside);
        }
        while end - self.start > self.longest {
            self.end(self.place_within_line(), self.kind);
        }
        let before = self.fence;
        self.fence = after(before, line);
        match (before, self.fence) {
            (None, Some(_)) if at > self.start => self.pause = Some(at),
            (Some(_), None) if self.kind == Kind::Code => self.end(end, Kind::Markdown),
            (None, None) if line.trim().is_empty() => self.pause = Some(end),
            _ => {},
        }
    }

    /// Ends the window at `end`; the next one is of `kind`.
    fn end(&mut self, end: usize, kind: Kind) {
        let span = Span {
            start: self.start,
            end,
        };
        if span.start < span.end {
            let kind = self.kind;
            self.windows.push(Window { span, kind });
        }
        self.start = end;
        self.kind = kind;
        self.pause = None;
    }

    /// Between two words near the end of the window, or between two letters.
    fn place_within_line(&self) -> usize {
        let Self { start, longest, .. } = *self;
        let boundary = |at: usize| {
            (start + 1..=at)
                .rev()
                .find(|at| self.text.is_char_boundary(*at))
        };
        let furthest = boundary(start + longest).unwrap_or(self.text.len());
        let nearest = boundary(start + longest - longest / 8).unwrap_or(furthest);
        let tail = self.text.get(nearest..furthest).unwrap_or_default();
        tail.rfind(char::is_whitespace)
            .map_or(furthest, |space| nearest + space)
    }
}

/// The fence that is open after `line`.
fn after(open: Option<(char, usize)>, line: &str) -> Option<(char, usize)> {
    let indented = line.trim_start_matches(' ');
    let mark = indented
        .chars()
        .next()
        .filter(|mark| matches!(mark, '`' | '~'));
    let (Some(mark), true) = (mark, line.len() - indented.len() < 4) else {
        return open;
    };
    let rest = indented.trim_start_matches(mark);
    let length = indented.len() - rest.len();
    match open {
        None if length >= 3 && !(mark == '`' && rest.contains('`')) => Some((mark, length)),
        Some((opened, least))
            if mark == opened && length >= least && rest.trim().is_empty() =>
        {
            None
        },
        open => open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::chunk::headings;

    #[test]
    fn a_long_text_is_read_in_windows_that_join_up() {
        let prose = "one two three\n\n".repeat(WINDOW / 15 * 3);
        let code = format!("```\n{}```\n", "# no heading\n".repeat(WINDOW / 13 * 2));
        let line = "가나다 라마바 ".repeat(WINDOW / 20 * 2);
        for text in [
            &prose,
            &code,
            &line,
            &format!("{prose}# One\n\n{code}\n# Two\n\n{line}"),
        ] {
            let windows = windows(text, WINDOW);
            let mut end = 0;
            for window in &windows {
                assert_eq!(window.span.start, end);
                assert!(window.span.end - end <= WINDOW);
                end = window.span.end;
            }
            assert_eq!(end, text.len());
            assert!(windows.len() > 1);
        }
        let whole = format!("{prose}# One\n\n{code}\n# Two\n\n{line}");
        let words: Vec<String> = headings(&whole)
            .into_iter()
            .map(|found| found.words)
            .collect();
        assert_eq!(words, ["One", "Two"]);
    }
}
