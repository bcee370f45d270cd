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

use crate::world::{Google, SMALL, WHOLE, spec, with};

pub async fn carried_out(world: &Google, spec: &Spec, planned: &Planned) -> Outcome {
    let events = Events::new("database", mpsc::unbounded_channel().0);
    run::apply(world.provider().as_ref(), spec, planned, world.now(), &events, &Stop::never()).await
}

/// Applies; the words of what failed.
pub async fn apply_said(world: &Google, block: &str) -> Result<(), String> {
    let (provider, spec) = (world.provider(), spec(block));
    let timing = run::timing(&spec, world.now());
    let planned = run::observe_and_plan(provider.as_ref(), &spec, &timing, Intent::default()).await.expect("a look");
    if planned.plan.is_refused() {
        return Err(format!("{:?}", planned.plan.diagnostics));
    }
    let outcome = carried_out(world, &spec, &planned).await;
    if outcome.is_success() { Ok(()) } else { Err(format!("{outcome:?}")) }
}

pub async fn apply(world: &Google, block: &str) {
    assert_eq!(apply_said(world, block).await, Ok(()));
}

pub async fn left(world: &Google, block: &str) -> Vec<String> {
    let spec = spec(block);
    let timing = run::timing(&spec, world.now());
    let planned = run::observe_and_plan(world.provider().as_ref(), &spec, &timing, Intent::default()).await;
    changes(&planned.expect("a look"))
}

