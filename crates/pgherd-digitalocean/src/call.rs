//! One call: paced, authorised, retried, counted.

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use pgherd_http::{
    Attempts, HeaderMap, HeaderValue, Method, Outcome, Refused, Request, Response, Safety, redact, retry,
};
use serde_json::Value as Json;

use crate::error::DoError;
use crate::session::Session;

/// What is kept of a name in a path (RFC 3986, unreserved).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// So many things a page: what DigitalOcean gives at most.
const PAGE: usize = 200;
/// No account has more pages; a server that always tells of a next one ends here.
const MOST_PAGES: usize = 50;

/// A name as a part of a path.
pub(crate) fn segment(name: &str) -> String {
    utf8_percent_encode(name, SEGMENT).to_string()
}

/// How an attempt ended.
struct Attempt {
    outcome: Outcome,
    result: Result<Json, DoError>,
}

impl Session {
    /// Reads.
    pub(crate) async fn get(&self, path: &str) -> Result<Json, DoError> {
        self.call(Method::GET, path, None, Safety::Repeatable).await
    }

    /// Reads something that may not be there.
    pub(crate) async fn find(&self, path: &str) -> Result<Option<Json>, DoError> {
        match self.get(path).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads every page of a list.
    pub(crate) async fn list(&self, path: &str, name: &str) -> Result<Vec<Json>, DoError> {
        let mut all = Vec::new();
        for page in 1..=MOST_PAGES {
            let query = if page == 1 { String::new() } else { format!("&page={page}") };
            let mut told = self.get(&format!("{path}?per_page={PAGE}{query}")).await?;
            let items = items(&mut told, path, name)?;
            let is_last = items.is_empty() || told["links"]["pages"]["next"].is_null();
            all.extend(items);
            if is_last {
                let total = told["meta"]["total"].as_u64().and_then(|total| usize::try_from(total).ok());
                return match total.filter(|total| *total > all.len()) {
                    Some(total) => Err(partial(path, name, all.len(), total)),
                    None => Ok(all),
                };
            }
        }
        Err(partial(path, name, all.len(), all.len() + 1))
    }

    /// Reads a list that comes whole.
    pub(crate) async fn whole(&self, path: &str, name: &str) -> Result<Vec<Json>, DoError> {
        let mut told = self.get(path).await?;
        items(&mut told, path, name)
    }

    /// Puts something in the place of what is there: doing so twice is as once.
    pub(crate) async fn put(&self, path: &str, body: &Json) -> Result<Json, DoError> {
        self.call(Method::PUT, path, Some(body), Safety::Repeatable).await
    }

    /// Changes what is named and nothing else: doing so twice is as once.
    pub(crate) async fn patch(&self, path: &str, body: &Json) -> Result<Json, DoError> {
        self.call(Method::PATCH, path, Some(body), Safety::Repeatable).await
    }

    /// Does something that may make a second thing when it is repeated.
    pub(crate) async fn post(&self, path: &str, body: &Json) -> Result<Json, DoError> {
        self.call(Method::POST, path, Some(body), Safety::LookFirst).await
    }

    /// The same, with a note taken right before each attempt: one may be waited for long. What cannot be noted is not sent.
    pub(crate) async fn post_noted(
        &self,
        path: &str,
        body: &Json,
        note: impl Fn() -> Result<(), String>,
    ) -> Result<Json, DoError> {
        self.call_noted(Method::POST, path, Some(body), Safety::LookFirst, note).await
    }

    /// The same, where a second time changes nothing.
    pub(crate) async fn post_again(&self, path: &str, body: &Json) -> Result<Json, DoError> {
        self.call(Method::POST, path, Some(body), Safety::Repeatable).await
    }

    /// Removes; what is not there is removed.
    pub(crate) async fn delete(&self, path: &str, body: Option<&Json>) -> Result<(), DoError> {
        match self.call(Method::DELETE, path, body, Safety::Repeatable).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_absent() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Attempts until one is final.
    async fn call(&self, method: Method, path: &str, body: Option<&Json>, safety: Safety) -> Result<Json, DoError> {
        self.call_noted(method, path, body, safety, || Ok(())).await
    }

    async fn call_noted(
        &self,
        method: Method,
        path: &str,
        body: Option<&Json>,
        safety: Safety,
        note: impl Fn() -> Result<(), String>,
    ) -> Result<Json, DoError> {
        let asked = format!("{method} {}", path.split('?').next().unwrap_or(path));
        let request = self.request(method, path, body, &asked)?;
        let mut attempts = Attempts::begin(&self.endurance, safety, &self.pace).await;
        loop {
            note().map_err(|words| unanswered(&asked, words, false))?;
            let attempt = self.attempt(&asked, request.clone()).await;
            if !attempts.again(&attempt.outcome).await {
                return attempt.result;
            }
        }
    }

    fn request(&self, method: Method, path: &str, body: Option<&Json>, asked: &str) -> Result<Request, DoError> {
        let invalid = |_| unanswered(asked, "this is no path of a URL".to_owned(), false);
        let url = self.base.join(path).map_err(|error| invalid(error.to_string()))?;
        let mut headers = HeaderMap::new();
        let bearer = format!("Bearer {}", self.token.reveal().unwrap_or_default());
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

    async fn attempt(&self, asked: &str, request: Request) -> Attempt {
        let answer = self.client.send(request).await;
        if !matches!(answer, Err(Refused::NotSent(_))) {
            self.calls.fetch_add(1, Ordering::Relaxed);
        }
        let attempt = match answer {
            Ok(response) => self.read(asked, &response),
            Err(Refused::NotSent(words)) => {
                Attempt { outcome: Outcome::NotSent, result: Err(unanswered(asked, words, false)) }
            }
            Err(Refused::NoAnswer(words)) => {
                Attempt { outcome: Outcome::NoAnswer, result: Err(unanswered(asked, words, true)) }
            }
        };
        let request_id = attempt.result.as_ref().err().map(|error| error.request_id.as_str());
        tracing::debug!(asked, outcome = ?attempt.outcome, request_id, "called");
        attempt
    }

    fn read(&self, asked: &str, response: &Response) -> Attempt {
        let status = response.status.as_u16();
        if response.status.is_success() {
            if response.body.is_empty() {
                return Attempt { outcome: Outcome::Final, result: Ok(Json::Null) };
            }
            // The words of a parser may quote what it read, which may be a password.
            let result = serde_json::from_slice(&response.body).map_err(|_| foreign(asked, status));
            return Attempt { outcome: Outcome::Final, result };
        }
        let request_id = response.header("x-request-id");
        let said = if response.is_page() { None } else { DoError::read(asked, status, &response.body, request_id) };
        let Some(mut error) = said else {
            let outcome = match status {
                429 => Outcome::Throttled(wish(response)),
                500.. if !response.is_page() => Outcome::Failed(wish(response)),
                _ => Outcome::Foreign,
            };
            return Attempt { outcome, result: Err(foreign(asked, status)) };
        };
        error.message = redact::without(&error.message, self.token.reveal());
        let outcome = match status {
            429 => Outcome::Throttled(wish(response)),
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

/// How long DigitalOcean asks us to stay away: `Retry-After`, else `ratelimit-reset`, which is a time.
fn wish(response: &Response) -> Option<Duration> {
    let now = SystemTime::now();
    retry::wish(response, now).or_else(|| {
        let reset: u64 = response.header("ratelimit-reset")?.parse().ok()?;
        let until = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(reset))?;
        Some(until.duration_since(now).unwrap_or_default())
    })
}

/// A list in an answer. An answer without it is nobody's word that there is nothing: what is taken for nothing would be made.
fn items(told: &mut Json, path: &str, name: &str) -> Result<Vec<Json>, DoError> {
    match told.get_mut(name).map(Json::take) {
        Some(Json::Array(items)) => Ok(items),
        // An empty list, as some servers write it.
        Some(Json::Null) => Ok(Vec::new()),
        Some(_) | None => Err(unanswered(&format!("GET {path}"), format!("the answer has no list of {name}"), false)),
    }
}

/// That a list is not whole.
fn partial(path: &str, name: &str, read: usize, total: usize) -> DoError {
    let message = format!("the answer has {read} {name} and speaks of {total}");
    unanswered(&format!("GET {path}"), message, false)
}

fn unanswered(asked: &str, message: String, maybe_done: bool) -> DoError {
    DoError { asked: asked.to_owned(), status: None, id: String::new(), message, request_id: String::new(), maybe_done }
}

/// Somebody else's answer, of which nothing is shown: nobody knows what it holds.
fn foreign(asked: &str, status: u16) -> DoError {
    let message = format!("the answer, {status}, is nothing that DigitalOcean would say");
    // A gateway that breaks down may have handed the request on.
    DoError { status: Some(status), ..unanswered(asked, message, true) }
}
