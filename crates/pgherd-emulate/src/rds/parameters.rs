//! Parameter groups: what may stand in them, and when it takes effect.
//!
//! Names, kinds and bounds are the catalogue's, gathered from real servers. What RDS adds or forbids is below.

use std::collections::BTreeMap;

use jiff::Timestamp;
use pgherd_core::catalogue::parameters::{self, Context, Parameter, Type};

use super::instance::{Instance, Told};
use super::state::Region;
use super::{Listing, paged, tags, validate};
use crate::wire::{Element, Form, Refusal};

/// A parameter group.
#[derive(Debug, Clone)]
pub struct ParameterGroup {
    /// Its name.
    pub name: String,
    /// `postgres16`.
    pub family: String,
    /// What it is for.
    pub description: String,
    /// What was set in it: the value, and how it was to be applied.
    pub values: BTreeMap<String, (String, String)>,
}

impl ParameterGroup {
    /// What is set and holds from the next restart on: what is static, and what was said to wait for it.
    pub fn statics(&self) -> BTreeMap<String, String> {
        self.values_of(true)
    }

    /// What is set and holds at once.
    pub fn dynamics(&self) -> BTreeMap<String, String> {
        self.values_of(false)
    }

    fn values_of(&self, statics: bool) -> BTreeMap<String, String> {
        let major = major(&self.family);
        let waits = |name: &str, method: &str| is_static(name, major) || method == "pending-reboot";
        let values = self.values.iter().filter(|(name, (_, method))| waits(name, method) == statics);
        values.map(|(name, (value, _))| (name.clone(), value.clone())).collect()
    }
}

/// Parameters of RDS's own, all majors: whether they need a restart, and the values they take.
const OF_RDS: [(&str, bool, &str); 7] = [
    ("rds.allowed_extensions", false, ""),
    ("rds.custom_dns_resolution", true, "0,1"),
    (
        "rds.force_autovacuum_logging_level",
        false,
        "debug5,debug4,debug3,debug2,debug1,info,notice,warning,error,log,fatal,panic,disabled",
    ),
    ("rds.force_ssl", false, "0,1"),
    ("rds.log_retention_period", false, "1440-10080"),
    ("rds.logical_replication", true, "0,1"),
    ("rds.restrict_password_commands", true, "0,1"),
];

/// Parameters that RDS keeps for itself, beside those a server only reports.
const KEPT: [&str; 19] = [
    "archive_command",
    "archive_mode",
    "config_file",
    "data_directory",
    "external_pid_file",
    "fsync",
    "full_page_writes",
    "hba_file",
    "ident_file",
    "listen_addresses",
    "port",
    "recovery_target",
    "restore_command",
    "ssl",
    "ssl_cert_file",
    "ssl_key_file",
    "superuser_reserved_connections",
    "unix_socket_directories",
    "wal_level",
];

/// A group by its name; `default.postgres16` and its like are there from the beginning.
pub fn group(region: &Region, name: &str) -> Option<ParameterGroup> {
    if let Some(group) = region.parameter_groups.get(name) {
        return Some(group.clone());
    }
    let family = name.strip_prefix("default.").filter(|family| is_family(family))?;
    Some(ParameterGroup {
        name: name.to_owned(),
        family: family.to_owned(),
        description: format!("Default parameter group for {family}"),
        values: BTreeMap::new(),
    })
}

/// A group that must exist.
pub fn existing(region: &Region, name: &str) -> Result<ParameterGroup, Refusal> {
    group(region, &name.to_lowercase())
        .ok_or_else(|| Refusal::missing("DBParameterGroupNotFound", format!("DBParameterGroup not found: {name}")))
}

/// A group that an instance of that major can have.
pub fn fitting(region: &Region, name: &str, major: u32) -> Result<ParameterGroup, Refusal> {
    let group = existing(region, name)?;
    if group.family != format!("postgres{major}") {
        return Err(Refusal::combination(format!(
            "The Parameter Group {} with DBParameterGroupFamily {} cannot be used for this instance. Please use a Parameter Group with DBParameterGroupFamily postgres{major}",
            group.name, group.family
        )));
    }
    Ok(group)
}

