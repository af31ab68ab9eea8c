//! Files and folders.
//!
//! A file's place is the name of the folder that was added and the path below it,
//! `handbook/rules/vacation.md`: the same from wherever the folder is added again, on whatever
//! machine, and fit to be shown to people, which an absolute path is not. Two folders of one
//! name therefore need two collections, or a name given to one of them. Bytes of a name that are
//! not UTF-8 are written as in a URL.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use unicode_normalization::UnicodeNormalization as _;

use super::{Fetched, Unfetched};

/// The files of a folder, sorted by place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    pub files: Vec<Place>,
    /// What was left out, and why.
    pub skipped: Vec<Skipped>,
}

/// A file and its place on the shelf.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub uri: String,
    pub path: PathBuf,
}

/// Something in a folder that is not read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skipped {
    pub uri: String,
    pub why: Skipping,
}

/// Why something in a folder is not read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Skipping {
    #[error("its name begins with a dot")]
    Hidden,
    #[error("programs made it, nobody wrote it")]
    Made,
    #[error("saseo does not read files of this kind")]
    Kind,
    #[error("it is a link to a folder, or out of this one")]
    Link,
    #[error("it is no file")]
    NoFile,
    #[error("the folders are nested too deeply")]
    Depth,
    #[error("it could not be read: {0}")]
    Unreadable(String),
}

/// Folders and files that build tools make, in folders that are added whole.
const MADE: [&str; 9] = [
    "node_modules",
    "target",
    "__pycache__",
    "venv",
    "bower_components",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "pnpm-lock.yaml",
    "composer.lock",
];

const DEEPEST: usize = 64;

/// The files below `root` whose names `reads` accepts, or `root` itself if it is a file: what
/// is named outright is always tried. `called` is used instead of the folder's own name.
///
/// Ignore files are not heeded: who adds a folder means what is in it, and a document that is
/// left out in silence is looked for long.
pub fn list(
    root: &Path,
    called: Option<&str>,
    reads: &dyn Fn(&str) -> bool,
) -> Result<Listing, Unfetched> {
    let path = fs::canonicalize(root).map_err(unread)?;
    let folder = if path.is_dir() {
        Some(path.as_path())
    } else {
        path.parent()
    };
    let name = called.map_or_else(|| name(folder.unwrap_or(&path)), str::to_owned);
    if !path.is_dir() {
        let own = self::name(&path);
        return Ok(Listing {
            files: vec![Place {
                uri: joined(&name, &own),
                path,
            }],
            skipped: Vec::new(),
        });
    }
    let mut walk = Walk {
        root: path.clone(),
        reads,
        listing: Listing::default(),
        folders: Vec::new(),
    };
    // What cannot even be opened is a failure, not an empty folder.
    fs::read_dir(&path).map_err(unread)?;
    walk.folders.push((name, path, 0));
    while let Some((uri, path, depth)) = walk.folders.pop() {
        walk.enter(&uri, &path, depth);
    }
    walk.listing.files.sort();
    walk.listing.skipped.sort();
    Ok(walk.listing)
}

struct Walk<'a> {
    root: PathBuf,
    reads: &'a dyn Fn(&str) -> bool,
    listing: Listing,
    /// Folders still to be entered, with their places and depths.
    folders: Vec<(String, PathBuf, usize)>,
}

