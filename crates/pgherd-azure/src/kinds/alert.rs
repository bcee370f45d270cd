//! Metric alerts: of CPU, connections, storage, and of how far replicas are behind. Azure has no metric of read latency.

use pgherd_core::catalogue::sizes;
use pgherd_core::resource::{Id, Impact, Kind, Resource};
use pgherd_core::spec::Spec;
use pgherd_core::value::Value;

use super::{action_group, listed, props, replica, server, set};
use crate::around::Around;
use crate::names;

/// Its name in an [`Id`].
pub const NAME: &str = "alert";

/// Seconds a replica may be behind before somebody is told, as on the other clouds.
const LAG_S: f64 = 30.0;
/// Of the connections there can be, where no figure is written.
const SHARE_OF_CONNECTIONS: f64 = 0.8;
/// Connections that Azure keeps for itself.
const RESERVED: f64 = 15.0;

/// The kind.
pub const KIND: Kind = Kind {
    name: NAME,
    holds_data: false,
    outlives: false,
    fields: &[
        set("server", Impact::None),
        set("metricName", Impact::None),
        set("threshold", Impact::None),
        set("operator", Impact::None),
        set("timeAggregation", Impact::None),
        set("windowSize", Impact::None),
        set("evaluationFrequency", Impact::None),
        listed("actions", Impact::None),
        set("enabled", Impact::None),
    ],
};

/// The alarms a spec wants.
pub fn wanted(spec: &Spec, around: &Around) -> Vec<Resource> {
    let monitoring = &spec.monitoring;
    let primary = server::id(spec);
    let of_primary = [
        ("cpu", "cpu_percent", monitoring.alarm_cpu_percent),
        ("connections", "active_connections", connections(spec)),
        ("storage", "storage_percent", monitoring.alarm_free_storage_percent.map(|free| 100.0 - free)),
    ];
    let of_primary = of_primary.into_iter().filter_map(|(about, metric, threshold)| {
        Some(one(spec, &primary, &names::alarm(&spec.name, about), metric, threshold?))
    });
    let lags = replica::wanted(spec, around).into_iter().map(|replica| {
        let name = names::alarm(&replica.id.name, "lag");
        one(spec, &replica.id, &name, "physical_replication_delay_in_seconds", LAG_S)
    });
    of_primary.chain(lags).collect()
}

fn one(spec: &Spec, of: &Id, name: &str, metric: &str, threshold: f64) -> Resource {
    let actions = action_group::told(spec);
    let mut needs = vec![of.clone()];
    needs.extend(actions.iter().flat_map(Value::outputs).map(|(id, _)| id.clone()));
    let props = props([
        ("server", of.name.as_str().into()),
        ("metricName", metric.into()),
        ("threshold", Value::Float(threshold)),
        ("operator", "GreaterThan".into()),
        ("timeAggregation", "Average".into()),
        // Azure knows no periods that have to pass in a row: two of five minutes are one of the next length up.
        ("windowSize", "PT15M".into()),
        ("evaluationFrequency", "PT5M".into()),
        ("actions", Value::List(actions)),
        ("enabled", true.into()),
    ]);
    Resource { id: Id::new(NAME, name), props, needs }
}

/// How many connections are too many: as written, or a share of what users can have, where that is known.
pub fn connections(spec: &Spec) -> Option<f64> {
    spec.monitoring.alarm_connections.or_else(|| Some((most(spec)? * SHARE_OF_CONNECTIONS).floor()))
}

/// How many connections users can have.
pub fn most(spec: &Spec) -> Option<f64> {
    let written = spec.parameters.get("max_connections").and_then(|most| most.parse::<f64>().ok());
    let by_size = || sizes::find(&spec.size.name).and_then(|size| size.connections_at_most()).map(f64::from);
    Some((written.or_else(by_size)? - RESERVED).max(1.0))
}
