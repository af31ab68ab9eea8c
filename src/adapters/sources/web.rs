//! One document from the web.
//!
//! The check of an address and the connection to it are one step here: the client gets its
//! addresses only through [`Guarded`], so a name cannot answer one thing to the check and
//! another to the connection. Redirects are followed by hand, and each goes through the gate.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, LAST_MODIFIED, LOCATION};
use reqwest::{Client, Response, StatusCode, redirect};
use tokio::time::timeout;
use url::Url;

use super::address::{Blocked, Policy};
use super::{Fetched, Unfetched};
use crate::ports::Cause;

/// Fetches documents from the web within a [`Policy`].
#[derive(Clone, Debug)]
pub struct Fetcher {
    policy: Arc<Policy>,
    client: Client,
}

impl Fetcher {
    /// How often a document may send us elsewhere.
    const REDIRECTS: usize = 5;

    /// A fetcher that looks names up as the system does. The process must have installed its
    /// TLS provider.
    pub fn new(policy: Policy) -> Result<Self, Unfetched> {
        Self::with_names(policy, Arc::new(SystemNames))
    }

    /// A fetcher that asks `names` for addresses, and believes none that the policy forbids.
    pub fn with_names(policy: Policy, names: Arc<dyn Resolve>) -> Result<Self, Unfetched> {
        let policy = Arc::new(policy);
        let guarded = Guarded {
            names,
            policy: Arc::clone(&policy),
        };
        let client = Client::builder()
            .tls_backend_rustls()
            .dns_resolver(guarded)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(Duration::from_secs(10))
            // A kept connection would outlive the check of its address.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("saseo/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Unfetched::Unreachable(Box::new(error)))?;
        Ok(Self { policy, client })
    }

    /// Fetches the document at `raw`.
    pub async fn fetch(&self, raw: &str) -> Result<Fetched, Unfetched> {
        let url = self.policy.admit(raw)?;
        let patience = self.policy.patience;
        let fetched = timeout(patience, self.follow(url)).await;
        fetched.map_err(|_| Unfetched::Late { patience })?
    }

    async fn follow(&self, asked: Url) -> Result<Fetched, Unfetched> {
        let mut url = asked.clone();
        for _ in 0..=Self::REDIRECTS {
            let response = self.ask(&url).await?;
            match self.next(&url, &response)? {
                Some(next) => url = next,
                None => return self.take(&asked, &url, response).await,
            }
        }
        Err(Blocked::Redirects(Self::REDIRECTS).into())
    }

    async fn ask(&self, url: &Url) -> Result<Response, Unfetched> {
        let response = self
            .client
            .get(url.clone())
            .send()
            .await
            .map_err(unreached)?;
        if let Some(peer) = response.remote_addr() {
            self.policy.reach(peer.ip())?;
        }
        Ok(response)
    }

    /// Where `response` sends us, if it does.
    fn next(&self, url: &Url, response: &Response) -> Result<Option<Url>, Blocked> {
        let status = response.status();
        if !status.is_redirection() || status == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        let place = said(response, &LOCATION).ok_or(Blocked::NoLocation)?;
        let next = url.join(place.trim()).map_err(|_| Blocked::NotAUrl)?;
        let next = self.policy.admitted(next)?;
        if url.scheme() == "https" && next.scheme() == "http" {
            return Err(Blocked::Downgrade);
        }
        Ok(Some(next))
    }

    async fn take(
        &self,
        asked: &Url,
        url: &Url,
        response: Response,
    ) -> Result<Fetched, Unfetched> {
        welcome(response.status())?;
        let content_type = said(&response, &CONTENT_TYPE).map(str::to_owned);
        readable(content_type.as_deref(), url)?;
        // We asked for no compression; a body that comes compressed may be a bomb.
        if let Some(packed) = said(&response, &CONTENT_ENCODING).filter(|e| *e != "identity") {
            return Err(Unfetched::NotText {
                kind: format!("compressed ({packed})"),
            });
        }
        let modified = said(&response, &LAST_MODIFIED).and_then(date);
        Ok(Fetched {
            uri: asked.to_string(),
            origin: asked.to_string(),
            name: url.path().to_owned(),
            content_type,
            modified,
            bytes: body(response, self.policy.longest).await?,
        })
    }
}

fn said<'a>(response: &'a Response, header: &HeaderName) -> Option<&'a str> {
    response.headers().get(header)?.to_str().ok()
}

fn date(raw: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(raw).ok().map(|at| at.to_utc())
}

fn welcome(status: StatusCode) -> Result<(), Unfetched> {
    match status.as_u16() {
        200..=299 => Ok(()),
        404 | 410 => Err(Unfetched::Gone),
        401 | 402 | 403 | 407 => Err(Unfetched::Denied),
        408 | 425 | 429 | 500..=599 => Err(Unfetched::Busy {
            status: status.as_u16(),
        }),
        other => Err(Unfetched::Refused { status: other }),
    }
}

