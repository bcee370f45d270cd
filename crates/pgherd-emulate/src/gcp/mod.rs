//! A stateful Google Cloud as far as databases go: Cloud SQL for PostgreSQL with its operations, Secret Manager and Cloud Monitoring.
//!
//! Pure but for `serve.rs`: a request and the time give a reply. What takes time is an operation with an end. Each request is checked as
//! the official descriptions have it (`schemas.csv`); where they are silent the emulator is as awkward as it may be: one thing at a time
//! is done to an instance, and what was made for an older `settingsVersion` is refused.

mod catalogue;
mod instance;
mod machine;
mod monitoring;
mod operations;
mod people;
mod routes;
mod schema;
mod secrets;
mod serve;
mod settings;
mod within;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value as Json, json};

pub use self::instance::Instance;
pub use self::operations::Operation;
pub use self::secrets::Held;
pub use self::serve::{GoogleCloud, Options, Running};
use crate::clock::{Clock, Speed, later};
use crate::emulation::BEGINNING;
use crate::faults::{self, Fault, Planned};

/// At most so many calls are remembered.
const REMEMBERED: usize = 100_000;

/// What is put in the place of a password in what is remembered.
const HIDDEN: &str = "(secret)";

/// The project that whoever asks for one is told of. Any other is as good.
pub const PROJECT: &str = "learning";

/// The network that is connected to Google's from the beginning: private services access is set up.
pub const NETWORK: &str = "projects/learning/global/networks/default";

/// The whole emulated project.
#[derive(Debug, Clone)]
pub struct Google {
    /// Its time.
    pub clock: Clock,
    /// What shall go wrong.
    pub faults: Vec<Planned>,
    /// What was asked, oldest first.
    pub asked: Vec<Asked>,
    /// Instances by name, replicas among them.
    pub instances: BTreeMap<String, Instance>,
    /// Operations, oldest first.
    pub operations: Vec<Operation>,
    /// Secrets by name.
    pub secrets: BTreeMap<String, Held>,
    /// Alert policies by number.
    pub policies: BTreeMap<u64, Json>,
    /// Notification channels by number.
    pub channels: BTreeMap<u64, Json>,
    /// Last backups of instances that are gone.
    pub last_backups: Vec<Json>,
    /// What is in them, by their names.
    held: BTreeMap<String, Instance>,
    /// Networks with private services access.
    pub networks: BTreeSet<String>,
    /// Whether the name of a deleted instance is kept, as Google once did for a week.
    pub keeps_names: bool,
    /// Those names.
    pub reserved: BTreeSet<String>,
    speed: Speed,
    /// Tokens of people that have ended.
    ended: BTreeSet<String>,
    calls: u64,
    made: u64,
    /// Whether the last call was done.
    done: bool,
}

/// A call that was made. Passwords are not kept.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Asked {
    /// Its number, 1 the first.
    pub number: u64,
    /// When, in the emulator's time.
    pub at: String,
    /// The description's own name for it: `sql.instances.insert`.
    pub action: String,
    /// `POST`.
    pub method: String,
    /// `/v1/projects/p/instances`.
    pub path: String,
    /// What was sent.
    pub body: Json,
    /// Whether it was done, though nobody may have heard.
    pub done: bool,
    /// The status of the answer; 0 without one.
    pub status: u16,
    /// What was answered.
    pub answer: Json,
    /// `ok`, the reason of the refusal, or the fault it met.
    pub outcome: String,
}

/// A request as it arrives.
#[derive(Debug, Clone, Copy)]
pub struct Sent<'a> {
    /// `POST`.
    pub method: &'a str,
    /// Without the query.
    pub path: &'a str,
    /// The query, if there is one.
    pub query: Option<&'a str>,
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The `x-goog-user-project` header.
    pub user_project: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// What happens to a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// It is answered.
    Answer(Answer),
    /// The connection ends.
    Nothing,
    /// Nothing ever happens.
    Never,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// What is said; `null` says nothing.
    pub body: Json,
    /// Whether it is a page for people instead.
    pub is_page: bool,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    status: u16,
    reason: &'static str,
    message: String,
}

impl Refusal {
    fn new(status: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { status, reason, message: message.into() }
    }

