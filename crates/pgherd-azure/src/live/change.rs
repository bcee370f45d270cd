//! A server is changed one sort of thing after another, as Azure wants it. Nothing is written over that somebody else has changed
//! meanwhile: Azure itself has no way to see that, so each request is made of a look right before it.

use pgherd_core::plan::{Change, When};
use pgherd_core::resource::Impact;
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};
use serde_json::Value as Json;

use crate::api::{self, Server};
use crate::fields;
use crate::provider::Azure;
use crate::tags::{TAGS, Tags};
use crate::wait::{Trouble, carried, settled};

/// So often a change is begun again that somebody else's got in between of.
const TRIES: u32 = 10;

const STORAGE: [&str; 5] = ["storageSizeGB", "autoGrow", "autoGrowMaxThresholdMb", "iops", "throughput"];

/// Changes it: the major alone, storage alone, a standby away, then the rest, and a standby last. A smaller machine may have none, and
/// one that is to have one may have to be larger first.
pub(super) async fn update(
    azure: &Azure,
    name: &str,
    changes: &[Change],
    events: &Events,
) -> Result<(), ProviderError> {
    let sort = |change: &Change| match change.field.as_str() {
        "version" => 0,
        field if STORAGE.contains(&field) => 1,
        "highAvailability" if change.to.as_text() == Some("Disabled") => 2,
        "highAvailability" => 4,
        _ => 3,
    };
    for turn in 0..=4 {
        let group: Vec<&Change> = changes.iter().filter(|change| sort(change) == turn).collect();
        if !group.is_empty() {
            changed(azure, name, &group, events).await?;
        }
    }
    Ok(())
}

/// Has a server wear other tags than it does: `None` takes one off.
pub(crate) async fn retagged(
    azure: &Azure,
    name: &str,
    wanted: &[(&str, Option<&str>)],
    events: &Events,
) -> Result<(), ProviderError> {
    let worn = settled(azure, name, azure.patience().changing, events).await?.tags();
    let change = |(tag, to): &(&str, Option<&str>)| {
        let value = |text: Option<&str>| text.map_or(Value::Null, Value::text);
        let (from, to) = (value(worn.get(*tag).map(String::as_str)), value(*to));
        let field = format!("{TAGS}.{tag}");
        (from != to).then_some(Change { field, from, to, impact: Impact::None, when: When::Now })
    };
    let changes: Vec<Change> = wanted.iter().filter_map(change).collect();
    if changes.is_empty() { Ok(()) } else { update(azure, name, &changes, events).await }
}

/// One request for some changes. What is neither as it was planned nor as it should be ends it.
async fn changed(azure: &Azure, name: &str, changes: &[&Change], events: &Events) -> Result<(), ProviderError> {
    let at_most = azure.patience().changing;
    for _ in 0..TRIES {
        let there = settled(azure, name, at_most, events).await?;
        let (live, worn) = (fields::read(&there.0), there.tags());
        let left: Vec<&Change> =
            changes.iter().copied().filter(|change| !is_reached(change, &now(&live, &worn, &change.field))).collect();
        if left.is_empty() {
            return Ok(());
        }
        for change in &left {
            let now = now(&live, &worn, &change.field);
            // Storage grows by itself.
            if !is_same(&now, &change.from) && change.field != "storageSizeGB" {
                let words =
                    format!("{} of {name} is {now} by now, and was {} when it was planned", change.field, change.from);
                return Err(ProviderError::new(ErrorKind::Conflict, words).help("plan again"));
            }
        }
        let mut body = request(&there, &worn, &left);
        if body["properties"]["authConfig"]["activeDirectoryAuth"] == "Enabled"
            && let Some(tenant) = azure.around().tenant.as_deref()
        {
            body["properties"]["authConfig"]["tenantId"] = tenant.into();
        }
        match carried(azure, name, at_most, events, || api::patch(azure.at(), name, &body)).await {
            Ok(()) => return Ok(()),
            // It may have been done, or somebody else was first: a look tells.
            Err(Trouble::Refused(error)) if error.is_stale() || error.maybe_done => events.phase(error.message),
            Err(trouble) => return Err(trouble.into()),
        }
    }
    let words = format!("{name} is changed by somebody else again and again");
    Err(ProviderError::new(ErrorKind::Conflict, words).help("plan again when that is over"))
}

/// The request that makes some changes.
fn request(there: &Server, worn: &Tags, changes: &[&Change]) -> Json {
    let mut fields = Props::new();
    for change in changes {
        match change.field.split_once('.') {
            Some((map, tag)) => {
                let all = fields.entry(map.to_owned()).or_insert_with(|| {
                    Value::Map(worn.iter().map(|(name, value)| (name.clone(), Value::text(value))).collect())
                });
                // Tags are taken whole, so one is taken off by leaving it out.
                if let Value::Map(all) = all {
                    match &change.to {
                        Value::Null => drop(all.remove(tag)),
                        to => drop(all.insert(tag.to_owned(), to.clone())),
                    }
                }
            }
            None => drop(fields.insert(change.field.clone(), change.to.clone())),
        }
    }
    let mut body = fields::patch(&there.0, &fields);
    if fields.contains_key("version") {
        body["properties"]["createMode"] = "Update".into();
    }
    // Azure wants both of a size, whichever differs.
    for (field, part) in [("sku", "name"), ("tier", "tier")] {
        if body["sku"].is_object() && !fields.contains_key(field) {
            body["sku"][part] = there.0["sku"][part].clone();
        }
    }
    body
}

/// What a field is now.
fn now(live: &Props, worn: &Tags, field: &str) -> Value {
    match field.split_once('.') {
        Some((_, tag)) => worn.get(tag).map_or(Value::Null, Value::text),
        None => live.get(field).cloned().unwrap_or(Value::Null),
    }
}

fn is_reached(change: &Change, now: &Value) -> bool {
    match change.field.as_str() {
        "storageSizeGB" => now.as_int() >= change.to.as_int(),
        _ => is_same(now, &change.to),
    }
}

/// Paths are the same in any case.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Text(one), Value::Text(other)) if one.starts_with('/') => one.eq_ignore_ascii_case(other),
        (one, other) => one == other,
    }
}
