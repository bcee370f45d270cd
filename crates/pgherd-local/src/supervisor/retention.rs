//! How long the logs are kept: PostgreSQL rotates them and deletes none.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use super::files;

/// As RDS keeps them by default (`rds.log_retention_period`: 3 days, at most 7).
const USUAL: SignedDuration = SignedDuration::from_hours(3 * 24);
/// With `enable_logging`.
const LONG: SignedDuration = SignedDuration::from_hours(7 * 24);
/// All logs of an instance together; a server that logs every statement writes this much in minutes.
const MOST_BYTES: u64 = 1 << 30;
/// The agent's own log, and the file of what servers say before their collector runs.
const LONGEST_BYTES: u64 = 10 << 20;

/// A log file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// When it was last written to.
    pub written_at: Timestamp,
    /// Its size.
    pub bytes: u64,
    /// Where it is.
    pub path: PathBuf,
}

/// Logs that need not be kept, oldest first. The newest one is being written to, and stays whatever its age and size.
pub fn expired(mut logs: Vec<Log>, logging: bool, now: Timestamp) -> Vec<Log> {
    let keep = if logging { LONG } else { USUAL };
    logs.sort_by_key(|log| log.written_at);
    let mut bytes: u64 = logs.iter().map(|log| log.bytes).sum();
    logs.pop();
    logs.retain(|log| {
        let expired = now.duration_since(log.written_at) > keep || bytes > MOST_BYTES;
        bytes -= if expired { log.bytes } else { 0 };
        expired
    });
    logs
}

/// Deletes the expired logs of an instance. What cannot be deleted now is deleted later. Blocking.
pub fn prune(folder: &Path, logging: bool, now: Timestamp) {
    for log in expired(server_logs(folder), logging, now) {
        if let Err(error) = files::remove(&log.path) {
            tracing::warn!("{} cannot be removed: {error}", log.path.display());
        }
    }
}

/// Begins a log anew that nobody writes to at the moment, once it has grown long. Blocking.
pub fn begin_anew(log: &Path) -> std::io::Result<()> {
    if is_long(log) { files::remove(log) } else { Ok(()) }
}

/// Has our own standard error go to a new file once its file has grown long; the one before is kept beside it. Blocking.
pub fn turn_over(log: &Path) -> std::io::Result<()> {
    if !is_long(log) {
        return Ok(());
    }
    std::fs::rename(log, log.with_extension("1.log"))?;
    let anew = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(log)?;
    Ok(rustix::stdio::dup2_stderr(&anew)?)
}

fn is_long(log: &Path) -> bool {
    std::fs::metadata(log).is_ok_and(|metadata| metadata.len() > LONGEST_BYTES)
}

/// What the collector wrote; `start.log` is not its, and open as long as the server runs.
fn server_logs(folder: &Path) -> Vec<Log> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let collected = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("postgresql-"));
    let log = |entry: std::fs::DirEntry| {
        let metadata = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
        let written_at = Timestamp::try_from(metadata.modified().ok()?).ok()?;
        Some(Log { written_at, bytes: metadata.len(), path: entry.path() })
    };
    collected.filter_map(log).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn now() -> Timestamp {
        "2026-11-21T22:00:00Z".parse().expect("a time")
    }

    /// Logs by the hours since they were written to and their sizes, and the hours of those that are deleted.
    #[track_caller]
    fn check(logs: &[(i64, u64)], logging: bool, expected: &[i64]) {
        let log = |(hours, bytes): &(i64, u64)| Log {
            written_at: now() - SignedDuration::from_hours(*hours),
            bytes: *bytes,
            path: PathBuf::from(hours.to_string()),
        };
        let expired = expired(logs.iter().map(log).collect(), logging, now());
        let hours: Vec<i64> = expired.iter().map(|log| now().duration_since(log.written_at).as_hours()).collect();
        assert_eq!(hours, expected);
    }

    #[test]
    fn logs_are_kept_for_three_days_or_a_week() {
        check(&[(1, 1), (71, 1), (73, 1), (169, 1)], false, &[169, 73]);
        check(&[(1, 1), (71, 1), (73, 1), (169, 1)], true, &[169]);
    }

    #[test]
    fn the_log_that_is_written_to_stays() {
        check(&[(500, 9 * GIB)], false, &[]);
    }

    #[test]
    fn the_oldest_go_when_all_together_are_too_large() {
        check(&[(0, GIB / 2), (1, GIB / 2), (2, GIB / 2), (3, GIB / 2)], true, &[3, 2]);
    }

    #[test]
    fn logs_of_a_clock_set_back_stay() {
        check(&[(-100, 1), (-50, 1), (1, 1)], false, &[]);
    }

    #[test]
    fn only_what_the_collector_wrote_is_deleted() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let names = ["postgresql-1.log", "postgresql-2.log", "start.log", "mine.txt"];
        for name in names {
            std::fs::write(path(name), "x").expect("written");
        }
        prune(folder.path(), false, Timestamp::now() + SignedDuration::from_hours(24 * 30));
        let kept: Vec<_> = names.into_iter().filter(|name| path(name).exists()).collect();
        assert_eq!(kept.len(), 3, "{kept:?}");
        assert!(path("start.log").exists() && path("mine.txt").exists());
    }
}
