//! The program is killed at any moment: whoever was heard is answered once.

use std::process::Stdio;
use std::time::Duration;

use tokio::time::sleep;

use crate::support::chance::chance;
use crate::support::slack::places::Channel;

use super::serving::{program, with_tokens};
use super::storms::{all_acknowledged, asks, is_answered_once, size, tell};
use super::talk::team;

#[tokio::test]
async fn killed_at_any_moment_it_answers_every_question_once() {
    let (kills, each) = size((4, 4), (100, 4));
    let (slack, team, general, mina) = team().await;
    let mut channels = vec![general];
    channels.extend((0..4).map(|number| team.channel(&format!("c{number}"))));
    // Slack sends again more seldom; here it has to be heard between two kills.
    slack.set(|settings| settings.retries = vec![Duration::from_secs(1); 500]);
    slack.unlimited();
    let program = program(&slack).await;
    let serve = || {
        let mut command = with_tokens(program.command(&["serve"]), &slack, &team);
        let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
        quiet.spawn().unwrap()
    };
    let (mut asked, mut seed) = (vec![Vec::new(); channels.len()], 4);
    for round in 0..kills {
        let mut bot = serve();
        for number in 0..each {
            let place = (round * each + number) % channels.len();
            asked[place].push(asks(&mina, &channels[place], number));
            sleep(Duration::from_millis(chance(&mut seed) % 700)).await;
        }
        assert!(bot.try_wait().unwrap().is_none(), "it ended by itself");
        bot.kill().await.unwrap();
    }
    let mut bot = serve();
    all_answered(&channels, kills * each).await;
    all_acknowledged(&slack).await;
    // What would be said a second time is said by then.
    sleep(Duration::from_secs(3)).await;
    bot.kill().await.unwrap();
    for (channel, asked) in channels.iter().zip(&asked) {
        is_answered_once(channel, asked);
    }
    tell(&format!(
        "kills: {kills} under {} questions, each answered once, no placeholder left",
        kills * each
    ));
}

/// Until so many whole answers stand there.
async fn all_answered(channels: &[Channel], many: usize) {
    for _ in 0..1_200 {
        if channels.iter().map(whole).sum::<usize>() == many {
            return;
        }
        sleep(Duration::from_millis(250)).await;
    }
}

/// How many whole answers stand there.
fn whole(channel: &Channel) -> usize {
    let shown = channel.shows();
    shown
        .iter()
        .filter(|one| one.text.contains("receipt"))
        .count()
}
