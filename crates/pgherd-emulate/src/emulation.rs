//! The whole emulated cloud: time, regions, what shall go wrong and what was asked. A request and the time give a reply.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Instant;

use jiff::Timestamp;
use serde::Serialize;

use crate::around::{Account, Around, cloudwatch, ec2, iam, kms, logs, secrets, sns, sts};
use crate::clock::{Clock, Speed};
use crate::faults::{self, Fault, Planned};
use crate::rds::backed::{Job, Outcome};
use crate::rds::state::ACCOUNT;
use crate::rds::{self, Call, Region};
use crate::wire::{self, Body, Fields, Protocol, Refusal, Request, Said, Sent, Written};

/// When the emulated world begins: a Thursday, so that the default maintenance window is three days off.
pub const BEGINNING: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// At most so many calls are remembered: whoever waits for a database asks for days.
const REMEMBERED: usize = 100_000;

/// The whole emulated cloud.
#[derive(Debug, Clone)]
pub struct Emulation {
    /// Its time.
    pub clock: Clock,
    /// What shall go wrong.
    pub faults: Vec<Planned>,
    /// What was asked, oldest first.
    pub asked: Vec<Asked>,
    regions: BTreeMap<String, Region>,
    /// What stands around RDS in each region.
    around: BTreeMap<String, Around>,
    account: Account,
    /// Its number on the wire; in here it is always [`ACCOUNT`].
    number: String,
    speed: Speed,
    calls: u64,
    /// Whether instances have a PostgreSQL behind them.
    is_backed: bool,
    /// How often everything began anew.
    age: u64,
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
    /// The id of the access key it was signed with.
    pub key: String,
    /// `CreateDBInstance`.
    pub action: String,
    /// What was sent, nothing secret in it.
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
    /// What is said, and how.
    pub written: Written,
    /// The request id.
    pub request_id: String,
    /// How many seconds the server's clock is ahead of ours.
    pub clock_off_s: i64,
    /// AWS's code, when it is a refusal.
    pub code: Option<&'static str>,
}

impl Emulation {
    /// A cloud nobody has used yet.
    pub fn new(speed: Speed, real: Instant) -> Self {
        Self {
            clock: Clock::new(speed, BEGINNING, real),
            faults: Vec::new(),
            asked: Vec::new(),
            regions: BTreeMap::new(),
            around: BTreeMap::new(),
            account: Account::default(),
            number: ACCOUNT.to_owned(),
            speed,
            calls: 0,
            is_backed: false,
            age: 0,
        }
    }

    /// The same, in which every instance has a PostgreSQL behind it.
    pub fn backed(self) -> Self {
        Self { is_backed: true, ..self }
    }

    /// The same, of an account of this number, which has twelve digits as all have.
    pub fn numbered(self, number: &str) -> Self {
        Self { number: number.to_owned(), ..self }
    }

    /// Everything is as it was in the beginning.
    pub fn reset(&mut self, real: Instant) {
        let number = std::mem::take(&mut self.number);
        *self = Self { is_backed: self.is_backed, age: self.age + 1, number, ..Self::new(self.speed, real) };
    }

    /// What is to be done since this was asked last, and in which age: what was begun in another one is needed no more.
    pub fn orders(&mut self) -> (u64, Vec<Job>) {
        (self.age, self.regions.values_mut().flat_map(Region::orders).collect())
    }

    /// An order was carried out, or was not.
    pub fn carried_out(&mut self, age: u64, job: &Job, outcome: Outcome, real: Instant) {
        let now = self.clock.now(real);
        if age == self.age
            && let Some(region) = self.regions.get_mut(&job.region)
        {
            region.carried_out(job, outcome, now);
        }
    }

    /// The PostgreSQL behind an instance has written lines.
    pub fn said(&mut self, age: u64, (region, server): (&str, &str), lines: Vec<String>, real: Instant) {
        let now = self.clock.now(real);
        if age == self.age
            && let Some(region) = self.regions.get_mut(region)
        {
            region.said(server, lines, now);
        }
    }

    /// Whether no PostgreSQL has anything left to do.
    pub fn is_settled(&self) -> bool {
        self.regions.values().all(|region| region.instances.values().all(|instance| !instance.is_busy()))
    }

