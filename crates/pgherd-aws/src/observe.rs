//! Everything there is of a block, all kinds side by side.

use futures_util::future::try_join;
use pgherd_core::resource::{Observed, Resource};
use pgherd_engine::provider::ProviderError;

use crate::live;
use crate::provider::Aws;

/// What there is of a block: what is wanted, what is somebody else's under our names, and what nobody wants any more.
pub(crate) async fn observe(aws: &Aws, wanted: &[Resource]) -> Result<Vec<Observed>, ProviderError> {
    let (mut seen, around) = try_join(live::servers::observe(aws, wanted), live::around(aws, wanted)).await?;
    seen.extend(around);
    let orphans = live::orphans(aws, wanted, &seen).await?;
    seen.extend(orphans);
    Ok(seen)
}
