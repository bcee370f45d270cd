//! Read replicas: made one after another, since each keeps the primary busy.

use pgherd_core::resource::{Id, Resource};
use pgherd_core::value::Value;
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};

use super::database_of;
use super::instance::{creation, gone, made};
use crate::api;
use crate::observe::{Found, find, foreign, ours};
use crate::provider::Gcp;
use crate::wait::settled;
use crate::{labels, names};

/// Makes it, and returns when it can be used.
pub(super) async fn create(gcp: &Gcp, resource: &Resource, events: &Events) -> Result<(), ProviderError> {
    let (name, database) = (resource.id.name.as_str(), database_of(resource));
    let source = ours(gcp, database).await?;
    match api::instance(gcp.at(), name).await? {
        Some(there) if there.source() == Some(database) && gcp.is_ours(&there.labels(), database) => {}
        Some(_) => return Err(foreign(name, &format!("it is no replica of {database} that pgherd made"))),
        None => {
            let mut resource = resource.clone();
            // It has room for what its source holds by now.
            let live = source.setting("dataDiskSizeGb").and_then(|size| size.parse::<i64>().ok()).unwrap_or_default();
            if let Some(Value::Int(size)) = resource.props.get_mut("dataDiskSizeGb") {
                *size = live.max(*size);
            }
            let mut body = creation(&resource)?;
            body["instanceType"] = "READ_REPLICA_INSTANCE".into();
            body["masterInstanceName"] = database.into();
            body["databaseVersion"] = source.0["databaseVersion"].clone();
            made(gcp, name, database, &body, events).await?;
        }
    }
    settled(gcp, name, gcp.patience().making, events).await.map(drop)
}

/// Deletes it. It holds nothing that its source does not.
pub(super) async fn delete(gcp: &Gcp, id: &Id, events: &Events) -> Result<(), ProviderError> {
    let name = id.name.as_str();
    let Some(database) = names::source(name) else { return Ok(()) };
    if let Found::Nothing = find(gcp, database).await? {
        return Ok(());
    }
    let Some(there) = api::instance(gcp.at(), name).await? else { return Ok(()) };
    if there.source() != Some(database) || !labels::are_ours(&there.labels(), database) {
        return Err(ProviderError::new(ErrorKind::Conflict, format!("{name} is no replica of {database} any more"))
            .help("plan again"));
    }
    gone(gcp, name, None, events).await
}
