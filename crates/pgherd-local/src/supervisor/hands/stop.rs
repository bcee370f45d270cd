//! Stopping a server, or ending it for certain.

use std::time::Duration;

use pgherd_core::ha::{NodeId, Verb};
use pgherd_engine::provider::ProviderError;

use crate::postgres::process;
use crate::postgres::replication::fence;
use crate::supervisor::keeper::Keeper;
use crate::supervisor::live::{STOP_DEADLINE, Stopped, Stopping};

/// How long a stop is waited for before one looks again: what else there is to be done, a failover above all, waits so long.
const PATIENCE: Duration = Duration::from_millis(300);

/// Whether it is being done already, beside the loop.
pub fn is_under_way(keeper: &Keeper, verb: &Verb) -> bool {
    let Verb::Stop { node } = verb else { return false };
    keeper.servers.get(node).is_some_and(|live| live.stopping.is_some())
}

/// Has a server stop fast: clients are cut off, what was committed stays, connected standbys get everything. Mostly it has
/// stopped when this returns.
pub(super) async fn stop(keeper: &mut Keeper, node: NodeId) -> Result<(), ProviderError> {
    let data = keeper.site.node(node).data;
    let Some(postmaster) = process::adopt(&data)? else { return Ok(()) };
    let live = keeper.live(node);
    // It is not asked for writes any more.
    live.prober = None;
    let stopping = live.stopping.insert(Stopping::begin(postmaster, data)?);
    if let Ok(how) = tokio::time::timeout(PATIENCE, stopping.wait()).await {
        stopped(keeper, node, how);
    }
    Ok(())
}

/// Takes in how it stopped.
pub fn stopped(keeper: &mut Keeper, node: NodeId, how: Result<Stopped, ProviderError>) {
    keeper.live(node).drop_server();
    match how {
        Ok(Stopped::Well) => {}
        Ok(Stopped::Late) => keeper.site.note(format!(
            "{node} did not stop within {} s and was ended; it recovers when it starts",
            STOP_DEADLINE.as_secs()
        )),
        Err(error) => keeper.went_wrong(&format!("stopping {node}"), error),
    }
}

/// Ends every process of a server: postmaster, orphaned backends, and tools of ours at work in its directory.
pub(super) async fn kill(keeper: &mut Keeper, node: NodeId) -> Result<(), ProviderError> {
    keeper.live(node).abort_task();
    fence::kill(&keeper.site.node(node)).await?;
    keeper.live(node).drop_server();
    Ok(())
}