    fn absent(message: impl Into<String>) -> Self {
        Self::new(404, "notFound", message)
    }

    fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid", message)
    }

    /// The word of gRPC for its status.
    fn word(&self) -> &'static str {
        match (self.status, self.reason) {
            (_, "failedPrecondition") => "FAILED_PRECONDITION",
            (400, _) => "INVALID_ARGUMENT",
            (401, _) => "UNAUTHENTICATED",
            (403, _) => "PERMISSION_DENIED",
            (404, _) => "NOT_FOUND",
            (409, "alreadyExists") => "ALREADY_EXISTS",
            (409, _) => "ABORTED",
            (412, _) => "FAILED_PRECONDITION",
            (429, _) => "RESOURCE_EXHAUSTED",
            (503, _) => "UNAVAILABLE",
            _ => "INTERNAL",
        }
    }
}

/// What is answered when all is well.
pub(crate) type Said = Result<(u16, Json), Refusal>;

/// A request that is understood.
pub(crate) struct Call<'a> {
    now: Timestamp,
    query: &'a str,
    body: &'a Json,
    /// How many times longer it takes.
    stretch: f64,
}

impl Call<'_> {
    /// So many seconds from now.
    fn after(&self, seconds: i64) -> Timestamp {
        let seconds = SignedDuration::from_secs(seconds).as_secs_f64() * self.stretch;
        SignedDuration::try_from_secs_f64(seconds).map_or(Timestamp::MAX, |seconds| later(self.now, seconds))
    }
}

impl Google {
    /// A project nobody has used yet.
    pub fn new(speed: Speed, real: Instant) -> Self {
        Self {
            clock: Clock::new(speed, BEGINNING, real),
            faults: Vec::new(),
            asked: Vec::new(),
            instances: BTreeMap::new(),
            operations: Vec::new(),
            secrets: BTreeMap::new(),
            policies: BTreeMap::new(),
            channels: BTreeMap::new(),
            last_backups: Vec::new(),
            held: BTreeMap::new(),
            networks: BTreeSet::from([NETWORK.to_owned()]),
            keeps_names: false,
            reserved: BTreeSet::new(),
            speed,
            ended: BTreeSet::new(),
            calls: 0,
            made: 0,
            done: false,
        }
    }

    /// Everything is as it was in the beginning.
    pub fn reset(&mut self, real: Instant) {
        *self = Self::new(self.speed, real);
    }

