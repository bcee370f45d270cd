//! What an instance really is, for a plan, asked from the running server. Sends no write.

use std::collections::{BTreeMap, BTreeSet};

use pgherd_core::ha::{Duty, Member, NodeId};
use pgherd_core::resource::{Pending, Status};
use pgherd_engine::provider::{ErrorKind, ProviderError};
use serde_json::{Map, Value, json};
use tokio_postgres::types::ToSql;

use super::agent::Agent;
use super::ledger::Record;
use super::messages::{Endpoint, Instance, Parameter, Reader};
use super::pooled::Standing;
use super::requests::{BEING_DELETED, Shown};
use super::secret::SecretFiles;
use super::site::{CONNECT_DEADLINE, HOST};
use super::upkeep::Goal;
use crate::encrypted::{self, Encryption};
use crate::limits::{Limit, Limits};
use crate::paths::Layout;
use crate::pooler;
use crate::postgres::pidfile::PidFile;
use crate::postgres::session::{Session, Setting};

/// One instance, for a plan.
pub async fn instance(agent: &Agent, shown: &Shown) -> Instance {
    let live = live(shown, &primary(agent, &shown.record)).await;
    if let Err(error) = &live {
        tracing::debug!(instance = shown.record.name, "{error}");
    }
    instance_of(agent, shown, live.ok())
}

/// The same, of what is known without asking the server.
pub fn known(agent: &Agent, shown: &Shown) -> Instance {
    instance_of(agent, shown, None)
}

fn instance_of(agent: &Agent, shown: &Shown, live: Option<Live>) -> Instance {
    let record = &shown.record;
    let layout = primary(agent, record);
    Instance {
        name: record.name.clone(),
        wanted: record.wanted.clone(),
        observed: observed(shown, &layout, live.as_ref()),
        settings: live.as_ref().map(Live::accepted).unwrap_or_default(),
        master_verifier: live.as_ref().and_then(|live| live.verifier.clone()),
        status: status_of(shown),
        pending: live
            .map_or_else(|| shown.pending.clone(), |live| live.pending)
            .into_iter()
            .chain(kept(record))
            .collect(),
        endpoint: endpoint(agent, record, &layout),
        read_port: read_port(record),
        replicas: replicas(agent, record),
    }
}

/// The port for reading only, of an instance of several servers.
pub fn read_port(record: &Record) -> Option<u16> {
    record.read_port.filter(|_| record.nodes().len() > 1)
}

/// The replicas that stay: one that nobody wants any more may be there for a moment longer.
fn replicas(agent: &Agent, record: &Record) -> Vec<Reader> {
    let layout = agent.options.paths.instance(&record.name);
    let stays = |node: NodeId, member: &Member| role(record, node) == "replica" && member.leaving.is_none();
    let members = record.ha.members.iter().filter(|(node, member)| stays(**node, member)).map(|(node, _)| *node);
    let port = |node: NodeId| running_port(&layout.node(node)).or(record.port_of(node));
    let readers = members.filter_map(|node| Some(Reader { name: node.to_string(), port: port(node)? }));
    readers.take(usize::try_from(record.wanted.read_replicas).unwrap_or(usize::MAX)).collect()
}

/// What it is doing, for a plan: one that is being made is not there yet, and whoever asks for it joins in.
pub fn status_of(shown: &Shown) -> Status {
    let Record { memory, forgotten, trouble, .. } = &shown.record;
    if *forgotten {
        return Status::Foreign("pgherd forget left it alone".to_owned());
    }
    doing(shown.busy.as_deref(), memory.made, &memory.goal, shown.pid.is_some(), trouble.as_deref())
}

