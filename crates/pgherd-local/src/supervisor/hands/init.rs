//! A new cluster for the first server of an instance.

use pgherd_core::ha::NodeId;
use pgherd_engine::provider::ProviderError;

use crate::postgres::replication::fence;
use crate::postgres::{folders, template};
use crate::supervisor::files;
use crate::supervisor::keeper::Keeper;
use crate::supervisor::site::{blocking, cannot, chosen};

/// Makes the data directory; what an attempt that was cut short left is put away first.
pub(super) async fn init(keeper: &mut Keeper, node: NodeId) -> Result<(), ProviderError> {
    let site = keeper.site.clone();
    let layout = site.node(node);
    fence::kill(&layout).await?;
    keeper.live(node).drop_server();
    let (run_as, paths, server) =
        (site.agent.run_as.clone(), site.agent.options.paths.clone(), chosen(keeper.record()?)?.clone());
    let identifier = blocking(move || {
        folders::make(&paths, &layout, &run_as)?;
        let cannot_clear = |error| cannot("clear", &layout.data, &error);
        files::put_away(&layout.data, &paths.removed()).map_err(cannot_clear)?;
        template::create(&server, &run_as, &paths.templates(), &paths.prepared(), &layout.data)
    })
    .await?;
    keeper.live(node).is_whole = true;
    // Written down with what follows, since the brain remembers that it was made: until then it is made anew.
    keeper.record_mut()?.system_identifier = Some(identifier.to_string());
    Ok(())
}
