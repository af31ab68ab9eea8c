//! Files from the Hugging Face hub, or a mirror of it.
//!
//! Weights are gigabytes and connections break: what came is kept and the rest is asked for,
//! within one pull and in the next. The digest decides in the end, so a resumed file that
//! does not fit together is noticed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use reqwest::header::{CONTENT_RANGE, HeaderMap, RANGE};
use reqwest::{Client, Response, StatusCode};
use secrecy::ExposeSecret as _;
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt as _;
use url::Url;

use super::origin::{Origins, Unfetched};
use super::progress::Progress;
use super::shelf::{Shelf, Unshelved, failed};
use super::source::HubFile;
use crate::ports::Cause;

const CONNECT: Duration = Duration::from_secs(15);
const SILENCE: Duration = Duration::from_secs(60);
/// A connection that gave something is worth another try; so many in a row gave nothing.
const FRUITLESS_TRIES: u32 = 3;
/// However much each gave: a hub that always begins anew would never end.
const MOST_TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_secs(1);

/// Downloads `file` to `part`, going on from what lies there already.
pub(super) async fn download(
    file: &HubFile,
    part: &Path,
    shelf: &Shelf,
    origins: &Origins,
    progress: &Arc<dyn Progress>,
) -> Result<(), Unfetched> {
    let download = Download {
        client: client()?,
        file,
        part,
        shelf,
        origins,
        progress: &**progress,
    };
    let (mut fruitless, mut tries) = (0, 0);
    loop {
        let before = length(part);
        tries += 1;
        let Err(failure) = download.go_on().await else {
            return Ok(());
        };
        let cause = match failure {
            Failure::Final(unfetched) => return Err(unfetched),
            Failure::Passing(cause) => cause,
        };
        fruitless = if length(part) > before {
            0
        } else {
            fruitless + 1
        };
        if fruitless >= FRUITLESS_TRIES || tries >= MOST_TRIES {
            return Err(Unfetched::BrokeOff(cause));
        }
        tokio::time::sleep(PAUSE * (fruitless + 1)).await;
    }
}

/// What a download needs from one try to the next.
struct Download<'a> {
    client: Client,
    file: &'a HubFile,
    part: &'a Path,
    shelf: &'a Shelf,
    origins: &'a Origins,
    progress: &'a dyn Progress,
}

/// What one try ends with, if not with the file.
enum Failure {
    Final(Unfetched),
    Passing(Cause),
}

impl From<Unfetched> for Failure {
    fn from(unfetched: Unfetched) -> Self {
        Self::Final(unfetched)
    }
}

impl From<Unshelved> for Failure {
    fn from(unshelved: Unshelved) -> Self {
        Self::Final(unshelved.into())
    }
}

fn passing(cause: impl Into<Cause>) -> Failure {
    Failure::Passing(cause.into())
}

