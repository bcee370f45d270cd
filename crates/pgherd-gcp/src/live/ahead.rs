//! What replicas need before their primary has it. One with fewer connections, processes or locks than its primary cannot follow it: what
//! grows, grows in them first, and what shrinks, shrinks in them last, by their own steps. So it is with the machine, by whose memory Cloud
//! SQL chooses what is not written.

use pgherd_core::catalogue::parameters;
use pgherd_core::catalogue::sizes;
use pgherd_core::plan::Change;
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};

use super::instance::changed;
use crate::api::Instance;
use crate::fields::{self, FLAGS};
use crate::observe::{ours, replicas};
use crate::provider::Gcp;

/// The settings that a standby needs at least as much of as its primary has (PostgreSQL documentation, "Hot Standby").
const AT_LEAST: [&str; 5] = [
    "max_connections",
    "max_worker_processes",
    "max_wal_senders",
    "max_prepared_transactions",
    "max_locks_per_transaction",
];

/// The larger edition.
const PLUS: &str = "ENTERPRISE_PLUS";

/// Has the replicas of an instance have what it is about to grow to. Their own steps find it done.
pub(super) async fn grown(gcp: &Gcp, name: &str, changes: &[Change], events: &Events) -> Result<(), ProviderError> {
    if !changes.iter().any(|change| is_flag(&change.field) || is_machine(&change.field)) {
        return Ok(());
    }
    let source = ours(gcp, name).await?;
    for replica in replicas(gcp, &source).await? {
        // What is not ours is left alone, and Cloud SQL refuses the primary if that does not fit.
        if !gcp.is_ours(&replica.labels(), name) {
            continue;
        }
        let (machine, flags): (Vec<Change>, Vec<Change>) =
            growing(&replica, changes).into_iter().partition(|change| is_machine(&change.field));
        for group in [machine, flags].iter().filter(|group| !group.is_empty()) {
            match changed(gcp, replica.name(), &group.iter().collect::<Vec<_>>(), events).await {
                // A step beside this one has deleted it meanwhile.
                Err(error) if error.kind == ErrorKind::NotFound => break,
                answer => answer?,
            }
        }
    }
    Ok(())
}

/// The changes of a primary that a replica has to have first.
fn growing(replica: &Instance, changes: &[Change]) -> Vec<Change> {
    let live = fields::read(&replica.0);
    let machine: Vec<&Change> = changes.iter().filter(|change| is_machine(&change.field)).collect();
    let has = |field: &str| live.get(field).and_then(Value::as_text).unwrap_or_default();
    let to = |field: &str| {
        let wanted = machine.iter().find(|change| change.field == field).and_then(|change| change.to.as_text());
        wanted.unwrap_or_else(|| has(field))
    };
    let grows = is_larger((has("edition"), has("tier")), (to("edition"), to("tier")));
    let with = |change: &Change, from: Value| (from != change.to).then(|| Change { from, ..change.clone() });
    let machine = machine.iter().filter(|_| grows);
    let machine = machine.filter_map(|change| with(change, live.get(&change.field).cloned().unwrap_or(Value::Null)));
    let flags = changes.iter().filter_map(|change| {
        let name = change.field.strip_prefix(FLAGS)?.strip_prefix('.').filter(|name| AT_LEAST.contains(name))?;
        let now = flag(&live, name);
        let is_more = number(name, &change.to, to("tier")) > number(name, &now, has("tier"));
        if is_more { with(change, now) } else { None }
    });
    machine.chain(flags).collect()
}

fn is_machine(field: &str) -> bool {
    ["tier", "edition"].contains(&field)
}

fn is_flag(field: &str) -> bool {
    field.strip_prefix(FLAGS).and_then(|rest| rest.strip_prefix('.')).is_some_and(|name| AT_LEAST.contains(&name))
}

fn flag(live: &Props, name: &str) -> Value {
    live.get(FLAGS).and_then(|all| all.as_map()?.get(name)).cloned().unwrap_or(Value::Null)
}

