//! The workspaces that the app is installed in: one bot's token for each, and what Slack says of
//! whom it belongs to.
//!
//! One whose token Slack does not accept is given up, and the others go on: nothing is asked for
//! it any more, what is said there is not heard, and what waits for it is closed.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{OnceCell, watch};

use super::api::{Api, Call, Fault, Token};
use super::threads::{Noted, Threads, written};
use super::wire::{Address, Here, place_name};
use crate::adapters::chat::limiter::Urgency;
use crate::ports::{Cause, Clock, Inbox, Unrecorded};

/// What `auth.test` says, as far as it matters.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Identity {
    pub(super) team_id: String,
    pub(super) user_id: String,
    pub(super) url: String,
    pub(super) team: String,
    pub(super) user: String,
    #[serde(default)]
    pub(super) bot_id: Option<String>,
}

/// Asks who the token belongs to.
pub(super) async fn identity(api: &Api, patience: Duration) -> Result<Identity, Fault> {
    let call = Call::write("auth.test", &json!({}))
        .urgency(Urgency::Must)
        .patience(patience);
    api.call(call).await
}

/// One workspace.
#[derive(Debug)]
pub(super) struct Workspace {
    pub(super) api: Arc<Api>,
    pub(super) here: Here,
    pub(super) bot: Option<String>,
    /// What people call it.
    name: String,
}

/// A token, and whose it is once Slack has said so.
struct Seat {
    api: Arc<Api>,
    known: OnceCell<Arc<Workspace>>,
}

/// All workspaces.
pub(super) struct Workspaces {
    seats: Vec<Seat>,
    /// Whether Slack has said of any whose it is.
    known: watch::Sender<bool>,
    inbox: Arc<dyn Inbox>,
    clock: Arc<dyn Clock>,
    threads: Mutex<Threads>,
}

/// Where in the inbox the threads stand that we have spoken in.
const THREADS: &str = "slack/thread/";

impl Workspaces {
    pub(super) fn new(
        apis: Vec<Arc<Api>>,
        inbox: Arc<dyn Inbox>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let seat = |api| Seat {
            api,
            known: OnceCell::new(),
        };
        Self {
            seats: apis.into_iter().map(seat).collect(),
            known: watch::Sender::new(false),
            inbox,
            clock,
            threads: Mutex::default(),
        }
    }

    /// Asks whose the tokens are, as far as Slack has not said so. What is left to be asked
    /// again: those that are given up are not among them.
    pub(super) async fn ask(&self) -> Vec<Fault> {
        let asked = self.seats.iter().map(|seat| async {
            let asked = seat.ask().await;
            if asked.is_ok() {
                self.known.send_replace(true);
            }
            asked
        });
        let asked = join_all(asked).await;
        let faults = asked.into_iter().filter_map(Result::err);
        faults
            .filter(|fault| !matches!(fault, Fault::Unauthorised(_)))
            .collect()
    }

    /// Asks again, of those that are known: a token that was taken away is told by nothing that
    /// Slack sends.
    pub(super) async fn look(&self) {
        let looks = self.seats.iter().map(|seat| async {
            // Whoever is turned away is told of to `given_up`.
            drop(identity(&seat.api, Duration::from_secs(60)).await);
        });
        join_all(looks).await;
    }

    /// Returns when some workspace is served.
    pub(super) async fn any(&self) {
        let mut known = self.known.subscribe();
        // The sender lives as long as we do.
        drop(known.wait_for(|known| *known).await);
    }

    pub(super) async fn of(&self, team: &str) -> Result<Arc<Workspace>, Fault> {
        if let Some(seat) = self.seat(team) {
            return self.served(seat);
        }
        let left = self.ask().await;
        match (self.seat(team), left.into_iter().next()) {
            (Some(seat), _) => self.served(seat),
            // It may be one of those that could not be asked about.
            (None, Some(fault)) => Err(fault),
            (None, None) => Err(not_ours("no token for this workspace is set")),
        }
    }

    fn seat(&self, team: &str) -> Option<&Seat> {
        let is = |seat: &&Seat| seat.known.get().is_some_and(|one| one.here.team == team);
        // Of two tokens of one workspace, one that is accepted.
        let mut seats: Vec<_> = self.seats.iter().filter(is).collect();
        seats.sort_by_key(|seat| seat.api.is_turned_away().is_some());
        seats.into_iter().next()
    }

    fn served(&self, seat: &Seat) -> Result<Arc<Workspace>, Fault> {
        let given_up = seat.api.is_turned_away().is_some() && self.is_another_left();
        match seat.known.get() {
            Some(known) if !given_up => Ok(Arc::clone(known)),
            Some(_) | None => Err(not_ours("the workspace is given up")),
        }
    }

