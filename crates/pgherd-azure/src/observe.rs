//! Everything there is of a block, all kinds side by side. What is within a server is looked at in `within.rs`.

mod within;

use futures_util::future::{try_join, try_join_all, try_join3};
use pgherd_core::resource::{Id, Observed, Resource, Status};
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::{ErrorKind, ProviderError};

use crate::api::{self, Alert, Group, Held, Server, Zone};
use crate::error::AzureError;
use crate::fields;
use crate::kinds::{action_group, alert, props, replica, secret, server, zone};
use crate::live::ROTATING;
use crate::names;
use crate::provider::Azure;
use crate::tags::{self, TAGS, Tags};
use crate::wait::status;

/// The server of a name.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    /// There is none.
    Nothing,
    /// It is pgherd's.
    Ours(Box<Server>),
    /// Somebody else made it; how one can tell.
    Foreign(Box<Server>, String),
}

/// Looks for the server of a name.
pub(crate) async fn find(azure: &Azure, name: &str) -> Result<Found, ProviderError> {
    let Some(there) = api::server(azure.at(), name).await? else { return Ok(Found::Nothing) };
    Ok(match foreign_because(azure, &there, name) {
        None => Found::Ours(Box::new(there)),
        Some(why) => Found::Foreign(Box::new(there), why),
    })
}

/// Why a server is not the one of a database; `None`: it is.
fn foreign_because(azure: &Azure, there: &Server, database: &str) -> Option<String> {
    if let Some(source) = there.source().filter(|_| there.name() == database) {
        return Some(format!("it is a read replica of {source}"));
    }
    (!azure.is_ours(&there.tags(), database)).then(|| tagless(database))
}

fn tagless(database: &str) -> String {
    format!("it has no tag {}={database}", tags::BLOCK)
}

/// The server of a name, when it is there and ours.
pub(crate) async fn ours(azure: &Azure, name: &str) -> Result<Server, ProviderError> {
    match find(azure, name).await? {
        Found::Ours(there) => Ok(*there),
        Found::Foreign(_, why) => Err(foreign(name, &why)),
        Found::Nothing => Err(ProviderError::new(ErrorKind::NotFound, format!("{name} does not exist"))),
    }
}

/// That a server is left alone.
pub(crate) fn foreign(name: &str, why: &str) -> ProviderError {
    ProviderError::new(ErrorKind::Conflict, format!("the server {name} exists and is not pgherd's: {why}"))
        .help("`pgherd adopt` takes it over; or give the block another name")
}

/// The replicas of a database that there are, by the names they may have.
pub(crate) async fn replicas(azure: &Azure, database: &str) -> Result<Vec<Server>, ProviderError> {
    let known = names::replicas(database);
    let mut all = api::replicas(azure.at(), database).await?;
    all.retain(|one| known.iter().any(|name| name == one.name()));
    Ok(all)
}

/// What there is of a block: what is wanted, what is somebody else's under our names, and what nobody wants any more.
pub(crate) async fn observe(azure: &Azure, wanted: &[Resource]) -> Result<Vec<Observed>, ProviderError> {
    match look(azure, wanted).await {
        // What is being deleted went between two calls of it, and now is seen to be gone.
        Err(error) if error.kind == ErrorKind::NotFound => look(azure, wanted).await,
        answer => answer,
    }
}

async fn look(azure: &Azure, wanted: &[Resource]) -> Result<Vec<Observed>, ProviderError> {
    let Some(want) = wanted.iter().find(|one| one.id.kind == server::NAME) else { return Ok(Vec::new()) };
    let name = want.id.name.as_str();
    let is_watched = wanted.iter().any(|one| [alert::NAME, action_group::NAME].contains(&one.id.kind.as_str()));
    let sides = try_join3(secret_of(azure, name), zone_of(azure, wanted, name), watched(azure, is_watched));
    let (found, (held, zone, (alerts, groups))) = try_join(find(azure, name), sides).await?;
    let mut all: Vec<Observed> = alerts.iter().filter_map(|told| seen_alert(name, told)).collect();
    all.extend(groups.iter().filter_map(|told| seen_group(name, told)));
    all.extend(zone.map(|zone| seen_zone(azure, name, &zone)));
    if let Some(held) = &held {
        all.push(seen_secret(azure, wanted, name, held));
    }
    let there = match found {
        Found::Nothing => return Ok(all),
        Found::Foreign(there, why) => {
            let props = Props::from([("name".to_owned(), Value::text(there.name()))]);
            // What is around it is needed by whoever has it now.
            all.iter_mut().for_each(|beside| beside.status = Status::Foreign(why.clone()));
            all.push(seen(want.id.clone(), props, Status::Foreign(why), &[]));
            return Ok(all);
        }
        Found::Ours(there) => *there,
    };
    let told = status(&there);
    let is_half_made = matches!(told, Status::Incomplete(_) | Status::Failed(_));
    let (ours, others) = api::locks(azure.at(), name).await?;
    let mut primary = seen(want.id.clone(), props_of(&there, Some(want)), told, &want.needs);
    primary.protected = ours.is_some() || others;
    all.push(primary);
    if is_half_made {
        return Ok(all);
    }
    all.extend(ours.map(|level| within::lock(&want.id, &level)));
    let replicas = replicas(azure, name).await?;
    let looks =
        std::iter::once((&want.id, &there)).map(|(id, there)| within::observe(azure, wanted, id.clone(), there));
    let replica_id = |one: &Server| Id::new(replica::NAME, one.name());
    let is_wanted = |one: &&Server| wanted.iter().any(|want| want.id == replica_id(one));
    let kept = replicas.iter().filter(is_wanted);
    let looks = looks.chain(kept.map(|one| within::observe(azure, wanted, replica_id(one), one)));
    all.extend(try_join_all(looks).await?.into_iter().flatten());
    all.extend(replicas.iter().map(|one| seen_replica(azure, wanted, &want.id, one)));
    Ok(all)
}

