//! Role, password, database, and nothing behind our back: what ALTER SYSTEM set is taken back.

use pgherd_core::secret::Secret;
use pgherd_engine::provider::ProviderError;

use super::ToDisk;
use super::configure::reload;
use super::learn::{Facts, learn};
use crate::postgres::session::{Session, quote};
use crate::postgres::template;
use crate::supervisor::ledger::Record;
use crate::supervisor::observe;
use crate::supervisor::secret::{self, Credentials, credentials};
use crate::supervisor::site::{Site, blocking};

pub(super) async fn settle(site: &Site, record: &mut Record, to_disk: Option<ToDisk>) -> Result<Facts, ProviderError> {
    let pending = proposed(site, record)?;
    let credentials_now = match &pending {
        Some(pending) => pending.clone(),
        None => site.secrets.current()?.unwrap_or(credentials(record, secret::generate()?)),
    };
    let primary = record.primary();
    let session = site.connect(record, primary, "postgres").await?;
    let password = Secret::Text(credentials_now.password.clone());
    let (role, database) = (&record.wanted.master_username, &record.wanted.database_name);
    if session.ensure_master_and_database(role, &password, database).await? {
        site.connect(record, primary, database).await?.prepare_database().await?;
    }
    reset_altered(&session).await?;
    if !record.memory.made {
        on_disk(site, record, to_disk).await?;
    }
    if pending.is_some() {
        site.secrets.promote(&credentials(record, credentials_now.password))?;
        site.note("the password is in force");
    }
    reload(site, record, primary).await?;
    learn(site, record).await
}

/// A password that is to come into force. Where the files were deleted there is nothing to lose by a new one.
fn proposed(site: &Site, record: &Record) -> Result<Option<Credentials>, ProviderError> {
    let pending = site.secrets.pending()?;
    if pending.is_some() || site.secrets.current()?.is_some() {
        return Ok(pending);
    }
    let lost = credentials(record, secret::generate()?);
    site.secrets.propose(&lost)?;
    Ok(Some(lost))
}

/// Takes back what ALTER SYSTEM set.
async fn reset_altered(session: &Session) -> Result<(), ProviderError> {
    for name in observe::altered(session).await? {
        session.run(&format!("ALTER SYSTEM RESET {}", quote(&name))).await?;
    }
    Ok(())
}

/// Returns when a new data directory is on disk. Whoever knows its password may write to it, and nothing of that may be lost.
async fn on_disk(site: &Site, record: &Record, begun: Option<ToDisk>) -> Result<(), ProviderError> {
    if let Some(begun) = begun
        && matches!(begun.await, Ok(Ok(())))
    {
        return Ok(());
    }
    // Begun by an agent that has ended, or refused a moment ago.
    let data = site.node(record.primary()).data;
    blocking(move || template::put_on_disk(&data)).await
}
