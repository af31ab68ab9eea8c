//! Far more is asked of the bot at once than it can answer, while others keep the machine busy.

use std::time::Duration;

use tokio::time::sleep;

use super::scene::{PATIENCE, Scene, with};
use super::storms::{QUESTION, size, tell};
use crate::support::burning::Burning;
use crate::support::openai::Turn;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::too_many_lines, reason = "one story, read from top to bottom")]
async fn a_flood_is_acknowledged_in_time_and_its_queue_keeps_its_bound() {
    let (mentions, commands, queue) = size((100, 10, 20), (1_000, 50, 200));
    let scene = Scene::new(20, 20, &format!("queue = {queue}")).await;
    scene.discord.unlimited();
    let bot = scene.starts();
    bot.up().await;
    let first = Turn::Stalls(vec!["Every employee "]);
    scene.program.endpoint.known().turns.push_back(first);
    let slow = scene.asks(0);
    let (mina, place) = (&scene.people[0], &scene.channels[0]);
    let held = mina
        .wait_within(PATIENCE, place, with("Found in the library"))
        .await;
    let before = bot.memory("VmRSS:");

    let burning = Burning::new();
    let (mut asked, mut runs) = (Vec::new(), Vec::new());
    for number in 1..=mentions {
        asked.push(scene.asks(number));
        if number % (mentions / commands) == 0 {
            let (person, channel) = (&scene.people[number % 20], &scene.channels[number % 20]);
            runs.push(
                person
                    .runs(channel, "ask", &[("question", QUESTION.into())])
                    .id,
            );
        }
        sleep(Duration::from_secs(1) / u32::try_from(mentions).unwrap()).await;
    }
    scene.all_told(&asked, PATIENCE * 5).await;
    drop(burning);
    let latencies = scene.deferred_after(&runs);
    let grown = bot.memory("VmHWM:").saturating_sub(before);
    mina.presses(&held, "Stop");
    asked.push(slow);
    scene.all_answered(&asked, PATIENCE * 5).await;
    scene.runs_are_answered(&runs, PATIENCE).await;

    let counts = scene.is_answered_once(&asked);
    let of_runs = scene.answers_of(&runs);
    tell(&format!(
        "flood: {mentions} mentions, {commands} commands, a queue of {queue}: deferred after \
         {} ms in the middle, p99 {} ms, at most {} ms; mentions {counts:?}, commands {of_runs:?}; \
         {} MiB more memory",
        latencies[latencies.len() / 2].num_milliseconds(),
        latencies[latencies.len() * 99 / 100].num_milliseconds(),
        latencies.last().unwrap().num_milliseconds(),
        grown / 1_024
    ));
    assert_eq!(latencies.len(), runs.len(), "deferrals");
    assert!(grown < 150 << 10, "{grown} kB more memory");
    assert_eq!(
        counts.answered + of_runs.answered,
        queue,
        "the queue's bound"
    );
    assert_eq!(counts.failed, 1, "the one that was stopped");
    assert_eq!(bot.terminate().await.code, Some(0));
}
