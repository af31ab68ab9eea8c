//! The workspaces that the app is installed in: one bot's token for each, and what Slack says of
//! whom it belongs to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use serde_json::json;
use tokio::sync::OnceCell;

use super::api::{Api, Call, Fault};
use super::wire::{Address, Here, place_name};
use crate::adapters::chat::limiter::Urgency;
use crate::ports::{Cause, Inbox};

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
pub(super) async fn identity(
    api: &Api,
    patience: std::time::Duration,
) -> Result<Identity, Fault> {
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
}

/// All workspaces.
pub(super) struct Workspaces {
    apis: Vec<Arc<Api>>,
    known: OnceCell<BTreeMap<String, Arc<Workspace>>>,
    inbox: Arc<dyn Inbox>,
    /// The threads that we have spoken in: what is said there may be meant for us.
    threads: Mutex<BTreeSet<String>>,
}

/// Where in the inbox the threads stand that we have spoken in.
const THREADS: &str = "slack/thread/";

impl Workspaces {
    pub(super) fn new(apis: Vec<Arc<Api>>, inbox: Arc<dyn Inbox>) -> Self {
        Self {
            apis,
            known: OnceCell::new(),
            inbox,
            threads: Mutex::default(),
        }
    }

    /// All of them, once Slack has said whose the tokens are.
    pub(super) async fn all(&self) -> Result<&BTreeMap<String, Arc<Workspace>>, Fault> {
        self.known.get_or_try_init(|| self.ask()).await
    }

    pub(super) async fn of(&self, team: &str) -> Result<Arc<Workspace>, Fault> {
        let all = self.all().await?;
        all.get(team).map(Arc::clone).ok_or(Fault::Refused {
            method: "everything",
            code: "no token for this workspace is set".to_owned(),
        })
    }

    async fn ask(&self) -> Result<BTreeMap<String, Arc<Workspace>>, Fault> {
        let mut known = BTreeMap::new();
        for api in &self.apis {
            let who = identity(api, std::time::Duration::from_secs(20)).await?;
            let here = Here {
                team: who.team_id.clone(),
                me: who.user_id,
                home: who.url,
            };
            let workspace = Workspace {
                api: Arc::clone(api),
                here,
                bot: who.bot_id,
            };
            known.insert(who.team_id, Arc::new(workspace));
        }
        let spoken = self.inbox.marks(THREADS).await.unwrap_or_default();
        let names = spoken
            .into_iter()
            .filter_map(|(name, _)| name.strip_prefix(THREADS).map(str::to_owned));
        self.threads().extend(names);
        Ok(known)
    }

    fn threads(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
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
        if !self.threads().insert(name.clone()) {
            return;
        }
        if let Err(error) = self.inbox.mark(&format!("{THREADS}{name}"), "").await {
            let error: Cause = error.into();
            tracing::warn!(error = &*error, "the inbox did not take a mark");
        }
    }
}
