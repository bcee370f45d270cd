//! Alert policies: of CPU, connections, storage, and of how far replicas are behind. Cloud SQL has no metric of read latency for
//! PostgreSQL.

use pgherd_core::catalogue::sizes;
use pgherd_core::resource::{Id, Impact, Kind, Resource};
use pgherd_core::spec::Spec;
use pgherd_core::value::Value;

use super::{channel, instance, listed, props, set};
use crate::names;

/// Its name in an [`Id`].
pub const NAME: &str = "alert";

/// What alarms are about, by the end of their names.
pub const ABOUT: [&str; 4] = ["cpu", "connections", "storage", "replica-lag"];

/// Seconds a replica may be behind before somebody is told, as on the other clouds.
const LAG_S: f64 = 30.0;
/// Of `max_connections`, where no figure is written.
const SHARE_OF_CONNECTIONS: f64 = 0.8;

/// The kind.
pub const KIND: Kind = Kind {
    name: NAME,
    holds_data: false,
    outlives: false,
    fields: &[
        set("filter", Impact::None),
        set("thresholdValue", Impact::None),
        set("comparison", Impact::None),
        set("duration", Impact::None),
        set("crossSeriesReducer", Impact::None),
        listed("notificationChannels", Impact::None),
        set("enabled", Impact::None),
    ],
};

/// The alarms a spec wants.
pub fn wanted(spec: &Spec, project: &str) -> Vec<Resource> {
    let monitoring = &spec.monitoring;
    // Shares are told as fractions, and of what is used.
    let all = [
        ("cpu", "database/cpu/utilization", monitoring.alarm_cpu_percent.map(|percent| percent / 100.0)),
        ("connections", "database/postgresql/num_backends", connections(spec)),
        (
            "storage",
            "database/disk/utilization",
            monitoring.alarm_free_storage_percent.map(|free| (100.0 - free) / 100.0),
        ),
        ("replica-lag", "database/replication/replica_lag", (spec.replicas > 0).then_some(LAG_S)),
    ];
    let alert = |(about, metric, threshold): (&str, &str, Option<f64>)| {
        let instances = match about {
            "replica-lag" => format!("monitoring.regex.full_match(\"{project}:{}-replica-[0-9]+\")", spec.name),
            _ => format!("\"{project}:{}\"", spec.name),
        };
        let filter = format!(
            "metric.type=\"cloudsql.googleapis.com/{metric}\" AND resource.type=\"cloudsql_database\" AND \
             resource.labels.database_id={instances}"
        );
        // Connections are told for each database of an instance.
        let reducer = if about == "connections" { "REDUCE_SUM" } else { "REDUCE_NONE" };
        let channels = channel::told(spec);
        let mut needs = vec![instance::id(spec)];
        needs.extend(channels.iter().flat_map(Value::outputs).map(|(id, _)| id.clone()));
        Some(Resource {
            id: Id::new(NAME, names::alarm(&spec.name, about)),
            props: props([
                ("filter", filter.into()),
                ("thresholdValue", Value::Float(rounded(threshold?))),
                ("comparison", "COMPARISON_GT".into()),
                // Two periods of five minutes, as on the other clouds.
                ("duration", "600s".into()),
                ("crossSeriesReducer", reducer.into()),
                ("notificationChannels", Value::List(channels)),
                ("enabled", true.into()),
            ]),
            needs,
        })
    };
    all.into_iter().filter_map(alert).collect()
}

/// So that 90 % of a fraction is 0.9 and no more digits.
fn rounded(threshold: f64) -> f64 {
    (threshold * 10_000.0).round() / 10_000.0
}

/// How many connections are too many: as written, or a share of what there can be, where that is known.
pub fn connections(spec: &Spec) -> Option<f64> {
    let written = || spec.parameters.get("max_connections").and_then(|most| most.parse::<f64>().ok());
    let by_size = || sizes::find(&spec.size.name).and_then(|size| size.connections_at_most()).map(f64::from);
    let monitoring = &spec.monitoring;
    monitoring.alarm_connections.or_else(|| Some((written().or_else(by_size)? * SHARE_OF_CONNECTIONS).floor()))
}
