//! Parameters that pgherd sets itself, who decides them, and what to write instead.

/// What may be written for a parameter that pgherd sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owned {
    /// Its name.
    pub name: &'static str,
    /// Who decides it.
    pub by: &'static str,
    /// What to write instead.
    pub instead: &'static str,
    /// The one value that may be written, being true anyway.
    pub accepted: Option<&'static str>,
}

/// What is needed of `shared_preload_libraries`; what the user writes is added to it, never a replacement.
pub const PRELOADED: &[&str] = &["pg_stat_statements"];

/// The entry for a parameter pgherd sets, if it does.
pub fn find(name: &str) -> Option<&'static Owned> {
    OWNED.iter().find(|owned| owned.name.eq_ignore_ascii_case(name))
}

/// `shared_preload_libraries` with what pgherd needs first and what the user wants after it, each once.
pub fn preload_libraries(written: &str) -> String {
    let mut libraries: Vec<&str> = PRELOADED.to_vec();
    for library in written.split(',').map(|library| library.trim().trim_matches('"')) {
        if !library.is_empty() && !libraries.contains(&library) {
            libraries.push(library);
        }
    }
    libraries.join(",")
}

const ARCHIVING: (&str, &str) =
    ("backups and point-in-time recovery", "use backup_retention_period and enable_backup instead");
const REPLICATION: (&str, &str) = ("replication and failover", "use multi_az and read_replica_count instead");
const RECOVERY: (&str, &str) = ("restores", "leave it out and restore with pgherd");
const FILES: (&str, &str) = ("where the server keeps its files", "leave it out");
const LOGS: (&str, &str) = ("where the server's log goes", "use enable_logging instead");
const TLS: (&str, &str) = ("the server's own certificate", "leave it out; TLS is always on and required");

/// Every parameter pgherd sets.
pub const OWNED: &[Owned] = &[
    owned("archive_cleanup_command", ARCHIVING),
    owned("archive_command", ARCHIVING),
    owned("archive_library", ARCHIVING),
    owned("archive_mode", ARCHIVING),
    owned("archive_timeout", ARCHIVING),
    owned("cluster_name", ("the instance's name", "use name instead")),
    owned("config_file", FILES),
    owned("data_directory", FILES),
    owned("external_pid_file", FILES),
    owned("hba_file", ("who may connect", "use allowed_cidr_blocks instead")),
    owned("hot_standby", REPLICATION),
    owned("ident_file", ("who may connect", "use allowed_cidr_blocks instead")),
    owned("listen_addresses", ("where the server listens", "use publicly_accessible and allowed_cidr_blocks instead")),
    owned("log_destination", LOGS),
    owned("log_directory", LOGS),
    owned("log_file_mode", LOGS),
    owned("log_filename", LOGS),
    owned("logging_collector", LOGS),
    Owned {
        name: "password_encryption",
        by: "how passwords are stored",
        instead: "leave it out; passwords are stored as scram-sha-256",
        accepted: Some("scram-sha-256"),
    },
    owned("port", ("the server's port", "use the variable port instead")),
    owned("primary_conninfo", REPLICATION),
    owned("primary_slot_name", REPLICATION),
    owned("promote_trigger_file", REPLICATION),
    owned("recovery_end_command", RECOVERY),
    owned("recovery_min_apply_delay", REPLICATION),
    owned("recovery_target", RECOVERY),
    owned("recovery_target_action", RECOVERY),
    owned("recovery_target_inclusive", RECOVERY),
    owned("recovery_target_lsn", RECOVERY),
    owned("recovery_target_name", RECOVERY),
    owned("recovery_target_time", RECOVERY),
    owned("recovery_target_timeline", RECOVERY),
    owned("recovery_target_xid", RECOVERY),
    owned("restart_after_crash", REPLICATION),
    owned("restore_command", RECOVERY),
    Owned {
        name: "ssl",
        by: "TLS",
        instead: "leave it out; TLS is always on and required, whatever ssl says",
        accepted: Some("on"),
    },
    owned("ssl_ca_file", TLS),
    owned("ssl_cert_file", TLS),
    owned("ssl_crl_dir", TLS),
    owned("ssl_crl_file", TLS),
    owned("ssl_dh_params_file", TLS),
    owned("ssl_key_file", TLS),
    owned("ssl_passphrase_command", TLS),
    owned("ssl_passphrase_command_supports_reload", TLS),
    owned("synchronous_standby_names", REPLICATION),
    owned("unix_socket_directories", FILES),
    owned("unix_socket_group", FILES),
    owned("unix_socket_permissions", FILES),
    owned("wal_log_hints", REPLICATION),
];

const fn owned(name: &'static str, (by, instead): (&'static str, &'static str)) -> Owned {
    Owned { name, by, instead, accepted: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_owned_parameter_exists() {
        for owned in OWNED {
            assert!(crate::catalogue::parameters::newest(owned.name).is_some(), "{}", owned.name);
        }
    }

    #[test]
    fn preload_libraries_are_a_union() {
        assert_eq!(preload_libraries("pg_stat_statements"), "pg_stat_statements");
        assert_eq!(
            preload_libraries(" auto_explain, pg_stat_statements ,\"pg_cron\""),
            "pg_stat_statements,auto_explain,pg_cron"
        );
        assert_eq!(preload_libraries(""), "pg_stat_statements");
    }
}
