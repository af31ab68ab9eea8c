//! Many people at once.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::support::discord::Discord;
use crate::support::discord::clock::made;
use crate::support::discord::faults::{CALLBACK, EDIT_ORIGINAL};
use crate::support::discord::guilds::Channel;
use crate::support::script::Script;

use super::storms::{
    ANSWER, Chance, Crowd, QUESTION, bot, is_whole, patient, replies, size, tell, town,
};

/// Who asked a question, and its number: how it ends.
fn number(prompt: &str) -> Option<(usize, usize)> {
    let (rest, tail) = prompt.rsplit_once(" (")?;
    let person = tail.split_once(')')?.0;
    let (_, number) = rest.strip_suffix(')')?.rsplit_once('(')?;
    Some((person.parse().ok()?, number.parse().ok()?))
}

#[tokio::test]
async fn of_a_flood_as_many_are_answered_as_may_wait_and_the_others_are_told() {
    let (mentions, queue) = (size(160, 1_000), size(40, 200));
    let chance = &mut Chance::new("flood");
    let discord = Discord::start().await;
    discord.unlimited();
    let crowd = Crowd::of(&discord.guild("team"), 20, 5);
    let busy = |text: &String| text.contains("ask again in a few minutes");
    let mut manner = patient();
    manner.rules.queue = queue;
    let slow = Script::saying(ANSWER).slowly(Duration::from_millis(6));
    let bot = bot(&discord, town(slow).await, manner).await;
    let (began, mut said) = (Instant::now(), Vec::new());
    for number in 0..mentions {
        let who = number % crowd.people.len();
        let room = &crowd.channels[chance.below(crowd.channels.len())];
        let question = format!("{QUESTION} ({number}) ({who})");
        said.push(crowd.people[who].mentions_bot(room, &question).id);
    }
    discord_settles(&discord, &crowd.channels, &said).await;
    bot.settled().await;
    let took = began.elapsed();

    let replies = replies(&discord, &crowd.channels);
    assert!(said.iter().all(|id| replies[id].len() == 1), "{replies:#?}");
    let texts = || replies.values().flatten();
    let sent_away = texts().filter(|text| busy(text)).count();
    let whole = texts().filter(|text| is_whole(text)).count();
    tell(&format!(
        "flood: {mentions} mentions, a queue of {queue}: {whole} answered, {sent_away} told to \
         come again, {took:?}"
    ));
    assert_eq!(whole + sent_away, mentions);
    assert!(
        (queue..=queue + mentions / 4).contains(&whole),
        "{whole} answered"
    );
    each_in_order(&bot.town.script.prompts(), crowd.people.len());
}

/// What each of the `people` asked was taken up in the order in which they asked it.
fn each_in_order(prompts: &[String], people: usize) {
    let mut last: BTreeMap<usize, usize> = BTreeMap::new();
    for (who, number) in prompts.iter().filter_map(|text| number(text)) {
        let before = last.insert(who, number);
        let later = before.is_none_or(|before| before < number);
        assert!(later, "{who}: {number} after {before:?}");
    }
    assert_eq!(last.len(), people);
}

/// Until each of `said` has something final below it.
async fn discord_settles(discord: &Discord, channels: &[Channel], said: &[u64]) {
    let is_final = |text: &String| is_whole(text) || text.contains("in a few minutes");
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(300) {
        let replies = replies(discord, channels);
        if said.iter().all(|id| {
            replies
                .get(id)
                .is_some_and(|texts| texts.iter().any(is_final))
        }) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// After how many milliseconds each command was acknowledged.
fn acknowledged(discord: &Discord) -> Vec<i64> {
    let callbacks = discord.requests_to(CALLBACK).into_iter();
    let waited = callbacks.map(|it| {
        assert!(matches!(it.status, None | Some(204)), "{:?}", it.answer);
        let id = it.path.split('/').nth(4).unwrap().parse().unwrap();
        (it.at - made(id)).num_milliseconds()
    });
    waited.collect()
}

#[tokio::test]
async fn commands_are_acknowledged_in_time_whatever_else_goes_on() {
    let commands = size(60, 200);
    let discord = Discord::start().await;
    let crowd = Crowd::of(&discord.guild("team"), 10, 5);
    let slow = Script::saying(ANSWER).slowly(Duration::from_millis(2));
    let bot = bot(&discord, town(slow).await, patient()).await;
    for number in 0..commands {
        let (who, room) = (&crowd.people[number % 10], &crowd.channels[number % 5]);
        if number % 4 == 0 {
            who.runs(room, "library list", &[]);
        } else {
            who.runs(room, "ask", &[("question", QUESTION.into())]);
        }
    }
    let filling = async {
        for page in 0..size(20, 100) {
            let text = format!("# Page {page}\n\nPage {page} says nothing of that.\n");
            bot.town.add(&format!("page-{page}"), &text).await;
        }
    };
    let taken = async {
        let taken = || acknowledged(&discord).len() == commands;
        let all = discord.eventually("all are acknowledged", || taken().then_some(()));
        all.await;
        bot.settled().await;
    };
    tokio::join!(filling, taken);

    let mut waited = acknowledged(&discord);
    waited.sort_unstable();
    let (slowest, median) = (waited[waited.len() - 1], waited[waited.len() / 2]);
    tell(&format!(
        "commands: {commands} commands, acknowledged after {median} ms in the middle and \
         {slowest} ms at most"
    ));
    assert_eq!(waited.len(), commands);
    assert!(slowest < 3_000, "{slowest} ms");
    let edits = discord.requests_to(EDIT_ORIGINAL);
    assert!(edits.iter().all(|it| it.status == Some(200)), "too soon");
    all_have_their_answer(&discord, &crowd.channels, commands);
}

/// None of the commands failed, and as many answers stand in the channels.
fn all_have_their_answer(discord: &Discord, channels: &[Channel], commands: usize) {
    let world = discord.world();
    let now = world.clock.now();
    assert!(world.interactions.values().all(|asked| !asked.failed(now)));
    let rooms = channels.iter().map(|room| &world.channels[&room.id]);
    let messages = rooms.flat_map(|room| room.messages.values());
    let ours = messages.filter(|message| message.author == world.bot);
    let ends = ours
        .filter(|message| is_whole(&message.content) || message.content.contains("Leave.md"));
    assert_eq!(ends.count(), commands);
}
