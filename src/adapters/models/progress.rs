//! What a pull tells while it works.
//!
//! A pull takes minutes. Whoever started it (a terminal with bars, a log, a test) implements
//! this; nothing here knows how it is shown.

/// Hears how far a pull is.
pub trait Progress: Send + Sync {
    /// A step begins with `file` (`MODEL/NAME`).
    fn begins(&self, file: &str, step: Step);
    /// So many bytes of the step are done. The total is not always known.
    fn advances(&self, done: u64, total: Option<u64>);
    /// The file is in place, or was already.
    fn is_done(&self, file: &str, outcome: Outcome);
}

/// What is being done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Reading what lies there already.
    Checking,
    /// Getting it from a source.
    Downloading,
    /// Taking it out of its wheel.
    Extracting,
    /// Turning it into what the engine reads.
    Converting,
}

/// How a file ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It lay there already, as it should be.
    Present,
    /// It was pulled.
    Pulled,
}

/// Tells nobody.
pub struct Silent;

impl Progress for Silent {
    fn begins(&self, _file: &str, _step: Step) {}

    fn advances(&self, _done: u64, _total: Option<u64>) {}

    fn is_done(&self, _file: &str, _outcome: Outcome) {}
}
