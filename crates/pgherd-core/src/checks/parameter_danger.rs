//! Settings that give up data or its upkeep are not made by accident.

use super::block::{Block, Entry};
use super::{Check, Wrong};
use crate::catalogue::parameters::same;
use crate::diagnostic::Diagnostic;

pub(super) const CHECK: Check = Check {
    code: "parameter-danger",
    words: "Settings under which a crash loses data or nobody cleans up are warned about: fsync, full_page_writes and autovacuum off, damaged pages \
            zeroed or ignored, and commits that do not wait for the standby one asked for.",
    fine: &[
        r#"parameters = [{ name = "fsync", value = "on" }, { name = "synchronous_commit", value = "off" }]"#,
        "multi_az = true\nparameters = [{ name = \"synchronous_commit\", value = \"remote_apply\" }]",
    ],
    wrong: &[
        Wrong {
            block: r#"parameters = [{ name = "fsync", value = "off" }]"#,
            says: &[
                "warning parameters[0].value: fsync = \"off\" loses the whole database in a crash of the machine [write \"on\", or leave it out]",
            ],
        },
        Wrong {
            block: r#"parameters = [{ name = "autovacuum", value = "false" }]"#,
            says: &[
                "warning parameters[0].value: autovacuum = \"false\" lets tables bloat until transaction ids run out and the server stops [write \"on\", or leave it out]",
            ],
        },
        Wrong {
            block: "multi_az = true\nparameters = [{ name = \"synchronous_commit\", value = \"local\" }]",
            says: &[
                "warning parameters[0].value: synchronous_commit = \"local\" does not wait for the standby, and a failover loses what was committed last [write \"on\", or leave it out; sessions that can afford it may set it themselves]",
            ],
        },
    ],
    rule,
};

/// Name, the dangerous value, what it leads to.
const DANGERS: &[(&str, &str, &str)] = &[
    ("allow_system_table_mods", "on", "lets a mistake damage the system catalogs"),
    ("autovacuum", "off", "lets tables bloat until transaction ids run out and the server stops"),
    ("fsync", "off", "loses the whole database in a crash of the machine"),
    ("full_page_writes", "off", "leaves torn pages after a crash of the machine"),
    ("ignore_checksum_failure", "on", "hands out damaged data"),
    ("ignore_invalid_pages", "on", "loses data in recovery without a word"),
    ("track_counts", "off", "stops autovacuum"),
    ("zero_damaged_pages", "on", "deletes damaged data without a word"),
];

fn rule(block: &Block) -> Vec<Diagnostic> {
    block.parameters().into_iter().filter_map(|entry| one(block, &entry)).collect()
}

fn one(block: &Block, entry: &Entry) -> Option<Diagnostic> {
    let value = entry.value.as_deref()?;
    let danger = DANGERS.iter().find(|(name, dangerous, _)| entry.is(name) && same(name, None, dangerous, value));
    if let Some((name, dangerous, leads_to)) = danger {
        let other = if *dangerous == "on" { "off" } else { "on" };
        let message = format!("{name} = \"{value}\" {leads_to}");
        return Some(block.warning(&entry.at_value(), message, format!("write \"{other}\", or leave it out")));
    }
    let skips_standby = block.spec.multi_az
        && entry.is("synchronous_commit")
        && ["off", "local"].iter().any(|skipping| same("synchronous_commit", None, skipping, value));
    skips_standby.then(|| {
        let message = format!("synchronous_commit = \"{value}\" does not wait for the standby, and a failover loses what was committed last");
        block.warning(&entry.at_value(), message, "write \"on\", or leave it out; sessions that can afford it may set it themselves")
    })
}
