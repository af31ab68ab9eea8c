//! Plain HTTP with care: where a token may be sent, and answers that are read to a limit.

use std::time::Duration;

use reqwest::{Client, Response, redirect};
use url::{Host, Url};

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Until the connection stands.
    pub connect: Duration,
    /// From sending a request to the end of its answer.
    pub request: Duration,
    /// For a file, however often it is tried.
    pub download: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            request: Duration::from_secs(15),
            download: Duration::from_secs(30),
        }
    }
}

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

/// `url`, if it is at one of the platform's `hosts`, or at `base` where that is this machine.
pub fn own(url: &str, hosts: &[&str], base: &Url) -> Option<Url> {
    let url = Url::parse(url).ok()?;
    let theirs = url.scheme() == "https"
        && url.port().is_none()
        && url.host_str().is_some_and(|host| hosts.contains(&host));
    let here = is_loopback(base) && url.origin() == base.origin();
    let plain = url.username().is_empty() && url.password().is_none();
    ((theirs || here) && plain).then_some(url)
}

pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// The client for the platform at `base`: it follows nobody elsewhere and tells nobody where it
/// comes from. A connection that nobody uses is closed after `idle`: one that the other side
/// closed unseen makes a post's fate unclear.
pub fn client(
    base: &Url,
    agent: &str,
    timeouts: Timeouts,
    idle: Duration,
) -> reqwest::Result<Client> {
    // Whoever comes first installs it; it is the same one everywhere.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = Client::builder()
        .tls_backend_rustls()
        .user_agent(agent)
        .redirect(redirect::Policy::none())
        .referer(false)
        .connect_timeout(timeouts.connect)
        .pool_idle_timeout(idle);
    let client = if is_loopback(base) {
        client.no_proxy()
    } else {
        client
    };
    client.build().map_err(reqwest::Error::without_url)
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
