//! CloudWatch: alarms and dashboards. It is spoken with in three protocols, and answers the same in each. Nothing is measured here,
//! so an alarm stays without enough data until `SetAlarmState` says otherwise.

pub mod alarms;
pub mod dashboards;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

pub use self::alarms::{Alarm, Alarms};
pub use self::dashboards::Dashboard;

use crate::wire::{Fields, Refusal};

/// The answer to a request.
pub fn answer(
    alarms: &mut Alarms,
    dashboards: &mut BTreeMap<String, Dashboard>,
    region: &str,
    action: &str,
    sent: &Fields,
    now: Timestamp,
) -> Result<Value, Refusal> {
    match action {
        "DeleteAlarms" => alarms::delete(alarms, sent),
        "DeleteDashboards" => dashboards::delete(dashboards, sent),
        "DescribeAlarms" => alarms::describe(alarms, region, sent),
        "DescribeAlarmsForMetric" => alarms::of_metric(alarms, region, sent),
        "DisableAlarmActions" => alarms::enable(alarms, sent, false),
        "EnableAlarmActions" => alarms::enable(alarms, sent, true),
        "GetDashboard" => dashboards::get(dashboards, sent),
        // Nothing is measured, and the answer says so.
        "GetMetricData" => Ok(json!({ "MetricDataResults": [], "Messages": [] })),
        "GetMetricStatistics" => Ok(json!({ "Label": sent.text("MetricName")?, "Datapoints": [] })),
        "ListDashboards" => dashboards::list(dashboards, sent),
        "ListTagsForResource" => alarms::list_tags(alarms, region, sent),
        "PutDashboard" => dashboards::put(dashboards, sent, now),
        "PutMetricAlarm" => alarms::put(alarms, sent, now),
        "SetAlarmState" => alarms::set_state(alarms, sent, now),
        "TagResource" => alarms::tag(alarms, region, sent),
        "UntagResource" => alarms::untag(alarms, region, sent),
        other => Err(Refusal::of("InvalidAction", format!("Could not find operation {other} for version 2010-08-01"))),
    }
}

fn missing(message: impl Into<String>) -> Refusal {
    Refusal::missing("ResourceNotFound", message)
}

fn validation(message: impl Into<String>) -> Refusal {
    Refusal::of("ValidationError", message)
}
