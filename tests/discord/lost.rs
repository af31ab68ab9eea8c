//! The line is lost for a while, or for good.

use std::time::Duration;

use saseo::adapters::discord::{Deaf, Pulse};
use serde_json::json;
use tokio::time::Instant;

use crate::support::discord::Discord;
use crate::support::discord::faults::{Astray, Cut, Fault, Often};
use crate::support::discord::gateway::shard_of;
use crate::support::discord::line::Welcome;
use crate::support::discord::people::Said;
use crate::support::discord::world::World;
use crate::support::script::Script;
use crate::support::town::Town;

use super::bot::{Bot, Failure, Manner};
use super::storms::{
    ANSWER, Chance, Crowd, QUESTION, answered, bot, once_each, patient, size, tell, town,
};

/// A connection that is watched closely.
pub(super) fn watchful() -> Manner {
    Manner {
        pulse: Pulse {
            tick: Duration::from_millis(200),
            silence: Duration::from_secs(12),
            stuck: Duration::from_secs(3),
        },
        ..patient()
    }
}

/// A person who may not be lost, in a server for each of two connections.
async fn two_shards(discord: &Discord) -> [Crowd; 2] {
    discord.set(|settings| settings.shards = 2);
    discord.unlimited();
    let mut crowds: [Option<Crowd>; 2] = [None, None];
    while crowds.iter().any(Option::is_none) {
        let guild = discord.guild("team");
        let shard = usize::try_from(shard_of(guild.id, 2)).unwrap();
        crowds[shard].get_or_insert_with(|| Crowd::of(&guild, 1, 1));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    crowds.map(Option::unwrap)
}

#[tokio::test]
async fn where_discord_says_so_it_listens_over_several_connections() {
    let discord = Discord::start().await;
    let mut crowds = two_shards(&discord).await;
    let bot = bot(&discord, town(Script::saying(ANSWER)).await, watchful()).await;
    let mut chance = Chance::new("shards");
    discord
        .eventually("both are there", || {
            (discord.identifies() == 2).then_some(())
        })
        .await;
    for crowd in &mut crowds {
        crowd.asks(2, &mut chance);
        answered(&discord, &crowd.channels, &crowd.said).await;
        once_each(&discord, &crowd.channels, &crowd.said);
    }
    let shards = discord.payloads(2).into_iter();
    let shards: Vec<_> = shards.map(|asked| asked["shard"].clone()).collect();
    assert_eq!(shards, [json!([0, 2]), json!([1, 2])]);
    // Direct messages come over the first.
    let mina = &crowds[1].people[0];
    let alone = mina.direct_message(QUESTION);
    answered(&discord, &[mina.direct_channel()], &[alone.id]).await;
    bot.settled().await;
}

#[tokio::test]
async fn connections_that_come_up_one_after_the_other_are_waited_for() {
    let discord = Discord::start().await;
    discord.set(|settings| settings.shards = 4);
    let mut crowd = Crowd::of(&discord.guild("team"), 1, 1);
    let manner = Manner {
        pulse: Pulse {
            // serenity begins a session every five seconds: the last comes much later.
            silence: Duration::from_secs(8),
            ..watchful().pulse
        },
        ..patient()
    };
    let bot = bot(&discord, town(Script::saying(ANSWER)).await, manner).await;
    for many in 2..=4 {
        discord
            .eventually("they are there", || {
                (discord.identifies() >= many).then_some(())
            })
            .await;
    }
    crowd.asks(1, &mut Chance::new("four"));
    answered(&discord, &crowd.channels, &crowd.said).await;
    assert_eq!(discord.identifies(), 4);
    bot.settled().await;
}

#[tokio::test]
async fn what_is_said_to_a_dead_connection_is_heard_though_others_live() {
    let discord = Discord::start().await;
    let mut crowds = two_shards(&discord).await;
    let bot = bot(&discord, town(Script::saying(ANSWER)).await, watchful()).await;
    let mut chance = Chance::new("one dead");
    let [alive, dead] = &mut crowds;
    for crowd in [&mut *alive, &mut *dead] {
        crowd.asks(1, &mut chance);
        answered(&discord, &crowd.channels, &crowd.said).await;
    }
    discord.leads_astray(Astray::Lost);
    dead.asks(1, &mut chance);
    discord.leads_astray(Astray::Not);
    // As long as serenity may take to see that nothing comes any more.
    discord.passes(Duration::from_secs(100));
    for _ in 0..3 {
        alive.asks(1, &mut chance);
        answered(&discord, &alive.channels, &alive.said).await;
        // Long enough to put down that what was said before was heard.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    discord.cuts_shard(1, Cut::Invalid);
    for crowd in &crowds {
        answered(&discord, &crowd.channels, &crowd.said).await;
        once_each(&discord, &crowd.channels, &crowd.said);
    }
    bot.settled().await;
}

/// Has something in `said` that nobody knows how to read.
fn is_new_to_everybody(discord: &Discord, said: Said) {
    let row = json!({ "type": 1, "components": [{ "type": 999 }] });
    let mut world = discord.world();
    let room = world.channels.get_mut(&said.channel).unwrap();
    room.messages.get_mut(&said.id).unwrap().components = vec![row];
}

#[tokio::test]
async fn a_message_that_nobody_can_read_hides_no_others() {
    let discord = Discord::start().await;
    let mut crowd = Crowd::of(&discord.guild("team"), 2, 1);
    let bot = bot(&discord, town(Script::saying(ANSWER)).await, watchful()).await;
    let mut chance = Chance::new("unread");
    crowd.asks(1, &mut chance);
    answered(&discord, &crowd.channels, &crowd.said).await;

    discord.leads_astray(Astray::Lost);
    crowd.asks(1, &mut chance);
    let strange = crowd.people[0].mentions_bot(&crowd.channels[0], "Something new.");
    is_new_to_everybody(&discord, strange);
    crowd.asks(1, &mut chance);
    discord.leads_astray(Astray::Not);
    discord.cuts(Cut::Invalid);
    answered(&discord, &crowd.channels, &crowd.said).await;
    bot.settled().await;
    once_each(&discord, &crowd.channels, &crowd.said);
}

#[tokio::test]
async fn what_is_said_while_it_first_connects_is_answered() {
    let discord = Discord::start().await;
    let mut crowd = Crowd::of(&discord.guild("team"), 2, 1);
    let slow = Fault::Slow(Duration::from_secs(2));
    discord.goes_wrong("GET /gateway/bot", slow, Often::Next(1));
    let town = town(Script::saying(ANSWER)).await;
    let bot = Bot::start_closed(&discord, town, watchful());
    let (bot, ()) = tokio::join!(bot, async {
        let asked = |world: &World| {
            let mut requests = world.record.requests.iter();
            requests
                .any(|it| it.path.ends_with("/gateway/bot"))
                .then_some(())
        };
        discord.until("it asks for the gateway", asked).await;
        crowd.asks(3, &mut Chance::new("first"));
    });
    bot.open();
    answered(&discord, &crowd.channels, &crowd.said).await;
    bot.settled().await;
    once_each(&discord, &crowd.channels, &crowd.said);
}

#[tokio::test]
async fn its_token_goes_to_no_gateway_that_others_can_listen_to() {
    let discord = Discord::start().await;
    discord.set(|settings| settings.gateway = "ws://192.0.2.1:1".to_owned());
    let bot = Bot::start_closed(&discord, town(Script::saying(ANSWER)).await, watchful());
    let ended = bot.await.ends().await.unwrap_err();
    assert!(matches!(ended, Deaf::Refused(_)), "{ended}");
    assert!(ended.to_string().contains("wss://"), "{ended}");
}

/// How nothing gets through.
#[derive(Clone, Copy, Debug)]
enum Hole {
    /// Neither to the gateway nor to the API.
    All,
    /// The gateway's lines stay open, and new ones are not answered.
    Gateway,
    /// The gateway's lines are torn, and nobody listens.
    Refused,
}

impl Hole {
    fn opens(self, discord: &Discord) {
        match self {
            Self::All => discord.falls_silent(),
            Self::Gateway => {
                discord.gateway_is(Welcome::Ignored);
                discord.cuts(Cut::BlackHole);
            },
            Self::Refused => {
                discord.gateway_is(Welcome::Refused);
                discord.cuts(Cut::Torn);
            },
        }
    }
}

/// A line that falls into `hole` so many times; the longest that it took to be back.
async fn falls_into(hole: Hole, times: usize) -> Duration {
    let mut chance = Chance::new("black holes");
    let discord = Discord::start().await;
    discord.unlimited();
    discord.set(|settings| settings.heartbeat = Duration::from_secs(2));
    let mut crowd = Crowd::of(&discord.guild("team"), 3, 2);
    let bot = bot(&discord, town(Script::saying(ANSWER)).await, watchful()).await;
    let mut longest = Duration::ZERO;
    for time in 0..times {
        crowd.asks(2, &mut chance);
        hole.opens(&discord);
        tokio::time::sleep(Duration::from_millis(500)).await;
        crowd.asks(2, &mut chance);
        let while_away = 6 + 3 * u64::try_from(time).unwrap();
        tokio::time::sleep(Duration::from_secs(while_away)).await;
        discord.calms_down();
        let healed = Instant::now();
        crowd.asks(1, &mut chance);
        answered(&discord, &crowd.channels, &crowd.said).await;
        longest = longest.max(healed.elapsed());
    }
    bot.settled().await;
    once_each(&discord, &crowd.channels, &crowd.said);
    tell(&format!(
        "black holes, {hole:?}: {times} of {times} healed, the slowest after {longest:?}; {} \
         mentions, {} IDENTIFYs",
        crowd.said.len(),
        discord.identifies(),
    ));
    longest
}

#[tokio::test]
async fn after_a_black_hole_it_is_back_within_half_a_minute() {
    let holes = [Hole::Refused, Hole::All, Hole::Gateway];
    let falls = holes.map(|hole| falls_into(hole, size(1, 7)));
    for longest in futures::future::join_all(falls).await {
        assert!(longest < Duration::from_secs(30), "{longest:?}");
    }
}

/// Discord turns whoever identifies away with `code`.
async fn turned_away(code: u16) -> (Deaf, usize) {
    let discord = Discord::start().await;
    discord.set(|settings| settings.turns_away = Some(code));
    let manner = Manner {
        pulse: Pulse {
            silence: Duration::from_secs(11),
            ..watchful().pulse
        },
        ..patient()
    };
    let town = town(Script::saying(ANSWER)).await;
    let bot = Bot::start_closed(&discord, town, manner).await;
    let ended = bot.ends().await.unwrap_err();
    let tries = discord.identifies();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(discord.identifies(), tries, "it goes on after {ended}");
    (ended, tries)
}

#[tokio::test]
async fn who_may_not_listen_ends_at_once_and_says_what_to_do() {
    for (code, advice) in [
        (4004, "developer portal"),
        (4013, "which boxes to tick"),
        (4014, "which boxes to tick"),
    ] {
        let (ended, tries) = turned_away(code).await;
        assert!(matches!(ended, Deaf::Refused(_)), "{code}: {ended}");
        assert!(ended.to_string().contains(advice), "{code}: {ended}");
        assert_eq!(tries, 1, "{code}");
    }
}

#[tokio::test]
async fn who_gets_no_session_ends_after_a_few_tries() {
    let ends = [4010, 4011, 4012].map(async |code| (code, turned_away(code).await));
    for (code, (ended, tries)) in futures::future::join_all(ends).await {
        tell(&format!("{code}: {tries} IDENTIFYs, then: {ended}"));
        assert!(matches!(ended, Deaf::Refused(_)), "{code}: {ended}");
        assert!(
            ended.to_string().contains("install a newer one"),
            "{code}: {ended}"
        );
        // After 4012 serenity comes again by itself until it is stopped.
        let most = if code == 4012 { 5 } else { 3 };
        assert!(tries <= most, "{code}: {tries} tries");
    }
}

#[tokio::test]
async fn who_is_turned_away_for_now_may_be_started_again() {
    let (ended, tries) = turned_away(4000).await;
    assert!(matches!(ended, Deaf::Failed(_)), "{ended}");
    assert!(
        ended.to_string().contains("before a session began"),
        "{ended}"
    );
    assert!(tries <= 6, "{tries} tries");
}

#[tokio::test]
async fn a_token_that_is_taken_away_ends_it() {
    let discord = Discord::start().await;
    let mut crowd = Crowd::of(&discord.guild("team"), 1, 1);
    let bot = bot(&discord, town(Script::saying(ANSWER)).await, watchful()).await;
    discord.set(|settings| settings.token.push_str("-new"));
    crowd.asks(1, &mut Chance::new("token"));
    let ended = bot.ends().await.unwrap_err();
    assert!(matches!(ended, Deaf::Refused(_)), "{ended}");
    assert!(ended.to_string().contains("make a new one"), "{ended}");
    assert!(discord.invalid_requests() <= 3);
}

#[tokio::test]
async fn it_ends_before_discord_takes_its_token_away() {
    let discord = Discord::start().await;
    discord.set(|settings| settings.session_starts = 49);
    let bot = Bot::start_closed(&discord, town(Script::saying(ANSWER)).await, watchful());
    let ended = bot.await.ends().await.unwrap_err();
    assert!(matches!(ended, Deaf::Refused(_)), "{ended}");
    assert!(
        ended.to_string().contains("start again in 24 hours"),
        "{ended}"
    );
    assert_eq!(discord.identifies(), 0);
}

#[tokio::test]
async fn what_the_disk_kept_only_half_is_answered() {
    let discord = Discord::start().await;
    let mut crowd = Crowd::of(&discord.guild("team"), 1, 1);
    let bot = bot(&discord, town(Script::saying(ANSWER)).await, watchful()).await;
    bot.disk.fails(&[Failure::Half]);
    crowd.asks(1, &mut Chance::new("half"));
    answered(&discord, &crowd.channels, &crowd.said).await;
    bot.settled().await;
    once_each(&discord, &crowd.channels, &crowd.said);
}

#[tokio::test]
async fn what_the_disk_refused_is_kept_once_it_has_room() {
    let discord = Discord::start().await;
    let mut crowd = Crowd::of(&discord.guild("team"), 2, 1);
    let bot = bot(&discord, town(Script::saying(ANSWER)).await, watchful()).await;
    let mut chance = Chance::new("refused");
    bot.disk.fails(&[Failure::Whole; 7]);
    crowd.asks(1, &mut chance);
    tokio::time::sleep(Duration::from_secs(4)).await;
    discord.passes(Duration::from_secs(600));
    crowd.asks(1, &mut chance);
    answered(&discord, &crowd.channels, &crowd.said).await;
    bot.settled().await;
    once_each(&discord, &crowd.channels, &crowd.said);
    assert_eq!(
        discord.identifies(),
        1,
        "in the session in which it was said"
    );
}

#[tokio::test]
async fn what_the_disk_refused_is_heard_by_the_next_run() {
    let discord = Discord::start().await;
    let mut crowd = Crowd::of(&discord.guild("team"), 2, 1);
    let [mina, jun] = crowd.people.as_slice() else {
        unreachable!("two people")
    };
    let first = bot(&discord, town(Script::saying(ANSWER)).await, watchful()).await;
    first.disk.refuses(&mina.id);
    crowd
        .said
        .push(mina.mentions_bot(&crowd.channels[0], QUESTION).id);
    tokio::time::sleep(Duration::from_secs(4)).await;
    discord.passes(Duration::from_secs(600));
    for _ in 0..3 {
        crowd
            .said
            .push(jun.mentions_bot(&crowd.channels[0], QUESTION).id);
        answered(&discord, &crowd.channels, &crowd.said[1..]).await;
        // Long enough to put down that what was said before was heard.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }

    let town = Town::within(first.dies().await, Script::saying(ANSWER));
    let second = bot(&discord, town, watchful()).await;
    answered(&discord, &crowd.channels, &crowd.said).await;
    second.settled().await;
    once_each(&discord, &crowd.channels, &crowd.said);
}

#[tokio::test]
async fn what_is_said_while_a_fresh_install_starts_again_is_answered() {
    let discord = Discord::start().await;
    let mut crowd = Crowd::of(&discord.guild("team"), 2, 1);
    let mut chance = Chance::new("fresh");
    crowd.asks(1, &mut chance);
    crowd.said.clear();
    let first = bot(&discord, town(Script::saying(ANSWER)).await, watchful()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let folder = first.dies().await;
    crowd.asks(3, &mut chance);

    let town = Town::within(folder, Script::saying(ANSWER));
    let second = bot(&discord, town, watchful()).await;
    answered(&discord, &crowd.channels, &crowd.said).await;
    second.settled().await;
    // And not what was said before it was there.
    once_each(&discord, &crowd.channels, &crowd.said);
}
