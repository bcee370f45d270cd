//! How a database is: its servers, what waits, its backups, its alarms and what happened to it, from calls side by side.
//!
//! What beside RDS's own word on the servers may not be read is left out with a warning: whoever may look at a database sees it. So are a
//! second region and what is told around the servers, where they do not answer; neither is waited for long.

use std::future::Future;
use std::time::Duration;

use futures_util::future::{join, join_all, join4, join5};
use jiff::{SignedDuration, Timestamp};
use pgherd_core::report::{Address, Alarm, AlarmState, Backup, Backups, Happened, Report, Restorable, Server, Storage};
use pgherd_core::resource::Pending;
use pgherd_core::spec::Spec;
use pgherd_core::value::Value;
use pgherd_core::window::Window;
use pgherd_engine::provider::{ErrorKind, ProviderError};

use crate::api::cloudwatch::{self, Standing};
use crate::api::rds::{self, Automated, DbInstance, DbProxy, Event, Maintenance, Snapshot};
use crate::kinds::alarm::DIMENSION;
use crate::kinds::instance::ADDRESS;
use crate::kinds::recovery;
use crate::live::{marks, spelling};
use crate::names;
use crate::protocol::error::AwsError;
use crate::provider::Aws;
use crate::status::has_stopped;

/// How it is now.
pub(crate) async fn report(aws: &Aws, spec: &Spec, now: Timestamp) -> Result<Report, ProviderError> {
    let (session, region, name) = (aws.session(), aws.region(), &spec.name);
    let seen = rds::instances(session, region, &names::instances(name)).await?;
    let primary = seen.iter().find(|seen| seen.id == *name).ok_or_else(|| missing(name))?;
    let replicas: Vec<&DbInstance> = seen.iter().filter(|seen| seen.source.as_ref() == Some(name)).collect();
    let ids: Vec<&str> = [primary].into_iter().chain(replicas.iter().copied()).map(|seen| seen.id.as_str()).collect();
    let prefix = names::alarm(name, "");
    let around = &aws.sparing();
    let proxy = async {
        match marks::is_proxied(&primary.tags) {
            true => rds::proxy(around.session(), region, &names::proxy(name)).await,
            false => Ok(None),
        }
    };
    let here = join5(
        rds::snapshots_of(session, region, name),
        rds::automated(session, region, name),
        cloudwatch::standings(around.session(), region, &prefix),
        events(around, region, &ids),
        join(proxy, rds::maintenance(around.session(), region, &ids)),
    );
    let ((snapshots, automated, alarms, events, (proxy, maintenance)), there) = join(here, there(aws, spec)).await;
    let mut warnings = warnings(&seen, primary, name, now);
    let mut may = Tolerant { warnings: &mut warnings };
    let automated = may.told("automated backups", automated)?;
    let backups = backups_of(may.told("snapshots", snapshots)?, &automated);
    let mut alarms = may.spare("alarms", alarms)?;
    alarms.retain(|alarm| ids.iter().any(|id| is_of(alarm, id)));
    let mut happened = may.spare("events", events)?;
    let proxy = may.spare("proxy", proxy)?;
    let maintenance = may.spare("maintenance by RDS", maintenance)?;
    alarms.extend(there.alarms);
    happened.extend(there.events);
    happened.sort_by_key(|event| event.at);
    warnings.extend(there.stopped.into_iter().chain(there.silent));
    let pending = spelling::pending(primary);
    let in_window = pending.iter().any(|one| one.waits_for == spelling::WINDOW);
    Ok(Report {
        name: name.clone(),
        status: spelling::status(primary, name),
        engine_version: text(primary, "EngineVersion"),
        address: address(primary),
        servers: [
            servers(primary, &replicas),
            there.servers,
            proxy.into_iter().map(|proxy| pooler(name, proxy, port(primary))).collect(),
        ]
        .concat(),
        storage: storage(primary),
        window_opens: in_window.then(|| opens(primary, now)).flatten(),
        pending,
        maintenance: maintenance.iter().map(of_rds).collect(),
        backups,
        alarms: alarms.into_iter().map(alarm).collect(),
        happened: happened.into_iter().map(happening).collect(),
        warnings,
    })
}