async fn secret_of(azure: &Azure, database: &str) -> Result<Option<Held>, ProviderError> {
    match azure.vault() {
        Ok(vault) => Ok(api::secret(azure.at().session, vault, &names::secret(database)).await?),
        // The preflight says so.
        Err(_) => Ok(None),
    }
}

/// Whoever wants no zone, and may not look for one, has none.
async fn zone_of(azure: &Azure, wanted: &[Resource], database: &str) -> Result<Option<Zone>, ProviderError> {
    let is_wanted = wanted.iter().any(|one| one.id.kind == zone::NAME);
    match api::zone(azure.at(), &names::zone(database)).await {
        Err(error) if !is_wanted && error.kind() == ErrorKind::Denied => Ok(None),
        answer => Ok(answer?),
    }
}

/// Alarms and who is told. Whoever wants none need not be allowed to see them.
async fn watched(azure: &Azure, are_wanted: bool) -> Result<(Vec<Alert>, Vec<Group>), ProviderError> {
    match try_join(api::alerts(azure.at()), api::groups(azure.at())).await {
        Err(error) if !are_wanted && error.kind() == ErrorKind::Denied => Ok((Vec::new(), Vec::new())),
        answer => Ok(answer.map_err(|error: AzureError| ProviderError::from(error))?),
    }
}

fn seen(id: Id, props: Props, status: Status, needs: &[Id]) -> Observed {
    Observed { id, props, status, pending: Vec::new(), needs: needs.to_vec(), protected: false }
}

fn compared(worn: &Tags, want: Option<&Resource>) -> Value {
    let nothing = Props::new();
    let wanted = want.and_then(|want| want.props.get(TAGS)?.as_map()).unwrap_or(&nothing);
    tags::compared(worn, wanted)
}

/// Every field of a server, with its name.
fn props_of(there: &Server, want: Option<&Resource>) -> Props {
    let mut props = fields::read(&there.0);
    props.insert(TAGS.to_owned(), compared(&there.tags(), want));
    props.extend(crate::kinds::props([
        ("id", there.id().into()),
        ("minorVersion", there.property("minorVersion").into()),
    ]));
    // A name that is not there yet is not known, rather than none.
    props.extend(there.host().map(|host| (server::HOST.to_owned(), Value::Text(host))));
    props
}

fn seen_replica(azure: &Azure, wanted: &[Resource], primary: &Id, there: &Server) -> Observed {
    let id = Id::new(replica::NAME, there.name());
    let want = wanted.iter().find(|one| one.id == id);
    let told = match foreign_because(azure, there, &primary.name) {
        None => status(there),
        Some(why) => Status::Foreign(why),
    };
    seen(id, props_of(there, want), told, std::slice::from_ref(primary))
}

fn seen_zone(azure: &Azure, database: &str, there: &Zone) -> Observed {
    let id = Id::new(zone::NAME, names::zone(database));
    let told = match azure.is_ours(&there.tags, database) {
        true => Status::Available,
        false => Status::Foreign(tagless(database)),
    };
    let props = props([(zone::PATH, there.id.as_str().into()), ("virtualNetwork", there.network.clone().into())]);
    seen(id, props, told, &[])
}

fn seen_secret(azure: &Azure, wanted: &[Resource], database: &str, held: &Held) -> Observed {
    let id = Id::new(secret::NAME, names::secret(database));
    if !azure.is_ours(&held.tags, database) {
        return seen(id, Props::new(), Status::Foreign(tagless(database)), &[]);
    }
    let document = &held.document;
    let is_rotating = held.tags.contains_key(ROTATING);
    let props = props([
        ("username", document.username.clone().into()),
        ("dbname", document.dbname.clone().into()),
        ("host", document.host.clone().into()),
        ("port", document.port.map(i64::from).into()),
        ("password", document.password.clone().map_or(Value::Null, Value::Secret)),
        ("in_force", (document.password.is_some() && !is_rotating).into()),
    ]);
    let want = wanted.iter().find(|one| one.id == id);
    let needs = want.map_or_else(|| vec![Id::new(server::NAME, database)], |want| want.needs.clone());
    seen(id, props, Status::Available, &needs)
}

fn seen_group(database: &str, there: &Group) -> Option<Observed> {
    tags::are_ours(&there.tags, database).then(|| {
        let props = props([
            (action_group::PATH, there.id.as_str().into()),
            ("addresses", Value::List(there.addresses.iter().map(Value::text).collect())),
            ("enabled", there.enabled.into()),
        ]);
        seen(Id::new(action_group::NAME, &there.name), props, Status::Available, &[])
    })
}

fn seen_alert(database: &str, there: &Alert) -> Option<Observed> {
    tags::are_ours(&there.tags, database).then(|| {
        let props = props([
            ("server", there.server.as_str().into()),
            ("metricName", there.metric.as_str().into()),
            ("threshold", Value::Float(there.threshold)),
            ("operator", there.operator.as_str().into()),
            ("timeAggregation", there.aggregation.as_str().into()),
            ("windowSize", there.window.as_str().into()),
            ("evaluationFrequency", there.frequency.as_str().into()),
            ("actions", Value::List(there.actions.iter().map(Value::text).collect())),
            ("enabled", there.enabled.into()),
        ]);
        let needs = [Id::new(server::NAME, database), Id::new(action_group::NAME, names::group(database))];
        seen(Id::new(alert::NAME, &there.name), props, Status::Available, &needs)
    })
}
