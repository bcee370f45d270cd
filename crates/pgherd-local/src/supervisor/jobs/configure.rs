//! Putting the configuration that is wanted in force, on every server.

use std::time::Duration;

use pgherd_core::ha::NodeId;
use pgherd_engine::provider::{ErrorKind, ProviderError};

use super::learn::{Facts, learn};
use crate::postgres::process;
use crate::postgres::session::Session;
use crate::supervisor::configure::{self, Candidate};
use crate::supervisor::ledger::Record;
use crate::supervisor::site::{CONNECT_DEADLINE, Site};

/// Writes the files of all servers and has those that run read them. What the primary says afterwards, when it runs.
pub(super) async fn configure(site: &Site, record: &mut Record) -> Result<Option<Facts>, ProviderError> {
    site.reserve_node_ports(record)?;
    for node in record.nodes() {
        let written = Candidate::of(site, record, node)?.put_in_force().await;
        // One that leaves takes its folder with it, and does so beside this.
        let has_left = || node != record.primary() && !site.node(node).folder().is_dir();
        written.or_else(|error| if has_left() { Ok(()) } else { Err(error) })?;
    }
    let primary = record.primary();
    for node in record.nodes().into_iter().filter(|node| *node != primary) {
        if let Err(error) = reload(site, record, node).await {
            // It reads its files when it starts again.
            tracing::warn!(instance = site.name, "{node}: {error}");
        }
    }
    if reload(site, record, primary).await? { learn(site, record).await.map(Some) } else { Ok(None) }
}

/// Wants again what was proven last.
pub(super) fn fall_back(site: &Site, record: &mut Record) {
    let trouble = record.trouble.clone().unwrap_or_default();
    if let Some(proven) = record.proven.clone() {
        record.wanted = configure::with_configuration_of(&record.wanted, &proven);
        record.port = proven.port.or(record.port);
        record.server = record.proven_server.clone().or(record.server.take());
    }
    site.note(format!("went back to the configuration that worked: {trouble}"));
}

/// Has a server that runs read its files, and waits until it has. Says whether it runs.
pub async fn reload(site: &Site, record: &Record, node: NodeId) -> Result<bool, ProviderError> {
    let Some(postmaster) = process::adopt(&site.node(node).data)? else { return Ok(false) };
    if postmaster.ready(CONNECT_DEADLINE).await.is_err() {
        // It recovers, and cannot be asked: it is told all the same. Or it has ended, and reads its files when it starts again.
        postmaster.reload()?;
        return Ok(false);
    }
    let session = site.connect(record, node, "postgres").await?;
    read_again(&session).await.map(|()| true)
}

/// Has a server read its files, and waits until it has.
pub(super) async fn read_again(session: &Session) -> Result<(), ProviderError> {
    let loaded = "SELECT pg_conf_load_time()::text";
    let before: String = session.one(loaded, &[]).await?.get(0);
    session.run("SELECT pg_reload_conf()").await?;
    let read = async {
        // A session learns of it between two of its statements.
        while session.one(loaded, &[]).await?.get::<_, String>(0) == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok::<_, ProviderError>(())
    };
    tokio::time::timeout(CONNECT_DEADLINE, read).await.unwrap_or_else(|_| {
        Err(ProviderError::new(ErrorKind::TimedOut, "the server did not read its configuration again"))
    })?;
    let errors = session.file_errors().await?;
    if errors.is_empty() { Ok(()) } else { Err(ProviderError::new(ErrorKind::Invalid, errors.join("; "))) }
}
