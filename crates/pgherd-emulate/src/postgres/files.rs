//! The files a server is started with. Pure: values in, text out.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use pgherd_local::postgres::conf::{SUPERUSER, quote};

use crate::rds::backed::Wants;

/// Libraries of PostgreSQL's own. RDS has more, and a server that is told to load one it does not have does not start.
const LIBRARIES: [&str; 6] =
    ["auto_explain", "basic_archive", "passwordcheck", "pg_prewarm", "pg_stat_statements", "sepgsql"];

/// Where the parts of a server are.
#[derive(Debug, Clone)]
pub struct Folders {
    /// Everything but the sockets.
    pub root: PathBuf,
    /// Its unix socket's.
    pub socket: PathBuf,
}

impl Folders {
    /// PostgreSQL's data directory.
    pub fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// What is written here.
    pub fn conf(&self) -> PathBuf {
        self.root.join("conf")
    }

    /// `postgresql.conf`.
    pub fn main(&self) -> PathBuf {
        self.conf().join("postgresql.conf")
    }

    /// Key and certificate.
    pub fn certificate(&self) -> PathBuf {
        self.conf().join("server.pem")
    }

    /// What it says.
    pub fn log(&self) -> PathBuf {
        self.root.join("log")
    }
}

/// The text of `postgresql.conf`. `primary` is the socket folder of the server it follows.
pub fn postgresql(wants: &Wants, folders: &Folders, address: &str, primary: Option<(&Path, u16)>) -> String {
    let path = |path: PathBuf| path.display().to_string();
    let mut settings: BTreeMap<String, String> = [
        ("listen_addresses", address.to_owned()),
        ("port", wants.port.to_string()),
        ("unix_socket_directories", path(folders.socket.clone())),
        ("hba_file", path(folders.conf().join("pg_hba.conf"))),
        ("ident_file", path(folders.conf().join("pg_ident.conf"))),
        ("cluster_name", wants.name.clone()),
        ("ssl", "on".to_owned()),
        ("ssl_cert_file", path(folders.certificate())),
        ("ssl_key_file", path(folders.certificate())),
        ("password_encryption", "scram-sha-256".to_owned()),
        ("wal_level", if wants.is("rds.logical_replication") { "logical" } else { "replica" }.to_owned()),
        ("max_wal_senders", "20".to_owned()),
        ("hot_standby", "on".to_owned()),
        // A replica without a slot finds what it needs for a while.
        ("wal_keep_size", "512MB".to_owned()),
        ("wal_retrieve_retry_interval", "200ms".to_owned()),
        ("shared_preload_libraries", "pg_stat_statements".to_owned()),
        // As on RDS.
        ("timezone", "UTC".to_owned()),
        ("log_timezone", "UTC".to_owned()),
        ("log_line_prefix", "%t:%r:%u@%d:[%p]:".to_owned()),
        // Nothing of an emulated cloud outlives the emulator, so nothing is lost with the machine.
        ("fsync", "off".to_owned()),
        ("full_page_writes", "off".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    if let Some((socket, port)) = primary {
        let from = format!("host={} port={port} user={SUPERUSER} application_name={}", socket.display(), wants.name);
        settings.insert("primary_conninfo".to_owned(), from);
    }
    settings.extend(wants.parameters.iter().filter_map(of_postgres));
    settings.into_iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name} = {}", quote(&value));
        text
    })
}

/// The text of `pg_hba.conf`: `rds.force_ssl` decides whether anybody comes in without TLS.
pub fn hba(wants: &Wants) -> String {
    let tcp = if wants.needs_tls() { "hostssl" } else { "host" };
    format!(
        "local all {SUPERUSER} peer map=pgherd\nlocal replication {SUPERUSER} peer map=pgherd\n{tcp} all all 0.0.0.0/0 scram-sha-256\n"
    )
}

/// The text of `pg_ident.conf`: which users of this machine are the superuser.
pub fn ident(users: &[&str]) -> String {
    users.iter().map(|user| format!("pgherd {} {SUPERUSER}\n", quote(user).replace('\'', "\""))).collect()
}

impl Wants {
    fn is(&self, name: &str) -> bool {
        self.parameters.get(name).is_some_and(|value| value == "1")
    }

    /// RDS forces TLS from 15 on, unless it is told otherwise.
    fn needs_tls(&self) -> bool {
        self.parameters.get("rds.force_ssl").map_or(self.major >= 15, |value| value == "1")
    }
}

/// A parameter as PostgreSQL takes it: without RDS's own, without formulas of the size of a machine nobody has, and without
/// libraries that are not PostgreSQL's.
fn of_postgres((name, value): (&String, &String)) -> Option<(String, String)> {
    let is_formula = value.contains('{') || value.contains('(');
    if name.starts_with("rds.") || is_formula && name != "log_line_prefix" && name != "search_path" {
        return None;
    }
    if name != "shared_preload_libraries" {
        return Some((name.clone(), value.clone()));
    }
    let kept: Vec<_> = value.split(',').map(str::trim).filter(|library| LIBRARIES.contains(library)).collect();
    Some((name.clone(), kept.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rds::instance::Password;

    fn wants(parameters: &[(&str, &str)]) -> Wants {
        Wants {
            name: "orders".to_owned(),
            major: 16,
            port: 5432,
            username: "orders".to_owned(),
            password: Password("correct-horse".to_owned()),
            database: None,
            parameters: parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            follows: None,
        }
    }

    fn folders() -> Folders {
        Folders { root: "/e/1/db".into(), socket: "/r/1".into() }
    }

    #[test]
    fn a_server_is_told_where_everything_is() {
        insta::assert_snapshot!(postgresql(&wants(&[]), &folders(), "127.54.0.1", None));
    }

    #[track_caller]
    fn check(parameters: &[(&str, &str)], expected: &[&str]) {
        let plain = postgresql(&wants(&[]), &folders(), "127.54.0.1", None);
        let set = postgresql(&wants(parameters), &folders(), "127.54.0.1", None);
        let new: Vec<_> = set.lines().filter(|line| !plain.lines().any(|one| one == *line)).collect();
        assert_eq!(new, expected);
    }

    #[test]
    fn parameters_of_the_group_are_set() {
        check(&[("work_mem", "8192"), ("log_connections", "1")], &["log_connections = '1'", "work_mem = '8192'"]);
    }

    #[test]
    fn what_only_rds_knows_is_left_out() {
        check(&[("rds.log_retention_period", "4320"), ("shared_buffers", "{DBInstanceClassMemory/32768}")], &[]);
        check(&[("rds.logical_replication", "1")], &["wal_level = 'logical'"]);
        check(&[("shared_preload_libraries", "pg_tle,auto_explain")], &["shared_preload_libraries = 'auto_explain'"]);
    }

    #[test]
    fn tls_is_forced_as_on_rds() {
        let forced =
            |major, parameters: &[(&str, &str)]| hba(&Wants { major, ..wants(parameters) }).contains("hostssl");
        assert!(forced(16, &[]) && !forced(14, &[]));
        assert!(!forced(16, &[("rds.force_ssl", "0")]) && forced(14, &[("rds.force_ssl", "1")]));
    }

    #[test]
    fn a_replica_follows_its_primary() {
        let text = postgresql(&wants(&[]), &folders(), "127.54.0.2", Some((Path::new("/r/0"), 5433)));
        let line = text.lines().find(|line| line.starts_with("primary_conninfo")).unwrap();
        assert_eq!(line, "primary_conninfo = 'host=/r/0 port=5433 user=pgherd application_name=orders'");
    }
}
