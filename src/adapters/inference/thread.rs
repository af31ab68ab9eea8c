//! Gives an engine a thread of its own, and waits until its weights are read.

use tokio::sync::oneshot;

use super::engine::{Facts, Unloaded};

/// Starts a thread of this `name` that does `work`, which first tells what was loaded, or why
/// nothing was.
pub(super) async fn hire<W: Future<Output = ()>>(
    name: &str,
    work: impl FnOnce(oneshot::Sender<Result<Facts, Unloaded>>) -> W + Send + 'static,
) -> Result<Facts, Unloaded> {
    let (ready, loaded) = oneshot::channel();
    let thread = std::thread::Builder::new().name(name.to_owned());
    let hired = thread.spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        match runtime {
            Ok(runtime) => runtime.block_on(work(ready)),
            Err(error) => drop(ready.send(Err(Unloaded::Failed(error.into())))),
        }
    });
    hired.map_err(|error| Unloaded::Failed(error.into()))?;
    loaded
        .await
        .map_err(|_| Unloaded::Failed("the engine's thread ended".into()))?
}
