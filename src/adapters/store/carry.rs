//! Carries a library in one file: register, texts, and vectors so that nothing is embedded
//! again.
//!
//! What comes in is believed only after the chain and every digest were checked, and the
//! register is put in its place last: until then the data folder has no library.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::catalogue::Catalogue;
use super::failure::Trouble;
use super::register::{self, Register};
use super::snapshot::{Snapshot, is_forgotten};
use super::{Core, Stacks, Writer, blocking, compact, disk, rows};
use crate::domain::document::{Card, Digest};
use crate::domain::embedding::Fingerprint;
use crate::domain::revision::Revision;

const ABOUT: &str = "saseo-library.json";
const TEXTS: &str = "texts/";
const VECTORS: &str = "vectors";
const FORMAT: u32 = 1;
/// No register, and no list of vectors, is read whole beyond this.
const LONGEST: u64 = 1 << 32;

/// What the file says of itself.
#[derive(Debug, Serialize, Deserialize)]
struct About {
    format: u32,
    oldest: u64,
    fingerprint: Option<Fingerprint>,
}

impl Stacks {
    /// Writes the library to one file at `path`. Receipts stay at home.
    pub async fn export(&self, path: &Path) -> Result<(), Trouble> {
        let writer = Arc::clone(&self.writer).lock_owned().await;
        let (core, path) = (Arc::clone(&self.core), path.to_owned());
        blocking(move || {
            let done = export(&core, &path);
            drop(writer);
            done
        })
        .await
    }

    /// Fills this library, which must be empty, from a file that [`Stacks::export`] wrote.
    /// Afterwards the index is behind, and `catch_up` brings it up. Gives back what a person
    /// should know, in sentences.
    pub async fn import(&self, path: &Path) -> Result<Vec<String>, Trouble> {
        let mut writer = Arc::clone(&self.writer).lock_owned().await;
        let (core, path) = (Arc::clone(&self.core), path.to_owned());
        blocking(move || import(&core, &mut writer, &path)).await
    }
}

fn export(core: &Core, path: &Path) -> Result<(), Trouble> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let wrong = || Trouble::file("write", path);
    let file = tempfile::Builder::new()
        .prefix(".saseo-export-")
        .tempfile_in(folder)
        .map_err(wrong())?;
    let mut zip = ZipWriter::new(BufWriter::new(file));
    fill(core, &mut zip, path)?;
    let file = zip.finish().map_err(|error| wrong()(error.into()))?;
    let file = file
        .into_inner()
        .map_err(std::io::IntoInnerError::into_error)
        .map_err(wrong())?;
    file.as_file().sync_all().map_err(wrong())?;
    file.persist(path)
        .map_err(|error| error.error)
        .map_err(wrong())?;
    disk::sync_folder(folder)
}

fn fill<W: Write + Seek>(
    core: &Core,
    zip: &mut ZipWriter<W>,
    path: &Path,
) -> Result<(), Trouble> {
    let now = core.now();
    // It would take the place of an export that has what is lost.
    now.intact()?;
    let about = About {
        format: FORMAT,
        oldest: now.oldest.0,
        fingerprint: now.index.fingerprint()?,
    };
    let wrong = || Trouble::file("write", path);
    let about = serde_json::to_vec_pretty(&about)
        .map_err(std::io::Error::from)
        .map_err(wrong())?;
    begin(zip, ABOUT, path)?;
    zip.write_all(&about).map_err(wrong())?;
    begin(zip, Register::NAME, path)?;
    let register = core.folder.join(Register::NAME);
    if register.exists() {
        copy(&register, zip)?;
    }
    for digest in compact::needed(&now.catalogue, now.oldest) {
        core.documents.read(digest)?;
        begin(zip, &format!("{TEXTS}{digest}"), path)?;
        copy(&core.documents.path(digest), zip)?;
    }
    begin(zip, VECTORS, path)?;
    for vector in now.index.vectors() {
        let (key, row) = vector?;
        let length = u32::try_from(row.len()).map_err(|_| Trouble::Oversized)?;
        let record = [key.as_ref(), &length.to_le_bytes(), &row].concat();
        zip.write_all(&record).map_err(wrong())?;
    }
    Ok(())
}

fn begin<W: Write + Seek>(
    zip: &mut ZipWriter<W>,
    name: &str,
    path: &Path,
) -> Result<(), Trouble> {
    // Texts are compressed already, and vectors are noise to a compressor.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .large_file(true);
    zip.start_file(name, options)
        .map_err(|error| Trouble::file("write", path)(error.into()))
}

fn copy(from: &Path, to: &mut impl Write) -> Result<(), Trouble> {
    let mut file = File::open(from).map_err(Trouble::file("read", from))?;
    std::io::copy(&mut file, to).map_err(Trouble::file("copy", from))?;
    Ok(())
}

fn unzipped(path: &Path, error: ZipError) -> Trouble {
    if let ZipError::Io(error) = error {
        return Trouble::file("read", path)(error);
    }
    not_an_export(path, "it is something else, or damaged")
}

fn not_an_export(path: &Path, why: &str) -> Trouble {
    Trouble::NotAnExport {
        path: path.to_owned(),
        why: why.to_owned(),
    }
}

/// An export that is being read.
struct Parcel<'a> {
    path: &'a Path,
    zip: ZipArchive<BufReader<File>>,
}

