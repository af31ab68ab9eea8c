//! The HTTP door under what Slack did not make, or made before.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use saseo::ports::Inbox as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::chance::chance;
use crate::support::slack::Slack;
use crate::support::slack::post::Kind;
use crate::support::slack::sender::{self, FORM, JSON, Signed, signature};

use super::door::{answers, behind_a_door};
use super::storms::{size, tell};
use super::talk::{QUESTION, team};

/// So many send at once.
const SENDERS: usize = 8;

/// What is sent to the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sort {
    Forged,
    Late,
    Replayed,
    Oversize,
}

/// What came back, and after how long.
#[derive(Clone, Copy, Debug)]
struct Came {
    sort: Sort,
    status: u16,
    took: Duration,
}

/// What is signed well, for others to be made of.
struct Mail {
    secret: String,
    now: i64,
    /// Made by Slack and posted by it before.
    good: Vec<Signed>,
}

impl Mail {
    fn forged(&self, seed: &mut u64) -> Signed {
        let mut request = self.any(seed);
        match chance(seed) % 5 {
            0 => request.body.push(' '),
            1 => set(
                &mut request,
                "x-slack-signature",
                &format!("v0={}", "0".repeat(64)),
            ),
            2 => {
                let other = signature("another secret", self.now, request.body.as_bytes());
                set(&mut request, "x-slack-signature", &other);
            },
            3 => set(
                &mut request,
                "x-slack-request-timestamp",
                &(self.now - 1).to_string(),
            ),
            _ => request
                .headers
                .retain(|(name, _)| !name.starts_with("x-slack-sig")),
        }
        request
    }

    /// Signed well, at another time.
    fn late(&self, seed: &mut u64) -> Signed {
        let mut request = self.any(seed);
        let off = 900 + i64::try_from(chance(seed) % 100_000).unwrap();
        let at = if chance(seed).is_multiple_of(2) {
            self.now - off
        } else {
            self.now + off
        };
        let signed = signature(&self.secret, at, request.body.as_bytes());
        set(&mut request, "x-slack-request-timestamp", &at.to_string());
        set(&mut request, "x-slack-signature", &signed);
        request
    }

    /// Word for word, or signed anew as Slack signs what it sends again.
    fn replayed(&self, seed: &mut u64) -> Signed {
        let mut request = self.any(seed);
        if chance(seed).is_multiple_of(2) {
            let at = self.now - i64::try_from(chance(seed) % 100).unwrap();
            let signed = signature(&self.secret, at, request.body.as_bytes());
            set(&mut request, "x-slack-request-timestamp", &at.to_string());
            set(&mut request, "x-slack-signature", &signed);
            request.headers.push(("x-slack-retry-num", "1".to_owned()));
        }
        request
    }

    fn any(&self, seed: &mut u64) -> Signed {
        let many = u64::try_from(self.good.len()).unwrap();
        self.good[usize::try_from(chance(seed) % many).unwrap()].clone()
    }
}

fn set(request: &mut Signed, name: &str, value: &str) {
    for (one, text) in &mut request.headers {
        if *one == name {
            value.clone_into(text);
        }
    }
}

/// A request whose seal could be good and whose body is too large: it says so, or goes on and
/// on. The status, if there was an answer before the line was closed.
async fn oversize(at: SocketAddr, now: i64, seed: &mut u64) -> u16 {
    let mut line = TcpStream::connect(at).await.unwrap();
    let endless = chance(seed).is_multiple_of(8);
    let length = if endless {
        "transfer-encoding: chunked".to_owned()
    } else {
        format!(
            "content-length: {}",
            (1 << 20) + 1 + chance(seed) % (1 << 40)
        )
    };
    let head = format!(
        "POST /slack/events HTTP/1.1\r\nhost: {at}\r\ncontent-type: application/json\r\n\
         x-slack-request-timestamp: {now}\r\nx-slack-signature: v0={}\r\n{length}\r\n\r\n",
        "a".repeat(64)
    );
    line.write_all(head.as_bytes()).await.unwrap();
    let piece = format!("{:x}\r\n{}\r\n", 1 << 16, "x".repeat(1 << 16));
    let pieces = if endless { 40 } else { 0 };
    for _ in 0..pieces {
        // The door may have been shut.
        if line.write_all(piece.as_bytes()).await.is_err() {
            break;
        }
    }
    let mut answer = [0_u8; 12];
    match line.read_exact(&mut answer).await {
        Ok(_) => String::from_utf8_lossy(&answer[9..]).parse().unwrap(),
        Err(_) => 0,
    }
}

