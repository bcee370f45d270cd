//! What Google refused, in its own words, and what that means. Pure.

use pgherd_engine::provider::{ErrorKind, ProviderError};
use serde_json::Value as Json;

/// A call that came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.words())]
pub struct GcpError {
    /// What was asked: `POST v1/projects/p/instances`.
    pub asked: String,
    /// The HTTP status; `None`: there was no answer.
    pub status: Option<u16>,
    /// Google's short word for it (`instanceAlreadyExists`, `PERMISSION_DENIED`), empty where it gave none.
    pub reason: String,
    /// What it said, without secrets.
    pub message: String,
    /// Whether it may have been done all the same.
    pub maybe_done: bool,
}

impl GcpError {
    /// What an answer that is no success says. `None`: it is not Google's.
    pub(crate) fn read(asked: &str, status: u16, body: &[u8]) -> Option<Self> {
        let said: Json = serde_json::from_slice(body).ok()?;
        let error = said.get("error").filter(|error| error.is_object())?;
        let text =
            |at: &str| error.pointer(at).and_then(Json::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
        let detail = error["details"].as_array().into_iter().flatten().find_map(|detail| detail["reason"].as_str());
        // The oldest form says most, the newest says it in a place of its own.
        let reason = text("/errors/0/reason").or_else(|| detail.map(str::to_owned)).or_else(|| text("/status"));
        Some(Self {
            asked: asked.to_owned(),
            status: Some(status),
            reason: reason.unwrap_or_default(),
            message: text("/message").unwrap_or_default(),
            maybe_done: false,
        })
    }

    /// Whether there is no such thing. Only Google's own word for it counts: a proxy that has no such page, or an endpoint that is
    /// wrong, says 404 of everything.
    pub fn is_absent(&self) -> bool {
        self.status == Some(404) && !self.reason.is_empty()
    }

    /// Whether something of that name is there, or was a while ago and its name is kept.
    pub fn is_taken(&self) -> bool {
        let words = ["alreadyexists", "already_exists"];
        self.status == Some(409) && words.iter().any(|word| self.reason.to_lowercase().contains(word))
    }

    /// Whether it passes when what is going on with the instance is over: one thing at a time is done to it. There are several words
    /// for that (`operationInProgress`, `ABORTED`, `conflict`); only what is there already stays.
    pub fn is_busy(&self) -> bool {
        let is_conflict = self.status == Some(409) && !self.reason.is_empty() && !self.is_taken();
        // Google's older answers say 403.
        is_conflict || (self.status == Some(403) && self.reason == "operationInProgress")
    }

    /// Whether somebody else has changed it since it was looked at.
    pub fn is_stale(&self) -> bool {
        self.status == Some(412)
    }

    /// What sort of refusal it is.
    pub fn kind(&self) -> ErrorKind {
        match self.status {
            None => ErrorKind::Unavailable,
            Some(401 | 403) => ErrorKind::Denied,
            Some(404) if self.is_absent() => ErrorKind::NotFound,
            Some(404) => ErrorKind::Unavailable,
            Some(409 | 412) => ErrorKind::Conflict,
            Some(429) => ErrorKind::Throttled,
            Some(400..=499) => ErrorKind::Invalid,
            Some(_) => ErrorKind::Unavailable,
        }
    }

    fn words(&self) -> String {
        let about = [self.reason.as_str(), self.message.as_str()].into_iter().filter(|words| !words.is_empty());
        format!("Google Cloud: {}: {}", self.asked, about.collect::<Vec<_>>().join(": "))
    }

    fn help(&self) -> &'static str {
        match self.status {
            Some(401) => "the token has ended or is none; `gcloud auth print-access-token` gives one for an hour",
            Some(403) if self.reason.contains("accessNotConfigured") || self.reason == "SERVICE_DISABLED" => {
                "enable the API: gcloud services enable sqladmin.googleapis.com secretmanager.googleapis.com \
                 monitoring.googleapis.com"
            }
            Some(403) if self.message.contains("quota project") => {
                "gcloud auth application-default set-quota-project PROJECT names one in your credentials"
            }
            Some(403) => {
                "it takes roles/cloudsql.admin, roles/secretmanager.admin, roles/monitoring.alertPolicyEditor and \
                 roles/monitoring.notificationChannelEditor"
            }
            _ => "",
        }
    }
}

impl From<GcpError> for ProviderError {
    fn from(error: GcpError) -> Self {
        Self::new(error.kind(), error.to_string()).help(error.help())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, body: &str, reason: &str, kind: ErrorKind) -> GcpError {
        let error = GcpError::read("GET v1/x", status, body.as_bytes()).expect("it is Google's");
        assert_eq!((error.reason.as_str(), error.kind()), (reason, kind));
        error
    }

    #[test]
    fn the_reason_is_found_in_each_form() {
        let old = r#"{"error":{"code":409,"errors":[{"domain":"global","message":"m","reason":"operationInProgress"}],"message":"m"}}"#;
        assert!(check(409, old, "operationInProgress", ErrorKind::Conflict).is_busy());
        let new = r#"{"error":{"code":409,"message":"m","status":"ABORTED","details":[{"@type":"x","reason":"operationInProgress"}]}}"#;
        assert!(check(409, new, "operationInProgress", ErrorKind::Conflict).is_busy());
        let plain = r#"{"error":{"code":409,"message":"m","status":"ALREADY_EXISTS"}}"#;
        let taken = check(409, plain, "ALREADY_EXISTS", ErrorKind::Conflict);
        assert!(taken.is_taken() && !taken.is_busy());
        let other = r#"{"error":{"code":409,"message":"m","status":"ABORTED"}}"#;
        assert!(check(409, other, "ABORTED", ErrorKind::Conflict).is_busy());
        let proxy = r#"{"error":{"message":"m"}}"#;
        assert!(!check(409, proxy, "", ErrorKind::Conflict).is_busy());
        assert!(GcpError::read("GET v1/x", 502, b"<html>").is_none());
    }

    #[test]
    fn only_its_own_word_says_that_something_is_gone() {
        let own = r#"{"error":{"code":404,"message":"m","status":"NOT_FOUND"}}"#;
        assert!(check(404, own, "NOT_FOUND", ErrorKind::NotFound).is_absent());
        let proxy = r#"{"error":{"message":"no Route matched with those values"}}"#;
        assert!(!check(404, proxy, "", ErrorKind::Unavailable).is_absent());
    }
}
