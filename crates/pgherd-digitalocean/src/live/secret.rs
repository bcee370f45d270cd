//! The document with the password, on this machine.

use pgherd_core::resource::Resource;
use pgherd_core::secret::Secret;
use pgherd_core::value::Value;
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};

use super::text;
use crate::api::{self, Cluster};
use crate::kinds::pool;
use crate::kinds::user::ADMINISTRATOR;
use crate::observe::ours;
use crate::provider::DigitalOcean;
use crate::secrets::Document;
use crate::wait::say;

/// Writes down what DigitalOcean tells, and says where.
pub(super) async fn write(ocean: &DigitalOcean, resource: &Resource, events: &Events) -> Result<(), ProviderError> {
    let cluster = ours(ocean, &resource.id.name).await?;
    let username = text(resource, "username")?;
    let found = password_of(ocean, &cluster, &username).await?;
    let (host, port) = reached(ocean, resource, &cluster).await?;
    let document = |password| -> Result<Document, ProviderError> {
        Ok(Document { username: username.clone(), password, host, port, dbname: text(resource, "dbname")? })
    };
    match found {
        Some(password) => written_down(ocean, &cluster, &document(password)?, events).await,
        None => {
            say(
                events,
                format!("the password of {username} is not told to this token, which has no database:view_credentials"),
            );
            ocean.secrets(&cluster.name).map_or(Ok(()), |folder| folder.done())
        }
    }
}

/// Where the block has programs connect: as the plan knows it, or as the cluster tells by now.
async fn reached(ocean: &DigitalOcean, resource: &Resource, cluster: &Cluster) -> Result<(String, u16), ProviderError> {
    let host = resource.props.get("host");
    let port = resource.props.get("port").and_then(Value::as_int).and_then(|port| u16::try_from(port).ok());
    if let (Some(host), Some(port)) = (host.and_then(Value::as_text), port) {
        return Ok((host.to_owned(), port));
    }
    let late = host.map(Value::outputs).unwrap_or_default();
    let is_private = late.iter().any(|(_, field)| field.starts_with("private"));
    let (public, private) = match late.iter().find(|(id, _)| id.kind == pool::NAME) {
        Some((id, _)) => {
            let mut pools = api::pools(ocean.session(), &cluster.id).await?.into_iter();
            let there = pools.find(|there| there.name == id.name).ok_or_else(|| {
                ProviderError::new(ErrorKind::NotFound, format!("{id} is not there any more")).help("plan again")
            })?;
            (there.connection, there.private_connection)
        }
        None => (cluster.connection.clone(), cluster.private_connection.clone()),
    };
    let way = if is_private && private.host.is_some() { private } else { public };
    let unknown = || {
        ProviderError::new(
            ErrorKind::Unavailable,
            format!("DigitalOcean does not tell where {} is reached", cluster.name),
        )
        .help("run this again")
    };
    way.host.zip(way.port).ok_or_else(unknown)
}

/// Writes a document down, and the certificate of the server beside it.
pub(crate) async fn written_down(
    ocean: &DigitalOcean,
    cluster: &Cluster,
    document: &Document,
    events: &Events,
) -> Result<(), ProviderError> {
    let Some(folder) = ocean.secrets(&cluster.name) else { return Ok(()) };
    // The document is last: while it is not there, a run that was cut short has it written by the next one.
    if let Some(pem) = api::certificate(ocean.session(), &cluster.id).await? {
        folder.write_certificate(&pem)?;
    }
    folder.write(document)?;
    folder.done()?;
    say(events, format!("the credentials of {} are in {}", cluster.name, folder.secret().display()));
    Ok(())
}

/// The password of the role of a block.
pub(crate) async fn password(ocean: &DigitalOcean, database: &str, username: &str) -> Result<Secret, ProviderError> {
    let cluster = ours(ocean, database).await?;
    password_of(ocean, &cluster, username).await?.ok_or_else(|| {
        let message = format!("DigitalOcean does not tell the password of {username} to this token");
        ProviderError::new(ErrorKind::Denied, message).help("give the token the scope database:view_credentials")
    })
}

/// The password of a role of a cluster; `None`: the token may not see it.
pub(crate) async fn password_of(
    ocean: &DigitalOcean,
    cluster: &Cluster,
    username: &str,
) -> Result<Option<Secret>, ProviderError> {
    let of = |users: &[api::User]| users.iter().find(|user| user.name == username).map(|user| user.password.clone());
    if let Some(Some(password)) = cluster.users.as_deref().and_then(of) {
        return Ok(Some(password));
    }
    match of(&api::users(ocean.session(), &cluster.id).await?) {
        Some(password) => Ok(password),
        None if username == ADMINISTRATOR => Ok(None),
        None => {
            let message = format!("{} has no role {username}", cluster.name);
            Err(ProviderError::new(ErrorKind::NotFound, message).help("`pgherd apply` makes it"))
        }
    }
}
