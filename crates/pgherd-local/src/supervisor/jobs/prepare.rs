//! What has to be there before the first server of an instance: its programs, ports, folders and a password.

use pgherd_engine::provider::ProviderError;

use super::choose::choose_server;
use crate::postgres::folders;
use crate::supervisor::ledger::Record;
use crate::supervisor::requests::Watcher;
use crate::supervisor::secret::{self, credentials};
use crate::supervisor::site::{Site, blocking};

pub(super) async fn prepare(site: &Site, record: &mut Record, watcher: &Watcher) -> Result<(), ProviderError> {
    choose_server(&site.agent, record, watcher).await?;
    record.port = Some(site.agent.reserve_port(&site.name, record.wanted.port, &[])?);
    let (paths, layout, run_as) = (site.agent.options.paths.clone(), site.layout.clone(), site.agent.run_as.clone());
    blocking(move || folders::make(&paths, &layout, &run_as)).await?;
    if site.secrets.pending()?.is_none() && site.secrets.current()?.is_none() {
        site.secrets.propose(&credentials(record, secret::generate()?))?;
    }
    Ok(())
}
