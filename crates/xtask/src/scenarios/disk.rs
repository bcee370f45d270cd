//! A small disk of its own for one server: a file system in memory. Only root can make one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::machine::{run, told};

/// More than a server with its log takes, and soon full.
const SIZE: &str = "size=400m";
/// What takes up the room that is left.
const BALLAST: &str = "ballast";

/// A disk in the place of a folder.
pub struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// Puts one in the place of a folder and moves into it what was there. Why not, where that cannot be done.
    pub fn below(folder: &Path) -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("only root can mount a small disk".to_owned());
        }
        let aside = folder.with_extension("aside");
        fs::rename(folder, &aside).map_err(told("move a server aside"))?;
        fs::create_dir(folder).map_err(told("make a folder"))?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", SIZE, "pgherd-scenario"]).arg(folder);
        if let Err(error) = run(&mut mount) {
            fs::remove_dir(folder).map_err(told("remove a folder"))?;
            fs::rename(&aside, folder).map_err(told("move a server back"))?;
            return Err(format!("a small disk cannot be mounted here: {}", error.trim()));
        }
        let disk = Self { folder: folder.to_owned() };
        run(Command::new("cp").arg("-a").arg(aside.join(".")).arg(folder))?;
        fs::remove_dir_all(aside).map_err(told("remove what was copied"))?;
        Ok(disk)
    }

    /// Leaves no room on it.
    pub fn fill(&self) -> Result<(), String> {
        let full = Command::new("cp").arg("/dev/zero").arg(self.folder.join(BALLAST)).output();
        let full = full.map_err(told("fill a disk"))?;
        // It ends when there is no room any more.
        if full.status.success() { Err("a disk without an end".to_owned()) } else { Ok(()) }
    }

    /// Takes what filled it away.
    pub fn make_room(&self) -> Result<(), String> {
        fs::remove_file(self.folder.join(BALLAST)).map_err(told("make room"))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // It is in a temporary folder, whose removal says so if it is still there.
        drop(run(Command::new("umount").arg(&self.folder)));
    }
}
