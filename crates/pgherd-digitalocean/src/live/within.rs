//! What is in a cluster: settings, database, role, pool, and who may come in.

use pgherd_core::resource::{Id, Resource};
use pgherd_core::value::Value;
use pgherd_engine::provider::{Events, ProviderError};

use super::{Made, Names, int, not_known, once, replica, text};
use crate::api::{self, Connection, Pool, Rule};
use crate::error::DoError;
use crate::kinds::{cluster, firewall};
use crate::observe::{Found, find, ours};
use crate::provider::DigitalOcean;
use crate::wait::{Of, say, taken};
use crate::{names, parameters};

/// Sets what is not as it should be.
pub(super) async fn config(ocean: &DigitalOcean, resource: &Resource, events: &Events) -> Result<(), ProviderError> {
    let cluster = ours(ocean, &resource.id.name).await?;
    let live = api::config(ocean.session(), &cluster.id).await?;
    let wanted = resource.props.get("config").and_then(Value::as_map);
    let mut differing = serde_json::Map::new();
    for (name, value) in wanted.into_iter().flatten() {
        let json = parameters::json(value).ok_or_else(|| not_known(resource, name))?;
        if live.get(name).and_then(parameters::value).as_ref() != Some(value) {
            differing.insert(name.clone(), json);
        }
    }
    if differing.is_empty() {
        return Ok(());
    }
    Ok(taken(ocean, Of::Cluster(&cluster.id), events, || {
        api::patch_config(ocean.session(), &cluster.id, differing.clone())
    })
    .await?)
}

/// Adds the database.
pub(super) async fn database(ocean: &DigitalOcean, resource: &Resource, events: &Events) -> Result<(), ProviderError> {
    let (id, name) = (cluster_of(ocean, resource).await?, text(resource, "name")?);
    let (session, id, name) = (ocean.session(), id.as_str(), name.as_str());
    let look = || async move { Ok(api::databases(session, id).await?.iter().any(|there| there == name).then_some(())) };
    if look().await?.is_none() {
        once(ocean, Of::Cluster(id), events, Names::Unique, || api::add_database(session, id, name), look).await?;
    }
    Ok(())
}

/// Adds the role.
pub(super) async fn user(ocean: &DigitalOcean, resource: &Resource, events: &Events) -> Result<(), ProviderError> {
    let (id, name) = (cluster_of(ocean, resource).await?, text(resource, "name")?);
    let (session, id, name) = (ocean.session(), id.as_str(), name.as_str());
    let look =
        || async move { Ok(api::users(session, id).await?.iter().any(|there| there.name == name).then_some(())) };
    if look().await?.is_some() {
        return Ok(());
    }
    once(ocean, Of::Cluster(id), events, Names::Unique, || api::add_user(session, id, name), look).await?;
    say(events, format!("{name} owns no database yet: as doadmin, ALTER DATABASE … OWNER TO {name}"));
    Ok(())
}

/// Has the addresses come in that shall, and nobody else but what is DigitalOcean's own and was let in by somebody.
pub(super) async fn firewall(ocean: &DigitalOcean, resource: &Resource, events: &Events) -> Result<(), ProviderError> {
    let wanted = addresses(resource)?;
    match resource.needs.iter().find(|need| need.kind == crate::kinds::replica::NAME) {
        Some(need) => {
            let (there, source) = replica::there(ocean, &need.name).await?;
            let name = need.name.as_str();
            Ok(taken(ocean, Of::Replica(&source, name), events, || let_in(ocean, &there.id, &wanted)).await?)
        }
        None => {
            let id = cluster_of(ocean, resource).await?;
            Ok(taken(ocean, Of::Cluster(&id), events, || let_in(ocean, &id, &wanted)).await?)
        }
    }
}

