//! The town itself: it is started, set, disturbed, and asked what arrived.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::panic::Location;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::super::line::Welcome;
use super::Town;
use super::api;
use super::clock::Clock;
use super::events::EVENTS;
use super::faults::{ANY, Astray, Cut, FILE, Fault, Faults, Greeting, HOOK, Harm, Often, POST};
use super::limits::{Limits, Rate, Tier};
use super::link;
use super::loopback::{self, Doors, PATIENCE};
use super::manifest::Manifest;
use super::methods;
use super::people::Said;
use super::places::{Channel, Workspace};
use super::post::{self, Delivery, Kind, Office, Outcome};
use super::record::{Ping, Record, Request};
use super::sender::{self, Answer, Signed};
use super::socket::{Links, Order};
use super::world::{App, Envelopes, Settings, Standing, Streaming, Switch, World};

/// Slack. It stops when dropped.
pub(crate) struct Slack {
    pub(crate) town: Town,
    _serving: JoinSet<()>,
}

impl Slack {
    pub(crate) async fn start() -> Self {
        Self::start_at(0).await
    }

    /// Starts with the API at `port`; any, if that is 0.
    #[expect(clippy::unused_async, reason = "it needs the runtime around it")]
    pub(crate) async fn start_at(port: u16) -> Self {
        let doors = Doors::new(port).unwrap();
        let (api, socket) = doors.addresses();
        let (outbox, parcels) = mpsc::unbounded_channel();
        let mut world = world(api, socket);
        world.office.outbox = Some(outbox);
        let (shared, api, socket) = doors.before(world);
        let town = Arc::new(shared);
        let mut serving = JoinSet::new();
        let requests = Router::new()
            .fallback(api::serve)
            .with_state(Arc::clone(&town));
        serving.spawn(loopback::serve(api, requests));
        let sockets = Router::new()
            .route("/link/", get(link::open))
            .with_state(Arc::clone(&town));
        serving.spawn(loopback::serve(socket, sockets));
        serving.spawn(sender::work(Arc::clone(&town), parcels));
        serving.spawn(keep_time(Arc::clone(&town)));
        Self {
            town,
            _serving: serving,
        }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.town.world()
    }

    /// What a bot's client is pointed at; methods stand below it.
    pub(crate) fn api(&self) -> String {
        format!("{}/api", self.world().settings.server)
    }

    /// The app-level token.
    pub(crate) fn app_token(&self) -> String {
        self.world().app.token.clone()
    }

    pub(crate) fn signing_secret(&self) -> String {
        self.world().app.signing_secret.clone()
    }

    /// The id and the secret with which tokens are refreshed.
    pub(crate) fn client(&self) -> (String, String) {
        self.world().app.client.clone()
    }

    /// A workspace with the app in it.
    pub(crate) fn workspace(&self, name: &str) -> Workspace {
        Workspace::founded(&self.town, name)
    }

    /// Changes the settings.
    pub(crate) fn set(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.world().settings);
        self.town.changed();
    }

    /// Sets the app up: its commands, and the names and callback ids of its shortcuts.
    pub(crate) fn offers(&self, commands: &[&str], shortcuts: &[(&str, &str)]) {
        let app = &mut self.world().app;
        app.commands = owned(commands);
        let shortcuts = shortcuts.iter();
        app.shortcuts = shortcuts
            .map(|(name, id)| ((*name).to_owned(), (*id).to_owned()))
            .collect();
    }

    /// Sets the app up as a manifest says, in every workspace there is.
    pub(crate) fn takes(&self, manifest: &Manifest) {
        let unknown = manifest
            .events
            .iter()
            .find(|event| !EVENTS.iter().any(|(one, _)| one == event));
        assert!(unknown.is_none(), "the fake has no event {unknown:?}");
        let mut world = self.world();
        world.app.events.clone_from(&manifest.events);
        world.app.commands.clone_from(&manifest.commands);
        world.app.shortcuts.clone_from(&manifest.shortcuts);
        let escapes = if manifest.escapes {
            Switch::On
        } else {
            Switch::Off
        };
        world.settings.escapes = escapes;
        world.settings.home = manifest.home;
        for team in world.teams.values_mut() {
            team.bot.scopes.clone_from(&manifest.scopes);
        }
    }

    /// The events to which the app is subscribed.
    pub(crate) fn subscribes(&self, events: &[&str]) {
        let unknown = events
            .iter()
            .find(|event| !EVENTS.iter().any(|(one, _)| one == *event));
        assert!(unknown.is_none(), "Slack has no event {unknown:?}");
        self.world().app.events = owned(events);
    }

    /// Lets time pass at once for windows, triggers, streams and retries.
    pub(crate) fn passes(&self, time: Duration) {
        self.world().clock.skip(time);
        self.town.changed();
    }

    /// No rate limits, for tests of something else.
    pub(crate) fn unlimited(&self) {
        self.world().limits.none();
    }

    pub(crate) fn limit(&self, tier: Tier, rate: Option<Rate>) {
        self.world().limits.set(tier, rate);
    }

    /// Events go to this address from now on, and not over Socket Mode.
    pub(crate) fn posts_to(&self, url: &str) {
        self.world().settings.request_url = Some(url.to_owned());
    }
}

