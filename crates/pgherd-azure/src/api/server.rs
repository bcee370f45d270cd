//! Servers, and what is done to them: made, looked at, changed, restarted, failed over, deleted; and how what goes on is followed.

use std::time::Duration;

use pgherd_core::secret::Secret;
use serde_json::{Value as Json, json};

use super::{At, manager, text};
use crate::call::Answer;
use crate::error::{AzureError, told};
use crate::names::last;
use crate::session::{Asked, Session};
use crate::tags::{self, Tags};

/// A server, as it is told: fields of next year stay in it.
#[derive(Debug, Clone)]
pub(crate) struct Server(pub(crate) Json);

impl Server {
    pub(crate) fn name(&self) -> &str {
        self.0["name"].as_str().unwrap_or_default()
    }

    pub(crate) fn id(&self) -> &str {
        self.0["id"].as_str().unwrap_or_default()
    }

    pub(crate) fn state(&self) -> &str {
        self.0["properties"]["state"].as_str().unwrap_or_default()
    }

    pub(crate) fn tags(&self) -> Tags {
        tags::read(&self.0["tags"])
    }

    pub(crate) fn property(&self, name: &str) -> Option<String> {
        text(&self.0["properties"], name)
    }

    /// The name that programs connect to.
    pub(crate) fn host(&self) -> Option<String> {
        self.property("fullyQualifiedDomainName")
    }

    /// The name of the server that it follows. What was promoted still tells where it came from.
    pub(crate) fn source(&self) -> Option<&str> {
        let role = self.0["properties"]["replicationRole"].as_str().unwrap_or_default();
        let source = self.0["properties"]["sourceServerResourceId"].as_str().filter(|path| !path.is_empty())?;
        role.ends_with("AsyncReplica").then(|| last(source))
    }

    pub(crate) fn standby(&self) -> bool {
        self.0["properties"]["highAvailability"]["mode"].as_str().is_some_and(|mode| !["", "Disabled"].contains(&mode))
    }
}

/// Something that was taken.
#[derive(Debug, Clone, Default)]
pub(crate) struct Begun {
    /// Where it is told how it goes; `None`: it is done.
    pub(crate) operation: Option<String>,
    /// How long to stay away before the first look.
    pub(crate) wait: Option<Duration>,
}

impl From<Answer> for Begun {
    fn from(answer: Answer) -> Self {
        Self { operation: answer.operation, wait: answer.wait }
    }
}

/// How something goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It goes on. How long to stay away.
    On(Option<Duration>),
    /// It has ended well.
    Done,
    /// It came to nothing: code and words.
    Failed(String, String),
}

/// Looks how something goes, where Azure said to look. What is not remembered any more has ended: how, is seen at what it was done to.
pub(crate) async fn operation(session: &Session, url: &str) -> Result<Progress, AzureError> {
    match session.get(Asked::Told(url)).await {
        Ok(answer) => Ok(progress(&answer)),
        Err(error) if error.is_absent() => Ok(Progress::Done),
        Err(error) => Err(error),
    }
}

/// Both kinds of URL are understood: one that tells a status, and one that is 202 until it is done.
fn progress(answer: &Answer) -> Progress {
    let ended = |word: &str| {
        let (code, words) = told(&answer.body["error"]).unwrap_or_default();
        // It was seen to be nothing but a place for words.
        let words = if words.is_empty() || words == "{0}" { format!("the operation is {word}") } else { words };
        Progress::Failed(code, words)
    };
    match answer.body["status"].as_str() {
        Some("Succeeded") => Progress::Done,
        Some(word @ ("Failed" | "Canceled" | "Cancelled")) => ended(word),
        Some(_) => Progress::On(answer.wait),
        None if answer.status == 202 => Progress::On(answer.wait),
        None => Progress::Done,
    }
}

/// One by its name.
pub(crate) async fn server(at: At<'_>, name: &str) -> Result<Option<Server>, AzureError> {
    Ok(at.session.find(manager(&at.of_server(name, ""))).await?.map(Server))
}

/// The servers that follow one.
pub(crate) async fn replicas(at: At<'_>, name: &str) -> Result<Vec<Server>, AzureError> {
    let all = at.session.list(&at.of_server(name, "/replicas")).await?;
    Ok(all.into_iter().map(Server).collect())
}

/// Has one made. One that is there is not changed by it.
pub(crate) async fn create(at: At<'_>, name: &str, body: &Json) -> Result<Begun, AzureError> {
    Ok(at.session.put_once(manager(&at.of_server(name, "")), body).await?.into())
}

/// Changes what is named.
pub(crate) async fn patch(at: At<'_>, name: &str, body: &Json) -> Result<Begun, AzureError> {
    Ok(at.session.patch_once(manager(&at.of_server(name, "")), body).await?.into())
}

/// Gives the administrator a password.
pub(crate) async fn set_password(at: At<'_>, name: &str, password: &Secret) -> Result<Begun, AzureError> {
    let body = json!({ "properties": { "administratorLoginPassword": password.reveal() } });
    Ok(at.session.patch(manager(&at.of_server(name, "")), &body).await?.into())
}

/// Deletes one, with everything in it and its backups.
pub(crate) async fn delete(at: At<'_>, name: &str) -> Result<Begun, AzureError> {
    Ok(at.session.delete(manager(&at.of_server(name, ""))).await?.into())
}

/// Restarts one.
pub(crate) async fn restart(at: At<'_>, name: &str) -> Result<Begun, AzureError> {
    Ok(at.session.post(manager(&at.of_server(name, "/restart")), Some(&json!({}))).await?.into())
}

/// Has its standby take over.
pub(crate) async fn failover(at: At<'_>, name: &str, mode: &str) -> Result<Begun, AzureError> {
    let body = json!({ "restartWithFailover": true, "failoverMode": mode });
    Ok(at.session.post(manager(&at.of_server(name, "/restart")), Some(&body)).await?.into())
}

/// Starts one, or stops it.
pub(crate) async fn turn(at: At<'_>, name: &str, on: bool) -> Result<Begun, AzureError> {
    let verb = if on { "/start" } else { "/stop" };
    Ok(at.session.post(manager(&at.of_server(name, verb)), None).await?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, body: Json, expected: &Progress) {
        assert_eq!(progress(&Answer { status, body, operation: None, wait: None }), *expected);
    }

    /// A word of next year goes on, and words that say nothing are not shown.
    #[test]
    fn how_something_goes() {
        check(200, json!({ "status": "InProgress" }), &Progress::On(None));
        check(200, json!({ "status": "Pondering" }), &Progress::On(None));
        check(200, json!({ "status": "Succeeded" }), &Progress::Done);
        check(202, Json::Null, &Progress::On(None));
        check(204, Json::Null, &Progress::Done);
        let refused = json!({ "status": "Failed", "error": { "code": "OperationFailed", "message": "{0}" } });
        check(200, refused, &Progress::Failed("OperationFailed".to_owned(), "the operation is Failed".to_owned()));
    }

    /// What was promoted follows nobody, though it tells where it came from.
    #[test]
    fn a_replica_is_told_by_its_role() {
        let told = |role: &str| {
            let source = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/orders";
            Server(json!({ "properties": { "replicationRole": role, "sourceServerResourceId": source } }))
        };
        assert_eq!(told("AsyncReplica").source(), Some("orders"));
        assert_eq!(told("GeoAsyncReplica").source(), Some("orders"));
        assert_eq!(told("Primary").source(), None);
    }
}
