//! Alert policies: they have no name, so a description of our own tells which one it is.

use serde_json::{Value as Json, json};

use super::{text, texts};
use crate::call::segment;
use crate::error::DoError;
use crate::session::Session;

const PATH: &str = "/v2/monitoring/alerts";

/// A policy.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Alert {
    /// Empty for one that is to be made.
    pub(crate) uuid: String,
    pub(crate) metric: String,
    pub(crate) description: String,
    pub(crate) compare: String,
    pub(crate) value: f64,
    pub(crate) window: String,
    pub(crate) entities: Vec<String>,
    pub(crate) emails: Vec<String>,
    pub(crate) enabled: bool,
    /// Channels that somebody else added, which are kept.
    pub(crate) slack: Json,
}

/// All policies of the account.
pub(crate) async fn alerts(session: &Session) -> Result<Vec<Alert>, DoError> {
    Ok(session.list(PATH, "policies").await?.iter().map(read).collect())
}

/// Makes one.
pub(crate) async fn create_alert(session: &Session, alert: &Alert) -> Result<(), DoError> {
    session.post(PATH, &body(alert)).await.map(drop)
}

/// Changes one.
pub(crate) async fn update_alert(session: &Session, alert: &Alert) -> Result<(), DoError> {
    session.put(&format!("{PATH}/{}", segment(&alert.uuid)), &body(alert)).await.map(drop)
}

/// Removes one.
pub(crate) async fn delete_alert(session: &Session, uuid: &str) -> Result<(), DoError> {
    session.delete(&format!("{PATH}/{}", segment(uuid)), None).await
}

fn read(told: &Json) -> Alert {
    // The example of the description has numbers among them.
    let entity = |item: &Json| item.as_str().map_or_else(|| item.to_string(), str::to_owned);
    Alert {
        uuid: text(told, "uuid").unwrap_or_default(),
        metric: text(told, "type").unwrap_or_default(),
        description: text(told, "description").unwrap_or_default(),
        compare: text(told, "compare").unwrap_or_default(),
        value: told["value"].as_f64().unwrap_or_default(),
        window: text(told, "window").unwrap_or_default(),
        entities: told["entities"].as_array().into_iter().flatten().map(entity).collect(),
        emails: texts(&told["alerts"], "email").unwrap_or_default(),
        enabled: told["enabled"].as_bool().unwrap_or_default(),
        slack: told["alerts"]["slack"].clone(),
    }
}

fn body(alert: &Alert) -> Json {
    let slack = if alert.slack.is_array() { alert.slack.clone() } else { json!([]) };
    json!({
        "type": alert.metric,
        "description": alert.description,
        "compare": alert.compare,
        "value": alert.value,
        "window": alert.window,
        "entities": alert.entities,
        "tags": [],
        "alerts": { "email": alert.emails, "slack": slack },
        "enabled": alert.enabled,
    })
}
