//! Keeping everybody out of an instance while its last backup is taken: what a client was told is committed is in it.
//!
//! Who may come in stands in `pg_hba.conf`, which stays as it was left whoever is killed: as long as it lets nobody in, nobody was in
//! since. The way back is the file that follows from the record.

use std::os::unix::fs::OpenOptionsExt as _;
use std::time::{Duration, Instant};

use pgherd_core::ha::NodeId;
use pgherd_engine::provider::{ErrorKind, ProviderError};

use crate::postgres::conf::{self, SUPERUSER};
use crate::postgres::{io_error, packed};
use crate::supervisor::configure::Candidate;
use crate::supervisor::jobs;
use crate::supervisor::ledger::Record;
use crate::supervisor::site::{Site, blocking};

/// How long sessions may take to end.
const GONE_WITHIN: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Whether nobody could come in since it was shut.
pub fn is_shut(site: &Site, node: NodeId) -> bool {
    let text = std::fs::read_to_string(site.node(node).hba_conf());
    text.is_ok_and(|text| text == conf::hba_of_nobody())
}

/// Lets nobody in any more, and ends the sessions of whoever is.
pub async fn shut(site: &Site, record: &Record, node: NodeId) -> Result<(), ProviderError> {
    write(site, node, conf::hba_of_nobody()).await?;
    if !jobs::reload(site, record, node).await? {
        return Err(ProviderError::new(ErrorKind::Unavailable, format!("{node} does not run")));
    }
    let session = site.connect(record, node, "postgres").await?;
    let until = Instant::now() + GONE_WITHIN;
    let end = "SELECT count(pg_terminate_backend(pid))::text FROM pg_stat_activity \
               WHERE backend_type = 'client backend' AND usename IS DISTINCT FROM $1";
    // Also whoever was just logging in.
    while session.one(end, &[&SUPERUSER]).await?.get::<_, String>(0) != "0" {
        if Instant::now() > until {
            let message = format!("sessions of clients do not end within {} s", GONE_WITHIN.as_secs());
            return Err(ProviderError::new(ErrorKind::TimedOut, message).help("pgherd status names them; repeat"));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(())
}

/// Refuses when somebody is in all the same, or the writes go to another server: a login that took long, a failover.
pub async fn refuse_company(site: &Site, record: &Record, node: NodeId) -> Result<(), ProviderError> {
    let session = site.connect(record, node, "postgres").await?;
    let who = "SELECT count(*)::text FROM pg_stat_activity \
               WHERE backend_type = 'client backend' AND usename IS DISTINCT FROM $1";
    let is_alone = session.one(who, &[&SUPERUSER]).await?.get::<_, String>(0) == "0";
    if is_alone && site.agent.shown(&site.name)?.record.primary() == node && is_shut(site, node) {
        return Ok(());
    }
    let message = "clients came in while the last backup was taken, and may have written what is not in it";
    Err(ProviderError::new(ErrorKind::Conflict, message).help("repeat"))
}

/// Lets everybody in again who may come in.
pub async fn open(site: &Site, record: &Record, node: NodeId) -> Result<(), ProviderError> {
    if !is_shut(site, node) {
        return Ok(());
    }
    write(site, node, Candidate::of(site, record, node)?.hba()).await?;
    jobs::reload(site, record, node).await.map(drop)
}

async fn write(site: &Site, node: NodeId, text: String) -> Result<(), ProviderError> {
    let (path, run_as) = (site.node(node).hba_conf(), site.agent.run_as.clone());
    blocking(move || {
        let next = path.with_extension("next");
        let refuse = |error: std::io::Error| io_error("write", &next, &error);
        let mut file = std::fs::OpenOptions::new();
        let mut file = file.write(true).create(true).truncate(true).mode(0o600).open(&next).map_err(refuse)?;
        std::io::Write::write_all(&mut file, text.as_bytes()).and_then(|()| file.sync_all()).map_err(refuse)?;
        run_as.own(&next)?;
        std::fs::rename(&next, &path).map_err(|error| io_error("replace", &path, &error))?;
        packed::sync_folder(path.parent().unwrap_or(&path))
    })
    .await
}
