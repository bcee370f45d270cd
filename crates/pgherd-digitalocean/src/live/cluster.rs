//! Clusters: made with everybody kept out from the beginning, changed one thing after another, deleted last.

use jiff::{SignedDuration, Timestamp};
use pgherd_core::plan::Change;
use pgherd_core::resource::{Id, Resource};
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::{Deletion, ErrorKind, Events, ProviderError};
use serde_json::{Value as Json, json};

use super::{Made, Names, int, not_known, once, text};
use crate::api::{self, Cluster, Rule};
use crate::kinds::cluster::growth_of;
use crate::kinds::firewall;
use crate::observe::{Found, find, foreign, ours};
use crate::provider::DigitalOcean;
use crate::wait::{Of, Refusals, settled, taken, until};
use crate::{preflight, tags};

/// Makes it, and returns when it can be used. One that is being made already is waited for.
pub(super) async fn create(ocean: &DigitalOcean, resource: &Resource, events: &Events) -> Result<(), ProviderError> {
    let name = resource.id.name.as_str();
    let id = match begun(ocean, name, events).await? {
        Some(id) => id,
        None => made(ocean, resource, events).await?,
    };
    let cluster = settled(ocean, &id, ocean.patience().making, events, |_| true).await?;
    // What no creation takes.
    window(ocean, resource, &cluster, events).await?;
    if growth_of(&text(resource, "autoscale")?).is_some() {
        grow(ocean, resource, &id, events).await?;
    }
    Ok(())
}

/// The id of the cluster that is there. One that a run that was cut short asked for may not be to be seen yet; without a wait for it there
/// would be a second one of the name, and a second bill.
async fn begun(ocean: &DigitalOcean, name: &str, events: &Events) -> Result<Option<String>, ProviderError> {
    let look = || async move {
        match find(ocean, name).await? {
            Found::Ours(cluster) => Ok(Some(cluster.id)),
            Found::Foreign(_, why) => Err(foreign(name, &why)),
            Found::Nothing => Ok(None),
        }
    };
    let found = look().await?;
    let asked_at = ocean.secrets(name).and_then(|folder| folder.intended());
    let (Some(asked_at), None) = (asked_at, &found) else { return Ok(found) };
    // A clock that was turned back makes it no longer than it can be.
    let since = Timestamp::now().duration_since(asked_at).max(SignedDuration::ZERO).unsigned_abs();
    let left = ocean.patience().appearing.saturating_sub(since);
    match until(ocean, left, "a cluster that was asked for is not to be seen yet", events, look).await {
        Ok(id) => Ok(Some(id)),
        // It came to nothing, if the last look is one that was answered.
        Err(waited) if waited.kind == ErrorKind::TimedOut => look().await,
        Err(error) => Err(error),
    }
}

async fn made(ocean: &DigitalOcean, resource: &Resource, events: &Events) -> Result<String, ProviderError> {
    let body = creation(ocean, resource)?;
    let name = resource.id.name.as_str();
    let body = &body;
    // Each attempt is written down with its own time: others may have been refused for hours before it, and how long a run that was cut
    // short is waited for is counted from there.
    let note = || match ocean.secrets(name) {
        Some(folder) => folder.intend(Timestamp::now()).map_err(|error| error.to_string()),
        None => Ok(()),
    };
    let make = || api::create_cluster(ocean.session(), body, note);
    let look = || async move {
        Ok(match find(ocean, name).await? {
            Found::Ours(cluster) => Some(cluster.id),
            Found::Foreign(..) | Found::Nothing => None,
        })
    };
    let asked = once(ocean, Of::Account, events, Names::Unpromised, make, look).await;
    if let Err(error) = &asked
        && matches!(error.kind, ErrorKind::Invalid | ErrorKind::Denied | ErrorKind::Throttled)
        && let Some(folder) = ocean.secrets(name)
    {
        // Refused for good: there is nothing to wait for next time.
        folder.done()?;
    }
    match asked? {
        Made::Found(id) | Made::Now(Some(id)) => Ok(id),
        // It was taken, in words of next year.
        Made::Now(None) => until(ocean, ocean.patience().appearing, "not to be seen yet", events, look).await,
    }
}

