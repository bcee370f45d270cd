//! The secret of a database. Its password is the one in force, or about to be: it is made before the instance, and another one is
//! written down, with a word that says so, before the instance gets it.

use pgherd_core::plan::Change;
use pgherd_core::resource::{Id, Resource};
use pgherd_core::secret::Secret;
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};

use super::{not_known, once, password_of_role, text};
use crate::api::{self, Document, Shell};
use crate::error::GcpError;
use crate::fields::LABELS;
use crate::kinds::instance::PASSWORD;
use crate::kinds::secret::NAME;
use crate::labels::{self, Labels};
use crate::names;
use crate::observe::{Found, find};
use crate::provider::Gcp;
use crate::wait::say;

/// The annotation of a secret whose newest password may not be in force yet.
pub(crate) const ROTATING: &str = "pgherd-rotating";

/// Signs of a password that need no quoting in a URL (RFC 3986, unreserved).
const SIGNS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
const LENGTH: usize = 32;

/// The password for an instance that does not exist yet: that of its secret, which is made for it. So it is written down before there
/// is anything it opens, and an instance that is made again after a crash gets the same one.
pub(crate) async fn ensure(gcp: &Gcp, database: &str, props: &Props) -> Result<Secret, ProviderError> {
    let name = names::secret(database);
    shell(gcp, database, &labels::sent(props)).await?;
    let there = api::access(gcp.at(), &name).await?;
    let kept = there.as_ref().and_then(|there| there.password.clone());
    let password = match (kept, written(props, PASSWORD)) {
        (Some(kept), None) => return Ok(kept),
        (Some(kept), Some(written)) if kept == written => return Ok(kept),
        (_, written) => written.unwrap_or_else(generated),
    };
    let document = Document { password: Some(password.clone()), ..there.unwrap_or_default() };
    put_document(gcp, &name, &document).await?;
    Ok(password)
}

/// Puts in what only an instance that exists has, makes anew what was lost, and finishes a rotation that was cut short.
pub(super) async fn put(gcp: &Gcp, resource: &Resource, events: &Events) -> Result<(), ProviderError> {
    let (name, database) = (resource.id.name.as_str(), names::of_secret(&resource.id.name));
    let there = shell(gcp, database, &labels::sent(&resource.props)).await?;
    let found = api::access(gcp.at(), name).await?.unwrap_or_default();
    let mut wanted = Document {
        username: Some(text(resource, "username")?),
        password: written(&resource.props, "password").or_else(|| found.password.clone()),
        host: Some(host(resource)?),
        port: resource.props.get("port").and_then(Value::as_int).and_then(|port| u16::try_from(port).ok()),
        dbname: Some(text(resource, "dbname")?),
    };
    // Nobody knows the one in force any more.
    let password = wanted.password.get_or_insert_with(generated).clone();
    // What is filled gets it when it is.
    let is_rotating = there.annotations.contains_key(ROTATING) && !gcp.is_filling();
    if is_rotating || found.password.as_ref() != Some(&password) {
        return rotated(gcp, database, &wanted, events).await;
    }
    match is_same(&found, &wanted) {
        true => Ok(()),
        false => Ok(put_document(gcp, name, &wanted).await?),
    }
}

/// Puts in what differs, labels included.
pub(super) async fn update(
    gcp: &Gcp,
    resource: &Resource,
    changes: &[Change],
    events: &Events,
) -> Result<(), ProviderError> {
    put(gcp, resource, events).await?;
    let of_labels =
        |change: &Change| change.field.strip_prefix("userLabels.").map(|key| (key.to_owned(), change.to.clone()));
    let relabelled: Vec<(String, Value)> = changes.iter().filter_map(of_labels).collect();
    if relabelled.is_empty() {
        return Ok(());
    }
    marked(gcp, &resource.id.name, |worn, _| {
        for (key, to) in &relabelled {
            match to.as_text() {
                Some(value) => drop(worn.insert(key.clone(), value.to_owned())),
                None => drop(worn.remove(key)),
            }
        }
    })
    .await
}

/// Deletes it, unless its database is there: then the database's own step does, which comes last.
pub(super) async fn delete(gcp: &Gcp, id: &Id) -> Result<(), ProviderError> {
    let database = names::of_secret(&id.name);
    match find(gcp, database).await? {
        Found::Ours(_) => Ok(()),
        Found::Foreign(..) | Found::Nothing => remove(gcp, database).await,
    }
}