    /// A region, which is there as soon as it is spoken of.
    pub fn region(&mut self, name: &str) -> &mut Region {
        let is_backed = self.is_backed;
        self.regions.entry(name.to_owned()).or_insert_with(|| Region::new(name).backed(is_backed))
    }

    /// A role of somebody else's, which a service may act as.
    pub fn role(&mut self, name: &str, service: &str) {
        iam::of_others(&mut self.account.roles, name, service);
    }

    /// Does what somebody else does to the cloud: no fault, no entry in what was asked.
    pub fn tamper(
        &mut self,
        service: &str,
        region: &str,
        action: &str,
        body: &Body,
        real: Instant,
    ) -> Result<Said, Refusal> {
        self.asked_of(service, region, action, body, (self.clock.now(real), 1.0))
    }

    /// What happens to a request.
    pub fn reply(&mut self, sent: Sent<'_>, real: Instant) -> Reply {
        self.clock.called(real);
        self.calls += 1;
        let request_id = format!("00000000-0000-4000-8000-{:012x}", self.calls);
        let body = exchanged(sent.body, &self.number, ACCOUNT);
        let request = match Request::read(Sent { body: &body, ..sent }) {
            Ok(request) => request,
            Err((protocol, refusal)) => return refused("", protocol, &refusal, request_id, 0),
        };
        let (fault, left) = faults::next(std::mem::take(&mut self.faults), &request.scope.region, &request.action);
        self.faults = left;
        let (reply, outcome) = self.met(fault.as_ref(), &request, request_id, real);
        let parameters = request.shown().into_iter().collect();
        if self.asked.len() >= REMEMBERED {
            self.asked.drain(..REMEMBERED / 2);
        }
        self.asked.push(Asked {
            number: self.calls,
            at: self.clock.now(real).to_string(),
            service: request.scope.service,
            region: request.scope.region,
            key: request.scope.key,
            action: request.action,
            parameters,
            outcome,
        });
        match reply {
            Reply::Answer(mut answer) => {
                answer.written.body = exchanged(&answer.written.body, ACCOUNT, &self.number).into_owned();
                Reply::Answer(answer)
            }
            Reply::Nothing | Reply::Never => reply,
        }
    }

    fn met(&mut self, fault: Option<&Fault>, request: &Request, request_id: String, real: Instant) -> (Reply, String) {
        let (service, protocol, action) = (&request.scope.service, request.protocol, &request.action);
        let stretch = if let Some(Fault::Slow { factor }) = fault { *factor } else { 1.0 };
        match fault {
            Some(Fault::Html | Fault::NoSuchPage | Fault::Hollow | Fault::Short) => {
                (html(request_id), "html".to_owned())
            }
            Some(Fault::Dropped) => (Reply::Nothing, "dropped".to_owned()),
            Some(Fault::Lost) => (self.unheard(request, real, Reply::Nothing), "lost".to_owned()),
            Some(Fault::Hang) => (self.unheard(request, real, Reply::Never), "hang".to_owned()),
            Some(fault) if let Some(refusal) = faults::refusal(fault, protocol, service, action) => {
                let off = if let Fault::ClockOff { seconds } = fault { *seconds } else { 0 };
                (refused(service, protocol, &refusal, request_id, off), refusal.code.to_owned())
            }
            _ => match self.done(request, stretch, real) {
                Ok(said) => {
                    let written = wire::done(service, protocol, action, said, &request_id);
                    (
                        Reply::Answer(Answer { status: 200, written, request_id, clock_off_s: 0, code: None }),
                        "ok".to_owned(),
                    )
                }
                Err(refusal) => (refused(service, protocol, &refusal, request_id, 0), refusal.code.to_owned()),
            },
        }
    }

    /// It is done, and nobody hears of it.
    fn unheard(&mut self, request: &Request, real: Instant, reply: Reply) -> Reply {
        // Whether it was refused is part of what is not heard.
        let _ = self.done(request, 1.0, real);
        reply
    }

