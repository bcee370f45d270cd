//! The private zone of a server in a subnet, and its link to the network.

use pgherd_core::resource::{Id, Resource};
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};

use super::text;
use crate::api;
use crate::observe::{Found, find};
use crate::provider::Azure;
use crate::tags;
use crate::wait::finished;

const BEFORE: &str = "pgherd-";
const BEHIND: &str = ".private.postgres.database.azure.com";

/// The database that a zone is of.
fn database(zone: &str) -> &str {
    zone.strip_prefix(BEFORE).and_then(|rest| rest.strip_suffix(BEHIND)).unwrap_or(zone)
}

/// Makes the zone and gives it to the network.
pub(super) async fn put(azure: &Azure, resource: &Resource, events: &Events) -> Result<(), ProviderError> {
    let (name, network) = (resource.id.name.as_str(), text(resource, "virtualNetwork")?);
    let at_most = azure.patience().changing;
    let there = api::zone(azure.at(), name).await?;
    match &there {
        Some(zone) if azure.is_ours(&zone.tags, database(name)) => {}
        Some(_) => {
            let words = format!("the zone {name} exists and is not pgherd's: it has no tag {}", tags::BLOCK);
            return Err(ProviderError::new(ErrorKind::Conflict, words).help("give the block another name"));
        }
        None => {
            let begun = api::put_zone(azure.at(), name, &tags::own(database(name))).await?;
            finished(azure, begun, at_most, events).await?;
        }
    }
    let linked = there.and_then(|zone| zone.network);
    if linked.as_ref().is_some_and(|linked| linked.eq_ignore_ascii_case(&network)) {
        return Ok(());
    }
    if linked.is_some() {
        // A link is to one network for good.
        finished(azure, api::unlink(azure.at(), name).await?, at_most, events).await?;
    }
    finished(azure, api::put_link(azure.at(), name, &network).await?, at_most, events).await
}

/// Deletes it, when nobody has the name of the server it was made for any more: a server is in its zone for as long as it lives, and could
/// not be found without. A zone that a network is given stays.
pub(super) async fn delete(azure: &Azure, id: &Id, events: &Events) -> Result<(), ProviderError> {
    let (name, at_most) = (id.name.as_str(), azure.patience().deleting);
    match api::zone(azure.at(), name).await? {
        Some(zone) if azure.is_ours(&zone.tags, database(name)) => {}
        Some(_) | None => return Ok(()),
    }
    if !matches!(find(azure, database(name)).await?, Found::Nothing) {
        let words = format!("the zone {name} is not deleted: the server {} is there", database(name));
        let help = "a server stays in its network for good; write subnet_ids as they were";
        return Err(ProviderError::new(ErrorKind::Protected, words).help(help));
    }
    finished(azure, api::unlink(azure.at(), name).await?, at_most, events).await?;
    finished(azure, api::delete_zone(azure.at(), name).await?, at_most, events).await
}
