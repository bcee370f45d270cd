//! The dynamic shared memory of a server that was killed: files `PostgreSQL.<handle>` in `/dev/shm`, a megabyte and more each,
//! which stay in memory until the machine is restarted.
//!
//! The next start in the same directory removes them, by a table that the server's segment names
//! (`dsm_cleanup_using_control_segment` in `src/backend/storage/ipc/dsm.c`). Where the directory goes, or another server is copied
//! into it, nobody does.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Where the C library keeps what `shm_open` makes.
const FOLDER: &str = "/dev/shm";
/// The bytes of `PGShmemHeader` (`src/include/storage/pg_shmem.h`), the same from PostgreSQL 14 to 18 where a pointer has 64 bits.
pub(super) const HEADER_BYTES: usize = 56;
/// `PGShmemMagic` there.
const HEADER_MAGIC: u32 = 679_834_894;
/// Where the header has the handle of the table.
const CONTROL_AT: usize = 24;
/// `PG_DYNSHMEM_CONTROL_MAGIC` in `dsm.c`, and the layout of `dsm_control_header` and `dsm_control_item` there.
const TABLE_MAGIC: u32 = 0x9a50_3d32;
const ITEMS_AT: usize = 16;
const ITEM_BYTES: usize = 40;
/// A table has room for 64 segments and five for each connection: far less than this.
const TABLE_LIMIT: u64 = 64 << 20;

/// The handle of the table, from the first bytes of a server's segment; `None` when they are nothing of PostgreSQL's.
pub(super) fn control_of(header: &[u8]) -> Option<u32> {
    (number(header, 0)? == HEADER_MAGIC).then(|| number(header, CONTROL_AT))?
}

/// Removes what the table `control` names and the table itself, as far as it is `owner`'s. Best effort, and repeatable.
pub(super) fn remove(control: u32, owner: u32) {
    let table = file(control);
    for handle in contents(&table, owner).as_deref().map(handles).unwrap_or_default() {
        remove_file(&file(handle), owner);
    }
    remove_file(&table, owner);
}

fn file(handle: u32) -> PathBuf {
    Path::new(FOLDER).join(format!("PostgreSQL.{handle}"))
}

fn contents(table: &Path, owner: u32) -> Option<Vec<u8>> {
    let file = File::open(table).ok().filter(|file| file.metadata().is_ok_and(|about| about.uid() == owner))?;
    let mut bytes = Vec::new();
    file.take(TABLE_LIMIT).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Whatever a table says, nothing of another user's goes.
fn remove_file(path: &Path, owner: u32) {
    if path.symlink_metadata().is_ok_and(|about| about.is_file() && about.uid() == owner)
        && let Err(error) = std::fs::remove_file(path)
    {
        tracing::debug!(path = %path.display(), "dynamic shared memory stays: {error}");
    }
}

/// The handles of the segments that a table has files for.
fn handles(table: &[u8]) -> Vec<u32> {
    if number(table, 0) != Some(TABLE_MAGIC) {
        return Vec::new();
    }
    let count = number(table, 4).unwrap_or(0) as usize;
    let items = table.get(ITEMS_AT..).unwrap_or_default().chunks_exact(ITEM_BYTES).take(count);
    // Without a reference it is gone already. An odd handle is a part of the server's own memory.
    let used = items.filter(|item| number(item, 4).is_some_and(|references| references > 0));
    used.filter_map(|item| number(item, 0)).filter(|handle| handle % 2 == 0).collect()
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_ne_bytes(bytes.try_into().expect("four bytes were asked for")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(magic: u32, count: u32, items: &[(u32, u32)]) -> Vec<u8> {
        let mut bytes: Vec<u8> = [magic, count, 64, 0].into_iter().flat_map(u32::to_ne_bytes).collect();
        for (handle, references) in items {
            bytes.extend(handle.to_ne_bytes());
            bytes.extend(references.to_ne_bytes());
            bytes.extend([0; ITEM_BYTES - 8]);
        }
        bytes
    }

    #[test]
    fn a_table_names_the_segments_that_are_in_use() {
        let items = [(10, 2), (12, 0), (14, 1), (15, 2), (16, 2)];
        assert_eq!(
            handles(&table(TABLE_MAGIC, 4, &items)),
            [10, 14],
            "gone, a part of the server's own, beyond the count"
        );
    }

    #[test]
    fn what_is_no_table_names_nothing() {
        assert!(handles(&table(1, 1, &[(10, 2)])).is_empty());
        assert!(handles(&table(TABLE_MAGIC, u32::MAX, &[])).is_empty());
        assert!(handles(b"").is_empty());
    }

    #[test]
    fn a_header_of_another_program_is_none() {
        let mut header = vec![0; HEADER_BYTES];
        assert_eq!(control_of(&header), None);
        header[..4].copy_from_slice(&HEADER_MAGIC.to_ne_bytes());
        header[CONTROL_AT..CONTROL_AT + 4].copy_from_slice(&42_u32.to_ne_bytes());
        assert_eq!(control_of(&header), Some(42));
        assert_eq!(control_of(&header[..8]), None);
    }
}
