//! Somebody at the keyboard: what is typed is done, and what the bot changes is printed.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};

/// Where they sit; the messenger is behind it.
pub(crate) trait Desk {
    /// Says it in the channel.
    fn says(&self, words: &str);
    /// Runs a command, written without its slash.
    fn runs(&mut self, command: &str) -> Result<(), String>;
    /// Does what stands behind a `!`.
    async fn obeys(&mut self, order: &str, rest: &str) -> Result<(), String>;
    /// Prints what is new or has changed.
    fn prints(&mut self);
}

/// Sits at the desk until all is typed.
pub(crate) async fn sit(desk: &mut impl Desk) {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        tokio::select! {
            line = lines.next_line() => match line {
                Ok(Some(line)) if line.trim() != "!quit" => take(desk, line.trim()).await,
                Ok(_) | Err(_) => return leave(desk).await,
            },
            () = tokio::time::sleep(Duration::from_millis(150)) => {},
        }
        desk.prints();
    }
}

/// Lets the bot finish what was asked in a script that has ended.
async fn leave(desk: &mut impl Desk) {
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        desk.prints();
    }
}

async fn take(desk: &mut impl Desk, line: &str) {
    if line.is_empty() {
        return;
    }
    let done = if let Some(command) = line.strip_prefix('/') {
        desk.runs(command)
    } else if let Some(order) = line.strip_prefix('!') {
        let (order, rest) = order.split_once(' ').unwrap_or((order, ""));
        desk.obeys(order, rest.trim()).await
    } else {
        desk.says(line);
        Ok(())
    };
    if let Err(why) = done {
        println!("! {why}");
    }
}

/// What was printed: each message as it was last, and each button by its number.
pub(crate) struct Printed<Message, Button> {
    messages: BTreeMap<Message, String>,
    buttons: Vec<Button>,
}

impl<Message: Ord, Button: Clone + PartialEq> Printed<Message, Button> {
    pub(crate) fn nothing() -> Self {
        Self {
            messages: BTreeMap::new(),
            buttons: Vec::new(),
        }
    }

    /// The mark with which a message is printed; nothing if it is before somebody's eyes already.
    pub(crate) fn mark(&mut self, message: Message, text: &str) -> Option<char> {
        let before = self.messages.insert(message, text.to_owned());
        match before {
            Some(before) if before == text => None,
            Some(_) => Some('~'),
            None => Some(' '),
        }
    }

    pub(crate) fn numbers(&mut self, button: Button, label: &str) {
        let known = self.buttons.iter().position(|one| *one == button);
        let at = known.unwrap_or_else(|| {
            self.buttons.push(button);
            self.buttons.len() - 1
        });
        println!("      !press {} is [{label}]", at + 1);
    }

    pub(crate) fn button(&self, number: &str) -> Result<Button, String> {
        let number: usize = number.parse().map_err(|_| "which one?")?;
        let found = number.checked_sub(1).and_then(|at| self.buttons.get(at));
        Ok(found.cloned().ok_or("there is no such button")?)
    }
}

/// What is filled in: `key=text; key=text`.
pub(crate) fn filled(line: &str) -> Vec<(&str, &str)> {
    let pairs = line.split(';').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, text)| (key.trim(), text.trim())).collect()
}

/// A file's name, and what is in it.
pub(crate) fn read(path: &str) -> Result<(String, Vec<u8>), String> {
    let bytes = std::fs::read(path).map_err(|why| format!("{path}: {why}"))?;
    let name = path.rsplit('/').next().unwrap_or(path);
    Ok((name.to_owned(), bytes))
}
