//! `saseo serve`: the bot.

use std::process::ExitCode;

use clap::Args;
use tokio::signal;

use super::console;
use crate::settings::{Settings, environment};
use crate::wiring::serve::{Ended, serve};

/// A messenger does not let us in or none is set up, and that stays so until a person has
/// looked: whoever supervises us should not start us again. The number is that of `EX_CONFIG`.
const REFUSED: u8 = 78;

#[derive(Debug, Args)]
pub(super) struct Serve {}

impl Serve {
    pub(super) async fn run(self, settings: Settings) -> anyhow::Result<ExitCode> {
        let Self {} = self;
        let told = |line: &str| console::tell(line);
        match serve(&settings, &environment(), asked_to_stop(), &told).await? {
            Ended::Stopped => Ok(ExitCode::SUCCESS),
            Ended::Refused(why) => {
                console::tell(&format!("{} {why}", console::red("error:")));
                Ok(REFUSED.into())
            },
        }
    }
}

/// Until somebody at the terminal, or whoever supervises us, wants us to end.
async fn asked_to_stop() {
    let interrupted = signal::ctrl_c();
    #[cfg(unix)]
    {
        let mut terminate = match signal::unix::signal(signal::unix::SignalKind::terminate()) {
            Ok(terminate) => terminate,
            Err(error) => {
                tracing::warn!(%error, "only Ctrl-C will end it");
                drop(interrupted.await);
                return;
            },
        };
        tokio::select! {
            _ = interrupted => {},
            _ = terminate.recv() => {},
        }
    }
    #[cfg(not(unix))]
    drop(interrupted.await);
}
