//! The bot: what listens is up at once, and what answers follows when it is loaded.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt as _;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::{Away, acquire, clock, desk_within, policy, state};
use crate::adapters::parse::ParseChild;
use crate::adapters::sources::Fetcher;
use crate::adapters::store::State;
use crate::app::errands::Counter;
use crate::app::reception::{Reception, ReceptionRules};
use crate::domain::event::{Curators, Platform};
use crate::ports::{Clock, Inbox, Intake, Messenger};
use crate::settings::{Environment, Settings};

#[cfg(feature = "discord")]
pub mod discord;
#[cfg(feature = "slack")]
pub mod slack;

/// How serving ended, if nothing failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// As it was asked to.
    Stopped,
    /// A messenger does not let us in, or none is set up: why, and what to do.
    Refused(String),
}

/// From the wish to end to the end, at most.
const TO_END: Duration = Duration::from_secs(18);

/// Serves the messengers that settings and environment name, until `stop`. Lines for whoever
/// watches go to `tell`.
pub async fn serve(
    settings: &Settings,
    environment: &Environment,
    stop: impl Future<Output = ()>,
    tell: &(dyn Fn(&str) + Sync),
) -> anyhow::Result<Ended> {
    let state = state(settings).await?;
    let inbox: Arc<dyn Inbox> = Arc::new(state.inbox.clone());
    let lines = match Lines::named(settings, environment, &inbox, &clock()) {
        Ok(lines) => lines,
        Err(error) => return Ok(Ended::Refused(format!("{error:#}"))),
    };
    let (opened, counter) = watch::channel(None);
    let (ours, rules) = (Arc::clone(&inbox), rules(settings));
    let reception = Reception::open(ours, lines.messengers(), counter, clock(), rules).await?;
    let (close, closing) = watch::channel(false);

    let intake: Arc<dyn Intake> = Arc::new(Arc::clone(&reception));
    let mut work = Box::pin(async {
        tokio::try_join!(
            reception.run().map(Ok),
            lines.listen(intake, closing.clone(), tell),
            async {
                let library = open(state, settings, tell);
                opened.send_replace(unless(closing.clone(), library).await?);
                Ok(())
            },
        )
    });
    let done = tokio::select! {
        done = &mut work => done.map(drop),
        lost = inbox.lost() => {
            // Under a disk that fails the store may close for ever; it goes with the process.
            std::mem::forget(work);
            Err(lost.into())
        },
        () = stop => {
            tell("ending; what is under way gets a few seconds");
            close.send_replace(true);
            reception.close();
            timeout(TO_END, work).await.map_or(Ok(()), |done| done.map(drop))
        },
    };
    ended(done)
}

