//! The database of a server, and where its log goes.

use pgherd_core::resource::Resource;
use pgherd_engine::provider::{Events, ProviderError};

use super::{database_of, text, texts};
use crate::api;
use crate::observe::ours;
use crate::provider::Azure;
use crate::wait::{Trouble, carried, idle};

/// Adds the database.
pub(super) async fn database(azure: &Azure, resource: &Resource, events: &Events) -> Result<(), ProviderError> {
    let (server, name) = (database_of(resource), text(resource, "name")?);
    ours(azure, server).await?;
    let at_most = azure.patience().changing;
    for _ in 0..super::TRIES {
        if api::databases(azure.at(), server).await?.contains(&name) {
            return Ok(());
        }
        match carried(azure, server, at_most, events, || api::add_database(azure.at(), server, &name)).await {
            Err(Trouble::Refused(error)) if error.maybe_done => drop(idle(azure, server, at_most, events).await?),
            Err(Trouble::Refused(error)) if error.is_taken() => return Ok(()),
            answer => answer?,
        }
    }
    Ok(())
}

/// Sends its log to a workspace.
pub(super) async fn logs(azure: &Azure, resource: &Resource) -> Result<(), ProviderError> {
    let (workspace, categories) = (text(resource, "workspaceId")?, texts(resource, "categories")?);
    Ok(api::put_logs(azure.at(), &resource.id.name, &workspace, &categories).await?)
}
