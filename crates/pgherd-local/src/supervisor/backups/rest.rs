//! The end of the log that the archive does not have, since the server that wrote it serves no more: not even its last commits are lost with
//! it, as long as its disk is there.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use pgherd_archive::{Generation, read_history};
use pgherd_core::backups::{Backup, Leg, SegmentName, Timeline, WalName, chain_to, lineage, timelines_of};
use pgherd_engine::provider::ProviderError;

use super::log::{Log, Segments};
use super::source::{Lost, Source};
use super::{archive, second, serving, store};
use crate::paths::Layout;
use crate::postgres::io_error;
use crate::supervisor::agent::Agent;
use crate::supervisor::requests::Watcher;
use crate::supervisor::site::{Site, blocking};

/// Archives what a server that serves no more had finished and not archived, with the way to its timeline, as far as the archive takes it;
/// `None`: it serves, or nothing of it is archived.
pub async fn archive_finished(agent: &Arc<Agent>, of: &str) -> Option<Lost> {
    let shown = agent.shown(of).ok()?;
    if !serving::serves_no_more(&shown) || !shown.record.wanted.is_archived() {
        return None;
    }
    let (site, record) = (Site::of(agent.clone(), of), shown.record);
    let archived = blocking(move || {
        let Some(generation) = archive::known_generation(&site)? else { return Ok(0) };
        let rescued = archive::rescue(&site, record.primary())?;
        Ok(rescued + archive::fill(&site, &generation, record.primary(), record.ha.timeline)?)
    });
    Some(Lost { archived: archived.await.map_err(|error| error.message) })
}

/// Puts what is not archived of the log of a server that serves no more beside a copy, where recovery looks for what is not archived. Says what
/// that was, or why it is nothing, and in what is known of the log how far it goes then.
pub async fn bring(
    agent: &Arc<Agent>,
    source: &Source,
    place: &Layout,
    log: Log,
    watcher: &Watcher,
) -> Result<Log, ProviderError> {
    let Source { generation, backup, lost: Some(Lost { archived }) } = source else { return Ok(log) };
    let site = Site::of(agent.clone(), generation.instance());
    // What was restored in its place, or is another one of the name, did not write this log.
    if archive::current_number(&site)? != Some(generation.info().number) {
        return Ok(log);
    }
    match archived {
        Ok(0) => {}
        Ok(count) => {
            watcher.say(format!(
                "its server does not serve: {count} files of the log that it had finished are archived now"
            ));
        }
        Err(why) => {
            watcher.say(format!("its server does not serve, and what it had finished cannot be archived: {why}"));
        }
    }
    if second::is_far(agent, generation) {
        watcher.say("what only its server has of the log is not added to what the second repository has");
        return Ok(log);
    }
    // What was committed before is in the files, should it write again by now.
    let seen_at = Timestamp::now();
    let record = agent.shown(generation.instance())?.record;
    let (own, of, to) = (generation.clone(), backup.clone(), place.data.join("pg_wal"));
    let from = site.node(record.primary()).data.join("pg_wal");
    let owner = store::owner(&agent.run_as);
    let brought = blocking(move || Rest::new(&own, &of, &from, Timeline(record.ha.timeline))?.copy(&to, owner));
    let (told, log) = match brought.await? {
        Brought::Nothing(why) => (format!("its server does not serve, and {why}"), log),
        Brought::Files { count, segments, timeline, is_all, gap } => {
            let log = Log {
                // Nobody writes any more: this is all there is.
                until: if is_all { Some(seen_at) } else { log.until },
                timeline: Some(timeline).filter(|timeline| *timeline != backup.timeline),
                segments: Some(segments),
            };
            let files = if count == 1 { "1 file".to_owned() } else { format!("{count} files") };
            let gap = gap.map_or_else(String::new, |gap| format!("; {gap}"));
            (
                format!("its server does not serve: {files} of the log, not archived, taken from its own folder{gap}"),
                log,
            )
        }
    };
    watcher.say(told);
    Ok(log)
}

/// What came of it.
enum Brought {
    /// Nothing, and why.
    Nothing(String),
    /// Files of the log that are not archived.
    Files {
        count: u64,
        /// All that can be replayed.
        segments: Segments,
        /// Where they lead.
        timeline: Timeline,
        /// Whether nothing that was written lies behind a gap after them.
        is_all: bool,
        /// What is missing of what the server wrote.
        gap: Option<String>,
    },
}

/// The log in a server's folder, beside what is archived.
struct Rest<'a> {
    generation: &'a Generation,
    backup: &'a Backup,
    from: &'a Path,
    timeline: Timeline,
}

