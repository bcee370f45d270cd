//! Alert policies and notification channels, found by a label.

use serde_json::{Value as Json, json};

use super::{At, labels, text};
use crate::call::segment;
use crate::error::GcpError;
use crate::labels::{ALARM, BLOCK, Labels};
use crate::names;
use crate::session::Service::Monitoring;

/// A policy with one condition, as all of ours are.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Alert {
    /// `projects/p/alertPolicies/1`; empty for one that is to be made.
    pub(crate) name: String,
    pub(crate) display: String,
    pub(crate) labels: Labels,
    pub(crate) filter: String,
    pub(crate) threshold: f64,
    pub(crate) comparison: String,
    pub(crate) duration: String,
    pub(crate) reducer: String,
    pub(crate) channels: Vec<String>,
    pub(crate) enabled: bool,
}

/// A channel.
#[derive(Debug, Clone)]
pub(crate) struct Channel {
    /// `projects/p/notificationChannels/1`.
    pub(crate) name: String,
    pub(crate) labels: Labels,
    pub(crate) address: Option<String>,
    pub(crate) enabled: bool,
}

impl At<'_> {
    fn monitoring(self, what: &str) -> String {
        format!("v3/projects/{}/{what}", segment(self.project))
    }

    /// Of one database.
    fn labelled(self, what: &str, database: &str) -> String {
        let filter = format!("user_labels.{BLOCK}=\"{database}\"");
        self.monitoring(&format!("{what}?pageSize=500&filter={}", segment(&filter)))
    }
}

/// The policies of a database.
pub(crate) async fn alerts(at: At<'_>, database: &str) -> Result<Vec<Alert>, GcpError> {
    let told = at.session.list(Monitoring, &at.labelled("alertPolicies", database), "alertPolicies").await?;
    let mut all: Vec<Alert> = told.iter().filter_map(read).collect();
    // A copy wears the same labels: the one that is named as ours comes first.
    let is_named =
        |one: &Alert| one.labels.get(ALARM).is_some_and(|about| one.display == names::alarm(database, about));
    all.sort_by_key(|one| (!is_named(one), one.name.clone()));
    Ok(all)
}

/// Makes one.
pub(crate) async fn create_alert(at: At<'_>, alert: &Alert) -> Result<(), GcpError> {
    at.session.post(Monitoring, &at.monitoring("alertPolicies"), &body(alert)).await.map(drop)
}

/// Changes one.
pub(crate) async fn update_alert(at: At<'_>, alert: &Alert) -> Result<(), GcpError> {
    let mask = "displayName,userLabels,conditions,combiner,enabled,notificationChannels";
    at.session.patch(Monitoring, &format!("v3/{}?updateMask={mask}", alert.name), &body(alert)).await.map(drop)
}

/// Removes one.
pub(crate) async fn delete_alert(at: At<'_>, name: &str) -> Result<(), GcpError> {
    gone(at.session.delete(Monitoring, &format!("v3/{name}")).await)
}

/// The channels of a database.
pub(crate) async fn channels(at: At<'_>, database: &str) -> Result<Vec<Channel>, GcpError> {
    let path = at.labelled("notificationChannels", database);
    let told = at.session.list(Monitoring, &path, "notificationChannels").await?;
    let channel = |told: &Json| {
        Some(Channel {
            name: text(told, "name")?,
            labels: labels(&told["userLabels"]),
            address: text(&told["labels"], "email_address"),
            enabled: told["enabled"].as_bool().unwrap_or(true),
        })
    };
    let mut all: Vec<Channel> = told.iter().filter_map(channel).collect();
    all.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(all)
}

/// Makes one that writes mail.
pub(crate) async fn create_channel(at: At<'_>, database: &str, address: &str) -> Result<(), GcpError> {
    let body = json!({
        "type": "email",
        "displayName": format!("{database}: {address}"),
        "labels": { "email_address": address },
        "userLabels": { BLOCK: database },
        "enabled": true,
    });
    at.session.post(Monitoring, &at.monitoring("notificationChannels"), &body).await.map(drop)
}

/// Turns one on.
pub(crate) async fn update_channel(at: At<'_>, name: &str) -> Result<(), GcpError> {
    let path = format!("v3/{name}?updateMask=enabled");
    at.session.patch(Monitoring, &path, &json!({ "enabled": true })).await.map(drop)
}

/// Removes one.
pub(crate) async fn delete_channel(at: At<'_>, name: &str) -> Result<(), GcpError> {
    gone(at.session.delete(Monitoring, &format!("v3/{name}")).await)
}

fn gone(answer: Result<Json, GcpError>) -> Result<(), GcpError> {
    match answer {
        Err(error) if !error.is_absent() => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn read(told: &Json) -> Option<Alert> {
    let threshold = &told["conditions"][0]["conditionThreshold"];
    let channels = told["notificationChannels"].as_array().into_iter().flatten();
    let labels = labels(&told["userLabels"]);
    labels.contains_key(ALARM).then_some(())?;
    Some(Alert {
        name: text(told, "name")?,
        display: text(told, "displayName").unwrap_or_default(),
        labels,
        filter: text(threshold, "filter").unwrap_or_default(),
        // Nothing is how a 0 is told.
        threshold: threshold["thresholdValue"].as_f64().unwrap_or_default(),
        comparison: text(threshold, "comparison").unwrap_or_default(),
        duration: text(threshold, "duration").unwrap_or_default(),
        reducer: text(&threshold["aggregations"][0], "crossSeriesReducer").unwrap_or_else(|| "REDUCE_NONE".to_owned()),
        channels: channels.filter_map(|name| name.as_str().map(str::to_owned)).collect(),
        enabled: told["enabled"].as_bool().unwrap_or(true),
    })
}

fn body(alert: &Alert) -> Json {
    let mut aggregation = json!({ "alignmentPeriod": "300s", "perSeriesAligner": "ALIGN_MEAN" });
    if alert.reducer != "REDUCE_NONE" {
        aggregation["crossSeriesReducer"] = alert.reducer.as_str().into();
        aggregation["groupByFields"] = json!(["resource.label.database_id"]);
    }
    json!({
        "displayName": alert.display,
        "userLabels": alert.labels,
        "combiner": "OR",
        "enabled": alert.enabled,
        "notificationChannels": alert.channels,
        "conditions": [{
            "displayName": alert.display,
            "conditionThreshold": {
                "filter": alert.filter,
                "aggregations": [aggregation],
                "comparison": alert.comparison,
                "thresholdValue": alert.threshold,
                "duration": alert.duration,
                "trigger": { "count": 1 },
            },
        }],
    })
}