/// The addresses that may come in.
pub(super) fn addresses(resource: &Resource) -> Result<Vec<String>, ProviderError> {
    let wanted = resource.props.get("rules").and_then(Value::as_list).unwrap_or_default();
    wanted.iter().map(|value| value.as_text().map(str::to_owned).ok_or_else(|| not_known(resource, "rules"))).collect()
}

/// A rule for an address.
pub(super) fn rule(address: &str) -> Rule {
    Rule { kind: firewall::ADDRESS.to_owned(), value: address.to_owned(), description: None, uuid: None }
}

/// Has addresses come in, where they do not or others do.
pub(super) async fn let_in(ocean: &DigitalOcean, server: &str, wanted: &[String]) -> Result<(), DoError> {
    let live = api::firewall(ocean.session(), server).await?;
    let mut rules: Vec<Rule> = live.iter().filter(|rule| rule.kind != firewall::ADDRESS).cloned().collect();
    for address in wanted {
        let same = |there: &&Rule| {
            there.kind == firewall::ADDRESS && firewall::address(&there.value).as_deref() == Some(address)
        };
        rules.push(live.iter().find(same).cloned().unwrap_or_else(|| rule(address)));
    }
    let is_same = rules.len() == live.len() && rules.iter().all(|rule| live.contains(rule));
    if is_same { Ok(()) } else { api::set_firewall(ocean.session(), server, &rules).await }
}

/// Makes the pool, or has it be as it should.
pub(super) async fn pool(ocean: &DigitalOcean, resource: &Resource, events: &Events) -> Result<(), ProviderError> {
    let id = cluster_of(ocean, resource).await?;
    let wanted = Pool {
        name: resource.id.name.clone(),
        mode: text(resource, "mode")?,
        size: int(resource, "size")?,
        database: text(resource, "db")?,
        user: Some(text(resource, "user")?),
        connection: Connection::default(),
        private_connection: Connection::default(),
    };
    let (session, id, wanted) = (ocean.session(), id.as_str(), &wanted);
    let look = || async move { Ok(api::pools(session, id).await?.into_iter().find(|there| there.name == wanted.name)) };
    let there = match look().await? {
        Some(there) => Some(there),
        None => match once(ocean, Of::Cluster(id), events, Names::Unique, || api::add_pool(session, id, wanted), look)
            .await?
        {
            Made::Found(there) => Some(there),
            Made::Now(()) => None,
        },
    };
    let differs = |there: &Pool| {
        let settings = |pool: &Pool| (pool.mode.clone(), pool.size, pool.database.clone(), pool.user.clone());
        settings(there) != settings(wanted)
    };
    match there.as_ref().is_some_and(differs) {
        true => Ok(taken(ocean, Of::Cluster(id), events, || api::update_pool(session, id, wanted)).await?),
        false => Ok(()),
    }
}

/// Removes the pool.
pub(super) async fn delete_pool(ocean: &DigitalOcean, id: &Id, events: &Events) -> Result<(), ProviderError> {
    let Some(cluster) = pooled(ocean, &id.name).await? else { return Ok(()) };
    Ok(taken(ocean, Of::Cluster(&cluster), events, || api::delete_pool(ocean.session(), &cluster, &id.name)).await?)
}

/// The cluster of ours that a pool is in. A long name has lost its end.
async fn pooled(ocean: &DigitalOcean, pool: &str) -> Result<Option<String>, ProviderError> {
    let all = api::clusters(ocean.session()).await?;
    for cluster in all.iter().filter(|cluster| names::pool(&cluster.name) == pool) {
        if let Found::Ours(cluster) = find(ocean, &cluster.name).await? {
            return Ok(Some(cluster.id));
        }
    }
    Ok(None)
}

/// The id of the cluster something is wanted in.
async fn cluster_of(ocean: &DigitalOcean, resource: &Resource) -> Result<String, ProviderError> {
    let name = resource.needs.iter().find(|need| need.kind == cluster::NAME).map_or("", |need| need.name.as_str());
    Ok(ours(ocean, name).await?.id)
}
