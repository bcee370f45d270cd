//! What is in an instance: database and role.

use pgherd_core::resource::Resource;
use pgherd_core::secret::Secret;
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};

use super::secret::{generated, to_be_given};
use super::{database_of, text};
use crate::api;
use crate::kinds::user::ADMINISTRATOR;
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

/// Adds the role, with the password that is written down. The instance was made with it, too: its own administrator gets another one
/// first, which nobody knows, so that a password that is exchanged later opens nothing any more.
pub(super) async fn user(gcp: &Gcp, resource: &Resource, events: &Events) -> Result<(), ProviderError> {
    let (instance, name) = (database_of(resource), text(resource, "name")?);
    ours(gcp, instance).await?;
    if api::users(gcp.at(), instance).await?.contains(&name) {
        return Ok(());
    }
    let (password, is_written_down) = to_be_given(gcp, instance).await?;
    // A role that was the block's once keeps what it has: somebody may use it.
    if !is_written_down {
        password_of_role(gcp, instance, ADMINISTRATOR, &generated(), events).await?;
    }
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
    let is_there = async || api::users(gcp.at(), instance).await.map(|all| all.iter().any(|one| one == name));
    for _ in 0..super::TRIES {
        let has_one = is_there().await?;
        let given = if has_one {
            carried(gcp, instance, at_most, events, || api::set_password(gcp.at(), instance, name, password)).await
        } else {
            carried(gcp, instance, at_most, events, || api::add_user(gcp.at(), instance, name, password)).await
        };
        match given {
            // Gone since it was looked at.
            Err(Trouble::Refused(error)) if has_one && error.is_absent() => {}
            // Nobody knows whether it was made, or somebody else made it: a look tells.
            Err(Trouble::Refused(error)) if !has_one && (error.maybe_done || is_there().await?) => {
                idle(gcp, instance, at_most, events).await?;
                events.phase(error.message);
            }
            answer => return Ok(answer?),
        }
    }
    let words = format!("the role {name} of {instance} takes no password");
    Err(ProviderError::new(ErrorKind::Unavailable, words).help("run this again"))
}
