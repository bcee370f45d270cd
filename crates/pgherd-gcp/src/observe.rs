//! Everything there is of a block, all kinds side by side.

use std::collections::BTreeSet;

use futures_util::future::{join, try_join, try_join_all};
use pgherd_core::resource::{Id, Observed, Resource, Status};
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::{ErrorKind, ProviderError};

use crate::api::{self, Alert, Channel, Document, Instance, Shell};
use crate::error::GcpError;
use crate::fields::{self, LABELS};
use crate::kinds::{alert, channel, database, instance, replica, secret, user};
use crate::labels::{self, Labels};
use crate::live::ROTATING;
use crate::names;
use crate::provider::Gcp;
use crate::wait::status;

/// The instance of a name.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    /// There is none.
    Nothing,
    /// It is pgherd's.
    Ours(Box<Instance>),
    /// Somebody else made it; how one can tell.
    Foreign(Box<Instance>, String),
}

/// Looks for the instance of a name.
pub(crate) async fn find(gcp: &Gcp, name: &str) -> Result<Found, ProviderError> {
    let Some(there) = api::instance(gcp.at(), name).await? else { return Ok(Found::Nothing) };
    Ok(match foreign_because(gcp, &there, name) {
        None => Found::Ours(Box::new(there)),
        Some(why) => Found::Foreign(Box::new(there), why),
    })
}

/// Why an instance is not the one of a database; `None`: it is.
fn foreign_because(gcp: &Gcp, there: &Instance, database: &str) -> Option<String> {
    if !there.is_postgres() {
        return Some(format!("it runs {}", there.text("databaseVersion").unwrap_or_default()));
    }
    if let Some(source) = there.source().filter(|_| there.name() == database) {
        return Some(format!("it is a read replica of {source}"));
    }
    (!gcp.is_ours(&there.labels(), database)).then(|| format!("it has no label {}={database}", labels::BLOCK))
}

/// The instance of a name, when it is there and ours.
pub(crate) async fn ours(gcp: &Gcp, name: &str) -> Result<Instance, ProviderError> {
    match find(gcp, name).await? {
        Found::Ours(there) => Ok(*there),
        Found::Foreign(_, why) => Err(foreign(name, &why)),
        Found::Nothing => Err(ProviderError::new(ErrorKind::NotFound, format!("{name} does not exist"))),
    }
}

/// That an instance is left alone.
pub(crate) fn foreign(name: &str, why: &str) -> ProviderError {
    ProviderError::new(ErrorKind::Conflict, format!("the instance {name} exists and is not pgherd's: {why}"))
        .help("`pgherd adopt` takes it over; or give the block another name")
}

/// The replicas of a database that there are, by the names they may have.
pub(crate) async fn replicas(gcp: &Gcp, there: &Instance) -> Result<Vec<Instance>, ProviderError> {
    let known = names::replicas(there.name());
    let mut named = there.replicas();
    named.retain(|name| known.contains(name));
    let looks = named.iter().map(|name| api::instance(gcp.at(), name));
    Ok(try_join_all(looks).await?.into_iter().flatten().collect())
}