impl<'a> Rest<'a> {
    /// `seen`: the timeline that its server was last seen on. It may have begun another one right before it ended.
    fn new(
        generation: &'a Generation,
        backup: &'a Backup,
        from: &'a Path,
        seen: Timeline,
    ) -> Result<Self, ProviderError> {
        let mut timeline = seen.max(backup.timeline);
        let entries = match std::fs::read_dir(from) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            other => Some(other.map_err(|error| io_error("read", from, &error))?),
        };
        for entry in entries.into_iter().flatten().flatten() {
            let name = entry.file_name().to_str().and_then(|name| name.parse().ok());
            let Some(WalName::History(later)) = name.filter(|name: &WalName| name.timeline() > timeline) else {
                continue;
            };
            let history = read_history(later, &entry.path()).map_err(store::refused)?;
            if history.is_some_and(|history| history.switches.iter().any(|switch| switch.from == timeline)) {
                timeline = later;
            }
        }
        Ok(Self { generation, backup, from, timeline })
    }

    /// Copies what can be replayed after the backup and is not archived. Blocking.
    fn copy(&self, to: &Path, owner: Option<(u32, u32)>) -> Result<Brought, ProviderError> {
        let Self { generation, backup, from, timeline } = *self;
        if !from.exists() {
            return Ok(Brought::Nothing(format!("{} is not there: what is archived is all there is", from.display())));
        }
        let history = WalName::History(timeline).to_string();
        let mut holdings = generation.holdings().map_err(store::refused)?;
        let is_known = holdings.histories.iter().any(|known| known.timeline == timeline);
        if !is_known {
            holdings.histories.extend(read_history(timeline, &from.join(&history)).map_err(store::refused)?);
        }
        if chain_to(timeline, backup, &holdings).is_none() {
            let why = "its log is of timeline";
            return Ok(Brought::Nothing(format!(
                "{why} {timeline}, to which nothing leads from the backup {}",
                backup.name
            )));
        }
        let legs = lineage(timeline, &holdings.histories);
        let archived: BTreeSet<WalName> = holdings.wal.iter().map(|file| file.name).collect();
        let bytes = backup.wal_segment_bytes;
        let first = backup.start_lsn.segment(bytes);
        let (mut next, mut count) = (first, 0);
        'segments: loop {
            for timeline in timelines_of(next, &legs, bytes) {
                let segment = SegmentName::new(timeline, next, bytes);
                if archived.contains(&WalName::Segment(segment)) {
                    next += 1;
                    continue 'segments;
                }
                let name = segment.to_string();
                let copied = generation.copy_segment(segment, &from.join(&name), &to.join(&name), owner);
                if copied.map_err(store::refused)? {
                    (next, count) = (next + 1, count + 1);
                    continue 'segments;
                }
            }
            break;
        }
        let gap = self.gap_at(next, &legs).map(|later| {
            let its = timelines_of(next, &legs, bytes).next().unwrap_or(timeline);
            let missing = SegmentName::new(its, next, bytes);
            format!("its own log lacks {missing} or has it damaged, and goes on with {later}: what was committed from there on is not restored")
        });
        if count == 0 {
            let why = "its log goes no further than what is archived";
            return Ok(Brought::Nothing(gap.unwrap_or_else(|| why.to_owned())));
        }
        if !is_known {
            generation
                .copy_history(timeline, &from.join(&history), &to.join(&history), owner)
                .map_err(store::refused)?;
        }
        let is_behind = |name: &WalName| match name {
            WalName::Segment(segment) => segment.timeline == timeline && segment.number(bytes) >= next,
            WalName::History(_) | WalName::BackupNote(..) | WalName::Partial(_) => false,
        };
        let is_all = gap.is_none() && !archived.iter().any(is_behind);
        Ok(Brought::Files { count, segments: Segments { first, last: next - 1, bytes }, timeline, is_all, gap })
    }

    /// The first segment that the server wrote behind one that it lacks.
    fn gap_at(&self, missing: u64, legs: &[Leg]) -> Option<SegmentName> {
        let bytes = self.backup.wal_segment_bytes;
        let entries = std::fs::read_dir(self.from).ok()?.flatten();
        let written = entries.filter_map(|entry| {
            let WalName::Segment(segment) = entry.file_name().to_str()?.parse().ok()? else { return None };
            let number = segment.number(bytes);
            let is_its = number > missing && timelines_of(number, legs, bytes).any(|its| its == segment.timeline);
            (is_its && self.generation.has_written(segment, &entry.path()).unwrap_or(true)).then_some(segment)
        });
        written.min_by_key(|segment| segment.number(bytes))
    }
}
