//! The bot is killed and ended at any moment, as a program: whoever was heard is answered once.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::{Instant, sleep, sleep_until};

use super::scene::{PATIENCE, Scene};
use super::storms::{Chance, size, tell};
use crate::support::discord::people::Said;

#[tokio::test]
async fn killed_at_any_moment_it_answers_every_question_once() {
    let (kills, mentions) = size((5, 30), (100, 500));
    let mut chance = Chance::new("kills");
    let scene = Scene::new(20, 5, "queue = 1000").await;
    scene.writes_slowly();
    let batch = mentions / (kills + 1);
    let (mut asked, whole) = undisturbed(&scene, batch).await;
    let mut hit = Hits::default();
    for round in 1..=kills {
        let until = mentions * (round + 1) / (kills + 1);
        let away = chance.share();
        let mut mine = asked.len()..until;
        let before = mine.by_ref().take_while(|_| chance.share() < away);
        asked.extend(before.map(|number| scene.asks(number)).collect::<Vec<_>>());
        let bot = scene.starts();
        let moment = bot.began + whole.mul_f64(chance.share());
        let pause = moment.duration_since(Instant::now()) / u32::try_from(until).unwrap();
        for number in asked.len()..until {
            asked.push(scene.asks(number));
            sleep(pause).await;
        }
        sleep_until(moment).await;
        hit.note(&scene);
        assert!(bot.kill().await, "it ended by itself");
    }
    let bot = scene.starts();
    scene
        .all_answered(&asked, size(PATIENCE, PATIENCE * 3))
        .await;
    let ended = bot.terminate().await;
    let counts = scene.is_answered_once(&asked);
    hit.closing = scene.closed_twice(&asked);
    tell(&format!(
        "kills: {kills} under {mentions} mentions, an undisturbed run takes {whole:?}; {hit:?}; \
         {counts:?}, no doubles"
    ));
    assert_eq!(counts.answered, asked.len());
    assert_eq!(ended.code, Some(0), "{}", ended.said);
}

/// How long it takes on this machine to start and answer so many questions, and which.
async fn undisturbed(scene: &Scene, questions: usize) -> (Vec<Said>, Duration) {
    let bot = scene.starts();
    scene.discord.connected().await;
    let asked: Vec<Said> = (0..questions).map(|number| scene.asks(number)).collect();
    scene.all_answered(&asked, PATIENCE).await;
    let whole = bot.began.elapsed();
    bot.kill().await;
    (asked, whole)
}

/// What was under way when it was killed.
#[derive(Debug, Default)]
struct Hits {
    /// Nothing was written and nothing was sent.
    idle: usize,
    writing: usize,
    sending: usize,
    /// The last edit was done, and the question not closed.
    closing: usize,
}

impl Hits {
    fn note(&mut self, scene: &Scene) {
        let world = scene.discord.world();
        let (now, lately) = (world.clock.now(), TimeDelta::milliseconds(30));
        let mut requests = world.record.requests.iter().rev().take(20);
        let sending = requests.any(|one| one.status.is_none() && now - one.at < lately);
        let writing = scene.program.endpoint.known().open > 0;
        *(if sending {
            &mut self.sending
        } else if writing {
            &mut self.writing
        } else {
            &mut self.idle
        }) += 1;
    }
}

#[tokio::test]
async fn told_to_end_at_any_moment_it_ends_in_time_and_loses_nothing() {
    let (ends, each) = size((3, 5), (50, 10));
    let mut chance = Chance::new("ends");
    let scene = Scene::new(20, 5, "queue = 1000").await;
    scene.writes_slowly();
    let (mut asked, whole) = undisturbed(&scene, each).await;
    let mut took = Vec::new();
    for round in 1..=ends {
        let bot = scene.starts();
        let moment = bot.began + whole.mul_f64(chance.share());
        asked.extend((each * round..each * (round + 1)).map(|number| scene.asks(number)));
        sleep_until(moment).await;
        bot.minds().await;
        let ended = bot.terminate().await;
        assert_eq!(ended.code, Some(0), "round {round}: {}", ended.said);
        assert!(
            ended.took < Duration::from_secs(20),
            "round {round}: {:?}",
            ended.took
        );
        took.push(ended.took);
    }
    let bot = scene.starts();
    scene
        .all_answered(&asked, size(PATIENCE, PATIENCE * 5))
        .await;
    assert_eq!(bot.terminate().await.code, Some(0));
    let counts = scene.is_answered_once(&asked);
    tell(&format!(
        "ends: {ends}, each within {:?}; {counts:?}",
        took.iter().max().unwrap()
    ));
    assert_eq!(counts.answered, asked.len());
}
