//! What DigitalOcean refused, in its own words, and what that means. Pure.

use pgherd_engine::provider::{ErrorKind, ProviderError};
use serde_json::Value as Json;

/// A call that came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.words())]
pub struct DoError {
    /// What was asked: `POST /v2/databases`.
    pub asked: String,
    /// The HTTP status; `None`: there was no answer.
    pub status: Option<u16>,
    /// DigitalOcean's short word for it (`not_found`), empty where it gave none.
    pub id: String,
    /// What it said, without secrets.
    pub message: String,
    /// The id of the request, by which DigitalOcean's support finds it; empty where it gave none.
    pub request_id: String,
    /// Whether it may have been done all the same.
    pub maybe_done: bool,
}

impl DoError {
    /// What an answer that is no success says. `None`: it is not DigitalOcean's.
    pub(crate) fn read(asked: &str, status: u16, body: &[u8], request_id: Option<&str>) -> Option<Self> {
        let said: Json = serde_json::from_slice(body).ok()?;
        let text = |name: &str| said.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
        let message = text("message");
        // An answer in another form than the one described is still its own when it has words.
        if message.is_empty() && text("id").is_empty() {
            return None;
        }
        let told = text("request_id");
        Some(Self {
            asked: asked.to_owned(),
            status: Some(status),
            id: text("id"),
            message,
            request_id: if told.is_empty() { request_id.unwrap_or_default().to_owned() } else { told },
            maybe_done: false,
        })
    }

    /// Whether there is no such thing.
    pub fn is_absent(&self) -> bool {
        self.status == Some(404)
    }

    /// Whether it may have been made, or somebody else has made it: whoever asked looks.
    pub fn is_worth_a_look(&self) -> bool {
        self.maybe_done || matches!(self.status, Some(409 | 422))
    }

    /// Whether it passes when what is going on with the cluster is over.
    pub fn is_of_state(&self) -> bool {
        let says = |words: &str| self.message.to_lowercase().contains(words);
        match self.status {
            Some(409 | 412) => true,
            Some(422) => ["not online", "not ready", "in progress", "is resizing", "is creating"].into_iter().any(says),
            _ => false,
        }
    }

    /// What sort of refusal it is.
    pub fn kind(&self) -> ErrorKind {
        match self.status {
            None => ErrorKind::Unavailable,
            Some(401 | 403) => ErrorKind::Denied,
            Some(404) => ErrorKind::NotFound,
            Some(409 | 412) => ErrorKind::Conflict,
            Some(429) => ErrorKind::Throttled,
            Some(400..=499) => ErrorKind::Invalid,
            Some(_) => ErrorKind::Unavailable,
        }
    }

    fn words(&self) -> String {
        let about = [self.id.as_str(), self.message.as_str()].into_iter().filter(|words| !words.is_empty());
        let mut words = format!("DigitalOcean: {}: {}", self.asked, about.collect::<Vec<_>>().join(": "));
        if !self.request_id.is_empty() {
            words += &format!(" (request {})", self.request_id);
        }
        words
    }

    fn help(&self) -> &'static str {
        match self.status {
            Some(401) => "DIGITALOCEAN_TOKEN holds the token; make another one in the control panel under API",
            Some(403) => {
                "the token lacks a scope: database:create, read, update, delete, view_credentials; tag:create, read, \
                 delete; vpc:read; monitoring:create, read, update, delete"
            }
            Some(429) => "a token may ask 5,000 times an hour and 250 times a minute",
            _ => "",
        }
    }
}

impl From<DoError> for ProviderError {
    fn from(error: DoError) -> Self {
        Self::new(error.kind(), error.to_string()).help(error.help())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> DoError {
        DoError::read("GET /v2/databases", status, body.as_bytes(), Some("header")).expect("it is DigitalOcean's")
    }

    #[test]
    fn the_words_are_its_own_with_the_id_of_the_request() {
        let error = read(422, r#"{"id":"unprocessable_entity","message":"invalid size","request_id":"4d9d"}"#);
        assert_eq!(
            error.to_string(),
            "DigitalOcean: GET /v2/databases: unprocessable_entity: invalid size (request 4d9d)"
        );
        assert!(read(404, r#"{"id":"not_found","message":"no"}"#).to_string().ends_with("(request header)"));
        assert_eq!(DoError::read("GET /v2/databases", 502, b"<html>", None), None);
    }

    #[test]
    fn a_state_passes_and_a_mistake_does_not() {
        assert!(read(412, r#"{"id":"precondition_failed","message":"no backup yet"}"#).is_of_state());
        assert!(read(422, r#"{"id":"x","message":"cluster is not online"}"#).is_of_state());
        assert!(!read(422, r#"{"id":"x","message":"invalid size"}"#).is_of_state());
        assert_eq!(read(403, r#"{"id":"forbidden","message":"no"}"#).kind(), ErrorKind::Denied);
    }
}