fn doing(busy: Option<&str>, made: bool, goal: &Goal, runs: bool, trouble: Option<&str>) -> Status {
    let deleting = || Status::Busy(Status::DELETING.to_owned());
    let or = |otherwise: &str| trouble.unwrap_or(otherwise).to_owned();
    match (busy, made, goal, runs) {
        // Whatever is done just now, such as a last backup: who wants it again waits until it is gone.
        (Some(_), _, Goal::Gone { .. }, _) => deleting(),
        (Some(BEING_DELETED), ..) => deleting(),
        (Some(busy), false, Goal::Serve, _) => Status::Incomplete(busy.to_owned()),
        (Some(busy), ..) => Status::Busy(busy.to_owned()),
        (None, _, Goal::Gone { .. }, _) => match trouble {
            Some(trouble) => Status::Failed(format!("{}: {trouble}", Status::HALF_DELETED)),
            // An agent that has just started goes on with it.
            None => deleting(),
        },
        (None, false, ..) => Status::Incomplete(or("its creation was cut short")),
        (None, true, Goal::Stopped, _) => Status::Stopped,
        (None, true, Goal::Serve, true) => Status::Available,
        (None, true, Goal::Serve, false) => Status::Failed(or("PostgreSQL does not run")),
    }
}

/// Everything a running server says of itself.
struct Live {
    version: String,
    settings: BTreeMap<String, Setting>,
    /// The last word of the files on each setting, whether in force or not.
    in_files: BTreeMap<String, String>,
    altered: BTreeSet<String>,
    verifier: Option<String>,
    owner: Option<String>,
    cidrs: Vec<String>,
    pending: Vec<Pending>,
}

const OWNER: &str = "SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = $1";

async fn live(shown: &Shown, layout: &Layout) -> Result<Live, ProviderError> {
    let session = connect(shown, layout).await?;
    let record = &shown.record;
    let (role, database): (&[&(dyn ToSql + Sync)], &[&(dyn ToSql + Sync)]) =
        (&[&record.wanted.master_username], &[&record.wanted.database_name]);
    // Sent together: each waits for the one before on the server, and none for the way there and back.
    let (verifier, owner, files, settings, altered, cidrs, pending) = tokio::try_join!(
        session.rows("SELECT rolpassword FROM pg_authid WHERE rolname = $1", role),
        session.rows(OWNER, database),
        session.rows("SELECT name, setting FROM pg_file_settings WHERE name IS NOT NULL ORDER BY seqno", &[]),
        session.settings(),
        altered(&session),
        cidrs(&session),
        pending(&session, record),
    )?;
    let text = |rows: Vec<tokio_postgres::Row>| rows.first().and_then(|row| row.get::<_, Option<String>>(0));
    Ok(Live {
        version: session.version().to_owned(),
        settings,
        in_files: files.iter().map(|row| (row.get(0), row.get::<_, Option<String>>(1).unwrap_or_default())).collect(),
        altered,
        verifier: text(verifier),
        owner: text(owner),
        cidrs,
        pending,
    })
}

pub async fn connect(shown: &Shown, layout: &Layout) -> Result<Session, ProviderError> {
    let port = running_port(layout)
        .filter(|_| shown.pid.is_some())
        .ok_or_else(|| ProviderError::new(ErrorKind::Unavailable, format!("{} does not run", shown.record.name)))?;
    Session::connect(&layout.socket, port, "postgres", CONNECT_DEADLINE).await
}

/// The port a running server really has: after a change of port the old one, until the restart.
pub fn running_port(layout: &Layout) -> Option<u16> {
    PidFile::parse(&std::fs::read_to_string(layout.postmaster_pid()).ok()?)?.port
}

/// Settings that ALTER SYSTEM set, and a server can take back.
pub async fn altered(session: &Session) -> Result<BTreeSet<String>, ProviderError> {
    let sql = "SELECT DISTINCT f.name FROM pg_file_settings f JOIN pg_settings s USING (name) \
               WHERE f.sourcefile LIKE '%/postgresql.auto.conf'";
    Ok(session.rows(sql, &[]).await?.iter().map(|row| row.get(0)).collect())
}

/// What was accepted and waits for a restart, under the names of the plan.
pub async fn pending(session: &Session, record: &Record) -> Result<Vec<Pending>, ProviderError> {
    let waiting = session.rows("SELECT name FROM pg_settings WHERE pending_restart ORDER BY name", &[]).await?;
    let mut fields: Vec<String> = waiting.iter().map(|row| field(row.get(0), record)).collect();
    if record.server.as_ref().is_some_and(|server| server.version.to_string() != session.version()) {
        fields.push("engine_version".to_owned());
    }
    fields.dedup();
    Ok(fields.into_iter().map(|field| Pending { field, waits_for: "restart".to_owned() }).collect())
}

