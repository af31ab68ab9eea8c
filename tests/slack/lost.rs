//! The line is lost for a while, or for good.

use std::collections::BTreeSet;
use std::time::Duration;

use saseo::adapters::slack::api::Timeouts;
use saseo::adapters::slack::socket::Pulse;
use saseo::adapters::slack::{Deaf, SlackSettings};
use tokio::time::Instant;

use crate::support::line::Welcome;
use crate::support::script::Script;
use crate::support::slack::Slack;
use crate::support::slack::faults::{Cut, Greeting};
use crate::support::slack::people::{Person, Said};
use crate::support::slack::places::{Channel, Workspace};
use crate::support::slack::socket::State;
use crate::support::slack::world::World;

use super::bot::Bot;
use super::storms::{all_acknowledged, asks, hurried, is_answered_once, size, tell};
use super::talk::{ANSWER, another, team, town};

/// Links that are watched closely: what takes minutes takes seconds.
fn watchful(slack: &Slack, team: &Workspace) -> SlackSettings {
    let seconds = Duration::from_secs;
    slack.set(|settings| settings.pings = seconds(1));
    let settings = hurried(slack, team);
    SlackSettings {
        pulse: Pulse {
            tick: Duration::from_millis(300),
            silence: seconds(4),
            connect: seconds(2),
            crowded: seconds(1),
            apart: Duration::from_millis(50),
        },
        timeouts: Timeouts {
            connect: seconds(1),
            request: seconds(2),
            ..settings.timeouts
        },
        ..settings
    }
}

async fn start(slack: &Slack, team: &Workspace) -> Bot {
    let town = town(Script::saying(ANSWER)).await;
    let bot = Bot::start_with(watchful(slack, team), town).await;
    bot.open();
    slack
        .until("two links", |world| {
            (world.links.ready() == 2).then_some(())
        })
        .await;
    bot
}

/// How nothing gets through.
#[derive(Clone, Copy, Debug)]
enum Hole {
    /// The links are torn, and nobody listens where they are made.
    Refused,
    /// Nobody takes new links in.
    Connect,
    /// They are taken in, and nobody answers the handshake.
    Handshake,
    /// They open, and nothing is ever said over them; those that stand fall silent.
    Read,
    /// Neither the links nor the API.
    All,
}

impl Hole {
    fn opens(self, slack: &Slack) {
        /// More than the bot tries meanwhile.
        const MANY: usize = 500;
        let greets = |greeting| slack.greets(std::iter::repeat_n(greeting, MANY));
        match self {
            Self::Refused => {
                slack.socket_is(Welcome::Refused);
                slack.cuts(Cut::Torn);
            },
            Self::Connect => {
                slack.socket_is(Welcome::Ignored);
                slack.cuts(Cut::BlackHole);
            },
            Self::Handshake => {
                greets(Greeting::Unanswered);
                slack.cuts(Cut::Torn);
            },
            Self::Read => {
                greets(Greeting::Silence);
                slack.cuts(Cut::BlackHole);
            },
            Self::All => slack.falls_silent(),
        }
    }
}

