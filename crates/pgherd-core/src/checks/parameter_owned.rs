//! Parameters that pgherd decides are not set by hand.

use super::block::Block;
use super::{Check, Wrong};
use crate::catalogue::parameters::{Normal, owned, parse, same};
use crate::diagnostic::Diagnostic;

pub(super) const CHECK: Check = Check {
    code: "parameter-owned",
    words: "`parameters` sets nothing that pgherd or another variable decides: addresses and port, files, archiving, replication, recovery, TLS, \
            the log's place. `ssl = on` is true anyway and accepted; `shared_preload_libraries` is added to what pgherd needs.",
    fine: &[
        r#"parameters = [{ name = "ssl", value = "on" }]"#,
        r#"parameters = [{ name = "shared_preload_libraries", value = "pg_stat_statements" }]"#,
        r#"parameters = [{ name = "wal_level", value = "logical" }]"#,
        r#"parameters = [{ name = "password_encryption", value = "scram-sha-256" }]"#,
    ],
    wrong: &[
        Wrong {
            block: r#"parameters = [{ name = "listen_addresses", value = "*" }]"#,
            says: &[
                "error parameters[0].name: listen_addresses is for pgherd to set: it is about where the server listens [use publicly_accessible and allowed_cidr_blocks instead]",
            ],
        },
        Wrong {
            block: r#"parameters = [{ name = "SSL", value = "off" }]"#,
            says: &[
                "error parameters[0].name: ssl is for pgherd to set: it is about TLS [leave it out; TLS is always on and required, whatever ssl says]",
            ],
        },
        Wrong {
            block: r#"parameters = [{ name = "archive_command", value = "cp %p /tmp" }]"#,
            says: &[
                "error parameters[0].name: archive_command is for pgherd to set: it is about backups and point-in-time recovery [use backup_retention_period and enable_backup instead]",
            ],
        },
        Wrong {
            block: r#"parameters = [{ name = "wal_level", value = "minimal" }]"#,
            says: &[
                "error parameters[0].value: wal_level = \"minimal\" leaves nothing to archive or replicate [write \"replica\" or \"logical\", or leave it out]",
            ],
        },
        Wrong {
            block: r#"parameters = [{ name = "server_version", value = "9.1" }]"#,
            says: &["error parameters[0].name: server_version describes the server and cannot be set [leave it out]"],
        },
    ],
    rule,
};

/// Not for the configuration at all: they say how a transaction begins.
const OF_TRANSACTIONS: &[&str] = &["transaction_deferrable", "transaction_isolation", "transaction_read_only"];

fn rule(block: &Block) -> Vec<Diagnostic> {
    let entries = block.parameters().into_iter();
    let one = |entry: super::block::Entry| {
        let name = &entry.name;
        if let Some(owned) = owned::find(name) {
            let accepted = owned.accepted.zip(entry.value.as_deref());
            if accepted.is_some_and(|(accepted, value)| same(name, None, accepted, value)) {
                return None;
            }
            let message = format!("{} is for pgherd to set: it is about {}", owned.name, owned.by);
            return Some(block.error(&entry.at_name(), message, owned.instead));
        }
        if entry.is("wal_level") && is_minimal(block, entry.value.as_deref()?) {
            let message = "wal_level = \"minimal\" leaves nothing to archive or replicate";
            return Some(block.error(&entry.at_value(), message, "write \"replica\" or \"logical\", or leave it out"));
        }
        let describes =
            block.parameter(name).is_some_and(|known| known.context == crate::catalogue::parameters::Context::Internal);
        if describes || OF_TRANSACTIONS.iter().any(|of| entry.is(of)) {
            let what = if describes { "describes the server" } else { "belongs to a transaction" };
            return Some(block.error(&entry.at_name(), format!("{name} {what} and cannot be set"), "leave it out"));
        }
        None
    };
    entries.filter_map(one).collect()
}

fn is_minimal(block: &Block, value: &str) -> bool {
    block.parameter("wal_level").is_some_and(|known| parse(known, value) == Ok(Normal::Enum("minimal".to_owned())))
}
