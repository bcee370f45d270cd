//! The three configuration files of an instance. Pure: values in, text out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use ipnet::IpNet;

use crate::paths::Layout;
use crate::pooler;
use crate::sizing::Sizing;

/// The bootstrap superuser of every instance: pgherd's own, reached over the unix socket only.
pub const SUPERUSER: &str = "pgherd";

/// Settings that only pgherd sets; a user's value for one is left out of the file. Refuse it before it comes this far.
pub const OWNED: [&str; 35] = [
    "archive_cleanup_command",
    "archive_command",
    "archive_library",
    "archive_mode",
    "cluster_name",
    "config_file",
    "data_directory",
    "event_source",
    "external_pid_file",
    "fsync",
    "full_page_writes",
    "hba_file",
    "hot_standby",
    "ident_file",
    "listen_addresses",
    "log_destination",
    "log_directory",
    "log_file_mode",
    "log_filename",
    "logging_collector",
    "password_encryption",
    "port",
    "primary_conninfo",
    "primary_slot_name",
    "recovery_end_command",
    "restore_command",
    "ssl",
    "ssl_ca_file",
    "ssl_cert_file",
    "ssl_crl_file",
    "ssl_key_file",
    "synchronous_standby_names",
    "unix_socket_directories",
    "unix_socket_permissions",
    "wal_log_hints",
];

/// Last, so that it wins. Beside this file's folder rather than in it: the folder is exchanged whole with every change of
/// settings, and a role must not change with it. Relative, so that a configuration that waits reads the same one.
const ROLE: &str = "\n# role of this server\ninclude_if_exists = '../role.conf'\n";

/// Says of every segment that it has been taken care of: without a command they would all be kept.
const NO_ARCHIVE: &str = "true";

/// Everything the files of one instance depend on.
#[derive(Debug, Clone, PartialEq)]
pub struct InstanceConfig {
    /// Shown in process titles and logs.
    pub name: String,
    /// Its folders.
    pub layout: Layout,
    /// Port.
    pub port: u16,
    /// Addresses to listen on: `127.0.0.1` and `::1`, or `*`.
    pub listen: Vec<String>,
    /// Who may connect over TCP besides this machine.
    pub allowed: Vec<IpNet>,
    /// Operating system users that are [`SUPERUSER`] over the unix socket: the daemon's and the server's.
    pub os_users: Vec<String>,
    /// Memory settings.
    pub sizing: Sizing,
    /// The user's settings, in PostgreSQL units. They win over everything that is not in [`OWNED`].
    pub parameters: BTreeMap<String, String>,
    /// Copies finished WAL away; `None`: no archive.
    pub archive: Option<Archive>,
    /// Authority whose certificates the pooler's role logs in with; `None`: there is no pooler.
    ///
    /// A server that knows an authority asks every client for a certificate: libpq shows one that it finds in `~/.postgresql`, and
    /// the server then refuses it when it is another authority's. So this is for instances with a pooler only.
    pub pooler_authority: Option<PathBuf>,
}

/// How finished WAL leaves the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// Run by the server for each finished segment.
    pub command: String,
    /// After how many seconds a segment with anything in it is finished, full or not: that much is lost with the disk.
    pub timeout_s: u32,
    /// Whether the server keeps what changed since which place in the log, for backups that hold only changes: 17 and later.
    pub summarized: bool,
}

/// The text of the three files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// `postgresql.conf`.
    pub postgresql: String,
    /// `pg_hba.conf`.
    pub hba: String,
    /// `pg_ident.conf`.
    pub ident: String,
}

/// Writes the three files.
pub fn render(config: &InstanceConfig) -> Files {
    Files { postgresql: postgresql(config), hba: hba(config), ident: ident(config) }
}

