//! How far a server is that replays its log: it says so in the title of the process that does it.

use std::path::Path;

use pgherd_core::backups::{SegmentName, WalName};

use super::processes;

/// What stands in the title before the file that is replayed (`startup.c`, since PostgreSQL 9).
const REPLAYS: &str = " recovering ";

/// The file of the log that the server of a data directory replays now; `None`: it replays none, or does not say. Blocking.
pub fn file_of(data: &Path) -> Option<SegmentName> {
    processes::of(data).into_iter().find_map(|pid| {
        let title = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        of_title(&String::from_utf8_lossy(&title))
    })
}

fn of_title(title: &str) -> Option<SegmentName> {
    let (_, rest) = title.split_once(REPLAYS)?;
    let name = rest.split(|letter: char| letter == '\0' || letter.is_whitespace()).next()?;
    match name.parse().ok()? {
        WalName::Segment(name) => Some(name),
        WalName::History(_) | WalName::BackupNote(..) | WalName::Partial(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_title_of_the_startup_process_names_a_file() {
        let found = |title: &str| of_title(title).map(|name| name.to_string());
        let name = "000000010000000000000005";
        assert_eq!(found(&format!("postgres: startup recovering {name}\0\0")).as_deref(), Some(name));
        assert_eq!(found(&format!("postgres: restore: startup recovering {name}   ")).as_deref(), Some(name));
        assert_eq!(found("postgres: startup waiting for 000000010000000000000005"), None);
        assert_eq!(found("postgres: checkpointer"), None);
    }
}
