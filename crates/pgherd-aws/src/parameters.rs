//! PostgreSQL settings as RDS takes them: bare numbers in base units, 1 and 0, and lists that lose nothing of ours.
//!
//! RDS takes whole numbers in the unit of `pg_settings` and no `256MB` (Amazon RDS User Guide, "Parameters"; the table of units is
//! the catalogue's). Which of them a restart brings is the catalogue's context `postmaster`, the same as RDS's apply type `static`.

use std::collections::BTreeMap;

use pgherd_core::catalogue::parameters::{self, Context, Normal};
use pgherd_core::spec::Spec;

/// Whether clients have to use TLS: 1 unless written. RDS's own default is 0 up to 14 and 1 from 15.
pub const FORCE_SSL: &str = "rds.force_ssl";

const PRELOAD: &str = "shared_preload_libraries";
/// What pgherd needs loaded.
const STATEMENTS: &str = "pg_stat_statements";
/// What has to be loaded for settings of its own to mean anything, by how those begin (Amazon RDS User Guide, the pages about the extensions;
/// each is among what RDS takes for `shared_preload_libraries`).
const OF_SETTINGS: [(&str, &str); 8] = [
    ("auto_explain.", "auto_explain"),
    ("cron.", "pg_cron"),
    ("pg_hint_plan.", "pg_hint_plan"),
    ("pg_prewarm.", "pg_prewarm"),
    ("pg_transport.", "pg_transport"),
    ("pgaudit.", "pgaudit"),
    ("pglogical.", "pglogical"),
    ("pgtle.", "pg_tle"),
];

/// Parameters that only a restart changes and that PostgreSQL itself does not know, so that the catalogue cannot tell.
///
/// `rds.*`: awsdocs/amazon-rds-user-guide 50e7617, Appendix.PostgreSQL.CommonDBATasks.Parameters.md and the page about logical
/// replication. `cron.*`: pg_cron's README. What RDS says of a parameter (`ApplyType`) is the truth at the moment of applying.
pub const STATIC: &[&str] = &[
    "cron.database_name",
    "cron.log_run",
    "cron.log_statement",
    "cron.max_running_jobs",
    "cron.timezone",
    "cron.use_background_workers",
    "rds.logical_replication",
    "rds.pg_stat_ramdisk_size",
    "rds.rds_superuser_reserved_connections",
    "rds.restrict_password_commands",
];

/// What the parameter group of a database holds, by name.
pub fn of(spec: &Spec) -> BTreeMap<String, String> {
    let major = major(spec);
    let mut settings: BTreeMap<String, String> = [(FORCE_SSL, "1"), ("log_min_duration_statement", "1000")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    for (name, written) in &spec.parameters {
        match name.as_str() {
            // On already, and nothing RDS lets anybody change.
            "ssl" => {}
            PRELOAD => {}
            _ => drop(settings.insert(name.clone(), value(name, major, written))),
        }
    }
    let libraries = united(spec.parameters.get(PRELOAD).map_or("", String::as_str), needed(spec.parameters.keys()));
    settings.extend(libraries.map(|list| (PRELOAD.to_owned(), list)));
    settings
}

/// What the group holds that nobody wrote so, a line each.
pub fn derived(spec: &Spec) -> Vec<String> {
    let is_written = |name: &str, value: &str| match spec.parameters.get(name) {
        Some(written) => name != PRELOAD || items(written).eq(items(value)),
        None => false,
    };
    let settings = of(spec).into_iter().filter(|(name, value)| !is_written(name, value));
    settings.map(|(name, value)| format!("{name} = {value}")).collect()
}

/// The major a database is made with, where the block or the catalogue names one.
pub fn major(spec: &Spec) -> Option<u32> {
    let of_family = || spec.parameter_group_family.as_deref()?.strip_prefix("postgres")?.parse().ok();
    spec.engine_version.map(|version| version.major).or(spec.newest_major).or_else(of_family)
}

/// Whether only a restart changes a parameter.
pub fn is_static(name: &str, major: Option<u32>) -> bool {
    let known = major.and_then(|major| parameters::find(name, major)).or_else(|| parameters::newest(name));
    known.is_some_and(|parameter| parameter.context == Context::Postmaster) || STATIC.contains(&name)
}

/// One setting as RDS takes it. What the catalogue cannot read, such as RDS's formulas, is handed on as it is written.
fn value(name: &str, major: Option<u32>, written: &str) -> String {
    let known = major.and_then(|major| parameters::find(name, major)).or_else(|| parameters::newest(name));
    match known.map(|parameter| parameters::parse(parameter, written)) {
        Some(Ok(Normal::Bool(on))) => switch(on),
        // Lists as they are written: they are compared as PostgreSQL reads them.
        Some(Ok(Normal::Text(_) | Normal::List(_))) => written.to_owned(),
        Some(Ok(normal)) => normal.to_string(),
        Some(Err(_)) => written.to_owned(),
        // Switches of RDS's own take 1 and 0 only.
        None if name.starts_with("rds.") => match written.to_ascii_lowercase().as_str() {
            "on" | "true" | "yes" => switch(true),
            "off" | "false" | "no" => switch(false),
            _ => written.to_owned(),
        },
        None => written.to_owned(),
    }
}

fn switch(on: bool) -> String {
    if on { "1" } else { "0" }.to_owned()
}

/// The libraries that what is written needs beside the list of them.
fn needed<'a>(names: impl Iterator<Item = &'a String>) -> impl Iterator<Item = &'static str> {
    let of = |name: &String| OF_SETTINGS.iter().find(|(begin, _)| name.starts_with(begin)).map(|(_, library)| *library);
    names.filter_map(of)
}

