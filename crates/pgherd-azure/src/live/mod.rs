//! What is done to things that exist: one kind a file. Everything can be repeated.

mod beside;
mod change;
mod firewall;
mod monitoring;
mod replica;
mod secret;
mod server;
mod settings;
mod zone;

pub(crate) use change::retagged;
pub(crate) use secret::{ROTATING, in_force, intended, password, rotate};
pub(crate) use server::made;

use pgherd_core::plan::Change;
use pgherd_core::resource::{Id, Resource};
use pgherd_core::value::Value;
use pgherd_engine::provider::{ApplyNow, ErrorKind, Events, ProviderError};

use crate::api;
use crate::kinds;
use crate::names;
use crate::provider::Azure;

/// Makes a thing, or finishes making it.
pub(crate) async fn create(azure: &Azure, resource: &Resource, events: &Events) -> Result<(), ProviderError> {
    let resource = &resolved(azure, resource).await?;
    match resource.id.kind.as_str() {
        kinds::zone::NAME => zone::put(azure, resource, events).await,
        kinds::server::NAME => server::create(azure, resource, events).await,
        // Nobody uses what was made a moment ago.
        kinds::settings::NAME => settings::put(azure, resource, &[], true, events).await,
        kinds::firewall::NAME => firewall::put(azure, resource, events).await,
        kinds::database::NAME => beside::database(azure, resource, events).await,
        kinds::secret::NAME => secret::put(azure, resource, events).await,
        kinds::replica::NAME => replica::create(azure, resource, events).await,
        kinds::logs::NAME => beside::logs(azure, resource).await,
        kinds::action_group::NAME => monitoring::group(azure, resource).await,
        kinds::alert::NAME => monitoring::alert(azure, resource).await,
        kinds::lock::NAME => Ok(api::put_lock(azure.at(), &resource.id.name).await?),
        kind => Err(unknown(kind)),
    }
}

/// Changes a thing.
pub(crate) async fn update(
    azure: &Azure,
    resource: &Resource,
    changes: &[Change],
    now: ApplyNow,
    events: &Events,
) -> Result<(), ProviderError> {
    match resource.id.kind.as_str() {
        kinds::server::NAME | kinds::replica::NAME => change::update(azure, &resource.id.name, changes, events).await,
        kinds::settings::NAME => settings::put(azure, resource, changes, now.0, events).await,
        // Everything else is put as it should be, whatever of it differs.
        _ => create(azure, resource, events).await,
    }
}

/// The resource with what others have by now in the place of what was not known when it was planned.
async fn resolved(azure: &Azure, resource: &Resource) -> Result<Resource, ProviderError> {
    let mut known = Vec::new();
    for (id, field) in resource.props.values().flat_map(Value::outputs) {
        let at = azure.at();
        let value = match id.kind.as_str() {
            kinds::server::NAME => api::server(at, &id.name).await?.and_then(|there| there.host()),
            kinds::zone::NAME => Some(at.id_in_group(&format!("Microsoft.Network/privateDnsZones/{}", id.name))),
            _ => Some(at.id_in_group(&format!("Microsoft.Insights/actionGroups/{}", id.name))),
        };
        known.extend(value.map(|value| (id.clone(), field.to_owned(), Value::Text(value))));
    }
    let value = |id: &Id, field: &str| {
        let mut all = known.iter();
        all.find(|(known, name, _)| known == id && name == field).map(|(_, _, value)| value.clone())
    };
    let props = resource.props.iter().map(|(name, one)| (name.clone(), one.with_outputs(&value))).collect();
    Ok(Resource { props, ..resource.clone() })
}

/// Removes a thing; what is gone is removed. What is in a server goes with it.
pub(crate) async fn delete(azure: &Azure, id: &Id, events: &Events) -> Result<(), ProviderError> {
    match id.kind.as_str() {
        kinds::zone::NAME => zone::delete(azure, id, events).await,
        kinds::server::NAME => server::delete(azure, id, events).await,
        kinds::replica::NAME => replica::delete(azure, id, events).await,
        kinds::secret::NAME => secret::delete(azure, id).await,
        kinds::logs::NAME => Ok(api::delete_logs(azure.at(), &id.name).await?),
        kinds::action_group::NAME => monitoring::delete_group(azure, id).await,
        kinds::alert::NAME => monitoring::delete_alert(azure, id).await,
        kinds::lock::NAME => Ok(api::delete_lock(azure.at(), &id.name).await?),
        kinds::settings::NAME | kinds::firewall::NAME | kinds::database::NAME => Ok(()),
        kind => Err(unknown(kind)),
    }
}

/// So often something is asked for whose answers are lost.
const TRIES: u32 = 4;

fn text(resource: &Resource, field: &str) -> Result<String, ProviderError> {
    resource.props.get(field).and_then(Value::as_text).map(str::to_owned).ok_or_else(|| not_known(resource, field))
}

/// The texts of a list, all of which have to be known.
fn texts(resource: &Resource, field: &str) -> Result<Vec<String>, ProviderError> {
    let all = resource.props.get(field).and_then(Value::as_list).unwrap_or_default();
    let texts = all.iter().map(|one| one.as_text().map(str::to_owned)).collect::<Option<_>>();
    texts.ok_or_else(|| not_known(resource, field))
}

fn not_known(resource: &Resource, field: &str) -> ProviderError {
    let message = format!("{field} of {} is not known", resource.id);
    ProviderError::new(ErrorKind::Invalid, message).help("write the value of what the block refers to")
}

fn unknown(kind: &str) -> ProviderError {
    let message = format!("this version of pgherd cannot make, change or delete {kind} on Azure");
    ProviderError::new(ErrorKind::Unsupported, message)
}

/// Of what database a thing is wanted.
fn database_of(resource: &Resource) -> &str {
    let need = resource.needs.iter().find(|need| need.kind == kinds::server::NAME);
    let of_replica = resource.needs.iter().find_map(|need| names::source(&need.name));
    let whole = || resource.id.name.split('/').next().unwrap_or_default();
    need.map(|need| need.name.as_str()).or(of_replica).unwrap_or_else(whole)
}