/// What RDS itself will do to a server, and when.
fn of_rds(one: &Maintenance) -> Pending {
    let day = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
    let when = match (one.at, one.after) {
        (Some(at), _) => format!("{}, when RDS does it", day(at)),
        (None, Some(after)) => format!("the first window from {} on, when RDS does it", day(after)),
        (None, None) => "somebody to ask for it (`aws rds apply-pending-maintenance-action`)".to_owned(),
    };
    let forced = one.forced.map_or_else(String::new, |at| format!("; at the latest on {}, window or not", day(at)));
    let about = if one.words.is_empty() { String::new() } else { format!(" ({})", one.words) };
    Pending { field: format!("{} of {}{about}", one.action, one.server), waits_for: format!("{when}{forced}") }
}

/// Its backups, those of one that is gone included.
pub(crate) async fn backups(aws: &Aws, spec: &Spec) -> Result<Backups, ProviderError> {
    let (session, region, name) = (aws.session(), aws.region(), &spec.name);
    let snapshots = rds::snapshots_of(session, region, name).await?;
    let automated = rds::automated(session, region, name).await?;
    if snapshots.is_empty() && automated.is_empty() && rds::instance(session, region, name).await?.is_none() {
        return Err(missing(name));
    }
    Ok(backups_of(snapshots, &automated))
}

/// What happened to it and its replicas, as far as RDS remembers, oldest first. Of one that is gone, too. That a second region does not
/// answer did not happen to it: [`report`] tells that, and who follows goes on from the last that did.
pub(crate) async fn history(aws: &Aws, spec: &Spec) -> Result<Vec<Happened>, ProviderError> {
    let seen = rds::instances(aws.session(), aws.region(), &names::instances(&spec.name)).await?;
    let replicas = seen.iter().filter(|seen| seen.source.as_ref() == Some(&spec.name)).map(|seen| seen.id.as_str());
    let ids: Vec<&str> = [spec.name.as_str()].into_iter().chain(replicas).collect();
    let (here, there) = join(events(aws, aws.region(), &ids), there(aws, spec)).await;
    let mut happened: Vec<Happened> = here?.into_iter().chain(there.events).map(happening).collect();
    happened.sort_by_key(|one| one.at);
    Ok(happened)
}

/// How long a second region is waited for: when it is down, the first one is looked at all the more.
const THERE_WITHIN: Duration = Duration::from_secs(20);

/// What the second region of a block tells.
#[derive(Default)]
struct There {
    /// The replica, and the copies of backups.
    servers: Vec<Server>,
    alarms: Vec<Standing>,
    events: Vec<Event>,
    /// Why something of it is not told.
    silent: Option<String>,
    /// That the replica does not follow.
    stopped: Option<String>,
}

/// Asks the second region that a block names. That it does not answer is told, and no error.
async fn there(aws: &Aws, spec: &Spec) -> There {
    let Some((recovery, region)) = recovery::region(spec) else { return There::default() };
    let (session, name, server) = (aws.session(), &spec.name, names::recovery(&spec.name));
    let replica =
        async { if recovery.read_replica { rds::instance(session, region, &server).await } else { Ok(None) } };
    let copies =
        async { if recovery::keeps_backups(spec) { rds::copies(session, region, name).await } else { Ok(Vec::new()) } };
    let prefix = names::alarm(&server, "");
    let alarms = async {
        if recovery.read_replica { cloudwatch::standings(session, region, &prefix).await } else { Ok(Vec::new()) }
    };
    let events = async { if recovery.read_replica { events(aws, region, &[&server]).await } else { Ok(Vec::new()) } };
    // Each by itself: one that hangs takes nothing from the others.
    let (replica, copies, alarms, events) =
        join4(in_time(replica), in_time(copies), in_time(alarms), in_time(events)).await;
    let mut silent = Vec::new();
    let replica = told(replica, "the replica", &mut silent).filter(|seen| follows(seen, name));
    let copies = told(copies, "the copies of backups", &mut silent);
    let mut alarms = told(alarms, "alarms", &mut silent);
    alarms.retain(|alarm| is_of(alarm, &server));
    let events = told(events, "events", &mut silent);
    let stopped = replica.as_ref().and_then(stopped);
    let replica = replica.map(|seen| {
        let place = seen.zones.first().cloned().or_else(|| Some(region.to_owned()));
        Server { place, ..replica_server(&seen) }
    });
    let copies = copies.into_iter().filter(|copies| is_in(&copies.instance, aws.region())).map(|copies| Server {
        name: copies.arn.rsplit(':').next().map(str::to_owned),
        role: "copies".to_owned(),
        state: match copies.until {
            Some(until) => format!("{}, up to {until}", copies.status),
            None => copies.status,
        },
        address: None,
        place: Some(region.to_owned()),
        behind_ms: None,
    });
    let servers = replica.into_iter().chain(copies).collect();
    let silent = match silent.as_slice() {
        [] => None,
        [(_, error), ..] => {
            let what: Vec<&str> = silent.iter().map(|(what, _)| *what).collect();
            Some(format!("{region} does not tell {}: {error}", what.join(", ")))
        }
    };
    There { servers, alarms, events, silent, stopped }
}

