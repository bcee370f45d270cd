//! The secret of the administrator. Its password is the one in force, or about to be: it is made before the instance, and another one is
//! written down before the instance gets it.

use futures_util::future::{join, try_join};
use pgherd_core::plan::Change;
use pgherd_core::resource::{Id, Observed, Resource, Status};
use pgherd_core::secret::Secret;
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::{ApplyNow, Deletion, ErrorKind, Events, ProviderError};

use super::document::{self, About, Document, Read};
use super::made;
use super::ours::{self, Retagging};
use super::rotation::{self, Rotation};
use crate::api::kms;
use crate::api::secrets::{self, CURRENT, Described, NewSecret, NewVersion, PENDING};
use crate::api::tags::Tags;
use crate::kinds::secret::{ARN, KEY, NAME};
use crate::kinds::{instance, props, tags};
use crate::names;
use crate::protocol::error::AwsError;
use crate::provider::Aws;

/// Days in which a deleted secret can be restored: the most there are (botocore 1.43.11, DeleteSecret).
const RECOVERY_DAYS: u32 = 30;

/// A secret that is wanted, and what is told of it without reading it.
#[derive(Debug)]
pub(crate) struct Told<'a> {
    resource: &'a Resource,
    described: Described,
}

/// The secret that is wanted. One that is scheduled for deletion is not there.
pub(crate) async fn told<'a>(aws: &Aws, wanted: &'a [Resource]) -> Result<Option<Told<'a>>, ProviderError> {
    let Some(resource) = ours::of_kind(wanted, NAME).next() else { return Ok(None) };
    let described = look(aws, &resource.id.name).await?.filter(|described| !described.deleted);
    Ok(described.map(|mut described| {
        described.tags = aws.worn(described.tags);
        Told { resource, described }
    }))
}

/// What there is of a secret, beside these servers. It is read only where its version's id does not say what is in it.
pub(crate) async fn observe(
    aws: &Aws,
    told: Option<Told<'_>>,
    servers: &[Observed],
) -> Result<Option<Observed>, ProviderError> {
    let Some(Told { resource, mut described }) = told else { return Ok(None) };
    if !is_ours(&described.tags, &resource.id.name) {
        return Ok(Some(ours::seen(&resource.id, Props::new(), ours::status(false))));
    }
    described.key = key_as_written(aws, &resource.props, described.key).await?;
    let marked = expected(resource, servers)
        .filter(|about| described.stages.get(CURRENT).is_some_and(|version| about.is_marked(version)));
    let read = match marked {
        Some(about) => Held { about: Read::from(about), has_password: true },
        None => {
            let version = secrets::value(aws.session(), aws.region(), &resource.id.name, CURRENT).await?;
            let about = version.map(|version| Read::of(&version.text)).unwrap_or_default();
            Held { has_password: about.password.is_some(), about }
        }
    };
    Ok(Some(observed(resource, &described, read)))
}

/// What is to stand in a secret, where that can be told without reading it: a password that is written must be compared.
fn expected(resource: &Resource, servers: &[Observed]) -> Option<About> {
    let instance = servers.iter().find(|seen| seen.id.kind == instance::NAME)?;
    let wanted = |field: &str| resource.props.get(field)?.as_text().map(str::to_owned);
    let is_compared = resource.props.contains_key(PASSWORD);
    Some(About {
        username: wanted("username")?,
        dbname: wanted("dbname")?,
        host: instance.props.get(instance::ADDRESS)?.as_text()?.to_owned(),
        port: instance.props.get("Port")?.as_int()?,
    })
    .filter(|_| !is_compared)
}

/// The key of a secret as the block writes it, if it is that one.
async fn key_as_written(aws: &Aws, wanted: &Props, told: Option<String>) -> Result<Option<String>, ProviderError> {
    let Some(written) = key(wanted) else { return Ok(told) };
    let Some(told) = &told else {
        // AWS's own key for RDS is of no use to a secret, which is as it is wanted without one.
        let is_of_another_service = usable(aws, Some(written)).await?.is_none();
        return Ok(is_of_another_service.then(|| written.to_owned()));
    };
    if is_called(written, told) {
        return Ok(Some(written.to_owned()));
    }
    let arn = match written.contains("alias/") || told.contains("alias/") {
        true => try_join(key_arn(aws, written), key_arn(aws, told)).await?,
        false => return Ok(Some(told.clone())),
    };
    Ok(Some(if arn.0 == arn.1 { written.to_owned() } else { told.clone() }))
}

async fn key_arn(aws: &Aws, name: &str) -> Result<Option<String>, ProviderError> {
    Ok(kms::key_arn(aws.session(), aws.region(), name).await?)
}

