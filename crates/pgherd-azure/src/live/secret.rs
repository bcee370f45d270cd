//! The secret of a database. Its password is the one in force, or about to be: it is made before the server, and another one is written
//! down, with a tag that says so, before the server gets it. One that was deleted holds no password any more, since a vault keeps it.

use pgherd_core::resource::{Id, Resource};
use pgherd_core::secret::Secret;
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};

use super::{not_known, text};
use crate::api::{self, Document, Held};
use crate::error::AzureError;
use crate::kinds::secret::NAME;
use crate::kinds::server::PASSWORD;
use crate::names;
use crate::observe::{Found, find};
use crate::provider::Azure;
use crate::tags::{self, Tags};
use crate::wait::{carried, say, until};

/// The tag of a version whose password may not be in force yet.
pub(crate) const ROTATING: &str = "pgherd_rotating";

/// Signs of a password that need no quoting in a URL (RFC 3986, unreserved).
const SIGNS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
const LENGTH: usize = 32;

/// The password for a server that does not exist yet: that of its secret, which is made for it. So it is written down before there is
/// anything it opens, and a server that is made again after a crash gets the same one.
pub(crate) async fn ensure(azure: &Azure, database: &str, props: &Props) -> Result<Secret, ProviderError> {
    let there = held(azure, database).await?;
    let password = chosen(there.as_ref(), props);
    let document = there.map(|there| there.document).unwrap_or_default();
    if document.password.as_ref() != Some(&password) {
        let document = Document { password: Some(password.clone()), ..document };
        put_document(azure, database, &document, &tags::own(database)).await?;
    }
    Ok(password)
}

/// The password for a server that exists and is to get one, such as a copy of another: nothing is written down yet, since it is not in
/// force.
pub(crate) async fn intended(azure: &Azure, database: &str, props: &Props) -> Result<Secret, ProviderError> {
    Ok(chosen(held(azure, database).await?.as_ref(), props))
}

/// What is written goes before what is kept.
fn chosen(there: Option<&Held>, props: &Props) -> Secret {
    let kept = there.and_then(|there| there.document.password.clone());
    written(props, PASSWORD).or(kept).unwrap_or_else(generated)
}

/// Puts in what only a server that exists has, makes anew what was lost, and finishes a rotation that was cut short.
pub(super) async fn put(azure: &Azure, resource: &Resource, events: &Events) -> Result<(), ProviderError> {
    let database = names::of_secret(&resource.id.name);
    let there = held(azure, database).await?;
    let is_rotating = there.as_ref().is_some_and(|there| there.tags.contains_key(ROTATING));
    let found = there.map(|there| there.document).unwrap_or_default();
    let mut wanted = Document {
        username: Some(text(resource, "username")?),
        password: written(&resource.props, "password").or_else(|| found.password.clone()),
        host: Some(text(resource, "host").map_err(|_| not_known(resource, "host"))?),
        port: resource.props.get("port").and_then(Value::as_int).and_then(|port| u16::try_from(port).ok()),
        dbname: Some(text(resource, "dbname")?),
    };
    // Nobody knows the one in force any more.
    let password = wanted.password.get_or_insert_with(generated).clone();
    if is_rotating || found.password.as_ref() != Some(&password) {
        return in_force(azure, database, &wanted, events).await;
    }
    match is_same(&found, &wanted) {
        true => Ok(()),
        false => put_document(azure, database, &wanted, &tags::own(database)).await,
    }
}

/// Deletes it, unless its database is there: then the database's own step does, which comes last.
pub(super) async fn delete(azure: &Azure, id: &Id) -> Result<(), ProviderError> {
    let database = names::of_secret(&id.name);
    match find(azure, database).await? {
        // One that is somebody else's by now, or forgotten, goes on with it.
        Found::Ours(_) | Found::Foreign(..) => Ok(()),
        Found::Nothing => remove_orphan(azure, database).await,
    }
}

