//! A copy of a database brought to a moment of its past: PostgreSQL's own recovery, in a place of its own, ended by a promotion to
//! a timeline of its own and a shutdown in good order.
//!
//! Invariant: what is left after success is a primary that was shut down and is on disk; after anything else nothing runs.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use pgherd_engine::provider::{ErrorKind, ProviderError};

use super::conf::{self, InstanceConfig};
use super::process::{self, Start, Stop};
use super::runas::RunAs;
use super::server::Server;
use super::session::Session;
use super::{Result, candidate, control, io_error, processes, stale, template};
use crate::paths::Layout;
use crate::sizing::Sizing;

/// Replaying a week of log takes hours. Whoever wants it to end before ends the agent.
const RECOVERY_DEADLINE: Duration = Duration::from_secs(7 * 24 * 3600);
/// A shutdown writes all that recovery left in memory.
const STOP_DEADLINE: Duration = Duration::from_secs(600);
const CONNECT_DEADLINE: Duration = Duration::from_secs(30);
/// What PostgreSQL says when it has replayed everything and not come to the target.
const ENDED_BEFORE: &str = "recovery ended before configured recovery target was reached";

/// Where the links to tablespaces are.
const LINKS: &str = "pg_tblspc";
const OPEN: u32 = 0o700;
const SHUT: u32 = 0o500;

/// Up to where the log is replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Only until the copy is consistent: what the backup holds.
    Backup,
    /// All there is.
    Latest,
    /// Every commit up to this moment, and none after it.
    At(Timestamp),
    /// Everything that was written before this place in the log.
    Lsn(String),
}

/// What to bring where.
#[derive(Debug, Clone)]
pub struct Recovery<'a> {
    /// The server's programs.
    pub server: &'a Server,
    /// As whom.
    pub run_as: &'a RunAs,
    /// Where the copy is, and where configuration and logs go meanwhile.
    pub layout: &'a Layout,
    /// The number in the name of its socket: nothing listens on TCP.
    pub port: u16,
    /// Operating system users that are its superuser over the socket.
    pub os_users: Vec<String>,
    /// Memory settings.
    pub sizing: Sizing,
    /// The user's settings: libraries that replay needs may be among them.
    pub parameters: BTreeMap<String, String>,
    /// Fetches a file of the log; `None`: the copy holds all it needs.
    pub restore_command: Option<String>,
    /// Up to where.
    pub target: Target,
    /// The timeline that is followed to its end; `None`: as PostgreSQL chooses, which stops looking at the first number that is missing.
    pub timeline: Option<u32>,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It is done.
    Recovered(Recovered),
    /// All of the log was replayed, and it holds nothing behind the target: why that is refused, unless somebody knows better. It can be
    /// begun again in the same place.
    BeforeTarget(ProviderError),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The cluster's identity, which is that of the one it is a copy of.
    pub system_identifier: u64,
    /// Its timeline from now on.
    pub timeline: u32,
    /// The last commit that was replayed; `None`: none was.
    pub last_commit_at: Option<Timestamp>,
    /// Up to where the log was replayed.
    pub ended_at: String,
    /// What a query on every database found: how many tables of users' own there are.
    pub tables: i64,
    /// Why databases could not be asked that.
    pub unopened: Vec<String>,
}

/// Does it. A run that is cut short leaves a server behind that [`processes::kill`] ends.
pub async fn recover(what: &Recovery<'_>) -> Result<End> {
    let end = run(what).await;
    if !matches!(end, Ok(End::Recovered(_))) {
        processes::kill(&what.layout.data).await?;
    }
    end
}

