//! A new cluster for the first server of an instance.

use pgherd_core::ha::NodeId;
use pgherd_engine::provider::{ErrorKind, ProviderError};

use crate::postgres::replication::fence;
use crate::postgres::replication::making::{OnDisk, Sown};
use crate::postgres::{folders, template};
use crate::supervisor::files;
use crate::supervisor::hands::stop;
use crate::supervisor::keeper::Keeper;
use crate::supervisor::site::{blocking, cannot, chosen};

/// Makes the data directory; what an attempt that was cut short left is put away first, its standby too.
pub(super) async fn init(keeper: &mut Keeper, node: NodeId) -> Result<(), ProviderError> {
    let site = keeper.site.clone();
    if keeper.record()?.memory.made {
        let message = format!("{} holds a database that was used: it is never made anew", site.name);
        return Err(ProviderError::new(ErrorKind::Protected, message));
    }
    let layout = site.node(node);
    fence::kill(&layout).await?;
    keeper.live(node).drop_server();
    put_others_away(keeper, node).await?;
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
    keeper.on_disk = OnDisk::later();
    sow(keeper)?;
    // Written down with what follows, since the brain remembers that it was made: until then it is made anew.
    keeper.record_mut()?.system_identifier = Some(identifier.to_string());
    Ok(())
}

/// The standby of an attempt before is one of another cluster.
async fn put_others_away(keeper: &mut Keeper, node: NodeId) -> Result<(), ProviderError> {
    let site = keeper.site.clone();
    for other in site.nodes_on_disk().into_iter().filter(|other| *other != node) {
        stop::kill(keeper, other).await?;
        keeper.live(other).failed = None;
        let layout = site.node(other);
        let removed = site.agent.options.paths.removed();
        let put_away = move || {
            let folder = layout.folder();
            files::put_away(folder, &removed).map_err(|error| cannot("clear", folder, &error))
        };
        blocking(put_away).await?;
    }
    Ok(())
}

/// The standby begins as the primary does: its files are made while that starts.
fn sow(keeper: &mut Keeper) -> Result<(), ProviderError> {
    let record = keeper.record()?;
    let paths = &keeper.site.agent.options.paths;
    let template = template::of(chosen(record)?, &paths.templates()).filter(|_| record.wanted.multi_az);
    let (run_as, folder) = (keeper.site.agent.run_as.clone(), keeper.site.sown());
    keeper.sown = template.map(|template| Sown::begin(template, run_as, folder));
    Ok(())
}
