//! The disk is full, or fails, under the bot as a program.

use std::time::Duration;

use tokio::time::sleep;

use super::scene::{PATIENCE, Scene};
use super::storms::QUESTION;
use crate::support::disk::Disk;

#[tokio::test]
async fn on_a_full_disk_nobody_is_acknowledged_and_nothing_is_lost() {
    let scene = Scene::new(1, 1, "").await;
    let Some(disk) = Disk::mount(&scene.program.path("disk")) else {
        return;
    };
    std::fs::rename(scene.program.path("data"), scene.program.path("before")).unwrap();
    let moved = std::process::Command::new("cp")
        .arg("-r")
        .args([
            scene.program.path("before"),
            scene.program.path("disk/data"),
        ])
        .status();
    assert!(moved.unwrap().success());
    std::os::unix::fs::symlink(scene.program.path("disk/data"), scene.program.path("data"))
        .unwrap();
    let (mina, general) = (&scene.people[0], &scene.channels[0]);
    let bot = scene.starts();
    bot.up().await;
    let first = scene.asks(0);
    scene.all_answered(&[first], PATIENCE).await;

    disk.fill_but(0);
    let (asked, worked) = (scene.asks(1), bot.worked());
    let run = mina
        .runs(general, "ask", &[("question", QUESTION.into())])
        .id;
    sleep(Duration::from_secs(4)).await;
    assert_eq!(scene.replies(&[asked])[&asked.id].len(), 0);
    assert_eq!(scene.deferred_after(&[run]).len(), 0);
    let busy = bot.worked() - worked;
    assert!(busy < 200, "it spun for {busy} hundredths of a second");
    disk.empty();
    scene.all_answered(&[asked], PATIENCE).await;

    assert_eq!(scene.is_answered_once(&[first, asked]).answered, 2);
    assert_eq!(bot.terminate().await.code, Some(0));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn where_the_disk_fails_it_ends_and_the_next_start_goes_on() {
    let scene = Scene::new(1, 1, "").await;
    let bot = scene.starts();
    bot.up().await;
    let first = scene.asks(0);
    scene.all_answered(&[first], PATIENCE).await;
    let id = i32::try_from(bot.id()).unwrap();
    rlimit::prlimit(id, rlimit::Resource::FSIZE, Some((0, 0)), None).unwrap();

    let asked = scene.asks(1);
    let general = &scene.channels[0];
    let run = scene.people[0]
        .runs(general, "ask", &[("question", QUESTION.into())])
        .id;
    let ended = bot.ends().await;
    assert_eq!(ended.code, Some(1), "{}", ended.said);
    let told = ended
        .said
        .lines()
        .filter(|line| line.contains("nothing that reaches the bot can be kept"));
    assert_eq!(told.count(), 1, "{}", ended.said);
    assert_eq!(scene.replies(&[asked])[&asked.id].len(), 0);
    assert_eq!(scene.deferred_after(&[run]).len(), 0);

    let bot = scene.starts();
    scene.all_answered(&[first, asked], PATIENCE).await;
    assert_eq!(scene.is_answered_once(&[first, asked]).answered, 2);
    assert_eq!(bot.terminate().await.code, Some(0));
}
