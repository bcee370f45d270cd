//! The end of the log that the archive does not have, since the server that wrote it serves no more: not even its last commits are lost with
//! it, as long as its disk is there.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use pgherd_archive::Generation;
use pgherd_core::backups::{Backup, SegmentName};
use pgherd_engine::provider::ProviderError;

use super::source::Log;
use super::{archive, second, store};
use crate::paths::Layout;
use crate::supervisor::agent::Agent;
use crate::supervisor::requests::Watcher;
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
    watcher: &Watcher,
) -> Result<Log, ProviderError> {
    let timeline = log.timeline.unwrap_or(backup.timeline);
    let Some((from, its)) = lost_server(agent, generation).await? else { return Ok(log) };
    if its != timeline.0 {
        watcher.say(format!(
            "its server does not serve, and the end of its log is of timeline {its}, to which what is archived does not lead"
        ));
        return Ok(log);
    }
    let (own, to, size) = (generation.clone(), place.data.join("pg_wal"), backup.wal_segment_bytes);
    let next = log.segments.map_or(backup.start_lsn.segment(size), |known| known.last + 1);
    let segment = move |number| SegmentName::new(timeline, number, size);
    let owner = store::owner(&agent.run_as);
    let brought = blocking(move || {
        let mut brought = 0;
        loop {
            let segment = segment(next + brought);
            let name = segment.to_string();
            let copied = own.copy_segment(segment, &from.join(&name), &to.join(&name), owner);
            if !copied.map_err(store::refused)? {
                return Ok(brought);
            }
            brought += 1;
        }
    })
    .await?;
    watcher.say(match brought {
        0 => "its server does not serve, and its log goes no further than what is archived".to_owned(),
        count => {
            format!("its server does not serve: {count} files of the log that are not archived are taken from its own")
        }
    });
    // Nobody writes any more: this is all there is.
    Ok(if brought > 0 { Log { until: Some(Timestamp::now()), ..log } } else { log })
}

/// Archives what a server that serves no more had finished and not archived, with the way to its timeline, as far as the archive takes it.
pub async fn archive_finished(agent: &Arc<Agent>, generation: &Generation) -> Result<(), ProviderError> {
    if lost_server(agent, generation).await?.is_none() {
        return Ok(());
    }
    let record = agent.shown(generation.instance())?.record;
    let (site, own) = (Site::of(agent.clone(), generation.instance()), generation.clone());
    let archived = blocking(move || {
        let primary = record.primary();
        archive::rescue(&site, primary)?;
        archive::fill(&site, &own, primary, record.ha.timeline)
    });
    if let Err(error) = archived.await {
        tracing::warn!(instance = generation.instance(), "the end of its log: {error}");
    }
    Ok(())
}

/// The log of the primary that archives to a generation, and its timeline, where it does not serve and nobody takes over from it.
async fn lost_server(agent: &Arc<Agent>, generation: &Generation) -> Result<Option<(PathBuf, u32)>, ProviderError> {
    let Ok(shown) = agent.shown(generation.instance()) else { return Ok(None) };
    let site = Site::of(agent.clone(), generation.instance());
    let is_its = archive::current_number(&site)? == Some(generation.info().number);
    if second::is_far(agent, generation) || !is_its {
        return Ok(None);
    }
    let record = shown.record;
    // What such a one has alone its successor does not have.
    if record.ha.promotable.is_some() {
        return Ok(None);
    }
    let asked = site.connect(&record, record.primary(), "postgres");
    if tokio::time::timeout(ANSWERS_WITHIN, asked).await.is_ok_and(|session| session.is_ok()) {
        return Ok(None);
    }
    Ok(Some((site.node(record.primary()).data.join("pg_wal"), record.ha.timeline)))
}
