//! The day-2 verbs.

use pgherd_core::event::{Event, What};
use pgherd_core::lint::Intent;
use pgherd_core::resource::Status;
use pgherd_core::secret::Secret;
use pgherd_core::spec::Spec;
use pgherd_engine::provider::{ErrorKind, Events, Operation, Point, Provider as _, ProviderError};
use pgherd_engine::run::{self, Planned};
use pgherd_engine::stop::Stop;
use pgherd_engine::suite::{World as _, changes};
use pgherd_engine::walk::Outcome;
use tokio::sync::mpsc;

use crate::world::{Cloudy, SMALL, WHOLE, spec, with};

pub async fn carried_out(world: &Cloudy, spec: &Spec, planned: &Planned) -> Outcome {
    let events = Events::new("database", mpsc::unbounded_channel().0);
    run::apply(world.provider().as_ref(), spec, planned, world.now(), &events, &Stop::never()).await
}

/// Applies; the words of what failed.
pub async fn apply_said(world: &Cloudy, block: &str) -> Result<(), String> {
    let (provider, spec) = (world.provider(), spec(block));
    let timing = run::timing(&spec, world.now());
    let planned = run::observe_and_plan(provider.as_ref(), &spec, &timing, Intent::default()).await.expect("a look");
    if planned.plan.is_refused() {
        return Err(format!("{:?}", planned.plan.diagnostics));
    }
    let outcome = carried_out(world, &spec, &planned).await;
    if outcome.is_success() { Ok(()) } else { Err(format!("{outcome:?}")) }
}

pub async fn apply(world: &Cloudy, block: &str) {
    assert_eq!(apply_said(world, block).await, Ok(()));
}

pub async fn left(world: &Cloudy, block: &str) -> Vec<String> {
    let spec = spec(block);
    let timing = run::timing(&spec, world.now());
    let planned = run::observe_and_plan(world.provider().as_ref(), &spec, &timing, Intent::default()).await;
    changes(&planned.expect("a look"))
}

