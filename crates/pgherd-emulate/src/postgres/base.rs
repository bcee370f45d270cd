//! The folder of one emulator's servers: held as long as it lives, and cleared by the next one however it ended.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use pgherd_local::postgres::processes;
use rustix::fs::{FlockOperation, flock};

/// What is held by the emulator that lives.
const LOCK: &str = "lock";

/// How many emulators of one state folder there may be.
const MOST: usize = 100;

/// A folder that is this emulator's alone.
#[derive(Debug)]
pub struct Base {
    /// Of servers and copies.
    pub folder: PathBuf,
    /// Of their sockets, with a short name.
    pub sockets: PathBuf,
    /// Given back by the kernel with the process, however it ends.
    #[expect(dead_code, reason = "it is held as long as it is open")]
    lock: File,
}

impl Base {
    /// Clears what emulators left behind that were killed, and takes the first folder that is nobody's.
    pub async fn take(state: &Path, runtime: &Path) -> io::Result<Self> {
        let (all, sockets) = (state.join("emulate"), runtime.join("emulate"));
        make(&all)?;
        make(&sockets)?;
        for entry in std::fs::read_dir(&all)?.flatten() {
            let sockets = sockets.join(entry.file_name());
            if let Some(lock) = held(&entry.path())? {
                // The lock is held until everything is gone.
                Self { folder: entry.path(), sockets, lock }.remove().await?;
            }
        }
        for n in 1..=MOST {
            let (folder, sockets) = (all.join(n.to_string()), sockets.join(n.to_string()));
            make(&folder)?;
            if let Some(lock) = held(&folder)? {
                make(&sockets)?;
                return Ok(Self { folder, sockets, lock });
            }
        }
        Err(io::Error::other(format!("{MOST} emulators run in {} already", all.display())))
    }

    /// The folder of a server.
    pub fn server(&self, name: &str) -> PathBuf {
        self.folder.join("servers").join(name)
    }

    /// The folder of a copy.
    pub fn copy(&self, region: &str, name: &str) -> PathBuf {
        self.folder.join("copies").join(format!("{region}-{name}"))
    }

    /// Ends all servers and removes everything of theirs.
    pub async fn clear(&self) -> io::Result<()> {
        for entry in std::fs::read_dir(self.folder.join("servers")).into_iter().flatten().flatten() {
            processes::kill(&entry.path().join("data")).await.map_err(|error| io::Error::other(error.message))?;
        }
        for folder in ["servers", "copies"] {
            remove(&self.folder.join(folder))?;
        }
        for entry in std::fs::read_dir(&self.sockets).into_iter().flatten().flatten() {
            remove(&entry.path())?;
        }
        Ok(())
    }

    /// The same, and the folder itself goes, too.
    pub async fn remove(&self) -> io::Result<()> {
        self.clear().await?;
        remove(&self.sockets)?;
        remove(&self.folder)
    }
}

/// Others may enter: PostgreSQL runs as another user below it when this one is root.
fn make(folder: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))
}

/// The lock of a folder, if nobody holds it.
fn held(folder: &Path) -> io::Result<Option<File>> {
    let path = folder.join(LOCK);
    let open = || OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = match open() {
        // Another emulator removed it meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        // What its owner removed just before is not what lies there now.
        Ok(()) => {
            let there = path.metadata().map(|there| there.ino()).ok();
            Ok((there == Some(file.metadata()?.ino())).then_some(file))
        }
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Removes a folder that may not be there.
pub fn remove(folder: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
