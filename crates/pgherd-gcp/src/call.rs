//! One call: paced, authorised, retried, counted.

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use pgherd_core::secret::Secret;
use pgherd_http::{
    Attempts, HeaderMap, HeaderValue, Method, Outcome, Refused, Request, Response, Safety, redact, retry,
};
use serde_json::Value as Json;

use crate::error::GcpError;
use crate::session::{Service, Session};

/// What is kept of a name in a path (RFC 3986, unreserved).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// No project has more pages; a server that always tells of a next one ends here.
const MOST_PAGES: usize = 100;

/// A name as a part of a path.
pub(crate) fn segment(name: &str) -> String {
    utf8_percent_encode(name, SEGMENT).to_string()
}

/// How an attempt ended.
struct Attempt {
    outcome: Outcome,
    result: Result<Json, GcpError>,
}

impl Session {
    /// Reads.
    pub(crate) async fn get(&self, service: Service, path: &str) -> Result<Json, GcpError> {
        self.call(service, Method::GET, path, None, Safety::Repeatable).await
    }

    /// Reads something that may not be there.
    pub(crate) async fn find(&self, service: Service, path: &str) -> Result<Option<Json>, GcpError> {
        match self.get(service, path).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads every page of a list; `path` has a query already.
    pub(crate) async fn list(&self, service: Service, path: &str, name: &str) -> Result<Vec<Json>, GcpError> {
        let mut all = Vec::new();
        let mut next = String::new();
        for _ in 0..MOST_PAGES {
            let mut told = self.get(service, &format!("{path}{next}")).await?;
            if let Json::Array(items) = told[name].take() {
                all.extend(items);
            }
            match told["nextPageToken"].as_str().filter(|token| !token.is_empty()) {
                Some(token) => next = format!("&pageToken={}", segment(token)),
                None => break,
            }
        }
        Ok(all)
    }

    /// Puts something in the place of what is there: doing so twice is as once.
    pub(crate) async fn put(&self, service: Service, path: &str, body: &Json) -> Result<Json, GcpError> {
        self.call(service, Method::PUT, path, Some(body), Safety::Repeatable).await
    }

    /// Changes what is named and nothing else: doing so twice is as once.
    pub(crate) async fn patch(&self, service: Service, path: &str, body: &Json) -> Result<Json, GcpError> {
        self.call(service, Method::PATCH, path, Some(body), Safety::Repeatable).await
    }

    /// Changes what is as it was looked at: done twice, the second time is refused, and whoever asked looks.
    pub(crate) async fn patch_once(&self, service: Service, path: &str, body: &Json) -> Result<Json, GcpError> {
        self.call(service, Method::PATCH, path, Some(body), Safety::LookFirst).await
    }

    /// Does something that may make a second thing when it is repeated.
    pub(crate) async fn post(&self, service: Service, path: &str, body: &Json) -> Result<Json, GcpError> {
        self.call(service, Method::POST, path, Some(body), Safety::LookFirst).await
    }

    /// Removes.
    pub(crate) async fn delete(&self, service: Service, path: &str) -> Result<Json, GcpError> {
        self.call(service, Method::DELETE, path, None, Safety::Repeatable).await
    }

    /// Attempts until one is final.
    async fn call(
        &self,
        service: Service,
        method: Method,
        path: &str,
        body: Option<&Json>,
        safety: Safety,
    ) -> Result<Json, GcpError> {
        let asked = format!("{method} {}", path.split('?').next().unwrap_or(path));
        let mut attempts = Attempts::begin(&self.endurance, safety, &self.pace).await;
        loop {
            let token = self
                .token
                .current(&self.client)
                .await
                .map_err(|words| GcpError { status: Some(401), ..unanswered(&asked, words, false) })?;
            let request = self.request(service, method.clone(), path, body, &asked, &token)?;
            let attempt = self.attempt(&asked, request, &token).await;
            if attempt.outcome == Outcome::Corrected {
                self.token.ended(&token).await;
            }
            if !attempts.again(&attempt.outcome).await {
                return attempt.result;
            }
        }
    }

    fn request(
        &self,
        service: Service,
        method: Method,
        path: &str,
        body: Option<&Json>,
        asked: &str,
        token: &Secret,
    ) -> Result<Request, GcpError> {
        let invalid = |_| unanswered(asked, "this is no path of a URL".to_owned(), false);
        let url = self.place(service, path).map_err(invalid)?;
        let mut headers = HeaderMap::new();
        let bearer = format!("Bearer {}", token.reveal().unwrap_or_default());
        let mut bearer = HeaderValue::from_str(&bearer).map_err(|error| invalid(error.to_string()))?;
        bearer.set_sensitive(true);
        headers.insert("authorization", bearer);
        headers.insert("accept", HeaderValue::from_static("application/json"));
        if body.is_some() {
            headers.insert("content-type", HeaderValue::from_static("application/json"));
        }
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        Ok(Request { method, url, headers, body })
    }

    async fn attempt(&self, asked: &str, request: Request, token: &Secret) -> Attempt {
        let answer = self.client.send(request).await;
        if !matches!(answer, Err(Refused::NotSent(_))) {
            self.calls.fetch_add(1, Ordering::Relaxed);
        }
        let attempt = match answer {
            Ok(response) => self.read(asked, &response, token),
            Err(Refused::NotSent(words)) => {
                Attempt { outcome: Outcome::NotSent, result: Err(unanswered(asked, words, false)) }
            }
            Err(Refused::NoAnswer(words)) => {
                Attempt { outcome: Outcome::NoAnswer, result: Err(unanswered(asked, words, true)) }
            }
        };
        tracing::debug!(asked, outcome = ?attempt.outcome, "called");
        attempt
    }

    fn read(&self, asked: &str, response: &Response, token: &Secret) -> Attempt {
        let status = response.status.as_u16();
        if response.status.is_success() {
            if response.body.is_empty() {
                return Attempt { outcome: Outcome::Final, result: Ok(Json::Null) };
            }
            // The words of a parser may quote what it read, which may be a password.
            let result = serde_json::from_slice(&response.body).map_err(|_| foreign(asked, status));
            return Attempt { outcome: Outcome::Final, result };
        }
        let said = if response.is_page() { None } else { GcpError::read(asked, status, &response.body) };
        let Some(mut error) = said else {
            let outcome = match status {
                429 => Outcome::Throttled(wish(response)),
                500.. if !response.is_page() => Outcome::Failed(wish(response)),
                _ => Outcome::Foreign,
            };
            return Attempt { outcome, result: Err(foreign(asked, status)) };
        };
        error.message = redact::without(&error.message, token.reveal());
        let outcome = match status {
            401 if self.token.can_be_renewed() => Outcome::Corrected,
            429 => Outcome::Throttled(wish(response)),
            // How Google's older APIs say it.
            403 if ["rateLimitExceeded", "userRateLimitExceeded"].contains(&error.reason.as_str()) => {
                Outcome::Throttled(wish(response))
            }
            500.. => {
                // It may have got half-way.
                error.maybe_done = true;
                Outcome::Failed(wish(response))
            }
            _ => Outcome::Final,
        };
        Attempt { outcome, result: Err(error) }
    }
}

/// How long Google asks us to stay away.
fn wish(response: &Response) -> Option<Duration> {
    retry::wish(response, SystemTime::now())
}

fn unanswered(asked: &str, message: String, maybe_done: bool) -> GcpError {
    GcpError { asked: asked.to_owned(), status: None, reason: String::new(), message, maybe_done }
}

/// Somebody else's answer, of which nothing is shown: nobody knows what it holds.
fn foreign(asked: &str, status: u16) -> GcpError {
    let message = format!("the answer, {status}, is nothing that Google would say");
    // A gateway that breaks down may have handed the request on.
    GcpError { status: Some(status), ..unanswered(asked, message, true) }
}