/// What there is of a block: what is wanted, what is somebody else's under our names, and what nobody wants any more.
pub(crate) async fn observe(gcp: &Gcp, wanted: &[Resource]) -> Result<Vec<Observed>, ProviderError> {
    let Some(want) = wanted.iter().find(|one| one.id.kind == instance::NAME) else { return Ok(Vec::new()) };
    let name = want.id.name.as_str();
    let asks = wanted.iter().any(|one| [alert::NAME, channel::NAME].contains(&one.id.kind.as_str()));
    let sides = try_join(secret_of(gcp, name), watched(gcp, name, asks));
    let (found, (secret, (alerts, channels))) = try_join(find(gcp, name), sides).await?;
    let mut all: Vec<Observed> = alerts.iter().filter_map(|told| seen_alert(name, told)).collect();
    all.extend(channels.iter().filter_map(|told| seen_channel(name, told)));
    // Who copies one copies its labels: of several the first is ours, as for whoever changes it.
    let mut ids = BTreeSet::new();
    all.retain(|one| ids.insert(one.id.clone()));
    if let Some((shell, document)) = &secret {
        all.push(seen_secret(gcp, wanted, name, shell, document.as_ref()));
    }
    let there = match found {
        Found::Nothing => return Ok(all),
        Found::Foreign(there, why) => {
            // What is around it is left alone, too: its secret may be the only copy of its password.
            let props = Props::from([("name".to_owned(), Value::text(there.name()))]);
            return Ok(vec![seen(want.id.clone(), props, Status::Foreign(why), None)]);
        }
        Found::Ours(there) => *there,
    };
    all.push(seen_instance(want, &there));
    let told = status(&there);
    if matches!(told, Status::Incomplete(_) | Status::Failed(_)) {
        return Ok(all);
    }
    // Nobody can look into one that is stopped or in the middle of something: what is wanted in it counts as there.
    let within = async {
        if told != Status::Available {
            return Ok(None);
        }
        try_join(api::databases(gcp.at(), name), api::users(gcp.at(), name)).await.map(Some)
    };
    let (within, replicas) = join(within, replicas(gcp, &there)).await;
    let (within, replicas) = match within {
        // What somebody was deleting is gone since it was looked at, and its replicas went before it.
        Err(error) if error.is_absent() => {
            all.retain(|one| one.id != want.id);
            return Ok(all);
        }
        within => (within?, replicas?),
    };
    for one in wanted.iter().filter(|one| [database::NAME, user::NAME].contains(&one.id.kind.as_str())) {
        let name = one.props.get("name").and_then(Value::as_text).unwrap_or_default().to_owned();
        let exists = within.as_ref().is_none_or(|(databases, users)| match one.id.kind.as_str() {
            database::NAME => databases.contains(&name),
            _ => users.contains(&name),
        });
        if exists {
            all.push(seen(one.id.clone(), one.props.clone(), Status::Available, Some(&want.id)));
        }
    }
    all.extend(replicas.iter().map(|one| seen_replica(gcp, wanted, &want.id, one)));
    Ok(all)
}

async fn secret_of(gcp: &Gcp, database: &str) -> Result<Option<(Shell, Option<Document>)>, ProviderError> {
    let name = names::secret(database);
    let Some(shell) = api::secret(gcp.at(), &name).await? else { return Ok(None) };
    let is_ours = gcp.is_ours(&shell.labels, database);
    let document = if is_ours { api::access(gcp.at(), &name).await? } else { None };
    Ok(Some((shell, document)))
}

/// Alarms and channels. Whoever wants none need not be allowed to see them.
async fn watched(gcp: &Gcp, name: &str, are_wanted: bool) -> Result<(Vec<Alert>, Vec<Channel>), ProviderError> {
    match try_join(api::alerts(gcp.at(), name), api::channels(gcp.at(), name)).await {
        Err(error) if !are_wanted && error.kind() == ErrorKind::Denied => Ok((Vec::new(), Vec::new())),
        answer => Ok(answer.map_err(|error: GcpError| ProviderError::from(error))?),
    }
}

fn seen(id: Id, props: Props, status: Status, needs: Option<&Id>) -> Observed {
    let needs = needs.into_iter().cloned().collect();
    Observed { id, props, status, pending: Vec::new(), needs, protected: false }
}

fn compared(worn: &Labels, want: Option<&Resource>) -> Value {
    let nothing = Props::new();
    let wanted = want.and_then(|want| want.props.get(LABELS)?.as_map()).unwrap_or(&nothing);
    labels::compared(worn, wanted)
}

/// Every field of an instance, with its addresses.
fn props_of(there: &Instance, want: Option<&Resource>) -> Props {
    let mut props = fields::read(&there.0);
    props.insert(LABELS.to_owned(), compared(&there.labels(), want));
    props.extend(crate::kinds::props([
        (instance::PUBLIC, there.address("PRIMARY").into()),
        (instance::PRIVATE, there.address("PRIVATE").into()),
        ("selfLink", there.text("selfLink").into()),
        ("connectionName", there.text("connectionName").into()),
        ("databaseInstalledVersion", there.text("databaseInstalledVersion").into()),
    ]));
    // An address that is not there yet is not known, rather than none.
    props.retain(|name, value| !(name.starts_with("address.") && value.is_null()));
    props
}

