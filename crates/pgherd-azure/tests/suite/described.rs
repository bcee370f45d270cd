//! Everything that is sent, and everything that the emulator answers, is as Azure's descriptions have it.

#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::path::Path;

use pgherd_engine::provider::{Operation, Provider as _};
use pgherd_engine::suite::World as _;
use serde_json::Value as Json;

use crate::verbs::{apply, operate};
use crate::world::{Cloudy, PRIVATE, SMALL, WHOLE, spec, with};

const DESCRIPTION: &str = "../../../shared/apis/azure/flexibleservers-2026-10-01.derived.json";

#[tokio::test]
async fn requests_and_answers_are_as_described() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(DESCRIPTION);
    let Ok(text) = std::fs::read_to_string(&file) else {
        eprintln!("SKIPPED the official description: there is none at {}", file.display());
        return;
    };
    let described: Json = serde_json::from_str(&text).expect("JSON");
    let asked = [a_life().await, a_private_life().await].concat();
    let mut wrong = Vec::new();
    let mut actions: Vec<&str> = Vec::new();
    for one in asked
        .iter()
        .filter(|one| one.path.contains("Microsoft.DBforPostgreSQL") && !one.action.starts_with("operation."))
    {
        // What others keep of a server is theirs.
        if one.path.contains("/providers/Microsoft.Authorization") || one.path.contains("/providers/Microsoft.Insights")
        {
            continue;
        }
        let all = described["operations"].as_array().expect("operations");
        let found = all.iter().find(|it| it["id"] == one.action.as_str() && it["method"] == one.method.as_str());
        let Some(found) = found else {
            wrong.push(format!("{} {} is not described", one.method, one.path));
            continue;
        };
        actions.push(&one.action);
        let sent = found["body"].as_str();
        match sent {
            Some(model) if !one.body.is_null() => {
                let when = if one.method == "PATCH" { "update" } else { "create" };
                check(&described, model, &one.body, &format!("{} sends", one.action), Some(when), &mut wrong);
            }
            None if one.body.as_object().is_some_and(|body| !body.is_empty()) => {
                wrong.push(format!("{} sends a body", one.action));
            }
            _ => {}
        }
        let codes = found["successCodes"].as_array().expect("codes");
        let is_success = (200..300).contains(&one.status);
        if is_success && !codes.iter().any(|code| *code == one.status) {
            wrong.push(format!("{} is answered with {}", one.action, one.status));
        }
        let model = match one.action.as_str() {
            "Servers.get" => "Server",
            "CapabilitiesByLocation.list" => "Capability",
            "Configurations.list_by_server" => "Configuration",
            "FirewallRules.list_by_server" => "FirewallRule",
            "Databases.list_by_server" => "Database",
            "BackupsAutomaticAndOnDemand.list_by_server" => "BackupAutomaticAndOnDemand",
            "Replicas.list_by_server" => "Server",
            "NameAvailability.check_globally" => "NameAvailabilityModel",
            _ => continue,
        };
        let listed = one.answer["value"].as_array().cloned();
        for answer in listed.unwrap_or_else(|| vec![one.answer.clone()]).iter().filter(|_| is_success) {
            check(&described, model, answer, &format!("{} answers", one.action), None, &mut wrong);
        }
    }
    wrong.sort();
    wrong.dedup();
    assert_eq!(wrong, [""; 0]);
    actions.sort_unstable();
    actions.dedup();
    assert!(actions.len() >= 19, "only {actions:?}");
}

