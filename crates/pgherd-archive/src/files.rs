//! Operations on files, each of which may be the last one.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::{CWD, FlockOperation, RenameFlags};

/// Whose what is made here is to be.
pub(crate) type Owner = Option<(u32, u32)>;

/// Before and after each operation: where tests end this process, or hear of what is done.
fn step() {
    #[cfg(test)]
    crate::faults::step();
}

/// Makes a new file that only its owner may read.
pub(crate) fn create(path: &Path, owner: Owner) -> io::Result<File> {
    step();
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    if let Some((user, group)) = owner {
        std::os::unix::fs::fchown(&file, Some(user), Some(group))?;
    }
    step();
    Ok(file)
}

/// Makes a folder and its parents below `root`, which must be there; durable.
pub(crate) fn make_folders(root: &Path, folder: &Path, owner: Owner) -> io::Result<()> {
    if folder == root || folder.is_dir() {
        return Ok(());
    }
    let Some(parent) = folder.parent().filter(|parent| parent.starts_with(root)) else {
        return Err(io::Error::new(ErrorKind::NotFound, format!("{} is not there", root.display())));
    };
    make_folders(root, parent, owner)?;
    step();
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        other => other?,
    }
    if let Some((user, group)) = owner {
        std::os::unix::fs::chown(folder, Some(user), Some(group))?;
    }
    step();
    sync_folder(parent)
}

/// Writes a part.
pub(crate) fn write(file: &mut File, bytes: &[u8]) -> io::Result<usize> {
    step();
    file.write(bytes)
}

/// Has a file's content survive a power cut.
pub(crate) fn sync(file: &File) -> io::Result<()> {
    step();
    file.sync_all()?;
    step();
    Ok(())
}

/// Renames unless something is there; `false`: something is.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<bool> {
    step();
    let renamed = match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::EXIST) => Ok(false),
        // File systems that cannot (NFS among them) have links, which never replace anything either.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::OPNOTSUPP) => link_new(from, to),
        Err(error) => Err(error.into()),
    };
    step();
    renamed
}

fn link_new(from: &Path, to: &Path) -> io::Result<bool> {
    match std::fs::hard_link(from, to) {
        Ok(()) => std::fs::remove_file(from).map(|()| true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Renames over whatever is there.
pub(crate) fn rename_over(from: &Path, to: &Path) -> io::Result<()> {
    step();
    std::fs::rename(from, to)?;
    step();
    Ok(())
}

/// Removes a file; `false`: there was none.
pub(crate) fn remove(path: &Path) -> io::Result<bool> {
    step();
    let removed = match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    };
    step();
    removed
}

/// Removes a folder that is empty; one that is not stays.
pub(crate) fn remove_empty(path: &Path) -> io::Result<()> {
    step();
    let _ = std::fs::remove_dir(path);
    step();
    Ok(())
}

/// Has renames and removals in a folder survive a power cut.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    step();
    File::open(folder)?.sync_all()?;
    step();
    Ok(())
}

/// The same for the folder a file is in.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_folder(parent),
        _ => sync_folder(Path::new(".")),
    }
}

/// Claims a file for as long as it is open; `false`: somebody else has it. The kernel ends the claim of whoever dies.
pub(crate) fn claim(file: &File) -> io::Result<bool> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