/// Does a verb; what was said on the way.
pub async fn operate(world: &Cloudy, operation: &Operation) -> Result<Vec<String>, ProviderError> {
    let (sender, mut heard) = mpsc::unbounded_channel();
    let events = Events::new("database", sender);
    world.azure().operate(operation, &events).await?;
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

/// The password that a server has for its administrator.
fn in_force(world: &Cloudy, server: &str) -> Secret {
    let password = world.emulator.with(|azure| azure.servers[server].password.clone());
    Secret::new(password.expect("it has one"))
}

/// The password that is written down opens what it is for.
async fn written(world: &Cloudy, block: &str, server: &str) {
    let password = world.azure().password(&spec(block).called(server)).await.expect("a password");
    assert!(password == in_force(world, server), "the password of {server}");
}

/// Cut short anywhere, the next apply has the password that is written down be in force.
#[tokio::test]
async fn a_rotation_is_in_force_written_down_and_finished_by_the_next_apply() {
    let world = Cloudy::new().await;
    apply(&world, SMALL).await;
    written(&world, SMALL, "orders").await;
    let before = in_force(&world, "orders");
    operate(&world, &Operation::Rotate { name: name() }).await.expect("rotated");
    assert!(in_force(&world, "orders") != before);
    written(&world, SMALL, "orders").await;
    for action in ["secrets.put", "Servers.update", "secrets.version.patch"] {
        world.fault(&format!(r#"{{"action":"{action}","fault":"denied"}}"#));
        let error = operate(&world, &Operation::Rotate { name: name() }).await.expect_err("it is cut short");
        assert_eq!(error.kind, ErrorKind::Denied);
        apply(&world, SMALL).await;
        written(&world, SMALL, "orders").await;
        assert_eq!(left(&world, SMALL).await, [""; 0], "{action}");
    }
}

#[tokio::test]
async fn a_restore_is_a_server_of_its_own_and_repeating_it_makes_no_second() {
    let world = Cloudy::new().await;
    let block = with(SMALL, &[("instance_class", "\"GP_Standard_D2ds_v5\"")]);
    apply(&world, &block).await;
    world.rest();
    operate(&world, &Operation::Backup { name: name(), label: Some("before".to_owned()) }).await.expect("a backup");
    let restore = |to: &str, point: Point| Operation::Restore { name: name(), to: renamed(&block, to), point };
    let at = Point::At(world.now());
    operate(&world, &restore("copy", at.clone())).await.expect("restored");
    operate(&world, &restore("copy", at)).await.expect("it is there");
    let other = operate(&world, &restore("copy", Point::Latest)).await.expect_err("it is of another moment");
    assert_eq!(other.kind, ErrorKind::Conflict);
    operate(&world, &restore("old", Point::Backup("before".to_owned()))).await.expect("restored");
    operate(&world, &restore("old", Point::Backup("before".to_owned()))).await.expect("it is there");
    let servers: Vec<String> = world.things().into_iter().filter(|thing| thing.starts_with("server")).collect();
    assert_eq!(servers, ["server copy", "server old", "server orders"]);
    let origins =
        world.emulator.with(|azure| ["copy", "old"].map(|name| azure.servers[name].origin.clone().expect("one").0));
    assert_eq!(origins, ["orders", "orders"]);
    for name in ["copy", "old"] {
        // What it was restored from is nothing that its block wants.
        let block = with(&block, &[("name", &format!("\"{name}\"")), ("database_name", "\"orders\"")]);
        assert_eq!(left(&world, &block).await, [""; 0], "{name}");
        written(&world, SMALL, name).await;
    }
    let long_ago = operate(&world, &restore("late", Point::At("2020-01-01T00:00:00Z".parse().expect("a time")))).await;
    assert_eq!(long_ago.expect_err("nothing is kept").kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn a_clone_that_was_cut_short_is_gone_on_with() {
    let world = Cloudy::new().await;
    apply(&world, SMALL).await;
    let clone = Operation::Clone { name: name(), to: renamed(SMALL, "copy") };
    world.fault(r#"{"action":"secrets.put","fault":"denied"}"#);
    assert!(operate(&world, &clone).await.is_err());
    operate(&world, &clone).await.expect("gone on with");
    written(&world, SMALL, "copy").await;
    let made = |path: &str| path.ends_with("/flexibleServers/copy");
    let all = world.emulator.asked();
    let clones = all.iter().filter(|asked| asked.action == "Servers.create_or_update" && made(&asked.path)).count();
    assert_eq!(clones, 1);
    // Cut short around the password of the copy, which has its source's until then, the next apply has the one that is written down be in force.
    for nth in 1..=2 {
        let name = format!("copy-{nth}");
        world.fault(&format!(r#"{{"action":"secrets.put","nth":{nth},"fault":"lost"}}"#));
        world.fault(r#"{"action":"Servers.update","fault":"denied"}"#);
        let clone = Operation::Clone { name: self::name(), to: renamed(SMALL, &name) };
        assert!(operate(&world, &clone).await.is_err());
        world.calm();
        let block = with(SMALL, &[("name", &format!("\"{name}\"")), ("database_name", "\"orders\"")]);
        apply(&world, &block).await;
        written(&world, SMALL, &name).await;
    }
    // Whoever wants one of today does not get last week's.
    let again = operate(&world, &clone).await.expect_err("it is there");
    assert_eq!(again.message, "there is a database copy already");
}

#[tokio::test]
async fn a_replica_becomes_a_database_under_its_own_name() {
    let world = Cloudy::new().await;
    apply(&world, WHOLE).await;
    let alone = with(WHOLE, &[("create_read_replica", "false"), ("read_replica_count", ""), ("multi_az", "false")]);
    let promote = |to: &str| Operation::Promote { name: name(), replica: None, to: renamed(&alone, to) };
    let refused = operate(&world, &promote("copy")).await.expect_err("another name");
    assert_eq!(refused.message, "Azure cannot give a server another name, and orders-replica-1 keeps its own");
    operate(&world, &promote("orders-replica-1")).await.expect("promoted");
    operate(&world, &promote("orders-replica-1")).await.expect("done already");
    written(&world, WHOLE, "orders-replica-1").await;
    let with_standby = with(&alone, &[("multi_az", "true")]);
    assert_eq!(left(&world, &with_standby).await, ["delete alert orders-replica-1-lag"]);
    assert_eq!(left(&world, &with(&alone, &[("name", "\"orders-replica-1\"")])).await, [""; 0]);
}

#[tokio::test]
async fn forgotten_it_is_nobodys_and_adopted_it_is_ours_again() {
    let world = Cloudy::new().await;
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
    let differs = "highAvailability of server orders is ZoneRedundant, the block says Disabled";
    assert!(refused.message.contains(differs), "{}", refused.message);
    operate(&world, &Operation::Adopt { spec: Box::new(spec(WHOLE)) }).await.expect("adopted");
    assert_eq!(left(&world, WHOLE).await, [""; 0]);
}

#[tokio::test]
async fn power_and_failover() {
    let world = Cloudy::new().await;
    apply(&world, WHOLE).await;
    let zone = || world.emulator.with(|azure| azure.servers["orders"].json["properties"]["availabilityZone"].clone());
    let before = zone();
    let said = operate(&world, &Operation::Failover { name: name(), accept_loss: false }).await.expect("failed over");
    assert!(
        zone() != before && said == [format!("orders is in zone {}", zone().as_str().unwrap_or_default())],
        "{said:?}"
    );
    operate(&world, &Operation::Switchover { name: name() }).await.expect("and back");
    assert_eq!(zone(), before);
    operate(&world, &Operation::Restart { name: name() }).await.expect("restarted");
    operate(&world, &Operation::Stop { name: name() }).await.expect("stopped");
    assert_eq!(world.azure().report(&spec(WHOLE)).await.expect("a report").status, Status::Stopped);
    assert_eq!(left(&world, WHOLE).await, [""; 0], "nobody can look into it, and nothing is missing");
    operate(&world, &Operation::Stop { name: name() }).await.expect("stopped already");
    operate(&world, &Operation::Start { name: name() }).await.expect("started");
    assert_eq!(left(&world, WHOLE).await, [""; 0]);
    apply(&world, &with(WHOLE, &[("multi_az", "false")])).await;
    let error = operate(&world, &Operation::Failover { name: name(), accept_loss: false }).await.expect_err("alone");
    assert_eq!(error.message, "orders has no standby");
}

/// A setting that waits for a restart is told until there was one.
#[tokio::test]
async fn what_waits_for_a_restart_is_told_and_gets_one() {
    let world = Cloudy::new().await;
    apply(&world, SMALL).await;
    let block = with(SMALL, &[("parameters", "[{ name = \"max_connections\", value = \"45\" }]")]);
    apply(&world, &block).await;
    assert_eq!(left(&world, &block).await, [""; 0]);
    let waits = async || world.azure().report(&spec(&block)).await.expect("a report").pending.len();
    assert_eq!(waits().await, 1);
    apply(&world, &with(&block, &[("apply_immediately", "true")])).await;
    assert_eq!(waits().await, 0);
    let restarts = world.emulator.asked().iter().filter(|asked| asked.action == "Servers.restart").count();
    assert_eq!(restarts, 1);
}

#[tokio::test]
async fn how_it_is() {
    let world = Cloudy::new().await;
    apply(&world, WHOLE).await;
    world.rest();
    let (azure, spec) = (world.azure(), spec(WHOLE));
    let report = azure.report(&spec).await.expect("a report");
    assert_eq!(report.status, Status::Available);
    let servers: Vec<String> =
        report.servers.iter().map(|one| format!("{} {}", one.role, one.name.as_deref().unwrap_or("-"))).collect();
    assert_eq!(servers, ["primary orders", "standby -", "replica orders-replica-1"]);
    assert_eq!((report.warnings.len(), report.engine_version.as_deref()), (0, Some("16.4")));
    let backups = azure.backups(&spec).await.expect("backups");
    assert!(!backups.kept.is_empty() && backups.restorable.is_some());
    let parameters = azure.parameters(&spec).await.expect("settings");
    let work_mem = parameters.iter().find(|one| one.name == "work_mem").expect("it is set");
    assert_eq!((work_mem.value.as_deref(), work_mem.unit.as_deref()), (Some("16384"), Some("kB")));
    assert!(parameters.len() > 250, "every page is read");
    let outputs = azure.outputs(&spec, &azure.observe(&azure.desired(&spec)).await.expect("a look"));
    let text = |name: &str| outputs[name].as_text().unwrap_or_default().to_owned();
    assert_eq!(text("db_instance_endpoint"), "orders.postgres.database.azure.com");
    assert_eq!(text("db_instance_resource_id"), crate::world::path("orders", ""));
    assert_eq!(text("db_credentials_secret_arn"), "https://learning-vault.vault.azure.net/secrets/orders-credentials");
    let connection = "postgresql://app@orders.postgres.database.azure.com:5432/shop?sslmode=require";
    assert_eq!(text("connection_string"), connection);
    assert_eq!(text("db_parameter_group_id"), crate::world::path("orders", "/configurations"));
    // Applications get the pooler's port, as they read it in the secret.
    let pooled = crate::world::spec(&with(WHOLE, &[("enable_proxy", "true")]));
    let outputs_of_pooled = azure.outputs(&pooled, &azure.observe(&azure.desired(&pooled)).await.expect("a look"));
    assert_eq!(outputs_of_pooled["db_instance_port"].as_int(), Some(6432));
    assert_eq!(outputs_of_pooled["proxy_endpoint"].as_text(), Some("orders.postgres.database.azure.com"));
    let password = in_force(&world, "orders");
    assert!(!format!("{outputs:?}").contains(password.reveal().expect("a text")), "no password is among the outputs");
    let missing = azure.report(&crate::world::spec(&with(SMALL, &[("name", "\"other\"")]))).await.expect_err("none");
    assert_eq!(missing.kind, ErrorKind::NotFound);
}
