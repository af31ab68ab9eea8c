//! Finds what somebody wants stopped: what waits, and what is being answered.

use std::sync::Arc;

use super::delivery::Closing;
use super::job::Job;
use super::{Reception, held};
use crate::app::errands::{Counter, Stands};
use crate::domain::event::{Event, Wish};
use crate::domain::notice::Notice;

impl Reception {
    /// What waits and what is being answered in the same place, as far as `which` says so: the
    /// person's own, or of anybody if a curator presses the button under it.
    fn stoppable(
        &self,
        asker: &Event,
        which: impl Fn(&Event) -> bool,
    ) -> (Vec<Arc<Job>>, Vec<Arc<Job>>) {
        let counter = self.counter.borrow();
        let curates = |counter: &Counter| counter.curators.include(&asker.person);
        let any_ones = asker.wish != Wish::Stop && counter.as_ref().is_some_and(curates);
        let matches = |job: &Arc<Job>| {
            let event = &job.event;
            let may = any_ones || event.person.id == asker.person.id;
            job.is_at(&asker.place) && may && which(event)
        };
        let mut line = held(&self.line);
        let queued = line.waiting.remove(matches);
        let active = line.active.iter().filter(|job| matches(job)).cloned();
        (queued, active.collect())
    }

    pub(super) fn stop(self: &Arc<Self>, job: Arc<Job>, which: impl Fn(&Event) -> bool) {
        let (queued, active) = self.stoppable(&job.event, which);
        let any = !queued.is_empty() || !active.is_empty();
        for other in &active {
            other.stop.send_replace(true);
        }
        for other in queued {
            let ours = Arc::clone(self);
            let page = other.say(&Notice::Stopped);
            self.own(async move { ours.deliver(&other, page, Closing::done()).await });
        }
        let ours = Arc::clone(self);
        let page = job.say(if any {
            &Notice::Stopping
        } else {
            &Notice::NothingToStop
        });
        let closing = Closing {
            place: Stands::Aside,
            ..Closing::done()
        };
        self.own(async move { ours.deliver(&job, page, closing).await });
    }
}
