//! The register on disk: one line per revision, each naming the digest of the line before.
//!
//! The register is the truth. A line is a revision once it is synced; before, it may be torn by
//! a crash, and a torn last line is set aside and not believed. A line that does not follow
//! from the one before was altered, and is never passed over in silence.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::disk;
use super::failure::Trouble;
use crate::domain::document::Digest;
use crate::domain::figures::Bytes;
use crate::domain::revision::{Damage, Entry, Revision};

/// Where the register stands; what is needed to write the next line.
#[derive(Debug)]
pub(super) struct Register {
    path: PathBuf,
    /// Length of the file up to the last whole line.
    length: u64,
    head: Head,
    state: State,
}

/// The last line: its revision and its digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) revision: Revision,
    pub(super) digest: Digest,
}

impl Head {
    const EMPTY: [u8; 32] = [0; 32];

    fn empty() -> Self {
        Self {
            revision: Revision(0),
            digest: Digest::from(Self::EMPTY),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Sound,
    /// A failed write could not be taken back; only a new start may look at the file again.
    Stuck,
}

/// What reading the register gave.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) entries: Vec<Entry>,
    /// The digest of each line, in order.
    pub(super) digests: Vec<Digest>,
    /// Length of the whole lines in bytes.
    whole: usize,
}

impl Lines {
    pub(super) fn head(&self) -> Head {
        match (self.entries.last(), self.digests.last()) {
            (Some(entry), Some(digest)) => Head {
                revision: entry.revision,
                digest: *digest,
            },
            _ => Head::empty(),
        }
    }
}

/// A last line that is not whole, and was set aside.
#[derive(Debug)]
pub(super) struct Torn {
    bytes: usize,
    /// The file it was moved to.
    name: String,
}

impl Torn {
    /// What a person should know of it. Where the index knows more than the register, the line
    /// was finished once.
    pub(super) fn told(self, damage: Option<Damage>) -> String {
        let Self { bytes, name } = self;
        let bytes = Bytes(bytes);
        match damage {
            Some(Damage::LinesLost { .. }) => format!(
                "the register was damaged: what is left of its last line ({bytes}) was moved \
                 to {name}"
            ),
            Some(Damage::LineChanged(_)) | None => format!(
                "the register ended in a line that was never finished ({bytes}); it was moved \
                 to {name}, and the change it spoke of has to be made again"
            ),
        }
    }
}

impl Register {
    pub(super) const NAME: &str = "register.jsonl";

    /// Reads the register in `folder`. A torn last line is moved to a file beside it.
    pub(super) fn open(folder: &Path) -> Result<(Self, Lines, Option<Torn>), Trouble> {
        let path = folder.join(Self::NAME);
        let bytes = bytes(&path)?;
        let lines = parse(&path, &bytes)?;
        let torn = bytes.get(lines.whole..).unwrap_or_default();
        let torn = if torn.is_empty() {
            None
        } else {
            Some(cut(&path, torn, lines.whole as u64)?)
        };
        let register = Self {
            length: lines.whole as u64,
            head: lines.head(),
            path,
            state: State::Sound,
        };
        Ok((register, lines, torn))
    }

    pub(super) fn head(&self) -> Head {
        self.head
    }

    /// Appends `entry`. When this returns the line is on the disk; when it fails the register
    /// is as it was.
    pub(super) fn append(&mut self, entry: &Entry) -> Result<(), Trouble> {
        if self.state == State::Stuck {
            return Err(Trouble::RegisterStuck);
        }
        let mut line = serde_json::to_vec(entry)
            .map_err(std::io::Error::from)
            .map_err(Trouble::file("write", &self.path))?;
        let digest = Digest::of(&line);
        line.push(b'\n');
        if let Err(error) = self.write(&line) {
            self.take_back();
            return Err(error);
        }
        self.length += line.len() as u64;
        self.head = Head {
            revision: entry.revision,
            digest,
        };
        Ok(())
    }

    fn write(&self, line: &[u8]) -> Result<(), Trouble> {
        let wrong = || Trouble::file("append to", &self.path);
        let created = !self.path.exists();
        let mut file = File::options()
            .append(true)
            .create(true)
            .open(&self.path)
            .map_err(wrong())?;
        file.write_all(line).map_err(wrong())?;
        file.sync_all().map_err(wrong())?;
        if created {
            disk::sync_folder(self.path.parent().unwrap_or(Path::new(".")))?;
        }
        Ok(())
    }

    fn take_back(&mut self) {
        let back = File::options()
            .write(true)
            .open(&self.path)
            .and_then(|file| {
                file.set_len(self.length)?;
                file.sync_all()
            });
        if back.is_err() {
            self.state = State::Stuck;
        }
    }
}

/// Reads the register at `folder` again, as it stands now, up to `newest`: a line that is being
/// written is not a revision yet.
pub(super) fn read(folder: &Path, newest: Revision) -> Result<Lines, Trouble> {
    let path = folder.join(Register::NAME);
    let mut lines = parse(&path, &bytes(&path)?)?;
    let known = usize::try_from(newest.0).unwrap_or(usize::MAX);
    lines.entries.truncate(known);
    lines.digests.truncate(known);
    Ok(lines)
}

/// Checks `bytes`, a register from elsewhere, which must be whole.
pub(super) fn check_whole(path: &Path, bytes: &[u8]) -> Result<Lines, Trouble> {
    let lines = parse(path, bytes)?;
    if lines.whole == bytes.len() {
        return Ok(lines);
    }
    Err(Trouble::Register {
        path: path.to_owned(),
        line: lines.entries.len() as u64 + 1,
        why: "it is not whole",
    })
}

fn bytes(path: &Path) -> Result<Vec<u8>, Trouble> {
    match fs::read(path) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Trouble::file("read", path)(error)),
    }
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Lines, Trouble> {
    let mut lines = Lines {
        entries: Vec::new(),
        digests: Vec::new(),
        whole: 0,
    };
    let mut rest = bytes;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let (line, after) = rest.split_at(end);
        rest = after.get(1..).unwrap_or_default();
        match follow(&lines.head(), line) {
            Ok(entry) => {
                lines.entries.push(entry);
                lines.digests.push(Digest::of(line));
                lines.whole += end + 1;
            },
            // A crash may leave anything at the very end, a line end included.
            Err(Unfit::Unreadable) if rest.is_empty() => break,
            Err(unfit) => {
                return Err(Trouble::Register {
                    path: path.to_owned(),
                    line: lines.entries.len() as u64 + 1,
                    why: unfit.why(),
                });
            },
        }
    }
    Ok(lines)
}

