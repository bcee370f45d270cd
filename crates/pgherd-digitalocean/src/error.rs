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

    /// An answer in which what was asked for is not to be found.
    pub(crate) fn unread(asked: &str) -> Self {
        Self {
            asked: asked.to_owned(),
            status: None,
            id: String::new(),
            message: "the answer does not have what was asked for".to_owned(),
            request_id: String::new(),
            maybe_done: false,
        }
    }

    /// Whether there is no such thing. Only DigitalOcean's own word for it counts: a proxy that has no such page, or an endpoint that is
    /// wrong, says 404 of everything.
    pub fn is_absent(&self) -> bool {
        self.status == Some(404) && self.id == "not_found"
    }

    /// Whether it may have been made, or somebody else has made it: whoever asked looks.
    pub fn is_worth_a_look(&self) -> bool {
        self.maybe_done || matches!(self.status, Some(409 | 422))
    }

    /// Whether it may pass when what is going on with a cluster is over: its words are no promise, so whoever asked looks at the cluster.
    pub fn may_pass(&self) -> bool {
        matches!(self.status, Some(409 | 412 | 422))
    }

    /// Whether something is missing that comes by itself, such as the first backup: no state of a cluster tells of that.
    pub fn is_too_early(&self) -> bool {
        self.status == Some(412)
    }

    /// What sort of refusal it is.
    pub fn kind(&self) -> ErrorKind {
        match self.status {
            None => ErrorKind::Unavailable,
            Some(401 | 403) => ErrorKind::Denied,
            Some(404) if self.is_absent() => ErrorKind::NotFound,
            // Somebody else's page, which says nothing of what is there.
            Some(404) => ErrorKind::Unavailable,
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
            Some(404) if !self.is_absent() => "see what DIGITALOCEAN_API_URL and HTTPS_PROXY lead to",
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
    fn only_its_own_word_says_that_something_is_gone() {
        assert!(read(404, r#"{"id":"not_found","message":"no"}"#).is_absent());
        let proxy = read(404, r#"{"message":"no Route matched with those values"}"#);
        assert!(!proxy.is_absent());
        assert_eq!(proxy.kind(), ErrorKind::Unavailable);
        assert_eq!(read(403, r#"{"id":"forbidden","message":"no"}"#).kind(), ErrorKind::Denied);
    }
}
