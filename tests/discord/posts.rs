//! Posts of unknown fate, limits, and what becomes of replies that somebody takes away.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use saseo::adapters::clock::SystemClock;
use saseo::adapters::discord::wire::{Address, Deferred};
use saseo::adapters::discord::{Discord as Line, DiscordSettings, Pulse};
use saseo::domain::event::{Event, EventKey, Person, Place, PlaceKind, Platform, Press, Wish};
use saseo::domain::language::Language;
use saseo::domain::notice::Notice;
use saseo::domain::page::{Block, Button, Page, Weight};
use saseo::domain::reply;
use saseo::ports::Messenger;
use serenity::model::id::{
    ApplicationId, ChannelId, GuildId, InteractionId, MessageId, UserId,
};
use tokio::time::Instant;

use crate::support::discord::Discord;
use crate::support::discord::clock::{Id, made};
use crate::support::discord::faults::{ANY, EDIT, Fault, HISTORY, Harm, Often, POST};
use crate::support::discord::limits::Scope;
use crate::support::discord::people::{Run, Said};
use crate::support::discord::permissions::SEND_MESSAGES;
use crate::support::script::Script;
use crate::support::town::Town;

use super::storms::{
    ANSWER, Chance, Crowd, QUESTION, answered, bot, once_each, patient, replies, size, tell,
    town,
};

/// Whether Discord keeps to `enforce_nonce`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nonces {
    Kept,
    Ignored,
}

/// A Discord whose answers to posts are lost after it has posted, `share` of a hundred.
async fn forgetful(nonces: Nonces, share: u64, seed: u64) -> Discord {
    let discord = Discord::start().await;
    discord.unlimited();
    if nonces == Nonces::Ignored {
        discord.set(|settings| settings.nonces = None);
    }
    let lost = Fault::After(Harm::Torn);
    discord.goes_wrong(POST, lost, Often::Share(share, seed));
    discord
}

async fn loses_answers(nonces: Nonces) {
    let mut chance = Chance::new("posts");
    let mentions = size(60, 1_000);
    let discord = forgetful(nonces, 40, chance.seed()).await;
    let mut crowd = Crowd::of(&discord.guild("team"), 5, 5);
    let bot = bot(&discord, town(Script::saying(ANSWER)).await, patient()).await;
    crowd.asks(mentions, &mut chance);
    answered(&discord, &crowd.channels, &crowd.said).await;
    bot.settled().await;
    once_each(&discord, &crowd.channels, &crowd.said);
    tell(&format!(
        "posts, nonces {nonces:?}: {mentions} mentions, {} requests to post, {} looks, no \
         doubles",
        discord.requests_to(POST).len(),
        discord.requests_to(HISTORY).len(),
    ));
}

#[tokio::test]
async fn posts_whose_fate_is_unknown_are_not_made_twice() {
    loses_answers(Nonces::Kept).await;
}

#[tokio::test]
async fn posts_whose_fate_is_unknown_are_found_without_a_nonce() {
    loses_answers(Nonces::Ignored).await;
}

/// A reply in four parts, the last of which has buttons.
fn long_page() -> Page {
    let commands = |of: usize| -> String {
        let lines =
            (0..40).map(|n| format!("saseo step --number {n} of {of} --with-an-option\n"));
        lines.collect()
    };
    Page {
        blocks: (0..4).map(|of| Block::Code(commands(of))).collect(),
        buttons: vec![Button {
            label: "Sources",
            press: Press::Sources("3fa9".into()),
            weight: Weight::Plain,
        }],
    }
}

/// What the bot hears of `said`, in a place of this kind.
fn heard(discord: &Discord, said: Said, kind: PlaceKind) -> Event {
    let world = discord.world();
    let guild = world.channels[&said.channel].guild;
    let author = world.channels[&said.channel].messages[&said.id].author;
    let address = Address::Message {
        channel: ChannelId::new(said.channel),
        message: MessageId::new(said.id),
        author: UserId::new(author),
        guild: guild.map(GuildId::new),
    };
    event((said.id, author), (said.channel, kind), &address)
}

