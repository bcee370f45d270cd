//! Read replicas. DigitalOcean makes one of a backup, and refuses as long as there is none. Its firewall is its own, and lets everybody
//! in until it is told otherwise: that is done before anything else.

use std::sync::atomic::{AtomicBool, Ordering};

use pgherd_core::resource::{Id, Resource};
use pgherd_core::value::Value;
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};
use serde_json::{Value as Json, json};

use super::within::{addresses, let_in, rule};
use super::{Made, Names, int, once, text};
use crate::api::{self, Cluster, Replica, Rule};
use crate::observe::{Found, find, foreign, foreign_replica, ours};
use crate::provider::DigitalOcean;
use crate::wait::{Of, is_at_rest, taken, until};
use crate::{names, tags};

/// Makes it, and returns when it can be used by those who may, and by nobody else.
pub(super) async fn create(ocean: &DigitalOcean, resource: &Resource, events: &Events) -> Result<(), ProviderError> {
    let name = resource.id.name.as_str();
    let source = ours(ocean, source(resource)).await?;
    let (session, at) = (ocean.session(), source.id.as_str());
    let wanted = &addresses(resource)?;
    let rules: &Vec<Rule> = &wanted.iter().map(|address| rule(address)).collect();
    let look = || async move { Ok(named(api::replicas(session, at).await?, name)) };
    // Whether its firewall has taken what it was told right after it was made.
    let is_closed = &AtomicBool::new(false);
    // Refused or not: as soon as it is at rest it is looked at.
    let close = |id: String| async move {
        if !id.is_empty() && !is_closed.load(Ordering::Relaxed) {
            is_closed.store(api::set_firewall(session, &id, rules).await.is_ok(), Ordering::Relaxed);
        }
    };
    let mut own = String::new();
    if look().await?.is_none() {
        let body = &creation(resource, &source)?;
        let of = Of::Cluster(at);
        let made = once(ocean, of, events, Names::Unique, || api::create_replica(session, at, body), look).await?;
        if let Made::Now(Some(id)) = made {
            close(id.clone()).await;
            own = id;
        }
    }
    let own = own.as_str();
    let ready = || async move {
        let Some(there) = look().await? else { return Ok(None) };
        // It may wear its tags only once it is made.
        let is_ours = !own.is_empty() && there.id == own || there.is_of(&source_of(name));
        match (is_at_rest(&there.status), is_ours) {
            (true, true) => {
                let_in(ocean, &there.id, wanted).await?;
                Ok(Some(()))
            }
            (true, false) => Err(foreign_replica(name)),
            (false, true) => {
                close(there.id).await;
                Ok(None)
            }
            (false, false) => Ok(None),
        }
    };
    until(ocean, ocean.patience().making, "DigitalOcean is making it", events, ready).await
}

/// The request that makes it.
fn creation(resource: &Resource, source: &Cluster) -> Result<Json, ProviderError> {
    let size = text(resource, "size")?;
    let mut body = json!({ "name": resource.id.name, "size": size, "tags": tags::sent(&resource.props) });
    for field in ["region", "private_network_uuid"] {
        if resource.props.contains_key(field) {
            body[field] = text(resource, field)?.into();
        }
    }
    // It has room for what its source holds by now, which may have grown by itself.
    let is_asked = resource.props.contains_key("storage_size_mib");
    let wanted = if is_asked { Some(int(resource, "storage_size_mib")?) } else { None };
    let live = source.storage_mib.filter(|_| is_asked || source.size == size);
    if let Some(mib) = wanted.max(live) {
        body["storage_size_mib"] = mib.into();
    }
    Ok(body)
}

/// Gives it other nodes: by its id it is a cluster.
pub(super) async fn update(ocean: &DigitalOcean, resource: &Resource, events: &Events) -> Result<(), ProviderError> {
    let name = resource.id.name.as_str();
    let (replica, source) = there(ocean, name).await?;
    let size = text(resource, "size")?;
    let size = size.as_str();
    let wanted_mib = resource.props.get("storage_size_mib").and_then(Value::as_int);
    let has_room =
        |there: &Replica| wanted_mib.is_none_or(|wanted| there.storage_mib.is_none_or(|live| live >= wanted));
    let has_size = |there: &Replica| there.size.as_deref().is_none_or(|live| live == size);
    let is_right = &|there: &Replica| has_size(there) && has_room(there);
    if !is_right(&replica) {
        // Storage that it has is not asked for again.
        let more_mib = wanted_mib.filter(|_| !has_room(&replica));
        let (session, id) = (ocean.session(), replica.id.as_str());
        let asked =
            taken(ocean, Of::Replica(&source, name), events, || api::resize(session, id, size, 1, more_mib)).await;
        match asked {
            // A request nobody answered may have begun it, and repeating it is refused then.
            Err(error) if error.is_worth_a_look() => {
                let (after, _) = there(ocean, name).await?;
                if is_at_rest(&after.status) && !is_right(&after) {
                    return Err(error.into());
                }
            }
            asked => asked?,
        }
    }
    let ready = || async move {
        let (replica, _) = there(ocean, name).await?;
        Ok((is_at_rest(&replica.status) && is_right(&replica)).then_some(()))
    };
    until(ocean, ocean.patience().changing, "resizing", events, ready).await
}

/// Deletes it. It holds nothing that its source does not.
pub(super) async fn delete(ocean: &DigitalOcean, id: &Id, events: &Events) -> Result<(), ProviderError> {
    let name = id.name.as_str();
    let database = &source_of(name);
    let source = match find(ocean, database).await? {
        Found::Ours(source) => source,
        Found::Foreign(_, why) => return Err(foreign(database, &why)),
        Found::Nothing => return Ok(()),
    };
    let (session, at) = (ocean.session(), source.id.as_str());
    let mut refusals = crate::wait::Refusals::new(ocean, Of::Replica(at, name));
    loop {
        // Whose it is is looked at right before each try: a refusal may have been waited out for an hour.
        let Some(there) = named(api::replicas(session, at).await?, name) else { return Ok(()) };
        if !there.is_of(database) {
            return Err(foreign_replica(name));
        }
        match api::delete_replica(session, at, name).await {
            Err(error) if refusals.pass(ocean, events, &error).await => {}
            answer => break answer?,
        }
    }
    let gone = || async move { Ok(named(api::replicas(session, at).await?, name).is_none().then_some(())) };
    until(ocean, ocean.patience().deleting, "deleting", events, gone).await
}

/// A replica of ours and the id of its cluster.
pub(super) async fn there(ocean: &DigitalOcean, name: &str) -> Result<(Replica, String), ProviderError> {
    let database = &source_of(name);
    let source = ours(ocean, database).await?;
    let found = named(api::replicas(ocean.session(), &source.id).await?, name);
    let found = found.ok_or_else(|| {
        ProviderError::new(ErrorKind::NotFound, format!("{name} is not there any more")).help("plan again")
    })?;
    match found.is_of(database) {
        true => Ok((found, source.id)),
        false => Err(foreign_replica(name)),
    }
}

fn named(replicas: Vec<Replica>, name: &str) -> Option<Replica> {
    replicas.into_iter().find(|replica| replica.name == name)
}

fn source_of(replica: &str) -> String {
    names::source(replica).unwrap_or_default().to_owned()
}

/// The database a replica is wanted of.
fn source(resource: &Resource) -> &str {
    resource.needs.iter().find(|need| need.kind == crate::kinds::cluster::NAME).map_or("", |need| need.name.as_str())
}