impl Walk<'_> {
    fn enter(&mut self, uri: &str, path: &Path, depth: usize) {
        if depth > DEEPEST {
            return self.skip(uri.to_owned(), Skipping::Depth);
        }
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) => return self.skip(uri.to_owned(), unreadable(&error)),
        };
        for entry in entries {
            let found = entry.map(|entry| entry.path());
            let (uri, met) = match found {
                Ok(path) => {
                    let uri = joined(uri, &name(&path));
                    let met = self.meet(&uri, path, depth);
                    (uri, met)
                },
                Err(error) => (uri.to_owned(), Err(unreadable(&error))),
            };
            if let Err(why) = met {
                self.skip(uri, why);
            }
        }
    }

    fn meet(&mut self, uri: &str, path: PathBuf, depth: usize) -> Result<(), Skipping> {
        let own = name(&path);
        if own.starts_with('.') {
            return Err(Skipping::Hidden);
        }
        if MADE.contains(&own.as_str()) {
            return Err(Skipping::Made);
        }
        let mut kind = fs::symlink_metadata(&path).map_err(|error| unreadable(&error))?;
        if kind.is_symlink() {
            kind = self.linked(&path)?;
        }
        if kind.is_dir() {
            self.folders.push((uri.to_owned(), path, depth + 1));
            return Ok(());
        }
        if !kind.is_file() {
            return Err(Skipping::NoFile);
        }
        if !(self.reads)(&own) {
            return Err(Skipping::Kind);
        }
        let uri = uri.to_owned();
        self.listing.files.push(Place { uri, path });
        Ok(())
    }

    /// What a link leads to, if it is a file in this very folder: mounted settings are links,
    /// and a link that leads out could show anything on the machine.
    fn linked(&self, path: &Path) -> Result<Metadata, Skipping> {
        let target = fs::canonicalize(path).map_err(|error| unreadable(&error))?;
        let kind = fs::metadata(&target).map_err(|error| unreadable(&error))?;
        if kind.is_file() && target.starts_with(&self.root) {
            Ok(kind)
        } else {
            Err(Skipping::Link)
        }
    }

    fn skip(&mut self, uri: String, why: Skipping) {
        self.listing.skipped.push(Skipped { uri, why });
    }
}

impl Place {
    /// Reads the file, if it is no longer than `longest`.
    pub fn read(&self, longest: usize) -> Result<Fetched, Unfetched> {
        let said = fs::metadata(&self.path).map_err(unread)?;
        // Opening a pipe would wait for somebody to write into it.
        if !said.is_file() {
            return Err(Unfetched::NotText {
                kind: "no file".to_owned(),
            });
        }
        let file = File::open(&self.path).map_err(unread)?;
        let mut bytes = Vec::new();
        // It may grow while it is read, or say that it is empty and never end.
        file.take(longest as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(unread)?;
        if bytes.len() > longest {
            return Err(Unfetched::TooLarge { longest });
        }
        Ok(Fetched {
            uri: self.uri.clone(),
            origin: origin(&self.path),
            name: self.uri.clone(),
            content_type: None,
            modified: said.modified().ok().map(DateTime::<Utc>::from),
            bytes,
        })
    }
}

/// The last part of a path, composed: some systems take Hangul apart in file names.
fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_str()
        .map_or_else(|| percent_encoded(name), |name| name.nfc().collect())
}

/// The whole path; as a URL where it is no text, which no path begins like.
fn origin(path: &Path) -> String {
    path.to_str().map_or_else(
        || format!("file://{}", percent_encoded(path.as_os_str())),
        str::to_owned,
    )
}

/// A name that is not UTF-8, with its odd bytes as `%FF`. What would stand for one of them is
/// written so too: two names never become one.
fn percent_encoded(name: &OsStr) -> String {
    let mut encoded = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        encoded.push_str(&chunk.valid().replace('%', "%25"));
        encoded.extend(chunk.invalid().iter().map(|byte| format!("%{byte:02X}")));
    }
    encoded
}

