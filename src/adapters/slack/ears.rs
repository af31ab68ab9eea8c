//! What is heard: each person's words in their order, kept before they are acknowledged.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;
use slack_morphism::prelude::SlackUserFlags;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::api::{Api, Call, Fault};
use super::home;
use super::messenger::Desk;
use super::socket::{Acknowledge, Envelope, Hearer};
use super::wire::{self, Heard, Readers, To};
use super::workspaces::{Workspace, Workspaces};
use crate::adapters::chat::hearing::{self, Turns};
use crate::adapters::chat::limiter::Urgency;
use crate::domain::command::Standing;
use crate::domain::event::{Event, PlaceKind, Press, Wish};
use crate::domain::notice::Notice;
use crate::domain::page::Page;
use crate::ports::{Clock, Intake, Offered};

/// Listens.
pub(super) struct Ears {
    pub(super) workspaces: Arc<Workspaces>,
    pub(super) desk: Arc<Desk>,
    pub(super) intake: Arc<dyn Intake>,
    pub(super) clock: Arc<dyn Clock>,
    /// The user groups that curators may be in.
    pub(super) groups: Vec<String>,
    known: Mutex<BTreeMap<String, Known>>,
    channels: Mutex<BTreeMap<String, (Instant, Readers)>>,
    turns: Mutex<Turns<String>>,
    /// What was turned away last: it comes as a mention and as a message.
    turned_away: Mutex<VecDeque<String>>,
    tasks: Mutex<JoinSet<()>>,
    room: Arc<Semaphore>,
}

/// What Slack said of somebody, and when.
#[derive(Clone)]
struct Known {
    at: Instant,
    administers: bool,
    groups: Vec<String>,
}

/// What Slack said of people and channels is believed for so long, and of so many.
const LASTS: Duration = Duration::from_secs(300);
const MANY: usize = 10_000;

/// Whether something may be acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Yes,
    /// Slack will send it again.
    No,
}

impl Ears {
    pub(super) fn new(
        (workspaces, desk): (Arc<Workspaces>, Arc<Desk>),
        intake: Arc<dyn Intake>,
        clock: Arc<dyn Clock>,
        groups: Vec<String>,
    ) -> Self {
        /// Heard at once and not kept yet.
        const MOST: usize = 1_000;
        Self {
            workspaces,
            desk,
            intake,
            clock,
            groups,
            known: Mutex::default(),
            channels: Mutex::default(),
            turns: Mutex::default(),
            turned_away: Mutex::default(),
            tasks: Mutex::default(),
            room: Arc::new(Semaphore::new(MOST)),
        }
    }

