//! A node's server, started in a role and stopped.

use std::time::Duration;

use pgherd_engine::provider::{ErrorKind, ProviderError};

use super::role::{self, RoleConf};
use super::{Place, blocking, fence, nobody_at_work};
use crate::postgres::process::{self, Postmaster, Start, Stop};
use crate::postgres::{Result, stale};

/// Starts a server as a standby or as a primary with this role, and returns when it can be seen to run, not when it is ready;
/// an error when it ends instead.
pub async fn start(place: &Place, role: &RoleConf, standby: bool, deadline: Duration) -> Result<Postmaster> {
    let postmaster = begin(place, role, standby).await?;
    // Until it names itself in its directory it could be taken for dead.
    postmaster.begun(deadline).await?;
    Ok(postmaster)
}

/// The same, and returns at once. Refused while any process is left in its directory, and where a rewind began and did not end.
/// Its configuration and certificate have to be there.
pub async fn begin(place: &Place, role: &RoleConf, standby: bool) -> Result<Postmaster> {
    let (to, role) = (place.clone(), role.clone());
    blocking(move || {
        crate::postgres::processes::reap();
        nobody_at_work(&to.layout)?;
        if to.layout.torn().exists() {
            let message = format!("{} was being rewound, which did not end", to.layout.data.display());
            return Err(ProviderError::new(ErrorKind::Conflict, message).help("it has to be copied anew"));
        }
        // A node that lost its server by a reboot may find its number taken by another's.
        stale::remove(&to.layout, to.port)?;
        role::write(&to, &role)?;
        role::set_standby(&to, standby)
    })
    .await?;
    let config_file = place.layout.postgresql_conf();
    process::start(&Start {
        server: &place.server,
        run_as: &place.run_as,
        data: &place.layout.data,
        config_file: Some(&config_file),
        log: &place.layout.log,
        overrides: Vec::new(),
    })
}

/// Stops a server fast: clients are cut off, connected standbys get everything. One that takes longer than the deadline is
/// ended for certain. Returns when no process of it is left. Repeatable.
pub async fn stop(place: &Place, deadline: Duration) -> Result<()> {
    if let Some(postmaster) = process::adopt(&place.layout.data)?
        && postmaster.stop(Stop::Fast, deadline).await.is_ok()
    {
        return Ok(());
    }
    fence::kill(&place.layout).await.map(drop)
}
