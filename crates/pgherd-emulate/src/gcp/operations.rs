//! What goes on with instances: one operation at a time each, with an end and what it ends in.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::instance::Instance;
use super::{Call, Google, Refusal, Said};

/// An operation.
#[derive(Debug, Clone)]
pub struct Operation {
    /// Its name.
    pub name: String,
    /// What it is: `UPDATE`.
    pub kind: &'static str,
    /// The instance that it keeps busy.
    pub target: String,
    /// When it was asked for.
    pub inserted: Timestamp,
    /// When it ends, or ended.
    pub until: Timestamp,
    /// Whether it has ended.
    pub is_done: bool,
    /// Why it came to nothing.
    pub error: Option<(&'static str, String)>,
    pub(super) then: Then,
}

/// What it ends in.
#[derive(Debug, Clone)]
pub(super) enum Then {
    Nothing,
    /// An instance can be used.
    Made(String),
    /// An instance has what was sent.
    Patched(Json),
    Deleted,
    User(String, String),
    Database(String),
    Promoted,
    FailedOver,
    Backup(String),
    /// An instance holds what another held.
    Restored(Box<Instance>),
}

impl Operation {
    pub(super) fn shown(&self, project: &str) -> Json {
        let base = format!("https://sqladmin.googleapis.com/v1/projects/{project}");
        let mut shown = json!({
            "kind": "sql#operation",
            "name": self.name,
            "operationType": self.kind,
            "status": if self.is_done { "DONE" } else { "RUNNING" },
            "targetId": self.target,
            "targetProject": project,
            "targetLink": format!("{base}/instances/{}", self.target),
            "selfLink": format!("{base}/operations/{}", self.name),
            "user": "user@example.com",
            "insertTime": self.inserted.to_string(),
            "startTime": self.inserted.to_string(),
        });
        if self.is_done {
            shown["endTime"] = self.until.to_string().into();
        }
        if let Some((code, message)) = self.error.as_ref().filter(|_| self.is_done) {
            let error = json!({ "kind": "sql#operationError", "code": code, "message": message });
            shown["error"] = json!({ "kind": "sql#operationErrors", "errors": [error] });
        }
        shown
    }
}

impl Google {
    /// Refuses what is asked while something goes on with an instance.
    pub(super) fn at_rest(&self, instance: &str) -> Result<(), Refusal> {
        let goes_on = self.operations.iter().any(|one| !one.is_done && one.target == instance);
        match goes_on {
            false => Ok(()),
            true => Err(Refusal::new(
                409,
                "operationInProgress",
                "Operation failed because another operation was already in progress.",
            )),
        }
    }

    /// Begins something that keeps an instance busy.
    pub(super) fn begin(
        &mut self,
        call: &Call<'_>,
        project: &str,
        target: &str,
        kind: &'static str,
        seconds: i64,
        then: Then,
    ) -> Said {
        self.begin_badly(call, project, target, kind, seconds, then, None)
    }

    #[expect(clippy::too_many_arguments, reason = "everything an operation is")]
    pub(super) fn begin_badly(
        &mut self,
        call: &Call<'_>,
        project: &str,
        target: &str,
        kind: &'static str,
        seconds: i64,
        then: Then,
        error: Option<(&'static str, String)>,
    ) -> Said {
        self.at_rest(target)?;
        let operation = Operation {
            name: format!("00000000-0000-4000-8000-{:012x}", self.number()),
            kind,
            target: target.to_owned(),
            inserted: call.now,
            until: call.after(seconds),
            is_done: false,
            error,
            then,
        };
        let shown = operation.shown(project);
        self.operations.push(operation);
        Ok((200, shown))
    }

    /// Ends every operation whose end has passed.
    pub(super) fn advance(&mut self, now: Timestamp) {
        for index in 0..self.operations.len() {
            let one = &mut self.operations[index];
            if one.is_done || one.until > now {
                continue;
            }
            one.is_done = true;
            let ended = one.clone();
            self.ended(ended);
        }
    }

    fn ended(&mut self, operation: Operation) {
        let Operation { target, then, error, until, .. } = operation;
        if let Then::Made(name) = &then {
            if let Some(one) = self.instances.get_mut(name) {
                one.json["state"] = if error.is_some() { "FAILED" } else { "RUNNABLE" }.into();
                one.made(until);
            }
            return;
        }
        if error.is_some() {
            return;
        }
        match then {
            Then::Deleted => self.deleted(&target),
            then => {
                if let Some(one) = self.instances.get_mut(&target) {
                    one.ends(then, until);
                }
            }
        }
    }
}
