//! The books: every text once, under the name of its own digest.
//!
//! A file is never changed, so a reader needs no lock and a half-written text has no name yet.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::disk;
use super::failure::Trouble;
use crate::domain::document::Digest;

const LEVEL: i32 = 3;
/// Where texts are written before they get their place.
const WRITING: &str = "writing";
const ENDING: &str = ".zst";

/// The folder of texts.
#[derive(Clone, Debug)]
pub(super) struct Documents {
    root: PathBuf,
}

impl Documents {
    /// Opens the folder and throws away what an earlier process did not finish writing.
    pub(super) fn open(root: PathBuf) -> Result<Self, Trouble> {
        let writing = root.join(WRITING);
        if writing.exists() {
            fs::remove_dir_all(&writing).map_err(Trouble::file("clear", &writing))?;
        }
        disk::make_folder(&writing)?;
        disk::sync_folder(&root)?;
        Ok(Self { root })
    }

    /// Where the text of `digest` stands.
    pub(super) fn path(&self, digest: Digest) -> PathBuf {
        let name = digest.to_string();
        let first = name.get(..2).unwrap_or_default();
        self.root.join(first).join(format!("{name}{ENDING}"))
    }

    /// Puts `texts` on the shelf, durable when this returns. A text that already stands there
    /// is left alone, unless its file is damaged.
    pub(super) fn put(&self, texts: &[&str]) -> Result<(), Trouble> {
        let mut touched = BTreeSet::new();
        for text in texts {
            let digest = Digest::of(text.as_bytes());
            if !self.is_lost(digest) {
                continue;
            }
            let path = self.path(digest);
            let packed = zstd::encode_all(text.as_bytes(), LEVEL)
                .map_err(Trouble::file("compress", &path))?;
            touched.extend(self.place(&path, &packed)?);
        }
        touched
            .iter()
            .try_for_each(|folder| disk::sync_folder(folder))
    }

    /// A folder for one accession, beside the shelves. It goes with its last owner, or at the
    /// next opening when that one was killed.
    pub(super) fn cart(&self) -> Result<TempDir, Trouble> {
        let writing = self.root.join(WRITING);
        tempfile::Builder::new()
            .prefix("accession-")
            .tempdir_in(&writing)
            .map_err(Trouble::file("make a folder in", &writing))
    }

    /// Writes `text` down on `cart`, unless it stands on the shelf already and is sound.
    pub(super) fn write_down(&self, cart: &Path, text: &str) -> Result<(), Trouble> {
        let digest = Digest::of(text.as_bytes());
        let path = on_cart(cart, digest);
        if path.exists() || self.read(digest).is_ok() {
            return Ok(());
        }
        let packed = zstd::encode_all(text.as_bytes(), LEVEL)
            .map_err(Trouble::file("compress", &path))?;
        disk::write_whole(cart, &path, &packed)
    }

    /// Moves these texts from `cart` to the shelf, durable when this returns. Those that stood
    /// there when they were written down must still be there.
    pub(super) fn shelve(&self, cart: &Path, texts: &BTreeSet<Digest>) -> Result<(), Trouble> {
        let mut touched = BTreeSet::from([self.root.clone()]);
        for digest in texts {
            let (from, to) = (on_cart(cart, *digest), self.path(*digest));
            let folder = to.parent().unwrap_or(&self.root).to_owned();
            if from.exists() {
                disk::make_folder(&folder)?;
                fs::rename(&from, &to).map_err(Trouble::file("put in place", &to))?;
            } else if !to.exists() {
                return Err(Trouble::Text {
                    digest: *digest,
                    path: to,
                });
            }
            // Also where it stood already: who put it there may have been killed before this.
            touched.insert(folder);
        }
        touched
            .iter()
            .try_for_each(|folder| disk::sync_folder(folder))
    }

    /// Puts an already compressed text in its place and gives back the folders to sync.
    fn place(&self, path: &Path, packed: &[u8]) -> Result<Vec<PathBuf>, Trouble> {
        let folder = path.parent().unwrap_or(&self.root).to_owned();
        disk::make_folder(&folder)?;
        disk::write_whole(&self.root.join(WRITING), path, packed)?;
        Ok(vec![folder, self.root.clone()])
    }

