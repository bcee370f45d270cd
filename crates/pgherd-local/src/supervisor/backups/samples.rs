//! A repository with backups, for tests of this room.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use pgherd_archive::{BackupEnd, BackupStart, Generation, KeyRing, Location, Options, Repository};
use pgherd_core::backups::{BackupKind, Lsn, Timeline};

use super::take::DATA;

pub fn generation(folder: &Path) -> Generation {
    let options = Options { keys: KeyRing::none(), encrypt: false, owner: None, ..Options::default() };
    let repository = Repository::create(&Location::Folder(folder.to_owned()), options).expect("a repository");
    repository.begin_generation("shop", 1, None, Timestamp::UNIX_EPOCH).expect("begun")
}

pub fn store(generation: &Generation, name: &str, kind: BackupKind) {
    let start = BackupStart {
        name: name.to_owned(),
        kind,
        taken_at: Timestamp::UNIX_EPOCH,
        version: "15.18".to_owned(),
        wal_segment_bytes: 16 << 20,
        tags: BTreeMap::new(),
        base: None,
    };
    let writer = generation.begin_backup(start).expect("begun");
    let mut file = writer.file(DATA).expect("begun");
    file.write_all(&[7; 10_000]).expect("written");
    file.finish().expect("stored");
    let end = BackupEnd {
        finished_at: Timestamp::UNIX_EPOCH,
        timeline: Timeline(1),
        start_lsn: Lsn(0x0300_0028),
        end_lsn: Lsn(0x0300_0128),
        self_contained: true,
    };
    writer.finish(end).expect("a backup");
}

/// Changes one byte in the middle of each file that ends so.
pub fn damage(folder: &Path, end: &str) {
    for path in files(folder).into_iter().filter(|path| path.to_string_lossy().ends_with(end)) {
        let mut bytes = std::fs::read(&path).expect("read");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).expect("written");
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

pub fn has(folder: &Path, part: &str) -> bool {
    files(folder).iter().any(|path| path.to_string_lossy().contains(part))
}
