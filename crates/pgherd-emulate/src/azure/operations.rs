//! What goes on: one operation at a time for each server, with an end, what it ends in, and a URL at which it is told.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use super::{Azure, Call, Refusal, Said, Told};
use crate::clock::later;

/// So long a server is busy after what was done to it has ended (Azure/azure-postgresql, issue 134).
const BUSY_AFTER_S: i64 = 60;

/// An operation.
#[derive(Debug, Clone)]
pub struct Operation {
    /// Its id.
    pub id: String,
    /// What it is.
    pub kind: &'static str,
    /// The server that it keeps busy; empty: none.
    pub target: String,
    /// When it was asked for.
    pub begun: Timestamp,
    /// When it ends, or ended.
    pub until: Timestamp,
    /// Whether it has ended.
    pub is_done: bool,
    /// Why it came to nothing.
    pub error: Option<(&'static str, String)>,
    pub(super) query: String,
    pub(super) then: Then,
}

/// What it ends in.
#[derive(Debug, Clone)]
pub(super) enum Then {
    Nothing,
    /// A server can be used.
    Made(String),
    /// A server has what was sent.
    Patched(Json),
    Deleted,
    Set(String, String, bool),
    Rule(String, Json),
    RuleGone(String),
    Database(String),
    DatabaseGone(String),
    Backup(String),
    Restarted,
    FailedOver,
    Turned(bool),
}

/// What is begun.
pub(super) struct Begin<'a> {
    pub(super) target: &'a str,
    pub(super) kind: &'static str,
    /// The word for what the server is doing meanwhile.
    pub(super) state: &'static str,
    pub(super) seconds: i64,
    pub(super) then: Then,
    pub(super) error: Option<(&'static str, String)>,
}

impl Azure {
    /// Refuses what is asked while something goes on with a server, and for a while after.
    pub(super) fn at_rest(&self, name: &str, now: Timestamp) -> Result<(), Refusal> {
        let goes_on = self.operations.iter().any(|one| !one.is_done && one.target == name);
        let is_busy = goes_on || self.servers.get(name).is_some_and(|one| one.busy_until > now);
        let message = format!("Cannot complete operation while server '{name}' is busy processing another operation.");
        if is_busy { Err(Refusal::new(409, "ServerIsBusy", message)) } else { Ok(()) }
    }

    /// Begins something that keeps a server busy.
    pub(super) fn begin(&mut self, call: &Call<'_>, begin: Begin<'_>) -> Said {
        self.at_rest(begin.target, call.now)?;
        let Begin { target, kind, state, seconds, then, error } = begin;
        let number = self.number();
        let id = format!("00000000-0000-4000-8000-{number:012x}");
        // Signed, and good only as it is told: with letters that a library may spell otherwise.
        let query = format!(
            "api-version=2026-10-01&t=6390{number:014}&c=MIIHpT%2BCBY2gAw%2f{}%3d==&s=a+b~{number}&h=_-{{}}",
            "Ab9".repeat(1200)
        )
        .replace("{}", "%7b%7D");
        let location = self.servers.get(target).map_or("Canada Central", |one| one.text("/location"));
        let url = format!(
            "{}/subscriptions/s/providers/Microsoft.DBforPostgreSQL/locations/{}/azureAsyncOperation/{id}?{query}",
            self.base,
            location.replace(' ', "%20")
        );
        let until = call.after(seconds);
        if let Some(server) = self.servers.get_mut(target) {
            server.json["properties"]["state"] = state.into();
        }
        self.operations.push(Operation {
            id,
            kind,
            target: target.to_owned(),
            begun: call.now,
            until,
            is_done: false,
            error,
            query,
            then,
        });
        // Making one was seen to say nothing of when to ask again.
        let retry_after = (!kind.starts_with("Create")).then_some(0);
        Ok(Told { status: 202, body: Json::Null, operation: Some(url), retry_after })
    }

    /// How an operation stands, at a URL as it was told.
    pub(super) fn told_of(&self, id: &str, call: &Call<'_>, is_result: bool) -> Said {
        let one = self.operations.iter().find(|one| one.id == id);
        let one = one.ok_or_else(|| Refusal::new(404, "OperationNotFound", "There is no such operation."))?;
        if spelled(&one.query) != spelled(call.query) {
            return Err(Refusal::new(403, "InvalidSignature", "The URL of the operation is not as it was told."));
        }
        let going = || Told { retry_after: Some(0), ..Told::new(202, Json::Null) };
        if is_result {
            return Ok(if one.is_done { Told::new(204, Json::Null) } else { going() });
        }
        let (word, error) = match (one.is_done, &one.error) {
            (false, _) => ("InProgress", None),
            (true, None) => ("Succeeded", None),
            (true, Some((code, message))) => ("Failed", Some(json!({ "code": code, "message": message }))),
        };
        let mut body = json!({ "name": one.id, "status": word, "startTime": one.begun.to_string() });
        if let Some(error) = error {
            body["error"] = error;
        }
        if one.is_done {
            body["endTime"] = one.until.to_string().into();
        }
        Ok(Told { retry_after: (!one.is_done).then_some(0), ..Told::new(200, body) })
    }

    /// Ends every operation whose end has passed, and has the vault do what is due.
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
        self.recover_due(now);
    }

    fn ended(&mut self, operation: Operation) {
        let Operation { target, then, error, until, .. } = operation;
        let busy_until = later(until, SignedDuration::from_secs(BUSY_AFTER_S));
        for name in [Some(&target), if let Then::Made(name) = &then { Some(name) } else { None }].into_iter().flatten()
        {
            if let Some(server) = self.servers.get_mut(name) {
                let is_stopped = server.is_stopped;
                server.json["properties"]["state"] = if is_stopped { "Stopped" } else { "Ready" }.into();
                server.busy_until = busy_until;
            }
        }
        match (then, error) {
            // What was never made is not there.
            (Then::Made(name), Some(_)) => drop(self.servers.remove(&name)),
            (_, Some(_)) => {}
            (Then::Deleted, None) => drop(self.servers.remove(&target)),
            (Then::Made(name), None) => {
                if let Some(server) = self.servers.get_mut(&name) {
                    server.made(until);
                }
            }
            (then, None) => {
                if let Some(server) = self.servers.get_mut(&target) {
                    server.ends(then, until);
                }
            }
        }
    }
}

/// A query with what is escaped in capital letters, which is the same by RFC 3986: Azure's own client for Python sends it so. Nothing
/// else of it may differ.
fn spelled(query: &str) -> String {
    let mut parts = query.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |said, part| {
        let (code, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        format!("{said}%{}{rest}", code.to_ascii_uppercase())
    })
}