/// Deletes the secret of a database that is gone.
pub(super) async fn remove(gcp: &Gcp, database: &str) -> Result<(), ProviderError> {
    let name = names::secret(database);
    match api::secret(gcp.at(), &name).await? {
        Some(there) if gcp.is_ours(&there.labels, database) => Ok(api::delete_secret(gcp.at(), &name).await?),
        Some(_) | None => Ok(()),
    }
}

/// The password for a role that does not exist yet, and whether the document is whole already: the one that is written down, be it in
/// force for others or about to be.
pub(super) async fn to_be_given(gcp: &Gcp, database: &str) -> Result<(Secret, bool), ProviderError> {
    let worn = Props::from([(labels::BLOCK.to_owned(), Value::text(database))]);
    let password = ensure(gcp, database, &Props::from([(LABELS.to_owned(), Value::Map(worn))])).await?;
    let document = api::access(gcp.at(), &names::secret(database)).await?;
    Ok((password, document.is_some_and(|document| document.username.is_some())))
}

/// Notes that the password of a secret, which is made where there is none, is not in force: whoever applies has it be.
pub(crate) async fn to_be_put_in_force(gcp: &Gcp, database: &str, props: &Props) -> Result<(), ProviderError> {
    shell(gcp, database, &labels::sent(props)).await?;
    let name = names::secret(database);
    marked(gcp, &name, |_, noted| drop(noted.insert(ROTATING.to_owned(), "yes".to_owned()))).await
}

/// Whether that is noted, and nobody has applied since.
pub(crate) async fn is_to_be_put_in_force(gcp: &Gcp, database: &str) -> Result<bool, ProviderError> {
    let there = api::secret(gcp.at(), &names::secret(database)).await?;
    Ok(there.is_some_and(|there| gcp.is_ours(&there.labels, database) && there.annotations.contains_key(ROTATING)))
}

/// Notes that it is in force by now.
pub(crate) async fn put_in_force(gcp: &Gcp, database: &str) -> Result<(), ProviderError> {
    marked(gcp, &names::secret(database), |_, noted| drop(noted.remove(ROTATING))).await
}

/// The password in force.
pub(crate) async fn password(gcp: &Gcp, database: &str) -> Result<Secret, ProviderError> {
    let name = names::secret(database);
    let there = api::secret(gcp.at(), &name).await?;
    let there = there.ok_or_else(|| ProviderError::new(ErrorKind::NotFound, format!("{NAME} {name} is not there")))?;
    if !gcp.is_ours(&there.labels, database) {
        return Err(foreign(&name, database));
    }
    if there.annotations.contains_key(ROTATING) {
        let words = format!("a new password of {database} is on its way, and nobody knows whether it is in force");
        return Err(ProviderError::new(ErrorKind::Conflict, words).help("`pgherd apply` finishes that"));
    }
    let document = api::access(gcp.at(), &name).await?;
    document.and_then(|document| document.password).ok_or_else(|| {
        ProviderError::new(ErrorKind::Invalid, format!("{NAME} {name} holds no password"))
            .help("pgherd rotate gives it one")
    })
}

/// Gives a database a new password.
pub(crate) async fn rotate(gcp: &Gcp, database: &str, events: &Events) -> Result<(), ProviderError> {
    let name = names::secret(database);
    match api::secret(gcp.at(), &name).await? {
        Some(there) if gcp.is_ours(&there.labels, database) => {}
        Some(_) => return Err(foreign(&name, database)),
        None => {
            return Err(ProviderError::new(ErrorKind::NotFound, format!("{NAME} {name} is not there"))
                .help("`pgherd apply` makes it, with a new password"));
        }
    }
    let found = api::access(gcp.at(), &name).await?.unwrap_or_default();
    if found.username.is_none() {
        let words = format!("{NAME} {name} does not say whose password it holds");
        return Err(ProviderError::new(ErrorKind::Conflict, words).help("`pgherd apply` writes that down"));
    }
    rotated(gcp, database, &Document { password: Some(generated()), ..found }, events).await?;
    say(events, format!("{database} has a new password; sessions go on"));
    Ok(())
}

