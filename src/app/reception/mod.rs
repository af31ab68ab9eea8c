//! Sees to it that every event gets exactly one visible answer: kept first, then answered,
//! across crashes, floods and a platform that is away.
//!
//! Questions wait in one fair, bounded queue, since one generation uses the whole machine. What
//! is quickly done does not wait behind them. A reply is one post that is edited until it is
//! final; only then the event is closed.
//!
//! Here events come in and are told apart. `job` is one on its way, `work` answers questions,
//! `errand` sees to the rest, `stop` ends what is not wanted any more, `board` shows an answer
//! that grows, and `delivery` puts every reply where it belongs.

mod job;
mod work;
mod errand;
mod stop;
mod board;
mod delivery;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use futures::FutureExt as _;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::errands::{self, Counter};
use crate::domain::courtesy::{self, Courtesy};
use crate::domain::event::{Event, EventKey, Platform, Press, Wish};
use crate::domain::language::Language;
use crate::domain::notice::Notice;
use crate::domain::page::Page;
use crate::domain::question::{QuestionText, Unaskable};
use crate::domain::queue::{FairQueue, Full};
use crate::ports::{Accepted, Cause, Clock, Inbox, Intake, Messenger, Offered, Unrecorded};
use delivery::Closing;
use job::{Job, Line, Since};

/// How much is taken on, and how long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceptionRules {
    /// Questions that may wait; who comes then is asked to come again.
    pub queue: usize,
    /// Answers that are written at once.
    pub generations: usize,
    /// The longest that a question may wait for its turn.
    pub longest_wait: Duration,
    /// The longest that one answer may take, from its turn on.
    pub longest_answer: Duration,
    /// Between two edits of a post while its answer is written.
    pub pace: Duration,
    /// Between two signs that an answer is being written.
    pub signs: Duration,
}

impl Default for ReceptionRules {
    fn default() -> Self {
        Self {
            queue: 200,
            generations: 1,
            longest_wait: Duration::from_secs(600),
            longest_answer: Duration::from_secs(240),
            pace: Duration::from_millis(1_500),
            // Discord shows one for ten.
            signs: Duration::from_secs(9),
        }
    }
}

/// What is known of closed events is kept for so many days: platforms repeat an event for one.
const KEPT_DAYS: i64 = 7;
/// Replies that are on their way at once: they wait for the platform, not for this machine.
const DELIVERIES: usize = 64;
/// What is under way gets so long to end.
const TO_END: Duration = Duration::from_secs(16);

/// The reception. Adapters hand events over to it; it answers through the messengers.
pub struct Reception {
    inbox: Arc<dyn Inbox>,
    messengers: BTreeMap<Platform, Arc<dyn Messenger>>,
    clock: Arc<dyn Clock>,
    rules: ReceptionRules,
    /// Empty while the models are being loaded.
    counter: watch::Receiver<Option<Counter>>,
    line: Mutex<Line>,
    came: Notify,
    /// Everything that runs for a single event.
    tasks: Mutex<JoinSet<()>>,
    deliveries: Arc<Semaphore>,
    additions: Semaphore,
    /// Events that the inbox may have kept although it failed.
    doubtful: Mutex<BTreeSet<EventKey>>,
    closing: watch::Sender<bool>,
}

#[async_trait]
impl Intake for Arc<Reception> {
    async fn hand_over(&self, event: Event) -> Result<Accepted, Unrecorded> {
        let kept = self.inbox.accept(&event).await;
        let doubtful = match &kept {
            Err(_) => held(&self.doubtful).insert(event.key.clone()),
            Ok(_) => held(&self.doubtful).remove(&event.key),
        };
        // Where it is known only from a try that failed, nobody sees to it yet.
        let accepted = if doubtful && kept.is_ok() {
            Accepted::New
        } else {
            kept?
        };
        if accepted == Accepted::New && !*self.closing.borrow() {
            self.enter(Job::new(event, Since::Now, Vec::new()));
        }
        Ok(accepted)
    }

    async fn offers(&self, of: Offered, typed: &str) -> Vec<(String, String)> {
        let counter = self.counter.borrow().clone();
        let Some(counter) = counter else {
            return Vec::new();
        };
        match errands::offers(&counter, of, typed).await {
            Ok(offers) => offers,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "nothing to offer");
                Vec::new()
            },
        }
    }

    async fn overview(&self, language: Language) -> Page {
        let counter = self.counter.borrow().clone();
        let Some(counter) = counter else {
            return Page::notice(Notice::Opening.text(language));
        };
        match errands::overview(&counter, self.waiting(), language).await {
            Ok(page) => page,
            Err(error) => {
                let error: Cause = error.into();
                tracing::warn!(error = &*error, "the library cannot be looked over");
                Page::notice(Notice::Hint.text(language))
            },
        }
    }
}

impl Reception {
    /// A reception that has taken up what an earlier run left open, and begins to work with
    /// [`Reception::run`]. Events may be handed over from here on, and not before: they would
    /// be taken up a second time.
    pub async fn open(
        inbox: Arc<dyn Inbox>,
        messengers: BTreeMap<Platform, Arc<dyn Messenger>>,
        counter: watch::Receiver<Option<Counter>>,
        clock: Arc<dyn Clock>,
        rules: ReceptionRules,
    ) -> Result<Arc<Self>, Unrecorded> {
        let left = inbox.unfinished().await?;
        let ours = Arc::new(Self {
            inbox,
            messengers,
            clock,
            rules,
            counter,
            line: Mutex::new(Line {
                waiting: FairQueue::new(rules.queue),
                active: Vec::new(),
            }),
            came: Notify::new(),
            tasks: Mutex::new(JoinSet::new()),
            deliveries: Arc::new(Semaphore::new(DELIVERIES)),
            // One at a time: it embeds, and that takes the whole machine.
            additions: Semaphore::new(1),
            doubtful: Mutex::default(),
            closing: watch::Sender::new(false),
        });
        for (event, posts) in left {
            ours.enter(Job::new(event, Since::AnEarlierRun, posts));
        }
        Ok(ours)
    }

