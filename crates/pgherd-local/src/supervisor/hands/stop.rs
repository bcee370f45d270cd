//! Stopping a server, or ending it for certain.

use std::time::Duration;

use pgherd_core::ha::NodeId;
use pgherd_engine::provider::ProviderError;

use crate::postgres::process::{self, Stop};
use crate::postgres::processes;
use crate::postgres::replication::fence;
use crate::supervisor::keeper::Keeper;

/// How long a stop may take before clients and checkpoint are no longer waited for.
const STOP_DEADLINE: Duration = Duration::from_secs(60);

/// Stops a server fast: clients are cut off, what was committed stays, connected standbys get everything.
pub(super) async fn stop(keeper: &mut Keeper, node: NodeId) -> Result<(), ProviderError> {
    let data = keeper.site.node(node).data;
    let Some(postmaster) = process::adopt(&data)? else { return Ok(()) };
    if postmaster.stop(Stop::Fast, STOP_DEADLINE).await.is_err() {
        keeper.site.note(format!(
            "{node} did not stop within {} s and was ended; it recovers when it starts",
            STOP_DEADLINE.as_secs()
        ));
        processes::kill(&data).await?;
    }
    keeper.live(node).drop_server();
    Ok(())
}

/// Ends every process of a server: postmaster, orphaned backends, and tools of ours at work in its directory.
pub(super) async fn kill(keeper: &mut Keeper, node: NodeId) -> Result<(), ProviderError> {
    keeper.live(node).abort_task();
    fence::kill(&keeper.site.node(node)).await?;
    keeper.live(node).drop_server();
    Ok(())
}
