//! The widgets of a dashboard: what a person looks at first, of every server. Pure.
//!
//! The form is "Dashboard body structure and syntax" of the Amazon CloudWatch API Reference. 24 columns.

use pgherd_core::spec::Spec;
use serde_json::{Value, json};

use crate::{alarms, names};

/// Titles, metrics of `AWS/RDS`, and where a line is drawn.
struct Widget {
    title: &'static str,
    metrics: &'static [&'static str],
    line: Option<f64>,
}

/// The body of the dashboard of a spec, as JSON.
pub fn body(spec: &Spec, region: &str) -> String {
    let widgets: Vec<Value> =
        widgets(spec).iter().enumerate().map(|(index, widget)| shown(spec, region, index, widget)).collect();
    json!({ "widgets": widgets }).to_string()
}

fn widgets(spec: &Spec) -> Vec<Widget> {
    let plain = |title, metrics| Widget { title, metrics, line: None };
    let mut widgets = vec![
        Widget { title: "CPU, percent", metrics: &["CPUUtilization"], line: spec.monitoring.alarm_cpu_percent },
        Widget { title: "Connections", metrics: &["DatabaseConnections"], line: alarms::connections(spec) },
        plain("Free storage, bytes", &["FreeStorageSpace"]),
        plain("Free memory, bytes", &["FreeableMemory"]),
        Widget {
            title: "Latency, seconds",
            metrics: &["ReadLatency", "WriteLatency"],
            line: spec.monitoring.alarm_read_latency_s,
        },
        plain("Operations a second", &["ReadIOPS", "WriteIOPS"]),
    ];
    if spec.replicas > 0 {
        widgets.push(plain("Lag of replicas, seconds", &["ReplicaLag"]));
    }
    if spec.size.burstable {
        widgets.push(plain("CPU credits", &["CPUCreditBalance"]));
    }
    widgets
}

fn shown(spec: &Spec, region: &str, index: usize, widget: &Widget) -> Value {
    let replicas = (1..=spec.replicas).map(|number| names::replica(&spec.name, number));
    let servers: Vec<String> = std::iter::once(spec.name.clone()).chain(replicas).collect();
    let metrics: Vec<Value> =
        servers.iter().flat_map(|server| widget.metrics.iter().map(move |metric| metric_of(metric, server))).collect();
    let mut properties = json!({
        "title": widget.title,
        "region": region,
        "view": "timeSeries",
        "stat": "Average",
        "period": 60,
        "metrics": metrics,
    });
    if let Some(line) = widget.line {
        properties["annotations"] = json!({ "horizontal": [{ "label": "alarm", "value": line }] });
    }
    let (x, y) = (index % 2 * 12, index / 2 * 6);
    json!({ "type": "metric", "x": x, "y": y, "width": 12, "height": 6, "properties": properties })
}

fn metric_of(metric: &str, server: &str) -> Value {
    json!(["AWS/RDS", metric, "DBInstanceIdentifier", server, { "label": format!("{server} {metric}") }])
}
