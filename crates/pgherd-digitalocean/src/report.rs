//! How a database is, from calls side by side. What may not be read is left out with a warning.

use futures_util::future::join4;
use pgherd_core::catalogue::parameters::{self as catalogue, Context};
use pgherd_core::report::{Address, Backup, Backups, Happened, LiveParameter, Report, Server, Storage, TakesEffect};
use pgherd_core::resource::Pending;
use pgherd_core::spec::Spec;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use serde_json::Value as Json;

use crate::api::{self, Cluster, Connection, Pool, Replica};
use crate::error::DoError;
use crate::names;
use crate::observe::ours;
use crate::provider::DigitalOcean;
use crate::wait::status;

/// How it is now.
pub(crate) async fn report(ocean: &DigitalOcean, spec: &Spec) -> Result<Report, ProviderError> {
    let name = &spec.name;
    let cluster = ours(ocean, name).await?;
    let (session, id) = (ocean.session(), cluster.id.as_str());
    let (replicas, pools, backups, events) =
        join4(api::replicas(session, id), api::pools(session, id), api::backups(session, id), api::events(session, id))
            .await;
    let mut warnings = Vec::new();
    let replicas = told(&mut warnings, "replicas", replicas)?;
    let pools = told(&mut warnings, "pools", pools)?;
    let backups = told(&mut warnings, "backups", backups)?;
    let events = told(&mut warnings, "events", events)?;
    if let Some(end) = &cluster.version_end_of_life {
        let day = end.split('T').next().unwrap_or(end);
        warnings.push(format!("DigitalOcean ends PostgreSQL {} on {day}", cluster.version));
    }
    let is_public = spec.network.publicly_accessible;
    let address = address(is_public, &cluster.connection, &cluster.private_connection);
    let pending = cluster.maintenance_pending.clone().unwrap_or_default();
    let mut servers = vec![server(name, "primary", &cluster.status, address.clone(), &cluster.region)];
    for _ in 1..cluster.num_nodes {
        let own = reached(&cluster.standby);
        servers.push(Server { name: None, ..server("", "standby", &cluster.status, own, &cluster.region) });
    }
    servers.extend(replicas.iter().map(|one| replica(name, one, is_public)));
    servers.extend(pools.iter().filter(|pool| pool.name == names::pool(name)).map(|one| pooler(one, is_public)));
    let pool = pools.iter().find(|pool| spec.proxy.is_some() && pool.name == names::pool(name));
    let of_pool = pool.and_then(|pool| self::address(is_public, &pool.connection, &pool.private_connection));
    Ok(Report {
        name: name.clone(),
        status: status(&cluster.status),
        engine_version: cluster.semantic_version.clone().or_else(|| Some(cluster.version.clone())),
        // Where programs connect.
        address: of_pool.or(address),
        servers,
        storage: storage(&cluster),
        maintenance: Vec::new(),
        window_opens: (!pending.is_empty()).then(|| spec.maintenance_window.next_opening(jiff::Timestamp::now())),
        pending: pending
            .into_iter()
            .map(|what| Pending { field: what, waits_for: "the maintenance window".to_owned() })
            .collect(),
        backups: kept(&backups),
        // An alert tells nobody how it stands.
        alarms: Vec::new(),
        happened: events.into_iter().map(|(at, to, message)| Happened { at, to, message }).collect(),
        warnings,
    })
}

/// Its backups.
pub(crate) async fn backups(ocean: &DigitalOcean, name: &str) -> Result<Backups, ProviderError> {
    let cluster = ours(ocean, name).await?;
    Ok(kept(&api::backups(ocean.session(), &cluster.id).await?))
}

/// What happened to it.
pub(crate) async fn history(ocean: &DigitalOcean, name: &str) -> Result<Vec<Happened>, ProviderError> {
    let cluster = ours(ocean, name).await?;
    let events = api::events(ocean.session(), &cluster.id).await?;
    Ok(events.into_iter().map(|(at, to, message)| Happened { at, to, message }).collect())
}

