//! From bytes to documents: files and pages of all kinds through the real child process, and
//! the web through a site on loopback.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use saseo::adapters::parse::{ChildLimits, Markup, ParseChild, Raw, Unparsable, reads};
use saseo::adapters::sources::{Blocked, Fetched, Fetcher, Policy, Ports, Unfetched, list};
use saseo::domain::language::Language;

use crate::support::site::{Answer, Names, Site};

// ---- the child -----------------------------------------------------------------------------

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_saseo"))
}

async fn read(child: &ParseChild, name: &str, bytes: &[u8]) -> Result<Markup, Unparsable> {
    let raw = Raw {
        bytes,
        content_type: None,
        name,
        longest: Raw::LONGEST,
    };
    child.parse(&raw).await
}

async fn still_reads(child: &ParseChild) {
    let markup = read(child, "a.md", b"# Still\n\nreading")
        .await
        .expect("a text");
    assert_eq!(markup.title.as_deref(), Some("Still"));
}

#[tokio::test]
async fn a_child_reads_one_kind_of_file_after_another() {
    let child = ParseChild::new(program());
    let page = "<title>휴가</title><p>연차는 1년에 15일이고, 신청은 인사팀에 하면 됩니다.</p>";
    let (page, _, _) = encoding_rs::EUC_KR.encode(page);
    let korean = read(&child, "page.html", &page).await.expect("a page");
    assert_eq!(korean.title.as_deref(), Some("휴가"));
    assert_eq!(korean.language, Language::Korean);
    assert!(korean.text.contains("연차는 1년에 15일"), "{}", korean.text);
    let settings = read(&child, "limits.toml", b"# most\nmost = 3\n")
        .await
        .expect("a text");
    assert_eq!(settings.text, "```toml\n# most\nmost = 3\n```\n");
    still_reads(&child).await;
}

fn zip_bomb() -> Vec<u8> {
    use std::io::Write as _;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let deflated = zip::write::SimpleFileOptions::default();
    zip.start_file("bomb.txt", deflated).expect("an entry");
    for _ in 0..64 {
        zip.write_all(&vec![0; 1 << 20]).expect("zeros");
    }
    zip.finish().expect("an archive").into_inner()
}

fn noise(length: u64) -> Vec<u8> {
    (0..length / 8)
        .flat_map(|n| (n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes())
        .collect()
}

#[tokio::test]
async fn hostile_files_are_refused_in_a_sentence_each() {
    let child = ParseChild::new(program());
    let cases: [(&str, Vec<u8>, &str); 8] = [
        ("empty.md", Vec::new(), "it is empty"),
        (
            "blank.html",
            b"<body><!-- --></body>".to_vec(),
            "there is no text in it",
        ),
        ("large.md", vec![b'a'; 20 << 20], "it is larger than 10 MiB"),
        (
            "noise.md",
            noise(1 << 20),
            "it is a binary file, not text; text, Markdown and HTML can be read",
        ),
        (
            "zeros.txt",
            vec![0; 4096],
            "it is a binary file, not text; text, Markdown and HTML can be read",
        ),
        (
            "deep.html",
            b"<div>".repeat(10_000),
            "its HTML is nested or tangled as no page for people is",
        ),
        (
            "bomb.md",
            zip_bomb(),
            "it is a ZIP archive or an office document, not text; text, Markdown and HTML can be read",
        ),
        (
            "paper.txt",
            b"%PDF-1.7\nstream".to_vec(),
            "it is a PDF, not text; text, Markdown and HTML can be read",
        ),
    ];
    for (name, bytes, expected) in cases {
        let refused = read(&child, name, &bytes).await.expect_err(name);
        assert_eq!(refused.to_string(), expected, "{name}");
    }
    still_reads(&child).await;
}

#[tokio::test]
async fn odd_files_are_read_all_the_same() {
    let child = ParseChild::new(program());
    let utf_16: Vec<u8> = "\u{FEFF}연차는 15일"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let cases: [(&str, Vec<u8>, &str); 4] = [
        ("line.md", "word ".repeat(200_000).into_bytes(), "word word"),
        ("utf-16.txt", utf_16, "연차는 15일"),
        (
            "broken.md",
            b"the handbook says \xFF fifteen days of leave a year".to_vec(),
            "fifteen days",
        ),
        (
            "nul.md",
            [b"fifteen".as_slice(), b"\0", &b" days of leave".repeat(100)].concat(),
            "fifteen days",
        ),
    ];
    for (name, bytes, expected) in cases {
        let markup = read(&child, name, &bytes).await.expect(name);
        assert!(markup.text.contains(expected), "{name}");
    }
}

#[tokio::test]
async fn a_page_just_below_the_deepest_is_read() {
    let child = ParseChild::new(program());
    for (open, levels) in [
        ("<div>", 500),
        ("<ul><li>", 250),
        ("<blockquote>", 500),
        ("<b>", 500),
    ] {
        let page = format!("<main>{}fifteen days of leave a year", open.repeat(levels));
        let markup = read(&child, "deep.html", page.as_bytes())
            .await
            .expect(open);
        assert!(markup.text.contains("fifteen days"), "{open}");
    }
}

/// A program that notes its process id and then is the child.
fn traced(folder: &Path) -> (PathBuf, PathBuf) {
    use std::os::unix::fs::PermissionsExt as _;
    let (script, note) = (folder.join("reader"), folder.join("pid"));
    let text = format!(
        "#!/bin/sh\necho $$ > {}\nexec {} \"$@\"\n",
        note.display(),
        program().display()
    );
    fs::write(&script, text).expect("a script");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).expect("runnable");
    (script, note)
}

