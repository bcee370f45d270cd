//! The target sets the parameter, and to this value.

use super::block::{Block, Entry, or, service};
use super::{Check, Wrong};
use crate::catalogue::parameters::{self, Context, Normal, Parameter, owned};
use crate::catalogue::settable::{self, AS_OF, Settable};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;

pub(super) const CHECK: Check = Check {
    code: "parameter-not-settable",
    words: "The target sets what is in `parameters`. DigitalOcean's API has a list of its own, with narrower ranges; what is not on it but \
            may be set in a session can be set for a database by SQL, which pgherd leaves to you. Cloud SQL loads libraries by flags of its own.",
    fine: &[
        "cloud_provider = \"digitalocean\"\nparameters = [{ name = \"WORK_MEM\", value = \"1GB\" }, { name = \"jit\", value = \"off\" }]",
        "cloud_provider = \"digitalocean\"\nparameters = [{ name = \"log_error_verbosity\", value = \"VERBOSE\" }]",
        "cloud_provider = \"digitalocean\"\nparameters = [{ name = \"shared_preload_libraries\", value = \"pg_stat_statements\" }]",
        "cloud_provider = \"digitalocean\"\nparameters = [{ name = \"ssl\", value = \"on\" }]",
        "cloud_provider = \"gcp\"\nparameters = [{ name = \"shared_preload_libraries\", value = \"pg_stat_statements\" }]",
        "cloud_provider = \"gcp\"\nparameters = [{ name = \"log_statement\", value = \"ddl\" }]",
        r#"parameters = [{ name = "log_statement", value = "ddl" }, { name = "shared_preload_libraries", value = "auto_explain" }]"#,
    ],
    wrong: &[
        Wrong {
            block: "cloud_provider = \"digitalocean\"\nparameters = [{ name = \"Log_Connections\", value = \"on\" }, { name = \"wal_buffers\", value = \"16MB\" }]",
            says: &[
                "warning parameters[0].name: DigitalOcean does not set Log_Connections (as of 2026-08) [leave it out; the server keeps the value DigitalOcean gave it]",
                "warning parameters[1].name: DigitalOcean does not set wal_buffers (as of 2026-08) [leave it out; the server keeps the value DigitalOcean gave it]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\nparameters = [{ name = \"maintenance_work_mem\", value = \"64MB\" }]",
            says: &[
                "warning parameters[0].name: DigitalOcean does not set maintenance_work_mem (as of 2026-08) [leave it out, and set it by SQL: ALTER DATABASE \"database\" SET maintenance_work_mem = '64MB']",
            ],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\nparameters = [{ name = \"work_mem\", value = \"512kB\" }, { name = \"max_connections\", value = 20 }]",
            says: &[
                "error parameters[0].value: DigitalOcean takes work_mem from 1024 kB to 1048576 kB (as of 2026-08), and this is 512 kB [write a value in that range, or leave it out]",
                "error parameters[1].value: DigitalOcean takes max_connections from 25 (as of 2026-08), and this is 20 [write a value in that range, or leave it out]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\nparameters = [{ name = \"autovacuum_vacuum_scale_factor\", value = \"1.5\" }]",
            says: &[
                "error parameters[0].value: DigitalOcean takes autovacuum_vacuum_scale_factor from 0 to 1 (as of 2026-08), and this is 1.5 [write a value in that range, or leave it out]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\nparameters = [{ name = \"log_line_prefix\", value = \"%m \" }]",
            says: &[
                "error parameters[0].value: DigitalOcean takes only some values for log_line_prefix (as of 2026-08), and \"%m \" is none of them [write \"pid=%p,user=%u,db=%d,app=%a,client=%h\", \"%m [%p] %q[user=%u,db=%d,app=%a]\" or \"%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h\", or leave it out]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\nparameters = [{ name = \"shared_preload_libraries\", value = \"pg_stat_statements, auto_explain\" }]",
            says: &[
                "warning parameters[0].name: DigitalOcean does not set shared_preload_libraries (as of 2026-08) [leave it out; the server keeps the value DigitalOcean gave it]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"gcp\"\nparameters = [{ name = \"shared_preload_libraries\", value = \"pgaudit\" }]",
            says: &[
                "warning parameters[0].name: Cloud SQL has no flag shared_preload_libraries (as of 2026-11): it loads libraries by flags of their own [leave it out, and write the flag of the library, such as cloudsql.enable_pgaudit]",
            ],
        },
    ],
    rule,
};

fn rule(block: &Block) -> Vec<Diagnostic> {
    let entries = block.parameters();
    // What does not exist, or is pgherd's to set, has been said.
    let known = entries.iter().filter_map(|entry| Some((entry, block.parameter(&entry.name)?)));
    let ours = known.filter(|(entry, _)| owned::find(&entry.name).is_none() && !is_there_anyway(entry));
    match block.target() {
        Cloud::DigitalOcean => ours.filter_map(|(entry, known)| on_digitalocean(block, entry, known)).collect(),
        Cloud::Gcp => ours.filter_map(|(entry, _)| on_gcp(block, entry)).collect(),
        // Whatever RDS and Azure refuse is read from them before an apply: their lists change by version.
        Cloud::Aws | Cloud::Azure | Cloud::Local => Vec::new(),
    }
}

/// Libraries that every target loads need not be asked for.
fn is_there_anyway(entry: &Entry) -> bool {
    let asked = || owned::preload_libraries(entry.value.as_deref().unwrap_or_default());
    entry.is("shared_preload_libraries") && asked() == owned::preload_libraries("")
}

fn on_gcp(block: &Block, entry: &Entry) -> Option<Diagnostic> {
    let as_of = crate::catalogue::versions::AS_OF;
    entry.is("shared_preload_libraries").then(|| {
        let message = format!(
            "{} has no flag shared_preload_libraries (as of {as_of}): it loads libraries by flags of their own",
            service(Cloud::Gcp)
        );
        let help = "leave it out, and write the flag of the library, such as cloudsql.enable_pgaudit";
        block.warning(&entry.at_name(), message, help)
    })
}

fn on_digitalocean(block: &Block, entry: &Entry, known: &Parameter) -> Option<Diagnostic> {
    let name = &entry.name;
    if let Some(settable) = settable::on_digitalocean(name) {
        return refused_value(block, entry, known, settable);
    }
    match known.context {
        // Its share of the memory is (see `parameter_memory`).
        Context::Postmaster if entry.is("shared_buffers") => None,
        Context::User => {
            let message = format!("DigitalOcean does not set {name} (as of {AS_OF})");
            let database = &block.spec.database_name;
            let value = entry.value.as_deref().unwrap_or("…");
            let help = format!("leave it out, and set it by SQL: ALTER DATABASE \"{database}\" SET {name} = '{value}'");
            Some(block.warning(&entry.at_name(), message, help))
        }
        Context::Postmaster | Context::Sighup | Context::Backend | Context::SuperuserBackend | Context::Superuser => {
            let message = format!("DigitalOcean does not set {name} (as of {AS_OF})");
            let help = "leave it out; the server keeps the value DigitalOcean gave it";
            Some(block.warning(&entry.at_name(), message, help))
        }
        // Nobody sets it, which has been said.
        Context::Internal => None,
    }
}

/// A value that PostgreSQL takes and DigitalOcean does not. What PostgreSQL does not take has been said.
fn refused_value(block: &Block, entry: &Entry, known: &Parameter, settable: &Settable) -> Option<Diagnostic> {
    let written = entry.value.as_deref()?;
    let value = parameters::parse(known, written).ok()?;
    let name = &known.name;
    let values = settable.values();
    let is_listed = || values.iter().any(|listed| parameters::same(name, None, listed, written));
    if !values.is_empty() && !is_listed() {
        let message = format!(
            "DigitalOcean takes only some values for {name} (as of {AS_OF}), and \"{written}\" is none of them"
        );
        let quoted: Vec<String> = values.iter().map(|value| format!("\"{value}\"")).collect();
        return Some(block.error(&entry.at_value(), message, format!("write {}, or leave it out", or(&quoted))));
    }
    let number = number(&value)?;
    let (min, max) = (settable.min.unwrap_or(f64::MIN), settable.max.unwrap_or(f64::MAX));
    if (min..=max).contains(&number) {
        return None;
    }
    let unit = known.unit.as_ref().map_or_else(String::new, |unit| format!(" {unit}"));
    let end = |word: &str, end: Option<f64>| end.map_or_else(String::new, |end| format!(" {word} {end}{unit}"));
    let range = format!("{}{}", end("from", settable.min), end("to", settable.max));
    let message = format!("DigitalOcean takes {name}{range} (as of {AS_OF}), and this is {number}{unit}");
    Some(block.error(&entry.at_value(), message, "write a value in that range, or leave it out"))
}

fn number(value: &Normal) -> Option<f64> {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "the ranges end far below 2^53")]
        Normal::Int(int) => Some(*int as f64),
        Normal::Real(real) => Some(*real),
        Normal::Bool(_) | Normal::Enum(_) | Normal::Text(_) | Normal::List(_) => None,
    }
}
