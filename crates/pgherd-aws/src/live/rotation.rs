//! A new password, in the order in which every half-way point can be gone on from: written down as pending, given to the instance, in
//! force there, then current. At every moment one of the two stages holds the password in force.

use std::collections::BTreeSet;

use pgherd_core::resource::Id;
use pgherd_core::secret::Secret;
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};

use super::document::{self, Document, Read};
use super::servers::At;
use super::{change, ours};
use crate::api::rds::{self, DbInstance};
use crate::api::secrets::{self, CURRENT, PENDING};
use crate::kinds::secret::NAME;
use crate::names;
use crate::protocol::form::Form;
use crate::provider::Aws;
use crate::seen::no_longer_managed;
use crate::wait::{self, Rest};

const FIELD: &str = "MasterUserPassword";

/// Whose password.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rotation<'a> {
    pub(crate) secret: &'a Id,
    /// The instance that the secret is of.
    pub(crate) instance: &'a str,
}

/// Finishes what was cut short, if anything was.
pub(crate) async fn resumed(aws: &Aws, rotation: &Rotation<'_>, events: &Events) -> Result<(), ProviderError> {
    let (session, region, name) = (aws.session(), aws.region(), &rotation.secret.name);
    let stages = secrets::describe(session, region, name).await?.map(|described| described.stages).unwrap_or_default();
    let Some(pending) = stages.get(PENDING) else { return Ok(()) };
    let version = secrets::value(session, region, name, PENDING).await?;
    // Without a text, somebody else's rotation put the stage there and gave the instance nothing yet.
    if let Some(password) = version.and_then(|version| Read::of(&version.text).password) {
        given(aws, rotation.instance, &password, events).await?;
        let current = stages.get(CURRENT).map(String::as_str);
        if current != Some(pending) {
            secrets::stage(session, region, (name, CURRENT), current, Some(pending)).await?;
        }
    }
    // This ends the rotation: as long as anything is pending it is gone on with.
    Ok(secrets::stage(session, region, (name, PENDING), Some(pending), None).await?)
}

/// Gives a database a new password that nobody chose. What else stands in the secret is what the instance is.
pub(crate) async fn renewed(aws: &Aws, database: &str, events: &Events) -> Result<(), ProviderError> {
    let (session, region) = (aws.session(), aws.region());
    let secret = Id::new(NAME, names::secret(database));
    let missing = |what: &str| ProviderError::new(ErrorKind::NotFound, format!("{what} is not there"));
    let described = secrets::describe(session, region, &secret.name).await?;
    let described = described.filter(|one| !one.deleted).ok_or_else(|| missing(&secret.to_string()))?;
    if !ours::is(&described.tags, |block| block == database) {
        return Err(ours::foreign(&secret));
    }
    let rotation = Rotation { secret: &secret, instance: database };
    resumed(aws, &rotation, events).await?;
    let seen = rds::instance(session, region, database).await?.ok_or_else(|| missing(database))?;
    let document = Document::of(&seen, document::password());
    if document.host.is_empty() {
        return Err(missing(&format!("the endpoint of {database}")));
    }
    rotated(aws, &rotation, &document, events).await
}

/// Gives the instance the password of a document, which then is what stands in the secret.
pub(crate) async fn rotated(
    aws: &Aws,
    rotation: &Rotation<'_>,
    document: &Document,
    events: &Events,
) -> Result<(), ProviderError> {
    // What nobody can give the instance would stay written down for good.
    drop(taking(aws, rotation.instance).await?);
    secrets::put(aws.session(), aws.region(), &rotation.secret.name, &document.version(), PENDING).await?;
    resumed(aws, rotation, events).await
}

/// Gives the instance a password, and waits until it is in force.
pub(super) async fn given(aws: &Aws, id: &str, password: &Secret, events: &Events) -> Result<(), ProviderError> {
    let (session, region) = (aws.session(), aws.region());
    drop(taking(aws, id).await?);
    events.phase("giving the instance the new password");
    // It is in force at once whatever is said here, and true would bring everything that waits for the window, too.
    let at = At { region: region.to_owned(), name: id.to_owned(), block: id.to_owned() };
    let attempt = || rds::modify_instance(session, region, id, Form::part().set(FIELD, password), false);
    change::once_taken(aws, &at, events, attempt).await?;
    let changed = BTreeSet::from([FIELD.to_owned()]);
    let rest = Rest { region, id, at_most: aws.patience().changing, changed: &changed };
    wait::settled(aws, &rest, events).await.map(drop)
}

/// An instance that takes a password.
async fn taking(aws: &Aws, id: &str) -> Result<DbInstance, ProviderError> {
    let seen = rds::instance(aws.session(), aws.region(), id).await?.ok_or_else(|| {
        ProviderError::new(ErrorKind::NotFound, format!("{id} is not there, so it can be given no password"))
    })?;
    match seen.own_secret {
        Some(secret) => {
            let message = format!("RDS manages the password of {id} itself, in {secret}");
            Err(ProviderError::new(ErrorKind::Protected, message).help(no_longer_managed(id)))
        }
        None => Ok(seen),
    }
}
