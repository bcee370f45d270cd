//! Instances: made with a password that is written down before, changed one thing after another, deleted last.

use pgherd_core::plan::Change;
use pgherd_core::resource::{Id, Resource};
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::{Deletion, ErrorKind, Events, ProviderError};
use serde_json::Value as Json;

use super::{ahead, not_known, secret};
use crate::api::{self, Instance};
use crate::fields::{self, FLAGS, LABELS, POOL_FLAGS};
use crate::kinds;
use crate::labels::Labels;
use crate::observe::{Found, find, foreign};
use crate::provider::Gcp;
use crate::wait::{Trouble, carried, idle, say, settled, until};

/// Days that a last backup is kept: the most there are.
const KEPT_DAYS: u32 = 365;

/// So often a change is begun again that somebody else's got in between of.
const TRIES: u32 = 10;

/// Makes it, and returns when it can be used. One that is being made already is waited for.
pub(super) async fn create(gcp: &Gcp, resource: &Resource, events: &Events) -> Result<(), ProviderError> {
    let name = resource.id.name.as_str();
    match find(gcp, name).await? {
        Found::Ours(_) => {}
        Found::Foreign(_, why) => return Err(foreign(name, &why)),
        Found::Nothing => {
            let password = secret::ensure(gcp, name, &resource.props).await?;
            let mut body = creation(resource)?;
            body["instanceType"] = "CLOUD_SQL_INSTANCE".into();
            body["rootPassword"] = password.reveal().into();
            made(gcp, name, name, &body, events).await?;
        }
    }
    settled(gcp, name, gcp.patience().making, events).await.map(drop)
}

/// Asks for it until it is taken and made. `waits_for` is the instance that makes it busy.
pub(super) async fn made(
    gcp: &Gcp,
    name: &str,
    waits_for: &str,
    body: &Json,
    events: &Events,
) -> Result<(), ProviderError> {
    let at_most = gcp.patience().making;
    let mut tries = 0;
    loop {
        tries += 1;
        let error = match carried(gcp, waits_for, at_most, events, || api::create(gcp.at(), body)).await {
            Ok(()) => return Ok(()),
            Err(Trouble::Failed(error)) => return Err(error),
            Err(Trouble::Refused(error)) => error,
        };
        let is_there = api::instance(gcp.at(), name).await?.is_some();
        match (error.maybe_done, error.is_taken(), is_there) {
            (true, _, true) | (_, true, true) => return Ok(()),
            (true, _, false) if tries < super::TRIES => {}
            (false, true, false) => {
                let help =
                    "Google keeps the name of a deleted instance for a while, up to a week: take another, or wait";
                return Err(ProviderError::from(error).help(help));
            }
            _ => return Err(error.into()),
        }
    }
}

/// The request that makes it. What is written and not known must not be left out.
pub(super) fn creation(resource: &Resource) -> Result<Json, ProviderError> {
    let is_known = |value: &Value| value.is_known();
    if let Some((field, _)) = resource.props.iter().find(|(_, value)| !is_known(value)) {
        return Err(not_known(resource, field));
    }
    let mut props = resource.props.clone();
    if let Some(newest) = props.get("newestVersion").cloned() {
        props.entry("databaseVersion".to_owned()).or_insert(newest);
    }
    let mut body = fields::creation(&props);
    body["name"] = resource.id.name.as_str().into();
    Ok(body)
}

/// Changes it, one sort of thing after another, as the API wants it: the major alone, tier and edition alone, then the rest. A
/// smaller edition comes last, since it takes less of the rest. What its replicas need first they have first.
pub(super) async fn update(
    gcp: &Gcp,
    resource: &Resource,
    changes: &[Change],
    events: &Events,
) -> Result<(), ProviderError> {
    if resource.id.kind == kinds::instance::NAME {
        ahead::grown(gcp, &resource.id.name, changes, events).await?;
    }
    let of = |fields: &[&str]| -> Vec<&Change> {
        changes.iter().filter(|change| fields.contains(&change.field.as_str())).collect()
    };
    let (version, machine) = (of(&["databaseVersion"]), of(&["tier", "edition"]));
    let alone = ["databaseVersion", "tier", "edition"];
    let rest: Vec<&Change> = changes.iter().filter(|change| !alone.contains(&change.field.as_str())).collect();
    let is_smaller =
        machine.iter().any(|change| change.field == "edition" && change.to.as_text() == Some("ENTERPRISE"));
    let groups = if is_smaller { [version, rest, machine] } else { [version, machine, rest] };
    for group in groups.iter().filter(|group| !group.is_empty()) {
        changed(gcp, &resource.id.name, group, events).await?;
    }
    Ok(())
}