/// A page that keeps any reader busy for seconds: each of the quotes marks every line again.
fn slow_page() -> Vec<u8> {
    let quotes = "<blockquote>".repeat(450);
    format!(
        "<main>{quotes}{}</main>",
        "<p>one two three four, five".repeat(20_000)
    )
    .into_bytes()
}

#[tokio::test]
async fn a_child_that_is_killed_fails_one_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let (script, note) = traced(folder.path());
    let child = ParseChild::new(&script);
    still_reads(&child).await;
    let pid = fs::read_to_string(&note).expect("a note");
    let page = slow_page();
    let kill = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let killed = tokio::process::Command::new("kill")
            .args(["-9", pid.trim()])
            .status()
            .await;
        assert!(killed.expect("kill").success());
    };
    let (read, ()) = tokio::join!(read(&child, "slow.html", &page), kill);
    assert_eq!(read, Err(Unparsable::Crashed));
    still_reads(&child).await;
    assert_ne!(
        fs::read_to_string(&note).expect("a note"),
        pid,
        "a fresh child"
    );
}

#[tokio::test]
async fn a_file_that_takes_too_long_is_given_up() {
    let limits = ChildLimits {
        wall: Duration::from_millis(300),
        ..ChildLimits::default()
    };
    let child = ParseChild::with_limits(program(), limits);
    let late = read(&child, "slow.html", &slow_page()).await;
    assert_eq!(late, Err(Unparsable::Late { seconds: 0 }));
    still_reads(&child).await;
}

#[tokio::test]
async fn a_file_that_takes_too_much_memory_fails_alone() {
    let child = ParseChild::new(program());
    let crowded = "[a]".repeat(3_400_000);
    let failed = read(&child, "crowded.md", crowded.as_bytes()).await;
    assert_eq!(failed, Err(Unparsable::Crashed));
    still_reads(&child).await;
}

#[tokio::test]
async fn a_reader_that_is_none_is_told_from_a_bad_file() {
    const CRASHED: &str = "reading it crashed the reader or took more memory than it may";
    let text = "words ".repeat(50);
    for (program, expected) in [
        ("/bin/cat", CRASHED),
        ("/bin/true", CRASHED),
        ("/usr/bin/yes", CRASHED),
        ("/nowhere/saseo", "no reader"),
    ] {
        let child = ParseChild::new(Path::new(program));
        let failed = read(&child, "a.md", text.as_bytes())
            .await
            .expect_err(program);
        let seen = if matches!(failed, Unparsable::NoReader(_)) {
            "no reader".to_owned()
        } else {
            failed.to_string()
        };
        assert_eq!(seen, expected, "{program}");
    }
}