/// Until each of these has its whole answer.
async fn answered(general: &Channel, asked: &[Said]) {
    for _ in 0..3_000 {
        let shown = general.shows();
        let whole = |said: &Said| {
            let below = shown
                .iter()
                .filter(|one| one.reply_to.as_ref() == Some(&said.ts));
            below.into_iter().any(|one| one.text.contains("receipt"))
        };
        if asked.iter().all(whole) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A line that falls into `hole` so many times; the longest that it took to be back.
async fn falls_into(hole: Hole, times: usize) -> Duration {
    let (slack, team, general, mina) = team().await;
    // Slack sends again more seldom; what is counted here is how soon the line is back.
    slack.set(|settings| settings.retries = vec![Duration::from_secs(1); 100]);
    let bot = start(&slack, &team).await;
    let (mut asked, mut longest) = (Vec::new(), Duration::ZERO);
    for time in 0..times {
        asked.push(asks(&mina, &general, asked.len()));
        hole.opens(&slack);
        tokio::time::sleep(Duration::from_millis(500)).await;
        asked.push(asks(&mina, &general, asked.len()));
        let while_away = 8 + 3 * u64::try_from(time).unwrap();
        tokio::time::sleep(Duration::from_secs(while_away)).await;
        slack.calms_down();
        let healed = Instant::now();
        asked.push(asks(&mina, &general, asked.len()));
        answered(&general, &asked).await;
        longest = longest.max(healed.elapsed());
    }
    all_acknowledged(&slack).await;
    bot.settled().await;
    is_answered_once(&general, &asked);
    tell(&format!(
        "black holes, {hole:?}: {times} of {times} healed, the slowest after {longest:?}; {} \
         questions, {} links",
        asked.len(),
        slack.world().links.opened
    ));
    longest
}

#[tokio::test]
async fn after_a_black_hole_it_is_back_within_half_a_minute() {
    let holes = [
        Hole::Refused,
        Hole::Connect,
        Hole::Handshake,
        Hole::Read,
        Hole::All,
    ];
    let falls = holes.map(|hole| falls_into(hole, size(1, 4)));
    for longest in futures::future::join_all(falls).await {
        assert!(longest < Duration::from_secs(30), "{longest:?}");
    }
}

/// All the ways in which a link is lost or goes bad, among them the half-open ones.
const CUTS: [Cut; 9] = [
    Cut::Warning,
    Cut::Refresh,
    Cut::Bare,
    Cut::TooMany,
    Cut::Torn,
    Cut::Ended,
    Cut::Closed(1001),
    Cut::Zombie,
    Cut::BlackHole,
];

fn p95(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() * 95 / 100]
}

/// The links that were not cut before, as far as they stand.
fn whole(world: &World, cut: &BTreeSet<u64>) -> Vec<u64> {
    let open = world.links.open.iter();
    let ready = open.filter(|(_, link)| link.state == State::Ready);
    let whole = ready.map(|(number, _)| *number);
    whole.filter(|number| !cut.contains(number)).collect()
}

#[tokio::test]
async fn a_hundred_refreshes_lose_nothing() {
    let (slack, team, general, mina) = team().await;
    let bot = start(&slack, &team).await;
    let (mut asked, mut gaps, mut cut) = (Vec::new(), Vec::new(), BTreeSet::new());
    for number in 0..size(18, 100) {
        // The older of the two.
        let link = whole(&slack.world(), &cut)[0];
        cut.insert(link);
        let began = Instant::now();
        slack.cuts_the(link, CUTS[number % CUTS.len()]);
        asked.push(asks(&mina, &general, number));
        tokio::time::sleep(Duration::from_millis(150)).await;
        asked.push(asks(&mina, &general, number));
        slack
            .until("two links", |world| {
                (whole(world, &cut).len() >= 2).then_some(())
            })
            .await;
        gaps.push(began.elapsed());
        slack.heals(link);
    }
    // What was on its way over a lost link is sent again, at once, after a minute and after
    // five.
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        slack.passes(Duration::from_secs(30));
    }
    all_acknowledged(&slack).await;
    bot.settled().await;
    is_answered_once(&general, &asked);
    let mut heard = heard(&slack);
    tell(&format!(
        "refreshes: {} in {} ways, {} questions, 0 lost; a link again within {:?} (p95); what was \
         said meanwhile heard within {:?} (p95)",
        gaps.len(),
        CUTS.len(),
        asked.len(),
        p95(&mut gaps),
        p95(&mut heard)
    ));
}

/// How long each event was on its way, from when it was first sent.
fn heard(slack: &Slack) -> Vec<Duration> {
    let deliveries = slack.deliveries();
    let took = deliveries.iter().filter_map(|it| {
        let first = it.attempts.first()?.at;
        let heard = it
            .attempts
            .iter()
            .filter_map(|one| one.acknowledged)
            .min()?;
        (heard - first).to_std().ok()
    });
    took.collect()
}

