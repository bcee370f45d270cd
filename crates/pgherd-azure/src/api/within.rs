//! What is in a server: configurations, firewall rules, databases.

use serde_json::{Value as Json, json};

use super::{At, Begun, manager, text};
use crate::call::segment;
use crate::error::AzureError;

/// A configuration: a setting of PostgreSQL, or of what Azure puts beside it.
#[derive(Debug, Clone)]
pub(crate) struct Configuration {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) default: String,
    /// `Boolean`, `Integer`, `Numeric`, `Enumeration`, `Set`, `String`.
    pub(crate) kind: String,
    /// `25-5000`, `on,off`, or a pattern.
    pub(crate) allowed: String,
    pub(crate) unit: Option<String>,
    pub(crate) description: String,
    /// Whether somebody set it.
    pub(crate) is_set: bool,
    pub(crate) is_dynamic: bool,
    pub(crate) is_read_only: bool,
    pub(crate) waits: bool,
}

/// The configurations of a server.
pub(crate) async fn configurations(at: At<'_>, server: &str) -> Result<Vec<Configuration>, AzureError> {
    let all = at.session.list(&at.of_server(server, "/configurations")).await?;
    Ok(all.iter().filter_map(configuration).collect())
}

fn configuration(told: &Json) -> Option<Configuration> {
    let of = &told["properties"];
    let words = |name: &str| text(of, name).unwrap_or_default();
    let is = |name: &str| of[name].as_bool().unwrap_or_default();
    Some(Configuration {
        name: text(told, "name")?,
        value: words("value"),
        default: words("defaultValue"),
        kind: words("dataType"),
        allowed: words("allowedValues"),
        unit: text(of, "unit"),
        description: words("description"),
        is_set: of["source"] == "user-override",
        is_dynamic: is("isDynamicConfig"),
        is_read_only: is("isReadOnly"),
        waits: is("isConfigPendingRestart"),
    })
}

/// Sets one.
pub(crate) async fn set(at: At<'_>, server: &str, name: &str, value: &str) -> Result<Begun, AzureError> {
    given(at, server, name, &json!({ "properties": { "value": value, "source": "user-override" } })).await
}

/// Gives one its default.
pub(crate) async fn reset(at: At<'_>, server: &str, of: &Configuration) -> Result<Begun, AzureError> {
    given(at, server, &of.name, &json!({ "properties": { "value": of.default, "source": "system-default" } })).await
}

async fn given(at: At<'_>, server: &str, name: &str, body: &Json) -> Result<Begun, AzureError> {
    let path = at.of_server(server, &format!("/configurations/{}", segment(name)));
    Ok(at.session.patch(manager(&path), body).await?.into())
}

/// A firewall rule.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) first: String,
    pub(crate) last: String,
}

impl Rule {
    /// As it is compared.
    pub(crate) fn range(&self) -> String {
        format!("{}-{}", self.first, self.last)
    }
}

/// The firewall rules of a server.
pub(crate) async fn rules(at: At<'_>, server: &str) -> Result<Vec<Rule>, AzureError> {
    let all = at.session.list(&at.of_server(server, "/firewallRules")).await?;
    let rule = |told: &Json| {
        let of = &told["properties"];
        Some(Rule { name: text(told, "name")?, first: text(of, "startIpAddress")?, last: text(of, "endIpAddress")? })
    };
    Ok(all.iter().filter_map(rule).collect())
}

/// Puts a rule in the place of one of its name.
pub(crate) async fn put_rule(at: At<'_>, server: &str, rule: &Rule) -> Result<Begun, AzureError> {
    let body = json!({ "properties": { "startIpAddress": rule.first, "endIpAddress": rule.last } });
    let path = at.of_server(server, &format!("/firewallRules/{}", segment(&rule.name)));
    Ok(at.session.put(manager(&path), &body).await?.into())
}

/// Removes a rule.
pub(crate) async fn delete_rule(at: At<'_>, server: &str, name: &str) -> Result<Begun, AzureError> {
    let path = at.of_server(server, &format!("/firewallRules/{}", segment(name)));
    Ok(at.session.delete(manager(&path)).await?.into())
}

/// The databases of a server.
pub(crate) async fn databases(at: At<'_>, server: &str) -> Result<Vec<String>, AzureError> {
    let all = at.session.list(&at.of_server(server, "/databases")).await?;
    Ok(all.iter().filter_map(|told| text(told, "name")).collect())
}

/// Makes a database.
pub(crate) async fn add_database(at: At<'_>, server: &str, name: &str) -> Result<Begun, AzureError> {
    let body = json!({ "properties": { "charset": "UTF8", "collation": "en_US.utf8" } });
    let path = at.of_server(server, &format!("/databases/{}", segment(name)));
    Ok(at.session.put(manager(&path), &body).await?.into())
}
