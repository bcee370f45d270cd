//! How a database is, from calls side by side. What may not be read is left out with a warning.

use futures_util::future::{join4, try_join};
use pgherd_core::catalogue::parameters::{self as catalogue, Context};
use pgherd_core::report::{
    Address, Backup, Backups, Happened, LiveParameter, Report, Restorable, Server, Storage, TakesEffect,
};
use pgherd_core::spec::Spec;
use pgherd_core::value::Value;
use pgherd_engine::provider::{ErrorKind, ProviderError};

use crate::api::{self, Flag, Instance, Kept, Operation};
use crate::error::GcpError;
use crate::fields::{self, FLAGS};
use crate::kinds::instance::{POOLER_PORT, PORT};
use crate::observe::{Found, find, foreign, ours, replicas};
use crate::provider::Gcp;
use crate::wait::status;

/// How it is now.
pub(crate) async fn report(gcp: &Gcp, spec: &Spec) -> Result<Report, ProviderError> {
    let name = &spec.name;
    let there = ours(gcp, name).await?;
    let at = gcp.at();
    let (kept, recovery, happened, followers) =
        join4(api::backups(at, name), api::recovery(at, name), api::running(at, name), replicas(gcp, &there)).await;
    let mut warnings = Vec::new();
    let kept = told(&mut warnings, "backups", kept)?;
    let recovery = told(&mut warnings, "recovery window", recovery)?;
    let happened = told(&mut warnings, "operations", happened)?;
    let is_public = spec.network.publicly_accessible;
    let place = |there: &Instance| there.text("gceZone").or_else(|| there.text("region"));
    let server = |role: &str, there: &Instance| Server {
        name: Some(there.name().to_owned()),
        role: role.to_owned(),
        state: there.state().to_lowercase(),
        address: address(is_public, there, PORT),
        place: place(there),
        behind_ms: None,
    };
    let mut servers = vec![server("primary", &there)];
    if there.setting("availabilityType") == Some("REGIONAL") {
        let place = there.text("secondaryGceZone").or_else(|| there.text("region"));
        servers.push(Server { name: None, address: None, place, ..server("standby", &there) });
    }
    servers.extend(followers?.iter().map(|one| server("replica", one)));
    let is_pooled = there.0["settings"]["connectionPoolConfig"]["connectionPoolingEnabled"] == true;
    // Programs connect to the pooler where there is one.
    let reached = address(is_public, &there, if is_pooled { POOLER_PORT } else { PORT });
    if is_pooled {
        servers.push(Server { name: None, place: None, address: reached.clone(), ..server("pooler", &there) });
    }
    Ok(Report {
        name: name.clone(),
        status: status(&there),
        engine_version: there
            .text("databaseInstalledVersion")
            .and_then(|told| Some(told.strip_prefix("POSTGRES_")?.replace('_', "."))),
        address: reached,
        servers,
        storage: storage(&there),
        maintenance: Vec::new(),
        window_opens: None,
        pending: Vec::new(),
        backups: backups_of(&kept, recovery),
        // A policy tells nobody how it stands: that is in the console.
        alarms: Vec::new(),
        happened: events(name, happened),
        warnings,
    })
}

/// Its backups, and the last ones of those that had its name and are gone.
pub(crate) async fn backups(gcp: &Gcp, name: &str) -> Result<Backups, ProviderError> {
    let at = gcp.at();
    let found = find(gcp, name).await?;
    let last = api::last_backups(at, name).await?;
    match found {
        Found::Ours(_) => {
            let (kept, recovery) = try_join(api::backups(at, name), api::recovery(at, name)).await?;
            Ok(backups_of(&[last, kept].concat(), recovery))
        }
        Found::Foreign(_, why) if last.is_empty() => Err(foreign(name, &why)),
        Found::Nothing if last.is_empty() => {
            Err(ProviderError::new(ErrorKind::NotFound, format!("{name} does not exist, and has no last backup")))
        }
        Found::Foreign(..) | Found::Nothing => Ok(backups_of(&last, None)),
    }
}

/// What happened to it.
pub(crate) async fn history(gcp: &Gcp, name: &str) -> Result<Vec<Happened>, ProviderError> {
    ours(gcp, name).await?;
    Ok(events(name, api::running(gcp.at(), name).await?))
}