/// A pooler that waits for the window to go.
pub fn kept(record: &Record) -> Option<Pending> {
    let pending = || Pending { field: "enable_proxy".to_owned(), waits_for: "reconnect".to_owned() };
    record.pooler_kept.as_ref().map(|_| pending())
}

/// The field of [`crate::desired::KINDS`] that a setting follows from.
fn field(setting: &str, record: &Record) -> String {
    match setting {
        written if record.wanted.parameters.contains_key(written) => format!("parameters.{written}"),
        "port" => "port".to_owned(),
        "listen_addresses" => "publicly_accessible".to_owned(),
        // Of a database that an earlier version made.
        "archive_mode" => "point_in_time".to_owned(),
        // Also what follows from the size: a DBA looks for it under its own name.
        other => format!("parameters.{other}"),
    }
}

/// Networks beyond this machine that `pg_hba.conf` lets in.
async fn cidrs(session: &Session) -> Result<Vec<String>, ProviderError> {
    // The pooler's own line is not for users.
    let sql = "SELECT type, address, netmask FROM pg_hba_file_rules \
               WHERE type LIKE 'host%' AND auth_method <> 'reject' AND user_name <> ARRAY[$1] ORDER BY line_number";
    let rows = session.rows(sql, &[&pooler::ROLE]).await?;
    let network = |row: &tokio_postgres::Row| {
        let (address, netmask): (Option<String>, Option<String>) = (row.get(1), row.get(2));
        let text = address.unwrap_or_default();
        match netmask.and_then(|mask| prefix(&text, &mask)) {
            Some(net) if is_loopback(&net) => None,
            Some(net) => Some(net.to_string()),
            None => Some(text),
        }
    };
    Ok(rows.iter().filter_map(network).collect())
}

fn prefix(address: &str, netmask: &str) -> Option<ipnet::IpNet> {
    ipnet::IpNet::with_netmask(address.parse().ok()?, netmask.parse().ok()?).ok()
}

fn is_loopback(net: &ipnet::IpNet) -> bool {
    matches!(net.to_string().as_str(), "127.0.0.0/8" | "::1/128")
}

/// Field by field. Without a running server: what the files say, once they say what is wanted.
fn observed(shown: &Shown, layout: &Layout, live: Option<&Live>) -> Map<String, Value> {
    let record = &shown.record;
    let wanted = &record.wanted;
    let mut fields = match serde_json::to_value(wanted) {
        Ok(Value::Object(fields)) => fields,
        other => unreachable!("a struct serialises as an object, not as {other:?}"),
    };
    fields.insert("allocated_storage_gib".to_owned(), json!(record.memory.allocated_gib));
    fields.insert("storage_encrypted".to_owned(), json!(encrypted(layout)));
    fields.insert("port".to_owned(), json!(record.port));
    let pooler_fails = shown.pooler.as_ref().is_some_and(|it| matches!(it.standing, Standing::Failed(_)));
    fields.insert("enable_proxy".to_owned(), json!(wanted.enable_proxy && !pooler_fails));
    fields.insert("database_owner".to_owned(), json!(record.memory.settled.then_some(&wanted.master_username)));
    fields.insert("engine_version_note".to_owned(), json!(record.server_note));
    if let Some(server) = &record.server {
        fields.insert("engine_version".to_owned(), json!(server.version.to_string()));
        fields.insert("engine_major".to_owned(), json!(server.major()));
    }
    if let Some(live) = live {
        fields.insert("engine_version".to_owned(), json!(live.version_in_files(record)));
        fields.insert("database_owner".to_owned(), json!(live.owner));
        fields.insert("allowed_cidrs".to_owned(), json!(live.cidrs));
        if !record.is_forwarded() {
            let listens = live.value("listen_addresses");
            fields.insert("publicly_accessible".to_owned(), json!(listens.as_deref() == Some("*")));
            fields.insert("port".to_owned(), json!(live.value("port").and_then(|port| port.parse::<u16>().ok())));
        }
        fields.insert("parameters".to_owned(), json!(live.parameters(record)));
    }
    fields
}

