//! Values of parameters, read exactly as the server reads them, and compared as it would.

use std::fmt;
use std::sync::LazyLock;

use serde::Deserialize;

use super::number::{self, Trouble};
use super::{Parameter, Type};
use crate::catalogue::or;

static HIDDEN: LazyLock<Vec<Hidden>> = LazyLock::new(|| crate::catalogue::rows(include_str!("../hidden_values.csv")));

/// Parameters of type string that hold a list; elements are compared one by one, whatever the spaces.
const LISTS: &[&str] = &[
    "createrole_self_grant",
    "datestyle",
    "debug_io_direct",
    "listen_addresses",
    "local_preload_libraries",
    "log_connections",
    "log_destination",
    "oauth_validator_libraries",
    "restrict_nonsystem_relation_kind",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "synchronized_standby_slots",
    "temp_tablespaces",
    "unix_socket_directories",
    "wal_consistency_checking",
];

/// Lists whose words the server knows (`check_log_destination` and, since 18, `check_log_connections`).
const WORDS: &[(&str, &[&str])] = &[
    ("log_destination", &["stderr", "csvlog", "jsonlog", "syslog", "eventlog"]),
    ("log_connections", &["receipt", "authentication", "authorization", "setup_durations", "all"]),
];

/// A value as the server keeps it.
#[derive(Debug, Clone, PartialEq)]
pub enum Normal {
    /// On or off.
    Bool(bool),
    /// A whole number, in the base unit.
    Int(i64),
    /// A number, in the base unit.
    Real(f64),
    /// One of the listed values of an enum, as the server lists it.
    Enum(String),
    /// Text.
    Text(String),
    /// A list of texts.
    List(Vec<String>),
}

/// As clouds take it: `on`, a bare number in the base unit, the word or text itself.
impl fmt::Display for Normal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(bool) => f.write_str(if *bool { "on" } else { "off" }),
            Self::Int(int) => write!(f, "{int}"),
            Self::Real(real) => write!(f, "{real}"),
            Self::Enum(text) | Self::Text(text) => f.write_str(text),
            Self::List(list) => f.write_str(&list.join(", ")),
        }
    }
}

/// Why a parameter does not take a value, and what it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhyNot {
    /// What is true.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

/// The value a server would keep for `text`, by its own rules: units and their rounding, hexadecimal, every spelling of a bool,
/// enums without case and with the spellings `pg_settings` does not list.
pub fn parse(parameter: &Parameter, text: &str) -> Result<Normal, WhyNot> {
    match parameter.takes {
        Type::Bool => bool(text).map(Normal::Bool).ok_or_else(|| not_one_of(parameter, text, &["on", "off"])),
        Type::Enum => word(parameter, text),
        Type::String => list_or_text(parameter, text),
        Type::Integer => {
            let value = number::integer(text, parameter.unit.as_deref());
            let value = in_range(parameter, text, value)?;
            #[expect(clippy::cast_possible_truncation, reason = "in_range holds it within the server's own integers")]
            Ok(Normal::Int(value as i64))
        }
        Type::Real => {
            let value = number::real(text, parameter.unit.as_deref());
            in_range(parameter, text, value).map(Normal::Real)
        }
    }
}

/// Whether a server would keep the same value for both texts: `256MB` is `32768` of 8 kB, `on` is `true`, lists are compared element
/// by element. Without a major, in any of those that have the parameter. Names nobody knows are compared as text.
pub fn same(name: &str, major: Option<u32>, a: &str, b: &str) -> bool {
    a == b
        || super::rows(name)
            .filter(|row| major.is_none_or(|major| row.is_in(major)))
            .any(|row| matches!((parse(row, a), parse(row, b)), (Ok(a), Ok(b)) if a == b))
}

/// The value as a bare number of the parameter's unit, `on` or `off`, or the text itself: what the clouds' parameter groups take.
/// `None` when the parameter is unknown or does not take it.
pub fn in_base_unit(name: &str, major: u32, text: &str) -> Option<String> {
    parse(super::find(name, major)?, text).ok().map(|normal| normal.to_string())
}

/// As PostgreSQL's `parse_bool`: unique prefixes of true, false, yes, no, on, off; 1 and 0.
fn bool(text: &str) -> Option<bool> {
    let text = text.to_ascii_lowercase();
    let is_prefix = |word: &str, least: usize| text.len() >= least && word.starts_with(&text);
    if is_prefix("true", 1) || is_prefix("yes", 1) || is_prefix("on", 2) || text == "1" {
        Some(true)
    } else if is_prefix("false", 1) || is_prefix("no", 1) || is_prefix("off", 2) || text == "0" {
        Some(false)
    } else {
        None
    }
}