fn joined(folder: &str, name: &str) -> String {
    let folder = folder.trim_end_matches('/');
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

fn unread(error: io::Error) -> Unfetched {
    if error.kind() == io::ErrorKind::NotFound {
        Unfetched::Gone
    } else if error.kind() == io::ErrorKind::PermissionDenied {
        Unfetched::Denied
    } else {
        Unfetched::Unreadable(error)
    }
}

fn unreadable(error: &io::Error) -> Skipping {
    Skipping::Unreadable(error.kind().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(name: &str) -> bool {
        name.strip_suffix(".md").is_some()
    }

    /// A folder called `docs` with these files in it.
    fn docs(files: &[&str]) -> (tempfile::TempDir, PathBuf) {
        let home = tempfile::tempdir().expect("a folder");
        let docs = home.path().join("docs");
        fs::create_dir(&docs).expect("a folder");
        for file in files {
            let path = docs.join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, *file).expect("a file");
        }
        (home, docs)
    }

    fn places(listing: &Listing) -> Vec<&str> {
        listing
            .files
            .iter()
            .map(|place| place.uri.as_str())
            .collect()
    }

    fn skipped(listing: &Listing) -> Vec<String> {
        listing
            .skipped
            .iter()
            .map(|left| format!("{}: {}", left.uri, left.why))
            .collect()
    }

    #[test]
    fn a_folder_gives_the_same_places_from_wherever_it_is_added() {
        let (_home, docs) = docs(&["b.md", "a/z.md", "a/b.md", "a.md"]);
        let expected = ["docs/a.md", "docs/a/b.md", "docs/a/z.md", "docs/b.md"];
        for way in [docs.clone(), docs.join("a/.."), docs.join(".")] {
            assert_eq!(
                places(&list(&way, None, &reads).expect("a listing")),
                expected
            );
        }
        let called = list(&docs, Some("handbook"), &reads).expect("a listing");
        assert_eq!(places(&called)[0], "handbook/a.md");
    }

    #[test]
    fn a_single_file_is_read_whatever_its_name() {
        let (_home, docs) = docs(&["notes.xyz"]);
        let listing = list(&docs.join("notes.xyz"), None, &reads).expect("a listing");
        assert_eq!(places(&listing), ["docs/notes.xyz"]);
        let fetched = listing.files[0].read(99).expect("a file");
        assert_eq!(fetched.bytes, b"notes.xyz");
        assert!(fetched.modified.is_some());
    }

    #[test]
    fn what_is_left_out_is_named_with_its_reason() {
        let (_home, docs) = docs(&[
            "a.md",
            ".git/config",
            ".hidden.md",
            "node_modules/x.md",
            "photo.png",
        ]);
        let listing = list(&docs, None, &reads).expect("a listing");
        assert_eq!(places(&listing), ["docs/a.md"]);
        assert_eq!(
            skipped(&listing),
            [
                "docs/.git: its name begins with a dot",
                "docs/.hidden.md: its name begins with a dot",
                "docs/node_modules: programs made it, nobody wrote it",
                "docs/photo.png: saseo does not read files of this kind",
            ]
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_that_lead_out_or_around_are_not_followed() {
        use std::os::unix::fs::symlink;
        let (home, docs) = docs(&["a.md", ".data/b.md"]);
        fs::write(home.path().join("secret.md"), "secret").expect("a file");
        symlink(home.path().join("secret.md"), docs.join("out.md")).expect("a link");
        symlink(&docs, docs.join("around")).expect("a link");
        symlink(docs.join("nowhere"), docs.join("broken.md")).expect("a link");
        symlink(docs.join(".data/b.md"), docs.join("b.md")).expect("a link");
        let listing = list(&docs, None, &reads).expect("a listing");
        assert_eq!(places(&listing), ["docs/a.md", "docs/b.md"]);
        assert_eq!(skipped(&listing).len(), 4);
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_not_utf_8_stay_apart() {
        use std::os::unix::ffi::OsStrExt as _;
        let (_home, docs) = docs(&["a%FF.md", "b%25%FF.md"]);
        for name in [
            &b"a\xff.md"[..],
            b"a\xfe.md",
            b"b%\xff.md",
            b"\xc3\x28/c.md",
        ] {
            let path = docs.join(OsStr::from_bytes(name));
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, name).expect("a file");
        }
        let listing = list(&docs, None, &reads).expect("a listing");
        assert_eq!(
            places(&listing),
            [
                "docs/%C3(/c.md",
                "docs/a%FE.md",
                "docs/a%FF.md",
                "docs/a%FF.md",
                "docs/b%25%FF.md",
                "docs/b%25%FF.md"
            ]
        );
        let origin = |place: &Place| place.read(99).expect("a file").origin;
        let origins: std::collections::BTreeSet<_> = listing.files.iter().map(origin).collect();
        assert_eq!(origins.len(), 6, "{origins:?}");
    }

    #[test]
    fn a_file_that_vanished_or_grew_is_told_in_a_sentence() {
        let (_home, docs) = docs(&["a.md", "b.md"]);
        let listing = list(&docs, None, &reads).expect("a listing");
        fs::remove_file(docs.join("a.md")).expect("removed");
        let told =
            |at: usize, longest| listing.files[at].read(longest).expect_err("no").to_string();
        assert_eq!(told(0, 99), "there is nothing at this place");
        assert_eq!(told(1, 3), "it is larger than 3 bytes");
        assert!(matches!(
            list(&docs.join("nowhere"), None, &reads),
            Err(Unfetched::Gone)
        ));
    }
}
