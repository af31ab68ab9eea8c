//! Sees to everything that is no question: it is quickly done and stands in no line.

use tokio::time::timeout;

use super::delivery::Closing;
use super::job::Job;
use super::{Reception, caught};
use crate::app::errands::{Counter, Done, Errand};
use crate::domain::event::{Press, Wish};
use crate::domain::notice::Notice;
use crate::ports::Cause;

impl Reception {
    pub(super) async fn errand(&self, job: &Job) {
        let Ok(counter) = timeout(self.rules.longest_wait, self.counter()).await else {
            let page = job.regret(&Notice::TooLate);
            return self
                .deliver(job, page, Closing::failed("waited too long"))
                .await;
        };
        let Some(counter) = counter else {
            return;
        };
        let errand = caught(self.run_errand(&counter, job));
        match timeout(self.rules.longest_wait, errand).await {
            Ok(Ok(done)) => {
                let closing = Closing {
                    wanted: done.wanted,
                    place: done.place,
                    ..Closing::done()
                };
                self.deliver(job, done.page, closing).await;
            },
            Ok(Err(error)) => self.apologise(job, &*error).await,
            Err(_) => {
                let page = job.regret(&Notice::TooLate);
                self.deliver(job, page, Closing::failed("too late")).await;
            },
        }
    }

    async fn run_errand(&self, counter: &Counter, job: &Job) -> Result<Done, Cause> {
        let errand = Errand {
            counter,
            messenger: &**self.messenger(job)?,
            inbox: &*self.inbox,
            event: &job.event,
            waiting: self.waiting(),
        };
        let adds = matches!(
            &job.event.wish,
            Wish::Add { .. } | Wish::Press(Press::Add(_))
        );
        if !adds {
            return errand.run().await;
        }
        let turn = self.additions.acquire().await?;
        let done = errand.run().await;
        drop(turn);
        done
    }

    async fn apologise(
        &self,
        job: &Job,
        error: &(dyn std::error::Error + Send + Sync + 'static),
    ) {
        let short = job.event.key.short();
        tracing::error!(
            event = short,
            error = error as &dyn std::error::Error,
            "an event failed"
        );
        let page = job.say(&Notice::Failed(&short));
        self.deliver(job, page, Closing::failed("failed")).await;
    }
}