/// Has the password of a document be in force. Cut short anywhere, the mark says that it has to be done again.
async fn rotated(gcp: &Gcp, database: &str, wanted: &Document, events: &Events) -> Result<(), ProviderError> {
    let name = names::secret(database);
    marked(gcp, &name, |_, noted| drop(noted.insert(ROTATING.to_owned(), "yes".to_owned()))).await?;
    let found = api::access(gcp.at(), &name).await?.unwrap_or_default();
    if !is_same(&found, wanted) {
        put_document(gcp, &name, wanted).await?;
    }
    if let (Some(role), Some(password)) = (&wanted.username, &wanted.password) {
        password_of_role(gcp, database, role, password, events).await?;
    }
    marked(gcp, &name, |_, noted| drop(noted.remove(ROTATING))).await
}

/// The secret of a database, which is made where there is none.
async fn shell(gcp: &Gcp, database: &str, worn: &Labels) -> Result<Shell, ProviderError> {
    let name = names::secret(database);
    let look = || async { Ok(api::secret(gcp.at(), &name).await?) };
    let there = match look().await? {
        Some(there) => Some(there),
        None => once(|| api::create_secret(gcp.at(), &name, worn), look).await?,
    };
    let there = match there {
        Some(there) => there,
        None => look().await?.ok_or_else(|| {
            ProviderError::new(ErrorKind::Unavailable, format!("{NAME} {name} was made, and is not there"))
                .help("run this again")
        })?,
    };
    if gcp.is_ours(&there.labels, database) { Ok(there) } else { Err(foreign(&name, database)) }
}

/// Changes labels and annotations of a secret as it is by now.
async fn marked(gcp: &Gcp, name: &str, change: impl Fn(&mut Labels, &mut Labels)) -> Result<(), ProviderError> {
    for _ in 0..super::TRIES {
        let there = api::secret(gcp.at(), name).await?;
        let there = there.ok_or_else(|| {
            ProviderError::new(ErrorKind::NotFound, format!("{NAME} {name} is gone")).help("plan again")
        })?;
        let (mut worn, mut noted) = (there.labels.clone(), there.annotations.clone());
        change(&mut worn, &mut noted);
        if (&worn, &noted) == (&there.labels, &there.annotations) {
            return Ok(());
        }
        match api::patch_secret(gcp.at(), name, &there, &worn, &noted).await {
            // Google says 400 FAILED_PRECONDITION, or 409 ABORTED, where somebody else was first.
            Err(error) if error.maybe_done || error.is_stale() || is_behind(&error) => {}
            answer => return Ok(answer?),
        }
    }
    Err(ProviderError::new(ErrorKind::Conflict, format!("{NAME} {name} is changed by somebody else again and again")))
}

fn is_behind(error: &GcpError) -> bool {
    error.status == Some(409) || error.reason == "FAILED_PRECONDITION"
}

/// Puts a document in. Where nobody knows whether it was, what is in there tells.
async fn put_document(gcp: &Gcp, name: &str, document: &Document) -> Result<(), ProviderError> {
    for _ in 0..super::TRIES {
        match api::add_version(gcp.at(), name, document).await {
            Err(error) if error.maybe_done => {}
            answer => return Ok(answer?),
        }
        if api::access(gcp.at(), name).await?.is_some_and(|found| is_same(&found, document)) {
            return Ok(());
        }
    }
    Err(ProviderError::new(ErrorKind::Unavailable, format!("{NAME} {name} does not answer")).help("run this again"))
}

fn is_same(one: &Document, other: &Document) -> bool {
    let of = |document: &Document| {
        (document.username.clone(), document.host.clone(), document.port, document.dbname.clone())
    };
    of(one) == of(other) && one.password == other.password
}

fn host(resource: &Resource) -> Result<String, ProviderError> {
    text(resource, "host").map_err(|_| not_known(resource, "host"))
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
    let words = format!("{NAME} {name} exists and is not pgherd's: it has no label {}={database}", labels::BLOCK);
    ProviderError::new(ErrorKind::Conflict, words).help("give the block another name, or the secret the label")
}

/// A password nobody has had.
pub(crate) fn generated() -> Secret {
    let mut password = String::with_capacity(LENGTH);
    while password.len() < LENGTH {
        let mut bytes = [0; LENGTH];
        getrandom::fill(&mut bytes).expect("the system has chance, without which nothing is secret");
        // The same chance for each sign: what is beyond the last is thrown away.
        let signs = bytes.iter().filter_map(|byte| SIGNS.get(usize::from(byte & 127)));
        password.extend(signs.take(LENGTH - password.len()).map(|sign| char::from(*sign)));
    }
    Secret::new(password)
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