fn import(core: &Core, writer: &mut Writer, path: &Path) -> Result<Vec<String>, Trouble> {
    core.now().intact()?;
    let revisions = core.now().revision.0;
    if revisions > 0 {
        return Err(Trouble::NotEmpty(revisions));
    }
    if path.is_dir() {
        return Err(not_an_export(path, "it is a folder"));
    }
    disk::Room::of(&core.folder)?.gate()?;
    let file = File::open(path).map_err(Trouble::file("read", path))?;
    let zip = ZipArchive::new(BufReader::new(file)).map_err(|error| unzipped(path, error))?;
    let mut parcel = Parcel { path, zip };
    let about = parcel.about()?;
    let register = parcel.bytes(Register::NAME, LONGEST)?;
    let lines = register::check_whole(path, &register)?;
    let (catalogue, _) = Catalogue::of(&lines.entries);
    let oldest = Revision(about.oldest.min(lines.head().revision.0));
    parcel.texts(core, &catalogue, oldest)?;
    parcel.vectors(core, about.fingerprint.as_ref())?;
    compact::set_oldest(&core.folder, oldest)?;
    disk::write_durably(&core.folder.join(Register::NAME), &register)?;
    open_again(core, writer)
}

/// Takes up what now lies on disk; the rows are for `catch_up` to make.
fn open_again(core: &Core, writer: &mut Writer) -> Result<Vec<String>, Trouble> {
    let (register, lines, torn) = Register::open(&core.folder)?;
    let (catalogue, places) = Catalogue::of(&lines.entries);
    let mut next = Snapshot::clone(&core.now());
    next.revision = lines.head().revision;
    next.oldest = compact::oldest(&core.folder, next.revision)?;
    next.catalogue = catalogue;
    next.miss_all();
    core.swap(next);
    *writer = Writer { register, places };
    Ok(torn.map(|torn| torn.told(None)).into_iter().collect())
}

impl Parcel<'_> {
    fn about(&mut self) -> Result<About, Trouble> {
        let bytes = self.bytes(ABOUT, 1 << 16)?;
        let about: About = serde_json::from_slice(&bytes)
            .map_err(|error| not_an_export(self.path, &error.to_string()))?;
        if about.format == FORMAT {
            Ok(about)
        } else {
            Err(not_an_export(self.path, "another saseo wrote it"))
        }
    }

    /// The file `name` in the parcel, which may not be longer than `longest`.
    fn bytes(&mut self, name: &str, longest: u64) -> Result<Vec<u8>, Trouble> {
        let path = self.path;
        let file = self
            .zip
            .by_name(name)
            .map_err(|_| not_an_export(path, &format!("it has no {name}")))?;
        let mut bytes = Vec::new();
        file.take(longest.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(Trouble::file("read", path))?;
        if bytes.len() as u64 > longest {
            return Err(not_an_export(path, &format!("its {name} is too long")));
        }
        Ok(bytes)
    }

    /// Puts the texts on the shelf that the register speaks of, each checked first.
    fn texts(
        &mut self,
        core: &Core,
        catalogue: &Catalogue,
        oldest: Revision,
    ) -> Result<(), Trouble> {
        let mut done = BTreeSet::<Digest>::new();
        for (_, holding) in catalogue.numbered() {
            let kept = !is_forgotten(holding, oldest);
            if kept && done.insert(holding.card.text) {
                let text = self.text(&holding.card)?;
                core.documents.put(&[&text])?;
            }
        }
        Ok(())
    }

    fn text(&mut self, card: &Card) -> Result<String, Trouble> {
        let wrong = format!("the text {} is damaged", card.text);
        // Compressed text is hardly ever longer than the text, and then by little.
        let longest = card
            .bytes
            .saturating_add(card.bytes / 8)
            .saturating_add(1024);
        let packed = self.bytes(&format!("{TEXTS}{}", card.text), longest)?;
        let mut bytes = Vec::new();
        zstd::Decoder::new(packed.as_slice())
            .and_then(|decoder| decoder.take(card.bytes + 1).read_to_end(&mut bytes))
            .map_err(|_| not_an_export(self.path, &wrong))?;
        let text = String::from_utf8(bytes).ok();
        text.filter(|text| Digest::of(text.as_bytes()) == card.text)
            .ok_or_else(|| not_an_export(self.path, &wrong))
    }

    /// Keeps the vectors, when they are our embedder's; others would only lie there.
    fn vectors(&mut self, core: &Core, made_by: Option<&Fingerprint>) -> Result<(), Trouble> {
        if made_by.is_none() || made_by != core.fingerprint.as_ref() {
            return Ok(());
        }
        let path = self.path;
        let file = self
            .zip
            .by_name(VECTORS)
            .map_err(|error| unzipped(path, error))?;
        let mut file = BufReader::new(file);
        let index = &core.now().index;
        while let Some((key, row)) = record(&mut file).map_err(Trouble::file("read", path))? {
            if rows::read_vector(&row).is_none() {
                return Err(not_an_export(path, "a vector is damaged"));
            }
            index.adopt(&key, &row)?;
        }
        index.flush()
    }
}

/// The next key and row; `None` at the end.
fn record(file: &mut impl Read) -> std::io::Result<Option<([u8; 32], Vec<u8>)>> {
    let mut key = [0; 32];
    let mut first = [0; 1];
    if file.read(&mut first)? == 0 {
        return Ok(None);
    }
    let [head, rest @ ..] = &mut key;
    *head = first[0];
    file.read_exact(rest)?;
    let mut length = [0; 4];
    file.read_exact(&mut length)?;
    let length = u64::from(u32::from_le_bytes(length));
    let mut row = Vec::new();
    file.take(length).read_to_end(&mut row)?;
    Ok(Some((key, row)))
}
