//! A repository of one instance, and files to store in it.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use pgherd_archive::{ArchiveError, Generation, KeyRing, Location, Options, Repository};
use pgherd_core::backups::WalName;
use tempfile::TempDir;

/// The cluster's identity.
pub const CLUSTER: u64 = 7_412_345_678_901_234_567;

pub struct World {
    folder: TempDir,
    pub keys: KeyRing,
    encrypt: bool,
}

impl World {
    pub fn plain() -> Self {
        Self::new(false)
    }

    pub fn encrypted() -> Self {
        Self::new(true)
    }

    /// Both kinds, with nothing in them but an empty generation.
    pub fn both() -> [Self; 2] {
        [Self::plain(), Self::encrypted()]
    }

    fn new(encrypt: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = KeyRing::create(&folder.path().join("key"), None).expect("a key");
        let world = Self { folder, keys, encrypt };
        let repository = Repository::create(&world.location(), world.options()).expect("a repository");
        repository.begin_generation("orders", CLUSTER, None, now()).expect("a generation");
        world
    }

    pub fn options(&self) -> Options {
        Options { keys: self.keys.clone(), encrypt: self.encrypt, owner: None, ..Options::default() }
    }

    pub fn root(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    pub fn location(&self) -> Location {
        Location::Folder(self.root())
    }

    pub fn repository(&self) -> Repository {
        Repository::open(&self.location(), self.options()).expect("a repository")
    }

    pub fn generation(&self) -> Generation {
        self.repository().generation("orders", 1).expect("a generation")
    }

    /// A path beside the repository.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file to store.
    pub fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        std::fs::create_dir_all(self.path("pg_wal")).expect("made");
        let path = self.path("pg_wal").join(name);
        std::fs::write(&path, content).expect("written");
        path
    }

    pub fn push(&self, name: &str, content: &[u8]) -> Result<pgherd_archive::Pushed, ArchiveError> {
        self.generation().push_wal(wal(name), &self.file(name, content))
    }

    pub fn fetch(&self, name: &str) -> Result<Vec<u8>, ArchiveError> {
        let to = self.path("fetched");
        let _ = std::fs::remove_file(&to);
        let fetched = self.generation().fetch_wal(wal(name), &to);
        assert_eq!(fetched.is_ok(), to.exists(), "a file is there if it is good, and only then");
        assert!(!self.path("fetched.unfinished").exists());
        fetched.map(|()| std::fs::read(&to).expect("read"))
    }

    /// Where an object of the generation is kept.
    pub fn object(&self, place: &str) -> PathBuf {
        self.root().join("orders/0001").join(format!("{place}.pgherd"))
    }

    pub fn wal_object(&self, name: &str) -> PathBuf {
        self.object(&format!("wal/{}/{name}", &name[..8]))
    }

    /// Every file in the repository, by its place, and how long it is.
    pub fn files(&self) -> Vec<String> {
        fn gather(folder: &Path, root: &Path, found: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
                if entry.path().is_dir() {
                    gather(&entry.path(), root, found);
                } else {
                    found.push(entry.path().strip_prefix(root).expect("below").display().to_string());
                }
            }
        }
        let mut found = Vec::new();
        gather(&self.root(), &self.root(), &mut found);
        found.sort();
        found
    }
}

pub fn now() -> Timestamp {
    "2026-11-23T01:00:00Z".parse().expect("a time")
}

pub fn wal(name: &str) -> WalName {
    name.parse().expect("a name")
}

/// Bytes that no compressor makes smaller, the same for the same seed.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// The first bytes of a segment of 16 MiB, as a server writes them.
pub fn segment(cluster: u64, address: u64, rest: &[u8]) -> Vec<u8> {
    let mut page = vec![0; 40];
    page[..2].copy_from_slice(&0xD110_u16.to_le_bytes());
    page[2..4].copy_from_slice(&2_u16.to_le_bytes());
    page[8..16].copy_from_slice(&address.to_le_bytes());
    page[24..32].copy_from_slice(&cluster.to_le_bytes());
    page[32..36].copy_from_slice(&(16_u32 << 20).to_le_bytes());
    page[36..40].copy_from_slice(&8192_u32.to_le_bytes());
    page.extend_from_slice(rest);
    page
}
