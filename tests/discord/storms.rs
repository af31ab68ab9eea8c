//! Storms: what people say is answered exactly once, whatever happens to the line.
//!
//! Counts are taken where Discord stands, never from our own state. The sizes here are those of
//! an ordinary run; `make storms` runs them in full.

use std::collections::BTreeMap;
use std::time::Duration;

use saseo::app::reception::ReceptionRules;
use tokio::time::Instant;

use crate::support::discord::Discord;
use crate::support::discord::clock::Id;
use crate::support::discord::faults::{Astray, Cut, POST};
use crate::support::discord::guilds::{Channel, Guild};
use crate::support::discord::people::Person;
use crate::support::script::Script;
pub(super) use crate::support::seeded::Chance;
use crate::support::town::Town;

use super::bot::{Bot, Manner};
use super::lost::watchful;

pub(super) use crate::support::town::{ANSWER, LEAVE, QUESTION};

/// How much of it: a little in an ordinary run, all of it when asked for.
pub(super) fn size<T>(little: T, full: T) -> T {
    #[expect(clippy::disallowed_methods, reason = "a test has no settings file")]
    let asked = std::env::var("SASEO_STORMS");
    if asked.is_ok_and(|asked| asked == "full") {
        full
    } else {
        little
    }
}

/// Says what was counted, for whoever reads along.
#[expect(clippy::print_stdout, reason = "counts are what a storm is for")]
pub(super) fn tell(what: &str) {
    println!("{what}");
}

pub(super) async fn town(script: Script) -> Town {
    let town = Town::with(script);
    town.add("Leave", LEAVE).await;
    town
}

/// A manner in which nobody is sent away.
pub(super) fn patient() -> Manner {
    Manner {
        rules: ReceptionRules {
            queue: 100_000,
            longest_wait: Duration::from_secs(36_000),
            pace: Duration::from_millis(50),
            ..ReceptionRules::default()
        },
        ..Manner::default()
    }
}

pub(super) async fn bot(discord: &Discord, town: Town, manner: Manner) -> Bot {
    let bot = Bot::start_closed(discord, town, manner).await;
    bot.open();
    discord.connected().await;
    bot
}

/// What the bot has said below each message, as it reads now.
pub(super) fn replies(discord: &Discord, channels: &[Channel]) -> BTreeMap<Id, Vec<String>> {
    let world = discord.world();
    let mut replies: BTreeMap<Id, Vec<String>> = BTreeMap::new();
    for channel in channels {
        let messages = world.channels[&channel.id].messages.values();
        for message in messages.filter(|message| message.author == world.bot) {
            let to = message.reference.unwrap_or(0);
            replies.entry(to).or_default().push(message.content.clone());
        }
    }
    replies
}

pub(super) fn is_whole(text: &str) -> bool {
    text.contains("15 days") && text.contains("receipt")
}

