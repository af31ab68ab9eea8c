//! Text in which Discord reads nothing: every mark, mention and link in it is broken up.

use super::APART;

/// What becomes of code spans in text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Spans {
    Kept,
    Broken,
}

/// Where in a line one is: some marks count only at its start.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    Start,
    /// There were only digits so far.
    Number,
    Words,
}

impl Line {
    fn after(self, c: char) -> Self {
        match self {
            _ if c == '\n' => Self::Start,
            Self::Start if c.is_whitespace() => Self::Start,
            Self::Start | Self::Number if c.is_ascii_digit() => Self::Number,
            Self::Start | Self::Number | Self::Words => Self::Words,
        }
    }
}

pub(super) fn escaped(text: &str, start: Line, spans: Spans) -> String {
    let (mut out, mut at, mut line) = (String::new(), 0, start);
    while let Some((before, rest)) = text.split_at_checked(at) {
        let Some(c) = rest.chars().next() else {
            break;
        };
        let kept = if spans == Spans::Kept {
            span(rest)
        } else {
            None
        };
        if let Some(span) = kept {
            out.push_str(span);
            at += span.len();
            line = Line::Words;
        } else if c == '`' {
            // All of them at once: what is left of a run would open another span.
            let run = rest.len() - rest.trim_start_matches('`').len();
            out.push_str(&r"\`".repeat(run));
            at += run;
            line = Line::Words;
        } else {
            at += c.len_utf8();
            let after = text.get(at..).unwrap_or_default();
            push(&mut out, c, (before, line, after));
            line = line.after(c);
        }
    }
    out
}

/// The code span that `rest` begins with, if everybody reads it as one and nothing in it could
/// be read as something else.
fn span(rest: &str) -> Option<&str> {
    let (code, after) = rest.strip_prefix('`')?.split_once('`')?;
    let whole = !code.trim().is_empty()
        && !code.contains('\n')
        && !code.ends_with('\\')
        && !after.starts_with('`');
    // Words with an address among them may stand between two spans rather than in one: whoever
    // pairs the backticks otherwise would read a link there.
    let between = code.contains(char::is_whitespace) && code.contains("://");
    let harmless = !between
        && !code.contains("](")
        && !code
            .match_indices('@')
            .any(|(at, _)| calls(code.get(at + 1..).unwrap_or_default()));
    if whole && harmless {
        rest.get(..code.len() + 2)
    } else {
        None
    }
}

/// Puts `c` behind `out` so that it is shown as it is.
fn push(out: &mut String, c: char, (before, line, after): (&str, Line, &str)) {
    let marks = match c {
        '\\' | '*' | '_' | '~' | '|' | '<' | '[' | ']' => true,
        '#' | '>' | '-' | '+' => line == Line::Start,
        '.' => line == Line::Number && !after.starts_with(|c: char| !c.is_whitespace()),
        ':' => names_emoji(after),
        '/' => (before.ends_with(':') && after.starts_with('/')) || invites(before),
        _ => false,
    };
    if marks {
        out.push('\\');
    }
    out.push(c);
    if (c == '@' && calls(after)) || (c == ']' && after.starts_with('(')) {
        out.push(APART);
    }
}

/// Whether an `@` before `after` calls somebody.
fn calls(after: &str) -> bool {
    let begins = |word: &str| {
        after
            .get(..word.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    let id = after.trim_start_matches(['!', '&']);
    begins("everyone") || begins("here") || id.starts_with(|c: char| c.is_ascii_digit())
}

/// Whether a `:` before `after` begins the name of an emoji.
fn names_emoji(after: &str) -> bool {
    let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '-');
    let rest = after.trim_start_matches(named);
    rest.len() < after.len() && rest.starts_with(':')
}

/// Whether a `/` after `before` may lead to an invitation or a gift: Discord shows those for
/// an address without a scheme.
fn invites(before: &str) -> bool {
    const HOSTS: [&str; 6] = [
        "discord.gg",
        "discord.com",
        "discordapp.com",
        "discord.new",
        "discord.gift",
        "dis.gd",
    ];
    HOSTS.iter().any(|host| {
        before
            .len()
            .checked_sub(host.len())
            .and_then(|at| before.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case(host))
    })
}