/// What the bot hears of a command that was run; its answer stands where all see it.
fn commanded(discord: &Discord, run: Run) -> Event {
    let world = discord.world();
    let asked = &world.interactions[&run.id];
    let address = Address::Interaction {
        application: ApplicationId::new(world.bot),
        id: InteractionId::new(run.id),
        token: asked.token.clone(),
        channel: ChannelId::new(asked.channel),
        guild: None,
        user: UserId::new(asked.by),
        deferred: Deferred::Fresh,
        at: asked.at,
    };
    event(
        (run.id, asked.by),
        (asked.channel, PlaceKind::Channel),
        &address,
    )
}

fn event((id, by): (Id, Id), (channel, kind): (Id, PlaceKind), address: &Address) -> Event {
    Event {
        key: EventKey::new(Platform::Discord, &id.to_string()),
        place: Place {
            platform: Platform::Discord,
            server: None,
            channel: channel.to_string(),
            kind,
        },
        person: Person {
            id: by.to_string(),
            roles: Vec::new(),
            administers: false,
        },
        at: made(id),
        language: Language::English,
        replies_to: None,
        wish: Wish::Status,
        address: serde_json::to_string(address).unwrap(),
    }
}

/// What an answer in a channel opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opens {
    Nothing,
    Threads,
}

/// The way to post, without anything behind it.
fn desk(discord: &Discord, town: &Town, opens: Opens) -> Arc<dyn Messenger> {
    let settings = DiscordSettings {
        api: discord.api(),
        token: discord.token().into(),
        answer_in_threads: opens == Opens::Threads,
        pulse: Pulse::default(),
    };
    let clock = Arc::new(SystemClock::start());
    let line = Line::new(settings, Arc::new(town.inbox.clone()), clock).unwrap();
    line.messenger()
}

/// Makes all parts as the reception does: until each of them stands.
async fn posts_all(desk: &dyn Messenger, event: &Event) {
    let mut posts = Vec::new();
    for part in &desk.parts(long_page()) {
        let post = loop {
            if let Ok(post) = desk.post(event, &posts, part).await {
                break post;
            }
        };
        posts.push(post);
    }
}

/// How often each text stands in `channel`, said by the bot.
fn texts(discord: &Discord, channel: Id) -> BTreeMap<String, usize> {
    let world = discord.world();
    let mut texts = BTreeMap::new();
    for message in world.channels[&channel].messages.values() {
        if message.author == world.bot {
            *texts.entry(message.content.clone()).or_insert(0) += 1;
        }
    }
    texts
}

#[track_caller]
fn four_once(discord: &Discord, channel: Id) {
    let texts = texts(discord, channel);
    assert_eq!(texts.len(), 4, "{texts:#?}");
    assert!(texts.values().all(|times| *times == 1), "{texts:#?}");
}

#[tokio::test]
async fn parts_are_not_made_twice_wherever_they_stand() {
    let (rounds, mut chance) = (size(4, 60), Chance::new("parts"));
    let discord = forgetful(Nonces::Ignored, 60, chance.seed()).await;
    let guild = discord.guild("team");
    let town = town(Script::saying(ANSWER)).await;
    let _bot = bot(&discord, town, patient()).await;
    let other = Town::with(Script::saying(ANSWER));
    let [plain, threads] =
        [Opens::Nothing, Opens::Threads].map(|opens| desk(&discord, &other, opens));
    for round in 0..rounds {
        let room = guild.channel(&format!("room-{round}"));
        let mina = guild.member(&format!("Mina{round}"), &[]);
        let below = mina.says(&room, "below");
        posts_all(&*plain, &heard(&discord, below, PlaceKind::Channel)).await;
        four_once(&discord, room.id);

        let threaded = mina.says(&room, "in a thread");
        posts_all(&*threads, &heard(&discord, threaded, PlaceKind::Channel)).await;
        four_once(&discord, threaded.id);

        let alone = Said {
            channel: mina.direct_channel().id,
            ..mina.says(&room, "to nobody")
        };
        let address = Address::Message {
            channel: ChannelId::new(alone.channel),
            message: MessageId::new(alone.id),
            author: UserId::new(mina.id),
            guild: None,
        };
        let direct = event(
            (alone.id, mina.id),
            (alone.channel, PlaceKind::Direct),
            &address,
        );
        posts_all(&*plain, &direct).await;
        four_once(&discord, alone.channel);
    }
    let posts = discord.requests_to(POST).len();
    tell(&format!(
        "parts: {} answers of four, {posts} requests to post",
        rounds * 3
    ));
}