/// Waits until each of `said` has a whole answer; gives up where nothing more comes.
pub(super) async fn answered(discord: &Discord, channels: &[Channel], said: &[Id]) {
    let (mut whole, mut since) = (0, Instant::now());
    while since.elapsed() < Duration::from_secs(90) {
        let replies = replies(discord, channels);
        let has_whole = |id: &&Id| {
            let mut texts = replies.get(id).into_iter().flatten();
            texts.any(|text| is_whole(text))
        };
        let now = said.iter().filter(has_whole).count();
        if now == said.len() {
            return;
        }
        if now > whole {
            (whole, since) = (now, Instant::now());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let replies = replies(discord, channels);
    let missing: Vec<_> = said
        .iter()
        .map(|id| replies.get(id))
        .filter(|texts| !texts.is_some_and(|texts| texts.iter().any(|text| is_whole(text))))
        .collect();
    assert_eq!(
        whole,
        said.len(),
        "not all of them are answered: {missing:#?}"
    );
}

/// Every one of `said` has one reply and no more, which is whole.
pub(super) fn once_each(discord: &Discord, channels: &[Channel], said: &[Id]) {
    let replies = replies(discord, channels);
    let wrong: Vec<_> = said
        .iter()
        .filter(
            |id| !matches!(replies.get(id).map(Vec::as_slice), Some([one]) if is_whole(one)),
        )
        .map(|id| (id, replies.get(id)))
        .collect();
    assert!(wrong.is_empty(), "{} wrong: {wrong:#?}", wrong.len());
    assert_eq!(replies.len(), said.len(), "replies to nothing");
}

/// People who talk in some channels.
pub(super) struct Crowd {
    pub(super) channels: Vec<Channel>,
    pub(super) people: Vec<Person>,
    pub(super) said: Vec<Id>,
}

impl Crowd {
    pub(super) fn of(guild: &Guild, people: usize, channels: usize) -> Self {
        let channels = (0..channels).map(|n| guild.channel(&format!("room-{n}")));
        let people = (0..people).map(|n| guild.member(&format!("Person{n}"), &[]));
        Self {
            channels: channels.collect(),
            people: people.collect(),
            said: Vec::new(),
        }
    }

    pub(super) fn asks(&mut self, times: usize, chance: &mut Chance) {
        for _ in 0..times {
            let channel = &self.channels[chance.below(self.channels.len())];
            let person = &self.people[chance.below(self.people.len())];
            self.said.push(person.mentions_bot(channel, QUESTION).id);
        }
    }
}

/// All ways for a connection to be lost that serenity goes on after.
const CUTS: [Cut; 19] = [
    Cut::Torn,
    Cut::Closed(4003),
    Cut::Ended,
    Cut::Invalid,
    Cut::Reconnect,
    Cut::NotJson,
    Cut::HalfFrame,
    Cut::Closed(4000),
    Cut::InvalidResumable,
    Cut::Zombie,
    Cut::NotZlib,
    Cut::Closed(4001),
    Cut::Closed(4002),
    Cut::Closed(4005),
    Cut::Closed(4006),
    Cut::BlackHole,
    Cut::Closed(4007),
    Cut::Closed(4008),
    Cut::Closed(4009),
];

/// Until a connection newer than `before` has a session.
async fn reconnected(discord: &Discord, before: u64, cut: Cut) {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(120) {
        let newer = discord
            .world()
            .gateway
            .links
            .iter()
            .any(|(number, link)| *number > before && link.session.is_some());
        if newer {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(began.elapsed().is_zero(), "no new connection after {cut:?}");
}

#[tokio::test]
async fn a_gateway_that_is_cut_again_and_again_loses_and_doubles_nothing() {
    let (cuts, each) = (size(10, 100), size(20, 20));
    let mut chance = Chance::new("cuts");
    let discord = Discord::start().await;
    discord.unlimited();
    discord.set(|settings| settings.heartbeat = Duration::from_secs(3));
    let mut crowd = Crowd::of(&discord.guild("team"), 7, 5);
    let bot = bot(&discord, town(Script::saying(ANSWER)).await, watchful()).await;
    let began = Instant::now();

    for number in 0..cuts {
        let cut = CUTS[number % CUTS.len()];
        discord.leads_astray(Astray::Storm(7, chance.seed()));
        crowd.asks(each / 3, &mut chance);
        let before = discord.world().gateway.opened;
        let lost = Instant::now();
        assert!(discord.cuts(cut) > 0);
        crowd.asks(each / 3, &mut chance);
        discord.leads_astray(Astray::Not);
        if !matches!(cut, Cut::NotJson | Cut::NotZlib) {
            reconnected(&discord, before, cut).await;
        }
        tell(&format!("{cut:?}: {:?}", lost.elapsed()));
        crowd.asks(each - each / 3 * 2, &mut chance);
    }
    answered(&discord, &crowd.channels, &crowd.said).await;
    bot.settled().await;

    once_each(&discord, &crowd.channels, &crowd.said);
    let posts = discord.requests_to(POST);
    assert_eq!(posts.len(), crowd.said.len());
    let identifies = discord.identifies();
    tell(&format!(
        "cuts: {cuts} cuts, {} mentions, {} posts, {identifies} IDENTIFYs, {} RESUMEs, {:?}",
        crowd.said.len(),
        posts.len(),
        discord.resumes(),
        began.elapsed(),
    ));
    assert!(identifies <= 60, "{identifies} IDENTIFYs");
}
