//! How full the storage of an instance is.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Bytes a folder occupies on its device; `None` when it is not there. Files that vanish meanwhile count as nothing.
pub fn used_bytes(folder: &Path) -> Option<u64> {
    let entries = fs::read_dir(folder).ok()?;
    Some(entries.flatten().map(|entry| occupied(&entry)).sum())
}

fn occupied(entry: &fs::DirEntry) -> u64 {
    match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => used_bytes(&entry.path()).unwrap_or(0),
        // Blocks count 512 bytes, whatever the file system's own are (stat(2)).
        Ok(metadata) => metadata.blocks() * 512,
        Err(_) => 0,
    }
}

/// Bytes an unprivileged user may still write on the device of `path`.
pub fn free_bytes(path: &Path) -> Option<u64> {
    device(path).map(|device| device.free_bytes)
}

/// What files are stored on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// Which one, on this machine.
    pub id: u64,
    /// Bytes it has in all.
    pub bytes: u64,
    /// Bytes an unprivileged user may still write.
    pub free_bytes: u64,
}

/// The device of `path`; `None` when that is not there.
pub fn device(path: &Path) -> Option<Device> {
    let file_system = rustix::fs::statvfs(path).ok()?;
    Some(Device {
        id: fs::metadata(path).ok()?.dev(),
        bytes: file_system.f_blocks * file_system.f_frsize,
        free_bytes: file_system.f_bavail * file_system.f_frsize,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_counts_wherever_it_lies() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(used_bytes(&folder.path().join("absent")), None);
        let empty = used_bytes(folder.path()).expect("a folder");
        fs::create_dir(folder.path().join("base")).expect("made");
        fs::write(folder.path().join("base/1"), vec![1; 100_000]).expect("written");
        fs::File::open(folder.path().join("base/1")).and_then(|file| file.sync_all()).expect("synced");
        assert!(used_bytes(folder.path()).expect("a folder") >= empty + 100_000);
    }
}
