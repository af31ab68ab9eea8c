//! `saseo serve` as a process: started, listened to, ended and killed.

use std::process::ExitStatus;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::support::discord::Discord;
use crate::support::program::Program;

/// The bot, as the program that people start. It is killed when dropped.
pub(super) struct Process {
    child: Child,
    said: Arc<Mutex<String>>,
    reading: JoinSet<()>,
    pub(super) began: Instant,
}

/// How it ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) code: Option<i32>,
    /// What it printed, on both lines.
    pub(super) said: String,
    /// From the wish to end to the end.
    pub(super) took: Duration,
}

impl Process {
    /// Longer than anything here takes on a machine that others use too.
    const PATIENCE: Duration = Duration::from_secs(60);

    pub(super) fn start(program: &Program, discord: &Discord) -> Self {
        Self::start_as(program, &[("SASEO_DISCORD_TOKEN", &discord.token())])
    }

    /// Starts it with these variables in its environment.
    pub(super) fn start_as(program: &Program, environment: &[(&str, &str)]) -> Self {
        let mut command = program.command(&["serve"]);
        command.envs(environment.iter().copied());
        Self::run(command)
    }

    fn run(mut command: Command) -> Self {
        let began = Instant::now();
        let mut child = command.spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let mut reading = JoinSet::new();
        reading.spawn(listen(child.stdout.take().unwrap(), Arc::clone(&said)));
        reading.spawn(listen(child.stderr.take().unwrap(), Arc::clone(&said)));
        Self {
            child,
            said,
            reading,
            began,
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// What it has printed so far.
    pub(super) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Waits until it prints this.
    #[track_caller]
    pub(super) fn says(&self, words: &'static str) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        let said = Arc::clone(&self.said);
        async move {
            let until = Instant::now() + Self::PATIENCE;
            while !said.lock().unwrap().contains(words) {
                let waited = Instant::now() < until;
                assert!(waited, "{caller}: not {words:?}: {}", said.lock().unwrap());
                sleep(Duration::from_millis(10)).await;
            }
        }
    }

    /// Waits until it listens and its library is open.
    pub(super) async fn up(&self) {
        self.says("the library is open").await;
        self.says("Discord: listening").await;
    }

    /// Waits until it minds being told to end: before that it has begun nothing.
    pub(super) async fn minds(&self) {
        const TERMINATE: u64 = 1 << 14;
        let status = format!("/proc/{}/status", self.id());
        let minds = || {
            let status = std::fs::read_to_string(&status).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
            u64::from_str_radix(caught.unwrap().trim(), 16).unwrap() & TERMINATE != 0
        };
        while !minds() {
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// As `kill -9`; whether it was still there.
    pub(super) async fn kill(mut self) -> bool {
        let there = self.child.try_wait().unwrap().is_none();
        self.child.kill().await.unwrap();
        there
    }

    /// As a supervisor ends it.
    pub(super) async fn terminate(self) -> Ended {
        let id = self.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().await;
        assert!(sent.unwrap().success());
        self.ends().await
    }

    /// Waits for its end.
    pub(super) async fn ends(mut self) -> Ended {
        let asked = Instant::now();
        let status = timeout(Self::PATIENCE, self.child.wait()).await;
        assert!(status.is_ok(), "it does not end:\n{}", self.said());
        let status: ExitStatus = status.unwrap().unwrap();
        let took = asked.elapsed();
        while self.reading.join_next().await.is_some() {}
        Ended {
            code: status.code(),
            said: self.said(),
            took,
        }
    }

    /// A line of `/proc/<pid>/status`, in KiB.
    pub(super) fn memory(&self, what: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(what)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Hundredths of a second of processor time that it has used.
    pub(super) fn worked(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap();
        let after_name = stat.rsplit(')').next().unwrap();
        let fields: Vec<_> = after_name.split_whitespace().collect();
        fields[11..13]
            .iter()
            .map(|field| field.parse::<u64>().unwrap())
            .sum()
    }
}

async fn listen(line: impl AsyncRead + Unpin, said: Arc<Mutex<String>>) {
    let mut lines = BufReader::new(line).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let mut said = said.lock().unwrap();
        said.push_str(&line);
        said.push('\n');
    }
}
