//! A restart, so that what waits for one takes effect. The standby of a pair stays what it is.

use pgherd_core::resource::Id;
use pgherd_engine::provider::{Events, ProviderError};

use crate::kinds::instance;
use crate::live::change;
use crate::live::servers::At;
use crate::provider::Aws;

/// Restarts it now.
pub(super) async fn restart(aws: &Aws, name: &str, events: &Events) -> Result<(), ProviderError> {
    let at = At::of(aws, &Id::new(instance::NAME, name));
    change::ours(aws, &at).await?;
    change::restart(aws, &at, events).await.map(drop)
}