/// Deletes the secret of a database that is not to be found, unless it may be where nobody looked: another resource group, say. Names
/// are the whole world's, so that one that lives keeps its own.
pub(super) async fn remove_orphan(azure: &Azure, database: &str) -> Result<(), ProviderError> {
    let name = names::secret(database);
    let Ok(vault) = azure.vault() else { return Ok(()) };
    match api::secret(azure.at().session, vault, &name).await? {
        Some(there) if azure.is_ours(&there.tags, database) => {}
        Some(_) | None => return Ok(()),
    }
    if api::is_free(azure.at(), database).await?.is_some() {
        let words = format!(
            "there is no server {database} in {}, but somewhere: {NAME} {name} may be what it is opened with, and is left",
            azure.at().group
        );
        let help =
            "see whether resource_group_name and azure_subscription_id are right; or delete the secret in the portal";
        return Err(ProviderError::new(ErrorKind::Conflict, words).help(help));
    }
    remove(azure, database).await
}

/// Deletes the secret of a database that is gone. What a vault keeps of it opens nothing, and should not open what is made next.
pub(super) async fn remove(azure: &Azure, database: &str) -> Result<(), ProviderError> {
    let Ok(vault) = azure.vault() else { return Ok(()) };
    let (session, name) = (azure.at().session, names::secret(database));
    match api::secret(session, vault, &name).await? {
        Some(there) if azure.is_ours(&there.tags, database) => {
            if there.document.password.is_some() {
                let empty = Document { password: None, ..there.document };
                api::put_secret(session, vault, &name, &empty, &tags::own(database)).await?;
            }
            Ok(api::delete_secret(session, vault, &name).await?)
        }
        Some(_) | None => Ok(()),
    }
}

/// The password in force.
pub(crate) async fn password(azure: &Azure, database: &str) -> Result<Secret, ProviderError> {
    let name = names::secret(database);
    let there = held(azure, database).await?;
    let there = there.ok_or_else(|| ProviderError::new(ErrorKind::NotFound, format!("{NAME} {name} is not there")))?;
    if there.tags.contains_key(ROTATING) {
        let words = format!("a new password of {database} is on its way, and nobody knows whether it is in force");
        return Err(ProviderError::new(ErrorKind::Conflict, words).help("`pgherd apply` finishes that"));
    }
    there.document.password.ok_or_else(|| {
        ProviderError::new(ErrorKind::Invalid, format!("{NAME} {name} holds no password"))
            .help("pgherd rotate gives it one")
    })
}

/// Gives a database a new password.
pub(crate) async fn rotate(azure: &Azure, database: &str, events: &Events) -> Result<(), ProviderError> {
    let name = names::secret(database);
    let there = held(azure, database).await?.ok_or_else(|| {
        ProviderError::new(ErrorKind::NotFound, format!("{NAME} {name} is not there"))
            .help("`pgherd apply` makes it, with a new password")
    })?;
    if there.document.username.is_none() {
        let words = format!("{NAME} {name} does not say whose password it holds");
        return Err(ProviderError::new(ErrorKind::Conflict, words).help("`pgherd apply` writes that down"));
    }
    let wanted = Document { password: Some(generated()), ..there.document };
    in_force(azure, database, &wanted, events).await?;
    say(events, format!("{database} has a new password; sessions go on"));
    Ok(())
}

/// Has the password of a document be in force. Cut short anywhere, the tag says that it has to be done again.
pub(crate) async fn in_force(
    azure: &Azure,
    database: &str,
    wanted: &Document,
    events: &Events,
) -> Result<(), ProviderError> {
    let mut worn = tags::own(database);
    worn.insert(ROTATING.to_owned(), "yes".to_owned());
    let there = held(azure, database).await?;
    if !there.is_some_and(|there| there.tags.contains_key(ROTATING) && is_same(&there.document, wanted)) {
        put_document(azure, database, wanted, &worn).await?;
    }
    if let Some(password) = &wanted.password {
        let attempt = || api::set_password(azure.at(), database, password);
        carried(azure, database, azure.patience().changing, events, attempt).await?;
    }
    let name = names::secret(database);
    let there = held(azure, database).await?;
    let there = there.ok_or_else(|| {
        ProviderError::new(ErrorKind::NotFound, format!("{NAME} {name} is gone")).help("run this again")
    })?;
    if !is_same(&there.document, wanted) {
        let words = format!("{NAME} {name} was changed by somebody else meanwhile");
        return Err(ProviderError::new(ErrorKind::Conflict, words).help("`pgherd apply` finishes that"));
    }
    let own = tags::own(database);
    Ok(api::retag(azure.at().session, azure.vault()?, &name, &there.version, &own).await?)
}

