//! Read replicas: made one after another, since each keeps the primary busy.

use pgherd_core::resource::{Id, Resource};
use pgherd_core::value::Props;
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};

use super::database_of;
use super::server::{creation, gone, made};
use crate::api;
use crate::observe::{Found, find, foreign, ours};
use crate::provider::Azure;
use crate::wait::settled;
use crate::{names, tags};

/// What a replica has of its own; the rest is its primary's when it is made.
const OWN: [&str; 9] = [
    "location",
    "sku",
    "tier",
    "tags",
    "delegatedSubnetResourceId",
    "privateDnsZoneArmResourceId",
    "encryption",
    "primaryKeyURI",
    "primaryUserAssignedIdentityId",
];

/// Makes it, and returns when it can be used.
pub(super) async fn create(azure: &Azure, resource: &Resource, events: &Events) -> Result<(), ProviderError> {
    let (name, database) = (resource.id.name.as_str(), database_of(resource));
    let source = ours(azure, database).await?;
    match api::server(azure.at(), name).await? {
        Some(there) if there.source() == Some(database) && azure.is_ours(&there.tags(), database) => {}
        Some(_) => return Err(foreign(name, &format!("it is no replica of {database} that pgherd made"))),
        None => {
            let props: Props =
                resource.props.iter().filter(|(field, _)| OWN.contains(&field.as_str())).map(owned).collect();
            let mut body = creation(azure, &Resource { props, ..resource.clone() }).await?;
            body["properties"]["createMode"] = "Replica".into();
            body["properties"]["sourceServerResourceId"] = source.id().into();
            made(azure, name, database, &body, events).await?;
        }
    }
    settled(azure, name, azure.patience().making, events).await.map(drop)
}

fn owned(entry: (&String, &pgherd_core::value::Value)) -> (String, pgherd_core::value::Value) {
    (entry.0.clone(), entry.1.clone())
}

/// Deletes it. It holds nothing that its source does not.
pub(super) async fn delete(azure: &Azure, id: &Id, events: &Events) -> Result<(), ProviderError> {
    let name = id.name.as_str();
    let Some(database) = names::source(name) else { return Ok(()) };
    if let Found::Nothing = find(azure, database).await? {
        return Ok(());
    }
    let Some(there) = api::server(azure.at(), name).await? else { return Ok(()) };
    if there.source() != Some(database) || !tags::are_ours(&there.tags(), database) {
        return Err(ProviderError::new(ErrorKind::Conflict, format!("{name} is no replica of {database} any more"))
            .help("plan again"));
    }
    gone(azure, name, events).await
}
