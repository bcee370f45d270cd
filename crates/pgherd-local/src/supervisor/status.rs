//! Everything `pgherd status` shows of an instance. Sends no write.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pgherd_core::ha::{Failover, NodeId, SyncMode};
use pgherd_core::resource::{Pending, Status};
use pgherd_core::window::Window;
use pgherd_engine::provider::{ErrorKind, ProviderError};

use super::agent::Agent;
use super::backups::{self, archive};
use super::configure;
use super::ledger::Record;
use super::messages::{ArchiveReport, FailoverReport, Follows, Node, PoolerReport, StatusReport, StorageReport};
use super::observe::{connect, encrypted, endpoint, kept, pending, primary, read_port, role, running_port, status_of};
use super::pooled::{self, Standing};
use super::pressure;
use super::requests::Shown;
use super::site::{Site, blocking};
use super::upkeep::{Goal, Restart};
use super::warnings;
use crate::paths::Layout;
use crate::postgres::session::{Session, Usage};
use crate::storage;

/// How long a status waits for what is stored.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// Everything `pgherd status` shows.
pub async fn of(agent: &Arc<Agent>, shown: &Shown) -> StatusReport {
    let record = &shown.record;
    let layout = primary(agent, record);
    let session = connect(shown, &layout).await.ok();
    let usage = match &session {
        Some(session) => session.usage().await.ok(),
        None => None,
    };
    let pending = match &session {
        Some(session) => pending(session, record).await.unwrap_or_else(|_| shown.pending.clone()),
        None => shown.pending.clone(),
    };
    let followers = match &session {
        Some(session) => followers(session).await.unwrap_or_default(),
        None => BTreeMap::new(),
    };
    let pending: Vec<Pending> = pending.into_iter().chain(kept(record)).collect();
    let now = Timestamp::now();
    let storage = storage_report(record, &layout);
    let (site, of) = (Site::of(agent.clone(), &record.name), record.clone());
    let (queue, last_at) = (site.clone(), site);
    let (queued, wanted) = (of.clone(), of);
    let archive = blocking(move || Ok(archive::queue(&queue, &queued))).await.unwrap_or_default();
    let (kept, last_at) = tokio::join!(
        answered(backups::report(agent, &record.name)),
        answered(blocking(move || Ok(archive::last_at(&last_at, &wanted)))),
    );
    let archive = archive.map(|archive| ArchiveReport { last_at: last_at.unwrap_or_default(), ..archive });
    let (own, name) = (agent.clone(), record.name.clone());
    let disks = answered(blocking(move || Ok(pressure::of(&own, &name)))).await.unwrap_or_default();
    let mut warnings = warnings::of(shown, &storage);
    warnings.extend(warnings::of_backups(agent, record, archive.as_ref(), kept.as_ref().err(), disks));
    let kept = kept.unwrap_or_default();
    StatusReport {
        name: record.name.clone(),
        status: shown.busy.clone().map_or_else(|| status_of(shown), Status::Busy),
        engine_version: record.server.as_ref().map(|server| server.version.to_string()),
        engine_asked: record.wanted.engine_version.clone().filter(|_| record.server_note.is_some()),
        endpoint: endpoint(agent, record, &layout),
        nodes: record
            .nodes()
            .into_iter()
            .map(|node| Node { follows: followers.get(&node).cloned(), ..self::node(agent, shown, node, usage, now) })
            .collect(),
        commits_wait_for: record.ha.promotable.map(|standby| standby.to_string()),
        degraded_since: degraded_since(record),
        commits_blocked: are_commits_blocked(record, &followers),
        degraded: record.alone.past.clone(),
        last_failover: record.ha.failover.as_ref().map(failover_report),
        ways: shown.ways.clone(),
        read_port: read_port(record),
        limits: limits(agent, shown),
        window_opens: window_opens(record, &pending, now),
        warnings,
        backups: kept.kept,
        aside: kept.aside,
        restorable: kept.restorable.filter(|_| record.wanted.is_archived()),
        archive,
        second_copy: agent.desk.of(&record.name).second,
        last_drill: backups::last_drill(&Site::of(agent.clone(), &record.name)),
        next_drill_at: agent.desk.of(&record.name).drill_due_at,
        last_check: backups::last_check(&Site::of(agent.clone(), &record.name)),
        tls_expires_at: configure::certificate(&layout).map(|certificate| certificate.not_after),
        pooler: pooler(agent, shown).await,
        storage,
        pending,
    }
}

/// What a repository says in time: one that does not answer is told, and holds nobody up who wants to know of the servers.
async fn answered<T>(asked: impl Future<Output = Result<T, ProviderError>>) -> Result<T, ProviderError> {
    tokio::time::timeout(ANSWERS_WITHIN, asked).await.unwrap_or_else(|_| {
        let message = format!("the repository does not answer within {} s", ANSWERS_WITHIN.as_secs());
        Err(ProviderError::new(ErrorKind::Unavailable, message))
    })
}

