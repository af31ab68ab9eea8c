//! A Hugging Face hub and a Python package index on loopback.
//!
//! It keeps files, remembers who asked for what, and fails on demand the way the real ones do:
//! it cuts connections in the middle, refuses, and serves other bytes than it should.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use futures::stream::{self, StreamExt as _};
use tokio::task::JoinSet;
use url::Url;

/// A running registry; stops when dropped.
pub(crate) struct Registry {
    pub(crate) url: Url,
    shelves: Shared,
    _server: JoinSet<()>,
}

/// What goes wrong with the next requests, one each.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mishap {
    /// The connection breaks after so many bytes of the body.
    Cut(usize),
    /// The connection stays open after so many bytes, and nothing more comes.
    Hang(usize),
    /// Another status than 200, with the hub's `x-error-code`.
    Status(u16, &'static str),
    /// As if it knew no ranges: the whole file from the beginning.
    Whole,
}

/// One request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) range: Option<String>,
    pub(crate) token: Option<String>,
}

#[derive(Default)]
struct Shelves {
    files: BTreeMap<String, Vec<u8>>,
    mishaps: VecDeque<Mishap>,
    asked: Vec<Asked>,
}

type Shared = Arc<Mutex<Shelves>>;

impl Registry {
    pub(crate) async fn open() -> Self {
        let shelves = Shared::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let router = Router::new()
            .fallback(serve)
            .with_state(Arc::clone(&shelves));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url: url.parse().unwrap(),
            shelves,
            _server: server,
        }
    }

    /// Puts a file of a hub repository on the shelf.
    pub(crate) fn put_on_hub(&self, repo: &str, revision: &str, path: &str, bytes: &[u8]) {
        self.put(format!("/{repo}/resolve/{revision}/{path}"), bytes.to_vec());
    }

    /// Puts a wheel with one member into the package index; gives its bytes back.
    pub(crate) fn put_wheel(&self, name: &str, member: &str, bytes: &[u8]) -> Vec<u8> {
        let wheel = wheel(name, member, bytes);
        let file = format!("{}-1.0-py3-none-any.whl", name.replace('-', "_"));
        let page = format!("<!DOCTYPE html><a href=\"/wheels/{file}\">{file}</a>");
        self.put(format!("/simple/{name}/"), page.into_bytes());
        self.put(format!("/wheels/{file}"), wheel.clone());
        wheel
    }

    pub(crate) fn index(&self) -> Url {
        self.url.join("simple/").unwrap()
    }

    pub(crate) fn next_mishap(&self, mishap: Mishap) {
        self.shelves.lock().unwrap().mishaps.push_back(mishap);
    }

    /// What was asked for since the last look.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.shelves.lock().unwrap().asked)
    }

    fn put(&self, path: String, bytes: Vec<u8>) {
        self.shelves.lock().unwrap().files.insert(path, bytes);
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let left = self.shelves.lock().unwrap().mishaps.clone();
            assert!(left.is_empty(), "mishaps that never happened: {left:?}");
        }
    }
}

async fn serve(State(shelves): State<Shared>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let text = |name| {
        let value = request.headers().get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    let asked = Asked {
        path: path.clone(),
        range: text(RANGE),
        token: text(AUTHORIZATION),
    };
    let begin = asked.range.as_deref().and_then(begin_of);
    let (file, mishap) = {
        let mut shelves = shelves.lock().unwrap();
        shelves.asked.push(asked);
        let file = shelves.files.get(&path).cloned();
        (file, shelves.mishaps.pop_front())
    };
    let response = match (file, mishap) {
        (_, Some(Mishap::Status(status, code))) => {
            let status = StatusCode::from_u16(status).unwrap();
            (status, [("x-error-code", code)]).into_response()
        },
        (None, _) => {
            (StatusCode::NOT_FOUND, [("x-error-code", "EntryNotFound")]).into_response()
        },
        (Some(file), Some(Mishap::Whole)) => send(&file, None, None),
        (Some(file), mishap) => send(&file, begin, mishap),
    };
    // pip reads an index page only if it says it is one.
    let kind = if path.ends_with('/') {
        "text/html"
    } else {
        "application/octet-stream"
    };
    ([(CONTENT_TYPE, kind)], response).into_response()
}

fn send(file: &[u8], begin: Option<usize>, mishap: Option<Mishap>) -> Response {
    let total = file.len();
    let Some(rest) = file
        .get(begin.unwrap_or(0)..)
        .filter(|rest| !rest.is_empty())
    else {
        let range = [(CONTENT_RANGE, format!("bytes */{total}"))];
        return (StatusCode::RANGE_NOT_SATISFIABLE, range).into_response();
    };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_LENGTH, rest.len().into());
    let status = match begin {
        Some(begin) => {
            let range = format!("bytes {begin}-{}/{total}", total - 1);
            headers.insert(CONTENT_RANGE, range.parse().unwrap());
            StatusCode::PARTIAL_CONTENT
        },
        None => StatusCode::OK,
    };
    (status, headers, body(rest.to_vec(), mishap)).into_response()
}

fn body(bytes: Vec<u8>, mishap: Option<Mishap>) -> Body {
    let (length, pause) = match mishap {
        // A moment, so that what was sent arrives before the connection breaks.
        Some(Mishap::Cut(length)) => (length, Duration::from_millis(50)),
        Some(Mishap::Hang(length)) => (length, Duration::from_secs(3_600)),
        Some(Mishap::Status(..) | Mishap::Whole) | None => return Body::from(bytes),
    };
    let first = bytes.into_iter().take(length).collect::<Vec<u8>>();
    let first = stream::iter([Ok(first)]);
    let break_off = stream::once(async move {
        tokio::time::sleep(pause).await;
        Err(std::io::Error::other("cut"))
    });
    Body::from_stream(first.chain(break_off))
}

fn begin_of(range: &str) -> Option<usize> {
    range
        .strip_prefix("bytes=")?
        .strip_suffix('-')?
        .parse()
        .ok()
}

/// A wheel as pip wants it: a zip file with the member and its own description.
fn wheel(name: &str, member: &str, bytes: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    let folder = format!("{}-1.0.dist-info", name.replace('-', "_"));
    let description = format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n");
    let tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
    for (path, content) in [
        (member.to_owned(), bytes),
        (format!("{folder}/METADATA"), description.as_bytes()),
        (format!("{folder}/WHEEL"), tags.as_bytes()),
        (format!("{folder}/RECORD"), b""),
    ] {
        archive.start_file(path, options).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap().into_inner()
}
