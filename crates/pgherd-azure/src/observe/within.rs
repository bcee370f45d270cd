//! What is within a server, primary or replica: settings, firewall, databases, where its log goes.

use futures_util::future::try_join4;
use pgherd_core::resource::{Id, Observed, Pending, Resource, Status};
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::ProviderError;

use super::seen;
use crate::api::{self, Configuration, Rule, Server};
use crate::kinds::{database, firewall, lock as kind_of_lock, logs, props, server, settings};
use crate::names::RULE;
use crate::parameters::{self, LIBRARIES};
use crate::provider::Azure;
use crate::wait::status;

/// What there is within a server. Nobody looks into one that is stopped or in the middle of something: what is wanted in it counts as
/// there.
pub(super) async fn observe(
    azure: &Azure,
    wanted: &[Resource],
    of: Id,
    there: &Server,
) -> Result<Vec<Observed>, ProviderError> {
    let want = |kind: &str| wanted.iter().find(|one| one.id.kind == kind && one.id.name == of.name);
    let is_within = |one: &&Resource| {
        let is_database = one.id.kind == database::NAME && of.kind == server::NAME;
        is_database
            || ([settings::NAME, firewall::NAME, logs::NAME].contains(&one.id.kind.as_str()) && one.id.name == of.name)
    };
    if status(there) != Status::Available {
        let all = wanted.iter().filter(is_within);
        return Ok(all.map(|one| seen(one.id.clone(), one.props.clone(), Status::Available, &one.needs)).collect());
    }
    let (at, name, is_primary) = (azure.at(), there.name(), of.kind == server::NAME);
    let has_firewall = there.0["properties"]["network"]["delegatedSubnetResourceId"].as_str().is_none_or(str::is_empty);
    let rules = async { if has_firewall { api::rules(at, name).await } else { Ok(Vec::new()) } };
    let databases = async { if is_primary { api::databases(at, name).await } else { Ok(Vec::new()) } };
    let log = async { if is_primary { api::logs(at, name).await } else { Ok(None) } };
    let (all, rules, databases, log) = try_join4(api::configurations(at, name), rules, databases, log).await?;
    let mut found = vec![seen_settings(&of, want(settings::NAME), there, &all)];
    // Where somebody else keeps the firewall, ours is nobody's business any more.
    found.extend(want(firewall::NAME).map(|_| seen_firewall(&of, &rules)));
    for one in wanted.iter().filter(|one| is_primary && one.id.kind == database::NAME) {
        let name = one.props.get("name").and_then(Value::as_text).unwrap_or_default();
        if databases.iter().any(|there| there == name) {
            found.push(seen(one.id.clone(), one.props.clone(), Status::Available, std::slice::from_ref(&of)));
        }
    }
    found.extend(log.map(|(workspace, categories)| {
        let categories = Value::List(categories.into_iter().map(Value::Text).collect());
        let props = props([("workspaceId", workspace.into()), ("categories", categories)]);
        seen(Id::new(logs::NAME, &of.name), props, Status::Available, std::slice::from_ref(&of))
    }));
    Ok(found)
}

/// What somebody set, and what the block wants to be set, in one spelling.
fn seen_settings(of: &Id, want: Option<&Resource>, there: &Server, all: &[Configuration]) -> Observed {
    let nothing = Props::new();
    let wanted = want.and_then(|want| want.props.get(settings::VALUES)?.as_map()).unwrap_or(&nothing);
    let major = there.property("version").and_then(|major| major.parse().ok());
    let value = |one: &Configuration| {
        let written = wanted.get(&one.name).and_then(Value::as_text);
        match written.filter(|written| one.name == LIBRARIES && parameters::loads(&one.value, written)) {
            // Azure's own are loaded, too.
            Some(written) => written.to_owned(),
            None => parameters::told(&one.name, &one.value, major),
        }
    };
    let is_told = |one: &&Configuration| wanted.contains_key(&one.name) || (one.is_set && !one.is_read_only);
    let values = all.iter().filter(is_told).map(|one| (one.name.clone(), Value::Text(value(one)))).collect();
    let pending = all
        .iter()
        .filter(|one| one.waits)
        .map(|one| Pending { field: format!("{}.{}", settings::VALUES, one.name), waits_for: "restart".to_owned() });
    let props = props([(settings::VALUES, Value::Map(values))]);
    let id = Id::new(settings::NAME, &of.name);
    Observed { pending: pending.collect(), ..seen(id, props, Status::Available, std::slice::from_ref(of)) }
}

/// Our rules. Those of others are left alone.
fn seen_firewall(of: &Id, rules: &[Rule]) -> Observed {
    let ours = rules.iter().filter(|rule| rule.name.starts_with(RULE));
    let ranges = Value::List(ours.map(|rule| Value::Text(rule.range())).collect());
    let id = Id::new(firewall::NAME, &of.name);
    seen(id, props([(firewall::RANGES, ranges)]), Status::Available, std::slice::from_ref(of))
}

/// The lock of a server.
pub(super) fn lock(of: &Id, level: &str) -> Observed {
    let id = Id::new(kind_of_lock::NAME, &of.name);
    seen(id, props([("level", level.into())]), Status::Available, std::slice::from_ref(of))
}