/// What comes of `opening`, unless closing begins first: nobody waits for the library then.
async fn unless<T>(
    mut closing: watch::Receiver<bool>,
    opening: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<Option<T>> {
    tokio::select! {
        opened = opening => opened.map(Some),
        _ = closing.wait_for(|closing| *closing) => Ok(None),
    }
}

fn ended(done: anyhow::Result<()>) -> anyhow::Result<Ended> {
    let Err(error) = done else {
        return Ok(Ended::Stopped);
    };
    let Refused(why) = error.downcast()?;
    Ok(Ended::Refused(why))
}

/// A messenger does not let us in.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(String);

fn rules(settings: &Settings) -> ReceptionRules {
    let reception = &settings.reception;
    ReceptionRules {
        queue: reception.queue.get(),
        generations: reception.generations.get(),
        longest_wait: reception.longest_wait(),
        ..ReceptionRules::default()
    }
}

/// Loads the models and opens the library: what takes seconds.
async fn open(
    state: State,
    settings: &Settings,
    tell: &(dyn Fn(&str) + Sync),
) -> anyhow::Result<Counter> {
    let longest = usize::try_from(settings.library.largest_file << 20)?;
    let acquirer = acquire::Counter {
        fetcher: Fetcher::new(policy(settings)?)?,
        child: ParseChild::new(&std::env::current_exe()?),
        longest,
    };
    let desk = desk_within(state, settings, Away::IsWaitedFor(tell)).await?;
    tell(&format!(
        "the library is open at {}",
        desk.library.revision()
    ));
    Ok(Counter {
        desk,
        acquirer: Arc::new(acquirer),
        collection: settings.library.collection.clone(),
        longest,
        curators: Curators {
            roles: settings.reception.curators.clone(),
        },
    })
}

/// Where lines go for whoever watches.
type Tell<'a> = &'a (dyn Fn(&str) + Sync);

/// One messenger's line.
#[async_trait]
trait Line: Send + Sync {
    /// What people call it.
    fn name(&self) -> &'static str;
    fn platform(&self) -> Platform;
    fn replies(&self) -> Arc<dyn Messenger>;
    /// Hands over what is heard, until `closing`; or says why nothing is.
    async fn hear(
        &self,
        intake: Arc<dyn Intake>,
        closing: watch::Receiver<bool>,
        tell: Tell<'_>,
    ) -> anyhow::Result<()>;
}

/// The lines to the messengers.
struct Lines(Vec<Box<dyn Line>>);

impl Lines {
    fn named(
        settings: &Settings,
        environment: &Environment,
        inbox: &Arc<dyn Inbox>,
        clock: &Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let lines = [
            #[cfg(feature = "discord")]
            discord::line(settings, environment, (inbox, clock))?,
            #[cfg(feature = "slack")]
            slack::line(settings, environment, (inbox, clock))?,
        ];
        let lines: Vec<_> = lines.into_iter().flatten().collect();
        if lines.is_empty() {
            anyhow::bail!("no messenger is set up: {}", HOW.join(", or "));
        }
        Ok(Self(lines))
    }

    fn messengers(&self) -> BTreeMap<Platform, Arc<dyn Messenger>> {
        let lines = self.0.iter();
        lines
            .map(|line| (line.platform(), line.replies()))
            .collect()
    }

    /// Listens on all of them. One that does not let us in is told, and leaves the others
    /// undisturbed; when none is left, that is the end.
    async fn listen(
        &self,
        intake: Arc<dyn Intake>,
        closing: watch::Receiver<bool>,
        tell: Tell<'_>,
    ) -> anyhow::Result<()> {
        if let [line] = &*self.0 {
            return line.hear(intake, closing, tell).await;
        }
        let lines = self.0.iter();
        let listening = lines.map(|line| keep_hearing(&**line, &intake, closing.clone(), tell));
        let mut done = futures::future::join_all(listening).await;
        // Who listened until the end was asked to end, whatever became of the others.
        done.sort_by_key(Result::is_err);
        done.into_iter().next().unwrap_or(Ok(()))
    }
}

/// Listens on one line of several. Where another start may help, the process does not end for
/// it, so the line begins anew by itself.
async fn keep_hearing(
    line: &dyn Line,
    intake: &Arc<dyn Intake>,
    mut closing: watch::Receiver<bool>,
    tell: Tell<'_>,
) -> anyhow::Result<()> {
    const PAUSE: Duration = Duration::from_secs(60);
    loop {
        let heard = line.hear(Arc::clone(intake), closing.clone(), tell).await;
        let Err(error) = heard else {
            return Ok(());
        };
        tell(&format!("{}: {error:#}", line.name()));
        if error.is::<Refused>() {
            return Err(error);
        }
        tokio::select! {
            () = sleep(PAUSE) => {},
            _ = closing.wait_for(|closing| *closing) => return Ok(()),
        }
    }
}

/// How a messenger is set up.
const HOW: &[&str] = &[
    #[cfg(feature = "discord")]
    discord::HOW,
    #[cfg(feature = "slack")]
    slack::HOW,
];
