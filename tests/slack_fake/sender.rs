//! The sender of events over HTTP: what it signs, what it sends again, when it stops.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::town;
use crate::support::slack::Slack;
use crate::support::slack::interactions::State as Stand;
use crate::support::slack::post::Outcome;
use crate::support::slack::sender::signature;

/// An app that listens at an address, and answers as it was told to.
#[derive(Clone, Default)]
struct App {
    heard: Arc<Mutex<Vec<(HeaderMap, String)>>>,
    answers: Arc<Mutex<VecDeque<(u16, String)>>>,
    headers: Arc<Mutex<HeaderMap>>,
}

impl App {
    /// Starts it and tells Slack where it is.
    async fn of(town: &Slack) -> (Self, JoinSet<()>) {
        let app = Self::default();
        let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = door.local_addr().unwrap();
        let router = Router::new().fallback(hear).with_state(app.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(door, router).await.unwrap() });
        town.posts_to(&format!("http://{address}/slack/events"));
        (app, serving)
    }

    fn answers(&self, answers: &[(u16, &str)]) {
        let answers = answers
            .iter()
            .map(|(status, body)| (*status, (*body).to_owned()));
        self.answers.lock().unwrap().extend(answers);
    }

    async fn hears(&self, town: &Slack, many: usize) -> Vec<(HeaderMap, String)> {
        let heard = || Some(self.heard.lock().unwrap().clone()).filter(|it| it.len() >= many);
        town.eventually("the app hears", heard).await
    }
}

async fn hear(State(app): State<App>, request: Request) -> Response {
    let headers = request.headers().clone();
    let body = axum::body::to_bytes(request.into_body(), 1 << 20)
        .await
        .unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    app.heard.lock().unwrap().push((headers, body));
    let answer = app.answers.lock().unwrap().pop_front();
    let (status, body) = answer.unwrap_or((200, String::new()));
    let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
    response
        .headers_mut()
        .extend(app.headers.lock().unwrap().clone());
    response
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

#[test]
fn a_signature_is_as_in_slacks_own_example() {
    let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow\
                &channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA\
                &user_name=roadrunner&command=%2Fwebhook-collect&text=\
                &response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554\
                %2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.\
                803a0bc887a14d10d2c447fce8b6703c";
    let signed = signature(
        "8f742231b10e8888abcd99yyyzzz85a5",
        1_531_420_618,
        body.as_bytes(),
    );
    assert_eq!(
        signed,
        "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    );
}

#[tokio::test]
async fn an_event_is_posted_signed_and_taken_with_200() {
    let (town, library, general, mina) = town().await;
    let (app, _serving) = App::of(&town).await;
    let said = mina.says(&general, "안녕");
    let heard = app.hears(&town, 1).await;
    let (headers, body) = &heard[0];
    let at: i64 = header(headers, "x-slack-request-timestamp")
        .parse()
        .unwrap();
    let expected = signature(&town.signing_secret(), at, body.as_bytes());
    assert_eq!(header(headers, "x-slack-signature"), expected);
    assert_eq!(header(headers, "x-slack-retry-num"), "");
    let payload: Value = serde_json::from_str(body).unwrap();
    assert_eq!(
        (&payload["type"], &payload["team_id"]),
        (&json!("event_callback"), &json!(library.id))
    );
    assert_eq!(payload["event"]["ts"], said.ts);
    town.settled().await;
    assert_eq!(town.deliveries()[0].outcome, Outcome::Acknowledged);
}

#[tokio::test]
async fn an_event_that_is_not_taken_is_posted_again_with_the_reason() {
    let (town, _, general, mina) = town().await;
    let (app, _serving) = App::of(&town).await;
    app.answers(&[(500, ""), (302, ""), (200, "")]);
    mina.says(&general, "hello");
    app.hears(&town, 1).await;
    let failed = |again: usize| {
        town.until("it failed", move |world| {
            (world.office.deliveries[0].again == again).then_some(())
        })
    };
    failed(1).await;
    town.passes(Duration::from_secs(1));
    failed(2).await;
    town.passes(Duration::from_secs(60));
    let heard = app.hears(&town, 3).await;
    for (place, number) in [(1, "1"), (2, "2")] {
        let headers = &heard[place].0;
        assert_eq!(header(headers, "x-slack-retry-num"), number);
        assert_eq!(header(headers, "x-slack-retry-reason"), "http_error");
        assert_eq!(heard[place].1, heard[0].1);
    }
    town.settled().await;
    assert_eq!(town.deliveries()[0].outcome, Outcome::Acknowledged);
}

#[tokio::test]
async fn an_app_may_ask_not_to_be_told_again() {
    let (town, _, general, mina) = town().await;
    let (app, _serving) = App::of(&town).await;
    app.headers
        .lock()
        .unwrap()
        .insert("x-slack-no-retry", 1.into());
    app.answers(&[(500, "")]);
    mina.says(&general, "hello");
    town.settled().await;
    assert_eq!(town.deliveries()[0].outcome, Outcome::GivenUp);
}

#[tokio::test]
async fn an_app_that_is_away_or_slow_is_told_again() {
    let (town, _, general, mina) = town().await;
    town.posts_to("http://127.0.0.1:9/slack/events");
    mina.says(&general, "hello");
    let failed = town.until("it failed", |world| world.record.posted.first().cloned());
    assert_eq!(failed.await.answer, "connection_failed");
    let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
    town.posts_to(&format!("http://{}/", door.local_addr().unwrap()));
    town.set(|settings| settings.patience = Duration::from_millis(100));
    mina.says(&general, "hello");
    let failed = town.until("it failed", |world| world.record.posted.get(1).cloned());
    assert_eq!(failed.await.answer, "http_timeout");
}

#[tokio::test]
async fn the_address_must_give_the_challenge_back() {
    let (town, _, _, _) = town().await;
    let (app, _serving) = App::of(&town).await;
    app.answers(&[(200, "what?")]);
    assert!(town.verifies_address().await.is_err());
    let (_, body) = app.hears(&town, 1).await.remove(0);
    assert!(body.contains("url_verification"));
}

#[tokio::test]
async fn commands_and_buttons_are_posted_as_forms() {
    let (town, _, general, mina) = town().await;
    let (app, _serving) = App::of(&town).await;
    app.answers(&[(200, "{\"text\": \"wait\"}"), (500, "")]);
    town.subscribes(&[]);
    let run = mina.runs(&general, "/ask", "왜 & how?");
    let (headers, body) = app.hears(&town, 1).await.remove(0);
    assert_eq!(
        header(&headers, "content-type"),
        "application/x-www-form-urlencoded"
    );
    let form: Vec<(String, String)> = url::form_urlencoded::parse(body.as_bytes())
        .into_owned()
        .collect();
    assert!(form.contains(&("text".to_owned(), "왜 & how?".to_owned())));
    let seen = mina.wait_for(&general, |seen| seen.first().cloned()).await;
    assert_eq!(
        (&*seen.text, mina.state(&run)),
        ("wait", Stand::Acknowledged)
    );
    let said = mina.direct_message("hello");
    let run = mina.runs_on(&said, "Add to library");
    let (_, body) = app.hears(&town, 2).await.remove(1);
    assert!(body.starts_with("payload=%7B") && body.contains("message_action"));
    let failed = || (mina.state(&run) == Stand::Failed).then_some(());
    town.eventually("whoever did it is told", failed).await;
}
