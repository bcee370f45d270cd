//! Instances, and the operations that change them: made, looked at, changed, restarted, failed over, promoted, cloned, deleted.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use super::{At, labels, text};
use crate::call::segment;
use crate::error::GcpError;
use crate::labels::Labels;
use crate::session::Service::Sql;

/// An instance, as it is told: fields of next year stay in it.
#[derive(Debug, Clone)]
pub(crate) struct Instance(pub(crate) Json);

impl Instance {
    pub(crate) fn name(&self) -> &str {
        self.0["name"].as_str().unwrap_or_default()
    }

    pub(crate) fn state(&self) -> &str {
        self.0["state"].as_str().unwrap_or_default()
    }

    /// Whether somebody stopped it. It is `RUNNABLE` all the same.
    pub(crate) fn is_stopped(&self) -> bool {
        self.0["settings"]["activationPolicy"] == "NEVER"
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.0["databaseVersion"].as_str().is_some_and(|version| version.starts_with("POSTGRES_"))
    }

    pub(crate) fn labels(&self) -> Labels {
        labels(&self.0["settings"]["userLabels"])
    }

    pub(crate) fn settings_version(&self) -> Option<&str> {
        self.0["settings"]["settingsVersion"].as_str()
    }

    /// The instance that it follows.
    pub(crate) fn source(&self) -> Option<&str> {
        let source = self.0["masterInstanceName"].as_str().filter(|name| !name.is_empty())?;
        Some(source.rsplit_once(':').map_or(source, |(_, name)| name))
    }

    /// The instances that follow it.
    pub(crate) fn replicas(&self) -> Vec<String> {
        let names = self.0["replicaNames"].as_array().into_iter().flatten();
        names.filter_map(|name| name.as_str().map(str::to_owned)).collect()
    }

    /// Where it is reached, by what Google calls the address: `PRIMARY` from the internet, `PRIVATE` from its network.
    pub(crate) fn address(&self, kind: &str) -> Option<String> {
        let mut all = self.0["ipAddresses"].as_array().into_iter().flatten();
        all.find(|one| one["type"] == kind).and_then(|one| text(one, "ipAddress"))
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        text(&self.0, name)
    }

    pub(crate) fn setting(&self, name: &str) -> Option<&str> {
        self.0["settings"][name].as_str()
    }
}

/// Something that goes on.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) name: String,
    /// What it is: `UPDATE`.
    pub(crate) kind: String,
    pub(crate) is_done: bool,
    /// Why it came to nothing: a code and words. An operation that is done may have failed.
    pub(crate) error: Option<(String, String)>,
    pub(crate) inserted: Option<String>,
    pub(crate) user: Option<String>,
}

impl Operation {
    pub(super) fn read(told: &Json) -> Self {
        let error = told.pointer("/error/errors/0");
        Self {
            name: text(told, "name").unwrap_or_default(),
            kind: text(told, "operationType").unwrap_or_default(),
            is_done: told["status"] == "DONE",
            error: error
                .map(|error| (text(error, "code").unwrap_or_default(), text(error, "message").unwrap_or_default())),
            inserted: text(told, "insertTime"),
            user: text(told, "user"),
        }
    }
}

/// One by its name.
pub(crate) async fn instance(at: At<'_>, name: &str) -> Result<Option<Instance>, GcpError> {
    let found = at.session.find(Sql, &at.within(name, "")).await?;
    Ok(found.map(Instance))
}

/// Has one made.
pub(crate) async fn create(at: At<'_>, body: &Json) -> Result<Operation, GcpError> {
    at.session.post(Sql, &at.sql("/instances"), body).await.map(|told| Operation::read(&told))
}

/// Changes one, if it is still as it was looked at.
pub(crate) async fn patch(at: At<'_>, there: &Instance, mut body: Json) -> Result<Operation, GcpError> {
    if let Some(version) = there.settings_version() {
        body["settings"]["settingsVersion"] = version.into();
    }
    at.session.patch_once(Sql, &at.within(there.name(), ""), &body).await.map(|told| Operation::read(&told))
}

