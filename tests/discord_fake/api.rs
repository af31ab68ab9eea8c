//! Plain requests to the API, for what a client library would not send.

use serde_json::Value;

use crate::support::discord::Discord;
use crate::support::plain::{Answer, client};

pub(super) struct Api {
    client: reqwest::Client,
    base: String,
    token: String,
}

impl Answer {
    pub(super) fn code(&self) -> u64 {
        self.body["code"].as_u64().unwrap_or(0)
    }

    pub(super) fn says(&self, header: &str) -> Option<f64> {
        self.header(header)
    }
}

impl Api {
    pub(super) fn of(town: &Discord) -> Self {
        Self {
            client: client(),
            base: format!("{}/api/v10", town.api()),
            token: town.token(),
        }
    }

    pub(super) fn with_token(mut self, token: &str) -> Self {
        token.clone_into(&mut self.token);
        self
    }

    /// Asks, and gives what was answered; nothing if the line broke.
    pub(super) async fn tries(&self, method: &str, path: &str, body: &Value) -> Option<Answer> {
        let request = self
            .client
            .request(method.parse().unwrap(), format!("{}{path}", self.base))
            .header("user-agent", "DiscordBot (https://example.org, 1)")
            .header("authorization", format!("Bot {}", self.token));
        let request = if body.is_null() {
            request
        } else {
            request.json(body)
        };
        Answer::read(request.send().await.ok()?).await
    }

    pub(super) async fn asks(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.tries(method, path, body).await.expect("an answer")
    }

    pub(super) async fn gets(&self, path: &str) -> Answer {
        self.asks("GET", path, &Value::Null).await
    }

    pub(super) async fn posts(&self, path: &str, body: &Value) -> Answer {
        self.asks("POST", path, body).await
    }

    pub(super) async fn patches(&self, path: &str, body: &Value) -> Answer {
        self.asks("PATCH", path, body).await
    }
}
