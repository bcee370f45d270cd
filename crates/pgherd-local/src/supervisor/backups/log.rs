//! The log that follows a backup: how far it goes, and what is missing in it.

use jiff::Timestamp;
use pgherd_archive::Generation;
use pgherd_core::backups::{Backup, Chain, Gap, Holdings, Timeline, chains, without_history};
use pgherd_engine::provider::ProviderError;

use super::store;

/// The log that follows a backup.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Log {
    /// Everything that was committed up to this moment is in it; `None`: that is not known.
    pub until: Option<Timestamp>,
    /// The timeline it leads to, where that is another one than the backup's.
    pub timeline: Option<Timeline>,
    /// From which segment to which.
    pub segments: Option<Segments>,
}

/// Segments of a log in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segments {
    /// The number of the first.
    pub first: u64,
    /// That of the last.
    pub last: u64,
    /// Size of each.
    pub bytes: u64,
}

/// The log that follows a backup. Blocking.
pub fn log_after(generation: &Generation, backup: &Backup) -> Result<Log, ProviderError> {
    Ok(log_in(&generation.holdings().map_err(store::refused)?, backup))
}

fn log_in(holdings: &Holdings, backup: &Backup) -> Log {
    last_chain(holdings, &backup.name).map_or_else(Log::default, |chain| Log {
        until: chain.until,
        timeline: Some(chain.timeline).filter(|timeline| *timeline != backup.timeline),
        segments: chain.last.map(|last| {
            let bytes = backup.wal_segment_bytes;
            Segments { first: backup.start_lsn.segment(bytes), last: last.number(bytes), bytes }
        }),
    })
}

/// What is missing in the log after a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hole {
    /// Segments, and up to when it can be replayed.
    Gap(Gap, Option<Timestamp>),
    /// Where this timeline comes from, so that nobody goes on to it.
    History(Timeline),
}

/// What is missing first in the log after a backup.
pub fn hole_after(holdings: &Holdings, backup: &Backup) -> Option<Hole> {
    if let Some(timeline) = without_history(holdings).into_iter().find(|timeline| *timeline > backup.timeline) {
        return Some(Hole::History(timeline));
    }
    let chain = last_chain(holdings, &backup.name)?;
    chain.gaps.first().map(|gap| Hole::Gap(*gap, chain.until))
}

/// PostgreSQL follows the last timeline.
fn last_chain(holdings: &Holdings, backup: &str) -> Option<Chain> {
    chains(holdings).into_iter().filter(|chain| chain.backup == backup).max_by_key(|chain| chain.timeline)
}

#[cfg(test)]
mod tests {
    use pgherd_core::backups::{BackupKind, History, Lsn, SegmentName, WalFile, WalName};

    use super::*;

    const SEGMENT: u64 = 16 << 20;

    fn backup(timeline: u32, number: u64) -> Backup {
        Backup {
            name: "daily".to_owned(),
            kind: BackupKind::Automated,
            taken_at: Timestamp::UNIX_EPOCH,
            finished_at: Timestamp::UNIX_EPOCH,
            timeline: Timeline(timeline),
            start_lsn: Lsn(number * SEGMENT + 40),
            end_lsn: Lsn(number * SEGMENT + 400),
            self_contained: true,
            wal_segment_bytes: SEGMENT,
            version: "17.0".to_owned(),
            system_identifier: 1,
            bytes: 1,
            original_bytes: 1,
            key: None,
            tags: std::collections::BTreeMap::new(),
            verified_at: None,
            damaged: false,
            base: None,
        }
    }

    fn holdings(backup: Backup, wal: &[(u32, u64)]) -> Holdings {
        let file = |(timeline, number): &(u32, u64)| WalFile {
            name: WalName::Segment(SegmentName::new(Timeline(*timeline), *number, SEGMENT)),
            bytes: 1,
            written_at: None,
            stored_at: None,
        };
        Holdings { backups: vec![backup], wal: wal.iter().map(file).collect(), histories: Vec::new() }
    }

    /// PostgreSQL looks for no timeline behind a number that is missing: a standby that died before it archived anything has one.
    #[test]
    fn the_last_timeline_that_a_backup_leads_to_is_named() {
        let mut found = holdings(backup(1, 2), &[(1, 2), (1, 3), (3, 4)]);
        assert_eq!(log_in(&found, &backup(1, 2)).timeline, None);
        found.histories.extend(History::parse(Timeline(3), "1\t0/4000000\tno recovery target specified\n"));
        assert_eq!(log_in(&found, &backup(1, 2)).timeline, Some(Timeline(3)));
        assert_eq!(log_in(&holdings(backup(3, 4), &[(3, 4)]), &backup(3, 4)).timeline, None);
    }

    /// PostgreSQL would take the end of the first timeline for the end of all.
    #[test]
    fn log_after_a_failover_that_nothing_leads_to_is_a_hole() {
        let mut found = holdings(backup(1, 2), &[(1, 2), (1, 3), (2, 4), (2, 5)]);
        assert_eq!(hole_after(&found, &backup(1, 2)), Some(Hole::History(Timeline(2))));
        // A backup of after it needs nobody to lead there.
        assert_eq!(hole_after(&holdings(backup(2, 4), &[(1, 3), (2, 4), (2, 5)]), &backup(2, 4)), None);
        let text = "1\t0/4000000\tno recovery target specified\n";
        found.histories.extend(History::parse(Timeline(2), text));
        assert_eq!(hole_after(&found, &backup(1, 2)), None);
        found.wal.remove(1);
        assert!(matches!(hole_after(&found, &backup(1, 2)), Some(Hole::Gap(gap, None)) if gap.segments == 1));
    }
}
