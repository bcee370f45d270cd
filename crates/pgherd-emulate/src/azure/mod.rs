//! A stateful Azure as far as databases go: flexible servers with their operations, a key vault, and what stands beside servers: locks,
//! private zones, diagnostic settings, metric alerts and action groups.
//!
//! Pure but for `serve.rs`: a request and the time give a reply. What takes time is an operation with an end, told at a URL that is good
//! as it was told and in no other spelling, but for the case of what is escaped. Each request is checked as the official descriptions
//! have it (`schemas.csv`); where they are silent the emulator is as awkward as Azure was seen to be: one thing at a time is done to a
//! server, and it is busy for a while after.

mod beside;
mod catalogue;
mod configurations;
mod entra;
mod monitoring;
mod operations;
mod routes;
mod rules;
mod schema;
mod serve;
mod server;
mod vault;
mod within;

use std::collections::BTreeMap;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value as Json, json};

pub use self::entra::{CLIENT, TENANT, TOKEN};
pub use self::operations::Operation;
pub use self::serve::{AzureCloud, Options, Running};
pub use self::server::Server;
pub use self::vault::Held;
use crate::clock::{Clock, Speed, later};
use crate::emulation::BEGINNING;
use crate::faults::{self, Fault, Planned};

/// At most so many calls are remembered.
const REMEMBERED: usize = 100_000;
/// What is put in the place of a password in what is remembered.
const HIDDEN: &str = "(secret)";

/// The subscription that is there.
pub const SUBSCRIPTION: &str = "s";
/// The resource group that is there.
pub const GROUP: &str = "databases";
/// The vault that is there.
pub const VAULT: &str = "learning-vault";
/// The token that the vault takes, and nobody else. Resource Manager takes any other.
pub const VAULT_TOKEN: &str = "emulated-vault";

/// The whole emulated subscription.
#[derive(Debug, Clone)]
pub struct Azure {
    /// Its time.
    pub clock: Clock,
    /// What shall go wrong.
    pub faults: Vec<Planned>,
    /// What was asked, oldest first.
    pub asked: Vec<Asked>,
    /// Servers by name, replicas among them.
    pub servers: BTreeMap<String, Server>,
    /// Operations, oldest first.
    pub operations: Vec<Operation>,
    /// Secrets of the vault by name.
    pub secrets: BTreeMap<String, Held>,
    /// Secrets that were deleted and are kept.
    pub deleted_secrets: BTreeMap<String, Held>,
    /// Metric alerts by name.
    pub alerts: BTreeMap<String, Json>,
    /// Action groups by name.
    pub groups: BTreeMap<String, Json>,
    /// Private zones by name.
    pub zones: BTreeMap<String, Json>,
    /// Links of private zones, by `zone/link`.
    pub links: BTreeMap<String, Json>,
    /// Names of servers that somebody else in the world has.
    pub taken: Vec<String>,
    /// Whether only a few configurations are told, for who asks a thousand times.
    pub is_brief: bool,
    /// Where it is reached.
    pub base: String,
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
    /// The description's own name for it: `Servers.create_or_update`.
    pub action: String,
    /// `PUT`.
    pub method: String,
    /// `/subscriptions/s/resourceGroups/g/…`.
    pub path: String,
    /// What was asked beside.
    pub query: String,
    /// What was sent.
    pub body: Json,
    /// Whether it was done, though nobody may have heard.
    pub done: bool,
    /// The status of the answer; 0 without one.
    pub status: u16,
    /// What was answered.
    pub answer: Json,
    /// `ok`, the code of the refusal, or the fault it met.
    pub outcome: String,
}

/// A request as it arrives.
#[derive(Debug, Clone, Copy)]
pub struct Sent<'a> {
    /// `PUT`.
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
    Answer(Told),
    /// A page for people instead, with this status.
    Page(u16),
    /// The connection ends.
    Nothing,
    /// Nothing ever happens.
    Never,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// The HTTP status.
    pub status: u16,
    /// What is said; `null` says nothing.
    pub body: Json,
    /// Where what goes on is told.
    pub operation: Option<String>,
    /// How many seconds to stay away.
    pub retry_after: Option<u32>,
}

impl Told {
    fn new(status: u16, body: Json) -> Self {
        Self { status, body, operation: None, retry_after: None }
    }
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    status: u16,
    code: &'static str,
    message: String,
}

impl Refusal {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    fn absent(message: impl Into<String>) -> Self {
        Self::new(404, "ResourceNotFound", message)
    }

    fn content(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidRequestContent", message)
    }

    fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidParameterValue", message)
    }
}

/// What is answered when all is well.
pub(crate) type Said = Result<Told, Refusal>;

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

impl Azure {
    /// A subscription nobody has used yet.
    pub fn new(speed: Speed, real: Instant) -> Self {
        Self {
            clock: Clock::new(speed, BEGINNING, real),
            faults: Vec::new(),
            asked: Vec::new(),
            servers: BTreeMap::new(),
            operations: Vec::new(),
            secrets: BTreeMap::new(),
            deleted_secrets: BTreeMap::new(),
            alerts: BTreeMap::new(),
            groups: BTreeMap::new(),
            zones: BTreeMap::new(),
            links: BTreeMap::new(),
            taken: Vec::new(),
            is_brief: false,
            base: "http://127.0.0.1".to_owned(),
            speed,
            calls: 0,
            made: 0,
            done: false,
        }
    }

    /// Everything is as it was in the beginning.
    pub fn reset(&mut self, real: Instant) {
        *self = Self { base: std::mem::take(&mut self.base), ..Self::new(self.speed, real) };
    }

