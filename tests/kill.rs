//! Processes that die at any moment: nothing that was acknowledged is lost, and the library
//! opens clean.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::program::Program;

/// Documents in one `library add`.
const PAGES: usize = 200;

#[tokio::test]
#[expect(clippy::print_stdout, reason = "a failure is repeated with its seed")]
async fn a_killed_process_loses_nothing_that_was_acknowledged() {
    let kills = number("SASEO_KILLS").unwrap_or(10);
    let seed = number("SASEO_SEED")
        .unwrap_or_else(|| u64::from(std::process::id()).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    println!("SASEO_SEED={seed} SASEO_KILLS={kills}");
    let program = Program::new([]).await;
    let mut chance = seed;
    let (mut acknowledged, mut killed) = (BTreeSet::new(), 0);
    // How long an undisturbed run takes on this machine: the first one is let to its end.
    let mut whole = Duration::MAX;
    for round in 0..kills {
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        #[expect(
            clippy::cast_precision_loss,
            reason = "a share of a second needs no more"
        )]
        let share = (chance >> 33) as f64 / f64::from(1_u32 << 31);
        let wait = if round == 0 {
            Duration::from_secs(60)
        } else {
            whole.mul_f64(share)
        };
        let started = tokio::time::Instant::now();
        let added = add_and_kill(&program, round, wait).await;
        if added.is_some() {
            whole = whole.min(started.elapsed());
        }
        killed += u64::from(added.is_none());
        acknowledged.extend(added.unwrap_or_default());
        let there = listed(&program).await;
        assert!(
            acknowledged.is_subset(&there),
            "round {round} of seed {seed}"
        );
    }
    is_sound(&program).await;
    println!(
        "{killed} of {kills} killed, {} documents acknowledged, all there",
        acknowledged.len()
    );
}

/// A whole number from the environment.
fn number(variable: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "a test has no settings file")]
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect(variable))
}

/// The URIs that the program said were added, unless it was killed before it said so.
async fn add_and_kill(
    program: &Program,
    round: u64,
    wait: Duration,
) -> Option<BTreeSet<String>> {
    for page in 0..PAGES {
        let text = format!(
            "# Page {page}\n\nPage {page} was written in round {round}. It says nothing else.\n"
        );
        program.write(&format!("round{round}/page{page}.md"), text);
    }
    let folder = program.path(&format!("round{round}")).display().to_string();
    let mut child = program.start(&["library", "add", &folder, "--json"]);
    if tokio::time::timeout(wait, child.wait()).await.is_err() {
        child.kill().await.unwrap();
    }
    let output = child.wait_with_output().await.unwrap();
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    let uris = object["added"].as_array().unwrap();
    assert_eq!(uris.len(), PAGES, "{object}");
    Some(
        uris.iter()
            .map(|uri| uri.as_str().unwrap().to_owned())
            .collect(),
    )
}

/// The URIs that are there; and what a killed run had laid aside is not.
async fn listed(program: &Program) -> BTreeSet<String> {
    let listed = program.run(&["library", "list", "--json"]).await;
    assert_eq!(listed.code, Some(0), "{listed:?}");
    let aside = std::fs::read_dir(program.path("data/documents/writing")).unwrap();
    assert_eq!(aside.count(), 0);
    let object = listed.object();
    let cards = object["documents"].as_array().unwrap();
    cards
        .iter()
        .map(|card| card["uri"].as_str().unwrap().to_owned())
        .collect()
}

/// It verifies clean, and a rebuilt index gives the same passages.
async fn is_sound(program: &Program) {
    // Whoever searches brings the index up to date.
    let search = [
        "library",
        "search",
        "page 7 in round 1",
        "--json",
        "--limit",
        "20",
    ];
    let before = program.run(&search).await.object();
    let verified = program.run(&["library", "verify"]).await;
    assert_eq!(verified.code, Some(0), "{verified:?}");
    let rebuilt = program.run(&["library", "rebuild"]).await;
    assert_eq!(rebuilt.code, Some(0), "{rebuilt:?}");
    assert_eq!(before, program.run(&search).await.object());
}