/// Whether a key that is told is the one that is written: by its whole name, or by the end of it.
fn is_called(written: &str, told: &str) -> bool {
    let ends = |whole: &str, end: &str| {
        whole == end || whole.ends_with(&format!(":key/{end}")) || whole.ends_with(&format!(":{end}"))
    };
    ends(told, written) || ends(written, told)
}

/// The key that a thing is to be encrypted with.
pub(super) fn key(props: &Props) -> Option<&str> {
    props.get(KEY)?.as_text()
}

/// The key that a secret can be encrypted with: not one that AWS keeps for another service, such as `alias/aws/rds` (Secrets Manager User
/// Guide, "Secret encryption and decryption").
pub(super) async fn usable<'a>(aws: &Aws, key: Option<&'a str>) -> Result<Option<&'a str>, ProviderError> {
    let Some(key) = key else { return Ok(None) };
    if key.rsplit(':').next().is_some_and(|name| name.starts_with("alias/aws/")) {
        return Ok(None);
    }
    match kms::key(aws.session(), aws.region(), key).await {
        Ok(Some(known)) if known.manager == "AWS" => Ok(None),
        Ok(_) => Ok(Some(key)),
        // Whoever may not look learns of Secrets Manager what it is.
        Err(error) if error.kind() == ErrorKind::Denied => Ok(Some(key)),
        Err(error) => Err(error.into()),
    }
}

/// A secret that is to be made.
pub(super) fn new<'a>(
    name: &'a str,
    tags: &'a [(String, String)],
    key: Option<&'a str>,
    version: Option<&'a NewVersion>,
) -> NewSecret<'a> {
    NewSecret {
        name,
        description: DESCRIPTION,
        tags,
        key,
        token: version.map_or_else(document::chance, |version| version.token.clone()),
        text: version.map(|version| &version.text),
    }
}

/// The password of an instance: that of its secret, while no rotation is under way.
pub(crate) async fn password(aws: &Aws, database: &str) -> Result<Secret, ProviderError> {
    let id = Id::new(NAME, names::secret(database));
    let (session, region) = (aws.session(), aws.region());
    let looks = join(secrets::describe(session, region, &id.name), secrets::value(session, region, &id.name, CURRENT));
    let (described, version) = looks.await;
    let described = described?.filter(|described| !described.deleted);
    let described = described.ok_or_else(|| ProviderError::new(ErrorKind::NotFound, format!("{id} is not there")))?;
    if !is_ours(&described.tags, &id.name) {
        return Err(ours::foreign(&id));
    }
    version?.and_then(|version| Read::of(&version.text).password).ok_or_else(|| {
        ProviderError::new(ErrorKind::Invalid, format!("{id} holds no password")).help("pgherd rotate gives it one")
    })
}

/// The password for an instance that does not exist yet: that of its secret, which is made for it. So it is written down before there
/// is anything it opens, and an instance that is made again after a crash gets the same one.
pub(crate) async fn ensure(aws: &Aws, instance: &Resource, _events: &Events) -> Result<Secret, ProviderError> {
    let id = Id::new(NAME, names::secret(&instance.id.name));
    let wanted = of_instance(instance);
    let Some(described) = look(aws, &id.name).await? else {
        return written_down(aws, &id, wanted, instance).await;
    };
    if !is_ours(&described.tags, &id.name) {
        return Err(ours::foreign(&id));
    }
    if described.deleted {
        secrets::restore(aws.session(), aws.region(), &id.name).await?;
    }
    let version = secrets::value(aws.session(), aws.region(), &id.name, CURRENT).await?;
    let kept = version.and_then(|version| Read::of(&version.text).password);
    match (kept, written(&instance.props, PASSWORD_OF_INSTANCE)) {
        (Some(kept), None) => Ok(kept),
        (Some(kept), Some(written)) if kept == written => Ok(kept),
        (_, written) => {
            let password = written.unwrap_or_else(document::password);
            put(aws, &id.name, &Document { password: password.clone(), ..wanted }).await?;
            Ok(password)
        }
    }
}

/// Puts in what only an instance that exists has, or makes anew what was lost.
pub(crate) async fn create(
    aws: &Aws,
    resource: &Resource,
    _now: ApplyNow,
    events: &Events,
) -> Result<(), ProviderError> {
    let name = &resource.id.name;
    match look(aws, name).await? {
        None => {
            let given = tags::sent(&resource.props);
            let new = new(name, &given, usable(aws, key(&resource.props)).await?, None);
            let make = || secrets::create(aws.session(), aws.region(), &new);
            made::once("ResourceExistsException", make, || look(aws, name)).await?;
        }
        Some(described) if !is_ours(&described.tags, name) => return Err(ours::foreign(&resource.id)),
        Some(described) if described.deleted => secrets::restore(aws.session(), aws.region(), name).await?,
        Some(_) => {}
    }
    become_as_wanted(aws, resource, events).await
}

