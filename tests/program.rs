//! The program as a script or a person uses it: what it prints, how it ends, what it keeps.

use std::collections::BTreeSet;
use std::time::Duration;

use saseo::domain::courtesy::Courtesy;
use saseo::domain::language::Language;
use serde_json::{Value, json};

use crate::support::openai::Turn;
use crate::support::program::Program;

const LEAVE: &str = "# Leave\n\n## Days\n\nEvery employee has 15 days of leave a year.\n\n\
    ## Carrying over\n\nUnused leave days do not carry over to the next year.\n";
const VPN: &str = "---\ntitle: VPN 접속\ndate: 2026-03-01\n---\n\n# VPN 접속\n\n## 신청\n\n\
    VPN 계정은 보안팀에 메일로 신청합니다. 승인까지 영업일 2일이 걸립니다.\n";

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one contract, read from top to bottom"
)]
async fn what_scripts_read_is_as_it_was_promised() {
    let program = Program::new([Turn::Says(vec![
        "Every employee has ",
        "15 days of leave a year.",
    ])])
    .await;
    program.write("handbook/leave.md", LEAVE);
    program.write("handbook/vpn.md", VPN);
    let handbook = program.path("handbook").display().to_string();

    let added = program.run(&["library", "add", &handbook, "--json"]).await;
    assert_eq!(added.code, Some(0), "{added:?}");
    let object = added.object();
    assert_eq!(object["revision"], 1);
    assert_eq!(
        object["added"],
        json!(["handbook/leave.md", "handbook/vpn.md"])
    );
    assert_eq!(
        (&object["changed"], &object["unchanged"]),
        (&json!([]), &json!([]))
    );
    assert_eq!(object["failed"], json!([]));

    let found = program
        .run(&["library", "search", "leave days", "--json"])
        .await
        .object();
    let first = &found["passages"][0];
    assert_eq!(
        (&first["title"], &first["uri"]),
        (&json!("Leave"), &json!("handbook/leave.md"))
    );
    assert!(
        first["score"].is_number() && first["heading"].is_string() && first["text"].is_string()
    );

    let answered = program
        .run(&[
            "ask",
            "How many days of leave does an employee have?",
            "--json",
        ])
        .await;
    assert_eq!(answered.code, Some(0));
    let answer = answered.object();
    assert_eq!(answer["status"], "answered");
    assert_eq!(
        answer["text"],
        "Every employee has 15 days of leave a year. [1]"
    );
    assert_eq!(answer["language"], "en");
    let citation = &answer["citations"][0];
    assert_eq!(citation["title"], "Leave");
    assert_eq!(citation["uri"], "handbook/leave.md");
    assert_eq!(citation["heading"], "Days");
    assert_eq!(
        citation["quote"],
        "Every employee has 15 days of leave a year."
    );
    assert_eq!(answer["revision"], 1);
    for digest in ["model", "prompt"] {
        assert_eq!(answer[digest].as_str().unwrap().len(), 64);
    }
    for stage in ["sources", "first_token", "total"] {
        assert!(answer["millis"][stage].is_u64(), "{answer}");
    }
    let receipt = answer["receipt"].as_str().unwrap();
    let kept = program.run(&["receipt", receipt, "--json"]).await.object();
    assert_eq!(kept["id"], receipt);
    assert_eq!(kept["draft"]["kept"], 1);
}

#[tokio::test]
async fn one_line_in_is_one_object_out() {
    let program = Program::new([]).await;
    let page = program.write("leave.md", LEAVE).display().to_string();
    program.run(&["library", "add", &page]).await;

    let ran = program
        .run_with(
            &["ask", "--stdin", "--json"],
            "How many days of leave a year?\n\n연차는 며칠이야?\n",
        )
        .await;

    let objects = ran.objects();
    assert_eq!(objects.len(), 3);
    assert_eq!(objects[1]["status"], "failed");
    assert_eq!(objects[1]["error"], "the question is empty");
    assert_eq!(objects[2]["language"], "ko");
    assert_eq!(ran.code, Some(1));
}

