//! What has to be known of the server that serves, asked when it begins to and after each change.

use jiff::Timestamp;
use pgherd_core::resource::Pending;
use pgherd_engine::provider::ProviderError;

use crate::postgres::session::Session;
use crate::supervisor::ledger::Record;
use crate::supervisor::secret::credentials;
use crate::supervisor::site::Site;
use crate::supervisor::{configure, observe};

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// What waits for a restart.
    pub pending: Vec<Pending>,
    /// When its certificate is to be renewed.
    pub renew_tls_at: Timestamp,
}

/// Asks the primary.
pub async fn learn(site: &Site, record: &mut Record) -> Result<Facts, ProviderError> {
    let session = site.connect(record, record.primary(), "postgres").await?;
    learn_from(&session, site, record).await
}

/// Asks the primary, over a session with it.
pub(super) async fn learn_from(session: &Session, site: &Site, record: &mut Record) -> Result<Facts, ProviderError> {
    let (identifier, pending) = tokio::try_join!(
        session.one("SELECT system_identifier::text FROM pg_control_system()", &[]),
        observe::pending(session, record)
    )?;
    let identifier: String = identifier.get(0);
    if record.system_identifier.as_ref() != Some(&identifier) {
        if let Some(known) = &record.system_identifier {
            site.note(format!("the data directory holds another cluster: {identifier} instead of {known}"));
        }
        record.system_identifier = Some(identifier);
    }
    refresh_secret(site, record)?;
    // One that is not there is due at once.
    let renew_tls_at = configure::renew_at(&site.layout, record.pool().is_some()).unwrap_or_else(Timestamp::now);
    Ok(Facts { pending, renew_tls_at })
}

/// The secret file says where to connect: after a change of ports it has to be written again.
fn refresh_secret(site: &Site, record: &Record) -> Result<(), ProviderError> {
    if site.secrets.pending()?.is_some() {
        return Ok(());
    }
    let Some(known) = site.secrets.current()? else { return Ok(()) };
    let now = credentials(record, known.password.clone());
    let (secrets, ports) = (&site.secrets, record.ports());
    if now == known { secrets.keep_passfile(&now, &ports) } else { secrets.promote(&now, &ports) }
}
