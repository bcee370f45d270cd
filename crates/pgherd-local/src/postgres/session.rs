//! Talking to a running server as its superuser, over the unix socket.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use pgherd_core::secret::Secret;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use tokio::task::JoinHandle;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row};

use super::Result;
use super::conf::SUPERUSER;
use super::template::{CLOSE_PUBLIC, SPARE_DATABASE};

/// The longest that any of our own statements may take; making a database from its template is the slowest of them.
const STATEMENT_DEADLINE: Duration = Duration::from_secs(60);

/// No statement of ours reaches a log or pg_stat_statements, so that not even a password's verifier does. They are set before
/// the first statement: one sent together with SET is logged before it takes effect.
const UNSEEN: &str = "-c log_statement=none -c log_min_duration_statement=-1 -c log_min_duration_sample=-1 \
                      -c log_transaction_sample_rate=0 -c log_min_error_statement=panic -c pg_stat_statements.track=none \
                      -c client_min_messages=warning";

/// All settings. Of those that this session has otherwise ([`UNSEEN`]) the server tells no more than that: what others have stands in
/// the files, or nowhere.
const SETTINGS: &str = "SELECT s.name, \
     CASE WHEN s.source = 'client' THEN coalesce(f.setting, s.boot_val) ELSE s.reset_val END, \
     CASE WHEN s.source = 'client' AND f.name IS NOT NULL THEN NULL ELSE s.unit END, s.context, \
     CASE WHEN s.source <> 'client' THEN s.source WHEN f.name IS NULL THEN 'default' ELSE 'configuration file' END, \
     coalesce(f.sourcefile, s.sourcefile), s.pending_restart \
     FROM pg_settings s LEFT JOIN (SELECT DISTINCT ON (1) lower(name) AS name, setting, sourcefile FROM pg_file_settings \
     WHERE applied ORDER BY 1, seqno DESC) f ON s.source = 'client' AND f.name = lower(s.name)";

/// A session of [`SUPERUSER`].
#[derive(Debug)]
pub struct Session {
    client: Client,
    connection: JoinHandle<()>,
    version: String,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// What is done by one session at a time.
#[derive(Debug, Clone, Copy)]
enum Turn {
    /// The roles and databases of a cluster.
    Cluster = 1,
    /// What is in one database.
    Database = 2,
}

/// One setting as the server has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Value in force for new sessions, with its unit (`256MB`).
    pub value: String,
    /// `postmaster` needs a restart, `sighup` a reload, …
    pub context: String,
    /// `default`, `configuration file`, `command line`, …
    pub source: String,
    /// File it comes from, where it comes from one: `postgresql.auto.conf` is an ALTER SYSTEM behind our back.
    pub source_file: Option<String>,
    /// Whether a changed value waits for a restart.
    pub pending_restart: bool,
}

/// How much a server holds and who uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Size of all databases, bytes.
    pub databases_bytes: i64,
    /// Client sessions, this one not counted.
    pub connections: i64,
    /// Those of them that run a statement.
    pub active: i64,
    /// Seconds since it started.
    pub uptime_s: i64,
    /// Whether it is a standby.
    pub in_recovery: bool,
}

impl Session {
    /// Connects to `database` through the socket directory.
    pub async fn connect(socket: &Path, port: u16, database: &str, deadline: Duration) -> Result<Self> {
        let mut config = tokio_postgres::Config::new();
        config.host_path(socket).port(port).user(SUPERUSER).dbname(database).application_name("pgherd");
        config.options(UNSEEN);
        let connect = tokio::time::timeout(deadline, config.connect(NoTls)).await;
        let late = || ProviderError::new(ErrorKind::TimedOut, format!("no answer after {} s", deadline.as_secs()));
        let (client, connection) = connect.map_err(|_| late())?.map_err(|error| refused("connect", &error))?;
        // It says so to everybody who connects; Debian adds a word of its own.
        let version = connection.parameter("server_version").unwrap_or_default();
        let version = version.split(' ').next().unwrap_or_default().to_owned();
        let connection = tokio::spawn(async move {
            // A broken connection shows in the next statement.
            drop(connection.await);
        });
        Ok(Self { client, connection, version })
    }

    /// Version of the server, `15.4`.
    pub fn version(&self) -> &str {
        &self.version
    }

    fn major(&self) -> u32 {
        let digits: String = self.version.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or_default()
    }

