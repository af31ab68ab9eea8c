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
        let stop = asked_to_stop();
        let told = |line: &str| console::tell(line);
        match serve(&settings, &environment(), stop, &told).await? {
            Ended::Stopped => Ok(ExitCode::SUCCESS),
            Ended::Refused(why) => {
                console::tell(&format!("{} {why}", console::red("error:")));
                Ok(REFUSED.into())
            },
        }
    }
}

/// Until somebody at the terminal, or whoever supervises us, wants us to end. They are listened
/// to from the call on, not from the first wait.
fn asked_to_stop() -> impl Future<Output = ()> {
    #[cfg(unix)]
    let signals = [
        signal::unix::SignalKind::interrupt(),
        signal::unix::SignalKind::terminate(),
    ]
    .map(signal::unix::signal);
    async move {
        #[cfg(unix)]
        {
            let heard = signals.into_iter().filter_map(|signal| match signal {
                Ok(mut signal) => Some(Box::pin(async move { signal.recv().await })),
                Err(error) => {
                    tracing::warn!(%error, "a signal that asks to end will not be heard");
                    None
                },
            });
            let heard: Vec<_> = heard.collect();
            if !heard.is_empty() {
                futures::future::select_all(heard).await;
                return;
            }
        }
        drop(signal::ctrl_c().await);
    }
}
