//! The control endpoint `/_emulate/…`, by which tests move time, plan faults, play somebody else and read what was asked.
//!
//! | request | body | does |
//! |---|---|---|
//! | `POST /_emulate/reset` | | everything as in the beginning |
//! | `POST /_emulate/advance` | `{"seconds": 600}` | moves time; answers what it is now |
//! | `POST /_emulate/faults` | a fault or a list: `{"action": "CreateDBInstance", "nth": 1, "times": 1, "fault": "lost"}` | plans them; `[]` forgets all that are planned |
//! | `POST /_emulate/tamper` | `{"region": "us-east-1", "action": "ModifyDBInstance", "parameters": {…}}` | does it as somebody else would: no fault, no entry in what was asked |
//! | `POST /_emulate/around` | `{"region": …, "subnets": {"subnet-1": {"zone": …, "vpc": …}}, "security_groups": {"sg-1": "vpc-1"}}` | adds what RDS looks at and does not own |
//! | `GET /_emulate/requests` | | what was asked, oldest first; `DELETE` forgets it |

use std::collections::BTreeMap;
use std::time::Instant;

use jiff::SignedDuration;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::emulation::Emulation;
use crate::faults::Planned;
use crate::rds::Around;
use crate::wire::Form;

/// Where the control endpoint is.
pub const PREFIX: &str = "/_emulate/";

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
    action: String,
    parameters: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Surroundings {
    region: String,
    #[serde(flatten)]
    around: Around,
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
        ("POST", "faults") => read(body).map(|faults| plan(emulation, faults)),
        ("POST", "tamper") => read(body).and_then(|tamper| tampered(emulation, tamper, real)),
        ("POST", "around") => read(body).map(|around| surround(emulation, around)),
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
    let mut parameters = tamper.parameters;
    parameters.insert("Action".to_owned(), tamper.action);
    let form = Form::of(parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let done = emulation.tamper(&tamper.region, &form, real);
    done.map(|_| json!({})).map_err(|refusal| format!("{}: {}", refusal.code, refusal.message))
}

fn surround(emulation: &mut Emulation, more: Surroundings) -> Value {
    let around = &mut emulation.region(&more.region).around;
    around.subnets.extend(more.around.subnets);
    around.security_groups.extend(more.around.security_groups);
    json!({})
}
