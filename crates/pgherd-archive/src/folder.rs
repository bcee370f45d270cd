//! A folder as a store.

use std::fs::{File, FileTimes};
use std::io::{self, ErrorKind as IoKind, Read, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use jiff::Timestamp;
use rustix::fs::OFlags;

use crate::error::{ArchiveError, ErrorKind, Result};
use crate::files::{self, Owner};
use crate::repository::MARKER;
use crate::store::{Store, Stored, Upload};

/// What stored objects end with; nothing else in a repository is looked at.
const SUFFIX: &str = ".pgherd";
/// What is being written begins with this.
const UNFINISHED: &str = ".unfinished-";
/// Held by whoever writes below a folder.
const CLAIM: &str = ".claimed";

pub(crate) struct Folder {
    root: PathBuf,
    owner: Owner,
}

impl Folder {
    /// A folder that is there.
    pub(crate) fn new(root: &Path, owner: Owner) -> Self {
        Self { root: root.to_owned(), owner }
    }

    fn path(&self, key: &str) -> PathBuf {
        self.root.join(format!("{key}{SUFFIX}"))
    }

    fn make_folders(&self, folder: &Path) -> Result<()> {
        files::make_folders(&self.root, folder, &marker(), self.owner).map_err(|error| refuse("make", folder, &error))
    }
}

/// The file of what says that a folder is a repository.
fn marker() -> String {
    format!("{MARKER}{SUFFIX}")
}

fn refuse(doing: &str, path: &Path, error: &io::Error) -> ArchiveError {
    let refusal = ArchiveError::io(&format!("{doing} {}", path.display()), error);
    // What is asked for and not there is told by the one place that can mean it.
    if refusal.kind == ErrorKind::Absent {
        return ArchiveError { kind: ErrorKind::Unavailable, ..refusal };
    }
    refusal
}

impl Store for Folder {
    fn begin(&self, key: &str) -> Result<Box<dyn Upload>> {
        let place = self.path(key);
        let folder = place.parent().unwrap_or(&self.root);
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let mut attempts = 0..10;
        loop {
            self.make_folders(folder)?;
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!("{UNFINISHED}{}-{number}", std::process::id()));
            match files::create(&path, self.owner) {
                // Somebody deleted the last object in that folder, and it with it.
                Err(error) if error.kind() == IoKind::NotFound && attempts.next().is_some() => {}
                // Of a process that had the number of this one.
                Err(error) if error.kind() == IoKind::AlreadyExists => {}
                Err(error) => return Err(refuse("make", &path, &error)),
                Ok(file) => {
                    files::claim(&file).map_err(|error| refuse("lock", &path, &error))?;
                    let root = self.root.clone();
                    return Ok(Box::new(Writing { file, path, root, owner: self.owner, done: false }));
                }
            }
        }
    }

    fn open(&self, key: &str) -> Result<Box<dyn Read + Send>> {
        let path = self.path(key);
        match files::open(&path) {
            Ok(file) => Ok(Box::new(file)),
            Err(error) => Err(ArchiveError::io(&format!("read {}", path.display()), &error)),
        }
    }

    fn exists(&self, key: &str) -> Result<bool> {
        let path = self.path(key);
        path.try_exists().map_err(|error| refuse("look at", &path, &error))
    }

    fn list(&self, folder: &str) -> Result<Vec<Stored>> {
        let mut found = Vec::new();
        gather(&self.root.join(folder), folder, &mut found)?;
        found.sort();
        Ok(found)
    }

    fn names(&self, folder: &str) -> Result<Vec<String>> {
        let path = self.root.join(folder);
        let entries = match std::fs::read_dir(&path) {
            Err(error) if error.kind() == IoKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(|error| refuse("list", &path, &error))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(|error| refuse("list", &path, &error))?.file_name();
            names.extend(name.to_str().filter(|name| !name.starts_with('.')).map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    fn delete(&self, key: &str) -> Result<()> {
        let path = self.path(key);
        let refuse = |error: io::Error| refuse("delete", &path, &error);
        if files::remove(&path).map_err(refuse)? {
            files::sync_parent(&path).map_err(refuse)?;
        }
        let folder = path.parent().unwrap_or(&self.root);
        files::remove_empty(folder).map_err(refuse)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let (from, to) = (self.path(from), self.path(to));
        self.make_folders(to.parent().unwrap_or(&self.root))?;
        let refuse = |error: io::Error| refuse("rename", &from, &error);
        if !files::rename_new(&from, &to).map_err(refuse)? {
            let message = format!("there is a {} already", to.display());
            return Err(ArchiveError::new(ErrorKind::Conflict, message));
        }
        files::sync_parent(&to).and_then(|()| files::sync_parent(&from)).map_err(refuse)
    }

    fn clear(&self, folder: &str) -> Result<usize> {
        clear(&self.root.join(folder))
    }

    fn claim(&self, folder: &str) -> Result<Box<dyn Send>> {
        let folder = self.root.join(folder);
        let path = folder.join(CLAIM);
        loop {
            self.make_folders(&folder)?;
            let file = match files::create(&path, self.owner) {
                Err(error) if error.kind() == IoKind::AlreadyExists => open_to_lock(&path),
                other => other,
            };
            let file = match file {
                // Whoever had it has just let go of it.
                Err(error) if error.kind() == IoKind::NotFound => continue,
                other => other.map_err(|error| refuse("make", &path, &error))?,
            };
            if !files::claim(&file).map_err(|error| refuse("lock", &path, &error))? {
                let message = format!("somebody else is writing to {}", folder.display());
                return Err(ArchiveError::new(ErrorKind::Conflict, message));
            }
            // It may be one that was let go of, and removed, before it was locked here.
            if is_at(&file, &path) {
                return Ok(Box::new(Claim { _file: file, path }));
            }
        }
    }

    /// The kernel renames to new names only when it is told so.
    fn prove(&self) -> Result<()> {
        Ok(())
    }

    fn knows_times(&self) -> bool {
        true
    }

    fn describe(&self, key: &str) -> String {
        self.path(key).display().to_string()
    }
}

struct Claim {
    _file: File,
    path: PathBuf,
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Whoever dies instead leaves a file that nobody holds.
        let _ = files::remove(&self.path);
        if let Some(folder) = self.path.parent() {
            let _ = files::remove_empty(folder);
        }
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let same =
        |one: &std::fs::Metadata, other: &std::fs::Metadata| (one.dev(), one.ino()) == (other.dev(), other.ino());
    matches!((file.metadata(), std::fs::metadata(path)), (Ok(one), Ok(other)) if same(&one, &other))
}

/// A temporary file beside its place.
struct Writing {
    file: File,
    path: PathBuf,
    root: PathBuf,
    owner: Owner,
    done: bool,
}

impl Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        files::write(&mut self.file, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Writing {
    fn settle(&mut self, key: &str) -> Result<PathBuf> {
        let place = self.root.join(format!("{key}{SUFFIX}"));
        let refuse = |error: io::Error| refuse("write", &place, &error);
        files::make_folders(&self.root, place.parent().unwrap_or(&self.root), &marker(), self.owner).map_err(refuse)?;
        files::sync(&self.file).map_err(refuse)?;
        Ok(place)
    }
}

impl Upload for Writing {
    fn commit(&mut self, key: &str, modified_at: Option<Timestamp>) -> Result<bool> {
        if let Some(modified_at) = modified_at {
            let times = FileTimes::new().set_modified(SystemTime::from(modified_at));
            self.file.set_times(times).map_err(|error| refuse("write", &self.path, &error))?;
        }
        let place = self.settle(key)?;
        let refuse = |error: io::Error| refuse("write", &place, &error);
        self.done = files::rename_new(&self.path, &place).map_err(refuse)?;
        // What somebody else renamed a moment ago is as durable as ours when we say that it is there.
        files::sync_parent(&place).map_err(refuse)?;
        Ok(self.done)
    }

    fn commit_over(&mut self, key: &str) -> Result<()> {
        let place = self.settle(key)?;
        let refuse = |error: io::Error| refuse("write", &place, &error);
        files::rename_over(&self.path, &place).map_err(refuse)?;
        self.done = true;
        files::sync_parent(&place).map_err(refuse)
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if !self.done {
            let _ = files::remove(&self.path);
        }
    }
}

fn gather(path: &Path, folder: &str, found: &mut Vec<Stored>) -> Result<()> {
    let entries = match std::fs::read_dir(path) {
        Err(error) if error.kind() == IoKind::NotFound => return Ok(()),
        other => other.map_err(|error| refuse("list", path, &error))?,
    };
    for entry in entries {
        let entry = entry.map_err(|error| refuse("list", path, &error))?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
        let metadata = match entry.metadata() {
            // Deleted a moment ago.
            Err(error) if error.kind() == IoKind::NotFound => continue,
            other => other.map_err(|error| refuse("look at", &entry.path(), &error))?,
        };
        let below = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        if metadata.is_dir() {
            gather(&entry.path(), &below, found)?;
        } else if let Some(key) = below.strip_suffix(SUFFIX) {
            let modified_at = metadata.modified().ok().and_then(|at| Timestamp::try_from(at).ok());
            let modified_at = modified_at.unwrap_or(Timestamp::UNIX_EPOCH);
            found.push(Stored { key: key.to_owned(), bytes: metadata.len(), modified_at });
        }
    }
    Ok(())
}

fn clear(path: &Path) -> Result<usize> {
    let entries = match std::fs::read_dir(path) {
        Err(error) if error.kind() == IoKind::NotFound => return Ok(0),
        other => other.map_err(|error| refuse("list", path, &error))?,
    };
    let mut cleared = 0;
    for entry in entries {
        let entry = entry.map_err(|error| refuse("list", path, &error))?;
        let place = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            cleared += clear(&place)?;
            // Left empty by a deletion that was cut short; whoever needs it makes it again.
            files::remove_empty(&place).map_err(|error| refuse("delete", &place, &error))?;
        } else if entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes()) && is_left(&place)? {
            cleared += usize::from(files::remove(&place).map_err(|error| refuse("delete", &place, &error))?);
        }
    }
    Ok(cleared)
}

/// Whether whoever began to write a file is dead.
fn is_left(path: &Path) -> Result<bool> {
    match open_to_lock(path) {
        Ok(file) => files::claim(&file).map_err(|error| refuse("lock", path, &error)),
        Err(error) if error.kind() == IoKind::NotFound => Ok(false),
        Err(error) => Err(refuse("open", path, &error)),
    }
}

fn open_to_lock(path: &Path) -> io::Result<File> {
    File::options().write(true).custom_flags(files::flags(OFlags::NOFOLLOW | OFlags::NONBLOCK)).open(path)
}
