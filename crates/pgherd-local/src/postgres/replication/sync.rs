//! Changes of a running server's role: written, told, and seen to be in force.

use std::time::Duration;

use pgherd_core::ha::NodeId;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use tokio::time::Instant;

use super::role::{self, RoleConf};
use super::{Place, blocking, probe};
use crate::postgres::session::Session;
use crate::postgres::{Result, process};

/// How often to look whether a reload has reached a session. PostgreSQL gives no notice of that.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// How long to try to see a commit wait. It does so for as long as the standby takes to put it on disk.
const WAIT_DEADLINE: Duration = Duration::from_millis(500);
/// Whatever the user set, the commit is one that waits; and how its session ends is nobody's business.
const WAITS: &str = "SET synchronous_commit = on; SET default_transaction_read_only = off; SET statement_timeout = 0; \
                     SET log_min_messages = panic";
/// There is a lock of the same name, for which a commit may wait that then waits for nobody.
const SEES: &str = "SELECT wait_event_type IS NOT DISTINCT FROM 'IPC' AND wait_event IS NOT DISTINCT FROM 'SyncRep' \
                    FROM pg_stat_get_activity($1)";

/// Has commits of the running primary wait for `to`, or for nobody, and returns when that is in force in its sessions, and
/// whether a commit was seen to wait. Repeatable; at the deadline an error, and it may come into force later.
///
/// Processes read the file each in its own time. Whether commits wait is in shared memory, put there by the checkpointer
/// (`SyncRepUpdateSyncStandbysDefined`), which reads nothing while it is busy: one commit that waits proves it for all. For whom
/// is each WAL sender's to say (`sync_priority`).
pub async fn set_sync(place: &Place, to: Option<NodeId>, deadline: Duration) -> Result<bool> {
    let role = RoleConf { upstream: None, sync: to };
    let session = put_in_force(place, &role, deadline).await?;
    if to.is_none() {
        return Ok(false);
    }
    match tokio::time::timeout(2 * WAIT_DEADLINE, is_seen_to_wait(place, &session)).await {
        Ok(Ok(seen)) => Ok(seen),
        // Who could not look has not seen it, and tries again.
        Ok(Err(error)) => {
            tracing::warn!("{}: it could not be seen whether commits wait: {error}", place.id);
            Ok(false)
        }
        Err(_) => Ok(false),
    }
}

/// Commits in a session of its own until one is seen to wait.
async fn is_seen_to_wait(place: &Place, watcher: &Session) -> Result<bool> {
    let writer = Session::connect(&place.layout.socket, place.port, "postgres", WAIT_DEADLINE).await?;
    writer.run(WAITS).await?;
    let pid: i32 = writer.one("SELECT pg_backend_pid()", &[]).await?.get(0);
    let writes = async {
        loop {
            writer.one(probe::WRITE, &[]).await?;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let sees = async {
        while !watcher.one(SEES, &[&pid]).await?.get::<_, bool>(0) {}
        Ok(true)
    };
    let seen = tokio::select! {
        refused = writes => refused,
        seen = sees => seen,
        () = tokio::time::sleep(WAIT_DEADLINE) => Ok(false),
    };
    // Where the standby is still to come it would wait for that, whether somebody listens or not.
    watcher.one("SELECT pg_terminate_backend($1)", &[&pid]).await?;
    seen
}

/// Writes the role, has the running server read it, and waits until a session has it, which is given back.
pub(super) async fn put_in_force(place: &Place, role: &RoleConf, deadline: Duration) -> Result<Session> {
    let end = Instant::now() + deadline;
    write_and_reload(place, role).await?;
    let wanted = [
        role.upstream.as_ref().map(|upstream| upstream.conninfo(place.id)).unwrap_or_default(),
        role::names_setting(role.sync),
    ];
    let see = async {
        let session = Session::connect(&place.layout.socket, place.port, "postgres", deadline).await?;
        loop {
            let row = session
                .one("SELECT current_setting('primary_conninfo'), current_setting('synchronous_standby_names')", &[])
                .await?;
            if [row.get::<_, String>(0), row.get::<_, String>(1)] == wanted {
                return Ok(session);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout_at(end, see).await.unwrap_or_else(|_| Err(late(place, deadline)))
}

pub(super) async fn write_and_reload(place: &Place, role: &RoleConf) -> Result<()> {
    let (to, role) = (place.clone(), role.clone());
    blocking(move || role::write(&to, &role)).await?;
    running(place)?.reload()
}

/// The server that runs.
pub(super) fn running(place: &Place) -> Result<process::Postmaster> {
    process::adopt(&place.layout.data)?
        .ok_or_else(|| ProviderError::new(ErrorKind::Conflict, format!("{} does not run", place.id)))
}

fn late(place: &Place, deadline: Duration) -> ProviderError {
    let message = format!("{} has not taken in its new role after {} ms", place.id, deadline.as_millis());
    ProviderError::new(ErrorKind::TimedOut, message)
}