/// Has an instance wear other labels than it does: `None` takes one off.
pub(crate) async fn relabelled(
    gcp: &Gcp,
    name: &str,
    wanted: &[(&str, Option<&str>)],
    events: &Events,
) -> Result<(), ProviderError> {
    let there = settled(gcp, name, gcp.patience().changing, events).await?;
    let worn = there.labels();
    let change = |(key, to): &(&str, Option<&str>)| {
        let value = |text: Option<&str>| text.map_or(Value::Null, Value::text);
        let (from, to) = (value(worn.get(*key).map(String::as_str)), value(*to));
        (from != to).then(|| Change {
            field: format!("{LABELS}.{key}"),
            from,
            to,
            impact: pgherd_core::resource::Impact::None,
            when: pgherd_core::plan::When::Now,
        })
    };
    let changes: Vec<Change> = wanted.iter().filter_map(change).collect();
    let changes: Vec<&Change> = changes.iter().collect();
    if changes.is_empty() { Ok(()) } else { changed(gcp, name, &changes, events).await }
}

/// One request for some changes. Nothing that somebody else has changed meanwhile is written over: it is looked at again, and what is
/// neither as it was planned nor as it should be ends it.
pub(super) async fn changed(gcp: &Gcp, name: &str, changes: &[&Change], events: &Events) -> Result<(), ProviderError> {
    let at_most = gcp.patience().changing;
    for _ in 0..TRIES {
        let there = settled(gcp, name, at_most, events).await?;
        let live = fields::read(&there.0);
        let worn = there.labels();
        let left: Vec<&Change> =
            changes.iter().copied().filter(|change| !is_reached(change, &now(&live, &worn, &change.field))).collect();
        if left.is_empty() {
            return Ok(());
        }
        for change in &left {
            let now = now(&live, &worn, &change.field);
            if !is_same(&now, &change.from) && change.field != "dataDiskSizeGb" {
                let words =
                    format!("{} of {name} is {now} by now, and was {} when it was planned", change.field, change.from);
                return Err(ProviderError::new(ErrorKind::Conflict, words).help("plan again"));
            }
        }
        let body = request(&there, &live, &worn, &left);
        match carried(gcp, name, at_most, events, || api::patch(gcp.at(), &there, body.clone())).await {
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
fn request(there: &Instance, live: &Props, worn: &Labels, changes: &[&Change]) -> Json {
    let mut fields = Props::new();
    for change in changes {
        match change.field.split_once('.') {
            Some((map, key)) => {
                let all = fields.entry(map.to_owned()).or_insert_with(|| match map {
                    LABELS => Value::Map(worn.iter().map(|(key, value)| (key.clone(), Value::text(value))).collect()),
                    map => live.get(map).cloned().unwrap_or_else(|| Value::Map(Props::new())),
                });
                if let Value::Map(all) = all {
                    // A label is taken off by saying so; a list is sent without the entry.
                    match (&change.to, map) {
                        (Value::Null, FLAGS | POOL_FLAGS) => drop(all.remove(key)),
                        (to, _) => drop(all.insert(key.to_owned(), to.clone())),
                    }
                }
            }
            None => drop(fields.insert(change.field.clone(), change.to.clone())),
        }
    }
    let mut body = fields::patch(&there.0, &fields);
    let is_pooling = !body["settings"]["connectionPoolConfig"].is_null();
    if is_pooling {
        body["databaseVersion"] = there.0["databaseVersion"].clone();
    }
    if fields.contains_key("databaseVersion") && !there.replicas().is_empty() {
        body["includeReplicasForMajorVersionUpgrade"] = true.into();
    }
    body
}

/// What a field is now.
fn now(live: &Props, worn: &Labels, field: &str) -> Value {
    match field.split_once('.') {
        Some((LABELS, key)) => worn.get(key).map_or(Value::Null, Value::text),
        Some((map, key)) => live.get(map).and_then(|map| map.as_map()?.get(key)).cloned().unwrap_or(Value::Null),
        None => live.get(field).cloned().unwrap_or(Value::Null),
    }
}

fn is_reached(change: &Change, now: &Value) -> bool {
    match change.field.as_str() {
        "dataDiskSizeGb" => now.as_int() >= change.to.as_int(),
        _ => is_same(now, &change.to),
    }
}

/// The same, in whatever order.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::List(one), Value::List(other)) => {
            one.len() == other.len() && one.iter().all(|item| other.contains(item))
        }
        (one, other) => one == other,
    }
}