enum Unfit {
    Unreadable,
    Number,
    Chain,
}

impl Unfit {
    fn why(&self) -> &'static str {
        match self {
            Self::Unreadable => "it is not an entry",
            Self::Number => "it does not have the next revision",
            Self::Chain => "it does not follow from the line before, so that line was altered",
        }
    }
}

fn follow(before: &Head, line: &[u8]) -> Result<Entry, Unfit> {
    let entry: Entry = serde_json::from_slice(line).map_err(|_| Unfit::Unreadable)?;
    if entry.revision != before.revision.next() {
        return Err(Unfit::Number);
    }
    if entry.previous != before.digest {
        return Err(Unfit::Chain);
    }
    Ok(entry)
}

/// Moves the torn end of the register to a file beside it.
fn cut(path: &Path, torn: &[u8], whole: u64) -> Result<Torn, Trouble> {
    let digest = Digest::of(torn).to_string();
    let name = format!(
        "{}.torn-{}",
        Register::NAME,
        digest.get(..8).unwrap_or_default()
    );
    let aside = path.with_file_name(&name);
    disk::write_durably(&aside, torn)?;
    File::options()
        .write(true)
        .open(path)
        .and_then(|file| {
            file.set_len(whole)?;
            file.sync_all()
        })
        .map_err(Trouble::file("cut", path))?;
    Ok(Torn {
        bytes: torn.len(),
        name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::document::{CollectionName, Shelfmark};
    use crate::domain::revision::Change;

    fn entry(register: &Register) -> Entry {
        Entry {
            revision: register.head().revision.next(),
            at: chrono::DateTime::UNIX_EPOCH,
            by: "test".to_owned(),
            changes: vec![Change::Removed(Shelfmark {
                collection: CollectionName::default(),
                uri: "a.md".to_owned(),
            })],
            previous: register.head().digest,
        }
    }

    fn three_lines(folder: &Path) -> Vec<u8> {
        let (mut register, _, _) = Register::open(folder).unwrap();
        for _ in 0..3 {
            register.append(&entry(&register)).unwrap();
        }
        fs::read(folder.join(Register::NAME)).unwrap()
    }

    #[test]
    fn what_was_written_comes_back_and_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        three_lines(folder.path());
        let (mut register, lines, note) = Register::open(folder.path()).unwrap();
        assert_eq!((lines.entries.len(), note.is_none()), (3, true));
        register.append(&entry(&register)).unwrap();
        assert_eq!(register.head().revision, Revision(4));
    }

    #[test]
    fn any_torn_tail_is_set_aside_and_the_whole_lines_stay() {
        let folder = tempfile::tempdir().unwrap();
        let whole = three_lines(folder.path());
        let last = whole[..whole.len() - 1]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .unwrap()
            + 1;
        for cut_at in last + 1..whole.len() {
            let torn = tempfile::tempdir().unwrap();
            fs::write(torn.path().join(Register::NAME), &whole[..cut_at]).unwrap();
            let (register, lines, note) = Register::open(torn.path()).unwrap();
            assert_eq!(lines.entries.len(), 2, "cut at {cut_at}");
            assert_eq!(register.head().revision, Revision(2));
            let note = note.unwrap().told(None);
            let aside = note.split("moved to ").nth(1).unwrap();
            let aside = aside.split(',').next().unwrap();
            assert_eq!(
                fs::read(torn.path().join(aside)).unwrap(),
                whole[last..cut_at]
            );
            let (_, lines, note) = Register::open(torn.path()).unwrap();
            assert_eq!((lines.entries.len(), note.is_none()), (2, true));
        }
    }

    #[test]
    fn an_altered_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let whole = three_lines(folder.path());
        let altered = String::from_utf8(whole)
            .unwrap()
            .replacen("a.md", "b.md", 1);
        fs::write(folder.path().join(Register::NAME), altered).unwrap();
        let refusal = Register::open(folder.path()).unwrap_err().to_string();
        assert!(refusal.contains("line 2 of"), "{refusal}");
        assert!(refusal.contains("the line before"), "{refusal}");
    }

    #[test]
    fn a_full_disk_leaves_the_register_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let whole = three_lines(folder.path());
        let path = folder.path().join(Register::NAME);
        let (mut register, _, _) = Register::open(folder.path()).unwrap();
        fs::rename(&path, folder.path().join("aside")).unwrap();
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let refusal = register.append(&entry(&register)).unwrap_err();
        assert!(refusal.no_room(), "{refusal:?}");
        fs::remove_file(&path).unwrap();
        fs::rename(folder.path().join("aside"), &path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
}