#[tokio::test]
async fn a_child_that_nobody_waits_for_is_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let (script, note) = traced(folder.path());
    let child = ParseChild::new(&script);
    let page = slow_page();
    let given_up =
        tokio::time::timeout(Duration::from_millis(200), read(&child, "slow.html", &page));
    given_up.await.expect_err("it is slow");
    let pid = fs::read_to_string(&note).expect("a note");
    let process = PathBuf::from(format!("/proc/{}/cmdline", pid.trim()));
    for _ in 0..100 {
        // A process that has ended but was not yet asked for has no command line.
        if fs::read(&process).unwrap_or_default().is_empty() {
            return still_reads(&child).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("process {pid} goes on");
}

#[tokio::test]
async fn a_folder_of_all_sorts_becomes_documents_and_reasons() {
    let folder = tempfile::tempdir().expect("a folder");
    let docs = folder.path().join("docs");
    fs::create_dir(&docs).expect("a folder");
    fs::write(docs.join("a.md"), "# A\n\nText.").expect("a file");
    fs::write(docs.join("b.html"), "<title>B</title><p>Text of b.</p>").expect("a file");
    fs::write(docs.join("c.txt"), b"\x89PNG\r\n\x1a\n").expect("a file");
    fs::write(docs.join("d.png"), b"\x89PNG\r\n\x1a\n").expect("a file");
    let listing = list(&docs, None, &reads).expect("a listing");
    let child = ParseChild::new(program());
    let mut seen = Vec::new();
    for place in &listing.files {
        let Fetched {
            uri, name, bytes, ..
        } = place.read(Raw::LONGEST).expect("a file");
        let title = read(&child, &name, &bytes)
            .await
            .map(|markup| markup.title.unwrap_or_default());
        seen.push(format!(
            "{uri}: {}",
            title.unwrap_or_else(|error| error.to_string())
        ));
    }
    seen.extend(
        listing
            .skipped
            .iter()
            .map(|left| format!("{}: {}", left.uri, left.why)),
    );
    assert_eq!(
        seen,
        [
            "docs/a.md: A",
            "docs/b.html: B",
            "docs/c.txt: it is an image, not text; text, Markdown and HTML can be read",
            "docs/d.png: saseo does not read files of this kind",
        ]
    );
}

// ---- the web -------------------------------------------------------------------------------

fn policy(open: &[&str]) -> Policy {
    Policy {
        exceptions: open
            .iter()
            .map(|network| network.parse().expect("a network"))
            .collect(),
        ports: Ports::Any,
        ..Policy::default()
    }
}

fn fetcher(policy: Policy, names: Names) -> Fetcher {
    // Another test may have installed it already.
    drop(rustls::crypto::ring::default_provider().install_default());
    Fetcher::with_names(policy, Arc::new(names)).expect("a fetcher")
}

/// Fails unless fetching `url` is refused by our own rules.
async fn check_blocked(fetcher: &Fetcher, url: &str) {
    let told = fetcher.fetch(url).await.expect_err(url);
    assert!(
        matches!(told, Unfetched::Blocked(_)),
        "{url} was not blocked, but: {told}"
    );
}

#[tokio::test]
async fn a_page_is_fetched_with_its_type_and_date() {
    let dated = vec![
        ("content-type", "text/html; charset=euc-kr".to_owned()),
        ("last-modified", "Tue, 02 Jan 2024 00:00:00 GMT".to_owned()),
    ];
    let site = Site::open("127.0.0.2")
        .await
        .with("/page", Answer::Whole(200, dated, b"text".to_vec()));
    let fetcher = fetcher(policy(&["127.0.0.2"]), Names::default());
    let page = fetcher
        .fetch(&site.url("/page?a=1#part"))
        .await
        .expect("a page");
    assert_eq!(page.uri, site.url("/page?a=1"));
    assert_eq!(page.name, "/page");
    assert_eq!(
        page.content_type.as_deref(),
        Some("text/html; charset=euc-kr")
    );
    assert_eq!(
        page.modified.map(|at| at.to_rfc3339()).as_deref(),
        Some("2024-01-02T00:00:00+00:00")
    );
    assert_eq!(page.bytes, b"text");
}

#[tokio::test]
async fn addresses_that_are_not_on_the_public_web_are_not_asked() {
    let names = Names::default()
        .with("localhost", &[&["127.0.0.1"]])
        .with("metadata.google.internal", &[&["169.254.169.254"]])
        .with("private.example", &[&["10.0.0.7"]])
        .with("six.example", &[&["::1"]])
        .with("mixed.example", &[&["93.184.216.34", "127.0.0.1"]])
        .with("alias.example", &[&["192.168.0.1"]]);
    let fetcher = fetcher(Policy::default(), names);
    for url in CLOSED {
        check_blocked(&fetcher, url).await;
    }
}

const CLOSED: [&str; 52] = [
    // loopback, as people and programs write it
    "http://localhost/",
    "http://127.0.0.1/",
    "http://127.1/",
    "http://0/",
    "http://[::1]/",
    "http://0x7f000001/",
    "http://2130706433/",
    "http://017700000001/",
    // private
    "http://10.0.0.1/",
    "http://10.255.255.254/",
    "http://172.16.0.1/",
    "http://172.31.255.1/",
    "http://192.168.0.1/",
    "http://192.168.1.1/admin",
    // link-local and the key servers of clouds
    "http://169.254.169.254/latest/meta-data/",
    "http://0xa9fea9fe/",
    "http://2852039166/",
    "http://[::ffff:169.254.169.254]/",
    "http://metadata.google.internal/",
    "http://[fd00:ec2::254]/",
    "http://100.100.100.200/",
    "http://169.254.170.2/v2/credentials",
    // IPv6 that leads to IPv4, or nowhere good
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001:0:7f00:1::1]/",
    "http://[fe80::1%25lo]/",
    "http://[::]/",
    "http://[ff02::1]/",
    // other schemes
    "file:///etc/passwd",
    "gopher://127.0.0.1/",
    "ftp://10.0.0.1/",
    "data:text/plain,hello",
    "dict://127.0.0.1:11211/",
    "ldap://127.0.0.1/",
    "jar:http://127.0.0.1!/",
    "HTTP+unix://%2Fsock/",
    // tricks with the authority
    "http://a@127.0.0.1/",
    "http://127.0.0.1#@good.example/",
    "http:\\\\127.0.0.1\\",
    "http://127.0.0.\t1/",
    "http://１２７.0.0.1/",
    "http://127。0。0。1/",
    "http://127.0.0.1./",
    "http://good.example:22/",
    "http://good.example:6379/",
    "http://good.example:2375/",
    // names that lead inside
    "http://private.example/",
    "http://six.example/",
    "http://mixed.example/",
    "http://alias.example/",
];

