//! A web site on loopback that keeps what it was asked, and names that lead where a test says.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::Response;
use futures::stream;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A site; closed when dropped.
pub(crate) struct Site {
    address: SocketAddr,
    pages: Arc<Mutex<Pages>>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
struct Pages {
    answers: BTreeMap<String, Answer>,
    asked: Vec<String>,
}

#[derive(Clone)]
pub(crate) enum Answer {
    /// Status, headers and body.
    Whole(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// A text that never ends.
    Endless,
    /// A text that says it is a gibibyte long.
    Lie,
    /// A text that comes a byte at a time, and slowly.
    Trickle,
}

impl Site {
    /// Opens a site on an own loopback address, so that a test can tell sites apart.
    pub(crate) async fn open(host: &str) -> Self {
        let listener = TcpListener::bind((host, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let pages = Arc::new(Mutex::new(Pages::default()));
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&pages));
        let serving = async move { axum::serve(listener, router).await.expect("a site") };
        Self {
            address,
            pages,
            #[expect(clippy::disallowed_methods, reason = "the site owns it and ends it")]
            serving: tokio::spawn(serving),
        }
    }

    pub(crate) fn with(self, path: &str, answer: Answer) -> Self {
        self.pages
            .lock()
            .expect("pages")
            .answers
            .insert(path.to_owned(), answer);
        self
    }

    pub(crate) fn page(self, path: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type", content_type.to_owned())];
        self.with(path, Answer::Whole(200, headers, body.into()))
    }

    pub(crate) fn redirect(self, path: &str, location: &str) -> Self {
        let headers = vec![("location", location.to_owned())];
        self.with(path, Answer::Whole(302, headers, Vec::new()))
    }

    pub(crate) fn status(self, path: &str, status: u16) -> Self {
        self.with(path, Answer::Whole(status, Vec::new(), Vec::new()))
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// The paths it was asked for, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.pages.lock().expect("pages").asked.clone()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(pages): State<Arc<Mutex<Pages>>>, uri: Uri) -> Response {
    let answer = {
        let mut pages = pages.lock().expect("pages");
        pages.asked.push(uri.path().to_owned());
        pages.answers.get(uri.path()).cloned()
    };
    match answer {
        None => response(404, &[], Body::empty()),
        Some(Answer::Whole(status, headers, body)) => response(status, &headers, body.into()),
        Some(Answer::Lie) => {
            let length = (header::CONTENT_LENGTH.as_str(), (1_u32 << 30).to_string());
            let body = stream::pending::<Result<Bytes, String>>();
            let headers = [text(), [length]].concat();
            response(200, &headers, Body::from_stream(body))
        },
        Some(Answer::Endless) => {
            let piece =
                || async { Some((Ok::<_, String>(Bytes::from(vec![b'a'; 65536])), ())) };
            response(
                200,
                &text(),
                Body::from_stream(stream::unfold((), move |()| piece())),
            )
        },
        Some(Answer::Trickle) => {
            let piece = || async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Some((Ok::<_, String>(Bytes::from_static(b"a")), ()))
            };
            response(
                200,
                &text(),
                Body::from_stream(stream::unfold((), move |()| piece())),
            )
        },
    }
}

fn text() -> [(&'static str, String); 1] {
    [(header::CONTENT_TYPE.as_str(), "text/plain".to_owned())]
}

fn response(status: u16, headers: &[(&'static str, String)], body: Body) -> Response {
    let mut response =
        Response::builder().status(StatusCode::from_u16(status).expect("a status"));
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    response.body(body).expect("a response")
}

/// Names that answer what a test says: the last answer again and again.
#[derive(Default)]
pub(crate) struct Names(Mutex<BTreeMap<String, Vec<Vec<IpAddr>>>>);

impl Names {
    pub(crate) fn with(self, name: &str, answers: &[&[&str]]) -> Self {
        let parsed = |answer: &&[&str]| {
            answer
                .iter()
                .map(|address| address.parse().expect("an address"))
                .collect()
        };
        let answers = answers.iter().map(parsed).collect();
        self.0
            .lock()
            .expect("names")
            .insert(name.to_owned(), answers);
        self
    }
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let mut names = self.0.lock().expect("names");
        let answer = names.get_mut(name.as_str()).map(|answers| {
            let first = answers.first().cloned().unwrap_or_default();
            if answers.len() > 1 {
                answers.remove(0);
            }
            first
        });
        Box::pin(async move {
            let answer = answer.ok_or("no such name")?;
            let addresses = answer
                .into_iter()
                .map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}