/// All settings of `postgresql.conf`, sections in order.
pub fn settings(config: &InstanceConfig) -> Vec<(&'static str, Vec<(String, String)>)> {
    let mut user: BTreeMap<String, String> =
        config.parameters.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
    user.retain(|name, _| !OWNED.contains(&name.as_str()));
    let preload = preload(user.remove("shared_preload_libraries").as_deref());
    let mut sections: Vec<(&'static str, Vec<(String, String)>)> = Vec::new();
    let mut section = |title, settings: Vec<(&str, String)>| {
        let kept = settings.into_iter().filter(|(name, _)| !user.contains_key(*name));
        sections.push((title, kept.map(|(name, value)| (name.to_owned(), value)).collect()));
    };
    section("where things are", places(config));
    section("connections: TCP only with TLS", connections(config));
    section("memory, from the instance class", config.sizing.settings().into_iter().collect());
    section("write-ahead log: fit for standbys and for pg_rewind", wal(config));
    section("logs", logs(config));
    section("query analysis", vec![("shared_preload_libraries", preload), ("track_io_timing", "on".to_owned())]);
    section("language", language());
    sections.push(("parameters of the block", user.into_iter().collect()));
    sections
}

/// A value as `postgresql.conf` takes it: in single quotes, which also numbers and words may be (`GUC_STRING` in
/// `guc-file.l`).
pub fn quote(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('\'');
    for letter in value.chars() {
        match letter {
            '\'' => quoted.push_str("''"),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            // The server cannot hold it in any value.
            '\0' => {}
            other => quoted.push(other),
        }
    }
    quoted.push('\'');
    quoted
}

fn postgresql(config: &InstanceConfig) -> String {
    let mut text = String::from(
        "# Written by pgherd; your changes here are lost. Set parameters in the block, see what is in force with\n\
         # `pgherd params`.\n",
    );
    for (title, settings) in settings(config) {
        if settings.is_empty() {
            continue;
        }
        write!(text, "\n# {title}\n").expect("text can be written");
        for (name, value) in settings {
            writeln!(text, "{name} = {}", quote(&value)).expect("text can be written");
        }
    }
    text.push_str(ROLE);
    text
}

fn places(config: &InstanceConfig) -> Vec<(&'static str, String)> {
    let layout = &config.layout;
    let path = |path: &std::path::Path| path.display().to_string();
    vec![
        ("data_directory", path(&layout.data)),
        ("hba_file", path(&layout.hba_conf())),
        ("ident_file", path(&layout.ident_conf())),
        ("unix_socket_directories", path(&layout.socket)),
        ("cluster_name", config.name.clone()),
    ]
}

fn connections(config: &InstanceConfig) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("listen_addresses", config.listen.join(",")),
        ("port", config.port.to_string()),
        ("ssl", "on".to_owned()),
        ("ssl_cert_file", config.layout.certificate().display().to_string()),
        ("ssl_key_file", config.layout.certificate().display().to_string()),
        ("ssl_min_protocol_version", "TLSv1.2".to_owned()),
        ("password_encryption", "scram-sha-256".to_owned()),
    ];
    settings.extend(config.pooler_authority.iter().map(|file| ("ssl_ca_file", file.display().to_string())));
    settings
}

fn wal(config: &InstanceConfig) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("wal_level", "replica".to_owned()),
        // A standby and five replicas, each with two senders and a slot of its own while it is copied, base backups, and
        // some for the user.
        ("max_wal_senders", "20".to_owned()),
        ("max_replication_slots", "20".to_owned()),
        // What a standby or replica that is away may keep of the log. Without a limit a dead one fills the disk; with it, it
        // is copied anew.
        ("max_slot_wal_keep_size", "4GB".to_owned()),
        // pg_rewind needs the log back to the last checkpoint that both servers have.
        ("wal_keep_size", "256MB".to_owned()),
        ("hot_standby", "on".to_owned()),
        ("wal_log_hints", "on".to_owned()),
        ("full_page_writes", "on".to_owned()),
        ("wal_compression", "on".to_owned()),
        // A standby whose WAL receiver ended waits this long before the next try; the default of 5 s holds up every
        // synchronous commit after a restart of the primary.
        ("wal_retrieve_retry_interval", "100ms".to_owned()),
        // A start after a crash, or of a copy, puts every file on disk first. One by one that took 3.5 s for an empty database
        // beside other work, where one call for the whole file system takes a few hundredths.
        ("recovery_init_sync_method", "syncfs".to_owned()),
        // Without an archive, too: it could be turned on only by a restart.
        ("archive_mode", "on".to_owned()),
    ];
    settings.extend(match &config.archive {
        Some(archive) => {
            let summaries = archive.summarized.then(|| ("summarize_wal", "on".to_owned()));
            let timeout = format!("{}s", archive.timeout_s);
            let always = [("archive_command", archive.command.clone()), ("archive_timeout", timeout)];
            always.into_iter().chain(summaries).collect()
        }
        None => vec![("archive_command", NO_ARCHIVE.to_owned())],
    });
    settings
}

