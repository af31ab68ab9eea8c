//! Socket Mode: links, envelopes, what is not acknowledged, what goes wrong.

use std::time::Duration;

use serde_json::{Value, json};

use super::api::Api;
use super::town;
use super::wire::{Came, Wire};
use crate::support::slack::faults::{Astray, Babble, Cut, Greeting};
use crate::support::slack::post::Outcome;
use crate::support::slack::world::{Envelopes, Switch};

#[tokio::test]
async fn a_ticket_is_good_once() {
    let (town, library, _, _) = town().await;
    let api = Api::of(&town, &library).with_token(&town.app_token());
    let url = api
        .calls("apps.connections.open", &json!({}))
        .await
        .text("url");
    let (status, mut wire) = Wire::connects(&url).await;
    assert_eq!(status, "101");
    let hello = wire.text().await;
    assert_eq!(hello["num_connections"], 1);
    assert_eq!(hello["connection_info"]["app_id"], town.world().app.id);
    let (status, _) = Wire::connects(&url).await;
    assert_eq!(status, "403");
    assert_eq!(town.links(), 1);
}

#[tokio::test]
async fn an_event_is_sent_once_if_it_is_acknowledged() {
    let (town, library, _, mina) = town().await;
    let mut wire = Wire::greeted(&town, &library).await;
    mina.direct_message("hello");
    let envelope = wire.text().await;
    assert_eq!(envelope["type"], "events_api");
    assert_eq!(envelope["retry_attempt"], 0);
    assert_eq!(envelope["payload"]["event"]["channel_type"], "im");
    wire.acknowledges(&envelope).await;
    town.settled().await;
    town.passes(Duration::from_secs(600));
    assert_eq!(wire.hears().await, Came::Nothing);
    assert_eq!((town.retries(), town.acknowledgements().len()), (0, 1));
}

#[tokio::test]
async fn an_event_that_is_not_acknowledged_comes_three_times_more() {
    let (town, library, _, mina) = town().await;
    let mut wire = Wire::greeted(&town, &library).await;
    mina.direct_message("hello");
    let first = wire.text().await;
    let mut envelopes = vec![first.clone()];
    for (wait, attempt) in [(1, 1), (60, 2), (300, 3)] {
        town.passes(Duration::from_secs(3));
        assert_eq!(wire.hears().await, Came::Nothing);
        town.passes(Duration::from_secs(wait));
        let envelope = wire.text().await;
        assert_eq!(envelope["retry_attempt"], attempt);
        assert_eq!(envelope["retry_reason"], "timeout");
        assert_eq!(
            envelope["payload"]["event_id"],
            first["payload"]["event_id"]
        );
        assert!(
            !envelopes
                .iter()
                .any(|one| one["envelope_id"] == envelope["envelope_id"])
        );
        envelopes.push(envelope);
    }
    town.passes(Duration::from_secs(3));
    town.settled().await;
    assert_eq!(town.deliveries()[0].outcome, Outcome::GivenUp);
    // It is too late to acknowledge it now.
    wire.acknowledges(&first).await;
    town.eventually("it is too late", || town.odd().pop()).await;
}

#[tokio::test]
async fn a_retry_may_come_under_the_same_id() {
    let (town, library, _, mina) = town().await;
    town.set(|settings| settings.envelopes = Envelopes::Same);
    let mut wire = Wire::greeted(&town, &library).await;
    mina.direct_message("hello");
    let first = wire.text().await;
    town.passes(Duration::from_secs(3));
    town.until("it failed", |world| {
        (world.office.deliveries[0].again > 0).then_some(())
    })
    .await;
    town.passes(Duration::from_secs(1));
    let again = wire.text().await;
    assert_eq!(again, first);
    wire.acknowledges(&again).await;
    town.settled().await;
    assert_eq!(town.deliveries()[0].outcome, Outcome::Acknowledged);
}

#[tokio::test]
async fn an_event_that_found_no_link_comes_when_there_is_one() {
    let (town, library, _, mina) = town().await;
    mina.direct_message("hello");
    let mut wire = Wire::greeted(&town, &library).await;
    town.passes(Duration::from_secs(1));
    let envelope = wire.text().await;
    assert_eq!(envelope["retry_attempt"], 1);
}

#[tokio::test]
async fn each_event_goes_to_one_of_the_links() {
    let (town, library, _, mina) = town().await;
    let mut wires = Vec::new();
    for _ in 0..10 {
        wires.push(Wire::greeted(&town, &library).await);
    }
    let mut eleventh = Wire::opens(&town, &library).await;
    assert_eq!(eleventh.text().await["reason"], "too_many_websockets");
    for number in 0..10 {
        mina.direct_message(&format!("hello {number}"));
    }
    for wire in &mut wires {
        let envelope = wire.text().await;
        wire.acknowledges(&envelope).await;
    }
    town.settled().await;
}

