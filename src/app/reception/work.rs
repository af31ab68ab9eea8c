//! Answers the questions that stand in line, one after the other.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::board::{Board, Screen};
use super::delivery::Closing;
use super::job::Job;
use super::{Reception, caught, held};
use crate::app::answer::{Asked, Unanswered, answer};
use crate::app::errands::Counter;
use crate::app::replay;
use crate::domain::event::{Event, Wish};
use crate::domain::notice::Notice;
use crate::domain::page::Page;
use crate::domain::passage::Scope;
use crate::domain::question::{QuestionText, REMEMBERED, Turn};
use crate::domain::reply;
use crate::ports::Cause;

/// Once closing has begun, the writing of an answer gets so long: a little less than everything.
const TO_FINISH_WRITING: Duration = Duration::from_secs(12);

impl Reception {
    pub(super) async fn work(self: &Arc<Self>) {
        loop {
            let job = tokio::select! {
                biased;
                () = self.closing() => return,
                job = self.next() => job,
            };
            let Some(job) = job else { return };
            let ended = tokio::select! {
                ended = self.attend(&job) => Some(ended),
                // What is under way may end within the time that closing gives.
                () = self.closed_for_long() => None,
            };
            held(&self.line)
                .active
                .retain(|other| !Arc::ptr_eq(other, &job));
            let Some((page, closing)) = ended else { return };
            let ours = Arc::clone(self);
            let turn = Arc::clone(&self.deliveries).acquire_owned().await;
            self.own(async move {
                ours.deliver(&job, page, closing).await;
                drop(turn);
            });
        }
    }

    /// Once closing has begun, an answer gets so long to be finished.
    async fn closed_for_long(&self) {
        self.closing().await;
        sleep(TO_FINISH_WRITING).await;
    }

    /// The next question, once the library is open. It counts as active from here on.
    async fn next(self: &Arc<Self>) -> Option<Arc<Job>> {
        tokio::select! {
            counter = self.counter() => drop(counter?),
            () = self.turn_away() => {},
        }
        loop {
            let came = self.came.notified();
            if let Some(job) = held(&self.line).next() {
                return Some(job);
            }
            came.await;
        }
    }

    /// Tells who has waited too long that the library does not open; never ends.
    async fn turn_away(self: &Arc<Self>) {
        const LOOK: Duration = Duration::from_secs(1);
        loop {
            sleep(LOOK).await;
            let longest = self.rules.longest_wait;
            let late = held(&self.line)
                .waiting
                .remove(|job| job.came.elapsed() > longest);
            for job in late {
                let ours = Arc::clone(self);
                let closing = Closing::failed("waited too long");
                let page = job.regret(&Notice::TooLate);
                self.own(ours.told(job, page, closing));
            }
        }
    }

    async fn told(self: Arc<Self>, job: Arc<Job>, page: Page, closing: Closing) {
        self.deliver(&job, page, closing).await;
    }

    /// Answers one question; what it says in the end, and how the event is closed with it.
    async fn attend(self: &Arc<Self>, job: &Arc<Job>) -> (Page, Closing) {
        if job.came.elapsed() > self.rules.longest_wait {
            return (
                job.regret(&Notice::TooLate),
                Closing::failed("waited too long"),
            );
        }
        let answered = tokio::select! {
            () = job.stopped() => return (job.say(&Notice::Stopped), Closing::done()),
            answered = timeout(self.rules.longest_answer, caught(self.answer(job))) => answered,
        };
        match answered {
            Ok(Ok((page, receipt))) => (
                page,
                Closing {
                    receipt,
                    ..Closing::done()
                },
            ),
            Ok(Err(error)) => {
                let short = job.event.key.short();
                tracing::error!(event = short, error = &*error, "a question failed");
                (job.say(&Notice::Failed(&short)), Closing::failed("failed"))
            },
            Err(_) => (
                job.regret(&Notice::TooLate),
                Closing::failed("took too long"),
            ),
        }
    }

    /// What is said, and the id of its receipt, if that was kept.
    async fn answer(self: &Arc<Self>, job: &Arc<Job>) -> Result<(Page, Option<String>), Cause> {
        let counter = self.counter().await.ok_or("the library was closed")?;
        let Wish::Ask { question, unread } = &job.event.wish else {
            return Err("not a question".into());
        };
        let asked = Asked {
            question: QuestionText::new(question)?,
            said: self.said(&counter, &job.event).await?,
            scope: Scope::default(),
        };
        let board = Board::default();
        let (shown, showing) = watch::channel(board);
        let screen = Screen(&shown);
        // Boxed: it is by far the largest of the futures here.
        let answering = Box::pin(answer(&counter.desk, &asked, &screen));
        let ended = watch::Sender::new(false);
        let (receipt, ()) = tokio::join!(
            async {
                let receipt = answering.await;
                ended.send_replace(true);
                receipt
            },
            self.display(job, showing, ended.subscribe()),
        );
        let beside = |page| reply::beside(page, unread, job.event.speaks());
        match receipt {
            Ok(receipt) => Ok((beside(reply::answer(&receipt)), Some(receipt.id))),
            Err(Unanswered::Unkept { receipt, why }) => {
                let event = job.event.key.short();
                tracing::error!(
                    event,
                    error = &why as &dyn std::error::Error,
                    "a receipt was lost"
                );
                Ok((beside(reply::answer_without_receipt(&receipt)), None))
            },
            Err(other) => Err(other.into()),
        }
    }

    /// What was said before in the same conversation, oldest first.
    async fn said(&self, counter: &Counter, event: &Event) -> Result<Vec<Turn>, Cause> {
        let mut said = Vec::new();
        for id in self.inbox.conversation(event, REMEMBERED).await? {
            // A receipt may have been forgotten with a document: then so is the turn.
            if let Ok(receipt) = replay::receipt(&*counter.desk.ledger, &id).await {
                said.push(Turn {
                    question: receipt.question.as_str().to_owned(),
                });
            }
        }
        Ok(said)
    }
}