fn owned(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// What goes wrong.
impl Slack {
    /// Orders something to go wrong with a method, such as [`POST`].
    pub(crate) fn goes_wrong(&self, on: &'static str, fault: Fault, often: Often) {
        self.world().faults.order(on, fault, often);
    }

    /// Nothing goes wrong any more, and links that were silent go on.
    pub(crate) fn calms_down(&self) {
        self.orders(usize::MAX, &Order::Heal);
        self.leads_astray(Astray::Not);
        self.world().faults.clear();
        self.town.api_is(Welcome::Open);
        self.town.socket_is(Welcome::Open);
    }

    /// Events go astray from now on; those that still waited are sent.
    pub(crate) fn leads_astray(&self, astray: Astray) {
        let mut world = self.world();
        for event in world.faults.lead_astray(astray) {
            post::attempt(&mut world, event);
        }
    }

    /// Cuts every link; says how many there were.
    pub(crate) fn cuts(&self, cut: Cut) -> usize {
        self.orders(usize::MAX, &Order::Cut(cut))
    }

    /// Cuts the oldest link.
    pub(crate) fn cuts_one(&self, cut: Cut) -> usize {
        self.orders(1, &Order::Cut(cut))
    }

    /// Cuts the link with this number.
    pub(crate) fn cuts_the(&self, link: u64, cut: Cut) {
        let world = self.world();
        let sent = world.links.open[&link].orders.send(Order::Cut(cut));
        sent.unwrap();
    }

    /// The line of this link heals: what the bot has said meanwhile comes through, also that
    /// it has gone.
    pub(crate) fn heals(&self, link: u64) {
        if let Some(link) = self.world().links.open.get(&link) {
            // It may be closing.
            drop(link.orders.send(Order::Heal));
        }
    }

    fn orders(&self, most: usize, order: &Order) -> usize {
        let world = self.world();
        let links = world.links.open.values().take(most);
        // One that is closing is cut already.
        links
            .filter(|link| link.orders.send(order.clone()).is_ok())
            .count()
    }

    /// Socket Mode is switched off.
    pub(crate) fn disables_socket_mode(&self) {
        self.world().settings.socket_mode = Switch::Off;
        self.orders(usize::MAX, &Order::Disable);
    }

    /// The app-level token is refused with `error` from now on.
    pub(crate) fn refuses_app_token(&self, error: &'static str) {
        self.world().app.token_standing = Standing::Refused(error);
    }

    /// How the next links are received.
    pub(crate) fn greets(&self, greetings: impl IntoIterator<Item = Greeting>) {
        self.world().faults.greet(greetings);
    }

    /// How Socket Mode's door is from now on.
    pub(crate) fn socket_is(&self, welcome: Welcome) {
        self.town.socket_is(welcome);
    }

    /// How the API's door is from now on.
    pub(crate) fn api_is(&self, welcome: Welcome) {
        self.town.api_is(welcome);
    }

    /// Nothing is heard and nothing is said any more, and every line stays open, until it
    /// [calms down](Self::calms_down).
    pub(crate) fn falls_silent(&self) {
        self.socket_is(Welcome::Ignored);
        self.api_is(Welcome::Ignored);
        self.cuts(Cut::BlackHole);
        self.goes_wrong(ANY, Fault::Before(Harm::Silence), Often::Always);
    }
}

/// What is posted to the app's address by hand.
impl Slack {
    /// A body, signed as of now.
    pub(crate) fn signs(&self, kind: &'static str, body: &str) -> Signed {
        sender::signed(&self.world(), kind, body.to_owned())
    }

    /// Posts a request, signed or not.
    pub(crate) async fn posts(&self, request: &Signed) -> Result<Answer, &'static str> {
        sender::send(&sender::client(), PATIENCE, request).await
    }

    /// Whether the app proves that its address is its own.
    pub(crate) async fn verifies_address(&self) -> Result<(), String> {
        let body = {
            let mut world = self.world();
            let challenge = world.clock.letters(52);
            json!({
                "token": world.app.verification,
                "challenge": challenge,
                "type": "url_verification",
            })
        };
        let challenge = body["challenge"].as_str().unwrap_or("");
        let request = self.signs(sender::JSON, &body.to_string());
        let answer = self.posts(&request).await.map_err(str::to_owned)?;
        // It may come back as it is, or in JSON.
        let json: Option<Value> = serde_json::from_str(&answer.body).ok();
        let said = json.as_ref().and_then(|json| json["challenge"].as_str());
        let said = said.unwrap_or(answer.body.trim());
        if answer.status == 200 && said == challenge {
            Ok(())
        } else {
            Err(format!("{}: {}", answer.status, answer.body))
        }
    }
}

