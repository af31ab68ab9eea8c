//! A messenger in this process, for what is the same on every platform: a board on which posts
//! are pinned, and everybody sees what is pinned when.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use saseo::domain::event::{Event, Place, PlaceKind, Post};
use saseo::domain::page::{Block, Page, Run, parts};
use saseo::ports::{Messenger, Pace, Unsent};

/// The board.
#[derive(Default)]
pub(crate) struct Board {
    pinned: Mutex<Vec<Pinned>>,
    /// Where posts stand, if not where they answer.
    thread: Mutex<Option<String>>,
    /// Where somebody was seen at work; `None` before there was a post.
    typed: Mutex<Vec<Option<String>>>,
    weather: Mutex<Weather>,
    /// Files that people handed in, by where they are kept.
    files: Mutex<BTreeMap<String, Vec<u8>>>,
}

/// A post.
#[derive(Clone, Debug)]
pub(crate) struct Pinned {
    /// The event it answers, and as which part.
    pub(crate) of: (String, usize),
    /// Everything it said, the newest last.
    pub(crate) said: Vec<Page>,
    pub(crate) gone: bool,
}

/// How the platform is today.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Weather {
    #[default]
    Fine,
    /// Nothing gets through.
    Away,
    /// We may not write here.
    Locked,
}

impl Board {
    pub(crate) fn weather(&self, weather: Weather) {
        *self.weather.lock().unwrap() = weather;
    }

    /// From now on answers stand in this thread.
    pub(crate) fn opens(&self, thread: &str) {
        *self.thread.lock().unwrap() = Some(thread.to_owned());
    }

    pub(crate) fn typed(&self) -> Vec<Option<String>> {
        self.typed.lock().unwrap().clone()
    }

    pub(crate) fn pinned(&self) -> MutexGuard<'_, Vec<Pinned>> {
        self.pinned.lock().unwrap()
    }

    /// Keeps a file that can be fetched from `url`.
    pub(crate) fn keeps(&self, url: &str, text: &str) {
        let mut files = self.files.lock().unwrap();
        files.insert(url.to_owned(), text.as_bytes().to_vec());
    }

    /// What the posts say now, those that were taken away left out.
    pub(crate) fn reads(&self) -> Vec<String> {
        let pinned = self.pinned();
        let there = pinned.iter().filter(|post| !post.gone);
        there.map(|post| text(post.said.last().unwrap())).collect()
    }

    /// Waits until the board reads as `wanted`.
    pub(crate) async fn until(&self, wanted: impl Fn(&[String]) -> bool) -> Vec<String> {
        for _ in 0..1_500 {
            let reads = self.reads();
            if wanted(&reads) {
                return reads;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let reads = self.reads();
        assert!(wanted(&reads), "the board still reads {reads:#?}");
        reads
    }

    fn through(&self) -> Result<(), Unsent> {
        match *self.weather.lock().unwrap() {
            Weather::Fine => Ok(()),
            Weather::Away => Err(Unsent::Unreachable("nothing gets through".into())),
            Weather::Locked => Err(Unsent::Refused("not here".into())),
        }
    }
}

/// A page as a person reads it.
pub(crate) fn text(page: &Page) -> String {
    let words = |runs: &[Run]| -> String {
        let words = runs.iter().map(|run| match run {
            Run::Text(text) | Run::Strong(text) => text.clone(),
            Run::Link { title, url } => format!("{title} <{url}>"),
        });
        words.collect()
    };
    let lines = page.blocks.iter().map(|block| match block {
        Block::Paragraph(runs) | Block::Small(runs) => words(runs),
        Block::Code(code) => format!("```{code}```"),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[async_trait]
impl Messenger for Board {
    fn parts(&self, page: Page) -> Vec<Page> {
        parts(page, 400, &|block| {
            let page = Page {
                blocks: vec![block.clone()],
                buttons: Vec::new(),
            };
            text(&page).chars().count() + 1
        })
    }

    async fn post(&self, event: &Event, before: &[Post], page: &Page) -> Result<Post, Unsent> {
        self.through()?;
        let of = (event.key.as_str().to_owned(), before.len());
        let mut pinned = self.pinned();
        let there = pinned.iter().position(|post| post.of == of);
        let at = there.unwrap_or_else(|| {
            pinned.push(Pinned {
                of,
                said: Vec::new(),
                gone: false,
            });
            pinned.len() - 1
        });
        pinned[at].said.push(page.clone());
        let mut place = event.place.clone();
        if let Some(thread) = &*self.thread.lock().unwrap() {
            (place.channel, place.kind) = (thread.clone(), PlaceKind::Thread);
        }
        let id = at.to_string();
        Ok(Post { place, id })
    }

    async fn edit(
        &self,
        _event: &Event,
        post: &Post,
        page: &Page,
        _pace: Pace,
    ) -> Result<(), Unsent> {
        self.through()?;
        let at: usize = post.id.parse().unwrap();
        self.pinned()[at].said.push(page.clone());
        Ok(())
    }

    async fn aside(&self, event: &Event, page: &Page) -> Result<(), Unsent> {
        self.post(event, &[], page).await.map(drop)
    }

    async fn withdraw(&self, _event: &Event, post: &Post) -> Result<(), Unsent> {
        self.through()?;
        let at: usize = post.id.parse().unwrap();
        self.pinned()[at].gone = true;
        Ok(())
    }

    async fn typing(&self, _event: &Event, stands: Option<&Place>) {
        let room = stands.map(|place| place.channel.clone());
        self.typed.lock().unwrap().push(room);
    }

    async fn download(
        &self,
        _event: &Event,
        url: &str,
        _longest: usize,
    ) -> Result<Vec<u8>, Unsent> {
        self.through()?;
        let kept = self.files.lock().unwrap().get(url).cloned();
        kept.ok_or_else(|| Unsent::Refused("nothing is kept here".into()))
    }
}
