//! The day-2 verbs.

use pgherd_core::event::{Event, What};
use pgherd_core::lint::Intent;
use pgherd_core::resource::Status;
use pgherd_core::spec::Spec;
use pgherd_engine::provider::{ErrorKind, Events, Operation, Point, Provider as _, ProviderError};
use pgherd_engine::run;
use pgherd_engine::stop::Stop;
use pgherd_engine::suite::{World as _, changes};
use serde_json::json;
use tokio::sync::mpsc;

use crate::world::{Ocean, SMALL, WHOLE, spec, with};

pub async fn apply(world: &Ocean, block: &str) {
    let (provider, spec) = (world.provider(), spec(block));
    let timing = run::timing(&spec, world.now());
    let planned = run::observe_and_plan(provider.as_ref(), &spec, &timing, Intent::default()).await.expect("a look");
    assert!(!planned.plan.is_refused(), "{:?}", planned.plan.diagnostics);
    let events = Events::new("database", mpsc::unbounded_channel().0);
    let outcome = run::apply(provider.as_ref(), &spec, &planned, world.now(), &events, &Stop::never()).await;
    assert!(outcome.is_success(), "{outcome:?}");
}

pub async fn left(world: &Ocean, block: &str) -> Vec<String> {
    let spec = spec(block);
    let timing = run::timing(&spec, world.now());
    let planned = run::observe_and_plan(world.provider().as_ref(), &spec, &timing, Intent::default()).await;
    changes(&planned.expect("a look"))
}

/// Does a verb; what was said on the way.
pub async fn operate(world: &Ocean, operation: &Operation) -> Result<Vec<String>, ProviderError> {
    let (sender, mut heard) = mpsc::unbounded_channel();
    let events = Events::new("database", sender);
    world.ocean().operate(operation, &events).await?;
    drop(events);
    let mut said = Vec::new();
    while let Some(Event { what, .. }) = heard.recv().await {
        if let What::Said { message } = what {
            said.push(message);
        }
    }
    Ok(said)
}

fn renamed(block: &str, name: &str) -> Box<Spec> {
    Box::new(spec(block).called(name))
}

fn name() -> String {
    "orders".to_owned()
}

#[tokio::test]
async fn a_new_password_is_in_force_written_down_and_no_drift() {
    let world = Ocean::new().await;
    apply(&world, WHOLE).await;
    let before = world.ocean().password(&spec(WHOLE)).await.expect("a password");
    let file = world.files.path().join("orders/secret.json");
    let written = || -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(&file).expect("a file")).expect("JSON")
    };
    assert_eq!(written()["username"], "app");
    operate(&world, &Operation::Rotate { name: name() }).await.expect("it is given");
    let after = world.ocean().password(&spec(WHOLE)).await.expect("a password");
    assert!(before != after);
    assert_eq!(written()["password"].as_str(), after.reveal());
    assert_eq!(left(&world, WHOLE).await, [""; 0]);
}

#[tokio::test]
async fn a_password_that_somebody_else_changed_is_written_down_again() {
    let world = Ocean::new().await;
    apply(&world, WHOLE).await;
    let path = format!("/v2/databases/{}/users/app/reset_auth", world.id_of("orders"));
    world.tamper("POST", &path, &json!({}));
    assert_eq!(left(&world, WHOLE).await, ["update secret orders: in_force false -> true"]);
    apply(&world, WHOLE).await;
    assert_eq!(left(&world, WHOLE).await, [""; 0]);
    // Another machine has no file, and nothing to do.
    std::fs::remove_dir_all(world.files.path().join("orders")).expect("it was there");
    assert_eq!(left(&world, WHOLE).await, [""; 0]);
}

#[tokio::test]
async fn a_restore_is_a_cluster_of_its_own_and_repeating_it_makes_no_second() {
    let world = Ocean::new().await;
    apply(&world, SMALL).await;
    world.rest();
    let restore = |name: String, to: &str, point: Point| Operation::Restore { name, to: renamed(SMALL, to), point };
    let at = Point::At(world.now());
    operate(&world, &restore(name(), "copy", at.clone())).await.expect("restored");
    operate(&world, &restore(name(), "copy", at)).await.expect("it is there");
    let other = operate(&world, &restore(name(), "copy", Point::Latest)).await.expect_err("it is of another moment");
    assert_eq!(other.kind, ErrorKind::Conflict);
    let clusters: Vec<String> = world.things().into_iter().filter(|thing| thing.starts_with("cluster")).collect();
    assert_eq!(clusters, ["cluster copy", "cluster orders"]);
    let of = world.emulator.with(|ocean| ocean.clusters[&ocean_id(ocean, "copy")].restored.clone());
    assert_eq!(of.expect("it is a restored one").0, "orders");
    let copy = with(SMALL, &[("name", "\"copy\""), ("database_name", "\"orders\"")]);
    assert_eq!(left(&world, &copy).await, [""; 0]);
}

