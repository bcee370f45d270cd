//! The configurations of a server: PostgreSQL's own settings by its catalogue, and Azure's.

use pgherd_core::catalogue::parameters::{self, Context, Parameter, Type};
use serde_json::{Value as Json, json};

use super::operations::{Begin, Then};
use super::schema::{self, When};
use super::server::Server;
use super::{Azure, Call, Refusal, Said, Told};

const SET_S: i64 = 15;
/// So many are on a page.
const PAGE: usize = 250;

/// Azure's own: name, type, default, what they take.
const OWN: [(&str, &str, &str, &str); 14] = [
    ("require_secure_transport", "Boolean", "on", "on,off"),
    ("pg_qs.query_capture_mode", "Enumeration", "none", "none,top,all"),
    ("pg_qs.retention_period_in_days", "Integer", "7", "1-30"),
    ("pgms_wait_sampling.query_capture_mode", "Enumeration", "none", "none,all"),
    ("metrics.collector_database_activity", "Boolean", "off", "on,off"),
    ("metrics.autovacuum_diagnostics", "Boolean", "off", "on,off"),
    ("metrics.pgbouncer_diagnostics", "Boolean", "off", "on,off"),
    ("logfiles.download_enable", "Boolean", "off", "on,off"),
    ("azure.extensions", "Set", "", ""),
    (
        "shared_preload_libraries",
        "Set",
        "pg_cron,pg_stat_statements",
        "auto_explain,pg_cron,pg_stat_statements,pgaudit,timescaledb",
    ),
    ("pgbouncer.enabled", "Boolean", "false", "true,false"),
    ("pgbouncer.pool_mode", "Enumeration", "transaction", "session,transaction,statement"),
    ("pgbouncer.default_pool_size", "Integer", "50", "1-4950"),
    ("pgbouncer.max_client_conn", "Integer", "5000", "1-50000"),
];

/// What is told where only a few are.
const BRIEF: [&str; 4] = ["work_mem", "max_connections", "jit", "shared_buffers"];

/// What nobody sets there.
const READ_ONLY: [&str; 8] =
    ["ssl", "port", "listen_addresses", "data_directory", "archive_mode", "archive_command", "fsync", "hba_file"];

/// A configuration as its own kind of thing.
struct Known {
    name: String,
    kind: &'static str,
    default: String,
    allowed: String,
    unit: Option<String>,
    is_read_only: bool,
}

fn own(name: &str) -> Option<Known> {
    let (name, kind, default, allowed) = OWN.iter().find(|(known, ..)| *known == name)?;
    let (name, default, allowed) = ((*name).to_owned(), (*default).to_owned(), (*allowed).to_owned());
    Some(Known { name, kind, default, allowed, unit: None, is_read_only: false })
}

fn of_postgres(one: &Parameter) -> Known {
    let (kind, allowed) = match (one.takes, one.min, one.max) {
        (Type::Bool, ..) => ("Boolean", "on,off".to_owned()),
        (Type::Integer, Some(least), Some(most)) => ("Integer", format!("{least}-{most}")),
        (Type::Integer, ..) => ("Integer", String::new()),
        (Type::Real, ..) => ("Numeric", String::new()),
        (Type::Enum, ..) => ("Enumeration", one.values.replace('|', ",")),
        (Type::String, ..) => ("String", String::new()),
    };
    let is_read_only = one.context == Context::Internal || READ_ONLY.contains(&one.name.as_str());
    Known { name: one.name.clone(), kind, default: one.boot.clone(), allowed, unit: one.unit.clone(), is_read_only }
}

fn known(name: &str, major: u32) -> Option<Known> {
    own(name).or_else(|| parameters::find(name, major).map(of_postgres))
}

/// Whether a change is in force at once.
pub(super) fn is_dynamic(name: &str) -> bool {
    if name == "shared_preload_libraries" {
        return false;
    }
    own(name).is_some() || parameters::newest(name).is_none_or(|one| one.context != Context::Postmaster)
}

fn major(of: &Server) -> u32 {
    of.text("/properties/version").parse().unwrap_or(parameters::NEWEST_MAJOR)
}

/// Whether it is told: the pooler's settings are hidden until it is there.
fn is_shown(of: &Server, name: &str) -> bool {
    let has_pooler = of.settings.get("pgbouncer.enabled").is_some_and(|value| value == "true");
    !name.starts_with("pgbouncer.") || name == "pgbouncer.enabled" || has_pooler
}

