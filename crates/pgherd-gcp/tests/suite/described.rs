//! Everything that is sent, and everything that the emulator answers, is as Google's discovery documents have it.

#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::path::Path;

use pgherd_engine::provider::{Operation, Point, Provider as _};
use pgherd_engine::suite::World as _;
use serde_json::Value as Json;

use crate::verbs::{apply, operate};
use crate::world::{Google, SMALL, WHOLE, spec, with};

const DESCRIPTIONS: &str = "../../../shared/apis/gcp";

#[tokio::test]
async fn requests_and_answers_are_as_described() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(DESCRIPTIONS);
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    let texts = ["sqladmin.v1.json", "secretmanager.v1.json", "monitoring.v3.reduced.json"].map(read);
    let [Some(sql), Some(secrets), Some(monitoring)] = texts else {
        eprintln!("SKIPPED the official descriptions: there are none in {}", folder.display());
        return;
    };
    let descriptions: Vec<Json> =
        [sql, secrets, monitoring].iter().map(|text| serde_json::from_str(text).expect("JSON")).collect();
    let world = Google::new().await;
    apply(&world, WHOLE).await;
    let changes = [
        ("multi_az", "false"),
        ("tags", "{ Team = \"shop\" }"),
        ("engine_version", "\"17\""),
        ("alarm_targets", "[]"),
        ("create_read_replica", "false"),
        ("read_replica_count", ""),
    ];
    apply(&world, &with(WHOLE, &changes)).await;
    let whole = with(WHOLE, &[("engine_version", "\"17\"")]);
    apply(&world, &whole).await;
    let name = || "orders".to_owned();
    operate(&world, &Operation::Rotate { name: name() }).await.expect("rotated");
    operate(&world, &Operation::Restart { name: name() }).await.expect("restarted");
    operate(&world, &Operation::Failover { name: name(), accept_loss: false }).await.expect("failed over");
    operate(&world, &Operation::Backup { name: name(), label: Some("b".to_owned()) }).await.expect("a backup");
    let to = |name: &str| {
        Box::new(spec(&with(SMALL, &[("engine_version", "\"17\""), ("allocated_storage", "50")])).called(name))
    };
    operate(&world, &Operation::Clone { name: name(), to: to("copy") }).await.expect("cloned");
    let of_backup = Operation::Restore { name: name(), to: to("old"), point: Point::Backup("b".to_owned()) };
    operate(&world, &of_backup).await.expect("restored");
    world.gcp().report(&spec(WHOLE)).await.expect("a report");
    world.gcp().parameters(&spec(WHOLE)).await.expect("flags");
    assert!(operate(&world, &Operation::Rotate { name: "nobody".to_owned() }).await.is_err());
    let destroyed = pgherd_engine::run::observe_and_plan_destroy(world.provider().as_ref(), &spec(WHOLE)).await;
    let outcome = crate::verbs::carried_out(&world, &spec(WHOLE), &destroyed.expect("a look")).await;
    assert!(outcome.is_success(), "{outcome:?}");
    let mut wrong = Vec::new();
    let asked = world.emulator.asked();
    for one in &asked {
        let found = descriptions.iter().find_map(|all| Some((all, method(all, &one.action)?)));
        let Some((all, described)) = found else {
            wrong.push(format!("{} {} is not described", one.method, one.path));
            continue;
        };
        assert_eq!(described["httpMethod"], one.method.as_str(), "{}", one.action);
        let is_empty = one.body.as_object().is_none_or(serde_json::Map::is_empty);
        match described["request"]["$ref"].as_str() {
            Some(schema) => check(all, schema, &one.body, &format!("{} sends", one.action), true, &mut wrong),
            None if is_empty => {}
            None => wrong.push(format!("{} sends a body", one.action)),
        }
        if one.status == 200 {
            let schema = described["response"]["$ref"].as_str().unwrap_or_default();
            check(all, schema, &one.answer, &format!("{} answers", one.action), false, &mut wrong);
        }
    }
    wrong.sort();
    wrong.dedup();
    assert_eq!(wrong, [""; 0]);
    let mut actions: Vec<&str> = asked.iter().map(|one| one.action.as_str()).collect();
    actions.sort_unstable();
    actions.dedup();
    assert!(actions.len() >= 30, "only {actions:?}");
}

/// A method by its id, in whatever resource.
fn method<'a>(of: &'a Json, id: &str) -> Option<&'a Json> {
    let methods = of["methods"].as_object().into_iter().flatten();
    let own = methods.map(|(_, method)| method).find(|method| method["id"] == id);
    own.or_else(|| of["resources"].as_object()?.values().find_map(|resource| method(resource, id)))
}

fn check(all: &Json, schema: &str, value: &Json, at: &str, is_sent: bool, wrong: &mut Vec<String>) {
    let properties = &all["schemas"][schema]["properties"];
    let Some(entries) = value.as_object() else {
        if !value.is_null() {
            wrong.push(format!("{at}: {value} is no {schema}"));
        }
        return;
    };
    for (name, value) in entries {
        let described = &properties[name];
        let at = format!("{at} {name}");
        if described.is_null() {
            wrong.push(format!("{at} is not described"));
        } else if is_sent && described["readOnly"] == true {
            wrong.push(format!("{at} is only told"));
        } else {
            of_type(all, described, value, &at, is_sent, wrong);
        }
    }
}

fn of_type(all: &Json, described: &Json, value: &Json, at: &str, is_sent: bool, wrong: &mut Vec<String>) {
    if let Some(schema) = described["$ref"].as_str() {
        return check(all, schema, value, at, is_sent, wrong);
    }
    let is_typed = match described["type"].as_str() {
        // In a change it takes something away.
        _ if value.is_null() && is_sent => true,
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some(_) | None => true,
    };
    let known = described["enum"].as_array();
    if !is_typed || known.is_some_and(|known| !known.contains(value)) {
        return wrong.push(format!("{at}: {value} is no {} {}", described["type"], described["enum"]));
    }
    for item in value.as_array().into_iter().flatten() {
        of_type(all, &described["items"], item, at, is_sent, wrong);
    }
    let map = &described["additionalProperties"];
    for item in value.as_object().into_iter().flatten().filter(|_| map.is_object()) {
        of_type(all, map, item.1, at, is_sent, wrong);
    }
}