/// Deletes it, with a last backup where one is wanted, and its secret after it.
pub(super) async fn delete(gcp: &Gcp, id: &Id, how: &Deletion, events: &Events) -> Result<(), ProviderError> {
    let name = id.name.as_str();
    let there = match find(gcp, name).await? {
        Found::Ours(there) => there,
        Found::Foreign(_, why) => return Err(foreign(name, &why)),
        Found::Nothing => return secret::remove(gcp, name).await,
    };
    if there.0["settings"]["deletionProtectionEnabled"] == true {
        return Err(ProviderError::new(ErrorKind::Protected, format!("{name} is protected against deletion"))
            .help("write enable_deletion_protection = false, apply, then destroy"));
    }
    let wanted = how.final_backup.as_deref().map(|words| (words, KEPT_DAYS));
    let last = match wanted {
        Some(_) if never_worked(gcp, &there).await? => {
            say(events, format!("{name} was never made, so there is nothing that a last backup could hold"));
            None
        }
        wanted => wanted,
    };
    let has_failed = there.state() == "FAILED" && last.is_some();
    gone(gcp, name, last, events).await.map_err(|error| match has_failed && error.help.is_empty() {
        true => error.help("without a last backup it can be deleted: write skip_final_snapshot = true"),
        false => error,
    })?;
    if let Some((words, days)) = last {
        say(events, kept(gcp, name, words, days).await);
    }
    secret::remove(gcp, name).await
}

/// Whether an instance came to nothing when it was made. One that worked may fail later, with everything in it.
async fn never_worked(gcp: &Gcp, there: &Instance) -> Result<bool, ProviderError> {
    if there.state() != "FAILED" {
        return Ok(false);
    }
    let all = api::operations(gcp.at(), there).await?;
    Ok(all.iter().filter(|one| one.kind == "CREATE").any(|one| one.is_done && one.error.is_some()))
}

/// Where the last backup of an instance that is gone is. That it cannot be looked for is no reason not to go on.
async fn kept(gcp: &Gcp, name: &str, words: &str, days: u32) -> String {
    let all = api::last_backups(gcp.at(), name).await.unwrap_or_default();
    match all.iter().rfind(|one| one.description.as_deref() == Some(words)) {
        Some(one) => format!("the last backup of {name}, described as {words}, is kept for {days} days as {}", one.id),
        None => format!(
            "the last backup of {name}, described as {words}, was asked for, to be kept for {days} days, and is not to be \
             seen yet: gcloud sql backups list --project={} --filter=type:FINAL shows it",
            gcp.project()
        ),
    }
}

/// Deletes an instance and waits until it is gone.
pub(super) async fn gone(
    gcp: &Gcp,
    name: &str,
    last: Option<(&str, u32)>,
    events: &Events,
) -> Result<(), ProviderError> {
    let at_most = gcp.patience().deleting;
    for _ in 0..super::TRIES {
        match carried(gcp, name, at_most, events, || api::delete(gcp.at(), name, last)).await {
            Err(Trouble::Refused(error)) if error.is_absent() => {}
            Err(Trouble::Refused(error)) if error.maybe_done => {
                idle(gcp, name, at_most, events).await?;
                // It may never have arrived: nothing goes on, and it is there as before.
                let there = api::instance(gcp.at(), name).await?;
                if there.is_some_and(|there| there.state() != "PENDING_DELETE") {
                    continue;
                }
            }
            answer => answer?,
        }
        break;
    }
    until(gcp, at_most, events, || async move {
        Ok(match api::instance(gcp.at(), name).await? {
            None => Ok(()),
            Some(_) => Err("deleting".to_owned()),
        })
    })
    .await
}
