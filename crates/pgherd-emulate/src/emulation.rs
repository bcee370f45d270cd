//! The whole emulated cloud: time, regions, what shall go wrong and what was asked. A request and the time give a reply.

use std::collections::BTreeMap;
use std::time::Instant;

use jiff::Timestamp;
use serde::Serialize;

use crate::clock::{Clock, Speed};
use crate::faults::{self, Fault, Planned};
use crate::rds::{self, Call, Region};
use crate::wire::{self, Element, Form, Refusal, Scope};

/// When the emulated world begins: a Thursday, so that the default maintenance window is three days off.
pub const BEGINNING: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// The whole emulated cloud.
#[derive(Debug)]
pub struct Emulation {
    /// Its time.
    pub clock: Clock,
    /// What shall go wrong.
    pub faults: Vec<Planned>,
    /// What was asked, oldest first.
    pub asked: Vec<Asked>,
    regions: BTreeMap<String, Region>,
    speed: Speed,
    calls: u64,
}

/// A call that was made. Passwords are not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// Its number, 1 the first.
    pub number: u64,
    /// When, in the emulator's time.
    pub at: String,
    /// `rds`.
    pub service: String,
    /// `us-east-1`.
    pub region: String,
    /// `CreateDBInstance`.
    pub action: String,
    /// What was sent.
    pub parameters: BTreeMap<String, String>,
    /// `ok`, AWS's code of the refusal, or the fault it met.
    pub outcome: String,
}

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It is answered.
    Answer(Answer),
    /// The connection ends.
    Nothing,
    /// Nothing ever happens.
    Never,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// `text/xml`.
    pub content_type: &'static str,
    /// The request id.
    pub request_id: String,
    /// How many seconds the server's clock is ahead of ours.
    pub clock_off_s: i64,
    /// What is said.
    pub body: String,
}

impl Emulation {
    /// A cloud nobody has used yet.
    pub fn new(speed: Speed, real: Instant) -> Self {
        Self {
            clock: Clock::new(speed, BEGINNING, real),
            faults: Vec::new(),
            asked: Vec::new(),
            regions: BTreeMap::new(),
            speed,
            calls: 0,
        }
    }

    /// Everything is as it was in the beginning.
    pub fn reset(&mut self, real: Instant) {
        *self = Self::new(self.speed, real);
    }

    /// A region, which is there as soon as it is spoken of.
    pub fn region(&mut self, name: &str) -> &mut Region {
        self.regions.entry(name.to_owned()).or_insert_with(|| Region::new(name))
    }

    /// Does what somebody else does to the cloud: no fault, no entry in what was asked.
    pub fn tamper(&mut self, region: &str, form: &Form, real: Instant) -> Result<Element, Refusal> {
        let call = Call { now: self.clock.now(real), stretch: 1.0 };
        rds::answer(self.region(region), form, &call)
    }

    /// What happens to a request.
    pub fn reply(&mut self, authorization: Option<&str>, body: &[u8], real: Instant) -> Reply {
        self.clock.called(real);
        self.calls += 1;
        let request_id = format!("00000000-0000-4000-8000-{:012x}", self.calls);
        let (scope, form) = match Scope::of(authorization).and_then(|scope| Ok((scope, Form::parse(body)?))) {
            Ok(both) => both,
            Err(refusal) => return refused(&refusal, request_id, 0),
        };
        let action = form.text("Action").unwrap_or_default().to_owned();
        let (fault, left) = faults::next(std::mem::take(&mut self.faults), &action);
        self.faults = left;
        let (reply, outcome) = self.met(fault.as_ref(), &scope, &form, request_id, real);
        self.asked.push(Asked {
            number: self.calls,
            at: self.clock.now(real).to_string(),
            service: scope.service,
            region: scope.region,
            action,
            parameters: form.pairs().map(kept).collect(),
            outcome,
        });
        reply
    }

    fn met(
        &mut self,
        fault: Option<&Fault>,
        scope: &Scope,
        form: &Form,
        request_id: String,
        real: Instant,
    ) -> (Reply, String) {
        let action = form.text("Action").unwrap_or_default();
        let stretch = if let Some(Fault::Slow { factor }) = fault { *factor } else { 1.0 };
        match fault {
            Some(Fault::Html) => (html(request_id), "html".to_owned()),
            Some(Fault::Dropped) => (Reply::Nothing, "dropped".to_owned()),
            Some(Fault::Lost) => (self.unheard(scope, form, real, Reply::Nothing), "lost".to_owned()),
            Some(Fault::Hang) => (self.unheard(scope, form, real, Reply::Never), "hang".to_owned()),
            Some(fault) if let Some(refusal) = faults::refusal(fault, action) => {
                let off = if let Fault::ClockOff { seconds } = fault { *seconds } else { 0 };
                (refused(&refusal, request_id, off), refusal.code.to_owned())
            }
            _ => match self.done(scope, form, stretch, real) {
                Ok(result) => {
                    let body = wire::done(action, result, &request_id);
                    (Reply::Answer(answer(200, body, request_id)), "ok".to_owned())
                }
                Err(refusal) => (refused(&refusal, request_id, 0), refusal.code.to_owned()),
            },
        }
    }

    /// It is done, and nobody hears of it.
    fn unheard(&mut self, scope: &Scope, form: &Form, real: Instant, reply: Reply) -> Reply {
        // Whether it was refused is part of what is not heard.
        let _ = self.done(scope, form, 1.0, real);
        reply
    }

    fn done(&mut self, scope: &Scope, form: &Form, stretch: f64, real: Instant) -> Result<Element, Refusal> {
        if scope.service != "rds" {
            return Err(Refusal::of("InvalidAction", format!("The emulator has no service {}.", scope.service)));
        }
        let call = Call { now: self.clock.now(real), stretch };
        rds::answer(self.region(&scope.region), form, &call)
    }
}

fn kept((name, value): (&str, &str)) -> (String, String) {
    let value = if name.ends_with("Password") { "****" } else { value };
    (name.to_owned(), value.to_owned())
}

fn answer(status: u16, body: String, request_id: String) -> Answer {
    Answer { status, content_type: "text/xml", request_id, clock_off_s: 0, body }
}

fn refused(refusal: &Refusal, request_id: String, clock_off_s: i64) -> Reply {
    let body = wire::refused(refusal, &request_id);
    Reply::Answer(Answer { clock_off_s, ..answer(refusal.status, body, request_id) })
}

fn html(request_id: String) -> Reply {
    let body = "<!doctype html>\n<title>500 Internal Server Error</title>\n".to_owned();
    Reply::Answer(Answer { content_type: "text/html; charset=utf-8", ..answer(500, body, request_id) })
}