/// The request that makes it.
fn creation(ocean: &DigitalOcean, resource: &Resource) -> Result<Json, ProviderError> {
    let props = &resource.props;
    let version = props.get("version").or_else(|| props.get("newest_version")).and_then(Value::as_text);
    let mut body = json!({
        "name": resource.id.name,
        "engine": text(resource, "engine")?,
        "size": text(resource, "size")?,
        "num_nodes": int(resource, "num_nodes")?,
        "region": text(resource, "region")?,
        "tags": tags::sent(props),
        "rules": rules(resource)?,
    });
    let optional =
        [("version", version.map(Json::from)), ("backup_restore", ocean.origin().map(|origin| origin.asked.clone()))];
    for (name, value) in optional {
        if let Some(value) = value {
            body[name] = value;
        }
    }
    // What is written and not known must not be left out: it would be another network.
    if props.contains_key("private_network_uuid") {
        body["private_network_uuid"] = text(resource, "private_network_uuid")?.into();
    }
    if props.contains_key("storage_size_mib") {
        body["storage_size_mib"] = int(resource, "storage_size_mib")?.into();
    }
    Ok(body)
}

fn rules(resource: &Resource) -> Result<Vec<Json>, ProviderError> {
    let rules = resource.props.get("rules").and_then(Value::as_list).unwrap_or_default();
    let rule = |value: &Value| {
        let value = value.as_text().ok_or_else(|| not_known(resource, "rules"))?.to_owned();
        Ok(Rule { kind: firewall::ADDRESS.to_owned(), value, description: None, uuid: None }.sent())
    };
    rules.iter().map(rule).collect()
}

/// Changes it, so that every half-way point is one to stay at: what nobody notices first.
pub(super) async fn update(
    ocean: &DigitalOcean,
    resource: &Resource,
    changes: &[Change],
    events: &Events,
) -> Result<(), ProviderError> {
    let cluster = ours(ocean, &resource.id.name).await?;
    let id = cluster.id.as_str();
    let changes_any = |fields: &[&str]| changes.iter().any(|change| fields.contains(&change.field.as_str()));
    retag(ocean, &cluster, resource.props.get("tags").and_then(Value::as_map), changes).await?;
    if changes_any(&["maintenance_window"]) {
        window(ocean, resource, &cluster, events).await?;
    }
    if changes_any(&["autoscale"]) {
        grow(ocean, resource, id, events).await?;
    }
    if changes_any(&["size", "num_nodes", "storage_size_mib"]) {
        resize(ocean, resource, id, events).await?;
    }
    if changes_any(&["region"]) {
        let region = text(resource, "region")?;
        let is_there = |cluster: &Cluster| cluster.region == region;
        through(ocean, id, events, is_there, || api::migrate(ocean.session(), id, &region)).await?;
    }
    if changes_any(&["version"]) {
        let version = text(resource, "version")?;
        let is_there = |cluster: &Cluster| cluster.version == version;
        through(ocean, id, events, is_there, || api::upgrade(ocean.session(), id, &version)).await?;
    }
    Ok(())
}

async fn window(
    ocean: &DigitalOcean,
    resource: &Resource,
    cluster: &Cluster,
    events: &Events,
) -> Result<(), ProviderError> {
    let window = text(resource, "maintenance_window")?;
    if cluster.maintenance.as_deref() == Some(window.as_str()) {
        return Ok(());
    }
    Ok(taken(ocean, Of::Cluster(&cluster.id), events, || api::set_maintenance(ocean.session(), &cluster.id, &window))
        .await?)
}

async fn grow(ocean: &DigitalOcean, resource: &Resource, id: &str, events: &Events) -> Result<(), ProviderError> {
    let on = growth_of(&text(resource, "autoscale")?);
    Ok(taken(ocean, Of::Cluster(id), events, || api::set_autoscale(ocean.session(), id, on)).await?)
}

/// Other nodes, as one request: each of its parts would be a resize of its own.
pub(super) async fn resize(
    ocean: &DigitalOcean,
    resource: &Resource,
    id: &str,
    events: &Events,
) -> Result<(), ProviderError> {
    let size = text(resource, "size")?;
    let nodes = resource.props.get("num_nodes").and_then(Value::as_int).unwrap_or(1);
    let wanted_mib = resource.props.get("storage_size_mib").and_then(Value::as_int);
    let before = settled(ocean, id, ocean.patience().changing, events, |_| true).await?;
    // Storage that it has is not asked for again: the description of the API calls the figure what is added.
    let more_mib = wanted_mib.filter(|wanted| before.storage_mib.is_none_or(|live| live < *wanted));
    let is_right = |cluster: &Cluster| {
        let has_room = wanted_mib.is_none_or(|wanted| cluster.storage_mib.is_none_or(|live| live >= wanted));
        cluster.size == size && cluster.num_nodes == nodes && has_room
    };
    through(ocean, id, events, is_right, || api::resize(ocean.session(), id, &size, nodes, more_mib)).await
}

