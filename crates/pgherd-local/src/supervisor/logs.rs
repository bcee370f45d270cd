//! The lines of an instance's logs, as they are and as they come.
//!
//! Logs are read in blocks, the last lines from the end on: neither memory nor time grows with the size of a log.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::Stream;
use pgherd_engine::provider::ProviderError;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::site::blocking;
use crate::postgres::notice::Notice;

/// How much is read at once, bytes.
const BLOCK: usize = 64 * 1024;
/// Blocks on their way to a reader that does not take them yet.
const QUEUED: usize = 4;

/// The last `tail` lines of the logs in a folder and, when `follow`, what is added until nobody reads any more or the folder is
/// gone. Each piece is whole lines, unless one is longer than a block.
pub fn lines(folder: PathBuf, tail: usize, follow: bool) -> impl Stream<Item = Bytes> {
    let (sender, receiver) = mpsc::channel(QUEUED);
    // Ends when the reader does; owned by the connection that way.
    tokio::spawn(async move {
        // The reader left, or a read was cut short because the agent ends.
        let _ = send(&folder, tail, follow, &sender).await;
    });
    ReceiverStream::new(receiver)
}

async fn send(folder: &Path, tail: usize, follow: bool, sender: &mpsc::Sender<Bytes>) -> Option<()> {
    if follow {
        made(folder, sender).await?;
    }
    let mut notice = Notice::of(folder);
    let mut logs = Logs::of(folder);
    logs = within(logs, move |logs| logs.skip_to_last(tail)).await?.0;
    loop {
        loop {
            let (back, piece) = within(logs, Logs::next).await?;
            logs = back;
            let Some(piece) = piece else { break };
            sender.send(piece).await.ok()?;
        }
        if !follow || !folder.is_dir() {
            return Some(());
        }
        tokio::select! {
            () = notice.next() => {}
            () = sender.closed() => return None,
        }
    }
}

/// Returns once the folder is there: an instance that is being made has none yet. `None`: nobody waits any more.
async fn made(folder: &Path, sender: &mpsc::Sender<Bytes>) -> Option<()> {
    let mut notice = Notice::of(folder.parent()?);
    while !folder.is_dir() {
        tokio::select! {
            () = notice.next() => {}
            () = sender.closed() => return None,
        }
    }
    Some(())
}

/// Disks may be slow; nobody else waits for them meanwhile.
async fn within<T: Send + 'static>(
    mut logs: Logs,
    read: impl FnOnce(&mut Logs) -> T + Send + 'static,
) -> Option<(Logs, T)> {
    let read = blocking(move || {
        let result = read(&mut logs);
        Ok::<_, ProviderError>((logs, result))
    });
    read.await.ok()
}

/// A file, whatever it is called: a log that was renamed is the same, one made under an old name is not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct FileId {
    inode: u64,
    /// Numbers of deleted files are given again.
    made_at: Option<SystemTime>,
}

/// The log files of a folder, and how far they were read.
struct Logs {
    folder: PathBuf,
    read: BTreeMap<FileId, u64>,
}

impl Logs {
    fn of(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), read: BTreeMap::new() }
    }

    /// Takes everything for read but the last lines of all files together.
    fn skip_to_last(&mut self, count: usize) {
        let mut wanted = count;
        for (id, path) in files(&self.folder).into_iter().rev() {
            let Ok((from, lines)) = File::open(&path).and_then(|mut file| last_lines(&mut file, wanted)) else {
                continue;
            };
            wanted -= lines;
            self.read.insert(id, from);
        }
    }

    /// What follows: whole lines, as many as a block holds. `None`: nothing more so far. What cannot be read now is read later.
    fn next(&mut self) -> Option<Bytes> {
        let files = files(&self.folder);
        self.read.retain(|id, _| files.iter().any(|(there, _)| there == id));
        files.into_iter().find_map(|(id, path)| {
            let from = self.read.entry(id).or_default();
            let mut file = File::open(&path).ok()?;
            // A file that shrank was begun anew.
            if file.metadata().is_ok_and(|metadata| metadata.len() < *from) {
                *from = 0;
            }
            let piece = piece(&mut file, *from).ok().filter(|piece| !piece.is_empty())?;
            *from += piece.len() as u64;
            Some(piece)
        })
    }
}

/// From a place on at most a block, up to the end of its last whole line; a line that fills the block is cut.
fn piece(file: &mut (impl Read + Seek), from: u64) -> io::Result<Bytes> {
    file.seek(SeekFrom::Start(from))?;
    let mut block = Vec::with_capacity(BLOCK);
    file.take(BLOCK as u64).read_to_end(&mut block)?;
    let whole = block.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    if whole > 0 || block.len() < BLOCK {
        block.truncate(whole);
    }
    Ok(block.into())
}

/// Where the last lines of a file begin, and how many they are: `count`, or all there are. A line without an end is none yet.
fn last_lines(file: &mut (impl Read + Seek), count: usize) -> io::Result<(u64, usize)> {
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut ends_seen = 0;
    let mut block = vec![0; BLOCK];
    while end > 0 {
        let length = end.min(BLOCK as u64);
        end -= length;
        let block = &mut block[..usize::try_from(length).expect("no longer than a block")];
        file.seek(SeekFrom::Start(end))?;
        file.read_exact(block)?;
        for (index, _) in block.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            // The end of the line before those that are wanted.
            if ends_seen == count {
                return Ok((end + index as u64 + 1, count));
            }
            ends_seen += 1;
        }
    }
    Ok((0, ends_seen))
}

