//! Taking in what was heard: kept for certain, and each person's words in their order.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::time::sleep;

use crate::domain::event::Event;
use crate::ports::{Accepted, Cause, Intake};

/// Hands an event over; `None` if the disk refused it again and again.
pub async fn keep(intake: &dyn Intake, event: &Event) -> Option<Accepted> {
    const TRIES: usize = 5;
    const PAUSE: Duration = Duration::from_millis(500);
    for tries in 1..=TRIES {
        match intake.hand_over(event.clone()).await {
            Ok(accepted) => return Some(accepted),
            Err(error) if tries == TRIES => {
                let error: Cause = error.into();
                tracing::error!(event = %event.key, error = &*error, "an event could not be kept");
            },
            Err(_) => sleep(PAUSE).await,
        }
    }
    None
}

/// Who said something that is not kept yet: what they say next waits for it.
#[derive(Debug)]
pub struct Turns<P>(BTreeMap<P, oneshot::Receiver<()>>);

impl<P> Default for Turns<P> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

/// A place behind what the same person said before.
#[derive(Debug)]
pub struct Turn {
    done: oneshot::Sender<()>,
    before: oneshot::Receiver<()>,
}

impl Turn {
    /// Returns when it has come; what it returns is dropped when the words were heard.
    pub async fn comes(self) -> oneshot::Sender<()> {
        drop(self.before.await);
        self.done
    }
}

impl<P: Ord> Turns<P> {
    pub fn take(&mut self, person: P) -> Turn {
        const MANY: usize = 1_024;
        if self.0.len() >= MANY {
            let heard =
                |turn: &mut oneshot::Receiver<()>| turn.try_recv() == Err(TryRecvError::Closed);
            self.0.retain(|_, turn| !heard(turn));
        }
        let (done, next) = oneshot::channel();
        let before = self.0.insert(person, next);
        Turn {
            done,
            before: before.unwrap_or_else(|| oneshot::channel().1),
        }
    }
}
