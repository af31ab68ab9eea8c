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
        let (ours, typing) = (Arc::clone(self), Arc::clone(job));
        self.own(async move {
            if let Ok(messenger) = ours.messenger(&typing) {
                messenger.typing(&typing.event).await;
            }
        });
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