/// `ParameterApplyStatus` of an instance's group, as it is told.
pub fn apply_status(region: &Region, instance: &Instance) -> &'static str {
    match &instance.told {
        Some(told) => told.word,
        None => status(region, instance),
    }
}

/// What is told of settings is what they are, or what they were as long ago as that lags behind.
pub fn told(region: &mut Region, now: Timestamp) {
    let lag = region.settings_lag;
    let words: Vec<_> = region.instances.values().map(|instance| status(region, instance)).collect();
    for (instance, word) in region.instances.values_mut().zip(words) {
        if lag.is_zero() {
            instance.told = None;
            continue;
        }
        let told = instance.told.get_or_insert(Told { word, wrong_since: None });
        if told.word == word {
            told.wrong_since = None;
        } else if now.duration_since(*told.wrong_since.get_or_insert(now)) >= lag {
            *told = Told { word, wrong_since: None };
        }
    }
}

fn status(region: &Region, instance: &Instance) -> &'static str {
    let set = &instance.set.parameter_group;
    let statics = group(region, set).map(|group| group.statics()).unwrap_or_default();
    match instance.booted.group == *set && instance.booted.parameters == statics {
        true => "in-sync",
        false => "pending-reboot",
    }
}

/// `CreateDBParameterGroup`.
pub fn create(region: &mut Region, form: &Form) -> Result<Element, Refusal> {
    let name = form.required("DBParameterGroupName")?.to_lowercase();
    validate::identifier("DBParameterGroupName", &name, 255)?;
    let family = form.required("DBParameterGroupFamily")?.to_owned();
    let description = form.required("Description")?.to_owned();
    if !is_family(&family) {
        return Err(Refusal::value(format!("ParameterGroupFamily {family} is not a valid parameter group family")));
    }
    if region.parameter_groups.contains_key(&name) {
        return Err(Refusal::of("DBParameterGroupAlreadyExists", format!("Parameter group {name} already exists")));
    }
    let given = tags::sent(form)?;
    region.tags.insert(region.arn("pg", &name), given);
    let group = ParameterGroup { name: name.clone(), family, description, values: BTreeMap::new() };
    let answer = Element::new("").with(shown(region, &group));
    region.parameter_groups.insert(name, group);
    Ok(answer)
}

/// `DescribeDBParameterGroups`.
pub fn describe(region: &Region, form: &Form) -> Result<Element, Refusal> {
    let found = match form.text("DBParameterGroupName") {
        Some(name) => vec![existing(region, name)?],
        None => region.parameter_groups.values().cloned().collect(),
    };
    paged(form, Listing { name: "DBParameterGroups", items: found.iter().map(|group| shown(region, group)).collect() })
}

/// `ModifyDBParameterGroup`.
pub fn modify(region: &mut Region, form: &Form) -> Result<Element, Refusal> {
    let mut group = changeable(region, form)?;
    for sent in few(form)? {
        let (name, value) = (sent.required("ParameterName")?, sent.required("ParameterValue")?);
        let method = method(&sent, name, major(&group.family))?;
        accepted(name, value, major(&group.family))?;
        group.values.insert(spelling(name, major(&group.family)), (value.to_owned(), method));
    }
    Ok(kept(region, group))
}

/// `ResetDBParameterGroup`.
pub fn reset(region: &mut Region, form: &Form) -> Result<Element, Refusal> {
    let mut group = changeable(region, form)?;
    if form.bool("ResetAllParameters")?.unwrap_or(true) && form.structures("Parameters", "Parameter").is_empty() {
        group.values.clear();
        return Ok(kept(region, group));
    }
    for sent in few(form)? {
        let name = sent.required("ParameterName")?;
        method(&sent, name, major(&group.family))?;
        group.values.remove(&spelling(name, major(&group.family)));
    }
    Ok(kept(region, group))
}

