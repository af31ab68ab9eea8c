//! The real program in folders of its own, with an endpoint on loopback for its models.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::Value;
use tokio::process::{Child, Command};

use super::openai::{OpenAi, Turn};

/// One installation of saseo.
pub(crate) struct Program {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) endpoint: OpenAi,
}

/// What a run of the program left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Program {
    /// The model says what is on the list, then `Fine.`
    pub(crate) async fn new(turns: impl IntoIterator<Item = Turn>) -> Self {
        let program = Self {
            folder: tempfile::tempdir().unwrap(),
            endpoint: OpenAi::of_words(turns).await,
        };
        let url = &program.endpoint.endpoint.url;
        let manifest = format!(
            "[chat]\nname = \"tiny\"\nkind = \"openai\"\nurl = \"{url}\"\nmodel = \"tiny\"\n\
             context-window = 4096\nlanguages = [\"en\", \"ko\"]\n\n\
             [embedding]\nname = \"words\"\nkind = \"openai\"\nurl = \"{url}\"\n\
             model = \"words\"\ndimensions = 64\nwindow = 512\n\
             question-prefix = \"\"\npassage-prefix = \"\"\n"
        );
        std::fs::write(program.path("models.toml"), manifest).unwrap();
        program.settings("");
        program
    }

    /// Settings beside the manifest's name.
    pub(crate) fn settings(&self, more: &str) {
        let manifest = self.path("models.toml");
        let text = format!(
            "[librarian]\nmanifest = {:?}\n{more}",
            manifest.display().to_string()
        );
        std::fs::write(self.path("saseo.toml"), text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file below the folder and gives back where it is.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.command_on(&self.path("data"), args)
    }

    /// With another data folder, seen from the installation's own.
    pub(crate) fn command_on(&self, folder: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_saseo"));
        command
            .env_clear()
            .env("HOME", self.folder.path())
            .env("PATH", std::env::var_os("PATH").unwrap())
            .arg("--settings")
            .arg(self.path("saseo.toml"))
            .arg("--data")
            .arg(folder)
            .args(args)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs with `input` on standard input, where no file may grow beyond `kib`: what a full disk
    /// looks like to a process.
    pub(crate) async fn run_on_a_small_disk(
        &self,
        kib: u64,
        args: &[&str],
        input: &str,
    ) -> Ran {
        let file = self.write("stdin", input);
        let plain = self.command(args);
        let mut shell = Command::new("bash");
        shell
            .env_clear()
            .envs(plain.as_std().get_envs().filter_map(|(k, v)| Some((k, v?))))
            .arg("-c")
            .arg(format!("ulimit -f {kib}; exec \"$@\""))
            .arg("bash")
            .arg(plain.as_std().get_program())
            .args(plain.as_std().get_args())
            .stdin(std::fs::File::open(file).unwrap());
        Ran::from(shell.output().await.unwrap())
    }

    pub(crate) async fn run(&self, args: &[&str]) -> Ran {
        Ran::from(self.command(args).output().await.unwrap())
    }

    /// Runs with `input` on standard input.
    pub(crate) async fn run_with(&self, args: &[&str], input: impl AsRef<[u8]>) -> Ran {
        let file = self.write("stdin", input);
        let stdin = std::fs::File::open(file).unwrap();
        Ran::from(self.command(args).stdin(stdin).output().await.unwrap())
    }

    pub(crate) fn start(&self, args: &[&str]) -> Child {
        self.command(args).spawn().unwrap()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// The JSON objects it printed, one a line.
    #[track_caller]
    pub(crate) fn objects(&self) -> Vec<Value> {
        let read = |line: &str| serde_json::from_str(line).expect(line);
        self.stdout.lines().map(read).collect()
    }

    /// The one JSON object it printed.
    #[track_caller]
    pub(crate) fn object(&self) -> Value {
        let mut objects = self.objects();
        assert_eq!(objects.len(), 1, "{self:?}");
        objects.remove(0)
    }
}
