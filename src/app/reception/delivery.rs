//! Puts replies where they belong: one post that is edited until it is final. Only then the
//! event is closed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::sleep;

use super::Reception;
use super::job::Job;
use crate::app::errands::Stands;
use crate::domain::event::{Platform, Post};
use crate::domain::notice::Notice;
use crate::domain::page::Page;
use crate::domain::reply;
use crate::ports::{Cause, Closed, Messenger, Pace, Unrecorded, Unsent};

/// Before an answer that could not be delivered is tried again.
const AGAIN: Duration = Duration::from_secs(5);

impl Reception {
    /// Says that it will take a while, unless the answer was quicker.
    pub(super) async fn greet(&self, job: &Job, notice: &Notice<'_>) {
        let page = reply::waiting(notice, job.event.speaks(), &job.event.key.short());
        let mut posts = job.posts.lock().await;
        if posts.is_empty()
            && let Err(error) = self.first_post(job, &mut posts, &page).await
        {
            tracing::warn!(event = %job.event.key, %error, "no placeholder");
        }
    }

    async fn first_post(
        &self,
        job: &Job,
        posts: &mut Vec<Post>,
        page: &Page,
    ) -> Result<(), Undelivered> {
        if job.refused.load(Ordering::SeqCst) {
            return Ok(());
        }
        match self.messenger(job)?.post(&job.event, &[], page).await {
            Ok(post) => posts.push(post),
            Err(unsent) => {
                if matches!(unsent, Unsent::Refused(_)) {
                    // Nobody would read it: to ask again and again helps nobody either.
                    job.refused.store(true, Ordering::SeqCst);
                    job.stop.send_replace(true);
                }
                return Err(unsent.into());
            },
        }
        self.keep(job, posts).await
    }

    /// Keeps what posts there are.
    async fn keep(&self, job: &Job, posts: &[Post]) -> Result<(), Undelivered> {
        let place = posts.first().map(|post| post.place.clone());
        job.stands.send_if_modified(|stands| {
            let moved = *stands != place;
            *stands = place;
            moved
        });
        Ok(self.inbox.posted(&job.event.key, posts).await?)
    }

    pub(super) fn messenger(&self, job: &Job) -> Result<&Arc<dyn Messenger>, Undelivered> {
        let platform = job.event.place.platform;
        self.messengers
            .get(&platform)
            .ok_or(Undelivered::Absent(platform))
    }

    /// Shows how an answer comes along, unless something is still on its way. It is not waited
    /// for, and goes on when nobody wants it any more: what is given up half-way may stand
    /// there unknown, or come after the final form.
    pub(super) fn show(self: &Arc<Self>, job: &Arc<Job>, page: Page) -> Shown {
        let Ok(mut posts) = Arc::clone(&job.posts).try_lock_owned() else {
            return Shown::NotYet;
        };
        let (ours, job) = (Arc::clone(self), Arc::clone(job));
        self.own(async move {
            if let Err(error) = ours.put(&job, &mut posts, &page).await {
                let error: Cause = error.into();
                tracing::debug!(event = %job.event.key, error = &*error, "not shown for now");
            }
        });
        Shown::Soon
    }

    async fn put(
        &self,
        job: &Job,
        posts: &mut Vec<Post>,
        page: &Page,
    ) -> Result<(), Undelivered> {
        let Some(first) = posts.first() else {
            return self.first_post(job, posts, page).await;
        };
        let messenger = self.messenger(job)?;
        Ok(messenger.edit(&job.event, first, page, Pace::May).await?)
    }

    /// Shows the final form, however long that takes, and closes the event.
    pub(super) async fn deliver(&self, job: &Job, page: Page, closing: Closing) {
        let refused = || self.shut(job, Closing::failed("refused by the platform"));
        loop {
            match self.settle(job, page.clone(), closing.place).await {
                Ok(()) => break,
                Err(Undelivered::Unsent(Unsent::Refused(why))) => {
                    tracing::warn!(event = %job.event.key, why, "an answer could not be shown");
                    return refused().await;
                },
                Err(error) => {
                    let error: Cause = error.into();
                    tracing::warn!(event = %job.event.key, error = &*error, "an answer waits for the platform");
                    sleep(AGAIN).await;
                },
            }
        }
        self.shut(job, closing).await;
    }

    async fn settle(&self, job: &Job, page: Page, place: Stands) -> Result<(), Undelivered> {
        let messenger = self.messenger(job)?;
        if place == Stands::Aside {
            return Ok(messenger.aside(&job.event, &page).await?);
        }
        let mut posts = job.posts.lock().await;
        if job.refused.load(Ordering::SeqCst) {
            return Err(Unsent::Refused("it may not reply there".to_owned()).into());
        }
        let parts = messenger.parts(page);
        for (number, part) in parts.iter().enumerate() {
            self.settle_part(job, &mut posts, (number, part)).await?;
        }
        // An earlier run may have made more.
        for post in posts.iter().skip(parts.len()) {
            messenger.withdraw(&job.event, post).await?;
        }
        posts.truncate(parts.len());
        Ok(())
    }

    async fn settle_part(
        &self,
        job: &Job,
        posts: &mut Vec<Post>,
        (number, part): (usize, &Page),
    ) -> Result<(), Undelivered> {
        let messenger = self.messenger(job)?;
        if let Some(post) = posts.get(number) {
            match messenger.edit(&job.event, post, part, Pace::Must).await {
                Err(Unsent::Gone) => {},
                done => return Ok(done?),
            }
        }
        let before = posts.get(..number).unwrap_or_default();
        let post = messenger.post(&job.event, before, part).await?;
        match posts.get_mut(number) {
            Some(gone) => *gone = post,
            None => posts.push(post),
        }
        self.keep(job, posts).await
    }

    async fn shut(&self, job: &Job, closing: Closing) {
        let Closing {
            receipt,
            failure,
            wanted,
            place: _,
        } = closing;
        if let Some(why) = &failure {
            tracing::warn!(event = job.event.key.short(), why, "there is no answer");
        }
        let closed = Closed {
            at: self.clock.now(),
            receipt,
            failure,
            wanted,
        };
        if let Err(error) = self.inbox.close(&job.event.key, &closed).await {
            let error: Cause = error.into();
            tracing::error!(event = %job.event.key, error = &*error, "an event could not be closed");
        }
    }
}

/// Whether something will be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Soon,
    NotYet,
}

/// How an event is closed.
pub(super) struct Closing {
    pub(super) receipt: Option<String>,
    pub(super) failure: Option<String>,
    pub(super) wanted: bool,
    pub(super) place: Stands,
}

impl Closing {
    pub(super) fn done() -> Self {
        Self {
            receipt: None,
            failure: None,
            wanted: false,
            place: Stands::There,
        }
    }

    pub(super) fn failed(why: &str) -> Self {
        Self {
            failure: Some(why.to_owned()),
            ..Self::done()
        }
    }
}

/// Why a reply is not where it should be.
#[derive(Debug, thiserror::Error)]
pub(super) enum Undelivered {
    #[error("{} is not served by this process", .0.as_str())]
    Absent(Platform),
    #[error(transparent)]
    Unsent(#[from] Unsent),
    #[error(transparent)]
    Unrecorded(#[from] Unrecorded),
}