/// Sends so many requests one after the other.
async fn send(mail: Arc<Mail>, many: usize, mut seed: u64) -> Vec<Came> {
    let client = sender::client();
    let url = url::Url::parse(&mail.good[0].url).unwrap();
    let at = url.socket_addrs(|| None).unwrap()[0];
    let patience = Duration::from_secs(10);
    let mut came = Vec::new();
    for _ in 0..many {
        let sort = match chance(&mut seed) % 20 {
            0..9 => Sort::Forged,
            9..14 => Sort::Late,
            14..18 => Sort::Replayed,
            _ => Sort::Oversize,
        };
        let request = match sort {
            Sort::Forged => Some(mail.forged(&mut seed)),
            Sort::Late => Some(mail.late(&mut seed)),
            Sort::Replayed => Some(mail.replayed(&mut seed)),
            Sort::Oversize => None,
        };
        let began = Instant::now();
        let status = if let Some(request) = request {
            let answer = sender::send(&client, patience, &request).await;
            answer.map_or(0, |answer| answer.status)
        } else {
            let answer = oversize(at, mail.now, &mut seed);
            tokio::time::timeout(patience, answer).await.unwrap_or(1)
        };
        let took = began.elapsed();
        came.push(Came { sort, status, took });
    }
    came
}

/// What Slack has posted so far, signed anew.
fn posted(slack: &Slack) -> Vec<Signed> {
    let deliveries = slack.deliveries();
    let signs = deliveries.iter().map(|it| match it.kind {
        Kind::Event => slack.signs(JSON, &it.payload.to_string()),
        Kind::Command | Kind::Interactive => {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            for (key, value) in it.payload.as_object().into_iter().flatten() {
                form.append_pair(key, value.as_str().unwrap_or(""));
            }
            slack.signs(FORM, &form.finish())
        },
    });
    signs.collect()
}

fn memory(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_slack_did_not_make_or_made_before_is_never_done() {
    let (slack, team, general, mina) = team().await;
    slack.unlimited();
    let bot = behind_a_door(&slack, &team).await;
    for number in 0..6 {
        mina.mentions_bot(&general, &format!("{QUESTION} ({number})"));
        mina.runs(&general, "/ask", &format!("{QUESTION} (ask {number})"));
    }
    slack.settled().await;
    bot.settled().await;
    assert_eq!(answers(&general.shows()), 12);
    let (asked, before) = (bot.town.script.prompts().len(), memory("VmRSS:"));
    let mut came = Vec::new();
    // What was made more than five minutes ago is late and no repeat.
    for round in 0..size(1, 10) {
        came.extend(sent(&slack, size(2_000, 10_000) / SENDERS, round).await);
    }
    let grown = memory("VmHWM:").saturating_sub(before);
    bot.settled().await;
    counted(&came, grown);
    assert_eq!(answers(&general.shows()), 12, "answered");
    assert_eq!(bot.town.script.prompts().len(), asked, "asked the model");
    assert_eq!(bot.town.inbox.unfinished().await.unwrap().len(), 0);
}

/// What came back to each of so many senders.
async fn sent(slack: &Slack, many: usize, round: u64) -> Vec<Came> {
    let now = slack.world().clock.now().timestamp();
    let mail = Arc::new(Mail {
        secret: slack.signing_secret(),
        now,
        good: posted(slack),
    });
    let mut senders = JoinSet::new();
    for number in 0..SENDERS {
        let seed = round * 1_000 + u64::try_from(number).unwrap();
        senders.spawn(send(Arc::clone(&mail), many, seed));
    }
    senders.join_all().await.concat()
}

/// Says what came back, and that it was what should.
fn counted(came: &[Came], grown: usize) {
    for sort in [Sort::Forged, Sort::Late, Sort::Replayed, Sort::Oversize] {
        let mut of: Vec<Came> = came
            .iter()
            .filter(|one| one.sort == sort)
            .copied()
            .collect();
        of.sort_by_key(|one| one.took);
        let good = of.iter().filter(|one| one.status == 200).count();
        let (p99, last) = (of[of.len() * 99 / 100].took, of[of.len() - 1].took);
        tell(&format!(
            "door, {sort:?}: {} requests, {good} answered 200, p99 {p99:?}, at most {last:?}",
            of.len()
        ));
        let fits = |status: u16| match sort {
            Sort::Forged | Sort::Late => status == 401,
            Sort::Replayed => status == 200,
            // A line that was shut on somebody who goes on is an answer, too.
            Sort::Oversize => status == 413 || status == 0,
        };
        let odd = of.iter().find(|one| !fits(one.status));
        assert!(odd.is_none(), "{odd:?}");
    }
    let mut took: Vec<Duration> = came.iter().map(|one| one.took).collect();
    took.sort_unstable();
    tell(&format!(
        "door: {} requests, p99 {:?}, {} MiB more memory at most, this side included",
        took.len(),
        took[took.len() * 99 / 100],
        grown / 1_024
    ));
}
