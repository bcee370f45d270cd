//! `start`, `stop`, `restart`, `failover`, `switchover` and `backup`: one request each, and its end.

use pgherd_core::resource::Status;
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};

use crate::api;
use crate::observe::ours;
use crate::provider::Azure;
use crate::wait::{Trouble, carried, idle, say, settled, status};

/// Starts it, or stops it: storage and name are kept, and billed.
pub(super) async fn turned(azure: &Azure, name: &str, on: bool, events: &Events) -> Result<(), ProviderError> {
    ours(azure, name).await?;
    let at_most = azure.patience().changing;
    for _ in 0..3 {
        let there = settled(azure, name, at_most, events).await?;
        if (status(&there) == Status::Available) == on {
            break;
        }
        match carried(azure, name, at_most, events, || api::turn(azure.at(), name, on)).await {
            Err(Trouble::Refused(error)) if error.maybe_done => events.phase(error.message),
            answer => answer?,
        }
    }
    if !on {
        say(events, format!("Azure starts {name} again by itself after 7 days"));
    }
    Ok(())
}

/// Restarts it. Where there is no answer nobody knows whether it did: it is not done twice.
pub(super) async fn restart(azure: &Azure, name: &str, events: &Events) -> Result<(), ProviderError> {
    ours(azure, name).await?;
    let at_most = azure.patience().changing;
    carried(azure, name, at_most, events, || api::restart(azure.at(), name)).await?;
    settled(azure, name, at_most, events).await.map(drop)
}

/// Has the standby take over, in good order or at once.
pub(super) async fn failover(azure: &Azure, name: &str, mode: &str, events: &Events) -> Result<(), ProviderError> {
    if !ours(azure, name).await?.standby() {
        let words = format!("{name} has no standby");
        return Err(
            ProviderError::new(ErrorKind::Conflict, words).help("multi_az = true in its block, then pgherd apply")
        );
    }
    let at_most = azure.patience().changing;
    idle(azure, name, at_most, events).await?;
    carried(azure, name, at_most, events, || api::failover(azure.at(), name, mode)).await?;
    let after = settled(azure, name, at_most, events).await?;
    if let Some(zone) = after.property("availabilityZone") {
        say(events, format!("{name} is in zone {zone}"));
    }
    Ok(())
}

/// Takes a backup now. It goes with the server.
pub(super) async fn backup(
    azure: &Azure,
    name: &str,
    label: Option<&str>,
    events: &Events,
) -> Result<(), ProviderError> {
    let there = ours(azure, name).await?;
    if there.0["sku"]["tier"] == "Burstable" {
        let words = format!("Azure takes no backup by hand of a burstable server, and {name} is one");
        let help = "automatic ones are taken every day: pgherd backups lists them";
        return Err(ProviderError::new(ErrorKind::Unsupported, words).help(help));
    }
    let made = || format!("{name}-{}", jiff::Timestamp::now().strftime("%Y%m%d%H%M%S"));
    let label = label.map_or_else(made, str::to_owned);
    if api::backups(azure.at(), name).await?.iter().any(|one| one.name == label) {
        let words = format!("{name} has a backup {label} already");
        return Err(ProviderError::new(ErrorKind::Conflict, words).help("--label names one that is not there"));
    }
    carried(azure, name, azure.patience().making, events, || api::backup(azure.at(), name, &label)).await?;
    match api::backups(azure.at(), name).await?.iter().any(|one| one.name == label) {
        true => {
            let days = there.0["properties"]["backup"]["backupRetentionDays"].as_u64().unwrap_or_default();
            say(events, format!("the backup {label} is kept for {days} days, and no longer than {name} is"));
            Ok(())
        }
        false => Err(ProviderError::new(ErrorKind::Unavailable, format!("no backup of {name} came of it"))
            .help("run this again")),
    }
}
