//! Servers: made with a password that is written down before, and deleted last.

use pgherd_core::plan::{Change, When};
use pgherd_core::resource::{Id, Impact, Resource};
use pgherd_core::value::Value;
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};
use serde_json::Value as Json;

use super::{change, not_known, secret};
use crate::api;
use crate::fields::{self, WINDOW};
use crate::observe::{Found, find, foreign};
use crate::provider::Azure;
use crate::wait::{Trouble, carried, idle, settled, until};

/// Makes it, and returns when it can be used. One that is being made already is waited for.
pub(super) async fn create(azure: &Azure, resource: &Resource, events: &Events) -> Result<(), ProviderError> {
    let name = resource.id.name.as_str();
    match find(azure, name).await? {
        Found::Ours(_) => {}
        Found::Foreign(_, why) => return Err(foreign(name, &why)),
        Found::Nothing => {
            let password = secret::ensure(azure, name, &resource.props).await?;
            let mut body = creation(azure, resource).await?;
            body["properties"]["createMode"] = "Create".into();
            body["properties"]["administratorLoginPassword"] = password.reveal().into();
            made(azure, name, name, &body, events).await?;
        }
    }
    let there = settled(azure, name, azure.patience().making, events).await?;
    // Azure takes a window only of a server that is there.
    let (live, wanted) = (fields::read(&there.0)[WINDOW].clone(), resource.props.get(WINDOW));
    match wanted.filter(|wanted| **wanted != live) {
        Some(wanted) => {
            let field = WINDOW.to_owned();
            let window = Change { field, from: live, to: wanted.clone(), impact: Impact::None, when: When::Now };
            change::update(azure, name, &[window], events).await
        }
        None => Ok(()),
    }
}

/// Asks for it until it is taken and made. `waits_for` is the server that makes it busy.
pub(crate) async fn made(
    azure: &Azure,
    name: &str,
    waits_for: &str,
    body: &Json,
    events: &Events,
) -> Result<(), ProviderError> {
    let at_most = azure.patience().making;
    let mut tries = 0;
    loop {
        tries += 1;
        let error = match carried(azure, waits_for, at_most, events, || api::create(azure.at(), name, body)).await {
            Ok(()) => return Ok(()),
            Err(Trouble::Failed(error)) => return Err(error),
            Err(Trouble::Refused(error)) => error,
        };
        let is_there = api::server(azure.at(), name).await?.is_some();
        match (error.maybe_done, error.is_taken(), is_there) {
            (true, _, true) => {
                idle(azure, name, at_most, events).await?;
                return Ok(());
            }
            (true, _, false) if tries < super::TRIES => {}
            (false, true, false) => {
                let help = "names of servers are the whole world's on Azure: give the block another one";
                return Err(ProviderError::from(error).help(help));
            }
            _ => return Err(error.into()),
        }
    }
}

/// The request that makes it. What is written and not known must not be left out.
pub(super) async fn creation(azure: &Azure, resource: &Resource) -> Result<Json, ProviderError> {
    if let Some((field, _)) = resource.props.iter().find(|(_, value)| !value.is_known()) {
        return Err(not_known(resource, field));
    }
    let mut props = resource.props.clone();
    if let Some(newest) = props.get("newestVersion").cloned() {
        props.entry("version".to_owned()).or_insert(newest);
    }
    let location = azure.location(&props).await?;
    props.insert("location".to_owned(), Value::Text(location));
    let mut body = fields::creation(&props);
    if body["properties"]["highAvailability"]["mode"] == "Disabled" {
        body["properties"]["highAvailability"] = Json::Null;
    }
    if props.contains_key("activeDirectoryAuth") {
        body["properties"]["authConfig"]["passwordAuth"] = "Enabled".into();
    }
    if let Some(entries) = body["properties"].as_object_mut() {
        entries.retain(|_, value| !value.is_null());
    }
    Ok(body)
}

/// Deletes it, with its backups, and its secret after it.
pub(super) async fn delete(azure: &Azure, id: &Id, events: &Events) -> Result<(), ProviderError> {
    let name = id.name.as_str();
    match find(azure, name).await? {
        Found::Ours(_) => {}
        Found::Foreign(_, why) => return Err(foreign(name, &why)),
        Found::Nothing => return secret::remove_orphan(azure, name).await,
    }
    let (ours, others) = api::locks(azure.at(), name).await?;
    if ours.is_some() || others {
        let words = format!("{name} is protected against deletion by a lock");
        return Err(ProviderError::new(ErrorKind::Protected, words).help(
            "write enable_deletion_protection = false, apply, then destroy; a lock of others is theirs to lift",
        ));
    }
    gone(azure, name, events).await?;
    secret::remove(azure, name).await
}

/// Deletes a server and waits until it is gone.
pub(super) async fn gone(azure: &Azure, name: &str, events: &Events) -> Result<(), ProviderError> {
    let at_most = azure.patience().deleting;
    match carried(azure, name, at_most, events, || api::delete(azure.at(), name)).await {
        Err(Trouble::Refused(error)) if error.maybe_done => drop(idle(azure, name, at_most, events).await?),
        answer => answer?,
    }
    until(azure, at_most, events, || async move {
        Ok(match api::server(azure.at(), name).await? {
            None => Ok(()),
            Some(_) => Err("deleting".to_owned()),
        })
    })
    .await
}