fn word(parameter: &Parameter, text: &str) -> Result<Normal, WhyNot> {
    let listed: Vec<&str> = parameter.values.split('|').collect();
    let hidden = HIDDEN.iter().find(|hidden| {
        hidden.spelling.eq_ignore_ascii_case(text) && hidden.names.split('|').any(|name| name == parameter.name)
    });
    match (hidden, listed.iter().find(|value| value.eq_ignore_ascii_case(text))) {
        (Some(hidden), _) => Ok(Normal::Enum(hidden.means.clone())),
        (None, Some(value)) => Ok(Normal::Enum((*value).to_owned())),
        (None, None) => Err(not_one_of(parameter, text, &listed)),
    }
}

fn list_or_text(parameter: &Parameter, text: &str) -> Result<Normal, WhyNot> {
    let name = parameter.name.to_ascii_lowercase();
    if !LISTS.contains(&name.as_str()) {
        return Ok(Normal::Text(text.to_owned()));
    }
    let list: Vec<String> =
        text.split(',').map(|item| item.trim().trim_matches('"').to_owned()).filter(|item| !item.is_empty()).collect();
    let Some((_, words)) = WORDS.iter().find(|(known, _)| *known == name) else {
        return Ok(Normal::List(list));
    };
    let list: Vec<String> = list.iter().map(|item| item.to_ascii_lowercase()).collect();
    if let ("log_connections", [only]) = (name.as_str(), list.as_slice()) {
        // A list since 18; the spellings of before mean what they logged before.
        let logged = match only.as_str() {
            "on" | "true" | "yes" | "1" => Some(&words[..3]),
            "off" | "false" | "no" | "0" => Some(&words[..0]),
            _ => None,
        };
        if let Some(logged) = logged {
            return Ok(Normal::List(logged.iter().map(|&word| word.to_owned()).collect()));
        }
    }
    match list.iter().find(|item| !words.contains(&item.as_str())) {
        None => Ok(Normal::List(list)),
        Some(stranger) => Err(WhyNot {
            message: format!("{} takes a list of {}, not \"{stranger}\"", parameter.name, words.join(", ")),
            help: format!("write {} or several of them with commas between", quoted(words)),
        }),
    }
}

fn in_range(parameter: &Parameter, text: &str, value: Result<f64, Trouble>) -> Result<f64, WhyNot> {
    let unit = parameter.unit.as_deref();
    let (min, max) = (parameter.min.unwrap_or(f64::MIN), parameter.max.unwrap_or(f64::MAX));
    let range = format!("{} to {}", number::human(min, unit), number::human(max, unit));
    let name = &parameter.name;
    let units = number::units_of(unit).join(", ");
    let value = value.map_err(|trouble| match trouble {
        Trouble::NotANumber => {
            WhyNot { message: format!("{name} takes a number, not \"{text}\""), help: format!("write {range}") }
        }
        Trouble::Unit(unit) if units.is_empty() => WhyNot {
            message: format!("{name} is a bare number without a unit, and \"{text}\" ends in \"{unit}\""),
            help: format!("write {range}"),
        },
        Trouble::Unit(unit) => WhyNot {
            message: format!("\"{unit}\" in \"{text}\" is no unit of {name}"),
            help: format!("its units are {units}, upper and lower case as here"),
        },
    })?;
    if (min..=max).contains(&value) {
        return Ok(value);
    }
    Err(WhyNot { message: format!("{name} = \"{text}\" is outside of {range}"), help: format!("write {range}") })
}

fn not_one_of(parameter: &Parameter, text: &str, values: &[&str]) -> WhyNot {
    let values: Vec<&str> = values.iter().copied().filter(|value| !value.is_empty()).collect();
    WhyNot {
        message: format!("{} takes {}, not \"{text}\"", parameter.name, or(&values)),
        help: match crate::catalogue::nearest(text, values.iter().copied()) {
            Some(nearest) => format!("write \"{nearest}\""),
            None => format!("write {}", quoted(&values)),
        },
    }
}

fn quoted(values: &[&str]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| format!("\"{value}\"")).collect();
    or(&quoted)
}

/// A spelling of an enum's value that the server takes and does not list.
#[derive(Deserialize)]
struct Hidden {
    names: String,
    spelling: String,
    means: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::parameters::find;

    /// What a real server made of a spelling; see `gather_values.py`.
    #[derive(Deserialize)]
    struct Recorded {
        name: String,
        text: String,
        setting: String,
    }