async fn run(what: &Recovery<'_>) -> Result<End> {
    prepare(what)?;
    // One that was killed may have left the name of its socket taken.
    stale::remove(what.layout, what.port)?;
    let config_file = what.layout.postgresql_conf();
    let postmaster = process::start(&Start {
        server: what.server,
        run_as: what.run_as,
        data: &what.layout.data,
        config_file: Some(&config_file),
        log: &what.layout.log,
        overrides: overrides(what),
    })?;
    match postmaster.ready(RECOVERY_DEADLINE).await {
        Ok(()) => {}
        Err(error) if error.message.contains(ENDED_BEFORE) => return Ok(End::BeforeTarget(in_words(what, error))),
        Err(error) if is_over_a_tablespace(&error) => return Err(over_a_tablespace(&error)),
        Err(error) => return Err(error),
    }
    let session = Session::connect(&what.layout.socket, what.port, "postgres", CONNECT_DEADLINE).await?;
    let sql = "SELECT to_char(pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), \
               pg_last_wal_replay_lsn()::text";
    let row = session.one(sql, &[]).await?;
    let last_commit_at = row.get::<_, Option<String>>(0).and_then(|at| at.parse().ok());
    let ended_at = row.get::<_, Option<String>>(1).unwrap_or_default();
    // One that a DROP DATABASE was interrupted in lets nobody in, and is there to be dropped.
    let sql = "SELECT datname::text FROM pg_database WHERE datallowconn AND NOT datistemplate AND datconnlimit <> -2";
    let databases: Vec<String> = session.rows(sql, &[]).await?.iter().map(|row| row.get(0)).collect();
    drop(session);
    let (mut tables, mut unopened) = (0, Vec::new());
    for database in databases {
        match count_tables(what, &database).await {
            Ok(count) => tables += count,
            Err(error) => unopened.push(format!("{database}: {error}")),
        }
    }
    postmaster.stop(Stop::Fast, STOP_DEADLINE).await?;
    set_mode(&what.layout.data.join(LINKS), OPEN)?;
    let (server, run_as, data) = (what.server.clone(), what.run_as.clone(), what.layout.data.clone());
    let control = tokio::task::spawn_blocking(move || {
        template::put_on_disk(std::slice::from_ref(&data))?;
        control::read(&server, &run_as, &data)
    });
    let control = control.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
    if control.state != "shut down" {
        let message = format!("the recovered copy is {:?} instead of shut down", control.state);
        return Err(ProviderError::new(ErrorKind::Invalid, message));
    }
    Ok(End::Recovered(Recovered {
        system_identifier: control.system_identifier,
        timeline: control.timeline,
        last_commit_at,
        ended_at,
        tables,
        unopened,
    }))
}

/// How many tables of users' own there are in a database, which has to open for that.
async fn count_tables(what: &Recovery<'_>, database: &str) -> Result<i64> {
    let session = Session::connect(&what.layout.socket, what.port, database, CONNECT_DEADLINE).await?;
    let sql = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace \
               WHERE relkind IN ('r', 'p') AND nspname <> 'information_schema' AND nspname !~ '^pg_'";
    Ok(session.one(sql, &[]).await?.get(0))
}

/// Has the server's own tool read every page of a copy that was shut down, against its checksum. A server without the tool, or a copy without
/// checksums, has nothing to read by.
pub async fn check_pages(server: &Server, run_as: &RunAs, data: &Path) -> Result<()> {
    if !server.program("pg_checksums").exists() {
        return Ok(());
    }
    let mut command = run_as.command(server, "pg_checksums");
    // What is read of its complaints is English.
    command.args(["--check", "-D"]).arg(data).env("LC_ALL", "C");
    let said = tokio::task::spawn_blocking(move || command.output()).await;
    let said = said.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    let said = said.map_err(|error| io_error("run", &server.program("pg_checksums"), &error))?;
    let words = String::from_utf8_lossy(&said.stderr).into_owned();
    if said.status.success() || words.contains("data checksums are not enabled") {
        return Ok(());
    }
    let first = words.lines().next().unwrap_or("it does not say why");
    Err(ProviderError::new(ErrorKind::Invalid, format!("pages of what was restored are broken: {first}")))
}

