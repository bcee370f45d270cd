//! One call: paced, authorised, retried, counted. What Azure says goes on stands in headers beside the answer.

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use pgherd_core::secret::Secret;
use pgherd_http::{
    Attempts, HeaderMap, HeaderValue, Method, Outcome, Refused, Request, Response, Safety, redact, retry,
};
use serde_json::Value as Json;

use crate::error::AzureError;
use crate::session::{Asked, Session};

/// What is kept of a name in a path (RFC 3986, unreserved).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// No list has more pages; a server that always tells of a next one ends here.
const MOST_PAGES: usize = 100;

/// A name as a part of a path.
pub(crate) fn segment(name: &str) -> String {
    utf8_percent_encode(name, SEGMENT).to_string()
}

/// A good answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Json,
    /// Where what goes on is told, byte for byte: its query is signed.
    pub(crate) operation: Option<String>,
    /// How long Azure asks us to stay away.
    pub(crate) wait: Option<Duration>,
}

/// How an attempt ended.
struct Attempt {
    outcome: Outcome,
    result: Result<Answer, AzureError>,
}

impl Session {
    /// Reads.
    pub(crate) async fn get(&self, asked: Asked<'_>) -> Result<Answer, AzureError> {
        self.call(Method::GET, asked, None, Safety::Repeatable).await
    }

    /// Reads something that may not be there.
    pub(crate) async fn find(&self, asked: Asked<'_>) -> Result<Option<Json>, AzureError> {
        match self.get(asked).await {
            Ok(found) => Ok(Some(found.body)),
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads every page of a list.
    pub(crate) async fn list(&self, path: &str) -> Result<Vec<Json>, AzureError> {
        let mut all = Vec::new();
        let mut told = self.get(Asked::Manager(path)).await?.body;
        for _ in 0..MOST_PAGES {
            if let Json::Array(items) = told["value"].take() {
                all.extend(items);
            }
            match told["nextLink"].as_str().filter(|link| !link.is_empty()) {
                Some(link) => told = self.get(Asked::Told(link)).await?.body,
                None => break,
            }
        }
        Ok(all)
    }

    /// Puts something in the place of what is there: doing so twice is as once.
    pub(crate) async fn put(&self, asked: Asked<'_>, body: &Json) -> Result<Answer, AzureError> {
        self.call(Method::PUT, asked, Some(body), Safety::Repeatable).await
    }

    /// Makes something that begins another time when it is asked for again.
    pub(crate) async fn put_once(&self, asked: Asked<'_>, body: &Json) -> Result<Answer, AzureError> {
        self.call(Method::PUT, asked, Some(body), Safety::LookFirst).await
    }

    /// Changes what is named and nothing else: doing so twice is as once.
    pub(crate) async fn patch(&self, asked: Asked<'_>, body: &Json) -> Result<Answer, AzureError> {
        self.call(Method::PATCH, asked, Some(body), Safety::Repeatable).await
    }

    /// Changes what is as it was looked at: whoever gets no answer looks again.
    pub(crate) async fn patch_once(&self, asked: Asked<'_>, body: &Json) -> Result<Answer, AzureError> {
        self.call(Method::PATCH, asked, Some(body), Safety::LookFirst).await
    }

    /// Does something that may happen twice when it is repeated.
    pub(crate) async fn post(&self, asked: Asked<'_>, body: Option<&Json>) -> Result<Answer, AzureError> {
        self.call(Method::POST, asked, body, Safety::LookFirst).await
    }

    /// Removes; what is not there is removed.
    pub(crate) async fn delete(&self, asked: Asked<'_>) -> Result<Answer, AzureError> {
        match self.call(Method::DELETE, asked, None, Safety::Repeatable).await {
            Err(error) if error.is_absent() => Ok(Answer::default()),
            answer => answer,
        }
    }

    /// Attempts until one is final.
    async fn call(
        &self,
        method: Method,
        asked: Asked<'_>,
        body: Option<&Json>,
        safety: Safety,
    ) -> Result<Answer, AzureError> {
        let words = format!("{method} {}", asked.shown());
        let mut attempts = Attempts::begin(&self.endurance, safety, &self.pace).await;
        loop {
            let token = self.token.current(&self.client, asked.audience()).await;
            let token = token.map_err(|said| AzureError { status: Some(401), ..unanswered(&words, said, false) })?;
            let request = self.request(method.clone(), asked, body, &token);
            let request = request.map_err(|said| unanswered(&words, said, false))?;
            let attempt = self.attempt(&words, request, &token).await;
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
        method: Method,
        asked: Asked<'_>,
        body: Option<&Json>,
        token: &Secret,
    ) -> Result<Request, String> {
        let url = self.place(asked)?;
        let mut headers = HeaderMap::new();
        let bearer = format!("Bearer {}", token.reveal().unwrap_or_default());
        let mut bearer = HeaderValue::from_str(&bearer).map_err(|error| error.to_string())?;
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
            let body = match response.body.trim_ascii() {
                [] => Ok(Json::Null),
                // The words of a parser may quote what it read, which may be a password.
                body => serde_json::from_slice(body).map_err(|_| foreign(asked, status)),
            };
            let header = |name: &str| response.header(name).map(str::to_owned);
            let operation = header("azure-asyncoperation").or_else(|| header("location")).filter(|_| status != 200);
            let result = body.map(|body| Answer { status, body, operation, wait: wish(response) });
            return Attempt { outcome: Outcome::Final, result };
        }
        let said = if response.is_page() { None } else { AzureError::read(asked, status, &response.body) };
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

/// How long Azure asks us to stay away.
fn wish(response: &Response) -> Option<Duration> {
    retry::wish(response, SystemTime::now())
}

fn unanswered(asked: &str, message: String, maybe_done: bool) -> AzureError {
    AzureError { asked: asked.to_owned(), status: None, code: String::new(), message, maybe_done }
}

/// Somebody else's answer, of which nothing is shown: nobody knows what it holds.
fn foreign(asked: &str, status: u16) -> AzureError {
    let message = format!("the answer, {status}, is nothing that Azure would say");
    // A gateway that breaks down may have handed the request on.
    AzureError { status: Some(status), ..unanswered(asked, message, true) }
}
