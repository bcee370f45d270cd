//! Metric alerts and action groups, found by a tag.

use serde_json::{Value as Json, json};

use super::{At, manager, text};
use crate::call::segment;
use crate::error::AzureError;
use crate::names::last;
use crate::tags::{self, Tags};

const ALERTS: &str = "2018-03-01";
const GROUPS: &str = "2023-01-01";

/// How bad it is: "warning" in Azure's own words.
const SEVERITY: u32 = 2;

/// An alert with one criterion, as all of ours are.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Alert {
    pub(crate) name: String,
    pub(crate) tags: Tags,
    /// The name of the server.
    pub(crate) server: String,
    pub(crate) metric: String,
    pub(crate) threshold: f64,
    pub(crate) operator: String,
    pub(crate) aggregation: String,
    pub(crate) window: String,
    pub(crate) frequency: String,
    /// Paths of action groups.
    pub(crate) actions: Vec<String>,
    pub(crate) enabled: bool,
}

/// An action group.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) tags: Tags,
    pub(crate) addresses: Vec<String>,
    pub(crate) enabled: bool,
}

fn alert_path(at: At<'_>, name: &str) -> String {
    at.of_group(&format!("Microsoft.Insights/metricAlerts/{}", segment(name)), ALERTS)
}

fn group_path(at: At<'_>, name: &str) -> String {
    at.of_group(&format!("Microsoft.Insights/actionGroups/{}", segment(name)), GROUPS)
}

/// The alerts of a resource group.
pub(crate) async fn alerts(at: At<'_>) -> Result<Vec<Alert>, AzureError> {
    let all = at.session.list(&at.of_group("Microsoft.Insights/metricAlerts", ALERTS)).await?;
    Ok(all.iter().filter_map(read).collect())
}

fn read(told: &Json) -> Option<Alert> {
    let of = &told["properties"];
    let criterion = &of["criteria"]["allOf"][0];
    let words = |of: &Json, name: &str| text(of, name).unwrap_or_default();
    let actions = of["actions"].as_array().into_iter().flatten();
    Some(Alert {
        name: text(told, "name")?,
        tags: tags::read(&told["tags"]),
        server: of["scopes"][0].as_str().map(|id| last(id).to_owned()).unwrap_or_default(),
        metric: words(criterion, "metricName"),
        threshold: criterion["threshold"].as_f64().unwrap_or_default(),
        operator: words(criterion, "operator"),
        aggregation: words(criterion, "timeAggregation"),
        window: words(of, "windowSize"),
        frequency: words(of, "evaluationFrequency"),
        actions: actions.filter_map(|action| text(action, "actionGroupId")).collect(),
        enabled: of["enabled"].as_bool().unwrap_or_default(),
    })
}

/// Puts an alert in the place of one of its name.
pub(crate) async fn put_alert(at: At<'_>, alert: &Alert) -> Result<(), AzureError> {
    let actions: Vec<Json> = alert.actions.iter().map(|id| json!({ "actionGroupId": id })).collect();
    let criterion = json!({
        "criterionType": "StaticThresholdCriterion",
        "name": alert.metric,
        "metricNamespace": "Microsoft.DBforPostgreSQL/flexibleServers",
        "metricName": alert.metric,
        "operator": alert.operator,
        "threshold": alert.threshold,
        "timeAggregation": alert.aggregation,
    });
    let body = json!({
        "location": "global",
        "tags": alert.tags,
        "properties": {
            "severity": SEVERITY,
            "enabled": alert.enabled,
            "scopes": [at.server_id(&alert.server)],
            "evaluationFrequency": alert.frequency,
            "windowSize": alert.window,
            "criteria": {
                "odata.type": "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria",
                "allOf": [criterion],
            },
            "autoMitigate": true,
            "actions": actions,
        },
    });
    at.session.put(manager(&alert_path(at, &alert.name)), &body).await.map(drop)
}

/// Removes one.
pub(crate) async fn delete_alert(at: At<'_>, name: &str) -> Result<(), AzureError> {
    at.session.delete(manager(&alert_path(at, name))).await.map(drop)
}

/// The action groups of a resource group.
pub(crate) async fn groups(at: At<'_>) -> Result<Vec<Group>, AzureError> {
    let all = at.session.list(&at.of_group("Microsoft.Insights/actionGroups", GROUPS)).await?;
    let group = |told: &Json| {
        let of = &told["properties"];
        let receivers = of["emailReceivers"].as_array().into_iter().flatten();
        Some(Group {
            id: text(told, "id")?,
            name: text(told, "name")?,
            tags: tags::read(&told["tags"]),
            addresses: receivers.filter_map(|one| text(one, "emailAddress")).collect(),
            enabled: of["enabled"].as_bool().unwrap_or_default(),
        })
    };
    Ok(all.iter().filter_map(group).collect())
}

/// Puts a group in the place of one of its name.
pub(crate) async fn put_group(at: At<'_>, name: &str, worn: &Tags, addresses: &[String]) -> Result<(), AzureError> {
    let receiver = |(index, address): (usize, &String)| json!({ "name": format!("mail-{}", index + 1), "emailAddress": address, "useCommonAlertSchema": true });
    let receivers: Vec<Json> = addresses.iter().enumerate().map(receiver).collect();
    // What stands before a message: 12 signs at most.
    let properties = json!({ "groupShortName": "pgherd", "enabled": true, "emailReceivers": receivers });
    let body = json!({ "location": "Global", "tags": worn, "properties": properties });
    at.session.put(manager(&group_path(at, name)), &body).await.map(drop)
}

/// Removes one.
pub(crate) async fn delete_group(at: At<'_>, name: &str) -> Result<(), AzureError> {
    at.session.delete(manager(&group_path(at, name))).await.map(drop)
}
