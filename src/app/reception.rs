//! Sees to it that every event gets exactly one visible answer: kept first, then answered,
//! across crashes, floods and a platform that is away.
//!
//! Questions wait in one fair, bounded queue, since one generation uses the whole machine. What
//! is quickly done does not wait behind them. A reply is one post that is edited until it is
//! final; only then the event is closed.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use futures::FutureExt as _;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::answer::{Asked, Unanswered, answer};
use super::errands::{self, Counter, Done, Errand, Stands};
use super::replay;
use crate::domain::courtesy::Courtesy;
use crate::domain::event::{Event, EventKey, Platform, Press, Wish};
use crate::domain::language::Language;
use crate::domain::notice::Notice;
use crate::domain::page::Page;
use crate::domain::passage::{Passage, Scope};
use crate::domain::question::{QuestionText, REMEMBERED, Turn, Unaskable};
use crate::domain::queue::{FairQueue, Full};
use crate::domain::reply;
use crate::ports::{
    Accepted, Audience, Cause, Clock, Closed, Inbox, Intake, Messenger, Offered, Pace,
    Unrecorded, Unsent,
};

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
}

impl Default for ReceptionRules {
    fn default() -> Self {
        Self {
            queue: 200,
            generations: 1,
            longest_wait: Duration::from_secs(600),
            longest_answer: Duration::from_secs(240),
            pace: Duration::from_millis(1_500),
        }
    }
}

/// What is known of closed events is kept for so many days: platforms repeat an event for one.
const KEPT_DAYS: i64 = 7;
/// Replies that are on their way at once: they wait for the platform, not for this machine.
const DELIVERIES: usize = 64;
/// What is under way gets so long to end, and the writing of an answer a little less.
const TO_END: Duration = Duration::from_secs(16);
const TO_FINISH_WRITING: Duration = Duration::from_secs(12);
/// Before an answer that could not be delivered is tried again.
const AGAIN: Duration = Duration::from_secs(5);

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

struct Line {
    waiting: FairQueue<Arc<Job>>,
    /// What is being answered.
    active: Vec<Arc<Job>>,
}

impl Line {
    fn next(&mut self) -> Option<Arc<Job>> {
        let job = self.waiting.pop()?;
        self.active.push(Arc::clone(&job));
        Some(job)
    }
}

/// An event on its way to its answer.
struct Job {
    event: Event,
    since: Since,
    came: Instant,
    /// The posts of its reply so far, in order. Held while one is being made.
    posts: Arc<tokio::sync::Mutex<Vec<String>>>,
    /// Whether the platform lets nobody reply.
    refused: AtomicBool,
    /// Whether somebody wants it stopped.
    stop: watch::Sender<bool>,
}

/// When an event was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Since {
    Now,
    /// It had its place in the line already, and keeps it.
    AnEarlierRun,
}

impl Job {
    fn new(event: Event, since: Since, posts: Vec<String>) -> Arc<Self> {
        Arc::new(Self {
            event,
            since,
            came: Instant::now(),
            posts: Arc::new(tokio::sync::Mutex::new(posts)),
            refused: AtomicBool::new(false),
            stop: watch::Sender::new(false),
        })
    }

    fn say(&self, notice: &Notice<'_>) -> Page {
        Page::notice(notice.text(self.event.speaks()))
    }

