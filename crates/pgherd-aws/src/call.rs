//! One call: paced, signed, retried, corrected for the server's clock, counted.

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use bytes::Bytes;
use pgherd_http::{
    Attempts, HeaderMap, HeaderValue, Method, Outcome, Refused, Request, Response, Safety, Url, redact, retry,
};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::endpoint::Endpoint;
use crate::protocol::error::{AwsError, Cause, Meaning, Refusal, maybe_done, request_id};
use crate::protocol::form::Form;
use crate::protocol::json;
use crate::protocol::xml::Element;
use crate::service::{Protocol, Service};
use crate::session::Session;
use crate::sign::{self, Scope};

/// What is asked, before it is signed.
struct Call<'a> {
    service: Service,
    region: &'a str,
    action: String,
    safety: Safety,
    request: Request,
    /// What must not come back in an error.
    secrets: Vec<Zeroizing<String>>,
    endpoint: Endpoint,
}

/// How an attempt ended.
struct Attempt {
    outcome: Outcome,
    result: Result<Response, AwsError>,
}

impl Session {
    /// Asks a service that speaks in forms (RDS, EC2, IAM, STS, SNS, CloudWatch). The answer is the element with the results:
    /// `<ActionResult>`, or the root where there is no such wrapper.
    ///
    /// # Panics
    /// With a service that speaks JSON.
    pub async fn query(&self, service: Service, region: &str, form: Form, safety: Safety) -> Result<Element, AwsError> {
        let (Protocol::Query(version) | Protocol::Ec2(version)) = service.protocol() else {
            panic!("{} speaks JSON", service.id());
        };
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8"));
        let body = Bytes::from(form.encode(version));
        let secrets = form.secrets().map(|text| Zeroizing::new(text.to_owned())).collect();
        let call = self.call(service, region, form.action(), safety, (headers, body), secrets);
        let response = self.answered(&call).await?;
        if response.body.is_empty() {
            return Err(call.unreadable(&response, "nothing"));
        }
        // The words of a parser may quote what it read, which may be a secret.
        Element::answer(&response.body, form.action())
            .map_err(|_| call.unreadable(&response, &format!("no {}Response", form.action())))
    }

    /// Asks a service that speaks JSON (Secrets Manager, KMS, Logs). An empty answer is an empty object.
    ///
    /// # Panics
    /// With a service that speaks in forms.
    pub async fn json(
        &self,
        service: Service,
        region: &str,
        action: &str,
        body: &Value,
        safety: Safety,
    ) -> Result<Value, AwsError> {
        let Protocol::Json(target) = service.protocol() else {
            panic!("{} speaks in forms", service.id());
        };
        let secrets = json::secrets(body).into_iter().map(Zeroizing::new).collect();
        let call = self.call(service, region, action, safety, json::request(target, action, body), secrets);
        let response = self.answered(&call).await?;
        json::answer(&response.body).map_err(|_| call.unreadable(&response, "no JSON"))
    }

    /// A URL that asks for an action in this session's name, good for `lasting` to whoever holds it.
    ///
    /// # Panics
    /// With a service that speaks JSON.
    pub async fn presigned(
        &self,
        service: Service,
        region: &str,
        form: &Form,
        lasting: Duration,
    ) -> Result<Url, AwsError> {
        let (Protocol::Query(version) | Protocol::Ec2(version)) = service.protocol() else {
            panic!("{} speaks JSON", service.id());
        };
        let call = self.call(service, region, form.action(), Safety::Repeatable, Default::default(), Vec::new());
        let at = self.shared.skew.now();
        let keys = self.shared.keys.at(at).await.map_err(|error| call.unsigned(error.to_string()))?;
        let mut url = call.endpoint.url.clone();
        url.set_query(Some(&form.encode(version)));
        sign::presigned(url, &keys, call.scope(), at, lasting)
            .map_err(|error| call.unsigned(call.cleaned(&error.to_string(), &keys)))
    }