/// Puts in what is wanted; a password by rotation.
pub(crate) async fn update(
    aws: &Aws,
    resource: &Resource,
    changes: &[Change],
    _now: ApplyNow,
    events: &Events,
) -> Result<(), ProviderError> {
    let name = &resource.id.name;
    let described = look(aws, name).await?.filter(|described| is_ours(&described.tags, name));
    described.ok_or_else(|| ours::foreign(&resource.id))?;
    let key = changes.iter().find(|change| change.field == KEY).and_then(|change| change.to.as_text());
    if let Some(key) = usable(aws, key).await? {
        secrets::encrypt(aws.session(), aws.region(), name, key).await?;
    }
    become_as_wanted(aws, resource, events).await?;
    let retagging = Retagging::of(changes);
    Ok(retagging
        .carry(
            || secrets::tag(aws.session(), aws.region(), name, &retagging.set),
            || secrets::untag(aws.session(), aws.region(), name, &retagging.removed),
        )
        .await?)
}

/// Schedules the secret for deletion, so that it can be restored for a while.
pub(crate) async fn delete(aws: &Aws, id: &Id, _how: &Deletion, events: &Events) -> Result<(), ProviderError> {
    match look(aws, &id.name).await? {
        None => return Ok(()),
        Some(described) if described.deleted => return Ok(()),
        Some(described) if !is_ours(&described.tags, &id.name) => return Err(ours::foreign(id)),
        Some(_) => {}
    }
    if let Err(error) = secrets::delete(aws.session(), aws.region(), &id.name, RECOVERY_DAYS).await {
        // Asked once more because the first answer was lost, it says that nothing can be done to what is scheduled for deletion.
        let is_gone = look(aws, &id.name).await?.is_none_or(|described| described.deleted);
        if !is_gone {
            return Err(error.into());
        }
    }
    events.phase(format!("can be restored for {RECOVERY_DAYS} days"));
    Ok(())
}

const DESCRIPTION: &str = "How to connect as the administrator, kept by pgherd";

/// The field of an instance with the password that was written, if one was.
const PASSWORD_OF_INSTANCE: &str = crate::kinds::instance::PASSWORD;
const PASSWORD: &str = "password";

async fn look(aws: &Aws, name: &str) -> Result<Option<Described>, AwsError> {
    secrets::describe(aws.session(), aws.region(), name).await
}

async fn put(aws: &Aws, name: &str, document: &Document) -> Result<(), AwsError> {
    secrets::put(aws.session(), aws.region(), name, &document.version(), CURRENT).await
}

fn is_ours(worn: &Tags, name: &str) -> bool {
    ours::is(worn, |database| names::secret(database) == name)
}

/// Makes the secret. Where it was there after all, what is in it counts, whoever put it there.
async fn written_down(aws: &Aws, id: &Id, wanted: Document, instance: &Resource) -> Result<Secret, ProviderError> {
    let (session, region, name) = (aws.session(), aws.region(), &id.name);
    let (given, version) = (tags::sent_around(&instance.props), wanted.version());
    let new = new(name, &given, usable(aws, key(&instance.props)).await?, Some(&version));
    let make = || secrets::create(session, region, &new);
    match made::once("ResourceExistsException", make, || look(aws, name)).await? {
        None => Ok(wanted.password),
        Some(described) if !is_ours(&described.tags, name) => Err(ours::foreign(id)),
        Some(_) => {
            let version = secrets::value(session, region, name, CURRENT).await?;
            version.and_then(|version| Read::of(&version.text).password).ok_or_else(|| unreadable(id))
        }
    }
}

/// Finishes a rotation that was cut short, then puts in what differs.
async fn become_as_wanted(aws: &Aws, resource: &Resource, events: &Events) -> Result<(), ProviderError> {
    let (session, region, name) = (aws.session(), aws.region(), &resource.id.name);
    let rotation = Rotation { secret: &resource.id, instance: database(name) };
    rotation::resumed(aws, &rotation, events).await?;
    let version = secrets::value(session, region, name, CURRENT).await?;
    let found = version.as_ref().map(|version| Read::of(&version.text));
    let in_force = found.as_ref().and_then(|found| found.password.clone());
    let written = written(&resource.props, PASSWORD);
    let password = match (&written, &in_force) {
        (Some(written), _) => written.clone(),
        (None, Some(in_force)) => in_force.clone(),
        // Nobody knows the one in force any more.
        (None, None) if version.is_none() => document::password(),
        (None, None) => return Err(unreadable(&resource.id)),
    };
    let wanted = of_secret(resource, password)?;
    if in_force.as_ref() != Some(&wanted.password) {
        return rotation::rotated(aws, &rotation, &wanted, events).await;
    }
    if version.is_some_and(|version| version.text != wanted.text()) {
        put(aws, name, &wanted).await?;
    }
    Ok(())
}