/// What arrived.
impl Slack {
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.world().record.requests.clone()
    }

    /// The requests for a method, such as [`POST`].
    pub(crate) fn requests_to(&self, method: &str) -> Vec<Request> {
        let mut requests = self.requests();
        requests.retain(|request| request.method == method);
        requests
    }

    /// The methods that were called and are not here.
    pub(crate) fn lost_requests(&self) -> Vec<String> {
        let mut requests = self.requests();
        requests.retain(|request| {
            let known = methods::find(&request.method).is_some();
            !known && request.method != FILE && request.method != HOOK
        });
        requests.into_iter().map(|request| request.method).collect()
    }

    /// Does not mind requests for what is not here.
    pub(crate) fn forgives_lost_requests(&self) {
        let lost = self.lost_requests();
        self.world()
            .record
            .requests
            .retain(|request| !lost.contains(&request.method));
    }

    pub(crate) fn posts_in(&self, channel: &Channel) -> Vec<Request> {
        let mut posts = self.requests_to(POST);
        posts.retain(|request| request.text("channel") == channel.id);
        posts
    }

    /// Everything that changed a message, done or not.
    pub(crate) fn edits_of(&self, said: impl Into<Said>) -> Vec<Request> {
        let said = said.into();
        let changes = ["chat.update", "chat.appendStream", "chat.stopStream"];
        let mut requests = self.requests();
        requests.retain(|request| {
            changes.contains(&&*request.method)
                && request.text("channel") == said.channel
                && request.text("ts") == said.ts
        });
        requests
    }

    /// Whom the bot called.
    pub(crate) fn pings(&self) -> Vec<Ping> {
        self.world().record.pings.clone()
    }

    /// Pages that Slack would have fetched for a preview of what the bot said.
    pub(crate) fn previewed(&self) -> Vec<String> {
        self.world().record.previewed.clone()
    }

    /// What came over Socket Mode and means nothing.
    pub(crate) fn odd(&self) -> Vec<String> {
        self.world().record.odd.clone()
    }

    /// How many requests came before a 429 allowed them.
    pub(crate) fn hasty(&self) -> usize {
        self.world().record.hasty.len()
    }

    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        self.world().office.deliveries.clone()
    }

    /// How often events were sent again.
    pub(crate) fn retries(&self) -> usize {
        self.world()
            .office
            .deliveries
            .iter()
            .map(|delivery| delivery.again)
            .sum()
    }

    /// How long each acknowledgement took.
    pub(crate) fn acknowledgements(&self) -> Vec<Duration> {
        let world = self.world();
        let attempts = world.office.deliveries.iter().flat_map(|it| &it.attempts);
        let took = attempts.filter_map(|attempt| {
            let at = attempt.acknowledged?;
            (at - attempt.at).to_std().ok()
        });
        took.collect()
    }

    /// How many links there are that were said hello to.
    pub(crate) fn links(&self) -> usize {
        self.world().links.ready()
    }

    /// Waits until the bot has a link.
    #[track_caller]
    pub(crate) fn connected(&self) -> impl Future<Output = ()> {
        self.until("the bot is connected", |world| {
            (world.links.ready() > 0).then_some(())
        })
    }

    /// Waits until no link is open.
    #[track_caller]
    pub(crate) fn disconnected(&self) -> impl Future<Output = ()> {
        self.until("the bot is disconnected", |world| {
            world.links.open.is_empty().then_some(())
        })
    }

    /// Waits until everything that was sent was acknowledged or given up.
    #[track_caller]
    pub(crate) fn settled(&self) -> impl Future<Output = ()> {
        self.until("all was acknowledged", |world| {
            let mut all = world.office.deliveries.iter();
            all.all(|it| it.attempts.is_empty() || it.outcome != Outcome::Open)
                .then_some(())
        })
    }

    /// Waits until `wanted` is there; fails with what was waited for and the last requests.
    /// While it looks it holds the world, so it must not ask the town for anything.
    #[track_caller]
    pub(crate) fn until<T>(
        &self,
        what: &str,
        wanted: impl Fn(&World) -> Option<T>,
    ) -> impl Future<Output = T> {
        self.eventually(what, move || wanted(&self.world()))
    }

    /// Waits until `wanted` is there, which may ask the town and its people.
    #[track_caller]
    pub(crate) fn eventually<T>(
        &self,
        what: &str,
        wanted: impl Fn() -> Option<T>,
    ) -> impl Future<Output = T> {
        self.town
            .eventually((Location::caller(), what), lately, wanted)
    }
}

