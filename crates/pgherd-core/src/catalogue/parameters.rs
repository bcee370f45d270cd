//! Every server parameter of PostgreSQL 14 to 18: what it takes, and what changing it costs.
//!
//! The rows come from real servers (see the head of `parameters.csv`); `gather_parameters.py` beside it writes them anew.

mod number;
pub mod owned;
mod value;

use std::sync::LazyLock;

use serde::Deserialize;

pub use self::value::{Normal, WhyNot, in_base_unit, parse, same};
use crate::resource::Impact;

/// Oldest major the catalogue holds parameters of.
pub const OLDEST_MAJOR: u32 = 14;
/// Newest major the catalogue holds parameters of.
pub const NEWEST_MAJOR: u32 = 18;

static PARAMETERS: LazyLock<Vec<Parameter>> = LazyLock::new(|| super::rows(include_str!("parameters.csv")));

/// A server parameter, as it is from one major to another.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Parameter {
    /// Its name, in the server's own case.
    pub name: String,
    /// First major this row holds for (14: or earlier).
    pub since: u32,
    /// Last major this row holds for; `None`: it still does.
    pub until: Option<u32>,
    /// When a change takes effect.
    pub context: Context,
    /// What kind of value it takes.
    #[serde(rename = "type")]
    pub takes: Type,
    /// Unit of a bare number: `8kB`, `kB`, `MB`, `B`, `ms`, `s`, `min`.
    pub unit: Option<String>,
    /// Smallest value, in `unit`.
    pub min: Option<f64>,
    /// Largest value, in `unit`.
    pub max: Option<f64>,
    /// Values of an enum, as the server lists them, separated by `|`.
    pub values: String,
    /// The server's built-in default, in `unit`, where it does not depend on the build.
    pub boot: String,
    /// What it does, in the server's words.
    pub words: String,
}

/// When a change of a parameter takes effect (`pg_settings.context`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Context {
    /// Never: it describes the server.
    Internal,
    /// On restart.
    Postmaster,
    /// On reload.
    Sighup,
    /// On reload, for new sessions.
    Backend,
    /// On reload, for new sessions.
    SuperuserBackend,
    /// On reload; a superuser may set it in a session.
    Superuser,
    /// On reload; anybody may set it in a session.
    User,
}

/// What kind of value a parameter takes (`pg_settings.vartype`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Type {
    /// On or off.
    Bool,
    /// A whole number, perhaps with a unit.
    Integer,
    /// A number, perhaps with a unit.
    Real,
    /// One of a few words.
    Enum,
    /// Any text.
    String,
}

impl Parameter {
    /// Whether this row holds for a major.
    pub fn is_in(&self, major: u32) -> bool {
        self.since <= major && self.until.is_none_or(|until| major <= until)
    }
}

/// A parameter as it is in a major. Names are compared without case, as the server does.
pub fn find(name: &str, major: u32) -> Option<&'static Parameter> {
    rows(name).find(|row| row.is_in(major))
}

/// A parameter as it is in the newest major that has it.
pub fn newest(name: &str) -> Option<&'static Parameter> {
    rows(name).last()
}

/// The majors that have a parameter: the first, and the last if it is gone.
pub fn lifetime(name: &str) -> Option<(u32, Option<u32>)> {
    let (first, last) = (rows(name).next()?, rows(name).last()?);
    Some((first.since, last.until))
}

/// The parameter of a major with the name nearest to a mistyped one.
pub fn nearest(name: &str, major: u32) -> Option<&'static str> {
    super::nearest(name, all(major).map(|parameter| parameter.name.as_str()))
}

/// Every parameter of a major.
pub fn all(major: u32) -> impl Iterator<Item = &'static Parameter> {
    PARAMETERS.iter().filter(move |row| row.is_in(major))
}

