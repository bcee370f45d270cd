//! A stateful DigitalOcean as far as databases go: clusters of PostgreSQL with what is in them, replicas, tags, networks and alerts.
//!
//! Pure but for `serve.rs`: a request and the time give a reply. What takes time is a phase with an end. Each request is checked as the
//! official description has it (digitalocean/openapi 7c1300c); where that is silent the emulator is as awkward as it may be: a cluster is
//! not to be seen right after it was asked for or promoted, its name is no key, and while something goes on with it nothing else is taken.

mod alerts;
mod check;
mod cluster;
mod routes;
mod serve;
mod within;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value as Json, json};

pub use self::cluster::{Cluster, User};
pub use self::serve::{DigitalOcean, Options, Running};
use crate::clock::{Clock, Speed, later};
use crate::emulation::BEGINNING;
use crate::faults::{self, Fault, Planned};

/// At most so many calls are remembered.
const REMEMBERED: usize = 100_000;

/// What is put in the place of a password in what is remembered.
const HIDDEN: &str = "(secret)";

/// The network that each region has from the beginning, which is what a cluster without one is in.
pub const NETWORK: &str = "11111111-1111-4111-8111-111111111111";

/// The whole emulated account.
#[derive(Debug, Clone)]
pub struct Ocean {
    /// Its time.
    pub clock: Clock,
    /// What shall go wrong.
    pub faults: Vec<Planned>,
    /// What was asked, oldest first.
    pub asked: Vec<Asked>,
    /// Clusters by id, replicas among them.
    pub clusters: BTreeMap<String, Cluster>,
    /// Alert policies by id.
    pub alerts: BTreeMap<String, Json>,
    /// Tags that exist, worn or not.
    pub tags: BTreeSet<String>,
    /// How long a cluster is not to be seen after it was asked for or promoted, seconds.
    pub hidden_s: i64,
    speed: Speed,
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
    /// The description's own name for it: `databases_create_cluster`.
    pub action: String,
    /// `POST`.
    pub method: String,
    /// `/v2/databases`.
    pub path: String,
    /// What was sent.
    pub body: Json,
    /// Whether it was done, though nobody may have heard.
    pub done: bool,
    /// The status of the answer; 0 without one.
    pub status: u16,
    /// What was answered.
    pub answer: Json,
    /// `ok`, the id of the refusal, or the fault it met.
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
    /// The request id.
    pub request_id: String,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    status: u16,
    id: &'static str,
    message: String,
}

impl Refusal {
    fn new(status: u16, message: impl Into<String>) -> Self {
        let id = match status {
            400 => "bad_request",
            401 => "unauthorized",
            403 => "forbidden",
            404 => "not_found",
            409 => "conflict",
            412 => "precondition_failed",
            422 => "unprocessable_entity",
            429 => "too_many_requests",
            _ => "server_error",
        };
        Self { status, id, message: message.into() }
    }

    fn absent() -> Self {
        Self::new(404, "The resource you were accessing could not be found.")
    }