    fn done(&mut self, request: &Request, stretch: f64, real: Instant) -> Result<Said, Refusal> {
        let Request { scope, action, body, .. } = request;
        self.asked_of(&scope.service, &scope.region, action, body, (self.clock.now(real), stretch))
    }

    /// The answer of a service, at a time; what it begins takes so many times longer.
    fn asked_of(
        &mut self,
        service: &str,
        region: &str,
        action: &str,
        body: &Body,
        (now, stretch): (Timestamp, f64),
    ) -> Result<Said, Refusal> {
        let is_backed = self.is_backed;
        let rds = self.regions.entry(region.to_owned());
        let rds = rds.or_insert_with(|| Region::new(region).backed(is_backed));
        let around = self.around.entry(region.to_owned()).or_default();
        if let ("rds", Body::Form(form)) = (service, body) {
            let call = Call { now, stretch, roles: &self.account.roles, secrets: &around.secrets };
            return rds::regions::answer(&mut self.regions, region, form, &call).map(Said::Xml);
        }
        match (service, body) {
            ("ec2", Body::Form(form)) => {
                // What refers to a security group must be what is there now.
                rds.advance(now);
                ec2::answer(rds, form).map(Said::Xml)
            }
            ("iam", Body::Form(form)) => iam::answer(&mut self.account.roles, form, now).map(Said::Xml),
            ("sts", Body::Form(form)) => sts::answer(form).map(Said::Xml),
            ("sns", Body::Form(form)) => sns::answer(&mut around.topics, region, form).map(Said::Xml),
            ("kms", Body::Fields(sent)) => kms::answer(&mut rds.keys, action, sent, now).map(Said::Fields),
            ("secretsmanager", Body::Fields(sent)) => {
                secrets::answer(&mut around.secrets, &rds.keys, region, action, sent, now).map(Said::Fields)
            }
            ("logs", Body::Fields(sent)) => {
                rds.advance(now);
                exported(rds, &mut around.logs, now);
                logs::answer(&mut around.logs, region, action, sent, now).map(Said::Fields)
            }
            ("monitoring", body) => {
                let sent = match body {
                    Body::Form(form) => &Fields::of_form(form),
                    Body::Fields(sent) => sent,
                };
                let dashboards = &mut self.account.dashboards;
                cloudwatch::answer(&mut around.alarms, dashboards, region, action, sent, now).map(Said::Fields)
            }
            (service, _) => {
                Err(Refusal::of("InvalidAction", format!("The emulator has no service {service} in this protocol.")))
            }
        }
    }
}

/// The same with another number of the account, in whichever protocol: all numbers are equally long.
fn exchanged<'b>(body: &'b [u8], from: &str, to: &str) -> Cow<'b, [u8]> {
    if from == to {
        return Cow::Borrowed(body);
    }
    let mut body = body.to_vec();
    let mut at = 0;
    while let Some(window) = body.get_mut(at..at + from.len()) {
        if window == from.as_bytes() {
            window.copy_from_slice(to.as_bytes());
        }
        at += 1;
    }
    Cow::Owned(body)
}

/// Writes the logs that instances export to the groups RDS has for them, which it makes where nobody did before.
fn exported(region: &Region, logs: &mut logs::Logs, now: Timestamp) {
    for instance in region.instances.values().filter(|instance| instance.has_endpoint) {
        for kind in &instance.set.logs {
            let group = format!("/aws/rds/instance/{}/{kind}", instance.id);
            let stream = logs.stream(&group, &format!("{}.0", instance.id), now);
            if kind == "postgresql" {
                stream.export(|first| rds::logs::since(region, instance, first), now);
            }
        }
    }
}

fn refused(service: &str, protocol: Protocol, refusal: &Refusal, request_id: String, clock_off_s: i64) -> Reply {
    let written = wire::refused(service, protocol, refusal, &request_id);
    Reply::Answer(Answer { status: refusal.status, written, request_id, clock_off_s, code: Some(refusal.code) })
}

fn html(request_id: String) -> Reply {
    let body = b"<!doctype html>\n<title>500 Internal Server Error</title>\n".to_vec();
    let written = Written { content_type: "text/html; charset=utf-8", body };
    Reply::Answer(Answer { status: 500, written, request_id, clock_off_s: 0, code: None })
}