/// `DeleteDBParameterGroup`.
pub fn delete(region: &mut Region, form: &Form) -> Result<Element, Refusal> {
    let group = changeable(region, form)?;
    if region.instances.values().any(|instance| instance.set.parameter_group == group.name) {
        return Err(Refusal::of(
            "InvalidDBParameterGroupState",
            "One or more database instances are still members of this parameter group, so the group cannot be deleted",
        ));
    }
    region.parameter_groups.remove(&group.name);
    region.tags.remove(&region.arn("pg", &group.name));
    Ok(Element::new(""))
}

/// `DescribeDBParameters`.
pub fn parameters(region: &Region, form: &Form) -> Result<Element, Refusal> {
    let group = existing(region, form.required("DBParameterGroupName")?)?;
    let source = form.text("Source").unwrap_or_default();
    let is_asked = |name: &str| match source {
        "" => true,
        "user" => group.values.contains_key(name),
        "engine-default" => !group.values.contains_key(name),
        _ => false,
    };
    let names = names(major(&group.family));
    let items = names.iter().filter(|name| is_asked(name)).map(|name| parameter(name, &group)).collect();
    paged(form, Listing { name: "Parameters", items })
}

/// `DescribeEngineDefaultParameters`.
pub fn defaults(form: &Form) -> Result<Element, Refusal> {
    let family = form.required("DBParameterGroupFamily")?.to_owned();
    if !is_family(&family) {
        return Err(Refusal::value(format!("ParameterGroupFamily {family} is not a valid parameter group family")));
    }
    let major = major(&family);
    let group = ParameterGroup { name: String::new(), family, description: String::new(), values: BTreeMap::new() };
    let items = names(major).iter().map(|name| parameter(name, &group)).collect();
    let page = paged(form, Listing { name: "Parameters", items })?.named("EngineDefaults");
    Ok(Element::new("").with(page.put("DBParameterGroupFamily", &group.family)))
}

fn is_family(family: &str) -> bool {
    (parameters::OLDEST_MAJOR..=parameters::NEWEST_MAJOR).any(|major| family == format!("postgres{major}"))
}

fn major(family: &str) -> u32 {
    family.strip_prefix("postgres").and_then(|major| major.parse().ok()).unwrap_or_default()
}

fn names(major: u32) -> Vec<&'static str> {
    let mut names: Vec<_> = parameters::all(major).map(|parameter| parameter.name.as_str()).collect();
    names.extend(OF_RDS.map(|(name, ..)| name));
    names.sort_unstable();
    names
}

fn of_rds(name: &str) -> Option<&'static (&'static str, bool, &'static str)> {
    OF_RDS.iter().find(|(own, ..)| *own == name)
}

fn is_static(name: &str, major: u32) -> bool {
    of_rds(name).map_or_else(
        || parameters::find(name, major).is_some_and(|found| found.context == Context::Postmaster),
        |(_, is_static, _)| *is_static,
    )
}

fn is_modifiable(name: &str, major: u32) -> bool {
    of_rds(name).is_some()
        || parameters::find(name, major)
            .is_some_and(|found| found.context != Context::Internal && !KEPT.contains(&found.name.as_str()))
}

/// The name as the server spells it.
fn spelling(name: &str, major: u32) -> String {
    parameters::find(name, major).map_or_else(|| name.to_lowercase(), |found| found.name.clone())
}

/// The values a parameter takes, as `AllowedValues` says it.
fn allowed(name: &str, major: u32) -> Option<String> {
    if let Some((_, _, values)) = of_rds(name) {
        return (!values.is_empty()).then(|| (*values).to_owned());
    }
    let Parameter { takes, min, max, values, .. } = parameters::find(name, major)?;
    match takes {
        Type::Bool => Some("0,1".to_owned()),
        Type::Integer | Type::Real => Some(format!("{}-{}", (*min)?, (*max)?)),
        Type::Enum => Some(values.replace('|', ",")),
        Type::String => None,
    }
}