#[tokio::test]
async fn a_post_that_was_made_before_shows_what_is_said_last() {
    for (nonces, opens) in [
        (Nonces::Kept, Opens::Nothing),
        (Nonces::Kept, Opens::Threads),
        (Nonces::Ignored, Opens::Nothing),
        (Nonces::Ignored, Opens::Threads),
    ] {
        let discord = Discord::start().await;
        if nonces == Nonces::Ignored {
            discord.set(|settings| settings.nonces = None);
        }
        let guild = discord.guild("team");
        let (general, mina) = (guild.channel("general"), guild.member("Mina", &[]));
        let said = mina.says(&general, QUESTION);
        let event = heard(&discord, said, PlaceKind::Channel);
        let room = match opens {
            Opens::Nothing => general.id,
            Opens::Threads => said.id,
        };
        let placeholder = reply::waiting(&Notice::Opening, event.language, &event.key.short());
        let answer = Page::notice("Fifteen.");
        let town = Town::with(Script::saying(ANSWER));
        for page in [&placeholder, &answer] {
            // Each run was killed before it kept what it had posted.
            let desk = desk(&discord, &town, opens);
            desk.post(&event, &[], page).await.unwrap();
        }
        let texts = texts(&discord, room);
        let expected = [("Fifteen.".to_owned(), 1)];
        assert_eq!(texts, expected.into(), "{nonces:?} {opens:?}");
        let world = discord.world();
        let mut messages = world.channels[&room].messages.values();
        let post = messages.find(|message| message.author == world.bot);
        let buttons = &post.unwrap().components;
        assert!(buttons.is_empty(), "{buttons:?}");
    }
}

#[tokio::test]
async fn a_post_is_found_again_however_much_was_said_before_it() {
    let discord = Discord::start().await;
    discord.set(|settings| settings.nonces = None);
    let guild = discord.guild("team");
    let (general, mina) = (guild.channel("general"), guild.member("Mina", &[]));
    let said = mina.says(&general, QUESTION);
    let event = heard(&discord, said, PlaceKind::Channel);
    for number in 0..250 {
        mina.says(&general, &format!("It rains, for the {number}th time."));
    }
    let town = Town::with(Script::saying(ANSWER));
    for _ in 0..2 {
        let desk = desk(&discord, &town, Opens::Nothing);
        desk.post(&event, &[], &Page::notice("One.")).await.unwrap();
    }
    assert_eq!(texts(&discord, general.id), [("One.".to_owned(), 1)].into());
}

#[tokio::test]
async fn what_answers_a_command_is_not_taken_for_the_answer_to_a_mention() {
    let discord = Discord::start().await;
    let guild = discord.guild("team");
    let (general, mina) = (guild.channel("general"), guild.member("Mina", &[]));
    let other = Town::with(Script::saying(ANSWER));
    let desk = desk(&discord, &other, Opens::Nothing);
    // Somebody registers the commands, and hears nothing.
    drop(bot(&discord, town(Script::saying(ANSWER)).await, patient()).await);
    let said = mina.says(&general, QUESTION);
    let run = mina.runs(&general, "ask", &[("question", QUESTION.into())]);
    let (mention, command) = (
        heard(&discord, said, PlaceKind::Channel),
        commanded(&discord, run),
    );
    let busy = Page::notice(Notice::Busy.text(Language::English));
    for event in [&command, &mention] {
        desk.post(event, &[], &busy).await.unwrap();
    }
    let texts: Vec<_> = texts(&discord, general.id).into_values().collect();
    assert_eq!(texts, [2], "both are told");
}