/// Memory below which Cloud SQL takes so many connections where none are written, in MiB (Cloud SQL documentation, "Configure database
/// flags", by heart and not verified). Only an order is made of it: which of the two is changed first.
const BY_MEMORY: [(u64, i64); 8] =
    [(1024, 25), (3840, 50), (6144, 100), (7680, 200), (15_360, 400), (30_720, 500), (61_440, 600), (122_880, 800)];
const AT_MOST: i64 = 1000;

/// What a flag comes to, in whole numbers; not written it is what Cloud SQL chooses, else PostgreSQL's own default.
fn number(name: &str, value: &Value, tier: &str) -> Option<i64> {
    match value.as_text() {
        Some(text) => text.parse().ok(),
        None if name == "max_connections" => {
            let memory = sizes::find(tier)?.memory_mib;
            Some(BY_MEMORY.iter().find(|(below, _)| memory < *below).map_or(AT_MOST, |(_, most)| *most))
        }
        None => parameters::newest(name).and_then(|known| known.boot.parse().ok()),
    }
}

/// Whether a machine is larger than another: of the larger edition, or with more memory.
fn is_larger(before: (&str, &str), after: (&str, &str)) -> bool {
    let memory = |tier: &str| sizes::find(tier).map(|size| size.memory_mib);
    match (before.0 == PLUS, after.0 == PLUS) {
        (false, true) => true,
        (true, false) => false,
        _ => memory(after.1) > memory(before.1),
    }
}

#[cfg(test)]
mod tests {
    use pgherd_core::plan::When;
    use pgherd_core::resource::Impact;
    use serde_json::json;

    use super::*;

    fn change(field: &str, from: &str, to: &str) -> Change {
        let value = |text: &str| if text.is_empty() { Value::Null } else { Value::text(text) };
        let (from, to) = (value(from), value(to));
        Change { field: field.to_owned(), from, to, impact: Impact::None, when: When::Now }
    }

    #[track_caller]
    fn check(tier: &str, connections: &str, changes: &[Change], expected: &[&str]) {
        let mut told = json!({ "name": "r", "settings": { "tier": tier, "edition": "ENTERPRISE" } });
        if !connections.is_empty() {
            told["settings"]["databaseFlags"] = json!([{ "name": "max_connections", "value": connections }]);
        }
        let said: Vec<String> = growing(&Instance(told), changes)
            .iter()
            .map(|change| format!("{} {} -> {}", change.field, change.from, change.to))
            .collect();
        assert_eq!(said, expected);
    }

    #[test]
    fn what_grows_grows_in_replicas_first() {
        let flag = |from: &str, to: &str| change("databaseFlags.max_connections", from, to);
        let raised = ["databaseFlags.max_connections 200 -> 300"];
        check("db-custom-2-7680", "200", &[flag("200", "300")], &raised);
        check("db-custom-2-7680", "200", &[flag("200", "100")], &[]);
        // A run that was cut short has done it.
        check("db-custom-2-7680", "300", &[flag("200", "300")], &[]);
        check("db-custom-2-7680", "200", &[change("databaseFlags.work_mem", "1", "2")], &[]);
        check("db-f1-micro", "", &[flag("", "40")], &["databaseFlags.max_connections (none) -> 40"]);
        check("db-f1-micro", "", &[flag("", "20")], &[]);
        check("db-custom-2-7680", "200", &[flag("200", "")], &["databaseFlags.max_connections 200 -> (none)"]);
        check("db-custom-2-7680", "500", &[flag("500", "")], &[]);
        let tier = |to: &str| change("tier", "db-custom-2-7680", to);
        check("db-custom-2-7680", "", &[tier("db-custom-4-16384")], &["tier db-custom-2-7680 -> db-custom-4-16384"]);
        check("db-custom-2-7680", "", &[tier("db-custom-1-3840")], &[]);
        let plus = [change("edition", "ENTERPRISE", "ENTERPRISE_PLUS"), tier("db-perf-optimized-N-2")];
        let both = ["edition ENTERPRISE -> ENTERPRISE_PLUS", "tier db-custom-2-7680 -> db-perf-optimized-N-2"];
        check("db-custom-2-7680", "", &plus, &both);
    }
}