impl Drop for Slack {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let lost = self.lost_requests();
        // Whoever is still connected is told that it is over.
        self.world().links.open.clear();
        assert!(lost.is_empty(), "the fake has no such method: {lost:?}");
    }
}

fn world(api: SocketAddr, socket: SocketAddr) -> World {
    let mut clock = Clock::new();
    let app = app(&mut clock);
    World {
        settings: settings(api, socket),
        clock,
        app,
        teams: BTreeMap::new(),
        users: BTreeMap::new(),
        groups: BTreeMap::new(),
        channels: BTreeMap::new(),
        files: BTreeMap::new(),
        views: BTreeMap::new(),
        interactions: BTreeMap::new(),
        hooks: BTreeMap::new(),
        statuses: BTreeMap::new(),
        threads: BTreeMap::new(),
        codes: BTreeMap::new(),
        office: Office::default(),
        links: Links::default(),
        limits: Limits::default(),
        faults: Faults::default(),
        record: Record::default(),
    }
}

fn app(clock: &mut Clock) -> App {
    let id = clock.id("A");
    let events = EVENTS.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    App {
        token: format!("xapp-1-{id}-{}", clock.letters(24)),
        id,
        token_standing: Standing::Good,
        token_scopes: owned(&["connections:write"]),
        signing_secret: clock.letters(32).to_lowercase(),
        verification: clock.letters(24),
        client: (
            format!("{}.{}", 1_234_567, 7_654_321),
            clock.letters(32).to_lowercase(),
        ),
        events: owned(&events),
        commands: owned(&["/ask", "/library"]),
        shortcuts: BTreeMap::from([("Add to library".to_owned(), "add_to_library".to_owned())]),
    }
}

fn settings(api: SocketAddr, socket: SocketAddr) -> Settings {
    let seconds = Duration::from_secs;
    Settings {
        server: format!("http://{api}"),
        socket: format!("ws://{socket}"),
        request_url: None,
        interactivity_url: None,
        commands_url: None,
        escapes: Switch::On,
        home: Switch::On,
        socket_mode: Switch::On,
        patience: seconds(3),
        retries: vec![seconds(1), seconds(60), seconds(300)],
        envelopes: Envelopes::Fresh,
        pings: seconds(10),
        links: 10,
        notice: seconds(10),
        lifetime: seconds(3_600),
        debug_lifetime: seconds(360),
        stream: seconds(300),
        streaming: Streaming::Everywhere,
        edits: None,
        echoes: Switch::On,
        metadata: Switch::On,
        doubles: Switch::On,
        tokens: seconds(43_200),
        grace: Duration::ZERO,
    }
}

/// Sends again what was not acknowledged, and what was held back, when its time has come.
async fn keep_time(town: Town) {
    loop {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let done = post::tick(&mut town.world());
        if done == Switch::On {
            town.changed();
        }
    }
}

fn lately(world: &World) -> String {
    let requests = world.record.requests.iter().rev().take(15).rev();
    let lines = requests.map(|request| {
        let status = request
            .status
            .map_or_else(|| "-".to_owned(), |status| status.to_string());
        let error = request.error().unwrap_or("");
        format!("  {status} {} {error}\n", request.method)
    });
    let events = world
        .office
        .deliveries
        .iter()
        .filter(|it| it.kind == Kind::Event)
        .count();
    format!(
        "events: {events}; the last requests:\n{}",
        lines.collect::<String>()
    )
}
