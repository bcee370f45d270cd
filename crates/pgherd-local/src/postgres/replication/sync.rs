//! Changes of a running server's role: written, told, and seen to be in force.

use std::time::Duration;

use pgherd_core::ha::NodeId;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use tokio::time::Instant;

use super::role::{self, RoleConf};
use super::{Place, blocking};
use crate::postgres::session::Session;
use crate::postgres::{Result, process};

/// How often to look whether a reload has reached a session. PostgreSQL gives no notice of that.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Has commits of the running primary wait for `to`, or for nobody, and returns when that is in force in its sessions.
/// Repeatable; at the deadline an error, and it may come into force later.
///
/// Processes read the file each in its own time: a commit may go unwaited for a moment longer.
pub async fn set_sync(place: &Place, to: Option<NodeId>, deadline: Duration) -> Result<()> {
    let role = RoleConf { upstream: None, sync: to };
    put_in_force(place, &role, deadline).await
}

/// Writes the role, has the running server read it, and waits until a session has it.
pub(super) async fn put_in_force(place: &Place, role: &RoleConf, deadline: Duration) -> Result<()> {
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
                return Ok(());
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