/// Begins something that goes on by itself, and waits for its end. It is not begun again while it goes on or when it is done.
async fn through<F>(
    ocean: &DigitalOcean,
    id: &str,
    events: &Events,
    is_right: impl Fn(&Cluster) -> bool,
    begin: impl FnMut() -> F,
) -> Result<(), ProviderError>
where
    F: Future<Output = Result<(), crate::error::DoError>>,
{
    let before = settled(ocean, id, ocean.patience().changing, events, |_| true).await?;
    if !is_right(&before) {
        match taken(ocean, Of::Cluster(id), events, begin).await {
            // A request nobody answered may have begun it, and repeating it is refused then.
            Err(error) if error.is_worth_a_look() => {
                let after = api::cluster(ocean.session(), id).await?;
                let goes_on = |after: &Cluster| !crate::wait::is_at_rest(&after.status) || is_right(after);
                if !after.as_ref().is_some_and(goes_on) {
                    return Err(error.into());
                }
            }
            answer => answer?,
        }
    }
    settled(ocean, id, ocean.patience().changing, events, is_right).await.map(drop)
}

/// Gives it other tags: the new one of a key first, so that it is never without.
async fn retag(
    ocean: &DigitalOcean,
    cluster: &Cluster,
    wanted: Option<&Props>,
    changes: &[Change],
) -> Result<(), ProviderError> {
    for key in changes.iter().filter_map(|change| change.field.strip_prefix("tags.")) {
        let new =
            wanted.and_then(|wanted| wanted.get(key)).and_then(Value::as_text).map(|value| tags::flat(key, value));
        let is_new = |tag: &str| new.as_deref().is_some_and(|new| new.eq_ignore_ascii_case(tag));
        let old = tags::of_key(&cluster.tags, key);
        if let Some(new) = new.as_deref().filter(|_| !old.iter().any(|tag| is_new(tag))) {
            api::tag(ocean.session(), &cluster.id, new).await?;
        }
        for tag in old.into_iter().filter(|tag| !is_new(tag)) {
            api::untag(ocean.session(), &cluster.id, tag).await?;
        }
    }
    Ok(())
}

/// Deletes it, and everything in it. DigitalOcean keeps nothing: whoever wants a last backup has to have accepted that there is none.
pub(super) async fn delete(
    ocean: &DigitalOcean,
    id: &Id,
    how: &Deletion,
    events: &Events,
) -> Result<(), ProviderError> {
    let name = id.name.as_str();
    let Some(cluster) = deletable(ocean, name, how).await? else { return forgotten(ocean, name) };
    let at = cluster.id.as_str();
    let mut refusals = Refusals::new(ocean, Of::Cluster(at));
    loop {
        match api::delete_cluster(ocean.session(), at).await {
            Err(error) if refusals.pass(ocean, events, &error).await => {}
            answer => break answer?,
        }
        // A refusal may have been waited out for an hour.
        if deletable(ocean, name, how).await?.is_none_or(|there| there.id != at) {
            break;
        }
    }
    let gone = || async move {
        Ok(api::cluster(ocean.session(), at).await.map_err(ProviderError::from)?.is_none().then_some(()))
    };
    until(ocean, ocean.patience().deleting, "deleting", events, gone).await?;
    forgotten(ocean, name)
}

/// The cluster of a name, when it is ours and nothing says that it is kept; `None`: it is gone.
async fn deletable(ocean: &DigitalOcean, name: &str, how: &Deletion) -> Result<Option<Cluster>, ProviderError> {
    let cluster = match find(ocean, name).await? {
        Found::Ours(cluster) => *cluster,
        Found::Foreign(_, why) => return Err(foreign(name, &why)),
        Found::Nothing => return Ok(None),
    };
    if tags::value_of(&cluster.tags, tags::PROTECTED).is_some() {
        let message = format!("{name} wears the tag {} and is not deleted", tags::PROTECTED);
        return Err(ProviderError::new(ErrorKind::Protected, message)
            .help("write enable_deletion_protection = false, apply, then destroy"));
    }
    if how.final_backup.is_some() && !ocean.accepts(preflight::NO_LAST_BACKUP) {
        return Err(ProviderError::new(ErrorKind::Protected, preflight::no_last_backup(name)).help(preflight::DUMP));
    }
    Ok(Some(cluster))
}

/// The credentials go with their cluster, and are of use for as long as that is there.
pub(super) async fn forgotten_if_gone(ocean: &DigitalOcean, name: &str) -> Result<(), ProviderError> {
    match find(ocean, name).await? {
        Found::Nothing => forgotten(ocean, name),
        Found::Ours(_) | Found::Foreign(..) => Ok(()),
    }
}

/// Removes what this machine knows of a database that is gone.
fn forgotten(ocean: &DigitalOcean, name: &str) -> Result<(), ProviderError> {
    ocean.secrets(name).map_or(Ok(()), |folder| folder.remove())
}
