//! The configuration of a pooler. Pure: values in, text out.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;

use super::program::Program;
use super::role::{AUTH_QUERY, ROLE};
use crate::postgres::conf::SUPERUSER;

/// Everything the pooler of one instance depends on, besides where it leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Addresses to listen on; `0.0.0.0` or `::` means all of them. A change needs a restart.
    pub listen: Vec<IpAddr>,
    /// Port, also part of the name of its console's socket. A change needs a restart.
    pub port: u16,
    /// Who may connect besides this machine.
    pub allowed: Vec<IpNet>,
    /// `session`, `transaction` or `statement`.
    pub pool_mode: String,
    /// Server connections for each database and user.
    pub default_pool_size: u32,
    /// Client connections.
    pub max_client_conn: u32,
    /// Its files.
    pub places: Places,
}

/// Where the files of a pooler are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Its configuration, in a folder of its own.
    pub folder: PathBuf,
    /// Folder of its console's socket.
    pub console: PathBuf,
    /// What it says.
    pub log: PathBuf,
    /// The instance's key and certificate, shown to clients.
    pub certificate: PathBuf,
    /// Key and certificate of [`ROLE`], shown to the server; see [`crate::tls::Authority::ensure_client`].
    pub client_certificate: PathBuf,
    /// The authority that the server's certificate is checked with.
    pub authority: PathBuf,
}

impl Places {
    /// `pgbouncer.ini`.
    pub fn ini(&self) -> PathBuf {
        self.folder.join("pgbouncer.ini")
    }

    /// Who may log in how.
    pub fn hba(&self) -> PathBuf {
        self.folder.join("hba.conf")
    }

    /// Users that are not looked up in the server.
    pub fn users(&self) -> PathBuf {
        self.folder.join("users.txt")
    }
}

/// The text of the three files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// `pgbouncer.ini`.
    pub ini: String,
    /// `auth_hba_file`.
    pub hba: String,
    /// `auth_file`.
    pub users: String,
}

/// Writes the three files, leading to the server, or the forwarder in front of it, at this port of 127.0.0.1.
pub fn render(config: &Config, program: &Program, to: u16) -> Files {
    // Without a password: it logs in with a certificate. As a client it is rejected by hba.conf.
    let users = format!("\"{ROLE}\" \"\"\n");
    Files { ini: ini(config, program, to), hba: hba(config), users }
}

/// How many files such a pooler has open at most: each client and the server connection it may cause, and its own.
pub(super) fn files_needed(config: &Config) -> u64 {
    2 * u64::from(config.max_client_conn) + 256
}

fn ini(config: &Config, program: &Program, to: u16) -> String {
    let mut text = format!(
        "; Written by pgherd; your changes here are lost. Set proxy_config in the block.\n\n\
         [databases]\n* = host=127.0.0.1 port={to}\n\n[pgbouncer]\n"
    );
    for (name, value) in settings(config, program) {
        writeln!(text, "{name} = {value}").expect("text can be written");
    }
    text
}