    fn is_another_left(&self) -> bool {
        let mut seats = self.seats.iter();
        seats.any(|seat| seat.api.is_turned_away().is_none())
    }

    /// Tells of each workspace that is given up while others go on. Returns when none is left.
    pub(super) async fn given_up(&self, tell: &(dyn Fn(&str) + Sync)) -> Vec<Token> {
        let seats = self.seats.iter().map(|seat| async {
            let away = seat.api.turned_away().await;
            if self.is_another_left() {
                let fault = Fault::Unauthorised(away.clone());
                let known = seat.known.get().map_or("one", |one| one.name.as_str());
                tracing::error!("a workspace is given up: {fault}");
                tell(&format!(
                    "Slack: the workspace {known} is given up, and the others go on: {fault}"
                ));
            }
            away
        });
        join_all(seats).await
    }

    /// Exchanges tokens that end; never returns.
    pub(super) async fn keep_up_tokens(&self) {
        let seats = self.seats.iter().map(|seat| async {
            let (fault, ends) = seat.api.keep_up_tokens().await;
            // Whoever asks next is told so, and gives it up.
            let until = ends.map_or_else(|| "now".to_owned(), |ends| ends.to_string());
            tracing::error!(
                "a workspace gets no more tokens; its last one ends {until}: {fault}"
            );
        });
        join_all(seats).await;
        std::future::pending::<()>().await;
    }
}

fn not_ours(why: &str) -> Fault {
    Fault::Refused {
        method: "everything",
        code: why.to_owned(),
    }
}

impl Seat {
    async fn ask(&self) -> Result<(), Fault> {
        const PATIENCE: Duration = Duration::from_secs(20);
        let asked = self.known.get_or_try_init(|| async {
            let who = identity(&self.api, PATIENCE).await?;
            let here = Here {
                team: who.team_id,
                me: who.user_id,
                home: who.url,
            };
            Ok(Arc::new(Workspace {
                api: Arc::clone(&self.api),
                here,
                bot: who.bot_id,
                name: who.team,
            }))
        });
        match asked.await {
            Ok(_) => Ok(()),
            // What says no to this says so to everything.
            Err(Fault::Refused { method: _, code }) => {
                Err(self.api.gives_up(self.api.named(code)))
            },
            Err(fault) => Err(fault),
        }
    }
}

/// The threads that we are part of.
impl Workspaces {
    /// Takes up what an earlier run has put down.
    pub(super) async fn recall_threads(&self) {
        let kept = match self.inbox.marks(THREADS).await {
            Ok(kept) => kept,
            Err(error) => return warn("the threads that saseo is part of are unknown", error),
        };
        let bare = |name: &str| name.strip_prefix(THREADS).map(str::to_owned);
        let kept = kept
            .into_iter()
            .filter_map(|(name, said)| Some((bare(&name)?, said)));
        let kept: BTreeSet<_> = kept.collect();
        let now = self.clock.now();
        let timeless = self.threads().recall(kept, now);
        for name in timeless {
            self.put_down(&name).await;
        }
        self.forget_threads().await;
    }

    /// Forgets those where nothing has been said for long.
    pub(super) async fn forget_threads(&self) {
        let gone = self.threads().forget(self.clock.now());
        if gone.is_empty() {
            return;
        }
        let names: Vec<_> = gone.iter().map(|name| format!("{THREADS}{name}")).collect();
        if let Err(error) = self.inbox.unmark(&names).await {
            warn("old threads stay in the inbox", error);
        }
    }

    fn threads(&self) -> std::sync::MutexGuard<'_, Threads> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether we have spoken in the thread that is called so in its workspace.
    pub(super) fn spoke_in(&self, team: &str, thread: &str) -> bool {
        self.threads().contains(&format!("{team}/{thread}"))
    }

    /// Remembers that our post stands in a thread, or may be the first of one.
    pub(super) async fn speaks_in(&self, address: &Address, post: &str) {
        let thread = address.thread.as_deref().unwrap_or(post);
        let place = place_name(&address.channel, Some(thread));
        let name = format!("{}/{place}", address.team);
        if self.threads().note(&name, self.clock.now()) == Noted::Anew {
            self.put_down(&name).await;
        }
    }

    async fn put_down(&self, name: &str) {
        let (name, at) = (format!("{THREADS}{name}"), written(self.clock.now()));
        if let Err(error) = self.inbox.mark(&name, &at).await {
            warn("the inbox did not take a mark", error);
        }
    }
}

fn warn(what: &str, error: Unrecorded) {
    let error: Cause = error.into();
    tracing::warn!(error = &*error, "{what}");
}
