//! The `saseo` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    saseo::cli::run()
}
