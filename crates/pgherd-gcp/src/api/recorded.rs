//! Answers of Google's that others recorded are read, whatever else is in them.

use std::path::Path;

use pgherd_core::value::Value;
use serde_json::Value as Json;

use super::{Instance, Operation};
use crate::error::GcpError;
use crate::fields::{self, FLAGS};

/// Golden logs of a client of Google's own.
const GOLDEN: &str = "../../../shared/apis/recorded/gcp/kcc-golden.json";

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn recorded_answers_are_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(GOLDEN);
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("SKIPPED the recorded answers: there is no {}", path.display());
        return;
    };
    let told: Json = serde_json::from_str(&text).expect("JSON");
    let (mut instances, mut operations) = (Vec::new(), Vec::new());
    for one in told["interactions"].as_array().expect("some") {
        let (asked, answer) = (&one["request"]["method"], &one["response"]);
        let status = answer["status"].as_u64().and_then(|status| u16::try_from(status).ok()).expect("a status");
        let bytes = answer["body"].to_string();
        if status >= 400 {
            let error = GcpError::read("GET x", status, bytes.as_bytes()).expect("it is Google's");
            assert!(error.is_absent() && error.reason == "instanceDoesNotExist", "{asked}: {error}");
            continue;
        }
        let listed = answer["body"]["items"].as_array().cloned().unwrap_or_else(|| vec![answer["body"].clone()]);
        for body in listed {
            match body["kind"].as_str() {
                Some("sql#instance") => instances.push(Instance(body)),
                Some("sql#operation") => operations.push(Operation::read(&body)),
                Some("sql#user") => assert_eq!(super::text(&body, "name").as_deref(), Some("postgres")),
                other => panic!("{other:?}"),
            }
        }
    }
    let named = |one: &Operation| {
        assert!(one.inserted.as_ref().is_some_and(|at| at.parse::<jiff::Timestamp>().is_ok()) && one.error.is_none());
        format!("{} {} {}", one.name, one.kind, one.is_done)
    };
    let expected = [
        "op-1 CREATE false",
        "op-2 UPDATE false",
        "op-3 DELETE false",
        "op-4 CREATE false",
        "op-4 CREATE true",
        "op-5 UPDATE false",
        "op-5 UPDATE false",
        "op-4 CREATE true",
        "op-6 CREATE_REPLICA false",
    ];
    assert_eq!(operations.iter().map(named).collect::<Vec<_>>(), expected);
    let [old, new] = instances.as_slice() else { panic!("{} instances", instances.len()) };
    assert_eq!(
        (old.name(), new.address("PRIMARY").as_deref(), new.address("PRIVATE")),
        ("sqlinstance-1", Some("10.1.2.3"), None)
    );
    let (old, new) = (fields::read(&old.0), fields::read(&new.0));
    for (field, of_old, of_new) in [
        ("databaseVersion", Value::text("9.6"), Value::text("15")),
        ("region", Value::text("us-central1"), Value::text("us-central1")),
        ("dataDiskSizeGb", Value::Int(100), Value::Int(10)),
        ("dataDiskType", Value::text("PD_SSD"), Value::text("PD_SSD")),
        ("retainedBackups", Value::Int(7), Value::Int(7)),
        ("backupsEnabled", Value::Bool(true), Value::Bool(false)),
        ("pointInTimeRecoveryEnabled", Value::Bool(true), Value::Bool(false)),
        ("ipv4Enabled", Value::Bool(false), Value::Bool(true)),
        ("deletionProtectionEnabled", Value::Bool(false), Value::Bool(false)),
    ] {
        assert_eq!((&old[field], &new[field]), (&of_old, &of_new), "{field}");
    }
    assert_eq!(old[FLAGS].as_map().and_then(|flags| flags["max_connections"].as_text()), Some("1000"));
}
