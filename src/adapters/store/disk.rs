//! Files that are there, whole, after the power comes back.
//!
//! A file is written beside its place, synced, renamed, and its folder synced: whoever finds it
//! finds all of it. Before anything is written the disk is asked for room, because sled opens
//! badly after it met a full one.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use super::failure::Trouble;

const MIB: u64 = 1024 * 1024;
/// Below this, or below a tenth of the disk where that is less, nothing is written.
const ENOUGH: u64 = 1024 * MIB;

/// What a disk has, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) free: u64,
    pub(super) total: u64,
}

impl Room {
    /// The room on the disk that holds `folder`.
    pub(super) fn of(folder: &Path) -> Result<Self, Trouble> {
        let stat = rustix::fs::statvfs(folder)
            .map_err(std::io::Error::from)
            .map_err(Trouble::file("measure the disk of", folder))?;
        Ok(Self {
            free: stat.f_bavail.saturating_mul(stat.f_frsize),
            total: stat.f_blocks.saturating_mul(stat.f_frsize),
        })
    }

    /// Refuses to begin writing on a disk that is nearly full.
    pub(super) fn gate(self) -> Result<(), Trouble> {
        let wanted = ENOUGH.min(self.total / 10);
        if self.free < wanted {
            return Err(self.refusal());
        }
        Ok(())
    }

    /// As [`Room::gate`], for what takes little room and is turned away last: what people say
    /// to the bot. What is left is for the answers to what is kept already.
    pub(super) fn gate_for_little(self) -> Result<(), Trouble> {
        /// Below this, or below a twentieth of the disk where that is less.
        const LITTLE: u64 = 16 * MIB;
        let wanted = LITTLE.min(self.total / 20);
        if self.free < wanted {
            return Err(Trouble::DiskFull {
                free: self.free / MIB,
                wanted: wanted.div_ceil(MIB),
            });
        }
        Ok(())
    }

    /// The refusal in words.
    pub(super) fn refusal(self) -> Trouble {
        Trouble::DiskFull {
            free: self.free / MIB,
            wanted: ENOUGH.min(self.total / 10) / MIB,
        }
    }
}

/// Makes `folder` and what is above it.
pub(super) fn make_folder(folder: &Path) -> Result<(), Trouble> {
    fs::create_dir_all(folder).map_err(Trouble::file("make the folder", folder))
}

/// Makes the names in `folder` durable.
pub(super) fn sync_folder(folder: &Path) -> Result<(), Trouble> {
    File::open(folder)
        .and_then(|opened| opened.sync_all())
        .map_err(Trouble::file("sync the folder", folder))
}

/// Writes `bytes` to `path`, by way of a file in `beside` on the same disk. The folder of
/// `path` is not synced yet, so that many files in it cost one sync.
pub(super) fn write_whole(beside: &Path, path: &Path, bytes: &[u8]) -> Result<(), Trouble> {
    let mut file = tempfile::Builder::new()
        .prefix(".writing-")
        .tempfile_in(beside)
        .map_err(Trouble::file("write in", beside))?;
    file.write_all(bytes)
        .and_then(|()| file.as_file().sync_all())
        .map_err(Trouble::file("write", path))?;
    file.persist(path)
        .map_err(|error| error.error)
        .map_err(Trouble::file("put in place", path))?;
    Ok(())
}

/// Writes `bytes` to `path`, durable when this returns.
pub(super) fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), Trouble> {
    let folder = path.parent().unwrap_or(Path::new("."));
    write_whole(folder, path, bytes)?;
    sync_folder(folder)
}

/// The size of everything under `path`, in bytes; what cannot be read counts nothing.
pub(super) fn size(path: &Path) -> u64 {
    let Ok(about) = fs::symlink_metadata(path) else {
        return 0;
    };
    if !about.is_dir() {
        return about.len();
    }
    let Ok(entries) = fs::read_dir(path) else {
        return 0;
    };
    entries.flatten().map(|entry| size(&entry.path())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(free: u64, total: u64, expected: Result<(), ()>) {
        let room = Room {
            free: free * MIB,
            total: total * MIB,
        };
        assert_eq!(room.gate().map_err(drop), expected, "{free} of {total} MiB");
    }

    #[test]
    fn a_nearly_full_disk_is_not_written_to() {
        check(1_023, 100_000, Err(()));
        check(1_024, 100_000, Ok(()));
        check(9, 100, Err(()));
        check(10, 100, Ok(()));
    }

    #[test]
    fn what_takes_little_room_is_refused_last() {
        for (free, total, refused) in [
            (15, 100_000, true),
            (16, 100_000, false),
            (2, 60, true),
            (3, 60, false),
        ] {
            let (free, total) = (free * MIB, total * MIB);
            assert_eq!(Room { free, total }.gate_for_little().is_err(), refused);
        }
    }

    #[test]
    fn the_refusal_says_how_much_room_is_wanted() {
        let room = Room {
            free: 5 * MIB,
            total: 100 * MIB,
        };
        let refusal = room.gate().unwrap_err().to_string();
        assert!(refusal.contains("5 MiB left"), "{refusal}");
        assert!(refusal.contains("10 MiB before"), "{refusal}");
    }

    #[test]
    fn the_disk_of_the_working_folder_can_be_measured() {
        let room = Room::of(Path::new(".")).unwrap();
        assert!(room.total >= room.free && room.total > 0);
    }
}
