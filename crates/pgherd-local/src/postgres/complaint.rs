//! What a server wrote into its logs since a moment, and which of it says why it failed.

use std::collections::BTreeMap;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// At most this much of each log is looked at.
const TAIL_BYTES: u64 = 256 * 1024;

/// A moment in a folder of logs.
#[derive(Debug, Clone)]
pub(crate) struct LogMark {
    folder: PathBuf,
    sizes: BTreeMap<PathBuf, u64>,
}

impl LogMark {
    /// Now.
    pub(crate) fn now(folder: &Path) -> Self {
        let sizes = logs(folder).map(|path| (path.clone(), path.metadata().map_or(0, |file| file.len()))).collect();
        Self { folder: folder.to_owned(), sizes }
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Why a server failed since, in its own words; empty when it said nothing.
    pub(crate) fn complaint(&self) -> String {
        let mut paths: Vec<PathBuf> = logs(&self.folder).collect();
        // The collected logs know more than start.log, which ends with "redirecting log output".
        paths.sort_by_key(|path| path.ends_with("start.log"));
        let texts = paths.iter().map(|path| read_from(path, self.sizes.get(path).copied().unwrap_or(0)));
        texts.map(|text| pick(&text)).find(|said| !said.is_empty()).unwrap_or_default()
    }
}

/// The words of a log that tell why: the first fatal message with its detail and hint, else errors in the configuration.
pub(crate) fn pick(log: &str) -> String {
    let fatal = ["FATAL:  ", "PANIC:  "];
    let mut said: Vec<String> = Vec::new();
    let mut taking = false;
    for line in log.lines() {
        let message = |marks: &[&str]| marks.iter().find_map(|mark| Some(line.split_once(mark)?.1.trim().to_owned()));
        if let Some(text) = message(&fatal) {
            // "configuration file contains errors" says less than the LOG lines before it.
            let verdict = text.starts_with("configuration file") && !said.is_empty();
            if !verdict {
                said.push(text);
            }
            taking = true;
        } else if let Some(text) = message(&["LOG:  "]) {
            taking = about_configuration(&text);
            if taking {
                said.push(text);
            }
        } else if let Some(text) = message(&["DETAIL:  ", "HINT:  "]).filter(|_| taking) {
            said.push(text);
        } else if line.contains("postgres: ") && line.contains("error") {
            said.push(line.to_owned());
        }
    }
    said.dedup();
    said.join("; ")
}

fn about_configuration(text: &str) -> bool {
    let marks = ["invalid value for parameter", "unrecognized configuration parameter", "is outside the valid range"];
    marks.iter().any(|mark| text.contains(mark))
        || text.starts_with("syntax error in file")
        || (text.starts_with("parameter ") && text.contains("cannot be"))
        || text.starts_with("could not bind")
}

fn logs(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|kind| kind == "log"))
}

fn read_from(path: &Path, start: u64) -> String {
    let read = || {
        let mut file = std::fs::File::open(path).ok()?;
        let length = file.metadata().ok()?.len();
        let start = start.max(length.saturating_sub(TAIL_BYTES));
        file.seek(SeekFrom::Start(start)).ok()?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(log: &str, expected: &str) {
        assert_eq!(pick(log), expected);
    }

    #[test]
    fn a_bad_value_is_named_rather_than_the_verdict_on_the_file() {
        let log = "2026-11-21 10:00:00.000 UTC [7] LOG:  invalid value for parameter \"work_mem\": \"4 MiB\"\n\
                   2026-11-21 10:00:00.000 UTC [7] HINT:  Valid units for this parameter are \"B\", \"kB\", \"MB\".\n\
                   2026-11-21 10:00:00.000 UTC [7] FATAL:  configuration file \"/c\" contains errors\n";
        let expected = "invalid value for parameter \"work_mem\": \"4 MiB\"; Valid units for this parameter are \"B\", \"kB\", \"MB\".";
        check(log, expected);
    }

    #[test]
    fn a_fatal_message_comes_with_its_hint() {
        let log = "x [7] LOG:  starting PostgreSQL 15.18\n\
                   x [7] LOG:  could not bind IPv4 address \"127.0.0.1\": Address already in use\n\
                   x [7] HINT:  Is another postmaster already running on port 5432?\n\
                   x [7] WARNING:  could not create listen socket for \"127.0.0.1\"\n\
                   x [7] FATAL:  could not create any TCP/IP sockets\n\
                   x [7] LOG:  database system is shut down\n";
        let expected = "could not bind IPv4 address \"127.0.0.1\": Address already in use; \
                        Is another postmaster already running on port 5432?; could not create any TCP/IP sockets";
        check(log, expected);
    }

    #[test]
    fn a_start_without_trouble_has_no_complaint() {
        check(
            "x [7] LOG:  starting PostgreSQL 15.18\nx [7] LOG:  database system is ready to accept connections\n",
            "",
        );
    }
}
