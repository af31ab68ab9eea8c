//! The only place that prints.
//!
//! Results go to standard output, everything about their making to standard error, so that a
//! script reads the one and a person sees both. Colours and moving lines only on a terminal.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};

use crate::domain::passage::Passage;
use crate::domain::render::Words;
use crate::ports::Audience;

/// A line of the result.
pub fn say(text: &str) {
    anstream::println!("{text}");
}

/// A line about what is going on.
pub fn tell(text: &str) {
    anstream::eprintln!("{text}");
}

/// One JSON document on its own line.
pub fn json(value: &serde_json::Value) {
    say(&value.to_string());
    // A reader at the other end of a pipe waits for this line.
    drop(std::io::stdout().flush());
}

/// What stands out.
pub fn bold(text: &str) -> String {
    styled(Style::new().bold(), text)
}

/// What stands back.
pub fn dim(text: &str) -> String {
    styled(Style::new().dimmed(), text)
}

/// What is right.
pub fn green(text: &str) -> String {
    styled(Style::new().fg_color(Some(AnsiColor::Green.into())), text)
}

/// What is wrong.
pub fn red(text: &str) -> String {
    styled(Style::new().fg_color(Some(AnsiColor::Red.into())), text)
}

fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Whether a person watches standard error.
pub fn watched() -> bool {
    std::io::stderr().is_terminal()
}

/// A bar for work of `all` steps; nothing is drawn where nobody watches.
pub fn bar(what: &str, all: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {bar:30} {human_pos}/{human_len} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(all)
        .with_style(style)
        .with_message(what.to_owned())
}

/// A bar for `all` bytes.
pub fn byte_bar(what: &str, all: u64) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(all)
        .with_style(style)
        .with_message(what.to_owned())
}

/// Shows an answer coming along on standard error, and takes it back when the final form is
/// there to replace it.
pub struct Preview {
    words: &'static Words,
    lines: Mutex<usize>,
}

impl Preview {
    pub fn new(words: &'static Words) -> Self {
        Self {
            words,
            lines: Mutex::new(0),
        }
    }

    /// Clears what was shown.
    pub fn clear(&self) {
        if let Ok(mut lines) = self.lines.lock()
            && watched()
        {
            drop(console::Term::stderr().clear_last_lines(*lines));
            *lines = 0;
        }
    }

    fn show(&self, text: &str) {
        if !watched() {
            return;
        }
        let width = usize::from(console::Term::stderr().size().1).max(1);
        if let Ok(mut lines) = self.lines.lock() {
            *lines += console::measure_text_width(text).div_ceil(width).max(1);
        }
        tell(&dim(text));
    }
}

impl Audience for Preview {
    fn sources(&self, passages: &[Passage]) {
        const SHOWN: usize = 3;
        let mut titles: Vec<&str> = Vec::new();
        for passage in passages {
            if titles.len() < SHOWN && !titles.contains(&passage.title.as_str()) {
                titles.push(&passage.title);
            }
        }
        if !titles.is_empty() {
            self.show(&format!("{} {}", self.words.found, titles.join(", ")));
        }
    }

    fn sentence(&self, text: &str) {
        self.show(text);
    }
}
