//! One thing asked of Discord: its route, how urgent it is, and whether it may be asked twice.

use std::fmt::{self, Debug, Formatter};
use std::time::Duration;

use serenity::http::{LightMethod, Request, Route};
use url::form_urlencoded;

use super::{Fault, Setback};
use crate::adapters::chat::calls::Twice;
use crate::adapters::chat::limiter::Urgency;
use crate::adapters::discord::limiter::Lane;
use crate::ports::Cause;

/// One thing asked of Discord.
#[derive(Clone)]
#[must_use]
pub struct Call<'a> {
    route: Route<'a>,
    method: LightMethod,
    body: Option<Vec<u8>>,
    params: Vec<(&'static str, String)>,
    pub(super) urgency: Urgency,
    twice: Twice,
    pub(super) patience: Duration,
}

impl<'a> Call<'a> {
    /// How long a call waits for its turn and tries again, unless it says otherwise.
    pub const PATIENCE: Duration = Duration::from_secs(5 * 60);

    /// A call that waits, and may be repeated unless it posts.
    pub fn new(route: Route<'a>, method: LightMethod) -> Self {
        let twice = match method {
            LightMethod::Post => Twice::Shows,
            LightMethod::Delete | LightMethod::Get | LightMethod::Patch | LightMethod::Put => {
                Twice::Harmless
            },
        };
        Self {
            route,
            method,
            body: None,
            params: Vec::new(),
            urgency: Urgency::Should,
            twice,
            patience: Self::PATIENCE,
        }
    }

    /// Reads.
    pub fn get(route: Route<'a>) -> Self {
        Self::new(route, LightMethod::Get)
    }

    /// Makes something new.
    pub fn post(route: Route<'a>) -> Self {
        Self::new(route, LightMethod::Post)
    }

    /// Changes something.
    pub fn patch(route: Route<'a>) -> Self {
        Self::new(route, LightMethod::Patch)
    }

    /// Sets something.
    pub fn put(route: Route<'a>) -> Self {
        Self::new(route, LightMethod::Put)
    }

    /// Removes something.
    pub fn delete(route: Route<'a>) -> Self {
        Self::new(route, LightMethod::Delete)
    }

    /// Sends `body`, which is JSON.
    pub fn body(mut self, body: Vec<u8>) -> Self {
        self.body = Some(body);
        self
    }

    /// Adds to the query.
    pub fn param(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.params.push((name, value.to_string()));
        self
    }

    /// Says how urgent it is.
    pub fn urgency(mut self, urgency: Urgency) -> Self {
        self.urgency = urgency;
        self
    }

    /// Says that Discord or the caller sees to it that it happens once.
    pub fn harmless_twice(mut self) -> Self {
        self.twice = Twice::Harmless;
        self
    }

    /// Gives up after `patience`, without counting what is under way by then.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    pub(super) fn lane(&self) -> Lane {
        Lane::of(&self.route, self.method)
    }

    pub(super) fn request(&self) -> Request<'a> {
        let encoded = |value: &str| form_urlencoded::byte_serialize(value.as_bytes()).collect();
        let params = self.params.iter();
        let params: Vec<_> = params
            .map(|(name, value)| (*name, encoded(value)))
            .collect();
        Request::new(self.route, self.method)
            .body(self.body.clone())
            .params((!params.is_empty()).then_some(params))
    }

    /// What an answer that is none means for this call.
    pub(super) fn setback(&self, why: String, source: Option<Cause>) -> Setback {
        match self.twice {
            Twice::Harmless => Setback::Passing(Fault::Unavailable { why, source }),
            Twice::Shows => Setback::Final(Fault::Unclear { why, source }),
        }
    }
}

impl Debug for Call<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("urgency", &self.urgency)
            .field("twice", &self.twice)
            .finish_non_exhaustive()
    }
}