fn client() -> Result<Client, Unfetched> {
    // Whoever was first has installed the same provider.
    let _already = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .tls_backend_rustls()
        .user_agent(concat!("saseo/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .build()
        .map_err(|cause| Unfetched::BrokeOff(cause.into()))
}

impl Download<'_> {
    /// One try: asks for what is missing and writes it as it comes.
    async fn go_on(&self) -> Result<(), Failure> {
        let have = length(self.part);
        let response = self.ask(have).await.map_err(passing)?;
        let (begin, total) = match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                let range = content_range(response.headers());
                let range = range.filter(|(begin, _)| *begin == have);
                range.ok_or_else(|| passing("the hub sent another part than was asked for"))?
            },
            StatusCode::OK => (0, response.content_length()),
            StatusCode::RANGE_NOT_SATISFIABLE => return self.nothing_left(&response, have),
            status => return Err(refusal(status, self.file, response.headers())),
        };
        let missing = total.unwrap_or(begin).saturating_sub(begin);
        self.shelf.need_room(missing)?;
        self.receive(response, begin, total).await
    }

    /// The hub has no byte after those that came: they are all, or not this file's.
    fn nothing_left(&self, response: &Response, have: u64) -> Result<(), Failure> {
        let whole = content_range(response.headers()).and_then(|(_, total)| total);
        if whole == Some(have) {
            return Ok(());
        }
        std::fs::remove_file(self.part).map_err(failed(self.part, "removed"))?;
        Err(passing("what had come does not belong to this file"))
    }

    async fn receive(
        &self,
        response: Response,
        begin: u64,
        total: Option<u64>,
    ) -> Result<(), Failure> {
        let mut to = open(self.part, begin)
            .await
            .map_err(failed(self.part, "opened"))?;
        let mut pieces = response.bytes_stream();
        let mut done = begin;
        let mut broke = None;
        while let Some(piece) = pieces.next().await {
            let piece = match piece {
                Ok(piece) => piece,
                Err(cause) => {
                    broke = Some(passing(cause));
                    break;
                },
            };
            let written = to.write_all(&piece).await;
            written.map_err(failed(self.part, "written"))?;
            done += piece.len() as u64;
            self.progress.advances(done, total);
        }
        // Also when it broke off: the next try goes on from what was written.
        let flushed = to.flush().await;
        flushed.map_err(failed(self.part, "written"))?;
        match broke {
            Some(failure) => Err(failure),
            None if total.is_some_and(|total| done < total) => {
                Err(passing("the connection closed too early"))
            },
            None => Ok(()),
        }
    }

    async fn ask(&self, have: u64) -> reqwest::Result<Response> {
        let mut request = self.client.get(address(self.file, &self.origins.hub));
        if have > 0 {
            request = request.header(RANGE, format!("bytes={have}-"));
        }
        if let Some(token) = &self.origins.hub_token {
            request = request.bearer_auth(token.expose_secret());
        }
        request.send().await
    }
}

fn address(file: &HubFile, hub: &Url) -> Url {
    let mut url = hub.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(file.repo.id.split('/'));
        segments.push("resolve").push(&file.repo.revision);
        segments.extend(file.path.split('/'));
    }
    url
}

fn refusal(status: StatusCode, file: &HubFile, headers: &HeaderMap) -> Failure {
    let code = headers.get("x-error-code").and_then(|it| it.to_str().ok());
    match (status, code) {
        // The hub hides from strangers whether a repository is private or not there at all.
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => {
            Failure::Final(Unfetched::Gated(file.repo.id.clone()))
        },
        (StatusCode::NOT_FOUND, Some("RepoNotFound")) => {
            Failure::Final(Unfetched::NotFound(format!("repository {}", file.repo.id)))
        },
        (StatusCode::NOT_FOUND, Some("RevisionNotFound")) => {
            Failure::Final(Unfetched::NotFound(format!("revision {}", file.repo)))
        },
        (StatusCode::NOT_FOUND, _) => {
            let what = format!("file {} in {}", file.path, file.repo);
            Failure::Final(Unfetched::NotFound(what))
        },
        (StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT, _) => {
            passing(format!("the hub answered with status {}", status.as_u16()))
        },
        _ if status.is_server_error() => {
            passing(format!("the hub answered with status {}", status.as_u16()))
        },
        _ => Failure::Final(Unfetched::Refused(status.as_u16())),
    }
}

/// Opens `part` to go on at `begin`, throwing away what lies behind.
async fn open(part: &Path, begin: u64) -> std::io::Result<File> {
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(part)
        .await?;
    file.set_len(begin).await?;
    Ok(file)
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |it| it.len())
}

/// `bytes 5-9/10` is (5, 10), `bytes */10` is (0, 10).
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let begin = match range.split_once('-') {
        Some((begin, _)) => begin.parse().ok()?,
        None => 0,
    };
    Some((begin, total.parse().ok()))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[track_caller]
    fn check(text: &'static str, expected: Option<(u64, Option<u64>)>) {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_RANGE, HeaderValue::from_static(text));
        assert_eq!(content_range(&headers), expected, "{text}");
    }

    #[test]
    fn a_content_range_says_where_it_goes_on() {
        check("bytes 5-9/10", Some((5, Some(10))));
        check("bytes 5-9/*", Some((5, None)));
        check("bytes */10", Some((0, Some(10))));
        check("pages 1-2/3", None);
        check("bytes x-9/10", None);
    }
}