#[tokio::test]
async fn a_name_that_changes_its_answer_is_believed_neither_time() {
    let inside = Site::open("127.0.0.1").await;
    let site = Site::open("127.0.0.2").await.page("/", "text/plain", "one");
    let to = format!("http://turn.example:{}/next", site.port());
    let site = site
        .redirect("/away", &to)
        .page("/next", "text/plain", "two");
    let names = Names::default()
        .with("rebind.example", &[&["127.0.0.2"], &["127.0.0.1"]])
        .with("turn.example", &[&["127.0.0.2"], &["127.0.0.1"]]);
    let fetcher = fetcher(policy(&["127.0.0.2"]), names);
    let rebind = format!("http://rebind.example:{}/", site.port());
    assert_eq!(
        fetcher.fetch(&rebind).await.expect("the first time").bytes,
        b"one"
    );
    check_blocked(&fetcher, &rebind).await;
    check_blocked(
        &fetcher,
        &format!("http://turn.example:{}/away", site.port()),
    )
    .await;
    assert_eq!(inside.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn redirects_do_not_lead_where_a_url_may_not() {
    let inside = Site::open("127.0.0.1")
        .await
        .page("/", "text/plain", "secret");
    let mut site = Site::open("127.0.0.2").await;
    let ways = [
        inside.url("/"),
        "file:///etc/passwd".to_owned(),
        "http://169.254.169.254/latest".to_owned(),
        format!("//127.0.0.1:{}/", inside.port()),
        format!("http://user@127.0.0.2:{}/", site.port()),
        "ftp://127.0.0.2/".to_owned(),
        "/loop".to_owned(),
        "http:///127.0.0.1/".to_owned(),
    ];
    for (at, way) in ways.iter().enumerate() {
        site = site.redirect(&format!("/{at}"), way);
    }
    for hop in 1..=6 {
        site = site.redirect(&format!("/hop{hop}"), &format!("/hop{}", hop - 1));
    }
    let site = site.redirect("/loop", "/loop").status("/blank", 302).page(
        "/hop0",
        "text/plain",
        "there",
    );
    let fetcher = fetcher(policy(&["127.0.0.2"]), Names::default());
    for at in 0..ways.len() {
        check_blocked(&fetcher, &site.url(&format!("/{at}"))).await;
    }
    check_blocked(&fetcher, &site.url("/blank")).await;
    check_blocked(&fetcher, &site.url("/hop6")).await;
    assert_eq!(
        fetcher
            .fetch(&site.url("/hop5"))
            .await
            .expect("five hops")
            .bytes,
        b"there"
    );
    assert_eq!(inside.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn a_page_that_asks_browsers_to_go_elsewhere_is_taken_as_it_is() {
    let inside = Site::open("127.0.0.1").await;
    let body = format!(
        "<meta http-equiv=refresh content='0;url={}'>",
        inside.url("/")
    );
    let site = Site::open("127.0.0.2")
        .await
        .page("/", "text/html", body.clone());
    let fetcher = fetcher(policy(&["127.0.0.2"]), Names::default());
    assert_eq!(
        fetcher.fetch(&site.url("/")).await.expect("a page").bytes,
        body.into_bytes()
    );
    assert_eq!(inside.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn redirects_between_open_hosts_pass() {
    let there = Site::open("127.0.0.3")
        .await
        .page("/", "text/plain", "there");
    let site = Site::open("127.0.0.2").await;
    let to = format!("http://there.example:{}/", there.port());
    let site = site.redirect("/", &to);
    let names = Names::default()
        .with("here.example", &[&["127.0.0.2"]])
        .with("there.example", &[&["127.0.0.3"]]);
    let both = fetcher(policy(&["127.0.0.2", "127.0.0.3"]), names);
    let here = format!("http://here.example:{}/", site.port());
    let page = both.fetch(&here).await.expect("a page");
    assert_eq!(
        (page.bytes.as_slice(), page.uri),
        (b"there".as_slice(), here)
    );
}

#[tokio::test]
async fn what_cannot_be_fetched_is_told_in_a_sentence() {
    let packed = vec![
        ("content-type", "text/plain".to_owned()),
        ("content-encoding", "gzip".to_owned()),
    ];
    let site = Site::open("127.0.0.2")
        .await
        .status("/closed", 403)
        .status("/tired", 503)
        .page("/photo", "image/png", "x")
        .with("/endless", Answer::Endless)
        .with("/trickle", Answer::Trickle)
        .with("/lie", Answer::Lie)
        .with("/packed", Answer::Whole(200, packed, b"\x1f\x8b".to_vec()));
    let brief = Policy {
        patience: Duration::from_secs(2),
        ..policy(&["127.0.0.2"])
    };
    let fetcher = fetcher(brief, Names::default());
    for (path, expected) in [
        ("/nowhere", "there is nothing at this place"),
        (
            "/closed",
            "it is not open to saseo; it wants a login or other rights",
        ),
        ("/tired", "the server answered 503; try again later"),
        (
            "/photo",
            "it is image/png, not text; text, Markdown and HTML can be read",
        ),
        ("/endless", "it is larger than 10 MiB"),
        ("/lie", "it is larger than 10 MiB"),
        (
            "/packed",
            "it is compressed (gzip), not text; text, Markdown and HTML can be read",
        ),
        ("/trickle", "it did not come within 2 seconds"),
    ] {
        let told = fetcher.fetch(&site.url(path)).await.expect_err(path);
        assert_eq!(told.to_string(), expected, "{path}");
    }
}

#[tokio::test]
async fn a_site_that_is_closed_is_told_from_one_we_do_not_visit() {
    let site = Site::open("127.0.0.2").await;
    let fetcher = fetcher(policy(&["127.0.0.2"]), Names::default());
    let url = site.url("/");
    drop(site);
    let told = fetcher.fetch(&url).await.expect_err("closed");
    assert!(matches!(told, Unfetched::Unreachable(_)), "{told}");
    let told = fetcher
        .fetch("ftp://127.0.0.2/")
        .await
        .expect_err("a scheme");
    assert!(
        matches!(told, Unfetched::Blocked(Blocked::Scheme(_))),
        "{told}"
    );
}
