//! What a model has written so far, on its way to whoever reads along.

use tokio::sync::mpsc;

use super::repetition;
use crate::ports::{Ended, Written};

/// A text under way: grows by pieces, each sent on at once.
#[derive(Debug)]
pub(super) struct Manuscript {
    text: String,
    pieces: mpsc::UnboundedSender<String>,
}

/// What the newest piece made of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    GoesOn,
    /// The text has begun to repeat itself and was cut; the model should stop.
    Repeats,
}

/// Lengths in tokens, where the model tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lengths {
    pub(super) prompt: usize,
    pub(super) written: usize,
}

impl Manuscript {
    pub(super) fn new(pieces: mpsc::UnboundedSender<String>) -> Self {
        Self {
            text: String::new(),
            pieces,
        }
    }

    /// Adds `piece` and sends it on; a reader that is gone is no reason to stop writing.
    pub(super) fn take(&mut self, piece: String) -> Progress {
        if piece.is_empty() {
            return Progress::GoesOn;
        }
        self.text.push_str(&piece);
        drop(self.pieces.send(piece));
        match repetition::begins(&self.text) {
            Some(cut) => {
                self.text.truncate(cut);
                Progress::Repeats
            },
            None => Progress::GoesOn,
        }
    }

    /// Whether anybody may have read something already.
    #[cfg(any(test, feature = "mistralrs"))]
    pub(super) fn has_begun(&self) -> bool {
        !self.text.is_empty()
    }

    pub(super) fn written(self, ended: Ended, lengths: Lengths) -> Written {
        Written {
            text: self.text,
            ended,
            prompt_tokens: lengths.prompt,
            written_tokens: lengths.written,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_who_left_does_not_stop_the_writing() {
        let (pieces, reader) = mpsc::unbounded_channel();
        drop(reader);
        let mut manuscript = Manuscript::new(pieces);

        assert!(!manuscript.has_begun());
        assert_eq!(manuscript.take("Fifteen ".to_owned()), Progress::GoesOn);
        assert_eq!(manuscript.take("days.".to_owned()), Progress::GoesOn);
        let written = manuscript.written(Ended::Finished, Lengths::default());
        assert_eq!(written.text, "Fifteen days.");
    }
}
