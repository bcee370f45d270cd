//! The end of the log that the archive does not have, since the server that wrote it serves no more: not even its last commits are lost with
//! it, as long as its disk is there.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use pgherd_archive::Generation;
use pgherd_core::backups::{Backup, SegmentName};
use pgherd_engine::provider::ProviderError;

use super::source::Log;
use super::{archive, second, store};
use crate::paths::Layout;
use crate::postgres::io_error;
use crate::supervisor::agent::Agent;
use crate::supervisor::site::{Site, blocking};

/// A server that serves lets us in within that time.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// Puts it beside a copy, where recovery looks for what is not archived. Says in what is known of the log how far it goes then.
pub async fn bring(
    agent: &Arc<Agent>,
    generation: &Generation,
    backup: &Backup,
    place: &Layout,
    log: Log,
) -> Result<Log, ProviderError> {
    let timeline = log.timeline.unwrap_or(backup.timeline);
    let Some((from, its)) = lost_server(agent, generation).await? else { return Ok(log) };
    if its != timeline.0 {
        return Ok(log);
    }
    let (own, to, size) = (generation.clone(), place.data.join("pg_wal"), backup.wal_segment_bytes);
    let next = log.segments.map_or(backup.start_lsn.segment(size), |known| known.last + 1);
    let segment = move |number| SegmentName::new(timeline, number, size);
    let run_as = agent.run_as.clone();
    let brought = blocking(move || {
        let mut brought = 0;
        while let Some(path) = copy(&own, segment(next + brought), &from, &to)? {
            run_as.own(&path)?;
            brought += 1;
        }
        Ok(brought)
    })
    .await?;
    // Nobody writes any more: this is all there is.
    Ok(if brought > 0 { Log { until: Some(Timestamp::now()), ..log } } else { log })
}

/// The log of the primary that archives to a generation, and its timeline, where it does not serve.
async fn lost_server(agent: &Arc<Agent>, generation: &Generation) -> Result<Option<(PathBuf, u32)>, ProviderError> {
    let Ok(shown) = agent.shown(generation.instance()) else { return Ok(None) };
    let site = Site::of(agent.clone(), generation.instance());
    let is_its = archive::current_number(&site)? == Some(generation.info().number);
    if second::is_far(agent, generation) || !is_its {
        return Ok(None);
    }
    let record = shown.record;
    let asked = site.connect(&record, record.primary(), "postgres");
    if tokio::time::timeout(ANSWERS_WITHIN, asked).await.is_ok_and(|session| session.is_ok()) {
        return Ok(None);
    }
    Ok(Some((site.node(record.primary()).data.join("pg_wal"), record.ha.timeline)))
}

/// Copies a segment; `None`: there is none, or nothing was written to it yet.
fn copy(
    generation: &Generation,
    segment: SegmentName,
    from: &Path,
    to: &Path,
) -> Result<Option<PathBuf>, ProviderError> {
    let name = segment.to_string();
    let (from, to) = (from.join(&name), to.join(&name));
    if !from.exists() || !generation.is_segment(segment, &from).map_err(store::refused)? {
        return Ok(None);
    }
    std::fs::copy(&from, &to).map_err(|error| io_error("copy", &from, &error))?;
    Ok(Some(to))
}
