//! A new certificate, read by the servers while they serve.

use pgherd_engine::provider::ProviderError;

use super::configure::reload;
use super::learn::{Facts, learn};
use crate::supervisor::configure::Candidate;
use crate::supervisor::ledger::Record;
use crate::supervisor::site::Site;

pub(super) async fn renew(site: &Site, record: &mut Record) -> Result<Facts, ProviderError> {
    Candidate::of(site, record, record.primary())?.certify().await?;
    for node in record.nodes() {
        reload(site, record, node).await?;
    }
    site.note("renewed the server certificate");
    learn(site, record).await
}
