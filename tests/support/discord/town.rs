//! The town itself: it is started, set, disturbed, and asked what arrived.

use std::net::SocketAddr;
use std::panic::Location;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use serde_json::Value;
use tokio::task::JoinSet;

use super::Town;
use super::connection;
use super::faults::{ANY, Astray, Cut, Fault, Greeting, Harm, Often, POST};
use super::gateway::{self, MESSAGE_CONTENT, Order};
use super::guilds::{Channel, Guild};
use super::limits::{Bucket, Rule};
use super::line::Welcome;
use super::loopback::{self, Doors};
use super::people::Said;
use super::record::{Ping, Request};
use super::rest;
use super::world::{Settings, World};

/// Discord. It stops when dropped.
pub(crate) struct Discord {
    pub(crate) town: Town,
    _serving: JoinSet<()>,
}

impl Discord {
    pub(crate) async fn start() -> Self {
        Self::start_at(0).await
    }

    /// Starts with the API at `port`; any, if that is 0.
    #[expect(clippy::unused_async, reason = "it needs the runtime around it")]
    pub(crate) async fn start_at(port: u16) -> Self {
        let doors = Doors::new(port).unwrap();
        let (api, gateway) = doors.addresses();
        let (shared, api, gateway) = doors.before(World::new(settings(api, gateway)));
        let town = Arc::new(shared);
        let mut serving = JoinSet::new();
        let requests = Router::new()
            .fallback(rest::serve)
            .with_state(Arc::clone(&town));
        serving.spawn(loopback::serve(api, requests));
        let sockets = Router::new()
            .route("/", get(connection::open))
            .with_state(Arc::clone(&town));
        serving.spawn(loopback::serve(gateway, sockets));
        serving.spawn(deliver_late(Arc::clone(&town)));
        Self {
            town,
            _serving: serving,
        }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.town.world()
    }

    /// What a bot's HTTP client is pointed at.
    pub(crate) fn api(&self) -> String {
        self.world().settings.api.clone()
    }

    pub(crate) fn gateway(&self) -> String {
        self.world().settings.gateway.clone()
    }

    pub(crate) fn token(&self) -> String {
        self.world().settings.token.clone()
    }

    /// Changes the settings.
    pub(crate) fn set(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.world().settings);
    }

    /// Switches the `MESSAGE_CONTENT` intent on in the developer portal.
    pub(crate) fn lets_content_be_read(&self) {
        self.world().settings.privileged |= MESSAGE_CONTENT;
    }

    /// Lets time pass at once for windows, tokens and links.
    pub(crate) fn passes(&self, time: Duration) {
        self.world().clock.skip(time);
        self.town.changed();
    }

    /// A guild with the bot in it.
    pub(crate) fn guild(&self, name: &str) -> Guild {
        Guild::found(&self.town, name)
    }

    /// No rate limits, for tests of something else.
    pub(crate) fn unlimited(&self) {
        self.world().limits.none();
    }

    pub(crate) fn limit(&self, bucket: Bucket, rule: Option<Rule>) {
        self.world().limits.set(bucket, rule);
    }

    pub(crate) fn limit_all(&self, rule: Option<Rule>) {
        self.world().limits.set_global(rule);
    }
}

/// What goes wrong.
impl Discord {
    /// Orders something to go wrong with requests to a route, such as [`POST`].
    pub(crate) fn goes_wrong(&self, on: &'static str, fault: Fault, often: Often) {
        self.world().faults.order(on, fault, often);
    }

    /// Nothing goes wrong any more.
    pub(crate) fn calms_down(&self) {
        self.world().faults.clear();
        self.town.api_is(Welcome::Open);
        self.town.socket_is(Welcome::Open);
    }

    /// Events go astray from now on.
    pub(crate) fn leads_astray(&self, astray: Astray) {
        let mut world = self.world();
        for event in world.faults.lead_astray(astray) {
            gateway::tell_at_once(&mut world, &event);
        }
    }

    /// Cuts every connection to the gateway; says how many there were.
    pub(crate) fn cuts(&self, cut: Cut) -> usize {
        let world = self.world();
        for link in world.gateway.links.values() {
            // One that is closing is cut already.
            let _ = link.orders.send(Order::Cut(cut));
        }
        world.gateway.links.len()
    }

    /// Cuts the connections for one share of the guilds.
    pub(crate) fn cuts_shard(&self, shard: u64, cut: Cut) {
        let world = self.world();
        let sessions = &world.gateway.sessions;
        let links = world.gateway.links.values();
        for link in
            links.filter(|link| link.session.is_some_and(|n| sessions[n].shard == shard))
        {
            // One that is closing is cut already.
            let _ = link.orders.send(Order::Cut(cut));
        }
    }

    /// How the next connections to the gateway are received.
    pub(crate) fn greets(&self, greetings: impl IntoIterator<Item = Greeting>) {
        self.world().faults.greet(greetings);
    }

    /// How the gateway's door is from now on.
    pub(crate) fn gateway_is(&self, welcome: Welcome) {
        self.town.socket_is(welcome);
    }

    /// How the API's door is from now on.
    pub(crate) fn api_is(&self, welcome: Welcome) {
        self.town.api_is(welcome);
    }

