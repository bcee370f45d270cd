//! The emulated RDS by its own rules: what it refuses, and how an instance lives.

mod account;
mod copies;
mod faults;
mod life;
mod logs;
mod parameters;
mod proxies;
mod refusals;
mod regions;
mod trusted;

use std::time::Instant;

use jiff::SignedDuration;
use pgherd_emulate::Speed;
use pgherd_emulate::emulation::{Emulation, Reply};
use pgherd_emulate::wire::{Body, Fields, Form, Sent};
use serde_json::{Value, json};

/// A signature's scope; the emulator looks at nothing else of it.
const SIGNED: &str =
    "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/rds/aws4_request, SignedHeaders=host, Signature=0";

/// What a plain instance is created with.
const PLAIN: &[(&str, &str)] = &[
    ("DBInstanceIdentifier", "orders"),
    ("Engine", "postgres"),
    ("EngineVersion", "16"),
    ("DBInstanceClass", "db.r5.large"),
    ("AllocatedStorage", "100"),
    ("MasterUsername", "orders"),
    ("MasterUserPassword", "correct-horse"),
];

/// An emulated cloud and a clock that stands still.
struct World {
    emulation: Emulation,
    real: Instant,
}

impl World {
    /// With two roles that RDS may use, `m` for monitoring and `proxy`, and a secret with the login of `orders`.
    fn new() -> Self {
        let real = Instant::now();
        let mut world = Self { emulation: Emulation::new(Speed::Still, real), real };
        world.role("m", "monitoring.rds.amazonaws.com");
        world.iam("AttachRolePolicy", &[("RoleName", "m"), ("PolicyArn", trusted::MONITORING)]);
        world.role("proxy", "rds.amazonaws.com");
        let policy = [("RoleName", "proxy"), ("PolicyName", "secret"), ("PolicyDocument", trusted::READS)];
        world.iam("PutRolePolicy", &policy);
        let login = r#"{"username":"orders","password":"correct-horse"}"#;
        world.json(
            "secretsmanager",
            "CreateSecret",
            json!({ "Name": "orders", "ClientRequestToken": "1".repeat(32), "SecretString": login }),
        );
        world
    }

    /// A role that a service may act as.
    fn role(&mut self, name: &str, service: &str) {
        let trust = json!({ "Statement": { "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole" } });
        self.iam("CreateRole", &[("RoleName", name), ("AssumeRolePolicyDocument", &trust.to_string())]);
    }

    fn iam(&mut self, action: &str, sent: &[(&str, &str)]) {
        let body = Body::Form(Form::of(sent.iter().copied().chain([("Action", action)])));
        self.emulation.tamper("iam", "us-east-1", action, &body, self.real).map(drop).unwrap();
    }

    fn json(&mut self, service: &str, action: &str, sent: Value) {
        let body = Body::Fields(Fields::of(sent).unwrap());
        self.emulation.tamper(service, "us-east-1", action, &body, self.real).map(drop).unwrap();
    }

    /// With the instance `orders`, available.
    fn with_orders(more: &[(&str, &str)]) -> Self {
        let mut world = Self::new();
        world.ok("CreateDBInstance", &changed(PLAIN, more));
        world.pass(3600);
        world
    }

    fn pass(&mut self, seconds: i64) {
        self.emulation.clock.advance(SignedDuration::from_secs(seconds), self.real);
    }

    /// The body of an answer, or the code of a refusal.
    fn ask(&mut self, action: &str, sent: &[(&str, &str)]) -> Result<String, String> {
        self.ask_in("us-east-1", action, sent)
    }

    /// The same of another region.
    fn ask_in(&mut self, region: &str, action: &str, sent: &[(&str, &str)]) -> Result<String, String> {
        let signed = SIGNED.replace("us-east-1", region);
        let pairs = sent.iter().map(|(name, value)| format!("{name}={}", encoded(value)));
        let body = [format!("Action={action}")].into_iter().chain(pairs).collect::<Vec<_>>().join("&");
        let sent = Sent { path: "/", authorization: Some(&signed), target: None, body: body.as_bytes() };
        let Reply::Answer(answer) = self.emulation.reply(sent, self.real) else {
            return Err("nothing".to_owned());
        };
        let body = String::from_utf8(answer.written.body).unwrap();
        match answer.status {
            200 => Ok(body),
            _ => Err(inside(&body, "Code").unwrap_or_default()),
        }
    }

    #[track_caller]
    fn ok(&mut self, action: &str, sent: &[(&str, &str)]) -> String {
        self.ask(action, sent).unwrap_or_else(|code| panic!("{action} was refused: {code}"))
    }

    /// A field of `orders`.
    fn field(&mut self, name: &str) -> String {
        self.of("orders", name)
    }

    fn of(&mut self, id: &str, name: &str) -> String {
        let answer = self.ask("DescribeDBInstances", &[("DBInstanceIdentifier", id)]);
        answer.map_or_else(|code| code, |body| inside(&body, name).unwrap_or_default())
    }

    fn modify(&mut self, sent: &[(&str, &str)]) {
        self.ok("ModifyDBInstance", &changed(&[("DBInstanceIdentifier", "orders")], sent));
    }
}

/// `base` where what `more` says counts; an empty value leaves a field out.
fn changed<'a>(base: &[(&'a str, &'a str)], more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let is_said = |name: &str| more.iter().any(|(said, _)| *said == name);
    let kept = base.iter().filter(|(name, _)| !is_said(name)).copied();
    kept.chain(more.iter().filter(|(_, value)| !value.is_empty()).copied()).collect()
}

/// The text between a tag and its end, the first there is.
fn inside(xml: &str, tag: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{tag}>"))?;
    Some(rest.split_once(&format!("</{tag}>"))?.0.to_owned())
}

fn encoded(value: &str) -> String {
    value
        .bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