    async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        // The sender lives as long as the job.
        drop(stop.wait_for(|stop| *stop).await);
    }
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
                let page = job.say(&Notice::Busy);
                self.own(
                    async move { ours.deliver(&job, page, Closing::failed("busy")).await },
                );
            },
        }
    }

    /// Says that it will take a while, unless the answer was quicker.
    async fn greet(&self, job: &Job, notice: &Notice<'_>) {
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
        posts: &mut Vec<String>,
        page: &Page,
    ) -> Result<(), Undelivered> {
        if job.refused.load(Ordering::SeqCst) {
            return Ok(());
        }
        match self.messenger(job)?.post(&job.event, 0, page).await {
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
        self.inbox.posted(&job.event.key, posts).await?;
        Ok(())
    }

    fn messenger(&self, job: &Job) -> Result<&Arc<dyn Messenger>, Undelivered> {
        let platform = job.event.place.platform;
        self.messengers
            .get(&platform)
            .ok_or(Undelivered::Absent(platform))
    }

    /// Shows how an answer comes along, unless something is still on its way. It is not waited
    /// for, and goes on when nobody wants it any more: what is given up half-way may stand
    /// there unknown, or come after the final form.
    fn show(self: &Arc<Self>, job: &Arc<Job>, page: Page) -> Shown {
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
        posts: &mut Vec<String>,
        page: &Page,
    ) -> Result<(), Undelivered> {
        let Some(first) = posts.first() else {
            return self.first_post(job, posts, page).await;
        };
        let messenger = self.messenger(job)?;
        Ok(messenger.edit(&job.event, first, page, Pace::May).await?)
    }

    /// Shows the final form, however long that takes, and closes the event.
    async fn deliver(&self, job: &Job, page: Page, closing: Closing) {
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
        posts: &mut Vec<String>,
        (number, part): (usize, &Page),
    ) -> Result<(), Undelivered> {
        let messenger = self.messenger(job)?;
        if let Some(post) = posts.get(number) {
            match messenger.edit(&job.event, post, part, Pace::Must).await {
                Err(Unsent::Gone) => {},
                done => return Ok(done?),
            }
        }
        let post = messenger.post(&job.event, number, part).await?;
        match posts.get_mut(number) {
            Some(gone) => *gone = post,
            None => posts.push(post),
        }
        self.inbox.posted(&job.event.key, posts).await?;
        Ok(())
    }

    async fn shut(&self, job: &Job, closing: Closing) {
        let Closing {
            receipt,
            failure,
            wanted,
            place: _,
        } = closing;
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
            event.place == asker.place && may && which(event)
        };
        let mut line = held(&self.line);
        let queued = line.waiting.remove(matches);
        let active = line.active.iter().filter(|job| matches(job)).cloned();
        (queued, active.collect())
    }

    fn stop(self: &Arc<Self>, job: Arc<Job>, which: impl Fn(&Event) -> bool) {
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

    async fn counter(&self) -> Option<Counter> {
        let mut counter = self.counter.clone();
        let ready = counter.wait_for(Option::is_some).await.ok()?;
        ready.clone()
    }

    async fn errand(&self, job: &Job) {
        let Ok(counter) = timeout(self.rules.longest_wait, self.counter()).await else {
            let page = job.say(&Notice::TooLate);
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
                let page = job.say(&Notice::TooLate);
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

    async fn work(self: &Arc<Self>) {
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
                let page = job.say(&Notice::TooLate);
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
                job.say(&Notice::TooLate),
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
            Err(_) => (job.say(&Notice::TooLate), Closing::failed("took too long")),
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

    /// Edits the post as the answer grows, until it `ended`.
    async fn display(
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

/// Whether something will be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Soon,
    NotYet,
}

/// How an event is closed.
struct Closing {
    receipt: Option<String>,
    failure: Option<String>,
    wanted: bool,
    place: Stands,
}

impl Closing {
    fn done() -> Self {
        Self {
            receipt: None,
            failure: None,
            wanted: false,
            place: Stands::There,
        }
    }

    fn failed(why: &str) -> Self {
        Self {
            failure: Some(why.to_owned()),
            ..Self::done()
        }
    }
}

/// Why a reply is not where it should be.
#[derive(Debug, thiserror::Error)]
enum Undelivered {
    #[error("{} is not served by this process", .0.as_str())]
    Absent(Platform),
    #[error(transparent)]
    Unsent(#[from] Unsent),
    #[error(transparent)]
    Unrecorded(#[from] Unrecorded),
}

/// What there is to see of an answer so far.
#[derive(Clone, Debug, Default)]
struct Board {
    titles: Vec<String>,
    sentences: Vec<String>,
}

impl Board {
    fn page(&self, language: Language, short: &str) -> Page {
        reply::so_far(&self.titles, &self.sentences, language, short)
    }
}

/// Puts on the board what the librarian shows.
struct Screen<'a>(&'a watch::Sender<Board>);

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

/// What is said at once to `text` that asks the library nothing. `None` if it is a question.
/// Who sent files beside it is told of them in an answer.
fn unasked(text: &str, files: &[String], language: Language) -> Option<String> {
    if let Some(courtesy) = Courtesy::of(text)
        && files.is_empty()
    {
        return Some(courtesy.reply(language).to_owned());
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