#[tokio::test]
async fn wrong_use_is_two_and_failure_is_one() {
    let program = Program::new([]).await;

    let unknown = program.run(&["library", "ad", "x"]).await;
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("add"), "{unknown:?}");
    let empty = program.run(&["ask", "  ", "--json"]).await;
    assert_eq!(
        (empty.code, &empty.object()["status"]),
        (Some(2), &json!("failed"))
    );
    let nothing = program
        .run(&["library", "add", "/nowhere/at/all", "--json"])
        .await;
    assert_eq!(nothing.code, Some(1));
    let reason = nothing.object()["failed"][0]["reason"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(reason, "there is nothing at this place");
    let receipt = program.run(&["receipt", "0123456789ab"]).await;
    assert_eq!(receipt.code, Some(1));
    assert_eq!(receipt.stderr, "error: there is no receipt 0123456789ab\n");
    program.settings("[answer]\nsentnces = 3\n");
    let slip = program.run(&["library", "list"]).await;
    assert_eq!(slip.code, Some(2));
    assert!(
        slip.stderr.contains("did you mean `sentences`?"),
        "{slip:?}"
    );
}

#[tokio::test]
async fn the_receipt_of_a_declined_answer_names_model_prompt_and_reason() {
    let program = Program::new([]).await;
    let ask = ["ask", "How many days of leave a year?", "--json"];
    let declined = program.run(&ask).await.object();
    assert_eq!(declined["status"], "declined");
    let receipt = declined["receipt"].as_str().unwrap();

    let shown = program.run(&["receipt", receipt]).await.stdout;

    for digest in ["model", "prompt"] {
        assert!(
            shown.contains(declined[digest].as_str().unwrap()),
            "{shown}"
        );
    }
    assert!(
        shown.contains("declined     no passage was found"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_receipt_and_the_register_tell_times_as_people_do() {
    let program = Program::new([]).await;
    let page = program.write("leave.md", LEAVE).display().to_string();
    program.run(&["library", "add", &page]).await;
    let asked = program
        .run(&["ask", "How many days?", "--json"])
        .await
        .object();
    let receipt = asked["receipt"].as_str().unwrap();
    let kept = program.run(&["receipt", receipt, "--json"]).await.object();
    let entry = program.run(&["library", "log", "--json"]).await.object();
    let told = |at: &Value| {
        let seconds: String = at.as_str().unwrap().chars().take(19).collect();
        format!("{} UTC", seconds.replace('T', " "))
    };

    let shown = program.run(&["receipt", receipt]).await.stdout;
    let log = program.run(&["library", "log"]).await.stdout;

    let at = format!("at           {}\n", told(&kept["at"]));
    assert!(shown.contains(&at), "{shown}");
    let took = shown
        .lines()
        .find(|line| line.starts_with("took  "))
        .unwrap();
    assert!(took.ends_with("s in all"), "{took}");
    assert!(log.contains(&told(&entry["at"])), "{log}");
}

#[tokio::test]
async fn a_replay_goes_on_after_a_receipt_that_does_not_exist() {
    let program = Program::new([]).await;
    let ask = ["ask", "How many days of leave a year?", "--json"];
    let receipt = program.run(&ask).await.object()["receipt"].clone();
    let receipt = receipt.as_str().unwrap();

    let plain = program.run(&["replay", receipt, "nope", receipt]).await;

    assert_eq!(plain.code, Some(1));
    let same = format!("{receipt}  identical, byte for byte");
    let lines: Vec<_> = plain.stdout.lines().collect();
    assert_eq!(
        lines,
        [
            same.as_str(),
            "nope  there is no receipt nope",
            same.as_str()
        ]
    );
    let objects = program.run(&["replay", "nope", receipt, "--json"]).await;
    assert_eq!(objects.code, Some(1));
    let objects = objects.objects();
    assert_eq!(objects[0]["identical"], json!(null));
    assert_eq!(objects[0]["error"], "there is no receipt nope");
    assert_eq!(
        (&objects[1]["identical"], &objects[1]["error"]),
        (&json!(true), &json!(null))
    );
    assert_eq!(program.run(&["replay", receipt]).await.code, Some(0));
}

#[tokio::test]
async fn two_notes_with_one_title_are_two_documents_and_a_uri_makes_them_one() {
    let program = Program::new([]).await;
    let note = ["library", "add", "-", "--json", "--title", "Note"];
    let first = program
        .run_with(&note, "The printer is on the third floor.")
        .await;
    let second = program
        .run_with(&note, "The coffee is in the kitchen.")
        .await;
    for added in [first.object(), second.object()] {
        let uri = added["added"][0].as_str().unwrap();
        assert!(uri.starts_with("stdin:"), "{added}");
    }
    let listed = program.run(&["library", "list", "--json"]).await.object();
    let titles: Vec<_> = listed["documents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|card| &card["title"])
        .collect();
    assert_eq!(titles, ["Note", "Note"]);

    let named = ["library", "add", "-", "--json", "--uri", "today"];
    program.run_with(&named, "Today is Monday.").await;
    let replaced = program.run_with(&named, "Today is Tuesday.").await.object();

    assert_eq!(replaced["changed"], json!(["today"]));
}

/// The text of the best passage as of `revision`.
async fn best_at(program: &Program, revision: &str) -> String {
    let search = [
        "library",
        "search",
        "days of leave",
        "--json",
        "--as-of",
        revision,
    ];
    let found = program.run(&search).await.object();
    found["passages"][0]["text"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[tokio::test]
async fn an_earlier_revision_is_searched_as_it_stood() {
    let program = Program::new([]).await;
    let page = program.write("leave.md", LEAVE).display().to_string();
    program.run(&["library", "add", &page]).await;
    program.write("leave.md", LEAVE.replace("15 days", "20 days"));
    let changed = program
        .run(&["library", "add", &page, "--json"])
        .await
        .object();
    assert_eq!(changed["revision"], 2);
    assert!(best_at(&program, "r1").await.contains("15 days"));
    assert!(best_at(&program, "2").await.contains("20 days"));

    let uri = changed["changed"][0].as_str().unwrap();
    program.run(&["library", "remove", uri]).await;

    assert_eq!(best_at(&program, "3").await, "");
    assert!(best_at(&program, "2").await.contains("20 days"));
}

#[tokio::test]
async fn a_revision_that_does_not_exist_is_wrong_use_everywhere_and_the_newest_is_named() {
    let program = Program::new([]).await;
    let page = program.write("leave.md", LEAVE).display().to_string();
    program.run(&["library", "add", &page]).await;
    program.write("leave.md", LEAVE.replace("15 days", "20 days"));
    program.run(&["library", "add", &page]).await;
    for (named, told) in [("99", "r99"), ("r3", "r3"), ("0", "r0")] {
        for args in [
            &["ask", "How many days of leave?"][..],
            &["chat"],
            &["library", "search", "leave", "--json"],
            &["library", "list"],
            &["library", "show", "leave.md"],
        ] {
            let ran = program.run(&[args, &["--as-of", named]].concat()).await;
            let told = format!("error: there is no revision {told}; the newest is r2\n");
            assert_eq!(
                (ran.code, &ran.stderr),
                (Some(2), &told),
                "{args:?} {ran:?}"
            );
            assert_eq!(ran.stdout, "", "{args:?}");
        }
        let ask = ["ask", "How many days?", "--json", "--as-of", named];
        let asked = program.run(&ask).await;
        assert_eq!(asked.code, Some(2), "{asked:?}");
        let error = format!("there is no revision {told}; the newest is r2");
        assert_eq!(asked.object()["error"], error);
    }
    program.run(&["library", "compact"]).await;
    let forgotten = program.run(&["library", "list", "--as-of", "1"]).await;
    assert_eq!(forgotten.code, Some(2), "{forgotten:?}");
    assert!(
        forgotten.stderr.contains("can be read is r2"),
        "{forgotten:?}"
    );
}

#[tokio::test]
async fn who_looks_for_a_revision_of_an_empty_library_is_told_how_to_fill_it() {
    let program = Program::new([]).await;
    let ran = program.run(&["library", "list", "--as-of", "1"]).await;
    let told = "error: there is no revision r1; the library is empty; `saseo library add";
    assert!(
        ran.code == Some(2) && ran.stderr.starts_with(told),
        "{ran:?}"
    );
}

/// Nothing is wrong with a library that somebody has open.
async fn examined(program: &Program, in_use: &str) {
    let doctor = program.run(&["doctor", "--json"]).await.object();
    let findings = doctor["findings"].as_array().unwrap().clone();
    let found = |what| findings.iter().find(|finding| finding["what"] == what);
    let (library, models) = (found("library").unwrap(), found("models").unwrap());
    assert_eq!(library["ok"], true, "{doctor}");
    assert!(
        library["said"].as_str().unwrap().contains(in_use),
        "{doctor}"
    );
    let models = models["said"].as_str().unwrap();
    assert!(models.contains("both are at endpoints"), "{doctor}");
}

#[tokio::test]
async fn a_second_process_is_told_who_holds_the_library() {
    let program = Program::new([]).await;
    let page = program.write("leave.md", LEAVE).display().to_string();
    program.run(&["library", "add", &page]).await;
    let mut holder = program
        .command(&["ask", "--stdin", "--json"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // It opens the library before it reads its first question.
    for _ in 0..200 {
        if std::fs::read_to_string(program.path("data/saseo.lock"))
            .is_ok_and(|pid| pid.trim() == holder.id().unwrap().to_string())
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let second = program.run(&["library", "list"]).await;

    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(
        second.stderr.contains(&holder.id().unwrap().to_string()),
        "{second:?}"
    );
    let in_use = format!("in use by process {}", holder.id().unwrap());
    examined(&program, &in_use).await;
    drop(holder.stdin.take());
    assert!(holder.wait().await.unwrap().success());
    assert_eq!(program.run(&["library", "list"]).await.code, Some(0));
}

#[tokio::test]
async fn bad_files_are_named_and_the_others_are_added() {
    let program = Program::new([]).await;
    program.write("wiki/good.md", LEAVE);
    program.write("wiki/empty.md", "");
    program.write(
        "wiki/picture.md",
        [0x89, b'P', b'N', b'G', 0, 1, 2, 3, 0, 0, 0, 0],
    );
    program.write("wiki/nested.html", "<div>".repeat(20_000));
    program.write(
        "wiki/korean.txt",
        encoding_rs::EUC_KR
            .encode("연차는 1년에 15일입니다. 다음 해로 넘어가지 않습니다.")
            .0,
    );
    let wiki = program.path("wiki").display().to_string();

    let ran = program.run(&["library", "add", &wiki, "--json"]).await;

    assert_eq!(ran.code, Some(1));
    let object = ran.object();
    assert_eq!(
        object["added"],
        json!(["wiki/good.md", "wiki/korean.txt"]),
        "{object}"
    );
    let failed: BTreeSet<_> = object["failed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|failed| failed["uri"].as_str().unwrap())
        .collect();
    assert_eq!(
        failed,
        BTreeSet::from(["wiki/nested.html", "wiki/picture.md"])
    );
    let shown = program.run(&["library", "show", "wiki/korean.txt"]).await;
    assert!(
        shown.stdout.contains("연차는 1년에 15일입니다."),
        "{shown:?}"
    );
}

#[tokio::test]
async fn what_was_exported_is_the_same_library_elsewhere() {
    let here = Program::new([]).await;
    here.write("wiki/leave.md", LEAVE);
    here.write("wiki/vpn.md", VPN);
    let wiki = here.path("wiki").display().to_string();
    here.run(&["library", "add", &wiki]).await;
    let file = here.path("library.saseo").display().to_string();
    let exported = here.run(&["library", "export", &file]).await;
    assert_eq!(exported.code, Some(0), "{exported:?}");

    let there = Program::new([]).await;
    std::fs::copy(here.path("models.toml"), there.path("models.toml")).unwrap();
    let imported = there.run(&["library", "import", &file]).await;
    assert_eq!(imported.code, Some(0), "{imported:?}");

    for program in [&here, &there] {
        let verified = program.run(&["library", "verify"]).await;
        assert_eq!(verified.code, Some(0), "{verified:?}");
    }
    let search = ["library", "search", "VPN 계정 신청", "--json"];
    assert_eq!(
        here.run(&search).await.object(),
        there.run(&search).await.object()
    );
}

/// What `library add` did with `folder`, and with which exit code.
async fn add(program: &Program, folders: &[&str], more: &[&str]) -> (Option<i32>, Value) {
    let folders: Vec<String> = folders
        .iter()
        .map(|folder| program.path(folder).display().to_string())
        .collect();
    let mut args = vec!["library", "add", "--json"];
    args.extend(folders.iter().map(String::as_str));
    args.extend(more);
    let ran = program.run(&args).await;
    (ran.code, ran.object())
}

#[tokio::test]
async fn two_folders_of_one_name_do_not_push_out_each_other() {
    let program = Program::new([]).await;
    program.write("a/docs/leave.md", LEAVE);
    program.write("b/docs/leave.md", LEAVE.replace("15 days", "99 days"));
    program.write("b/docs/vpn.md", VPN);
    add(&program, &["a/docs"], &[]).await;

    let (code, other) = add(&program, &["b/docs"], &[]).await;

    assert_eq!(code, Some(1));
    assert_eq!(other["added"], json!(["docs/vpn.md"]));
    assert_eq!(other["failed"][0]["uri"], "docs/leave.md");
    let reason = other["failed"][0]["reason"].as_str().unwrap();
    for told in ["a/docs/leave.md", "--collection", "--uri", "--replace"] {
        assert!(reason.contains(told), "{reason}");
    }
    assert!(best_at(&program, "2").await.contains("15 days"));
    let (code, again) = add(&program, &["a/docs"], &[]).await;
    assert_eq!((code, &again["failed"]), (Some(0), &json!([])));
    let (code, beside) = add(&program, &["b/docs"], &["--uri", "b"]).await;
    assert_eq!(code, Some(0));
    assert_eq!(beside["added"], json!(["b/leave.md", "b/vpn.md"]));
}

#[tokio::test]
async fn a_title_for_two_documents_adds_neither() {
    let program = Program::new([]).await;
    program.write("docs/leave.md", LEAVE);
    program.write("docs/vpn.md", VPN);
    let folder = program.path("docs").display().to_string();
    let ran = program
        .run(&["library", "add", &folder, "--title", "Both"])
        .await;
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("--title names one document"), "{ran:?}");
    let listed = program.run(&["library", "list", "--json"]).await.object();
    assert_eq!(listed["documents"], json!([]));
}

#[tokio::test]
async fn one_command_does_not_undo_itself() {
    let program = Program::new([]).await;
    program.write("a/docs/leave.md", LEAVE);
    program.write("b/docs/leave.md", LEAVE.replace("15 days", "99 days"));

    let (code, added) = add(&program, &["a/docs", "b/docs"], &["--replace"]).await;

    assert_eq!(
        (code, &added["added"]),
        (Some(1), &json!(["docs/leave.md"]))
    );
    assert_eq!(added["failed"][0]["uri"], "docs/leave.md");
    assert!(best_at(&program, "1").await.contains("15 days"));
}

#[tokio::test]
async fn a_folder_that_has_moved_takes_its_documents_along_when_told_to() {
    let program = Program::new([]).await;
    program.write("old/docs/leave.md", LEAVE);
    program.write("old/docs/vpn.md", VPN);
    add(&program, &["old/docs"], &[]).await;
    std::fs::rename(program.path("old"), program.path("new")).unwrap();

    let (code, same) = add(&program, &["new/docs"], &[]).await;
    assert_eq!((code, &same["revision"]), (Some(0), &json!(1)));
    program.write("new/docs/leave.md", LEAVE.replace("15 days", "16 days"));
    assert_eq!(add(&program, &["new/docs"], &[]).await.0, Some(1));
    let (code, moved) = add(&program, &["new/docs"], &["--replace"]).await;
    assert_eq!(code, Some(0));
    assert_eq!(moved["changed"], json!(["docs/leave.md", "docs/vpn.md"]));
    assert_eq!(moved["embedded"], 1, "{moved}");
    program.write("new/docs/vpn.md", VPN.replace("2일", "3일"));
    assert_eq!(add(&program, &["new/docs"], &[]).await.0, Some(0));
}

#[tokio::test]
async fn a_new_date_in_the_front_matter_is_a_change_and_that_of_the_file_is_none() {
    let program = Program::new([]).await;
    let page = program.write("docs/vpn.md", VPN);
    program.write("docs/leave.md", LEAVE);
    add(&program, &["docs"], &[]).await;

    program.write("docs/vpn.md", VPN.replace("2026-03-01", "2026-04-02"));
    let (code, dated) = add(&program, &["docs"], &[]).await;

    assert_eq!((code, &dated["revision"]), (Some(0), &json!(2)));
    assert_eq!(dated["changed"], json!(["docs/vpn.md"]));
    assert_eq!(dated["embedded"], 0);
    let listed = program.run(&["library", "list", "--json"]).await.object();
    let modified = listed["documents"][1]["modified"].as_str().unwrap();
    assert!(modified.starts_with("2026-04-02"), "{listed}");
    for page in [page, program.path("docs/leave.md")] {
        let touched = std::fs::File::options().write(true).open(page).unwrap();
        touched
            .set_modified(std::time::SystemTime::UNIX_EPOCH)
            .unwrap();
    }
    let (_, touched) = add(&program, &["docs"], &[]).await;
    assert_eq!(touched["revision"], 2, "{touched}");
}

#[tokio::test]
async fn what_cannot_be_read_or_written_is_told_with_what_to_do() {
    let program = Program::new([]).await;
    let junk = program
        .write("junk.saseo", "no parcel")
        .display()
        .to_string();
    let folder = program.path(".").display().to_string();
    let wrong = [
        (
            junk.as_str(),
            "is not a library that saseo exported: it is something else, or damaged",
        ),
        (
            "/nowhere.saseo",
            "could not read /nowhere.saseo: there is no such place",
        ),
        (
            folder.as_str(),
            "is not a library that saseo exported: it is a folder",
        ),
    ];
    for (file, expected) in wrong {
        let ran = program.run(&["library", "import", file]).await;
        assert_eq!(ran.code, Some(1));
        assert!(ran.stderr.contains(expected), "{ran:?}");
        assert!(!ran.stderr.contains("os error"), "{ran:?}");
    }
    let program = Program::new([]).await;
    program.write("data", "a file");
    let ran = program.run(&["library", "list"]).await;
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr
            .ends_with("a file stands in the way; name another place\n"),
        "{ran:?}"
    );
}

#[tokio::test]
async fn one_change_is_told_as_one() {
    let program = Program::new([]).await;
    program.write("wiki/leave.md", LEAVE);
    let wiki = program.path("wiki").display().to_string();
    program.run(&["library", "add", &wiki]).await;
    let log = program.run(&["library", "log"]).await;
    assert!(log.stdout.contains(", 1 change\n"), "{log:?}");
}

#[tokio::test]
async fn in_a_conversation_who_asks_nothing_is_answered_with_courtesy() {
    let program = Program::new([]).await;
    let page = program.write("leave.md", LEAVE).display().to_string();
    program.run(&["library", "add", &page]).await;
    let said = "hi\n\n  \n안녕하세요!\nthanks\n고마워요\n/help\nbye\nHow many days of leave?\n";

    let chat = program.run_with(&["chat"], said).await;

    let replies = [
        Courtesy::Greeting.reply(Language::English),
        Courtesy::Greeting.reply(Language::Korean),
        Courtesy::Thanks.reply(Language::English),
        Courtesy::Thanks.reply(Language::Korean),
        Courtesy::Farewell.reply(Language::English),
    ];
    assert_eq!(chat.code, Some(0), "{chat:?}");
    let expected: String = replies.map(|reply| format!("{reply}\n\n")).concat();
    assert_eq!(chat.stdout, expected);
    assert_eq!(chat.stderr.matches("Ctrl-D ends").count(), 2, "{chat:?}");
    assert_eq!(chat.stderr.matches("Ctrl-D로 끝냅니다").count(), 2);
    let left = program.run_with(&["chat"], "안녕히 계세요\n").await;
    let farewell = Courtesy::Farewell.reply(Language::Korean);
    assert_eq!(left.stdout, format!("{farewell}\n\n"));
    let quit = program.run_with(&["chat"], "/quit\nbye\n").await;
    assert_eq!((quit.code, &*quit.stdout), (Some(0), ""));
}

#[tokio::test]
async fn a_conversation_goes_on_after_a_line_that_cannot_be_a_question() {
    let program = Program::new([]).await;
    let page = program.write("leave.md", LEAVE).display().to_string();
    program.run(&["library", "add", &page]).await;
    let (long, korean) = ("long ".repeat(3_000), "연차 ".repeat(3_000));
    let lines = format!("{long}\n{korean}\nHow many days of leave does an employee have?\n");
    let said = [b"\xff\xfe garbled\n", lines.as_bytes()].concat();

    let chat = program.run_with(&["chat"], said).await;

    assert_eq!(chat.code, Some(0), "{chat:?}");
    for told in [
        "the line is not UTF-8",
        "Your question has 14999 characters, more than 2000.",
        "질문이 8999자로, 받을 수 있는 2000자를 넘습니다.",
    ] {
        assert!(chat.stderr.contains(told), "{told}: {}", chat.stderr);
    }
    assert!(chat.stdout.contains("15 days"), "{chat:?}");
}
