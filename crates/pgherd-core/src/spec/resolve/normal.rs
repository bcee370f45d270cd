//! The normal form of each value: what two spellings of the same thing have in common.

use crate::catalogue::sizes;
use crate::ha::SyncMode;
use crate::spec::Preset;
use crate::value::{Props, Value};
use crate::variables::{Type, Variable};
use crate::version::Version;
use crate::window::{DAY_MIN, Window};

/// Why a value cannot be understood.
#[derive(Debug)]
pub(super) struct Trouble {
    pub code: &'static str,
    /// Where, below the variable.
    pub path: String,
    pub message: String,
    pub help: String,
}

impl Trouble {
    fn new(code: &'static str, message: String, help: impl Into<String>) -> Self {
        Self { code, path: String::new(), message, help: help.into() }
    }

    fn below(mut self, step: &str) -> Self {
        self.path.insert_str(0, step);
        self
    }
}

/// The normal form of a variable's value. References that cannot be followed stay what they are.
///
/// Everything that is wrong inside is told, not only the first.
pub(super) fn form(variable: &Variable, value: Value) -> Result<Value, Vec<Trouble>> {
    let alone = |trouble| vec![trouble];
    match (variable.name, variable.ty, value) {
        (_, _, value @ (Value::Unknown(_) | Value::Output(..))) => Ok(value),
        ("storage_mb", _, value) => whole("storage_mb", &value).map(in_gib).map_err(alone),
        (name, Type::Number, value) => whole(name, &value).map(Value::Int).map_err(alone),
        ("security_group_rules", _, Value::List(rules)) => security_rules(rules),
        ("proxy_config", _, Value::Map(config)) => proxy_config(config),
        ("parameters", _, Value::List(parameters)) => Ok(parameters_by_name(parameters)),
        (_, _, Value::Text(text)) => of_text(variable, &text).map(Value::Text).map_err(alone),
        (_, _, value) => Ok(value),
    }
}

fn in_gib(mib: i64) -> Value {
    Value::Int((mib + 1023) / 1024)
}

fn of_text(variable: &Variable, text: &str) -> Result<String, Trouble> {
    match variable.canonical_name() {
        "engine_version" => version(variable.name, text),
        "instance_class" => Ok(sizes::find(text).map_or_else(|| text.trim().to_owned(), |size| size.name)),
        "backup_window" if variable.name == "backup_time" => an_hour_from(text),
        "backup_window" => daily(text),
        "maintenance_window" => weekly(text),
        "parameter_group_family" => family(text),
        "preset" => preset(text),
        "local_sync" => local_sync(text),
        _ => Ok(text.to_owned()),
    }
}

/// Every number of the block counts something, so that all of them are whole and none is negative.
fn whole(name: &str, value: &Value) -> Result<i64, Trouble> {
    let most = if name == "port" { i64::from(u16::MAX) } else { i64::from(u32::MAX) };
    let message = match value.as_int() {
        Some(int) if (0..=most).contains(&int) => return Ok(int),
        Some(int) if int < 0 => format!("`{name}` cannot be negative, and {int} is"),
        Some(int) => format!("`{name}` is at most {most}, and {int} is more"),
        None => format!("`{name}` is a whole number, and {value} is not"),
    };
    Err(Trouble::new("not-a-whole-number", message, "write a whole number, without a unit"))
}

/// `16`, `16.4`, `POSTGRES_16` or `POSTGRES_9_6`.
fn version(name: &str, text: &str) -> Result<String, Trouble> {
    let plain = match text.strip_prefix("POSTGRES_") {
        Some(rest) => rest.replacen('_', ".", 1),
        None => text.to_owned(),
    };
    Version::parse(&plain).map(|version| version.to_string()).ok_or_else(|| {
        let message = format!("\"{text}\" is no PostgreSQL version");
        let help = match name {
            "database_version" => "write POSTGRES_ and the major, as in \"POSTGRES_16\"",
            "server_version" => "write the major, as in \"16\"",
            _ => "write the major, as in \"16\", or major and minor, as in \"16.4\"",
        };
        Trouble::new("not-a-version", message, help)
    })
}

fn daily(text: &str) -> Result<String, Trouble> {
    Window::parse_daily(text).map(|window| window.to_string()).ok_or_else(|| {
        let message = format!("\"{text}\" is no daily window");
        Trouble::new("not-a-window", message, "write start and end in UTC, as in \"03:00-04:00\"")
    })
}

