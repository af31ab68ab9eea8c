//! What is broken on the disk or in the settings, as a person at the terminal meets it: told
//! in a sentence, and mended by what the sentence says.

use std::path::{Path, PathBuf};
use std::process::Command;

use saseo::domain::document::Digest;
use serde_json::json;

use crate::support::disk::Disk;
use crate::support::program::{Program, Ran};

const LEAVE: &str = "# Leave\n\nEvery employee has 15 days of leave a year.\n";
const TRAVEL: &str = "# Travel\n\nA business trip is booked by the office in Busan.\n";

/// A library of two pages, and the file in which the text of the first is kept.
async fn with_a_text() -> (Program, String, PathBuf) {
    let program = Program::new([]).await;
    program.write("wiki/leave.md", LEAVE);
    program.write("wiki/travel.md", TRAVEL);
    let wiki = program.path("wiki").display().to_string();
    program.run(&["library", "add", &wiki]).await;
    let listed = program.run(&["library", "list", "--json"]).await.object();
    let digest = listed["documents"][0]["text"].as_str().unwrap().to_owned();
    Digest::parse(&digest).unwrap();
    let shelf = digest.chars().take(2).collect::<String>();
    let file = program.path(&format!("data/documents/{shelf}/{digest}.zst"));
    assert!(file.exists(), "{}", file.display());
    (program, wiki, file)
}

/// The URIs that a search finds.
async fn found(program: &Program, text: &str) -> Vec<String> {
    let found = program.run(&["library", "search", text, "--json"]).await;
    let passages = found.object()["passages"].as_array().unwrap().clone();
    let uri = |passage: &serde_json::Value| passage["uri"].as_str().unwrap().to_owned();
    passages.iter().map(uri).collect()
}

#[tokio::test]
async fn a_damaged_text_is_written_anew_when_its_document_is_added_again() {
    let (program, wiki, file) = with_a_text().await;
    std::fs::write(&file, "no text of ours").unwrap();
    let verified = program.run(&["library", "verify"]).await;
    assert_eq!(verified.code, Some(1));
    let advice = format!("add it again from {}/leave.md", wiki.trim_end_matches('/'));
    assert!(verified.stdout.contains("wiki/leave.md: "), "{verified:?}");
    assert!(verified.stdout.contains(&advice), "{verified:?}");

    let again = program.run(&["library", "add", &wiki, "--json"]).await;

    assert_eq!(again.code, Some(0), "{again:?}");
    let again = again.object();
    assert_eq!(again["mended"], json!(["wiki/leave.md"]), "{again}");
    assert_eq!(
        again["unchanged"],
        json!(["wiki/leave.md", "wiki/travel.md"])
    );
    assert_eq!(
        (&again["revision"], &again["changed"]),
        (&json!(1), &json!([]))
    );
    let verified = program.run(&["library", "verify"]).await;
    assert_eq!(verified.code, Some(0), "{verified:?}");
    let shown = program.run(&["library", "show", "wiki/leave.md"]).await;
    assert!(shown.stdout.contains("15 days of leave"), "{shown:?}");
    std::fs::remove_file(&file).unwrap();
    let plain = program.run(&["library", "add", &wiki]).await;
    assert!(plain.stdout.contains("1 mended"), "{plain:?}");
}

#[tokio::test]
async fn a_rebuild_names_what_it_could_not_read_and_adding_it_again_brings_it_back() {
    let (program, wiki, file) = with_a_text().await;
    std::fs::remove_file(&file).unwrap();

    let rebuilt = program.run(&["library", "rebuild"]).await;

    assert_eq!(rebuilt.code, Some(1), "{rebuilt:?}");
    assert!(rebuilt.stdout.contains("wiki/leave.md: "), "{rebuilt:?}");
    assert!(rebuilt.stdout.contains("without 1 document"), "{rebuilt:?}");
    let listed = program.run(&["library", "list"]).await;
    assert!(listed.stdout.contains("wiki/leave.md"), "{listed:?}");
    assert_eq!(found(&program, "days of leave").await, ["wiki/travel.md"]);

    let again = program.run(&["library", "add", &wiki, "--json"]).await;

    assert_eq!(
        again.object()["mended"],
        json!(["wiki/leave.md"]),
        "{again:?}"
    );
    assert_eq!(found(&program, "days of leave").await[0], "wiki/leave.md");
    let verified = program.run(&["library", "verify"]).await;
    assert_eq!(verified.code, Some(0), "{verified:?}");
    assert_eq!(program.run(&["library", "rebuild"]).await.code, Some(0));
}

