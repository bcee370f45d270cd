//! Deleting everything of an instance but its backups.

use pgherd_engine::provider::ProviderError;

use crate::limits;
use crate::postgres::processes;
use crate::supervisor::ledger::{self, Record};
use crate::supervisor::site::{Site, blocking, cannot};
use crate::supervisor::{backups, files, hands, socket, ways};

pub(super) async fn remove(site: &Site, record: &Record) -> Result<(), ProviderError> {
    ways::end_all(site).await?;
    if let Some(port) = record.port {
        // One that leads nowhere harms nobody.
        drop(socket::lead(&site.layout.socket, port, None));
    }
    let nodes: Vec<_> = record.nodes().into_iter().collect();
    for node in &nodes {
        processes::kill(&site.node(*node).data).await?;
    }
    backups::let_go(site, record).await?;
    let (layout, secrets) = (site.layout.clone(), site.secrets.clone());
    let groups: Vec<String> = nodes.iter().map(|node| hands::group(site, *node)).collect();
    let removed = site.agent.options.paths.removed();
    blocking(move || {
        groups.iter().for_each(|group| limits::forget(group));
        for node in nodes {
            let folder = layout.node(node).folder().to_owned();
            files::put_away(&folder, &removed).map_err(|error| cannot("remove", &folder, &error))?;
        }
        for folder in [&layout.tls, &layout.pooler(), &layout.log, &layout.conf, &layout.scratch] {
            files::remove_folder(folder).map_err(|error| cannot("remove", folder, &error))?;
        }
        let rest = || {
            secrets.remove()?;
            for file in ["archive.json", "drill.json", "check.json"] {
                files::remove(&layout.root.join(file))?;
            }
            // The record goes last: as long as it is there, somebody goes on with the removal.
            ledger::forget(&layout.root)?;
            // Kept when backups are in them.
            for folder in [&layout.root.join("aside"), &layout.backups, &layout.root] {
                let _ = std::fs::remove_dir(folder);
            }
            Ok(())
        };
        rest().map_err(|error| cannot("remove", &layout.root, &error))
    })
    .await?;
    site.agent.sweep();
    site.agent.stock_up();
    site.agent.release_ports(&site.name);
    site.note("deleted");
    Ok(())
}