    /// The plain client, for questions not foreseen here.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Waits until no other session of pgherd's has the turn to make roles and databases, and keeps it until this session ends.
    /// Whoever was cut short may still have a statement at work: what is looked at before that ended is made a second time.
    pub async fn take_turn(&self) -> Result<()> {
        self.take(Turn::Cluster).await
    }

    /// An advisory lock is a database's own; nobody else has a reason to take those of the class "pghd".
    async fn take(&self, turn: Turn) -> Result<()> {
        // What ends the user's own statements does not end ours.
        let patient = "SET lock_timeout = 0; SET statement_timeout = 0";
        self.run(&format!("{patient}; SELECT pg_advisory_lock(x'70676864'::int, {})", turn as i32)).await
    }

    /// Makes the master role, or gives it the wanted password, without touching its open connections. Says whether anything
    /// changed.
    ///
    /// Like RDS's master it is no superuser: it may make databases and roles, watch and cancel what others do, force a
    /// checkpoint (15 on), subscribe (16 on) and maintain all tables (17 on), and hand those rights on.
    pub async fn ensure_master(&self, role: &str, password: &Secret) -> Result<bool> {
        self.run_together(self.master(role, password).await?).await
    }

    /// Makes the database, owned by `owner`. Says whether anything changed. [`Session::prepare_database`] does the rest, in a
    /// session in that database.
    pub async fn ensure_database(&self, database: &str, owner: &str) -> Result<bool> {
        let spare = self.has_spare_database().await?;
        match self.database(database, owner).await? {
            // Cannot be part of a transaction.
            Database::Absent if !spare => {
                self.run(&format!("CREATE DATABASE {} OWNER {}", quote(database), quote(owner))).await?;
                Ok(true)
            }
            Database::Absent => self.run_together(rename_spare(database, owner)).await,
            Database::There(changes) => {
                if spare && database != SPARE_DATABASE {
                    self.run(&format!("DROP DATABASE {}", quote(SPARE_DATABASE))).await?;
                }
                self.run_together(changes).await
            }
        }
    }

    /// Both of the above, in a new cluster with one commit. Says whether the database is still to be prepared.
    pub async fn ensure_master_and_database(&self, role: &str, password: &Secret, database: &str) -> Result<bool> {
        let (spare, found, mut statements) =
            tokio::try_join!(self.has_spare_database(), self.database(database, role), self.master(role, password))?;
        let new = spare && found == Database::Absent;
        if new {
            statements.extend(rename_spare(database, role));
            self.run_together(statements).await?;
        } else {
            self.ensure_master(role, password).await?;
            self.ensure_database(database, role).await?;
        }
        Ok(!new)
    }

    /// Puts pg_stat_statements into this session's database, and gives its schema `public` to the owner of the database,
    /// closed to others, as 15 and later have it from the start.
    pub async fn prepare_database(&self) -> Result<()> {
        // Whoever makes the cluster's roles may hold the other turn in this very database.
        self.take(Turn::Database).await?;
        if self.major() < 15 {
            self.run(CLOSE_PUBLIC).await?;
        }
        self.run("CREATE EXTENSION IF NOT EXISTS pg_stat_statements").await
    }

    /// All settings by name, as other sessions have them.
    pub async fn settings(&self) -> Result<BTreeMap<String, Setting>> {
        let rows = self.rows(SETTINGS, &[]).await?;
        Ok(rows.iter().map(|row| (row.get(0), setting(row))).collect())
    }

    /// What the server finds wrong in its configuration files as they are now, loaded or not.
    pub async fn file_errors(&self) -> Result<Vec<String>> {
        let rows = self
            .rows(
                "SELECT coalesce(name, sourcefile), error FROM pg_file_settings WHERE error IS NOT NULL \
                 AND error <> 'setting could not be applied'",
                &[],
            )
            .await?;
        Ok(rows.iter().map(|row| format!("{}: {}", row.get::<_, String>(0), row.get::<_, String>(1))).collect())
    }

    /// How much it holds and who uses it.
    pub async fn usage(&self) -> Result<Usage> {
        let row = self
            .one(
                "SELECT (SELECT sum(pg_database_size(oid))::bigint FROM pg_database), count(*), \
                 count(*) FILTER (WHERE state = 'active'), \
                 extract(epoch FROM now() - pg_postmaster_start_time())::bigint, pg_is_in_recovery() \
                 FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
                &[],
            )
            .await?;
        Ok(Usage {
            databases_bytes: row.get(0),
            connections: row.get(1),
            active: row.get(2),
            uptime_s: row.get(3),
            in_recovery: row.get(4),
        })
    }

