//! What is in an instance: database and role.

use pgherd_core::resource::Resource;
use pgherd_core::secret::Secret;
use pgherd_engine::provider::{Events, ProviderError};

use super::{database_of, password, text};
use crate::api;
use crate::observe::ours;
use crate::provider::Gcp;
use crate::wait::{Trouble, carried, idle};

/// Adds the database.
pub(super) async fn database(gcp: &Gcp, resource: &Resource, events: &Events) -> Result<(), ProviderError> {
    let (instance, name) = (database_of(resource), text(resource, "name")?);
    let name = name.as_str();
    ours(gcp, instance).await?;
    let at_most = gcp.patience().changing;
    for _ in 0..super::TRIES {
        if api::databases(gcp.at(), instance).await?.iter().any(|there| there == name) {
            return Ok(());
        }
        match carried(gcp, instance, at_most, events, || api::add_database(gcp.at(), instance, name)).await {
            Err(Trouble::Refused(error)) if error.maybe_done => idle(gcp, instance, at_most, events).await?,
            Err(Trouble::Refused(error)) if error.is_taken() => return Ok(()),
            answer => return Ok(answer?),
        }
    }
    Ok(())
}

/// Adds the role, with the password that is written down.
pub(super) async fn user(gcp: &Gcp, resource: &Resource, events: &Events) -> Result<(), ProviderError> {
    let (instance, name) = (database_of(resource), text(resource, "name")?);
    ours(gcp, instance).await?;
    if api::users(gcp.at(), instance).await?.contains(&name) {
        return Ok(());
    }
    let password = password(gcp, instance).await?;
    password_of_role(gcp, instance, &name, &password, events).await
}

/// Gives a role a password; one that is not there is made.
pub(crate) async fn password_of_role(
    gcp: &Gcp,
    instance: &str,
    name: &str,
    password: &Secret,
    events: &Events,
) -> Result<(), ProviderError> {
    let at_most = gcp.patience().changing;
    let attempt = || api::set_password(gcp.at(), instance, name, password);
    Ok(carried(gcp, instance, at_most, events, attempt).await?)
}
