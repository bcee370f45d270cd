//! `rotate`: DigitalOcean gives a role another password, and tells it.

use pgherd_core::secret::Secret;
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};

use crate::api;
use crate::kinds::user::ADMINISTRATOR;
use crate::live::{password, written_down};
use crate::observe::ours;
use crate::provider::DigitalOcean;
use crate::secrets::Document;
use crate::tags;
use crate::wait::{say, taken};

/// Gives the role of a database a new password. Whose it is, is said by the document of this machine or, without one, by the cluster:
/// a role of the block is the only one beside the administrator.
pub(super) async fn rotate(ocean: &DigitalOcean, name: &str, events: &Events) -> Result<(), ProviderError> {
    let cluster = ours(ocean, name).await?;
    let known = ocean.secrets(name).and_then(|folder| folder.read());
    let username = match &known {
        Some(document) => document.username.clone(),
        None => only_role(ocean, &cluster.id).await?,
    };
    let asked = taken(ocean, events, || api::reset_auth(ocean.session(), &cluster.id, &username)).await;
    let new: Option<Secret> = match asked {
        // Done or not, what is in force is told.
        Err(error) if error.maybe_done => Some(password(ocean, name, &username).await?),
        asked => asked?,
    };
    let new = match new {
        Some(new) => new,
        None => password(ocean, name, &username).await?,
    };
    say(events, format!("{username} of {name} has a new password; sessions go on"));
    let document = match known {
        Some(document) => Document { password: new, ..document },
        None => Document {
            username,
            password: new,
            host: cluster.private_connection.host.clone().or(cluster.connection.host.clone()).unwrap_or_default(),
            port: cluster.connection.port.unwrap_or(25060),
            dbname: tags::value_of(&cluster.tags, "database").unwrap_or("defaultdb").to_owned(),
        },
    };
    written_down(ocean, &cluster, &document, events).await
}

/// The role that applications use: the one that is not the administrator, or that when there is no other.
async fn only_role(ocean: &DigitalOcean, cluster: &str) -> Result<String, ProviderError> {
    let mut users = api::users(ocean.session(), cluster).await?;
    users.retain(|user| user.name != ADMINISTRATOR && !user.name.starts_with('_'));
    match users.as_slice() {
        [] => Ok(ADMINISTRATOR.to_owned()),
        [only] => Ok(only.name.clone()),
        _ => Err(ProviderError::new(
            ErrorKind::Conflict,
            "there are several roles, and nothing here says which is meant",
        )
        .help("run it on the machine that has the credentials, or reset the password in the control panel")),
    }
}