    /// Runs statements that give no rows.
    pub async fn run(&self, sql: &str) -> Result<()> {
        self.within(self.client.batch_execute(sql)).await
    }

    /// The rows of one statement.
    pub async fn rows(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        self.within(self.client.query(sql, values)).await
    }

    /// The one row of a statement.
    pub async fn one(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        self.within(self.client.query_one(sql, values)).await
    }

    /// What is left to do for a master role.
    async fn master(&self, role: &str, password: &Secret) -> Result<Vec<String>> {
        if role == SUPERUSER || role.starts_with("pg_") {
            let message = format!("the name {role} is PostgreSQL's or pgherd's own");
            return Err(ProviderError::new(ErrorKind::Invalid, message).help("choose another master_username"));
        }
        let of_role: &[&(dyn ToSql + Sync)] = &[&role];
        let of_both: &[&(dyn ToSql + Sync)] = &[&role, &MASTER_ROLES.as_slice()];
        let (stored, missing) = tokio::try_join!(
            self.rows("SELECT rolpassword FROM pg_authid WHERE rolname = $1", of_role),
            self.rows(MISSING_ROLES, of_both)
        )?;
        let verb = if stored.is_empty() { "CREATE" } else { "ALTER" };
        let stored = stored.first().and_then(|row| row.get::<_, Option<String>>(0)).map(Secret::Verifier);
        let mut statements = Vec::new();
        if stored.as_ref() != Some(password) {
            let rights = "LOGIN CREATEDB CREATEROLE NOSUPERUSER NOREPLICATION NOBYPASSRLS";
            let verifier = verifier(password)?;
            statements.push(format!("{verb} ROLE {} {rights} PASSWORD '{verifier}'", quote(role)));
        }
        let granted = missing.iter().map(|row| quote(row.get(0))).collect::<Vec<_>>().join(", ");
        if !granted.is_empty() {
            statements.push(format!("GRANT {granted} TO {} WITH ADMIN OPTION", quote(role)));
        }
        Ok(statements)
    }

    async fn database(&self, database: &str, owner: &str) -> Result<Database> {
        let found =
            self.rows("SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = $1", &[&database]).await?;
        Ok(match found.first().map(|row| row.get::<_, String>(0)) {
            None => Database::Absent,
            Some(current) if current == owner => Database::There(Vec::new()),
            Some(_) => Database::There(vec![give_to(database, owner)]),
        })
    }

    async fn has_spare_database(&self) -> Result<bool> {
        let spare = "SELECT FROM pg_database WHERE datname = $1 AND pg_get_userbyid(datdba) = $2";
        Ok(!self.rows(spare, &[&SPARE_DATABASE, &SUPERUSER]).await?.is_empty())
    }

    /// Runs statements in one transaction and says whether there were any.
    async fn run_together(&self, statements: Vec<String>) -> Result<bool> {
        if statements.is_empty() {
            return Ok(false);
        }
        // Statements sent together are one transaction (protocol-flow, "Simple Query").
        let result = self.run(&statements.join("; ")).await;
        // Neither the server's words nor ours may quote a verifier.
        result.map_err(|error| ProviderError { message: without_verifiers(&error.message, &statements), ..error })?;
        Ok(true)
    }

    async fn within<T>(&self, work: impl Future<Output = std::result::Result<T, tokio_postgres::Error>>) -> Result<T> {
        let done = tokio::time::timeout(STATEMENT_DEADLINE, work).await;
        let late =
            || ProviderError::new(ErrorKind::TimedOut, format!("no answer after {} s", STATEMENT_DEADLINE.as_secs()));
        done.map_err(|_| late())?.map_err(|error| refused("run a statement", &error))
    }
}

/// Built-in roles the master role is a member of, where the version has them.
const MASTER_ROLES: [&str; 5] =
    ["pg_monitor", "pg_signal_backend", "pg_checkpoint", "pg_create_subscription", "pg_maintain"];

/// Which of those it is not yet a member of, with the right to hand that on.
const MISSING_ROLES: &str = "SELECT r.rolname::text FROM pg_roles r WHERE r.rolname = ANY($2) AND NOT EXISTS (SELECT FROM \
     pg_auth_members m JOIN pg_roles u ON u.oid = m.member WHERE m.roleid = r.oid AND u.rolname = $1 \
     AND m.admin_option)";

/// What was found of a database.
#[derive(PartialEq)]
enum Database {
    Absent,
    /// It is there, and this is left to do.
    There(Vec<String>),
}