async fn a_life() -> Vec<pgherd_emulate::azure::Asked> {
    let world = Cloudy::new().await;
    apply(&world, WHOLE).await;
    let changes = [
        ("multi_az", "false"),
        ("tags", "{ Team = \"shop\" }"),
        ("alarm_targets", "[]"),
        ("create_read_replica", "false"),
        ("read_replica_count", ""),
        ("allowed_cidr_blocks", "[]"),
        ("enable_proxy", "true"),
        ("iam_database_authentication_enabled", "true"),
    ];
    apply(&world, &with(WHOLE, &changes)).await;
    apply(&world, &with(&with(WHOLE, &changes), &[("engine_version", "\"17\"")])).await;
    let name = || "orders".to_owned();
    operate(&world, &Operation::Rotate { name: name() }).await.expect("rotated");
    operate(&world, &Operation::Restart { name: name() }).await.expect("restarted");
    operate(&world, &Operation::Backup { name: name(), label: Some("b".to_owned()) }).await.expect("a backup");
    operate(&world, &Operation::Stop { name: name() }).await.expect("stopped");
    operate(&world, &Operation::Start { name: name() }).await.expect("started");
    let to = with(SMALL, &[("engine_version", "\"17\""), ("allocated_storage", "64"), ("master_username", "\"app\"")]);
    let clone = Operation::Clone { name: name(), to: Box::new(spec(&to).called("copy")) };
    operate(&world, &clone).await.expect("cloned");
    world.azure().report(&spec(WHOLE)).await.expect("a report");
    let destroyed = pgherd_engine::run::observe_and_plan_destroy(world.provider().as_ref(), &spec(WHOLE)).await;
    let outcome = crate::verbs::carried_out(&world, &spec(WHOLE), &destroyed.expect("a look")).await;
    assert!(outcome.is_success(), "{outcome:?}");
    world.emulator.asked()
}

async fn a_private_life() -> Vec<pgherd_emulate::azure::Asked> {
    let mut world = Cloudy::new().await;
    world.around.identity = Some(
        "/subscriptions/s/resourceGroups/databases/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i"
            .to_owned(),
    );
    world.around.workspace = Some(
        "/subscriptions/s/resourceGroups/databases/providers/Microsoft.OperationalInsights/workspaces/w".to_owned(),
    );
    let block = with(PRIVATE, &[("kms_key_id", "\"https://v.vault.azure.net/keys/k\""), ("enable_logging", "true")]);
    apply(&world, &block).await;
    assert_eq!(crate::verbs::left(&world, &block).await, [""; 0]);
    world.emulator.asked()
}

fn check(all: &Json, model: &str, value: &Json, at: &str, sent: Option<&str>, wrong: &mut Vec<String>) {
    let properties = &all["models"][model]["props"];
    let Some(entries) = value.as_object() else {
        wrong.push(format!("{at}: {value} is no {model}"));
        return;
    };
    for (name, value) in entries {
        let described = &properties[name];
        let at = format!("{at} {name}");
        let when = described["visibility"].as_array().cloned().unwrap_or_default();
        let is_taken =
            |sent: &str| described["readOnly"] != true && (when.is_empty() || when.iter().any(|it| *it == sent));
        if described.is_null() {
            wrong.push(format!("{at} is not described"));
        } else if sent.is_some_and(|sent| !is_taken(sent)) {
            wrong.push(format!("{at} is not taken then"));
        } else {
            of_type(all, described, value, &at, sent, wrong);
        }
    }
}

fn of_type(all: &Json, described: &Json, value: &Json, at: &str, sent: Option<&str>, wrong: &mut Vec<String>) {
    if let Some(model) = described["model"].as_str() {
        return check(all, model, value, at, sent, wrong);
    }
    let is_typed = match described["type"].as_str() {
        Some("map") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some(_) | None => true,
    };
    // Words outside of the enums were seen in answers: a kind of storage that is empty, for one.
    let known = described["enum"].as_array().filter(|_| sent.is_some());
    if !is_typed || known.is_some_and(|known| !known.contains(value)) {
        return wrong.push(format!("{at}: {value} is no {} {}", described["type"], described["enum"]));
    }
    for item in value.as_array().into_iter().flatten() {
        of_type(all, &described["items"], item, at, sent, wrong);
    }
    for item in value.as_object().into_iter().flatten() {
        of_type(all, &described["values"], item.1, at, sent, wrong);
    }
}
