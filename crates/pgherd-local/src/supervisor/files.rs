//! Files that are either the old ones or the new ones, whatever is cut short.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Result, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Replaces a file: a temporary one beside it is written and synced, renamed over it, and the rename is synced.
pub fn replace(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    replace_soon(path, content, mode)?;
    sync_parent(path)
}

/// The same but for the last sync: when the machine ends within the next seconds, it may be the old file that is there.
pub fn replace_soon(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    let temporary = path.with_extension("new");
    // A left-over of a cut-short attempt could have other rights.
    remove(&temporary)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    tracing::debug!("{} is written down", path.display());
    Ok(())
}

/// Renames durably.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to)?;
    sync_parent(to)
}

/// Removes a file; one that is not there is fine.
pub fn remove(path: &Path) -> Result<()> {
    absent_is_fine(fs::remove_file(path), ())
}

/// Removes a folder with all it holds; one that is not there is fine.
pub fn remove_folder(path: &Path) -> Result<()> {
    absent_is_fine(fs::remove_dir_all(path), ())
}

/// Takes a folder out of use at once, however much it holds: it is renamed into `removed` and waits there for [`sweep`].
pub fn put_away(folder: &Path, removed: &Path) -> Result<()> {
    make_folder(removed, 0o700)?;
    for number in 0_u32.. {
        let place = removed.join(number.to_string());
        // Nobody else puts anything there, but what was put away earlier may still be on its way out.
        match fs::create_dir(&place) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            other => return other.and_then(|()| absent_is_fine(rename(folder, &place), ())),
        }
    }
    Ok(())
}

/// Removes what was put away. It takes its time: seconds for a thousand files where a disk is told of every freed block.
pub fn sweep(removed: &Path) -> Result<()> {
    let entries = absent_is_fine(fs::read_dir(removed).map(Some), None)?;
    entries.into_iter().flatten().try_for_each(|entry| remove_folder(&entry?.path()))
}

/// A file's content; `None` when it is not there.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    absent_is_fine(fs::read(path).map(Some), None)
}

/// Makes a folder and its parents.
pub fn make_folder(path: &Path, mode: u32) -> Result<()> {
    fs::DirBuilder::new().recursive(true).mode(mode).create(path)
}

/// Makes renames and removals in a file's folder survive a power cut.
pub fn sync_parent(path: &Path) -> Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn absent_is_fine<T>(result: Result<T>, absent: T) -> Result<T> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(absent),
        other => other,
    }
}
