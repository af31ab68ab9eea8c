//! Plain calls of the Web API, for what a client library would not send.

use serde_json::Value;

use crate::support::plain::client;
use crate::support::slack::Slack;
use crate::support::slack::places::Workspace;

pub(super) use crate::support::plain::Answer;

pub(super) struct Api {
    client: reqwest::Client,
    base: String,
    token: String,
}

impl Answer {
    pub(super) fn error(&self) -> &str {
        self.body["error"].as_str().unwrap_or("")
    }

    pub(super) fn ok(&self) -> bool {
        self.status == 200 && self.body["ok"] == true
    }

    pub(super) fn text(&self, key: &str) -> String {
        self.body[key].as_str().unwrap_or("").to_owned()
    }

    /// What Slack's checks say.
    pub(super) fn messages(&self) -> Vec<&str> {
        let messages = self.body["response_metadata"]["messages"].as_array();
        let messages = messages.into_iter().flatten();
        messages.filter_map(Value::as_str).collect()
    }

    pub(super) fn retry_after(&self) -> Option<u64> {
        self.header("retry-after")
    }
}

impl Api {
    pub(super) fn of(town: &Slack, workspace: &Workspace) -> Self {
        Self {
            client: client(),
            base: town.api(),
            token: workspace.token(),
        }
    }

    pub(super) fn with_token(mut self, token: &str) -> Self {
        token.clone_into(&mut self.token);
        self
    }

    /// Calls with JSON.
    pub(super) async fn calls(&self, method: &str, arguments: &Value) -> Answer {
        let kind = "application/json; charset=utf-8";
        let body = arguments.to_string();
        self.sends(method, kind, body).await.expect("an answer")
    }

    /// Calls with JSON, and gives nothing if the line broke.
    pub(super) async fn tries(&self, method: &str, arguments: &Value) -> Option<Answer> {
        let kind = "application/json; charset=utf-8";
        self.sends(method, kind, arguments.to_string()).await
    }

    /// Calls with a form.
    pub(super) async fn forms(&self, method: &str, arguments: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(arguments)
            .finish();
        let kind = "application/x-www-form-urlencoded";
        self.sends(method, kind, body).await.expect("an answer")
    }

    pub(super) async fn sends(&self, method: &str, kind: &str, body: String) -> Option<Answer> {
        let url = format!("{}/{method}", self.base);
        self.asks(
            self.client
                .post(url)
                .header("content-type", kind)
                .body(body),
        )
        .await
    }

    /// Posts JSON to any address, with no token.
    pub(super) async fn posts(&self, url: &str, body: &Value) -> Answer {
        let request = self.client.post(url);
        let request = request
            .header("content-type", "application/json")
            .body(body.to_string());
        Answer::read(request.send().await.unwrap())
            .await
            .expect("an answer")
    }

    /// Fetches from any address.
    pub(super) async fn fetches(&self, url: &str) -> (String, String) {
        let mut request = self.client.get(url);
        if !self.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        let response = request.send().await.unwrap();
        let kind = response.headers()["content-type"]
            .to_str()
            .unwrap()
            .to_owned();
        (kind, response.text().await.unwrap())
    }

    async fn asks(&self, request: reqwest::RequestBuilder) -> Option<Answer> {
        let request = if self.token.is_empty() {
            request
        } else {
            request.header("authorization", format!("Bearer {}", self.token))
        };
        Answer::read(request.send().await.ok()?).await
    }
}