#[tokio::test]
async fn a_damaged_name_of_the_index_in_use_is_told_and_mended_by_the_opening() {
    let (program, _, _) = with_a_text().await;
    let current = program.path("data/index/current");
    for garbage in [&b"\xff\xfe\x00"[..], b"", b"../../elsewhere", b"g99"] {
        std::fs::write(&current, garbage).unwrap();
        let listed = program.run(&["library", "list"]).await;

        assert_eq!(listed.code, Some(0), "{listed:?}");
        assert!(listed.stdout.contains("wiki/leave.md"), "{listed:?}");
        assert!(listed.stderr.contains("index/current"), "{listed:?}");
        assert_eq!(found(&program, "days of leave").await[0], "wiki/leave.md");
        assert_eq!(program.run(&["library", "rebuild"]).await.code, Some(0));
        let verified = program.run(&["library", "verify"]).await;
        assert_eq!(
            (verified.code, &*verified.stderr),
            (Some(0), ""),
            "{verified:?}"
        );
    }
}

#[cfg(unix)]
#[tokio::test]
async fn names_that_differ_only_in_bytes_that_are_not_utf_8_are_two_documents() {
    use std::os::unix::ffi::OsStringExt as _;
    let program = Program::new([]).await;
    let name = |bytes: &[u8]| {
        let name = [b"wiki/note-", bytes, b".md"].concat();
        program
            .folder
            .path()
            .join(std::ffi::OsString::from_vec(name))
    };
    std::fs::create_dir(program.path("wiki")).unwrap();
    std::fs::write(name(b"\xff"), LEAVE).unwrap();
    std::fs::write(name(b"\xfe"), TRAVEL).unwrap();
    let wiki = program.path("wiki").display().to_string();

    let added = program.run(&["library", "add", &wiki, "--json"]).await;

    assert_eq!(added.code, Some(0), "{added:?}");
    let both = json!(["wiki/note-%FE.md", "wiki/note-%FF.md"]);
    assert_eq!(added.object()["added"], both);
    let shown = program.run(&["library", "show", "wiki/note-%FF.md"]).await;
    assert!(shown.stdout.contains("15 days"), "{shown:?}");
    let again = program
        .run(&["library", "add", &wiki, "--json"])
        .await
        .object();
    assert_eq!(again["unchanged"], both, "{again}");
    // A name that is spelled like that place does not push it out either.
    std::fs::write(name(b"%FF"), "# Another note\n\nOf something else.\n").unwrap();
    let third = program.run(&["library", "add", &wiki, "--json"]).await;
    assert_eq!(third.code, Some(1));
    let third = third.object();
    assert_eq!(third["failed"][0]["uri"], "wiki/note-%FF.md", "{third}");
    let shown = program.run(&["library", "show", "wiki/note-%FF.md"]).await;
    assert!(shown.stdout.contains("15 days"), "{shown:?}");
}

#[tokio::test]
async fn a_slip_in_a_work_order_is_named_with_its_file_and_line_before_anybody_asks() {
    let program = Program::new([]).await;
    let shipped = include_str!("../prompts/answer.md");
    program.write("prompts/answer.ko.md", shipped);
    let slip = shipped.replace("{{ source.text }}", "{{ source.txt }}");
    let file = program.write("prompts/answer.md", slip);
    program.settings(&format!(
        "[folders]\nprompts = {:?}\n",
        program.path("prompts").display().to_string()
    ));

    for args in [&["doctor"][..], &["ask", "--stdin", "--json"]] {
        let ran = program.run(args).await;
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let place = format!("{}: line 11: there is no such value", file.display());
        assert!(ran.stdout.contains(&place), "{ran:?}");
    }
}