async fn pooler(agent: &Agent, shown: &Shown) -> Option<PoolerReport> {
    let record = &shown.record;
    let (pool, port, found) = (record.pool()?, record.pooler_port?, shown.pooler.as_ref()?);
    let state = match &found.standing {
        Standing::Settled(lead) if lead.paused => "holding clients back",
        Standing::Settled(_) => "running",
        Standing::Coming if found.pid.is_some() => "being told where to lead",
        Standing::Coming => "starting",
        Standing::Failed(_) | Standing::Absent => "down",
    };
    let clients = match found.pid {
        Some(_) => pooled::clients(agent, &record.name, port).await,
        None => None,
    };
    Some(PoolerReport {
        port,
        state: state.to_owned(),
        pid: found.pid.and_then(|pid| u32::try_from(pid).ok()),
        pool_mode: pool.pool_mode.clone(),
        default_pool_size: pool.default_pool_size,
        max_client_conn: pool.max_client_conn,
        clients,
    })
}

fn node(agent: &Agent, shown: &Shown, node: NodeId, usage: Option<Usage>, now: Timestamp) -> Node {
    let record = &shown.record;
    let pid = shown.pids.iter().find(|(known, _)| *known == node).map(|(_, pid)| *pid);
    let usage = usage.filter(|_| node == record.primary());
    let layout = agent.options.paths.instance(&record.name).node(node);
    Node {
        name: node.to_string(),
        role: role(record, node).to_owned(),
        state: node_state(pid, record).to_owned(),
        port: running_port(&layout).or(record.port_of(node)).unwrap_or_default(),
        pid: pid.and_then(|pid| u32::try_from(pid).ok()),
        started_at: usage.and_then(|usage| now.checked_sub(SignedDuration::from_secs(usage.uptime_s)).ok()),
        connections: usage.and_then(|usage| u32::try_from(usage.connections).ok()),
        follows: None,
    }
}

/// Who follows the primary, as it says itself.
async fn followers(session: &Session) -> Result<BTreeMap<NodeId, Follows>, ProviderError> {
    let sql = "SELECT application_name, sync_state = 'sync', state = 'streaming', \
               pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::int8, (extract(epoch FROM replay_lag) * 1000)::int8 \
               FROM pg_stat_replication WHERE NOT pg_is_in_recovery() ORDER BY pid";
    let follows = |row: &tokio_postgres::Row| {
        let name: String = row.get(0);
        let node = NodeId(name.strip_prefix('n')?.parse().ok()?);
        let number = |column| row.get::<_, Option<i64>>(column).and_then(|number| u64::try_from(number.max(0)).ok());
        let behind_bytes = number(3);
        Some((
            node,
            Follows {
                synchronous: row.get::<_, Option<bool>>(1).unwrap_or_default(),
                streaming: row.get::<_, Option<bool>>(2).unwrap_or_default(),
                behind_bytes,
                // What was measured for the last commit says nothing of one that has caught up since.
                behind_ms: if behind_bytes == Some(0) { Some(0) } else { number(4) },
            },
        ))
    };
    Ok(session.rows(sql, &[]).await?.iter().filter_map(follows).collect())
}

/// Whether commits wait for a standby that is not there. One that has just come back is, before it may take over by itself.
fn are_commits_blocked(record: &Record, followers: &BTreeMap<NodeId, Follows>) -> bool {
    let there = followers.values().any(|follows| follows.synchronous && follows.streaming);
    record.wanted.local_sync == SyncMode::Required && degraded_since(record).is_some() && !there
}

/// A pair whose standby is not promotable yet is degraded from its beginning.
fn degraded_since(record: &Record) -> Option<Timestamp> {
    let whole = !record.wanted.multi_az || record.ha.promotable.is_some();
    if whole { None } else { record.alone.since.or(record.ha.degraded_since).or(Some(record.created_at)) }
}

fn failover_report(failover: &Failover) -> FailoverReport {
    let examined = failover.examined.as_ref();
    FailoverReport {
        at: failover.at,
        from: failover.from.to_string(),
        to: failover.to.to_string(),
        why: failover.why.clone(),
        planned: failover.planned,
        served_at: failover.served_at,
        whole: failover.whole,
        fork: failover.fork.map(|fork| fork.to_string()),
        old_end: examined.map(|examined| examined.end.to_string()),
        lost_commits: examined.and_then(|examined| examined.lost_commits),
    }
}

fn node_state(pid: Option<i32>, record: &Record) -> &'static str {
    match (pid, &record.memory.goal) {
        (Some(_), _) => "running",
        (None, Goal::Stopped) => "stopped",
        (None, Goal::Serve | Goal::Gone { .. }) => "down",
    }
}

fn storage_report(record: &Record, layout: &Layout) -> StorageReport {
    StorageReport {
        used_bytes: storage::used_bytes(&layout.data),
        allocated_gib: record.memory.allocated_gib,
        max_allocated_gib: record.wanted.max_allocated_storage_gib,
        free_bytes: storage::free_bytes(&layout.root),
        encrypted: encrypted(layout),
    }
}

/// When what waits will be done: at the opening of the window, unless nobody asked for that.
fn window_opens(record: &Record, pending: &[Pending], now: Timestamp) -> Option<Timestamp> {
    let waits = !pending.is_empty() && record.memory.restart == Restart::InWindow || record.pooler_kept.is_some();
    Some(Window::parse_weekly(&record.wanted.maintenance_window)?.next_opening(now)).filter(|_| waits)
}

fn limits(agent: &Agent, shown: &Shown) -> Vec<String> {
    let sizing = crate::sizing::size(&configure::size(&shown.record.wanted), agent.machine(&shown.record.name));
    shown.limits.iter().cloned().chain(sizing.notes).collect()
}