fn ocean_id(ocean: &pgherd_emulate::digitalocean::Ocean, name: &str) -> String {
    ocean.clusters.values().find(|one| one.name == name).map(|one| one.id.clone()).expect("it is there")
}

#[tokio::test]
async fn a_clone_is_made_of_the_latest_backup() {
    let world = Ocean::new().await;
    apply(&world, SMALL).await;
    world.rest();
    let said = operate(&world, &Operation::Clone { name: name(), to: renamed(SMALL, "copy") }).await.expect("cloned");
    assert_eq!(said.first().map(String::as_str), Some("copy is made of orders, its latest backup"));
}

#[tokio::test]
async fn a_replica_becomes_a_database_under_its_own_name() {
    let world = Ocean::new().await;
    apply(&world, WHOLE).await;
    let alone = with(WHOLE, &[("create_read_replica", "false"), ("read_replica_count", "")]);
    let promote = |to: &str| Operation::Promote { name: name(), replica: None, to: renamed(&alone, to) };
    let refused = operate(&world, &promote("copy")).await.expect_err("another name");
    assert_eq!(refused.message, "DigitalOcean cannot give a cluster another name, and orders-r1 keeps its own");
    operate(&world, &promote("orders-r1")).await.expect("promoted");
    operate(&world, &promote("orders-r1")).await.expect("done already");
    assert_eq!(left(&world, &alone).await, [""; 0]);
    assert_eq!(left(&world, &with(&alone, &[("name", "\"orders-r1\"")])).await, [""; 0]);
}

#[tokio::test]
async fn forgotten_it_is_nobodys_and_adopted_it_is_ours_again() {
    let world = Ocean::new().await;
    apply(&world, WHOLE).await;
    operate(&world, &Operation::Forget { spec: Box::new(spec(WHOLE)) }).await.expect("forgotten");
    let (provider, block) = (world.provider(), spec(WHOLE));
    let timing = run::timing(&block, world.now());
    let planned = run::observe_and_plan(provider.as_ref(), &block, &timing, Intent::default()).await.expect("a look");
    let codes: Vec<&str> = planned.plan.diagnostics.iter().map(|said| said.code).collect();
    assert!(codes.contains(&"not-ours"), "{codes:?}");
    let other = Box::new(spec(&with(WHOLE, &[("multi_az", "false")])));
    let refused = operate(&world, &Operation::Adopt { spec: other }).await.expect_err("it differs");
    assert_eq!(refused.kind, ErrorKind::Protected);
    assert!(refused.message.contains("num_nodes of cluster orders is 2, the block says 1"), "{}", refused.message);
    operate(&world, &Operation::Adopt { spec: Box::new(spec(WHOLE)) }).await.expect("adopted");
    assert_eq!(left(&world, WHOLE).await, [""; 0]);
}

#[tokio::test]
async fn how_it_is() {
    let world = Ocean::new().await;
    apply(&world, WHOLE).await;
    let (ocean, spec) = (world.ocean(), spec(WHOLE));
    let report = ocean.report(&spec).await.expect("a report");
    assert_eq!(report.status, Status::Available);
    let servers: Vec<String> =
        report.servers.iter().map(|one| format!("{} {}", one.role, one.name.as_deref().unwrap_or("-"))).collect();
    assert_eq!(servers, ["primary orders", "standby -", "replica orders-r1", "pooler orders-pool"]);
    assert_eq!(report.warnings, [""; 0]);
    assert!(!ocean.backups(&spec).await.expect("backups").kept.is_empty());
    assert!(!ocean.history(&spec).await.expect("events").is_empty());
    let parameters = ocean.parameters(&spec).await.expect("settings");
    let work_mem = parameters.iter().find(|one| one.name == "work_mem").expect("it is set");
    assert_eq!((work_mem.value.as_deref(), work_mem.unit.as_deref()), (Some("16"), Some("MB")));
    let outputs = ocean.outputs(&spec, &ocean.observe(&ocean.desired(&spec)).await.expect("a look"));
    let text = |name: &str| outputs[name].as_text().unwrap_or_default().to_owned();
    assert_eq!(text("db_instance_endpoint"), "private-orders-do-user-1-0.db.ondigitalocean.com");
    assert!(text("db_instance_arn").starts_with("do:dbaas:"));
    assert!(text("connection_string").contains("sslmode=verify-full"), "{}", text("connection_string"));
    assert!(!format!("{outputs:?}").contains("AVNS"), "no password is among the outputs");
    let missing = ocean.report(&crate::world::spec(&with(SMALL, &[("name", "\"other\"")]))).await.expect_err("none");
    assert_eq!(missing.kind, ErrorKind::NotFound);
}
