//! PostgreSQL settings as Azure's configurations: whole numbers in PostgreSQL's own base units, as text. Pure.

use std::collections::BTreeSet;

use pgherd_core::catalogue::parameters::{self, Normal};
use pgherd_core::spec::Spec;
use pgherd_core::value::{Props, Value};

/// Libraries that are loaded at the start: Azure loads its own, to which more are added.
pub const LIBRARIES: &str = "shared_preload_libraries";
/// Has the pooler, whose other settings are hidden until then.
pub const POOLER: &str = "pgbouncer.enabled";

/// The configurations a spec wants.
pub fn of(spec: &Spec) -> Props {
    let major = major(spec);
    // It is on for good, and cannot be set.
    let written = spec.parameters.iter().filter(|(name, _)| name.as_str() != "ssl");
    let mut all: Props =
        written.map(|(name, written)| (name.clone(), Value::Text(told(name, written, major)))).collect();
    let mut set = |name: &str, value: String| drop(all.insert(name.to_owned(), Value::Text(value)));
    set("require_secure_transport", "on".to_owned());
    if spec.monitoring.insights && !spec.size.burstable {
        set("pg_qs.query_capture_mode", "top".to_owned());
        set("pgms_wait_sampling.query_capture_mode", "all".to_owned());
        // Azure's own is a week.
        if spec.monitoring.insights_retention_days != 7 {
            let days = spec.monitoring.insights_retention_days.clamp(1, 30);
            set("pg_qs.retention_period_in_days", days.to_string());
        }
    }
    if spec.monitoring.enhanced {
        set("metrics.collector_database_activity", "on".to_owned());
        set("metrics.autovacuum_diagnostics", "on".to_owned());
        if spec.proxy.is_some() {
            set("metrics.pgbouncer_diagnostics", "on".to_owned());
        }
    }
    if spec.monitoring.logging {
        set("logfiles.download_enable", "on".to_owned());
    }
    if let Some(pool) = &spec.proxy {
        set(POOLER, "true".to_owned());
        set("pgbouncer.pool_mode", pool.pool_mode.clone());
        set("pgbouncer.default_pool_size", pool.default_pool_size.to_string());
        set("pgbouncer.max_client_conn", pool.max_client_conn.to_string());
    }
    all
}

fn major(spec: &Spec) -> Option<u32> {
    spec.engine_version.map(|version| version.major).or(spec.newest_major)
}

/// A value in one spelling. What is not known stays as it is: Azure has settings of its own.
pub fn told(name: &str, written: &str, major: Option<u32>) -> String {
    let known = major.and_then(|major| parameters::find(name, major)).or_else(|| parameters::newest(name));
    match known.and_then(|known| parameters::parse(known, written).ok()) {
        Some(Normal::Bool(on)) => if on { "on" } else { "off" }.to_owned(),
        Some(Normal::Int(int)) => int.to_string(),
        Some(Normal::Real(real)) => real.to_string(),
        Some(Normal::Enum(word)) => word,
        Some(Normal::Text(_) | Normal::List(_)) | None => written.to_owned(),
    }
}

/// Libraries of two lists, each once, the first list's first.
pub fn libraries(one: &str, other: &str) -> String {
    let mut seen = BTreeSet::new();
    let all = one.split(',').chain(other.split(',')).map(str::trim).filter(|name| !name.is_empty());
    all.filter(|name| seen.insert(name.to_owned())).collect::<Vec<_>>().join(",")
}

/// Whether every library of a list is in another.
pub fn loads(there: &str, wanted: &str) -> bool {
    let there: Vec<&str> = there.split(',').map(str::trim).collect();
    wanted.split(',').map(str::trim).filter(|name| !name.is_empty()).all(|name| there.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn azures_own_libraries_stay() {
        assert_eq!(
            libraries("pg_cron,pg_stat_statements", "pgaudit, pg_stat_statements"),
            "pg_cron,pg_stat_statements,pgaudit"
        );
        assert!(loads("pg_cron, pg_stat_statements", "pg_stat_statements"));
        assert!(!loads("pg_cron", "pgaudit"));
    }

    #[test]
    fn base_units() {
        assert_eq!(told("shared_buffers", "256MB", Some(16)), "32768");
        assert_eq!(told("maintenance_work_mem", "64MB", Some(16)), "65536");
        assert_eq!(told("jit", "false", Some(16)), "off");
        assert_eq!(told("azure.extensions", "HSTORE", Some(16)), "HSTORE");
    }
}
