//! Whether the server of a database serves, and having it archive what it committed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgherd_archive::Generation;
use pgherd_core::ha;
use pgherd_engine::provider::{ErrorKind, ProviderError};

use super::{archive, second};
use crate::postgres::session::Session;
use crate::supervisor::agent::Agent;
use crate::supervisor::requests::Shown;
use crate::supervisor::site::{Site, blocking};
use crate::supervisor::upkeep::Goal;

/// How long a server may take to archive what it was just told to finish.
const ARCHIVED_WITHIN: Duration = Duration::from_secs(60);
/// How long one that runs may leave unanswered that it is to finish something.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
/// After that it is looked whether it runs still: longer than a busy machine takes to let somebody in.
const LOOK_WHETHER_IT_RUNS: Duration = Duration::from_secs(8);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Whether nobody writes the log of a database, and nobody is about to: its server does not run, or ends whenever it is started, and none
/// takes over from it. A server that is slow to answer serves.
pub fn serves_no_more(shown: &Shown) -> bool {
    is_lost(shown.pid.is_some(), &shown.record.memory.goal, &shown.record.ha)
}

fn is_lost(runs: bool, goal: &Goal, ha: &ha::Memory) -> bool {
    let primary = ha.primary.and_then(|primary| ha.members.get(&primary));
    let is_broken = primary.is_some_and(|member| member.retry.failures > 1);
    // What it has alone its successor does not have. One that was stopped has none.
    let is_taken_over = ha.promotable.is_some() || ha.fence.is_some() || ha.switchover.is_some();
    (!runs || is_broken) && (*goal != Goal::Serve || !is_taken_over)
}

/// Whether a server that serves archives to a generation: more of the log may come at any time. Blocking.
pub fn is_archived_to(agent: &Arc<Agent>, generation: &Generation) -> Result<bool, ProviderError> {
    let name = generation.instance();
    let is_run = |shown: Shown| !serves_no_more(&shown) && shown.record.wanted.is_archived();
    if second::is_far(agent, generation) || !agent.shown(name).is_ok_and(is_run) {
        return Ok(false);
    }
    Ok(archive::current_number(&Site::of(agent.clone(), name))? == Some(generation.info().number))
}

/// Has a server that serves archive everything that was committed, with a commit behind it by which recovery tells that it is past a
/// moment. `false`: it serves no more, or nobody archives.
pub async fn finish_segment(agent: &Arc<Agent>, of: &str) -> Result<bool, ProviderError> {
    let Ok(Shown { record, .. }) = agent.shown(of) else { return Ok(false) };
    if !record.wanted.is_archived() || record.memory.goal != Goal::Serve {
        return Ok(false);
    }
    let site = Site::of(agent.clone(), of);
    if !archive::settings_file(&site).exists() {
        return Ok(false);
    }
    let Some(session) = session_soon(&site).await? else { return Ok(false) };
    session.run("SELECT pg_current_xact_id()").await?;
    let row = session.one("SELECT pg_walfile_name(pg_switch_wal())", &[]).await?;
    let name: String = row.get(0);
    let end = Instant::now() + ARCHIVED_WITHIN;
    let sql = "SELECT coalesce(last_archived_wal COLLATE \"C\" >= $1, false) FROM pg_stat_archiver";
    while !session.one(sql, &[&name]).await?.get::<_, bool>(0) {
        if Instant::now() > end {
            let message = format!("{of} has not archived its log within {} s", ARCHIVED_WITHIN.as_secs());
            return Err(ProviderError::new(ErrorKind::Unavailable, message)
                .help("pgherd status says why; --backup restores a backup without the log after it"));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(true)
}

/// A session, once the server answers; `None`: it serves no more.
async fn session_soon(site: &Site) -> Result<Option<Session>, ProviderError> {
    let end = Instant::now() + ANSWERS_WITHIN;
    loop {
        let shown = site.agent.shown(&site.name)?;
        if serves_no_more(&shown) {
            return Ok(None);
        }
        let asked = site.connect(&shown.record, shown.record.primary(), "postgres");
        let asked = tokio::time::timeout(LOOK_WHETHER_IT_RUNS, asked).await;
        if let Ok(Ok(session)) = asked {
            return Ok(Some(session));
        }
        if Instant::now() > end {
            let why = if shown.pid.is_some() { "runs and does not answer" } else { "is being taken over" };
            let message = match asked {
                Ok(Err(error)) => format!("{} {why}: {error}", site.name),
                Ok(Ok(_)) | Err(_) => format!("{} {why}", site.name),
            };
            return Err(ProviderError::new(ErrorKind::Unavailable, message)
                .help("pgherd status says how it is; --backup restores a backup without the log after it"));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Archives the finished log of a server that does not do so itself, as far as there is any.
pub async fn rescue_what_is_finished(agent: &Arc<Agent>, of: &str) {
    let Ok(Shown { record, .. }) = agent.shown(of) else { return };
    let site = Site::of(agent.clone(), of);
    if let Err(error) = blocking(move || archive::rescue(&site, record.primary())).await {
        tracing::warn!(instance = of, "{error}");
    }
}

#[cfg(test)]
mod tests {
    use pgherd_core::ha::{Copy, Duty, Member, NodeId};

    use super::*;

    #[test]
    fn a_server_serves_no_more_when_nobody_writes_its_log_and_nobody_is_about_to() {
        let member = Member::new(Duty::Pair, Copy::Good);
        let alone = ha::Memory {
            primary: Some(NodeId(1)),
            members: [(NodeId(1), member.clone())].into(),
            ..ha::Memory::default()
        };
        assert!(!is_lost(true, &Goal::Serve, &alone), "however long it leaves a question unanswered");
        assert!(is_lost(false, &Goal::Serve, &alone));
        let mut broken = alone.clone();
        broken.members.insert(NodeId(1), Member { retry: ha::Retry { failures: 2, ..member.retry }, ..member });
        assert!(is_lost(true, &Goal::Serve, &broken), "it ends whenever it is started");
        let pair = ha::Memory { promotable: Some(NodeId(2)), ..alone };
        assert!(!is_lost(false, &Goal::Serve, &pair), "another one takes over");
        assert!(is_lost(false, &Goal::Stopped, &pair) && !is_lost(true, &Goal::Stopped, &pair));
    }
}