/// Whether a name is one an extension or a cloud may define (`prefix.name`), of a prefix whose names the catalogue does not list.
pub fn is_custom(name: &str) -> bool {
    let Some((prefix, rest)) = name.split_once('.') else { return false };
    let is_word = |text: &str| {
        text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.'))
    };
    is_word(prefix) && is_word(rest) && !["auto_explain", "pg_stat_statements"].contains(&prefix)
}

/// What changing a parameter does to those who use the database. `restart` is what a restart means to the caller.
///
/// Without a major, as in the newest that has it. A custom `prefix.name` takes effect on reload, but for flags of Cloud SQL; of an unknown name nothing is known.
pub fn impact(name: &str, major: Option<u32>, restart: Impact) -> Impact {
    let known = major.and_then(|major| find(name, major)).or_else(|| newest(name));
    match known.map(|parameter| parameter.context) {
        Some(Context::Postmaster) => restart,
        Some(Context::Backend | Context::SuperuserBackend) => Impact::NewConnections,
        Some(Context::Sighup | Context::Superuser | Context::User) => Impact::None,
        // Cloud SQL's own load libraries and open doors, which a server does only when it starts.
        None if name.starts_with("cloudsql.") => restart,
        None if is_custom(name) => Impact::None,
        Some(Context::Internal) | None => Impact::Unknown,
    }
}

fn rows(name: &str) -> impl Iterator<Item = &'static Parameter> {
    PARAMETERS.iter().filter(move |row| row.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESTART: Impact = Impact::Restart { about_s: 20 };

    #[test]
    fn every_major_has_its_parameters() {
        // Counts of pg_settings on the servers the file was gathered from.
        let counts: Vec<usize> = (14..=18).map(|major| all(major).count()).collect();
        assert_eq!(counts, [363, 371, 381, 397, 417]);
    }

    #[test]
    fn rows_of_a_name_follow_each_other_without_gap_or_overlap() {
        for pair in PARAMETERS.windows(2).filter(|pair| pair[0].name == pair[1].name) {
            assert!(pair[0].until.is_some_and(|until| until < pair[1].since), "{}", pair[1].name);
        }
    }

    #[test]
    fn a_name_is_found_in_the_majors_that_have_it() {
        assert!(find("SHARED_BUFFERS", 14).is_some());
        assert!(find("io_method", 17).is_none());
        assert_eq!(lifetime("io_method"), Some((18, None)));
        assert_eq!(lifetime("force_parallel_mode"), Some((14, Some(15))));
        assert_eq!(lifetime("shared_bufers"), None);
        assert_eq!(find("log_connections", 17).map(|found| found.takes), Some(Type::Bool));
        assert_eq!(find("log_connections", 18).map(|found| found.takes), Some(Type::String));
    }

    #[test]
    fn a_typo_finds_its_name() {
        assert_eq!(nearest("shared_bufers", 16), Some("shared_buffers"));
        assert_eq!(nearest("max_conections", 16), Some("max_connections"));
        assert_eq!(nearest("zzzzz", 16), None);
    }

    #[test]
    fn custom_names_have_a_prefix_of_their_own() {
        assert!(is_custom("rds.force_ssl"));
        assert!(is_custom("pgaudit.log"));
        assert!(!is_custom("pg_stat_statements.trak"));
        assert!(!is_custom("1.x"));
        assert!(!is_custom("nodot"));
    }

    #[test]
    fn impact_follows_the_context() {
        let of = |name, major| impact(name, major, RESTART);
        assert_eq!(of("shared_buffers", None), RESTART);
        assert_eq!(of("work_mem", None), Impact::None);
        assert_eq!(of("log_connections", None), Impact::NewConnections);
        assert_eq!(of("autovacuum_max_workers", Some(17)), RESTART);
        assert_eq!(of("autovacuum_max_workers", Some(18)), Impact::None);
        assert_eq!(of("pgaudit.log", None), Impact::None);
        assert_eq!(of("cloudsql.iam_authentication", None), RESTART);
        assert_eq!(of("shared_bufers", None), Impact::Unknown);
    }
}
