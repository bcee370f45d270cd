//! How a database is, from calls side by side. What may not be read is left out with a warning.

use futures_util::future::join4;
use pgherd_core::catalogue::parameters::{self as catalogue, Context};
use pgherd_core::report::{
    Address, Backup, Backups, LiveParameter, Report, Restorable, Server as Shown, Storage, TakesEffect,
};
use pgherd_core::resource::Pending;
use pgherd_core::spec::Spec;
use pgherd_engine::provider::{ErrorKind, ProviderError};

use crate::api::{self, Configuration, Kept, Server};
use crate::error::AzureError;
use crate::kinds::server::{POOLER_PORT, PORT};
use crate::observe::{ours, replicas};
use crate::parameters::POOLER;
use crate::provider::Azure;
use crate::wait::status;

/// How it is now.
pub(crate) async fn report(azure: &Azure, spec: &Spec) -> Result<Report, ProviderError> {
    let name = &spec.name;
    let there = ours(azure, name).await?;
    let at = azure.at();
    let (kept, settings, locks, followers) =
        join4(api::backups(at, name), api::configurations(at, name), api::locks(at, name), replicas(azure, name)).await;
    let mut warnings = Vec::new();
    let kept = told(&mut warnings, "backups", kept)?;
    let settings = told(&mut warnings, "settings", settings)?;
    if told(&mut warnings, "locks", locks)?.1 {
        warnings.push("a lock that is not pgherd's stands in the way of changes".to_owned());
    }
    let waits = settings.iter().filter(|one| one.waits);
    Ok(Report {
        name: name.clone(),
        status: status(&there),
        engine_version: version(&there),
        address: address(&there, PORT),
        servers: servers(&there, &followers?, &settings),
        storage: storage(&there),
        maintenance: Vec::new(),
        window_opens: None,
        pending: waits.map(|one| Pending { field: one.name.clone(), waits_for: "restart".to_owned() }).collect(),
        backups: backups_of(&there, &kept),
        // How an alert stands is told by another API, which is asked about each alone.
        alarms: Vec::new(),
        happened: Vec::new(),
        warnings,
    })
}

fn servers(there: &Server, followers: &[Server], settings: &[Configuration]) -> Vec<Shown> {
    let zone =
        |there: &Server| there.property("availabilityZone").or_else(|| there.0["location"].as_str().map(str::to_owned));
    let shown = |role: &str, there: &Server| Shown {
        name: Some(there.name().to_owned()),
        role: role.to_owned(),
        state: there.state().to_lowercase(),
        address: address(there, PORT),
        place: zone(there),
        behind_ms: None,
    };
    let mut all = vec![shown("primary", there)];
    if there.standby() {
        let of = &there.0["properties"]["highAvailability"];
        let word = |name: &str| of[name].as_str().map(str::to_owned);
        let state = word("state").unwrap_or_default().to_lowercase();
        let place = word("standbyAvailabilityZone");
        all.push(Shown { name: None, address: None, state, place, ..shown("standby", there) });
    }
    all.extend(followers.iter().map(|one| shown("replica", one)));
    if settings.iter().any(|one| one.name == POOLER && one.value.eq_ignore_ascii_case("true")) {
        all.push(Shown { name: None, place: None, address: address(there, POOLER_PORT), ..shown("pooler", there) });
    }
    all
}

/// Its backups.
pub(crate) async fn backups(azure: &Azure, name: &str) -> Result<Backups, ProviderError> {
    let there = ours(azure, name).await?;
    Ok(backups_of(&there, &api::backups(azure.at(), name).await?))
}

/// Its settings.
pub(crate) async fn parameters(azure: &Azure, name: &str) -> Result<Vec<LiveParameter>, ProviderError> {
    let there = ours(azure, name).await?;
    let major = there.property("version").and_then(|major| major.parse().ok()).unwrap_or(catalogue::NEWEST_MAJOR);
    let all = api::configurations(azure.at(), name).await?;
    let mut all: Vec<LiveParameter> = all.iter().map(|one| parameter(one, major)).collect();
    all.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(all)
}

fn parameter(one: &Configuration, major: u32) -> LiveParameter {
    let known = catalogue::find(&one.name, major);
    LiveParameter {
        name: one.name.clone(),
        value: Some(one.value.clone()),
        unit: known.and_then(|known| known.unit.clone()).or_else(|| one.unit.clone()),
        source: if one.is_set { "user" } else { "default" }.to_owned(),
        is_set: one.is_set,
        context: known.map(|known| context(known.context).to_owned()),
        takes_effect: if one.is_dynamic { TakesEffect::AtOnce } else { TakesEffect::AtRestart },
        pending_restart: one.waits,
        allowed: one.allowed.clone(),
        description: known.map_or_else(|| one.description.clone(), |known| known.words.clone()),
    }
}

fn context(context: Context) -> &'static str {
    match context {
        Context::Internal => "internal",
        Context::Postmaster => "postmaster",
        Context::Sighup => "sighup",
        Context::Backend => "backend",
        Context::SuperuserBackend => "superuser-backend",
        Context::Superuser => "superuser",
        Context::User => "user",
    }
}

fn told<T: Default>(warnings: &mut Vec<String>, what: &str, asked: Result<T, AzureError>) -> Result<T, ProviderError> {
    match asked {
        Err(error) if error.kind() == ErrorKind::Denied => {
            warnings.push(format!("its {what} cannot be read: {error}"));
            Ok(T::default())
        }
        asked => Ok(asked?),
    }
}

/// Any second since the earliest can be had, up to a few minutes ago.
fn backups_of(there: &Server, kept: &[Kept]) -> Backups {
    let backup = |one: &Kept| Backup {
        name: one.name.clone(),
        automatic: one.automatic,
        state: "available".to_owned(),
        taken_at: one.taken_at,
        bytes: None,
        engine_version: None,
        // All of them are.
        encrypted: Some(true),
        ..Backup::default()
    };
    let first: Option<jiff::Timestamp> =
        there.0["properties"]["backup"]["earliestRestoreDate"].as_str().and_then(|time| time.parse().ok());
    let restorable = first.map(|first| Restorable { from: Some(first), to: jiff::Timestamp::now().max(first) });
    Backups { kept: kept.iter().map(backup).collect(), restorable, ..Backups::default() }
}

/// Major and minor, which Azure tells apart.
pub(crate) fn version(there: &Server) -> Option<String> {
    let major = there.property("version")?;
    Some(there.property("minorVersion").map_or_else(|| major.clone(), |minor| format!("{major}.{minor}")))
}

fn storage(there: &Server) -> Storage {
    let of = &there.0["properties"]["storage"];
    let grows = of["autoGrow"] == "Enabled";
    Storage {
        allocated_gib: of["storageSizeGB"].as_u64(),
        max_allocated_gib: of["autoGrowMaxThresholdMb"].as_u64().filter(|_| grows).map(|mib| mib / 1024),
        used_bytes: None,
        encrypted: Some(true),
    }
}

fn address(there: &Server, port: u16) -> Option<Address> {
    Some(Address { host: there.host()?, port })
}