/// What Slack says where it does not let us in for good.
const FATAL: [&str; 7] = [
    "not_authed",
    "invalid_auth",
    "account_inactive",
    "user_removed_from_team",
    "team_disabled",
    "token_revoked",
    "token_expired",
];

/// How it ended, and that nothing is asked after that.
async fn ends(slack: &Slack, bot: Bot) -> String {
    let ended = bot.ends().await.unwrap_err();
    assert!(matches!(ended, Deaf::Refused(_)), "{ended:?}");
    let why = ended.to_string();
    let asked = slack.requests().len();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(slack.requests().len(), asked, "it goes on after: {why}");
    why
}

#[tokio::test]
async fn whatever_slack_says_to_turn_it_away_it_tries_no_more() {
    let mut tries = Vec::new();
    for error in FATAL {
        let (slack, team, _, _) = team().await;
        slack.refuses_app_token(error);
        let town = town(Script::saying(ANSWER)).await;
        let bot = Bot::start_with(watchful(&slack, &team), town).await;
        let why = ends(&slack, bot).await;
        assert!(
            why.contains(&format!("SASEO_SLACK_APP_TOKEN ({error})")),
            "{why}"
        );
        tries.push(slack.requests_to("apps.connections.open").len());
    }
    for error in FATAL {
        let (slack, team, general, mina) = team().await;
        let bot = start(&slack, &team).await;
        team.refuses_tokens(error);
        let before = slack.requests().len();
        mina.mentions_bot(&general, "Why?");
        let why = ends(&slack, bot).await;
        assert!(
            why.contains(&format!("SASEO_SLACK_BOT_TOKEN ({error})")),
            "{why}"
        );
        tries.push(slack.requests().len() - before);
    }
    tell(&format!(
        "turned away in {} ways; tries: {tries:?}",
        tries.len()
    ));
    assert!(
        tries.iter().all(|tries| (1..=3).contains(tries)),
        "{tries:?}"
    );
}

#[tokio::test]
async fn where_socket_mode_is_off_it_tries_no_more() {
    let (slack, team, _, _) = team().await;
    let bot = start(&slack, &team).await;
    let before = slack.requests_to("apps.connections.open").len();
    slack.disables_socket_mode();
    let why = ends(&slack, bot).await;
    assert!(why.contains("Socket Mode is switched off"), "{why}");
    assert!(slack.requests_to("apps.connections.open").len() <= before + 1);
    // So it is where it was off before the start.
    let bot = Bot::start_with(watchful(&slack, &team), town(Script::saying(ANSWER)).await);
    ends(&slack, bot.await).await;
    assert!(slack.requests_to("apps.connections.open").len() <= before + 3);
}

/// A second workspace must not end for the first; see `workspaces`.
#[tokio::test]
async fn a_line_that_is_lost_while_a_workspace_is_given_up_comes_back_for_the_other() {
    let (slack, team, general, mina) = team().await;
    let office = another(&slack, "Office");
    let mut settings = watchful(&slack, &team);
    settings.tokens.push(office.token().into());
    let bot = Bot::start_with(settings, town(Script::saying(ANSWER)).await).await;
    bot.open();
    slack.connected().await;
    office.refuses_tokens("token_revoked");
    let hall = office.channel("hall");
    let joon: Person = office.member("Joon");
    joon.says(&hall, "@saseo of Office why?");
    slack
        .eventually("it is given up", || {
            (!given_up(&bot).is_empty()).then_some(())
        })
        .await;
    slack.cuts(Cut::Torn);
    let asked = [asks(&mina, &general, 0)];
    slack.passes(Duration::from_secs(4));
    answered(&general, &asked).await;
    bot.settled().await;
    is_answered_once(&general, &asked);
}

fn given_up(bot: &Bot) -> Vec<String> {
    let mut told = bot.told();
    told.retain(|line| line.contains("given up"));
    told
}