/// The secret of a database, if there is one and it is ours.
async fn held(azure: &Azure, database: &str) -> Result<Option<Held>, ProviderError> {
    let name = names::secret(database);
    match api::secret(azure.at().session, azure.vault()?, &name).await? {
        Some(there) if !azure.is_ours(&there.tags, database) => Err(foreign(&name, database)),
        there => Ok(there),
    }
}

/// Puts a document in. Where one of that name was deleted, it has to be there again first.
async fn put_document(azure: &Azure, database: &str, document: &Document, worn: &Tags) -> Result<(), ProviderError> {
    let (session, vault, name) = (azure.at().session, azure.vault()?, names::secret(database));
    for _ in 0..super::TRIES {
        match api::put_secret(session, vault, &name, document, worn).await {
            Err(error) if is_kept(&error) => recovered(azure, database).await?,
            answer => return Ok(answer?),
        }
    }
    Err(ProviderError::new(ErrorKind::Unavailable, format!("{NAME} {name} is deleted again and again"))
        .help("run this again"))
}

/// The vault keeps the name of a secret that was deleted.
fn is_kept(error: &AzureError) -> bool {
    error.status == Some(409)
}

/// Has a secret that was deleted be there again, if it was ours.
async fn recovered(azure: &Azure, database: &str) -> Result<(), ProviderError> {
    let (session, vault, name) = (azure.at().session, azure.vault()?, names::secret(database));
    match api::deleted(session, vault, &name).await? {
        Some(there) if !azure.is_ours(&there.tags, database) => return Err(foreign(&name, database)),
        Some(_) => match api::recover(session, vault, &name).await {
            Err(error) if error.maybe_done || error.is_absent() || is_kept(&error) => {}
            answer => answer?,
        },
        // It is on its way, there or back.
        None => {}
    }
    let events = Events::new(database, tokio::sync::mpsc::unbounded_channel().0);
    let name = name.as_str();
    until(azure, azure.patience().changing, &events, || async move {
        let there = api::secret(session, vault, name).await?;
        let is_free = there.is_some() || api::deleted(session, vault, name).await?.is_none();
        Ok(if is_free { Ok(()) } else { Err("the vault has its secret be there again".to_owned()) })
    })
    .await
}

fn is_same(one: &Document, other: &Document) -> bool {
    let of = |document: &Document| {
        (document.username.clone(), document.host.clone(), document.port, document.dbname.clone())
    };
    of(one) == of(other) && one.password == other.password
}

/// A password that stands in the block. An empty one was read back from a saved plan, which keeps no secrets.
fn written(props: &Props, field: &str) -> Option<Secret> {
    match props.get(field) {
        Some(Value::Secret(password)) => {
            Some(password.clone()).filter(|one| one.reveal().is_some_and(|text| !text.is_empty()))
        }
        Some(_) | None => None,
    }
}

fn foreign(name: &str, database: &str) -> ProviderError {
    let words = format!("{NAME} {name} exists and is not pgherd's: it has no tag {}={database}", tags::BLOCK);
    ProviderError::new(ErrorKind::Conflict, words).help("give the block another name, or the secret the tag")
}

/// A password nobody has had, with the kinds of signs that Azure wants in one.
fn generated() -> Secret {
    loop {
        let password = drawn();
        let has = |kind: fn(&u8) -> bool| password.bytes().any(|byte| kind(&byte));
        if has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_digit) {
            return Secret::new(password);
        }
    }
}

fn drawn() -> String {
    let mut password = String::with_capacity(LENGTH);
    while password.len() < LENGTH {
        let mut bytes = [0; LENGTH];
        getrandom::fill(&mut bytes).expect("the system has chance, without which nothing is secret");
        // The same chance for each sign: what is beyond the last is thrown away.
        let signs = bytes.iter().filter_map(|byte| SIGNS.get(usize::from(byte & 127)));
        password.extend(signs.take(LENGTH - password.len()).map(|sign| char::from(*sign)));
    }
    password
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_needs_no_quoting_and_is_never_the_same() {
        let [one, other] = [generated(), generated()];
        assert!(one != other);
        let text = one.reveal().expect("a text");
        assert!(text.len() == LENGTH && text.bytes().all(|byte| SIGNS.contains(&byte)), "{}", text.len());
    }
}
