//! An event on its way to its answer, and the line in which questions wait.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::domain::event::{Event, Place, Post};
use crate::domain::notice::Notice;
use crate::domain::page::{Block, Page};
use crate::domain::queue::FairQueue;

pub(super) struct Line {
    pub(super) waiting: FairQueue<Arc<Job>>,
    /// What is being answered.
    pub(super) active: Vec<Arc<Job>>,
}

impl Line {
    pub(super) fn next(&mut self) -> Option<Arc<Job>> {
        let job = self.waiting.pop()?;
        self.active.push(Arc::clone(&job));
        Some(job)
    }
}

/// An event on its way to its answer.
pub(super) struct Job {
    pub(super) event: Event,
    pub(super) since: Since,
    pub(super) came: Instant,
    /// The posts of its reply so far, in order. Held while one is being made.
    pub(super) posts: Arc<tokio::sync::Mutex<Vec<Post>>>,
    /// Where they stand, once there is one.
    pub(super) stands: watch::Sender<Option<Place>>,
    /// Whether the platform lets nobody reply.
    pub(super) refused: AtomicBool,
    /// Whether somebody wants it stopped.
    pub(super) stop: watch::Sender<bool>,
}

/// When an event was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    Now,
    /// It had its place in the line already, and keeps it.
    AnEarlierRun,
}

impl Job {
    pub(super) fn new(event: Event, since: Since, posts: Vec<Post>) -> Arc<Self> {
        Arc::new(Self {
            event,
            since,
            came: Instant::now(),
            stands: watch::Sender::new(posts.first().map(|post| post.place.clone())),
            posts: Arc::new(tokio::sync::Mutex::new(posts)),
            refused: AtomicBool::new(false),
            stop: watch::Sender::new(false),
        })
    }

    pub(super) fn say(&self, notice: &Notice<'_>) -> Page {
        Page::notice(notice.text(self.event.speaks()))
    }

    /// Says that there is no answer, and by what to look it up.
    pub(super) fn regret(&self, notice: &Notice<'_>) -> Page {
        let mut page = self.say(notice);
        let look_up = Notice::LookUp(&self.event.key.short()).text(self.event.speaks());
        page.blocks.push(Block::small(look_up));
        page
    }

    /// Whether it is there that one speaks of it.
    pub(super) fn is_at(&self, place: &Place) -> bool {
        self.event.place == *place || self.stands.borrow().as_ref() == Some(place)
    }

    pub(super) async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        // The sender lives as long as the job.
        drop(stop.wait_for(|stop| *stop).await);
    }
}