fn settings(config: &Config, program: &Program) -> Vec<(&'static str, String)> {
    let places = &config.places;
    let path = |path: PathBuf| path.display().to_string();
    let text = |text: &str| text.to_owned();
    let mut settings = vec![
        ("listen_addr", listen(config)),
        ("listen_port", config.port.to_string()),
        ("unix_socket_dir", path(places.console.clone())),
        ("unix_socket_mode", text("0700")),
        ("pool_mode", config.pool_mode.clone()),
        ("default_pool_size", config.default_pool_size.to_string()),
        ("max_client_conn", config.max_client_conn.to_string()),
        // Java's driver sets it, to what is the server's own default since PostgreSQL 12.
        ("ignore_startup_parameters", text("extra_float_digits")),
        // Clients: SCRAM with the server's own verifiers, over TLS.
        ("auth_type", text("hba")),
        ("auth_hba_file", path(places.hba())),
        ("auth_file", path(places.users())),
        ("auth_user", text(ROLE)),
        ("auth_query", text(AUTH_QUERY)),
        ("client_tls_sslmode", text("require")),
        ("client_tls_protocols", text("secure")),
        ("client_tls_key_file", path(places.certificate.clone())),
        ("client_tls_cert_file", path(places.certificate.clone())),
        // The server: it has to be ours, and is shown who we are.
        ("server_tls_sslmode", text("verify-full")),
        ("server_tls_protocols", text("secure")),
        ("server_tls_ca_file", path(places.authority.clone())),
        ("server_tls_key_file", path(places.client_certificate.clone())),
        ("server_tls_cert_file", path(places.client_certificate.clone())),
        // The default: no login is tried for 15 s after one that failed, as they do during a failover.
        ("server_login_retry", text("0.1")),
        // As long as the forwarder holds connections back while nobody serves. One given up would fail every client that comes
        // until another has succeeded, instead of having it wait.
        ("server_connect_timeout", text("30")),
        // After a change of primary no connection to the old one is kept, not even an idle client's in session mode.
        ("server_fast_close", text("1")),
        // As long as the forwarder holds clients back.
        ("query_wait_timeout", text("30")),
        ("log_connections", text("0")),
        ("log_disconnections", text("0")),
        ("log_stats", text("0")),
    ];
    if program.keeps_prepared_statements() {
        settings.push(("max_prepared_statements", text("200")));
    }
    settings
}

/// `listen_addr`.
pub(super) fn listen(config: &Config) -> String {
    if config.listen.iter().any(IpAddr::is_unspecified) {
        return "*".to_owned();
    }
    config.listen.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(",")
}

fn hba(config: &Config) -> String {
    let mut text =
        String::from("# Written by pgherd; your changes here are lost. Set allowed_cidr_blocks in the block.\n");
    let mut line = |user: &str, address: &str, method: &str| {
        writeln!(text, "hostssl all {user:<13} {address:<20} {method}").expect("text can be written");
    };
    for user in [ROLE, SUPERUSER] {
        for everywhere in ["0.0.0.0/0", "::/0"] {
            line(user, everywhere, "reject");
        }
    }
    for address in ["127.0.0.0/8", "::1/128"] {
        line("all", address, "scram-sha-256");
    }
    for network in &config.allowed {
        line("all", &network.trunc().to_string(), "scram-sha-256");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        let at = |path: &str| PathBuf::from(format!("/srv/db/{path}"));
        Config {
            listen: vec![IpAddr::from([127, 0, 0, 1])],
            port: 6432,
            allowed: vec!["10.0.0.5/24".parse().expect("a network")],
            pool_mode: "transaction".to_owned(),
            default_pool_size: 20,
            max_client_conn: 100,
            places: Places {
                folder: at("pooler"),
                console: PathBuf::from("/run/pgherd/01234567/ways"),
                log: at("log/pooler.log"),
                certificate: at("tls/server.pem"),
                client_certificate: at("tls/pooler.pem"),
                authority: PathBuf::from("/srv/ca/ca.crt"),
            },
        }
    }

    fn program(minor: u32) -> Program {
        Program { path: PathBuf::from("/usr/sbin/pgbouncer"), version: (1, minor, 0) }
    }

    #[test]
    fn the_files_are_these() {
        let Files { ini, hba, users } = render(&config(), &program(18), 5433);
        insta::assert_snapshot!(format!("{ini}\n--- hba.conf\n{hba}\n--- users.txt\n{users}"));
    }

    #[test]
    fn prepared_statements_are_kept_by_versions_that_can() {
        let with = |minor| render(&config(), &program(minor), 5433).ini.contains("max_prepared_statements = 200");
        assert_eq!((with(20), with(21)), (false, true));
    }

    #[test]
    fn all_addresses_are_a_star() {
        let listen = vec![IpAddr::from([0, 0, 0, 0]), "::".parse().expect("an address")];
        assert!(render(&Config { listen, ..config() }, &program(18), 5433).ini.contains("listen_addr = *\n"));
    }
}
