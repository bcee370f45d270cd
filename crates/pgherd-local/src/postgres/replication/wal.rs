//! Files of the write-ahead log: their names, and where a record ends.

use std::os::unix::fs::FileExt as _;
use std::path::Path;

use pgherd_core::ha::Lsn;

/// `XLOG_BLCKSZ` of every build that is distributed.
const PAGE: u64 = 8192;
/// Header of a page, and of a file's first page (`xlog_internal.h`).
const PAGE_HEADER: u64 = 24;
const LONG_PAGE_HEADER: u64 = 40;
/// The shortest record is its header.
const RECORD_MIN: u64 = 24;
/// No record of a checkpoint is longer than that; what says so is none.
const RECORD_MAX: u64 = 1 << 20;

/// Where the record at `start` ends, as PostgreSQL counts it; `None`: it cannot be read.
pub(super) fn end_of_record(data: &Path, timeline: u32, start: Lsn, segment_bytes: u64) -> Option<Lsn> {
    if !segment_bytes.is_power_of_two() || segment_bytes < PAGE {
        return None;
    }
    let file = std::fs::File::open(data.join("pg_wal").join(file_name(timeline, start, segment_bytes))).ok()?;
    let mut length = [0; 4];
    // A record begins with its length, which is never split over two pages.
    file.read_exact_at(&mut length, start.0 % segment_bytes).ok()?;
    let length = u64::from(u32::from_ne_bytes(length));
    (RECORD_MIN..=RECORD_MAX).contains(&length).then(|| end(start, length, segment_bytes))
}

/// Where a record of `length` bytes ends that begins at `start`: records are aligned to 8 bytes and go on behind the header of
/// the next page.
pub(super) fn end(start: Lsn, length: u64, segment_bytes: u64) -> Lsn {
    let (mut at, mut left) = (start.0, length.next_multiple_of(8));
    loop {
        let room = PAGE - at % PAGE;
        if left <= room {
            return Lsn(at + left);
        }
        left -= room;
        at += room;
        at += if at.is_multiple_of(segment_bytes) { LONG_PAGE_HEADER } else { PAGE_HEADER };
    }
}

/// The name of the file that holds a position.
pub(super) fn file_name(timeline: u32, at: Lsn, segment_bytes: u64) -> String {
    let per_id = (1 << 32) / segment_bytes;
    let segment = at.0 / segment_bytes;
    format!("{timeline:08X}{:08X}{:08X}", segment / per_id, segment % per_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEGMENT: u64 = 16 << 20;

    #[track_caller]
    fn check(start: &str, length: u64, expected: &str) {
        assert_eq!(end(Lsn::parse(start).expect("a position"), length, SEGMENT).to_string(), expected);
    }

    #[test]
    fn a_record_ends_where_the_next_may_begin() {
        check("0/1000028", 114, "0/10000A0");
        check("0/1000028", 120, "0/10000A0");
    }

    #[test]
    fn a_record_goes_on_behind_the_header_of_the_next_page() {
        check("0/1001FF8", 114, "0/1002088");
        check("0/1001FF8", 8, "0/1002000");
        check("0/1001FF8", 9000, "0/1004350");
    }

    #[test]
    fn the_first_page_of_a_file_has_a_longer_header() {
        check("0/1FFFFF8", 114, "0/2000098");
    }

    #[test]
    fn a_position_is_in_the_file_of_its_timeline() {
        let name = |at: &str| file_name(0x1a, Lsn::parse(at).expect("a position"), SEGMENT);
        assert_eq!(name("0/1528D50"), "0000001A0000000000000001");
        assert_eq!(name("2/FF000000"), "0000001A00000002000000FF");
    }
}
