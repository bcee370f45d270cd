//! `rotate`: DigitalOcean gives a role another password, and tells it.

use pgherd_engine::provider::{ErrorKind, Events, ProviderError};

use crate::api;
use crate::kinds::user::ADMINISTRATOR;
use crate::live::{password, password_of, written_down};
use crate::observe::ours;
use crate::provider::DigitalOcean;
use crate::secrets::Document;
use crate::wait::{Of, say, taken};

/// Gives the role of a database a new password. Whose it is, is said by the document of this machine or, without one, by the cluster:
/// a role of the block is the only one beside the administrator.
pub(super) async fn rotate(ocean: &DigitalOcean, name: &str, events: &Events) -> Result<(), ProviderError> {
    let cluster = ours(ocean, name).await?;
    let folder = ocean.secrets(name);
    let known = folder.as_ref().and_then(|folder| folder.read());
    let username = match &known {
        Some(document) => document.username.clone(),
        None => only_role(ocean, &cluster.id).await?,
    };
    let before = password_of(ocean, &cluster, &username).await?;
    let of = Of::Cluster(&cluster.id);
    let new = match taken(ocean, of, events, || api::reset_auth(ocean.session(), &cluster.id, &username)).await {
        Ok(Some(new)) => new,
        Ok(None) => password(ocean, name, &username).await?,
        // Done or not, what is in force is told.
        Err(error) if error.maybe_done => {
            let now = password(ocean, name, &username).await?;
            if before.as_ref().is_none_or(|before| *before == now) {
                let words = format!("nobody knows whether {username} of {name} has a new password: {error}");
                let help = "as far as DigitalOcean tells, the old one is in force; run it again";
                return Err(ProviderError::new(ErrorKind::Unavailable, words).help(help));
            }
            now
        }
        Err(error) => return Err(error.into()),
    };
    say(events, format!("{username} of {name} has a new password; sessions go on"));
    match (known, folder) {
        (Some(document), _) => written_down(ocean, &cluster, &Document { password: new, ..document }, events).await,
        // Where its applications connect and to which database only the block says.
        (None, Some(folder)) => {
            folder.want_document()?;
            say(events, format!("this machine had no credentials of {name}: `pgherd apply` writes them down"));
            Ok(())
        }
        (None, None) => Ok(()),
    }
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