    /// Does what somebody else does: no fault, no entry in what was asked. The status and what is said.
    pub fn tamper(&mut self, method: &str, path: &str, body: &Json, real: Instant) -> (u16, Json) {
        let (path, query) = path.split_once('?').unwrap_or((path, "api-version=2026-10-01"));
        let call = Call { now: self.clock.now(real), query, body, stretch: 1.0 };
        self.advance(call.now);
        let said = routes::route(self, method, path, &call);
        said.map_or_else(|refusal| (refusal.status, shown(&refusal)), |told| (told.status, told.body))
    }

    /// What happens to a request.
    pub fn reply(&mut self, sent: Sent<'_>, real: Instant) -> Reply {
        self.clock.called(real);
        self.calls += 1;
        self.done = false;
        let now = self.clock.now(real);
        self.advance(now);
        let body: Result<Json, _> =
            if sent.body.is_empty() { Ok(Json::Null) } else { serde_json::from_slice(sent.body) };
        let action = routes::action(sent.method, sent.path);
        let (fault, left) = faults::next(std::mem::take(&mut self.faults), "", &action);
        self.faults = left;
        let token = sent.authorization.and_then(|header| header.strip_prefix("Bearer "));
        let of_vault = routes::is_of_vault(sent.path);
        let is_known = token.is_some_and(|token| !token.is_empty() && (token == VAULT_TOKEN) == of_vault);
        let (reply, outcome) = match (&fault, &body) {
            _ if !is_known => refused(&Refusal::new(401, "AuthenticationFailed", "Authentication failed.")),
            (_, Err(_)) => refused(&Refusal::content("The request content was invalid JSON.")),
            (fault, Ok(body)) => {
                let stretch = if let Some(Fault::Slow { factor }) = fault { *factor } else { 1.0 };
                let call = Call { now, query: sent.query.unwrap_or_default(), body, stretch };
                self.met(fault.as_ref(), sent, &call)
            }
        };
        self.remember(sent, action, &body.unwrap_or_default(), now, &reply, outcome);
        reply
    }

    fn met(&mut self, fault: Option<&Fault>, sent: Sent<'_>, call: &Call<'_>) -> (Reply, String) {
        let refusal = match fault {
            Some(Fault::Throttle) => Some(Refusal::new(429, "TooManyRequests", "The request is being throttled.")),
            Some(Fault::Error { status }) => {
                Some(Refusal::new(*status, "InternalServerError", "An unexpected error occurred."))
            }
            Some(Fault::Denied) => Some(Refusal::new(403, "AuthorizationFailed", "The client has no authorization.")),
            Some(Fault::ExpiredToken) => {
                Some(Refusal::new(401, "ExpiredAuthenticationToken", "The access token has expired."))
            }
            _ => None,
        };
        match (refusal, fault) {
            (Some(refusal), _) => return refused(&refusal),
            (None, Some(Fault::Html)) => return (Reply::Page(502), "html".to_owned()),
            (None, Some(Fault::NoSuchPage)) => return (Reply::Page(404), "no such page".to_owned()),
            (None, Some(Fault::Dropped)) => return (Reply::Nothing, "dropped".to_owned()),
            (None, _) => {}
        }
        let said = routes::route(self, sent.method, sent.path, call);
        self.done = said.is_ok();
        match (fault, said) {
            (Some(Fault::Lost), _) => (Reply::Nothing, "lost".to_owned()),
            (Some(Fault::Hang), _) => (Reply::Never, "hang".to_owned()),
            (_, Ok(told)) => (Reply::Answer(told), "ok".to_owned()),
            (_, Err(refusal)) => refused(&refusal),
        }
    }

    fn remember(
        &mut self,
        sent: Sent<'_>,
        action: String,
        body: &Json,
        now: Timestamp,
        reply: &Reply,
        outcome: String,
    ) {
        let (status, answer) = match reply {
            Reply::Answer(told) => (told.status, hidden(&told.body)),
            Reply::Page(status) => (*status, Json::Null),
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
            query: sent.query.unwrap_or_default().to_owned(),
            body: hidden(body),
            done: self.done,
            status,
            answer,
            outcome,
        });
    }

    /// A number that no other thing has.
    fn number(&mut self) -> u64 {
        self.made += 1;
        self.made
    }
}

fn refused(refusal: &Refusal) -> (Reply, String) {
    let mut told = Told::new(refusal.status, shown(refusal));
    // A limit that is over at once, so that no test waits for a minute.
    told.retry_after = (refusal.status == 429).then_some(0);
    (Reply::Answer(told), refusal.code.to_owned())
}

fn shown(refusal: &Refusal) -> Json {
    let Refusal { code, message, .. } = refusal;
    match code.strip_prefix("Object") {
        // A vault tells its own reasons within.
        Some(_) => json!({ "error": { "code": "Conflict", "message": message, "innererror": { "code": code } } }),
        None => json!({ "error": { "code": code, "message": message } }),
    }
}

/// The same without passwords.
fn hidden(said: &Json) -> Json {
    match said {
        Json::Array(items) => items.iter().map(hidden).collect(),
        Json::Object(entries) => {
            let is_secret = entries.contains_key("contentType");
            let shown = |(name, value): (&String, &Json)| match name.as_str() {
                "administratorLoginPassword" => (name.clone(), Json::from(HIDDEN)),
                "value" if is_secret => (name.clone(), Json::from(HIDDEN)),
                _ => (name.clone(), hidden(value)),
            };
            entries.iter().map(shown).collect()
        }
        other => other.clone(),
    }
}