/// Deletes one. With a text, a last backup is kept, described by it.
pub(crate) async fn delete(at: At<'_>, name: &str, last_backup: Option<(&str, u32)>) -> Result<Operation, GcpError> {
    let query = last_backup.map(|(words, days)| {
        format!("?enableFinalBackup=true&finalBackupTtlDays={days}&finalBackupDescription={}", segment(words))
    });
    let path = at.within(name, &query.unwrap_or_default());
    at.session.delete(Sql, &path).await.map(|told| Operation::read(&told))
}

/// Restarts one.
pub(crate) async fn restart(at: At<'_>, name: &str) -> Result<Operation, GcpError> {
    at.session.post(Sql, &at.within(name, "/restart"), &json!({})).await.map(|told| Operation::read(&told))
}

/// Has its standby take over.
pub(crate) async fn failover(at: At<'_>, there: &Instance) -> Result<Operation, GcpError> {
    let body = json!({ "failoverContext": { "settingsVersion": there.settings_version() } });
    at.session.post(Sql, &at.within(there.name(), "/failover"), &body).await.map(|told| Operation::read(&told))
}

/// Makes a replica an instance of its own.
pub(crate) async fn promote(at: At<'_>, name: &str) -> Result<Operation, GcpError> {
    at.session.post(Sql, &at.within(name, "/promoteReplica"), &json!({})).await.map(|told| Operation::read(&told))
}

/// Makes an instance that is what another was at a moment; without one, as it is now.
pub(crate) async fn clone(at: At<'_>, name: &str, to: &str, moment: Option<&str>) -> Result<Operation, GcpError> {
    let mut context = json!({ "destinationInstanceName": to });
    if let Some(moment) = moment {
        context["pointInTime"] = moment.into();
    }
    let body = json!({ "cloneContext": context });
    at.session.post(Sql, &at.within(name, "/clone"), &body).await.map(|told| Operation::read(&told))
}

/// An operation by its name.
pub(crate) async fn operation(at: At<'_>, name: &str) -> Result<Operation, GcpError> {
    at.session.get(Sql, &at.sql(&format!("/operations/{}", segment(name)))).await.map(|told| Operation::read(&told))
}

/// The operations on an instance, newest first: the first page, which has those that go on.
pub(crate) async fn running(at: At<'_>, name: &str) -> Result<Vec<Operation>, GcpError> {
    let path = at.sql(&format!("/operations?instance={}&maxResults=50", segment(name)));
    let told = at.session.get(Sql, &path).await?;
    Ok(told["items"].as_array().into_iter().flatten().map(Operation::read).collect())
}

/// Every operation on an instance that is remembered. Another one may have had its name before.
pub(crate) async fn operations(at: At<'_>, there: &Instance) -> Result<Vec<Operation>, GcpError> {
    let path = at.sql(&format!("/operations?instance={}&maxResults=500", segment(there.name())));
    let moment = |told: Option<&str>| told.and_then(|told| told.parse::<Timestamp>().ok());
    // The clocks of two of Google's need not agree to the second.
    let made_at =
        moment(there.0["createTime"].as_str()).and_then(|at| at.checked_sub(SignedDuration::from_mins(1)).ok());
    let mut all: Vec<Operation> = at.session.list(Sql, &path, "items").await?.iter().map(Operation::read).collect();
    all.retain(|one| moment(one.inserted.as_deref()) >= made_at);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An operation that is done may have failed, and one in words of next year goes on.
    #[test]
    fn what_is_done_is_not_always_well() {
        let failed =
            json!({ "name": "o", "status": "DONE", "error": { "errors": [{ "code": "QUOTA", "message": "no" }] } });
        assert_eq!(Operation::read(&failed).error, Some(("QUOTA".to_owned(), "no".to_owned())));
        assert!(!Operation::read(&json!({ "name": "o", "status": "THINKING" })).is_done);
    }

    #[test]
    fn a_replica_tells_its_primary_with_its_project() {
        let told = json!({ "name": "orders-replica-1", "masterInstanceName": "p:orders" });
        assert_eq!(Instance(told).source(), Some("orders"));
    }
}