    /// Nothing is heard and nothing is said any more, and every line stays open, until it
    /// [calms down](Self::calms_down).
    pub(crate) fn falls_silent(&self) {
        self.gateway_is(Welcome::Ignored);
        self.api_is(Welcome::Ignored);
        self.cuts(Cut::BlackHole);
        self.goes_wrong(ANY, Fault::Before(Harm::Silence), Often::Always);
    }

    /// No session can be resumed any more.
    pub(crate) fn forgets_sessions(&self) {
        for session in &mut self.world().gateway.sessions {
            session.id.push_str(" of old");
        }
    }
}

/// What arrived.
impl Discord {
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.world().record.requests.clone()
    }

    /// The requests to a route, such as [`POST`].
    pub(crate) fn requests_to(&self, route: &str) -> Vec<Request> {
        let named =
            |request: &&Request| format!("{} {}", request.method, request.route) == route;
        self.world()
            .record
            .requests
            .iter()
            .filter(named)
            .cloned()
            .collect()
    }

    /// The paths of requests for something that Discord does not have.
    pub(crate) fn lost_requests(&self) -> Vec<String> {
        let world = self.world();
        let lost = world.record.requests.iter();
        lost.filter(|request| request.route.is_empty())
            .map(|request| format!("{} {}", request.method, request.path))
            .collect()
    }

    /// The bodies of payloads of this opcode that came over the gateway.
    pub(crate) fn payloads(&self, op: u64) -> Vec<Value> {
        let world = self.world();
        let payloads = world.record.payloads.iter();
        payloads
            .filter(|payload| payload.op == op)
            .map(|payload| payload.body.clone())
            .collect()
    }

    pub(crate) fn identifies(&self) -> usize {
        self.payloads(2).len()
    }

    pub(crate) fn resumes(&self) -> usize {
        self.payloads(6).len()
    }

    pub(crate) fn posts_in(&self, channel: &Channel) -> Vec<Request> {
        let path = format!("/api/v10/channels/{}/messages", channel.id);
        let mut posts = self.requests_to(POST);
        posts.retain(|request| request.path == path);
        posts
    }

    /// The edits of a message, by its own route or by that of the interaction it answers.
    pub(crate) fn edits_of(&self, said: impl Into<Said>) -> Vec<Request> {
        let id = Value::from(said.into().id.to_string());
        let edits = |request: &&Request| {
            request.method == "PATCH"
                && request.status == Some(200)
                && request.answer.as_ref().is_some_and(|it| it["id"] == id)
        };
        let world = self.world();
        world
            .record
            .requests
            .iter()
            .filter(edits)
            .cloned()
            .collect()
    }

    /// Whom the bot called.
    pub(crate) fn pings(&self) -> Vec<Ping> {
        self.world().record.pings.clone()
    }

    /// Pages that Discord would have fetched for a preview of what the bot said.
    pub(crate) fn previewed(&self) -> Vec<String> {
        self.world().record.previewed.clone()
    }

    /// Requests answered with 401, 403 or 429 in the last ten minutes.
    pub(crate) fn invalid_requests(&self) -> usize {
        let world = self.world();
        world.record.invalid_lately(world.clock.now())
    }

    /// The names of the commands that are registered.
    pub(crate) fn commands(&self) -> Vec<String> {
        let world = self.world();
        let names = world
            .commands
            .all()
            .map(|command| command.name().to_owned());
        names.collect()
    }

    /// Waits until the bot has a session and a connection for it.
    #[track_caller]
    pub(crate) fn connected(&self) -> impl Future<Output = ()> {
        self.until("the bot is connected", |world| {
            let mut sessions = world.gateway.sessions.iter();
            sessions.any(|session| session.link.is_some()).then_some(())
        })
    }

    /// Waits until no connection to the gateway is open.
    #[track_caller]
    pub(crate) fn disconnected(&self) -> impl Future<Output = ()> {
        self.until("the bot is disconnected", |world| {
            world.gateway.links.is_empty().then_some(())
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

impl Drop for Discord {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let lost = self.lost_requests();
        // Whoever is still connected is told that it is over.
        self.world().gateway.links.clear();
        assert!(lost.is_empty(), "Discord has nothing there: {lost:?}");
    }
}

fn settings(api: SocketAddr, gateway: SocketAddr) -> Settings {
    Settings {
        token: "MTIzNDU2Nzg5MDEyMzQ1Njc4.G0ldF1.not-a-token-of-any-bot".to_owned(),
        api: format!("http://{api}"),
        gateway: format!("ws://{gateway}"),
        heartbeat: Duration::from_millis(41_250),
        resumable: Duration::from_secs(180),
        identify_pause: Duration::ZERO,
        shards: 1,
        session_starts: 1_000,
        turns_away: None,
        privileged: 0,
        nonces: Some(Duration::from_secs(180)),
        late_edits: 5,
        links: Duration::from_secs(24 * 60 * 60),
    }
}

/// Tells the events that were held back, when their time has come.
async fn deliver_late(town: Town) {
    loop {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let mut world = town.world();
        let now = world.clock.now();
        for event in world.faults.due(now) {
            gateway::tell_at_once(&mut world, &event);
        }
    }
}

fn lately(world: &World) -> String {
    let requests = world.record.requests.iter().rev().take(15).rev();
    let lines = requests.map(|request| {
        let status = request
            .status
            .map_or_else(|| "-".to_owned(), |status| status.to_string());
        format!("  {status} {} {}\n", request.method, request.path)
    });
    format!("the last requests:\n{}", lines.collect::<String>())
}