    fn call<'a>(
        &self,
        service: Service,
        region: &'a str,
        action: &str,
        safety: Safety,
        (headers, body): (HeaderMap, Bytes),
        secrets: Vec<Zeroizing<String>>,
    ) -> Call<'a> {
        let endpoint = self.endpoint(service, region);
        let request = Request { method: Method::POST, url: endpoint.url.clone(), headers, body };
        Call { service, region, action: action.to_owned(), safety, request, secrets, endpoint }
    }

    /// Attempts until one is final. An answer that is handed on has a status of success.
    async fn answered(&self, call: &Call<'_>) -> Result<Response, AwsError> {
        let pace = self.pace(call.service, call.region);
        let mut attempts = Attempts::begin(&self.endurance, call.safety, &pace).await;
        loop {
            let attempt = self.attempt(call).await?;
            if !attempts.again(&attempt.outcome).await {
                return attempt.result;
            }
        }
    }

    async fn attempt(&self, call: &Call<'_>) -> Result<Attempt, AwsError> {
        let at = self.shared.skew.now();
        let keys = self.shared.keys.at(at).await.map_err(|error| call.unsigned(error.to_string()))?;
        let request = sign::signed(call.request.clone(), &keys, call.scope(), at)
            .map_err(|error| call.unsigned(call.cleaned(&error.to_string(), &keys)))?;
        let answer = self.shared.client.send(request).await;
        if !matches!(answer, Err(Refused::NotSent(_))) {
            self.shared.calls.fetch_add(1, Ordering::Relaxed);
        }
        let attempt = match answer {
            Ok(response) => self.read(call, response, &keys, at).await,
            Err(refused) => call.unanswered(&refused),
        };
        tracing::debug!(
            action = call.action,
            service = call.service.id(),
            region = call.region,
            outcome = ?attempt.outcome,
            request = attempt.result.as_ref().map_or_else(|error| error.request_id.clone(), request_id),
            "called"
        );
        Ok(attempt)
    }

    /// What an answer to a request that was signed with `keys` for the time `at` means.
    async fn read(&self, call: &Call<'_>, response: Response, keys: &Credentials, at: SystemTime) -> Attempt {
        if response.status.is_success() {
            return Attempt { outcome: Outcome::Final, result: Ok(response) };
        }
        let status = response.status.as_u16();
        let now = SystemTime::now();
        let refusal = if response.is_page() { None } else { Refusal::read(call.service.protocol(), &response) };
        let Some(refusal) = refusal else {
            let outcome = match status {
                429 => Outcome::Throttled(retry::wish(&response, now)),
                500.. if !response.is_page() => Outcome::Failed(retry::wish(&response, now)),
                _ => Outcome::Foreign,
            };
            return Attempt { outcome, result: Err(call.foreign(&response)) };
        };
        let meaning = refusal.meaning(status);
        let outcome = match meaning {
            Meaning::Answer => Outcome::Final,
            Meaning::Throttled => Outcome::Throttled(retry::wish(&response, now)),
            Meaning::Failed => Outcome::Failed(retry::wish(&response, now)),
            Meaning::Time | Meaning::TimeOrExpired if self.shared.skew.learn(&response, now, at) => Outcome::Corrected,
            Meaning::Expired | Meaning::TimeOrExpired if self.shared.keys.forget(keys).await => Outcome::Corrected,
            Meaning::Time | Meaning::Expired | Meaning::TimeOrExpired => Outcome::Final,
        };
        let error = AwsError {
            code: call.cleaned(&refusal.code, keys),
            message: call.cleaned(&refusal.message, keys),
            request_id: call.cleaned(&refusal.request_id, keys),
            status: Some(status),
            maybe_done: maybe_done(Cause::Refused, meaning, call.safety),
            ..call.error(Cause::Refused, String::new())
        };
        Attempt { outcome, result: Err(error) }
    }
}

impl Call<'_> {
    fn scope(&self) -> Scope<'_> {
        Scope { region: &self.endpoint.signing_region, service: self.service.signing_name() }
    }

    fn error(&self, cause: Cause, message: String) -> AwsError {
        AwsError {
            service: self.service,
            action: self.action.clone(),
            cause,
            code: String::new(),
            message,
            request_id: String::new(),
            status: None,
            maybe_done: maybe_done(cause, Meaning::Answer, self.safety),
        }
    }

    fn unsigned(&self, words: String) -> AwsError {
        self.error(Cause::Unsigned, words)
    }

    fn unanswered(&self, refused: &Refused) -> Attempt {
        let (outcome, cause) = match refused {
            Refused::NotSent(_) => (Outcome::NotSent, Cause::NotSent),
            Refused::NoAnswer(_) => (Outcome::NoAnswer, Cause::NoAnswer),
        };
        Attempt { outcome, result: Err(self.error(cause, refused.to_string())) }
    }

    /// Somebody else's answer, of which nothing is shown: nobody knows what it holds.
    fn foreign(&self, response: &Response) -> AwsError {
        let status = response.status.as_u16();
        let sort = if response.is_page() { "a web page" } else { "nothing AWS would answer" };
        let words = format!("{} answered {status} and {sort}", self.request.url.host_str().unwrap_or_default());
        AwsError { status: Some(status), ..self.error(Cause::Foreign, words) }
    }

    /// An answer of success that nobody can read.
    fn unreadable(&self, response: &Response, reason: &str) -> AwsError {
        let words = format!("{} answered with {reason}", self.request.url.host_str().unwrap_or_default());
        AwsError { message: words, ..self.foreign(response) }
    }

    /// What somebody said, without the secrets that went out with the request: some servers quote what they refuse.
    fn cleaned(&self, words: &str, keys: &Credentials) -> String {
        let own = [Some(keys.secret_access_key()), keys.session_token()];
        let secrets = self.secrets.iter().map(|secret| secret.as_str()).chain(own.into_iter().flatten());
        redact::without(words, secrets)
    }
}