fn logs(config: &InstanceConfig) -> Vec<(&'static str, String)> {
    let text = |(name, value): (&'static str, &str)| (name, value.to_owned());
    let mut settings: Vec<_> = [
        ("log_destination", "stderr"),
        ("logging_collector", "on"),
        ("log_filename", "postgresql-%Y-%m-%d_%H%M%S.log"),
        ("log_file_mode", "0600"),
        ("log_rotation_age", "1d"),
        ("log_rotation_size", "100MB"),
        ("log_line_prefix", "%m [%p] %q%u@%d %h "),
        ("log_timezone", "UTC"),
        ("log_min_duration_statement", "1000ms"),
        ("log_lock_waits", "on"),
        ("log_checkpoints", "on"),
        ("log_temp_files", "10MB"),
        ("log_autovacuum_min_duration", "10s"),
    ]
    .map(text)
    .into();
    settings.insert(2, ("log_directory", config.layout.log.display().to_string()));
    settings
}

fn language() -> Vec<(&'static str, String)> {
    // initdb writes these into a file that is not read; the log's language is what our own readers of it rely on.
    [("lc_messages", "C"), ("timezone", "UTC"), ("default_text_search_config", "pg_catalog.english")]
        .map(|(name, value)| (name, value.to_owned()))
        .into()
}

/// The user's libraries and ours, each once.
fn preload(user: Option<&str>) -> String {
    let wanted = user.unwrap_or_default().split(',').map(|name| name.trim().trim_matches('"').to_owned());
    let mut seen = BTreeSet::new();
    let all = std::iter::once("pg_stat_statements".to_owned()).chain(wanted);
    all.filter(|name| !name.is_empty() && seen.insert(name.clone())).collect::<Vec<_>>().join(",")
}

fn hba(config: &InstanceConfig) -> String {
    let mut text = String::from(
        "# Written by pgherd; your changes here are lost. Set allowed_cidr_blocks in the block.\n\
         # There is no plain `host` line: over TCP nobody gets in without TLS.\n",
    );
    let mut line = |kind: &str, database: &str, user: &str, address: &str, method: &str| {
        let row = format!("{kind:<8} {database:<12} {user:<10} {address:<20} {method}");
        writeln!(text, "{}", row.trim_end()).expect("text can be written");
    };
    let superuser = quote_name(SUPERUSER);
    line("local", "all", &superuser, "", &format!("peer map={SUPERUSER}"));
    line("local", "replication", &superuser, "", &format!("peer map={SUPERUSER}"));
    line("local", "all", "all", "", "scram-sha-256");
    line("hostssl", "all", &superuser, "all", "reject");
    if config.pooler_authority.is_some() {
        line("hostssl", "all", pooler::ROLE, "127.0.0.1/32", "cert");
        line("hostssl", "all", pooler::ROLE, "all", "reject");
    }
    for address in ["127.0.0.0/8", "::1/128"] {
        line("hostssl", "all", "all", address, "scram-sha-256");
    }
    let mut allowed = config.allowed.iter().map(|net| net.trunc().to_string()).collect::<Vec<_>>();
    allowed.dedup();
    for address in &allowed {
        line("hostssl", "all", "all", address, "scram-sha-256");
    }
    text
}

/// The same for nobody but ourselves, and the standbys.
pub fn hba_of_nobody() -> String {
    let superuser = quote_name(SUPERUSER);
    format!(
        "# Written by pgherd: the last backup is being taken, so that nobody is to write any more.\n\
         local all         {superuser} peer map={SUPERUSER}\n\
         local replication {superuser} peer map={SUPERUSER}\n"
    )
}

fn ident(config: &InstanceConfig) -> String {
    let mut text =
        String::from("# Written by pgherd: these users of this machine are its superuser over the unix socket.\n");
    let users: BTreeSet<&str> = config.os_users.iter().map(String::as_str).collect();
    for user in users {
        writeln!(text, "{SUPERUSER} {} {}", quote_name(user), quote_name(SUPERUSER)).expect("text can be written");
    }
    text
}

/// A name in `pg_hba.conf` and `pg_ident.conf`; in quotes no word is a keyword.
fn quote_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\"").replace(['\n', '\r', '\0'], ""))
}

