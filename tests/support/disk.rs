//! A small disk of its own, to fill.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// It goes with this.
pub(crate) struct Disk {
    folder: PathBuf,
}

impl Disk {
    const MIB: usize = 64;

    /// At `folder`, where this user may mount one; says so where not.
    #[expect(
        clippy::print_stdout,
        reason = "whoever reads along should know what was left out"
    )]
    pub(crate) fn mount(folder: &Path) -> Option<Self> {
        fs::create_dir_all(folder).unwrap();
        let size = format!("size={}m", Self::MIB);
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(folder)
            .output();
        if !mounted.is_ok_and(|done| done.status.success()) {
            println!("left out: this user may not mount a disk");
            return None;
        }
        Some(Self {
            folder: folder.to_owned(),
        })
    }

    /// Leaves `kib` of room.
    pub(crate) fn fill_but(&self, kib: usize) {
        let left = self.folder.join("left");
        fs::write(&left, vec![0; kib << 10]).unwrap();
        let mut file = File::create(self.ballast()).unwrap();
        for size in [1 << 20, 1 << 12, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
        fs::remove_file(left).unwrap();
    }

    pub(crate) fn empty(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.folder).status());
    }
}