/// Does a verb; what was said on the way.
pub async fn operate(world: &Google, operation: &Operation) -> Result<Vec<String>, ProviderError> {
    let (sender, mut heard) = mpsc::unbounded_channel();
    let events = Events::new("database", sender);
    world.gcp().operate(operation, &events).await?;
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

/// The password that Cloud SQL has for a role.
fn in_force(world: &Google, instance: &str, role: &str) -> Secret {
    let password = world.emulator.with(|google| google.instances[instance].users[role].clone());
    Secret::new(password.expect("it has one"))
}

/// Every password that is written down opens what it is for.
async fn written(world: &Google, block: &str, instance: &str, role: &str) {
    let password = world.gcp().password(&spec(block).called(instance)).await.expect("a password");
    assert!(password == in_force(world, instance, role), "the password of {role} in {instance}");
}

/// Cut short anywhere, the next apply has the password that is written down be in force.
#[tokio::test]
async fn a_rotation_is_in_force_written_down_and_finished_by_the_next_apply() {
    let world = Google::new().await;
    apply(&world, WHOLE).await;
    written(&world, WHOLE, "orders", "app").await;
    let before = in_force(&world, "orders", "app");
    operate(&world, &Operation::Rotate { name: name() }).await.expect("rotated");
    assert!(in_force(&world, "orders", "app") != before);
    written(&world, WHOLE, "orders", "app").await;
    for action in
        ["secretmanager.projects.secrets.patch", "secretmanager.projects.secrets.addVersion", "sql.users.update"]
    {
        world.fault(&format!(r#"{{"action":"{action}","fault":"denied"}}"#));
        let error = operate(&world, &Operation::Rotate { name: name() }).await.expect_err("it is cut short");
        assert_eq!(error.kind, ErrorKind::Denied);
        apply(&world, WHOLE).await;
        written(&world, WHOLE, "orders", "app").await;
        assert_eq!(left(&world, WHOLE).await, [""; 0]);
    }
}

#[tokio::test]
async fn a_restore_is_an_instance_of_its_own_and_repeating_it_makes_no_second() {
    let world = Google::new().await;
    apply(&world, SMALL).await;
    world.rest();
    operate(&world, &Operation::Backup { name: name(), label: Some("before".to_owned()) }).await.expect("a backup");
    let restore = |to: &str, point: Point| Operation::Restore { name: name(), to: renamed(SMALL, to), point };
    let at = Point::At(world.now());
    operate(&world, &restore("copy", at.clone())).await.expect("restored");
    operate(&world, &restore("copy", at)).await.expect("it is there");
    let other = operate(&world, &restore("copy", Point::Latest)).await.expect_err("it is of another moment");
    assert_eq!(other.kind, ErrorKind::Conflict);
    operate(&world, &restore("old", Point::Backup("before".to_owned()))).await.expect("restored");
    operate(&world, &restore("old", Point::Backup("before".to_owned()))).await.expect("it is there");
    let instances: Vec<String> = world.things().into_iter().filter(|thing| thing.starts_with("instance")).collect();
    assert_eq!(instances, ["instance copy", "instance old", "instance orders"]);
    let origins =
        world.emulator.with(|google| ["copy", "old"].map(|name| google.instances[name].origin.clone().expect("one").0));
    assert_eq!(origins, ["orders", "orders"]);
    for name in ["copy", "old"] {
        // What it was restored from is nothing that its block wants.
        let block = with(SMALL, &[("name", &format!("\"{name}\"")), ("database_name", "\"orders\"")]);
        assert_eq!(left(&world, &block).await, [""; 0], "{name}");
        written(&world, SMALL, name, "postgres").await;
    }
    let long_ago = operate(&world, &restore("late", Point::At("2020-01-01T00:00:00Z".parse().expect("a time")))).await;
    assert_eq!(long_ago.expect_err("nothing is kept").kind, ErrorKind::NotFound);
}

/// The last backup outlives its instance under the words that were chosen for it, and what was in it comes back.
#[tokio::test]
async fn what_was_destroyed_is_made_again_of_its_last_backup() {
    let world = Google::new().await;
    let last = ("final_snapshot_identifier", "\"orders-last\"");
    let size = ("allocated_storage", "70");
    let block = with(SMALL, &[("skip_final_snapshot", "false"), last, size, ("engine_version", "\"15\"")]);
    let destroy = async || {
        let planned = run::observe_and_plan_destroy(world.provider().as_ref(), &spec(&block)).await.expect("a look");
        assert!(carried_out(&world, &spec(&block), &planned).await.is_success());
    };
    apply(&world, &block).await;
    destroy().await;
    let gcp = world.gcp();
    let kept = gcp.backups(&spec(&block)).await.expect("one is left").kept;
    assert_eq!(kept.iter().map(|one| (one.name.as_str(), one.last)).collect::<Vec<_>>(), [("orders-last", Some(true))]);
    let restore = |point: Point| Operation::Restore { name: name(), to: renamed(SMALL, "again"), point };
    let of = |words: &str| Point::Backup(words.to_owned());
    let latest = operate(&world, &restore(Point::Latest)).await.expect_err("it is gone");
    assert_eq!((latest.kind, latest.message.as_str()), (ErrorKind::NotFound, "orders does not exist"));
    let newer = Box::new(spec(&with(SMALL, &[("engine_version", "\"16\"")])).called("again"));
    let newer = Operation::Restore { name: name(), to: newer, point: of("orders-last") };
    let other = operate(&world, &newer).await.expect_err("another major");
    assert_eq!(other.message, "the backup is of PostgreSQL 15, and the block says 16");
    // Where the block says less, the instance is as large and of the major that the backup needs.
    operate(&world, &restore(of("orders-last"))).await.expect("restored");
    let origin = world.emulator.with(|google| google.instances["again"].origin.clone().expect("one"));
    assert!(origin.0 == "orders" && origin.1.is_some_and(|name| name.starts_with("projects/learning/backups/")));
    written(&world, SMALL, "again", "postgres").await;
    // Of a second life of the name there is one with the same words: each is then called by Google's name.
    apply(&world, &block).await;
    destroy().await;
    let kept = gcp.backups(&spec(&block)).await.expect("two are left").kept;
    assert!(kept.len() == 2 && kept.iter().all(|one| one.name.starts_with("projects/learning/backups/")), "{kept:?}");
    let other = Operation::Restore { name: name(), to: renamed(SMALL, "other"), point: of("orders-last") };
    let which = operate(&world, &other).await.expect_err("which?");
    assert_eq!(which.message, "2 backups of orders are described as orders-last");
    let missing = gcp.backups(&spec(&block).called("nobody")).await.expect_err("none");
    assert_eq!(missing.kind, ErrorKind::NotFound);
}

/// One that holds fewer connections than its primary cannot follow it: the emulator refuses both orders that would make one.
#[tokio::test]
async fn what_grows_grows_in_replicas_first_and_what_shrinks_shrinks_there_last() {
    let world = Google::new().await;
    let connections =
        |most: &str| with(WHOLE, &[("parameters", &format!("[{{ name = \"max_connections\", value = \"{most}\" }}]"))]);
    let order = || {
        let asked = world.emulator.asked();
        let patches = asked.iter().filter(|one| one.action == "sql.instances.patch" && one.status == 200);
        let all: Vec<String> = patches.map(|one| one.path.rsplit('/').next().unwrap_or_default().to_owned()).collect();
        world.forget_calls();
        all
    };
    apply(&world, &connections("200")).await;
    world.forget_calls();
    apply(&world, &connections("300")).await;
    assert_eq!(order(), ["orders-replica-1", "orders"]);
    apply(&world, &connections("150")).await;
    assert_eq!(order(), ["orders", "orders-replica-1"]);
    // Without the flag there are more, by memory.
    apply(&world, &with(WHOLE, &[("parameters", "")])).await;
    assert_eq!(order(), ["orders-replica-1", "orders"]);
    apply(&world, &connections("150")).await;
    assert_eq!(order(), ["orders", "orders-replica-1"]);
    let larger = with(&connections("150"), &[("instance_class", "\"db-custom-4-16384\"")]);
    apply(&world, &larger).await;
    assert_eq!(order(), ["orders-replica-1", "orders"]);
    apply(&world, &connections("150")).await;
    assert_eq!(order(), ["orders", "orders-replica-1"]);
    assert_eq!(left(&world, &connections("150")).await, [""; 0]);
}

#[tokio::test]
async fn a_clone_that_was_cut_short_is_gone_on_with() {
    let world = Google::new().await;
    apply(&world, SMALL).await;
    let clone = Operation::Clone { name: name(), to: renamed(SMALL, "copy") };
    world.fault(r#"{"action":"sql.instances.patch","fault":"denied"}"#);
    assert!(operate(&world, &clone).await.is_err());
    operate(&world, &clone).await.expect("gone on with");
    written(&world, SMALL, "copy", "postgres").await;
    let clones = world.emulator.asked().iter().filter(|asked| asked.action == "sql.instances.clone").count();
    assert_eq!(clones, 1);
}

#[tokio::test]
async fn a_replica_becomes_a_database_under_its_own_name() {
    let world = Google::new().await;
    apply(&world, WHOLE).await;
    let alone = with(WHOLE, &[("create_read_replica", "false"), ("read_replica_count", "")]);
    let promote = |to: &str| Operation::Promote { name: name(), replica: None, to: renamed(&alone, to) };
    let refused = operate(&world, &promote("copy")).await.expect_err("another name");
    assert_eq!(refused.message, "Cloud SQL cannot give an instance another name, and orders-replica-1 keeps its own");
    operate(&world, &promote("orders-replica-1")).await.expect("promoted");
    operate(&world, &promote("orders-replica-1")).await.expect("done already");
    written(&world, WHOLE, "orders-replica-1", "app").await;
    assert_eq!(left(&world, &alone).await, ["delete alert orders-replica-lag"]);
    assert_eq!(left(&world, &with(&alone, &[("name", "\"orders-replica-1\"")])).await, [""; 0]);
}

#[tokio::test]
async fn forgotten_it_is_nobodys_and_adopted_it_is_ours_again() {
    let world = Google::new().await;
    apply(&world, WHOLE).await;
    operate(&world, &Operation::Forget { spec: Box::new(spec(WHOLE)) }).await.expect("forgotten");
    let (provider, block) = (world.provider(), spec(WHOLE));
    let timing = run::timing(&block, world.now());
    let planned = run::observe_and_plan(provider.as_ref(), &block, &timing, Intent::default()).await.expect("a look");
    let codes: Vec<&str> = planned.plan.diagnostics.iter().map(|said| said.code).collect();
    assert!(codes.contains(&"not-ours"), "{codes:?}");
    let destroyed = run::observe_and_plan_destroy(provider.as_ref(), &block).await.expect("a look");
    assert_eq!(changes(&destroyed), [""; 0], "its secret is the only copy of its password");
    let other = Box::new(spec(&with(WHOLE, &[("multi_az", "false")])));
    let refused = operate(&world, &Operation::Adopt { spec: other }).await.expect_err("it differs");
    assert_eq!(refused.kind, ErrorKind::Protected);
    let differs = "availabilityType of instance orders is REGIONAL, the block says ZONAL";
    assert!(refused.message.contains(differs), "{}", refused.message);
    operate(&world, &Operation::Adopt { spec: Box::new(spec(WHOLE)) }).await.expect("adopted");
    assert_eq!(left(&world, WHOLE).await, [""; 0]);
}

#[tokio::test]
async fn power_and_failover() {
    let world = Google::new().await;
    apply(&world, WHOLE).await;
    let zone = || world.emulator.with(|google| google.instances["orders"].json["gceZone"].clone());
    let before = zone();
    let said = operate(&world, &Operation::Failover { name: name(), accept_loss: false }).await.expect("failed over");
    assert!(zone() != before && said == [format!("orders is in {}", zone().as_str().unwrap_or_default())], "{said:?}");
    operate(&world, &Operation::Restart { name: name() }).await.expect("restarted");
    operate(&world, &Operation::Stop { name: name() }).await.expect("stopped");
    assert_eq!(world.gcp().report(&spec(WHOLE)).await.expect("a report").status, Status::Stopped);
    assert_eq!(left(&world, WHOLE).await, [""; 0], "nobody can look into it, and nothing is missing");
    operate(&world, &Operation::Stop { name: name() }).await.expect("stopped already");
    operate(&world, &Operation::Start { name: name() }).await.expect("started");
    assert_eq!(left(&world, WHOLE).await, [""; 0]);
    apply(&world, &with(WHOLE, &[("multi_az", "false")])).await;
    let error = operate(&world, &Operation::Failover { name: name(), accept_loss: false }).await.expect_err("alone");
    assert_eq!(error.message, "orders has no standby");
}

#[tokio::test]
async fn how_it_is() {
    let world = Google::new().await;
    apply(&world, WHOLE).await;
    world.rest();
    let (gcp, spec) = (world.gcp(), spec(WHOLE));
    let report = gcp.report(&spec).await.expect("a report");
    assert_eq!(report.status, Status::Available);
    let servers: Vec<String> =
        report.servers.iter().map(|one| format!("{} {}", one.role, one.name.as_deref().unwrap_or("-"))).collect();
    assert_eq!(servers, ["primary orders", "standby -", "replica orders-replica-1"]);
    assert_eq!((report.warnings.len(), report.engine_version.as_deref()), (0, Some("16.4")));
    let backups = gcp.backups(&spec).await.expect("backups");
    assert!(!backups.kept.is_empty() && backups.restorable.is_some());
    assert!(!gcp.history(&spec).await.expect("events").is_empty());
    let parameters = gcp.parameters(&spec).await.expect("settings");
    let work_mem = parameters.iter().find(|one| one.name == "work_mem").expect("it is set");
    assert_eq!((work_mem.value.as_deref(), work_mem.unit.as_deref()), (Some("16384"), Some("kB")));
    let outputs = gcp.outputs(&spec, &gcp.observe(&gcp.desired(&spec)).await.expect("a look"));
    let text = |name: &str| outputs[name].as_text().unwrap_or_default().to_owned();
    assert_eq!(text("db_instance_endpoint"), "203.0.113.6");
    assert_eq!(text("db_instance_resource_id"), "projects/learning/instances/orders");
    assert_eq!(text("db_credentials_secret_arn"), "projects/learning/secrets/orders-credentials");
    assert_eq!(text("connection_string"), "postgresql://app@203.0.113.6:5432/shop?sslmode=require");
    let password = in_force(&world, "orders", "app");
    assert!(!format!("{outputs:?}").contains(password.reveal().expect("a text")), "no password is among the outputs");
    let missing = gcp.report(&crate::world::spec(&with(SMALL, &[("name", "\"other\"")]))).await.expect_err("none");
    assert_eq!(missing.kind, ErrorKind::NotFound);
}

/// What leaks with one password is not more than what that password is for.
#[tokio::test]
async fn the_administrator_of_an_instance_has_a_password_of_its_own_beside_a_role() {
    let world = Google::new().await;
    apply(&world, WHOLE).await;
    assert!(in_force(&world, "orders", "postgres") != in_force(&world, "orders", "app"));
    let alone = with(WHOLE, &[("create_read_replica", "false"), ("read_replica_count", "")]);
    operate(&world, &Operation::Clone { name: name(), to: renamed(&alone, "copy") }).await.expect("cloned");
    let of_copy = in_force(&world, "copy", "postgres");
    assert!(of_copy != in_force(&world, "orders", "postgres") && of_copy != in_force(&world, "copy", "app"));
    written(&world, WHOLE, "copy", "app").await;
}

/// Cut short while a backup is put in, the next apply has the password be in force, and repeating it puts nothing in a second time.
#[tokio::test]
async fn a_restore_of_a_backup_that_is_cut_short_ends_well_and_overwrites_nothing() {
    let world = Google::new().await;
    apply(&world, SMALL).await;
    operate(&world, &Operation::Backup { name: name(), label: Some("before".to_owned()) }).await.expect("a backup");
    let of = |name: &str| with(SMALL, &[("name", &format!("\"{name}\"")), ("database_name", "\"orders\"")]);
    let restore = async |to: &str| {
        let point = Point::Backup("before".to_owned());
        operate(&world, &Operation::Restore { name: name(), to: renamed(SMALL, to), point }).await
    };
    let put =
        || world.emulator.with(|google| google.operations.iter().filter(|one| one.kind == "RESTORE_VOLUME").count());
    // It goes on, and nobody hears.
    world.fault(r#"{"action":"sql.instances.restoreBackup","fault":"lost"}"#);
    restore("old").await.expect_err("no answer");
    apply(&world, &of("old")).await;
    written(&world, SMALL, "old", "postgres").await;
    restore("old").await.expect("it is there");
    restore("old").await.expect("it is there");
    written(&world, SMALL, "old", "postgres").await;
    assert_eq!((put(), left(&world, &of("old")).await), (1, Vec::new()));
    // It never began.
    let denied = r#"{"action":"sql.instances.restoreBackup","fault":"denied"}"#;
    world.fault(denied);
    restore("older").await.expect_err("denied");
    restore("older").await.expect("restored");
    written(&world, SMALL, "older", "postgres").await;
    // It never began, and what was made was used.
    world.fault(denied);
    restore("used").await.expect_err("denied");
    apply(&world, &of("used")).await;
    written(&world, SMALL, "used", "postgres").await;
    let error = restore("used").await.expect_err("it is used");
    assert_eq!((error.kind, put()), (ErrorKind::Conflict, 2), "{error}");
}

/// Applications are given the pooler's port, wherever they look for it.
#[tokio::test]
async fn who_has_a_pooler_connects_to_it() {
    let world = Google::new().await;
    let plus = [("instance_class", "\"db.m5.large\""), ("gcp_edition", "\"ENTERPRISE_PLUS\"")];
    let port = async |block: &str| {
        let (gcp, spec) = (world.gcp(), spec(block));
        let seen = gcp.observe(&gcp.desired(&spec)).await.expect("a look");
        let secret = seen.iter().find(|one| one.id.kind == "secret").expect("a secret").props["port"].clone();
        let outputs = gcp.outputs(&spec, &seen);
        assert_eq!(secret, outputs["db_instance_port"]);
        let report = gcp.report(&spec).await.expect("a report");
        let of = |role: &str| report.servers.iter().find(|one| one.role == role)?.address.clone();
        let of_pooler = of("pooler").map(|address| address.port);
        assert_eq!(of("primary").map(|address| address.port), Some(5432));
        assert_eq!(outputs["proxy_endpoint"].is_null(), of_pooler.is_none());
        (secret, report.address.map(|address| address.port), of_pooler)
    };
    let pooled = with(SMALL, &[&plus[..], &[("enable_proxy", "true")]].concat());
    apply(&world, &pooled).await;
    assert_eq!(port(&pooled).await, (6432.into(), Some(6432), Some(6432)));
    let alone = with(SMALL, &plus);
    apply(&world, &alone).await;
    assert_eq!(left(&world, &alone).await, [""; 0]);
    assert_eq!(port(&alone).await, (5432.into(), Some(5432), None));
}
