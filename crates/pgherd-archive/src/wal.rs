//! The log in a repository: stored once, read back verified.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use jiff::Timestamp;
use pgherd_core::backups::{History, SegmentName, Timeline, WalName};

use crate::error::{ArchiveError, ErrorKind, Result};
use crate::files;
use crate::generation::Generation;
use crate::object::{Label, ObjectReader, ObjectWriter};

/// What became of a file that was to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It is stored.
    Stored {
        /// Bytes it occupies.
        bytes: u64,
    },
    /// It was stored already, with the same content.
    AlreadyThere,
    /// What was stored under its name was damaged, and was put aside for it.
    Repaired,
}

const BUFFER_BYTES: usize = 256 << 10;
/// Longer than any history or backup note, and any segment but the largest there are.
const LONGEST_READ_BYTES: u64 = 1 << 30;
/// A line for each failover there ever was.
const LONGEST_HISTORY_BYTES: u64 = 1 << 20;

impl Generation {
    /// Stores a file of the log, durably. The same content again is a success; other content under a name that is taken is
    /// refused and put aside, and what was there stays.
    pub fn push_wal(&self, name: WalName, path: &Path) -> Result<Pushed> {
        let reading = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => {
                ArchiveError::new(ErrorKind::Invalid, format!("there is no {} to store", path.display()))
            }
            _ => ArchiveError::io(&format!("read {}", path.display()), &error),
        };
        // The agent stores log as root where a server cannot: a link would have it store, for that user to read, what is root's.
        let mut file = files::open(path).map_err(reading)?;
        let metadata = file.metadata().map_err(reading)?;
        let (place, written_at) = (wal_key(name), metadata.modified().ok().and_then(|at| Timestamp::try_from(at).ok()));
        let key = self.key(&place);
        self.be_there()?;
        let label = Label { name: &place, generation: &self.info.id, written_at };
        let mut writer = ObjectWriter::new(self.repository.store.begin(&key)?, &label, self.repository.sealing())?;
        let storing = |error: io::Error| ArchiveError::io(&format!("store {name}"), &error);
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut length = 0;
        loop {
            let count = file.read(&mut buffer).map_err(reading)?;
            if length == 0 {
                self.check_origin(name, &buffer[..count])?;
            }
            if count == 0 {
                break;
            }
            length += count as u64;
            writer.write_all(&buffer[..count]).map_err(storing)?;
        }
        if length != metadata.len() {
            let message = format!("{} changed its size while it was stored", path.display());
            return Err(ArchiveError::new(ErrorKind::Unavailable, message));
        }
        let (mut upload, trailer, bytes) = writer.finish().map_err(storing)?;
        if upload.commit(&key, written_at)? {
            return Ok(Pushed::Stored { bytes });
        }
        match self.is_same(name, path) {
            Ok(true) => Ok(Pushed::AlreadyThere),
            Ok(false) => {
                let place = format!("apart/{name}-{}", &trailer.sha256[..16]);
                upload.commit(&self.key(&place), written_at)?;
                let stored = self.repository.store.describe(&key);
                let message = format!("{stored} is stored already, with other content than {}", path.display());
                let help = "two servers archive to one place, or a server was restored without a new generation; what was \
                            to be stored is kept under apart/";
                Err(ArchiveError::new(ErrorKind::Conflict, message).help(help))
            }
            Err(error) if error.kind == ErrorKind::Damaged => {
                let aside = format!("damaged/{name}-{}", crate::repository::random_name()?);
                self.repository.store.rename(&key, &self.key(&aside))?;
                if !upload.commit(&key, written_at)? {
                    let message = format!("somebody else stored {name} at the same time");
                    return Err(ArchiveError::new(ErrorKind::Unavailable, message));
                }
                Ok(Pushed::Repaired)
            }
            Err(error) => Err(error),
        }
    }

    /// Writes a file of the log to `to`, verified and durable; what is there is replaced when all of it is known to be good.
    ///
    /// [`ErrorKind::Absent`] is said only by a repository that is there, and means that nothing was ever stored under that
    /// name, or that it was deleted.
    pub fn fetch_wal(&self, name: WalName, to: &Path) -> Result<()> {
        let unfinished = to.with_extension("unfinished");
        let writing = |error: io::Error| {
            let error = ArchiveError::io(&format!("write {}", to.display()), &error);
            // Its folder is not there: nothing is said about the repository.
            if error.kind == ErrorKind::Absent { ArchiveError { kind: ErrorKind::Invalid, ..error } } else { error }
        };
        let mut reader = self.open_wal(name)?;
        let options = File::options().write(true).create(true).truncate(true).mode(0o600).open(&unfinished);
        let mut file = options.map_err(writing)?;
        let copied = copy(&mut reader, &mut file, &format!("read {name}"), &format!("write {}", unfinished.display()));
        let written = copied.and_then(|()| files::sync(&file).map_err(writing));
        let settled = written.and_then(|()| files::rename_over(&unfinished, to).map_err(writing));
        if settled.is_err() {
            let _ = std::fs::remove_file(&unfinished);
        }
        settled?;
        files::sync_parent(to).map_err(writing)
    }

    /// The content of a file of the log, verified. For small ones.
    pub fn read_wal(&self, name: WalName) -> Result<Vec<u8>> {
        let mut content = Vec::new();
        let mut reader = self.open_wal(name)?.take(LONGEST_READ_BYTES);
        reader.read_to_end(&mut content).map_err(|error| ArchiveError::io(&format!("read {name}"), &error))?;
        Ok(content)
    }

    pub(crate) fn open_wal(&self, name: WalName) -> Result<ObjectReader<Box<dyn Read + Send>>> {
        let place = wal_key(name);
        let key = self.key(&place);
        let what = self.repository.store.describe(&key);
        match self.repository.store.open(&key) {
            Ok(from) => ObjectReader::new(from, &self.repository.options.keys, &what)?.belonging(&place, &self.info.id),
            Err(error) if error.kind == ErrorKind::Absent => {
                // A repository whose disk was taken away has nothing, which is not the same as not having this.
                self.be_there()?;
                Err(ArchiveError::new(ErrorKind::Absent, format!("{name} is not in the repository")))
            }
            Err(error) => Err(error),
        }
    }

    /// Whether what is stored is what is in a file.
    fn is_same(&self, name: WalName, path: &Path) -> Result<bool> {
        let mut stored = self.open_wal(name)?;
        let refuse = |error: io::Error| ArchiveError::io(&format!("compare {} with {name}", path.display()), &error);
        let mut file = files::open(path).map_err(refuse)?;
        let (mut one, mut other) = (vec![0; BUFFER_BYTES], vec![0; BUFFER_BYTES]);
        let mut same = true;
        // To the end, whatever comes: only then it is known whether what is stored is good.
        loop {
            let count = fill(&mut stored, &mut one).map_err(refuse)?;
            let found = fill(&mut file, &mut other).map_err(refuse)?;
            same &= one[..count] == other[..found];
            if count == 0 {
                return Ok(same);
            }
        }
    }

    /// Copies a segment of a server's log, for that server's user; `false`: there is none, or it is not the one of this cluster that its name
    /// says: what a server has ready to be written to still holds an earlier one. Both folders are that user's: no link is followed.
    pub fn copy_segment(
        &self,
        segment: SegmentName,
        from: &Path,
        to: &Path,
        owner: Option<(u32, u32)>,
    ) -> Result<bool> {
        let writing = |error: io::Error| ArchiveError::io(&format!("write {}", to.display()), &error);
        let Some((mut file, start)) = self.open_segment(segment, from)? else { return Ok(false) };
        let unfinished = to.with_extension("unfinished");
        let mut written = files::create(&unfinished, owner).map_err(writing)?;
        written.write_all(&start).map_err(writing)?;
        copy(&mut file, &mut written, &format!("read {}", from.display()), &format!("write {}", to.display()))?;
        files::rename_over(&unfinished, to).map_err(writing)?;
        Ok(true)
    }

    /// Whether a server has written to a segment of its log: what it has ready to be written to does not count, as in [`Self::copy_segment`].
    pub fn has_written(&self, segment: SegmentName, path: &Path) -> Result<bool> {
        Ok(self.open_segment(segment, path)?.is_some())
    }

    /// A segment that a server has written to, and what was read of its start.
    fn open_segment(&self, segment: SegmentName, path: &Path) -> Result<Option<(File, Vec<u8>)>> {
        let reading = |error: io::Error| ArchiveError::io(&format!("read {}", path.display()), &error);
        let mut file = match files::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(reading)?,
        };
        let mut start = vec![0; 64];
        let count = fill(&mut file, &mut start).map_err(reading)?;
        start.truncate(count);
        let is_own = FirstPage::read(&start).is_some() && self.check_origin(WalName::Segment(segment), &start).is_ok();
        Ok(is_own.then_some((file, start)))
    }

    /// Copies what a server says of where a timeline comes from, for that server's user, as [`Self::copy_segment`] does; `false`: it says nothing.
    pub fn copy_history(&self, timeline: Timeline, from: &Path, to: &Path, owner: Option<(u32, u32)>) -> Result<bool> {
        let Some(text) = history_text(from)?.filter(|text| History::parse(timeline, text).is_some()) else {
            return Ok(false);
        };
        let writing = |error: io::Error| ArchiveError::io(&format!("write {}", to.display()), &error);
        let unfinished = to.with_extension("unfinished");
        files::create(&unfinished, owner).and_then(|mut file| file.write_all(text.as_bytes())).map_err(writing)?;
        files::rename_over(&unfinished, to).map_err(writing)?;
        Ok(true)
    }

    /// Refuses a segment of another cluster, or one that is not what its name says.
    fn check_origin(&self, name: WalName, start: &[u8]) -> Result<()> {
        let (WalName::Segment(segment) | WalName::Partial(segment)) = name else { return Ok(()) };
        let Some(page) = FirstPage::read(start) else { return Ok(()) };
        let known = self.info.system_identifier;
        if known != 0 && page.system_identifier != known {
            let message = format!("{name} is of the cluster {}, not of {known}", page.system_identifier);
            let help = "a database that was made anew archives to a generation of its own";
            return Err(ArchiveError::new(ErrorKind::Conflict, message).help(help));
        }
        if page.address != segment.start(page.segment_bytes).0 {
            let is = SegmentName::new(segment.timeline, page.address / page.segment_bytes.max(1), page.segment_bytes);
            return Err(ArchiveError::new(ErrorKind::Conflict, format!("{name} holds the log of {is}")));
        }
        Ok(())
    }
}

