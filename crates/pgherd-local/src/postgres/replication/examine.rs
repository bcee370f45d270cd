//! What became of a primary that was given up: where its log ends, and how many commits did not survive.

use std::collections::BTreeSet;

use pgherd_core::ha::{Examined, Lsn};
use pgherd_engine::provider::{ErrorKind, ProviderError};
use tokio::io::AsyncBufReadExt as _;

use super::history::{self, Stretch};
use super::probe::PREFIX;
use super::tools::Tool;
use super::{Place, blocking, nobody_at_work, pg_control, wal};
use crate::paths::Layout;
use crate::postgres::{Result, io_error};

/// Reads, without changing anything, the log of a node without any process from where the primary `against` left its way; takes
/// as long as reading that log. An error: nothing can be told.
///
/// Commits of the write probe are not counted. Those that no client was told of are: the log does not know.
pub async fn examine(place: &Place, against: &Layout) -> Result<Examined> {
    let (dead, new) = (place.layout.clone(), against.clone());
    let (rest, segment_bytes) = blocking(move || {
        nobody_at_work(&dead)?;
        let control = control(&dead)?;
        let rest = history::behind_the_fork(&way(&dead)?, &way(&new)?);
        let rest = rest.ok_or_else(|| ProviderError::new(ErrorKind::Invalid, "the two have no log in common"))?;
        Ok((rest, control.segment_bytes))
    })
    .await?;
    let mut read = Read::default();
    for stretch in &rest {
        dump(place, stretch, segment_bytes, &mut read).await?;
    }
    let Some(last) = rest.last() else {
        let message = format!("{} did not leave the way of the new primary", place.id);
        return Err(ProviderError::new(ErrorKind::Invalid, message));
    };
    let end = read.end.unwrap_or(last.begin);
    Ok(Examined { end, lost_commits: Some(read.lost_commits()) })
}

fn control(layout: &Layout) -> Result<pg_control::PgControl> {
    pg_control::read(&layout.data).map_err(|error| io_error("read", &layout.data.join("global/pg_control"), &error))
}

/// The way to the timeline that a directory is on: the newest it has a true history of.
fn way(layout: &Layout) -> Result<Vec<Stretch>> {
    let data = &layout.data;
    let newest = history::newest(data).map_err(|error| io_error("look at", &data.join("pg_wal"), &error))?;
    let newest = newest.max(control(layout)?.timeline);
    (1..=newest).rev().find_map(|timeline| history::way(data, timeline)).ok_or_else(|| {
        ProviderError::new(ErrorKind::Invalid, format!("{} has no history of its timelines", data.display()))
    })
}

/// What was read of the log.
#[derive(Debug, Default)]
struct Read {
    end: Option<Lsn>,
    committed: Vec<String>,
    probes: BTreeSet<String>,
}

impl Read {
    fn lost_commits(&self) -> u64 {
        self.committed.iter().filter(|transaction| !self.probes.contains(*transaction)).count() as u64
    }

    /// Takes in a line of `pg_waldump`.
    fn line(&mut self, line: &str, segment_bytes: u64) {
        let Some(record) = Record::parse(line) else { return };
        self.end = Some(wal::end(record.at, record.length, segment_bytes));
        let what = record.what;
        if record.manager == "Transaction" && (what.starts_with("COMMIT ") || what.starts_with("COMMIT_PREPARED ")) {
            self.committed.push(record.transaction.to_owned());
        }
        if record.manager == "LogicalMessage" && what.contains(&format!("prefix \"{PREFIX}\"")) {
            self.probes.insert(record.transaction.to_owned());
        }
    }
}

/// A line of `pg_waldump`.
#[derive(Debug, PartialEq, Eq)]
struct Record<'a> {
    manager: &'a str,
    length: u64,
    transaction: &'a str,
    at: Lsn,
    what: &'a str,
}

impl<'a> Record<'a> {
    /// Reads `rmgr: Heap        len (rec/tot):     59/    59, tx:        735, lsn: 0/01528D50, prev 0/01528D18, desc: …`.
    fn parse(line: &'a str) -> Option<Self> {
        let (manager, rest) = line.strip_prefix("rmgr: ")?.split_once("len (rec/tot):")?;
        let (lengths, rest) = rest.split_once(", tx:")?;
        let (transaction, rest) = rest.split_once(", lsn:")?;
        let (at, rest) = rest.split_once(", prev ")?;
        Some(Self {
            manager: manager.trim(),
            length: lengths.split_once('/')?.1.trim().parse().ok()?,
            transaction: transaction.trim(),
            at: Lsn::parse(at.trim())?,
            what: rest.split_once("desc: ")?.1,
        })
    }
}

/// Reads a stretch of the log to its end, which for the last stretch is where no record follows.
async fn dump(place: &Place, stretch: &Stretch, segment_bytes: u64, read: &mut Read) -> Result<()> {
    let mut tool = Tool::start(place, "pg_waldump", |command| {
        command.arg("--path").arg(place.layout.data.join("pg_wal")).arg("--timeline").arg(stretch.timeline.to_string());
        command.arg("--start").arg(stretch.begin.to_string());
        if let Some(end) = stretch.end {
            command.arg("--end").arg(end.to_string());
        }
    })?;
    let mut lines = tool.output().lines();
    let refuse = |error: std::io::Error| io_error("read", &place.layout.data.join("pg_wal"), &error);
    let read_all = async {
        while let Some(line) = lines.next_line().await.map_err(refuse)? {
            read.line(&line, segment_bytes);
        }
        Ok(())
    };
    let (lines_read, ended) = tokio::join!(read_all, tool.end_saying());
    lines_read?;
    let (success, said) = ended?;
    let next = read.end.unwrap_or(stretch.begin).0.next_multiple_of(segment_bytes);
    let next = wal::file_name(stretch.timeline, Lsn(next), segment_bytes);
    match success || is_the_end(&said, &next) {
        true => Ok(()),
        false => Err(ProviderError::new(ErrorKind::Unavailable, format!("pg_waldump failed: {said}"))),
    }
}

/// The log of a server that ended by itself simply stops; whatever is there instead of a record is called an error. That a file
/// is not there is another matter, unless it would be the `next` one.
fn is_the_end(said: &str, next: &str) -> bool {
    let stops = said.contains("error in WAL record at") || said.contains("could not find a valid record after");
    stops || said.contains(&format!("could not find file \"{next}\""))
}