/// An answer of the second region, or why there is none.
async fn in_time<T>(asked: impl Future<Output = Result<T, AwsError>>) -> Result<T, String> {
    match tokio::time::timeout(THERE_WITHIN, asked).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("it did not answer within {} s", THERE_WITHIN.as_secs())),
    }
}

fn told<T: Default>(answer: Result<T, String>, what: &'static str, silent: &mut Vec<(&'static str, String)>) -> T {
    answer.unwrap_or_else(|error| {
        silent.push((what, error));
        T::default()
    })
}

/// Whether a server of another region is a replica of a database.
fn follows(seen: &DbInstance, name: &str) -> bool {
    seen.source.as_ref().is_some_and(|source| source.ends_with(&format!(":db:{name}")))
}

fn is_in(arn: &str, region: &str) -> bool {
    arn.split(':').nth(3) == Some(region)
}

async fn events(aws: &Aws, region: &str, ids: &[&str]) -> Result<Vec<Event>, AwsError> {
    let asked = ids.iter().map(|id| rds::events(aws.session(), region, id, rds::LONGEST_MIN));
    let told: Result<Vec<Vec<Event>>, AwsError> = join_all(asked).await.into_iter().collect();
    let mut events = told?.concat();
    events.sort_by_key(|event| event.at);
    Ok(events)
}

/// Goes on without what may not be read.
struct Tolerant<'a> {
    warnings: &'a mut Vec<String>,
}

impl Tolerant<'_> {
    fn told<T: Default>(&mut self, what: &str, asked: Result<T, AwsError>) -> Result<T, ProviderError> {
        match asked {
            Err(error) if matches!(error.kind(), ErrorKind::Denied | ErrorKind::Unsupported) => {
                self.warnings.push(format!("its {what} cannot be read: {error}"));
                Ok(T::default())
            }
            asked => Ok(asked?),
        }
    }

    /// The same for what is around the servers, and what does not answer for now.
    fn spare<T: Default>(&mut self, what: &str, asked: Result<T, AwsError>) -> Result<T, ProviderError> {
        match asked {
            Err(error) if error.kind().is_transient() => {
                self.warnings.push(format!("its {what} cannot be read for now: {error}"));
                Ok(T::default())
            }
            asked => self.told(what, asked),
        }
    }
}

/// Days before the end of a server's certificate from which it is told: RDS gives another by itself, and by then should have.
const CERTIFICATE_DAYS: i64 = 30;

fn warnings(seen: &[DbInstance], primary: &DbInstance, name: &str, now: Timestamp) -> Vec<String> {
    let follows_nobody = |seen: &&DbInstance| seen.id != name && seen.source.is_none();
    let promoted = seen.iter().filter(follows_nobody).map(|seen| format!("{} is a replica of {name} no more", seen.id));
    let full = (primary.status == "storage-full").then(|| "its storage is full; it takes no writes".to_owned());
    let expiring = seen.iter().filter_map(|seen| {
        let until = seen.certificate_until?;
        let is_near = until.duration_since(now) < SignedDuration::from_hours(24 * CERTIFICATE_DAYS);
        is_near.then(|| format!("the certificate of {} is good until {until}", seen.id))
    });
    promoted.chain(full).chain(expiring).chain(seen.iter().filter_map(stopped)).collect()
}

/// That a replica does not follow any more: it serves what is old, and is none to go over to.
fn stopped(seen: &DbInstance) -> Option<String> {
    let word = seen.following.as_ref().filter(|word| has_stopped(word))?;
    Some(format!("the replica {} does not follow its source: {word}", seen.id))
}

