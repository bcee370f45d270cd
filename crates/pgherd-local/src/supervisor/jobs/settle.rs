//! Role, password, database, and nothing behind our back: what ALTER SYSTEM set is taken back.

use std::path::PathBuf;

use pgherd_core::secret::Secret;
use pgherd_engine::provider::ProviderError;

use tokio::task::JoinHandle;

use super::configure::read_again;
use super::learn::{Facts, learn_from};
use crate::pooler;
use crate::postgres::session::{Session, quote};
use crate::postgres::template;
use crate::supervisor::ledger::Record;
use crate::supervisor::observe;
use crate::supervisor::secret::{self, Credentials, credentials};
use crate::supervisor::site::Site;

pub(super) async fn settle(site: &Site, record: &mut Record) -> Result<Facts, ProviderError> {
    let to_disk = (!record.memory.made).then(|| begin_to_disk(site, record));
    let pending = proposed(site, record)?;
    let credentials_now = match &pending {
        Some(pending) => pending.clone(),
        None => site.secrets.current()?.unwrap_or(credentials(record, secret::generate()?)),
    };
    let primary = record.primary();
    let session = site.connect(record, primary, "postgres").await?;
    session.take_turn().await?;
    let password = Secret::Text(credentials_now.password.clone());
    let (role, database) = (&record.wanted.master_username, &record.wanted.database_name);
    if session.ensure_master_and_database(role, &password, database).await? {
        site.connect(record, primary, database).await?.prepare_database().await?;
    }
    let altered = reset_altered(&session).await?;
    if record.pool().is_some() {
        pooler::prepare(&session).await?;
    }
    if let Some(to_disk) = to_disk {
        to_disk.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
    }
    if pending.is_some() {
        site.secrets.promote(&credentials(record, credentials_now.password), &record.ports())?;
        site.note("the password is in force");
    }
    if altered {
        read_again(&session).await?;
    }
    learn_from(&session, site, record).await
}

/// Begins to put all data directories of a new database on disk. Whoever knows its password may write to it, and nothing of that may
/// be lost. Not before the server is up: whatever is synced meanwhile waits for all of it.
fn begin_to_disk(site: &Site, record: &Record) -> JoinHandle<Result<(), ProviderError>> {
    let primary = record.primary();
    let data = |node| Some(site.node(node).data).filter(|data| node == primary || data.exists());
    // What is not there yet puts itself there.
    let folders: Vec<PathBuf> = record.nodes().into_iter().filter_map(data).collect();
    tokio::task::spawn_blocking(move || template::put_on_disk(&folders))
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

/// Takes back what ALTER SYSTEM set; says whether there was anything.
async fn reset_altered(session: &Session) -> Result<bool, ProviderError> {
    let altered = observe::altered(session).await?;
    for name in &altered {
        session.run(&format!("ALTER SYSTEM RESET {}", quote(name))).await?;
    }
    Ok(!altered.is_empty())
}