/// What the doctor says of the disk for the data folder `folder`.
async fn disk_for(program: &Program, folder: &str) -> (bool, String) {
    let mut doctor = program.command_on(Path::new(folder), &["doctor", "--json"]);
    let doctor = Ran::from(doctor.output().await.unwrap()).object();
    let findings = doctor["findings"].as_array().unwrap();
    let disk = findings.iter().find(|finding| finding["what"] == "disk");
    let disk = disk.unwrap();
    let said = disk["said"].as_str().unwrap().to_owned();
    (disk["ok"] == true, said)
}

#[tokio::test]
async fn the_doctor_finds_the_disk_of_a_folder_that_is_named_from_here_and_not_made_yet() {
    let program = Program::new([]).await;
    let whole = program.path("d").display().to_string();
    for folder in ["d", "./d", "d/e", &whole] {
        let (_, said) = disk_for(&program, folder).await;
        assert!(said.contains(&format!(" free for {folder}")), "{said}");
    }
    program.write("d", "a file");
    let (ok, said) = disk_for(&program, "d/e").await;
    assert!(
        !ok && said.contains("/d is a file and stands in the way of d/e"),
        "{said}"
    );
}

const IN_THE_KITCHEN: [&str; 2] = ["--collection", "kitchen"];
const NO_KITCHEN: &str = "there is no collection kitchen; there are: library, travel";

#[tokio::test]
async fn reading_from_a_collection_that_does_not_exist_is_wrong_use_everywhere() {
    let (program, wiki, _) = with_a_text().await;
    let more = ["library", "add", &wiki, "--collection", "travel"];
    assert_eq!(program.run(&more).await.code, Some(0));
    for args in [
        &["ask", "How many days of leave?"][..],
        &["chat"],
        &["library", "search", "leave"],
        &["library", "search", "leave", "--json"],
        &["library", "list"],
        &["library", "list", "--json"],
        &["library", "show", "wiki/leave.md"],
        &["library", "remove", "wiki/leave.md"],
    ] {
        let ran = program.run(&[args, &IN_THE_KITCHEN].concat()).await;
        assert_eq!(ran.code, Some(2), "{args:?} {ran:?}");
        assert_eq!(ran.stderr, format!("error: {NO_KITCHEN}\n"), "{args:?}");
        assert_eq!(ran.stdout, "", "{args:?} {ran:?}");
    }
    for args in [
        &["ask", "Why?", "--json"][..],
        &["ask", "--stdin", "--json"],
    ] {
        let ran = program.run(&[args, &IN_THE_KITCHEN].concat()).await;
        assert_eq!(ran.code, Some(2), "{args:?} {ran:?}");
        assert_eq!(ran.object()["status"], "failed");
        assert_eq!(ran.object()["error"], NO_KITCHEN);
    }
    let early = ["library", "list", "--collection", "travel", "--as-of", "1"];
    let early = program.run(&early).await;
    assert_eq!(early.code, Some(2));
    assert!(
        early
            .stderr
            .contains("no collection travel at r1; there are: library"),
        "{early:?}"
    );
    let known = program
        .run(&["library", "list", "--collection", "travel"])
        .await;
    assert_eq!(known.code, Some(0), "{known:?}");
}

/// How a library is filled.
const HOW: &str = "`saseo library add PATH|URL`";

#[tokio::test]
async fn reading_makes_no_library() {
    let program = Program::new([]).await;
    for args in [
        &["library", "list"][..],
        &["library", "log"],
        &["library", "status"],
        &["library", "verify"],
        &["library", "search", "leave"],
        &["library", "show", "wiki/leave.md"],
        &["library", "remove", "wiki/leave.md"],
        &["receipt", "0123456789ab"],
        &["replay", "0123456789ab"],
        &["doctor"],
    ] {
        let ran = program.run(args).await;
        assert!(!program.path("data").exists(), "{args:?} {ran:?}");
    }
    std::fs::create_dir(program.path("data")).unwrap();
    program.run(&["library", "list"]).await;
    let made = std::fs::read_dir(program.path("data")).unwrap().count();
    assert_eq!(made, 0);
}