fn servers(primary: &DbInstance, replicas: &[&DbInstance]) -> Vec<Server> {
    let mut zones = primary.zones.iter();
    let mut servers = vec![server(primary, "primary", primary.status.clone(), zones.next())];
    if primary.props.get("MultiAZ") == Some(&Value::Bool(true)) {
        servers.push(Server {
            name: None,
            role: "standby".to_owned(),
            // What RDS promises of it; it tells nothing of how it is.
            state: "synchronous".to_owned(),
            address: None,
            place: zones.next().cloned(),
            behind_ms: None,
        });
    }
    servers.extend(replicas.iter().map(|seen| replica_server(seen)));
    servers
}

fn replica_server(seen: &DbInstance) -> Server {
    let state = match &seen.following {
        Some(following) => format!("{}, {following}", seen.status),
        None => seen.status.clone(),
    };
    server(seen, "replica", state, seen.zones.first())
}

fn server(seen: &DbInstance, role: &str, state: String, zone: Option<&String>) -> Server {
    Server {
        name: Some(seen.id.clone()),
        role: role.to_owned(),
        state,
        address: address(seen),
        place: zone.cloned(),
        behind_ms: None,
    }
}

fn pooler(name: &str, proxy: DbProxy, port: Option<u16>) -> Server {
    Server {
        name: Some(names::proxy(name)),
        role: "pooler".to_owned(),
        state: proxy.status,
        address: proxy.endpoint.zip(port).map(|(host, port)| Address { host, port }),
        place: None,
        behind_ms: None,
    }
}

fn storage(primary: &DbInstance) -> Storage {
    let gib = |field: &str| primary.props.get(field).and_then(Value::as_int).and_then(|gib| u64::try_from(gib).ok());
    let allocated_gib = gib("AllocatedStorage");
    Storage {
        allocated_gib,
        max_allocated_gib: gib("MaxAllocatedStorage").filter(|most| Some(*most) > allocated_gib),
        // CloudWatch knows what is free, to within minutes.
        used_bytes: None,
        encrypted: match primary.props.get("StorageEncrypted") {
            Some(Value::Bool(encrypted)) => Some(*encrypted),
            _ => None,
        },
    }
}

fn opens(primary: &DbInstance, now: Timestamp) -> Option<Timestamp> {
    Some(Window::parse_weekly(&text(primary, "PreferredMaintenanceWindow")?)?.next_opening(now))
}

fn backups_of(mut snapshots: Vec<Snapshot>, automated: &[Automated]) -> Backups {
    snapshots.sort_by_key(|one| (one.taken.is_none(), one.taken));
    let backup = |snapshot: Snapshot| Backup {
        name: snapshot.name,
        automatic: snapshot.kind == "automated",
        state: snapshot.status,
        taken_at: snapshot.taken,
        bytes: None,
        engine_version: Some(snapshot.kept.version).filter(|version| !version.is_empty()),
        encrypted: Some(snapshot.kept.encrypted),
        ..Backup::default()
    };
    // Of several that had the name, the one that is there, else the one that was there last.
    let range = automated
        .iter()
        .filter_map(|one| Some((one.is_active, one.range?)))
        .max_by_key(|(active, (_, to))| (*active, *to));
    let restorable = range.map(|(_, (from, to))| Restorable { from: Some(from), to });
    Backups { kept: snapshots.into_iter().map(backup).collect(), restorable, ..Backups::default() }
}

fn is_of(alarm: &Standing, server: &str) -> bool {
    alarm.dimensions.iter().any(|(name, value)| name == DIMENSION && value == server)
}

fn alarm(told: Standing) -> Alarm {
    let state = match told.state.as_str() {
        "OK" => AlarmState::Ok,
        "ALARM" => AlarmState::Rings,
        _ => AlarmState::Unknown,
    };
    Alarm { name: told.name, state, reason: told.reason }
}

fn happening(event: Event) -> Happened {
    Happened { at: event.at, to: event.source, message: event.message }
}

fn address(seen: &DbInstance) -> Option<Address> {
    Some(Address { host: text(seen, ADDRESS)?, port: port(seen)? })
}

fn port(seen: &DbInstance) -> Option<u16> {
    seen.props.get("Port").and_then(Value::as_int).and_then(|port| u16::try_from(port).ok())
}

fn text(seen: &DbInstance, field: &str) -> Option<String> {
    seen.props.get(field).and_then(Value::as_text).map(str::to_owned)
}

fn missing(name: &str) -> ProviderError {
    ProviderError::new(ErrorKind::NotFound, format!("{name} does not exist"))
}