/// The libraries that were written, those pgherd needs, and those that other settings do, on the instance and whatever follows it. `None`
/// where nothing but pgherd's own is among them: RDS's own list has that, and more that a written one would take away.
fn united(written: &str, needed: impl Iterator<Item = &'static str>) -> Option<String> {
    let mut all = vec![STATEMENTS];
    for library in items(written).chain(needed.map(|library| -> &str { library })) {
        if !all.contains(&library) {
            all.push(library);
        }
    }
    (all.len() > 1).then(|| all.join(","))
}

fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|library| !library.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, written: &str, expected: &str) {
        assert_eq!(value(name, Some(16), written), expected, "{name} = {written}");
    }

    /// The table of what the requirements' examples write.
    #[test]
    fn units_become_numbers() {
        check("shared_buffers", "256MB", "32768");
        check("effective_cache_size", "1GB", "131072");
        check("maintenance_work_mem", "64MB", "65536");
        check("wal_buffers", "16MB", "2048");
        check("log_min_duration_statement", "1000", "1000");
        check("log_min_duration_statement", "1s", "1000");
        check("log_connections", "on", "1");
        check("log_disconnections", "yes", "1");
        check("log_statement", "ALL", "all");
        check("max_connections", "200", "200");
        check("checkpoint_completion_target", "0.9", "0.9");
        check("default_statistics_target", "100", "100");
        check("rds.force_ssl", "on", "1");
        check("rds.log_retention_period", "1440", "1440");
    }

    #[test]
    fn what_a_switch_became_a_list_of_in_18_is_left_as_it_is() {
        assert_eq!(value("log_connections", Some(18), "receipt,setup_durations"), "receipt,setup_durations");
    }

    #[test]
    fn a_formula_of_rds_is_left_as_it_is() {
        check(
            "max_connections",
            "LEAST({DBInstanceClassMemory/9531392},5000)",
            "LEAST({DBInstanceClassMemory/9531392},5000)",
        );
    }

    #[test]
    fn libraries_are_united() {
        let check = |written: &str, settings: &[&str], expected: Option<&str>| {
            let settings: Vec<String> = settings.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(united(written, needed(settings.iter())).as_deref(), expected, "{written} {settings:?}");
        };
        check("pg_stat_statements", &["pg_stat_statements.track", "work_mem"], None);
        check("", &[], None);
        check("pgaudit, pg_stat_statements", &["pgaudit.log"], Some("pg_stat_statements,pgaudit"));
        check("pgaudit,pg_cron", &[], Some("pg_stat_statements,pgaudit,pg_cron"));
        check(
            "",
            &["auto_explain.log_analyze", "cron.timezone", "cron.log_run"],
            Some("pg_stat_statements,auto_explain,pg_cron"),
        );
    }

    #[test]
    fn what_a_restart_brings() {
        assert!(STATIC.is_sorted());
        assert!(is_static("shared_buffers", Some(16)));
        assert!(!is_static("work_mem", None));
        assert!(is_static("autovacuum_max_workers", Some(17)));
        assert!(!is_static("autovacuum_max_workers", Some(18)));
        assert!(is_static("rds.logical_replication", Some(16)));
        assert!(!is_static("rds.force_ssl", Some(16)));
    }
}
