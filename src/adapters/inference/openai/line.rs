//! The way to an endpoint: how it is asked, and what it means when it does not answer.

use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Response, StatusCode};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::sleep;

use super::{Endpoint, Unserved};
use crate::domain::document::Digest;

/// The way to an endpoint.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) endpoint: Endpoint,
    http: Client,
}

impl Line {
    const CONNECT: Duration = Duration::from_secs(10);
    /// A pause when a busy endpoint names none, and the longest that is kept.
    const PAUSE: Duration = Duration::from_secs(1);
    const LONGEST_PAUSE: Duration = Duration::from_secs(30);

    pub(super) fn new(endpoint: Endpoint) -> Result<Self, Unserved> {
        // Whoever comes first installs it; it is the same one everywhere.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = Client::builder()
            .tls_backend_rustls()
            .connect_timeout(Self::CONNECT)
            .build()
            .map_err(unreachable)?;
        Ok(Self { endpoint, http })
    }

    pub(super) fn digest(&self) -> Digest {
        let Endpoint { url, model, key: _ } = &self.endpoint;
        Digest::of(format!("{url}\n{model}").as_bytes())
    }

    /// Posts `body`; when told to wait, waits and asks once more.
    pub(super) async fn ask(&self, path: &str, body: &Value) -> Result<Response, Unserved> {
        let response = self.post(path, body).await?;
        if response.status() != StatusCode::TOO_MANY_REQUESTS {
            return accepted(response).await;
        }
        let pause = asked_pause(&response).unwrap_or(Self::PAUSE);
        if pause > Self::LONGEST_PAUSE {
            return Err(Unserved::Busy);
        }
        drop(response);
        sleep(pause).await;
        accepted(self.post(path, body).await?).await
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Response, Unserved> {
        let Endpoint { url, model: _, key } = &self.endpoint;
        let address = format!("{}/{path}", url.as_str().trim_end_matches('/'));
        let mut request = self.http.post(address).json(body);
        if let Some(key) = key {
            request = request.bearer_auth(key.expose_secret());
        }
        request.send().await.map_err(unreachable)
    }
}

/// Seconds only: no server we know of sends the other form, a date.
fn asked_pause(response: &Response) -> Option<Duration> {
    let pause = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    pause.trim().parse().ok().map(Duration::from_secs)
}

async fn accepted(response: Response) -> Result<Response, Unserved> {
    let status = response.status();
    match status {
        _ if status.is_success() => Ok(response),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Unserved::Forbidden(status)),
        StatusCode::TOO_MANY_REQUESTS => Err(Unserved::Busy),
        _ => {
            // Only the code: a message may quote the prompt.
            let problem: Problem = response.json().await.unwrap_or_default();
            let code = problem.code();
            Err(Unserved::Refused { status, code })
        },
    }
}

pub(super) fn unreachable(error: reqwest::Error) -> Unserved {
    if error.is_decode() {
        return Unserved::Unreadable("not the JSON that was asked for");
    }
    Unserved::Unreachable(error.without_url())
}

#[derive(Debug, Default, Deserialize)]
struct Problem {
    error: Option<Details>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Details {
    code: Option<Value>,
    r#type: Option<String>,
}

impl Problem {
    fn code(&self) -> String {
        self.error.as_ref().map_or_else(unnamed, Details::code)
    }
}

impl Details {
    pub(super) fn code(&self) -> String {
        match &self.code {
            Some(Value::String(code)) => code.clone(),
            Some(Value::Number(code)) => code.to_string(),
            Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => {
                self.r#type.clone().unwrap_or_else(unnamed)
            },
        }
    }
}

fn unnamed() -> String {
    "no code".to_owned()
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;
    use url::Url;

    use super::*;

    #[test]
    fn a_key_is_not_in_what_may_be_logged() {
        let line = Line::new(Endpoint {
            url: Url::parse("http://127.0.0.1:1/v1").unwrap(),
            model: "m".to_owned(),
            key: Some(SecretString::from("s3cr3t")),
        });
        assert!(!format!("{line:?}").contains("s3cr3t"));
    }
}