#[tokio::test]
async fn who_looks_into_an_empty_library_is_told_how_to_fill_it() {
    let program = Program::new([]).await;
    for args in [&["library", "list"][..], &["library", "search", "leave"]] {
        let ran = program.run(args).await;
        assert_eq!(ran.code, Some(0), "{args:?} {ran:?}");
        let told = format!("the library is empty; {HOW} fills it");
        assert!(ran.stderr.contains(&told), "{args:?} {ran:?}");
    }
    let searched = program
        .run(&["library", "search", "leave", "--json"])
        .await
        .object();
    assert_eq!(
        (&searched["passages"], &searched["revision"]),
        (&json!([]), &json!(0))
    );
    let warning = searched["warnings"][0].as_str().unwrap();
    assert!(warning.contains(HOW), "{searched}");
    let listed = program
        .run(&[&["library", "list"], &IN_THE_KITCHEN[..]].concat())
        .await;
    assert_eq!(listed.code, Some(2), "{listed:?}");
    let told = "no collection kitchen; the library is empty";
    assert!(listed.stderr.contains(told), "{listed:?}");
}

#[tokio::test]
async fn who_asks_an_empty_library_is_told_how_to_fill_it() {
    let program = Program::new([]).await;
    for (question, told) in [
        ("How many days of leave?", "the library is empty"),
        ("연차는 며칠이야?", "서가가 비어 있습니다"),
    ] {
        let asked = program.run(&["ask", question]).await;
        assert_eq!(asked.code, Some(0), "{asked:?}");
        assert!(asked.stderr.contains(told), "{asked:?}");
        assert!(
            asked.stderr.contains("`saseo library add PATH|URL`"),
            "{asked:?}"
        );
        let asked = program.run(&["ask", question, "--json"]).await.object();
        assert_eq!(asked["status"], "declined");
        assert!(
            asked["warnings"][0].as_str().unwrap().contains(told),
            "{asked}"
        );
    }
    let (program, _, _) = with_a_text().await;
    let asked = program
        .run(&["ask", "How many days of leave?", "--json"])
        .await;
    assert_eq!(asked.object()["warnings"], json!([]), "{asked:?}");
    let uris = ["library", "remove", "wiki/leave.md", "wiki/travel.md"];
    program.run(&uris).await;
    let asked = program.run(&["ask", "How many days of leave?"]).await;
    assert!(asked.stderr.contains("the library is empty"), "{asked:?}");
}

/// What is said of a register of one revision that is empty.
const LOST: &str = "the register has lost lines: it ends at r0, and the index knows r1; restore \
    register.jsonl from a backup, or import an export into a new data folder";

/// A library whose register is empty and whose index knows better, with the lost line, the file
/// of a text and an export.
async fn with_a_lost_line() -> (Program, String, Vec<u8>, PathBuf, String) {
    let (program, wiki, file) = with_a_text().await;
    let export = program.path("export").display().to_string();
    let exported = program.run(&["library", "export", &export]).await;
    assert_eq!(exported.code, Some(0), "{exported:?}");
    let register = program.path("data/register.jsonl");
    let line = std::fs::read(&register).unwrap();
    std::fs::write(&register, "").unwrap();
    (program, wiki, line, file, export)
}

#[tokio::test]
async fn who_lost_the_register_loses_no_text_and_gets_all_back_with_it() {
    let (program, wiki, line, file, export) = with_a_lost_line().await;
    let cut_short = r#"{"oldest":1,"unfinished":true}"#;
    program.write("data/compacted.json", cut_short);
    for args in [
        &["library", "compact"][..],
        &["library", "add", &wiki],
        &["library", "rebuild"],
        &["library", "import", &export],
        &["library", "export", &export],
    ] {
        let ran = program.run(args).await;
        assert_eq!(ran.code, Some(1), "{args:?} {ran:?}");
        assert_eq!(ran.stdout, "", "{args:?} {ran:?}");
        let refusal = format!("{LOST}; until then nothing is changed and nothing removed\n");
        assert!(ran.stderr.ends_with(&refusal), "{args:?} {ran:?}");
    }
    for args in [
        &["library", "list"][..],
        &["library", "log"],
        &["library", "status"],
    ] {
        let ran = program.run(args).await;
        assert_eq!(ran.code, Some(0), "{args:?} {ran:?}");
        assert_eq!(ran.stderr.matches(LOST).count(), 1, "{args:?} {ran:?}");
        assert!(!ran.stderr.contains("is empty"), "{args:?} {ran:?}");
    }
    for args in [&["library", "verify"][..], &["doctor"]] {
        let ran = program.run(args).await;
        assert_eq!(ran.code, Some(1), "{args:?} {ran:?}");
        assert!(ran.stdout.contains(LOST), "{args:?} {ran:?}");
    }
    assert!(file.exists());

    program.write("data/register.jsonl", line);
    std::fs::remove_file(program.path("data/compacted.json")).unwrap();

    let verified = program.run(&["library", "verify"]).await;
    assert_eq!(verified.code, Some(0), "{verified:?}");
    assert_eq!(found(&program, "days of leave").await[0], "wiki/leave.md");
    assert_eq!(program.run(&["library", "compact"]).await.code, Some(0));
}