    /// Answers until [`Reception::close`]. What is under way then gets a little time to end;
    /// what does not is in the inbox, and the next run takes it up.
    pub async fn run(self: &Arc<Self>) {
        let mut workers = JoinSet::new();
        for _ in 0..self.rules.generations {
            let ours = Arc::clone(self);
            workers.spawn(async move { ours.work().await });
        }
        let ours = Arc::clone(self);
        workers.spawn(async move { ours.tidy_up().await });
        self.closing().await;
        let until = Instant::now() + TO_END;
        drop(timeout_at(until, ended(&mut workers)).await);
        let mut tasks = std::mem::take(&mut *held(&self.tasks));
        drop(timeout_at(until, ended(&mut tasks)).await);
    }

    /// Takes nothing new on from here on, and lets [`Reception::run`] end.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    async fn closing(&self) {
        let mut closing = self.closing.subscribe();
        drop(closing.wait_for(|closing| *closing).await);
    }

    /// How many questions wait.
    pub fn waiting(&self) -> usize {
        held(&self.line).waiting.len()
    }

    fn own(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = held(&self.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    fn enter(self: &Arc<Self>, job: Arc<Job>) {
        let ours = Arc::clone(self);
        match &job.event.wish {
            Wish::Ask { question, unread } => {
                let Some(said) = unasked(question, unread, job.event.speaks()) else {
                    return self.stand_in_line(job);
                };
                let (page, done) = (Page::notice(said), Closing::done());
                self.own(async move { ours.deliver(&job, page, done).await });
            },
            Wish::Stop => self.stop(job, |_| true),
            Wish::Press(Press::Stop(short)) => {
                let short = short.clone();
                self.stop(job, move |other| other.key.short() == short);
            },
            Wish::Add { .. }
            | Wish::Remove { .. }
            | Wish::List { .. }
            | Wish::Search { .. }
            | Wish::Status
            | Wish::Log
            | Wish::Sync { .. }
            | Wish::Press(_) => self.own(async move { ours.errand(&job).await }),
        }
    }

    fn stand_in_line(self: &Arc<Self>, job: Arc<Job>) {
        let (pushed, busy) = {
            let mut line = held(&self.line);
            let busy = line.active.len() >= self.rules.generations;
            let (person, job) = (&job.event.person.id, Arc::clone(&job));
            let pushed = match job.since {
                Since::Now => line.waiting.push(person, job),
                Since::AnEarlierRun => Ok(line.waiting.push_again(person, job)),
            };
            (pushed, busy)
        };
        let ours = Arc::clone(self);
        match pushed {
            Ok(before) => {
                self.came.notify_one();
                let notice = match before + usize::from(busy) {
                    _ if self.counter.borrow().is_none() => Notice::Opening,
                    0 => return,
                    before => Notice::InLine(before),
                };
                self.own(async move { ours.greet(&job, &notice).await });
            },
            Err(Full(job)) => {
                let page = job.regret(&Notice::Busy);
                self.own(
                    async move { ours.deliver(&job, page, Closing::failed("busy")).await },
                );
            },
        }
    }

    async fn counter(&self) -> Option<Counter> {
        let mut counter = self.counter.clone();
        let ready = counter.wait_for(Option::is_some).await.ok()?;
        ready.clone()
    }

    /// Forgets, once an hour, what nobody will ask about again.
    async fn tidy_up(&self) {
        const HOUR: Duration = Duration::from_secs(3_600);
        loop {
            let before = self.clock.now() - TimeDelta::days(KEPT_DAYS);
            if let Err(error) = self.inbox.forget(before).await {
                let error: Cause = error.into();
                tracing::warn!(error = &*error, "old events could not be forgotten");
            }
            tokio::select! {
                () = self.closing() => return,
                () = sleep(HOUR) => {},
            }
        }
    }
}

/// What is said at once to `text` that asks the library nothing. `None` if it is a question.
/// Who sent files beside it is told of them in an answer.
fn unasked(text: &str, files: &[String], language: Language) -> Option<String> {
    if files.is_empty() {
        if let Some(courtesy) = Courtesy::of(text) {
            return Some(courtesy.reply(language).to_owned());
        }
        if courtesy::wonders(text) {
            return Some(Notice::Hint.text(language));
        }
    }
    let slip = QuestionText::new(text).err()?;
    let notice = match slip {
        Unaskable::Empty => Notice::Hint,
        Unaskable::TooLong(long) => Notice::TooLong(long),
    };
    Some(notice.text(language))
}

/// What comes of `work`. A panic is a failure like another: it must not take along the task that
/// answers everybody else.
async fn caught<T>(work: impl Future<Output = Result<T, Cause>>) -> Result<T, Cause> {
    let done = AssertUnwindSafe(work).catch_unwind().await;
    done.unwrap_or_else(|_| Err("it panicked".into()))
}

async fn ended(tasks: &mut JoinSet<()>) {
    while tasks.join_next().await.is_some() {}
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