/// The database that a secret is of.
fn database(secret: &str) -> &str {
    secret.split('/').nth(1).unwrap_or(secret)
}

fn unreadable(id: &Id) -> ProviderError {
    ProviderError::new(ErrorKind::Conflict, format!("there is no password in {id}"))
        .help("`pgherd rotate` gives the database a new one")
}

fn text(props: &Props, field: &str) -> String {
    props.get(field).and_then(Value::as_text).unwrap_or_default().to_owned()
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

/// The document for an instance that is about to be made.
pub(super) fn of_instance(instance: &Resource) -> Document {
    let props = &instance.props;
    Document {
        username: text(props, "MasterUsername"),
        password: written(props, PASSWORD_OF_INSTANCE).unwrap_or_else(document::password),
        host: String::new(),
        port: props
            .get("Port")
            .and_then(Value::as_int)
            .unwrap_or_else(|| crate::kinds::security_group::DEFAULT_PORT.into()),
        dbname: text(props, "DBName"),
    }
}

/// The document that a secret is to have.
fn of_secret(resource: &Resource, password: Secret) -> Result<Document, ProviderError> {
    let props = &resource.props;
    let missing = |field: &str| {
        let message = format!("{} cannot be written: the instance has no {field} yet", resource.id);
        ProviderError::new(ErrorKind::Conflict, message).help("run this again once it is there")
    };
    Ok(Document {
        username: text(props, "username"),
        password,
        host: Some(text(props, "host")).filter(|host| !host.is_empty()).ok_or_else(|| missing("host"))?,
        port: props.get("port").and_then(Value::as_int).ok_or_else(|| missing("port"))?,
        dbname: text(props, "dbname"),
    })
}

/// What stands in a secret, as far as it is known.
struct Held {
    about: Read,
    has_password: bool,
}

fn observed(resource: &Resource, described: &Described, held: Held) -> Observed {
    let status = status(described, held.has_password);
    let read = held.about;
    let text = |text: Option<String>| text.map_or(Value::Null, Value::Text);
    let props = props([
        (ARN, described.arn.as_str().into()),
        ("username", text(read.username)),
        ("dbname", text(read.dbname)),
        ("host", text(read.host)),
        ("port", read.port.map_or(Value::Null, Value::Int)),
        (PASSWORD, read.password.map_or(Value::Null, Value::Secret)),
        (KEY, text(described.key.clone())),
        ("Tags", ours::compared(&described.tags, &resource.props)),
    ]);
    ours::seen(&resource.id, props, status)
}

fn status(described: &Described, has_password: bool) -> Status {
    if described.stages.contains_key(PENDING) {
        Status::Incomplete("a rotation was cut short".to_owned())
    } else if !described.stages.contains_key(CURRENT) {
        Status::Incomplete("nothing is in it yet".to_owned())
    } else if !has_password {
        Status::Failed("there is no password in it; `pgherd rotate` gives the database a new one".to_owned())
    } else {
        Status::Available
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn described(stages: &[&str]) -> Described {
        Described {
            arn: String::new(),
            tags: Tags::new(),
            deleted: false,
            key: None,
            stages: stages.iter().map(|stage| ((*stage).to_owned(), "v1".to_owned())).collect::<BTreeMap<_, _>>(),
        }
    }

    #[track_caller]
    fn check(stages: &[&str], has_password: bool, expected: &str) {
        assert_eq!(format!("{:?}", status(&described(stages), has_password)), expected);
    }

    #[test]
    fn a_secret_is_done_when_it_has_one_password() {
        check(&[CURRENT], true, "Available");
        check(&[CURRENT, "AWSPREVIOUS"], true, "Available");
        check(&[CURRENT, PENDING], true, r#"Incomplete("a rotation was cut short")"#);
        check(&[], false, r#"Incomplete("nothing is in it yet")"#);
        check(
            &[CURRENT],
            false,
            r#"Failed("there is no password in it; `pgherd rotate` gives the database a new one")"#,
        );
    }

    #[test]
    fn the_name_says_the_database() {
        assert_eq!(database(&names::secret("orders")), "orders");
    }

    #[test]
    fn an_empty_password_is_none() {
        let props = |text: &str| Props::from([("password".to_owned(), Value::Secret(Secret::new(text)))]);
        assert!(written(&props(""), "password").is_none() && written(&props("x"), "password").is_some());
    }
}
