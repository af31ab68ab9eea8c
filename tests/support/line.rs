//! Doors and lines: TCP on loopback that can be refused, ignored, torn and garbled.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

/// How a door is to those who come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Welcome {
    /// They are let in.
    Open,
    /// They are refused: nobody listens.
    Refused,
    /// They wait outside, and nobody comes.
    Ignored,
}

/// A port. Another socket holds it, so that it stays ours while nobody listens.
pub(crate) struct Door {
    address: SocketAddr,
    welcome: watch::Receiver<Welcome>,
    listening: Option<TcpListener>,
    _holds_the_port: TcpSocket,
}

impl Door {
    /// A door at `port`, or at any if that is 0.
    pub(crate) fn new(port: u16, welcome: watch::Receiver<Welcome>) -> io::Result<Self> {
        let holder = socket(SocketAddr::from(([127, 0, 0, 1], port)))?;
        let address = holder.local_addr()?;
        Ok(Self {
            address,
            welcome,
            listening: Some(socket(address)?.listen(1_024)?),
            _holds_the_port: holder,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

impl Listener for Door {
    type Io = Wire;
    type Addr = Line;

    async fn accept(&mut self) -> (Wire, Line) {
        loop {
            let welcome = *self.welcome.borrow_and_update();
            if welcome == Welcome::Refused {
                self.listening = None;
            } else if self.listening.is_none() {
                self.listening = Some(socket(self.address).unwrap().listen(1_024).unwrap());
            }
            let open = self.listening.as_ref().filter(|_| welcome == Welcome::Open);
            tokio::select! {
                stream = came(open) => {
                    let line = Line::default();
                    return (Wire { stream, line: line.clone() }, line);
                },
                () = changed(&mut self.welcome) => {},
            }
        }
    }

    fn local_addr(&self) -> io::Result<Line> {
        Ok(Line::default())
    }
}

async fn came(open: Option<&TcpListener>) -> TcpStream {
    loop {
        let Some(listening) = open else {
            return std::future::pending().await;
        };
        if let Ok((stream, _)) = listening.accept().await {
            drop(stream.set_nodelay(true));
            return stream;
        }
    }
}

async fn changed(welcome: &mut watch::Receiver<Welcome>) {
    // When nobody can change it any more, it stays as it is.
    if welcome.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// What becomes of a line.
#[derive(Debug, Default)]
enum Fate {
    #[default]
    Whole,
    /// Nothing more goes out, and the line ends as if nothing were wrong.
    Ends,
    /// Nothing more goes out, and the line is torn (RST).
    Torn,
    /// These bytes go out instead of what comes next, then the line ends.
    Garbled(Vec<u8>),
}

/// A hold on one line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line(Arc<Mutex<Fate>>);

impl Line {
    pub(crate) fn end(&self) {
        *self.0.lock().unwrap() = Fate::Ends;
    }

    pub(crate) fn tear(&self) {
        *self.0.lock().unwrap() = Fate::Torn;
    }

    pub(crate) fn garble(&self, bytes: Vec<u8>) {
        *self.0.lock().unwrap() = Fate::Garbled(bytes);
    }
}

impl Connected<IncomingStream<'_, Door>> for Line {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.remote_addr().clone()
    }
}

/// The server's end of a line.
pub(crate) struct Wire {
    stream: TcpStream,
    line: Line,
}

impl Wire {
    /// What is written in place of what should be; nothing if all is well.
    fn fate(&self) -> Option<Vec<u8>> {
        let mut fate = self.line.0.lock().unwrap();
        match &mut *fate {
            Fate::Whole => None,
            Fate::Ends | Fate::Torn => Some(Vec::new()),
            Fate::Garbled(bytes) => {
                let bytes = std::mem::take(bytes);
                *fate = Fate::Ends;
                Some(bytes)
            },
        }
    }

    fn broken() -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(instead) = self.fate() {
            // A few bytes: there is room for them.
            drop(self.stream.try_write(&instead));
            return Self::broken();
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if matches!(*self.line.0.lock().unwrap(), Fate::Torn) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if matches!(*self.line.0.lock().unwrap(), Fate::Torn) {
            // Closing with no time to linger sends RST.
            drop(self.stream.set_zero_linger());
        }
    }
}