    /// Does what somebody else does: no fault, no entry in what was asked. The status and what is said.
    pub fn tamper(&mut self, method: &str, path: &str, body: &Json, real: Instant) -> (u16, Json) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let call = Call { now: self.clock.now(real), query, body, stretch: 1.0 };
        self.advance(call.now);
        let said = routes::route(self, method, path, &call);
        said.unwrap_or_else(|refusal| (refusal.status, shown(&refusal)))
    }

    /// What happens to a request.
    pub fn reply(&mut self, sent: Sent<'_>, real: Instant) -> Reply {
        self.clock.called(real);
        self.calls += 1;
        self.done = false;
        let now = self.clock.now(real);
        self.advance(now);
        let path = routes::meant(sent.path);
        let sent = Sent { path: &path, ..sent };
        let body: Result<Json, _> =
            if sent.body.is_empty() { Ok(Json::Null) } else { serde_json::from_slice(sent.body) };
        let action = routes::action(sent.method, sent.path);
        let (fault, left) = faults::next(std::mem::take(&mut self.faults), "", &action);
        self.faults = left;
        let token = sent.authorization.and_then(|header| header.strip_prefix("Bearer ")).unwrap_or_default();
        let is_known = !token.is_empty() && !self.ended.contains(token);
        let is_a_person = token.starts_with(people::TOKEN);
        if fault == Some(Fault::ExpiredToken) && is_a_person {
            self.ended.insert(token.to_owned());
        }
        let (mut reply, outcome) = match (&fault, &body) {
            _ if !is_known => {
                self.refused(&Refusal::new(401, "authError", "Request had invalid authentication credentials."))
            }
            _ if is_a_person && sent.user_project.is_none() => self.refused(&people::without_project()),
            (_, Err(_)) => self.refused(&Refusal::new(400, "parseError", "Invalid JSON payload received.")),
            (fault, Ok(body)) => {
                let stretch = if let Some(Fault::Slow { factor }) = fault { *factor } else { 1.0 };
                let call = Call { now, query: sent.query.unwrap_or_default(), body, stretch };
                self.met(fault.as_ref(), sent, &call)
            }
        };
        self.remember(sent, action, &body.unwrap_or_default(), now, &mut reply, outcome)
    }

    fn met(&mut self, fault: Option<&Fault>, sent: Sent<'_>, call: &Call<'_>) -> (Reply, String) {
        let refuse = |status, reason, message: &str| Some(Refusal::new(status, reason, message));
        let refusal = match fault {
            Some(Fault::Throttle) => refuse(429, "rateLimitExceeded", "Quota exceeded for quota metric."),
            Some(Fault::Error { status }) => refuse(*status, "backendError", "The service is currently unavailable."),
            Some(Fault::Denied) => refuse(403, "forbidden", "Required permission is denied."),
            Some(Fault::ExpiredToken) => refuse(401, "authError", "Request had invalid authentication credentials."),
            _ => None,
        };
        if let Some(refusal) = refusal {
            return self.refused(&refusal);
        }
        if let Some(Fault::Html) = fault {
            let answer = Answer { status: 502, body: Json::Null, is_page: true };
            return (Reply::Answer(answer), "html".to_owned());
        }
        if let Some(Fault::NoSuchPage) = fault {
            let answer = Answer { status: 404, body: Json::Null, is_page: true };
            return (Reply::Answer(answer), "html".to_owned());
        }
        if let Some(Fault::Dropped) = fault {
            return (Reply::Nothing, "dropped".to_owned());
        }
        let said = routes::route(self, sent.method, sent.path, call);
        self.done = said.is_ok();
        match fault {
            Some(Fault::Lost) => (Reply::Nothing, "lost".to_owned()),
            Some(Fault::Hang) => (Reply::Never, "hang".to_owned()),
            _ => match said {
                Ok((status, body)) => {
                    let answer = Answer { status, body, is_page: false };
                    (Reply::Answer(answer), "ok".to_owned())
                }
                Err(refusal) => self.refused(&refusal),
            },
        }
    }

    fn refused(&self, refusal: &Refusal) -> (Reply, String) {
        let body = shown(refusal);
        let answer = Answer { status: refusal.status, body, is_page: false };
        (Reply::Answer(answer), refusal.reason.to_owned())
    }

    fn remember(
        &mut self,
        sent: Sent<'_>,
        action: String,
        body: &Json,
        now: Timestamp,
        reply: &mut Reply,
        outcome: String,
    ) -> Reply {
        let (status, answer) = match reply {
            Reply::Answer(answer) => (answer.status, hidden(&answer.body)),
            Reply::Nothing | Reply::Never => (0, Json::Null),
        };
        if self.asked.len() >= REMEMBERED {
            self.asked.drain(..REMEMBERED / 2);
        }
        self.asked.push(Asked {
            number: self.calls,
            at: now.to_string(),
            action,
            method: sent.method.to_owned(),
            path: sent.path.to_owned(),
            body: hidden(body),
            done: self.done,
            status,
            answer,
            outcome,
        });
        reply.clone()
    }

    /// A number that no other thing has.
    fn number(&mut self) -> u64 {
        self.made += 1;
        self.made
    }
}

fn shown(refusal: &Refusal) -> Json {
    let Refusal { status, reason, message } = refusal;
    json!({ "error": {
        "code": status,
        "message": message,
        "errors": [{ "domain": "global", "message": message, "reason": reason }],
        "status": refusal.word(),
    } })
}

/// The same without passwords.
fn hidden(said: &Json) -> Json {
    match said {
        Json::Array(items) => items.iter().map(hidden).collect(),
        Json::Object(entries) => entries
            .iter()
            .map(|(name, value)| match name.as_str() {
                "password" | "rootPassword" | "data" => (name.clone(), Json::from(HIDDEN)),
                _ => (name.clone(), hidden(value)),
            })
            .collect(),
        other => other.clone(),
    }
}