#[cfg(test)]
mod tests {
    use pgherd_core::spec::Size;
    use proptest::prelude::*;

    use super::*;
    use crate::sizing::{Machine, size};

    fn config() -> InstanceConfig {
        let class = Size { name: "db.t3.micro".to_owned(), vcpu: 2.0, memory_mib: 1024, burstable: true };
        InstanceConfig {
            name: "dev".to_owned(),
            layout: Layout::new("/s/instances/dev", "/run/pgherd/0/pg"),
            port: 5510,
            listen: vec!["127.0.0.1".to_owned(), "::1".to_owned()],
            allowed: vec!["10.0.3.7/16".parse().expect("a network")],
            os_users: vec!["root".to_owned(), "pgherd".to_owned()],
            sizing: size(&class, Machine { memory_mib: 24_000, promised_mib: 0 }),
            parameters: BTreeMap::new(),
            archive: None,
            pooler_authority: None,
        }
    }

    #[test]
    fn the_files_of_a_plain_instance() {
        let files = render(&config());
        insta::assert_snapshot!(format!("{}\n=====\n{}\n=====\n{}", files.postgresql, files.hba, files.ident));
    }

    #[track_caller]
    fn check(parameters: &[(&str, &str)], expected: &[&str]) {
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let with = postgresql(&InstanceConfig { parameters, ..config() });
        let without = postgresql(&config());
        let added: Vec<&str> = with.lines().filter(|line| !line.starts_with('#') && !without.contains(line)).collect();
        assert_eq!(added, expected);
    }

    #[test]
    fn a_written_parameter_replaces_ours() {
        check(
            &[("Max_Connections", "40"), ("log_min_duration_statement", "-1")],
            &["log_min_duration_statement = '-1'", "max_connections = '40'"],
        );
    }

    #[test]
    fn preloaded_libraries_are_added_to_ours() {
        check(
            &[("shared_preload_libraries", "auto_explain, pg_stat_statements")],
            &["shared_preload_libraries = 'pg_stat_statements,auto_explain'"],
        );
    }

    #[test]
    fn what_pgherd_owns_stays_as_it_is() {
        check(&[("ssl", "off"), ("port", "1"), ("fsync", "off")], &[]);
    }

    #[test]
    fn the_list_of_owned_settings_is_sorted_and_all_of_ours_that_matter_are_in_it() {
        assert!(OWNED.is_sorted());
        let ours = [places(&config()), connections(&config())].concat();
        let free: Vec<_> = ours.iter().map(|(name, _)| *name).filter(|name| !OWNED.contains(name)).collect();
        // A stricter minimum is the user's to choose.
        assert_eq!(free, ["ssl_min_protocol_version"]);
    }

    /// What `DeescapeQuotedString` in `guc-file.l` makes of a quoted value, and whether its lexer takes it at all.
    fn read_back(quoted: &str) -> Option<String> {
        let inner = quoted.strip_prefix('\'')?.strip_suffix('\'')?;
        let (mut text, mut letters) = (String::new(), inner.chars());
        while let Some(letter) = letters.next() {
            match letter {
                '\'' => text.push(letters.next().filter(|next| *next == '\'')?),
                '\\' => text.push(match letters.next()? {
                    'n' => '\n',
                    'r' => '\r',
                    other => other,
                }),
                '\n' => return None,
                other => text.push(other),
            }
        }
        Some(text)
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_back(value in "\\PC*|[a'\\\\\n\r\t#=\" ]{0,12}") {
            prop_assert_eq!(read_back(&quote(&value)), Some(value));
        }

        #[test]
        fn no_value_begins_a_new_line(value in "(?s).{0,40}") {
            prop_assert_eq!(quote(&value).lines().count(), 1);
        }
    }
}