#[tokio::test]
async fn a_library_that_lost_its_register_is_not_told_as_an_empty_one() {
    let (program, _, _, _, _) = with_a_lost_line().await;
    let korean = "등록대장은 r0에서 끝나지만 색인은 r1까지 알고 있습니다";
    for (question, told) in [
        ("How many days of leave?", LOST),
        ("연차는 며칠이야?", korean),
    ] {
        let asked = program.run(&["ask", question]).await;
        assert_eq!(asked.code, Some(0), "{asked:?}");
        assert!(asked.stderr.contains(told), "{asked:?}");
        assert!(!asked.stderr.contains(HOW), "{asked:?}");
        let asked = program.run(&["ask", question, "--json"]).await.object();
        let warning = asked["warnings"][0].as_str().unwrap();
        assert!(warning.contains(told), "{asked}");
    }
    let searched = program.run(&["library", "search", "leave", "--json"]).await;
    assert_eq!(searched.object()["warnings"], json!([LOST]));
    let listed = [&["library", "list"], &IN_THE_KITCHEN[..]].concat();
    let listed = program.run(&listed).await;
    assert!(!listed.stderr.contains("is empty"), "{listed:?}");
}

#[tokio::test]
async fn who_has_no_backup_of_the_register_goes_on_by_saying_so() {
    let (program, wiki, _, _, _) = with_a_lost_line().await;

    let rebuilt = program.run(&["library", "rebuild", "--accept-loss"]).await;

    assert_eq!(rebuilt.code, Some(0), "{rebuilt:?}");
    let given_up = "r1 is given up, and the register ends at r0; ";
    assert!(rebuilt.stdout.starts_with(given_up), "{rebuilt:?}");
    let verified = program.run(&["library", "verify"]).await;
    assert_eq!(
        (verified.code, &*verified.stderr),
        (Some(0), ""),
        "{verified:?}"
    );
    let added = program.run(&["library", "add", &wiki, "--json"]).await;
    assert_eq!(added.object()["revision"], 1, "{added:?}");
    assert_eq!(found(&program, "days of leave").await[0], "wiki/leave.md");
}

/// sled takes its first 512 KiB at once; a hundred receipts of this do not fit there.
fn long_question() -> String {
    format!(
        "How many days of leave does an employee have {}?",
        "every single year ".repeat(105)
    )
}

#[tokio::test]
async fn an_answer_is_given_though_its_receipt_cannot_be_kept() {
    let (program, _, _) = with_a_text().await;
    let questions = format!("{}\n", long_question()).repeat(100);
    let asked = program.run_on_a_small_disk(512, &["ask", "--stdin", "--json"], &questions);
    let asked = asked.await;
    assert_eq!(asked.code, Some(0), "{}", asked.stderr);
    let answers = asked.objects();
    assert_eq!(answers.len(), 100);
    for answer in &answers {
        let (receipt, warnings) = (&answer["receipt"], answer["warnings"].as_array().unwrap());
        assert_eq!(answer["status"], "answered", "{answer}");
        assert!(
            answer["text"].as_str().unwrap().contains("15 days"),
            "{answer}"
        );
        assert_eq!(receipt.is_null(), !warnings.is_empty(), "{answer}");
    }
    let lost = answers.last().unwrap();
    let warning = lost["warnings"][0].as_str().unwrap();
    assert!(
        warning.starts_with("the receipt of this answer could not be kept: "),
        "{warning}"
    );
    assert!(
        warning.contains("the disk failed under the receipts"),
        "{warning}"
    );
    assert!(!warning.contains("the index"), "{warning}");

    let later = program
        .run(&["ask", &long_question(), "--json"])
        .await
        .object();
    assert!(later["receipt"].is_string(), "{later}");
}