/// Refuses what is declared as something else than text, before its body is read.
fn readable(content_type: Option<&str>, url: &Url) -> Result<(), Unfetched> {
    const TEXTS: [&str; 9] = [
        "application/xhtml+xml",
        "application/xml",
        "application/json",
        "application/ld+json",
        "application/yaml",
        "application/x-yaml",
        "application/toml",
        "application/markdown",
        "application/javascript",
    ];
    let declared = content_type.unwrap_or_default().to_ascii_lowercase();
    let kind = declared.split(';').next().unwrap_or_default().trim();
    // Servers that do not know Markdown send it as bytes.
    let bytes = kind == "application/octet-stream" || kind.is_empty();
    let named = [".md", ".markdown", ".txt", ".rst", ".adoc"];
    let named = named
        .iter()
        .any(|end| url.path().to_ascii_lowercase().ends_with(end));
    if kind.starts_with("text/")
        || TEXTS.contains(&kind)
        || (bytes && (named || kind.is_empty()))
    {
        return Ok(());
    }
    Err(Unfetched::NotText {
        kind: kind.to_owned(),
    })
}

async fn body(mut response: Response, longest: usize) -> Result<Vec<u8>, Unfetched> {
    let too_large = Unfetched::TooLarge { longest };
    if response
        .content_length()
        .is_some_and(|length| length > longest as u64)
    {
        return Err(too_large);
    }
    let mut bytes = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(unreached)? {
        if bytes.len() + piece.len() > longest {
            return Err(too_large);
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// What went wrong on the way; a forbidden address shows itself only here.
fn unreached(error: reqwest::Error) -> Unfetched {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(error) = cause {
        if let Some(blocked) = error.downcast_ref::<Blocked>() {
            return blocked.clone().into();
        }
        cause = error.source();
    }
    Unfetched::Unreachable(Box::new(error.without_url()))
}

/// Gives the client only addresses that the policy allows.
struct Guarded {
    names: Arc<dyn Resolve>,
    policy: Arc<Policy>,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = Arc::clone(&self.policy);
        let asked = self.names.resolve(name);
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = asked.await?.collect();
            // One closed address among open ones is no accident: none is used.
            for address in &addresses {
                policy.reach(address.ip()).map_err(Cause::from)?;
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Names as the system looks them up.
struct SystemNames;

impl Resolve for SystemNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let addresses: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(content_type: Option<&str>, url: &str, expected: Result<(), &str>) {
        let url = Url::parse(url).expect("a URL");
        let seen = readable(content_type, &url).map_err(|error| error.to_string());
        assert_eq!(seen, expected.map_err(str::to_owned), "{url}");
    }

    #[test]
    fn what_is_declared_as_text_is_read() {
        check(Some("text/html; charset=utf-8"), "http://a/", Ok(()));
        check(Some("Text/Markdown"), "http://a/", Ok(()));
        check(Some("application/json"), "http://a/", Ok(()));
        check(None, "http://a/page", Ok(()));
        check(
            Some("application/octet-stream"),
            "http://a/README.md",
            Ok(()),
        );
        let bytes =
            "it is application/octet-stream, not text; text, Markdown and HTML can be read";
        check(
            Some("application/octet-stream"),
            "http://a/setup",
            Err(bytes),
        );
        check(
            Some("application/pdf"),
            "http://a/x.md",
            Err("it is application/pdf, not text; text, Markdown and HTML can be read"),
        );
        check(
            Some("image/png"),
            "http://a/x",
            Err("it is image/png, not text; text, Markdown and HTML can be read"),
        );
    }

    #[test]
    fn a_status_says_what_to_do_next() {
        let said = |status: u16| {
            let status = StatusCode::from_u16(status).expect("a status");
            welcome(status).expect_err("no document").to_string()
        };
        assert_eq!(said(404), "there is nothing at this place");
        assert_eq!(
            said(403),
            "it is not open to saseo; it wants a login or other rights"
        );
        assert_eq!(said(503), "the server answered 503; try again later");
        assert_eq!(said(418), "the server gave no document, but answered 418");
    }

    struct Always(&'static str);

    impl Resolve for Always {
        fn resolve(&self, _: Name) -> Resolving {
            let address = SocketAddr::new(self.0.parse().expect("an address"), 0);
            Box::pin(async move { Ok(Box::new(std::iter::once(address)) as Addrs) })
        }
    }

    #[tokio::test]
    async fn a_name_on_the_public_web_is_looked_up_and_another_is_not_given_away() {
        let asked = async |address| {
            let guarded = Guarded {
                names: Arc::new(Always(address)),
                policy: Arc::default(),
            };
            let found = guarded.resolve("a.example".parse().expect("a name")).await;
            found
                .map(Iterator::collect::<Vec<_>>)
                .map_err(|error| error.to_string())
        };
        let public = "93.184.216.34:0".parse().expect("an address");
        assert_eq!(asked("93.184.216.34").await, Ok(vec![public]));
        assert!(asked("10.0.0.1").await.is_err());
    }
}
