//! The child process that reads files.
//!
//! It is the same program, called with one argument, that takes away its own memory and time
//! before the first byte of a document reaches it. It serves one file after another, since a
//! start costs more than most files; the parent replaces it when it dies, hangs or answers
//! nonsense, and now and then anyway, because a limit on processor time is for a whole life.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use rlimit::Resource;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::{Markup, Raw, Unparsable, parse};

/// What a child may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChildLimits {
    /// Time for one file.
    pub wall: Duration,
    /// A child that has worked this long is replaced before its next file.
    pub life: Duration,
    /// Longest answer, in bytes.
    pub answer: usize,
}

impl Default for ChildLimits {
    fn default() -> Self {
        Self {
            wall: Duration::from_secs(15),
            life: Duration::from_secs(30),
            answer: 32 << 20,
        }
    }
}

/// What the child gives itself: address space in bytes, and seconds of processor time for its
/// whole life. The latter only ends a child that nobody waits for any more; it is longer than
/// `life` and `wall` together.
const ADDRESS_SPACE: u64 = 512 << 20;
const PROCESSOR_SECONDS: u64 = 60;

/// The argument that makes the program a child.
const ARGUMENT: &str = "parse-child";

/// Reads files in a child process. One file at a time; the others wait.
#[derive(Debug)]
pub struct ParseChild {
    program: PathBuf,
    limits: ChildLimits,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    // Killed when dropped, whatever it is doing.
    _process: Child,
    to: ChildStdin,
    from: ChildStdout,
    worked: Duration,
}

impl ParseChild {
    /// Files will be read by `program`, this very program as a rule. Nothing is started yet.
    pub fn new(program: &Path) -> Self {
        Self::with_limits(program, ChildLimits::default())
    }

    pub fn with_limits(program: &Path, limits: ChildLimits) -> Self {
        Self {
            program: program.to_owned(),
            limits,
            running: Mutex::new(None),
        }
    }

    /// Reads `raw` in the child; see [`parse`]. Whatever happens to the child is told as the
    /// failure of this file, and the next file finds a fresh one.
    pub async fn parse(&self, raw: &Raw<'_>) -> Result<Markup, Unparsable> {
        // The child would say the same; but the bytes need not travel for it.
        if raw.bytes.is_empty() || raw.bytes.len() > raw.longest {
            return parse(raw);
        }
        let request = postcard::to_stdvec(raw).map_err(|_| Unparsable::Crashed)?;
        let mut slot = self.running.lock().await;
        // Taken out while it works: if this future is dropped, so is the child.
        let mut running = match slot.take() {
            Some(running) if running.worked < self.limits.life => running,
            _ => self.start()?,
        };
        let begun = Instant::now();
        let asked = running.ask(&request, self.limits.answer);
        let answer = timeout(self.limits.wall, asked).await;
        let answer = answer.map_err(|_| Unparsable::Late {
            seconds: self.limits.wall.as_secs(),
        })?;
        let answer = answer.map_err(|_| Unparsable::Crashed)?;
        running.worked += begun.elapsed();
        let said = postcard::from_bytes(&answer).map_err(|_| Unparsable::Crashed)?;
        *slot = Some(running);
        said
    }

    fn start(&self) -> Result<Running, Unparsable> {
        let mut process = Command::new(&self.program)
            .arg(ARGUMENT)
            // It needs nothing of ours, and must not be able to tell our secrets.
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A panic's message may hold the document's words.
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Unparsable::NoReader(error.to_string()))?;
        let pipes = process.stdin.take().zip(process.stdout.take());
        let (to, from) = pipes.ok_or_else(|| Unparsable::NoReader("no pipes".to_owned()))?;
        Ok(Running {
            _process: process,
            to,
            from,
            worked: Duration::ZERO,
        })
    }
}

impl Running {
    async fn ask(&mut self, request: &[u8], longest: usize) -> io::Result<Vec<u8>> {
        let length = u32::try_from(request.len()).map_err(io::Error::other)?;
        self.to.write_all(&length.to_le_bytes()).await?;
        self.to.write_all(request).await?;
        self.to.flush().await?;
        let length = self.from.read_u32_le().await? as usize;
        if length > longest {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut answer = vec![0; length];
        self.from.read_exact(&mut answer).await?;
        Ok(answer)
    }
}

/// The child's whole life: limits itself, then reads files from `from` and answers on `to`,
/// until there are no more. For `main`, before anything else is set up.
pub fn child_main(from: impl Read, to: impl Write) -> ExitCode {
    if limit().is_err() {
        return ExitCode::FAILURE;
    }
    match serve(from, to) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn limit() -> io::Result<()> {
    rlimit::setrlimit(Resource::CORE, 0, 0)?;
    rlimit::setrlimit(Resource::CPU, PROCESSOR_SECONDS, PROCESSOR_SECONDS)?;
    // Not every system can limit it; macOS cannot.
    if cfg!(target_os = "linux") {
        rlimit::setrlimit(Resource::AS, ADDRESS_SPACE, ADDRESS_SPACE)?;
    }
    Ok(())
}

fn serve(mut from: impl Read, mut to: impl Write) -> io::Result<()> {
    let mut length = [0; 4];
    loop {
        match from.read_exact(&mut length) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        let mut request = vec![0; u32::from_le_bytes(length) as usize];
        from.read_exact(&mut request)?;
        let raw: Raw<'_> = postcard::from_bytes(&request).map_err(io::Error::other)?;
        let answer = postcard::to_stdvec(&parse(&raw)).map_err(io::Error::other)?;
        let length = u32::try_from(answer.len()).map_err(io::Error::other)?;
        to.write_all(&length.to_le_bytes())?;
        to.write_all(&answer)?;
        to.flush()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_child_reads_many_files() {
        let mut requests = Vec::new();
        for text in ["# One\n\nfirst", "", "# Two\n\nsecond"] {
            let raw = Raw {
                bytes: text.as_bytes(),
                content_type: Some("text/markdown"),
                name: "a.md",
                longest: 99,
            };
            let request = postcard::to_stdvec(&raw).expect("a request");
            requests.extend(u32::try_from(request.len()).expect("small").to_le_bytes());
            requests.extend(request);
        }
        let mut answers = Vec::new();
        serve(requests.as_slice(), &mut answers).expect("served");
        let mut answers = answers.as_slice();
        let mut next = || -> Result<Markup, Unparsable> {
            let (length, rest) = answers.split_at(4);
            let length = u32::from_le_bytes(length.try_into().expect("four")) as usize;
            let (answer, rest) = rest.split_at(length);
            answers = rest;
            postcard::from_bytes(answer).expect("an answer")
        };
        assert_eq!(next().expect("text").title.as_deref(), Some("One"));
        assert_eq!(next(), Err(Unparsable::Empty));
        assert_eq!(next().expect("text").title.as_deref(), Some("Two"));
    }
}