/// Where a timeline comes from, as a server's own file says; `None`: there is none, or it cannot be read as one.
pub fn read_history(timeline: Timeline, path: &Path) -> Result<Option<History>> {
    Ok(history_text(path)?.and_then(|text| History::parse(timeline, &text)))
}

fn history_text(path: &Path) -> Result<Option<String>> {
    let reading = |error: io::Error| ArchiveError::io(&format!("read {}", path.display()), &error);
    let file = match files::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(reading)?,
    };
    let mut text = Vec::new();
    file.take(LONGEST_HISTORY_BYTES).read_to_end(&mut text).map_err(reading)?;
    Ok(Some(String::from_utf8_lossy(&text).into_owned()))
}

/// What the first page of a segment says (`XLogLongPageHeaderData`, the same from PostgreSQL 14 to 18).
struct FirstPage {
    address: u64,
    system_identifier: u64,
    segment_bytes: u64,
}

impl FirstPage {
    fn read(page: &[u8]) -> Option<Self> {
        const LONG_HEADER: u16 = 2;
        let number = |at: usize| Some(u64::from_le_bytes(page.get(at..at + 8)?.try_into().ok()?));
        let info = u16::from_le_bytes(page.get(2..4)?.try_into().ok()?);
        let segment_bytes = u64::from(u32::from_le_bytes(page.get(32..36)?.try_into().ok()?));
        let sensible = info & LONG_HEADER != 0 && segment_bytes.is_power_of_two() && segment_bytes >= 1 << 20;
        sensible.then_some(())?;
        Some(Self { address: number(8)?, system_identifier: number(24)?, segment_bytes })
    }
}

/// Where a file of the log is kept within a generation.
pub(crate) fn wal_key(name: WalName) -> String {
    format!("wal/{:08X}/{name}", name.timeline().0)
}

fn copy(from: &mut impl Read, to: &mut File, reading: &str, writing: &str) -> Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let count = from.read(&mut buffer).map_err(|error| ArchiveError::io(reading, &error))?;
        if count == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..count]).map_err(|error| ArchiveError::io(writing, &error))?;
    }
}

/// Reads until the buffer is full or the end is there.
pub(crate) fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}