impl Live {
    /// The value of a setting: the one in force, or the accepted one that waits for a restart.
    fn value(&self, name: &str) -> Option<String> {
        let setting = self.settings.get(name)?;
        let accepted = self.in_files.get(name).filter(|_| setting.pending_restart);
        Some(accepted.unwrap_or(&setting.value).clone())
    }

    /// All settings.
    fn accepted(&self) -> BTreeMap<String, String> {
        self.settings.keys().filter_map(|name| Some((name.clone(), self.value(name)?))).collect()
    }

    /// The version that runs, or the accepted one that waits for a restart.
    fn version_in_files(&self, record: &Record) -> String {
        record.server.as_ref().map_or_else(|| self.version.clone(), |server| server.version.to_string())
    }

    /// The settings the user wrote, and those that somebody set behind our back.
    fn parameters(&self, record: &Record) -> BTreeMap<String, String> {
        let written = record.wanted.parameters.keys();
        let names: BTreeSet<&String> = written.chain(&self.altered).collect();
        let value = |name: &String| {
            let value = self.value(name)?;
            let wanted = record.wanted.parameters.get(name);
            Some((name.clone(), if name == "shared_preload_libraries" { preloaded(&value, wanted) } else { value }))
        };
        names.into_iter().filter_map(value).collect()
    }
}

/// The libraries without those that are there for pgherd: as wanted, when all that is wanted is there and nothing else.
fn preloaded(live: &str, wanted: Option<&String>) -> String {
    let list = |text: &str| -> BTreeSet<String> {
        text.split(',').map(|name| name.trim().trim_matches('"').to_owned()).filter(|name| !name.is_empty()).collect()
    };
    let Some(wanted) = wanted else { return live.to_owned() };
    let mut expected = list(wanted);
    expected.insert("pg_stat_statements".to_owned());
    if list(live) == expected { wanted.clone() } else { live.to_owned() }
}

pub fn endpoint(agent: &Agent, record: &Record, layout: &Layout) -> Endpoint {
    let secrets = SecretFiles::of(&layout.root);
    Endpoint {
        host: HOST.to_owned(),
        port: users_port(record, layout).unwrap_or_default(),
        pooler_port: record.pooler_port.filter(|_| record.wanted.pool().is_some()),
        servers: servers(agent, record),
        database: record.wanted.database_name.clone(),
        username: record.wanted.master_username.clone(),
        ca_file: agent.options.paths.authority_certificate(),
        secret_file: secrets.secret,
        passfile: secrets.passfile,
        socket_dir: layout.socket.clone(),
        system_identifier: record.system_identifier.clone(),
    }
}

/// The servers of a pair past the forwarder, for clients that look for the primary themselves.
fn servers(agent: &Agent, record: &Record) -> Vec<u16> {
    let pair = record.ha.members.iter().filter(|(_, member)| member.duty == Duty::Pair).map(|(node, _)| *node);
    let mut nodes: Vec<NodeId> = pair.filter(|_| record.is_forwarded()).collect();
    nodes.sort_by_key(|node| *node != record.primary());
    let layout = agent.options.paths.instance(&record.name);
    nodes.iter().filter_map(|node| running_port(&layout.node(*node)).or(record.port_of(*node))).collect()
}

/// The port users connect to: the forwarder's, or the one the server really has.
fn users_port(record: &Record, layout: &Layout) -> Option<u16> {
    if record.is_forwarded() { record.port } else { running_port(layout).or(record.port) }
}

/// All settings of the running server.
pub async fn parameters(agent: &Agent, shown: &Shown) -> Result<Vec<Parameter>, ProviderError> {
    let session = connect(shown, &primary(agent, &shown.record)).await?;
    let about = session.rows("SELECT name, unit, short_desc FROM pg_settings", &[]).await?;
    let about: BTreeMap<String, (Option<String>, String)> =
        about.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
    let parameter = |(name, setting): (String, Setting)| {
        let (unit, description) = about.get(&name).cloned().unwrap_or_default();
        Parameter {
            name,
            value: setting.value,
            unit,
            source: setting.source,
            context: setting.context,
            pending_restart: setting.pending_restart,
            description,
        }
    };
    Ok(session.settings().await?.into_iter().map(parameter).collect())
}

