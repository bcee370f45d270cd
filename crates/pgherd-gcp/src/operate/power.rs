//! `start`, `stop`, `restart`, `failover` and `backup`: one request each, and its end.

use pgherd_engine::provider::{ErrorKind, Events, ProviderError};
use serde_json::json;

use crate::api;
use crate::observe::ours;
use crate::provider::Gcp;
use crate::wait::{Trouble, carried, idle, say, settled};

/// Starts it, or stops it: storage and addresses are kept, and billed.
pub(super) async fn turned(gcp: &Gcp, name: &str, on: bool, events: &Events) -> Result<(), ProviderError> {
    ours(gcp, name).await?;
    let at_most = gcp.patience().changing;
    loop {
        let there = settled(gcp, name, at_most, events).await?;
        if there.is_stopped() != on {
            return Ok(());
        }
        let body = json!({ "settings": { "activationPolicy": if on { "ALWAYS" } else { "NEVER" } } });
        match carried(gcp, name, at_most, events, || api::patch(gcp.at(), &there, body.clone())).await {
            Err(Trouble::Refused(error)) if error.is_stale() || error.maybe_done => events.phase(error.message),
            answer => return Ok(answer?),
        }
    }
}

/// Restarts it.
pub(super) async fn restart(gcp: &Gcp, name: &str, events: &Events) -> Result<(), ProviderError> {
    ours(gcp, name).await?;
    Ok(carried(gcp, name, gcp.patience().changing, events, || api::restart(gcp.at(), name)).await?)
}

/// Has the standby take over.
pub(super) async fn failover(gcp: &Gcp, name: &str, events: &Events) -> Result<(), ProviderError> {
    let there = ours(gcp, name).await?;
    if there.setting("availabilityType") != Some("REGIONAL") {
        let words = format!("{name} has no standby");
        return Err(
            ProviderError::new(ErrorKind::Conflict, words).help("multi_az = true in its block, then pgherd apply")
        );
    }
    let at_most = gcp.patience().changing;
    idle(gcp, name, at_most, events).await?;
    let there = ours(gcp, name).await?;
    carried(gcp, name, at_most, events, || api::failover(gcp.at(), &there)).await?;
    let after = ours(gcp, name).await?;
    if let Some(zone) = after.text("gceZone") {
        say(events, format!("{name} is in {zone}"));
    }
    Ok(())
}

/// Takes a backup now.
pub(super) async fn backup(gcp: &Gcp, name: &str, label: Option<&str>, events: &Events) -> Result<(), ProviderError> {
    ours(gcp, name).await?;
    let words = label.map_or_else(|| format!("{name}-{}", jiff::Timestamp::now()), str::to_owned);
    let words = words.as_str();
    let before: Vec<String> = api::backups(gcp.at(), name).await?.into_iter().map(|one| one.id).collect();
    let at_most = gcp.patience().making;
    let answer = carried(gcp, name, at_most, events, || api::backup(gcp.at(), name, words)).await;
    match answer {
        Err(Trouble::Refused(error)) if error.maybe_done => idle(gcp, name, at_most, events).await?,
        answer => answer?,
    }
    let after = api::backups(gcp.at(), name).await?;
    let made = after.iter().find(|one| !before.contains(&one.id) && one.description.as_deref() == Some(words));
    match made {
        Some(made) => {
            say(events, format!("the backup {} of {name} is kept until somebody deletes it: {words}", made.id));
            Ok(())
        }
        None => Err(ProviderError::new(ErrorKind::Unavailable, format!("no backup of {name} came of it"))
            .help("run this again")),
    }
}