#[tokio::test]
async fn a_conversation_goes_on_though_receipts_cannot_be_kept() {
    let (program, _, _) = with_a_text().await;
    let questions = format!("{}\n", long_question()).repeat(100);
    let chat = program
        .run_on_a_small_disk(512, &["chat"], &questions)
        .await;
    assert_eq!(chat.code, Some(0), "{}", chat.stderr);
    let answers = "has 15 days of leave a year. [1]";
    assert_eq!(chat.stdout.matches(answers).count(), 100);
    let receipts = chat.stdout.matches(" · receipt ").count();
    let warned = chat.stderr.matches("could not be kept").count();
    assert!(warned > 0, "{}", chat.stderr);
    assert_eq!(receipts + warned, 100);
}

#[tokio::test]
async fn a_limit_on_files_is_told_and_loses_nothing_that_was_added() {
    let (program, _, _) = with_a_text().await;
    let page = |n: u32| {
        format!(
            "# Page {n}\n\n{}\n",
            "Every page has its words. ".repeat(200)
        )
    };
    for n in 0..40 {
        program.write(&format!("notes/{n}.md"), page(n));
    }
    let notes = program.path("notes").display().to_string();
    for kib in [0, 4, 512] {
        let add = ["library", "add", &notes];
        let added = program.run_on_a_small_disk(kib, &add, "").await;
        assert_eq!(added.code, Some(1), "{kib} KiB: {added:?}");
        let told = "a file may not grow any further; raise the limit on files and try again";
        assert!(added.stderr.contains(told), "{kib} KiB: {added:?}");
    }
    let verified = program.run(&["library", "verify"]).await;
    assert_eq!(verified.code, Some(0), "{verified:?}");
    assert_eq!(found(&program, "days of leave").await[0], "wiki/leave.md");
    let again = program.run(&["library", "add", &notes]).await;
    assert_eq!(again.code, Some(0), "{again:?}");
}

/// What reads the library and nothing else.
const READING: [&[&str]; 5] = [
    &["library", "list"],
    &["library", "show", "wiki/leave.md"],
    &["library", "search", "days of leave"],
    &["library", "verify"],
    &["ask", "How many days of leave does an employee have?"],
];

#[tokio::test]
async fn on_a_full_disk_the_library_is_read_while_there_is_a_little_room_and_says_when_not() {
    let (program, _, _) = with_a_text().await;
    let Some(disk) = Disk::mount(&program.path("disk")) else {
        return;
    };
    let folder = program.path("disk/data");
    let moved = Command::new("mv")
        .args([&program.path("data"), &folder])
        .status();
    assert!(moved.unwrap().success());

    disk.fill_but(4 << 10);
    check_reading(&program, &folder, (0, "")).await;
    disk.empty();
    disk.fill_but(0);
    let told = format!(
        "error: could not open {}/state, which takes a few MiB of room even where it is only \
         read: the disk is full; make room and try again; nothing that was added is lost\n",
        folder.display()
    );
    check_reading(&program, &folder, (1, &told)).await;
    disk.empty();
    check_reading(&program, &folder, (0, "")).await;
    let left = std::fs::read_dir(&folder).unwrap().flatten();
    let aside = left.filter(|entry| entry.path().display().to_string().contains("damaged"));
    assert_eq!(aside.count(), 0);
}

/// Reads in all ways, and expects this exit code and these words.
async fn check_reading(program: &Program, folder: &Path, (code, told): (i32, &str)) {
    for args in READING {
        let ran = program.command_on(folder, args).output().await.unwrap();
        let ran = Ran::from(ran);
        assert_eq!(ran.code, Some(code), "{args:?} {ran:?}");
        assert!(ran.stderr.starts_with(told), "{args:?} {ran:?}");
    }
}