    fn own(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = held(&self.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    /// Keeps what an envelope asks for, after what the same person said before.
    pub(super) async fn take_in_turn(self: &Arc<Self>, envelope: &Envelope) -> Kept {
        let turn = self.turn(envelope);
        let done = match turn {
            Some(turn) => Some(turn.comes().await),
            None => None,
        };
        let kept = self.take_in(envelope).await;
        drop(done);
        kept
    }

    fn turn(&self, envelope: &Envelope) -> Option<hearing::Turn> {
        let author = wire::author(&envelope.payload)?;
        Some(held(&self.turns).take(author.to_owned()))
    }

    async fn take_in(self: &Arc<Self>, envelope: &Envelope) -> Kept {
        let Some(team) = wire::team(&envelope.payload) else {
            return Kept::Yes;
        };
        let workspace = match self.workspaces.of(team).await {
            Ok(workspace) => workspace,
            Err(fault @ Fault::Refused { .. }) => {
                tracing::debug!(
                    "something was said in a workspace that is not served: {fault}"
                );
                return Kept::Yes;
            },
            // It may be ours: Slack sends it again.
            Err(fault) => {
                tracing::warn!("what was said is not kept yet: {fault}");
                return Kept::No;
            },
        };
        match self.understood(envelope, &workspace) {
            Some(Heard::Event(event)) => self.take_on(*event, &workspace).await,
            Some(Heard::Slip(address, slip, language)) => {
                self.whisper(*address, Page::notice(slip.words(language)));
                Kept::Yes
            },
            Some(Heard::Shared(address, language)) => {
                if self.is_first(format!("{}/{}", address.channel, address.since)) {
                    let told = Notice::SharedChannel.text(language);
                    self.whisper(*address, Page::notice(told));
                }
                Kept::Yes
            },
            None => Kept::Yes,
        }
    }

    /// What an envelope comes to.
    fn understood(
        self: &Arc<Self>,
        envelope: &Envelope,
        workspace: &Arc<Workspace>,
    ) -> Option<Heard> {
        let Envelope { kind, payload } = envelope;
        let (here, now) = (&workspace.here, self.clock.now());
        match kind.as_str() {
            "events_api" => {
                if let Some(place) = wire::begun(payload) {
                    self.suggest(workspace, place);
                }
                if let Some(user) = wire::at_home(payload) {
                    self.welcome(workspace, user);
                }
                let in_thread = |thread: &str| self.workspaces.spoke_in(&here.team, thread);
                wire::heard(payload, here, &in_thread)
            },
            "slash_commands" => wire::commanded(payload, here, now),
            "interactive" => wire::pressed(payload, here, now),
            _ => None,
        }
    }

    async fn take_on(self: &Arc<Self>, event: Event, workspace: &Workspace) -> Kept {
        let Some(address) = self.read_by_others(&event, workspace).await else {
            return self.keep(event, workspace).await;
        };
        let told = Notice::SharedChannel.text(event.speaks());
        self.whisper(address, Page::notice(told));
        Kept::Yes
    }

    /// Suggests what could be asked, to somebody who has opened the assistant.
    fn suggest(self: &Arc<Self>, workspace: &Arc<Workspace>, (channel, thread): (&str, &str)) {
        let (ours, workspace) = (Arc::clone(self), Arc::clone(workspace));
        let (channel, thread) = (channel.to_owned(), thread.to_owned());
        self.own(async move {
            let documents = ours.intake.offers(Offered::Documents, "").await;
            let prompts = wire::prompts(&documents);
            if prompts.is_empty() {
                return;
            }
            let request = json!({
                "channel_id": channel, "thread_ts": thread, "prompts": prompts,
            });
            let call = Call::write("assistant.threads.setSuggestedPrompts", &request);
            if let Err(fault) = workspace.api.tell(call).await {
                tracing::debug!("nothing could be suggested: {fault}");
            }
        });
    }

    /// Puts up what stands at the app's home, to somebody who has opened it.
    fn welcome(self: &Arc<Self>, workspace: &Arc<Workspace>, user: &str) {
        let (ours, workspace) = (Arc::clone(self), Arc::clone(workspace));
        let user = user.to_owned();
        self.own(async move {
            if let Err(fault) = home::publish(&workspace, &*ours.intake, &user).await {
                tracing::warn!("the app's home could not be put up: {fault}");
            }
        });
    }

    /// Where a command or a button would be answered before people of other organisations: unlike
    /// an event it does not say so itself.
    async fn read_by_others(
        &self,
        event: &Event,
        workspace: &Workspace,
    ) -> Option<wire::Address> {
        let address = wire::Address::parse(&event.address)?;
        let open = address.standing(&event.wish) == Standing::Open;
        if address.to == To::Message || !open || event.place.kind == PlaceKind::Direct {
            return None;
        }
        let readers = self.readers(&workspace.api, &address.channel).await;
        (readers == Readers::Others).then_some(address)
    }

    async fn readers(&self, api: &Api, channel: &str) -> Readers {
        let known = held(&self.channels).get(channel).copied();
        if let Some((at, readers)) = known
            && at.elapsed() < LASTS
        {
            return readers;
        }
        let asked = api.call::<Found>(soon(
            "conversations.info",
            vec![("channel", channel.to_owned())],
        ));
        let readers = match asked.await {
            Ok(Found { channel }) if channel.is_ext_shared => Readers::Others,
            Ok(_) => Readers::Ours,
            // Where we are not, only the person is answered.
            Err(fault) if fault.is_missing_access() => return Readers::Ours,
            // In doubt less is said.
            Err(fault) => {
                tracing::warn!("who reads a channel could not be asked: {fault}");
                return Readers::Others;
            },
        };
        let mut all = held(&self.channels);
        if all.len() >= MANY {
            all.clear();
        }
        all.insert(channel.to_owned(), (Instant::now(), readers));
        readers
    }

    fn is_first(&self, name: String) -> bool {
        const MANY: usize = 1_000;
        let mut before = held(&self.turned_away);
        if before.contains(&name) {
            return false;
        }
        before.push_back(name);
        if before.len() > MANY {
            before.pop_front();
        }
        true
    }

    async fn keep(&self, mut event: Event, workspace: &Workspace) -> Kept {
        if needs_rights(&event.wish) {
            self.introduce(&mut event, workspace).await;
        }
        match hearing::keep(&*self.intake, &event).await {
            Some(_) => Kept::Yes,
            None => Kept::No,
        }
    }

    /// Nothing of it is kept: it is said at once, or never.
    fn whisper(self: &Arc<Self>, address: wire::Address, page: Page) {
        let ours = Arc::clone(self);
        self.own(async move {
            if let Err(fault) = ours.desk.whisper(address, &page).await {
                tracing::debug!("a person could not be told what is wrong: {fault}");
            }
        });
    }

    /// Finds out what the person may do there.
    async fn introduce(&self, event: &mut Event, workspace: &Workspace) {
        let person = &mut event.person;
        let name = format!("{}/{}", workspace.here.team, person.id);
        let known = held(&self.known).get(&name).cloned();
        let known = if let Some(known) = known.filter(|known| known.at.elapsed() < LASTS) {
            known
        } else {
            let Some(known) = self.ask_about(&workspace.api, &person.id).await else {
                return;
            };
            let mut all = held(&self.known);
            if all.len() >= MANY {
                all.clear();
            }
            all.insert(name, known.clone());
            known
        };
        person.administers = known.administers;
        person.roles.extend(known.groups);
    }

    /// `None` if Slack does not say: then the person may do what everybody may.
    async fn ask_about(&self, api: &Api, user: &str) -> Option<Known> {
        let asked = api.call::<Looked>(soon("users.info", vec![("user", user.to_owned())]));
        let flags = match asked.await {
            Ok(Looked { user }) => user,
            Err(fault) => {
                tracing::warn!("who may add and remove could not be asked: {fault}");
                return None;
            },
        };
        let mut groups = Vec::new();
        // Guests are in no group of ours.
        for group in self.groups.iter().filter(|_| !is_guest(&flags)) {
            let call = soon("usergroups.users.list", vec![("usergroup", group.clone())]);
            match api.call::<Members>(call).await {
                Ok(Members { users }) if users.iter().any(|one| one == user) => {
                    groups.push(group.clone());
                },
                Ok(_) => {},
                Err(fault) => {
                    tracing::warn!("who is in a user group could not be asked: {fault}");
                },
            }
        }
        Some(Known {
            at: Instant::now(),
            administers: administers(&flags),
            groups,
        })
    }
}

/// What is asked before something is acknowledged is not waited for long.
fn soon(method: &'static str, form: Vec<(&'static str, String)>) -> Call {
    Call::read(method, form)
        .urgency(Urgency::Must)
        .patience(Duration::from_millis(1_500))
}

#[derive(Debug, Deserialize)]
struct Looked {
    user: SlackUserFlags,
}

/// What `conversations.info` says, as far as it matters: slack-morphism's model does not know it.
#[derive(Debug, Deserialize)]
struct Found {
    channel: ChannelFlags,
}

#[derive(Debug, Deserialize)]
struct ChannelFlags {
    #[serde(default)]
    is_ext_shared: bool,
}

#[derive(Debug, Deserialize)]
struct Members {
    #[serde(default)]
    users: Vec<String>,
}

fn administers(flags: &SlackUserFlags) -> bool {
    let any = [flags.is_admin, flags.is_owner, flags.is_primary_owner].contains(&Some(true));
    any && !is_guest(flags)
}

/// Told by the flags alone: ids say nothing of whom they belong to.
fn is_guest(flags: &SlackUserFlags) -> bool {
    [
        flags.is_restricted,
        flags.is_ultra_restricted,
        flags.is_stranger,
    ]
    .contains(&Some(true))
}

/// Whether it depends on who somebody is.
fn needs_rights(wish: &Wish) -> bool {
    match wish {
        Wish::Add { .. } | Wish::Remove { .. } | Wish::Sync { .. } => true,
        Wish::Press(press) => match press {
            Press::Add(_) | Press::Leave(_) | Press::Stop(_) => true,
            Press::Useful(_) | Press::NotUseful(_) | Press::Sources(_) | Press::Share(_) => {
                false
            },
        },
        Wish::Ask { .. }
        | Wish::List { .. }
        | Wish::Search { .. }
        | Wish::Status
        | Wish::Log
        | Wish::Stop => false,
    }
}

#[async_trait]
impl Hearer for Ears {
    async fn hear(self: Arc<Self>, envelope: Envelope, acknowledge: Acknowledge) {
        let Ok(room) = Arc::clone(&self.room).acquire_owned().await else {
            return;
        };
        // Taken here, where the order is that in which it came.
        let turn = self.turn(&envelope);
        let ours = Arc::clone(&self);
        self.own(async move {
            let done = match turn {
                Some(turn) => Some(turn.comes().await),
                None => None,
            };
            if ours.take_in(&envelope).await == Kept::Yes {
                acknowledge();
            }
            drop((done, room));
        });
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn flags(given: &Value) -> SlackUserFlags {
        serde_json::from_value(given.clone()).unwrap()
    }

    #[test]
    fn guests_and_strangers_administer_nothing() {
        assert!(administers(&flags(&json!({ "is_admin": true }))));
        assert!(administers(&flags(
            &json!({ "is_owner": true, "is_admin": false })
        )));
        assert!(!administers(&flags(&json!({ "is_admin": false }))));
        assert!(!administers(&flags(&json!({}))));
        for guest in ["is_restricted", "is_ultra_restricted", "is_stranger"] {
            assert!(!administers(&flags(
                &json!({ "is_admin": true, guest: true })
            )));
        }
    }
}
