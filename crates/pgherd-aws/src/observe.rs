//! Everything there is of a block, all kinds side by side.

use futures_util::future::try_join3;
use pgherd_core::resource::{Observed, Resource};
use pgherd_engine::provider::ProviderError;

use crate::live;
use crate::provider::Aws;

/// What there is of a block: what is wanted, what is somebody else's under our names, and what nobody wants any more.
pub(crate) async fn observe(aws: &Aws, wanted: &[Resource]) -> Result<Vec<Observed>, ProviderError> {
    let told = live::secret::told(aws, wanted);
    let (mut seen, around, told) =
        try_join3(live::servers::observe(aws, wanted), live::around(aws, wanted), told).await?;
    let secret = live::secret::observe(aws, told, &seen).await?;
    seen.extend(around.into_iter().chain(secret));
    let orphans = live::orphans(aws, wanted, &seen).await?;
    seen.extend(orphans);
    live::left::shown(aws, &mut seen).await?;
    Ok(seen)
}