#[tokio::test]
async fn what_is_acknowledged_wrongly_counts_for_nothing() {
    let (town, library, _, mina) = town().await;
    let one = Wire::greeted(&town, &library).await;
    let other = Wire::greeted(&town, &library).await;
    mina.direct_message("hello");
    // The links are numbered from 1.
    let (mut told, mut stranger) = match town.deliveries()[0].attempts[0].link {
        Some(1) => (one, other),
        _ => (other, one),
    };
    let envelope = told.text().await;
    stranger.acknowledges(&envelope).await;
    told.says(&json!({ "envelope_id": "made up" })).await;
    told.says(&json!({ "ok": true })).await;
    told.sends(1, b"{").await;
    told.sends(2, b"bytes").await;
    town.eventually("all of it is odd", || (town.odd().len() == 5).then_some(()))
        .await;
    assert_eq!(town.deliveries()[0].outcome, Outcome::Open);
    let answered =
        json!({ "envelope_id": envelope["envelope_id"], "payload": { "text": "x" } });
    told.says(&answered).await;
    town.eventually("an event takes no answer", || town.odd().into_iter().nth(5))
        .await;
}

#[tokio::test]
async fn a_link_is_warned_then_refreshed_and_may_acknowledge_until_the_end() {
    let (town, library, _, mina) = town().await;
    town.set(|settings| settings.notice = Duration::from_millis(300));
    let mut wire = Wire::greeted(&town, &library).await;
    mina.direct_message("hello");
    let envelope = wire.text().await;
    assert_eq!(town.cuts(Cut::Warning), 1);
    assert_eq!(wire.text().await["reason"], "warning");
    mina.direct_message("still there?");
    let second = wire.text().await;
    assert_eq!(wire.text().await["reason"], "refresh_requested");
    wire.acknowledges(&envelope).await;
    wire.acknowledges(&second).await;
    town.settled().await;
    assert_eq!(wire.next().await, Came::Closed(Some(1_000)));
    town.disconnected().await;
}

#[tokio::test]
async fn socket_mode_that_is_switched_off_says_so() {
    let (town, library, _, _) = town().await;
    let mut wire = Wire::greeted(&town, &library).await;
    town.disables_socket_mode();
    assert_eq!(wire.text().await["reason"], "link_disabled");
    let mut again = Wire::opens(&town, &library).await;
    assert_eq!(again.text().await["reason"], "link_disabled");
    town.refuses_app_token("account_inactive");
    let api = Api::of(&town, &library).with_token(&town.app_token());
    let refused = api.calls("apps.connections.open", &json!({})).await;
    assert_eq!(refused.error(), "account_inactive");
}

#[tokio::test]
async fn a_link_can_be_lost_in_many_ways() {
    let (town, library, _, _) = town().await;
    for (cut, came) in [
        (Cut::Torn, Came::Gone),
        (Cut::Ended, Came::Gone),
        (Cut::Closed(1_011), Came::Closed(Some(1_011))),
        (
            Cut::Babble(Babble::NotJson),
            Came::Noise("{\"type\": \"eve".to_owned()),
        ),
        (Cut::Babble(Babble::Bytes), Came::Bytes(vec![1, 2, 3])),
        (Cut::Zombie, Came::Nothing),
        (Cut::BlackHole, Came::Nothing),
        (Cut::Babble(Babble::HalfFrame), Came::Gone),
    ] {
        let mut wire = Wire::greeted(&town, &library).await;
        assert_eq!(town.cuts(cut), 1);
        let heard = if came == Came::Nothing {
            wire.hears().await
        } else {
            wire.next().await
        };
        assert_eq!(heard, came, "{cut:?}");
        drop(wire);
        town.world().links.open.clear();
        town.disconnected().await;
    }
    let mut wire = Wire::greeted(&town, &library).await;
    town.cuts(Cut::Bare);
    assert_eq!(
        wire.text().await,
        json!({ "type": "disconnect", "reason": "refresh_requested" })
    );
}

#[tokio::test]
async fn what_went_to_a_zombie_comes_again_over_another_link() {
    let (town, library, _, mina) = town().await;
    town.set(|settings| settings.pings = Duration::from_millis(100));
    let mut silent = Wire::greeted(&town, &library).await;
    assert!(matches!(silent.next().await, Came::Ping(_)));
    town.cuts(Cut::Zombie);
    while silent.hears().await != Came::Nothing {}
    let mut awake = Wire::greeted(&town, &library).await;
    for number in 0..4 {
        mina.direct_message(&format!("hello {number}"));
    }
    let mut heard = 0;
    while heard < 4 {
        let Came::Text(envelope) = awake.hears().await else {
            // Those that were lost are sent to both again, by turns.
            town.passes(Duration::from_secs(4));
            continue;
        };
        awake.acknowledges(&envelope).await;
        heard += 1;
    }
    town.settled().await;
    assert!(town.retries() >= 2);
}