#[tokio::test]
async fn a_command_whose_time_is_over_is_answered_once_in_the_channel() {
    let mut chance = Chance::new("late");
    let discord = forgetful(Nonces::Ignored, 60, chance.seed()).await;
    let guild = discord.guild("team");
    let mina = guild.member("Mina", &[]);
    let other = Town::with(Script::saying(ANSWER));
    let desk = desk(&discord, &other, Opens::Nothing);
    // Somebody registers the commands, and hears nothing.
    let bot = bot(&discord, town(Script::saying(ANSWER)).await, patient()).await;
    drop(bot);
    for round in 0..size(4, 60) {
        let room = guild.channel(&format!("room-{round}"));
        let run = mina.runs(&room, "ask", &[("question", QUESTION.into())]);
        discord.passes(Duration::from_secs(16 * 60));
        posts_all(&*desk, &commanded(&discord, run)).await;
        four_once(&discord, room.id);
    }
}

/// The most requests within `seconds` that the limit for all counts.
fn busiest(discord: &Discord, seconds: i64) -> usize {
    let mut at: Vec<_> = discord
        .requests()
        .into_iter()
        .filter(|it| !it.path.contains("/webhooks/") && !it.path.contains("/interactions/"))
        .map(|it| it.at)
        .collect();
    at.sort_unstable();
    let within = |from: usize| {
        let until = at[from] + TimeDelta::seconds(seconds);
        at[from..].iter().take_while(|at| **at < until).count()
    };
    (0..at.len()).map(within).max().unwrap_or(0)
}

#[tokio::test]
async fn limits_of_every_kind_are_kept_and_nothing_is_lost() {
    let mentions = size(24, 600);
    let mut chance = Chance::new("limits");
    let discord = Discord::start().await;
    let limited = |pause, scope, often| {
        let fault = Fault::Limited(Duration::from_millis(pause), scope);
        discord.goes_wrong(ANY, fault, often);
    };
    let (people, rooms) = (10, size(8, 40));
    let mut crowd = Crowd::of(&discord.guild("team"), people, rooms);
    let bot = bot(&discord, town(Script::saying(ANSWER)).await, patient()).await;
    // Once it is connected, and here and there: one request that is sent back a dozen times in
    // a row waits longer each time, for minutes in the end, as it should.
    limited(900, Scope::Global, Often::Next(3));
    let share = u64::try_from(size(12, 1)).unwrap();
    limited(500, Scope::User, Often::Share(share, chance.seed()));
    limited(700, Scope::Shared, Often::Share(10, chance.seed()));
    let began = Instant::now();
    crowd.asks(mentions, &mut chance);
    answered(&discord, &crowd.channels, &crowd.said).await;
    bot.settled().await;
    once_each(&discord, &crowd.channels, &crowd.said);
    let status = |status: u16| {
        let requests = discord.requests();
        let with = requests.iter().filter(|it| it.status == Some(status));
        with.count()
    };
    let (invalid, second) = (discord.invalid_requests(), busiest(&discord, 1));
    tell(&format!(
        "limits: {mentions} mentions, {} requests in {:?}, {} times 429, {invalid} invalid, \
         {second} in the busiest second",
        discord.requests().len(),
        began.elapsed(),
        status(429),
    ));
    assert!(invalid < 50, "{invalid} invalid requests");
    assert!(second <= 45, "{second} in one second");
    let in_ten = busiest(&discord, 10);
    assert!(in_ten <= 450, "{in_ten} in ten seconds");
}

