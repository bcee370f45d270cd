//! Everything there is of a block, all kinds side by side.

use pgherd_core::resource::{Observed, Resource};
use pgherd_engine::provider::ProviderError;

use crate::live;
use crate::provider::Aws;

/// What there is of a block: what is wanted, what is somebody else's under our names, and what nobody wants any more.
pub(crate) async fn observe(aws: &Aws, wanted: &[Resource]) -> Result<Vec<Observed>, ProviderError> {
    live::servers::observe(aws, wanted).await
}
