//! Waits for the turn of a request. No task is started: whoever waits longest keeps time for
//! the others.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot::Receiver;
use tokio::sync::{Mutex as Turns, Notify};
use tokio::time::{Instant, timeout_at};

use super::limits::{Fate, Grant, Limits, Ticket};
use super::{Heard, Held, Lane, Urgency};

/// Lets requests leave in their turn.
#[derive(Debug)]
pub struct Limiter<L> {
    limits: Mutex<Limits<L>>,
    /// Held by the one who keeps time.
    keeper: Turns<()>,
    /// Wakes the timekeeper.
    news: Notify,
}

impl<L: Lane> Limiter<L> {
    /// A limiter for the platform of this name.
    pub fn new(platform: &'static str) -> Self {
        Self {
            limits: Mutex::new(Limits::new(platform)),
            keeper: Turns::default(),
            news: Notify::new(),
        }
    }

    /// Returns when a request may leave on `lane`, or why it may not.
    pub async fn pass(
        &self,
        lane: L,
        urgency: Urgency,
        deadline: Instant,
    ) -> Result<Pass<'_, L>, Held> {
        let now = Instant::now();
        let (ticket, granted) = self.limits().arrive(lane, urgency, now)?;
        self.news.notify_one();
        let mut place = Place {
            limiter: self,
            ticket,
            granted,
        };
        let turn = async {
            tokio::select! {
                biased;
                grant = &mut place.granted => grant.ok(),
                () = self.keep_time() => None,
            }
        };
        if let Ok(Some(grant)) = timeout_at(deadline, turn).await {
            return Ok(Pass {
                limiter: self,
                grant: Some(grant),
            });
        }
        drop(place);
        let pause = self.limits().pause(lane, Instant::now());
        Err(Held::Late { pause })
    }

    /// Answers of the last ten minutes that count towards a ban.
    pub fn invalid(&self) -> usize {
        self.limits().invalid(Instant::now())
    }

    async fn keep_time(&self) {
        let _keeper = self.keeper.lock().await;
        loop {
            let next = self.limits().settle(Instant::now());
            let news = self.news.notified();
            match next {
                Some(next) => drop(timeout_at(next, news).await),
                None => news.await,
            }
        }
    }

    fn limits(&self) -> MutexGuard<'_, Limits<L>> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn back(&self, grant: Grant<L>, fate: &Fate<'_>) {
        self.limits().back(grant, fate, Instant::now());
        self.news.notify_one();
    }
}

/// A place in the queue; given up when dropped.
struct Place<'l, L: Lane> {
    limiter: &'l Limiter<L>,
    ticket: Ticket,
    granted: Receiver<Grant<L>>,
}

impl<L: Lane> Drop for Place<'_, L> {
    fn drop(&mut self) {
        let waited = self.limiter.limits().waiting.remove(&self.ticket);
        // A grant that nobody came for.
        if waited.is_none()
            && let Ok(grant) = self.granted.try_recv()
        {
            self.limiter.back(grant, &Fate::NeverLeft);
        }
    }
}

/// Leave for one request. Dropping it says that the request left and nothing was heard.
#[derive(Debug)]
#[must_use]
pub struct Pass<'l, L: Lane> {
    limiter: &'l Limiter<L>,
    grant: Option<Grant<L>>,
}

impl<L: Lane> Pass<'_, L> {
    /// The platform answered.
    pub fn answered(mut self, heard: &Heard) {
        self.hand_back(&Fate::Answered(heard));
    }

    /// The request did not reach the platform.
    pub fn never_left(mut self) {
        self.hand_back(&Fate::NeverLeft);
    }

    fn hand_back(&mut self, fate: &Fate<'_>) {
        if let Some(grant) = self.grant.take() {
            self.limiter.back(grant, fate);
        }
    }
}

impl<L: Lane> Drop for Pass<'_, L> {
    fn drop(&mut self) {
        self.hand_back(&Fate::Unheard);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Reach;
    use super::super::trial::{SECOND, left, ms, posts, told_to_wait};
    use super::*;

    #[tokio::test]
    async fn waiting_ends_with_an_answer_or_the_deadline() {
        let limiter = Limiter::new("Discord");
        let soon = || Instant::now() + ms(100);
        let pass = limiter.pass(posts(1), Urgency::Must, soon()).await.unwrap();
        let late = limiter.pass(posts(1), Urgency::Must, soon()).await;
        assert_eq!(late.unwrap_err(), Held::Late { pause: None });
        let (next, ()) = tokio::join!(
            limiter.pass(posts(1), Urgency::Must, Instant::now() + 5 * SECOND),
            async {
                tokio::time::sleep(ms(20)).await;
                pass.answered(&told_to_wait(ms(150), Reach::Bucket));
            }
        );
        let began = Instant::now();
        next.unwrap()
            .answered(&told_to_wait(ms(300), Reach::Bucket));
        let many = (0..20).map(|_| async {
            let pass = limiter.pass(posts(1), Urgency::Should, began + 20 * SECOND);
            let pass = pass.await.unwrap();
            assert!(began.elapsed() >= ms(300));
            pass.answered(&left(50, 40, SECOND));
        });
        futures::future::join_all(many).await;
        let limits = limiter.limits();
        assert!(limits.waiting.is_empty());
        assert_eq!(limits.address.in_flight + limits.global.in_flight, 0);
    }
}