fn seen_instance(want: &Resource, there: &Instance) -> Observed {
    let mut props = props_of(there, Some(want));
    // The pooler's settings are ours only while it is wanted.
    if !want.props.contains_key(fields::POOL_FLAGS) {
        props.remove(fields::POOL_FLAGS);
    } else if let Some(Value::Map(flags)) = props.get_mut(fields::POOL_FLAGS) {
        let ours = want.props[fields::POOL_FLAGS].as_map();
        flags.retain(|name, _| ours.is_some_and(|ours| ours.contains_key(name)));
    }
    let is_protected = there.0["settings"]["deletionProtectionEnabled"] == true;
    Observed { protected: is_protected, ..seen(want.id.clone(), props, status(there), None) }
}

fn seen_replica(gcp: &Gcp, wanted: &[Resource], primary: &Id, there: &Instance) -> Observed {
    let id = Id::new(replica::NAME, there.name());
    let want = wanted.iter().find(|one| one.id == id);
    let told = match foreign_because(gcp, there, &primary.name) {
        None => status(there),
        Some(why) => Status::Foreign(why),
    };
    let is_protected = there.0["settings"]["deletionProtectionEnabled"] == true;
    Observed { protected: is_protected, ..seen(id, props_of(there, want), told, Some(primary)) }
}

fn seen_secret(gcp: &Gcp, wanted: &[Resource], database: &str, shell: &Shell, document: Option<&Document>) -> Observed {
    let id = Id::new(secret::NAME, names::secret(database));
    if !gcp.is_ours(&shell.labels, database) {
        let why = format!("it has no label {}={database}", labels::BLOCK);
        return seen(id, Props::new(), Status::Foreign(why), None);
    }
    let document = document.cloned().unwrap_or_default();
    let is_rotating = shell.annotations.contains_key(ROTATING) && !gcp.is_filling();
    let want = wanted.iter().find(|one| one.id == id);
    let props = crate::kinds::props([
        ("username", document.username.into()),
        ("dbname", document.dbname.into()),
        ("host", document.host.into()),
        ("port", document.port.map(i64::from).into()),
        ("password", document.password.clone().map_or(Value::Null, Value::Secret)),
        ("in_force", (document.password.is_some() && !is_rotating).into()),
        (LABELS, compared(&shell.labels, want)),
    ]);
    let needs = want.map(|want| want.needs.clone()).unwrap_or_else(|| vec![Id::new(instance::NAME, database)]);
    Observed { needs, ..seen(id, props, Status::Available, None) }
}

fn seen_channel(database: &str, there: &Channel) -> Option<Observed> {
    let address = there.address.as_deref().filter(|_| labels::are_ours(&there.labels, database))?;
    let props =
        crate::kinds::props([(channel::ASSIGNED, there.name.as_str().into()), ("enabled", there.enabled.into())]);
    Some(seen(Id::new(channel::NAME, names::within(database, address)), props, Status::Available, None))
}

fn seen_alert(database: &str, there: &Alert) -> Option<Observed> {
    let about = there.labels.get(labels::ALARM).filter(|_| labels::are_ours(&there.labels, database))?;
    let props = crate::kinds::props([
        ("name", there.name.as_str().into()),
        ("filter", there.filter.as_str().into()),
        ("thresholdValue", Value::Float(there.threshold)),
        ("comparison", there.comparison.as_str().into()),
        ("duration", there.duration.as_str().into()),
        ("crossSeriesReducer", there.reducer.as_str().into()),
        ("notificationChannels", Value::List(there.channels.iter().map(Value::text).collect())),
        ("enabled", there.enabled.into()),
    ]);
    // A channel that is in use cannot be deleted.
    let mut seen = seen(Id::new(alert::NAME, names::alarm(database, about)), props, Status::Available, None);
    seen.needs.push(Id::new(instance::NAME, database));
    Some(seen)
}