/// The flags there are, with the values of those that are set: Cloud SQL does not tell the others'.
pub(crate) async fn parameters(gcp: &Gcp, name: &str) -> Result<Vec<LiveParameter>, ProviderError> {
    let there = ours(gcp, name).await?;
    let props = fields::read(&there.0);
    let major = props.get("databaseVersion").and_then(Value::as_text).unwrap_or_default().to_owned();
    let known = api::flags(gcp.at(), &major).await?;
    let set = props.get(FLAGS).and_then(Value::as_map).cloned().unwrap_or_default();
    let number = major.parse().unwrap_or(catalogue::NEWEST_MAJOR);
    let mut all: Vec<LiveParameter> =
        known.iter().map(|flag| parameter(flag, set.get(&flag.name).and_then(Value::as_text), number)).collect();
    all.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(all)
}

fn parameter(flag: &Flag, value: Option<&str>, major: u32) -> LiveParameter {
    let known = catalogue::find(&flag.name, major);
    let allowed = match (flag.least, flag.most) {
        (Some(least), Some(most)) => format!("{least}-{most}"),
        _ => flag.values.join(", "),
    };
    LiveParameter {
        name: flag.name.clone(),
        value: value.map(str::to_owned),
        unit: known.and_then(|known| known.unit.clone()),
        source: if value.is_some() { "user" } else { "default" }.to_owned(),
        is_set: value.is_some(),
        context: known.map(|known| context(known.context).to_owned()),
        takes_effect: if flag.restarts { TakesEffect::AtRestart } else { TakesEffect::AtOnce },
        // Cloud SQL restarts by itself.
        pending_restart: false,
        allowed,
        description: known.map(|known| known.words.clone()).unwrap_or_default(),
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

fn told<T: Default>(warnings: &mut Vec<String>, what: &str, asked: Result<T, GcpError>) -> Result<T, ProviderError> {
    match asked {
        Err(error) if error.kind() == ErrorKind::Denied => {
            warnings.push(format!("its {what} cannot be read: {error}"));
            Ok(T::default())
        }
        asked => Ok(asked?),
    }
}

fn backups_of(kept: &[Kept], restorable: Option<(jiff::Timestamp, jiff::Timestamp)>) -> Backups {
    // Cloud SQL's own name of a last backup says nothing to anybody; its description was chosen, and may be another's, too.
    let called = |one: &Kept| {
        let of = |other: &&Kept| other.is_last && other.description == one.description;
        match &one.description {
            Some(words) if one.is_last && kept.iter().filter(of).count() == 1 => words.clone(),
            Some(_) | None => one.id.clone(),
        }
    };
    let backup = |one: &Kept| Backup {
        name: called(one),
        last: Some(one.is_last),
        automatic: one.automatic,
        state: if one.status == "SUCCESSFUL" { "available".to_owned() } else { one.status.to_lowercase() },
        taken_at: one.taken_at,
        bytes: one.bytes,
        engine_version: None,
        // All of them are.
        encrypted: Some(true),
        region: one.location.clone(),
        ..Backup::default()
    };
    let restorable = restorable.map(|(from, to)| Restorable { from: Some(from), to });
    Backups { kept: kept.iter().map(backup).collect(), restorable, ..Backups::default() }
}

fn events(name: &str, operations: Vec<Operation>) -> Vec<Happened> {
    let one = |operation: Operation| {
        let by = operation.user.map_or_else(String::new, |user| format!(" by {user}"));
        let ended = match (operation.error, operation.is_done) {
            (Some((code, message)), _) => format!(", failed: {code}: {message}"),
            (None, true) => String::new(),
            (None, false) => ", goes on".to_owned(),
        };
        let message = format!("{}{by}{ended}", operation.kind.to_lowercase().replace('_', " "));
        Some(Happened { at: operation.inserted?.parse().ok()?, to: name.to_owned(), message })
    };
    let mut all: Vec<Happened> = operations.into_iter().filter_map(one).collect();
    all.sort_by_key(|one| one.at);
    all
}

fn storage(there: &Instance) -> Storage {
    let size = |name: &str| there.setting(name).and_then(|size| size.parse::<u64>().ok());
    let grows = there.0["settings"]["storageAutoResize"] == true;
    Storage {
        allocated_gib: size("dataDiskSizeGb"),
        max_allocated_gib: size("storageAutoResizeLimit").filter(|most| grows && *most > 0),
        used_bytes: None,
        encrypted: Some(true),
    }
}

/// Where somebody connects: the private way, unless the block wants the public one or there is no other.
fn address(is_public: bool, there: &Instance, port: u16) -> Option<Address> {
    let (public, private) = (there.address("PRIMARY"), there.address("PRIVATE"));
    let host = if is_public { public.or(private) } else { private.or(public) };
    Some(Address { host: host?, port })
}