/// The folders of the server that takes writes.
pub fn primary(agent: &Agent, record: &Record) -> Layout {
    agent.options.paths.instance(&record.name).node(record.primary())
}

/// What a server is for.
pub fn role(record: &Record, node: NodeId) -> &'static str {
    match record.ha.members.get(&node).map(|member| member.duty) {
        _ if node == record.primary() => "primary",
        Some(Duty::Replica) => "replica",
        Some(Duty::Pair) | None => "standby",
    }
}

/// Which limits hold a server, one sentence each.
pub fn limit_words(limits: &Limits) -> Vec<String> {
    let words = |what: &str, limit: &Limit| match limit {
        Limit::Enforced { by } => format!("{what} is limited by {by}"),
        Limit::NotEnforced { because } => format!("{what} is not limited: {because}"),
    };
    vec![words("CPU", &limits.cpu), words("memory", &limits.memory)]
}

pub fn encrypted(layout: &Layout) -> Option<bool> {
    match encrypted::of(&layout.root) {
        Encryption::Encrypted => Some(true),
        Encryption::Plain { .. } => Some(false),
        Encryption::CannotTell { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Borrow;

    use jiff::Timestamp;

    use super::*;

    #[track_caller]
    fn check(busy: Option<&str>, made: bool, goal: &Goal, expected: impl Borrow<Status>) {
        assert_eq!(&doing(busy, made, goal, made, None), expected.borrow(), "{busy:?} {made} {goal:?}");
    }

    #[test]
    fn what_is_on_its_way_out_is_waited_for_whatever_is_done_to_it() {
        let gone = Goal::Gone { backup: None, asked_at: Timestamp::UNIX_EPOCH, taken: false };
        let deleting = || Status::Busy(Status::DELETING.to_owned());
        let busy = |words: &str| Status::Busy(words.to_owned());
        let half = |words: &str| Status::Incomplete(words.to_owned());
        for made in [true, false] {
            check(Some("taking a last backup"), made, &gone, deleting());
            check(Some(BEING_DELETED), made, &gone, deleting());
            // Asked for, and not in the ledger yet.
            check(Some(BEING_DELETED), made, &Goal::Serve, deleting());
            check(None, made, &gone, deleting());
            let stuck = doing(None, made, &gone, made, Some("there is no room for the last backup"));
            assert_eq!(stuck, Status::Failed("its deletion failed: there is no room for the last backup".to_owned()));
            assert_eq!(doing(Some("taking a last backup"), made, &gone, made, Some("no room")), deleting());
        }
        check(Some("making the cluster"), false, &Goal::Serve, half("making the cluster"));
        check(Some("backing up"), true, &Goal::Serve, busy("backing up"));
        check(Some("stopping"), true, &Goal::Stopped, busy("stopping"));
        check(None, false, &Goal::Serve, half("its creation was cut short"));
        check(None, true, &Goal::Stopped, Status::Stopped);
        check(None, true, &Goal::Serve, Status::Available);
        let broken = |trouble| doing(None, true, &Goal::Serve, false, trouble);
        assert_eq!(broken(None), Status::Failed("PostgreSQL does not run".to_owned()));
        assert_eq!(broken(Some("no disk")), Status::Failed("no disk".to_owned()));
    }

    #[test]
    fn preloaded_libraries_of_ours_are_no_drift() {
        let wanted = "auto_explain".to_owned();
        assert_eq!(preloaded("pg_stat_statements,auto_explain", Some(&wanted)), "auto_explain");
        assert_eq!(preloaded("pg_stat_statements,other", Some(&wanted)), "pg_stat_statements,other");
    }

    #[test]
    fn a_netmask_is_a_prefix() {
        assert_eq!(prefix("10.0.0.0", "255.255.0.0").expect("a network").to_string(), "10.0.0.0/16");
        assert_eq!(prefix("fd00::", "ff00::").expect("a network").to_string(), "fd00::/8");
    }
}
