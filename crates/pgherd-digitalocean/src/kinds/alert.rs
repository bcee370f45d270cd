//! Alerts: of CPU and of storage. DigitalOcean has none of connections and of latency, and tells people only.

use pgherd_core::resource::{Id, Impact, Kind, Resource};
use pgherd_core::spec::{Setting, Spec};
use pgherd_core::value::Value;

use super::{cluster, listed, props, set};
use crate::names;

/// Its name in an [`Id`].
pub const NAME: &str = "alert";

/// What a description ends with, by which an alert of ours is told.
pub const WORDS: &str = ", kept by pgherd";

/// What alerts are about, by the end of their names.
pub const ABOUT: [&str; 2] = ["cpu", "storage"];

/// The kind.
pub const KIND: Kind = Kind {
    name: NAME,
    holds_data: false,
    outlives: false,
    fields: &[
        set("type", Impact::None),
        set("compare", Impact::None),
        set("value", Impact::None),
        set("window", Impact::None),
        listed("entities", Impact::None),
        listed("emails", Impact::None),
        set("enabled", Impact::None),
    ],
};

/// The alerts a spec wants: none where nobody would be told.
pub fn wanted(spec: &Spec) -> Vec<Resource> {
    let emails = emails(spec);
    if emails.is_empty() {
        return Vec::new();
    }
    let monitoring = &spec.monitoring;
    // It measures what is used.
    let used = monitoring.alarm_free_storage_percent.map(|free| 100.0 - free);
    let both = [
        (ABOUT[0], "v1/dbaas/alerts/cpu_alerts", monitoring.alarm_cpu_percent),
        (ABOUT[1], "v1/dbaas/alerts/disk_utilization_alerts", used),
    ];
    let alert = |(about, metric, value): (&str, &str, Option<f64>)| {
        Some(Resource {
            id: Id::new(NAME, names::alarm(&spec.name, about)),
            props: props([
                ("type", metric.into()),
                ("compare", "GreaterThan".into()),
                ("value", Value::Float(value?)),
                // Two periods of five minutes, as on the other clouds.
                ("window", "10m".into()),
                ("entities", Value::List(vec![Value::output(cluster::id(spec), cluster::ID.to_owned())])),
                ("emails", Value::List(emails.clone())),
                ("enabled", true.into()),
            ]),
            needs: vec![cluster::id(spec)],
        })
    };
    both.into_iter().filter_map(alert).collect()
}

/// The description of an alert, which is all it can be found by.
pub fn description(name: &str) -> String {
    format!("{name}{WORDS}")
}

/// Who is told.
pub fn emails(spec: &Spec) -> Vec<Value> {
    let targets = spec.monitoring.alarm_targets.iter().filter_map(|target| match target {
        Setting::Known(text) if text.contains('@') && !text.contains("://") => Some(Value::text(text)),
        Setting::Unknown(reference) => Some(Value::Unknown(reference.clone())),
        Setting::Known(_) | Setting::Unset => None,
    });
    targets.collect()
}
