//! The control endpoint `/_emulate/…`, by which tests move time, plan faults, play somebody else and read what was asked.
//!
//! | request | body | does |
//! |---|---|---|
//! | `POST /_emulate/reset` | | everything as in the beginning |
//! | `POST /_emulate/advance` | `{"seconds": 600}` | moves time; answers what it is now |
//! | `POST /_emulate/faults` | a fault or a list: `{"action": "CreateDBInstance", "nth": 1, "times": 1, "fault": "lost"}`, with `"region"` of one region only | plans them; `[]` forgets all that are planned |
//! | `POST /_emulate/tamper` | `{"region": "us-east-1", "service": "rds", "action": "ModifyDBInstance", "parameters": {…}}` | does it as somebody else would: no fault, no entry in what was asked. Without a service it is RDS; JSON's services (`secretsmanager`, `kms`, `logs`) and `monitoring` take any JSON as parameters |
//! | `POST /_emulate/around` | `{"region": …, "subnets": {"subnet-1": {"zone": …, "vpc": …}}, "security_groups": {"sg-1": "vpc-1"}}` | adds subnets and security groups with ids of one's own, and their VPCs |
//! | `POST /_emulate/settle` | | answers when no PostgreSQL behind an instance has anything left to do |
//! | `GET /_emulate/requests` | | what was asked, oldest first; `DELETE` forgets it |

use std::collections::BTreeMap;
use std::time::Instant;

use jiff::SignedDuration;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::emulation::Emulation;
use crate::faults::Planned;
use crate::wire::{Body, Fields, Form};

/// Where the control endpoint is.
pub const PREFIX: &str = "/_emulate/";
/// What is answered only when every PostgreSQL has done what it was told.
pub const SETTLE: &str = "/_emulate/settle";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: i64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Faults {
    Many(Vec<Planned>),
    One(Planned),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tamper {
    region: String,
    #[serde(default = "rds")]
    service: String,
    action: String,
    #[serde(default)]
    parameters: Map<String, Value>,
}

fn rds() -> String {
    "rds".to_owned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Surroundings {
    region: String,
    #[serde(default)]
    subnets: BTreeMap<String, Subnet>,
    #[serde(default)]
    security_groups: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subnet {
    zone: String,
    vpc: String,
}

/// A status and what is said.
pub fn answer(emulation: &mut Emulation, method: &str, path: &str, body: &[u8], real: Instant) -> (u16, Value) {
    let done = match (method, path.strip_prefix(PREFIX).unwrap_or_default()) {
        ("POST", "reset") => {
            emulation.reset(real);
            Ok(json!({}))
        }
        ("POST", "advance") => read(body).map(|Advance { seconds }| {
            emulation.clock.advance(SignedDuration::from_secs(seconds), real);
            json!({ "now": emulation.clock.now(real).to_string() })
        }),
        // Waited for before this is asked.
        ("POST", "settle") => Ok(json!({})),
        ("POST", "faults") => read(body).map(|faults| plan(emulation, faults)),
        ("POST", "tamper") => read(body).and_then(|tamper| tampered(emulation, tamper, real)),
        ("POST", "around") => read(body).map(|around| surround(emulation, &around)),
        ("GET", "requests") => Ok(json!(emulation.asked)),
        ("DELETE", "requests") => {
            emulation.asked.clear();
            Ok(json!({}))
        }
        _ => return (404, json!({ "message": format!("there is no {method} {path}") })),
    };
    match done {
        Ok(answer) => (200, answer),
        Err(message) => (400, json!({ "message": message })),
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

fn plan(emulation: &mut Emulation, faults: Faults) -> Value {
    match faults {
        Faults::Many(none) if none.is_empty() => emulation.faults.clear(),
        Faults::Many(faults) => emulation.faults.extend(faults),
        Faults::One(fault) => emulation.faults.push(fault),
    }
    json!(emulation.faults)
}

fn tampered(emulation: &mut Emulation, tamper: Tamper, real: Instant) -> Result<Value, String> {
    let Tamper { region, service, action, parameters } = tamper;
    let body = match service.as_str() {
        "secretsmanager" | "kms" | "logs" | "monitoring" => Fields::of(Value::Object(parameters)).map(Body::Fields),
        _ => Ok(Body::Form(form(&action, &parameters))),
    };
    let done = body.and_then(|body| emulation.tamper(&service, &region, &action, &body, real));
    done.map(|_| json!({})).map_err(|refusal| format!("{}: {}", refusal.code, refusal.message))
}

fn form(action: &str, parameters: &Map<String, Value>) -> Form {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let sent: Vec<_> = parameters.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
    Form::of(sent.iter().map(|(name, value)| (*name, value.as_str())).chain([("Action", action)]))
}

fn surround(emulation: &mut Emulation, more: &Surroundings) -> Value {
    let network = &mut emulation.region(&more.region).around;
    for (n, (id, Subnet { zone, vpc })) in more.subnets.iter().enumerate() {
        network.add_subnet(id, zone, vpc, format!("10.0.{n}.0/24"));
    }
    more.security_groups.iter().for_each(|(id, vpc)| network.add_group(id, vpc));
    json!({})
}
