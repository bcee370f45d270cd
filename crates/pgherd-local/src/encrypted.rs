//! Whether a folder is on an encrypted device, as far as the kernel tells.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What is known of a folder's encryption at rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// Every device under it is encrypted by dm-crypt (LUKS and plain).
    Encrypted,
    /// At least one device under it is not.
    Plain {
        /// Which.
        device: String,
    },
    /// The kernel does not tell: a network, overlay, memory, ZFS or btrfs file system, or encryption inside the file system
    /// (fscrypt).
    CannotTell {
        /// Why not.
        because: String,
    },
}

/// Looks at the device of an existing folder. Blocking.
pub fn of(folder: &Path) -> Encryption {
    match std::fs::metadata(folder) {
        Ok(found) => of_device(Path::new("/sys"), rustix::fs::major(found.dev()), rustix::fs::minor(found.dev())),
        Err(error) => Encryption::CannotTell { because: format!("{} cannot be looked at: {error}", folder.display()) },
    }
}

/// Looks at a device by its numbers in `/sys` (another folder in tests).
fn of_device(sys: &Path, major: u32, minor: u32) -> Encryption {
    let device = sys.join(format!("dev/block/{major}:{minor}"));
    // File systems without one device of their own (overlay, tmpfs, btrfs, ZFS, NFS) have major 0.
    if major == 0 || !device.exists() {
        return Encryption::CannotTell { because: "its file system is not on one block device".to_owned() };
    }
    let mut plain = BTreeSet::new();
    walk(&device, &mut plain);
    match plain.pop_first() {
        None => Encryption::Encrypted,
        Some(device) => Encryption::Plain { device },
    }
}

/// Collects the devices that are reached without passing one that encrypts.
fn walk(device: &Path, plain: &mut BTreeSet<String>) {
    let real = device.canonicalize().unwrap_or_else(|_| device.to_owned());
    if std::fs::read_to_string(real.join("dm/uuid")).is_ok_and(|uuid| uuid.starts_with("CRYPT-")) {
        return;
    }
    let below: Vec<PathBuf> =
        std::fs::read_dir(real.join("slaves")).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    if !below.is_empty() {
        return below.iter().for_each(|device| walk(device, plain));
    }
    // A partition says nothing of its own: the disk it is on may be a mapped device.
    if real.join("partition").exists()
        && let Some(disk) = real.parent()
    {
        return walk(disk, plain);
    }
    plain.insert(real.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use std::fs::{create_dir_all, write};
    use std::os::unix::fs::symlink;

    use super::*;

    /// A `/sys` with LVM (253:1) on LUKS (253:0) on a partition (8:3), and a plain partition (8:1).
    fn sys() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        for device in ["sda/sda1", "sda/sda3", "dm-0", "dm-1", "dm-2"] {
            create_dir_all(root.join("devices").join(device).join("slaves")).expect("made");
        }
        let device = |name: &str| root.join("devices").join(name);
        for partition in ["sda/sda1", "sda/sda3"] {
            write(device(partition).join("partition"), "1").expect("written");
        }
        for (mapped, uuid) in [("dm-0", "CRYPT-LUKS2-0a"), ("dm-1", "LVM-1b"), ("dm-2", "LVM-2c")] {
            create_dir_all(device(mapped).join("dm")).expect("made");
            write(device(mapped).join("dm/uuid"), uuid).expect("written");
        }
        symlink(device("sda/sda3"), device("dm-0").join("slaves/sda3")).expect("linked");
        symlink(device("dm-0"), device("dm-1").join("slaves/dm-0")).expect("linked");
        symlink(device("dm-0"), device("dm-2").join("slaves/dm-0")).expect("linked");
        symlink(device("sda/sda1"), device("dm-2").join("slaves/sda1")).expect("linked");
        create_dir_all(root.join("dev/block")).expect("made");
        for (number, name) in
            [("8:1", "sda/sda1"), ("8:3", "sda/sda3"), ("253:0", "dm-0"), ("253:1", "dm-1"), ("253:2", "dm-2")]
        {
            symlink(device(name), root.join("dev/block").join(number)).expect("linked");
        }
        folder
    }

    #[track_caller]
    fn check(major: u32, minor: u32, expected: &Encryption) {
        assert_eq!(of_device(sys().path(), major, minor), *expected);
    }

    #[test]
    fn a_volume_on_luks_is_encrypted() {
        check(253, 1, &Encryption::Encrypted);
    }

    #[test]
    fn a_partition_is_plain() {
        check(8, 1, &Encryption::Plain { device: "sda".to_owned() });
    }

    #[test]
    fn one_plain_device_of_several_is_enough_to_be_plain() {
        check(253, 2, &Encryption::Plain { device: "sda".to_owned() });
    }

    #[test]
    fn memory_and_overlays_cannot_be_told() {
        check(0, 42, &Encryption::CannotTell { because: "its file system is not on one block device".to_owned() });
    }
}
