//! Parameters exist in the version asked for.

use super::block::{Block, Entry};
use super::{Check, Wrong};
use crate::catalogue::parameters::{self, owned};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;

pub(super) const CHECK: Check = Check {
    code: "parameter-unknown",
    words: "Every name in `parameters` is one of the version's. A mistyped name is an error that says the nearest; one of another version says of \
            which; a custom `prefix.name` of an extension is let through with a warning, one of the cloud's own without.",
    fine: &[
        r#"parameters = [{ name = "shared_buffers", value = "256MB" }, { name = "Work_Mem", value = "8MB" }]"#,
        r#"parameters = [{ name = "pg_stat_statements.track", value = "all" }]"#,
        r#"parameters = [{ name = "rds.force_ssl", value = "1" }]"#,
        "cloud_provider = \"local\"\nparameters = [{ name = \"io_method\", value = \"worker\" }]",
    ],
    wrong: &[
        Wrong {
            block: r#"parameters = [{ name = "shared_bufers", value = "256MB" }]"#,
            says: &[
                "error parameters[0].name: PostgreSQL 18 has no parameter shared_bufers [did you mean shared_buffers?]",
            ],
        },
        Wrong {
            block: r#"parameters = [{ name = "zzz", value = "1" }]"#,
            says: &["error parameters[0].name: PostgreSQL 18 has no parameter zzz [leave it out, or correct its name]"],
        },
        Wrong {
            block: "engine_version = \"16\"\nparameters = [{ name = \"io_method\", value = \"sync\" }]",
            says: &[
                "error parameters[0].name: io_method comes with PostgreSQL 18, and this is 16 [leave it out, or write a version from 18 on]",
            ],
        },
        Wrong {
            block: "engine_version = \"16\"\nparameters = [{ name = \"force_parallel_mode\", value = \"on\" }]",
            says: &[
                "error parameters[0].name: force_parallel_mode was last in PostgreSQL 15, and this is 16 [leave it out]",
            ],
        },
        Wrong {
            block: r#"parameters = [{ name = "pg_stat_statements.trak", value = "all" }]"#,
            says: &[
                "error parameters[0].name: PostgreSQL 18 has no parameter pg_stat_statements.trak [did you mean pg_stat_statements.track?]",
            ],
        },
        Wrong {
            block: r#"parameters = [{ name = "pgaudit.log", value = "ddl" }]"#,
            says: &[
                "warning parameters[0].name: pgaudit.log belongs to an extension that pgherd does not know, and is set as it is [check its spelling; it takes effect when the library of pgaudit is loaded]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"gcp\"\nparameters = [{ name = \"rds.force_ssl\", value = \"1\" }]",
            says: &[
                "warning parameters[0].name: rds.force_ssl is a setting of aws and does nothing on gcp [leave it out]",
            ],
        },
    ],
    rule,
};

fn rule(block: &Block) -> Vec<Diagnostic> {
    block.parameters().into_iter().filter_map(|entry| one(block, &entry)).collect()
}

fn one(block: &Block, entry: &Entry) -> Option<Diagnostic> {
    let (name, at) = (entry.name.as_str(), entry.at_name());
    if block.parameter(name).is_some() || owned::find(name).is_some() {
        return None;
    }
    if parameters::is_custom(name) {
        return custom(block, name, &at);
    }
    let major = block.major().unwrap_or(parameters::NEWEST_MAJOR);
    let (message, help) = match (parameters::lifetime(name), parameters::nearest(name, major)) {
        (Some((since, _)), _) if since > major => (
            format!("{name} comes with PostgreSQL {since}, and this is {major}"),
            format!("leave it out, or write a version from {since} on"),
        ),
        (Some((_, until)), _) => {
            let last = until.unwrap_or(parameters::NEWEST_MAJOR);
            (format!("{name} was last in PostgreSQL {last}, and this is {major}"), "leave it out".to_owned())
        }
        (None, Some(nearest)) => {
            (format!("PostgreSQL {major} has no parameter {name}"), format!("did you mean {nearest}?"))
        }
        (None, None) => {
            (format!("PostgreSQL {major} has no parameter {name}"), "leave it out, or correct its name".to_owned())
        }
    };
    Some(block.error(&at, message, help))
}

/// Prefixes under which a cloud has settings of its own.
const OF_CLOUDS: &[(Cloud, &[&str])] = &[
    (Cloud::Aws, &["rds", "apg_plan_mgmt"]),
    (Cloud::Gcp, &["cloudsql", "google_db_advisor", "google_columnar_engine"]),
    (
        Cloud::Azure,
        &[
            "azure",
            "pg_qs",
            "pgms_wait_sampling",
            "metrics",
            "pgbouncer",
            "intelligent_tuning",
            "logfiles",
            "index_tuning",
        ],
    ),
];

fn custom(block: &Block, name: &str, at: &str) -> Option<Diagnostic> {
    let prefix = name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    match OF_CLOUDS.iter().find(|(_, prefixes)| prefixes.contains(&prefix.as_str())) {
        Some((cloud, _)) if *cloud == block.target() => None,
        Some((cloud, _)) => {
            let message = format!("{name} is a setting of {cloud} and does nothing on {}", block.target());
            Some(block.warning(at, message, "leave it out"))
        }
        None => {
            let message = format!("{name} belongs to an extension that pgherd does not know, and is set as it is");
            let help = format!("check its spelling; it takes effect when the library of {prefix} is loaded");
            Some(block.warning(at, message, help))
        }
    }
}