/// The settings that DigitalOcean tells.
pub(crate) async fn parameters(ocean: &DigitalOcean, name: &str) -> Result<Vec<LiveParameter>, ProviderError> {
    let cluster = ours(ocean, name).await?;
    let config = api::config(ocean.session(), &cluster.id).await?;
    let major = cluster.version.parse().unwrap_or(catalogue::NEWEST_MAJOR);
    Ok(config.iter().filter_map(|(name, told)| parameter(name, told, major)).collect())
}

/// A setting, in DigitalOcean's own spelling. What is no setting of PostgreSQL's is told without a context.
fn parameter(name: &str, told: &Json, major: u32) -> Option<LiveParameter> {
    let value = match told {
        Json::Null | Json::Object(_) | Json::Array(_) => return None,
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    let known = catalogue::find(name, major).or_else(|| catalogue::newest(name));
    let own_unit = match name {
        "work_mem" => Some("MB"),
        "max_stack_depth" => Some("B"),
        "bgwriter_flush_after" => Some("kB"),
        crate::parameters::SHARED_BUFFERS => Some("%"),
        _ => known.and_then(|known| known.unit.as_deref()),
    };
    Some(LiveParameter {
        name: name.to_owned(),
        value: Some(value),
        unit: own_unit.map(str::to_owned),
        source: "user".to_owned(),
        is_set: true,
        context: known.map(|known| context(known.context).to_owned()),
        takes_effect: TakesEffect::AtOnce,
        pending_restart: false,
        allowed: String::new(),
        description: known.map(|known| known.words.clone()).unwrap_or_default(),
    })
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

fn told<T: Default>(warnings: &mut Vec<String>, what: &str, asked: Result<T, DoError>) -> Result<T, ProviderError> {
    match asked {
        Err(error) if error.kind() == ErrorKind::Denied => {
            warnings.push(format!("its {what} cannot be read: {error}"));
            Ok(T::default())
        }
        asked => Ok(asked?),
    }
}

/// Backups are called by the time they were made at. From which moment on it can be restored to any second DigitalOcean does not tell.
fn kept(told: &[(String, Option<f64>)]) -> Backups {
    let backup = |(at, gigabytes): &(String, Option<f64>)| Backup {
        name: at.clone(),
        automatic: true,
        state: "available".to_owned(),
        taken_at: at.parse().ok(),
        bytes: gigabytes.map(bytes),
        engine_version: None,
        encrypted: None,
        ..Backup::default()
    };
    Backups { kept: told.iter().map(backup).collect(), restorable: None, ..Backups::default() }
}

fn bytes(gigabytes: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a size, and not beyond 2^53 bytes")]
    let bytes = (gigabytes.max(0.0) * 1e9) as u64;
    bytes
}

fn server(name: &str, role: &str, state: &str, address: Option<Address>, region: &str) -> Server {
    Server {
        name: Some(name.to_owned()),
        role: role.to_owned(),
        state: state.to_owned(),
        address,
        place: Some(region.to_owned()),
        behind_ms: None,
    }
}

fn replica(database: &str, one: &Replica, is_public: bool) -> Server {
    let own = address(is_public, &one.connection, &one.private_connection);
    let state = if one.is_of(database) { one.status.clone() } else { format!("{}, not pgherd's", one.status) };
    server(&one.name, "replica", &state, own, &one.region)
}

fn pooler(one: &Pool, is_public: bool) -> Server {
    let own = address(is_public, &one.connection, &one.private_connection);
    Server { place: None, ..server(&one.name, "pooler", &format!("{}, {} connections", one.mode, one.size), own, "") }
}

fn storage(cluster: &Cluster) -> Storage {
    let mib = cluster.storage_mib.and_then(|mib| u64::try_from(mib).ok());
    Storage { allocated_gib: mib.map(|mib| mib / 1024), max_allocated_gib: None, used_bytes: None, encrypted: None }
}

/// Where somebody connects: the private way, unless the block wants the public one or there is no other.
fn address(is_public: bool, public: &Connection, private: &Connection) -> Option<Address> {
    let way = if is_public || private.host.is_none() { public } else { private };
    reached(way)
}

fn reached(connection: &Connection) -> Option<Address> {
    Some(Address { host: connection.host.clone()?, port: connection.port? })
}