    fn invalid(message: impl Into<String>) -> Self {
        Self::new(422, message)
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

impl Ocean {
    /// An account nobody has used yet.
    pub fn new(speed: Speed, real: Instant) -> Self {
        Self {
            clock: Clock::new(speed, BEGINNING, real),
            faults: Vec::new(),
            asked: Vec::new(),
            clusters: BTreeMap::new(),
            alerts: BTreeMap::new(),
            tags: BTreeSet::new(),
            hidden_s: cluster::HIDDEN_S,
            speed,
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
        let call = Call { now: self.clock.now(real), query: "", body, stretch: 1.0 };
        self.advance(call.now);
        let (_, said) = routes::route(self, method, path, &call);
        said.unwrap_or_else(|refusal| (refusal.status, shown(&refusal, "tampered")))
    }

    /// What happens to a request.
    pub fn reply(&mut self, sent: Sent<'_>, real: Instant) -> Reply {
        self.clock.called(real);
        self.calls += 1;
        self.done = false;
        let request_id = format!("00000000-0000-4000-8000-{:012x}", self.calls);
        let now = self.clock.now(real);
        self.advance(now);
        let body: Result<Json, _> =
            if sent.body.is_empty() { Ok(Json::Null) } else { serde_json::from_slice(sent.body) };
        let action = routes::action(sent.method, sent.path);
        let (fault, left) = faults::next(std::mem::take(&mut self.faults), "", &action);
        self.faults = left;
        let is_known = sent.authorization.is_some_and(|header| header.len() > 7 && header.starts_with("Bearer "));
        let (mut reply, outcome) = match (&fault, &body) {
            _ if !is_known => self.refused(&Refusal::new(401, "Unable to authenticate you."), &request_id),
            (_, Err(_)) => self.refused(&Refusal::new(400, "The body is no JSON."), &request_id),
            (fault, Ok(body)) => {
                let stretch = if let Some(Fault::Slow { factor }) = fault { *factor } else { 1.0 };
                let call = Call { now, query: sent.query.unwrap_or_default(), body, stretch };
                self.met(fault.as_ref(), sent, &call, &request_id)
            }
        };
        self.remember(sent, action, &body.unwrap_or_default(), now, &mut reply, outcome)
    }

    fn met(&mut self, fault: Option<&Fault>, sent: Sent<'_>, call: &Call<'_>, request_id: &str) -> (Reply, String) {
        let refuse = |status, message: &str| Some(Refusal::new(status, message));
        let refusal = match fault {
            Some(Fault::Throttle) => refuse(429, "API rate limit exceeded."),
            Some(Fault::Error { status }) => refuse(*status, "Unexpected server-side error"),
            Some(Fault::Denied) => refuse(403, "You are not authorized to perform this operation"),
            Some(Fault::ExpiredToken) => refuse(401, "Unable to authenticate you."),
            _ => None,
        };
        if let Some(refusal) = refusal {
            return self.refused(&refusal, request_id);
        }
        let foreign = match fault {
            Some(Fault::Html) => Some((502, true)),
            Some(Fault::NoSuchPage) => Some((404, true)),
            Some(Fault::Hollow) => Some((200, false)),
            _ => None,
        };
        if let Some((status, is_page)) = foreign {
            let body = if is_page { Json::Null } else { json!({}) };
            let answer = Answer { status, body, is_page, request_id: request_id.to_owned() };
            return (Reply::Answer(answer), "foreign".to_owned());
        }
        if let Some(Fault::Dropped) = fault {
            return (Reply::Nothing, "dropped".to_owned());
        }
        let (_, said) = routes::route(self, sent.method, sent.path, call);
        self.done = said.is_ok();
        match fault {
            Some(Fault::Lost) => (Reply::Nothing, "lost".to_owned()),
            Some(Fault::Hang) => (Reply::Never, "hang".to_owned()),
            _ => match said {
                Ok((status, mut body)) => {
                    if let Some(Fault::Short) = fault {
                        body.as_object_mut()
                            .into_iter()
                            .flatten()
                            .filter_map(|(_, all)| all.as_array_mut())
                            .for_each(|all| drop(all.pop()));
                    }
                    let answer = Answer { status, body, is_page: false, request_id: request_id.to_owned() };
                    (Reply::Answer(answer), "ok".to_owned())
                }
                Err(refusal) => self.refused(&refusal, request_id),
            },
        }
    }

    fn refused(&self, refusal: &Refusal, request_id: &str) -> (Reply, String) {
        let body = shown(refusal, request_id);
        let answer = Answer { status: refusal.status, body, is_page: false, request_id: request_id.to_owned() };
        (Reply::Answer(answer), refusal.id.to_owned())
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

    /// A number that no other thing has, as an id.
    fn id(&mut self) -> String {
        self.made += 1;
        format!("{:08x}-0000-4000-8000-{:012x}", self.made, self.made)
    }

    /// Ends every phase whose end has passed.
    fn advance(&mut self, now: Timestamp) {
        self.clusters.retain(|_, cluster| cluster.gone_at.is_none_or(|gone| now < gone));
        for cluster in self.clusters.values_mut() {
            cluster.advance(now);
        }
    }
}

fn shown(refusal: &Refusal, request_id: &str) -> Json {
    json!({ "id": refusal.id, "message": refusal.message, "request_id": request_id })
}

/// The same without passwords.
fn hidden(said: &Json) -> Json {
    match said {
        Json::Array(items) => items.iter().map(hidden).collect(),
        Json::Object(entries) => entries
            .iter()
            .map(|(name, value)| match name.as_str() {
                "password" | "uri" => (name.clone(), Json::from(HIDDEN)),
                _ => (name.clone(), hidden(value)),
            })
            .collect(),
        other => other.clone(),
    }
}