    #[track_caller]
    fn check_against(major: u32, recorded: &str) {
        let rows: Vec<Recorded> = crate::catalogue::rows(recorded);
        assert!(rows.len() > 500, "only {} rows", rows.len());
        let disagreements: Vec<String> = rows
            .iter()
            .filter_map(|Recorded { name, text, setting }| {
                let parsed = find(name, major).map(|parameter| parse(parameter, text));
                let ours = match parsed {
                    None => "unknown".to_owned(),
                    Some(Err(_)) => "error".to_owned(),
                    Some(Ok(_)) if setting == "ok" => return None,
                    // The server shows reals with six digits.
                    Some(Ok(Normal::Real(real)))
                        if setting.parse().is_ok_and(|seen: f64| (seen / real - 1.0).abs() < 1e-5) =>
                    {
                        return None;
                    }
                    Some(Ok(normal)) => normal.to_string(),
                };
                (ours != *setting).then(|| format!("{name} = {text:?}: server {setting}, here {ours}"))
            })
            .collect();
        assert_eq!(disagreements, Vec::<String>::new());
    }

    #[test]
    fn values_are_read_as_postgresql_15_reads_them() {
        check_against(15, include_str!("../parameter_values_15.csv"));
    }

    #[test]
    fn values_are_read_as_postgresql_18_reads_them() {
        check_against(18, include_str!("../parameter_values_18.csv"));
    }

    #[track_caller]
    fn check_same(name: &str, a: &str, b: &str, expected: bool) {
        assert_eq!((same(name, None, a, b), same(name, None, b, a)), (expected, expected), "{name}: {a} and {b}");
    }

    #[test]
    fn values_are_compared_as_the_server_would() {
        check_same("shared_buffers", "256MB", "32768", true);
        check_same("shared_buffers", "256MB", "262144kB", true);
        check_same("shared_buffers", "256MB", "257MB", false);
        check_same("log_disconnections", "on", "TRUE", true);
        check_same("log_connections", "on", "true", true);
        check_same("checkpoint_completion_target", "0.9", "0.90", true);
        check_same("wal_level", "hot_standby", "replica", true);
        check_same(
            "shared_preload_libraries",
            "pg_stat_statements, auto_explain",
            "pg_stat_statements,auto_explain",
            true,
        );
        check_same("shared_preload_libraries", "auto_explain", "pg_stat_statements,auto_explain", false);
        check_same("log_line_prefix", "%m ", "%m", false);
        check_same("no_such_name", "a", "a", true);
        check_same("no_such_name", "a", "b", false);
    }

    #[track_caller]
    fn check_refused(name: &str, text: &str, message: &str, help: &str) {
        let refused = parse(find(name, 16).expect("a known parameter"), text).expect_err("a refused value");
        assert_eq!((refused.message.as_str(), refused.help.as_str()), (message, help));
    }

    #[test]
    fn a_refusal_says_what_is_taken() {
        check_refused(
            "shared_buffers",
            "64kB",
            "shared_buffers = \"64kB\" is outside of 128kB to 8TB",
            "write 128kB to 8TB",
        );
        check_refused(
            "shared_buffers",
            "256mb",
            "\"mb\" in \"256mb\" is no unit of shared_buffers",
            "its units are TB, GB, MB, kB, B, upper and lower case as here",
        );
        check_refused("max_connections", "many", "max_connections takes a number, not \"many\"", "write 1 to 262143");
        check_refused(
            "max_connections",
            "1GB",
            "max_connections is a bare number without a unit, and \"1GB\" ends in \"GB\"",
            "write 1 to 262143",
        );
        check_refused("log_statement", "al", "log_statement takes none, ddl, mod or all, not \"al\"", "write \"all\"");
        check_refused(
            "log_disconnections",
            "maybe",
            "log_disconnections takes on or off, not \"maybe\"",
            "write \"on\" or \"off\"",
        );
    }

    #[test]
    fn clouds_are_given_bare_numbers() {
        assert_eq!(in_base_unit("shared_buffers", 14, "256MB").as_deref(), Some("32768"));
        assert_eq!(in_base_unit("maintenance_work_mem", 14, "64MB").as_deref(), Some("65536"));
        assert_eq!(in_base_unit("wal_buffers", 14, "16MB").as_deref(), Some("2048"));
        assert_eq!(in_base_unit("ssl", 14, "true").as_deref(), Some("on"));
        assert_eq!(in_base_unit("shared_bufers", 14, "256MB"), None);
    }
}