/// Writes the configuration, and takes away what would make a standby of it.
fn prepare(what: &Recovery<'_>) -> Result<()> {
    let layout = what.layout;
    for folder in [&layout.scratch, &layout.log] {
        what.run_as.make_dir(folder, 0o700)?;
    }
    for left in ["standby.signal", "postmaster.pid", "pgherd.made"] {
        match std::fs::remove_file(layout.data.join(left)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(io_error("remove", &layout.data.join(left), &error));
            }
            _ => {}
        }
    }
    set_mode(&layout.data.join(LINKS), SHUT)?;
    let signal = layout.data.join("recovery.signal");
    std::fs::write(&signal, "").map_err(|error| io_error("write", &signal, &error))?;
    what.run_as.own(&signal)?;
    let config = InstanceConfig {
        name: "restore".to_owned(),
        layout: layout.clone(),
        port: what.port,
        listen: Vec::new(),
        allowed: Vec::new(),
        os_users: what.os_users.clone(),
        sizing: what.sizing.clone(),
        parameters: what.parameters.clone(),
        archive: None,
        pooler_authority: None,
    };
    candidate::write(&conf::render(&config), layout, what.run_as)?;
    candidate::exchange(layout)
}

/// Replayed, `CREATE TABLESPACE` makes a link to the folder that the living database has its files in, and the copy would write into them.
/// Where nobody may make the link it fails, before any of these files is touched. (What it makes before that, in the folder itself, is the
/// empty folder of its version, which is there as long as the tablespace is.)
fn set_mode(folder: &Path, mode: u32) -> Result<()> {
    std::fs::set_permissions(folder, Permissions::from_mode(mode)).map_err(|error| io_error("change", folder, &error))
}

/// It cannot be linked to, or its folder is not there: on another machine, or since it was dropped.
fn is_over_a_tablespace(error: &ProviderError) -> bool {
    let has_no_folder = error.message.contains("directory \"") && error.message.contains("\" does not exist");
    error.message.contains(LINKS) || has_no_folder
}

fn over_a_tablespace(error: &ProviderError) -> ProviderError {
    let message = format!("a tablespace was made after the backup, and no copy may share its files: {}", error.message);
    ProviderError::new(ErrorKind::Unsupported, message)
        .help("a moment before it can be restored with --at; DROP TABLESPACE, then pgherd backup, and everything can be again")
}

fn overrides(what: &Recovery<'_>) -> Vec<(String, String)> {
    // Without an archive there is no file to be had.
    let restore = what.restore_command.clone().unwrap_or_else(|| "false".to_owned());
    let mut settings = vec![
        ("listen_addresses", String::new()),
        ("ssl", "off".to_owned()),
        ("archive_mode", "off".to_owned()),
        ("synchronous_standby_names", String::new()),
        ("logging_collector", "off".to_owned()),
        // Nobody looks on, and a standby that is looked at may have no less than its primary had.
        ("hot_standby", "off".to_owned()),
        // What is read of its complaints is English.
        ("lc_messages", "C".to_owned()),
        // All of it is put on disk at the end.
        ("fsync", "off".to_owned()),
        ("restore_command", restore),
        ("recovery_target_action", "promote".to_owned()),
    ];
    if let Some(timeline) = what.timeline {
        settings.push(("recovery_target_timeline", timeline.to_string()));
    }
    match &what.target {
        Target::Backup => settings.push(("recovery_target", "immediate".to_owned())),
        Target::Latest => {}
        Target::At(at) => settings.push(("recovery_target_time", postgres_time(*at))),
        Target::Lsn(lsn) => {
            settings.push(("recovery_target_lsn", lsn.clone()));
            // A client that asks for its place in the log after a commit gets the end of it, where the next record begins.
            settings.push(("recovery_target_inclusive", "off".to_owned()));
        }
    }
    settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// As PostgreSQL reads it, to the microsecond.
fn postgres_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S.%6f+00").to_string()
}

fn in_words(what: &Recovery<'_>, error: ProviderError) -> ProviderError {
    let target = match &what.target {
        Target::At(at) => format!("no commit after {at} is"),
        Target::Lsn(lsn) => format!("{lsn} is not"),
        Target::Backup | Target::Latest => return error,
    };
    ProviderError::new(
        ErrorKind::Invalid,
        format!("{target} in what was archived, so it cannot be told what to leave out"),
    )
    .help(
        "pgherd backups says up to when what is stored reaches, and a moment before that can be restored; without --at and --lsn everything \
         there is is replayed, what came after it included",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_postgresql_reads_it() {
        let at: Timestamp = "2026-11-21T22:00:00.1234567Z".parse().expect("a time");
        assert_eq!(postgres_time(at), "2026-11-21 22:00:00.123456+00");
    }
}