/// A transaction of both is a database that is either spare or as wanted, whatever is cut short.
fn rename_spare(database: &str, owner: &str) -> Vec<String> {
    let rename = (database != SPARE_DATABASE)
        .then(|| format!("ALTER DATABASE {} RENAME TO {}", quote(SPARE_DATABASE), quote(database)));
    rename.into_iter().chain([give_to(database, owner)]).collect()
}

fn give_to(database: &str, owner: &str) -> String {
    format!("ALTER DATABASE {} OWNER TO {}", quote(database), quote(owner))
}

fn without_verifiers(message: &str, statements: &[String]) -> String {
    let verifiers = statements.iter().filter_map(|statement| statement.split(" PASSWORD '").nth(1)?.split('\'').next());
    verifiers.fold(message.to_owned(), |message, verifier| message.replace(verifier, "(secret)"))
}

/// A name as SQL takes it.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn verifier(password: &Secret) -> Result<String> {
    let text = match password {
        Secret::Verifier(verifier) => return Ok(verifier.clone()),
        Secret::Text(text) => text,
    };
    let mut salt = [0; 16];
    getrandom::fill(&mut salt)
        .map_err(|error| ProviderError::new(ErrorKind::Unavailable, format!("no random numbers: {error}")))?;
    Ok(Secret::scram_verifier(text, &salt))
}

fn setting(row: &Row) -> Setting {
    let value: Option<String> = row.get(1);
    let unit: Option<String> = row.get(2);
    Setting {
        value: with_unit(&value.unwrap_or_default(), unit.as_deref()),
        context: row.get(3),
        source: row.get(4),
        source_file: row.get(5),
        pending_restart: row.get(6),
    }
}

/// `32768` in `8kB` is `256MB`: the largest unit that says it whole, as SHOW does.
fn with_unit(value: &str, unit: Option<&str>) -> String {
    let Some(unit) = unit else { return value.to_owned() };
    let digits = unit.chars().take_while(char::is_ascii_digit).count();
    let factor: i64 = unit[..digits].parse().unwrap_or(1);
    let Some(number) = value.parse::<i64>().ok().and_then(|number| number.checked_mul(factor)).filter(|n| *n > 0)
    else {
        // 0 and -1 mean something special and have no unit.
        return value.to_owned();
    };
    let ladder: &[(&str, i64)] = match &unit[digits..] {
        "B" => &[("B", 1024), ("kB", 1024), ("MB", 1024), ("GB", 1024), ("TB", 0)],
        "kB" => &[("kB", 1024), ("MB", 1024), ("GB", 1024), ("TB", 0)],
        "MB" => &[("MB", 1024), ("GB", 1024), ("TB", 0)],
        "ms" => &[("ms", 1000), ("s", 60), ("min", 60), ("h", 24), ("d", 0)],
        "s" => &[("s", 60), ("min", 60), ("h", 24), ("d", 0)],
        "min" => &[("min", 60), ("h", 24), ("d", 0)],
        other => return format!("{number}{other}"),
    };
    let mut number = number;
    for (name, next) in ladder {
        if *next == 0 || number % next != 0 {
            return format!("{number}{name}");
        }
        number /= next;
    }
    unreachable!("every ladder ends with a step of 0")
}

/// What a server, or the way to it, refused.
pub(crate) fn refused(doing: &str, error: &tokio_postgres::Error) -> ProviderError {
    let Some(said) = error.as_db_error() else {
        return ProviderError::new(ErrorKind::Unavailable, format!("cannot {doing}: {error}"));
    };
    let code = said.code().code();
    let kind = match &code[..2] {
        "28" | "42" if code == "42501" || code.starts_with("28") => ErrorKind::Denied,
        "57" | "53" | "08" => ErrorKind::Unavailable,
        _ => ErrorKind::Invalid,
    };
    let detail = said.detail().map(|detail| format!("; {detail}")).unwrap_or_default();
    let error = ProviderError::new(kind, format!("{}{detail}", said.message()));
    error.help(said.hint().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, unit: Option<&str>, expected: &str) {
        assert_eq!(with_unit(value, unit), expected);
    }

    #[test]
    fn a_value_is_shown_in_the_largest_whole_unit() {
        check("32768", Some("8kB"), "256MB");
        check("16", Some("8kB"), "128kB");
        check("1000", Some("ms"), "1s");
        check("1001", Some("ms"), "1001ms");
        check("300", Some("s"), "5min");
    }

    #[test]
    fn special_values_have_no_unit() {
        check("-1", Some("ms"), "-1");
        check("0", Some("8kB"), "0");
        check("on", None, "on");
    }
}
