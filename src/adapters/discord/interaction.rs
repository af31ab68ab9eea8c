//! Replies to commands and buttons: they go where the interaction's own token leads, for a
//! quarter of an hour.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use serenity::http::Route;
use serenity::model::id::{ApplicationId, InteractionId, MessageId};
use tokio::sync::watch;

use super::messenger::{Made, bytes};
use super::rest::{Call, Fault, Rest};
use super::wire::{self, Address, Deferred};
use crate::adapters::chat::limiter::Urgency;
use crate::domain::event::Event;
use crate::domain::page::Page;

/// Answers interactions.
pub(super) struct Interactions {
    rest: Arc<Rest>,
    /// Those that are about to be acknowledged.
    deferring: Mutex<BTreeMap<InteractionId, watch::Receiver<()>>>,
}

/// An interaction, by what answers it.
pub(super) struct Ticket {
    application: ApplicationId,
    id: InteractionId,
    token: String,
    pub(super) deferred: Deferred,
}

impl Ticket {
    /// `None` for an event that is no interaction.
    pub(super) fn of(event: &Event) -> Option<Self> {
        match Address::parse(&event.address)? {
            Address::Interaction {
                application,
                id,
                token,
                deferred,
                ..
            } => Some(Self {
                application,
                id,
                token,
                deferred,
            }),
            Address::Message { .. } => None,
        }
    }
}

/// An interaction is about to be acknowledged; until this is dropped its answer waits, which
/// would be refused before.
pub(super) struct Deferring<'i> {
    interactions: &'i Interactions,
    id: InteractionId,
    _done: watch::Sender<()>,
}

impl Drop for Deferring<'_> {
    fn drop(&mut self) {
        self.interactions.deferring().remove(&self.id);
    }
}

impl Interactions {
    pub(super) fn new(rest: Arc<Rest>) -> Self {
        Self {
            rest,
            deferring: Mutex::default(),
        }
    }

    fn deferring(&self) -> MutexGuard<'_, BTreeMap<InteractionId, watch::Receiver<()>>> {
        self.deferring
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_deferring(&self, id: InteractionId) -> Deferring<'_> {
        let (done, waiting) = watch::channel(());
        self.deferring().insert(id, waiting);
        Deferring {
            interactions: self,
            id,
            _done: done,
        }
    }

    /// Acknowledges a command or a button: from then on there is a quarter of an hour.
    pub(super) async fn acknowledge(&self, ticket: &Ticket) -> Result<(), Fault> {
        let body = wire::defer(ticket.deferred);
        match self.respond(ticket.id, &ticket.token, &body).await {
            Err(fault) if fault.is_answered_already() => Ok(()),
            done => done,
        }
    }

    /// The first answer to an interaction.
    pub(super) async fn respond(
        &self,
        interaction_id: InteractionId,
        token: &str,
        body: &Value,
    ) -> Result<(), Fault> {
        let call = Call::post(Route::InteractionResponse {
            interaction_id,
            token,
        });
        // A second one is refused as answered already.
        let call = call
            .body(bytes(body))
            .urgency(Urgency::Must)
            .harmless_twice();
        self.rest.tell(call).await
    }

    /// Puts a reply where the interaction's answer stands. `None`: there is no such place any
    /// more, only the channel.
    pub(super) async fn original(
        &self,
        ticket: &Ticket,
        page: &Page,
    ) -> Result<Option<MessageId>, Fault> {
        let deferring = self.deferring().get(&ticket.id).cloned();
        if let Some(mut deferring) = deferring {
            // Nothing is ever sent there; it ends.
            drop(deferring.changed().await);
        }
        let route = Route::WebhookOriginalInteractionResponse {
            application_id: ticket.application,
            token: &ticket.token,
        };
        let edit = || {
            let body = bytes(&wire::edit(page));
            self.rest
                .call::<Made>(Call::patch(route).body(body).urgency(Urgency::Must))
        };
        let made = match edit().await {
            // Nobody acknowledged it: we were killed, or are quicker than we are ourselves.
            Err(fault) if fault.is_unknown() || fault.is_expired() => {
                match self.acknowledge(ticket).await {
                    Ok(()) => edit().await,
                    Err(fault) => Err(fault),
                }
            },
            other => other,
        };
        match made {
            Ok(made) => Ok(Some(made.id)),
            Err(fault) if fault.is_unknown() || fault.is_expired() => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Puts `page` in the place of a reply.
    pub(super) async fn edit(
        &self,
        ticket: &Ticket,
        message_id: MessageId,
        (page, urgency): (&Page, Urgency),
    ) -> Result<(), Fault> {
        let route = Route::WebhookFollowupMessage {
            application_id: ticket.application,
            token: &ticket.token,
            message_id,
        };
        let body = bytes(&wire::edit(page));
        self.rest
            .tell(Call::patch(route).body(body).urgency(urgency))
            .await
    }

    /// A further reply, for the person alone.
    pub(super) async fn whisper(
        &self,
        ticket: &Ticket,
        page: &Page,
    ) -> Result<MessageId, Fault> {
        let route = Route::WebhookFollowupMessages {
            application_id: ticket.application,
            token: &ticket.token,
        };
        let body = bytes(&wire::follow_up(page, Deferred::Private));
        let call = Call::post(route).body(body).urgency(Urgency::Must);
        let made: Made = self.rest.call(call).await?;
        Ok(made.id)
    }
}
