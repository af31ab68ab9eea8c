//! Shows how an answer grows: its sources, and each sentence that is known to stand.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::sleep;

use super::Reception;
use super::delivery::Shown;
use super::job::Job;
use crate::domain::language::Language;
use crate::domain::page::Page;
use crate::domain::passage::Passage;
use crate::domain::reply;
use crate::ports::Audience;

impl Reception {
    /// Edits the post as the answer grows, until it `ended`.
    pub(super) async fn display(
        self: &Arc<Self>,
        job: &Arc<Job>,
        mut showing: watch::Receiver<Board>,
        mut ended: watch::Receiver<bool>,
    ) {
        let (language, short) = (job.event.speaks(), job.event.key.short());
        let (ours, at_work) = (Arc::clone(self), Arc::clone(job));
        let until = ended.clone();
        self.own(async move { ours.seem_at_work(&at_work, until).await });
        loop {
            tokio::select! {
                biased;
                _ = ended.wait_for(|ended| *ended) => return,
                changed = showing.changed() => if changed.is_err() { return },
            }
            let page = showing.borrow_and_update().page(language, &short);
            if self.show(job, page) == Shown::NotYet {
                showing.mark_changed();
            }
            tokio::select! {
                _ = ended.wait_for(|ended| *ended) => return,
                () = sleep(self.rules.pace) => {},
            }
        }
    }

    /// Shows that somebody is at work where the answer stands, until it `ended`. A post takes the
    /// sign away.
    async fn seem_at_work(&self, job: &Job, mut ended: watch::Receiver<bool>) {
        let Ok(messenger) = self.messenger(job) else {
            return;
        };
        let mut stands = job.stands.subscribe();
        loop {
            let place = stands.borrow_and_update().clone();
            messenger.typing(&job.event, place.as_ref()).await;
            tokio::select! {
                _ = ended.wait_for(|ended| *ended) => return,
                // The sender lives as long as the job.
                _ = stands.changed() => {},
                () = sleep(self.rules.signs) => {},
            }
        }
    }
}

/// What there is to see of an answer so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Board {
    titles: Vec<String>,
    sentences: Vec<String>,
}

impl Board {
    fn page(&self, language: Language, short: &str) -> Page {
        reply::so_far(&self.titles, &self.sentences, language, short)
    }
}

/// Puts on the board what the librarian shows.
pub(super) struct Screen<'a>(pub(super) &'a watch::Sender<Board>);

impl Audience for Screen<'_> {
    fn sources(&self, passages: &[Passage]) {
        let titles = reply::titles(passages);
        self.0.send_modify(|board| board.titles = titles);
    }

    fn sentence(&self, text: &str) {
        self.0
            .send_modify(|board| board.sentences.push(text.to_owned()));
    }
}
