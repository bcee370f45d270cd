//! The document with the password, on this machine.

use pgherd_core::resource::Resource;
use pgherd_core::secret::Secret;
use pgherd_core::value::Value;
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};

use super::text;
use crate::api::{self, Cluster};
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
    let document = |password| -> Result<Document, ProviderError> {
        let (host, port) = reached(resource, &cluster);
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
fn reached(resource: &Resource, cluster: &Cluster) -> (String, u16) {
    let host = resource.props.get("host");
    let is_private = host.is_some_and(|host| host.outputs().iter().any(|(_, field)| field.starts_with("private")));
    let has_private = cluster.private_connection.host.is_some();
    let way = if is_private && has_private { &cluster.private_connection } else { &cluster.connection };
    let known = host.and_then(Value::as_text).map(str::to_owned);
    let port = resource.props.get("port").and_then(Value::as_int).and_then(|port| u16::try_from(port).ok());
    (known.or_else(|| way.host.clone()).unwrap_or_default(), port.or(way.port).unwrap_or(25060))
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