#[tokio::test]
async fn where_it_may_not_write_it_does_not_knock_again_and_again() {
    let discord = Discord::start().await;
    discord.set(|settings| settings.nonces = None);
    let guild = discord.guild("team");
    let (general, mina) = (guild.channel("general"), guild.member("Mina", &[]));
    general.for_the_bot(0, SEND_MESSAGES);
    let slow = Script::saying(ANSWER).slowly(Duration::from_millis(200));
    let bot = bot(&discord, town(slow).await, patient()).await;
    for _ in 0..3 {
        mina.mentions_bot(&general, QUESTION);
    }
    let alone = mina.direct_channel().id;
    let told = || texts(&discord, alone).values().sum::<usize>();
    discord
        .eventually("she is told", || (told() >= 3).then_some(()))
        .await;
    bot.settled().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let refused = discord.requests_to(POST);
    let refused = refused.iter().filter(|it| it.status == Some(403)).count();
    assert_eq!((refused, told()), (3, 3));
}

#[tokio::test]
async fn an_answer_whose_placeholder_was_taken_away_is_posted_anew() {
    let discord = Discord::start().await;
    let guild = discord.guild("team");
    let (general, mina) = (guild.channel("general"), guild.member("Mina", &[]));
    let slow = Script::saying(ANSWER).slowly(Duration::from_millis(200));
    let bot = bot(&discord, town(slow).await, patient()).await;
    let said = mina.mentions_bot(&general, QUESTION);
    let placeholder = mina.reply_to(said).await;
    mina.deletes(&placeholder);
    bot.settled().await;
    once_each(&discord, &[general], &[said.id]);
}

#[tokio::test]
async fn who_asked_is_told_when_the_bot_is_sent_away_meanwhile() {
    let discord = Discord::start().await;
    let guild = discord.guild("team");
    let (general, mina) = (guild.channel("general"), guild.member("Mina", &[]));
    let slow = Script::saying(ANSWER).slowly(Duration::from_millis(200));
    let bot = bot(&discord, town(slow).await, patient()).await;
    let said = mina.mentions_bot(&general, QUESTION);
    mina.reply_to(said).await;
    guild.kicks_the_bot();
    bot.settled().await;
    let told = texts(&discord, mina.direct_channel().id);
    assert_eq!(told.values().sum::<usize>(), 1, "{told:?}");
}

#[tokio::test]
async fn the_last_word_is_not_overtaken_by_one_on_its_way() {
    let discord = Discord::start().await;
    let guild = discord.guild("team");
    let (general, mina) = (guild.channel("general"), guild.member("Mina", &[]));
    let two = format!("{ANSWER} Unused leave days do not carry over to the next year.");
    let slow = Script::saying(&two).slowly(Duration::from_millis(300));
    let bot = bot(&discord, town(slow).await, patient()).await;
    let said = mina.mentions_bot(&general, QUESTION);
    let placeholder = mina.reply_to(said).await;
    discord.goes_wrong(EDIT, Fault::Slow(Duration::from_secs(2)), Often::Next(1));
    let began = |world: &crate::support::discord::world::World| {
        let mut requests = world.record.requests.iter();
        requests.any(|it| it.method == "PATCH").then_some(())
    };
    discord.until("an edit is on its way", began).await;
    mina.presses(&placeholder, "Stop");
    bot.settled().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let replies = replies(&discord, &[general]);
    assert_eq!(replies[&said.id], ["Stopped."]);
}

#[tokio::test]
async fn an_answer_waits_for_a_discord_that_is_away_and_holds_up_nobody() {
    let discord = Discord::start().await;
    let mut crowd = Crowd::of(&discord.guild("team"), 3, 3);
    let mut manner = patient();
    manner.rules.longest_answer = Duration::from_secs(3);
    let bot = bot(&discord, town(Script::saying(ANSWER)).await, manner).await;
    discord.goes_wrong(POST, Fault::Before(Harm::Status(503)), Often::Always);
    let mut chance = Chance::new("away");
    crowd.asks(5, &mut chance);
    let asked: BTreeSet<_> = crowd.said.iter().copied().collect();
    discord
        .eventually("all of them are written", || {
            (bot.town.script.prompts().len() == asked.len()).then_some(())
        })
        .await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    discord.calms_down();
    answered(&discord, &crowd.channels, &crowd.said).await;
    bot.settled().await;
    once_each(&discord, &crowd.channels, &crowd.said);
}
