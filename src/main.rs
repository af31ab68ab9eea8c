//! The `saseo` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("parse-child") {
        return saseo::adapters::parse::child_main(
            std::io::stdin().lock(),
            std::io::stdout().lock(),
        );
    }
    ExitCode::SUCCESS
}