#[tokio::test]
async fn links_are_received_as_ordered() {
    let (town, library, _, _) = town().await;
    town.greets([Greeting::Status(409), Greeting::Silence, Greeting::Torn]);
    let api = Api::of(&town, &library).with_token(&town.app_token());
    let url = async || {
        api.calls("apps.connections.open", &json!({}))
            .await
            .text("url")
    };
    assert_eq!(Wire::connects(&url().await).await.0, "409");
    let (status, mut silent) = Wire::connects(&url().await).await;
    assert_eq!((&*status, silent.hears().await), ("101", Came::Nothing));
    assert_eq!(Wire::connects(&url().await).await.0, "");
    assert_eq!(town.links(), 0);
}

#[tokio::test]
async fn events_can_come_doubled_shuffled_late_or_never() {
    let (town, library, _, mina) = town().await;
    let mut wire = Wire::greeted(&town, &library).await;
    town.leads_astray(Astray::Twice);
    mina.direct_message("twice");
    let (one, two) = (wire.text().await, wire.text().await);
    assert_eq!(one["payload"], two["payload"]);
    assert_ne!(one["envelope_id"], two["envelope_id"]);
    wire.acknowledges(&one).await;
    town.leads_astray(Astray::Storm(15, 3));
    for number in 0..10 {
        mina.direct_message(&format!("{number}"));
    }
    let mut texts = Vec::new();
    for _ in 0..15 {
        let envelope = wire.text().await;
        wire.acknowledges(&envelope).await;
        texts.push(
            envelope["payload"]["event"]["text"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    let mut sorted = texts.clone();
    sorted.sort();
    assert_ne!(texts, sorted);
    sorted.dedup();
    assert_eq!(sorted.len(), 10);
    town.leads_astray(Astray::Lost);
    mina.direct_message("lost");
    assert_eq!(wire.hears().await, Came::Nothing);
    town.leads_astray(Astray::Late(Duration::from_secs(60)));
    mina.direct_message("late");
    assert_eq!(wire.hears().await, Came::Nothing);
    town.passes(Duration::from_secs(60));
    assert_eq!(wire.text().await["payload"]["event"]["text"], "late");
    town.calms_down();
}

#[tokio::test]
async fn the_app_hears_what_it_says_itself_unless_that_is_off() {
    let (town, library, general, _) = town().await;
    town.unlimited();
    let mut wire = Wire::greeted(&town, &library).await;
    let api = Api::of(&town, &library);
    let post = json!({ "channel": general.id, "text": "hello" });
    assert!(api.calls("chat.postMessage", &post).await.ok());
    let own: Value = wire.event("message").await;
    assert!(own["bot_id"].is_string());
    town.set(|settings| settings.echoes = Switch::Off);
    assert!(api.calls("chat.postMessage", &post).await.ok());
    assert_eq!(wire.hears().await, Came::Nothing);
}

#[tokio::test]
async fn thousands_of_events_go_through_and_each_is_counted() {
    let (town, library, general, mina) = town().await;
    town.leads_astray(Astray::Storm(300, 5));
    town.set(|settings| settings.patience = Duration::from_secs(60));
    let mut wire = Wire::greeted(&town, &library).await;
    let mut heard = std::collections::BTreeMap::new();
    for round in 0..17 {
        for number in 0..100 {
            mina.mentions_bot(&general, &format!("why {round}-{number}?"));
        }
        // Two events of each, and every other one of all comes twice.
        for _ in 0..300 {
            let envelope = wire.text().await;
            wire.acknowledges(&envelope).await;
            let ts = envelope["payload"]["event"]["ts"]
                .as_str()
                .unwrap()
                .to_owned();
            *heard.entry(ts).or_insert(0) += 1;
        }
    }
    town.settled().await;
    assert_eq!((heard.len(), heard.values().sum::<i32>()), (1_700, 5_100));
    assert_eq!((town.deliveries().len(), town.retries()), (3_400, 0));
}

#[tokio::test]
async fn nothing_is_said_while_all_is_silent() {
    let (town, library, _, mina) = town().await;
    let mut wire = Wire::greeted(&town, &library).await;
    let api = Api::of(&town, &library);
    town.falls_silent();
    mina.direct_message("hello");
    let nothing = json!({});
    let call = api.tries("auth.test", &nothing);
    let call = tokio::time::timeout(Duration::from_millis(300), call).await;
    assert!(call.is_err());
    assert_eq!(wire.hears().await, Came::Nothing);
    town.calms_down();
    assert!(
        Api::of(&town, &library)
            .calls("auth.test", &nothing)
            .await
            .ok()
    );
    mina.direct_message("hello again");
    let envelope = wire.text().await;
    assert_eq!(envelope["payload"]["event"]["text"], "hello again");
    drop(wire);
    town.disconnected().await;
}
