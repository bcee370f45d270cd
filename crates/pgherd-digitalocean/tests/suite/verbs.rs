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

/// What nobody answered is not said to be done.
#[tokio::test]
async fn a_password_of_which_nobody_knows_is_looked_at() {
    let world = Ocean::new().await;
    apply(&world, WHOLE).await;
    let document = || std::fs::read_to_string(world.files.path().join("orders/secret.json")).expect("a file");
    let before = document();
    world.fault(r#"{"action":"databases_reset_auth","fault":"dropped"}"#);
    let error = operate(&world, &Operation::Rotate { name: name() }).await.expect_err("nobody knows");
    assert!(error.help.contains("the old one is in force"), "{error:?}");
    assert_eq!(document(), before);
    world.fault(r#"{"action":"databases_reset_auth","fault":"lost"}"#);
    operate(&world, &Operation::Rotate { name: name() }).await.expect("it was done");
    let now = world.ocean().password(&spec(WHOLE)).await.expect("a password");
    assert!(document() != before && document().contains(now.reveal().expect("it is known")));
}

/// Which database and which address applications use only the block says.
#[tokio::test]
async fn a_machine_without_a_file_gets_a_right_one() {
    let world = Ocean::new().await;
    let public = with(WHOLE, &[("publicly_accessible", "true")]);
    apply(&world, &public).await;
    let folder = world.files.path().join("orders");
    let before = std::fs::read_to_string(folder.join("secret.json")).expect("a file");
    std::fs::remove_dir_all(&folder).expect("it was there");
    let said = operate(&world, &Operation::Rotate { name: name() }).await.expect("it is given");
    assert_eq!(said[1], "this machine had no credentials of orders: `pgherd apply` writes them down");
    assert_eq!(left(&world, &public).await, ["create secret orders"]);
    apply(&world, &public).await;
    let after = std::fs::read_to_string(folder.join("secret.json")).expect("a file");
    let [before, after]: [serde_json::Value; 2] =
        [before, after].map(|text| serde_json::from_str(&text).expect("JSON"));
    assert!(before["password"] != after["password"]);
    for field in ["host", "port", "username", "dbname"] {
        assert_eq!(before[field], after[field], "{field}");
    }
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

/// It is what its source is: of its version, with its storage, whatever is the newest and whatever the block asks for.
#[tokio::test]
async fn a_restore_is_a_cluster_of_its_own_and_repeating_it_makes_no_second() {
    let world = Ocean::new().await;
    let older = with(SMALL, &[("engine_version", "\"16\"")]);
    apply(&world, &older).await;
    world.age();
    world.emulator.with(|ocean| ocean.clusters.values_mut().for_each(|one| one.storage_mib = 71_680));
    let restore = |name: String, to: &str, point: Point| Operation::Restore { name, to: renamed(SMALL, to), point };
    let backups = world.ocean().backups(&spec(&older)).await.expect("backups").kept;
    let at = Point::At(backups.first().and_then(|one| one.taken_at).expect("a moment"));
    operate(&world, &restore(name(), "copy", at.clone())).await.expect("restored");
    operate(&world, &restore(name(), "copy", at)).await.expect("it is there");
    let other = operate(&world, &restore(name(), "copy", Point::Latest)).await.expect_err("it is of another moment");
    assert_eq!(other.kind, ErrorKind::Conflict);
    let between = operate(&world, &restore(name(), "copy", Point::At(world.now()))).await.expect_err("no backup");
    assert_eq!(between.kind, ErrorKind::NotFound);
    let clusters: Vec<String> = world.things().into_iter().filter(|thing| thing.starts_with("cluster")).collect();
    assert_eq!(clusters, ["cluster copy", "cluster orders"]);
    let of = world.emulator.with(|ocean| ocean.clusters[&ocean_id(ocean, "copy")].clone());
    assert_eq!((of.version.as_str(), of.storage_mib), ("16", 71_680));
    assert_eq!(of.restored.expect("it is a restored one").0, "orders");
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
    world.age();
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
    // Longer than everything that is done to it by its id.
    world.emulator.with(|ocean| ocean.hidden_s = 1200);
    operate(&world, &promote("orders-r1")).await.expect("promoted");
    // Though it was not listed for a while.
    let is_it = |thing: &String| thing == "cluster orders-r1";
    assert_eq!(world.things().into_iter().filter(is_it).count(), 1);
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

/// A cluster that somebody made by hand, as its defaults are.
#[tokio::test]
async fn what_was_made_by_hand_is_adopted_and_nothing_is_left_to_do() {
    let world = Ocean::new().await;
    let made = json!({
        "name": "orders", "engine": "pg", "version": "17", "num_nodes": 1, "size": "db-s-1vcpu-2gb", "region": "nyc3",
        "rules": [{ "type": "ip_addr", "value": "198.51.100.7" }],
    });
    world.tamper("POST", "/v2/databases", &made);
    world.age();
    let block = with(
        SMALL,
        &[
            ("allowed_cidr_blocks", "[\"198.51.100.7/32\"]"),
            ("maintenance_window", "\"mon:13:00-mon:14:00\""),
            ("database_name", "\"defaultdb\""),
            ("alarm_targets", "[\"ops@example.com\"]"),
        ],
    );
    let adopt = |block: &str| Operation::Adopt { spec: Box::new(spec(block)) };
    let other = with(&block, &[("maintenance_window", "\"mon:14:00-mon:15:00\"")]);
    let refused = operate(&world, &adopt(&other)).await.expect_err("it differs");
    assert!(refused.message.contains("maintenance_window of cluster orders is monday 13:00"), "{}", refused.message);
    operate(&world, &adopt(&block)).await.expect("adopted");
    assert_eq!(left(&world, &block).await, [""; 0]);
    assert!(world.files.path().join("orders/secret.json").exists());
}

/// One whose replica is somebody's is refused, in words.
#[tokio::test]
async fn a_replica_without_a_tag_is_nobodys() {
    let world = Ocean::new().await;
    apply(&world, WHOLE).await;
    let replica = world.id_of("orders-r1");
    world.emulator.with(|ocean| ocean.clusters.get_mut(&replica).expect("it is there").tags.clear());
    let before = world.things();
    let (ocean, block) = (world.ocean(), spec(WHOLE));
    let events = Events::new("database", mpsc::unbounded_channel().0);
    let seen = ocean.observe(&ocean.desired(&block)).await.expect("a look");
    let seen = seen.into_iter().find(|seen| seen.id.to_string() == "replica orders-r1").expect("it is there");
    assert!(matches!(seen.status, Status::Foreign(_)), "{:?}", seen.status);
    // Whatever was planned before the tag was gone.
    let how = pgherd_engine::provider::Deletion { final_backup: None };
    let deleted = ocean.delete(&seen.id, &how, &events).await.expect_err("it is somebody's");
    let promote = Operation::Promote { name: name(), replica: None, to: renamed(WHOLE, "orders-r1") };
    let promoted = operate(&world, &promote).await.expect_err("it is somebody's");
    for error in [deleted, promoted] {
        assert_eq!(error.message, "the replica orders-r1 exists and is not pgherd's: it does not wear its tag");
    }
    assert_eq!(world.things(), before);
    operate(&world, &Operation::Forget { spec: Box::new(block.clone()) }).await.expect("forgotten");
    let adopted = operate(&world, &Operation::Adopt { spec: Box::new(block) }).await.expect_err("it is somebody's");
    assert!(adopted.message.contains("replica orders-r1 exists and is not pgherd's"), "{}", adopted.message);
    // By now its cluster is nobody's, either.
    let deleted = ocean.delete(&seen.id, &how, &events).await.expect_err("it is somebody's");
    assert!(deleted.message.starts_with("the cluster orders exists and is not pgherd's"), "{}", deleted.message);
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
    // Applications are given the pool, wherever they look for it.
    assert!(text("connection_string").contains(".com:25061/orders-pool?"), "{}", text("connection_string"));
    assert_eq!(report.address.map(|address| address.port), Some(25061));
    let file = std::fs::read_to_string(world.files.path().join("orders/secret.json")).expect("a file");
    let document: serde_json::Value = serde_json::from_str(&file).expect("JSON");
    assert_eq!((&document["port"], &document["dbname"]), (&json!(25061), &json!("orders-pool")));
    let alone = with(WHOLE, &[("enable_proxy", "")]);
    apply(&world, &alone).await;
    assert_eq!(left(&world, &alone).await, [""; 0]);
    let file = std::fs::read_to_string(world.files.path().join("orders/secret.json")).expect("a file");
    let document: serde_json::Value = serde_json::from_str(&file).expect("JSON");
    assert_eq!((&document["port"], &document["dbname"]), (&json!(25060), &json!("shop")));
    assert!(!format!("{outputs:?}").contains("AVNS"), "no password is among the outputs");
    let missing = ocean.report(&crate::world::spec(&with(SMALL, &[("name", "\"other\"")]))).await.expect_err("none");
    assert_eq!(missing.kind, ErrorKind::NotFound);
}

/// A replica in a second region is one of the block's, and becomes a database when the first region is lost.
#[tokio::test]
async fn a_replica_in_a_second_region() {
    let world = Ocean::new().await;
    let block = with(SMALL, &[("dr_region", "\"fra1\""), ("dr_read_replica", "true")]);
    apply(&world, &block).await;
    assert_eq!(left(&world, &block).await, [""; 0]);
    let (ocean, spec) = (world.ocean(), spec(&block));
    let report = ocean.report(&spec).await.expect("a report");
    let servers: Vec<String> = report
        .servers
        .iter()
        .map(|one| {
            [one.role.as_str(), one.name.as_deref().unwrap_or("-"), one.place.as_deref().unwrap_or("-")].join(" ")
        })
        .collect();
    assert_eq!(servers, ["primary orders nyc3", "replica orders-dr fra1"]);
    let alone = with(SMALL, &[("name", "\"orders-dr\""), ("do_region", "\"fra1\""), ("database_name", "\"orders\"")]);
    let promote = Operation::Promote { name: name(), replica: None, to: Box::new(crate::world::spec(&alone)) };
    operate(&world, &promote).await.expect("promoted");
    assert_eq!(left(&world, &alone).await, [""; 0]);
}
