//! Everything that is sent, and everything that the emulator answers, is as the official description has it.

#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::collections::BTreeSet;
use std::path::Path;

use pgherd_engine::suite::World as _;
use serde_json::Value as Json;

use crate::verbs::{apply, operate};
use crate::world::{Ocean, SMALL, WHOLE, spec, with};

const DESCRIPTION: &str = "../../../shared/apis/digitalocean/do-databases.openapi.json";

#[tokio::test]
async fn requests_and_answers_are_as_described() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(DESCRIPTION);
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("SKIPPED the official description: there is no {}", path.display());
        return;
    };
    let description: Json = serde_json::from_str(&text).expect("JSON");
    let world = Ocean::new().await;
    apply(&world, WHOLE).await;
    let changes =
        [("multi_az", "false"), ("tags", "{ Team = \"shop\" }"), ("engine_version", "\"17\""), ("enable_proxy", "")];
    apply(&world, &with(WHOLE, &changes)).await;
    use pgherd_engine::provider::{Operation, Point, Provider as _};
    let name = || "orders".to_owned();
    operate(&world, &Operation::Rotate { name: name() }).await.expect("rotated");
    let to = Box::new(spec(&with(
        SMALL,
        &[("name", "\"copy\""), ("instance_class", "\"db-s-2vcpu-4gb\""), ("allocated_storage", "50")],
    )));
    operate(&world, &Operation::Restore { name: name(), to, point: Point::Latest }).await.expect("restored");
    let ocean = world.ocean();
    ocean.report(&spec(WHOLE)).await.expect("a report");
    ocean.account().await.expect("an account");
    let refused = operate(&world, &Operation::Rotate { name: "nobody".to_owned() }).await;
    assert!(refused.is_err());
    let mut wrong = Vec::new();
    let asked = world.emulator.asked();
    for one in &asked {
        let Some((operation, method)) = operation(&description, &one.action) else {
            wrong.push(format!("{} {} is not described", one.method, one.path));
            continue;
        };
        assert_eq!(method, one.method.to_lowercase(), "{}", one.action);
        let schema = |of: &Json| of["content"]["application/json"]["schema"].clone();
        let sent = schema(&operation["requestBody"]);
        let is_empty = one.body.as_object().is_some_and(serde_json::Map::is_empty);
        if !(one.body.is_null() || sent.is_null() && is_empty) {
            check(&description, &sent, &one.body, &format!("{} sends", one.action), &mut wrong);
        }
        let status = one.status.to_string();
        let answers = &operation["responses"];
        let answer = if answers[&status].is_object() { &answers[&status] } else { &answers["default"] };
        if !one.answer.is_null() {
            check(&description, &schema(answer), &one.answer, &format!("{} {status} answers", one.action), &mut wrong);
        }
    }
    wrong.sort();
    wrong.dedup();
    // The description has no word for clusters among what tags are on; DigitalOcean's own Terraform provider says `database`.
    wrong.retain(|line| !line.contains("resource_type"));
    // Nor for pages of lists, which DigitalOcean's own libraries read all the same.
    wrong.retain(|line| !line.ends_with("links is not described") && !line.ends_with("meta is not described"));
    assert_eq!(wrong, [""; 0]);
    let mut actions: Vec<&str> = asked.iter().map(|one| one.action.as_str()).collect();
    actions.sort_unstable();
    actions.dedup();
    assert!(actions.len() >= 25, "only {actions:?}");
}

fn operation<'a>(description: &'a Json, id: &str) -> Option<(&'a Json, &'a str)> {
    let paths = description["paths"].as_object()?.values();
    let mut all = paths.filter_map(Json::as_object).flatten();
    all.find(|(_, operation)| operation["operationId"] == id).map(|(method, operation)| (operation, method.as_str()))
}

/// As much of JSON Schema as the description uses of it, and no field that it does not have.
fn check(all: &Json, schema: &Json, value: &Json, at: &str, wrong: &mut Vec<String>) {
    let mut known = BTreeSet::new();
    if fields(all, schema, &mut known) {
        let names = value.as_object().into_iter().flat_map(serde_json::Map::keys);
        wrong.extend(names.filter(|name| !known.contains(*name)).map(|name| format!("{at}: {name} is not described")));
    }
    part(all, schema, value, at, wrong);
}

fn found<'a>(all: &'a Json, schema: &'a Json) -> &'a Json {
    match schema["$ref"].as_str() {
        Some(reference) => all.pointer(reference.trim_start_matches('#')).unwrap_or_else(|| panic!("no {reference}")),
        None => schema,
    }
}

/// The fields that an object may have, whatever parts its schema has; whether that is all.
fn fields(all: &Json, schema: &Json, known: &mut BTreeSet<String>) -> bool {
    let schema = found(all, schema);
    known.extend(schema["properties"].as_object().into_iter().flat_map(serde_json::Map::keys).cloned());
    let parts = ["allOf", "anyOf", "oneOf"].into_iter().flat_map(|of| schema[of].as_array().into_iter().flatten());
    // A part that only says something about the rest, such as that it is read only, is not open.
    let is_closed = parts.fold(!known.is_empty(), |is_closed, part| fields(all, part, known) || is_closed);
    is_closed && matches!(schema["additionalProperties"], Json::Null | Json::Bool(false))
}

fn part(all: &Json, schema: &Json, value: &Json, at: &str, wrong: &mut Vec<String>) {
    let mut say = |words: String| wrong.push(format!("{at}: {words}"));
    let schema = found(all, schema);
    if value.is_null() {
        if schema["nullable"] != true && !schema.is_null() {
            say("null".to_owned());
        }
        return;
    }
    let is_typed = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some(_) | None => true,
    };
    if !is_typed {
        return say(format!("{value} is no {}", schema["type"]));
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        say(format!("{value} is none of {}", schema["enum"]));
    }
    let number = value.as_f64();
    if number.zip(schema["minimum"].as_f64()).is_some_and(|(number, least)| number < least)
        || number.zip(schema["maximum"].as_f64()).is_some_and(|(number, most)| number > most)
    {
        say(format!("{value} is out of range"));
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str) {
        if value[name].is_null() {
            wrong.push(format!("{at}: {name} is missing"));
        }
    }
    for one in schema["allOf"].as_array().into_iter().flatten() {
        part(all, one, value, at, wrong);
    }
    // One of several is enough, and only PostgreSQL's settings are of use here.
    if let Some(any) = schema["anyOf"].as_array() {
        let found = any.iter().any(|one| {
            let mut none = Vec::new();
            part(all, one, value, at, &mut none);
            none.is_empty()
        });
        if !found {
            wrong.push(format!("{at}: {value} is none of what it may be"));
        }
    }
    for (name, entry) in value.as_object().into_iter().flatten() {
        if let Some(known) = schema["properties"].get(name) {
            check(all, known, entry, &format!("{at} {name}"), wrong);
        }
    }
    for item in value.as_array().into_iter().flatten() {
        check(all, &schema["items"], item, at, wrong);
    }
}
