//! The `saseo` program.

use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(words) = saseo::processor::lacking() {
        drop(std::io::stderr().write_all(words.as_bytes()));
        return ExitCode::FAILURE;
    }
    saseo::cli::run()
}