    /// The text of `digest`, checked against it.
    pub(super) fn read(&self, digest: Digest) -> Result<String, Trouble> {
        let path = self.path(digest);
        let damaged = || Trouble::Text {
            digest,
            path: path.clone(),
        };
        let packed = fs::File::open(&path).map_err(|_| damaged())?;
        let bytes = zstd::decode_all(packed).map_err(|_| damaged())?;
        if Digest::of(&bytes) != digest {
            return Err(damaged());
        }
        String::from_utf8(bytes).map_err(|_| damaged())
    }

    /// Whether the text of `digest` cannot be read.
    pub(super) fn is_lost(&self, digest: Digest) -> bool {
        self.read(digest).is_err()
    }

    /// Removes the text of `digest` for good.
    pub(super) fn forget(&self, digest: Digest) -> Result<(), Trouble> {
        let path = self.path(digest);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Trouble::file("remove", &path)(error))
            },
            _ => disk::sync_folder(path.parent().unwrap_or(&self.root)),
        }
    }

    /// The digests of all files, in order.
    pub(super) fn all(&self) -> Result<BTreeSet<Digest>, Trouble> {
        let mut found = BTreeSet::new();
        for shelf in entries(&self.root)? {
            if shelf.is_dir() && shelf.file_name().is_some_and(|name| name != WRITING) {
                found.extend(entries(&shelf)?.iter().filter_map(|path| named(path)));
            }
        }
        Ok(found)
    }

    /// The size of all files in bytes.
    pub(super) fn size(&self) -> u64 {
        disk::size(&self.root)
    }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Trouble> {
    fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .map_err(Trouble::file("list", folder))
}

fn on_cart(cart: &Path, digest: Digest) -> PathBuf {
    cart.join(format!("{digest}{ENDING}"))
}

fn named(path: &Path) -> Option<Digest> {
    let name = path.file_name()?.to_str()?.strip_suffix(ENDING)?;
    Digest::parse(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents() -> (TempDir, Documents) {
        let folder = tempfile::tempdir().unwrap();
        let documents = Documents::open(folder.path().join("documents")).unwrap();
        (folder, documents)
    }

    #[test]
    fn a_text_stands_under_its_digest_and_comes_back() {
        let (_folder, documents) = documents();
        documents.put(&["연차는 15일이다.", ""]).unwrap();
        for text in ["연차는 15일이다.", ""] {
            let digest = Digest::of(text.as_bytes());
            assert_eq!(documents.read(digest).unwrap(), text);
            assert!(documents.all().unwrap().contains(&digest));
        }
    }

    #[test]
    fn a_damaged_text_is_refused_and_mended_by_adding_it_again() {
        let (_folder, documents) = documents();
        documents.put(&["a text"]).unwrap();
        let digest = Digest::of(b"a text");
        fs::write(documents.path(digest), b"another").unwrap();
        let refusal = documents.read(digest).unwrap_err().to_string();
        assert!(refusal.contains("missing or damaged"), "{refusal}");
        documents.put(&["a text"]).unwrap();
        assert_eq!(documents.read(digest).unwrap(), "a text");
    }

    #[test]
    fn a_text_goes_by_cart_unless_it_stands_there_and_is_missed_when_it_is_gone() {
        let (_folder, documents) = documents();
        documents.put(&["old"]).unwrap();
        let cart = documents.cart().unwrap();
        for text in ["old", "new", "new"] {
            documents.write_down(cart.path(), text).unwrap();
        }
        let (old, new) = (Digest::of(b"old"), Digest::of(b"new"));
        assert_eq!(documents.all().unwrap(), BTreeSet::from([old]));
        assert_eq!(entries(cart.path()).unwrap().len(), 1);
        let both = BTreeSet::from([old, new]);
        documents.shelve(cart.path(), &both).unwrap();
        assert_eq!(documents.read(new).unwrap(), "new");
        documents.forget(old).unwrap();
        let refusal = documents.shelve(cart.path(), &both).unwrap_err();
        assert!(matches!(refusal, Trouble::Text { digest, .. } if digest == old));
    }

    #[test]
    fn what_was_not_finished_is_cleared_at_the_next_opening() {
        let (folder, documents) = documents();
        let left = documents.root.join(WRITING).join(".writing-abc");
        fs::write(&left, b"half a te").unwrap();
        Documents::open(folder.path().join("documents")).unwrap();
        assert!(!left.exists());
        assert!(documents.all().unwrap().is_empty());
    }
}