fn shown(of: &Server, one: &Known) -> Json {
    let value = of.settings.get(&one.name);
    let mut properties = json!({
        "value": value.unwrap_or(&one.default),
        "description": "",
        "defaultValue": one.default,
        "dataType": one.kind,
        "allowedValues": one.allowed,
        "source": if value.is_some() { "user-override" } else { "system-default" },
        "isDynamicConfig": is_dynamic(&one.name),
        "isReadOnly": one.is_read_only,
        "isConfigPendingRestart": of.pending.contains(&one.name),
    });
    if let Some(unit) = &one.unit {
        properties["unit"] = unit.as_str().into();
    }
    json!({
        "id": format!("{}/configurations/{}", of.text("/id"), one.name),
        "name": one.name,
        "type": "Microsoft.DBforPostgreSQL/flexibleServers/configurations",
        "properties": properties,
    })
}

impl Azure {
    pub(super) fn list_configurations(&mut self, name: &str, call: &Call<'_>) -> Said {
        let (base, is_brief) = (self.base.clone(), self.is_brief);
        let of = self.server(name)?;
        let postgres = parameters::all(major(of)).filter(|one| own(&one.name).is_none()).map(of_postgres);
        let mut all: Vec<Known> = OWN.iter().filter_map(|(name, ..)| own(name)).chain(postgres).collect();
        let is_told = |one: &Known| !is_brief || own(&one.name).is_some() || BRIEF.contains(&one.name.as_str());
        all.retain(|one| is_shown(of, &one.name) && is_told(one));
        all.sort_by(|one, other| one.name.cmp(&other.name));
        let from: usize = call.asked("$skiptoken").and_then(|from| from.parse().ok()).unwrap_or_default();
        let page: Vec<Json> = all.iter().skip(from).take(PAGE).map(|one| shown(of, one)).collect();
        let mut body = json!({ "value": page });
        if from + PAGE < all.len() {
            let link =
                format!("{base}{}/configurations?api-version=2026-10-01&%24skiptoken={}", of.text("/id"), from + PAGE);
            body["nextLink"] = link.into();
        }
        Ok(Told::new(200, body))
    }

    pub(super) fn get_configuration(&mut self, server: &str, name: &str) -> Said {
        let of = self.server(server)?;
        let found = known(name, major(of)).filter(|one| is_shown(of, &one.name));
        let absent = || Refusal::absent(format!("The configuration '{name}' was not found."));
        found.map(|one| Told::new(200, shown(of, &one))).ok_or_else(absent)
    }

    /// `Configurations.update`.
    pub(super) fn set_configuration(&mut self, server: &str, name: &str, call: &Call<'_>) -> Said {
        schema::check("ConfigurationForUpdate", call.body, When::Update)?;
        let of = self.server(server)?;
        let found = known(name, major(of)).filter(|one| is_shown(of, &one.name));
        let known = found.ok_or_else(|| Refusal::absent(format!("The configuration '{name}' was not found.")))?;
        if name.starts_with("pgbouncer.") && of.is_burstable() {
            return Err(Refusal::invalid("PgBouncer is not available in the Burstable tier."));
        }
        let properties = &call.body["properties"];
        let value = properties["value"].as_str().unwrap_or_default().to_owned();
        let is_set = properties["source"] != "system-default";
        takes(&known, &value, major(of))?;
        let then = Then::Set(name.to_owned(), value, is_set);
        // What is read-only was seen to be taken and to fail, in words that are none (pulumi-azure-native, issue 898).
        let error = known.is_read_only.then(|| ("OperationFailed", "{0}".to_owned()));
        let kind = "SetConfiguration";
        self.begin(call, Begin { target: server, kind, state: "Updating", seconds: SET_S, then, error })
    }
}

/// Refuses a value that it does not take.
fn takes(known: &Known, value: &str, major: u32) -> Result<(), Refusal> {
    let among = |value: &str| known.allowed.split(',').any(|one| one.eq_ignore_ascii_case(value));
    let within = |number: i64| {
        let Some((least, most)) = known.allowed.rsplit_once('-') else { return true };
        least.parse::<f64>().is_ok_and(|least| number as f64 >= least)
            && most.parse::<f64>().is_ok_and(|most| number as f64 <= most)
    };
    let is_right = match known.kind {
        // No unit is taken.
        "Integer" => value.parse::<i64>().is_ok_and(within),
        "Numeric" => value.parse::<f64>().is_ok(),
        "Boolean" | "Enumeration" => among(value),
        "Set" => known.allowed.is_empty() || value.split(',').all(among),
        _ => parameters::find(&known.name, major).is_none_or(|one| parameters::parse(one, value).is_ok()),
    };
    match is_right {
        true => Ok(()),
        false => Err(Refusal::invalid(format!("The value '{value}' is invalid for '{}'.", known.name))),
    }
}