fn weekly(text: &str) -> Result<String, Trouble> {
    Window::parse_weekly(text).map(|window| window.to_string()).ok_or_else(|| {
        let message = format!("\"{text}\" is no weekly window");
        Trouble::new("not-a-window", message, "write start and end in UTC, as in \"sun:04:00-sun:05:00\"")
    })
}

/// The window of an hour that starts at a time of day, as Cloud SQL counts it.
fn an_hour_from(text: &str) -> Result<String, Trouble> {
    let anywhere = if text == "00:00" { "01:00" } else { "00:00" };
    let start = Window::parse_daily(&format!("{text}-{anywhere}")).map(|window| window.start_min);
    start.map(|start_min| Window { start_min, length_min: 60, period_min: DAY_MIN }.to_string()).ok_or_else(|| {
        let message = format!("\"{text}\" is no time of day");
        Trouble::new("not-a-window", message, "write hours and minutes in UTC, as in \"03:00\"")
    })
}

fn family(text: &str) -> Result<String, Trouble> {
    let major = text.strip_prefix("postgres").and_then(Version::parse);
    match major {
        Some(Version { minor: None, .. }) => Ok(text.to_owned()),
        Some(_) | None => {
            let message = format!("\"{text}\" is no parameter group family of PostgreSQL");
            Err(Trouble::new("not-a-family", message, "write postgres and the major, as in \"postgres16\""))
        }
    }
}

fn preset(text: &str) -> Result<String, Trouble> {
    Preset::from_name(text).map(|preset| preset.name().to_owned()).ok_or_else(|| {
        let message = format!("there is no preset \"{text}\"");
        Trouble::new("unknown-preset", message, "write dev, staging or prod")
    })
}

fn local_sync(text: &str) -> Result<String, Trouble> {
    SyncMode::from_name(text).map(|mode| mode.name().to_owned()).ok_or_else(|| {
        let message = format!("`local_sync` is preferred or required, and \"{text}\" is neither");
        Trouble::new("unknown-local-sync", message, "write \"preferred\" or \"required\"")
    })
}

fn security_rules(rules: Vec<Value>) -> Result<Value, Vec<Trouble>> {
    let wrong = rules.iter().enumerate().filter_map(|(index, rule)| Some((index, rule.as_map()?)));
    let troubles: Vec<Trouble> = wrong
        .flat_map(|(index, rule)| {
            let found = [direction(rule), port("from_port", rule), port("to_port", rule)];
            found.into_iter().flatten().map(move |trouble| trouble.below(&format!("[{index}]")))
        })
        .collect();
    if troubles.is_empty() { Ok(Value::List(rules)) } else { Err(troubles) }
}

fn direction(rule: &Props) -> Option<Trouble> {
    let direction = rule.get("type")?.as_text().filter(|direction| !matches!(*direction, "ingress" | "egress"))?;
    let message = format!("a rule is for ingress or egress, not \"{direction}\"");
    Some(Trouble::new("security-rule", message, "write type = \"ingress\"").below(".type"))
}

fn port(name: &str, rule: &Props) -> Option<Trouble> {
    let Some(port @ (Value::Int(_) | Value::Float(_))) = rule.get(name) else { return None };
    if port.as_int().is_some_and(|port| (0..=i64::from(u16::MAX)).contains(&port)) {
        return None;
    }
    let message = format!("{port} is no port");
    Some(Trouble::new("security-rule", message, "write a number from 0 to 65535").below(&format!(".{name}")))
}

fn proxy_config(mut config: Props) -> Result<Value, Vec<Trouble>> {
    let mut troubles = Vec::new();
    for (name, value) in &mut config {
        if !matches!(value, Value::Int(_) | Value::Float(_)) {
            continue;
        }
        match whole(name, value) {
            Ok(int) => *value = Value::Int(int),
            Err(trouble) => troubles.push(trouble.below(&format!(".{name}"))),
        }
    }
    if troubles.is_empty() { Ok(Value::Map(config)) } else { Err(troubles) }
}

/// Names of settings have no case in PostgreSQL.
fn parameters_by_name(mut parameters: Vec<Value>) -> Value {
    for parameter in &mut parameters {
        if let Value::Map(parameter) = parameter
            && let Some(Value::Text(name)) = parameter.get_mut("name")
        {
            name.make_ascii_lowercase();
        }
    }
    Value::List(parameters)
}