/// The text logs, oldest first.
fn files(folder: &Path) -> Vec<(FileId, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "log"))
        .filter_map(|entry| Some((entry.metadata().ok()?, entry.path())))
        .filter_map(|(metadata, path)| Some((metadata.modified().ok()?, path, id(&metadata))))
        .collect();
    files.sort();
    files.into_iter().map(|(_, path, id)| (id, path)).collect()
}

fn id(metadata: &Metadata) -> FileId {
    FileId { inode: metadata.ino(), made_at: metadata.created().ok() }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn folder() -> (tempfile::TempDir, Logs) {
        let folder = tempfile::tempdir().expect("a folder");
        let logs = Logs::of(folder.path());
        (folder, logs)
    }

    /// All that follows, as lines.
    fn added(logs: &mut Logs) -> Vec<String> {
        let bytes: Vec<u8> = std::iter::from_fn(|| logs.next()).flatten().collect();
        String::from_utf8(bytes).expect("text").lines().map(str::to_owned).collect()
    }

    fn append(log: &Path, text: &str) {
        let mut file = File::options().append(true).create(true).open(log).expect("opened");
        file.write_all(text.as_bytes()).expect("written");
    }

    #[test]
    fn the_last_lines_then_what_is_added() {
        let (folder, mut logs) = folder();
        let log = folder.path().join("a.log");
        append(&log, "one\ntwo\nthree\nhal");
        logs.skip_to_last(2);
        assert_eq!(added(&mut logs), ["two", "three"]);
        append(&log, "f\n");
        append(&folder.path().join("b.log"), "next\n");
        assert_eq!(added(&mut logs), ["half", "next"]);
        assert!(added(&mut logs).is_empty());
    }

    #[test]
    fn the_last_lines_reach_back_into_older_files() {
        let (folder, mut logs) = folder();
        for (name, text, age_s) in [("c.log", "1\n2\n", 30), ("b.log", "3\n", 20), ("a.log", "4\n5\n", 10)] {
            append(&folder.path().join(name), text);
            let written = SystemTime::now() - std::time::Duration::from_secs(age_s);
            File::options()
                .append(true)
                .open(folder.path().join(name))
                .expect("opened")
                .set_modified(written)
                .expect("set");
        }
        logs.skip_to_last(4);
        assert_eq!(added(&mut logs), ["2", "3", "4", "5"]);
    }

    #[test]
    fn more_lines_than_there_are_is_all_of_them() {
        let (folder, mut logs) = folder();
        append(&folder.path().join("a.log"), "one\ntwo\n");
        logs.skip_to_last(usize::MAX);
        assert_eq!(added(&mut logs), ["one", "two"]);
    }

    #[test]
    fn a_file_begun_anew_is_read_from_its_start() {
        let (folder, mut logs) = folder();
        let log = folder.path().join("a.log");
        append(&log, "a long first line\n");
        logs.skip_to_last(0);
        assert!(added(&mut logs).is_empty());
        fs::write(&log, "anew\n").expect("written");
        assert_eq!(added(&mut logs), ["anew"]);
    }

    #[test]
    fn a_file_made_under_an_old_name_is_another_one() {
        let (folder, mut logs) = folder();
        let log = folder.path().join("a.log");
        append(&log, "short\n");
        logs.skip_to_last(0);
        fs::rename(&log, folder.path().join("a.1.log")).expect("renamed");
        append(&log, "longer than the one before\n");
        assert_eq!(added(&mut logs), ["longer than the one before"]);
    }

    /// A file that says how much of it was read.
    struct Counted {
        file: File,
        bytes: usize,
    }

    impl Read for Counted {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let read = self.file.read(buffer)?;
            self.bytes += read;
            Ok(read)
        }
    }

    impl Seek for Counted {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.file.seek(to)
        }
    }

    #[test]
    fn of_two_gigabytes_the_last_block_is_read() {
        let (folder, mut logs) = folder();
        let log = folder.path().join("a.log");
        // Sparse: it takes no space.
        File::create(&log).and_then(|file| file.set_len(2 << 30)).expect("made");
        append(&log, "\none\ntwo\n");
        let mut counted = Counted { file: File::open(&log).expect("opened"), bytes: 0 };
        assert_eq!(last_lines(&mut counted, 2).expect("read"), ((2 << 30) + 1, 2));
        assert_eq!(counted.bytes, BLOCK);
        logs.skip_to_last(2);
        assert_eq!(added(&mut logs), ["one", "two"]);
    }

    #[test]
    fn pieces_are_whole_lines_and_no_longer_than_a_block() {
        let (folder, mut logs) = folder();
        let text: String = (0..30_000).map(|number| format!("line {number} of a log\n")).collect();
        append(&folder.path().join("a.log"), &text);
        let pieces: Vec<Bytes> = std::iter::from_fn(|| logs.next()).collect();
        assert!(pieces.len() > 5 && pieces.iter().all(|piece| piece.len() <= BLOCK && piece.ends_with(b"\n")));
        assert!(pieces.concat() == text.as_bytes());
    }

    #[test]
    fn a_line_longer_than_a_block_comes_in_pieces() {
        let (folder, mut logs) = folder();
        let text = format!("{}\n", "x".repeat(3 * BLOCK));
        append(&folder.path().join("a.log"), &text);
        let pieces: Vec<Bytes> = std::iter::from_fn(|| logs.next()).collect();
        assert!(pieces.iter().all(|piece| piece.len() <= BLOCK) && pieces.concat() == text.as_bytes());
    }
}
