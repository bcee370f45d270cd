//! The lines of an instance's logs, as they are and as they come.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::postgres::notice::Notice;

/// Lines on their way to a reader that does not take them yet.
const QUEUED: usize = 256;

/// The last `tail` lines of the logs in a folder and, when `follow`, what is added until nobody reads any more.
pub fn lines(folder: PathBuf, tail: usize, follow: bool) -> impl Stream<Item = Bytes> {
    let (sender, receiver) = mpsc::channel(QUEUED);
    // Ends when the reader does; owned by the connection that way.
    tokio::spawn(async move {
        // Closed: the reader left.
        let _ = send(&folder, tail, follow, &sender).await;
    });
    ReceiverStream::new(receiver)
}

async fn send(
    folder: &Path,
    tail: usize,
    follow: bool,
    sender: &mpsc::Sender<Bytes>,
) -> Result<(), mpsc::error::SendError<Bytes>> {
    let mut notice = Notice::of(folder);
    let mut logs = Logs::of(folder);
    for line in logs.last(tail) {
        sender.send(line).await?;
    }
    if !follow {
        return Ok(());
    }
    loop {
        tokio::select! {
            () = notice.next() => {}
            () = sender.closed() => return Ok(()),
        }
        for line in logs.added() {
            sender.send(line).await?;
        }
    }
}

/// The log files of a folder, in the order they were begun, and how far they were read.
struct Logs {
    folder: PathBuf,
    read: Vec<(PathBuf, u64)>,
}

impl Logs {
    fn of(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), read: Vec::new() }
    }

    /// The last lines of all files; after that everything counts as read.
    fn last(&mut self, count: usize) -> Vec<Bytes> {
        let mut last = VecDeque::with_capacity(count.min(10_000));
        for line in self.added() {
            if last.len() == count {
                last.pop_front();
            }
            if count > 0 {
                last.push_back(line);
            }
        }
        last.into()
    }

    /// Whole lines added since the last call. A file that shrank was begun anew.
    fn added(&mut self) -> Vec<Bytes> {
        let mut added = Vec::new();
        for path in files(&self.folder) {
            let index = self.read.iter().position(|(known, _)| *known == path).unwrap_or_else(|| {
                self.read.push((path.clone(), 0));
                self.read.len() - 1
            });
            let from = &mut self.read[index].1;
            if fs::metadata(&path).is_ok_and(|metadata| metadata.len() < *from) {
                *from = 0;
            }
            *from += read_lines(&path, *from, &mut added);
        }
        added
    }
}

/// Reads whole lines from a place on; says how many bytes they had. What cannot be read now is read later.
fn read_lines(path: &Path, from: u64, lines: &mut Vec<Bytes>) -> u64 {
    let Ok(mut file) = File::open(path) else { return 0 };
    if file.seek(SeekFrom::Start(from)).is_err() {
        return 0;
    }
    let mut reader = BufReader::new(file);
    let mut bytes = 0;
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) && line.ends_with(b"\n") {
        bytes += line.len() as u64;
        lines.push(Bytes::from(std::mem::take(&mut line)));
    }
    bytes
}

/// The text logs, oldest first.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "log"))
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    files.sort();
    files.into_iter().map(|(_, path)| path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: &[Bytes]) -> Vec<String> {
        lines.iter().map(|line| String::from_utf8_lossy(line).trim_end().to_owned()).collect()
    }

    #[test]
    fn the_last_lines_then_what_is_added() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("a.log");
        fs::write(&log, "one\ntwo\nthree\nhal").expect("written");
        let mut logs = Logs::of(folder.path());
        assert_eq!(texts(&logs.last(2)), ["two", "three"]);
        fs::write(&log, "one\ntwo\nthree\nhalf\n").expect("written");
        fs::write(folder.path().join("b.log"), "next\n").expect("written");
        let mut added = texts(&logs.added());
        added.sort();
        assert_eq!(added, ["half", "next"]);
        assert!(logs.added().is_empty());
    }

    #[test]
    fn a_file_begun_anew_is_read_from_its_start() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("a.log");
        fs::write(&log, "a long first line\n").expect("written");
        let mut logs = Logs::of(folder.path());
        assert_eq!(texts(&logs.last(0)), [""; 0]);
        fs::write(&log, "anew\n").expect("written");
        assert_eq!(texts(&logs.added()), ["anew"]);
    }
}
