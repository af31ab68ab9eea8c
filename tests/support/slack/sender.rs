//! The sender of events over HTTP: signed requests to the app's address, and what comes back.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

use super::Town;
use super::post::{self, Kind};
use super::record::Posted;
use super::world::World;

/// Something that is posted to the app's address.
pub(crate) struct Parcel {
    delivery: usize,
    attempt: usize,
    pub(crate) request: Signed,
}

/// A request as Slack signs it.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

/// Signs `body` as at `at` seconds.
pub(crate) fn signature(secret: &str, at: i64, body: &[u8]) -> String {
    let mut signed = format!("v0:{at}:").into_bytes();
    signed.extend_from_slice(body);
    format!("v0={}", hex::encode(mac(secret.as_bytes(), &signed)))
}

/// HMAC with SHA-256.
fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 64];
    let short = if key.len() > block.len() {
        Sha256::digest(key).to_vec()
    } else {
        key.to_vec()
    };
    block[..short.len()].copy_from_slice(&short);
    let padded = |pad: u8| block.map(|byte| byte ^ pad);
    let inner = Sha256::new()
        .chain_update(padded(0x36))
        .chain_update(text)
        .finalize();
    let outer = Sha256::new().chain_update(padded(0x5C)).chain_update(inner);
    outer.finalize().to_vec()
}

/// A body for the app's address, signed as of now.
pub(crate) fn signed(world: &World, kind: &'static str, body: String) -> Signed {
    let at = world.clock.now().timestamp();
    let signature = signature(&world.app.signing_secret, at, body.as_bytes());
    Signed {
        url: world.settings.request_url.clone().unwrap_or_default(),
        headers: vec![
            ("content-type", kind.to_owned()),
            (
                "user-agent",
                "Slackbot 1.0 (+https://api.slack.com/robots)".to_owned(),
            ),
            ("x-slack-request-timestamp", at.to_string()),
            ("x-slack-signature", signature),
        ],
        body,
    }
}

pub(crate) const JSON: &str = "application/json";
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// A delivery as a request.
pub(crate) fn request(world: &World, number: usize) -> Signed {
    let delivery = &world.office.deliveries[number];
    let payload = &delivery.payload;
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    let mut request = match delivery.kind {
        Kind::Event => signed(world, JSON, payload.to_string()),
        Kind::Interactive => {
            form.append_pair("payload", &payload.to_string());
            signed(world, FORM, form.finish())
        },
        Kind::Command => {
            for (key, value) in payload.as_object().into_iter().flatten() {
                form.append_pair(key, value.as_str().unwrap_or(""));
            }
            signed(world, FORM, form.finish())
        },
    };
    let settings = &world.settings;
    let other = match delivery.kind {
        Kind::Event => None,
        Kind::Interactive => settings.interactivity_url.as_ref(),
        Kind::Command => settings.commands_url.as_ref(),
    };
    if let Some(other) = other {
        request.url.clone_from(other);
    }
    if delivery.again > 0 {
        let why = delivery
            .attempts
            .iter()
            .rev()
            .find_map(|attempt| attempt.failed);
        let again = delivery.again.to_string();
        request.headers.push(("x-slack-retry-num", again));
        let why = why.unwrap_or("unknown_error").to_owned();
        request.headers.push(("x-slack-retry-reason", why));
    }
    request
}

pub(crate) fn enqueue(world: &mut World, delivery: usize, attempt: usize) {
    let parcel = Parcel {
        delivery,
        attempt,
        request: request(world, delivery),
    };
    if let Some(outbox) = &world.office.outbox {
        // Nobody takes it any more when the town is being left.
        drop(outbox.send(parcel));
    }
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) no_retry: bool,
    pub(crate) body: String,
}

/// Posts a request as Slack does; why it failed, if it did.
pub(crate) async fn send(
    client: &reqwest::Client,
    patience: Duration,
    request: &Signed,
) -> Result<Answer, &'static str> {
    let mut post = client.post(&request.url).body(request.body.clone());
    for (name, value) in &request.headers {
        post = post.header(*name, value);
    }
    let answer = async {
        let response = post.send().await?;
        let no_retry = response.headers().get("x-slack-no-retry");
        let no_retry = no_retry.is_some_and(|value| value == "1");
        let status = response.status().as_u16();
        let body = response.text().await?;
        Ok::<Answer, reqwest::Error>(Answer {
            status,
            no_retry,
            body,
        })
    };
    match tokio::time::timeout(patience, answer).await {
        Err(_) => Err("http_timeout"),
        Ok(Err(error)) if error.is_redirect() => Err("too_many_redirects"),
        Ok(Err(error)) if error.is_connect() => Err("connection_failed"),
        Ok(Err(_)) => Err("unknown_error"),
        Ok(Ok(answer)) => Ok(answer),
    }
}

pub(crate) fn client() -> reqwest::Client {
    drop(rustls::crypto::ring::default_provider().install_default());
    let follows = reqwest::redirect::Policy::limited(2);
    let client = reqwest::Client::builder().no_proxy().redirect(follows);
    client.build().unwrap()
}

/// Posts parcels until the town is left.
pub(crate) async fn work(town: Town, mut parcels: UnboundedReceiver<Parcel>) {
    let client = client();
    let mut under_way = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = under_way.join_next() => {},
            parcel = parcels.recv() => match parcel {
                Some(parcel) => {
                    drop(under_way.spawn(carry(Arc::clone(&town), client.clone(), parcel)));
                },
                None => return,
            },
        }
    }
}

async fn carry(town: Town, client: reqwest::Client, parcel: Parcel) {
    let patience = town.world().settings.patience;
    let answer = send(&client, patience, &parcel.request).await;
    let mut world = town.world();
    let now = world.clock.now();
    world.record.posted.push(Posted {
        at: now,
        delivery: parcel.delivery,
        attempt: parcel.attempt,
        status: answer.as_ref().ok().map(|answer| answer.status),
        answer: answer
            .as_ref()
            .map_or_else(|why| (*why).to_owned(), |it| it.body.clone()),
    });
    let place = (parcel.delivery, parcel.attempt);
    match answer {
        Ok(answer) if answer.status == 200 => {
            let delivery = &mut world.office.deliveries[parcel.delivery];
            delivery.attempts[parcel.attempt].acknowledged = Some(now);
            let body: Option<Value> = serde_json::from_str(&answer.body).ok();
            // A text alone answers a command.
            let plain = (!answer.body.trim().is_empty()).then_some(answer.body);
            let body = body.or(plain.map(|text| serde_json::json!({ "text": text })));
            post::settle(&mut world, parcel.delivery, body);
        },
        Ok(answer) if answer.no_retry => post::give_up(&mut world, parcel.delivery),
        Ok(_) => post::fail(&mut world, place, "http_error"),
        Err(why) => post::fail(&mut world, place, why),
    }
    drop(world);
    town.changed();
}