/// Refuses what RDS does not take. Numbers are bare, in the parameter's unit, and booleans 0 or 1: whether RDS takes `on` nobody
/// of us has seen, so the emulator is the stricter one.
fn accepted(name: &str, value: &str, major: u32) -> Result<(), Refusal> {
    if of_rds(name).is_none() && parameters::find(name, major).is_none() {
        return Err(Refusal::value(format!("Could not find parameter with name: {name}")));
    }
    if !is_modifiable(name, major) {
        return Err(Refusal::value(format!("The parameter {name} cannot be modified.")));
    }
    let Some(allowed) = allowed(name, major) else { return Ok(()) };
    let is_formula =
        value.contains('{') || ["LEAST(", "GREATEST(", "SUM("].iter().any(|begin| value.starts_with(begin));
    let is_number =
        parameters::find(name, major).is_some_and(|found| matches!(found.takes, Type::Integer | Type::Real));
    let fits = match allowed.split_once('-').filter(|_| is_number || name == "rds.log_retention_period") {
        Some(_) => is_formula || is_within(value, name, major),
        None => allowed.split(',').any(|one| one.eq_ignore_ascii_case(value)),
    };
    fits.then_some(()).ok_or_else(|| {
        Refusal::value(format!("Invalid parameter value: {value} for: {name} allowed values are: {allowed}"))
    })
}

fn is_within(value: &str, name: &str, major: u32) -> bool {
    let Ok(number) = value.parse::<f64>() else { return false };
    match parameters::find(name, major) {
        Some(Parameter { takes, min, max, .. }) => {
            (*takes == Type::Real || number.fract() == 0.0)
                && min.is_none_or(|min| number >= min)
                && max.is_none_or(|max| number <= max)
        }
        None => (1440.0..=10080.0).contains(&number),
    }
}

fn method(sent: &Form, name: &str, major: u32) -> Result<String, Refusal> {
    let method = sent.required("ApplyMethod")?;
    match method {
        "immediate" if is_static(name, major) => {
            Err(Refusal::combination("cannot use immediate apply method for static parameter"))
        }
        "immediate" | "pending-reboot" => Ok(method.to_owned()),
        _ => Err(Refusal::value(format!("Invalid apply method: {method}"))),
    }
}

fn few(form: &Form) -> Result<Vec<Form>, Refusal> {
    let sent = form.structures("Parameters", "Parameter");
    match sent.len() {
        0 => Err(Refusal::of("MissingParameter", "The request must contain the parameter Parameters.")),
        1..=20 => Ok(sent),
        many => Err(Refusal::value(format!("At most 20 parameters can be modified in a request, not {many}."))),
    }
}

fn changeable(region: &Region, form: &Form) -> Result<ParameterGroup, Refusal> {
    let name = form.required("DBParameterGroupName")?;
    // The dot is what tells a default group, and no name of one's own has it.
    validate::identifier("DBParameterGroupName", name, 255)?;
    existing(region, name)
}

fn kept(region: &mut Region, group: ParameterGroup) -> Element {
    let answer = Element::new("").put("DBParameterGroupName", &group.name);
    let name = group.name.clone();
    region.parameter_groups.insert(name.clone(), group);
    region.reload_all_of(&name);
    answer
}

fn shown(region: &Region, group: &ParameterGroup) -> Element {
    Element::new("DBParameterGroup")
        .put("DBParameterGroupName", &group.name)
        .put("DBParameterGroupFamily", &group.family)
        .put("Description", &group.description)
        .put("DBParameterGroupArn", region.arn("pg", &group.name))
}

fn parameter(name: &str, group: &ParameterGroup) -> Element {
    let major = major(&group.family);
    let found = parameters::find(name, major);
    let kind = found.map_or("string", |found| match found.takes {
        Type::Bool => "boolean",
        Type::Integer => "integer",
        Type::Real => "float",
        Type::Enum => "list",
        Type::String => "string",
    });
    let set = group.values.get(name);
    Element::new("Parameter")
        .put("ParameterName", name)
        .maybe("ParameterValue", set.map(|(value, _)| value))
        .maybe("Description", found.map(|found| &found.words))
        .put("Source", if set.is_some() { "user" } else { "engine-default" })
        .put("ApplyType", if is_static(name, major) { "static" } else { "dynamic" })
        .put("DataType", kind)
        .maybe("AllowedValues", allowed(name, major))
        .put("IsModifiable", is_modifiable(name, major))
        .put("ApplyMethod", set.map_or("pending-reboot", |(_, method)| method))
}
