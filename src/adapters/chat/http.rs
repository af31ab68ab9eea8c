//! Plain HTTP with care: where a token may be sent, and answers that are read to a limit.

use reqwest::Response;
use url::{Host, Url};

/// The address of a platform's API, if what only the platform may see may be sent there: over
/// TLS, or within this machine.
pub fn address(base: &str) -> Option<Url> {
    let url = Url::parse(base).ok()?;
    let safe = match url.scheme() {
        "https" => true,
        "http" => is_loopback(&url),
        _ => false,
    };
    let plain = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    (safe && plain).then_some(url)
}

pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Where the body ended too soon.
pub enum Cut {
    Broke(reqwest::Error),
    TooLong,
}

/// The body of an answer, of at most `longest` bytes.
pub async fn read(mut response: Response, longest: usize) -> Result<Vec<u8>, Cut> {
    let most = u64::try_from(longest).unwrap_or(u64::MAX);
    if response
        .content_length()
        .is_some_and(|length| length > most)
    {
        return Err(Cut::TooLong);
    }
    let mut body = Vec::new();
    let broke = |error: reqwest::Error| Cut::Broke(error.without_url());
    while let Some(chunk) = response.chunk().await.map_err(broke)? {
        if body.len() + chunk.len() > longest {
            return Err(Cut::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What is wrong with an answer, without a word of it.
pub fn unread(error: &serde_json::Error) -> String {
    let said = error.to_string();
    let field = said
        .strip_prefix("missing field `")
        .and_then(|rest| rest.split('`').next());
    match field {
        Some(field) => format!("its answer lacks `{field}`"),
        None => format!(
            "its answer is not what is expected at line {}, column {}",
            error.line(),
            error.column()
        ),
    }
}
